//! Carries out the steps of a request that is paid by session.

use std::cell::RefCell;

use farebox_core::channel::looks::{LookTurn, SharedLooks};
use farebox_core::facilitator::unproven::{ChannelAccess, UnverifiedCaller};
use farebox_core::gate::Gate;
use farebox_core::gate::call::{ChainCall, FacilitatorCall};
use farebox_core::gate::forward::OriginCall;
use farebox_core::gate::paid::{StreamEnd, Streaming};
use farebox_core::gate::reply::Reply;
use farebox_core::gate::session::flow::{FlowEnd, FlowLimits, Pause};
use farebox_core::gate::session::step::{SessionRequest, SessionStep};
use farebox_core::mpp::stream::{MAX_EVENT_BYTES, StreamFraming};
use wasm_bindgen::{JsCast, JsValue};

use super::client::{WaitingClient, ask_facilitator};
use super::edge::Digested;
use super::origin::milliseconds;
use super::{Bindings, chain, edge, facilitator, now, origin};

/// Milliseconds after which a channel's object counts as down.
const DEADLINE_MS: u32 = 10_000;
/// Milliseconds between two questions whether a node has answered someone else, and the most of them.
const WAIT_MS: u32 = 250;
const MAX_WAITS: usize = 12;

thread_local! {
    /// Looks for deposits that wait.
    static LOOKS: RefCell<SharedLooks> = const { RefCell::new(SharedLooks::new()) };
}

/// A request on its way: its parties, and the streams and bodies that the edge holds for it.
pub(super) struct SessionWork<'a> {
    gate: &'a Gate,
    request: &'a JsValue,
    method: &'a str,
    bindings: &'a Bindings,
    client: &'a mut WaitingClient,
    /// The request's body.
    sent: JsValue,
    /// The origin's response, what was collected of it, or a stored body.
    held: JsValue,
    /// The answer that flows; undefined before there is one.
    flow: JsValue,
    /// Milliseconds without a byte after which the origin counts as broken.
    idle: u32,
}

impl<'a> SessionWork<'a> {
    pub(super) fn new(
        gate: &'a Gate,
        request: &'a JsValue,
        method: &'a str,
        bindings: &'a Bindings,
        client: &'a mut WaitingClient,
    ) -> Self {
        let sent = edge::request_body(request);
        let (held, flow) = (JsValue::NULL, JsValue::UNDEFINED);
        Self { gate, request, method, bindings, client, sent, held, flow, idle: 0 }
    }

    /// The answer, with the body that the edge holds for it; `None` if it was answered, and all of
    /// it has flowed.
    pub(super) async fn carry_out(mut self, mut step: SessionStep<'_>) -> Option<(Reply, JsValue)> {
        loop {
            step = match step {
                SessionStep::Digest(next) => self.digest(next).await,
                SessionStep::Object(name, message, next) => {
                    self.ask_channel(name, &message, next).await
                }
                SessionStep::Facilitator(call, next) => self.ask_facilitator(&call, next).await,
                SessionStep::Node(call, next) => self.ask_node(&call, next).await,
                SessionStep::Forward(call, next) => self.forward(&call, next).await,
                SessionStep::Collect(limits, next) => {
                    self.idle = milliseconds(next.idle_secs());
                    let (collected, source) = origin::collect(&self.held, &limits).await;
                    self.held = source;
                    next.collected(collected)
                }
                SessionStep::Flow(reply, limits, next) => {
                    self.open_flow(&reply, &limits);
                    SessionStep::Grant(limits.paid, next)
                }
                SessionStep::Grant(units, next) => self.let_flow(units, next).await,
                SessionStep::Pause(pause, next) => self.pause(&pause, next).await,
                SessionStep::Finish(end) => {
                    self.finish(&end).await;
                    return None;
                }
                // The client has an answer: its body breaks off.
                SessionStep::Respond(_) if !self.flow.is_undefined() => {
                    SessionStep::Finish(FlowEnd::Cut)
                }
                SessionStep::Respond(reply) => {
                    let body = origin::body_for(&reply, &self.held, self.method, self.idle);
                    return Some((reply, body));
                }
            };
        }
    }

