//! Reports of refunds: by the operator, and by who pays them from the payee's wallet and may do
//! nothing else.

use farebox_core::evm::rpc::TRANSFER;
use farebox_core::gate::Gate;
use farebox_core::gate::operator::{OperatorStep, QueryStep};
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::ledger::report::{ALWAYS, Decision, LOOKED, Undecided};
use farebox_core::ledger::shard::Decided;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::world::chain::{ASSET, topic, word};
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{BEGIN, PAY_TO, With, World, paid, request};

const OPERATOR: &str = "operator-0123456789abcdef0123456789";
const REFUNDER: &str = "refunder-0123456789abcdef0123456789";
const PAYER: &str = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
const OTHER: &str = "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc";
const ID: &str = "rcpt_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const HASH: &str = "0xefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef";

fn gate_vars() -> Value {
    let mut vars = World::chain_vars();
    vars["OPERATOR_TOKEN"] = json!(OPERATOR);
    vars["REFUND_TOKEN"] = json!(REFUNDER);
    vars["LEDGER_SHARDS"] = json!(1);
    vars
}

fn item(state: &str, network: &str) -> Value {
    json!({
        "id": ID, "key": "k", "state": state, "payer": PAYER, "payee": PAY_TO, "route": "/till/[quote]",
        "network": network, "asset": ASSET, "amount": "10000", "transaction": HASH, "facilitator": "f",
        "created_at": 1, "updated_at": 1, "reason": null,
    })
}

/// The node's reply about a transaction that moved this from there to the payer.
fn receipt(from: &str, amount: u64) -> String {
    let log = json!({
        "address": ASSET, "topics": [topic(&TRANSFER), word(from), word(PAYER)],
        "data": format!("0x{amount:064x}"), "blockNumber": "0x10", "transactionHash": HASH,
        "logIndex": "0x0", "removed": false,
    });
    let receipt = json!({
        "transactionHash": HASH, "status": "0x1", "blockNumber": "0x10", "logs": [log],
    });
    receipt.to_string()
}

/// The node's replies to these calls.
fn replies(asked: &str, receipt: &str) -> String {
    let calls: Value = serde_json::from_str(asked).unwrap();
    let receipt: Value = serde_json::from_str(receipt).unwrap();
    let results = calls.as_array().unwrap().iter().zip([json!("0x14a34"), receipt]);
    let replies =
        results.map(|(call, result)| json!({"jsonrpc": "2.0", "id": call["id"], "result": result}));
    Value::from(replies.collect::<Vec<_>>()).to_string()
}

fn code(reply: &Reply) -> (u16, String) {
    let Body::Text(body) = &reply.body else { panic!() };
    let body: Value = serde_json::from_str(body).unwrap();
    let said = body["code"].as_str().or(body["state"].as_str()).unwrap();
    (reply.head.status, said.to_owned())
}

/// What a request is answered, with what the object was told to decide.
fn asked(request: (&str, &str, Value), network: &str, node: &str) -> (u16, String, Vec<String>) {
    asked_at(&gate_vars(), request, network, node)
}

fn asked_at(
    vars: &Value,
    request: (&str, &str, Value),
    network: &str,
    node: &str,
) -> (u16, String, Vec<String>) {
    asked_of("refund_due", vars, request, network, node)
}

/// The same of a payment in this state.
fn asked_of(
    state: &str,
    vars: &Value,
    (token, path, body): (&str, &str, Value),
    network: &str,
    node: &str,
) -> (u16, String, Vec<String>) {
    let gate = Gate::from_vars(&vars.to_string()).unwrap();
    let head = request("POST", &format!("/_farebox/payments/{ID}/{path}"))
        .header("authorization", &format!("Bearer {token}"));
    let now = UnixTime::from_secs(BEGIN);
    let mut told = Vec::new();
    let step = gate.operator().begin(&head, Some(&body.to_string()), "correlation", now).unwrap();
    let mut query = match step {
        OperatorStep::OperatorQuery(query) => query,
        OperatorStep::Answer(reply) => {
            let (status, said) = code(&reply);
            return (status, said, told);
        }
        _ => panic!(),
    };
    loop {
        match query.turn() {
            QueryStep::Answer(reply) => {
                let (status, said) = code(&reply);
                return (status, said, told);
            }
            QueryStep::Channels(..) => query.summed(Some("[]")),
            QueryStep::Chain(_, calls) => query.read(Some(replies(&calls, node).as_bytes())),
            QueryStep::Ask(calls) => {
                let answers = calls.iter().map(|call| match call.command.contains("\"decide\"") {
                    false => Some(json!({"item": item(state, network)}).to_string()),
                    true => {
                        told.push(call.command.clone());
                        Some(json!({"decided": item("refunded", network)}).to_string())
                    }
                });
                let answers: Vec<_> = answers.collect();
                query.answered(answers);
            }
        }
    }
}

