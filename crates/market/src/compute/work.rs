//! The work of sellers: they see their jobs, begin, deliver, or give up.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::body::Fields;
use super::event::event;
use super::job::no_job;
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, Callback, JsonAnswer, SellerRequest};
use super::outcome::Outcomes;
use super::personal::{Matter, check_callback};
use super::records::{Change, Rows};
use super::refused::{bad_state, invalid, no_signature, not_moved, refusal, under_way};
use super::row::{EventKind, JobRow, JobState, Leave, SellerRow};
use super::session::Sessions;
use super::settings::OlderWays;
use super::standing::RUN_MS;
use crate::text::{list, object, quoted, time};
use farebox_base::encoding::json;
use farebox_base::text::single_line;

const NO_SELLER: &str = "The seller is not registered.";
/// Jobs that a seller is shown at once.
const MAX_SHOWN: u32 = 10;
/// Longest result or error of a job, bytes of JSON.
const MAX_RESULT_BYTES: usize = 64 * 1024;
/// The question for jobs.
const POLL: Matter<'_> = Matter { action: "poll", job: "seller-jobs" };

/// The work of the sellers of a profile.
pub(super) struct SellerWork<'g> {
    pub sessions: Sessions<'g>,
    pub outcomes: Outcomes<'g>,
    pub older: OlderWays,
}

