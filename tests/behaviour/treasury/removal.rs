//! What leaves the books after `KEEP_DAYS`, and what it leaves there.

use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{Answer, Command, Listing, Operation};
use farebox_core::treasury::row::{Kept, PAYOUTS, Removal};
use serde_json::json;

use super::decisions::charged;
use super::payouts;
use super::world::{
    BUYER_KEY, MERCHANT, TRANSACTION, World, keyed, plain, request, settled, variables,
};

const DAY: u64 = 86_400;

#[test]
pub fn a_key_whose_payment_has_left_pays_no_second_time() {
    let mut world = World::new();
    world.buy(&keyed("10000", "k"));
    world.told(&keyed("9000000", "denied"));
    world.now += 400 * DAY;
    world.remove();
    assert_eq!((world.rows.decisions.len(), world.rows.attempts.len()), (2, 1));
    world.now += 2 * DAY;
    world.remove();
    assert!(world.rows.decisions.is_empty() && world.rows.attempts.is_empty());
    assert!(world.rows.parcels.is_empty() && world.rows.log.is_empty());
    for body in [keyed("10000", "k"), keyed("20000", "k")] {
        let told = world.told(&body);
        assert_eq!((told.status, told.text("code")), (409, "idempotency_key_used"));
    }
    let known = |agent: &str, key: &str| Command::Known { agent: agent.into(), key: key.into() };
    assert_eq!(world.reply(known("buyer", "k")).status, 410);
    assert_eq!(world.reply(known("buyer", "denied")).status, 404);
    assert!(world.rows.attempts.is_empty());
    // What was denied has paid nothing.
    assert_eq!(world.buy(&keyed("10000", "denied")).outcome().0, "allow");
}

#[test]
fn a_charge_whose_payment_has_left_is_not_signed_again() {
    for more in ["", r#", header="Payment-Authorization""#] {
        let mut world = World::new();
        let lasting = |key: Option<&str>| {
            let mut body = charged("buyer", MERCHANT, key);
            let field = body["challenge"]["headers"]["www-authenticate"].as_str().unwrap();
            let (field, _) = field.split_once(", expires=").unwrap();
            body["challenge"]["headers"]["www-authenticate"] = json!(format!("{field}{more}"));
            body
        };
        world.buy(&lasting(None));
        world.now += 402 * DAY;
        world.remove();
        assert!(world.rows.attempts.is_empty());
        for key in [None, Some("other")] {
            let told = world.told(&lasting(key));
            assert_eq!((told.status, told.text("code")), (409, "challenge_already_used"), "{more}");
        }
    }
}

#[test]
fn a_payout_whose_rows_have_left_is_not_made_again() {
    let mut world = payouts::world();
    let body = payouts::payout("0.25", "rent");
    let Answer::Prepare(asked) = payouts::ask(&mut world, &body) else { panic!("not prepared") };
    let (attempt, fence) = (asked.attempt, asked.fence);
    let prepared = Command::Prepared { attempt, fence, signature: None, balance: None };
    let Answer::Send(sent) = world.send(prepared) else { panic!("nothing is sent") };
    world.answered(&sent, payouts::success());
    let transaction = TxHash::parse(TRANSACTION).unwrap();
    let found = Finding::Transferred { transaction, block: 9, log_index: 0 };
    world.read(&sent.attempt, sent.fence, &found);
    world.now += 402 * DAY;
    world.remove();
    assert!(world.rows.decisions.is_empty());
    for amount in ["0.25", "0.3"] {
        let command = Operation::PayOut(payouts::payout(amount, "rent").to_string());
        let told = world.operate(command);
        assert_eq!((told.status, told.text("code")), (409, "idempotency_key_used"));
    }
    // No agent made it: a lookup in the name of agents does not tell of it.
    let (agent, key) = (PAYOUTS.to_owned(), "rent".to_owned());
    let told = world.reply(Command::Known { agent, key });
    assert_eq!((told.status, told.text("code")), (404, "not_found"));
}

#[test]
pub fn what_is_open_stays_whatever_its_age() {
    let mut world = World::with_node();
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, &keyed("10000", "k")) else { panic!() };
    let (attempt, fence) = (asked.attempt, asked.fence);
    let prepared = Command::Prepared { attempt, fence, signature: None, balance: None };
    let Answer::Send(sent) = world.send(prepared) else { panic!("nothing is sent") };
    world.now += 402 * DAY;
    world.remove();
    assert_eq!(world.told(&keyed("10000", "k")).outcome().0, "executing");
    world.answered(&sent, settled(200, "late"));
    world.now += 2 * DAY;
    world.remove();
    assert_eq!((world.rows.decisions.len(), world.rows.attempts.len()), (1, 1));
    world.now += 402 * DAY;
    world.remove();
    assert_eq!((world.rows.decisions.len(), world.rows.attempts.len()), (0, 0));
}

