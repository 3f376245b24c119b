//! A payment that is open: whoever asks for it again has the same bytes sent again, and signs no
//! other.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::write_order;
use crate::answer::{DecisionAnswer, EXECUTING};
use crate::books::{Change, Rows};
use crate::keep::answers;
use crate::kernel::{Decision, Now, SendWindow};
use crate::message::Answer;
use crate::receipt::Receipts;
use crate::row::{DecisionRow, Parcel, Stage};
use crate::undelivered::{can_be_sent, is_delivered, stands};
use farebox_base::mutant::{Mutant, planted};

/// Answers a request by the decision that it belongs to: as before, or by sending its payment
/// again.
pub(crate) fn resend<B: Rows>(
    books: &B,
    receipts: &Receipts,
    window: SendWindow,
    mut decision: DecisionRow,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    if decision.stage != Stage::Final || !decision.open || decision.is_payout() {
        return Ok(Decision::reply(receipts.reply(&decision)));
    }
    let attempt = books.attempt(&decision.attempt)?;
    let attempt = attempt.filter(|it| stands(it, scene.now) && can_be_sent(it, scene.now));
    // Of a request without an answer no one knows what the merchant has done, and of a delivery
    // that it has: only what may be asked for twice is.
    let was_delivered = is_delivered(&decision.outcome);
    let may_have_acted = was_delivered || decision.outcome == "inconclusive";
    let is_safe = |parcel: &Parcel| {
        matches!(parcel.method.as_str(), "GET" | "HEAD")
            || !may_have_acted
            || planted(Mutant::PostsAreRepeated)
    };
    let parcel = books.parcel(&decision.attempt)?.filter(is_safe);
    let (Some(mut attempt), Some(parcel)) = (attempt, parcel) else {
        return Ok(Decision::reply(receipts.reply(&decision)));
    };
    // Whoever held it holds it no more.
    attempt.fence = attempt.fence.saturating_add(1);
    attempt.resends = attempt.resends.saturating_add(1);
    attempt.lease = Some(window.lease(scene.now));
    attempt.due = attempt.lease;
    decision.stage = Stage::Executing;
    let mut changes = Vec::new();
    // What was delivered is told until more is.
    if !was_delivered || planted(Mutant::RepeatsForgetDeliveries) {
        changes = answers::take_out(books, &mut decision)?;
        DecisionAnswer::new("executing", "payment_execution_in_progress", EXECUTING)
            .write(&mut decision, scene.now.secs());
    }
    let order = write_order(&attempt, &parcel, window, scene.now);
    changes.push(Change::Attempt(Box::new(attempt)));
    changes.push(Change::Decision(Box::new(decision)));
    Ok(Decision { answer: Answer::Send(Box::new(order)), changes })
}
