//! Reviews: a person lets exactly one request be paid once, or denies it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::lists::read_page;
use super::reply::{log_line, not_found, ok, problem, time};
use crate::answer::DecisionAnswer;
use crate::attempt::{Held, end_unmoved};
use crate::books::{Change, Page, Rows};
use crate::id::Fresh;
use crate::kernel::{Decision, Now};
use crate::message::Listing;
use crate::notice::notice;
use crate::row::{AttemptRow, DecisionRow, Money, Notice, ReviewRow, Stage, Verdict};
use farebox_base::time::UnixTime;

/// A page of reviews; each waits for `review_secs`.
pub(crate) fn list_reviews<B: Rows>(
    books: &B,
    listing: &Listing,
    review_secs: u64,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    let page = match read_page(listing, &STATES) {
        Ok(page) => page,
        Err(reply) => return Ok(Decision::reply(reply)),
    };
    let now = scene.now.secs();
    let mut rows = books.reviews(&page)?;
    let place = |row: &ReviewRow| (row.created, row.id.clone());
    if page.outcome.as_deref() == Some("expired") {
        // Their rows do not say yet that their time has ended.
        let ended = (scene.now.minus(review_secs).secs().saturating_add(1), String::new());
        let after = page.after.clone().map_or(ended.clone(), |after| after.min(ended));
        for verdict in ["open", "approved"] {
            let (after, outcome) = (Some(after.clone()), Some(verdict.to_string()));
            rows.extend(books.reviews(&Page { after, outcome, ..page.clone() })?);
        }
        rows.sort_by_key(|row| core::cmp::Reverse(place(row)));
        rows.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    }
    let is_full = u32::try_from(rows.len()).is_ok_and(|rows| rows >= page.limit);
    let cursor = rows.last().map(place).filter(|_| is_full);
    let cursor = cursor.map(|(at, id)| alloc::format!("{at}.{id}"));
    let wanted = page.outcome.as_deref();
    rows.retain(|row| wanted.is_none_or(|wanted| state(row, now) == wanted));
    let mut items = Vec::new();
    for row in &rows {
        let mut item = whole(row, now);
        let is_preparing = unsigned_of(books, row)?.is_some();
        let decision = books.decision(&row.decision)?;
        if let Some(members) = item.as_object_mut() {
            members.insert("preparing".to_string(), json!(is_preparing));
            // It tells two purchases of one request apart.
            let key = decision.as_ref().and_then(DecisionRow::client_key);
            members.insert("idempotencyKey".to_string(), json!(key));
        }
        items.push(item);
    }
    Ok(ok(&json!({"items": items, "cursor": cursor})))
}

/// Approves or denies a review; an approval waits for `review_secs` from then on.
pub(crate) fn answer_review<B: Rows>(
    books: &B,
    id: &str,
    wanted: Verdict,
    review_secs: u64,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    let Some(mut review) = books.review(id)? else {
        return Ok(Decision::reply(not_found("review")));
    };
    let now = scene.now;
    let approves = wanted == Verdict::Approved;
    if review.verdict == wanted && !review.is_over(now.secs()) {
        return Ok(ok(&summary(&review, now.secs())));
    }
    let is_over = now.secs() >= review.expires;
    let unsigned = if approves { None } else { unsigned_of(books, &review)? };
    // What was approved can be denied until it is signed.
    let may = match (review.verdict, approves) {
        (Verdict::Open, _) | (Verdict::Approved, false) => !is_over,
        (Verdict::Used, false) => unsigned.is_some(),
        (Verdict::Approved | Verdict::Denied | Verdict::Used | Verdict::Expired, _) => false,
    };
    if !may {
        let detail = "the review is over: it was answered, paid, or its time has ended";
        return Ok(Decision::reply(problem(409, "review_is_over", detail)));
    }
    let why = "Policy denied: a person has reviewed this payment and denied it.";
    let mut changes = match unsigned {
        Some(held) => stopped(books, held, why, scene)?,
        None if approves => Vec::new(),
        None => denied(books, &review, why, now)?,
    };
    if approves {
        // Whoever asked may come for it as long as they would have waited.
        review.expires = review.expires.max(now.plus(review_secs).secs());
    }
    review.verdict = wanted;
    review.decided = Some(now.secs());
    let body = summary(&review, now.secs());
    let what = if approves { "review.approved" } else { "review.denied" };
    changes.push(log_line(what, id, None, &review.agent, now));
    changes.push(Change::Review(Box::new(review)));
    Ok(Decision { answer: ok(&body).answer, changes })
}

