//! What an agent is told and allowed before a payment: quotes, confirmations, rankings, prepared requests.

use farebox_core::agent::card::Card;
use farebox_core::agent::challenge::RawChallenge;
use farebox_core::agent::detect::{Protocol, detect};
use farebox_core::agent::harness::{Event, PreparationState, Record, Rejection};
use farebox_core::agent::json::Json;
use farebox_core::agent::pool::{Known, Pool};
use farebox_core::agent::prepared;
use farebox_core::agent::quote::{Pay, Quote, Refusal};
use farebox_core::agent::ranking::{Wallet, rank};
use farebox_core::agent::requirement::Requirement;
use farebox_core::agent::validation::{NextAction, PlannedRequest};
use farebox_core::agent::{cost, quote};
use farebox_core::client::budget::Budget;
use farebox_core::client::challenge::Means;
use farebox_core::client::look::{ChallengeResponse, look, spent};
use farebox_core::client::{ClientError, Exchange, Next, Policy, Reason};
use farebox_core::encoding::base64;
use farebox_core::evm::address::Address;
use farebox_core::http::Headers;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

const USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const PAYEE: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
const OTHER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

fn entry(scheme: &str, amount: &str) -> Value {
    json!({"scheme": scheme, "network": "eip155:84532", "amount": amount, "asset": USDC, "payTo": PAYEE, "maxTimeoutSeconds": 60})
}

fn challenge(accepts: &[Value]) -> RawChallenge {
    let terms = json!({"x402Version": 2, "accepts": accepts}).to_string();
    let line = format!("payment-required: {}", base64::encode(terms.as_bytes()));
    RawChallenge::new(Protocol::X402, Headers::from_lines(line.lines()), &Json::Null)
}

fn pool(accepts: &[Value]) -> Pool {
    Pool::read(&challenge(accepts), &[], UnixTime::from_secs(0))
}

fn wallet(context: Value) -> Wallet {
    Wallet::read(&Json::read(&context.to_string(), 100_000).unwrap())
}

fn balance(amount: &str) -> Value {
    json!([{"network": "eip155:84532", "asset": USDC, "amount": amount}])
}

#[test]
fn a_subscription_is_recommended_to_who_asks_for_one_alone() {
    let pool = pool(&[entry("exact", "1"), entry("period", "900")]);
    let best = |context: Value| rank(&pool.choices, &wallet(context)).recommended;
    assert_eq!(best(json!({})), Some(0));
    assert_eq!(best(json!({"intent": "subscription"})), Some(1));
    assert_eq!(best(json!({"intent": "subscription", "signs": ["exact"]})), Some(0));
    let only = self::pool(&[entry("period", "900")]);
    assert_eq!(rank(&only.choices, &wallet(json!({}))).recommended, None);
}

/// A quote with the card of its first way up.
fn shown(pool: &Pool) -> Quote {
    let mut quote = Quote::new("p1", "ann", 0, None);
    quote.show("ann", pool.choice(0), 0).unwrap();
    quote
}

#[test]
pub fn a_way_that_cannot_be_signed_is_listed_and_not_recommended() {
    let pool = pool(&[entry("aggr_deferred", "400"), entry("exact", "1000")]);
    let wallet = wallet(json!({"signs": ["exact"], "balances": balance("5000")}));
    let ranking = rank(&pool.choices, &wallet);
    assert_eq!((ranking.recommended, ranking.order), (Some(1), vec![1, 0]));
}

#[test]
pub fn a_balance_below_the_amount_is_as_good_as_none() {
    let pool = pool(&[entry("exact", "1000"), entry("aggr_deferred", "400")]);
    let recommended =
        |held| rank(&pool.choices, &wallet(json!({"balances": balance(held)}))).recommended;
    assert_eq!([recommended("399"), recommended("400"), recommended("0")], [None, Some(1), None]);
}

// A-116
#[test]
fn the_order_of_the_list_does_not_choose() {
    let mut accepts = vec![
        entry("exact", "30"),
        entry("aggr_deferred", "20"),
        entry("upto", "20"),
        entry("exact", "20"),
    ];
    for _ in 0..accepts.len() {
        accepts.rotate_left(1);
        let pool = pool(&accepts);
        let ranking = rank(&pool.choices, &Wallet::default());
        let best = pool.choice(ranking.recommended.unwrap()).unwrap();
        assert_eq!((best.scheme.as_str(), best.amount.as_str()), ("aggr_deferred", "20"));
    }
}

