//! An organization with agents, in memory: its treasury, its rows, a clock and dice.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::evm::account::Account;
use farebox_core::machine::Envelope;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use farebox_core::treasury::books::Change;
use farebox_core::treasury::message::{
    Answer, Caller, Command, LinkClaim, MerchantAnswer, Operation, Order, Reply,
};
use farebox_core::treasury::{Job, Now, PlacedJob, Places, RANDOM_BYTES, Treasury, Turn};
use serde_json::{Value, json};

use super::books::MemoryRows;
use crate::dice::Dice;

pub const NETWORK: &str = "eip155:84532";
pub const USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
pub const PAYEE: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
pub const MERCHANT: &str = "https://merchant.example.com/v1/generate";
pub const BUYER_KEY: &str = "fbk_acme_buyerkey_0123456789abcdef0123456789abcdef";
pub const TESTER_KEY: &str = "fbk_acme_testerkey_0123456789abcdef0123456789abcdef";
pub const WALLET_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// 2026-03-10T12:00:00Z.
pub const START: u64 = 1_773_144_000;

/// A world.
pub struct World {
    pub treasury: Treasury,
    pub rows: MemoryRows,
    pub now: u64,
    pub dice: Dice,
    pub organization: &'static str,
    /// The rows of the objects that say which link has an authorization: all organizations ask them.
    pub claims: Rc<RefCell<MemoryRows>>,
}

/// Variables that serve one organization with two agents, without a node.
pub fn variables() -> Value {
    json!({
        "TREASURY_SECRET": "0123456789abcdef0123456789abcdef",
        "OPERATOR_TOKEN": "operator-0123456789abcdef0123456789",
        "WALLET_KEY": WALLET_KEY,
        "BUYER_KEY": BUYER_KEY,
        "TESTER_KEY": TESTER_KEY,
        "WALLETS": [{"name": "main", "networks": ["base-sepolia"], "secret": "WALLET_KEY"}],
        "ORGANIZATIONS": [{
            "name": "acme",
            "environment": "test",
            "policy": {"allowedOrigins": ["https://merchant.example.com"], "perMonth": {"USDC": "5.00"}},
            "agents": [
                {"name": "buyer", "bootstrapKey": "BUYER_KEY"},
                {"name": "tester", "bootstrapKey": "TESTER_KEY", "policy": {"perHour": "0.50"}},
            ],
        }],
    })
}

impl World {
    pub fn new() -> Self {
        Self::of(&variables())
    }

    /// With a node for all networks.
    pub fn with_node() -> Self {
        let mut variables = variables();
        variables["RPC_URL"] = json!("https://node.example.com");
        Self::of(&variables)
    }

    /// With these rules of the organization.
    pub fn under(policy: Value) -> Self {
        let mut variables = variables();
        variables["ORGANIZATIONS"][0]["policy"] = policy;
        Self::of(&variables)
    }

    pub fn of(variables: &Value) -> Self {
        let treasury = Treasury::from_vars(&variables.to_string()).unwrap();
        let (rows, now, dice) = (MemoryRows::default(), START, Dice::seeded(7));
        let (organization, claims) = ("acme", Rc::default());
        let mut world = Self { treasury, rows, now, dice, organization, claims };
        world.seed();
        world
    }

    /// Applies what the configuration seeds, as an object does when it starts.
    pub fn seed(&mut self) {
        let random = self.random();
        let scene = Now {
            organization: self.organization,
            now: UnixTime::from_secs(self.now),
            random: &random,
        };
        let changes = self.treasury.seed(&self.rows, scene).unwrap();
        self.rows.write(changes);
    }

    pub fn random(&mut self) -> [u8; RANDOM_BYTES] {
        std::array::from_fn(|_| u8::try_from(self.dice.below(256)).unwrap())
    }

