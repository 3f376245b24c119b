//! The border to `edge.mjs` and `body.mjs`: platform calls with as few crossings as possible.

use std::future::Future;
use std::pin::Pin;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen(module = "/src/platform/edge.mjs")]
extern "C" {
    /// Builds a response from status, header lines and body (null, text, bytes or a stream);
    /// undefined if the platform cannot.
    pub(crate) fn respond(status: u16, lines: &str, body: &JsValue) -> JsValue;

    /// Posts JSON, or gets it if there is no body. Resolves to status, `json` or an empty line, and
    /// body, or to a word for the failure.
    #[wasm_bindgen(js_name = askJson)]
    pub(crate) fn ask_json(
        url: &str,
        lines: &str,
        signing: Option<&str>,
        body: &str,
        milliseconds: u32,
        bytes: u32,
    ) -> js_sys::Promise;

    /// Posts a notice, with its signature if it has one. Resolves to whether it was accepted.
    #[wasm_bindgen(js_name = postNotice)]
    pub(crate) fn post_notice(
        url: &str,
        signature: Option<&str>,
        body: &str,
        milliseconds: u32,
    ) -> js_sys::Promise;

    /// Keeps a promise alive after the answer.
    #[wasm_bindgen(js_name = waitUntil)]
    pub(crate) fn wait_until(context: &JsValue, promise: &js_sys::Promise);

    /// Waits.
    fn sleep(milliseconds: u32) -> js_sys::Promise;

    /// Writes a line of the log.
    pub(crate) fn log(line: &str);

    /// Writes a line of the log that the operator should act on.
    pub(crate) fn complain(line: &str);
}

#[wasm_bindgen(module = "/src/platform/body.mjs")]
extern "C" {
    /// The text of a request's body, or undefined if it is too long or not UTF-8.
    #[wasm_bindgen(js_name = textOf)]
    pub(crate) fn text_of(request: &JsValue, bytes: u32) -> js_sys::Promise;
}

/// Makes a promise of a future; it never rejects.
pub(crate) fn promise(future: impl Future<Output = JsValue> + 'static) -> JsValue {
    // Compiled once for all futures.
    fn run(future: Pin<Box<dyn Future<Output = JsValue>>>) -> JsValue {
        wasm_bindgen_futures::future_to_promise(async move { Ok(future.await) }).into()
    }
    run(Box::pin(future))
}

/// Waits for a promise; a rejection gives `None`, because those modules turn every failure they can
/// answer into a value.
pub(crate) async fn settled(promise: js_sys::Promise) -> Option<JsValue> {
    JsFuture::from(promise).await.ok().filter(|value| !value.is_undefined() && !value.is_null())
}

/// Waits some milliseconds.
pub(crate) async fn pause(milliseconds: u32) {
    if milliseconds > 0 {
        settled(sleep(milliseconds)).await;
    }
}

/// A member of an object.
pub(crate) fn member(object: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

/// Milliseconds of the platform's clock; it stands still between two waits.
pub(crate) fn clock_ms() -> u64 {
    js_sys::Date::now() as u64
}
