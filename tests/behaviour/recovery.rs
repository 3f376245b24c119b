//! What becomes of a payment that no request waits for, with and without a chain to look at.

use std::collections::BTreeSet;

use farebox_core::ledger::State;
use farebox_core::ledger::state::{Undelivered, Why};
use farebox_core::time::UnixTime;
use serde_json::json;

use crate::world::chain::{NodeFault, transaction_of};
use crate::world::facilitator::{Repeats, Settle, Verify};
use crate::world::payer::{Payer, Payment};
use crate::world::{Response, World, get, paid};

const MODES: [&str; 2] = ["/after", "/before"];

fn refused(response: &Response, status: u16, code: &str) {
    assert_eq!((response.status, response.problem().as_str()), (status, code));
}

/// A payment whose settle calls get no answer, at the end of its first request.
fn doubted(world: &mut World, target: &str, settle: &Settle) -> Payment {
    let payment = world.sign(target);
    world.facilitator.settle_plan.extend([settle.clone(), Settle::SilentBefore]);
    refused(&world.present(&payment), 503, "settlement_unknown");
    payment
}

fn lie(transaction: &str) -> Settle {
    let body = json!({ "success": true, "transaction": transaction, "network": "eip155:84532" });
    Settle::Raw(200, body.to_string())
}

#[test]
fn an_alarm_looks_for_four_payments_of_an_object_at_once_and_then_for_the_others() {
    let mut vars = World::chain_vars();
    vars["LEDGER_SHARDS"] = json!(1);
    let mut world = World::with(vars);
    for number in 1..=6 {
        world.payer = Payer::new(number);
        doubted(&mut world, "/after", &Settle::SilentBefore);
    }
    // They are sent again in vain.
    world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 60]);
    let (mut most, mut looked) = (0, BTreeSet::new());
    for _ in 0..30 {
        world.wait(60);
        let jobs = world.next_jobs();
        most = most.max(jobs.len());
        for job in jobs {
            looked.extend(job.reads().then(|| job.key().to_owned()));
            world.carry(job);
        }
    }
    assert_eq!((most, looked.len()), (4, 6));
}

/// A world of one object, in which what was refused is read again each second.
fn with_refused(payers: u8, each: usize) -> World {
    let mut vars = World::chain_vars();
    vars["LEDGER_SHARDS"] = json!(1);
    vars["RECOVERY"] = json!({ "chain_secs": [1, 600] });
    let mut world = World::with(vars);
    for number in 1..=payers {
        world.payer = Payer::new(number);
        for count in 0..each {
            world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
            let payment = world.sign(&format!("/after?{count}"));
            refused(&world.present(&payment), 402, "settlement_refused");
        }
    }
    world
}

// A-421
#[test]
pub fn however_many_rows_are_read_one_place_is_kept_for_what_is_sent_again() {
    let mut world = with_refused(9, 1);
    world.payer = Payer::new(10);
    doubted(&mut world, "/after", &Settle::SilentBefore);
    world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 4]);
    let mut block = || {
        world.wait(1);
        let jobs = world.next_jobs();
        let sent = jobs.iter().any(|job| !job.reads());
        jobs.into_iter().for_each(|job| world.carry(job));
        sent
    };
    assert!((0..10).any(|_| block()), "it is sent the first time");
    // By now others wait longer.
    world.wait(16);
    let jobs = world.next_jobs();
    let reads = jobs.iter().filter(|job| job.reads()).count();
    assert_eq!((reads, jobs.len()), (3, 4));
}

#[test]
pub fn rows_are_read_in_turns_of_their_payers() {
    let mut world = with_refused(5, 4);
    world.wait(2);
    let mut looked = BTreeSet::new();
    for _ in 0..2 {
        for job in world.next_jobs() {
            looked.insert(job.payer().to_owned());
            world.carry(job);
        }
    }
    assert_eq!(looked.len(), 5, "{looked:?}");
}

