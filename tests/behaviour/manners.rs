//! Header manners towards clients and origins. Spec: docs/requests.md, "HTTP".

use std::collections::BTreeSet;

use farebox_core::gate::forward::Caching;
use farebox_core::http::RequestHead;

use crate::world::facilitator::Settle;
use crate::world::origin::Say;
use crate::world::{With, World, get, paid, request, routes, vars};

fn browser(head: RequestHead) -> RequestHead {
    head.header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
        .header("user-agent", "Mozilla/5.0 (X11)")
}

// A-67
#[test]
fn answers_of_the_gate_are_never_stored_and_readable_by_any_page() {
    let mut world = World::new();
    let payment = world.sign("/after");
    world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
    let answers = [
        world.ask("/after"),
        world.send(get("/after").header("payment-signature", "!")),
        world.present(&payment),
        world.send(request("DELETE", "/items/1")),
        world.send(request("OPTIONS", "/after")),
    ];
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [402, 400, 503, 405, 204]);
    for answer in &answers {
        assert_eq!(answer.headers.get("cache-control"), Some("no-store"), "{}", answer.status);
        assert_eq!(answer.headers.get("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.headers.get("access-control-allow-credentials"), None);
        let exposed: BTreeSet<_> =
            answer.headers.get("access-control-expose-headers").unwrap().split(", ").collect();
        for name in [
            "PAYMENT-REQUIRED",
            "PAYMENT-RESPONSE",
            "X-PAYMENT-RESPONSE",
            "WWW-Authenticate",
            "Payment-Receipt",
            "Payment-Replayed",
            "Retry-After",
            "x-correlation-id",
        ] {
            assert!(exposed.contains(name), "{name}");
        }
    }
    let options = &answers[4];
    assert_eq!(options.headers.get("allow"), options.headers.get("access-control-allow-methods"));
    let allowed = options.headers.get("access-control-allow-headers").unwrap();
    for name in [
        "PAYMENT-SIGNATURE",
        "X-PAYMENT",
        "Idempotency-Key",
        "Access-Control-Expose-Headers",
        "Range",
    ] {
        assert!(allowed.split(", ").any(|other| other == name), "{name}");
    }
    assert_eq!(answers[3].headers.get("allow"), Some("GET, POST, HEAD, OPTIONS"));
    let problem = answers[1].json();
    assert_eq!(problem["type"], "urn:farebox:problem:malformed_payment");
    assert_eq!(problem["status"], 400);
    assert_eq!(answers[1].headers.get("content-type"), Some("application/problem+json"));
}

#[test]
fn a_problem_names_the_payment_and_the_correlation() {
    let mut world = World::new();
    let payment = world.sign("/after");
    world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
    let response = world.send(paid(&payment).header("x-correlation-id", "my-own_id-1"));
    let problem = response.json();
    assert_eq!(problem["correlation_id"], "my-own_id-1");
    for member in ["reason", "code", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
    }
    assert_eq!(response.headers.get("x-correlation-id"), Some("my-own_id-1"));
    let id = problem["payment"].as_str().unwrap();
    assert!(id.len() == 31 && id.starts_with("rcpt_"), "{id}");
    assert_eq!(problem["retryable"], true);
    for bad in ["short", "with space in it", "semi;colon-id", &"x".repeat(65)] {
        let response = world.send(get("/after").header("x-correlation-id", bad));
        assert_ne!(response.headers.get("x-correlation-id"), Some(bad));
    }
}

// A-67
#[test]
fn a_paid_answer_is_private_and_the_origin_cannot_make_it_shared() {
    for target in ["/after", "/before"] {
        let mut world = World::new();
        world.origin.plan.push_back(Say::Whole(
            "200\ncontent-type: text/plain\ncache-control: public, s-maxage=600\ncdn-cache-control: max-age=600\n\
             surrogate-control: max-age=1\nexpires: Thu, 01 Jan 2037 00:00:00 GMT\npayment-response: lie\n\
             payment-required: lie\npayment-receipt: lie\nfarebox-payer: lie\nset-cookie: a=1\nset-cookie: b=2\n\
             www-authenticate: Basic realm=\"o\", Payment id=\"1\", method=\"x\"\naccess-control-allow-credentials: true",
            "x",
        ));
        let response = world.pay(target);
        let headers = &response.headers;
        assert_eq!(response.status, 200);
        assert_eq!(headers.get("cache-control"), Some("private, no-store"));
        for gone in [
            "cdn-cache-control",
            "surrogate-control",
            "expires",
            "payment-required",
            "payment-receipt",
            "farebox-payer",
        ] {
            assert_eq!(headers.get(gone), None, "{gone}");
        }
        assert_eq!(response.settlement()["success"], true);
        assert_eq!(headers.get("www-authenticate"), Some("Basic realm=\"o\""));
        assert_eq!(headers.get("access-control-allow-origin"), Some("*"));
        assert_eq!(headers.get("access-control-allow-credentials"), None);
        assert_eq!(headers.iter().filter(|(name, _)| *name == "set-cookie").count(), 2);
    }
}

#[test]
fn the_origins_own_cross_origin_rules_stay() {
    let mut world = World::new();
    world.origin.plan.push_back(Say::Whole(
        "200\naccess-control-allow-origin: https://app.example\naccess-control-allow-credentials: true\n\
         access-control-expose-headers: X-Mine",
        "x",
    ));
    let payment = world.sign_as("/after", "purchase-of-a-report-1");
    let responses = [world.present(&payment), world.present(&payment)];
    assert_eq!(responses[1].headers.get("payment-replayed"), Some("true"));
    for response in responses {
        let header = |name| response.headers.get(name);
        assert_eq!(header("access-control-allow-origin"), Some("https://app.example"));
        assert_eq!(header("access-control-allow-credentials"), Some("true"));
        let exposed = header("access-control-expose-headers").unwrap();
        assert!(exposed.starts_with("X-Mine, PAYMENT-REQUIRED"), "{exposed}");
        assert_eq!(exposed.matches("PAYMENT-REQUIRED").count(), 1, "{exposed}");
    }
}

// A-65, A-144
#[test]
fn a_redirect_to_the_origin_becomes_relative_and_any_other_stays() {
    for (location, expected) in [
        ("http://127.0.0.1:9000/base/next?x=1", "/next?x=1"),
        ("http://127.0.0.1:9000/base//evil.example/", "http://127.0.0.1:9000/base//evil.example/"),
        ("http://127.0.0.1:9000/baseless", "http://127.0.0.1:9000/baseless"),
        ("https://elsewhere.example/", "https://elsewhere.example/"),
        ("/relative", "/relative"),
    ] {
        let mut world = World::new();
        let text: &'static str = Box::leak(format!("302\nlocation: {location}").into_boxed_str());
        world.origin.plan.push_back(Say::Whole(text, ""));
        assert_eq!(world.pay("/moves").headers.get("location"), Some(expected));
    }
}

// A-28, A-62, A-177
#[test]
pub fn the_origin_sees_the_payer_and_nothing_that_speaks_of_payment() {
    for target in ["/after", "/before", "/free"] {
        let mut world = World::new();
        let is_paid = target != "/free";
        let head = if is_paid { paid(&world.sign(target)) } else { get(target) };
        let head = head
            .header("accept-payment", "x402")
            .header("payment-response", "spoof")
            .header("x-payment-response", "spoof")
            .header("payment-receipt", "spoof")
            .header("farebox-payer", "spoof")
            .header("farebox-redelivery", "spoof")
            .header("x-farebox-paid", "1")
            .header("x-http-method-override", "DELETE")
            .header("x-original-url", "/cheap")
            .header("x-rewrite-url", "/cheap")
            .header("connection", "close, x-hop")
            .header("connection", "x-hop-two")
            .header("x-hop", "1")
            .header("x-hop-two", "1")
            .header("keep-alive", "5")
            .header("te", "trailers")
            .header("expect", "100-continue")
            .header("proxy-authorization", "Basic x")
            .header("if-none-match", "\"e\"")
            .header("authorization", "Bearer mine")
            .header("cookie", "a=1")
            .header("x-correlation-id", "spoofed id");
        world.send(head);
        let call = world.origin.calls.pop().unwrap();
        let names: BTreeSet<&str> = call.headers.iter().map(|(name, _)| name).collect();
        let mut expected =
            BTreeSet::from(["authorization", "cookie", "farebox-loop", "x-correlation-id"]);
        expected.extend(["x-forwarded-host", "x-forwarded-proto"]);
        if is_paid {
            expected.extend(["farebox-payer", "farebox-payment", "idempotency-key"]);
            expected.extend(["farebox-amount", "farebox-asset", "farebox-network"]);
            expected.extend((target == "/before").then_some("farebox-transaction"));
        } else {
            expected.insert("if-none-match");
        }
        assert_eq!(names, expected, "{target}");
        assert!(call.headers.get("x-correlation-id").unwrap().starts_with("correlation-"));
        assert_eq!(call.url, format!("http://127.0.0.1:9000/base{target}"));
        if is_paid {
            assert_eq!(
                call.headers.get("farebox-payer"),
                Some(world.payer.address.to_checksum().as_str())
            );
            let key = call.headers.get("idempotency-key").unwrap();
            let id = call.headers.get("farebox-payment").unwrap();
            assert!(key.len() == 34 && key.starts_with("farebox-"), "{key}");
            assert!(!key.contains(&id["rcpt_".len()..]), "{key} tells {id}");
        }
    }
}

#[test]
fn a_client_keeps_its_own_idempotency_key_and_a_payment_credential_is_stripped() {
    let mut world = World::new();
    let payment = world.sign("/after");
    world.send(paid(&payment).header("idempotency-key", "mine"));
    assert_eq!(world.origin.calls[0].headers.get("idempotency-key"), Some("mine"));
    world.send(get("/free").header("authorization", "Basic eA==, Payment abc"));
    assert_eq!(world.origin.calls[1].headers.get("authorization"), Some("Basic eA=="));
    world.send(get("/free").header("authorization", "payment abc"));
    assert_eq!(world.origin.calls[2].headers.get("authorization"), None);
}

// A-706
#[test]
pub fn a_credential_with_a_comma_in_its_quotes_reaches_the_origin_whole() {
    let mut world = World::new();
    let digest = r#"Digest username="a, Payment e30", realm="\", Payment e30", uri="/free""#;
    for sent in [
        digest.to_owned(),
        format!("{digest}, Payment abc"),
        format!("Payment abc, {digest}"),
        format!("{digest}, payment"),
    ] {
        world.send(get("/free").header("authorization", &sent));
        let call = world.origin.calls.last().unwrap();
        assert_eq!(call.headers.get("authorization"), Some(digest), "{sent}");
    }
}

#[test]
fn with_a_shared_secret_every_forwarded_request_is_signed() {
    let mut with_secret = vars(routes());
    with_secret["ORIGIN_SECRET"] = "canary-origin-secret".into();
    let mut world = World::with(with_secret);
    world.pay("/after?x=1");
    world.ask("/free");
    let [paid, free] = &world.origin.calls[..] else { panic!("two calls") };
    let now = crate::world::BEGIN;
    let payment = paid.headers.get("farebox-payment").unwrap();
    let payer = world.payer.address.to_checksum();
    let asset = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
    for (call, text, price) in [
        (
            paid,
            format!("{now}\nGET\n/after?x=1\n{payer}\n{payment}"),
            format!("10000\n{asset}\neip155:84532\n"),
        ),
        (free, format!("{now}\nGET\n/free\n\n"), "\n\n\n".into()),
    ] {
        let expected =
            format!("t={now},v1={}", hmac_sha256(b"canary-origin-secret", text.as_bytes()));
        assert_eq!(call.headers.get("farebox-signature"), Some(expected.as_str()));
        let text = format!("{text}\n{price}");
        let expected =
            format!("t={now},v2={}", hmac_sha256(b"canary-origin-secret", text.as_bytes()));
        assert_eq!(call.headers.get("farebox-signature-v2"), Some(expected.as_str()));
    }
}

/// RFC 2104 written out, for keys of at most one block.
fn hmac_sha256(key: &[u8], text: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (place, byte) in block.iter_mut().zip(key) {
            *place ^= byte;
        }
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_browser_reads_a_page_and_keeps_the_terms_in_the_header() {
    let mut world = World::new();
    let page = world.send(browser(get("/after?<script>")));
    assert_eq!(page.status, 402);
    assert_eq!(page.headers.get("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(page.payment_required()["accepts"][0]["amount"], "10000");
    let text = String::from_utf8(page.body.clone()).unwrap();
    assert!(text.contains("0.01") && text.contains("USDC") && !text.contains("<script"), "{text}");
    for response in [page, world.ask("/after")] {
        assert_eq!(response.headers.get("vary"), Some("Accept, User-Agent"));
    }
    let json =
        world.send(get("/after").header("accept", "text/html").header("user-agent", "curl/8"));
    assert_eq!(json.headers.get("content-type"), Some("application/json"));
}

// A-118
#[test]
fn no_page_stands_in_a_frame() {
    let mut world = World::new();
    for asked in [get("/after"), request("POST", "/after")] {
        let page = world.send(browser(asked));
        assert_eq!(page.headers.get("content-type"), Some("text/html; charset=utf-8"));
        let policy = page.headers.get("content-security-policy").unwrap();
        for rule in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.split(';').any(|part| part.trim() == rule), "{rule}: {policy}");
        }
        assert!(!policy.contains("'unsafe-eval'") && !policy.contains('*'), "{policy}");
    }
}

#[test]
fn prepaid_routes_say_so_in_version_2() {
    let mut world = World::new();
    let flow = |world: &mut World, target: &str| {
        world.ask(target).payment_required()["accepts"][0]["extra"]["paymentFlow"].clone()
    };
    assert_eq!(flow(&mut world, "/before"), "upfront");
    assert_eq!(flow(&mut world, "/after"), serde_json::Value::Null);
}

#[test]
fn head_costs_what_get_costs() {
    let mut world = World::new();
    assert_eq!(world.send(request("HEAD", "/after")).status, 402);
    let payment = world.sign("/after");
    world.origin.plan.push_back(Say::Whole("200\ncontent-length: 5000000", ""));
    let head = request("HEAD", "/after").header(payment.header, &payment.value);
    assert!(world.send(head).is_delivery());
    assert_eq!(world.ledger.state().name(), "delivered", "no body was promised");
}

// A-208
#[test]
pub fn what_an_origin_did_without_a_payment_before_it_failed_is_not_known() {
    let mut world = World::new();
    world.origin.plan.extend([Say::Lost, Say::TimedOut]);
    for status in [502, 504] {
        let response = world.ask("/free");
        assert_eq!((response.status, response.problem().as_str()), (status, "origin_failed"));
        let told: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains("not known") && !detail.contains("charged"), "{detail}");
    }
}

#[test]
fn free_paths_are_forwarded_and_cleaned() {
    let mut world = World::new();
    world
        .origin
        .plan
        .push_back(Say::Whole("200\npayment-required: lie\ncache-control: public", "free"));
    let response = world.ask("/free");
    assert_eq!((response.status, response.body.as_slice()), (200, b"free".as_slice()));
    assert_eq!(response.headers.get("payment-required"), None);
    assert_eq!(response.headers.get("cache-control"), Some("public"));
    assert_eq!(response.headers.get("access-control-allow-origin"), None);
    world.origin.plan.extend([Say::Lost, Say::TimedOut]);
    assert_eq!(world.ask("/free").status, 502);
    assert_eq!(world.ask("/free").status, 504);
}

// A-159
#[test]
pub fn what_origins_read_as_the_gates_own_is_not_the_clients_to_send() {
    for target in ["/after", "/before", "/free"] {
        let mut world = World::new();
        let head = if target == "/free" { get(target) } else { paid(&world.sign(target)) };
        let names = [
            "farebox_payer",
            "farebox.signature",
            "x_farebox_paid",
            "x_http_method_override",
            "x_original_url",
            "payment_signature",
        ];
        let head = names.iter().fold(head, |head, name| head.header(name, "spoof"));
        world.send(head);
        let call = world.origin.calls.pop().unwrap();
        for name in names {
            assert_eq!(call.headers.get(name), None, "{target}: {name}");
        }
    }
}

// A-721
#[test]
fn no_client_names_the_origin_another_path_than_the_one_that_is_priced() {
    for name in [
        "x-forwarded-path",
        "x-forwarded-url",
        "x-original-path",
        "x-rewrite-path",
        "x-real-url",
        "x-invoke-path",
        "x-invoke-query",
        "x-matched-path",
        "x-now-route-matches",
        "x-vercel-original-url",
        "x-vercel-original-path",
        "x-vercel-forwarded-path",
        "x-vercel-matched-path",
        "x-vercel-rewrite-path",
        "x-envoy-original-path",
        "x-ms-original-url",
        "x-middleware-invoke",
        "x-middleware-rewrite",
        "x-invoke-output",
        "x-invoke-status",
        "x-replaced-path",
        "x-astro-path",
        "x-script-name",
        "x-forwarded-script-name",
        "x-traversal-path",
        "x-vhm-root",
        "x-vhm-host",
        "x-opennext-initial-url",
        "x-opennext-resolved-routes",
        "script_name",
        "path_info",
        "x-sendfile-type",
        "x-accel-mapping",
        "x_matched_path",
    ] {
        for target in ["/after", "/before", "/free"] {
            let mut world = World::new();
            let head = if target == "/free" { get(target) } else { paid(&world.sign(target)) };
            world.send(head.header(name, "/dear").header("x-other", "kept"));
            let call = world.origin.calls.pop().unwrap();
            assert_eq!(call.headers.get(name), None, "{target}: {name}");
            assert_eq!(call.headers.get("x-other"), Some("kept"), "{target}: {name}");
        }
    }
}

// A-155
#[test]
pub fn no_client_writes_a_key_of_those_that_the_gate_makes() {
    let own = "farebox-abcdefghijklmnopqrstuvwxyz";
    let keys = [own.to_owned(), own.to_uppercase(), format!("\"{own}\""), format!("mine, {own}")];
    for target in ["/after", "/before", "/free"] {
        for key in &keys {
            let mut world = World::new();
            let head = if target == "/free" { get(target) } else { paid(&world.sign(target)) };
            world.send(head.header("idempotency-key", key));
            let call = world.origin.calls.pop().unwrap();
            let sent = call.headers.get("idempotency-key").unwrap_or_default();
            assert!(!sent.to_lowercase().contains(own), "{target}: {sent}");
        }
    }
}

// A-166
#[test]
pub fn no_cache_stands_between_a_paid_request_and_its_origin() {
    let mut world = World::new();
    for (target, caching) in
        [("/after", Caching::Never), ("/before", Caching::Never), ("/free", Caching::Ordinary)]
    {
        let head = if target == "/free" { get(target) } else { paid(&world.sign(target)) };
        world.send(head);
        assert_eq!(world.origin.calls.pop().unwrap().caching, caching, "{target}");
    }
}

// A-155
#[test]
pub fn a_conflict_does_not_name_the_payment_without_proof() {
    for target in ["/after", "/before"] {
        let mut world = World::new();
        let payment = world.sign(target);
        assert_eq!(world.present(&payment).status, 200);
        let id = world.origin.calls[0].headers.get("farebox-payment").unwrap()[5..].to_owned();
        for method in ["GET", "PUT"] {
            let head = request(method, target).header(payment.header, &payment.value);
            let told = world.send(head);
            assert_eq!(told.status, 409, "{target} {method}");
            let said = format!("{} {:?}", told.json(), told.headers);
            assert!(!said.contains(&id), "{target} {method}: {said}");
        }
    }
}
