//! Claims and records: what the ledger object is told, and what its answers mean for the client.

use alloc::boxed::Box;
use alloc::string::String;

use super::blame::blame_of;
use super::origin::taken_out;
use super::settle::Turn;
use super::{Arrival, ChainCall, Kept, Passage, Step};
use crate::gate::diagnose::Failures;
use crate::gate::limit::client_prefix;
use crate::gate::recover::Seen;
use crate::gate::reply::{Body, Reply, finish_paid};
use crate::http::ResponseHead;
use crate::ledger::attempts::Blame;
use crate::ledger::command::{Answer, Command, Failure, Mode, Payment, Role, Told};
use crate::ledger::entry::FIRST_FENCE;
use crate::ledger::inquiry::height;
use crate::payment::authorization::Vouched;
use crate::payment::{Cause, OnChain};
use crate::problem::Code;
use crate::time::UnixTime;

/// Milliseconds between two tries of a payer with too much in flight.
const RETRY_MS: u32 = 500;
/// Tries after the first one: up to 2 seconds.
const RETRIES: u32 = 4;

/// One call to a ledger object.
#[derive(Clone, Debug)]
pub struct Call {
    /// Name of the object.
    pub object: String,
    /// The command, JSON.
    pub command: String,
    /// Whether the collected body goes along.
    pub with_body: bool,
    /// Milliseconds to wait before.
    pub delay_ms: u32,
    /// A question to a node of the chain, asked at the same time.
    pub beside: Option<ChainCall>,
    /// Whose requests are counted, where the operator has bound a rate limit: it is asked before.
    pub limited_by: Option<String>,
}

impl Call {
    /// A command to an object, and nothing besides.
    pub(in crate::gate) const fn new(object: String, command: String) -> Self {
        Self { object, command, with_body: false, delay_ms: 0, beside: None, limited_by: None }
    }
}

/// Waits for the answer to a claim.
pub struct Claiming<'g> {
    passage: Box<Passage<'g>>,
    tries: u32,
}

/// Waits for the answer to a record.
pub struct Recording<'g> {
    passage: Box<Passage<'g>>,
    after: Filed,
}

/// What was put on record, and so what comes next.
#[derive(Debug)]
pub enum Filed {
    /// The work is over; answer this.
    Over(Ending),
    /// The facilitator doubts; the object knows whether that is a refusal.
    Suspected,
    /// `after`: the response is sealed or about to stream; settle next.
    Sealed,
    /// `before`: the response is stored, or about to stream.
    Stored,
    /// A settle call's outcome.
    Outcome(Turn),
    /// What the chain says.
    Learnt,
}

/// How work ends without a response of the origin.
#[derive(Debug)]
pub enum Ending {
    /// With this answer.
    Said(Reply),
    /// The authorization leaves no time.
    TooLate,
    /// The facilitator refuses, in its words.
    Refused(String),
    /// The facilitator does not answer.
    Down,
    /// The facilitator refuses the gate's key.
    KeyRefused,
}

