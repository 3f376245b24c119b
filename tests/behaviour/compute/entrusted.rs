//! Money in the escrow contract: registered when it is paid, released or refunded once.

use farebox_core::compute::message::{Answer, Command, PayoutCall};
use farebox_core::compute::row::{HoldKind, HoldState, JobState, Leave};
use serde_json::{Value, json};

use super::payouts::Luck;
use super::world::{ESCROW, PRICE, TX, Told, World, errand, payment, wallet};

fn world() -> World {
    let mut world = World::of(HoldKind::Contract);
    world.seller(1, "0.005");
    world
}

/// A quote that was paid: what the treasury is asked then.
fn paid(world: &mut World) -> (Told, Answer) {
    let quote = world.ask("10.0.0.1", 9, "hello");
    let fingerprint = quote.text("fingerprint");
    world.verify(9, "hello", &fingerprint, &payment(9));
    let sale = world.sale(&quote.text("payment_id"), "rcpt_1", 9);
    let answer = world.sold(&sale);
    (quote, answer)
}

#[test]
fn a_payment_is_registered_for_its_buyer_and_seller_under_the_name_of_its_quote() {
    let mut world = world();
    let (quote, answer) = paid(&mut world);
    assert_eq!(
        (quote.text("pay_to"), quote.text("payment_mode")),
        (ESCROW.into(), "x402-escrow".into())
    );
    let PayoutCall::Pay(body) = errand(answer.clone()).ask else { panic!("it looks") };
    let body: Value = serde_json::from_str(&body).unwrap();
    let spelled =
        |number| farebox_core::evm::address::Address::parse(&wallet(number)).unwrap().to_checksum();
    let expected = json!({
        "organization": "acme", "wallet": "escrow", "network": "eip155:84532", "contract": ESCROW,
        "payment": format!("0x{}", quote.text("payment_id")), "buyer": spelled(9),
        "seller": spelled(1), "amountMinor": PRICE, "settlement": TX, "goal": "funded",
    });
    assert_eq!(body, expected);
    let told = Told::of(world.carry(answer));
    assert_eq!((told.status, told.text("status")), (200, "paid".into()));
    assert_eq!(told.text("settlement_tx_hash"), TX);
    assert_eq!(told.text("escrow_registration_tx_hash"), TX);
    // Told again, it is the same.
    let sale = world.sale(&quote.text("payment_id"), "rcpt_1", 9);
    assert_eq!(Told::of(world.sold(&sale)), told);
}

#[test]
fn a_job_whose_payment_is_not_registered_yet_is_told_so_and_registered_by_the_alarm() {
    for luck in [Luck::Lost, Luck::Denies] {
        let mut world = world();
        world.treasury.luck = Some(luck);
        let (_, answer) = paid(&mut world);
        let told = Told::of(world.carry(answer));
        assert_eq!((told.status, &told.body["escrow_registration_tx_hash"]), (200, &Value::Null));
        world.treasury.luck = None;
        world.now += 5_000;
        world.alarm();
        let entrusted = world.treasury.entrusted.values().next().unwrap();
        assert_eq!(entrusted.reached, "funded", "{luck:?}");
        assert_eq!(world.rows.holds["rcpt_1"].due, None);
        assert_eq!(world.rows.jobs[0].registration, TX);
    }
}

#[test]
fn a_registration_that_took_long_waits_for_nobody_once_it_is_there() {
    let mut world = world();
    world.treasury.luck = Some(Luck::Lost);
    let (_, answer) = paid(&mut world);
    world.carry(answer);
    let ask = |world: &mut World| {
        assert_eq!(world.told(Command::AskNow("rcpt_1".to_owned())).status, 200);
        world.alarm();
        world.rows.holds["rcpt_1"].stuck().map(|why| format!("{why:?}"))
    };
    let waits = (0..10).map(|_| ask(&mut world)).last().unwrap();
    assert_eq!(waits.as_deref(), Some("Registration"));
    world.treasury.luck = None;
    assert_eq!(ask(&mut world), None);
    let hold = &world.rows.holds["rcpt_1"];
    assert_eq!((&hold.state, hold.due), (&HoldState::Held, None));
    assert_eq!(world.rows.jobs[0].registration, TX);
}

