//! What a request can add without paying: rows in memory and on disk are bounded, and gone an hour after their end.
//! Spec: docs/upkeep.md, "Retention".

use farebox_core::http::RequestHead;
use farebox_core::ledger::State;
use farebox_core::ledger::room::Room;
use serde_json::json;

use crate::world::facilitator::{Repeats, Settle, Verify};
use crate::world::payer::Payer;
use crate::world::{Response, With, World, paid, routes, vars};

/// A facilitator that finds every wallet empty, before one ledger object.
fn world() -> World {
    let mut vars = vars(routes());
    vars["LEDGER_SHARDS"] = json!(1);
    World::with(vars)
}

/// A request from this network, or from a Worker of a zone.
fn from(request: RequestHead, network: &str) -> RequestHead {
    match network.strip_prefix("worker ") {
        Some(zone) => {
            request.header("cf-connecting-ip", "2a06:98c0:3600::103").header("cf-worker", zone)
        }
        None => request.header("cf-connecting-ip", network),
    }
}

/// A payment that nobody is asked to settle, from this network.
fn refused(world: &mut World, network: &str) -> Response {
    let no = r#"{"isValid":false,"invalidReason":"invalid_payload"}"#;
    world.facilitator.verify_plan.push_back(Verify::Raw(200, no.to_owned()));
    let payment = world.sign("/after");
    let answer = world.send(from(paid(&payment), network));
    world.facilitator.verify_plan.clear();
    answer
}

/// A world in which ten payers of one network have all the rows that it may have, and another payer comes.
fn crowded(network: &str) -> World {
    let mut world = world();
    for payer in 1..=10 {
        world.payer = Payer::new(payer);
        for _ in 0..50 {
            assert_eq!(refused(&mut world, network).status, 402);
        }
    }
    world.payer = Payer::new(11);
    world
}

// A-130, A-151
#[test]
pub fn a_payer_has_at_most_fifty_rows_for_which_no_money_was_asked() {
    let mut world = world();
    for turn in 0..60 {
        assert_eq!(refused(&mut world, "192.0.2.1").status, 402, "{turn}");
        assert!(world.ledger.entries().len() <= 50, "what was let go gives its place to the next");
    }
    assert_eq!(world.ledger.entries().len(), 50);
    world.payer = Payer::new(2);
    assert_eq!(world.pay("/after").status, 200, "another payer is not concerned");
}

// A-151
#[test]
pub fn a_network_has_at_most_five_hundred_rows_for_which_no_money_was_asked() {
    let mut world = crowded("192.0.2.1");
    let answer = refused(&mut world, "192.0.2.1");
    assert_eq!((answer.status, answer.problem().as_str()), (429, "ledger_full"));
    assert_eq!(answer.headers.get("retry-after"), Some("60"));
    assert_eq!(world.ledger.entries().len(), 500);
    assert_eq!(refused(&mut world, "192.0.2.2").status, 402, "another network is not concerned");
}

// A-526
#[test]
pub fn a_worker_is_counted_with_those_of_its_zone_and_no_others() {
    let mut world = crowded("worker one.example");
    assert_eq!(refused(&mut world, "worker one.example").problem(), "ledger_full");
    assert_eq!(refused(&mut world, "worker two.example").status, 402);
}

#[test]
pub fn what_was_let_go_a_minute_ago_gives_its_place_to_what_comes() {
    let mut world = crowded("192.0.2.1");
    assert_eq!(world.pay_from("/after", "192.0.2.1").problem(), "ledger_full");
    world.wait(60);
    assert_eq!(world.pay_from("/after", "192.0.2.1").status, 200, "who shares the network pays");
    assert_eq!(world.ledger.entries().len(), 500, "one went, and one came");
    assert_eq!(refused(&mut world, "192.0.2.1").status, 402);
    assert_eq!(world.ledger.entries().len(), 501, "what was paid is not counted");
}

// A-130, A-151, A-190, I-20
#[test]
pub fn a_row_for_which_no_money_was_asked_goes_an_hour_after_its_end() {
    let mut world = world();
    let payment = world.sign("/after");
    assert_eq!(refused(&mut world, "192.0.2.1").status, 402);
    let end = payment.valid_before + 3600 - world.now().secs();
    world.pass(end - 1);
    assert_eq!(world.ledger.entries().len(), 1);
    world.pass(2);
    assert_eq!(world.ledger.entries().len(), 0);
    assert_eq!(world.wake_at(), None);
}

// A-190
#[test]
fn a_refused_payment_keeps_no_more_of_its_request_than_a_look_at_the_chain_needs() {
    let mut world = world();
    let payment = world.sign("/after");
    let no = r#"{"isValid":false,"invalidReason":"invalid_payload"}"#;
    world.facilitator.verify_plan.push_back(Verify::Raw(200, no.to_owned()));
    assert_eq!(world.present(&payment).status, 402);
    let kept = world.row_of(&payment.nonce).payment.request;
    assert!(kept.len() < 160 && kept.contains(&payment.nonce), "{kept}");
    assert_eq!(world.present(&payment).status, 200, "shown again, it begins with its own bytes");
    assert!(world.row_of(&payment.nonce).payment.request.len() > 600);
}

// A-43
#[test]
pub fn a_row_for_which_money_was_asked_stays() {
    let mut world = world();
    world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
    assert_eq!(world.pay("/before").status, 402);
    world.pass(100_000);
    assert_eq!(world.ledger.entries().len(), 1);
}

#[test]
pub fn what_was_paid_leaves_room_for_what_comes() {
    let mut world = world();
    for turn in 0..60 {
        let payment = world.sign("/after");
        let answer = world.send(paid(&payment).header("cf-connecting-ip", "192.0.2.1"));
        assert_eq!(answer.status, 200, "{turn}");
    }
    assert_eq!(world.ledger.open_rows(), 0);
}

// A-140
#[test]
pub fn in_an_object_that_is_nearly_full_nothing_begins_and_all_else_goes_on() {
    for target in ["/after", "/before"] {
        let mut world = World::new();
        let known = world.sign_as(target, "an-identifier-of-22-characters");
        assert_eq!(world.present(&known).status, 200);
        let doubtful = world.sign(target);
        world.facilitator.settle_plan.extend(vec![Settle::SilentAfter; 2]);
        assert_eq!(world.present(&doubtful).problem(), "settlement_unknown");
        world.facilitator.settle_plan.clear();
        world.facilitator.repeats = Repeats::Idempotent;
        world.ledger.room = Room { bytes: 950, limit: 1_000 };
        let (calls, settles) = (world.origin.calls.len(), world.facilitator.settles.len());
        let other = world.sign(&format!("{target}?n=2"));
        let full = world.present(&other);
        assert_eq!((full.status, full.problem().as_str()), (503, "ledger_full"), "{target}");
        assert_eq!(full.headers.get("retry-after"), Some("60"));
        assert_eq!(world.origin.calls.len(), calls, "{target}");
        assert_eq!(world.facilitator.settles.len(), settles, "{target}: nothing is charged");
        assert_eq!(world.present(&known).status, 200, "{target}: what was bought is still served");
        world.pass(70);
        let state = world.row_of(&doubtful.nonce).state;
        assert!(matches!(state, State::Settled { .. } | State::Delivered { .. }), "{state:?}");
        world.ledger.room = Room { bytes: 949, limit: 1_000 };
        assert_eq!(world.present(&other).status, 200, "{target}");
    }
}
