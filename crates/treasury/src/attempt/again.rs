//! A payment that delivered nothing: whoever asks for it again has the same bytes sent again, and
//! signs no other.

use alloc::boxed::Box;
use alloc::string::ToString;

use serde_json::Value;

use crate::answer::{DecisionAnswer, EXECUTING};
use crate::books::{Change, Rows};
use crate::keep::answers;
use crate::message::Answer;
use crate::row::{AttemptRow, DecisionRow, Parcel, Stage};
use crate::undelivered::{can_be_sent, stands};
use crate::{Decision, Now, SLACK_SECS, Treasury};
use farebox_base::encoding::json;
use farebox_base::mutant::{Mutant, planted};

impl Treasury {
    /// Answers a request by the decision that it belongs to: as before, or by sending its payment
    /// again.
    pub(crate) fn continued<B: Rows>(
        &self,
        books: &B,
        mut decision: DecisionRow,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        if decision.stage != Stage::Final || !decision.open || decision.is_payout() {
            return Ok(Decision::reply(self.reply(&decision)));
        }
        let attempt = books.attempt(&decision.attempt)?;
        let attempt = attempt.filter(|it| stands(it, scene.now) && can_be_sent(it, scene.now));
        // Of a request without an answer no one knows what the merchant has done, but that it may be
        // asked for twice.
        let is_safe = |parcel: &Parcel| {
            matches!(parcel.method.as_str(), "GET" | "HEAD")
                || decision.outcome != "inconclusive"
                || planted(Mutant::PostsAreRepeated)
        };
        let parcel = books.parcel(&decision.attempt)?.filter(is_safe);
        let (Some(mut attempt), Some(parcel)) = (attempt, parcel) else {
            return Ok(Decision::reply(self.reply(&decision)));
        };
        // Whoever held it holds it no more.
        attempt.fence = attempt.fence.saturating_add(1);
        attempt.resends = attempt.resends.saturating_add(1);
        attempt.lease = Some(scene.now.plus(self.send_secs).plus(SLACK_SECS).secs());
        attempt.due = attempt.lease;
        let mut changes = answers::taken(books, &mut decision)?;
        decision.stage = Stage::Executing;
        DecisionAnswer::new("executing", "payment_execution_in_progress", EXECUTING)
            .write(&mut decision, scene.now.secs());
        let order = self.order(&attempt, &parcel, scene.now);
        changes.push(Change::Attempt(Box::new(attempt)));
        changes.push(Change::Decision(Box::new(decision)));
        Ok(Decision { answer: Answer::Send(Box::new(order)), changes })
    }

    /// Adds the receipt of what the chain shows to a decision that delivered nothing.
    pub(crate) fn shows(&self, decision: &mut DecisionRow, attempt: &AttemptRow, scene: Now<'_>) {
        let is_shown = attempt.receipt.as_ref().is_some_and(|receipt| receipt.on_chain);
        if !is_shown || !decision.open || planted(Mutant::KeysNeverShowReceipts) {
            return;
        }
        let request = (decision.method.as_str(), decision.url.as_str());
        let receipt = self.receipt(scene.organization, request, attempt);
        let body = json::parse_with(decision.body.as_bytes(), usize::MAX);
        if let (Some(receipt), Ok(Value::Object(mut members))) = (receipt, body) {
            members.insert("receipt".to_string(), receipt);
            decision.body = Value::Object(members).to_string();
        }
    }
}
