//! The compute exchange: sellers offer capacity by the task, buyers pay for a task, and the money
//! is held until the work is done.
//!
//! A [`Gateway`] serves one network profile. For each [`message::Command`] it reads rows
//! through [`records::Rows`] and returns an answer with the [`records::Change`]s to write;
//! [`row`] has the rows. It holds no key and signs nothing: the gate in front takes the money, and
//! the treasury moves it.
//!
//! A command is given by `gateway` to the use case that owns what it may touch. In reading order:
//! sellers (`seller`, their `session`s and `bond`s), quotes ([`quote`]) and seats (`seat`), payments
//! ([`verify`], `paying`, [`till`], [`shown`], [`terms`]), jobs ([`job`]), `work` and its `outcome`s, held money
//! (`hold`), which the gate may owe (`claim`) and the treasury moves (`payout`, `moved`), and what time decides ([`due`]), with its [`errand`]s. All borrow the [`settings`]' payment profile, `keys` and limits
//! (`offer`). What happened is counted in [`figures`] and seen by [`feed::View`]s: the [`board`] of a
//! profile, the [`dashboard`] and the [`page`]s of several, feeds of events, and the lists of the
//! [`operator`].
//! Assumptions:
//! - the changes of a command are written in the block that read the rows, before its answer
//!   leaves, or the answer does not leave;
//! - there is one object for each profile, and only it writes the rows;
//! - `random` is drawn anew for each command;
//! - the treasury makes at most one payout for each idempotency key.

pub mod board;
pub mod body;
mod bond;
mod capability;
mod claim;
pub mod dashboard;
mod demo;
mod direct;
mod document;
pub mod due;
pub mod errand;
mod event;
pub mod feed;
pub mod figures;
mod gateway;
mod hold;
pub mod identity;
pub mod job;
pub mod keep;
mod kernel;
mod keys;
pub mod message;
mod moved;
pub mod notice;
mod offer;
pub mod operator;
mod outcome;
pub mod page;
mod paying;
mod payout;
mod personal;
pub mod quote;
pub mod records;
pub mod refused;
pub mod row;
mod seat;
mod seller;
mod session;
pub mod settings;
pub mod shown;
mod standing;
mod stuck;
pub mod terms;
pub mod till;
pub mod vars;
pub mod verify;
mod work;

pub use self::gateway::Gateway;
pub use self::kernel::{Decision, Now, RANDOM_BYTES};
