//! JSON text whose members keep their order and whose numbers never were floats.

use alloc::string::String;

use serde_json::Value;

/// An object that is being written. Each name is written once by its caller.
#[derive(Clone, Debug)]
pub struct Members(String);

impl Members {
    /// An object without members.
    #[must_use]
    pub fn new() -> Self {
        Self(String::from("{"))
    }

    /// The answer of the original to what went well.
    #[must_use]
    pub fn ok() -> Self {
        Self::new().raw("ok", "true")
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.raw(name, &quoted(value))
    }

    /// Adds text if there is any.
    #[must_use]
    pub fn maybe(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.text(name, value) }
    }

    /// Adds a value that is JSON already: a number from decimal text, a list, an object.
    #[must_use]
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
    #[must_use]
    pub fn number(self, name: &str, value: u64) -> Self {
        self.raw(name, &alloc::format!("{value}"))
    }

    /// The object.
    #[must_use]
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

/// A list of values that are JSON already.
#[must_use]
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
#[must_use]
pub fn quoted(text: &str) -> String {
    alloc::format!("{}", Value::from(text))
}

/// Whether text is decimal digits that JSON accepts as a number: what this program wrote itself.
#[must_use]
pub fn number(text: &str) -> &str {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_number { text } else { "0" }
}
