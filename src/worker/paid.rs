//! Carries out the steps of a request that pays by itself.

use farebox_core::encoding::message::FromJson;
use farebox_core::gate::Gate;
use farebox_core::gate::call::{ChainCall, FacilitatorCall, LedgerCall};
use farebox_core::gate::forward::OriginCall;
use farebox_core::gate::paid::{
    BodyLimits, Claiming, Collected, Collecting, Digesting, Forwarding, Looking, Reading,
    Recording, Resuming, Settling, Step, StreamEnd, Streaming, Verifying, Waits,
};
use farebox_core::gate::reply::Reply;
use farebox_core::gate::unpaid::Unpaid;
use farebox_core::ledger::{Answer, LedgerReply};
use wasm_bindgen::JsValue;

use super::client::{WaitingClient, ask_facilitator};
use super::edge::{Digested, Upload};
use super::{Bindings, chain, edge, facilitator, ledger, now, origin};

/// A request on its way: its parties, and the streams and bodies that the edge holds for it.
pub(super) struct PaidWork<'a> {
    gate: &'a Gate,
    request: &'a JsValue,
    method: &'a str,
    bindings: &'a Bindings,
    client: WaitingClient,
    /// The request's body: a stream, or the bytes that were hashed.
    body: JsValue,
    /// The origin's response, what was collected of it, or a stored body.
    response: JsValue,
    /// Progress of sending the request's body to the origin.
    sent: JsValue,
    /// Milliseconds without a byte after which the origin counts as broken.
    idle: u32,
}

impl<'a> PaidWork<'a> {
    pub(super) fn new(
        gate: &'a Gate,
        request: &'a JsValue,
        method: &'a str,
        bindings: &'a Bindings,
        client: WaitingClient,
    ) -> Self {
        let body = edge::request_body(request);
        let (response, sent) = (JsValue::NULL, JsValue::UNDEFINED);
        Self { gate, request, method, bindings, client, body, response, sent, idle: 0 }
    }

    /// Carries out one step after the other, to the answer; the number of them.
    pub(super) async fn carry_out(mut self, mut step: Step<'_>) -> u32 {
        let mut steps = 0;
        loop {
            steps += 1;
            step = match step {
                Step::Digest(next) => self.digest(next).await,
                Step::Claim(call, next) => self.claim(&call, next).await,
                Step::Resume(call, next) => self.resume(&call, next).await,
                Step::Look(call, next) => self.look(&call, next).await,
                Step::Verify(call, next) => self.verify(&call, next).await,
                Step::Settle(call, next) => self.settle(&call, next).await,
                Step::Take(call, next) => {
                    next.answered(ledger::read(&self.bindings.ledger, &call).await)
                }
                Step::Read(call, next) => self.read(&call, next).await,
                Step::Forward(call, next) => self.forward(&call, next).await,
                Step::Collect(limits, next) => self.collect(&limits, next).await,
                Step::Record(call, next) => self.record(&call, next).await,
                Step::Pass(call, passing) => {
                    self.pass(call, &passing).await;
                    return steps;
                }
                Step::Stream(reply, streaming) => {
                    self.stream(&streaming, &reply).await;
                    // The calls that keep the row alive are not counted.
                    return u32::MAX;
                }
                Step::Leave(reply, call) => {
                    self.client.answer(&reply, &JsValue::NULL);
                    self.tell(&call).await;
                    return steps + 1;
                }
                Step::Respond(reply) => {
                    let body = origin::body_for(&reply, &self.response, self.method, self.idle);
                    self.client.answer(&reply, &body);
                    return steps;
                }
            };
        }
    }

    async fn pass(&mut self, call: OriginCall, passing: &Unpaid) {
        let bound = &self.bindings.origin;
        let response = origin::pass(self.gate, call, passing, &self.body, bound).await;
        self.client.answer_free(passing, &response);
    }

