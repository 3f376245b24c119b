//! What a host of the gate has to bring, in memory and without a network: a client reads a price, pays it, and every step of
//! that payment is carried out and printed. `cargo run -p farebox-core --example edge_in_memory`
#![allow(clippy::panic, clippy::unwrap_used, reason = "an example may panic")]

mod ledger;

use std::iter;

use farebox_core::client::{Exchange, Next, Policy};
use farebox_core::encoding::hex;
use farebox_core::evm::{account::Account, eip712::TypedData};
use farebox_core::facilitator::{
    breaker::Condition, payers::PayerHistory, reply::FacilitatorReply,
};
use farebox_core::gate::admission::Admission;
use farebox_core::gate::call::FacilitatorCall;
use farebox_core::gate::paid::{Collected, OriginReply, Step, Waiting};
use farebox_core::gate::reply::Body;
use farebox_core::gate::{Gate, attempts::Attempts, forward::OriginCall, isolate::Isolate};
use farebox_core::http::{RequestHead, ResponseHead};
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use self::ledger::Ledger;

/// The clock stands still; a host reads its own whenever it hands in an answer.
const NOW: UnixTime = UnixTime::from_secs(1_740_672_089);
/// What the facilitator says it has sent.
const TRANSACTION: &str = "0xabababababababababababababababababababababababababababababababab";
const URL: &str = "https://shop.example/report";

/// What a host has: the gate, a ledger, and whom it can ask.
struct Edge<'g> {
    gate: &'g Gate,
    ledger: Ledger,
    facilitator: fn(&FacilitatorCall) -> Value,
    origin: fn(&OriginCall) -> (ResponseHead, String),
    /// The steps that were carried out.
    trail: Vec<&'static str>,
}

impl Edge<'_> {
    fn ask(&self, call: &FacilitatorCall) -> FacilitatorReply {
        let body = (self.facilitator)(call).to_string();
        FacilitatorReply::Answer { status: 200, is_json: true, body }
    }

    fn note(&mut self, step: &'static str, asked: &str) {
        println!("{step:8} {asked}");
        self.trail.push(step);
    }

    /// Carries out one request.
    fn serve(&mut self, head: RequestHead) -> (ResponseHead, String) {
        // A host keeps the facilitators' condition, what it saw of payers and the counts of clients from one request to the next.
        let (facilitators, attempts) = (vec![Condition::default()], &mut Attempts::new());
        let mut around = Isolate {
            facilitators,
            payers: const { &PayerHistory::new() },
            attempts,
            client: None,
        };
        let mut step = match self.gate.admit(head, "a-random-name", &mut around, NOW) {
            Admission::Pay(step) => step,
            Admission::Respond(reply) => Step::Respond(reply),
            // Free requests, quotas, prices of another service, terms for one body: not configured here.
            _ => panic!("every route of this example has one price"),
        };
        let mut held = String::new();
        loop {
            step = match step {
                Step::Claim(call, next) => {
                    self.note("claim", &call.object);
                    next.answered(Some(self.ledger.order(&call, "", NOW)), NOW)
                }
                Step::Verify(call, next) => {
                    self.note("verify", &call.url);
                    next.answered(&self.ask(&call), NOW)
                }
                Step::Forward(call, next) => {
                    self.note("forward", &call.url);
                    let (head, body) = (self.origin)(&call);
                    held = body;
                    next.answered(OriginReply::Head(head), NOW)
                }
                Step::Collect(limits, next) => {
                    self.note("collect", &format!("at most {} bytes", limits.bytes));
                    next.answered(Collected::Whole { bytes: u64::try_from(held.len()).unwrap() })
                }
                Step::Settle(call, next) => {
                    self.note("settle", &call.url);
                    next.answered(&self.ask(&call), Waiting::Yes)
                }
                Step::Record(call, next) => {
                    self.note("record", &call.object);
                    next.answered(Some(self.ledger.order(&call, &held, NOW)), NOW)
                }
                Step::Respond(reply) => {
                    self.note("respond", &reply.head.status.to_string());
                    return match reply.body {
                        Body::Held => (reply.head, held),
                        Body::Text(text) => (reply.head, text),
                        Body::Empty => (reply.head, String::new()),
                    };
                }
                // Copies, transactions, bodies of requests, chains that can be read, answers that are too long to be kept.
                _ => panic!("no payment of this example comes here"),
            }
        }
    }
}

fn main() {
    let vars = json!({
        "ORIGIN_URL": "https://origin.example", "FACILITATOR_URL": "https://facilitator.example",
        "NETWORK": "eip155:84532", "PAY_TO": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
        "ROUTES": [{ "path": "/report", "price": "$0.01" }],
        "GATE_SECRET": "an example secret of 32 bytes, or more", "LEDGER_SALT": "an example salt of 16 bytes",
    });
    let gate = Gate::from_vars(&vars.to_string()).unwrap();
    let facilitator = |call: &FacilitatorCall| match call.url.ends_with("/verify") {
        true => json!({ "isValid": true }),
        false => json!({ "success": true, "transaction": TRANSACTION, "network": "eip155:84532" }),
    };
    let origin = |_: &OriginCall| (ResponseHead::from_text("200").unwrap(), "sunny".to_owned());
    let ledger = Ledger::new(gate.plan().clone());
    let mut edge = Edge { gate: &gate, ledger, facilitator, origin, trail: Vec::new() };

    let wallet = Account::from_candidates(iter::once(Secret::new([7; 32]))).unwrap();
    let policy = Policy::from_json(r#"{"perPayment": "0.05"}"#).unwrap();
    let mut exchange = Exchange::new(policy, "GET", URL, URL, wallet.address(), [1; 48]);
    let plain = RequestHead::from_text(&format!("GET\n{URL}\n\n")).unwrap();
    let (head, body) = edge.serve(plain.clone());
    let _ = exchange.answered(head.status, &head.headers, body.as_bytes(), NOW);
    // A payer keeps this record of what was spent.
    exchange.reserve(None, NOW).unwrap();
    let Next::Sign(data) = exchange.prepare(NOW) else { panic!("there is nothing to sign") };
    let signature = wallet.sign(&TypedData::from_json(&data).unwrap().digest()).unwrap();
    let signature = hex::encode_prefixed(&signature.to_bytes());
    let Next::Send { headers, .. } = exchange.signed(&signature, NOW) else { panic!("not sent") };

    let mut paying = plain;
    headers.iter().for_each(|(name, value)| paying.headers.add(name, value));
    let (head, body) = edge.serve(paying);
    let next = exchange.answered(head.status, &head.headers, body.as_bytes(), NOW);
    let Next::Return(Some(settlement)) = next else { panic!("{next:?}") };
    println!("paid by  {settlement}");
    assert_eq!((head.status, body.as_str()), (200, "sunny"));
    assert_eq!(
        settlement.get("transaction").and_then(serde_json::Value::as_str),
        Some(TRANSACTION)
    );
    let priced = ["respond"];
    let paid = ["claim", "verify", "forward", "collect", "record", "settle", "record", "respond"];
    assert_eq!(edge.trail, [priced.as_slice(), paid.as_slice()].concat());
}
