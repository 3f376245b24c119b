//! Answers of the contract that are refusals, code for code. Spec: contract of the compute exchange,
//! "Contract"; docs/design.md, "Layers".

use alloc::string::ToString;

use super::message::JsonAnswer;
use super::text::{object, quoted};

/// An answer `{error, code}`.
#[must_use]
pub(super) fn said(status: u32, code: &str, error: &str) -> JsonAnswer {
    JsonAnswer::new(status, object(&[("error", quoted(error)), ("code", quoted(code))]))
}

/// An answer `{error, code, details}`; `details` is JSON already.
#[must_use]
pub(super) fn detailed(status: u32, code: &str, error: &str, details: &str) -> JsonAnswer {
    let members =
        [("error", quoted(error)), ("code", quoted(code)), ("details", details.to_string())];
    JsonAnswer::new(status, object(&members))
}

/// For a field that is not what it has to be.
#[must_use]
pub(super) fn invalid(error: &str) -> JsonAnswer {
    said(400, "INVALID_REQUEST", error)
}

/// For a seller without a session of its own.
#[must_use]
pub(super) fn no_session(why: &str) -> JsonAnswer {
    said(403, "SELLER_SESSION_INVALID", why)
}

/// For a job's request whose seller did not prove who it is.
#[must_use]
pub(super) fn no_signature(why: &str) -> JsonAnswer {
    said(403, "SELLER_SIGNATURE_INVALID", why)
}

/// For a seller that is not there.
#[must_use]
pub(super) fn no_seller() -> JsonAnswer {
    said(404, "SELLER_NOT_FOUND", "Seller not found.")
}

/// For a fingerprint that names no request that can be paid now.
#[must_use]
pub(super) fn bad_fingerprint(why: &str) -> JsonAnswer {
    said(403, "FINGERPRINT_INVALID", why)
}

/// For a seat that is gone.
#[must_use]
pub(super) fn quote_expired() -> JsonAnswer {
    said(409, "QUOTE_EXPIRED", "Quote expired before payment; request a new quote.")
}

/// For a job in another state than this needs.
#[must_use]
pub(super) fn bad_state(status: &str) -> JsonAnswer {
    let error = alloc::format!("Job is {status}; this is not possible any more, or not yet.");
    said(409, "INVALID_JOB_STATE", &error)
}
