//! Free requests of a day. Spec: docs/requests.md, "Requests that need no payment".

use std::collections::BTreeSet;

use farebox_core::gate::Gate;
use farebox_core::gate::attempts::Attempts;
use farebox_core::http::RequestHead;
use serde_json::{Value, json};

use crate::world::ledger::LedgerFault;
use crate::world::origin::Say;
use crate::world::{Response, With, World, get, paid, request, vars};

fn world() -> World {
    World::with(vars(json!([
        {"path": "/daily", "price": "$0.01", "free": {"per_day": 3}},
        {"path": "/other", "price": "$0.01", "free": {"per_day": 3}, "diagnostics": false},
        {"path": "/paid", "price": "$0.01"},
    ])))
}

fn from(target: &str, address: &str) -> RequestHead {
    get(target).header("cf-connecting-ip", address)
}

fn remaining(response: &Response) -> Option<&str> {
    response.headers.get("farebox-free-remaining")
}

#[test]
fn a_client_has_as_many_free_requests_as_the_route_says_and_then_pays() {
    for target in ["/daily", "/other"] {
        let mut world = world();
        for left in ["2", "1", "0"] {
            let response = world.send(from(target, "192.0.2.1"));
            assert_eq!((response.status, remaining(&response)), (200, Some(left)), "{target}");
            assert_eq!(response.headers.get("cache-control"), Some("private, no-store"));
            assert_eq!(response.headers.get("payment-response"), None);
            let exposed = response.headers.get("access-control-expose-headers").unwrap();
            assert!(exposed.split(", ").any(|name| name == "Farebox-Free-Remaining"));
        }
        let asked = world.ledger.objects.len();
        for _ in 0..20 {
            let response = world.send(from(target, "192.0.2.1"));
            assert_eq!((response.status, response.has_terms()), (402, true));
            assert_eq!(remaining(&response), None);
        }
        assert_eq!(world.ledger.objects.len(), asked + 1, "a flood costs one question");
        assert_eq!(world.origin.calls.len(), 3);
        let unpaid = world.send(from(target, "192.0.2.1")).payment_required();
        let now = world.now().secs();
        let payment = world.payer.sign(&unpaid, now);
        assert!(world.send(paid(&payment).header("cf-connecting-ip", "192.0.2.1")).is_delivery());
    }
}

#[test]
fn networks_routes_and_days_are_counted_apart_and_isolates_together() {
    let mut world = world();
    let spent = |world: &mut World, target: &str, address: &str| {
        // Each request comes to another isolate.
        world.attempts = Attempts::new();
        let response = world.send(from(target, address));
        remaining(&response).map(|left| left.parse::<u64>().unwrap())
    };
    for expected in [Some(2), Some(1), Some(0), None, None] {
        assert_eq!(spent(&mut world, "/daily", "2001:db8:1:2300::1"), expected);
    }
    assert_eq!(spent(&mut world, "/daily", "2001:db8:1:23ff::9"), None, "one household");
    assert_eq!(spent(&mut world, "/daily", "2001:db8:1:2400::1"), Some(2));
    assert_eq!(spent(&mut world, "/other", "2001:db8:1:2300::1"), Some(2));
    assert_eq!(spent(&mut world, "/daily", "192.0.2.1"), Some(2));
    assert_eq!(spent(&mut world, "/daily", "::ffff:192.0.2.1"), Some(1));
    assert_eq!(spent(&mut world, "/daily", ""), Some(2), "who has no address");
    assert_eq!(spent(&mut world, "/daily", "nonsense"), Some(1), "shares one count");
    let midnight = (world.now().secs() / 86_400 + 1) * 86_400;
    world.set_ms(midnight * 1000 - 1);
    assert_eq!(spent(&mut world, "/daily", "2001:db8:1:2300::1"), None);
    world.set_ms(midnight * 1000);
    assert_eq!(spent(&mut world, "/daily", "2001:db8:1:2300::1"), Some(2), "a day in UTC");
}

#[test]
fn an_isolate_that_knows_of_the_end_forgets_it_with_the_day() {
    let mut world = world();
    for _ in 0..4 {
        world.send(from("/daily", "192.0.2.1"));
    }
    assert_eq!(world.send(from("/daily", "192.0.2.1")).status, 402);
    world.wait(86_400);
    assert_eq!(remaining(&world.send(from("/daily", "192.0.2.1"))), Some("2"));
}

#[test]
fn an_isolate_remembers_it_beyond_the_hand_over_of_what_it_counted() {
    let mut world = world();
    for _ in 0..4 {
        world.send(from("/other", "192.0.2.1"));
    }
    let now = world.now();
    world.gate.hand_over(&mut world.attempts, now);
    let asked = world.ledger.objects.len();
    assert_eq!(world.send(from("/other", "192.0.2.1")).status, 402);
    assert_eq!(world.ledger.objects.len(), asked);
}

