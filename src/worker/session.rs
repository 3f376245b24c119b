//! Carries out the steps of a request that is paid by session.

use farebox_core::gate::Gate;
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::gate::session::step::SessionStep;
use wasm_bindgen::{JsCast, JsValue};

use super::drive::{WaitingClient, ask_facilitator, kind};
use super::{Bindings, edge, facilitator, now, origin};

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
    let mut held = JsValue::NULL;
    loop {
        step = match step {
            SessionStep::Object(name, message, next) => {
                let (none, started) = (JsValue::NULL, edge::clock_ms());
                let asked =
                    edge::ask_object(&bindings.channel, &name, &message, &none, DEADLINE_MS);
                let said = edge::settled(asked).await;
                let answer = said.and_then(|said| said.unchecked_ref::<edge::Parts>().answer());
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
            SessionStep::Forward(call, next) => {
                let (body, started) = (edge::request_body(request), edge::clock_ms());
                let (reply, answer) = origin::ask(&call, &body, &bindings.origin).await;
                client.log.origin_ms += edge::clock_ms().saturating_sub(started);
                held = answer.response;
                next.origin(reply)
            }
            SessionStep::Collect(limits, next) => {
                let bytes = u32::try_from(limits.bytes).unwrap_or(u32::MAX);
                let milliseconds =
                    u32::try_from(limits.secs.saturating_mul(1000)).unwrap_or(u32::MAX);
                let collected = edge::settled(edge::collect(&held, bytes, milliseconds)).await;
                let collected = collected.unwrap_or(JsValue::UNDEFINED);
                held = edge::member(&collected, "source");
                next.collected(kind(&collected))
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
