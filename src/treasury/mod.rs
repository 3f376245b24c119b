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

use crate::platform::calls::{complain, promise};
use crate::platform::fresh_id;
use crate::platform::guard::contain_panics;
use crate::platform::request::{self, RequestLine};

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
    match routes::read(&head) {
        Ok(asked) => promise(async move {
            let line = RequestLine::of(&head);
            let reply = drive::answer(asked, head, request, env).await;
            line.log(reply.status);
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

/// Sends a reply. One that cannot be sent becomes an internal error.
fn render(reply: &Reply) -> JsValue {
    let send = |it: &Reply| request::response(it.status, &it.headers, &it.body);
    let sent = send(reply);
    if sent.is_undefined() { send(&refusal::agent(Code::Internal, 500)) } else { sent }
}
