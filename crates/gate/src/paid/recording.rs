//! Records: writes to the row, and the steps that follow its reply.

use alloc::boxed::Box;
use alloc::string::String;

use super::claim::Claim;
use super::origin::{Streaming, captured};
use super::settle::{Attempt, Settling};
use super::{Eligibility, Kept, LedgerCall, PaidRequest, Step};
use crate::recorded::brief;
use crate::reply::Reply;
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::problem::Code;
use farebox_ledger::command::{
    Answer, Command, Delivery, Failure, Fate, LedgerReply, Noted, Resend,
};
use farebox_ledger::entry::{Relief, relief};

/// Waits for the answer to a record.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Recording<'g> {
    paid: Box<PaidRequest<'g>>,
    after: AfterRecord,
    /// The same record, to be made once more if its answer is lost.
    again: Option<Box<LedgerCall>>,
}

/// The kind of record, which decides what comes next.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub enum AfterRecord {
    /// The work is over; answer this.
    Over(Abort),
    /// The facilitator suspects that the payment was submitted; the object knows whether that is a
    /// refusal.
    Suspected,
    /// `after`: the response is sealed or about to stream; settle next.
    Sealed,
    /// `before`: the response is stored, or about to stream.
    Stored(Claim),
    /// The outcome of a settle call, made under this claim.
    Outcome(Attempt, Claim),
    /// The chain's verdict.
    Learnt,
    /// A fact about a transaction that the payer has sent; the client gets this code.
    Noted(Noted, Code),
}

/// The end of work without a response of the origin.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub enum Abort {
    /// The end, with this answer.
    Said(Reply),
    /// The authorization ends too early.
    TooLate,
    /// The facilitator refuses, in its words.
    Refused(String),
    /// The facilitator does not answer.
    Down,
    /// The facilitator refuses the gate's key.
    KeyRefused,
}

impl<'g> Recording<'g> {
    /// Records a command; `after` says what comes next.
    pub(super) fn begin(
        mut paid: Box<PaidRequest<'g>>,
        command: Command,
        after: AfterRecord,
    ) -> Step<'g> {
        if let Command::Seal { fence, .. } | Command::Outcome { fence, .. } = &command {
            paid.work.fence = Some(*fence);
        }
        let mut call = paid.call(command);
        call.with_body = matches!(&after, AfterRecord::Sealed | AfterRecord::Stored(_))
            && matches!(&paid.work.response, Some((_, Kept::Whole)));
        // A repeat without proof is told nothing that another one may have got meanwhile.
        let repeats = matches!(&after, AfterRecord::Outcome(..) | AfterRecord::Stored(_))
            && (paid.work.response.is_some() || paid.shown_id().is_some());
        let again = repeats.then(|| Box::new(call.clone()));
        Step::Record(call, Self { paid, after, again })
    }

    /// Ends the work without a response.
    pub(super) fn release(
        paid: Box<PaidRequest<'g>>,
        claim: Claim,
        why: Failure,
        ending: Abort,
    ) -> Step<'g> {
        let fence = claim.fence();
        // Only the same bytes show a signature again that is not checked here.
        let is_checked = paid.checked.signature == SignatureCheck::Verified;
        let brief = is_checked.then(|| brief(&paid.checked.proof.request)).flatten();
        Self::begin(paid, Command::Release { fence, why, brief }, AfterRecord::Over(ending))
    }

    /// Records that the authorization may have been submitted elsewhere: the object knows whether
    /// that is a refusal.
    pub(super) fn suspect(paid: Box<PaidRequest<'g>>, claim: Claim) -> Step<'g> {
        let (fence, why) = (claim.fence(), Failure::Submitted);
        Self::begin(paid, Command::Release { fence, why, brief: None }, AfterRecord::Suspected)
    }

    /// Takes the object's reply, or `None` if it is down.
    pub fn answered(self, reply: Option<impl Into<LedgerReply>>, now: UnixTime) -> Step<'g> {
        if reply.is_none()
            && let Some(call) = self.again
        {
            return Step::Record(*call, Self { again: None, ..self });
        }
        let mut paid = self.paid;
        let reply = reply.map(Into::into);
        paid.failures.streak =
            reply.as_ref().and_then(|reply| reply.tally.clone()).or(paid.failures.streak);
        match (self.after, reply.map(|reply| Claim::of(reply.answer))) {
            // Another request has moved the row on: this one cannot say what became of the payment. Nor
            // is what was sold a debt, if its answer was lost once more.
            (
                AfterRecord::Over(_),
                Some(Err(answer @ (Answer::Stale | Answer::Fate(Fate::InProgress)))),
            ) => paid.ended(&answer, now),
            // Nothing was submitted anywhere, and the row says so: another facilitator may settle.
            (AfterRecord::Over(Abort::Down), Some(_)) if paid.plan.facilitators.len() > 1 => {
                paid.plan.facilitators.remove(0);
                paid.plan.verified = false;
                paid.use_lookups(3);
                paid.ask_ledger()
            }
            // The work ended: the client hears how even if the row could not be updated.
            (AfterRecord::Over(ending), _) => end(&paid, ending, now),
            (AfterRecord::Outcome(attempt, _), Some(Err(Answer::Resend(resend)))) => {
                resolve_doubt(paid, Some((attempt, resend)), Fate::Unknown, now)
            }
            // A refusal is looked up too: a facilitator that broadcasts and then refuses must not
            // make the payer pay twice.
            (
                AfterRecord::Suspected | AfterRecord::Outcome(..),
                Some(Err(Answer::Fate(fate @ (Fate::Unknown | Fate::Refused { .. })))),
            ) => resolve_doubt(paid, None, fate, now),
            (AfterRecord::Suspected, _) => paid.unknown(),
            (AfterRecord::Learnt, Some(Ok(claim))) => captured(paid, claim, now),
            // The row has moved, or is being worked on: the request continues like any repeat.
            (AfterRecord::Learnt, Some(_)) => paid.ask_ledger(),
            (AfterRecord::Learnt, None) => unheard(&paid),
            (AfterRecord::Noted(noted, code), Some(Err(Answer::Absent))) if paid.move_on() => {
                paid.note(noted, code)
            }
            // The row is past that.
            (AfterRecord::Noted(..), Some(Err(Answer::Stale)))
                if paid.checked.eligibility == Eligibility::Withdrawn =>
            {
                paid.unknown()
            }
            (AfterRecord::Noted(..), Some(Err(Answer::Stale))) => paid.resume(),
            (AfterRecord::Noted(Noted::Owed, _), Some(Err(Answer::Recorded))) => {
                paid.answer_for(&Fate::RefundDue, now)
            }
            // The row is being moved to another object, or was made there.
            (AfterRecord::Noted(..), Some(Err(Answer::Fate(fate)))) => paid.answer_for(&fate, now),
            // No row says that the refund is due: the client has to ask again.
            (AfterRecord::Noted(Noted::Owed | Noted::Paid, _), None) => paid.unknown(),
            (AfterRecord::Noted(_, Code::ChainUnavailable), _) => paid.unread(now),
            (AfterRecord::Noted(_, code), _) => paid.refuse(code),
            (AfterRecord::Sealed, Some(Ok(claim))) => Settling::begin(paid, claim),
            // Nothing was submitted; the lease ends the row.
            (AfterRecord::Sealed, None) => paid.refuse(Code::LedgerUnavailable),
            (AfterRecord::Stored(claim), Some(Ok(_))) => Streaming::begin(paid, claim),
            (AfterRecord::Outcome(..), Some(Ok(claim))) => captured(paid, claim, now),
            // Its own response, of which the object has told once more.
            (AfterRecord::Outcome(_, claim), Some(Err(Answer::Replay(_))))
                if paid.work.response.is_some() =>
            {
                captured(paid, claim, now)
            }
            (AfterRecord::Outcome(..), Some(Err(Answer::Replay(replay)))) => {
                paid.replay(&replay.response)
            }
            // Paid, and the work outlasted its lease: the row says that a refund is due.
            (AfterRecord::Stored(_), Some(Err(Answer::Stale))) => {
                let reply = paid.problem(Code::RefundDueTimeout);
                Step::Respond(paid.settlement(reply))
            }
            (
                AfterRecord::Outcome(..) | AfterRecord::Sealed | AfterRecord::Stored(_),
                Some(Err(answer)),
            ) => paid.ended(&answer, now),
            // Money has moved or may have moved, and nobody knows whether the row says so. If it
            // does not, the lease and the alarm finish.
            (AfterRecord::Outcome(..) | AfterRecord::Stored(_), None) => unheard(&paid),
        }
    }
}

