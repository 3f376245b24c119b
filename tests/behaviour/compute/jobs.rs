//! Jobs: who may do what with one, what its buyer sees, and what time does to it.

use farebox_core::compute::message::{Answer, Callback, Command, TillPayment};
use farebox_core::compute::row::{EventKind, EventRow, HoldKind, JobState};
use farebox_core::compute::settings::Profile;
use farebox_core::encoding::base64;
use serde_json::{Value, json};

use super::world::{NOON, PRICE, TX, Told, World, settings, wallet};

// A-188
#[test]
pub fn a_failure_without_its_error_is_no_failure_and_its_job_goes_on() {
    let mut world = World::with_seller();
    let job = world.running();
    for body in [json!({}), json!({"error": null})] {
        let told = Told::of(world.call(1, &job, Callback::Fail, &body));
        assert_eq!(told.code(), (400, "INVALID_REQUEST"), "{body}");
        assert_eq!(told.text("error"), "error is required.");
    }
    let answer = world.complete(1, &job);
    assert_eq!(Told::of(world.carry(answer)).status, 200);
}

#[test]
pub fn a_job_goes_from_paid_to_running_to_done_and_its_buyer_gets_the_result() {
    let mut world = World::with_seller();
    let bought = world.buy(9, "hello");
    let (job, token) = (bought.text("job_id"), bought.text("job_token"));
    assert_eq!(job.len(), 36);
    assert_eq!(world.read(&job, &token).text("status"), "paid");
    let started = world.start(1, &job);
    let body = format!(r#"{{"job_id":"{job}","status":"running"}}"#);
    assert_eq!((started.status, started.raw), (200, body));
    assert_eq!(world.start(1, &job).code(), (409, "INVALID_JOB_STATE"));
    let answer = world.complete(1, &job);
    let told = Told::of(world.carry(answer));
    let tx = super::world::TX;
    let body = format!(
        r#"{{"job_id":"{job}","status":"done","result":{{"text":"done"}},"release":{{"status":"released","tx_hash":"{tx}"}}}}"#
    );
    assert_eq!((told.status, told.raw), (200, body));
    let read = world.read(&job, &token);
    let quote = bought.text("payment_id");
    let seller = wallet(1);
    let body = format!(
        r#"{{"job_id":"{job}","payment_id":"{quote}","seller_id":"{seller}","status":"done","result":{{"text":"done"}}}}"#
    );
    assert_eq!((read.status, read.raw), (200, body));
    assert_eq!(world.beat(1).text("seller_status"), "idle");
    assert_eq!(world.treasury.arrived(&wallet(1)), 5000);
    let events = ["MATCHING", "PAID", "RUNNING", "DONE", "RELEASED"];
    assert_eq!(world.events()[2..], events);
}

#[test]
pub fn a_job_is_read_with_its_token_alone_and_unknown_ids_look_the_same() {
    let mut world = World::with_seller();
    let bought = world.buy(9, "hello");
    let job = bought.text("job_id");
    let without = world.told(Command::Job { authorization: String::new(), id: job.clone() });
    let wrong = world.read(&job, "qdj_wrong");
    let unknown = world.read("no-such-job", &bought.text("job_token"));
    assert_eq!(without.code(), (403, "JOB_TOKEN_INVALID"));
    assert_eq!((&wrong, &unknown), (&without, &without));
}

// A-121
#[test]
pub fn a_seller_proves_who_it_is_before_it_learns_that_a_job_exists() {
    let mut world = World::with_seller();
    world.seller(2, "1");
    let job = world.buy(9, "hello").text("job_id");
    let own = world.sessions.remove(&1).unwrap();
    for id in [job.as_str(), "no-such-job"] {
        let told = Told::of(world.call(1, id, Callback::Start, &json!({})));
        assert_eq!(told.code(), (403, "SELLER_SIGNATURE_INVALID"), "{id}");
        assert_eq!(told.text("error"), "Gateway seller session bearer token is required.");
    }
    assert_eq!(world.start(2, &job).code(), (403, "SELLER_MISMATCH"));
    assert_eq!(world.start(2, "no-such-job").code(), (404, "JOB_NOT_FOUND"));
    world.sessions.insert(1, own);
    assert_eq!(world.start(1, &job).status, 200);
}

#[test]
pub fn a_result_is_required_and_may_be_any_json() {
    let mut world = World::with_seller();
    let job = world.running();
    let told = Told::of(world.call(1, &job, Callback::Complete, &json!({})));
    assert_eq!(told.code(), (400, "INVALID_REQUEST"));
    assert_eq!(told.text("error"), "result is required.");
    let answer = world.call(1, &job, Callback::Complete, &json!({"result": null}));
    assert_eq!(Told::of(world.carry(answer)).body["result"], Value::Null);
}

#[test]
pub fn every_callback_out_of_order_is_a_409_and_changes_nothing() {
    let mut world = World::with_seller();
    let job = world.buy(9, "hello").text("job_id");
    let before = world.rows.jobs.clone();
    assert_eq!(Told::of(world.complete(1, &job)).code(), (409, "INVALID_JOB_STATE"));
    assert_eq!(Told::of(world.fail(1, &job)).code(), (409, "INVALID_JOB_STATE"));
    assert_eq!(world.rows.jobs, before);
    world.start(1, &job);
    let answer = world.complete(1, &job);
    world.carry(answer);
    for callback in [Callback::Start, Callback::Complete, Callback::Fail] {
        let told = Told::of(world.call(1, &job, callback, &json!({"result": 1, "error": 1})));
        assert_eq!(told.code(), (409, "INVALID_JOB_STATE"), "{callback:?}");
    }
}

#[test]
pub fn a_seller_sees_its_own_open_jobs_oldest_first() {
    let mut world = World::new();
    world.register(1, json!({"capacity": 2}));
    world.open(1);
    world.beat(1);
    let told = world.told(Command::SellerJobs(world.request(2, &json!({}))));
    assert_eq!(told.code(), (403, "SELLER_SIGNATURE_INVALID"));
    let first = world.buy(9, "one").text("job_id");
    world.now += 5_000;
    let second = world.buy(9, "two").text("job_id");
    world.start(1, &second);
    let told = world.told(Command::SellerJobs(world.request(1, &json!({}))));
    assert_eq!(
        (told.text("seller_id"), told.text("network_profile")),
        (wallet(1), "live-testnet".into())
    );
    let quote = &world.rows.quotes[0].id;
    let expected = json!({
        "job_id": first, "payment_id": quote, "status": "paid",
        "payload": {"buyer_id": wallet(9), "capability": "llm", "prompt": "one"},
        "amount": "0.005", "currency": "USDC", "payment_mode": "x402-escrow",
        "created_at": "2025-11-20T06:00:00Z", "expires_at": "2025-11-20T06:01:00Z",
    });
    assert_eq!(told.body["jobs"][0], expected);
    assert_eq!(
        (&told.body["jobs"][1]["job_id"], &told.body["jobs"][1]["status"]),
        (&json!(second), &json!("running"))
    );
}

#[test]
pub fn a_seller_that_does_not_begin_loses_the_job_to_another_and_is_offline() {
    let mut world = World::with_seller();
    let job = world.buy(9, "hello").text("job_id");
    world.now += 59_999;
    world.seller(2, "0.005");
    world.beat(1);
    world.alarm();
    assert_eq!(world.rows.jobs[0].seller, wallet(1));
    world.now += 1;
    world.alarm();
    assert_eq!((world.rows.jobs[0].seller.clone(), world.rows.jobs[0].attempts), (wallet(2), 2));
    assert_eq!(world.start(1, &job).code(), (403, "SELLER_MISMATCH"));
    assert_eq!(world.ask("10.0.0.2", 8, "other").status, 503, "offline until a heartbeat");
    assert_eq!(world.beat(1).text("seller_status"), "idle");
    assert_eq!(world.start(2, &job).status, 200);
    let answer = world.complete(2, &job);
    assert_eq!(Told::of(world.carry(answer)).status, 200);
    assert_eq!((world.treasury.arrived(&wallet(1)), world.treasury.arrived(&wallet(2))), (0, 5000));
}

#[test]
pub fn a_job_that_no_other_seller_can_take_is_refunded_when_its_time_is_over() {
    let mut world = World::with_seller();
    let bought = world.buy(9, "hello");
    world.start(1, &bought.text("job_id"));
    world.now += 119_999;
    world.alarm();
    assert!(world.treasury.payouts.is_empty());
    world.now += 1;
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(9)), 5000);
    let read = world.read(&bought.text("job_id"), &bought.text("job_token"));
    assert_eq!(read.text("status"), "failed");
    assert_eq!(read.body["result"]["error"], "The seller did not deliver in time.");
    let seller = &world.rows.sellers[&wallet(1)];
    assert!(!seller.is_here(world.now));
}