//
#[test]
fn a_question_about_one_payment_asks_the_objects_alone_that_may_have_it() {
    let mut vars = gate_vars();
    vars["LEDGER_SHARDS"] = json!("2048,16");
    let gate = Gate::from_vars(&vars.to_string()).unwrap();
    let count = |method: &str, path: &str, body: Option<&str>| {
        let head = request(method, &format!("/_farebox/payments/{path}"))
            .header("authorization", &format!("Bearer {OPERATOR}"));
        let step = gate.operator().begin(&head, body, "correlation", UnixTime::from_secs(BEGIN));
        let Some(OperatorStep::OperatorQuery(mut query)) = step else { panic!("{path}") };
        let mut count = 0;
        loop {
            match query.turn() {
                QueryStep::Answer(reply) => return (code(&reply).1, count),
                QueryStep::Ask(calls) => {
                    count += calls.len();
                    query.answered(calls.iter().map(|_| Some(json!({"item": null}).to_string())));
                }
                QueryStep::Channels(..) | QueryStep::Chain(..) => panic!("{path}"),
            }
        }
    };
    // Two of 2,048 objects share a name, and one of the 16 before has it too.
    let begin = json!({"restored": true, "sold": true, "key": "exchange"}).to_string();
    let far = format!("rcpt_{}7", "a".repeat(25));
    assert_eq!(count("GET", ID, None), ("not_found".to_owned(), 3));
    assert_eq!(count("GET", &far, None), ("not_found".to_owned(), 2));
    assert_eq!(
        count("POST", &format!("{ID}/refunding"), Some(&begin)),
        ("not_found".to_owned(), 3)
    );
    vars["LEDGER_SHARDS"] = json!(16);
    let gate = Gate::from_vars(&vars.to_string()).unwrap();
    let head = request("GET", &format!("/_farebox/payments/{far}"))
        .header("authorization", &format!("Bearer {OPERATOR}"));
    let step = gate.operator().begin(&head, None, "correlation", UnixTime::from_secs(BEGIN));
    let Some(OperatorStep::OperatorQuery(mut query)) = step else { panic!() };
    let QueryStep::Answer(reply) = query.turn() else { panic!("no object has such a name") };
    assert_eq!(code(&reply), (404, "not_found".to_owned()));
}

const CHAIN: &str = "eip155:84532";

//
#[test]
pub fn no_program_begins_under_the_key_of_a_treasury() {
    let begin = |key: &str| {
        let body = json!({"key": key});
        let (status, said, told) = asked((OPERATOR, "refunding", body), CHAIN, "null");
        (status, said, told.len())
    };
    assert_eq!(begin("treasury:acme"), (400, "invalid_request".to_owned(), 0));
    assert_eq!(begin("treasury").2, 1);
    // A person takes back under it what hangs.
    let body = json!({"refunding_id": 2, "key": "treasury:acme"});
    assert_eq!(asked((OPERATOR, "not-refunded", body), CHAIN, "null").2.len(), 1);
}

/// A route that serves a repeat after its origin failed.
fn twice() -> Value {
    crate::world::vars(json!([
        {"path": "/twice", "price": "$0.01", "settle": "before", "idempotent": true},
    ]))
}

