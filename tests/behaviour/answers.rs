//! What a client hears, row by row. Spec: docs/answers.md, "By code".

use farebox_core::ledger::State;
use serde_json::json;

use crate::world::facilitator::{Settle, Verify};
use crate::world::{HOST, With, World, decoded, get, paid, request};

const MODES: [&str; 2] = ["/after", "/before"];

#[test]
pub fn a_paid_request_is_answered_with_the_resource_and_its_settlement() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        let response = world.present(&payment);
        assert_eq!(response.status, 200);
        let document = format!("{{\"paid\":\"http://127.0.0.1:9000/base{target}\"}}");
        assert_eq!(String::from_utf8(response.body.clone()).unwrap(), document);
        let settlement = response.settlement();
        assert_eq!(
            settlement["transaction"],
            crate::world::facilitator::transaction_of(&payment.nonce)
        );
        assert_eq!(settlement["payer"], world.payer.address.to_checksum());
        assert_eq!(settlement["network"], "eip155:84532");
        assert_eq!(world.facilitator.settles.len(), 1);
        assert_eq!(world.origin.calls.len(), 1);
    }
}

#[test]
fn a_version_1_client_is_answered_in_version_1() {
    for target in MODES {
        let mut world = World::new();
        let body = world.ask(target).json();
        let now = world.now().secs();
        let payment = world.payer.sign_v1(&body, now);
        let response = world.present(&payment);
        assert_eq!(response.status, 200);
        assert_eq!(response.headers.get("payment-response"), None);
        let settlement = decoded(response.headers.get("x-payment-response").unwrap());
        assert_eq!(settlement["network"], "base-sepolia");
        let (_, sent) = &world.facilitator.settles[0];
        let sent: serde_json::Value = serde_json::from_str(sent).unwrap();
        assert_eq!(sent["paymentRequirements"]["maxAmountRequired"], "10000");
        assert_eq!(sent["x402Version"], 1);
    }
}

#[test]
fn after_verifies_asks_the_origin_and_settles_and_before_settles_first() {
    let mut world = World::new();
    let names = |world: &World| -> Vec<String> {
        let urls = world.facilitator.urls.iter();
        urls.map(|url| url.rsplit('/').next().unwrap().to_owned()).collect()
    };
    world.pay("/after");
    assert_eq!(names(&world), ["verify", "settle"]);
    world.pay("/before");
    assert_eq!(names(&world), ["verify", "settle", "settle"]);
    assert_eq!(world.ledger.commands, 6, "three calls to the object for each");
}

#[test]
fn no_proof_is_answered_with_terms_for_both_versions() {
    let mut world = World::new();
    let response = world.ask("/after?tier=pro");
    assert_eq!((response.status, response.problem().as_str()), (402, "payment_required"));
    let required = response.payment_required();
    assert_eq!(required["resource"]["url"], format!("{HOST}/after?tier=pro"));
    assert_eq!(required["error"], "Payment required");
    assert_eq!(response.json()["accepts"][0]["maxAmountRequired"], "10000");
    assert_eq!(world.ledger.commands, 0);
}

#[test]
fn a_gate_that_takes_no_contract_wallets_says_so_and_asks_no_other_service() {
    let mut world = World::new();
    let required = world.ask("/after").payment_required();
    let now = world.now().secs();
    // Longer than a key's, shorter, and as long.
    for (bytes, code) in
        [(66, "contract_wallet_refused"), (64, "signature_invalid"), (65, "signature_invalid")]
    {
        let signed = world.payer.sign_with(&required, now, |message| {
            message["payload"]["signature"] = format!("0x{}", "1b".repeat(bytes)).into();
        });
        let response = world.present(&signed);
        assert_eq!((response.status, response.problem().as_str()), (402, code), "{bytes}");
        assert!(response.has_terms());
    }
    assert_eq!((world.facilitator.urls.len(), world.origin.calls.len()), (0, 0));
    assert!(world.ledger.entries().is_empty());
}

