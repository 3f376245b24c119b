//! Transactions that payers have sent, as far as they are not served: awaited, paid, or owed back.
//!
//! Anybody may show a hash, under any challenge of theirs, so a note fixes nothing for the sender: a row that only notes have made
//! gives way to a claim, which the chain has proven in time under the challenge that it came with. It does so until it is begun,
//! or [`YIELD_SECS`] after it was found owed: the operator hears of the debt only then, so that nothing is served that was paid back.

use super::{Entry, RecoveryLog, Taken};
use crate::ledger::command::{Answer, Leases, Noted, Payment};
use crate::ledger::state::{State, Undelivered, Why};
use crate::mutant::{Mutant, planted};
use crate::payment::{OnChain, TxHash};
use crate::time::UnixTime;

/// Seconds in which a debt that only a note has made gives way to who has paid in time.
pub(super) const YIELD_SECS: u64 = 3600;

impl Entry {
    /// The row of a transaction that its payer has sent; nothing for any other payment. One that is another payment's already
    /// is for a person to look at.
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

    /// What a node has shown meanwhile of a transaction that has a row. What the row is beyond that stays; what it notes alone
    /// becomes what the chain has proven.
    pub(super) fn noted(
        mut self,
        (payment, leases, noted): (Payment, Leases, Noted),
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

    /// Whether it came about by notes alone: nothing was begun, served, decided or paid back, and the operator has heard of no debt.
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
                ..
            } => is_young(*since),
            State::Manual { why: Why::PaidBefore, .. } => self.watch.read.is_some_and(is_young),
            _ => false,
        };
        rests
            && !self.watch.asked
            && self.payment.was_sent_by_payer()
            && !planted(Mutant::NotesHold)
    }

    /// Until when a debt gives way to who has paid in time; nothing for any other row.
    pub(in crate::ledger) fn yields_until(&self) -> Option<UnixTime> {
        match &self.state {
            State::RefundDue { since, .. } if self.is_only_noted(*since) => {
                Some(since.plus(YIELD_SECS))
            }
            _ => None,
        }
    }
}

/// Whether a note says what nothing but a decision of the operator changes.
fn is_certain(noted: Noted, taken: Taken) -> bool {
    match noted {
        Noted::Awaited => false,
        Noted::Paid => true,
        Noted::Owed => taken == Taken::Yes,
    }
}

/// The transaction that a payer has sent.
pub(super) fn sent(payment: &Payment) -> Option<TxHash> {
    match OnChain::read(&payment.facilitator, &payment.request)? {
        OnChain::Sent { transaction, .. } => Some(transaction),
        OnChain::Signed(_) => None,
    }
}

/// Paid, and not served.
pub(super) const fn owed(transaction: TxHash, now: UnixTime) -> State {
    State::RefundDue { transaction, why: Undelivered::Unserved, since: now }
}
