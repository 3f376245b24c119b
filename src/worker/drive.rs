//! The loop that carries out each step of a paid request, and goes on when the client leaves.

use std::rc::Rc;

use farebox_core::encoding::message::FromJson;
use farebox_core::facilitator::reply::FacilitatorReply;
use farebox_core::gate::Gate;
use farebox_core::gate::attempts::ClientKey;
use farebox_core::gate::call::{FacilitatorCall, LedgerCall};
use farebox_core::gate::paid::{Collected, Label, Step, StreamEnd, Streaming, Waiting};
use farebox_core::gate::reply::Reply;
use farebox_core::gate::request::correlation_id;
use farebox_core::http::RequestHead;
use farebox_core::ledger::{Answer, LedgerReply};

use wasm_bindgen::JsValue;

use super::edge::{Digested, Upload};
use super::resolve::{Resolved, resolve};
use super::{
    Bindings, LoggedRequest, attempts, chain, edge, facilitator, handover, ledger, meters, now,
    origin, session,
};

/// Answers a request that shows a proof: the client waits for the promise, the work goes on without
/// them.
pub(super) fn begin(
    gate: Rc<Gate>,
    head: RequestHead,
    fresh: String,
    request: JsValue,
    bindings: Bindings,
    context: &JsValue,
) -> JsValue {
    let (mut answer, mut fail) = (None, None);
    let response = js_sys::Promise::new(&mut |resolve, reject| {
        (answer, fail) = (Some(resolve), Some(reject));
    });
    drop(fail);
    let log = Log::new(&head, &fresh);
    let client = WaitingClient { resolve: answer, log, client_key: None, context: context.clone() };
    let later = context.clone();
    let work = edge::promise(async move {
        let steps = drive(&gate, head, &fresh, &request, &bindings, client).await;
        // The calls of one request are limited; after a long one, another request hands over the
        // counts.
        if steps <= MAX_STEPS {
            handover::begin(&gate, &bindings.ledger, &later);
        }
        JsValue::UNDEFINED
    });
    edge::wait_until(context, &js_sys::Promise::from(work));
    response.into()
}

/// Limit on the steps of a paid request that may hand over counts behind its answer: with them its
/// calls stay below what the platform allows.
const MAX_STEPS: u32 = 12;

/// The lowest status of a fault, whose line is written at once.
const FAULT: u16 = 500;

/// A client that waits for an answer, until it has one.
pub(super) struct WaitingClient {
    resolve: Option<js_sys::Function>,
    pub(super) log: Log,
    /// The key under which the client is counted.
    client_key: Option<ClientKey>,
    context: JsValue,
}

impl WaitingClient {
    /// Answers, and logs it at once.
    pub(super) fn answer(&mut self, reply: &Reply, held: &JsValue) {
        self.answer_with(reply, held, |line, _| edge::log(line));
    }

    /// Refuses what has begun nothing. Its line waits for those of the same second: forgers send
    /// many.
    fn refuse(&mut self, reply: &Reply) {
        self.answer_with(reply, &JsValue::NULL, edge::log_unpaid);
    }

    fn answer_with(&mut self, reply: &Reply, held: &JsValue, log: impl Fn(&str, &JsValue)) {
        if let Some(resolve) = self.resolve.take() {
            // A resolve function does not throw.
            let _ = resolve.call1(&JsValue::UNDEFINED, &edge::render_with(reply, held));
            log(&self.log.line(reply), &self.context);
            meters::answered(reply, reply.route.as_ref().unwrap_or(&self.log.label.route));
            if let Some(client_key) = &self.client_key {
                attempts::answered(client_key, &reply.marks);
            }
            if let Some(signed) = &reply.marks.signed {
                facilitator::with_signers(|signers| signers.paid(signed));
            }
        }
    }

    const fn waiting(&self) -> Waiting {
        if self.resolve.is_some() { Waiting::Yes } else { Waiting::No }
    }
}

