//! Forwards to the origin and brings its answer back; bodies stay on the JavaScript side.

use farebox_core::gate::Gate;
use farebox_core::gate::forward::{Caching, OriginCall};
use farebox_core::gate::paid::{BodyLimits, Collected, Forwarding, OriginReply, Streaming};
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::gate::unpaid::Unpaid;
use farebox_core::http::ResponseHead;
use wasm_bindgen::{JsCast, JsValue};

use super::documents;
use super::edge::{self, Upload};
use super::now;

/// The origin's answer, as far as the edge holds it.
pub(super) struct OriginAnswer {
    /// The response with an unread body, if a head came.
    pub response: JsValue,
    /// The upload of the request's body, if its end is uncertain; for [`edge::upload_of`].
    pub sent: JsValue,
}

impl OriginAnswer {
    const NONE: Self = Self { response: JsValue::NULL, sent: JsValue::UNDEFINED };
}

/// Asks the origin: the Worker `bound` as such, if there is one, else a server.
pub(super) async fn ask(
    call: &OriginCall,
    body: &JsValue,
    bound: &JsValue,
) -> (OriginReply, OriginAnswer) {
    let lines = call.headers.to_lines();
    let cache = match call.caching {
        Caching::Ordinary => None,
        Caching::Never => Some("no-store"),
    };
    let promise = edge::ask_origin(
        bound,
        &call.url,
        &call.method,
        &lines,
        body,
        milliseconds(call.timeout_secs),
        milliseconds(call.upload_secs),
        cache,
        call.resolve.as_deref(),
    );
    let Some(reply) = edge::settled(promise).await else {
        return (OriginReply::Lost, OriginAnswer::NONE);
    };
    if reply.as_string().is_some_and(|text| text == "timeout") {
        return (OriginReply::TimedOut, OriginAnswer::NONE);
    }
    let parts: &edge::Parts = reply.unchecked_ref();
    let head = parts.head();
    match head.as_deref().and_then(ResponseHead::from_text) {
        Some(head) => {
            let (response, sent) = (parts.response(), parts.sent());
            (OriginReply::Head(head), OriginAnswer { response, sent })
        }
        None => {
            edge::discard(&parts.response());
            (OriginReply::Lost, OriginAnswer::NONE)
        }
    }
}

/// Asks like [`ask`]; an answer that is to be settled counts once the whole body has gone out.
pub(super) async fn ask_for(
    call: &OriginCall,
    next: &Forwarding<'_>,
    body: &JsValue,
    bound: &JsValue,
) -> (OriginReply, OriginAnswer) {
    let (reply, answer) = ask(call, body, bound).await;
    if !next.is_to_be_settled(&reply) {
        return (reply, answer);
    }
    let (reply, answer) = once_sent(reply, answer, next.left(now())).await;
    match &reply {
        OriginReply::Head(head) if !next.is_collected(head) => {
            let secs = next.left(now());
            once_begun(reply, answer, secs).await
        }
        _ => (reply, answer),
    }
}

/// An answer that is settled before it is read: where its origin did not want all of the request,
/// once something of it has come. An origin that hangs up on an upload may take its answer along.
async fn once_begun(
    reply: OriginReply,
    answer: OriginAnswer,
    secs: u64,
) -> (OriginReply, OriginAnswer) {
    if edge::upload_of(&answer.sent, 0).await != Upload::Unwanted {
        return (reply, answer);
    }
    let (begun, response) = collect(&answer.response, &BodyLimits { bytes: 0, secs }).await;
    let failed = match begun {
        Collected::Whole { .. } | Collected::Open => {
            return (reply, OriginAnswer { response, ..answer });
        }
        Collected::TimedOut => OriginReply::TimedOut,
        Collected::Broken => OriginReply::Lost,
    };
    edge::discard(&response);
    (failed, OriginAnswer::NONE)
}

/// Reads a response's body within these limits; what came of it, and what the edge holds of it.
pub(super) async fn collect(response: &JsValue, limits: &BodyLimits) -> (Collected, JsValue) {
    let bytes = u32::try_from(limits.bytes).unwrap_or(u32::MAX);
    let collected = edge::collect(response, bytes, milliseconds(limits.secs));
    let collected = edge::settled(collected).await.unwrap_or(JsValue::UNDEFINED);
    (kind(&collected), edge::member(&collected, "source"))
}

fn kind(collected: &JsValue) -> Collected {
    match edge::member(collected, "kind").as_string().as_deref() {
        Some("whole") => {
            let bytes = edge::member(collected, "length").as_f64().unwrap_or(0.0);
            Collected::Whole { bytes: bytes as u64 }
        }
        Some("open") => Collected::Open,
        Some("timeout") => Collected::TimedOut,
        _ => Collected::Broken,
    }
}

/// The body of an answer of the gate: what is held, and the rest of it that flows.
pub(super) fn body_for(reply: &Reply, held: &JsValue, method: &str, idle: u32) -> JsValue {
    match reply.body {
        Body::Held if !edge::member(held, "reader").is_undefined() => {
            let promised = Streaming::promised_bytes(reply, method);
            let promised = promised.and_then(|bytes| u32::try_from(bytes).ok());
            edge::member(&edge::pump(held, idle, promised, &JsValue::UNDEFINED), "readable")
        }
        Body::Held => edge::body_of(held),
        Body::Empty | Body::Text(_) => {
            edge::discard(held);
            JsValue::NULL
        }
    }
}

/// An answer that costs something, once the whole body of its request has gone out within so many
/// seconds; what broke off is answered by no one.
pub(super) async fn once_sent(
    reply: OriginReply,
    answer: OriginAnswer,
    secs: u64,
) -> (OriginReply, OriginAnswer) {
    let failed = match edge::upload_of(&answer.sent, milliseconds(secs)).await {
        Upload::Over | Upload::Unwanted => return (reply, answer),
        Upload::Flowing => OriginReply::TimedOut,
        Upload::Broken => OriginReply::Lost,
    };
    edge::discard(&answer.response);
    (failed, OriginAnswer::NONE)
}

/// Seconds as the edge takes them.
pub(super) fn milliseconds(secs: u64) -> u32 {
    u32::try_from(secs.saturating_mul(1000)).unwrap_or(u32::MAX)
}

/// Forwards a request without a payment, and streams the answer back.
pub(super) async fn pass(
    gate: &Gate,
    call: OriginCall,
    passing: &Unpaid,
    body: &JsValue,
    bound: &JsValue,
) -> JsValue {
    match ask(&call, body, bound).await {
        (OriginReply::Head(mut head), OriginAnswer { response, .. }) => {
            if let Some(wanted) = passing.instead(&head) {
                edge::discard(&response);
                return edge::render(&documents::answer(gate, wanted).await);
            }
            passing.finish(&mut head, gate.origin());
            let reply = Reply::new(head, Body::Held);
            edge::render_with(&reply, &edge::body_of(&response))
        }
        (OriginReply::TimedOut, _) => edge::render(&passing.fail(true)),
        (OriginReply::Lost, _) => edge::render(&passing.fail(false)),
    }
}
