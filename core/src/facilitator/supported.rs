//! What a facilitator says it serves. For the operator alone: no payment is decided by it. Spec: x402 v2, "GET /supported".

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::reply::{MAX_SUPPORTED_BYTES, Reply};
use crate::chain::ChainId;
use crate::time::UnixTime;

/// Seconds of the whole exchange.
pub const DEADLINE_SECS: u64 = 5;
/// Seconds for which an answer is taken as it is.
const FRESH_SECS: u64 = 600;
/// Seconds after which it is asked again when it did not answer.
const RETRY_SECS: u64 = 60;

/// What one facilitator has said last.
#[derive(Debug)]
pub struct Supported {
    state: &'static str,
    /// Networks of the gate on which it does not take `exact`.
    missing: Vec<String>,
    /// When it said so, unix seconds.
    at: Option<u64>,
    /// When it is asked again.
    due: UnixTime,
}

impl Default for Supported {
    fn default() -> Self {
        Self { state: "unknown", missing: Vec::new(), at: None, due: UnixTime::from_secs(0) }
    }
}

impl Supported {
    /// Whether it should be asked now; then nobody else does for a while.
    pub fn is_due(&mut self, now: UnixTime) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now.plus(RETRY_SECS);
        }
        is_due
    }

    /// Takes note of an answer, against the networks that are offered; what was known stays where it cannot be read.
    /// Gives the missing networks for the log.
    pub fn note(&mut self, reply: &Reply, networks: &[String], now: UnixTime) -> Option<String> {
        let Some(listed) = listed(reply) else {
            self.state = match (self.at, reply) {
                (Some(_), _) => "stale",
                (None, Reply::Answer { .. }) => "wrong",
                (None, _) => "unknown",
            };
            return None;
        };
        let missing = networks.iter().filter(|network| !lists(&listed, network));
        self.missing = missing.cloned().collect();
        (self.state, self.at, self.due) = ("ok", Some(now.secs()), now.plus(FRESH_SECS));
        (!self.missing.is_empty()).then(|| self.missing.join(", "))
    }

    /// The entry of `/_farebox/health`.
    #[must_use]
    pub fn entry(&self, url: &str) -> Value {
        json!({ "url": url, "supported": self.state, "networks_missing": self.missing, "at": self.at })
    }
}

/// The kinds that an answer lists.
fn listed(reply: &Reply) -> Option<Vec<Value>> {
    let (_, mut object) = reply.object(MAX_SUPPORTED_BYTES).filter(|(status, _)| *status == 200)?;
    match object.remove("kinds") {
        Some(Value::Array(kinds)) => Some(kinds),
        _ => None,
    }
}

/// Whether `exact` is listed on this network, by its id or its version 1 name.
fn lists(kinds: &[Value], network: &str) -> bool {
    let text = |kind: &Value, name| kind.get(name).and_then(Value::as_str).map(String::from);
    let same = |name: String| ChainId::parse_or_name(&name).is_ok_and(|id| id.as_str() == network);
    kinds.iter().any(|kind| {
        text(kind, "scheme").as_deref() == Some("exact") && text(kind, "network").is_some_and(same)
    })
}
