//! Approvals of which nothing was signed: what gives them back, what uses them up, and until when a person
//! changes their mind.

use farebox_core::treasury::message::{Answer, Command, Listing, Operation, Preparation};
use farebox_core::treasury::row::Scope;
use serde_json::json;

use super::reviews::{asked, states, with_node};
use super::world::{BUYER_KEY, TESTER_KEY, World, account, keyed, payer, settled, variables};

fn prepared(asked: &Preparation, signature: Option<&str>) -> Command {
    Command::Prepared {
        attempt: asked.attempt.clone(),
        fence: asked.fence,
        signature: signature.map(Into::into),
        balance: None,
    }
}

// A-687, A-752
#[test]
pub fn a_budget_that_is_full_for_a_while_uses_no_approval_up() {
    let mut world = World::under(json!({
        "allowedOrigins": ["https://merchant.example.com"],
        "reviewAbove": {"USDC": "0.05"},
        "perHour": "0.10",
    }));
    let body = keyed("75000", "k");
    let (first, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review.clone()));
    // Another agent spends what the organization may spend in this hour.
    let mut others = keyed("40000", "o");
    others["context"]["agent"] = json!("tester");
    assert!(matches!(world.ask(TESTER_KEY, &others), Answer::Send(_)));
    let kept = (world.rows.decisions.clone(), world.rows.reviews.clone());
    for _ in 0..3 {
        let told = world.told(&body);
        assert_eq!(told.outcome(), ("deny", "policy_denied"));
        assert!(told.reason().contains("hourly budget of $0.10 exceeded"), "{}", told.reason());
        assert_eq!(told.text("paidRequestId"), first.text("paidRequestId"));
        assert_eq!(told.text("policyReviewEventId"), review);
        assert!(told.headers.iter().any(|(name, _)| name == "farebox-figures"));
        assert_eq!((world.rows.decisions.clone(), world.rows.reviews.clone()), kept);
    }
    let full = world.rows.outbox.iter().filter(|it| it.kind == "budget.exhausted");
    assert_eq!(full.count(), 1);
    world.now += 3_600;
    let paid = world.buy(&body);
    assert_eq!(paid.text("paidRequestId"), first.text("paidRequestId"));
    assert_eq!(states(&mut world, None), ["used"]);
    assert_eq!(world.told(&body).text, paid.text);
}

/// A world whose signer is another Worker.
fn with_signer() -> World {
    let mut variables = variables();
    variables["bindings"] = json!(["SIGNER"]);
    variables["ORGANIZATIONS"][0]["policy"]["reviewAbove"] = json!({"USDC": "0.05"});
    let address = payer();
    variables["WALLETS"][0] = json!({"name": "main", "networks": ["base-sepolia"], "signer": "SIGNER", "address": address});
    World::of(&variables)
}

// A-687
#[test]
pub fn a_signer_that_says_nothing_for_a_while_uses_no_approval_up() {
    let mut world = with_signer();
    let body = keyed("75000", "k");
    let (first, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review.clone()));
    for _ in 0..3 {
        let Answer::Prepare(asked) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
        let told = world.reply(prepared(&asked, None));
        assert_eq!(told.outcome(), ("preflight_failed", "preflight_incompatible"));
        assert_eq!(told.text("paidRequestId"), first.text("paidRequestId"));
        assert_eq!(told.text("policyReviewEventId"), review);
        assert_eq!(states(&mut world, None), ["approved"]);
        assert!(world.rows.attempts.is_empty() && world.rows.parcels.is_empty());
    }
    // Whoever runs it hears of it, once a day.
    let told =
        |world: &World| world.rows.outbox.iter().filter(|it| it.kind == "wallet.unsigned").count();
    assert_eq!(told(&world), 1);
    // What it has signed is another payment: nobody asks it for that again.
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    let other = account().sign(&[7; 32]).unwrap().to_bytes();
    let other = farebox_core::encoding::hex::encode_prefixed(&other);
    let told = world.reply(prepared(&asked, Some(&other)));
    assert_eq!(told.outcome(), ("preflight_failed", "preflight_incompatible"));
    assert_eq!(states(&mut world, None), ["used"]);
}

