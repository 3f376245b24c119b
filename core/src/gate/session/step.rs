//! The machine of one request that is paid by session: deposit if there is one, hold, serve,
//! charge, answer. Nothing is charged before the origin has served, and nothing is delivered before
//! it is charged. An answer that flows goes on in `stream`.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use super::asked::AskedSession;
use super::errand::ChannelTerms;
use super::flow::{Flow, FlowEnd, FlowLimits, Pause};
use super::mpp::payment::{ShownDeposit, is_content};
use super::mpp::{seen, told};
use super::payment::{Purpose, SessionDoor, SessionPayment};
use super::reason::reason;
use super::statement;
use crate::amount::Amount;
use crate::channel::desk::{
    ChannelAsk, ChannelMessage, ChannelReply, PurchaseText, Said, SightText, VERSION,
};
use crate::channel::facts::ChannelFacts;
use crate::channel::refusal::ChannelRefusal;
use crate::encoding::{json, message};
use crate::evm::rpc::reply::Status;
use crate::facilitator::breaker::Operation;
use crate::facilitator::payers::{Caller, Evidence};
use crate::facilitator::reply::{FacilitatorReply, MAX_REPLY_BYTES};
use crate::facilitator::unproven::queue::CallResult;
use crate::facilitator::unproven::{UnverifiedCaller, UnverifiedKind};
use crate::facilitator::wire;
use crate::gate::call::{ChainCall, FacilitatorCall};
use crate::gate::forward::{ClientIdentity, OriginCall, Price, origin_call};
use crate::gate::offer::{SessionOffer, VERIFY_SECS};
use crate::gate::paid::{
    BodyLimits, Collected, Label, MAX_SEALED_BYTES, MAX_SEALING_SECS, OriginReply, charged,
    incomplete, is_short, is_useful, may_be_stored,
};
use crate::gate::reply::{Audience, Body, CORRELATION, Reply, finish_paid, scrub};
use crate::gate::units;
use crate::hash;
use crate::http::{BodyPresence, ResponseHead};
use crate::mutant::{Mutant, planted};
use crate::problem::Code;
use crate::time::UnixTime;
use crate::x402::Version;
use crate::x402::handed::Version2;

mod stream;