// A-128
#[test]
fn local_refusals_call_no_other_service() {
    let mut world = World::new();
    let good = world.sign("/after");
    let other = world.sign("/after");
    let required = world.ask("/after").payment_required();
    let now = world.now().secs();
    let forged = world.payer.sign_with(&required, now, |message| {
        message["payload"]["authorization"]["nonce"] = format!("0x{}", "ab".repeat(32)).into();
    });
    let elsewhere = world.payer.sign_with(&required, now, |message| {
        message["resource"]["url"] = format!("{HOST}/after/other").into();
    });
    let cheaper = world.payer.sign_with(&required, now, |message| {
        message["accepted"]["amount"] = "1".into();
    });
    let version =
        world.payer.sign_with(&required, now, |message| message["x402Version"] = 3.into());
    let plain = |header: &str, value: &str| get("/after").header(header, value);
    let long = "A".repeat(16 * 1024 + 1);
    let table = [
        (plain("payment-signature", "no base64!"), 400, "malformed_payment"),
        (plain("payment-signature", "e30="), 400, "malformed_payment"),
        (plain("payment-signature", &long), 431, "proof_too_large"),
        (paid(&good).header("payment-signature", &other.value), 400, "ambiguous_payment"),
        (paid(&good).header("x-payment", &other.value), 400, "ambiguous_payment"),
        (paid(&good).header("authorization", "Payment abc"), 400, "ambiguous_payment"),
        (
            paid(&good).header("authorization", "Basic x").header("authorization", "payment abc"),
            400,
            "ambiguous_payment",
        ),
        (paid(&forged), 402, "signature_invalid"),
        (paid(&elsewhere), 402, "resource_mismatch"),
        (paid(&cheaper), 402, "terms_mismatch"),
        (paid(&version), 402, "unsupported_version"),
        (paid(&good).header("upgrade", "websocket"), 400, "upgrade_not_supported"),
        (request("DELETE", "/items/1"), 405, "method_not_allowed"),
        (get("/%61fter"), 400, "ambiguous_target"),
        (get("/AFTER"), 400, "ambiguous_target"),
    ];
    for (head, status, code) in table {
        let shown = format!("{head:?}");
        let response = world.send(head);
        assert_eq!((response.status, response.problem().as_str()), (status, code), "{shown}");
        assert_eq!(response.has_terms(), status == 402, "{shown}");
    }
    assert_eq!(world.ledger.commands, 2, "only what the payer did sign is looked up");
    assert!(world.ledger.entries().is_empty(), "and leaves nothing");
    assert_eq!(world.facilitator.urls.len(), 0);
    assert_eq!(world.origin.calls.len(), 0);
    assert_eq!(world.present(&good).status, 200, "the next good request works");
}

// A-19
#[test]
fn identical_copies_of_one_header_count_once() {
    let mut world = World::new();
    let payment = world.sign("/after");
    let head = paid(&payment).header(payment.header, &payment.value);
    assert_eq!(world.send(head).status, 200);
    let joined = format!("{0},{0} , {0}", payment.value);
    let repeat = world.send(get("/after").header(payment.header, &joined));
    assert_eq!(repeat.problem(), "payment_already_delivered");
}

#[test]
fn too_long_a_target_is_refused_with_and_without_payment() {
    let mut world = World::new();
    let long = format!("/after?q={}", "x".repeat(2040));
    let response = world.ask(&long);
    assert_eq!((response.status, response.problem().as_str()), (414, "target_too_long"));
    let mut payment = world.sign("/after");
    payment.target = long;
    assert_eq!(world.present(&payment).status, 414);
    assert_eq!(world.ledger.commands, 0);
}

#[test]
fn the_402_block_stays_within_8_kib() {
    let mut world = World::new();
    let mut longest = 0;
    for length in [10, 500, 1000, 1500, 2000, 2038] {
        let response = world.ask(&format!("/after?q={}", "x".repeat(length)));
        assert_eq!(response.status, 402, "{length}");
        let block: usize =
            response.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        longest = longest.max(block);
    }
    assert!((3_000..=8_192).contains(&longest), "{longest}");
}

