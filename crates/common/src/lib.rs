//! The parts that all protocols share: payments and their terms, payouts, refusals, the
//! configuration, without IO.
#![no_std]

extern crate alloc;

pub mod config;
pub mod decision;
pub mod payment;
pub mod payout;
pub mod problem;
