//! Sessions by MPP: what payers of OKX's shape send, and what they get.

use farebox_core::evm::known::KnownSigner;
use farebox_core::gate::Gate;
use farebox_core::gate::session::step::SessionStep;
use farebox_core::mpp::session::SessionTerms;
use serde_json::{Value, json};

use super::chain::units;
use super::door::{Door, OriginManner, PRICE, account};
use super::mpp_payer::{DEPOSIT, Session, challenge_of, challenges, code, receipt, variables};
use super::node::{NodeManner, escrow};
use crate::world::{CHAIN, With, get, request};

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
    for (accepts, intents) in [
        ("evm/session", &["session"][..]),
        ("evm/charge", &["charge"]),
        ("evm/charge, evm/session", &["charge", "session"]),
        ("evm/charge;q=0.1, evm/session;q=0.9", &["session", "charge"]),
        ("evm/charge;q=0.5, evm/session;q=0.25", &["charge", "session"]),
        ("evm/session;q=0", &["charge"]),
        ("evm/charge, evm/session; q=0.000", &["charge"]),
        ("evm/charge;q=0", &["session"]),
        ("evm/charge;q=x, evm/session;q=0.9", &["charge", "session"]),
        // What payers cannot read changes nothing here, either.
        ("evm/session;q=0, evm/charge;q=1.5", &["charge", "session"]),
        ("evm/session;q=0, tempo", &["charge", "session"]),
    ] {
        let head = get("/report/1").header("accept-payment", accepts);
        let answer = session.door.send(head, "").unwrap();
        assert_eq!(
            challenges(&answer).iter().map(|it| it.intent.as_str()).collect::<Vec<_>>(),
            intents,
            "{accepts}"
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

//
#[test]
pub fn another_part_of_a_download_is_another_request_under_the_same_key() {
    let mut session = Session::opened();
    let challenge = session.challenge();
    let credential = session.credential(&challenge, &session.voucher("voucher", 3 * PRICE));
    let mut part = |range: &str| {
        let head = get("/report/1").header("authorization", &credential);
        let head = head.header("idempotency-key", "one-download").header("range", range);
        let answer = session.door.send(head, "").unwrap();
        (answer.status, answer.body.clone(), answer.head.headers.get("payment-replayed").is_some())
    };
    assert_eq!(part("bytes=0-9"), (200, "answer 1".to_owned(), false));
    assert_eq!(part("bytes=10-19"), (200, "answer 2".to_owned(), false));
    assert_eq!(part("bytes=10-19"), (200, "answer 2".to_owned(), true));
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
    let signer = account(1).address();
    // Genuine ones above the deposit count for nothing.
    for count in 2..8 {
        let above = session.voucher("voucher", count * 1_000 * PRICE);
        assert_eq!(session.buy(&above).status, 402);
    }
    for count in 1..=6 {
        let known = session.door.payers.signers.get(&signer).is_some_and(KnownSigner::is_known);
        assert_eq!(known, count > 4, "{count}");
        assert_eq!(session.pay(count * PRICE).status, 200);
    }
    let mut wrong = session.voucher("voucher", 7 * PRICE);
    for signature in [session.signature(7 * PRICE, 2), session.signature(8 * PRICE, 1)] {
        wrong["signature"] = json!(signature);
        let refused = session.buy(&wrong);
        assert_eq!((refused.status, code(&refused)), (402, 70_004));
    }
    assert_eq!(session.door.served, 6);
    assert_eq!(session.pay(7 * PRICE).body, "answer 7");
}

//
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

//
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

//
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

//
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

//
#[test]
pub fn a_node_that_stands_still_sells_nothing_to_a_payer_who_withdraws() {
    let mut session = Session::opened();
    let (id, left) = (session.id.clone(), session.door.now);
    session.door.node.stands_still();
    session.door.node.channels.get_mut(&id).unwrap().leaving = left;
    for minute in 1..=14 {
        session.rest(60);
        let answer = session.pay(10 * PRICE);
        // What it has shown counts for a minute more, and then for five.
        match minute {
            0..6 => assert_eq!(answer.status, 200, "{minute}: {}", answer.body),
            _ => assert_eq!((answer.status, code(&answer)), (500, 8_000), "{minute}"),
        }
    }
    assert_eq!(session.door.served, 5);
    session.door.node.still = None;
    session.door.now = left + 900;
    session.door.node.withdraw(&id, left + 900);
    let over = session.pay(10 * PRICE);
    assert_eq!((over.status, code(&over)), (410, 70_008));
}

//
#[test]
pub fn a_node_that_stands_still_does_not_bring_back_a_payer_who_was_seen_to_withdraw() {
    let mut session = Session::opened();
    let (id, behind) = (session.id.clone(), session.door.node.clone());
    session.door.now += 300;
    session.door.node.channels.get_mut(&id).unwrap().leaving = session.door.now;
    assert_eq!(code(&session.pay(PRICE)), 70_014);
    session.door.node.still = Some(Box::new(behind));
    for _ in 0..9 {
        session.rest(60);
        assert!([70_014, 8_000].contains(&code(&session.pay(PRICE))));
    }
    assert_eq!(session.door.served, 0);
}

//
#[test]
pub fn a_chain_that_makes_a_block_for_each_transaction_sells_while_it_makes_none() {
    let mut session = Session::new();
    session.door.node.is_young = true;
    session.door.node.now = session.door.now;
    assert_eq!(session.open(PRICE).status, 200);
    session.door.node.stands_still();
    for request in 2..=4 {
        session.door.now += 1_800;
        assert_eq!(session.pay(request * PRICE).status, 200);
    }
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
