//! What an operator reads of the exchange, and the one thing that they do there: have money that waits
//! asked for at once.

use farebox_core::compute::errand::Errands;
use farebox_core::compute::feed::{Seen, View};
use farebox_core::compute::message::{Answer, Command, PayoutCall};
use farebox_core::compute::operator::OperatorView;
use farebox_core::compute::row::{HoldState, JobState};
use serde_json::{Value, json};

use super::payouts::Luck;
use super::world::{TX, Told, World, errand, wallet};

fn show(world: &World, view: OperatorView) -> Told {
    match world.view(View::Operator(view)) {
        Seen::Reply(answer) => Told::of(Answer::Reply(answer)),
        other => panic!("no reply: {other:?}"),
    }
}

fn items(told: &Told) -> &Vec<Value> {
    told.body["items"].as_array().unwrap()
}

fn texts<'t>(told: &'t Told, name: &str) -> Vec<&'t str> {
    items(told).iter().map(|item| item[name].as_str().unwrap()).collect()
}

fn jobs(world: &World, query: &str) -> Told {
    show(world, OperatorView::Jobs(query.to_owned()))
}

fn holds(world: &World, query: &str) -> Told {
    show(world, OperatorView::Holds(query.to_owned()))
}

fn waiting(world: &World) -> Vec<(String, String)> {
    let told = show(world, OperatorView::Overview);
    let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let rows = told.body["waiting"].as_array().unwrap();
    rows.iter().map(|item| (text(item, "payment"), text(item, "waits"))).collect()
}

/// A world with a job that is done, one that failed, and one that is paid; oldest first.
fn busy() -> (World, [String; 3]) {
    let mut world = World::with_seller();
    let mut ids = Vec::new();
    for (prompt, is_done) in [("one", Some(true)), ("two", Some(false)), ("three", None)] {
        let job = world.buy(9, prompt).text("job_id");
        if let Some(is_done) = is_done {
            world.start(1, &job);
            let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
            world.carry(answer);
            world.now += 60_000;
            world.alarm();
            world.beat(1);
        }
        ids.push(job);
    }
    (world, ids.try_into().unwrap())
}

#[test]
fn jobs_are_listed_newest_first_a_page_at_a_time_and_filtered() {
    let (world, [done, failed, paid]) = busy();
    assert_eq!(texts(&jobs(&world, ""), "job_id"), [&paid, &failed, &done]);
    for wrong in ["limit=0", "limit=201", "limit=1e3", "limit=-1"] {
        assert_eq!(jobs(&world, wrong).code(), (400, "INVALID_REQUEST"), "{wrong}");
    }
    let long = format!("find={}", "x".repeat(2_050));
    assert_eq!(jobs(&world, &long).code(), (400, "INVALID_REQUEST"), "it would filter nothing");
    let first = jobs(&world, "limit=2");
    assert_eq!(texts(&first, "job_id"), [&paid, &failed]);
    let next = jobs(&world, &format!("limit=2&cursor={}", first.text("next")));
    assert_eq!((texts(&next, "job_id"), &next.body["next"]), (vec![done.as_str()], &Value::Null));
    assert_eq!(texts(&jobs(&world, "state=failed"), "job_id"), [&failed]);
    assert_eq!(texts(&jobs(&world, &format!("seller={}", wallet(1))), "state").len(), 3);
    assert!(items(&jobs(&world, &format!("seller={}", wallet(2)))).is_empty());
    let quote = world.rows.jobs[0].quote.clone();
    for text in [&done, &quote, &"rcpt_one".to_owned()] {
        assert_eq!(texts(&jobs(&world, &format!("find={text}")), "job_id"), [&done], "{text}");
    }
    assert!(items(&jobs(&world, "find=nothing")).is_empty());
}

#[test]
fn a_job_has_amounts_and_times_for_people_its_money_and_its_history_and_no_secret() {
    let (world, [done, ..]) = busy();
    let told = show(&world, OperatorView::Job(done.clone()));
    let expected = json!({
        "job_id": done, "state": "done", "capability": "llm", "buyer_id": wallet(9), "seller_id": wallet(1),
        "amount": "5000", "amount_decimal": "0.005", "symbol": "USDC",
        "created_at": 1_763_618_400, "created": "2025-11-20T06:00:00Z", "due_at": null, "due": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&told.body[name], value, "{name}");
    }
    let hold = &told.body["hold"];
    assert_eq!(
        [&hold["state"], &hold["leave"], &hold["transaction"], &hold["waits"]],
        [&json!("ended"), &json!("release"), &json!(TX), &Value::Null]
    );
    let kinds: Vec<&str> = told.body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.last(), Some(&"RELEASED"));
    for raw in [&told.raw, &jobs(&world, "").raw, &holds(&world, "").raw] {
        for secret in ["no quota", "world", "\"one\"", "token"] {
            assert!(!raw.contains(secret), "{secret}: {raw}");
        }
    }
    assert_eq!(show(&world, OperatorView::Job("no".to_owned())).code(), (404, "JOB_NOT_FOUND"));
}

