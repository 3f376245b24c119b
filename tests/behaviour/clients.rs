//! Whom the operator knows: payers who may not pay, and keys that pass without a payment. Spec: docs/protocols.md.

use farebox_core::encoding::hex;
use farebox_core::gate::Gate;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::facilitator::{Repeats, Settle, Verify};
use crate::world::ledger::LedgerFault;
use crate::world::origin::Say;
use crate::world::payer::Payer;
use crate::world::{Response, With, World, get, paid, request, routes, vars};

const KEY: &str = "sk_live_0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "sk_live_fedcba9876543210fedcba9876543210";

fn digest(key: &str) -> String {
    hex::encode(&Sha256::digest(key.as_bytes()))
}

/// A world whose payer may not pay, and another payer.
fn denying(payers: &[String]) -> World {
    let mut vars = vars(routes());
    vars["DENY_PAYERS"] = json!(payers);
    World::with(vars)
}

fn mine() -> String {
    Payer::new(1).address.to_checksum()
}

/// A world with the key of a client called `acme`, and one under its next name.
fn keyed(routes: Value) -> World {
    let mut vars = vars(routes);
    // As a secret comes: JSON text.
    vars["API_KEYS"] = json!([
        {"name": "acme", "sha256": digest(KEY)},
        {"name": "acme", "sha256": digest(OTHER_KEY).to_uppercase()},
    ])
    .to_string()
    .into();
    World::with(vars)
}

fn errors(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut vars = vars(json!([{"path": "/a", "price": "$0.01"}]));
    change(&mut vars);
    match Gate::from_vars(&vars.to_string()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| error.variable).collect(),
    }
}

fn is_denied(response: &Response) -> bool {
    response.status == 403
        && response.problem() == "payer_denied"
        && response.json()["retryable"] == false
        && !response.has_terms()
}

#[test]
fn a_denied_payer_is_refused_in_both_modes_and_nothing_is_asked_of_anybody() {
    for list in [vec![mine()], vec![mine().to_lowercase(), Payer::new(9).address.to_checksum()]] {
        for target in ["/after", "/before", "/again"] {
            let mut world = denying(&list);
            let payment = world.sign(target);
            for head in [paid(&payment), paid(&payment)] {
                let response = world.send(head);
                assert!(is_denied(&response), "{target}: {}", response.status);
                assert_eq!(response.headers.get("payment-response"), None);
            }
            assert!(world.facilitator.urls.is_empty());
            assert!(world.origin.calls.is_empty());
            assert!(world.ledger.entries().is_empty(), "no row is made");
            assert!(world.ledger.failures.is_empty(), "nothing is counted against him");
            world.payer = Payer::new(2);
            assert_eq!(world.pay(target).status, 200, "another payer is not concerned");
        }
    }
}

#[test]
fn naming_a_denied_payer_without_their_signature_reveals_nothing() {
    let mut world = denying(&[mine()]);
    let mut other = Payer::new(2);
    let required = world.ask("/after").payment_required();
    let now = world.now().secs();
    let forged = other.sign_with(&required, now, |message| {
        message["payload"]["authorization"]["from"] = mine().into();
    });
    let response = world.present(&forged);
    assert_eq!((response.status, response.problem().as_str()), (402, "signature_invalid"));
}

#[test]
pub fn what_was_refused_is_not_sent_again_for_a_payer_denied_since() {
    for target in ["/after", "/before"] {
        let (mut world, said) = (World::new(), "settlement_refused");
        let payment = world.sign(target);
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        assert_eq!(world.present(&payment).problem(), said);
        let settles = world.facilitator.settles_of(&payment.nonce);
        let (allowed, mut world) = (world.gate, now_denying(world));
        world.wait(5);
        let repeat = world.present(&payment);
        assert_eq!((repeat.problem().as_str(), repeat.has_terms()), (said, false));
        assert_eq!(world.facilitator.settles_of(&payment.nonce), settles, "{target}: sent again");
        assert_ne!(repeat.status, 200, "{target}");
        world.gate = allowed;
        assert_eq!(world.present(&payment).status, 200, "{target}: an allowed payer's is");
    }
}

