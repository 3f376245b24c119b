//! What Workers and the alarm report: lost answers, late Workers, crashes, repeats.

use farebox_core::amount::Amount;
use farebox_core::encoding::base64;
use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{Answer, Command, Operation, Order, Preparation};
use farebox_core::treasury::row::{Money, Scope};
use farebox_core::treasury::{Job, Turn};
use serde_json::{Value, json};

use super::config::OTHER_KEY;
use super::rules::announcing;
use super::world::{
    BUYER_KEY, TRANSACTION, World, accept, keyed, lost, plain, request, settled, terms, variables,
};

fn report(order: &Order) -> (String, u64) {
    (order.attempt.clone(), order.fence)
}

fn money(world: &World) -> Money {
    world.rows.attempts.values().next().unwrap().money
}

/// What is reserved of the organization's month, and what is spent.
fn budget(world: &mut World, window: &str) -> [String; 2] {
    let told = world.operate(Operation::Budgets);
    let items = told.body["items"].as_array().unwrap();
    let is_it = |item: &&Value| {
        item["scope"] == "organization" && item["window"] == window && item["asset"] == "USDC"
    };
    let item = items.iter().find(is_it);
    ["reserved", "spent"].map(|name| {
        item.map_or_else(|| "0".to_owned(), |item| item[name].as_str().unwrap().to_owned())
    })
}

/// What counts in the organization's month.
fn spent(world: &mut World) -> String {
    let [reserved, spent] = budget(world, "month").map(|it| Amount::from_decimal(&it, 18).unwrap());
    reserved.checked_add(spent).unwrap().to_decimal(18)
}

#[test]
fn what_is_reserved_and_what_is_spent_are_told_apart_in_each_window() {
    let mut world = World::with_node();
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &keyed("10000", "a")) else {
        panic!("not prepared")
    };
    let of = |reserved: &str, spent: &str| [reserved.to_owned(), spent.to_owned()];
    assert_eq!(budget(&mut world, "hour"), of("0.01", "0"));
    let Answer::Send(first) = prepared(&mut world, &preparation, None) else { panic!("not sent") };
    assert_eq!(budget(&mut world, "hour"), of("0.01", "0"));
    world.answered(&first, settled(200, "x"));
    assert_eq!(budget(&mut world, "hour"), of("0", "0.01"));
    world.now += 3600;
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &keyed("20000", "b")) else {
        panic!("not prepared")
    };
    let Answer::Send(second) = prepared(&mut world, &preparation, None) else { panic!("not sent") };
    world.answered(&second, plain(402, "no"));
    assert_eq!(budget(&mut world, "hour"), of("0.02", "0"));
    assert_eq!(budget(&mut world, "month"), of("0.02", "0.01"));
    let safe_time = Some(UnixTime::from_secs(world.now + 200));
    world.now += 200;
    world.read(&second.attempt, second.fence, &Finding::Unused { safe_time });
    assert_eq!(budget(&mut world, "month"), of("0", "0.01"));
}

fn paying() -> (World, Order) {
    let mut world = World::with_node();
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &keyed("10000", "k")) else {
        panic!("not prepared")
    };
    let order = prepared(&mut world, &preparation, Some("ffffff"));
    let Answer::Send(order) = order else { panic!("{order:?}") };
    (world, *order)
}

