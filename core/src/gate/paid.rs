//! The way of one payment through the gate: each effect comes with the only value able to take its
//! answer.
//!
//! `after`: claim, verify, forward, seal, settle, record, respond. `before`: claim, settle, record,
//! forward, seal, respond. A response too long or too slow to be stored streams instead of being
//! sealed. Assumptions:
//! - the edge carries out one [`Step`] after the other and hands each answer to the value that came
//!   with it;
//! - everything between the claim and the last record goes on when the client leaves;
//! - bodies stay at the edge; [`Body::Held`](super::reply::Body::Held) stands for the one it holds.

mod answers;
mod ask;
mod body;
mod claiming;
mod inquire;
mod looking;
mod onchain;
mod origin;
mod receipt;
mod recording;
mod refusal;
mod settle;
pub(super) mod take;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

pub use self::body::{Digesting, MAX_DIGESTED_BYTES};
pub(super) use self::body::{digest_bytes, incomplete};
pub use self::claiming::Claiming;
pub use self::inquire::Reading;
pub use self::looking::{Looking, Resuming};
pub use self::origin::{Collected, Collecting, Forwarding, OriginReply, StreamEnd, Streaming};
pub use self::recording::{Abort, AfterRecord, Recording};
pub use self::settle::{Settling, Verifying, Waiting};
pub use self::take::Taking;
use super::Gate;
use super::call::{ChainCall, FacilitatorCall, LedgerCall, object};
use super::checked::{Eligibility, Protocol};
use super::diagnose::cause_of;
use super::forward::OriginCall;
use super::keys;
use super::offer::{Choice, Offer, VERIFY_SECS};
use super::pricer::question;
use super::recorded::FirstSight;
use super::reply::{Audience, Reply};
use super::unpaid::Unpaid;
use crate::encoding::json;
use crate::facilitator::breaker::{Condition, SettlementHealth};
use crate::facilitator::unproven::queue::Verdict;
use crate::facilitator::wire::{Expected, Facilitator};
use crate::http::{BodyPresence, RequestHead, ResponseHead};
use crate::ledger::attempts::{Counting, FailureCause, FailureStreak};
use crate::ledger::command::{
    Asking, Command, Envelope, Leases, Mode, Proving, Question, Role, VERSION,
};
use crate::ledger::inquiry::height;
use crate::mutant::{Mutant, planted};
use crate::payment::authorization::SignatureCheck;
use crate::payment::{Proof, TxHash};
use crate::problem::Code;
use crate::time::UnixTime;

/// Limit on the facilitators that one request asks, one after the other: each may take its full
/// deadline while the client waits.
const MAX_FACILITATORS: usize = 2;
/// Placeholder: every route names a facilitator.
static NOBODY: Facilitator = Facilitator::NONE;
/// Longest time that a client waits for an unknown settlement to be resolved, seconds; the work
/// goes on after it.
const DOUBT_SECS: u64 = 10;

