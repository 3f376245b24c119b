//! The record of one payment: its states, and the messages between Worker and ledger object.
//!
//! [`state`] lists the states of a payment, [`entry`] moves it, [`command`] has the messages,
//! [`row`] the stored form, [`inquiry`] the questions to the chain, [`read`] the lookup of a
//! receipt, [`report`] the operator's requests, [`restored`] what a copy changes that came back,
//! [`attempts`] the failures of each client, [`quota`] the free requests. [`shard`] is the ledger
//! object around all of it.
#![no_std]

extern crate alloc;

pub mod attempts;
pub mod command;
pub mod entry;
pub mod inquiry;
pub mod mark;
pub mod quota;
pub mod read;
pub mod report;
pub mod restored;
pub mod room;
pub mod row;
pub mod shard;
pub mod state;
pub mod take;

pub use command::{Answer, Asking, Command, Envelope, Fate, LedgerReply, Payment};
pub use entry::{Entry, OtherPayments};
pub use state::State;
