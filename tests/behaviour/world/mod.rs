//! The core's whole environment, in memory, with faults on demand: [`payer`], [`ledger`],
//! [`facilitator`], [`origin`], a clock, [`messages`], and the loop that carries out each step
//! exactly as an edge must.

mod admission;
pub mod alarm;
pub mod chain;
pub mod facilitator;
pub mod ledger;
mod messages;
pub mod mpp;
pub mod origin;
pub mod payer;
mod places;
pub mod schema;
pub mod solana;
pub mod transfers;
pub mod treasury;

use std::collections::VecDeque;

use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::facilitator::breaker::{Breaker, Condition, Operation, SettlementHealth};
use farebox_core::facilitator::funds::LowBalances;
use farebox_core::facilitator::payers::PayerHistory;
use farebox_core::facilitator::reply::FacilitatorReply;
use farebox_core::facilitator::unproven::UnverifiedLimiter;
use farebox_core::gate::Gate;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::{Attempts, ClientKey};
use farebox_core::gate::call::{FacilitatorCall, LedgerCall};
use farebox_core::gate::isolate::Isolate;
use farebox_core::gate::paid::{MAX_DIGESTED_BYTES, Step};
use farebox_core::gate::paid::{StreamEnd, Streaming, Waiting};
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::http::RequestHead;
use farebox_core::ledger::{Answer, Entry};
use farebox_core::payment::PaymentKey;
use farebox_core::problem::Code;
use farebox_core::time::UnixTime;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use facilitator::{Facilitator, Settle};
use ledger::{Heard, Ledger};
pub use messages::{Response, With, decoded, get, nonce_in, paid, request};
use origin::{Held, Origin};
use payer::{Payer, Payment};
use places::Turn;
use treasury::Treasury;

/// URL of the gate.
pub const HOST: &str = "https://shop.example";
/// The chain of all routes.
pub const CHAIN: u64 = 84_532;
/// Time at which the world begins, unix seconds.
pub const BEGIN: u64 = 1_800_000_000;
/// Recipient of all routes.
pub const PAY_TO: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

/// Variables of a gate with these routes.
pub fn vars(routes: Value) -> Value {
    json!({
        "ORIGIN_URL": "http://127.0.0.1:9000/base",
        "PAY_TO": PAY_TO,
        "NETWORK": "eip155:84532",
        "FACILITATOR_URL": "http://127.0.0.1:9001/x402/",
        "ROUTES": routes,
        "GATE_SECRET": "canary-gate-secret-0123456789abcdef",
        "LEDGER_SALT": "canary-ledger-salt",
    })
}

/// One route per mode, and others that tests need.
pub fn routes() -> Value {
    json!([
        {"path": "/after", "price": "$0.01"},
        {"path": "/after/other", "price": "$0.01"},
        {"path": "/before", "price": "$0.01", "settle": "before"},
        {"path": "/before/other", "price": "$0.01", "settle": "before"},
        {"path": "/unstored", "price": "$0.01", "store": false},
        {"path": "/moves", "price": "$0.01", "redirects": true},
        {"path": "/again", "price": "$0.01", "idempotent": true},
        {"path": "/dear", "price": "$1.00"},
        {"path": "/items/[id]", "price": "$0.01", "methods": ["GET", "POST"]},
        {"path": "/quick", "price": "$0.01", "origin_timeout_secs": 5},
    ])
}

/// The world.
#[derive(Clone)]
pub struct World {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// The gate under test.
    pub gate: &'static Gate,
    /// The ledger object.
    pub ledger: Ledger,
    /// The facilitator and its chain.
    pub facilitator: Facilitator,
    /// The origin.
    pub origin: Origin,
    /// The treasury that pays debts back.
    pub treasury: Treasury,
    /// The default payer.
    pub payer: Payer,
    /// Health of the facilitator's settlements, as seen by the isolate.
    pub health: SettlementHealth,
    /// Its failures in a row.
    pub consecutive_failures: u64,
    /// A breaker of its own, which then says both instead.
    pub breaker: Option<Breaker>,
    /// What the isolate has seen of payers.
    pub payers: PayerHistory,
    /// Failure streaks known to the isolate.
    pub attempts: Attempts,
    /// Answers of the pricing Worker; the last one stays, and without any it is silent.
    pub prices: VecDeque<String>,
    /// Requests to it.
    pub priced: Vec<Value>,
    /// The isolate's memory of wallets; without it each request reaches a new isolate.
    pub empties: Option<LowBalances>,
    /// Its calls about unproven payments; without it each begins at once.
    pub unproven: Option<UnverifiedLimiter>,
    /// Whether the next of those calls hang until they are released.
    pub is_slow: bool,
    fresh: u64,
}

