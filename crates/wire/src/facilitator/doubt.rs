//! The signs in a reply that contradict the success that it affirms.

use alloc::string::String;

use serde_json::{Map, Value};

/// The words in the names of errors, and in the status of a transaction that came to nothing.
const FAILURES: [&str; 5] = ["error", "fail", "invalid", "reject", "revert"];
/// The endings of flags that say so.
const FLAGS: [&str; 6] = ["error", "failed", "failure", "invalid", "rejected", "reverted"];
/// Texts in the place of an error that name none.
const NONE: [&str; 7] = ["", "0", "none", "null", "false", "ok", "success"];

/// Whether a reply names an error, in whatever spelling.
pub fn names_error(object: &Map<String, Value>) -> bool {
    let is_error = |(name, said): (&String, &Value)| {
        let name = name.to_ascii_lowercase();
        let is_code = name.starts_with("err") || name.contains("error");
        let is_named = is_code || FAILURES.iter().any(|word| name.contains(word));
        match said {
            Value::Null => false,
            Value::Bool(said) => *said && FLAGS.iter().any(|word| name.ends_with(word)),
            Value::Number(code) => is_code && !matches!(code.as_u64(), Some(0 | 200)),
            Value::String(text) => is_named && says_something(text),
            Value::Array(all) => is_named && !all.is_empty(),
            Value::Object(all) => is_named && !all.is_empty(),
        }
    };
    object.iter().any(is_error)
}

/// Whether a text in the place of an error, or of its reason, names one.
pub(super) fn says_something(text: &str) -> bool {
    !NONE.contains(&text.trim().to_ascii_lowercase().as_str())
}

/// Whether the reply neither says that the transaction still waits, nor that it came to nothing.
pub(super) fn is_over(object: &Map<String, Value>) -> bool {
    let status = object.get("status").and_then(Value::as_str).unwrap_or_default();
    let status = status.to_ascii_lowercase();
    let ends = ["pending", "timeout", "cancel", "expired", "dropped"];
    !ends.iter().chain(&FAILURES).any(|word| status.contains(word))
}
