//! Answers of the contract that are refusals, code for code. Spec: contract of the compute exchange,
//! "Contract"; docs/design.md, "Layers".

use alloc::format;
use alloc::string::ToString;

use super::message::{Callback, JsonAnswer};
use super::row::Leave;
use crate::text::{object, quoted};

/// An answer `{error, code}`.
pub(super) fn refusal(status: u32, code: &str, error: &str) -> JsonAnswer {
    JsonAnswer::new(status, object(&[("error", quoted(error)), ("code", quoted(code))]))
}

/// An answer `{error, code, details}`; `details` is JSON already.
pub(super) fn detailed_refusal(status: u32, code: &str, error: &str, details: &str) -> JsonAnswer {
    let members =
        [("error", quoted(error)), ("code", quoted(code)), ("details", details.to_string())];
    JsonAnswer::new(status, object(&members))
}

/// For a field that is not what it has to be.
pub(super) fn invalid(error: &str) -> JsonAnswer {
    refusal(400, "INVALID_REQUEST", error)
}

/// For a seller without a session of its own.
pub(super) fn no_session(why: &str) -> JsonAnswer {
    refusal(403, "SELLER_SESSION_INVALID", why)
}

/// For a job's request whose seller did not prove who it is.
pub(super) fn no_signature(why: &str) -> JsonAnswer {
    refusal(403, "SELLER_SIGNATURE_INVALID", why)
}

/// For a seller that is not there.
pub(super) fn no_seller() -> JsonAnswer {
    refusal(404, "SELLER_NOT_FOUND", "Seller not found.")
}

/// For a fingerprint that names no request that can be paid now.
pub(super) fn bad_fingerprint(why: &str) -> JsonAnswer {
    refusal(403, "FINGERPRINT_INVALID", why)
}

/// For a quote for which the gate has told no terms.
pub(super) fn no_terms(why: &str) -> JsonAnswer {
    refusal(503, "PAYMENT_TERMS_UNAVAILABLE", why)
}

/// For a quote about which the gate says neither terms nor that it has none.
pub fn terms_untold() -> JsonAnswer {
    no_terms("The gate tells no terms of this price now; nothing was charged.")
        .with("retry-after", "5")
}

/// For a seat that is gone.
pub(super) fn quote_expired() -> JsonAnswer {
    refusal(409, "QUOTE_EXPIRED", "Quote expired before payment; request a new quote.")
}

/// For a transaction that was shown before.
pub(super) fn used_transaction() -> JsonAnswer {
    refusal(409, "TX_ALREADY_USED", "The transaction paid for something already.")
}

/// For a job in another state than this needs.
pub(super) fn bad_state(status: &str) -> JsonAnswer {
    let error = alloc::format!("Job is {status}; this is not possible any more, or not yet.");
    refusal(409, "INVALID_JOB_STATE", &error)
}

/// For money that is decided about and did not move yet.
pub(super) fn not_moved(leave: Leave) -> JsonAnswer {
    let (code, what) = match leave {
        Leave::Release => ("ESCROW_RELEASE_FAILED", "release"),
        Leave::Refund => ("ESCROW_REFUND_FAILED", "refund"),
    };
    let why = alloc::format!("The escrow {what} has not gone through yet; it is tried again.");
    refusal(500, code, &why)
}

/// For an outcome that is decided, whose money someone is asking to move right now.
pub(super) fn under_way(leave: Leave) -> JsonAnswer {
    let code = match leave {
        Leave::Release => "ESCROW_RELEASE_PENDING",
        Leave::Refund => "ESCROW_REFUND_PENDING",
    };
    let why = "The outcome is written, and its money is being moved; ask again to hear of it.";
    refusal(409, code, why).with("retry-after", "1")
}

/// For a request of the operator's that does not show their token.
pub fn not_operator() -> JsonAnswer {
    refusal(401, "OPERATOR_TOKEN_INVALID", "The operator's token is needed.")
        .with("www-authenticate", "Bearer")
}

/// For a parameter of a list that it does not have, or cannot read.
pub(super) fn bad_parameter(name: &str, error: &str) -> JsonAnswer {
    let members = [
        ("error", quoted(error)),
        ("code", quoted("INVALID_REQUEST")),
        ("parameter", quoted(name)),
    ];
    JsonAnswer::new(400, object(&members))
}

/// For money that there is not.
pub(super) fn no_hold() -> JsonAnswer {
    refusal(404, "HOLD_NOT_FOUND", "No such payment is held.")
}

/// For money about which no one has to be asked.
pub(super) fn nothing_to_ask() -> JsonAnswer {
    let why = "Nothing is to be asked about this payment: it is held for its job, or has arrived.";
    refusal(409, "NOTHING_TO_ASK", why)
}

/// For money that the exchange moves itself.
pub(super) fn nothing_to_end() -> JsonAnswer {
    let why = "This payment is not ended by hand: the gate has not said that it was paid back or \
               waived there, or something was sent.";
    refusal(409, "NOTHING_TO_END", why)
}

/// For a profile that is not served here, or an exchange whose configuration is wrong.
pub fn not_configured() -> JsonAnswer {
    let why = "Gateway configuration is missing for this network profile.";
    refusal(500, "GATEWAY_CONFIG_MISSING", why)
}

/// For a path that there is not.
pub fn no_path() -> JsonAnswer {
    refusal(404, "NOT_FOUND", "Not found.")
}

/// For a method that a path does not have.
pub fn no_method(methods: &str) -> JsonAnswer {
    refusal(405, "METHOD_NOT_ALLOWED", "Method not allowed.").with("allow", methods)
}

/// For a body of more bytes than this.
pub fn too_long(most: u32) -> JsonAnswer {
    let why = format!("Request body must have at most {most} bytes.");
    refusal(413, "REQUEST_TOO_LARGE", &why)
}

/// For a long body, or a question to the node, that has no place among those that wait.
pub fn crowded() -> JsonAnswer {
    let why = "Too many requests wait; try again.";
    refusal(429, "EXCHANGE_CROWDED", why).with("retry-after", "2")
}

/// For a body that broke off, or is no text.
pub fn no_json() -> JsonAnswer {
    refusal(400, "INVALID_JSON", "Request body must be valid JSON.")
}

/// For an object that does not answer.
pub fn down() -> JsonAnswer {
    let why = "The exchange is not available; try again.";
    refusal(503, "EXCHANGE_UNAVAILABLE", why).with("retry-after", "5")
}

/// For a request that did not come through the gate.
pub fn not_forwarded() -> JsonAnswer {
    let why = "Only requests that were paid at the gate are served here.";
    refusal(403, "PAYMENT_REQUIRED_AT_GATE", why)
}

/// For a fault of this program.
pub fn internal() -> JsonAnswer {
    refusal(500, "INTERNAL_ERROR", "Internal error.")
}

/// For an outcome whose money another request or the alarm moves.
pub fn not_moved_yet(callback: Callback) -> JsonAnswer {
    not_moved(match callback {
        Callback::Start | Callback::Complete => Leave::Release,
        Callback::Fail => Leave::Refund,
    })
}
