//! A facilitator's reply, before its statement about a payment is read.

use alloc::string::String;

use serde_json::{Map, Value};

use super::doubt::names_error;
use super::reason;
use farebox_base::encoding::json;
use farebox_common::payment::Cause;

/// Maximum size of a reply, bytes.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;
/// Maximum size of a reply of `/supported`, bytes.
pub const MAX_SUPPORTED_BYTES: usize = 256 * 1024;

/// Result of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// A usable answer, with any content.
    Good,
    /// No usable answer.
    Bad,
}

/// A reply from the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FacilitatorReply {
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
    /// The call was not made, because the facilitator is known to be down.
    NotSent,
    /// The call was not made, because the answer is known: this refusal.
    CachedRefusal(String),
    /// The call was not made, because the key for it cannot sign.
    Unsigned,
}

impl FacilitatorReply {
    /// The result for the breaker: an exchange without usable JSON, or a server's error, is a
    /// failure.
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

    /// Whether it finds a payment invalid and calls that an error of its own, by its status or its
    /// reason, as some write what the chain refuses: it may be the payment's fault or the node's.
    #[must_use]
    pub fn stumbles(&self) -> bool {
        let object = self.object(MAX_REPLY_BYTES);
        object.is_some_and(|(status, object)| {
            object.get("isValid") == Some(&Value::Bool(false))
                && (status >= 500 || names_trouble(&object))
        })
    }

    /// Whether it reports that a settlement succeeded.
    #[must_use]
    pub fn settles(&self) -> bool {
        let object = self.object(MAX_REPLY_BYTES);
        object.is_some_and(|(status, object)| {
            (200..300).contains(&status) && object.get("success") == Some(&Value::Bool(true))
        })
    }

    /// Whether it concerns the gate's key and not the payment.
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

    /// Whether a member has the type that an answer needs: a flag or a list.
    pub(super) fn says(&self, member: &str) -> bool {
        let object = self.object(MAX_SUPPORTED_BYTES);
        let value = object.as_ref().and_then(|(_, object)| object.get(member));
        value.is_some_and(|value| value.is_boolean() || value.is_array())
    }

    /// Status and JSON object of an answer; for an envelope `{code, msg, data}` its content, unless
    /// it names an error as well. Spec: OKX API, "Response".
    pub fn object(&self, max_bytes: usize) -> Option<(u16, Map<String, Value>)> {
        let Self::Answer { status, is_json: true, body } = self else { return None };
        let Ok(Value::Object(mut object)) = json::parse_with(body.as_bytes(), max_bytes) else {
            return None;
        };
        let is_good = object.get("code").is_some_and(|code| code == "0" || *code == 0);
        match object.remove("data") {
            Some(Value::Object(_)) if is_good && contradicts(&object) => None,
            Some(Value::Object(inner)) if is_good => Some((*status, inner)),
            _ => Some((*status, object)),
        }
    }

    /// Whether the exchange failed through no fault of the payer: it broke, or its refusal says so.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        // Searches the text before parsing: ordinary replies refuse nothing.
        let Self::Answer { body, .. } = self else { return self.health() == Health::Bad };
        if self.health() == Health::Bad || !body.contains("false") {
            return self.health() == Health::Bad;
        }
        self.object(MAX_REPLY_BYTES).is_none_or(|(_, object)| names_trouble(&object))
    }
}

/// Whether the reason of a refusal is no fault of the payer.
fn names_trouble(object: &Map<String, Value>) -> bool {
    ["invalidReason", "errorReason"].iter().any(|name| {
        let reason = object.get(*name).and_then(Value::as_str);
        reason.is_some_and(|reason| reason::cause(reason) == Cause::Trouble)
    })
}

/// Whether what stands around the content says that something went wrong.
fn contradicts(envelope: &Map<String, Value>) -> bool {
    names_error(envelope) || envelope.get("success") == Some(&Value::Bool(false))
}
