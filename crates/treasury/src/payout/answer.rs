//! The answer under the key of a payout.

use alloc::string::{String, ToString};

use serde_json::{Value, json};

use crate::row::DecisionRow;

pub(super) const SENT: &str =
    "The facilitator says that it settled the payout; the chain confirms it.";
pub(super) const REFUSED: &str =
    "The facilitator refused the payout; it stays counted until its authorization ends.";
const UNKNOWN: &str = "No usable answer came; the chain tells what became of the payout.";
const EXECUTING: &str = "The payout is being executed.";
const FAILED: &str = "Nothing was sent; nothing moves.";

/// The outcomes that [`put`] writes.
pub(super) const OUTCOMES: [&str; 5] = ["executing", "sent", "refused", "unknown", "failed"];

/// Writes into a payout what a decision with this outcome answers.
pub(crate) fn put(row: &mut DecisionRow, outcome: &str, reason: String, evidence: Option<Value>) {
    let was_never_sent = evidence.as_ref().is_some_and(|it| it.get("sent").is_some());
    let (outcome, reason) = match outcome {
        "executing" => ("executing", EXECUTING.to_string()),
        "allow" => ("sent", reason),
        "execution_failed" if was_never_sent => ("failed", FAILED.to_string()),
        "execution_failed" => ("refused", reason),
        "inconclusive" => ("unknown", UNKNOWN.to_string()),
        _ => ("failed", reason),
    };
    let body = json!({
        "id": row.id,
        "outcome": outcome,
        "reason": reason,
        "idempotencyKey": row.client_key(),
        "evidence": evidence,
    });
    (row.outcome, row.code) = (outcome.to_string(), "payout".to_string());
    row.body = body.to_string();
}
