//! Debts of a route whose origin may be asked again: who is served for one, and who is not. Spec: docs/repeats.md, "Repeats".

use farebox_core::encoding::hex;
use farebox_core::ledger::report::Decision;
use farebox_core::ledger::shard::Decided;
use serde_json::json;

use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{Response, With, World, paid, vars};

/// Each way in which a payment becomes a debt, or one that was sold.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// The origin does not answer.
    Origin,
    /// The Worker is lost once the money has moved.
    Worker,
    /// The origin's answer is lost, and the program that refunds answers for it.
    Sold,
}

const LOSSES: [Loss; 3] = [Loss::Origin, Loss::Worker, Loss::Sold];

/// What a payer without a key has paid and not received.
fn owed(loss: Loss) -> (World, Payment) {
    let route =
        json!([{"path": "/twice", "price": "$0.01", "settle": "before", "idempotent": true}]);
    let mut world = World::with(vars(route));
    let payment = world.sign("/twice");
    if matches!(loss, Loss::Worker) {
        let mut running = world.start(paid(&payment), b"");
        while running.next() != "forward" {
            assert!(world.advance(&mut running));
        }
        drop(running);
        let lease = world.row_of(&payment.nonce).wake_at().unwrap();
        world.wait(lease.secs() - world.now().secs());
        world.ledger.lapse(world.now());
    } else {
        world.origin.plan.push_back(Say::Lost);
        assert_eq!(world.present(&payment).problem(), "refund_due");
    }
    if matches!(loss, Loss::Sold) {
        let id = world.row_of(&payment.nonce).payment.receipt;
        let sold = Decision::Refunding { known_since: 0, key: Some("till".to_owned()), sold: true };
        assert!(matches!(world.ledger.decided(&id, &sold, world.now()), Decided::Done(..)));
    }
    (world, payment)
}

fn is_refused(response: &Response, loss: Loss) {
    let code = match loss {
        Loss::Origin | Loss::Worker => "refund_due",
        Loss::Sold => "payment_already_delivered",
    };
    assert_eq!((response.status, response.problem().as_str()), (409, code), "{loss:?}");
}

/// The reader of the chain has come as soon as they could, and as often.
fn is_refused_to_a_stranger(world: &mut World, payment: &Payment, loss: Loss) {
    let calls = world.origin.calls.len();
    for secs in [0, 1, 29, 30] {
        world.wait(secs);
        let stranger = paid(payment).header("cf-connecting-ip", "192.0.2.66");
        is_refused(&world.send(stranger), loss);
        let guess = paid(payment).header("idempotency-key", &"g".repeat(22));
        is_refused(&world.send(guess), loss);
    }
    assert_eq!(world.origin.calls.len(), calls, "{loss:?}: the origin is not asked");
}

fn is_served_once(world: &World, response: &Response, payment: &Payment, loss: Loss) {
    assert!(response.is_delivery(), "{loss:?}: {}", response.problem());
    assert_eq!(world.facilitator.settles_of(&payment.nonce), 1, "{loss:?}");
    assert_eq!(world.row_of(&payment.nonce).state.name(), "delivered", "{loss:?}");
}

//
#[test]
pub fn a_debt_is_served_to_no_reader_of_the_chain_and_to_its_payers_signature() {
    for loss in LOSSES {
        let (mut world, payment) = owed(loss);
        is_refused_to_a_stranger(&mut world, &payment, loss);
        let again = world.again(&payment, &world.payer);
        let response = world.send(again);
        is_served_once(&world, &response, &payment, loss);
    }
}

//
#[test]
fn a_debt_is_served_to_its_payer_who_signs_the_same_nonce_again() {
    for loss in LOSSES {
        let (mut world, payment) = owed(loss);
        is_refused_to_a_stranger(&mut world, &payment, loss);
        world.payer.bound = Some(hex::decode_array(&payment.nonce).unwrap());
        let signed_again = world.sign("/twice");
        let response = world.present(&signed_again);
        is_served_once(&world, &response, &payment, loss);
    }
}

#[test]
fn a_new_payment_beside_a_debt_is_another_purchase_and_the_debt_stays() {
    for loss in LOSSES {
        let (mut world, payment) = owed(loss);
        let state = world.row_of(&payment.nonce).state;
        let next = world.sign("/twice");
        let response = world.present(&next);
        is_served_once(&world, &response, &next, loss);
        assert_eq!(world.row_of(&payment.nonce).state, state, "{loss:?}");
    }
}
