//! Deposits that wait: how often a node is asked for them, what is sent once, and what is due later.

use farebox_core::channel::config::top_up_nonce;
use farebox_core::channel::looks::{LookRank, LookTurn, SharedLooks};
use farebox_core::encoding::hex;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::evm::signature::Signature;
use farebox_core::gate::session::step::SessionStep;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::chain::units;
use super::door::{Door, PRICE, account};
use super::funds::{LEAST, adding, books, opening, refused, sending, session, signed};
use super::mpp_payer::{DEPOSIT, Session, code};
use super::node::{NodeManner, escrow};
use super::token::DepositCall;
use crate::world::{With, get};

#[test]
pub fn a_deposit_that_waits_is_sent_once() {
    let mut session = session();
    session.door.node.manner = NodeManner::Waits;
    let payload = opening(&session, DEPOSIT, PRICE);
    for _ in 0..3 {
        let answer = session.buy(&payload);
        assert_eq!((code(&answer), answer.head.headers.get("retry-after")), (70_007, Some("2")));
    }
    // Another one of this payer's waits until it is through.
    let first = (session.id.clone(), session.parties);
    session.parties.authorized_signer = account(2).address();
    session.id = session.parties.id(&escrow()).to_string();
    let mut second = opening(&session, DEPOSIT, 0);
    second["authorizedSigner"] = json!(account(2).address().to_checksum());
    second["voucherSignature"] = json!(session.signature(0, 2));
    assert_eq!(code(&session.buy(&second)), 70_007);
    (session.id, session.parties) = first;
    let nonces = |session: &Session| session.door.node.pool.keys().copied().collect::<Vec<_>>();
    assert_eq!(nonces(&session), [0]);
    session.door.node.block(1);
    assert_eq!(session.buy(&payload).status, 200);
    session.rest(60);
    assert_eq!((session.door.node.mined, session.door.node.reverted), (1, 0));
    assert_eq!((books(&session).0, books(&session).1), (DEPOSIT, DEPOSIT));
}

#[test]
pub fn the_node_is_asked_a_few_times_for_a_deposit_that_does_not_come() {
    let mut session = session();
    // Its payer has cancelled the authorization.
    session.door.node.used.insert(session.parties.open_nonce_of_okx(&[]));
    let payload = opening(&session, DEPOSIT, PRICE);
    let asked = session.door.node.asked;
    assert_eq!(refused(&mut session, &payload), 70_010);
    assert_eq!(session.door.node.asked - asked, 2);
    // Another one of this payer's is in no block yet.
    let mut session = self::session();
    session.door.node.manner = NodeManner::Waits;
    let first = opening(&session, DEPOSIT, PRICE);
    assert_eq!(code(&session.buy(&first)), 70_007);
    session.parties.authorized_signer = account(2).address();
    session.id = session.parties.id(&escrow()).to_string();
    let mut second = opening(&session, DEPOSIT, 0);
    second["authorizedSigner"] = json!(account(2).address().to_checksum());
    second["voucherSignature"] = json!(session.signature(0, 2));
    let asked = session.door.node.asked;
    assert_eq!(code(&session.buy(&second)), 70_007);
    // Six looks of this request; the rest are the queue's.
    assert_eq!(session.door.node.asked - asked, 11);
}

//
#[test]
pub fn copies_of_a_deposit_that_waits_share_their_looks() {
    let mut session = session();
    session.door.node.manner = NodeManner::Waits;
    let payload = opening(&session, DEPOSIT, PRICE);
    assert_eq!(code(&session.buy(&payload)), 70_007);
    let mut steps = Vec::new();
    for _ in 0..10 {
        let challenge = session.challenge();
        let credential = session.credential(&challenge, &payload);
        steps.push(
            session.door.admit(get("/report/1").header("authorization", &credential)).unwrap(),
        );
    }
    let (mut looks, asked) = (SharedLooks::new(), session.door.node.asked);
    let mut answers = 0;
    // All of them take one step in each second.
    while !steps.is_empty() {
        session.door.now += 1;
        let now = session.door.time();
        let next = steps.drain(..).filter_map(|step| match step {
            SessionStep::Node(call, next) => {
                let rank = call.look.unwrap();
                let answer = match looks.turn(&call.network, &call.body, rank, now) {
                    LookTurn::Answered(answer) => answer,
                    turn => {
                        assert_eq!(turn, LookTurn::Ask);
                        let answer = session.door.node.answer(&call.body).unwrap();
                        looks.told(&call.network, &call.body, rank, Some(&answer));
                        answer
                    }
                };
                Some(next.node(Some(&answer), now).0)
            }
            SessionStep::Respond(_) => {
                answers += 1;
                None
            }
            step => session.door.advance(step, "", "", &mut String::new()).unwrap().ok(),
        });
        steps = next.collect();
    }
    // The first look of each, and then one for all.
    assert_eq!((answers, session.door.node.asked - asked), (10, 10 + 20));
}

