//! Sessions by MPP: what payers of OKX's shape send, what they get, and what the payee has in the end.

use farebox_core::channel::config::ChannelParties;
use farebox_core::channel::voucher::Voucher;
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::address::Address;
use farebox_core::gate::Gate;
use farebox_core::gate::session::step::SessionStep;
use farebox_core::http::RequestHead;
use farebox_core::mpp::challenge::{self, Challenge};
use farebox_core::mpp::receipt::ReceivedReceipt;
use farebox_core::mpp::session::SessionTerms;
use serde_json::{Value, json};

use super::chain::units;
use super::door::{Answer, Door, OriginManner, PRICE, account, bound};
use super::node::{ESCROW, NodeManner, escrow};
use crate::world::{CHAIN, With, get, request};

const PAYEE: u8 = 9;
const PAYER: u8 = 1;
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
fn challenges(answer: &Answer) -> Vec<Challenge> {
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
    fn challenge_of(&mut self, page: &str) -> Value {
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
        let mut credential = json!({"challenge": challenge, "payload": payload});
        if payload["action"] == "open" || payload["action"] == "topUp" {
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

fn receipt(answer: &Answer) -> Value {
    let value = answer.head.headers.get("payment-receipt").unwrap();
    Value::Object(ReceivedReceipt::read(value).unwrap().members)
}

#[test]
fn one_answer_offers_one_payment_and_a_session() {
    let mut session = Session::new();
    let answer = session.door.send(get("/report/1"), "").unwrap();
    assert!(answer.head.headers.get("payment-required").is_some());
    assert_eq!(challenge_of(&answer, "charge").method, "evm");
    let asked = challenge_of(&answer, "session").request_object().unwrap();
    let terms = SessionTerms::read(&asked).unwrap();
    assert_eq!(terms.amount, units(PRICE));
    assert_eq!(terms.suggested_deposit, Some(units(100 * PRICE)));
    assert_eq!((terms.escrow, terms.recipient), (escrow().address, session.parties.payee));
    assert_eq!((terms.chain_id, terms.fee_payer, terms.channel), (CHAIN, Some(false), None));
    // Payers say what they read.
    for (accepts, intents) in [("evm/session", &["session"][..]), ("evm/charge", &["charge"])] {
        let head = get("/report/1").header("accept-payment", accepts);
        let answer = session.door.send(head, "").unwrap();
        assert_eq!(
            challenges(&answer).iter().map(|it| it.intent.as_str()).collect::<Vec<_>>(),
            intents
        );
    }
}

#[test]
pub fn a_channel_is_opened_by_hash_and_vouchers_ask_no_node() {
    let mut session = Session::new();
    let answer = session.open(0);
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&body["action"], &body["status"]), (&json!("open"), &json!("ok")));
    assert_eq!((&body["channelId"], &body["deposit"]), (&json!(session.id), &json!("100000")));
    assert_eq!((session.door.served, session.door.node.asked), (0, 1));
    for request in 1..=10 {
        let writes = session.door.writes;
        let answer = session.pay(request * PRICE);
        assert_eq!((answer.status, &answer.body), (200, &format!("answer {request}")));
        let receipt = receipt(&answer);
        let paid = (request * PRICE).to_string();
        assert_eq!(
            (&receipt["spent"], &receipt["acceptedCumulative"]),
            (&json!(paid), &json!(paid))
        );
        assert_eq!(
            (&receipt["intent"], &receipt["reference"]),
            (&json!("session"), &json!(session.id))
        );
        assert_eq!(session.door.writes, writes + 1);
    }
    assert_eq!((session.door.node.asked, session.door.chain.verified), (1, 0));
    let payer = session.parties.payer.to_lower_hex();
    assert!(session.door.told.iter().all(|told| told[0] == payer), "{:?}", session.door.told);
    let above = session.pay(11 * PRICE);
    assert_eq!((above.status, code(&above)), (402, 70_012));
    assert!(above.head.headers.get("www-authenticate").is_some());
}

#[test]
fn a_first_voucher_that_is_enough_is_served_at_once() {
    let mut session = Session::new();
    let answer = session.open(PRICE);
    assert_eq!((answer.status, answer.body.as_str()), (200, "answer 1"));
    assert_eq!(session.door.book(), (PRICE, PRICE));
}

#[test]
pub fn a_voucher_pays_for_many_requests_until_it_is_used_up() {
    let mut session = Session::opened();
    for request in 1..=3 {
        assert_eq!(session.pay(3 * PRICE).body, format!("answer {request}"));
    }
    let exhausted = session.pay(3 * PRICE);
    assert_eq!((exhausted.status, code(&exhausted)), (402, 70_015));
    assert_eq!(session.door.book(), (3 * PRICE, 3 * PRICE));
    assert_eq!(session.pay(4 * PRICE).status, 200);
    let lower = session.pay(3 * PRICE);
    assert_eq!((lower.status, code(&lower)), (402, 70_013));
}

#[test]
pub fn a_request_that_is_repeated_has_the_same_answer_and_costs_nothing() {
    let mut session = Session::opened();
    let challenge = session.challenge();
    let voucher = session.voucher("voucher", 2 * PRICE);
    let credential = session.credential(&challenge, &voucher);
    let paid =
        |door: &mut Door| door.send(get("/report/1").header("authorization", &credential), "");
    let first = paid(&mut session.door).unwrap();
    let again = paid(&mut session.door).unwrap();
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.head.headers.get("payment-replayed"), Some("true"));
    assert_eq!((session.door.served, session.door.book().0), (1, PRICE));
    // A fresh challenge is another request.
    assert_eq!(session.buy(&voucher).body, "answer 2");
}

