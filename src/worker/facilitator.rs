//! Carries out a facilitator call over `fetch`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use farebox_core::facilitator::breaker::Breaker;
use farebox_core::facilitator::wire::{MAX_REPLY_BYTES, Reply};
use farebox_core::gate::Gate;
use farebox_core::gate::passage::FacilitatorCall;

use super::{edge, now};

thread_local! {
    /// By base URL of the call.
    static BREAKERS: RefCell<BTreeMap<String, Breaker>> = const { RefCell::new(BTreeMap::new()) };
}

/// Whether a call should be made at all.
pub(super) fn admits(gate: &Gate, call: &FacilitatorCall) -> bool {
    !call.guarded || with_breaker(call, |breaker| breaker.admits(now(), gate.breaker_secs()))
}

/// Takes note of how a call went.
pub(super) fn note(gate: &Gate, call: &FacilitatorCall, reply: &Reply) {
    with_breaker(call, |breaker| breaker.note(reply.health(), now(), gate.breaker_secs()));
}

fn with_breaker<T>(call: &FacilitatorCall, act: impl FnOnce(&mut Breaker) -> T) -> T {
    let base = call.url.rsplit_once('/').map_or("", |(base, _)| base);
    BREAKERS.with_borrow_mut(|breakers| act(breakers.entry(base.to_owned()).or_default()))
}

/// Starts a call; its promise resolves to the text that [`reply`] reads.
pub(super) fn send(gate: &Gate, call: &FacilitatorCall) -> js_sys::Promise {
    let authorization = gate.facilitator_authorization(&call.url);
    let milliseconds = u32::try_from(call.secs.saturating_mul(1000)).unwrap_or(u32::MAX);
    edge::post_json(&call.url, authorization, &call.body, milliseconds, MAX_REPLY_BYTES as u32)
}

/// What came back.
pub(super) async fn reply(promise: js_sys::Promise) -> Reply {
    let text = edge::settled(promise).await.and_then(|value| value.as_string());
    text.as_deref().and_then(parse).unwrap_or(Reply::Nothing)
}

fn parse(text: &str) -> Option<Reply> {
    let (status, rest) = text.split_once('\n')?;
    let (kind, body) = rest.split_once('\n')?;
    Some(Reply::Answer {
        status: status.parse().ok()?,
        is_json: kind == "json",
        body: body.to_owned(),
    })
}
