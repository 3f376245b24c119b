//! Answers of the gate: its own refusals, and the finishing of the origin's answers. Spec:
//! docs/answers.md, "By code"; docs/requests.md, "HTTP".

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::diagnose::Diagnosis;
use super::origin::Origin;
use farebox_base::http::{Headers, ResponseHead};
use farebox_common::problem::{self, Code};
use farebox_evm::known::SignedDigest;
use farebox_ledger::attempts::FailureCause;
use farebox_wire::mpp;
use farebox_wire::x402::extension::diagnostic::DiagnosticCode;

/// One answer to the client.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status and header fields.
    pub head: ResponseHead,
    /// Its body.
    pub body: Body,
    /// Code for the log.
    pub code: Option<Code>,
    /// Pattern of the priced route that was asked for, for the log.
    pub route: Option<String>,
    /// Facts for the edge to count.
    pub marks: Marks,
}

/// Facts about an answer that are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Code of the diagnosis that the payer got.
    pub diagnosed: Option<DiagnosticCode>,
    /// Whether the client has had the same answer many times: it needs no log line.
    pub repeats: bool,
    /// Whether a payment is served with it.
    pub served: bool,
    /// Failure to count for the client although the request came with a good signature, and the
    /// payer's account.
    pub failed: Option<(FailureCause, String)>,
    /// The signature that has paid for it, of one who is likely to sign again.
    pub signed: Option<Box<SignedDigest>>,
}

/// The body of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// No body.
    Empty,
    /// Text of the gate.
    Text(String),
    /// A body that the edge holds: the origin's, or the stored response.
    Held,
}

/// The kind of route a reply belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A priced route: pages of any site may read it.
    Paid,
    /// Anything else.
    Other,
}

/// Name of the header field with the id of a request, lower case.
pub const CORRELATION: &str = "x-correlation-id";

/// Headers that a page of another site may send to a priced route.
pub const ALLOWED_HEADERS: &str = "PAYMENT-SIGNATURE, X-PAYMENT, Authorization, Payment-Authorization, Accept-Payment, Idempotency-Key, Farebox-Redelivery, Farebox-Handle, SIGN-IN-WITH-X, Access-Control-Expose-Headers, Content-Type, Range, x-correlation-id";
/// Headers that a page of another site may read from a priced route.
pub const EXPOSED_HEADERS: &str = "PAYMENT-REQUIRED, PAYMENT-RESPONSE, X-PAYMENT-RESPONSE, WWW-Authenticate, Payment-Receipt, Payment-Replayed, Retry-After, x-correlation-id";

impl Reply {
    /// The refusal to ask for a payment for so many seconds, because it would be refused.
    pub(super) fn closed(correlation: &str, secs: u64) -> Self {
        Self::problem(Code::LedgerUnavailable, Audience::Paid, correlation, None)
            .with("retry-after", &secs.to_string())
    }

    /// An answer that is not a refusal.
    #[must_use]
    pub fn new(head: ResponseHead, body: Body) -> Self {
        Self { head, body, code: None, route: None, marks: Marks::default() }
    }

    /// A text that no page of another site may read.
    pub(super) fn text(media_type: &str, text: String, correlation: &str) -> Self {
        let mut headers = own_headers(Audience::Other, correlation);
        headers.add("content-type", media_type);
        Self::new(ResponseHead { status: 200, headers }, Body::Text(text))
    }

    /// A refusal as a problem document.
    #[must_use]
    pub fn problem(
        code: Code,
        audience: Audience,
        correlation: &str,
        payment: Option<&str>,
    ) -> Self {
        let row = code.row();
        let mut headers = own_headers(audience, correlation);
        headers.add("content-type", "application/problem+json");
        if let Some(secs) = row.retry_after {
            headers.add("retry-after", &secs.to_string());
        }
        let body = problem::document(code, row.status, correlation, payment);
        Self {
            head: ResponseHead { status: row.status, headers },
            body: Body::Text(body),
            code: Some(code),
            route: None,
            marks: Marks::default(),
        }
    }

