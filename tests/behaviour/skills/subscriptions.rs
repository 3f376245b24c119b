//! Subscriptions of the original's shapes: paid in advance, used one by one with a key.

use farebox_core::skills::message::OriginalRequest;
use serde_json::{Value, json};

use super::node::Node;
use super::quotes::{mock_vars, quote, request, settle, told};
use super::world::{Told, World, market_of};

const DAY_MS: u64 = 86_400_000;

/// Subscribes agent-1 to a service and pays; the id and the key.
fn subscribed(world: &mut World) -> (String, String) {
    let body = json!({"agentId": "agent-1", "serviceId": "svc", "plan": "starter"});
    let made = told(world, request("POST", "/api/protocol/x402/subscriptions", &body));
    assert_eq!(made.status, 201, "{made:?}");
    let (row, key) = (&made.body["subscription"], made.body["key"].as_str().unwrap().to_owned());
    assert_eq!((&row["status"], &row["active"]), (&json!("paused"), &json!(false)));
    assert_eq!(access(world, &key, "?consume=true").error(), (402, ""), "it is not paid");
    let id = row["id"].as_str().unwrap().to_owned();
    let paid = pay(world, &made.body["quote"], &id);
    assert_eq!(paid.status, 200, "{paid:?}");
    assert_eq!(paid.body["subscriptionProof"]["isActive"], true);
    (id, key)
}

fn pay(world: &mut World, quote: &Value, id: &str) -> Told {
    let tx = format!("0x{:064x}", world.rows.original.settled.len() + 1);
    let node = Node::at(world.now);
    let body = json!({"paymentRef": quote["paymentRef"], "txHash": tx, "subscriptionId": id});
    settle(world, &node, &body)
}

fn access(world: &mut World, key: &str, query: &str) -> Told {
    let path = format!("/api/protocol/x402/subscriptions/agent-1/svc{query}");
    let asked = request("GET", &path, &Value::Null);
    told(world, OriginalRequest { authorization: Some(format!("Bearer {key}")), ..asked })
}

fn status(told: &Told) -> (u32, &str, u64) {
    let body = &told.body;
    (
        told.status,
        body["status"].as_str().unwrap_or_default(),
        body["callsRemaining"].as_u64().unwrap_or(u64::MAX),
    )
}

#[test]
pub fn calls_are_used_one_by_one_until_none_is_left() {
    let mut world = World::of(&mock_vars());
    let (_, key) = subscribed(&mut world);
    for left in (2..100).rev() {
        assert_eq!(status(&access(&mut world, &key, "?consume=true")), (200, "active", left));
    }
    assert_eq!(status(&access(&mut world, &key, "")), (200, "active", 2), "a look uses nothing");
    assert_eq!(status(&access(&mut world, &key, "?consume=true")), (200, "active", 1));
    assert_eq!(status(&access(&mut world, &key, "?consume=true")), (200, "active", 0));
    assert_eq!(status(&access(&mut world, &key, "?consume=true")), (402, "exhausted", 0));
}

#[test]
pub fn what_is_not_renewed_serves_for_a_day_and_then_no_more() {
    let mut world = World::of(&mock_vars());
    let (id, key) = subscribed(&mut world);
    world.now += 30 * DAY_MS;
    let grace = access(&mut world, &key, "?consume=true");
    assert_eq!((status(&grace), &grace.body["active"]), ((200, "grace", 99), &json!(true)));
    world.now += DAY_MS - 1;
    assert_eq!(status(&access(&mut world, &key, "")), (200, "grace", 99));
    world.now += 1;
    assert_eq!(status(&access(&mut world, &key, "?consume=true")), (402, "paused", 99));
    let listed = told(&mut world, request("GET", "/api/protocol/x402/subscriptions", &Value::Null));
    assert_eq!(listed.body["stats"], json!({"active": 0, "paused": 1, "grace": 0, "mrrXlm": 0}));
    let asked =
        json!({"serviceId": "svc", "payer": "agent-1", "chain": "base", "unitPriceUsd": 0.1});
    let renewal = quote(&mut world, &asked);
    assert_eq!(pay(&mut world, &renewal, &id).status, 200);
    assert_eq!(status(&access(&mut world, &key, "")), (200, "active", 100));
    let proof = request("GET", &format!("/api/subscriptions/{id}/proof"), &Value::Null);
    let proof = told(&mut world, proof);
    assert_eq!((proof.status, &proof.body["isActive"]), (200, &json!(true)));
    let missing = request("GET", "/api/subscriptions/sub_x/proof", &Value::Null);
    assert_eq!(told(&mut world, missing).error(), (404, "Subscription proof not found"));
}

#[test]
pub fn a_quote_renews_what_it_is_for_and_not_for_less() {
    let mut world = World::of(&mock_vars());
    let (id, _) = subscribed(&mut world);
    for (service, payer, price, error) in [
        ("other", "agent-1", 0.1, "subscriptionId does not match quote payer/service"),
        ("svc", "agent-2", 0.1, "subscriptionId does not match quote payer/service"),
        ("svc", "agent-1", 0.09, "The quote is for less than the plan costs"),
    ] {
        world.now += 1;
        let asked =
            json!({"serviceId": service, "payer": payer, "chain": "base", "unitPriceUsd": price});
        let quote = quote(&mut world, &asked);
        assert_eq!(pay(&mut world, &quote, &id).error(), (400, error));
    }
}