/// Streams and bodies that the edge holds for a paid request.
struct Held {
    /// The request's body: a stream, or the bytes that were hashed.
    request: JsValue,
    /// The origin's response, what was collected of it, or a stored body.
    response: JsValue,
    /// Progress of sending the request's body to the origin.
    sent: JsValue,
    /// Milliseconds without a byte after which the origin counts as broken.
    idle: u32,
}

async fn drive(
    gate: &Gate,
    head: RequestHead,
    fresh: &str,
    request: &JsValue,
    bindings: &Bindings,
    mut client: WaitingClient,
) -> u32 {
    let namespace = &bindings.ledger;
    let mut held = Held {
        request: edge::request_body(request),
        response: JsValue::NULL,
        sent: JsValue::UNDEFINED,
        idle: 0,
    };
    let method = head.method.clone();
    let (admission, client_key) = attempts::admit(gate, head, fresh);
    client.client_key = client_key;
    let mut step = match resolve(gate, admission, request, bindings, &mut client.client_key).await {
        Resolved::Pay(step) => step,
        Resolved::Pass(call, passing) => Step::Pass(call, passing),
        Resolved::Session(step) => {
            let answer =
                session::carry_out(gate, step, request, &method, bindings, &mut client).await;
            // What flows makes calls that are not counted.
            let Some((reply, body)) = answer else { return u32::MAX };
            client.answer(&reply, &body);
            return 1;
        }
        Resolved::Respond(reply) if reply.head.status < FAULT => {
            client.refuse(&reply);
            return 1;
        }
        Resolved::Respond(reply) => Step::Respond(reply),
    };
    let mut steps = 0;
    loop {
        steps += 1;
        step = match step {
            Step::Pass(call, passing) => {
                let response =
                    origin::pass(gate, call, &passing, &held.request, &bindings.origin).await;
                if let Some(resolve) = client.resolve.take() {
                    // A resolve function does not throw.
                    let _ = resolve.call1(&JsValue::UNDEFINED, &response);
                }
                client.log.request.log_free(&passing, &response);
                return steps;
            }
            Step::Digest(next) => {
                let (digest, body) = edge::digest_of(request).await;
                held.request = body;
                match digest {
                    Digested::Whole(digest) => next.answered(Some(digest)),
                    Digested::Long => next.answered(None),
                    Digested::Broken => next.broken(),
                }
            }
            Step::Claim(call, next) => {
                client.log.label = next.label();
                if let Some(reason) = next.draft().as_ref().and_then(facilitator::recalled) {
                    step = next.recalled(&reason);
                    continue;
                }
                let Some(first) = ask_first(gate, &call, bindings, &mut client).await else {
                    step = next.limited();
                    continue;
                };
                let next = match &first.block {
                    Some(block) => next.saw(block.as_deref().map(str::as_bytes)),
                    None => next,
                };
                held.response = first.body;
                next.answered(first.reply, now())
            }
            Step::Resume(call, next) => {
                client.log.label = next.label();
                let Some(first) = ask_first(gate, &call, bindings, &mut client).await else {
                    step = next.limited();
                    continue;
                };
                let next = match &first.block {
                    Some(block) => next.saw(block.as_deref().map(str::as_bytes)),
                    None => next,
                };
                held.response = first.body;
                next.answered(first.reply, now())
            }
            Step::Look(call, next) => {
                client.log.label = next.label();
                let Some(first) = ask_first(gate, &call, bindings, &mut client).await else {
                    step = next.limited();
                    continue;
                };
                let next = match &first.block {
                    Some(block) => next.saw(block.as_deref().map(str::as_bytes)),
                    None => next,
                };
                next.answered(first.reply, now())
            }
            Step::Verify(call, next) => {
                if let Some(sender) = &call.unproven
                    && !facilitator::admits(sender).await
                {
                    step = next.limited();
                    continue;
                }
                let reply = ask_facilitator(gate, &call, &mut client).await;
                let then = next.answered(&reply, now());
                if let Some(sender) = &call.unproven {
                    facilitator::ended(sender, then.verdict());
                }
                then
            }
            Step::Settle(call, next) => {
                let reply = ask_facilitator(gate, &call, &mut client).await;
                next.answered(&reply, client.waiting())
            }
            Step::Take(call, next) => next.answered(ledger::read(namespace, &call).await),
            Step::Read(call, next) => {
                edge::pause(call.delay_ms).await;
                if let Some(sender) = &call.unproven
                    && !facilitator::admits(sender).await
                {
                    step = next.limited();
                    continue;
                }
                let reply = chain::reply(chain::send(gate, &call.network, &call.body)).await;
                let then = next.answered(reply.as_deref().map(str::as_bytes), now());
                if let Some(sender) = &call.unproven {
                    facilitator::ended(sender, then.verdict());
                }
                then
            }
            Step::Forward(call, next) => {
                let started = edge::clock_ms();
                let (reply, answer) =
                    origin::ask_for(&call, &next, &held.request, &bindings.origin).await;
                client.log.origin_ms += edge::clock_ms().saturating_sub(started);
                (held.response, held.sent) = (answer.response, answer.sent);
                next.answered(reply, now())
            }
            Step::Collect(limits, next) => {
                held.idle = origin::milliseconds(next.idle_secs());
                let bytes = u32::try_from(limits.bytes).unwrap_or(u32::MAX);
                let milliseconds = origin::milliseconds(limits.secs);
                let started = edge::clock_ms();
                let collected =
                    edge::settled(edge::collect(&held.response, bytes, milliseconds)).await;
                let collected = collected.unwrap_or(JsValue::UNDEFINED);
                held.response = edge::member(&collected, "source");
                let took = edge::clock_ms().saturating_sub(started);
                let left = milliseconds.saturating_sub(u32::try_from(took).unwrap_or(u32::MAX));
                // The origin answered half a body: that is not an answer. Nothing of it has flowed.
                match (kind(&collected), edge::upload_of(&held.sent, left).await) {
                    (_, Upload::Broken) => next.answered(Collected::Broken),
                    (collected, _) => next.answered(collected),
                }
            }
            Step::Record(call, next) => {
                let started = edge::clock_ms();
                let (answer, body) = split(ledger::ask(namespace, &call, &held.response).await);
                client.log.object_ms += edge::clock_ms().saturating_sub(started);
                if !body.is_null() && !body.is_undefined() {
                    held.response = body;
                }
                next.answered(answer, now())
            }
            Step::Stream(reply, streaming) => {
                let promised = Streaming::promised_bytes(&reply, &method);
                stream(&streaming, &reply, promised, namespace, &held, client).await;
                // The calls that keep the row alive are not counted.
                return u32::MAX;
            }
            Step::Leave(reply, call) => {
                client.answer(&reply, &JsValue::NULL);
                ledger::ask::<Answer>(namespace, &call, &JsValue::NULL).await;
                return steps + 1;
            }
            Step::Respond(reply) => {
                let body = origin::body_for(&reply, &held.response, &method, held.idle);
                client.answer(&reply, &body);
                return steps;
            }
        };
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

/// Makes the first call about a payment: the rate limit before it, the newest block beside it;
/// `None` if the client's network has asked too often.
async fn ask_first<T: FromJson>(
    gate: &Gate,
    call: &LedgerCall,
    bindings: &Bindings,
    client: &mut WaitingClient,
) -> Option<First<T>> {
    if let Some(network) = &call.limited_by
        && !bindings.allows(network).await
    {
        return None;
    }
    let started = edge::clock_ms();
    let block_query =
        call.block_query.as_ref().map(|call| chain::send(gate, &call.network, &call.body));
    let (reply, body) = split(ledger::ask(&bindings.ledger, call, &JsValue::NULL).await);
    if let Some(LedgerReply { receipt: Some(receipt), .. }) = &reply {
        client.log.label.payment.clone_from(receipt);
    }
    client.log.object_ms += edge::clock_ms().saturating_sub(started);
    let block = match block_query {
        Some(sent) => Some(chain::reply(sent).await),
        None => None,
    };
    Some(First { reply, body, block })
}

/// Makes one exchange with a facilitator; a client that has waited long enough is answered
/// meanwhile.
pub(super) async fn ask_facilitator(
    gate: &Gate,
    call: &FacilitatorCall,
    client: &mut WaitingClient,
) -> FacilitatorReply {
    if let Some(reply) = facilitator::known_answer(gate, call) {
        return reply;
    }
    edge::pause(call.delay_ms).await;
    let started = edge::clock_ms();
    let sent = facilitator::send(gate, call);
    if let Some((patience, client_deadline)) = &call.client_deadline
        && !edge::is_settled_within(&sent, *patience).await
    {
        client.answer(client_deadline, &JsValue::NULL);
    }
    let again = || facilitator::send(gate, call);
    let reply = facilitator::finished(gate, &call.url, sent, again).await;
    facilitator::note(gate, call, &reply);
    let took = edge::clock_ms().saturating_sub(started);
    meters::called(&call.url, took, &reply);
    client.log.facilitator_ms += took;
    reply
}

/// Answers with a streamed body, and keeps the row alive until the stream has ended.
async fn stream(
    streaming: &Streaming<'_>,
    reply: &Reply,
    promised: Option<u64>,
    namespace: &JsValue,
    held: &Held,
    mut client: WaitingClient,
) {
    let idle = origin::milliseconds(streaming.idle_secs());
    let promised = promised.and_then(|bytes| u32::try_from(bytes).ok());
    let pump = edge::pump(&held.response, idle, promised, &held.sent);
    client.answer(reply, &edge::member(&pump, "readable"));
    let end = loop {
        let sign = edge::settled(edge::progress(&pump)).await.and_then(|sign| sign.as_string());
        match sign.as_deref() {
            Some("flowing") => {
                ledger::ask::<Answer>(namespace, &streaming.flowing(), &JsValue::NULL).await;
            }
            Some("complete") => break StreamEnd::Complete,
            Some("client_left") => break StreamEnd::ClientLeft,
            _ => break StreamEnd::Broken,
        }
    };
    ledger::ask::<Answer>(namespace, &streaming.ended(end), &JsValue::NULL).await;
}

fn split<T>(answer: Option<(T, JsValue)>) -> (Option<T>, JsValue) {
    answer.map_or((None, JsValue::NULL), |(answer, body)| (Some(answer), body))
}

pub(super) fn kind(collected: &JsValue) -> Collected {
    match edge::member(collected, "kind").as_string().as_deref() {
        Some("whole") => {
            let bytes = edge::member(collected, "length").as_f64().unwrap_or(0.0);
            Collected::Whole { bytes: bytes as u64 }
        }
        Some("open") => Collected::Open,
        Some("timeout") => Collected::TimedOut,
        _ => Collected::Broken,
    }
}

/// The log line of one paid request.
pub(super) struct Log {
    request: LoggedRequest,
    started: u64,
    pub(super) label: Label,
    facilitator_ms: u64,
    pub(super) origin_ms: u64,
    pub(super) object_ms: u64,
}

impl Log {
    fn new(head: &RequestHead, fresh: &str) -> Self {
        Self {
            request: LoggedRequest::new(head, correlation_id(&head.headers, fresh)),
            started: edge::clock_ms(),
            label: Label { members: ",\"key8\":\"\"".to_owned(), ..Label::default() },
            facilitator_ms: 0,
            origin_ms: 0,
            object_ms: 0,
        }
    }

    fn line(&self, reply: &Reply) -> String {
        let Self { label, facilitator_ms, origin_ms, object_ms, .. } = self;
        let total_ms = edge::clock_ms().saturating_sub(self.started);
        let route = reply.route.as_ref().unwrap_or(&label.route);
        let more = format!(
            ",\"payment\":\"{}\"{},\"facilitator_ms\":{facilitator_ms},\"origin_ms\":{origin_ms},\"object_ms\":{object_ms},\"total_ms\":{total_ms}",
            label.payment, label.members
        );
        self.request.line(reply, route, &more)
    }
}
