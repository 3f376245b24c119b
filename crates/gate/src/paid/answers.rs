//! Replies of the ledger: the client hears the state of its payment, gets the stored response, or
//! the work goes on.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::claim::Claim;
use super::origin::{Forwarding, charged_in, taken_out};
use super::parts::{HeldMessage, Unheard};
use super::replies::Looking;
use super::settle::Settling;
use super::statements::failure_of;
use super::{Eligibility, PaidRequest, Payments, Step};
use crate::diagnose::Failures;
use crate::recorded::FirstSight;
use crate::reply::{Body, Reply, finish_paid};
use crate::unpaid::{UnpaidCall, UnpaidRequests};
use farebox_base::amount::Amount;
use farebox_base::http::ResponseHead;
use farebox_base::time::UnixTime;
use farebox_common::payment::{Cause, TransferMethod};
use farebox_common::problem::Code;
use farebox_ledger::attempts::FailureCause;
use farebox_ledger::command::{
    Answer, Deliver, Fate, LedgerReply, LookAnswer, Question, Replay, Resend, Rivals, Role,
};

/// Seconds after `validBefore` in which a settlement may still be unknown.
const CHARGE_MARGIN_SECS: u64 = 60;

impl<'g> PaidRequest<'g> {
    /// Serves a stored response to a repeat that has proved itself.
    pub(super) fn replay(&mut self, response: &str) -> Step<'g> {
        let Some(mut head) = ResponseHead::from_text(response) else {
            return self.refuse(Code::Internal);
        };
        if let Some(served) = taken_out(&mut head) {
            self.work.served = served;
        }
        self.work.charged = charged_in(&mut head);
        finish_paid(&mut head, &self.asked.request.correlation);
        let mut reply = Reply::new(head, Body::Held).with("payment-replayed", "true");
        reply.marks.served = true;
        Step::Respond(self.settlement_served(reply))
    }

    /// Answers when the payment is unknown to the ledger and is not begun: with the refusal, if
    /// there was one.
    pub(super) fn unbegun(&self, now: UnixTime) -> Step<'g> {
        match &self.failures.recalled {
            Some(reason) => Step::Respond(self.fresh_terms(Code::VerifyRefused, reason, now)),
            None => self.barred(now),
        }
    }

    /// Answers when the payment is unknown to the ledger and this request may not begin it.
    pub(super) fn barred(&self, now: UnixTime) -> Step<'g> {
        match self.checked.eligibility {
            Eligibility::Fresh | Eligibility::Expired => Step::Respond(self.too_late(now)),
            // The ledger may have forgotten it: a payer who signs anew could pay twice.
            Eligibility::Closed if self.may_move(now) => self.unknown(),
            Eligibility::Closed => Step::Respond(self.too_late(now)),
            Eligibility::Denied => self.refuse(Code::PayerDenied),
            Eligibility::Unsigned => {
                let code = Code::InvalidChallenge;
                Step::Respond(self.fresh_terms(code, code.name(), now))
            }
            Eligibility::Withdrawn => self.refuse(Code::NotFound),
            Eligibility::PriceUnknown => self.refuse(Code::PriceUnavailable),
            Eligibility::TermsChanged(code) => {
                let reason = code.row().reason.unwrap_or_default();
                Step::Respond(self.fresh_terms(code, reason, now))
            }
            Eligibility::NowFree => {
                let request = self.asked.request.clone();
                let Payments { origin, keys, .. } = self.asked.parts;
                let UnpaidCall { call, unpaid } =
                    UnpaidRequests { origin, keys }.waive(&self.asked.offer, request, now);
                Step::Pass(call, unpaid)
            }
        }
    }

    /// Whether the payment may still be charged, or has been lately.
    fn may_move(&self, now: UnixTime) -> bool {
        now < self.checked.proof.valid_before.plus(CHARGE_MARGIN_SECS)
    }

    /// Answers when the payment is in a state that this request cannot change.
    pub(super) fn answer_for(&self, fate: &Fate, now: UnixTime) -> Step<'g> {
        let replayed =
            |reason: &str| FailureCause { cause: Cause::Replayed, reason: reason.into() };
        let code = match fate {
            Fate::InProgress => Code::PaymentInProgress,
            Fate::Unknown => Code::SettlementUnknown,
            Fate::Unresolved => Code::PaymentUnresolved,
            Fate::Refused { reason } => {
                let failures = Failures::payers(self.failures.streak.as_ref());
                let diagnosis = self.diagnosis_of(&failure_of(reason), failures, now);
                let reply = self.problem(Code::SettlementRefused).diagnosed(diagnosis.as_ref());
                return Step::Respond(self.settlement_refused(reply, reason));
            }
            Fate::AlreadyUsed | Fate::AlreadyDelivered => {
                let code = match fate {
                    Fate::AlreadyUsed => Code::PaymentAlreadyUsed,
                    _ => Code::PaymentAlreadyDelivered,
                };
                let reply = |diagnosis: Option<&_>| self.problem(code).diagnosed(diagnosis);
                return Step::Respond(self.counted_for_client(&replayed(code.name()), now, reply));
            }
            Fate::OriginFailed => {
                let reply = self.problem(Code::OriginFailed);
                return Step::Respond(reply.with_status(
                    409,
                    &self.asked.request.correlation,
                    self.shown_id(),
                ));
            }
            Fate::RefundDue => {
                let reply = self.problem(Code::RefundDueRepeat);
                return Step::Respond(self.settlement(reply));
            }
            Fate::Refunded => Code::Refunded,
            Fate::Void => {
                let failure =
                    self.failures.latest.clone().unwrap_or_else(|| replayed("authorization_void"));
                let code = Code::PaymentRequired;
                let reason = code.row().reason.unwrap_or_default();
                let reply = |diagnosis: Option<&_>| self.terms(code, reason, diagnosis, now);
                return Step::Respond(self.counted_for_client(&failure, now, reply));
            }
            Fate::UnderReview => Code::UnderReview,
        };
        self.refuse(code)
    }

    /// Answers when the ledger's answer leaves the request with nothing further to do.
    pub(super) fn ended(&self, answer: &Answer, now: UnixTime) -> Step<'g> {
        self.refuse(match answer {
            Answer::Fate(fate) => return self.answer_for(fate, now),
            Answer::TooManyUnpaid { secs } => {
                let reply = self.problem(Code::TooManyUnpaid);
                return Step::Respond(reply.with("retry-after", &secs.to_string()));
            }
            Answer::Stale => Code::SettlementUnknown,
            Answer::TooManyInFlight => Code::TooManyInFlight,
            Answer::Full => Code::LedgerFull,
            Answer::NoRoom => Code::LedgerNoRoom,
            Answer::Granted { .. }
            | Answer::Deliver(_)
            | Answer::Resend(_)
            | Answer::Replay(_)
            | Answer::Recorded
            | Answer::Absent
            | Answer::AskOther(_)
            | Answer::Unsupported => Code::LedgerUnavailable,
        })
    }

    /// Keeps what every reply of the ledger carries beside its answer: the row's receipt id, and
    /// the payer's failures in a row.
    pub(super) fn hear<A>(
        &mut self,
        reply: Option<impl Into<LedgerReply<A>>>,
        now: UnixTime,
    ) -> Option<A> {
        self.work.served = now;
        self.row.claimed = true;
        let LedgerReply { answer, receipt, proven, tally, held } = reply?.into();
        if let Some(held) = held {
            // Only the row knows what else its chain may show.
            self.chain.inquired = true;
            self.row.held = Amount::from_atomic(&held).ok();
        }
        self.row.proven |= proven;
        self.failures.streak = tally.or(self.failures.streak.take());
        if let Some(receipt) = receipt {
            self.row.receipt = receipt;
        }
        Some(answer)
    }

    /// Delivers a payment that was paid earlier and not delivered: the origin is asked now. What has
    /// moved stays what is charged, whatever the origin counts this time.
    pub(super) fn deliver(mut self: Box<Self>, deliver: Deliver, now: UnixTime) -> Step<'g> {
        self.work.transaction = self.named(&deliver.transaction);
        // By what was signed, not by whether the route counts units today.
        let token = self.asked.choice.terms.token.as_ref();
        let is_most = token.is_some_and(|it| matches!(it.method, TransferMethod::Upto(_)));
        if is_most {
            let moved = deliver.amount.as_deref().map(Amount::from_atomic);
            self.work.charged = moved.and_then(Result::ok);
        }
        Forwarding::begin(self, Claim::to_deliver(&deliver), now)
    }

    /// Sends the recorded request to its facilitator once more.
    pub(super) fn send_again(mut self: Box<Self>, resend: Resend) -> Step<'g> {
        let claim = Claim::to_resend(&resend);
        let Resend { seen_at, seen_block, .. } = resend;
        self.row.first_sight = FirstSight { at: UnixTime::from_secs(seen_at), block: seen_block };
        Settling::begin_again(self, claim, &resend, 0)
    }

    /// Serves the stored response.
    pub(super) fn play(mut self: Box<Self>, Replay { response, transaction }: &Replay) -> Step<'g> {
        self.work.transaction = self.named(transaction);
        self.replay(response)
    }

    /// Switches to the new ledger object while the number of objects changes; `false` unless the
    /// old one was asked before.
    pub(super) fn move_on(&mut self) -> bool {
        let moves = self.row.place.1.is_old();
        if moves {
            self.row.place = (self.asked.parts.shards.count, Role::New);
        }
        moves
    }

    /// Asks the other object of a change whether another payment stands in the way of one that the
    /// object asked before knows.
    pub(super) fn ask_other(mut self: Box<Self>, rivals: Rivals, message: HeldMessage) -> Step<'g> {
        let (here, old) = (self.row.place, self.asked.parts.shards.first());
        let (other, cleared) = match here.1 {
            Role::Old | Role::Past => {
                ((self.asked.parts.shards.count, Role::New), Role::OldCleared)
            }
            Role::New if old.1.is_old() => (old, Role::NewCleared),
            _ => return self.refuse(Code::LedgerUnavailable),
        };
        self.row.unheard = Some(Unheard { message, place: (here.0, cleared) });
        self.row.place = other;
        let call = self.asking(Question::Rivals(rivals), None, None);
        Step::Look(call, Looking::new(self, 0))
    }

    /// Takes what the other object has said, and goes on if nothing stands in the way.
    pub(super) fn heard(
        mut self: Box<Self>,
        unheard: Unheard,
        answer: &LookAnswer,
        now: UnixTime,
    ) -> Step<'g> {
        match answer {
            LookAnswer::Nothing => {}
            LookAnswer::Fate(fate) => return self.answer_for(fate, now),
            LookAnswer::Open => return self.refuse(Code::LedgerUnavailable),
        }
        self.row.place = unheard.place;
        match unheard.message {
            HeldMessage::Claim => self.claim(0),
            HeldMessage::Resume => self.resume(),
        }
    }
}