/// The next effect of a request that is paid by session.
#[cfg_attr(feature = "copies", derive(Clone))]
pub enum SessionStep<'g> {
    /// Read up to [`MAX_DIGESTED_BYTES`](crate::gate::paid::MAX_DIGESTED_BYTES) of the request's
    /// body and hash them; [`SessionRequest::digested`] or [`SessionRequest::broken`] takes the
    /// outcome.
    Digest(Box<SessionRequest<'g>>),
    /// Ask the object of this name, with the collected body if this is a charge that keeps it;
    /// [`SessionRequest::object`] takes the answer.
    Object(String, String, Box<SessionRequest<'g>>),
    /// Ask a facilitator; [`SessionRequest::facilitator`] takes the reply.
    Facilitator(Box<FacilitatorCall>, Box<SessionRequest<'g>>),
    /// Ask a node; [`SessionRequest::node`] takes its reply.
    Node(Box<ChainCall>, Box<SessionRequest<'g>>),
    /// Ask the origin; [`SessionRequest::origin`] takes its reply.
    Forward(OriginCall, Box<SessionRequest<'g>>),
    /// Read the body within these limits; [`SessionRequest::collected`] takes the outcome.
    Collect(BodyLimits, Box<SessionRequest<'g>>),
    /// Answer with the origin's body, which flows as far as it is paid for.
    Flow(Box<Reply>, FlowLimits, Box<SessionRequest<'g>>),
    /// Let so many more units flow; then [`SessionRequest::due`] or [`SessionRequest::ended`].
    Grant(u64, Box<SessionRequest<'g>>),
    /// Write this event, if it is one, and wait until the object of this name has another answer
    /// than that it waits, at most so many seconds; [`SessionRequest::resumed`] takes it.
    Pause(Pause, Box<SessionRequest<'g>>),
    /// End the body: with this text, or as one that broke off.
    Finish(FlowEnd),
    /// Answer; a body that flows breaks off.
    Respond(Reply),
}

/// A request that is paid by session, on its way.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct SessionRequest<'g> {
    asked: AskedSession<'g>,
    now: UnixTime,
    stage: SessionStage,
    /// A hash of what is asked for: a voucher pays for one of them.
    hash: String,
    /// What the chain has shown during this request.
    sight: Option<SightText>,
    /// What its answer costs.
    used: Amount,
    /// The transaction and amount of a deposit or refund.
    moved: (String, String),
    /// The answer that flows.
    flow: Option<Flow>,
}

/// What a request waits for.
#[cfg_attr(feature = "copies", derive(Clone))]
enum SessionStage {
    /// A deposit is not sent before its voucher is known to fit.
    Foreseeing,
    Depositing,
    Looking(Before),
    Beginning,
    Serving,
    Collecting(ResponseHead),
    Charging(ResponseHead, Keeping),
    /// The hold is let go, then this is answered.
    Releasing(Box<Reply>),
    Refunding,
    SendingRefund,
    /// What the refund changed is noted.
    Noting,
    /// What needs no origin is done.
    Managing,
    /// It flows.
    Flowing,
    /// The next part of it is charged.
    Stepping,
    /// A deposit is handed over to be sent.
    Sending,
}

/// Whether an answer is kept for a repeat of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    /// All of it was read.
    Kept,
    /// It flows on.
    Passed,
}

/// What came before a look at the chain.
#[cfg_attr(feature = "copies", derive(Clone))]
enum Before {
    /// No call.
    Nothing,
    /// No call; a deposit is to be sent.
    Deposit,
    /// A deposit that was refused, with the reason.
    Refused(String),
    /// A deposit that may yet be made.
    Unknown,
}

impl<'g> SessionRequest<'g> {
    pub(super) fn begin(asked: AskedSession<'g>, now: UnixTime) -> SessionStep<'g> {
        let stage = SessionStage::Beginning;
        let moved = (String::new(), String::new());
        let has_body = asked.request.head.body == BodyPresence::Present;
        let is_bought = match asked.payment.purpose {
            Purpose::Deposit(_) | Purpose::Voucher | Purpose::Open => true,
            Purpose::Refund(_) | Purpose::TopUp | Purpose::Show | Purpose::Close => false,
        };
        let (hash, used) = (String::new(), asked.first());
        let session =
            Box::new(Self { asked, now, stage, hash, sight: None, used, moved, flow: None });
        if has_body && is_bought { SessionStep::Digest(session) } else { session.hashed(&[]) }
    }

    /// Takes the digest of the request's body in hex, or `None` for one that is longer than is
    /// hashed: no other request is the same as that one.
    pub fn digested(mut self: Box<Self>, digest: Option<&str>, now: UnixTime) -> SessionStep<'g> {
        // Whoever sends a body slowly would be held for a time that is over.
        if !planted(Mutant::BodiesUseUpHolds) {
            self.now = now;
        }
        let fresh = self.asked.request.correlation.clone();
        match digest {
            Some(_) if planted(Mutant::BodiesAreOne) => self.hashed(&[]),
            Some(digest) => self.hashed(&[digest.as_bytes()]),
            None => self.hashed(&[b"long", fresh.as_bytes()]),
        }
    }

    /// Ends the request when its body broke off.
    #[must_use]
    pub fn broken(self: Box<Self>) -> SessionStep<'g> {
        SessionStep::Respond(incomplete(&self.asked.request.correlation))
    }

    fn hashed(mut self: Box<Self>, body: &[&[u8]]) -> SessionStep<'g> {
        let head = &self.asked.request.head;
        let mut parts = [&[head.method.as_bytes(), head.url.as_bytes()], body].concat();
        let amount = self.asked.payment.cumulative.to_string();
        // One voucher may pay for many requests, each in answer to a challenge of its own.
        if let SessionDoor::Mpp(shown) = &self.asked.payment.door {
            parts.extend([shown.challenge.as_bytes(), amount.as_bytes()]);
        }
        self.hash = ["0x", &hash::digest(&parts)].concat();
        match self.asked.payment.purpose {
            Purpose::Deposit(_) if planted(Mutant::DepositsAreBlind) => self.deposit(),
            // No money moves for a voucher that would be refused.
            Purpose::Deposit(amount) => self.foresee(amount),
            Purpose::Voucher => self.hold(),
            Purpose::Refund(_) if planted(Mutant::RefundsAreBlind) => self.look(Before::Nothing),
            Purpose::Refund(wanted) => self.refund(wanted),
            Purpose::Open => self.look(Before::Nothing),
            Purpose::TopUp | Purpose::Show | Purpose::Close => self.manage(),
        }
    }

    /// Does what needs no origin.
    fn manage(mut self: Box<Self>) -> SessionStep<'g> {
        self.stage = SessionStage::Managing;
        let ask = match self.asked.payment.purpose {
            Purpose::TopUp => ChannelAsk::See,
            Purpose::Close => ChannelAsk::Close(self.purchase()),
            _ => ChannelAsk::Accept(self.purchase()),
        };
        self.ask(ask)
    }

    /// Asks a node what the contract of MPP shows.
    fn look_at_chain(mut self: Box<Self>, before: Before) -> SessionStep<'g> {
        let (SessionDoor::Mpp(shown), Some(sold)) =
            (&self.asked.payment.door, &self.asked.offer.channel)
        else {
            return self.problem(Code::Internal);
        };
        let body = seen::question(sold, shown).body(&sold.contract, &self.asked.payment.channel);
        let mut call = ChainCall::new(self.asked.choice.terms.network.as_str(), body);
        let has_sent = shown.queued.1 > 0;
        call.delay_ms = if has_sent { SENT_MS } else { 0 };
        // Whose answer flows has paid here; whose deposit is sent was asked for before.
        let is_known = self.flow.is_some() || has_sent;
        call.unproven = if is_known { None } else { Some(self.sender()) };
        self.stage = SessionStage::Looking(before);
        SessionStep::Node(Box::new(call), self)
    }

    /// Takes the reply of a node; with what it says of the payment.
    pub fn node(
        mut self: Box<Self>,
        reply: Option<&str>,
        now: UnixTime,
    ) -> (SessionStep<'g>, CallResult) {
        let asked = core::mem::replace(&mut self.now, now);
        let channel = self.asked.payment.channel;
        let (SessionDoor::Mpp(shown), Some(sold)) =
            (&mut self.asked.payment.door, &self.asked.offer.channel)
        else {
            return (self.problem(Code::Internal), CallResult::Open);
        };
        let question = seen::question(sold, shown);
        let seen = reply.and_then(|reply| question.read(&sold.contract, &channel, reply, asked));
        let Some(seen) = seen else {
            return (self.problem(Code::ChainUnavailable), CallResult::Open);
        };
        let least = match self.asked.payment.purpose {
            Purpose::Open => self.asked.choice.terms.amount,
            _ => Amount::ZERO,
        };
        match seen::judged(sold, &shown.deposit, (&seen, least)) {
            Ok(facts) => shown.facts = Some(*facts),
            Err(seen::NOT_CONFIRMED) if matches!(shown.deposit, ShownDeposit::Signed(_)) => {
                let is_used = seen.sent == Some(Status::Succeeded);
                return (self.fund(is_used), CallResult::Open);
            }
            Err(code) => {
                let Self { asked: AskedSession { gate, offer, request, .. }, .. } = &*self;
                let refused = told::refused(gate, offer, request, (code, None), now);
                return (SessionStep::Respond(refused), CallResult::Bad);
            }
        }
        self.sight = Some(seen.sight);
        let SessionRequest { asked, .. } = &*self;
        let buys = asked.payment.cumulative >= asked.price() && is_content(&asked.request.head);
        let next = match asked.payment.purpose {
            _ if self.flow.is_some() => self.step(),
            Purpose::Voucher => self.hold(),
            Purpose::Open if buys => self.hold(),
            _ => self.manage(),
        };
        // What is paid in forgives; what is only shown may have been shown before.
        (next, CallResult::Open)
    }

    /// Has a deposit sent that the chain does not show, and waits for it.
    fn fund(mut self: Box<Self>, is_used: bool) -> SessionStep<'g> {
        let AskedSession { gate, offer, payment, .. } = &mut self.asked;
        let (SessionDoor::Mpp(shown), Some(sold)) = (&mut payment.door, &offer.channel) else {
            return self.problem(Code::Internal);
        };
        let (is_queued, looks) = shown.queued;
        shown.queued.1 = looks.saturating_add(1);
        let ShownDeposit::Signed(funds) = &shown.deposit else {
            return self.problem(Code::Internal);
        };
        if looks >= MAX_LOOKS {
            return self.refused_by_code(seen::NOT_CONFIRMED);
        }
        if is_used || is_queued {
            return self.look(Before::Nothing);
        }
        if !funds.is_in_time(self.now) {
            return self.refused_by_code(seen::EXPIRED);
        }
        let Some(call) = gate.deposit_call(sold.contract, (payment.channel, funds)) else {
            return self.problem(Code::Internal);
        };
        self.stage = SessionStage::Sending;
        SessionStep::Object(call.object(), call.to_message(), self)
    }

    /// Answers with the code of a refusal that says nothing of the channel.
    fn refused_by_code(&self, code: u32) -> SessionStep<'g> {
        let AskedSession { gate, offer, request, .. } = &self.asked;
        SessionStep::Respond(told::refused(gate, offer, request, (code, None), self.now))
    }

    /// The payment in the log.
    #[must_use]
    pub fn label(&self) -> Label {
        let terms = &self.asked.choice.terms;
        let (network, amount) = (terms.network.as_str(), self.price());
        let units = units::amount_members(network, &terms.asset, &amount);
        Label {
            route: self.asked.offer.settings.route.clone(),
            payment: self.asked.payment.channel.to_string(),
            members: alloc::format!(",\"network\":\"{network}\",\"amount\":\"{amount}\"{units}"),
        }
    }

    /// Takes the answer of the channel's object; `None` if it is down.
    pub fn object(mut self: Box<Self>, answer: Option<&str>, now: UnixTime) -> SessionStep<'g> {
        self.now = now;
        let stage = core::mem::replace(&mut self.stage, SessionStage::Beginning);
        let stage = match (stage, answer) {
            (SessionStage::Releasing(reply), _) => return SessionStep::Respond(*reply),
            // Without room, or while another deposit of this payer's waits, it is handed over again.
            (SessionStage::Sending, Some(answer)) => {
                if let SessionDoor::Mpp(shown) = &mut self.asked.payment.door {
                    shown.queued.0 = answer == "true";
                }
                return self.look(Before::Nothing);
            }
            (stage, _) => stage,
        };
        let Some(reply) = answer.and_then(message::read::<ChannelReply>) else {
            return self.problem(Code::LedgerUnavailable);
        };
        let (purpose, is_new) = (&self.asked.payment.purpose, self.sight.is_none());
        if let (SessionDoor::Mpp(_), true) = (&self.asked.payment.door, is_new) {
            match (purpose, &reply.channel) {
                // No node is asked for no one who did not sign.
                (_, None) if !planted(Mutant::UnknownIsLookedFor) => {
                    return self.refused_by_code(ChannelRefusal::NotFound.okx());
                }
                // Anyone can bring any transaction.
                (Purpose::TopUp, Some(known)) => {
                    let is_recent = now < UnixTime::from_secs(known.sight.at).plus(LOOK_SECS);
                    return match is_recent {
                        true => self.refused_by_code(seen::NOT_CONFIRMED),
                        false => self.look(Before::Nothing),
                    };
                }
                (_, _) => {}
            }
        }
        if reply.said == Said::Refused {
            let may_look = reply.stale && self.sight.is_none();
            return match stage {
                SessionStage::Beginning
                | SessionStage::Refunding
                | SessionStage::Managing
                | SessionStage::Stepping
                    if may_look =>
                {
                    self.look(Before::Nothing)
                }
                SessionStage::Stepping => self.finish(),
                _ => SessionStep::Respond(self.corrected(&reply)),
            };
        }
        match (stage, reply.said) {
            (SessionStage::Beginning, Said::Held) => self.held(&reply),
            (SessionStage::Managing, Said::Taken) => match &self.asked.payment.door {
                SessionDoor::Mpp(shown) => {
                    SessionStep::Respond(told::managed(&self.asked, shown, &reply, self.now))
                }
                SessionDoor::X402(..) => self.problem(Code::Internal),
            },
            // Where several facilitators could send it, one that can is found by a free call.
            (SessionStage::Foreseeing, Said::Held | Said::Taken)
                if self.sight.is_none() && self.asked.settlers.len() > 1 =>
            {
                self.look(Before::Deposit)
            }
            (SessionStage::Foreseeing, Said::Held) => self.deposit(),
            // The first voucher of a channel is for the price, unless something was claimed of it.
            (SessionStage::Foreseeing, Said::Taken)
                if self.is_first() || planted(Mutant::NewDepositsAreBlind) =>
            {
                self.deposit()
            }
            (SessionStage::Foreseeing, Said::Taken) if self.sight.is_none() => {
                self.look(Before::Deposit)
            }
            (SessionStage::Beginning | SessionStage::Foreseeing, _) => self.again(reply),
            (SessionStage::Stepping, said) => self.stepped(said, reply),
            (SessionStage::Charging(head, _), said) if self.asked.meter().is_some() => {
                self.begin_flow(head, said, &reply)
            }
            // Another copy was served and charged meanwhile: both have one answer.
            (SessionStage::Charging(..), Said::Repeated)
                if !planted(Mutant::UnchargedIsDelivered) =>
            {
                self.again(reply)
            }
            (SessionStage::Charging(mut head, _), Said::Charged | Said::Repeated) => {
                finish_paid(&mut head, &self.asked.request.correlation);
                let mut served = Reply::new(head, Body::Held);
                served.marks.served = true;
                SessionStep::Respond(self.settled(served, &reply))
            }
            (SessionStage::Refunding, Said::Promised) => self.send_refund(&reply),
            (SessionStage::Noting, said) | (SessionStage::Refunding, said @ Said::Refunded) => {
                if let (Said::Refunded, Some((_, amount))) = (said, &reply.promised) {
                    self.moved.1.clone_from(amount);
                }
                let mut done = Reply::new(
                    ResponseHead { status: 200, headers: crate::http::Headers::new() },
                    Body::Empty,
                );
                finish_paid(&mut done.head, &self.asked.request.correlation);
                SessionStep::Respond(self.settled(done, &reply))
            }
            _ => self.problem(Code::Internal),
        }
    }

    /// Answers a request that was charged before as it was answered then. If its answer is not kept
    /// any more, it is told what was charged so far.
    fn again(self: Box<Self>, mut reply: ChannelReply) -> SessionStep<'g> {
        let Some(kept) = &reply.kept else {
            let refusal = ChannelRefusal::CumulativeMismatch;
            reply.refusal = Some(match self.asked.payment.door {
                SessionDoor::X402(..) => refusal.x402().to_string(),
                SessionDoor::Mpp(_) => refusal.okx().to_string(),
            });
            return SessionStep::Respond(self.corrected(&reply));
        };
        let Some(mut head) = ResponseHead::from_text(kept) else {
            return self.problem(Code::Internal);
        };
        finish_paid(&mut head, &self.asked.request.correlation);
        let mut again = Reply::new(head, Body::Held).with("payment-replayed", "true");
        again.marks.served = true;
        SessionStep::Respond(self.settled(again, &reply))
    }

    /// The answer if the client's network has asked too often: the facilitator was not asked.
    #[must_use]
    pub fn limited(self: Box<Self>) -> SessionStep<'g> {
        self.problem(Code::RateLimited)
    }

    /// Takes the reply of a facilitator; with what it says of the payment.
    pub fn facilitator(
        mut self: Box<Self>,
        reply: &FacilitatorReply,
        now: UnixTime,
    ) -> (SessionStep<'g>, CallResult) {
        let asked = core::mem::replace(&mut self.now, now);
        let said = reply.object(MAX_REPLY_BYTES).filter(|(status, _)| *status < 500);
        let said = said.map(|(_, object)| object).unwrap_or_default();
        let good = said.get("success").or_else(|| said.get("isValid")).and_then(Value::as_bool);
        let verdict = match (good, &self.stage) {
            // What is paid in forgives, and not what is only shown or paid back.
            (Some(true), SessionStage::Depositing) => CallResult::Good,
            (Some(false), _) => CallResult::Bad,
            (Some(true), _) | (None, _) => CallResult::Open,
        };
        (self.heard(&said, asked), verdict)
    }

    fn heard(mut self: Box<Self>, said: &Map<String, Value>, asked: UnixTime) -> SessionStep<'g> {
        let now = self.now;
        let stage = core::mem::replace(&mut self.stage, SessionStage::Beginning);
        // What moves no money is asked of the next one.
        let stage = match stage {
            SessionStage::Looking(before)
                if !said.contains_key("isValid")
                    && self.asked.settlers.len() > 1
                    && !planted(Mutant::OneFacilitatorIsAsked) =>
            {
                self.asked.settlers.remove(0);
                return self.look(before);
            }
            stage => stage,
        };
        let words = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        let is = |name: &str| said.get(name).and_then(Value::as_bool);
        match stage {
            SessionStage::Depositing | SessionStage::SendingRefund
                if is("success") == Some(true) =>
            {
                self.moved = (words("transaction").to_string(), words("amount").to_string());
                let state = said.get("extra").and_then(|extra| extra.get("channelState"));
                self.sight = state.and_then(|state| SightText::of_facilitator(state, now));
                match (stage, self.sight.is_some()) {
                    // The facilitator is asked again for what it has not said.
                    (_, false) => self.look(Before::Nothing),
                    (SessionStage::SendingRefund, true) => {
                        self.stage = SessionStage::Noting;
                        self.ask(ChannelAsk::See)
                    }
                    (_, true) => self.hold(),
                }
            }
            // The chain says whether there is a deposit: of an earlier attempt, or after all.
            SessionStage::Depositing if is("success") == Some(false) => {
                self.look(Before::Refused(words("errorReason").to_string()))
            }
            SessionStage::Depositing => self.look(Before::Unknown),
            SessionStage::Looking(before) => {
                let valid = is("isValid");
                match said.get("extra").and_then(|state| SightText::of_facilitator(state, asked)) {
                    Some(seen) if valid == Some(true) => {
                        self.sight = Some(seen);
                        match (self.asked.payment.purpose, before) {
                            _ if self.flow.is_some() => self.step(),
                            (Purpose::Deposit(amount), Before::Deposit) => self.foresee(amount),
                            (Purpose::Deposit(_) | Purpose::Voucher, _) => self.hold(),
                            (Purpose::Refund(wanted), _) => self.refund(wanted),
                            (
                                Purpose::Open | Purpose::TopUp | Purpose::Show | Purpose::Close,
                                _,
                            ) => self.manage(),
                        }
                    }
                    _ => match (before, valid) {
                        (Before::Nothing | Before::Deposit, Some(false)) => {
                            let word = words("invalidReason").to_string();
                            self.refuse(&word)
                        }
                        (Before::Refused(word), Some(false)) => self.refuse(&word),
                        // Fresh terms would have the payer deposit a second time.
                        (Before::Unknown, Some(false))
                            if planted(Mutant::UnknownDepositIsRefused) =>
                        {
                            self.refuse("")
                        }
                        (Before::Unknown, _) => self.problem(Code::SettlementUnknown),
                        (Before::Nothing | Before::Deposit | Before::Refused(_), _) => {
                            self.problem(Code::FacilitatorUnavailable)
                        }
                    },
                }
            }
            SessionStage::SendingRefund if is("success") == Some(false) => {
                let word = words("errorReason").to_string();
                self.refuse(&word)
            }
            // The alarm sends it again.
            SessionStage::SendingRefund => self.problem(Code::SettlementUnknown),
            SessionStage::Beginning
            | SessionStage::Foreseeing
            | SessionStage::Serving
            | SessionStage::Collecting(_)
            | SessionStage::Charging(..)
            | SessionStage::Releasing(_)
            | SessionStage::Refunding
            | SessionStage::Managing
            | SessionStage::Flowing
            | SessionStage::Stepping
            | SessionStage::Sending
            | SessionStage::Noting => self.problem(Code::Internal),
        }
    }

    /// Serves what is held. Who pays by MPP is known from here on.
    fn held(mut self: Box<Self>, reply: &ChannelReply) -> SessionStep<'g> {
        if let SessionDoor::Mpp(shown) = &mut self.asked.payment.door {
            let facts = reply.channel.as_ref().and_then(|channel| channel.facts.as_deref());
            shown.facts = facts.and_then(ChannelFacts::read);
            // A voucher names its channel alone, and other routes are sold by other channels.
            let sold = self.asked.offer.channel.as_ref().zip(shown.facts.as_ref());
            let is_sold = sold.is_some_and(|(sold, facts)| sold.takes(facts));
            if !is_sold && !planted(Mutant::AnyRouteSells) {
                let AskedSession { gate, offer, request, .. } = &self.asked;
                let why = (ChannelRefusal::NotFound.okx(), None);
                let refused = told::refused(gate, offer, request, why, self.now);
                return self.release(refused);
            }
            if self.asked.payment.is_denied(&self.asked.gate.payers.clients) {
                return self.failed(Code::PayerDenied);
            }
        }
        self.forward()
    }

    /// Takes the origin's reply.
    pub fn origin(mut self: Box<Self>, reply: OriginReply) -> SessionStep<'g> {
        match reply {
            OriginReply::Head(mut head) => {
                // Terms of the origin are not the gate's.
                if head.status == 402 {
                    return self.failed(Code::OriginFailed);
                }
                let is_useful = is_useful(&head);
                let used = charged(&self.asked.choice.terms, &head);
                scrub(&mut head, self.asked.gate.origin());
                if !is_useful {
                    finish_paid(&mut head, &self.asked.request.correlation);
                    let mut reply = Reply::new(head, Body::Held);
                    reply.code = Some(Code::OriginFailed);
                    return self.release(reply);
                }
                let Ok(used) = used else { return self.failed(Code::OriginFailed) };
                let flows = self.asked.meter().is_some();
                self.used = used.filter(|_| !flows).unwrap_or(self.used);
                // What is no answer has nothing to count.
                if head.status < 200 && flows {
                    return self.failed(Code::OriginFailed);
                }
                // A stream is charged before it begins.
                if !may_be_stored(&head) || flows {
                    return self.charge(head, Keeping::Passed);
                }
                let secs = self.asked.offer.settings.origin_timeout_secs.min(MAX_SEALING_SECS);
                self.stage = SessionStage::Collecting(head);
                SessionStep::Collect(BodyLimits { bytes: MAX_SEALED_BYTES, secs }, self)
            }
            OriginReply::TimedOut => self.failed(Code::OriginTimeout),
            OriginReply::Lost => self.failed(Code::OriginFailed),
        }
    }

    /// Takes the outcome of reading the body.
    pub fn collected(mut self: Box<Self>, collected: Collected) -> SessionStep<'g> {
        let stage = core::mem::replace(&mut self.stage, SessionStage::Beginning);
        match (stage, collected) {
            (SessionStage::Collecting(head), Collected::Whole { bytes })
                if !is_short(&head, &self.asked.request.head.method, bytes) =>
            {
                self.charge(head, Keeping::Kept)
            }
            // What is longer or slower is charged before the rest of it comes.
            (SessionStage::Collecting(head), Collected::Open | Collected::TimedOut) => {
                self.charge(head, Keeping::Passed)
            }
            (_, _) => self.failed(Code::OriginFailed),
        }
    }

    /// Seconds without a byte after which the origin counts as broken.
    #[must_use]
    pub fn idle_secs(&self) -> u64 {
        self.asked.offer.settings.origin_timeout_secs
    }

    /// Whether the body that was collected goes along to the object.
    #[must_use]
    pub const fn keeps_body(&self) -> bool {
        matches!(self.stage, SessionStage::Charging(_, Keeping::Kept))
    }

    fn charge(mut self: Box<Self>, mut head: ResponseHead, keeping: Keeping) -> SessionStep<'g> {
        head.headers.remove(CORRELATION);
        let kept = match keeping {
            // Its repeat costs as little, and may have another answer.
            _ if self.used.is_zero() => None,
            Keeping::Kept => Some(head.to_text()),
            Keeping::Passed => None,
        };
        self.stage = SessionStage::Charging(head, keeping);
        let (purchase, used) = (self.purchase(), self.used.to_string());
        self.ask(ChannelAsk::Charge(purchase, used, kept))
    }

    /// An answer with the statement of its protocol about what was paid.
    fn settled(&self, answer: Reply, said: &ChannelReply) -> Reply {
        match &self.asked.payment.door {
            SessionDoor::X402(..) => statement::settled(&self.asked, answer, (said, &self.moved)),
            SessionDoor::Mpp(shown) => told::receipt(&self.asked, shown, answer, (said, self.now)),
        }
    }

    /// The answer to a refusal of the channel.
    fn corrected(&self, said: &ChannelReply) -> Reply {
        match &self.asked.payment.door {
            SessionDoor::X402(..) => statement::corrected(&self.asked, said, self.now),
            SessionDoor::Mpp(_) => told::refused_by_channel(&self.asked, said, self.now),
        }
    }

    /// The answer if the gate cannot go on.
    fn problem(&self, code: Code) -> SessionStep<'g> {
        let correlation = &self.asked.request.correlation;
        let mut reply = Reply::problem(code, Audience::Paid, correlation, None);
        reply.route = Some(self.asked.offer.settings.route.clone());
        SessionStep::Respond(reply)
    }

    fn refuse(&self, word: &str) -> SessionStep<'g> {
        let word = if word.is_empty() { reason("channel_not_found") } else { word.to_string() };
        SessionStep::Respond(statement::failed(&self.asked, &word, self.now))
    }

    fn failed(self: Box<Self>, code: Code) -> SessionStep<'g> {
        let reply = Reply::problem(code, Audience::Paid, &self.asked.request.correlation, None);
        self.release(reply)
    }

    fn release(mut self: Box<Self>, mut reply: Reply) -> SessionStep<'g> {
        reply.route = Some(self.asked.offer.settings.route.clone());
        self.stage = SessionStage::Releasing(Box::new(reply));
        let request = self.hash.clone();
        self.ask(ChannelAsk::Release(request))
    }

    fn foresee(mut self: Box<Self>, deposit: Amount) -> SessionStep<'g> {
        self.stage = SessionStage::Foreseeing;
        let purchase = self.purchase();
        self.ask(ChannelAsk::Foresee(purchase, deposit.to_string()))
    }

    fn refund(mut self: Box<Self>, wanted: Option<Amount>) -> SessionStep<'g> {
        self.stage = SessionStage::Refunding;
        let shown = self.asked.payment.cumulative.to_string();
        let wanted = wanted.map(|amount| amount.to_string());
        let least = self.price();
        self.ask(ChannelAsk::Refund(shown, wanted, least))
    }

    fn deposit(self: Box<Self>) -> SessionStep<'g> {
        let payload = self.asked.payment.payload();
        self.settle(payload, SessionStage::Depositing)
    }

    fn hold(mut self: Box<Self>) -> SessionStep<'g> {
        self.stage = SessionStage::Beginning;
        let purchase = self.purchase();
        self.ask(ChannelAsk::Begin(purchase))
    }

    fn forward(mut self: Box<Self>) -> SessionStep<'g> {
        let terms = &self.asked.choice.terms;
        let price = Price {
            amount: &self.price(),
            asset: &terms.asset,
            network: terms.network.as_str(),
            transaction: "",
        };
        let receipt = self.receipt();
        let payer = self.asked.payment.proven().to_lower_hex();
        let caller = ClientIdentity::Payer { payer: &payer, receipt: &receipt, price };
        let secs = self.asked.offer.settings.origin_timeout_secs;
        let gate = self.asked.gate;
        let call = origin_call(
            &gate.origin.asked,
            &self.asked.request,
            caller,
            secs,
            &gate.keys,
            self.now,
        );
        self.stage = SessionStage::Serving;
        SessionStep::Forward(call, self)
    }

    /// Asks the facilitator what the chain shows: it reads it to judge a voucher.
    fn look(mut self: Box<Self>, before: Before) -> SessionStep<'g> {
        if let SessionDoor::Mpp(_) = self.asked.payment.door {
            return self.look_at_chain(before);
        }
        let mut payload = self.asked.payment.payload();
        // Whether a deposit could be made is judged with it; whether it was, without.
        if payload.contains_key("deposit") && !matches!(before, Before::Deposit) {
            payload.remove("deposit");
            payload.insert("type".to_string(), Value::from("voucher"));
        }
        self.stage = SessionStage::Looking(before);
        self.ask_facilitator(payload, Operation::Verify)
    }

    /// Sends a deposit or a refund to the chain.
    fn settle(
        mut self: Box<Self>,
        payload: Map<String, Value>,
        stage: SessionStage,
    ) -> SessionStep<'g> {
        self.stage = stage;
        self.ask_facilitator(payload, Operation::Settle)
    }

    fn send_refund(self: Box<Self>, reply: &ChannelReply) -> SessionStep<'g> {
        let kept = ChannelTerms::read(&self.asked.payment.kept_terms(self.asked.choice));
        let payload = kept.and_then(|kept| {
            let voucher = self.asked.payment.payload().get("voucher")?.clone();
            let (nonce, amount) = reply.promised.as_ref()?;
            let (nonce, amount) =
                (Amount::from_atomic(nonce).ok()?, Amount::from_atomic(amount).ok()?);
            let earnings = reply.channel.as_ref()?.earnings();
            let shown = (self.asked.payment.channel, voucher);
            self.asked.gate.refund_payload(&kept, shown, (nonce, amount), earnings.as_ref())
        });
        match payload {
            Some(Value::Object(payload)) => self.settle(payload, SessionStage::SendingRefund),
            _ => self.problem(Code::Internal),
        }
    }

    fn ask_facilitator(
        self: Box<Self>,
        payload: Map<String, Value>,
        operation: Operation,
    ) -> SessionStep<'g> {
        let settlers = &self.asked.gate.settlement.settlers;
        let place = self.asked.settlers.first().and_then(|place| settlers.get(*place));
        let (Some(settler), Some(SessionOffer { requirements: terms, .. })) =
            (place, &self.asked.choice.session)
        else {
            return self.problem(Code::Internal);
        };
        let (url, secs) = match operation {
            Operation::Verify => (settler.facilitator.verify_url(), VERIFY_SECS),
            Operation::Settle => {
                (settler.facilitator.settle_url(), self.asked.gate.settlement.settle_secs)
            }
        };
        let body = wire::request(Version::V2, &Version2::new(terms, payload), terms);
        let sender = self.sender();
        let call = FacilitatorCall {
            url,
            body,
            secs,
            delay_ms: 0,
            guarded: true,
            draft: None,
            client_deadline: None,
            caller: Caller {
                network: sender.network.clone(),
                payer: self.asked.payment.proven().to_lower_hex(),
                evidence: Evidence::Signed,
            },
            // Whose answer flows has paid here.
            unproven: self.flow.is_none().then_some(sender),
        };
        SessionStep::Facilitator(Box::new(call), self)
    }

    /// Wallets and channels cost nothing, and each call may be for one that is new.
    fn sender(&self) -> UnverifiedCaller {
        let network = self.asked.request.network().into_owned();
        UnverifiedCaller { network, kind: UnverifiedKind::Session, payment: None }
    }

    fn ask(self: Box<Self>, ask: ChannelAsk) -> SessionStep<'g> {
        let (delay, delta) = match (&self.asked.payment.door, &self.asked.offer.channel) {
            (SessionDoor::X402(config, _), _) => (config.withdraw_delay_secs, None),
            (SessionDoor::Mpp(_), sold) => {
                let secs = sold.as_ref().map_or(0, |sold| sold.delay_secs);
                let delta = match self.asked.payment.purpose {
                    // It is deposited, whatever its first voucher is for.
                    Purpose::Open => None,
                    _ => self.asked.meter().map(|meter| meter.step_price),
                };
                (secs, Some(delta.unwrap_or(Amount::ZERO).to_string()))
            }
        };
        let opened = (self.asked.payment.channel.to_string(), delay, delta);
        let sight = self.sight.clone();
        // A channel is kept as soon as something was seen of it, and knows its terms from then on.
        let terms = sight.as_ref().map(|_| self.asked.payment.kept_terms(self.asked.choice));
        let terms = terms.unwrap_or_default();
        let message = ChannelMessage { v: VERSION, ask, sight, opened, terms };
        let name = object(&self.asked.payment.channel.to_string());
        SessionStep::Object(name, json::text(&message), self)
    }

    fn purchase(&self) -> PurchaseText {
        let SessionPayment { cumulative, signature, .. } = &self.asked.payment;
        PurchaseText {
            cumulative: cumulative.to_string(),
            signature: signature.clone(),
            price: self.price(),
            request: self.hash.clone(),
            until: self.now.plus(self.asked.offer.leases.executing).plus(HOLD_SECS).secs(),
        }
    }

    /// The payment of this request: a repeat has the same one, the channel's next request another.
    fn receipt(&self) -> String {
        let channel = self.asked.payment.channel.to_string();
        if planted(Mutant::ChannelsAreOnePayment) {
            return channel;
        }
        let amount = self.asked.payment.cumulative.to_string();
        [channel.as_str(), &amount, &self.hash].join("-")
    }

    /// Whether its voucher could be the first one of a channel.
    fn is_first(&self) -> bool {
        self.asked.payment.cumulative == self.asked.choice.terms.amount
    }

    /// What the request uses: its price.
    fn price(&self) -> String {
        self.asked.price().to_string()
    }
}

/// Seconds for which a price is held beyond the time of the origin: its body is read after its
/// head, and charged after that.
const HOLD_SECS: u64 = 15;

/// Milliseconds between two looks for a deposit that is sent.
const SENT_MS: u32 = 1_000;

/// How many there are of them: then the payer asks again.
const MAX_LOOKS: u8 = 20;

/// Seconds in which a channel is looked at once for what is added to its deposit.
const LOOK_SECS: u64 = 1;

/// The name of a channel's object.
#[must_use]
pub fn object(channel: &str) -> String {
    ["channel/", channel].concat()
}