    /// The end of the request, in one word for the log.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self.code {
            _ if self.marks.served => "served",
            None => "free",
            Some(Code::PaymentRequired) => "terms",
            Some(Code::RefundDue) => "owed",
            Some(Code::SettlementUnknown) => "unknown",
            Some(_) => "refused",
        }
    }

    /// Adds the diagnosis for the payer's program.
    #[must_use]
    pub fn diagnosed(mut self, diagnosis: Option<&Diagnosis>) -> Self {
        let (Some(diagnosis), Body::Text(body)) = (diagnosis, &mut self.body) else { return self };
        if let Some(open) = body.strip_suffix('}') {
            *body = [open, &diagnosis.member(), "}"].concat();
            self.marks.diagnosed = diagnosis.code();
        }
        self
    }

    /// The same refusal under another status.
    #[must_use]
    pub fn with_status(mut self, status: u16, correlation: &str, payment: Option<&str>) -> Self {
        if let Some(code) = self.code {
            self.body = Body::Text(problem::document(code, status, correlation, payment));
        }
        self.head.status = status;
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.head.headers.set(&name.to_ascii_lowercase(), value);
        self
    }

    /// The answer to OPTIONS on a path with a priced route.
    #[must_use]
    pub fn options(allow: &str, correlation: &str) -> Self {
        let mut headers = own_headers(Audience::Paid, correlation);
        headers.add("allow", allow);
        headers.add("access-control-allow-methods", allow);
        headers.add("access-control-allow-headers", ALLOWED_HEADERS);
        headers.add("access-control-max-age", "600");
        Self::new(ResponseHead { status: 204, headers }, Body::Empty)
    }
}

/// The fields of every answer that the gate writes itself.
#[must_use]
pub fn own_headers(audience: Audience, correlation: &str) -> Headers {
    let mut headers = Headers::new();
    headers.add("cache-control", "no-store");
    headers.add(CORRELATION, correlation);
    headers.add("x-content-type-options", "nosniff");
    if audience == Audience::Paid {
        headers.add("access-control-allow-origin", "*");
        headers.add("access-control-expose-headers", EXPOSED_HEADERS);
    }
    headers
}

/// Removes from an origin's answer what only the gate may send: receipts, challenges, rules for
/// shared caches, and absolute redirects that name the origin.
pub fn scrub(head: &mut ResponseHead, origin: &Origin) {
    head.headers.retain(|name, _| !is_ours(name));
    if let Some(value) = head.headers.get(CHALLENGES) {
        let rest = without_payment_challenges(value);
        if rest.is_empty() {
            head.headers.remove(CHALLENGES);
        } else {
            head.headers.set(CHALLENGES, &rest);
        }
    }
    let location = head.headers.get(LOCATION);
    if let Some(path) = origin.base().zip(location).and_then(|(base, to)| path_within(base, to)) {
        head.headers.set(LOCATION, &path);
    }
}

/// The path of a URL within the origin's; `None` for another one, and for a path that a browser
/// reads as a server: it takes `\` for `/`, and skips tabs and ends of lines.
fn path_within(base: &str, location: &str) -> Option<String> {
    let (scheme, place) = base.split_once("://")?;
    let named = match location.split_once("//")? {
        ("", named) => named,
        (before, named) => {
            let is_same = before.strip_suffix(':')?.eq_ignore_ascii_case(scheme);
            is_same.then_some(named)?
        }
    };
    let path = named.strip_prefix(place)?;
    let mut letters = path.chars().filter(|letter| !matches!(letter, '\t' | '\r' | '\n'));
    match (letters.next(), letters.next()) {
        (None | Some('?' | '#'), _) => Some(["/", path].concat()),
        (Some('/'), Some('/' | '\\')) => None,
        (Some('/'), _) => Some(path.to_string()),
        _ => None,
    }
}

const CHALLENGES: &str = "www-authenticate";
const LOCATION: &str = "location";

/// Fields of an origin's answer that do not pass the gate, lower case.
pub const NEVER_ANSWERED: &[&str] = &[
    "payment-required",
    "payment-response",
    "x-payment-response",
    "payment-receipt",
    "payment-replayed",
    "settlement-overrides",
    "farebox-units",
    "extension-responses",
    CORRELATION,
    "connection",
    "keep-alive",
    "transfer-encoding",
    "trailer",
    "upgrade",
];

/// Fields of an origin's answer that are passed on in part, or changed, lower case.
pub(super) const REWRITTEN: &[&str] = &[CHALLENGES, LOCATION];

/// Prefix of the names that the gate alone answers with, lower case.
pub(super) const OWN_PREFIX: &str = "farebox-";

/// Fields of this project's marketplace that pass although they begin so: the gate sends none of
/// these names.
pub(super) const OF_MARKETS: &[&str] = &["farebox-cursor", "farebox-outcome"];

fn is_ours(name: &str) -> bool {
    let is_own = name.starts_with(OWN_PREFIX) && !OF_MARKETS.contains(&name);
    NEVER_ANSWERED.contains(&name) || is_own
}

/// Fields that tell caches how long to keep an answer, or under which name.
const FOR_SHARED_CACHES: [&str; 13] = [
    "cdn-cache-control",
    "cloudflare-cdn-cache-control",
    "vercel-cdn-cache-control",
    "netlify-cdn-cache-control",
    "akamai-cache-control",
    "edge-control",
    "surrogate-control",
    "surrogate-key",
    "cache-tag",
    "x-accel-expires",
    "expires",
    "age",
    "pragma",
];

