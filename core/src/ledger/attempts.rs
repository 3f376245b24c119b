//! Failures in a row of one client at one route: how they are counted, merged, bounded and forgotten.
//!
//! Who proved to be a payer is counted by address, in the ledger object that keeps his payments; everybody else by a keyed
//! hash that the gate makes, in its isolate first and then in an object, where the counts of all isolates meet. A success
//! ends the row of failures. Too small a balance is noted and never counted; trouble of ours is not even noted.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::payment::Cause;
use crate::time::UnixTime;

/// Seconds without a failure after which a row of them has ended.
pub const IDLE_SECS: u64 = 86_400;
/// Times of the threshold from which not every failure is written any more.
const SPARSE: u64 = 10;

/// What stood in the way once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureCause {
    /// In a word.
    pub cause: Cause,
    /// The reason in the letters of a vocabulary, or empty. Never a text that somebody sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Failures in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureStreak {
    /// How many of them count.
    pub attempts: u64,
    /// When the first came, unix seconds.
    pub first_at: u64,
    /// When the last came, unix seconds.
    pub last_at: u64,
    /// What stood in the way last; requests without a payment leave it as it was.
    pub blame: FailureCause,
    /// How often in a row that was the cause.
    pub streak: u64,
}

impl FailureStreak {
    /// Nothing yet.
    #[must_use]
    pub const fn new(now: UnixTime) -> Self {
        let blame = FailureCause { cause: Cause::Unpaid, reason: String::new() };
        Self { attempts: 0, first_at: now.secs(), last_at: now.secs(), blame, streak: 0 }
    }

    /// Whether so long ago that the row of failures has ended.
    #[must_use]
    pub const fn is_idle(&self, now: UnixTime) -> bool {
        now.secs().saturating_sub(self.last_at) >= IDLE_SECS
    }

    /// One more failure.
    pub fn count(&mut self, blame: &FailureCause, now: UnixTime) {
        self.note(blame, now);
        if blame.cause != Cause::Funds {
            self.attempts = self.attempts.saturating_add(1);
        }
    }

    /// A failure that answers a request which was counted already.
    pub fn note(&mut self, blame: &FailureCause, now: UnixTime) {
        if self.is_idle(now) {
            *self = Self::new(now);
        }
        self.last_at = self.last_at.max(now.secs());
        match blame.cause {
            Cause::Unpaid => {}
            cause if cause == self.blame.cause => {
                self.streak = self.streak.saturating_add(1);
                self.blame.reason.clone_from(&blame.reason);
            }
            _ => (self.blame, self.streak) = (blame.clone(), 1),
        }
    }

    /// Takes in what was counted elsewhere: `more` came since it and `self` met last.
    pub fn merge(&mut self, more: &Self) {
        let apart = self.is_idle(UnixTime::from_secs(more.first_at));
        if apart || self.attempts == 0 && self.streak == 0 {
            *self = more.clone();
            return;
        }
        self.attempts = self.attempts.saturating_add(more.attempts);
        self.first_at = self.first_at.min(more.first_at);
        self.last_at = self.last_at.max(more.last_at);
        if more.blame.cause == Cause::Unpaid {
            return;
        }
        let before = if more.blame.cause == self.blame.cause { self.streak } else { 0 };
        self.streak = before.saturating_add(more.streak);
        self.blame = more.blame.clone();
    }

    /// Whether the failures since `written` of them were stored are worth a write: each up to ten times the threshold, then every tenth
    /// part of what there is.
    #[must_use]
    pub const fn is_worth_writing(&self, written: u64, exceeded_after: u64) -> bool {
        let sparse = self.attempts > exceeded_after.saturating_mul(SPARSE);
        !sparse || self.attempts.saturating_sub(written) >= self.attempts / SPARSE
    }
}

/// Which row: who, as an address or an opaque name, and the route.
pub type StreakKey = (String, String);

/// Rows of failures, a bounded number of them: those that were touched lately, and those of before.
#[derive(Clone, Debug)]
pub struct RecentMap<K, T> {
    young: BTreeMap<K, T>,
    old: BTreeMap<K, T>,
    max: usize,
}

impl<K: Ord + Clone, T> RecentMap<K, T> {
    /// No row yet, and never more than `max`.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new(), max }
    }

    /// The row of this place.
    #[must_use]
    pub fn get(&self, place: &K) -> Option<&T> {
        self.young.get(place).or_else(|| self.old.get(place))
    }

    /// The row of this place.
    pub fn get_mut(&mut self, place: &K) -> Option<&mut T> {
        self.young.get_mut(place).or_else(|| self.old.get_mut(place))
    }

    /// Puts a row in; those that went for want of room are given back: none was put in again since as many others were
    /// as half of what there may be.
    pub fn put(&mut self, place: K, row: T) -> Vec<K> {
        self.old.remove(&place);
        self.young.insert(place, row);
        if self.young.len() < self.max / 2 {
            return Vec::new();
        }
        let young = core::mem::take(&mut self.young);
        core::mem::replace(&mut self.old, young).into_keys().collect()
    }

    /// Has a row stay, made if it is new.
    pub fn touch(&mut self, place: K, make: impl FnOnce() -> T) {
        if !self.young.contains_key(&place) {
            let row = self.old.remove(&place).unwrap_or_else(make);
            self.put(place, row);
        }
    }

    /// Takes a row out.
    pub fn remove(&mut self, place: &K) -> Option<T> {
        self.young.remove(place).or_else(|| self.old.remove(place))
    }

    /// Every row.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
        self.young.iter().chain(&self.old)
    }

    /// Every row.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut T)> {
        self.young.iter_mut().chain(&mut self.old)
    }
}

/// The message that hands over what an isolate counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Count {
    /// [`VERSION`](super::command::VERSION).
    pub v: u8,
    /// By client.
    pub count: Vec<ClientCount>,
}

/// What an isolate counted of one client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientCount {
    /// Opaque name of today.
    pub client: String,
    /// Opaque name under which it was handed over last, else that of the day before.
    pub was: String,
    /// Route pattern.
    pub route: String,
    /// Whether there was a success before what follows.
    pub reset: bool,
    /// Since the last time.
    pub more: Option<FailureStreak>,
    /// How many that were handed over earlier do not count after all.
    #[serde(default)]
    pub back: u64,
    /// Whom the client said to be, without proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
    /// From how many failures on the operator is told.
    pub exceeded_after: u64,
}

impl ClientCount {
    /// The row after this entry, given the row before; nothing where there are no failures any more.
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

/// What the object says: the merged counts, in the order of the entries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counted {
    /// Nothing where there are no failures.
    pub counted: Vec<Option<FailureStreak>>,
}

/// How a failure of somebody who proved to be a payer is counted; goes along with a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counting {
    /// Route pattern.
    pub route: String,
    /// From how many failures on the operator is told.
    pub exceeded_after: u64,
    /// What stood in the way, where the Worker knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blame: Option<FailureCause>,
}