#[test]
fn a_verify_refusal_is_answered_with_fresh_terms_and_its_reason() {
    let mut world = World::new();
    let payment = world.sign("/after");
    let no =
        r#"{"isValid":false,"invalidReason":"invalid_exact_evm_insufficient_balance","payer":""}"#;
    for status in [200, 400, 412] {
        world.facilitator.verify_plan.push_back(Verify::Raw(status, no.to_owned()));
        let response = world.present(&payment);
        assert_eq!((response.status, response.problem().as_str()), (402, "verify_refused"));
        assert_eq!(response.payment_required()["error"], "invalid_exact_evm_insufficient_balance");
        assert_eq!(response.json()["error"], "invalid_exact_evm_insufficient_balance");
        assert_eq!(world.ledger.state(), State::Released);
    }
    assert_eq!(world.origin.calls.len(), 0);
    assert_eq!(world.present(&payment).status, 200, "the same payment may come again");
}

// A-25
#[test]
fn words_of_a_facilitator_are_printable_and_enter_no_header() {
    let mut world = World::new();
    let words = "no money\r\nset-cookie: a=1\r\n\r\n<p>\u{0}\u{7f}\u{85}é";
    let verify = json!({ "isValid": false, "invalidReason": words, "invalidMessage": words });
    let payment = world.sign("/after");
    world.facilitator.verify_plan.push_back(Verify::Raw(200, verify.to_string()));
    let refused = world.present(&payment);
    let settle = json!({
        "success": false, "errorReason": format!("insufficient_funds: {words}"), "errorMessage": words,
        "transaction": "", "network": "eip155:84532",
    });
    let payment = world.sign("/before");
    world.facilitator.settle_plan.extend(vec![Settle::Raw(200, settle.to_string()); 2]);
    let unsettled = world.present(&payment);
    assert_eq!((refused.status, unsettled.is_delivery()), (402, false), "{}", unsettled.problem());
    let is_printable = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let said = refused.payment_required()["error"].as_str().unwrap().to_owned();
    assert!(said.starts_with("no money") && is_printable(&said), "{said:?}");
    for response in [refused, unsettled] {
        for (name, value) in response.headers.iter() {
            assert!(name != "set-cookie" && is_printable(value), "{name}: {value:?}");
        }
    }
}

#[test]
fn a_facilitator_that_does_not_verify_usefully_is_503_and_nothing_is_submitted() {
    let table = [
        Verify::Silent,
        Verify::Raw(500, r#"{"isValid":false,"invalidReason":"x"}"#.to_owned()),
        Verify::Raw(500, r#"{"isValid":true}"#.to_owned()),
        Verify::Raw(200, "<html>".to_owned()),
        Verify::Raw(200, r#"{"isValid":"true"}"#.to_owned()),
        Verify::Raw(200, r#"{"isValid":true,"isValid":true}"#.to_owned()),
        Verify::Raw(200, r#"{"success":true}"#.to_owned()),
    ];
    let mut world = World::new();
    let payment = world.sign("/after");
    for plan in table {
        world.facilitator.verify_plan.push_back(plan.clone());
        let response = world.present(&payment);
        assert_eq!(response.problem(), "facilitator_unavailable", "{plan:?}");
        assert_eq!((response.status, response.headers.get("retry-after")), (503, Some("10")));
        assert!(!response.has_terms());
    }
    assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (0, 0));
    assert_eq!(world.present(&payment).status, 200);
}

// A-81
#[test]
fn a_verify_that_says_used_is_an_unknown_outcome() {
    for reason in [
        "invalid_exact_evm_nonce_already_used",
        "Nonce Already Used",
        "duplicate_settlement",
        "settlement_pending",
        "FiatTokenV2: authorization is used or canceled",
    ] {
        let mut world = World::new();
        let payment = world.sign("/after");
        let body = format!(r#"{{"isValid":false,"invalidReason":"{reason}"}}"#);
        world.facilitator.verify_plan.push_back(Verify::Raw(200, body));
        let response = world.present(&payment);
        assert_eq!(
            (response.status, response.problem().as_str()),
            (503, "settlement_unknown"),
            "{reason}"
        );
        assert!(!response.has_terms());
        assert_eq!(world.origin.calls.len(), 0);
        assert_eq!(world.ledger.state().name(), "unknown");
    }
}

#[test]
fn a_payer_without_funds_hears_so_at_once_whatever_a_facilitator_calls_it() {
    for target in ["/before", "/sure/before"] {
        let mut world = World::with_chain();
        world.facilitator.chain.transfers.poor = true;
        let reason = "invalid_exact_evm_transaction_failed";
        world.facilitator.settle_plan.push_back(Settle::Refuse(reason));
        let payment = world.sign(target);
        let response = world.present(&payment);
        assert_eq!((response.status, response.problem().as_str()), (402, "settlement_refused"));
        assert_eq!(response.settlement()["errorReason"], "insufficient_funds");
        assert_eq!(world.facilitator.settles_of(&payment.nonce), 1);
        assert_eq!(world.origin.calls.len(), 0);
        assert_eq!(world.ledger.state().name(), "refused");
    }
}

// A-135
#[test]
fn a_certain_settle_refusal_is_402_without_new_terms() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        let response = world.present(&payment);
        assert_eq!((response.status, response.problem().as_str()), (402, "settlement_refused"));
        assert!(!response.has_terms());
        let settlement = response.settlement();
        assert_eq!(
            (&settlement["success"], &settlement["errorReason"]),
            (&false.into(), &"insufficient_funds".into())
        );
        assert_eq!(
            (&settlement["transaction"], &settlement["network"]),
            (&"".into(), &"eip155:84532".into())
        );
        assert_eq!(world.ledger.state().name(), "refused");
        let runs = world.origin.calls.len();
        world.wait(2);
        let repeat = world.present(&payment);
        assert_eq!(repeat.status, 200, "{target}: the repeat re-sends once and is served");
        assert_eq!(world.origin.calls.len(), 1, "{runs} before");
        assert_eq!(world.facilitator.settles_of(&payment.nonce), 2);
    }
}

#[test]
fn the_same_payment_while_work_goes_on_is_in_progress() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        let mut first = world.start(paid(&payment), b"");
        world.advance(&mut first);
        while first.next() != "none" {
            let repeat = world.present(&payment);
            if first.next() != "respond" {
                assert_eq!(
                    (repeat.status, repeat.problem().as_str()),
                    (409, "payment_in_progress")
                );
                assert_eq!(repeat.headers.get("retry-after"), Some("2"));
            }
            world.advance(&mut first);
        }
        assert_eq!(first.response.unwrap().status, 200);
        assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (1, 1));
    }
}