#[test]
pub fn a_job_is_given_to_three_sellers_and_then_refunded() {
    let mut world = World::with_seller();
    world.buy(9, "hello");
    for number in 2..=5 {
        world.now += 60_000;
        world.seller(number, "0.005");
        world.alarm();
    }
    assert_eq!(world.rows.jobs[0].attempts, 3);
    assert_eq!(world.rows.jobs[0].tried, [wallet(1), wallet(2)]);
    assert_eq!(world.rows.jobs[0].state, JobState::Failed);
    assert_eq!(world.treasury.arrived(&wallet(9)), 5000);
}

#[test]
pub fn a_seller_at_a_higher_price_takes_over_no_job() {
    let mut world = World::with_seller();
    world.buy(9, "hello");
    world.now += 60_000;
    world.seller(2, "0.006");
    world.alarm();
    assert_eq!(world.rows.jobs[0].state, JobState::Failed);
}

#[test]
pub fn a_mock_job_skips_release_and_refund() {
    for (is_done, expected) in [
        (
            true,
            json!({"status": "done", "release": {"status": "skipped", "reason": "mock_payment"}}),
        ),
        (
            false,
            json!({"status": "failed", "refund": {"status": "skipped", "reason": "mock_payment"}}),
        ),
    ] {
        let mut world = World::set(settings(HoldKind::Mock, Profile::DemoTestnet));
        world.seller(1, "0.005");
        let fingerprint = world.ask("10.0.0.1", 9, "hello").text("fingerprint");
        let payload = world.order(9, "hello");
        let body = json!({"fingerprint": fingerprint, "tx_hash": "0xabc123", "payload": payload});
        let paid = world.told(Command::Verify { payment: String::new(), body: body.to_string() });
        let job = paid.text("job_id");
        world.start(1, &job);
        let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
        let told = Told::of(answer);
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&told.body[name], value);
        }
        let read = world.read(&job, &paid.text("job_token"));
        let result = if is_done { json!({"text": "done"}) } else { json!({"error": "no quota"}) };
        assert_eq!(read.body["result"], result);
    }
}

