//! Payments that the chain itself settles: a node checks them before anything is written, gets them
//! after the claim, and shows the receipt that makes them count.
//!
//! A signed transaction goes through simulation, claim, sending and receipt. A transaction that the
//! payer has sent goes through receipt and claim, and its row is paid at once. Both settle before
//! the origin is asked, whatever mode the route has.

use alloc::boxed::Box;
use alloc::string::String;

use super::claim::Claim;
use super::inquire::{PendingRead, SettleReport};
use super::settle::{Attempt, take_refusal};
use super::{
    AfterRecord, DOUBT_SECS, Eligibility, PaidRequest, Payments, Reading, Recording, Step,
};
use crate::recorded::{sending, settled_by_chain};
use farebox_base::time::UnixTime;
use farebox_common::payment::OnChain;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_ledger::command::{Client, Command, Noted, Outcome};
use farebox_ledger::inquiry::finding::Finding;
use farebox_ledger::inquiry::sender::{self, Sender};
use farebox_ledger::inquiry::simulation::{AwaitingSimulation, Prospect};
use farebox_ledger::inquiry::transfer::Transfer;
use farebox_ledger::inquiry::{Asking, ChainQuery, Next};

/// Milliseconds before each further look for a receipt, 22.5 seconds in all; a fast chain makes a
/// block every second or two.
const LOOK_AFTER_MS: [u32; 8] = [500, 1_000, 1_000, 2_000, 2_000, 4_000, 4_000, 8_000];
/// Milliseconds before each look for a transaction that the payer reports as sent and that is in no
/// block yet, 7 seconds in all while the client waits; after that the payment is noted as awaited.
const WAIT_MS: [u32; 4] = [0, 1_000, 2_000, 4_000];

/// A question to a node.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) enum Look {
    /// The sender of a transaction.
    Sender(sender::AwaitingSender),
    /// Whether a signed transaction could be carried out.
    Prospect(AwaitingSimulation),
    /// Whether a transaction that a client named is this payment, and the number of looks so far.
    Named(Asking, usize),
    /// The fate of the transaction that was sent.
    Receipt(Pursuit),
}

/// The wait for a receipt.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct Pursuit {
    claim: Claim,
    asking: Asking,
    transfer: Box<Transfer>,
    attempt: Attempt,
    lookups: usize,
    /// End of the wait; `None` before the first reply.
    until: Option<UnixTime>,
}

