//! The channel's object: what it is asked, and what its answers lead to.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use super::{Before, SessionRequest, SessionStage, SessionStep};
use crate::reply::{Body, Reply, finish_paid};
use crate::session::mpp::payment::ChannelAge;
use crate::session::mpp::terms::ChannelOffer;
use crate::session::mpp::told;
use crate::session::payment::{Purpose, RecallScope, SessionDoor, SessionPayment};
use crate::session::statement;
use farebox_base::amount::Amount;
use farebox_base::encoding::{json, message};
use farebox_base::hash;
use farebox_base::http::{Headers, ResponseHead};
use farebox_base::time::UnixTime;
use farebox_channel::index::channel_object;
use farebox_channel::messages::{
    ChannelAsk, ChannelMessage, ChannelReply, PurchaseText, Said, VERSION,
};
use farebox_channel::refusal::ChannelRefusal;
use farebox_common::problem::Code;
use farebox_wire::facilitator::unproven::{ChannelCaller, ChannelStanding, UnverifiedCaller};

impl<'g> SessionRequest<'g> {
    /// Takes the answer of the channel's object; `None` if it is down.
    pub fn object(mut self: Box<Self>, answer: Option<&str>, now: UnixTime) -> SessionStep<'g> {
        self.now = now;
        self.has_asked = true;
        let stage = core::mem::replace(&mut self.stage, SessionStage::Beginning);
        let stage = match (stage, answer) {
            (SessionStage::Releasing(reply), answer) => {
                let has_moved = !self.moved.0.is_empty();
                let said = answer.and_then(|answer| self.reads(answer)).filter(|_| has_moved);
                // Whoever is not told of their deposit makes another one.
                return SessionStep::Respond(match said {
                    Some(said) => self.settled(*reply, &said),
                    None => *reply,
                });
            }
            // Without room, or while another deposit of this payer's waits, it is handed over again.
            (SessionStage::Sending, Some(answer)) => {
                if let SessionDoor::Mpp(shown) = &mut self.asked.payment.door {
                    shown.queued.0 = answer == "true";
                }
                return self.look(Before::Nothing);
            }
            (stage, _) => stage,
        };
        let Some(reply) = answer.and_then(|answer| self.reads(answer)) else {
            return match stage {
                // It may be charged, and its answer is here. The charge itself is not asked for again: another
                // one may have come between, after which it would be a second one.
                SessionStage::Charging(head, keeping) if !self.has_asked_again => {
                    self.has_asked_again = true;
                    self.stage = SessionStage::Charging(head, keeping);
                    let mark = self.mark();
                    self.ask(ChannelAsk::Charged(mark))
                }
                _ => self.problem(Code::LedgerUnavailable),
            };
        };
        if let Purpose::Recall(scope) = self.asked.payment.purpose {
            return self.take_recall(scope, reply);
        }
        let (purpose, is_new) = (&self.asked.payment.purpose, self.sight.is_none());
        if let (SessionDoor::Mpp(_), true) = (&self.asked.payment.door, is_new) {
            match (purpose, &reply.channel) {
                // No node is asked for no one who did not sign.
                (_, None) => {
                    return self.refused_by_code(ChannelRefusal::NotFound.okx());
                }
                // Looked at for each: what others show must not delay it.
                (Purpose::TopUp, Some(_)) => return self.look(Before::Nothing),
                (_, _) => {}
            }
        }
        if reply.said == Said::Refused {
            return self.take_refusal(&stage, &reply);
        }
        self.take_reply(stage, reply)
    }

    /// Goes on after a refusal of the channel.
    fn take_refusal(
        self: Box<Self>,
        stage: &SessionStage,
        reply: &ChannelReply,
    ) -> SessionStep<'g> {
        let may_look = reply.stale && self.sight.is_none();
        match stage {
            SessionStage::Beginning
            | SessionStage::Refunding
            | SessionStage::Managing
            | SessionStage::Stepping
                if may_look =>
            {
                self.look(Before::Nothing)
            }
            SessionStage::Stepping => self.finish(),
            // Fresh terms would have the payer deposit a second time.
            SessionStage::Beginning if self.lacks_deposit(reply) => {
                self.problem(Code::SettlementUnknown)
            }
            _ => SessionStep::Respond(self.corrected(reply)),
        }
    }

    /// Goes on after an answer of the channel that is no refusal.
    fn take_reply(self: Box<Self>, stage: SessionStage, reply: ChannelReply) -> SessionStep<'g> {
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
            (SessionStage::Foreseeing, Said::Held) => self.deposit(&reply),
            // The first voucher of a channel is for the price, unless something was claimed of it.
            (SessionStage::Foreseeing, Said::Taken) if self.is_first() => self.deposit(&reply),
            (SessionStage::Foreseeing, Said::Taken) if self.sight.is_none() => {
                self.look(Before::Deposit)
            }
            (SessionStage::Beginning | SessionStage::Foreseeing, _) => self.again(reply),
            (SessionStage::Stepping, said) => self.stepped(said, reply),
            (SessionStage::Charging(..), Said::Taken) => self.problem(Code::LedgerUnavailable),
            (SessionStage::Charging(head, _), said) if self.asked.meter().is_some() => {
                self.begin_flow(head, said, &reply)
            }
            // Another copy was served and charged meanwhile: both have one answer.
            (SessionStage::Charging(..), Said::Repeated) => self.again(reply),
            (SessionStage::Charging(mut head, _), Said::Charged) => {
                finish_paid(&mut head, &self.asked.request.correlation);
                let mut served = Reply::new(head, Body::Held);
                served.marks.served = true;
                served.marks.signed = self.asked.payment.signed.map(Box::new);
                SessionStep::Respond(self.settled(served, &reply))
            }
            (SessionStage::Refunding, Said::Promised) => self.send_refund(&reply),
            (SessionStage::Noting, _) | (SessionStage::Refunding, Said::Refunded) => {
                self.end_refund(&reply)
            }
            _ => self.problem(Code::Internal),
        }
    }

    fn end_refund(mut self: Box<Self>, reply: &ChannelReply) -> SessionStep<'g> {
        if let (Said::Refunded, Some((_, amount))) = (reply.said, &reply.promised) {
            self.moved.1.clone_from(amount);
        }
        let head = ResponseHead { status: 200, headers: Headers::new() };
        let mut done = Reply::new(head, Body::Empty);
        finish_paid(&mut done.head, &self.asked.request.correlation);
        SessionStep::Respond(self.settled(done, reply))
    }

    /// Reads an answer of the object. Who has shown once that they are the payer still is, whatever was
    /// sent for a chain since.
    fn reads(&mut self, answer: &str) -> Option<ChannelReply> {
        let mut reply = message::read::<ChannelReply>(answer)?;
        if let Some(channel) = &mut reply.channel {
            channel.is_payer |= self.is_payer;
            self.is_payer = channel.is_payer;
        }
        Some(reply)
    }

    /// The caller, while the chain has shown nothing of the channel in this request: its object is
    /// made by being asked, and there may be no such channel. [`UnverifiedLimiter`] says whether
    /// the channel is known, and limits callers that name others.
    ///
    /// [`UnverifiedLimiter`]: farebox_wire::facilitator::unproven::UnverifiedLimiter
    #[must_use]
    pub fn newcomer(&self) -> Option<ChannelCaller> {
        let is_first = self.sight.is_none() && !self.has_asked;
        is_first.then(|| ChannelCaller {
            sender: UnverifiedCaller { payment: None, ..self.sender() },
            // Its payer has signed it: a stranger can only repeat it.
            shown: match (&self.asked.payment.door, self.asked.payment.purpose) {
                (SessionDoor::X402(..), _) => self.asked.payment.cumulative.to_string(),
                // Its payer asks so, too, until a node shows it.
                (SessionDoor::Mpp(_), Purpose::TopUp) => "top-up".to_string(),
                (SessionDoor::Mpp(_), _) => String::new(),
            },
        })
    }

    /// Reads from the answer of an object who has asked it.
    #[must_use]
    pub fn read_standing(&self, answer: Option<&str>) -> ChannelStanding {
        let makes_it = matches!(
            self.asked.payment.purpose,
            Purpose::Deposit(_) | Purpose::Open | Purpose::Recall(RecallScope::Chain)
        );
        let is_junk = !makes_it;
        match answer.and_then(message::read::<ChannelReply>).map(|reply| reply.channel) {
            Some(Some(channel)) if channel.is_payer => ChannelStanding::Payer,
            Some(Some(_)) => ChannelStanding::Stranger,
            Some(None) if is_junk => ChannelStanding::Unknown,
            Some(None) | None => ChannelStanding::Silent,
        }
    }

    /// Whether the channel lacks a deposit that was made, or may have been: whoever said what the
    /// chain shows may be behind.
    fn lacks_deposit(&self, said: &ChannelReply) -> bool {
        let lacks = [ChannelRefusal::Stale, ChannelRefusal::AboveDeposit]
            .iter()
            .any(|refusal| said.refusal.as_deref() == Some(refusal.x402()));
        self.may_have_paid && lacks
    }

    /// Answers a request that was charged before as it was answered then. If its answer is not kept
    /// any more, it is told what was charged so far.
    pub(super) fn again(self: Box<Self>, mut reply: ChannelReply) -> SessionStep<'g> {
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

    /// The answer to a refusal of the channel.
    pub(super) fn corrected(&self, said: &ChannelReply) -> Reply {
        match &self.asked.payment.door {
            SessionDoor::X402(..) => statement::corrected(&self.asked, said, self.now),
            SessionDoor::Mpp(_) => told::refused_by_channel(&self.asked, said, self.now),
        }
    }

    /// Asks the object, and says what this request has seen of its channel.
    pub(super) fn ask(self: Box<Self>, ask: ChannelAsk) -> SessionStep<'g> {
        let (delay, delta) = match (&self.asked.payment.door, &self.asked.offer.channel) {
            (SessionDoor::X402(config, ..), _) => (config.withdraw_delay_secs, None),
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
        let restored = self.asked.parts.payers.restore.at;
        let closed = restored.map(UnixTime::secs).unwrap_or_default();
        let is_young = match &self.asked.payment.door {
            SessionDoor::X402(_, restore, _) => *restore == closed,
            SessionDoor::Mpp(shown) => shown.age == ChannelAge::Young,
        };
        let brought = self.brought.map(|(before, after)| (before.to_string(), after.to_string()));
        let sold =
            self.asked.offer.channel.as_ref().filter(|_| matches!(ask, ChannelAsk::Close(_)));
        let sold_by = sold.map(ChannelOffer::sold_by);
        let message = ChannelMessage {
            v: VERSION,
            ask,
            sight,
            opened,
            terms,
            closed,
            is_young,
            brought,
            sold_by,
        };
        let name = channel_object(&self.asked.payment.channel.to_string());
        SessionStep::Object(name, json::text(&message), self)
    }

    /// The mark of its purchase: no client chooses it, and no other request has it. Without a random
    /// name it has none, because all such requests would have one.
    fn mark(&self) -> String {
        let fresh = &self.asked.request.head.fresh;
        if fresh.is_empty() {
            return String::new();
        }
        let name = hash::digest(&[b"mark", fresh.as_bytes()]);
        ["0x", name.get(..32).unwrap_or_default()].concat()
    }

    /// The purchase by this request, for the object.
    pub(super) fn purchase(&self) -> PurchaseText {
        let SessionPayment { cumulative, signature, .. } = &self.asked.payment;
        PurchaseText {
            cumulative: cumulative.to_string(),
            signature: signature.clone(),
            price: self.price(),
            request: self.hash.clone(),
            until: self.now.plus(self.asked.offer.leases.executing).plus(HOLD_SECS).secs(),
            mark: self.mark(),
        }
    }
}

/// Seconds for which a price is held beyond the time of the origin: its body is read after its
/// head, and charged after that.
const HOLD_SECS: u64 = 15;
