//! Carries out the steps of a request that is paid by session.

use std::cell::RefCell;

use farebox_core::channel::looks::{LookTurn, SharedLooks};
use farebox_core::facilitator::unproven::{ChannelAccess, UnverifiedCaller};
use farebox_core::gate::Gate;
use farebox_core::gate::call::ChainCall;
use farebox_core::gate::paid::{StreamEnd, Streaming};
use farebox_core::gate::reply::Reply;
use farebox_core::gate::session::flow::{FlowEnd, Pause};
use farebox_core::gate::session::step::SessionStep;
use farebox_core::mpp::stream::{MAX_EVENT_BYTES, StreamFraming};
use wasm_bindgen::{JsCast, JsValue};

use super::drive::{WaitingClient, ask_facilitator, kind};
use super::edge::Digested;
use super::origin::milliseconds;
use super::{Bindings, chain, edge, facilitator, now, origin};

/// Milliseconds after which a channel's object counts as down.
const DEADLINE_MS: u32 = 10_000;
/// Milliseconds between two questions whether a node has answered someone else, and the most of them.
const WAIT_MS: u32 = 250;
const MAX_WAITS: usize = 12;

thread_local! {
    /// Looks for deposits that wait.
    static LOOKS: RefCell<SharedLooks> = const { RefCell::new(SharedLooks::new()) };
}

/// The answer, with the body that the edge holds for it; `None` if it was answered, and all of it
/// has flowed.
pub(super) async fn carry_out(
    gate: &Gate,
    mut step: SessionStep<'_>,
    request: &JsValue,
    method: &str,
    bindings: &Bindings,
    client: &mut WaitingClient,
) -> Option<(Reply, JsValue)> {
    // The request's body, and what the origin answered.
    let mut sent = edge::request_body(request);
    let mut held = JsValue::NULL;
    let mut flow = JsValue::UNDEFINED;
    let mut idle = 0;
    loop {
        step = match step {
            SessionStep::Digest(next) => {
                let (digest, body) = edge::digest_of(request).await;
                sent = body;
                match digest {
                    Digested::Whole(digest) => next.digested(Some(&digest), now()),
                    Digested::Long => next.digested(None, now()),
                    Digested::Broken => next.broken(),
                }
            }
            SessionStep::Object(name, message, next) => {
                let access = facilitator::access(&name, next.newcomer());
                if matches!(access, ChannelAccess::Placed(_)) && !next.asks_unmet() {
                    step = next.unmet();
                    continue;
                }
                if !has_access(bindings, &access).await {
                    step = next.limited();
                    continue;
                }
                let started = edge::clock_ms();
                let body = if next.keeps_body() { &held } else { &JsValue::NULL };
                let asked = edge::ask_object(&bindings.channel, &name, &message, body, DEADLINE_MS);
                let said = edge::settled(asked).await;
                let parts: Option<&edge::Parts> = said.as_ref().map(JsCast::unchecked_ref);
                let answer = parts.and_then(edge::Parts::answer);
                if let Some(stored) = parts.map(edge::Parts::body)
                    && !stored.is_null()
                    && !stored.is_undefined()
                {
                    held = stored;
                }
                client.log.object_ms += edge::clock_ms().saturating_sub(started);
                if client.log.label.payment.is_empty() {
                    client.log.label = next.label();
                }
                facilitator::met(name, &access, next.read_standing(answer.as_deref()));
                next.object(answer.as_deref(), now())
            }
            SessionStep::Facilitator(call, next) => {
                client.log.label = next.label();
                let sender = call.unproven.as_ref();
                if !may_ask(bindings, sender).await {
                    step = next.limited();
                    continue;
                }
                let reply = ask_facilitator(gate, &call, client).await;
                let (then, verdict) = next.facilitator(&reply, now());
                if let Some(sender) = sender {
                    facilitator::ended(sender, verdict);
                }
                then
            }
            SessionStep::Node(call, next) => {
                client.log.label = next.label();
                let sender = call.unproven.as_ref();
                edge::pause(call.delay_ms).await;
                if let Some(answer) = answered(&call).await {
                    step = next.node(Some(&answer), now()).0;
                    continue;
                }
                if !may_ask(bindings, sender).await {
                    told(&call, None);
                    step = next.limited();
                    continue;
                }
                let reply = chain::reply(chain::send(gate, &call.network, &call.body)).await;
                told(&call, reply.as_deref());
                let (then, verdict) = next.node(reply.as_deref(), now());
                if let Some(sender) = sender {
                    facilitator::ended(sender, verdict);
                }
                then
            }
            SessionStep::Forward(call, next) => {
                let started = edge::clock_ms();
                let (mut reply, mut answer) = origin::ask(&call, &sent, &bindings.origin).await;
                if next.is_charged(&reply) {
                    (reply, answer) = origin::once_sent(reply, answer, next.idle_secs()).await;
                }
                client.log.origin_ms += edge::clock_ms().saturating_sub(started);
                held = answer.response;
                next.origin(reply)
            }
            SessionStep::Collect(limits, next) => {
                let bytes = u32::try_from(limits.bytes).unwrap_or(u32::MAX);
                idle = milliseconds(next.idle_secs());
                let milliseconds = milliseconds(limits.secs);
                let collected = edge::settled(edge::collect(&held, bytes, milliseconds)).await;
                let collected = collected.unwrap_or(JsValue::UNDEFINED);
                held = edge::member(&collected, "source");
                next.collected(kind(&collected))
            }
            SessionStep::Flow(reply, limits, next) => {
                let idle = milliseconds(limits.idle_secs);
                let taking = milliseconds(limits.taking_secs);
                let has_events = limits.framing == StreamFraming::Events;
                let promised = Streaming::promised_bytes(&reply, method);
                let promised = promised.and_then(|bytes| u32::try_from(bytes).ok());
                let unit = limits.unit.name();
                let longest = u32::try_from(MAX_EVENT_BYTES).unwrap_or(u32::MAX);
                flow = edge::open_flow(&held, unit, has_events, idle, taking, promised, longest);
                client.answer(&reply, &edge::member(&flow, "readable"));
                SessionStep::Grant(limits.paid, next)
            }
            SessionStep::Grant(units, next) => {
                let units = u32::try_from(units).unwrap_or(u32::MAX);
                let sign = edge::settled(edge::let_flow(&flow, units)).await;
                match sign.and_then(|sign| sign.as_string()).as_deref() {
                    Some("due") => next.due(now()),
                    Some("complete") => next.ended(StreamEnd::Complete),
                    Some("client_left") => next.ended(StreamEnd::ClientLeft),
                    _ => next.ended(StreamEnd::Broken),
                }
            }
            SessionStep::Pause(pause, next) => {
                let Pause { event, name, message, secs } = pause;
                let longest = milliseconds(secs);
                let asked = edge::await_object(&bindings.channel, &name, &message, longest);
                let said = edge::settled(edge::paused(&flow, event.as_deref(), &asked)).await;
                next.resumed(said.and_then(|said| said.as_string()).as_deref(), now())
            }
            SessionStep::Finish(end) => {
                let text = match &end {
                    FlowEnd::Whole(text) => Some(text.as_str()),
                    FlowEnd::Cut => None,
                };
                edge::settled(edge::end_flow(&flow, text)).await;
                return None;
            }
            // The client has an answer: its body breaks off.
            SessionStep::Respond(_) if !flow.is_undefined() => SessionStep::Finish(FlowEnd::Cut),
            SessionStep::Respond(reply) => {
                let body = origin::body_for(&reply, &held, method, idle);
                return Some((reply, body));
            }
        };
    }
}

