//! The market of skills and the exchange of compute, without IO.
#![no_std]

extern crate alloc;

pub mod compute;
pub mod skills;
