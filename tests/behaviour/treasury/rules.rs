//! What rules, terms and budgets allow.

use farebox_core::treasury::merchant::{Locality, fields_to_send, origin};
use farebox_core::treasury::message::Answer;
use farebox_core::treasury::policy::Rules;
use farebox_core::x402::header;
use serde_json::{Value, json};

use super::world::{
    BUYER_KEY, MERCHANT, PAYEE, START, TESTER_KEY, Told, World, accept, keyed, request, settled,
    terms, variables,
};

const HERE: &str = "https://merchant.example.com";
/// The same resource at the host that a wrong proxy names.
const OTHER_HOST: &str = "https://127.0.0.1/v1/generate";

/// The reason for which a payment is denied.
fn denial(policy: Value) -> String {
    let mut world = World::under(policy);
    let told = world.told(&request("1000000"));
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    told.reason().to_owned()
}

#[test]
pub fn an_organization_pays_only_whom_it_allows() {
    let not_allowed =
        "Policy denied: this merchant is not allowed by the current workspace policy.";
    assert_eq!(denial(json!({})), not_allowed);
    assert_eq!(denial(json!({"allowedOrigins": []})), not_allowed);
    assert_eq!(denial(json!({"allowedOrigins": ["https://other.example.com"]})), not_allowed);
    assert_eq!(denial(json!({"allowedOrigins": ["http://127.0.0.1:4021"]})), not_allowed);
    let mut world = World::under(json!({"allowedOrigins": ["https://*.example.com"]}));
    assert!(matches!(world.ask(BUYER_KEY, &request("1000000")), Answer::Send(_)));
}

#[test]
pub fn a_merchant_of_this_machine_is_told_from_an_url_that_nobody_pays() {
    let denied = |url: &str| {
        let mut body = request("1000000");
        body["request"]["url"] = json!(url);
        let mut world = World::new();
        let told = world.told(&body);
        assert_eq!(told.outcome(), ("deny", "policy_denied"), "{url}");
        told.reason().to_owned()
    };
    assert!(denied("http://127.0.0.1:4021/x").contains("(ALLOW_LOCAL_MERCHANTS)"));
    let nobody = "Policy denied: requests to this URL are not allowed.";
    assert_eq!(denied("https://10.0.0.1/x"), nobody);
    assert_eq!(denied("http://merchant.example.com/x"), nobody);
}

#[test]
pub fn an_origin_that_is_denied_is_not_paid_although_it_is_allowed() {
    let denied = denial(json!({"allowedOrigins": ["*"], "deniedOrigins": [HERE]}));
    assert_eq!(
        denied,
        "Policy denied: this merchant is not allowed by the current workspace policy."
    );
}

#[test]
pub fn payees_networks_assets_and_prices_are_limited() {
    let with = |name: &str, value: Value| {
        let mut policy = json!({"allowedOrigins": [HERE]});
        policy[name] = value;
        denial(policy)
    };
    assert_eq!(
        with("payees", json!([])),
        "Policy denied: this payee is not allowed by the current workspace policy."
    );
    assert_eq!(
        with("networks", json!(["base"])),
        "Policy denied: this network is not allowed by the current workspace policy."
    );
    assert_eq!(
        with("assets", json!(["EURC"])),
        "Policy denied: this asset is not allowed by the current workspace policy."
    );
    let dear = "Policy denied: workspace limit of $0.50 per payment exceeded. Requested: $1.00.";
    assert_eq!(with("perPayment", json!("0.50")), dear);
    assert_eq!(with("perPayment", json!({"USDC": "0.50"})), dear);
    assert_eq!(
        with("perPayment", json!({"USDT0": "9"})),
        "Policy denied: workspace limit of $0.00 per payment exceeded. Requested: $1.00."
    );
    assert_eq!(
        with("perHour", json!("0.99")),
        "Policy denied: workspace hourly budget of $0.99 exceeded. Current spend: $0.00. Requested: $1.00."
    );
    let mut world = World::under(
        json!({"allowedOrigins": [HERE], "payees": [PAYEE], "networks": ["base-sepolia"], "assets": ["USDC"], "perPayment": "1.00"}),
    );
    assert!(matches!(world.ask(BUYER_KEY, &request("1000000")), Answer::Send(_)));
}