fn waiting() -> (World, String, String) {
    let mut world = World::of(HoldKind::Completion);
    world.seller(1, "0.005");
    let quote = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    let sale = TillPayment { transaction: String::new(), ..world.sale(&quote, "rcpt_1", 9) };
    let Answer::Wait(job) = world.sold(&sale) else { panic!("it does not wait") };
    assert_eq!(world.sold(&sale), Answer::Wait(job.clone()));
    (world, quote, job)
}

#[test]
pub fn a_request_that_waits_is_answered_with_the_work_and_by_no_other_way() {
    let (mut world, quote, job) = waiting();
    assert!(world.rows.quotes[0].pay_to.eq_ignore_ascii_case(&wallet(1)));
    assert_eq!(world.send(Command::Follow(job.clone())), Answer::Wait(job.clone()));
    world.start(1, &job);
    let told = Told::of(world.complete(1, &job));
    assert_eq!(told.body["release"]["reason"], "to_be_settled");
    let told = world.told(Command::Follow(job.clone()));
    assert_eq!((told.status, &told.body["result"]["text"]), (200, &json!("done")));
    assert_eq!(told.text("payment_id"), quote);
    let read = world.read(&job, &told.text("job_token"));
    assert_eq!((read.text("status"), &read.body["result"]), ("done".to_owned(), &Value::Null));
    assert!(world.rows.holds.is_empty());
}

