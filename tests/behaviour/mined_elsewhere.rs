//! Authorizations that were mined, cancelled or used up by someone else than the facilitator that was asked.

use farebox_core::encoding::hex;
use farebox_core::ledger::State;
use farebox_core::ledger::state::{Undelivered, Why};
use serde_json::{Value, json};

use crate::world::chain::{Chain, transaction_of};
use crate::world::facilitator::{Settle, Verify};
use crate::world::payer::{Payer, Payment};
use crate::world::{Response, World, paid, routes, vars};

const MODES: [&str; 2] = ["/after", "/before"];

fn refused(response: &Response, status: u16, code: &str) {
    assert_eq!((response.status, response.problem().as_str()), (status, code));
}

/// Pays; just before the facilitator is asked to settle, something happens on the chain.
fn happens_before_settle<T>(
    world: &mut World,
    payment: &Payment,
    what: impl FnOnce(&mut Chain) -> T,
) -> Response {
    let mut first = world.start(paid(payment), b"");
    while first.next() != "settle" {
        world.advance(&mut first);
    }
    what(&mut world.facilitator.chain);
    world.wait(4);
    while world.advance(&mut first) {}
    first.response.unwrap()
}

/// A payment whose verify says that its nonce is used.
fn called_used(mut world: World, target: &str) -> (World, Payment) {
    let payment = world.sign(target);
    let said = r#"{"isValid":false,"invalidReason":"nonce already used"}"#;
    world.facilitator.verify_plan.push_back(Verify::Raw(200, said.to_owned()));
    refused(&world.present(&payment), 503, "settlement_unknown");
    (world, payment)
}

// A-722
#[test]
pub fn what_a_facilitator_falsely_calls_used_is_never_sent() {
    // In `before` verify is asked where another facilitator could settle.
    let with_two = |mut vars: Value| {
        let named = |port: u16| json!({"url": format!("http://127.0.0.1:{port}/x402/"), "networks": ["eip155:84532"]});
        vars["FACILITATOR_URL"] = json!([named(9001), named(9002)]);
        World::with(vars)
    };
    for (world, target, ended) in [
        (World::with_chain(), "/after", "void"),
        (World::new(), "/after", "manual"),
        (with_two(World::chain_vars()), "/before", "void"),
        (with_two(vars(routes())), "/before", "manual"),
    ] {
        let (mut world, payment) = called_used(world, target);
        for _ in 0..3 {
            world.wait(2);
            refused(&world.present(&payment), 503, "settlement_unknown");
        }
        world.pass(90_000);
        assert_eq!(world.facilitator.settles_of(&payment.nonce), 0, "{ended}");
        assert!(!world.facilitator.chain.is_used(&payment.nonce));
        assert_eq!(world.origin.calls.len(), 0);
        assert!(world.ledger.entries().iter().all(|entry| entry.state.name() == ended), "{ended}");
    }
}

// A-722
#[test]
fn what_is_signed_again_and_falsely_called_used_is_not_sent_either() {
    let mut world = World::with_chain();
    world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
    let first = world.sign("/unstored");
    refused(&world.present(&first), 402, "settlement_refused");
    world.wait(2);
    world.payer.bound = Some(hex::decode_array(&first.nonce).unwrap());
    let second = world.sign("/unstored");
    let said = r#"{"isValid":false,"invalidReason":"nonce already used"}"#;
    world.facilitator.verify_plan.push_back(Verify::Raw(200, said.to_owned()));
    refused(&world.present(&second), 503, "settlement_unknown");
    world.pass(90_000);
    assert_eq!(world.facilitator.settles_of(&first.nonce), 1, "the first, which was refused");
    assert!(!world.facilitator.chain.is_used(&first.nonce));
}

// A-722
#[test]
fn what_another_one_submitted_is_served_to_its_payer_alone_once_the_chain_shows_it() {
    let (mut world, payment) = called_used(World::with_chain(), "/after");
    world.facilitator.chain.submit(&payment.nonce);
    world.pass(200);
    assert_eq!(world.ledger.state().name(), "settled");
    refused(&world.present(&payment), 409, "payment_already_delivered");
    let head = world.again(&payment, &Payer::new(1));
    assert!(world.send(head).is_delivery());
    assert_eq!(world.origin.calls.len(), 1);
    assert_eq!(world.facilitator.settles_of(&payment.nonce), 0);
}

// A-35
#[test]
fn a_transfer_from_before_the_first_sight_serves_nothing_here() {
    for target in MODES {
        let mut world = World::with_chain();
        let payment = world.sign(target);
        world.facilitator.chain.submit(&payment.nonce);
        world.wait(10);
        let answer = world.present(&payment);
        assert!(!answer.is_delivery() && !answer.has_terms(), "{}", answer.problem());
        world.pass(400);
        let State::Manual { why, .. } = world.ledger.state() else {
            panic!("{:?}", world.ledger.state());
        };
        assert_eq!(why, Why::PaidBefore);
        assert_eq!(world.origin.calls.len(), 0);
    }
}

