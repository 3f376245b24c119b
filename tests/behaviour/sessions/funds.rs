//! Deposits that payers sign and the gate sends: what is sent, and what is refused before it costs gas.

use farebox_core::channel::config::top_up_nonce;
use farebox_core::encoding::hex;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::gate::Gate;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::chain::units;
use super::door::{Door, PRICE, account};
use super::mpp_payer::{DEPOSIT, Session, challenge_of, code, variables};
use super::node::{ESCROW, escrow};
use super::token::separator;
use crate::world::{With, get};

const PAYER: u8 = 1;
/// The least deposit that the route has sent.
pub const LEAST: u64 = 5 * PRICE;

/// The variables of a gate that sends deposits.
pub fn sending() -> Value {
    let mut vars = variables();
    vars["ROUTES"][0]["session_fee_payer"] = json!("$0.05");
    vars
}

/// A gate that sends deposits, and a payer who has tokens and no gas.
pub fn session() -> Session {
    let mut session = Session::new();
    session.door = Door::with(&sending());
    session.door.node.tokens.insert(session.parties.payer, 2 * DEPOSIT);
    session
}

pub fn signed(session: &Session, value: u64, nonce: [u8; 32], by: u8) -> (Value, String) {
    let before = session.door.now + 300;
    let authorization = Authorization {
        from: session.parties.payer,
        to: escrow().address,
        value: units(value),
        valid_after: UnixTime::from_secs(0),
        valid_before: UnixTime::from_secs(before),
        nonce,
    };
    let digest = authorization.receive_digest(&separator(session.parties.token));
    let signature = hex::encode_prefixed(&account(by).sign(&digest).unwrap().to_bytes());
    let members = json!({
        "type": "eip-3009", "from": session.parties.payer.to_checksum(), "to": ESCROW,
        "value": value.to_string(), "validAfter": "0", "validBefore": before.to_string(),
        "nonce": hex::encode_prefixed(&nonce),
    });
    (members, signature)
}

/// What opens the channel of a session with this deposit, and a voucher.
pub fn opening(session: &Session, value: u64, cumulative: u64) -> Value {
    opening_by(session, value, cumulative, PAYER)
}

/// The same, the deposit signed by this account.
pub fn opening_by(session: &Session, value: u64, cumulative: u64, by: u8) -> Value {
    let (authorization, signature) =
        signed(session, value, session.parties.open_nonce_of_okx(&[]), by);
    json!({
        "action": "open", "type": "transaction", "channelId": session.id,
        "salt": format!("0x{}", "05".repeat(32)), "authorization": authorization,
        "signature": signature, "cumulativeAmount": cumulative.to_string(),
        "voucherSignature": session.signature(cumulative, PAYER),
    })
}

pub fn adding(session: &mut Session, value: u64, salt: u8) -> Value {
    session.door.now += 2;
    let channel = session.parties.id(&escrow());
    let nonce = top_up_nonce(&channel, units(value), session.parties.payer, &[salt; 32]);
    let (authorization, signature) = signed(session, value, nonce, PAYER);
    json!({
        "action": "topUp", "type": "transaction", "channelId": session.id,
        "topUpSalt": hex::encode_prefixed(&[salt; 32]), "authorization": authorization,
        "signature": signature, "additionalDeposit": value.to_string(),
    })
}

/// What the channel has in the contract, what its payer has left, and the transactions of the payee: sent and in vain.
pub fn books(session: &Session) -> (u64, u64, usize, u64) {
    let node = &session.door.node;
    let deposit = node.channels.get(&session.id).map_or(0, |locked| locked.deposit);
    (deposit, node.tokens[&session.parties.payer], node.paid.len(), node.reverted)
}

#[test]
fn a_challenge_says_that_the_gate_sends_deposits() {
    let mut session = session();
    let answer = session.door.send(get("/report/1"), "").unwrap();
    let asked = challenge_of(&answer, "session").request_object().unwrap();
    let details = asked["methodDetails"].as_object().unwrap();
    assert_eq!((&details["feePayer"], details.get("credentialTypes")), (&json!(true), None));
    assert_eq!(asked["suggestedDeposit"], (100 * PRICE).to_string());
    let mut vars = variables();
    vars["ROUTES"][0]["session_fee_payer"] = json!("$7");
    let answer = Door::with(&vars).send(get("/report/1"), "").unwrap();
    let asked = challenge_of(&answer, "session").request_object().unwrap();
    assert_eq!(asked["suggestedDeposit"], "7000000");
}