    /// Sends a command as the Worker does: as JSON, there and back.
    pub fn send(&mut self, command: Command) -> Answer {
        let text = serde_json::to_string(&Envelope::of(command)).unwrap();
        let envelope: Envelope<Command> = serde_json::from_str(&text).unwrap();
        let random = self.random();
        let scene = Now {
            organization: self.organization,
            now: UnixTime::from_secs(self.now),
            random: &random,
        };
        let decision = self.treasury.apply(&self.rows, envelope.command, scene).unwrap();
        self.rows.write(decision.changes);
        let text = serde_json::to_string(&decision.answer).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Asks the object of an authorization which link has it, if the node's reply gives reason to.
    pub fn holder(&mut self, claim: &LinkClaim, sight: Option<&str>) -> Option<String> {
        let asks = claim.asks(sight)?;
        let random = self.random();
        let now = UnixTime::from_secs(self.now);
        let scene = Now { organization: &claim.object, now, random: &random };
        let rows = &mut *self.claims.borrow_mut();
        let decision = self.treasury.apply(rows, asks, scene).unwrap();
        rows.write(decision.changes);
        match decision.answer {
            Answer::Held(holder) => Some(holder),
            other => panic!("no holder: {other:?}"),
        }
    }

    pub fn reply(&mut self, command: Command) -> Told {
        match self.send(command) {
            Answer::Reply(reply) => Told::of(reply),
            other => panic!("no reply: {other:?}"),
        }
    }

    pub fn operate(&mut self, operation: Operation) -> Told {
        self.reply(Command::Operate(operation))
    }

    /// A runtime token for this bootstrap key.
    pub fn token(&mut self, key: &str) -> String {
        let told = self.reply(Command::Exchange(caller(key)));
        told.body["token"].as_str().unwrap().to_owned()
    }

    /// Asks for a decision of the agent whose key this is.
    pub fn ask(&mut self, key: &str, body: &Value) -> Answer {
        let token = self.token(key);
        self.send(Command::Decide(caller(&token), body.to_string()))
    }

    /// Asks for a decision that the buyer gets without a payment.
    pub fn told(&mut self, body: &Value) -> Told {
        match self.ask(BUYER_KEY, body) {
            Answer::Reply(reply) => Told::of(reply),
            other => panic!("no reply: {other:?}"),
        }
    }

    /// Asks for a decision of the buyer that is paid: what is sent to the merchant.
    pub fn order(&mut self, body: &Value) -> Order {
        match self.ask(BUYER_KEY, body) {
            Answer::Send(order) => *order,
            other => panic!("nothing is sent: {other:?}"),
        }
    }

    /// Reports what the merchant answered.
    pub fn answered(&mut self, order: &Order, answer: MerchantAnswer) -> Told {
        let now = UnixTime::from_secs(order.until);
        match self.treasury.turn(order, Some(answer), 1, now) {
            Turn::Report(command) => self.reply(command),
            Turn::Again(ms) => panic!("sent again after {ms} ms"),
        }
    }

    /// Buys once: the merchant delivers and proves a settlement.
    pub fn buy(&mut self, body: &Value) -> Told {
        let order = self.order(body);
        self.answered(&order, proven(200, "ok"))
    }

    /// What the alarm does now.
    pub fn alarm(&mut self) -> Vec<Job> {
        let looks = core::iter::from_fn(|| self.begin(&Places::default()));
        looks.flatten().map(|work| work.job).collect()
    }

    /// One look of the alarm for what is due and has a place beside those that are taken; `None` if nothing is.
    pub fn begin(&mut self, places: &Places) -> Option<Vec<PlacedJob>> {
        let random = self.random();
        let scene = Now {
            organization: self.organization,
            now: UnixTime::from_secs(self.now),
            random: &random,
        };
        let (works, changes) = self.treasury.recover(&self.rows, places, scene).unwrap();
        let is_idle = works.is_empty() && changes.is_empty();
        self.rows.write(changes);
        (!is_idle).then_some(works)
    }

    /// Removes what is old, step by step: how many rows each step took.
    pub fn remove(&mut self) -> Vec<usize> {
        core::iter::from_fn(|| self.step()).collect()
    }

    /// A step of that: how many rows it took; `None` if none is due.
    pub fn step(&mut self) -> Option<usize> {
        let random = self.random();
        let now = UnixTime::from_secs(self.now);
        let scene = Now { organization: self.organization, now, random: &random };
        let changes = self.treasury.remove(&self.rows, scene).unwrap();
        let is_gone = |change: &&Change| matches!(change, Change::Gone(..));
        let gone = changes.iter().filter(is_gone).count();
        let is_done = changes.is_empty();
        self.rows.write(changes);
        (!is_done).then_some(gone)
    }

    /// Reports what the chain showed.
    pub fn read(
        &mut self,
        attempt: &str,
        fence: u64,
        finding: &farebox_core::ledger::inquiry::finding::Finding,
    ) {
        let random = self.random();
        let scene = Now {
            organization: self.organization,
            now: UnixTime::from_secs(self.now),
            random: &random,
        };
        let changes = self.treasury.read(&self.rows, attempt, fence, finding, scene).unwrap();
        self.rows.write(changes);
    }
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub status: u32,
    pub body: Value,
    pub text: String,
    pub headers: Vec<(String, String)>,
}

impl Told {
    pub fn of(reply: Reply) -> Self {
        let body = serde_json::from_str(&reply.body).unwrap_or_default();
        Self { status: reply.status, body, text: reply.body, headers: reply.headers }
    }

