//! Payouts: what the operator moves out of a wallet, once for each key and within its own budget.

use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{Answer, Command, Listing, MerchantAnswer, Operation, Order};
use farebox_core::treasury::row::Scope;
use farebox_core::treasury::{Job, Turn};
use serde_json::{Value, json};

use super::world::{
    BUYER_KEY, NETWORK, PAYEE, TRANSACTION, Told, World, keyed, payer, settled, variables,
};
use crate::dice::Dice;

pub const SETTLE: &str = "https://facilitator.example.com/settle";

/// A world with a facilitator, a node, and a dollar a day to pay out.
pub fn world() -> World {
    World::of(&variables_of_payouts())
}

/// Its variables.
pub fn variables_of_payouts() -> Value {
    let mut variables = variables();
    variables["RPC_URL"] = json!("https://node.example.com");
    variables["FACILITATOR_URL"] = json!("https://facilitator.example.com/");
    variables["ORGANIZATIONS"][0]["policy"]["payoutsPerDay"] = json!({"USDC": "1.00"});
    variables
}

pub fn payout(amount: &str, key: &str) -> Value {
    json!({"organization": "acme", "wallet": "main", "network": NETWORK, "asset": "USDC", "to": PAYEE, "amount": amount, "idempotencyKey": key})
}

pub fn ask(world: &mut World, body: &Value) -> Answer {
    world.send(Command::Operate(Operation::PayOut(body.to_string())))
}

fn told(world: &mut World, body: &Value) -> Told {
    world.operate(Operation::PayOut(body.to_string()))
}

/// A payout that is sent: what goes to the facilitator.
pub fn order(world: &mut World, body: &Value) -> Order {
    let Answer::Prepare(asked) = ask(world, body) else { panic!("nothing is prepared") };
    assert!(asked.balance.is_some());
    let (attempt, fence) = (asked.attempt, asked.fence);
    match world.send(Command::Prepared { attempt, fence, signature: None, balance: None }) {
        Answer::Send(order) => *order,
        other => panic!("nothing is sent: {other:?}"),
    }
}

/// A facilitator's answer.
pub fn answer(status: u32, body: &Value) -> MerchantAnswer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    MerchantAnswer { status, headers, body: body.to_string(), cut: false, base64: false }
}

pub fn success() -> MerchantAnswer {
    answer(
        200,
        &json!({"success": true, "transaction": TRANSACTION, "network": NETWORK, "payer": payer()}),
    )
}

fn item(world: &mut World, id: &str) -> Value {
    world.operate(Operation::Payout(id.to_owned())).body
}

fn of_payouts(listed: &Told) -> Vec<Value> {
    let items = listed.body["items"].as_array().unwrap();
    items.iter().filter(|item| item["scope"] == "payouts").cloned().collect()
}

#[test]
pub fn a_payout_is_signed_for_the_nonce_of_its_key_and_sent_to_the_facilitator() {
    let mut world = world();
    let sent = order(&mut world, &payout("0.25", "rent"));
    let mut elsewhere = self::world();
    elsewhere.dice = Dice::seeded(8);
    let again = order(&mut elsewhere, &payout("0.5", "rent"));
    assert_eq!((sent.url.as_str(), sent.method.as_str()), (SETTLE, "POST"));
    assert!(sent.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("payment-signature")));
    let body =
        |order: &Order| serde_json::from_str::<Value>(order.body.as_deref().unwrap()).unwrap();
    let (body, other) = (body(&sent), body(&again));
    let signed = &body["paymentPayload"]["payload"]["authorization"];
    assert_eq!((&signed["to"], &signed["value"]), (&json!(PAYEE), &json!("250000")));
    assert_eq!(body["paymentRequirements"], body["paymentPayload"]["accepted"]);
    assert_eq!(signed["nonce"], other["paymentPayload"]["payload"]["authorization"]["nonce"]);
}

#[test]
pub fn a_key_pays_once_and_is_answered_with_the_same_bytes_for_ever() {
    let mut world = world();
    let sent = order(&mut world, &payout("0.25", "rent"));
    let running = told(&mut world, &payout("0.25", "rent"));
    let first = world.answered(&sent, success());
    world.now += 86_400 * 40;
    let later = told(&mut world, &payout("0.250", "rent"));
    assert_eq!((running.status, running.text("outcome")), (201, "executing"));
    assert_eq!((first.status, first.text("outcome")), (201, "sent"));
    assert_eq!(first.text, later.text);
    assert_eq!(world.rows.attempts.len(), 1);
}