#[test]
fn an_unknown_settlement_is_sent_once_more_then_looked_up_then_left_to_the_alarm() {
    for target in MODES {
        let mut world = World::with_chain();
        let payment = world.sign(target);
        world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
        let mut request = world.start(paid(&payment), b"");
        let mut ways = vec![request.next()];
        while world.advance(&mut request) {
            ways.push(request.next());
        }
        ways.retain(|step| ["settle", "read"].contains(step));
        assert_eq!(ways[..3], ["settle", "settle", "read"], "{target}");
        assert!(ways[2..].iter().all(|step| *step == "read"), "{target}");
        refused(&request.response.unwrap(), 503, "settlement_unknown");
        world.pass(120);
        assert_eq!(world.facilitator.settles.len(), 3, "{target}: the alarm sends it");
        assert!(world.facilitator.chain.is_paid(&payment.nonce), "{target}");
    }
}

// I-27
#[test]
fn the_alarm_sends_the_same_bytes_three_times_and_then_leaves_it_to_the_operator() {
    for target in MODES {
        let mut world = World::new();
        let payment = doubted(&mut world, target, &Settle::SilentBefore);
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 3]);
        world.pass(120);
        let sent = &world.facilitator.settles;
        assert_eq!(sent.len(), 5, "two by the request, three by the alarm");
        assert!(sent.iter().all(|(_, bytes)| *bytes == sent[0].1));
        assert!(matches!(world.ledger.state(), State::Unknown { .. }));
        world.pass(86_300);
        assert_eq!(world.ledger.state(), State::Manual { why: Why::Overdue, transaction: None });
        refused(&world.present(&payment), 409, "under_review");
        assert_eq!(world.facilitator.settles.len(), 5);
        assert_eq!(world.wake_at(), None);
    }
}

// A-305
#[test]
pub fn a_payment_that_slept_past_its_time_of_doubt_is_looked_up_before_a_person_has_to() {
    for target in MODES {
        let mut world = World::with_chain();
        doubted(&mut world, target, &Settle::SilentLate);
        world.facilitator.chain.land();
        // Nothing wakes it for two days.
        world.wait(2 * 86_400);
        world.pass(120);
        let state = world.ledger.state().name();
        assert_ne!(state, "manual", "{target}");
        assert_ne!(state, "unknown", "{target}");
    }
}

#[test]
fn the_alarm_sends_nothing_that_can_hardly_land_any_more() {
    for target in MODES {
        let mut world = World::new();
        let payment = doubted(&mut world, target, &Settle::SilentBefore);
        world.set_ms((payment.valid_before - 10) * 1000);
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 9]);
        world.pass(1_000);
        let last = world.facilitator.settles.len();
        assert!(last <= 3, "{last}");
    }
}

#[test]
fn what_was_sealed_and_is_captured_by_the_alarm_waits_for_its_payer() {
    for target in MODES {
        for chain in [false, true] {
            let mut world = if chain { World::with_chain() } else { World::new() };
            world.facilitator.repeats = Repeats::Idempotent;
            let payment = doubted(&mut world, target, &Settle::SilentLate);
            world.facilitator.chain.land();
            world.pass(200);
            let state = world.ledger.state().name();
            assert_eq!(state, if target == "/after" { "delivered" } else { "settled" });
            refused(&world.present(&payment), 409, "payment_already_delivered");
            let payer = Payer::new(1);
            let head = world.again(&payment, &payer);
            assert!(world.send(head).is_delivery(), "{target}");
            assert_eq!(
                (world.origin.calls.len(), world.ledger.state().name()),
                (1, "delivered".into())
            );
        }
    }
}

