//! Messages from the Worker to the market's object, and their answers: owned, versioned JSON.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::offered::{Cursor, Edition, Offered};
use super::table::{StoredTable, TableDraft};

/// A command. The Worker passes on what came; the object decides everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// `GET /api/marketplace/skills/{id}`.
    Show(String),
    /// Asks which edition of the catalogue there is; answered with [`Answer::Edition`].
    Edition,
    /// Reads the listed skill with this id, for its page and its document; answered with
    /// [`Answer::Skills`].
    Offered(String),
    /// Reads a part of all listed skills, the one after this skill; answered with [`Answer::Skills`].
    Skills(Option<Cursor>),
    /// `POST /api/marketplace/skills`: the labels of its head, and the body as it came.
    Publish(Labels, String),
    /// `POST /api/marketplace/skills/{id}/versions`.
    Revise(Labels, String, String),
    /// `DELETE /api/marketplace/skills/{id}`; the body has the proof.
    Deactivate(Labels, String, String),
    /// `POST /api/marketplace/skills/{id}/rotate`.
    Rotate(Labels, String, String),
    /// `POST /api/marketplace/skills/typed-data`: what a wallet signs for this body. The query may
    /// name `action` and `skill`.
    TypedData(String, String),
    /// Has the gate's route table looked at: what it is stored in has a life of its own.
    Wake,
    /// Reads the route table as it has to be, beside the one that is stored; answered with
    /// [`Answer::Table`], or [`Answer::Nothing`] if it is written already.
    Table(StoredTable),
    /// The table of this revision was written, without the routes of the skills that the gate's
    /// reader refused, each with the reason.
    TableWritten(u64, Vec<(String, String)>),
    /// The table could not be read or written.
    TableFailed,
    /// A request that the gate forwarded to `/s/…`, `/packs/…` or `/fees/…`, its signature checked.
    Sold(Box<Sale>),
    /// `POST /api/marketplace/skills/{id}/invoke`.
    Invoke(Box<Invocation>),
    /// The outcome of an [`Errand::Call`].
    Called {
        /// The invocation.
        invocation: String,
        /// The grant.
        fence: u64,
        /// The outcome.
        outcome: CallOutcome,
    },
    /// The outcome of an [`Errand::Pay`], or of a [`Chore::LookUp`]; `None` if no complete answer
    /// came.
    Paid {
        /// The invocation.
        invocation: String,
        /// The grant.
        fence: u64,
        /// The treasury's answer.
        answer: Option<TreasuryAnswer>,
    },
    /// Looks for the answer to an invocation that another request began.
    Follow(String),
    /// Asks for the alarm's tasks now; answered with [`Answer::Tasks`].
    Due,
    /// `GET /api/marketplace/invocations`, with the query as it came.
    Invocations(Viewer, String),
    /// `GET /api/marketplace/invocations/{id}`.
    InvocationById(Viewer, String),
    /// `GET /api/marketplace/agents/{agentId}/spend`.
    Spend(Viewer, String),
    /// `GET /api/marketplace/export`, with the query: `format`, `cursor`, `limit`.
    Export(Viewer, String),
    /// `POST /api/marketplace/import`: JSON lines of an export.
    Import(Viewer, String),
    /// A question about the ledger again, with the objects of the archive that it needs: names and
    /// texts.
    Opened(Box<Command>, Vec<(String, String)>),
    /// The shelf that the archive needs; answered with [`Answer::Shelf`] or [`Answer::Nothing`].
    Shelf,
    /// The content of the bucket under the name of a shelf after it was put.
    Kept(String, Option<String>),
    /// `GET /api/marketplace/packs/{id}` with the pack's key, or the operator's view.
    Pack(String),
    /// `GET /api/marketplace/metrics` of the operator.
    Metrics(Viewer),
    /// A request of the original's shapes; only with `COMPATIBILITY`.
    Original(Box<OriginalRequest>),
}

/// The caller's labels in the head of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// `x-agent-id`: a label, which proves nothing.
    #[serde(default)]
    pub agent: Option<String>,
    /// `Authorization`: compared with the operator's token, never shown or stored.
    #[serde(default)]
    pub authorization: Option<String>,
    /// The network that it comes from.
    #[serde(default)]
    pub client: String,
}