#[test]
fn what_is_delivered_before_it_is_registered_is_registered_and_released() {
    let mut world = world();
    let (_, answer) = paid(&mut world);
    let late = errand(answer);
    let job = world.rows.jobs[0].id.clone();
    assert_eq!(world.start(1, &job).status, 200);
    let answer = world.complete(1, &job);
    let told = Told::of(world.carry(answer));
    assert_eq!((told.status, told.text("status")), (200, "done".into()));
    assert_eq!(world.treasury.arrived(&wallet(1)), PRICE.parse::<u64>().unwrap());
    assert_eq!(world.report(&late, None), Answer::Nothing);
}

#[test]
fn a_release_that_fails_is_500_the_job_stays_and_the_same_call_releases_it_later() {
    let mut world = world();
    let job = world.running();
    world.treasury.luck = Some(Luck::Lost);
    let answer = world.complete(1, &job);
    let told = Told::of(world.carry(answer));
    assert_eq!(told.code(), (500, "ESCROW_RELEASE_FAILED"));
    assert_eq!(world.rows.jobs[0].state.status(), "running");
    world.treasury.luck = None;
    world.now += 60_000;
    let answer = world.complete(1, &job);
    let told = Told::of(world.carry(answer));
    assert_eq!(
        (told.status, &told.body["release"]),
        (200, &json!({"status": "released", "tx_hash": TX}))
    );
    let again = world.complete(1, &job);
    assert_eq!(Told::of(again).code(), (409, "INVALID_JOB_STATE"));
}

#[test]
fn a_failed_job_is_refunded_to_who_paid() {
    let mut world = world();
    let job = world.running();
    let answer = world.fail(1, &job);
    let told = Told::of(world.carry(answer));
    assert_eq!((told.status, &told.body["refund"]["status"]), (200, &json!("refunded")));
    assert_eq!(world.treasury.arrived(&wallet(9)), PRICE.parse::<u64>().unwrap());
    assert_eq!(world.rows.holds.values().next().unwrap().state, HoldState::Sent(Leave::Refund));
}

#[test]
pub fn a_seller_that_does_not_begin_loses_the_job_and_the_buyer_has_its_money_back() {
    let mut world = world();
    world.seller(2, "0.005");
    world.buy(9, "hello");
    world.now += 61_000;
    // Another seller is there, and would take it over from a wallet.
    world.beat(2);
    world.alarm();
    assert_eq!(world.rows.jobs[0].state, JobState::Failed);
    assert_eq!(world.treasury.arrived(&wallet(9)), PRICE.parse::<u64>().unwrap());
}

#[test]
pub fn a_second_payment_of_a_quote_goes_back_under_a_name_of_its_own() {
    let mut world = world();
    let quote = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    for receipt in ["rcpt_1", "rcpt_2"] {
        let sale = world.sale(&quote, receipt, 9);
        let answer = world.sold(&sale);
        if let errand @ Answer::Errand(_) = answer {
            world.carry(errand);
        }
    }
    world.alarm();
    let names: Vec<_> = world.treasury.entrusted.values().collect();
    assert_eq!(names.len(), 2);
    let refunded = names.iter().find(|it| it.reached == "refunded").unwrap();
    assert_eq!(refunded.facts[0], refunded.facts[1]);
    assert_eq!(world.treasury.arrived(&wallet(9)), PRICE.parse::<u64>().unwrap());
}

#[test]
pub fn a_transaction_that_paid_twice_is_registered_once_and_both_payments_leave() {
    let mut world = world();
    world.seller(2, "0.005");
    for (number, buyer) in [(0, 8), (1, 9)] {
        world.buy(buyer, &format!("task-{number}"));
        let job = world.rows.jobs[number].clone();
        let seller = if job.seller == wallet(1) { 1 } else { 2 };
        assert_eq!(world.start(seller, &job.id).status, 200);
        let answer = world.complete(seller, &job.id);
        assert_eq!(Told::of(world.carry(answer)).text("status"), "done");
    }
    let words: Vec<_> = world.treasury.entrusted.values().map(|it| &it.facts[3]).collect();
    assert_eq!(words.iter().filter(|it| **it == TX).count(), 1, "{words:?}");
    assert!(words.iter().all(|it| it.len() == 66));
}
