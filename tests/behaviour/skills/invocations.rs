//! Invocations: what is paid, what is answered, and what is booked.

use farebox_core::skills::message::{
    Answer, CallOutcome, Chore, Command, Errand, TreasuryAnswer, Viewer,
};
use farebox_core::skills::row::{Ending, Moved, Phase};
use serde_json::json;

use super::world::{
    TX, Told, World, charge, charge_to, decision, echo, invocation, owner, plain, proven,
    unknown_key, vars,
};

pub fn shop() -> World {
    let mut world = World::new();
    world.publish(&echo());
    world
}

fn told(answer: Answer) -> Told {
    match answer {
        Answer::Reply(response) => Told::of(response),
        other => panic!("no reply: {other:?}"),
    }
}

#[test]
pub fn what_cannot_be_an_invocation_has_no_row() {
    let mut world = shop();
    let mut asked = invocation("", "x");
    asked.body = "{".into();
    let reply = world.reply(Command::Invoke(Box::new(asked.clone())));
    assert_eq!(reply.error(), (400, "Invalid JSON body"));
    asked.body = "{\"payload\":1}".into();
    let reply = world.reply(Command::Invoke(Box::new(asked.clone())));
    assert_eq!(
        reply.text,
        r#"{"ok":false,"error":"agentId is required","code":"invalid_request"}"#
    );
    let mut unknown = invocation("", "x");
    unknown.skill = "nope".into();
    let reply = world.reply(Command::Invoke(Box::new(unknown)));
    assert_eq!(reply.text, r#"{"ok":false,"error":"Skill not found","code":"not_found"}"#);
    let mut nameless = invocation("", "x");
    nameless.caller = None;
    let reply = world.reply(Command::Invoke(Box::new(nameless)));
    assert_eq!(reply.error(), (401, "Agent authentication required"));
    let mut other = invocation("", "x");
    other.body = json!({"agentId": "someone"}).to_string();
    assert_eq!(world.reply(Command::Invoke(Box::new(other))).status, 403);
    assert!(world.rows.invocations.is_empty());
}

#[test]
pub fn a_skill_that_asks_for_nothing_is_free() {
    let mut world = shop();
    let call = world.call("");
    assert_eq!(call.body.as_deref(), Some(r#"{"agentId":"buyer","payload":{"input":"hello"}}"#));
    let reply = told(world.called(&call, plain(200, r#"{"result": "skill executed"}"#)));
    let id = &world.rows.invocations[0].id;
    let body =
        format!(r#"{{"ok":true,"response":{{"result": "skill executed"}},"ledgerId":"{id}"}}"#);
    assert_eq!((reply.status, reply.text), (200, body));
    assert_eq!(
        (world.rows.invocations[0].ending, world.rows.invocations[0].xlm.as_str()),
        (Ending::Free, "0")
    );
    assert!(id.starts_with("inv_"));
}

#[test]
pub fn a_skill_that_fails_at_once_is_not_paid() {
    let mut world = shop();
    let call = world.call("");
    let reply = told(world.called(&call, plain(500, "")));
    assert_eq!(reply.error(), (500, "Skill invocation failed"));
    assert_eq!(world.rows.invocations[0].ending, Ending::NotPaidFailed);
    let call = world.call("");
    let (invocation, fence, outcome) = (call.invocation, call.fence, CallOutcome::TooLarge);
    let reply = world.reply(Command::Called { invocation, fence, outcome });
    assert_eq!(reply.error(), (500, "response_too_large"));
}

#[test]
pub fn a_skill_that_asks_for_its_price_is_paid_by_the_treasury() {
    let mut world = shop();
    let order = world.order("");
    assert_eq!(order.max_amount, "0.25");
    assert_eq!(order.invocation, world.rows.invocations[0].id);
    let reply = told(world.paid(&order, Some(decision("allow", TX))));
    let text = format!(
        r#"{{"ok":true,"response":{{"result":1}},"receipt":{{"txHash":"{TX}","chain":"eip155:84532","amountUsd":0.25}},"ledgerId":"{}"}}"#,
        order.invocation
    );
    assert_eq!((reply.status, reply.text), (200, text));
    let spend = &world.rows.spends["acme/buyer"];
    assert_eq!((spend.xlm.as_str(), spend.paid_ok), ("2.5", 1));
}

#[test]
pub fn cheaper_terms_are_paid_and_booked_as_they_are() {
    let mut world = shop();
    let call = world.call("");
    let Answer::Errand(Errand::Pay(order)) = world.called(&call, charge("100000")) else {
        panic!("not paid")
    };
    assert_eq!(order.max_amount, "0.1");
    world.paid(&order, Some(decision("allow", TX)));
    assert_eq!(world.rows.spends["acme/buyer"].xlm, "1");
}

#[test]
pub fn more_than_the_listed_price_is_not_paid() {
    let mut world = shop();
    let call = world.call("");
    let reply = told(world.called(&call, charge("250001")));
    assert_eq!(reply.error(), (500, "price_exceeds_listing"));
    assert_eq!(world.rows.invocations[0].ending, Ending::NotPaidFailed);
}

#[test]
pub fn another_payee_than_the_listed_one_is_not_paid() {
    let mut world = shop();
    let call = world.call("");
    let other = charge_to("250000", &owner(2), super::world::USDC);
    assert_eq!(told(world.called(&call, other)).error(), (500, "payee_not_listed"));
}

#[test]
pub fn another_asset_than_the_listed_one_is_not_paid() {
    let mut body = echo();
    body["network"] = "eip155:84532".into();
    let mut vars = vars();
    vars["NETWORK"] = json!(["eip155:84532", "eip155:80002"]);
    let mut world = World::of(&vars);
    world.publish(&body);
    let call = world.call("");
    let mut other = charge_to("1", &owner(1), "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582");
    let terms = json!({"x402Version": 2, "resource": {"url": "https://seller.example.com/echo"}, "accepts": [{
        "scheme": "exact", "network": "eip155:80002", "asset": "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582",
        "amount": "1", "payTo": owner(1), "maxTimeoutSeconds": 60, "extra": {"name": "USDC", "version": "2"},
    }]});
    other.headers[1].1 = farebox_core::x402::header::encode(&terms.to_string());
    assert_eq!(told(world.called(&call, other)).error(), (500, "asset_not_listed"));
}

#[test]
pub fn a_key_is_answered_with_the_same_bytes_and_paid_once() {
    let mut world = shop();
    let first = world.buy("k1", decision("allow", TX));
    world.now += 86_400_000;
    let again = told(world.invoke("k1", "hello"));
    assert_eq!(again, first);
    assert_eq!(world.rows.invocations.len(), 1);
}

#[test]
pub fn a_key_stands_for_one_request() {
    let mut world = shop();
    world.buy("k1", decision("allow", TX));
    assert_eq!(told(world.invoke("k1", "other")).status, 409);
}

#[test]
pub fn the_same_request_at_once_is_one_invocation() {
    let mut world = shop();
    let call = world.call("");
    assert!(matches!(world.invoke("", "hello"), Answer::Follow { .. }));
    let first = told(world.called(&call, plain(200, "1")));
    let late = world.reply(Command::Follow(call.invocation.clone()));
    assert_eq!(late, first);
    assert_eq!(world.rows.invocations.len(), 1);
}

#[test]
pub fn a_report_whose_answer_was_lost_is_answered_again() {
    let mut world = shop();
    let call = world.call("");
    let first = world.called(&call, charge("250000"));
    assert_eq!(world.called(&call, charge("250000")), first);
    assert_eq!(world.rows.spends["acme/buyer"].counted, "250000000000000000");
}

#[test]
pub fn a_worker_that_lost_its_invocation_changes_nothing() {
    let mut world = shop();
    let order = world.order("");
    world.now += 61_000;
    let Answer::Tasks(chores) = world.send(Command::Due) else { panic!("no tasks") };
    assert!(matches!(chores.last(), Some(Chore::LookUp { fence: 2, .. })));
    let late = told(world.paid(&order, Some(decision("deny", ""))));
    assert_eq!(late.status, 503);
    assert_eq!(world.rows.invocations[0].ending, Ending::Running);
}

#[test]
pub fn what_was_interrupted_before_the_treasury_was_asked_is_not_paid() {
    let mut world = shop();
    world.call("k");
    world.now += 30_000;
    world.send(Command::Due);
    let row = &world.rows.invocations[0];
    assert_eq!((row.ending, row.error.as_str()), (Ending::NotPaidFailed, "interrupted"));
    assert_eq!(told(world.invoke("k", "hello")).error(), (500, "interrupted"));
}

#[test]
pub fn what_was_interrupted_while_it_was_paid_ends_as_the_treasury_says() {
    let mut world = shop();
    let order = world.order("k");
    world.now += 60_000;
    world.send(Command::Due);
    let (invocation, answer) = (order.invocation.clone(), Some(decision("allow", TX)));
    world.send(Command::Paid { invocation, fence: 2, answer });
    assert_eq!(world.rows.invocations[0].ending, Ending::PaidOk);
    assert_eq!(told(world.invoke("k", "hello")).body["receipt"]["txHash"], TX);
}

#[test]
pub fn what_no_one_tells_of_ends_and_may_have_been_paid() {
    let mut without = vars();
    without.as_object_mut().unwrap().remove("LOOKUP_TOKEN");
    // Nothing can be looked up there, and here the treasury does not answer.
    for (vars, looks) in [(without, 0), (vars(), 180)] {
        let mut world = World::of(&vars);
        world.publish(&echo());
        let order = world.order("k");
        world.now += 59_000;
        world.send(Command::Due);
        assert_eq!(world.rows.invocations[0].phase, Phase::Paying, "its Worker may be at it");
        for fence in 2..looks + 2 {
            world.now += 3_600_000;
            world.send(Command::Due);
            assert_eq!(world.rows.invocations[0].phase, Phase::Paying);
            let invocation = order.invocation.clone();
            world.send(Command::Paid { invocation, fence, answer: None });
        }
        world.now += 3_600_000;
        world.send(Command::Due);
        let row = &world.rows.invocations[0];
        let (ending, error) = (row.ending, row.error.as_str());
        assert_eq!((ending, error, row.paid), (Ending::PaidFailed, "interrupted", Moved::Unknown));
        let again = told(world.invoke("k", "hello"));
        assert_eq!((again.status, &again.body["paid"]), (500, &json!("unknown")));
    }
}

// A-710
#[test]
pub fn a_treasury_that_is_asked_again_has_as_long_as_it_had_at_first() {
    let mut without = vars();
    without.as_object_mut().unwrap().remove("LOOKUP_TOKEN");
    // Where nothing can be looked up the alarm would end it, and where it can it would be asked twice.
    for vars in [without, vars()] {
        let mut world = World::of(&vars);
        world.publish(&echo());
        let order = world.order("k");
        world.now += 29_000;
        let Answer::Errand(Errand::Pay(again)) = world.paid(&order, None) else {
            panic!("not asked again")
        };
        world.now += 40_000;
        assert_eq!(world.send(Command::Due), Answer::Tasks(vec![Chore::Table]), "no look-up");
        assert_eq!(world.rows.invocations[0].phase, Phase::Paying, "its Worker may be at it");
        world.now += 5_000;
        let told = told(world.paid(&again, Some(decision("allow", TX))));
        assert_eq!((told.status, &told.body["receipt"]["txHash"]), (200, &json!(TX)));
        assert_eq!(world.rows.invocations[0].ending, Ending::PaidOk);
    }
}

#[test]
pub fn what_the_treasury_never_heard_of_ends_after_three_minutes() {
    let mut world = shop();
    let order = world.order("k");
    world.now += 60_000;
    world.send(Command::Due);
    let (invocation, answer) = (order.invocation.clone(), unknown_key());
    world.send(Command::Paid { invocation, fence: 2, answer });
    assert_eq!(world.rows.invocations[0].phase, Phase::Paying);
    world.now += 130_000;
    world.send(Command::Due);
    let (invocation, answer) = (order.invocation.clone(), unknown_key());
    world.send(Command::Paid { invocation, fence: 3, answer });
    assert_eq!(world.rows.invocations[0].ending, Ending::NotPaidFailed);
}

// A-439
#[test]
pub fn another_miss_than_the_treasury_s_own_ends_no_payment() {
    let unknown = r#"{"code":"organization_unknown","message":"There is no such organization."}"#;
    for body in ["", "{}", "<html>", unknown] {
        let mut world = shop();
        let order = world.order("k");
        let told = |body: &str| {
            Some(TreasuryAnswer { status: 404, body: body.into(), ..TreasuryAnswer::default() })
        };
        for fence in 2..5 {
            world.now += 200_000;
            world.send(Command::Due);
            let (invocation, answer) = (order.invocation.clone(), told(body));
            world.send(Command::Paid { invocation, fence, answer });
            assert_eq!(world.rows.invocations[0].phase, Phase::Paying, "{body}");
        }
        world.now += 3_600_000;
        world.send(Command::Due);
        let (invocation, answer) = (order.invocation.clone(), Some(decision("allow", TX)));
        world.send(Command::Paid { invocation, fence: 5, answer });
        assert_eq!(world.rows.invocations[0].ending, Ending::PaidOk, "{body}");
    }
}

#[test]
pub fn while_the_treasury_executes_it_is_asked_again_under_the_same_key() {
    let mut world = shop();
    let order = world.order("");
    let executing = Some(decision("executing", ""));
    let Answer::Errand(Errand::Pay(again)) = world.paid(&order, executing) else {
        panic!("not asked again")
    };
    assert_eq!(again.invocation, order.invocation);
    assert_eq!(again.candidate, order.candidate);
}

#[test]
pub fn what_was_paid_and_not_delivered_is_told_with_its_receipt_and_is_no_success() {
    let mut world = shop();
    let reply = world.buy("", decision("paid_fulfillment_failed", TX));
    assert_eq!(reply.error(), (500, "Skill invocation failed"));
    assert_eq!((&reply.body["paid"], &reply.body["receipt"]["txHash"]), (&true.into(), &TX.into()));
    let spend = world.reply(Command::Spend(Viewer::Operator, "buyer".into()));
    assert!(spend.text.contains(r#""totalXLM":0,"paidFailedXLM":2.5"#), "{}", spend.text);
}

#[test]
pub fn what_may_have_been_paid_is_told_as_unknown_until_the_chain_says() {
    let mut world = shop();
    let reply = world.buy("", decision("inconclusive", ""));
    assert_eq!(reply.body["paid"], "unknown");
    world.now += 60_000;
    world.send(Command::Due);
    let mut void = decision("inconclusive", "");
    void.money = Some("void".into());
    let invocation = world.rows.invocations[0].id.clone();
    world.send(Command::Paid { invocation, fence: 2, answer: Some(void) });
    let row = &world.rows.invocations[0];
    assert_eq!((row.ending, row.paid), (Ending::NotPaidFailed, Moved::No));
    assert_eq!(world.rows.spends["acme/buyer"].failed_xlm, "0");
}

/// What the row says after the alarm has heard this of its money.
fn heard(world: &mut World, answer: TreasuryAnswer, money: &str) -> (Ending, Moved) {
    world.now += 60_000;
    world.send(Command::Due);
    let (invocation, fence) =
        (world.rows.invocations[0].id.clone(), world.rows.invocations[0].fence);
    let answer = Some(TreasuryAnswer { money: Some(money.into()), ..answer });
    world.send(Command::Paid { invocation, fence, answer });
    (world.rows.invocations[0].ending, world.rows.invocations[0].paid)
}

// A-120, A-188
#[test]
pub fn a_key_pays_once_for_ever() {
    let asked = || Command::Invoke(Box::new(invocation("key", "hello")));
    for (said, tx) in [("allow", TX), ("paid_fulfillment_failed", TX), ("inconclusive", "")] {
        let mut world = shop();
        let first = world.buy("key", decision(said, tx));
        world.now += 400 * 86_400_000;
        world.send(Command::Due);
        world.rows.replies.clear();
        let again = world.reply(asked());
        assert_eq!(again.error(), (410, "answer_gone"), "{said}");
        assert_eq!(again.body["ledgerId"], first.body["ledgerId"]);
        assert_eq!(world.rows.invocations.len(), 1);
    }
    // Where nothing was paid, it is free again after 30 days.
    let mut world = shop();
    world.buy("key", decision("deny", ""));
    world.now += 30 * 86_400_000 + 1;
    world.send(Command::Due);
    assert_eq!(world.rows.keys.len(), 0);
    assert!(matches!(world.send(asked()), Answer::Errand(_)));
}

// A-188
#[test]
pub fn a_transaction_is_told_once_the_chain_shows_it() {
    let failed = |tx: &str| decision("paid_fulfillment_failed", tx);
    let mut world = shop();
    let first = world.buy("key", failed(""));
    assert_eq!((&first.body["paid"], &first.body["receipt"]["txHash"]), (&true.into(), &"".into()));
    for _ in 0..3 {
        assert_eq!(heard(&mut world, failed(""), "signed"), (Ending::PaidFailed, Moved::Yes));
        assert!(world.rows.invocations[0].due.is_some());
    }
    assert_eq!(heard(&mut world, failed(TX), "spent"), (Ending::PaidFailed, Moved::Yes));
    let row = &world.rows.invocations[0];
    assert_eq!((row.tx.as_str(), row.due), (TX, None));
    let asked = || Command::Invoke(Box::new(invocation("key", "hello")));
    assert_eq!(world.reply(asked()).body["receipt"]["txHash"], TX);
    assert_eq!(world.rows.spends["acme/buyer"].failed_xlm, "2.5");
    // The answer of one that was delivered has one receipt, whatever was told before.
    let mut world = shop();
    world.buy("key", decision("allow", ""));
    assert_eq!(heard(&mut world, decision("allow", ""), "spent"), (Ending::PaidOk, Moved::Yes));
    assert_eq!(world.reply(asked()).body["receipt"]["txHash"], "");
    heard(&mut world, decision("allow", TX), "spent");
    let told = world.reply(asked());
    assert_eq!((told.status, &told.body["receipt"]["txHash"]), (200, &TX.into()));
    assert_eq!(told.text.matches("receipt").count(), 1, "{}", told.text);
    // What never moved is no payment, whatever the seller said.
    let mut world = shop();
    world.buy("key", failed(""));
    assert_eq!(heard(&mut world, failed(""), "void"), (Ending::NotPaidFailed, Moved::No));
    assert_eq!(world.rows.spends["acme/buyer"].failed_xlm, "0");
}

#[test]
pub fn what_a_seller_refused_may_still_be_taken() {
    let refused = || decision("execution_failed", "");
    let mut world = shop();
    assert_eq!(world.buy("", refused()).body["paid"], "unknown");
    assert_eq!(heard(&mut world, refused(), "spent"), (Ending::PaidFailed, Moved::Yes));
    assert_eq!(world.rows.spends["acme/buyer"].failed_xlm, "2.5");
    let mut world = shop();
    world.buy("", refused());
    assert_eq!(heard(&mut world, refused(), "void"), (Ending::NotPaidFailed, Moved::No));
    assert_eq!(world.rows.spends["acme/buyer"].failed_xlm, "0");
}

#[test]
pub fn what_was_delivered_without_a_settlement_is_free_once_the_payment_is_void() {
    let allowed = || decision("allow", "");
    let mut world = shop();
    let reply = world.buy("", allowed());
    assert_eq!((reply.status, reply.body.get("receipt")), (200, None));
    let row = &world.rows.invocations[0];
    assert_eq!((row.ending, row.paid), (Ending::PaidOk, Moved::Unknown));
    assert_eq!(heard(&mut world, allowed(), "void"), (Ending::Free, Moved::No));
    let spend = &world.rows.spends["acme/buyer"];
    assert_eq!((spend.xlm.as_str(), spend.paid_ok), ("0", 0));
    let mut world = shop();
    world.buy("", allowed());
    assert_eq!(heard(&mut world, allowed(), "spent"), (Ending::PaidOk, Moved::Yes));
    assert_eq!(world.rows.spends["acme/buyer"].xlm, "2.5");
}

// A-208
#[test]
pub fn a_key_is_answered_with_what_became_known_of_its_payment() {
    let after = |said: &str, tx: &str, money: &str| {
        let mut world = shop();
        let first = world.buy("key", decision(said, ""));
        heard(&mut world, decision(said, tx), money);
        let asked = Command::Invoke(Box::new(invocation("key", "hello")));
        let then = world.reply(asked);
        assert_eq!((then.status, &then.body["ledgerId"]), (first.status, &first.body["ledgerId"]));
        assert_eq!(then.body["response"], first.body["response"]);
        assert_eq!((first.body.get("receipt"), world.rows.invocations.len()), (None, 1));
        then
    };
    let spent = after("inconclusive", TX, "spent");
    assert_eq!((&spent.body["paid"], &spent.body["receipt"]["txHash"]), (&true.into(), &TX.into()));
    let void = after("inconclusive", "", "void");
    assert_eq!((void.body.get("paid"), void.body.get("receipt")), (None, None));
    assert!(void.headers.contains(&("farebox-outcome".into(), "not_paid_failed".into())));
    let spent = after("allow", TX, "spent");
    assert_eq!((spent.status, &spent.body["receipt"]["txHash"]), (200, &TX.into()));
    let void = after("allow", "", "void");
    assert_eq!((void.status, void.body.get("receipt")), (200, None));
    assert!(void.headers.contains(&("farebox-outcome".into(), "free".into())));
}

#[test]
pub fn an_answer_that_the_treasury_has_cut_is_a_failure_with_its_receipt() {
    let mut world = shop();
    let mut cut = decision("allow", TX);
    let mut body: serde_json::Value = serde_json::from_str(&cut.body).unwrap();
    body["merchantResponse"]["headers"]["x-farebox-truncated"] = "true".into();
    cut.body = body.to_string();
    let reply = world.buy("", cut);
    assert_eq!(reply.error(), (500, "response_too_large"));
    assert_eq!((&reply.body["paid"], &reply.body["receipt"]["txHash"]), (&true.into(), &TX.into()));
}

#[test]
fn an_answer_that_has_left_the_treasury_is_a_failure_with_its_receipt() {
    let mut world = shop();
    let mut late = decision("allow", TX);
    let mut body: serde_json::Value = serde_json::from_str(&late.body).unwrap();
    body["merchantResponse"]["headers"] = serde_json::json!({"x-farebox-removed": "true"});
    body["merchantResponse"]["body"] = "".into();
    late.body = body.to_string();
    let reply = world.buy("", late);
    assert_eq!(reply.error(), (500, "Skill invocation failed"));
    assert_eq!((&reply.body["paid"], &reply.body["receipt"]["txHash"]), (&true.into(), &TX.into()));
}

#[test]
pub fn a_key_has_its_answer_whatever_became_of_the_skill() {
    let mut world = shop();
    let first = world.buy("k", decision("allow", TX));
    for skill in world.rows.skills.values_mut() {
        skill.active = false;
    }
    assert_eq!(told(world.invoke("k", "hello")).text, first.text);
    assert_eq!(told(world.invoke("other", "hello")).error(), (404, "Skill not found"));
}

#[test]
pub fn a_wallet_or_budget_that_is_not_enough_is_told_with_both_figures() {
    let mut world = shop();
    let mut denied = decision("deny", "");
    denied.figures = Some("required=250000, available=10, asset=USDC, decimals=6".into());
    let reply = world.buy("", denied);
    let text = format!(
        r#"{{"ok":false,"error":"insufficient_balance","code":"insufficient_balance","ledgerId":"{}","required":"250000","available":"10"}}"#,
        world.rows.invocations[0].id
    );
    assert_eq!((reply.status, reply.text), (402, text));
    assert_eq!(world.rows.invocations[0].tx, "");
    assert_eq!(world.rows.spends["acme/buyer"].counted, "0");
}

#[test]
pub fn a_day_has_a_cap_that_is_looked_at_before_anything_is_signed() {
    let mut vars = vars();
    vars["AGENT_DAILY_CAP"] = "$0.40".into();
    let mut world = World::of(&vars);
    world.publish(&echo());
    world.buy("", decision("allow", TX));
    let call = world.call("");
    let reply = told(world.called(&call, charge("250000")));
    assert_eq!(reply.error(), (402, "insufficient_balance"));
    assert_eq!(
        (&reply.body["required"], &reply.body["available"]),
        (&"250000".into(), &"150000".into())
    );
    world.now += 86_400_000;
    let call = world.call("");
    assert!(matches!(world.called(&call, charge("250000")), Answer::Errand(Errand::Pay(_))));
}

// A-489
#[test]
pub fn what_is_refused_is_given_back_to_the_day_in_which_it_counted() {
    // Of invocations that began before midnight, and whose terms came before or after it. The third
    // row is one of an earlier version.
    for (waits, kept) in [(0, true), (2_000, true), (0, false)] {
        let mut world = shop();
        // One second before midnight.
        world.now += 18 * 3_600_000 - 1_000;
        let call = world.call("");
        world.now += waits;
        let Answer::Errand(Errand::Pay(order)) = world.called(&call, charge("250000")) else {
            panic!("nothing is paid")
        };
        assert_eq!(world.rows.spends["acme/buyer"].counted, "250000000000000000");
        let row = &mut world.rows.invocations[0];
        row.counted_day = row.counted_day.filter(|_| kept);
        world.paid(&order, Some(decision("deny", "")));
        assert_eq!(world.rows.spends["acme/buyer"].counted, "0", "{waits} {kept}");
    }
    // What counted on a day that is over is taken out of no other.
    let mut world = shop();
    world.now += 18 * 3_600_000 - 2_000;
    let order = world.order("first");
    world.now += 2_000;
    world.order("second");
    world.paid(&order, Some(decision("deny", "")));
    assert_eq!(world.rows.spends["acme/buyer"].counted, "250000000000000000");
}

// A-405
#[test]
fn a_payment_that_the_treasury_has_no_room_for_ends_its_invocation() {
    let mut world = shop();
    let full = TreasuryAnswer {
        status: 429,
        body: r#"{"code":"too_many_open_payments","message":"Too many."}"#.into(),
        ..TreasuryAnswer::default()
    };
    let told = world.buy("key", full);
    assert_eq!(told.status, 500);
    let row = &world.rows.invocations[0];
    assert_eq!((row.phase, row.ending), (Phase::Done, Ending::NotPaidFailed));
}

#[test]
pub fn an_agent_sees_its_own_rows_alone() {
    let mut world = shop();
    world.buy("", decision("allow", TX));
    let mut other = proven();
    other.organization = "other".into();
    let mut count = |viewer: Viewer| {
        let reply = world.reply(Command::Invocations(viewer, String::new()));
        (reply.status, reply.body["invocations"].as_array().map(Vec::len))
    };
    assert_eq!(count(Viewer::Agent(proven())), (200, Some(1)));
    assert_eq!(count(Viewer::Agent(other)), (200, Some(0)));
    assert_eq!(count(Viewer::Anyone).0, 401);
    assert_eq!(count(Viewer::Operator), (200, Some(1)));
}

#[test]
pub fn a_pretended_payment_is_proven_once_and_is_the_same_for_the_same_reference() {
    let mut vars = vars();
    vars["MOCK"] = true.into();
    let mut world = World::of(&vars);
    world.publish(&echo());
    let call = world.call("");
    let Answer::Errand(Errand::Prove(proof)) = world.called(&call, plain(402, "{}")) else {
        panic!("no proof")
    };
    let sent: serde_json::Value = serde_json::from_str(&proof.header.1).unwrap();
    let reply = told(world.called(&call, plain(200, r#"{"result":"skill executed"}"#)));
    assert_eq!(reply.body["receipt"]["txHash"], sent["txHash"]);
    assert_eq!(world.rows.invocations[0].tx, sent["txHash"].as_str().unwrap());
    assert!(reply.text.contains(r#""chain":"stellar","amountUsd":0.25"#), "{}", reply.text);
}

// A-290
#[test]
fn a_clock_that_is_set_back_gives_an_agent_no_other_day() {
    let mut vars = vars();
    vars["AGENT_DAILY_CAP"] = "$0.40".into();
    let mut world = World::of(&vars);
    world.publish(&echo());
    let midnight = world.now / 86_400_000 * 86_400_000 + 86_400_000;
    let pays = |world: &mut World, key: &str, at: u64| {
        world.now = at;
        let call = world.call(key);
        matches!(world.called(&call, charge("250000")), Answer::Errand(Errand::Pay(_)))
    };
    assert!(pays(&mut world, "first", midnight + 10_000));
    assert!(!pays(&mut world, "back", midnight - 10_000));
    assert!(!pays(&mut world, "forth", midnight + 20_000));
    assert!(pays(&mut world, "next", midnight + 86_400_000));
}
