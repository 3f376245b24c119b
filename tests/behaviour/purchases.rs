//! What a buyer at the compute exchange refuses to sign, and what it concludes from an answer.

use farebox_core::agent::json::Json;
use farebox_core::agent::purchase::order::JobOrder;
use farebox_core::agent::purchase::{JobPurchase, MoneyState, PurchaseEvent, PurchaseStep};
use farebox_core::agent::shift::{BondLimit, Duty};
use farebox_core::encoding::base64;
use farebox_core::http::Headers;
use serde_json::{Value, json};

const URL: &str = "https://exchange.example.com";
const USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const ESCROW: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
const SELLER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const NOW: u64 = 1_763_618_400;

fn order() -> JobOrder {
    JobOrder {
        url: URL.into(),
        profile: "live-testnet".into(),
        buyer: SELLER.to_lowercase(),
        capability: "llm".into(),
        prompt: "hello".into(),
        most: "0.01".into(),
        currency: Some("USDC".into()),
        till: None,
    }
}

fn listed() -> Value {
    json!({"network_profile": "live-testnet", "network": "eip155:84532", "currency": "USDC",
        "capabilities": [{"capability": "llm", "available_count": 1, "min_price": "0.005", "currency": "USDC"}]})
}

fn quoted() -> Value {
    let id = "a1".repeat(32);
    json!({"error": "Payment Required", "code": "PAYMENT_REQUIRED", "payment_id": id, "fingerprint": "b2".repeat(32),
        "payment_mode": "x402-escrow", "network_profile": "live-testnet", "pay_to": ESCROW, "amount": "0.005",
        "amount_atomic": "5000", "currency": "USDC", "network": "eip155:84532", "chain_id": 84532, "payment_asset": USDC,
        "seller_id": SELLER.to_lowercase(), "expires_in_seconds": 300, "accepts": [{"scheme": "exact", "network": "base-sepolia",
        "maxAmountRequired": "5000", "resource": format!("{URL}/api/v1/jobs/verify"), "payTo": ESCROW, "asset": USDC,
        "extra": {"payment_id": id}}], "x402Version": 1})
}

fn answered(
    purchase: &mut JobPurchase,
    status: u16,
    lines: &str,
    body: &Value,
    now: u64,
) -> PurchaseStep {
    let headers = Headers::from_lines(lines.lines());
    purchase
        .next(PurchaseEvent::Answered { status, headers: &headers, body: &body.to_string() }, now)
}

/// A purchase with this quote, and its next step.
fn with_quote(quote: &Value) -> (JobPurchase, PurchaseStep) {
    let mut purchase = JobPurchase::new(order());
    answered(&mut purchase, 200, "", &listed(), NOW);
    let step = answered(&mut purchase, 402, "", quote, NOW);
    (purchase, step)
}

fn code(step: &PurchaseStep) -> String {
    match step {
        PurchaseStep::Fail(error) => {
            format!("{} {}", error.text_of("code").unwrap(), error.text_of("money").unwrap())
        }
        other => panic!("no failure: {other:?}"),
    }
}

/// A purchase whose payment was sent so many times.
fn sent(times: u32) -> JobPurchase {
    let (mut purchase, _) = with_quote(&quoted());
    let payment = Json::List(vec![]);
    purchase.next(PurchaseEvent::Signed { payment, ends: NOW + 300 }, NOW);
    for _ in 1..times {
        purchase.next(PurchaseEvent::Lost, NOW);
    }
    purchase
}

