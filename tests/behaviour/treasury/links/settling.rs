//! A payment of a link whose facilitator did not say what became of it: the chain does.

use farebox_core::ledger::inquiry::finding::{Finding, Unreadable};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{Answer, Order};
use farebox_core::treasury::{Job, Places};
use serde_json::json;

use super::super::config::OTHER_KEY;
use super::super::escrows::world as escrows;
use super::super::payouts::{answer, ask, success, variables_of_payouts, world};
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

//
#[test]
pub fn payments_in_escrow_that_wait_hold_up_no_link() {
    let mut variables = variables_of_payouts();
    let gateway = json!({"name": "gateway", "networks": ["base-sepolia"], "secret": "GATEWAY_KEY"});
    variables["GATEWAY_KEY"] = json!(OTHER_KEY);
    variables["WALLETS"].as_array_mut().unwrap().push(gateway);
    variables["ORGANIZATIONS"][0]["policy"]["wallet"] = json!("main");
    variables["ESCROWS"] = escrows::settings()["ESCROWS"].clone();
    variables["ESCROWS"][0]["wallet"] = json!("gateway");
    let mut world = World::of(&variables);
    for number in 1..=6 {
        let mut body = escrows::body(number, "released");
        body["wallet"] = json!("gateway");
        let asked = ask(&mut world, &body);
        assert!(matches!(asked, Answer::Enquire(_)), "{asked:?}");
    }
    let id = link(&mut world);
    let it = signs(&world, 1);
    order(&mut world, &id, &it);
    world.now += 60;
    // Each look finds all of them due again.
    let is_looked_at = (0..40).any(|_| {
        world.now += 60;
        let works = world.begin(&Places::default()).unwrap_or_default();
        let is_link = |job: &Job| match job {
            Job::Send(order, _) => order.attempt == id,
            Job::Read { attempt, .. } => *attempt == id,
            Job::Enquire(_) => false,
        };
        works.iter().any(|work| is_link(&work.job))
    });
    assert!(is_looked_at);
}
