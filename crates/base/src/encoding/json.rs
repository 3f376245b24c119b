//! JSON from outside, read so that no two parsers can disagree about its meaning.
//!
//! The grammar is that of RFC 8259; in addition a key may occur once per object, and size,
//! nesting and number of values are limited. Integers above 2^64 − 1 and fractions become the
//! nearest floats: money and time are read from text.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;
use serde_json::{Map, Value};

pub use super::reader::JsonError;
// A macro that other crates may use stands at the root, beside the modules.
pub use super::super::json;
use super::reader::JsonReader;
use super::writer;

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
    writer::text(message)
}

/// One of this project's messages as a value, for a member of another.
#[must_use]
pub fn value<T: Serialize + ?Sized>(message: &T) -> Value {
    parse_within(text(message).as_bytes(), usize::MAX, usize::MAX).unwrap_or_default()
}

/// Sets a member of an object.
pub fn set(object: &mut Map<String, Value>, name: &str, value: Value) {
    object.insert(name.to_owned(), value);
}

/// Data that is a value whatever it holds: text, numbers, lists of them, and values.
pub trait ToValue {
    /// The value.
    fn to_value(&self) -> Value;
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl ToValue for Map<String, Value> {
    fn to_value(&self) -> Value {
        Value::Object(self.clone())
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::String(self.to_owned())
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        self.as_str().to_value()
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }
}

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Value {
                Value::from(*self)
            }
        }
    )+};
}

numbers!(u8, u16, u32, u64, usize, i32, i64, f64);

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: ToValue> ToValue for [T] {
    fn to_value(&self) -> Value {
        let mut values = Vec::with_capacity(self.len());
        for element in self {
            values.push(element.to_value());
        }
        Value::Array(values)
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(&self) -> Value {
        self.as_slice().to_value()
    }
}

impl<T: ToValue, const N: usize> ToValue for [T; N] {
    fn to_value(&self) -> Value {
        self.as_slice().to_value()
    }
}

impl<A: ToValue, B: ToValue> ToValue for (A, B) {
    fn to_value(&self) -> Value {
        Value::from([self.0.to_value(), self.1.to_value()])
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

/// Writes a value as `serde_json::json!` does, by a call for each member: what that one leaves at
/// each of them, an error that cannot be among it, is 6 kB of the gate.
#[macro_export]
macro_rules! json {
    (@member $object:ident () ()) => {};
    (@member $object:ident ($($name:tt)+) (: null $(, $($rest:tt)*)?)) => {
        $crate::encoding::json::json!(@set $object ($($name)+) (::serde_json::Value::Null) ($($($rest)*)?));
    };
    (@member $object:ident ($($name:tt)+) (: { $($inner:tt)* } $(, $($rest:tt)*)?)) => {
        $crate::encoding::json::json!(@set $object ($($name)+) ($crate::encoding::json::json!({ $($inner)* })) ($($($rest)*)?));
    };
    (@member $object:ident ($($name:tt)+) (: [ $($inner:tt)* ] $(, $($rest:tt)*)?)) => {
        $crate::encoding::json::json!(@set $object ($($name)+) ($crate::encoding::json::json!([ $($inner)* ])) ($($($rest)*)?));
    };
    (@member $object:ident ($($name:tt)+) (: $value:expr $(, $($rest:tt)*)?)) => {
        $crate::encoding::json::json!(@set $object ($($name)+) ($crate::encoding::json::json!($value)) ($($($rest)*)?));
    };
    (@member $object:ident ($($name:tt)*) ($next:tt $($rest:tt)*)) => {
        $crate::encoding::json::json!(@member $object ($($name)* $next) ($($rest)*));
    };
    (@set $object:ident ($name:expr) ($value:expr) ($($rest:tt)*)) => {
        $crate::encoding::json::set(&mut $object, $name, $value);
        $crate::encoding::json::json!(@member $object () ($($rest)*));
    };
    ({}) => { ::serde_json::Value::Object(::serde_json::Map::new()) };
    ({ $($members:tt)+ }) => {{
        let mut object = ::serde_json::Map::new();
        $crate::encoding::json::json!(@member object () ($($members)+));
        ::serde_json::Value::Object(object)
    }};
    ([ $({ $($members:tt)* }),+ $(,)? ]) => {
        ::serde_json::Value::from([$($crate::encoding::json::json!({ $($members)* })),+])
    };
    ([]) => { ::serde_json::Value::Array(::core::default::Default::default()) };
    ([ $($element:expr),+ $(,)? ]) => { ::serde_json::Value::from([$($crate::encoding::json::json!($element)),+]) };
    ($value:expr) => { $crate::encoding::json::ToValue::to_value(&$value) };
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
/// use farebox_base::encoding::json::{JsonError, parse};
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
    JsonReader::new(text, max_values).document(MAX_DEPTH)
}