#[test]
fn a_denied_payer_who_pays_too_late_or_names_other_terms_is_not_charged_either() {
    let mut world = denying(&[mine()]);
    let payment = world.sign("/after");
    world.wait(299);
    assert!(is_denied(&world.present(&payment)));
    assert!(world.facilitator.urls.is_empty());
}

#[test]
fn whoever_shows_what_a_payer_has_paid_elsewhere_does_not_learn_that_they_are_denied() {
    let mut world = denying(&[mine()]);
    let mut required = world.ask("/after").payment_required();
    required["accepts"][0]["payTo"] = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266".into();
    let now = world.now().secs();
    let public = world.payer.sign_with(&required, now, |_| {});
    let answer = world.present(&public);
    assert_eq!((answer.status, answer.problem().as_str()), (402, "terms_mismatch"));
}

/// The same ledger, facilitator and payer behind a gate that denies the payer from now on.
fn now_denying(mut world: World) -> World {
    world.gate = denying(&[mine()]).gate;
    world
}

#[test]
fn what_a_payer_had_paid_for_before_he_was_denied_is_still_his() {
    // Settled while nobody heard of it: the repeat resends, learns, and delivers.
    for target in ["/after", "/before"] {
        let mut world = World::new();
        let payment = world.sign_as(target, "an-identifier-of-mine");
        world.facilitator.repeats = Repeats::Idempotent;
        world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentAfter]);
        let first = world.present(&payment);
        assert_eq!(first.problem(), "settlement_unknown", "{target}");
        let mut world = now_denying(world);
        world.wait(2);
        let again = world.present(&payment);
        assert!(again.is_delivery(), "{target}: {} {}", again.status, again.problem());
        assert!(world.facilitator.chain.is_paid(&payment.nonce));
        let third = world.present(&payment);
        assert_eq!(third.headers.get("payment-replayed"), Some("true"), "{target}");
        assert_eq!(third.body, again.body);
        let fresh = world.sign(target);
        assert!(is_denied(&world.present(&fresh)), "{target}: a new payment");
        assert_eq!(world.facilitator.settles_of(&fresh.nonce), 0);
    }
}

#[test]
fn what_is_owed_to_a_denied_payer_is_told_as_before() {
    let mut world = World::new();
    let owed = world.sign("/before");
    world.origin.plan.push_back(Say::Lost);
    assert_eq!(world.present(&owed).problem(), "refund_due");
    let released = world.sign("/after");
    world.facilitator.verify_plan.push_back(Verify::Silent);
    assert_eq!(world.present(&released).problem(), "facilitator_unavailable");
    let mut world = now_denying(world);
    let again = world.present(&owed);
    assert_eq!((again.status, again.problem().as_str()), (409, "refund_due"));
    // Nothing was submitted for this one, so nothing of it is begun again.
    assert!(is_denied(&world.present(&released)));
    assert_eq!(world.facilitator.settles_of(&released.nonce), 0);
}

#[test]
fn a_second_payment_of_a_denied_payer_is_refused_while_the_first_is_unknown() {
    let mut world = World::new();
    let doubt = world.sign("/after");
    world.facilitator.settle_plan.extend([Settle::SilentLate, Settle::SilentLate]);
    assert_eq!(world.present(&doubt).problem(), "settlement_unknown");
    let mut world = now_denying(world);
    let second = world.sign("/after");
    assert!(is_denied(&world.present(&second)));
    // Nor does it stand for the first one once that is captured.
    world.facilitator.chain.land();
    world.wait(20);
    let third = world.sign("/after");
    assert!(is_denied(&world.present(&third)));
}

