//! Which parameters a request needs, which it has, and the one question for the rest.
//!
//! Parameters come from what the seller's terms declare, never from prose. Spec: OKX agent payments,
//! "Two-phase".

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::challenge::RawChallenge;
use super::field::{Field, MAX_FIELDS};
use super::hints::Hints;
use super::json::Json;
use super::text::name;

/// Maximum size of a body that is searched, bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Place of a parameter in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Query,
    Body,
    Header,
    Path,
}

impl Carrier {
    const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Body => "body",
            Self::Header => "header",
            Self::Path => "path",
        }
    }

    /// Place of a method's parameters if nothing else is said.
    fn of(method: &str) -> Self {
        match method {
            "POST" | "PUT" | "PATCH" => Self::Body,
            _ => Self::Query,
        }
    }
}

/// A request as it would be sent.
#[derive(Clone, Copy, Debug)]
pub struct SentRequest<'a> {
    /// Its method, in capitals.
    pub method: &'a str,
    /// Its URL.
    pub url: &'a str,
    /// Its body.
    pub body: Option<&'a str>,
}

/// The plan: `params` with their values as far as they are known, `missingParams`, and `question`
/// if any is missing. `given` has values by name.
#[must_use]
pub fn plan(sent: SentRequest<'_>, challenge: Option<&RawChallenge>, given: &Json) -> Json {
    let body = sent.body.and_then(|text| Json::read(text, MAX_BODY)).unwrap_or(Json::Null);
    let query = sent.url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let mut params = Vec::new();
    let mut missing: Vec<&str> = Vec::new();
    let declared = declared(sent.method, challenge);
    for (carrier, field) in declared.iter().take(MAX_FIELDS) {
        let in_query = || query.split('&').find_map(|pair| value_of(pair, &field.name));
        let known = match carrier {
            Carrier::Query => in_query().map(|it| it.to_string().into()),
            Carrier::Body => body.get(&field.name).cloned(),
            Carrier::Header | Carrier::Path => None,
        };
        let (value, source) = match given.get(&field.name) {
            Some(value) => (Some(value.clone()), "prompt"),
            None => (known, "context"),
        };
        let required = field.required == Some(true);
        if required && value.is_none() {
            missing.push(&field.name);
        }
        params.push(Json::object([
            ("name", Some(field.name.as_str().into())),
            ("type", field.kind.as_deref().map(Json::from)),
            ("source", Some(if value.is_some() { source } else { "prompt" }.into())),
            ("value", value),
            ("carrier", Some(carrier.name().into())),
            ("required", Some(Json::Bool(required))),
        ]));
    }
    let names: Vec<String> =
        missing.iter().map(|it| format!("`{}`", it.replace('`', "'"))).collect();
    let question = format!("Please give a value for each of: {}.", names.join(", "));
    Json::object([
        ("params", Some(Json::List(params))),
        ("missingParams", Some(Json::List(missing.iter().map(|it| (*it).into()).collect()))),
        ("question", (!missing.is_empty()).then(|| question.into())),
    ])
}

/// The first declaration of each parameter.
fn declared(method: &str, challenge: Option<&RawChallenge>) -> Vec<(Carrier, Field)> {
    let mut all: Vec<(Carrier, Field)> = Vec::new();
    let mut add = |carrier, field: Field| {
        if !all.iter().any(|(_, known)| known.name.eq_ignore_ascii_case(&field.name)) {
            all.push((carrier, field));
        }
    };
    let Some(challenge) = challenge else { return all };
    let hints = Hints::of(Some(challenge), &Json::Null);
    for (carrier, fields) in
        [(Carrier::Body, hints.body), (Carrier::Query, hints.query), (Carrier::Path, hints.path)]
    {
        fields.into_iter().for_each(|field| add(carrier, field));
    }
    // The place of version 1.
    let inputs = challenge.accepts().filter_map(|it| it.at(&["outputSchema", "input"]));
    for input in inputs.filter(|input| input.is_object()) {
        let groups = [
            ("queryParams", Carrier::Query),
            ("bodyFields", Carrier::Body),
            ("body", Carrier::Body),
            ("headerFields", Carrier::Header),
            ("headers", Carrier::Header),
            ("pathParams", Carrier::Path),
            ("params", Carrier::of(method)),
            ("properties", Carrier::of(method)),
        ];
        for (group, carrier) in groups {
            let holder = if group == "properties" { Some(input) } else { input.object_of(group) };
            let Some(holder) = holder else { continue };
            let listed = holder.get("required").map(Json::elements).unwrap_or_default();
            let members = match holder.object_of("properties") {
                Some(members) => members,
                None if group == "properties" => continue,
                None => holder,
            };
            for (key, property) in members.members() {
                let Some(key) = name(key).filter(|_| property.is_object()) else { continue };
                let marked = property.get("required") == Some(&Json::Bool(true));
                let is_required = marked || listed.iter().any(|it| it.text() == Some(key));
                let kind = property.text_of("type").and_then(name).map(String::from);
                add(carrier, Field { kind, required: Some(is_required), ..Field::named(key) });
            }
        }
    }
    all
}

/// The value of a pair of a query, as it is written there.
fn value_of<'q>(pair: &'q str, name: &str) -> Option<&'q str> {
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    (key == name && !value.is_empty()).then_some(value)
}
