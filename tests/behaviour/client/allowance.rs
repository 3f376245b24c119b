//! A payer by Permit2 who has no gas: an allowance is signed beside the payment.

use super::*;
use farebox_core::client::allowance::AllowanceReading;
use farebox_core::client::exchange::AnsweredTerms;

const PERMIT2: &str = "0x000000000022D473030F116dDEE9F6B43aC78BA3";
const RULES: &str = r#"{"permit2": true}"#;
const NETWORK: &str = "eip155:84532";
/// A word of the ABI that is 0, and one that is 10,000.
const ZERO: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";
const SEVEN: &str = "0x0000000000000000000000000000000000000000000000000000000000000007";
const TEN_THOUSAND: &str = "0x0000000000000000000000000000000000000000000000000000000000002710";

fn permit() -> Value {
    let mut permit = entry("10000");
    permit["extra"]["assetTransferMethod"] = "permit2".into();
    permit
}

/// A 402 whose facilitator takes permits, unless `extensions` says otherwise.
fn asks(entry: &Value, extensions: &Value) -> Headers {
    let required = json!({"x402Version": 2, "error": "pay", "resource": {"url": URL},
        "accepts": [entry], "extensions": extensions});
    let mut headers = Headers::new();
    headers.add("payment-required", &base64::encode(required.to_string().as_bytes()));
    headers
}

fn announced() -> Value {
    json!({"eip2612GasSponsoring": {"info": {"description": "words", "version": "1"}, "schema": {}}})
}

/// An exchange that has counted this offer, and may read these networks.
fn reserved(entry: &Value, extensions: &Value, networks: &[&str]) -> Exchange {
    let mut exchange = exchange(RULES, 1);
    exchange.read_on(networks.iter().map(ToString::to_string).collect());
    let next = exchange.answered(402, &asks(entry, extensions), b"", at(0));
    assert!(matches!(next, Next::Reserve), "{next:?}");
    exchange.reserve(None, at(0)).unwrap();
    exchange
}

fn reading(next: Next) -> AllowanceReading {
    let Next::Read(reading) = next else { panic!("{next:?}") };
    *reading
}

/// The payment in the header that is sent.
fn sent(next: Next) -> (String, Value) {
    let Next::Send { headers, .. } = next else { panic!("{next:?}") };
    let message = serde_json::from_slice(&base64::decode(&headers[0].1).unwrap()).unwrap();
    (headers[0].1.clone(), message)
}

/// Pays with a permit at nonce 7, where nothing is allowed.
fn sponsored(exchange: &mut Exchange) -> (String, Value) {
    reading(exchange.prepare(at(0)));
    let permit = sign(exchange.read([Some(ZERO), Some(SEVEN)]));
    assert!(matches!(exchange.signed(&permit, at(5)), Next::Prepare));
    let payment = sign(exchange.prepare(at(5)));
    sent(exchange.signed(&payment, at(9)))
}