#[test]
fn a_decision_that_waited_for_a_person_leaves_with_its_reviews() {
    let mut variables = variables();
    variables["ORGANIZATIONS"][0]["policy"]["reviewAbove"] = json!({"USDC": "0.05"});
    let mut world = World::of(&variables);
    world.told(&keyed("75000", "k"));
    world.told(&keyed("80000", "k"));
    world.now += 399 * DAY;
    world.told(&keyed("75000", "new"));
    world.now += 3 * DAY;
    world.remove();
    assert_eq!((world.rows.decisions.len(), world.rows.reviews.len()), (1, 1));
    let keys: Vec<_> = world.rows.decisions.values().map(|row| row.key.clone().unwrap()).collect();
    assert_eq!(keys, ["k:new"]);
}

#[test]
fn a_step_is_bounded_and_lists_say_from_when_they_are_complete() {
    let mut world = World::new();
    for number in 0..120 {
        world.told(&keyed("9000000", &format!("n{number}")));
    }
    let listing = Listing::default;
    assert_eq!(world.operate(Operation::Audit(listing())).body["completeSince"], json!(null));
    world.now += 390 * DAY;
    let kept = world.buy(&request("10000"));
    let budgets = world.rows.budgets.clone();
    world.now += 11 * DAY;
    let steps = world.remove();
    assert_eq!(steps.iter().take(3).collect::<Vec<_>>(), [&50, &50, &20]);
    assert!(steps.iter().all(|step| *step <= 100), "{steps:?}");
    assert_eq!(world.rows.budgets, budgets);
    let exported = world.operate(Operation::Export(listing(), "jsonl".to_owned()));
    let lines: Vec<&str> = exported.text.lines().collect();
    assert!(matches!(lines.as_slice(), [line] if line.contains(kept.text("paidRequestId"))));
    // 401 days after 2026-03-10T12:00:00Z, less 400.
    let since = "2026-03-11T12:00:00Z";
    let header = ("farebox-complete-since".to_owned(), since.to_owned());
    assert!(exported.headers.contains(&header), "{:?}", exported.headers);
    assert_eq!(world.operate(Operation::Audit(listing())).body["completeSince"], since);
    // A day later, and not before.
    assert!(world.remove().is_empty());
}

/// A payment of one unit that its merchant refuses and the chain shows unused.
fn unmoved(world: &mut World, key: &str) {
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, &keyed("1", key)) else { panic!("{key}") };
    let (attempt, fence) = (asked.attempt, asked.fence);
    let prepared = Command::Prepared { attempt, fence, signature: None, balance: None };
    let Answer::Send(sent) = world.send(prepared) else { panic!("{key} is not sent") };
    world.answered(&sent, plain(404, "no"));
    world.now += 300;
    let safe_time = Some(UnixTime::from_secs(world.now));
    let fence = world.rows.attempts[&sent.attempt].fence;
    world.read(&sent.attempt, fence, &Finding::Unused { safe_time });
}

// A-581
#[test]
pub fn a_payment_that_never_moved_leaves_after_a_week_and_its_key_pays_nothing_more() {
    let mut world = World::with_node();
    for number in 0..120 {
        unmoved(&mut world, &format!("n{number}"));
    }
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, &keyed("10000", "moved")) else { panic!() };
    let (attempt, fence) = (asked.attempt, asked.fence);
    let prepared = Command::Prepared { attempt, fence, signature: None, balance: None };
    let Answer::Send(sent) = world.send(prepared) else { panic!("nothing is sent") };
    world.answered(&sent, settled(200, "here"));
    let transaction = TxHash::parse(TRANSACTION).unwrap();
    let found = Finding::Transferred { transaction, block: 9, log_index: 0 };
    world.read(&sent.attempt, sent.fence, &found);
    world.now += 6 * DAY;
    world.remove();
    assert_eq!((world.rows.decisions.len(), world.rows.attempts.len()), (121, 121));
    world.now += 2 * DAY;
    unmoved(&mut world, "later");
    let steps = world.remove();
    assert!(steps.iter().all(|step| *step <= 100), "{steps:?}");
    assert_eq!((world.rows.decisions.len(), world.rows.attempts.len()), (2, 2));
    let told = world.told(&keyed("1", "n7"));
    assert_eq!((told.status, told.text("code")), (409, "idempotency_key_used"));
    // Of what moved, nothing is missing.
    let listed = world.operate(Operation::Audit(Listing::default()));
    assert_eq!(listed.body["completeSince"], json!(null));
    // Each day what has become a week old since.
    world.now += 8 * DAY;
    world.remove();
    assert_eq!(world.rows.decisions.len(), 1);
}

