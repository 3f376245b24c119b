//! Reads the newest block at the time of a claim: a transfer in a later block came after first
//! sight.

use alloc::string::String;

use super::finding::Unreadable;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{Call, batch};

/// The JSON-RPC body of the request.
#[must_use]
pub fn request() -> String {
    batch(&CALLS)
}

/// Reads the number of the newest block of the chain `chain_id`; `reply` as for
/// [`super::Asking::answered`].
///
/// # Errors
/// [`Unreadable`], also for a node of another chain.
pub fn read(chain_id: u64, reply: Option<&[u8]>) -> Result<u64, Unreadable> {
    let replies = Replies::read(reply.ok_or(Unreadable::NoReply)?, CALLS.len())?;
    let chain = replies.quantity(0)?;
    if chain != chain_id {
        return Err(Unreadable::WrongChain(chain));
    }
    Ok(replies.quantity(1)?)
}

const CALLS: [Call; 2] = [Call::ChainId, Call::BlockNumber];
