//! Behaviours of the treasury, with its rows, merchants, chain and clock in memory.

pub mod access;
pub mod answers;
mod approvals;
mod books;
mod charges;
pub mod config;
pub mod decisions;
pub mod denials;
pub mod escrows;
pub mod explore;
mod facilitated;
mod life;
mod links;
#[cfg(test)]
#[cfg(feature = "planted")]
pub mod mutants;
mod notices;
mod operator;
mod payout_rules;
mod payouts;
mod questions;
pub mod random;
mod receiptless;
pub mod removal;
pub mod reports;
pub mod reviews;
pub mod rules;
mod secrets;
mod turns;
mod undelivered;
mod world;
