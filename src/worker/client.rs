//! A client that waits for the answer to a paid request, and the log line of that request.

use farebox_core::facilitator::reply::FacilitatorReply;
use farebox_core::gate::Gate;
use farebox_core::gate::attempts::ClientKey;
use farebox_core::gate::call::FacilitatorCall;
use farebox_core::gate::paid::{Label, Waiting};
use farebox_core::gate::reply::Reply;
use farebox_core::gate::request::correlation_id;
use farebox_core::gate::unpaid::Unpaid;
use farebox_core::http::RequestHead;
use wasm_bindgen::JsValue;

use super::{LoggedRequest, attempts, edge, facilitator, meters};

/// A client that waits for an answer, until it has one.
pub(super) struct WaitingClient {
    resolve: Option<js_sys::Function>,
    pub(super) log: Log,
    /// The key under which the client is counted.
    pub(super) client_key: Option<ClientKey>,
    context: JsValue,
}

impl WaitingClient {
    /// A client with a log line, whose answer `resolve` gives.
    pub(super) fn new(resolve: Option<js_sys::Function>, log: Log, context: JsValue) -> Self {
        Self { resolve, log, client_key: None, context }
    }

    /// Answers, and logs it at once.
    pub(super) fn answer(&mut self, reply: &Reply, held: &JsValue) {
        self.answer_with(reply, held, |line, _| edge::log(line));
    }

    /// Refuses what has begun nothing. Its line waits for those of the same second: forgers send
    /// many.
    pub(super) fn refuse(&mut self, reply: &Reply) {
        self.answer_with(reply, &JsValue::NULL, edge::log_unpaid);
    }

    /// Answers a request that is free by now with what its origin answered.
    pub(super) fn answer_free(&mut self, passing: &Unpaid, response: &JsValue) {
        if let Some(resolve) = self.resolve.take() {
            // A resolve function does not throw.
            let _ = resolve.call1(&JsValue::UNDEFINED, response);
        }
        self.log.request.log_free(passing, response);
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

    pub(super) const fn waiting(&self) -> Waiting {
        if self.resolve.is_some() { Waiting::Yes } else { Waiting::No }
    }
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
    pub(super) fn new(head: &RequestHead, fresh: &str) -> Self {
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
