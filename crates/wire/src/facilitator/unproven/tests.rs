//! Places and turns, against small crowds.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::queue::{MAX_NETWORKS, QUEUED, Recent};
use super::*;

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(1_000).plus(secs)
}

fn of(network: &str) -> UnverifiedCaller {
    UnverifiedCaller { network: network.to_owned(), kind: UnverifiedKind::Contract, payment: None }
}

/// Number of these calls that begin at once.
fn begin(unproven: &mut UnverifiedLimiter, network: &str, calls: usize, now: UnixTime) -> usize {
    (0..calls).filter(|_| unproven.begin(&of(network), now) == Admittance::Begun).count()
}

/// Begins a call that finds no place and waits.
fn waits(unproven: &mut UnverifiedLimiter, network: &str, now: UnixTime) -> Ticket {
    match unproven.begin(&of(network), now) {
        Admittance::Queued(ticket) => ticket,
        place => panic!("{place:?}"),
    }
}

/// Ends a call of this network with this verdict.
fn ends(unproven: &mut UnverifiedLimiter, network: &str, verdict: CallResult, now: UnixTime) {
    assert_eq!(unproven.begin(&of(network), now), Admittance::Begun);
    unproven.ended(&of(network), verdict, now);
}

#[test]
fn a_network_has_sixteen_calls_at_once_and_the_next_one_has_its_turn_when_one_ends() {
    let mut unproven = UnverifiedLimiter::new();
    assert_eq!(begin(&mut unproven, "a", 20, at(0)), 16);
    assert_eq!(begin(&mut unproven, "b", 20, at(0)), 16, "others are others");
    let late = waits(&mut unproven, "a", at(0));
    assert_eq!(unproven.turn(&of("a"), Ticket(0), at(0)), Admittance::Queued(Ticket(0)));
    unproven.ended(&of("a"), CallResult::Bad, at(0));
    assert_eq!(unproven.turn(&of("a"), late, at(0)), Admittance::Queued(late), "not the last one");
    assert_eq!(unproven.turn(&of("a"), Ticket(0), at(0)), Admittance::Begun);
    assert_eq!(unproven.turn(&of("a"), Ticket(1), at(0)), Admittance::Queued(Ticket(1)));
}

#[test]
fn slots_go_in_order_of_arrival_not_of_asking() {
    let mut unproven = UnverifiedLimiter::new();
    begin(&mut unproven, "a", 16, at(0));
    let tickets: Vec<Ticket> = (0..5).map(|_| waits(&mut unproven, "a", at(0))).collect();
    for turn in 0..tickets.len() {
        unproven.ended(&of("a"), CallResult::Open, at(0));
        let place = |ticket: &Ticket| unproven.turn(&of("a"), *ticket, at(0));
        let places: Vec<Admittance> = tickets[turn..].iter().rev().map(place).collect();
        assert_eq!(places.last(), Some(&Admittance::Begun), "{turn}");
        assert_eq!(places.iter().filter(|place| **place == Admittance::Begun).count(), 1, "{turn}");
    }
}

#[test]
fn a_network_with_fewer_calls_is_next_however_many_of_another_wait() {
    let mut unproven = UnverifiedLimiter::new();
    for network in 0..128 {
        begin(&mut unproven, &alloc::format!("{network}"), 1, at(0));
    }
    let flood: Vec<Ticket> = (0..QUEUED).map(|_| waits(&mut unproven, "1", at(0))).collect();
    let honest = waits(&mut unproven, "late", at(0));
    unproven.ended(&of("7"), CallResult::Open, at(0));
    assert_eq!(unproven.turn(&of("1"), flood[0], at(0)), Admittance::Queued(flood[0]));
    assert_eq!(unproven.turn(&of("late"), honest, at(0)), Admittance::Begun);
}

#[test]
fn many_networks_whose_calls_take_long_hold_up_another_for_one_place_of_theirs() {
    let mut unproven = UnverifiedLimiter::new();
    let crowd: Vec<String> = (0..128).map(|network| alloc::format!("{network}")).collect();
    for network in &crowd {
        begin(&mut unproven, network, 1, at(0));
    }
    let flood: Vec<(&String, Ticket)> = (0..3)
        .flat_map(|_| &crowd)
        .map(|network| (network, waits(&mut unproven, network, at(0))))
        .collect();
    let honest = waits(&mut unproven, "late", at(0));
    unproven.ended(&of("77"), CallResult::Open, at(4));
    let places = flood.iter().map(|(network, it)| unproven.turn(&of(network), *it, at(4)));
    assert_eq!(places.filter(|place| *place == Admittance::Begun).count(), 0);
    assert_eq!(unproven.turn(&of("late"), honest, at(4)), Admittance::Begun);
}

