//! A market in memory, with two owners, a gate and a treasury that say what a test wants.

use std::collections::BTreeMap;

use farebox_core::evm::account::Account;
use farebox_core::evm::eip712::TypedData;
use farebox_core::machine::Envelope;
use farebox_core::secret::Secret;
use farebox_core::skills::list::write_list;
use farebox_core::skills::message::{
    Answer, CallOutcome, Chore, Command, Errand, Invocation, Labels, PayOrder, Proven, Response,
    Sale, SellerAnswer, SellerCall, TreasuryAnswer,
};
use farebox_core::skills::offered::{Edition, Offered};
use farebox_core::skills::table::StoredTable;
use farebox_core::skills::{Market, Now};
use serde_json::{Value, json};

use super::books::MemoryRows;
use crate::dice::Dice;

pub const NETWORK: &str = "eip155:84532";
pub const USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
pub const URL: &str = "https://market.example.com";
pub const ORIGIN_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub const TX: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

/// Variables of a market.
pub fn vars() -> Value {
    json!({
        "MARKET_URL": URL, "NETWORK": NETWORK, "TEST_NETWORKS_ONLY": true,
        "MARKET_SECRET": "m".repeat(32), "OPERATOR_TOKEN": "o".repeat(32),
        "ORIGIN_SECRET": ORIGIN_SECRET, "LOOKUP_TOKEN": "l".repeat(32),
    })
}

pub fn market_of(vars: &Value) -> Market {
    Market::from_vars(&vars.to_string()).unwrap()
}

/// The wallet with this number.
pub fn wallet(number: u8) -> Account {
    Account::from_candidates(std::iter::once(Secret::new([number; 32]))).unwrap()
}

/// A market and its rows. `now` is unix milliseconds.
pub struct World {
    pub market: Market,
    pub rows: MemoryRows,
    pub now: u64,
    pub dice: Dice,
    /// The objects of the archive.
    pub bucket: BTreeMap<String, String>,
}

impl World {
    pub fn new() -> Self {
        Self::of(&vars())
    }

    pub fn of(vars: &Value) -> Self {
        let (market, rows) = (market_of(vars), MemoryRows::default());
        Self {
            market,
            rows,
            now: 1_763_618_400_000,
            dice: Dice::seeded(7),
            bucket: BTreeMap::new(),
        }
    }

    /// Sends a command as the Worker does: as JSON, there and back.
    pub fn send(&mut self, command: Command) -> Answer {
        let envelope = serde_json::to_string(&Envelope::of(command)).unwrap();
        let envelope: Envelope<Command> = serde_json::from_str(&envelope).unwrap();
        let random = std::array::from_fn(|_| u8::try_from(self.dice.below(256)).unwrap());
        let moment = Now { now: self.now, random: &random };
        let decision = self.market.apply(&self.rows, envelope.command, moment).unwrap();
        self.rows.write(decision.changes);
        let text = serde_json::to_string(&decision.answer).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Asks for the route table beside a store that has the one that was written last.
    pub fn draft_table(&mut self) -> Answer {
        let number = self.rows.table.written;
        self.send(Command::Table(StoredTable { number, ..StoredTable::default() }))
    }

    /// The reply to a command, with what it reads of the archive.
    pub fn reply(&mut self, command: Command) -> Told {
        let mut answer = self.send(command.clone());
        if let Answer::Fetch(names) = answer {
            let read = |name: String| (name.clone(), self.bucket[&name].clone());
            let opened = names.into_iter().map(read).collect();
            answer = self.send(Command::Opened(Box::new(command), opened));
        }
        match answer {
            Answer::Reply(response) => Told::of(response),
            other => panic!("no reply: {other:?}"),
        }
    }

    /// Answers `GET /api/marketplace/skills` with this query.
    pub fn list(&mut self, query: &str) -> Told {
        let skills = self.listed(|_| ()).1;
        Told::of(write_list(&self.market.url, &skills, query))
    }

    /// All listed skills as a Worker reads them, part by part, and the edition that they are of;
    /// something may happen between two parts.
    pub fn listed(&mut self, mut between: impl FnMut(&mut Self)) -> (Edition, Vec<Offered>) {
        let (mut of, mut all, mut after) = (None, Vec::new(), None);
        loop {
            let Answer::Skills { edition, skills, next } = self.send(Command::Skills(after)) else {
                panic!("no skills");
            };
            let of = *of.get_or_insert(edition);
            all.extend(skills);
            if next.is_none() {
                return (of, all);
            }
            after = next;
            between(self);
        }
    }

    /// Does what the alarm does about the archive; how many shelves the bucket took.
    pub fn shelve(&mut self) -> usize {
        let before = self.rows.shelves.len();
        while let Answer::Tasks(chores) = self.send(Command::Due)
            && chores.contains(&Chore::Shelve)
        {
            let Answer::Shelf(shelf) = self.send(Command::Shelf) else { continue };
            self.bucket.insert(shelf.name.clone(), shelf.text.clone());
            self.send(Command::Kept(shelf.name, Some(shelf.text)));
        }
        self.rows.shelves.len() - before
    }

    /// Signs a body for an action.
    pub fn signed(&mut self, wallet_number: u8, action: &str, skill: &str, body: &Value) -> Value {
        let query = format!("action={action}&skill={skill}");
        let mut asked = body.clone();
        asked["payTo"] = body.get("payTo").cloned().unwrap_or(owner(wallet_number).into());
        let told = self.reply(Command::TypedData(query, asked.to_string()));
        assert_eq!(told.status, 200, "{told:?}");
        let digest = TypedData::from_json(&told.body["typedData"]).unwrap().digest();
        let signature = wallet(wallet_number).sign(&digest).unwrap();
        let signature = farebox_core::encoding::hex::encode_prefixed(&signature.to_bytes());
        asked["proof"] = told.body["proof"].clone();
        asked["proof"]["signature"] = signature.into();
        asked
    }

    pub fn publish(&mut self, body: &Value) -> Told {
        let body = self.signed(1, "publish", "", body);
        self.reply(Command::Publish(Labels::default(), body.to_string()))
    }

    /// Asks for an invocation by the buyer of acme.
    pub fn invoke(&mut self, key: &str, payload: &str) -> Answer {
        self.send(Command::Invoke(Box::new(invocation(key, payload))))
    }

    /// An invocation that calls the seller.
    pub fn call(&mut self, key: &str) -> SellerCall {
        match self.invoke(key, "hello") {
            Answer::Errand(Errand::Call(call)) => *call,
            other => panic!("no call: {other:?}"),
        }
    }

    pub fn called(&mut self, call: &SellerCall, answer: SellerAnswer) -> Answer {
        let outcome = CallOutcome::Answer(answer);
        let (invocation, fence) = (call.invocation.clone(), call.fence);
        self.send(Command::Called { invocation, fence, outcome })
    }

    /// An invocation that asks the treasury.
    pub fn order(&mut self, key: &str) -> PayOrder {
        let call = self.call(key);
        match self.called(&call, charge("250000")) {
            Answer::Errand(Errand::Pay(order)) => *order,
            other => panic!("no order: {other:?}"),
        }
    }

    pub fn paid(&mut self, order: &PayOrder, answer: Option<TreasuryAnswer>) -> Answer {
        let (invocation, fence) = (order.invocation.clone(), order.fence);
        self.send(Command::Paid { invocation, fence, answer })
    }

    /// Invokes and pays.
    pub fn buy(&mut self, key: &str, answer: TreasuryAnswer) -> Told {
        let order = self.order(key);
        match self.paid(&order, Some(answer)) {
            Answer::Reply(response) => Told::of(response),
            other => panic!("no reply: {other:?}"),
        }
    }
}

pub fn owner(number: u8) -> String {
    wallet(number).address().to_checksum()
}

/// A skill that the seller charges for itself.
pub fn echo() -> Value {
    json!({
        "agentId": "seller", "skillId": "echo", "name": "Echo", "description": "says it again",
        "price": "$0.25", "callUrl": "https://seller.example.com/echo", "charges": "seller",
    })
}

/// One that the gate charges for.
pub fn gated() -> Value {
    let mut body = echo();
    body["charges"] = "gate".into();
    body
}

pub fn proven() -> Proven {
    Proven { organization: "acme".into(), agent: "buyer".into() }
}

pub fn invocation(key: &str, payload: &str) -> Invocation {
    Invocation {
        skill: "echo".into(),
        version: None,
        caller: Some(proven()),
        pack: None,
        key: (!key.is_empty()).then(|| key.to_owned()),
        body: json!({"agentId": "buyer", "payload": {"input": payload}}).to_string(),
    }
}

pub fn plain(status: u32, body: &str) -> SellerAnswer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    SellerAnswer { status, headers, body: body.to_owned(), base64: false }
}

