//! The rows of sellers, and of the bonds that prove their wallets.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::is_false;

/// Whether a seller wants work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It said that it is gone, never came, or let a job lie.
    Offline,
    /// Its last word was a heartbeat.
    Online,
}

/// The state of the claims about a seller's offer from before it had proven who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claims {
    /// All said the same, or the seller itself has said it since.
    #[default]
    Agreed,
    /// Two said two things: the seller has to say which.
    Contested,
}

/// A seller. Key: id. Index: capability where online; client where nothing is proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerRow {
    /// Its wallet.
    pub id: String,
    /// The capability that it sells.
    pub capability: String,
    /// `price_per_task`, as it is shown.
    pub price: String,
    /// The price in atomic units.
    pub units: String,
    /// Jobs that it takes at once, 1 or more.
    pub capacity: u32,
    /// `passport_agent_id`.
    pub agent: String,
    /// The identity that it is bound to; empty until one was proven.
    pub subject: String,
    /// Sessions of an earlier one do not count.
    pub epoch: u64,
    /// Keyed hash of the token that renews its sessions; empty if there is none.
    pub renewal: String,
    /// A print of the secret of that hash; empty where a version that had none has written it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub keyed: String,
    /// Whether it wants work.
    pub presence: Presence,
    /// The last heartbeat.
    pub heartbeat: Option<u64>,
    /// When it was last given a seat to sell.
    pub served: u64,
    /// When it was registered, and then when it first proved who it is.
    pub created: u64,
    /// The network address that registered it.
    #[serde(default)]
    pub client: String,
    /// Whether it is known what it sells.
    #[serde(default)]
    pub claims: Claims,
    /// How often in a row it let a job lie.
    #[serde(default)]
    pub lapses: u32,
    /// When it last did.
    #[serde(default)]
    pub lapsed: u64,
    /// Until when it is given no work.
    #[serde(default)]
    pub rests_until: u64,
    /// The hour of which `told` counts.
    #[serde(default)]
    pub told_hour: u64,
    /// How many events tell of it in that hour.
    #[serde(default)]
    pub told: u32,
    /// Whether its wallet has signed a request for a bond, or it had an identity before one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub signs: bool,
}

impl SellerRow {
    /// Whether an identity was proven for it.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        !self.subject.is_empty()
    }
}

/// The asker of a bond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asker {
    /// Anyone: nothing says that it is the seller.
    #[default]
    Anyone,
    /// The seller, by a signature of its wallet or by its session.
    Seller,
}

/// A bond that a seller was asked for, so that it proves its wallet. Key: id. Unique: transaction
/// where it is not empty. Index: client and created; seller and agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondRow {
    /// `challenge_id`: 16 random bytes in hex.
    pub id: String,
    /// The network address that asked.
    pub client: String,
    /// The facts known of the caller who asked.
    #[serde(default)]
    pub asker: Asker,
    /// The epoch of the session that asked; none where the wallet signed, or anyone asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// The seller.
    pub seller: String,
    /// `passport_agent_id`.
    pub agent: String,
    /// The amount to transfer, atomic units.
    pub units: String,
    /// The newest block when it was asked for: the transfer comes later.
    pub block: u64,
    /// When it was made.
    pub created: u64,
    /// When it ends.
    pub until: u64,
    /// The transaction that proved it; empty until then.
    pub transaction: String,
    /// When it did.
    #[serde(default)]
    pub proven: u64,
}

impl BondRow {
    /// Whether this and another bond were asked for by the same right: a signature, a session, or none.
    pub(crate) fn is_asked_as(&self, other: &Self) -> bool {
        self.asker == other.asker && self.session.is_some() == other.session.is_some()
    }
}