#[test]
fn a_look_that_is_never_answered_holds_no_one_up() {
    let (at, further) = (UnixTime::from_secs, LookRank::Further);
    let mut looks = SharedLooks::new();
    assert_eq!(looks.turn("eip155:1", "a", further, at(10)), LookTurn::Ask);
    for rank in [LookRank::First, further] {
        assert_eq!(looks.turn("eip155:1", "a", rank, at(11)), LookTurn::Wait);
        assert_eq!(looks.turn("eip155:1", "b", LookRank::First, at(11)), LookTurn::Ask);
    }
    assert_eq!(looks.turn("eip155:1", "a", further, at(12)), LookTurn::Ask);
    looks.told("eip155:1", "a", further, None);
    assert_eq!(looks.turn("eip155:1", "a", further, at(12)), LookTurn::Ask);
    looks.told("eip155:1", "a", further, Some("it"));
    assert_eq!(
        looks.turn("eip155:1", "a", LookRank::First, at(12)),
        LookTurn::Answered("it".to_owned())
    );
    assert_eq!(looks.turn("eip155:1", "a", LookRank::First, at(13)), LookTurn::Ask);
}

#[test]
pub fn the_same_question_on_two_networks_is_two_looks() {
    let now = UnixTime::from_secs(10);
    let mut looks = SharedLooks::new();
    for network in ["eip155:1", "eip155:8453"] {
        assert_eq!(looks.turn(network, "a", LookRank::Further, now), LookTurn::Ask);
    }
    looks.told("eip155:1", "a", LookRank::Further, Some("one"));
    let turn = |looks: &mut SharedLooks, network| looks.turn(network, "a", LookRank::First, now);
    assert_eq!(turn(&mut looks, "eip155:1"), LookTurn::Answered("one".to_owned()));
    assert_eq!(turn(&mut looks, "eip155:8453"), LookTurn::Wait);
    // Nor does one that failed end the other's.
    looks.told("eip155:8453", "a", LookRank::Further, None);
    assert_eq!(turn(&mut looks, "eip155:1"), LookTurn::Answered("one".to_owned()));
}

/// A payer's rest is due when it has closed, or as late as a withdrawal.
#[test]
pub fn who_has_bought_little_waits_for_the_rest_as_long_as_for_a_withdrawal() {
    for (bought, is_at_once) in [(LEAST - PRICE, false), (LEAST, true)] {
        let mut session = session();
        assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
        session.door.signed = PRICE;
        for cumulative in (2 * PRICE..=bought).step_by(10_000) {
            assert_eq!(session.pay(cumulative).status, 200);
        }
        let closing = session.voucher("close", bought);
        assert_eq!(session.buy(&closing).status, 200);
        session.rest(300);
        assert_eq!(session.locked().2, is_at_once, "{bought}");
        // Who asks again does not wait longer.
        session.buy(&closing);
        session.rest(630);
        assert_eq!(session.locked(), (bought, DEPOSIT - bought, true));
    }
}

//
#[test]
pub fn a_channel_is_closed_no_sooner_at_a_route_of_another_token() {
    let mut vars = sending();
    let mut other = vars["ROUTES"][0].clone();
    other["path"] = json!("/other");
    let name = account(3).address().to_checksum();
    other["asset"] = json!({"address": name, "name": "Other", "version": "1", "decimals": 6});
    other.as_object_mut().unwrap().remove("session_fee_payer");
    vars["ROUTES"].as_array_mut().unwrap().push(other);
    let mut session = Session::new();
    session.door = Door::with(&vars);
    session.door.node.tokens.insert(session.parties.payer, DEPOSIT);
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    session.door.signed = PRICE;
    let challenge = session.challenge_of("/other");
    let closing = session.credential(&challenge, &session.voucher("close", PRICE));
    let closed = session.door.send(get("/other").header("authorization", &closing), "").unwrap();
    assert_eq!(closed.status, 200, "{}", closed.body);
    session.rest(300);
    assert!(!session.locked().2);
    session.rest(630);
    assert_eq!(session.locked(), (PRICE, DEPOSIT - PRICE, true));
}

#[test]
fn who_has_bought_little_and_withdraws_is_closed_at_once() {
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    session.door.signed = PRICE;
    let closing = session.voucher("close", PRICE);
    assert_eq!(session.buy(&closing).status, 200);
    let id = session.id.clone();
    session.door.node.channels.get_mut(&id).unwrap().leaving = session.door.now;
    session.rest(400);
    assert_eq!(session.locked(), (PRICE, DEPOSIT - PRICE, true));
}

