//! What the operator reads and changes.

use farebox_core::amount::Amount;
use farebox_core::treasury::message::{Command, Listing, Operation};
use farebox_core::treasury::row::Scope;
use serde_json::json;

use super::world::{BUYER_KEY, World, caller, keyed, plain, settled};

#[test]
fn the_audit_says_what_was_signed_what_is_void_and_what_was_spent() {
    let mut world = World::new();
    world.buy(&keyed("20000", "a"));
    let order = world.order(&keyed("10000", "b"));
    world.answered(&order, plain(500, ""));
    let told = world.operate(Operation::Audit(Listing::default()));
    assert_eq!(
        told.body["items"][0],
        json!({
            "scope": "organization", "agent": null, "asset": "USDC",
            "signed": "0.03", "void": "0", "counted": "0.03", "confirmed": "0", "open": "0.03",
        })
    );
    assert_eq!(told.body["items"][1]["agent"], "buyer");
    // The budgets call a part of what is counted spent, and the rest reserved.
    let budgets = world.operate(Operation::Budgets);
    let month = &budgets.body["items"].as_array().unwrap()[2];
    assert_eq!((&month["scope"], &month["window"]), (&json!("organization"), &json!("month")));
    let of = |name: &str| Amount::from_decimal(month[name].as_str().unwrap(), 18).unwrap();
    assert_eq!(of("spent").checked_add(of("reserved")).unwrap().to_decimal(18), "0.03");
    assert_ne!(of("reserved"), Amount::ZERO);
}

#[test]
fn an_agent_that_is_not_there_is_named_beside_those_that_are() {
    let mut world = World::new();
    for asks in [
        Operation::IssueKey("buyr".into()),
        Operation::Keys("buyr".into()),
        Operation::Tokens("buyr".into()),
        Operation::RevokeTokens("buyr".into()),
        Operation::DisableAgent("buyr".into()),
        Operation::PutPolicy(Scope::Agent("buyr".into()), "{}".into()),
    ] {
        let told = world.operate(asks);
        assert_eq!((told.status, told.text("code")), (404, "not_found"));
        let detail = told.text("detail");
        assert!(
            detail.starts_with("there is no such agent as buyr; this organization has buyer"),
            "{detail}"
        );
    }
    // What can be no name is not repeated.
    let told = world.operate(Operation::Keys("<script>".into()));
    assert_eq!(told.text("detail"), "there is no such agent");
    world.operate(Operation::DisableAgent("buyer".into()));
    let told = world.operate(Operation::IssueKey("buyer".into()));
    assert_eq!(
        (told.status, told.text("detail")),
        (404, "the agent buyer is disabled; PUT it to enable it")
    );
}

