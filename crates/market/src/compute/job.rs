//! Jobs: what a payment makes of a quote, what its seller does with it, and what its buyer sees.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::event::event;
use super::message::{Answer, Callback, JsonAnswer, SellerRequest};
use super::quote::DEMO_BUYER;
use super::records::{Change, Rows};
use super::refused::{bad_state, invalid, no_signature, not_moved, said, under_way};
use super::row::{
    DeliveryCharge, EventKind, HoldKind, HoldRow, JobRow, JobState, Leave, QuoteRow, SellerRow,
    Signer,
};
use super::seal::bearer;
use super::settings::Gateway;
use super::text::{list, object, or_null, quoted, time};
use super::{Decision, Now};
use farebox_base::encoding::json;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::secret::ct_eq;
use farebox_base::text::single_line;

/// Milliseconds in which a seller has to begin.
pub const START_MS: u64 = 60_000;
/// Milliseconds in which it has to deliver.
pub const RUN_MS: u64 = 120_000;
const NO_SELLER: &str = "The seller is not registered.";
/// Jobs that a seller is shown at once.
const MAX_SHOWN: u32 = 10;
/// Longest result or error of a job, bytes of JSON.
const MAX_RESULT_BYTES: usize = 64 * 1024;

impl Gateway {
    /// A job of a quote, its payment not settled yet.
    pub(super) fn new_job(&self, quote: &QuoteRow, seller: &str, tick: Now<'_>) -> JobRow {
        JobRow {
            id: tick.fresh_job(self),
            quote: quote.id.clone(),
            payment: String::new(),
            shown: String::new(),
            signer: Signer::Unknown,
            hold: self.set.hold,
            buyer: quote.buyer.clone(),
            seller: seller.to_string(),
            capability: quote.capability.clone(),
            prompt: quote.prompt.clone(),
            amount: quote.amount.clone(),
            units: quote.units.clone(),
            state: JobState::Settling,
            attempts: 1,
            tried: Vec::new(),
            result: String::new(),
            transaction: String::new(),
            registration: String::new(),
            created: tick.now,
            due: None,
            waits: None,
            proving: None,
            charge: DeliveryCharge::None,
        }
    }

    /// The answer to who paid for a job.
    pub(super) fn told_paid(&self, job: &JobRow) -> JsonAnswer {
        let members = [
            ("job_id", quoted(&job.id)),
            ("status", quoted("paid")),
            ("payment_mode", quoted(job.mode())),
            ("settlement_tx_hash", or_null(&job.transaction)),
            ("escrow_registration_tx_hash", or_null(&job.registration)),
            ("payment_id", quoted(&job.quote)),
            ("job_token", quoted(&self.job_token(&job.id))),
        ];
        JsonAnswer::new(200, object(&members))
    }

    /// The answer to a request that waits for its work; `None` while it is not over.
    fn told_over(&self, job: &JobRow) -> Option<JsonAnswer> {
        let result = self.unseal(&job.id, &job.result).unwrap_or_else(|| "null".to_string());
        match job.state {
            JobState::Done => {
                let members = [
                    ("job_id", quoted(&job.id)),
                    ("status", quoted("done")),
                    ("payment_mode", quoted(job.mode())),
                    ("settlement_tx_hash", "null".to_string()),
                    ("escrow_registration_tx_hash", "null".to_string()),
                    ("payment_id", quoted(&job.quote)),
                    ("job_token", quoted(&self.job_token(&job.id))),
                    ("result", result),
                ];
                Some(JsonAnswer::new(200, object(&members)))
            }
            JobState::Failed => {
                let why = "The seller did not deliver; nothing is charged.";
                Some(said(502, "JOB_FAILED", why))
            }
            JobState::Settling
            | JobState::Paid
            | JobState::Running
            | JobState::Releasing
            | JobState::Refunding => None,
        }
    }

