//! Replies of the ledger about a payment: to a claim, which begins it, and to requests that must not
//! begin it.

use alloc::boxed::Box;
use core::marker::PhantomData;

use super::claim::Claim;
use super::parts::HeldMessage;
use super::recording::{Abort, Recording};
use super::settle::{Verifying, go_on};
use super::{Eligibility, Label, PaidRequest, Step};
use crate::onchain::HASH_SECS;
use farebox_base::time::UnixTime;
use farebox_common::problem::Code;
use farebox_ledger::command::{
    Answer, Failure, Fate, LedgerReply, LookAnswer, Mode, Noted, Resumed,
};
use farebox_wire::facilitator::funds::Debit;

/// Claims after the first one while too much is in flight: 4 × 500 ms let the client wait up to 2
/// seconds.
const RETRIES: u32 = 4;

/// Waits for the reply `A` about a payment.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Waits<'g, A> {
    paid: Box<PaidRequest<'g>>,
    /// Claims that went before.
    tries: u32,
    reply: PhantomData<A>,
}

/// Waits for the answer to a claim.
pub type Claiming<'g> = Waits<'g, Answer>;

/// Waits for the reply about a payment that this request may continue but not begin.
pub type Resuming<'g> = Waits<'g, Resumed>;

/// Waits for the reply about a payment whose signature is not proven.
pub type Looking<'g> = Waits<'g, LookAnswer>;

impl<'g, A> Waits<'g, A> {
    pub(super) const fn new(paid: Box<PaidRequest<'g>>, tries: u32) -> Self {
        Self { paid, tries, reply: PhantomData }
    }

    /// Answers that the client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.paid.refuse(Code::RateLimited)
    }

    /// The payment in the log.
    #[must_use]
    pub fn label(&self) -> Label {
        self.paid.label()
    }

    /// Takes the reply to [`LedgerCall::block_query`](crate::call::LedgerCall::block_query): the
    /// newest block when the object was asked.
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.paid.saw(reply);
        self
    }
}

impl<'g> Claiming<'g> {
    /// Wallet and amount of the payment, so that the edge can check whether the wallet is known to
    /// be short; `None` once the object was asked, or if the chain settles.
    #[must_use]
    pub fn draft(&self) -> Option<Debit> {
        let paid = &self.paid;
        (!paid.row.claimed && paid.checked.proof.onchain.is_none()).then(|| paid.draft())
    }

    /// Ends the claim because the wallet was found short a moment ago: no payment begins and no row
    /// is written, but a payment made earlier is still served.
    pub fn recalled(self, reason: &str) -> Step<'g> {
        let mut paid = self.paid;
        paid.failed_because(reason);
        paid.failures.recalled = Some(reason.into());
        paid.resume()
    }

    /// Takes the object's reply, or `None` if it is down. A [`LedgerReply`] that names the row's
    /// receipt id sets it for every answer to the client and for the origin; without one, the id is
    /// derived from today's secret.
    pub fn answered(self, reply: Option<impl Into<LedgerReply>>, now: UnixTime) -> Step<'g> {
        let mut paid = self.paid;
        match paid.hear(reply, now).map(Claim::of) {
            None => paid.refuse(Code::LedgerUnavailable),
            Some(Ok(claim)) => {
                paid.row.owner = true;
                // From now on it is for what this request shows.
                paid.row.held = None;
                paid.row.first_sight.at = now;
                // Begun again: first sight was earlier, and only the row knows when. A repeat or
                // the alarm looks it up.
                paid.chain.inquired |= !claim.is_first();
                let verifies = paid.plan.mode == Mode::After || paid.asked.choice.verifies_first;
                match paid.has_room(now) {
                    false => Recording::release(paid, claim, Failure::NothingRan, Abort::TooLate),
                    true if verifies && !paid.plan.verified => Verifying::begin(paid, Some(claim)),
                    true => go_on(paid, claim, now),
                }
            }
            Some(Err(Answer::Deliver(deliver))) => paid.deliver(deliver, now),
            Some(Err(Answer::Resend(resend))) => paid.send_again(resend),
            Some(Err(Answer::Replay(replay))) => paid.play(&replay),
            Some(Err(Answer::Absent)) if paid.move_on() => paid.claim(0),
            Some(Err(Answer::AskOther(rivals))) => paid.ask_other(rivals, HeldMessage::Claim),
            Some(Err(Answer::TooManyInFlight)) if self.tries < RETRIES => {
                paid.claim(self.tries.saturating_add(1))
            }
            // Paid, but the limits leave no room to serve it now: it is recorded and waits to be
            // fetched.
            Some(Err(answer @ (Answer::TooManyInFlight | Answer::Full)))
                if paid.checked.proof.was_sent() =>
            {
                let full = answer == Answer::Full;
                let code = if full { Code::LedgerFull } else { Code::TooManyInFlight };
                paid.note(Noted::Paid, code)
            }
            Some(Err(answer)) => paid.ended(&answer, now),
        }
    }
}

