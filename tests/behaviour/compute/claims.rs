//! What the gate owes for held money: it leaves that to the exchange before anything is paid for it,
//! and hears where it went.

use farebox_core::compute::errand::Errands;
use farebox_core::compute::message::{
    Answer, Command, Errand, PayoutAnswer, PayoutCall, TillPayment,
};
use farebox_core::compute::row::{HoldKind, JobState, RefundClaim};
use farebox_core::compute::settings::{Profile, ProfileSettings};
use serde_json::json;

use super::payouts::Luck;
use super::world::{TX, Told, World, errand, settings, wallet};

/// A settled payment that got no job, paid back: its payment.
fn paid_back(world: &mut World) -> String {
    let sale = world.sale(&"0".repeat(64), "rcpt_orphan", 9);
    let told = Told::of(world.sold(&sale));
    assert_eq!(told.status, 409);
    for _ in 0..8 {
        world.now += 60_000;
        let answer = world.send(Command::Due(Errands::default()));
        if let Answer::Errand(errand) = &answer {
            if matches!(errand.ask, PayoutCall::Refunded { .. }) {
                return serde_json::to_string(errand).unwrap();
            }
            world.carry(answer);
        }
    }
    panic!("the gate is not told")
}

#[test]
pub fn the_gate_is_told_of_a_refund_of_what_got_no_job_until_it_hears() {
    let mut world = World::with_seller();
    let told = paid_back(&mut world);
    assert_eq!(world.treasury.arrived(&wallet(9)), 5_000);
    let first: Errand = serde_json::from_str(&told).unwrap();
    let (payment, transaction) = ("rcpt_orphan".to_owned(), TX.to_owned());
    assert_eq!(first.ask, PayoutCall::Refunded { payment, transaction });
    let answer = |status| Some(said(status, ""));
    world.report(&first, answer(409));
    assert!(world.rows.next_due().is_some(), "the gate does not owe it yet");
    world.now += 3_600_000;
    let again = errand(world.send(Command::Due(Errands::default())));
    assert_eq!(again.ask, first.ask);
    world.report(&first, answer(200));
    assert!(world.rows.next_due().is_some(), "an older grant decides nothing");
    world.report(&again, answer(200));
    assert_eq!(world.rows.next_due(), None);
    assert_eq!(world.treasury.arrived(&wallet(9)), 5_000);
}

// A-292
#[test]
pub fn what_another_one_pays_back_or_has_is_not_paid_by_the_exchange() {
    let answer = |status, code: &str| Some(said(status, code));
    let orphan = || {
        let mut world = World::with_seller();
        let sale = world.sale(&"0".repeat(64), "rcpt_orphan", 9);
        assert_eq!(Told::of(world.sold(&sale)).status, 409);
        world
    };
    let claim = |world: &mut World, restored: bool| {
        world.now += 3_600_000;
        let asked = errand(world.send(Command::Due(Errands::default())));
        let payment = "rcpt_orphan".to_owned();
        assert_eq!(asked.ask, PayoutCall::Refunding { payment, restored, sold: false });
        asked
    };
    let mut world = orphan();
    for (status, code) in [(409, "wrong_state"), (503, "x"), (401, "y"), (409, "refund_begun")] {
        let asked = claim(&mut world, true);
        world.report(&asked, answer(status, code));
    }
    let asked = claim(&mut world, false);
    world.report(&asked, None);
    let asked = claim(&mut world, false);
    world.report(&asked, answer(409, "refund_ended"));
    assert_eq!(world.rows.next_due(), None);
    assert_eq!(
        (world.treasury.arrived(&wallet(9)), world.rows.holds["rcpt_orphan"].stuck()),
        (0, None)
    );
    for (status, code) in [(200, ""), (404, "not_found")] {
        let mut world = orphan();
        let asked = claim(&mut world, true);
        world.report(&asked, answer(status, code));
        world.alarm();
        assert_eq!(world.treasury.arrived(&wallet(9)), 5_000);
    }
}

