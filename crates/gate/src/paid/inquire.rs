//! Looks at the chain: beside the claim, before an unknown settlement is reported, and when a
//! settlement counts only once the chain shows it. On a chain that the gate does not read, one ledger
//! object takes the transaction before it counts, so that a facilitator cannot name one transaction
//! for two payments.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use super::claim::Claim;
use super::onchain::Look;
use super::settle::Attempt;
use super::{AfterRecord, PaidRequest, Payments, Recording, Step};
use crate::call::{ChainCall, LedgerCall, object};
use crate::keys::Keys;
use crate::parts::Shards;
use crate::recorded::{FirstSight, chain_query, chain_verdict, question};
use farebox_base::encoding::json;
use farebox_base::hash::digest;
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;
use farebox_common::problem::Code;
use farebox_ledger::command::{ChainVerdict, Client, Command, Fate, Outcome, VERSION};
use farebox_ledger::inquiry::confirmation::{Confirmation, Confirming, Step as Confirm};
use farebox_ledger::inquiry::funds::Funding;
use farebox_ledger::inquiry::{Asking, Next, Question};
use farebox_ledger::take::{Holder, Named, Take};

/// Milliseconds before each look for a named transaction: 15.5 seconds in all, first for a fast
/// chain and then for a slow one.
const CONFIRM_AFTER_MS: [u32; 5] = [500, 1_000, 2_000, 4_000, 8_000];
/// The reason of a payer that has too little, as facilitators name it.
const NO_FUNDS: &str = "insufficient_funds";
/// Limit on node requests for one payment, so that all its calls stay below what the platform
/// allows for one request.
const MAX_LOOKS: u32 = 10;

/// Waits for a node's reply.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Reading<'g> {
    pub(super) paid: Box<PaidRequest<'g>>,
    pub(super) asked: PendingRead,
}

/// The question asked, and the way to go on with its reply.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) enum PendingRead {
    /// The fate of the payment, and the one to report if the chain does not tell it.
    Fate(Asking, Fate),
    /// A step of a payment that the chain itself settles.
    Node(Look),
    /// Whether a named transaction is this payment.
    Named(Confirming, Box<Naming>),
    /// Whether the payer has too little.
    Funds(Funding, Box<SettleReport>),
}

/// The search for a transaction that a facilitator has named.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct Naming {
    question: Question,
    named: TxHash,
    lookups: usize,
    report: SettleReport,
}

/// The circumstances under which a settle call is reported.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub(super) struct SettleReport {
    /// The claim under which it was made.
    pub claim: Claim,
    /// The attempt that it was.
    pub attempt: Attempt,
    /// Whether the client still waits.
    pub client: Client,
}

impl<'g> PaidRequest<'g> {
    /// Deducts calls that an ordinary payment does not make from the looks that are left, so that
    /// their sum stays the same.
    pub(super) const fn use_lookups(&mut self, calls: u32) {
        self.chain.lookups = self.chain.lookups.saturating_add(calls);
    }

    /// Whether this request may ask the chain about its payment, which it does once.
    pub(super) fn may_inquire(&self) -> bool {
        !self.chain.inquired && self.reads_chain()
    }

    /// Whether the payment's chain can be read.
    pub(super) fn reads_chain(&self) -> bool {
        self.asked.parts.chains.rpc_url(self.asked.choice.terms.network.as_str()).is_some()
    }

