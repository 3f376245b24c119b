//! What the gate has paid back or waived itself, and what of it may be under way at the treasury.

use farebox_core::compute::Gateway;
use farebox_core::compute::errand::Errands;
use farebox_core::compute::message::{Command, Errand, PayoutAnswer, PayoutCall};
use farebox_core::compute::row::{HoldKind, HoldState, JobState, Leave};
use farebox_core::compute::settings::{Profile, ProfileSettings};
use serde_json::json;

use super::claims::{OwedJob, arrived, owed_job, restored, said, waits, works_on};
use super::payouts::Luck;
use super::world::{TX, Told, World, errand, settings};

// A-307
#[test]
pub fn what_the_treasury_has_refused_is_not_under_way_once_the_gate_has_paid_it_back() {
    for (code, is_done) in [("refund_begun", true), ("refund_ended", true), ("refund_ended", false)]
    {
        let OwedJob { mut world, job, debt } = owed_job();
        world.treasury.luck = Some(Luck::Denies);
        let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
        world.carry(answer);
        world.now += 10_000;
        world.send(Command::Owed(Box::new(debt)));
        world.treasury.luck = None;
        let until = world.now + 86_400_000;
        let asked = works_on(&mut world, until, |_| said(409, code));
        let is_over = code == "refund_ended" && !is_done;
        assert_eq!(asked.len() > 100, !is_over, "{asked:?}");
        let why = match (code, is_done) {
            ("refund_ended", false) => None,
            ("refund_ended", true) => Some("PaidBack"),
            _ => Some("Claim"),
        };
        assert_eq!((arrived(&world), waits(&world, "rcpt_hello").as_deref()), ([0, 0], why));
    }
}

#[test]
fn the_first_question_after_a_debt_is_heard_is_one_to_the_gate() {
    // The treasury is away for hours, so that there is one question in an hour.
    for parity in [0, 1] {
        let OwedJob { mut world, job, debt } = owed_job();
        let answer = world.complete(1, &job);
        world.report(&errand(answer), None);
        let until = world.now + 4 * 3_600_000;
        while world.now < until || world.rows.holds["rcpt_hello"].fence % 2 != parity {
            world.now = world.now.max(world.rows.next_due().unwrap());
            let look = errand(world.send(Command::Due(Errands::default())));
            world.report(&look, None);
        }
        world.send(Command::Owed(Box::new(debt)));
        let first = errand(world.send(Command::Due(Errands::default())));
        assert!(matches!(first.ask, PayoutCall::Refunding { .. }), "{parity}: {first:?}");
    }
}

#[test]
fn what_may_be_under_way_is_asked_of_the_treasury_whatever_the_gate_has_paid_back() {
    for is_done in [true, false] {
        let OwedJob { mut world, job, debt } = owed_job();
        let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
        let ask = world.past_gate(answer);
        // It pays, and its answer is lost.
        world.treasury.answer(&ask.ask);
        world.report(&ask, None);
        world.send(Command::Owed(Box::new(debt)));
        let until = world.now + 86_400_000;
        works_on(&mut world, until, |_| said(409, "refund_ended"));
        assert_eq!(arrived(&world), if is_done { [5_000, 0] } else { [0, 5_000] });
        assert_eq!(waits(&world, "rcpt_hello").as_deref(), Some("Report"));
    }
}

// A-312
#[test]
pub fn a_try_that_never_moves_is_not_under_way_once_the_gate_has_paid_it_back() {
    for luck in [Luck::Fails, Luck::Lost] {
        for (code, is_done) in
            [("refund_begun", true), ("refund_ended", true), ("refund_ended", false)]
        {
            let OwedJob { mut world, job, debt } = owed_job();
            world.treasury.luck = Some(luck);
            let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
            world.carry(answer);
            let until = world.now + 60_000;
            works_on(&mut world, until, |_| said(200, ""));
            // Until the last of them is known to be dead.
            while !world.rows.holds["rcpt_hello"].payout.is_empty() {
                world.alarm_once();
            }
            let tries = world.rows.holds["rcpt_hello"].tries;
            assert!(tries > 2, "{luck:?}: {tries}");
            world.send(Command::Owed(Box::new(debt)));
            world.treasury.luck = None;
            let until = world.now + 86_400_000;
            let asked = works_on(&mut world, until, |_| said(409, code));
            assert!(matches!(asked[..], [PayoutCall::Refunding { .. }, ..]), "{asked:?}");
            assert_eq!((arrived(&world), world.rows.holds["rcpt_hello"].tries), ([0, 0], tries));
        }
    }
}