impl<'g> PaidRequest<'g> {
    /// Asks a node about an unverified payment, of which nothing is written yet.
    pub(super) fn prove(mut self: Box<Self>, onchain: OnChain) -> Step<'g> {
        match onchain {
            OnChain::Signed(signed) => {
                self.use_lookups(1);
                let (body, prospecting) = AwaitingSimulation::ask(*signed);
                self.look_at(body, 0, Look::Prospect(prospecting))
            }
            OnChain::Sent { .. } => self.look_for(&onchain, 0),
        }
    }

    /// Asks for the sender of a transaction that does not name one.
    pub(super) fn ask_sender(mut self: Box<Self>) -> Step<'g> {
        let transaction = self.checked.proof.onchain.as_ref().and_then(OnChain::transaction);
        let Some(transaction) = transaction else { return self.refuse(Code::Internal) };
        self.use_lookups(1);
        let (body, finding) =
            sender::AwaitingSender::ask(self.asked.choice.chain_id(), transaction);
        self.look_at(body, 0, Look::Sender(finding))
    }

    /// Continues with the sender, under whose account the payment is kept, as if the request had
    /// named them.
    fn sent_by(mut self: Box<Self>, sender: Address) -> Step<'g> {
        self.checked.proof.payer = Some(sender);
        self.checked.expected.payer = Some(sender);
        let Payments { shards, keys, .. } = self.asked.parts;
        self.row.receipt = shards.receipt_id(keys, &self.checked.proof);
        if !matches!(self.checked.eligibility, Eligibility::Withdrawn | Eligibility::Unsigned)
            && self.asked.parts.payers.clients.denies(&self.checked.proof.account())
        {
            self.checked.eligibility = Eligibility::Denied;
        }
        self.ask_ledger()
    }

    /// Looks for a transaction that the payer has sent, for the first time or once more.
    fn look_for(mut self: Box<Self>, onchain: &OnChain, lookups: usize) -> Step<'g> {
        let transfer = self.transfer(onchain);
        match (transfer, WAIT_MS.get(lookups)) {
            (Some(transfer), Some(delay_ms)) => {
                self.use_lookups(1);
                let (body, asking) = ChainQuery::Transfer(Box::new(transfer)).ask();
                self.look_at(body, *delay_ms, Look::Named(asking, lookups.saturating_add(1)))
            }
            // It may be on its way: a payer who signs anew would pay twice.
            (Some(_), None) => self.note(Noted::Awaited, Code::SettlementUnknown),
            (None, _) => self.refuse(Code::Internal),
        }
    }

    /// Settles a payment that a node has verified.
    pub(super) fn settle_on_chain(
        self: Box<Self>,
        claim: Claim,
        onchain: &OnChain,
        attempt: Attempt,
    ) -> Step<'g> {
        match (onchain, attempt) {
            (OnChain::Sent { transaction, .. }, Attempt::First) => {
                let result = Outcome::Settled(transaction.to_text());
                self.came_to(claim, result, attempt)
            }
            (OnChain::Signed(_), _) | (OnChain::Sent { .. }, Attempt::Again) => {
                match self.transfer(onchain) {
                    Some(transfer) => self.pursue(claim, Box::new(transfer), attempt, 0, None),
                    None => self.refuse(Code::Internal),
                }
            }
        }
    }

    /// Sends the transaction, if there are bytes to send, and looks for its receipt.
    fn pursue(
        mut self: Box<Self>,
        claim: Claim,
        mut transfer: Box<Transfer>,
        attempt: Attempt,
        lookups: usize,
        until: Option<UnixTime>,
    ) -> Step<'g> {
        let delay_ms = match lookups.checked_sub(1) {
            None => 0,
            Some(before) => LOOK_AFTER_MS.get(before).copied().unwrap_or_default(),
        };
        self.use_lookups(1);
        let (body, asking) = ChainQuery::Transfer(transfer.clone()).ask();
        transfer.send = None;
        let lookups = lookups.saturating_add(1);
        let pursuit = Pursuit { claim, asking, transfer, attempt, lookups, until };
        self.look_at(body, delay_ms, Look::Receipt(pursuit))
    }

    /// Asks a node; questions about unverified payments are limited in number at a time.
    fn look_at(self: Box<Self>, body: String, delay_ms: u32, look: Look) -> Step<'g> {
        let mut call = self.ask(body, delay_ms);
        call.unproven = match look {
            Look::Sender(_) | Look::Prospect(_) | Look::Named(..) => Some(self.sender()),
            Look::Receipt(_) => None,
        };
        Step::Read(call, Reading { paid: self, asked: PendingRead::Node(look) })
    }

    fn transfer(&self, onchain: &OnChain) -> Option<Transfer> {
        sending(&self.checked.proof.account(), &self.payment(), onchain, self.row.first_sight)
    }

    /// Takes the node's reply.
    pub(super) fn looked(
        self: Box<Self>,
        look: Look,
        reply: Option<&[u8]>,
        now: UnixTime,
    ) -> Step<'g> {
        match look {
            Look::Sender(finding) => match finding.answered(reply) {
                Sender::Known(sender) => self.sent_by(sender),
                Sender::NotYet if self.checked.eligibility == Eligibility::Unsigned => {
                    self.barred(now)
                }
                // No account is known to keep it under; a payer who pays anew would pay twice.
                Sender::NotYet => self.unknown(),
                Sender::Unreadable(_) => self.unread(now),
            },
            Look::Prospect(prospecting) => match prospecting.answered(reply) {
                Prospect::Good { block } => {
                    let mut paid = self;
                    paid.row.first_sight.block = Some(block);
                    paid.signature()
                }
                Prospect::None(reason) => take_refusal(self, reason, now),
                Prospect::Unreadable(_) => self.blind(now),
            },
            Look::Named(asking, lookups) => match asking.answered(reply) {
                Next::Ask(body, asking) => {
                    let mut paid = self;
                    paid.use_lookups(1);
                    paid.look_at(body, 0, Look::Named(asking, lookups))
                }
                Next::Found(finding) => self.found(&finding, lookups, now),
            },
            Look::Receipt(pursuit) => self.pursued(pursuit, reply, now),
        }
    }

    /// Acts on what the chain says about a transaction that a client named.
    fn found(self: Box<Self>, finding: &Finding, lookups: usize, now: UnixTime) -> Step<'g> {
        match finding {
            Finding::Transferred { .. }
                if matches!(
                    self.checked.eligibility,
                    Eligibility::Denied | Eligibility::Withdrawn
                ) =>
            {
                self.note(Noted::Owed, Code::RefundDueRepeat)
            }
            Finding::Transferred { .. } => {
                // It pays for the terms that held when it was sent, whatever they are now.
                let mut paid = self;
                paid.checked.eligibility = Eligibility::Fresh;
                paid.signature()
            }
            Finding::TransferredLate { .. } => self.note(Noted::Owed, Code::RefundDueRepeat),
            Finding::TransferredBefore { .. } => self.disproved(EARLIER, now),
            Finding::UsedElsewhere { .. }
            | Finding::TransferredEarlier { .. }
            | Finding::Cancelled { .. }
            | Finding::Unclear { .. } => self.disproved(ELSEWHERE, now),
            Finding::Unused { .. } | Finding::Unconfirmed { .. } | Finding::Searching { .. } => {
                match self.checked.proof.onchain.clone() {
                    Some(onchain) => self.look_for(&onchain, lookups),
                    None => self.refuse(Code::Internal),
                }
            }
            Finding::Unreadable(_) => self.blind(now),
        }
    }

    /// Gives the request the answer it gets without a payment: the transaction does not pay for it.
    fn disproved(self: Box<Self>, reason: &str, now: UnixTime) -> Step<'g> {
        match self.checked.eligibility {
            Eligibility::Fresh | Eligibility::Expired | Eligibility::TermsChanged(_) => {
                take_refusal(self, reason, now)
            }
            Eligibility::Closed
            | Eligibility::Denied
            | Eligibility::Unsigned
            | Eligibility::Withdrawn
            | Eligibility::PriceUnknown
            | Eligibility::NowFree => self.barred(now),
        }
    }

    /// Records what is known of a transaction that the payer has sent, and answers with this code.
    pub(super) fn note(self: Box<Self>, noted: Noted, code: Code) -> Step<'g> {
        let (payment, leases) = (Box::new(self.payment()), self.leases());
        Recording::begin(
            self,
            Command::Note { payment, leases, noted },
            AfterRecord::Noted(noted, code),
        )
    }

    /// Continues as with any verified payment: the chain has shown all it can.
    fn signature(mut self: Box<Self>) -> Step<'g> {
        (self.checked.signature, self.plan.verified) = (SignatureCheck::Verified, true);
        self.ask_ledger()
    }

    /// Ends the request when the node does not answer and the gate has sent nothing.
    fn blind(self: Box<Self>, now: UnixTime) -> Step<'g> {
        if self.checked.proof.was_sent() {
            return self.note(Noted::Awaited, Code::ChainUnavailable);
        }
        self.unread(now)
    }

    /// Answers that the chain cannot be read.
    pub(super) fn unread(mut self: Box<Self>, now: UnixTime) -> Step<'g> {
        self.trouble();
        let reply = self.problem(Code::ChainUnavailable);
        Step::Respond(reply.diagnosed(self.diagnosis(now).as_ref()))
    }

    fn pursued(self: Box<Self>, pursuit: Pursuit, reply: Option<&[u8]>, now: UnixTime) -> Step<'g> {
        let mut paid = self;
        let Pursuit { claim, asking, transfer, attempt, lookups, until } = pursuit;
        let secs = match attempt {
            Attempt::First => paid.asked.offer.settings.settle_secs,
            Attempt::Again => DOUBT_SECS,
        };
        let until = until.unwrap_or_else(|| now.plus(secs));
        let finding = match asking.answered(reply) {
            Next::Ask(body, asking) => {
                paid.use_lookups(1);
                let until = Some(until);
                let pursuit = Pursuit { claim, asking, transfer, attempt, lookups, until };
                return paid.look_at(body, 0, Look::Receipt(pursuit));
            }
            Next::Found(finding) => finding,
        };
        let result = settled_by_chain(&finding, transfer.transaction);
        let may_come = matches!(finding, Finding::Unused { .. } | Finding::Unreadable(_));
        let next = LOOK_AFTER_MS.get(lookups.saturating_sub(1)).copied();
        let in_time = next.is_some_and(|ms| now.plus(u64::from(ms.div_ceil(1_000))) <= until);
        if may_come && in_time && paid.may_look() {
            return paid.pursue(claim, transfer, attempt, lookups, Some(until));
        }
        paid.came_to(claim, result, attempt)
    }

    /// Records the result; the chain was asked already, so this answer needs no further look.
    fn came_to(mut self: Box<Self>, claim: Claim, result: Outcome, attempt: Attempt) -> Step<'g> {
        self.chain.inquired = true;
        if let Outcome::Settled(text) = &result {
            self.work.transaction = self.named(text);
        }
        self.report(result, SettleReport { claim, attempt, client: Client::Waits })
    }
}

/// Reason: the transaction is older than the challenge that it answers.
const EARLIER: &str = "transaction_before_challenge";
/// Reason: the transaction does not pay what the terms ask.
const ELSEWHERE: &str = "transaction_not_this_payment";
