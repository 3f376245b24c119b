//! A repeat of a payment: its state, and what this request may still receive.

use alloc::string::String;

use super::{Entry, RecoveryLog, begin, delivering};
use crate::command::{
    Answer, Deliver, Fate, Leases, LookAnswer, Mode, Payment, Repeat, Replay, Resumed,
};
use crate::state::{Requester, Resend, State, Undelivered};
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;

/// Seconds after which a public header alone no longer resumes an uncollected result.
pub(super) const RESUME_SECS: u64 = 60;

/// Seconds after `validBefore` in which the payer's next authorization counts as their signature.
const INHERIT_SECS: u64 = 600;

impl Entry {
    /// Whether value moved for this row and no client received the result. The payer's next
    /// authorization for the same request then counts as their signature, and is never settled.
    #[must_use]
    pub fn is_uncollected(&self, now: UnixTime) -> bool {
        let unfetched = matches!(self.state, State::Settled { .. }) || self.waits_for_payer();
        unfetched && now < self.heir_until()
    }

    /// Whether its stored response is paid for and was handed to nobody.
    pub(crate) fn waits_for_payer(&self) -> bool {
        matches!(self.state, State::Delivered { .. }) && self.sealed && !self.handed
    }

    /// The same, handed out as far as it was before: there was no stored response to hand out.
    pub(crate) fn handed_as(mut self, before: &Self) -> Self {
        (self.handed, self.watch.fetched) = (before.handed, before.watch.fetched);
        self
    }

    /// Whether it has waited for its payer until no next authorization counts as a signature for it.
    pub(crate) fn is_left(&self, now: UnixTime) -> bool {
        self.waits_for_payer() && !self.is_uncollected(now)
    }

    /// Until when the payer's next authorization counts as a signature for it.
    #[must_use]
    pub fn heir_until(&self) -> UnixTime {
        self.ends().plus(INHERIT_SECS)
    }

    /// Answers a repeat of the payment by a request that may begin it.
    pub(super) fn claimed(
        mut self,
        again: Repeat,
        refusal: Option<Answer>,
        now: UnixTime,
    ) -> (Self, Answer) {
        let gives_way = self.gives_way_to(&again, now);
        let anew = self.begins_anew(&again.payment);
        // What was made for these terms is settled by the new bytes, and not made once more.
        if anew && self.keeps_response(&again) {
            let proven = self.proves(&again);
            let (charged, mode) = (self.payment.amount.clone(), self.payment.mode);
            self.take_again(*again.payment.clone());
            self.payment.amount = charged;
            // It was made already, also where a payment that begins today is settled first.
            self.payment.mode = mode;
            let (entry, resumed) = self.resumed_by(&again, proven, now);
            return (entry, resumed.into());
        }
        let begins = match self.state {
            _ if gives_way || anew => true,
            State::Released => true,
            State::Abandoned if self.handed => false,
            State::Abandoned => again.idempotent,
            _ => false,
        };
        if !begins || !(self.is_for(&again) || gives_way || anew) {
            let (entry, resumed) = self.resumed(&again, now);
            return (entry, resumed.into());
        }
        if let Some(answer) = refusal {
            return (self, answer);
        }
        if self.is_worn() {
            let secs = self.ends().secs_since(now).max(RESUME_SECS);
            return (self, Answer::TooManyUnpaid { secs });
        }
        // Nothing was submitted for it: its working terms may be today's, while its secret, receipt
        // id and correlation id stay those of the first request. A row that gives way came from
        // another client.
        let keeps = self.is_for(&again) && !gives_way;
        let first = self.payment.secret.clone().filter(|_| keeps);
        let secret = first.or(again.payment.secret.clone());
        self.take_again(Payment { secret, ..*again.payment });
        self.leases = again.leases;
        if anew {
            (self.sealed, self.handed) = (false, false);
            self.watch = RecoveryLog { resends: 0, read: None, ..self.watch };
        }
        self.watch.asked |= self.payment.mode == Mode::Before;
        self.state = begin(self.payment.mode, self.leases, now);
        let fence = self.grant();
        (self, Answer::Granted { fence })
    }

