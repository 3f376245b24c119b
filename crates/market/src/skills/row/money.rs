//! The rows of what is spent and sold ahead, and the sums.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::SkillRow;

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
    /// Millionths of a dollar that moved for it; 0 in rows of an earlier version.
    #[serde(default)]
    pub micros: u64,
    /// When it was bought.
    pub created: u64,
    /// Until when it is active.
    pub until: u64,
}

impl PackRow {
    /// Whether it is of this skill, and not of one that had its id before.
    #[must_use]
    pub fn is_of(&self, skill: &SkillRow) -> bool {
        let is_after = self.created >= skill.since;
        self.skill == skill.id && is_after
    }
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
