//! Debts that the operator's own treasury pays back.

use farebox_core::gate::Gate;
use farebox_core::ledger::report::{ALWAYS, Decision, LOOKED, Undecided};
use farebox_core::ledger::restored::Restored;
use farebox_core::ledger::shard::Decided;
use farebox_core::ledger::state::{RefundBegin, Undelivered};
use farebox_core::ledger::{Entry, State};
use serde_json::{Value, json};

use crate::world::chain::NodeFault;
use crate::world::facilitator::Settle;
use crate::world::ledger::LedgerFault::{Fine, ReplyLost};
use crate::world::origin::Say;
use crate::world::payer::{Payer, Payment};
use crate::world::treasury::Luck;
use crate::world::{BEGIN, PAY_TO, World, paid};

const KEY: &str = "treasury:acme";
const SELLER: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

/// Adds the treasury to these variables.
pub fn with_treasury(mut vars: Value) -> Value {
    vars["REFUNDS"] = json!({"organization": "acme", "wallet": "main"});
    vars["REFUNDS_TOKEN"] = json!("refunds-0123456789abcdef0123456789abcdef");
    vars["bindings"] = json!(["TREASURY"]);
    vars["LEDGER_SHARDS"] = json!(1);
    vars
}

fn gate_vars() -> Value {
    let mut vars = World::chain_vars();
    vars["ROUTES"] = json!([
        {"path": "/before", "price": "$0.01", "settle": "before"},
        {"path": "/seller", "price": "$0.01", "settle": "before", "pay_to": SELLER},
        {"path": "/after", "price": "$0.01"},
    ]);
    with_treasury(vars)
}

/// A world with a debt of this route, whose settlement the node shows.
fn indebted_at(vars: Value, target: &str) -> (World, Payment) {
    let mut world = World::with(vars);
    let payment = owe(&mut world, target);
    world.wait(4);
    (world, payment)
}

fn owe(world: &mut World, target: &str) -> Payment {
    let payment = world.sign(target);
    world.origin.plan.push_back(Say::Lost);
    assert_eq!(world.present(&payment).problem(), "refund_due");
    payment
}

fn indebted() -> World {
    indebted_at(gate_vars(), "/before").0
}

fn row(world: &World) -> Entry {
    let [row]: [Entry; 1] = world.ledger.entries().try_into().unwrap();
    row
}

fn begun(row: &Entry) -> Option<&RefundBegin> {
    let State::RefundDue { refunding, .. } = &row.state else { panic!("{:?}", row.state) };
    refunding.as_ref()
}

fn decide(world: &mut World, decision: &Decision) -> Result<(), Undecided> {
    let id = row(world).payment.receipt;
    match world.ledger.decided(&id, decision, world.now()) {
        Decided::Done(..) => Ok(()),
        Decided::Undecided(why) => Err(why),
        Decided::NoRow => panic!("{id}"),
    }
}

fn person_begins() -> Decision {
    Decision::Refunding { known_since: 0, key: None, sold: false }
}

/// Has the alarm go off at its time, and returns that, Unix seconds.
fn wake(world: &mut World) -> u64 {
    let at = world.wake_at().unwrap();
    world.set_ms(world.now_ms.max(at.secs() * 1000));
    let now = world.now().secs();
    world.alarm();
    now
}

fn state(world: &World) -> String {
    row(world).state.name()
}

#[test]
fn a_payer_who_was_not_served_gets_the_money_back_once_and_the_chain_ends_the_debt() {
    let mut world = indebted();
    world.pass(300);
    assert_eq!((state(&world).as_str(), world.treasury.paid()), ("refunded", 1));
    let id = row(&world).payment.receipt;
    assert_eq!(
        world.treasury.orders[0],
        json!({
            "organization": "acme", "wallet": "main", "network": "eip155:84532", "asset": "USDC",
            "to": world.payer.address.to_checksum(), "from": PAY_TO, "amount": "0.01",
            "idempotencyKey": format!("refund:{id}"),
        })
    );
    let asked = world.treasury.orders.len();
    world.pass(90_000);
    assert_eq!((world.treasury.orders.len(), world.ledger.open_rows()), (asked, 0));
}

