//! The stored form of what a treasury keeps: flat rows, money as text, times in unix seconds.
//!
//! Each row is written whole under its key. The request of an attempt is apart, as a [`Parcel`]: it
//! is written once and may be large.

use alloc::string::String;
use alloc::vec::Vec;

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
}

impl AgentRow {
    /// An agent that begins.
    #[must_use]
    pub const fn new(name: String, created: u64) -> Self {
        Self { name, disabled: false, created, denied_day: 0, denied: 0 }
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

/// Where a decision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is being paid.
    Executing,
    /// A person has to look first.
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
}

const fn once() -> u64 {
    1
}

impl DecisionRow {
    /// Whether it is a payout.
    #[must_use]
    pub fn is_payout(&self) -> bool {
        self.agent == PAYOUTS
    }
}

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

/// One payment. Key: id, that of its decision's `attempt`. Indexes: due; receipt id; money.
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
    pub(super) const SHOWN: &str = "merchant_verifiable_success";
    /// That of one without any evidence.
    pub(super) const UNSHOWN: &str = "none";
    /// `settlementEvidenceClass` of a claim that the chain does not bear out so far.
    pub(super) const DOUBTED: &str = "inconclusive";
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

/// The cost of one asset in the windows that are current.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetTally {
    /// The asset's symbol.
    pub symbol: String,
    /// Reserved and signed and not void, at 18 fraction digits.
    pub hour: String,
    /// The same of the day.
    pub day: String,
    /// The same of the month.
    pub month: String,
}

/// The spending of a scope in the current hour, day and month, UTC. Key: scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRow {
    /// The scope of the budget.
    pub scope: Scope,
    /// Start of the hour.
    pub hour: u64,
    /// Start of the day.
    pub day: u64,
    /// Start of the month.
    pub month: u64,
    /// The cost of each asset since then.
    pub assets: Vec<AssetTally>,
}

/// Where a review stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No one has looked.
    Open,
    /// It may be paid, once.
    Approved,
    /// It may not.
    Denied,
    /// It was paid.
    Used,
    /// Other terms or the end of its time came first.
    Expired,
}

/// A payment that a person has to look at. Key: id. Indexes: verdict; created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewRow {
    /// `policyReviewEventId`.
    pub id: String,
    /// `paidRequestId`.
    pub decision: String,
    /// The agent that asked.
    pub agent: String,
    /// Hash of the request.
    pub request: String,
    /// Digest of the offer.
    pub terms: String,
    /// HTTP method.
    pub method: String,
    /// The merchant's URL.
    pub url: String,
    /// The price for people.
    pub amount: String,
    /// The symbol of its asset.
    pub asset: String,
    /// The payee.
    pub payee: String,
    /// CAIP-2 id.
    pub network: String,
    /// Where it stands.
    pub verdict: Verdict,
    /// When it was asked for.
    pub created: u64,
    /// When it ends.
    pub expires: u64,
    /// When someone decided.
    pub decided: Option<u64>,
    /// Hash of the header fields and the body that would be sent.
    #[serde(default)]
    pub covers: String,
    /// Seconds for which the offer lets a payment be valid.
    #[serde(default)]
    pub timeout: u64,
    /// The header fields that would be sent, from the first.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Bytes of the header fields that are not here.
    #[serde(default)]
    pub headers_cut: u64,
    /// The beginning of the body.
    #[serde(default)]
    pub body: String,
    /// Bytes of the body that are not here.
    #[serde(default)]
    pub body_cut: u64,
}

impl ReviewRow {
    /// Whether its time has ended before it was denied or paid.
    #[must_use]
    pub const fn is_over(&self, now: u64) -> bool {
        now >= self.expires && matches!(self.verdict, Verdict::Open | Verdict::Approved)
    }
}

/// A change of the rules, of an agent or of a key. Key: number, given by the storage in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRow {
    /// When.
    pub at: u64,
    /// The kind of change, such as `policy.changed`.
    pub what: String,
    /// To which scope, agent, key or review.
    pub subject: String,
    /// The version that it has since then, if it has versions.
    pub version: Option<u64>,
    /// The new rules, or another remark.
    pub note: String,
}

/// Rows that leave after `KEEP_DAYS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Decisions, with the attempt of each.
    Decisions,
    /// Attempts that were given up for another one of their decision.
    Attempts,
    /// Reviews.
    Reviews,
    /// Lines of the log.
    Log,
}

/// How far the removal of old rows is. One row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// When it goes on.
    pub due: u64,
    /// The kind of rows that it goes through.
    pub kind: Kept,
    /// The last row that it has looked at: time and id, of the log the number.
    pub after: (u64, String),
    /// Rows of this time and later are all there.
    pub since: u64,
}

/// The answers of merchants that leave before their decisions. One row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswers {
    /// Bytes of all of them.
    pub bytes: u64,
    /// When the first of them leaves.
    pub due: Option<u64>,
}

/// The trace of a payment whose rows have left: a second one is not made under its key, nor with
/// its nonce. Key: name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Hash of agent and key, or of the payment.
    pub name: String,
    /// When it was left.
    pub at: u64,
}

/// Something that the operator's webhook is told. Key: id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its name, the same each time it is told.
    pub id: String,
    /// The kind of event, such as `review.created`.
    pub kind: String,
    /// When.
    pub at: u64,
    /// The body to send, JSON.
    pub body: String,
}
