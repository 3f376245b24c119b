//! The newest blocks that a node shows, and what else each inquiry reads.

use super::finding::{Finality, Unreadable};
use farebox_base::encoding::hex;
use farebox_common::payment::TxHash;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::Block;

/// The newest block and the safe one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    pub(super) latest: u64,
    pub(super) safe: Option<Block>,
}

impl Heads {
    pub(super) fn finality(&self, block: u64) -> Finality {
        match self.safe {
            Some(safe) if block <= safe.number => Finality::Safe,
            Some(_) | None => Finality::Latest,
        }
    }
}

/// An answer that some nodes do not support: without it safe blocks prove nothing.
pub(super) fn optional<T>(answer: Result<T, RpcError>) -> Result<Option<T>, RpcError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(RpcError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A transaction by the bytes of its hash.
pub(super) fn hash(bytes: &[u8; 32]) -> Result<TxHash, Unreadable> {
    TxHash::parse(&hex::encode_prefixed(bytes))
        .ok_or(Unreadable::Rpc(RpcError::Shape("transactionHash")))
}