#[test]
pub fn a_quote_that_contradicts_itself_or_the_order_is_not_signed() {
    assert_eq!(with_quote(&quoted()).1, PurchaseStep::Sign);
    for (path, value, expected) in [
        ("/network_profile", json!("live-mainnet"), "quote_rejected"),
        ("/network", json!("eip155:8453"), "quote_rejected"),
        ("/chain_id", json!(8453), "quote_rejected"),
        ("/currency", json!("EURC"), "quote_rejected"),
        ("/pay_to", json!(SELLER), "quote_rejected"),
        ("/accepts/0/payTo", json!(SELLER), "quote_rejected"),
        ("/payment_asset", json!(ESCROW), "quote_rejected"),
        ("/accepts/0/asset", json!(ESCROW), "quote_rejected"),
        ("/accepts/0/maxAmountRequired", json!("500000"), "quote_rejected"),
        (
            "/accepts/0/resource",
            json!("https://elsewhere.example.com/api/v1/jobs/verify"),
            "quote_rejected",
        ),
        ("/accepts/0/extra/payment_id", json!("c3".repeat(32)), "quote_rejected"),
        ("/accepts", json!([]), "quote_rejected"),
        ("/amount_atomic", json!("500000"), "quote_rejected"),
        ("/amount", json!("0.05"), "price_above_limit"),
        ("/payment_id", json!("../../x"), "quote_rejected"),
        ("/fingerprint", json!(""), "quote_rejected"),
        ("/expires_in_seconds", json!(0), "quote_rejected"),
        ("/expires_in_seconds", json!("300"), "quote_rejected"),
        ("/payment_mode", json!("x402-completion"), "quote_rejected"),
    ] {
        let mut quote = quoted();
        *quote.pointer_mut(path).unwrap() = value;
        let (purchase, step) = with_quote(&quote);
        assert_eq!(code(&step), format!("{expected} not_moved"), "{path}");
        assert_eq!(purchase.money(), MoneyState::NotMoved);
    }
    let mut dear = quoted();
    for (path, value) in [
        ("/amount", "0.010001"),
        ("/amount_atomic", "10001"),
        ("/accepts/0/maxAmountRequired", "10001"),
    ] {
        *dear.pointer_mut(path).unwrap() = json!(value);
    }
    assert_eq!(code(&with_quote(&dear).1), "price_above_limit not_moved");
}

#[test]
pub fn what_is_not_listed_or_too_dear_is_not_even_quoted() {
    for (path, value, expected) in [
        ("/capabilities", json!([]), "capability_unavailable"),
        ("/capabilities/0/capability", json!("LLM"), "capability_unavailable"),
        ("/capabilities/0/min_price", json!("0.02"), "price_above_limit"),
        ("/currency", json!("EURC"), "quote_rejected"),
        ("/network_profile", json!("live-mainnet"), "quote_rejected"),
    ] {
        let mut list = listed();
        *list.pointer_mut(path).unwrap() = value;
        let step = answered(&mut JobPurchase::new(order()), 200, "", &list, NOW);
        assert_eq!(code(&step), format!("{expected} not_moved"), "{path}");
    }
}

#[test]
pub fn only_the_payment_of_the_quote_is_signed() {
    let (purchase, _) = with_quote(&quoted());
    let terms = purchase.terms().unwrap();
    let proposal = json!({"network": "eip155:84532", "asset": USDC.to_lowercase(), "payTo": ESCROW, "amount": "5000", "price": "0.005", "symbol": "USDC"});
    let agrees = |proposal: &Value| terms.agrees(&Json::read(&proposal.to_string(), 1000).unwrap());
    assert!(agrees(&proposal));
    for (name, value) in [
        ("network", "eip155:1"),
        ("asset", ESCROW),
        ("payTo", SELLER),
        ("amount", "5001"),
        ("price", "0.05"),
        ("price", "0.0005"),
    ] {
        let mut other = proposal.clone();
        other[name] = json!(value);
        assert!(!agrees(&other), "{name}");
    }
}

#[test]
pub fn a_token_is_what_the_wallet_calls_it() {
    let (purchase, _) = with_quote(&quoted());
    for (symbol, agrees) in [(json!("USDC"), true), (json!("GOLD"), false), (json!(null), false)] {
        let proposal = json!({"network": "eip155:84532", "asset": USDC, "payTo": ESCROW, "amount": "5000", "price": "0.005", "symbol": symbol});
        let proposal = Json::read(&proposal.to_string(), 1000).unwrap();
        assert_eq!(purchase.terms().unwrap().agrees(&proposal), agrees, "{symbol}");
    }
}

