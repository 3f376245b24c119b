//! Answers of the contract that are refusals, text for text.

use super::message::Response;
use crate::text::Members;

/// An answer `{"ok":false,"error":…}`.
pub fn refusal(status: u32, error: &str) -> Response {
    Response::json(status, Members::new().raw("ok", "false").text("error", error).done())
}

/// For a skill that is not there.
pub fn no_skill() -> Response {
    refusal(404, "Skill not found")
}

/// For a body that is no JSON object.
pub fn no_json() -> Response {
    refusal(400, "Invalid JSON body")
}

/// For a body of more than 1 MiB.
pub fn too_large() -> Response {
    refusal(413, "Request body too large")
}

/// For a request without an identity or without a proof that counts.
pub fn no_identity() -> Response {
    refusal(401, "Agent authentication required")
}

/// For a proof by another wallet than the owner's.
pub fn not_owner() -> Response {
    refusal(403, "You do not own this skill")
}

/// For a failure of ours.
pub fn internal() -> Response {
    refusal(500, "Failed to invoke skill")
}

/// For a proof that does not count: who signs it again can repair it.
pub fn bad_proof(why: &str) -> Response {
    no_identity().with("farebox-reason", why)
}

/// For rows whose part of the archive cannot be read now.
pub fn no_archive() -> Response {
    refusal(503, "archive_unavailable").no_store().with("retry-after", "5")
}
