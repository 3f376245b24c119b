//! Payments that the chain itself settles: by their own transaction, without a facilitator.
//!
//! The ledger's record of one is enough to resume it after a crash: the network in place of a
//! facilitator's URL, and the payer's proof in place of its request. The address of a node is never
//! kept, because it may hold a key.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::TxHash;
use farebox_base::encoding::{hex, json as text};
use farebox_base::time::UnixTime;
use farebox_evm::transaction::SignedTransfer;

/// The payer's proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnChain {
    /// A signed transaction, which the gate sends.
    Signed(Box<SignedTransfer>),
    /// A transaction that the payer has sent themselves.
    Sent {
        /// Its hash.
        transaction: TxHash,
        /// Earliest time: an older transaction paid for something else.
        since: UnixTime,
        /// Latest time: a newer transaction is too late to be served.
        until: UnixTime,
    },
}

impl OnChain {
    /// The text in a row in place of a facilitator.
    #[must_use]
    pub fn settler(network: &str) -> String {
        format!("{SETTLER}{network}")
    }

    /// The text in a row in place of a facilitator's request, JSON.
    #[must_use]
    pub fn request(&self) -> String {
        let request = match self {
            Self::Signed(signed) => json!({ TRANSACTION: hex::encode_prefixed(signed.bytes()) }),
            Self::Sent { transaction, since, until } => {
                json!({ HASH: transaction.as_str(), SINCE: since.secs(), UNTIL: until.secs() })
            }
        };
        text::text(&request)
    }

    /// Parses the text of a row; `None` for rows of other payments.
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
                // A row of an earlier version has no latest time.
                until: match request.get(UNTIL) {
                    Some(until) => UnixTime::from_secs(until.as_u64()?),
                    None => UnixTime::from_secs(u64::MAX),
                },
            }),
        }
    }

    /// Whether a row with this settler is for such a payment.
    #[must_use]
    pub fn settles(settler: &str) -> bool {
        settler.starts_with(SETTLER)
    }

    /// The transaction with this hash; `None` for a hash of zeros.
    #[must_use]
    pub fn named(hash: &[u8; 32]) -> Option<TxHash> {
        TxHash::parse(&hex::encode_prefixed(hash))
    }

    /// Whether a row is for a transaction that the payer has sent themselves, so that money moved
    /// before the gate knew of it.
    #[must_use]
    pub fn was_sent(settler: &str, request: &str) -> bool {
        matches!(Self::read(settler, request), Some(Self::Sent { .. }))
    }

    /// The transaction; `None` for a hash of zeros, which no transaction has.
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