#[test]
pub fn a_voucher_of_someone_else_buys_nothing() {
    let mut session = Session::opened();
    let mut voucher = session.voucher("voucher", PRICE);
    voucher["signature"] = json!(session.signature(PRICE, 2));
    let refused = session.buy(&voucher);
    assert_eq!((refused.status, code(&refused)), (402, 70_004));
    let mut opening = session.opening(PRICE);
    opening["signature"] = json!(session.signature(PRICE, 2));
    let asked = session.door.node.asked;
    assert_eq!(code(&session.buy(&opening)), 70_004);
    assert_eq!((session.door.node.asked, session.door.served), (asked, 0));
}

#[test]
pub fn a_voucher_of_someone_else_buys_nothing_where_the_payer_has_paid_often() {
    let mut session = Session::opened();
    for count in 1..=6 {
        assert_eq!(session.pay(count * PRICE).status, 200);
    }
    let signer = account(1).address();
    assert!(session.door.payers.signers.get(&signer).unwrap().is_known());
    let mut wrong = session.voucher("voucher", 7 * PRICE);
    for signature in [session.signature(7 * PRICE, 2), session.signature(8 * PRICE, 1)] {
        wrong["signature"] = json!(signature);
        let refused = session.buy(&wrong);
        assert_eq!((refused.status, code(&refused)), (402, 70_004));
    }
    assert_eq!(session.door.served, 6);
    assert_eq!(session.pay(7 * PRICE).body, "answer 7");
}

#[test]
fn what_is_not_this_gates_is_told_so() {
    let mut session = Session::opened();
    let challenge = session.challenge();
    let voucher = session.voucher("voucher", PRICE);
    let mut told = |edit: &dyn Fn(&mut Value), payload: &Value| {
        let mut challenge = challenge.clone();
        edit(&mut challenge);
        let credential = session.credential(&challenge, payload);
        let head = get("/report/1").header("authorization", &credential);
        let answer = session.door.send(head, "").unwrap();
        (answer.status, code(&answer))
    };
    assert_eq!(told(&|it| it["id"] = json!("A".repeat(43)), &voucher), (400, 30_001));
    assert_eq!(told(&|it| it["realm"] = json!("other.example"), &voucher), (400, 30_001));
    assert_eq!(told(&|_| {}, &json!({"action": "open"})), (402, 70_003));
    let mut unknown = voucher.clone();
    unknown["channelId"] = json!(format!("0x{}", "77".repeat(32)));
    assert_eq!(told(&|_| {}, &unknown), (404, 70_010));
    session.door.now += 301;
    let credential = session.credential(&challenge, &voucher);
    let late = session.door.send(get("/report/1").header("authorization", &credential), "");
    assert_eq!(code(&late.unwrap()), 70_009);
    assert_eq!(session.door.served, 0);
}

#[test]
fn a_payer_that_reads_a_list_as_one_challenge_pays_too() {
    let mut session = Session::opened();
    let answer = session.door.send(get("/report/1"), "").unwrap();
    let (first, last) = (challenge_of(&answer, "charge"), challenge_of(&answer, "session"));
    let mixed = json!({
        "id": first.id, "realm": last.realm, "method": last.method, "intent": last.intent,
        "request": last.request, "expires": last.expires,
    });
    let credential = session.credential(&mixed, &session.voucher("voucher", PRICE));
    let head = get("/report/1").header("authorization", &credential);
    assert_eq!(session.door.send(head, "").unwrap().status, 200);
}

