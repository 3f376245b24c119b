//! Asks a node of the chain. Its URL may hold a key, so that it is never logged.

use farebox_core::facilitator::reply::FacilitatorReply;
use farebox_core::gate::Gate;

use super::{edge, facilitator};

/// Deadline of one exchange, milliseconds.
const DEADLINE_MS: u32 = 5_000;
/// Longest reply, bytes: a block's logs of one authorizer are few.
const MAX_REPLY_BYTES: u32 = 1024 * 1024;

/// Starts a request about this network, a CAIP-2 id.
pub(super) fn send(gate: &Gate, network: &str, body: &str) -> js_sys::Promise {
    let url = gate.rpc_url(network).unwrap_or_default();
    edge::ask_json(url, "", None, body, DEADLINE_MS, MAX_REPLY_BYTES)
}

/// The body of a complete reply with status 200.
pub(super) async fn reply(promise: js_sys::Promise) -> Option<String> {
    match facilitator::read(edge::settled(promise).await) {
        Ok(FacilitatorReply::Answer { status: 200, body, .. }) => Some(body),
        _ => None,
    }
}