/// The holder of a runtime token, as the treasury names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// Name of the organization.
    pub organization: String,
    /// Name of the agent.
    pub agent: String,
}

/// The reader of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Viewer {
    /// Whoever shows the operator's token.
    Operator,
    /// An agent, by its treasury token.
    Agent(Proven),
    /// Anyone else.
    Anyone,
}

/// A request to invoke a skill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// The skill's id.
    pub skill: String,
    /// `?version=`.
    #[serde(default)]
    pub version: Option<String>,
    /// The caller, if the treasury knows the token.
    #[serde(default)]
    pub caller: Option<Proven>,
    /// `Farebox-Pack`.
    #[serde(default)]
    pub pack: Option<String>,
    /// `Idempotency-Key`.
    #[serde(default)]
    pub key: Option<String>,
    /// The body as it came.
    pub body: String,
}

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// A complete answer.
    Answer(SellerAnswer),
    /// No head within the time.
    Timeout,
    /// No connection, or it broke.
    Unreachable,
    /// A redirect; it is not followed.
    Redirect,
    /// A body of more than [`MAX_BODY_BYTES`].
    TooLarge,
}

/// A seller's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerAnswer {
    /// HTTP status.
    pub status: u32,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text, or in base64 if it is no UTF-8.
    pub body: String,
    /// Whether `body` is base64.
    #[serde(default)]
    pub base64: bool,
}

/// The treasury's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreasuryAnswer {
    /// HTTP status.
    pub status: u32,
    /// `Farebox-Figures`.
    #[serde(default)]
    pub figures: Option<String>,
    /// `Farebox-Money` of a look-up.
    #[serde(default)]
    pub money: Option<String>,
    /// `Farebox-Transaction` of a look-up: in which the chain shows that it moved.
    #[serde(default)]
    pub transaction: Option<String>,
    /// The body.
    pub body: String,
}

/// The answers of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The response to the client.
    Reply(Response),
    /// Do this, and report.
    Errand(Errand),
    /// Another request works on it: ask with [`Command::Follow`] again, at most until this time
    /// in unix milliseconds; then give the response.
    Follow {
        /// The invocation.
        invocation: String,
        /// Until when.
        until: u64,
        /// The response if it is still not over.
        late: Response,
    },
    /// Forward the request that was sold.
    Forward(Box<Forward>),
    /// Write this table.
    Table(Box<TableDraft>),
    /// Put this into the archive.
    Shelf(Box<ShelfDraft>),
    /// Read these objects of the archive, and ask with [`Command::Opened`].
    Fetch(Vec<String>),
    /// The edition of the catalogue that there is.
    Edition(Edition),
    /// The listed skills.
    Skills {
        /// The edition that they are of.
        edition: Edition,
        /// The newest first.
        skills: Vec<Offered>,
        /// After which skill there may be more of them.
        next: Option<Cursor>,
    },
    /// Work for the alarm.
    Tasks(Vec<Chore>),
    /// Ask the node, and repeat the command with its replies.
    Evidence(Box<EvidenceCall>),
    /// Put this question to the bound `REPUTATION`, and repeat the command with its answer.
    Reputation(String),
    /// Nothing to tell.
    Nothing,
}

impl From<Response> for Answer {
    fn from(reply: Response) -> Self {
        Self::Reply(reply)
    }
}

/// Work on an invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    /// Call this, and report with [`Command::Called`].
    Call(Box<SellerCall>),
    /// Repeat the call that was answered with a 402, with one more header field, and report with
    /// [`Command::Called`]: only of markets that pretend.
    Prove(Box<MockProof>),
    /// Send [`PayOrder::document`] to the treasury, with the agent's own token, and report with
    /// [`Command::Paid`].
    Pay(Box<PayOrder>),
}

/// By which way a skill is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// To the seller's server.
    Seller,
    /// To the gate, by its binding.
    Gate,
}

/// A request to a seller. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerCall {
    /// The invocation.
    pub invocation: String,
    /// The grant.
    pub fence: u64,
    /// By which way.
    pub through: Through,
    /// HTTP method.
    pub method: String,
    /// Where to.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body; `None` sends none.
    pub body: Option<String>,
    /// Milliseconds to the head.
    pub timeout_ms: u64,
}