#[test]
fn a_payer_without_gas_opens_buys_adds_and_closes() {
    let mut session = session();
    let answer = session.buy(&opening(&session, DEPOSIT, PRICE));
    session.door.signed = PRICE;
    assert_eq!((answer.status, answer.body.as_str()), (200, "answer 1"));
    assert_eq!(books(&session), (DEPOSIT, DEPOSIT, 1, 0));
    assert_eq!(session.pay(10 * PRICE).status, 200);
    assert_eq!(code(&session.pay(12 * PRICE)), 70_012);
    let more = adding(&mut session, LEAST, 3);
    let answer = session.buy(&more);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &told["deposit"]), (200, &json!((DEPOSIT + LEAST).to_string())));
    assert_eq!(session.pay(12 * PRICE).status, 200);
    let closing = session.voucher("close", 12 * PRICE);
    assert_eq!(session.buy(&closing).status, 200);
    session.rest(30);
    // What is not spent of the highest voucher, the contract pays too.
    assert_eq!(session.locked(), (12 * PRICE, 3 * PRICE, true));
    assert_eq!((session.door.node.paid.len(), session.door.node.reverted), (3, 0));
}

/// What a gate says to this opening, which it sends no transaction for.
pub fn refused(session: &mut Session, payload: &Value) -> u64 {
    let answer = session.buy(payload);
    assert_eq!((session.door.node.paid.len(), session.door.served), (0, 0), "{payload}");
    code(&answer)
}

#[test]
pub fn a_deposit_that_is_not_bound_to_its_channel_is_not_sent() {
    let mut session = session();
    let good = opening(&session, DEPOSIT, 0);
    let other = json!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
    let draft = hex::encode_prefixed(&session.parties.open_nonce());
    for (member, value) in
        [("to", other), ("nonce", json!(draft)), ("validAfter", json!("99999999999"))]
    {
        let mut payload = good.clone();
        payload["authorization"][member] = value;
        assert_eq!(refused(&mut session, &payload), 70_003, "{member}");
    }
    let mut payload = good.clone();
    payload["channelId"] = json!(format!("0x{}", "77".repeat(32)));
    assert_eq!(refused(&mut session, &payload), 70_010);
    let mut payload = good.clone();
    payload["authorization"]["type"] = json!("permit2");
    assert_eq!(refused(&mut session, &payload), 70_003);
    // A signature for another contract that this key would give.
    let nonce = [7; 32];
    let (authorization, signature) = signed(&session, DEPOSIT, nonce, PAYER);
    let mut payload = good.clone();
    (payload["authorization"], payload["signature"]) = (authorization, json!(signature));
    assert_eq!(refused(&mut session, &payload), 70_003);
    assert_eq!(session.door.node.asked, 0);
}

#[test]
pub fn a_deposit_that_its_payer_has_not_signed_is_not_sent() {
    let mut session = session();
    let (_, signature) = signed(&session, DEPOSIT, session.parties.open_nonce_of_okx(&[]), 2);
    let mut payload = opening(&session, DEPOSIT, 0);
    payload["signature"] = json!(signature);
    assert_eq!(refused(&mut session, &payload), 70_004);
    let mut payload = opening(&session, DEPOSIT, 0);
    payload["authorization"]["value"] = json!((2 * DEPOSIT).to_string());
    assert_eq!(refused(&mut session, &payload), 70_004);
    let mut payload = opening(&session, DEPOSIT, 0);
    payload["voucherSignature"] = json!(session.signature(0, 2));
    assert_eq!(refused(&mut session, &payload), 70_004);
    assert_eq!(session.door.node.asked, 0);
}