#[test]
pub fn a_deposit_leaves_the_gas_for_what_pays_out() {
    let mut session = session();
    // 16 calls of 300,000 gas at twice the base fee, and a tenth of it.
    let least = 16 * 300_000 * 2_100_000_000;
    session.door.node.wei = least - 1;
    let payload = opening(&session, DEPOSIT, PRICE);
    assert_eq!(refused(&mut session, &payload), 70_007);
    session.door.node.wei = least;
    assert_eq!(session.buy(&payload).status, 200);
}

#[test]
fn who_sends_the_same_deposit_first_does_no_harm() {
    for looks in [0, 1] {
        let mut session = session();
        session.door.node.manner = NodeManner::Waits;
        let payload = opening(&session, DEPOSIT, PRICE);
        if looks > 0 {
            assert_eq!(code(&session.buy(&payload)), 70_007);
        }
        let funds = session.parties;
        let data = first_call(&session, &payload);
        session.door.node.now = session.door.now;
        assert!(session.door.node.deposits(&data).is_some());
        let answer = session.buy(&payload);
        assert_eq!((answer.status, answer.body.as_str()), (200, "answer 1"), "{funds:?}");
        session.door.node.block(9);
        assert_eq!((books(&session).0, books(&session).1), (DEPOSIT, DEPOSIT));
        assert_eq!(session.door.node.mined, looks);
    }
}

/// The call that this opening is sent by.
fn first_call(session: &Session, payload: &Value) -> DepositCall {
    let signed = Authorization {
        from: session.parties.payer,
        to: escrow().address,
        value: units(DEPOSIT),
        valid_after: UnixTime::from_secs(0),
        valid_before: UnixTime::from_text(
            payload["authorization"]["validBefore"].as_str().unwrap(),
        )
        .unwrap(),
        nonce: session.parties.open_nonce_of_okx(&[]),
    };
    let signature = Signature::parse(payload["signature"].as_str().unwrap()).unwrap();
    let token = Some(session.parties.token);
    DepositCall { target: Ok(session.parties), token, signed, signature }
}

#[test]
fn an_answer_that_was_lost_is_found_on_the_chain_when_the_signature_has_ended() {
    let mut session = session();
    let payload = opening(&session, DEPOSIT, PRICE);
    assert_eq!(session.buy(&payload).status, 200);
    session.door.forgets();
    session.door.now += 600;
    assert_eq!(session.buy(&payload).status, 200);
    let more = adding(&mut session, LEAST, 3);
    assert_eq!(session.buy(&more).status, 200);
    session.door.now += 600;
    let answer = session.buy(&more);
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &told["deposit"]), (200, &json!((DEPOSIT + LEAST).to_string())));
    assert_eq!(books(&session), (DEPOSIT + LEAST, DEPOSIT - LEAST, 2, 0));
}

#[test]
fn a_deposit_into_the_channel_of_someone_else_is_not_sent() {
    let mut session = session();
    session.buy(&opening(&session, DEPOSIT, 0));
    let owner = session.parties;
    session.parties.payer = account(3).address();
    session.door.node.tokens.insert(session.parties.payer, DEPOSIT);
    session.door.now += 2;
    let channel = owner.id(&escrow());
    let nonce = top_up_nonce(&channel, units(LEAST), session.parties.payer, &[4; 32]);
    let (authorization, signature) = signed(&session, LEAST, nonce, 3);
    let payload = json!({
        "action": "topUp", "type": "transaction", "channelId": session.id,
        "topUpSalt": hex::encode_prefixed(&[4; 32]), "authorization": authorization,
        "signature": signature, "additionalDeposit": LEAST.to_string(),
    });
    assert_eq!(code(&session.buy(&payload)), 70_010);
    assert_eq!(session.door.node.paid.len(), 1);
}

#[test]
fn a_death_at_any_step_of_a_deposit_sends_it_once() {
    let play = |dies_at| {
        let mut session = session();
        let payload = opening(&session, DEPOSIT, PRICE);
        session.door.signed = PRICE;
        let challenge = session.challenge();
        let credential = session.credential(&challenge, &payload);
        let head = || get("/report/1").header("authorization", &credential);
        session.door.dies_at(dies_at);
        let first = session.door.send(head(), "");
        let steps = session.door.steps();
        session.door.dies_at(None);
        assert_eq!(first.is_some(), dies_at.is_none());
        // What was written is sent again after a while.
        session.rest(30);
        let again = session.door.send(head(), "").unwrap();
        assert_eq!(
            (again.status, session.door.book()),
            (200, (PRICE, PRICE)),
            "{dies_at:?}: {}",
            again.body
        );
        let (deposit, left, _, reverted) = books(&session);
        assert_eq!(
            (deposit, left, reverted, session.door.node.mined),
            (DEPOSIT, DEPOSIT, 0, 1),
            "{dies_at:?}"
        );
        steps
    };
    let steps = play(None);
    assert!(steps >= 12, "{steps}");
    for step in 0..steps {
        play(Some(step));
    }
}
