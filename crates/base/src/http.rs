//! Heads of requests and responses, header grammar and size limits. Bodies are never handled here.
//! Spec: RFC 9110.

mod headers;
mod pieces;
pub mod query;
pub mod url;
mod weight;

use alloc::borrow::ToOwned;
use alloc::string::String;

pub use self::headers::trim;
pub use self::headers::{Headers, has_token};
pub use self::pieces::UrlPieces;
use self::weight::quality;
pub use self::weight::thousandths;
use crate::encoding::hex;

/// Maximum size of a proof header, bytes.
pub const MAX_PROOF_BYTES: usize = 16 * 1024;
/// Maximum header fields of a request.
pub const MAX_FIELDS: usize = 256;
/// Maximum size of all header fields of a request, bytes.
pub const MAX_FIELDS_BYTES: usize = 64 * 1024;
/// Maximum commas in the fields of a request that are read as lists.
const MAX_COMMAS: usize = 256;
/// Characters that are sent on by their number: of a path, and of a query.
const IN_PATH: &str = "\"<>^`{}";
const IN_QUERY: &str = "\"'<>";
/// Fields that are read as lists, lower case.
const LISTS: [&str; 5] =
    ["accept", "accept-payment", "authorization", "connection", "payment-authorization"];
/// Maximum target of a priced route, bytes.
pub const MAX_PAID_TARGET_BYTES: usize = 2 * 1024;
/// Maximum size of the headers of a 402, bytes; Node clients fail at twice this.
pub const MAX_CHALLENGE_BYTES: usize = 8 * 1024;

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
    /// use farebox_base::http::{BodyPresence, RequestHead};
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

    /// Path and query as the client sent them.
    #[must_use]
    pub fn target(&self) -> &str {
        UrlPieces::of(&self.url).and_then(|url| url.target()).unwrap_or("/")
    }

    /// Path and query as they are sent on: an engine's `fetch` writes some characters by their
    /// number, and what is signed must be what is sent. Spec: URL, 1.3, path and query percent-encode
    /// sets.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::http::RequestHead;
    /// let head = RequestHead::from_text("GET\nhttps://a.example/^a?b='c'\n\n").unwrap();
    /// assert_eq!(head.sent_target(), "/%5Ea?b=%27c%27");
    /// ```
    #[must_use]
    pub fn sent_target(&self) -> String {
        let mut sent = String::new();
        let mut numbered = IN_PATH;
        for letter in self.target().chars() {
            if letter == '?' {
                numbered = IN_QUERY;
            }
            match u8::try_from(letter) {
                Ok(byte) if numbered.contains(letter) => {
                    sent.push('%');
                    sent.push_str(&hex::encode(&[byte]).to_ascii_uppercase());
                }
                _ => sent.push(letter),
            }
        }
        sent
    }

    /// Whether there are more fields, more bytes of them or longer lists in them than any client
    /// needs: to read them all would cost too much.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::http::RequestHead;
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
    /// use farebox_base::http::ResponseHead;
    /// let head = ResponseHead::from_text("200\ncontent-length: 12").unwrap();
    /// assert_eq!((head.status, head.content_length()), (200, Some(12)));
    /// assert_eq!(ResponseHead::from_text("200\ncontent-length: +12").unwrap().content_length(), None);
    /// assert_eq!(ResponseHead::from_text("100\n"), None);
    /// ```
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let status =
            lines.next()?.parse().ok().filter(|status| matches!(status, 101 | 200..=599))?;
        Some(Self { status, headers: Headers::from_lines(lines) })
    }

    /// The form that [`Self::from_text`] reads.
    #[must_use]
    pub fn to_text(&self) -> String {
        alloc::format!("{}\n{}", self.status, self.headers.to_lines())
    }

    /// The value of `Content-Length`, if it is one number.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        let text = self.headers.get("content-length")?;
        // A sign before it is no number of the grammar. Spec: RFC 9110 8.6.
        text.parse().ok().filter(|_| !text.starts_with('+'))
    }
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