    async fn digest<'g>(&mut self, next: Digesting<'g>) -> Step<'g> {
        let (digest, body) = edge::digest_of(self.request).await;
        self.body = body;
        match digest {
            Digested::Whole(digest) => next.answered(Some(digest)),
            Digested::Long => next.answered(None),
            Digested::Broken => next.broken(),
        }
    }

    async fn claim<'g>(&mut self, call: &LedgerCall, next: Claiming<'g>) -> Step<'g> {
        self.client.log.label = next.label();
        if let Some(reason) = next.draft().as_ref().and_then(facilitator::recalled) {
            return next.recalled(&reason);
        }
        let Some(first) = self.ask_first(call).await else { return next.limited() };
        let next = first.date(next);
        self.response = first.body;
        next.answered(first.reply, now())
    }

    async fn resume<'g>(&mut self, call: &LedgerCall, next: Resuming<'g>) -> Step<'g> {
        self.client.log.label = next.label();
        let Some(first) = self.ask_first(call).await else { return next.limited() };
        let next = first.date(next);
        self.response = first.body;
        next.answered(first.reply, now())
    }

    async fn look<'g>(&mut self, call: &LedgerCall, next: Looking<'g>) -> Step<'g> {
        self.client.log.label = next.label();
        let Some(first) = self.ask_first(call).await else { return next.limited() };
        first.date(next).answered(first.reply, now())
    }

    async fn verify<'g>(&mut self, call: &FacilitatorCall, next: Verifying<'g>) -> Step<'g> {
        if let Some(sender) = &call.unproven
            && !facilitator::admits(sender).await
        {
            return next.limited();
        }
        let reply = ask_facilitator(self.gate, call, &mut self.client).await;
        let then = next.answered(&reply, now());
        if let Some(sender) = &call.unproven {
            facilitator::ended(sender, then.verdict());
        }
        then
    }

    async fn settle<'g>(&mut self, call: &FacilitatorCall, next: Settling<'g>) -> Step<'g> {
        let reply = ask_facilitator(self.gate, call, &mut self.client).await;
        next.answered(&reply, self.client.waiting())
    }

    async fn read<'g>(&self, call: &ChainCall, next: Reading<'g>) -> Step<'g> {
        edge::pause(call.delay_ms).await;
        if let Some(sender) = &call.unproven
            && !facilitator::admits(sender).await
        {
            return next.limited();
        }
        let reply = chain::reply(chain::send(self.gate, &call.network, &call.body)).await;
        let then = next.answered(reply.as_deref().map(str::as_bytes), now());
        if let Some(sender) = &call.unproven {
            facilitator::ended(sender, then.verdict());
        }
        then
    }

    async fn forward<'g>(&mut self, call: &OriginCall, next: Forwarding<'g>) -> Step<'g> {
        let started = edge::clock_ms();
        let bound = &self.bindings.origin;
        let (reply, answer) = origin::ask_for(call, &next, &self.body, bound).await;
        self.client.log.origin_ms += edge::clock_ms().saturating_sub(started);
        (self.response, self.sent) = (answer.response, answer.sent);
        next.answered(reply, now())
    }

    async fn collect<'g>(&mut self, limits: &BodyLimits, next: Collecting<'g>) -> Step<'g> {
        self.idle = origin::milliseconds(next.idle_secs());
        let started = edge::clock_ms();
        let (collected, source) = origin::collect(&self.response, limits).await;
        self.response = source;
        let took = edge::clock_ms().saturating_sub(started);
        let took = u32::try_from(took).unwrap_or(u32::MAX);
        let left = origin::milliseconds(limits.secs).saturating_sub(took);
        // The origin answered half a body: that is not an answer. Nothing of it has flowed.
        match edge::upload_of(&self.sent, left).await {
            Upload::Broken => next.answered(Collected::Broken),
            _ => next.answered(collected),
        }
    }

    async fn record<'g>(&mut self, call: &LedgerCall, next: Recording<'g>) -> Step<'g> {
        let started = edge::clock_ms();
        let asked = ledger::ask(&self.bindings.ledger, call, &self.response).await;
        let (answer, body) = split(asked);
        self.client.log.object_ms += edge::clock_ms().saturating_sub(started);
        if !body.is_null() && !body.is_undefined() {
            self.response = body;
        }
        next.answered(answer, now())
    }

    /// Answers with a streamed body, and keeps the row alive until the stream has ended.
    async fn stream(&mut self, streaming: &Streaming<'_>, reply: &Reply) {
        let idle = origin::milliseconds(streaming.idle_secs());
        let promised = Streaming::promised_bytes(reply, self.method);
        let promised = promised.and_then(|bytes| u32::try_from(bytes).ok());
        let pump = edge::pump(&self.response, idle, promised, &self.sent);
        self.client.answer(reply, &edge::member(&pump, "readable"));
        let end = loop {
            let sign = edge::settled(edge::progress(&pump)).await.and_then(|sign| sign.as_string());
            match sign.as_deref() {
                Some("flowing") => self.tell(&streaming.flowing()).await,
                Some("complete") => break StreamEnd::Complete,
                Some("client_left") => break StreamEnd::ClientLeft,
                _ => break StreamEnd::Broken,
            }
        };
        self.tell(&streaming.ended(end)).await;
    }

    /// Tells the ledger object something that nothing waits for.
    async fn tell(&self, call: &LedgerCall) {
        ledger::ask::<Answer>(&self.bindings.ledger, call, &JsValue::NULL).await;
    }

    /// Makes the first call about a payment: the rate limit before it, the newest block beside it;
    /// `None` if the client's network has asked too often.
    async fn ask_first<T: FromJson>(&mut self, call: &LedgerCall) -> Option<First<T>> {
        if let Some(network) = &call.limited_by
            && !self.bindings.allows(network).await
        {
            return None;
        }
        let started = edge::clock_ms();
        let block_query =
            call.block_query.as_ref().map(|call| chain::send(self.gate, &call.network, &call.body));
        let asked = ledger::ask(&self.bindings.ledger, call, &JsValue::NULL).await;
        let (reply, body) = split(asked);
        let log = &mut self.client.log;
        if let Some(LedgerReply { receipt: Some(receipt), .. }) = &reply {
            log.label.payment.clone_from(receipt);
        }
        log.object_ms += edge::clock_ms().saturating_sub(started);
        let block = match block_query {
            Some(sent) => Some(chain::reply(sent).await),
            None => None,
        };
        Some(First { reply, body, block })
    }
}

/// Result of the first call about a payment.
struct First<T> {
    reply: Option<LedgerReply<T>>,
    /// A stored body.
    body: JsValue,
    /// The node's reply about the newest block, if it was asked.
    block: Option<Option<String>>,
}

impl<T> First<T> {
    /// Shows the newest block to what waits for the reply.
    fn date<'g>(&self, next: Waits<'g, T>) -> Waits<'g, T> {
        match &self.block {
            Some(block) => next.saw(block.as_deref().map(str::as_bytes)),
            None => next,
        }
    }
}

fn split<T>(answer: Option<(T, JsValue)>) -> (Option<T>, JsValue) {
    answer.map_or((None, JsValue::NULL), |(answer, body)| (Some(answer), body))
}
