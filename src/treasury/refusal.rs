//! The Worker's own answers, before an object is asked or instead of one.

use farebox_core::problem::{Code, document};
use farebox_core::treasury::message::Reply;

/// A refusal as agents' clients read it: `{message, code}`.
pub(super) fn agent(code: Code, status: u32) -> Reply {
    let row = code.row();
    let body = serde_json::json!({"message": row.detail, "code": row.code});
    retry(Reply::json(status, body.to_string()), code)
}

/// A refusal for operators and everyone else.
pub(super) fn operator(code: Code, correlation: &str) -> Reply {
    with_status(code, code.row().status, correlation)
}

/// The same with another status.
pub(super) fn with_status(code: Code, status: u16, correlation: &str) -> Reply {
    let mut reply = Reply::json(u32::from(status), document(code, status, correlation, None));
    for (name, value) in &mut reply.headers {
        if name == "content-type" {
            *value = "application/problem+json".to_owned();
        }
    }
    retry(reply, code)
}

fn retry(reply: Reply, code: Code) -> Reply {
    match code.row().retry_after {
        Some(secs) => reply.with("retry-after", &secs.to_string()),
        None => reply,
    }
}