    /// Asks the chain what became of the payment; reports `otherwise` if it does not tell.
    pub(super) fn inquire(mut self: Box<Self>, otherwise: Fate, now: UnixTime) -> Step<'g> {
        self.chain.inquired = true;
        let account = self.checked.proof.account();
        let Some(query) =
            chain_query(&account, &self.payment(), self.row.first_sight, self.work.transaction)
        else {
            return self.answer_for(&otherwise, now);
        };
        self.work.transaction = None;
        let (body, asking) = query.ask();
        let call = self.ask(body, 0);
        Step::Read(call, Reading { paid: self, asked: PendingRead::Fate(asking, otherwise) })
    }

    /// Looks for the transaction that the facilitator named before the row hears of it.
    pub(super) fn confirm(self: Box<Self>, named: TxHash, report: SettleReport) -> Step<'g> {
        match self.question(None) {
            Some(question) => self.look(Box::new(Naming { question, named, lookups: 0, report })),
            None => self.report(Outcome::Unknown(Some(named.to_text())), report),
        }
    }

    fn look(mut self: Box<Self>, mut naming: Box<Naming>) -> Step<'g> {
        let delay_ms = CONFIRM_AFTER_MS.get(naming.lookups).copied();
        let Some(delay_ms) = delay_ms.filter(|_| self.may_look()) else {
            return self.report(Outcome::Unknown(Some(naming.named.to_text())), naming.report);
        };
        self.use_lookups(1);
        naming.lookups = naming.lookups.saturating_add(1);
        let (body, confirming) = naming.question.clone().confirm(naming.named);
        let call = self.ask(body, delay_ms);
        Step::Read(call, Reading { paid: self, asked: PendingRead::Named(confirming, naming) })
    }

    /// Asks the chain whether the payer has too little, before a refusal that proves nothing is
    /// reported.
    pub(super) fn look_at_funds(mut self: Box<Self>, report: SettleReport) -> Step<'g> {
        let asked = self.question(None).filter(|_| self.may_look()).and_then(Question::funds);
        let Some((body, funding)) = asked else {
            return self.report(Outcome::Unknown(None), report);
        };
        self.use_lookups(1);
        let call = self.ask(body, 0);
        let asked = PendingRead::Funds(funding, Box::new(report));
        Step::Read(call, Reading { paid: self, asked })
    }

    /// Records the outcome of a settle call.
    pub(super) fn report(mut self: Box<Self>, result: Outcome, report: SettleReport) -> Step<'g> {
        if let Outcome::Refused(reason) = &result {
            self.failed_because(reason);
        }
        let (fence, seen_block) = (report.claim.fence(), self.row.first_sight.block);
        let command = Command::Outcome { fence, result, client: report.client, seen_block };
        Recording::begin(self, command, AfterRecord::Outcome(report.attempt, report.claim))
    }

    fn question(&self, known: Option<TxHash>) -> Option<Question> {
        question(&self.checked.proof.account(), &self.payment(), self.row.first_sight, known)
    }

    /// Whether this payment may ask a node once more.
    pub(super) const fn may_look(&self) -> bool {
        self.chain.lookups < MAX_LOOKS
    }

    pub(super) fn ask(&self, body: String, delay_ms: u32) -> ChainCall {
        ChainCall { delay_ms, ..ChainCall::new(self.asked.choice.terms.network.as_str(), body) }
    }
}

impl<'g> Reading<'g> {
    /// Answers that the client's network has too many unverified payments under way.
    pub fn limited(self) -> Step<'g> {
        self.paid.refuse(Code::RateLimited)
    }

    /// Takes the body of the reply; `None` unless it came completely, in time and with status 200.
    pub fn answered(self, reply: Option<&[u8]>, now: UnixTime) -> Step<'g> {
        let mut paid = self.paid;
        match self.asked {
            PendingRead::Fate(asking, otherwise) => match asking.answered(reply) {
                Next::Ask(body, asking) => {
                    let asked = PendingRead::Fate(asking, otherwise);
                    Step::Read(paid.ask(body, 0), Reading { paid, asked })
                }
                Next::Found(finding) => {
                    let valid_before = paid.checked.proof.valid_before;
                    paid.learn(chain_verdict(&finding, valid_before, &[], now), &otherwise, now)
                }
            },
            PendingRead::Node(look) => paid.looked(look, reply, now),
            PendingRead::Funds(funding, report) => {
                let result = match funding.is_short(reply) {
                    true => Outcome::Refused(NO_FUNDS.into()),
                    false => Outcome::Unknown(None),
                };
                paid.report(result, *report)
            }
            PendingRead::Named(confirming, naming) => match confirming.answered(reply) {
                Confirm::Ask(body, confirming) if paid.may_look() => {
                    paid.use_lookups(1);
                    let asked = PendingRead::Named(confirming, naming);
                    Step::Read(paid.ask(body, 0), Reading { paid, asked })
                }
                Confirm::Done(Confirmation::Confirmed { .. }) => {
                    paid.report(Outcome::Settled(naming.named.to_text()), naming.report)
                }
                Confirm::Done(Confirmation::Contradicted) => {
                    paid.report(Outcome::Unknown(Some(naming.named.to_text())), naming.report)
                }
                Confirm::Ask(..)
                | Confirm::Done(Confirmation::NotYet | Confirmation::Unreadable(_)) => {
                    paid.look(naming)
                }
            },
        }
    }
}

