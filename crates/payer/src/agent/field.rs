//! A field or parameter of a request, and who said so.

use alloc::string::String;
use alloc::vec::Vec;

use super::json::Json;
use super::text::{MAX_TEXT, bounded, name};

/// Maximum fields of one place.
pub const MAX_FIELDS: usize = 64;

/// The source of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The merchant, in the challenge.
    Merchant,
    /// The caller, from elsewhere.
    External,
}

impl Source {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Merchant => "merchant_challenge",
            Self::External => "external_metadata",
        }
    }

    const fn authority(self) -> &'static str {
        match self {
            Self::Merchant => "authoritative",
            Self::External => "advisory",
        }
    }
}

/// The source of a statement, and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// The source.
    pub source: Source,
}

impl Attribution {
    /// That of a source.
    #[must_use]
    pub const fn of(source: Source) -> Self {
        Self { source }
    }

    /// As it is shown.
    #[must_use]
    pub fn to_json(self) -> Json {
        Json::object([
            ("source", Some(self.source.name().into())),
            ("authority", Some(self.source.authority().into())),
        ])
    }
}

/// A field or parameter of the request.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name, byte for byte.
    pub name: String,
    /// Its type, in the words of JSON schema.
    pub kind: Option<String>,
    /// Whether it has to be there, if that was said.
    pub required: Option<bool>,
    /// Text for people.
    pub description: Option<String>,
    /// Its value if it is left out.
    pub default: Option<Json>,
    /// The values that it can take.
    pub values: Option<Vec<String>>,
    /// The source of the statement.
    pub attribution: Attribution,
}

impl Field {
    /// A merchant's field of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            kind: None,
            required: None,
            description: None,
            default: None,
            values: None,
            attribution: Attribution::of(Source::Merchant),
        }
    }

    /// A field in the caller's metadata; `None` without a visible name.
    #[must_use]
    pub fn of_external(value: &Json) -> Option<Self> {
        let text = |member| value.text_of(member);
        let required = match value.get("required") {
            Some(Json::Bool(required)) => Some(*required),
            _ => None,
        };
        let values = value.get("enumValues").map(|list| {
            list.elements().iter().filter_map(Json::text).map(|it| bounded(it, MAX_TEXT)).collect()
        });
        Some(Self {
            kind: text("type").map(|kind| bounded(kind, MAX_TEXT)),
            required,
            description: text("description").map(|text| bounded(text, MAX_TEXT)),
            default: value.get("defaultValue").cloned(),
            values,
            attribution: Attribution::of(Source::External),
            ..Self::named(name(text("name")?)?)
        })
    }

    /// As it is shown.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let text = |value: &Option<String>| value.as_deref().map(Json::from);
        let list =
            |values: &Vec<String>| Json::List(values.iter().map(|it| it.as_str().into()).collect());
        Json::object([
            ("name", Some(self.name.as_str().into())),
            ("type", text(&self.kind)),
            ("required", self.required.map(Json::Bool)),
            ("description", text(&self.description)),
            ("defaultValue", self.default.clone()),
            ("enumValues", self.values.as_ref().map(list)),
            ("attribution", Some(self.attribution.to_json())),
        ])
    }
}
