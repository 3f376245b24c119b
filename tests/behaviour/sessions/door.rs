//! A gate that sells by session, with its objects, an origin, a payer, and machines that may die between any two steps.

mod alarm;

use std::collections::{BTreeMap, BTreeSet};

use farebox_core::channel::claims::ClaimQueue;
use farebox_core::channel::config::{ChannelId, deposit_nonce};
use farebox_core::channel::desk::{ChannelDesk, Write};
use farebox_core::channel::payee::call::QueuedCall;
use farebox_core::channel::voucher::Voucher;
use farebox_core::encoding::{base64, hex, json as text};
use farebox_core::evm::account::Account;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::Domain;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::facilitator::breaker::{Condition, SettlementHealth};
use farebox_core::facilitator::payers::PayerHistory;
use farebox_core::facilitator::unproven::queue::{Admittance, CallResult};
use farebox_core::facilitator::unproven::{ChannelAccess, UnverifiedCaller, UnverifiedLimiter};
use farebox_core::gate::Gate;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::Attempts;
use farebox_core::gate::isolate::Isolate;
use farebox_core::gate::paid::{Collected, OriginReply};
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::gate::session::flow::FlowLimits;
use farebox_core::gate::session::step::{SessionRequest, SessionStep};
use farebox_core::http::{BodyPresence, RequestHead, ResponseHead};
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::chain::{Escrowed, config, contract, units};
use super::node::ChannelNode;
use crate::world::{BEGIN, CHAIN, With, decoded, get, request, vars};

pub const PRICE: u64 = 10_000;
pub const DELAY: u64 = 900;
const COLLECTOR: &str = "0x4020806089470a89826cB9fB1f4059150b550004";
const ASSET: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";

/// An answer to a client.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: ResponseHead,
    pub body: String,
}

impl Answer {
    /// The `error` of its terms.
    pub fn error(&self) -> String {
        self.terms()["error"].as_str().unwrap().replace("invalid_batch_settlement_evm_", "")
    }

    pub fn terms(&self) -> Value {
        decoded(self.head.headers.get("payment-required").unwrap())
    }

    pub fn settlement(&self) -> Value {
        decoded(self.head.headers.get("payment-response").unwrap())
    }
}

/// A row, and the body beside it.
#[derive(Clone, Debug)]
struct Row {
    state: String,
    terms: String,
    kept: Option<String>,
    body: Option<String>,
}

/// What the origin does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginManner {
    Serves,
    Streams,
    Fails,
    Breaks,
    Asks,
    Moves,
}

pub struct Door {
    pub gate: &'static Gate,
    pub now: u64,
    pub chain: Escrowed,
    pub node: ChannelNode,
    rows: BTreeMap<String, Row>,
    desks: BTreeMap<String, ChannelDesk>,
    /// The row of what the payee's account sends.
    queue: String,
    /// Claims that gather, by the object that sends them.
    claims: BTreeMap<String, ClaimQueue>,
    pub origin: OriginManner,
    /// What the origin says that its next answers cost: units, and atomic units by the route.
    pub counted: (Option<&'static str>, u64),
    /// What each of its answers costs.
    costs: BTreeMap<String, u64>,
    /// Requests that the origin has served.
    pub served: u64,
    /// What it was told of each: payer, payment and key.
    pub told: Vec<[String; 3]>,
    /// Answers that were delivered: the payment of each, and its body.
    pub delivered: Vec<(String, String)>,
    /// The highest voucher that the payer has signed.
    pub signed: u64,
    /// What the gate remembers of who has paid.
    pub payers: PayerHistory,
    pub writes: u64,
    /// Objects of channels that were asked for a client.
    pub objects: BTreeSet<String>,
    /// What limits calls about what is not proven.
    pub limits: Option<UnverifiedLimiter>,
    /// Answers of objects about charges that are lost on their way.
    pub lost: u64,
    /// Whether the object restarts then, from a row without its last line.
    pub forgets: bool,
    /// Requests that came.
    came: u64,
    /// Whether there is no randomness to name them by.
    pub nameless: bool,
    /// Answers that flow: what comes of them next, and how they are framed.
    pub flows: Vec<(FlowLimits, Box<SessionRequest<'static>>)>,
    steps: u64,
    dies_at: Option<u64>,
}

/// A request that stopped at the origin.
pub struct Serving<'g>(SessionStep<'g>);

pub fn account(byte: u8) -> Account {
    Account::from_candidates([Secret::new([byte; 32])].into_iter()).unwrap()
}

pub fn routes() -> Value {
    json!([{"path": "/report/[id]", "price": "$0.01", "methods": ["GET", "POST"], "session_delay_secs": DELAY}])
}

pub fn bound(routes: Value) -> Value {
    let mut vars = vars(routes);
    vars["bindings"] = json!(["CHANNEL"]);
    vars
}

impl Door {
    pub fn new() -> Self {
        Self::with(&bound(routes()))
    }