/// The next effect to carry out.
#[must_use]
pub enum Step<'g> {
    /// Forward it without the payment: the request is free by now.
    Pass(OriginCall, Unpaid),
    /// Read up to [`MAX_DIGESTED_BYTES`] of the request's body and hash them.
    Digest(Digesting<'g>),
    /// Ask the ledger object of the payer to begin the payment.
    Claim(LedgerCall, Claiming<'g>),
    /// Ask the ledger object to continue a payment that this request may not begin.
    Resume(LedgerCall, Resuming<'g>),
    /// Ask the ledger object about a payment whose signature is not proven.
    Look(LedgerCall, Looking<'g>),
    /// Ask the facilitator whether it would settle.
    Verify(FacilitatorCall, Verifying<'g>),
    /// Ask the origin.
    Forward(OriginCall, Forwarding<'g>),
    /// Read the origin's body to its end, within these limits.
    Collect(BodyLimits, Collecting<'g>),
    /// Make the facilitator settle.
    Settle(FacilitatorCall, Settling<'g>),
    /// Ask the object of a transaction which payment it belongs to.
    Take(LedgerCall, Taking<'g>),
    /// Ask a node of the chain.
    Read(ChainCall, Reading<'g>),
    /// Record something in the ledger object; [`LedgerCall::with_body`] says whether the collected
    /// body goes along.
    Record(LedgerCall, Recording<'g>),
    /// Answer, let the held body stream, and report how that went.
    Stream(Reply, Streaming<'g>),
    /// Answer.
    Respond(Reply),
}

impl Step<'_> {
    /// The outcome of a call about an unverified payment, read from the step that follows it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Claim(..) | Self::Resume(..) => Verdict::Good,
            // Refused; the ledger is asked whether a copy has paid.
            Self::Look(_, looking) if looking.is_after_refusal() => Verdict::Bad,
            Self::Respond(reply) => match reply.code {
                Some(Code::VerifyRefused | Code::SettlementUnknown) => Verdict::Bad,
                _ => Verdict::Open,
            },
            _ => Verdict::Open,
        }
    }
}

/// Limits for collecting a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes.
    pub bytes: u64,
    /// Seconds from now.
    pub secs: u64,
}

/// The payer, as far as the request shows it.
pub(super) struct Payer {
    /// The protocol that it came in.
    pub protocol: Protocol,
    /// The proof.
    pub proof: Proof,
    /// The terms that a facilitator's replies must agree with.
    pub expected: Expected,
    /// Whether it came in time.
    pub eligibility: Eligibility,
    /// Whether its signature holds.
    pub signature: SignatureCheck,
    /// Whether the payer signed a request to have this answer again.
    pub wallet: bool,
    /// Health of the facilitators, in the order of the configuration.
    pub facilitators: Vec<Condition>,
    /// The failures in a row of the client's network.
    pub seen: Option<FailureStreak>,
}

/// The state of one paid request.
pub struct PaidRequest<'g> {
    gate: &'g Gate,
    offer: Cow<'g, Offer>,
    choice: Cow<'g, Choice>,
    /// Indices of the facilitators that may settle, the one to ask now first and the last resort
    /// last.
    facilitators: Vec<usize>,
    /// The route's mode; `before` if settlements fail, the payer is a contract or the chain itself
    /// settles.
    mode: Mode,
    head: RequestHead,
    protocol: Protocol,
    proof: Proof,
    expected: Expected,
    eligibility: Eligibility,
    signature: SignatureCheck,
    /// Whether the facilitator that is asked now has verified it.
    verified: bool,
    /// Whether only a contract can check the payer's signature.
    is_contract: bool,
    wallet: bool,
    correlation: String,
    /// Failures of the facilitator in a row, when the request came.
    consecutive_failures: u64,
    /// Whether the authorization has not ended, or has ended only lately.
    is_recent: bool,
    /// The cause of failure, as far as this request has learnt it.
    blame: Option<FailureCause>,
    /// The payer's failures in a row at this route.
    tally: Option<FailureStreak>,
    /// Failures in a row of the client's network, when the request came.
    network: Option<FailureStreak>,
    receipt: String,
    digest: String,
    fence: u64,
    /// Shard count and role of the object asked; two of each while the number changes.
    place: (u64, Role),
    /// First sight, for questions to the chain.
    seen: FirstSight,
    /// Whether this request created the row.
    owner: bool,
    /// Whether the request has shown the ledger the first request's secret, or a signature.
    proven: bool,
    /// Whether the chain was asked.
    inquired: bool,
    /// Whether the object was asked: first sight lies before that.
    claimed: bool,
    /// Reason why this payment, or a moment ago one from the same wallet, was refused: the request
    /// then begins no payment.
    recalled: Option<String>,
    /// Calls that this payment has used up, of `MAX_LOOKS`.
    lookups: u32,
    transaction: Option<TxHash>,
    response: Option<(ResponseHead, Kept)>,
    /// Time when the response was there; its receipt bears it, whenever that is written.
    served: UnixTime,
}

/// Whether the whole response is at the edge, to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Whole,
    Not,
}

impl<'g> PaidRequest<'g> {
    /// Begins with a proof that passed every local check.
    pub(super) fn begin(
        gate: &'g Gate,
        (offer, choice): (Cow<'g, Offer>, Cow<'g, Choice>),
        head: RequestHead,
        payer: Payer,
        correlation: String,
        now: UnixTime,
    ) -> Step<'g> {
        let recent =
            now < UnixTime::from_secs(payer.proof.valid_before.secs()).plus(refusal::RECENT_SECS);
        let Payer { protocol, proof, expected, eligibility, signature, wallet, seen, .. } = payer;
        let conditions = payer.facilitators;
        let condition = |place: &usize| conditions.get(*place).copied().unwrap_or_default();
        // A facilitator that is known to be down is asked last.
        let (mut facilitators, down): (Vec<usize>, Vec<usize>) =
            choice.facilitators.iter().partition(|place| condition(place).ready);
        facilitators.extend(down);
        facilitators.truncate(MAX_FACILITATORS);
        let Condition { health, consecutive_failures, .. } =
            facilitators.first().map(condition).unwrap_or_default();
        let admit_priced = offer.pricer.is_some();
        let by_chain = proof.onchain.is_some();
        let is_contract =
            signature == SignatureCheck::Deferred && proof.payer.is_some() && !by_chain;
        let shard = gate.keys.shard(proof.place(), gate.shards.count);
        let receipt = gate.keys.receipt_id(&proof.key, shard);
        let with_body = head.body == BodyPresence::Present;
        let paid = Box::new(Self {
            gate,
            facilitators,
            // While settlements fail, nothing is served on credit. A contract may change its mind,
            // and the signer of a transaction may replace it by another one.
            mode: match health {
                SettlementHealth::Good if !is_contract && !by_chain => offer.mode,
                SettlementHealth::Good | SettlementHealth::Failing => Mode::Before,
            },
            offer,
            choice,
            head,
            protocol,
            proof,
            expected,
            eligibility,
            signature,
            verified: false,
            is_contract,
            wallet,
            correlation,
            consecutive_failures,
            is_recent: recent,
            blame: match eligibility {
                Eligibility::Expired => Some(Code::Expired),
                // A client that was quoted a price does nothing wrong when the price changes.
                Eligibility::TermsChanged(code) if !admit_priced => Some(code),
                _ => None,
            }
            .map(|code| FailureCause { cause: cause_of(code), reason: code.name().to_string() }),
            tally: None,
            network: seen,
            receipt,
            digest: "none".to_string(),
            fence: 0,
            place: gate.shards.first(),
            seen: FirstSight::now(UnixTime::from_secs(0)),
            owner: false,
            proven: false,
            inquired: false,
            claimed: false,
            recalled: None,
            lookups: 0,
            transaction: None,
            response: None,
            served: now,
        });
        if with_body { Step::Digest(Digesting(paid)) } else { paid.digested() }
    }

    /// The hash of the request and its terms; the first use of the payment fixes it.
    fn binding(&self) -> String {
        let terms = &self.choice.terms;
        let (asset, pay_to) = match &terms.token {
            Some(token) => (token.asset.as_bytes().as_slice(), token.pay_to.as_bytes().as_slice()),
            None => (terms.asset.as_bytes(), terms.pay_to.as_bytes()),
        };
        let amount = terms.amount.to_be_bytes();
        let mut parts = Vec::from([
            self.head.method.as_bytes(),
            self.head.authority().as_bytes(),
            self.head.target().as_bytes(),
            self.head.headers.get("range").unwrap_or_default().as_bytes(),
            self.digest.as_bytes(),
            &amount,
            asset,
            terms.network.as_str().as_bytes(),
            pay_to,
        ]);
        // A price quoted for one question pays for no answer to another.
        let named = self.offer.pricer.is_some() && !planted(Mutant::QuestionUnbound);
        let question = named.then(|| question(&self.head));
        parts.extend(question.as_deref().map(str::as_bytes));
        keys::digest(&parts)
    }

    /// A command to the object that keeps this payer's rows.
    fn call(&self, command: Command) -> LedgerCall {
        let (payer, key) = (self.proof.account(), self.proof.key.to_hex());
        let (role, counting) = (self.place.1, self.counting());
        self.send(&Envelope { v: VERSION, payer, key, command, role, counting })
    }

    /// A question to the same object.
    fn asking(
        &self,
        ask: Question,
        counting: Option<Counting>,
        proving: Option<Proving>,
    ) -> LedgerCall {
        let (payer, key) = (self.proof.account(), self.proof.key.to_hex());
        self.send(&Asking { v: VERSION, payer, key, ask, role: self.place.1, counting, proving })
    }

    fn send(&self, message: &impl Serialize) -> LedgerCall {
        let shards = self.place.0;
        let shard = self.gate.keys.shard(self.proof.place(), shards);
        let message = json::text(message);
        LedgerCall::new(object(shards, shard), message)
    }

    /// Counter for a failure of the payer; `None` unless the payer is proven and the route counts
    /// failures.
    fn counting(&self) -> Option<Counting> {
        self.offer.diagnostics.filter(|_| self.is_proven()).map(|limits| Counting {
            route: self.offer.route.clone(),
            exceeded_after: limits.exceeded_after,
            blame: self.blame.clone().filter(|blame| self.is_the_payers(blame)),
        })
    }

    /// For the log: the payment key's prefix and the route.
    fn label(&self) -> (String, String) {
        (format!("{:?}", self.proof.key), self.offer.route.clone())
    }

    /// Takes the newest block at first sight from a node's reply.
    fn saw(&mut self, reply: Option<&[u8]>) {
        self.seen.block = height::read(self.choice.chain_id(), reply).ok();
    }

    /// A transaction of this payment's network by its name there.
    fn named(&self, name: &str) -> Option<TxHash> {
        TxHash::on(self.choice.terms.network.as_str(), name)
    }

    /// The payer in the chain's notation; empty if unknown.
    fn payer_text(&self) -> String {
        self.proof.payer.map(|payer| payer.to_checksum()).unwrap_or_default()
    }

    /// Whether the named payer certainly signed: only then is a failure counted for them.
    fn is_proven(&self) -> bool {
        self.signature == SignatureCheck::Verified && self.proof.payer.is_some()
    }

    /// The facilitator that is asked now.
    fn facilitator(&self) -> &'g Facilitator {
        let settlers = &self.gate.settlement.settlers;
        let place = self.facilitators.first().copied().unwrap_or_default();
        // Cannot be missing: configuration refuses a route without a facilitator.
        settlers.get(place).map_or(&NOBODY, |settler| &settler.facilitator)
    }

    /// Leases of the work, as sent to the object.
    fn leases(&self) -> Leases {
        let Leases { executing, settling, delivering } = self.offer.leases;
        let verifies = self.mode == Mode::Before && self.choice.verifies_first && !self.verified;
        let first = match self.proof.onchain {
            // The last two replies of a node may each take their full deadline.
            Some(_) => 15,
            None if verifies => VERIFY_SECS,
            None => 0,
        };
        Leases { executing, settling: settling.saturating_add(first), delivering }
    }

    /// Whether value has moved for this request: what follows is delivered or owed, never settled
    /// again.
    fn is_paid(&self) -> bool {
        self.mode == Mode::Before || self.transaction.is_some()
    }

    /// Whether the authorization still leaves the time that the route's work takes from now on.
    fn has_room(&self, now: UnixTime) -> bool {
        self.proof.valid_before >= now.plus(self.offer.room.min_secs)
    }

    /// The answer while it is unknown whether money moved.
    fn unknown(&self) -> Step<'g> {
        self.refuse(Code::SettlementUnknown)
    }

    /// A refusal; it names the payment if the client may know its id.
    fn problem(&self, code: Code) -> Reply {
        Reply::problem(code, Audience::Paid, &self.correlation, self.shown_id())
    }

    /// The payment's id. `None` unless this request began the payment or proved to be its payer's:
    /// once on the chain, an authorization is public.
    fn shown_id(&self) -> Option<&str> {
        (self.owner || self.wallet || self.proven || planted(Mutant::ConflictNames))
            .then_some(self.receipt.as_str())
    }

    fn refuse(&self, code: Code) -> Step<'g> {
        Step::Respond(self.problem(code))
    }
}