#[test]
fn no_facilitator_is_asked_to_vouch_for_a_denied_wallet() {
    let mut vars = vars(routes());
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    let mut open = World::with(vars.clone());
    vars["DENY_PAYERS"] = json!([mine()]);
    let mut denying = World::with(vars);
    for (world, asked) in [(&mut open, true), (&mut denying, false)] {
        let required = world.ask("/after").payment_required();
        let now = world.now().secs();
        let payment = world.payer.sign_with(&required, now, |message| {
            message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
        });
        let response = world.present(&payment);
        assert_eq!(!world.facilitator.urls.is_empty(), asked);
        assert_eq!(is_denied(&response), !asked, "{}", response.status);
    }
}

#[test]
fn a_denied_payer_is_not_told_that_the_ledger_is_fine() {
    let mut world = denying(&[mine()]);
    let payment = world.sign("/after");
    world.ledger.plan.push_back(LedgerFault::Down);
    assert_eq!(world.present(&payment).problem(), "ledger_unavailable", "he may have a row there");
}

#[test]
fn a_good_key_passes_without_a_payment_and_is_private() {
    for key in [KEY, OTHER_KEY] {
        let mut world = keyed(routes());
        let head = get("/after")
            .header("x-api-key", key)
            .header("farebox-client", "somebody else")
            .header("farebox-payer", "0x1")
            .header("cf-connecting-ip", "192.0.2.1");
        let response = world.send(head);
        assert_eq!(response.status, 200);
        assert_eq!(response.headers.get("cache-control"), Some("private, no-store"));
        assert_eq!(response.headers.get("access-control-allow-origin"), Some("*"));
        assert_eq!(response.headers.get("payment-response"), None);
        assert_eq!(response.headers.get("farebox-free-remaining"), None);
        let seen = &world.origin.calls[0].headers;
        assert_eq!(seen.rows("farebox-client").collect::<Vec<_>>(), ["acme"]);
        assert_eq!(seen.get("x-api-key"), None, "the origin does not see the key");
        assert_eq!(seen.get("farebox-payer"), None);
        assert_eq!(seen.get("farebox-payment"), None);
        assert!(world.ledger.objects.is_empty());
        assert!(world.facilitator.urls.is_empty());
        let again = world.send(get("/before").header("x-api-key", key));
        assert_eq!(again.status, 200);
        assert!(!world.attempts.is_waiting(), "nobody is counted as failing");
    }
}

#[test]
fn a_wrong_key_is_no_key_and_may_be_the_origins_own() {
    let mut world = keyed(routes());
    let long = "k".repeat(513);
    for wrong in
        [&KEY[1..], "x", "", &digest(KEY), &long, &format!("{KEY}, {KEY}"), &format!("{KEY} ")]
            .map(|key| key.trim_end())
            .into_iter()
            .filter(|key| *key != KEY)
    {
        let response = world.send(get("/after").header("x-api-key", wrong));
        assert_eq!((response.status, response.has_terms()), (402, true), "{wrong}");
    }
    let twice = get("/after").header("x-api-key", KEY).header("x-api-key", KEY);
    assert_eq!(world.send(twice).status, 402, "two rows are none");
    let payment = world.sign("/after");
    let response = world.send(paid(&payment).header("x-api-key", "of-the-origin-itself"));
    assert!(response.is_delivery());
    assert_eq!(world.origin.calls[0].headers.get("x-api-key"), Some("of-the-origin-itself"));
    assert_eq!(world.origin.calls[0].headers.get("farebox-client"), None);
}

#[test]
fn a_listed_key_is_compared_as_a_whole_and_has_to_look_like_one() {
    let first = |key: &str| digest(key)[..2].to_owned();
    let alike = (0..)
        .map(|number| format!("another-key-{number:016}"))
        .find(|key| first(key) == first(KEY))
        .unwrap();
    let mut world = keyed(routes());
    assert_eq!(world.send(get("/after").header("x-api-key", &alike)).status, 402);
    let of_length = |length: usize| "k".repeat(length);
    let keys = [
        (of_length(15), 402),
        (of_length(16), 200),
        (of_length(512), 200),
        (of_length(513), 402),
        ("with a space in it".to_owned(), 402),
        ("with-an-umlaut-ä-in-it".to_owned(), 402),
    ];
    let mut vars = vars(routes());
    vars["API_KEYS"] =
        keys.iter().map(|(key, _)| json!({"name": "n", "sha256": digest(key)})).collect();
    let mut world = World::with(vars);
    for (key, status) in keys {
        assert_eq!(world.send(get("/after").header("x-api-key", &key)).status, status, "{key}");
    }
}