impl<'g> Resuming<'g> {
    /// Takes the object's reply, or `None` if it is down.
    pub fn answered(
        self,
        reply: Option<impl Into<LedgerReply<Resumed>>>,
        now: UnixTime,
    ) -> Step<'g> {
        let mut paid = self.paid;
        match paid.hear(reply, now) {
            None => paid.refuse(Code::LedgerUnavailable),
            Some(Resumed::Deliver(deliver)) => paid.deliver(deliver, now),
            Some(Resumed::Resend(resend)) => paid.send_again(resend),
            Some(Resumed::Replay(replay)) => paid.play(&replay),
            Some(Resumed::AskOther(rivals)) => paid.ask_other(rivals, HeldMessage::Resume),
            Some(Resumed::Nothing) if paid.move_on() => paid.resume(),
            Some(Resumed::Nothing) => paid.unbegun(now),
            Some(Resumed::Fate(Fate::Unresolved))
                if paid.checked.eligibility == Eligibility::Denied =>
            {
                paid.barred(now)
            }
            // There are no terms to offer.
            Some(Resumed::Fate(Fate::Void))
                if matches!(
                    paid.checked.eligibility,
                    Eligibility::PriceUnknown | Eligibility::NowFree
                ) =>
            {
                paid.barred(now)
            }
            Some(Resumed::Fate(fate)) => paid.answer_for(&fate, now),
        }
    }
}

impl<'g> Looking<'g> {
    /// Whether the payment was refused, and its ledger object is asked once more.
    pub(super) const fn is_after_refusal(&self) -> bool {
        self.paid.failures.recalled.is_some()
    }

    /// Takes the object's reply, or `None` if it is down.
    pub fn answered(
        self,
        reply: Option<impl Into<LedgerReply<LookAnswer>>>,
        now: UnixTime,
    ) -> Step<'g> {
        let mut paid = self.paid;
        match paid.hear(reply, now) {
            None => paid.refuse(Code::LedgerUnavailable),
            Some(answer) if let Some(unheard) = paid.row.unheard.take() => {
                paid.heard(unheard, &answer, now)
            }
            // A payer who may not be served, or not any more, is owed whatever moves.
            Some(LookAnswer::Open)
                if matches!(
                    paid.checked.eligibility,
                    Eligibility::Denied | Eligibility::Withdrawn
                ) && paid.checked.proof.was_sent() =>
            {
                Verifying::begin(paid, None)
            }
            // There is nothing to deliver, and the row says what becomes of the payment.
            Some(LookAnswer::Open)
                if matches!(
                    paid.checked.eligibility,
                    Eligibility::Withdrawn | Eligibility::Unsigned
                ) =>
            {
                paid.unknown()
            }
            // Its signature held once, or the request knows the secret of the first.
            Some(LookAnswer::Open) => paid.resume(),
            Some(LookAnswer::Nothing) if paid.move_on() => paid.look_up(),
            Some(LookAnswer::Nothing) if paid.failures.recalled.is_some() => paid.unbegun(now),
            // A hash has no end: what paid by it may have gone from the ledger.
            Some(LookAnswer::Nothing)
                if paid.checked.proof.is_sent_before(now.minus(HASH_SECS))
                    && paid.checked.eligibility != Eligibility::Unsigned =>
            {
                paid.refuse(Code::UnderReview)
            }
            // Unknown to the ledger: it must be proven before anything is written. A sent
            // transaction may have moved money, whatever else stands against it, so it is looked
            // for.
            Some(LookAnswer::Nothing)
                if paid.checked.eligibility == Eligibility::Fresh
                    || paid.checked.proof.was_sent()
                        && paid.checked.eligibility != Eligibility::Unsigned =>
            {
                paid.row.place = paid.asked.parts.shards.first();
                Verifying::begin(paid, None)
            }
            Some(LookAnswer::Nothing) => paid.barred(now),
            Some(LookAnswer::Fate(fate)) => paid.answer_for(&fate, now),
        }
    }
}