#[test]
fn a_payment_signed_anew_gets_what_the_first_paid_for_and_is_never_settled() {
    for target in MODES {
        let mut world = World::with_chain();
        let first = doubted(&mut world, target, &Settle::SilentLate);
        let second = world.sign(target);
        refused(&world.present(&second), 503, "payment_unresolved");
        world.facilitator.chain.land();
        world.pass(200);
        let required = world.ask(target).payment_required();
        let now = world.now().secs();
        let third = world.payer.sign_with(&required, now, |message| {
            message.as_object_mut().unwrap().remove("resource");
        });
        let delivery = world.present(&third);
        assert!(delivery.is_delivery(), "{target} {}", delivery.problem());
        let paid_by = transaction_of(&first.nonce);
        assert_eq!(delivery.settlement()["transaction"], paid_by);
        assert_eq!(world.stands_for(&third.nonce), first.nonce);

        let repeat = world.present(&third);
        assert!(repeat.is_delivery());
        assert_eq!(repeat.body, delivery.body);
        assert_eq!(repeat.settlement()["transaction"], paid_by);
        let elsewhere = get(&format!("{target}/other")).header_of(&third);
        refused(&world.send(elsewhere), 409, "payment_already_used");
        assert_eq!(world.facilitator.settles_of(&third.nonce), 0);
        assert_eq!(world.facilitator.verified_of(&third.nonce), 0);
        assert_eq!(world.origin.calls.len(), 1);
        let fourth = world.pay(target);
        assert!(fourth.is_delivery(), "what was handed out is over");
        assert_ne!(fourth.settlement()["transaction"], paid_by);
    }
}

/// A request with the payment of another one.
trait HeaderOf {
    fn header_of(self, payment: &Payment) -> Self;
}

impl HeaderOf for farebox_core::http::RequestHead {
    fn header_of(self, payment: &Payment) -> Self {
        use crate::world::With;
        self.header(payment.header, &payment.value)
    }
}

#[test]
fn only_the_payer_can_fetch_what_was_paid_for() {
    for target in MODES {
        let mut world = World::with_chain();
        let first = doubted(&mut world, target, &Settle::SilentLate);
        world.facilitator.chain.land();
        world.pass(200);
        let required = world.ask(target).payment_required();
        let now = world.now().secs();
        let stranger = Payer::new(2).sign(&required, now);
        let response = world.present(&stranger);
        assert_eq!(response.settlement()["transaction"], transaction_of(&stranger.nonce));
        refused(&world.present(&first), 409, "payment_already_delivered");

        world.set_ms((first.valid_before + 600) * 1000);
        let late = world.sign(target);
        let response = world.present(&late);
        assert_eq!(response.settlement()["transaction"], transaction_of(&late.nonce));
    }
}

#[test]
fn what_is_paid_and_never_fetched_is_owed() {
    let mut world = World::with_chain();
    let payment = doubted(&mut world, "/before", &Settle::SilentLate);
    world.facilitator.chain.land();
    world.pass(200);
    let State::Settled { since, .. } = world.ledger.state() else {
        panic!("{:?}", world.ledger.state());
    };
    let due = (since.secs() + 600).max(payment.valid_before);
    world.pass(due - 1 - world.now().secs());
    assert_eq!(world.ledger.state().name(), "settled");
    world.pass(1);
    let State::RefundDue { why, .. } = world.ledger.state() else {
        panic!("{:?}", world.ledger.state());
    };
    assert_eq!(why, Undelivered::NotFetched);
    refused(&world.present(&payment), 409, "refund_due");
    assert_eq!(world.origin.calls.len(), 0);
}

#[test]
fn what_was_never_submitted_closes_unseen_without_a_chain() {
    for (target, plan) in
        [("/after", None), ("/after", Some("insufficient_funds")), ("/before", Some("no_funds"))]
    {
        let mut world = World::new();
        let payment = world.sign(target);
        match plan {
            None => world.facilitator.verify_plan.push_back(Verify::Silent),
            Some(_) => {
                world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"))
            }
        }
        let answer = world.present(&payment);
        assert_eq!(answer.status, if plan.is_some() { 402 } else { 503 });
        let end = payment.valid_before + 600 - world.now().secs();
        world.pass(end - 1);
        assert!(matches!(world.ledger.state(), State::Released | State::Refused { .. }));
        world.pass(1);
        assert_eq!(world.ledger.state(), State::Closed);
        assert!(!world.present(&payment).has_terms());
        // Where money was asked for, the row stays; where it was not, the row goes.
        let asked = target == "/before" || plan.is_some();
        let goes_at = UnixTime::from_secs(payment.valid_before + 3600);
        assert_eq!(world.wake_at(), (!asked).then_some(goes_at));
        world.pass(3000);
        assert_eq!(world.ledger.entries().len(), usize::from(asked));
        assert_eq!(world.wake_at(), None);
    }
}

