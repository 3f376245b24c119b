//! The claim of the exchange to money that the gate owes: its gate leaves it to the exchange before
//! anything is paid for it, and hears where it went.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde_json::Value;

use super::kernel::{Decision, Now};
use super::message::{Answer, Errand, PayoutAnswer, PayoutCall};
use super::records::Change;
use super::row::{HoldRow, Leave, RefundClaim};
use super::stuck::{MAX_REPORTS, pause_ms};
use farebox_base::encoding::json;

/// Milliseconds in which the Worker that asks the treasury or the gate has to report.
pub(super) const LEASE_MS: u64 = 30_000;

/// The gate's answer about a payment that it owes.
pub(super) enum GateLeave {
    /// It leaves it to the exchange; whether it owed it.
    Granted { owed: bool },
    /// It knows nothing of it: it keeps it no longer, or no token opens its refunds.
    Unknown,
    /// It was paid back or waived there.
    Ended,
    /// It does not owe it: its buyer was served, or is.
    Other,
    /// It owes it, and someone there has begun.
    Begun,
    /// It does not leave it now: the payment may still be served there.
    Later,
    /// It has not said.
    Silent,
}

pub(super) fn read_leave(answer: Option<&PayoutAnswer>) -> GateLeave {
    let Some(answer) = answer else { return GateLeave::Silent };
    let body = json::parse(answer.body.as_bytes()).unwrap_or(Value::Null);
    let text = |name| body.get(name).and_then(Value::as_str);
    match (answer.status, text("code"), text("state")) {
        // Of what is on its way to its buyer there is no debt.
        (200, _, Some(state)) => GateLeave::Granted { owed: state != "delivering" },
        (404, Some("not_found"), _) => GateLeave::Unknown,
        (409, Some("refund_ended"), _) => GateLeave::Ended,
        (409, Some("wrong_state"), _) => GateLeave::Other,
        (409, Some("refund_begun" | "refund_restored"), _) => GateLeave::Begun,
        (409, _, _) => GateLeave::Later,
        _ => GateLeave::Silent,
    }
}

/// Asks the gate to leave a payment to the exchange. A payment that was taken here has its end here,
/// also for a gate that was restored since; of one of which the gate alone has told, or has told that
/// it was paid back there or is to be, a restored gate may have forgotten how it ended. Of what is sold the
/// gate hears that one word, whatever was heard before.
pub(super) fn write_claim(hold: &HoldRow) -> PayoutCall {
    let sold = hold.is_sold();
    let is_told = hold.owed && !sold;
    let restored = !is_told && !hold.begun && !hold.is_left();
    PayoutCall::Refunding { payment: hold.payment.clone(), restored, sold }
}

/// Tells the gate where the money went, so that it owes it no longer. By which unknown transaction it
/// went back a person alone can tell it, and it is asked whether they have.
pub(super) fn report_end(hold: HoldRow, tick: Now<'_>) -> Decision {
    let is_unnamed = hold.lacks_transaction();
    // Where the gate said that it had ended there, nothing has moved here.
    let is_silent = hold.claim == RefundClaim::Ended;
    if hold.looks >= MAX_REPORTS || is_unnamed && is_silent {
        let changes = Vec::from([Change::Hold(Box::new(HoldRow { due: None, ..hold }))]);
        return Decision { answer: Answer::Done, changes };
    }
    let fence = hold.fence.saturating_add(1);
    let ask = match hold.state.leave() {
        Some(Leave::Release) => write_claim(&hold),
        Some(Leave::Refund) | None if is_unnamed => write_claim(&hold),
        Some(Leave::Refund) | None => PayoutCall::Refunded {
            payment: hold.payment.clone(),
            transaction: hold.transaction.clone(),
        },
    };
    let due = Some(tick.now.saturating_add(LEASE_MS).saturating_add(pause_ms(hold.looks)));
    let hold = HoldRow { looks: hold.looks.saturating_add(1), fence, due, asks_gate: true, ..hold };
    let answer = Answer::Errand(Box::new(Errand::about(&hold, ask)));
    Decision { answer, changes: Vec::from([Change::Hold(Box::new(hold))]) }
}

/// Takes the gate's answer about money that has gone. One of the treasury that comes again says
/// nothing of that.
pub(super) fn take_report(
    hold: HoldRow,
    leave: Leave,
    answer: Option<&PayoutAnswer>,
    tick: Now<'_>,
) -> Decision {
    if !hold.asks_gate {
        return Decision::told(Answer::Nothing);
    }
    let word = read_leave(answer);
    let is_unnamed = hold.lacks_transaction();
    let is_heard = match word {
        GateLeave::Granted { .. } | GateLeave::Unknown => true,
        GateLeave::Ended if is_unnamed => true,
        // Its buyer has fetched the answer since, or does so now: then the gate may take it later. That a
        // job was sold is true, and that it was paid back is the exchange's to tell.
        GateLeave::Other => {
            let is_last = hold.looks >= MAX_REPORTS;
            leave == Leave::Release || is_last && !hold.job.is_empty() || !hold.is_owed()
        }
        // Someone has paid it back there, or will: a person has to hear of that.
        GateLeave::Ended | GateLeave::Begun | GateLeave::Later | GateLeave::Silent => false,
    };
    let due = Some(tick.now.saturating_add(pause_ms(hold.looks))).filter(|_| !is_heard);
    let looks = if is_heard { 0 } else { hold.looks };
    let is_sold = is_heard && leave == Leave::Release;
    // A debt that the gate has no more is nobody's to report, once a person has heard of it.
    let was_told = hold.called;
    let is_over = is_heard && is_unnamed && was_told && !matches!(word, GateLeave::Granted { .. });
    let claim = match (is_sold, is_over) {
        (true, _) => RefundClaim::Granted,
        (false, true) => RefundClaim::Ended,
        (false, false) => hold.claim,
    };
    let row = HoldRow { due, looks, claim, ..hold };
    Decision { answer: Answer::Done, changes: Vec::from([Change::Hold(Box::new(row))]) }
}
