//! The market of skills and the exchange of compute, without IO.
#![no_std]

extern crate alloc;

/// The value of a result; a refusal ends the command with itself as the answer.
macro_rules! or_reply {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(refusal) => return Ok(Decision::reply(refusal)),
        }
    };
}

pub mod compute;
mod day;
mod gate;
mod grant;
mod operator;
pub mod page;
mod query;
pub mod skills;
mod text;