// A-582
#[test]
pub fn a_review_that_is_over_shows_its_request_for_a_week() {
    let mut variables = variables();
    variables["ORGANIZATIONS"][0]["policy"]["reviewAbove"] = json!({"USDC": "0.05"});
    let mut world = World::of(&variables);
    let mut body = keyed("75000", "k");
    body["request"]["url"] = json!(format!("{MERCHANT}?q={}", "x".repeat(7_000)));
    body["request"]["headers"]["x-ship-to"] = json!("somewhere");
    body["request"]["body"] = json!("\u{1}".repeat(5_000));
    let review = world.told(&body).text("policyReviewEventId").to_owned();
    let item = |world: &mut World| {
        let listed = world.operate(Operation::Reviews(Listing::default()));
        listed.body["items"][0].clone()
    };
    let shown = item(&mut world);
    world.now += 6 * DAY;
    world.remove();
    assert_eq!(item(&mut world)["requestBody"], shown["requestBody"]);
    world.now += 2 * DAY;
    world.remove();
    let left = item(&mut world);
    assert_eq!((&left["id"], &left["requestBody"]), (&json!(review), &json!("")));
    assert_eq!((&left["requestHeaders"], &left["requestUrl"]), (&json!({}), &json!(MERCHANT)));
    let cut = |it: &serde_json::Value| it["requestBodyCutBytes"].as_u64().unwrap();
    assert_eq!((cut(&shown), cut(&left)), (904, 5_000));
    let row = world.rows.decisions.values().next().unwrap();
    assert!(serde_json::to_string(row).unwrap().len() < 2_000);
    // Whoever asks again without a key has another review, which shows it all.
    body.as_object_mut().unwrap().remove("idempotencyKey");
    world.told(&body);
    assert_eq!(item(&mut world)["requestUrl"], body["request"]["url"]);
    assert_eq!(item(&mut world)["requestBody"], shown["requestBody"]);
}

// A-604
#[test]
pub fn a_review_that_waits_for_weeks_shows_its_request_no_longer_than_it_waits() {
    let mut variables = variables();
    variables["REVIEW_SECS"] = json!("2592000");
    variables["ORGANIZATIONS"][0]["policy"]["reviewAbove"] = json!({"USDC": "0.05"});
    let mut world = World::of(&variables);
    // More than one step looks at.
    for number in 0..60 {
        let mut body = keyed("75000", &format!("k{number}"));
        body["request"]["url"] = json!(format!("{MERCHANT}?q={number}"));
        body["request"]["body"] = json!("secret");
        world.told(&body);
        world.now += 1;
    }
    let shown = |world: &World| {
        let reviews = world.rows.reviews.values().filter(|row| !row.body.is_empty()).count();
        let urls = world.rows.decisions.values().filter(|row| row.url.contains('?')).count();
        (reviews, urls)
    };
    for _ in 0..29 {
        world.now += DAY;
        world.remove();
    }
    assert_eq!(shown(&world), (60, 60));
    for _ in 0..2 {
        world.now += DAY;
        world.remove();
    }
    assert_eq!(shown(&world), (0, 0));
}

// A-605
#[test]
pub fn a_round_that_another_version_began_hides_no_row_from_the_next_one() {
    let mut world = World::with_node();
    for number in 0..120 {
        unmoved(&mut world, &format!("n{number}"));
    }
    world.now += 20 * DAY;
    let due = world.now;
    let began = Removal { due, kind: Kept::Attempts, ..Removal::new(UnixTime::from_secs(due)) };
    world.rows.removal = Some(began);
    world.remove();
    assert_eq!(world.rows.decisions.len(), 120);
    world.now += 2 * DAY;
    world.remove();
    assert_eq!(world.rows.decisions.len(), 0);
}
