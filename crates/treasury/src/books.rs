//! The reads of a treasury from its storage, and the writes that it asks for.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::escrow::row::{EscrowRow, NonceRow};
use super::row::{
    AgentRow, AttemptRow, BudgetRow, DecisionRow, Kept, KeptAnswers, LogRow, Notice, OpenPayments,
    Parcel, PolicyRow, Removal, ReviewRow, Scope, TokenRow, Trace, Turn,
};
use farebox_base::time::UnixTime;
use farebox_wire::a2a::link::PaymentLink;

/// The open payments that are counted.
#[derive(Clone, Copy, Debug)]
pub enum OpenOf<'a> {
    /// Those of an agent to a payee at a merchant.
    Payee {
        /// The agent's name.
        agent: &'a str,
        /// The origin of the merchant's URL.
        merchant: &'a str,
        /// The address that is paid, with its checksum.
        payee: &'a str,
    },
    /// Those of an agent to a merchant, which may have many payees, as a market has.
    Merchant {
        /// The agent's name.
        agent: &'a str,
        /// The origin of the merchant's URL.
        merchant: &'a str,
    },
    /// Those of an agent.
    Agent(&'a str),
    /// Those of all agents, and payouts.
    All,
}

/// Reads of the rows of one organization. Each is one look into an index, and fails only with an
/// error of the storage.
pub trait Rows {
    /// The storage's error.
    type Error;

    /// The agent of this name.
    fn agent(&self, name: &str) -> Result<Option<AgentRow>, Self::Error>;

    /// All agents, by name.
    fn agents(&self) -> Result<Vec<AgentRow>, Self::Error>;

    /// The token with this id.
    fn token(&self, id: &str) -> Result<Option<TokenRow>, Self::Error>;

    /// All tokens of an agent, oldest first.
    fn tokens(&self, agent: &str) -> Result<Vec<TokenRow>, Self::Error>;

    /// The rules of a scope.
    fn policy(&self, scope: &Scope) -> Result<Option<PolicyRow>, Self::Error>;

    /// The decision with this id.
    fn decision(&self, id: &str) -> Result<Option<DecisionRow>, Self::Error>;

    /// The decision of an agent under this key.
    fn decision_by_key(&self, agent: &str, key: &str) -> Result<Option<DecisionRow>, Self::Error>;

    /// The open decisions of an agent for this request, newest first, without what their merchants answered.
    fn open_decisions(&self, agent: &str, request: &str) -> Result<Vec<DecisionRow>, Self::Error>;

    /// The newest open decisions of an agent, without what their merchants answered.
    fn open_of(&self, agent: &str, limit: u32) -> Result<Vec<DecisionRow>, Self::Error>;

    /// The attempt with this id.
    fn attempt(&self, id: &str) -> Result<Option<AttemptRow>, Self::Error>;

    /// The attempt that has this [`AttemptRow::payment`] and was signed or still counts; there is
    /// at most one.
    fn attempt_by_payment(&self, payment: &str) -> Result<Option<AttemptRow>, Self::Error>;

    /// The attempt with this receipt id.
    fn attempt_by_receipt(&self, receipt: &str) -> Result<Option<AttemptRow>, Self::Error>;

    /// The request of an attempt.
    fn parcel(&self, attempt: &str) -> Result<Option<Parcel>, Self::Error>;

    /// The agents that have attempts with a time at which they are due, of this kind, by name.
    fn waiting(&self, turn: Turn) -> Result<Vec<String>, Self::Error>;

    /// The attempts of an agent that are due at this second, of this kind, the longest due first;
    /// none for these merchants.
    fn due(
        &self,
        turn: Turn,
        agent: &str,
        without: &[&str],
        now: u64,
        limit: u32,
    ) -> Result<Vec<AttemptRow>, Self::Error>;