/// A request on its way through the gate.
#[derive(Clone)]
pub struct Running {
    /// Key under which the client is counted.
    client: Option<ClientKey>,
    admission: Option<Admission<'static>>,
    step: Option<Step<'static>>,
    held: Option<Held>,
    body: Vec<u8>,
    method: String,
    /// The response so far.
    pub response: Option<Response>,
    stream: Option<(Streaming<'static>, StreamEnd)>,
    /// Whether its next call about an unproven payment already has its place.
    is_placed: bool,
}

impl Running {
    /// The command of the next claim, if the next step is one.
    pub fn claims(&self) -> Option<&str> {
        match &self.step {
            Some(Step::Claim(call, _)) => Some(&call.command),
            Some(Step::Resume(call, _)) => Some(&call.command),
            Some(Step::Look(call, _)) => Some(&call.command),
            _ => None,
        }
    }
}

impl World {
    /// A world with [`routes`].
    pub fn new() -> Self {
        Self::with(vars(routes()))
    }

    /// As [`World::new`], with a readable chain and routes whose settlements it confirms.
    pub fn with_chain() -> Self {
        Self::with(Self::chain_vars())
    }

    /// The variables of [`World::with_chain`].
    pub fn chain_vars() -> Value {
        let mut routes = routes();
        for settle in ["after", "before"] {
            for other in ["", "/other"] {
                routes.as_array_mut().unwrap().push(json!({
                    "path": format!("/sure/{settle}{other}"), "price": "$0.01", "settle": settle,
                    "confirm": "chain",
                }));
            }
        }
        let mut vars = vars(routes);
        vars["RPC_URL"] = json!("http://127.0.0.1:9002/");
        vars
    }

    /// A world with these variables.
    pub fn with(vars: Value) -> Self {
        let gate = Gate::from_vars(&vars.to_string()).unwrap();
        Self::around(Box::leak(Box::new(gate)))
    }

    /// A world around an existing gate.
    pub fn around(gate: &'static Gate) -> Self {
        Self {
            now_ms: BEGIN * 1000,
            gate,
            ledger: Ledger::new(gate.plan().clone()),
            facilitator: Facilitator::new(),
            origin: Origin::default(),
            treasury: Treasury::default(),
            payer: Payer::new(1),
            health: SettlementHealth::Good,
            consecutive_failures: 0,
            breaker: None,
            payers: PayerHistory::new(),
            attempts: Attempts::new(),
            prices: VecDeque::new(),
            priced: Vec::new(),
            empties: None,
            unproven: None,
            is_slow: false,
            fresh: 0,
        }
    }