#[test]
fn a_payment_beside_a_good_key_is_not_touched() {
    for target in ["/after", "/before"] {
        let mut world = keyed(routes());
        let payment = world.sign(target);
        let response = world.send(paid(&payment).header("x-api-key", KEY));
        assert_eq!((response.status, response.headers.get("payment-response")), (200, None));
        assert!(world.facilitator.urls.is_empty());
        assert!(world.ledger.entries().is_empty());
        assert_eq!(world.origin.calls[0].headers.get("payment-signature"), None);
        assert!(world.present(&payment).is_delivery(), "it is as good as before");
        let broken = get(target).header("payment-signature", "!").header("x-api-key", KEY);
        assert_eq!(world.send(broken).status, 200);
    }
}

#[test]
fn a_route_can_do_without_keys() {
    let mut world = keyed(json!([
        {"path": "/paid", "price": "$0.01", "api_keys": false},
        {"path": "/both", "price": "$0.01", "api_keys": true},
        {"path": "/free", "price": "free"},
    ]));
    assert_eq!(world.send(get("/paid").header("x-api-key", KEY)).status, 402);
    assert_eq!(world.send(get("/both").header("x-api-key", KEY)).status, 200);
    // Where nothing is asked, nothing is looked at.
    assert_eq!(world.send(get("/free").header("x-api-key", KEY)).status, 200);
    let free = &world.origin.calls[1].headers;
    assert_eq!((free.get("x-api-key"), free.get("farebox-client")), (Some(KEY), None));
    let payment = world.sign("/paid");
    assert!(world.send(paid(&payment).header("x-api-key", KEY)).is_delivery());
    assert_eq!(world.origin.calls[2].headers.get("x-api-key"), Some(KEY));
    let mut none = World::new();
    assert_eq!(none.send(get("/after").header("x-api-key", KEY)).status, 402);
}

#[test]
fn an_origin_failure_for_an_api_key_is_reported_as_on_a_free_path_and_readable_by_any_page() {
    for (say, status) in [(Say::Lost, 502), (Say::TimedOut, 504)] {
        let mut world = keyed(routes());
        world.origin.plan.push_back(say);
        let response = world.send(get("/after").header("x-api-key", KEY));
        assert_eq!((response.status, response.problem().as_str()), (status, "origin_failed"));
        assert_eq!(response.headers.get("access-control-allow-origin"), Some("*"));
    }
    let mut world = keyed(routes());
    world.origin.plan.push_back(Say::Whole(
        "404\ncache-control: public, s-maxage=60\nfarebox-free-remaining: 9\npayment-response: x",
        "gone",
    ));
    let response = world.send(request("HEAD", "/after").header("x-api-key", KEY));
    assert_eq!(response.status, 404);
    assert_eq!(response.headers.get("cache-control"), Some("private, no-store"));
    assert_eq!(response.headers.get("farebox-free-remaining"), None);
    assert_eq!(response.headers.get("payment-response"), None);
}

#[test]
fn the_signature_for_the_origin_covers_the_name_of_the_client() {
    let mut vars = vars(routes());
    vars["ORIGIN_SECRET"] = "origin-secret".into();
    vars["API_KEYS"] = json!([{"name": "acme", "sha256": digest(KEY)}]);
    let mut world = World::with(vars);
    world.send(get("/after?q=1").header("x-api-key", KEY));
    let headers = &world.origin.calls[0].headers;
    let now = world.now().secs();
    let text = format!("{now}\nGET\n/after?q=1\nacme\n");
    let expected = format!("t={now},v1={}", hmac_hex(b"origin-secret", text.as_bytes()));
    assert_eq!(headers.get("farebox-signature"), Some(expected.as_str()));
    let text = format!("{text}\n\n\n\n");
    let expected = format!("t={now},v2={}", hmac_hex(b"origin-secret", text.as_bytes()));
    assert_eq!(headers.get("farebox-signature-v2"), Some(expected.as_str()));
}

