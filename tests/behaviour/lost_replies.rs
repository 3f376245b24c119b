//! Records that a ledger object has kept and whose answer was lost: the Worker asks once more, and what it has not sent waits
//! for its payer. Spec: docs/design.md, "Faults".

use farebox_core::gate::paid::StreamEnd;
use farebox_core::http::RequestHead;
use farebox_core::ledger::State;
use farebox_core::ledger::state::Undelivered;

use crate::world::facilitator::{Repeats, Settle};
use crate::world::ledger::LedgerFault::{self, Down, Fine, ReplyLost, WriteFails};
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{Response, Running, With, World, paid};

/// The records after which a stored response is handed out: the route, and the commands before it.
const LAST: [(&str, usize); 2] = [("/after", 2), ("/before", 2)];
/// Those after which the work goes on.
const RECORDS: [(&str, usize); 3] = [("/after", 2), ("/before", 1), ("/before", 2)];

fn is_served(world: &World, response: &Response, payment: &Payment, case: &str) {
    assert!(response.is_delivery(), "{case}: {}", response.problem());
    assert_eq!(response.headers.get("payment-replayed"), None, "{case}");
    assert!(matches!(world.ledger.state(), State::Delivered { .. }), "{case}");
    assert_eq!(world.facilitator.settles_of(&payment.nonce), 1, "{case}");
    assert_eq!(world.origin.calls.len(), 1, "{case}");
}

//
#[test]
pub fn a_record_whose_answer_is_lost_is_asked_for_once_more_and_its_response_is_served() {
    for fault in [ReplyLost, Down, WriteFails] {
        for (target, before) in RECORDS {
            let case = format!("{target} {before} {fault:?}");
            let mut usual = World::new();
            let expected = usual.pay(target);
            let mut world = World::new();
            let payment = world.sign(target);
            world.ledger.plan.extend(vec![Fine; before]);
            world.ledger.plan.push_back(fault);
            let response = world.present(&payment);
            is_served(&world, &response, &payment, &case);
            assert_eq!(response.body, expected.body, "{case}");
            let lost = u32::from(fault != Down);
            assert_eq!(world.ledger.commands, usual.ledger.commands + lost, "{case}");
            // It was sent: another payment is another purchase.
            let next = world.sign(target);
            assert!(world.present(&next).is_delivery(), "{case}");
            assert!(world.facilitator.chain.is_paid(&next.nonce), "{case}");
        }
    }
}

//
#[test]
fn a_stream_whose_record_has_no_answer_flows_after_the_second_one() {
    let stream = "200\ncontent-type: text/event-stream";
    for (target, before) in RECORDS {
        let mut world = World::new();
        world.origin.plan.push_back(Say::Slow(stream, StreamEnd::Complete));
        let payment = world.sign(target);
        world.ledger.plan.extend(vec![Fine; before]);
        world.ledger.plan.push_back(ReplyLost);
        let response = world.present(&payment);
        assert_eq!(response.stream, Some(StreamEnd::Complete), "{target} {before}");
        is_served(&world, &response, &payment, target);
    }
}

//
#[test]
pub fn what_was_recorded_and_never_sent_is_fetched_by_the_payers_next_payment() {
    for (target, before) in LAST {
        let mut world = World::new();
        let payment = world.sign(target);
        world.ledger.plan.extend(vec![Fine; before]);
        world.ledger.plan.extend([ReplyLost, ReplyLost]);
        let first = world.present(&payment);
        assert_eq!((first.status, first.problem().as_str()), (503, "settlement_unknown"));
        assert!(matches!(world.ledger.state(), State::Delivered { .. }), "{target}");
        // The header is on the chain, and fetches nothing by itself.
        assert_eq!(world.present(&payment).problem(), "payment_already_delivered", "{target}");
        let next = world.sign(target);
        let fetched = world.present(&next);
        assert!(fetched.is_delivery(), "{target}: {}", fetched.problem());
        assert_eq!(fetched.headers.get("payment-replayed"), Some("true"), "{target}");
        assert!(!world.facilitator.chain.is_used(&next.nonce), "{target}: not charged again");
        assert_eq!(world.origin.calls.len(), 1, "{target}");
        // Once.
        let third = world.sign(target);
        assert!(world.present(&third).is_delivery(), "{target}");
        assert!(world.facilitator.chain.is_paid(&third.nonce), "{target}");
    }
}

#[test]
fn without_the_word_that_nothing_was_sent_the_payers_signature_fetches_it() {
    for (target, before) in LAST {
        let mut world = World::new();
        let payment = world.sign(target);
        world.ledger.plan.extend(vec![Fine; before]);
        world.ledger.plan.extend([ReplyLost, ReplyLost, Down]);
        assert_eq!(world.present(&payment).problem(), "settlement_unknown", "{target}");
        let again = world.again(&payment, &world.payer);
        assert!(world.send(again).is_delivery(), "{target}");
        assert_eq!(world.origin.calls.len(), 1, "{target}");
    }
}