//
#[test]
fn a_page_of_money_that_goes_one_way_has_that_money_however_much_else_is_newer() {
    let (world, _) = busy();
    for (leave, payment) in [("release", "rcpt_one"), ("refund", "rcpt_two")] {
        let page = holds(&world, &format!("leave={leave}&limit=1"));
        assert_eq!(texts(&page, "payment"), [payment], "{leave}");
    }
}

#[test]
fn money_is_listed_by_how_far_it_is_and_summed() {
    let (world, _) = busy();
    let ended = holds(&world, "state=ended");
    assert_eq!(items(&ended).len(), 2);
    assert!(items(&ended).iter().all(|hold| hold["skipped"] == false), "both have moved");
    assert_eq!(texts(&holds(&world, "state=held"), "payment"), ["rcpt_three"]);
    assert_eq!(texts(&holds(&world, "payment=rcpt_two"), "leave"), ["refund"]);
    assert_eq!(texts(&holds(&world, "leave=release"), "payment"), ["rcpt_one"]);
    let told = show(&world, OperatorView::Overview);
    assert_eq!(
        told.body["money"][0],
        json!({
            "state": "held", "count": 1, "amount": "5000", "amount_decimal": "0.005", "symbol": "USDC",
        })
    );
    assert_eq!(told.body["jobs"], json!({"open": 1, "done": 1, "failed": 1}));
    assert_eq!(told.body["sellers"], json!({"idle": 0, "reserved": 0, "busy": 1, "offline": 0}));
    assert_eq!(told.body["hours"].as_array().unwrap().len(), 24);
    assert_eq!(told.body["hours"][23]["amount_decimal"], "0.005");
    assert_eq!((told.text("symbol"), &told.body["complete"]), ("USDC".to_owned(), &json!(true)));
}

//
#[test]
pub fn money_of_a_job_waits_for_a_person_in_sight_whatever_a_stranger_pays_for_nothing() {
    let mut world = World::with_seller();
    let job = world.running();
    world.treasury.luck = Some(Luck::Denies);
    let answer = world.complete(1, &job);
    world.carry(answer);
    for _ in 0..12 {
        world.now += 60_000;
        world.alarm();
    }
    assert_eq!(waiting(&world), [("rcpt_hello".to_owned(), "payout".to_owned())]);
    for at in 0..1_001 {
        let sale = world.sale(&"0".repeat(64), &format!("zzz_{at}"), 8);
        assert_eq!(Told::of(world.sold(&sale)).status, 409);
    }
    assert_eq!(waiting(&world), [("rcpt_hello".to_owned(), "payout".to_owned())]);
    assert_eq!(show(&world, OperatorView::Overview).body["complete"], json!(false));
}

#[test]
fn sellers_are_listed_by_when_they_were_heard_of_with_what_they_did() {
    let (mut world, _) = busy();
    world.now += 1_000;
    world.seller(2, "0.007");
    // It has proven nothing.
    world.register(3, json!({}));
    let all = show(&world, OperatorView::Sellers(String::new()));
    assert_eq!(texts(&all, "seller_id"), [wallet(2), wallet(1)]);
    let first = show(&world, OperatorView::Sellers("limit=1".to_owned()));
    let query = format!("limit=1&cursor={}", first.text("next"));
    let second = show(&world, OperatorView::Sellers(query));
    let ada = &items(&second)[0];
    assert_eq!(ada["seller_id"], json!(wallet(1)));
    assert_eq!(
        [&ada["status"], &ada["done"], &ada["failed"]],
        [&json!("busy"), &json!(1), &json!(1)]
    );
    assert_eq!(
        [&ada["amount_decimal"], &ada["earned"]["amount_decimal"]],
        [&json!("0.005"), &json!("0.005")]
    );
    let one = show(
        &world,
        OperatorView::Sellers(format!("seller={}", wallet(2).to_uppercase().replace("0X", "0x"))),
    );
    assert_eq!(texts(&one, "agent"), ["agent-2"]);
}

