//! Denials cost an agent nothing, so that what they write is bounded.

use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{Answer, Command, Listing, Operation, Order};
use farebox_core::treasury::row::Money;
use serde_json::{Value, json};

use super::world::{
    BUYER_KEY, MERCHANT, TESTER_KEY, World, accept, keyed, plain, request, settled, terms,
};

#[test]
pub fn equal_denials_of_a_day_without_a_key_are_one() {
    let mut world = World::new();
    let first = world.told(&request("9000000"));
    assert_eq!(first.outcome(), ("deny", "policy_denied"));
    world.now += 3600;
    for _ in 0..3 {
        assert_eq!(world.told(&request("9000000")).text, first.text);
    }
    let mut elsewhere = request("9000000");
    elsewhere["request"]["url"] = json!(format!("{MERCHANT}?x=2"));
    let others = [elsewhere, request("8000000"), keyed("9000000", "a"), keyed("9000000", "b")];
    for (number, other) in others.iter().enumerate() {
        assert_ne!(world.told(other).text("paidRequestId"), first.text("paidRequestId"));
        assert_eq!(world.rows.decisions.len(), number + 2);
    }
    world.now += 86_400;
    assert_ne!(world.told(&request("9000000")).text("paidRequestId"), first.text("paidRequestId"));
    let listed = world.operate(Operation::Decisions(Listing::default()));
    let times: Vec<u64> = listed.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["paidRequestId"] == first.body["paidRequestId"])
        .map(|item| item["times"].as_u64().unwrap())
        .collect();
    assert_eq!(times, [4]);
    let metrics = world.operate(Operation::Metrics).text;
    assert!(metrics.contains(r#"{outcome="deny",reason_code="policy_denied"} 9"#), "{metrics}");
}

#[test]
fn what_was_denied_without_a_key_is_judged_anew() {
    let mut world = World::new();
    world.buy(&keyed("4950000", "a"));
    let denied = world.told(&request("100000"));
    assert_eq!(denied.outcome().0, "deny");
    world.now += 31 * 86_400;
    assert_eq!(world.buy(&request("100000")).outcome().0, "allow");
}

#[test]
pub fn an_agent_has_at_most_1000_denials_of_a_day_kept() {
    let mut world = World::new();
    let token = world.token(BUYER_KEY);
    let ask = |world: &mut World, body: &Value| {
        world.send(Command::Decide(super::world::caller(&token), body.to_string()))
    };
    for number in 0..999 {
        ask(&mut world, &keyed("9000000", &format!("n{number}")));
    }
    for _ in 0..3 {
        let Answer::Reply(reply) = ask(&mut world, &request("9000000")) else { panic!("is paid") };
        assert_eq!(reply.status, 201);
    }
    for number in 0..3 {
        let Answer::Reply(reply) = ask(&mut world, &keyed("9000000", &format!("more{number}")))
        else {
            panic!("is paid")
        };
        assert!(reply.body.contains("monthly budget of $5.00 exceeded"), "{}", reply.body);
    }
    assert_eq!(world.rows.decisions.len(), 1000);
    // What is allowed is paid, and other agents have days of their own.
    assert!(matches!(ask(&mut world, &keyed("10000", "allowed")), Answer::Send(_)));
    let mut tester = keyed("9000000", "k");
    tester["context"]["agent"] = json!("tester");
    world.ask(TESTER_KEY, &tester);
    assert_eq!(world.rows.decisions.len(), 1002);
    world.now += 86_400;
    world.told(&keyed("9000000", "tomorrow"));
    assert_eq!(world.rows.decisions.len(), 1003);
}

#[test]
fn a_review_beyond_the_denials_that_are_kept_is_told_so() {
    let mut world = World::under(json!({
        "allowedOrigins": ["https://merchant.example.com"],
        "reviewAbove": {"USDC": "0.05"},
    }));
    world.told(&keyed("75000", "a"));
    world.rows.agents.get_mut("buyer").unwrap().denied = 1000;
    let told = world.told(&keyed("75000", "b"));
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    assert!(told.reason().contains("denied or reviewed today"), "{}", told.reason());
    assert_eq!((world.rows.reviews.len(), world.rows.decisions.len()), (1, 1));
    world.now += 86_400;
    assert_eq!(world.told(&keyed("75000", "b")).outcome().1, "policy_review_required");
}

/// A treasury that may spend the price of one payment in this window, on Apr 1 at ten seconds past
/// midnight.
fn bounded(rule: &str) -> World {
    let mut policy = json!({"allowedOrigins": ["https://merchant.example.com"]});
    policy[rule] = json!({"USDC": "0.02"});
    let mut world = World::under(policy);
    world.now = 1_775_001_610;
    world
}

/// Whether a payment under this key begins.
fn buys(world: &mut World, key: &str) -> bool {
    matches!(world.ask(BUYER_KEY, &keyed("20000", key)), Answer::Send(_))
}

// A-492
#[test]
pub fn a_clock_that_ran_ahead_locks_no_budget_once_it_is_right_again() {
    for rule in ["perHour", "perDay", "perMonth"] {
        let mut world = bounded(rule);
        world.now += 100 * 86_400;
        assert_eq!([buys(&mut world, "a"), buys(&mut world, "b")], [true, false], "{rule}");
        world.now -= 100 * 86_400;
        assert_eq!([buys(&mut world, "c"), buys(&mut world, "d")], [true, false], "{rule}");
        // So are the denials of a day counted anew.
        assert_eq!(world.rows.agents["buyer"].denied, 1, "{rule}");
    }
}

// A-492
#[test]
pub fn a_clock_that_is_set_back_begins_no_hour_day_or_month() {
    for rule in ["perHour", "perDay", "perMonth"] {
        let mut world = bounded(rule);
        assert!(buys(&mut world, "a"), "{rule}");
        world.now -= 20;
        assert!(!buys(&mut world, "back"), "{rule}");
        world.now += 20;
        assert!(!buys(&mut world, "forth"), "{rule}");
        world.now += 30 * 86_400;
        assert!(buys(&mut world, "next"), "{rule}");
    }
}

#[test]
fn a_wallet_that_is_short_keeps_no_more_than_denials() {
    let mut world = World::with_node();
    for number in 0..1003 {
        let body = keyed("10000", &format!("n{number}"));
        let Answer::Prepare(asked) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
        let (attempt, fence) = (asked.attempt, asked.fence);
        let balance = Some(format!(r#"[{{"jsonrpc":"2.0","id":1,"result":"0x{:064x}"}}]"#, 7));
        let told = world.reply(Command::Prepared { attempt, fence, signature: None, balance });
        assert_eq!(told.outcome().0, "preflight_failed");
    }
    assert_eq!((world.rows.decisions.len(), world.rows.parcels.len()), (1000, 0));
    assert_eq!(world.rows.budgets["organization"].assets[0].month, "0");
}

#[test]
fn reviews_of_ever_other_terms_are_bounded_too() {
    let mut world = World::under(json!({
        "allowedOrigins": ["https://merchant.example.com"], "reviewAbove": {"USDC": "0.00"},
    }));
    for amount in 1..1010 {
        let mut body = keyed("1", "k");
        body["challenge"]["headers"]["payment-required"] =
            json!(terms(&[accept(&amount.to_string())]));
        world.told(&body);
    }
    assert!(world.rows.reviews.len() <= 1000, "{}", world.rows.reviews.len());
}

/// Begins a payment of the buyer that its merchant refuses.
fn refuse(world: &mut World, key: &str) -> Order {
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, &keyed("1", key)) else { panic!("{key}") };
    let (attempt, fence) = (asked.attempt, asked.fence);
    let prepared = Command::Prepared { attempt, fence, signature: None, balance: None };
    let Answer::Send(order) = world.send(prepared) else { panic!("{key} is not sent") };
    assert_eq!(world.answered(&order, plain(404, "no")).outcome().0, "execution_failed");
    *order
}

/// Has the chain show that a payment has ended unused.
fn end(world: &mut World, order: &Order) {
    let row = &world.rows.attempts[&order.attempt];
    let (until, fence) = (row.valid_before + 200, row.fence);
    world.now = world.now.max(until);
    let safe_time = Some(UnixTime::from_secs(world.now));
    world.read(&order.attempt, fence, &Finding::Unused { safe_time });
    assert_eq!(world.rows.attempts[&order.attempt].money, Money::Void);
}

fn unmoved(world: &World) -> u32 {
    world.rows.agents["buyer"].unmoved
}

// A-580
#[test]
pub fn an_agent_begins_no_payment_on_a_day_of_which_5000_never_moved() {
    let mut world = World::with_node();
    let first = refuse(&mut world, "first");
    end(&mut world, &first);
    assert_eq!(unmoved(&world), 1);
    if let Some(agent) = world.rows.agents.get_mut("buyer") {
        agent.unmoved = 4_999;
    }
    let last = refuse(&mut world, "last");
    let open = refuse(&mut world, "open");
    end(&mut world, &last);
    let told = world.told(&keyed("1", "over"));
    assert_eq!((told.status, told.text("code")), (429, "too_many_unmoved_payments"));
    let tomorrow = 86_400 - world.now % 86_400;
    let wait = ("retry-after".to_owned(), tomorrow.to_string());
    assert!(told.headers.contains(&wait), "{:?}", told.headers);
    assert_eq!(world.rows.attempts.len(), 3);
    // What is open has its answer, and another agent pays.
    assert_eq!(world.told(&keyed("1", "open")).outcome().0, "execution_failed");
    assert!(world.rows.attempts.contains_key(&open.attempt));
    let mut tester = keyed("1", "k");
    tester["context"]["agent"] = json!("tester");
    assert!(matches!(world.ask(TESTER_KEY, &tester), Answer::Prepare(_)));
    world.now += tomorrow - 1;
    assert_eq!(world.told(&keyed("1", "over")).status, 429);
    world.now += 1;
    assert!(matches!(world.ask(BUYER_KEY, &keyed("1", "over")), Answer::Prepare(_)));
}

#[test]
fn what_was_never_sent_and_what_no_node_shows_counts_among_what_never_moved() {
    let mut world = World::with_node();
    for key in ["a", "b"] {
        assert!(matches!(world.ask(BUYER_KEY, &keyed("1", key)), Answer::Prepare(_)));
    }
    world.now += 21;
    world.alarm();
    assert_eq!(unmoved(&world), 2);
    let mut world = World::new();
    for key in ["a", "b", "paid"] {
        let order = world.order(&keyed("1", key));
        world.answered(&order, if key == "paid" { settled(200, "") } else { plain(404, "no") });
    }
    world.now += 3_600;
    world.alarm();
    assert_eq!(unmoved(&world), 2);
}

// A-584
#[test]
pub fn equal_denials_take_no_place_of_a_review() {
    let mut world = World::under(json!({
        "allowedOrigins": ["https://merchant.example.com"],
        "reviewAbove": {"USDC": "0.05"}, "perPayment": {"USDC": "1.00"},
    }));
    for _ in 0..1_100 {
        assert_eq!(world.told(&request("9000000")).outcome(), ("deny", "policy_denied"));
    }
    assert_eq!(world.told(&keyed("75000", "k")).outcome().1, "policy_review_required");
    assert_eq!(world.rows.agents["buyer"].denied, 2);
}