/// One of that route, with a debt.
fn indebted() -> Debt {
    let mut world = World::with(twice());
    let payment = world.sign_as("/twice", "canary-identifier");
    world.origin.plan.push_back(Say::Lost);
    let owed = world.present(&payment);
    assert_eq!(owed.problem(), "refund_due");
    let id = owed.json()["payment"].as_str().unwrap().to_owned();
    Debt { world, payment, id }
}

fn refunding(known_since: u64) -> Decision {
    Decision::Refunding { known_since, key: None, sold: false }
}

fn not_refunded(begun: u64) -> Decision {
    Decision::NotRefunded { begun, key: None }
}

struct Debt {
    world: World,
    payment: Payment,
    id: String,
}

impl Debt {
    fn decide(&mut self, decision: &Decision) -> Result<(), Undecided> {
        match self.world.ledger.decided(&self.id, decision, self.world.now()) {
            Decided::Done(..) => Ok(()),
            Decided::Undecided(why) => Err(why),
            Decided::NoRow => panic!("{}", self.id),
        }
    }
}

//
#[test]
pub fn what_is_being_paid_back_is_served_to_no_one() {
    let mut debt = indebted();
    assert_eq!(debt.decide(&refunding(0)), Ok(()));
    assert_eq!(debt.world.present(&debt.payment).problem(), "refund_due");
    assert_eq!(debt.world.origin.calls.len(), 1);
    let hash = "0x".to_owned() + &"ab".repeat(32);
    assert_eq!(debt.decide(&Decision::Refunded(hash)), Ok(()));
    assert_eq!(debt.world.ledger.state().name(), "refunded");
    let mut debt = indebted();
    assert_eq!(debt.decide(&refunding(0)), Ok(()));
    let begun = debt.world.ledger.fence();
    assert_eq!(debt.decide(&not_refunded(begun)), Ok(()));
    assert!(debt.world.present(&debt.payment).is_delivery(), "it was not sent");
    assert_eq!(debt.decide(&refunding(0)), Err(Undecided::WrongState));
}

//
#[test]
pub fn what_a_program_has_sold_is_paid_back_by_no_one_and_served_to_a_repeat() {
    let sold = |sold| Decision::Refunding { known_since: 0, key: Some("till".to_owned()), sold };
    for begins in [false, true] {
        let mut debt = indebted();
        if begins {
            assert_eq!(debt.decide(&sold(false)), Ok(()));
        }
        for _ in 0..2 {
            assert_eq!(debt.decide(&sold(true)), Ok(()));
            assert_eq!(debt.world.ledger.state().name(), "sold");
        }
        let before = debt.world.ledger.fence();
        for decision in
            [refunding(0), sold(false), Decision::Waived("no".to_owned()), not_refunded(before)]
        {
            let ended = match decision {
                Decision::NotRefunded { .. } => Undecided::WrongState,
                _ => Undecided::RefundEnded,
            };
            assert_eq!(debt.decide(&decision), Err(ended));
        }
        // A repeat that the origin does not answer either, or whose lease ends, makes no debt of it.
        debt.world.origin.plan.push_back(Say::Lost);
        assert_eq!(debt.world.present(&debt.payment).problem(), "payment_in_progress");
        assert_eq!(debt.world.ledger.state().name(), "sold");
        assert!(debt.world.present(&debt.payment).is_delivery());
        assert_eq!(debt.world.ledger.state().name(), "delivered");
    }
    // What a person has paid back before they heard of it is in the books.
    let mut debt = indebted();
    assert_eq!(debt.decide(&sold(true)), Ok(()));
    assert_eq!(debt.decide(&Decision::Refunded("0x".to_owned() + &"ab".repeat(32))), Ok(()));
    assert_eq!(debt.world.ledger.state().name(), "refunded");
}