    /// A door with these variables.
    pub fn with(vars: &Value) -> Self {
        let gate = Gate::from_vars(&vars.to_string()).unwrap();
        Self {
            gate: Box::leak(Box::new(gate)),
            now: BEGIN,
            chain: Escrowed::new(),
            node: ChannelNode::new(),
            rows: BTreeMap::new(),
            desks: BTreeMap::new(),
            queue: String::new(),
            claims: BTreeMap::new(),
            origin: OriginManner::Serves,
            counted: (None, PRICE),
            costs: BTreeMap::new(),
            served: 0,
            told: Vec::new(),
            delivered: Vec::new(),
            signed: 0,
            payers: PayerHistory::new(),
            writes: 0,
            objects: BTreeSet::new(),
            limits: None,
            lost: 0,
            forgets: false,
            came: 0,
            nameless: false,
            flows: Vec::new(),
            steps: 0,
            dies_at: None,
        }
    }

    pub fn time(&self) -> UnixTime {
        UnixTime::from_secs(self.now)
    }

    /// The terms of a session.
    pub fn terms(&mut self) -> Value {
        self.terms_of("/report/1")
    }

    /// The terms of a session for this page.
    pub fn terms_of(&mut self, page: &str) -> Value {
        let answer = self.send(get(page), "").unwrap();
        let terms = answer.terms();
        let found = terms["accepts"].as_array().unwrap().iter();
        let found = found.filter(|it| it["scheme"] == "batch-settlement").collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{terms}");
        found[0].clone()
    }

    /// A payment of this kind, whose voucher is for this amount.
    pub fn payment(&mut self, kind: &str, cumulative: u64) -> Value {
        self.signed = self.signed.max(cumulative);
        self.payment_of(5, kind, cumulative)
    }

    /// The same of the payer's channel with this salt.
    pub fn payment_of(&mut self, salt: u8, kind: &str, cumulative: u64) -> Value {
        let terms = self.terms();
        let (payer, authorizer) = (account(1), account(2));
        let members = json!({
            "payer": payer.address().to_checksum(), "payerAuthorizer": authorizer.address().to_checksum(),
            "receiver": terms["payTo"], "receiverAuthorizer": terms["extra"]["receiverAuthorizer"],
            "token": terms["asset"], "withdrawDelay": terms["extra"]["withdrawDelay"],
            "salt": hex::encode_prefixed(&[salt; 32]),
        });
        let channel = config(&members).id(&contract());
        let mut payload = json!({
            "type": kind, "channelConfig": members, "voucher": voucher(channel, cumulative, &authorizer),
        });
        if kind == "deposit" {
            payload["deposit"] = self.deposit(&channel, 10 * PRICE, 1);
        }
        json!({"x402Version": 2, "accepted": terms, "payload": payload})
    }

    /// A deposit of this much.
    pub fn deposit(&self, channel: &ChannelId, amount: u64, salt: u64) -> Value {
        let separator = Domain {
            name: "USDC",
            version: "2",
            chain_id: CHAIN,
            verifying_contract: Address::parse(ASSET).unwrap(),
        }
        .separator();
        let (after, before) = (UnixTime::from_secs(0), self.time().plus(300));
        let authorization = Authorization {
            from: account(1).address(),
            to: Address::parse(COLLECTOR).unwrap(),
            value: units(amount),
            valid_after: after,
            valid_before: before,
            nonce: deposit_nonce(channel, units(salt)),
        };
        let signature = account(1).sign(&authorization.receive_digest(&separator)).unwrap();
        json!({"amount": amount.to_string(), "authorization": {"erc3009Authorization": {
            "validAfter": "0", "validBefore": before.secs().to_string(), "salt": salt.to_string(),
            "signature": hex::encode_prefixed(&signature.to_bytes()),
        }}})
    }

    /// Pays for a page; none if the machine died.
    pub fn pay(&mut self, payment: &Value, page: &str) -> Option<Answer> {
        self.send(paid(payment, get(&format!("/report/{page}"))), "")
    }

