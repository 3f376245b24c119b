//! JSON text whose members keep their order and whose numbers never were floats.

use alloc::string::String;

use serde_json::Value;

use farebox_base::time::UnixTime;

/// An object that is being written. Each name is written once by its caller.
#[derive(Clone, Debug)]
pub struct Members(String);

impl Members {
    /// An object without members.
    pub fn new() -> Self {
        Self(String::from("{"))
    }

    /// The answer of the original to what went well.
    pub fn ok() -> Self {
        Self::new().raw("ok", "true")
    }

    /// Adds text.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.raw(name, &quoted(value))
    }

    /// Adds text if there is any.
    pub fn maybe(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.text(name, value) }
    }

    /// Adds a value that is JSON already: a number from decimal text, a list, an object.
    pub fn raw(mut self, name: &str, json: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
        self.0.push_str(json);
        self
    }

    /// Adds a whole number.
    pub fn number(self, name: &str, value: u64) -> Self {
        self.raw(name, &alloc::format!("{value}"))
    }

    /// The object.
    pub fn done(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

impl Default for Members {
    fn default() -> Self {
        Self::new()
    }
}

/// An object of these members; each value is JSON already.
pub fn object(members: &[(&str, String)]) -> String {
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
pub fn list(items: impl IntoIterator<Item = String>) -> String {
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
pub fn quoted(text: &str) -> String {
    alloc::format!("{}", Value::from(text))
}

/// Whether text is decimal digits that JSON accepts as a number: what this program wrote itself.
pub fn number(text: &str) -> &str {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_number { text } else { "0" }
}

/// Text as a JSON value, or null if it is empty.
pub fn or_null(text: &str) -> String {
    if text.is_empty() { String::from("null") } else { quoted(text) }
}

/// A time of the rows as it is shown.
pub fn time(ms: u64) -> String {
    UnixTime::from_secs(ms / 1000).rfc3339()
}

/// A time as JavaScript writes it, with milliseconds.
pub fn iso(ms: u64) -> String {
    let text = time(ms);
    let rest = ms.checked_rem(1000).unwrap_or_default();
    let whole = text.strip_suffix('Z');
    whole.map_or_else(|| text.clone(), |whole| alloc::format!("{whole}.{rest:03}Z"))
}

/// The token of an `Authorization: Bearer`; empty if it is another.
pub fn bearer(authorization: &str) -> &str {
    match authorization.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    }
}
