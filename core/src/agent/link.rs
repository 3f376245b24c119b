//! Payments by link: an id in the place of a 402, and a state that is asked for until it is final.
//!
//! Spec: OKX agent payments, "a2a".

use alloc::format;
use alloc::string::{String, ToString};

use super::json::Json;
use super::text::bounded;

/// Milliseconds between two questions.
pub const POLL_MS: u64 = 3_000;
/// Milliseconds after which the state is told as it is.
pub const WAIT_MS: u64 = 60_000;
/// What the names of such payments begin with.
const PREFIX: &str = "a2a_";
/// Maximum length of a name.
const MAX_ID: usize = 128;
/// Maximum characters of a reason.
const MAX_REASON: usize = 256;

/// What a person wants who says that they want to pay: the payment of a link, or a question for its
/// name and nothing else.
///
/// # Examples
/// ```
/// use farebox_core::agent::link::asked;
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

/// What follows a state: `wait`, `done` or `later`, with the sentence for a person.
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