/// The step after the offers of a profile on a network, and after its quote in a mode.
fn on(profile: &str, network: &str, mode: &str) -> [String; 2] {
    let told = |step: &PurchaseStep| match step {
        PurchaseStep::Fail(_) => code(step),
        PurchaseStep::Sign => "signed".into(),
        PurchaseStep::Request(request) => request.path.clone(),
        PurchaseStep::Return(_) => "returned".into(),
    };
    let order = JobOrder { profile: profile.into(), ..order() };
    let (mut list, mut quote) = (listed(), quoted());
    for said in [&mut list, &mut quote] {
        said["network_profile"] = json!(profile);
        said["network"] = json!(network);
    }
    quote["chain_id"] = json!(network.rsplit(':').next().unwrap().parse::<u64>().unwrap_or(0));
    quote["payment_mode"] = json!(mode);
    let offers = match profile {
        "demo-testnet" => "none".into(),
        _ => told(&answered(&mut JobPurchase::new(order.clone()), 200, "", &list, NOW)),
    };
    let asking = json!({"order": {}, "stage": {"at": "asking", "network": "", "currency": ""}});
    let mut kept: Value =
        serde_json::from_str(&JobPurchase::new(order).to_json().to_string()).unwrap();
    kept["stage"] = asking["stage"].clone();
    let mut purchase = JobPurchase::read(&Json::read(&kept.to_string(), 1 << 20).unwrap()).unwrap();
    [offers, told(&answered(&mut purchase, 402, "", &quote, NOW))]
}

#[test]
pub fn each_profile_pays_on_its_own_kind_of_network() {
    let (quote, refused) = ("/api/v1/jobs/quote", "quote_rejected not_moved");
    for network in ["eip155:84532", "eip155:31337"] {
        assert_eq!(on("live-testnet", network, "x402-escrow"), [quote, "signed"], "{network}");
        assert_eq!(on("live-mainnet", network, "x402-escrow"), [refused, refused], "{network}");
        assert_eq!(on("demo-testnet", network, "mock"), ["none", "/api/v1/jobs/verify"]);
        for mode in ["x402-escrow", "x402-completion", "Mock"] {
            assert_eq!(on("demo-testnet", network, mode)[1], refused, "{mode}");
        }
    }
    // A network that is not known may have money of value.
    for network in ["eip155:8453", "eip155:1", "eip155:999999999"] {
        assert_eq!(on("live-mainnet", network, "x402-escrow"), [quote, "signed"], "{network}");
        assert_eq!(on("live-testnet", network, "x402-escrow"), [refused, refused], "{network}");
        for mode in ["mock", "x402-escrow"] {
            assert_eq!(on("demo-testnet", network, mode)[1], refused, "{network} {mode}");
        }
    }
}

#[test]
pub fn a_quote_without_the_time_to_sign_it_is_asked_for_again_after_a_wait() {
    let mut quote = quoted();
    quote["expires_in_seconds"] = json!(4);
    let (_, step) = with_quote(&quote);
    let waits = |step: &PurchaseStep| match step {
        PurchaseStep::Request(request) if request.path == "/api/v1/jobs/quote" => request.wait_ms,
        other => panic!("no quote is asked for: {other:?}"),
    };
    assert_eq!(waits(&step), 250);
    // One that lapsed while its order rested is asked for again at once.
    let (mut lapsed, _) = with_quote(&quoted());
    assert_eq!(waits(&lapsed.next(PurchaseEvent::Resumed, NOW + 298)), 0);
}

#[test]
pub fn a_quote_whose_seat_is_gone_is_asked_for_again_and_not_signed() {
    let (mut purchase, _) = with_quote(&quoted());
    let step = purchase.next(PurchaseEvent::Resumed, NOW + 298);
    assert!(
        matches!(&step, PurchaseStep::Request(request) if request.path == "/api/v1/jobs/quote"),
        "{step:?}"
    );
    assert_eq!(purchase.money(), MoneyState::NotMoved);
}

// A-271
#[test]
pub fn a_quote_above_what_a_later_call_allows_is_not_signed() {
    let (purchase, _) = with_quote(&quoted());
    let resumed = |change: serde_json::Value| {
        let mut kept: serde_json::Value =
            serde_json::from_str(&purchase.to_json().to_string()).unwrap();
        for (name, value) in change.as_object().unwrap() {
            kept["order"][name] = value.clone();
        }
        let kept = Json::read(&kept.to_string(), 1 << 20).unwrap();
        JobPurchase::read(&kept).unwrap().next(PurchaseEvent::Resumed, NOW + 1)
    };
    assert!(matches!(resumed(json!({})), PurchaseStep::Sign));
    for change in [json!({"most": "0.004"}), json!({"currency": "USDT"}), json!({"most": "much"})] {
        let step = resumed(change.clone());
        assert!(
            matches!(&step, PurchaseStep::Request(request) if request.path == "/api/v1/jobs/quote"),
            "{change}: {step:?}"
        );
    }
}