pub fn prepared(world: &mut World, preparation: &Preparation, balance: Option<&str>) -> Answer {
    let balance =
        balance.map(|hex| format!(r#"[{{"jsonrpc":"2.0","id":1,"result":"0x{hex:0>64}"}}]"#));
    let Preparation { attempt, fence, .. } = preparation.clone();
    world.send(Command::Prepared { attempt, fence, signature: None, balance })
}

#[test]
pub fn a_lost_answer_is_inconclusive_and_stays_counted_until_the_chain_says() {
    let (mut world, order) = paying();
    let told = world.reply(lost(&order));
    assert_eq!(told.outcome(), ("inconclusive", "merchant_transport_lost"));
    assert_eq!(
        told.reason(),
        "The merchant transport was lost before a final paid outcome was confirmed."
    );
    assert_eq!((money(&world), spent(&mut world).as_str()), (Money::Signed, "0.01"));
    let unkeyed = world.told(&keyed("10000", "k"));
    assert_eq!(unkeyed.text, told.text);
}

// A-868
#[test]
pub fn an_open_payment_answers_the_same_request_without_a_key() {
    let mut world = World::new();
    let order = world.order(&request("10000"));
    assert_eq!(world.told(&request("10000")).outcome().0, "executing");
    let told = world.reply(lost(&order));
    assert_eq!(world.told(&request("10000")).text, told.text);
    // Whatever the merchant asks for by now: its proxy names another host, or the terms are none.
    for terms in [announcing("https://127.0.0.1/v1/generate"), "none".to_owned()] {
        let mut again = request("10000");
        again["challenge"]["headers"]["payment-required"] = json!(terms);
        assert_eq!(world.told(&again).text, told.text);
    }
    assert_eq!(world.rows.attempts.len(), 1);
    let mut other = World::new();
    other.buy(&request("10000"));
    assert!(matches!(other.ask(BUYER_KEY, &request("10000")), Answer::Send(_)));
}

#[test]
pub fn a_merchant_that_refuses_gives_no_money_back() {
    let (mut world, order) = paying();
    world.answered(&order, plain(402, "no"));
    assert_eq!((money(&world), spent(&mut world).as_str()), (Money::Signed, "0.01"));
}

#[test]
pub fn what_is_signed_is_counted_before_it_leaves() {
    let (mut world, _) = paying();
    assert_eq!(spent(&mut world), "0.01");
}

#[test]
pub fn a_wallet_that_is_empty_signs_nothing_and_gives_its_budget_back() {
    let mut world = World::with_node();
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &request("10000")) else { panic!() };
    let Answer::Reply(reply) = prepared(&mut world, &preparation, Some("1")) else {
        panic!("sent")
    };
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(
        (&body["outcome"], &body["reasonCode"]),
        (&json!("preflight_failed"), &json!("preflight_incompatible"))
    );
    assert_eq!(body["evidence"]["required"], "0.01");
    assert_eq!(body["evidence"]["available"], "0.000001");
    assert_eq!((money(&world), spent(&mut world).as_str()), (Money::Void, "0"));
}

// A-206
#[test]
pub fn an_agent_that_is_disabled_meanwhile_signs_nothing_and_gives_its_budget_back() {
    let mut world = World::with_node();
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &request("10000")) else { panic!() };
    world.operate(Operation::DisableAgent("buyer".to_owned()));
    let Answer::Reply(reply) = prepared(&mut world, &preparation, Some("ffffff")) else {
        panic!("sent")
    };
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!((&body["outcome"], &body["reasonCode"]), (&json!("deny"), &json!("policy_denied")));
    assert_eq!(body["reason"], "Policy denied: the agent was disabled.");
    assert_eq!((money(&world), spent(&mut world).as_str()), (Money::Void, "0"));
}

/// What is answered to a payment that is signed after this was changed.
fn signed_after(change: impl FnOnce(&mut World)) -> (Value, Money, String) {
    signed_in(World::with_node(), change)
}

fn signed_in(mut world: World, change: impl FnOnce(&mut World)) -> (Value, Money, String) {
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &request("10000")) else { panic!() };
    change(&mut world);
    let Answer::Reply(reply) = prepared(&mut world, &preparation, Some("ffffff")) else {
        panic!("sent")
    };
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    let counted = spent(&mut world);
    (json!([body["outcome"], body["reasonCode"]]), money(&world), counted)
}

