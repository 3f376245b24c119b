//! A payer of OKX's shape with a channel of MPP, and the gate that it pays.

use farebox_core::channel::config::ChannelParties;
use farebox_core::channel::voucher::Voucher;
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::address::Address;
use farebox_core::http::RequestHead;
use farebox_core::mpp::challenge::{self, Challenge};
use farebox_core::mpp::receipt::ReceivedReceipt;
use serde_json::{Value, json};

use super::chain::units;
use super::door::{Answer, Door, PRICE, account, bound};
use super::node::{ESCROW, escrow};
use crate::world::{CHAIN, With, get};

pub const PAYEE: u8 = 9;
pub const PAYER: u8 = 1;
pub const DEPOSIT: u64 = 10 * PRICE;

pub fn variables() -> Value {
    let payee = account(PAYEE).address().to_checksum();
    let mut vars = bound(json!([{
        "path": "/report/[id]", "price": "$0.01", "methods": ["GET", "POST", "HEAD"], "session_escrow": ESCROW,
    }]));
    vars["PAY_TO"] = json!(payee);
    vars["PAYEE_KEY"] = json!(format!("0x{}", "09".repeat(32)));
    vars["RPC_URL"] = json!("http://127.0.0.1:9002");
    vars
}

/// A payer of a channel, and the gate that it pays.
pub struct Session {
    pub door: Door,
    pub parties: ChannelParties,
    pub id: String,
    /// The transaction that opened it.
    pub hash: String,
}

/// The challenges of an answer.
pub fn challenges(answer: &Answer) -> Vec<Challenge> {
    let field = answer.head.headers.get("www-authenticate").unwrap();
    challenge::read_list(field).into_iter().map(Result::unwrap).collect()
}

pub fn challenge_of(answer: &Answer, intent: &str) -> Challenge {
    challenges(answer).into_iter().find(|it| it.intent == intent).unwrap()
}

impl Session {
    /// A channel that its payer has opened, which the gate does not know.
    pub fn new() -> Self {
        let mut door = Door::with(&variables());
        let (payer, payee) = (account(PAYER).address(), account(PAYEE).address());
        let token = Address::parse("0x036CbD53842c5426634e7929541eC2318f3dCF7e").unwrap();
        let zero = Address::ZERO;
        let parties =
            ChannelParties { payer, payee, token, salt: [5; 32], authorized_signer: zero };
        let hash = door.node.open(parties, DEPOSIT);
        let id = parties.id(&escrow()).to_string();
        Self { door, parties, id, hash }
    }

    /// One that the gate knows.
    pub fn opened() -> Self {
        let mut session = Self::new();
        let answer = session.open(0);
        assert_eq!(answer.status, 200, "{}", answer.body);
        session
    }

    /// A fresh challenge.
    pub fn challenge(&mut self) -> Value {
        self.challenge_of("/report/1")
    }

    /// A fresh challenge for this page.
    pub fn challenge_of(&mut self, page: &str) -> Value {
        let answer = self.door.send(get(page), "").unwrap();
        assert_eq!(answer.status, 402);
        let asked = challenge_of(&answer, "session");
        json!({
            "id": asked.id, "realm": asked.realm, "method": asked.method, "intent": asked.intent,
            "request": asked.request, "expires": asked.expires,
        })
    }

    pub fn signature(&self, cumulative: u64, by: u8) -> String {
        let channel = self.parties.id(&escrow());
        let voucher = Voucher { channel, cumulative: units(cumulative) };
        hex::encode_prefixed(&account(by).sign(&voucher.digest(&escrow())).unwrap().to_bytes())
    }

    pub fn opening(&self, cumulative: u64) -> Value {
        json!({
            "action": "open", "type": "hash", "channelId": self.id, "hash": self.hash,
            "salt": format!("0x{}", "05".repeat(32)), "cumulativeAmount": cumulative.to_string(),
            "signature": self.signature(cumulative, PAYER),
        })
    }

    pub fn voucher(&self, action: &str, cumulative: u64) -> Value {
        json!({
            "action": action, "channelId": self.id, "cumulativeAmount": cumulative.to_string(),
            "signature": self.signature(cumulative, PAYER),
        })
    }

    /// What tells of this much more, which is deposited.
    pub fn adding(&mut self, amount: u64) -> Value {
        // A block takes its time.
        self.door.now += 2;
        let hash = self.door.node.top_up(&self.id, amount);
        json!({
            "action": "topUp", "type": "hash", "channelId": self.id, "hash": hash,
            "additionalDeposit": amount.to_string(),
        })
    }

    /// A credential in answer to this challenge.
    pub fn credential(&self, challenge: &Value, payload: &Value) -> String {
        let source = format!("did:pkh:eip155:{CHAIN}:{}", self.parties.payer.to_checksum());
        let is_named = payload["action"] == "open" || payload["action"] == "topUp";
        self.credential_of(is_named.then_some(&source), challenge, payload)
    }

    /// The same, which says of whom it is.
    pub fn credential_of(
        &self,
        source: Option<&str>,
        challenge: &Value,
        payload: &Value,
    ) -> String {
        let mut credential = json!({"challenge": challenge, "payload": payload});
        if let Some(source) = source {
            credential["source"] = json!(source);
        }
        format!("Payment {}", base64::encode_url(credential.to_string().as_bytes()))
    }

    /// The answer to a fresh challenge, with this request.
    pub fn send(&mut self, head: RequestHead, payload: &Value) -> Option<Answer> {
        let challenge = self.challenge();
        let credential = self.credential(&challenge, payload);
        self.door.send(head.header("authorization", &credential), "")
    }

    pub fn buy(&mut self, payload: &Value) -> Answer {
        self.send(get("/report/1"), payload).unwrap()
    }

    pub fn open(&mut self, cumulative: u64) -> Answer {
        let opening = self.opening(cumulative);
        self.buy(&opening)
    }

    /// Pays a request with a voucher of this amount.
    pub fn pay(&mut self, cumulative: u64) -> Answer {
        self.door.signed = self.door.signed.max(cumulative);
        let voucher = self.voucher("voucher", cumulative);
        self.buy(&voucher)
    }

    /// Lets time go on with alarms.
    pub fn rest(&mut self, secs: u64) {
        for _ in 0..secs / 15 {
            self.door.now += 15;
            self.door.alarm();
        }
    }

    /// What is settled, what went back to the payer, and whether the contract has closed it.
    pub fn locked(&self) -> (u64, u64, bool) {
        let locked = &self.door.node.channels[&self.id];
        (locked.settled, locked.back, locked.finalized)
    }
}

/// The number of a refusal.
pub fn code(answer: &Answer) -> u64 {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["status"], answer.status);
    body["code"].as_u64().unwrap()
}

pub fn receipt(answer: &Answer) -> Value {
    let value = answer.head.headers.get("payment-receipt").unwrap();
    Value::Object(ReceivedReceipt::read(value).unwrap().members)
}
