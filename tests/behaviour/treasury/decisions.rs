//! What a request to pay leads to.

use farebox_core::treasury::message::{Answer, Listing, Operation};
use serde_json::{Value, json};

use super::world::{
    BUYER_KEY, MERCHANT, NETWORK, PAYEE, TESTER_KEY, TRANSACTION, USDC, World, keyed, payer, plain,
    request, settled, with_settlement,
};

#[test]
pub fn an_allowed_payment_is_signed_sent_and_told_with_its_receipt() {
    let mut world = World::new();
    let order = world.order(&request("10000"));
    assert!(order.headers.iter().any(|(name, _)| name == "PAYMENT-SIGNATURE"), "{order:?}");
    let told = world.answered(&order, settled(200, "hello"));
    assert_eq!((told.status, told.outcome()), (201, ("allow", "policy_allow")));
    let receipt = &told.body["receipt"];
    assert_eq!(told.body["merchantResponse"]["body"], "hello");
    assert_eq!(
        receipt["money"],
        json!({"asset": "USDC", "amount": "0.010000", "amountMinor": "10000", "precision": 6, "unit": "minor"})
    );
    assert_eq!(
        (&receipt["status"], &receipt["reconciliationStatus"]),
        (&json!("provisional"), &json!("required"))
    );
    assert_eq!(receipt["settlementIdentifier"], TRANSACTION);
    assert_eq!(receipt["settlementEvidenceClass"], "merchant_verifiable_success");
    assert!(told.headers.iter().any(|(name, _)| name == "farebox-receipt-signature"));
}

#[test]
pub fn a_key_is_answered_with_the_same_bytes_for_ever_and_pays_once() {
    let mut world = World::new();
    let order = world.order(&keyed("10000", "k1"));
    let pending = world.told(&keyed("10000", "k1"));
    let told = world.answered(&order, settled(200, "hello"));
    let again = world.told(&keyed("10000", "k1"));
    world.now += 86_400 * 40;
    let later = world.told(&keyed("10000", "k1"));
    assert_eq!(pending.outcome(), ("executing", "payment_execution_in_progress"));
    assert_eq!((&again.text, &later.text), (&told.text, &told.text));
    assert_eq!(world.rows.attempts.len(), 1);
}

#[test]
pub fn a_budget_that_would_overflow_is_denied_with_its_three_figures() {
    let mut world = World::new();
    world.buy(&keyed("4950000", "a"));
    let told = world.told(&keyed("100000", "b"));
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    assert_eq!(
        told.reason(),
        "Policy denied: workspace monthly budget of $5.00 exceeded. Current spend: $4.95. Requested: $0.10."
    );
    assert!(!told.text("paidRequestId").is_empty());
    assert_eq!(world.buy(&keyed("50000", "c")).outcome().0, "allow");
}

#[test]
pub fn a_settlement_that_contradicts_what_was_signed_is_no_evidence() {
    let other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    let lies = [
        json!({"success": true, "network": NETWORK, "payer": other, "transaction": TRANSACTION}),
        json!({"success": true, "network": "eip155:8453", "payer": payer(), "transaction": TRANSACTION}),
        json!({"success": true, "network": NETWORK, "payer": payer(), "transaction": ""}),
        json!({"success": true, "network": NETWORK, "payer": payer(), "transaction": TRANSACTION, "amount": "1"}),
        json!({"success": false, "network": NETWORK, "payer": payer(), "transaction": TRANSACTION}),
    ];
    for lie in lies {
        let mut world = World::new();
        let order = world.order(&request("10000"));
        let told = world.answered(&order, with_settlement(502, "no", &lie));
        assert_eq!(told.outcome(), ("execution_failed", "merchant_execution_failed"), "{lie}");
        let mut world = World::new();
        let order = world.order(&request("10000"));
        let told = world.answered(&order, with_settlement(200, "yes", &lie));
        assert_eq!(told.body["receipt"]["settlementEvidenceClass"], "none", "{lie}");
    }
}