// A-206
#[test]
pub fn rules_that_were_changed_meanwhile_count_when_it_is_signed() {
    let denied = || (json!(["deny", "policy_denied"]), Money::Void, "0".to_owned());
    let here = "https://merchant.example.com";
    for policy in [
        json!({"allowedOrigins": []}),
        json!({"allowedOrigins": [here], "deniedOrigins": [here]}),
        json!({"allowedOrigins": [here], "perPayment": "0.001"}),
        json!({"allowedOrigins": [here], "perMonth": {"USDC": "0.009"}}),
        json!({"allowedOrigins": [here], "reviewAbove": "0.001"}),
        json!({"allowedOrigins": [here], "expires": "2020-01-01T00:00:00Z"}),
    ] {
        for scope in [Scope::Organization, Scope::Agent("buyer".to_owned())] {
            let put = |world: &mut World| {
                let told = world.operate(Operation::PutPolicy(scope.clone(), policy.to_string()));
                assert_eq!(told.status, 200, "{policy} {told:?}");
            };
            assert_eq!(signed_after(put), denied(), "{policy} of {scope:?}");
        }
    }
}

// A-206
#[test]
pub fn a_wallet_that_the_rules_name_no_more_signs_nothing() {
    let here = "https://merchant.example.com";
    let rules = |wallet: Option<&str>| match wallet {
        Some(wallet) => json!({"allowedOrigins": [here], "wallet": wallet}),
        None => json!({"allowedOrigins": [here]}),
    };
    for (scope, wallet, code) in [
        (Scope::Organization, Some("two"), "policy_denied"),
        (Scope::Agent("buyer".to_owned()), Some("two"), "policy_denied"),
        (Scope::Organization, None, "challenge_execution_identity_ambiguous"),
    ] {
        let mut variables = variables();
        variables["RPC_URL"] = json!("https://node.example.com");
        variables["OTHER_KEY"] = json!(OTHER_KEY);
        variables["WALLETS"] = json!([
            {"name": "one", "networks": ["base-sepolia"], "secret": "WALLET_KEY"},
            {"name": "two", "networks": ["base-sepolia"], "secret": "OTHER_KEY"},
        ]);
        variables["ORGANIZATIONS"][0]["policy"] = rules(Some("one"));
        let put = |world: &mut World| {
            let policy = rules(wallet).to_string();
            let told = world.operate(Operation::PutPolicy(scope.clone(), policy));
            assert_eq!(told.status, 200, "{told:?}");
        };
        let told = signed_in(World::of(&variables), put);
        assert_eq!(told, (json!(["deny", code]), Money::Void, "0".to_owned()), "{scope:?}");
    }
}

// A-206
#[test]
pub fn a_token_or_key_that_was_revoked_meanwhile_signs_nothing() {
    let denied = (json!(["deny", "policy_denied"]), Money::Void, "0".to_owned());
    let tokens = |world: &mut World| {
        world.operate(Operation::RevokeTokens("buyer".to_owned()));
    };
    assert_eq!(signed_after(tokens), denied);
    let key = |world: &mut World| {
        let keys = world.operate(Operation::Keys("buyer".to_owned()));
        let id = keys.body["items"][0]["id"].as_str().unwrap().to_owned();
        world.operate(Operation::RevokeKey(id));
    };
    assert_eq!(signed_after(key), denied);
    // It was still good when the payment was decided.
    let ended = |world: &mut World| world.now += 3_600;
    assert_eq!(signed_after(ended), denied);
}

/// A Worker sends until the end of an order, and the last sending takes as long as the Worker waits
/// for head and body; meanwhile no one else may take over.
#[test]
fn a_lease_covers_the_head_and_the_body_of_the_last_sending() {
    let calls = include_str!("../../../src/treasury/calls.rs");
    let milliseconds = |name: &str| -> u64 {
        let (_, rest) = calls.split_once(&format!("const {name}: u32 = ")).unwrap();
        rest.split_once(';').unwrap().0.replace('_', "").parse().unwrap()
    };
    let longest = milliseconds("HEAD_MS") + milliseconds("BODY_MS");
    for secs in ["1", "20", "300"] {
        let mut variables = variables();
        variables["SEND_SECS"] = json!(secs);
        let mut world = World::of(&variables);
        let order = world.order(&request("10000"));
        let lease = world.rows.attempts.values().next().unwrap().lease.unwrap();
        // A report that is not heard is repeated for some seconds.
        assert!(
            (lease - order.until) * 1000 >= longest + 4_000,
            "{secs}: {lease}, {}",
            order.until
        );
    }
}