// A-295
#[test]
pub fn what_goes_back_without_a_job_has_a_day_of_its_own() {
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let per_day = Some("0.0149".to_owned());
    let per_seller_day = per_day.clone();
    let mut world = World::set(ProfileSettings { per_day, per_seller_day, ..set });
    let buyers = 9..=13;
    for (turn, buyer) in buyers.clone().enumerate() {
        let sale = world.sale(&"0".repeat(64), &format!("rcpt_{turn}"), buyer);
        assert_eq!(Told::of(world.sold(&sale)).status, 409);
        world.now += 1_000;
    }
    let arrived = |world: &mut World| {
        world.alarm();
        let paid = |buyer: u8| world.treasury.arrived(&wallet(buyer)) > 0;
        buyers.clone().filter(|buyer| paid(*buyer)).collect::<Vec<u8>>()
    };
    assert_eq!(arrived(&mut world), [9, 10]);
    // A job is sold and paid out meanwhile.
    world.seller(1, "0.005");
    let job = world.running();
    let answer = world.complete(1, &job);
    world.carry(answer);
    assert_eq!(world.treasury.arrived(&wallet(1)), 5_000);
    world.now += 3_600_000;
    assert_eq!(arrived(&mut world), [9, 10]);
    world.now += 86_400_000;
    assert_eq!(arrived(&mut world), [9, 10, 11, 12]);
    world.now += 86_400_000;
    assert_eq!(arrived(&mut world), [9, 10, 11, 12, 13]);
}

// A-292
#[test]
fn a_job_whose_payment_the_gate_owes_is_paid_out_by_its_leave_alone() {
    let answer = |status, code: &str| Some(said(status, code));
    for (is_done, ends) in [
        (true, [("refund_begun", 0), ("refund_ended", 0), ("wrong_state", 5_000)]),
        (false, [("refund_begun", 0), ("refund_ended", 0), ("wrong_state", 5_000)]),
    ] {
        for (code, expected) in ends {
            let mut world = World::with_seller();
            let job = world.running();
            let mut debt = world.sale("", "rcpt_hello", 9);
            debt.transaction = TX.to_owned();
            world.send(Command::Owed(Box::new(debt)));
            let claim = match is_done {
                true => errand(world.complete(1, &job)),
                false => errand(world.fail(1, &job)),
            };
            let next = world.report(&claim, answer(409, code));
            // A job without work ends with what its buyer got at the gate.
            let is_over = code == "refund_ended" && !is_done;
            assert_eq!(world.rows.holds["rcpt_hello"].due.is_none(), is_over, "{code}");
            if expected > 0 {
                world.carry(next);
            }
            let to = if is_done { wallet(1) } else { wallet(9) };
            assert_eq!(world.treasury.arrived(&to), expected, "{is_done} {code}");
        }
    }
}

// A-295
#[test]
pub fn what_waits_to_go_back_keeps_its_place_in_line() {
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let per_day = Some("0.0149".to_owned());
    let mut world = World::set(ProfileSettings { per_day, ..set });
    let day = 86_400_000;
    let midnight = world.now - world.now % day + day;
    let mut number = 0;
    let mut orphan = |world: &mut World, buyer: u8| {
        number += 1;
        let sale = world.sale(&"0".repeat(64), &format!("rcpt_{number}"), buyer);
        assert_eq!(Told::of(world.sold(&sale)).status, 409);
    };
    // A stranger pays for nothing each day as it begins, before anything else is looked at.
    for turn in 0..4 {
        world.now = midnight + turn * day;
        (0..4).for_each(|_| orphan(&mut world, 20));
        world.alarm();
        if turn == 0 {
            orphan(&mut world, 9);
            world.alarm();
        }
        world.now += day - 1;
        world.alarm();
    }
    // Two of the stranger's on the first day, two on the second, and then the other one.
    assert_eq!(world.treasury.arrived(&wallet(9)), 5_000);
    assert_eq!(world.treasury.arrived(&wallet(20)), 7 * 5_000);
    let waits: Vec<_> = world.rows.holds.values().filter(|it| it.stuck().is_some()).collect();
    assert_eq!(waits.len(), 9);
    // A person need not wait.
    let payment = waits[0].payment.clone();
    assert_eq!(world.told(Command::AskNow(payment)).status, 200);
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(20)), 8 * 5_000);
}