/// A 402 that asks for so much, for this payee.
pub fn charge_to(amount: &str, payee: &str, asset: &str) -> SellerAnswer {
    let accept = json!({
        "scheme": "exact", "network": NETWORK, "asset": asset, "amount": amount, "payTo": payee,
        "maxTimeoutSeconds": 60, "extra": {"name": "USDC", "version": "2"},
    });
    let url = "https://seller.example.com/echo";
    let terms = json!({"x402Version": 2, "accepts": [accept], "resource": {"url": url}});
    let mut answer = plain(402, "{}");
    let header = farebox_core::x402::header::encode(&terms.to_string());
    answer.headers.push(("payment-required".to_owned(), header));
    answer
}

pub fn charge(amount: &str) -> SellerAnswer {
    charge_to(amount, &owner(1), USDC)
}

/// The treasury's answer about a key that it does not know.
pub fn unknown_key() -> Option<TreasuryAnswer> {
    let body = json!({"code": "not_found", "message": "There is no decision."}).to_string();
    Some(TreasuryAnswer { status: 404, body, ..TreasuryAnswer::default() })
}

/// A decision of the treasury.
pub fn decision(outcome: &str, tx: &str) -> TreasuryAnswer {
    let receipt = json!({"receiptId": "r-1", "status": "provisional", "settlementIdentifier": tx});
    let merchant = json!({"status": 200, "headers": {"content-type": "application/json"}, "body": "{\"result\":1}"});
    let body = json!({
        "outcome": outcome, "paidRequestId": "p", "reasonCode": "x", "reason": "because",
        "merchantResponse": merchant, "receipt": receipt,
    });
    TreasuryAnswer {
        status: 201,
        figures: None,
        money: None,
        transaction: None,
        body: body.to_string(),
    }
}

/// A sale of the gate.
pub fn sale(amount: &str) -> Sale {
    Sale {
        method: "POST".into(),
        path: "/s/echo".into(),
        query: "a=1".into(),
        payer: owner(9),
        payment: "rcpt-1".into(),
        amount: amount.into(),
        asset: USDC.into(),
        network: NETWORK.into(),
        transaction: String::new(),
        key: "k".into(),
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
    pub fn of(response: Response) -> Self {
        let body = serde_json::from_str(&response.body).unwrap_or_default();
        Self { status: response.status, body, text: response.body, headers: response.headers }
    }

    pub fn error(&self) -> (u32, &str) {
        (self.status, self.body["error"].as_str().unwrap_or_default())
    }
}
