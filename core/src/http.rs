//! Heads of requests and responses, header grammar and size limits. Bodies are never handled here.
//! Spec: RFC 9110.

mod pieces;
pub mod url;

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;

pub use self::pieces::UrlPieces;
use crate::mutant::{Mutant, planted};

/// Maximum size of a proof header, bytes.
pub const MAX_PROOF_BYTES: usize = 16 * 1024;
/// Maximum header fields of a request.
pub const MAX_FIELDS: usize = 256;
/// Maximum size of all header fields of a request, bytes.
pub const MAX_FIELDS_BYTES: usize = 64 * 1024;
/// Maximum commas in the fields of a request that are read as lists.
const MAX_COMMAS: usize = 256;
/// Fields that are read as lists, lower case.
const LISTS: [&str; 5] =
    ["accept", "accept-payment", "authorization", "connection", "payment-authorization"];
/// Maximum target of a priced route, bytes.
pub const MAX_PAID_TARGET_BYTES: usize = 2 * 1024;
/// Maximum size of the headers of a 402, bytes; Node clients fail at twice this.
pub const MAX_CHALLENGE_BYTES: usize = 8 * 1024;

/// Header fields in order; names are lower case, values without outer white space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of the first field with this lower-case name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// As [`Headers::get`], but an empty value counts as absent.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The values of every row of this lower-case name, joined by commas as the platform does;
    /// `None` if there is no row, or only an empty one. Spec: RFC 9110 5.3.
    ///
    /// # Examples
    /// ```
    /// use farebox_core::http::Headers;
    /// let lines = "Accept: text/html\naccept: */*\nno field\nx-empty:";
    /// let headers = Headers::from_lines(lines.lines());
    /// assert_eq!(headers.joined("accept").as_deref(), Some("text/html, */*"));
    /// assert_eq!(headers.get("accept"), Some("text/html"));
    /// assert_eq!(headers.joined("x-empty"), None);
    /// ```
    #[must_use]
    pub fn joined(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut rows = self.rows(name);
        let first = rows.next()?;
        let mut list = Cow::Borrowed(first);
        for row in rows {
            list.to_mut().push_str(", ");
            list.to_mut().push_str(row);
        }
        Some(list).filter(|list| !list.is_empty())
    }

    /// The value of each row of this lower-case name, in order.
    pub fn rows<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Bytes of the block on the wire: each field with its colon, space and line end.
    ///
    /// # Examples
    /// ```
    /// use farebox_core::http::Headers;
    /// let mut headers = Headers::new();
    /// headers.add("Retry-After", " 5 ");
    /// assert_eq!(headers.to_lines(), "retry-after: 5\n");
    /// assert_eq!(headers.block_bytes(), "retry-after: 5\r\n".len());
    /// ```
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        self.0.iter().fold(0, |bytes, (name, value)| {
            bytes.saturating_add(name.len()).saturating_add(value.len()).saturating_add(4)
        })
    }

    /// Adds a field; the name is folded to lower case.
    pub fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_ascii_lowercase(), trim(value).to_owned()));
    }

    /// Replaces every field of this lower-case name by one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    /// Removes every field of this lower-case name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(field, _)| field != name);
    }

    /// Keeps the fields for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// Name and value of each field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// One `name: value` line per field, the form in which the edges exchange heads.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.iter() {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push('\n');
        }
        text
    }

    /// Reads `name: value` lines; a line without a colon is skipped.
    #[must_use]
    pub fn from_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut headers = Self::new();
        for line in lines {
            if let Some((name, value)) = line.split_once(':') {
                headers.add(name, value);
            }
        }
        headers
    }
}

/// Strips the optional white space of a field value. Spec: RFC 9110 5.6.3.
pub(crate) fn trim(value: &str) -> &str {
    value.trim_matches([' ', '\t'])
}

/// The parts of a request that the gate reads.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// Method, as sent.
    pub method: String,
    /// The absolute URL as reported by the platform.
    pub url: String,
    /// Header fields.
    pub headers: Headers,
    /// Whether a body comes with the request.
    pub body: BodyPresence,
    /// A random name that the edge assigns to this request; empty until it is admitted.
    pub fresh: String,
}

/// Whether a request has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPresence {
    /// No body.
    Absent,
    /// A body; its length may be unknown.
    Present,
}