#[test]
pub fn a_key_of_another_payout_is_a_conflict_and_writes_nothing() {
    let mut world = world();
    let sent = order(&mut world, &payout("0.25", "rent"));
    world.answered(&sent, success());
    for (member, value) in [("amount", "0.26"), ("to", &payer() as &str), ("asset", "EURC")] {
        let mut other = payout("0.25", "rent");
        other[member] = json!(value);
        let refused = told(&mut world, &other);
        assert_eq!(
            (refused.status, refused.text("code")),
            (409, "idempotency_key_conflict"),
            "{member}"
        );
    }
    assert_eq!(world.rows.attempts.len(), 1);
}

#[test]
pub fn nothing_is_paid_out_unless_the_policy_says_how_much_a_day() {
    let mut variables = variables();
    variables["RPC_URL"] = json!("https://node.example.com");
    variables["FACILITATOR_URL"] = json!("https://facilitator.example.com");
    let mut world = World::of(&variables);
    let refused = told(&mut world, &payout("0.25", "rent"));
    assert_eq!((refused.status, refused.text("code")), (403, "payouts_not_allowed"));
    assert!(world.rows.decisions.is_empty());
}

#[test]
pub fn payouts_have_a_budget_of_their_own() {
    let mut world = world();
    let sent = order(&mut world, &payout("0.75", "a"));
    world.answered(&sent, success());
    let refused = told(&mut world, &payout("0.26", "b"));
    assert_eq!((refused.status, refused.text("code")), (403, "payouts_budget_exceeded"));
    assert_eq!(
        refused.text("detail"),
        "Policy denied: payouts daily budget of $1.00 exceeded. Current spend: $0.75. Requested: $0.26."
    );
    order(&mut world, &payout("0.25", "b"));
    assert!(!world.rows.budgets.contains_key("organization"));
    world.now += 86_400;
    order(&mut world, &payout("1", "c"));
}

#[test]
pub fn what_cannot_be_paid_out_is_named_and_writes_nothing() {
    let wrong = [
        ("wallet", json!("other"), "wallet: is not the name"),
        ("network", json!("eip155:8453"), "network: is not one of the organization's"),
        ("network", json!("nowhere"), "network: must be"),
        ("asset", json!("GOLD"), "asset: is not a known asset"),
        ("to", json!(PAYEE.to_lowercase().replace('c', "d")), "to: must be an address"),
        ("to", json!("0x0000000000000000000000000000000000000000"), "to: must be an address"),
        ("to", json!(payer()), "to: is the wallet itself"),
        ("from", json!(PAYEE), "from: is not the address of the wallet"),
        ("from", json!(payer().to_lowercase()), "from: must be an address"),
        ("from", json!(null), "from: must be an address"),
        ("amount", json!("0"), "amount: must be decimal text above 0"),
        ("amount", json!("0.0000001"), "amount: must be decimal text above 0"),
        ("amount", json!(1), "amount: must be text"),
        ("idempotencyKey", json!(""), "idempotencyKey: must be text"),
        ("colour", json!("red"), "colour: is unknown"),
    ];
    let mut world = world();
    for (member, value, start) in wrong {
        let mut body = payout("0.25", "rent");
        body[member] = value;
        let refused = told(&mut world, &body);
        assert_eq!((refused.status, refused.text("code")), (400, "invalid_payout"), "{member}");
        assert!(refused.text("detail").contains(start), "{start}: {}", refused.text("detail"));
    }
    assert!(world.rows.decisions.is_empty());
}

#[test]
pub fn a_payout_may_name_the_address_of_its_wallet() {
    let mut world = world();
    let mut body = payout("0.25", "rent");
    body["from"] = json!(payer());
    let sent = order(&mut world, &body);
    world.answered(&sent, success());
    assert_eq!(told(&mut world, &payout("0.25", "rent")).status, 201, "it is the same payout");
    assert_eq!(world.rows.decisions.len(), 1);
}

#[test]
pub fn a_payout_needs_a_facilitator_and_a_node() {
    for missing in ["RPC_URL", "FACILITATOR_URL"] {
        let mut variables = variables();
        variables["RPC_URL"] = json!("https://node.example.com");
        variables["FACILITATOR_URL"] = json!("https://facilitator.example.com");
        variables["ORGANIZATIONS"][0]["policy"]["payoutsPerDay"] = json!("1.00");
        variables[missing] = json!(null);
        let refused = told(&mut World::of(&variables), &payout("0.25", "rent"));
        assert_eq!(
            (refused.status, refused.text("code")),
            (409, "payouts_not_configured"),
            "{missing}"
        );
    }
}

