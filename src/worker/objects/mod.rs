//! Durable Objects: SQL lives here and nowhere else.

mod chores;
mod ledger;
mod memory;
mod outbox;
mod recover;
mod report;
mod rows;