#[test]
pub fn rules_end_at_their_time() {
    let policy = json!({"allowedOrigins": [HERE], "expires": "2026-03-10T13:00:00Z"});
    let mut world = World::under(policy);
    assert_eq!(world.buy(&request("1")).outcome().0, "allow");
    world.now = START + 3600;
    assert_eq!(
        world.told(&request("1")).reason(),
        "Policy denied: the current workspace policy has expired."
    );
}

#[test]
pub fn an_agent_has_its_own_budget_within_that_of_all() {
    let mut world = World::new();
    let mut body = request("400000");
    body["context"]["agent"] = json!("tester");
    let Answer::Send(order) = world.ask(TESTER_KEY, &body) else { panic!("not sent") };
    world.answered(&order, settled(200, ""));
    let Answer::Reply(reply) = world.ask(TESTER_KEY, &body) else { panic!("sent") };
    assert!(reply.body.contains("Policy denied: agent hourly budget of $0.50 exceeded. Current spend: $0.40. Requested: $0.40."));
    world.now += 3600;
    assert!(matches!(world.ask(TESTER_KEY, &body), Answer::Send(_)));
}

#[test]
pub fn a_budget_is_for_its_calendar_window() {
    let mut world = World::under(json!({"allowedOrigins": [HERE], "perDay": "1.00"}));
    world.buy(&keyed("1000000", "a"));
    world.now = START + 12 * 3600 - 1;
    assert_eq!(world.told(&keyed("1", "b")).outcome().1, "policy_denied");
    world.now += 1;
    assert_eq!(world.buy(&keyed("1000000", "c")).outcome().0, "allow");
}

#[test]
pub fn requests_go_to_public_hosts_by_https_alone() {
    for url in [
        "http://merchant.example.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://localhost./",
        "https://10.0.0.1/",
        "https://169.254.169.254/",
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://[2002:7f00:1::]/",
        "https://me@merchant.example.com/",
        "https://merchant.example.com:0/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://intranet/",
        "https://%31%32%37.0.0.1/",
        "https://a.example\\@10.0.0.1/",
        "ftp://a.example/",
        "https:///x",
        "https://a.example./",
    ] {
        assert_eq!(origin(url, Locality::Public), None, "{url}");
    }
    assert_eq!(
        origin("http://127.0.0.1:4021/x", Locality::Local).as_deref(),
        Some("http://127.0.0.1:4021")
    );
    assert_eq!(origin("http://10.0.0.1/x", Locality::Local), None);
    let mut world = World::under(json!({"allowedOrigins": ["*"]}));
    let mut body = request("1");
    body["request"]["url"] = json!("https://169.254.169.254/latest");
    assert_eq!(world.told(&body).outcome(), ("deny", "policy_denied"));
    assert!(world.rows.attempts.is_empty());
}

#[test]
pub fn what_is_the_agents_own_stays_with_it() {
    let names = [
        "Cookie",
        "authorization",
        "X-402flow-sdk-version",
        "x-farebox-candidate",
        "connection",
        "x-payment",
        "Payment-Signature",
        "host",
        "accept",
        "X-Topic",
    ];
    let fields: Vec<_> = names.map(|name| (name.to_owned(), "v".to_owned())).into();
    let kept: Vec<_> = fields_to_send(&fields).into_iter().map(|(name, _)| name).collect();
    assert_eq!(kept, ["accept", "x-topic"]);
    let split = [("x-a".to_owned(), "1\r\ncookie: 2".to_owned())];
    assert_eq!(fields_to_send(&split), []);
}