impl<'g> Passage<'g> {
    /// Asks whose payment this is; `tries` went before.
    pub(super) fn claim(self: Box<Self>, tries: u32) -> Step<'g> {
        let (idempotent, payment) = (self.offer.idempotent, self.payment());
        // A payment that comes too late, that nobody vouches for yet, whose payer may not pay or that pays another price begins nothing: no place in
        // flight is left for it.
        let in_time = self.arrival == Arrival::InTime;
        let in_flight = match in_time && self.vouched == Vouched::Yes {
            false => 0,
            true if self.is_contract => 1,
            true => self.gate.in_flight,
        };
        let mut call = self.call(Command::Claim {
            payment: Box::new(payment),
            leases: self.leases(),
            idempotent: idempotent && in_time,
            wallet: self.wallet,
            in_flight,
            last: self.inquired,
        });
        call.delay_ms = if tries == 0 { 0 } else { RETRY_MS };
        // First sight is when the payment came, however often its claim is tried.
        let first = tries == 0 && self.place.1 != Role::New && !self.inquired && !self.claimed;
        let network = self.choice.terms.network.as_str();
        // What the chain settles has the height read when it is judged.
        let reads = first && self.proof.onchain.is_none();
        let readable = self.gate.rpc_url(network).filter(|_| reads);
        call.beside = readable.map(|_| ChainCall::new(network, height::request()));
        if first {
            call.limited_by = Some(client_prefix(self.head.headers.get("cf-connecting-ip")).into());
        }
        Step::Claim(call, Claiming { passage: self, tries })
    }

    /// The payment as this request would record it.
    pub(super) fn payment(&self) -> Payment {
        let (offer, terms) = (&self.offer, &self.choice.terms);
        Payment {
            binding: self.binding(),
            secret: self.proof.identifier.as_deref().map(|id| self.gate.keys.identifier_hash(id)),
            mode: self.mode,
            receipt: self.receipt.clone(),
            route: offer.route.clone(),
            url: self.head.url.clone(),
            correlation: self.correlation.clone(),
            network: terms.network.as_str().into(),
            asset: terms.asset.clone(),
            amount: alloc::format!("{}", terms.amount),
            pay_to: terms.pay_to.clone(),
            valid_before: self.proof.valid_before.secs(),
            facilitator: match self.proof.onchain {
                Some(_) => OnChain::settler(terms.network.as_str()),
                None => self.facilitator().base().into(),
            },
            request: self.proof.request.clone(),
            confirm: offer.confirms && self.proof.onchain.is_none(),
        }
    }

    /// Puts something on record; `after` says what comes next.
    pub(super) fn record(self: Box<Self>, command: Command, after: Filed) -> Step<'g> {
        let mut call = self.call(command);
        call.with_body = matches!(&after, Filed::Sealed | Filed::Stored)
            && matches!(&self.response, Some((_, Kept::Whole)));
        Step::Record(call, Recording { passage: self, after })
    }

    /// Ends the work without a response.
    pub(super) fn release(self: Box<Self>, why: Failure, ending: Ending) -> Step<'g> {
        let fence = self.fence;
        self.record(Command::Release { fence, why }, Filed::Over(ending))
    }

    /// Somebody may have submitted the authorization: the object knows whether that is a refusal.
    pub(super) fn suspect(self: Box<Self>) -> Step<'g> {
        let (fence, why) = (self.fence, Failure::Submitted);
        self.record(Command::Release { fence, why }, Filed::Suspected)
    }

    /// What the client reads when the work is over.
    pub(super) fn end(&self, ending: Ending, now: UnixTime) -> Step<'g> {
        Step::Respond(match ending {
            Ending::Said(reply) => reply,
            Ending::TooLate => self.too_late(now),
            Ending::Refused(reason) => self.fresh_terms(Code::VerifyRefused, &reason, now),
            Ending::Down | Ending::KeyRefused => {
                let code = match ending {
                    Ending::KeyRefused => Code::NotConfigured,
                    _ => Code::FacilitatorUnavailable,
                };
                self.problem(code).diagnosed(self.diagnosis(now).as_ref())
            }
        })
    }

    /// A stored response for a repeat that proved itself.
    fn replay(&mut self, response: &str) -> Step<'g> {
        let Some(mut head) = ResponseHead::from_text(response) else {
            return self.refuse(Code::Internal);
        };
        if let Some(served) = taken_out(&mut head) {
            self.served = served;
        }
        finish_paid(&mut head, &self.correlation);
        let mut reply = Reply::new(head, Body::Held).with("payment-replayed", "true");
        reply.marks.served = true;
        Step::Respond(self.settlement_served(reply))
    }

    /// What becomes of a request whose payment the ledger does not know and will not begin.
    fn barred(&self, now: UnixTime) -> Step<'g> {
        match self.arrival {
            Arrival::InTime | Arrival::Late => Step::Respond(self.too_late(now)),
            Arrival::Denied => self.refuse(Code::PayerDenied),
            Arrival::Unpriced => self.refuse(Code::PriceUnavailable),
            Arrival::Repriced(code) => {
                let reason = code.row().reason.unwrap_or_default();
                Step::Respond(self.fresh_terms(code, reason, now))
            }
            Arrival::Waived => {
                self.gate.waived(&self.offer, &self.head, self.correlation.clone(), now)
            }
        }
    }

    /// What a client reads whose payment is in a state that this request cannot move.
    pub(super) fn told(&self, answer: &Answer, now: UnixTime) -> Step<'g> {
        let replayed = |reason: &str| Blame { cause: Cause::Replayed, reason: reason.into() };
        let code = match answer {
            Answer::InProgress => Code::PaymentInProgress,
            Answer::Unknown | Answer::Stale => Code::SettlementUnknown,
            Answer::Unresolved => Code::PaymentUnresolved,
            Answer::Refused { reason } => {
                let failures = Failures::payers(self.tally.as_ref());
                let diagnosis = self.diagnosis_of(&blame_of(reason), failures, now);
                let reply = self.problem(Code::SettlementRefused).diagnosed(diagnosis.as_ref());
                return Step::Respond(self.settlement_refused(reply, reason));
            }
            Answer::AlreadyUsed | Answer::AlreadyDelivered => {
                let code = match answer {
                    Answer::AlreadyUsed => Code::PaymentAlreadyUsed,
                    _ => Code::PaymentAlreadyDelivered,
                };
                let reply = |diagnosis: Option<&_>| self.problem(code).diagnosed(diagnosis);
                return Step::Respond(self.blaming_network(&replayed(code.name()), now, reply));
            }
            Answer::OriginFailed => {
                let reply = self.problem(Code::OriginFailed);
                return Step::Respond(reply.with_status(
                    409,
                    &self.correlation,
                    Some(&self.receipt),
                ));
            }
            Answer::RefundDue => {
                let reply = self.problem(Code::RefundDueRepeat);
                return Step::Respond(self.settlement(reply));
            }
            Answer::Refunded => Code::Refunded,
            Answer::Void => {
                let blame = self.blame.clone().unwrap_or_else(|| replayed("authorization_void"));
                let code = Code::PaymentRequired;
                let reason = code.row().reason.unwrap_or_default();
                let reply = |diagnosis: Option<&_>| self.terms(code, reason, diagnosis, now);
                return Step::Respond(self.blaming_network(&blame, now, reply));
            }
            Answer::UnderReview => Code::UnderReview,
            Answer::TooManyInFlight => Code::TooManyInFlight,
            Answer::Granted { .. }
            | Answer::Deliver { .. }
            | Answer::Resend { .. }
            | Answer::Replay { .. }
            | Answer::Recorded
            | Answer::Absent
            | Answer::Unsupported => Code::LedgerUnavailable,
        };
        self.refuse(code)
    }
}

