//! Records: what is put on record, and what its answer leads to.

use alloc::boxed::Box;
use alloc::string::String;

use super::settle::Attempt;
use super::{Eligibility, Kept, PaidRequest, Step};
use crate::gate::reply::Reply;
use crate::ledger::command::{Answer, Command, Failure, Fate, LedgerReply, Noted, Resend};
use crate::problem::Code;
use crate::time::UnixTime;

/// Waits for the answer to a record.
pub struct Recording<'g> {
    paid: Box<PaidRequest<'g>>,
    after: AfterRecord,
}

/// What was put on record, and so what comes next.
#[derive(Debug)]
pub enum AfterRecord {
    /// The work is over; answer this.
    Over(Abort),
    /// The facilitator doubts; the object knows whether that is a refusal.
    Suspected,
    /// `after`: the response is sealed or about to stream; settle next.
    Sealed,
    /// `before`: the response is stored, or about to stream.
    Stored,
    /// A settle call's outcome.
    Outcome(Attempt),
    /// What the chain says.
    Learnt,
    /// What is known of a transaction that the payer has sent; the client reads this code.
    Noted(Noted, Code),
}

/// How work ends without a response of the origin.
#[derive(Debug)]
pub enum Abort {
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

impl<'g> PaidRequest<'g> {
    /// Puts something on record; `after` says what comes next.
    pub(super) fn record(self: Box<Self>, command: Command, after: AfterRecord) -> Step<'g> {
        let mut call = self.call(command);
        call.with_body = matches!(&after, AfterRecord::Sealed | AfterRecord::Stored)
            && matches!(&self.response, Some((_, Kept::Whole)));
        Step::Record(call, Recording { paid: self, after })
    }

    /// Ends the work without a response.
    pub(super) fn release(self: Box<Self>, why: Failure, ending: Abort) -> Step<'g> {
        let fence = self.fence;
        self.record(Command::Release { fence, why }, AfterRecord::Over(ending))
    }

    /// Somebody may have submitted the authorization: the object knows whether that is a refusal.
    pub(super) fn suspect(self: Box<Self>) -> Step<'g> {
        let (fence, why) = (self.fence, Failure::Submitted);
        self.record(Command::Release { fence, why }, AfterRecord::Suspected)
    }

    /// What the client reads when the work is over.
    pub(super) fn end(&self, ending: Abort, now: UnixTime) -> Step<'g> {
        Step::Respond(match ending {
            Abort::Said(reply) => reply,
            Abort::TooLate => self.too_late(now),
            Abort::Refused(reason) => self.fresh_terms(Code::VerifyRefused, &reason, now),
            Abort::Down | Abort::KeyRefused => {
                let code = match ending {
                    Abort::KeyRefused => Code::NotConfigured,
                    _ => Code::FacilitatorUnavailable,
                };
                self.problem(code).diagnosed(self.diagnosis(now).as_ref())
            }
        })
    }
}

impl<'g> Recording<'g> {
    /// The object's answer, or none if it is down.
    pub fn answered(self, told: Option<impl Into<LedgerReply>>, now: UnixTime) -> Step<'g> {
        let mut paid = self.paid;
        let told = told.map(Into::into);
        paid.tally = told.as_ref().and_then(|told| told.tally.clone()).or(paid.tally);
        match (self.after, told.map(|told| told.answer)) {
            // Somebody else has moved the row on: what became of the payment is not ours to say.
            (AfterRecord::Over(_), Some(answer @ Answer::Stale)) => paid.ended(&answer, now),
            // Nothing was submitted anywhere, and the row says so: somebody else may do it.
            (AfterRecord::Over(Abort::Down), Some(_)) if paid.facilitators.len() > 1 => {
                paid.facilitators.remove(0);
                paid.verified = false;
                paid.use_lookups(3);
                paid.ask_ledger()
            }
            // The work ended: the client hears how even if the row could not be told.
            (AfterRecord::Over(ending), _) => paid.end(ending, now),
            // A refusal is looked up too: who broadcasts and then refuses must not make the payer pay twice.
            (
                AfterRecord::Suspected | AfterRecord::Outcome(_),
                Some(Answer::Fate(fate @ (Fate::Unknown | Fate::Refused { .. }))),
            ) if paid.may_inquire() => paid.inquire(fate, now),
            (AfterRecord::Suspected, _) => paid.unknown(),
            (AfterRecord::Learnt, Some(Answer::Granted { fence })) => {
                paid.fence = fence;
                paid.captured(now)
            }
            // The row has moved, or somebody works on it: it is told like any repeat.
            (AfterRecord::Learnt, Some(_)) => paid.ask_ledger(),
            (AfterRecord::Learnt, None) => paid.unknown(),
            (AfterRecord::Noted(noted, code), Some(Answer::Absent)) if paid.move_on() => {
                paid.note(noted, code)
            }
            // Its row is beyond that.
            (AfterRecord::Noted(..), Some(Answer::Stale))
                if paid.eligibility == Eligibility::Withdrawn =>
            {
                paid.unknown()
            }
            (AfterRecord::Noted(..), Some(Answer::Stale)) => paid.resume(),
            (AfterRecord::Noted(Noted::Owed, _), Some(Answer::Recorded)) => {
                paid.told(&Fate::RefundDue, now)
            }
            // Its row is being moved, or made elsewhere.
            (AfterRecord::Noted(..), Some(Answer::Fate(fate))) => paid.told(&fate, now),
            // No row says that it is owed: it is asked for again.
            (AfterRecord::Noted(Noted::Owed | Noted::Paid, _), None) => paid.unknown(),
            (AfterRecord::Noted(_, Code::ChainUnavailable), _) => paid.unread(now),
            (AfterRecord::Noted(_, code), _) => paid.refuse(code),
            (AfterRecord::Sealed, Some(Answer::Granted { fence })) => {
                paid.fence = fence;
                paid.settle_first()
            }
            // Nothing was submitted; the lease ends the row.
            (AfterRecord::Sealed, None) => paid.refuse(Code::LedgerUnavailable),
            (AfterRecord::Stored, Some(Answer::Granted { .. })) => paid.respond(),
            (AfterRecord::Outcome(_), Some(Answer::Granted { fence })) => {
                paid.fence = fence;
                paid.captured(now)
            }
            (AfterRecord::Outcome(turn), Some(Answer::Resend(resend))) => {
                let Resend { fence, facilitator, request, .. } = resend;
                paid.fence = fence;
                paid.transaction = None;
                let waited = turn.waited_ms();
                paid.settle_again(&facilitator, request, waited)
            }
            (AfterRecord::Outcome(_), Some(Answer::Replay(replay))) => {
                paid.replay(&replay.response)
            }
            // Paid, and the work outlasted its lease: the row says that a refund is due.
            (AfterRecord::Stored, Some(Answer::Stale)) => {
                let reply = paid.problem(Code::RefundDueTimeout);
                Step::Respond(paid.settlement(reply))
            }
            (AfterRecord::Outcome(_) | AfterRecord::Sealed | AfterRecord::Stored, Some(answer)) => {
                paid.ended(&answer, now)
            }
            // Money may have moved or has moved, and no row says so: the lease and the alarm finish.
            (AfterRecord::Outcome(_) | AfterRecord::Stored, None) => {
                paid.refuse(Code::SettlementUnknown)
            }
        }
    }
}
