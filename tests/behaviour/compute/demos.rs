//! Demo runs: case 27 of the contract, and what a run answers.

use farebox_core::compute::feed::{Seen, View};
use farebox_core::compute::message::{Answer, Callback, Command};
use farebox_core::compute::row::HoldKind;
use farebox_core::compute::settings::Profile;
use serde_json::{Value, json};

use super::world::{Told, World, settings, wallet};

fn demo() -> World {
    let mut world = World::set(settings(HoldKind::Mock, Profile::DemoTestnet));
    world.seller(1, "0.005");
    world
}

fn run(world: &mut World, client: &str, body: &Value) -> Answer {
    world.send(Command::Demo { client: client.to_owned(), body: body.to_string() })
}

fn body() -> Value {
    json!({"capability": "llm", "prompt": "hello"})
}

fn begun(world: &mut World, client: &str) -> String {
    match run(world, client, &body()) {
        Answer::Wait(job) => job,
        other => panic!("no run: {other:?}"),
    }
}

fn answer(world: &World, job: &str) -> Option<Told> {
    match world.view(View::Demo(job.to_owned())) {
        Seen::Reply(answer) => Some(Told::of(Answer::Reply(answer))),
        Seen::Wait => None,
        other => panic!("no run: {other:?}"),
    }
}

fn finish(world: &mut World, job: &str) {
    assert_eq!(world.start(1, job).status, 200);
    let result = json!({"result": {"text": "hi", "meta": {"model": "m"}}});
    Told::of(world.call(1, job, Callback::Complete, &result));
}

#[test]
pub fn a_run_buys_a_task_and_answers_with_the_members_of_the_contract() {
    let mut world = demo();
    let job = begun(&mut world, "10.0.0.1");
    assert_eq!(answer(&world, &job), None);
    world.now += 1_000;
    finish(&mut world, &job);
    let told = answer(&world, &job).unwrap();
    assert_eq!((told.status, told.text("status")), (200, "done".to_owned()));
    assert_eq!(told.text("payment_mode"), "demo-direct-escrow");
    assert_eq!(told.body["job"]["result"], json!({"text": "hi", "meta": {"model": "m"}}));
    assert_eq!(told.body["quote"]["seller_id"], wallet(1));
    assert_eq!(told.body["seller_callbacks"]["complete_signed_at"], "2025-11-20T06:00:01Z");
    let links =
        json!({"escrow": null, "settlement": null, "escrow_registration": null, "release": null});
    assert_eq!(told.body["explorer"], links);
    let steps = told.body["timeline"].as_array().unwrap();
    let steps: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["preflight", "seller", "payment", "register", "complete", "release"]);
    assert!(told.body["timeline"].as_array().unwrap().iter().all(|it| it["status"] == "done"));
    let mine = ["MATCHING", "PAID", "RUNNING", "DONE", "RELEASE_SKIPPED", "DEMO_DONE"];
    assert_eq!(world.events()[2..], mine);
    assert_eq!(told.text("run_id").len(), 36);
}

#[test]
pub fn the_fourth_run_in_an_hour_is_refused_before_anything_is_spent() {
    let mut world = demo();
    for _ in 0..3 {
        let job = begun(&mut world, "10.0.0.1");
        finish(&mut world, &job);
    }
    let before = world.rows.jobs.len();
    let told = Told::of(run(&mut world, "10.0.0.1", &body()));
    assert_eq!(told.code(), (429, "DEMO_RATE_LIMITED"));
    assert_eq!(told.body["details"], json!({"limit": 3, "window_seconds": 3600}));
    assert_eq!((world.rows.jobs.len(), world.events().len()), (before, 2 + 3 * 6));
    begun(&mut world, "10.0.0.2");
    world.now += 3_600_001;
    world.alarm();
    world.open(1);
    world.beat(1);
    begun(&mut world, "10.0.0.1");
}

#[test]
pub fn what_is_wrong_is_told_in_the_order_of_the_contract_and_does_not_count() {
    let mut world = demo();
    let code = |told: Told| (told.status, told.text("code"));
    let mut told = |body: Value| code(Told::of(run(&mut world, "10.0.0.1", &body)));
    for _ in 0..4 {
        assert_eq!(told(json!([])).1, "INVALID_REQUEST");
        let long = "é".repeat(2_001);
        assert_eq!(told(json!({"capability": "llm", "prompt": long})).1, "INVALID_REQUEST");
        let mainnet =
            json!({"capability": "llm", "prompt": "x", "network_profile": "live-mainnet"});
        assert_eq!(told(mainnet), (400, "DEMO_NETWORK_UNSUPPORTED".to_owned()));
        let other = json!({"capability": "other", "prompt": "x"});
        assert_eq!(told(other), (503, "NO_SELLER_AVAILABLE".to_owned()));
    }
    let most = "é".repeat(2_000);
    let whole = json!({"capability": "llm", "prompt": most});
    assert!(matches!(run(&mut world, "10.0.0.1", &whole), Answer::Wait(_)));
    let mut real = World::set(settings(HoldKind::Escrow, Profile::DemoTestnet));
    let told = Told::of(run(&mut real, "10.0.0.1", &body()));
    assert_eq!(told.code(), (500, "DEMO_CONFIG_MISSING"));
}

#[test]
pub fn a_run_that_no_seller_finishes_ends_after_thirty_seconds() {
    let mut world = demo();
    let job = begun(&mut world, "10.0.0.1");
    world.start(1, &job);
    world.now += 29_999;
    world.alarm();
    assert_eq!(answer(&world, &job), None);
    world.now += 1;
    world.alarm();
    let told = answer(&world, &job).unwrap();
    assert_eq!(told.code(), (500, "DEMO_RUN_FAILED"));
    let compensation = json!({"refund_tx_hash": null, "reason": "mock_payment"});
    assert_eq!(told.body["details"]["compensation"], compensation);
    assert_eq!(told.body["details"]["timeline"][4]["status"], "failed");
    assert_eq!(Told::of(world.complete(1, &job)).status, 409);
}
