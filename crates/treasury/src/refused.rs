//! Answers of the contract that are no decisions.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use super::message::Reply;
use super::version::CURRENT;

/// For a request without a token that counts: the same whatever is wrong with it.
#[must_use]
pub fn unauthorized() -> Reply {
    write_reply(401, "The token is missing, unknown, expired or revoked.", "unauthorized")
        .with("www-authenticate", "Bearer")
}

/// For a client of a version that is not served.
#[must_use]
pub fn unsupported_version() -> Reply {
    let message = format!(
        "This SDK version is not supported: send x-402flow-sdk-version, >=0.1.0-alpha.0 <0.2.0, such as {CURRENT}."
    );
    let body = json!({
        "message": message,
        "code": "unsupported_sdk_version",
        "supportedVersions": [CURRENT],
    });
    Reply::json(400, body.to_string())
}

/// For a decision in the name of others.
#[must_use]
pub fn rejection() -> Reply {
    Reply::json(
        404,
        json!({"message": "Payment decision request rejected.", "code": "rejected"}).to_string(),
    )
}

/// For a receipt that the agent does not have.
#[must_use]
pub fn no_receipt() -> Reply {
    write_reply(404, "There is no receipt with this id.", "not_found")
}

/// For a decision that there is not, or whose key is unknown.
#[must_use]
pub fn no_decision() -> Reply {
    write_reply(404, "There is no decision of this agent under this key.", "not_found")
}

/// For a look-up in an organization that is not configured: it says nothing of what was paid there.
#[must_use]
pub fn unknown_organization() -> Reply {
    write_reply(404, "There is no such organization.", "organization_unknown")
}

/// For a body that is too long.
#[must_use]
pub fn too_large() -> Reply {
    write_reply(413, "The payment decision request is longer than 1 MiB.", "body_too_large")
}

/// For a key that stands for another request.
#[must_use]
pub fn conflict() -> Reply {
    let message =
        "The idempotency key was used for another request; nothing was paid for this one.";
    write_reply(409, message, "idempotency_key_conflict")
}

/// For a key whose payment has left the books.
#[must_use]
pub fn key_removed() -> Reply {
    let message = "A payment was signed under this idempotency key, and is not kept any more; nothing was paid now.";
    write_reply(409, message, "idempotency_key_used")
}

/// The same for who looks it up.
#[must_use]
pub fn decision_removed() -> Reply {
    let message = "A payment was signed under this key, and is not kept any more.";
    write_reply(410, message, "decision_removed")
}

/// For a challenge whose nonce another decision has signed.
#[must_use]
pub fn used_challenge() -> Reply {
    let message = "A payment of this challenge was signed under another decision; nothing was paid for this one. Ask the merchant for a new challenge.";
    write_reply(409, message, "challenge_already_used")
}

/// For a payment beside too many of its agent, or of all, that are open.
#[must_use]
pub fn too_many_open() -> Reply {
    let message = "Too many payments of this agent, or of all, are open; nothing was paid for this one. Ask again once some have ended.";
    write_reply(429, message, "too_many_open_payments").with("retry-after", "60")
}

/// For a payment beside too many of its agent that have ended today and never moved.
#[must_use]
pub fn too_many_unmoved(secs: u64) -> Reply {
    let message = "Too many payments of this agent have ended today and never moved; nothing was paid for this one. Ask again tomorrow, UTC.";
    write_reply(429, message, "too_many_unmoved_payments").with("retry-after", &secs.to_string())
}

/// For a body that does not match the schema: what is wrong with it as a whole, and under which
/// member.
#[must_use]
pub fn invalid(form: &[&str], fields: &[(&str, &str)]) -> Reply {
    let mut members = Map::new();
    for (name, message) in fields {
        let list = members.entry((*name).to_string()).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = list.as_array_mut() {
            list.push((*message).into());
        }
    }
    let body = json!({
        "message": "Invalid SDK payment decision request.",
        "code": "invalid_request",
        "issues": {"formErrors": form, "fieldErrors": members},
    });
    Reply::json(400, body.to_string())
}

/// For a failure of ours.
#[must_use]
pub fn internal() -> Reply {
    write_reply(500, "The treasury could not decide; ask again with the same key.", "internal")
}

fn write_reply(status: u32, message: &str, code: &str) -> Reply {
    Reply::json(status, json!({"message": message, "code": code}).to_string())
}