    /// Looks again for the work that a buyer's request waits for.
    pub(super) fn follow<R: Rows>(&self, records: &R, id: &str) -> Result<Decision, R::Error> {
        let Some(job) = records.job(id)? else {
            return Ok(Decision::reply(no_job()));
        };
        let over = self.told_over(&job);
        Ok(over.map_or_else(|| Decision::told(Answer::Wait(id.to_string())), Decision::reply))
    }

    /// Shows a job to who has its token.
    pub(super) fn read_job<R: Rows>(
        &self,
        records: &R,
        (authorization, id): (&str, &str),
    ) -> Result<Decision, R::Error> {
        let token = self.job_token(id);
        let is_its = ct_eq(bearer(authorization).as_bytes(), token.as_bytes());
        if !is_its && !planted(Mutant::JobsAreOpen) {
            let why = "A job is read with the job_token that verify returned.";
            return Ok(Decision::reply(said(403, "JOB_TOKEN_INVALID", why)));
        }
        let Some(job) = records.job(id)? else {
            return Ok(Decision::reply(no_job()));
        };
        // Who waits for the work gets it with the answer that is charged, and by no other way.
        let is_shown = job.hold != HoldKind::Completion || job.state == JobState::Failed;
        let result = self.unseal(&job.id, &job.result).filter(|_| is_shown && job.state.is_over());
        let members = [
            ("job_id", quoted(&job.id)),
            ("payment_id", quoted(&job.quote)),
            ("seller_id", quoted(&job.seller)),
            ("status", quoted(job.state.status())),
            ("result", result.unwrap_or_else(|| "null".to_string())),
        ];
        Ok(Decision::reply(JsonAnswer::new(200, object(&members))))
    }

