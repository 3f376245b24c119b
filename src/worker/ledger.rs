//! Carries out a call to a ledger object.

use farebox_core::gate::passage::Call;
use farebox_core::ledger::Told;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

use super::edge;

/// Milliseconds after which an object counts as down.
const DEADLINE_MS: u32 = 10_000;

/// The object's answer to a read; nothing if the object is down.
pub(super) async fn read<T: DeserializeOwned>(namespace: &JsValue, call: &Call) -> Option<T> {
    let none = JsValue::NULL;
    let promise = edge::ask_object(namespace, &call.object, &call.command, &none, DEADLINE_MS);
    let reply = edge::settled(promise).await?;
    serde_json::from_str(&edge::member(&reply, "answer").as_string()?).ok()
}

/// The object's answer, with the stored body of a replay; nothing if the object is down.
pub(super) async fn ask(
    namespace: &JsValue,
    call: &Call,
    body: &JsValue,
) -> Option<(Told, JsValue)> {
    edge::pause(call.delay_ms).await;
    let body = if call.with_body { body } else { &JsValue::NULL };
    let promise = edge::ask_object(namespace, &call.object, &call.command, body, DEADLINE_MS);
    let reply = edge::settled(promise).await?;
    let answer = edge::member(&reply, "answer").as_string()?;
    Some((serde_json::from_str(&answer).ok()?, edge::member(&reply, "body")))
}
