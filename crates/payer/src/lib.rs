//! The payer and its agents: policy, budget, payments, cards, without IO.
#![no_std]

extern crate alloc;

pub mod agent;
pub mod client;