impl<'g> Claiming<'g> {
    /// The reply to [`Call::beside`]: the newest block when the payment was claimed.
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        let chain_id = self.passage.choice.chain_id();
        self.passage.seen.block = height::read(chain_id, reply).ok();
        self
    }

    /// The client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.passage.refuse(Code::RateLimited)
    }

    /// For the log: the payment key's prefix and the route.
    #[must_use]
    pub fn label(&self) -> (String, String) {
        (alloc::format!("{:?}", self.passage.proof.key), self.passage.offer.route.clone())
    }

    /// The object's answer, or none if it is down. A [`Told`] that names the row's receipt id keeps it for every
    /// answer to the client and for the origin; without, the id is derived from today's secret.
    pub fn answered(self, told: Option<impl Into<Told>>, now: UnixTime) -> Step<'g> {
        let mut passage = self.passage;
        passage.served = now;
        passage.claimed = true;
        let told = told.map(Into::into);
        if let Some(Told { receipt, tally, .. }) = &told {
            passage.tally = tally.clone().or(passage.tally);
            if let Some(receipt) = receipt {
                passage.receipt.clone_from(receipt);
            }
        }
        match told.map(|told| told.answer) {
            None => passage.refuse(Code::LedgerUnavailable),
            Some(Answer::Granted { fence }) => {
                passage.fence = fence;
                passage.owner = true;
                passage.seen.at = now;
                // Begun again: first sight was earlier, and only the row knows when. A repeat or the alarm asks.
                passage.inquired |= fence != FIRST_FENCE;
                let verifies = passage.mode == Mode::After || passage.choice.verifies_first;
                match passage.has_room(now) {
                    false => passage.release(Failure::NothingRan, Ending::TooLate),
                    true if verifies && !passage.verified => passage.verify(),
                    true => passage.go_on(now),
                }
            }
            Some(Answer::Deliver { fence, transaction }) => {
                passage.fence = fence;
                passage.transaction = passage.named(&transaction);
                passage.forward(now)
            }
            Some(Answer::Resend { fence, facilitator, request, seen_at, seen_block }) => {
                passage.fence = fence;
                passage.seen = Seen { at: UnixTime::from_secs(seen_at), block: seen_block };
                passage.settle_again(&facilitator, request, 0)
            }
            Some(Answer::Replay { response, transaction }) => {
                passage.transaction = passage.named(&transaction);
                passage.replay(&response)
            }
            Some(Answer::Absent) if passage.place.1 == Role::Old => {
                passage.place = (passage.gate.shards, Role::New);
                passage.claim(0)
            }
            Some(Answer::Unresolved) if passage.arrival == Arrival::Denied => passage.barred(now),
            Some(Answer::TooManyInFlight) if passage.arrival != Arrival::InTime => {
                passage.barred(now)
            }
            // There are no terms to put up.
            Some(Answer::Void)
                if matches!(passage.arrival, Arrival::Unpriced | Arrival::Waived) =>
            {
                passage.barred(now)
            }
            // Not known: a facilitator has to vouch for it before anything is written.
            Some(Answer::TooManyInFlight) if passage.vouched == Vouched::NotYet => passage.verify(),
            Some(Answer::TooManyInFlight) if self.tries < RETRIES => {
                passage.claim(self.tries.saturating_add(1))
            }
            Some(answer) => passage.told(&answer, now),
        }
    }
}