// A-31
#[test]
fn another_request_with_the_same_payment_is_refused() {
    for (target, other) in [("/after", "/after/other"), ("/before", "/before/other")] {
        let mut world = World::new();
        let required = world.ask(target).payment_required();
        let now = world.now().secs();
        let mut payment = world.payer.sign_with(&required, now, |message| {
            message.as_object_mut().unwrap().remove("resource");
        });
        let mut first = world.start(paid(&payment), b"");
        world.advance(&mut first);
        payment.target = other.to_owned();
        for _ in 0..2 {
            let response = world.present(&payment);
            assert_eq!(
                (response.status, response.problem().as_str()),
                (409, "payment_already_used")
            );
            while world.advance(&mut first) {}
        }
        assert_eq!(first.response.unwrap().status, 200);
        assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (1, 1));
    }
}

// A-47, A-52, A-68, A-142, I-14
#[test]
fn the_binding_covers_method_host_target_range_and_body() {
    let mut world = World::new();
    let required = world.ask("/items/1").payment_required();
    let now = world.now().secs();
    let payment = world.payer.sign_with(&required, now, |message| {
        message.as_object_mut().unwrap().remove("resource");
    });
    let with =
        |method: &str, target: &str| request(method, target).header(payment.header, &payment.value);
    let mut post = with("POST", "/items/1");
    post.body = farebox_core::http::BodyPresence::Present;
    assert_eq!(world.send_body(post.clone(), b"one").status, 200);
    let mut host = with("GET", "/items/1");
    host.url = host.url.replace("shop.example", "other.example");
    for head in [
        with("GET", "/items/1"),
        with("HEAD", "/items/1"),
        with("POST", "/items/2"),
        with("POST", "/items/1?x"),
        with("POST", "/items/1").header("range", "bytes=0-1"),
        host,
    ] {
        assert_eq!(world.send(head).problem(), "payment_already_used");
    }
    assert_eq!(world.send_body(post.clone(), b"two").problem(), "payment_already_used");
    assert_eq!(world.send_body(post, b"one").problem(), "payment_already_delivered");
    assert_eq!(world.origin.calls.len(), 1);
}
