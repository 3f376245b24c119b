//! Extension `bazaar`: the form of a paid request and of its response, for facilitators that list
//! resources.
//!
//! Spec: x402 extension "Bazaar", over HTTP. Facilitators check `info` against `schema` and use the
//! copy that came with the payment, so a client's echo of it decides nothing here.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use farebox_base::encoding::json::object as members;

/// The extension's name in `extensions`.
pub const NAME: &str = "bazaar";
/// The dialect of `schema`.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Position of a request's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// In the query: `GET`, `HEAD`, `DELETE`.
    Query,
    /// In the body, of this kind: `POST`, `PUT`, `PATCH`.
    Body(BodyType),
}

/// Type of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyType {
    /// `application/json`.
    Json,
    /// `multipart/form-data`.
    FormData,
    /// `text/plain`.
    Text,
}

impl BodyType {
    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Json, Self::FormData, Self::Text].into_iter().find(|kind| kind.name() == name)
    }

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::FormData => "form-data",
            Self::Text => "text",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::FormData => "multipart/form-data",
            Self::Text => "text/plain",
        }
    }
}

/// Input and output of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Position of the input.
    pub style: Style,
    /// A working example input.
    pub input: Value,
    /// JSON Schema of the input.
    pub input_schema: Map<String, Value>,
    /// An output and its JSON Schema, if it is described.
    pub output: Option<(Value, Map<String, Value>)>,
    /// The route's path with `:name` for each parameter, if it has any.
    pub template: Option<String>,
}

impl Declaration {
    /// Whether requests with this method carry their input there.
    #[must_use]
    pub fn takes(&self, method: &str) -> bool {
        match self.style {
            Style::Query => matches!(method, "GET" | "HEAD" | "DELETE"),
            Style::Body(_) => matches!(method, "POST" | "PUT" | "PATCH"),
        }
    }

    /// The longest method that it takes.
    #[must_use]
    pub const fn longest_method(&self) -> &'static str {
        match self.style {
            Style::Query => "DELETE",
            Style::Body(_) => "PATCH",
        }
    }

    /// The extension for a request of this path with this method, which it [takes](Self::takes).
    #[must_use]
    pub fn extension(&self, method: &str, path: &str) -> Value {
        let mut input = json!({ "type": "http", "method": method });
        let mut shapes = json!({
            "type": { "type": "string", "const": "http" },
            "method": { "type": "string", "enum": [method] },
        });
        let mut required = Vec::from(["type", "method"]);
        match self.style {
            Style::Query => {
                put(&mut input, "queryParams", self.input.clone());
                put(&mut shapes, "queryParams", Value::Object(self.input_schema.clone()));
            }
            Style::Body(kind) => {
                put(&mut input, "bodyType", Value::from(kind.name()));
                put(&mut input, "body", self.input.clone());
                put(&mut shapes, "bodyType", json!({ "type": "string", "enum": [kind.name()] }));
                put(&mut shapes, "body", Value::Object(self.input_schema.clone()));
                required.extend(["bodyType", "body"]);
            }
        }
        if let Some(template) = &self.template {
            put(&mut input, "pathParams", Value::Object(parameters(template, path)));
            put(&mut shapes, "pathParams", json!({ "type": "object" }));
        }
        let mut info = json!({ "input": input });
        let mut parts = json!({ "input": {
            "type": "object", "properties": shapes, "required": required, "additionalProperties": false,
        } });
        if let Some((example, schema)) = &self.output {
            put(&mut info, "output", json!({ "type": "json", "example": example }));
            let shapes = json!({ "type": { "type": "string" }, "example": schema });
            let output = json!({ "type": "object", "properties": shapes, "required": ["type"] });
            put(&mut parts, "output", output);
        }
        let mut extension = json!({
            "info": info,
            "schema": { "$schema": DIALECT, "type": "object", "properties": parts, "required": ["input"] },
        });
        if let Some(template) = self.template.as_ref().filter(|template| is_template(template)) {
            put(&mut extension, "routeTemplate", Value::from(template.as_str()));
        }
        extension
    }
}

/// The values of the parameters; empty for a path that is longer or shorter than the template.
fn parameters(template: &str, path: &str) -> Map<String, Value> {
    if template.split('/').count() != path.split('/').count() {
        return Map::new();
    }
    let pairs = template.split('/').zip(path.split('/'));
    members(
        pairs.filter_map(|(name, value)| {
            Some((name.strip_prefix(':')?.to_owned(), Value::from(value)))
        }),
    )
}

/// Whether facilitators accept this as the name of many URLs. Spec: x402 extension "Bazaar",
/// `routeTemplate`.
fn is_template(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_/:.-~%".contains(&byte);
    text.bytes().all(plain) && !text.contains("..") && !text.contains("://")
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