// A-42, I-06
#[test]
fn an_authorization_that_ended_unused_is_void_and_its_payer_may_sign_anew() {
    for target in MODES {
        let mut world = World::with_chain();
        let payment = doubted(&mut world, target, &Settle::SilentBefore);
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 3]);
        world.pass(payment.valid_before + 60 - world.now().secs());
        assert_eq!(world.ledger.state().name(), "unknown", "the safe block is not past its end");
        world.pass(150);
        assert_eq!(world.ledger.state(), State::Void);
        let answer = world.present(&payment);
        assert_eq!((answer.status, answer.has_terms()), (402, true));
        assert_eq!(world.wake_at(), None);
    }
}

#[test]
fn a_node_that_fails_proves_nothing() {
    let faults = [
        NodeFault::Silent,
        NodeFault::Garbage,
        NodeFault::Refuses,
        NodeFault::OtherChain,
        NodeFault::Lags,
    ];
    for target in MODES {
        for fault in faults {
            let mut world = World::with_chain();
            world.facilitator.chain.plan.extend(vec![fault; 40]);
            let payment = doubted(&mut world, target, &Settle::SilentLate);
            world.facilitator.chain.land();
            world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 9]);
            world.facilitator.chain.plan.extend(vec![fault; 400]);
            world.pass(900);
            let lagging = fault == NodeFault::Lags;
            let state = world.ledger.state().name();
            assert!(state == "unknown" || lagging, "{fault:?} {state}");
            assert_ne!(state, "void");
            world.facilitator.chain.plan.clear();
            world.pass(1_300);
            let state = world.ledger.state().name();
            let expected = if target == "/after" { "delivered" } else { "refund_due" };
            assert!(state == expected || state == "settled", "{fault:?} {state}");
            assert!(world.facilitator.chain.is_paid(&payment.nonce));
        }
    }
}

#[test]
fn a_node_that_shows_a_transaction_and_cannot_date_it_is_asked_a_bounded_number_of_times() {
    for settle in ["after", "before"] {
        let mut world = World::with_chain();
        let payment = world.sign(&format!("/sure/{settle}"));
        world.facilitator.repeats = Repeats::Idempotent;
        world.facilitator.chain.plan.extend([NodeFault::Silent]);
        world.facilitator.chain.plan.extend([NodeFault::Undated; 40]);
        let answer = world.present(&payment);
        refused(&answer, 503, "settlement_unknown");
        let (height, looks, inquiry) = (1, 10, 2);
        assert_eq!(world.facilitator.chain.asked, height + looks + inquiry);
    }
}

/// Does something on the chain, and names a transaction as the payment's.
type Liar = dyn Fn(&mut World, &Payment) -> String;