/// Denies what waits for a person, and what one has approved, of an agent that ends: who begins
/// under its name again has asked for none of it.
pub(crate) fn end_reviews<B: Rows>(
    books: &B,
    agent: &str,
    now: UnixTime,
) -> Result<Vec<Change>, B::Error> {
    let mut changes = Vec::new();
    for verdict in ["open", "approved"] {
        let (agent, outcome) = (Some(agent.to_string()), Some(verdict.to_string()));
        let page = Page { after: None, limit: MOST_ENDED, agent, outcome };
        for mut review in books.reviews(&page)? {
            if review.is_over(now.secs()) {
                continue;
            }
            let why = "Policy denied: the agent that asked was disabled.";
            changes.extend(denied(books, &review, why, now)?);
            (review.verdict, review.decided) = (Verdict::Denied, Some(now.secs()));
            changes.push(Change::Review(Box::new(review)));
        }
    }
    Ok(changes)
}

/// Reviews of one agent and verdict that its end reaches: more than may be open, and than anyone
/// approves within their time.
const MOST_ENDED: u32 = 1_000;

/// The payment that a review was used for, while signer and node are asked about it.
fn unsigned_of<B: Rows>(books: &B, review: &ReviewRow) -> Result<Option<Held>, B::Error> {
    if review.verdict != Verdict::Used {
        return Ok(None);
    }
    let Some(decision) = books.decision(&review.decision)? else { return Ok(None) };
    let attempt = books.attempt(&decision.attempt)?;
    let is_its = decision.review.as_ref() == Some(&review.id);
    let is_unsigned = |it: &AttemptRow| it.money == Money::Reserved && it.header.is_none();
    let attempt = attempt.filter(is_unsigned).filter(|_| decision.stage == Stage::Executing);
    Ok(attempt.filter(|_| is_its).map(|attempt| Held { attempt, decision }))
}

/// Ends a payment that is being prepared: what signer and node say then comes too late.
fn stopped<B: Rows>(
    books: &B,
    held: Held,
    why: &str,
    scene: Now<'_>,
) -> Result<Vec<Change>, B::Error> {
    let Held { attempt, mut decision } = held;
    // A denial is that of a payment that never was.
    decision.attempt = Fresh::of(scene.random).attempt;
    let mut changes = end_unmoved(books, attempt, scene.now)?;
    changes.push(end_denied(decision, why, scene.now));
    Ok(changes)
}

/// Ends the decision that waits for a review.
fn denied<B: Rows>(
    books: &B,
    review: &ReviewRow,
    why: &str,
    now: UnixTime,
) -> Result<Vec<Change>, B::Error> {
    let decision = books.decision(&review.decision)?;
    Ok(decision.map(|decision| end_denied(decision, why, now)).into_iter().collect())
}

fn end_denied(mut decision: DecisionRow, why: &str, now: UnixTime) -> Change {
    DecisionAnswer::new("deny", "policy_denied", why).write(&mut decision, now.secs());
    (decision.stage, decision.open) = (Stage::Final, false);
    Change::Decision(Box::new(decision))
}

/// A review with the request that it covers.
fn whole(row: &ReviewRow, now: u64) -> Value {
    let mut body = summary(row, now);
    if let Some(members) = body.as_object_mut() {
        let headers = row.headers.iter().map(|(name, value)| (name.clone(), json!(value)));
        members.insert("requestHeaders".to_string(), Value::Object(headers.collect()));
        members.insert("requestHeadersCutBytes".to_string(), json!(row.headers_cut));
        members.insert("requestBody".to_string(), json!(row.body));
        members.insert("requestBodyCutBytes".to_string(), json!(row.body_cut));
        members.insert("maxTimeoutSeconds".to_string(), json!(row.timeout));
    }
    body
}

/// A review without its request.
fn summary(row: &ReviewRow, now: u64) -> Value {
    json!({
        "id": row.id,
        "state": state(row, now),
        "agent": row.agent,
        "paidRequestId": row.decision,
        "requestUrl": row.url,
        "requestMethod": row.method,
        "amount": row.amount,
        "asset": row.asset,
        "payee": row.payee,
        "network": row.network,
        "createdAt": time(row.created),
        "expiresAt": time(row.expires),
        "decidedAt": row.decided.map(time),
    })
}

/// The states that [`state`] tells.
const STATES: [&str; 5] = ["open", "approved", "denied", "used", "expired"];

const fn state(row: &ReviewRow, now: u64) -> &'static str {
    match row.verdict {
        _ if row.is_over(now) => "expired",
        Verdict::Open => "open",
        Verdict::Approved => "approved",
        Verdict::Denied => "denied",
        Verdict::Used => "used",
        Verdict::Expired => "expired",
    }
}

/// The notice of a review for the webhook.
pub(crate) fn review_notice(kind: &str, row: &ReviewRow, scene: Now<'_>) -> Notice {
    notice(kind, &row.id, &summary(row, scene.now.secs()), scene)
}
