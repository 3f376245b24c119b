//! The vocabulary of every part of Farebox: amounts, time, encodings, text of others, heads of HTTP
//! requests.
#![no_std]

extern crate alloc;

pub mod amount;
pub mod chain;
pub mod encoding;
pub mod hash;
pub mod http;
pub mod page;
pub mod secret;
pub mod sorted;
pub mod text;
pub mod time;
