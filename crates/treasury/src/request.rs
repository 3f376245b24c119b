//! The body of a decision request. Spec: contract of `@402flow/sdk`, `sdkPaymentDecisionRequestSchema`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::message::Reply;
use super::refused;
use super::token::is_name;
use farebox_base::hash;
use farebox_payer::agent::candidate::sha256;

/// Maximum size of the body, bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Maximum size of a URL, bytes.
const MAX_URL: usize = 8192;
/// Maximum number of header fields, of the request and of the challenge each.
const MAX_FIELDS: usize = 128;
/// Maximum bytes of the names and values of the request's header fields: a merchant refuses more,
/// once it is signed.
const MAX_SENT_BYTES: usize = 32 * 1024;
/// The same of the challenge.
const MAX_CHALLENGE_BYTES: usize = 256 * 1024;
/// Most unknown members that an answer names.
const MAX_TOLD: usize = 8;
/// The members that a body may have. Those that it need not have bound the payment: a misspelt
/// bound is none. Inside of them the contract's schema takes more.
const MEMBERS: [&str; 6] =
    ["context", "request", "challenge", "idempotencyKey", "candidate", "maxAmount"];
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// A request to pay for a request.
#[derive(Clone, Debug)]
pub struct PaymentRequest {
    /// Name of the organization.
    pub organization: String,
    /// Name of the agent.
    pub agent: String,
    /// HTTP method.
    pub method: String,
    /// The merchant's URL.
    pub url: String,
    /// The URL that names the purchase, where that redirected to the merchant's.
    pub asked_url: Option<String>,
    /// Header fields for the merchant.
    pub headers: Vec<(String, String)>,
    /// Body for the merchant.
    pub body: Option<String>,
    /// `x402` or `l402`.
    pub protocol: String,
    /// Header fields of the merchant's challenge.
    pub challenge_headers: Vec<(String, String)>,
    /// The body of the merchant's challenge, as text.
    pub challenge_body: String,
    /// The client's key.
    pub key: Option<String>,
    /// Digest of the offer that may be paid.
    pub candidate: Option<String>,
    /// Most that may be paid, in whole tokens.
    pub max_amount: Option<String>,
}

impl PaymentRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// The answer that says what is wrong with it.
    pub fn read(body: &str) -> Result<Self, Reply> {
        let value = parse(body)?;
        let mut issues = Issues(Vec::new());
        let context = issues.object(&value, "context");
        let request = issues.object(&value, "request");
        let challenge = issues.object(&value, "challenge");
        let name = |issues: &mut Issues, name: &str| {
            let text = issues.text("context", context.as_ref(), name).unwrap_or_default();
            let text = text.trim().to_string();
            if context.is_some() && !is_name(&text) {
                issues.add("context", "Invalid");
            }
            text
        };
        let organization = name(&mut issues, "organization");
        let agent = name(&mut issues, "agent");
        issues.length("context", context.as_ref(), "description", 1..=200);
        issues.kind("context", context.as_ref(), "metadata", Value::is_object, "Expected object");
        let url = issues.text("request", request.as_ref(), "url").unwrap_or_default();
        if request.is_some() && !is_url(&url) {
            issues.add("request", "Invalid url");
        }
        let method = issues.text("request", request.as_ref(), "method").unwrap_or_default();
        if request.is_some() && !METHODS.contains(&method.as_str()) {
            issues.add("request", "Invalid enum value");
        }
        issues.length("request", request.as_ref(), "askedUrl", 1..=MAX_URL);
        let headers = issues.record("request", request.as_ref(), MAX_SENT_BYTES);
        issues.length("request", request.as_ref(), "body", 0..=MAX_BYTES);
        issues.length("request", request.as_ref(), "bodyHash", 1..=128);
        let protocol = issues.text("challenge", challenge.as_ref(), "protocol").unwrap_or_default();
        if challenge.is_some() && !matches!(protocol.as_str(), "x402" | "l402") {
            issues.add("challenge", "Invalid enum value. Expected 'x402' | 'l402'");
        }
        let challenge_headers = issues.record("challenge", challenge.as_ref(), MAX_CHALLENGE_BYTES);
        issues.length("idempotencyKey", Some(&value), "idempotencyKey", 1..=128);
        issues.length("candidate", Some(&value), "candidate", 1..=128);
        issues.length("maxAmount", Some(&value), "maxAmount", 1..=100);
        let unknown = unknown_in(&value);
        let form: Vec<&str> = unknown.iter().map(String::as_str).collect();
        if !issues.0.is_empty() || !form.is_empty() {
            return Err(refused::invalid(&form, &issues.0));
        }
        let request = request.unwrap_or_default();
        let body = body_to_send(&request, &method)?;
        let challenge_body = match challenge.as_ref().and_then(|it| it.get("body")) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => unwrap_terms(value).to_string(),
        };
        Ok(Self {
            organization,
            agent,
            method,
            url,
            asked_url: text_of(&request, "askedUrl"),
            headers,
            body,
            protocol,
            challenge_headers,
            challenge_body,
            key: text_of(&value, "idempotencyKey"),
            candidate: text_of(&value, "candidate"),
            max_amount: text_of(&value, "maxAmount"),
        })
    }

    /// Hash of method, URL and body: another one is another request, wherever a merchant redirects
    /// it today.
    #[must_use]
    pub fn digest(&self) -> String {
        let body = self.body.as_deref().unwrap_or_default();
        let asked = self.asked_url.as_ref();
        hash::digest(&[
            b"farebox paid request",
            self.method.as_bytes(),
            asked.unwrap_or(&self.url).as_bytes(),
            body.as_bytes(),
        ])
    }
}