    /// Shows a seller what it has to do.
    pub(super) fn seller_jobs<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        if let Err(answer) = self.fields(&request.body) {
            return Ok(Decision::reply(answer));
        }
        let seller = match self.caller(records, request, ("poll", "seller-jobs"), tick)? {
            Ok(seller) => seller,
            Err(reaction) => return Ok(Decision::told(reaction)),
        };
        let jobs = records.jobs(&seller.id, MAX_SHOWN)?;
        let members = [
            ("seller_id", quoted(&seller.id)),
            ("network_profile", quoted(self.profile().name())),
            ("jobs", list(jobs.iter().map(|job| self.to_do(job)))),
        ];
        Ok(Decision::reply(JsonAnswer::new(200, object(&members))))
    }

    fn to_do(&self, job: &JobRow) -> String {
        let prompt = self.unseal(&job.quote, &job.prompt).unwrap_or_default();
        let payload = object(&[
            ("buyer_id", quoted(&job.buyer)),
            ("capability", quoted(&job.capability)),
            ("prompt", quoted(&prompt)),
        ]);
        object(&[
            ("job_id", quoted(&job.id)),
            ("payment_id", quoted(&job.quote)),
            ("status", quoted(job.state.status())),
            ("payload", payload),
            ("amount", quoted(&job.amount)),
            ("currency", quoted(self.token.symbol)),
            ("payment_mode", quoted(job.mode())),
            ("created_at", quoted(&time(job.created))),
            ("expires_at", job.due.map_or_else(|| "null".to_string(), |due| quoted(&time(due)))),
        ])
    }

    /// The seller that a request about jobs comes from. What is not proven learns nothing.
    fn caller<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        about: (&str, &str),
        tick: Now<'_>,
    ) -> Result<Result<SellerRow, Answer>, R::Error> {
        let refused = |answer: JsonAnswer| Ok(Err(Answer::Reply(answer)));
        let read = self.fields_of_job(&request.body);
        let (id, fields) = match read.and_then(|fields| Ok((self.seller_id(&fields)?, fields))) {
            Ok(read) => read,
            Err(answer) => return refused(answer),
        };
        let known = records.seller(&id)?;
        let is_signed = fields.value("seller_signature").is_some();
        if is_signed && self.set.older.seller_signatures {
            // A signature of its wallet proves no seller that never had a session, and its contract
            // is not asked about one.
            let is_known = |seller: &SellerRow| {
                seller.is_bound() || planted(Mutant::UnknownSellersAreAskedAbout)
            };
            let Some(seller) = known.filter(is_known) else {
                return refused(no_signature(NO_SELLER));
            };
            return Ok(self.signed_callback(&fields, about, tick).map(|()| seller));
        }
        match self.session_in(known, &id, &request.authorization, tick) {
            Ok(seller) => Ok(Ok(seller)),
            Err(why) => refused(no_signature(why)),
        }
    }

    /// A seller begins, delivers, or gives up.
    pub(super) fn call<R: Rows>(
        &self,
        records: &R,
        (id, callback): (&str, Callback),
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let result = match self.delivered(callback, &request.body) {
            Ok(result) => result,
            Err(answer) => return Ok(Decision::reply(answer)),
        };
        let seller = match self.caller(records, request, (callback.name(), id), tick)? {
            Ok(seller) => seller,
            Err(reaction) => return Ok(Decision::told(reaction)),
        };
        let Some(job) = records.job(id)? else {
            return Ok(Decision::reply(no_job()));
        };
        if job.seller != seller.id && !planted(Mutant::AnySellerServes) {
            let why = "The job belongs to another seller.";
            return Ok(Decision::reply(said(403, "SELLER_MISMATCH", why)));
        }
        match (callback, job.state) {
            (Callback::Start, JobState::Paid) => Ok(self.begin(job, tick)),
            (Callback::Complete, JobState::Running) => {
                self.outcome(records, job, (Leave::Release, &result), tick)
            }
            (Callback::Fail, JobState::Running) => {
                self.outcome(records, job, (Leave::Refund, &result), tick)
            }
            (Callback::Complete, JobState::Releasing) => self.pressed(records, &job, tick),
            (Callback::Fail, JobState::Refunding) => self.pressed(records, &job, tick),
            (Callback::Fail, JobState::Releasing) if planted(Mutant::OutcomesChange) => {
                self.outcome(records, job, (Leave::Refund, &result), tick)
            }
            (
                Callback::Start | Callback::Complete | Callback::Fail,
                JobState::Settling
                | JobState::Paid
                | JobState::Running
                | JobState::Releasing
                | JobState::Refunding
                | JobState::Done
                | JobState::Failed,
            ) => Ok(Decision::reply(bad_state(job.state.status()))),
        }
    }

    /// The delivery in a body, as JSON.
    fn delivered(&self, callback: Callback, body: &str) -> Result<String, JsonAnswer> {
        let fields = self.fields_of_job(body)?;
        self.seller_id(&fields)?;
        match callback {
            Callback::Start => Ok(String::new()),
            Callback::Complete => {
                let result = fields.value("result");
                let result = result.map(json::text);
                bounded(result.ok_or_else(|| invalid("result is required."))?)
            }
            Callback::Fail => {
                // A body that was cut short is no outcome.
                let error = fields.value("error").filter(|error| !error.is_null());
                let error = error.ok_or_else(|| invalid("error is required."))?;
                bounded(object(&[("error", json::text(&visible(error)))]))
            }
        }
    }

    fn begin(&self, job: JobRow, tick: Now<'_>) -> Decision {
        let due = tick.now.saturating_add(RUN_MS);
        let due = job.waits.map_or(due, |waits| waits.min(due));
        let members = [("job_id", quoted(&job.id)), ("status", quoted("running"))];
        let answer = JsonAnswer::new(200, object(&members));
        let event = event(EventKind::Running, tick).job(&job.id).seller(&job.seller).done();
        let row = JobRow { state: JobState::Running, due: Some(due), ..job };
        let changes = Vec::from([Change::Job(Box::new(row)), event]);
        Decision { answer: Answer::Reply(answer), changes }
    }

    /// Decides how a job ends, and with it where its money goes: once.
    pub(super) fn outcome<R: Rows>(
        &self,
        records: &R,
        job: JobRow,
        (leave, result): (Leave, &str),
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let is_late = job.waits.is_some_and(|waits| tick.now >= waits);
        if leave == Leave::Release && is_late && !planted(Mutant::LateWorkIsPaid) {
            return Ok(Decision::reply(bad_state("late")));
        }
        let result = self.seal(tick.fresh_quote(), &job.id, result);
        let job = JobRow { result, due: None, ..job };
        let is_judged = self.set.unjudged.is_some() && !planted(Mutant::ResultsAreNotProven);
        if leave == Leave::Release && is_judged {
            return Ok(self.prove(job, tick));
        }
        self.concluded(records, job, leave, tick)
    }

    /// Has the money of a job leave, whose outcome is decided and whose result is there.
    pub(super) fn concluded<R: Rows>(
        &self,
        records: &R,
        job: JobRow,
        leave: Leave,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
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
                let mut decision = self.leave(hold, leave, tick);
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
                let charge = match (job.hold, leave) {
                    (HoldKind::Completion, Leave::Release) => DeliveryCharge::Due,
                    _ => DeliveryCharge::None,
                };
                let job = JobRow { state, charge, ..job };
                let answer = Answer::Reply(self.told_skipped(&job, leave));
                let mut changes = Vec::from([event]);
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

    /// A seller asks again for an outcome that is decided: its money is asked for again, if the
    /// last try is over and the next one is due.
    fn pressed<R: Rows>(
        &self,
        records: &R,
        job: &JobRow,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let hold = records.hold(&job.payment)?;
        let leave = hold.as_ref().and_then(|hold| hold.state.leave()).unwrap_or(Leave::Release);
        let judged = job.proving.and_then(|proving| proving.asked);
        let asked = hold.as_ref().and_then(|hold| hold.asked).or(judged);
        if asked.is_some_and(|until| tick.now < until) {
            return Ok(Decision::reply(under_way(leave)));
        }
        match hold.filter(|hold| hold.due.is_some_and(|due| due <= tick.now)) {
            Some(hold) => Ok(self.ask_again(hold, tick)),
            None => Ok(Decision::reply(not_moved(leave))),
        }
    }

    fn told_skipped(&self, job: &JobRow, leave: Leave) -> JsonAnswer {
        let reason = match job.hold {
            HoldKind::Mock | HoldKind::Escrow | HoldKind::Contract => "mock_payment",
            HoldKind::Completion => "to_be_settled",
        };
        let how = object(&[("status", quoted("skipped")), ("reason", quoted(reason))]);
        JsonAnswer::new(200, self.ended(job, leave, how))
    }

    /// The body for a seller whose job is over.
    pub(super) fn ended(&self, job: &JobRow, leave: Leave, how: String) -> String {
        let result = self.unseal(&job.id, &job.result).unwrap_or_else(|| "null".to_string());
        let (status, name) = match leave {
            Leave::Release => ("done", "release"),
            Leave::Refund => ("failed", "refund"),
        };
        object(&[
            ("job_id", quoted(&job.id)),
            ("status", quoted(status)),
            ("result", result),
            (name, how),
        ])
    }
}

/// For a job that is not there.
#[must_use]
pub(super) fn no_job() -> JsonAnswer {
    said(404, "JOB_NOT_FOUND", "Job not found.")
}

/// The reason of a failure as its buyer is told it: each text on one line, without characters that
/// hide text or steer a terminal.
fn visible(error: &Value) -> Value {
    if planted(Mutant::ReasonsHideText) {
        return error.clone();
    }
    let line = |text: &str| single_line(text).collect::<String>();
    match error {
        Value::String(text) => Value::String(line(text)),
        Value::Array(items) => Value::Array(items.iter().map(visible).collect()),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (line(name), visible(value)));
            Value::Object(members.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => error.clone(),
    }
}

/// A result that can be kept: a longer one is refused before its job ends.
fn bounded(result: String) -> Result<String, JsonAnswer> {
    if result.len() > MAX_RESULT_BYTES && !planted(Mutant::LongResultsAreLost) {
        let why = "The result must have at most 65536 bytes of JSON; the job goes on.";
        return Err(said(413, "RESULT_TOO_LARGE", why));
    }
    Ok(result)
}
