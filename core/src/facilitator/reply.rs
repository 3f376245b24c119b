//! What came back from a facilitator, before anyone reads what it says of a payment.

use alloc::string::String;

use serde_json::{Map, Value};

use super::breaker::Health;
use super::reason;
use crate::encoding::json;
use crate::payment::Cause;

/// Longest reply that is read, bytes.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;
/// Longest reply that is read, bytes.
pub const MAX_SUPPORTED_BYTES: usize = 256 * 1024;

/// What came back from the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A complete answer within the limits.
    Answer {
        /// HTTP status.
        status: u16,
        /// Whether `Content-Type` is JSON.
        is_json: bool,
        /// The body.
        body: String,
    },
    /// No complete answer: timeout, connection lost, too long.
    Nothing,
    /// The call was never made, because the facilitator is known to be down.
    NotSent,
    /// The call was never made, because the answer is known: this refusal.
    CachedRefusal(String),
    /// The call was never made, because the key for it cannot sign.
    Unsigned,
}

impl Reply {
    /// What the breaker learns from it: a failure is an exchange without usable JSON, or a server's error.
    #[must_use]
    pub fn health(&self) -> Health {
        match self {
            Self::Answer { status, is_json: true, .. } if *status < 500 && !self.refuses_key() => {
                Health::Good
            }
            Self::CachedRefusal(_) => Health::Good,
            Self::Answer { .. } | Self::Nothing | Self::NotSent | Self::Unsigned => Health::Bad,
        }
    }

    /// Whether it is about the gate's key and not about the payment.
    #[must_use]
    pub fn refuses_key(&self) -> bool {
        match self {
            Self::Unsigned => true,
            Self::Answer { status: 401 | 403, .. } => {
                !self.says("isValid") && !self.says("success")
            }
            _ => false,
        }
    }

    /// Whether a member is there as an answer has it: a flag or a list.
    pub(super) fn says(&self, member: &str) -> bool {
        let object = self.object(MAX_SUPPORTED_BYTES);
        let value = object.as_ref().and_then(|(_, object)| object.get(member));
        value.is_some_and(|value| value.is_boolean() || value.is_array())
    }

    /// Status and JSON object of an answer; of an envelope `{code, msg, data}` what is in it. Spec: OKX API, "Response".
    pub(super) fn object(&self, max_bytes: usize) -> Option<(u16, Map<String, Value>)> {
        let Self::Answer { status, is_json: true, body } = self else { return None };
        let Ok(Value::Object(mut object)) = json::parse_with(body.as_bytes(), max_bytes) else {
            return None;
        };
        let is_good = object.get("code").is_some_and(|code| code == "0" || *code == 0);
        match object.remove("data") {
            Some(Value::Object(inner)) if is_good => Some((*status, inner)),
            _ => Some((*status, object)),
        }
    }

    /// Whether the exchange went wrong through nobody who pays: it failed, or its refusal says so.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        // Looked for before anything is parsed: ordinary replies refuse nothing.
        let Self::Answer { body, .. } = self else { return self.health() == Health::Bad };
        if self.health() == Health::Bad || !body.contains("false") {
            return self.health() == Health::Bad;
        }
        let Some((_, object)) = self.object(MAX_REPLY_BYTES) else { return true };
        ["invalidReason", "errorReason"].iter().any(|name| {
            let reason = object.get(*name).and_then(Value::as_str);
            reason.is_some_and(|reason| reason::cause(reason) == Cause::Trouble)
        })
    }
}