impl RequestHead {
    /// Reads the edges' form: method, URL, `body` or an empty line, then one line per field.
    ///
    /// # Examples
    /// ```
    /// use farebox_core::http::{BodyPresence, RequestHead};
    /// let head = RequestHead::from_text("GET\nhttps://a.example:8443/x?y=1\n\naccept: */*").unwrap();
    /// assert_eq!((head.host(), head.target()), ("a.example", "/x?y=1"));
    /// assert_eq!((head.body, head.headers.get("accept")), (BodyPresence::Absent, Some("*/*")));
    /// assert!(RequestHead::from_text("GET\nhttps://a.example/").is_none());
    /// ```
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let method = lines.next()?.to_owned();
        let url = lines.next()?.to_owned();
        let body =
            if lines.next()?.is_empty() { BodyPresence::Absent } else { BodyPresence::Present };
        Some(Self { method, url, headers: Headers::from_lines(lines), body, fresh: String::new() })
    }

    /// The authority of the URL (host and port).
    #[must_use]
    pub fn authority(&self) -> &str {
        UrlPieces::of(&self.url).map_or("", |url| url.authority)
    }

    /// The host of the URL, without a port.
    #[must_use]
    pub fn host(&self) -> &str {
        UrlPieces::of(&self.url).map_or("", |url| url.host())
    }

    /// Path and query as they will be forwarded.
    #[must_use]
    pub fn target(&self) -> &str {
        UrlPieces::of(&self.url).and_then(|url| url.target()).unwrap_or("/")
    }

    /// Whether there are more fields, more bytes of them or longer lists in them than any client
    /// needs: to read them all would cost too much.
    ///
    /// # Examples
    /// ```
    /// use farebox_core::http::RequestHead;
    /// let head = |accept: &str| {
    ///     RequestHead::from_text(&format!("GET\nhttps://a.example/\n\naccept: {accept}")).unwrap()
    /// };
    /// assert!(!head("text/html, */*;q=0.5").is_too_large());
    /// assert!(head(&"a/b,".repeat(300)).is_too_large());
    /// ```
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        let commas = |name: &&str| {
            let bytes = self.headers.rows(name).flat_map(str::bytes);
            bytes.filter(|byte| *byte == b',').count()
        };
        self.headers.0.len() > MAX_FIELDS
            || self.headers.block_bytes() > MAX_FIELDS_BYTES
            || LISTS.iter().any(|name| commas(name) > MAX_COMMAS)
    }

    /// Whether the client is a browser that prefers HTML to JSON.
    #[must_use]
    pub fn prefers_html(&self) -> bool {
        let browser = self.headers.get("user-agent").is_some_and(|agent| agent.contains("Mozilla"));
        let Some(accept) = self.headers.get("accept").filter(|_| browser) else {
            return false;
        };
        let html = quality(accept, "text", "html");
        html > 0 && html > quality(accept, "application", "json")
    }
}

/// The weight of a media type in thousandths, by its most specific range. Spec: RFC 9110 12.5.1.
fn quality(accept: &str, kind: &str, subtype: &str) -> u16 {
    let mut best = (0_u8, 0_u16);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(trim);
        let Some((a, b)) = parts.next().and_then(|media| media.split_once('/')) else {
            continue;
        };
        let specificity = if a.eq_ignore_ascii_case(kind) && b.eq_ignore_ascii_case(subtype) {
            3
        } else if a.eq_ignore_ascii_case(kind) && b == "*" {
            2
        } else if a == "*" && b == "*" {
            1
        } else {
            continue;
        };
        if specificity > best.0 {
            let weight = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
            best = (specificity, weight.map_or(1000, |weight| thousandths(weight).unwrap_or(0)));
        }
    }
    best.1
}

/// Parses a weight from `0` to `1` with at most three digits after the point, in thousandths. Spec:
/// RFC 9110 12.4.2.
#[must_use]
pub(crate) fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let padded = fraction.bytes().chain(core::iter::repeat(b'0')).take(3);
    let parts = padded
        .fold(0_u16, |sum, digit| sum.saturating_mul(10).saturating_add((digit & 0x0f).into()));
    match (whole, parts) {
        ("0", parts) => Some(parts),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// The parts of a response that the gate reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// Status code.
    pub status: u16,
    /// Header fields; `set-cookie` may repeat.
    pub headers: Headers,
}

impl ResponseHead {
    /// Reads the edges' form: status, then one line per field. `None` for a status that is not
    /// final. Spec: RFC 9110 15.
    ///
    /// # Examples
    /// ```
    /// use farebox_core::http::ResponseHead;
    /// let head = ResponseHead::from_text("200\ncontent-length: 12").unwrap();
    /// assert_eq!((head.status, head.content_length()), (200, Some(12)));
    /// assert_eq!(ResponseHead::from_text("100\n"), None);
    /// ```
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let status = lines.next()?.parse().ok().filter(|status| {
            matches!(status, 101 | 200..=599) || planted(Mutant::OddStatusPasses)
        })?;
        Some(Self { status, headers: Headers::from_lines(lines) })
    }

    /// The value of `Content-Length`, if it is one number.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.headers.get("content-length").and_then(|text| text.parse().ok())
    }
}

/// Whether a comma-separated field value has this token, without case.
///
/// # Examples
/// ```
/// use farebox_core::http::has_token;
/// assert!(has_token("no-cache, Private", "private"));
/// assert!(!has_token("private=\"set-cookie\"", "private"));
/// ```
#[must_use]
pub fn has_token(value: &str, token: &str) -> bool {
    value.split(',').any(|part| trim(part).eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> RequestHead {
        RequestHead::from_text(&alloc::format!("GET\nhttps://a.example/x?y=1\n\n{lines}")).unwrap()
    }

    #[test]
    fn html_is_for_browsers_that_rank_it_above_json() {
        let table = [
            ("accept: text/html,*/*;q=0.8\nuser-agent: Mozilla/5.0", true),
            ("accept: text/html\nuser-agent: curl/8", false),
            ("accept: */*\nuser-agent: Mozilla/5.0", false),
            ("accept: application/json, text/html;q=0.9\nuser-agent: Mozilla/5.0", false),
            ("accept: text/html;q=0.5, application/json;q=0.25\nuser-agent: Mozilla/5.0", true),
            ("accept: text/html;q=0, */*\nuser-agent: Mozilla/5.0", false),
            ("accept: text/html;q=2\nuser-agent: Mozilla/5.0", false),
            ("user-agent: Mozilla/5.0", false),
        ];
        for (lines, html) in table {
            assert_eq!(head(lines).prefers_html(), html, "{lines}");
        }
    }

    #[test]
    fn an_url_falls_into_authority_and_target() {
        assert_eq!(head("").authority(), "a.example");
        assert_eq!(head("").target(), "/x?y=1");
    }
}