    /// The open payments: those that began and have not [ended](Change::Ended).
    fn open_payments(&self, of: OpenOf<'_>) -> Result<OpenPayments, Self::Error>;

    /// The budget of a scope.
    fn budget(&self, scope: &Scope) -> Result<Option<BudgetRow>, Self::Error>;

    /// The review with this id.
    fn review(&self, id: &str) -> Result<Option<ReviewRow>, Self::Error>;

    /// The review that a decision waits for or used.
    fn review_of(&self, row: &DecisionRow) -> Result<Option<ReviewRow>, Self::Error> {
        row.review.as_deref().map_or(Ok(None), |id| self.review(id))
    }

    /// The budget of a scope as of now; an empty one if there is none.
    fn budget_at(&self, scope: &Scope, now: UnixTime) -> Result<BudgetRow, Self::Error> {
        let row = self.budget(scope)?;
        Ok(row.unwrap_or_else(|| BudgetRow::new(scope.clone(), now)).at(now))
    }

    /// A page of decisions, newest first.
    fn decisions(&self, page: &Page) -> Result<Vec<DecisionRow>, Self::Error>;

    /// A page of attempts, oldest first.
    fn attempts(&self, page: &Page) -> Result<Vec<AttemptRow>, Self::Error>;

    /// A page of reviews, newest first; `outcome` is the verdict.
    fn reviews(&self, page: &Page) -> Result<Vec<ReviewRow>, Self::Error>;

    /// A page of the log, newest first.
    fn log(&self, page: &Page) -> Result<Vec<(u64, LogRow)>, Self::Error>;

    /// How many requests were answered with each outcome and code.
    fn outcomes(&self) -> Result<Vec<(String, String, u64)>, Self::Error>;

    /// The hash of the seed that was applied last.
    fn seed(&self) -> Result<Option<String>, Self::Error>;

    /// How far the removal of old rows is.
    fn removal(&self) -> Result<Option<Removal>, Self::Error>;

    /// Time and id of the rows from where this removal is that were written before a time, oldest
    /// first; of the log, the number twice.
    fn oldest(
        &self,
        removal: &Removal,
        before: u64,
        limit: u32,
    ) -> Result<Vec<(u64, String)>, Self::Error>;

    /// The answers of merchants that leave before their decisions.
    fn kept_answers(&self) -> Result<KeptAnswers, Self::Error>;

    /// [`DecisionRow::leaves`] and id of the decisions that have one, the earliest first.
    fn leaving(&self, limit: u32) -> Result<Vec<(u64, String)>, Self::Error>;

    /// The payment in an escrow contract with this id.
    fn escrow(&self, id: &str) -> Result<Option<EscrowRow>, Self::Error>;

    /// The payments in escrow contracts that are due at this second: those first that have a transaction
    /// in the air, for which the others of their wallet wait, and of these the longest due.
    fn escrows_due(&self, now: u64, limit: u32) -> Result<Vec<EscrowRow>, Self::Error>;

    /// Whether a payment of this [`EscrowRow::wallet`] beside that with this id [is
    /// flying](EscrowRow::is_flying).
    fn is_flying_beside(&self, wallet: &str, id: &str) -> Result<bool, Self::Error>;

    /// The nonces of this [`EscrowRow::wallet`].
    fn nonces(&self, wallet: &str) -> Result<Option<NonceRow>, Self::Error>;

    /// The payment by link with this id.
    fn link(&self, id: &str) -> Result<Option<PaymentLink>, Self::Error>;

    /// The link that has the authorization of this [`PaymentLink::payment_name`].
    fn claim(&self, name: &str) -> Result<Option<String>, Self::Error>;

    /// When the first authorization ends that a link has.
    fn claims_end(&self) -> Result<Option<u64>, Self::Error>;

    /// The payments by link that are due at this second, the longest due first.
    fn links_due(&self, now: u64, limit: u32) -> Result<Vec<PaymentLink>, Self::Error>;

    /// Whether there is a trace of this name.
    fn is_traced(&self, name: &str) -> Result<bool, Self::Error>;
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows after this one: its time and its id, as in the order of the list; of the log, its
    /// number as the time.
    pub after: Option<(u64, String)>,
    /// Maximum rows.
    pub limit: u32,
    /// Only those of this agent.
    pub agent: Option<String>,
    /// Only those with this outcome, verdict or state of the money.
    pub outcome: Option<String>,
}

/// One write. All of a decision are made in the block that read the rows, before its answer leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Puts an agent.
    Agent(AgentRow),
    /// Puts a token.
    Token(TokenRow),
    /// Deletes the token with this id.
    TokenGone(String),
    /// Puts rules.
    Policy(PolicyRow),
    /// Puts a decision.
    Decision(Box<DecisionRow>),
    /// Adds an attempt with its request.
    Begin(Box<AttemptRow>, Box<Parcel>),
    /// Puts an attempt that is there; its request stays as it is.
    Attempt(Box<AttemptRow>),
    /// Puts an attempt that is there and is not sent any more; its request leaves.
    Ended(Box<AttemptRow>),
    /// Deletes the request of the attempt with this id, which is open and never sent again.
    RequestGone(String),
    /// Keeps how much merchants have answered.
    KeptAnswers(KeptAnswers),
    /// Puts a budget.
    Budget(BudgetRow),
    /// Puts a review.
    Review(Box<ReviewRow>),
    /// Adds a line to the log.
    Log(LogRow),
    /// Tells the operator.
    Outbox(Notice),
    /// Keeps the hash of the seed.
    Seed(String),
    /// Deletes a row of this id, of the log one of this number.
    Gone(Kept, String),
    /// Adds a trace.
    Trace(Trace),
    /// Keeps how far the removal of old rows is.
    Removal(Removal),
    /// Puts a payment in an escrow contract.
    Escrow(Box<EscrowRow>),
    /// Puts the nonces of a wallet.
    Nonces(NonceRow),
    /// Puts a payment by link.
    Link(Box<PaymentLink>),
    /// Gives the authorization of this name to a link, until it ends.
    Claim(String, String, u64),
    /// Deletes what was given until this time or before.
    ClaimsGone(u64),
}
