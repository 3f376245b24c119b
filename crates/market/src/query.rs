//! A query as it came: names and values, percent-encoded. Spec: WHATWG URL, `application/x-www-form-urlencoded`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Most parameters that are read.
const MAX_PAIRS: usize = 64;
/// Longest value, bytes, before it is decoded.
const MAX_VALUE: usize = 2048;

/// A parameter that a request does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrangeParameter {
    /// The letters and digits of its name.
    pub name: String,
    /// A sentence that names those which there are.
    pub error: String,
}

/// The parameters of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query without `?`; what is too long is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty() && pair.len() <= MAX_VALUE);
        let decoded = pairs.take(MAX_PAIRS).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(decoded.collect())
    }

    /// Reads a query that has these parameters alone.
    ///
    /// # Errors
    /// Another one that it has, or one that is too long: it would filter nothing.
    pub fn of(text: &str, known: &[&str]) -> Result<Self, StrangeParameter> {
        let mut pairs = text.split('&');
        if let Some(pair) = pairs.clone().find(|pair| pair.len() > MAX_VALUE) {
            let name = letters(pair.split('=').next().unwrap_or_default());
            let error = alloc::format!("{name} has more than {MAX_VALUE} bytes");
            return Err(StrangeParameter { name, error });
        }
        if pairs.nth(MAX_PAIRS).is_some() {
            let error = alloc::format!("there are more than {MAX_PAIRS} parameters");
            return Err(StrangeParameter { name: String::new(), error });
        }
        let query = Self::parse(text);
        match query.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(query),
            Some((name, _)) => {
                let error = no_such("parameter", name, known);
                Err(StrangeParameter { name: letters(name), error })
            }
        }
    }

    /// The first value of this name that is not blank, trimmed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty()).map(ToString::to_string)
    }

    /// A whole number within bounds: one outside becomes the nearest, another text the default.
    #[must_use]
    pub fn number(&self, name: &str, default: u32, min: u32, max: u32) -> u32 {
        let text = self.get(name);
        let is_digits = |text: &String| text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.filter(is_digits).and_then(|text| text.parse().ok());
        number.unwrap_or(default).clamp(min, max)
    }
}

/// The sentence about a name that none of these is.
#[must_use]
pub fn no_such(what: &str, name: &str, known: &[&str]) -> String {
    alloc::format!("{} is no {what}; known are {}", letters(name), known.join(", "))
}

/// The letters and digits of a name: it is a stranger's.
fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(24).collect()
}

/// A segment of a path: there a plus sign stands for itself.
#[must_use]
pub fn segment(text: &str) -> String {
    decode(&text.replace('+', "%2B"))
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut ahead = rest.clone();
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                match (digit(ahead.next()), digit(ahead.next())) {
                    (Some(high), Some(low)) => {
                        let value = high.saturating_mul(16).saturating_add(low);
                        bytes.push(u8::try_from(value).unwrap_or(b'?'));
                        rest = ahead;
                    }
                    _ => bytes.push(b'%'),
                }
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
