//! The alarm: what time ends waits for no call, and whoever pays for nothing holds up no money of a job.

use farebox_core::compute::errand::Errands;
use farebox_core::compute::message::{Answer, Command};
use farebox_core::compute::row::{HoldKind, HoldState, JobState, Leave};
use farebox_core::compute::settings::{Profile, ProfileSettings, Unjudged};

use serde_json::json;

use super::world::{Told, World, settings, wallet};

/// Has a stranger pay so many times for nothing: each is paid back.
fn orphans(world: &mut World, count: usize) {
    for at in 0..count {
        let sale = world.sale(&"0".repeat(64), &format!("orphan_{at}"), 8);
        assert_eq!(Told::of(world.sold(&sale)).status, 409);
    }
}

/// A world with so many jobs that are paid, each of a seller of its own.
fn paid(jobs: u8) -> World {
    let mut world = World::new();
    for number in 1..=jobs {
        world.seller(number, "0.005");
        world.buy(number + 100, &format!("job-{number}"));
    }
    world
}

/// The errands that the alarm begins beside these, until it finds nothing that is due and has a place.
fn begun(world: &mut World, errands: &mut Errands) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match world.send(Command::Due(errands.clone())) {
            Answer::Nothing => return all,
            answer => all.extend(errands.take(answer.errand())),
        }
    }
}

/// How many it begins until no more may begin, if each is over at once.
fn carried(world: &mut World, errands: &mut Errands) -> usize {
    let rounds = std::iter::from_fn(|| {
        let ids = begun(world, errands);
        ids.iter().for_each(|id| errands.leave(id));
        Some(ids.len()).filter(|count| *count > 0)
    });
    rounds.sum()
}

fn count(begun: &[String], of: &str) -> usize {
    begun.iter().filter(|id| id.starts_with(of)).count()
}

// A-477
#[test]
pub fn what_time_ends_waits_for_no_errand() {
    let mut world = paid(1);
    orphans(&mut world, 10);
    world.now += 61_000;
    assert_eq!(world.send(Command::Due(Errands::default())), Answer::Done);
    assert_eq!(world.rows.jobs[0].state, JobState::Refunding);
    // The same where no errand has a place.
    let mut world = paid(1);
    orphans(&mut world, 60);
    let mut errands = Errands::default();
    assert_eq!(carried(&mut world, &mut errands), 24);
    world.now += 61_000;
    assert_eq!(begun(&mut world, &mut errands), Vec::<String>::new());
    assert_eq!(world.rows.jobs[0].state, JobState::Refunding);
    errands.go_on();
    assert_eq!(begun(&mut world, &mut errands), ["rcpt_job-1", "orphan_30"]);
}

// A-477
#[test]
pub fn what_time_ends_makes_no_call_and_its_money_is_due_at_once() {
    for kind in [HoldKind::Escrow, HoldKind::Contract] {
        let mut world = World::of(kind);
        world.seller(1, "0.005");
        world.buy(9, "hello");
        world.now += 61_000;
        assert_eq!(world.send(Command::Due(Errands::default())), Answer::Done);
        let hold = &world.rows.holds["rcpt_hello"];
        let is_due = (HoldState::Paying(Leave::Refund), Some(world.now));
        assert_eq!((hold.state, hold.due), is_due, "{kind:?}");
        world.alarm();
        assert_eq!(world.treasury.arrived(&wallet(9)), 5_000, "{kind:?}");
        assert_eq!(world.rows.jobs[0].state, JobState::Failed, "{kind:?}");
    }
}

// A-477
#[test]
pub fn whoever_pays_for_nothing_has_one_place_and_takes_none_of_a_job() {
    let mut world = paid(5);
    orphans(&mut world, 10);
    let mut errands = Errands::default();
    let first = begun(&mut world, &mut errands);
    assert_eq!(first, ["orphan_0"], "nothing else is due");
    world.now += 61_000;
    let next = begun(&mut world, &mut errands);
    assert_eq!((count(&next, "rcpt"), next.len()), (3, 3), "{next:?}");
    // What is under way is not begun again, however long it hangs.
    world.now += 61_000;
    assert_eq!(begun(&mut world, &mut errands), Vec::<String>::new());
    // A place that is free is taken by the same kind.
    errands.leave(&next[0]);
    errands.leave(&first[0]);
    let next = begun(&mut world, &mut errands);
    assert_eq!((count(&next, "rcpt"), count(&next, "orphan"), next.len()), (1, 1, 2), "{next:?}");
}

#[test]
pub fn an_alarm_begins_less_and_less_and_a_stranger_s_errands_only_at_first() {
    let mut world = paid(30);
    orphans(&mut world, 60);
    let mut errands = Errands::default();
    (0..14).for_each(|_| errands.go_on());
    assert_eq!(begun(&mut world, &mut errands), ["orphan_0"]);
    errands.go_on();
    errands.leave("orphan_0");
    assert_eq!(begun(&mut world, &mut errands), Vec::<String>::new());
    world.now += 61_000;
    assert_eq!(carried(&mut world, &mut errands), 23);
    (16..60).for_each(|_| errands.go_on());
    assert_eq!(carried(&mut world, &mut errands), 7, "all jobs");
    world.now += 61_000;
    assert_eq!(carried(&mut world, &mut errands), 1, "of those that may begin in a second");
    errands.go_on();
    assert_eq!(carried(&mut world, &mut errands), 0);
    assert_eq!(carried(&mut world, &mut Errands::default()), 24, "the next alarm");
}

