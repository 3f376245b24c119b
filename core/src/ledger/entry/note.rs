//! Transactions that payers have sent, as far as they are not served: awaited, paid, or owed back.

use super::{Entry, Taken, Watch};
use crate::ledger::command::{Answer, Leases, Noted, Payment};
use crate::ledger::state::{State, Undelivered, Why};
use crate::payment::{OnChain, TxHash};
use crate::time::UnixTime;

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
            watch: Watch { asked: noted != Noted::Awaited, ..Watch::default() },
            handed: false,
        })
    }

    /// What a node has shown meanwhile of a transaction that has a row. What the row is beyond that stays.
    pub(super) fn noted(mut self, noted: Noted, taken: Taken, now: UnixTime) -> (Self, Answer) {
        if noted == Noted::Owed && matches!(self.state, State::RefundDue { .. }) {
            return (self, Answer::Recorded);
        }
        let rests = matches!(
            self.state,
            State::Unknown { resend: None, .. }
                | State::Released
                | State::Abandoned
                | State::Closed
        );
        let Some(transaction) = sent(&self.payment).filter(|_| rests) else {
            return (self, Answer::Stale);
        };
        match (noted, taken) {
            (Noted::Awaited, _) => return (self, Answer::Recorded),
            (Noted::Paid | Noted::Owed, Taken::Yes) => {
                let why = Why::PaidBefore;
                self.state = State::Manual { why, transaction: Some(transaction) };
            }
            (Noted::Paid, Taken::No) => self.state = State::Settled { transaction, since: now },
            (Noted::Owed, Taken::No) => self.state = owed(transaction, now),
        }
        self.watch.asked = true;
        (self, Answer::Recorded)
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
