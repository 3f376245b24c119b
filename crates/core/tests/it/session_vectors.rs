//! Sessions of MPP: what OKX's payers send, and the events of streams.

use farebox_core::amount::Amount;
use farebox_core::channel::config::{ChannelId, ChannelParties, top_up_nonce};
use farebox_core::channel::escrow::{Escrow, EscrowContract};
use farebox_core::channel::refusal::ChannelRefusal;
use farebox_core::channel::voucher::Voucher;
use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::Domain;
use farebox_core::evm::signature::Signature;
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::credential::{CredentialSearch, find};
use farebox_core::mpp::okx_code::{CODES, OkxCode};
use farebox_core::mpp::problem::Problem;
use farebox_core::mpp::session::{
    Funding, INTENT, SessionAction, SessionTerms, ShownVoucher, UnitType,
};
use farebox_core::mpp::stream::{NeedVoucher, StreamEvent};
use farebox_core::mpp::{Credential, Malformed};
use serde_json::{Value, json};

use crate::support::{cases, document, text};

fn credential(header: &str) -> Credential {
    match find([header].into_iter()) {
        CredentialSearch::One(token) => Credential::read(token).unwrap(),
        other => panic!("{header}: {other:?}"),
    }
}

/// The signer of what `to` receives, under the domain of this file's token.
fn depositor(domain: &Value, funding: &Funding) -> Address {
    let Funding::Authorized { authorization, signature } = funding else { panic!("{funding:?}") };
    let token = Domain {
        name: text(domain, "name"),
        version: text(domain, "version"),
        chain_id: domain["chainId"].as_u64().unwrap(),
        verifying_contract: Address::parse(text(domain, "verifyingContract")).unwrap(),
    };
    let digest = authorization.receive_digest(&token.separator());
    Signature::parse(signature).unwrap().recover(&digest).unwrap()
}

#[test]
fn sessions_of_okx_payers_are_read_and_their_signatures_hold() {
    let file = document("mpp/okx-credentials");
    let payer = Address::parse(text(&file, "payer")).unwrap();
    let mut actions = Vec::new();
    for case in cases("mpp/okx-credentials", "vectors") {
        let label = text(&case, "name");
        let asked = read_list(text(&case, "challengeHeader")).remove(0).unwrap();
        let read = credential(text(&case, "authorization"));
        let action = SessionAction::read(&read.payload);
        if asked.intent != INTENT {
            assert!(action.is_err(), "{label}");
            continue;
        }
        let terms = SessionTerms::read(&asked.request_object().unwrap()).unwrap();
        assert_eq!((terms.chain_id, terms.unit), (196, UnitType::Request), "{label}");
        let contract = EscrowContract {
            escrow: Escrow::PaymentChannel,
            chain_id: terms.chain_id,
            address: terms.escrow,
        };
        let holds = |shown: &ShownVoucher| {
            let channel = ChannelId::from_bytes(shown.channel);
            let voucher = Voucher { channel, cumulative: shown.cumulative };
            assert!(voucher.check(&contract, payer, &shown.signature).is_ok(), "{label}");
            let more = Voucher { cumulative: Amount::from_u64(101), ..voucher };
            let other = more.check(&contract, payer, &shown.signature);
            assert_eq!(other, Err(ChannelRefusal::SignatureInvalid), "{label}");
        };
        match action.unwrap() {
            SessionAction::Open { voucher, salt, authorized_signer, funding } => {
                let parties = ChannelParties {
                    payer,
                    payee: terms.recipient,
                    token: terms.currency,
                    salt,
                    authorized_signer,
                };
                assert_eq!(parties.id(&contract).as_bytes(), &voucher.channel, "{label}");
                holds(&voucher);
                match &funding {
                    Funding::Sent(hash) => assert_eq!(hash, &[0xab; 32], "{label}"),
                    Funding::Authorized { authorization, .. } => {
                        assert_eq!(authorization.nonce, parties.open_nonce_of_okx(&[]), "{label}");
                        assert_eq!(authorization.to, terms.escrow, "{label}");
                        assert_eq!(depositor(&file["tokenDomain"], &funding), payer, "{label}");
                    }
                }
                actions.push("open");
            }
            SessionAction::TopUp { channel, additional, salt, funding } => {
                assert_eq!(additional, Amount::from_u64(5_000_000), "{label}");
                if let Funding::Authorized { authorization, .. } = &funding {
                    let id = ChannelId::from_bytes(channel);
                    let nonce = top_up_nonce(&id, additional, payer, &salt);
                    assert_eq!(authorization.nonce, nonce, "{label}");
                    assert_eq!(depositor(&file["tokenDomain"], &funding), payer, "{label}");
                }
                actions.push("topUp");
            }
            SessionAction::Voucher(shown) => {
                holds(&shown);
                actions.push("voucher");
            }
            SessionAction::Close(shown) => {
                holds(&shown);
                actions.push("close");
            }
        }
    }
    assert_eq!(actions, ["open", "open", "voucher", "topUp", "topUp", "close"]);
}

