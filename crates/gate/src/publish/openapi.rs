//! `/openapi.json`: OpenAPI 3.1 with `x-payment-info` in each operation.
//!
//! Spec: MPP "Discovery" (`offers`, `x-service-info`), and what x402 registries read beside it
//! (`price`, `protocols`, `security`). Methods that OpenAPI has no name for are left to the other
//! documents.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use farebox_base::encoding::json::json;
use farebox_wire::x402::mints::is_dollar;
use serde_json::{Map, Value};

use super::listing::ListedPath;
use super::schema::is_sound;
use super::{Document, DocumentContext, Service};
use crate::offer::{AssetLabel, Choice, Offer};
use farebox_base::encoding::json::{self, object as members};
use farebox_base::hash;
use farebox_wire::mpp::charge;
use farebox_wire::x402::extension::bazaar::{Declaration, Style};

/// Methods that an operation can have.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Writes the document.
pub(super) fn write(shop: &DocumentContext<'_>) -> String {
    let paths = shop.listing.items.iter().map(|item| (item.path.clone(), path_item(shop, item)));
    let paths = Value::Object(members(paths));
    // The version is the document's: it changes whenever the routes do.
    let version = hash::digest(&[json::text(&paths).as_bytes()]);
    let mut info = json!({ "title": shop.title(), "version": version.get(..12) });
    let Service { description, homepage, contact, categories, .. } = shop.service;
    put(&mut info, "description", description);
    if !contact.is_empty() {
        set(&mut info, "contact", json!({ "email": contact }));
    }
    let mut docs = json!({});
    put(&mut docs, "homepage", homepage);
    if shop.publish.has(Document::Llms) {
        put(&mut docs, "llms", Document::Llms.path());
        let guidance =
            format!("What is sold and how to pay: {}{}", shop.base, Document::Llms.path());
        put(&mut info, "x-guidance", &guidance);
    }
    let mut service = json!({ "docs": docs });
    if !categories.is_empty() {
        set(&mut service, "categories", json!(categories));
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": info,
        // A payment is not authentication, and no authentication is required.
        "security": [],
        "x-service-info": service,
        "paths": paths,
    });
    json::text(&document)
}

fn path_item(shop: &DocumentContext<'_>, item: &ListedPath) -> Value {
    let mut operations = Map::new();
    for (methods, place) in &item.sales {
        let Some(offer) = shop.routes.offer(*place) else { continue };
        for method in methods.iter().filter(|method| METHODS.contains(&method.as_str())) {
            operations.insert(method.to_ascii_lowercase(), operation(method, item, offer));
        }
    }
    Value::Object(operations)
}

fn operation(method: &str, item: &ListedPath, offer: &Offer) -> Value {
    let described = offer.bazaar.as_deref().filter(|it| it.takes(method) && is_sound(it));
    let mut parameters: Vec<Value> = item
        .parameters
        .iter()
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(described.into_iter().flat_map(query_parameters));
    let output = described.and_then(|declaration| declaration.output.as_ref());
    let content = output.map_or_else(
        || json!({}),
        |(example, schema)| json!({ "schema": schema, "example": example }),
    );
    let mut operation = json!({
        "responses": {
            "200": { "description": "What was paid for", "content": { offer.settings.mime_type.as_str(): content } },
            "402": { "description": "Payment Required" },
        },
        "x-payment-info": payment_info(offer),
    });
    let summary = if offer.settings.description.is_empty() {
        format!("{method} {}", item.path)
    } else {
        offer.settings.description.clone()
    };
    put(&mut operation, "summary", &summary);
    if !parameters.is_empty() {
        set(&mut operation, "parameters", Value::Array(parameters));
    }
    if matches!(method, "POST" | "PUT" | "PATCH") {
        set(&mut operation, "requestBody", json!({ "content": body(described) }));
    }
    operation
}

