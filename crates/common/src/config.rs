//! Variables of an operator, read into checked values. Spec: docs/configuration.md.
//!
//! Each system has its own variables and reads them with these readers. An error names the variable
//! and says what to write; all errors are found, not only the first.

pub mod network;
pub mod nodes;
pub mod shape;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde_json::{Map, Value};

use farebox_base::encoding::json;
use farebox_base::encoding::message::FromJson;
use farebox_base::http::url::BaseUrl;
use farebox_base::secret::Secret;

/// Longest configuration that is read, bytes.
pub const MAX_CONFIG_BYTES: usize = 256 * 1024;
/// The member of the variables that lists the names of bindings.
const BINDINGS: &str = "bindings";

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

/// A value given as a word or in full.
#[derive(Clone, Debug)]
pub enum TextOr<T> {
    /// By a word.
    Text(String),
    /// In full.
    Other(T),
}

impl<T: FromJson> FromJson for TextOr<T> {
    fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            other => T::from_json(other).map(Self::Other),
        }
    }
}

/// The variables, and the errors found in them so far.
#[derive(Debug)]
pub struct Reader {
    /// The variables by name.
    pub vars: Map<String, Value>,
    /// The errors in the order in which they were found, each once.
    pub errors: Vec<ConfigError>,
}

impl Reader {
    /// A reader of these variables.
    pub const fn new(vars: Map<String, Value>) -> Self {
        Self { vars, errors: Vec::new() }
    }

    /// Adds an error.
    pub fn fail(&mut self, variable: &str, remedy: impl AsRef<str>) {
        self.note(&[variable], remedy.as_ref());
    }

    /// The same for a member of what stands in this place.
    pub fn fail_at(&mut self, place: &str, member: &str, remedy: impl AsRef<str>) {
        self.note(&[place, ".", member], remedy.as_ref());
    }

    // The words are put together here, not wherever something may be wrong: most variables are right.
    #[inline(never)]
    fn note(&mut self, variable: &[&str], remedy: &str) {
        let error = ConfigError { variable: variable.concat(), remedy: remedy.to_owned() };
        // An error in what every route inherits is reported once.
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Whether a variable is not set; empty counts as absent.
    pub fn is_absent(&self, name: &str) -> bool {
        match self.vars.get(name) {
            None | Some(Value::Null) => true,
            Some(value) => value.as_str().is_some_and(str::is_empty),
        }
    }

    /// Whether the platform binds an object under this name. A variable cannot pretend to: the edge
    /// writes the list.
    pub fn is_bound(&self, name: &str) -> bool {
        let bound = self.vars.get(BINDINGS).and_then(Value::as_array);
        bound.is_some_and(|names| names.iter().any(|bound| bound == name))
    }

    /// A variable as text; empty counts as absent.
    pub fn text(&mut self, name: &str) -> Option<String> {
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

    /// A structured variable: a JSON value, or JSON text of one. Plain text that is not JSON stays
    /// text.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        match self.vars.get(name).cloned() {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => {
                let structured = text.trim_start().starts_with(['[', '{', '"']);
                match json::parse_with(text.as_bytes(), MAX_CONFIG_BYTES) {
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

    /// A whole number within bounds.
    pub fn number(&mut self, name: &str, default: u64, min: u64, max: u64) -> u64 {
        let Some(value) = self.value(name) else {
            return default;
        };
        match value.as_u64().filter(|number| (min..=max).contains(number)) {
            Some(number) => number,
            None => {
                let is = value.as_number().map(|number| format!("is {number}; "));
                let is = is.unwrap_or_default();
                self.fail(name, format!("{is}must be a whole number from {min} to {max}"));
                default
            }
        }
    }

    /// A secret that is sent in a header field.
    pub fn visible_secret(&mut self, name: &str) -> Option<Secret<String>> {
        let secret = self.secret(name, 1)?;
        if !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            self.fail(name, "must be visible ASCII without spaces; set it again");
            return None;
        }
        Some(secret)
    }

    /// A secret of at least so many bytes.
    pub fn secret(&mut self, name: &str, min_bytes: usize) -> Option<Secret<String>> {
        match self.text(name) {
            Some(secret) if secret.len() >= min_bytes => Some(Secret::new(secret)),
            Some(_) => {
                self.fail(
                    name,
                    format!("must have at least {min_bytes} bytes; set a longer secret"),
                );
                None
            }
            None if self.is_absent(name) => {
                self.fail(name, format!("is missing; run `wrangler secret put {name}`"));
                None
            }
            None => None,
        }
    }

    /// One of these words, which are separated by spaces.
    pub fn one_of(&mut self, name: &str, words: &'static str) -> Option<&'static str> {
        if self.is_absent(name) {
            return None;
        }
        let text = self.text(name)?;
        let word = words.split(' ').find(|word| *word == text);
        if word.is_none() {
            self.fail(name, format!("must be one of: {words}"));
        }
        word
    }

    /// A variable that is true or false; false if it is missing.
    pub fn switch(&mut self, name: &str) -> bool {
        match self.value(name) {
            None => false,
            Some(Value::Bool(on)) => on,
            Some(_) => {
                self.fail(name, "must be true or false");
                false
            }
        }
    }

    /// An origin: a URL in lower case without a path.
    pub fn origin(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let url = self.checked_url(name, &text)?;
        let has_path = url.as_str().split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
        if has_path || url.as_str().chars().any(|c| c.is_ascii_uppercase()) {
            self.fail(name, "must be an origin in lower case, without a path");
            return None;
        }
        Some(url.as_str().to_string())
    }

    /// Checks the text of a URL against the rules for URLs of an operator.
    pub fn checked_url(&mut self, variable: &str, text: &str) -> Option<BaseUrl> {
        match BaseUrl::parse(text) {
            Ok(url) => Some(url),
            Err(remedy) => {
                self.fail(variable, remedy);
                None
            }
        }
    }
}
