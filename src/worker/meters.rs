//! Counts that need not be exact: kept by the isolate, added to one object now and then while there is an operator
//! who may ask. What an isolate has not handed over when it ends is lost.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use farebox_core::facilitator::wire::Reply as Wire;
use farebox_core::gate::Gate;
use farebox_core::gate::operator::{METERS, label, meter};
use farebox_core::gate::reply::Reply;
use wasm_bindgen::JsValue;

use super::edge;

thread_local! {
    /// By name and labels.
    static COUNTS: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
    /// When a hand-over was begun that has not ended.
    static PENDING: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Milliseconds from the first count to the hand-over.
const WAIT_MS: u32 = 5_000;
/// Milliseconds after which a hand-over counts as lost.
const LOST_MS: u64 = 20_000;
/// Milliseconds after which the object counts as down.
const DEADLINE_MS: u32 = 5_000;

/// An answer that may carry terms.
pub(super) fn answered(reply: &Reply, route: &str) {
    if reply.head.headers.get("payment-required").is_some() {
        add(&format!("farebox_challenges_total{{route=\"{}\"}}", label(route)), 1);
    }
}

/// A call to a facilitator.
pub(super) fn called(url: &str, milliseconds: u64, reply: &Wire) {
    let op = if url.ends_with("/verify") { "verify" } else { "settle" };
    add(&format!("farebox_facilitator_seconds_sum{{op=\"{op}\"}}"), milliseconds);
    add(&format!("farebox_facilitator_seconds_count{{op=\"{op}\"}}"), 1);
    let kind = match reply {
        Wire::Answer { status: 500.., .. } => "status",
        Wire::Answer { is_json: false, .. } => "not_json",
        Wire::Answer { .. } => return,
        Wire::Nothing => "no_answer",
        Wire::NotSent | Wire::Recalled(_) => "not_sent",
    };
    add(&format!("farebox_facilitator_errors_total{{op=\"{op}\",kind=\"{kind}\"}}"), 1);
}

fn add(series: &str, value: u64) {
    COUNTS.with_borrow_mut(|counts| *counts.entry(series.to_owned()).or_default() += value);
}

/// Has what was counted handed over in a while, once for all requests of that while.
pub(super) fn hand_over(gate: &Gate, namespace: &JsValue, context: &JsValue) {
    let now = edge::clock_ms();
    let pending = PENDING.get().is_some_and(|since| now.saturating_sub(since) < LOST_MS);
    if pending || !gate.has_operator() {
        return;
    }
    PENDING.set(Some(now));
    let namespace = namespace.clone();
    let work = edge::promise(async move {
        edge::pause(WAIT_MS).await;
        let counts = COUNTS.take();
        if !counts.is_empty() {
            let message = meter(counts.into_iter().collect());
            edge::settled(edge::ask_object(
                &namespace,
                METERS,
                &message,
                &JsValue::NULL,
                DEADLINE_MS,
            ))
            .await;
        }
        PENDING.set(None);
        JsValue::UNDEFINED
    });
    edge::wait_until(context, &js_sys::Promise::from(work));
}