#[test]
fn what_was_paid_first_and_could_not_begin_is_owed() {
    let mut world = World::new();
    let payment = world.sign("/before");
    world.ledger.plan.extend([Fine, ReplyLost, ReplyLost]);
    assert_eq!(world.present(&payment).problem(), "settlement_unknown");
    world.wait(66);
    assert_eq!(world.present(&payment).problem(), "refund_due");
    assert_eq!(world.origin.calls.len(), 0);
}

//
#[test]
pub fn a_reader_of_the_chain_who_sends_a_payment_again_is_told_nothing_once_more() {
    let mut world = World::new();
    world.facilitator.repeats = Repeats::Idempotent;
    let payment = world.sign("/after");
    let own = || paid(&payment).header("idempotency-key", &"k".repeat(22));
    world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
    assert_eq!(world.send(own()).problem(), "settlement_unknown");
    world.wait(70);
    let mut stranger = world.start(paid(&payment), b"");
    while stranger.next() != "record" {
        assert!(world.advance(&mut stranger), "{:?}", stranger.response);
    }
    world.ledger.plan.push_back(ReplyLost);
    world.advance(&mut stranger);
    // Meanwhile its payer fetches it.
    assert!(world.send(own()).is_delivery());
    while world.advance(&mut stranger) {}
    let told = stranger.response.unwrap();
    assert_eq!((told.status, told.problem().as_str()), (503, "settlement_unknown"));
    assert_eq!(world.origin.calls.len(), 1);
}

/// A request whose payment somebody else submits just before the facilitator is asked.
fn forestalled(world: &mut World, head: RequestHead, nonce: &str) -> Running {
    let mut first = world.start(head, b"");
    while first.next() != "settle" {
        assert!(world.advance(&mut first), "{:?}", first.response);
    }
    world.facilitator.chain.submit(nonce);
    world.wait(4);
    first
}

/// Such a payment, and its answer: only the chain shows that it has moved.
fn shown_by_the_chain(
    world: &mut World,
    before: usize,
    lost: &[LedgerFault],
) -> (Payment, Response) {
    let payment = world.sign("/after");
    world.ledger.plan.extend(vec![Fine; before]);
    world.ledger.plan.extend(lost);
    let mut first = forestalled(world, paid(&payment), &payment.nonce);
    while world.advance(&mut first) {}
    (payment, first.response.unwrap())
}

//
#[test]
pub fn a_verdict_of_the_chain_whose_answer_is_lost_is_told_once_more_and_its_response_is_served() {
    let mut usual = World::with_chain();
    let (_, expected) = shown_by_the_chain(&mut usual, 0, &[]);
    assert!(expected.is_delivery(), "{}", expected.problem());
    // The verdict is the last command.
    let before = usize::try_from(usual.ledger.commands).unwrap() - 1;
    for fault in [ReplyLost, Down, WriteFails] {
        let mut world = World::with_chain();
        let (payment, response) = shown_by_the_chain(&mut world, before, &[fault]);
        assert!(response.is_delivery(), "{fault:?}: {}", response.problem());
        assert_eq!(response.body, expected.body);
        assert!(world.facilitator.chain.is_paid(&payment.nonce));
        assert_eq!(world.origin.calls.len(), 1);
        // It was sent: another payment is another purchase.
        let next = world.sign("/after");
        assert!(world.present(&next).is_delivery());
        assert!(world.facilitator.chain.is_paid(&next.nonce), "{fault:?}");
    }
    let mut world = World::with_chain();
    let (_, response) = shown_by_the_chain(&mut world, before, &[ReplyLost, ReplyLost]);
    assert_eq!((response.status, response.problem().as_str()), (503, "settlement_unknown"));
    let next = world.sign("/after");
    let fetched = world.present(&next);
    assert!(fetched.is_delivery(), "{}", fetched.problem());
    assert_eq!(fetched.headers.get("payment-replayed"), Some("true"));
    assert!(!world.facilitator.chain.is_used(&next.nonce), "not charged again");
    assert_eq!(world.origin.calls.len(), 1);
}