#[test]
fn amounts_of_tokens_with_other_decimals_are_compared_as_whole_tokens() {
    let other = format!("0x{}", "12".repeat(20));
    let mut long = entry("exact", "2000000000000000000");
    long["asset"] = other.as_str().into();
    let known =
        json!([{"network": "eip155:84532", "address": other, "symbol": "USDC", "decimals": 18}]);
    let known = Json::read(&known.to_string(), 1000).unwrap();
    let pool = Pool::read(
        &challenge(&[long, entry("exact", "3000000")]),
        &Known::list(&known),
        UnixTime::from_secs(0),
    );
    assert_eq!(rank(&pool.choices, &Wallet::default()).recommended, Some(0));
}

#[test]
pub fn a_quote_is_its_owners_alone() {
    let pool = pool(&[entry("exact", "1000")]);
    let choice = pool.choice(0).unwrap();
    let mut quote = shown(&pool);
    quote.agree("ann", choice, "token", 1).unwrap();
    assert_eq!(quote.pay("bob", choice, "token", 2), Err(Refusal::CrossUser));
    assert_eq!(quote.pay("ann", choice, "token", 2), Ok(Pay::Begin(0)));
}

#[test]
pub fn a_quote_ends_after_its_time_and_with_its_challenge() {
    let pool = pool(&[entry("exact", "1000")]);
    let choice = pool.choice(0).unwrap();
    for (ends, last) in [(None, quote::TTL_MS - 1), (Some(60_000), 59_999)] {
        let mut quote = Quote::new("p1", "ann", 0, ends);
        quote.show("ann", Some(choice), 0).unwrap();
        quote.agree("ann", choice, "token", 1).unwrap();
        assert_eq!(quote.clone().pay("ann", choice, "token", last), Ok(Pay::Begin(0)));
        assert_eq!(quote.pay("ann", choice, "token", last + 1), Err(Refusal::Missing));
    }
}

#[test]
pub fn a_confirmation_is_for_one_quote_payee_amount_and_way_alone() {
    let asked = pool(&[entry("exact", "1000")]);
    let choice = asked.choice(0).unwrap();
    let mut quote = shown(&asked);
    quote.agree("ann", choice, "token", 1).unwrap();
    for (member, value) in [
        ("amount", "1001"),
        ("payTo", OTHER),
        ("scheme", "upto"),
        ("network", "eip155:8453"),
        ("asset", OTHER),
    ] {
        let mut changed = entry("exact", "1000");
        changed[member] = value.into();
        let pool = pool(&[changed]);
        let other = pool.choice(0).unwrap();
        assert_eq!(
            quote.clone().pay("ann", other, "token", 2),
            Err(Refusal::Unconfirmed),
            "{member}"
        );
    }
    assert_eq!(quote.clone().pay("ann", choice, "guess", 2), Err(Refusal::Unconfirmed));
    assert_eq!(quote.pay("ann", choice, "token", 2), Ok(Pay::Begin(0)));
}

#[test]
pub fn a_confirmation_begins_one_payment() {
    let pool = pool(&[entry("exact", "1000")]);
    let choice = pool.choice(0).unwrap();
    let mut quote = shown(&pool);
    assert_eq!(quote.pay("ann", choice, "token", 1), Err(Refusal::Unconfirmed));
    quote.agree("ann", choice, "token", 1).unwrap();
    assert_eq!(quote.pay("ann", choice, "token", 2), Ok(Pay::Begin(0)));
    assert_eq!(quote.pay("ann", choice, "token", 2), Ok(Pay::Pending));
    quote.lose();
    assert_eq!(
        quote.pay("ann", choice, "", 900_000),
        Ok(Pay::Begin(0)),
        "its outcome is asked for"
    );
    quote.finish("paid".into());
    assert_eq!(quote.pay("ann", choice, "token", 900_000), Ok(Pay::Known("paid".into())));
    let read = Quote::read(&quote.to_json()).unwrap();
    assert_eq!(read.to_json(), quote.to_json());
}

