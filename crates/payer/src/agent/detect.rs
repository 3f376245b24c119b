//! Finds out whether an answer asks for a payment, and in which protocol's words.
//!
//! Only a 402 asks. Terms that we could pay come first: the header of x402, and charges of MPP. The
//! compatibility forms are a header that names the protocol, a `WWW-Authenticate` scheme of its
//! name, and JSON bodies. Last come all other challenges of MPP.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json::Json;
use farebox_base::http::Headers;
use farebox_base::text::cut;
use farebox_wire::mpp::SCHEME;
use farebox_wire::mpp::charge::METHOD;

/// Header of x402 version 2.
pub const PAYMENT_REQUIRED: &str = "payment-required";
/// Header that names a protocol.
pub const PROTOCOL: &str = "x-payment-protocol";
/// Maximum size of a body that is searched, bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// The protocol of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// x402, any version.
    X402,
    /// L402, once called LSAT.
    L402,
}

impl Protocol {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X402 => "x402",
            Self::L402 => "l402",
        }
    }

    /// The protocol of this name, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::X402, Self::L402].into_iter().find(|it| text.eq_ignore_ascii_case(it.name()))
    }
}

/// The protocol in which an answer asks for a payment; `None` if it asks for none.
///
/// # Examples
/// ```
/// use farebox_base::http::Headers;
/// use farebox_payer::agent::detect::{Protocol, detect};
/// let asks = Headers::from_lines(["www-authenticate: Basic realm=\"a\", X402 amount=\"1\""].into_iter());
/// assert_eq!(detect(402, &asks, ""), Some(Protocol::X402));
/// assert_eq!(detect(200, &asks, ""), None);
/// ```
#[must_use]
pub fn detect(status: u16, headers: &Headers, body: &str) -> Option<Protocol> {
    if status != 402 {
        return None;
    }
    let asked = schemes(&headers.joined("www-authenticate").unwrap_or_default());
    let mut charges = asked.iter().filter(|it| it.is_of_mpp());
    let is_payable = charges.clone().any(|it| it.param("method") == Some(METHOD));
    if headers.filled(PAYMENT_REQUIRED).is_some() || is_payable {
        return Some(Protocol::X402);
    }
    let named = headers.get(PROTOCOL).and_then(Protocol::parse);
    let scheme = || asked.iter().find_map(|scheme| Protocol::parse(&scheme.name));
    let named = named.or_else(scheme).or_else(|| of_body(headers, body));
    // Terms of MPP alone are told under the name of x402: the contract has no other word for them.
    named.or_else(|| charges.next().map(|_| Protocol::X402))
}

fn of_body(headers: &Headers, body: &str) -> Option<Protocol> {
    let kind = headers.get("content-type").unwrap_or_default().to_ascii_lowercase();
    cut(&kind, "application/json")?;
    let body = Json::read(body, MAX_BODY)?;
    let of = |value: &Json| match value.get("x402Version") {
        Some(_) => Some(Protocol::X402),
        None => value.text_of("protocol").and_then(Protocol::parse),
    };
    let wrapped = body.get("challenge").filter(|it| matches!(it, Json::Object(_) | Json::List(_)));
    of(wrapped.unwrap_or(&body))
}

/// One challenge of `WWW-Authenticate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// As it was written.
    pub name: String,
    /// Names in lower case, and values.
    pub params: Vec<(String, String)>,
}

impl Scheme {
    /// Whether it has terms of MPP.
    fn is_of_mpp(&self) -> bool {
        self.name.eq_ignore_ascii_case(SCHEME) && self.param("request").is_some()
    }

