//! Carries out a call to a ledger object.

use farebox_core::encoding::message::{self, FromJson};
use farebox_core::gate::call::LedgerCall;
use farebox_core::ledger::LedgerReply;

use wasm_bindgen::{JsCast, JsValue};

use super::edge;

/// Milliseconds after which an object counts as down.
const DEADLINE_MS: u32 = 10_000;

/// The object's answer to a read; `None` if the object is down.
pub(super) async fn read<T: FromJson>(namespace: &JsValue, call: &LedgerCall) -> Option<T> {
    let none = JsValue::NULL;
    let promise = edge::ask_object(namespace, &call.object, &call.command, &none, DEADLINE_MS);
    let reply = edge::settled(promise).await?;
    message::read(&reply.unchecked_ref::<edge::Parts>().answer()?)
}

/// The object's answer, with the stored body of a replay; `None` if the object is down.
pub(super) async fn ask<A: FromJson>(
    namespace: &JsValue,
    call: &LedgerCall,
    body: &JsValue,
) -> Option<(LedgerReply<A>, JsValue)> {
    edge::pause(call.delay_ms).await;
    let body = if call.with_body { body } else { &JsValue::NULL };
    let promise = edge::ask_object(namespace, &call.object, &call.command, body, DEADLINE_MS);
    let reply = edge::settled(promise).await?;
    let parts: &edge::Parts = reply.unchecked_ref();
    Some((message::read(&parts.answer()?)?, parts.body()))
}
