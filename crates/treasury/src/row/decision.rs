//! The rows of decisions.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::access::PAYOUTS;

/// Where a decision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is being paid.
    Executing,
    /// A person has to look first, or did not look in time: whoever asks again is judged anew.
    Review,
    /// Its answer never changes.
    Final,
}

/// One decision. Key: id. Unique: agent and key. Indexes: agent and request where `open`; created;
/// outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// `paidRequestId`.
    pub id: String,
    /// `paymentAttemptId`.
    pub attempt: String,
    /// The agent that it belongs to.
    pub agent: String,
    /// The idempotency key, with the letter of its kind before it.
    pub key: Option<String>,
    /// Hash of method, URL and body, hex.
    pub request: String,
    /// HTTP method.
    pub method: String,
    /// The merchant's URL.
    pub url: String,
    /// Digest of the offer; empty if there was none.
    pub terms: String,
    /// Where it stands.
    pub stage: Stage,
    /// Whether the same request is answered with this decision although it names no key: while it
    /// is executed, under review, or without a known end.
    pub open: bool,
    /// `outcome` of the answer.
    pub outcome: String,
    /// `reasonCode` of the answer.
    pub code: String,
    /// The price for people, if one was read.
    pub amount: Option<String>,
    /// The symbol of its asset.
    pub asset: Option<String>,
    /// The review it waits for, or waited for.
    pub review: Option<String>,
    /// The answer, JSON.
    pub body: String,
    /// The figures of a denial for want of money, as its header tells them.
    #[serde(default)]
    pub figures: Option<String>,
    /// When it was first asked for.
    pub created: u64,
    /// When its stage or answer changed.
    pub changed: u64,
    /// How many equal requests it has denied.
    #[serde(default = "once")]
    pub times: u64,
    /// When what the merchant answered leaves [`Self::body`]; `None` if it stays or has left.
    #[serde(default)]
    pub leaves: Option<u64>,
    /// Whether an answer to the last sending of its payment was read.
    #[serde(default)]
    pub heard: bool,
}

const fn once() -> u64 {
    1
}

/// A key of a client as a row has it; that of a wallet's token is apart from the keys of all others.
pub(crate) fn write_key(key: &str, wallet: Option<&str>) -> String {
    match wallet {
        // The length, because a name may have any characters.
        Some(wallet) => format!("w:{}:{wallet}:{key}", wallet.len()),
        None => format!("k:{key}"),
    }
}

impl DecisionRow {
    /// The outcomes of decisions, and those of payouts.
    pub const OUTCOMES: &[&str] = &[
        "allow",
        "deny",
        "preflight_failed",
        "execution_failed",
        "paid_fulfillment_failed",
        "inconclusive",
        "executing",
        "sent",
        "refused",
        "unknown",
        "failed",
    ];

    /// The key that its client gave it, if it did.
    #[must_use]
    pub fn client_key(&self) -> Option<&str> {
        let key = self.key.as_deref()?;
        let of_wallet = || {
            let (bytes, rest) = key.strip_prefix("w:")?.split_once(':')?;
            rest.get(bytes.parse().ok()?..)?.strip_prefix(':')
        };
        key.strip_prefix("k:").or_else(of_wallet)
    }

    /// Whether it is a payout.
    #[must_use]
    pub fn is_payout(&self) -> bool {
        self.agent == PAYOUTS
    }
}
