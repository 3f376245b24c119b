//! Durable Objects: SQL lives here and nowhere else.

mod chores;
mod ledger;
mod memory;
mod outbox;
mod recover;
#[cfg(feature = "operator")]
mod report;
mod rows;
