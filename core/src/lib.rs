//! Every decision of Farebox, without IO: inputs (heads, times, answers) go in, the next thing to do comes out.
//!
//! Nothing here fetches, sleeps, reads a clock or draws a random number, so every protocol rule is a plain host
//! test. Its public face are four modules: [`gate`] for the one who is paid, [`client`] for the one who pays, [`x402`] and
//! [`mpp`] for the wires between them. Begin with [`gate::Gate`], built from variables, and the [`gate::paid::Step`]s of
//! a payment; or with [`client::Exchange`] under a [`client::Policy`]. The other modules stand in layers below them, leaves
//! first; what is public for our own edges alone says so. `examples/edge_in_memory` is a whole host without a network.
#![no_std]

extern crate alloc;

pub mod amount;
pub mod chain;
pub mod encoding;
pub mod mutant;
pub mod problem;
pub mod secret;
pub mod sorted;
pub mod time;

pub mod evm;
pub mod http;

pub mod payment;

pub mod mpp;
pub mod x402;

pub mod facilitator;
pub mod ledger;
pub mod paywall;

pub mod client;
pub mod gate;
