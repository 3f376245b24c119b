//! Carries out a facilitator call over `fetch`.

use std::cell::RefCell;

use farebox_core::facilitator::breaker::{Breaker, Condition, Operation};
use farebox_core::facilitator::funds::Empties;
use farebox_core::facilitator::unproven::{Claimant, Unproven};
use farebox_core::facilitator::wire::{MAX_REPLY_BYTES, Reply};
use farebox_core::gate::Gate;
use farebox_core::gate::passage::FacilitatorCall;
use farebox_core::sorted::Sorted;

use super::{edge, now};

thread_local! {
    /// By base URL of the call.
    static BREAKERS: RefCell<Sorted<String, Breaker>> = const { RefCell::new(Sorted::new()) };
    /// Of all facilitators: a wallet is as empty for the next one.
    static EMPTIES: RefCell<Empties> = const { RefCell::new(Empties::new()) };
    static UNPROVEN: RefCell<Unproven> = const { RefCell::new(Unproven::new()) };
}

/// The reply to a call that need not be made: its answer is known, or the facilitator is known to be down.
pub(super) fn spared(gate: &Gate, call: &FacilitatorCall) -> Option<Reply> {
    let recalled = |draft| EMPTIES.with_borrow(|empties| empties.recall(draft, now()));
    if let Some(reply) = call.draft.as_ref().and_then(recalled) {
        return Some(reply);
    }
    let admits = |breaker: &mut Breaker| breaker.admits(now(), gate.breaker_secs());
    let down = call.guarded && !with_breaker(parts(&call.url).0, admits);
    down.then_some(Reply::NotSent)
}

/// Takes note of how a call went.
pub(super) fn note(gate: &Gate, call: &FacilitatorCall, reply: &Reply) {
    let (base, operation) = parts(&call.url);
    let (health, every) = (reply.health(), gate.breaker_secs());
    with_breaker(base, |breaker| {
        breaker.note(operation, health, now(), every);
        breaker.note_trouble(reply.is_trouble(), now());
    });
    if let Some(draft) = &call.draft {
        EMPTIES.with_borrow_mut(|empties| empties.note(draft, reply, now()));
    }
}

/// How the gate's facilitators do, in its order.
pub(super) fn conditions(gate: &Gate) -> Vec<Condition> {
    let condition = |base| with_breaker(base, |breaker| breaker.condition(now()));
    gate.facilitator_urls().map(condition).collect()
}

/// Whether a payment that nobody vouches for may be looked at now.
pub(super) fn admits(claimant: &Claimant) -> bool {
    UNPROVEN.with_borrow_mut(|unproven| unproven.admits(claimant, now()))
}

/// The look at it is over.
pub(super) fn ended(claimant: &Claimant, vouched: bool) {
    UNPROVEN.with_borrow_mut(|unproven| unproven.ended(claimant, vouched));
}

fn parts(url: &str) -> (&str, Operation) {
    match url.rsplit_once('/') {
        Some((base, "verify")) => (base, Operation::Verify),
        Some((base, _)) => (base, Operation::Settle),
        None => ("", Operation::Settle),
    }
}

fn with_breaker<T>(base: &str, act: impl FnOnce(&mut Breaker) -> T) -> T {
    BREAKERS.with_borrow_mut(|breakers| act(breakers.get_or(base.to_owned(), Breaker::default)))
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
