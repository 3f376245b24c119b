//! Every decision of Farebox, without IO: inputs (heads, times, answers) go in, the next step comes
//! out.
//!
//! This crate never fetches, sleeps, reads a clock or draws a random number, so a plain host test
//! covers every protocol rule. Its public face are four modules: [`gate`] for the payee, [`client`]
//! for the payer, [`x402`] and [`mpp`] for the wire formats between them. Begin with
//! [`gate::Gate`], built from variables, and the [`gate::paid::Step`]s of a payment; or with
//! [`client::Exchange`] under a [`client::Policy`]. The other modules form layers below them,
//! leaves first; their docs say if they are public only for this project's own edges.
//! `examples/edge_in_memory` is a complete host without a network.
#![no_std]

pub use farebox_base::{
    amount, chain, encoding, hash, http, json, page, secret, sorted, text, time,
};
pub use farebox_channel as channel;
pub use farebox_common::{config, payment, payout, problem};
pub use farebox_evm as evm;
pub use farebox_gate as gate;
pub use farebox_ledger as ledger;
pub use farebox_machine as machine;
pub use farebox_market::{compute, page as market_page, skills};
pub use farebox_payer::{agent, client};
pub use farebox_treasury as treasury;
pub use farebox_wire::{a2a, facilitator, mpp, paywall, x402};