#[test]
fn a_queue_that_is_full_of_a_few_networks_has_a_place_for_another() {
    let mut unproven = UnverifiedLimiter::new();
    let crowd: Vec<String> = (0..128).map(|network| alloc::format!("{network}")).collect();
    for network in &crowd {
        begin(&mut unproven, network, 1, at(0));
    }
    let mut last = Vec::new();
    for network in &crowd[..8] {
        let waiting = (0..QUEUED).map(|_| waits(&mut unproven, network, at(0)));
        last.extend(waiting.last().map(|ticket| (network, ticket)));
    }
    assert_eq!(unproven.begin(&of("0"), at(0)), Admittance::Full);
    let honest = waits(&mut unproven, "late", at(0));
    let lost = last.iter().filter(|(network, ticket)| {
        unproven.turn(&of(network), *ticket, at(0)) == Admittance::Full
    });
    assert_eq!(lost.count(), 1, "one of those that came last");
    unproven.ended(&of("77"), CallResult::Open, at(0));
    assert_eq!(unproven.turn(&of("late"), honest, at(0)), Admittance::Begun);
}

#[test]
fn a_waiter_that_stops_asking_holds_up_no_other() {
    let mut unproven = UnverifiedLimiter::new();
    begin(&mut unproven, "a", 16, at(0));
    let (gone, patient) = (waits(&mut unproven, "a", at(0)), waits(&mut unproven, "a", at(0)));
    for secs in 1..5 {
        assert_eq!(unproven.turn(&of("a"), patient, at(secs)), Admittance::Queued(patient));
    }
    assert_eq!(unproven.turn(&of("a"), patient, at(6)), Admittance::Queued(patient));
    unproven.ended(&of("a"), CallResult::Open, at(6));
    assert_eq!(unproven.turn(&of("a"), patient, at(6)), Admittance::Begun);
    assert_eq!(unproven.turn(&of("a"), gone, at(6)), Admittance::Full);
}

#[test]
fn a_slot_given_to_a_waiter_that_left_goes_to_the_next() {
    let mut unproven = UnverifiedLimiter::new();
    begin(&mut unproven, "a", 16, at(0));
    let (first, next) = (waits(&mut unproven, "a", at(0)), waits(&mut unproven, "a", at(0)));
    unproven.ended(&of("a"), CallResult::Open, at(0));
    unproven.left(&of("a"), first, at(0));
    assert_eq!(unproven.turn(&of("a"), next, at(0)), Admittance::Begun);
    assert_eq!(unproven.turn(&of("a"), first, at(0)), Admittance::Full);
}

#[test]
fn a_copy_of_a_payment_that_is_looked_at_waits_for_no_place() {
    let mut unproven = UnverifiedLimiter::new();
    let one = UnverifiedCaller { payment: Some([1; 32]), ..of("a") };
    let two = UnverifiedCaller { payment: Some([2; 32]), ..of("a") };
    assert_eq!(unproven.begin(&one, at(0)), Admittance::Begun);
    assert_eq!(unproven.begin(&one, at(0)), Admittance::Full);
    assert_eq!(unproven.begin(&two, at(0)), Admittance::Begun);
    unproven.ended(&one, CallResult::Open, at(0));
    assert_eq!(unproven.begin(&one, at(0)), Admittance::Begun);
}

#[test]
fn refusals_slow_a_network_and_never_stop_it() {
    let mut unproven = UnverifiedLimiter::new();
    for _ in 0..1_000 {
        ends(&mut unproven, "a", CallResult::Bad, at(0));
    }
    assert_eq!(begin(&mut unproven, "a", 16, at(0)), 4);
    assert_eq!(begin(&mut unproven, "b", 16, at(0)), 16);
}

#[test]
fn good_payments_and_time_forgive_refusals() {
    let indebted = || {
        let mut unproven = UnverifiedLimiter::new();
        for _ in 0..1_000 {
            ends(&mut unproven, "a", CallResult::Bad, at(0));
        }
        unproven
    };
    let mut paying = indebted();
    for (good, at_once) in [(2, 4), (1, 16)] {
        for _ in 0..good {
            ends(&mut paying, "a", CallResult::Good, at(0));
        }
        let places: Vec<Admittance> = (0..16).map(|_| paying.begin(&of("a"), at(0))).collect();
        let begun = places.iter().filter(|place| **place == Admittance::Begun).count();
        assert_eq!(begun, at_once);
        for place in places.iter().rev() {
            match place {
                Admittance::Queued(ticket) => paying.left(&of("a"), *ticket, at(0)),
                _ => paying.ended(&of("a"), CallResult::Open, at(0)),
            }
        }
    }
    assert_eq!(begin(&mut indebted(), "a", 16, at(65)), 4);
    assert_eq!(begin(&mut indebted(), "a", 16, at(66)), 16);
}

