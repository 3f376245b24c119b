//! Readings of variables that only a treasury has: lists of objects, and variables that
//! others name.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use farebox_base::encoding::json;
use farebox_common::config::{ConfigError, MAX_CONFIG_BYTES, Reader};

/// The variables in one JSON object.
pub(super) fn variables(text: &str) -> Result<Reader, Vec<ConfigError>> {
    match json::parse_with(text.as_bytes(), MAX_CONFIG_BYTES) {
        Ok(Value::Object(vars)) => Ok(Reader::new(vars)),
        _ => {
            let remedy = "must be one JSON object of at most 256 KiB".to_string();
            Err(Vec::from([ConfigError { variable: "vars".to_string(), remedy }]))
        }
    }
}

/// A list; missing is an error.
pub(super) fn list(reader: &mut Reader, name: &str, example: &str) -> Vec<Value> {
    if reader.is_absent(name) {
        reader.fail(name, format!("is missing; set a list such as {example}"));
        return Vec::new();
    }
    match reader.value(name) {
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(_) => {
            reader.fail(name, format!("must be a list such as {example}"));
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// A variable that another one names; `None` if it is not set.
pub(super) fn read_named<'a>(reader: &'a Reader, name: &str) -> Option<&'a str> {
    reader.vars.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// An object whose members are all known; each other one is an error under its own name.
pub(super) fn members<'a>(
    reader: &mut Reader,
    place: &str,
    value: &'a Value,
    known: &[&str],
) -> Option<&'a Map<String, Value>> {
    let Value::Object(members) = value else {
        reader.fail(place, format!("must be an object with {}", known.join(", ")));
        return None;
    };
    for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
        let shown: String = name.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
        reader.fail_at(place, &shown, format!("is unknown; known are {}", known.join(", ")));
    }
    Some(members)
}

/// A member that is text; missing or another kind is an error.
pub(super) fn text(
    reader: &mut Reader,
    place: &str,
    members: &Map<String, Value>,
    name: &str,
) -> Option<String> {
    match members.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.to_string()),
        Some(_) => {
            reader.fail_at(place, name, "must be text");
            None
        }
        None => {
            reader.fail_at(place, name, "is missing");
            None
        }
    }
}
