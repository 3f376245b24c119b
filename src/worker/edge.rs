//! The border to `origin.mjs` and `ledger.mjs`, and to what the gate alone uses of the platform's
//! calls.

use farebox_core::gate::paid::MAX_DIGESTED_BYTES;
use farebox_core::gate::reply::{Audience, Body, CORRELATION, Reply};
use farebox_core::problem::Code;
use wasm_bindgen::prelude::*;

use crate::platform::calls::respond;
// The calls that every Worker has, beside the gate's own.
pub(super) use crate::platform::calls::{
    ask_json, clock_ms, complain, log, member, pause, post_notice, promise, settled, text_of,
    wait_until,
};

#[wasm_bindgen(module = "/src/platform/edge.mjs")]
extern "C" {
    /// Lets a page read an answer, or a promise of one, that it asked for with credentials.
    #[wasm_bindgen(js_name = forPage)]
    pub(super) fn for_page(answer: JsValue, page: Option<&str>) -> JsValue;

    /// The `EXTENSION-RESPONSES` of the last answer from this URL, once.
    #[wasm_bindgen(js_name = takeExtensionResponses)]
    pub(super) fn take_extension_responses(url: &str) -> Option<String>;

    /// Asks a bound Worker for a price. Resolves to its answer, or to undefined.
    #[wasm_bindgen(js_name = askPrice)]
    pub(super) fn ask_price(
        services: &JsValue,
        name: &str,
        body: &str,
        milliseconds: u32,
        bytes: u32,
    ) -> js_sys::Promise;

    /// Opens a body that is written piece by piece: `{readable, writer}`.
    pub(super) fn channel() -> JsValue;

    /// Writes a piece; without one, ends the body. Resolves to whether the body still has a reader.
    #[wasm_bindgen(js_name = writePiece)]
    pub(super) fn write_piece(channel: &JsValue, piece: Option<&str>) -> js_sys::Promise;

    /// Asks the rate limit. Resolves to whether one more is allowed.
    #[wasm_bindgen(js_name = withinLimit)]
    pub(super) fn within_limit(limiter: &JsValue, key: &str) -> js_sys::Promise;

    /// Whether a promise is settled within this time.
    fn within(promise: &js_sys::Promise, milliseconds: u32) -> js_sys::Promise;

    /// The head of a response: status, and one line per field.
    #[wasm_bindgen(js_name = headOf)]
    pub(super) fn head_of(response: &JsValue) -> String;
}

#[wasm_bindgen(module = "/src/platform/body.mjs")]
extern "C" {
    /// Reads a response's body. Resolves to `{kind, length, source}`.
    pub(super) fn collect(response: &JsValue, bytes: u32, milliseconds: u32) -> js_sys::Promise;

    /// Reads and hashes a request's body up to a limit. Resolves to `{kind, digest, body}`.
    #[wasm_bindgen(js_name = digestBody)]
    fn digest_body(request: &JsValue, bytes: u32, milliseconds: u32) -> js_sys::Promise;

    /// Takes the unread body of a response.
    #[wasm_bindgen(js_name = bodyOf)]
    pub(super) fn body_of(response: &JsValue) -> JsValue;

    /// Takes the body of a request, or null.
    #[wasm_bindgen(js_name = requestBody)]
    pub(super) fn request_body(request: &JsValue) -> JsValue;

    /// Takes what has been read, and cancels the rest.
    #[wasm_bindgen(js_name = discard)]
    pub(super) fn discard(source: &JsValue);
}

#[wasm_bindgen(module = "/src/worker/unpaid.mjs")]
extern "C" {
    /// Logs a line about a request that begins no payment, together with those of the same second.
    #[wasm_bindgen(js_name = logUnpaid)]
    pub(super) fn log_unpaid(line: &str, context: &JsValue);
}

#[wasm_bindgen(module = "/src/worker/origin.mjs")]
extern "C" {
    /// Asks an origin, with this cache mode of `fetch`: the Worker bound as such, or a server.
    /// Resolves to `{head, response, sent}`, or to the text `timeout` or `lost`.
    #[wasm_bindgen(js_name = askOrigin)]
    pub(super) fn ask_origin(
        bound: &JsValue,
        url: &str,
        method: &str,
        lines: &str,
        body: &JsValue,
        milliseconds: u32,
        uploading: u32,
        cache: Option<&str>,
        resolve: Option<&str>,
    ) -> js_sys::Promise;

    /// Waits for the end of the body that went to the origin: `complete`, `broken`, `flowing`, or
    /// `client_left` if the origin did not want all of it.
    fn uploaded(sent: &JsValue, milliseconds: u32) -> js_sys::Promise;

    /// Lets a body flow to the client: `{readable, next()}`. If the upload of its request breaks off,
    /// its client has left.
    pub(super) fn pump(
        source: &JsValue,
        idle: u32,
        promised: Option<u32>,
        upload: &JsValue,
    ) -> JsValue;

    /// Waits for the next sign of life of a pump: `flowing`, `complete`, `client_left` or `broken`.
    pub(super) fn progress(pump: &JsValue) -> js_sys::Promise;
}

