//! JSON whose objects keep the order of their members, as JavaScript does: fields are listed and
//! examples are written in the order in which a merchant gave them.
//!
//! Limits and the refusal of a name that occurs twice are those of [`crate::encoding::json`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter, Write};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::encoding::json;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Members in their order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one document of at most `max` bytes; `None` if it is none.
    #[must_use]
    pub fn read(text: &str, max: usize) -> Option<Self> {
        // The strict parser counts, and refuses names that occur twice; this one keeps the order.
        json::parse_with(text.as_bytes(), max).ok()?;
        serde_json::from_str(text).ok()
    }

    /// A member of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A member below members.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The members of an object; of anything else none.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => &[],
        }
    }

    /// The elements of a list; of anything else none.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        match self {
            Self::List(elements) => elements,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => &[],
        }
    }

    /// Text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The text of a member.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Self::text)
    }

    /// Whether it is an object.
    #[must_use]
    pub const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// The member, if it is an object.
    #[must_use]
    pub fn object_of(&self, name: &str) -> Option<&Self> {
        self.get(name).filter(|value| value.is_object())
    }

    /// An object of these members, without those that are absent.
    #[must_use]
    pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, Option<Self>)>) -> Self {
        let present = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Self::Object(present.map(|(name, value)| (name.to_string(), value)).collect())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Writes it as `JSON.stringify` does.
impl Display for Json {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => to.write_str("null"),
            Self::Bool(value) => write!(to, "{value}"),
            Self::Number(number) => to.write_str(&number_text(number)),
            Self::Text(text) => to.write_str(&json::text(text.as_str())),
            Self::List(elements) => {
                to.write_char('[')?;
                for (at, element) in elements.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(to, "{comma}{element}")?;
                }
                to.write_char(']')
            }
            Self::Object(members) => {
                to.write_char('{')?;
                for (at, (name, value)) in members.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(to, "{comma}{}:{value}", json::text(name.as_str()))?;
                }
                to.write_char('}')
            }
        }
    }
}

/// Whole numbers have no fraction digits in JavaScript.
fn number_text(number: &Number) -> String {
    let text = number.to_string();
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_string(),
        None => text,
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

/// Builds values; nesting is limited by the strict parser before.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = from.next_element()? {
            elements.push(element);
        }
        Ok(Json::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = from.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_written_in_its_order() {
        for (given, written) in [
            (r#"{"z":1,"a":[true,null,"x"],"m":{"b":1.50,"a":-2}}"#, None),
            (r#"{ "a" : 1.0 }"#, Some(r#"{"a":1}"#)),
            (r#""\u00e9\n""#, Some("\"é\\n\"")),
        ] {
            let expected = written.unwrap_or(given).replace("1.50", "1.5");
            assert_eq!(Json::read(given, 1000).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_not_one_bounded_document_is_nothing() {
        for text in ["", "{", r#"{"a":1,"a":2}"#, "[1,]", &"[".repeat(70), "\"too long for this\""]
        {
            assert_eq!(Json::read(text, 12), None, "{text}");
        }
    }
}
