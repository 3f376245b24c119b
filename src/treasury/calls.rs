//! The treasury's objects, merchants and signers; `calls.mjs` is the border.

use std::cell::RefCell;

use farebox_core::facilitator::redirect::Redirects;
use farebox_core::http::Headers;
use farebox_core::treasury::Treasury;
use farebox_core::treasury::message::{MerchantAnswer, Order};
use wasm_bindgen::prelude::*;

use crate::platform::send::{Limits, Sent, send};
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

    #[wasm_bindgen(js_name = askSigner)]
    fn ask_signer(env: &JsValue, binding: &str, typed: &str, milliseconds: u32) -> js_sys::Promise;
}

thread_local! {
    static REDIRECTS: RefCell<Redirects> = const { RefCell::new(Redirects::new()) };
}

/// The answer of an organization's object; `None` if it is down.
pub(super) async fn object(env: &JsValue, organization: &str, command: &str) -> Option<String> {
    calls::settled(ask_treasury(env, organization, command, OBJECT_MS)).await?.as_string()
}

/// Merchants, as a treasury reaches them: some through a binding of the environment.
#[derive(Clone, Copy)]
pub(super) struct Transport<'a> {
    pub treasury: &'a Treasury,
    pub env: &'a JsValue,
}

impl Transport<'_> {
    /// The bound Worker that is asked instead of this URL's host, or undefined.
    fn to(self, url: &str) -> JsValue {
        let binding = self.treasury.binding(url);
        binding.map_or(JsValue::UNDEFINED, |binding| calls::member(self.env, binding))
    }
}

/// Sends an order once; to a facilitator that redirects within its domain, to where that leads.
pub(super) async fn merchant(way: Transport<'_>, order: &Order) -> Sent<MerchantAnswer> {
    if !way.treasury.is_facilitator(&order.url) {
        return order_at(way, order, &order.url).await;
    }
    let place = || REDIRECTS.with_borrow(|redirects| redirects.place(&order.url).to_owned());
    let mut sent = order_at(way, order, &place()).await;
    if let Sent::Answer(answer) = &sent
        && let Ok(status) = u16::try_from(answer.status)
        && let Some((_, location)) = answer.headers.iter().find(|(name, _)| name == "location")
        && REDIRECTS.with_borrow_mut(|all| all.follows(&order.url, status, location))
    {
        sent = order_at(way, order, &place()).await;
    }
    let status = match &sent {
        Sent::Answer(answer) => u16::try_from(answer.status).ok(),
        _ => None,
    };
    REDIRECTS.with_borrow_mut(|redirects| redirects.finish(&order.url, status));
    sent
}

/// Sends an order once, to this address.
async fn order_at(way: Transport<'_>, order: &Order, url: &str) -> Sent<MerchantAnswer> {
    let mut headers = Headers::new();
    for (name, value) in &order.headers {
        headers.add(name, value);
    }
    let (lines, body) = (headers.to_lines(), order.body.as_deref());
    let within = Limits { head_ms: HEAD_MS, body_ms: BODY_MS, bytes: ANSWER_BYTES };
    match send(&way.to(url), url, &order.method, &lines, body, within).await {
        Sent::Answer(answer) => Sent::Answer(MerchantAnswer {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
            base64: answer.base64,
            cut: answer.cut,
        }),
        Sent::Lost => Sent::Lost,
        Sent::Late => Sent::Late,
        Sent::Never => Sent::Never,
    }
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
pub(super) async fn publishes_keys(way: Transport<'_>, url: &str) -> bool {
    let within = Limits { head_ms: NODE_MS, body_ms: NODE_MS, bytes: NODE_BYTES };
    let (by, lines) = (way.to(url), "accept: application/json");
    let asked = send(&by, url, "GET", lines, None, within).await;
    let Sent::Answer(answer) = asked else { return false };
    let read = serde_json::from_str::<serde_json::Value>(&answer.body);
    answer.status == 200 && read.is_ok_and(|read| read.get("keys").is_some())
}

/// Whether the operator's webhook took a notice.
pub(super) async fn told(treasury: &Treasury, body: &str) -> bool {
    let Some(webhook) = &treasury.webhook else { return false };
    let sent =
        calls::post_notice(&webhook.url, Some(&webhook.signature(body, now())), body, NOTICE_MS);
    calls::settled(sent).await.is_some_and(|taken| taken.is_truthy())
}

/// Milliseconds after which an object counts as down.
const OBJECT_MS: u32 = 10_000;
/// Deadline for the head of a merchant's answer, milliseconds.
const HEAD_MS: u32 = 10_000;
/// And for its body.
const BODY_MS: u32 = 10_000;
/// The most that is read of a merchant's body, bytes.
const ANSWER_BYTES: u32 = 1024 * 1024;
/// Deadline of a notice, milliseconds.
const NOTICE_MS: u32 = 5_000;
/// Deadline of a signer, milliseconds.
const SIGNER_MS: u32 = 5_000;
/// Deadline of a node, milliseconds.
const NODE_MS: u32 = 5_000;
/// Longest reply of a node, bytes.
const NODE_BYTES: u32 = 1024 * 1024;