// A-36
#[test]
fn an_authorization_that_someone_else_submits_first_pays_for_the_payer() {
    // Between the claim and verify, or the claim and settle.
    for target in MODES {
        let mut world = World::with_chain();
        let payment = world.sign(target);
        let mut first = world.start(paid(&payment), b"");
        world.advance(&mut first);
        world.facilitator.chain.submit(&payment.nonce);
        world.wait(4);
        while world.advance(&mut first) {}
        let answer = first.response.unwrap();
        assert!(answer.is_delivery(), "{target} {} {:?}", answer.problem(), world.ledger.state());
        assert_eq!(answer.settlement()["transaction"], transaction_of(&payment.nonce));
        assert_eq!(world.ledger.state().name(), "delivered");
    }
}

#[test]
fn a_released_payment_that_someone_else_submits_is_never_lost() {
    for target in MODES {
        let mut world = World::with_chain();
        let payment = world.sign(target);
        let mut first = world.start(paid(&payment), b"");
        world.advance(&mut first);
        drop(first);
        world.pass(100);
        world.facilitator.chain.submit(&payment.nonce);
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 9]);
        world.pass(1_500);
        let state = world.ledger.state();
        let State::RefundDue { why, transaction, .. } = state else { panic!("{state:?}") };
        assert_eq!(transaction.to_text(), transaction_of(&payment.nonce));
        let expected =
            if target == "/after" { Undelivered::LetGo } else { Undelivered::NotFetched };
        assert_eq!(why, expected);
        assert_eq!(world.origin.calls.len(), 0);
    }
}

// A-34
#[test]
fn a_header_rebuilt_from_a_foreign_submission_gets_no_content() {
    // Verify gave no answer, so the payment was released; then somebody submits it.
    let mut world = World::with_chain();
    let payment = world.sign("/before");
    world.facilitator.settle_plan.push_back(Settle::Spared);
    refused(&world.present(&payment), 503, "facilitator_unavailable");
    assert_eq!(world.ledger.state(), State::Released);
    world.facilitator.chain.submit(&payment.nonce);
    while !matches!(world.ledger.state(), State::Settled { .. }) {
        let at = world.wake_at().unwrap();
        world.set_ms(at.secs() * 1000);
        world.alarm();
    }
    refused(&world.present(&payment), 409, "payment_already_delivered");
    let payer = Payer::new(1);
    let head = world.again(&payment, &payer);
    assert!(world.send(head).is_delivery());
}

#[test]
fn first_sight_is_the_first_claim_whoever_claims_again() {
    for target in MODES {
        let mut world = World::with_chain();
        let payment = world.sign(target);
        match target {
            "/after" => world.facilitator.verify_plan.push_back(Verify::Silent),
            _ => world.facilitator.settle_plan.push_back(Settle::Spared),
        }
        refused(&world.present(&payment), 503, "facilitator_unavailable");
        world.wait(10);
        world.facilitator.chain.submit(&payment.nonce);
        world.wait(10);
        let answer = world.present(&payment);
        refused(&answer, 503, "settlement_unknown");
        let mut owed = ["refund_due", "delivered", "settled"].into_iter();
        world.pass(200);
        let state = world.ledger.state().name();
        assert!(owed.any(|name| name == state), "{target} {state}");
    }
}

// A-37
#[test]
fn a_cancelled_authorization_ends_void_and_nothing_is_handed_out() {
    for target in MODES {
        let mut world = World::with_chain();
        let payment = world.sign(target);
        let answer =
            happens_before_settle(&mut world, &payment, |chain| chain.cancel(&payment.nonce));
        assert!(!answer.is_delivery() && !answer.has_terms(), "{}", answer.problem());
        world.pass(200);
        assert_eq!(world.ledger.state(), State::Void, "{target}");
        assert_eq!(world.origin.calls.len(), usize::from(target == "/after"));
        assert!(world.present(&payment).has_terms());
    }
}

// A-38, A-90
#[test]
fn a_drained_wallet_is_refused_and_watched_until_it_can_no_longer_be_charged() {
    for target in MODES {
        let mut world = World::with_chain();
        let payment = world.sign(target);
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        refused(&world.present(&payment), 402, "settlement_refused");
        world.pass(payment.valid_before - world.now().secs());
        assert_eq!(world.ledger.state().name(), "refused");
        world.pass(800);
        assert_eq!(world.ledger.state(), State::Void);
    }
}

// A-39
#[test]
fn a_nonce_that_went_to_another_authorization_never_counts() {
    for target in MODES {
        let mut world = World::with_chain();
        let payment = world.sign(target);
        let answer =
            happens_before_settle(&mut world, &payment, |chain| chain.burn(&payment.nonce));
        assert!(!answer.is_delivery());
        world.pass(200);
        assert_eq!(world.ledger.state(), State::Void);
    }
}
