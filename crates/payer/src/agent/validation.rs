//! Compares a request with its hints, before money is spent on it. What is wrong decides the next
//! action; descriptions and notes never do.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::field::{Field, Source};
use super::hints::Hints;
use super::json::{Json, is_whole};
use farebox_base::http::Headers;
use farebox_base::text::cut;

/// Maximum size of a body that is compared, bytes.
const MAX_BODY: usize = 1024 * 1024;

/// A request as it would be sent.
#[derive(Clone, Copy, Debug)]
pub struct PlannedRequest<'a> {
    /// Its URL, as the caller wrote it.
    pub url: &'a str,
    /// Its header fields.
    pub headers: &'a Headers,
    /// Its body; none and an empty one are the same.
    pub body: Option<&'a str>,
}

/// Place of what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Location {
    Body,
    Query,
    Path,
    Headers,
}

impl Location {
    const fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
            Self::Headers => "headers",
        }
    }
}

/// A fault of a request.
#[derive(Clone, Debug)]
pub struct Issue {
    location: Location,
    field: String,
    code: &'static str,
    message: String,
    source: Source,
    fix: String,
}

impl Issue {
    /// As it is shown.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::object([
            ("location", Some(self.location.name().into())),
            ("field", Some(self.field.as_str().into())),
            ("code", Some(self.code.into())),
            ("message", Some(self.message.as_str().into())),
            ("source", Some(self.source.name().into())),
            ("blocking", Some(Json::Bool(true))),
            ("severity", Some("error".into())),
            ("suggestedFix", Some(self.fix.as_str().into())),
        ])
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.location, self.code, self.source) == (other.location, other.code, other.source)
            && self.field.eq_ignore_ascii_case(&other.field)
    }
}

/// The next action of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAction {
    /// The request may be paid.
    Execute,
    /// The request has to be mended first.
    Revise,
    /// Nothing has to be paid.
    Passthrough,
}

impl NextAction {
    /// Decides it: from whether a payment is asked for, and whether something is wrong.
    #[must_use]
    pub fn of(is_asked: Demand, issues: &[Issue]) -> Self {
        match (is_asked, issues) {
            (Demand::Nothing, _) => Self::Passthrough,
            (Demand::Payment, []) => Self::Execute,
            (Demand::Payment, [_, ..]) => Self::Revise,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::Revise => "revise_request",
            Self::Passthrough => "treat_as_passthrough",
        }
    }
}

/// Whether an answer asks for a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// It does.
    Payment,
    /// It does not.
    Nothing,
}

/// Everything that is wrong with a request, each once.
#[must_use]
pub fn issues(request: PlannedRequest<'_>, hints: &Hints) -> Vec<Issue> {
    let mut found = Vec::new();
    found.extend(content_type(request, hints));
    found.extend(body(request, hints));
    found.extend(query(request, hints));
    found.extend(path(request, hints));
    let mut unique: Vec<Issue> = Vec::new();
    for issue in found {
        if !unique.iter().any(|known| known.is_same(&issue)) {
            unique.push(issue);
        }
    }
    unique
}

fn content_type(request: PlannedRequest<'_>, hints: &Hints) -> Option<Issue> {
    let said = hints.body_type.as_ref().filter(|it| it.value.eq_ignore_ascii_case("json"))?;
    request.body.filter(|body| !body.is_empty())?;
    let sent = request.headers.get("content-type").unwrap_or_default().to_ascii_lowercase();
    if cut(&sent, "application/json").is_some() {
        return None;
    }
    Some(Issue {
        location: Location::Headers,
        field: "content-type".to_string(),
        code: "unsupported_content_type",
        message:
            "The request body is expected as JSON, but no application/json content-type is sent."
                .to_string(),
        source: said.source,
        fix: "Send the header content-type: application/json and a JSON body.".to_string(),
    })
}

fn body(request: PlannedRequest<'_>, hints: &Hints) -> Vec<Issue> {
    let text = request.body.filter(|body| !body.is_empty());
    let Some(first) = hints.body.first() else { return Vec::new() };
    let Some(text) = text else {
        return required(&hints.body).map(|field| missing(Location::Body, field)).collect();
    };
    let sent = request.headers.get("content-type").unwrap_or_default().to_ascii_lowercase();
    if cut(&sent, "application/x-www-form-urlencoded").is_some() {
        let names = pairs(text);
        let absent = required(&hints.body).filter(|field| !names.contains(&field.name));
        return absent.map(|field| missing(Location::Body, field)).collect();
    }
    let typed = hints.body_type.as_ref().map(|it| it.source);
    let whole = |code, source, message: &str, fix: &str| {
        alloc::vec![Issue {
            location: Location::Body,
            field: "body".to_string(),
            code,
            message: message.to_string(),
            source,
            fix: fix.to_string(),
        }]
    };
    match Json::read(text, MAX_BODY) {
        None => whole(
            "malformed_candidate_value",
            typed.unwrap_or(first.attribution.source),
            "The request body is not valid JSON.",
            "Send a JSON object as the request body.",
        ),
        Some(value @ (Json::Object(_) | Json::List(_))) => {
            let absent = hints.body.iter().filter_map(|field| of_absent(&value, field));
            absent.chain(hints.body.iter().filter_map(|field| of_value(&value, field))).collect()
        }
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_)) => whole(
            "request_shape_conflicts_with_hint",
            first.attribution.source,
            "The request body is expected to be a JSON object.",
            "Send a JSON object with the hinted fields.",
        ),
    }
}

