//! Receipts: in the settlement header, at their own address, before and after a rotation. Spec: docs/repeats.md, "Receipts".

use farebox_core::gate::Gate;
use farebox_core::gate::receipts::{KEYS_PATH, RECEIPTS_PATH, ReceiptStep};
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::http::RequestHead;
use farebox_core::ledger::read::Read;
use farebox_core::payment::TxHash;
use serde_json::{Value, json};

use crate::world::facilitator::Settle;
use crate::world::origin::Say;
use crate::world::payer::{Payer, Payment};
use crate::world::{HOST, With, World, get, paid, request, routes, vars};

const MODES: [&str; 2] = ["/after", "/before"];
const NEW_SECRET: &str = "canary-rotated-secret-0123456789abcdef";

fn rotated() -> &'static Gate {
    let mut rotated = vars(routes());
    rotated["GATE_SECRET_PREVIOUS"] = rotated["GATE_SECRET"].clone();
    rotated["GATE_SECRET"] = json!(NEW_SECRET);
    Box::leak(Box::new(Gate::from_vars(&rotated.to_string()).unwrap()))
}

/// What the receipts' own addresses answer, and how many objects were asked.
fn look_up(world: &World, head: &RequestHead) -> (Reply, usize) {
    match world.gate.receipts().begin(head, "correlation-id").unwrap() {
        ReceiptStep::Answer(reply) => (reply, 0),
        ReceiptStep::Find(calls, inquiry) => {
            let answers =
                calls.iter().map(|call| Some(world.ledger.read(&call.object, &call.command)));
            (world.gate.receipts().answer(&inquiry, answers, world.now()), calls.len())
        }
    }
}

fn json_of(reply: &Reply) -> Value {
    let Body::Text(text) = &reply.body else { panic!("{reply:?}") };
    serde_json::from_str(text).unwrap()
}

/// Status and code.
fn told(world: &World, head: &RequestHead) -> (u16, String) {
    let (reply, _) = look_up(world, head);
    (reply.head.status, json_of(&reply)["code"].as_str().unwrap_or_default().to_owned())
}

fn receipt_of(world: &World) -> String {
    let [entry] = world.ledger.entries().try_into().unwrap();
    entry.payment.receipt
}

fn asked_for(id: &str) -> RequestHead {
    get(&format!("{RECEIPTS_PATH}{id}"))
}

/// A request for a receipt with the signature of this payer.
fn signed_for(world: &World, id: &str, payment: &Payment, payer: &Payer) -> RequestHead {
    let url = format!("{HOST}{RECEIPTS_PATH}{id}");
    let statement = payer.redelivery(payment, "RECEIPT", &url, world.now().secs());
    asked_for(id).header("farebox-redelivery", &statement)
}

fn addresses(world: &World) -> Vec<String> {
    let (reply, _) = look_up(world, &get(KEYS_PATH));
    assert_eq!(reply.head.headers.get("cache-control"), Some("no-store"));
    let document = json_of(&reply);
    let keys = document["keys"].as_array().unwrap();
    keys.iter().map(|key| key["address"].as_str().unwrap().to_owned()).collect()
}

/// Who signed a receipt on the wire, by the standard's own way from JSON to a digest.
fn signer_of(signed: &Value) -> String {
    use farebox_core::evm::eip712::TypedData;
    use farebox_core::evm::signature::Signature;
    let mut message = signed["payload"].clone();
    for name in ["version", "issuedAt"] {
        message[name] = json!(message[name].as_u64().unwrap().to_string());
    }
    let kinds = [
        ("version", "uint256"),
        ("network", "string"),
        ("resourceUrl", "string"),
        ("payer", "string"),
        ("issuedAt", "uint256"),
        ("transaction", "string"),
    ];
    let fields = kinds.map(|(name, kind)| json!({ "name": name, "type": kind }));
    let typed = TypedData::from_json(&json!({
        "domain": { "name": "x402 receipt", "version": "1", "chainId": 1 },
        "types": { "Receipt": fields }, "primaryType": "Receipt", "message": message,
    }));
    let signature = Signature::parse(signed["signature"].as_str().unwrap()).unwrap();
    signature.recover(&typed.unwrap().digest()).unwrap().to_checksum()
}

