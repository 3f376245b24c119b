//! The border to `calls.mjs`: the treasury's objects, merchants and signers.

use farebox_core::http::Headers;
use farebox_core::treasury::Treasury;
use farebox_core::treasury::message::{MerchantAnswer, Order};
use wasm_bindgen::prelude::*;

use super::config;
use crate::platform::{calls, now};

#[wasm_bindgen(module = "/src/treasury/calls.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = askTreasury)]
    fn ask_treasury(
        env: &JsValue,
        organization: &str,
        command: &str,
        milliseconds: u32,
    ) -> js_sys::Promise;

    /// Builds an object's answer, and the time for its alarm: `{answer, alarm}`.
    #[wasm_bindgen(js_name = answeredWith)]
    pub(super) fn answered_with(answer: &str, alarm: Option<f64>) -> JsValue;

    /// Runs what writes to an object's database in one transaction: if it throws, nothing is
    /// written.
    #[wasm_bindgen(catch)]
    pub(super) fn together(
        state: &JsValue,
        run: &mut dyn FnMut() -> Result<JsValue, JsValue>,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = requestText)]
    fn request_text(request: &JsValue, bytes: u32) -> js_sys::Promise;

    #[wasm_bindgen(js_name = askMerchant)]
    fn ask_merchant(
        url: &str,
        method: &str,
        lines: &str,
        body: Option<&str>,
        head_ms: u32,
        body_ms: u32,
        bytes: u32,
    ) -> js_sys::Promise;

    #[wasm_bindgen(js_name = askSigner)]
    fn ask_signer(env: &JsValue, binding: &str, typed: &str, milliseconds: u32) -> js_sys::Promise;
}

/// The answer of an organization's object; `None` if it is down.
pub(super) async fn object(env: &JsValue, organization: &str, command: &str) -> Option<String> {
    calls::settled(ask_treasury(env, organization, command, OBJECT_MS)).await?.as_string()
}

/// Why a request's body cannot be used.
pub(super) enum Unusable {
    /// It is longer than the limit.
    Long,
    /// It broke off, or is no UTF-8.
    Broken,
}

/// The body of a request.
pub(super) async fn body_of(request: &JsValue) -> Result<String, Unusable> {
    let body = calls::settled(request_text(request, BODY_BYTES)).await.unwrap_or_default();
    let is_long = || js_sys::Array::from(&body).get(0).as_string().as_deref() == Some("long");
    match body.as_string() {
        Some(text) => Ok(text),
        None if is_long() => Err(Unusable::Long),
        None => Err(Unusable::Broken),
    }
}

/// What became of a request to a merchant.
pub(super) enum Sent {
    /// A head came.
    Answer(MerchantAnswer),
    /// No head came; the request may have arrived.
    Lost,
    /// Nothing was sent.
    Never,
}

/// Sends an order once.
pub(super) async fn merchant(order: &Order) -> Sent {
    let mut headers = Headers::new();
    for (name, value) in &order.headers {
        headers.add(name, value);
    }
    let (lines, body) = (headers.to_lines(), order.body.as_deref());
    let asked =
        ask_merchant(&order.url, &order.method, &lines, body, HEAD_MS, BODY_MS, ANSWER_BYTES);
    let Some(said) = calls::settled(asked).await else { return Sent::Lost };
    if let Some(word) = said.as_string() {
        return if word == "early" { Sent::Never } else { Sent::Lost };
    }
    let head = calls::member(&said, "head").as_string().unwrap_or_default();
    let mut lines = head.split('\n');
    let Some(Ok(status)) = lines.next().map(str::parse) else { return Sent::Lost };
    let headers = lines.filter_map(|line| line.split_once(": "));
    Sent::Answer(MerchantAnswer {
        status,
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: calls::member(&said, "text").as_string().unwrap_or_default(),
        cut: calls::member(&said, "cut").is_truthy(),
    })
}

/// The signature of a bound signer for typed data.
pub(super) async fn signature(env: &JsValue, binding: &str, typed: &str) -> Option<String> {
    calls::settled(ask_signer(env, binding, typed, SIGNER_MS)).await?.as_string()
}

/// The body of a node's reply to a JSON-RPC request. Its URL may hold a key, so that it is never
/// logged.
pub(super) async fn node(url: &str, body: &str) -> Option<String> {
    let asked = calls::ask_json(url, "", None, body, NODE_MS, NODE_BYTES);
    let said = calls::settled(asked).await?.as_string()?;
    let (status, rest) = said.split_once('\n')?;
    let (_, body) = rest.split_once('\n')?;
    (status == "200").then(|| body.to_owned())
}

/// Whether a merchant answers for its past payments: its keys are JSON with the member `keys`.
pub(super) async fn publishes_keys(url: &str) -> bool {
    let asked = calls::ask_json(url, "", None, "", NODE_MS, NODE_BYTES);
    let said = calls::settled(asked).await.and_then(|said| said.as_string()).unwrap_or_default();
    let body = said.strip_prefix("200\njson\n").unwrap_or_default();
    let read = serde_json::from_str::<serde_json::Value>(body);
    read.is_ok_and(|read| read.get("keys").is_some())
}

/// Whether the operator's webhook took a notice.
pub(super) async fn told(treasury: &Treasury, body: &str) -> bool {
    let Some(url) = &treasury.webhook else { return false };
    let Some(signature) = config::notice_signature(body, now()) else { return false };
    let sent = calls::post_notice(url, &signature, body, NOTICE_MS);
    calls::settled(sent).await.is_some_and(|taken| taken.is_truthy())
}

/// Milliseconds after which an object counts as down.
const OBJECT_MS: u32 = 10_000;
/// Longest body of a request, bytes.
const BODY_BYTES: u32 = 1024 * 1024;
/// Deadline for the head of a merchant's answer, milliseconds.
const HEAD_MS: u32 = 10_000;
/// And for its body.
const BODY_MS: u32 = 10_000;
/// What is read of a merchant's body, bytes.
const ANSWER_BYTES: u32 = 1024 * 1024;
/// Deadline of a notice, milliseconds.
const NOTICE_MS: u32 = 5_000;
/// Deadline of a signer, milliseconds.
const SIGNER_MS: u32 = 5_000;
/// Deadline of a node, milliseconds.
const NODE_MS: u32 = 5_000;
/// Longest reply of a node, bytes.
const NODE_BYTES: u32 = 1024 * 1024;
