//! The shape of a request, and who said so: the merchant's terms first, then metadata of the
//! caller, which only fills what the merchant left open.

use alloc::string::String;
use alloc::vec::Vec;

use super::challenge::RawChallenge;
use super::field::{Attribution, Field, MAX_FIELDS, Source};
use super::json::Json;
use super::schema::Input;
use super::text::{MAX_EXAMPLE, MAX_TEXT, bounded};

/// Maximum notes.
const MAX_NOTES: usize = 32;
const DERIVED: &str = "Request hints derived from merchant challenge metadata.";

/// A text with its source.
#[derive(Clone, Debug)]
pub struct Hint {
    /// The text.
    pub value: String,
    /// The source of the text.
    pub source: Source,
}

impl Hint {
    fn to_json(&self) -> Json {
        let attribution = Attribution::of(self.source).to_json();
        Json::object([
            ("value", Some(self.value.as_str().into())),
            ("attribution", Some(attribution)),
        ])
    }
}

/// Everything that is known about the request.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// The description of what it does.
    pub description: Option<Hint>,
    /// Encoding of its body.
    pub body_type: Option<Hint>,
    /// A body.
    pub body_example: Option<Hint>,
    /// Fields of the body.
    pub body: Vec<Field>,
    /// Parameters of the query.
    pub query: Vec<Field>,
    /// Parameters of the path.
    pub path: Vec<Field>,
    /// Further texts.
    pub notes: Vec<Hint>,
}

impl Hints {
    /// The hints of the merchant and the caller; `external` is the caller's metadata, or null.
    #[must_use]
    pub fn of(challenge: Option<&RawChallenge>, external: &Json) -> Self {
        let mut hints = challenge.map(Self::of_merchant).unwrap_or_default();
        hints.fill(external);
        hints
    }

    fn of_merchant(challenge: &RawChallenge) -> Self {
        let Some(input) = Input::find(challenge.accepts(), &challenge.payload) else {
            return Self::default();
        };
        let said = |text: &str, max| Hint { value: bounded(text, max), source: Source::Merchant };
        Self {
            body_type: input.body_type().map(|text| said(text, MAX_TEXT)),
            body_example: input.body_example().map(|text| said(&text, MAX_EXAMPLE)),
            body: input.body_fields(),
            query: input.query_params(),
            notes: alloc::vec![said(DERIVED, MAX_TEXT)],
            ..Self::default()
        }
    }

    fn fill(&mut self, external: &Json) {
        let said = |member, max| {
            let text = external.text_of(member)?;
            Some(Hint { value: bounded(text, max), source: Source::External })
        };
        self.description = said("description", MAX_TEXT);
        self.body_type = self.body_type.take().or_else(|| said("requestBodyType", MAX_TEXT));
        self.body_example =
            self.body_example.take().or_else(|| said("requestBodyExample", MAX_EXAMPLE));
        for (fields, member) in [
            (&mut self.body, "requestBodyFields"),
            (&mut self.query, "requestQueryParams"),
            (&mut self.path, "requestPathParams"),
        ] {
            let more = external.get(member).map(Json::elements).unwrap_or_default();
            for field in more.iter().filter_map(Field::of_external).take(MAX_FIELDS) {
                if !fields.iter().any(|known| known.name.eq_ignore_ascii_case(&field.name)) {
                    fields.push(field);
                }
            }
        }
        let notes = external.get("notes").map(Json::elements).unwrap_or_default();
        let notes = notes.iter().filter_map(Json::text).take(MAX_NOTES);
        let noted = |text| Hint { value: bounded(text, MAX_TEXT), source: Source::External };
        self.notes.extend(notes.map(noted));
    }

    /// As they are shown.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let said = |value: &Option<Hint>| value.as_ref().map(Hint::to_json);
        let fields = |list: &[Field]| Some(Json::List(list.iter().map(Field::to_json).collect()));
        Json::object([
            ("description", said(&self.description)),
            ("requestBodyType", said(&self.body_type)),
            ("requestBodyExample", said(&self.body_example)),
            ("requestBodyFields", fields(&self.body)),
            ("requestQueryParams", fields(&self.query)),
            ("requestPathParams", fields(&self.path)),
            ("notes", Some(Json::List(self.notes.iter().map(Hint::to_json).collect()))),
        ])
    }
}