#[test]
fn the_settlement_header_carries_a_receipt_that_a_listed_key_signed() {
    for target in MODES {
        let mut world = World::new();
        let target = format!("{target}?secret=1");
        let terms = world.ask(&target).payment_required();
        // Announced, so that a payer can compare before paying.
        assert_eq!(terms["extensions"]["offer-receipt"]["info"], json!({"receipt": "eip712"}));
        let response = world.pay(&target);
        let settlement = response.settlement();
        let receipt = &settlement["extensions"]["offer-receipt"]["info"]["receipt"];
        assert_eq!(receipt["format"], "eip712");
        assert_eq!(
            receipt["payload"],
            json!({
                "version": 1, "network": "eip155:84532", "resourceUrl": terms["resource"]["url"],
                "payer": world.payer.address.to_checksum(), "issuedAt": world.now().secs(),
                "transaction": settlement["transaction"],
            })
        );
        assert_eq!(terms["resource"]["url"], format!("{HOST}{target}"));
        assert!(TxHash::parse(settlement["transaction"].as_str().unwrap()).is_some());
        assert_eq!(addresses(&world), [signer_of(receipt)]);
        let schema = &settlement["extensions"]["offer-receipt"]["schema"];
        assert_eq!(schema["required"], json!(["receipt"]));
        assert!(response.headers.get("payment-response").unwrap().len() < 4096);
    }
}

#[test]
fn version_1_has_no_extensions() {
    let mut world = World::new();
    let challenge = world.ask("/after").json();
    let now = world.now().secs();
    let payment = world.payer.sign_v1(&challenge, now);
    let settlement = world.present(&payment).settlement();
    assert_eq!((&settlement["success"], settlement.get("extensions")), (&json!(true), None));
}

#[test]
fn only_what_was_served_has_a_receipt() {
    let mut world = World::new();
    world.origin.plan.push_back(Say::Lost);
    let payment = world.sign_as("/before", "canary-identifier");
    let response = world.present(&payment);
    assert_eq!((response.status, response.problem().as_str()), (502, "refund_due"));
    assert_eq!(response.settlement()["success"], true);
    assert_eq!(response.settlement().get("extensions"), None, "nobody was served");
    let id = receipt_of(&world);
    let head = asked_for(&id).header("idempotency-key", "canary-identifier");
    assert_eq!(told(&world, &head), (409, "refund_due".to_owned()));

    let mut world = World::new();
    world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentAfter]);
    let payment = world.sign_as("/after", "canary-identifier");
    assert_eq!(world.present(&payment).problem(), "settlement_unknown");
    let head = asked_for(&receipt_of(&world)).header("idempotency-key", "canary-identifier");
    assert_eq!(told(&world, &head), (503, "settlement_unknown".to_owned()));
}

#[test]
pub fn a_receipt_needs_the_first_secret_or_a_signature() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign_as(target, "canary-identifier");
        let first = world.present(&payment).settlement();
        world.wait(5_000);
        let id = receipt_of(&world);
        let by_secret = asked_for(&id).header("idempotency-key", "canary-identifier");
        let by_wallet = signed_for(&world, &id, &payment, &world.payer);
        let payer = world.payer.address.to_lower_hex();
        let by_both = get(&format!("{RECEIPTS_PATH}{id}?payer={payer}"))
            .header("idempotency-key", "canary-identifier");
        for (head, objects) in [(&by_secret, 1), (&by_wallet, 1), (&by_both, 1)] {
            let (reply, asked) = look_up(&world, head);
            assert_eq!((reply.head.status, asked), (200, objects));
            assert_eq!(reply.head.headers.get("cache-control"), Some("no-store"));
            assert_eq!(reply.head.headers.get("access-control-allow-origin"), None);
            let receipt = json_of(&reply);
            let mut payload =
                first["extensions"]["offer-receipt"]["info"]["receipt"]["payload"].clone();
            payload["issuedAt"] = json!(world.now().secs());
            assert_eq!((&receipt["payload"], &receipt["id"]), (&payload, &json!(id)));
            assert_eq!(receipt["transaction"], first["transaction"]);
            assert_eq!((&receipt["amount"], &receipt["route"]), (&json!("10000"), &json!(target)));
            assert_eq!(receipt["pay_to"], crate::world::PAY_TO);
            assert_eq!(receipt["kid"], format!("did:pkh:eip155:1:{}", signer_of(&receipt)));
            assert_eq!(addresses(&world), [signer_of(&receipt)]);
        }
        let url = format!("{HOST}{RECEIPTS_PATH}{id}");
        let now = world.now().secs();
        let signed = |payer: &Payer, method: &str, url: &str, at| {
            let statement = payer.redelivery(&payment, method, url, at);
            asked_for(&id).header("farebox-redelivery", &statement)
        };
        let payer = &world.payer;
        let refused = [
            asked_for(&id),
            asked_for(&id).header("idempotency-key", "canary-identifies"),
            asked_for(&id).header(payment.header, &payment.value),
            signed(&Payer::new(9), "RECEIPT", &url, now),
            signed(payer, "GET", &url, now),
            signed(payer, "RECEIPT", &format!("{HOST}{target}"), now),
            signed(payer, "RECEIPT", &url, now - 121),
            asked_for(&format!("rcpt_{}", "a".repeat(26)))
                .header("idempotency-key", "canary-identifier"),
            get(&format!("{RECEIPTS_PATH}{id}?payer={}", Payer::new(9).address))
                .header("idempotency-key", "canary-identifier"),
        ];
        for (at, head) in refused.iter().enumerate() {
            assert_eq!(told(&world, head), (404, "not_found".to_owned()), "{target} {at}");
        }
    }
}