/// The members of a body.
fn parse(body: &str) -> Result<Map<String, Value>, Reply> {
    if body.len() > MAX_BYTES {
        return Err(refused::too_large());
    }
    match farebox_base::encoding::json::parse_with(body.as_bytes(), MAX_BYTES) {
        Ok(Value::Object(value)) => Ok(value),
        Ok(_) => Err(refused::invalid(&["Expected object"], &[])),
        Err(_) => Err(refused::invalid(&["Invalid JSON"], &[])),
    }
}

/// The body that the merchant is sent, if it is what its hash says.
fn body_to_send(request: &Map<String, Value>, method: &str) -> Result<Option<String>, Reply> {
    let body = text_of(request, "body");
    let is_bare = matches!(method, "GET" | "HEAD");
    // The platform sends none of them, so that it would be signed and never sent.
    let body = body.filter(|body| !is_bare || !body.is_empty());
    if is_bare && body.is_some() {
        let message = "A GET or HEAD request has no body";
        return Err(refused::invalid(&[], &[("request", message)]));
    }
    let written = text_of(request, "bodyHash");
    let hash = sha256(body.as_deref().unwrap_or_default());
    if written.is_some_and(|written| !written.eq_ignore_ascii_case(&hash)) {
        let message = "bodyHash is not the SHA-256 of the body";
        return Err(refused::invalid(&[], &[("request", message)]));
    }
    Ok(body)
}

fn text_of(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(ToString::to_string)
}

/// The errors for members that no body has.
fn unknown_in(value: &Map<String, Value>) -> Vec<String> {
    let unknown = value.keys().filter(|name| !MEMBERS.contains(&name.as_str())).take(MAX_TOLD);
    let shown = |name: &String| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).take(24).collect()
    };
    unknown.map(|name| format!("Unrecognized key in object: '{}'", shown(name))).collect()
}

/// The terms inside of a wrapper.
fn unwrap_terms(value: &Value) -> &Value {
    value.get("challenge").filter(|inner| inner.is_object()).unwrap_or(value)
}

/// Whether text is an absolute URL with a host, as far as its schema asks.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    is_scheme && rest.len() > 2 && rest.starts_with("//") && text.len() <= MAX_URL
}

struct Issues<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Issues<'a> {
    fn add(&mut self, field: &'a str, message: &'a str) {
        if !self.0.contains(&(field, message)) {
            self.0.push((field, message));
        }
    }

    fn object(&mut self, value: &Map<String, Value>, name: &'a str) -> Option<Map<String, Value>> {
        match value.get(name) {
            Some(Value::Object(object)) => Some(object.clone()),
            Some(_) => {
                self.add(name, "Expected object");
                None
            }
            None => {
                self.add(name, "Required");
                None
            }
        }
    }

    fn text(
        &mut self,
        field: &'a str,
        object: Option<&Map<String, Value>>,
        name: &str,
    ) -> Option<String> {
        match object?.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.add(field, "Expected string");
                None
            }
            None => {
                self.add(field, "Required");
                None
            }
        }
    }

    /// An optional text of bounded length.
    fn length(
        &mut self,
        field: &'a str,
        object: Option<&Map<String, Value>>,
        name: &str,
        range: core::ops::RangeInclusive<usize>,
    ) {
        match object.and_then(|object| object.get(name)) {
            None => {}
            Some(Value::String(text)) if range.contains(&text.encode_utf16().count()) => {}
            Some(Value::String(text)) if text.is_empty() => {
                self.add(field, "String must contain at least 1 character(s)");
            }
            Some(Value::String(_)) => self.add(field, "String must contain fewer characters"),
            Some(_) => self.add(field, "Expected string"),
        }
    }

    fn kind(
        &mut self,
        field: &'a str,
        object: Option<&Map<String, Value>>,
        name: &str,
        is_it: fn(&Value) -> bool,
        message: &'a str,
    ) {
        if object.and_then(|object| object.get(name)).is_some_and(|value| !is_it(value)) {
            self.add(field, message);
        }
    }

    /// Header fields: an optional object of texts, with at most so many bytes together.
    fn record(
        &mut self,
        field: &'a str,
        object: Option<&Map<String, Value>>,
        max: usize,
    ) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let mut room = Some(max);
        match object.and_then(|object| object.get("headers")) {
            None => {}
            Some(Value::Object(headers)) if headers.len() > MAX_FIELDS => {
                self.add(field, "Too many headers");
            }
            Some(Value::Object(headers)) => {
                for (name, value) in headers {
                    let Value::String(value) = value else {
                        self.add(field, "Expected string");
                        continue;
                    };
                    room = room
                        .and_then(|room| room.checked_sub(name.len())?.checked_sub(value.len()));
                    fields.push((name.clone(), value.clone()));
                }
                if room.is_none() {
                    self.add(field, "Headers are too long");
                }
            }
            Some(_) => self.add(field, "Expected object"),
        }
        fields
    }
}
