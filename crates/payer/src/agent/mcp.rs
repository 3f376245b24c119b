//! Tools over MCP that ask for a payment, as the HTTP answers that they stand for: what reads a 402
//! then reads these too.
//!
//! A tool asks in one of two forms: a result with `isError` and the terms of x402, or an error with
//! challenges of MPP. The payment goes into `_meta` of the next call, and the receipt comes in
//! `_meta` of its result. Spec: x402 v2, MCP transport; draft-payment-transport-mcp.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use farebox_base::encoding::{base64, json};
use farebox_wire::mpp::credential::{CredentialSearch, find};
use farebox_wire::mpp::{Credential, receipt, rpc};
use farebox_wire::x402::extension::offer_receipt;
use farebox_wire::x402::header;

/// Member of `_meta` that carries the payment of a call. Spec: x402 v2, MCP transport.
pub const PAYMENT: &str = "x402/payment";
/// Member of `_meta` that carries the settlement of a result. Spec: x402 v2, MCP transport.
pub const SETTLEMENT: &str = "x402/payment-response";
/// Member of `_meta` in which Cloudflare's agents write the terms of a result that is an error.
const ASKED: &str = "x402/error";
/// Maximum size of an answer that is searched, bytes; a longer one asks for nothing.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Maximum size of a payment header, bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// The code of an error that carries terms of x402, in the older form.
const X402_ERROR: i64 = 402;
/// Maximum values of an answer.
const MAX_VALUES: usize = 256 * 1024;

/// An answer of a tool, as HTTP would give it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolResponse {
    /// Whether it asks for a payment, or refuses one.
    pub asks: bool,
    /// Names and values, in lower case and in order.
    pub headers: Vec<(&'static str, String)>,
    /// The body of a 402; for any other answer the result is the body.
    pub body: String,
}

impl ToolResponse {
    /// Reads a JSON-RPC message with `result` or `error`; an unreadable one asks for nothing.
    ///
    /// # Examples
    /// ```
    /// use farebox_payer::agent::mcp::ToolResponse;
    /// let free = ToolResponse::read(r#"{"result":{"content":[{"type":"text","text":"sunny"}]}}"#);
    /// assert!(!free.asks && free.headers.is_empty());
    /// let asks = r#"{"result":{"isError":true,"structuredContent":{"x402Version":2,"accepts":[]}}}"#;
    /// assert_eq!(ToolResponse::read(asks).headers[0].0, "payment-required");
    /// ```
    #[must_use]
    pub fn read(message: &str) -> Self {
        match json::parse_within(message.as_bytes(), MAX_BYTES, MAX_VALUES) {
            Ok(Value::Object(message)) => Self::of(&message),
            _ => Self::default(),
        }
    }

    fn of(message: &Map<String, Value>) -> Self {
        let mut answer = Self::default();
        let error = message.get("error").filter(|error| error.is_object());
        let code = error.and_then(|error| error.get("code")).and_then(Value::as_i64);
        for challenge in rpc::challenges(message).into_iter().flatten() {
            if let Ok(value) = challenge.to_header() {
                answer.headers.push(("www-authenticate", value));
            }
        }
        let refuses = matches!(code, Some(rpc::PAYMENT_REQUIRED | rpc::VERIFICATION_FAILED));
        answer.asks = refuses || !answer.headers.is_empty();
        let data = error.and_then(|error| error.get("data"));
        let problem = data.and_then(|data| data.get("problem")).filter(|it| it.is_object());
        answer.body = problem.map(Value::to_string).unwrap_or_default();
        if answer.asks && answer.body.is_empty() {
            let said = error.and_then(|error| error.get("message")).and_then(Value::as_str);
            answer.body = serde_json::json!({ "detail": said.unwrap_or_default() }).to_string();
        }
        let of_error = data.filter(|_| code == Some(X402_ERROR)).and_then(Value::as_object);
        let result = message.get("result").and_then(Value::as_object);
        let terms = of_error.filter(|it| is_terms(it)).cloned().or(result.and_then(terms));
        if let Some(terms) = terms.map(without_receipt) {
            answer.asks = true;
            let text = Value::Object(terms.clone()).to_string();
            match terms.get("x402Version").and_then(Value::as_u64) {
                // Terms of version 1 have no header.
                Some(1) => answer.body = text,
                _ => answer.headers.push(("payment-required", header::encode(&text))),
            }
        }
        let meta = result.and_then(|result| result.get("_meta"));
        let said = |member| meta.and_then(|meta| meta.get(member)).filter(|it| it.is_object());
        if let Some(settlement) = said(SETTLEMENT).and_then(Value::as_object).cloned() {
            let text = Value::Object(without_receipt(settlement)).to_string();
            answer.headers.push(("payment-response", header::encode(&text)));
        }
        if let Some(paid) = said(rpc::RECEIPT) {
            let value = base64::encode_url(paid.to_string().as_bytes());
            answer.headers.push((receipt::HEADER, value));
        }
        answer
    }
}