//
#[test]
fn a_request_that_can_prove_nothing_asks_no_object() {
    let mut many = vars(routes());
    many["LEDGER_SHARDS"] = json!("2048,16");
    let (few, many) = (World::new(), World::with(many));
    let id = format!("rcpt_{}", "a".repeat(26));
    let far = format!("rcpt_{}7", "a".repeat(25));
    let secret = "k".repeat(22);
    let payer = few.payer.address;
    let keyed = |target: &str| get(target).header("idempotency-key", &secret);
    let named = format!("{RECEIPTS_PATH}{id}?payer={payer}");
    let table = [
        (&few, asked_for(&id), 0),
        (&few, keyed(&format!("{RECEIPTS_PATH}{id}")), 1),
        (&few, keyed(&format!("{RECEIPTS_PATH}{far}")), 0),
        (&few, keyed(&format!("{RECEIPTS_PATH}{id}?payer=0x12")), 0),
        (&few, keyed(&named), 1),
        (&few, get(&named), 0),
        (&few, keyed(&format!("{RECEIPTS_PATH}{id}/")), 0),
        (&few, keyed(&format!("{RECEIPTS_PATH}{}", id.to_uppercase())), 0),
        (&few, keyed(RECEIPTS_PATH), 0),
        // Two of 2,048 objects share a name, and one of the 16 before has it too.
        (&many, keyed(&format!("{RECEIPTS_PATH}{id}")), 3),
        (&many, keyed(&format!("{RECEIPTS_PATH}{far}")), 2),
        (&many, keyed(&named), 2),
    ];
    for (world, head, objects) in table {
        let (reply, asked) = look_up(world, &head);
        assert_eq!((reply.head.status, asked), (404, objects), "{}", head.url);
    }
    let bad = asked_for(&id).header("farebox-redelivery", "spoof");
    assert_eq!(told(&few, &bad), (400, "malformed_payment".to_owned()));
    for path in [KEYS_PATH.to_owned(), format!("{RECEIPTS_PATH}{id}")] {
        let (reply, asked) = look_up(&few, &request("POST", &path));
        assert_eq!((reply.head.status, asked), (405, 0));
        assert_eq!(reply.head.headers.get("allow"), Some("GET, HEAD"));
    }
    for path in ["/", "/_farebox", "/_farebox/receipts", "/.well-known/farebox-keys.jsonx"] {
        assert!(few.gate.receipts().begin(&get(path), "correlation-id").is_none(), "{path}");
    }
}

#[test]
fn an_object_that_is_down_is_no_proof_of_absence() {
    let mut world = World::new();
    let payment = world.sign_as("/after", "canary-identifier");
    world.present(&payment);
    let head = asked_for(&receipt_of(&world)).header("idempotency-key", "canary-identifier");
    let Some(ReceiptStep::Find(calls, inquiry)) =
        world.gate.receipts().begin(&head, "correlation-id")
    else {
        panic!("every object is asked");
    };
    let read: Read = serde_json::from_str(&calls[0].command).unwrap();
    assert_eq!(read.read.receipt, receipt_of(&world));
    let mut found = calls.iter().map(|call| world.ledger.read(&call.object, &call.command));
    let found = found.find(|found| found.row.is_some()).unwrap();
    let nowhere = farebox_core::ledger::read::RowReply { row: None };
    let table = [
        (vec![None, Some(found)], 200),
        (vec![None, Some(nowhere.clone())], 503),
        (vec![Some(nowhere)], 404),
    ];
    for (answers, status) in table {
        assert_eq!(
            world.gate.receipts().answer(&inquiry, answers, world.now()).head.status,
            status
        );
    }
}

