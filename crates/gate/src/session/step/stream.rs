//! An answer that flows: each step of it is charged before anything of it leaves, and while the
//! voucher is used up it waits for the next one, which comes by another request.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use super::{SessionRequest, SessionStage, SessionStep};
use crate::paid::StreamEnd;
use crate::reply::{Body, Reply, finish_paid};
use crate::session::flow::{Flow, FlowEnd, FlowLimits, Pause};
use crate::session::payment::SessionDoor;
use farebox_base::amount::Amount;
use farebox_base::http::{Headers, ResponseHead};
use farebox_base::time::UnixTime;
use farebox_channel::messages::{ChannelAsk, ChannelReply, Said};
use farebox_channel::refusal::ChannelRefusal;
use farebox_common::problem::Code;
use farebox_wire::mpp::receipt::{HEADER, ReceivedReceipt};
use farebox_wire::mpp::stream::{NeedVoucher, StreamEvent, StreamFraming};
use farebox_wire::x402::{Version, header};

impl<'g> SessionRequest<'g> {
    /// Answers, once the first step is charged.
    pub(super) fn begin_flow(
        mut self: Box<Self>,
        mut head: ResponseHead,
        said: Said,
        reply: &ChannelReply,
    ) -> SessionStep<'g> {
        let Some(meter) = self.asked.meter() else { return self.problem(Code::Internal) };
        if said != Said::Charged {
            let mut refused = reply.clone();
            refused.refusal = Some(match &self.asked.payment.door {
                SessionDoor::X402(..) => ChannelRefusal::CumulativeMismatch.x402().to_string(),
                SessionDoor::Mpp(_) => ChannelRefusal::InsufficientHeadroom.okx().to_string(),
            });
            return SessionStep::Respond(self.corrected(&refused));
        }
        let framing = StreamFraming::of(&head.headers);
        finish_paid(&mut head, &self.asked.request.correlation);
        // Who compresses holds back what was paid for, and its length is not that of what is
        // counted.
        if head.headers.get("content-encoding").is_some() {
            head.headers.remove("content-encoding");
            head.headers.remove("content-length");
        }
        if framing == StreamFraming::Events {
            // Events of the gate come between.
            head.headers.remove("content-length");
            head.headers.set("cache-control", "private, no-store, no-transform");
        }
        let mut served = Reply::new(head, Body::Held);
        served.marks.served = true;
        let served = self.settled(served, reply);
        let idle_secs = self.asked.offer.settings.origin_timeout_secs;
        let (unit, paid, taking_secs) = (meter.unit, meter.step, meter.pause_secs);
        let limits = FlowLimits { unit, paid, framing, idle_secs, taking_secs };
        self.flow = Some(Flow { framing, said: reply.clone(), waits: None });
        self.stage = SessionStage::Flowing;
        SessionStep::Flow(Box::new(served), limits, self)
    }

    /// Goes on when what is paid has left.
    #[must_use]
    pub fn due(mut self: Box<Self>, now: UnixTime) -> SessionStep<'g> {
        self.now = now;
        // What the chain showed may have aged since the last step.
        self.sight = None;
        self.step()
    }

    pub(super) fn step(mut self: Box<Self>) -> SessionStep<'g> {
        self.stage = SessionStage::Stepping;
        let bought = match &self.asked.payment.door {
            SessionDoor::X402(..) => Some(self.purchase()),
            SessionDoor::Mpp(_) => None,
        };
        let price = self.step_price();
        self.ask(ChannelAsk::Step(price, bought))
    }

    fn step_price(&self) -> String {
        self.asked.meter().map_or(Amount::MAX, |meter| meter.step_price).to_string()
    }

    /// Takes what the channel says of a step.
    pub(super) fn stepped(mut self: Box<Self>, said: Said, reply: ChannelReply) -> SessionStep<'g> {
        let Some(meter) = self.asked.meter() else { return self.problem(Code::Internal) };
        let needed = reply.charged.as_deref().and_then(|text| Amount::from_atomic(text).ok());
        let Some(flow) = &mut self.flow else { return self.problem(Code::Internal) };
        flow.said = reply;
        match (said, needed) {
            (Said::Charged, _) => {
                flow.waits = None;
                self.used = self.used.checked_add(meter.step_price).unwrap_or(Amount::MAX);
                self.stage = SessionStage::Flowing;
                SessionStep::Grant(meter.step, self)
            }
            // No other voucher pays for it.
            (Said::Waiting, Some(required)) if self.asked.payment.has_headroom() => {
                // A step that another stream of the channel got does not make the wait longer.
                let since = *flow.waits.get_or_insert(self.now);
                let over = since.plus(meter.pause_secs).secs();
                let secs = over.saturating_sub(self.now.secs());
                if secs == 0 {
                    return self.finish();
                }
                let event = self.need_voucher(required);
                self.stage = SessionStage::Flowing;
                // The same question to the same object, from which nothing is charged.
                match self.ask(ChannelAsk::Await(meter.step_price.to_string())) {
                    SessionStep::Object(name, message, next) => {
                        SessionStep::Pause(Pause { event, name, message, secs }, next)
                    }
                    step => step,
                }
            }
            _ => self.finish(),
        }
    }

    fn need_voucher(&self, required: Amount) -> Option<String> {
        let flow = self.flow.as_ref().filter(|flow| flow.framing == StreamFraming::Events)?;
        let channel = flow.said.channel.as_ref()?;
        let amount = |text: &str| Amount::from_atomic(text).ok();
        let accepted = channel.evidence.as_ref().map_or(&channel.spent, |(amount, _)| amount);
        let need = NeedVoucher {
            channel: self.asked.payment.channel.to_string(),
            required,
            accepted: amount(accepted)?,
            deposit: amount(&channel.sight.deposit)?,
        };
        Some(StreamEvent::NeedVoucher(need).to_text())
    }

    /// Takes the answer of the object after a pause; `None` if it is down.
    #[must_use]
    pub fn resumed(self: Box<Self>, answer: Option<&str>, now: UnixTime) -> SessionStep<'g> {
        let reply = answer.and_then(farebox_base::encoding::message::read::<ChannelReply>);
        match reply.map(|reply| reply.said) {
            Some(Said::Held) => self.due(now),
            Some(_) => self.finish(),
            None => SessionStep::Finish(FlowEnd::Cut),
        }
    }

    /// Ends it when the body has ended.
    #[must_use]
    pub fn ended(self: Box<Self>, end: StreamEnd) -> SessionStep<'g> {
        match (end, &self.flow) {
            (StreamEnd::Complete, Some(flow)) => match flow.framing {
                StreamFraming::Events => self.finish(),
                StreamFraming::Bytes => SessionStep::Finish(FlowEnd::Whole(String::new())),
            },
            _ => SessionStep::Finish(FlowEnd::Cut),
        }
    }

    /// Ends what is not paid on: events with a receipt, other bodies as what they are, not whole.
    pub(super) fn finish(&self) -> SessionStep<'g> {
        let receipt = self.flow.as_ref().and_then(|flow| match flow.framing {
            StreamFraming::Bytes => None,
            StreamFraming::Events => {
                let head = ResponseHead { status: 200, headers: Headers::new() };
                let charged = Some(self.used.to_string());
                let said = ChannelReply { charged, ..flow.said.clone() };
                // The same as in the head of an answer.
                let told = self.settled(Reply::new(head, Body::Empty), &said).head.headers;
                match &self.asked.payment.door {
                    SessionDoor::X402(..) => {
                        let name = Version::V2.settlement_header().to_ascii_lowercase();
                        Some(header::decode(told.get(&name)?).ok()?.object)
                    }
                    SessionDoor::Mpp(_) => {
                        Some(ReceivedReceipt::read(told.get(HEADER)?).ok()?.members)
                    }
                }
            }
        });
        SessionStep::Finish(match receipt {
            Some(receipt) => FlowEnd::Whole(StreamEvent::Receipt(receipt.into()).to_text()),
            None => FlowEnd::Cut,
        })
    }
}
