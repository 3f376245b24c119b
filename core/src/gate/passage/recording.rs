//! Records: what is put on record, and what its answer leads to.

use alloc::boxed::Box;
use alloc::string::String;

use super::settle::Turn;
use super::{Arrival, Kept, Passage, Step};
use crate::gate::reply::Reply;
use crate::ledger::command::{Answer, Command, Failure, Fate, Noted, Resend, Told};
use crate::problem::Code;
use crate::time::UnixTime;

/// Waits for the answer to a record.
pub struct Recording<'g> {
    passage: Box<Passage<'g>>,
    after: Filed,
}

/// What was put on record, and so what comes next.
#[derive(Debug)]
pub enum Filed {
    /// The work is over; answer this.
    Over(Ending),
    /// The facilitator doubts; the object knows whether that is a refusal.
    Suspected,
    /// `after`: the response is sealed or about to stream; settle next.
    Sealed,
    /// `before`: the response is stored, or about to stream.
    Stored,
    /// A settle call's outcome.
    Outcome(Turn),
    /// What the chain says.
    Learnt,
    /// What is known of a transaction that the payer has sent; the client reads this code.
    Noted(Noted, Code),
}

/// How work ends without a response of the origin.
#[derive(Debug)]
pub enum Ending {
    /// With this answer.
    Said(Reply),
    /// The authorization leaves no time.
    TooLate,
    /// The facilitator refuses, in its words.
    Refused(String),
    /// The facilitator does not answer.
    Down,
    /// The facilitator refuses the gate's key.
    KeyRefused,
}

impl<'g> Passage<'g> {
    /// Puts something on record; `after` says what comes next.
    pub(super) fn record(self: Box<Self>, command: Command, after: Filed) -> Step<'g> {
        let mut call = self.call(command);
        call.with_body = matches!(&after, Filed::Sealed | Filed::Stored)
            && matches!(&self.response, Some((_, Kept::Whole)));
        Step::Record(call, Recording { passage: self, after })
    }

    /// Ends the work without a response.
    pub(super) fn release(self: Box<Self>, why: Failure, ending: Ending) -> Step<'g> {
        let fence = self.fence;
        self.record(Command::Release { fence, why }, Filed::Over(ending))
    }

    /// Somebody may have submitted the authorization: the object knows whether that is a refusal.
    pub(super) fn suspect(self: Box<Self>) -> Step<'g> {
        let (fence, why) = (self.fence, Failure::Submitted);
        self.record(Command::Release { fence, why }, Filed::Suspected)
    }

    /// What the client reads when the work is over.
    pub(super) fn end(&self, ending: Ending, now: UnixTime) -> Step<'g> {
        Step::Respond(match ending {
            Ending::Said(reply) => reply,
            Ending::TooLate => self.too_late(now),
            Ending::Refused(reason) => self.fresh_terms(Code::VerifyRefused, &reason, now),
            Ending::Down | Ending::KeyRefused => {
                let code = match ending {
                    Ending::KeyRefused => Code::NotConfigured,
                    _ => Code::FacilitatorUnavailable,
                };
                self.problem(code).diagnosed(self.diagnosis(now).as_ref())
            }
        })
    }
}

impl<'g> Recording<'g> {
    /// The object's answer, or none if it is down.
    pub fn answered(self, told: Option<impl Into<Told>>, now: UnixTime) -> Step<'g> {
        let mut passage = self.passage;
        let told = told.map(Into::into);
        passage.tally = told.as_ref().and_then(|told| told.tally.clone()).or(passage.tally);
        match (self.after, told.map(|told| told.answer)) {
            // Somebody else has moved the row on: what became of the payment is not ours to say.
            (Filed::Over(_), Some(answer @ Answer::Stale)) => passage.ended(&answer, now),
            // Nothing was submitted anywhere, and the row says so: somebody else may do it.
            (Filed::Over(Ending::Down), Some(_)) if passage.facilitators.len() > 1 => {
                passage.facilitators.remove(0);
                passage.verified = false;
                passage.spend(3);
                passage.ask_ledger()
            }
            // The work ended: the client hears how even if the row could not be told.
            (Filed::Over(ending), _) => passage.end(ending, now),
            // A refusal is looked up too: who broadcasts and then refuses must not make the payer pay twice.
            (
                Filed::Suspected | Filed::Outcome(_),
                Some(Answer::Fate(fate @ (Fate::Unknown | Fate::Refused { .. }))),
            ) if passage.may_inquire() => passage.inquire(fate, now),
            (Filed::Suspected, _) => passage.unknown(),
            (Filed::Learnt, Some(Answer::Granted { fence })) => {
                passage.fence = fence;
                passage.captured(now)
            }
            // The row has moved, or somebody works on it: it is told like any repeat.
            (Filed::Learnt, Some(_)) => passage.ask_ledger(),
            (Filed::Learnt, None) => passage.unknown(),
            (Filed::Noted(noted, code), Some(Answer::Absent)) if passage.move_on() => {
                passage.note(noted, code)
            }
            // Its row is beyond that.
            (Filed::Noted(..), Some(Answer::Stale)) if passage.arrival == Arrival::Gone => {
                passage.unknown()
            }
            (Filed::Noted(..), Some(Answer::Stale)) => passage.resume(),
            (Filed::Noted(Noted::Owed, _), Some(Answer::Recorded)) => {
                passage.told(&Fate::RefundDue, now)
            }
            // Its row is being moved, or made elsewhere.
            (Filed::Noted(..), Some(Answer::Fate(fate))) => passage.told(&fate, now),
            // No row says that it is owed: it is asked for again.
            (Filed::Noted(Noted::Owed | Noted::Paid, _), None) => passage.unknown(),
            (Filed::Noted(_, Code::ChainUnavailable), _) => passage.unread(now),
            (Filed::Noted(_, code), _) => passage.refuse(code),
            (Filed::Sealed, Some(Answer::Granted { fence })) => {
                passage.fence = fence;
                passage.settle_first()
            }
            // Nothing was submitted; the lease ends the row.
            (Filed::Sealed, None) => passage.refuse(Code::LedgerUnavailable),
            (Filed::Stored, Some(Answer::Granted { .. })) => passage.respond(),
            (Filed::Outcome(_), Some(Answer::Granted { fence })) => {
                passage.fence = fence;
                passage.captured(now)
            }
            (Filed::Outcome(turn), Some(Answer::Resend(resend))) => {
                let Resend { fence, facilitator, request, .. } = resend;
                passage.fence = fence;
                passage.transaction = None;
                let waited = turn.waited_ms();
                passage.settle_again(&facilitator, request, waited)
            }
            (Filed::Outcome(_), Some(Answer::Replay(replay))) => passage.replay(&replay.response),
            // Paid, and the work outlasted its lease: the row says that a refund is due.
            (Filed::Stored, Some(Answer::Stale)) => {
                let reply = passage.problem(Code::RefundDueTimeout);
                Step::Respond(passage.settlement(reply))
            }
            (Filed::Outcome(_) | Filed::Sealed | Filed::Stored, Some(answer)) => {
                passage.ended(&answer, now)
            }
            // Money may have moved or has moved, and no row says so: the lease and the alarm finish.
            (Filed::Outcome(_) | Filed::Stored, None) => passage.refuse(Code::SettlementUnknown),
        }
    }
}
