//! Refusals of a session by MPP: the code, the sentence and the challenge to go on with.

use serde_json::{Value, json};

use super::door::{Answer, PRICE, account};
use super::mpp_payer::{DEPOSIT, PAYER, Session, challenges, code};
use super::sales::opened;
use crate::world::{CHAIN, With, get, request};

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

/// The answer to a voucher whose credential says that it is of this account.
fn paid_as(session: &mut Session, source: &str, cumulative: u64) -> Answer {
    let challenge = session.challenge();
    let credential =
        session.credential_of(Some(source), &challenge, &session.voucher("voucher", cumulative));
    session.door.send(get("/report/1").header("authorization", &credential), "").unwrap()
}

#[test]
fn a_refusal_names_itself_and_the_challenge_to_answer() {
    let mut session = Session::opened();
    session.pay(PRICE);
    for (payload, code, title) in [
        (session.voucher("voucher", PRICE), 70_015, "Insufficient Balance"),
        (session.voucher("voucher", DEPOSIT + 1), 70_012, "Amount Exceeds Deposit"),
        (json!({"action": "voucher"}), 70_003, "Malformed Credential"),
    ] {
        let answer = session.buy(&payload);
        let told = body(&answer);
        assert_eq!((&told["code"], &told["title"]), (&json!(code), &json!(title)));
        let sentence = told["detail"].as_str().unwrap();
        assert!(sentence.split(' ').count() > 5, "{sentence}");
        assert_eq!(told["challengeId"], challenges(&answer)[0].id);
        assert_eq!(told["status"], answer.status);
    }
}

#[test]
fn a_voucher_that_is_only_taken_is_told_how_many_units_are_spent() {
    let mut session = Session::opened();
    for count in 1..=3 {
        session.pay(count * PRICE);
    }
    let head = request("HEAD", "/report/1");
    let voucher = session.voucher("voucher", 5 * PRICE);
    let told = body(&session.send(head, &voucher).unwrap());
    assert_eq!((&told["spent"], &told["units"]), (&json!((3 * PRICE).to_string()), &json!(3)));
    // Whoever adds to a deposit need not be the payer.
    let adding = session.adding(PRICE);
    let told = body(&session.buy(&adding));
    assert_eq!((&told["spent"], &told["units"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_close_below_what_was_accepted_is_refused_as_the_dialect_does() {
    let mut session = Session::opened();
    session.pay(3 * PRICE);
    let closing = session.voucher("close", 2 * PRICE);
    assert_eq!(code(&session.buy(&closing)), 70_012);
    assert_eq!(session.pay(4 * PRICE).status, 200);
}

#[test]
fn a_signature_of_another_length_is_no_signature() {
    let mut session = Session::opened();
    let mut voucher = session.voucher("voucher", PRICE);
    for signature in ["0x", &session.signature(PRICE, PAYER)[..130]] {
        voucher["signature"] = json!(signature);
        assert_eq!(code(&session.buy(&voucher)), 70_004, "{signature}");
    }
    assert_eq!(session.door.served, 0);
}

#[test]
fn a_credential_says_that_it_is_of_the_payer_or_of_no_one() {
    let mut session = Session::opened();
    let of = |account: &str| format!("did:pkh:eip155:{CHAIN}:{account}");
    let payer = session.parties.payer;
    assert_eq!(paid_as(&mut session, &of(&payer.to_lower_hex()), PRICE).status, 200);
    let other = account(2).address().to_checksum();
    let elsewhere = format!("did:pkh:eip155:1:{payer}");
    for source in [of(&other), elsewhere, "did:web:example.com".to_owned()] {
        let refused = paid_as(&mut session, &source, 2 * PRICE);
        assert_eq!(code(&refused), 70_003, "{source}");
    }
    // Nothing was charged, and the price is not held any more.
    assert_eq!((session.door.served, session.door.book().0), (1, PRICE));
    assert_eq!(session.pay(DEPOSIT).status, 200);
}

#[test]
fn a_payment_by_x402_that_names_another_page_buys_nothing() {
    let mut door = opened();
    let mut payment = door.payment("voucher", 2 * PRICE);
    let served = door.served;
    payment["resource"]["url"] = json!("https://shop.example/report/2");
    let refused = door.buy(&payment, "1");
    assert_eq!((refused.status, &body(&refused)["code"]), (402, &json!("resource_mismatch")));
    assert_eq!(door.served, served);
    payment["resource"]["url"] = json!("https://elsewhere.example/report/1");
    assert_eq!(door.buy(&payment, "1").status, 200);
    // What goes back is asked for at any page.
    let mut refund = door.payment("refund", 2 * PRICE);
    refund["resource"]["url"] = json!("https://shop.example/report/2");
    assert_eq!(door.buy(&refund, "1").status, 200);
}

#[test]
fn a_voucher_by_x402_that_is_refused_is_not_said_to_be_for_other_terms() {
    let mut door = opened();
    let payment = door.payment("voucher", 3 * PRICE);
    let refused = door.buy(&payment, "1");
    let told = body(&refused);
    assert_eq!((refused.status, &told["code"]), (402, &json!("session_refused")));
    assert_eq!(told["error"], "invalid_batch_settlement_evm_cumulative_amount_mismatch");
}
