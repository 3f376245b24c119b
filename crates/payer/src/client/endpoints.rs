//! Endpoints that the payer has to look at, kept in the budget's record so that all its users know
//! them.
//!
//! An endpoint is a method and a URL without its query, as the payer requested it: a server's text
//! never names one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::diagnostic::EndpointState;
use super::error::{ClientError, Reason, clean};
use farebox_base::http::UrlPieces;
use farebox_base::time::UnixTime;

/// States of endpoints, the latest last: rows of method and URL, state, unix seconds, and the
/// server's reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints(Vec<Value>);

/// Maximum endpoints. They are read and written with each payment, and a server with many URLs
/// could fill them with texts: then the oldest of the host that has most goes.
pub const MAX_ENDPOINTS: usize = 256;
/// Maximum values of one in a record: itself, its members, and those of the server's reason.
pub const VALUES: usize = 14;

/// Maximum URL in a name, bytes: the record of an endpoint is read with each payment.
const MAX_URL_BYTES: usize = 1024;

/// Names an endpoint by method and URL, which has no query and only ASCII; without a method it
/// stands for all methods.
///
/// # Examples
/// ```
/// use farebox_payer::client::endpoints::name;
/// assert_eq!(name("GET", "https://shop.example/report"), "GET https://shop.example/report");
/// assert_eq!(name("", &"x".repeat(2000)).len(), 1 + 1024);
/// ```
#[must_use]
pub fn name(method: &str, url: &str) -> String {
    let url = url.get(..MAX_URL_BYTES).unwrap_or(url);
    [method, " ", url].concat()
}

/// Host and port of an absolute URL, lower case.
pub(super) fn host_of(url: &str) -> String {
    UrlPieces::of(url).map(|url| url.host_and_port()).unwrap_or_default().to_ascii_lowercase()
}

impl Endpoints {
    /// Reads the rows of a record; no rows are an empty list.
    #[must_use]
    pub fn read(rows: Option<&Value>) -> Option<Self> {
        let Some(rows) = rows else { return Some(Self::default()) };
        let rows = rows.as_array()?;
        rows.iter().all(|it| row(it).is_some()).then(|| Self(rows.clone()))
    }

    /// The rows for the record.
    #[must_use]
    pub fn rows(&self) -> &[Value] {
        &self.0
    }

    /// The state of an endpoint; `None` if it is open.
    #[must_use]
    pub fn state(&self, name: &str) -> Option<EndpointState> {
        self.find(name).map(|(_, state, _)| state)
    }

    /// Whether an endpoint may be asked.
    ///
    /// # Errors
    /// [`Reason::EndpointBlocked`], [`Reason::ApprovalNeeded`].
    pub fn admit(&self, name: &str) -> Result<(), ClientError> {
        match self.find(name) {
            Some((_, state @ (EndpointState::Blocked | EndpointState::Pending), info)) => {
                Err(stopped(name, state, info).with(info.clone()))
            }
            Some((_, EndpointState::Retrying, _)) | None => Ok(()),
        }
    }

    /// Records the state that a diagnostic advises; a second payment that came too late is left to
    /// the payer. Never lowers a state. Returns whether it rose.
    pub fn mark(&mut self, name: &str, advice: EndpointState, info: &Value, now: UnixTime) -> bool {
        let known = self.state(name);
        let state = match known {
            Some(EndpointState::Retrying) => advice.max(EndpointState::Pending),
            _ => advice,
        };
        if known >= Some(state) {
            return false;
        }
        let is_it = |it: &Value| row(it).is_some_and(|(known, ..)| known == name);
        let known = self.0.iter().position(is_it);
        let full = || (self.0.len() >= MAX_ENDPOINTS).then(|| self.next_to_go());
        if let Some(at) = known.or_else(full) {
            self.0.remove(at);
        }
        self.0.push(json!([name, state.name(), now.secs(), info]));
        true
    }

    /// Reopens an endpoint that is in the state `held`. Returns whether it was.
    pub fn reopen(&mut self, name: &str, held: EndpointState) -> bool {
        let count = self.0.len();
        self.0.retain(|it| {
            row(it).is_none_or(|(known, state, _)| state != held || !is_named(known, name))
        });
        self.0.len() < count
    }

    /// The states for display: endpoint, method, state, since when (unix seconds) and the server's
    /// reason.
    #[must_use]
    pub fn shown(&self) -> Value {
        let shown = |it: &Value| {
            let (method, endpoint) = it.get(0)?.as_str()?.split_once(' ')?;
            let (state, since, said) = (it.get(1)?, it.get(2)?, it.get(3)?);
            Some(
                json!({"endpoint": endpoint, "method": method, "state": state, "since": since, "diagnostic": said}),
            )
        };
        self.0.iter().filter_map(shown).collect()
    }