#[test]
fn a_parameter_that_a_list_does_not_have_or_cannot_read_is_named() {
    let (world, _) = busy();
    for (view, name) in [
        (OperatorView::Jobs("sate=paid".to_owned()), "sate"),
        (OperatorView::Jobs("state=lost".to_owned()), "state"),
        (OperatorView::Holds("state=done".to_owned()), "state"),
        (OperatorView::Holds("leave=gone".to_owned()), "leave"),
        (OperatorView::Holds("payment=rcpt_two&leave=refund".to_owned()), "payment"),
        (OperatorView::Holds("payment=rcpt_two&state=ended".to_owned()), "payment"),
        (OperatorView::Holds("cursor=x".to_owned()), "cursor"),
        (OperatorView::Sellers("cursor=-1.a".to_owned()), "cursor"),
        (OperatorView::Sellers("state=paid".to_owned()), "state"),
    ] {
        let told = show(&world, view);
        assert_eq!(
            (told.code(), told.text("parameter")),
            ((400, "INVALID_REQUEST"), name.to_owned())
        );
    }
}

#[test]
fn a_payout_that_does_not_come_waits_for_a_person_who_has_it_asked_for_at_once() {
    let mut world = World::with_seller();
    let job = world.running();
    world.treasury.luck = Some(Luck::Denies);
    let answer = world.complete(1, &job);
    world.carry(answer);
    assert_eq!(waiting(&world), []);
    for _ in 0..200 {
        world.now += 60_000;
        world.alarm();
    }
    assert_eq!(waiting(&world), [("rcpt_hello".to_owned(), "payout".to_owned())]);
    world.treasury.luck = None;
    world.alarm();
    assert_eq!(world.rows.jobs[0].state, JobState::Releasing, "the next look is within the hour");
    let told = world.told(Command::AskNow("rcpt_hello".to_owned()));
    assert_eq!(
        (told.status, told.text("state"), told.text("waits")),
        (200, "paying".to_owned(), "payout".to_owned())
    );
    world.alarm();
    assert_eq!(
        (world.rows.jobs[0].state, world.treasury.arrived(&wallet(1))),
        (JobState::Done, 5_000)
    );
    assert_eq!(waiting(&world), []);
}

#[test]
fn asking_at_once_moves_money_once_also_while_someone_asks() {
    let mut world = World::with_seller();
    let job = world.running();
    let lost = errand(world.complete(1, &job));
    let due = world.rows.holds["rcpt_hello"].due;
    assert_eq!(world.told(Command::AskNow("rcpt_hello".to_owned())).status, 200);
    assert_eq!(world.rows.holds["rcpt_hello"].due, due, "who asks now reports first");
    world.treasury.answer(&lost.ask);
    world.now += 30_000;
    world.told(Command::AskNow("rcpt_hello".to_owned()));
    world.alarm();
    assert_eq!((world.treasury.payouts.len(), world.treasury.arrived(&wallet(1))), (1, 5_000));
    world.now += 3_600_000;
    world.alarm();
    let told = world.told(Command::AskNow("rcpt_hello".to_owned()));
    assert_eq!(told.code(), (409, "NOTHING_TO_ASK"));
    assert_eq!(world.told(Command::AskNow("no".to_owned())).code(), (404, "HOLD_NOT_FOUND"));
}

#[test]
fn money_that_is_held_for_its_job_is_not_asked_about() {
    let mut world = World::with_seller();
    world.running();
    let told = world.told(Command::AskNow("rcpt_hello".to_owned()));
    assert_eq!(told.code(), (409, "NOTHING_TO_ASK"));
    assert_eq!(world.rows.holds["rcpt_hello"].state, HoldState::Held);
    assert_eq!(world.rows.holds["rcpt_hello"].due, None);
}

#[test]
fn a_refund_that_the_gate_never_heard_of_waits_until_it_is_told_again() {
    let mut world = World::with_seller();
    let sale = world.sale(&"0".repeat(64), "rcpt_orphan", 9);
    assert_eq!(Told::of(world.sold(&sale)).status, 409);
    for is_heard in [false, true] {
        while let Some(due) = world.rows.next_due() {
            world.now = world.now.max(due);
            let answer = world.send(Command::Due(Errands::default()));
            let Answer::Errand(asked) = &answer else { continue };
            match asked.ask {
                PayoutCall::Refunded { .. } if !is_heard => _ = world.report(asked, None),
                _ => _ = world.carry(answer),
            }
        }
        if !is_heard {
            assert_eq!(waiting(&world), [("rcpt_orphan".to_owned(), "report".to_owned())]);
            assert_eq!(texts(&holds(&world, "state=untold"), "payment"), ["rcpt_orphan"]);
            assert_eq!(world.told(Command::AskNow("rcpt_orphan".to_owned())).status, 200);
        }
    }
    assert_eq!(waiting(&world), []);
    assert_eq!(world.treasury.arrived(&wallet(9)), 5_000);
}
