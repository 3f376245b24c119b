//! Failures in a row of one client at one route: how they are counted, merged, limited and
//! forgotten.
//!
//! A proven payer is counted by address, in the ledger object that keeps their payments. Every
//! other client is counted by a name: a keyed hash that the gate makes, first in its isolate and then in an
//! object, where the counts of all isolates are merged. A success ends the streak. An insufficient
//! balance is noted and never counted; a fault on the gate's side is not even noted.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use farebox_base::encoding::message::read_struct;
use farebox_base::time::UnixTime;
use farebox_common::payment::Cause;

/// Beginnings of the names of clients that are no payers: those that look alike, whoever shows a
/// handle, and the holder of an API key.
pub const ALIKE: &str = "net_";
/// See [`ALIKE`].
pub const ALONE: &str = "own_";
/// See [`ALIKE`].
pub const KNOWN: &str = "key_";

/// Whether the name of a client is that of a payer who has proved it.
#[must_use]
pub fn is_payer(client: &str) -> bool {
    ![ALIKE, ALONE, KNOWN].iter().any(|prefix| client.starts_with(prefix))
}

/// Seconds without a failure after which a streak has ended.
pub const IDLE_SECS: u64 = 86_400;
/// Multiple of the threshold from which not every failure is written.
const SPARSE: u64 = 10;

/// The cause of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCause {
    /// The class of the cause.
    pub cause: Cause,
    /// The reason from a known vocabulary, or empty. Never text from outside.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

read_struct!(FailureCause { cause; reason });

/// Failures in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureStreak {
    /// Number of failures that count.
    pub attempts: u64,
    /// Time of the first, unix seconds.
    pub first_at: u64,
    /// Time of the last, unix seconds.
    pub last_at: u64,
    /// The last cause; requests without a payment leave it as it was.
    #[serde(rename = "blame")]
    pub latest: FailureCause,
    /// Times in a row that it was this cause.
    pub streak: u64,
}

read_struct!(FailureStreak { attempts, first_at, last_at, latest = "blame", streak });

impl FailureStreak {
    /// Starts an empty streak.
    #[must_use]
    pub const fn new(now: UnixTime) -> Self {
        let latest = FailureCause { cause: Cause::Unpaid, reason: String::new() };
        Self { attempts: 0, first_at: now.secs(), last_at: now.secs(), latest, streak: 0 }
    }

    /// Whether the last failure is so old that the streak has ended.
    #[must_use]
    pub const fn is_idle(&self, now: UnixTime) -> bool {
        now.secs().saturating_sub(self.last_at) >= IDLE_SECS
    }

    /// Counts one more failure.
    pub fn count(&mut self, failure: &FailureCause, now: UnixTime) {
        self.note(failure, now);
        if failure.cause != Cause::Funds {
            self.attempts = self.attempts.saturating_add(1);
        }
    }

    /// Notes a failure in answer to a request that was counted already.
    pub fn note(&mut self, failure: &FailureCause, now: UnixTime) {
        if self.is_idle(now) {
            *self = Self::new(now);
        }
        self.last_at = self.last_at.max(now.secs());
        match failure.cause {
            Cause::Unpaid => {}
            cause if cause == self.latest.cause => {
                self.streak = self.streak.saturating_add(1);
                self.latest.reason.clone_from(&failure.reason);
            }
            _ => (self.latest, self.streak) = (failure.clone(), 1),
        }
    }

    /// Merges counts from elsewhere: `more` came since it and `self` were last merged.
    pub fn merge(&mut self, more: &Self) {
        let apart = self.is_idle(UnixTime::from_secs(more.first_at));
        if apart || self.attempts == 0 && self.streak == 0 {
            *self = more.clone();
            return;
        }
        self.attempts = self.attempts.saturating_add(more.attempts);
        self.first_at = self.first_at.min(more.first_at);
        self.last_at = self.last_at.max(more.last_at);
        if more.latest.cause == Cause::Unpaid {
            return;
        }
        let before = if more.latest.cause == self.latest.cause { self.streak } else { 0 };
        self.streak = before.saturating_add(more.streak);
        self.latest = more.latest.clone();
    }

    /// Whether the failures since the stored count `written` are worth a write: each one up to ten
    /// times the threshold, then each growth by a tenth.
    #[must_use]
    pub const fn is_worth_writing(&self, written: u64, exceeded_after: u64) -> bool {
        let sparse = self.attempts > exceeded_after.saturating_mul(SPARSE);
        !sparse || self.attempts.saturating_sub(written) >= self.attempts / SPARSE
    }
}

/// Key of a streak: the client, as an address or an opaque name, and the route.
pub type StreakKey = (String, String);

/// The message with an isolate's counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Count {
    /// [`VERSION`](super::command::VERSION).
    pub v: u8,
    /// By client.
    pub count: Vec<ClientCount>,
}

read_struct!(Count { v, count });

/// An isolate's counts for one client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientCount {
    /// Today's opaque name.
    pub client: String,
    /// Opaque name used in the last report, otherwise yesterday's.
    pub was: String,
    /// Route pattern.
    pub route: String,
    /// Whether there was a success before these failures.
    pub reset: bool,
    /// Failures since the last report.
    pub more: Option<FailureStreak>,
    /// Number of reported failures that do not count after all.
    #[serde(default)]
    pub back: u64,
    /// The unproven identity that the client claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
    /// Number of failures from which the operator is notified.
    pub exceeded_after: u64,
}

read_struct!(ClientCount { client, was, route, reset, more, exceeded_after; back, claims });

impl ClientCount {
    /// The streak after these counts, given the one before; `None` if no failures are left.
    #[must_use]
    pub fn applied_to(&self, row: Option<FailureStreak>, now: UnixTime) -> Option<FailureStreak> {
        let until = self.more.as_ref().map_or(now, |more| UnixTime::from_secs(more.first_at));
        let mut row = row.filter(|row| !self.reset && !row.is_idle(until));
        if let Some(row) = &mut row {
            row.attempts = row.attempts.saturating_sub(self.back);
        }
        match (row, &self.more) {
            (Some(mut row), Some(more)) => {
                row.merge(more);
                Some(row)
            }
            (row, more) => row.or_else(|| more.clone()),
        }
        .filter(|row| row.attempts > 0 || row.streak > 0)
    }
}

/// The object's answer: the merged counts, in the order of the entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// The merged streaks; `None` if there are no failures.
    pub counted: Vec<Option<FailureStreak>>,
}

read_struct!(Counted { counted });

/// Instructions to count a failure of a proven payer; accompanies a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counting {
    /// Route pattern.
    pub route: String,
    /// Number of failures from which the operator is notified.
    pub exceeded_after: u64,
    /// The cause, if the Worker knows it.
    #[serde(rename = "blame", default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCause>,
}

read_struct!(Counting { route, exceeded_after; failure = "blame" });
