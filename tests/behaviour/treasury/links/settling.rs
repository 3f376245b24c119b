//! A payment of a link whose facilitator did not say what became of it: the chain does.

use farebox_core::ledger::inquiry::finding::{Finding, Unreadable};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use farebox_core::treasury::Job;
use farebox_core::treasury::message::Order;
use serde_json::json;

use super::super::payouts::{answer, success, world};
use super::super::world::{TRANSACTION, World};
use super::{SEEN, link, order, refusal, report, signs, status};

/// A link whose payment had no answer, and the order that the alarm sent then.
pub(super) fn sent_again(world: &mut World) -> (String, Order, Order) {
    let id = link(world);
    let it = signs(world, 1);
    let first = order(world, &id, &it);
    world.now += 60;
    let jobs = world.alarm();
    let [Job::Send(again, None)] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!((&again.body, &again.url), (&first.body, &first.url));
    (id, first, again.clone())
}

#[test]
pub fn who_lost_the_work_on_a_link_says_nothing_of_it_any_more() {
    let mut world = world();
    let (id, first, again) = sent_again(&mut world);
    for late in [refusal(), success()] {
        report(&mut world, &first, late);
        assert_eq!(status(&mut world, &id), "settling");
    }
    report(&mut world, &again, success());
    assert_eq!(status(&mut world, &id), "completed");
}

#[test]
pub fn a_facilitator_that_refuses_what_it_has_seen_decides_nothing_and_the_chain_does() {
    let transferred = |world: &World| {
        let transaction = TxHash::parse(TRANSACTION).unwrap();
        (Finding::Transferred { transaction, block: 7, log_index: 0 }, world.now)
    };
    let mut world = world();
    let (id, _, again) = sent_again(&mut world);
    let told = report(&mut world, &again, refusal());
    assert_eq!(told.body["data"], json!({"status": "settling"}));
    world.now += 60;
    let jobs = world.alarm();
    let [Job::Read { attempt, fence, question, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!((attempt, question.value.to_string()), (&id, "10000".to_owned()));
    let (finding, _) = transferred(&world);
    world.read(&id, fence - 1, &finding);
    assert_eq!(status(&mut world, &id), "settling", "an old reading counts for nothing");
    world.read(&id, *fence, &finding);
    assert_eq!(status(&mut world, &id), "completed");
}

#[test]
fn a_chain_that_cannot_be_read_for_weeks_is_read_again_until_it_shows_the_payment() {
    let mut world = world();
    let (id, _, again) = sent_again(&mut world);
    report(&mut world, &again, answer(500, &json!({})));
    for _ in 0..3 {
        world.now += 10 * 86_400;
        let jobs = world.alarm();
        let [Job::Read { fence, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
        world.read(&id, *fence, &Finding::Unreadable(Unreadable::NoReply));
        assert_eq!(status(&mut world, &id), "settling");
    }
    world.now += 86_400;
    let jobs = world.alarm();
    let [Job::Read { fence, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
    let transaction = TxHash::parse(TRANSACTION).unwrap();
    world.read(&id, *fence, &Finding::Transferred { transaction, block: SEEN + 1, log_index: 0 });
    assert_eq!(status(&mut world, &id), "completed");
}

#[test]
fn a_payment_that_the_chain_never_shows_fails_after_its_end() {
    let mut world = world();
    let (id, _, again) = sent_again(&mut world);
    report(&mut world, &again, answer(500, &json!({})));
    for (after, expected) in [(100, "settling"), (3_700, "failed")] {
        world.now += after;
        let jobs = world.alarm();
        let [Job::Read { fence, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
        let safe_time = Some(UnixTime::from_secs(world.now));
        world.read(&id, *fence, &Finding::Unused { safe_time });
        assert_eq!(status(&mut world, &id), expected);
    }
}
