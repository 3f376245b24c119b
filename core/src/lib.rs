//! Every decision of Farebox, without IO: inputs (heads, times, answers) go in, the next thing to do comes out.
//!
//! Nothing here fetches, sleeps, reads a clock or draws a random number, so every protocol rule is a plain host
//! test. [`gate::Gate`] is where a request begins at the one who is paid, [`client::Exchange`] at the one
//! who pays; the modules below stand in layers, leaves first.
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
