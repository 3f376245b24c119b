//! Payments that a person has to look at.

use farebox_core::treasury::message::{Answer, Command, Listing, Operation, Preparation};
use farebox_core::treasury::row::Scope;
use serde_json::json;

use super::world::{
    BUYER_KEY, MERCHANT, Told, World, accept, keyed, proven, request, settled, terms, variables,
};

fn world() -> World {
    World::under(json!({
        "allowedOrigins": ["https://merchant.example.com"],
        "reviewAbove": {"USDC": "0.05"},
        "perMonth": "1.00",
    }))
}

pub fn asked(world: &mut World, body: &serde_json::Value) -> (Told, String) {
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

// A-280
#[test]
pub fn what_was_approved_for_an_agent_that_was_ended_is_not_paid() {
    let mut world = world();
    let (approved, mut open) = (request("75000"), request("75000"));
    open["request"]["url"] = json!(format!("{MERCHANT}?other"));
    let (_, review) = asked(&mut world, &approved);
    world.operate(Operation::Approve(review));
    asked(&mut world, &open);
    world.operate(Operation::DisableAgent("buyer".into()));
    assert_eq!(states(&mut world, None), ["denied", "denied"]);
    world.operate(Operation::PutAgent("buyer".into()));
    let issued = world.operate(Operation::IssueKey("buyer".into()));
    let key = issued.text("bootstrapKey").to_owned();
    // Whoever holds the new key asks anew, and a person sees it.
    assert!(!matches!(world.ask(&key, &approved), Answer::Send(_)));
    assert_eq!(states(&mut world, Some("open")).len(), 1);
    assert!(world.rows.attempts.is_empty());
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

// A-112
#[test]
pub fn an_approval_covers_what_is_sent() {
    let mut world = world();
    let (body, keyed) = (request("75000"), keyed("75000", "k"));
    let (first, review) = asked(&mut world, &body);
    let (_, of_key) = asked(&mut world, &keyed);
    world.operate(Operation::Approve(review.clone()));
    world.operate(Operation::Approve(of_key));
    let with = |body: &serde_json::Value| {
        let mut body = body.clone();
        body["request"]["headers"]["x-ship-to"] = json!("elsewhere");
        body
    };
    let (other, second) = asked(&mut world, &with(&body));
    assert_ne!((other.text("paidRequestId"), &second), (first.text("paidRequestId"), &review));
    let told = world.told(&with(&keyed));
    assert_eq!((told.status, told.text("code")), (409, "idempotency_key_conflict"));
    let mut longer = keyed.clone();
    let mut entry = accept("75000");
    entry["maxTimeoutSeconds"] = json!(3600);
    longer["challenge"]["headers"]["payment-required"] = json!(terms(&[entry]));
    asked(&mut world, &longer);
    assert!(world.rows.attempts.is_empty());
    let mut same = body.clone();
    same["request"]["headers"] = json!({"Content-Type": "application/json", "cookie": "a=b"});
    let order = world.order(&same);
    assert_eq!(world.rows.attempts[&order.attempt].decision, first.text("paidRequestId"));
}

// A-747
#[test]
pub fn an_approval_is_of_the_url_to_which_its_purchase_was_redirected() {
    let mut world = world();
    let to = |page: &str, key: Option<&str>| {
        let mut body = key.map_or_else(|| request("75000"), |key| keyed("75000", key));
        body["request"]["askedUrl"] = json!(MERCHANT);
        body["request"]["url"] = json!(format!("{MERCHANT}/{page}"));
        body
    };
    let (_, review) = asked(&mut world, &to("1", None));
    let (_, of_key) = asked(&mut world, &to("1", Some("k")));
    world.operate(Operation::Approve(review));
    world.operate(Operation::Approve(of_key));
    asked(&mut world, &to("2", None));
    let told = world.told(&to("2", Some("k")));
    assert_eq!((told.status, told.text("code")), (409, "idempotency_key_conflict"));
    assert!(world.rows.attempts.is_empty());
    for key in [None, Some("k")] {
        assert_eq!(world.order(&to("1", key)).url, format!("{MERCHANT}/1"));
    }
}

#[test]
pub fn a_reviewer_sees_what_would_be_sent() {
    let mut world = world();
    let mut body = request("75000");
    body["request"]["headers"]["x-long"] = json!("v".repeat(5000));
    body["request"]["body"] = json!("\u{e4}".repeat(3000));
    asked(&mut world, &body);
    let told = world.operate(Operation::Reviews(Listing::default()));
    let item = &told.body["items"][0];
    assert_eq!(item["requestMethod"], json!("POST"));
    assert_eq!(item["requestHeaders"], json!({"content-type": "application/json"}));
    assert_eq!(item["requestHeadersCutBytes"], json!(5006));
    assert_eq!(item["requestBody"], json!("\u{e4}".repeat(2048)));
    assert_eq!(item["requestBodyCutBytes"], json!(6000 - 4096));
    assert_eq!(item["maxTimeoutSeconds"], json!(60));
}

/// A world that asks a node before it signs, so that a payment can be lost before that.
pub fn with_node() -> World {
    let mut variables = variables();
    variables["RPC_URL"] = json!("https://node.example.com");
    variables["ORGANIZATIONS"][0]["policy"]["reviewAbove"] = json!({"USDC": "0.05"});
    World::of(&variables)
}

#[test]
pub fn an_approval_serves_again_if_its_payment_was_lost_before_it_was_signed() {
    let mut world = with_node();
    let body = keyed("75000", "k");
    let (told, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review));
    let Answer::Prepare(lost) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    world.now += 60;
    assert!(world.alarm().is_empty());
    assert_eq!(states(&mut world, None), ["approved"]);
    assert_eq!(world.rows.budgets["organization"].assets[0].month, "0");
    let Answer::Prepare(begun) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    let prepared = |it: &Preparation| Command::Prepared {
        attempt: it.attempt.clone(),
        fence: it.fence,
        signature: None,
        balance: None,
    };
    assert!(matches!(world.send(prepared(&lost)), Answer::Reply(_)));
    let Answer::Send(order) = world.send(prepared(&begun)) else { panic!("nothing is sent") };
    let paid = world.answered(&order, settled(200, ""));
    assert_eq!(paid.text("paidRequestId"), told.text("paidRequestId"));
    assert_eq!(states(&mut world, None), ["used"]);
    assert_eq!(world.told(&body).text, paid.text);
    let signed = world.rows.attempts.values().filter(|row| row.header.is_some());
    assert_eq!(signed.count(), 1);
}

#[test]
fn a_review_that_nobody_approved_approves_nothing_when_another_payment_under_its_key_is_lost() {
    let mut world = with_node();
    let (dear, cheap) = (keyed("75000", "k"), keyed("40000", "k"));
    asked(&mut world, &dear);
    let Answer::Prepare(_) = world.ask(BUYER_KEY, &cheap) else { panic!("nothing begins") };
    world.now += 60;
    assert!(world.alarm().is_empty());
    assert_eq!(states(&mut world, None), ["expired"]);
    for body in [&dear, &cheap] {
        assert_eq!(world.told(body).text("outcome"), "execution_failed");
    }
}

#[test]
fn an_approval_that_has_ended_does_not_serve_again() {
    let mut world = with_node();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review));
    world.now += 86_400 - 30;
    let Answer::Prepare(_) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    world.now += 60;
    assert!(world.alarm().is_empty());
    assert_eq!(states(&mut world, None), ["expired"]);
    assert_eq!(world.told(&body).outcome(), ("deny", "policy_denied"));
    asked(&mut world, &body);
}

