//! Decisions that answer a request again: those that wait for a person, and those whose outcome is
//! open.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::denial::{brief, refuse};
use super::draft::Draft;
use crate::answer::{DecisionAnswer, REVIEW};
use crate::books::{Change, Rows};
use crate::kernel::Decision;
use crate::message::Answer;
use crate::operate::reviews::review_notice;
use crate::receipt::Receipts;
use crate::refused;
use crate::reviewed::Reviewed;
use crate::row::{DecisionRow, ReviewRow, Stage, Verdict};
use crate::terms::Unpayable;
use crate::undelivered::stands;
use farebox_base::time::UnixTime;
use farebox_payer::client::challenge::Challenge;
use farebox_payer::client::offer::Offer;

/// Told of a review that ended without an answer.
const UNANSWERED: &str = "Policy denied: the review ended before anyone approved it.";
/// Told of an approval that ended before its payment was made.
const LAPSED: &str =
    "Policy denied: a person approved this payment, and the approval ended before it was made.";

/// Whether a review is about what this request would send.
fn is_covered(review: &ReviewRow, draft: &Draft<'_>) -> bool {
    review.covers == draft.reviewed.covers
}

/// The answer of a person to the request of a key.
pub(super) enum PersonsAnswer {
    /// None, or it was paid.
    Nothing,
    /// They denied it.
    Denied,
    /// They denied another request under this key.
    OtherDenied,
    /// They denied it, and that has ended: the key asks again.
    Over,
}

/// A person's answer to the request of a decision that has ended. A denial holds for that request,
/// and as long as its review would have waited. What was paid after it ended is no denial any more.
pub(super) fn find_answer<B: Rows>(
    books: &B,
    row: &DecisionRow,
    reviewed: &Reviewed,
    now: UnixTime,
) -> Result<PersonsAnswer, B::Error> {
    let review = books.review_of(row)?.filter(|it| it.verdict == Verdict::Denied);
    if review.is_some() && books.attempt(&row.attempt)?.is_some() {
        return Ok(PersonsAnswer::Nothing);
    }
    Ok(match review {
        Some(it) if now.secs() >= it.expires => PersonsAnswer::Over,
        Some(it) if it.covers != reviewed.covers => PersonsAnswer::OtherDenied,
        Some(_) => PersonsAnswer::Denied,
        None => PersonsAnswer::Nothing,
    })
}

/// Whether a review is about these terms. The validity of a charge is no term: it is what is left of its
/// challenge, another number each second.
pub(super) fn is_offered(review: &ReviewRow, offer: &Offer) -> bool {
    let is_charge = offer.charge().is_some();
    let is_timeout = is_charge || review.timeout == offer.max_timeout_secs;
    review.terms == offer.pin() && is_timeout
}

/// The answer to terms that offer nothing under a key that waits for a review. The review stays:
/// the merchant may name its terms again.
pub(super) fn keep_waiting<B: Rows>(
    books: &B,
    receipts: &Receipts,
    mut draft: Draft<'_>,
    mut row: DecisionRow,
    why: Unpayable,
) -> Result<Decision, B::Error> {
    let now = draft.scene.now.secs();
    let review = books.review_of(&row)?;
    let may = |it: &ReviewRow| matches!(it.verdict, Verdict::Open | Verdict::Approved);
    let Some(known) = review.as_ref().filter(|it| may(it) && !it.is_over(now)) else {
        draft.waiting = Some((row, review.filter(may)));
        return refuse(books, receipts, draft, why, None);
    };
    if !is_covered(known, &draft) {
        return Ok(Decision::reply(refused::conflict()));
    }
    let said = DecisionAnswer::new(why.outcome, why.code, &why.reason);
    DecisionAnswer { waits: true, ..said }.write(&mut row, now);
    Ok(Decision::reply(receipts.reply(&row)))
}

/// The decision that answers a request without a client's key: one for the same request whose
/// outcome is open, whatever its terms were, since a merchant may name others each time; or the
/// one for this challenge.
pub(super) fn find_earlier<B: Rows>(
    books: &B,
    draft: &Draft<'_>,
    key: Option<&str>,
) -> Result<Option<DecisionRow>, B::Error> {
    if let Some(key) = key
        && let Some(row) = books.decision_by_key(&draft.agent, key)?
    {
        return Ok(Some(row));
    }
    let mut review = None;
    let whole = |row: &DecisionRow| books.decision(&row.id);
    for row in books.open_decisions(&draft.agent, &draft.digest)? {
        match row.stage {
            Stage::Executing => return whole(&row),
            Stage::Review => {
                let known = match &row.review {
                    Some(id) if review.is_none() => books.review(id)?,
                    _ => continue,
                };
                // A key goes on standing for its own review that is over, and for no other request.
                let is_keys = |known: &ReviewRow| {
                    let is_over = known.is_over(draft.scene.now.secs());
                    is_over && row.client_key().is_some()
                };
                if known.is_some_and(|known| is_covered(&known, draft) && !is_keys(&known)) {
                    review = Some(row);
                }
            }
            Stage::Final => {
                let attempt = books.attempt(&row.attempt)?;
                if attempt.is_some_and(|attempt| stands(&attempt, draft.scene.now)) {
                    return whole(&row);
                }
            }
        }
    }
    match &review {
        Some(row) => whole(row),
        None => Ok(None),
    }
}