#[test]
fn without_the_ledger_object_the_request_is_asked_for_payment() {
    let mut world = world();
    world.ledger.plan.push_back(LedgerFault::Down);
    let response = world.send(from("/daily", "192.0.2.1"));
    assert_eq!((response.status, response.has_terms()), (402, true));
    assert!(world.origin.calls.is_empty());
    assert_eq!(remaining(&world.send(from("/daily", "192.0.2.1"))), Some("2"), "it is asked again");
}

#[test]
fn an_object_that_answers_something_else_makes_nothing_free() {
    for answer in ["", "{}", "-1", "\"3\"", "[3]", "3.5", r#"{"answer":"unsupported"}"#, "true"] {
        let mut world = world();
        let mut running = world.start(from("/daily", "192.0.2.1"), b"");
        assert_eq!(running.next(), "spend");
        world.ledger.says = Some(answer.to_owned());
        while world.advance(&mut running) {}
        assert_eq!(running.response.unwrap().status, 402, "{answer}");
    }
}

#[test]
fn a_proof_or_a_key_uses_up_nothing() {
    let mut world = world();
    let payment = {
        let mut paying = self::world();
        paying.ledger.plan.push_back(LedgerFault::Down);
        let required = paying.ask("/daily").payment_required();
        let now = paying.now().secs();
        paying.payer.sign(&required, now)
    };
    assert!(world.present(&payment).is_delivery());
    assert_eq!(world.send(get("/daily").header("payment-signature", "!")).status, 400);
    assert!(world.ledger.quota.is_empty());
    assert_eq!(world.send(request("OPTIONS", "/daily")).status, 204);
    assert_eq!(world.send(get("/paid")).status, 402);
    assert!(world.ledger.quota.is_empty());
    assert_eq!(world.send(request("HEAD", "/daily")).status, 200);
    assert_eq!(world.ledger.quota.values().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_failure_of_the_origin_gives_nothing_back() {
    let mut world = world();
    world.origin.plan.extend([Say::Lost, Say::Whole("500", "oops"), Say::TimedOut]);
    for (status, left) in [(502, "2"), (500, "1"), (504, "0")] {
        let response = world.send(from("/daily", "192.0.2.1"));
        assert_eq!((response.status, remaining(&response)), (status, Some(left)));
    }
    assert_eq!(world.send(from("/daily", "192.0.2.1")).status, 402);
}

#[test]
fn the_origin_cannot_say_how_many_are_left() {
    let mut world = world();
    world.origin.plan.push_back(Say::Whole("200\nfarebox-free-remaining: 99", "x"));
    let response = world.send(from("/daily", "192.0.2.1"));
    let rows: Vec<_> = response.headers.rows("farebox-free-remaining").collect();
    assert_eq!(rows, ["2"]);
}

#[test]
fn the_client_name_sent_to_an_object_is_anonymous_and_changes_daily() {
    let mut world = world();
    world.send(from("/daily", "192.0.2.1"));
    world.wait(86_400);
    world.send(from("/daily", "192.0.2.1"));
    let names: BTreeSet<_> = world.ledger.quota.keys().map(|(_, client)| client.clone()).collect();
    assert_eq!(names.len(), 2);
    for name in names {
        assert!(name.len() == 36 && name.starts_with("net_"), "{name}");
    }
    let objects: BTreeSet<_> = world.ledger.objects.iter().collect();
    assert_eq!(objects.len(), 1, "a network stays in its object");
    for address in 0..60 {
        world.send(from("/daily", &format!("192.0.2.{address}")));
    }
    assert!(world.ledger.objects.iter().collect::<BTreeSet<_>>().len() >= 12);
}

#[test]
fn a_wrong_number_is_an_error_that_names_the_field() {
    let errors = |free: Value| -> Vec<String> {
        let vars = vars(json!([{"path": "/a", "price": "$0.01", "free": free}]));
        match Gate::from_vars(&vars.to_string()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.variable).collect(),
        }
    };
    for good in [1, 10, 1_000_000] {
        assert!(errors(json!({"per_day": good})).is_empty());
    }
    for wrong in [
        json!({"per_day": 0}),
        json!({"per_day": 1_000_001}),
        json!({"per_day": 1.5}),
        json!({"per_day": "10"}),
        json!({"per_day": 10, "per_hour": 1}),
        json!({}),
        json!(10),
        json!(true),
    ] {
        assert_eq!(errors(wrong.clone()), ["ROUTES[0].free"], "{wrong}");
    }
}