#[test]
pub fn a_bound_signer_signs_exactly_what_was_written() {
    let mut variables = variables();
    variables["bindings"] = json!(["SIGNER"]);
    variables["WALLETS"][0] = json!({"name": "main", "networks": ["base-sepolia"], "signer": "SIGNER", "address": super::world::payer()});
    let mut world = World::of(&variables);
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &request("10000")) else { panic!() };
    let (name, data) = preparation.signer.clone().unwrap();
    let data =
        farebox_core::evm::eip712::TypedData::from_json(&serde_json::from_str(&data).unwrap())
            .unwrap();
    let other = super::world::account().sign(&[7; 32]).unwrap();
    let right = super::world::account().sign(&data.digest()).unwrap();
    let hex = |bytes: [u8; 65]| Some(farebox_core::encoding::hex::encode_prefixed(&bytes));
    let Preparation { attempt, fence, .. } = *preparation;
    let told =
        |signature| Command::Prepared { attempt: attempt.clone(), fence, signature, balance: None };
    let mut forged = World { rows: world.rows.clone(), ..World::of(&variables) };
    assert_eq!(name, "SIGNER");
    assert_eq!(forged.reply(told(hex(other.to_bytes()))).outcome().0, "preflight_failed");
    assert!(matches!(world.send(told(hex(right.to_bytes()))), Answer::Send(_)));
}

#[test]
pub fn a_worker_that_lost_its_attempt_changes_nothing() {
    let (mut world, jobs) = abandoned("GET");
    let [Job::Send(order, _)] = jobs.as_slice() else { panic!("{jobs:?}") };
    let attempt = order.attempt.clone();
    let late = Command::Answered { attempt, fence: 1, answer: settled(200, "late"), sent: 1 };
    assert_eq!(world.reply(late).outcome().0, "executing");
    let told = world.answered(order, settled(200, "now"));
    assert_eq!(told.body["merchantResponse"]["body"], "now");
}

#[test]
pub fn what_was_never_signed_is_void_after_a_crash() {
    let mut world = World::with_node();
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &keyed("10000", "k")) else { panic!() };
    world.now += 60;
    assert_eq!(world.alarm(), []);
    assert_eq!((money(&world), spent(&mut world).as_str()), (Money::Void, "0"));
    let told = world.told(&keyed("10000", "k"));
    assert_eq!(told.outcome(), ("execution_failed", "merchant_execution_failed"));
    let Answer::Reply(late) = prepared(&mut world, &preparation, Some("ffffff")) else {
        panic!("sent")
    };
    assert_eq!(late.body, told.text);
}

/// A payment of this method whose Worker was lost; the merchant asks for little time if `short`.
fn abandoned(method: &str) -> (World, Vec<Job>) {
    let mut world = World::with_node();
    let mut body = request("10000");
    (body["request"]["method"], body["request"]["body"]) = (json!(method), json!(""));
    let mut entry = super::world::accept("10000");
    entry["maxTimeoutSeconds"] = json!(300);
    body["challenge"]["headers"]["payment-required"] = json!(super::world::terms(&[entry]));
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &body) else { panic!() };
    assert!(matches!(prepared(&mut world, &preparation, Some("ffffff")), Answer::Send(_)));
    world.now += 60;
    let jobs = world.alarm();
    (world, jobs)
}

#[test]
pub fn after_a_crash_the_same_bytes_are_sent_again_where_that_is_safe() {
    for (method, probe) in [
        ("GET", None),
        ("HEAD", None),
        ("POST", Some("https://merchant.example.com/.well-known/farebox-keys.json")),
    ] {
        let (world, jobs) = abandoned(method);
        let [Job::Send(order, asked_first)] = jobs.as_slice() else { panic!("{jobs:?}") };
        assert_eq!(asked_first.as_deref(), probe, "{method}");
        let row = world.rows.attempts.values().next().unwrap();
        assert!(order.headers.contains(row.header.as_ref().unwrap()));
        assert_eq!((row.fence, order.fence), (2, 2));
    }
}

