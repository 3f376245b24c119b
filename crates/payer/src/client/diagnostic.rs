//! The reason that a server gives for refusing a payment: read as advice, whole or not at all.
//!
//! Spec: x402 extension "Diagnostic" (proposed). The header of a 402 carries it, or the body of any
//! refusal. A member of the wrong type makes the whole invalid, and so does an unknown code, unless
//! the server says that a person has to look. No amount, payee or policy is read from it. It
//! concerns the endpoint that was asked, whatever it names.

use alloc::string::String;

use serde_json::{Map, Value};

use super::challenge::{MAX_HEADER_BYTES, REQUIRED_HEADER};
use super::error::clean;
use farebox_base::encoding::json;
use farebox_base::http::Headers;
use farebox_wire::x402::extension::diagnostic::{DiagnosticCode, NAME};
use farebox_wire::x402::header;

/// A server's reason for refusing a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its members, for people: texts are cleaned and short.
    pub info: Value,
    /// The resulting state of the endpoint, if any.
    pub advice: Option<EndpointState>,
}

/// State of an endpoint that is not simply open, the milder first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointState {
    /// A payment arrived too late, and none has succeeded since.
    Retrying,
    /// The payer has to approve before anything is paid again.
    Pending,
    /// The payer has to enable it again.
    Blocked,
}

impl EndpointState {
    /// The name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retrying => "retrying",
            Self::Pending => "pending",
            Self::Blocked => "blocked",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Retrying, Self::Pending, Self::Blocked].into_iter().find(|it| it.name() == name)
    }
}

/// The text members of a diagnostic, and the maximum characters of each that are kept.
const TEXTS: [(&str, usize); 6] = [
    ("code", 64),
    ("message", 256),
    ("suggestion", 256),
    ("firstAttempt", 64),
    ("reason", 64),
    (CORRELATION, 64),
];
const CORRELATION: &str = "correlationId";

impl Diagnostic {
    /// Reads the diagnostic of a refusal; `None` unless it can be acted on. `id` names the request
    /// if the server does not.
    #[must_use]
    pub fn read(headers: &Headers, body: &[u8], id: &str) -> Option<Self> {
        let terms = headers
            .joined(REQUIRED_HEADER)
            .and_then(|value| header::decode_up_to(&value, MAX_HEADER_BYTES).ok())
            .map(|message| Value::Object(message.object));
        let body = json::parse(body).unwrap_or_default();
        let extension = terms.as_ref().and_then(extension_in).or_else(|| extension_in(&body));
        let told = extension?.get("info")?;
        let elsewhere = || body.get("correlation_id").and_then(Value::as_str);
        let mut info = Map::new();
        for (name, max) in TEXTS {
            let text = match told.get(name) {
                Some(text) => text.as_str()?,
                None if name == CORRELATION => {
                    headers.filled("x-correlation-id").or_else(elsewhere).unwrap_or(id)
                }
                None => continue,
            };
            info.insert(name.into(), clean(text).chars().take(max).collect::<String>().into());
        }
        let (mut escalate, mut attempts) = (false, None);
        if let Some(flag) = told.get("escalate") {
            escalate = flag.as_bool()?;
        }
        if let Some(number) = told.get("attempts") {
            attempts = Some(number.as_u64()?);
        }
        info.insert("escalate".into(), escalate.into());
        if let Some(attempts) = attempts {
            info.insert("attempts".into(), attempts.into());
        }
        // Uses the raw text: cleaning could turn it into a code that the server did not send.
        let advice = match DiagnosticCode::parse(told.get("code")?.as_str()?) {
            _ if escalate => Some(EndpointState::Blocked),
            // A count of all clients that look like this one, which may tell itself apart.
            Some(DiagnosticCode::AttemptsExceeded)
                if told.get("handle").is_some_and(Value::is_string) =>
            {
                None
            }
            Some(
                DiagnosticCode::AttemptsExceeded
                | DiagnosticCode::InsufficientFunds
                | DiagnosticCode::OperatorAlert,
            ) => Some(EndpointState::Blocked),
            Some(DiagnosticCode::PaymentUnverified) => Some(EndpointState::Pending),
            Some(DiagnosticCode::InvoiceExpired) => Some(EndpointState::Retrying),
            Some(DiagnosticCode::PaymentRequired) => None,
            None => return None,
        };
        Some(Self { info: Value::Object(info), advice })
    }
}

fn extension_in(object: &Value) -> Option<&Value> {
    object.get("extensions")?.get(NAME)
}
