//! Answers of the contract that are refusals, text for text.

use super::message::Response;
use crate::query::StrangeParameter;
use crate::text::Members;

/// An answer `{"ok":false,"error":…,"code":…}`.
pub fn refusal(status: u32, error: &str) -> Response {
    Response::json(status, members(status, error).done())
}

/// The members that every refusal begins with.
pub fn members(status: u32, error: &str) -> Members {
    Members::new().raw("ok", "false").text("error", error).text("code", code_of(status, error))
}

/// The error, if it is a word for programs; else what its status says.
fn code_of(status: u32, error: &str) -> &str {
    let is_word =
        !error.is_empty() && error.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
    match status {
        _ if is_word => error,
        401 => "unauthorized",
        402 => "payment_required",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "conflict",
        410 => "gone",
        413 => "body_too_large",
        429 => "rate_limited",
        400..=499 => "invalid_request",
        503 => "unavailable",
        _ => "internal",
    }
}

/// For a parameter that a list does not have.
pub fn no_parameter(strange: StrangeParameter) -> Response {
    refusal(400, &strange.error).no_store()
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

/// For a look that costs much, where as many wait for theirs as may.
pub fn crowded() -> Response {
    refusal(429, "Too many such requests wait").with("retry-after", "2")
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

#[cfg(test)]
mod tests {
    use super::code_of;

    #[test]
    fn a_word_for_programs_is_the_code_and_a_sentence_has_that_of_its_status() {
        let cases = [
            (402, "insufficient_balance", "insufficient_balance"),
            (500, "Skill invocation failed", "internal"),
            (400, "name is required", "invalid_request"),
            (415, "", "invalid_request"),
            (404, "Skill not found", "not_found"),
            (503, "archive_unavailable", "archive_unavailable"),
        ];
        for (status, error, code) in cases {
            assert_eq!(code_of(status, error), code, "{error}");
        }
    }
}
