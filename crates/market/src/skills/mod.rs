//! The market of skills: sellers with a price list, agents that call them, and a ledger of it.
//!
//! [`Market`] is built from variables ([`config`]). For each [`message::Command`] it reads rows
//! through [`books::Rows`] and returns an answer with the [`books::Change`]s to write; [`row`] has
//! the rows. It holds no key and signs nothing: what is paid is paid by the gate's clients and by
//! the treasury.
//!
//! A command is given by `dispatch` to the use case that owns what it may touch. In reading order:
//! the [`catalogue`] with its `listing`s and the gate's table (`draft`), sales (`sold`) and [`pack`]s,
//! invocations ([`invoke`], `called`, `decided`, `booking`) with the `spend` of agents and the
//! [`ledger`], whose old rows go to the archive (`shelf`), the `alarm`, and the [`original`]'s paths.
//! Assumptions:
//! - the changes of a command are written in the block that read the rows, before its answer
//!   leaves, or the answer does not leave;
//! - there is one object, and only it writes the rows;
//! - `random` is drawn anew for each command.

mod alarm;
mod booking;
pub mod books;
mod called;
pub mod catalogue;
pub mod config;
mod decided;
mod dispatch;
pub mod document;
mod draft;
mod former;
pub mod forwarded;
pub mod index;
pub mod invoke;
mod kernel;
pub mod ledger;
pub mod list;
mod listing;
mod listing_request;
pub mod message;
pub mod metrics;
pub mod offered;
pub mod original;
pub mod pack;
pub mod page;
pub mod pay;
mod place;
pub mod price;
pub mod proof;
pub mod refused;
mod replies;
pub mod row;
mod seal;
pub mod semver;
mod shelf;
mod sold;
mod spend;
pub mod table;
mod told;

pub use self::config::Market;
pub use self::kernel::{Decision, Now, RANDOM_BYTES};