    /// The present.
    pub fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.now_ms / 1000)
    }

    /// Lets time pass.
    pub fn wait(&mut self, secs: u64) {
        self.set_ms(self.now_ms + secs * 1000);
    }

    /// Sets the clock.
    pub fn set_ms(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.facilitator.chain.now = now_ms / 1000;
    }

    /// The nonce of the authorization that now pays for the same request as this one of the first
    /// payer: another one if it was signed again.
    pub fn stands_for(&self, nonce: &str) -> String {
        match self.ledger.aliases().get(&self.key_of(nonce)) {
            Some(original) => nonce_in(&self.ledger.entry(original).unwrap().payment.request),
            None => nonce.to_owned(),
        }
    }

    /// The key of an authorization of the first payer.
    fn key_of(&self, nonce: &str) -> String {
        let asset = Address::parse(chain::ASSET).unwrap();
        let bytes = hex::decode_array(nonce).unwrap();
        PaymentKey::of_authorization(CHAIN, &asset, &self.payer.address, &bytes).to_hex()
    }

    /// The row of an authorization of the first payer.
    pub fn row_of(&self, nonce: &str) -> Entry {
        self.find_row(nonce).unwrap()
    }

    /// As [`World::row_of`], if there is one.
    pub fn find_row(&self, nonce: &str) -> Option<Entry> {
        self.ledger.entry(&self.key_of(nonce))
    }

    /// One request to the chain's node.
    fn read_chain(&mut self, body: &str) -> Option<String> {
        self.facilitator.chain.now = self.now_ms / 1000;
        self.facilitator.chain.answer(body)
    }

    /// A GET without payment.
    pub fn ask(&mut self, target: &str) -> Response {
        self.send(get(target))
    }

    /// A payment for this target, signed for the terms of its 402.
    pub fn sign(&mut self, target: &str) -> Payment {
        let required = self.ask(target).payment_required();
        let now = self.now().secs();
        self.payer.sign(&required, now)
    }

    /// As [`World::sign`], with the `payment-identifier` of the client.
    pub fn sign_as(&mut self, target: &str, id: &str) -> Payment {
        let required = self.ask(target).payment_required();
        let now = self.now().secs();
        self.payer.sign_with(&required, now, |message| {
            message["extensions"] = json!({"payment-identifier": {"info": {"id": id}}});
        })
    }

    /// Signs and sends.
    pub fn pay(&mut self, target: &str) -> Response {
        let payment = self.sign(target);
        self.present(&payment)
    }

    /// Signs and sends, from this network.
    pub fn pay_from(&mut self, target: &str, network: &str) -> Response {
        let payment = self.sign(target);
        self.send(paid(&payment).header("cf-connecting-ip", network))
    }

    /// Sends a payment to its target.
    pub fn present(&mut self, payment: &Payment) -> Response {
        self.send(paid(payment))
    }

    /// A payment with a payer's signature that they want the answer again.
    pub fn again(&self, payment: &Payment, payer: &Payer) -> RequestHead {
        let url = format!("{HOST}{}", payment.target);
        let statement = payer.redelivery(payment, "GET", &url, self.now().secs());
        paid(payment).header("farebox-redelivery", &statement)
    }

    /// Sends a request and lets it run to its end.
    pub fn send(&mut self, head: RequestHead) -> Response {
        self.send_body(head, b"")
    }

    /// As [`World::send`], with a body.
    pub fn send_body(&mut self, head: RequestHead, body: &[u8]) -> Response {
        let mut running = self.start(head, body);
        while self.advance(&mut running) {}
        running.response.unwrap()
    }

    /// The isolate's memory.
    fn isolate(&mut self) -> Isolate<'_> {
        let (health, consecutive_failures) = (self.health, self.consecutive_failures);
        let stated = Condition { health, consecutive_failures, ready: true };
        let now = self.now();
        Isolate {
            facilitators: vec![
                self.breaker.as_ref().map_or(stated, |breaker| breaker.condition(now)),
            ],
            payers: &self.payers,
            attempts: &mut self.attempts,
            client: None,
        }
    }

    /// Begins a request.
    pub fn start(&mut self, head: RequestHead, body: &[u8]) -> Running {
        self.fresh += 1;
        let fresh = format!("correlation-{}", self.fresh);
        let method = head.method.clone();
        let now = self.now();
        let gate = self.gate;
        let mut around = self.isolate();
        let (admission, step) = match gate.admit(head, &fresh, &mut around, now) {
            Admission::Pay(step) => (None, Some(step)),
            other => (Some(other), None),
        };
        Running {
            client: around.client,
            admission,
            step,
            held: None,
            body: body.to_vec(),
            method,
            response: None,
            stream: None,
            is_placed: false,
        }
    }

    /// Gives a sign of life of a stream.
    pub fn flows(&mut self, running: &Running) {
        let (streaming, _) = running.stream.as_ref().unwrap();
        self.tell::<Answer>(&streaming.flowing(), None);
    }

    /// Carries out one step; false if none is left.
    pub fn advance(&mut self, running: &mut Running) -> bool {
        if let Some((streaming, end)) = running.stream.take() {
            self.tell::<Answer>(&streaming.ended(end), None);
            return false;
        }
        if let Some(admission) = running.admission.take() {
            self.resolve(running, admission);
            return running.admission.is_some() || running.step.is_some();
        }
        let Some(step) = running.step.take() else {
            return false;
        };
        running.step = match step {
            Step::Pass(call, passing) => {
                self.forward_unpaid(running, call, &passing);
                None
            }
            Step::Digest(next) => {
                let short = running.body.len() <= MAX_DIGESTED_BYTES;
                let digest = hex::encode(&Sha256::digest(&running.body));
                Some(next.answered(short.then_some(digest)))
            }
            Step::Claim(call, next) => {
                let known = self.empties.as_ref().zip(next.draft());
                let known = known.and_then(|(empties, draft)| empties.recall(&draft, self.now()));
                if let Some(FacilitatorReply::CachedRefusal(reason)) = known {
                    running.step = Some(next.recalled(&reason));
                    return true;
                }
                let next = match &call.block_query {
                    Some(question) => {
                        next.saw(self.read_chain(&question.body).as_deref().map(str::as_bytes))
                    }
                    None => next,
                };
                let reply = self.tell(&call, None);
                running.hold(reply.body);
                Some(next.answered(reply.answer, self.now()))
            }
            Step::Resume(call, next) => {
                let next = match &call.block_query {
                    Some(question) => {
                        next.saw(self.read_chain(&question.body).as_deref().map(str::as_bytes))
                    }
                    None => next,
                };
                let reply = self.tell(&call, None);
                running.hold(reply.body);
                Some(next.answered(reply.answer, self.now()))
            }
            Step::Take(call, next) => {
                Some(next.answered(self.ledger.take(&call.object, &call.command)))
            }
            Step::Look(call, next) => {
                let next = match &call.block_query {
                    Some(question) => {
                        next.saw(self.read_chain(&question.body).as_deref().map(str::as_bytes))
                    }
                    None => next,
                };
                let reply = self.tell(&call, None);
                Some(next.answered(reply.answer, self.now()))
            }
            Step::Read(mut call, next) => {
                self.now_ms += u64::from(std::mem::take(&mut call.delay_ms));
                match self.place(running, call.unproven.as_ref()) {
                    Turn::Waits => {
                        running.step = Some(Step::Read(call, next));
                        return false;
                    }
                    Turn::Refused => Some(next.limited()),
                    Turn::Comes => {
                        let reply = self.read_chain(&call.body);
                        let then = next.answered(reply.as_deref().map(str::as_bytes), self.now());
                        self.ended(call.unproven.as_ref(), &then);
                        Some(then)
                    }
                }
            }
            Step::Verify(call, next) => match self.place(running, call.unproven.as_ref()) {
                Turn::Waits => {
                    running.step = Some(Step::Verify(call, next));
                    return false;
                }
                Turn::Refused => Some(next.limited()),
                Turn::Comes => {
                    let (reply, _) = self.ask_facilitator(&call);
                    let then = next.answered(&reply, self.now());
                    self.ended(call.unproven.as_ref(), &then);
                    Some(then)
                }
            },
            Step::Forward(call, next) => {
                let (reply, held) = self.origin.call(call);
                running.held = held;
                Some(next.answered(reply, self.now()))
            }
            Step::Collect(limits, next) => {
                let collected = running.held.as_ref().unwrap().collect(limits);
                Some(next.answered(collected))
            }
            Step::Settle(call, next) => {
                let spared = self.facilitator.settle_plan.front() == Some(&Settle::Spared);
                assert!(call.guarded || !spared, "this call may not be left undone");
                self.now_ms += u64::from(call.delay_ms);
                let (reply, took) = self.ask_facilitator(&call);
                self.now_ms += u64::from(took);
                let waited = call.delay_ms + took;
                let mut waiting = Waiting::Yes;
                if let Some((_, client_deadline)) =
                    call.client_deadline.filter(|(patience, _)| waited > *patience)
                {
                    running.answer(client_deadline);
                    waiting = Waiting::No;
                }
                Some(next.answered(&reply, waiting))
            }
            Step::Record(call, next) => {
                let body = running.held.as_ref().map(|held| held.bytes.clone());
                let reply = self.tell(&call, body.as_deref());
                running.hold(reply.body);
                Some(next.answered(reply.answer, self.now()))
            }
            Step::Stream(reply, streaming) => {
                let promised = Streaming::promised_bytes(&reply, &running.method);
                let end = running.held.as_ref().unwrap().stream(promised);
                running.answer(reply);
                if let Some(response) = &mut running.response {
                    response.stream = Some(end);
                }
                running.stream = Some((streaming, end));
                return true;
            }
            Step::Leave(reply, call) => {
                self.respond(running, reply);
                self.tell::<Answer>(&call, None);
                None
            }
            Step::Respond(reply) => {
                self.respond(running, reply);
                None
            }
        };
        running.step.is_some()
    }

    /// The reply, and the milliseconds it took.
    fn ask_facilitator(&mut self, call: &FacilitatorCall) -> (FacilitatorReply, u32) {
        let now = self.now();
        let known = self.empties.as_ref().zip(call.draft.as_ref());
        if let Some(reply) = known.and_then(|(empties, draft)| empties.recall(draft, now)) {
            return (reply, 0);
        }
        let every = self.gate.breaker_secs();
        let breaker = self.breaker.as_mut().filter(|_| call.guarded);
        if breaker.is_some_and(|breaker| !breaker.admits(&self.payers, &call.caller, now, every)) {
            return (FacilitatorReply::NotSent, 0);
        }
        let (reply, took) = self.facilitator.call(&call.url, &call.body, now.secs());
        self.consecutive_failures =
            if reply.is_trouble() { self.consecutive_failures + 1 } else { 0 };
        if let Some(breaker) = &mut self.breaker {
            let settles = call.url.ends_with("/settle");
            let operation = if settles { Operation::Settle } else { Operation::Verify };
            breaker.note(&mut self.payers, &call.caller, operation, &reply, now, every);
        }
        if let Some((empties, draft)) = self.empties.as_mut().zip(call.draft.as_ref()) {
            empties.note(draft, &reply, now);
        }
        (reply, took)
    }

    fn tell<A: DeserializeOwned>(&mut self, call: &LedgerCall, body: Option<&[u8]>) -> Heard<A> {
        self.now_ms += u64::from(call.delay_ms);
        let body = body.filter(|_| call.with_body);
        self.ledger.call(&call.object, &call.command, body, self.now())
    }
}

