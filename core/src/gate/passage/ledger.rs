//! Claims and records: what the ledger object is told, and what its answers mean for the client.

use alloc::boxed::Box;
use alloc::string::String;
use core::num::NonZeroU32;

use super::blame::blame_of;
use super::origin::taken_out;
use super::settle::Turn;
use super::{Arrival, ChainCall, Kept, Passage, Step, first_place};
use crate::facilitator::funds::Draft;
use crate::gate::diagnose::Failures;
use crate::gate::limit::client_prefix;
use crate::gate::recover::Seen;
use crate::gate::reply::{Body, Reply, finish_paid};
use crate::http::ResponseHead;
use crate::ledger::attempts::Blame;
use crate::ledger::command::{
    Answer, Command, Deliver, Failure, Fate, Mode, Noted, Payment, Question, Repeat, Replay,
    Resend, Resumed, Role, Seen as Sight, Told,
};
use crate::ledger::entry::FIRST_FENCE;
use crate::ledger::inquiry::height;
use crate::mutant::{Mutant, planted};
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

/// Waits for what is left of a payment that this request may not begin.
pub struct Resuming<'g>(Box<Passage<'g>>);

/// Waits for what became of a payment whose signature is not proven.
pub struct Looking<'g>(Box<Passage<'g>>);

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
    /// What is known of a transaction that the payer has sent; the client reads this code.
    Noted(Noted, Code),
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
    /// Asks the ledger for all that this request may have of its payment: only one that is in time, for today's terms and
    /// proven may begin it.
    pub(super) fn ask_ledger(self: Box<Self>) -> Step<'g> {
        if planted(Mutant::AskBegins) {
            return self.claim(0);
        }
        match (self.vouched, self.arrival) {
            (Vouched::Yes, Arrival::InTime) => self.claim(0),
            (
                Vouched::Yes,
                Arrival::Late
                | Arrival::Denied
                | Arrival::Gone
                | Arrival::Repriced(_)
                | Arrival::Unpriced
                | Arrival::Waived,
            ) => self.resume(),
            (Vouched::NotYet, _) => self.look_up(),
        }
    }

    /// Begins the payment, or hears what became of it; `tries` went before.
    fn claim(self: Box<Self>, tries: u32) -> Step<'g> {
        let Repeat { payment, leases, idempotent, wallet, last } = self.repeat();
        let in_flight = if self.is_contract { NonZeroU32::MIN } else { self.gate.in_flight };
        let rival = self.proof.rival.map(|key| key.to_hex());
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
        Step::Claim(call, Claiming { passage: self, tries })
    }

    /// Continues a payment that the ledger knows.
    fn resume(self: Box<Self>) -> Step<'g> {
        let mut call = self.asking(Question::Resume(self.repeat()), self.counting());
        self.guard(&mut call, true);
        Step::Resume(call, Resuming(self))
    }

    /// Looks what became of a payment whose signature is not proven.
    fn look_up(self: Box<Self>) -> Step<'g> {
        let mut call = self.asking(Question::Look(self.repeat()), None);
        self.guard(&mut call, true);
        Step::Look(call, Looking(self))
    }

    /// What goes beside the first call: the rate limiter before it, the newest block with it.
    fn guard(&self, call: &mut Call, is_first: bool) {
        // First sight is when the payment came, however often its claim is tried.
        if !is_first || self.place.1 == Role::New || self.inquired || self.claimed {
            return;
        }
        let network = self.choice.terms.network.as_str();
        // What the chain settles has the height read when it is judged.
        let reads = self.proof.onchain.is_none();
        let readable = self.gate.rpc_url(network).filter(|_| reads);
        call.beside = readable.map(|_| ChainCall::new(network, height::request()));
        call.limited_by = Some(client_prefix(self.head.headers.get("cf-connecting-ip")).into());
    }

    /// The payment as this request shows it.
    fn repeat(&self) -> Repeat {
        Repeat {
            payment: Box::new(self.payment()),
            leases: self.leases(),
            idempotent: self.offer.idempotent && self.arrival == Arrival::InTime,
            wallet: self.wallet,
            last: self.inquired,
        }
    }

    /// The payment as this request would record it.
    pub(super) fn payment(&self) -> Payment {
        let (offer, terms) = (&self.offer, &self.choice.terms);
        let client = self.head.headers.get("cf-connecting-ip");
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
            client: self.gate.keys.client_name(&client_prefix(client)),
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
    pub(super) fn barred(&self, now: UnixTime) -> Step<'g> {
        match self.arrival {
            Arrival::InTime | Arrival::Late => Step::Respond(self.too_late(now)),
            Arrival::Denied => self.refuse(Code::PayerDenied),
            Arrival::Gone => self.refuse(Code::NotFound),
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
    pub(super) fn told(&self, fate: &Fate, now: UnixTime) -> Step<'g> {
        let replayed = |reason: &str| Blame { cause: Cause::Replayed, reason: reason.into() };
        let code = match fate {
            Fate::Unknown if planted(Mutant::TermsInDoubt) => return self.told(&Fate::Void, now),
            Fate::InProgress => Code::PaymentInProgress,
            Fate::Unknown => Code::SettlementUnknown,
            Fate::Unresolved => Code::PaymentUnresolved,
            Fate::Refused { reason } => {
                let failures = Failures::payers(self.tally.as_ref());
                let diagnosis = self.diagnosis_of(&blame_of(reason), failures, now);
                let reply = self.problem(Code::SettlementRefused).diagnosed(diagnosis.as_ref());
                return Step::Respond(self.settlement_refused(reply, reason));
            }
            Fate::AlreadyUsed | Fate::AlreadyDelivered => {
                let code = match fate {
                    Fate::AlreadyUsed => Code::PaymentAlreadyUsed,
                    _ => Code::PaymentAlreadyDelivered,
                };
                let reply = |diagnosis: Option<&_>| self.problem(code).diagnosed(diagnosis);
                return Step::Respond(self.blaming_network(&replayed(code.name()), now, reply));
            }
            Fate::OriginFailed => {
                let reply = self.problem(Code::OriginFailed);
                return Step::Respond(reply.with_status(409, &self.correlation, self.shown_id()));
            }
            Fate::RefundDue => {
                let reply = self.problem(Code::RefundDueRepeat);
                return Step::Respond(self.settlement(reply));
            }
            Fate::Refunded => Code::Refunded,
            Fate::Void => {
                let blame = self.blame.clone().unwrap_or_else(|| replayed("authorization_void"));
                let code = Code::PaymentRequired;
                let reason = code.row().reason.unwrap_or_default();
                let reply = |diagnosis: Option<&_>| self.terms(code, reason, diagnosis, now);
                return Step::Respond(self.blaming_network(&blame, now, reply));
            }
            Fate::UnderReview => Code::UnderReview,
        };
        self.refuse(code)
    }

    /// What a client reads where an answer lets its request do nothing further.
    fn ended(&self, answer: &Answer, now: UnixTime) -> Step<'g> {
        self.refuse(match answer {
            Answer::Fate(fate) => return self.told(fate, now),
            Answer::Stale => Code::SettlementUnknown,
            Answer::TooManyInFlight => Code::TooManyInFlight,
            Answer::Full => Code::RateLimited,
            Answer::Granted { .. }
            | Answer::Deliver(_)
            | Answer::Resend(_)
            | Answer::Replay(_)
            | Answer::Recorded
            | Answer::Absent
            | Answer::Unsupported => Code::LedgerUnavailable,
        })
    }

    /// Keeps what every answer of the ledger says beside: the row's receipt id, and the payer's failures.
    fn hear<A>(&mut self, told: Option<impl Into<Told<A>>>, now: UnixTime) -> Option<A> {
        self.served = now;
        self.claimed = true;
        let Told { answer, receipt, tally } = told?.into();
        self.tally = tally.or(self.tally.take());
        if let Some(receipt) = receipt {
            self.receipt = receipt;
        }
        Some(answer)
    }

    /// Paid earlier, and the origin has not run: it runs now.
    fn deliver(
        mut self: Box<Self>,
        Deliver { fence, transaction }: Deliver,
        now: UnixTime,
    ) -> Step<'g> {
        self.fence = fence;
        self.transaction = self.named(&transaction);
        self.forward(now)
    }

    /// What was recorded goes to its facilitator once more.
    fn send_again(mut self: Box<Self>, resend: Resend) -> Step<'g> {
        let Resend { fence, facilitator, request, seen_at, seen_block } = resend;
        self.fence = fence;
        self.seen = Seen { at: UnixTime::from_secs(seen_at), block: seen_block };
        self.settle_again(&facilitator, request, 0)
    }

    /// The stored response.
    fn play(mut self: Box<Self>, Replay { response, transaction }: &Replay) -> Step<'g> {
        self.transaction = self.named(transaction);
        self.replay(response)
    }

    /// Goes to the object after a change of their number, if the one before it was asked.
    fn move_on(&mut self) -> bool {
        let moves = self.place.1 == Role::Old;
        if moves {
            self.place = (self.gate.shards, Role::New);
        }
        moves
    }
}

