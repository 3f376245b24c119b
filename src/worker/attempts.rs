//! Who failed how often, and what was quoted, as this isolate knows it.

use std::cell::RefCell;

use farebox_core::gate::Gate;
use farebox_core::gate::admission::{Admission, Pricing};
use farebox_core::gate::attempts::{Attempts, Parcel, Spot};
use farebox_core::gate::isolate::Surroundings;
use farebox_core::gate::passing::Spending;
use farebox_core::gate::reply::Marks;
use farebox_core::http::RequestHead;

use super::{facilitator, now};

thread_local! {
    static ATTEMPTS: RefCell<Attempts> = const { RefCell::new(Attempts::new()) };
}

/// What the gate decides about a request, and where its client is counted if it brought a payment.
pub(super) fn admit<'g>(
    gate: &'g Gate,
    head: RequestHead,
    fresh: &str,
) -> (Admission<'g>, Option<Spot>) {
    surrounded(gate, |around| {
        let admission = gate.admit(head, fresh, around, now());
        (admission, around.client)
    })
}

/// What the gate decides once it is known whether a request is one of the client's free ones.
pub(super) fn spent<'g>(gate: &'g Gate, spending: Spending, answer: Option<&str>) -> Admission<'g> {
    surrounded(gate, |around| gate.spent(spending, answer, around, now()))
}

/// What the gate decides once it is known what a request costs.
pub(super) fn priced<'g>(
    gate: &'g Gate,
    pricing: Pricing,
    answer: Option<&str>,
) -> (Admission<'g>, Option<Spot>) {
    surrounded(gate, |around| {
        let admission = gate.priced_at(pricing, answer, around, now());
        (admission, around.client)
    })
}

fn surrounded<T>(gate: &Gate, decide: impl FnOnce(&mut Surroundings<'_>) -> T) -> T {
    let facilitators = facilitator::conditions(gate);
    ATTEMPTS.with_borrow_mut(|attempts| {
        decide(&mut Surroundings { facilitators, attempts, client: None })
    })
}

/// Counts what an answer says about a client that brought a payment.
pub(super) fn answered(spot: &Spot, marks: &Marks) {
    ATTEMPTS.with_borrow_mut(|attempts| {
        if marks.served {
            attempts.succeeded(spot, now());
        }
        if let Some((blame, payer)) = &marks.failed {
            attempts.failed(spot, blame, Some(payer.clone()), now());
        }
    });
}

/// Whether there is anything to hand over.
pub(super) fn is_waiting() -> bool {
    ATTEMPTS.with_borrow(Attempts::is_waiting)
}

/// What was counted, by object.
pub(super) fn hand_over(gate: &Gate) -> Vec<Parcel> {
    ATTEMPTS.with_borrow_mut(|attempts| gate.hand_over(attempts, now()))
}

/// Takes an object's answer.
pub(super) fn heard(parcel: Parcel, answer: Option<&str>) {
    ATTEMPTS.with_borrow_mut(|attempts| attempts.heard(parcel, answer, now()));
}
