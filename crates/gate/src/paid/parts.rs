//! The parts of a paid request: what was asked, which nothing changes once the request's body is read;
//! what was checked, and what is known so far.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;

use crate::attempts::ClientKey;
use crate::checked::{CheckedPayment, Eligibility, Protocol};
use crate::keys::Keys;
use crate::offer::{Choice, Offer};
use crate::parts::{Chains, PayerRules, Settlers, Shards, Upstream};
use crate::recorded::FirstSight;
use crate::request::IncomingRequest;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::http::ResponseHead;
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::payment::{Proof, TxHash};
use farebox_ledger::attempts::{FailureCause, FailureStreak};
use farebox_ledger::command::{Mode, Role};
use farebox_wire::facilitator::breaker::Condition;
use farebox_wire::facilitator::payers::Conduct;
use farebox_wire::facilitator::wire::Expected;

/// Payments: the parts of the gate that carry them out.
#[derive(Clone, Copy)]
pub(crate) struct Payments<'g> {
    pub keys: &'g Keys,
    pub shards: &'g Shards,
    pub origin: &'g Upstream,
    pub settlement: &'g Settlers,
    pub payers: &'g PayerRules,
    pub chains: &'g Chains,
}

/// Longest time in which a long body goes out, seconds.
const MAX_UPLOAD_SECS: u64 = 300;

/// A purchase that cannot be changed any more.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct FixedPurchase<'g>(Purchase<'g>);

/// The request, its route and the terms that it pays.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct Purchase<'g> {
    pub parts: Payments<'g>,
    pub offer: Cow<'g, Offer>,
    pub choice: Cow<'g, Choice>,
    pub request: IncomingRequest,
    pub body: RequestBody,
}

/// The body of a request, as far as its payment is bound to it.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) enum RequestBody {
    /// None, or not read yet.
    Unread,
    /// SHA-256, hex.
    Digest(String),
    /// Longer than what is read.
    Long,
}

impl RequestBody {
    /// The form that the binding covers.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Unread => "none",
            Self::Digest(digest) => digest,
            Self::Long => "long",
        }
    }

    /// Seconds that it may take on its way to the origin, beside the origin's own time: one that
    /// was digested is here.
    pub(super) const fn upload_secs(&self) -> u64 {
        match self {
            Self::Unread | Self::Digest(_) => 0,
            Self::Long => MAX_UPLOAD_SECS,
        }
    }

    /// SHA-256 of the body; `None` if there is no body or it is too long.
    pub(super) fn digest(&self) -> Option<[u8; 32]> {
        match self {
            Self::Digest(digest) => digest_bytes(digest),
            Self::Unread | Self::Long => None,
        }
    }
}

/// The bytes of a digest in hex.
pub(crate) fn digest_bytes(digest: &str) -> Option<[u8; 32]> {
    hex::decode_array(&["0x", digest].concat()).ok()
}

impl<'g> FixedPurchase<'g> {
    pub(super) const fn new(purchase: Purchase<'g>) -> Self {
        Self(purchase)
    }

    /// Takes what was read of the request's body; `None` for a body that is too long.
    pub(super) fn take_digest(&mut self, digest: Option<String>) {
        self.0.body = digest.map_or(RequestBody::Long, RequestBody::Digest);
    }
}

impl<'g> Deref for FixedPurchase<'g> {
    type Target = Purchase<'g>;

    fn deref(&self) -> &Purchase<'g> {
        &self.0
    }
}

/// The payer, as far as the request shows it.
pub(crate) struct Payer<'g> {
    pub payment: CheckedPayment<'g>,
    /// The terms that a facilitator's replies must agree with.
    pub expected: Expected,
    /// Whether the payer signed a request to have this answer again.
    pub wallet: bool,
    /// Health of the facilitators, in the order of the configuration.
    pub facilitators: Vec<Condition>,
    /// The history of the payer.
    pub conduct: Conduct,
    /// The failures in a row of the client.
    pub streak: Option<(ClientKey, FailureStreak)>,
}

/// The payment and its payer, checked.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct Checked {
    pub protocol: Protocol,
    pub proof: Proof,
    pub expected: Expected,
    pub eligibility: Eligibility,
    pub signature: SignatureCheck,
    /// Whether only a contract can check the payer's signature.
    pub is_contract: bool,
    /// Whether the payer signed a request to have this answer again.
    pub wallet: bool,
}

/// The plan of settlement: by which facilitator, and when.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct SettlementPlan {
    /// Indices of the facilitators that may settle, the one to ask now first and the last resort
    /// last.
    pub facilitators: Vec<usize>,
    /// The route's mode; `before` if settlements fail, the payer is a contract or the chain itself
    /// settles.
    pub mode: Mode,
    /// Whether the facilitator that is asked now has verified it.
    pub verified: bool,
}

/// The row in the ledger, as of its last answer.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct KnownRow {
    pub receipt: String,
    /// Shard count and role of the object asked; two of each while the number changes.
    pub place: (u64, Role),
    /// For questions to the chain.
    pub first_sight: FirstSight,
    /// The amount that the row asks for, if this request shows another authorization of its nonce.
    pub held: Option<Amount>,
    /// Whether this request created the row.
    pub owner: bool,
    /// Whether the request has shown the ledger the first request's secret, or a signature.
    pub proven: bool,
    /// Whether the object was asked: first sight lies before that.
    pub claimed: bool,
    /// The message that waits until the other object of a change was heard.
    pub unheard: Option<Unheard>,
}

/// A message to an object that knows the payment, and the place of that object once the other one
/// was heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unheard {
    pub message: HeldMessage,
    pub place: (u64, Role),
}

/// A message that may have a payment asked for money.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeldMessage {
    /// A claim.
    Claim,
    /// A question to resume.
    Resume,
}

/// Questions to the chain so far.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct Lookups {
    /// Whether it was asked for the payment's fate, which happens once.
    pub inquired: bool,
    /// Calls that this payment has used up, of `MAX_LOOKS`.
    pub lookups: u32,
}

/// Failures so far, and those of earlier requests.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct Observed {
    /// Failures of the facilitator in a row, when the request came.
    pub consecutive_failures: u64,
    /// Whether nobody but its payer is assumed to know the authorization.
    pub is_private: bool,
    /// The cause of failure, as far as this request has learnt it.
    pub latest: Option<FailureCause>,
    /// The payer's failures in a row at this route.
    pub streak: Option<FailureStreak>,
    /// Failures in a row of the client, when the request came.
    pub client: Option<(ClientKey, FailureStreak)>,
    /// Reason why this payment, or a moment ago one from the same wallet, was refused: the request
    /// then begins no payment.
    pub recalled: Option<String>,
}

/// Work done for it so far.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct Work {
    pub transaction: Option<TxHash>,
    pub response: Option<(ResponseHead, Kept)>,
    /// The part of the greatest amount that is charged, once the origin has said so.
    pub charged: Option<Amount>,
    /// Time when the response was there; its receipt bears it, whenever that is written.
    pub served: UnixTime,
    /// Fence of the last record that may have moved the row on.
    pub fence: Option<u64>,
}

/// Whether the whole response is at the edge, to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Whole,
    Not,
}