    /// Resumes the payment as far as possible, without beginning anything. What is signed again for
    /// another request, and may begin there, is left to a claim.
    #[must_use]
    pub fn resumed(self, again: &Repeat, now: UnixTime) -> (Self, Resumed) {
        let is_elsewhere = !self.is_for(again);
        if is_elsewhere && self.begins_anew(&again.payment) {
            return (self, Resumed::Nothing);
        }
        let proven = self.proves(again);
        self.resumed_by(again, proven, now)
    }

    /// Resumes it for a request of which it is known whether it has proved itself.
    fn resumed_by(mut self, again: &Repeat, proven: bool, now: UnixTime) -> (Self, Resumed) {
        self.keep_shown(again);
        if let Some(fate) = self.fate(again, proven) {
            return (self, fate.into());
        }
        match self.state.clone() {
            State::Unknown { .. } if self.is_unsent() => (self, Fate::Unknown.into()),
            State::Unknown { since, sent, resend, .. } => {
                let sender = self.sender(again, proven, since, now);
                self.resend(sent, resend, sender, Fate::Unknown, now)
            }
            State::Refused { since, sent, resend, reason } => {
                let sender = self.sender(again, proven, since, now);
                self.resend(sent, resend, sender, refused_as(&reason, resend), now)
            }
            State::Settled { transaction, since } => {
                if self.repeat(proven, since, now) == Requester::UnprovenRepeat {
                    return (self, Fate::AlreadyDelivered.into());
                }
                if !self.has_paid_for(again) {
                    return (self, Fate::AlreadyUsed.into());
                }
                self.deliver(transaction, again.leases, now)
            }
            State::Delivered { transaction }
                if self.sealed && (proven || self.is_first_collection(again, now)) =>
            {
                let transaction = transaction.to_text();
                (self.handed, self.watch.fetched) = (true, true);
                (self, Resumed::Replay(Replay { response: String::new(), transaction }))
            }
            // It paid for less than this.
            State::RefundDue { why: Undelivered::OtherTerms, .. } => (self, Fate::RefundDue.into()),
            // It is being paid back.
            State::RefundDue { refunding: Some(_), .. } => (self, Fate::RefundDue.into()),
            State::RefundDue { transaction, since, .. } => {
                let heir = self.has_paid_for(again)
                    && (proven || self.collects_unproven(again, since, now));
                if !(again.idempotent && heir) || self.is_worn() {
                    return (self, Fate::RefundDue.into());
                }
                self.deliver(transaction, again.leases, now)
            }
            State::Sold { transaction, since } => {
                let heir = self.has_paid_for(again)
                    && (proven || self.collects_unproven(again, since, now));
                if !(again.idempotent && heir) || self.is_worn() {
                    return (self, Fate::AlreadyDelivered.into());
                }
                self.deliver(transaction, again.leases, now)
            }
            State::Closed => self.reopen(again, proven, now),
            State::Delivered { .. } => (self, Fate::AlreadyDelivered.into()),
            State::Executing(_)
            | State::Settling(_)
            | State::Delivering { .. }
            | State::Released
            | State::Abandoned
            | State::Void
            | State::Refunded { .. }
            | State::Waived { .. }
            | State::Manual { .. } => (self, Resumed::Nothing),
        }
    }

    /// Restarts the search for a transaction that is shown again: it may enter a block long after
    /// the last look.
    fn reopen(mut self, again: &Repeat, proven: bool, now: UnixTime) -> (Self, Resumed) {
        let sender = self.sender(again, proven, self.created, now);
        self.state =
            State::Unknown { since: now, transaction: None, sent: self.created, resend: None };
        self.resend(UnixTime::from_secs(0), None, sender, Fate::Unknown, now)
    }

