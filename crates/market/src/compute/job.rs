//! Jobs: what a payment makes of a quote, and what its buyer sees.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::kernel::{Applied, Decision, Now};
use super::keys::Keys;
use super::message::{Answer, JsonAnswer};
use super::records::Rows;
use super::refused::refusal;
use super::row::{DeliveryCharge, HoldKind, JobRow, JobState, Leave, QuoteRow, Signer};
use crate::text::{object, or_null, quoted};

/// A job of a quote, its payment not settled yet.
pub(super) fn new_job(
    quote: &QuoteRow,
    seller: &str,
    hold: HoldKind,
    keys: &Keys,
    tick: Now<'_>,
) -> JobRow {
    JobRow {
        id: keys.fresh_job(tick),
        quote: quote.id.clone(),
        payment: String::new(),
        shown: String::new(),
        material: String::new(),
        signer: Signer::Unknown,
        hold,
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
pub(super) fn show_paid(job: &JobRow, keys: &Keys) -> JsonAnswer {
    let members = [
        ("job_id", quoted(&job.id)),
        ("status", quoted("paid")),
        ("payment_mode", quoted(job.mode())),
        ("settlement_tx_hash", or_null(&job.transaction)),
        ("escrow_registration_tx_hash", or_null(&job.registration)),
        ("payment_id", quoted(&job.quote)),
        ("job_token", quoted(&keys.job_token(&job.id))),
    ];
    JsonAnswer::new(200, object(&members))
}

/// The answer to a request that waits for its work; `None` while it is not over.
fn show_over(job: &JobRow, keys: &Keys) -> Option<JsonAnswer> {
    let result = keys.unseal_json(&job.id, &job.result);
    match job.state {
        JobState::Done => {
            let members = [
                ("job_id", quoted(&job.id)),
                ("status", quoted("done")),
                ("payment_mode", quoted(job.mode())),
                ("settlement_tx_hash", "null".to_string()),
                ("escrow_registration_tx_hash", "null".to_string()),
                ("payment_id", quoted(&job.quote)),
                ("job_token", quoted(&keys.job_token(&job.id))),
                ("result", result),
            ];
            Some(JsonAnswer::new(200, object(&members)))
        }
        JobState::Failed => {
            let why = match job.transaction.is_empty() {
                true => "The seller did not deliver; nothing is charged.",
                false => "The seller did not deliver what was paid before, and owes the price.",
            };
            Some(refusal(502, "JOB_FAILED", why))
        }
        JobState::Settling
        | JobState::Paid
        | JobState::Running
        | JobState::Releasing
        | JobState::Refunding => None,
    }
}

/// Looks again for the work that a buyer's request waits for.
pub(super) fn follow_job<R: Rows>(records: &R, keys: &Keys, id: &str) -> Applied<R> {
    let job = or_reply!(records.job(id)?.ok_or_else(no_job));
    let over = show_over(&job, keys);
    Ok(over.map_or_else(|| Decision::told(Answer::Wait(id.to_string())), Decision::reply))
}

/// Shows a job to who has its token.
pub(super) fn read_job<R: Rows>(
    records: &R,
    keys: &Keys,
    authorization: &str,
    id: &str,
) -> Applied<R> {
    let job = records.job(id)?;
    if !keys.opens_job(id, job.as_ref(), authorization) {
        return Ok(Decision::reply(no_job_token()));
    }
    let job = or_reply!(job.ok_or_else(no_job));
    // Who waits for the work gets it with the answer that is charged, and by no other way.
    let is_shown = job.hold != HoldKind::Completion || job.state == JobState::Failed;
    let result = keys.unseal(&job.id, &job.result).filter(|_| is_shown && job.state.is_over());
    let members = [
        ("job_id", quoted(&job.id)),
        ("payment_id", quoted(&job.quote)),
        ("seller_id", quoted(&job.seller)),
        ("status", quoted(job.state.status())),
        ("result", result.unwrap_or_else(|| "null".to_string())),
    ];
    Ok(Decision::reply(JsonAnswer::new(200, object(&members))))
}

/// The body for a seller whose job is over.
pub(super) fn write_end(job: &JobRow, leave: Leave, how: String, keys: &Keys) -> String {
    let result = keys.unseal_json(&job.id, &job.result);
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

/// For a job that is not there.
pub(super) fn no_job() -> JsonAnswer {
    refusal(404, "JOB_NOT_FOUND", "Job not found.")
}

/// For a job whose token was not shown.
pub(super) fn no_job_token() -> JsonAnswer {
    refusal(403, "JOB_TOKEN_INVALID", "A job is read with the job_token that verify returned.")
}