// A-266
#[test]
pub fn a_payment_goes_to_the_exchange_or_to_the_gate_that_its_caller_named_wherever_a_quote_points()
{
    let id = "a1".repeat(32);
    for till in [None, Some("https://gate.example.com".to_owned())] {
        for named in [
            format!("https://gate.example.com/till/{id}"),
            format!("http://localhost:3000/admin/delete?x=/till/{id}"),
            format!("http://169.254.169.254/till/{id}"),
        ] {
            let terms = json!({"x402Version": 2, "resource": {"url": named}}).to_string();
            let lines = format!("payment-required: {}", base64::encode(terms.as_bytes()));
            let mut purchase = JobPurchase::new(JobOrder { till: till.clone(), ..order() });
            answered(&mut purchase, 200, "", &listed(), NOW);
            answered(&mut purchase, 402, &lines, &quoted(), NOW);
            let payment = Json::List(vec![]);
            purchase.next(PurchaseEvent::Signed { payment, ends: NOW + 300 }, NOW);
            purchase.next(PurchaseEvent::Lost, NOW);
            let gone = json!({"code": "QUOTE_EXPIRED"});
            let step = answered(&mut purchase, 409, "", &gone, NOW);
            let expected = format!("{}/till/{id}", till.as_deref().unwrap_or(URL));
            assert!(
                matches!(&step, PurchaseStep::Request(request) if request.path == expected),
                "{named}: {step:?}"
            );
        }
    }
}

#[test]
pub fn what_an_exchange_says_is_kept_within_bounds_or_not_at_all() {
    for (path, value) in [
        ("/payment_mode", "x".repeat(129)),
        ("/seller_id", "x".repeat(129)),
        ("/payment_asset", "x".repeat(1_000_000)),
    ] {
        let mut quote = quoted();
        *quote.pointer_mut(path).unwrap() = json!(value);
        assert_eq!(code(&with_quote(&quote).1), "quote_rejected not_moved", "{path}");
    }
    for name in ["network", "currency"] {
        let mut list = listed();
        list[name] = json!("e".repeat(1_000_000));
        let mut purchase = JobPurchase::new(JobOrder { currency: None, ..order() });
        let step = answered(&mut purchase, 200, "", &list, NOW);
        assert_eq!(code(&step), "quote_rejected not_moved", "{name}");
        assert!(purchase.to_json().to_string().len() < 1_000, "{name}");
    }
    let mut quote = quoted();
    quote["more"] = json!("x".repeat(33 * 1024));
    assert_eq!(code(&with_quote(&quote).1), "quote_rejected not_moved");
    let job = |id: &str, token: &str| json!({"job_id": id, "job_token": token, "status": "paid"});
    for (id, token) in [
        ("../../../admin?x=".to_owned(), "t".to_owned()),
        ("j".repeat(129), "t".to_owned()),
        ("j".to_owned(), "t".repeat(1_025)),
        ("j".to_owned(), "t\r\nx-other: 1".to_owned()),
        ("j".to_owned(), String::new()),
    ] {
        let mut purchase = sent(1);
        let step = answered(&mut purchase, 200, "", &job(&id, &token), NOW);
        let asks_again = |step: &PurchaseStep| matches!(step, PurchaseStep::Request(request) if request.path.ends_with("verify"));
        assert!(asks_again(&step), "{id:.20} {token:.20}");
        assert_eq!(purchase.money(), MoneyState::Unknown);
    }
    let mut purchase = sent(1);
    let mut said = job("j-1_A", "a.b~c+d/e=");
    said["settlement_tx_hash"] = json!("0x11\u{1b}]0;owned");
    answered(&mut purchase, 200, "", &said, NOW);
    assert_eq!(
        (purchase.money(), purchase.terms().unwrap().transaction.clone()),
        (MoneyState::Held, None)
    );
}