    /// The value of a parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The challenges of a `WWW-Authenticate` value; what cannot be read is skipped. Spec: RFC 9110,
/// 11.6.1.
#[must_use]
pub fn schemes(value: &str) -> Vec<Scheme> {
    let mut found: Vec<Scheme> = Vec::new();
    for item in items(value) {
        let word_end = item.find([' ', '\t', '=', '"']).unwrap_or(item.len());
        let (word, rest) = item.split_at_checked(word_end).unwrap_or((item, ""));
        let rest = rest.trim_start();
        // A word that is no name of a parameter begins a challenge.
        let param = match rest.strip_prefix('=') {
            Some(value) => Some((word, value)),
            None if word.is_empty() => None,
            None => {
                found.push(Scheme { name: word.to_string(), params: Vec::new() });
                rest.split_once('=').map(|(name, value)| (name.trim(), value))
            }
        };
        if let (Some(scheme), Some((name, value))) = (found.last_mut(), param) {
            scheme.params.push((name.to_ascii_lowercase(), unquoted(value.trim())));
        }
    }
    found
}

/// Splits at commas outside of quotes.
fn items(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    let split = value.split(move |c: char| {
        let was_escaped = escaped;
        escaped = quoted && !escaped && c == '\\';
        if c == '"' && !was_escaped {
            quoted = !quoted;
        }
        c == ',' && !quoted
    });
    split.map(str::trim).filter(|item| !item.is_empty())
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_string() };
    let mut text = String::new();
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => break,
            _ => {
                text.push(c);
                escaped = false;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(lines: &[&str]) -> Headers {
        Headers::from_lines(lines.iter().copied())
    }

    const L402: &str = "www-authenticate: L402 macaroon=\"a\", invoice=\"b\"";

    fn charge(method: &str) -> String {
        alloc::format!(
            "www-authenticate: Payment id=\"a\", realm=\"m\", method=\"{method}\", \
             intent=\"charge\", request=\"e30\""
        )
    }

    #[test]
    fn each_form_of_a_402_is_found_and_nothing_else_is() {
        let json = "content-type: application/json; charset=utf-8";
        let cases: &[(&[&str], &str, Option<Protocol>)] = &[
            (&["payment-required: e30="], "", Some(Protocol::X402)),
            (&["payment-required: e30=", "x-payment-protocol: l402"], "", Some(Protocol::X402)),
            (&["X-Payment-Protocol: X402"], "", Some(Protocol::X402)),
            (&["x-payment-protocol: L402"], "", Some(Protocol::L402)),
            (&["x-payment-protocol: other"], "", None),
            (
                &["www-authenticate: x402 amount=\"1.250000\", asset=\"0x1\""],
                "",
                Some(Protocol::X402),
            ),
            (&["www-authenticate: Basic realm=\"x402\", L402"], "", Some(Protocol::L402)),
            (&["www-authenticate: Basic realm=\"pay, x402 now\""], "", None),
            (&["www-authenticate: Bearer x402=\"1\""], "", None),
            (&[json], r#"{"x402Version":1}"#, Some(Protocol::X402)),
            (&[json], r#"{"challenge":{"x402Version":1}}"#, Some(Protocol::X402)),
            (&[json], r#"{"challenge":{"protocol":"l402"}}"#, Some(Protocol::L402)),
            (&[json], r#"{"protocol":"L402"}"#, Some(Protocol::L402)),
            (&[json], r#"{"protocol":402}"#, None),
            (&[json], r#"{"protocol":" x402"}"#, None),
            (&[json], r#"{"x402Version":1,"challenge":{}}"#, None),
            (&["payment-required:"], "", None),
            (&[json], "{", None),
            (&["content-type: text/plain"], r#"{"x402Version":1}"#, None),
            (&["www-authenticate: Payment id=\"a\", request=\"e30\""], "", Some(Protocol::X402)),
            (&["www-authenticate: Payment"], "", None),
            (&["www-authenticate: L402, Payment request=\"e30\""], "", Some(Protocol::L402)),
            (&[L402, &charge("evm")], "", Some(Protocol::X402)),
            (&["x-payment-protocol: l402", &charge("evm")], "", Some(Protocol::X402)),
            (&[L402, &charge("lightning")], "", Some(Protocol::L402)),
            (&[], "", None),
        ];
        for (lines, body, expected) in cases {
            assert_eq!(detect(402, &heads(lines), body), *expected, "{lines:?} {body}");
            for status in [200, 401, 403, 500] {
                assert_eq!(detect(status, &heads(lines), body), None, "{status} {lines:?}");
            }
        }
    }

    #[test]
    fn parameters_belong_to_the_scheme_before_them() {
        let read = schemes(r#"Basic realm="a,b", X402 Amount="1\"0", asset=0xab , payee="m""#);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].param("realm"), Some("a,b"));
        assert_eq!((read[1].name.as_str(), read[1].param("amount")), ("X402", Some("1\"0")));
        assert_eq!((read[1].param("asset"), read[1].param("payee")), (Some("0xab"), Some("m")));
        for broken in ["", ",", "=", "=\"", "\"", "a=b", "x402 \"", "x402 =", "\\", ",,\",\\"] {
            let _ = schemes(broken);
        }
    }
}
