//! The way of a paid request, which goes on when the client leaves.

use std::rc::Rc;

use farebox_core::gate::Gate;
use farebox_core::gate::paid::Step;
use farebox_core::http::RequestHead;
use wasm_bindgen::JsValue;

use super::client::{Log, WaitingClient};
use super::paid::PaidWork;
use super::resolve::{Resolved, resolve};
use super::session::SessionWork;
use super::{Bindings, attempts, edge, handover};

/// Answers a request that shows a proof: the client waits for the promise, the work goes on without
/// them.
pub(super) fn begin(
    gate: Rc<Gate>,
    head: RequestHead,
    fresh: String,
    request: JsValue,
    bindings: Bindings,
    context: &JsValue,
) -> JsValue {
    let (mut answer, mut fail) = (None, None);
    let response = js_sys::Promise::new(&mut |resolve, reject| {
        (answer, fail) = (Some(resolve), Some(reject));
    });
    drop(fail);
    let client = WaitingClient::new(answer, Log::new(&head, &fresh), context.clone());
    let later = context.clone();
    let work = edge::promise(async move {
        let steps = drive(&gate, head, &fresh, &request, &bindings, client).await;
        // The calls of one request are limited; after a long one, another request hands over the
        // counts.
        if steps <= MAX_STEPS {
            handover::begin(&gate, &bindings.ledger, &later);
        }
        JsValue::UNDEFINED
    });
    edge::wait_until(context, &js_sys::Promise::from(work));
    response.into()
}

/// Limit on the steps of a paid request that may hand over counts behind its answer: with them its
/// calls stay below what the platform allows.
const MAX_STEPS: u32 = 12;

/// The lowest status of a fault, whose line is written at once.
const FAULT: u16 = 500;

/// Finds out how the request pays, and carries that out; the number of its steps.
async fn drive(
    gate: &Gate,
    head: RequestHead,
    fresh: &str,
    request: &JsValue,
    bindings: &Bindings,
    mut client: WaitingClient,
) -> u32 {
    let method = head.method.clone();
    let (admission, client_key) = attempts::admit(gate, head, fresh);
    client.client_key = client_key;
    let step = match resolve(gate, admission, request, bindings, &mut client.client_key).await {
        Resolved::Pay(step) => step,
        Resolved::Pass(call, passing) => Step::Pass(call, passing),
        Resolved::Session(step) => {
            let work = SessionWork::new(gate, request, &method, bindings, &mut client);
            let answer = work.carry_out(step).await;
            // What flows makes calls that are not counted.
            let Some((reply, body)) = answer else { return u32::MAX };
            client.answer(&reply, &body);
            return 1;
        }
        Resolved::Respond(reply) if reply.head.status < FAULT => {
            client.refuse(&reply);
            return 1;
        }
        Resolved::Respond(reply) => Step::Respond(reply),
    };
    PaidWork::new(gate, request, &method, bindings, client).carry_out(step).await
}
