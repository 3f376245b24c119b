//! JSON text whose members keep the contract's order and whose numbers never were floats.

use alloc::format;
use alloc::string::String;

use serde_json::Value;

use farebox_base::time::UnixTime;

/// An object of these members; each value is JSON already.
#[must_use]
pub(super) fn object(members: &[(&str, String)]) -> String {
    let mut text = String::from("{");
    for (name, json) in members {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&quoted(name));
        text.push(':');
        text.push_str(json);
    }
    text.push('}');
    text
}

/// A list of values that are JSON already.
#[must_use]
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    text
}

/// Text as a JSON value.
#[must_use]
pub(super) fn quoted(text: &str) -> String {
    format!("{}", Value::from(text))
}

/// Text as a JSON value, or null if it is empty.
#[must_use]
pub(super) fn or_null(text: &str) -> String {
    if text.is_empty() { String::from("null") } else { quoted(text) }
}

/// A time of the rows as it is shown.
#[must_use]
pub(super) fn time(ms: u64) -> String {
    UnixTime::from_secs(ms / 1000).rfc3339()
}