    /// Answers a request whose signature is not proven: the row stays as it is.
    #[must_use]
    pub fn look(&self, again: &Repeat, now: UnixTime) -> LookAnswer {
        match (self.fate(again, self.proves(again)), &self.state) {
            // Signed again: once that is proven, a claim begins it.
            _ if self.begins_anew(&again.payment) => LookAnswer::Nothing,
            // The chain is asked first.
            _ if self.gives_way_to(again, now) && !again.last => LookAnswer::Nothing,
            (Some(fate), _) => LookAnswer::Fate(fate),
            (None, State::Released | State::Abandoned) => LookAnswer::Nothing,
            // Its signature was valid when the row was made, and these are the same bytes or the
            // first request's own.
            (None, _) if self.payment.has_request_of(&again.payment) || self.proves(again) => {
                LookAnswer::Open
            }
            (None, state) => LookAnswer::Fate(match state {
                State::Unknown { .. } | State::Closed => Fate::Unknown,
                State::Refused { reason, resend, .. } => refused_as(reason, *resend),
                State::RefundDue { .. } => Fate::RefundDue,
                _ => Fate::AlreadyDelivered,
            }),
        }
    }

    /// The final state of the payment; `None` if a repeat of this kind can still move it.
    fn fate(&self, again: &Repeat, proven: bool) -> Option<Fate> {
        if !self.is_for(again) {
            return Some(Fate::AlreadyUsed);
        }
        Some(match &self.state {
            State::Executing(_) | State::Settling(_) | State::Delivering { .. } => Fate::InProgress,
            State::Unknown { .. } if again.last => Fate::Unknown,
            State::Refused { reason, resend, .. } if again.last || again.denied => {
                refused_as(reason, *resend)
            }
            State::Delivered { .. } if !self.sealed || (self.handed && !proven) => {
                Fate::AlreadyDelivered
            }
            // It was served, and cost nothing.
            State::Abandoned if self.handed => Fate::AlreadyDelivered,
            State::Abandoned if !again.idempotent => Fate::OriginFailed,
            State::Closed if !self.payment.is_onchain() => Fate::OriginFailed,
            State::Closed if again.last || again.denied => Fate::Unknown,
            State::Void => Fate::Void,
            State::Refunded { .. } | State::Waived { .. } => Fate::Refunded,
            State::Manual { .. } => Fate::UnderReview,
            State::Unknown { .. }
            | State::Refused { .. }
            | State::Settled { .. }
            | State::Delivered { .. }
            | State::Released
            | State::Abandoned
            | State::Closed
            | State::Sold { .. }
            | State::RefundDue { .. } => return None,
        })
    }

    /// Whether the row is for a transaction that a client has named without being served, and the
    /// repeat proves more. Proof is the sender's signature for another request, or, if only notes
    /// have made the row, a claim that the chain has proven. A repeat with the note's own challenge
    /// needs neither, since the row already answers it.
    fn gives_way_to(&self, again: &Repeat, now: UnixTime) -> bool {
        if !self.payment.was_sent_by_payer() || !again.payment.was_sent_by_payer() {
            return false;
        }
        let rests = matches!(
            self.state,
            State::Unknown { resend: None, .. } | State::Settled { .. } | State::Closed
        );
        let is_same = self.is_for(again) && self.proves(again);
        rests && again.wallet && !self.is_for(again)
            || self.is_only_noted(now) && !(rests && is_same)
    }

    /// Whether a repeat asks for what the first use of the payment asked for.
    fn is_for(&self, again: &Repeat) -> bool {
        again.payment.has_terms_of(&self.payment) || self.payment.is_signed_again_by(&again.payment)
    }

    /// Whether a repeat shows the first request's secret, or its payer's signature for a
    /// redelivery.
    pub(crate) fn proves(&self, again: &Repeat) -> bool {
        self.is_proven_by(&again.payment, again.wallet)
    }