// A-312
#[test]
fn a_refund_whose_tries_never_moved_is_asked_of_a_restored_gate_before_the_next() {
    for luck in [Luck::Fails, Luck::Lost] {
        let mut world = World::with_seller();
        let sale = world.sale(&"0".repeat(64), "rcpt_orphan", 9);
        assert_eq!(Told::of(world.sold(&sale)).status, 409);
        world.treasury.luck = Some(luck);
        let until = world.now + 60_000;
        works_on(&mut world, until, |_| said(200, ""));
        // Until the last of them is known to be dead.
        while !world.rows.holds["rcpt_orphan"].payout.is_empty() {
            world.alarm_once();
        }
        let debt = world.sale("", "rcpt_orphan", 9);
        world.send(Command::Owed(Box::new(debt)));
        world.treasury.luck = None;
        let until = world.now + 86_400_000;
        works_on(&mut world, until, |_| said(409, "refund_ended"));
        assert_eq!((arrived(&world), waits(&world, "rcpt_orphan")), ([0, 0], None));
    }
}

// A-313
#[test]
pub fn a_payout_that_a_restored_treasury_has_forgotten_is_asked_for_under_the_same_key() {
    for (luck, is_done) in
        [(Luck::Lost, true), (Luck::Lost, false), (Luck::Doubted, true), (Luck::Arrives, false)]
    {
        let OwedJob { mut world, job, .. } = owed_job();
        world.treasury.luck = Some(luck);
        let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
        world.carry(answer);
        assert_ne!(world.rows.holds["rcpt_hello"].payout, "");
        world.treasury.forget();
        world.treasury.luck = None;
        let until = world.now + 3_600_000;
        works_on(&mut world, until, |_| panic!("no debt"));
        assert_eq!(arrived(&world), if is_done { [5_000, 0] } else { [0, 5_000] });
        let keys: Vec<&str> = world.treasury.payouts.keys().map(String::as_str).collect();
        assert_eq!((keys, waits(&world, "rcpt_hello")), (vec!["hold-rcpt_hello-1"], None));
        assert!(state_of(&world, &job).is_over());
    }
}