    /// The place of the oldest of the host that has most, so that no server has the stops of another
    /// go.
    fn next_to_go(&self) -> usize {
        let mut hosts: Vec<(String, usize, usize)> = Vec::new();
        for (at, it) in self.0.iter().enumerate() {
            let named = row(it).and_then(|(name, ..)| name.split_once(' '));
            let host = named.map(|(_, url)| host_of(url)).unwrap_or_default();
            match hosts.iter_mut().find(|(known, ..)| *known == host) {
                Some((_, _, count)) => *count = count.saturating_add(1),
                None => hosts.push((host, at, 1)),
            }
        }
        // Of several the one whose row is the oldest.
        hosts.iter().rev().max_by_key(|(_, _, count)| *count).map_or(0, |(_, first, _)| *first)
    }

    fn find(&self, name: &str) -> Option<(&str, EndpointState, &Value)> {
        self.0.iter().filter_map(row).find(|(known, ..)| *known == name)
    }
}

/// Whether a name, perhaps one for all methods, is that of a known endpoint.
fn is_named(known: &str, name: &str) -> bool {
    known == name
        || name.starts_with(' ') && known.find(' ').and_then(|at| known.get(at..)) == Some(name)
}

/// Name, state, and the server's reason.
fn row(value: &Value) -> Option<(&str, EndpointState, &Value)> {
    match value.as_array()?.as_slice() {
        [name, state, since, info] if since.is_u64() && info.is_object() => {
            Some((name.as_str()?, EndpointState::parse(state.as_str()?)?, info))
        }
        _ => None,
    }
}

/// The error for an endpoint that is not asked, with the recorded reason.
#[must_use]
pub fn stopped(name: &str, state: EndpointState, info: &Value) -> ClientError {
    let (reason, what) = match state {
        EndpointState::Blocked => (Reason::EndpointBlocked, "is blocked"),
        EndpointState::Retrying | EndpointState::Pending => {
            (Reason::ApprovalNeeded, "waits for approval")
        }
    };
    saying(reason, name, what, info)
}

/// The error if the server says stop before it saw a payment: the endpoint's state does not change.
#[must_use]
pub fn asked_to_stop(name: &str, state: EndpointState, info: &Value) -> ClientError {
    let reason = match state {
        EndpointState::Blocked => Reason::EndpointBlocked,
        EndpointState::Retrying | EndpointState::Pending => Reason::ApprovalNeeded,
    };
    saying(reason, name, "was not paid this time", info)
}

fn saying(reason: Reason, name: &str, what: &str, info: &Value) -> ClientError {
    let said = |name| info.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, code, message) = (clean(name), said("code"), said("message"));
    let message = format!("{name} {what}: the server says {code} \"{message}\"");
    ClientError::new(reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

    fn held() -> Endpoints {
        let mut endpoints = Endpoints::default();
        let info = json!({"code": "OPERATOR_ALERT"});
        for (name, state) in [
            ("GET https://a.example/", EndpointState::Blocked),
            ("POST https://a.example/", EndpointState::Blocked),
            ("GET https://b.example/", EndpointState::Pending),
        ] {
            assert!(endpoints.mark(name, state, &info, NOW));
        }
        endpoints
    }

    #[test]
    fn an_endpoint_is_let_out_for_one_method_or_for_all_and_only_from_the_state_that_is_named() {
        for (name, state, left) in [
            ("GET https://a.example/", EndpointState::Blocked, 2),
            (" https://a.example/", EndpointState::Blocked, 1),
            (" https://a.example/", EndpointState::Pending, 3),
            (" https://a.example", EndpointState::Blocked, 3),
            ("", EndpointState::Blocked, 3),
            ("https://a.example/", EndpointState::Blocked, 3),
            ("GET https://b.example/", EndpointState::Pending, 2),
        ] {
            let mut endpoints = held();
            assert_eq!(endpoints.reopen(name, state), left < 3, "{name:?}");
            assert_eq!(endpoints.rows().len(), left, "{name:?}");
        }
    }

    #[test]
    fn what_is_shown_names_endpoint_and_method_apart() {
        let shown = held().shown();
        let first = json!({
            "endpoint": "https://a.example/", "method": "GET", "state": "blocked",
            "since": NOW.secs(), "diagnostic": {"code": "OPERATOR_ALERT"},
        });
        assert_eq!((shown.as_array().map(Vec::len), &shown[0]), (Some(3), &first));
    }
}
