//! The wire formats of x402, MPP, payment links and facilitators, without IO.
#![no_std]

extern crate alloc;

pub mod a2a;
pub mod facilitator;
pub mod mpp;
pub mod paywall;
pub mod x402;