//
#[test]
pub fn the_begin_is_written_before_the_treasury_is_asked_and_no_one_begins_beside_it() {
    let mut world = indebted();
    let [job] = world.next_jobs().try_into().unwrap_or_else(|_| panic!());
    let at = world.now();
    assert_eq!(begun(&row(&world)), Some(&RefundBegin { at, key: Some(KEY.to_owned()) }));
    let refused = Err(Undecided::RefundBegun(at.secs()));
    assert_eq!(decide(&mut world, &person_begins()), refused);
    assert_eq!(decide(&mut world, &Decision::Waived("no".to_owned())), refused);
    assert!(world.treasury.orders.is_empty());
    world.treasury.plan.push_back(Luck::Down);
    world.carry(job);
    assert_eq!(decide(&mut world, &person_begins()), refused, "it may be paid back still");
}

#[test]
pub fn what_stays_open_is_asked_for_with_the_same_bytes_in_growing_pauses() {
    for luck in [
        Luck::Down,
        Luck::AnswerLost,
        Luck::Refuses(500, "internal"),
        Luck::Refuses(403, "payouts_budget_exceeded"),
        Luck::Refuses(400, "invalid_payout"),
    ] {
        let mut world = indebted();
        world.treasury.plan.extend([luck; 3]);
        let mut times = Vec::new();
        while state(&world) == "refund_due" {
            times.push(wake(&mut world));
        }
        let pauses: Vec<_> = times.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(pauses[..3], [60, 60, 120], "{luck:?}");
        assert_eq!(world.treasury.paid(), 1, "{luck:?}");
        assert!(world.treasury.orders.windows(2).all(|two| two[0] == two[1]), "{luck:?}");
    }
    let mut world = indebted();
    world.treasury.plan.extend([Luck::Down; 1_000]);
    world.pass(86_400);
    let begun = world.treasury.plan.len();
    world.pass(36_000);
    assert_eq!(begun - world.treasury.plan.len(), 10, "an hour is the longest pause");
}

#[test]
pub fn a_payout_in_doubt_is_asked_for_until_it_has_an_end() {
    for outcome in ["executing", "unknown", "refused"] {
        let mut world = indebted();
        world.treasury.plan.push_back(Luck::Open(outcome));
        world.pass(7_200);
        assert_eq!(state(&world), "refund_due", "{outcome}");
        assert!(begun(&row(&world)).is_some(), "{outcome}");
        assert!(world.treasury.orders.len() > 2 && world.treasury.looks > 2, "{outcome}");
    }
}

#[test]
pub fn what_the_treasury_calls_sent_is_a_refund_once_the_chain_shows_it() {
    let mut world = indebted();
    world.treasury.plan.push_back(Luck::Lies);
    world.pass(7_200);
    assert_eq!(state(&world), "refund_due");
    assert!(begun(&row(&world)).is_some());
    // The node does not answer about the refund at first.
    let mut world = indebted();
    world.facilitator.chain.plan.extend([NodeFault::Fine, NodeFault::Silent, NodeFault::Fine]);
    world.pass(30);
    assert_eq!((state(&world).as_str(), world.treasury.paid()), ("refund_due", 1));
    world.pass(60);
    assert_eq!((state(&world).as_str(), world.treasury.paid()), ("refunded", 1));
}

#[test]
pub fn a_payout_that_never_moves_is_left_to_people() {
    let mut world = indebted();
    world.treasury.plan.push_back(Luck::Fails);
    world.pass(90_000);
    assert_eq!((begun(&row(&world)), world.treasury.orders.len()), (None, 1));
    assert_eq!(decide(&mut world, &person_begins()), Ok(()));
    let fence = world.ledger.fence();
    assert_eq!(decide(&mut world, &Decision::NotRefunded { begun: fence, key: None }), Ok(()));
    world.pass(90_000);
    assert_eq!(world.treasury.orders.len(), 1);
    // So is one whose begin a person takes back under its key.
    let mut world = indebted();
    world.treasury.plan.extend([Luck::Down; 9]);
    world.pass(60);
    let key = Some(KEY.to_owned());
    let taken = Decision::NotRefunded { begun: world.ledger.fence(), key };
    assert_eq!(decide(&mut world, &taken), Ok(()));
    world.pass(90_000);
    assert_eq!((begun(&row(&world)), world.treasury.orders.len()), (None, 0));
}