/// The input of a declaration that stands in the query.
fn query_parameters(declaration: &Declaration) -> Vec<Value> {
    let schema = &declaration.input_schema;
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    if declaration.style != Style::Query {
        return Vec::new();
    }
    let properties = properties.into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| {
        let is_required = required.is_some_and(|list| list.iter().any(|listed| listed == name));
        let mut parameter =
            json!({ "name": name, "in": "query", "required": is_required, "schema": schema });
        if let Some(example) = declaration.input.get(name) {
            set(&mut parameter, "example", example.clone());
        }
        parameter
    };
    properties.map(parameter).collect()
}

/// The `content` of a request body; any type if the operator has not described it.
fn body(declaration: Option<&Declaration>) -> Value {
    match declaration.map(|declaration| (declaration.style, declaration)) {
        Some((Style::Body(kind), declaration)) => json!({
            kind.media_type(): { "schema": declaration.input_schema, "example": declaration.input },
        }),
        _ => json!({ "*/*": {} }),
    }
}

fn payment_info(offer: &Offer) -> Value {
    let mut protocols = Vec::new();
    let mut offers = Vec::new();
    if offer.settings.protocols.x402 {
        protocols.push(json!({ "x402": {} }));
        offers.extend(offer.choices.iter().map(|choice| {
            let mut one = payment_offer(offer, choice, "x402");
            put(&mut one, "scheme", choice.requirements.scheme());
            one
        }));
    }
    let mut signed = offer.by_mpp().peekable();
    if let Some(first) = signed.peek() {
        let currency = first.terms.asset.as_str();
        let one =
            json!({ "method": charge::METHOD, "intent": charge::INTENT, "currency": currency });
        protocols.push(json!({ "mpp": one }));
    }
    offers.extend(signed.map(|choice| payment_offer(offer, choice, charge::METHOD)));
    let mut info = json!({ "offers": offers, "protocols": protocols });
    if let Some(price) = offer.choices.first().and_then(|choice| price(offer, choice)) {
        set(&mut info, "price", price);
    }
    info
}

/// One way to pay in MPP's terms; its 402 adds network, recipient and decimals.
fn payment_offer(offer: &Offer, choice: &Choice, method: &str) -> Value {
    let terms = &choice.terms;
    let amount = offer.pricer.is_none().then(|| terms.amount.to_string());
    let mut one = json!({
        "intent": charge::INTENT,
        "method": method,
        "amount": amount,
        "currency": terms.asset,
        "decimals": choice.asset_label.decimals,
        "network": terms.network.as_str(),
    });
    put(&mut one, "recipient", if offer.names_payees() { "" } else { &terms.pay_to });
    put(&mut one, "description", &offer.settings.description);
    one
}

/// The price in a national currency; `None` if the asset stands for none.
fn price(offer: &Offer, choice: &Choice) -> Option<Value> {
    let AssetLabel { symbol, decimals } = &choice.asset_label;
    let currency = currency(symbol)?;
    let max_amount = choice.terms.amount.to_decimal(*decimals);
    if offer.pricer.is_none() && choice.terms.unit.is_none() {
        return Some(json!({ "mode": "fixed", "currency": currency, "amount": max_amount }));
    }
    let min_amount = offer.pricer.as_ref().and_then(|pricer| pricer.min_amount.as_ref()?.first());
    let min_amount =
        min_amount.map_or_else(|| "0".to_owned(), |min_amount| min_amount.to_decimal(*decimals));
    Some(json!({ "mode": "dynamic", "currency": currency, "min": min_amount, "max": max_amount }))
}

/// The ISO 4217 code of the currency that a stablecoin of this symbol stands for.
fn currency(symbol: &str) -> Option<&'static str> {
    match symbol {
        "EURC" => Some("EUR"),
        symbol if symbol.contains("USD") || is_dollar(symbol) => Some("USD"),
        _ => None,
    }
}

/// A text member, if there is a text.
fn put(object: &mut Value, name: &str, text: &str) {
    if !text.is_empty() {
        set(object, name, Value::from(text));
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
