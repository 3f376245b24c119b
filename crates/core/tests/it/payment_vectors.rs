//! Whole payments through the gate: published payloads, malformed ones, and every way to spell a header.
//!
//! Where our decision differs from a vector or a reference, a table in `support/deviations.rs` names the case and the reason.

use std::collections::{BTreeMap, BTreeSet};

use farebox_core::encoding::base64;
use farebox_core::facilitator::payers::PayerHistory;
use farebox_core::gate::Gate;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::Attempts;
use farebox_core::gate::isolate::Isolate;
use farebox_core::gate::paid::Step;
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::http::{BodyPresence, Headers, RequestHead};
use farebox_core::ledger::Envelope;
use farebox_core::ledger::command::{LookAnswer, Resumed};
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::support::deviations::{EITHER_BUT_REFUSED, OVERRULED, STRICTER};
use crate::support::{cases, text};

#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// Goes on to the ledger, under this payment key.
    Accepted(String),
    /// Answered at once.
    Refused(u16, String),
}

/// A gate whose only route asks exactly `requirements`, with the least time to serve and settle.
fn gate(path: &str, requirements: &Value) -> Gate {
    let amount = requirements.get("amount").or_else(|| requirements.get("maxAmountRequired"));
    let extra = &requirements["extra"];
    let mut route = json!({
        "path": path,
        "price": {"amount": amount.unwrap(), "asset": {
            "address": requirements["asset"], "name": extra["name"], "version": extra["version"], "decimals": 6,
        }},
        "max_timeout_secs": requirements["maxTimeoutSeconds"],
        "origin_timeout_secs": 1,
    });
    if let Some(description) = requirements.get("description") {
        route["description"] = description.clone();
    }
    let vars = json!({
        "ORIGIN_URL": "https://origin.example", "PAY_TO": requirements["payTo"], "NETWORK": requirements["network"],
        "FACILITATOR_URL": "https://facilitator.example", "RECOVERY": {"settle_secs": 2}, "ROUTES": [route],
        "GATE_SECRET": "0123456789abcdef0123456789abcdef", "LEDGER_SALT": "0123456789abcdef",
    });
    Gate::from_vars(&vars.to_string()).unwrap_or_else(|errors| panic!("{requirements}: {errors:?}"))
}

fn head(method: &str, url: &str, headers: &[(&str, &str)]) -> RequestHead {
    let mut fields = Headers::new();
    for (name, value) in headers {
        fields.add(name, value);
    }
    let body = if method == "POST" { BodyPresence::Present } else { BodyPresence::Absent };
    RequestHead {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: fields,
        body,
        fresh: String::new(),
    }
}

fn calm(attempts: &mut Attempts) -> Isolate<'_> {
    Isolate {
        facilitators: Vec::new(),
        payers: const { &PayerHistory::new() },
        attempts,
        client: None,
    }
}

/// What the gate decides before it asks anybody but an empty ledger.
fn decide(gate: &Gate, head: RequestHead, now: u64) -> Decision {
    let now = UnixTime::from_secs(now);
    let mut attempts = Attempts::new();
    let mut around = calm(&mut attempts);
    let mut step = match gate.admit(head, "fresh-correlation", &mut around, now) {
        Admission::Pay(step) => step,
        Admission::Respond(reply) => Step::Respond(reply),
        _ => panic!("a priced route must not be passed on"),
    };
    loop {
        step = match step {
            Step::Digest(next) => next.answered(None),
            Step::Claim(call, _) => {
                let envelope: Envelope = serde_json::from_str(&call.command).unwrap();
                return Decision::Accepted(envelope.key);
            }
            Step::Resume(_, next) => next.answered(Some(Resumed::Nothing), now),
            Step::Look(_, next) => next.answered(Some(LookAnswer::Nothing), now),
            Step::Respond(reply) => return Decision::Refused(reply.head.status, code(&reply)),
            _ => panic!("a priced route must not be passed on"),
        };
    }
}

fn code(reply: &Reply) -> String {
    let Body::Text(body) = &reply.body else {
        panic!("{reply:?}");
    };
    let body: Value = serde_json::from_str(body).unwrap();
    assert!(
        reply.head.headers.get("payment-required").is_some() == (reply.head.status == 402),
        "terms come with every 402 and nothing else"
    );
    body["code"].as_str().unwrap().to_owned()
}

fn reason<'a>(table: &[(&'a str, &'a str)], name: &str) -> Option<&'a str> {
    table.iter().find(|(case, _)| *case == name).map(|(_, reason)| *reason)
}

/// Every row of a table must have been used.
fn all_used(table: &[(&str, &str)], used: &BTreeSet<String>) {
    for (name, _) in table {
        assert!(used.contains(*name), "{name} is in the table and needed by no case");
    }
}

