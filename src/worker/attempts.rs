//! Failures in a row and quoted prices of this isolate.

use std::cell::RefCell;

use farebox_core::gate::Gate;
use farebox_core::gate::admission::{Admission, AwaitingPrice};
use farebox_core::gate::attempts::{Attempts, Batch, ClientKey};
use farebox_core::gate::isolate::Isolate;
use farebox_core::gate::reply::Marks;
use farebox_core::gate::unpaid::AwaitingQuota;
use farebox_core::http::RequestHead;

use super::facilitator;
use crate::platform::now;

thread_local! {
    static ATTEMPTS: RefCell<Attempts> = const { RefCell::new(Attempts::new()) };
}

/// Asks the gate to decide about a request; also returns the client's key if it came with a
/// payment.
pub(super) fn admit<'g>(
    gate: &'g Gate,
    head: RequestHead,
    fresh: &str,
) -> (Admission<'g>, Option<ClientKey>) {
    surrounded(gate, |isolate| {
        let admission = gate.admit(head, fresh, isolate, now());
        (admission, isolate.client)
    })
}

/// Asks the gate to decide once it is known whether a request is one of the client's free ones.
pub(super) fn spent<'g>(
    gate: &'g Gate,
    spending: AwaitingQuota,
    answer: Option<&str>,
) -> Admission<'g> {
    surrounded(gate, |isolate| gate.admissions().take_quota(spending, answer, isolate, now()))
}

/// Asks the gate to decide once the price of a request is known.
pub(super) fn priced<'g>(
    gate: &'g Gate,
    pricing: AwaitingPrice,
    answer: Option<&str>,
) -> (Admission<'g>, Option<ClientKey>) {
    surrounded(gate, |isolate| {
        let admission = gate.admissions().take_price(pricing, answer, isolate, now());
        (admission, isolate.client)
    })
}

/// Runs `decide` with what this isolate knows.
pub(super) fn surrounded<T>(gate: &Gate, decide: impl FnOnce(&mut Isolate<'_>) -> T) -> T {
    let facilitators = facilitator::conditions(gate);
    facilitator::with_payers(|payers| {
        ATTEMPTS.with_borrow_mut(|attempts| {
            decide(&mut Isolate { facilitators, payers, attempts, client: None })
        })
    })
}

/// Counts the outcome in an answer to a client that sent a payment.
pub(super) fn answered(client_key: &ClientKey, marks: &Marks) {
    ATTEMPTS.with_borrow_mut(|attempts| {
        if marks.served {
            attempts.succeeded(client_key, now());
        }
        if let Some((failure, payer)) = &marks.failed {
            attempts.failed(client_key, failure, Some(payer.clone()), now());
        }
    });
}

/// Whether there is anything to hand over.
pub(super) fn is_waiting() -> bool {
    ATTEMPTS.with_borrow(Attempts::is_waiting)
}

/// The counts to hand over, by object.
pub(super) fn hand_over(gate: &Gate) -> Vec<Batch> {
    ATTEMPTS.with_borrow_mut(|attempts| gate.hand_over(attempts, now()))
}

/// Takes an object's answer.
pub(super) fn heard(parcel: Batch, answer: Option<&str>) {
    ATTEMPTS.with_borrow_mut(|attempts| attempts.heard(parcel, answer, now()));
}
