//! The bodies of requests that came in; `body.mjs` is the border.

use farebox_core::http::RequestHead;
use wasm_bindgen::prelude::*;

use super::calls::settled;

#[wasm_bindgen(module = "/src/platform/body.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = requestText)]
    fn request_text(request: &JsValue, bytes: u32) -> js_sys::Promise;
}

/// Why a request's body cannot be used.
pub(crate) enum Unusable {
    /// It is longer than the limit.
    Long,
    /// It broke off, or is no UTF-8.
    Broken,
}

/// The body of a request, of at most that many bytes.
pub(crate) async fn body_of(request: &JsValue, limit: u32) -> Result<String, Unusable> {
    let body = settled(request_text(request, limit)).await.unwrap_or_default();
    let is_long = || js_sys::Array::from(&body).get(0).as_string().as_deref() == Some("long");
    match body.as_string() {
        Some(text) => Ok(text),
        None if is_long() => Err(Unusable::Long),
        None => Err(Unusable::Broken),
    }
}

/// Whether a request's body may be longer than this: its head says so, or not how long it is.
pub(crate) fn may_be_longer(head: &RequestHead, bytes: u32) -> bool {
    let length = head.headers.get("content-length").map(str::parse::<u32>);
    !length.is_some_and(|length| length.is_ok_and(|length| length <= bytes))
}

/// Longest body of whoever may have proven nothing, bytes: the one object parses it.
pub(crate) const UNPROVEN_BYTES: u32 = 16 * 1024;
/// Longest body of a request, bytes.
pub(crate) const BODY_BYTES: u32 = 1024 * 1024;
