//! A payment that delivered nothing: whoever asks for it again has the same bytes sent again, and
//! signs no other. A status never says whether money moved.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::Value;

use crate::answer::{DecisionAnswer, EXECUTING, FAILED};
use crate::books::{Change, Rows};
use crate::message::Answer;
use crate::outcome::Outcome;
use crate::recover::MARGIN_SECS;
use crate::row::{AttemptRow, DecisionRow, Money, Parcel, ReceiptFacts, Stage};
use crate::{Decision, Now, SLACK_SECS, Treasury};
use farebox_base::encoding::json;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;

/// Seconds for which a payment that the chain shows, and that delivered nothing, answers the same
/// request without a client's key: then it is a new purchase.
const UNDELIVERED_SECS: u64 = 86_400;
/// Seconds after the end of an authorization in which it may still be in a block.
const END_SLACK_SECS: u64 = 60;

/// Why nothing more is learnt of a payment whose network has no node.
pub(crate) const NO_NODE: &str = "no_node";

/// Whether an outcome leaves a purchase open: the money may move, or has, and nothing was delivered.
pub(crate) fn is_undelivered(outcome: &str) -> bool {
    let names = ["inconclusive", "execution_failed", "paid_fulfillment_failed"];
    let names = if planted(Mutant::RefusalsEndPurchases) { &names[..1] } else { &names };
    names.contains(&outcome)
}

/// Whether an attempt that delivered nothing still stands for its request.
pub(crate) fn stands(attempt: &AttemptRow, now: UnixTime) -> bool {
    let since = |start: u64, secs: u64| now.secs() < start.saturating_add(secs);
    match attempt.money {
        Money::Void => false,
        // Without a node nothing more is learnt of an authorization that has ended.
        Money::Reserved | Money::Signed => {
            let is_read = attempt.due.is_some() && attempt.why.as_deref() != Some(NO_NODE);
            is_read || since(attempt.valid_before, END_SLACK_SECS)
        }
        Money::Spent => {
            since(attempt.counted, UNDELIVERED_SECS) && !planted(Mutant::ConfirmedIsDelivered)
        }
    }
}

/// When the request of a payment that delivered nothing leaves.
pub(crate) fn end_of(attempt: &AttemptRow) -> Option<u64> {
    match attempt.money {
        Money::Signed => Some(attempt.valid_before.saturating_add(END_SLACK_SECS)),
        Money::Spent => Some(attempt.counted.saturating_add(UNDELIVERED_SECS)),
        Money::Reserved | Money::Void => None,
    }
}

/// Whether a merchant may still take its bytes: those of what has moved it knows.
fn can_be_sent(attempt: &AttemptRow, now: UnixTime) -> bool {
    match attempt.money {
        Money::Signed => now.plus(MARGIN_SECS).secs() < attempt.valid_before,
        Money::Spent => true,
        Money::Reserved | Money::Void => false,
    }
}

impl Treasury {
    /// Answers a request by the decision that it belongs to: as before, or by sending its payment
    /// again.
    pub(crate) fn continued<B: Rows>(
        &self,
        books: &B,
        mut decision: DecisionRow,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let is_over = decision.stage != Stage::Final || !decision.open || decision.is_payout();
        let attempt = books.attempt(&decision.attempt)?;
        let attempt = attempt.filter(|it| stands(it, scene.now) && can_be_sent(it, scene.now));
        let parcel = books.parcel(&decision.attempt)?;
        // Of a request without an answer no one knows what the merchant has done, but that it may be
        // asked for twice.
        let is_safe = |parcel: &Parcel| {
            matches!(parcel.method.as_str(), "GET" | "HEAD")
                || decision.outcome != "inconclusive"
                || planted(Mutant::PostsAreRepeated)
        };
        let parcel = parcel.filter(is_safe);
        let (false, Some(mut attempt), Some(parcel)) = (is_over, attempt, parcel) else {
            return Ok(Decision::reply(self.reply(&decision)));
        };
        // Whoever held it holds it no more.
        attempt.fence = attempt.fence.saturating_add(1);
        attempt.resends = attempt.resends.saturating_add(1);
        attempt.lease = Some(scene.now.plus(self.send_secs).plus(SLACK_SECS).secs());
        attempt.due = attempt.lease;
        decision.stage = Stage::Executing;
        DecisionAnswer::new("executing", "payment_execution_in_progress", EXECUTING)
            .write(&mut decision, scene.now.secs());
        let order = self.order(&attempt, &parcel, scene.now);
        let changes = [Change::Attempt(Box::new(attempt)), Change::Decision(Box::new(decision))];
        Ok(Decision { answer: Answer::Send(Box::new(order)), changes: Vec::from(changes) })
    }

    /// Adds the receipt of what the chain shows to a decision that delivered nothing.
    pub(crate) fn shows(&self, decision: &mut DecisionRow, attempt: &AttemptRow, scene: Now<'_>) {
        let is_shown = attempt.receipt.as_ref().is_some_and(|receipt| receipt.on_chain);
        if !is_shown || !decision.open || planted(Mutant::KeysNeverShowReceipts) {
            return;
        }
        let request = (decision.method.as_str(), decision.url.as_str());
        let receipt = self.receipt(scene.organization, request, attempt);
        let body = json::parse_with(decision.body.as_bytes(), usize::MAX).ok();
        let Some((receipt, Some(mut body))) = receipt.zip(Some(body)) else { return };
        if let Some(members) = body.as_object_mut() {
            members.insert("receipt".into(), receipt);
            decision.body = Value::Object(core::mem::take(members)).to_string();
        }
    }
}

/// What is said of a payment that was sent again: what was known to have moved stays known.
pub(super) fn known(outcome: Outcome, attempt: &AttemptRow) -> Outcome {
    let is_paid = attempt.receipt.as_ref().is_some_and(|it| it.transaction().is_some());
    if !is_paid || outcome.has_receipt || planted(Mutant::RepeatsForgetReceipts) {
        return outcome;
    }
    let code = "merchant_execution_failed";
    Outcome { evidence: outcome.evidence, ..Outcome::of("paid_fulfillment_failed", code, FAILED) }
}

/// The receipt after another answer: what the chain shows, a merchant's word does not replace.
pub(super) fn told(known: Option<ReceiptFacts>, outcome: &Outcome, now: u64) -> ReceiptFacts {
    let fresh = ReceiptFacts::told(outcome.transaction.clone(), outcome.fulfillment, now);
    match known {
        Some(known) if known.on_chain || fresh.transaction.is_none() => {
            ReceiptFacts { fulfillment: fresh.fulfillment, completed: fresh.completed, ..known }
        }
        Some(_) | None => fresh,
    }
}
