//! Messages from the Worker to a treasury object, and their answers: owned, versioned JSON.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::row::Scope;

/// The head of a client's request, as far as it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// `Authorization`.
    pub authorization: String,
    /// `x-402flow-sdk-version`.
    #[serde(default)]
    pub version: Option<String>,
    /// `x-farebox-candidate`.
    #[serde(default)]
    pub candidate: Option<String>,
}

/// A command. The Worker passes on what came; the object decides everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// `POST /api/sdk/runtime-tokens`.
    Exchange(Caller),
    /// `POST /api/sdk/payment-decisions`, with the body as it came.
    Decide(Caller, String),
    /// `GET /api/sdk/receipts/{id}`.
    LookUp(Caller, String),
    /// `GET /api/sdk/identity`.
    Identify(Caller),
    /// `GET /api/sdk/open-decisions`.
    Open(Caller),
    /// `GET /api/lookup/decisions`: that of this agent under this key. Who asks was let in.
    Known {
        /// The agent.
        agent: String,
        /// The client's key.
        key: String,
    },
    /// `GET /api/lookup/receipts/{id}`. Who asks was let in.
    KnownReceipt(String),
    /// The replies to an [`Answer::Prepare`].
    Prepared {
        /// The attempt.
        attempt: String,
        /// The grant.
        fence: u64,
        /// The signer's signature, `0x` hex; `None` if none was asked for or none came.
        #[serde(default)]
        signature: Option<String>,
        /// The body of the node's reply; `None` if none was asked for or none came.
        #[serde(default)]
        balance: Option<String>,
    },
    /// The merchant's answer to an [`Order`].
    Answered {
        /// The attempt.
        attempt: String,
        /// The grant.
        fence: u64,
        /// The answer.
        answer: MerchantAnswer,
        /// How often the order was sent.
        #[serde(default)]
        sent: u32,
    },
    /// No complete answer came to an [`Order`]; `sent` is whether any byte may have left.
    Lost {
        /// The attempt.
        attempt: String,
        /// The grant.
        fence: u64,
        /// Whether any byte may have left.
        sent: bool,
    },
    /// The node's answer to an [`Enquiry`]; `None` if no complete answer came.
    Enquired {
        /// The payment in an escrow contract.
        escrow: String,
        /// The grant.
        fence: u64,
        /// The body of its reply.
        reply: Option<String>,
    },
    /// A request of the operator.
    Operate(Operation),
    /// A request about a payment by link.
    Link(LinkCommand),
    /// A link asks for an authorization, in the object that keeps who has it: [`LinkClaim`].
    Claim {
        /// Name of the authorization.
        name: String,
        /// The link.
        link: String,
        /// End of the authorization, unix seconds.
        until: u64,
    },
}

/// A request about a payment by link. Who makes one or takes it back was let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkCommand {
    /// Makes one, with the body as it came, under this origin.
    Make(String, String),
    /// Takes the one with this id back.
    Cancel(String),
    /// Tells its terms.
    Read(String),
    /// Tells its state.
    Status(String),
    /// Pays it, with the body as it came.
    Pay(String, String),
    /// Asks its URL, with `PAYMENT-SIGNATURE` if that was sent.
    Visit(String, String, Option<String>),
    /// The outcome of a [`LinkClaim`], with the command that it was made for.
    Claimed(Box<LinkCommand>, ClaimTold),
}

/// The outcome of a [`LinkClaim`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimTold {
    /// The link that has the authorization; `None` if the node's reply gave no reason to ask.
    pub holder: Option<String>,
    /// The body of the node's reply; `None` if no complete answer came.
    pub sight: Option<String>,
}