impl SellerWork<'_> {
    /// Shows a seller what it has to do.
    pub fn list_jobs<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Applied<R> {
        if let Err(answer) = Fields::of_profile(&request.body, self.sessions.profile.kind) {
            return Ok(Decision::reply(answer));
        }
        let seller = match self.find_caller(records, request, POLL, tick)? {
            Ok(seller) => seller,
            Err(reaction) => return Ok(Decision::told(reaction)),
        };
        let (mut shown, mut changes) = (Vec::new(), Vec::new());
        for mut job in records.jobs(&seller.id, MAX_SHOWN)? {
            match self.show_work(&job) {
                Some(work) => shown.push(work),
                // Its money goes back now. One that has begun may have been read before.
                None if job.state == JobState::Paid && job.due.is_some_and(|it| it > tick.now) => {
                    job.due = Some(tick.now);
                    changes.push(Change::Job(Box::new(job)));
                }
                None => {}
            }
        }
        let members = [
            ("seller_id", quoted(&seller.id)),
            ("network_profile", quoted(self.sessions.profile.name())),
            ("jobs", list(shown)),
        ];
        let answer = Answer::Reply(JsonAnswer::new(200, object(&members)));
        Ok(Decision { answer, changes })
    }

    /// A job as its seller reads it; `None` if its prompt cannot be read.
    fn show_work(&self, job: &JobRow) -> Option<String> {
        let prompt = self.sessions.keys.unseal(&job.quote, &job.prompt)?;
        let payload = object(&[
            ("buyer_id", quoted(&job.buyer)),
            ("capability", quoted(&job.capability)),
            ("prompt", quoted(&prompt)),
        ]);
        Some(object(&[
            ("job_id", quoted(&job.id)),
            ("payment_id", quoted(&job.quote)),
            ("status", quoted(job.state.status())),
            ("payload", payload),
            ("amount", quoted(&job.amount)),
            ("currency", quoted(self.sessions.profile.token.symbol)),
            ("payment_mode", quoted(job.mode())),
            ("created_at", quoted(&time(job.created))),
            ("expires_at", job.due.map_or_else(|| "null".to_string(), |due| quoted(&time(due)))),
        ]))
    }

    /// The seller that a request about jobs comes from. What is not proven learns nothing.
    fn find_caller<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        matter: Matter<'_>,
        tick: Now<'_>,
    ) -> Result<Result<SellerRow, Answer>, R::Error> {
        let refused = |answer: JsonAnswer| Ok(Err(Answer::Reply(answer)));
        let read = Fields::of_job(&request.body, self.sessions.profile.kind);
        let (id, fields) = match read.and_then(|fields| Ok((fields.seller_id()?, fields))) {
            Ok(read) => read,
            Err(answer) => return refused(answer),
        };
        let known = records.seller(&id)?;
        let is_signed = fields.value("seller_signature").is_some();
        if is_signed && self.older.seller_signatures {
            // A signature of its wallet proves no seller that never had a session, and its contract
            // is not asked about one.
            let is_known = |seller: &SellerRow| seller.is_bound();
            let Some(seller) = known.filter(is_known) else {
                return refused(no_signature(NO_SELLER));
            };
            let checked = check_callback(&fields, matter, self.sessions.profile.chain_id, tick);
            return Ok(checked.map(|()| seller));
        }
        match self.sessions.find_seller(known, &id, &request.authorization, tick) {
            Ok(seller) => Ok(Ok(seller)),
            Err(why) => refused(no_signature(why)),
        }
    }

    /// A seller begins, delivers, or gives up.
    pub fn call<R: Rows>(
        &self,
        records: &R,
        id: &str,
        callback: Callback,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Applied<R> {
        let result = or_reply!(self.read_delivery(callback, &request.body));
        let matter = Matter { action: callback.name(), job: id };
        let seller = match self.find_caller(records, request, matter, tick)? {
            Ok(seller) => seller,
            Err(reaction) => return Ok(Decision::told(reaction)),
        };
        let job = or_reply!(records.job(id)?.ok_or_else(no_job));
        if job.seller != seller.id {
            let why = "The job belongs to another seller.";
            return Ok(Decision::reply(refusal(403, "SELLER_MISMATCH", why)));
        }
        match (callback, job.state) {
            (Callback::Start, JobState::Paid) => Ok(begin_job(job, tick)),
            (Callback::Complete, JobState::Running) => {
                self.outcomes.decide(records, job, Leave::Release, &result, tick)
            }
            (Callback::Fail, JobState::Running) => {
                self.outcomes.decide(records, job, Leave::Refund, &result, tick)
            }
            (Callback::Complete, JobState::Releasing) => self.press(records, &job, tick),
            (Callback::Fail, JobState::Refunding) => self.press(records, &job, tick),
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
    fn read_delivery(&self, callback: Callback, body: &str) -> Result<String, JsonAnswer> {
        let fields = Fields::of_job(body, self.sessions.profile.kind)?;
        fields.seller_id()?;
        match callback {
            Callback::Start => Ok(String::new()),
            Callback::Complete => {
                let result = fields.value("result");
                let result = result.map(json::text);
                check_length(result.ok_or_else(|| invalid("result is required."))?)
            }
            Callback::Fail => {
                // A body that was cut short is no outcome.
                let error = fields.value("error").filter(|error| !error.is_null());
                let error = error.ok_or_else(|| invalid("error is required."))?;
                check_length(object(&[("error", json::text(&show_visibly(error)))]))
            }
        }
    }

    /// A seller asks again for an outcome that is decided: its money is asked for again, if the
    /// last try is over and the next one is due.
    fn press<R: Rows>(&self, records: &R, job: &JobRow, tick: Now<'_>) -> Applied<R> {
        let hold = records.hold(&job.payment)?;
        let leave = hold.as_ref().and_then(|hold| hold.state.leave()).unwrap_or(Leave::Release);
        let judged = job.proving.and_then(|proving| proving.asked);
        let asked = hold.as_ref().and_then(|hold| hold.asked).or(judged);
        if asked.is_some_and(|until| tick.now < until) {
            return Ok(Decision::reply(under_way(leave)));
        }
        match hold.filter(|hold| hold.due.is_some_and(|due| due <= tick.now)) {
            Some(hold) => Ok(self.outcomes.money.ask_again(hold, tick)),
            None => Ok(Decision::reply(not_moved(leave))),
        }
    }
}

/// Notes that the seller of a job works.
fn begin_job(job: JobRow, tick: Now<'_>) -> Decision {
    let due = tick.now.saturating_add(RUN_MS);
    let due = job.waits.map_or(due, |waits| waits.min(due));
    let members = [("job_id", quoted(&job.id)), ("status", quoted("running"))];
    let answer = JsonAnswer::new(200, object(&members));
    let event = event(EventKind::Running, tick).job(&job.id).seller(&job.seller).done();
    let row = JobRow { state: JobState::Running, due: Some(due), ..job };
    let changes = Vec::from([Change::Job(Box::new(row)), event]);
    Decision { answer: Answer::Reply(answer), changes }
}

/// The reason of a failure as its buyer is told it: each text on one line, without characters that
/// hide text or steer a terminal.
fn show_visibly(error: &Value) -> Value {
    let line = |text: &str| single_line(text).collect::<String>();
    match error {
        Value::String(text) => Value::String(line(text)),
        Value::Array(items) => Value::Array(items.iter().map(show_visibly).collect()),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (line(name), show_visibly(value)));
            Value::Object(members.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => error.clone(),
    }
}

/// A result that can be kept: a longer one is refused before its job ends.
fn check_length(result: String) -> Result<String, JsonAnswer> {
    if result.len() > MAX_RESULT_BYTES {
        let why = "The result must have at most 65536 bytes of JSON; the job goes on.";
        return Err(refusal(413, "RESULT_TOO_LARGE", why));
    }
    Ok(result)
}
