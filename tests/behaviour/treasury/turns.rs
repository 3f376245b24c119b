//! Turns and room: what one agent leaves open delays nothing of others, and has a bound.

use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{Answer, Command, Order, Preparation};
use farebox_core::treasury::{Job, Places, TakenPlace};
use serde_json::{Value, json};

use super::payouts;
use super::world::{
    BUYER_KEY, TESTER_KEY, Told, World, accept, keyed, lost, plain, terms, variables,
};

fn of(agent: &str, key: &str) -> Value {
    let mut body = keyed("1", key);
    body["context"]["agent"] = agent.into();
    body
}

/// Has an agent begin a payment, up to the request that its merchant gets.
fn begin(world: &mut World, agent: &str, key: &str) -> Order {
    let token = if agent == "buyer" { BUYER_KEY } else { TESTER_KEY };
    let Answer::Prepare(asked) = world.ask(token, &of(agent, key)) else { panic!("not prepared") };
    order_of(world, *asked)
}

/// The order of what was prepared.
fn order_of(world: &mut World, asked: Preparation) -> Order {
    let (attempt, fence) = (asked.attempt, asked.fence);
    let prepared = Command::Prepared { attempt, fence, signature: None, balance: None };
    let Answer::Send(order) = world.send(prepared) else { panic!("nothing is sent") };
    *order
}

/// A request of the buyer that may be sent again.
fn repeatable(key: &str) -> Value {
    let mut body = of("buyer", key);
    body["request"]["method"] = "GET".into();
    body["request"].as_object_mut().unwrap().remove("body");
    body
}

/// Has an agent leave a payment open.
fn refuse(world: &mut World, agent: &str, key: &str) -> String {
    let order = begin(world, agent, key);
    world.answered(&order, plain(402, "no"));
    order.attempt
}

/// Has the buyer leave one of these payments after the other open, until the treasury answers: how many, and that answer.
fn refuse_all(world: &mut World, asked: impl Fn(u32) -> Value) -> (u32, Told) {
    for count in 0.. {
        let prepared = match world.ask(BUYER_KEY, &asked(count)) {
            Answer::Prepare(prepared) => prepared,
            Answer::Reply(reply) => return (count, Told::of(reply)),
            other => panic!("{other:?}"),
        };
        let order = order_of(world, *prepared);
        world.answered(&order, plain(402, "no"));
    }
    unreachable!()
}

/// The open payment as often as this, to a hundred of each merchant.
fn copy(world: &mut World, attempt: &str, times: usize) {
    let row = world.rows.attempts[attempt].clone();
    let (decision, parcel) =
        (world.rows.decisions[&row.decision].clone(), world.rows.parcels[attempt].clone());
    for at in 0..times {
        let mut row = row.clone();
        (row.id, row.receipt_id) = (format!("copy-{at}"), format!("receipt-{at}"));
        row.nonce = format!("0x{at:064x}");
        row.merchant = format!("https://m{}.example", at / 100);
        row.decision = format!("decision-{at}");
        let mut decision = decision.clone();
        (decision.id, decision.attempt) = (row.decision.clone(), row.id.clone());
        decision.key = Some(format!("k:copy-{at}"));
        world.rows.decisions.insert(decision.id.clone(), decision);
        world.rows.lengths.insert(row.id.clone(), world.rows.lengths[attempt]);
        world.rows.parcels.insert(row.id.clone(), parcel.clone());
        world.rows.open.insert(row.id.clone());
        world.rows.attempts.insert(row.id.clone(), row);
    }
}

/// The attempts that the alarm works on at once.
fn worked(world: &mut World) -> Vec<String> {
    let id = |job| match job {
        Job::Read { attempt, .. } => attempt,
        Job::Send(order, _) => order.attempt,
        Job::Enquire(_) => panic!("no escrow is configured"),
    };
    let first = world.begin(&Places::default()).unwrap_or_default();
    first.into_iter().map(|work| id(work.job)).collect()
}

//
#[test]
pub fn what_one_agent_leaves_open_takes_no_turn_of_another_agent() {
    let mut world = World::with_node();
    let many = refuse(&mut world, "buyer", "many");
    copy(&mut world, &many, 200);
    world.now += 1;
    let one = refuse(&mut world, "tester", "one");
    world.now += 15;
    let first = worked(&mut world);
    assert!(first.contains(&one), "{first:?}");
    // The other places are for payouts and what was interrupted.
    assert_eq!(first.len(), 2);
}

