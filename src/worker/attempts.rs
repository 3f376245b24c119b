//! Who failed how often, as this isolate knows it.

use std::cell::RefCell;

use farebox_core::gate::Gate;
use farebox_core::gate::admit::Surroundings;
use farebox_core::gate::attempts::{Attempts, Parcel};
use farebox_core::gate::passage::Step;
use farebox_core::gate::reply::Marks;
use farebox_core::http::RequestHead;
use farebox_core::ledger::attempts::Place;

use super::{facilitator, now};

thread_local! {
    static ATTEMPTS: RefCell<Attempts> = const { RefCell::new(Attempts::new()) };
}

/// What the gate decides about a request, and where its client is counted if it brought a payment.
pub(super) fn admit<'g>(
    gate: &'g Gate,
    head: RequestHead,
    fresh: &str,
) -> (Step<'g>, Option<Place>) {
    let (strain, troubles) = facilitator::conditions(gate);
    ATTEMPTS.with_borrow_mut(|attempts| {
        let mut around = Surroundings { strain, troubles, attempts, client: None };
        let step = gate.admit(head, fresh, &mut around, now());
        (step, around.client)
    })
}

/// Counts what an answer says about a client that brought a payment.
pub(super) fn answered(place: &Place, marks: &Marks) {
    ATTEMPTS.with_borrow_mut(|attempts| {
        if marks.served {
            attempts.succeeded(place, now());
        }
        if let Some((blame, payer)) = &marks.failed {
            attempts.failed(place, blame, Some(payer.clone()), now());
        }
    });
}

/// Whether there is anything to hand over.
pub(super) fn is_waiting() -> bool {
    ATTEMPTS.with_borrow(Attempts::is_waiting)
}

/// What was counted, by object.
pub(super) fn hand_over() -> Vec<Parcel> {
    ATTEMPTS.with_borrow_mut(|attempts| attempts.hand_over(now()))
}

/// Takes an object's answer.
pub(super) fn heard(parcel: Parcel, answer: Option<&str>) {
    ATTEMPTS.with_borrow_mut(|attempts| attempts.heard(parcel, answer, now()));
}