//
#[test]
pub fn a_host_and_port_have_one_spelling() {
    for url in [
        "https://bad.example.com:0443/x",
        "https://bad.example.com:00443/x",
        "https://bad.example.com:+443/x",
        "https://bad.example.com:+8443/x",
        "https://bad.example.com:08443/x",
        "https://[2606:4700:0::1]/",
        "https://[2606:4700:0:0:0:0:0:1]/",
        "https://[2606:4700::0001]/",
        "https://[2606:4700::1]:0443/",
        "https://[2606:4700::0.0.0.1]/",
        "https://[2001:00::1]/",
        "https://[2001:000:4136::1]/",
        "https://[2001:0:4136::1]/",
        "https://[2001::1]/",
        "https://[2002:7f00:1::1]/",
    ] {
        assert_eq!(origin(url, Locality::Public), None, "{url}");
    }
    for (url, canonical) in [
        ("https://[2606:4700::1]:443/", "https://[2606:4700::1]"),
        ("https://[2606:4700::A]:8443/", "https://[2606:4700::a]:8443"),
        ("https://a.example:80/", "https://a.example:80"),
    ] {
        assert_eq!(origin(url, Locality::Public).as_deref(), Some(canonical));
        assert_eq!(origin(canonical, Locality::Public).as_deref(), Some(canonical));
    }
    assert_eq!(origin("http://127.0.0.1:04021/x", Locality::Local), None);
    let policy = json!({"allowedOrigins": ["*"], "deniedOrigins": ["https://bad.example.com"]});
    let mut world = World::under(policy);
    let mut body = request("1");
    body["request"]["url"] = json!("https://bad.example.com:0443/x");
    assert_eq!(world.told(&body).outcome(), ("deny", "policy_denied"));
}

//
#[test]
pub fn a_denied_host_is_denied_at_each_of_its_ports() {
    for (denied, url, is_denied) in [
        ("https://casino.example", "https://casino.example:8443/x", true),
        ("https://*.casino.example", "https://a.casino.example:8443/x", true),
        ("https://[2606:4700::1]", "https://[2606:4700::1]:8443/x", true),
        ("https://casino.example:8443", "https://casino.example:8443/x", true),
        ("https://casino.example:8443", "https://casino.example/x", false),
        ("https://casino.example:8443", "https://casino.example:9443/x", false),
        ("https://casino.example", "https://a.casino.example:8443/x", false),
        ("https://[2606:4700::1]", "https://[2606:4700::1:8443]/x", false),
    ] {
        let policy = json!({"allowedOrigins": ["*"], "deniedOrigins": [denied]});
        let mut world = World::under(policy);
        let mut body = request("1");
        body["request"]["url"] = json!(url);
        match world.ask(BUYER_KEY, &body) {
            Answer::Send(_) => assert!(!is_denied, "{denied} {url}"),
            Answer::Reply(reply) => {
                assert_eq!(Told::of(reply).outcome(), ("deny", "policy_denied"), "{denied} {url}");
                assert!(is_denied, "{denied} {url}");
            }
            other => panic!("{denied} {url} {other:?}"),
        }
    }
}

#[test]
pub fn rules_name_only_origins_that_a_payment_can_have() {
    let is_read =
        |origin: &str| Rules::from_json(&json!({"deniedOrigins": [origin]}).to_string()).is_ok();
    for good in [
        "*",
        "https://a.example",
        "HTTPS://A.example:443",
        "https://*.a.example",
        "https://*.a.example:8443",
        "https://[2606:4700::1]",
        "http://127.0.0.1:4021",
    ] {
        assert!(is_read(good), "{good}");
    }
    for bad in [
        "https://bad.example.com:0443",
        "https://bad.example.com:+443",
        "https://a.b.",
        "https://*.a.b.",
        "https://*.a.example:0443",
        "https://*.0.0.1",
        "https://*.*.example",
        "https://[2606:4700:0::1]",
        "http://merchant.example.com",
        "https://10.0.0.1",
        "https://intranet",
        "https://a.example/",
        "https://me@a.example",
        "https://*.com",
        "ftp://a.example",
        "https://",
    ] {
        assert!(!is_read(bad), "{bad}");
    }
}

#[test]
pub fn a_request_that_cannot_be_sent_is_not_signed() {
    let mut world = World::new();
    for method in ["GET", "HEAD"] {
        let mut body = request("1");
        body["request"]["method"] = json!(method);
        let told = world.told(&body);
        assert_eq!(
            told.body["issues"]["fieldErrors"],
            json!({"request": ["A GET or HEAD request has no body"]})
        );
        assert_eq!(told.status, 400);
        assert!(world.rows.decisions.is_empty());
        body["request"]["body"] = json!("");
        let order = world.order(&body);
        assert_eq!((order.method.as_str(), order.body), (method, None));
        world.rows.decisions.clear();
    }
    for place in ["request", "challenge"] {
        let mut body = request("1");
        for number in 0..129 {
            body[place]["headers"][format!("x-{number}")] = json!("1");
        }
        let told = world.told(&body);
        assert_eq!(told.body["issues"]["fieldErrors"], json!({place: ["Too many headers"]}));
    }
}

