//! The strict reading of a facilitator's replies: only a positive, field-checked success is a
//! success; every doubt is an unknown.

use alloc::borrow::ToOwned;
use alloc::string::String;

use serde_json::{Map, Value};

use super::reason::{self, is_definite};
use super::reply::{FacilitatorReply, MAX_REPLY_BYTES};
use super::wire::Expected;
use crate::amount::Amount;
use crate::evm::address::Address;
use crate::payment::{Cause, TxHash};

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
    /// Certainly nothing was submitted.
    Refused(String),
    /// Anything else, with the transaction that the facilitator named, if it is well-formed.
    Unknown(Option<TxHash>),
}

/// Reads the reply to `verify`.
///
/// # Examples
/// ```
/// use farebox_core::{amount::Amount, facilitator::reply::FacilitatorReply};
/// use farebox_core::facilitator::outcome::{VerifyOutcome, verify_outcome};
/// use farebox_core::facilitator::wire::Expected;
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
/// use farebox_core::{amount::Amount, payment::TxHash};
/// use farebox_core::facilitator::outcome::{SettleOutcome, settle_outcome};
/// use farebox_core::facilitator::{reply::FacilitatorReply, wire::Expected};
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
        && amount_agrees(&object, expected)
        && is_over(&object);
    match (object.get("success").and_then(Value::as_bool), transaction) {
        (Some(true), Some(hash)) if (200..300).contains(&status) && agrees => {
            SettleOutcome::Settled(hash)
        }
        (Some(false), None) if status < 500 && named.is_empty() => {
            let reason = words(&object, "errorReason");
            if is_definite(&reason) {
                SettleOutcome::Refused(reason)
            } else {
                SettleOutcome::Unknown(None)
            }
        }
        (_, hash) => SettleOutcome::Unknown(hash),
    }
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

