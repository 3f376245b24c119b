//! Reviews: a person lets exactly one request be paid once, or denies it.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::lists::{listed, page};
use super::reply::{invalid_query, logged, not_found, ok, problem, time, told};
use crate::time::UnixTime;
use crate::treasury::answer::DecisionAnswer;
use crate::treasury::books::{Books, Change};
use crate::treasury::message::Listing;
use crate::treasury::row::{Notice, ReviewRow, Stage, Verdict};
use crate::treasury::{Decided, Scene, Treasury};

impl Treasury {
    pub(super) fn reviews<B: Books>(
        &self,
        books: &B,
        listing: &Listing,
    ) -> Result<Decided, B::Error> {
        let Some(page) = page(listing) else { return Ok(told(invalid_query())) };
        let rows = books.reviews(&page)?;
        let cursor = rows.last().map(|row| (row.created, row.id.clone()));
        let items = rows.iter().map(shown).collect();
        Ok(listed(items, cursor, &page))
    }

    pub(super) fn answer_review<B: Books>(
        &self,
        books: &B,
        id: &str,
        approves: bool,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        let Some(mut review) = books.review(id)? else { return Ok(told(not_found("review"))) };
        let now = scene.now;
        let wanted = if approves { Verdict::Approved } else { Verdict::Denied };
        if review.verdict == wanted {
            return Ok(ok(&shown(&review)));
        }
        let is_over = now.secs() >= review.expires;
        // What was approved can be denied until it is paid.
        let may = match (review.verdict, approves) {
            (Verdict::Open, _) | (Verdict::Approved, false) => !is_over,
            (Verdict::Approved | Verdict::Denied | Verdict::Used | Verdict::Expired, _) => false,
        };
        if !may {
            let detail = "the review is over: it was answered, paid, or its time has ended";
            return Ok(told(problem(409, "review_is_over", detail)));
        }
        review.verdict = wanted;
        review.decided = Some(now.secs());
        let mut changes = Vec::new();
        if !approves && let Some(mut decision) = books.decision(&review.decision)? {
            let reason = "Policy denied: a person has reviewed this payment and denied it.";
            DecisionAnswer::new("deny", "policy_denied", reason).write(&mut decision, now.secs());
            (decision.stage, decision.open) = (Stage::Final, false);
            changes.push(Change::Decision(Box::new(decision)));
        }
        let body = shown(&review);
        let what = if approves { "review.approved" } else { "review.denied" };
        changes.push(logged(what, id, None, &review.agent, now));
        changes.push(Change::Review(review));
        Ok(Decided { answer: ok(&body).answer, changes })
    }
}

fn shown(row: &ReviewRow) -> Value {
    json!({
        "id": row.id,
        "state": state(row.verdict),
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

const fn state(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Open => "open",
        Verdict::Approved => "approved",
        Verdict::Denied => "denied",
        Verdict::Used => "used",
        Verdict::Expired => "expired",
    }
}

/// What the webhook is told of a review.
pub(in crate::treasury) fn review_notice(kind: &str, row: &ReviewRow, now: UnixTime) -> Notice {
    let body = json!({"type": kind, "at": time(now.secs()), "review": shown(row)});
    Notice {
        id: alloc::format!("{kind}:{}", row.id),
        kind: kind.to_string(),
        at: now.secs(),
        body: body.to_string(),
    }
}
