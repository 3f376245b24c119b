//! The record of one payment: what it may become, and what crosses between Worker and ledger object.
//!
//! [`state`] says where a payment stands, [`entry`] moves it, [`command`] the messages, [`row`] the stored form,
//! [`inquiry`] what the chain knows of it, [`read`] how a receipt is looked up, [`report`] what an operator asks, [`attempts`]
//! who fails how often, [`quota`] who may ask how often for nothing. [`shard`] is the ledger object around all of it.

pub mod attempts;
pub mod command;
pub mod entry;
pub mod inquiry;
pub mod mark;
pub mod quota;
pub mod read;
pub mod report;
pub mod row;
pub mod shard;
pub mod state;
pub mod take;

pub use command::{Answer, Asking, Command, Envelope, Fate, LedgerReply, Payment};
pub use entry::{Entry, OtherPayments};
pub use state::State;
