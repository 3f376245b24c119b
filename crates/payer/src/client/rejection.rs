//! A seller's refusal: the reason beside the terms, otherwise the first of the usual members that
//! has text, cleaned and short.
//!
//! It is for people. Decisions read only the stable codes of [`Problem`], and which of two errors a
//! refused payment is.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use serde_json::Value;

use super::challenge::{MAX_HEADER_BYTES, REQUIRED_HEADER};
use super::error::clean;
use farebox_base::encoding::json;
use farebox_base::http::Headers;
use farebox_wire::x402::header;

/// A seller's refusal; [`fmt::Display`] is its line: `❌ Seller rejected: <text> (code <code>, HTTP
/// <status>)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reason, in the seller's words.
    pub text: String,
    /// The seller's own code, if there is one.
    pub code: Option<String>,
    /// HTTP status.
    pub status: u16,
}

/// Members in which sellers give the reason, in order of preference. Spec: OKX agent payments,
/// "Seller error text extraction".
const MEMBERS: [&str; 6] = ["reason", "detail", "message", "msg", "error", "title"];
/// Suffixes of the reasons for an empty wallet. Spec: x402 v1 and v2, "Error Codes"; scheme `exact`
/// on EVM, reference facilitators.
const NO_FUNDS: [&str; 2] = ["insufficient_funds", "insufficient_balance"];
/// Suffix of the reasons for a missing allowance. Spec: x402 v2, schemes `exact` (Permit2), `upto` and
/// `batch-settlement` on EVM, reference facilitators.
const NO_ALLOWANCE: [&str; 1] = ["permit2_allowance_required"];
/// Maximum characters of a code.
const MAX_CODE: usize = 64;

impl Rejection {
    /// Reads the body of a refusal; a body without a usual member is quoted whole.
    ///
    /// # Examples
    /// ```
    /// use farebox_payer::client::rejection::Rejection;
    /// let said = Rejection::read(409, br#"{"msg": "sold out", "code": "E12"}"#);
    /// assert_eq!(said.to_string(), "❌ Seller rejected: sold out (code E12, HTTP 409)");
    /// assert_eq!(Rejection::read(502, b"<html>").code, None);
    /// ```
    #[must_use]
    pub fn read(status: u16, body: &[u8]) -> Self {
        let object = json::parse(body).unwrap_or_default();
        let whole = || match &object {
            Value::String(text) => clean(text),
            Value::Object(members) if members.is_empty() => String::new(),
            _ => clean(&String::from_utf8_lossy(body)),
        };
        let code = match object.get("code") {
            Some(Value::String(code)) => clean(code),
            Some(Value::Number(code)) => code.to_string(),
            _ => String::new(),
        };
        Self::of(status, &said(&object).unwrap_or_else(whole), &code)
    }

    /// Reads the refusal of a payment: the reason is in the header of its terms, in that of the
    /// settlement, `settled`, or in the body. Servers in Python leave the body empty.
    /// Spec: x402 v2, HTTP transport, `error` of `PaymentRequired`.
    #[must_use]
    pub fn of_payment(status: u16, headers: &Headers, settled: Option<&str>, body: &[u8]) -> Self {
        let beside = reason_beside_terms(headers);
        match (beside, settled) {
            (Some(text), _) => Self { text, ..Self::read(status, body) },
            (None, Some(text)) => Self::of(status, text, ""),
            (None, None) => Self::read(status, body),
        }
    }

    /// The reason with its code and status, without a verdict: an answer that may change is no refusal.
    #[must_use]
    pub fn said(&self) -> String {
        let code = self.code.as_ref().map(|code| format!("code {code}, ")).unwrap_or_default();
        format!("{} ({code}HTTP {})", self.text, self.status)
    }

    /// Whether the wallet lacks funds, by a reason that is a code.
    #[must_use]
    pub fn is_about_funds(&self) -> bool {
        self.has_code(&NO_FUNDS)
    }

    /// Whether Permit2 may not move the token, or not so much of it, by a reason that is a code.
    #[must_use]
    pub fn is_about_allowance(&self) -> bool {
        self.has_code(&NO_ALLOWANCE)
    }

