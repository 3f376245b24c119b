//! The origin's answer: fetched once its price is held, charged before it leaves.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::{Keeping, SessionRequest, SessionStage, SessionStep};
use crate::delivery::Worth;
use crate::forward::{ClientIdentity, Price, origin_call};
use crate::paid::{
    BodyLimits, Collected, MAX_SEALED_BYTES, MAX_SEALING_SECS, OriginReply, charged, is_short,
    may_be_stored,
};
use crate::reply::{Body, CORRELATION, Reply, finish_paid, scrub};
use crate::session::asked::{AskedSession, Sessions};
use crate::session::mpp::{shown, told};
use crate::session::payment::SessionDoor;
use crate::session::statement;
use farebox_base::http::ResponseHead;
use farebox_channel::facts::ChannelFacts;
use farebox_channel::messages::{ChannelAsk, ChannelReply};
use farebox_channel::refusal::ChannelRefusal;
use farebox_common::problem::Code;

impl<'g> SessionRequest<'g> {
    /// Serves what is held. Who pays by MPP is known from here on.
    pub(super) fn held(mut self: Box<Self>, reply: &ChannelReply) -> SessionStep<'g> {
        if let SessionDoor::Mpp(shown) = &mut self.asked.payment.door {
            let facts = reply.channel.as_ref().and_then(|channel| channel.facts.as_deref());
            shown.facts = facts.and_then(ChannelFacts::read);
            // A voucher names its channel alone, and other routes are sold by other channels.
            let sold = self.asked.offer.channel.as_ref().zip(shown.facts.as_ref());
            let is_sold = sold.is_some_and(|(sold, facts)| sold.takes(facts));
            let of = shown.source.zip(shown.facts.as_ref());
            let is_of = of.is_none_or(|(of, facts)| [facts.payer, facts.signer].contains(&of));
            let code = match is_sold {
                true => (!is_of).then_some(shown::MALFORMED),
                false => Some(ChannelRefusal::NotFound.okx()),
            };
            if let Some(code) = code {
                let AskedSession { parts, offer, request, .. } = &self.asked;
                let refused = told::refused(parts.keys, offer, request, code, None, self.now);
                return self.release(refused);
            }
            if self.asked.payment.is_denied(&self.asked.parts.payers.clients) {
                return self.failed(Code::PayerDenied);
            }
        }
        self.forward()
    }

    /// Whether this answer is charged. If so, the edge hands it in once the whole request has gone
    /// out, or as [`OriginReply::Lost`] if the request body broke off, and
    /// [`OriginReply::TimedOut`] if it flows for too long: an origin answers half a body too.
    #[must_use]
    pub fn is_charged(&self, reply: &OriginReply) -> bool {
        matches!(reply, OriginReply::Head(head) if self.worth(head) == Worth::Sold)
    }

    fn worth(&self, head: &ResponseHead) -> Worth {
        Worth::of(head, self.asked.offer, &self.asked.request.head)
    }

    /// Takes the origin's reply.
    pub fn origin(mut self: Box<Self>, reply: OriginReply) -> SessionStep<'g> {
        match reply {
            OriginReply::Head(mut head) => {
                let used = charged(&self.asked.choice.terms, &head);
                scrub(&mut head, &self.asked.parts.origin.asked);
                match self.worth(&head) {
                    Worth::Sold => {}
                    Worth::Withheld(code) => return self.failed(code),
                    Worth::Nothing => {
                        finish_paid(&mut head, &self.asked.request.correlation);
                        let mut reply = Reply::new(head, Body::Held);
                        reply.code = Some(Code::OriginFailed);
                        return self.release(reply);
                    }
                }
                let Ok(used) = used else { return self.failed(Code::OriginFailed) };
                let flows = self.asked.meter().is_some();
                self.used = used.filter(|_| !flows).unwrap_or(self.used);
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
                let stores = self.asked.offer.settings.store;
                self.charge(head, if stores { Keeping::Kept } else { Keeping::Passed })
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

    pub(super) fn charge(
        mut self: Box<Self>,
        mut head: ResponseHead,
        keeping: Keeping,
    ) -> SessionStep<'g> {
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
    pub(super) fn settled(&self, answer: Reply, said: &ChannelReply) -> Reply {
        match &self.asked.payment.door {
            SessionDoor::X402(..) => {
                let (transaction, amount) = &self.moved;
                statement::settled(&self.asked, answer, said, transaction, amount)
            }
            SessionDoor::Mpp(shown) => told::receipt(&self.asked, shown, answer, said, self.now),
        }
    }

    pub(super) fn hold(mut self: Box<Self>) -> SessionStep<'g> {
        self.stage = SessionStage::Beginning;
        let purchase = self.purchase();
        self.ask(ChannelAsk::Begin(purchase))
    }

    pub(super) fn forward(mut self: Box<Self>) -> SessionStep<'g> {
        let terms = &self.asked.choice.terms;
        let price = Price {
            amount: &self.price(),
            asset: &terms.asset,
            network: terms.network.as_str(),
            transaction: "",
        };
        let receipt = self.receipt();
        let payer = self.asked.payment.proven().to_lower_hex();
        let caller =
            ClientIdentity::Payer { payer: &payer, receipt: &receipt, request: &self.hash, price };
        let secs = self.asked.offer.settings.origin_timeout_secs;
        let Sessions { origin, keys, .. } = self.asked.parts;
        let call = origin_call(&origin.asked, &self.asked.request, caller, secs, keys, self.now);
        self.stage = SessionStage::Serving;
        SessionStep::Forward(call, self)
    }
}