// A-103
#[test]
fn a_session_payload_names_the_first_member_that_is_wrong() {
    let word = hex::encode_prefixed(&[7; 32]);
    let good = json!({
        "action": "voucher", "channelId": word, "cumulativeAmount": "100",
        "signature": format!("0x{}", "ab".repeat(65)),
    });
    assert!(SessionAction::read(good.as_object().unwrap()).is_ok());
    let changed = |name: &str, value: Value| {
        let mut payload = good.clone();
        payload[name] = value;
        SessionAction::read(payload.as_object().unwrap()).unwrap_err()
    };
    for (name, value, error) in [
        ("action", json!("pay"), Malformed::Wrong("action")),
        ("action", Value::Null, Malformed::Missing("action")),
        ("channelId", json!("0x07"), Malformed::Wrong("channelId")),
        ("cumulativeAmount", json!("0100"), Malformed::Wrong("cumulativeAmount")),
        ("cumulativeAmount", json!(100), Malformed::Wrong("cumulativeAmount")),
        ("signature", json!("0x12"), Malformed::Wrong("signature")),
        ("signature", Value::Null, Malformed::Missing("signature")),
    ] {
        assert_eq!(changed(name, value), error, "{name}");
    }
    let top_up = json!({
        "action": "topUp", "type": "hash", "channelId": word, "hash": word, "additionalDeposit": "0",
    });
    let read = SessionAction::read(top_up.as_object().unwrap());
    assert_eq!(read, Err(Malformed::Wrong("additionalDeposit")));
}

#[test]
fn events_of_streams_are_read_as_the_reference_reads_them_and_written_so() {
    for case in cases("mpp/session-stream-events", "sse") {
        let raw = text(&case, "raw");
        let read = StreamEvent::read(raw);
        let parsed = &case["parsed"];
        let Some(event) = read else {
            assert!(parsed.is_null(), "{raw}");
            continue;
        };
        match &event {
            StreamEvent::Message(data) => {
                assert_eq!(
                    (text(parsed, "type"), text(parsed, "data")),
                    ("message", data.as_str())
                );
            }
            StreamEvent::NeedVoucher(NeedVoucher { channel, required, accepted, deposit }) => {
                let data = json!({
                    "channelId": channel,
                    "requiredCumulative": required.to_string(),
                    "acceptedCumulative": accepted.to_string(),
                    "deposit": deposit.to_string(),
                });
                assert_eq!(
                    (text(parsed, "type"), &parsed["data"]),
                    ("payment-need-voucher", &data)
                );
                assert_eq!(event.to_text(), raw);
            }
            StreamEvent::Receipt(receipt) => {
                assert_eq!((text(parsed, "type"), &parsed["data"]), ("payment-receipt", receipt));
            }
        }
        assert_eq!(StreamEvent::read(&event.to_text()), Some(event), "{raw}");
    }
    // What a payment says is short; what is sold need not be.
    let long = "x".repeat(70_000);
    let message = StreamEvent::read(&format!("data: {long}\n\n"));
    assert_eq!(message, Some(StreamEvent::Message(long.clone())));
    let receipt = format!("event: payment-receipt\ndata: {{\"spent\":\"{long}\"}}\n\n");
    assert_eq!(StreamEvent::read(&receipt), None);
    // Each of the three ends of a line is one, as in HTML.
    let alike = ["data: a\ndata: b\n\n", "data: a\rdata: b\r\r", "data: a\r\ndata: b\r\n\r\n"];
    for raw in alike {
        assert_eq!(StreamEvent::read(raw), Some(StreamEvent::Message("a\nb".into())), "{raw:?}");
    }
}

#[test]
fn codes_of_the_dialect_have_the_problem_types_of_mpp() {
    let known: Vec<String> = Problem::ALL.iter().map(|problem| problem.type_uri()).collect();
    for code in CODES {
        assert_eq!(OkxCode::of(code.code), code);
        let uri = format!("https://paymentauth.org/problems/{}", code.problem);
        let is_okx_s = matches!(
            code.code,
            8_000 | 70_001 | 70_002 | 70_005 | 70_006 | 70_007 | 70_011 | 70_014
        );
        assert_eq!(known.contains(&uri), !is_okx_s, "{uri}");
    }
    for refusal in ChannelRefusal::ALL {
        assert_ne!(OkxCode::of(refusal.okx()).problem, "verification-failed", "{refusal:?}");
    }
}
