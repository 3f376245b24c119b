//! Held money: it leaves once, to one side, whatever the treasury says.

use farebox_core::compute::errand::Errands;
use farebox_core::compute::message::{Answer, Command, Errand, PayoutAnswer, PayoutCall};
use farebox_core::compute::row::{HoldState, JobState, Leave};
use serde_json::Value;

use super::payouts::Luck;
use super::world::{TX, Told, World, errand, wallet};

fn key(errand: &Errand) -> (String, String) {
    let PayoutCall::Pay(body) = &errand.ask else { panic!("{errand:?}") };
    let body: Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("idempotencyKey"), text("to").to_lowercase())
}

#[test]
pub fn a_payout_names_wallet_token_payee_and_a_key_of_the_payment() {
    let mut world = World::with_seller();
    let job = world.running();
    let answer = world.complete(1, &job);
    let PayoutCall::Pay(body) = world.past_gate(answer).ask else { panic!() };
    let to = farebox_core::evm::address::Address::parse(&wallet(1)).unwrap().to_checksum();
    let expected = format!(
        r#"{{"organization":"acme","wallet":"escrow","network":"eip155:84532","asset":"USDC","to":"{to}","amount":"0.005","idempotencyKey":"hold-rcpt_hello-1"}}"#
    );
    assert_eq!(body, expected);
}

// A-121
#[test]
pub fn release_and_refund_of_a_payment_have_one_key() {
    let mut keys = Vec::new();
    for is_done in [true, false] {
        let mut world = World::with_seller();
        let job = world.running();
        let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
        keys.push(key(&world.past_gate(answer)));
    }
    assert_eq!(keys[0].0, keys[1].0);
    assert_eq!((&keys[0].1, &keys[1].1), (&wallet(1), &wallet(9)));
}

// A-121
#[test]
pub fn complete_and_fail_at_once_have_one_outcome() {
    for first_is_done in [true, false] {
        let mut world = World::with_seller();
        let job = world.running();
        let (first, second) = if first_is_done {
            (world.complete(1, &job), world.fail(1, &job))
        } else {
            (world.fail(1, &job), world.complete(1, &job))
        };
        assert_eq!(Told::of(second).code(), (409, "INVALID_JOB_STATE"));
        assert_eq!(Told::of(world.carry(first)).status, 200);
        let moved = (world.treasury.arrived(&wallet(1)), world.treasury.arrived(&wallet(9)));
        assert_eq!(moved, if first_is_done { (5000, 0) } else { (0, 5000) });
    }
}

#[test]
pub fn a_failed_job_is_refunded_and_says_why() {
    let mut world = World::with_seller();
    let job = world.running();
    let answer = world.fail(1, &job);
    let told = Told::of(world.carry(answer));
    let tx = super::world::TX;
    let body = format!(
        r#"{{"job_id":"{job}","status":"failed","result":{{"error":"no quota"}},"refund":{{"status":"refunded","tx_hash":"{tx}"}}}}"#
    );
    assert_eq!((told.status, told.raw), (200, body));
    assert_eq!(world.beat(1).text("seller_status"), "idle");
    assert_eq!(world.events()[5..], ["FAILED", "REFUNDED"]);
}

#[test]
pub fn a_release_that_does_not_go_through_is_a_500_and_tried_until_it_does() {
    for luck in [Luck::Fails, Luck::Denies, Luck::Lost, Luck::Doubted] {
        let mut world = World::with_seller();
        let job = world.running();
        world.treasury.luck = Some(luck);
        let answer = world.complete(1, &job);
        let told = Told::of(world.carry(answer));
        assert_eq!(told.code(), (500, "ESCROW_RELEASE_FAILED"), "{luck:?}");
        assert_eq!(world.rows.jobs[0].state.status(), "running");
        assert_eq!(Told::of(world.fail(1, &job)).code(), (409, "INVALID_JOB_STATE"));
        world.treasury.luck = None;
        for _ in 0..8 {
            world.now += 60_000;
            world.alarm();
        }
        assert_eq!(world.rows.jobs[0].state, JobState::Done, "{luck:?}");
        assert_eq!(world.treasury.arrived(&wallet(1)), 5000, "{luck:?}");
        let hold = &world.rows.holds["rcpt_hello"];
        assert_eq!((hold.state, hold.due), (HoldState::Ended(Leave::Release), None));
    }
}

