//! Members of JSON objects, by name and type. `null` counts as absent.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::Malformed;
use super::source::MAX_CHAIN_ID;
use farebox_base::amount::Amount;

/// An object of the members that are there, put in one by one: collecting would link a sort.
pub fn present<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in members {
        if let Some(value) = value {
            object.insert(String::from(name), value);
        }
    }
    object
}

/// Required text.
pub fn required<'a>(
    object: &'a Map<String, Value>,
    name: &'static str,
) -> Result<&'a str, Malformed> {
    text(object, name)?.ok_or(Malformed::Missing(name))
}

/// Optional text.
pub fn text<'a>(
    object: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, Malformed> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed::Wrong(name)),
    }
}

/// Required atomic units.
pub fn amount(object: &Map<String, Value>, name: &'static str) -> Result<Amount, Malformed> {
    Amount::from_atomic(required(object, name)?).map_err(|_| Malformed::Wrong(name))
}

/// An optional whole number that a double can hold.
pub fn number(object: &Map<String, Value>, name: &'static str) -> Result<Option<u64>, Malformed> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().filter(|number| *number <= MAX_CHAIN_ID);
            number.map(Some).ok_or(Malformed::Wrong(name))
        }
    }
}

/// An optional boolean.
pub fn flag(object: &Map<String, Value>, name: &'static str) -> Result<Option<bool>, Malformed> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(Malformed::Wrong(name)),
    }
}

/// An optional list of texts.
pub fn texts(
    object: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<Vec<String>>, Malformed> {
    let wrong = Malformed::Wrong(name);
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => {
            let texts = list.iter().map(|text| text.as_str().map(String::from).ok_or(wrong));
            texts.collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(wrong),
    }
}

/// Whether a list has any elements.
pub fn has_any(object: &Map<String, Value>, name: &'static str) -> Result<bool, Malformed> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Array(list)) => Ok(!list.is_empty()),
        Some(_) => Err(Malformed::Wrong(name)),
    }
}
