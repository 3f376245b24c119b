//! Outcomes of jobs, and the proof of a result: a bound Worker accepts or rejects what a seller
//! delivered, before its money leaves.
//!
//! Until it has answered the job is `releasing` and is asked about again; a Worker that stays silent
//! leaves the decision to what the operator set.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::event::event;
use super::hold::{HeldMoney, leave_later};
use super::job::write_end;
use super::kernel::{Applied, Decision, Now};
use super::keys::Keys;
use super::message::{Answer, JsonAnswer, ProofQuestion};
use super::quote::DEMO_BUYER;
use super::records::{Change, Rows};
use super::refused::{bad_state, not_moved};
use super::row::{
    DeliveryCharge, EventKind, HoldKind, HoldRow, JobRow, JobState, Leave, Proving, SellerRow,
};
use super::settings::Unjudged;
use crate::grant::Grant;
use crate::text::{object, quoted};
use farebox_base::encoding::json;

/// How often the Worker is asked.
const MAX_TRIES: u32 = 6;
/// Milliseconds in which who asks has to report.
const LEASE_MS: u64 = 20_000;
/// Milliseconds to the second question; doubled each time.
const PAUSE_MS: u64 = 1_000;
/// Longest answer that is read, bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// Longest reason that is kept, characters.
const MAX_REASON: usize = 300;

/// Outcomes of the jobs of a profile.
#[derive(Clone, Copy)]
pub(super) struct Outcomes<'g> {
    pub money: HeldMoney<'g>,
    /// The fate of a result that the Worker does not judge; `None` if results need no proof.
    pub unjudged: Option<Unjudged>,
    pub asker: Asker,
}

/// The party that asks the treasury for the money of a job that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Whoever ends the job, at once.
    Caller,
    /// The alarm, once there is a place for that.
    Alarm,
}