// A-293
#[test]
fn a_gate_that_lost_the_answer_about_a_job_hears_what_became_of_its_payment() {
    let mut world = World::with_seller();
    let job = world.running();
    let mut debt = world.sale("", "rcpt_hello", 9);
    debt.transaction = TX.to_owned();
    world.send(Command::Owed(Box::new(debt.clone())));
    assert_eq!(world.rows.holds["rcpt_hello"].due, None, "its seller works on it");
    let payment = "rcpt_hello".to_owned();
    let asked = errand(world.complete(1, &job));
    assert_eq!(asked.ask, PayoutCall::Refunding { payment, restored: true, sold: true });
    assert_eq!(world.treasury.arrived(&wallet(1)), 0, "the gate is asked first");
    let next = world.report(&asked, Some(said(200, "")));
    world.carry(next);
    let reported = |world: &mut World| -> Vec<PayoutCall> {
        let mut calls = Vec::new();
        while let Some(due) = world.rows.next_due() {
            world.now = world.now.max(due);
            let answer = world.send(Command::Due(Errands::default()));
            if let Answer::Errand(errand) = &answer {
                calls.push(errand.ask.clone());
            }
            world.carry(answer);
        }
        calls
    };
    let calls = reported(&mut world);
    assert_eq!(world.treasury.arrived(&wallet(1)), 5_000);
    assert!(
        !calls.iter().any(|call| matches!(call, PayoutCall::Refunding { sold: true, .. })),
        "once"
    );
    // What was paid out before the gate said that it owes it is told as well.
    let mut world = World::with_seller();
    let job = world.running();
    let answer = world.complete(1, &job);
    world.carry(answer);
    reported(&mut world);
    assert_eq!(world.send(Command::Owed(Box::new(debt.clone()))), Answer::Done);
    assert!(matches!(&reported(&mut world)[..], [PayoutCall::Refunding { sold: true, .. }]));
    // A restored gate has forgotten that, and says so again.
    assert_eq!(world.send(Command::Owed(Box::new(debt))), Answer::Done);
    assert!(matches!(&reported(&mut world)[..], [PayoutCall::Refunding { sold: true, .. }]));
    assert_eq!(world.treasury.arrived(&wallet(1)), 5_000);
}

/// Why a person has to look into held money.
pub(super) fn waits(world: &World, payment: &str) -> Option<String> {
    world.rows.holds[payment].stuck().map(|why| format!("{why:?}"))
}

/// Units that have come to the seller, and back to the buyer.
pub(super) fn arrived(world: &World) -> [u64; 2] {
    [1, 9].map(|number| world.treasury.arrived(&wallet(number)))
}

/// Answers of a gate that was restored: of what is older it wants the word that there was no refund.
pub(super) fn restored(ask: &PayoutCall) -> PayoutAnswer {
    match ask {
        PayoutCall::Refunding { restored: false, .. } => said(409, "refund_restored"),
        _ => said(200, ""),
    }
}

pub(super) fn said(status: u32, code: &str) -> PayoutAnswer {
    let body = match status {
        200 => json!({"state": "refund_due"}),
        _ => json!({"code": code}),
    };
    PayoutAnswer { status, body: body.to_string() }
}

/// A job that is being worked on, and the gate's word that it owes its payment.
pub(super) fn owed_job() -> OwedJob {
    let mut world = World::with_seller();
    let job = world.running();
    let mut debt = world.sale("", "rcpt_hello", 9);
    debt.transaction = TX.to_owned();
    OwedJob { world, job, debt }
}

pub(super) struct OwedJob {
    pub(super) world: World,
    pub(super) job: String,
    pub(super) debt: TillPayment,
}