// A-40, A-74
#[test]
fn a_settlement_that_has_to_be_seen_on_the_chain_is_never_believed() {
    for settle in ["after", "before"] {
        let target = format!("/sure/{settle}");
        let mut honest = World::with_chain();
        let answer = honest.pay(&target);
        assert!(answer.is_delivery(), "{} {:?}", answer.problem(), honest.ledger.state());

        let liars: [&Liar; 6] = [
            &|_, payment| transaction_of(&payment.nonce),
            &|_, _| format!("0x{}", "5a".repeat(32)),
            &|world, payment| world.facilitator.chain.burn(&payment.nonce),
            &|world, payment| world.facilitator.chain.transfer(&payment.nonce),
            &|world, payment| world.facilitator.chain.silent(&payment.nonce),
            &|world, _| {
                let other = world.sign("/after");
                assert!(world.present(&other).is_delivery());
                transaction_of(&other.nonce)
            },
        ];
        for (index, liar) in liars.iter().enumerate() {
            let mut world = World::with_chain();
            let payment = world.sign(&target);
            let named = liar(&mut world, &payment);
            let served = world.origin.calls.len();
            world.facilitator.settle_plan.extend(vec![lie(&named); 12]);
            let answer = world.present(&payment);
            assert!(!answer.is_delivery() && !answer.has_terms(), "{settle} {index}");
            world.pass(2_000);
            let entry = world.row_of(&payment.nonce);
            let state = entry.state.name();
            assert!(["void", "manual"].contains(&state.as_str()), "{settle} {index} {state}");
            let ran = world.origin.calls.len() - served;
            assert_eq!(ran, usize::from(settle == "after" && ran == 1), "{settle} {index}");
            assert!(world.facilitator.chain.plan.is_empty());
        }
    }
}

#[test]
fn a_refusal_after_broadcasting_costs_the_payer_nothing_twice() {
    for target in ["/after", "/before", "/sure/after", "/sure/before"] {
        let mut world = World::with_chain();
        let payment = world.sign(target);
        let body = r#"{"success":false,"errorReason":"insufficient_funds","transaction":""}"#;
        world.facilitator.settle_plan.push_back(Settle::Raw(200, body.to_owned()));
        refused(&world.present(&payment), 402, "settlement_refused");
        world.facilitator.chain.submit(&payment.nonce);
        world.pass(200);
        let state = world.ledger.state().name();
        let expected = if target.ends_with("after") { "delivered" } else { "settled" };
        assert_eq!(state, expected, "{target}");
        let anew = world.sign(target);
        let answer = world.present(&anew);
        assert!(answer.is_delivery());
        assert!(!world.facilitator.chain.is_paid(&anew.nonce), "never a second debit");
    }
}

#[test]
fn two_payments_in_one_transaction_are_two_payments() {
    // A facilitator settles in bundles: each authorization has its own use and its own transfer in it.
    for target in MODES {
        let mut world = World::with_chain();
        let (one, two) = (world.sign(target), world.sign(&format!("{target}/other")));
        for payment in [&one, &two] {
            world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
            refused(&world.present(payment), 503, "settlement_unknown");
        }
        world.facilitator.chain.bundle(&[&one.nonce, &two.nonce]);
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 9]);
        world.pass(250);
        for payment in [&one, &two] {
            let state = world.row_of(&payment.nonce).state.name();
            assert!(["delivered", "settled"].contains(&state.as_str()), "{target} {state}");
        }
    }
}

// I-10
#[test]
fn a_node_that_never_answers_keeps_no_row_open_for_ever() {
    for (settle, end) in
        [(Settle::Refuse("insufficient_funds"), "closed"), (Settle::SilentBefore, "manual")]
    {
        let mut world = World::with_chain();
        world.facilitator.chain.plan.extend(vec![NodeFault::Silent; 2_000]);
        let payment = world.sign("/after");
        world.facilitator.settle_plan.extend(vec![settle; 6]);
        assert!(!world.present(&payment).is_delivery());
        world.pass(2 * 86_400);
        assert_eq!((world.ledger.state().name().as_str(), world.wake_at()), (end, None));
    }
}

// A-436
#[test]
pub fn a_node_that_is_missing_from_the_settings_for_a_while_closes_no_row_that_was_read() {
    let mut world = World::with_chain();
    let payment = world.sign("/after");
    world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
    assert!(!world.present(&payment).is_delivery());
    world.pass(70);
    assert!(world.row_of(&payment.nonce).watch.read.is_some());
    world.facilitator.chain.submit(&payment.nonce);
    let readable = std::mem::take(&mut world.ledger.recovery.readable);
    world.pass(3_600);
    assert_eq!(world.ledger.state().name(), "refused");
    world.ledger.recovery.readable = readable;
    world.pass(2 * 86_400);
    assert_eq!(world.ledger.state().name(), "delivered");
}
