//! Replies of facilitators: what they prove is in them, and nothing beside them says otherwise.

use std::mem::discriminant;

use farebox_core::amount::Amount;
use farebox_core::chain::ChainId;
use farebox_core::evm::address::Address;
use farebox_core::facilitator::outcome::{
    SettleOutcome, VerifyOutcome, affirms, declines, settle_outcome, verify_outcome,
};
use farebox_core::facilitator::reply::FacilitatorReply;
use farebox_core::facilitator::supported::{Sold, Supported};
use farebox_core::facilitator::wire::Expected;
use farebox_core::time::UnixTime;
use serde_json::{Map, Value};

use super::support::text;
use crate::driver::notes::met;

const STATUSES: [u16; 9] = [200, 201, 204, 302, 400, 402, 429, 500, 503];
const PAYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// The status by the first byte, then the body.
fn reply(bytes: &[u8]) -> Option<(u16, &str)> {
    let (status, body) = bytes.split_first()?;
    Some((STATUSES[usize::from(*status) % STATUSES.len()], text(body)?))
}

fn answer(status: u16, body: &str) -> FacilitatorReply {
    FacilitatorReply::Answer { status, is_json: true, body: body.to_owned() }
}

fn expected() -> Expected {
    Expected {
        payer: Address::parse(PAYER).ok(),
        network: "eip155:84532".to_owned(),
        amount: Amount::from_u64(10_000),
    }
}

/// The members of a reply as another reader has them: an envelope's content is the reply.
fn members(body: &str) -> Map<String, Value> {
    let Ok(Value::Object(outer)) = serde_json::from_str(body) else { panic!("no object: {body}") };
    let is_envelope = outer.get("code").is_some_and(|code| *code == "0" || *code == 0);
    match outer.get("data") {
        Some(Value::Object(inner)) if is_envelope => inner.clone(),
        _ => outer,
    }
}

/// The reply with one member set.
fn with(members: &Map<String, Value>, name: &str, value: Value) -> String {
    let mut members = members.clone();
    members.insert(name.to_owned(), value);
    Value::Object(members).to_string()
}