impl<'g> Resuming<'g> {
    /// The client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.0.refuse(Code::RateLimited)
    }

    /// For the log: the payment key's prefix and the route.
    #[must_use]
    pub fn label(&self) -> (String, String) {
        self.0.label()
    }

    /// The reply to [`Call::beside`].
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.0.saw(reply);
        self
    }

    /// The object's answer, or none if it is down.
    pub fn answered(self, told: Option<impl Into<Told<Resumed>>>, now: UnixTime) -> Step<'g> {
        let mut passage = self.0;
        match passage.hear(told, now) {
            None => passage.refuse(Code::LedgerUnavailable),
            Some(Resumed::Deliver(deliver)) => passage.deliver(deliver, now),
            Some(Resumed::Resend(resend)) => passage.send_again(resend),
            Some(Resumed::Replay(replay)) => passage.play(&replay),
            Some(Resumed::Nothing) if passage.move_on() => passage.resume(),
            Some(Resumed::Nothing) => match passage.recalled.take() {
                Some(reason) => {
                    Step::Respond(passage.fresh_terms(Code::VerifyRefused, &reason, now))
                }
                None => passage.barred(now),
            },
            Some(Resumed::Fate(Fate::Unresolved)) if passage.arrival == Arrival::Denied => {
                passage.barred(now)
            }
            // There are no terms to put up.
            Some(Resumed::Fate(Fate::Void))
                if matches!(passage.arrival, Arrival::Unpriced | Arrival::Waived) =>
            {
                passage.barred(now)
            }
            Some(Resumed::Fate(fate)) => passage.told(&fate, now),
        }
    }
}

