//! What leaves the rows, and when.

use farebox_core::compute::keep::{FRESH_MS, KEEP_MS, LATE_MS, MAX_OVER, MAX_STORED, UNSOLD_MS};
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
fn unsold_quotes_leave_after_an_hour_and_sellers_without_an_identity_after_a_day() {
    let mut world = World::with_seller();
    world.ask("10.0.0.1", 9, "hello");
    world.now += 300_000;
    world.alarm();
    world.now += LATE_MS;
    world.register(2, json!({}));
    let left = |world: &mut World| {
        swept(world);
        (world.rows.quotes.len(), world.rows.sellers.len())
    };
    assert_eq!(left(&mut world), (1, 2));
    world.now += 1;
    assert_eq!(left(&mut world), (0, 2));
    world.now += UNSOLD_MS - 1;
    assert_eq!(left(&mut world), (0, 2));
    world.now += 1;
    assert_eq!(left(&mut world), (0, 1));
}

//
#[test]
pub fn a_network_leaves_three_prompts_an_hour_behind() {
    let mut world = World::new();
    world.register(1, json!({"capacity": 100}));
    world.open(1);
    for turn in 0..10 {
        world.beat(1);
        for order in 0..2 {
            let told = world.ask("10.0.0.1", 9, &format!("{turn} {order}"));
            assert_eq!(told.status, 402, "{turn}");
        }
        world.now += 300_000;
        world.open(1);
        world.alarm();
    }
    let kept = world.rows.quotes.iter().filter(|quote| !quote.prompt.is_empty());
    assert_eq!((kept.count(), world.rows.quotes.len()), (3, 20));
}

//
#[test]
pub fn an_object_without_room_makes_no_quote_and_goes_on_with_what_was_quoted() {
    let mut world = World::with_seller();
    let quote = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    world.is_full = true;
    assert_eq!(world.ask("10.0.0.2", 8, "other").code(), (503, "EXCHANGE_UNAVAILABLE"));
    assert_eq!(world.ask("10.0.0.1", 9, "hello").text("payment_id"), quote);
    assert_eq!(Told::of(world.sold(&world.sale(&quote, "rcpt", 9))).status, 200);
}

/// Adds finished jobs like the first one, of a buyer and a seller, from this time.
fn over(world: &mut World, name: &str, count: u32, (buyer, seller): (u8, u8), created: u64) {
    for number in 0..count {
        let mut row = world.rows.jobs[0].clone();
        row.state = JobState::Done;
        row.id = format!("{name}-{number:05}");
        row.quote = format!("quote-{name}-{number}");
        (row.buyer, row.seller, row.created) = (wallet(buyer), wallet(seller), created);
        world.rows.jobs.push(row);
    }
}

fn count_of(world: &World, name: &str) -> usize {
    world.rows.jobs.iter().filter(|it| it.id.starts_with(name)).count()
}

//
#[test]
pub fn of_more_jobs_than_the_bound_the_oldest_of_who_has_most_leave() {
    let mut world = World::with_seller();
    let open = world.running();
    let then = world.now - FRESH_MS;
    over(&mut world, "first", 10, (20, 30), then);
    over(&mut world, "many", MAX_OVER, (21, 31), then);
    over(&mut world, "rich", 2_000, (22, 32), then);
    over(&mut world, "last", 10, (23, 33), then);
    swept(&mut world);
    let all = MAX_OVER as usize;
    assert_eq!(world.rows.jobs.len(), all + 1, "and the one that is not over");
    assert!(world.rows.jobs.iter().any(|it| it.id == open));
    let counts = ["first", "many", "rich", "last"].map(|name| count_of(&world, name));
    assert_eq!(counts, [10, all - 2_020, 2_000, 10], "whoever has less than most loses none");
    assert!(world.rows.jobs.iter().any(|it| it.id == format!("many-{:05}", MAX_OVER - 1)));
    assert!(world.rows.jobs.iter().all(|it| it.id != "many-00000"), "its oldest left");
}

#[test]
pub fn buyers_without_number_share_the_room_of_their_seller() {
    let mut world = World::with_seller();
    world.running();
    let then = world.now - FRESH_MS;
    over(&mut world, "honest", 100, (20, 30), then);
    for buyer in 100..150 {
        over(&mut world, &format!("evil-{buyer}"), 150, (buyer, 31), then);
    }
    swept(&mut world);
    let counts = ["honest", "evil"].map(|name| count_of(&world, name));
    assert_eq!(counts, [100, MAX_OVER as usize - 100]);
}

//
#[test]
pub fn no_job_of_the_last_day_leaves_for_others_unless_all_room_is_taken() {
    let mut world = World::with_seller();
    world.running();
    let now = world.now;
    over(&mut world, "fresh", 10, (20, 30), now);
    over(&mut world, "old", 10, (24, 34), now - FRESH_MS);
    over(&mut world, "many", MAX_STORED - 20, (21, 31), now - FRESH_MS + 1);
    swept(&mut world);
    assert_eq!(world.rows.jobs.len(), MAX_STORED as usize + 1, "all are kept for a day");
    over(&mut world, "more", 300, (21, 31), now);
    swept(&mut world);
    assert_eq!(world.rows.jobs.len(), MAX_STORED as usize + 1, "the bound of the storage");
    let counts = ["fresh", "old", "more"].map(|name| count_of(&world, name));
    assert_eq!(counts, [10, 10, 300], "the oldest of who has most");
    world.now += 1;
    swept(&mut world);
    let counts = ["fresh", "old", "many"].map(|name| count_of(&world, name));
    assert_eq!(counts, [10, 10, MAX_OVER as usize - 320], "then the room is shared");
}

#[test]
pub fn a_sold_quote_leaves_its_prompt_to_its_job() {
    let mut world = World::with_seller();
    let job = world.running();
    assert!(world.rows.quotes.iter().all(|it| it.prompt.is_empty()));
    assert!(world.rows.jobs.iter().any(|it| it.id == job && !it.prompt.is_empty()));
}