//
#[test]
pub fn what_a_program_answers_for_is_no_debt_though_its_response_is_lost() {
    let sold = Decision::Refunding { known_since: 0, key: Some("till".to_owned()), sold: true };
    let begins = Decision::Refunding { known_since: 0, key: Some("till".to_owned()), sold: false };
    for is_lost in [true, false] {
        let mut world = World::with(twice());
        let payment = world.sign_as("/twice", "canary-identifier");
        if is_lost {
            world.origin.plan.push_back(Say::Lost);
        }
        let mut running = world.start(paid(&payment), b"");
        while running.next() != "settle" {
            assert!(world.advance(&mut running));
        }
        let id = world.row_of(&payment.nonce).payment.receipt;
        let mut debt = Debt { world, payment, id };
        // Nobody knows yet whether there will be anything to answer for.
        let early = Err(Undecided::RefundEarly(debt.world.now().secs()));
        assert_eq!(debt.decide(&sold), early);
        while running.next() != "forward" {
            assert!(debt.world.advance(&mut running));
        }
        for decision in [begins.clone(), refunding(0)] {
            assert_eq!(debt.decide(&decision), Err(Undecided::WrongState));
        }
        assert_eq!(debt.decide(&sold), Ok(()));
        debt.world.wait(1);
        assert_eq!(debt.decide(&sold), Ok(()), "a second word is the first one");
        while debt.world.advance(&mut running) {}
        let response = running.response.unwrap();
        if is_lost {
            assert_eq!(response.problem(), "payment_in_progress");
            assert_eq!(debt.world.ledger.state().name(), "sold");
            assert_eq!(debt.decide(&refunding(0)), Err(Undecided::RefundEnded));
            assert!(debt.world.present(&debt.payment).is_delivery(), "a repeat is served");
        }
        assert_eq!(debt.world.ledger.state().name(), "delivered");
        assert_eq!(debt.decide(&sold), Err(Undecided::WrongState));
    }
}

//
#[test]
pub fn of_two_who_pay_a_debt_back_one_does() {
    let mut debt = indebted();
    let begun = Err(Undecided::RefundBegun(debt.world.now().secs()));
    assert_eq!(debt.decide(&refunding(0)), Ok(()));
    debt.world.wait(60);
    assert_eq!(debt.decide(&refunding(0)), begun);
    assert_eq!(debt.decide(&Decision::Waived("no".to_owned())), begun);
    assert_eq!(debt.decide(&refunding(0)), begun);
}

//
#[test]
pub fn a_begin_is_taken_back_by_whoever_made_it() {
    let mut debt = indebted();
    assert_eq!(debt.decide(&refunding(0)), Ok(()));
    let first = debt.world.ledger.fence();
    assert_eq!(debt.decide(&not_refunded(first)), Ok(()));
    assert_eq!(debt.decide(&refunding(0)), Ok(()));
    // Whoever began first refuses in their wallet now, within the same second.
    let begun = Err(Undecided::RefundBegun(debt.world.now().secs()));
    assert_eq!(debt.decide(&not_refunded(first)), begun);
    assert_eq!(debt.world.present(&debt.payment).problem(), "refund_due");
    assert_eq!(debt.world.origin.calls.len(), 1);
}

//
#[test]
fn a_debt_of_before_a_restore_is_paid_back_by_a_word_of_its_own() {
    let mut debt = indebted();
    let restored = debt.world.now().secs() + 1;
    assert_eq!(debt.decide(&refunding(restored)), Err(Undecided::RefundRestored));
    assert_eq!(debt.decide(&refunding(restored - 1)), Ok(()));
    let mut vars = gate_vars();
    for (closed, body, expected) in [
        (None, json!({}), Some(ALWAYS)),
        (None, json!({"restored": true}), Some(LOOKED)),
        (Some(BEGIN), json!({}), Some(BEGIN)),
        (Some(BEGIN), json!({"restored": false}), Some(BEGIN)),
        (Some(BEGIN), json!({"restored": true}), Some(LOOKED)),
        (Some(BEGIN), json!({"restored": "yes"}), None),
        (Some(BEGIN), json!({"because": true}), None),
    ] {
        if let Some(closed) = closed {
            vars["LEDGER_CLOSED_BEFORE"] = json!(closed);
        }
        let (status, _, told) = asked_at(&vars, (OPERATOR, "refunding", body.clone()), CHAIN, "{}");
        let decision =
            expected.map(|secs| json!({"refunding": {"known_since": secs, "sold": false}}));
        let sent = told.first().map(|text| {
            serde_json::from_str::<Value>(text).unwrap()["operator"]["decide"]["decision"].clone()
        });
        assert_eq!((status == 200, sent), (expected.is_some(), decision), "{body}");
    }
}

