//! The log, what is kept for a time, and notices.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::{Deserialize, Serialize};

/// A change of the rules, of an agent or of a key. Key: number, given by the storage in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRow {
    /// When.
    pub at: u64,
    /// The kind of change, such as `policy.changed`.
    pub what: String,
    /// To which scope, agent, key or review.
    pub subject: String,
    /// The version that it has since then, if it has versions.
    pub version: Option<u64>,
    /// The new rules, or another remark.
    pub note: String,
}

/// Rows that leave after `KEEP_DAYS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Decisions, with the attempt of each.
    Decisions,
    /// Attempts that were given up for another one of their decision.
    Attempts,
    /// Reviews.
    Reviews,
    /// Lines of the log.
    Log,
}

/// How far the removal of old rows is. One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// When it goes on.
    pub due: u64,
    /// The kind of rows that it goes through.
    pub kind: Kept,
    /// The last row that it has looked at: time and id, of the log the number.
    pub after: (u64, String),
    /// Rows of this time and later are all there, but payments that never moved.
    pub since: u64,
    /// Until this time all rows were looked at for what leaves early, once nothing more was to become
    /// of them.
    #[serde(default)]
    pub early: u64,
    /// The same after this round; `None` if this version did not begin it.
    #[serde(default)]
    pub rest: Option<u64>,
}

/// The answers of merchants that leave before their decisions. One row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswers {
    /// Bytes of all of them.
    pub bytes: u64,
    /// Bytes of those to each agent that has some.
    #[serde(default)]
    pub agents: BTreeMap<String, u64>,
    /// When the first of them leaves.
    pub due: Option<u64>,
}

/// The trace of a payment whose rows have left: a second one is not made under its key, nor with
/// its nonce. Key: name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Hash of agent and key, or of the payment.
    pub name: String,
    /// When it was left.
    pub at: u64,
}

/// Something that the operator's webhook is told. Key: id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its name, the same each time it is told.
    pub id: String,
    /// The kind of event, such as `review.created`.
    pub kind: String,
    /// When.
    pub at: u64,
    /// The body to send, JSON.
    pub body: String,
}
