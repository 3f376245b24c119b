//! The origin that requests are forwarded to. Spec: docs/origin.md.
//!
//! Forwarded requests carry the gate's mark. A request that arrives with it was forwarded before:
//! the configured origin is the gate itself, and the request would loop forever.

use alloc::string::String;

use super::Gate;
use crate::http::{Headers, RequestHead};
use crate::secret::ct_eq;

/// Name of the header field that carries the mark, lower case.
pub const MARK: &str = "farebox-loop";

/// The server that answers forwarded requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server: the target is appended to this base URL, which does not end in a slash.
    Url(String),
    /// The Worker bound as `ORIGIN`; it gets the URL that the client asked for.
    Bound,
    /// The server of the gate's own zone, behind the gate; it gets the URL that the client asked
    /// for.
    Zone,
}

impl Origin {
    /// The URL to ask for.
    #[must_use]
    pub fn url(&self, head: &RequestHead) -> String {
        let target = head.target();
        let mut url = match self {
            Self::Url(base) => base.clone(),
            Self::Bound | Self::Zone => {
                let scheme = head.url.split("://").next().unwrap_or_default();
                [scheme, "://", head.authority()].concat()
            }
        };
        url.push_str(target);
        url
    }

    /// The prefix to remove from a `Location`; `None` if the origin knows the URL that the client
    /// asked for.
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        match self {
            Self::Url(base) => Some(base),
            Self::Bound | Self::Zone => None,
        }
    }
}

/// Placement of the ledger's objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerPlacement {
    /// The jurisdiction that they never leave. Under another one they are other objects.
    pub jurisdiction: Option<&'static str>,
    /// Hint where they should be created.
    pub location: Option<&'static str>,
}

impl Gate {
    /// Whether this request has passed through this gate before.
    pub(super) fn has_let_through(&self, headers: &Headers) -> bool {
        let mark = self.keys.mark();
        headers.rows(MARK).any(|value| ct_eq(value.as_bytes(), mark.as_bytes()))
    }

    /// Facts that an edge needs to reach the ledger and to forward, as JSON: `jurisdiction` and
    /// `location` of the ledger's objects, and as `plain` the result of [`Gate::plain_forwarding`],
    /// if there is one.
    #[must_use]
    pub fn for_edge(&self) -> String {
        let edge = serde_json::json!({
            "jurisdiction": self.residence.jurisdiction,
            "location": self.residence.location,
            "plain": self.plain_forwarding(),
        });
        alloc::format!("{edge}")
    }
}
