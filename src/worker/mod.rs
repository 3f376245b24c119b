//! The Cloudflare Worker: one entry per request, reserved paths, and the loop behind them.
//!
//! `entry.mjs` calls [`prepare`] when an isolate starts, [`configure`] when the environment or its
//! route table is another one, and [`handle`] for every request that is not certainly free;
//! `origin.mjs` and `ledger.mjs` hold calls of the platform that are the gate's alone. [`config`]
//! keeps the gate; [`drive`] has [`paid`] or [`session`] carry out its steps. [`origin`],
//! [`facilitator`] and [`ledger`] are the three parties, [`objects`] the Durable Objects.

mod attempts;
mod chain;
mod client;
mod config;
mod documents;
mod drive;
mod edge;
mod facilitator;
mod handover;
mod ledger;
mod meters;
mod objects;
mod operator;
mod origin;
mod paid;
mod resolve;
mod session;
mod standing;
mod supported;
mod treasury;

use std::rc::Rc;

use farebox_core::encoding::json;
use farebox_core::gate::Gate;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::alarm::sweep_channels;
use farebox_core::gate::cors::AnswerReader;
use farebox_core::gate::limit::UNKNOWN;
use farebox_core::gate::presented::shows_proof;
use farebox_core::gate::pricer::{self, PriceCall};
use farebox_core::gate::receipts::ReceiptStep;
use farebox_core::gate::reply::{Audience, Body, CORRELATION, Reply};
use farebox_core::gate::request::correlation_id;
use farebox_core::gate::unpaid::Unpaid;
use farebox_core::http::{Headers, RequestHead, ResponseHead};
use farebox_core::problem::Code;
use farebox_core::secret::path_shown;
use farebox_core::x402::extension::diagnostic::SCHEMA;
use futures_util::future::join_all;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

use self::resolve::Resolved;
use crate::platform::guard::contain_panics;
use crate::platform::{fresh_id, now};

/// Reads the configuration, with the stored route table if there is one; returns
/// `Gate::edge_rules`, or `None` if it is wrong.
#[wasm_bindgen]
#[must_use]
pub fn configure(vars: &str, table: Option<String>) -> Option<String> {
    contain_panics();
    config::configure(vars, table.as_deref())
}

/// Configures like [`configure`] before there is a request; what is wrong is neither kept nor said.
///
/// Runs what the first answer with terms will run, so that an engine compiles it while it has time.
#[wasm_bindgen]
#[must_use]
pub fn prepare(vars: &str) -> Option<String> {
    contain_panics();
    let facts = config::prepare(vars)?;
    if let Some(reply) = config::gate()?.standings().rehearse(now()) {
        let asked = LoggedRequest {
            correlation: String::new(),
            method: String::new(),
            path: String::new(),
        };
        drop((asked.line(&reply, "", ""), edge::render(&reply)));
    }
    Some(facts)
}

/// Configures like [`configure`], for objects and for [`sweep`].
#[wasm_bindgen(js_name = configureObjects)]
#[must_use]
pub fn configure_objects(vars: &str) -> Option<String> {
    contain_panics();
    config::configure_objects(vars)
}

/// Answers one request: a `Response`, or a promise of one.
///
/// `head` is method, URL, `body` or an empty line, and one line per header field.
#[wasm_bindgen]
#[must_use]
pub fn handle(head: &str, request: JsValue, bindings: &JsValue, context: JsValue) -> JsValue {
    contain_panics();
    let bindings = Bindings::of(bindings);
    let Some(head) = RequestHead::from_text(head) else {
        return edge::render(&Reply::problem(Code::Internal, Audience::Other, &fresh_id(), None));
    };
    let gate = config::gate();
    let page = gate.as_ref().and_then(|gate| match gate.reader(&head) {
        AnswerReader::Any => None,
        AnswerReader::Trusted(page) => Some(Some(page.to_owned())),
        AnswerReader::Stranger => Some(None),
    });
    let answer = answer(gate, head, request, bindings, context);
    match page {
        Some(page) => edge::for_page(answer, page.as_deref()),
        None => answer,
    }
}

fn answer(
    gate: Option<Rc<Gate>>,
    head: RequestHead,
    request: JsValue,
    bindings: Bindings,
    context: JsValue,
) -> JsValue {
    let (ledger, channels) = (bindings.ledger.clone(), bindings.channel.clone());
    let fresh = fresh_id();
    if let Some(gate) = &gate
        && let correlation = correlation_id(&head.headers, &fresh)
        && let Some(asked) = gate.receipts().begin(&head, correlation)
    {
        return receipt(gate.clone(), asked, bindings);
    }
    if let Some(gate) = &gate
        && let correlation = correlation_id(&head.headers, &fresh)
        && let Some(answer) =
            operator::answer(gate, &head, correlation, &request, &ledger, &channels, &context)
    {
        return answer;
    }
    if let Some(answer) = reserved(&head, gate.as_ref(), &fresh, &context) {
        return answer;
    }
    let Some(gate) = gate else {
        let correlation = correlation_id(&head.headers, &fresh);
        return edge::render(&Reply::problem(
            Code::NotConfigured,
            Audience::Other,
            correlation,
            None,
        ));
    };
    if shows_proof(&head.headers) {
        return drive::begin(gate, head, fresh, request, bindings, &context);
    }
    let asked = LoggedRequest::new(&head, correlation_id(&head.headers, &fresh));
    let admission = match attempts::admit(&gate, head, &fresh).0 {
        Admission::Respond(reply) => return refuse(&gate, &reply, &asked, &ledger, &context),
        admission => admission.unpaid(),
    };
    match admission {
        Some(admission) => {
            edge::promise(unpaid(gate, admission, asked, request, bindings, context))
        }
        // A payment always comes with a proof, so this cannot happen.
        None => broken(&fresh),
    }
}