//
#[test]
pub fn payments_that_are_read_take_no_turn_of_a_payout_or_an_interrupted_one() {
    let mut world = payouts::world();
    let many = refuse(&mut world, "buyer", "many");
    copy(&mut world, &many, 200);
    let sent = payouts::order(&mut world, &payouts::payout("0.25", "rent"));
    world.answered(&sent, payouts::success());
    let left = begin(&mut world, "buyer", "left");
    world.now += 60;
    let first = worked(&mut world);
    assert!(first.contains(&sent.attempt), "{first:?}");
    assert_eq!(world.rows.attempts[&left.attempt].resends, 0);
    assert!(world.rows.attempts[&left.attempt].fence > left.fence, "no one takes it over");
    assert_eq!(first.len(), 3, "{first:?}");
}

/// Has an agent begin a payment that may be sent again, at this merchant.
fn begin_at(world: &mut World, merchant: &str, key: &str) -> String {
    let mut body = repeatable(key);
    body["request"]["url"] = json!(format!("https://{merchant}/{key}"));
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, &body) else { panic!("not prepared") };
    order_of(world, *asked).attempt
}

/// The alarm begins what has places, until nothing more has: the attempts, and their places.
fn begun(world: &mut World, places: &mut Places) -> Vec<(String, TakenPlace)> {
    let mut all = Vec::new();
    while let Some(works) = world.begin(places) {
        for work in works {
            let (Job::Send(Order { attempt, .. }, _) | Job::Read { attempt, .. }) = work.job else {
                panic!("no escrow is configured")
            };
            places.take(work.place.clone());
            all.push((attempt, work.place));
        }
    }
    all
}

//
#[test]
pub fn a_merchant_that_hangs_holds_up_no_payout_and_no_payment_to_another_one() {
    let mut variables = payouts::variables_of_payouts();
    variables["ORGANIZATIONS"][0]["policy"]["allowedOrigins"] = json!(["*"]);
    let mut world = World::of(&variables);
    let hangs: Vec<String> =
        (0..6).map(|at| begin_at(&mut world, "hangs.example", &format!("h-{at}"))).collect();
    let to_hanging =
        |all: &[(String, TakenPlace)]| all.iter().filter(|(id, _)| hangs.contains(id)).count();
    world.now += 1;
    let other = begin_at(&mut world, "good.example", "good");
    let payout = payouts::order(&mut world, &payouts::payout("0.25", "rent"));
    world.answered(&payout, payouts::success());
    world.now += 46;
    let mut places = Places::default();
    let first = begun(&mut world, &mut places);
    assert_eq!((to_hanging(&first), first.len()), (1, 3), "{first:?}");
    for attempt in [&other, &payout.attempt] {
        assert!(first.iter().any(|(id, _)| id == attempt), "{first:?}");
    }
    // One that answers gets the next place; one that has hung does not.
    let (_, hung) = first.iter().find(|(id, _)| hangs.contains(id)).unwrap().clone();
    let mut after = places.clone();
    after.leave(hung.clone(), 5_000);
    assert_eq!(to_hanging(&begun(&mut world, &mut after)), 0);
    places.leave(hung, 4_999);
    let next = begun(&mut world, &mut places);
    assert_eq!(to_hanging(&next), 1, "{next:?}");
    // While it hangs, what becomes due has its place.
    for (_, place) in first {
        places.leave(place, 100);
    }
    world.now += 60;
    let later = begun(&mut world, &mut places);
    assert!(later.iter().any(|(id, _)| *id == payout.attempt), "{later:?}");
    assert_eq!(to_hanging(&later), 0, "{later:?}");
}

const FULL: (u32, &str) = (429, "too_many_open_payments");

fn room(told: &Told) -> (u32, &str) {
    (told.status, told.text("code"))
}