/// Marks an answer of a priced route: private, and readable by any page unless the origin decided
/// otherwise.
pub fn finish_paid(head: &mut ResponseHead, correlation: &str) {
    for name in FOR_SHARED_CACHES {
        head.headers.remove(name);
    }
    head.headers.set("cache-control", "private, no-store");
    head.headers.set(CORRELATION, correlation);
    if head.headers.get("access-control-allow-origin").is_none() {
        head.headers.add("access-control-allow-origin", "*");
        head.headers.remove("access-control-allow-credentials");
    }
    // A stored response names ours already.
    let theirs = head.headers.get("access-control-expose-headers").unwrap_or_default().to_string();
    let is_ours = |name: &&str| elements(EXPOSED_HEADERS).any(|it| it.eq_ignore_ascii_case(name));
    let mut exposed: Vec<&str> =
        elements(&theirs).filter(|it| !it.is_empty() && !is_ours(it)).collect();
    exposed.push(EXPOSED_HEADERS);
    head.headers.set("access-control-expose-headers", &exposed.join(", "));
}

/// A `WWW-Authenticate` list without its `Payment` challenges. Spec: RFC 9110 11.6.1.
fn without_payment_challenges(list: &str) -> String {
    let mut kept = String::new();
    let mut dropping = false;
    for element in elements(list) {
        if let Some(scheme) = scheme_of(element) {
            dropping = scheme.eq_ignore_ascii_case("payment");
        }
        if !dropping && !element.is_empty() {
            if !kept.is_empty() {
                kept.push_str(", ");
            }
            kept.push_str(element);
        }
    }
    kept
}

/// The elements of a list; commas inside quoted strings do not count.
fn elements(list: &str) -> impl Iterator<Item = &str> {
    mpp::elements(list).into_iter().map(|element| element.trim_matches([' ', '\t']))
}

/// The scheme, if this element begins a challenge: a token alone, or a token and a space that is
/// not part of a parameter.
fn scheme_of(element: &str) -> Option<&str> {
    let end = element.find([' ', '\t', '=']).unwrap_or(element.len());
    let (name, rest) = element.split_at_checked(end)?;
    let rest = rest.trim_start_matches([' ', '\t']);
    (!name.is_empty() && !rest.starts_with('=')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn a_redirect_within_the_origin_is_one_within_the_gate_and_never_to_another_server() {
        let table = [
            ("http://origin.test/v1/next?a=1", Some("/next?a=1")),
            ("HTTP://origin.test/v1/next", Some("/next")),
            ("//origin.test/v1/next", Some("/next")),
            ("http://origin.test/v1", Some("/")),
            ("http://origin.test/v1?a=1", Some("/?a=1")),
            ("http://origin.test/v1#part", Some("/#part")),
            ("http://origin.test/v1//evil.test/", None),
            ("http://origin.test/v1/\\evil.test/", None),
            ("http://origin.test/v1/\t/evil.test/", None),
            ("http://origin.test/v12", None),
            ("https://origin.test/v1/next", None),
            ("http://other.test/v1/next", None),
            ("/next", None),
        ];
        for (location, path) in table {
            let within = path_within("http://origin.test/v1", location);
            assert_eq!(within.as_deref(), path, "{location}");
        }
    }

    #[test]
    fn only_payment_challenges_leave_the_list() {
        let table = [
            ("Basic realm=\"a, Payment b\"", "Basic realm=\"a, Payment b\""),
            ("Payment id=\"1\", realm=\"x\"", ""),
            ("Basic realm=\"a\", Payment id=\"1\", method=\"m\"", "Basic realm=\"a\""),
            ("payment id=\"1\", Bearer, Digest a=1, b = 2", "Bearer, Digest a=1, b = 2"),
            ("Payments x=1", "Payments x=1"),
            ("Basic realm=\"\\\", Payment \"", "Basic realm=\"\\\", Payment \""),
        ];
        for (list, rest) in table {
            assert_eq!(without_payment_challenges(list), rest, "{list}");
        }
    }

    //
    #[test]
    fn an_origin_cannot_speak_for_the_gate() {
        let mut head = ResponseHead::from_text(
            "302\npayment-response: x\nfarebox-payer: y\npayment-required: z\nlocation: http://origin.test/next\nset-cookie: a=1\nfarebox-cursor: 4\nfarebox-outcome: free\nfarebox-cursors: 5",
        )
        .unwrap();
        scrub(&mut head, &Origin::Url("http://origin.test".to_string()));
        // The marketplace's own words are no word of a gate's.
        let passed = "set-cookie: a=1\nfarebox-cursor: 4\nfarebox-outcome: free\nlocation: /next\n";
        assert_eq!(head.headers.to_lines(), passed);
    }
}