/// Answers where the last record of the row was not answered. It may have been carried out, as if
/// this request had been served.
fn unheard<'g>(paid: &PaidRequest<'g>) -> Step<'g> {
    let reply = paid.problem(Code::SettlementUnknown);
    match paid.work.fence {
        Some(fence) => {
            let delivery = Delivery::Unsent;
            let call = paid.call(Command::Fulfil { fence, delivery });
            Step::Leave(reply, Box::new(call))
        }
        None => Step::Respond(reply),
    }
}

/// Continues after a settlement of unknown outcome, or one that was refused: sends it once more
/// if the row says so, then looks it up, then leaves it to the alarm.
fn resolve_doubt<'g>(
    mut paid: Box<PaidRequest<'g>>,
    again: Option<(Attempt, Resend)>,
    fate: Fate,
    now: UnixTime,
) -> Step<'g> {
    match relief(again, paid.may_inquire().then_some(())) {
        Relief::Send((attempt, resend)) => {
            paid.work.transaction = None;
            let claim = Claim::to_resend(&resend);
            Settling::begin_again(paid, claim, &resend, attempt.waited_ms())
        }
        Relief::Look(()) => paid.inquire(fate, now),
        Relief::Leave => paid.answer_for(&fate, now),
    }
}

/// Answers the client when the work is over.
pub(super) fn end<'g>(paid: &PaidRequest<'g>, ending: Abort, now: UnixTime) -> Step<'g> {
    Step::Respond(match ending {
        Abort::Said(reply) => reply,
        Abort::TooLate => paid.too_late(now),
        Abort::Refused(reason) => paid.fresh_terms(Code::VerifyRefused, &reason, now),
        Abort::Down | Abort::KeyRefused => {
            let code = match ending {
                Abort::KeyRefused => Code::NotConfigured,
                _ => Code::FacilitatorUnavailable,
            };
            paid.problem(code).diagnosed(paid.diagnosis(now).as_ref())
        }
    })
}
