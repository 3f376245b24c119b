//! Payments that a facilitator settles later, many at once (OKX's `aggr_deferred`): what is offered, when one counts as paid
//! although no transaction is named, and that each is served once, whatever is lost.

use farebox_core::encoding::base64;
use farebox_core::gate::Gate;
use farebox_core::ledger::State;
use farebox_core::ledger::state::Why;
use farebox_core::payment::{NEVER, TxHash};
use serde_json::{Value, json};

use crate::world::chain::transaction_of;
use crate::world::facilitator::Settle;
use crate::world::ledger::LedgerFault;
use crate::world::payer::Payment;
use crate::world::{Response, World, decoded, paid, vars};

const NETWORK: &str = "eip155:84532";
/// The largest number of a contract: an end that never comes.
const ENDLESS: &str =
    "115792089237316195423570985008687907853269984665640564039457584007913129639935";
const CERTIFICATE: &str = "eyJrZXkiOiJzZXNzaW9uIn0=";
const YEAR_SECS: u64 = 31_536_000;

fn shop() -> Value {
    let mut vars = vars(json!([
        {"path": "/a", "price": "$0.01", "aggr_deferred": true},
        {"path": "/b", "price": "$0.01", "aggr_deferred": true, "settle": "before"},
        {"path": "/exact", "price": "$0.01"},
    ]));
    vars["RPC_URL"] = json!("http://127.0.0.1:9002/");
    vars
}

fn world() -> World {
    World::with(shop())
}

/// What a payer makes of a payment of scheme `exact`: its session key signs, and its certificate is named.
fn defer(message: &mut Value, required: &Value) {
    message["accepted"] = required["accepts"][1].clone();
    message["accepted"]["extra"]["sessionCert"] = json!(CERTIFICATE);
    message["payload"]["signature"] = json!(base64::encode(&[7; 64]));
    message["payload"]["authorization"]["validBefore"] = json!(ENDLESS);
}

fn changed(world: &mut World, target: &str, change: impl FnOnce(&mut Value)) -> Payment {
    let required = world.ask(target).payment_required();
    let now = world.now().secs();
    world.payer.sign_with(&required, now, |message| {
        defer(message, &required);
        change(message);
    })
}

fn sign(world: &mut World, target: &str) -> Payment {
    changed(world, target, |_| {})
}

/// The same payment, changed.
fn altered(payment: &Payment, change: impl FnOnce(&mut Value)) -> Payment {
    let mut message = decoded(&payment.value);
    change(&mut message);
    Payment { value: base64::encode(message.to_string().as_bytes()), ..payment.clone() }
}

/// A facilitator's answer with these members changed.
fn says(changes: Value) -> Settle {
    let mut said =
        json!({"success": true, "status": "pending", "transaction": "", "network": NETWORK});
    said.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    Settle::Raw(200, said.to_string())
}

/// A facilitator's answer in OKX's envelope, with these members beside it.
fn wrapped(beside: Value) -> Settle {
    let Settle::Raw(_, said) = pending() else { panic!("an answer") };
    let data: Value = serde_json::from_str(&said).unwrap();
    let mut envelope = json!({"code": "0", "msg": "", "data": data});
    envelope.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
    Settle::Raw(200, envelope.to_string())
}

fn pending() -> Settle {
    says(json!({}))
}

/// A world whose facilitator answers like this from now on.
fn answering(plan: impl IntoIterator<Item = Settle>) -> World {
    let mut world = world();
    world.facilitator.settle_plan.extend(plan);
    world
}

fn told(response: &Response) -> (u16, String, bool) {
    (response.status, response.problem(), response.has_terms())
}

fn is_unknown(response: &Response) {
    assert_eq!(told(response), (503, "settlement_unknown".to_owned(), false));
}

fn state(world: &World, payment: &Payment) -> State {
    world.row_of(&payment.nonce).state
}