/// Answers a request without a proof, once everything is known that the answer depends on.
async fn unpaid(
    gate: Rc<Gate>,
    admission: Admission<'static>,
    asked: LoggedRequest,
    request: JsValue,
    bindings: Bindings,
    context: JsValue,
) -> JsValue {
    match resolve::resolve(&gate, admission, &request, &bindings, &mut None).await {
        Resolved::Respond(reply) => refuse(&gate, &reply, &asked, &bindings.ledger, &context),
        Resolved::Pass(call, passing) => {
            let body = edge::request_body(&request);
            let response = origin::pass(&gate, call, &passing, &body, &bindings.origin).await;
            asked.log_free(&passing, &response);
            response
        }
        Resolved::Pay(_) | Resolved::Session(_) => broken(&fresh_id()),
    }
}

/// Answers a request without a proof, and counts that.
fn refuse(
    gate: &Rc<Gate>,
    reply: &Reply,
    asked: &LoggedRequest,
    ledger: &JsValue,
    context: &JsValue,
) -> JsValue {
    asked.log_unpaid(reply, context);
    if let Some(route) = &reply.route {
        if gate.has_operator() {
            meters::answered(reply, route);
        }
        handover::begin(gate, ledger, context);
    }
    edge::render(reply)
}

fn broken(correlation: &str) -> JsValue {
    edge::render(&Reply::problem(Code::Internal, Audience::Other, correlation, None))
}

/// Objects that the platform binds to the Worker, besides its variables.
struct Bindings {
    /// The namespace of ledger objects.
    ledger: JsValue,
    /// The namespace of channels, and undefined in it if there is none.
    channel: JsValue,
    /// The rate limit, or undefined.
    limiter: JsValue,
    /// The Worker that is the origin, or undefined.
    origin: JsValue,
    /// The whole environment, where a binding is found by its name.
    services: JsValue,
}

impl Bindings {
    fn of(bindings: &JsValue) -> Self {
        let bindings: &edge::Parts = bindings.unchecked_ref();
        Self {
            ledger: bindings.ledger(),
            channel: bindings.channel(),
            limiter: bindings.limiter(),
            origin: bindings.origin(),
            services: bindings.services(),
        }
    }

    /// The pricer's answer; `None` if it does not come in time.
    async fn price(&self, call: &PriceCall) -> Option<String> {
        let (ms, bytes) = (pricer::DEADLINE_MS, pricer::MAX_ANSWER_BYTES as u32);
        let asked = edge::ask_price(&self.services, &call.binding, &call.body, ms, bytes);
        let answer = edge::settled(asked).await.and_then(|text| text.as_string());
        if answer.is_none() {
            edge::complain(&format!(
                "farebox: {} returned no price; the request was answered 503",
                call.binding
            ));
        }
        answer
    }

    /// Whether one more payment of these clients is within the operator's rate limit. One for all of the operator's own Workers
    /// would let one agent of a treasury stop the others.
    async fn allows(&self, client: &str) -> bool {
        self.limiter.is_undefined()
            || client == UNKNOWN
            || edge::settled(edge::within_limit(&self.limiter, client))
                .await
                .is_some_and(|allowed| allowed.is_truthy())
    }
}

/// Wakes ledger objects and channels, so that one that lost its alarm goes on; resolves to the number
/// that did not answer.
#[wasm_bindgen]
#[must_use]
pub fn sweep(ledger: JsValue, channels: JsValue) -> JsValue {
    edge::promise(async move {
        let calls = config::for_objects().map(|gate| gate.sweep(now())).unwrap_or_default();
        let mut silent = 0;
        for four in calls.chunks(4) {
            let answers = join_all(four.iter().map(|call| operator::ask(&ledger, call))).await;
            silent += answers.iter().filter(|answer| answer.is_none()).count();
        }
        if silent > 0 {
            edge::complain(&format!("farebox: {silent} ledger objects did not answer the sweep"));
        }
        let unheard = operator::wake_channels(&channels, sweep_channels(now())).await;
        if unheard > 0 {
            edge::complain(&format!("farebox: {unheard} channels did not answer the sweep"));
        }
        JsValue::from((silent + unheard) as u32)
    })
}