//
#[test]
pub fn what_was_paid_and_handed_to_nobody_is_owed_once_no_next_payment_fetches_it() {
    for (target, before) in LAST {
        let mut world = World::new();
        world.ledger.notifies = true;
        let payment = world.sign(target);
        world.ledger.plan.extend(vec![Fine; before]);
        world.ledger.plan.extend([ReplyLost, ReplyLost]);
        assert_eq!(world.present(&payment).problem(), "settlement_unknown", "{target}");
        let ends = world.row_of(&payment.nonce).heir_until();
        world.wait(ends.secs_since(world.now()) - 1);
        world.ledger.owe_unfetched(false, world.now());
        let mut fetched = world.clone();
        let next = fetched.sign(target);
        assert_eq!(fetched.present(&next).headers.get("payment-replayed"), Some("true"));
        fetched.wait(1);
        fetched.ledger.owe_unfetched(false, fetched.now());
        assert_eq!(fetched.row_of(&payment.nonce).state.name(), "delivered", "{target}");
        assert!(fetched.ledger.notices.is_empty(), "{target}");
        world.wait(1);
        world.ledger.owe_unfetched(false, world.now());
        let State::RefundDue { why, .. } = world.ledger.state() else { panic!("{target}") };
        assert_eq!(why, Undelivered::NotFetched);
        assert_eq!(world.ledger.notices, ["payment.refund_due"], "{target}");
        let again = world.again(&payment, &world.payer);
        assert_eq!(world.send(again).problem(), "refund_due", "{target}");
        let next = world.sign(target);
        assert!(world.present(&next).is_delivery(), "another purchase");
        assert!(world.facilitator.chain.is_paid(&next.nonce), "{target}");
        assert_eq!(world.origin.calls.len(), 2, "{target}");
    }
}

/// Such a request, before the chain's verdict is recorded. While the node is asked, so many seconds
/// pass, and the alarm does what is due.
fn at_the_verdict(world: &mut World, head: RequestHead, nonce: &str, secs: u64) -> Running {
    let mut first = forestalled(world, head, nonce);
    while first.next() != "read" {
        assert!(world.advance(&mut first), "{:?}", first.response);
    }
    world.wait(secs);
    while first.next() == "read" {
        world.alarm();
        assert!(world.advance(&mut first), "{:?}", first.response);
    }
    assert_eq!(first.next(), "record");
    first
}

//
#[test]
pub fn what_a_repeat_has_received_is_not_unsent_because_the_owner_heard_nothing() {
    let mut world = World::with_chain();
    let payment = world.sign("/after");
    let own = || paid(&payment).header("idempotency-key", &"k".repeat(22));
    let mut first = at_the_verdict(&mut world, own(), &payment.nonce, 0);
    world.ledger.plan.push_back(ReplyLost);
    world.advance(&mut first);
    assert!(world.send(own()).is_delivery());
    world.ledger.plan.push_back(ReplyLost);
    while world.advance(&mut first) {}
    assert_eq!(first.response.unwrap().problem(), "settlement_unknown");
    assert!(world.row_of(&payment.nonce).handed);
    let next = world.sign("/after");
    let head = paid(&next).header("idempotency-key", &"k".repeat(22));
    let answer = world.send(head);
    assert_eq!((answer.status, answer.headers.get("payment-replayed")), (200, None));
    assert!(world.facilitator.chain.is_paid(&next.nonce), "another purchase");
}

//
#[test]
pub fn an_owner_is_told_its_verdict_once_more_though_the_alarm_has_sent_in_between() {
    for lost in [1, 2] {
        let mut world = World::with_chain();
        let payment = world.sign("/after");
        let mut first = at_the_verdict(&mut world, paid(&payment), &payment.nonce, 6);
        assert!(world.facilitator.settles_of(&payment.nonce) > 1, "the alarm has sent");
        world.ledger.plan.extend(vec![ReplyLost; lost]);
        while world.advance(&mut first) {}
        let told = first.response.unwrap();
        assert_eq!(told.is_delivery(), lost == 1, "{lost}: {}", told.problem());
        let next = world.sign("/after");
        assert!(world.present(&next).is_delivery());
        assert_eq!(world.facilitator.chain.is_paid(&next.nonce), lost == 1, "{lost}");
        assert_eq!(world.origin.calls.len(), if lost == 1 { 2 } else { 1 });
    }
}

//
#[test]
pub fn a_stream_of_which_nothing_was_sent_is_owed_and_waits_for_no_person() {
    let stream = "200\ncontent-type: text/event-stream";
    for (target, before) in LAST {
        let mut world = World::new();
        world.origin.plan.push_back(Say::Slow(stream, StreamEnd::Complete));
        let payment = world.sign(target);
        world.ledger.plan.extend(vec![Fine; before]);
        world.ledger.plan.extend([ReplyLost, ReplyLost]);
        assert_eq!(world.present(&payment).problem(), "settlement_unknown", "{target}");
        let state = world.ledger.state();
        assert!(matches!(state, State::RefundDue { .. }), "{target}: {state:?}");
    }
}