#[test]
fn a_route_offers_the_scheme_beside_the_usual_one_where_its_configuration_says_so() {
    let mut world = world();
    let answer = world.ask("/a");
    let accepts = answer.payment_required()["accepts"].clone();
    let [usual, deferred] = accepts.as_array().unwrap().as_slice() else { panic!("{accepts}") };
    assert_eq!((&usual["scheme"], &deferred["scheme"]), (&json!("exact"), &json!("aggr_deferred")));
    assert_eq!(deferred["extra"], json!({"name": "USDC", "version": "2"}));
    for same in ["network", "asset", "amount", "payTo", "maxTimeoutSeconds"] {
        assert_eq!(usual[same], deferred[same], "{same}");
    }
    // Version 1 and MPP do not know it.
    assert_eq!(answer.json()["accepts"].as_array().unwrap().len(), 1);
    assert!(answer.headers.get("www-authenticate").is_some());
    assert_eq!(world.ask("/exact").payment_required()["accepts"].as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_settled_later_is_a_wrong_configuration() {
    let wrong = |set: &dyn Fn(&mut Value)| {
        let mut vars = shop();
        set(&mut vars);
        let errors = Gate::from_vars(&vars.to_string()).err().unwrap_or_default();
        let named = errors.iter().any(|error| error.variable == "ROUTES[0].aggr_deferred");
        assert!(named, "{errors:?}");
    };
    wrong(&|vars| vars["ROUTES"][0]["aggr_deferred"] = json!("yes"));
    wrong(&|vars| vars["ROUTES"][0]["confirm"] = json!("chain"));
    wrong(&|vars| vars["ROUTES"][0]["protocols"] = json!(["mpp"]));
    wrong(&|vars| vars["ROUTES"][0]["asset_transfer_method"] = json!("permit2"));
    wrong(&|vars| vars["LEDGER_CLOSED_BEFORE"] = json!(1_700_000_000));
}

#[test]
fn a_payment_that_is_pending_is_paid_and_told_as_settling() {
    // Members that a facilitator has besides are no errors.
    let more = json!({"status": null, "errorReason": null, "errorMessage": "", "isDeferred": true});
    for (target, said) in [("/a", pending()), ("/b", pending()), ("/a", says(more))] {
        let mut world = answering([said]);
        let required = world.ask(target).payment_required();
        let payment = sign(&mut world, target);
        let mut running = world.start(paid(&payment), b"");
        let mut ways = Vec::new();
        loop {
            ways.push(running.next());
            if !world.advance(&mut running) {
                break;
            }
        }
        let asked: Vec<_> =
            ways.into_iter().filter(|it| ["verify", "settle", "forward"].contains(it)).collect();
        assert_eq!(asked, ["verify", "settle", "forward"], "{target}");
        let answer = running.response.unwrap();
        assert!(answer.is_delivery(), "{target}");
        let settlement = answer.settlement();
        assert_eq!(
            (&settlement["status"], &settlement["transaction"]),
            (&json!("pending"), &json!(""))
        );
        let receipt = &settlement["extensions"]["offer-receipt"]["info"]["receipt"]["payload"];
        assert_eq!(receipt["transaction"], "");
        // The facilitator reads the certificate, and nothing else that the payer adds.
        let (nonce, body) = &world.facilitator.settles[0];
        assert_eq!(*nonce, payment.nonce);
        let handed: Value = serde_json::from_str(body).unwrap();
        assert_eq!(handed["paymentRequirements"], required["accepts"][1]);
        let mut accepted = required["accepts"][1].clone();
        accepted["extra"]["sessionCert"] = json!(CERTIFICATE);
        assert_eq!(handed["paymentPayload"]["accepted"], accepted);
        assert_eq!(handed["paymentPayload"]["payload"], decoded(&payment.value)["payload"]);
        assert_eq!(state(&world, &payment), State::Delivered { transaction: TxHash::PENDING });
        let again = world.present(&payment);
        assert_eq!(told(&again), (409, "payment_already_delivered".to_owned(), false));
        assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (1, 1));
    }
}

#[test]
fn five_copies_at_once_are_one_delivery() {
    let mut world = answering([pending()]);
    let payment = sign(&mut world, "/a");
    let mut running: Vec<_> = (0..5).map(|_| world.start(paid(&payment), b"")).collect();
    let mut going = true;
    while going {
        going = false;
        for one in &mut running {
            going |= world.advance(one);
        }
    }
    let served = |it: &crate::world::Running| it.response.as_ref().unwrap().status == 200;
    assert_eq!(running.iter().filter(|one| served(one)).count(), 1);
    assert!(running.iter().all(|one| !one.response.as_ref().unwrap().has_terms()));
    assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (1, 1));
}