/// The answer when the work on a request was lost: `internal`, or `lost` at a free origin.
#[wasm_bindgen]
#[must_use]
pub fn fail(head: &str, why: &str) -> JsValue {
    let fresh = fresh_id();
    let head = RequestHead::from_text(head);
    let correlation =
        head.as_ref().map_or(fresh.as_str(), |head| correlation_id(&head.headers, &fresh));
    let code = match why {
        "lost" => Code::UnpaidOriginFailed,
        _ => {
            edge::complain(&format!("farebox: the work on the request {correlation} was lost"));
            Code::Internal
        }
    };
    edge::render(&Reply::problem(code, Audience::Other, correlation, None))
}

/// Finishes a free origin's response that carries fields of the gate.
#[wasm_bindgen]
#[must_use]
pub fn finish(response: JsValue, correlation: &str) -> JsValue {
    let head = ResponseHead::from_text(&edge::head_of(&response));
    match (config::gate(), head) {
        (Some(gate), Some(mut head)) => {
            Unpaid::free(correlation.to_owned()).finish(&mut head, gate.origin());
            let reply = Reply::new(head, Body::Held);
            edge::render_with(&reply, &edge::body_of(&response))
        }
        _ => edge::render(&Reply::problem(Code::Internal, Audience::Other, correlation, None)),
    }
}

/// Answers a request for a receipt.
fn receipt(gate: Rc<Gate>, asked: ReceiptStep, bindings: Bindings) -> JsValue {
    match asked {
        ReceiptStep::Answer(reply) => edge::render(&reply),
        ReceiptStep::Find(calls, inquiry) => edge::promise(async move {
            if !bindings.allows(inquiry.network()).await {
                return edge::render(&inquiry.limited());
            }
            let ledger = &bindings.ledger;
            let mut answers = Vec::with_capacity(calls.len());
            for four in calls.chunks(4) {
                answers.extend(join_all(four.iter().map(|call| ledger::read(ledger, call))).await);
            }
            edge::render(&gate.receipts().answer(&inquiry, answers, now()))
        }),
    }
}

/// Answers paths of the gate itself.
fn reserved(
    head: &RequestHead,
    gate: Option<&Rc<Gate>>,
    fresh: &str,
    context: &JsValue,
) -> Option<JsValue> {
    let path = head.target().split('?').next()?;
    let rest = path.strip_prefix("/_farebox")?;
    if !(rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    let correlation = correlation_id(&head.headers, fresh);
    let json = "application/json";
    let reply = match (rest, gate) {
        ("/health", Some(gate)) => {
            let (gate, context, correlation) =
                (gate.clone(), context.clone(), correlation.to_owned());
            return Some(edge::promise(async move {
                let body = supported::health(gate, context).await;
                edge::render(&open_reply(200, json, body, &correlation))
            }));
        }
        ("/health", None) => open_reply(503, json, r#"{"ok":false}"#.to_owned(), correlation),
        ("/schemas/diagnostic.json", _) => {
            open_reply(200, "application/schema+json", SCHEMA.to_owned(), correlation)
        }
        _ => Reply::problem(Code::NotFound, Audience::Other, correlation, None),
    };
    Some(edge::render(&reply))
}

/// An answer that any page may read.
fn open_reply(status: u16, kind: &str, body: String, correlation: &str) -> Reply {
    let mut headers = Headers::new();
    headers.add("content-type", kind);
    headers.add("cache-control", "no-store");
    headers.add("access-control-allow-origin", "*");
    headers.add(CORRELATION, correlation);
    Reply::new(ResponseHead { status, headers }, Body::Text(body))
}

/// The log's members about a request.
struct LoggedRequest {
    correlation: String,
    method: String,
    path: String,
}

impl LoggedRequest {
    fn new(head: &RequestHead, correlation: &str) -> Self {
        let (correlation, method) = (correlation.to_owned(), head.method.clone());
        Self { correlation, method, path: path_shown(head.target()) }
    }

    /// The line about its answer; `more` are further members, each after a comma.
    fn line(&self, reply: &Reply, route: &str, more: &str) -> String {
        let line = farebox_core::json!({
            "at": now().rfc3339(),
            "correlation_id": self.correlation,
            "method": self.method,
            "path": self.path,
            "route": route,
            "status": reply.head.status,
            "outcome": reply.outcome(),
            "code": reply.code.map(|code| code.name()),
            "diagnosis": reply.marks.diagnosed.map(|code| code.name()),
        });
        let mut line = json::text(&line);
        line.truncate(line.len() - 1);
        line + more + "}"
    }

    /// Logs a request of a priced route that came without a proof, unless the client repeats
    /// itself. The lines of a second are written together: nothing has begun that they could be too
    /// late for.
    fn log_unpaid(&self, reply: &Reply, context: &JsValue) {
        if let Some(route) = reply.route.as_deref().filter(|_| !reply.marks.repeats) {
            edge::log_unpaid(&self.line(reply, route, ""), context);
        }
    }

    /// Logs a request of a priced route that was free this time.
    fn log_free(&self, passing: &Unpaid, response: &JsValue) {
        if let Some(route) = passing.route() {
            let status = edge::member(response, "status").as_f64().unwrap_or(0.0) as u16;
            let head = ResponseHead { status, headers: Headers::new() };
            edge::log(&self.line(&Reply::new(head, Body::Empty), route, ""));
        }
    }
}