#[test]
pub fn a_payout_is_confirmed_by_the_chain_and_not_by_its_facilitator() {
    let mut world = world();
    let sent = order(&mut world, &payout("0.25", "rent"));
    let first = world.answered(&sent, success());
    let id = first.text("id").to_owned();
    let open = item(&mut world, &id);
    assert_eq!(
        (&open["state"], &open["onChain"], &open["transaction"]),
        (&json!("open"), &json!(false), &json!(TRANSACTION))
    );
    let transaction = TxHash::parse(TRANSACTION).unwrap();
    world.read(&sent.attempt, sent.fence, &Finding::Unconfirmed { transaction });
    assert_eq!(
        (item(&mut world, &id)["state"].clone(), item(&mut world, &id)["onChain"].clone()),
        (json!("open"), json!(true))
    );
    world.read(
        &sent.attempt,
        sent.fence,
        &Finding::Transferred { transaction, block: 9, log_index: 0 },
    );
    assert_eq!(item(&mut world, &id)["state"], "confirmed");
    let audit = world.operate(Operation::Audit(Listing::default()));
    assert_eq!(of_payouts(&audit)[0]["confirmed"], "0.25");
}

#[test]
pub fn a_refusal_keeps_a_payout_counted_until_its_authorization_has_ended_unused() {
    let mut world = world();
    let sent = order(&mut world, &payout("1", "rent"));
    let refusal = json!({"success": false, "errorReason": "insufficient_funds", "transaction": "", "network": NETWORK});
    let first = world.answered(&sent, answer(200, &refusal));
    assert_eq!(first.text("outcome"), "refused");
    assert_eq!(told(&mut world, &payout("0.5", "b")).text("code"), "payouts_budget_exceeded");
    world.now += 800;
    world.read(
        &sent.attempt,
        sent.fence,
        &Finding::Unused { safe_time: Some(UnixTime::from_secs(world.now)) },
    );
    assert_eq!(item(&mut world, first.text("id"))["state"], "void");
    let notice = world.rows.outbox.last().unwrap().clone();
    assert_eq!(notice.kind, "payout.failed");
    assert_eq!(told(&mut world, &payout("1", "rent")).text, first.text);
    order(&mut world, &payout("0.5", "b"));
    let audit = world.operate(Operation::Audit(Listing::default()));
    assert_eq!(
        (&of_payouts(&audit)[0]["void"], &of_payouts(&audit)[0]["counted"]),
        (&json!("1"), &json!("0.5"))
    );
}

/// A node's word on the wallet, and on whether the nonce was used.
fn sight(units: u64, is_used: bool) -> String {
    let word = |id: u32, value: u64| json!({"jsonrpc": "2.0", "id": id, "result": format!("0x{value:064x}")});
    json!([word(1, units), word(2, is_used.into())]).to_string()
}

