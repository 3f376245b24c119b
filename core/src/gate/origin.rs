//! Where a request goes that the gate lets through. Spec: docs/origin.md.
//!
//! What the gate forwards carries its mark. A request that comes in with it was let through before: whoever is
//! asked as the origin is the gate itself, and would be asked for ever.

use alloc::string::String;

use super::Gate;
use crate::http::{Headers, RequestHead};
use crate::secret::ct_eq;

/// Name of the header field with the mark, lower case.
pub const MARK: &str = "farebox-loop";

/// Who answers what the gate lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server: the target is put behind this base URL, which does not end in a slash.
    Url(String),
    /// The Worker bound as `ORIGIN`: it is asked for the URL that the client asked for.
    Bound,
    /// The server of the gate's own zone, behind the gate: it is asked for the URL that the client asked for.
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

    /// What is cut off a `Location`; nothing where the origin knows the URL that the client asked for.
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        match self {
            Self::Url(base) => Some(base),
            Self::Bound | Self::Zone => None,
        }
    }
}

/// Where the objects of the ledger live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerPlacement {
    /// The jurisdiction that they never leave. With another one they are other objects.
    pub jurisdiction: Option<&'static str>,
    /// Where they had best begin.
    pub location: Option<&'static str>,
}

impl Gate {
    /// Whether this request has come through this gate before.
    pub(super) fn has_let_through(&self, headers: &Headers) -> bool {
        let mark = self.keys.mark();
        headers.rows(MARK).any(|value| ct_eq(value.as_bytes(), mark.as_bytes()))
    }

    /// What an edge has to know to reach the ledger and to forward, as JSON: `jurisdiction` and `location` of the
    /// ledger's objects, and as `plain` what [`Gate::plain_forwarding`] says, if anything.
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