// A-313
#[test]
fn a_page_in_front_of_the_treasury_forgets_no_payout() {
    let OwedJob { mut world, job, .. } = owed_job();
    world.treasury.luck = Some(Luck::Lost);
    let answer = world.complete(1, &job);
    world.carry(answer);
    let pages = [(404, "<h1>not found</h1>"), (404, "{}"), (503, r#"{"code":"not_found"}"#)];
    for (status, body) in pages {
        world.now = world.now.max(world.rows.next_due().unwrap());
        let look = errand(world.send(Command::Due(Errands::default())));
        assert!(matches!(look.ask, PayoutCall::Look { .. }), "{look:?}");
        world.report(&look, Some(PayoutAnswer { status, body: body.to_owned() }));
    }
}

// A-313
#[test]
pub fn a_try_is_asked_for_again_as_it_was_whatever_is_configured_since() {
    let OwedJob { mut world, job, .. } = owed_job();
    let answer = world.complete(1, &job);
    let first = world.past_gate(answer);
    world.report(&first, None);
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let payer = ("other".to_owned(), "another".to_owned());
    world.gateway = Gateway::new(ProfileSettings { payer, ..set }).unwrap();
    let next = |world: &mut World| {
        world.now = world.now.max(world.rows.next_due().unwrap());
        errand(world.send(Command::Due(Errands::default())))
    };
    let again = next(&mut world);
    assert_eq!(again.ask, first.ask);
    let open = json!({"id": "pay_1", "state": "open", "outcome": "unknown"}).to_string();
    world.report(&again, Some(PayoutAnswer { status: 200, body: open }));
    let look = next(&mut world);
    let organization = "acme".to_owned();
    assert_eq!(look.ask, PayoutCall::Look { id: "pay_1".to_owned(), organization });
    world.report(&look, Some(said(404, "not_found")));
    let again = next(&mut world);
    assert_eq!(again.ask, first.ask);
    // The next try is one of today's.
    let void = json!({"id": "pay_1", "state": "void", "outcome": "unknown"}).to_string();
    world.report(&again, Some(PayoutAnswer { status: 200, body: void }));
    let PayoutCall::Pay(body) = next(&mut world).ask else { panic!("no try") };
    assert!(body.contains("another") && body.contains("hold-rcpt_hello-2"), "{body}");
}

// A-786
#[test]
pub fn what_the_treasury_has_refused_unwritten_is_asked_for_anew_by_what_is_configured_since() {
    let refusals = [
        (400, "invalid_payout"),
        (403, "payouts_not_allowed"),
        (403, "payouts_budget_exceeded"),
        (409, "payouts_not_configured"),
    ];
    for (status, code) in refusals {
        for is_lost in [false, true] {
            let OwedJob { mut world, job, .. } = owed_job();
            let answer = world.complete(1, &job);
            let mut asked = world.past_gate(answer);
            let first = asked.ask.clone();
            let next = |world: &mut World| {
                world.now = world.now.max(world.rows.next_due().unwrap());
                errand(world.send(Command::Due(Errands::default())))
            };
            if is_lost {
                // The answer of before may have been that it is under way.
                world.report(&asked, None);
                asked = next(&mut world);
            }
            world.report(&asked, Some(said(status, code)));
            let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
            let payer = ("acme".to_owned(), "corrected".to_owned());
            world.gateway = Gateway::new(ProfileSettings { payer, ..set }).unwrap();
            let PayoutCall::Pay(body) = next(&mut world).ask else { panic!("no try") };
            // Only that the day had no room is said after a look under the key.
            let is_anew = !is_lost || code == "payouts_budget_exceeded";
            assert_eq!(body.contains("corrected"), is_anew, "{code} {is_lost}: {body}");
            assert_eq!(PayoutCall::Pay(body.clone()) == first, !is_anew, "{code} {is_lost}");
            assert!(body.contains("hold-rcpt_hello-1"), "{body}");
        }
    }
}

// A-308
#[test]
pub fn what_the_gate_has_paid_back_is_not_paid_once_its_row_has_gone() {
    type Gate = fn(&PayoutCall) -> PayoutAnswer;
    let gone: [Gate; 3] = [|_| said(404, "not_found"), restored, |_| said(409, "wrong_state")];
    for gate in gone {
        let (mut world, _) = delivered_and_paid_back();
        let until = world.now + 3 * 86_400_000;
        works_on(&mut world, until, |_| said(409, "refund_ended"));
        let until = world.now + 3 * 86_400_000;
        works_on(&mut world, until, gate);
        assert_eq!(
            (arrived(&world), waits(&world, "rcpt_hello").as_deref()),
            ([0, 0], Some("PaidBack"))
        );
        // Its own word ends that.
        let until = world.now + 86_400_000;
        works_on(&mut world, until, |_| said(200, ""));
        assert_eq!(arrived(&world), [5_000, 0]);
    }
}

/// A job that is done, and whose buyer was paid back at the gate: a person hears of it at once.
fn delivered_and_paid_back() -> (World, Errand) {
    let OwedJob { mut world, job, debt } = owed_job();
    world.send(Command::Owed(Box::new(debt)));
    let asked = errand(world.complete(1, &job));
    world.report(&asked, Some(said(409, "refund_ended")));
    assert_eq!(waits(&world, "rcpt_hello").as_deref(), Some("PaidBack"));
    (world, asked)
}

fn state_of(world: &World, job: &str) -> JobState {
    world.rows.jobs.iter().find(|it| it.id == job).unwrap().state
}

#[test]
pub fn a_job_without_work_whose_buyer_was_paid_back_at_the_gate_has_failed() {
    let OwedJob { mut world, job, debt } = owed_job();
    world.send(Command::Owed(Box::new(debt)));
    let asked = errand(world.fail(1, &job));
    let told = Told::of(world.report(&asked, Some(said(409, "refund_ended"))));
    let how = json!({"status": "skipped", "reason": "ended_at_gate"});
    assert_eq!(
        (told.status, &told.body["status"], &told.body["refund"]),
        (200, &json!("failed"), &how)
    );
    let hold = &world.rows.holds["rcpt_hello"];
    assert_eq!((hold.state, hold.stuck(), hold.due), (HoldState::Ended(Leave::Refund), None, None));
    assert_eq!(state_of(&world, &job), JobState::Failed);
    // What the gate or its backup says later moves nothing.
    world.report(&asked, Some(said(200, "")));
    let until = world.now + 86_400_000;
    let asked = works_on(&mut world, until, |_| said(200, ""));
    assert_eq!((asked, arrived(&world)), (Vec::new(), [0, 0]));
}

#[test]
pub fn a_person_ends_a_delivered_job_whose_buyer_was_paid_back_and_nothing_moves() {
    let (mut world, asked) = delivered_and_paid_back();
    let job = world.rows.holds["rcpt_hello"].job.clone();
    // A question is under way.
    world.now = world.now.max(world.rows.next_due().unwrap());
    let late = errand(world.send(Command::Due(Errands::default())));
    let end = || Command::EndNow("rcpt_hello".to_owned());
    let told = world.told(end());
    assert_eq!(
        (told.status, &told.body["state"], &told.body["waits"]),
        (200, &json!("ended"), &json!(null))
    );
    assert_eq!(told.body["skipped"], true, "it has not arrived");
    assert_eq!(state_of(&world, &job), JobState::Done);
    for errand in [asked, late] {
        world.report(&errand, Some(said(200, "")));
    }
    let until = world.now + 86_400_000;
    let asked = works_on(&mut world, until, |_| said(200, ""));
    assert_eq!((asked, arrived(&world), world.treasury.payouts.len()), (Vec::new(), [0, 0], 0));
    assert_eq!(world.told(end()).code(), (409, "NOTHING_TO_END"));
}

#[test]
pub fn what_the_exchange_moves_itself_is_not_ended_by_hand() {
    let mut world = World::with_seller();
    let end = || Command::EndNow("rcpt_hello".to_owned());
    assert_eq!(world.told(end()).code(), (404, "HOLD_NOT_FOUND"));
    let job = world.running();
    assert_eq!(world.told(end()).code(), (409, "NOTHING_TO_END"), "held");
    let answer = world.complete(1, &job);
    assert_eq!(world.told(end()).code(), (409, "NOTHING_TO_END"), "with the treasury");
    world.carry(answer);
    assert_eq!(world.told(end()).code(), (409, "NOTHING_TO_END"), "sent");
    world.alarm();
    assert_eq!(world.told(end()).code(), (409, "NOTHING_TO_END"), "arrived");
    assert_eq!(arrived(&world), [5_000, 0]);
    // The gate has begun a refund, and may take it back.
    let OwedJob { mut world, job, debt } = owed_job();
    world.send(Command::Owed(Box::new(debt)));
    let asked = errand(world.complete(1, &job));
    world.report(&asked, Some(said(409, "refund_begun")));
    assert_eq!(world.told(end()).code(), (409, "NOTHING_TO_END"), "begun at the gate");
}

#[test]
fn a_page_in_front_of_the_gate_grants_nothing() {
    let OwedJob { mut world, job, debt } = owed_job();
    world.send(Command::Owed(Box::new(debt)));
    let ask = errand(world.complete(1, &job));
    let page = PayoutAnswer { status: 404, body: "<h1>not found</h1>".to_owned() };
    world.report(&ask, Some(page));
    assert_eq!((arrived(&world), world.treasury.payouts.len()), ([0, 0], 0));
}

// A-309
#[test]
pub fn an_answer_of_the_treasury_that_comes_twice_is_none_of_the_gate() {
    for is_done in [true, false] {
        let OwedJob { mut world, job, debt } = owed_job();
        let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
        world.carry(answer);
        world.now = world.now.max(world.rows.next_due().unwrap());
        let look = errand(world.send(Command::Due(Errands::default())));
        world.send(Command::Owed(Box::new(debt)));
        let answer = world.treasury.answer(&look.ask);
        world.report(&look, Some(answer.clone()));
        world.report(&look, Some(answer));
        let until = world.now + 86_400_000;
        let asked = works_on(&mut world, until, |_| said(200, ""));
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(waits(&world, "rcpt_hello"), None);
    }
}

#[test]
fn the_id_in_an_answer_of_the_gate_is_that_of_no_payout() {
    // As an earlier version left it: no word of what was asked.
    let OwedJob { mut world, job, debt } = owed_job();
    world.send(Command::Owed(Box::new(debt)));
    let ask = errand(world.complete(1, &job));
    world.rows.holds.get_mut("rcpt_hello").unwrap().asks_gate = false;
    let body = json!({"id": "rcpt_hello", "state": "sold", "transaction": TX}).to_string();
    world.report(&ask, Some(PayoutAnswer { status: 200, body }));
    let until = world.now + 86_400_000;
    works_on(&mut world, until, |_| said(200, ""));
    assert_eq!((arrived(&world), waits(&world, "rcpt_hello")), ([5_000, 0], None));
}

// A-440
#[test]
pub fn a_gate_that_was_silent_is_told_once_it_answers() {
    let silent = |_: &PayoutCall| said(401, "operator_unauthorized");
    for is_done in [true, false] {
        for answer in [said(200, ""), said(409, "wrong_state"), said(404, "not_found")] {
            let OwedJob { mut world, job, .. } = owed_job();
            let asked = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
            world.report(&errand(asked), None);
            let until = world.now + 270_000;
            works_on(&mut world, until, silent);
            assert_eq!(arrived(&world), if is_done { [5_000, 0] } else { [0, 5_000] });
            let until = world.now + 86_400_000;
            let told = works_on(&mut world, until, |_| answer.clone());
            assert_eq!(told.len(), 1, "{is_done} {told:?}");
            assert_eq!(waits(&world, "rcpt_hello"), None);
        }
        let OwedJob { mut world, job, .. } = owed_job();
        let asked = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
        world.report(&errand(asked), None);
        let until = world.now + 86_400_000;
        works_on(&mut world, until, silent);
        assert_eq!(waits(&world, "rcpt_hello").as_deref(), Some("Report"));
    }
}