//
#[test]
pub fn a_payout_that_has_moved_and_is_forgotten_since_is_left_to_the_chain() {
    for units in [7, 1_000_000] {
        let mut world = world();
        let Answer::Prepare(asked) = ask(&mut world, &payout("0.25", "rent")) else { panic!() };
        let (_, batch) = asked.balance.unwrap();
        assert!(batch.contains("0xe94a0102"), "authorizationState: {batch}");
        let (attempt, fence) = (asked.attempt.clone(), asked.fence);
        let balance = Some(sight(units, true));
        let first = world.reply(Command::Prepared { attempt, fence, signature: None, balance });
        assert_eq!((first.status, first.text("outcome")), (201, "unknown"), "{}", first.text);
        assert!(world.rows.attempts.values().all(|row| row.header.is_none()), "nothing is signed");
        assert_eq!(told(&mut world, &payout("0.25", "rent")).text, first.text);
        let id = first.text("id").to_owned();
        assert_eq!(item(&mut world, &id)["state"], "open");
        world.now += 60;
        let jobs = world.alarm();
        let [Job::Read { attempt, fence, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
        let transaction = TxHash::parse(TRANSACTION).unwrap();
        world.read(attempt, *fence, &Finding::Transferred { transaction, block: 9, log_index: 0 });
        assert_eq!(item(&mut world, &id)["state"], "confirmed");
    }
}

#[test]
pub fn a_wallet_without_the_money_signs_no_payout() {
    let mut world = world();
    let Answer::Prepare(asked) = ask(&mut world, &payout("0.25", "rent")) else { panic!() };
    let (attempt, fence) = (asked.attempt, asked.fence);
    let balance = Some(sight(7, false));
    let failed = world.reply(Command::Prepared { attempt, fence, signature: None, balance });
    assert_eq!((failed.status, failed.text("outcome")), (201, "failed"), "{}", failed.text);
    assert!(world.rows.attempts.values().all(|row| row.header.is_none()));
    assert_eq!(world.rows.budgets["payouts"].assets[0].day, "0");
}

// I-27
#[test]
pub fn an_unknown_outcome_is_sent_again_with_the_same_bytes_and_then_the_chain_is_read() {
    let mut world = world();
    let sent = order(&mut world, &payout("0.25", "rent"));
    world.now += 60;
    let jobs = world.alarm();
    let [Job::Send(again, None)] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!((&again.body, &again.headers, &again.url), (&sent.body, &sent.headers, &sent.url));
    let refusal = json!({"success": false, "errorReason": "invalid_exact_evm_payload_authorization_nonce_used", "transaction": "", "network": NETWORK});
    let command = Command::Answered {
        attempt: again.attempt.clone(),
        fence: again.fence,
        answer: answer(200, &refusal),
        sent: 1,
    };
    let first = world.reply(command);
    assert_eq!(first.text("outcome"), "unknown");
    world.now += 60;
    assert!(matches!(world.alarm().as_slice(), [Job::Read { .. }]));
}

//
#[test]
pub fn what_proves_nothing_has_the_same_payout_sent_again_within_seconds() {
    let mut world = world();
    let sent = order(&mut world, &payout("0.25", "rent"));
    let now = UnixTime::from_secs(world.now);
    let plain =
        |status, body: &str| MerchantAnswer { body: body.to_owned(), ..answer(status, &json!({})) };
    let open = [
        plain(500, "{}"),
        plain(502, "<html>"),
        plain(429, "{}"),
        plain(200, "[]"),
        plain(404, ""),
        // A reason that facilitators give also after they have sent it.
        answer(
            400,
            &json!({"success": false, "errorReason": "unexpected_settle_error", "transaction": ""}),
        ),
        answer(200, &json!({"success": false, "transaction": "", "network": NETWORK})),
    ];
    for silent in open {
        let turn = world.treasury.turn(&sent, Some(silent.clone()), 1, now);
        assert_eq!(turn, Turn::Again(250), "{silent:?}");
        let over = now.plus(20);
        let turn = world.treasury.turn(&sent, Some(silent), 9, over);
        assert!(matches!(turn, Turn::Report(Command::Answered { .. })));
    }
    let refusal = json!({"success": false, "errorReason": "insufficient_funds", "transaction": "", "network": NETWORK});
    let named = json!({"success": false, "errorReason": "settlement_pending", "transaction": TRANSACTION, "network": NETWORK});
    let used = json!({"success": false, "errorReason": "invalid_exact_evm_nonce_already_used", "transaction": "", "network": NETWORK});
    for told in [success(), answer(200, &refusal), answer(200, &named), answer(200, &used)] {
        let turn = world.treasury.turn(&sent, Some(told), 1, now);
        assert!(matches!(turn, Turn::Report(Command::Answered { .. })));
    }
}

#[test]
pub fn a_facilitator_that_lies_confirms_nothing() {
    let lies = [
        json!({"success": true, "transaction": TRANSACTION, "network": "eip155:8453", "payer": payer()}),
        json!({"success": true, "transaction": TRANSACTION, "network": NETWORK, "payer": PAYEE}),
        json!({"success": true, "transaction": "", "network": NETWORK}),
        json!({"success": "yes"}),
        json!([]),
    ];
    for lie in lies {
        let mut world = world();
        let sent = order(&mut world, &payout("0.25", "rent"));
        let first = world.answered(&sent, answer(200, &lie));
        assert_eq!(first.text("outcome"), "unknown", "{lie}");
        assert_eq!(item(&mut world, first.text("id"))["state"], "open");
    }
}

#[test]
pub fn payouts_are_listed_and_agents_do_not_see_them() {
    let mut world = world();
    let sent = order(&mut world, &payout("0.25", "rent"));
    world.answered(&sent, success());
    let sent = {
        let Answer::Prepare(asked) = world.ask(super::world::BUYER_KEY, &keyed("10000", "k"))
        else {
            panic!()
        };
        let (attempt, fence) = (asked.attempt, asked.fence);
        match world.send(Command::Prepared { attempt, fence, signature: None, balance: None }) {
            Answer::Send(order) => order,
            other => panic!("{other:?}"),
        }
    };
    world.answered(&sent, settled(200, "ok"));
    let listed = world.operate(Operation::Payouts(Listing::default()));
    let items = listed.body["items"].as_array().unwrap();
    assert_eq!(
        (items.len(), &items[0]["idempotencyKey"], &items[0]["amount"]),
        (1, &json!("rent"), &json!("0.25"))
    );
    let known = Command::Known { agent: "$payouts".to_owned(), key: "rent".to_owned() };
    assert_eq!(world.reply(known).status, 404);
    let budgets = world.operate(Operation::Budgets);
    assert!(
        of_payouts(&budgets).iter().any(|item| item["window"] == "day" && item["limit"] == "1")
    );
}

/// A world with two wallets to pay out of.
fn two_wallets() -> World {
    World::of(&with_two_wallets())
}

fn with_two_wallets() -> Value {
    let mut variables = variables();
    variables["RPC_URL"] = json!("https://node.example.com");
    variables["FACILITATOR_URL"] = json!("https://facilitator.example.com/");
    variables["ORGANIZATIONS"][0]["policy"]["payoutsPerDay"] = json!({"USDC": "1.00"});
    variables["ESCROW_KEY"] = json!(format!("0x{}", "5e".repeat(32)));
    let escrow = json!({"name": "escrow", "networks": ["base-sepolia"], "secret": "ESCROW_KEY"});
    variables["WALLETS"].as_array_mut().unwrap().push(escrow);
    variables
}

#[test]
pub fn an_organization_pays_out_of_no_wallet_of_another() {
    let mut variables = with_two_wallets();
    variables["ORGANIZATIONS"][0]["policy"]["wallet"] = json!("main");
    let policy = json!({"payoutsPerDay": {"USDC": "1.00"}});
    let another = json!({"name": "another", "environment": "test", "policy": policy, "agents": []});
    variables["ORGANIZATIONS"].as_array_mut().unwrap().push(another);
    let mut world = World::of(&variables);
    world.organization = "another";
    world.operate(Operation::PutPolicy(Scope::Organization, policy.to_string()));
    let asked = |wallet: &str| {
        let mut body = out_of(wallet, wallet);
        body["organization"] = json!("another");
        body
    };
    let refused = world.operate(Operation::PayOut(asked("main").to_string()));
    assert_eq!((refused.status, refused.text("code")), (403, "payouts_not_allowed"));
    assert!(refused.text("detail").contains("that of acme"), "{}", refused.text);
    assert!(world.rows.attempts.is_empty());
    let sent = order(&mut world, &asked("escrow"));
    assert_eq!(world.answered(&sent, success()).status, 201);
}

fn out_of(wallet: &str, key: &str) -> Value {
    let mut body = payout("0.25", key);
    body["wallet"] = json!(wallet);
    body
}

/// What the holder of the token of the escrow wallet asks.
fn by_token(body: &Value) -> Command {
    Command::Operate(Operation::PayOutFrom("escrow".to_owned(), body.to_string()))
}

#[test]
pub fn the_token_of_a_wallet_pays_out_of_it_alone() {
    let mut world = two_wallets();
    let sent = order(&mut world, &out_of("main", "rent"));
    world.answered(&sent, success());
    let mut elsewhere = out_of("escrow", "job");
    elsewhere["organization"] = json!("another");
    for body in [out_of("main", "job"), out_of("main", "rent"), out_of("none", "job"), elsewhere] {
        let Answer::Reply(reply) = world.send(by_token(&body)) else { panic!("{body}") };
        assert!(reply.status == 403 && reply.body.contains("payouts_not_allowed"), "{body}");
    }
    assert_eq!(world.rows.attempts.len(), 1);
    let Answer::Prepare(asked) = world.send(by_token(&out_of("escrow", "job"))) else { panic!() };
    let (attempt, fence) = (asked.attempt, asked.fence);
    let prepared = Command::Prepared { attempt, fence, signature: None, balance: None };
    let Answer::Send(order) = world.send(prepared) else { panic!() };
    let paid = world.answered(&order, success());
    assert_eq!(paid.status, 201);
    let Answer::Reply(again) = world.send(by_token(&out_of("escrow", "job"))) else { panic!() };
    assert_eq!(again.body, paid.text, "the same bytes for ever");
    assert_eq!(world.rows.attempts.len(), 2);
}

/// A payout that is sent by whoever has the token of a wallet.
fn order_by_token(world: &mut World, wallet: &str, key: &str) -> Option<Order> {
    let body = out_of(wallet, key).to_string();
    let asked = Command::Operate(Operation::PayOutFrom(wallet.to_owned(), body));
    let Answer::Prepare(asked) = world.send(asked) else { return None };
    let (attempt, fence) = (asked.attempt, asked.fence);
    match world.send(Command::Prepared { attempt, fence, signature: None, balance: None }) {
        Answer::Send(order) => Some(*order),
        _ => None,
    }
}

//
#[test]
pub fn no_holder_of_a_token_takes_a_key_from_another() {
    let mut world = two_wallets();
    for wallet in ["main", "escrow"] {
        let order = order_by_token(&mut world, wallet, "job").expect(wallet);
        assert_eq!(world.answered(&order, success()).status, 201);
        // Each asks for its own again, and for no other one under the key.
        assert!(order_by_token(&mut world, wallet, "job").is_none(), "{wallet}");
    }
    let listed = world.operate(Operation::Payouts(Listing::default()));
    let items = listed.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item["idempotencyKey"] == "job"), "{}", listed.text);
    let mut dearer = out_of("escrow", "job");
    dearer["amount"] = json!("0.26");
    let Answer::Reply(reply) = world.send(by_token(&dearer)) else { panic!("is paid") };
    assert!(reply.status == 409 && reply.body.contains("idempotency_key_conflict"));
}

