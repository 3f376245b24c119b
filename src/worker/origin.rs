//! Forwards to the origin and brings its answer back; bodies stay on the JavaScript side.

use farebox_core::gate::Gate;
use farebox_core::gate::forward::OriginCall;
use farebox_core::gate::passage::OriginReply;
use farebox_core::gate::passing::Passing;
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::http::ResponseHead;
use wasm_bindgen::JsValue;

use super::edge;

/// Asks the origin, which is the Worker `bound` as such if there is one; with a head comes the response whose body
/// nobody has read.
pub(super) async fn ask(
    call: &OriginCall,
    body: &JsValue,
    bound: &JsValue,
) -> (OriginReply, JsValue) {
    let milliseconds = u32::try_from(call.timeout_secs.saturating_mul(1000)).unwrap_or(u32::MAX);
    let lines = call.headers.to_lines();
    let promise = edge::ask_origin(bound, &call.url, &call.method, &lines, body, milliseconds);
    let Some(reply) = edge::settled(promise).await else {
        return (OriginReply::Lost, JsValue::NULL);
    };
    if reply.as_string().is_some_and(|text| text == "timeout") {
        return (OriginReply::TimedOut, JsValue::NULL);
    }
    let head = edge::member(&reply, "head").as_string();
    match head.as_deref().and_then(ResponseHead::from_text) {
        Some(head) => (OriginReply::Head(head), edge::member(&reply, "response")),
        None => {
            edge::discard(&edge::member(&reply, "response"));
            (OriginReply::Lost, JsValue::NULL)
        }
    }
}

/// Forwards a request that goes on without a payment, and streams the answer back.
pub(super) async fn pass(
    gate: &Gate,
    call: OriginCall,
    passing: &Passing,
    request: &JsValue,
    bound: &JsValue,
) -> JsValue {
    match ask(&call, &edge::request_body(request), bound).await {
        (OriginReply::Head(mut head), response) => {
            if let Some(reply) = gate.instead(&head, passing) {
                edge::discard(&response);
                return edge::render(&reply);
            }
            gate.finish_free(&mut head, passing);
            let reply = Reply::new(head, Body::Held);
            edge::render_with(&reply, &edge::body_of(&response))
        }
        (OriginReply::TimedOut, _) => edge::render(&gate.free_failed(true, passing)),
        (OriginReply::Lost, _) => edge::render(&gate.free_failed(false, passing)),
    }
}
