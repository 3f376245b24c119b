//! The work of a Worker with objects for every request: its line in the log, and its answer as a
//! `Response`.

use farebox_core::http::{Headers, RequestHead};
use farebox_core::secret::path_shown;
use wasm_bindgen::JsValue;

use super::calls::{clock_ms, log, respond};
use super::now;

/// The line of the log about a request that was let in.
pub(crate) struct RequestLine {
    method: String,
    path: String,
    since: u64,
}

impl RequestLine {
    pub(crate) fn of(head: &RequestHead) -> Self {
        let path = path_shown(head.target());
        Self { method: head.method.clone(), path, since: clock_ms() }
    }

    pub(crate) fn log(&self, status: u32) {
        let line = farebox_core::json!({
            "at": now().rfc3339(),
            "method": self.method,
            "path": self.path,
            "status": status,
            "ms": clock_ms().saturating_sub(self.since),
        });
        log(&farebox_core::encoding::json::text(&line));
    }
}

/// A `Response` of status, fields and body; undefined if the platform refuses to make it.
pub(crate) fn response(status: u32, fields: &[(String, String)], body: &str) -> JsValue {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.add(name, value);
    }
    let status = u16::try_from(status).unwrap_or(500);
    respond(status, &headers.to_lines(), &JsValue::from_str(body))
}