#[test]
fn a_refusal_says_since_when_a_refund_is_under_way_and_until_when_it_is_too_early() {
    let (begun, early) = (BEGIN + 5, BEGIN + 3_600);
    for (why, code, time) in [
        (json!({"refund_begun": begun}), "refund_begun", Some(("refunding", begun))),
        (json!({"refund_early": early}), "refund_early", Some(("until", early))),
        (json!("refund_restored"), "refund_restored", None),
        (json!("wrong_state"), "wrong_state", None),
    ] {
        let gate = Gate::from_vars(&gate_vars().to_string()).unwrap();
        let head = request("POST", &format!("/_farebox/payments/{ID}/refunding"))
            .header("authorization", &format!("Bearer {OPERATOR}"));
        let now = UnixTime::from_secs(BEGIN);
        let Some(OperatorStep::OperatorQuery(mut query)) =
            gate.operator().begin(&head, Some("{}"), "c", now)
        else {
            panic!()
        };
        assert!(matches!(query.turn(), QueryStep::Ask(_)));
        query.answered([Some(json!({"undecided": why}).to_string())]);
        let QueryStep::Answer(reply) = query.turn() else { panic!() };
        let Body::Text(body) = &reply.body else { panic!() };
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!((reply.head.status, body["code"].as_str()), (409, Some(code)));
        if let Some((name, secs)) = time {
            assert_eq!(body[name], UnixTime::from_secs(secs).rfc3339());
        }
    }
}

#[test]
pub fn a_refund_is_reported_with_its_own_token_if_the_payees_wallet_sent_it() {
    let body = json!({"transaction": HASH});
    let (own, other, less) =
        (receipt(PAY_TO, 10_000), receipt(OTHER, 10_000), receipt(PAY_TO, 9_999));
    for (token, node, expected) in [
        (REFUNDER, &own, (200, "refunded", 1)),
        (REFUNDER, &other, (409, "refund_unproven", 0)),
        (REFUNDER, &less, (409, "refund_unproven", 0)),
        (OPERATOR, &own, (200, "refunded", 1)),
        (OPERATOR, &other, (200, "refunded", 1)),
        (OPERATOR, &less, (409, "refund_unproven", 0)),
        ("", &own, (401, "unauthorized", 0)),
        (&REFUNDER[1..], &own, (401, "unauthorized", 0)),
    ] {
        let (status, said, told) = asked((token, "refunded", body.clone()), CHAIN, node);
        assert_eq!((status, said.as_str(), told.len()), expected, "{token} {node}");
    }
    for (state, expected) in
        [("sold", "refunded"), ("refunded", "refunded"), ("delivered", "wrong_state")]
    {
        let request = (REFUNDER, "refunded", body.clone());
        let (_, said, _) = asked_of(state, &gate_vars(), request, CHAIN, &own);
        assert_eq!(said, expected, "{state}");
    }
}

#[test]
fn without_a_node_only_the_operators_word_counts() {
    let own = receipt(PAY_TO, 10_000);
    let body = json!({"transaction": HASH});
    let blind = asked((REFUNDER, "refunded", body.clone()), "eip155:8453", &own);
    assert_eq!((blind.0, blind.1.as_str(), blind.2.len()), (503, "chain_unavailable", 0));
    let word = asked((OPERATOR, "refunded", body), "eip155:8453", &own);
    assert_eq!((word.0, word.1.as_str(), word.2.len()), (200, "refunded", 1));
}

//
#[test]
pub fn the_word_of_a_program_about_another_chain_ends_no_debt() {
    const SOLANA: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";
    let own = receipt(PAY_TO, 10_000);
    let name =
        "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW";
    for network in [SOLANA, CHAIN] {
        let word = |token| asked((token, "refunded", json!({"transaction": name})), network, &own);
        assert_eq!(word(REFUNDER), (503, "chain_unavailable".to_owned(), Vec::new()), "{network}");
        assert_eq!(word(OPERATOR).2.len(), 1, "{network}");
    }
}