//
#[test]
pub fn what_was_paid_out_of_a_wallet_is_found_by_its_token_and_by_the_operator() {
    // Keys of the operator's form are those of earlier versions, too.
    let mut world = two_wallets();
    let sent = order(&mut world, &out_of("escrow", "before"));
    let paid = world.answered(&sent, success());
    let Answer::Reply(again) = world.send(by_token(&out_of("escrow", "before"))) else { panic!() };
    assert_eq!(again.body, paid.text);
    let sent = order_by_token(&mut world, "escrow", "since").unwrap();
    let paid = world.answered(&sent, success());
    assert_eq!(told(&mut world, &out_of("escrow", "since")).text, paid.text);
    assert_eq!(world.rows.attempts.len(), 2);
    // What the operator has paid out of another wallet is in no one's way.
    let sent = order(&mut world, &out_of("main", "rent"));
    world.answered(&sent, success());
    assert!(order_by_token(&mut world, "escrow", "rent").is_some());
    // Once they have left the books, neither is paid again.
    world.rows.decisions.clear();
    world.rows.attempts.clear();
    for key in ["k:old", "w:6:escrow:old"] {
        let name = farebox_core::hash::digest(&[
            b"farebox removed key".as_slice(),
            b"$payouts",
            key.as_bytes(),
        ]);
        world.rows.traces.insert(name.clone());
        let Answer::Reply(reply) = world.send(by_token(&out_of("escrow", "old"))) else { panic!() };
        assert!(reply.body.contains("idempotency_key_used"), "{key}");
        assert_eq!(told(&mut world, &out_of("escrow", "old")).text("code"), "idempotency_key_used");
        world.rows.traces.remove(&name);
    }
}