/// The answer that a node has just given to the same question of another; waits while it is being
/// asked.
async fn answered(call: &ChainCall) -> Option<String> {
    let rank = call.look?;
    for _ in 0..MAX_WAITS {
        match LOOKS.with_borrow_mut(|looks| looks.turn(&call.network, &call.body, rank, now())) {
            LookTurn::Ask => return None,
            LookTurn::Answered(answer) => return Some(answer),
            LookTurn::Wait => edge::pause(WAIT_MS).await,
        }
    }
    None
}

fn told(call: &ChainCall, answer: Option<&str>) {
    if let Some(rank) = call.look {
        LOOKS.with_borrow_mut(|looks| looks.told(&call.network, &call.body, rank, answer));
    }
}

/// Whether the object of a channel may be asked.
async fn has_access(bindings: &Bindings, access: &ChannelAccess) -> bool {
    match access {
        ChannelAccess::Free | ChannelAccess::Known(_) => true,
        ChannelAccess::Placed(caller) => may_ask(bindings, Some(&caller.sender)).await,
        ChannelAccess::Refused => false,
    }
}

/// Whether there is a place for what this sender asks for; who has proven something needs none.
async fn may_ask(bindings: &Bindings, sender: Option<&UnverifiedCaller>) -> bool {
    match sender {
        Some(sender) => bindings.allows(&sender.network).await && facilitator::admits(sender).await,
        None => true,
    }
}