//
#[test]
pub fn a_bound_whose_name_is_misspelt_is_told_and_nothing_is_paid() {
    let mut world = World::new();
    let mut body = request("10000");
    body["maxAmmount"] = json!("0.001");
    let told = world.told(&body);
    assert_eq!(told.status, 400);
    assert_eq!(
        told.body["issues"],
        json!({"formErrors": ["Unrecognized key in object: 'maxAmmount'"], "fieldErrors": {}})
    );
    assert!(world.rows.decisions.is_empty());
    // What the contract's schema lets pass inside of its objects is let pass.
    let mut body = request("10000");
    for place in ["context", "request", "challenge"] {
        body[place]["more"] = json!(1);
    }
    assert_eq!(world.order(&body).method, "POST");
}

//
#[test]
fn a_request_with_more_headers_than_a_merchant_reads_is_not_signed() {
    let mut world = World::new();
    for (place, bytes) in [("request", 32 * 1024), ("challenge", 256 * 1024)] {
        let mut body = request("1");
        let mut long = "x".repeat(bytes);
        body[place]["headers"]["x-long"] = json!(long);
        let told = world.told(&body);
        assert_eq!(told.body["issues"]["fieldErrors"], json!({place: ["Headers are too long"]}));
        assert!(world.rows.decisions.is_empty());
        // The other fields need room, too.
        long.truncate(bytes - 4096);
        body[place]["headers"]["x-long"] = json!(long);
        assert_eq!(world.order(&body).method, "POST");
        world.rows.decisions.clear();
        world.rows.attempts.clear();
    }
}

/// What a request with these ways to pay leads to.
fn offered(accepts: &[Value], variables: &Value) -> (String, String) {
    asked_by(&terms(accepts), variables)
}

/// The same for terms that announce receipts for a URL.
fn announced(url: &str, variables: &Value) -> (String, String) {
    asked_by(&announcing(url), variables)
}

/// Terms, as a header field, whose receipts name a URL.
pub fn announcing(url: &str) -> String {
    let terms = json!({"x402Version": 2, "accepts": [accept("1")], "resource": {"url": url},
        "extensions": {"offer-receipt": {"info": {"receipt": "eip712"}, "schema": {}}}});
    header::encode(&terms.to_string())
}

fn asked_by(terms: &str, variables: &Value) -> (String, String) {
    let mut world = World::of(variables);
    let mut body = request("1");
    body["challenge"]["headers"]["payment-required"] = json!(terms);
    match world.ask(BUYER_KEY, &body) {
        Answer::Reply(reply) => {
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            (
                body["reasonCode"].as_str().unwrap().to_owned(),
                body["reason"].as_str().unwrap().to_owned(),
            )
        }
        Answer::Send(order) => ("sent".to_owned(), order.url),
        other => panic!("{other:?}"),
    }
}

fn on(network: &str, asset: &str) -> Value {
    let mut entry = accept("1");
    (entry["network"], entry["asset"]) = (json!(network), json!(asset));
    entry["extra"] = json!({});
    entry
}