#[test]
fn a_deposit_counts_once_the_chain_has_it() {
    let mut session = Session::new();
    let hash = session.hash.clone();
    session.door.node.sent.remove(&hash);
    let early = session.open(PRICE);
    assert_eq!((early.status, code(&early)), (402, 70_007));
    assert_eq!(early.head.headers.get("retry-after"), Some("2"));
    session.door.node.sent.insert(hash.clone(), false);
    assert_eq!(code(&session.open(PRICE)), 70_010);
    session.door.node.sent.insert(hash, true);
    session.door.node.manner = NodeManner::Down;
    assert_eq!(session.open(PRICE).status, 503);
    session.door.node.manner = NodeManner::Works;
    // The contract would let the payer go before the money is claimed.
    session.door.node.grace = 899;
    assert_eq!(code(&session.open(PRICE)), 70_011);
    session.door.node.grace = 900;
    assert_eq!(session.open(PRICE).status, 200);
    assert_eq!(session.door.served, 1);
}

#[test]
pub fn a_channel_for_another_payee_or_token_pays_for_nothing() {
    for other in ["payee", "token"] {
        let mut session = Session::new();
        let strange = account(3).address();
        match other {
            "payee" => session.parties.payee = strange,
            _ => session.parties.token = strange,
        }
        session.id = session.parties.id(&escrow()).to_string();
        session.hash = session.door.node.open(session.parties, DEPOSIT);
        assert_eq!(code(&session.open(PRICE)), 70_010);
        assert_eq!(code(&session.pay(PRICE)), 70_010);
        assert_eq!(session.door.served, 0);
    }
}

#[test]
pub fn a_channel_that_another_route_sells_by_pays_for_nothing() {
    let strange = account(3).address();
    let mut vars = variables();
    let mut other = vars["ROUTES"][0].clone();
    other["path"] = json!("/other");
    let name = strange.to_checksum();
    other["asset"] = json!({"address": name, "name": "Other", "version": "1", "decimals": 6});
    vars["ROUTES"].as_array_mut().unwrap().push(other);
    let mut session = Session::new();
    session.door = Door::with(&vars);
    session.parties.token = strange;
    session.id = session.parties.id(&escrow()).to_string();
    session.hash = session.door.node.open(session.parties, DEPOSIT);
    let challenge = session.challenge_of("/other");
    let opening = session.credential(&challenge, &session.opening(PRICE));
    session.door.signed = PRICE;
    let opened = session.door.send(get("/other").header("authorization", &opening), "").unwrap();
    assert_eq!((opened.status, session.door.served), (200, 1), "{}", opened.body);
    // The row of its channel is fresh: the contract is not asked again.
    assert_eq!(code(&session.pay(2 * PRICE)), 70_010);
    assert_eq!(session.door.served, 1);
    // Nothing of it is held: where it is at home it goes on.
    let challenge = session.challenge_of("/other");
    let voucher = session.credential(&challenge, &session.voucher("voucher", 2 * PRICE));
    let served = session.door.send(get("/other").header("authorization", &voucher), "").unwrap();
    assert_eq!((served.status, session.door.served), (200, 2), "{}", served.body);
}

#[test]
fn what_is_added_to_a_deposit_pays_on() {
    let mut session = Session::opened();
    assert_eq!(session.pay(10 * PRICE).status, 200);
    assert_eq!(code(&session.pay(12 * PRICE)), 70_012);
    let adding = session.adding(5 * PRICE);
    let answer = session.buy(&adding);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &body["action"]), (200, &json!("topUp")));
    assert_eq!(body["deposit"], (15 * PRICE).to_string());
    assert_eq!(session.pay(12 * PRICE).status, 200);
}

#[test]
pub fn what_was_earned_before_a_deposit_that_is_undone_is_settled() {
    let mut session = Session::opened();
    session.pay(10 * PRICE);
    let adding = session.adding(5 * PRICE);
    assert_eq!(session.buy(&adding).status, 200);
    for _ in 0..10 {
        assert_eq!(session.pay(11 * PRICE).status, 200);
    }
    let (id, left) = (session.id.clone(), session.door.now);
    let locked = session.door.node.channels.get_mut(&id).unwrap();
    (locked.deposit, locked.leaving) = (DEPOSIT, left);
    session.rest(330);
    assert_eq!(session.locked().0, DEPOSIT);
    // No transaction was sent that the contract refuses.
    assert_eq!(session.door.node.paid.len(), 1);
    // The chain has it after all: the rest is settled too.
    session.door.node.channels.get_mut(&id).unwrap().deposit += 5 * PRICE;
    session.rest(330);
    assert_eq!(session.locked().0, 11 * PRICE);
}

