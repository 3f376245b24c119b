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
mod begin;
mod claim;
pub(super) mod inquire;
mod onchain;
mod origin;
mod parts;
mod recording;
mod replies;
mod settle;
mod statements;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

pub(super) use self::begin::incomplete;
pub use self::begin::{Digesting, MAX_DIGESTED_BYTES};
pub use self::claim::Claim;
pub use self::inquire::{Reading, Taking};
pub use self::origin::{Collected, Collecting, Forwarding, OriginReply, StreamEnd, Streaming};
pub(super) use self::origin::{
    MAX_SEALED_BYTES, MAX_SEALING_SECS, charged, is_short, may_be_stored,
};
use self::parts::{
    Checked, FixedPurchase, Kept, KnownRow, Lookups, Observed, SettlementPlan, Work,
};
pub(super) use self::parts::{Payer, Payments, digest_bytes};
pub use self::recording::{Abort, AfterRecord, Recording};
pub use self::replies::{Claiming, Looking, Resuming, Waits};
pub use self::settle::{Settling, Verifying, Waiting};
use super::call::{ChainCall, FacilitatorCall, LedgerCall};
use super::checked::Eligibility;
use super::forward::OriginCall;
use super::reply::{Audience, Reply};
use super::units;
use super::unpaid::Unpaid;
use farebox_base::amount::Amount;
use farebox_base::hash::sha256;
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::payment::{NEVER, OnChain, TxHash};
use farebox_common::problem::Code;
use farebox_ledger::command::Mode;
use farebox_ledger::inquiry::height;
use farebox_wire::facilitator::funds::Debit;
use farebox_wire::facilitator::unproven::queue::CallResult;
use farebox_wire::facilitator::unproven::{UnverifiedCaller, UnverifiedKind};
use farebox_wire::facilitator::wire::Facilitator;

/// Placeholder: every route names a facilitator.
static NO_FACILITATOR: Facilitator = Facilitator::NONE;
/// Longest time that a client waits for an unknown settlement to be resolved, seconds; the work
/// goes on after it.
const DOUBT_SECS: u64 = 10;

/// The next effect to carry out.
#[cfg_attr(feature = "copies", derive(Clone))]
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
    /// Answer, and tell the ledger object then that nothing else was sent.
    Leave(Reply, Box<LedgerCall>),
    /// Answer, let the held body stream, and report how that went.
    Stream(Reply, Streaming<'g>),
    /// Answer.
    Respond(Reply),
}

impl Step<'_> {
    /// The outcome of a call about an unverified payment, read from the step that follows it.
    #[must_use]
    pub fn verdict(&self) -> CallResult {
        match self {
            Self::Claim(..) | Self::Resume(..) => CallResult::Good,
            // Refused; the ledger is asked whether a copy has paid.
            Self::Look(_, looking) if looking.is_after_refusal() => CallResult::Bad,
            Self::Respond(reply) | Self::Leave(reply, _) => match reply.code {
                Some(Code::VerifyRefused | Code::SettlementUnknown) => CallResult::Bad,
                _ => CallResult::Open,
            },
            _ => CallResult::Open,
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

/// One paid request: what was asked, what was checked, and what came of it so far. The right to go
/// on is a [`Claim`], which the step that waits holds.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct PaidRequest<'g> {
    asked: FixedPurchase<'g>,
    checked: Checked,
    plan: SettlementPlan,
    row: KnownRow,
    chain: Lookups,
    failures: Observed,
    work: Work,
}

/// A payment in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Pattern of its route.
    pub route: String,
    /// Its receipt id.
    pub payment: String,
    /// Members of a JSON object, each after a comma: the key's prefix, the network and the amount.
    pub members: String,
}

impl<'g> PaidRequest<'g> {
    /// The payment in the log.
    fn label(&self) -> Label {
        let terms = &self.asked.choice.terms;
        let (network, amount) = (terms.network.as_str(), self.amount().to_string());
        let units = units::amount_members(network, &terms.asset, &amount);
        let key = self.checked.proof.key;
        Label {
            route: self.asked.offer.settings.route.clone(),
            payment: self.row.receipt.clone(),
            members: format!(
                ",\"key8\":\"{key:?}\",\"network\":\"{network}\",\"amount\":\"{amount}\"{units}"
            ),
        }
    }

