//! Every reason of every known vocabulary is understood, and as a reader would from its words alone.

use crate::support::{cases, text};
use farebox_core::facilitator::reason::{cause, known};
use farebox_core::payment::Cause;
use serde_json::Value;

/// What the words of a reason say, where they say it clearly.
fn plain_reading(reason: &str) -> Option<Cause> {
    let has = |part: &str| reason.contains(part);
    let ends = |part: &str| reason.ends_with(part);
    if has("insufficient_funds") || ends("insufficient_balance") || ends("exceeds_balance") {
        Some(Cause::Funds)
    } else if ends("valid_before") || has("expired") || has("block_height_exceeded") {
        Some(Cause::Expired)
    } else if ends("valid_after") || ends("early") || has("not_yet_valid") {
        Some(Cause::Early)
    } else if has("broadcast") {
        Some(Cause::Trouble)
    } else if has("erc20_approval") {
        Some(Cause::Terms)
    } else if ends("_signature") || ends("signature_invalid") || has("parse_signature") {
        Some(Cause::Signature)
    } else if has("nonce") || has("duplicate") {
        Some(Cause::Replayed)
    } else if has("unexpected")
        || has("pending")
        || has("transaction_failed")
        || has("transaction_state")
        || has("deployment_failed")
        || has("read_failed")
        || has("busy")
    {
        Some(Cause::Trouble)
    } else if ends("network_mismatch") || ends("recipient_mismatch") || ends("amount_mismatch") {
        Some(Cause::Terms)
    } else if has("simulation") && !has("batch") {
        Some(Cause::Unknown)
    } else {
        None
    }
}

#[test]
fn every_known_reason_has_a_row_and_means_what_it_says() {
    let mut read = 0;
    for vocabulary in cases("x402/reasons", "cases") {
        let name = text(&vocabulary, "name").to_owned();
        for reason in vocabulary["input"]["reasons"].as_array().unwrap() {
            let reason = reason.as_str().unwrap();
            let found = known(reason).unwrap_or_else(|| panic!("{name}: {reason} is in no row"));
            assert!(reason.starts_with(&found), "{reason} is told as {found}");
            assert!(
                found.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
            if let Some(expected) = plain_reading(reason) {
                assert_eq!(cause(reason), expected, "{name}: {reason}");
                read += 1;
            }
        }
    }
    assert!(read > 80, "{read} reasons speak for themselves");
}

#[test]
fn what_is_said_behind_a_colon_is_for_people_and_unknown_words_mean_nothing() {
    assert_eq!(cause("insufficient_funds: 0xabc has 3"), Cause::Funds);
    assert_eq!(known("insufficient_funds: 0xabc has 3").as_deref(), Some("insufficient_funds"));
    for reason in
        ["", "whatever", "insufficient_funds_", "xinsufficient_funds", "INSUFFICIENT_FUNDS"]
    {
        assert_eq!((cause(reason), known(reason)), (Cause::Unknown, None), "{reason}");
    }
}

#[test]
fn the_names_of_causes_come_back() {
    for name in [
        "unpaid",
        "funds",
        "expired",
        "early",
        "signature",
        "terms",
        "replayed",
        "trouble",
        "unknown",
    ] {
        let cause = Cause::parse(name).unwrap();
        assert_eq!(cause.name(), name);
        assert_eq!(serde_json::to_value(cause).unwrap(), Value::from(name));
    }
    assert_eq!(Cause::parse("other"), None);
}
