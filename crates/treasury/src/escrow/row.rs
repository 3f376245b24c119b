//! The stored form of a payment in an escrow contract.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The goal of a payment. It begins as [`EscrowGoal::Funded`], and changes once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscrowGoal {
    /// It is registered.
    Funded,
    /// Its seller has it.
    Released,
    /// Its buyer has it back.
    Refunded,
}

/// How far a payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscrowStage {
    /// The chain does not show its goal.
    Open,
    /// The chain shows it, in too few blocks.
    Sent,
    /// The chain shows it for good.
    Confirmed,
    /// The chain shows what excludes it: a person has to look.
    Excluded,
}

/// The call of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscrowDeed {
    /// `registerFacilitatorPayment`.
    Register,
    /// `release`.
    Release,
    /// `refund`.
    Refund,
}

/// The fate of a transaction, as the chain showed it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscrowFate {
    /// It is in no block, and may come into one.
    Flying,
    /// It is in a block, and did what it calls.
    Mined,
    /// It is in a block, and did nothing.
    Reverted,
    /// Another transaction has its nonce.
    Overtaken,
}

/// A transaction that was signed. It was written before it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscrowTry {
    /// The call that it makes.
    pub deed: EscrowDeed,
    /// Its nonce.
    pub nonce: u64,
    /// Its tip, wei.
    pub tip: String,
    /// Its highest price, wei.
    pub max_fee: String,
    /// Its hash, `0x` hex.
    pub hash: String,
    /// The bytes that are sent, `0x` hex.
    pub bytes: String,
    /// Its fate.
    pub fate: EscrowFate,
}

/// A payment in an escrow contract. Key: id. Indexes: due; wallet where a transaction is flying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscrowRow {
    /// `esc_` and the 64 digits that name it in the contract.
    pub id: String,
    /// The wallet and its network.
    pub wallet: String,
    /// CAIP-2 id of the chain.
    pub network: String,
    /// The contract, with its checksum.
    pub contract: String,
    /// The account that paid, with its checksum.
    pub buyer: String,
    /// The account that is to have the money, with its checksum.
    pub seller: String,
    /// Atomic units.
    pub amount: String,
    /// The transaction that paid it.
    pub settlement: String,
    /// The goal of the payment.
    pub goal: EscrowGoal,
    /// How far it is.
    pub stage: EscrowStage,
    /// Every transaction that was signed for it, oldest first.
    pub tries: Vec<EscrowTry>,
    /// When the last one was signed.
    pub sent: u64,
    /// When it was sent last.
    pub resent: u64,
    /// How often in a row its nonce was gone and no block was seen to have it.
    pub gone: u32,
    /// The block that first showed the goal.
    pub seen: Option<u64>,
    /// Why it is not further.
    pub why: Option<String>,
    /// How often it failed in a row.
    pub failures: u32,
    /// Whether the grant is to send the last transaction: what the node answers to that proves nothing.
    pub sending: bool,
    /// The last grant: a report under another one changes nothing.
    pub fence: u64,
    /// Until when who has the grant waits for the goal.
    pub until: u64,
    /// When the alarm has to look; `None` if there is nothing left to do.
    pub due: Option<u64>,
    /// When it was first asked for.
    pub created: u64,
    /// When it changed.
    pub changed: u64,
}

impl EscrowRow {
    /// Whether one of its transactions may still come into a block.
    #[must_use]
    pub fn is_flying(&self) -> bool {
        self.tries.iter().any(|it| it.fate == EscrowFate::Flying)
    }

    /// Takes what is in the air for overtaken: its wallet need not wait for it.
    pub(super) fn overtake(&mut self) {
        for it in self.tries.iter_mut().filter(|it| it.fate == EscrowFate::Flying) {
            it.fate = EscrowFate::Overtaken;
        }
    }

    /// Whether another row says the same of a payment.
    #[must_use]
    pub fn is_about(&self, other: &Self) -> bool {
        self.wallet == other.wallet
            && self.contract == other.contract
            && self.settlement == other.settlement
            && self.buyer == other.buyer
            && self.seller == other.seller
            && self.amount == other.amount
    }

    /// The transaction that did this, if it is one of these.
    #[must_use]
    pub fn mined(&self, deed: EscrowDeed) -> Option<&str> {
        let mut tries = self.tries.iter();
        let found = tries.find(|it| it.deed == deed && it.fate == EscrowFate::Mined);
        found.map(|it| it.hash.as_str())
    }

    /// The call for its goal, once it is registered.
    #[must_use]
    pub const fn leaving(&self) -> Option<EscrowDeed> {
        match self.goal {
            EscrowGoal::Funded => None,
            EscrowGoal::Released => Some(EscrowDeed::Release),
            EscrowGoal::Refunded => Some(EscrowDeed::Refund),
        }
    }
}

/// The nonces of a wallet. Key: wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceRow {
    /// The wallet and its network.
    pub wallet: String,
    /// The lowest nonce that was not given out.
    pub next: u64,
    /// When the last one was given out.
    pub at: u64,
}
