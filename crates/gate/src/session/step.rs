//! The machine of one request that is paid by session: deposit if there is one, hold, serve,
//! charge, answer. Nothing is charged before the origin has served, and nothing is delivered before
//! it is charged. An answer that flows goes on in `stream`.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use super::asked::AskedSession;
use super::flow::{Flow, FlowEnd, FlowLimits, Pause};
use super::payment::{Purpose, SessionDoor, reason};
use super::statement;
use crate::call::{ChainCall, FacilitatorCall};
use crate::forward::OriginCall;
use crate::paid::{BodyLimits, Label, incomplete};
use crate::purchase_name::PurchaseName;
use crate::reply::{Audience, Reply};
use crate::units;
use farebox_base::amount::Amount;
use farebox_base::hash;
use farebox_base::http::{BodyPresence, ResponseHead};
use farebox_base::time::UnixTime;
use farebox_channel::messages::{ChannelAsk, PurchaseText, SightText};
use farebox_common::problem::Code;

mod answer;
mod chain;
mod channel;
mod recall;
mod settler;
mod stream;

/// The next effect of a request that is paid by session.
#[cfg_attr(feature = "copies", derive(Clone))]
pub enum SessionStep<'g> {
    /// Read up to [`MAX_DIGESTED_BYTES`](crate::paid::MAX_DIGESTED_BYTES) of the request's
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
    /// The chain's view during this request.
    sight: Option<SightText>,
    /// The deposit before and after a transaction of its payer's own, if it has shown one.
    brought: Option<(Amount, Amount)>,
    /// Whether only the payer of a known channel can have sent it.
    is_payer: bool,
    /// Whether its object was asked before.
    has_asked: bool,
    /// Whether it was asked whether it has charged what it gave no answer about.
    has_asked_again: bool,
    /// The cost of its answer.
    used: Amount,
    /// The transaction and amount of a deposit or refund.
    moved: (String, String),
    /// Whether a deposit was made, or may have been.
    may_have_paid: bool,
    /// The answer that flows.
    flow: Option<Flow>,
}

/// The things that a request waits for.
#[cfg_attr(feature = "copies", derive(Clone))]
enum SessionStage {
    /// A deposit is not sent before its voucher is known to fit.
    Foreseeing,
    /// It is sent; the channel was known to hold this much before.
    Depositing(Amount),
    Looking(Before),
    Beginning,
    Serving,
    Collecting(ResponseHead),
    Charging(ResponseHead, Keeping),
    /// The hold is let go, then this is answered.
    Releasing(Box<Reply>),
    Refunding,
    SendingRefund,
    /// The refund's change is noted.
    Noting,
    /// An action that needs no origin is done.
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

/// The call before a look at the chain.
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
            Purpose::Deposit(_) | Purpose::Voucher | Purpose::Open | Purpose::Recall(_) => true,
            Purpose::Refund(_) | Purpose::TopUp | Purpose::Show | Purpose::Close => false,
        };
        let (hash, used) = (String::new(), asked.first());
        let session = Box::new(Self {
            asked,
            now,
            stage,
            hash,
            sight: None,
            brought: None,
            is_payer: false,
            has_asked: false,
            has_asked_again: false,
            used,
            moved,
            may_have_paid: false,
            flow: None,
        });
        if has_body && is_bought { SessionStep::Digest(session) } else { session.hashed(&[]) }
    }

    /// Takes the digest of the request's body in hex, or `None` for one that is longer than is
    /// hashed: no other request is the same as that one, unless its client gives both one
    /// correlation id, as it may for a repeat.
    pub fn digested(mut self: Box<Self>, digest: Option<&str>, now: UnixTime) -> SessionStep<'g> {
        // Whoever sends a body slowly would be held for a time that is over.
        self.now = now;
        let fresh = self.asked.request.correlation.clone();
        match digest {
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
        // As a single payment is bound: another part of the answer is another request.
        let range = head.headers.get("range").unwrap_or_default();
        let asked = [head.method.as_bytes(), head.url.as_bytes(), range.as_bytes()];
        let mut parts = [&asked, body].concat();
        let amount = self.asked.payment.cumulative.to_string();
        let name = PurchaseName::of(&head.headers);
        match (&self.asked.payment.door, &name) {
            // One voucher may pay for many requests, each in answer to a challenge of its own, unless
            // its client tells them apart.
            (SessionDoor::Mpp(_), Some(name @ PurchaseName::Key(_))) => {
                parts.extend(name.parts());
                parts.push(amount.as_bytes());
            }
            (SessionDoor::Mpp(shown), _) => {
                parts.extend([shown.challenge.as_bytes(), amount.as_bytes()]);
            }
            (_, Some(name)) => parts.extend(name.parts()),
            (_, None) => {}
        }
        self.hash = ["0x", &hash::digest(&parts)].concat();
        match self.asked.payment.purpose {
            // No money moves for a voucher that would be refused.
            Purpose::Deposit(amount) => self.foresee(amount),
            Purpose::Voucher => self.hold(),
            Purpose::Refund(wanted) => self.refund(wanted),
            Purpose::Open => self.look(Before::Nothing),
            Purpose::Recall(_) => self.recall(),
            Purpose::TopUp | Purpose::Show | Purpose::Close => self.manage(),
        }
    }

    /// Does what needs no origin.
    fn manage(mut self: Box<Self>) -> SessionStep<'g> {
        self.stage = SessionStage::Managing;
        let ask = match self.asked.payment.purpose {
            Purpose::TopUp => ChannelAsk::See,
            Purpose::Close => {
                let sold = self.asked.offer.channel.as_ref();
                let least = sold.map_or(Amount::ZERO, |sold| sold.closes_from);
                ChannelAsk::Close(PurchaseText { price: least.to_string(), ..self.purchase() })
            }
            _ => ChannelAsk::Accept(self.purchase()),
        };
        self.ask(ask)
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

    /// Whether the body that was collected goes along to the object.
    #[must_use]
    pub const fn keeps_body(&self) -> bool {
        matches!(self.stage, SessionStage::Charging(_, Keeping::Kept))
    }

    /// The answer if the gate cannot go on. What flows ends with the receipt of what was paid.
    fn problem(&self, code: Code) -> SessionStep<'g> {
        if self.flow.is_some() {
            return self.finish();
        }
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

    /// The payment of this request: a repeat has the same one, the channel's next request another.
    fn receipt(&self) -> String {
        let channel = self.asked.payment.channel.to_string();
        let amount = self.asked.payment.cumulative.to_string();
        [channel.as_str(), &amount, &self.hash].join("-")
    }

    /// Whether its voucher could be the first one of a channel.
    fn is_first(&self) -> bool {
        self.asked.payment.cumulative == self.asked.choice.terms.amount
    }

    /// The amount that the request uses: its price.
    fn price(&self) -> String {
        self.asked.price().to_string()
    }
}