// A-265
#[test]
pub fn work_counts_as_earned_once_the_till_has_charged_for_it() {
    let (mut world, quote, job) = waiting();
    world.start(1, &job);
    world.complete(1, &job);
    let volume = |world: &World| {
        let hours: Vec<_> = world.rows.hours.values().map(|hour| hour.units.clone()).collect();
        (hours.concat(), world.rows.records[&wallet(1)].units.clone(), world.rows.tally.done)
    };
    let taken = |status: u32| Command::Taken {
        quote: quote.clone(),
        job: job.clone(),
        status,
        code: String::new(),
        reason: String::new(),
        transaction: if status == 200 { TX.to_owned() } else { String::new() },
    };
    for status in [503, 402, 409] {
        assert_eq!(world.send(taken(status)), Answer::Nothing);
        assert_eq!(volume(&world), (String::new(), String::new(), 1), "{status}");
    }
    for _ in 0..2 {
        assert_eq!(world.send(taken(200)), Answer::Nothing);
        assert_eq!(volume(&world), (PRICE.to_owned(), PRICE.to_owned(), 1), "once");
    }
    let released = |event: &&EventRow| event.kind == EventKind::Released;
    let told: Vec<_> = world.rows.events.iter().filter(released).collect();
    assert_eq!((told.len(), &told[0].job, told[0].transaction.as_str()), (1, &job, TX));
}

// A-533
#[test]
pub fn what_the_gate_has_settled_first_buys_the_work_as_well() {
    for (is_done, status) in [(true, 200), (false, 502)] {
        let mut world = World::of(HoldKind::Completion);
        world.seller(1, "0.005");
        let quote = world.ask("10.0.0.1", 9, "hello").text("payment_id");
        let sale = world.sale(&quote, "rcpt_1", 9);
        let Answer::Wait(job) = world.sold(&sale) else { panic!("it does not wait") };
        world.start(1, &job);
        if is_done {
            let told = Told::of(world.complete(1, &job));
            assert_eq!(told.body["release"]["reason"], "settled");
            assert_eq!(world.rows.records[&wallet(1)].units, PRICE);
            let last = world.rows.events.last().unwrap();
            assert_eq!((last.kind, last.transaction.as_str()), (EventKind::Released, TX));
        } else {
            world.fail(1, &job);
        }
        // The gate that forwards it again has the same answer for it.
        for answer in [world.send(Command::Follow(job.clone())), world.sold(&sale)] {
            let told = match answer {
                Answer::Wait(job) => world.told(Command::Follow(job)),
                answer => Told::of(answer),
            };
            assert_eq!(told.status, status, "{told:?}");
        }
        assert_eq!(world.rows.jobs.len(), 1);
    }
}

#[test]
pub fn a_request_that_waits_in_vain_is_answered_502_and_never_charged() {
    let (mut world, _, job) = waiting();
    world.seller(2, "0.005");
    world.now += 60_000;
    world.beat(2);
    world.alarm();
    let told = world.told(Command::Follow(job.clone()));
    assert_eq!(told.code(), (502, "JOB_FAILED"), "its money is signed for one seller");
    assert!(world.treasury.payouts.is_empty());
}

/// A payment of buyer 9 by one nonce, for this quote.
fn naming(quote: &str) -> String {
    let authorization = json!({"from": wallet(9), "nonce": format!("0x{}", "ab".repeat(32))});
    let payload = json!({"authorization": authorization, "signature": "0x"});
    let url = format!("https://gate.example.com/till/{quote}");
    let message = json!({"x402Version": 2, "resource": {"url": url}, "payload": payload});
    base64::encode(message.to_string().as_bytes())
}

