//! Money that has gone by a transaction that is not known: of a refund a person alone can tell the gate.

use std::cell::Cell;

use farebox_core::compute::message::{Command, PayoutAnswer, PayoutCall, TillPayment};
use farebox_core::compute::row::HoldKind;
use serde_json::json;

use super::claims::{said, waits, works_on};
use super::world::{TX, World};

/// A world whose money of a job has left, by a transaction that is not known, and which the gate owes:
/// to the seller if the job is done, else back to the buyer.
fn unnamed(is_done: bool) -> (World, TillPayment) {
    let mut world = World::of(HoldKind::Contract);
    world.seller(1, "0.005");
    let job = world.running();
    let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
    let pays = world.past_gate(answer);
    let body = json!({"id": "esc_1", "state": "confirmed", "outcome": "sent", "transaction": null});
    world.report(&pays, Some(PayoutAnswer { status: 200, body: body.to_string() }));
    let debt = TillPayment { transaction: TX.to_owned(), ..world.sale("", "rcpt_hello", 9) };
    world.send(Command::Owed(Box::new(debt.clone())));
    (world, debt)
}

#[test]
pub fn the_gate_hears_of_what_was_sold_though_its_transaction_is_not_known() {
    // Where its buyer was paid back there, too, a person hears of that.
    for (status, code, why) in [(200, "", None), (409, "refund_ended", Some("Report"))] {
        let (mut world, _) = unnamed(true);
        let until = world.now + 86_400_000;
        let asked = works_on(&mut world, until, |_| said(status, code));
        assert!(matches!(asked[..], [PayoutCall::Refunding { sold: true, .. }, ..]), "{asked:?}");
        assert_eq!(waits(&world, "rcpt_hello").as_deref(), why);
    }
}

//
#[test]
pub fn a_refund_without_a_name_is_over_once_a_person_has_reported_it_at_the_gate() {
    // It was reported, its row has left, or its buyer has fetched the answer.
    for (first, (status, code)) in [
        ((200, ""), (409, "refund_ended")),
        ((404, "not_found"), (404, "not_found")),
        ((409, "refund_ended"), (409, "refund_ended")),
    ] {
        let (mut world, debt) = unnamed(false);
        // The exchange cannot tell by which transaction, and asks whether someone has.
        let until = world.now + 86_400_000;
        let asked = works_on(&mut world, until, |_| said(first.0, first.1));
        assert!(matches!(asked[..], [PayoutCall::Refunding { .. }]), "{asked:?}");
        assert_eq!(waits(&world, "rcpt_hello").as_deref(), Some("Report"));
        let ask = Command::AskNow("rcpt_hello".to_owned());
        assert_eq!(world.told(ask.clone()).status, 200);
        let until = world.now + 86_400_000;
        let asked = works_on(&mut world, until, |_| said(status, code));
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(waits(&world, "rcpt_hello"), None);
        assert_eq!(world.told(ask).code(), (409, "NOTHING_TO_ASK"));
        // A gate that was restored and owes it again hears nothing that nobody here knows.
        world.send(Command::Owed(Box::new(debt)));
        let until = world.now + 86_400_000;
        assert_eq!(works_on(&mut world, until, |_| said(200, "")), []);
    }
}

//
#[test]
pub fn no_answer_that_comes_by_itself_ends_a_refund_without_a_name() {
    for (status, code) in [(409, "refund_begun"), (401, "operator_unauthorized")] {
        for silent in [0, 1, 8, 9, 15] {
            let (mut world, _) = unnamed(false);
            let until = world.now + 86_400_000;
            let asked = Cell::new(0);
            works_on(&mut world, until, |_| {
                let is_over = asked.replace(asked.get() + 1) >= silent;
                if is_over { said(409, "refund_ended") } else { said(status, code) }
            });
            assert_eq!(waits(&world, "rcpt_hello").as_deref(), Some("Report"), "{code} {silent}");
            // However often they press, they have asked.
            for _ in 0..2 {
                assert_eq!(world.told(Command::AskNow("rcpt_hello".to_owned())).status, 200);
            }
            let until = world.now + 86_400_000;
            works_on(&mut world, until, |_| said(409, "refund_ended"));
            assert_eq!(waits(&world, "rcpt_hello"), None, "{code} {silent}");
        }
    }
}