/// HMAC-SHA-256 as RFC 2104 writes it.
fn hmac_hex(key: &[u8], text: &[u8]) -> String {
    let pad = |with: u8| (0..64).map(|at| key.get(at).unwrap_or(&0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([&pad(0x36)[..], text].concat());
    hex::encode(&Sha256::digest([&pad(0x5c)[..], &inner[..]].concat()))
}

#[test]
fn an_upgrade_and_a_long_target_are_refused_with_a_key_too() {
    let mut world = keyed(routes());
    let upgrade = get("/after").header("x-api-key", KEY).header("upgrade", "websocket");
    assert_eq!(world.send(upgrade).problem(), "upgrade_not_supported");
    let long = format!("/after?{}", "x".repeat(2048));
    assert_eq!(world.send(get(&long).header("x-api-key", KEY)).problem(), "target_too_long");
}

#[test]
fn wrong_lists_are_errors_that_name_the_entry() {
    let good = digest(KEY);
    let entry = |name: &str, sha256: &str| json!({"name": name, "sha256": sha256});
    assert!(errors(|vars| vars["API_KEYS"] = json!([])).is_empty());
    assert!(errors(|vars| vars["API_KEYS"] = json!([entry(&"n".repeat(64), &good)])).is_empty());
    for wrong in [
        json!({"name": "n"}),
        entry("", &good),
        entry(&"n".repeat(65), &good),
        entry("a b", &good),
        entry("ä", &good),
        entry("n", &good[1..]),
        entry("n", &format!("{}g", &good[1..])),
        entry("n", &format!("0x{good}")),
        json!({"name": "n", "sha256": good, "scope": "all"}),
        json!({"name": 1, "sha256": good}),
        json!("n"),
    ] {
        let found =
            errors(|vars| vars["API_KEYS"] = json!([entry("m", &digest(OTHER_KEY)), wrong]));
        assert_eq!(found, ["API_KEYS[1]"], "{wrong}");
    }
    let twice = json!([entry("n", &good), entry("m", &good.to_uppercase())]);
    assert_eq!(errors(|vars| vars["API_KEYS"] = twice), ["API_KEYS[1]"]);
    let many = |count: usize| -> Vec<Value> {
        (0..count).map(|at| entry("n", &digest(&at.to_string()))).collect()
    };
    assert!(errors(|vars| vars["API_KEYS"] = many(1000).into()).is_empty());
    assert_eq!(errors(|vars| vars["API_KEYS"] = many(1001).into()), ["API_KEYS"]);
    assert_eq!(errors(|vars| vars["API_KEYS"] = "[{".into()), ["API_KEYS"]);
    assert_eq!(errors(|vars| vars["API_KEYS"] = "secret".into()), ["API_KEYS"]);

    let address = mine();
    assert!(errors(|vars| vars["DENY_PAYERS"] = json!([])).is_empty());
    assert!(errors(|vars| vars["DENY_PAYERS"] = json!([address]).to_string().into()).is_empty());
    let flipped: String = address
        .chars()
        .enumerate()
        .map(|(at, c)| {
            let flips = at > 1 && c.is_ascii_lowercase();
            if flips { c.to_ascii_uppercase() } else { c }
        })
        .collect();
    let wrong = [json!(address[2..]), json!(&address[..40]), json!(7), json!("0x"), Value::Null];
    for wrong in wrong {
        assert_eq!(errors(|vars| vars["DENY_PAYERS"] = json!([wrong])), ["DENY_PAYERS[0]"]);
    }
    let mixed = format!("{}{}", &flipped[..20], &address[20..].to_lowercase());
    assert_eq!(errors(|vars| vars["DENY_PAYERS"] = json!([mixed])), ["DENY_PAYERS[0]"]);
    assert_eq!(errors(|vars| vars["DENY_PAYERS"] = address.into()), ["DENY_PAYERS"]);
}