#[test]
pub fn a_payment_of_a_job_that_failed_uncharged_pays_for_the_next_quote() {
    let mut world = World::of(HoldKind::Completion);
    world.seller(1, "0.005");
    let ask = |world: &mut World| world.ask("10.0.0.1", 9, "hello");
    let first = ask(&mut world);
    let (first, fingerprint) = (first.text("payment_id"), first.text("fingerprint"));
    let payment = naming(&first);
    let shown = world.verify(9, "hello", &fingerprint, &payment);
    assert_eq!(shown, Answer::Till(first.clone()));
    let sale = |world: &World, quote: &str| {
        let mut sale = world.sale(quote, "rcpt_1", 9);
        sale.transaction = String::new();
        sale
    };
    let sold = sale(&world, &first);
    let Answer::Wait(job) = world.sold(&sold) else { panic!("it does not wait") };
    world.start(1, &job);
    assert_eq!(Told::of(world.fail(1, &job)).status, 200);
    world.now += 120_000;
    world.beat(1);
    let second = ask(&mut world).text("payment_id");
    assert_ne!(second, first);
    // The same bytes are answered as before, and what is signed again pays for the new quote.
    assert_eq!(world.verify(9, "hello", &fingerprint, &payment), Answer::Till(first.clone()));
    let again = naming(&second);
    let shown = world.verify(9, "hello", &fingerprint, &again);
    assert_eq!(shown, Answer::Till(second.clone()));
    let sold = sale(&world, &second);
    let Answer::Wait(next) = world.sold(&sold) else { panic!("it does not wait") };
    assert_ne!(next, job);
    // A job that was done keeps its payment.
    world.start(1, &next);
    assert_eq!(Told::of(world.complete(1, &next)).status, 200);
    ask(&mut world);
    assert_eq!(world.verify(9, "hello", &fingerprint, &again), Answer::Till(second));
}

#[test]
pub fn work_for_a_request_that_is_gone_does_not_count() {
    let (mut world, _, job) = waiting();
    world.now += 50_000;
    world.start(1, &job);
    world.now = NOON + 100_000;
    assert_eq!(Told::of(world.complete(1, &job)).code(), (409, "INVALID_JOB_STATE"));
    world.alarm();
    assert_eq!(world.told(Command::Follow(job)).status, 502);
}

#[test]
pub fn the_reason_of_a_failure_is_visible_text_on_one_line() {
    for (error, shown) in [
        (json!("no\u{1b}[2J\u{202e}txt\u{200b}\n$(x)\u{9b}"), json!("no [2Jtxt $(x) ")),
        (json!({"why\u{7}": ["a\u{1b}b", 1, null]}), json!({"why ": ["a b", 1, null]})),
        (json!(7), json!(7)),
    ] {
        let mut world = World::with_seller();
        let bought = world.buy(9, "hello");
        let (job, token) = (bought.text("job_id"), bought.text("job_token"));
        world.start(1, &job);
        let answer = world.call(1, &job, Callback::Fail, &json!({"error": error}));
        world.carry(answer);
        world.alarm();
        assert_eq!(world.read(&job, &token).body["result"]["error"], shown);
    }
}

// A-256
#[test]
pub fn a_result_that_cannot_be_kept_is_refused_before_its_job_ends() {
    let mut world = World::with_seller();
    let bought = world.buy(9, "hello");
    let (job, token) = (bought.text("job_id"), bought.text("job_token"));
    assert_eq!(world.start(1, &job).status, 200);
    // With the quotation marks of JSON this is one byte more than is kept.
    let long = json!({"result": "x".repeat(64 * 1024 - 1)});
    let told = Told::of(world.call(1, &job, Callback::Complete, &long));
    assert_eq!(told.code(), (413, "RESULT_TOO_LARGE"));
    let error = json!({"error": "x".repeat(64 * 1024)});
    let told = Told::of(world.call(1, &job, Callback::Fail, &error));
    assert_eq!(told.code(), (413, "RESULT_TOO_LARGE"));
    assert_eq!(world.read(&job, &token).text("status"), "running");
    let most = "x".repeat(64 * 1024 - 2);
    let answer = world.call(1, &job, Callback::Complete, &json!({ "result": most }));
    assert_eq!(Told::of(world.carry(answer)).status, 200);
    assert_eq!(world.read(&job, &token).text("result"), most);
}

/// Has a seller take a job and let it lie; whether it is given work after its next heartbeat.
fn lets_lie(world: &mut World, prompt: &str) -> bool {
    world.open(1);
    world.beat(1);
    let quote = world.ask(prompt, 9, prompt);
    if quote.status != 402 {
        return false;
    }
    let id = quote.text("payment_id");
    assert_eq!(Told::of(world.sold(&world.sale(&id, prompt, 9))).status, 200);
    world.now += 60_000;
    world.alarm();
    assert_eq!(world.ask("10.0.0.7", 8, "another").status, 503, "offline until a heartbeat");
    world.beat(1).text("seller_status") == "idle"
}