    /// Outcome and reason code of a decision.
    pub fn outcome(&self) -> (&str, &str) {
        let text = |name: &str| self.body[name].as_str().unwrap_or_default();
        (text("outcome"), text("reasonCode"))
    }

    pub fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_default()
    }

    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }
}

/// The head of a request with this token.
pub fn caller(token: &str) -> Caller {
    Caller {
        authorization: format!("Bearer {token}"),
        version: Some("0.1.0-alpha.22".to_owned()),
        candidate: None,
    }
}

/// A way to pay, in atomic units of USDC on Base Sepolia.
pub fn accept(amount: &str) -> Value {
    json!({
        "scheme": "exact", "network": NETWORK, "asset": USDC, "amount": amount, "payTo": PAYEE,
        "maxTimeoutSeconds": 60, "extra": {"name": "USDC", "version": "2"},
    })
}

/// The terms of x402 version 2 as a header.
pub fn terms(accepts: &[Value]) -> String {
    let terms = json!({"x402Version": 2, "accepts": accepts, "resource": {"url": MERCHANT}});
    farebox_core::x402::header::encode(&terms.to_string())
}

/// A request of the buyer to a merchant that asks for this much.
pub fn request(amount: &str) -> Value {
    json!({
        "context": {"organization": "acme", "agent": "buyer"},
        "request": {"url": MERCHANT, "method": "POST", "headers": {"content-type": "application/json"}, "body": "{\"prompt\":\"hello\"}"},
        "challenge": {"protocol": "x402", "headers": {"payment-required": terms(&[accept(amount)])}},
    })
}

/// The same under an idempotency key.
pub fn keyed(amount: &str, key: &str) -> Value {
    let mut body = request(amount);
    body["idempotencyKey"] = json!(key);
    body
}

/// The report that no answer came to an order that had left.
pub fn lost(order: &Order) -> Command {
    let (attempt, fence) = (order.attempt.clone(), order.fence);
    Command::Lost { attempt, fence, sent: true }
}

/// An answer without a settlement.
pub fn plain(status: u32, body: &str) -> MerchantAnswer {
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    MerchantAnswer { status, headers, body: body.to_owned(), cut: false, base64: false }
}

/// The account of the wallet.
pub fn account() -> Account {
    let bytes = farebox_core::encoding::hex::decode_array(WALLET_KEY).unwrap();
    Account::from_candidates(std::iter::once(Secret::new(bytes))).unwrap()
}

pub fn payer() -> String {
    account().address().to_checksum()
}

/// The transaction that settlements name.
pub const TRANSACTION: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

/// An answer with a settlement of these members.
pub fn with_settlement(status: u32, body: &str, members: &Value) -> MerchantAnswer {
    let mut answer = plain(status, body);
    let value = farebox_core::x402::header::encode(&members.to_string());
    answer.headers.push(("payment-response".to_owned(), value));
    answer
}

/// An answer with a settlement that is right.
pub fn settled(status: u32, body: &str) -> MerchantAnswer {
    let settlement =
        json!({"success": true, "network": NETWORK, "payer": payer(), "transaction": TRANSACTION});
    with_settlement(status, body, &settlement)
}

/// An answer with a settlement as both protocols name it.
pub fn proven(status: u32, body: &str) -> MerchantAnswer {
    let mut answer = settled(status, body);
    let receipt = json!({
        "method": "evm", "status": "success", "timestamp": "2026-03-10T12:00:01Z",
        "reference": TRANSACTION,
    });
    let value = farebox_core::x402::header::encode(&receipt.to_string());
    answer.headers.push(("payment-receipt".to_owned(), value.trim_end_matches('=').to_owned()));
    answer
}