#[test]
pub fn a_deposit_that_is_not_worth_its_gas_is_not_sent() {
    let mut session = session();
    let small = opening(&session, LEAST - 1, 0);
    assert_eq!(refused(&mut session, &small), 70_012);
    let above = opening(&session, DEPOSIT, DEPOSIT + 1);
    assert_eq!(refused(&mut session, &above), 70_012);
    assert_eq!(session.door.node.asked, 0);
    let least = opening(&session, LEAST, 0);
    assert_eq!(session.buy(&least).status, 200);
    let dust = adding(&mut session, LEAST - 1, 3);
    assert_eq!(code(&session.buy(&dust)), 70_012);
    assert_eq!(books(&session), (LEAST, 2 * DEPOSIT - LEAST, 1, 0));
}

#[test]
fn a_route_that_does_not_say_so_sends_nothing() {
    let mut session = session();
    session.door = Door::with(&variables());
    let payload = opening(&session, DEPOSIT, 0);
    assert_eq!(refused(&mut session, &payload), 70_003);
}

#[test]
fn the_deposit_of_a_payer_who_is_denied_is_not_sent() {
    let mut session = session();
    let mut vars = variables();
    vars["ROUTES"][0]["session_fee_payer"] = json!("$0.05");
    vars["DENY_PAYERS"] = json!([session.parties.payer.to_checksum()]);
    session.door.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
    let payload = opening(&session, DEPOSIT, 0);
    assert_eq!(refused(&mut session, &payload), 70_002);
    // Nor that of one whose vouchers this account signs.
    vars["DENY_PAYERS"] = json!([account(2).address().to_checksum()]);
    session.door.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
    session.parties.authorized_signer = account(2).address();
    session.id = session.parties.id(&escrow()).to_string();
    let mut payload = opening(&session, DEPOSIT, 0);
    payload["authorizedSigner"] = json!(account(2).address().to_checksum());
    payload["voucherSignature"] = json!(session.signature(0, 2));
    assert_eq!((refused(&mut session, &payload), session.door.node.asked), (70_002, 0));
}

/// Opening a channel costs the payee gas, and closing it: a payer who has both for one price begins again.
#[test]
fn a_channel_is_closed_no_sooner_at_another_route() {
    for (path, is_dear, is_closed) in
        [("/report/1", true, false), ("/other", true, false), ("/other", false, true)]
    {
        let mut session = session();
        let mut vars = sending();
        let mut other = vars["ROUTES"][0].clone();
        other["path"] = json!("/other");
        other.as_object_mut().unwrap().remove("session_fee_payer");
        vars["ROUTES"].as_array_mut().unwrap().push(other);
        session.door.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
        assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
        let owed = if is_dear { PRICE } else { LEAST };
        session.pay(owed);
        let closing = session.voucher("close", owed);
        let challenge = session.challenge_of(path);
        let closing = session.credential(&challenge, &closing);
        session.door.send(get(path).header("authorization", &closing), "").unwrap();
        session.rest(60);
        assert_eq!(session.locked().2, is_closed, "{path}, {owed}");
    }
}

#[test]
fn a_close_that_is_shown_again_is_written_once() {
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    session.door.signed = PRICE;
    let closing = session.voucher("close", PRICE);
    assert_eq!(session.buy(&closing).status, 200);
    let writes = session.door.writes;
    assert_eq!(session.buy(&closing).status, 200);
    assert_eq!(session.door.writes, writes);
}

#[test]
pub fn a_deposit_that_the_token_refuses_is_not_sent() {
    let mut session = session();
    let payer = session.parties.payer;
    session.door.node.tokens.insert(payer, DEPOSIT - 1);
    let payload = opening(&session, DEPOSIT, PRICE);
    assert_eq!(refused(&mut session, &payload), 70_010);
    session.door.node.tokens.insert(payer, DEPOSIT);
    assert_eq!(session.buy(&payload).status, 200);
    // Another payer's deposit, and a channel that no one has opened here.
    let more = adding(&mut session, LEAST, 3);
    assert_eq!(code(&session.buy(&more)), 70_010);
    assert_eq!(books(&session), (DEPOSIT, 0, 1, 0));
}

#[test]
pub fn a_deposit_that_ends_too_soon_is_not_sent() {
    let mut session = session();
    let payload = opening(&session, DEPOSIT, PRICE);
    session.door.now += 241;
    assert_eq!(refused(&mut session, &payload), 70_009);
    session.door.now -= 1;
    assert_eq!(session.buy(&payload).status, 200);
}