#[test]
fn after_a_rotation_ids_stay_and_old_receipts_still_verify() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign_as(target, "canary-identifier");
        let first = world.present(&payment);
        let id = receipt_of(&world);
        let old = addresses(&world);
        world.gate = rotated();
        let listed = addresses(&world);
        assert_eq!((listed.len(), &listed[1]), (2, &old[0]));
        let receipt = |settlement: &Value| {
            settlement["extensions"]["offer-receipt"]["info"]["receipt"].clone()
        };
        assert_eq!(signer_of(&receipt(&first.settlement())), listed[1]);
        let replay = world.present(&payment);
        assert_eq!(replay.headers.get("payment-replayed"), Some("true"));
        let again = receipt(&replay.settlement());
        assert_eq!(again["payload"], receipt(&first.settlement())["payload"], "the same receipt");
        assert_eq!(signer_of(&again), listed[0]);
        let head = asked_for(&id).header("idempotency-key", "canary-identifier");
        let (reply, _) = look_up(&world, &head);
        assert_eq!(signer_of(&json_of(&reply)), listed[0]);
        // The authorization alone is public: who shows it is told no id.
        let bare = Payment { value: without_identifier(&payment.value), ..payment };
        let refused = world.present(&bare).json();
        assert_eq!(
            (&refused["code"], &refused["payment"]),
            (&json!("payment_already_delivered"), &Value::Null)
        );
    }
}

#[test]
pub fn a_repeat_that_shows_the_first_ones_secret_is_told_which_payment_it_is_and_no_other_is() {
    let unknown = || vec![Settle::SilentBefore; 2];
    let cases: [(&str, Vec<Settle>, &str, u64); 3] = [
        ("/after", unknown(), "settlement_unknown", 0),
        ("/before", unknown(), "settlement_unknown", 0),
        ("/before", vec![Settle::Honest], "refund_due", 1),
    ];
    for (target, settles, code, lost) in cases {
        let mut world = World::new();
        let payment = world.sign_as(target, "canary-identifier");
        world.facilitator.settle_plan.extend(settles);
        world.origin.plan.extend((0..lost).map(|_| Say::Lost));
        let bare = Payment { value: without_identifier(&payment.value), ..payment.clone() };
        let other = with_identifier(&payment.value, "another-identifier");
        let other = Payment { value: other, ..payment.clone() };
        world.present(&payment);
        let id = json!(receipt_of(&world));
        for (shown, named) in [(&payment, &id), (&bare, &Value::Null), (&other, &Value::Null)] {
            let told = world.present(shown).json();
            assert_eq!((&told["code"], &told["payment"]), (&json!(code), named), "{target}");
        }
        for (shown, named) in [(&payment, &id), (&bare, &Value::Null)] {
            let elsewhere = paid(shown).header("range", "bytes=0-0");
            let told = world.send(elsewhere).json();
            let used = json!("payment_already_used");
            assert_eq!((&told["code"], &told["payment"]), (&used, named), "{target}");
        }
    }
}

fn with_identifier(value: &str, id: &str) -> String {
    let mut message = crate::world::decoded(value);
    message["extensions"]["payment-identifier"]["info"]["id"] = json!(id);
    farebox_core::encoding::base64::encode(message.to_string().as_bytes())
}

fn without_identifier(value: &str) -> String {
    let mut message = crate::world::decoded(value);
    message.as_object_mut().unwrap().remove("extensions");
    farebox_core::encoding::base64::encode(message.to_string().as_bytes())
}

#[test]
fn after_a_rotation_the_origin_is_asked_under_the_first_id() {
    let mut world = World::new();
    world.origin.plan.push_back(Say::Lost);
    let payment = world.sign_as("/again", "canary-identifier");
    assert_eq!(world.present(&payment).problem(), "origin_failed");
    world.gate = rotated();
    assert_eq!(world.present(&payment).status, 200);
    let [first, second] = [0, 1].map(|at| world.origin.calls[at].headers.clone());
    for name in ["idempotency-key", "farebox-payment"] {
        assert_eq!(first.get(name), second.get(name), "{name}");
    }
    assert_eq!(first.get("farebox-payment"), Some(receipt_of(&world).as_str()));
}

//
#[test]
fn a_receipt_is_no_payment() {
    let mut world = World::new();
    let settlement = world.pay("/after").settlement();
    let receipt = &settlement["extensions"]["offer-receipt"]["info"]["receipt"];
    let value = farebox_core::encoding::base64::encode(receipt.to_string().as_bytes());
    let response = world.send(get("/after").header("payment-signature", &value));
    assert_eq!((response.status, response.problem().as_str()), (400, "malformed_payment"));
    let response = world.send(get("/after").header("payment-receipt", &value));
    assert_eq!((response.status, response.problem().as_str()), (402, "payment_required"));
    assert_eq!(world.origin.calls.len(), 1);
    let payment = world.sign("/after");
    let carried = paid(&payment).header("payment-receipt", &value);
    assert_eq!(world.send(carried).status, 200);
    assert_eq!(world.facilitator.settles.len(), 2);
}