// A-687
#[test]
pub fn a_token_that_ends_while_a_payment_is_prepared_uses_no_approval_up() {
    let mut world = with_node();
    let body = keyed("75000", "k");
    let (first, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review));
    let Answer::Prepare(begun) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    world.now += 3_600;
    // The agent has its next token already.
    world.token(BUYER_KEY);
    let told = world.reply(prepared(&begun, None));
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    assert_eq!(states(&mut world, None), ["approved"]);
    assert!(world.rows.attempts.is_empty());
    let Answer::Prepare(begun) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    let Answer::Send(order) = world.send(prepared(&begun, None)) else { panic!("is not sent") };
    let paid = world.answered(&order, settled(200, ""));
    assert_eq!(paid.text("paidRequestId"), first.text("paidRequestId"));
    assert_eq!(states(&mut world, None), ["used"]);
}

// A-687
#[test]
pub fn a_budget_that_fills_up_while_a_payment_is_prepared_uses_no_approval_up() {
    let mut world = with_node();
    let rules = r#"{"allowedOrigins": ["https://merchant.example.com"], "reviewAbove": {"USDC": "0.05"}, "perHour": "0.10"}"#;
    world.operate(Operation::PutPolicy(Scope::Organization, rules.into()));
    // What is counted in one hour may be signed in the next one.
    world.now += 7_195 - world.now % 3_600;
    let body = keyed("75000", "k");
    let (first, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review));
    let Answer::Prepare(begun) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    world.now += 10;
    let mut others = keyed("40000", "o");
    others["context"]["agent"] = json!("tester");
    let Answer::Prepare(other) = world.ask(TESTER_KEY, &others) else { panic!("nothing begins") };
    assert!(matches!(world.send(prepared(&other, None)), Answer::Send(_)));
    let told = world.reply(prepared(&begun, None));
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    assert!(told.reason().contains("hourly budget of $0.10 exceeded"), "{}", told.reason());
    assert!(told.headers.iter().any(|(name, _)| name == "farebox-figures"));
    let full = world.rows.outbox.iter().filter(|it| it.kind == "budget.exhausted");
    assert_eq!(full.count(), 1);
    assert_eq!(states(&mut world, None), ["approved"]);
    world.now += 3_600;
    let Answer::Prepare(begun) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    let Answer::Send(order) = world.send(prepared(&begun, None)) else { panic!("is not sent") };
    let paid = world.answered(&order, settled(200, ""));
    assert_eq!(paid.text("paidRequestId"), first.text("paidRequestId"));
}

// A-687
#[test]
pub fn an_approval_that_ends_while_its_payment_is_prepared_is_asked_for_again() {
    // The signer is silent, or its Worker is lost.
    for is_lost in [false, true] {
        let mut world = with_signer();
        let body = keyed("75000", "k");
        let (first, review) = asked(&mut world, &body);
        world.operate(Operation::Approve(review));
        world.now += 86_395;
        let Answer::Prepare(begun) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
        world.now += if is_lost { 60 } else { 10 };
        if is_lost {
            assert!(world.alarm().is_empty());
        } else {
            let told = world.reply(prepared(&begun, None));
            assert_eq!(told.outcome(), ("preflight_failed", "preflight_incompatible"));
        }
        assert_eq!(states(&mut world, None), ["expired"]);
        let told = world.told(&body);
        assert!(
            told.reason().contains("the approval ended before it was made"),
            "{}",
            told.reason()
        );
        let (again, _) = asked(&mut world, &body);
        assert_eq!(again.text("paidRequestId"), first.text("paidRequestId"));
        assert!(world.rows.attempts.values().all(|row| row.header.is_none()));
    }
}

// A-701
#[test]
pub fn what_is_prepared_for_an_agent_that_ends_gives_no_approval_back() {
    for comes_again in [false, true] {
        let mut world = with_node();
        let body = keyed("75000", "k");
        let (_, review) = asked(&mut world, &body);
        world.operate(Operation::Approve(review));
        assert!(matches!(world.ask(BUYER_KEY, &body), Answer::Prepare(_)));
        world.operate(Operation::DisableAgent("buyer".into()));
        if comes_again {
            world.operate(Operation::PutAgent("buyer".into()));
        }
        // Its Worker is lost.
        world.now += 60;
        assert!(world.alarm().is_empty());
        assert_eq!(states(&mut world, None), ["used"]);
        assert_eq!(world.rows.budgets["organization"].assets[0].month, "0");
    }
}