impl<'g> Looking<'g> {
    /// The client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.0.refuse(Code::RateLimited)
    }

    /// For the log: the payment key's prefix and the route.
    #[must_use]
    pub fn label(&self) -> (String, String) {
        self.0.label()
    }

    /// The reply to [`Call::beside`].
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.0.saw(reply);
        self
    }

    /// The object's answer, or none if it is down.
    pub fn answered(self, told: Option<impl Into<Told<Sight>>>, now: UnixTime) -> Step<'g> {
        let mut passage = self.0;
        match passage.hear(told, now) {
            None => passage.refuse(Code::LedgerUnavailable),
            // There is nobody to deliver to, and its row says what becomes of it.
            Some(Sight::Open) if passage.arrival == Arrival::Gone => passage.unknown(),
            // Who may not be served is owed what moves.
            Some(Sight::Open) if passage.arrival == Arrival::Denied && passage.proof.was_sent() => {
                passage.verify()
            }
            // Its signature held once, or the request knows the secret of the first.
            Some(Sight::Open) => passage.resume(),
            Some(Sight::Nothing) if passage.move_on() => passage.look_up(),
            // Not known: it has to be proven before anything is written.
            // The money may have moved, whatever else stands against it: it is looked for.
            Some(Sight::Nothing)
                if passage.arrival == Arrival::InTime || passage.proof.was_sent() =>
            {
                passage.place = first_place(passage.gate);
                passage.verify()
            }
            Some(Sight::Nothing) => passage.barred(now),
            Some(Sight::Fate(fate)) => passage.told(&fate, now),
        }
    }
}

impl<'g> Claiming<'g> {
    /// What the payment would take from whom, where it may be known that it is not there.
    #[must_use]
    pub fn draft(&self) -> Option<Draft> {
        let passage = &self.passage;
        (!passage.claimed && passage.proof.onchain.is_none()).then(|| passage.draft())
    }

