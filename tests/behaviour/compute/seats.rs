//! Seats that payments keep which do not come: one of a wallet without money keeps none from a buyer who
//! pays.

use farebox_core::compute::message::{Answer, Command, TillPayment};
use farebox_core::compute::row::{JobState, QuoteState};

use super::unheard::Keyed;
use super::world::{PRICE, Told, World};

/// Answers of a gate that began nothing for this request.
const UNBEGUN: [(u32, &str); 5] = [
    (409, "payment_already_used"),
    (403, "payer_denied"),
    (429, "too_many_in_flight"),
    (429, "rate_limited"),
    (431, "proof_too_large"),
];

/// Sends the payment of a quote to the gate.
fn pays(world: &mut World, buyer: &Keyed) -> String {
    let id = buyer.quote.text("payment_id");
    assert_eq!(buyer.verify(world, &buyer.signed(PRICE)), Answer::Till(id.clone()));
    id
}

/// The gate forwards the payment of a quote, settled.
fn settles(world: &mut World, buyer: &Keyed) -> Told {
    let id = buyer.quote.text("payment_id");
    let payer = buyer.address.clone();
    Told::of(world.sold(&TillPayment { payer, ..world.sale(&id, &format!("rcpt_{id}"), 9) }))
}

fn states(world: &World) -> Vec<QuoteState> {
    world.rows.quotes.iter().map(|quote| quote.state).collect()
}

/// A stranger's payment takes the seat of a buyer's quote once more: the buyer who pays has it back.
fn keeps_none_from_a_buyer(world: &mut World, stranger: &Keyed) {
    world.beat(1);
    let buyer = Keyed::asks(world, 8, "10.0.0.2");
    world.now += 10_000;
    pays(world, stranger);
    assert_eq!(states(world), [QuoteState::Settling, QuoteState::Displaced]);
    pays(world, &buyer);
    assert_eq!(states(world), [QuoteState::Displaced, QuoteState::Settling]);
    assert_eq!(settles(world, &buyer).status, 200);
}

//
#[test]
pub fn a_payment_that_the_gate_did_not_begin_keeps_its_seat_from_no_one() {
    for (status, code) in UNBEGUN {
        let mut world = World::with_seller();
        let stranger = Keyed::quoted(&mut world);
        let id = pays(&mut world, &stranger);
        assert_eq!(world.send(world.taken_with(&id, status, code)), Answer::Nothing);
        assert!(world.rows.jobs.is_empty(), "{code}");
        assert_eq!(world.beat(1).text("seller_status"), "idle", "{code}");
        keeps_none_from_a_buyer(&mut world, &stranger);
    }
}

//
#[test]
pub fn a_quote_whose_payment_did_not_come_leaves_no_prompt() {
    let mut world = World::with_seller();
    let stranger = Keyed::quoted(&mut world);
    // Three of its network and hour were there before.
    world.rows.quotes[0].firm = 0;
    let id = pays(&mut world, &stranger);
    world.send(world.taken_with(&id, 409, "payment_already_used"));
    world.send(Command::Unpriced(id));
    assert_eq!(states(&world), [QuoteState::Lapsed]);
    assert_eq!(world.rows.quotes[0].prompt, "");
}

#[test]
fn a_buyer_whose_other_request_the_gate_serves_has_the_job() {
    for (status, code) in UNBEGUN {
        let mut world = World::with_seller();
        let buyer = Keyed::quoted(&mut world);
        let id = pays(&mut world, &buyer);
        pays(&mut world, &buyer);
        world.send(world.taken_with(&id, status, code));
        assert_eq!(settles(&mut world, &buyer).status, 200, "{code}");
        assert_eq!(world.rows.jobs[0].state, JobState::Paid, "{code}");
    }
}

//
#[test]
pub fn a_payment_that_another_request_shows_the_gate_keeps_no_seat_by_this_one() {
    for does_settle in [true, false] {
        let mut world = World::with_seller();
        let buyer = Keyed::asks(&mut world, 8, "10.0.0.2");
        world.now += 10_000;
        let stranger = Keyed::quoted(&mut world);
        let id = pays(&mut world, &stranger);
        world.send(world.taken_with(&id, 409, "payment_in_progress"));
        assert_eq!(world.beat(1).text("seller_status"), "busy");
        if does_settle {
            assert_eq!(settles(&mut world, &stranger).status, 200, "its buyer sent it twice");
            continue;
        }
        pays(&mut world, &buyer);
        assert_eq!(settles(&mut world, &buyer).status, 200);
    }
}

//
#[test]
pub fn a_payment_that_did_not_come_once_keeps_a_seat_as_a_quote_does() {
    let mut world = World::with_seller();
    let stranger = Keyed::quoted(&mut world);
    pays(&mut world, &stranger);
    world.now += 120_000;
    world.alarm();
    assert_eq!(states(&world), [QuoteState::Displaced]);
    keeps_none_from_a_buyer(&mut world, &stranger);
    // Refused, its seat is free, and the quote can be paid until its end.
    let mut world = World::with_seller();
    let stranger = Keyed::quoted(&mut world);
    pays(&mut world, &stranger);
    world.now += 120_000;
    world.alarm();
    world.beat(1);
    let id = pays(&mut world, &stranger);
    assert_eq!(world.told(world.taken(&id, 402)).code(), (400, "FACILITATOR_RESPONSE_INVALID"));
    assert_eq!(world.beat(1).text("seller_status"), "idle");
    assert_eq!(settles(&mut world, &stranger).status, 200);
}