/// Does all that is due for so long, with this gate; what was asked of it.
pub(super) fn works_on(
    world: &mut World,
    until: u64,
    gate: impl Fn(&PayoutCall) -> PayoutAnswer,
) -> Vec<PayoutCall> {
    let mut asked = Vec::new();
    while let Some(due) = world.rows.next_due().filter(|due| *due < until) {
        world.now = world.now.max(due);
        let mut answer = world.send(Command::Due(Errands::default()));
        while let Answer::Errand(errand) = &answer {
            let errand = errand.clone();
            let said = match &errand.ask {
                ask @ (PayoutCall::Refunding { .. } | PayoutCall::Refunded { .. }) => {
                    asked.push(ask.clone());
                    gate(ask)
                }
                // While it is in doubt, no look ends that.
                PayoutCall::Look { id, .. } if world.treasury.luck == Some(Luck::Doubted) => {
                    let body = json!({"id": id, "state": "executing"}).to_string();
                    PayoutAnswer { status: 200, body }
                }
                ask => world.treasury.answer(ask),
            };
            answer = world.report(&errand, Some(said));
        }
    }
    asked
}

// A-299
#[test]
pub fn a_restored_gate_leaves_what_the_exchange_took_itself() {
    for (is_done, to) in [(true, wallet(1)), (false, wallet(9))] {
        let OwedJob { mut world, job, debt } = owed_job();
        world.send(Command::Owed(Box::new(debt)));
        let ask = match is_done {
            true => errand(world.complete(1, &job)),
            false => errand(world.fail(1, &job)),
        };
        world.report(&ask, Some(restored(&ask.ask)));
        let until = world.now + 86_400_000;
        works_on(&mut world, until, restored);
        assert_eq!(world.treasury.arrived(&to), 5_000, "{is_done}");
        assert_eq!(world.rows.holds["rcpt_hello"].stuck(), None);
    }
    // What was paid out before the restore is no debt for its desk.
    let OwedJob { mut world, job, debt } = owed_job();
    let answer = world.complete(1, &job);
    world.carry(answer);
    world.alarm();
    world.send(Command::Owed(Box::new(debt)));
    let until = world.now + 86_400_000;
    let asked = works_on(&mut world, until, restored);
    assert!(matches!(asked[..], [PayoutCall::Refunding { restored: true, sold: true, .. }]));
    assert_eq!(world.rows.holds["rcpt_hello"].stuck(), None);
}

// A-329
#[test]
pub fn a_debt_of_which_no_notice_came_is_asked_of_the_gate_before_the_money_leaves() {
    for is_done in [true, false] {
        let ask = |world: &mut World, job: &str| match is_done {
            true => errand(world.complete(1, job)),
            false => errand(world.fail(1, job)),
        };
        let OwedJob { mut world, job, .. } = owed_job();
        let first = ask(&mut world, &job);
        let (payment, restored, sold) = ("rcpt_hello".to_owned(), true, true);
        assert_eq!(first.ask, PayoutCall::Refunding { payment, restored, sold });
        // Its desk has begun, then it has paid back: nothing leaves the exchange.
        world.report(&first, Some(said(409, "refund_begun")));
        let until = world.now + 3 * 86_400_000;
        works_on(&mut world, until, |_| said(409, "refund_begun"));
        let waiting = waits(&world, "rcpt_hello");
        assert_eq!((arrived(&world), waiting.as_deref()), ([0, 0], Some("Claim")));
        let until = world.now + 86_400_000;
        works_on(&mut world, until, |_| said(409, "refund_ended"));
        assert_eq!(arrived(&world), [0, 0]);
        let state = world.rows.jobs[0].state;
        assert_eq!(state, if is_done { JobState::Releasing } else { JobState::Failed });
        // What it still owes is the exchange's, and it hears of the refund.
        let state = |state: &str| {
            let body = json!({"state": state}).to_string();
            PayoutAnswer { status: 200, body }
        };
        for (told, is_reported) in [("sold", !is_done), ("delivering", false)] {
            let OwedJob { mut world, job, .. } = owed_job();
            let first = ask(&mut world, &job);
            let pays = world.report(&first, Some(state(told)));
            assert_eq!(Told::of(world.carry(pays)).status, 200);
            let until = world.now + 86_400_000;
            let asked = works_on(&mut world, until, |_| state("refunded"));
            let is_report = |ask: &&PayoutCall| matches!(ask, PayoutCall::Refunded { .. });
            assert_eq!(asked.iter().filter(is_report).count(), asked.len(), "{told} {asked:?}");
            assert_eq!(asked.len(), usize::from(is_reported), "{told} {asked:?}");
            assert_eq!(arrived(&world), if is_done { [5_000, 0] } else { [0, 5_000] }, "{told}");
        }
    }
}