/// Looks at the review that a decision waits for: the answer, unless it is to be judged again.
pub(super) fn resume<B: Rows>(
    books: &B,
    receipts: &Receipts,
    draft: &mut Draft<'_>,
    mut row: DecisionRow,
    challenge: &Challenge,
) -> Result<Option<Decision>, B::Error> {
    let now = draft.scene.now.secs();
    let review = books.review_of(&row)?;
    let Some(mut review) = review else {
        draft.waiting = Some((row, None));
        return Ok(None);
    };
    let is_over = now >= review.expires;
    let is_keyed = row.client_key().is_some();
    let is_covered = is_covered(&review, draft);
    let may = matches!(review.verdict, Verdict::Open | Verdict::Approved);
    if is_keyed && may && !is_over && !is_covered {
        return Ok(Some(Decision::reply(refused::conflict())));
    }
    let same = is_covered && challenge.offers.iter().any(|offer| is_offered(&review, offer));
    match review.verdict {
        Verdict::Open if !is_over && same => Ok(Some(Decision::reply(receipts.reply(&row)))),
        Verdict::Approved if !is_over && same => {
            draft.waiting = Some((row, Some(review)));
            Ok(None)
        }
        Verdict::Open | Verdict::Approved => {
            let is_keyed = row.key.is_some();
            let was_approved = review.verdict == Verdict::Approved;
            let reason = if was_approved { LAPSED } else { UNANSWERED };
            review.verdict = Verdict::Expired;
            draft.changes.push(Change::Review(Box::new(review)));
            if !is_over {
                // Other terms: judged anew, under the same name.
                draft.waiting = Some((row, None));
                return Ok(None);
            }
            DecisionAnswer::new("deny", "policy_denied", reason).write(&mut row, now);
            // A key is told once, and asks a person again: no one has said no.
            let stays = is_keyed;
            row.stage = if stays { Stage::Review } else { Stage::Final };
            row.open = false;
            row.url = brief(&row.url);
            let reply = receipts.reply(&row);
            draft.changes.push(Change::Decision(Box::new(row)));
            if !is_keyed {
                // Without a key it is asked anew.
                return Ok(None);
            }
            let changes = core::mem::take(&mut draft.changes);
            Ok(Some(Decision { answer: Answer::Reply(reply), changes }))
        }
        Verdict::Denied | Verdict::Used | Verdict::Expired => {
            draft.waiting = Some((row, None));
            Ok(None)
        }
    }
}

/// Keeps a decision that a person has to look at.
pub(super) fn begin_review(
    receipts: &Receipts,
    review_secs: u64,
    mut draft: Draft<'_>,
    offer: &Offer,
) -> Decision {
    let scene = draft.scene;
    let now = scene.now;
    let mut row = draft.row(Some(offer));
    let (reviewed, mut changes) = (draft.reviewed, draft.changes);
    row.review = Some(draft.fresh.review.clone());
    (row.stage, row.open) = (Stage::Review, true);
    DecisionAnswer::new("deny", "policy_review_required", REVIEW).write(&mut row, now.secs());
    let review = ReviewRow {
        id: draft.fresh.review.clone(),
        decision: row.id.clone(),
        agent: row.agent.clone(),
        request: row.request.clone(),
        terms: row.terms.clone(),
        method: row.method.clone(),
        url: row.url.clone(),
        amount: row.amount.clone().unwrap_or_default(),
        asset: offer.asset.symbol.clone(),
        payee: offer.pay_to.to_checksum(),
        network: offer.asset.network.to_string(),
        verdict: Verdict::Open,
        created: now.secs(),
        expires: now.plus(review_secs).secs(),
        decided: None,
        covers: reviewed.covers,
        timeout: offer.max_timeout_secs,
        headers: reviewed.headers,
        headers_cut: reviewed.headers_cut,
        body: reviewed.body,
        body_cut: reviewed.body_cut,
    };
    let notice = review_notice("review.created", &review, scene);
    let reply = receipts.reply(&row);
    changes.push(Change::Review(Box::new(review)));
    changes.push(Change::Decision(Box::new(row)));
    changes.push(Change::Outbox(notice));
    Decision { answer: Answer::Reply(reply), changes }
}