    /// The wallet was found too empty a moment ago: nothing begins and nothing is written, and what was paid for is still given.
    pub fn recalled(self, reason: &str) -> Step<'g> {
        let mut passage = self.passage;
        passage.blames(reason);
        passage.recalled = Some(reason.into());
        passage.resume()
    }

    /// The reply to [`Call::beside`]: the newest block when the payment was claimed.
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.passage.saw(reply);
        self
    }

    /// The client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.passage.refuse(Code::RateLimited)
    }

    /// For the log: the payment key's prefix and the route.
    #[must_use]
    pub fn label(&self) -> (String, String) {
        self.passage.label()
    }

    /// The object's answer, or none if it is down. A [`Told`] that names the row's receipt id keeps it for every
    /// answer to the client and for the origin; without, the id is derived from today's secret.
    pub fn answered(self, told: Option<impl Into<Told>>, now: UnixTime) -> Step<'g> {
        let mut passage = self.passage;
        match passage.hear(told, now) {
            None => passage.refuse(Code::LedgerUnavailable),
            Some(Answer::Granted { fence }) => {
                passage.fence = fence;
                passage.owner = true;
                passage.seen.at = now;
                // Begun again: first sight was earlier, and only the row knows when. A repeat or the alarm asks.
                passage.inquired |= fence != FIRST_FENCE;
                let verifies = passage.mode == Mode::After || passage.choice.verifies_first;
                match passage.has_room(now) || planted(Mutant::StaleRoom) {
                    false => passage.release(Failure::NothingRan, Ending::TooLate),
                    true if verifies && !passage.verified => passage.verify(),
                    true => passage.go_on(now),
                }
            }
            Some(Answer::Deliver(deliver)) => passage.deliver(deliver, now),
            Some(Answer::Resend(resend)) => passage.send_again(resend),
            Some(Answer::Replay(replay)) => passage.play(&replay),
            Some(Answer::Absent) if passage.move_on() => passage.claim(0),
            Some(Answer::TooManyInFlight) if self.tries < RETRIES => {
                passage.claim(self.tries.saturating_add(1))
            }
            // Paid, and there is no place to serve it now: it waits to be fetched.
            Some(answer @ (Answer::TooManyInFlight | Answer::Full)) if passage.proof.was_sent() => {
                let full = answer == Answer::Full;
                let code = if full { Code::RateLimited } else { Code::TooManyInFlight };
                passage.note(Noted::Paid, code)
            }
            Some(answer) => passage.ended(&answer, now),
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
            (Filed::Over(_), Some(answer @ Answer::Stale)) => passage.ended(&answer, now),
            // Nothing was submitted anywhere, and the row says so: somebody else may do it.
            (Filed::Over(Ending::Down), Some(_)) if passage.facilitators.len() > 1 => {
                passage.facilitators.remove(0);
                passage.verified = false;
                passage.spend(3);
                passage.ask_ledger()
            }
            // The work ended: the client hears how even if the row could not be told.
            (Filed::Over(ending), _) => passage.end(ending, now),
            // A refusal is looked up too: who broadcasts and then refuses must not make the payer pay twice.
            (
                Filed::Suspected | Filed::Outcome(_),
                Some(Answer::Fate(fate @ (Fate::Unknown | Fate::Refused { .. }))),
            ) if passage.may_inquire() => passage.inquire(fate, now),
            (Filed::Suspected, _) => passage.unknown(),
            (Filed::Learnt, Some(Answer::Granted { fence })) => {
                passage.fence = fence;
                passage.captured(now)
            }
            // The row has moved, or somebody works on it: it is told like any repeat.
            (Filed::Learnt, Some(_)) => passage.ask_ledger(),
            (Filed::Learnt, None) => passage.unknown(),
            (Filed::Noted(noted, code), Some(Answer::Absent)) if passage.move_on() => {
                passage.note(noted, code)
            }
            // Its row is beyond that.
            (Filed::Noted(..), Some(Answer::Stale)) if passage.arrival != Arrival::Gone => {
                passage.resume()
            }
            (Filed::Noted(Noted::Owed, _), Some(Answer::Recorded)) => {
                passage.told(&Fate::RefundDue, now)
            }
            // No row says that it is owed: it is asked for again.
            (Filed::Noted(Noted::Owed | Noted::Paid, _), None) => passage.unknown(),
            (Filed::Noted(_, Code::ChainUnavailable), _) => passage.unread(now),
            (Filed::Noted(_, code), _) => passage.refuse(code),
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
            (Filed::Outcome(turn), Some(Answer::Resend(resend))) => {
                let Resend { fence, facilitator, request, .. } = resend;
                passage.fence = fence;
                passage.transaction = None;
                let waited = turn.waited_ms();
                passage.settle_again(&facilitator, request, waited)
            }
            (Filed::Outcome(_), Some(Answer::Replay(replay))) => passage.replay(&replay.response),
            // Paid, and the work outlasted its lease: the row says that a refund is due.
            (Filed::Stored, Some(Answer::Stale)) => {
                let reply = passage.problem(Code::RefundDueTimeout);
                Step::Respond(passage.settlement(reply))
            }
            (Filed::Outcome(_) | Filed::Sealed | Filed::Stored, Some(answer)) => {
                passage.ended(&answer, now)
            }
            // Money may have moved or has moved, and no row says so: the lease and the alarm finish.
            (Filed::Outcome(_) | Filed::Stored, None) => passage.refuse(Code::SettlementUnknown),
        }
    }
}