// A-143
#[test]
pub fn the_refusal_of_a_repeat_says_nothing_of_the_payment() {
    let (mut world, jobs) = abandoned("GET");
    let [Job::Send(order, _)] = jobs.as_slice() else { panic!("{jobs:?}") };
    let told = world.answered(order, plain(409, "used"));
    assert_eq!(told.outcome(), ("inconclusive", "merchant_transport_lost"));
}

#[test]
fn a_settlement_that_may_have_been_sent_is_asked_for_again_and_is_no_refusal() {
    let hash = format!("0x{}", "ab".repeat(32));
    let said = |reason: &str, transaction: &str| {
        let said = json!({"success": false, "errorReason": reason, "transaction": transaction});
        let mut answer = plain(402, "");
        answer
            .headers
            .push(("payment-response".into(), base64::encode(said.to_string().as_bytes())));
        answer
    };
    for open in [said("settlement_pending", &hash), said("duplicate_settlement", "")] {
        let (mut world, order) = paying();
        let now = UnixTime::from_secs(world.now);
        assert_eq!(world.treasury.turn(&order, Some(open.clone()), 1, now), Turn::Again(250));
        let told = world.answered(&order, open);
        assert_eq!(told.outcome(), ("inconclusive", "merchant_transport_lost"));
        assert_eq!((money(&world), spent(&mut world).as_str()), (Money::Signed, "0.01"));
    }
    let (mut world, order) = paying();
    let now = UnixTime::from_secs(world.now);
    let certain = said("invalid_exact_evm_payload_signature", "");
    let turn = world.treasury.turn(&order, Some(certain.clone()), 1, now);
    assert!(matches!(turn, Turn::Report(Command::Answered { sent: 1, .. })), "{turn:?}");
    assert_eq!(
        world.answered(&order, certain).outcome(),
        ("execution_failed", "merchant_rejected")
    );
}

#[test]
pub fn what_was_never_sent_is_void_at_once_unless_it_is_a_repeat() {
    let (mut world, order) = paying();
    let (attempt, fence) = report(&order);
    let told = world.reply(Command::Lost { attempt, fence, sent: false });
    assert_eq!(told.outcome(), ("execution_failed", "merchant_execution_failed"));
    assert_eq!(told.body["evidence"], json!({"sent": false}));
    assert_eq!((money(&world), spent(&mut world).as_str()), (Money::Void, "0"));
    assert_eq!(world.reply(lost(&order)).text, told.text);
    let (mut world, jobs) = abandoned("GET");
    let [Job::Send(order, _)] = jobs.as_slice() else { panic!("{jobs:?}") };
    let (attempt, fence) = report(order);
    let told = world.reply(Command::Lost { attempt, fence, sent: false });
    assert_eq!(told.outcome(), ("inconclusive", "merchant_transport_lost"));
    assert_eq!((money(&world), spent(&mut world).as_str()), (Money::Signed, "0.01"));
}

#[test]
pub fn an_order_is_sent_again_while_it_may_help() {
    let mut world = World::new();
    let order = world.order(&request("10000"));
    let now = UnixTime::from_secs(world.now);
    let mut busy = plain(503, "settling");
    busy.headers.push(("retry-after".into(), "2".into()));
    assert_eq!(world.treasury.turn(&order, None, 1, now), Turn::Again(250));
    assert_eq!(world.treasury.turn(&order, Some(busy.clone()), 1, now), Turn::Again(2_000));
    let over = UnixTime::from_secs(order.until - 1);
    assert!(matches!(
        world.treasury.turn(&order, Some(busy), 3, over),
        Turn::Report(Command::Answered { sent: 3, .. })
    ));
    assert!(matches!(
        world.treasury.turn(&order, None, 9, over),
        Turn::Report(Command::Lost { .. })
    ));
    for status in [200, 402, 404, 500, 503] {
        let told = world.treasury.turn(&order, Some(plain(status, "")), 1, now);
        assert!(matches!(told, Turn::Report(_)), "{status}");
    }
}

