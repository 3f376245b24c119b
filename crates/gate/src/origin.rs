//! The origin that requests are forwarded to. Spec: docs/origin.md.
//!
//! Forwarded requests carry the gate's mark. A request that arrives with it was forwarded before:
//! the configured origin is the gate itself, and the request would loop forever.

use alloc::string::String;

use farebox_base::http::RequestHead;

/// Name of the header field that carries the mark, lower case.
pub const MARK: &str = "farebox-loop";

/// The server that answers forwarded requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A server: the target is appended to this base URL, which does not end in a slash.
    Url(String),
    /// A server that gets the URL that the client asked for, and is reached under this host.
    Host(String),
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
        let target = head.sent_target();
        let mut url = match self {
            Self::Url(base) => base.clone(),
            Self::Host(_) | Self::Bound | Self::Zone => {
                let scheme = head.url.split("://").next().unwrap_or_default();
                [scheme, "://", head.authority()].concat()
            }
        };
        url.push_str(&target);
        url
    }

    /// The prefix to remove from a `Location`; `None` if the origin knows the URL that the client
    /// asked for.
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        match self {
            Self::Url(base) => Some(base),
            Self::Host(_) | Self::Bound | Self::Zone => None,
        }
    }

    /// The host to connect to, if it is another one than the URL's.
    #[must_use]
    pub fn resolved(&self) -> Option<&str> {
        match self {
            Self::Host(host) => Some(host),
            Self::Url(_) | Self::Bound | Self::Zone => None,
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
