//! Checks reported failures against the published schema, with a validator of the standard.

use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use farebox_core::encoding::base64;
use farebox_core::http::Headers;
use farebox_core::x402::extension::diagnostic::SCHEMA;
use serde_json::Value;

static COMPILED: LazyLock<(Schemas, SchemaIndex)> = LazyLock::new(|| {
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.enable_format_assertions();
    let name = "diagnostic.json";
    compiler.add_resource(name, serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let index = compiler.compile(name, &mut schemas).unwrap();
    (schemas, index)
});

/// Fails if a diagnostic violates the schema, or if header and body differ.
pub fn check(headers: &Headers, body: &[u8]) {
    let extension = |object: &Value| object["extensions"].get("diagnostic").cloned();
    let told = serde_json::from_slice::<Value>(body).ok().as_ref().and_then(extension);
    if let Some(header) = headers.get("payment-required") {
        let terms: Value = serde_json::from_slice(&base64::decode(header).unwrap()).unwrap();
        assert_eq!(extension(&terms), told, "header and body say the same");
    }
    if let Some(extension) = told {
        valid(&extension);
    }
}

/// Fails if an extension violates the schema.
pub fn valid(extension: &Value) {
    let (schemas, index) = &*COMPILED;
    if let Err(error) = schemas.validate(extension, *index) {
        panic!("{extension} is not of its schema: {error}");
    }
}
