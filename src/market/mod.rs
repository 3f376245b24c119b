//! The market's Worker: one entry per request, and the loop behind an invocation.
//!
//! `entry.mjs` calls [`configure`] when the environment is new and [`handle`] for every request; `calls.mjs` holds the calls of
//! the platform that are the market's alone. [`routes`] says what a request asks, [`drive`] carries out what the object
//! answers, [`shown`] makes pages of it, [`table`] reads the gate's route table before it is written, [`objects`] is the Durable
//! Object.

mod calls;
mod config;
mod drive;
mod objects;
mod routes;
mod shown;
mod table;

use farebox_core::http::{Headers, RequestHead};
use farebox_core::skills::message::Response;
use farebox_core::skills::refused;
use wasm_bindgen::prelude::*;

use crate::platform::calls::{clock_ms, complain, log, promise, respond};
use crate::platform::guard::contain_panics;
use crate::platform::{fresh_id, now};

/// Reads the configuration.
#[wasm_bindgen]
pub fn configure(vars: &str) {
    contain_panics();
    config::configure(vars);
}

/// Answers one request: a `Response`, or a promise of one.
///
/// `head` is method, URL, `body` or an empty line, and one line per header field; `env` is all that
/// the platform binds.
#[wasm_bindgen]
#[must_use]
pub fn handle(head: &str, request: JsValue, env: JsValue) -> JsValue {
    contain_panics();
    let Some(head) = RequestHead::from_text(head) else {
        return render(&refused::internal().no_store());
    };
    #[cfg(feature = "panic-drill")]
    drill(&head, "edge");
    match routes::read(&head) {
        Ok(asked) => promise(async move {
            let line = RequestLine::of(&head);
            let answer = drive::answer(asked, head, request, env).await;
            line.log(&answer);
            match answer {
                drive::Given::Written(response) => render(&response),
                drive::Given::Passed(response, _) => response,
            }
        }),
        Err(response) => render(&response),
    }
}

/// Wakes the object, so that it goes on if its alarm was lost; resolves to whether it answered.
#[wasm_bindgen]
#[must_use]
pub fn sweep(env: JsValue) -> JsValue {
    promise(async move {
        let woken = drive::wake(&env).await;
        if !woken {
            complain("farebox-market: the object did not answer the sweep");
        }
        JsValue::from(woken)
    })
}

/// The answer when the work on a request was lost.
#[wasm_bindgen]
#[must_use]
pub fn fail(method: &str, url: &str) -> JsValue {
    let correlation = fresh_id();
    complain(&format!("farebox-market: the work on the request {correlation} was lost"));
    let _ = (method, url);
    render(&refused::internal().no_store())
}

/// What the log says of a request that was let in.
struct RequestLine {
    method: String,
    path: String,
    since: u64,
}

impl RequestLine {
    fn of(head: &RequestHead) -> Self {
        let path = head.target().split('?').next().unwrap_or_default();
        let path = path.chars().take(MAX_PATH_CHARS).collect();
        Self { method: head.method.clone(), path, since: clock_ms() }
    }

    fn log(&self, answer: &drive::Given) {
        let line = serde_json::json!({
            "at": now().rfc3339(),
            "method": self.method,
            "path": self.path,
            "status": answer.status(),
            "ms": clock_ms().saturating_sub(self.since),
        });
        log(&line.to_string());
    }
}

/// Longest path in a line: clients write it.
const MAX_PATH_CHARS: usize = 256;

/// Sends a response. One that cannot be sent becomes an internal error.
fn render(response: &Response) -> JsValue {
    let sent = send(response);
    if sent.is_undefined() { send(&refused::internal().no_store()) } else { sent }
}

fn send(response: &Response) -> JsValue {
    let mut headers = Headers::new();
    for (name, value) in &response.headers {
        headers.add(name, value);
    }
    let status = u16::try_from(response.status).unwrap_or(500);
    respond(status, &headers.to_lines(), &JsValue::from_str(&response.body))
}

/// Panics where a drill request asks for it, or lets a JavaScript exception through.
#[cfg(feature = "panic-drill")]
fn drill(head: &RequestHead, place: &str) {
    assert!(head.headers.get("x-panic") != Some(place), "drill");
    if head.headers.get("x-throw") == Some(place) {
        wasm_bindgen::throw_str("drill");
    }
}
