//! The rows of attempts to pay, and what belongs to each.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::access::{PAYOUTS, Scope};

/// Why nothing is learnt of a payment whose network has no node, in `why` of its row.
pub(crate) const NO_NODE: &str = "no_node";

/// Where the money of an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Money {
    /// Counted, and not signed.
    Reserved,
    /// Counted, and signed: it may move.
    Signed,
    /// Moved, as the chain shows with enough confirmations.
    Spent,
    /// Never moves; not counted any more.
    Void,
}

/// The kinds of work of the alarm on attempts: each has its own places, so that none waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Payouts, whatever they need.
    Payouts,
    /// Payments of agents that someone worked on, and perhaps does no more.
    Interrupted,
    /// Payments of agents about which the chain is read, and those whose time ends.
    Reads,
}

/// The open payments of an agent or of all: those whose requests are not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenPayments {
    /// How many there are.
    pub count: u64,
    /// Bytes of the requests that are kept for them.
    pub bytes: u64,
}

/// One payment. Key: id, that of its decision's `attempt`. Indexes: due; turn, agent and due; receipt id; money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// `paymentAttemptId`.
    pub id: String,
    /// `paidRequestId`.
    pub decision: String,
    /// The agent that pays.
    pub agent: String,
    /// Where the money stands.
    pub money: Money,
    /// The last grant: a report under another one changes nothing.
    pub fence: u64,
    /// Until when its holder may work on it; `None` if no one does.
    pub lease: Option<u64>,
    /// When the alarm has to look at it; `None` if there is nothing left to do.
    pub due: Option<u64>,
    /// Name of the wallet.
    pub wallet: String,
    /// CAIP-2 id.
    pub network: String,
    /// The token's contract.
    pub contract: String,
    /// Its symbol.
    pub symbol: String,
    /// Its fraction digits.
    pub decimals: u8,
    /// The payer.
    pub from: String,
    /// The payee.
    pub to: String,
    /// Atomic units.
    pub value: String,
    /// 32 bytes, hex.
    pub nonce: String,
    /// As signed.
    pub valid_after: u64,
    /// As signed.
    pub valid_before: u64,
    /// When it was counted in the budgets.
    pub counted: u64,
    /// The payment header's name and value, once it is signed; of a long value only the hash, once
    /// it is not sent any more.
    pub header: Option<(String, String)>,
    /// How often the alarm has sent it.
    pub resends: u32,
    /// How often the chain was read.
    pub reads: u32,
    /// Why it is still open, if a reading said so.
    pub why: Option<String>,
    /// The receipt, once there is one.
    pub receipt: Option<ReceiptFacts>,
    /// `receiptId` that it has or will have.
    pub receipt_id: String,
    /// The runtime token that asked for it; none of a payout.
    #[serde(default)]
    pub token: Option<String>,
    /// The origin of the URL that it is sent to; empty in a row from before that was kept.
    #[serde(default)]
    pub merchant: String,
}

impl AttemptRow {
    /// Whether it is a payout.
    #[must_use]
    pub fn is_payout(&self) -> bool {
        self.agent == PAYOUTS
    }

    /// The budgets in which it counts.
    #[must_use]
    pub fn scopes(&self) -> Vec<Scope> {
        match self.is_payout() {
            true => Vec::from([Scope::Payouts]),
            false => Vec::from([Scope::Organization, Scope::Agent(self.agent.clone())]),
        }
    }

    /// The transaction in which the chain shows that it has moved, once that is final.
    #[must_use]
    pub fn shown_transaction(&self) -> Option<&str> {
        let receipt = self.receipt.as_ref().filter(|it| it.on_chain);
        receipt.filter(|_| self.money == Money::Spent)?.transaction.as_deref()
    }

    /// The turn in which the alarm works on it.
    #[must_use]
    pub fn turn(&self) -> Turn {
        match (self.is_payout(), self.lease) {
            (true, _) => Turn::Payouts,
            (false, Some(_)) => Turn::Interrupted,
            (false, None) => Turn::Reads,
        }
    }

    /// Name of what the chain lets happen once: network, contract, payer and nonce.
    #[must_use]
    pub fn payment(&self) -> String {
        [&self.network, &self.contract, &self.from, &self.nonce]
            .map(String::as_str)
            .join(" ")
            .to_lowercase()
    }
}

/// The members of a receipt that change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptFacts {
    /// `status`.
    pub status: String,
    /// `reconciliationStatus`.
    pub reconciliation: String,
    /// `settlementEvidenceClass`.
    pub evidence: String,
    /// `fulfillmentStatus`.
    pub fulfillment: String,
    /// The transaction that the merchant or the chain names.
    pub transaction: Option<String>,
    /// Whether the chain shows that transaction.
    pub on_chain: bool,
    /// `createdAt`.
    pub created: u64,
    /// `confirmedAt`.
    pub confirmed: Option<u64>,
    /// `completedAt`.
    pub completed: Option<u64>,
}

impl ReceiptFacts {
    /// The transaction, unless the chain has shown the payment unused since it was named: it may be
    /// that of another one.
    #[must_use]
    pub fn transaction(&self) -> Option<&str> {
        self.transaction.as_deref().filter(|_| self.evidence != Self::DOUBTED)
    }

    /// `settlementEvidenceClass` of a payment whose receipt the merchant has shown.
    pub(crate) const SHOWN: &str = "merchant_verifiable_success";
    /// That of one without any evidence.
    pub(crate) const UNSHOWN: &str = "none";
    /// `settlementEvidenceClass` of a claim that the chain does not bear out so far.
    pub(crate) const DOUBTED: &str = "inconclusive";
}

impl OpenPayments {
    /// Whether there are so many that no other one begins.
    #[must_use]
    pub const fn are_many(&self, most: &Self) -> bool {
        self.count >= most.count || self.bytes >= most.bytes
    }
}

/// The request of an attempt, as it is sent, and the terms it pays; it leaves once it is not sent
/// any more. Key: the attempt's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// HTTP method.
    pub method: String,
    /// The merchant's URL.
    pub url: String,
    /// Header fields that are sent, without the payment.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// Header fields of the merchant's challenge.
    pub challenge_headers: Vec<(String, String)>,
    /// The body of the merchant's challenge.
    pub challenge_body: String,
    /// `protocol` of the challenge.
    pub protocol: String,
    /// The place of the offer among those of the challenge.
    pub offer: u32,
    /// Realms of hosts, JSON, as they were configured.
    pub realms: String,
}
