//! The seven answers to a decision request.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use super::payout::answer;
use super::row::DecisionRow;
use farebox_base::amount::Amount;
use farebox_payer::client::asset::Asset;

/// The sentences of the contract's fixtures.
pub(super) const REVIEW: &str = "Blocked by policy. Review event created for operator follow-up.";
pub(super) const REJECTED: &str = "The merchant rejected the paid request after execution started.";
pub(super) const REJECTED_FOR_FUNDS: &str = "The merchant rejected the paid request after execution started: it says that the wallet holds too little.";
pub(super) const LOST: &str =
    "The merchant transport was lost before a final paid outcome was confirmed.";
pub(super) const FAILED: &str = "The merchant failed to execute the paid request.";
pub(super) const ALLOWED: &str = "Allowed by policy, and paid.";
pub(super) const UNPROVEN: &str =
    "Allowed by policy, and sent; the merchant delivered without a receipt of the payment.";
pub(super) const CONFLICT: &str =
    "The merchant delivered, and the settlement it names contradicts what was signed.";
pub(super) const EXECUTING: &str = "The payment for this request is being executed.";
pub(super) const NOT_SENT: &str =
    "The execution was interrupted before the payment was sent; nothing was paid.";

/// The header with what a payment needed and what there was, for programs.
pub(super) const FIGURES: &str = "farebox-figures";

/// The value of that header: amounts in atomic units of the asset.
pub(super) fn figures(required: Amount, available: Amount, asset: &Asset) -> String {
    let Asset { symbol, decimals, .. } = asset;
    format!("required={required}, available={available}, asset={symbol}, decimals={decimals}")
}

/// The content of an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct DecisionAnswer {
    pub outcome: &'static str,
    pub code: &'static str,
    pub reason: String,
    pub merchant: Option<Value>,
    pub receipt: Option<Value>,
    pub evidence: Option<Value>,
    /// Only of `paid_fulfillment_failed`.
    pub settlement: Option<&'static str>,
    /// Whether its review goes on.
    pub waits: bool,
    /// The amounts that the payment needed and that there were.
    pub figures: Option<String>,
}

impl DecisionAnswer {
    pub(super) fn new(outcome: &'static str, code: &'static str, reason: &str) -> Self {
        Self { outcome, code, reason: reason.to_string(), ..Self::default() }
    }

    /// Writes it into a decision.
    pub(super) fn write(self, row: &mut DecisionRow, now: u64) {
        if row.is_payout() {
            answer::put(row, self.outcome, self.reason, self.evidence);
            (row.figures, row.changed) = (self.figures, now);
            return;
        }
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_string(), value);
            }
        };
        let is_deny = self.outcome == "deny";
        put("outcome", Some(self.outcome.into()));
        put("paidRequestId", Some(row.id.as_str().into()));
        put("paymentAttemptId", (!is_deny).then(|| row.attempt.as_str().into()));
        put("reasonCode", Some(self.code.into()));
        put("reason", Some(self.reason.into()));
        put("merchantResponse", self.merchant);
        put("receipt", self.receipt);
        put("evidence", self.evidence);
        put("settlementEvidenceClass", self.settlement.map(Value::from));
        put("fulfillmentStatus", self.settlement.map(|_| "failed".into()));
        // By it a client knows that the approval of its key serves again.
        let waits = self.waits;
        let is_named = waits || self.code == "policy_review_required";
        let review = row.review.as_deref().filter(|_| is_named);
        put("policyReviewEventId", review.map(Value::from));
        row.outcome = self.outcome.to_string();
        row.code = self.code.to_string();
        row.body = Value::Object(body).to_string();
        row.figures = self.figures;
        row.changed = now;
    }
}

/// A merchant's answer in the words of the contract.
pub(super) fn merchant(status: u32, headers: Vec<(String, String)>, body: &str) -> Value {
    let mut fields = Map::new();
    for (name, value) in headers {
        fields.insert(name, value.into());
    }
    json!({"status": status.clamp(100, 599), "headers": fields, "body": body})
}