#[test]
fn an_approval_is_used_up_by_a_signature_even_if_the_payment_never_left() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review));
    let order = world.order(&body);
    let (attempt, fence) = (order.attempt, order.fence);
    let told = world.reply(Command::Lost { attempt, fence, sent: false });
    assert_eq!(told.text("outcome"), "execution_failed");
    assert_eq!(states(&mut world, None), ["used"]);
    assert_eq!(world.told(&body).text, told.text);
}

#[test]
pub fn a_refusal_ends_the_approval_of_its_payment() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review));
    world.operate(Operation::PutPolicy(Scope::Organization, "{}".into()));
    assert_eq!(world.told(&body).outcome(), ("deny", "policy_denied"));
    assert_eq!(states(&mut world, None), ["expired"]);
}

#[test]
pub fn a_merchant_that_talks_nonsense_for_a_while_ends_no_review() {
    let mut elsewhere = accept("75000");
    elsewhere["network"] = json!("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp");
    for nonsense in [json!("%%%"), json!(terms(&[])), json!(terms(&[elsewhere]))] {
        let mut world = world();
        let body = keyed("75000", "k");
        let mut garbled = body.clone();
        garbled["challenge"]["headers"]["payment-required"] = nonsense;
        let (told, review) = asked(&mut world, &body);
        for state in ["open", "approved"] {
            let before = world.rows.decisions.clone();
            let denied = world.told(&garbled);
            assert_eq!((denied.status, denied.outcome().0), (201, "deny"), "{}", denied.text);
            assert!(denied.outcome().1.starts_with("challenge_"), "{}", denied.text);
            assert_eq!(denied.text("paidRequestId"), told.text("paidRequestId"));
            assert_eq!(world.rows.decisions, before);
            assert_eq!(states(&mut world, None), [state]);
            world.operate(Operation::Approve(review.clone()));
        }
        let paid = world.buy(&body);
        assert_eq!(paid.text("paidRequestId"), told.text("paidRequestId"));
        assert_eq!(world.told(&garbled).text, paid.text);
    }
}