#[test]
pub fn a_seller_that_lets_job_after_job_lie_rests_twice_as_long_each_time() {
    let mut world = World::with_seller();
    assert!(lets_lie(&mut world, "first"), "once is only until the next heartbeat");
    for (prompt, rest_ms) in [("second", 60_000), ("third", 120_000), ("fourth", 240_000)] {
        assert!(!lets_lie(&mut world, prompt), "{prompt}");
        let told = world.beat(1);
        assert_eq!((told.status, told.text("seller_status")), (200, "offline".into()));
        assert!(told.text("rests_until").starts_with("2025-11-20T06:"), "{told:?}");
        assert_eq!(world.ask("10.0.0.7", 8, "another").status, 503, "{prompt}");
        world.now += rest_ms - 1;
        world.open(1);
        assert_eq!(world.beat(1).text("seller_status"), "offline", "{prompt}");
        world.now += 1;
        assert_eq!(world.beat(1).text("seller_status"), "idle", "{prompt}");
    }
    // Each job that it does takes one of them off.
    for prompt in ["a", "b", "c", "d"] {
        let job = world.buy(9, prompt).text("job_id");
        world.start(1, &job);
        let answer = world.complete(1, &job);
        world.carry(answer);
    }
    assert!(lets_lie(&mut world, "again"), "it begins anew");
    assert!(!lets_lie(&mut world, "and again"));
    // What was long ago does not count.
    world.now += 86_400_000;
    assert!(lets_lie(&mut world, "a day later"));
}

#[test]
fn jobs_that_lay_at_the_same_time_count_once() {
    let mut world = World::new();
    world.register(1, json!({"capacity": 5}));
    world.open(1);
    world.beat(1);
    for prompt in ["a", "b", "c", "d", "e"] {
        world.buy(9, prompt);
    }
    world.now += 60_000;
    world.alarm();
    assert!(world.rows.jobs.iter().all(|job| job.state == JobState::Failed));
    assert_eq!(world.beat(1).text("seller_status"), "idle");
}

#[test]
pub fn no_one_is_sold_its_own_work() {
    let mut world = World::with_seller();
    let own = world.ask("10.0.0.1", 1, "hello");
    assert_eq!(own.code(), (503, "NO_SELLER_AVAILABLE"));
    world.seller(2, "0.006");
    assert_eq!(world.ask("10.0.0.1", 1, "hello").text("seller_id"), wallet(2));
    // Nor when another one lets its job lie.
    let mut world = World::new();
    world.seller(2, "0.005");
    let quote = world.ask("10.0.0.1", 1, "hello");
    let sale = world.sale(&quote.text("payment_id"), "rcpt_1", 1);
    assert_eq!(Told::of(world.sold(&sale)).status, 200);
    world.seller(1, "0.004");
    world.now += 60_000;
    world.beat(1);
    world.alarm();
    assert_eq!(world.rows.jobs[0].state, JobState::Failed);
}

// A-795
#[test]
pub fn what_was_due_by_a_clock_that_ran_ahead_waits_no_longer_once_it_is_right() {
    const MONTH: u64 = 30 * 86_400_000;
    // Its seller dies, or has delivered and the treasury's answer is lost.
    for (is_done, other) in [(false, 503), (true, 402)] {
        let mut world = World::with_seller();
        world.now += MONTH;
        world.open(1);
        world.beat(1);
        let job = world.running();
        if is_done {
            assert!(matches!(world.complete(1, &job), Answer::Errand(_)));
        }
        assert_eq!(world.ask("10.0.0.2", 8, "another").status, other);
        world.now -= MONTH;
        world.alarm();
        let state = if is_done { JobState::Done } else { JobState::Running };
        assert_eq!(world.rows.jobs[0].state, state, "its time begins anew");
        for _ in 0..2 {
            world.now += 120_000;
            world.alarm();
        }
        let (seller, buyer) = if is_done { (5_000, 0) } else { (0, 5_000) };
        assert_eq!(world.treasury.arrived(&wallet(1)), seller, "{is_done}");
        assert_eq!(world.treasury.arrived(&wallet(9)), buyer, "{is_done}");
        assert_eq!(world.rows.next_due(), None, "{is_done}");
    }
}
