//! Deposits that payers sign and the gate sends: what is sent, once, and what is refused before it costs gas.

use farebox_core::amount::Amount;
use farebox_core::channel::config::{ChannelParties, top_up_nonce};
use farebox_core::channel::looks::{LookRank, LookTurn, SharedLooks};
use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::Domain;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::evm::signature::Signature;
use farebox_core::gate::Gate;
use farebox_core::gate::session::step::SessionStep;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::chain::units;
use super::door::{Door, PRICE, account};
use super::mpp_payer::{DEPOSIT, Session, challenge_of, code, variables};
use super::node::{ChannelNode, ESCROW, Locked, NodeManner, escrow};
use crate::world::{CHAIN, With, get};

const PAYER: u8 = 1;
/// The least deposit that the route has sent.
pub const LEAST: u64 = 5 * PRICE;

/// A call that deposits, taken apart by its places.
#[derive(Clone, Debug)]
pub struct DepositCall {
    /// A channel's parties, or its id and the salt of what is added.
    target: Result<ChannelParties, (String, [u8; 32])>,
    token: Option<Address>,
    signed: Authorization,
    signature: Signature,
}

impl DepositCall {
    /// Reads one; none if it is another call.
    pub fn read(data: &[u8]) -> Option<Self> {
        let (selector, words) = data.split_at(4);
        let word = |place: usize| <[u8; 32]>::try_from(&words[place * 32..][..32]).unwrap();
        let account = |place| Address::from_bytes(word(place)[12..].try_into().unwrap());
        let number = |place| Amount::from_be_bytes(word(place)).to_string().parse::<u64>().unwrap();
        let time = |place| UnixTime::from_secs(number(place));
        let bytes = |place| {
            let start = usize::try_from(number(place)).unwrap();
            let length = usize::try_from(number(start / 32)).unwrap();
            words[start + 32..][..length].to_vec()
        };
        let (target, token, from, value, at) = match selector {
            [0xda, 0xcc, 0xa0, 0x80] => {
                assert_eq!((bytes(10), bytes(11)), (Vec::new(), Vec::new()));
                let parties = ChannelParties {
                    payer: account(5),
                    payee: account(0),
                    token: account(1),
                    salt: word(3),
                    authorized_signer: account(4),
                };
                (Ok(parties), Some(account(1)), account(5), word(2), 6)
            }
            [0xbc, 0xf5, 0x1e, 0x86] => {
                let channel = hex::encode_prefixed(&word(0));
                (Err((channel, word(3))), None, account(2), word(1), 4)
            }
            _ => return None,
        };
        let signed = Authorization {
            from,
            to: escrow().address,
            value: Amount::from_be_bytes(value),
            valid_after: time(at),
            valid_before: time(at + 1),
            nonce: word(at + 2),
        };
        let signature = Signature::from_bytes(&bytes(at + 3)).unwrap();
        Some(Self { target, token, signed, signature })
    }
}

impl ChannelNode {
    /// Carries out a deposit, as contract and token do; none if they refuse it.
    pub fn deposits(&mut self, call: &DepositCall) -> Option<()> {
        let DepositCall { target, signed, .. } = call;
        let value: u64 = signed.value.to_string().parse().unwrap();
        let (id, nonce, token) = match target {
            Ok(parties) => {
                let id = parties.id(&escrow()).to_string();
                (id, parties.open_nonce_of_okx(&[]), call.token?)
            }
            Err((id, salt)) => {
                let locked = self.channels.get(id).filter(|it| !it.finalized)?;
                let channel = locked.parties.id(&escrow());
                let nonce = top_up_nonce(&channel, signed.value, signed.from, salt);
                (
                    id.clone(),
                    nonce,
                    (locked.parties.payer == signed.from).then_some(locked.parties.token)?,
                )
            }
        };
        let is_new = !self.channels.contains_key(&id);
        let is_fit = nonce == signed.nonce && is_new == target.is_ok();
        let is_in_time =
            signed.valid_after.secs() < self.now && self.now < signed.valid_before.secs();
        let digest = signed.receive_digest(&separator(token));
        let is_signed = call.signature.recover(&digest) == Ok(signed.from);
        let funds = self.tokens.get_mut(&signed.from)?;
        let is_good = is_fit && is_in_time && is_signed && value > 0;
        if !is_good || *funds < value || !self.used.insert(nonce) {
            return None;
        }
        *funds -= value;
        match target {
            Ok(parties) => {
                let parties = *parties;
                let locked = Locked {
                    parties,
                    deposit: value,
                    settled: 0,
                    leaving: 0,
                    finalized: false,
                    back: 0,
                };
                self.opened.insert(id.clone(), self.now);
                self.channels.insert(id, locked);
            }
            Err(_) => {
                let locked = self.channels.get_mut(&id)?;
                (locked.deposit, locked.leaving) = (locked.deposit + value, 0);
            }
        }
        Some(())
    }
}

fn separator(token: Address) -> [u8; 32] {
    Domain { name: "USDC", version: "2", chain_id: CHAIN, verifying_contract: token }.separator()
}

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

fn signed(session: &Session, value: u64, nonce: [u8; 32], by: u8) -> (Value, String) {
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
fn books(session: &Session) -> (u64, u64, usize, u64) {
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
fn refused(session: &mut Session, payload: &Value) -> u64 {
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
                let answer = match looks.turn(&call.body, rank, now) {
                    LookTurn::Answered(answer) => answer,
                    turn => {
                        assert_eq!(turn, LookTurn::Ask);
                        let answer = session.door.node.answer(&call.body).unwrap();
                        looks.told(&call.body, rank, Some(&answer));
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
    assert_eq!(looks.turn("a", further, at(10)), LookTurn::Ask);
    for rank in [LookRank::First, further] {
        assert_eq!(looks.turn("a", rank, at(11)), LookTurn::Wait);
        assert_eq!(looks.turn("b", LookRank::First, at(11)), LookTurn::Ask);
    }
    assert_eq!(looks.turn("a", further, at(12)), LookTurn::Ask);
    looks.told("a", further, None);
    assert_eq!(looks.turn("a", further, at(12)), LookTurn::Ask);
    looks.told("a", further, Some("it"));
    assert_eq!(looks.turn("a", LookRank::First, at(12)), LookTurn::Answered("it".to_owned()));
    assert_eq!(looks.turn("a", LookRank::First, at(13)), LookTurn::Ask);
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
