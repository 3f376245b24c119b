//! The stored form of what a market keeps: flat rows, money as decimal text, times in unix
//! milliseconds.
//!
//! Each row is written whole under its key. Prices and amounts are in whole units of their asset;
//! amounts in XLM have at most seven fraction digits.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The end of what has none, such as of a key that may pay: the greatest number that a column holds
/// exactly.
pub(super) const FOR_EVER: u64 = (1 << 53) - 1;

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
    /// How often its secret was changed.
    pub rotation: u64,
    /// Whether it waits for the market's fee.
    pub owes: bool,
    /// The payment of the market's fee, if there was one.
    pub fee: Option<String>,
    /// Why the gate's reader refuses its route, if it does.
    pub refused: Option<String>,
    /// The room that it takes in the gate's route table; none while it waits for the market's fee.
    #[serde(default)]
    pub room: Room,
    /// Whether money that moved was worth its row: then it is found by its receipts for ever.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRow {
    /// Grows by one with each change of the catalogue.
    pub wanted: u64,
    /// The state that was written last.
    pub written: u64,
    /// When the next attempt is due; `None` if there is nothing to write.
    pub due: Option<u64>,
    /// How often the last state could not be written.
    pub failures: u64,
}

/// How far an invocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The skill is asked without a payment.
    Calling,
    /// The treasury was asked to pay.
    Paying,
    /// The skill is asked with the proof of a mock payment.
    Proving,
    /// It is over.
    Done,
    /// It is over but for what became of the money.
    Doubtful,
}

impl Phase {
    /// Whether its answer never changes.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Doubtful)
    }
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It has not.
    Running,
    /// The skill answered and asked for no money.
    Free,
    /// Paid and delivered.
    PaidOk,
    /// Paid, or perhaps paid, and not delivered.
    PaidFailed,
    /// Not delivered, nothing paid.
    NotPaidFailed,
    /// The money would not have been enough; nothing paid.
    InsufficientBalance,
}

impl Ending {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Free => "free",
            Self::PaidOk => "paid_ok",
            Self::PaidFailed => "paid_failed",
            Self::NotPaidFailed => "not_paid_failed",
            Self::InsufficientBalance => "insufficient_balance",
        }
    }

    /// `status` of the original's records.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Free | Self::PaidOk => "success",
            Self::PaidFailed | Self::NotPaidFailed => "failed",
            Self::InsufficientBalance => "insufficient_balance",
        }
    }

    /// The ending with this name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Running,
            Self::Free,
            Self::PaidOk,
            Self::PaidFailed,
            Self::NotPaidFailed,
            Self::InsufficientBalance,
        ];
        all.into_iter().find(|ending| ending.name() == name)
    }
}

/// Whether money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// No.
    No,
    /// Yes.
    Yes,
    /// The chain will tell.
    Unknown,
}

/// One invocation. Key: number, given by the storage in order. Unique: id; network and `tx` where it
/// is not empty. Indexes: account; agent; skill; ending; due; account and digest where it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvocationRow {
    /// Its place in the ledger; 0 until the storage gave it one.
    pub number: u64,
    /// `ledgerId`; also the key of the treasury's decision.
    pub id: String,
    /// The account whose spend it counts in: organization and agent, or a pack.
    pub account: String,
    /// The organization; empty of a pack.
    pub organization: String,
    /// `agentId`.
    pub agent: String,
    /// `skillId`.
    pub skill: String,
    /// The version that was invoked.
    pub version: String,
    /// How far it is.
    pub phase: Phase,
    /// How it ended.
    pub ending: Ending,
    /// Whether money moved.
    pub paid: Moved,
    /// The amount that was paid, or would be, in whole units of the asset; `0` if nothing was
    /// asked.
    pub amount: String,
    /// The asset's symbol; empty if nothing was asked.
    pub asset: String,
    /// CAIP-2 id; empty if nothing was asked.
    pub network: String,
    /// `amountXLM`.
    pub xlm: String,
    /// The amount that counts in the cap of a day, dollars at 18 fraction digits as a whole number.
    pub counted: String,
    /// `txHash`; empty if there is none.
    pub tx: String,
    /// The treasury's receipt; empty if there is none.
    pub receipt: String,
    /// `invokedAt`.
    pub invoked: u64,
    /// When it ended.
    pub ended: Option<u64>,
    /// `error`; empty if there is none.
    pub error: String,
    /// The caller's idempotency key; empty if there is none.
    pub key: String,
    /// Digest of agent, skill, version and payload.
    pub digest: String,
    /// The pack that it consumed a call of; empty if none.
    pub pack: String,
    /// The last grant: a report under another one changes nothing.
    pub fence: u64,
    /// Until when its holder may work on it.
    pub lease: u64,
    /// When the alarm has to look at it; `None` if there is nothing left to do.
    pub due: Option<u64>,
    /// How often the treasury was asked to pay, always under the same key.
    #[serde(default)]
    pub asks: u32,
    /// How often the alarm has looked the decision up.
    pub looks: u32,
}

