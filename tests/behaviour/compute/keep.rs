//! What leaves the rows, and when.

use farebox_core::compute::keep::{KEEP_MS, MAX_OVER, UNSOLD_MS};
use farebox_core::compute::message::{Answer, Command};
use farebox_core::compute::row::JobState;
use serde_json::json;

use super::world::{Told, World, wallet};

fn swept(world: &mut World) {
    while world.send(Command::Sweep) == Answer::Done {}
}

#[test]
pub fn what_is_over_leaves_after_thirty_days_and_what_is_not_stays() {
    let mut world = World::with_seller();
    let done = world.running();
    let answer = world.complete(1, &done);
    world.carry(answer);
    world.alarm();
    let open = world.buy(8, "other").text("job_id");
    world.now += KEEP_MS;
    swept(&mut world);
    assert_eq!(world.rows.jobs.len(), 2, "a millisecond early");
    world.now += 400_000;
    swept(&mut world);
    let left: Vec<_> = world.rows.jobs.iter().map(|job| job.id.clone()).collect();
    assert_eq!(left, [open], "what is not over stays");
    assert!(world.rows.events.iter().all(|event| event.at + KEEP_MS >= world.now));
    assert!(world.rows.hours.keys().all(|hour| hour + KEEP_MS >= world.now));
    assert_eq!(world.rows.holds.len(), 2, "where money went is known for ever");
    assert!(world.rows.sellers.contains_key(&wallet(1)), "a seller with an identity stays");
}

#[test]
fn a_payment_that_is_forwarded_again_after_its_job_left_moves_no_money() {
    let mut world = World::with_seller();
    let job = world.running();
    let answer = world.complete(1, &job);
    world.carry(answer);
    world.alarm();
    let quote = world.rows.quotes[0].id.clone();
    let paid = world.treasury.payouts.clone();
    world.now += KEEP_MS + 400_000;
    swept(&mut world);
    let sale = world.sale(&quote, "rcpt_hello", 9);
    assert_eq!(Told::of(world.sold(&sale)).status, 409);
    world.alarm();
    assert_eq!(world.treasury.payouts, paid);
}

#[test]
fn unsold_quotes_and_sellers_without_an_identity_leave_after_a_day() {
    let mut world = World::with_seller();
    world.register(2, json!({}));
    world.ask("10.0.0.1", 9, "hello");
    world.now += 300_000;
    world.alarm();
    world.now += UNSOLD_MS;
    swept(&mut world);
    assert_eq!((world.rows.quotes.len(), world.rows.sellers.len()), (1, 1), "made a little later");
    world.now += 1;
    swept(&mut world);
    assert_eq!((world.rows.quotes.len(), world.rows.sellers.len()), (0, 1));
}

#[test]
fn of_more_jobs_than_the_bound_the_oldest_leave() {
    let mut world = World::with_seller();
    let job = world.running();
    let mut row = world.rows.jobs[0].clone();
    row.state = JobState::Done;
    let kept = MAX_OVER as usize;
    for number in 0..kept + 10 {
        row.id = format!("job-{number:05}");
        row.quote = format!("quote-{number}");
        world.rows.jobs.push(row.clone());
    }
    swept(&mut world);
    assert_eq!(world.rows.jobs.len(), kept + 1, "and the one that is not over");
    assert!(world.rows.jobs.iter().any(|it| it.id == job));
    assert!(world.rows.jobs.iter().all(|it| it.id == job || it.id.as_str() >= "job-00010"));
}
