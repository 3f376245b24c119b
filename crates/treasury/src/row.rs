//! The stored form of what a treasury keeps: flat rows, money as text, times in unix seconds.
//!
//! Each row is written whole under its key. The request of an attempt is apart, as a [`Parcel`]: it
//! is written once and may be large.

mod access;
mod attempt;
mod budget;
mod decision;
mod log;
mod review;

pub use access::{AgentRow, PAYOUTS, PolicyRow, Scope, TokenKind, TokenRow};
pub(crate) use attempt::NO_NODE;
pub use attempt::{AttemptRow, Money, OpenPayments, Parcel, ReceiptFacts, Turn};
pub use budget::{AssetTally, BudgetRow};
pub(crate) use decision::write_key;
pub use decision::{DecisionRow, Stage};
pub use log::{Kept, KeptAnswers, LogRow, Notice, Removal, Trace};
pub use review::{ReviewRow, Verdict};