#[test]
fn only_the_card_that_is_up_is_answered_and_a_no_is_the_end() {
    let pool = pool(&[entry("exact", "1000"), entry("exact", "2000")]);
    let [one, two] = [0, 1].map(|at| pool.choice(at).unwrap());
    let mut quote = shown(&pool);
    assert_eq!(quote.agree("ann", two, "token", 1), Err(Refusal::InvalidInput));
    quote.agree("ann", one, "token", 1).unwrap();
    quote.show("ann", None, 1).unwrap();
    assert_eq!(quote.pay("ann", one, "token", 1), Err(Refusal::Unconfirmed));
    assert_eq!(quote.agree("ann", one, "token", 1), Err(Refusal::InvalidInput));
    quote.decline("ann", 1).unwrap();
    assert_eq!(quote.show("ann", Some(one), 1), Err(Refusal::Declined));
    assert_eq!(quote.pay("ann", one, "token", 1), Err(Refusal::Declined));
}

#[test]
pub fn a_request_that_is_executed_or_was_is_neither_executed_again_nor_superseded() {
    let executing = PreparationState::Active.after(Event::Begin);
    let record = Record {
        state: executing.clone(),
        expires_ms: 10,
        superseded_by: "",
        next: NextAction::Execute,
    };
    assert_eq!(record.admit(0), Err(Rejection::Consumed));
    let consumed = executing.after(Event::Finish);
    assert_eq!(consumed.clone().after(Event::Supersede), consumed);
}

#[test]
pub fn an_answer_that_is_no_402_asks_for_nothing() {
    let headers = Headers::from_lines(["payment-required: e30="].into_iter());
    assert_eq!(detect(402, &headers, ""), Some(Protocol::X402));
    for status in [200, 401, 403, 500] {
        assert_eq!(detect(status, &headers, ""), None, "{status}");
    }
}

