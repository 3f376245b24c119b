//! Approximate counters: kept by the isolate, and added to one object now and then if there is an
//! operator to read them. Counts that an isolate has not handed over when it ends are lost.

use std::cell::RefCell;

use farebox_core::facilitator::reply::FacilitatorReply;
use farebox_core::gate::operator::{METERS, label, meter};
use farebox_core::gate::reply::Reply;
use farebox_core::sorted::Sorted;
use wasm_bindgen::JsValue;

use super::edge;

thread_local! {
    /// Counts by name and labels.
    static COUNTS: RefCell<Sorted<String, u64>> = const { RefCell::new(Sorted::new()) };
}

/// Milliseconds after which the object counts as down.
const DEADLINE_MS: u32 = 5_000;

/// Counts an answer with terms or with a diagnosis.
pub(super) fn answered(reply: &Reply, route: &str) {
    if reply.head.headers.get("payment-required").is_some() {
        asked_for_terms(route);
    }
    if let Some(code) = reply.marks.diagnosed {
        let (route, code) = (label(route), code.name());
        add(&format!("farebox_diagnostics_total{{route=\"{route}\",code=\"{code}\"}}"), 1);
    }
}

/// Counts an answer with terms.
pub(super) fn asked_for_terms(route: &str) {
    add(&format!("farebox_challenges_total{{route=\"{}\"}}", label(route)), 1);
}

/// Counts a call to a facilitator.
pub(super) fn called(url: &str, milliseconds: u64, reply: &FacilitatorReply) {
    let op = if url.ends_with("/verify") { "verify" } else { "settle" };
    add(&format!("farebox_facilitator_seconds_sum{{op=\"{op}\"}}"), milliseconds);
    add(&format!("farebox_facilitator_seconds_count{{op=\"{op}\"}}"), 1);
    let kind = match reply {
        _ if reply.refuses_key() => "key",
        FacilitatorReply::Answer { status: 500.., .. } => "status",
        FacilitatorReply::Answer { is_json: false, .. } => "not_json",
        FacilitatorReply::Answer { .. } => return,
        FacilitatorReply::Nothing => "no_answer",
        FacilitatorReply::NotSent
        | FacilitatorReply::CachedRefusal(_)
        | FacilitatorReply::Unsigned => "not_sent",
    };
    add(&format!("farebox_facilitator_errors_total{{op=\"{op}\",kind=\"{kind}\"}}"), 1);
}

fn add(series: &str, value: u64) {
    COUNTS.with_borrow_mut(|counts| *counts.get_or(series.to_owned(), || 0) += value);
}

/// Whether there is anything to hand over.
pub(super) fn is_waiting() -> bool {
    COUNTS.with_borrow(|counts| !counts.is_empty())
}

/// Adds the counts to the object that keeps them.
pub(super) async fn hand_over(namespace: &JsValue) {
    let counts = COUNTS.take();
    if counts.is_empty() {
        return;
    }
    let message = meter(counts.into_iter().collect());
    let none = JsValue::NULL;
    edge::settled(edge::ask_object(namespace, METERS, &message, &none, DEADLINE_MS)).await;
}
