//! The fields of a request, by a merchant's JSON schema.
//!
//! A reference to another document is not followed: its place would be of the merchant's choice.

use alloc::string::String;
use alloc::vec::Vec;

use super::field::{Field, MAX_FIELDS};
use super::json::{Json, is_whole};
use super::text::{MAX_TEXT, bounded, name};

/// Maximum values that a field may be said to take.
const MAX_VALUES: usize = 64;

/// The part of a merchant's terms that describes the request.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    schema: &'a Json,
    example: Option<&'a Json>,
}

impl<'a> Input<'a> {
    /// The first description in the terms: in a way to pay, or else in the extension `bazaar`.
    pub fn find(accepts: impl Iterator<Item = &'a Json>, payload: &'a Json) -> Option<Self> {
        let mut of_accepts = accepts.filter_map(|it| it.at(&["extra", "outputSchema", "input"]));
        if let Some(schema) = of_accepts.find(|schema| schema.is_object()) {
            return Some(Self { schema, example: None });
        }
        let bazaar = payload.at(&["extensions", "bazaar"])?;
        let schema = bazaar.at(&["schema", "properties", "input"]).filter(|it| it.is_object())?;
        Some(Self { schema, example: bazaar.at(&["info", "input"]) })
    }

    /// Encoding of the body.
    #[must_use]
    pub fn body_type(self) -> Option<&'a str> {
        let direct = self.schema.text_of("bodyType");
        let text = || self.schema.at(&["properties", "bodyType", "const"]).and_then(Json::text);
        direct.or_else(text).and_then(name)
    }

    /// A body as an example, in one line.
    #[must_use]
    pub fn body_example(self) -> Option<String> {
        let body = self.example?.get("body")?;
        Some(body.text().map_or_else(|| alloc::string::ToString::to_string(body), String::from))
    }

    /// Fields of the body.
    #[must_use]
    pub fn body_fields(self) -> Vec<Field> {
        self.part("body").map(fields).unwrap_or_default()
    }

    /// Parameters of the query; those of the example only if no schema lists any.
    #[must_use]
    pub fn query_params(self) -> Vec<Field> {
        let listed = self.part("queryParams").map(fields).unwrap_or_default();
        if !listed.is_empty() {
            return listed;
        }
        let example = self.example.and_then(|input| input.object_of("queryParams"));
        let members = example.map(Json::members).unwrap_or_default();
        let params = members.iter().filter_map(|(key, value)| {
            let kind = kind_of(value)?;
            Some(Field {
                kind: Some(kind.into()),
                required: Some(true),
                ..Field::named(name(key)?)
            })
        });
        params.take(MAX_FIELDS).collect()
    }

    fn part(self, part: &str) -> Option<&'a Json> {
        let direct = self.schema.object_of(part);
        direct.or_else(|| self.schema.at(&["properties", part]).filter(|it| it.is_object()))
    }
}

fn fields(schema: &Json) -> Vec<Field> {
    let required = schema.get("required").map(Json::elements).unwrap_or_default();
    let properties = schema.get("properties").map(Json::members).unwrap_or_default();
    let listed = properties.iter().filter_map(|(key, property)| {
        let is_required = required.iter().any(|it| it.text() == Some(key));
        let values = property.get("enum").map(Json::elements).unwrap_or_default();
        let values = values.iter().filter_map(Json::text).filter_map(name).map(String::from);
        let values: Vec<_> = values.take(MAX_VALUES).collect();
        Some(Field {
            kind: property.get("type").and_then(kind).and_then(name).map(String::from),
            required: is_required.then_some(true),
            description: property.text_of("description").map(|text| bounded(text, MAX_TEXT)),
            default: property.get("default").filter(|it| is_scalar(it)).map(shown),
            values: (!values.is_empty()).then_some(values),
            ..Field::named(name(key)?)
        })
    });
    // A required field that is not described is required all the same.
    let known = |key: &str| properties.iter().any(|(name, _)| name == key);
    let bare = required.iter().filter_map(Json::text).filter(|key| !known(key));
    let bare = bare.filter_map(name).map(|key| Field { required: Some(true), ..Field::named(key) });
    listed.chain(bare).take(MAX_FIELDS).collect()
}

/// A type, or the first of several.
fn kind(value: &Json) -> Option<&str> {
    value.text().or_else(|| value.elements().iter().find_map(Json::text))
}

fn is_scalar(value: &Json) -> bool {
    matches!(value, Json::Bool(_) | Json::Number(_) | Json::Text(_))
}

fn shown(value: &Json) -> Json {
    value.text().map_or_else(|| value.clone(), |text| bounded(text, MAX_TEXT).into())
}

/// The name of a value's type.
#[must_use]
pub fn kind_of(value: &Json) -> Option<&'static str> {
    match value {
        Json::Null => None,
        Json::Bool(_) => Some("boolean"),
        Json::Number(number) if is_whole(number) => Some("integer"),
        Json::Number(_) => Some("number"),
        Json::Text(_) => Some("string"),
        Json::List(_) => Some("array"),
        Json::Object(_) => Some("object"),
    }
}