#[test]
pub fn the_token_of_a_wallet_shows_its_payouts_alone() {
    let mut world = two_wallets();
    let ids = ["main", "escrow"].map(|wallet| {
        let sent = order(&mut world, &out_of(wallet, wallet));
        world.answered(&sent, success()).text("id").to_owned()
    });
    let seen = ids.map(|id| {
        let told = world.operate(Operation::PayoutFrom("escrow".to_owned(), id));
        (told.status, told.body["wallet"].clone())
    });
    assert_eq!(seen, [(404, Value::Null), (200, json!("escrow"))]);
    let unknown = Operation::PayoutFrom("escrow".to_owned(), "none".to_owned());
    assert_eq!(world.operate(unknown).status, 404);
}

//
#[test]
fn payouts_are_found_under_their_agent_as_a_browser_writes_it() {
    let mut world = world();
    world.ask(BUYER_KEY, &keyed("10000", "k"));
    order(&mut world, &payout("0.10", "rent"));
    for query in ["agent=%24payouts", "agent=$payouts"] {
        let listing = Listing::read(query, &["agent"]).unwrap();
        let listed = world.operate(Operation::Decisions(listing));
        let items = listed.body["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{query}");
        assert_eq!(items[0]["agent"], json!("$payouts"), "{query}");
    }
    assert_eq!(Listing::read("agent=%2", &["agent"]).unwrap_err().status, 400);
}
