//! The same payment once more: what became of it, and what this request may still have of it.

use alloc::string::String;

use super::{Entry, RESEND_GAP_SECS, begin, delivering};
use crate::ledger::command::{Answer, Leases, Payment};
use crate::ledger::state::{Resend, Sender, State};
use crate::payment::TxHash;
use crate::time::UnixTime;

/// Seconds after which a header that was public may no longer resume by itself what nobody received.
pub(super) const RESUME_SECS: u64 = 60;

/// Seconds after `validBefore` in which the payer's next authorization counts as his signature.
const INHERIT_SECS: u64 = 600;

/// A claim of a payment that has a row.
pub(super) struct Again {
    /// The payment as this request would record it.
    pub payment: Payment,
    /// Work times of the route.
    pub leases: Leases,
    /// Whether the origin may be asked again after a failure.
    pub idempotent: bool,
    /// Whether the payer's wallet signed for a redelivery.
    pub wallet: bool,
    /// Whether this request has had its re-send.
    pub last: bool,
}

impl Entry {
    /// Whether value moved for this row and nobody received anything: the payer's next authorization for the
    /// same request then counts as his signature, and is never settled.
    #[must_use]
    pub fn awaits_heir(&self, now: UnixTime) -> bool {
        let end = UnixTime::from_secs(self.payment.valid_before).plus(INHERIT_SECS);
        let unfetched = match self.state {
            State::Delivered { .. } => self.sealed && !self.handed,
            State::Settled { .. } => true,
            _ => false,
        };
        unfetched && now < end
    }

    /// The same payment once more.
    pub(super) fn claimed(
        mut self,
        claim: Again,
        refusal: Option<Answer>,
        now: UnixTime,
    ) -> (Self, Answer) {
        let Again { payment: again, leases, idempotent, wallet, last } = claim;
        if again.binding != self.payment.binding {
            return (self, Answer::AlreadyUsed);
        }
        let proven =
            wallet || (self.payment.secret.is_some() && self.payment.secret == again.secret);
        match self.state.clone() {
            State::Executing(_) | State::Settling(_) | State::Delivering { .. } => {
                (self, Answer::InProgress)
            }
            State::Unknown { .. } if last => (self, Answer::Unknown),
            State::Refused { reason, .. } if last => (self, Answer::Refused { reason }),
            State::Unknown { since, sent, resend, .. } => {
                let sender = self.repeat(proven, since, now);
                self.resend(sent, resend, sender, Answer::Unknown, now)
            }
            State::Refused { since, sent, resend, reason } => {
                let sender = self.repeat(proven, since, now);
                self.resend(sent, resend, sender, Answer::Refused { reason }, now)
            }
            State::Settled { transaction, since } => {
                if self.repeat(proven, since, now) == Sender::Stranger {
                    return (self, Answer::AlreadyDelivered);
                }
                self.deliver(transaction, leases, now)
            }
            State::Delivered { transaction } if proven && self.sealed => {
                let transaction = transaction.to_text();
                self.handed = true;
                (self, Answer::Replay { response: String::new(), transaction })
            }
            State::Delivered { .. } => (self, Answer::AlreadyDelivered),
            State::Abandoned if !idempotent => (self, Answer::OriginFailed),
            State::Released | State::Abandoned => {
                if let Some(answer) = refusal {
                    return (self, answer);
                }
                // Nothing was submitted for it: terms of work may be today's, its secret, its receipt's id
                // and its correlation id stay the first.
                let secret = self.payment.secret.take().or(again.secret.clone());
                let receipt = self.payment.receipt.clone();
                let correlation = core::mem::take(&mut self.payment.correlation);
                self.payment = Payment { secret, receipt, correlation, ..again };
                self.leases = leases;
                self.state = begin(self.payment.mode, leases, now);
                let fence = self.grant();
                (self, Answer::Granted { fence })
            }
            State::RefundDue { transaction, since, .. } => {
                let heir = self.repeat(proven, since, now) != Sender::Stranger;
                if !(idempotent && heir) {
                    return (self, Answer::RefundDue);
                }
                self.deliver(transaction, leases, now)
            }
            State::Closed => (self, Answer::OriginFailed),
            State::Void => (self, Answer::Void),
            State::Refunded { .. } | State::Waived { .. } => (self, Answer::Refunded),
            State::Manual { .. } => (self, Answer::UnderReview),
        }
    }

    /// Paid earlier: lets this request ask the origin.
    fn deliver(mut self, transaction: TxHash, leases: Leases, now: UnixTime) -> (Self, Answer) {
        self.leases = leases;
        let fence = self.grant();
        self.state = delivering(transaction, leases, now);
        (self, Answer::Deliver { fence, transaction: transaction.to_text() })
    }

    /// Whether a repeat may receive what nobody received: with the first request's secret, or, where there
    /// was none, while the header can hardly be known from the chain.
    fn repeat(&self, proven: bool, since: UnixTime, now: UnixTime) -> Sender {
        if proven || (self.payment.secret.is_none() && now <= since.plus(RESUME_SECS)) {
            Sender::Heir
        } else {
            Sender::Stranger
        }
    }

    /// Hands out one more send of the same bytes: one at a time, a second apart, while it can be settled.
    fn resend(
        mut self,
        sent: UnixTime,
        on_its_way: Option<Resend>,
        sender: Sender,
        otherwise: Answer,
        now: UnixTime,
    ) -> (Self, Answer) {
        let dead = UnixTime::from_secs(self.payment.valid_before) <= now;
        if on_its_way.is_some() || now < sent.plus(RESEND_GAP_SECS) || dead {
            return (self, otherwise);
        }
        let next = Some(Resend { until: now.plus(self.leases.settling), sender });
        match &mut self.state {
            State::Unknown { sent, resend, .. } | State::Refused { sent, resend, .. } => {
                (*sent, *resend) = (now, next);
            }
            _ => return (self, otherwise),
        }
        let fence = self.grant();
        let answer = self.send_again(fence);
        (self, answer)
    }
}
