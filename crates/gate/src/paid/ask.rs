//! Claims and questions about a payment to the ledger object that keeps its row.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::Serialize;

use super::replies::{Claiming, Looking, Resuming};
use super::{ChainCall, Eligibility, PaidRequest, Step};
use crate::call::{LedgerCall, object};
use crate::offer::VERIFY_SECS;
use crate::pricer::question;
use crate::purchase_name::PurchaseName;
use farebox_base::encoding::json;
use farebox_base::hash;
use farebox_common::payment::OnChain;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_ledger::attempts::Counting;
use farebox_ledger::command::{
    Asking, Command, Envelope, Leases, Mode, Payment, Proving, Question, REQUEST_DIGITS, Repeat,
    Role, Signature, Signing, VERSION,
};
use farebox_ledger::inquiry::height;

/// Milliseconds between two claims of a payer with too much in flight: an earlier payment may
/// finish meanwhile.
const RETRY_MS: u32 = 500;

impl<'g> PaidRequest<'g> {
    /// Asks the ledger for the most that this payment allows: it may begin only if it is in time,
    /// for today's terms and proven.
    pub(super) fn ask_ledger(self: Box<Self>) -> Step<'g> {
        if self.checked.proof.was_sent() && self.checked.proof.payer.is_none() {
            return self.ask_sender();
        }
        match (self.checked.signature, self.checked.eligibility) {
            (SignatureCheck::Verified, Eligibility::Fresh) => self.claim(0),
            (
                SignatureCheck::Verified,
                Eligibility::Expired
                | Eligibility::Closed
                | Eligibility::Denied
                | Eligibility::Unsigned
                | Eligibility::Withdrawn
                | Eligibility::TermsChanged(_)
                | Eligibility::PriceUnknown
                | Eligibility::NowFree,
            ) => self.resume(),
            (SignatureCheck::Deferred, _) => self.look_up(),
        }
    }

    /// Claims the payment: begins it, or hears what became of it. `tries` claims went before.
    pub(super) fn claim(self: Box<Self>, tries: u32) -> Step<'g> {
        let Repeat { payment, leases, idempotent, wallet, last, rival, .. } = self.repeat();
        let in_flight = if self.checked.is_contract {
            NonZeroU32::MIN
        } else {
            self.asked.parts.payers.in_flight
        };
        let mut call = self.call(Command::Claim {
            payment,
            leases,
            idempotent,
            wallet,
            in_flight,
            last,
            rival,
        });
        call.delay_ms = if tries == 0 { 0 } else { RETRY_MS };
        self.guard(&mut call, tries == 0);
        Step::Claim(call, Claiming::new(self, tries))
    }

    /// Continues a payment that the ledger knows.
    pub(super) fn resume(self: Box<Self>) -> Step<'g> {
        let mut call = self.asking(Question::Resume(self.repeat()), self.counting(), None);
        self.guard(&mut call, true);
        Step::Resume(call, Resuming::new(self, 0))
    }

    /// Looks up what became of a payment whose signature is not proven.
    pub(super) fn look_up(self: Box<Self>) -> Step<'g> {
        let mut call = self.asking(Question::Look(self.repeat()), None, self.proving());
        self.guard(&mut call, true);
        Step::Look(call, Looking::new(self, 0))
    }

    /// The proof of this payment that is under way; `None` unless this request could begin it. A
    /// transaction that its payer has sent is read from the chain each time, and anyone may show
    /// it, so that it holds nothing back.
    fn proving(&self) -> Option<Proving> {
        if self.checked.eligibility != Eligibility::Fresh || self.checked.proof.was_sent() {
            return None;
        }
        Some(if self.failures.recalled.is_some() { Proving::Refused } else { Proving::Begins })
    }

    /// Adds the effects beside the first call: the rate limit before it, the newest block with it.
    fn guard(&self, call: &mut LedgerCall, is_first: bool) {
        // First sight is when the payment arrived, however often its claim is tried.
        if !is_first || self.row.place.1 == Role::New || self.chain.inquired || self.row.claimed {
            return;
        }
        let network = self.asked.choice.terms.network.as_str();
        // For a payment that the chain settles, the block is read when it is checked.
        let reads = self.checked.proof.onchain.is_none();
        let readable = self.asked.parts.chains.rpc_url(network).filter(|_| reads);
        call.block_query = readable.map(|_| ChainCall::new(network, height::request()));
        call.limited_by = Some(self.asked.request.network().into());
    }

    /// The payment as this request shows it.
    fn repeat(&self) -> Repeat {
        let is_fresh = self.checked.eligibility == Eligibility::Fresh;
        Repeat {
            payment: Box::new(self.payment()),
            leases: self.leases(),
            idempotent: self.asked.offer.settings.idempotent && is_fresh,
            wallet: self.checked.wallet,
            // A payment that was looked for and not confirmed is not looked for again: the row's
            // state is the answer.
            last: self.chain.inquired
                || self.checked.eligibility == Eligibility::Unsigned
                || self.failures.recalled.is_some() && self.checked.proof.was_sent()
                || self.is_out_of_reach(),
            denied: !self.checked.proof.was_sent()
                && self.asked.parts.payers.clients.denies(&self.checked.proof.account()),
            rival: self.checked.proof.rival.map(|key| key.to_hex()),
            // What has only ended was signed for today's price: each other difference from today's
            // terms has an eligibility of its own.
            priced: is_fresh || self.checked.eligibility == Eligibility::Expired,
        }
    }

    /// The degree to which the payer's own signature of these terms is proven.
    fn read_signature(&self) -> Signature {
        let proof = &self.checked.proof;
        match self.checked.signature {
            // Another chain reads what was signed, or it never ends.
            _ if proof.payer.is_none() || proof.onchain.is_some() || self.is_deferred() => {
                Signature::Unread
            }
            SignatureCheck::Verified => Signature::Proven,
            SignatureCheck::Deferred => Signature::Shown,
        }
    }

    /// Whether it would be sent to a chain of which no node is configured any more.
    fn is_out_of_reach(&self) -> bool {
        let network = self.asked.choice.terms.network.as_str();
        self.checked.proof.is_signed_transaction()
            && self.asked.parts.chains.rpc_url(network).is_none()
    }

    /// The payment as this request would record it.
    pub(super) fn payment(&self) -> Payment {
        let (offer, terms) = (&self.asked.offer, &self.asked.choice.terms);
        Payment {
            binding: self.binding(),
            secret: self
                .checked
                .proof
                .identifier
                .as_deref()
                .map(|id| self.asked.parts.keys.identifier_hash(id)),
            mode: self.plan.mode,
            receipt: self.row.receipt.clone(),
            route: offer.settings.route.clone(),
            url: self.asked.request.head.url.clone(),
            correlation: self.asked.request.correlation.clone(),
            network: terms.network.as_str().into(),
            asset: terms.asset.clone(),
            amount: alloc::format!("{}", self.amount()),
            pay_to: terms.pay_to.clone(),
            valid_before: self.checked.proof.valid_before.secs(),
            facilitator: match self.checked.proof.onchain {
                Some(_) => OnChain::settler(terms.network.as_str()),
                None => self.facilitator().base().into(),
            },
            request: self.checked.proof.request.clone(),
            confirm: offer.settings.confirms && self.checked.proof.onchain.is_none(),
            client: self.asked.parts.keys.client_name(&self.asked.request.network()),
            signing: Signing::first(self.read_signature()),
        }
    }

    /// The hash of the request and its terms; the first use of the payment fixes it. Its first
    /// eight bytes are of the purchase alone, so that the ledger knows another payment for the same
    /// one at whatever terms. They are keyed: so few bytes of a hash alone agree for two requests
    /// that somebody has looked for. With a pricer the same follows over the question to it, which a
    /// payer who comes from another network cannot repeat: it counts where the origin is asked again.
    pub(super) fn binding(&self) -> String {
        let plain = self.bound(None);
        match self.priced_question() {
            Some(question) => [plain, self.bound(Some(&question))].concat(),
            None => plain,
        }
    }

    fn bound(&self, question: Option<&str>) -> String {
        let terms = &self.asked.choice.terms;
        let (asset, pay_to) = match &terms.token {
            Some(token) => (token.asset.as_bytes().as_slice(), token.pay_to.as_bytes().as_slice()),
            None => (terms.asset.as_bytes(), terms.pay_to.as_bytes()),
        };
        let amount = terms.amount.to_be_bytes();
        let mut parts = self.request_parts(question);
        let purchase = self.purchase(&parts);
        parts.extend([amount.as_slice(), asset, terms.network.as_str().as_bytes(), pay_to]);
        let whole = hash::digest(&parts);
        match (purchase.get(..REQUEST_DIGITS), whole.get(REQUEST_DIGITS..)) {
            (Some(purchase), Some(rest)) => [purchase, rest].concat(),
            _ => whole,
        }
    }

    /// The keyed hash of the request alone, whoever it is for.
    pub(super) fn request_digest(&self) -> String {
        let question = self.priced_question();
        self.asked.parts.keys.purchase(&hash::digest(&self.request_parts(question.as_deref())))
    }

    /// The hash of the request and of whom it is for.
    fn purchase(&self, request: &[&[u8]]) -> String {
        let digest = hash::digest(request);
        let named = match PurchaseName::of(&self.asked.request.head.headers) {
            Some(name) => hash::digest(&[&[digest.as_bytes()], &name.parts()[..]].concat()),
            None => digest,
        };
        self.asked.parts.keys.purchase(&named)
    }

    fn request_parts<'a>(&'a self, question: Option<&'a str>) -> Vec<&'a [u8]> {
        let head = &self.asked.request.head;
        let mut parts = Vec::from([
            head.method.as_bytes(),
            head.authority().as_bytes(),
            head.target().as_bytes(),
            head.headers.get("range").unwrap_or_default().as_bytes(),
            self.asked.body.as_str().as_bytes(),
        ]);
        parts.extend(question.map(str::as_bytes));
        parts
    }

    /// The question to a pricer: a price quoted for one pays for no answer to another.
    fn priced_question(&self) -> Option<String> {
        self.asked.offer.pricer.is_some().then(|| question(&self.asked.request.head))
    }

    /// A command to the object that keeps this payer's rows.
    pub(super) fn call(&self, command: Command) -> LedgerCall {
        let (payer, key) = (self.checked.proof.account(), self.checked.proof.key.to_hex());
        let (role, counting) = (self.row.place.1, self.counting());
        self.send(&Envelope { v: VERSION, payer, key, command, role, counting })
    }

    /// A question to the same object.
    pub(super) fn asking(
        &self,
        ask: Question,
        counting: Option<Counting>,
        proving: Option<Proving>,
    ) -> LedgerCall {
        let (payer, key) = (self.checked.proof.account(), self.checked.proof.key.to_hex());
        self.send(&Asking {
            v: VERSION,
            payer,
            key,
            ask,
            role: self.row.place.1,
            counting,
            proving,
        })
    }

    pub(super) fn send(&self, message: &impl Serialize) -> LedgerCall {
        let shards = self.row.place.0;
        let shard = self.asked.parts.keys.shard(self.checked.proof.place(), shards);
        let message = json::text(message);
        LedgerCall::new(object(shards, shard), message)
    }

    /// Counter for a failure of the payer; `None` unless the payer is proven and the route counts
    /// failures.
    pub(super) fn counting(&self) -> Option<Counting> {
        self.asked.offer.settings.diagnostics.filter(|_| self.is_proven()).map(|limits| Counting {
            route: self.asked.offer.settings.route.clone(),
            exceeded_after: limits.exceeded_after,
            failure: self.failures.latest.clone().filter(|failure| self.is_the_payers(failure)),
        })
    }

    /// Leases of the work, as sent to the object.
    pub(super) fn leases(&self) -> Leases {
        let Leases { executing, settling, delivering } = self.asked.offer.leases;
        let verifies = self.plan.mode == Mode::Before
            && self.asked.choice.verifies_first
            && !self.plan.verified;
        let first = match self.checked.proof.onchain {
            // The last two replies of a node may each take their full deadline.
            Some(_) => 15,
            None if verifies => VERIFY_SECS,
            None => 0,
        };
        let upload = self.asked.body.upload_secs();
        Leases {
            executing: executing.saturating_add(upload),
            settling: settling.saturating_add(first),
            delivering: delivering.saturating_add(upload),
        }
    }
}