impl Running {
    /// Answers the client, unless it already has an answer.
    fn answer(&mut self, reply: Reply) {
        if self.response.is_some() {
            return;
        }
        let body = match reply.body {
            Body::Empty => Vec::new(),
            Body::Text(text) => text.into_bytes(),
            Body::Held => self.held.as_ref().unwrap().bytes.clone(),
        };
        let plain = reply.code == Some(Code::PaymentRequired) && reply.marks.diagnosed.is_none();
        let html = reply.head.headers.get("content-type").is_some_and(|it| it.contains("html"));
        // Bodiless terms are by far the most frequent, and the vectors cover them.
        if reply.head.status >= 400 && !plain && !html {
            schema::check(&reply.head.headers, &body);
        }
        self.response = Some(Response {
            status: reply.head.status,
            headers: reply.head.headers,
            body,
            code: reply.code,
            stream: None,
        });
    }

    fn hold(&mut self, stored: Option<Vec<u8>>) {
        if let Some(bytes) = stored {
            let fate = origin::Fate::Complete;
            self.held = Some(Held { bytes, fate });
        }
    }

    /// The name of the next step.
    pub fn next(&self) -> &'static str {
        match &self.admission {
            Some(Admission::Pass(..)) => return "pass",
            Some(Admission::UseFree(..)) => return "spend",
            Some(Admission::Price(..)) => return "price",
            Some(Admission::DigestBody(..)) => return "bind",
            Some(Admission::Respond(..)) => return "respond",
            Some(Admission::Publish(..)) => return "publish",
            Some(Admission::Session(..)) => return "session",
            Some(Admission::Pay(..)) | None => {}
        }
        match &self.step {
            None => "none",
            Some(Step::Pass(..)) => "pass",
            Some(Step::Digest(..)) => "digest",
            Some(Step::Claim(..)) => "claim",
            Some(Step::Resume(..)) => "resume",
            Some(Step::Look(..)) => "look",
            Some(Step::Take(..)) => "take",
            Some(Step::Verify(..)) => "verify",
            Some(Step::Forward(..)) => "forward",
            Some(Step::Collect(..)) => "collect",
            Some(Step::Settle(..)) => "settle",
            Some(Step::Read(..)) => "read",
            Some(Step::Record(..)) => "record",
            Some(Step::Stream(..)) => "stream",
            Some(Step::Leave(..)) => "leave",
            Some(Step::Respond(..)) => "respond",
        }
    }
}
