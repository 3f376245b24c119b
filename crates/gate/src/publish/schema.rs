//! Descriptions that may stand in a document about all routes: what a reader refuses in one of them
//! would keep all others from it.
//!
//! Spec: JSON Schema 2020-12, as OpenAPI 3.1 takes it.

use farebox_wire::x402::extension::bazaar::Declaration;
use serde_json::Value;

/// Members that name a place, or lead to one: it would be another one in the document.
const POINTERS: [&str; 9] = [
    "$ref",
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$schema",
    "$vocabulary",
    "$defs",
    "definitions",
];
/// Types of a value.
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// Whether readers of the document take this description.
pub(super) fn is_sound(declaration: &Declaration) -> bool {
    let output = declaration.output.as_ref();
    let examples = [Some(&declaration.input), output.map(|(example, _)| example)];
    let schemas = [Some(&declaration.input_schema), output.map(|(_, schema)| schema)];

    !examples.into_iter().flatten().any(points)
        && schemas.into_iter().flatten().all(|members| {
            let schema = Value::Object(members.clone());
            !points(&schema) && is_schema(&schema)
        })
}

/// Whether a reader who follows references finds one.
fn points(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| POINTERS.contains(&name.as_str()) || points(value))
        }
        Value::Array(list) => list.iter().any(points),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether each keyword of a schema has the form that it must have; others are for who knows them.
fn is_schema(value: &Value) -> bool {
    let Some(members) = value.as_object() else { return value.is_boolean() };
    members.iter().all(|(name, value)| match name.as_str() {
        "type" => is_type(value) || value.get(0).is_some() && is_set(value, is_type),
        "properties" | "patternProperties" | "dependentSchemas" => {
            value.as_object().is_some_and(|schemas| schemas.values().all(is_schema))
        }
        "items"
        | "contains"
        | "not"
        | "if"
        | "then"
        | "else"
        | "propertyNames"
        | "additionalProperties"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema" => is_schema(value),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
            value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(is_schema))
        }
        "required" => is_set(value, Value::is_string),
        "dependentRequired" => value
            .as_object()
            .is_some_and(|names| names.values().all(|it| is_set(it, Value::is_string))),
        "enum" | "examples" => value.is_array(),
        "title" | "description" | "format" | "pattern" | "$comment" | "contentEncoding"
        | "contentMediaType" => value.is_string(),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => value.is_u64(),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
        "multipleOf" => value.as_f64().is_some_and(|step| step > 0.0),
        "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => value.is_boolean(),
        // OpenAPI's own, of which each has a form of its own.
        "discriminator" | "externalDocs" | "xml" => false,
        _ => true,
    })
}

fn is_type(value: &Value) -> bool {
    value.as_str().is_some_and(|name| TYPES.contains(&name))
}

/// Whether a list has such values alone, and each once.
fn is_set(value: &Value, is_such: fn(&Value) -> bool) -> bool {
    let Some(list) = value.as_array() else { return false };
    let is_new = |(at, value): (usize, &Value)| !list.iter().take(at).any(|it| it == value);
    list.iter().all(is_such) && list.iter().enumerate().all(is_new)
}