//
#[test]
pub fn an_agent_has_at_most_2500_open_payments_and_128_mib_of_their_requests() {
    let mut world = World::with_node();
    let one = refuse(&mut world, "buyer", "one");
    copy(&mut world, &one, 2_498);
    let last = refuse(&mut world, "buyer", "last");
    let before = (world.rows.attempts.len(), world.rows.decisions.len());
    let told = world.told(&of("buyer", "over"));
    assert_eq!(room(&told), FULL);
    assert!(told.headers.iter().any(|(name, value)| name == "retry-after" && value == "60"));
    assert_eq!((world.rows.attempts.len(), world.rows.decisions.len()), before);
    // What is open is asked for again, and another agent pays.
    assert!(matches!(world.ask(BUYER_KEY, &of("buyer", "one")), Answer::Send(_)));
    begin(&mut world, "tester", "other");
    // One that ends makes room.
    world.now = world.rows.attempts[&last].valid_before + 200;
    let safe_time = Some(UnixTime::from_secs(world.now));
    let fence = world.rows.attempts[&last].fence;
    world.read(&last, fence, &Finding::Unused { safe_time });
    begin(&mut world, "buyer", "over");

    let mut world = anywhere();
    let (_, told) = refuse_all(&mut world, |count| {
        let mut body = of("buyer", &format!("k-{count}"));
        body["request"]["body"] = json!("x".repeat(900_000));
        body["request"]["url"] = json!(format!("https://m{}.example/x", count / 4));
        body
    });
    assert_eq!(room(&told), FULL);
    let kept = world.rows.parcels.values();
    let bytes: usize = kept.map(|it| serde_json::to_string(it).unwrap().len()).sum();
    assert!((124 << 20..128 << 20).contains(&bytes), "{bytes}");
}

/// A world whose agents may pay every merchant.
fn anywhere() -> World {
    let mut variables = variables();
    variables["RPC_URL"] = json!("https://node.example.com");
    variables["ORGANIZATIONS"][0]["policy"] =
        json!({"allowedOrigins": ["*"], "perMonth": {"USDC": "5.00"}});
    World::of(&variables)
}

/// A payment of the buyer at a merchant to the payee of this number.
fn paid_to(merchant: &str, payee: u32, key: &str, body: &str) -> Value {
    let mut asked = of("buyer", key);
    asked["request"]["url"] = json!(format!("https://{merchant}/{key}"));
    asked["request"]["body"] = body.into();
    let mut offer = accept("1");
    offer["payTo"] = json!(format!("0x{payee:040}"));
    asked["challenge"]["headers"]["payment-required"] = json!(terms(&[offer]));
    asked
}

/// A short request, a long one, and how many of each open payment one payee has, and one merchant.
fn lengths() -> [(String, u32, u32); 2] {
    [("x".to_owned(), 200, 1_000), ("x".repeat(900_000), 6, 53)]
}

//
#[test]
pub fn a_payee_has_at_most_200_open_payments_of_an_agent_and_8_mib_of_their_requests() {
    for (body, most, _) in lengths() {
        let mut world = anywhere();
        let (open, told) =
            refuse_all(&mut world, |count| paid_to("bad.example", 1, &format!("k-{count}"), &body));
        assert_eq!((room(&told), open), (FULL, most));
        // Another port is another merchant; all others are paid as before, and so are the other sellers of a market.
        for (merchant, payee) in [("bad.example:8443", 1), ("good.example", 1), ("bad.example", 2)]
        {
            let asked = world
                .ask(BUYER_KEY, &paid_to(merchant, payee, &format!("{merchant}-{payee}"), &body));
            assert!(matches!(asked, Answer::Prepare(_)), "{merchant}: {asked:?}");
        }
        let told = world.told(&paid_to("bad.example", 1, "over", &body));
        assert_eq!(room(&told), FULL);
    }
}

//
#[test]
pub fn a_merchant_of_many_payees_has_at_most_1000_open_payments_of_an_agent_and_48_mib_of_their_requests()
 {
    for (body, _, most) in lengths() {
        let mut world = anywhere();
        let (open, told) = refuse_all(&mut world, |count| {
            paid_to("bad.example", 1 + count / 4, &format!("k-{count}"), &body)
        });
        assert_eq!((room(&told), open), (FULL, most));
        let asked = world.ask(BUYER_KEY, &paid_to("good.example", 1, "other", &body));
        assert!(matches!(asked, Answer::Prepare(_)), "{asked:?}");
    }
}

//
#[test]
pub fn a_request_that_is_never_sent_again_is_not_kept() {
    let mut world = World::with_node();
    let order = begin(&mut world, "buyer", "k");
    let told = world.reply(lost(&order));
    assert_eq!(told.outcome().0, "inconclusive");
    assert!(world.rows.parcels.is_empty());
    // It is open, and says the same.
    assert!(world.rows.open.contains(&order.attempt));
    assert_eq!(world.told(&of("buyer", "k")).text, told.text);
    // A merchant that may be asked twice is.
    let body = repeatable("get");
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, &body) else { panic!("not prepared") };
    let order = order_of(&mut world, *asked);
    world.reply(lost(&order));
    assert!(matches!(world.ask(BUYER_KEY, &body), Answer::Send(_)));
}
