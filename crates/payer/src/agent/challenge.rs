//! The terms of a challenge, as they are shown: read from its header, or else from its body.

use alloc::string::String;
use alloc::vec::Vec;

use super::detect::{MAX_BODY, PAYMENT_REQUIRED, Protocol, Scheme, schemes};
use super::json::{Json, is_whole};
use super::text::{MAX_TEXT, bounded};
use farebox_base::encoding::base64;
use farebox_base::http::Headers;

/// Maximum ways to pay that are shown.
const MAX_ACCEPTS: usize = 64;

/// A challenge in its protocol's words.
#[derive(Clone, Debug)]
pub struct RawChallenge {
    /// Which words.
    pub protocol: Protocol,
    /// The header fields of the answer.
    pub headers: Headers,
    /// The terms, without what wraps them; null if there are none.
    pub payload: Json,
}

impl RawChallenge {
    /// Reads header and body; terms that cannot be read are none.
    #[must_use]
    pub fn new(protocol: Protocol, headers: Headers, body: &Json) -> Self {
        let of_header = headers.get(PAYMENT_REQUIRED).and_then(decoded);
        let payload = of_header.as_ref().unwrap_or(body);
        let payload = payload.object_of("challenge").unwrap_or(payload).clone();
        Self { protocol, headers, payload }
    }

    /// The ways to pay that are objects.
    pub fn accepts(&self) -> impl Iterator<Item = &Json> {
        let all = self.payload.get("accepts").map(Json::elements).unwrap_or_default();
        all.iter().filter(|entry| entry.is_object()).take(MAX_ACCEPTS)
    }

    /// The parameters of the protocol's scheme in `WWW-Authenticate`.
    #[must_use]
    pub fn scheme(&self) -> Option<Scheme> {
        let value = self.headers.joined("www-authenticate")?;
        let mine = |scheme: &Scheme| scheme.name.eq_ignore_ascii_case(self.protocol.name());
        schemes(&value).into_iter().find(mine)
    }

    /// The merchant's published details, as far as they have a known form; texts are bounded.
    /// `None` for other protocols than x402.
    #[must_use]
    pub fn details(&self) -> Option<Json> {
        if self.protocol != Protocol::X402 || !self.payload.is_object() {
            return None;
        }
        let resource = self.payload.object_of("resource").and_then(|resource| {
            let url = resource.text_of("url").filter(|url| !url.is_empty())?;
            Some(Json::object([
                ("url", Some(bounded(url, MAX_URL).into())),
                ("description", said(resource, "description")),
                ("mimeType", said(resource, "mimeType")),
            ]))
        });
        Some(Json::object([
            ("x402Version", counted(&self.payload, "x402Version")),
            ("error", said(&self.payload, "error")),
            ("resource", resource),
            ("accepts", Some(Json::List(self.accepts().map(accept).collect()))),
            ("extensions", self.payload.object_of("extensions").map(inert)),
        ]))
    }
}

/// Base64 of JSON, or JSON.
fn decoded(value: &str) -> Option<Json> {
    let bytes = base64::decode(value).or_else(|_| base64::decode_url(value));
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let of_bytes = text.and_then(|text| Json::read(&text, MAX_BODY));
    of_bytes.or_else(|| Json::read(value, MAX_BODY))
}

/// The members of one way to pay that have a known form.
fn accept(entry: &Json) -> Json {
    let text = |name| (name, said(entry, name));
    let secs = counted(entry, "maxTimeoutSeconds").filter(is_positive);
    Json::object([
        text("scheme"),
        text("network"),
        text("amount"),
        text("maxAmountRequired"),
        text("asset"),
        text("payTo"),
        ("maxTimeoutSeconds", secs),
        text("resource"),
        text("description"),
        text("mimeType"),
        ("outputSchema", entry.get("outputSchema").map(inert)),
        ("extra", entry.object_of("extra").map(inert)),
    ])
}

/// A text of the merchant that says something.
fn said(of: &Json, name: &str) -> Option<Json> {
    let text = bounded(of.text_of(name)?, MAX_TEXT);
    (!text.is_empty()).then(|| text.into())
}

/// The same value with all texts and names bounded.
fn inert(value: &Json) -> Json {
    match value {
        Json::Text(text) => bounded(text, MAX_TEXT).into(),
        Json::List(elements) => Json::List(elements.iter().map(inert).collect()),
        Json::Object(members) => {
            let members =
                members.iter().map(|(name, value)| (bounded(name, MAX_TEXT), inert(value)));
            Json::Object(members.collect::<Vec<_>>())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
    }
}

/// A whole number of a member, given as one or as digits.
fn counted(of: &Json, name: &str) -> Option<Json> {
    match of.get(name)? {
        number @ Json::Number(text) if is_whole(text) => Some(number.clone()),
        Json::Text(text) => text.parse().ok().map(Json::number),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_) => None,
    }
}

fn is_positive(number: &Json) -> bool {
    matches!(number, Json::Number(text) if !text.starts_with('-') && text != "0")
}

/// Maximum characters of a URL that is shown.
const MAX_URL: usize = 2_048;

/// A whole number of a member, given as one or as digits.
#[must_use]
pub fn whole(value: Option<&Json>) -> Option<usize> {
    match value? {
        Json::Number(text) | Json::Text(text) => text.parse().ok(),
        Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => None,
    }
}
