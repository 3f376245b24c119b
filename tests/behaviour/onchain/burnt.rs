//! Hashes that others have shown in the name of who sent them: what came about by that alone gives way to who has paid in time.

use farebox_core::http::RequestHead;
use farebox_core::ledger::report::{Decision, Undecided};
use farebox_core::ledger::shard::Decided;
use farebox_core::mpp::Challenge;
use serde_json::json;

use crate::paid_back::with_treasury;
use crate::world::chain::{ASSET, NodeFault};
use crate::world::transfers::Fate;
use crate::world::{PAY_TO, World};

use super::{ROUTE, answer, challenge, hash, moved, route_vars, send, served, signed, world};

const OTHER: &str = "/shown/other/after";

/// A challenge that a stranger got long before the payer got theirs.
fn burning(world: &mut World, target: &str) -> (Challenge, Challenge) {
    let ended = challenge(world, target);
    world.wait(1_000);
    let own = challenge(world, ROUTE);
    world.wait(2);
    (ended, own)
}

/// A hash shown in the payer's name.
fn shown(world: &World, target: &str, challenge: &Challenge, bytes: &[u8]) -> RequestHead {
    answer(target, challenge, &hash(bytes), Some(&world.payer))
}

fn state(world: &World) -> String {
    world.ledger.state().name()
}

/// The transaction comes into a block.
fn mine(world: &mut World) {
    let block = world.facilitator.chain.next_block();
    world.facilitator.chain.transfers.mine(block);
    world.wait(2);
}

#[test]
pub fn a_hash_that_others_have_shown_too_late_is_served_to_who_has_paid_in_time() {
    for target in [ROUTE, OTHER] {
        for waits in [0, 120, 3_000] {
            let mut world = world();
            let (ended, own) = burning(&mut world, target);
            let bytes = signed(&world, 0);
            send(&mut world, &bytes);
            let theirs = shown(&world, target, &ended, &bytes);
            assert_eq!(world.send(theirs.clone()).problem(), "refund_due");
            world.pass(waits);
            let own = shown(&world, ROUTE, &own, &bytes);
            assert_eq!(world.send(own.clone()).status, 200, "{target} {waits}");
            let again = world.send(theirs);
            assert_ne!(again.status, 200, "{target} {waits}");
            let again = world.send(own);
            assert_eq!(again.headers.get("payment-replayed"), Some("true"), "{target} {waits}");
            world.pass(7_200);
            assert_eq!(
                (state(&world).as_str(), served(&world), moved(&world)),
                ("delivered", 1, 10_000)
            );
        }
    }
}

#[test]
fn a_hash_that_others_have_shown_before_a_block_had_it_is_served_to_who_has_paid_in_time() {
    for (target, is_ended) in [(ROUTE, true), (OTHER, true), (OTHER, false)] {
        for waits in [0, 60, 600] {
            let mut world = world();
            let (ended, own) = burning(&mut world, target);
            let theirs = if is_ended { ended } else { challenge(&mut world, target) };
            let bytes = signed(&world, 0);
            world.facilitator.chain.transfers.fate = Fate::Waits;
            assert!(world.facilitator.chain.transfers.send(&bytes, 0));
            let theirs = shown(&world, target, &theirs, &bytes);
            let own = shown(&world, ROUTE, &own, &bytes);
            for request in [&theirs, &own] {
                assert_eq!(world.send(request.clone()).problem(), "settlement_unknown");
            }
            mine(&mut world);
            world.pass(waits);
            assert_eq!(world.send(own).status, 200, "{target} {is_ended} {waits}");
            assert_ne!(world.send(theirs).status, 200, "{target} {is_ended} {waits}");
            world.pass(7_200);
            assert_eq!((state(&world).as_str(), served(&world)), ("delivered", 1));
        }
    }
}

#[test]
pub fn who_has_shown_a_hash_for_another_fetches_nothing_that_was_served_for_it() {
    let mut world = world();
    let (ended, own) = burning(&mut world, ROUTE);
    let bytes = signed(&world, 0);
    send(&mut world, &bytes);
    let theirs = shown(&world, ROUTE, &ended, &bytes);
    assert_eq!(world.send(theirs.clone()).problem(), "refund_due");
    let own = shown(&world, ROUTE, &own, &bytes);
    assert_eq!(world.send(own).status, 200);
    let again = world.send(theirs);
    assert_eq!((again.status, again.problem().as_str()), (409, "payment_already_delivered"));
    assert_eq!(served(&world), 1);
}

#[test]
pub fn what_the_operator_has_heard_to_be_owed_is_served_no_more() {
    let mut world = world();
    let (ended, own) = burning(&mut world, ROUTE);
    let bytes = signed(&world, 0);
    send(&mut world, &bytes);
    let theirs = shown(&world, ROUTE, &ended, &bytes);
    assert_eq!(world.send(theirs).problem(), "refund_due");
    world.pass(3_700);
    let own = shown(&world, ROUTE, &own, &bytes);
    let response = world.send(own);
    assert_eq!((response.status, response.problem().as_str()), (409, "refund_due"));
    assert_eq!((state(&world).as_str(), served(&world)), ("refund_due", 0));
}