// A-215
#[test]
pub fn anything_but_a_clear_yes_is_a_doubt_that_no_payer_is_asked_to_pay_again_for() {
    let hash = format!("0x{}", "ab".repeat(32));
    let doubts = [
        Settle::SilentBefore,
        Settle::Raw(
            500,
            json!({"success": true, "status": "pending", "transaction": ""}).to_string(),
        ),
        Settle::Raw(200, "<html>".to_owned()),
        says(json!({"status": "timeout"})),
        says(json!({"status": "later"})),
        says(json!({"transaction": null})),
        says(json!({"transaction": "pending"})),
        says(json!({"transaction": hash})),
        says(json!({"network": "eip155:8453"})),
        says(json!({"network": null})),
        says(json!({"amount": "1"})),
        says(json!({"payer": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"})),
        says(json!({"success": null})),
        says(json!({"errorReason": "insufficient_funds"})),
        says(json!({"errorMessage": "the batch was rejected"})),
        says(json!({"errorReason": {"code": 1}})),
        says(json!({"error": "insufficient_funds"})),
        says(json!({"ERROR_CODE": 50_014})),
        says(json!({"lastError": "reverted"})),
        says(json!({"failureReason": "insufficient_funds"})),
        says(json!({"invalidReason": "invalid_signature"})),
        says(json!({"reason": "the batch was dropped"})),
        says(json!({"err": "no"})),
        says(json!({"code": "50103"})),
        says(json!({"code": 50_103})),
        wrapped(json!({"errorReason": "insufficient_funds"})),
        wrapped(json!({"error_code": "50014", "error_message": "Parameter wrong"})),
        wrapped(json!({"success": false})),
        says(json!({"status": 1})),
        says(json!({"status": {}})),
        says(json!({"success": false, "errorReason": "settlement_pending"})),
        says(json!({"success": false, "errorReason": "whatever"})),
    ];
    for doubt in doubts {
        let mut world = world();
        world.facilitator.settle_plan.extend(std::iter::repeat_n(doubt.clone(), 20));
        let payment = sign(&mut world, "/a");
        is_unknown(&world.present(&payment));
        world.pass(30);
        is_unknown(&world.present(&payment));
        // Another one for the same is not settled meanwhile.
        let other = sign(&mut world, "/a");
        assert_eq!(told(&world.present(&other)).1, "payment_unresolved", "{doubt:?}");
        world.pass(YEAR_SECS);
        let row = state(&world, &payment);
        assert!(matches!(row, State::Manual { why: Why::Overdue, .. }), "{doubt:?} {row:?}");
        let last = world.present(&payment);
        assert_eq!((last.problem().as_str(), last.has_terms()), ("under_review", false));
        let sent: Vec<_> = world.facilitator.settles.iter().map(|(_, body)| body).collect();
        assert!(sent.len() > 2 && sent.iter().all(|body| *body == sent[0]), "{doubt:?}");
        assert!(world.origin.calls.is_empty());
    }
}

#[test]
fn a_refusal_buys_nothing_and_leaves_nothing_owed() {
    let mut world =
        answering([says(json!({"success": false, "errorReason": "insufficient_funds"}))]);
    let payment = sign(&mut world, "/a");
    let answer = world.present(&payment);
    assert_eq!((answer.status, answer.problem().as_str()), (402, "settlement_refused"));
    world.pass(YEAR_SECS);
    assert_eq!(state(&world, &payment), State::Closed);
    assert!(world.origin.calls.is_empty());
}

#[test]
fn a_lost_answer_is_asked_for_again_and_then_served_or_owed() {
    // By the same request, by a repeat, or by the alarm while no client waits.
    let mut world = answering([Settle::SilentBefore, pending()]);
    assert!(answers_pending(&world_pays(&mut world)));
    let silent = || std::iter::repeat_n(Settle::SilentBefore, 2);
    let mut world = answering(silent().chain([pending()]));
    let payment = sign(&mut world, "/a");
    is_unknown(&world.present(&payment));
    world.wait(2);
    assert!(answers_pending(&world.present(&payment)));
    let mut world = answering(silent().chain([pending()]));
    let payment = sign(&mut world, "/a");
    is_unknown(&world.present(&payment));
    while !matches!(state(&world, &payment), State::Settled { .. }) {
        world.pass(60);
    }
    world.pass(YEAR_SECS);
    let State::RefundDue { transaction, .. } = state(&world, &payment) else { panic!("not owed") };
    assert_eq!(transaction, TxHash::PENDING);
    let last = world.present(&payment);
    assert_eq!(told(&last), (409, "refund_due".to_owned(), false));
    assert!(world.origin.calls.is_empty());
}

fn world_pays(world: &mut World) -> Response {
    let payment = sign(world, "/a");
    world.present(&payment)
}

fn answers_pending(answer: &Response) -> bool {
    answer.is_delivery() && answer.settlement()["status"] == "pending"
}

#[test]
pub fn one_transaction_for_many_payments_serves_each_of_them() {
    let hash = format!("0x{}", "ab".repeat(32));
    let batch = || says(json!({"status": "success", "transaction": hash}));
    let mut world = answering([batch(), batch()]);
    let [first, second] = [sign(&mut world, "/a"), sign(&mut world, "/a")];
    let answer = world.present(&first);
    assert_eq!(answer.settlement()["transaction"], hash.as_str());
    assert_eq!(answer.settlement().get("status"), None);
    assert_eq!(world.present(&second).status, 200);
    assert_eq!(state(&world, &second), State::Delivered { transaction: TxHash::PENDING });
    // What belongs to an ordinary payment cannot be named for one of these either.
    let mut world = answering([Settle::Honest]);
    let honest = world.sign("/exact");
    assert_eq!(world.present(&honest).status, 200);
    let taken = transaction_of(&honest.nonce);
    world
        .facilitator
        .settle_plan
        .push_back(says(json!({"status": "success", "transaction": taken})));
    let payment = sign(&mut world, "/a");
    assert_eq!(world.present(&payment).status, 200);
    assert_eq!(state(&world, &payment), State::Delivered { transaction: TxHash::PENDING });
}

#[test]
pub fn no_other_payment_is_paid_while_it_is_pending() {
    let mut world = answering(std::iter::repeat_n(pending(), 2));
    let payment = world.sign("/exact");
    is_unknown(&world.present(&payment));
    assert!(matches!(state(&world, &payment), State::Unknown { transaction: None, .. }));
}

#[test]
pub fn one_nonce_buys_once_by_whichever_scheme() {
    let mut world = answering([Settle::Honest, pending()]);
    let required = world.ask("/a").payment_required();
    let first = world.sign("/a");
    assert_eq!(world.present(&first).status, 200);
    let copy = altered(&first, |message| defer(message, &required));
    assert_eq!(told(&world.present(&copy)), (409, "payment_already_delivered".to_owned(), false));
    // And the other way round: the payer's own signature comes second.
    let mut world = answering([pending()]);
    let usual = world.sign("/a");
    let first = altered(&usual, |message| defer(message, &required));
    assert_eq!(world.present(&first).status, 200);
    assert_eq!(told(&world.present(&usual)), (409, "payment_already_delivered".to_owned(), false));
    assert_eq!(world.origin.calls.len(), 1);
}

#[test]
pub fn what_never_ends_is_kept_for_good() {
    let mut world = answering([pending()]);
    let payment = sign(&mut world, "/a");
    assert_eq!(world.present(&payment).status, 200);
    // Rows are removed an hour after this time, never earlier.
    assert_eq!(world.row_of(&payment.nonce).payment.valid_before, NEVER.secs());
    world.pass(YEAR_SECS);
    assert_eq!(world.ledger.open_rows(), 0, "it is watched no longer");
    assert_eq!(world.present(&payment).problem(), "payment_already_delivered");
    assert_eq!(world.facilitator.urls.len(), 2);
}

#[test]
fn a_payment_for_which_nothing_was_asked_leaves_no_row() {
    let mut world = answering([Settle::Spared, pending()]);
    let payment = sign(&mut world, "/a");
    assert_eq!(told(&world.present(&payment)).1, "facilitator_unavailable");
    world.pass(2 * 3600);
    assert!(world.find_row(&payment.nonce).is_none());
    assert!(answers_pending(&world.present(&payment)));
}

/// What is changed, how, and the code that refuses it.
type Case<'a> = (&'a str, &'a dyn Fn(&mut Value), &'a str);

#[test]
fn only_the_facilitator_is_asked_what_the_gate_cannot_read() {
    let cases: [Case<'_>; 9] = [
        ("value", &|it| it["payload"]["authorization"]["value"] = json!("1"), "amount_mismatch"),
        (
            "to",
            &|it| {
                it["payload"]["authorization"]["to"] =
                    it["payload"]["authorization"]["from"].clone()
            },
            "recipient_mismatch",
        ),
        (
            "validAfter",
            &|it| it["payload"]["authorization"]["validAfter"] = json!("9999999999"),
            "not_yet_valid",
        ),
        ("an end", &|it| it["payload"]["authorization"]["validBefore"] = json!("1"), "expired"),
        ("no signature", &|it| it["payload"]["signature"] = json!(""), "malformed_payment"),
        (
            "a long signature",
            &|it| it["payload"]["signature"] = json!("a".repeat(4097)),
            "malformed_payment",
        ),
        ("text", &|it| it["payload"]["signature"] = json!("two words"), "malformed_payment"),
        ("a permit", &|it| it["payload"]["permit2Authorization"] = json!({}), "malformed_payment"),
        ("terms", &|it| it["accepted"]["amount"] = json!("1"), "terms_mismatch"),
    ];
    for (what, change, code) in cases {
        let mut world = world();
        let payment = changed(&mut world, "/a", change);
        let answer = world.present(&payment);
        let status = if code == "malformed_payment" { 400 } else { 402 };
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{what}");
        assert!(world.facilitator.urls.is_empty() && world.ledger.entries().is_empty(), "{what}");
    }
    // What it refuses leaves nothing behind.
    let mut world = world();
    let refusal = r#"{"isValid":false,"invalidReason":"invalid_session_signature"}"#;
    let refusal = crate::world::facilitator::Verify::Raw(200, refusal.to_owned());
    world.facilitator.verify_plan.push_back(refusal);
    let answer = world_pays(&mut world);
    assert_eq!((answer.status, answer.problem().as_str()), (402, "verify_refused"));
    assert!(world.ledger.entries().is_empty());
}

#[test]
fn whoever_stops_selling_so_still_answers_what_was_begun() {
    for target in ["/a", "/b"] {
        let mut world = answering(std::iter::repeat_n(Settle::SilentBefore, 2).chain([pending()]));
        let payment = sign(&mut world, target);
        is_unknown(&world.present(&payment));
        let mut vars = shop();
        for route in 0..2 {
            vars["ROUTES"][route]["aggr_deferred"] = json!(false);
        }
        world.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
        world.wait(2);
        assert!(answers_pending(&world.present(&payment)), "{target}");
        let stranger = sign_unlisted(&mut world, target);
        let answer = world.present(&stranger);
        assert_eq!(told(&answer), (402, "terms_mismatch".to_owned(), true));
    }
}

/// A payment by the scheme where it is not offered.
fn sign_unlisted(world: &mut World, target: &str) -> Payment {
    let required = world.ask(target).payment_required();
    let now = world.now().secs();
    world.payer.sign_with(&required, now, |message| {
        let mut offered = required.clone();
        let mut terms = offered["accepts"][0].clone();
        terms["scheme"] = json!("aggr_deferred");
        offered["accepts"].as_array_mut().unwrap().push(terms);
        defer(message, &offered);
    })
}

#[test]
fn whatever_is_lost_on_the_way_a_payment_is_served_once_and_never_asked_for_twice() {
    for crash_at in 0.. {
        let mut world = answering([pending(), pending(), pending()]);
        let payment = sign(&mut world, "/a");
        let mut lost = world.start(paid(&payment), b"");
        let ran = (0..crash_at).all(|_| world.advance(&mut lost));
        let served = usize::from(lost.response.as_ref().is_some_and(|it| it.status == 200));
        drop(lost);
        let was_sent = !world.facilitator.settles.is_empty();
        for secs in [1, 30, 60, 120] {
            world.pass(secs);
            let again = world.present(&payment);
            assert!(!(was_sent && again.has_terms()), "{crash_at} {secs}");
        }
        assert!(world.origin.calls.len() <= 1, "{crash_at}");
        // What was lost after it was paid is owed.
        let end = state(&world, &payment);
        let is_owed = matches!(end, State::RefundDue { transaction: TxHash::PENDING, .. });
        assert!(served + world.origin.calls.len() >= 1 || is_owed, "{crash_at} {end:?}");
        if !ran {
            return;
        }
    }
}

// A-851
#[test]
pub fn what_moves_together_with_another_is_served_too_where_the_answer_to_its_record_is_lost() {
    let together =
        || says(json!({"status": "success", "transaction": format!("0x{}", "5a".repeat(32))}));
    // Where it settles first, the response is stored afterwards.
    for (target, after) in [("/a", 1), ("/b", 2)] {
        let mut world = answering([together(), together()]);
        let first = sign(&mut world, target);
        assert!(world.present(&first).is_delivery(), "{target}");
        let before = usize::try_from(world.ledger.commands).unwrap() - after;
        let second = sign(&mut world, target);
        world.ledger.plan.extend(vec![LedgerFault::Fine; before]);
        world.ledger.plan.push_back(LedgerFault::ReplyLost);
        let response = world.present(&second);
        assert!(response.is_delivery(), "{target}: {}", response.problem());
        assert_eq!(world.origin.calls.len(), 2, "{target}");
    }
}