fn receipt(world: &World) -> (String, String) {
    let row = world.rows.attempts.values().next().unwrap();
    let facts = row.receipt.clone().unwrap();
    (facts.status, facts.reconciliation)
}

fn read(world: &mut World, order: &Order, finding: &Finding) {
    world.read(&order.attempt, order.fence, finding);
}

fn transaction() -> TxHash {
    TxHash::parse(TRANSACTION).unwrap()
}

#[test]
pub fn a_payment_is_confirmed_by_twelve_blocks_and_not_by_one() {
    let (mut world, order) = paying();
    world.answered(&order, settled(200, ""));
    let told = |status: &str, reconciliation: &str| (status.to_owned(), reconciliation.to_owned());
    assert_eq!(receipt(&world), told("provisional", "required"));
    read(&mut world, &order, &Finding::Unconfirmed { transaction: transaction() });
    assert_eq!(
        (receipt(&world), money(&world)),
        (told("provisional", "in_progress"), Money::Signed)
    );
    let safe = Some(UnixTime::from_secs(world.now));
    read(&mut world, &order, &Finding::Unused { safe_time: safe });
    assert_eq!((receipt(&world), money(&world)), (told("provisional", "required"), Money::Signed));
    read(
        &mut world,
        &order,
        &Finding::Transferred { transaction: transaction(), block: 9, log_index: 0 },
    );
    assert_eq!((receipt(&world), money(&world)), (told("confirmed", "resolved"), Money::Spent));
    assert_eq!(spent(&mut world), "0.01");
}

// A-410
#[test]
pub fn what_is_over_names_no_other_transaction_than_the_chain_shows() {
    let other = format!("0x{}", "7".repeat(64));
    for moved_in in [TRANSACTION, &other] {
        let (mut world, order) = paying();
        let told = world.answered(&order, settled(200, "here"));
        assert_eq!(told.body["receipt"]["settlementIdentifier"], TRANSACTION);
        let known = |world: &mut World| {
            let (agent, key) = ("buyer".to_owned(), "k".to_owned());
            let known = world.reply(Command::Known { agent, key });
            let header = |name: &str| {
                let found = known.headers.iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value.clone())
            };
            (header("farebox-money").unwrap(), header("farebox-transaction"))
        };
        let transaction = TxHash::parse(moved_in).unwrap();
        assert_eq!(known(&mut world), ("signed".to_owned(), None));
        read(&mut world, &order, &Finding::Unconfirmed { transaction });
        assert_eq!(known(&mut world), ("signed".to_owned(), None));
        read(&mut world, &order, &Finding::Transferred { transaction, block: 9, log_index: 0 });
        assert_eq!(known(&mut world), ("spent".to_owned(), Some(moved_in.to_owned())));
        let again = world.told(&keyed("10000", "k"));
        assert_eq!(again.body["receipt"]["settlementIdentifier"], moved_in);
        assert_eq!(again.text == told.text, moved_in == TRANSACTION);
    }
}

#[test]
pub fn what_is_unused_past_its_end_is_void_and_not_before() {
    let (mut world, order) = paying();
    world.answered(&order, settled(200, ""));
    read(&mut world, &order, &Finding::Unused { safe_time: None });
    assert_eq!(money(&world), Money::Signed);
    world.now += 200;
    let safe = Some(UnixTime::from_secs(world.now));
    read(&mut world, &order, &Finding::Unused { safe_time: safe });
    assert_eq!((money(&world), spent(&mut world).as_str()), (Money::Void, "0"));
    assert_eq!(receipt(&world).0, "expired_unconfirmed");
}

