//! Payments by link: one payment for each link, of exactly what it says, and its state to the end.

pub mod claims;
mod histories;
pub mod settling;

use farebox_core::amount::Amount;
use farebox_core::chain::ChainId;
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::address::Address;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::evm::token::by_symbol;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{
    Answer, ClaimTold, Command, LinkClaim, LinkCommand, MerchantAnswer, Order,
};
use serde_json::{Value, json};

use super::payouts::{SETTLE, answer, success, world};
use super::world::{NETWORK, PAYEE, TRANSACTION, Told, USDC, World, account, payer};

fn asked(amount: &str) -> Value {
    json!({"type": "charge", "amount": amount, "symbol": "USDC", "recipient": PAYEE, "description": "a report", "externalId": "inv-7"})
}

fn make(world: &mut World, body: &Value) -> Told {
    let asked = LinkCommand::Make(body.to_string(), "https://pay.example".to_owned());
    world.reply(Command::Link(asked))
}

/// A link of one cent.
fn link(world: &mut World) -> String {
    make(world, &asked("0.01")).body["data"]["paymentId"].as_str().unwrap().to_owned()
}

/// What is signed.
#[derive(Clone)]
struct Signs {
    nonce: u8,
    to: &'static str,
    value: u64,
    after: u64,
    before: u64,
    flips: bool,
}

fn signs(world: &World, nonce: u8) -> Signs {
    Signs { nonce, to: PAYEE, value: 10_000, after: 0, before: world.now + 3600, flips: false }
}

fn members(it: &Signs) -> (Value, String) {
    let authorization = Authorization {
        from: account().address(),
        to: Address::parse(it.to).unwrap(),
        value: Amount::from_u64(it.value),
        valid_after: UnixTime::from_secs(it.after),
        valid_before: UnixTime::from_secs(it.before),
        nonce: [it.nonce; 32],
    };
    let token = by_symbol(&ChainId::parse(NETWORK).unwrap(), "USDC").unwrap();
    let digest = authorization.digest(&token.domain(84_532).separator());
    let mut bytes = account().sign(&digest).unwrap().to_bytes();
    bytes[40] ^= u8::from(it.flips);
    let members = json!({
        "from": payer(), "to": it.to, "value": it.value.to_string(), "validAfter": it.after.to_string(),
        "validBefore": it.before.to_string(), "nonce": hex::encode_prefixed(&[it.nonce; 32]),
    });
    (members, hex::encode_prefixed(&bytes))
}

fn credential(it: &Signs) -> String {
    let (mut members, signature) = members(it);
    members["type"] = json!("eip-3009");
    json!({"payload": {"type": "transaction", "signature": signature, "authorization": members}})
        .to_string()
}

/// Block in which authorizations are unused until they are paid with.
const SEEN: u64 = 1_000;

/// What a node answers about an authorization.
fn node(is_used: bool) -> Option<String> {
    let answer = |id: u64, result: String| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let word = format!("{:#066x}", u8::from(is_used));
    let answers = [(1, "0x14a34".to_owned()), (2, format!("{SEEN:#x}")), (3, word)];
    Some(Value::from_iter(answers.map(|(id, result)| answer(id, result))).to_string())
}

/// What is asked before a payment is taken.
fn claim(world: &mut World, id: &str, it: &Signs) -> LinkClaim {
    match world.send(Command::Link(LinkCommand::Pay(id.to_owned(), credential(it)))) {
        Answer::Claim(claim) => *claim,
        other => panic!("no claim: {other:?}"),
    }
}

fn claimed(world: &mut World, claim: &LinkClaim, sight: Option<String>) -> Answer {
    let told = ClaimTold { holder: world.holder(claim, sight.as_deref()), sight };
    world.send(Command::Link(LinkCommand::Claimed(Box::new(claim.asked.clone()), told)))
}

/// Sends a command as the Worker does, which asks for authorizations.
fn sends(world: &mut World, command: LinkCommand) -> Answer {
    match world.send(Command::Link(command)) {
        Answer::Claim(claim) => claimed(world, &claim, node(false)),
        answer => answer,
    }
}

fn pay(world: &mut World, id: &str, it: &Signs) -> Answer {
    sends(world, LinkCommand::Pay(id.to_owned(), credential(it)))
}

fn order(world: &mut World, id: &str, it: &Signs) -> Order {
    match pay(world, id, it) {
        Answer::Send(order) => *order,
        other => panic!("nothing is sent: {other:?}"),
    }
}

/// `status` and `errorReason` of an answer that is no order.
fn refused(answer: Answer) -> (String, String) {
    let Answer::Reply(reply) = answer else { panic!("sent: {answer:?}") };
    let told = Told::of(reply);
    let text = |name: &str| told.body["data"][name].as_str().unwrap_or_default().to_owned();
    (text("status"), text("errorReason"))
}