impl InvocationRow {
    /// A row of this account that is over at once, of which nothing else is known.
    pub(super) fn over(id: String, account: String, at: u64) -> Self {
        let (empty, zero) = (String::new, || String::from("0"));
        Self {
            number: 0,
            id,
            account,
            organization: empty(),
            agent: empty(),
            skill: empty(),
            version: empty(),
            phase: Phase::Done,
            ending: Ending::Free,
            paid: Moved::No,
            amount: zero(),
            asset: empty(),
            network: empty(),
            xlm: zero(),
            counted: zero(),
            tx: empty(),
            receipt: empty(),
            invoked: at,
            ended: Some(at),
            error: empty(),
            key: empty(),
            digest: empty(),
            pack: empty(),
            fence: 0,
            lease: 0,
            due: None,
            asks: 0,
            looks: 0,
        }
    }
}

/// Most invocations of a [`ShelfRow`].
pub const SHELF: u32 = 1_000;

/// Invocations in the archive. Key: last. Numbers of two shelves do not overlap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShelfRow {
    /// The smallest number.
    pub first: u64,
    /// The greatest number.
    pub last: u64,
    /// How many they are: what was not over is not among them.
    pub count: u64,
    /// The name of its object.
    pub name: String,
    /// When it was put.
    pub at: u64,
}

/// The work on the archive. One row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveRow {
    /// When the next attempt is due; `None` if the storage has no more rows than it keeps.
    pub due: Option<u64>,
    /// How often the next shelf could not be put.
    pub failures: u64,
}

/// The answer to an invocation, byte for byte. Key: invocation. Indexes: until; `is_long` and until.
/// Deleted once it has ended, or to make room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyRow {
    /// The invocation.
    pub invocation: String,
    /// HTTP status.
    pub status: u32,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// Until when it is kept.
    pub until: u64,
    /// Bytes of body and header fields.
    #[serde(default)]
    pub bytes: u64,
    /// Whether it is among the first that make room.
    #[serde(default)]
    pub is_long: bool,
}

/// The meaning of an idempotency key. Key: account and key. Deleted after 30 days if nothing was
/// paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The account of the key.
    pub account: String,
    /// The key.
    pub key: String,
    /// Digest of agent, skill, version and payload.
    pub digest: String,
    /// The invocation.
    pub invocation: String,
    /// Until when it counts.
    pub until: u64,
}

/// An account's spend of one asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendTally {
    /// The asset's symbol.
    pub asset: String,
    /// By invocations that were paid and delivered.
    pub spent: String,
    /// By those that were paid, and not delivered.
    pub failed: String,
}

/// The spend of an account. Key: account. Index: agent. Written in the transaction of each row that
/// it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendRow {
    /// Organization and agent, or a pack.
    pub account: String,
    /// The organization; empty of a pack.
    pub organization: String,
    /// `agentId`.
    pub agent: String,
    /// `totalXLM`: the sum over successes.
    pub xlm: String,
    /// `paidFailedXLM`.
    pub failed_xlm: String,
    /// The same by asset.
    pub assets: Vec<SpendTally>,
    /// Successes that cost nothing.
    pub free: u64,
    /// Paid and delivered.
    pub paid_ok: u64,
    /// Paid and not delivered.
    pub paid_failed: u64,
    /// Not delivered and not paid.
    pub not_paid_failed: u64,
    /// Without enough money.
    pub insufficient: u64,
    /// Start of the UTC day that `counted` is of.
    pub day: u64,
    /// Dollars paid or perhaps paid since then, at 18 fraction digits as a whole number.
    pub counted: String,
}

/// Prepaid calls of a skill. Key: id. Unique: hash; payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackRow {
    /// Its public part.
    pub id: String,
    /// SHA-256 of the secret, hex.
    pub hash: String,
    /// The skill.
    pub skill: String,
    /// The plan.
    pub plan: String,
    /// The payment that bought it, the gate's id.
    pub payment: String,
    /// The account that paid; empty if only the chain knows.
    pub payer: String,
    /// Calls that were paid.
    pub calls: u64,
    /// Calls that were made.
    pub used: u64,
    /// When it was bought.
    pub created: u64,
    /// Until when it is active.
    pub until: u64,
}

/// Numbers of everything that a market keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketFigures {
    /// Invocations that were free.
    pub free: u64,
    /// Paid and delivered.
    pub paid_ok: u64,
    /// Paid and not delivered.
    pub paid_failed: u64,
    /// Not delivered and not paid.
    pub not_paid_failed: u64,
    /// Without enough money.
    pub insufficient: u64,
    /// That are not over.
    pub running: u64,
    /// Skills that are active.
    pub skills: u64,
    /// Packs that were sold.
    pub packs: u64,
    /// Calls of packs that were made.
    pub pack_calls: u64,
    /// Quotes that are kept.
    pub quotes: u64,
    /// Quotes that were settled.
    pub settled: u64,
    /// Subscriptions that serve.
    pub subscriptions: u64,
}