fn of_absent(body: &Json, field: &Field) -> Option<Issue> {
    let is_absent = body.get(&field.name).is_none() && !is_inherited(body, &field.name);
    (is_absent && field.required == Some(true)).then(|| missing(Location::Body, field))
}

fn of_value(body: &Json, field: &Field) -> Option<Issue> {
    let kind = field.kind.as_deref()?;
    (!is_of(body.get(&field.name)?, kind)).then(|| Issue {
        location: Location::Body,
        field: field.name.clone(),
        code: "malformed_candidate_value",
        message: format!("Request body field \"{}\" must be of type {kind}.", field.name),
        source: field.attribution.source,
        fix: format!("Send \"{}\" as {kind}.", field.name),
    })
}

/// Whether a value has a type; a type that is not known fits all.
fn is_of(value: &Json, kind: &str) -> bool {
    match kind.to_ascii_lowercase().as_str() {
        "string" => matches!(value, Json::Text(_)),
        "number" => matches!(value, Json::Number(_)),
        "integer" | "int" => matches!(value, Json::Number(number) if is_whole(number)),
        "boolean" => matches!(value, Json::Bool(_)),
        "object" => matches!(value, Json::Object(_) | Json::List(_)),
        "array" => matches!(value, Json::List(_)),
        _ => true,
    }
}

/// Whether every JavaScript object has a member of this name: it counts as present.
fn is_inherited(body: &Json, name: &str) -> bool {
    INHERITED.contains(&name) || (matches!(body, Json::List(_)) && name == "length")
}

const INHERITED: &[&str] = &[
    "constructor",
    "toString",
    "toLocaleString",
    "valueOf",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "__proto__",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
];

fn query(request: PlannedRequest<'_>, hints: &Hints) -> Vec<Issue> {
    let url = request.url.split('#').next().unwrap_or_default();
    let names = pairs(url.split_once('?').map(|(_, query)| query).unwrap_or_default());
    let absent = required(&hints.query).filter(|param| !names.contains(&param.name));
    absent.map(|param| missing(Location::Query, param)).collect()
}

fn path(request: PlannedRequest<'_>, hints: &Hints) -> Vec<Issue> {
    let path = request.url.split(['?', '#']).next().unwrap_or_default();
    let path = cut(path, "://").map_or(path, |(_, rest)| rest);
    let open = |param: &&Field| {
        let name = param.name.as_str();
        path.split('/').skip(1).any(|segment| {
            segment.contains(&format!("{{{name}}}"))
                || segment
                    .to_ascii_uppercase()
                    .contains(&format!("%7B{}%7D", name.to_ascii_uppercase()))
                || segment.strip_prefix(':') == Some(name)
        })
    };
    hints.path.iter().filter(open).map(|param| missing(Location::Path, param)).collect()
}

fn missing(location: Location, field: &Field) -> Issue {
    let name = &field.name;
    let (code, what) = match location {
        Location::Query => ("missing_required_query_param", "query parameter"),
        Location::Path => ("missing_required_path_param", "path parameter"),
        Location::Body | Location::Headers => ("missing_required_field", "request body field"),
    };
    let fixed = what.strip_prefix("request ").unwrap_or(what);
    Issue {
        location,
        field: name.clone(),
        code,
        message: format!("Required {what} \"{name}\" is missing."),
        source: field.attribution.source,
        fix: format!("Add the required {fixed} \"{name}\" before execution."),
    }
}

fn required(fields: &[Field]) -> impl Iterator<Item = &Field> {
    fields.iter().filter(|field| field.required == Some(true))
}

/// The names in `a=1&b=2`, decoded.
fn pairs(text: &str) -> Vec<String> {
    text.split('&').map(|pair| decoded(pair.split('=').next().unwrap_or_default())).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|it| char::from(it).to_digit(16));
        let mut ahead = rest.clone();
        let value = match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                rest = ahead;
                u8::try_from(high.saturating_mul(16).saturating_add(low)).unwrap_or(byte)
            }
            (b'+', _, _) => b' ',
            _ => byte,
        };
        bytes.push(value);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