fn status(world: &mut World, id: &str) -> String {
    let told = world.reply(Command::Link(LinkCommand::Status(id.to_owned())));
    told.body["data"]["status"].as_str().unwrap().to_owned()
}

fn report(world: &mut World, order: &Order, answer: MerchantAnswer) -> Told {
    world.answered(order, answer)
}

fn refusal() -> MerchantAnswer {
    answer(
        200,
        &json!({"success": false, "errorReason": "insufficient_funds", "transaction": "", "network": NETWORK}),
    )
}

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[test]
fn a_link_is_made_with_an_id_of_ours_and_tells_its_terms() {
    let mut world = world();
    let made = make(&mut world, &asked("0.01"));
    let id = made.body["data"]["paymentId"].as_str().unwrap().to_owned();
    assert_eq!(made.status, 201);
    assert_eq!(made.body["data"]["deliveries"]["url"], format!("https://pay.example/a2a/{id}"));
    assert_eq!(world.treasury.organization_of_link(&id).as_deref(), Some("acme"));
    let mut invented = id.clone();
    let last = invented.pop().unwrap();
    invented.push(if last == '0' { '1' } else { '0' });
    for none in [invented.as_str(), "a2a_acme_1", "a2a_", "", &id.replace("acme", "acne")] {
        assert_eq!(world.treasury.organization_of_link(none), None, "{none}");
    }
    let read = world.reply(Command::Link(LinkCommand::Read(id.clone()))).body;
    assert_eq!(
        (read["code"].as_u64(), read["data"]["status"].as_str()),
        (Some(0), Some("pending"))
    );
    let data = &read["data"]["challenge"]["data"];
    assert_eq!(data["intent"], "charge");
    assert_eq!(data["expires"], "2026-03-10T12:30:00Z");
    let details = json!({"chainId": 84_532, "authorizationType": "eip-3009"});
    let request =
        json!({"amount": "10000", "currency": USDC, "recipient": PAYEE, "methodDetails": details});
    assert_eq!(data["request"], request);
}

#[test]
fn what_cannot_be_paid_is_no_link() {
    let mut world = world();
    for (name, value, says) in [
        ("type", json!("escrow"), "type: must be charge"),
        ("amount", json!("0"), "amount: must be decimal text above 0"),
        ("amount", json!("0.0000001"), "amount: must be decimal text"),
        ("amount", json!(1), "amount: must be text"),
        ("symbol", json!("EURX"), "symbol: is not a known token"),
        (
            "recipient",
            json!(PAYEE.to_lowercase()),
            "recipient: must be an address with its checksum",
        ),
        ("recipient", json!("0x0000000000000000000000000000000000000000"), "recipient: must be"),
        (
            "network",
            json!("eip155:8453"),
            "network: must be a CAIP-2 id of the organization's environment",
        ),
        ("expiresIn", json!(29), "expiresIn: must be"),
        ("expiresIn", json!("1800"), "expiresIn: must be"),
        ("interval", json!(1), "interval: is unknown"),
    ] {
        let mut body = asked("0.01");
        body[name] = value;
        let told = make(&mut world, &body);
        assert_eq!(told.status, 400, "{name}");
        assert!(told.text("detail").contains(says), "{name}: {}", told.text("detail"));
    }
    let mut without = World::new();
    assert_eq!(make(&mut without, &asked("0.01")).text("code"), "links_not_configured");
}

#[test]
pub fn a_link_takes_one_payment_whoever_comes_at_once() {
    let mut world = world();
    let id = link(&mut world);
    let first = signs(&world, 1);
    let sent = order(&mut world, &id, &first);
    let body: Value = serde_json::from_str(sent.body.as_deref().unwrap()).unwrap();
    assert_eq!(sent.url, SETTLE);
    assert_eq!(body["paymentRequirements"]["payTo"], PAYEE);
    assert_eq!(body["paymentPayload"]["payload"]["authorization"], members(&first).0);
    for nonce in 2..6 {
        let other = signs(&world, nonce);
        assert_eq!(refused(pay(&mut world, &id, &other)), pair("settling", "already_used"));
    }
    assert_eq!(
        refused(pay(&mut world, &id, &first)),
        pair("settling", ""),
        "the same is no second one"
    );
    let paid = report(&mut world, &sent, success());
    assert_eq!(
        paid.body["data"],
        json!({"status": "completed", "success": true, "txHash": TRANSACTION})
    );
    let Answer::Reply(again) = pay(&mut world, &id, &first) else { panic!("sent again") };
    assert_eq!(Told::of(again).body, paid.body);
    let later = signs(&world, 9);
    assert_eq!(refused(pay(&mut world, &id, &later)), pair("completed", "already_used"));
    assert_eq!(status(&mut world, &id), "completed");
}

