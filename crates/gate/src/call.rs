//! Calls of the gate besides those to the origin, as data: to ledger objects, facilitators, nodes
//! and the treasury.

use alloc::string::String;

use super::reply::Reply;
use farebox_channel::looks::LookRank;
use farebox_wire::facilitator::funds::Debit;
use farebox_wire::facilitator::payers::{Caller, Evidence};
use farebox_wire::facilitator::unproven::UnverifiedCaller;

/// The name of a ledger object: how many there are, and which one.
pub(super) fn object(count: u64, shard: u64) -> String {
    alloc::format!("ledger/{count}/{shard}")
}

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
    /// A request to a node of the chain, sent at the same time.
    pub block_query: Option<ChainCall>,
    /// Rate-limit key; the operator's rate limit, if bound, is asked first.
    pub limited_by: Option<String>,
}

impl LedgerCall {
    /// A command to an object, without anything beside it.
    pub(crate) const fn new(object: String, command: String) -> Self {
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
    /// Whether the call is skipped while the facilitator is known to be down.
    pub guarded: bool,
    /// Wallet and amount, so that the edge can skip the call while the wallet is known to be short.
    pub draft: Option<Debit>,
    /// Milliseconds after which the client gets this reply; the call itself goes on.
    pub client_deadline: Option<(u32, Reply)>,
    /// The cause of the call.
    pub caller: Caller,
    /// Rate-limit key of the caller while the payment's signature is unverified: few such calls run
    /// at once.
    pub unproven: Option<UnverifiedCaller>,
}

impl FacilitatorCall {
    /// A call that is made at once, even while the facilitator is down.
    pub(crate) const fn new(url: String, body: String, secs: u64, caller: Caller) -> Self {
        let (delay_ms, guarded, draft, client_deadline) = (0, false, None, None);
        Self { url, body, secs, delay_ms, guarded, draft, client_deadline, caller, unproven: None }
    }

    /// A call of an alarm about a signed payment of this payer; empty if the payer is unknown.
    pub(crate) fn of_alarm(url: String, body: String, secs: u64, payer: &str) -> Self {
        let (network, payer) = (String::new(), payer.into());
        Self::new(url, body, secs, Caller { network, payer, evidence: Evidence::Signed })
    }
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
    /// Rate-limit key of the caller while the payment is unverified, as for calls to a facilitator.
    /// A waiting call holds no place.
    pub unproven: Option<UnverifiedCaller>,
    /// Which look for a deposit it is, if everyone who shows that deposit asks the same.
    pub look: Option<LookRank>,
}

/// One request to the treasury that pays debts back, with its token.
#[derive(Clone, Debug)]
pub struct TreasuryCall {
    /// Path and query.
    pub path: String,
    /// JSON to post; `None` to get.
    pub body: Option<String>,
}

impl ChainCall {
    pub(crate) fn new(network: &str, body: String) -> Self {
        Self { network: network.into(), body, delay_ms: 0, unproven: None, look: None }
    }
}
