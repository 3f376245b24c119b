//! The answers to what a request may ask that must not begin its payment.

use alloc::boxed::Box;
use alloc::string::String;

use super::{Arrival, Passage, Step, first_place};
use crate::ledger::command::{Fate, Resumed, Seen as Sight, Told};
use crate::mutant::{Mutant, planted};
use crate::problem::Code;
use crate::time::UnixTime;

/// Waits for what is left of a payment that this request may not begin.
pub struct Resuming<'g>(pub(super) Box<Passage<'g>>);

/// Waits for what became of a payment whose signature is not proven.
pub struct Looking<'g>(pub(super) Box<Passage<'g>>);

impl<'g> Resuming<'g> {
    /// The client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.0.refuse(Code::RateLimited)
    }

    /// For the log: the payment key's prefix and the route.
    #[must_use]
    pub fn label(&self) -> (String, String) {
        self.0.label()
    }

    /// The reply to `Call::beside`.
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.0.saw(reply);
        self
    }

    /// The object's answer, or none if it is down.
    pub fn answered(self, told: Option<impl Into<Told<Resumed>>>, now: UnixTime) -> Step<'g> {
        let mut passage = self.0;
        match passage.hear(told, now) {
            None => passage.refuse(Code::LedgerUnavailable),
            Some(Resumed::Deliver(deliver)) => passage.deliver(deliver, now),
            Some(Resumed::Resend(resend)) => passage.send_again(resend),
            Some(Resumed::Replay(replay)) => passage.play(&replay),
            Some(Resumed::Nothing) if passage.move_on() => passage.resume(),
            Some(Resumed::Nothing) => passage.unbegun(now),
            Some(Resumed::Fate(Fate::Unresolved)) if passage.arrival == Arrival::Denied => {
                passage.barred(now)
            }
            // There are no terms to put up.
            Some(Resumed::Fate(Fate::Void))
                if matches!(passage.arrival, Arrival::Unpriced | Arrival::Waived) =>
            {
                passage.barred(now)
            }
            Some(Resumed::Fate(fate)) => passage.told(&fate, now),
        }
    }
}

impl<'g> Looking<'g> {
    /// Whether the payment was refused, and its ledger object is asked once more.
    pub(super) const fn is_after_refusal(&self) -> bool {
        self.0.recalled.is_some()
    }

    /// The client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.0.refuse(Code::RateLimited)
    }

    /// For the log: the payment key's prefix and the route.
    #[must_use]
    pub fn label(&self) -> (String, String) {
        self.0.label()
    }

    /// The reply to `Call::beside`.
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.0.saw(reply);
        self
    }

    /// The object's answer, or none if it is down.
    pub fn answered(self, told: Option<impl Into<Told<Sight>>>, now: UnixTime) -> Step<'g> {
        let mut passage = self.0;
        match passage.hear(told, now) {
            None => passage.refuse(Code::LedgerUnavailable),
            // Who may not be served, or not any more, is owed what moves.
            Some(Sight::Open)
                if matches!(passage.arrival, Arrival::Denied | Arrival::Gone)
                    && passage.proof.was_sent() =>
            {
                passage.verify()
            }
            // There is nothing to deliver, and its row says what becomes of it.
            Some(Sight::Open) if passage.arrival == Arrival::Gone => passage.unknown(),
            // Its signature held once, or the request knows the secret of the first.
            Some(Sight::Open) => passage.resume(),
            Some(Sight::Nothing) if passage.move_on() => passage.look_up(),
            Some(Sight::Nothing) if passage.recalled.is_some() => passage.unbegun(now),
            // Not known: it has to be proven before anything is written.
            // The money may have moved, whatever else stands against it: it is looked for.
            Some(Sight::Nothing)
                if passage.arrival == Arrival::InTime
                    || passage.proof.was_sent() && !planted(Mutant::SentGetsTerms) =>
            {
                passage.place = first_place(passage.gate);
                passage.verify()
            }
            Some(Sight::Nothing) => passage.barred(now),
            Some(Sight::Fate(fate)) => passage.told(&fate, now),
        }
    }
}
