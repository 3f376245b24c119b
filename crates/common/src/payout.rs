//! Answers of a treasury about a payout, as those read them who ask it to pay out: the exchange, and
//! the gate that pays its debts back. Spec: docs/treasury.md, "Payouts".

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use farebox_base::encoding::json;

/// The treasury's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutAnswer {
    /// HTTP status.
    pub status: u32,
    /// The body.
    pub body: String,
}

/// State of a payout, as an answer tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutState {
    /// It was sent.
    Sent(String),
    /// The chain has it.
    Confirmed(String),
    /// It never moves.
    Dead,
    /// It may have moved, or will.
    Open,
    /// No payout was made, or none is known to have been.
    Unknown,
}

/// Reads an answer, and the payout's id in it.
#[must_use]
pub fn read_answer(answer: &PayoutAnswer) -> (PayoutState, String) {
    let body = json::parse(answer.body.as_bytes()).unwrap_or(Value::Null);
    if !(200..=299).contains(&answer.status) {
        return (PayoutState::Unknown, String::new());
    }
    let text = |value: Option<&Value>| {
        value.and_then(Value::as_str).map(ToString::to_string).unwrap_or_default()
    };
    let id = text(body.get("id"));
    let evidence = body.get("evidence").and_then(|it| it.get("transaction"));
    let hash = text(body.get("transaction").or(evidence));
    let told = match (text(body.get("state")).as_str(), text(body.get("outcome")).as_str()) {
        ("confirmed", _) => PayoutState::Confirmed(hash),
        ("void", _) => PayoutState::Dead,
        ("", "sent") => PayoutState::Sent(hash),
        ("", "failed") => PayoutState::Dead,
        ("open", "sent") => PayoutState::Sent(hash),
        ("open" | "executing", _) | ("", "executing" | "refused" | "unknown") => PayoutState::Open,
        // An answer without a state is no payout: neither is its id that of one.
        _ => return (PayoutState::Unknown, String::new()),
    };
    (told, id)
}
