//! JSON from outside, read so that no two parsers can disagree about its meaning.
//!
//! The grammar is that of `serde_json`; in addition a key may occur once per object, and size,
//! nesting and number of values are limited. Integers above 2^64 − 1 and fractions become floats in
//! the result: money and time are read from text.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// Maximum document that [`parse`] reads, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// Maximum nesting of arrays and objects; a scalar has depth zero.
pub const MAX_DEPTH: usize = 64;
/// Maximum values in one document; each element and member counts.
pub const MAX_VALUES: usize = 16 * 1024;
/// Maximum values in a client's proof of payment, several times as many as payers echo of a 402:
/// each costs about a microsecond in the Worker before anything is proven.
pub const MAX_PROOF_VALUES: usize = 768;

/// Writes one of this project's messages: members of text, numbers and lists of them, which always
/// serialise.
#[must_use]
pub fn text<T: Serialize + ?Sized>(message: &T) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// An object of these members; of several with one name, the last.
///
/// They are inserted one by one: collecting them would link a sort for each place that does.
#[must_use]
pub fn object(members: impl IntoIterator<Item = (String, Value)>) -> Map<String, Value> {
    let mut object = Map::new();
    object.extend(members);
    object
}

/// Reads one JSON document of at most [`MAX_BYTES`]. Spec: RFC 8259; unique names as in I-JSON, RFC
/// 7493 section 2.3.
///
/// # Errors
/// See [`JsonError`].
///
/// # Examples
/// ```
/// use farebox_core::encoding::json::{JsonError, parse};
/// assert_eq!(parse(br#"{"price": "1"}"#).unwrap()["price"], "1");
/// assert_eq!(parse(br#"{"price": "1", "price": "2"}"#), Err(JsonError::DuplicateKey));
/// assert_eq!(parse(b"[1,]"), Err(JsonError::Syntax));
/// assert_eq!(parse("[".repeat(65).as_bytes()), Err(JsonError::TooDeep));
/// ```
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    parse_with(text, MAX_BYTES)
}

/// Reads one JSON document of at most `max_bytes`; the other limits are those of [`parse`].
///
/// # Errors
/// See [`JsonError`].
pub fn parse_with(text: &[u8], max_bytes: usize) -> Result<Value, JsonError> {
    parse_within(text, max_bytes, MAX_VALUES)
}

/// Reads one JSON document of at most `max_bytes` and `max_values`: for documents that this program
/// wrote itself.
///
/// # Errors
/// See [`JsonError`].
pub fn parse_within(text: &[u8], max_bytes: usize, max_values: usize) -> Result<Value, JsonError> {
    if text.len() > max_bytes {
        return Err(JsonError::TooLarge);
    }
    let text = core::str::from_utf8(text).map_err(|_| JsonError::NotUtf8)?;
    let limits = ReadLimits { values: Cell::new(max_values), broken: Cell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Node { limits: &limits, depth: MAX_DEPTH }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|_| limits.broken.get().unwrap_or(JsonError::Syntax))
}

/// The remaining limits, and the one that was broken; `serde` errors carry only text.
struct ReadLimits {
    values: Cell<usize>,
    broken: Cell<Option<JsonError>>,
}

impl ReadLimits {
    fn refuse<E: Error>(&self, error: JsonError) -> E {
        self.broken.set(Some(error));
        E::custom("limit")
    }
}

/// Reads one value; arrays and objects may nest `depth` levels below it.
#[derive(Clone, Copy)]
struct Node<'a> {
    limits: &'a ReadLimits,
    depth: usize,
}

impl Node<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(self.limits.refuse(JsonError::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.limits.values.get().checked_sub(1) {
            Some(values) => self.limits.values.set(values),
            None => return Err(self.limits.refuse(JsonError::TooLarge)),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(String::from(value)))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(inner)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            // One search serves both the check and the insertion.
            let Entry::Vacant(place) = object.entry(key) else {
                return Err(self.limits.refuse(JsonError::DuplicateKey));
            };
            place.insert(members.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

/// Why a document was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// Not UTF-8.
    NotUtf8,
    /// More bytes or more values than allowed.
    TooLarge,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A name occurs twice in one object.
    DuplicateKey,
    /// Not one JSON document.
    Syntax,
}

impl JsonError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotUtf8 => "json_not_utf8",
            Self::TooLarge => "json_too_large",
            Self::TooDeep => "json_too_deep",
            Self::DuplicateKey => "json_duplicate_key",
            Self::Syntax => "json_syntax",
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotUtf8 => "JSON is not UTF-8",
            Self::TooLarge => "JSON has too many bytes or values",
            Self::TooDeep => "JSON is nested too deeply",
            Self::DuplicateKey => "JSON object names a key twice",
            Self::Syntax => "expected one JSON document",
        })
    }
}

impl core::error::Error for JsonError {}
