//! Carries out the steps of a request that is paid by session.

use farebox_core::gate::Gate;
use farebox_core::gate::paid::Collected;
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::gate::session::step::SessionStep;
use wasm_bindgen::{JsCast, JsValue};

use super::drive::{WaitingClient, ask_facilitator, kind};
use super::edge::{Digested, Upload};
use super::{Bindings, chain, edge, facilitator, now, origin};

/// Milliseconds after which a channel's object counts as down.
const DEADLINE_MS: u32 = 10_000;

/// The answer, with the body that the edge holds for it.
pub(super) async fn carry_out(
    gate: &Gate,
    mut step: SessionStep<'_>,
    request: &JsValue,
    bindings: &Bindings,
    client: &mut WaitingClient,
) -> (Reply, JsValue) {
    // The request's body, what the origin answered, and the progress of sending the former.
    let mut sent = edge::request_body(request);
    let (mut held, mut upload) = (JsValue::NULL, JsValue::UNDEFINED);
    loop {
        step = match step {
            SessionStep::Digest(next) => {
                let (digest, body) = edge::digest_of(request).await;
                sent = body;
                match digest {
                    Digested::Whole(digest) => next.digested(Some(&digest)),
                    Digested::Long => next.digested(None),
                    Digested::Broken => next.broken(),
                }
            }
            SessionStep::Object(name, message, next) => {
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
                client.log.label = next.label();
                next.object(answer.as_deref(), now())
            }
            SessionStep::Facilitator(call, next) => {
                client.log.label = next.label();
                if !bindings.allows(&call.caller.network).await {
                    step = next.limited();
                    continue;
                }
                let sender = call.unproven.as_ref();
                if let Some(sender) = sender
                    && !facilitator::admits(sender).await
                {
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
                let mut may_ask = match sender {
                    Some(sender) => bindings.allows(&sender.network).await,
                    None => true,
                };
                if let Some(sender) = sender
                    && may_ask
                {
                    may_ask = facilitator::admits(sender).await;
                }
                if !may_ask {
                    step = next.limited();
                    continue;
                }
                let reply = chain::reply(chain::send(gate, &call.network, &call.body)).await;
                let (then, verdict) = next.node(reply.as_deref(), now());
                if let Some(sender) = sender {
                    facilitator::ended(sender, verdict);
                }
                then
            }
            SessionStep::Forward(call, next) => {
                let started = edge::clock_ms();
                let (reply, answer) = origin::ask(&call, &sent, &bindings.origin).await;
                client.log.origin_ms += edge::clock_ms().saturating_sub(started);
                (held, upload) = (answer.response, answer.sent);
                next.origin(reply)
            }
            SessionStep::Collect(limits, next) => {
                let bytes = u32::try_from(limits.bytes).unwrap_or(u32::MAX);
                let milliseconds =
                    u32::try_from(limits.secs.saturating_mul(1000)).unwrap_or(u32::MAX);
                let collected = edge::settled(edge::collect(&held, bytes, milliseconds)).await;
                let collected = collected.unwrap_or(JsValue::UNDEFINED);
                held = edge::member(&collected, "source");
                // The origin answered half a body: that is not an answer.
                match (kind(&collected), edge::upload_of(&upload, milliseconds).await) {
                    (Collected::Whole { .. }, Upload::Broken) => next.collected(Collected::Broken),
                    (collected, _) => next.collected(collected),
                }
            }
            SessionStep::Respond(reply) => {
                let body = match reply.body {
                    Body::Held => edge::body_of(&held),
                    Body::Empty | Body::Text(_) => {
                        edge::discard(&held);
                        JsValue::NULL
                    }
                };
                return (reply, body);
            }
        };
    }
}