#[test]
pub fn a_word_about_an_earlier_begin_takes_no_later_one_back() {
    let mut world = indebted();
    let [job] = world.next_jobs().try_into().unwrap_or_else(|_| panic!());
    let key = Some(KEY.to_owned());
    let taken = Decision::NotRefunded { begun: world.ledger.fence(), key };
    assert_eq!(decide(&mut world, &taken), Ok(()));
    assert_eq!(decide(&mut world, &person_begins()), Ok(()));
    world.treasury.plan.push_back(Luck::Fails);
    world.carry(job);
    assert!(begun(&row(&world)).is_some());
}

//
#[test]
pub fn what_another_account_was_paid_is_left_to_its_owner() {
    let (mut world, _) = indebted_at(gate_vars(), "/seller");
    world.pass(90_000);
    assert_eq!((begun(&row(&world)), world.treasury.orders.len()), (None, 0));
    assert_eq!(world.ledger.open_rows(), 0);
}

#[test]
pub fn what_someone_else_has_begun_to_pay_back_is_left_to_them() {
    for key in [None, Some("till".to_owned()), Some("treasury:others".to_owned())] {
        let mut world = indebted();
        let begin = Decision::Refunding { known_since: 0, key: key.clone(), sold: false };
        assert_eq!(decide(&mut world, &begin), Ok(()));
        world.pass(90_000);
        assert_eq!(world.treasury.orders.len(), 0, "{key:?}");
        assert_eq!(begun(&row(&world)).unwrap().key, key);
    }
}

#[test]
pub fn what_may_have_been_paid_back_before_a_restore_is_left_to_people() {
    for (restored, paid) in [(BEGIN, 1), (BEGIN + 1, 0)] {
        let mut vars = gate_vars();
        vars["LEDGER_CLOSED_BEFORE"] = json!(restored);
        let mut world = indebted();
        world.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
        world.ledger.recovery = world.gate.plan().clone();
        world.pass(90_000);
        assert_eq!(world.treasury.paid(), paid, "{restored}");
    }
}

//
#[test]
pub fn a_debt_that_came_by_a_copy_is_left_to_people_though_nothing_was_sold_meanwhile() {
    for (after, is_begun) in [(0, false), (1, false), (0, true), (1, true)] {
        let mut world = indebted();
        if is_begun {
            // It refuses for an hour, and the copied gate's operator pays by hand meanwhile.
            world.treasury.plan.push_back(Luck::Refuses(403, "payouts_budget_exceeded"));
            wake(&mut world);
            assert_eq!(begun(&row(&world)).unwrap().key.as_deref(), Some(KEY));
        }
        let restored = row(&world).created.secs() + after;
        let restored = Restored::new(restored, world.gate.plan());
        world.ledger.recovery = restored.plan(world.gate.plan()).clone();
        world.ledger.start_again(world.now());
        let orders = world.treasury.orders.len();
        let mut people = world.clone();
        world.pass(90_000);
        assert_eq!(world.treasury.orders.len() > orders, after == 0, "{after} {is_begun}");
        let begin = |known_since| {
            let key = None;
            restored.decision(Decision::Refunding { known_since, key, sold: false })
        };
        if !is_begun && after == 1 {
            let refused = Err(Undecided::RefundRestored);
            assert_eq!(decide(&mut people, &begin(ALWAYS)), refused);
            assert_eq!(decide(&mut people, &begin(LOOKED)), Ok(()));
        }
    }
}

//
#[test]
fn what_nobody_fetched_is_paid_back_unless_it_is_found_late() {
    for (late, paid) in [(false, 1), (true, 0)] {
        let mut world = World::with(gate_vars());
        let payment = world.sign("/after");
        world.ledger.plan.extend([Fine, Fine, ReplyLost, ReplyLost]);
        assert_eq!(world.present(&payment).problem(), "settlement_unknown");
        world.pass(90_000);
        assert_eq!((state(&world).as_str(), world.treasury.paid()), ("delivered", 0));
        world.ledger.owe_unfetched(late, world.now());
        assert_eq!(state(&world), "refund_due");
        world.pass(90_000);
        assert_eq!(world.treasury.paid(), paid, "{late}");
    }
}

