//! A facilitator's list of what it supports. For the operator alone: it decides no payment. Spec:
//! x402 v2, "GET /supported".

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use super::reply::{FacilitatorReply, MAX_SUPPORTED_BYTES};
use farebox_base::chain::ChainId;
use farebox_base::time::UnixTime;

/// Seconds of the whole exchange.
pub const DEADLINE_SECS: u64 = 5;
/// Seconds for which an answer is fresh.
const FRESH_SECS: u64 = 600;
/// Seconds until the next attempt after a missing answer.
const RETRY_SECS: u64 = 60;

/// Everything that is sold by way of a facilitator.
#[derive(Clone, Debug, Default)]
pub struct Sold<'a> {
    /// The networks, CAIP-2 ids.
    pub networks: &'a [String],
    /// Those of them where a route sells by session.
    pub sessions: &'a [String],
    /// The extensions that routes announce for it.
    pub extensions: &'a [&'a str],
}

/// The last answer of one facilitator.
#[derive(Debug)]
pub struct Supported {
    state: &'static str,
    /// Networks of the gate for which it does not list `exact`.
    missing: Vec<String>,
    /// Those that sell by session, for which it does not list `batch-settlement`.
    sessions: Vec<String>,
    /// Extensions that routes announce and it does not list.
    extensions: Vec<String>,
    /// Time of that answer, unix seconds.
    at: Option<u64>,
    /// Time of the next request.
    due: UnixTime,
    /// Until when the first answer is waited for.
    awaited: UnixTime,
}

impl Default for Supported {
    fn default() -> Self {
        let (due, awaited) = (UnixTime::from_secs(0), UnixTime::from_secs(0));
        let (missing, sessions, extensions) = (Vec::new(), Vec::new(), Vec::new());
        Self { state: "unknown", missing, sessions, extensions, at: None, due, awaited }
    }
}

impl Supported {
    /// Whether to ask it now; if so, it is not due again for a while.
    pub fn is_due(&mut self, now: UnixTime) -> bool {
        let is_due = now >= self.due;
        if is_due {
            if self.due == UnixTime::from_secs(0) {
                self.awaited = now.plus(DEADLINE_SECS);
            }
            self.due = now.plus(RETRY_SECS);
        }
        is_due
    }

    /// Whether the first answer may still come.
    #[must_use]
    pub fn is_awaited(&self, now: UnixTime) -> bool {
        now < self.awaited
    }

    /// Whether payments can settle there: it lists what is sold, or did when it last answered.
    #[must_use]
    pub fn can_settle(&self) -> bool {
        matches!(self.state, "ok" | "stale") && self.missing.is_empty() && self.sessions.is_empty()
    }

    /// Compares an answer with what is sold; an unreadable answer changes nothing. Returns what is
    /// missing for the log.
    pub fn note(
        &mut self,
        reply: &FacilitatorReply,
        sold: &Sold<'_>,
        now: UnixTime,
    ) -> Option<String> {
        self.awaited = UnixTime::from_secs(0);
        let Some((listed, extensions)) = listed(reply) else {
            self.state = match (self.at, reply) {
                (Some(_), _) => "stale",
                (None, FacilitatorReply::Answer { status: 300..=399, .. }) => "redirect",
                (None, FacilitatorReply::Answer { .. }) => "wrong",
                (None, _) => "unknown",
            };
            return None;
        };
        let missing = |networks: &[String], scheme| {
            networks.iter().filter(|it| !lists(&listed, scheme, it)).cloned().collect::<Vec<_>>()
        };
        self.missing = missing(sold.networks, "exact");
        self.sessions = missing(sold.sessions, "batch-settlement");
        let unlisted = |name: &&&str| !extensions.iter().any(|it| it.as_str() == Some(**name));
        self.extensions =
            sold.extensions.iter().filter(unlisted).map(ToString::to_string).collect();
        (self.state, self.at, self.due) = ("ok", Some(now.secs()), now.plus(FRESH_SECS));
        let mut all = self.missing.clone();
        all.extend(self.sessions.iter().map(|network| [network, " (batch-settlement)"].concat()));
        all.extend(self.extensions.iter().cloned());
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// The entry of `/_farebox/health`; `said` is what the facilitator said last of
    /// [extensions](super::extensions).
    #[must_use]
    pub fn entry(&self, url: &str, said: Map<String, Value>) -> Value {
        let mut entry = json!({ "url": url, "supported": self.state, "networks_missing": self.missing, "at": self.at });
        if let (Value::Object(entry), false) = (&mut entry, self.sessions.is_empty()) {
            entry.insert("sessions_missing".to_string(), json!(self.sessions));
        }
        if let (Value::Object(entry), false) = (&mut entry, self.extensions.is_empty()) {
            entry.insert("extensions_missing".to_string(), json!(self.extensions));
        }
        if let (Value::Object(entry), false) = (&mut entry, said.is_empty()) {
            entry.insert("extensions".to_string(), Value::Object(said));
        }
        entry
    }
}

/// The kinds and extensions listed in an answer.
fn listed(reply: &FacilitatorReply) -> Option<(Vec<Value>, Vec<Value>)> {
    let (_, mut object) = reply.object(MAX_SUPPORTED_BYTES).filter(|(status, _)| *status == 200)?;
    let mut list = |name| match object.remove(name) {
        Some(Value::Array(list)) => Some(list),
        _ => None,
    };
    Some((list("kinds")?, list("extensions").unwrap_or_default()))
}

/// Whether this scheme is listed on this network, by its id or its version 1 name.
fn lists(kinds: &[Value], scheme: &str, network: &str) -> bool {
    let text = |kind: &Value, name| kind.get(name).and_then(Value::as_str).map(String::from);
    let same = |name: String| ChainId::parse_or_name(&name).is_ok_and(|id| id.as_str() == network);
    kinds.iter().any(|kind| {
        text(kind, "scheme").as_deref() == Some(scheme) && text(kind, "network").is_some_and(same)
    })
}
