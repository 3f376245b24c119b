//! Requests that are sent once; `send.mjs` is the border.

use wasm_bindgen::prelude::*;

use super::calls::{member, settled};

#[wasm_bindgen(module = "/src/platform/send.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = sendOnce)]
    fn send_once(
        by: &JsValue,
        url: &str,
        method: &str,
        lines: &str,
        body: Option<&str>,
        head_ms: u32,
        body_ms: u32,
        bytes: u32,
    ) -> js_sys::Promise;
}

/// The outcome of sending a request.
pub(crate) enum Sent<T> {
    /// A head came.
    Answer(T),
    /// No head came, or its body broke off; the request may have arrived.
    Lost,
    /// Not all of the answer came in time.
    Late,
    /// Nothing was sent.
    Never,
}

/// Limits on what is waited for and read.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Milliseconds to the head.
    pub head_ms: u32,
    /// And to the end of the body.
    pub body_ms: u32,
    /// The most that is read of the body, bytes.
    pub bytes: u32,
}

/// The answer that came.
pub(crate) struct Received {
    pub status: u32,
    /// Header fields, names in lower case.
    #[cfg_attr(
        not(any(feature = "treasury", feature = "market")),
        allow(dead_code, reason = "the gate reads none of a treasury")
    )]
    pub headers: Vec<(String, String)>,
    /// The body as text, or in base64 if it is no UTF-8.
    pub body: String,
    /// Whether it is base64.
    pub base64: bool,
    /// Whether the body was longer than what is read.
    pub cut: bool,
}

/// Sends a request once. Redirects are not followed; `by` is the bound Worker that is asked instead of
/// the host, or undefined.
pub(crate) async fn send(
    by: &JsValue,
    url: &str,
    method: &str,
    lines: &str,
    body: Option<&str>,
    within: Limits,
) -> Sent<Received> {
    let Limits { head_ms, body_ms, bytes } = within;
    let asked = send_once(by, url, method, lines, body, head_ms, body_ms, bytes);
    let Some(said) = settled(asked).await else { return Sent::Lost };
    if let Some(word) = said.as_string() {
        return match word.as_str() {
            "early" => Sent::Never,
            "late" => Sent::Late,
            _ => Sent::Lost,
        };
    }
    let head = member(&said, "head").as_string().unwrap_or_default();
    let mut lines = head.split('\n');
    let Some(Ok(status)) = lines.next().map(str::parse) else { return Sent::Lost };
    let headers = lines.filter_map(|line| line.split_once(": "));
    let base64 = member(&said, "base64").as_string();
    Sent::Answer(Received {
        status,
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        base64: base64.is_some(),
        body: base64.or_else(|| member(&said, "text").as_string()).unwrap_or_default(),
        cut: member(&said, "cut").is_truthy(),
    })
}
