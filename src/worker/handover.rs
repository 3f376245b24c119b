//! Hands an isolate's counts over to objects behind an answer: once for all requests of a while,
//! never before one.

use std::cell::Cell;
use std::rc::Rc;

use farebox_core::gate::Gate;
use futures_util::future::join_all;
use wasm_bindgen::JsValue;

use super::{attempts, edge, meters, operator};

thread_local! {
    /// Time at which the last hand-over was to begin or ended, and whether it is still open.
    static LAST: Cell<Option<(u64, bool)>> = const { Cell::new(None) };
}

/// Milliseconds from the first count to a hand-over.
const WAIT_MS: u64 = 2_000;
/// Milliseconds from the end of one hand-over to the next.
const GAP_MS: u64 = 10_000;
/// Milliseconds after which a hand-over counts as lost.
const LOST_MS: u64 = 30_000;
/// Objects called at once.
const AT_ONCE: usize = 4;

/// Whether counts wait for a hand-over that has not been started.
pub(super) fn is_due(gate: &Gate) -> bool {
    let is_open =
        |(since, open): (u64, bool)| open && edge::clock_ms().saturating_sub(since) < LOST_MS;
    let waits = attempts::is_waiting() || gate.has_operator() && meters::is_waiting();
    waits && !LAST.get().is_some_and(is_open)
}

/// Starts a hand-over of the counts after a while.
pub(super) fn begin(gate: &Rc<Gate>, namespace: &JsValue, context: &JsValue) {
    if !is_due(gate) {
        return;
    }
    let now = edge::clock_ms();
    let wait = match LAST.get() {
        Some((since, false)) => WAIT_MS.max(GAP_MS.saturating_sub(now.saturating_sub(since))),
        _ => WAIT_MS,
    };
    LAST.set(Some((now.saturating_add(wait), true)));
    let (gate, namespace) = (gate.clone(), namespace.clone());
    let work = edge::promise(async move {
        edge::pause(u32::try_from(wait).unwrap_or(u32::MAX)).await;
        hand_over(&gate, &namespace).await;
        LAST.set(Some((edge::clock_ms(), false)));
        JsValue::UNDEFINED
    });
    edge::wait_until(context, &js_sys::Promise::from(work));
}

async fn hand_over(gate: &Gate, namespace: &JsValue) {
    let mut parcels = attempts::hand_over(gate);
    while !parcels.is_empty() {
        let rest = parcels.split_off(parcels.len().min(AT_ONCE));
        let answers =
            join_all(parcels.iter().map(|parcel| operator::ask(namespace, &parcel.call))).await;
        for (parcel, answer) in parcels.into_iter().zip(answers) {
            attempts::heard(parcel, answer.as_deref());
        }
        parcels = rest;
    }
    if gate.has_operator() {
        meters::hand_over(namespace).await;
    }
}