//
#[test]
pub fn who_refunds_begins_and_ends_that_and_decides_and_sees_nothing_else() {
    let own = receipt(PAY_TO, 10_000);
    for (path, body, expected) in [
        (
            "refunding",
            json!({"key": "till"}),
            json!({"refunding": {"known_since": ALWAYS, "key": "till", "sold": false}}),
        ),
        (
            "not-refunded",
            json!({"refunding_id": 7, "key": "till"}),
            json!({"not_refunded": {"begun": 7, "key": "till"}}),
        ),
    ] {
        let (status, _, told) = asked((REFUNDER, path, body), CHAIN, &own);
        let told: Value = serde_json::from_str(&told[0]).unwrap();
        assert_eq!((status, &told["operator"]["decide"]["decision"]), (200, &expected), "{path}");
    }
    for body in [
        json!({"sold": true}),
        json!({"key": ""}),
        json!({"key": "a b"}),
        json!({"key": "k".repeat(65)}),
    ] {
        assert_eq!(asked((REFUNDER, "refunding", body), CHAIN, &own).0, 400);
    }
    for body in [json!({}), json!({"refunding_id": "7"}), json!({"refunding_id": -7})] {
        let (status, _, told) = asked((OPERATOR, "not-refunded", body), CHAIN, &own);
        assert_eq!((status, told.len()), (400, 0));
    }
    for (path, body) in [
        ("waived", json!({"reason": "no"})),
        ("resolve", json!({"as": "void", "reason": "no"})),
        ("resolve", json!({"as": "delivered", "reason": "no", "transaction": HASH})),
    ] {
        let (status, _, told) = asked((REFUNDER, path, body), CHAIN, &own);
        assert_eq!((status, told.len()), (401, 0), "{path}");
    }
    let gate = Gate::from_vars(&gate_vars().to_string()).unwrap();
    let now = UnixTime::from_secs(BEGIN);
    for path in
        ["payments", "payments/x", "totals", "audit", "export?format=csv", "metrics", "failures"]
    {
        let head = request("GET", &format!("/_farebox/{path}"))
            .header("authorization", &format!("Bearer {REFUNDER}"));
        let Some(OperatorStep::Answer(reply)) = gate.operator().begin(&head, None, "c", now) else {
            panic!("{path}")
        };
        assert_eq!(code(&reply), (401, "unauthorized".to_owned()), "{path}");
    }
}

//
#[test]
pub fn a_program_takes_back_no_begin_of_a_person_or_of_the_treasury() {
    let own = receipt(PAY_TO, 10_000);
    for (path, body) in [
        ("refunding", json!({})),
        ("not-refunded", json!({"refunding_id": 7})),
        ("not-refunded", json!({"refunding_id": 7, "key": "treasury:acme"})),
    ] {
        let (status, wrong, told) = asked((REFUNDER, path, body.clone()), CHAIN, &own);
        assert_eq!((status, told.len()), (400, 0), "{path} {body}: {wrong}");
        assert_eq!(asked((OPERATOR, path, body), CHAIN, &own).0, 200, "{path}");
    }
}

#[test]
fn the_token_for_refunds_is_long_is_no_other_and_needs_a_node() {
    let errors = |change: &dyn Fn(&mut Value)| -> Vec<String> {
        let mut vars = gate_vars();
        change(&mut vars);
        match Gate::from_vars(&vars.to_string()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        }
    };
    assert!(errors(&|_| ()).is_empty());
    let said = |found: Vec<String>, start: &str| {
        assert!(found.iter().any(|error| error.starts_with(start)), "{start}: {found:?}");
    };
    said(
        errors(&|vars| vars["REFUND_TOKEN"] = json!("short")),
        "REFUND_TOKEN: must have at least 32",
    );
    said(
        errors(&|vars| vars["REFUND_TOKEN"] = json!(OPERATOR)),
        "REFUND_TOKEN: is the OPERATOR_TOKEN",
    );
    let mut blind = crate::world::vars(crate::world::routes());
    blind["REFUND_TOKEN"] = json!(REFUNDER);
    said(errors(&|vars| *vars = blind.clone()), "REFUND_TOKEN: needs RPC_URL");
}