#[test]
pub fn what_a_merchant_answers_decides_the_outcome() {
    let cases = [
        (settled(200, "x"), "allow", "policy_allow"),
        (plain(204, ""), "allow", "policy_allow"),
        (settled(502, "x"), "paid_fulfillment_failed", "merchant_execution_failed"),
        (settled(424, "x"), "paid_fulfillment_failed", "merchant_rejected"),
        (plain(424, "x"), "execution_failed", "merchant_rejected"),
        (plain(402, "x"), "execution_failed", "merchant_rejected"),
        (plain(302, "x"), "execution_failed", "merchant_rejected"),
        (plain(500, "x"), "execution_failed", "merchant_execution_failed"),
    ];
    for (answer, outcome, code) in cases {
        let mut world = World::new();
        let order = world.order(&request("10000"));
        let status = answer.status;
        let told = world.answered(&order, answer);
        assert_eq!(told.outcome(), (outcome, code), "{status}");
        assert_eq!(told.body["merchantResponse"]["status"], status);
    }
}

#[test]
fn the_reason_repeats_a_merchant_who_says_that_the_wallet_is_short_and_nothing_is_given_back() {
    let says = |body: &str| {
        let mut world = World::new();
        let order = world.order(&request("10000"));
        let told = world.answered(&order, plain(402, body));
        assert_eq!(told.outcome(), ("execution_failed", "merchant_rejected"), "{body}");
        let audit = world.operate(Operation::Audit(Listing::default()));
        // It can still settle what it has.
        assert_eq!(audit.body["items"][0]["counted"], "0.01", "{body}");
        told.reason().to_owned()
    };
    let rejected = "The merchant rejected the paid request after execution started";
    for body in [r#"{"error": "insufficient_funds"}"#, r#"{"code": "insufficient_funds"}"#] {
        assert_eq!(says(body), format!("{rejected}: it says that the wallet holds too little."));
    }
    // Only a code is taken for what it says.
    for body in [r#"{"error": "no insufficient_funds here"}"#, r#"{"error": "sold out"}"#, "x"] {
        assert_eq!(says(body), format!("{rejected}."));
    }
}

#[test]
pub fn a_wrong_token_is_told_the_same_whatever_is_wrong_with_it() {
    let mut world = World::new();
    let token = world.token(BUYER_KEY);
    assert!(token.starts_with("fbt_acme_"));
}

/// A request of an agent with an MPP challenge, always the same.
pub fn charged(agent: &str, url: &str, key: Option<&str>) -> Value {
    let terms = json!({
        "amount": "10000", "currency": USDC, "recipient": PAYEE,
        "methodDetails": {"chainId": 84532, "credentialTypes": ["authorization"], "decimals": 6},
    });
    let terms = farebox_core::encoding::base64::encode_url(terms.to_string().as_bytes());
    let mut body = request("10000");
    body["context"]["agent"] = json!(agent);
    body["request"]["url"] = json!(url);
    body["challenge"]["headers"] = json!({"www-authenticate": format!(
        "Payment id=\"one\", realm=\"merchant.example.com\", method=\"evm\", intent=\"charge\", request=\"{terms}\", expires=\"2026-03-10T12:10:00Z\""
    )});
    if let Some(key) = key {
        body["idempotencyKey"] = json!(key);
    }
    body
}

// A-246
#[test]
pub fn a_challenge_is_signed_for_one_decision_alone() {
    let mut world = World::new();
    let first = world.buy(&charged("buyer", MERCHANT, Some("a")));
    let used = (409, "challenge_already_used");
    let elsewhere = format!("{MERCHANT}?x=2");
    for other in [
        charged("buyer", MERCHANT, Some("b")),
        charged("buyer", &elsewhere, None),
        charged("buyer", &elsewhere, Some("c")),
    ] {
        let told = world.told(&other);
        assert_eq!((told.status, told.text("code")), used);
    }
    let Answer::Reply(reply) = world.ask(TESTER_KEY, &charged("tester", MERCHANT, None)) else {
        panic!("another agent pays it")
    };
    assert_eq!(reply.status, 409);
    assert_eq!(world.told(&charged("buyer", MERCHANT, None)).text, first.text);
    assert_eq!((world.rows.attempts.len(), world.rows.decisions.len()), (1, 1));
}
