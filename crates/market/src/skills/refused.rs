//! Answers of the contract that are refusals, text for text.

use super::message::Response;
use super::text::Members;

/// An answer `{"ok":false,"error":…}`.
#[must_use]
pub fn said(status: u32, error: &str) -> Response {
    Response::json(status, Members::new().raw("ok", "false").text("error", error).done())
}

/// For a skill that is not there.
#[must_use]
pub fn no_skill() -> Response {
    said(404, "Skill not found")
}

/// For a body that is no JSON object.
#[must_use]
pub fn no_json() -> Response {
    said(400, "Invalid JSON body")
}

/// For a body of more than 1 MiB.
#[must_use]
pub fn too_large() -> Response {
    said(413, "Request body too large")
}

/// For a request without an identity or without a proof that counts.
#[must_use]
pub fn no_identity() -> Response {
    said(401, "Agent authentication required")
}

/// For a proof by another wallet than the owner's.
#[must_use]
pub fn not_owner() -> Response {
    said(403, "You do not own this skill")
}

/// For a failure of ours.
#[must_use]
pub fn internal() -> Response {
    said(500, "Failed to invoke skill")
}

/// For a proof that does not count: who signs it again can repair it.
#[must_use]
pub fn bad_proof(why: &str) -> Response {
    no_identity().with("farebox-reason", why)
}

/// For rows whose part of the archive cannot be read now.
#[must_use]
pub fn no_archive() -> Response {
    said(503, "archive_unavailable").no_store().with("retry-after", "5")
}