/// A request of the operator. Documents are JSON text as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The organization: environment, rules, agents.
    Overview,
    /// Puts rules.
    PutPolicy(Scope, String),
    /// Lists agents.
    Agents,
    /// Adds an agent, or enables it again.
    PutAgent(String),
    /// Disables an agent.
    DisableAgent(String),
    /// Makes a bootstrap key for an agent.
    IssueKey(String),
    /// Lists the bootstrap keys of an agent.
    Keys(String),
    /// Takes a bootstrap key back, and the runtime tokens that were made for it.
    RevokeKey(String),
    /// Lists the runtime tokens of an agent.
    Tokens(String),
    /// Takes all runtime tokens of an agent back.
    RevokeTokens(String),
    /// The spending of each budget.
    Budgets,
    /// Lists reviews.
    Reviews(Listing),
    /// Lets the request of a review be paid once.
    Approve(String),
    /// Denies it.
    Deny(String),
    /// Lists decisions.
    Decisions(Listing),
    /// One decision with its attempt and receipt.
    Decision(String),
    /// A page of attempts as `csv` or `jsonl`.
    Export(Listing, String),
    /// Recomputes what was spent from the attempts.
    Audit(Listing),
    /// Lists changes of rules.
    Log(Listing),
    /// Numbers for monitoring.
    Metrics,
    /// `POST /api/payouts`, with the body as it came.
    PayOut(String),
    /// Lists payouts.
    Payouts(Listing),
    /// One payout.
    Payout(String),
    /// `POST /api/payouts` with a token that pays out of this wallet alone, and the body as it
    /// came.
    PayOutFrom(String, String),
    /// One payout, with a token of this wallet: its id.
    PayoutFrom(String, String),
}

/// Which part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Where the part before it ended.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Maximum rows.
    #[serde(default)]
    pub limit: Option<String>,
    /// Only of this agent.
    #[serde(default)]
    pub agent: Option<String>,
    /// Only with this outcome, or state.
    #[serde(default)]
    pub outcome: Option<String>,
}

/// The answer of a merchant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerchantAnswer {
    /// HTTP status.
    pub status: u32,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text, or in base64 if it is no UTF-8; at most 1 MiB of bytes.
    pub body: String,
    /// Whether `body` is base64.
    #[serde(default)]
    pub base64: bool,
    /// Whether the body was longer than that; one that broke off is [`Command::Lost`].
    #[serde(default)]
    pub cut: bool,
}

/// The answers of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The response to the client.
    Reply(Reply),
    /// Ask the signer, the node, or both, and report with [`Command::Prepared`].
    Prepare(Box<Preparation>),
    /// Send this, and report with [`Command::Answered`] or [`Command::Lost`].
    Send(Box<Order>),
    /// Ask the node, and report with [`Command::Enquired`].
    Enquire(Box<Enquiry>),
    /// Ask for the authorization, and the node about it; report with [`LinkCommand::Claimed`].
    Claim(Box<LinkClaim>),
    /// The link that has the authorization of a [`Command::Claim`].
    Held(String),
    /// Nothing to tell: to the alarm.
    Done,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// HTTP status.
    pub status: u32,
    /// Header fields, `content-type` included.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// A response of JSON.
    #[must_use]
    pub fn json(status: u32, body: String) -> Self {
        Self::new(status, "application/json", body)
    }

    /// A response of this media type.
    #[must_use]
    pub fn new(status: u32, kind: &str, body: String) -> Self {
        let headers = [("content-type", kind), ("cache-control", "no-store")];
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_string()));
        Self { status, headers: headers.into(), body }
    }

    /// The same response with one more header field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }
}

/// The things that are needed before a payment is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preparation {
    /// The attempt.
    pub attempt: String,
    /// The grant.
    pub fence: u64,
    /// The binding of the signer, and the typed data for it, JSON.
    pub signer: Option<(String, String)>,
    /// The node's URL, and the body of a JSON-RPC request to it.
    pub balance: Option<(String, String)>,
}

/// A request to a node about a payment in an escrow contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enquiry {
    /// The payment.
    pub escrow: String,
    /// The grant.
    pub fence: u64,
    /// The node's URL.
    pub node: String,
    /// The body of a JSON-RPC request to it.
    pub body: String,
    /// Milliseconds to wait before it.
    pub pause_ms: u32,
}

/// The questions before a link takes a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkClaim {
    /// The object that is asked with [`Command::Claim`].
    pub object: String,
    /// Name of the authorization.
    pub name: String,
    /// The link.
    pub link: String,
    /// End of the authorization, unix seconds.
    pub until: u64,
    /// Number of the chain.
    pub chain_id: u64,
    /// The node's URL, and the body of a JSON-RPC request to it: it is asked first.
    pub node: (String, String),
    /// The command that it is for.
    pub asked: LinkCommand,
}

/// A request to a merchant, with its payment. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The attempt.
    pub attempt: String,
    /// The grant.
    pub fence: u64,
    /// HTTP method.
    pub method: String,
    /// Where to.
    pub url: String,
    /// Header fields, the payment included.
    pub headers: Vec<(String, String)>,
    /// The body; `None` sends none.
    pub body: Option<String>,
    /// Until when it may be sent again.
    pub until: u64,
}
