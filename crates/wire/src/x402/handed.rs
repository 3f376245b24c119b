//! The part of a payment that a facilitator receives, and that a ledger keeps to send it again: the
//! payment's own members and the extensions that a facilitator reads. Signed data stays exactly as
//! received; all other members are omitted.
//!
//! Spec: x402 v1 and v2, "PaymentPayload".

use alloc::string::String;

use serde::Serialize;
use serde_json::{Map, Value};

use super::exact::SCHEME;

/// Maximum URL of the resource to pass on, bytes.
const MAX_URL_BYTES: usize = 512;

/// A payment of version 1.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version1<'a> {
    x402_version: u64,
    scheme: &'static str,
    network: &'a str,
    payload: Map<String, Value>,
}

impl<'a> Version1<'a> {
    /// A payment on `network`, as named by the version.
    #[must_use]
    pub const fn new(network: &'a str, payload: Map<String, Value>) -> Self {
        Self { x402_version: 1, scheme: SCHEME, network, payload }
    }
}

/// A payment of version 2.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version2<'a, R> {
    x402_version: u64,
    payload: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<Resource<'a>>,
    accepted: &'a R,
}

impl<'a, R> Version2<'a, R> {
    /// A payment of these requirements of the gate, which the payer's copy matched.
    #[must_use]
    pub const fn new(accepted: &'a R, payload: Map<String, Value>) -> Self {
        Self { x402_version: 2, payload, extensions: None, resource: None, accepted }
    }

    /// Adds the resource, if its URL is not too long to pass on.
    #[must_use]
    pub fn of(self, url: Option<&'a str>, description: &'a str, mime_type: &'a str) -> Self {
        let url = url.filter(|url| url.len() <= MAX_URL_BYTES);
        Self { resource: url.map(|url| Resource { url, description, mime_type }), ..self }
    }

    /// Adds these extensions.
    #[must_use]
    pub fn extended(self, extensions: Option<Value>) -> Self {
        Self { extensions, ..self }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    url: &'a str,
    description: &'a str,
    mime_type: &'a str,
}

/// The settle request for this amount, from one for the greatest: the last member of such a request
/// is the gate's own requirements. A request for a fixed amount stays as it is.
#[must_use]
pub fn charging(request: &str, amount: Option<&str>) -> String {
    let found = request.rfind(UPTO_REQUIREMENTS).zip(amount).and_then(|(at, amount)| {
        let from = at.checked_add(request.get(at..)?.find(AMOUNT)?)?.checked_add(AMOUNT.len())?;
        let until = from.checked_add(request.get(from..)?.find('"')?)?;
        Some([request.get(..from)?, amount, request.get(until..)?].concat())
    });
    found.unwrap_or_else(|| String::from(request))
}

/// The amount that such a request settles; `None` for a fixed one.
#[must_use]
pub fn charged(request: &str) -> Option<&str> {
    let at = request.rfind(UPTO_REQUIREMENTS)?;
    let (_, rest) = request.get(at..)?.split_once(AMOUNT)?;
    rest.split('"').next()
}

const UPTO_REQUIREMENTS: &str = r#","paymentRequirements":{"scheme":"upto","#;
const AMOUNT: &str = r#""amount":""#;

/// A URL short enough to pass on: without its query if it is too long, then without its path.
#[must_use]
pub fn short(url: &str) -> &str {
    if url.len() <= MAX_URL_BYTES {
        return url;
    }
    let plain = url.split('?').next().unwrap_or_default();
    if plain.len() <= MAX_URL_BYTES {
        return plain;
    }
    let authority = url.find("://").and_then(|at| at.checked_add(3)).unwrap_or_default();
    let path = url.get(authority..).and_then(|rest| rest.find('/')).unwrap_or_default();
    url.get(..authority.saturating_add(path)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_url_that_is_too_long_loses_its_query_then_its_path() {
        let long = "x".repeat(MAX_URL_BYTES);
        assert_eq!(short("https://a.example/b?c"), "https://a.example/b?c");
        assert_eq!(short(&format!("https://a.example/b?{long}")), "https://a.example/b");
        assert_eq!(short(&format!("https://a.example/{long}?c")), "https://a.example");
        assert_eq!(short(&long.repeat(2)), "");
    }
}