#[wasm_bindgen(module = "/src/worker/flow.mjs")]
extern "C" {
    /// Opens a body that flows as far as it is paid for: `{readable}`.
    #[wasm_bindgen(js_name = openFlow)]
    pub(super) fn open_flow(
        response: &JsValue,
        unit: &str,
        has_events: bool,
        idle: u32,
        taking: u32,
        promised: Option<u32>,
        longest: u32,
    ) -> JsValue;

    /// Lets so many units more flow. Resolves to `due`, `complete`, `client_left` or `broken`.
    #[wasm_bindgen(js_name = letFlow)]
    pub(super) fn let_flow(flow: &JsValue, units: u32) -> js_sys::Promise;

    /// Ends it after this text, or as one that broke off.
    #[wasm_bindgen(js_name = endFlow)]
    pub(super) fn end_flow(flow: &JsValue, text: Option<&str>) -> js_sys::Promise;

    /// Writes an event and waits for an answer of [`await_object`]. Resolves to its text, or to
    /// undefined.
    pub(super) fn paused(
        flow: &JsValue,
        event: Option<&str>,
        answered: &js_sys::Promise,
    ) -> js_sys::Promise;
}

#[wasm_bindgen(module = "/src/worker/ledger.mjs")]
extern "C" {
    /// Asks a channel until it has another answer than that it waits. Resolves as [`ask_object`].
    #[wasm_bindgen(js_name = awaitObject)]
    pub(super) fn await_object(
        namespace: &JsValue,
        name: &str,
        command: &str,
        milliseconds: u32,
    ) -> js_sys::Promise;

    /// Asks a ledger object. Resolves to `{answer, body}`, or to undefined.
    #[wasm_bindgen(js_name = askObject)]
    pub(super) fn ask_object(
        namespace: &JsValue,
        name: &str,
        command: &str,
        body: &JsValue,
        milliseconds: u32,
    ) -> js_sys::Promise;

    /// Asks an object for the rows of a copy, or gives it some. Resolves to text, or to undefined.
    #[wasm_bindgen(js_name = copyObject)]
    pub(super) fn copy_object(
        namespace: &JsValue,
        name: &str,
        command: &str,
        lines: &JsValue,
        milliseconds: u32,
    ) -> js_sys::Promise;

    /// Builds a ledger object's answer, with a stored body, and the time for its alarm: `{answered,
    /// alarm}`.
    pub(super) fn answered(
        answer: &str,
        body: Option<js_sys::Uint8Array>,
        alarm: Option<f64>,
    ) -> JsValue;
}

#[wasm_bindgen]
extern "C" {
    /// An object of this project's scripts with named parts; its value is neither null nor
    /// undefined. A part that it does not have is undefined.
    pub(super) type Parts;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn ledger(this: &Parts) -> JsValue;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn channel(this: &Parts) -> JsValue;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn limiter(this: &Parts) -> JsValue;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn origin(this: &Parts) -> JsValue;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn services(this: &Parts) -> JsValue;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn answer(this: &Parts) -> Option<String>;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn body(this: &Parts) -> JsValue;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn head(this: &Parts) -> Option<String>;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn response(this: &Parts) -> JsValue;

    #[wasm_bindgen(method, getter, structural)]
    pub(super) fn sent(this: &Parts) -> JsValue;
}

/// Sends a reply with a body of the gate.
pub(super) fn render(reply: &Reply) -> JsValue {
    render_with(reply, &JsValue::NULL)
}

/// Sends a reply; `held` is the body if the reply says so. A reply that cannot be sent becomes an
/// internal error.
pub(super) fn render_with(reply: &Reply, held: &JsValue) -> JsValue {
    let lines = reply.head.headers.to_lines();
    let text = match &reply.body {
        Body::Empty => JsValue::NULL,
        Body::Text(text) => JsValue::from_str(text),
        Body::Held => held.clone(),
    };
    let response = respond(reply.head.status, &lines, &text);
    if !response.is_undefined() {
        return response;
    }
    discard(held);
    let correlation = reply.head.headers.get(CORRELATION).unwrap_or_default();
    let ours = Reply::problem(Code::Internal, Audience::Other, correlation, None);
    let Body::Text(text) = &ours.body else { return JsValue::UNDEFINED };
    respond(ours.head.status, &ours.head.headers.to_lines(), &JsValue::from_str(text))
}

/// Outcome of reading a request's body.
pub(super) enum Digested {
    /// All of it came; its digest.
    Whole(String),
    /// It is too long for a digest, and not fully read.
    Long,
    /// It broke off.
    Broken,
}

/// The digest of a request's body, and the body to go on with.
pub(super) async fn digest_of(request: &JsValue) -> (Digested, JsValue) {
    let digested = settled(digest_body(request, MAX_DIGESTED_BYTES as u32, 30_000)).await;
    let digested = digested.unwrap_or(JsValue::UNDEFINED);
    let digest = match member(&digested, "kind").as_string().as_deref() {
        Some("whole") => member(&digested, "digest").as_string().map(Digested::Whole),
        Some("long") => Some(Digested::Long),
        _ => None,
    };
    (digest.unwrap_or(Digested::Broken), member(&digested, "body"))
}

/// State of the request's body on its way to the origin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Upload {
    /// It went out to its end.
    Over,
    /// The origin does not want the rest of it.
    Unwanted,
    /// It is still going out.
    Flowing,
    /// The client broke off.
    Broken,
}

/// Waits for the end of a request's body on its way to the origin.
pub(super) async fn upload_of(sent: &JsValue, milliseconds: u32) -> Upload {
    // Most requests have no body, or one that was read before it was sent.
    if sent.is_undefined() {
        return Upload::Over;
    }
    let end = settled(uploaded(sent, milliseconds)).await.and_then(|end| end.as_string());
    match end.as_deref() {
        Some("complete") => Upload::Over,
        Some("client_left") => Upload::Unwanted,
        Some("flowing") => Upload::Flowing,
        _ => Upload::Broken,
    }
}

/// Whether a promise is settled within this time; it goes on either way.
pub(super) async fn is_settled_within(promise: &js_sys::Promise, milliseconds: u32) -> bool {
    settled(within(promise, milliseconds)).await.is_some_and(|value| value.is_truthy())
}
