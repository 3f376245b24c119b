//! The treasury: one wallet for many agents, with budgets, reviews and receipts.
//!
//! [`Treasury`] is built from variables ([`config`]). For each [`message::Command`] it reads rows
//! through [`books::Rows`] and returns an answer with the [`books::Change`]s to write; [`row`] has
//! the rows, [`token`] and [`version`] decide who is served.
//!
//! A command is given by `dispatch` to the use case that owns what it may touch. `decide` and
//! `payout` begin payments by `attempt`, which has them signed, sent and looked for; `escrow` and
//! `links` have payments of their own; `operate`, `inquire` and `keep` go by rows alone. They borrow
//! what several of them need: `chain` reads chains, `receipt` signs. Assumptions:
//! - the changes of a command are written in the block that read the rows, before its answer
//!   leaves, or the answer does not leave;
//! - there is one object for each organization, and only it writes the rows;
//! - `random` is drawn anew for each command.
#![no_std]

extern crate alloc;

mod access;
mod answer;
mod attempt;
pub mod books;
pub mod budget;
mod chain;
pub mod config;
mod decide;
mod dispatch;
pub mod escrow;
pub mod id;
mod inquire;
mod keep;
mod kernel;
pub mod links;
pub mod merchant;
pub mod message;
pub mod money;
mod notice;
pub mod operate;
pub mod outcome;
pub mod payout;
mod places;
pub mod policy;
mod receipt;
pub mod refused;
pub mod request;
mod reviewed;
pub mod row;
mod seed;
pub mod terms;
pub mod token;
mod undelivered;
pub mod version;

pub use self::config::Treasury;
pub use self::kernel::{Decision, Job, Now, RANDOM_BYTES};
pub use self::outcome::Turn;
pub use self::places::{PlacedJob, Places, TakenPlace};