#[test]
pub fn an_allowance_of_the_amount_is_signed_before_the_payment_and_goes_with_it() {
    let mut exchange = reserved(&permit(), &announced(), &[NETWORK]);
    let payer = account().address();
    let word = hex::encode(&payer.to_word());
    let reading = reading(exchange.prepare(at(0)));
    assert_eq!((reading.network.as_str(), reading.token.as_str()), (NETWORK, USDC));
    let permit2 = "000000000000000000000000000000000022d473030f116ddee9f6b43ac78ba3";
    assert_eq!(reading.data, [format!("0xdd62ed3e{word}{permit2}"), format!("0x7ecebe00{word}")]);
    let next = exchange.read([Some(ZERO), Some(SEVEN)]);
    let Next::Sign(data) = &next else { panic!("{next:?}") };
    assert_eq!(data["primaryType"], "Permit");
    assert_eq!(
        data["domain"],
        json!({"name": "USDC", "version": "2", "chainId": 84532, "verifyingContract": USDC})
    );
    // Ten minutes after the payment as it was then.
    let deadline = (NOW + 660).to_string();
    assert_eq!(
        data["message"],
        json!({"owner": payer.to_checksum(), "spender": PERMIT2, "value": "10000", "nonce": "7", "deadline": deadline})
    );
    let signature = sign(next);
    assert!(exchange.payment().is_none(), "a permit is no payment");
    assert!(matches!(exchange.signed(&signature, at(5)), Next::Prepare));
    // The payment is valid from when the wallet is asked for it.
    let next = exchange.prepare(at(5));
    let Next::Sign(data) = &next else { panic!("{next:?}") };
    assert_eq!(data["primaryType"], "PermitWitnessTransferFrom");
    assert_eq!(data["message"]["deadline"], (NOW + 65).to_string());
    let payment = sign(next);
    let (_, message) = sent(exchange.signed(&payment, at(9)));
    assert_eq!(
        message["extensions"]["eip2612GasSponsoring"],
        json!({"schema": {}, "info": {"description": "words", "from": payer.to_checksum(), "asset": USDC,
            "spender": PERMIT2, "amount": "10000", "nonce": "7", "deadline": deadline, "signature": signature,
            "version": "1"}}),
        "stock servers want all that they announced",
    );
    assert_eq!(message["payload"]["permit2Authorization"]["permitted"]["amount"], "10000");
}

// A-713
#[test]
pub fn nothing_is_read_where_no_permit_could_go_with_the_payment() {
    let bare = entry("10000");
    for (entry, extensions, networks) in [
        (&permit(), &json!({}), &[NETWORK][..]),
        (&permit(), &json!({"bazaar": {}}), &[NETWORK]),
        (&permit(), &announced(), &[]),
        (&permit(), &announced(), &["eip155:8453"]),
        (&bare, &announced(), &[NETWORK]),
    ] {
        let mut exchange = reserved(entry, extensions, networks);
        let next = exchange.prepare(at(0));
        assert!(matches!(next, Next::Sign(_)), "{extensions} {networks:?} {next:?}");
        let payment = sign(next);
        let (_, message) = sent(exchange.signed(&payment, at(0)));
        assert!(message["extensions"]["eip2612GasSponsoring"]["info"]["signature"].is_null());
    }
}

#[test]
pub fn an_allowance_that_is_enough_or_cannot_be_read_leaves_the_payment_alone() {
    let max = format!("0x{}", "f".repeat(64));
    for told in [
        [Some(TEN_THOUSAND), Some(SEVEN)],
        [Some(&max), Some(ZERO)],
        [None, Some(SEVEN)],
        // As of a token without EIP-2612.
        [Some(ZERO), None],
        [Some(ZERO), Some("0x")],
        [Some("0x1"), Some(SEVEN)],
        [Some("words"), Some("words")],
    ] {
        let mut exchange = reserved(&permit(), &announced(), &[NETWORK]);
        reading(exchange.prepare(at(0)));
        assert!(matches!(exchange.read(told), Next::Prepare), "{told:?}");
        let payment = sign(exchange.prepare(at(0)));
        let (_, message) = sent(exchange.signed(&payment, at(0)));
        assert_eq!(message["payload"]["permit2Authorization"]["permitted"]["amount"], "10000");
        assert_eq!(message["extensions"], announced_with_identifier(&message));
    }
}

/// The extensions of the server as they are echoed.
fn announced_with_identifier(message: &Value) -> Value {
    let mut all = announced();
    all["payment-identifier"] = message["extensions"]["payment-identifier"].clone();
    all
}

#[test]
pub fn a_permit_by_another_signer_pays_nothing() {
    let mut exchange = reserved(&permit(), &announced(), &[NETWORK]);
    reading(exchange.prepare(at(0)));
    let Next::Sign(_) = exchange.read([Some(ZERO), Some(SEVEN)]) else { panic!() };
    let wrong = format!("0x{}1b", "11".repeat(64));
    let error = failure(exchange.signed(&wrong, at(0)));
    assert_eq!(error.reason.code(), "wrong_signature");
    assert!(exchange.payment().is_none());
}