impl<'g> Recording<'g> {
    /// The object's answer, or none if it is down.
    pub fn answered(self, told: Option<impl Into<Told>>, now: UnixTime) -> Step<'g> {
        let mut passage = self.passage;
        let told = told.map(Into::into);
        passage.tally = told.as_ref().and_then(|told| told.tally.clone()).or(passage.tally);
        match (self.after, told.map(|told| told.answer)) {
            // Somebody else has moved the row on: what became of the payment is not ours to say.
            (Filed::Over(_), Some(answer @ Answer::Stale)) => passage.told(&answer, now),
            // Nothing was submitted anywhere, and the row says so: somebody else may do it.
            (Filed::Over(Ending::Down), Some(_)) if passage.facilitators.len() > 1 => {
                passage.facilitators.remove(0);
                passage.verified = false;
                passage.spend(3);
                passage.claim(0)
            }
            // The work ended: the client hears how even if the row could not be told.
            (Filed::Over(ending), _) => passage.end(ending, now),
            // A refusal is looked up too: who broadcasts and then refuses must not make the payer pay twice.
            (
                Filed::Suspected | Filed::Outcome(_),
                Some(answer @ (Answer::Unknown | Answer::Refused { .. })),
            ) if passage.may_inquire() => passage.inquire(answer, now),
            (Filed::Suspected, _) => passage.unknown(),
            (Filed::Learnt, Some(Answer::Granted { fence })) => {
                passage.fence = fence;
                passage.captured(now)
            }
            // The row has moved, or somebody works on it: it is told like any repeat.
            (Filed::Learnt, Some(_)) => passage.claim(0),
            (Filed::Learnt, None) => passage.unknown(),
            (Filed::Sealed, Some(Answer::Granted { fence })) => {
                passage.fence = fence;
                passage.settle_first()
            }
            // Nothing was submitted; the lease ends the row.
            (Filed::Sealed, None) => passage.refuse(Code::LedgerUnavailable),
            (Filed::Stored, Some(Answer::Granted { .. })) => passage.respond(),
            (Filed::Outcome(_), Some(Answer::Granted { fence })) => {
                passage.fence = fence;
                passage.captured(now)
            }
            (Filed::Outcome(turn), Some(Answer::Resend { fence, facilitator, request, .. })) => {
                passage.fence = fence;
                passage.transaction = None;
                let waited = turn.waited_ms();
                passage.settle_again(&facilitator, request, waited)
            }
            (Filed::Outcome(_), Some(Answer::Replay { response, .. })) => passage.replay(&response),
            // Paid, and the work outlasted its lease: the row says that a refund is due.
            (Filed::Stored, Some(Answer::Stale)) => {
                let reply = passage.problem(Code::RefundDueTimeout);
                Step::Respond(passage.settlement(reply))
            }
            (Filed::Outcome(_) | Filed::Sealed | Filed::Stored, Some(answer)) => {
                passage.told(&answer, now)
            }
            // Money may have moved or has moved, and no row says so: the lease and the alarm finish.
            (Filed::Outcome(_) | Filed::Stored, None) => passage.refuse(Code::SettlementUnknown),
        }
    }
}
