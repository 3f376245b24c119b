//! Sender of a transaction: read from the chain if its payer does not name it, because the payment
//! is kept under their address.

use alloc::string::String;

use super::finding::Unreadable;
use farebox_common::payment::TxHash;
use farebox_evm::address::Address;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{Call, batch};

/// The chain's answer about the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// This account.
    Known(Address),
    /// The node does not know the transaction yet.
    NotYet,
    /// The chain could not be read.
    Unreadable(Unreadable),
}

/// Waits for the reply.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub struct AwaitingSender {
    chain_id: u64,
    transaction: TxHash,
}

impl AwaitingSender {
    /// The request, a JSON-RPC body, and the value that accepts its reply.
    #[must_use]
    pub fn ask(chain_id: u64, transaction: TxHash) -> (String, Self) {
        let body = batch(&[Call::ChainId, Call::Transaction(transaction.to_bytes())]);
        (body, Self { chain_id, transaction })
    }

    /// Accepts the body of the reply; `None` unless it came completely, in time and with status
    /// 200.
    #[must_use]
    pub fn answered(self, reply: Option<&[u8]>) -> Sender {
        match self.read(reply) {
            Ok(Some(sender)) => Sender::Known(sender),
            Ok(None) => Sender::NotYet,
            Err(error) => Sender::Unreadable(error),
        }
    }

    fn read(&self, reply: Option<&[u8]>) -> Result<Option<Address>, Unreadable> {
        let replies = Replies::read(reply.ok_or(Unreadable::NoReply)?, 2)?;
        let chain = replies.quantity(0)?;
        if chain != self.chain_id {
            return Err(Unreadable::WrongChain(chain));
        }
        Ok(replies.transaction(1, &self.transaction.to_bytes())?.map(|sent| sent.from))
    }
}
