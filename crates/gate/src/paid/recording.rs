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
        if let Command::Seal { fence, .. }
        | Command::Outcome { fence, .. }
        | Command::Release { fence, .. } = &command
        {
            paid.work.fence = Some(*fence);
        }
        let mut call = paid.call(command);
        call.with_body = matches!(&after, AfterRecord::Sealed | AfterRecord::Stored(_))
            && matches!(&paid.work.response, Some((_, Kept::Whole)));
        // A repeat without proof is told nothing that another one may have got meanwhile.
        let is_last = match &after {
            AfterRecord::Outcome(..) | AfterRecord::Stored(_) => true,
            AfterRecord::Learnt => paid.row.owner,
            _ => false,
        };
        let repeats = is_last && (paid.work.response.is_some() || paid.shown_id().is_some());
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
        let heard = reply.map(|reply| Claim::of(reply.answer));
        match self.after {
            AfterRecord::Over(ending) => after_release(paid, ending, heard, now),
            AfterRecord::Suspected => match heard {
                Some(Err(Answer::Fate(fate @ (Fate::Unknown | Fate::Refused { .. })))) => {
                    resolve_doubt(paid, None, fate, now)
                }
                _ => paid.unknown(),
            },
            AfterRecord::Sealed => match heard {
                Some(Ok(claim)) => Settling::begin(paid, claim),
                Some(Err(answer)) => paid.ended(&answer, now),
                // Nothing was submitted; the lease ends the row.
                None => paid.refuse(Code::LedgerUnavailable),
            },
            AfterRecord::Stored(claim) => after_storing(paid, claim, heard, now),
            AfterRecord::Outcome(attempt, claim) => after_outcome(paid, attempt, claim, heard, now),
            AfterRecord::Learnt => match heard {
                Some(Ok(claim)) => captured(paid, claim, now),
                // The row has moved, or is being worked on: the request continues like any repeat.
                Some(_) => paid.ask_ledger(),
                None => unheard(&paid),
            },
            AfterRecord::Noted(noted, code) => after_note(paid, noted, code, heard, now),
        }
    }
}

/// The reply to a record: a claim, or what else the object says; `None` if it is down.
type Heard = Option<Result<Claim, Answer>>;

fn after_release<'g>(
    mut paid: Box<PaidRequest<'g>>,
    ending: Abort,
    heard: Heard,
    now: UnixTime,
) -> Step<'g> {
    match (ending, heard) {
        // Another request has moved the row on: this one cannot say what became of the payment. Nor
        // is what was sold a debt, if its answer was lost once more.
        (_, Some(Err(answer @ (Answer::Stale | Answer::Fate(Fate::InProgress))))) => {
            paid.ended(&answer, now)
        }
        // Nothing was submitted anywhere, and the row says so: another facilitator may settle.
        (Abort::Down, Some(_)) if paid.plan.facilitators.len() > 1 => {
            paid.plan.facilitators.remove(0);
            paid.plan.verified = false;
            paid.use_lookups(3);
            paid.ask_ledger()
        }
        // The work ended: the client hears how even if the row could not be updated.
        (ending, _) => end(&paid, ending, now),
    }
}

fn after_storing<'g>(
    paid: Box<PaidRequest<'g>>,
    claim: Claim,
    heard: Heard,
    now: UnixTime,
) -> Step<'g> {
    match heard {
        Some(Ok(_)) => Streaming::begin(paid, claim),
        // Paid, and the work outlasted its lease: the row says that a refund is due.
        Some(Err(Answer::Stale)) => {
            let reply = paid.problem(Code::RefundDueTimeout);
            Step::Respond(paid.settlement(reply))
        }
        Some(Err(answer)) => paid.ended(&answer, now),
        None => unheard(&paid),
    }
}

fn after_outcome<'g>(
    mut paid: Box<PaidRequest<'g>>,
    attempt: Attempt,
    own: Claim,
    heard: Heard,
    now: UnixTime,
) -> Step<'g> {
    match heard {
        Some(Ok(claim)) => captured(paid, claim, now),
        Some(Err(Answer::Resend(resend))) => {
            resolve_doubt(paid, Some((attempt, resend)), Fate::Unknown, now)
        }
        // A refusal is looked up too: a facilitator that broadcasts and then refuses must not make
        // the payer pay twice.
        Some(Err(Answer::Fate(fate @ (Fate::Unknown | Fate::Refused { .. })))) => {
            resolve_doubt(paid, None, fate, now)
        }
        // Its own response, of which the object has told once more.
        Some(Err(Answer::Replay(_))) if paid.work.response.is_some() => captured(paid, own, now),
        Some(Err(Answer::Replay(replay))) => paid.replay(&replay.response),
        Some(Err(answer)) => paid.ended(&answer, now),
        None => unheard(&paid),
    }
}

fn after_note<'g>(
    mut paid: Box<PaidRequest<'g>>,
    noted: Noted,
    code: Code,
    heard: Heard,
    now: UnixTime,
) -> Step<'g> {
    match (noted, heard) {
        (_, Some(Err(Answer::Absent))) if paid.move_on() => paid.note(noted, code),
        // The row is past that.
        (_, Some(Err(Answer::Stale))) if paid.checked.eligibility == Eligibility::Withdrawn => {
            paid.unknown()
        }
        (_, Some(Err(Answer::Stale))) => paid.resume(),
        (Noted::Owed, Some(Err(Answer::Recorded))) => paid.answer_for(&Fate::RefundDue, now),
        // The row is being moved to another object, or was made there.
        (_, Some(Err(Answer::Fate(fate)))) => paid.answer_for(&fate, now),
        // No row says that the refund is due: the client has to ask again.
        (Noted::Owed | Noted::Paid, None) => paid.unknown(),
        (_, _) if code == Code::ChainUnavailable => paid.unread(now),
        (_, _) => paid.refuse(code),
    }
}

/// Answers where the last record of the row was not answered: money has moved or may have moved, and
/// nobody knows whether the row says so. If it does not, the lease and the alarm finish. It may have
/// been carried out, as if this request had been served.
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