/// Whether it is the terms of x402.
fn is_terms(object: &Map<String, Value>) -> bool {
    object.contains_key("x402Version") && object.get("accepts").is_some_and(Value::is_array)
}

/// Terms that announce no receipt, or a settlement that has none: the URL of a tool is the payer's own,
/// so a receipt names the gate behind it. Some sellers hand on what that says.
fn without_receipt(mut said: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Object(extensions)) = said.get_mut("extensions") {
        extensions.remove(offer_receipt::NAME);
    }
    said
}

/// The terms of a result that is an error: structured, in its `_meta`, or as the text of its first
/// content.
fn terms(result: &Map<String, Value>) -> Option<Map<String, Value>> {
    if result.get("isError") != Some(&Value::Bool(true)) {
        return None;
    }
    let structured = result.get("structuredContent").and_then(Value::as_object);
    if let Some(terms) = structured.filter(|it| is_terms(it)) {
        return Some(terms.clone());
    }
    let beside = result.get("_meta").and_then(|meta| meta.get(ASKED)).and_then(Value::as_object);
    if let Some(terms) = beside.filter(|it| is_terms(it)) {
        return Some(terms.clone());
    }
    let text = result.get("content")?.as_array()?.first()?.get("text")?.as_str()?;
    let Ok(Value::Object(object)) =
        json::parse_within(text.as_bytes(), MAX_HEADER_BYTES, MAX_VALUES)
    else {
        return None;
    };
    // Version 1 wraps them.
    let wrapped = object.get("x402/error").and_then(|it| it.get("data")).and_then(Value::as_object);
    wrapped.filter(|it| is_terms(it)).cloned().or_else(|| is_terms(&object).then_some(object))
}

/// The member of `_meta` for a header that carries a payment; `None` for any other header.
///
/// # Examples
/// ```
/// use farebox_payer::agent::mcp::{PAYMENT, meta};
/// let (name, payment) = meta("PAYMENT-SIGNATURE", "eyJ4NDAyVmVyc2lvbiI6Mn0=").unwrap();
/// assert_eq!((name, payment.to_string().as_str()), (PAYMENT, r#"{"x402Version":2}"#));
/// assert!(meta("Authorization", "Bearer key").is_none());
/// ```
#[must_use]
pub fn meta(name: &str, value: &str) -> Option<(&'static str, Value)> {
    match name.to_ascii_lowercase().as_str() {
        "payment-signature" | "x-payment" => {
            let payment = header::decode_up_to(value, MAX_HEADER_BYTES).ok()?.object;
            Some((PAYMENT, Value::Object(payment)))
        }
        "authorization" | "payment-authorization" => {
            let CredentialSearch::One(token) = find(core::iter::once(value)) else { return None };
            let credential = Credential::read(token).ok()?;
            Some((rpc::CREDENTIAL, rpc::credential_object(&credential).ok()?))
        }
        _ => None,
    }
}

/// Whether a number is the one that the text says also where numbers are floats of 64 bits, as in
/// JavaScript.
fn is_exact(text: &str, read: &Value) -> bool {
    match (read.as_i64(), read.as_u64()) {
        (Some(whole), _) => whole.unsigned_abs() <= MAX_EXACT,
        (None, Some(_)) => false,
        (None, None) => text.chars().filter(char::is_ascii_digit).count() <= MAX_DIGITS,
    }
}

/// The largest integer below which all are exact, and the digits of which that holds for others.
const MAX_EXACT: u64 = 9_007_199_254_740_991;
const MAX_DIGITS: usize = 15;

/// Arguments in the types that a tool's `inputSchema` declares: texts that are numbers, truth values
/// or JSON become those. What does not fit stays as it is, for the tool to refuse.
///
/// # Examples
/// ```
/// use farebox_payer::agent::mcp::coerced;
/// use serde_json::json;
/// let schema = json!({"properties": {"days": {"type": "integer"}, "city": {"type": "string"}}});
/// assert_eq!(coerced(json!({"days": "3", "city": "5"}), &schema), json!({"days": 3, "city": "5"}));
/// ```
#[must_use]
pub fn coerced(arguments: Value, schema: &Value) -> Value {
    let Value::Object(mut members) = arguments else { return arguments };
    for (name, value) in &mut members {
        let declared = schema.get("properties").and_then(|all| all.get(name));
        let declared = declared.and_then(|it| it.get("type")).and_then(Value::as_str);
        let Value::String(text) = &*value else {
            if declared == Some("string") && (value.is_number() || value.is_boolean()) {
                *value = Value::String(value.to_string());
            }
            continue;
        };
        let read = json::parse(text.trim().as_bytes()).ok();
        let fits = |read: &Value| match declared {
            Some("integer") => (read.is_i64() || read.is_u64()) && is_exact(text, read),
            Some("number") => read.is_number() && is_exact(text, read),
            Some("boolean") => read.is_boolean(),
            Some("array") => read.is_array(),
            Some("object") => read.is_object(),
            _ => false,
        };
        if let Some(read) = read.filter(fits) {
            *value = read;
        }
    }
    Value::Object(members)
}