#[test]
fn what_one_kind_of_payment_takes_is_not_missing_to_another() {
    let mut unproven = UnverifiedLimiter::new();
    for network in 0..300 {
        begin(&mut unproven, &alloc::format!("{network}"), 20, at(0));
    }
    assert_eq!(begin(&mut unproven, "late", 1, at(0)), 0);
    for kind in [UnverifiedKind::OtherChain, UnverifiedKind::Transaction] {
        let sender = UnverifiedCaller { network: "1".to_owned(), kind, payment: None };
        assert_eq!(unproven.begin(&sender, at(0)), Admittance::Begun);
    }
}

#[test]
fn a_few_networks_cannot_take_the_places_of_all() {
    let mut unproven = UnverifiedLimiter::new();
    let crowd = |unproven: &mut UnverifiedLimiter, networks: core::ops::Range<usize>| -> usize {
        networks.map(|it| begin(unproven, &alloc::format!("{it}"), 20, at(0))).sum()
    };
    assert_eq!(crowd(&mut unproven, 0..4), 64);
    assert_eq!(crowd(&mut unproven, 4..64), 60, "one for each");
    assert_eq!(crowd(&mut unproven, 64..80), 4, "and 128 in all");
}

#[test]
fn a_queue_is_bounded_and_a_waiter_that_leaves_makes_room() {
    let mut unproven = UnverifiedLimiter::new();
    let places: Vec<Admittance> = (0..81).map(|_| unproven.begin(&of("a"), at(0))).collect();
    let queued = Admittance::Queued(Ticket(0));
    assert_eq!(
        [places[15], places[16], places[79]],
        [Admittance::Begun, queued, Admittance::Queued(Ticket(63))]
    );
    assert_eq!(places[80], Admittance::Full);
    unproven.left(&of("a"), Ticket(5), at(0));
    assert_eq!(unproven.begin(&of("a"), at(0)), Admittance::Queued(Ticket(64)));
}

#[test]
fn a_call_without_a_reported_end_is_over_after_a_minute() {
    let mut unproven = UnverifiedLimiter::new();
    assert_eq!(begin(&mut unproven, "a", 100, at(0)), 16);
    assert_eq!(begin(&mut unproven, "a", 100, at(59)), 0);
    assert_eq!(begin(&mut unproven, "b", 100, at(60)), 16);
    assert_eq!(unproven.contracts.networks.get("a").map(Recent::calls), Some(16), "the next");
}

#[test]
fn it_stays_bounded_and_lets_new_networks_in_all_the_same() {
    let mut unproven = UnverifiedLimiter::new();
    for network in 0..3 * MAX_NETWORKS {
        ends(&mut unproven, &alloc::format!("{network}"), CallResult::Bad, at(0));
    }
    assert!(unproven.contracts.networks.len() <= MAX_NETWORKS);
    assert_eq!(unproven.begin(&of("late"), at(0)), Admittance::Begun);
}

/// A call about a session, with this payment, which ends with this result; whether it began.
fn looks(unproven: &mut UnverifiedLimiter, payment: u8, verdict: CallResult, secs: u64) -> bool {
    let payment = Some([payment; 32]);
    let sender = UnverifiedCaller { payment, kind: UnverifiedKind::Session, ..of("a") };
    let is_begun = unproven.begin(&sender, at(secs)) == Admittance::Begun;
    if is_begun {
        unproven.ended(&sender, verdict, at(secs));
    }
    is_begun
}

#[test]
fn a_network_that_sends_junk_for_sessions_is_stopped_until_time_forgives() {
    let mut unproven = UnverifiedLimiter::new();
    let junk = (0..40).filter(|it| looks(&mut unproven, *it, CallResult::Bad, 0));
    assert_eq!(junk.count(), 20);
    let junk = (0..60).filter(|secs| looks(&mut unproven, 7, CallResult::Bad, *secs));
    assert_eq!(junk.count(), 9, "one in six seconds");
    let other = UnverifiedCaller { kind: UnverifiedKind::Session, ..of("b") };
    assert_eq!(unproven.begin(&other, at(0)), Admittance::Begun);
    assert_eq!(unproven.begin(&of("a"), at(60)), Admittance::Begun, "other kinds are slowed");
}

#[test]
fn what_a_network_shows_again_counts_as_junk() {
    let mut unproven = UnverifiedLimiter::new();
    let fresh = (0..40).filter(|it| looks(&mut unproven, *it, CallResult::Open, 0));
    assert_eq!(fresh.count(), 40);
    let again = (0..40).filter(|_| looks(&mut unproven, 77, CallResult::Open, 0));
    assert_eq!(again.count(), 21);
}