    /// The amount that is charged, or the most that may be.
    fn amount(&self) -> Amount {
        self.work.charged.unwrap_or(self.asked.choice.terms.amount)
    }

    /// The amount that moves, or has moved: its row's, where the payer has signed again since.
    fn moved(&self) -> Amount {
        self.work.charged.or(self.row.held).unwrap_or(self.asked.choice.terms.amount)
    }

    /// Takes the newest block at first sight from a node's reply.
    fn saw(&mut self, reply: Option<&[u8]>) {
        self.row.first_sight.block = height::read(self.asked.choice.chain_id(), reply).ok();
    }

    /// Whether a facilitator settles it later, together with others.
    fn is_deferred(&self) -> bool {
        self.checked.proof.valid_before == NEVER
    }

    /// A transaction of this payment's network by its name there.
    fn named(&self, name: &str) -> Option<TxHash> {
        match TxHash::recorded(name) {
            Some(TxHash::PENDING) => self.is_deferred().then_some(TxHash::PENDING),
            _ => TxHash::on(self.asked.choice.terms.network.as_str(), name),
        }
    }

    /// The payer in the chain's notation; empty if unknown.
    fn payer_text(&self) -> String {
        self.checked.proof.payer.map(|payer| payer.to_checksum()).unwrap_or_default()
    }

    /// Whether the named payer certainly signed: only then is a failure counted for them.
    fn is_proven(&self) -> bool {
        self.checked.signature == SignatureCheck::Verified && self.checked.proof.payer.is_some()
    }

    /// The facilitator that is asked now.
    fn facilitator(&self) -> &'g Facilitator {
        let settlers = &self.asked.parts.settlement.settlers;
        let place = self.plan.facilitators.first().copied().unwrap_or_default();
        // Cannot be missing: configuration refuses a route without a facilitator.
        settlers.get(place).map_or(&NO_FACILITATOR, |settler| &settler.facilitator)
    }

    /// Whether value has moved for this request: what follows is delivered or owed, never settled
    /// again.
    fn is_paid(&self) -> bool {
        self.plan.mode == Mode::Before || self.work.transaction.is_some()
    }

    /// Whether the authorization still leaves the time that the route's work takes from now on.
    fn has_room(&self, now: UnixTime) -> bool {
        self.checked.proof.valid_before >= now.plus(self.asked.offer.room.min_secs)
    }

    /// The answer while it is unknown whether money moved.
    fn unknown(&self) -> Step<'g> {
        self.refuse(Code::SettlementUnknown)
    }

    /// A refusal; it names the payment if the client may know its id.
    fn problem(&self, code: Code) -> Reply {
        Reply::problem(code, Audience::Paid, &self.asked.request.correlation, self.shown_id())
    }

    /// The payment's id. `None` unless this request began the payment or proved to be its payer's:
    /// once on the chain, an authorization is public.
    fn shown_id(&self) -> Option<&str> {
        (self.row.owner || self.checked.wallet || self.row.proven)
            .then_some(self.row.receipt.as_str())
    }

    fn refuse(&self, code: Code) -> Step<'g> {
        Step::Respond(self.problem(code))
    }

    /// Rate-limit key for calls about an unverified payment: the client's network, never the
    /// account that the payment names.
    fn sender(&self) -> UnverifiedCaller {
        let kind = match (&self.checked.proof.onchain, &self.checked.proof.payer) {
            (Some(_), _) => UnverifiedKind::Transaction,
            (None, Some(_)) => UnverifiedKind::Contract,
            (None, None) => UnverifiedKind::OtherChain,
        };
        let network = self.asked.request.network().into();
        // Anyone may show the hash of a transaction.
        let sent = matches!(self.checked.proof.onchain, Some(OnChain::Sent { .. }));
        let payment = (!sent).then(|| sha256(&[self.checked.proof.request.as_bytes()]));
        UnverifiedCaller { network, kind, payment }
    }

    /// Wallet and amount of the payment.
    fn draft(&self) -> Debit {
        let (terms, payer) = (&self.asked.choice.terms, self.checked.proof.account());
        let wallet = format!("{payer} {} {}", terms.network, terms.asset);
        Debit { wallet, amount: terms.amount }
    }
}