    /// Whether a payment, as its request shows it, proves the same.
    pub(crate) fn is_proven_by(&self, again: &Payment, wallet: bool) -> bool {
        let secret = &self.payment.secret;
        wallet
            || (secret.is_some() && *secret == again.secret)
            || self.payment.is_proven_anew_by(again)
    }

    /// Lets this request ask the origin for a payment made earlier.
    fn deliver(mut self, transaction: TxHash, leases: Leases, now: UnixTime) -> (Self, Resumed) {
        self.leases = leases;
        // Whose notice is held back was not told of yet.
        let is_told = self.yields_until().is_none();
        self.watch.owed |= is_told && matches!(self.state, State::RefundDue { .. });
        let fence = self.grant();
        let sold = match self.state {
            State::Sold { since, .. } => Some(since),
            _ => None,
        };
        self.state = delivering(transaction, leases, sold, now);
        let amount = Some(self.payment.amount.clone());
        (self, Resumed::Deliver(Deliver { fence, transaction: transaction.to_text(), amount }))
    }

    /// Whether this repeat may be the first one to receive what was settled after the client had
    /// heard of a doubt.
    fn is_first_collection(&self, again: &Repeat, now: UnixTime) -> bool {
        !self.handed && self.collects_unproven(again, self.created, now)
    }

    /// Whether a repeat without proof may receive what was settled at a time that nobody knows
    /// here. A payer on an EVM chain signs for it instead, which no reader of the chain can; on
    /// other chains no signature of the payer is read here.
    fn collects_unproven(&self, again: &Repeat, since: UnixTime, now: UnixTime) -> bool {
        !again.payment.names_signer() && self.repeat(false, since, now) == Requester::ProvenRepeat
    }

    /// Whether the origin may be asked for what this repeat asks: for the question that was priced,
    /// or at the terms that were paid if they hold for its own question, too. What is stored is
    /// handed out without: it is what was paid for.
    fn has_paid_for(&self, again: &Repeat) -> bool {
        self.payment.has_question_of(&again.payment)
            || again.priced && self.payment.has_terms_of(&again.payment)
    }

    /// Decides what the repeat that sends a payment once more may receive for it. Where the origin
    /// is asked afterwards, that is nothing of another price.
    fn sender(&self, again: &Repeat, proven: bool, since: UnixTime, now: UnixTime) -> Requester {
        match self.payment.mode {
            Mode::Before if !self.has_paid_for(again) => Requester::UnprovenRepeat,
            _ => self.repeat(proven, since, now),
        }
    }

    /// Decides whether a repeat may receive an uncollected result: with the first request's secret
    /// or, if there was none, while the header is unlikely to be known from the chain.
    fn repeat(&self, proven: bool, since: UnixTime, now: UnixTime) -> Requester {
        if proven || (self.payment.secret.is_none() && now <= since.plus(RESUME_SECS)) {
            Requester::ProvenRepeat
        } else {
            Requester::UnprovenRepeat
        }
    }
}

/// The fate of a payment that was refused: not known while it is being sent again.
fn refused_as(reason: &str, resend: Option<Resend>) -> Fate {
    match resend {
        Some(_) => Fate::InProgress,
        _ => Fate::Refused { reason: reason.into() },
    }
}

impl From<Resumed> for Answer {
    fn from(resumed: Resumed) -> Self {
        match resumed {
            // A claim begins the payment when there is nothing to resume, so this is unreachable.
            Resumed::Nothing => Self::Fate(Fate::OriginFailed),
            Resumed::Deliver(deliver) => Self::Deliver(deliver),
            Resumed::Resend(resend) => Self::Resend(resend),
            Resumed::Replay(replay) => Self::Replay(replay),
            Resumed::AskOther(rivals) => Self::AskOther(rivals),
            Resumed::Fate(fate) => Self::Fate(fate),
        }
    }
}