    /// Whether a reason is a code that ends so.
    fn has_code(&self, ends: &[&str]) -> bool {
        let is_code = |text: &str| {
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        let texts = [Some(self.text.as_str()), self.code.as_deref()];
        let mut codes = texts.into_iter().flatten().filter(|text| is_code(text));
        codes.any(|text| ends.iter().any(|end| text.ends_with(end)))
    }

    /// A refusal with this text; an empty code counts as none.
    #[must_use]
    pub fn of(status: u16, text: &str, code: &str) -> Self {
        let text = clean(text);
        let text = if text.is_empty() { "no reason given".to_string() } else { text };
        let code: String = clean(code).chars().take(MAX_CODE).collect();
        Self { text, code: (!code.is_empty()).then_some(code), status }
    }
}

/// The reason beside the new terms, if it says more than that payment is required.
fn reason_beside_terms(headers: &Headers) -> Option<String> {
    let value = headers.joined(REQUIRED_HEADER)?;
    let message = header::decode_up_to(&value, MAX_HEADER_BYTES).ok()?;
    let text = clean(message.object.get("error")?.as_str()?);
    let says_nothing = text.is_empty()
        || text.eq_ignore_ascii_case("payment required")
        || text.ends_with("header is required");
    (!says_nothing).then_some(text)
}

/// The first text that is not empty, also one level inside a member that is an object.
fn said(object: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(clean).filter(|text| !text.is_empty());
    MEMBERS.iter().filter_map(|name| object.get(*name)).find_map(|value| {
        let inside = || MEMBERS.iter().filter_map(|name| value.get(*name)).find_map(text);
        text(value).or_else(inside)
    })
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "❌ Seller rejected: {}", self.said())
    }
}

/// A refusal in the form of RFC 9457, as far as it decides the next step.
#[derive(Debug, Default)]
pub struct Problem {
    /// Stable code, cleaned.
    pub code: String,
    /// Whether the same payment may be sent again, if the server says so.
    pub retryable: Option<bool>,
    /// Seconds to wait, if the server says so.
    pub retry_after: Option<u64>,
    /// Whether it comes from a gate that accepts redelivery statements.
    pub is_ours: bool,
}

impl Problem {
    /// Reads a refusal; a body of another kind has no code.
    #[must_use]
    pub fn read(headers: &Headers, body: &[u8]) -> Self {
        let object = json::parse(body).unwrap_or_default();
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            code: clean(text("code")),
            retryable: object.get("retryable").and_then(Value::as_bool),
            retry_after: headers.get("retry-after").and_then(|text| text.trim().parse().ok()),
            is_ours: text("type").starts_with("urn:farebox:problem:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_member_that_says_anything_is_told() {
        let cases = [
            (
                r#"{"reason":"","detail":"voucher exhausted","code":70015}"#,
                "❌ Seller rejected: voucher exhausted (code 70015, HTTP 402)",
            ),
            (r#"{"title":"Payment Required"}"#, "❌ Seller rejected: Payment Required (HTTP 402)"),
            (
                r#"{"title":"f","error":"e","msg":"d","message":"c","detail":"b","reason":"a"}"#,
                "❌ Seller rejected: a (HTTP 402)",
            ),
            (r#"{"title":"f","error":"e"}"#, "❌ Seller rejected: e (HTTP 402)"),
            (r#"{"title":"f","error":"e","msg":"d"}"#, "❌ Seller rejected: d (HTTP 402)"),
            (r#"{"error":"e","message":"c","msg":"d"}"#, "❌ Seller rejected: c (HTTP 402)"),
            (r#"{"message":"c","detail":"b"}"#, "❌ Seller rejected: b (HTTP 402)"),
            (r#"{"reason":7,"detail":" \u200b","msg":"d"}"#, "❌ Seller rejected: d (HTTP 402)"),
            (
                r#"{"error":{"code":-32042,"message":"pay"},"code":"x"}"#,
                "❌ Seller rejected: pay (code x, HTTP 402)",
            ),
            (r#""no more""#, "❌ Seller rejected: no more (HTTP 402)"),
            ("no more\r\nthan this", "❌ Seller rejected: no more  than this (HTTP 402)"),
            ("{}", "❌ Seller rejected: no reason given (HTTP 402)"),
            (r#"{"why":"because"}"#, r#"❌ Seller rejected: {"why":"because"} (HTTP 402)"#),
            ("", "❌ Seller rejected: no reason given (HTTP 402)"),
        ];
        for (body, line) in cases {
            assert_eq!(Rejection::read(402, body.as_bytes()).to_string(), line, "{body}");
        }
    }

    #[test]
    fn what_a_seller_says_is_cleaned_and_capped() {
        let long =
            alloc::format!(r#"{{"reason":"{}","code":"{}"}}"#, "x".repeat(999), "y".repeat(99));
        let said = Rejection::read(500, long.as_bytes());
        assert_eq!((said.text.len(), said.code.map(|code| code.len())), (256, Some(64)));
        let hidden = "{\"detail\":\"a\\u202eb\\u0007\",\"code\":\"\\u200b\"}";
        let said = Rejection::read(500, hidden.as_bytes());
        assert_eq!((said.text.as_str(), said.code), ("ab", None));
        assert_eq!(Rejection::read(500, &[0xff, b'a']).text, "\u{fffd}a");
    }
}
