//! What an edge is asked to do beside the origin: calls to ledger objects, facilitators and nodes, as data.

use alloc::string::String;

use super::reply::Reply;
use crate::facilitator::funds::Debit;
use crate::facilitator::unproven::UnverifiedCaller;

/// One call to a ledger object.
#[derive(Clone, Debug)]
pub struct LedgerCall {
    /// Name of the object.
    pub object: String,
    /// The command, JSON.
    pub command: String,
    /// Whether the collected body goes along.
    pub with_body: bool,
    /// Milliseconds to wait before.
    pub delay_ms: u32,
    /// A question to a node of the chain, asked at the same time.
    pub block_query: Option<ChainCall>,
    /// Whose requests are counted, where the operator has bound a rate limit: it is asked before.
    pub limited_by: Option<String>,
}

impl LedgerCall {
    /// A command to an object, and nothing besides.
    pub(in crate::gate) const fn new(object: String, command: String) -> Self {
        Self { object, command, with_body: false, delay_ms: 0, block_query: None, limited_by: None }
    }
}

/// One call to a facilitator.
#[derive(Clone, Debug)]
pub struct FacilitatorCall {
    /// Absolute URL.
    pub url: String,
    /// JSON.
    pub body: String,
    /// Deadline of the whole exchange, seconds.
    pub secs: u64,
    /// Milliseconds to wait before.
    pub delay_ms: u32,
    /// Whether it is left undone while the facilitator is known to be down.
    pub guarded: bool,
    /// What it would take from whom, where it may be left undone because that is known not to be there.
    pub draft: Option<Debit>,
    /// What the client hears if the call takes longer than these milliseconds; the call goes on.
    pub client_deadline: Option<(u32, Reply)>,
    /// The network of the client, whose tries of a facilitator that is down are its own; empty where there is none.
    pub client: String,
    /// Whose call it is, if the payment's signature is not verified yet: such calls are few at once.
    pub unproven: Option<UnverifiedCaller>,
}

/// One request to a node.
#[derive(Clone, Debug)]
pub struct ChainCall {
    /// CAIP-2 id of the network whose node it is for.
    pub network: String,
    /// JSON-RPC.
    pub body: String,
    /// Milliseconds to wait before.
    pub delay_ms: u32,
    /// Who has it made, where nobody vouches for the payment: as for calls of a facilitator. No place is held while it waits.
    pub unproven: Option<UnverifiedCaller>,
}

impl ChainCall {
    pub(in crate::gate) fn new(network: &str, body: String) -> Self {
        Self { network: network.into(), body, delay_ms: 0, unproven: None }
    }
}
