//! The strict reading of a facilitator's replies: only a positive, field-checked success is a
//! success; every doubt is an unknown.

use alloc::borrow::ToOwned;
use alloc::string::String;

use serde_json::{Map, Value};

use super::doubt::{is_over, names_error, says_something};
use super::reason::{self, is_definite};
use super::reply::{FacilitatorReply, MAX_REPLY_BYTES};
use super::wire::Expected;
use farebox_base::amount::Amount;
use farebox_base::text::cut;
use farebox_common::payment::{Cause, TxHash};
use farebox_evm::address::Address;

/// Maximum length of a reason that is passed on, characters.
const MAX_REASON: usize = 128;

/// Result of `verify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyOutcome {
    /// It would settle.
    Valid,
    /// It would not settle, and nothing was submitted.
    Refused(String),
    /// The nonce is used: someone may have submitted this authorization.
    Submitted(String),
    /// It refuses the gate itself, and has not looked at the payment.
    KeyRefused,
    /// No usable answer.
    Unavailable,
}

/// Result of `settle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettleOutcome {
    /// Value moved in this transaction, according to the facilitator.
    Settled(TxHash),
    /// It owes the value, and moves it later in a transaction that it has not named: no proof
    /// except under scheme `aggr_deferred`. Spec: OKX API, "Settle".
    Pending,
    /// Certainly nothing was submitted.
    Refused(String),
    /// Anything else, with the transaction that the facilitator named, if it is well-formed.
    Unknown(Option<TxHash>),
}

/// Reads the reply to `verify`.
///
/// # Examples
/// ```
/// use farebox_base::amount::Amount;
/// use farebox_wire::facilitator::reply::FacilitatorReply;
/// use farebox_wire::facilitator::outcome::{VerifyOutcome, verify_outcome};
/// use farebox_wire::facilitator::wire::Expected;
/// let answer = |body: &str| FacilitatorReply::Answer { status: 200, is_json: true, body: body.into() };
/// let expected = Expected { payer: None, network: "base".into(), amount: Amount::from_u64(10_000) };
/// assert_eq!(verify_outcome(&answer(r#"{"isValid":true}"#), &expected), VerifyOutcome::Valid);
/// let refused = answer(r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#);
/// assert_eq!(verify_outcome(&refused, &expected), VerifyOutcome::Refused("insufficient_funds".into()));
/// assert_eq!(verify_outcome(&FacilitatorReply::Nothing, &expected), VerifyOutcome::Unavailable);
/// ```
#[must_use]
pub fn verify_outcome(reply: &FacilitatorReply, expected: &Expected) -> VerifyOutcome {
    if let FacilitatorReply::CachedRefusal(reason) = reply {
        return VerifyOutcome::Refused(reason.clone());
    }
    if reply.refuses_key() {
        return VerifyOutcome::KeyRefused;
    }
    let Some((status, object)) = reply.object(MAX_REPLY_BYTES) else {
        return VerifyOutcome::Unavailable;
    };
    match object.get("isValid").and_then(Value::as_bool) {
        Some(true) if (200..300).contains(&status) && payer_agrees(&object, expected) => {
            VerifyOutcome::Valid
        }
        Some(false) if status < 500 => {
            let reason = words(&object, "invalidReason");
            if speaks_of_submission(&reason) {
                VerifyOutcome::Submitted(reason)
            } else {
                VerifyOutcome::Refused(reason)
            }
        }
        _ => VerifyOutcome::Unavailable,
    }
}

/// Reads the reply to `settle`.
///
/// # Examples
/// ```
/// use farebox_base::amount::Amount;
/// use farebox_common::payment::TxHash;
/// use farebox_wire::facilitator::outcome::{SettleOutcome, settle_outcome};
/// use farebox_wire::facilitator::{reply::FacilitatorReply, wire::Expected};
/// let expected = Expected { payer: None, network: "base".into(), amount: Amount::from_u64(10_000) };
/// let hash = format!("0x{}", "ab".repeat(32));
/// let settled = |network| {
///     let body = format!(r#"{{"success":true,"transaction":"{hash}","network":"{network}"}}"#);
///     settle_outcome(&FacilitatorReply::Answer { status: 200, is_json: true, body }, &expected)
/// };
/// assert_eq!(settled("base"), SettleOutcome::Settled(TxHash::parse(&hash).unwrap()));
/// // A success on another network proves nothing, and neither does silence.
/// assert_eq!(settled("base-sepolia"), SettleOutcome::Unknown(TxHash::parse(&hash)));
/// assert_eq!(settle_outcome(&FacilitatorReply::Nothing, &expected), SettleOutcome::Unknown(None));
/// ```
#[must_use]
pub fn settle_outcome(reply: &FacilitatorReply, expected: &Expected) -> SettleOutcome {
    let Some((status, object)) = reply.object(MAX_REPLY_BYTES) else {
        return SettleOutcome::Unknown(None);
    };
    let named = object.get("transaction").and_then(Value::as_str).unwrap_or_default();
    let transaction = match expected.payer {
        Some(_) => TxHash::parse(named),
        None => TxHash::parse_any(named),
    };
    let agrees = payer_agrees(&object, expected)
        && object.get("network").and_then(Value::as_str) == Some(&expected.network)
        && amount_agrees(&object, expected);
    let is_unnamed = object.get("transaction").is_some_and(|it| it == "");
    match (object.get("success").and_then(Value::as_bool), transaction) {
        (Some(true), Some(hash)) if agrees && stands(status, &object) && !names_error(&object) => {
            SettleOutcome::Settled(hash)
        }
        (success, None)
            if (200..300).contains(&status)
                && (success == Some(true))
                && agrees
                && is_unnamed
                && waits(&object) =>
        {
            SettleOutcome::Pending
        }
        (Some(false), None) if status < 500 && is_refused(&object) => {
            SettleOutcome::Refused(words(&object, "errorReason"))
        }
        (_, hash) => SettleOutcome::Unknown(hash),
    }
}