/// Whether the reply says that the transaction is still `pending`, or that waiting for it timed
/// out.
fn is_over(object: &Map<String, Value>) -> bool {
    let status = object.get("status").and_then(Value::as_str);
    !matches!(status, Some("pending" | "timeout"))
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
fn speaks_of_submission(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    let used = |rest: &str| rest.contains("used") && !rest.contains("unused");
    let after = |word: &str| reason.split_once(word).is_some_and(|(_, rest)| used(rest));
    after("nonce")
        || after("authorization is ")
        || reason.contains("already used")
        || reason.contains("already_used")
        || reason.contains("duplicate_settlement")
        || reason.contains("settlement_pending")
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::facilitator::reply::Health;

    const PAYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    const HASH: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

    fn expected() -> Expected {
        Expected {
            payer: Address::parse(PAYER).ok(),
            network: "eip155:84532".to_owned(),
            amount: Amount::from_u64(10_000),
        }
    }

    fn settle(status: u16, body: &str) -> SettleOutcome {
        let reply = FacilitatorReply::Answer { status, is_json: true, body: body.to_owned() };
        settle_outcome(&reply, &expected())
    }

    fn success(change: &str, with: &str) -> String {
        format!(
            r#"{{"success":true,"transaction":"{HASH}","network":"eip155:84532","payer":"{PAYER}"}}"#
        )
        .replace(change, with)
    }

    #[test]
    fn only_a_success_whose_every_field_agrees_is_a_settlement() {
        let hash = TxHash::parse(HASH).unwrap();
        assert_eq!(settle(200, &success("", "")), SettleOutcome::Settled(hash));
        let lower = PAYER.to_ascii_lowercase();
        assert_eq!(settle(200, &success(PAYER, &lower)), SettleOutcome::Settled(hash));
        let doubts = [
            (200, success("84532", "8453")),
            (200, success(PAYER, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")),
            (200, success(r#""network""#, r#""amount":"9999","network""#)),
            (200, success(r#""network""#, r#""amount":10000,"network""#)),
            (500, success("", "")),
            (302, success("", "")),
            (200, success(r#""success":true"#, r#""success":"true""#)),
            (200, success(r#""success":true,"#, "")),
        ];
        for (status, body) in doubts {
            assert_eq!(
                settle(status, &body),
                SettleOutcome::Unknown(Some(hash)),
                "{status} {body}"
            );
        }
        let hashless = [
            success(HASH, ""),
            success(HASH, "0x1234"),
            success(HASH, "pending"),
            success(&format!(r#""transaction":"{HASH}","#), ""),
            success(r#""success":true"#, r#""success":true,"success":true"#),
            "[]".to_owned(),
            "<html>".to_owned(),
        ];
        for body in hashless {
            assert_eq!(settle(200, &body), SettleOutcome::Unknown(None), "{body}");
        }
    }

    #[test]
    fn a_settle_refusal_is_believed_only_for_reasons_given_before_a_broadcast() {
        let refusal = |reason: &str, transaction: &str| {
            format!(
                r#"{{"success":false,"errorReason":"{reason}","transaction":"{transaction}","network":"eip155:84532"}}"#
            )
        };
        for status in [200, 400, 402] {
            assert_eq!(
                settle(status, &refusal("insufficient_funds", "")),
                SettleOutcome::Refused("insufficient_funds".to_owned())
            );
        }
        for reason in [
            "settlement_pending",
            "duplicate_settlement",
            "invalid_exact_evm_nonce_already_used",
            "invalid_transaction_state",
            "unexpected_settle_error",
            "invalid_exact_evm_transaction_failed",
            "whatever",
            "",
        ] {
            assert_eq!(settle(200, &refusal(reason, "")), SettleOutcome::Unknown(None), "{reason}");
        }
        let hash = TxHash::parse(HASH);
        assert_eq!(settle(200, &refusal("insufficient_funds", HASH)), SettleOutcome::Unknown(hash));
        assert_eq!(settle(500, &refusal("insufficient_funds", "")), SettleOutcome::Unknown(None));
    }

    #[test]
    fn a_settlement_that_goes_on_behind_the_answer_is_unknown() {
        let hash = TxHash::parse(HASH).unwrap();
        for (status, outcome) in [
            ("success", SettleOutcome::Settled(hash)),
            ("pending", SettleOutcome::Unknown(Some(hash))),
            ("timeout", SettleOutcome::Unknown(Some(hash))),
        ] {
            let body = success("{", &format!(r#"{{"status":"{status}","#));
            assert_eq!(settle(200, &body), outcome, "{status}");
        }
    }

    #[test]
    fn an_envelope_is_opened_where_it_says_that_all_is_well() {
        let hash = TxHash::parse(HASH).unwrap();
        for (code, outcome) in [
            (r#""0""#, SettleOutcome::Settled(hash)),
            ("0", SettleOutcome::Settled(hash)),
            (r#""50011""#, SettleOutcome::Unknown(None)),
            ("1", SettleOutcome::Unknown(None)),
            ("null", SettleOutcome::Unknown(None)),
        ] {
            let body = format!(r#"{{"code":{code},"msg":"","data":{}}}"#, success("", ""));
            assert_eq!(settle(200, &body), outcome, "{code}");
        }
        let bare = format!(r#"{{"data":{}}}"#, success("", ""));
        assert_eq!(settle(200, &bare), SettleOutcome::Unknown(None));
    }

    #[test]
    fn a_refused_key_is_told_from_a_refused_payment_by_what_the_answer_says() {
        let verify = |status, is_json, body: &str| {
            let reply = FacilitatorReply::Answer { status, is_json, body: body.to_owned() };
            (verify_outcome(&reply, &expected()), reply.health())
        };
        let refused = (VerifyOutcome::KeyRefused, Health::Bad);
        for status in [401, 403] {
            assert_eq!(verify(status, true, r#"{"error":"unauthorized"}"#), refused);
            assert_eq!(verify(status, true, r#"{"isValid":"false"}"#), refused);
            assert_eq!(verify(status, true, r#"{"code":"50103","msg":"","data":null}"#), refused);
            assert_eq!(verify(status, false, "<html>"), refused);
            assert_eq!(verify(status, false, r#"{"isValid":false}"#), refused);
            let no = r#"{"isValid":false,"invalidReason":"invalid_signature"}"#;
            let payment = VerifyOutcome::Refused("invalid_signature".to_owned());
            assert_eq!(verify(status, true, no), (payment, Health::Good));
        }
        for status in [400, 402, 404, 429, 500] {
            let (outcome, _) = verify(status, true, r#"{"error":"unauthorized"}"#);
            assert_eq!(outcome, VerifyOutcome::Unavailable, "{status}");
        }
        assert_eq!(
            verify_outcome(&FacilitatorReply::Unsigned, &expected()),
            VerifyOutcome::KeyRefused
        );
        assert_eq!(settle(401, r#"{"error":"unauthorized"}"#), SettleOutcome::Unknown(None));
    }

    #[test]
    fn verify_is_believed_only_in_whole_replies() {
        let verify = |status, body: &str| {
            let reply = FacilitatorReply::Answer { status, is_json: true, body: body.to_owned() };
            verify_outcome(&reply, &expected())
        };
        assert_eq!(verify(200, r#"{"isValid":true}"#), VerifyOutcome::Valid);
        assert_eq!(verify(500, r#"{"isValid":true}"#), VerifyOutcome::Unavailable);
        assert_eq!(verify(200, r#"{"isValid":1}"#), VerifyOutcome::Unavailable);
        assert_eq!(verify(200, r#"{"valid":true}"#), VerifyOutcome::Unavailable);
        assert_eq!(
            verify(200, r#"{"isValid":true,"payer":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}"#),
            VerifyOutcome::Unavailable
        );
        assert_eq!(
            verify(400, r#"{"isValid":false,"invalidReason":"invalid_signature\r\n","payer":""}"#),
            VerifyOutcome::Refused("invalid_signature".to_owned())
        );
        assert_eq!(
            verify(
                200,
                r#"{"isValid":false,"invalidReason":"invalid_exact_evm_nonce_already_used"}"#
            ),
            VerifyOutcome::Submitted("invalid_exact_evm_nonce_already_used".to_owned())
        );
        let html = FacilitatorReply::Answer {
            status: 200,
            is_json: false,
            body: r#"{"isValid":true}"#.to_owned(),
        };
        assert_eq!(verify_outcome(&html, &expected()), VerifyOutcome::Unavailable);
        assert_eq!(
            verify_outcome(&FacilitatorReply::Nothing, &expected()),
            VerifyOutcome::Unavailable
        );
    }
}