/// The first payment vector, which every header vector carries.
fn base() -> Value {
    cases("security/eip3009_payments", "cases").remove(0)
}

//
#[test]
fn every_payment_vector_is_decided_as_it_says() {
    let (mut used, mut keys) = (BTreeSet::new(), BTreeMap::new());
    for case in cases("security/eip3009_payments", "cases") {
        let name = text(&case, "name");
        let url = text(&case, "requestUrl");
        let path = url.strip_prefix("https://shop.example").unwrap();
        let gate = gate(path, &case["requirements"]);
        let value = base64::encode(case["payment"].to_string().as_bytes());
        let head = head("GET", url, &[("PAYMENT-SIGNATURE", &value)]);
        let decision = decide(&gate, head, case["now"].as_u64().unwrap());
        let refused = matches!(decision, Decision::Refused(400 | 402, _));
        match text(&case, "expect") {
            "accept" => assert!(!refused, "{name}: {decision:?}"),
            "reject" if reason(OVERRULED, name).is_some() => {
                assert!(!refused, "{name}: {decision:?}");
                used.insert(name.to_owned());
            }
            "reject" => assert!(refused, "{name}: {decision:?}"),
            "either" if refused => {
                assert!(
                    reason(EITHER_BUT_REFUSED, name).is_some(),
                    "{name}: {decision:?} without a reason"
                );
                used.insert(name.to_owned());
            }
            "either" => assert!(reason(EITHER_BUT_REFUSED, name).is_none(), "{name} is accepted"),
            other => panic!("{name}: unknown expectation {other}"),
        }
        if let Decision::Refused(status, code) = &decision {
            assert_eq!(*status, if expected_400(code) { 400 } else { 402 }, "{name}: {code}");
            if let Some(ours) = case.get("code").and_then(Value::as_str).and_then(our_code) {
                assert!(ours.contains(&code.as_str()), "{name}: {code}, expected one of {ours:?}");
            }
        }
        if let Decision::Accepted(key) = decision {
            // Another nonce is another payment; another spelling of one nonce is the same.
            let signed = &case["payment"]["payload"]["authorization"];
            let nonce =
                format!("{}{}", text(signed, "from"), text(signed, "nonce")).to_ascii_lowercase();
            assert_eq!(keys.entry(nonce).or_insert_with(|| key.clone()), &key, "{name}");
        }
    }
    let distinct: BTreeSet<_> = keys.values().collect();
    assert_eq!(distinct.len(), keys.len(), "two payments share a key");
    for (name, _) in OVERRULED {
        assert!(used.contains(*name), "{name}");
    }
}

fn expected_400(code: &str) -> bool {
    code == "malformed_payment"
}

/// Our codes for a recommended class; a wrong shape may also show as what it makes wrong.
fn our_code(class: &str) -> Option<&'static [&'static str]> {
    Some(match class {
        "value_mismatch" => &["amount_mismatch"],
        "recipient_mismatch" => &["recipient_mismatch", "signature_invalid"],
        // A signature that may be a contract's is refused as such.
        "signature_invalid" => &["signature_invalid", "contract_wallet_refused"],
        "schema" => &["malformed_payment", "signature_invalid"],
        "expired" => &["expired"],
        "not_yet_valid" => &["not_yet_valid", "validity_too_long"],
        "validity_too_long" => &["validity_too_long"],
        "requirements_mismatch" => &["terms_mismatch"],
        "resource_mismatch" => &["resource_mismatch"],
        "unsupported_version" => &["unsupported_version", "malformed_payment"],
        _ => return None,
    })
}

//
#[test]
fn a_nonce_in_capitals_is_the_same_payment() {
    let case = base();
    let gate = gate("/premium/report", &case["requirements"]);
    let now = case["now"].as_u64().unwrap();
    let key = |payment: &Value| {
        let value = base64::encode(payment.to_string().as_bytes());
        decide(&gate, head("GET", text(&case, "requestUrl"), &[("payment-signature", &value)]), now)
    };
    let plain = key(&case["payment"]);
    let mut capitals = case["payment"].clone();
    let signed = &mut capitals["payload"]["authorization"];
    let nonce = text(signed, "nonce")[2..].to_ascii_uppercase();
    signed["nonce"] = json!(format!("0x{nonce}"));
    signed["from"] = json!(text(signed, "from").to_ascii_lowercase());
    assert!(matches!(plain, Decision::Accepted(_)));
    assert_eq!(key(&capitals), plain);
}

