//! A facilitator's list of what it supports. For the operator alone: it decides no payment. Spec:
//! x402 v2, "GET /supported".

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::reply::{FacilitatorReply, MAX_SUPPORTED_BYTES};
use crate::chain::ChainId;
use crate::time::UnixTime;

/// Seconds of the whole exchange.
pub const DEADLINE_SECS: u64 = 5;
/// Seconds for which an answer is fresh.
const FRESH_SECS: u64 = 600;
/// Seconds until the next attempt after a missing answer.
const RETRY_SECS: u64 = 60;

/// The last answer of one facilitator.
#[derive(Debug)]
pub struct Supported {
    state: &'static str,
    /// Networks of the gate for which it does not list `exact`.
    missing: Vec<String>,
    /// Time of that answer, unix seconds.
    at: Option<u64>,
    /// Time of the next request.
    due: UnixTime,
}

impl Default for Supported {
    fn default() -> Self {
        Self { state: "unknown", missing: Vec::new(), at: None, due: UnixTime::from_secs(0) }
    }
}

impl Supported {
    /// Whether to ask it now; if so, it is not due again for a while.
    pub fn is_due(&mut self, now: UnixTime) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now.plus(RETRY_SECS);
        }
        is_due
    }

    /// Compares an answer with the offered networks; an unreadable answer changes nothing. Returns
    /// the missing networks for the log.
    pub fn note(
        &mut self,
        reply: &FacilitatorReply,
        networks: &[String],
        now: UnixTime,
    ) -> Option<String> {
        let Some(listed) = listed(reply) else {
            self.state = match (self.at, reply) {
                (Some(_), _) => "stale",
                (None, FacilitatorReply::Answer { .. }) => "wrong",
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

/// The kinds listed in an answer.
fn listed(reply: &FacilitatorReply) -> Option<Vec<Value>> {
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