#[test]
pub fn a_gate_that_cannot_be_asked_keeps_no_money_for_which_it_has_told_no_debt() {
    for (is_heard, after_secs) in [(false, 180), (true, 86_400)] {
        let OwedJob { mut world, job, debt } = owed_job();
        if is_heard {
            world.send(Command::Owed(Box::new(debt)));
        }
        let first = errand(world.complete(1, &job));
        let silent = |_: &PayoutCall| said(401, "operator_unauthorized");
        world.report(&first, Some(silent(&first.ask)));
        let until = world.now + after_secs * 1000;
        works_on(&mut world, until - 90_000, silent);
        assert_eq!(arrived(&world), [0, 0], "{is_heard}");
        works_on(&mut world, until + 90_000, silent);
        assert_eq!(arrived(&world), if is_heard { [0, 0] } else { [5_000, 0] }, "{is_heard}");
    }
}

#[test]
pub fn a_page_with_status_200_is_no_word_of_the_gate() {
    let OwedJob { mut world, job, .. } = owed_job();
    let first = errand(world.complete(1, &job));
    for body in ["", "{}", "<html>", r#"{"state":1}"#] {
        for status in [200, 404] {
            let page = PayoutAnswer { status, body: body.to_owned() };
            let told = Told::of(world.report(&first, Some(page)));
            assert_eq!((told.status, arrived(&world)), (500, [0, 0]), "{body}");
        }
        assert_eq!(world.rows.holds["rcpt_hello"].claim, RefundClaim::Unasked);
    }
}

// A-300
#[test]
pub fn a_debt_that_arises_while_money_is_on_its_way_is_told_at_once() {
    for is_done in [true, false] {
        for (code, is_stuck) in [("", false), ("refund_begun", true), ("refund_ended", true)] {
            let OwedJob { mut world, job, debt } = owed_job();
            world.treasury.luck = Some(Luck::Doubted);
            let answer = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
            world.carry(answer);
            world.send(Command::Owed(Box::new(debt)));
            let status = if code.is_empty() { 200 } else { 409 };
            let until = world.now + 120_000;
            let asked = works_on(&mut world, until, |_| said(status, code));
            assert!(matches!(asked[..], [PayoutCall::Refunding { sold: true, .. }, ..]));
            // What was asked for goes on, and a person hears that the other side paid as well.
            world.treasury.luck = None;
            let until = world.now + 86_400_000;
            works_on(&mut world, until, |_| said(status, code));
            let to = if is_done { wallet(1) } else { wallet(9) };
            assert_eq!(world.treasury.arrived(&to), 5_000, "{is_done} {code}");
            let stuck = waits(&world, "rcpt_hello");
            assert_eq!(stuck.as_deref(), is_stuck.then_some("Report"), "{is_done} {code}");
        }
    }
}

