//! Payments that a person has to look at.

use farebox_core::treasury::message::{Answer, Listing, Operation};
use serde_json::json;

use super::world::{BUYER_KEY, MERCHANT, Told, World, keyed, request, settled};

fn world() -> World {
    World::under(json!({
        "allowedOrigins": ["https://merchant.example.com"],
        "reviewAbove": {"USDC": "0.05"},
        "perMonth": "1.00",
    }))
}

fn asked(world: &mut World, body: &serde_json::Value) -> (Told, String) {
    let told = world.told(body);
    assert_eq!(told.outcome(), ("deny", "policy_review_required"));
    let review = told.text("policyReviewEventId").to_owned();
    (told, review)
}

#[test]
pub fn what_is_above_the_limit_waits_for_a_person_and_is_paid_once() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (told, review) = asked(&mut world, &body);
    assert_eq!(told.reason(), "Blocked by policy. Review event created for operator follow-up.");
    assert_eq!(world.told(&body).text, told.text);
    assert!(world.rows.attempts.is_empty());
    assert_eq!(world.operate(Operation::Approve(review.clone())).text("state"), "approved");
    let order = world.order(&body);
    let paid = world.answered(&order, settled(200, ""));
    assert_eq!(paid.text("paidRequestId"), told.text("paidRequestId"));
    assert_eq!(world.told(&body).text, paid.text);
    let (again, _) = asked(&mut world, &request("75000"));
    assert_ne!(again.text("paidRequestId"), told.text("paidRequestId"));
    let state = world.operate(Operation::Deny(review));
    assert_eq!((state.status, state.text("code")), (409, "review_is_over"));
    assert_eq!(world.rows.attempts.len(), 1);
}

#[test]
pub fn an_approval_without_a_key_holds_for_the_same_request_alone() {
    let mut world = world();
    let body = request("75000");
    let (_, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review));
    let mut other = request("75000");
    other["request"]["url"] = json!(format!("{MERCHANT}?other"));
    asked(&mut world, &other);
    assert!(matches!(world.ask(BUYER_KEY, &body), Answer::Send(_)));
}

#[test]
pub fn an_approval_holds_for_its_terms_alone() {
    let mut world = world();
    let (told, review) = asked(&mut world, &keyed("75000", "k"));
    world.operate(Operation::Approve(review.clone()));
    let (again, other) = asked(&mut world, &keyed("80000", "k"));
    assert_eq!(again.text("paidRequestId"), told.text("paidRequestId"));
    assert_ne!(other, review);
    let open = Listing { outcome: Some("open".into()), ..Listing::default() };
    let open = world.operate(Operation::Reviews(open));
    assert_eq!(open.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(open.body["items"][0]["id"], json!(other));
}

#[test]
pub fn a_denial_is_final() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    world.operate(Operation::Deny(review.clone()));
    let told = world.told(&body);
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    assert_eq!(world.operate(Operation::Approve(review)).status, 409);
    assert_eq!(world.told(&body).text, told.text);
}

#[test]
pub fn an_approval_ends() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review));
    world.now += 86_400;
    let told = world.told(&body);
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    assert!(world.rows.attempts.is_empty());
    let (_, review) = asked(&mut world, &request("75000"));
    world.now += 86_400;
    let (_, other) = asked(&mut world, &request("75000"));
    assert_ne!(review, other);
}

#[test]
pub fn rules_and_budgets_are_judged_again_when_an_approved_payment_is_made() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    for turn in 0..20 {
        world.buy(&keyed("50000", &format!("n{turn}")));
    }
    world.operate(Operation::Approve(review));
    let told = world.told(&body);
    assert_eq!(
        told.reason(),
        "Policy denied: workspace monthly budget of $1.00 exceeded. Current spend: $1.00. Requested: $0.075."
    );
}
