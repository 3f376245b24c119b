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
        let of_accepts = accepts.filter_map(|it| it.at(&["extra", "outputSchema", "input"]));
        let of_accepts = of_accepts.map(|schema| Self { schema, example: None });
        let bazaar = payload.at(&["extensions", "bazaar"]);
        let of_bazaar = bazaar.and_then(|bazaar| {
            let schema = bazaar.at(&["schema", "properties", "input"])?;
            Some(Self { schema, example: bazaar.at(&["info", "input"]) })
        });
        of_accepts.chain(of_bazaar).find(|input| input.says_something())
    }

    fn says_something(self) -> bool {
        let has_body = self.body_example().is_some() || !self.body_fields().is_empty();
        self.body_type().is_some() || has_body || !self.query_params().is_empty()
    }

    /// Encoding of the body.
    #[must_use]
    pub fn body_type(self) -> Option<&'a str> {
        let direct = self.schema.text_of("bodyType").filter(|text| !text.is_empty());
        let text = || self.schema.at(&["properties", "bodyType", "const"]).and_then(Json::text);
        direct.or_else(text).and_then(name)
    }

    /// A body as an example, in one line.
    #[must_use]
    pub fn body_example(self) -> Option<String> {
        let body = self.example?.get("body")?;
        let is_body = matches!(body, Json::Object(_) | Json::List(_));
        is_body.then(|| alloc::string::ToString::to_string(body))
    }

    /// Fields of the body.
    #[must_use]
    pub fn body_fields(self) -> Vec<Field> {
        self.part("body").map(fields).unwrap_or_default()
    }

    /// Parameters of the query; those of the example only if no schema can be read.
    #[must_use]
    pub fn query_params(self) -> Vec<Field> {
        let schema = self.part("queryParams");
        if let Some(schema) = schema.filter(|it| it.text_of("$ref").is_none_or(str::is_empty)) {
            return fields(schema);
        }
        let example = self.example.and_then(|input| input.object_of("queryParams"));
        let members = example.map(Json::members).unwrap_or_default();
        let params = members.iter().filter_map(|(key, value)| {
            Some(Field {
                kind: kind_of(value).map(String::from),
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
            description: property
                .text_of("description")
                .map(|text| bounded(text, MAX_TEXT))
                .filter(|text| !text.is_empty()),
            default: property.get("default").filter(|it| is_scalar(it)).map(shown),
            values: (!values.is_empty()).then_some(values),
            ..Field::named(name(key)?)
        })
    });
    // A required field that is not described is required all the same.
    let bare = required.iter().filter_map(Json::text).filter_map(name);
    let bare = bare.map(|key| Field { required: Some(true), ..Field::named(key) });
    let mut all: Vec<Field> = Vec::new();
    for field in listed.chain(bare) {
        if all.len() < MAX_FIELDS && !all.iter().any(|it| it.name.eq_ignore_ascii_case(&field.name))
        {
            all.push(field);
        }
    }
    all
}

/// A type, or the first of several.
fn kind(value: &Json) -> Option<&str> {
    let filled = |value: &'_ Json| value.text().is_some_and(|text| !text.is_empty());
    let all = value.elements().iter();
    [value].into_iter().chain(all).find(|it| filled(it)).and_then(Json::text)
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