    /// The same as [`Door::pay`], where the machine lives.
    pub fn buy(&mut self, payment: &Value, page: &str) -> Answer {
        self.pay(payment, page).unwrap()
    }

    /// Pays for a page at this path.
    pub fn buy_at(&mut self, path: &str, payment: &Value) -> Answer {
        self.send(paid(payment, get(path)), "").unwrap()
    }

    /// Pays for a page beside this header.
    pub fn buy_beside(&mut self, payment: &Value, (name, value): (&str, &str)) -> Answer {
        self.send(paid(payment, get("/report/1")).header(name, value), "").unwrap()
    }

    /// The same with a body.
    pub fn post(&mut self, payment: &Value, body: &str) -> Answer {
        self.send(posted(payment), body).unwrap()
    }

    /// Begins a request with a body that takes so many seconds, up to the origin.
    pub fn upload(&mut self, payment: &Value, body: &str, secs: u64) -> Serving<'static> {
        let mut step = self.admit(posted(payment)).unwrap();
        self.now += secs;
        while !matches!(step, SessionStep::Forward(..)) {
            step = self.advance(step, body, "", &mut String::new()).unwrap().ok().unwrap();
        }
        Serving(step)
    }

    /// Begins a request, up to the origin.
    pub fn begin(&mut self, payment: &Value, page: &str) -> Serving<'static> {
        Serving(self.begun(paid(payment, get(&format!("/report/{page}")))))
    }

    /// The same for any request.
    pub fn begun(&mut self, head: RequestHead) -> SessionStep<'static> {
        let mut step = self.admit(head).unwrap();
        while !matches!(step, SessionStep::Forward(..)) {
            step = self.advance(step, "", "", &mut String::new()).unwrap().ok().unwrap();
        }
        step
    }

    /// The objects restart from their rows.
    pub fn restarts(&mut self) {
        self.desks.clear();
    }

    /// The same from rows as they were before their last lines, so many of them.
    pub fn restarts_from_older(&mut self, lines: usize) {
        self.restarts();
        for row in self.rows.values_mut() {
            let end = row.state.rmatch_indices('\n').nth(lines - 1).unwrap().0;
            row.state.truncate(end);
        }
    }

    /// Ends it.
    pub fn end(&mut self, serving: Serving<'static>, payment: &Value) -> Answer {
        self.run(serving.0, "", &payment.to_string()).unwrap()
    }

    /// The machine dies at this step of what comes next.
    pub fn dies_at(&mut self, step: Option<u64>) {
        (self.steps, self.dies_at) = (0, step);
    }

    /// Steps since [`Door::dies_at`].
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether the machine goes on; else its memory is gone.
    fn lives(&mut self) -> bool {
        self.steps += 1;
        self.node.now = self.now;
        if self.dies_at == Some(self.steps - 1) {
            self.desks.clear();
            self.payers = PayerHistory::new();
            return false;
        }
        true
    }

    pub fn admit(&mut self, head: RequestHead) -> Result<SessionStep<'static>, Box<Reply>> {
        let mut attempts = Attempts::new();
        let health = SettlementHealth::default();
        let mut isolate = Isolate {
            facilitators: vec![Condition { health, consecutive_failures: 0, ready: true }],
            payers: &self.payers,
            attempts: &mut attempts,
            client: None,
        };
        self.came += 1;
        let named = format!("correlation-{}", self.came);
        let fresh = if self.nameless { String::new() } else { named };
        match self.gate.admit(head, &fresh, &mut isolate, self.time()) {
            Admission::Session(step) => Ok(step),
            Admission::Respond(reply) => Err(Box::new(reply)),
            _ => panic!("another admission"),
        }
    }

    pub fn send(&mut self, head: RequestHead, body: &str) -> Option<Answer> {
        let payment = head.headers.get("payment-signature").unwrap_or_default().to_owned();
        let payment = if payment.is_empty() { payment } else { decoded(&payment).to_string() };
        match self.admit(head) {
            Ok(step) => self.run(step, body, &payment),
            Err(reply) => Some(answered(*reply, "")),
        }
    }

    /// Whether what is not proven may ask.
    fn admits(&mut self, sender: Option<&UnverifiedCaller>) -> bool {
        let now = self.time();
        match (&mut self.limits, sender) {
            (Some(limits), Some(sender)) => limits.begin(sender, now) == Admittance::Begun,
            (_, _) => true,
        }
    }

    /// How an object may be asked.
    fn access(&self, name: &String, next: &SessionRequest) -> ChannelAccess {
        let (limits, now) = (self.limits.as_ref(), self.time());
        limits.map_or(ChannelAccess::Free, |limits| limits.access(name, next.newcomer(), now))
    }

    /// Whether it is.
    fn has_access(&mut self, access: &ChannelAccess) -> bool {
        match access {
            ChannelAccess::Free | ChannelAccess::Known(_) => true,
            ChannelAccess::Placed(caller) => self.admits(Some(&caller.sender)),
            ChannelAccess::Refused => false,
        }
    }

    fn ended(&mut self, sender: Option<&UnverifiedCaller>, verdict: CallResult) {
        let now = self.time();
        if let (Some(limits), Some(sender)) = (&mut self.limits, sender) {
            limits.ended(sender, verdict, now);
        }
    }

    pub fn run(
        &mut self,
        mut step: SessionStep<'static>,
        body: &str,
        payment: &str,
    ) -> Option<Answer> {
        let mut held = String::new();
        loop {
            step = match self.advance(step, body, payment, &mut held)? {
                Ok(next) => next,
                Err(reply) => return Some(answered(*reply, &held)),
            };
        }
    }

    /// Carries out one step: the next one, or the answer; none if the machine died.
    pub fn advance(
        &mut self,
        step: SessionStep<'static>,
        body: &str,
        payment: &str,
        held: &mut String,
    ) -> Option<Result<SessionStep<'static>, Box<Reply>>> {
        if !self.lives() {
            return None;
        }
        let next = match step {
            SessionStep::Digest(next) => next.digested(Some(body), self.time()),
            SessionStep::Object(name, message, next) if name.starts_with("payee/") => {
                let is_taken = self.queues(&QueuedCall::of_message(&message).unwrap());
                if !self.lives() {
                    return None;
                }
                next.object(Some(if is_taken { "true" } else { "false" }), self.time())
            }
            SessionStep::Object(name, message, next) => {
                let access = self.access(&name, &next);
                if matches!(access, ChannelAccess::Placed(_)) && !next.asks_unmet() {
                    return Some(Ok(next.unmet()));
                }
                if !self.has_access(&access) {
                    return Some(Ok(next.limited()));
                }
                self.objects.insert(name.clone());
                let body = next.keeps_body().then(|| held.clone());
                let (answer, stored) = self.ask(&name, &message, body);
                let is_lost = self.lost > 0 && message.contains("\"charge\"");
                self.lost -= u64::from(is_lost);
                if is_lost && self.forgets {
                    self.restarts_from_older(1);
                }
                let answer = answer.filter(|_| !is_lost);
                if let Some(stored) = stored {
                    *held = stored;
                }
                let standing = next.read_standing(answer.as_deref());
                if let Some(limits) = &mut self.limits {
                    limits.met(name, &access, standing, UnixTime::from_secs(self.now));
                }
                if !self.lives() {
                    return None;
                }
                next.object(answer.as_deref(), self.time())
            }
            SessionStep::Facilitator(call, next) if !self.admits(call.unproven.as_ref()) => {
                next.limited()
            }
            SessionStep::Node(call, next) if !self.admits(call.unproven.as_ref()) => next.limited(),
            SessionStep::Facilitator(call, next) => {
                let reply = self.chain.answer(&call.url, &call.body);
                if !self.lives() {
                    return None;
                }
                let (next, verdict) = next.facilitator(&reply, self.time());
                self.ended(call.unproven.as_ref(), verdict);
                next
            }
            SessionStep::Node(call, next) => {
                if call.delay_ms > 0 {
                    self.now += u64::from(call.delay_ms) / 1_000;
                    if !self.sends() {
                        return None;
                    }
                }
                self.node.now = self.now;
                let reply = self.node.answer(&call.body);
                if !self.lives() {
                    return None;
                }
                let (next, verdict) = next.node(reply.as_deref(), self.time());
                self.ended(call.unproven.as_ref(), verdict);
                next
            }
            SessionStep::Forward(call, next) => {
                self.served += 1;
                let told = ["farebox-payer", "farebox-payment", "idempotency-key"];
                self.told.push(told.map(|name| call.headers.get(name).unwrap_or_default().into()));
                if !self.lives() {
                    return None;
                }
                let head = match self.origin {
                    OriginManner::Serves => "200\ncontent-type: application/json",
                    OriginManner::Breaks => {
                        "200\ncontent-type: application/json\ncontent-length: 99"
                    }
                    OriginManner::Streams => "200\ncontent-type: text/event-stream",
                    OriginManner::Fails => "503",
                    OriginManner::Asks => "402\ncontent-type: application/json",
                    OriginManner::Moves => "302\nlocation: /login",
                };
                *held = format!("answer {}", self.served);
                self.costs.insert(held.clone(), self.counted.1);
                let units = self.counted.0.map(|units| format!("farebox-units: {units}"));
                let head = [head, units.as_deref().unwrap_or_default()].join("\n");
                next.origin(OriginReply::Head(ResponseHead::from_text(&head).unwrap()))
            }
            SessionStep::Collect(_, next) => {
                let bytes = u64::try_from(held.len()).unwrap();
                next.collected(Collected::Whole { bytes })
            }
            SessionStep::Flow(reply, limits, next) => {
                self.flows.push((limits, next));
                return Some(Err(reply));
            }
            SessionStep::Grant(..) | SessionStep::Pause(..) | SessionStep::Finish(_) => {
                panic!("what flows is carried by who reads it")
            }
            SessionStep::Respond(reply) => {
                if let Some(signed) = &reply.marks.signed {
                    self.payers.signers.paid(signed);
                }
                if reply.marks.served {
                    self.delivered.push((payment.to_owned(), held.clone()));
                }
                return Some(Err(Box::new(reply)));
            }
        };
        Some(Ok(next))
    }

    /// The object with this name, from its row if the machine has died.
    fn desk(&mut self, name: &str) -> ChannelDesk {
        self.desks.remove(name).unwrap_or_else(|| match self.rows.get(name) {
            Some(row) => ChannelDesk::from_row(&row.state, &row.terms, row.kept.clone()).unwrap(),
            None => ChannelDesk::default(),
        })
    }

    fn write(&mut self, name: &str, mut desk: ChannelDesk, write: Write, body: Option<String>) {
        let write = desk.drop_answer(self.gate.keeps().of_channels(), write, self.time());
        if let Some(channel) = &desk.channel
            && write != Write::Nothing
        {
            self.writes += 1;
            let before = self.rows.get(name).cloned();
            let (kept, body) = match write {
                Write::Answer => (desk.kept.clone(), body.filter(|_| desk.kept.is_some())),
                Write::Channel | Write::Nothing => {
                    before.map_or((None, None), |row| (row.kept, row.body))
                }
            };
            let (state, terms) = (channel.to_row(), desk.terms.clone());
            self.rows.insert(name.to_owned(), Row { state, terms, kept, body });
        }
        self.desks.insert(name.to_owned(), desk);
    }

    pub fn ask(
        &mut self,
        name: &str,
        message: &str,
        body: Option<String>,
    ) -> (Option<String>, Option<String>) {
        let mut desk = self.desk(name);
        let now = self.time();
        let before = desk.drop_answer(self.gate.keeps().of_channels(), Write::Nothing, now);
        let (reply, write) = desk.answer(message, &mut self.payers.signers, now).unwrap();
        let write = write.max(before);
        self.write(name, desk, write, body);
        let stored = reply.kept.as_ref().and_then(|_| self.rows.get(name)?.body.clone());
        (Some(text::text(&reply)), stored)
    }
}

/// A voucher by this account.
pub fn voucher(channel: ChannelId, cumulative: u64, by: &Account) -> Value {
    let voucher = Voucher { channel, cumulative: units(cumulative) };
    let signature = by.sign(&voucher.digest(&contract())).unwrap();
    json!({
        "channelId": channel.to_string(), "maxClaimableAmount": cumulative.to_string(),
        "signature": hex::encode_prefixed(&signature.to_bytes()),
    })
}

fn posted(payment: &Value) -> RequestHead {
    let mut head = paid(payment, request("POST", "/report/1"));
    head.body = BodyPresence::Present;
    head
}

/// A request with this payment.
pub fn paid(payment: &Value, head: RequestHead) -> RequestHead {
    head.header("payment-signature", &base64::encode(payment.to_string().as_bytes()))
}

fn answered(reply: Reply, held: &str) -> Answer {
    let body = match &reply.body {
        Body::Held => held.to_owned(),
        Body::Text(text) => text.clone(),
        Body::Empty => String::new(),
    };
    Answer { status: reply.head.status, head: reply.head, body }
}