#[test]
pub fn a_payout_that_may_have_moved_is_not_made_again() {
    let mut world = World::with_seller();
    let job = world.running();
    world.treasury.luck = Some(Luck::Doubted);
    let answer = world.complete(1, &job);
    world.carry(answer);
    world.now += 120_000;
    world.alarm();
    assert_eq!(world.treasury.payouts.len(), 1);
    assert_eq!(world.treasury.arrived(&wallet(1)), 5000);
}

#[test]
pub fn an_answer_that_was_lost_is_asked_for_under_the_same_key() {
    let mut world = World::with_seller();
    let job = world.running();
    let answer = world.complete(1, &job);
    let lost = errand(answer);
    world.treasury.answer(&lost.ask);
    assert_eq!(Told::of(world.report(&lost, None)).status, 500);
    world.now += 60_000;
    world.alarm();
    assert_eq!(world.rows.jobs[0].state, JobState::Done);
    assert_eq!((world.treasury.payouts.len(), world.treasury.arrived(&wallet(1))), (1, 5000));
}

#[test]
pub fn a_seller_that_asks_again_gets_the_release_that_went_through() {
    let mut world = World::with_seller();
    let job = world.running();
    world.treasury.luck = Some(Luck::Denies);
    let answer = world.complete(1, &job);
    world.carry(answer);
    assert_eq!(Told::of(world.complete(1, &job)).status, 500, "too soon");
    world.treasury.luck = None;
    world.now += 5_000;
    let answer = world.complete(1, &job);
    let told = Told::of(world.carry(answer));
    assert_eq!((told.status, told.text("status")), (200, "done".to_owned()));
}

// A-183
#[test]
pub fn of_ten_deliveries_at_once_one_is_told_and_the_others_that_it_is_under_way() {
    let mut world = World::with_seller();
    let job = world.running();
    let first = world.complete(1, &job);
    for _ in 0..9 {
        let told = Told::of(world.complete(1, &job));
        assert_eq!(told.code(), (409, "ESCROW_RELEASE_PENDING"));
    }
    let told = Told::of(world.carry(first));
    assert_eq!((told.status, told.text("status")), (200, "done".to_owned()));
    // Of a treasury that does not answer, whoever asks later hears what is told to the first.
    let job = world.buy(9, "again").text("job_id");
    assert_eq!(world.start(1, &job).status, 200);
    let errand = errand(world.complete(1, &job));
    let told = Told::of(world.report(&errand, None));
    assert_eq!(told.code(), (500, "ESCROW_RELEASE_FAILED"));
    let told = Told::of(world.complete(1, &job));
    assert_eq!(told.code(), (500, "ESCROW_RELEASE_FAILED"), "no one is asking now");
}

/// The seller that has the only job.
fn worker(world: &World) -> u8 {
    (1..=3).find(|number| wallet(*number) == world.rows.jobs[0].seller).unwrap()
}

/// A job that two sellers let lie at the last moment, and the third one begins at the last moment;
/// the time of its payment.
fn late() -> (World, String, u64) {
    let mut world = World::new();
    for number in 1..=3 {
        world.seller(number, "0.005");
    }
    let job = world.buy(9, "hello").text("job_id");
    let paid = world.now;
    let due = |world: &World| world.rows.jobs[0].due.unwrap();
    for (late, state) in [(2, JobState::Paid), (2, JobState::Paid), (0, JobState::Running)] {
        world.now = due(&world) - 1;
        let number = worker(&world);
        assert_eq!(world.start(number, &job).status, 200);
        world.now = due(&world) - 1;
        for number in 1..=3 {
            world.beat(number);
        }
        world.now += late;
        world.alarm();
        assert_eq!(world.rows.jobs[0].state, state);
    }
    (world, job, paid)
}

/// Lets seconds pass until the job is over; when that is.
fn over(world: &mut World) -> u64 {
    world.treasury.luck = None;
    for _ in 0..300 {
        world.now += 1_000;
        world.alarm();
        if world.rows.jobs[0].state.is_over() {
            break;
        }
    }
    world.now
}

