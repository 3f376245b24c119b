//! How much one payer may have in flight. Spec: docs/configuration.md, "Variables".

use crate::world::facilitator::Settle;
use crate::world::payer::Payer;
use crate::world::{World, paid};

//
#[test]
fn a_payer_has_sixteen_payments_in_flight_and_not_one_more() {
    for target in ["/after", "/before"] {
        let mut world = World::new();
        let mut running: Vec<_> = (0..16)
            .map(|_| {
                let payment = world.sign(target);
                let mut running = world.start(paid(&payment), b"");
                world.advance(&mut running);
                running
            })
            .collect();
        let began = world.now_ms;
        let payment = world.sign(target);
        let response = world.present(&payment);
        assert_eq!((response.status, response.problem().as_str()), (429, "too_many_in_flight"));
        assert_eq!(response.headers.get("retry-after"), Some("2"));
        assert!(!response.has_terms());
        assert_eq!(world.now_ms - began, 2_000, "it waits up to two seconds");
        assert_eq!(world.facilitator.settles_of(&payment.nonce), 0);
        let mine = std::mem::replace(&mut world.payer, Payer::new(2));
        assert_eq!(world.pay(target).status, 200, "another payer is not concerned");
        world.payer = mine;
        let mut last = running.pop().unwrap();
        while world.advance(&mut last) {}
        assert_eq!(world.present(&payment).status, 200);
        for mut one in running {
            while world.advance(&mut one) {}
            assert_eq!(one.response.unwrap().status, 200);
        }
    }
}

#[test]
fn a_place_that_becomes_free_while_it_waits_is_taken() {
    let mut vars = crate::world::vars(crate::world::routes());
    vars["MAX_IN_FLIGHT_PER_PAYER"] = 1.into();
    let mut world = World::with(vars);
    let (one, two) = (world.sign("/after"), world.sign("/after"));
    let mut first = world.start(paid(&one), b"");
    world.advance(&mut first);
    let mut second = world.start(paid(&two), b"");
    world.advance(&mut second);
    assert_eq!(second.next(), "claim");
    while world.advance(&mut first) {}
    while world.advance(&mut second) {}
    assert_eq!(second.response.unwrap().status, 200);
}

#[test]
pub fn a_payer_whose_outcome_is_unknown_has_one_payment_in_flight() {
    for (plan, secs) in [
        (vec![Settle::SilentLate, Settle::SilentLate], 361),
        (vec![Settle::Refuse("insufficient_funds")], 361),
    ] {
        let mut world = World::new();
        world.facilitator.settle_plan.extend(plan);
        assert!(world.pay("/after").status >= 400);
        let (one, two) = (world.sign("/after/other"), world.sign("/dear"));
        let mut first = world.start(paid(&one), b"");
        world.advance(&mut first);
        assert_eq!(world.present(&two).problem(), "too_many_in_flight");
        while world.advance(&mut first) {}
        assert_eq!(first.response.unwrap().status, 200);
        assert_eq!(world.present(&two).status, 200);
        world.wait(secs);
        let (one, two) = (world.sign("/after/other"), world.sign("/dear"));
        let mut first = world.start(paid(&one), b"");
        world.advance(&mut first);
        assert_eq!(world.present(&two).status, 200, "watching ends with the validity");
    }
}

#[test]
fn all_payments_of_a_payer_are_in_one_object() {
    let mut world = World::new();
    for target in ["/after", "/before", "/dear"] {
        world.pay(target);
    }
    world.ledger.objects.dedup();
    assert_eq!(world.ledger.objects.len(), 1);
    let mut objects: Vec<_> = (2..60)
        .map(|number| {
            world.payer = Payer::new(number);
            world.pay("/after");
            world.ledger.objects.last().unwrap().clone()
        })
        .collect();
    objects.sort();
    objects.dedup();
    assert!(objects.len() >= 12, "{objects:?}");
    assert!(objects.iter().all(|name| name.starts_with("ledger/16/")));
}
