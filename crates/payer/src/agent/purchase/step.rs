//! The events of a purchase, and the steps that follow them.

use alloc::string::String;

use crate::agent::json::Json;
use farebox_base::http::Headers;

/// An event of a purchase.
#[derive(Clone, Debug)]
pub enum PurchaseEvent<'a> {
    /// The caller begins, or begins again.
    Resumed,
    /// A request was answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// Header fields.
        headers: &'a Headers,
        /// The body.
        body: &'a str,
    },
    /// No complete answer came.
    Lost,
    /// The payment was signed: its header fields, and unix seconds from which it is worth nothing.
    Signed {
        /// Names and values.
        payment: Json,
        /// Unix seconds.
        ends: u64,
    },
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurchaseStep {
    /// Send a request.
    Request(PlannedCall),
    /// Have this quote signed; the answer that asked for it is beside it.
    Sign,
    /// It is done: the outcome.
    Return(Json),
    /// It failed: the error.
    Fail(Json),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCall {
    /// The method.
    pub method: &'static str,
    /// Path and query below the exchange's origin, or the URL of the till.
    pub path: String,
    /// Header fields beside `content-type`.
    pub headers: Json,
    /// The body; empty if there is none.
    pub body: String,
    /// Milliseconds to wait before, unless there are news of the job.
    pub wait_ms: u64,
}