impl Outcomes<'_> {
    /// Decides how a job ends, and with it where its money goes: once.
    pub fn decide<R: Rows>(
        &self,
        records: &R,
        job: JobRow,
        leave: Leave,
        result: &str,
        tick: Now<'_>,
    ) -> Applied<R> {
        let is_late = job.waits.is_some_and(|waits| tick.now >= waits);
        if leave == Leave::Release && is_late {
            return Ok(Decision::reply(bad_state("late")));
        }
        let result = self.money.keys.seal(tick.seed, &job.id, result);
        let job = JobRow { result, due: None, ..job };
        if leave == Leave::Release && self.unjudged.is_some() {
            return self.prove(records, job, tick);
        }
        self.conclude(records, job, leave, tick)
    }

    /// Has the money of a job leave, whose outcome is decided and whose result is there.
    fn conclude<R: Rows>(
        &self,
        records: &R,
        job: JobRow,
        leave: Leave,
        tick: Now<'_>,
    ) -> Applied<R> {
        let kind = match leave {
            Leave::Release => EventKind::Done,
            Leave::Refund => EventKind::Failed,
        };
        let event = event(kind, tick).job(&job.id).seller(&job.seller).done();
        let worked = match leave {
            Leave::Release => records.seller(&job.seller)?.and_then(SellerRow::after_work),
            Leave::Refund => None,
        };
        let worked = worked.map(|row| Change::Seller(Box::new(row)));
        let job = JobRow { due: None, proving: None, ..job };
        match job.hold {
            HoldKind::Escrow | HoldKind::Contract => {
                let Some(hold) = records.hold(&job.payment)? else {
                    return Ok(Decision::reply(not_moved(leave)));
                };
                let hold = HoldRow { payee: job.seller.clone(), ..hold };
                let mut decision = match self.asker {
                    Asker::Caller => self.money.leave(hold, leave, tick),
                    Asker::Alarm => leave_later(hold, leave, tick),
                };
                decision.changes.extend(worked);
                let state = match leave {
                    Leave::Release => JobState::Releasing,
                    Leave::Refund => JobState::Refunding,
                };
                decision.changes.extend([Change::Job(Box::new(JobRow { state, ..job })), event]);
                Ok(decision)
            }
            HoldKind::Completion | HoldKind::Mock => {
                let (state, skipped) = match leave {
                    Leave::Release => (JobState::Done, EventKind::ReleaseSkipped),
                    Leave::Refund => (JobState::Failed, EventKind::RefundSkipped),
                };
                let mut changes = Vec::from([event]);
                let charge = match (job.hold, leave) {
                    (HoldKind::Completion, Leave::Release) if job.transaction.is_empty() => {
                        DeliveryCharge::Due
                    }
                    (HoldKind::Completion, Leave::Release) => {
                        changes.push(released(&job, tick));
                        DeliveryCharge::Made
                    }
                    _ => DeliveryCharge::None,
                };
                let job = JobRow { state, charge, ..job };
                let answer = Answer::Reply(show_skipped(&job, leave, self.money.keys));
                changes.extend(worked);
                if job.hold == HoldKind::Mock {
                    let told = |kind| super::event::event(kind, tick).job(&job.id);
                    changes.push(told(skipped).seller(&job.seller).done());
                    if job.buyer == DEMO_BUYER && leave == Leave::Release {
                        changes.push(told(EventKind::DemoDone).seller(&job.seller).done());
                    }
                }
                changes.push(Change::Job(Box::new(job)));
                Ok(Decision { answer, changes })
            }
        }
    }

    /// Asks about a result; the job has it already. Without its prompt nobody can judge it.
    pub fn prove<R: Rows>(&self, records: &R, job: JobRow, tick: Now<'_>) -> Applied<R> {
        let Some(prompt) = self.money.keys.unseal(&job.quote, &job.prompt) else {
            return self.end_unjudged(records, job, tick);
        };
        let known = job.proving.unwrap_or_default();
        let (fence, tries) = (known.fence.saturating_add(1), known.tries.saturating_add(1));
        let result = self.money.keys.unseal_json(&job.id, &job.result);
        let body = object(&[
            ("job_id", quoted(&job.id)),
            ("payment_id", quoted(&job.quote)),
            ("network_profile", quoted(self.money.profile.name())),
            ("buyer_id", quoted(&job.buyer)),
            ("seller_id", quoted(&job.seller)),
            ("capability", quoted(&job.capability)),
            ("prompt", quoted(&prompt)),
            ("result", result),
        ]);
        let question =
            ProofQuestion { job: job.id.clone(), seller: job.seller.clone(), fence, body };
        let until = tick.now.saturating_add(LEASE_MS);
        let row = JobRow {
            state: JobState::Releasing,
            proving: Some(Proving { fence, tries, asked: Some(until) }),
            due: Some(until),
            ..job
        };
        let changes = Vec::from([Change::Job(Box::new(row))]);
        Ok(Decision { answer: Answer::Prove(Box::new(question)), changes })
    }

    /// Takes the Worker's answer.
    pub fn take_verdict<R: Rows>(
        &self,
        records: &R,
        grant: Grant<'_>,
        answer: Option<&str>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let job = records.job(grant.id)?.filter(|job| job.state == JobState::Releasing);
        let found =
            job.and_then(|job| Some((job.proving.filter(|it| it.fence == grant.fence)?, job)));
        let Some((proving, job)) = found else { return Ok(Decision::told(Answer::Nothing)) };
        let is_late = job.waits.is_some_and(|waits| tick.now >= waits);
        match read_verdict(answer) {
            _ if is_late => {
                self.reject(records, job, "The request that waited for it is gone.", tick)
            }
            Some(Ok(())) => self.conclude(records, job, Leave::Release, tick),
            Some(Err(reason)) => self.reject(records, job, &reason, tick),
            None if proving.tries < MAX_TRIES => {
                let pause = PAUSE_MS.checked_shl(proving.tries).unwrap_or(LEASE_MS);
                let due = Some(tick.now.saturating_add(pause));
                let proving = Some(Proving { asked: None, ..proving });
                let changes = Vec::from([Change::Job(Box::new(JobRow { due, proving, ..job }))]);
                let reaction = Answer::Reply(not_moved(Leave::Release));
                Ok(Decision { answer: reaction, changes })
            }
            None => self.end_unjudged(records, job, tick),
        }
    }

    /// Ends a job whose result nobody judges, as the operator has set.
    fn end_unjudged<R: Rows>(&self, records: &R, job: JobRow, tick: Now<'_>) -> Applied<R> {
        match self.unjudged {
            Some(Unjudged::Released) => self.conclude(records, job, Leave::Release, tick),
            Some(Unjudged::Refunded) | None => {
                self.reject(records, job, "The result could not be judged.", tick)
            }
        }
    }

    /// Pays a job back whose result was not accepted; the result is not kept.
    fn reject<R: Rows>(&self, records: &R, job: JobRow, reason: &str, tick: Now<'_>) -> Applied<R> {
        let why = object(&[("error", quoted(reason))]);
        let result = self.money.keys.seal(tick.seed, &job.id, &why);
        self.conclude(records, JobRow { result, ..job }, Leave::Refund, tick)
    }
}

/// The event that says that the money of delivered work is its seller's.
pub(super) fn released(job: &JobRow, tick: Now<'_>) -> Change {
    let event = event(EventKind::Released, tick).job(&job.id).seller(&job.seller);
    event.transaction(&job.transaction).done()
}

fn show_skipped(job: &JobRow, leave: Leave, keys: &Keys) -> JsonAnswer {
    let reason = match job.hold {
        HoldKind::Mock | HoldKind::Escrow | HoldKind::Contract => "mock_payment",
        HoldKind::Completion if job.transaction.is_empty() => "to_be_settled",
        HoldKind::Completion => "settled",
    };
    let how = object(&[("status", quoted("skipped")), ("reason", quoted(reason))]);
    JsonAnswer::new(200, write_end(job, leave, how, keys))
}

/// The verdict of an answer: accepted, or rejected with a reason; `None` for every other one.
fn read_verdict(answer: Option<&str>) -> Option<Result<(), String>> {
    let body = json::parse_with(answer?.as_bytes(), MAX_ANSWER_BYTES).ok()?;
    let reason = body.get("reason").and_then(Value::as_str).unwrap_or("The result was rejected.");
    match body.get("accepted")?.as_bool()? {
        true => Some(Ok(())),
        false => Some(Err(reason.chars().take(MAX_REASON).collect())),
    }
}