/// Whether a failed settlement proves that nothing was submitted: it names no transaction, and a
/// reason that facilitators give only before they broadcast.
#[must_use]
pub fn is_refused(settlement: &Map<String, Value>) -> bool {
    let text = |name: &str| settlement.get(name).and_then(Value::as_str).unwrap_or_default();
    settlement.get("success") == Some(&false.into())
        && text("transaction").is_empty()
        && is_definite(&words(settlement, "errorReason"))
}

/// Whether a reply to `settle` says that it was not done, and names no transaction; its reason may
/// prove nothing.
#[must_use]
pub fn declines(reply: &FacilitatorReply) -> bool {
    reply.object(MAX_REPLY_BYTES).is_some_and(|(status, object)| {
        let hash = object.get("transaction").and_then(Value::as_str).unwrap_or_default();
        status < 500 && object.get("success") == Some(&false.into()) && hash.is_empty()
    })
}

/// Whether a reply that affirms something may be believed: it has a status of success, and does not
/// say that it waits for a transaction.
#[must_use]
pub fn stands(status: u16, object: &Map<String, Value>) -> bool {
    (200..300).contains(&status) && is_over(object)
}

/// Whether a reply to `settle` says that it was done, and nothing against that.
#[must_use]
pub fn affirms(reply: &FacilitatorReply) -> bool {
    reply.object(MAX_REPLY_BYTES).is_some_and(|(status, object)| {
        stands(status, &object)
            && !names_error(&object)
            && object.get("success") == Some(&true.into())
    })
}

/// The reason, if a reply says that the payer has too little and that nothing was submitted.
#[must_use]
pub fn lacks_funds(reply: &FacilitatorReply) -> Option<String> {
    // Searches the text before parsing: ordinary replies do not mention funds.
    let FacilitatorReply::Answer { status, body, .. } = reply else { return None };
    if *status >= 500 || !body.contains("insufficient") {
        return None;
    }
    let (_, object) = reply.object(MAX_REPLY_BYTES)?;
    let says = |name: &str| object.get(name).and_then(Value::as_bool) == Some(false);
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let reason = match (says("isValid"), says("success")) {
        (true, false) => text("invalidReason"),
        (false, true) if text("transaction").is_empty() => text("errorReason"),
        _ => return None,
    };
    (reason::cause(reason) == Cause::Funds).then(|| reason.to_owned())
}

/// The reason, if a reply to `settle` says that the authorization was used before.
#[must_use]
pub fn was_used_before(reply: &FacilitatorReply) -> Option<String> {
    let (_, object) = reply.object(MAX_REPLY_BYTES)?;
    let failed = object.get("success").and_then(Value::as_bool) == Some(false);
    let reason = words(&object, "errorReason");
    (failed && reason::cause(&reason) == Cause::Replayed).then_some(reason)
}

/// Whether the reply says nothing else about a transaction than that it waits for one, and names
/// no error.
fn waits(object: &Map<String, Value>) -> bool {
    let waits = match object.get("status") {
        None | Some(Value::Null) => true,
        Some(status) => *status == "pending" || *status == "success",
    };
    // There is nothing else by which such a payment could be checked.
    let is_good = |code: &Value| code.is_null() || *code == 0 || *code == "0";
    let reason = object.get("reason").and_then(Value::as_str).unwrap_or_default();
    let is_clear = !says_something(reason);
    waits && object.get("code").is_none_or(is_good) && is_clear && !names_error(object)
}

/// Whether `payer` agrees: it may be absent or empty; otherwise it must match.
fn payer_agrees(object: &Map<String, Value>, expected: &Expected) -> bool {
    match object.get("payer") {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) if text.is_empty() => true,
        Some(Value::String(text)) => {
            expected.payer.is_none_or(|ours| Address::parse(text).is_ok_and(|payer| payer == ours))
        }
        Some(_) => false,
    }
}

/// Whether `amount` agrees: it may be absent or empty; otherwise it must be the price.
fn amount_agrees(object: &Map<String, Value>, expected: &Expected) -> bool {
    match object.get("amount") {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) if text.is_empty() => true,
        Some(Value::String(text)) => {
            Amount::from_atomic(text).is_ok_and(|amount| amount == expected.amount)
        }
        Some(_) => false,
    }
}

/// The reason as printable ASCII of bounded length; it goes into answers and logs.
fn words(object: &Map<String, Value>, name: &str) -> String {
    let text = object.get(name).and_then(Value::as_str).unwrap_or_default();
    let clean: String =
        text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MAX_REASON).collect();
    if clean.is_empty() { "unspecified".to_owned() } else { clean }
}

/// Whether a reason says that the authorization may have reached the chain.
#[must_use]
pub fn speaks_of_submission(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    let says = |text: &str, word| cut(text, word).is_some();
    let used = |rest: &str| says(rest, "used") && !says(rest, "unused");
    let after = |word| cut(&reason, word).is_some_and(|(_, rest)| used(rest));
    let words = ["already used", "already_used", "duplicate_settlement", "settlement_pending"];
    after("nonce") || after("authorization is ") || words.iter().any(|word| says(&reason, word))
}
