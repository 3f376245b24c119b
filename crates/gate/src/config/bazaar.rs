//! Input and output of a route, for facilitators that list it: `bazaar = { input = {…}, output =
//! {…} }`.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use super::shape::BAZAAR;
use crate::publish::listing::colon_template;
use crate::route::{Methods, Pattern};
use farebox_base::encoding::message::read_struct;
use farebox_common::config::Reader;
use farebox_wire::x402::extension::bazaar::{BodyType, Declaration, Style};

#[derive(Clone, Debug)]
struct BazaarConfig {
    body: Option<String>,
    input: Option<Value>,
    input_schema: Option<Map<String, Value>>,
    output: Option<Value>,
    output_schema: Option<Map<String, Value>>,
}

read_struct!(BazaarConfig { body, input, input_schema, output, output_schema });

/// Reads the route field `bazaar`.
pub(super) fn read(
    reader: &mut Reader,
    place: &str,
    config: Option<&Value>,
    pattern: &Pattern,
    methods: &Methods,
) -> Option<Arc<Declaration>> {
    let place = format!("{place}.bazaar");
    let config: BazaarConfig = reader.shaped(&place, config?, &BAZAAR)?;
    let style = match config.body.as_deref() {
        None => Some(Style::Query),
        Some(name) => BodyType::parse(name).map(Style::Body),
    };
    let Some(style) = style else {
        reader.fail_at(&place, "body", "must be \"json\", \"form-data\" or \"text\"");
        return None;
    };
    let input = config.input.unwrap_or_else(|| json!({}));
    let is_text = style == Style::Body(BodyType::Text);
    let fits = input.is_object() || is_text && input.is_string();
    if !fits {
        reader.fail_at(&place, "input", "must be an object of names and examples");
        return None;
    }
    let output_schema = config.output_schema;
    if output_schema.is_some() && config.output.is_none() {
        reader.fail_at(&place, "output_schema", "needs output, an example that it describes");
    }
    let declaration = Declaration {
        style,
        input_schema: typed(&input, config.input_schema),
        input,
        output: config.output.map(|output| {
            let schema = typed(&output, output_schema);
            (output, schema)
        }),
        template: colon_template(pattern),
    };
    let schemas = [Some(&declaration.input_schema), declaration.output.as_ref().map(|(_, it)| it)];
    if schemas.into_iter().flatten().any(members_point_outside) {
        reader
            .fail(&place, "a schema must not have $id, or $ref to another document; write it out");
    }
    if !methods.names().any(|method| declaration.takes(method)) {
        let remedy = "does not match the methods of the route; body is required for POST, PUT and PATCH, and allowed only there";
        reader.fail(&place, remedy);
    }
    Some(Arc::new(declaration))
}

/// The schema; it states at least the type of its example.
fn typed(example: &Value, schema: Option<Map<String, Value>>) -> Map<String, Value> {
    let kind = match example {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let mut schema = schema.unwrap_or_default();
    schema.entry("type").or_insert_with(|| Value::from(kind));
    schema
}

/// Whether a member of a schema refers to another document, which facilitators refuse.
fn points_outside(name: &str, value: &Value) -> bool {
    let is_name = name == "$ref" || name == "$id";
    let outside = is_name && !value.as_str().is_some_and(|text| text.starts_with('#'));
    outside || holds_outside(value)
}

fn members_point_outside(members: &Map<String, Value>) -> bool {
    members.iter().any(|(name, value)| points_outside(name, value))
}

fn holds_outside(value: &Value) -> bool {
    match value {
        Value::Object(members) => members_point_outside(members),
        Value::Array(list) => list.iter().any(holds_outside),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