//
#[test]
fn every_header_vector_is_decided_as_it_says_and_every_accepted_spelling_is_one_payment() {
    let base = base();
    let now = base["now"].as_u64().unwrap();
    let gate = gate("/premium/report", &base["requirements"]);
    let (mut used, mut keys, mut classes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for case in cases("security/headers_request", "cases") {
        let name = text(&case, "name");
        let class = text(&case, "class");
        if class == "mpp_authorization" {
            continue;
        }
        classes.insert(class.to_owned());
        let mut url = text(&base, "requestUrl").to_owned();
        if let Some(query) = case.get("query").and_then(Value::as_str) {
            url = format!("{url}?{query}");
        }
        let method = case.get("method").and_then(Value::as_str).unwrap_or("GET");
        let generated = case.get("header_gen").map(generate);
        let rows: Vec<(&str, &str)> = case["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row[0].as_str().unwrap(), row[1].as_str().unwrap()))
            .chain(generated.as_ref().map(|(name, value)| (name.as_str(), value.as_str())))
            .collect();
        let decision = decide(&gate, head(method, &url, &rows), now);
        let refused = matches!(decision, Decision::Refused(400 | 402 | 414 | 431, _));
        match text(&case, "expect") {
            "accept" => assert!(!refused, "{name}: {decision:?}"),
            "reject" => {
                assert!(refused, "{name}: {decision:?}");
                assert_ne!(
                    decision,
                    Decision::Refused(402, "payment_required".to_owned()),
                    "{name}"
                );
            }
            // A target too long to be quoted is refused before anything is looked at.
            "challenge" if name == "place-query" => assert!(refused, "{name}: {decision:?}"),
            "challenge" => {
                assert_eq!(
                    decision,
                    Decision::Refused(402, "payment_required".to_owned()),
                    "{name}"
                );
            }
            "either" if refused => {
                assert!(
                    reason(EITHER_BUT_REFUSED, name).is_some(),
                    "{name}: {decision:?} without a reason"
                );
                used.insert(name.to_owned());
            }
            "either" => assert!(reason(EITHER_BUT_REFUSED, name).is_none(), "{name} is accepted"),
            other => panic!("{name}: unknown expectation {other}"),
        }
        if let Decision::Accepted(key) = decision {
            keys.insert(key);
        }
    }
    assert_eq!(keys.len(), 1, "one payment in many spellings");
    assert!(classes.len() >= 12, "{classes:?}");
    for case in cases("security/eip3009_payments", "cases") {
        used.insert(text(&case, "name").to_owned());
    }
    all_used(EITHER_BUT_REFUSED, &used);
}

/// A header that the file describes instead of spelling it out.
fn generate(recipe: &Value) -> (String, String) {
    let parts = &recipe["base64_of"];
    let count = usize::try_from(parts["count"].as_u64().unwrap()).unwrap();
    let plain = format!(
        "{}{}{}",
        text(parts, "prefix"),
        text(parts, "unit").repeat(count),
        text(parts, "suffix")
    );
    (text(recipe, "name").to_owned(), base64::encode(plain.as_bytes()))
}

#[test]
fn malformed_headers_that_a_reference_refuses_are_refused_here() {
    let mut used = BTreeSet::new();
    for (file, header, url) in [
        ("x402/v2-malformed-payment-signature", "payment-signature", "https://api.example.com/p"),
        ("x402/v1-malformed-x-payment", "x-payment", "https://api.example.com/p"),
    ] {
        let cases = cases(file, "cases");
        let requirements = json!({
            "network": "eip155:84532", "amount": "10000", "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            "payTo": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", "maxTimeoutSeconds": 300,
            "extra": {"name": "USDC", "version": "2"},
        });
        let gate = gate("/p", &requirements);
        let mut accepted = 0;
        for case in &cases {
            let name = text(case, "name");
            let decision =
                decide(&gate, head("GET", url, &[(header, text(case, "header"))]), 1_740_672_089);
            let refused = matches!(decision, Decision::Refused(400 | 402, _));
            match case["middleware"]["status"].as_u64() {
                Some(402) => assert!(refused, "{file} {name}: {decision:?}"),
                Some(200) if refused => {
                    assert!(
                        reason(STRICTER, name).is_some(),
                        "{file} {name}: {decision:?} without a reason"
                    );
                    used.insert(name.to_owned());
                }
                Some(200) => accepted += 1,
                None if case["middleware"].get("requestError").is_some() => {
                    assert!(refused, "{name}")
                }
                other => panic!("{file} {name}: unknown status {other:?}"),
            }
        }
        assert!(accepted >= 3, "{file}: only {accepted} accepted");
    }
    all_used(STRICTER, &used);
}

#[test]
fn what_stock_clients_sign_for_our_terms_is_accepted_and_other_schemes_are_refused() {
    let (mut accepted, mut refused) = (0, 0);
    for case in cases("x402/client-signing", "vectors") {
        let name = text(&case, "name");
        let version_2 = case["x402Version"] == 2;
        let required = &case["paymentRequired"];
        let terms = &required["accepts"][0];
        let url =
            if version_2 { text(&required["resource"], "url") } else { text(terms, "resource") };
        // The platform hands over URLs in ASCII, whatever the client's text was.
        let url = &url.replace('é', "%C3%A9");
        let (_, rest) = url.split_once("://").unwrap();
        let path = rest[rest.find('/').unwrap()..].split('?').next().unwrap();
        let ours = text(terms, "scheme") == "exact"
            && case["paymentPayload"]["payload"].get("authorization").is_some();
        let mut asked = terms.clone();
        asked.as_object_mut().unwrap().remove("description");
        if asked["extra"].get("name").is_none() {
            // A token without a domain cannot be asked for; the payload is refused before terms are compared.
            asked["network"] = json!("eip155:84532");
            asked["asset"] = json!("0x036CbD53842c5426634e7929541eC2318f3dCF7e");
            asked["extra"] = json!({"name": "USDC", "version": "2"});
        }
        if !ours {
            asked["maxTimeoutSeconds"] = json!(300);
        }
        let gate = gate(path, &asked);
        let header = if version_2 { "PAYMENT-SIGNATURE" } else { "X-PAYMENT" };
        let decision = decide(
            &gate,
            head("GET", url, &[(header, text(&case["headers"], header))]),
            1_740_672_089,
        );
        assert_eq!(matches!(decision, Decision::Accepted(_)), ours, "{name}: {decision:?}");
        (accepted, refused) = if ours { (accepted + 1, refused) } else { (accepted, refused + 1) };
    }
    assert!(accepted >= 8 && refused >= 6, "{accepted} accepted, {refused} refused");
}

#[test]
fn what_stock_version_1_clients_sign_for_our_terms_is_accepted() {
    for case in cases("x402/v1-client-signing", "vectors") {
        let terms = &case["paymentRequirements"];
        let url = text(terms, "resource");
        let path = url.strip_prefix("https://api.example.com").unwrap();
        let gate = gate(path, terms);
        let head = head("GET", url, &[("X-PAYMENT", text(&case["headers"], "X-PAYMENT"))]);
        let decision = decide(&gate, head, 1_740_672_089);
        assert!(matches!(decision, Decision::Accepted(_)), "{}: {decision:?}", text(&case, "name"));
    }
}

#[test]
fn one_402_says_to_both_versions_what_the_proven_one_says() {
    let path =
        format!("{}/../../tests/vectors/x402/dual-stack-402.json", env!("CARGO_MANIFEST_DIR"));
    let vector: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let proven = &vector["response402"];
    let two = &proven["decodedPaymentRequired"];
    let one = &proven["body"];
    let gate = gate("/x", &two["accepts"][0]);
    let head = head("GET", text(&two["resource"], "url"), &[]);
    let Admission::Respond(reply) = gate.admit(
        head,
        "fresh-correlation",
        &mut calm(&mut Attempts::new()),
        UnixTime::from_secs(1),
    ) else {
        panic!("a priced route must be answered");
    };
    assert_eq!(reply.head.status, 402);
    let header = reply.head.headers.get("payment-required").unwrap();
    let mut ours: Value = serde_json::from_slice(&base64::decode(header).unwrap()).unwrap();
    assert_eq!(without_primary_type(&mut ours), "TransferWithAuthorization");
    assert_contains(&ours, two, "header");
    assert_eq!(ours["accepts"], two["accepts"]);
    let Body::Text(body) = &reply.body else { panic!("{reply:?}") };
    let ours: Value = serde_json::from_str(body).unwrap();
    assert_contains(&ours, one, "body");
    assert_eq!(ours["accepts"], one["accepts"]);
    assert_eq!(reply.head.headers.get("content-type"), Some("application/json"));
}

/// Takes out what the gate adds for clients that choose by the type to sign.
fn without_primary_type(terms: &mut Value) -> Value {
    terms["accepts"][0]["extra"].as_object_mut().unwrap().remove("primaryType").unwrap()
}

fn assert_contains(ours: &Value, theirs: &Value, place: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in theirs {
                let place = format!("{place}.{name}");
                assert_contains(
                    ours.get(name).unwrap_or_else(|| panic!("{place} is missing")),
                    value,
                    &place,
                );
            }
        }
        (ours, theirs) => assert_eq!(ours, theirs, "{place}"),
    }
}
