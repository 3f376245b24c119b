//! Reads variables, and collects what is wrong with them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Map, Value};

use crate::encoding::json;
use crate::secret::Secret;

/// Longest configuration that is read, bytes.
const MAX_BYTES: usize = 256 * 1024;

/// An error in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The variable, and where in it.
    pub variable: String,
    /// The fault and its remedy.
    pub remedy: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.remedy)
    }
}

/// The variables, and the errors found in them so far.
pub(super) struct Reader {
    vars: Map<String, Value>,
    pub(super) errors: Vec<ConfigError>,
}

impl Reader {
    pub(super) fn new(text: &str) -> Result<Self, Vec<ConfigError>> {
        match json::parse_with(text.as_bytes(), MAX_BYTES) {
            Ok(Value::Object(vars)) => Ok(Self { vars, errors: Vec::new() }),
            _ => {
                let remedy = "must be one JSON object of at most 256 KiB".to_owned();
                Err(Vec::from([ConfigError { variable: "vars".to_owned(), remedy }]))
            }
        }
    }

    pub(super) fn fail(&mut self, variable: &str, remedy: impl Into<String>) {
        self.errors.push(ConfigError { variable: variable.to_owned(), remedy: remedy.into() });
    }

    /// A variable as text; empty counts as absent.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.vars.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.fail(name, "must be text");
                None
            }
        }
    }

    /// A structured variable: a JSON value, or JSON text of one. Plain text stays text.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        match self.vars.get(name).cloned() {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => {
                let structured = text.trim_start().starts_with(['[', '{', '"']);
                match json::parse_with(text.as_bytes(), MAX_BYTES) {
                    Ok(value) => Some(value),
                    Err(_) if !structured => Some(Value::String(text)),
                    Err(error) => {
                        self.fail(name, format!("is not valid JSON ({})", error.code()));
                        None
                    }
                }
            }
            Some(value) => Some(value),
        }
    }

    /// A list; missing is an error.
    pub(super) fn list(&mut self, name: &str, example: &str) -> Vec<Value> {
        match self.value(name) {
            Some(Value::Array(list)) if !list.is_empty() => list,
            Some(_) => {
                self.fail(name, format!("must be a list such as {example}"));
                Vec::new()
            }
            None => {
                let known = self.errors.len();
                if self.errors.get(known.saturating_sub(1)).is_none_or(|it| it.variable != name) {
                    self.fail(name, format!("is missing; set a list such as {example}"));
                }
                Vec::new()
            }
        }
    }

    pub(super) fn switch(&mut self, name: &str) -> bool {
        match self.value(name) {
            None => false,
            Some(Value::Bool(on)) => on,
            Some(_) => {
                self.fail(name, "must be true or false");
                false
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, name: &str, default: u64, min: u64, max: u64) -> u64 {
        let Some(value) = self.value(name) else { return default };
        match value.as_u64().filter(|number| (min..=max).contains(number)) {
            Some(number) => number,
            None => {
                self.fail(name, format!("must be a whole number from {min} to {max}"));
                default
            }
        }
    }

    pub(super) fn secret(&mut self, name: &str, min_bytes: usize) -> Option<Secret<String>> {
        let known = self.errors.len();
        match self.text(name) {
            Some(secret) if secret.len() >= min_bytes => Some(Secret::new(secret)),
            Some(_) => {
                let remedy = format!("must have at least {min_bytes} bytes; set a longer secret");
                self.fail(name, remedy);
                None
            }
            None if self.errors.len() == known => {
                self.fail(name, format!("is missing; run `wrangler secret put {name}`"));
                None
            }
            None => None,
        }
    }

    /// A variable that another one names; `None` if it is not set.
    pub(super) fn named(&self, name: &str) -> Option<&str> {
        self.vars.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Whether the platform binds something under this name.
    pub(super) fn is_bound(&self, name: &str) -> bool {
        let bound = self.vars.get("bindings").and_then(Value::as_array);
        bound.is_some_and(|names| names.iter().any(|bound| bound == name))
    }
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
        reader.fail(
            &format!("{place}.{shown}"),
            format!("is unknown; known are {}", known.join(", ")),
        );
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
            reader.fail(&format!("{place}.{name}"), "must be text");
            None
        }
        None => {
            reader.fail(&format!("{place}.{name}"), "is missing");
            None
        }
    }
}