impl<'g> PaidRequest<'g> {
    /// Records what the chain says; the row decides what that means.
    fn learn(
        mut self: Box<Self>,
        learnt: ChainVerdict,
        otherwise: &Fate,
        now: UnixTime,
    ) -> Step<'g> {
        if matches!(learnt, ChainVerdict::Nothing | ChainVerdict::Unread) {
            return self.answer_for(otherwise, now);
        }
        if let ChainVerdict::Captured(text) = &learnt {
            self.work.transaction = self.named(text);
        }
        // A row that has seen several authorizations is looked up by the alarm alone.
        let (owner, fence, signed) = (self.row.owner, self.work.fence, 0);
        let command = Command::Learn { learnt, owner, signed, fence };
        Recording::begin(self, command, AfterRecord::Learnt)
    }
}

impl FirstSight {
    /// First sight now, before the block is read.
    pub(super) const fn now(at: UnixTime) -> Self {
        Self { at, block: None }
    }
}

/// Waits for the holder of a transaction.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Taking<'g> {
    paid: Box<PaidRequest<'g>>,
    named: TxHash,
    report: SettleReport,
}

/// The call that takes a transaction for a payment; `None` on chains that show themselves which
/// payment it belongs to.
pub(crate) fn take_call(
    shards: &Shards,
    keys: &Keys,
    network: &str,
    transaction: &TxHash,
    key: &str,
) -> Option<LedgerCall> {
    if network.starts_with("eip155:") {
        return None;
    }
    let place = digest(&[network.as_bytes(), transaction.as_str().as_bytes()]);
    // Until a change of their number is over, the objects before it keep what was taken.
    let count = shards.old.unwrap_or(shards.count);
    let shard = keys.shard(place.as_bytes(), count);
    let take = Named {
        network: network.to_string(),
        transaction: transaction.to_text(),
        key: key.to_string(),
    };
    let message = json::text(&Take { v: VERSION, take });
    Some(LedgerCall::new(object(count, shard), message))
}

impl<'g> Taking<'g> {
    /// Takes the transaction that a facilitator has named, or reports it at once if the chain shows
    /// whose it is.
    pub(super) fn begin(
        paid: Box<PaidRequest<'g>>,
        named: TxHash,
        report: SettleReport,
    ) -> Step<'g> {
        let network = paid.asked.choice.terms.network.as_str();
        let Payments { shards, keys, .. } = paid.asked.parts;
        let key = paid.checked.proof.key.to_hex();
        match take_call(shards, keys, network, &named, &key) {
            Some(call) => Step::Take(call, Self { paid, named, report }),
            None => paid.report(Outcome::Settled(named.to_text()), report),
        }
    }

    /// Takes the object's answer; `None` if it is down: then it is unknown whether the payment
    /// moved anything.
    pub fn answered(self, holder: Option<Holder>) -> Step<'g> {
        let Self { mut paid, named, report } = self;
        let result = settled(named, holder);
        if !matches!(result, Outcome::Settled(_)) {
            paid.work.transaction = None;
        }
        paid.report(result, report)
    }
}

/// The outcome of a settlement, given the holder of its transaction.
pub(crate) fn settled(named: TxHash, holder: Option<Holder>) -> Outcome {
    match holder {
        Some(Holder::Own) => Outcome::Settled(named.to_text()),
        Some(Holder::Another) => Outcome::Unknown(None),
        None => Outcome::Unknown(Some(named.to_text())),
    }
}
