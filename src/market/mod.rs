//! The market's Worker: one entry per request, and the loop behind an invocation.
//!
//! `entry.mjs` calls [`configure`] when the environment is new and [`handle`] for every request; `calls.mjs`, `passing.mjs` and `issuers.mjs` hold the calls of
//! the platform that are the market's alone. [`routes`] says what a request asks, [`drive`] carries out what the object
//! answers, [`shown`] makes pages of it, [`showcase`] keeps them, [`following`] waits for what others work on, [`bodies`] lets long bodies wait for each other, [`table`] reads the gate's route table before it is written, [`exchange`] does the same for
//! the exchange, [`objects`] are the Durable Objects.

mod bodies;
mod calls;
mod config;
mod drive;
mod exchange;
mod following;
mod objects;
mod routes;
mod showcase;
mod shown;
mod table;

use farebox_core::http::RequestHead;
use farebox_core::skills::message::Response;
use farebox_core::skills::refused;
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
        return render(&refused::internal().no_store());
    };
    match exchange::looked(&head) {
        Some(Ok(sight)) => {
            return promise(async move {
                let line = RequestLine::of(&head);
                let (status, response) = exchange::show(sight, request, env).await;
                line.log(status);
                response
            });
        }
        Some(Err(answer)) => return exchange::render(&answer),
        None => {}
    }
    match exchange::read(&head) {
        Some(Ok(wish)) => {
            return promise(async move {
                let line = RequestLine::of(&head);
                let answer = exchange::answer(wish, head, request, env).await;
                line.log(answer.status);
                exchange::render(&answer)
            });
        }
        Some(Err(answer)) => return exchange::render(&answer),
        None => {}
    }
    match routes::read(&head) {
        Ok(asked) => promise(async move {
            let line = RequestLine::of(&head);
            let answer = drive::answer(asked, head, request, env).await;
            line.log(answer.status());
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
        let woken = drive::wake(&env).await & exchange::wake(&env).await;
        if !woken {
            complain("farebox-market: an object did not answer the sweep");
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
    // Each has errors of its own form.
    let head = RequestHead::from_text(&format!("{method}\n{url}\n"));
    if head.is_some_and(|head| exchange::read(&head).is_some()) {
        return exchange::render(&farebox_core::compute::refused::internal());
    }
    render(&refused::internal().no_store())
}

/// Sends a response. One that cannot be sent becomes an internal error.
fn render(response: &Response) -> JsValue {
    let send = |it: &Response| request::response(it.status, &it.headers, &it.body);
    let sent = send(response);
    if sent.is_undefined() { send(&refused::internal().no_store()) } else { sent }
}
