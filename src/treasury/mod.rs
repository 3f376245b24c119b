//! The treasury's Worker: one entry per request, and the loop behind a decision.
//!
//! `entry.mjs` calls [`configure`] when the environment is new and [`handle`] for every request; `calls.mjs` holds the calls of
//! the platform that are the treasury's alone. [`routes`] says what a request asks, [`refusal`] what is answered before an object
//! is asked, [`drive`] carries out what an object answers, [`objects`] are the Durable Objects.

mod calls;
mod config;
mod drive;
mod objects;
mod refusal;
mod routes;

use farebox_core::http::RequestHead;
use farebox_core::problem::Code;
use farebox_core::treasury::message::Reply;
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
        return render(&refusal::operator(Code::Internal, &fresh_id()));
    };
    #[cfg(feature = "panic-drill")]
    drill(&head, "edge");
    match routes::read(&head) {
        Ok(asked) => promise(async move {
            let line = Line::of(&head);
            let reply = drive::answer(asked, head, request, env).await;
            line.log(&reply);
            render(&reply)
        }),
        Err(reply) => render(&reply),
    }
}

/// Wakes the objects of all organizations; resolves to the number that did not answer.
#[wasm_bindgen]
#[must_use]
pub fn sweep(env: JsValue) -> JsValue {
    promise(async move {
        let silent = drive::sweep(&env).await;
        if silent > 0 {
            complain(&format!("farebox-treasury: {silent} objects did not answer the sweep"));
        }
        JsValue::from(silent)
    })
}

/// The answer when the work on a request was lost.
#[wasm_bindgen]
#[must_use]
pub fn fail(method: &str, url: &str) -> JsValue {
    let correlation = fresh_id();
    complain(&format!("farebox-treasury: the work on the request {correlation} was lost"));
    let _ = method;
    let is_sdk = url.contains("/api/sdk/");
    render(&if is_sdk {
        refusal::agent(Code::Internal, 500)
    } else {
        refusal::operator(Code::Internal, &correlation)
    })
}

/// What the log says of a request that was let in.
struct Line {
    method: String,
    path: String,
    since: u64,
}

impl Line {
    fn of(head: &RequestHead) -> Self {
        let path = head.target().split('?').next().unwrap_or_default();
        let path = path.chars().take(MAX_PATH_CHARS).collect();
        Self { method: head.method.clone(), path, since: clock_ms() }
    }

    fn log(&self, reply: &Reply) {
        let line = serde_json::json!({
            "at": now().rfc3339(),
            "method": self.method,
            "path": self.path,
            "status": reply.status,
            "ms": clock_ms().saturating_sub(self.since),
        });
        log(&line.to_string());
    }
}

/// Longest path in a line: clients write it.
const MAX_PATH_CHARS: usize = 256;

/// Sends a reply. One that cannot be sent becomes an internal error.
fn render(reply: &Reply) -> JsValue {
    let sent = send(reply);
    if sent.is_undefined() { send(&refusal::agent(Code::Internal, 500)) } else { sent }
}

fn send(reply: &Reply) -> JsValue {
    let mut headers = farebox_core::http::Headers::new();
    for (name, value) in &reply.headers {
        headers.add(name, value);
    }
    let status = u16::try_from(reply.status).unwrap_or(500);
    respond(status, &headers.to_lines(), &JsValue::from_str(&reply.body))
}

/// Panics where a drill request asks for it, or lets a JavaScript exception through.
#[cfg(feature = "panic-drill")]
fn drill(head: &RequestHead, place: &str) {
    assert!(head.headers.get("x-panic") != Some(place), "drill");
    if head.headers.get("x-throw") == Some(place) {
        wasm_bindgen::throw_str("drill");
    }
}