// A-268
#[test]
pub fn where_nothing_is_held_a_job_without_its_result_proves_nothing() {
    let mut quote = quoted();
    quote["payment_mode"] = json!("x402-completion");
    quote["seller_id"] = quote["pay_to"].clone();
    let (mut purchase, _) = with_quote(&quote);
    purchase.next(PurchaseEvent::Signed { payment: Json::List(vec![]), ends: NOW + 300 }, NOW);
    let job = json!({"job_id": "j", "job_token": "t", "status": "paid"});
    let step = answered(&mut purchase, 200, "", &job, NOW);
    assert!(
        matches!(&step, PurchaseStep::Request(request) if request.path.ends_with("verify")),
        "{step:?}"
    );
    assert_eq!(purchase.money(), MoneyState::Unknown);
    let done = json!({"job_id": "j", "job_token": "t", "status": "done", "result": {"text": "x"}});
    assert!(matches!(answered(&mut purchase, 200, "", &done, NOW), PurchaseStep::Return(_)));
}

// A-269
#[test]
pub fn a_job_whose_row_has_left_is_over() {
    let mut purchase = sent(1);
    answered(&mut purchase, 200, "", &json!({"job_id": "j", "job_token": "t"}), NOW);
    let gone = json!({"ok": false, "code": "JOB_NOT_FOUND", "error": "Job not found."});
    let early = answered(&mut purchase, 404, "", &gone, NOW + 1_200);
    assert_eq!(code(&early), "job_unreadable held");
    // However late it is, a proxy does not know.
    for status in [403, 404] {
        for said in [json!({"error": "Not found"}), json!({"code": "NOT_FOUND"}), json!(null)] {
            let answer = answered(&mut purchase, status, "", &said, NOW + 9_999_999);
            assert_eq!(code(&answer), "job_unreadable held", "{status} {said}");
        }
    }
    assert_eq!(code(&answered(&mut purchase, 404, "", &gone, NOW + 1_201)), "job_gone unknown");
}