#[test]
fn rules_have_versions_and_a_log() {
    let mut world = World::new();
    let rules =
        |perhaps: &str| Operation::PutPolicy(Scope::Agent("buyer".into()), perhaps.to_owned());
    assert_eq!(world.operate(rules(r#"{"perDay": "0.01"}"#)).body, json!({"version": 1}));
    assert_eq!(world.operate(rules(r#"{"perDay": "0.02"}"#)).body, json!({"version": 2}));
    let wrong = world.operate(rules(r#"{"perDay": 1, "wallet": ""}"#));
    assert_eq!((wrong.status, wrong.text("code")), (400, "invalid_policy"));
    assert_eq!(world.operate(rules(r#"{"wallet": "other"}"#)).status, 400);
    let unknown = Operation::PutPolicy(Scope::Agent("nobody-here".into()), "{}".to_owned());
    assert_eq!(world.operate(unknown).status, 404);
    let told = world.told(&keyed("30000", "k"));
    assert_eq!(
        told.reason(),
        "Policy denied: agent daily budget of $0.02 exceeded. Current spend: $0.00. Requested: $0.03."
    );
    let log =
        world.operate(Operation::Log(Listing { limit: Some("1".into()), ..Listing::default() }));
    assert_eq!(
        (&log.body["items"][0]["version"], &log.body["items"][0]["subject"]),
        (&json!(2), &json!("agent:buyer"))
    );
    let next =
        Listing { cursor: log.body["cursor"].as_str().map(Into::into), ..Listing::default() };
    assert_eq!(world.operate(Operation::Log(next)).body["items"][0]["version"], 1);
}

// A-197
#[test]
pub fn what_would_limit_nothing_is_refused_by_its_name() {
    let mut world = World::new();
    let mut put = |scope: &Scope, rules: serde_json::Value| {
        let told = world.operate(Operation::PutPolicy(scope.clone(), rules.to_string()));
        let detail = told.body["detail"].as_str().unwrap_or_default().to_owned();
        (told.status, detail.split(' ').next().unwrap_or_default().to_owned())
    };
    let (agent, all) = (Scope::Agent("buyer".into()), Scope::Organization);
    let wrong = |name: &str| (400, format!("{name}:"));
    assert_eq!(put(&agent, json!({"payoutsPerDay": "1"})), wrong("payoutsPerDay"));
    assert_eq!(put(&all, json!({"payoutsPerDay": "1"})).0, 200);
    for scope in [&agent, &all] {
        let told = put(scope, json!({"perDay": {"USDC": "1", "USDX": "1"}}));
        assert_eq!(told, wrong("perDay"));
        assert_eq!(put(scope, json!({"reviewAbove": {"usdc": "1"}})), wrong("reviewAbove"));
        assert_eq!(put(scope, json!({"perDay": {"USDC": "1"}, "assets": ["USDX"]})).0, 200);
    }
    // A list says which parameters it has.
    let read = |query: &str| Listing::read(query, &["agent"]).map_err(|reply| reply.status);
    assert_eq!(read("agent=buyer&limit=3&").map(|it| it.agent), Ok(Some("buyer".to_owned())));
    for query in ["agents=buyer", "outcome=deny", "limit=3&agent_id=x", "x"] {
        assert_eq!(read(query).map(|_| ()), Err(400), "{query}");
    }
}

// A-689
#[test]
pub fn a_state_that_no_row_can_have_is_refused_by_its_name() {
    let mut world = World::new();
    world.buy(&keyed("10000", "a"));
    let lists = [
        (Operation::Reviews as fn(Listing) -> Operation, "open", "pending"),
        (Operation::Decisions, "deny", "review"),
        (|listing| Operation::Export(listing, "jsonl".to_owned()), "deny", "denied"),
        (Operation::Payouts, "sent", "allow"),
        (Operation::Audit, "void", "allow"),
    ];
    let of = |name: &str| Listing { outcome: Some(name.to_owned()), ..Listing::default() };
    for (list, known, other) in lists {
        assert_eq!(world.operate(list(of(known))).status, 200, "{known}");
        for unknown in [other, "", "Open"] {
            let told = world.operate(list(of(unknown)));
            assert_eq!((told.status, told.text("code")), (400, "invalid_query"), "{unknown}");
            assert!(told.text("detail").contains(known), "{}", told.text);
        }
    }
    // Of two values one would limit nothing.
    let read = |query: &str| {
        let read = Listing::read(query, &["agent", "state", "outcome"]);
        read.map(|it| it.outcome).map_err(|reply| reply.status)
    };
    assert_eq!(read("state=open&agent=buyer"), Ok(Some("open".to_owned())));
    for query in ["state=open&outcome=deny", "outcome=deny&outcome=allow", "agent=a&agent=b"] {
        assert_eq!(read(query), Err(400), "{query}");
    }
}

#[test]
fn a_bootstrap_key_is_shown_once_and_serves_its_agent() {
    let mut world = World::new();
    world.operate(Operation::PutAgent("third".into()));
    let issued = world.operate(Operation::IssueKey("third".into()));
    assert_eq!(issued.status, 201);
    let key = issued.text("bootstrapKey").to_owned();
    assert_eq!(world.reply(Command::Exchange(caller(&key))).status, 201);
    let listed = world.operate(Operation::Keys("third".into()));
    assert_eq!(listed.body["items"][0]["id"], issued.body["id"]);
    assert!(!listed.text.contains(key.rsplit('_').next().unwrap()));
    assert_eq!(
        world.operate(Operation::Tokens("third".into())).body["items"].as_array().unwrap().len(),
        1
    );
    assert_eq!(world.operate(Operation::PutAgent("Not A Name".into())).status, 400);
    assert_eq!(world.operate(Operation::IssueKey("nobody-here".into())).status, 404);
}

#[test]
fn decisions_are_listed_newest_first_by_pages_and_exported() {
    let mut world = World::new();
    for key in ["a", "b", "c"] {
        world.now += 1;
        world.buy(&keyed("10000", key));
    }
    world.now += 1;
    world.told(&keyed("9000000", "=cmd"));
    let first = world
        .operate(Operation::Decisions(Listing { limit: Some("3".into()), ..Listing::default() }));
    let keys = |told: &super::world::Told| -> Vec<String> {
        let items = told.body["items"].as_array().unwrap();
        items.iter().map(|item| item["idempotencyKey"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(&first), ["=cmd", "c", "b"]);
    let rest =
        Listing { cursor: first.body["cursor"].as_str().map(Into::into), ..Listing::default() };
    assert_eq!(keys(&world.operate(Operation::Decisions(rest))), ["a"]);
    let denied = Listing { outcome: Some("deny".into()), ..Listing::default() };
    assert_eq!(keys(&world.operate(Operation::Decisions(denied))), ["=cmd"]);
    let csv = world.operate(Operation::Export(Listing::default(), "csv".into()));
    assert_eq!(csv.text.lines().count(), 5);
    assert!(csv.text.lines().nth(2).unwrap().contains(
        ",allow,policy_allow,POST,https://merchant.example.com/v1/generate,$0.01,USDC,signed,"
    ));
    let lines = world.operate(Operation::Export(Listing::default(), "jsonl".into()));
    assert_eq!(lines.text.lines().count(), 4);
    assert_eq!(world.operate(Operation::Export(Listing::default(), "xml".into())).status, 400);
    assert_eq!(
        world
            .operate(Operation::Decisions(Listing {
                limit: Some("0".into()),
                ..Listing::default()
            }))
            .status,
        400
    );
    let metrics = world.operate(Operation::Metrics);
    assert!(
        metrics.text.contains(
            "farebox_treasury_decisions{outcome=\"allow\",reason_code=\"policy_allow\"} 3"
        )
    );
}

#[test]
fn one_decision_is_told_with_its_attempt_and_receipt() {
    let mut world = World::new();
    let paid = world.buy(&keyed("10000", "a"));
    let told = world.operate(Operation::Decision(paid.text("paidRequestId").to_owned()));
    assert_eq!(told.body["decision"], paid.body);
    assert_eq!(told.body["receipt"], paid.body["receipt"]);
    assert_eq!(told.body["attempt"]["money"], "signed");
    assert_eq!(world.operate(Operation::Decision("none".into())).status, 404);
    assert_eq!(world.operate(Operation::Overview).body["environment"], "test");
    assert_eq!(world.operate(Operation::Agents).body["items"][0]["name"], "buyer");
    let token = world.token(BUYER_KEY);
    assert!(!world.operate(Operation::Overview).text.contains(&token));
    let order = world.order(&keyed("10000", "z"));
    assert_eq!(world.answered(&order, settled(200, "")).status, 201);
}
