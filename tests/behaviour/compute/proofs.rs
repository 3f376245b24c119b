//! Results that a bound Worker judges before their money leaves.

use farebox_core::compute::errand::Errands;
use farebox_core::compute::message::{Answer, Command, ProofQuestion};
use farebox_core::compute::row::{HoldKind, JobState};
use farebox_core::compute::settings::{Profile, ProfileSettings, Unjudged};
use serde_json::{Value, json};

use super::world::{PRICE, Told, World, settings, wallet};

fn world(hold: HoldKind, unjudged: Unjudged) -> World {
    let set = settings(hold, Profile::LiveTestnet);
    let mut world = World::set(ProfileSettings { unjudged: Some(unjudged), ..set });
    world.seller(1, "0.005");
    world
}

fn question(answer: Answer) -> ProofQuestion {
    match answer {
        Answer::Prove(question) => *question,
        other => panic!("no question: {other:?}"),
    }
}

fn report(world: &mut World, question: &ProofQuestion, answer: Option<&str>) -> Answer {
    let answer = answer.map(str::to_owned);
    let (job, fence) = (question.job.clone(), question.fence);
    world.send(Command::Proven { job, fence, answer })
}

const YES: Option<&str> = Some(r#"{"accepted": true}"#);
const NO: Option<&str> = Some(r#"{"accepted": false, "reason": "It is empty."}"#);

fn price() -> u64 {
    PRICE.parse().unwrap()
}

#[test]
pub fn a_result_is_paid_once_the_bound_worker_accepts_it() {
    for hold in [HoldKind::Escrow, HoldKind::Contract] {
        let mut world = world(hold, Unjudged::Refunded);
        let job = world.running();
        let question = question(world.complete(1, &job));
        let body: Value = serde_json::from_str(&question.body).unwrap();
        assert_eq!((&body["prompt"], &body["result"]), (&json!("hello"), &json!({"text": "done"})));
        assert_eq!(
            (world.treasury.arrived(&wallet(1)), world.rows.jobs[0].state),
            (0, JobState::Releasing)
        );
        let answer = report(&mut world, &question, YES);
        let told = Told::of(world.carry(answer));
        assert_eq!((told.status, told.text("status")), (200, "done".into()));
        assert_eq!(world.treasury.arrived(&wallet(1)), price());
        assert_eq!(report(&mut world, &question, NO), Answer::Nothing);
    }
}

#[test]
pub fn a_result_that_is_rejected_is_refunded_and_says_why() {
    let mut world = world(HoldKind::Escrow, Unjudged::Released);
    let job = world.running();
    let question = question(world.complete(1, &job));
    let answer = report(&mut world, &question, NO);
    let told = Told::of(world.carry(answer));
    assert_eq!(
        (told.text("status"), &told.body["result"]),
        ("failed".into(), &json!({"error": "It is empty."}))
    );
    assert_eq!(
        (world.treasury.arrived(&wallet(9)), world.treasury.arrived(&wallet(1))),
        (price(), 0)
    );
}

#[test]
fn a_worker_that_does_not_answer_is_asked_six_times_and_then_the_profile_decides() {
    for (unjudged, state) in
        [(Unjudged::Released, JobState::Done), (Unjudged::Refunded, JobState::Failed)]
    {
        let mut world = world(HoldKind::Escrow, unjudged);
        let job = world.running();
        let mut asked = question(world.complete(1, &job));
        let silent = [None, Some("{}"), Some(""), Some(r#"{"accepted": 1}"#), Some("[]")];
        for answer in silent {
            let told = Told::of(report(&mut world, &asked, answer));
            assert_eq!(told.code(), (500, "ESCROW_RELEASE_FAILED"));
            // Meanwhile its seller cannot press it.
            assert_eq!(Told::of(world.complete(1, &job)).code(), (500, "ESCROW_RELEASE_FAILED"));
            world.now = world.rows.next_due().unwrap().max(world.now);
            asked = question(world.send(Command::Due(Errands::default())));
        }
        let reaction = report(&mut world, &asked, None);
        world.carry(reaction);
        assert_eq!(world.rows.jobs[0].state, state);
    }
}

#[test]
fn a_worker_that_is_lost_is_replaced_and_its_late_verdict_does_not_count() {
    let mut world = world(HoldKind::Escrow, Unjudged::Refunded);
    let job = world.running();
    let lost = question(world.complete(1, &job));
    assert_eq!(world.send(Command::Due(Errands::default())), Answer::Nothing);
    world.now += 20_000;
    let asked = question(world.send(Command::Due(Errands::default())));
    assert_eq!(report(&mut world, &lost, NO), Answer::Nothing);
    let answer = report(&mut world, &asked, YES);
    world.carry(answer);
    assert_eq!(world.rows.jobs[0].state, JobState::Done);
}