#[test]
pub fn the_operator_hears_of_a_debt_once_it_may_not_be_served_any_more() {
    let mut world = world();
    world.ledger.notifies = true;
    let (ended, _) = burning(&mut world, ROUTE);
    let bytes = signed(&world, 0);
    send(&mut world, &bytes);
    let theirs = shown(&world, ROUTE, &ended, &bytes);
    assert_eq!(world.send(theirs).problem(), "refund_due");
    world.pass(3_000);
    assert!(world.ledger.notices.is_empty(), "it may still be served");
    world.pass(1_000);
    assert_eq!(world.ledger.notices, ["payment.refund_due"]);
}

fn decide(world: &mut World, decision: &Decision) -> Result<(), Undecided> {
    let [row]: [_; 1] = world.ledger.entries().try_into().unwrap();
    match world.ledger.decided(&row.payment.receipt, decision, world.now()) {
        Decided::Done(..) => Ok(()),
        Decided::Undecided(why) => Err(why),
        Decided::NoRow => panic!("{}", row.payment.receipt),
    }
}

//
#[test]
pub fn what_may_still_be_served_is_waived_by_nobody() {
    let waived = Decision::Waived("shown too late".to_owned());
    for (waits, is_served) in [(0, true), (3_000, true), (3_700, false)] {
        let mut world = world();
        let (ended, own) = burning(&mut world, ROUTE);
        let bytes = signed(&world, 0);
        send(&mut world, &bytes);
        let theirs = shown(&world, ROUTE, &ended, &bytes);
        let until = world.now().plus(3_600).secs();
        assert_eq!(world.send(theirs).problem(), "refund_due");
        world.pass(waits);
        let expected = if is_served { Err(Undecided::RefundEarly(until)) } else { Ok(()) };
        assert_eq!(decide(&mut world, &waived), expected, "{waits}");
        let own = shown(&world, ROUTE, &own, &bytes);
        assert_eq!(world.send(own).status == 200, is_served, "{waits}");
        assert_eq!(state(&world), if is_served { "delivered" } else { "waived" });
    }
}

#[test]
fn a_refund_that_was_sent_is_told_while_the_payment_may_still_be_served() {
    let mut world = world();
    let (ended, own) = burning(&mut world, ROUTE);
    let bytes = signed(&world, 0);
    send(&mut world, &bytes);
    let theirs = shown(&world, ROUTE, &ended, &bytes);
    assert_eq!(world.send(theirs).problem(), "refund_due");
    let refund = Decision::Refunded("0x".to_owned() + &"ab".repeat(32));
    assert_eq!(decide(&mut world, &refund), Ok(()));
    let own = shown(&world, ROUTE, &own, &bytes);
    assert_ne!(world.send(own).status, 200);
    assert_eq!((state(&world).as_str(), served(&world)), ("refunded", 0));
}

#[test]
pub fn a_treasury_pays_a_debt_back_once_it_may_not_be_served_any_more() {
    let mut world = World::with(with_treasury(route_vars()));
    world.ledger.notifies = true;
    let (ended, _) = burning(&mut world, ROUTE);
    let bytes = signed(&world, 0);
    send(&mut world, &bytes);
    let theirs = shown(&world, ROUTE, &ended, &bytes);
    assert_eq!(world.send(theirs).problem(), "refund_due");
    for _ in 0..30 {
        world.wait(100);
        assert!(world.next_jobs().is_empty(), "it may still be served");
    }
    world.pass(1_000);
    assert_eq!(world.ledger.notices, ["payment.refund_due"]);
    assert_eq!((state(&world).as_str(), world.treasury.paid()), ("refunded", 1));
}

#[test]
fn a_hash_that_others_have_shown_where_another_price_is_asked_is_served_to_who_has_paid() {
    let mut vars = World::chain_vars();
    vars["ROUTES"] = json!([
        {"path": ROUTE, "price": "$0.01", "hash_mode": true},
        {"path": OTHER, "price": "$0.05", "hash_mode": true},
    ]);
    let mut world = World::with(vars);
    let (_, own) = burning(&mut world, ROUTE);
    let theirs = challenge(&mut world, OTHER);
    let bytes = world.payer.transaction(0, ASSET, PAY_TO, 10_000);
    world.facilitator.chain.transfers.fate = Fate::Waits;
    assert!(world.facilitator.chain.transfers.send(&bytes, 0));
    world.facilitator.chain.plan.push_back(NodeFault::Silent);
    let theirs = shown(&world, OTHER, &theirs, &bytes);
    assert_eq!(world.send(theirs).problem(), "chain_unavailable");
    mine(&mut world);
    world.pass(1_200);
    assert_eq!(state(&world), "void", "it pays nothing there");
    let own = shown(&world, ROUTE, &own, &bytes);
    assert_eq!(world.send(own).status, 200);
    assert_eq!((state(&world).as_str(), served(&world)), ("delivered", 1));
}

#[test]
fn what_is_owed_and_shown_under_a_later_challenge_is_told_so_and_gets_no_terms() {
    let mut world = world();
    let (ended, _) = burning(&mut world, ROUTE);
    let bytes = signed(&world, 0);
    send(&mut world, &bytes);
    let theirs = shown(&world, ROUTE, &ended, &bytes);
    assert_eq!(world.send(theirs).problem(), "refund_due");
    world.wait(60);
    let later = challenge(&mut world, ROUTE);
    let later = shown(&world, ROUTE, &later, &bytes);
    let response = world.send(later);
    assert_eq!((response.problem().as_str(), response.has_terms()), ("refund_due", false));
    assert_eq!(served(&world), 0);
}
