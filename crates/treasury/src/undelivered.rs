//! Which payments are open, and for how long they stand for their requests: those that delivered
//! nothing, and those of a delivery without its receipt. A status never says whether money moved.

use crate::answer::{ALLOWED, FAILED};
use crate::outcome::Outcome;
use crate::row::{AttemptRow, DecisionRow, Money, NO_NODE, ReceiptFacts};
use farebox_base::time::UnixTime;

/// Seconds before the end of an authorization in which it is not sent any more.
pub(super) const MARGIN_SECS: u64 = 6;
/// Seconds for which a payment that the chain shows, and that delivered nothing, answers the same
/// request without a client's key: then it is a new purchase.
const UNDELIVERED_SECS: u64 = 86_400;
/// Seconds after the end of an authorization in which it may still be in a block.
const END_SLACK_SECS: u64 = 60;

/// Whether an outcome is a delivery.
pub(super) fn is_delivered(outcome: &str) -> bool {
    outcome == "allow"
}

/// Whether a purchase stays open after an outcome: only a delivery closes it whose receipt the
/// merchant has shown by then, or whose transfer the chain has confirmed.
pub(super) fn leaves_open(outcome: &Outcome, attempt: &AttemptRow) -> bool {
    let was_shown = attempt.receipt.as_ref().is_some_and(|it| it.evidence == ReceiptFacts::SHOWN);
    let is_proven = outcome.transaction.is_some() || was_shown || attempt.money == Money::Spent;
    let is_unproven = is_delivered(outcome.name) && !is_proven;
    is_undelivered(outcome.name) || is_unproven
}

/// Whether a purchase stays open once the chain has confirmed its transfer: it delivered nothing.
pub(super) fn outlasts_transfer(decision: &DecisionRow) -> bool {
    let is_undelivered = is_undelivered(&decision.outcome);
    decision.open && !decision.is_payout() && is_undelivered
}

/// Whether an outcome is that of a purchase that delivered nothing: the money may move, or has.
fn is_undelivered(outcome: &str) -> bool {
    let names = ["inconclusive", "execution_failed", "paid_fulfillment_failed"];
    let names = &names;
    names.contains(&outcome)
}

/// Whether an attempt that delivered nothing still stands for its request.
pub(super) fn stands(attempt: &AttemptRow, now: UnixTime) -> bool {
    let since = |start: u64, secs: u64| now.secs() < start.saturating_add(secs);
    match attempt.money {
        Money::Void => false,
        // Where there never was a node nothing more is learnt of an authorization that has ended.
        Money::Reserved | Money::Signed => {
            let may_be_read = attempt.why.as_deref() != Some(NO_NODE) || attempt.reads > 0;
            attempt.due.is_some() && may_be_read || since(attempt.valid_before, END_SLACK_SECS)
        }
        Money::Spent => since(attempt.counted, UNDELIVERED_SECS),
    }
}

/// When the request of a payment that delivered nothing leaves.
pub(super) fn end_of(attempt: &AttemptRow) -> Option<u64> {
    match attempt.money {
        Money::Signed => Some(attempt.valid_before.saturating_add(END_SLACK_SECS)),
        Money::Spent => Some(attempt.counted.saturating_add(UNDELIVERED_SECS)),
        Money::Reserved | Money::Void => None,
    }
}

/// Whether an open payment may be asked for again at its merchant: of a request without an answer no
/// one knows what the merchant has done, and of a delivery that it has, so that only what may be
/// asked for twice is. Who answered a repeat and delivered nothing may be asked like after a first refusal.
pub(super) fn may_repeat(decision: &DecisionRow) -> bool {
    let is_lost = decision.outcome == "inconclusive" && !decision.heard;
    let may_have_acted = is_delivered(&decision.outcome) || is_lost;
    matches!(decision.method.as_str(), "GET" | "HEAD") || !may_have_acted
}

/// Whether a merchant may still take its bytes: those of what has moved it knows.
pub(super) fn can_be_sent(attempt: &AttemptRow, now: UnixTime) -> bool {
    match attempt.money {
        Money::Signed => now.plus(MARGIN_SECS).secs() < attempt.valid_before,
        Money::Spent => true,
        Money::Reserved | Money::Void => false,
    }
}

/// The outcome of a payment that was sent again: one that was known to have moved, or to be
/// delivered, stays so.
pub(super) fn keep_known(
    outcome: Outcome,
    decision: &DecisionRow,
    attempt: &AttemptRow,
) -> Outcome {
    if is_delivered(&decision.outcome) && !is_delivered(outcome.name) {
        return Outcome {
            fulfillment: "succeeded",
            has_receipt: outcome.transaction.is_some(),
            transaction: outcome.transaction,
            is_conflict: outcome.is_conflict,
            is_repeated: true,
            ..Outcome::of("allow", "policy_allow", ALLOWED)
        };
    }
    let is_paid = attempt.receipt.as_ref().is_some_and(|it| it.transaction().is_some());
    if !is_paid || outcome.has_receipt {
        return outcome;
    }
    let code = "merchant_execution_failed";
    Outcome { evidence: outcome.evidence, ..Outcome::of("paid_fulfillment_failed", code, FAILED) }
}

/// The receipt after another answer: what the chain shows, a merchant's word does not replace.
pub(super) fn write_receipt(
    known: Option<ReceiptFacts>,
    outcome: &Outcome,
    now: u64,
) -> ReceiptFacts {
    let fresh = ReceiptFacts::of_answer(outcome.transaction.clone(), outcome.fulfillment, now);
    match known {
        Some(known) if known.on_chain || fresh.transaction.is_none() => {
            ReceiptFacts { fulfillment: fresh.fulfillment, completed: fresh.completed, ..known }
        }
        Some(_) | None => fresh,
    }
}
