//! Amounts that were spent: the latest payments one by one, and sums of those before, so that a payment costs
//! the same after a thousand others.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use crate::client::error::{ClientError, Reason};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

/// One payment, or a sum of several to one payee at one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spent {
    /// The name that its draft gave it, hex. [`SHARED`] follows if it was counted again. Empty for a
    /// sum.
    pub(super) id: String,
    /// Time of its reservation, unix seconds; of a sum, the latest.
    pub(super) at: u64,
    pub(super) host: String,
    pub(super) payee: String,
    /// At [`CAP_DECIMALS`](crate::client::asset::CAP_DECIMALS).
    pub(super) worth: Amount,
    /// The amount that was signed beyond that and, by its receipt, was not charged.
    pub(super) beyond: Amount,
}

impl Spent {
    /// Whether it counts this purchase; sums, and what has no name, count none.
    fn is_of(&self, id: &str) -> bool {
        let is_it = self.id.strip_suffix(SHARED).unwrap_or(&self.id) == id;
        is_it && !id.is_empty()
    }

    /// Adds another one to the same payee; whether the sums are no greater than an amount may be.
    fn add(&mut self, other: &Self) -> bool {
        let sums = (self.worth.checked_add(other.worth), self.beyond.checked_add(other.beyond));
        let (Some(worth), Some(beyond)) = sums else { return false };
        self.id.clear();
        (self.worth, self.beyond) = (worth, beyond);
        self.at = self.at.max(other.at);
        true
    }
}

/// The entries that a cap is about.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    All,
    Host(&'a str),
    Payee(&'a str),
}

impl Part<'_> {
    fn has(self, entry: &Spent) -> bool {
        match self {
            Self::All => true,
            Self::Host(host) => entry.host == host,
            Self::Payee(payee) => entry.payee == payee,
        }
    }
}

/// All entries, in the order in which they were counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries(pub(super) Vec<Spent>);

/// How long the spans are over which entries are summed.
#[derive(Clone, Copy)]
struct Spans {
    /// Within the hour of the shortest cap, seconds.
    lately: u64,
    /// Before it, seconds.
    before: u64,
}

/// Seconds of the caps.
pub(super) const HOUR_SECS: u64 = 3_600;
pub(super) const DAY_SECS: u64 = 86_400;
/// Ends the id of a purchase that was counted more than once: each of them may have been signed.
const SHARED: char = '+';
/// The latest payments, each of which is counted by itself: it may be released, or charged less, or
/// be the same purchase as the next one. More than these are rarely under way at once.
const RECENT: usize = 128;
/// Most payments that stay by themselves because they hold the first payee of a host.
const MOST_HOLDERS: usize = 512;
/// Seconds after which also these are summed, if there are more than [`FEW`].
const SPAN_SECS: u64 = 300;
const FEW: usize = 64;
/// Seconds after which an entry is dropped: long enough for a clock that was set back.
const KEPT_SECS: u64 = 3 * DAY_SECS;
/// The spans of sums: the first ones with which there are no more than [`MANY`] entries.
const SPANS: [Spans; 3] = [
    Spans { lately: SPAN_SECS, before: HOUR_SECS },
    Spans { lately: HOUR_SECS, before: 6 * HOUR_SECS },
    Spans { lately: HOUR_SECS, before: DAY_SECS },
];
const MANY: usize = 1_000;
/// Maximum entries. Beyond it payments are refused; entries are never forgotten.
pub(super) const MAX_ENTRIES: usize = 2_000;

impl Entries {
    /// Refuses another payment if there are too many entries.
    ///
    /// # Errors
    /// [`Reason::BudgetExhausted`].
    pub(super) fn admit(&self) -> Result<(), ClientError> {
        if self.0.len() < MAX_ENTRIES {
            return Ok(());
        }
        let message = format!("more than {MAX_ENTRIES} payees were paid within three days");
        Err(ClientError::new(Reason::BudgetExhausted, message))
    }

    /// Counts a payment; a purchase that was counted before stays at its highest amount.
    pub(super) fn count(&mut self, entry: Spent) {
        let before = self.0.iter().position(|it| it.is_of(&entry.id)).map(|at| self.0.remove(at));
        let Some(before) = before else { return self.0.push(entry) };
        let id = format!("{}{SHARED}", entry.id);
        let at = entry.at.max(before.at);
        let signed = before.worth.checked_add(before.beyond).unwrap_or(Amount::MAX);
        let highest = if entry.worth >= signed { entry } else { before };
        self.0.push(Spent { id, at, ..highest });
    }

