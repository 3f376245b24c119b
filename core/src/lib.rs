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

extern crate alloc;

pub mod amount;
pub mod chain;
pub mod encoding;
pub mod hash;
pub mod mutant;
pub mod problem;
pub mod secret;
pub mod sorted;
pub mod text;
pub mod time;

pub mod evm;
pub mod http;

pub mod config;
pub mod payment;

pub mod a2a;
pub mod mpp;
pub mod x402;

pub mod channel;
pub mod facilitator;
pub mod ledger;
pub mod paywall;

pub mod client;
pub mod gate;

pub mod agent;

pub mod compute;
pub mod skills;
pub mod treasury;