//
#[test]
fn a_renewal_costs_what_its_quote_said_however_late_it_is_shown() {
    let rated = |rate: &str| {
        let mut vars = mock_vars();
        vars["XLM_USD"] = rate.into();
        vars
    };
    let mut world = World::of(&rated("0.1"));
    let (id, key) = subscribed(&mut world);
    let asked = |world: &mut World, price: f64| {
        world.now += 1;
        let body =
            json!({"serviceId": "svc", "payer": "agent-1", "chain": "base", "unitPriceUsd": price});
        quote(world, &body)
    };
    let (timely, unsaid) = (asked(&mut world, 0.1), asked(&mut world, 0.1));
    world.market = market_of(&rated("0.11"));
    let paid = pay(&mut world, &timely, &id);
    assert_eq!(paid.status, 200, "{paid:?}");
    assert_eq!(status(&access(&mut world, &key, "")), (200, "active", 100));
    // A quote of now costs as much as now, whatever a plan costs later.
    let late = asked(&mut world, 0.1);
    world.market = market_of(&rated("0.1"));
    let error = "The quote is for less than the plan costs";
    assert_eq!(pay(&mut world, &late, &id).error(), (400, error));
    // An earlier version kept no rate: that of now counts.
    let row =
        world.rows.original.quotes.iter_mut().find(|row| row.reference == unsaid["paymentRef"]);
    row.unwrap().rate.clear();
    world.market = market_of(&rated("0.11"));
    assert_eq!(pay(&mut world, &unsaid, &id).error(), (400, error));
    world.market = market_of(&rated("0.09"));
    assert_eq!(pay(&mut world, &unsaid, &id).status, 200);
}

#[test]
pub fn calls_are_used_with_the_key_alone() {
    let mut world = World::of(&mock_vars());
    let (_, key) = subscribed(&mut world);
    let (id, _) = key.rsplit_once('.').unwrap();
    let forged = format!("{id}.{}", "0".repeat(64));
    for key in ["", "agent-1", &forged] {
        assert_eq!(access(&mut world, key, "?consume=true").status, 401);
        assert_eq!(status(&access(&mut world, key, "")), (200, "active", 100));
    }
    let operator = "o".repeat(32);
    assert_eq!(status(&access(&mut world, &operator, "?consume=true")), (200, "active", 99));
}

//
#[test]
fn a_smaller_subscription_in_the_same_name_hides_no_other_one() {
    let mut world = World::of(&mock_vars());
    let subscribe = |world: &mut World, plan: &str| {
        let body = json!({"agentId": "agent-1", "serviceId": "svc", "plan": plan});
        let made = told(world, request("POST", "/api/protocol/x402/subscriptions", &body));
        let id = made.body["subscription"]["id"].as_str().unwrap().to_owned();
        assert_eq!(pay(world, &made.body["quote"], &id).status, 200);
        world.now += 1_000;
        made.body["key"].as_str().unwrap().to_owned()
    };
    let victim = subscribe(&mut world, "pro");
    let stranger = subscribe(&mut world, "starter");
    let operator = "o".repeat(32);
    assert_eq!(status(&access(&mut world, "", "")), (200, "active", 10_000));
    for left in (0..100).rev() {
        assert_eq!(status(&access(&mut world, &stranger, "?consume=true")), (200, "active", left));
    }
    assert_eq!(status(&access(&mut world, &operator, "?consume=true")), (200, "active", 9_999));
    assert_eq!(status(&access(&mut world, &victim, "")), (200, "active", 9_999));
    // One that is over has no calls left, whatever was paid for it.
    world.now += 29 * DAY_MS;
    subscribe(&mut world, "starter");
    world.now += 3 * DAY_MS;
    assert_eq!(status(&access(&mut world, "", "")), (200, "active", 100));
}

#[test]
fn a_subscription_that_cannot_be_is_refused_with_the_originals_words() {
    let mut world = World::of(&mock_vars());
    for (body, error) in [
        (json!({"agentId": "a"}), "serviceId is required"),
        (json!({"serviceId": "s", "agentId": " "}), "agentId is required"),
        (
            json!({"serviceId": "s", "agentId": "a", "callsPerMonth": 0}),
            "callsPerMonth must be > 0",
        ),
        (
            json!({"serviceId": "s", "agentId": "a", "callsPerMonth": 5}),
            "callsPerMonth must be that of the plan",
        ),
        (
            json!({"serviceId": "s", "agentId": "a", "plan": "custom"}),
            "plan must be one of: starter, growth, pro, monthly",
        ),
    ] {
        let refused = told(&mut world, request("POST", "/api/protocol/x402/subscriptions", &body));
        assert_eq!(refused.error(), (400, error));
    }
    let body = json!({"serviceId": "s", "agentId": "a", "plan": "unheard"});
    let made = told(&mut world, request("POST", "/api/protocol/x402/subscriptions", &body));
    assert_eq!((made.status, &made.body["subscription"]["plan"]), (201, &json!("monthly")));
    assert_eq!(made.body["quote"]["amountUsd"], 0.5);
}