#[test]
fn a_close_pays_the_last_voucher_and_sends_the_rest_back() {
    let mut session = Session::opened();
    for request in 1..=4 {
        session.pay(request * PRICE);
    }
    let closing = session.voucher("close", 4 * PRICE);
    let answer = session.buy(&closing);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &body["action"], session.door.served), (200, &json!("close"), 4));
    let late = session.pay(5 * PRICE);
    assert_eq!((late.status, code(&late)), (409, 70_014));
    session.rest(15);
    assert_eq!(session.locked(), (4 * PRICE, 6 * PRICE, true));
    session.rest(60);
    assert_eq!(session.door.node.paid.len(), 1);
    let over = session.pay(5 * PRICE);
    assert_eq!((over.status, code(&over)), (410, 70_008));
}

#[test]
pub fn what_is_earned_is_settled_before_the_payer_withdraws() {
    let mut session = Session::opened();
    session.pay(4 * PRICE);
    let (id, left) = (session.id.clone(), session.door.now);
    session.door.node.channels.get_mut(&id).unwrap().leaving = left;
    session.rest(315);
    assert_eq!(session.locked().0, 4 * PRICE);
    assert_eq!(code(&session.pay(5 * PRICE)), 70_014);
    session.rest(600);
    session.door.node.withdraw(&id, left + 900);
    assert_eq!(session.locked(), (4 * PRICE, 6 * PRICE, true));
}

#[test]
pub fn a_voucher_that_stands_on_a_chain_pays_for_no_one() {
    let mut session = Session::opened();
    assert_eq!(session.pay(3 * PRICE).status, 200);
    let (id, left) = (session.id.clone(), session.door.now);
    session.door.node.channels.get_mut(&id).unwrap().leaving = left;
    session.rest(330);
    assert_eq!(session.locked().0, 3 * PRICE);
    // The payer stays after all.
    session.door.node.channels.get_mut(&id).unwrap().leaving = 0;
    session.rest(90);
    assert_eq!(session.open(0).status, 402);
    // Two thirds of it are not spent, and it stands on the chain.
    assert_eq!(session.door.book(), (PRICE, 3 * PRICE));
    let public = session.pay(3 * PRICE);
    assert_eq!((public.status, code(&public)), (402, 70_015));
    // They are the payer's: the next voucher spends them.
    for request in 2..=4 {
        assert_eq!(session.pay(4 * PRICE).body, format!("answer {request}"));
    }
    assert_eq!(session.door.book(), (4 * PRICE, 4 * PRICE));
}

#[test]
pub fn what_is_not_spent_is_not_claimed_while_the_payer_stays() {
    let mut session = Session::opened();
    session.pay(2 * PRICE);
    session.rest(2_000);
    assert_eq!(session.locked().0, 0);
    session.pay(2 * PRICE);
    session.rest(2_000);
    assert_eq!(session.locked().0, 2 * PRICE);
}

#[test]
pub fn a_transaction_that_is_stuck_is_replaced() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.door.node.manner = NodeManner::Waits;
    let closing = session.voucher("close", PRICE);
    session.buy(&closing);
    session.rest(150);
    let paid = session.door.node.paid.clone();
    assert!(paid.len() >= 6, "{paid:?}");
    assert!(paid.iter().all(|(nonce, _)| *nonce == 0), "{paid:?}");
    // What waits is at a price for which a node replaces it, each time.
    assert!(paid.windows(2).all(|pair| pair[1].1 * 10 >= pair[0].1 * 11), "{paid:?}");
    session.door.node.block(9);
    session.rest(90);
    assert_eq!(session.locked(), (PRICE, 9 * PRICE, true));
    assert_eq!((session.door.node.mined, session.door.node.reverted), (1, 0));
}