// A-300
#[test]
pub fn a_debt_that_is_heard_while_the_treasury_is_asked_is_no_answer_of_the_gate() {
    for (is_done, lost) in [(true, 1), (true, 2), (false, 1), (false, 2)] {
        let OwedJob { mut world, job, debt } = owed_job();
        let ask = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
        let mut ask = world.past_gate(ask);
        // Its answer is lost, so it is asked again, and a debt is heard meanwhile.
        for _ in 0..lost {
            world.report(&ask, None);
            world.now += 60_000;
            ask = errand(world.send(Command::Due(Errands::default())));
        }
        assert!(matches!(ask.ask, PayoutCall::Pay(_)));
        world.send(Command::Owed(Box::new(debt)));
        // What it knows already it says with the status that the gate has, too.
        world.treasury.answer(&ask.ask);
        let body = json!({"id": "pay_1", "state": "open", "outcome": "unknown"}).to_string();
        world.report(&ask, Some(PayoutAnswer { status: 200, body }));
        let until = world.now + 86_400_000;
        let asked = works_on(&mut world, until, |_| said(200, ""));
        let is_told = match asked.first() {
            Some(PayoutCall::Refunding { sold, .. }) => *sold,
            // It may be back before the gate's turn comes.
            Some(PayoutCall::Refunded { .. }) => !is_done,
            _ => false,
        };
        assert!(is_told, "{is_done}: the gate hears of it itself, {asked:?}");
        let to = if is_done { wallet(1) } else { wallet(9) };
        assert_eq!(world.treasury.arrived(&to), 5_000);
    }
}

// A-301
#[test]
pub fn what_has_waited_for_its_turn_is_asked_of_the_gate_again() {
    for is_heard in [false, true] {
        let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
        let mut world = World::set(ProfileSettings { per_day: Some("0.005".to_owned()), ..set });
        for (number, buyer) in [(1, 20), (2, 9)] {
            let sale = world.sale(&"0".repeat(64), &format!("rcpt_{number}"), buyer);
            assert_eq!(Told::of(world.sold(&sale)).status, 409);
            world.alarm();
        }
        assert_eq!(waits(&world, "rcpt_2").as_deref(), Some("Turn"));
        if is_heard {
            let mut debt = world.sale("", "rcpt_2", 9);
            debt.transaction = TX.to_owned();
            world.send(Command::Owed(Box::new(debt)));
            assert_eq!(waits(&world, "rcpt_2").as_deref(), Some("Turn"));
        }
        // Its operator, or that of a restored gate, has paid it back meanwhile.
        let until = world.now + 2 * 86_400_000;
        let asked = works_on(&mut world, until, |_| said(409, "refund_ended"));
        let names = |ask: &&PayoutCall| matches!(ask, PayoutCall::Refunding { payment, .. } if payment == "rcpt_2");
        assert_eq!(asked.iter().filter(names).count(), 1);
        assert_eq!(world.treasury.arrived(&wallet(9)), 0);
        assert_eq!(world.rows.holds["rcpt_2"].stuck(), None);
    }
}

// A-357
#[test]
pub fn a_job_that_was_served_and_paid_back_waits_for_no_one() {
    let OwedJob { mut world, job, .. } = owed_job();
    let first = errand(world.fail(1, &job));
    let pays = world.report(&first, Some(said(200, "")));
    world.carry(pays);
    // Its buyer fetches the job meanwhile, so the gate has delivered.
    let until = world.now + 86_400_000;
    let asked = works_on(&mut world, until, |_| said(409, "wrong_state"));
    assert!(asked.iter().all(|ask| matches!(ask, PayoutCall::Refunded { .. })), "{asked:?}");
    assert!(asked.len() > 10, "the response may be on its way, and be lost after all");
    assert_eq!((arrived(&world), waits(&world, "rcpt_hello")), ([0, 5_000], None));
    // What bought no job and was served nevertheless is a person's.
    let mut world = World::with_seller();
    paid_back(&mut world);
    let until = world.now + 86_400_000;
    works_on(&mut world, until, |_| said(409, "wrong_state"));
    assert_eq!(waits(&world, "rcpt_orphan").as_deref(), Some("Report"));
}

