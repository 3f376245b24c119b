//! The rows of events.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind {
    /// A seat is held for a buyer.
    Matching,
    /// A job is paid.
    Paid,
    /// Its seller has begun.
    Running,
    /// Its seller has delivered.
    Done,
    /// It failed, or its payment did.
    Failed,
    /// The seller has the money.
    Released,
    /// There was none.
    ReleaseSkipped,
    /// It did not move yet.
    ReleaseFailed,
    /// The payer has the money back.
    Refunded,
    /// There was none.
    RefundSkipped,
    /// It did not move yet.
    RefundFailed,
    /// A seller was registered.
    SellerRegistered,
    /// A seller came.
    SellerOnline,
    /// A seller went, or let a job lie.
    SellerOffline,
    /// A demo run got its result.
    DemoDone,
}

/// An event. Key: number, given by the storage in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its place; 0 until the storage gave it one.
    pub number: u64,
    /// When.
    pub at: u64,
    /// The kind of the event.
    pub kind: EventKind,
    /// The job; empty if there is none.
    pub job: String,
    /// The quote or payment; empty if there is none.
    pub payment: String,
    /// The seller; empty if there is none.
    pub seller: String,
    /// The transaction; empty if there is none.
    pub transaction: String,
}
