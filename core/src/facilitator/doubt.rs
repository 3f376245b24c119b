//! What a reply says against the success that it affirms.

use alloc::string::String;

use serde_json::{Map, Value};

use crate::mutant::{Mutant, planted};

/// What names of errors contain, and a status of what came to nothing.
const FAILURES: [&str; 5] = ["error", "fail", "invalid", "reject", "revert"];

/// Whether a reply names an error, in whatever spelling.
pub(crate) fn names_error(object: &Map<String, Value>) -> bool {
    let is_error = |(name, said): (&String, &Value)| {
        let name = name.to_ascii_lowercase();
        let is_none = match said {
            Value::Null => true,
            Value::Bool(said) => !said,
            Value::Number(code) => code.as_u64() == Some(0),
            Value::String(text) => text.is_empty() || text == "0",
            Value::Array(all) => all.is_empty(),
            Value::Object(all) => all.is_empty(),
        };
        let is_named = name.starts_with("err") || name == "reason";
        !is_none && (is_named || FAILURES.iter().any(|word| name.contains(word)))
    };
    object.iter().any(is_error) && !planted(Mutant::ErrorsArePaid)
}

/// Whether the reply neither says that the transaction still waits, nor that it came to nothing.
pub(super) fn is_over(object: &Map<String, Value>) -> bool {
    let status = object.get("status").and_then(Value::as_str).unwrap_or_default();
    let status = status.to_ascii_lowercase();
    let ends = ["pending", "timeout", "cancel", "expired"];
    !ends.iter().chain(&FAILURES).any(|word| status.contains(word))
}