// A-358
#[test]
pub fn what_a_gate_had_begun_to_pay_back_is_left_to_a_person_after_its_restore() {
    for is_done in [true, false] {
        let OwedJob { mut world, job, debt } = owed_job();
        world.send(Command::Owed(Box::new(debt)));
        let first = if is_done { world.complete(1, &job) } else { world.fail(1, &job) };
        world.report(&errand(first), Some(said(409, "refund_begun")));
        let until = world.now + 86_400_000;
        let asked = works_on(&mut world, until, restored);
        let is_careful =
            |ask: &PayoutCall| matches!(ask, PayoutCall::Refunding { restored, .. } if !restored);
        assert!(asked.len() > 10 && asked.iter().all(is_careful), "{asked:?}");
        assert_eq!(
            (arrived(&world), waits(&world, "rcpt_hello").as_deref()),
            ([0, 0], Some("Claim"))
        );
        // A person took the begin back, or says that nothing was sent.
        let until = world.now + 86_400_000;
        works_on(&mut world, until, |_| said(200, ""));
        assert_eq!(arrived(&world), if is_done { [5_000, 0] } else { [0, 5_000] });
        assert_eq!(waits(&world, "rcpt_hello"), None);
    }
}

// A-359
#[test]
pub fn a_transfer_of_the_buyers_own_is_no_matter_of_the_gate() {
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let mut world = World::set(ProfileSettings { per_day: Some("0.005".to_owned()), ..set });
    let payments = [7, 8].map(|digit: u8| format!("0x{}", digit.to_string().repeat(64)));
    for (payment, buyer) in payments.iter().zip([9, 20]) {
        let sale = world.sale(&"0".repeat(64), payment, buyer);
        assert_eq!(Told::of(world.sold(&sale)).status, 409);
    }
    let until = world.now + 3_600_000;
    let asked = works_on(&mut world, until, |_| said(401, "operator_unauthorized"));
    assert_eq!(asked, []);
    // What goes back without a job has its room in a day all the same.
    assert_eq!([9, 20].map(|buyer| world.treasury.arrived(&wallet(buyer))), [5_000, 0]);
    assert_eq!(waits(&world, &payments[1]).as_deref(), Some("Turn"));
    let until = world.now + 2 * 86_400_000;
    let asked = works_on(&mut world, until, |_| said(401, "operator_unauthorized"));
    assert_eq!((asked, world.treasury.arrived(&wallet(20))), (Vec::new(), 5_000));
    assert_eq!(payments.map(|payment| waits(&world, &payment)), [None, None]);
}

#[test]
fn a_gate_that_never_hears_is_told_no_more_after_some_time() {
    let mut world = World::with_seller();
    paid_back(&mut world);
    let mut told = 0;
    while let Some(due) = world.rows.next_due() {
        world.now = world.now.max(due);
        if let Answer::Errand(errand) = world.send(Command::Due(Errands::default())) {
            told += 1;
            world.report(&errand, None);
        }
        assert!(told < 20, "for ever");
    }
    assert!(told > 10, "{told}");
}

#[test]
fn a_job_that_is_paid_back_is_no_debt_of_the_gate() {
    let mut world = World::with_seller();
    let job = world.running();
    let answer = world.fail(1, &job);
    world.carry(answer);
    world.now += 600_000;
    world.alarm();
    let asked = world.rows.holds.values().all(|hold| hold.due.is_none());
    assert!(asked && world.rows.next_due().is_none());
}

// A-794
#[test]
pub fn what_a_facilitator_settles_later_is_not_paid_back_before_it_has_come() {
    let mut world = World::with_seller();
    let debt = TillPayment { transaction: "pending".into(), ..world.sale("", "rcpt_1", 9) };
    assert_eq!(world.send(Command::Owed(Box::new(debt.clone()))), Answer::Nothing);
    world.alarm();
    assert_eq!((world.rows.holds.len(), world.treasury.arrived(&wallet(9))), (0, 0));
    let came = TillPayment { transaction: TX.into(), ..debt };
    assert_eq!(world.send(Command::Owed(Box::new(came))), Answer::Done);
}
