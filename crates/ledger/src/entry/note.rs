//! Transactions sent by payers and not served: awaited, paid, or owed back.
//!
//! Anyone may show a hash, under any challenge of theirs, so a note decides nothing for the sender:
//! a row made only by notes gives way to a claim, which the chain has proven in time under the
//! claim's own challenge. It does so until it is begun, or until [`YIELD_SECS`] after it was found
//! owed. The operator hears of the debt only then, so that a refunded payment is never served.

use super::recover::Plan;
use super::{Entry, RecoveryLog, Taken};
use crate::command::{Answer, Leases, Noted, Payment};
use crate::state::{State, Undelivered, Why};
use farebox_base::time::UnixTime;
use farebox_common::payment::{OnChain, TxHash};

/// Seconds in which a debt recorded only by a note gives way to a client that has paid in time.
pub(super) const YIELD_SECS: u64 = 3600;

impl Entry {
    /// Makes the row of a transaction that its payer has sent; `None` for any other payment. A
    /// transaction that belongs to another payment is left to the operator.
    #[must_use]
    pub fn of_sent(
        payment: Payment,
        leases: Leases,
        noted: Noted,
        taken: Taken,
        now: UnixTime,
    ) -> Option<Self> {
        let transaction = sent(&payment)?;
        let state = match (noted, taken) {
            (Noted::Awaited, _) => {
                State::Unknown { since: now, transaction: None, sent: now, resend: None }
            }
            (Noted::Paid | Noted::Owed, Taken::Yes) => {
                State::Manual { why: Why::PaidBefore, transaction: Some(transaction) }
            }
            (Noted::Paid, Taken::No) => State::Settled { transaction, since: now },
            (Noted::Owed, Taken::No) => owed(transaction, now),
        };
        Some(Self {
            payment,
            leases,
            state,
            fence: 0,
            sealed: false,
            created: now,
            watch: RecoveryLog { asked: is_certain(noted, taken), ..RecoveryLog::default() },
            handed: false,
        })
    }

    /// Updates a row with a node's finding about its transaction. A row that holds more than notes
    /// stays; one made only by notes becomes what the chain has proven.
    pub(super) fn noted(
        mut self,
        payment: Payment,
        leases: Leases,
        noted: Noted,
        taken: Taken,
        now: UnixTime,
    ) -> (Self, Answer) {
        let is_owed = matches!(self.state, State::RefundDue { .. });
        let is_void = matches!(self.state, State::Void);
        let yields = self.is_only_noted(now);
        if noted == Noted::Owed && is_owed {
            return (self, Answer::Recorded);
        }
        let rests = matches!(
            self.state,
            State::Unknown { resend: None, .. }
                | State::Released
                | State::Abandoned
                | State::Closed
        );
        let moves = match noted {
            Noted::Awaited | Noted::Paid => rests || yields,
            Noted::Owed => rests || (yields && !matches!(self.state, State::Settled { .. })),
        };
        let Some(transaction) = sent(&self.payment).filter(|_| moves) else {
            return (self, Answer::Stale);
        };
        if yields && (noted != Noted::Awaited || is_void) {
            self.leases = leases;
            self.payment = Payment {
                receipt: core::mem::take(&mut self.payment.receipt),
                correlation: core::mem::take(&mut self.payment.correlation),
                ..payment
            };
        }
        self.state = match (noted, taken) {
            (Noted::Awaited, _) if is_void => {
                State::Unknown { since: now, transaction: None, sent: now, resend: None }
            }
            (Noted::Awaited, _) => self.state,
            (Noted::Paid | Noted::Owed, Taken::Yes) => {
                State::Manual { why: Why::PaidBefore, transaction: Some(transaction) }
            }
            (Noted::Paid, Taken::No) => State::Settled { transaction, since: now },
            (Noted::Owed, Taken::No) => owed(transaction, now),
        };
        self.watch.asked |= is_certain(noted, taken);
        (self, Answer::Recorded)
    }

    /// Whether only notes made it: nothing was begun, served, decided or paid back, and the
    /// operator has heard of no debt.
    pub(super) fn is_only_noted(&self, now: UnixTime) -> bool {
        let is_young = |since: UnixTime| now < since.plus(YIELD_SECS);
        let rests = match &self.state {
            State::Unknown { resend: None, .. }
            | State::Settled { .. }
            | State::Closed
            | State::Void => true,
            State::RefundDue {
                why: Undelivered::Unserved | Undelivered::NotFetched,
                since,
                refunding: None,
                ..
            } => is_young(*since),
            State::Manual { why: Why::PaidBefore, .. } => self.watch.read.is_some_and(is_young),
            _ => false,
        };
        rests && !self.watch.asked && self.payment.was_sent_by_payer()
    }

    /// Whether it tells nothing of what became of a transaction before the rows were known: it was made
    /// since, for another challenge, or by notes alone, which the copied gate may have gone on from.
    pub(crate) fn is_silent(&self, plan: &Plan, now: UnixTime) -> bool {
        self.created.secs() >= plan.known_since || self.is_only_noted(now)
    }

    /// Until when a debt or a review gives way to a client that has paid in time; `None` for any
    /// other row.
    pub(crate) fn yields_until(&self) -> Option<UnixTime> {
        let since = match &self.state {
            State::RefundDue { since, .. } => *since,
            State::Manual { .. } => self.watch.read?,
            _ => return None,
        };
        self.is_only_noted(since).then(|| since.plus(YIELD_SECS))
    }
}

/// Whether only a decision of the operator could change the finding.
fn is_certain(noted: Noted, taken: Taken) -> bool {
    match noted {
        Noted::Awaited => false,
        Noted::Paid => true,
        Noted::Owed => taken == Taken::Yes,
    }
}

/// The transaction that a payer has sent; `None` if the payment is of another kind.
pub(super) fn sent(payment: &Payment) -> Option<TxHash> {
    match OnChain::read(&payment.facilitator, &payment.request)? {
        OnChain::Sent { transaction, .. } => Some(transaction),
        OnChain::Signed(_) => None,
    }
}

/// The state of a transaction that paid and was not served.
pub(super) const fn owed(transaction: TxHash, now: UnixTime) -> State {
    State::RefundDue { transaction, why: Undelivered::Unserved, since: now, refunding: None }
}
