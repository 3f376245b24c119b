//! Durable Objects: SQL lives here and nowhere else.

mod attempts;
mod channel;
mod chores;
mod claims;
mod ledger;
mod outbox;
mod payee;
mod quota;
mod recover;
mod report;
mod rows;