//
#[test]
pub fn a_settlement_that_the_chain_does_not_show_is_paid_back_by_no_treasury() {
    let mut world = World::with(gate_vars());
    let body = json!({
        "success": true, "transaction": format!("0x{}", "cd".repeat(32)),
        "network": "eip155:84532", "payer": world.payer.address.to_checksum(),
    });
    world.facilitator.settle_plan.push_back(Settle::Raw(200, body.to_string()));
    owe(&mut world, "/before");
    world.pass(3_000);
    assert!(begun(&row(&world)).is_some(), "a node may lag");
    world.pass(7_200);
    assert!(begun(&row(&world)).is_some(), "people take the begin back");
    assert_eq!(world.treasury.orders.len(), 0);
    // A node that does not answer says nothing.
    let mut world = indebted();
    world.facilitator.chain.plan.extend([NodeFault::Silent; 8]);
    world.pass(12_000);
    assert_eq!((state(&world).as_str(), world.treasury.paid()), ("refunded", 1));
}

//
#[test]
pub fn a_node_that_forgets_a_settlement_takes_no_begin_back() {
    let mut world = indebted();
    world.treasury.plan.push_back(Luck::AnswerLost);
    let job = world.next_jobs().remove(0);
    world.carry(job);
    assert_eq!((state(&world).as_str(), world.treasury.paid()), ("refund_due", 1));
    // For more than an hour nothing answers, and then the node is one that knows less.
    world.wait(4_000);
    let chain = &mut world.facilitator.chain;
    chain.plan.extend([NodeFault::Silent, NodeFault::Forgets, NodeFault::Forgets]);
    for _ in 0..3 {
        wake(&mut world);
        assert!(begun(&row(&world)).is_some(), "it may have been paid back");
    }
    world.pass(7_200);
    assert_eq!((state(&world).as_str(), world.treasury.paid()), ("refunded", 1));
}

#[test]
pub fn what_another_server_of_the_payee_may_have_delivered_is_left_to_people() {
    let mut world = World::with(gate_vars());
    let payment = world.sign("/after");
    let mut first = world.start(paid(&payment), b"");
    world.advance(&mut first);
    drop(first);
    world.pass(100);
    assert!(world.facilitator.chain.submit(&payment.nonce));
    world.pass(90_000);
    let State::RefundDue { why, refunding, .. } = row(&world).state else { panic!() };
    assert_eq!((why, refunding), (Undelivered::LetGo, None));
    assert_eq!(world.treasury.orders.len(), 0);
}

//
#[test]
pub fn debts_that_wait_for_the_treasury_take_no_room_of_new_payments() {
    let mut vars = gate_vars();
    vars["MAX_IN_FLIGHT_PER_PAYER"] = json!(1_000);
    let mut world = World::with(vars);
    world.treasury.plan.extend([Luck::Down; 10_000]);
    for _ in 0..1_001 {
        owe(&mut world, "/before");
    }
    assert_eq!(world.pay("/before").status, 200);
}

//
#[test]
pub fn a_treasury_that_hangs_has_one_place_and_comes_after_all_others() {
    let mut world = World::with(gate_vars());
    for number in 1..=6 {
        world.payer = Payer::new(number);
        owe(&mut world, "/before");
    }
    let jobs = world.next_jobs();
    assert_eq!(jobs.iter().filter(|job| job.pays_back()).count(), 1);
    // Two hundred rows are looked at; of these debts there are more.
    let mut world = World::with(gate_vars());
    for number in 1..=205 {
        world.payer = Payer::new(number);
        owe(&mut world, "/before");
    }
    world.payer = Payer::new(250);
    let payment = world.sign("/after");
    world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
    assert_eq!(world.present(&payment).problem(), "settlement_unknown");
    world.wait(50);
    let jobs = world.next_jobs();
    assert!(jobs.iter().any(|job| !job.pays_back()), "a settlement is sent again");
}

#[test]
fn without_a_treasury_debts_are_left_to_people() {
    let mut vars = gate_vars();
    for name in ["REFUNDS", "REFUNDS_TOKEN"] {
        vars.as_object_mut().unwrap().remove(name);
    }
    let (mut world, _) = indebted_at(vars, "/before");
    world.pass(90_000);
    assert_eq!((begun(&row(&world)), world.ledger.open_rows()), (None, 0));
}