/// The proof of a pretended payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MockProof {
    /// The invocation.
    pub invocation: String,
    /// The grant.
    pub fence: u64,
    /// The header field's name, lower case, and value.
    pub header: (String, String),
}

/// A request to the treasury.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayOrder {
    /// The invocation; also the idempotency key.
    pub invocation: String,
    /// The grant.
    pub fence: u64,
    /// Name of the organization.
    pub organization: String,
    /// Name of the agent.
    pub agent: String,
    /// Digest of the offer that may be paid.
    pub candidate: String,
    /// Most that may be paid, in whole tokens.
    pub max_amount: String,
    /// Milliseconds to wait before it is sent.
    pub delay_ms: u64,
}

/// Work for the alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chore {
    /// Read the number of the table that is stored, ask for [`Command::Table`], and write that.
    Table,
    /// Ask for [`Command::Shelf`], put it, read it, and report with [`Command::Kept`].
    Shelve,
    /// `GET /api/lookup/decisions?organization=&agent=&key=` with the look-up token, and report with
    /// [`Command::Paid`]; 404 is reported as it is.
    LookUp {
        /// The invocation; also the key.
        invocation: String,
        /// The grant.
        fence: u64,
        /// Name of the organization.
        organization: String,
        /// Name of the agent.
        agent: String,
    },
}

/// An object of the archive: JSON lines of [`super::row::InvocationRow`], oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShelfDraft {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A request that was paid at the gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query without `?`.
    pub query: String,
    /// `Farebox-Payer`; empty if only the chain knows.
    pub payer: String,
    /// `Farebox-Payment`.
    pub payment: String,
    /// `Farebox-Amount`, atomic units.
    pub amount: String,
    /// `Farebox-Asset`, the token's address.
    pub asset: String,
    /// `Farebox-Network`.
    pub network: String,
    /// `Farebox-Transaction`; empty if it was not settled yet.
    pub transaction: String,
    /// `Idempotency-Key`.
    pub key: String,
}

/// A request for a seller whose price was paid. The client's body follows as it comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// HTTP method.
    pub method: String,
    /// Where to, the client's query included.
    pub url: String,
    /// Header fields that are set, besides the content headers of the request.
    pub headers: Vec<(String, String)>,
    /// Milliseconds to the head.
    pub timeout_ms: u64,
}

/// A request of the original's shapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginalRequest {
    /// HTTP method.
    pub method: String,
    /// The path, such as `/api/protocol/x402/quote`.
    pub path: String,
    /// The query without `?`.
    #[serde(default)]
    pub query: String,
    /// The body as it came.
    #[serde(default)]
    pub body: String,
    /// `Authorization`.
    #[serde(default)]
    pub authorization: Option<String>,
    /// The network of who asks, as the platform or the gate in front says.
    #[serde(default)]
    pub client: String,
    /// The bodies of the node's replies to all [`EvidenceCall`]s so far, in their order; an empty
    /// one did not come.
    #[serde(default)]
    pub replies: Vec<String>,
    /// The body of the answer to an [`Answer::Reputation`]; empty if none came.
    #[serde(default)]
    pub reputation: Option<String>,
}

/// The questions to a node about a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceCall {
    /// CAIP-2 id of the chain.
    pub network: String,
    /// The node.
    pub url: String,
    /// Bodies of JSON-RPC requests to it.
    pub requests: Vec<String>,
}

/// A response.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// HTTP status.
    pub status: u32,
    /// Header fields, `content-type` included.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Response {
    /// A response of JSON that may be cached as its client likes.
    pub fn json(status: u32, body: String) -> Self {
        let headers = [("content-type".to_string(), "application/json".to_string())];
        Self { status, headers: headers.into(), body }
    }

    /// The same response, which is never stored.
    pub fn no_store(self) -> Self {
        self.with("cache-control", "no-store")
    }

    /// The same response with one more header field.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }
}

/// Maximum size of a seller's answer to an invocation, and of a client's body, bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