pub fn settle(bytes: &[u8]) {
    let Some((status, body)) = reply(bytes) else { return };
    let (reply, expected) = (answer(status, body), expected());
    let outcome = settle_outcome(&reply, &expected);
    met((discriminant(&outcome), status));
    let plain = |body: &str| settle_outcome(&answer(status, body), &expected);
    let is_settled = |outcome: &SettleOutcome| matches!(outcome, SettleOutcome::Settled(_));
    match &outcome {
        SettleOutcome::Settled(hash) => {
            let said = members(body);
            assert!((200..300).contains(&status) && said["success"] == true, "{body}");
            assert_eq!(said["network"], expected.network.as_str());
            assert!(said["transaction"].as_str().unwrap().eq_ignore_ascii_case(hash.on_wire()));
            let payer = said.get("payer").and_then(Value::as_str);
            assert!(
                payer.is_none_or(|it| it.is_empty() || it.eq_ignore_ascii_case(PAYER)),
                "{body}"
            );
            assert!(affirms(&reply) && reply.settles() && !declines(&reply), "the readers agree");
            for (name, value) in [
                ("success", Value::Bool(false)),
                ("network", "eip155:8453".into()),
                ("transaction", "".into()),
                ("amount", "9999".into()),
                ("errorReason", "insufficient_funds".into()),
                ("status", "pending".into()),
                ("payer", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8".into()),
            ] {
                let doubt = with(&said, name, value);
                assert!(!is_settled(&plain(&doubt)), "{doubt} proves nothing");
            }
            for status in [199, 302, 402, 500] {
                assert!(!is_settled(&settle_outcome(&answer(status, body), &expected)), "{status}");
            }
        }
        SettleOutcome::Refused(reason) => {
            let said = members(body);
            assert!(status < 500 && said["success"] == false, "{body}");
            assert!(
                said.get("transaction").is_none_or(|it| it.as_str().is_none_or(str::is_empty)),
                "{body}"
            );
            assert!(declines(&reply) && !affirms(&reply) && !reply.settles(), "the readers agree");
            assert!(reason.chars().count() <= 128 && !reason.is_empty(), "{reason}");
            let hash = format!("0x{}", "ab".repeat(32));
            let named = plain(&with(&said, "transaction", hash.into()));
            assert!(
                matches!(named, SettleOutcome::Unknown(Some(_))),
                "what was sent is no refusal"
            );
        }
        SettleOutcome::Pending => assert!(members(body)["transaction"] == "" && !declines(&reply)),
        SettleOutcome::Unknown(hash) => {
            let parsed = serde_json::from_str::<Value>(body).is_ok();
            assert!(hash.is_none() || parsed, "a transaction out of nothing");
        }
    }
    let not_json = FacilitatorReply::Answer { status, is_json: false, body: body.to_owned() };
    assert_eq!(settle_outcome(&not_json, &expected), SettleOutcome::Unknown(None));
}

pub fn verify(bytes: &[u8]) {
    let Some((status, body)) = reply(bytes) else { return };
    let (reply, expected) = (answer(status, body), expected());
    let outcome = verify_outcome(&reply, &expected);
    met(discriminant(&outcome));
    match &outcome {
        VerifyOutcome::Valid => {
            let said = members(body);
            assert!((200..300).contains(&status) && said["isValid"] == true, "{body}");
            let payer = said.get("payer").and_then(Value::as_str);
            assert!(
                payer.is_none_or(|it| it.is_empty() || it.eq_ignore_ascii_case(PAYER)),
                "{body}"
            );
            let no =
                verify_outcome(&answer(status, &with(&said, "isValid", false.into())), &expected);
            assert!(!matches!(no, VerifyOutcome::Valid));
            let text =
                verify_outcome(&answer(status, &with(&said, "isValid", "true".into())), &expected);
            assert!(!matches!(text, VerifyOutcome::Valid), "a text is no flag");
        }
        VerifyOutcome::Refused(reason) | VerifyOutcome::Submitted(reason) => {
            assert!(status < 500 && members(body)["isValid"] == false, "{body}");
            assert!(reason.chars().count() <= 128, "{reason}");
        }
        VerifyOutcome::KeyRefused => assert!(matches!(status, 401 | 403)),
        VerifyOutcome::Unavailable => {}
    }
}

pub fn supported(bytes: &[u8]) {
    let Some((status, body)) = reply(bytes) else { return };
    let (mut supported, now) = (Supported::default(), UnixTime::from_secs(1_800_000_000));
    let networks = ["eip155:84532", "eip155:8453", "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"]
        .map(String::from);
    let sold = Sold { networks: &networks, ..Sold::default() };
    supported.note(&answer(status, body), &sold, now);
    let entry = supported.entry("https://f.example", Map::new());
    if entry["supported"] != "ok" {
        assert!(!supported.can_settle());
        return met(&entry["supported"]);
    }
    assert_eq!(status, 200);
    let kinds = members(body)["kinds"].as_array().unwrap().clone();
    let lists = |network: &str| {
        kinds.iter().filter(|kind| kind["scheme"] == "exact").any(|kind| {
            let named = kind["network"].as_str();
            let name = ChainId::parse(network).unwrap().v1_name();
            named.is_some() && (named == Some(network) || named == name)
        })
    };
    let missing: Vec<&str> = networks.iter().map(String::as_str).filter(|it| !lists(it)).collect();
    assert_eq!(entry["networks_missing"], Value::from(missing.clone()), "{body}");
    assert_eq!(supported.can_settle(), missing.is_empty());
    met(missing);
}

/// Replies with a status of success.
pub fn seeds() -> Vec<Vec<u8>> {
    let hash = format!("0x{}", "11".repeat(32));
    let settled = format!(
        r#"{{"success":true,"transaction":"{hash}","network":"eip155:84532","payer":"{PAYER}"}}"#
    );
    let bodies = [
        settled.clone(),
        format!(r#"{{"code":"0","msg":"","data":{settled}}}"#),
        r#"{"success":true,"transaction":"","network":"eip155:84532","status":"pending"}"#.to_owned(),
        r#"{"success":false,"errorReason":"insufficient_funds","transaction":"","network":"eip155:84532"}"#.to_owned(),
        format!(r#"{{"isValid":true,"payer":"{PAYER}"}}"#),
        r#"{"isValid":false,"invalidReason":"invalid_exact_evm_nonce_already_used"}"#.to_owned(),
        r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#.to_owned(),
        r#"{"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"},{"x402Version":1,"scheme":"exact","network":"base"}]}"#.to_owned(),
    ];
    bodies.iter().map(|body| [&[0], body.as_bytes()].concat()).collect()
}