#[test]
pub fn a_payment_that_may_have_arrived_is_looked_for_at_the_gate() {
    let gone =
        json!({"code": "FINGERPRINT_INVALID", "error": "Quote is expired or no longer valid."});
    // Never sent before: the exchange's word is enough.
    assert_eq!(code(&answered(&mut sent(1), 403, "", &gone, NOW)), "payment_refused unknown");
    let changed = json!({"code": "QUOTE_PAYMENT_PROFILE_MISMATCH", "error": "request a new quote"});
    assert_eq!(code(&answered(&mut sent(1), 409, "", &changed, NOW)), "payment_refused unknown");
    let step = answered(&mut sent(2), 409, "", &changed, NOW);
    assert!(matches!(&step, PurchaseStep::Request(request) if request.path.contains("/till/")));
    let mut purchase = sent(2);
    let step = answered(&mut purchase, 403, "", &gone, NOW);
    let path = format!("{URL}/till/{}", "a1".repeat(32));
    assert!(matches!(&step, PurchaseStep::Request(request) if request.path == path), "{step:?}");
    assert_eq!(purchase.money(), MoneyState::Unknown);
    let unpriced = json!({"code": "price_unavailable"});
    let waits = |step: PurchaseStep| matches!(step, PurchaseStep::Request(_));
    assert!(waits(answered(&mut purchase.clone(), 503, "", &unpriced, NOW)));
    let ended = answered(&mut purchase.clone(), 503, "", &unpriced, NOW + 361);
    assert_eq!(code(&ended), "payment_refused unknown");
    let settlement = base64::encode(br#"{"success":true,"transaction":"0x11"}"#);
    let lines = format!("payment-response: {settlement}");
    let orphan = json!({"code": "QUOTE_EXPIRED"});
    let owed = answered(&mut purchase.clone(), 409, &lines, &orphan, NOW);
    assert_eq!(code(&owed), "refund_due refunded");
    let job =
        json!({"job_id": "j", "job_token": "t", "status": "paid", "settlement_tx_hash": "0x11"});
    let step = answered(&mut purchase, 200, "", &job, NOW);
    assert!(
        matches!(&step, PurchaseStep::Request(request) if request.path == "/api/v1/jobs/j"),
        "{step:?}"
    );
    assert_eq!(purchase.money(), MoneyState::Held);
}

// A-267
#[test]
pub fn each_answer_to_a_payment_says_what_became_of_the_money() {
    for (status, said, expected) in [
        (400, "FACILITATOR_RESPONSE_INVALID", "payment_refused unknown"),
        (400, "INVALID_BUYER_ADDRESS", "payment_refused unknown"),
        (502, "JOB_FAILED", "job_failed unknown"),
        (409, "payment_already_used", "payment_refused unknown"),
        (409, "origin_failed", "payment_refused unknown"),
        (409, "refund_due", "refund_due refunded"),
        (502, "refunded", "refund_due refunded"),
    ] {
        let step = answered(&mut sent(2), status, "", &json!({"code": said, "error": "x"}), NOW);
        assert_eq!(code(&step), expected, "{said}");
    }
    for (status, said) in [
        (500, ""),
        (503, "settlement_unknown"),
        (429, ""),
        (402, "X_PAYMENT_REQUIRED"),
        (302, ""),
        (200, ""),
    ] {
        let mut purchase = sent(1);
        let step = answered(&mut purchase, status, "", &json!({"code": said}), NOW);
        assert!(
            matches!(&step, PurchaseStep::Request(request) if request.path.ends_with("verify") && request.wait_ms > 0),
            "{said}"
        );
        assert_eq!(purchase.money(), MoneyState::Unknown, "{said}");
    }
    let passed = json!({"code": "PAYMENT_VERIFY_FAILED", "details": {"gate": "refund_due"}});
    assert_eq!(code(&answered(&mut sent(1), 409, "", &passed, NOW)), "refund_due refunded");
    let mut waits = sent(1);
    let step = answered(&mut waits, 503, "retry-after: 7", &json!({}), NOW);
    assert!(matches!(step, PurchaseStep::Request(request) if request.wait_ms == 7_000));
}

#[test]
pub fn failures_in_a_row_are_asked_again_ever_more_slowly() {
    // As the caller does: each step reads what the one before has told.
    let fails = |kept: &JobPurchase| {
        let mut purchase = JobPurchase::read(&kept.to_json()).unwrap();
        let PurchaseStep::Request(request) = purchase.next(PurchaseEvent::Lost, NOW) else {
            panic!("nothing is asked")
        };
        (purchase, request.wait_ms)
    };
    let mut purchase = sent(1);
    for expected in [250, 1_000, 2_000, 5_000, 10_000, 10_000] {
        let (next, wait_ms) = fails(&purchase);
        assert_eq!(wait_ms, expected);
        purchase = next;
    }
    // Another process begins at once, and so does what goes on.
    let mut resumed = purchase.clone();
    let step = resumed.next(PurchaseEvent::Resumed, NOW);
    assert!(matches!(step, PurchaseStep::Request(request) if request.wait_ms == 0));
    answered(&mut purchase, 200, "", &json!({"job_id": "j", "job_token": "t"}), NOW);
    assert_eq!(fails(&purchase).1, 250);
}

#[test]
pub fn a_job_that_failed_gives_the_money_back_where_it_was_held() {
    for (mode, expected) in
        [("x402-escrow", "job_failed refunded"), ("mock", "job_failed not_moved")]
    {
        let mut quote = quoted();
        quote["payment_mode"] = json!(mode);
        let (mut purchase, _) = with_quote(&quote);
        purchase.next(PurchaseEvent::Signed { payment: Json::List(vec![]), ends: NOW + 300 }, NOW);
        answered(&mut purchase, 200, "", &json!({"job_id": "j", "job_token": "t"}), NOW);
        let failed = json!({"status": "failed", "result": {"error": "no quota\u{202e}"}});
        let step = answered(&mut purchase, 200, "", &failed, NOW);
        assert_eq!(code(&step), expected);
        let PurchaseStep::Fail(error) = step else { unreachable!() };
        assert_eq!(error.text_of("message"), Some("no quota"));
    }
}

#[test]
pub fn a_job_that_cannot_be_read_is_told_and_stays_open() {
    for (status, said) in
        [(403, json!({"code": "JOB_TOKEN_INVALID", "error": "x"})), (200, json!([]))]
    {
        let mut purchase = sent(1);
        answered(&mut purchase, 200, "", &json!({"job_id": "j", "job_token": "t"}), NOW);
        assert_eq!(code(&answered(&mut purchase, status, "", &said, NOW)), "job_unreadable held");
        let step = purchase.next(PurchaseEvent::Resumed, NOW);
        assert!(
            matches!(&step, PurchaseStep::Request(request) if request.path == "/api/v1/jobs/j")
        );
    }
}

#[test]
pub fn a_seller_lets_go_of_a_job_that_is_another_s_by_now() {
    for (status, code) in
        [(403, "SELLER_MISMATCH"), (404, "JOB_NOT_FOUND"), (409, "INVALID_JOB_STATE")]
    {
        assert_eq!(duty("jobs/1/complete", status, code), Duty::Drop, "{code}");
    }
}

// A-269
#[test]
pub fn a_seller_believes_no_answer_without_a_code_of_the_exchange() {
    for path in ["jobs/1/complete", "jobs/1/start", "sellers/session", "sellers/heartbeat"] {
        for status in [200, 202, 204, 206, 301, 400, 401, 403, 404, 409, 413] {
            // A 401 with a code refuses the proof: another one loses nothing.
            let codes = ["", "FORBIDDEN", "NOT FOUND"];
            for code in codes.into_iter().take(if status == 401 { 1 } else { codes.len() }) {
                assert_eq!(duty(path, status, code), Duty::Again, "{path} {status} {code}");
            }
        }
    }
    // Nothing is at stake yet where the address may be wrong.
    assert_eq!(duty("sellers/register", 404, ""), Duty::Stop);
}

/// The duty of a seller after an answer that has a code alone.
fn duty(path: &str, status: u16, code: &str) -> Duty {
    let answer = Json::read(&json!({ "code": code }).to_string(), 1000).unwrap();
    Duty::after(path, status, &answer)
}

// A-270
#[test]
pub fn a_bond_is_transferred_on_its_profile_s_networks_and_within_its_limit() {
    let challenge = json!({"network": "eip155:84532", "asset": USDC, "amount": "0.010007", "amount_atomic": "10007"});
    let limit = BondLimit { profile: "live-testnet", most: "0.02" };
    let fault = |challenge: &Value, limit: BondLimit<'_>| {
        limit.fault(&Json::read(&challenge.to_string(), 1000).unwrap()).unwrap_or("none")
    };
    assert_eq!(fault(&challenge, limit), "none");
    for profile in ["live-mainnet", "demo-testnet2"] {
        let asset = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
        let network = json!({"network": "eip155:8453", "asset": asset, "amount": "0.01", "amount_atomic": "10000"});
        let expected = match profile {
            "live-mainnet" => "none",
            _ => "its network is not one of this profile",
        };
        assert_eq!(fault(&network, BondLimit { profile, ..limit }), expected);
    }
    for (name, value, expected) in [
        ("network", "eip155:8453", "its network is not one of this profile"),
        ("network", "", "its network is not one of this profile"),
        ("amount_atomic", "1000700", "its amounts disagree"),
        ("amount_atomic", "20007", "its amounts disagree"),
        ("amount", "", "its amounts disagree"),
    ] {
        let mut other = challenge.clone();
        other[name] = json!(value);
        assert_eq!(fault(&other, limit), expected, "{name}");
    }
    assert_eq!(fault(&challenge, BondLimit { most: "0.01", ..limit }), "it is above maxBond");
    assert_eq!(fault(&challenge, BondLimit { most: "much", ..limit }), "it is above maxBond");
}

// A-326
#[test]
pub fn a_bond_is_in_a_known_token() {
    let weth = "0x4200000000000000000000000000000000000006";
    for asset in [weth, "", "USDC"] {
        let challenge = json!({
            "network": "eip155:8453", "asset": asset, "amount": "1", "amount_atomic": "1000000000000000000000000",
        });
        let limit = BondLimit { profile: "live-mainnet", most: "1" };
        let fault = limit.fault(&Json::read(&challenge.to_string(), 1000).unwrap());
        assert_eq!(fault, Some("its token is not known"), "{asset}");
    }
}

#[test]
pub fn a_request_that_opens_a_session_waits_for_none() {
    for (status, code) in
        [(401, ""), (403, "SELLER_SESSION_INVALID"), (403, "SELLER_SIGNATURE_INVALID")]
    {
        for path in ["sellers/session", "sellers/session/challenge"] {
            assert_ne!(duty(path, status, code), Duty::Session, "{path} {code}");
        }
    }
}
