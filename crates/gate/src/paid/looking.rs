//! Replies of the ledger to requests that must not begin their payment.

use alloc::boxed::Box;
use core::marker::PhantomData;

use super::parts::HeldMessage;
use super::{Eligibility, Label, PaidRequest, Step};
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_common::problem::Code;
use farebox_ledger::command::{Fate, LedgerReply, LookAnswer, Resumed};

/// Waits for the reply `A` about a payment that this request does not begin.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Waits<'g, A>(Box<PaidRequest<'g>>, PhantomData<A>);

/// Waits for the reply about a payment that this request may continue but not begin.
pub type Resuming<'g> = Waits<'g, Resumed>;

/// Waits for the reply about a payment whose signature is not proven.
pub type Looking<'g> = Waits<'g, LookAnswer>;

impl<'g, A> Waits<'g, A> {
    pub(super) const fn new(paid: Box<PaidRequest<'g>>) -> Self {
        Self(paid, PhantomData)
    }

    /// Answers that the client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.0.refuse(Code::RateLimited)
    }

    /// The payment in the log.
    #[must_use]
    pub fn label(&self) -> Label {
        self.0.label()
    }

    /// Takes the reply to [`LedgerCall::block_query`](crate::call::LedgerCall::block_query).
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.0.saw(reply);
        self
    }
}

impl<'g> Resuming<'g> {
    /// Takes the object's reply, or `None` if it is down.
    pub fn answered(
        self,
        reply: Option<impl Into<LedgerReply<Resumed>>>,
        now: UnixTime,
    ) -> Step<'g> {
        let mut paid = self.0;
        match paid.hear(reply, now) {
            None => paid.refuse(Code::LedgerUnavailable),
            Some(Resumed::Deliver(deliver)) => paid.deliver(deliver, now),
            Some(Resumed::Resend(resend)) => paid.send_again(resend),
            Some(Resumed::Replay(replay)) => paid.play(&replay),
            Some(Resumed::AskOther(rivals)) => paid.ask_other(rivals, HeldMessage::Resume),
            Some(Resumed::Nothing) if !planted(Mutant::BarredStaysHere) && paid.move_on() => {
                paid.resume()
            }
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
        self.0.failures.recalled.is_some()
    }

    /// Takes the object's reply, or `None` if it is down.
    pub fn answered(
        self,
        reply: Option<impl Into<LedgerReply<LookAnswer>>>,
        now: UnixTime,
    ) -> Step<'g> {
        let mut paid = self.0;
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
                paid.verify(None)
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
            Some(LookAnswer::Nothing)
                if !(planted(Mutant::UnprovenStaysHere)
                    && paid.checked.eligibility != Eligibility::Fresh)
                    && paid.move_on() =>
            {
                paid.look_up()
            }
            Some(LookAnswer::Nothing) if paid.failures.recalled.is_some() => paid.unbegun(now),
            // Unknown to the ledger: it must be proven before anything is written. A sent
            // transaction may have moved money, whatever else stands against it, so it is looked
            // for.
            Some(LookAnswer::Nothing)
                if paid.checked.eligibility == Eligibility::Fresh
                    || paid.checked.proof.was_sent()
                        && !planted(Mutant::SentGetsTerms)
                        && (paid.checked.eligibility != Eligibility::Unsigned
                            || planted(Mutant::UnsignedBegins)) =>
            {
                paid.row.place = paid.asked.gate.shards.first();
                paid.verify(None)
            }
            Some(LookAnswer::Nothing) => paid.barred(now),
            Some(LookAnswer::Fate(fate)) => paid.answer_for(&fate, now),
        }
    }
}
