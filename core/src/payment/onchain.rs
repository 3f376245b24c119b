//! Payments that the chain itself settles: a transaction of their own, no facilitator.
//!
//! What the ledger keeps of one is enough to go on with it after a crash: in place of a facilitator's URL the network, in place of
//! its request what the payer showed. The address of a node is never kept, because it may hold a key.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use serde_json::{Value, json};

use super::TxHash;
use crate::encoding::{hex, json as text};
use crate::evm::transaction::SignedTransfer;
use crate::time::UnixTime;

/// What a payer showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnChain {
    /// A signed transaction, which the gate sends.
    Signed(Box<SignedTransfer>),
    /// A transaction that the payer has sent himself.
    Sent {
        /// Its hash.
        transaction: TxHash,
        /// It was made at this time or later, or it paid for something else.
        since: UnixTime,
        /// What is made after it was too late to be served.
        until: UnixTime,
    },
}

impl OnChain {
    /// What a row names instead of a facilitator.
    #[must_use]
    pub fn settler(network: &str) -> String {
        format!("{SETTLER}{network}")
    }

    /// What a row keeps instead of a facilitator's request, JSON.
    #[must_use]
    pub fn request(&self) -> String {
        let request = match self {
            Self::Signed(signed) => json!({ TRANSACTION: hex::encode_prefixed(signed.bytes()) }),
            Self::Sent { transaction, since, until } => {
                json!({ HASH: transaction.as_str(), SINCE: since.secs(), UNTIL: until.secs() })
            }
        };
        format!("{request}")
    }

    /// What a row keeps, read again; nothing for rows of other payments.
    #[must_use]
    pub fn read(settler: &str, request: &str) -> Option<Self> {
        if !settler.starts_with(SETTLER) {
            return None;
        }
        let request = text::parse(request.as_bytes()).ok()?;
        let member = |name: &str| request.get(name).and_then(Value::as_str);
        match member(TRANSACTION) {
            Some(bytes) => {
                let bytes = hex::decode_prefixed(bytes).ok()?;
                Some(Self::Signed(Box::new(SignedTransfer::parse(&bytes).ok()?)))
            }
            None => Some(Self::Sent {
                transaction: TxHash::parse(member(HASH)?)?,
                since: UnixTime::from_secs(request.get(SINCE)?.as_u64()?),
                // A row of an earlier version names no end.
                until: match request.get(UNTIL) {
                    Some(until) => UnixTime::from_secs(until.as_u64()?),
                    None => UnixTime::from_secs(u64::MAX),
                },
            }),
        }
    }

    /// Whether a row with this settler is one of such a payment.
    #[must_use]
    pub fn settles(settler: &str) -> bool {
        settler.starts_with(SETTLER)
    }

    /// The transaction with this hash; nothing for a hash of zeros.
    #[must_use]
    pub fn named(hash: &[u8; 32]) -> Option<TxHash> {
        TxHash::parse(&hex::encode_prefixed(hash))
    }

    /// Whether a row is one of a transaction that the payer has sent himself, so that money moved before the gate knew of it.
    #[must_use]
    pub fn was_sent(settler: &str, request: &str) -> bool {
        matches!(Self::read(settler, request), Some(Self::Sent { .. }))
    }

    /// The transaction; nothing for a hash of zeros, which none has.
    #[must_use]
    pub fn transaction(&self) -> Option<TxHash> {
        match self {
            Self::Signed(signed) => Self::named(&signed.hash),
            Self::Sent { transaction, .. } => Some(*transaction),
        }
    }
}

const SETTLER: &str = "chain:";
const TRANSACTION: &str = "transaction";
const HASH: &str = "hash";
const SINCE: &str = "since";
const UNTIL: &str = "until";