// A-717
#[test]
pub fn a_token_that_was_taken_back_after_its_end_gives_no_approval_back() {
    // The Worker is lost, and the alarm comes late or later.
    for late in [3_600, 4_000] {
        let mut world = with_node();
        let body = keyed("75000", "k");
        let (_, review) = asked(&mut world, &body);
        world.operate(Operation::Approve(review));
        assert!(matches!(world.ask(BUYER_KEY, &body), Answer::Prepare(_)));
        world.now += late;
        // The agent has its next token already.
        world.token(BUYER_KEY);
        world.operate(Operation::RevokeTokens("buyer".into()));
        assert!(world.alarm().is_empty());
        assert_eq!(states(&mut world, None), ["used"]);
    }
}

#[test]
fn what_is_withdrawn_while_a_payment_is_prepared_uses_its_approval_up() {
    let tokens = || Operation::RevokeTokens("buyer".into());
    let rules = || Operation::PutPolicy(Scope::Organization, r#"{"allowedOrigins": []}"#.into());
    for withdraw in [tokens as fn() -> Operation, rules] {
        let mut world = with_node();
        let body = keyed("75000", "k");
        let (_, review) = asked(&mut world, &body);
        world.operate(Operation::Approve(review));
        let Answer::Prepare(begun) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
        world.operate(withdraw());
        let told = world.reply(prepared(&begun, None));
        assert_eq!(told.outcome(), ("deny", "policy_denied"));
        assert_eq!(states(&mut world, None), ["used"]);
        assert_eq!(world.told(&body).text, told.text);
    }
}

/// The reviews of a list: the state of each, and whether its payment is being prepared.
fn preparing(world: &mut World) -> Vec<(String, bool)> {
    let told = world.operate(Operation::Reviews(Listing::default()));
    let items = told.body["items"].as_array().unwrap();
    let text = |item: &serde_json::Value| item["state"].as_str().unwrap().to_owned();
    items.iter().map(|item| (text(item), item["preparing"].as_bool().unwrap())).collect()
}

// A-688
#[test]
pub fn what_is_being_prepared_can_be_denied_until_it_is_signed() {
    let mut world = with_node();
    let body = keyed("75000", "k");
    let (first, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review.clone()));
    let Answer::Prepare(begun) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    assert_eq!(preparing(&mut world), [("used".into(), true)]);
    let denied = world.operate(Operation::Deny(review.clone()));
    assert_eq!((denied.status, denied.text("state")), (200, "denied"));
    assert_eq!(world.operate(Operation::Deny(review.clone())).status, 200);
    assert_eq!(world.operate(Operation::Approve(review)).status, 409);
    assert_eq!(world.rows.budgets["organization"].assets[0].month, "0");
    let told = world.reply(prepared(&begun, None));
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    assert!(told.reason().contains("a person has reviewed this payment and denied it"));
    assert_eq!(told.text("paidRequestId"), first.text("paidRequestId"));
    world.now += 60;
    assert!(world.alarm().is_empty());
    assert_eq!(states(&mut world, None), ["denied"]);
    assert_eq!(world.told(&body).text, told.text);
    // It ends like any other denial.
    world.now += 86_400;
    let (again, _) = asked(&mut world, &body);
    assert_eq!(again.text("paidRequestId"), first.text("paidRequestId"));
    assert!(world.rows.attempts.values().all(|row| row.header.is_none()));
}

#[test]
fn what_is_signed_is_denied_no_more() {
    let mut world = with_node();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review.clone()));
    let Answer::Prepare(begun) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    let Answer::Send(order) = world.send(prepared(&begun, None)) else { panic!("is not sent") };
    assert_eq!(preparing(&mut world), [("used".into(), false)]);
    let state = world.operate(Operation::Deny(review));
    assert_eq!((state.status, state.text("code")), (409, "review_is_over"));
    assert_eq!(world.answered(&order, settled(200, "")).outcome().0, "allow");
}

#[test]
fn a_review_that_another_payment_under_its_key_has_ended_stops_none() {
    let mut world = with_node();
    let (dear, cheap) = (keyed("75000", "k"), keyed("40000", "k"));
    let (_, review) = asked(&mut world, &dear);
    let Answer::Prepare(begun) = world.ask(BUYER_KEY, &cheap) else { panic!("nothing begins") };
    assert_eq!(world.operate(Operation::Deny(review)).status, 409);
    assert!(matches!(world.send(prepared(&begun, None)), Answer::Send(_)));
}