#[test]
pub fn a_link_that_has_ended_takes_nothing() {
    let mut world = world();
    let id = link(&mut world);
    world.now += 1_799;
    assert_eq!(status(&mut world, &id), "pending");
    world.now += 1;
    assert_eq!(status(&mut world, &id), "expired");
    let it = signs(&world, 1);
    assert_eq!(refused(pay(&mut world, &id, &it)), pair("expired", "expired"));
    let cancel = world.reply(Command::Link(LinkCommand::Cancel(id)));
    assert_eq!((cancel.status, cancel.text("code")), (409, "not_pending"));
}

#[test]
fn a_link_that_is_taken_back_takes_nothing() {
    let mut world = world();
    let id = link(&mut world);
    let told = world.reply(Command::Link(LinkCommand::Cancel(id.clone())));
    assert_eq!(told.body["data"]["status"], "cancelled");
    let it = signs(&world, 1);
    assert_eq!(refused(pay(&mut world, &id, &it)), pair("cancelled", "cancelled"));
}

#[test]
pub fn only_what_the_link_says_pays_it_and_the_rest_leaves_it_as_it_was() {
    let mut world = world();
    let id = link(&mut world);
    let good = signs(&world, 1);
    for (wrong, reason) in [
        (Signs { value: 9_999, ..good.clone() }, "amount_mismatch"),
        (Signs { value: 10_001, ..good.clone() }, "amount_mismatch"),
        (Signs { to: USDC, ..good.clone() }, "recipient_mismatch"),
        (Signs { flips: true, ..good.clone() }, "signature_invalid"),
        (Signs { before: world.now + 14, ..good.clone() }, "expired"),
        (Signs { before: world.now + 86_401, ..good.clone() }, "validity_too_long"),
        (Signs { after: world.now + 1, ..good.clone() }, "not_yet_valid"),
    ] {
        assert_eq!(refused(pay(&mut world, &id, &wrong)), pair("pending", reason));
    }
    for body in ["", "{}", r#"{"payload":{"type":"hash","hash":"0x"}}"#] {
        let asked = LinkCommand::Pay(id.clone(), body.to_owned());
        assert_eq!(refused(world.send(Command::Link(asked))), pair("pending", "malformed_payment"));
    }
    order(&mut world, &id, &good);
}

#[test]
fn a_refusal_is_final_and_names_its_reason() {
    let mut world = world();
    let id = link(&mut world);
    let it = signs(&world, 1);
    let sent = order(&mut world, &id, &it);
    let told = report(&mut world, &sent, refusal());
    assert_eq!(
        told.body["data"],
        json!({"status": "failed", "success": false, "errorReason": "insufficient_funds"})
    );
    let other = signs(&world, 2);
    assert_eq!(refused(pay(&mut world, &id, &other)), pair("failed", "already_used"));
    world.now += 86_400;
    assert!(world.alarm().is_empty());
    assert_eq!(status(&mut world, &id), "failed");
}

#[test]
fn its_url_asks_and_answers_as_x402() {
    let mut world = world();
    let id = link(&mut world);
    let url = format!("https://pay.example/a2a/{id}");
    let visited = |payment: Option<String>| LinkCommand::Visit(id.clone(), url.clone(), payment);
    let visit = |payment: Option<String>| Command::Link(visited(payment));
    let asked = world.reply(visit(None));
    let header = |told: &Told, name: &str| {
        let found = told.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| {
            serde_json::from_slice::<Value>(&base64::decode(value).unwrap()).unwrap()
        })
    };
    let terms = header(&asked, "payment-required").unwrap();
    let accepted = &terms["accepts"][0];
    assert_eq!((asked.status, accepted["amount"].as_str()), (402, Some("10000")));
    let payment = |it: &Signs, accepted: &Value| {
        let (members, signature) = members(it);
        let payload = json!({"x402Version": 2, "resource": {"url": url}, "accepted": accepted, "payload": {"signature": signature, "authorization": members}});
        Some(farebox_core::x402::header::encode(&payload.to_string()))
    };
    let it = signs(&world, 1);
    let mut other = accepted.clone();
    other["amount"] = json!("1");
    assert_eq!(world.reply(visit(payment(&it, &other))).text("code"), "terms_mismatch");
    let sent = sends(&mut world, visited(payment(&it, accepted)));
    let Answer::Send(order) = sent else { panic!("not sent") };
    let second = signs(&world, 2);
    assert_eq!(world.reply(visit(payment(&second, accepted))).status, 409);
    assert_eq!(world.reply(visit(payment(&it, accepted))).text("code"), "settlement_unknown");
    assert_eq!(world.reply(visit(None)).status, 409);
    let paid = report(&mut world, &order, success());
    let settled = header(&paid, "payment-response").unwrap();
    assert_eq!((paid.status, &settled["transaction"]), (200, &json!(TRANSACTION)));
    assert_eq!(world.reply(visit(payment(&it, accepted))), paid);
    assert_eq!(world.reply(visit(None)).status, 410);
}
