//! Payments by link: an id in the place of a 402, and a state that is asked for until it is final.
//!
//! Spec: OKX agent payments, "a2a".

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::candidate::Candidate;
use super::json::Json;
use super::text::bounded;
use farebox_base::time::UnixTime;

/// Milliseconds between two questions.
pub const POLL_MS: u64 = 3_000;
/// Milliseconds after which the state is told as it is.
pub const WAIT_MS: u64 = 60_000;
/// The beginning of the names of such payments.
const PREFIX: &str = "a2a_";
/// Maximum length of a name.
const MAX_ID: usize = 128;
/// Maximum characters of a reason.
const MAX_REASON: usize = 256;

/// The request of a person who says that they want to pay: the payment of a link, or a question for
/// its name and nothing else.
///
/// # Examples
/// ```
/// use farebox_payer::agent::link::asked;
/// assert_eq!(asked("pay https://pay.example/a2a_1f, please").get("paymentId").unwrap().text(), Some("a2a_1f"));
/// assert_eq!(asked("I want to pay").to_string(), r#"{"ask":"paymentId","text":"Which payment? Please give its paymentId."}"#);
/// ```
#[must_use]
pub fn asked(text: &str) -> Json {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let names = text.match_indices(PREFIX).filter_map(|(at, _)| text.get(at..));
    // One byte more than a name may have is enough to see that it is none.
    let mut names = names.map(|rest| {
        let long = rest.bytes().take(MAX_ID.saturating_add(1));
        rest.get(..long.take_while(is_part).count()).unwrap_or_default()
    });
    match names.find(|name| (PREFIX.len().saturating_add(1)..=MAX_ID).contains(&name.len())) {
        Some(name) => Json::object([("paymentId", Some(name.into()))]),
        None => Json::object([
            ("ask", Some("paymentId".into())),
            ("text", Some("Which payment? Please give its paymentId.".into())),
        ]),
    }
}

/// Whether a link asks for what its payer expects: `{ok, differs, text, candidate?}`. Nothing else
/// than `ok` may be signed.
///
/// `link` is what the link tells, with or without the envelope of its specification; `expected` has
/// `amount` in atomic units, `token`, `recipient` and `network`, each text. `candidate` is the digest
/// for who pays it: of exactly what was expected.
///
/// # Examples
/// ```
/// use farebox_payer::agent::{json::Json, link::checked};
/// let link = r#"{"challenge":{"data":{"intent":"charge","expires":"2026-03-10T12:30:00Z","request":{"amount":"10","currency":"0xAb",
///     "recipient":"0xCd","methodDetails":{"chainId":8453,"authorizationType":"eip-3009"}}}},"status":"pending"}"#;
/// let expected = r#"{"amount":"10","token":"0xab","recipient":"0xcd","network":"eip155:8453"}"#;
/// let read = |text: &str| Json::read(text, 1000).unwrap();
/// let ok = |link: &str| checked(&read(link), &read(expected), 0).get("ok") == Some(&Json::Bool(true));
/// assert!(ok(link));
/// assert!(!ok(&link.replace(r#""10""#, r#""11""#)));
/// ```
#[must_use]
pub fn checked(link: &Json, expected: &Json, now: u64) -> Json {
    let link = link.get("data").filter(|_| link.get("challenge").is_none()).unwrap_or(link);
    let data = link.at(&["challenge", "data"]).cloned().unwrap_or(Json::Null);
    let said = |path: &[&str]| data.at(path).and_then(Json::text).unwrap_or_default();
    let details = data.at(&["request", "methodDetails"]).cloned().unwrap_or(Json::Null);
    let chain = details.get("chainId").map(|id| format!("eip155:{id}"));
    let facts = [
        ("amount", said(&["request", "amount"]).to_string()),
        ("token", said(&["request", "currency"]).to_string()),
        ("recipient", said(&["request", "recipient"]).to_string()),
        ("network", chain.unwrap_or_default()),
    ];
    let is_expected = |name: &str, text: &str| {
        let wanted = expected.text_of(name).unwrap_or_default();
        let same = match name {
            "token" | "recipient" => text.eq_ignore_ascii_case(wanted),
            _ => text == wanted,
        };
        same && !wanted.is_empty()
    };
    let mut differs: Vec<&str> = Vec::new();
    differs.extend(facts.iter().filter(|(name, text)| !is_expected(name, text)).map(|it| it.0));
    let kind = details.text_of("authorizationType");
    if said(&["intent"]) != "charge" || kind != Some("eip-3009") {
        differs.push("type");
    }
    let ends = UnixTime::from_rfc3339(said(&["expires"]));
    if link.text_of("status") != Some("pending") || !ends.is_ok_and(|end| end.secs() > now) {
        differs.push("status");
    }
    let ok = differs.is_empty();
    let [(_, amount), (_, token), (_, recipient), (_, network)] = &facts;
    let candidate =
        Candidate { network, asset: token, payee: recipient, amount, scheme: "exact" }.digest();
    let text = match ok {
        true => String::new(),
        false => format!(
            "The link is not what was expected: {}. Nothing was signed.",
            differs.join(", ")
        ),
    };
    Json::object([
        ("ok", Some(Json::Bool(ok))),
        ("differs", Some(Json::List(differs.into_iter().map(Into::into).collect()))),
        ("text", Some(text.into())),
        ("candidate", ok.then(|| candidate.into())),
    ])
}

/// The step after a state: `wait`, `done` or `later`, with the sentence for a person.
#[must_use]
pub fn next(id: &str, status: &str, reason: &str, elapsed_ms: u64) -> Json {
    let (what, text) = match status {
        "completed" => ("done", format!("Payment {id} is completed.")),
        "rejected" => {
            let reason = bounded(reason, MAX_REASON);
            ("done", format!("payment {id} rejected (reason={reason})"))
        }
        "failed" | "expired" | "cancelled" => ("done", format!("Payment {id} is {status}.")),
        _ if elapsed_ms.saturating_add(POLL_MS) > WAIT_MS => {
            ("later", format!("Payment {id} is still settling. Its state can be asked for later."))
        }
        _ => ("wait", String::new()),
    };
    Json::object([
        ("do", Some(what.into())),
        ("waitMs", (what == "wait").then(|| Json::number(POLL_MS))),
        ("text", (!text.is_empty()).then(|| text.to_string().into())),
    ])
}
