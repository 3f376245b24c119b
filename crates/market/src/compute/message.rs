//! Messages from the Worker to the object of a profile, and their answers: owned, versioned JSON.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::errand::{ErrandKind, ErrandTurn, Errands};
use super::row::HoldRow;
pub use farebox_common::payout::PayoutAnswer;

/// A request of a seller: its `Authorization`, and its body as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerRequest {
    /// `Authorization`; empty if there is none.
    #[serde(default)]
    pub authorization: String,
    /// The body.
    pub body: String,
}

/// The owner of an identity token whose RS256 signature, issuer and times the Worker has checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `sub`.
    pub subject: String,
    /// The claims, a JSON object.
    pub claims: String,
}

/// A seller's report about a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callback {
    /// `start`.
    Start,
    /// `complete`.
    Complete,
    /// `fail`.
    Fail,
}

impl Callback {
    /// Its name in a path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Complete => "complete",
            Self::Fail => "fail",
        }
    }
}

/// A command. The Worker passes on what came; the object decides everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// `POST sellers/register`.
    Register {
        /// The client's network address, never of a header that clients write.
        client: String,
        /// The request.
        request: SellerRequest,
    },
    /// `POST sellers/session/challenge`.
    Challenge {
        /// The client's network address, never of a header that clients write.
        client: String,
        /// The request.
        request: SellerRequest,
        /// The node's reply to an [`Answer::Evidence`]; empty if none came; `None` at first.
        evidence: Option<String>,
    },
    /// `POST sellers/session`.
    Session {
        /// The request.
        request: SellerRequest,
        /// The owner of the identity token in `Authorization`, if it is one.
        identity: Option<Identity>,
        /// The node's reply to an [`Answer::Evidence`]; empty if none came; `None` at first.
        evidence: Option<String>,
    },
    /// `POST sellers/heartbeat`.
    Heartbeat(SellerRequest),
    /// `POST sellers/offline`.
    Offline(SellerRequest),
    /// `POST sellers/jobs`.
    SellerJobs(SellerRequest),
    /// `GET buyers/capabilities`.
    Capabilities,
    /// `POST jobs/quote`, with the client's network address.
    Quote {
        /// The client's network address, never of a header that clients write.
        client: String,
        /// The body.
        body: String,
    },
    /// `POST jobs/verify`.
    Verify {
        /// The payment in whatever field it came, as it came; empty if there is none.
        payment: String,
        /// The body.
        body: String,
    },
    /// `POST jobs`: the terms without a payment, else the job.
    Buy {
        /// The client's network address, never of a header that clients write.
        client: String,
        /// The payment in whatever field it came, as it came; empty if there is none.
        payment: String,
        /// The body.
        body: String,
    },
    /// The gate's answer to an [`Answer::Settle`] or [`Answer::Till`].
    Taken {
        /// The quote.
        quote: String,
        /// The job that an [`Answer::Settle`] named; empty after an [`Answer::Till`].
        #[serde(default)]
        job: String,
        /// The gate's status.
        status: u32,
        /// `code` of its body; empty if there is none.
        #[serde(default)]
        code: String,
        /// `errorReason` of its settlement; empty if there is none.
        #[serde(default)]
        reason: String,
        /// The transaction of its settlement; empty if it does not say.
        #[serde(default)]
        transaction: String,
    },
    /// The gate asks for the price of this URL.
    Price(String),
    /// The gate has no price for this quote of an [`Answer::Terms`].
    Unpriced(String),
    /// A request that the gate forwarded to `/till/…`, its signature checked.
    Sold(Box<TillPayment>),
    /// A settled payment for `/till/…` that the gate owes back.
    Owed(Box<TillPayment>),
    /// Looks again for the work that a buyer's request waits for.
    Follow(String),
    /// `GET jobs/:id`, with `Authorization`.
    Job {
        /// `Authorization`; empty if there is none.
        authorization: String,
        /// The job.
        id: String,
    },
    /// `POST jobs/:id/start`, `/complete` or `/fail`.
    Call {
        /// The job.
        id: String,
        /// The report of its seller.
        callback: Callback,
        /// The request.
        request: SellerRequest,
    },
    /// The treasury's answer to an [`Errand`]; `None` if no complete answer came.
    PaidOut {
        /// The payment whose money it is.
        payment: String,
        /// The grant.
        fence: u64,
        /// The treasury's answer.
        answer: Option<PayoutAnswer>,
    },
    /// The bound Worker's answer to a [`ProofQuestion`]; `None` if no complete answer came.
    Proven {
        /// The job.
        job: String,
        /// The grant.
        fence: u64,
        /// Its answer.
        answer: Option<String>,
    },
    /// `POST demo/run`. On [`Answer::Wait`] the answer is the one of [`View::Demo`](super::feed::View::Demo).
    Demo {
        /// The client's network address, never of a header that clients write.
        client: String,
        /// The body.
        body: String,
    },
    /// A command again, with the node's reply to its [`Answer::Evidence`]; empty if none came.
    Replied(Box<Command>, String),
    /// `POST operator/holds/:payment/ask`, of the operator.
    AskNow(String),
    /// `POST operator/holds/:payment/end`, of the operator.
    EndNow(String),
    /// Does one thing that is due and needs no call, else begins one of the errands that have a place
    /// beside these. The object's own alarm does it: no message says so.
    #[serde(skip)]
    Due(Errands),
    /// Deletes some rows that leave; there are more after an [`Answer::Done`].
    Sweep,
}