    /// Releases a payment that was never signed; whether it may be. A purchase that was counted twice
    /// stays: the other one may have been signed.
    pub(super) fn release(&mut self, id: &str) -> bool {
        if id.is_empty() || self.0.iter().any(|entry| entry.id != id && entry.is_of(id)) {
            return false;
        }
        self.0.retain(|entry| entry.id != id);
        true
    }

    /// Counts what was charged in the place of what was signed.
    pub(super) fn settle(&mut self, id: &str, charged: Amount) {
        for entry in self.0.iter_mut().filter(|entry| entry.is_of(id)) {
            let rest = entry.worth.checked_sub(charged);
            if let Some(beyond) = rest.and_then(|rest| entry.beyond.checked_add(rest)) {
                (entry.worth, entry.beyond) = (charged, beyond);
            }
        }
    }

    /// Whether the payment of this name is counted by itself.
    pub(super) fn holds(&self, id: &str) -> bool {
        self.0.iter().any(|entry| entry.id == id)
    }

    /// Those since a time. Entries in the future count, because a clock may have been set back.
    pub(super) fn since(&self, since: UnixTime) -> impl Iterator<Item = &Spent> {
        self.0.iter().filter(move |entry| entry.at > since.secs())
    }

    /// The sum of a part since a time, without one purchase.
    pub(super) fn spent(&self, since: UnixTime, part: Part<'_>, without: &str) -> Option<Amount> {
        let mut all = self.since(since).filter(|it| part.has(it) && !it.is_of(without));
        all.try_fold(Amount::ZERO, |sum, entry| sum.checked_add(entry.worth))
    }

    /// The sum since a time if each server takes all that was signed for it, without one purchase.
    pub(super) fn worst(&self, since: UnixTime, without: &str) -> Option<Amount> {
        let mut all = self.since(since).filter(|it| !it.is_of(without));
        all.try_fold(Amount::ZERO, |sum, entry| {
            sum.checked_add(entry.worth)?.checked_add(entry.beyond)
        })
    }

    /// Drops old entries, and sums all but the latest by host and payee, dated by the latest of a sum:
    /// so it leaves its window late, never early. The more hosts and payees there are, the longer are
    /// the spans of the sums. A sum has no name: releasing one of its payments would release the
    /// others.
    /// Those that hold a pin may be the first ones at their host, and wait for a person: the latest of
    /// them stay by themselves for an hour.
    pub(super) fn sum_old(&mut self, now: UnixTime, holds: &dyn Fn(&str) -> bool) {
        let old = now.minus(KEPT_SECS).secs();
        self.0.retain(|entry| entry.at > old);
        for spans in SPANS {
            self.sum(now, holds, spans);
            if self.0.len() <= MANY {
                return;
            }
        }
    }

    /// Sums over these spans.
    fn sum(&mut self, now: UnixTime, holds: &dyn Fn(&str) -> bool, spans: Spans) {
        let holds = |entry: &Spent| holds(&entry.id);
        let holders = self.0.iter().filter(|entry| holds(entry)).count();
        let mut too_many = holders.saturating_sub(MOST_HOLDERS);
        let (many, latest) = (self.0.len() > FEW, self.0.len().saturating_sub(RECENT));
        let mut kept: Vec<Summed> = Vec::with_capacity(self.0.len());
        for (place, entry) in mem::take(&mut self.0).into_iter().enumerate() {
            let age = now.secs().saturating_sub(entry.at);
            let mut stays = age < HOUR_SECS && holds(&entry);
            if stays && too_many > 0 {
                (stays, too_many) = (false, too_many.saturating_sub(1));
            }
            let secs = match age {
                HOUR_SECS.. => spans.before,
                _ if stays => 0,
                SPAN_SECS.. if many => spans.lately,
                _ if place < latest => spans.lately,
                _ => 0,
            };
            // Which of the spans of this length it is in; none has no other one to be added to.
            let span = entry.at.checked_div(secs).map(|number| Span { secs, number });
            let alike = |it: &&mut Summed| {
                span.is_some()
                    && it.span == span
                    && it.entry.host == entry.host
                    && it.entry.payee == entry.payee
            };
            if !kept.iter_mut().rev().find(alike).is_some_and(|sum| sum.entry.add(&entry)) {
                kept.push(Summed { span, entry });
            }
        }
        self.0 = kept.into_iter().map(|it| it.entry).collect();
    }
}

/// A span of time: which one of its length.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    secs: u64,
    number: u64,
}

/// An entry with the span over which it is summed.
struct Summed {
    span: Option<Span>,
    entry: Spent,
}