#[test]
pub fn what_was_signed_is_the_same_payment_in_another_process() {
    let mut exchange = reserved(&permit(), &announced(), &[NETWORK]);
    let (header, _) = sponsored(&mut exchange);
    let (headers, body) = exchange.terms().unwrap().clone();
    let (prepared, proof) = (exchange.prepared_at(), exchange.proof().unwrap());
    let terms = AnsweredTerms { headers: &headers, body: &body, at: prepared };
    let mut other = super::exchange(RULES, 1);
    assert!(other.restore(terms, &proof, false, at(20)));
    let payment = other.payment().unwrap();
    assert_eq!(payment["header"][1], header);
    // Without the permit it would be other bytes.
    let mut bare = super::exchange(RULES, 1);
    let payment = proof.split(' ').next().unwrap();
    assert!(bare.restore(terms, payment, false, at(20)));
    assert_ne!(bare.payment().unwrap()["header"][1], header);
}

#[test]
pub fn other_terms_are_read_anew() {
    let mut exchange = reserved(&permit(), &announced(), &[NETWORK]);
    let (_, first) = sponsored(&mut exchange);
    assert_eq!(first["extensions"]["eip2612GasSponsoring"]["info"]["amount"], "10000");
    // The wallet is asked for another payment of the same purchase: what was allowed is not enough.
    exchange.reserve(None, at(70)).unwrap();
    reading(exchange.prepare(at(70)));
}

#[test]
pub fn a_permit_that_ends_before_its_payment_is_signed_anew() {
    let mut exchange = reserved(&permit(), &announced(), &[NETWORK]);
    reading(exchange.prepare(at(0)));
    let permit = sign(exchange.read([Some(ZERO), Some(SEVEN)]));
    assert!(matches!(exchange.signed(&permit, at(5)), Next::Prepare));
    // The wallet's person comes back after a while: the permit covers all of that payment, too.
    exchange.recount(None, at(600)).unwrap();
    assert!(matches!(exchange.prepare(at(600)), Next::Sign(_)));
    exchange.recount(None, at(601)).unwrap();
    reading(exchange.prepare(at(601)));
    let next = exchange.read([Some(ZERO), Some(SEVEN)]);
    let Next::Sign(data) = &next else { panic!("{next:?}") };
    assert_eq!(data["message"]["deadline"], (NOW + 601 + 660).to_string());
}

#[test]
pub fn what_is_signed_after_a_permit_was_refused_is_not_taken_for_it() {
    let mut exchange = reserved(&permit(), &announced(), &[NETWORK]);
    sponsored(&mut exchange);
    // Other terms: the wallet is asked for another permit, and signs none.
    exchange.reserve(None, at(70)).unwrap();
    reading(exchange.prepare(at(70)));
    assert!(matches!(exchange.read([Some(ZERO), Some(SEVEN)]), Next::Sign(_)));
    // The same call again: what was sent before has been delivered, and its answer is asked for.
    let next = exchange.go_on(policy(RULES), None, false, true, at(80)).unwrap();
    assert!(matches!(next, Next::Send { .. }), "{next:?}");
    let delivered = problem("payment_already_delivered", None);
    let statement = sign(exchange.answered(409, &Headers::new(), &delivered, at(81)));
    let next = exchange.signed(&statement, at(82));
    let Next::Send { headers, .. } = next else { panic!("{next:?}") };
    assert!(headers.iter().any(|(name, _)| name == "Farebox-Redelivery"), "{headers:?}");
}

#[test]
fn a_person_is_told_that_an_allowance_may_be_signed_first() {
    let mut exchange = reserved(&permit(), &announced(), &[NETWORK]);
    assert_eq!(exchange.proposal().unwrap()["mayAllow"], true);
    sponsored(&mut exchange);
    assert_eq!(exchange.proposal().unwrap()["mayAllow"], true);
    let mut bare = reserved(&permit(), &announced(), &[]);
    assert_eq!(bare.proposal().unwrap()["mayAllow"], false);
    assert!(matches!(bare.prepare(at(0)), Next::Sign(_)));
}