// A-477
#[test]
pub fn a_worker_that_judges_nothing_holds_up_no_payout() {
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let mut world = World::set(ProfileSettings { unjudged: Some(Unjudged::Refunded), ..set });
    let mut ids = Vec::new();
    for number in 1..=5 {
        world.seller(number, "0.005");
        ids.push(world.buy(number + 10, &format!("job-{number}")).text("job_id"));
    }
    for (number, id) in (1..=4).zip(&ids) {
        world.start(number, id);
        assert!(matches!(world.complete(number, id), Answer::Prove(_)));
    }
    world.now += 61_000;
    let begun = begun(&mut world, &mut Errands::default());
    assert_eq!((&begun[0][..], begun.len()), ("rcpt_job-5", 2), "{begun:?}");
    assert!(ids[..4].contains(&begun[1]), "{begun:?}");
}

/// A world where one seller lets so many jobs lie, and another one a job that was bought after them.
fn burst(jobs: u8) -> World {
    let mut world = World::new();
    let one = json!({"capacity": jobs});
    assert_eq!(world.register(1, one).status, 200);
    assert_eq!((world.open(1).status, world.beat(1).status), (200, 200));
    (1..=jobs).for_each(|number| _ = world.buy(number + 100, &format!("burst-{number}")));
    world.now += 1_000;
    world.seller(2, "0.005");
    world.buy(9, "other");
    world.now += 61_000;
    world
}

// A-514
#[test]
pub fn many_jobs_of_one_seller_hold_up_none_of_another() {
    let mut world = burst(9);
    let mut errands = Errands::default();
    let first = begun(&mut world, &mut errands);
    assert_eq!(first, ["rcpt_burst-1", "rcpt_other", "rcpt_burst-2"]);
    // Once all who wait had their turn, another round begins.
    errands.leave(&first[0]);
    let next = begun(&mut world, &mut errands);
    assert_eq!(next, ["rcpt_burst-3"]);
    // Who comes later has the next place all the same.
    world.seller(3, "0.005");
    world.buy(10, "later");
    world.now += 61_000;
    errands.leave(&next[0]);
    assert_eq!(begun(&mut world, &mut errands), ["rcpt_later"]);
}

// A-514
#[test]
pub fn results_of_one_seller_hold_up_none_of_another() {
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let mut world = World::set(ProfileSettings { unjudged: Some(Unjudged::Refunded), ..set });
    assert_eq!(world.register(1, json!({"capacity": 3})).status, 200);
    assert_eq!((world.open(1).status, world.beat(1).status), (200, 200));
    let mut ids: Vec<String> = (1..=3)
        .map(|number| world.buy(number + 10, &format!("job-{number}")).text("job_id"))
        .collect();
    world.seller(2, "0.005");
    ids.push(world.buy(20, "job-4").text("job_id"));
    for (seller, id) in [1, 1, 1, 2].into_iter().zip(&ids) {
        world.start(seller, id);
        assert!(matches!(world.complete(seller, id), Answer::Prove(_)));
        world.now += 1;
    }
    world.now += 61_000;
    let mut errands = Errands::default();
    let first = begun(&mut world, &mut errands);
    assert_eq!(first, ids[..1]);
    errands.leave(&first[0]);
    assert_eq!(begun(&mut world, &mut errands), ids[3..]);
}

// A-535
#[test]
pub fn the_payout_of_a_result_that_was_judged_leaves_its_place_to_the_next_result() {
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let mut world = World::set(ProfileSettings { unjudged: Some(Unjudged::Refunded), ..set });
    let mut ids = Vec::new();
    for number in 1..=5 {
        world.seller(number, "0.005");
        ids.push(world.buy(number + 10, &format!("job-{number}")).text("job_id"));
        world.start(number, ids.last().unwrap());
        assert!(matches!(world.complete(number, ids.last().unwrap()), Answer::Prove(_)));
        world.now += 1;
    }
    world.now += 61_000;
    let mut errands = Errands::default();
    let mut places = Vec::new();
    // The treasury hangs: three payouts are under way, and then results wait for one of them.
    for id in &ids[..4] {
        assert_eq!(begun(&mut world, &mut errands), [id.as_str()]);
        let job = world.rows.jobs.iter().find(|job| job.id == *id).unwrap();
        let fence = job.proving.unwrap().fence;
        let answer = Some(r#"{"accepted": true}"#.to_owned());
        let paid = world.send(Command::Proven { job: id.clone(), fence, answer });
        places.push(errands.pass(id, paid.errand().unwrap()));
    }
    assert_eq!(places, ["rcpt_job-1", "rcpt_job-2", "rcpt_job-3", ids[3].as_str()]);
    assert_eq!(begun(&mut world, &mut errands), Vec::<String>::new());
    errands.leave(&ids[3]);
    assert_eq!(begun(&mut world, &mut errands), ids[4..]);
}

// A-515
#[test]
pub fn looks_at_payouts_take_no_place_of_money_that_waits() {
    let mut world = World::new();
    let mut ids = Vec::new();
    for number in 1..=4 {
        world.seller(number, "0.005");
        ids.push(world.buy(number + 10, &format!("job-{number}")).text("job_id"));
    }
    for (number, id) in (1..=3).zip(&ids) {
        world.start(number, id);
        let asked = world.complete(number, id);
        world.carry(asked);
        let state = world.rows.holds[&format!("rcpt_job-{number}")].state;
        assert_eq!(state, HoldState::Sent(Leave::Release));
    }
    world.now += 61_000;
    assert_eq!(begun(&mut world, &mut Errands::default()), ["rcpt_job-4", "rcpt_job-1"]);
}