// A-186
#[test]
pub fn a_job_is_over_nine_minutes_after_its_payment_also_where_a_facilitator_fails_once() {
    let (mut world, job, paid) = late();
    let number = worker(&world);
    let errand = errand(world.complete(number, &job));
    let fails = PayoutAnswer { status: 500, body: String::new() };
    assert_eq!(Told::of(world.report(&errand, Some(fails))).status, 500);
    assert!(over(&mut world) - paid <= 540_000);
    assert_eq!(world.rows.jobs[0].state, JobState::Done);
    // And where no one delivers.
    let (mut world, _, paid) = late();
    world.treasury.luck = Some(Luck::Denies);
    world.now += 2;
    world.alarm();
    assert!(over(&mut world) - paid <= 540_000);
    assert_eq!(world.rows.jobs[0].state, JobState::Failed);
    assert_eq!(world.treasury.arrived(&wallet(9)), 5000);
}

// A-186
#[test]
pub fn a_seller_that_asks_every_second_delays_its_money_by_half_a_minute_at_most() {
    let mut world = World::with_seller();
    let job = world.running();
    world.treasury.luck = Some(Luck::Denies);
    let answer = world.complete(1, &job);
    world.carry(answer);
    for _ in 0..300 {
        world.now += 1_000;
        let answer = world.complete(1, &job);
        if matches!(answer, Answer::Errand(_)) {
            world.carry(answer);
        }
        world.alarm();
    }
    world.treasury.luck = None;
    world.now += 31_000;
    world.alarm();
    assert_eq!(world.rows.jobs[0].state, JobState::Done);
    assert_eq!(world.treasury.arrived(&wallet(1)), 5000);
}

#[test]
pub fn a_worker_that_lost_its_grant_changes_nothing() {
    let mut world = World::with_seller();
    let job = world.running();
    let answer = world.complete(1, &job);
    let old = world.past_gate(answer);
    world.now += 60_000;
    let new = errand(world.send(Command::Due(Errands::default())));
    let answer = world.treasury.answer(&old.ask);
    let hold = world.rows.holds.clone();
    assert_eq!(world.report(&old, Some(answer.clone())), Answer::Nothing);
    assert_eq!(world.rows.holds, hold);
    assert_eq!(Told::of(world.report(&new, Some(answer))).status, 200);
}

// A-727
#[test]
pub fn what_was_sent_and_proves_void_is_paid_in_another_try() {
    let mut world = World::with_seller();
    let job = world.running();
    let answer = world.complete(1, &job);
    world.carry(answer);
    let key = "hold-rcpt_hello-1";
    world.treasury.payouts.get_mut(key).unwrap().luck = Luck::Lost;
    assert_eq!(world.treasury.arrived(&wallet(1)), 0);
    assert_eq!(world.rows.holds["rcpt_hello"].transaction, TX);
    for looks in 0..4 {
        world.now += 60_000;
        world.alarm();
        let hold = &world.rows.holds["rcpt_hello"];
        // Between the tries nothing has moved it.
        let is_between = hold.tries == 2 && hold.state == HoldState::Paying(Leave::Release);
        assert!(looks > 0 || is_between);
        assert_eq!(hold.transaction.is_empty(), is_between);
    }
    let keys: Vec<&String> = world.treasury.payouts.keys().collect();
    assert_eq!(keys, ["hold-rcpt_hello-1", "hold-rcpt_hello-2"]);
    assert_eq!(world.treasury.arrived(&wallet(1)), 5000);
    assert_eq!(world.rows.jobs[0].state, JobState::Done);
}

#[test]
pub fn money_that_takes_its_time_is_told_once() {
    let mut world = World::with_seller();
    let job = world.running();
    world.treasury.luck = Some(Luck::Denies);
    let answer = world.complete(1, &job);
    world.carry(answer);
    for _ in 0..6 {
        world.now += 120_000;
        world.alarm();
    }
    world.treasury.luck = None;
    for _ in 0..4 {
        world.now += 3_600_000;
        world.alarm();
    }
    assert_eq!(world.events()[5..], ["DONE", "RELEASE_FAILED", "RELEASED"]);
}