    async fn digest<'g>(&mut self, next: Box<SessionRequest<'g>>) -> SessionStep<'g> {
        let (digest, body) = edge::digest_of(self.request).await;
        self.sent = body;
        match digest {
            Digested::Whole(digest) => next.digested(Some(&digest), now()),
            Digested::Long => next.digested(None, now()),
            Digested::Broken => next.broken(),
        }
    }

    /// Asks the object of a channel, if this request may.
    async fn ask_channel<'g>(
        &mut self,
        name: String,
        message: &str,
        next: Box<SessionRequest<'g>>,
    ) -> SessionStep<'g> {
        let access = facilitator::access(&name, next.newcomer());
        if matches!(access, ChannelAccess::Placed(_)) && !next.asks_unmet() {
            return next.unmet();
        }
        if !has_access(self.bindings, &access).await {
            return next.limited();
        }
        let answer = self.ask_object(&name, message, next.keeps_body()).await;
        if self.client.log.label.payment.is_empty() {
            self.client.log.label = next.label();
        }
        facilitator::met(name, &access, next.read_standing(answer.as_deref()));
        next.object(answer.as_deref(), now())
    }

    /// The answer of a channel's object, which may take the body that is held, and may give a
    /// stored one.
    async fn ask_object(&mut self, name: &str, message: &str, keeps_body: bool) -> Option<String> {
        let started = edge::clock_ms();
        let body = if keeps_body { &self.held } else { &JsValue::NULL };
        let asked = edge::ask_object(&self.bindings.channel, name, message, body, DEADLINE_MS);
        let said = edge::settled(asked).await;
        let parts: Option<&edge::Parts> = said.as_ref().map(JsCast::unchecked_ref);
        let answer = parts.and_then(edge::Parts::answer);
        if let Some(stored) = parts.map(edge::Parts::body)
            && !stored.is_null()
            && !stored.is_undefined()
        {
            self.held = stored;
        }
        self.client.log.object_ms += edge::clock_ms().saturating_sub(started);
        answer
    }

    async fn ask_facilitator<'g>(
        &mut self,
        call: &FacilitatorCall,
        next: Box<SessionRequest<'g>>,
    ) -> SessionStep<'g> {
        self.client.log.label = next.label();
        let sender = call.unproven.as_ref();
        if !may_ask(self.bindings, sender).await {
            return next.limited();
        }
        let reply = ask_facilitator(self.gate, call, self.client).await;
        let (then, verdict) = next.facilitator(&reply, now());
        if let Some(sender) = sender {
            facilitator::ended(sender, verdict);
        }
        then
    }

    async fn ask_node<'g>(
        &mut self,
        call: &ChainCall,
        next: Box<SessionRequest<'g>>,
    ) -> SessionStep<'g> {
        self.client.log.label = next.label();
        let sender = call.unproven.as_ref();
        edge::pause(call.delay_ms).await;
        if let Some(answer) = answered(call).await {
            return next.node(Some(&answer), now()).0;
        }
        if !may_ask(self.bindings, sender).await {
            told(call, None);
            return next.limited();
        }
        let reply = chain::reply(chain::send(self.gate, &call.network, &call.body)).await;
        told(call, reply.as_deref());
        let (then, verdict) = next.node(reply.as_deref(), now());
        if let Some(sender) = sender {
            facilitator::ended(sender, verdict);
        }
        then
    }

    async fn forward<'g>(
        &mut self,
        call: &OriginCall,
        next: Box<SessionRequest<'g>>,
    ) -> SessionStep<'g> {
        let started = edge::clock_ms();
        let (mut reply, mut answer) = origin::ask(call, &self.sent, &self.bindings.origin).await;
        if next.is_charged(&reply) {
            (reply, answer) = origin::once_sent(reply, answer, next.idle_secs()).await;
        }
        self.client.log.origin_ms += edge::clock_ms().saturating_sub(started);
        self.held = answer.response;
        next.origin(reply)
    }

    /// Answers with a body that flows as far as it is paid for.
    fn open_flow(&mut self, reply: &Reply, limits: &FlowLimits) {
        let idle = milliseconds(limits.idle_secs);
        let taking = milliseconds(limits.taking_secs);
        let has_events = limits.framing == StreamFraming::Events;
        let promised = Streaming::promised_bytes(reply, self.method);
        let promised = promised.and_then(|bytes| u32::try_from(bytes).ok());
        let unit = limits.unit.name();
        let longest = u32::try_from(MAX_EVENT_BYTES).unwrap_or(u32::MAX);
        self.flow = edge::open_flow(&self.held, unit, has_events, idle, taking, promised, longest);
        self.client.answer(reply, &edge::member(&self.flow, "readable"));
    }

    async fn let_flow<'g>(&self, units: u64, next: Box<SessionRequest<'g>>) -> SessionStep<'g> {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let sign = edge::settled(edge::let_flow(&self.flow, units)).await;
        match sign.and_then(|sign| sign.as_string()).as_deref() {
            Some("due") => next.due(now()),
            Some("complete") => next.ended(StreamEnd::Complete),
            Some("client_left") => next.ended(StreamEnd::ClientLeft),
            _ => next.ended(StreamEnd::Broken),
        }
    }

    async fn pause<'g>(&self, pause: &Pause, next: Box<SessionRequest<'g>>) -> SessionStep<'g> {
        let Pause { event, name, message, secs } = pause;
        let longest = milliseconds(*secs);
        let asked = edge::await_object(&self.bindings.channel, name, message, longest);
        let said = edge::settled(edge::paused(&self.flow, event.as_deref(), &asked)).await;
        next.resumed(said.and_then(|said| said.as_string()).as_deref(), now())
    }

    async fn finish(&self, end: &FlowEnd) {
        let text = match end {
            FlowEnd::Whole(text) => Some(text.as_str()),
            FlowEnd::Cut => None,
        };
        edge::settled(edge::end_flow(&self.flow, text)).await;
    }
}

/// The answer that a node has just given to the same question of another; waits while it is being
/// asked.
async fn answered(call: &ChainCall) -> Option<String> {
    let rank = call.look?;
    for _ in 0..MAX_WAITS {
        match LOOKS.with_borrow_mut(|looks| looks.turn(&call.network, &call.body, rank, now())) {
            LookTurn::Ask => return None,
            LookTurn::Answered(answer) => return Some(answer),
            LookTurn::Wait => edge::pause(WAIT_MS).await,
        }
    }
    None
}

fn told(call: &ChainCall, answer: Option<&str>) {
    if let Some(rank) = call.look {
        LOOKS.with_borrow_mut(|looks| looks.told(&call.network, &call.body, rank, answer));
    }
}

/// Whether the object of a channel may be asked.
async fn has_access(bindings: &Bindings, access: &ChannelAccess) -> bool {
    match access {
        ChannelAccess::Free | ChannelAccess::Known(_) => true,
        ChannelAccess::Placed(caller) => may_ask(bindings, Some(&caller.sender)).await,
        ChannelAccess::Refused => false,
    }
}

/// Whether there is a place for what this sender asks for; who has proven something needs none.
async fn may_ask(bindings: &Bindings, sender: Option<&UnverifiedCaller>) -> bool {
    match sender {
        Some(sender) => bindings.allows(&sender.network).await && facilitator::admits(sender).await,
        None => true,
    }
}