#[test]
fn nonsense_after_the_end_of_a_review_ends_its_decision() {
    let mut world = world();
    let body = keyed("75000", "k");
    let mut garbled = body.clone();
    garbled["challenge"]["headers"]["payment-required"] = json!("%%%");
    asked(&mut world, &body);
    let mut other = garbled.clone();
    other["request"]["headers"]["x-ship-to"] = json!("elsewhere");
    assert_eq!(world.told(&other).text("code"), "idempotency_key_conflict");
    world.now += 86_400;
    let ended = world.told(&garbled);
    assert_eq!(ended.outcome(), ("deny", "challenge_candidate_malformed"));
    assert_eq!(world.told(&body).text, ended.text);
    assert_eq!(world.rows.decisions.len(), 1);
}

/// The states of the reviews in a list.
pub fn states(world: &mut World, outcome: Option<&str>) -> Vec<String> {
    let outcome = outcome.map(Into::into);
    let told = world.operate(Operation::Reviews(Listing { outcome, ..Listing::default() }));
    let items = told.body["items"].as_array().unwrap();
    items.iter().map(|item| item["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
pub fn the_time_of_a_review_ends_in_lists_too() {
    let mut world = world();
    asked(&mut world, &keyed("75000", "a"));
    let (_, review) = asked(&mut world, &keyed("75000", "b"));
    world.operate(Operation::Approve(review));
    world.now += 86_399;
    asked(&mut world, &keyed("75000", "c"));
    assert_eq!(states(&mut world, Some("open")).len(), 2);
    world.now += 1;
    assert_eq!(states(&mut world, Some("open")), ["open"]);
    assert!(states(&mut world, Some("approved")).is_empty());
    assert_eq!(states(&mut world, Some("expired")), ["expired", "expired"]);
    assert_eq!(states(&mut world, None), ["open", "expired", "expired"]);
}

#[test]
pub fn an_agent_has_at_most_100_open_reviews() {
    let mut world = world();
    for number in 0..100 {
        asked(&mut world, &keyed("75000", &format!("n{number}")));
    }
    let told = world.told(&keyed("75000", "more"));
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    assert!(told.reason().contains("too many payments of this agent wait for a review"));
    world.now += 86_400;
    asked(&mut world, &keyed("75000", "later"));
}

#[test]
pub fn a_denial_is_not_taken_back() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    world.operate(Operation::Deny(review.clone()));
    let told = world.told(&body);
    assert_eq!(told.outcome(), ("deny", "policy_denied"));
    assert_eq!(world.operate(Operation::Approve(review)).status, 409);
    assert_eq!(world.told(&body).text, told.text);
}

// A-377
#[test]
pub fn a_denial_ends_with_the_time_of_its_review_and_its_key_asks_again() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    world.now += 1_000;
    world.operate(Operation::Deny(review.clone()));
    world.now += 86_400 - 1_001;
    let denied = world.told(&body);
    assert_eq!(denied.outcome(), ("deny", "policy_denied"));
    world.now += 1;
    let (told, other) = asked(&mut world, &body);
    assert_eq!(told.text("paidRequestId"), denied.text("paidRequestId"));
    assert_ne!(other, review);
    assert_eq!(states(&mut world, None), ["open", "denied"]);
    world.operate(Operation::Approve(other));
    let paid = world.buy(&body);
    assert_eq!(paid.outcome().0, "allow");
    // It is paid once all the same.
    world.now += 2 * 86_400;
    assert_eq!(world.told(&body).text, paid.text);
    assert_eq!(world.rows.attempts.len(), 1);
}

// A-476
#[test]
pub fn a_key_that_was_paid_after_a_denial_stands_for_its_payment() {
    for dearer in ["40000", "75000", "2000000"] {
        let mut world = world();
        let body = keyed("75000", "k");
        let (_, review) = asked(&mut world, &body);
        world.operate(Operation::Deny(review));
        world.now += 86_401;
        // Now it needs no person.
        let mut paid = body.clone();
        paid["challenge"]["headers"]["payment-required"] = json!(terms(&[accept("40000")]));
        let mut again = body.clone();
        again["challenge"]["headers"]["payment-required"] = json!(terms(&[accept(dearer)]));
        let order = world.order(&paid);
        // While the merchant has it, others are told so, whatever the terms are by now.
        let told = world.told(&again);
        assert_eq!(told.outcome(), ("executing", "payment_execution_in_progress"), "{dearer}");
        let paid = world.answered(&order, proven(200, "ok"));
        assert_eq!(paid.outcome().0, "allow", "{dearer}: {}", paid.text);
        assert_eq!(world.told(&again).text, paid.text, "{dearer}");
        assert_eq!(world.rows.attempts.len(), 1);
    }
}

// A-380
#[test]
pub fn a_denial_is_that_of_one_request() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (_, review) = asked(&mut world, &body);
    world.operate(Operation::Deny(review));
    let denied = world.told(&body);
    // Other terms for it are no other request.
    let mut dearer = body.clone();
    dearer["challenge"]["headers"]["payment-required"] = json!(terms(&[accept("80000")]));
    assert_eq!(world.told(&dearer).text, denied.text);
    let mut other = body.clone();
    other["request"]["headers"]["x-ship-to"] = json!("elsewhere");
    let told = world.told(&other);
    assert_eq!((told.status, told.text("code")), (409, "idempotency_key_conflict"));
    assert_eq!(world.told(&body).text, denied.text);
    assert_eq!(world.rows.reviews.len(), 1);
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

// A-627
#[test]
pub fn an_approval_waits_as_long_as_its_review_has_waited() {
    let mut world = world();
    let body = keyed("75000", "k");
    let (told, review) = asked(&mut world, &body);
    world.now += 86_399;
    let approved = world.operate(Operation::Approve(review.clone()));
    world.now += 86_399;
    assert_eq!(world.operate(Operation::Approve(review)).text, approved.text);
    assert_eq!(states(&mut world, Some("approved")), ["approved"]);
    assert!(states(&mut world, Some("expired")).is_empty());
    let paid = world.buy(&body);
    assert_eq!(paid.text("paidRequestId"), told.text("paidRequestId"));
}

// A-628
#[test]
pub fn a_key_whose_review_or_approval_ended_is_told_so_once_and_asks_again() {
    let cases = [(false, "before anyone approved it"), (true, "the approval ended before")];
    for (is_approved, why) in cases {
        let mut world = world();
        let body = keyed("75000", "k");
        let (first, review) = asked(&mut world, &body);
        let answers = [review.clone()].into_iter().filter(|_| is_approved);
        answers.for_each(|review| drop(world.operate(Operation::Approve(review))));
        world.now += 86_400;
        let ended = world.told(&body);
        assert_eq!(ended.outcome(), ("deny", "policy_denied"), "{why}");
        assert!(ended.reason().contains(why), "{}", ended.reason());
        assert_eq!(world.operate(Operation::Approve(review.clone())).status, 409, "{why}");
        let (told, other) = asked(&mut world, &body);
        assert_eq!(told.text("paidRequestId"), first.text("paidRequestId"), "{why}");
        assert_ne!(other, review, "{why}");
        // Without a key, the end of a key's review is no answer.
        asked(&mut world, &request("75000"));
        world.operate(Operation::Approve(other));
        let paid = world.buy(&body);
        assert_eq!(paid.text("paidRequestId"), first.text("paidRequestId"), "{why}");
        assert_eq!(world.told(&body).text, paid.text, "{why}");
        assert_eq!(world.rows.attempts.len(), 1, "{why}");
    }
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

// A-585
#[test]
pub fn a_review_that_is_over_under_a_key_answers_no_request_without_one() {
    let mut world = world();
    let (keyed_told, _) = asked(&mut world, &keyed("75000", "k"));
    world.now += 86_400;
    let (told, _) = asked(&mut world, &request("75000"));
    assert_ne!(told.text("paidRequestId"), keyed_told.text("paidRequestId"));
    // The key is as it was: its own next ask ends it.
    let ended = world.told(&keyed("75000", "k"));
    assert_eq!(ended.text("paidRequestId"), keyed_told.text("paidRequestId"));
    assert_eq!(ended.outcome(), ("deny", "policy_denied"));
}

// A-588
#[test]
pub fn a_wallet_that_is_too_short_uses_no_approval_up() {
    let mut world = with_node();
    let body = keyed("75000", "k");
    let (first, review) = asked(&mut world, &body);
    world.operate(Operation::Approve(review));
    let prepared = |it: &Preparation, balance: u64| Command::Prepared {
        attempt: it.attempt.clone(),
        fence: it.fence,
        signature: None,
        balance: Some(format!(r#"[{{"jsonrpc":"2.0","id":1,"result":"0x{balance:064x}"}}]"#)),
    };
    for _ in 0..3 {
        let Answer::Prepare(asked) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
        let told = world.reply(prepared(&asked, 74_999));
        assert_eq!(told.outcome(), ("preflight_failed", "preflight_incompatible"));
        assert_eq!(told.text("paidRequestId"), first.text("paidRequestId"));
        assert_eq!(states(&mut world, None), ["approved"]);
        assert!(world.rows.attempts.is_empty() && world.rows.parcels.is_empty());
        assert_eq!(world.rows.budgets["organization"].assets[0].month, "0");
    }
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, &body) else { panic!("nothing begins") };
    let Answer::Send(order) = world.send(prepared(&asked, 75_000)) else { panic!("is not sent") };
    assert_eq!(world.answered(&order, settled(200, "")).outcome().0, "allow");
    assert_eq!(states(&mut world, None), ["used"]);
    assert_eq!(world.rows.attempts.len(), 1);
}