/// The gate's report of a payment for the till.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TillPayment {
    /// The quote that its path names.
    pub quote: String,
    /// `Farebox-Payment`.
    pub payment: String,
    /// `Farebox-Payer`; empty if only the chain knows.
    pub payer: String,
    /// `Farebox-Amount`, atomic units.
    pub amount: String,
    /// `Farebox-Asset`, the token's address.
    pub asset: String,
    /// `Farebox-Network`.
    pub network: String,
    /// `Farebox-Transaction`; empty if it was not settled yet.
    pub transaction: String,
}

/// The answers of the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The response to the client.
    Reply(JsonAnswer),
    /// The response to the client, with the header fields of the gate's terms for this quote.
    Terms(String, JsonAnswer),
    /// Send the client's payment to the till of this quote, tell what came with
    /// [`Command::Taken`], and answer with the reply to that, or with the gate's answer if there
    /// is none.
    Till(String),
    /// The same for a quote and the job that the request began: only what it tells may end that.
    Settle((String, String)),
    /// Send this body to the profile's node, and repeat the command with its reply: in its own
    /// field if it has one, else in [`Command::Replied`].
    Evidence(String),
    /// Ask with [`Command::Follow`] for this job again.
    Wait(String),
    /// Do this, and report with [`Command::PaidOut`].
    Errand(Box<Errand>),
    /// Ask the bound Worker, and report with [`Command::Proven`].
    Prove(Box<ProofQuestion>),
    /// It is done; there may be more that is due.
    Done,
    /// There is nothing to do.
    Nothing,
}

impl Answer {
    /// The errand that it asks for; `None` if it needs no call that an alarm makes.
    #[must_use]
    pub fn errand(&self) -> Option<ErrandTurn<'_>> {
        match self {
            Self::Errand(errand) => {
                Some(ErrandTurn { kind: errand.kind, id: &errand.payment, seller: &errand.seller })
            }
            Self::Prove(question) => Some(ErrandTurn {
                kind: ErrandKind::Proof,
                id: &question.job,
                seller: &question.seller,
            }),
            Self::Reply(_)
            | Self::Terms(..)
            | Self::Till(_)
            | Self::Settle(..)
            | Self::Evidence(_)
            | Self::Wait(_)
            | Self::Done
            | Self::Nothing => None,
        }
    }
}

impl From<JsonAnswer> for Answer {
    fn from(reply: JsonAnswer) -> Self {
        Self::Reply(reply)
    }
}

/// A question to the Worker that judges results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofQuestion {
    /// The job.
    pub job: String,
    /// Its seller.
    #[serde(default)]
    pub seller: String,
    /// The grant.
    pub fence: u64,
    /// The body, JSON.
    pub body: String,
}

/// A request to the treasury, or to the gate about what the treasury did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The payment whose money it is.
    pub payment: String,
    /// Its kind.
    #[serde(default)]
    pub kind: ErrandKind,
    /// The seller of its job; empty if there is none.
    #[serde(default)]
    pub seller: String,
    /// The grant.
    pub fence: u64,
    /// The call to make.
    pub ask: PayoutCall,
}

impl Errand {
    /// An errand about this money, under its grant.
    pub(super) fn about(hold: &HoldRow, ask: PayoutCall) -> Self {
        let (payment, seller) = (hold.payment.clone(), hold.payee.clone());
        Self { payment, kind: ErrandKind::of(hold), seller, fence: hold.fence, ask }
    }
}

/// The call of an errand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutCall {
    /// `POST /api/payouts` with this body.
    Pay(String),
    /// `GET /api/payouts/{id}` of this organization.
    Look {
        /// The payout.
        id: String,
        /// Name of the organization.
        organization: String,
    },
    /// Of the gate: `POST /_farebox/payments/{payment}/refunding`.
    Refunding {
        /// The payment, which no one else pays back from then on.
        payment: String,
        /// Whether the exchange knows of it by itself, whatever a restored gate has forgotten.
        restored: bool,
        /// Whether it bought a job that is done.
        sold: bool,
    },
    /// Of the gate: `POST /_farebox/payments/{payment}/refunded` with this transaction.
    Refunded {
        /// The payment that was paid back.
        payment: String,
        /// The transaction.
        transaction: String,
    },
}

/// A response of JSON.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JsonAnswer {
    /// HTTP status.
    pub status: u32,
    /// Header fields beside `content-type`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl JsonAnswer {
    /// A response that is never stored.
    pub fn new(status: u32, body: String) -> Self {
        let headers = [("cache-control".to_string(), "no-store".to_string())];
        Self { status, headers: headers.into(), body }
    }

    /// The same response with one more header field.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_string(), value.to_string()));
        self
    }
}