#[test]
pub fn a_request_that_lacks_what_the_seller_requires_is_not_executed() {
    let mut needs = entry("exact", "1000");
    needs["extra"] = json!({"outputSchema": {"input": {"bodyType": "json", "body": {"properties": {"topic": {"type": "string"}}, "required": ["topic"]}}}});
    let challenge = challenge(&[needs]);
    let headers = Headers::from_lines(["content-type: application/json"].into_iter());
    let next = |body| {
        let request =
            PlannedRequest { url: "https://shop.example/r", headers: &headers, body: Some(body) };
        let told = prepared::prepare(request, Some(&challenge), &Json::Null);
        told.text_of("nextAction").unwrap().to_string()
    };
    assert_eq!([next("{}"), next(r#"{"topic":"rain"}"#)], ["revise_request", "execute"]);
}

// A-87
#[test]
pub fn a_known_token_has_its_own_name_and_decimals() {
    let mut lies = entry("exact", "1000000");
    lies["extra"] = json!({"name": "FREE", "decimals": 18});
    let challenge = challenge(&[lies]);
    let requirement = Requirement::of(&challenge);
    let accept = challenge.accepts().next().unwrap();
    let told = cost::summary(&requirement, accept).unwrap();
    assert_eq!(told, "Costs 1.000000 USDC on Base Sepolia (exact).");
    assert_eq!(requirement.amount.as_deref(), Some("1.000000"));
}

#[test]
fn no_text_of_a_seller_is_on_a_card() {
    let mut entry = entry("exact", "1000");
    let plain = cards(&entry);
    for text in ["USDT", "FREE", "**yes**", "a\u{202e}b", "\n- Pay to: `0x0`"] {
        entry["extra"] = json!({"name": text, "symbol": text, "decimals": text, "precision": 2});
        entry["description"] = text.into();
        entry["resource"] = text.into();
        assert_eq!(cards(&entry), plain, "{text}");
    }
}

/// Both cards of a pool with this entry and another.
fn cards(entry: &Value) -> [String; 2] {
    let pool = pool(&[entry.clone(), self::entry("upto", "5000")]);
    let wallet = Wallet::default();
    let ranking = rank(&pool.choices, &wallet);
    let first = Card::first("Farebox", &pool, &ranking, &Json::Null).unwrap();
    let list = Card::list("Farebox", &pool, &ranking, &wallet);
    [first, list].map(|card| card.to_json().to_string())
}

/// A plain request of a payer with this policy, and the 402 that answers it.
fn asked(policy: &str, accepts: &[Value], pin: Option<&str>) -> (Exchange, Next) {
    asked_by(7, policy, accepts, pin)
}

/// An exchange whose random bytes are all these.
fn asked_by(drawn: u8, policy: &str, accepts: &[Value], pin: Option<&str>) -> (Exchange, Next) {
    let policy = Policy::from_json(policy).unwrap();
    let exchange = Exchange::new(
        policy,
        "GET",
        "https://shop.example/r",
        "GET https://shop.example/r",
        Address::ZERO,
        [drawn; 48],
    );
    let mut exchange = match pin {
        Some(pin) => exchange.with_pin(pin),
        None => exchange,
    };
    let terms = json!({"x402Version": 2, "accepts": accepts}).to_string();
    let line = format!("payment-required: {}", base64::encode(terms.as_bytes()));
    let next =
        exchange.answered(402, &Headers::from_lines(line.lines()), b"", UnixTime::from_secs(1_000));
    (exchange, next)
}

// A-196
#[test]
pub fn a_model_looks_at_public_answers_and_at_the_hosts_of_its_policy() {
    let looks = |policy: &str, method: &str, url: &str| {
        Policy::from_json(policy).unwrap().may_look(method, url).map_err(|error| error.reason)
    };
    let refused = Err(Reason::PolicyHost);
    for url in ["https://api.example.com/x", "https://api.example.com:8443", "http://8.8.8.8/"] {
        assert_eq!(looks("{}", "GET", url), Ok(()), "{url}");
        assert_eq!(looks("{}", "POST", url), refused, "{url}");
        assert_eq!(looks(r#"{"hosts": ["other.example"]}"#, "GET", url), refused, "{url}");
    }
    for inside in [
        "http://127.0.0.1:8402/x",
        "http://localhost/",
        "http://10.0.0.1/",
        "http://[::1]:80/",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/",
        "https://db.internal/",
        "https://api.example.com:22/",
    ] {
        assert_eq!(looks("{}", "GET", inside), refused, "{inside}");
    }
    let named = r#"{"hosts": ["127.0.0.1:8402", "api.example.com"]}"#;
    for url in ["http://127.0.0.1:8402/x", "https://API.example.com/x"] {
        for method in ["GET", "POST", "DELETE"] {
            assert_eq!(looks(named, method, url), Ok(()), "{url}");
        }
    }
    assert_eq!(looks(named, "GET", "http://127.0.0.1:8403/x"), refused);
}

#[test]
pub fn nothing_is_paid_after_the_end_of_the_policy() {
    let (mut exchange, _) =
        asked(r#"{"expires": "1970-01-01T01:00:00Z"}"#, &[entry("exact", "1000")], None);
    let at = |secs| UnixTime::from_secs(secs);
    assert_eq!(exchange.reserve(None, at(3_600)).unwrap_err().reason, Reason::PolicyExpired);
    assert!(exchange.reserve(None, at(3_599)).is_ok());
    assert_eq!(
        Policy::from_json(r#"{"expires": "tomorrow"}"#).unwrap_err().reason,
        Reason::InvalidPolicy
    );
}

// A-617
#[test]
pub fn a_late_yes_signs_no_more_than_the_caps_of_its_day() {
    let at = |secs: u64| UnixTime::from_secs(1_000_000 + secs);
    let policy = r#"{"perDay": "0.0015", "expires": "1970-01-14T00:00:00Z"}"#;
    let asks = |drawn| asked_by(drawn, policy, &[entry("exact", "1000")], None).0;
    let (day, end) = (86_400, 13 * 86_400 - 1_000_000);
    let mut waiting = asks(1);
    let record = waiting.reserve(None, at(0)).unwrap();
    // Its person agrees a day later, when another payment has used the cap.
    let record = asks(2).reserve(Some(&record), at(day)).unwrap();
    assert!(matches!(waiting.prepare(at(day + 1)), Next::Recount));
    let error = waiting.recount(Some(&record), at(day + 1)).unwrap_err();
    assert_eq!(error.reason, Reason::BudgetExhausted);
    assert!(matches!(waiting.prepare(at(day + 1)), Next::Recount), "it is not signed");
    // A payment that has room counts once, from the signature on.
    let mut late = asks(3);
    let record = late.reserve(None, at(0)).unwrap();
    assert!(matches!(late.prepare(at(60)), Next::Sign(_)), "a minute changes no cap");
    let record = late.recount(Some(&record), at(3_000)).unwrap();
    assert!(matches!(late.prepare(at(3_000)), Next::Sign(_)));
    let refused = |it: Result<String, ClientError>| it.unwrap_err().reason;
    assert_eq!(refused(asks(4).reserve(Some(&record), at(day + 1))), Reason::BudgetExhausted);
    assert!(asks(4).reserve(Some(&record), at(day + 3_000)).is_ok());
    // One that its wallet declines leaves nothing, and none is signed after the end of the policy.
    let released = late.release(Some(&record)).unwrap();
    assert!(asks(4).reserve(Some(&released), at(3_000)).is_ok());
    let mut last = asks(5);
    let record = last.reserve(None, at(end - 1)).unwrap();
    let Next::Fail(ended) = last.prepare(at(end + 60)) else { panic!("it is signed") };
    assert_eq!(ended.reason, Reason::PolicyExpired);
    assert_eq!(refused(last.recount(Some(&record), at(end + 60))), Reason::PolicyExpired);
}

#[test]
pub fn a_pinned_offer_is_paid_and_no_other() {
    let accepts = [entry("exact", "1000"), entry("exact", "2000")];
    let pin = pool(&accepts).choice(1).unwrap().digest();
    let (mut exchange, _) = asked("{}", &accepts, Some(&pin));
    exchange.reserve(None, UnixTime::from_secs(1_000)).unwrap();
    assert_eq!(exchange.proposal().unwrap()["amount"], "2000", "although the other is cheaper");
    for (member, value) in [("amount", "2001"), ("payTo", OTHER)] {
        let mut changed = entry("exact", "2000");
        changed[member] = value.into();
        let (_, next) = asked("{}", &[accepts[0].clone(), changed], Some(&pin));
        let Next::Fail(error) = next else { panic!("{next:?}") };
        assert_eq!(error.reason, Reason::TermsChanged, "{member}");
    }
}

#[test]
fn a_wallet_that_was_not_asked_is_named_before_it_signs() {
    let (mut exchange, _) = asked("{}", &[entry("exact", "1000")], None);
    exchange.reserve(None, UnixTime::from_secs(1_000)).unwrap();
    assert!(exchange.proposal().unwrap()["payer"].is_null());
    exchange.pays_from(Address::parse(OTHER).unwrap()).unwrap();
    let Next::Sign(data) = exchange.prepare(UnixTime::from_secs(1_000)) else {
        panic!("nothing to sign")
    };
    assert_eq!(data["message"]["from"], OTHER);
}

#[test]
fn a_look_tells_of_each_offer_and_of_each_cap_and_counts_nothing() {
    let policy = Policy::from_json(r#"{"perPayment": "0.0015", "perDay": "1"}"#).unwrap();
    let terms = json!({"x402Version": 2, "accepts": [entry("exact", "2000"), entry("other", "1"), entry("exact", "1000")]}).to_string();
    let line = format!("payment-required: {}", base64::encode(terms.as_bytes()));
    let headers = Headers::from_lines(line.lines());
    let now = UnixTime::from_secs(1_000);
    let means = Means {
        policy: &policy,
        host: "shop.example",
        url: None,
        now,
        broadcasts: false,
        authorization_is_free: true,
        pins_realms: true,
    };
    let seen =
        ChallengeResponse { headers: &headers, body: b"", endpoint: "GET https://shop.example/r" };
    let looks = look(seen, means, &Budget::default()).unwrap();
    let told: Vec<_> = looks
        .iter()
        .map(|it| {
            (it["allowed"].clone(), it["offer"]["amount"].clone(), it["refusal"]["code"].clone())
        })
        .collect();
    assert_eq!(
        told,
        [
            (json!(false), json!("2000"), json!("policy_amount")),
            (json!(true), json!("1000"), Value::Null),
            (json!(false), Value::Null, json!("unsupported_scheme")),
        ]
    );
    let (mut exchange, _) = asked(r#"{"perDay": "1"}"#, &[entry("exact", "1000")], None);
    let record = exchange.reserve(None, now).unwrap();
    let budget = Budget::from_text(Some(&record)).unwrap();
    let caps: Vec<_> = spent(&policy, &budget, now)
        .into_iter()
        .map(|it| format!("{} {} {} {}", it["cap"], it["of"], it["spent"], it["remaining"]))
        .collect();
    let payee = PAYEE.to_lowercase();
    assert_eq!(
        caps,
        [
            r#""perHour" null "0.001" "0.999""#.to_string(),
            r#""perDay" null "0.001" "0.999""#.to_string(),
            r#""perHost" "shop.example" "0.001" "0.999""#.to_string(),
            format!(r#""perPayee" "{payee}" "0.001" "0.999""#),
        ]
    );
}
