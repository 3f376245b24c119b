//! Proof of a result: a bound Worker accepts or rejects what a seller delivered, before its money
//! leaves.
//!
//! Until it has answered the job is `releasing` and is asked about again; a Worker that stays silent
//! leaves the decision to what the operator set.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::message::{Answer, ProofQuestion};
use super::records::{Change, Rows};
use super::refused::not_moved;
use super::row::{JobRow, JobState, Leave, Proving};
use super::settings::{Gateway, Unjudged};
use super::text::{object, quoted};
use super::{Decision, Now};
use farebox_base::encoding::json;
use farebox_base::mutant::{Mutant, planted};

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

impl Gateway {
    /// Asks about a result; the job has it already.
    pub(super) fn prove(&self, job: JobRow, tick: Now<'_>) -> Decision {
        let known = job.proving.unwrap_or_default();
        let (fence, tries) = (known.fence.saturating_add(1), known.tries.saturating_add(1));
        let prompt = self.unseal(&job.quote, &job.prompt).unwrap_or_default();
        let result = self.unseal(&job.id, &job.result).unwrap_or_else(|| "null".to_string());
        let body = object(&[
            ("job_id", quoted(&job.id)),
            ("payment_id", quoted(&job.quote)),
            ("network_profile", quoted(self.profile().name())),
            ("buyer_id", quoted(&job.buyer)),
            ("seller_id", quoted(&job.seller)),
            ("capability", quoted(&job.capability)),
            ("prompt", quoted(&prompt)),
            ("result", result),
        ]);
        let question = ProofQuestion { job: job.id.clone(), fence, body };
        let until = tick.now.saturating_add(LEASE_MS);
        let row = JobRow {
            state: JobState::Releasing,
            proving: Some(Proving { fence, tries, asked: Some(until) }),
            due: Some(until),
            ..job
        };
        let changes = Vec::from([Change::Job(Box::new(row))]);
        Decision { answer: Answer::Prove(Box::new(question)), changes }
    }

    /// Takes the Worker's answer.
    pub(super) fn proven<R: Rows>(
        &self,
        records: &R,
        (id, fence): (&str, u64),
        answer: Option<&str>,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let job = records.job(id)?.filter(|job| job.state == JobState::Releasing);
        let found = job.and_then(|job| Some((job.proving.filter(|it| it.fence == fence)?, job)));
        let Some((proving, job)) = found else { return Ok(Decision::told(Answer::Nothing)) };
        let is_late = job.waits.is_some_and(|waits| tick.now >= waits);
        match verdict(answer) {
            _ if is_late && !planted(Mutant::LateWorkIsPaid) => {
                self.rejected(records, job, "The request that waited for it is gone.", tick)
            }
            Some(Ok(())) => self.concluded(records, job, Leave::Release, tick),
            Some(Err(_)) if planted(Mutant::RejectedIsPaid) => {
                self.concluded(records, job, Leave::Release, tick)
            }
            Some(Err(reason)) => self.rejected(records, job, &reason, tick),
            None if proving.tries < MAX_TRIES => {
                let pause = PAUSE_MS.checked_shl(proving.tries).unwrap_or(LEASE_MS);
                let due = Some(tick.now.saturating_add(pause));
                let proving = Some(Proving { asked: None, ..proving });
                let changes = Vec::from([Change::Job(Box::new(JobRow { due, proving, ..job }))]);
                let reaction = Answer::Reply(not_moved(Leave::Release));
                Ok(Decision { answer: reaction, changes })
            }
            None => match self.set.unjudged {
                Some(Unjudged::Released) => self.concluded(records, job, Leave::Release, tick),
                Some(Unjudged::Refunded) | None => {
                    self.rejected(records, job, "The result could not be judged.", tick)
                }
            },
        }
    }

    /// Pays a job back whose result was not accepted; the result is not kept.
    fn rejected<R: Rows>(
        &self,
        records: &R,
        job: JobRow,
        reason: &str,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let why = object(&[("error", quoted(reason))]);
        let result = self.seal(tick.fresh_quote(), &job.id, &why);
        self.concluded(records, JobRow { result, ..job }, Leave::Refund, tick)
    }
}

/// The verdict of an answer: accepted, or rejected with a reason; `None` for every other one.
fn verdict(answer: Option<&str>) -> Option<Result<(), String>> {
    let body = json::parse_with(answer?.as_bytes(), MAX_ANSWER_BYTES).ok()?;
    let reason = body.get("reason").and_then(Value::as_str).unwrap_or("The result was rejected.");
    match body.get("accepted")?.as_bool()? {
        true => Some(Ok(())),
        false => Some(Err(reason.chars().take(MAX_REASON).collect())),
    }
}