#[test]
pub fn a_transaction_that_never_came_is_not_shown_as_that_of_a_payment() {
    let (mut world, order) = paying();
    world.answered(&order, settled(200, ""));
    world.now += 200;
    let safe = Some(UnixTime::from_secs(world.now));
    read(&mut world, &order, &Finding::Unused { safe_time: safe });
    let facts = world.rows.attempts.values().next().unwrap().receipt.clone().unwrap();
    assert_eq!((facts.transaction, facts.evidence.as_str()), (None, "none"));
}

#[test]
pub fn a_transaction_that_the_chain_does_not_bear_out_is_no_evidence() {
    let (mut world, order) = paying();
    world.answered(&order, settled(200, ""));
    let id = world.rows.attempts.values().next().unwrap().receipt_id.clone();
    let receipt =
        |world: &mut World| world.reply(Command::KnownReceipt(id.clone())).body["receipt"].clone();
    assert_eq!(receipt(&mut world)["settlementIdentifier"], TRANSACTION);
    read(&mut world, &order, &Finding::Unused { safe_time: None });
    let doubted = receipt(&mut world);
    assert_eq!(doubted["settlementEvidenceClass"], "inconclusive");
    assert!(doubted["settlementIdentifier"].is_null() && doubted["evidenceSource"].is_null());
    // The node was late.
    let transaction = TxHash::parse(TRANSACTION).unwrap();
    read(&mut world, &order, &Finding::Unconfirmed { transaction });
    let seen = receipt(&mut world);
    assert_eq!(
        (&seen["settlementEvidenceClass"], &seen["settlementIdentifier"]),
        (&json!("settled"), &json!(TRANSACTION))
    );
}

#[test]
pub fn what_is_void_is_given_back_to_the_windows_in_which_it_was_counted() {
    let mut world = World::under(
        json!({"allowedOrigins": ["https://merchant.example.com"], "perHour": "1.00", "perMonth": "5.00"}),
    );
    let order = world.order(&keyed("1000000", "a"));
    world.reply(lost(&order));
    world.now += 3600;
    world.buy(&keyed("1000000", "b"));
    let safe = Some(UnixTime::from_secs(world.now));
    read(&mut world, &order, &Finding::Unused { safe_time: safe });
    assert_eq!(spent(&mut world), "1");
    assert_eq!(world.told(&keyed("1", "c")).outcome(), ("deny", "policy_denied"));
}

// A-208
#[test]
pub fn an_inconclusive_payment_that_the_chain_shows_gets_its_receipt() {
    let (mut world, order) = paying();
    world.reply(lost(&order));
    world.now += 30;
    assert!(matches!(world.alarm().as_slice(), [Job::Read { .. }]));
    read(&mut world, &order, &Finding::Unconfirmed { transaction: transaction() });
    assert_eq!(receipt(&world).1, "in_progress");
    let row = world.rows.attempts.values().next().unwrap().receipt.clone().unwrap();
    assert_eq!((row.fulfillment.as_str(), row.evidence.as_str()), ("inconclusive", "settled"));
}

// A-586
#[test]
pub fn a_payment_is_signed_for_the_offer_that_was_judged_wherever_it_stands_by_now() {
    let mut variables = variables();
    variables["RPC_URL"] = json!("https://node.example.com");
    variables["WALLETS"][0]["networks"] = json!(["base-sepolia", "eip155:80002"]);
    let mut world = World::of(&variables);
    let mut elsewhere = accept("10000");
    elsewhere["network"] = json!("eip155:80002");
    elsewhere["asset"] = json!("0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582");
    let mut body = keyed("10000", "k");
    body["challenge"]["headers"]["payment-required"] = json!(terms(&[accept("10000"), elsewhere]));
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &body) else { panic!("not prepared") };
    let parcel = world.rows.parcels.get_mut(&preparation.attempt).unwrap();
    parcel.offer = 1 - parcel.offer;
    let Answer::Reply(told) = prepared(&mut world, &preparation, None) else { panic!("is sent") };
    assert!(told.body.contains("preflight_failed"), "{}", told.body);
    assert!(world.rows.attempts.values().all(|row| row.header.is_none()));
}
