//! The rows of skills, their versions and their room.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A skill. Key: id. Indexes: owner where `active`; created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillRow {
    /// `id`: part of its path.
    pub id: String,
    /// The wallet that owns it and is paid, with its EIP-55 checksum.
    pub owner: String,
    /// `agentId`: a label that its owner chose.
    pub agent: String,
    /// Its name.
    pub name: String,
    /// The description of what it does.
    pub description: String,
    /// Whether it is sold.
    pub active: bool,
    /// The version that is sold if none is named.
    pub latest: String,
    /// When it was published.
    pub created: u64,
    /// When it was changed.
    pub changed: u64,
    /// When its id began to name it: another skill may have had that before. 0 in rows of an earlier version.
    #[serde(default)]
    pub since: u64,
    /// How often its secret was changed.
    pub rotation: u64,
    /// Whether it waits for the market's fee.
    pub owes: bool,
    /// The payment of the market's fee, if there was one.
    pub fee: Option<String>,
    /// The market's fee when it was published, dollars; `None` if none was set, and in rows of an earlier version.
    #[serde(default)]
    pub told_fee: Option<String>,
    /// Why the gate's reader refuses its route, if it does.
    pub refused: Option<String>,
    /// The room that it takes in the gate's route table; none while it waits for the market's fee.
    #[serde(default)]
    pub room: Room,
    /// Whether money that moved was worth its row, which is found by its receipts for ever, or the
    /// operator took it back, so that it is never published anew.
    #[serde(default = "yes")]
    pub used: bool,
    /// Whether it was ever called or paid for: then a receipt may tell of its terms.
    #[serde(default = "yes")]
    pub called: bool,
    /// The network that it was published from.
    #[serde(default)]
    pub client: String,
    /// Whether it was taken back to make room: then its owner may publish it again.
    #[serde(default)]
    pub made_room: bool,
    /// Until when money that moved for it keeps its place.
    #[serde(default)]
    pub place_until: u64,
}

impl SkillRow {
    /// Whether people and agents find it.
    #[must_use]
    pub const fn is_listed(&self) -> bool {
        self.active && !self.owes
    }

    /// Whether it makes room for no one.
    #[must_use]
    pub const fn has_place(&self, now: u64) -> bool {
        self.place_until > now
    }
}

/// A row of before that does not say so may be in receipts.
const fn yes() -> bool {
    true
}

/// A share of the gate's route table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Routes.
    pub routes: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// How often an owner has published since then. Key: owner, or the network that all publish from
/// whose skills have no place. Deleted after an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateRow {
    /// The wallet, or the network.
    pub owner: String,
    /// Begin of the hour.
    pub since: u64,
    /// How often.
    pub count: u64,
}

/// The server that asks for the money of a skill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charges {
    /// The gate in front of the market.
    Gate,
    /// The seller's own server.
    Seller,
}

impl Charges {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Seller => "seller",
        }
    }
}

/// A version of a skill. Key: skill and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRow {
    /// The skill's id.
    pub skill: String,
    /// Its version.
    pub version: String,
    /// The price in whole units of the asset.
    pub price: String,
    /// The asset's symbol.
    pub asset: String,
    /// CAIP-2 ids on which it can be paid.
    pub networks: Vec<String>,
    /// `priceXLM`, as the owner wrote it, or computed from dollars; `None` for another asset.
    pub xlm: Option<String>,
    /// The seller's server.
    pub call_url: String,
    /// The method with which it is called.
    pub method: String,
    /// The server that asks for the money.
    pub charges: Charges,
    /// `after` or `before`.
    pub settle: String,
    /// The gate's description of requests, JSON; empty if the owner said nothing.
    pub bazaar: String,
    /// Plans of prepaid calls with their prices, a JSON object; empty if there are none.
    pub packs: String,
    /// From when it was sold.
    pub created: u64,
    /// Until when it was what a request without a version buys; `None` if it still is.
    pub until: Option<u64>,
}

impl VersionRow {
    /// Whether its `callUrl` has a query of its own, to which a buyer adds nothing.
    pub(in crate::skills) fn has_query(&self) -> bool {
        self.call_url.contains('?')
    }

    /// Whether a call of it has no body.
    pub(in crate::skills) fn is_bare(&self) -> bool {
        self.method == "GET"
    }
}

/// A nonce that an owner has signed. Key: owner and nonce. Deleted once it is past its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceRow {
    /// The wallet.
    pub owner: String,
    /// 32 bytes, `0x` hex in lower case.
    pub nonce: String,
    /// Until when its signature would count.
    pub until: u64,
}

/// Which state of the catalogue the gate's route table has. One row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRow {
    /// Grows by one with each change of the catalogue.
    pub wanted: u64,
    /// The state that was written last.
    pub written: u64,
    /// When the next attempt is due; `None` if there is nothing to write.
    pub due: Option<u64>,
    /// How often the last state could not be written.
    pub failures: u64,
    /// The layout of the state that is wanted.
    #[serde(default)]
    pub layout: u32,
    /// A digest of the market's settings in the state that is wanted.
    #[serde(default)]
    pub settings: u64,
    /// The market's fee in the state that is wanted, dollars; none where there is no fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<String>,
    /// The fee before that: the gate may still take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_fee: Option<String>,
}