#[test]
fn a_voucher_alone_is_taken_without_the_origin() {
    let mut session = Session::opened();
    let voucher = session.voucher("voucher", 2 * PRICE);
    for method in ["HEAD", "POST"] {
        let answer = session.send(request(method, "/report/1"), &voucher).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!((session.door.served, session.door.book()), (0, (0, 2 * PRICE)));
    assert_eq!(session.pay(2 * PRICE).status, 200);
}

#[test]
fn what_the_origin_does_not_answer_costs_nothing() {
    let mut session = Session::opened();
    session.door.origin = OriginManner::Fails;
    assert!(session.pay(PRICE).status >= 500);
    assert_eq!(session.door.book(), (0, 0));
    session.door.origin = OriginManner::Serves;
    assert_eq!(session.pay(PRICE).status, 200);
}

#[test]
pub fn two_requests_at_once_need_a_voucher_for_both() {
    let mut session = Session::opened();
    let voucher = session.voucher("voucher", PRICE);
    let challenge = session.challenge();
    let credential = session.credential(&challenge, &voucher);
    let head = get("/report/1").header("authorization", &credential);
    let mut step = session.door.admit(head).unwrap();
    while !matches!(step, SessionStep::Forward(..)) {
        step = session.door.advance(step, "", "", &mut String::new()).unwrap().ok().unwrap();
    }
    assert_eq!(code(&session.buy(&voucher)), 70_015);
    assert_eq!(session.pay(2 * PRICE).status, 200);
}

#[test]
pub fn a_higher_voucher_leaves_what_is_held() {
    let mut session = Session::opened();
    let challenge = session.challenge();
    let credential = session.credential(&challenge, &session.voucher("voucher", 2 * PRICE));
    let head = get("/report/1").header("authorization", &credential);
    let mut step = session.door.admit(head).unwrap();
    while !matches!(step, SessionStep::Forward(..)) {
        step = session.door.advance(step, "", "", &mut String::new()).unwrap().ok().unwrap();
    }
    assert_eq!(session.pay(3 * PRICE).status, 200);
    let answer = session.door.run(step, "", "").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(session.door.book(), (2 * PRICE, 3 * PRICE));
}

#[test]
pub fn a_voucher_that_comes_while_a_transaction_is_made_is_public() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.door.now += 900;
    let asked = session.door.asks().unwrap();
    session.pay(2 * PRICE);
    session.door.hears(asked);
    assert_eq!((session.locked().0, session.door.published()), (2 * PRICE, 2 * PRICE));
}

#[test]
fn what_is_prepaid_while_a_transaction_is_made_stays() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.door.now += 900;
    let asked = session.door.asks().unwrap();
    session.pay(5 * PRICE);
    session.door.hears(asked);
    assert_eq!(session.locked().0, 0);
}

#[test]
fn a_machine_that_dies_at_any_step_takes_no_voucher_twice_and_loses_none() {
    let steps = {
        let mut session = Session::opened();
        session.door.dies_at(None);
        session.pay(PRICE);
        session.door.steps()
    };
    for step in 0..steps {
        let mut session = Session::opened();
        assert_eq!(session.pay(PRICE).status, 200);
        let challenge = session.challenge();
        let credential = session.credential(&challenge, &session.voucher("voucher", 2 * PRICE));
        let head = get("/report/1").header("authorization", &credential);
        session.door.dies_at(Some(step));
        let died = session.door.send(head.clone(), "");
        session.door.dies_at(None);
        let again = session.door.send(head, "").unwrap();
        assert_eq!(again.status, 200, "{step}: {}", again.body);
        assert_eq!(session.door.book(), (2 * PRICE, 2 * PRICE), "{step} {died:?}");
        let closing = session.voucher("close", 2 * PRICE);
        assert_eq!(session.buy(&closing).status, 200);
        session.rest(60);
        assert_eq!(session.locked(), (2 * PRICE, 8 * PRICE, true));
    }
    assert!(steps >= 6, "{steps}");
}

#[test]
fn a_route_sells_by_session_of_mpp_where_it_can() {
    let says = |edit: &dyn Fn(&mut Value)| {
        let mut vars = variables();
        edit(&mut vars);
        let errors = Gate::from_vars(&vars.to_string()).unwrap_err();
        assert!(errors.iter().any(|it| it.variable == "ROUTES[0].session_escrow"), "{errors:?}");
    };
    says(&|vars| vars["bindings"] = json!([]));
    says(&|vars| vars["RPC_URL"] = json!(""));
    says(&|vars| vars["PAYEE_KEY"] = json!(format!("0x{}", "08".repeat(32))));
    says(&|vars| vars["ROUTES"][0]["session_escrow"] = json!("0x12"));
    says(&|vars| vars["ROUTES"][0]["protocols"] = json!(["x402"]));
    let mut vars = variables();
    vars["PAYEE_KEY"] = json!("0x12");
    let errors = Gate::from_vars(&vars.to_string()).unwrap_err();
    assert!(errors.iter().any(|it| it.variable == "PAYEE_KEY"), "{errors:?}");
}
