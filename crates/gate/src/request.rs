//! A request as the gate takes it: its head, and the id that its answer and its log lines carry.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;

use super::limit::{WORKER_ZONE, client_network};
use super::reply::CORRELATION;
use farebox_base::http::{Headers, RequestHead};

/// The header in which the platform names the client's address.
pub(super) const CLIENT_ADDRESS: &str = "cf-connecting-ip";

/// The header in which a client names its program.
pub(super) const CLIENT_AGENT: &str = "user-agent";

/// A request that the gate decides about.
#[derive(Clone, Debug)]
pub(super) struct IncomingRequest {
    pub head: RequestHead,
    pub correlation: String,
}

impl IncomingRequest {
    /// A request with a random name, which is its correlation id if the client sent none.
    pub fn new(mut head: RequestHead, fresh: &str) -> Self {
        head.fresh = fresh.to_owned();
        let correlation = correlation_id(&head.headers, fresh).to_owned();
        Self { head, correlation }
    }

    /// The network of the client, under which limits and failures are counted.
    pub fn network(&self) -> Cow<'_, str> {
        network_of(&self.head)
    }
}

/// The network that a request comes from.
pub(super) fn network_of(head: &RequestHead) -> Cow<'_, str> {
    client_network(head.headers.get(CLIENT_ADDRESS), head.headers.get(WORKER_ZONE))
}

/// The client's correlation id if it is well formed, else `fresh`.
#[must_use]
pub fn correlation_id<'a>(headers: &'a Headers, fresh: &'a str) -> &'a str {
    let good = |id: &&str| {
        (8..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    headers.get(CORRELATION).filter(good).unwrap_or(fresh)
}
