//! The rows of agents, their tokens and their policies.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// In whose name payouts are kept; no agent can have it.
pub const PAYOUTS: &str = "$payouts";

/// The owner of a rule or budget.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All agents together.
    Organization,
    /// One agent, by its name.
    Agent(String),
    /// The operator's payouts.
    Payouts,
}

impl Scope {
    /// The key of its row: `organization`, `agent:` and the name, or `payouts`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Organization => "organization".into(),
            Self::Agent(name) => alloc::format!("agent:{name}"),
            Self::Payouts => "payouts".into(),
        }
    }
}

/// One agent. Key: name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRow {
    /// Its name.
    pub name: String,
    /// Whether none of its tokens counts.
    pub disabled: bool,
    /// When it was added.
    pub created: u64,
    /// Start of the day of its last denial, UTC.
    #[serde(default)]
    pub denied_day: u64,
    /// Its denials of that day.
    #[serde(default)]
    pub denied: u32,
    /// Start of the day of its last payment that ended and never moved, UTC.
    #[serde(default)]
    pub unmoved_day: u64,
    /// Its payments of that day that did.
    #[serde(default)]
    pub unmoved: u32,
}

impl AgentRow {
    /// An agent that begins.
    #[must_use]
    pub const fn new(name: String, created: u64) -> Self {
        let (denied_day, denied, unmoved_day, unmoved) = (0, 0, 0, 0);
        Self { name, disabled: false, created, denied_day, denied, unmoved_day, unmoved }
    }
}

/// The purpose of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Is exchanged for runtime tokens.
    Bootstrap,
    /// Asks for decisions.
    Runtime,
}

/// A token, without its secret. Key: id. Index: agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Its public part.
    pub id: String,
    /// Its purpose.
    pub kind: TokenKind,
    /// The agent that it belongs to.
    pub agent: String,
    /// SHA-256 of the secret, hex.
    pub hash: String,
    /// When it was made.
    pub created: u64,
    /// When it ends.
    pub expires: Option<u64>,
    /// Whether it was taken back.
    pub revoked: bool,
    /// The bootstrap key that it was made for, or [`Self::SEEDED`].
    pub parent: Option<String>,
}

impl TokenRow {
    /// The name that stands for the parent of a bootstrap key that the configuration seeds; no id
    /// is written so.
    pub const SEEDED: &str = "-";

    /// Whether the configuration seeded it.
    #[must_use]
    pub fn is_seeded(&self) -> bool {
        self.kind == TokenKind::Bootstrap && self.parent.as_deref() == Some(Self::SEEDED)
    }
}

/// The rules of a scope. Key: scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRow {
    /// The scope of the rules.
    pub scope: Scope,
    /// Grows by one with each change.
    pub version: u64,
    /// The rules, JSON.
    pub document: String,
    /// When they were changed.
    pub changed: u64,
}