const BASE: (&str, &str) = ("eip155:8453", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
const AMOY: (&str, &str) = ("eip155:80002", "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582");

//
#[test]
pub fn test_money_and_money_are_never_mixed() {
    let usual = variables();
    let mixed = offered(&[accept("1"), on(BASE.0, BASE.1)], &usual);
    assert_eq!(mixed.0, "challenge_mixed_environment_candidates");
    let main = offered(&[on(BASE.0, BASE.1)], &usual);
    assert_eq!(main.0, "challenge_no_supported_candidates");
}

//
#[test]
pub fn terms_that_announce_a_receipt_for_another_url_are_denied_before_anything_is_signed() {
    let [elsewhere, here] = [OTHER_HOST, MERCHANT].map(|url| announced(url, &variables()));
    assert_eq!(elsewhere.0, "challenge_candidate_malformed");
    assert!(elsewhere.1.contains(OTHER_HOST), "{}", elsewhere.1);
    assert_eq!(here.0, "sent");
}

//
#[test]
pub fn a_url_is_compared_with_what_receipts_name_as_it_is_asked_for_however_it_is_written() {
    let mut body = request("1");
    body["challenge"]["headers"]["payment-required"] = json!(announcing(MERCHANT));
    body["request"]["url"] = json!("https://MERCHANT.example.com:443/v1/generate#here");
    let mut world = World::new();
    let Answer::Send(order) = world.ask(BUYER_KEY, &body) else { panic!("not sent") };
    assert_eq!(order.url, "https://MERCHANT.example.com:443/v1/generate#here");
}

#[test]
pub fn each_way_not_to_pay_has_its_code() {
    let mut usual = variables();
    let no_rail = offered(&[on(AMOY.0, AMOY.1)], &usual);
    assert_eq!(
        no_rail,
        (
            "preflight_incompatible".into(),
            "No compatible payment rail is configured for Polygon Amoy USDC.".into()
        )
    );
    let unknown = offered(&[on("eip155:4242424242", PAYEE)], &usual);
    assert_eq!(unknown.0, "challenge_no_supported_candidates");
    let mut scheme = accept("1");
    scheme["scheme"] = json!("upto");
    assert_eq!(offered(&[scheme], &usual).0, "challenge_no_supported_candidates");
    let mut wrong = accept("1");
    wrong["payTo"] = json!("merchant-wallet");
    assert_eq!(offered(&[wrong.clone()], &usual).0, "challenge_candidate_malformed");
    assert_eq!(offered(&[wrong, accept("1")], &usual).0, "sent");
    assert_eq!(offered(&[], &usual).0, "challenge_candidate_malformed");
    let mut long = accept("1");
    long["maxTimeoutSeconds"] = json!(86_400);
    assert_eq!(offered(&[long], &usual).0, "challenge_no_supported_candidates");
    usual["WALLETS"] = json!([
        {"name": "one", "networks": ["base-sepolia"], "secret": "WALLET_KEY"},
        {"name": "two", "networks": ["base-sepolia"], "secret": "NOT_SET"},
    ]);
    assert_eq!(offered(&[accept("1")], &usual).0, "challenge_execution_identity_ambiguous");
    usual["ORGANIZATIONS"][0]["policy"]["wallet"] = json!("two");
    assert_eq!(offered(&[accept("1")], &usual).0, "challenge_execution_identity_unavailable");
    usual["ORGANIZATIONS"][0]["policy"]["wallet"] = json!("one");
    assert_eq!(offered(&[accept("1")], &usual).0, "sent");
}

#[test]
pub fn rails_are_told_in_the_words_of_the_fixture() {
    let mut usual = variables();
    usual["WALLETS"][0]["networks"] = json!(["polygon-amoy"]);
    let (code, reason) = offered(&[accept("1")], &usual);
    assert_eq!(
        (code.as_str(), reason.as_str()),
        (
            "preflight_incompatible",
            "No compatible payment rail is configured for Base Sepolia USDC."
        )
    );
}

//
#[test]
pub fn other_terms_than_those_that_were_shown_are_not_paid() {
    let digest = |amount: &str| {
        let (asset, payee) = (super::world::USDC.to_lowercase(), PAYEE.to_lowercase());
        farebox_core::client::offer::digest(["eip155:84532", &asset, &payee, amount, "exact"])
    };
    let mut world = World::new();
    let mut body = request("20000");
    body["candidate"] = json!(digest("10000"));
    assert_eq!(world.told(&body).outcome(), ("deny", "challenge_no_supported_candidates"));
    body["candidate"] = json!(digest("20000"));
    body["maxAmount"] = json!("0.01");
    assert_eq!(world.told(&body).outcome(), ("deny", "challenge_no_supported_candidates"));
    body["maxAmount"] = json!("0.02");
    assert!(matches!(world.ask(BUYER_KEY, &body), Answer::Send(_)));
}
