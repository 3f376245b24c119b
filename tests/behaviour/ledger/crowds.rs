//! Payments that move no money: how many of them a network, a payee and one row may have.

use std::collections::BTreeMap;

use farebox_core::ledger::command::{
    Answer, Command, Delivery, Envelope, Fate, Repeat, Resumed, Role, VERSION,
};
use farebox_core::ledger::entry::{MAX_UNASKED, MAX_UNASKED_OF_ALL};
use farebox_core::ledger::row::Row;
use farebox_core::ledger::shard::{Change, MAX_OF_CLIENT, Places, Scene, Shard, Slot};
use farebox_core::ledger::state::{Lease, Requester, Resend, Undelivered};
use farebox_core::ledger::{Entry, OtherPayments, State};

use super::lookups::{Fixed, claimed_from, claiming, loaded, plan, slots};
use super::{LEASES, Mode, NOW, at, entry, hash, payment};

const GRANTED: Answer = Answer::Granted { fence: 1 };

//
#[test]
pub fn payments_in_doubt_count_for_their_network() {
    let (since, sent) = (at(NOW), at(NOW));
    let resend = Some(Resend { until: at(NOW + 9), sender: Requester::Claimer });
    let refused = State::Refused { since, reason: "no".to_owned(), sent, resend };
    let unknown = State::Unknown { since, transaction: None, sent, resend: None };
    for state in [unknown, refused] {
        let (mut shard, nothing) = (Shard::default(), Fixed(BTreeMap::new(), false));
        loaded(&mut shard, 0..MAX_OF_CLIENT, "many", &state);
        let [own, _] = slots();
        let answer = claimed_from(&mut shard, "many", own.clone(), &nothing);
        assert_eq!(answer, Answer::Full, "{state:?}");
        assert_eq!(claimed_from(&mut shard, "other", own, &nothing), GRANTED);
    }
}

//
#[test]
pub fn a_payee_that_fails_keeps_its_payers_from_no_other() {
    let [own, _] = slots();
    let plan = plan(true);
    let scene = Scene { plan: &plan, notifies: false, has_room: true, now: at(NOW) };
    let mut shard = Shard::default();
    let fails = |shard: &mut Shard, payee: &str, rows: std::ops::Range<u32>| {
        let mut row = entry(Mode::After, State::Abandoned);
        row.payment.pay_to = payee.to_owned();
        for number in rows {
            shard.load(&Slot::new(&own.payer, &format!("{number:064x}")), &row, &scene);
        }
    };
    let nothing = Fixed(BTreeMap::new(), false);
    let claimed = |shard: &mut Shard| claimed_from(shard, "net", own.clone(), &nothing);
    fails(&mut shard, "0xfails", 0..MAX_UNASKED);
    assert_eq!(claimed(&mut shard), GRANTED);
    // The payee of these tests.
    fails(&mut shard, "0xpayee", MAX_UNASKED..2 * MAX_UNASKED);
    assert!(matches!(claimed(&mut shard), Answer::TooManyUnpaid { .. }));
    let mut shard = Shard::default();
    for payee in 0..MAX_UNASKED_OF_ALL / MAX_UNASKED {
        let first = payee * MAX_UNASKED;
        assert_eq!(claimed(&mut shard), GRANTED);
        fails(&mut shard, &format!("0xfails{payee}"), first..first + MAX_UNASKED);
    }
    assert!(matches!(claimed(&mut shard), Answer::TooManyUnpaid { .. }));
}

//
#[test]
pub fn a_row_that_moves_no_money_begins_a_thousand_times() {
    let transaction = hash(1);
    let why = Undelivered::Origin;
    let owed = State::RefundDue { transaction, why, since: at(NOW), refunding: None };
    for (fence, begins) in [(999, true), (1_000, false)] {
        for state in [State::Released, State::Abandoned] {
            let row = Entry { fence, ..entry(Mode::After, state) };
            let mut again = payment(Mode::After, "a", Some("s"), "bytes");
            // Signed again, for another end.
            again.request = "other bytes".to_owned();
            let claim = match claiming(again) {
                Command::Claim { payment, leases, wallet, last, rival, in_flight, .. } => {
                    let idempotent = true;
                    Command::Claim { payment, leases, idempotent, wallet, last, rival, in_flight }
                }
                other => other,
            };
            let others = OtherPayments::default();
            let taken = farebox_core::ledger::entry::Taken::No;
            let (_, answer) = row.apply(claim, others, taken, at(NOW));
            assert_eq!(answer == Answer::Granted { fence: 1_000 }, begins, "{answer:?}");
            assert_eq!(matches!(answer, Answer::TooManyUnpaid { .. }), !begins, "{answer:?}");
        }
        let row = Entry { fence, ..entry(Mode::Before, owed.clone()) };
        let again = Repeat {
            payment: Box::new(payment(Mode::Before, "a", Some("s"), "bytes")),
            leases: LEASES,
            idempotent: true,
            wallet: false,
            last: false,
            denied: false,
            rival: None,
            priced: true,
        };
        let (after, resumed) = row.resumed(&again, at(NOW));
        assert_eq!(after.watch.owed, begins);
        assert_eq!(matches!(resumed, Resumed::Deliver(_)), begins, "{resumed:?}");
        assert_eq!(resumed == Resumed::Fate(Fate::RefundDue), !begins, "{resumed:?}");
    }
}

//
#[test]
pub fn a_debt_that_is_served_in_vain_is_told_again_when_the_tries_have_doubled() {
    let [own, _] = slots();
    let lease = Lease { until: at(NOW + 50) };
    let plan = plan(true);
    let scene = Scene { plan: &plan, notifies: true, has_room: true, now: at(NOW) };
    let tells = |fence: &u64, owed: bool| {
        let state = State::Delivering { transaction: hash(1), lease, streaming: false, sold: None };
        let mut row = Entry { fence: *fence, ..entry(Mode::Before, state) };
        row.watch.owed = owed;
        // As it is stored.
        let row = Row::of(&row).into_entry(row.payment.clone(), row.leases);
        let rows = Fixed(BTreeMap::from([(own.clone(), row)]), false);
        let command = Command::Fulfil { fence: *fence, delivery: Delivery::Broken };
        let Slot { payer, key } = own.clone();
        let envelope =
            Envelope { v: VERSION, payer, key, command, role: Role::Sole, counting: None };
        let Ok(decision) = Shard::default().order(envelope, None, &rows, &scene);
        assert_eq!(decision.reply.answer, Answer::Recorded);
        decision.changes.iter().any(|change| matches!(change, Change::Announce(..)))
    };
    let told = (1..=100).filter(|fence| tells(fence, true));
    assert_eq!(told.collect::<Vec<u64>>(), [1, 2, 4, 8, 16, 32, 64]);
    // However often it was begun or sent before, its first notice is told.
    assert!((1..=100).all(|fence| tells(&fence, false)));
}

//
#[test]
pub fn where_no_payer_is_read_a_network_takes_turns() {
    let plan = plan(false);
    let scene = Scene { plan: &plan, notifies: false, has_room: true, now: at(NOW + 100) };
    let (mut shard, mut rows) = (Shard::default(), BTreeMap::new());
    let doubt = |since| State::Unknown { since, transaction: None, sent: since, resend: None };
    // Each is a payer of its own.
    for number in 0..20_u64 {
        let (client, since) = if number < 19 { ("many", 10) } else { ("other", 0) };
        let mut row = entry(Mode::Before, doubt(at(NOW - since)));
        (row.payment.network, row.payment.client) = ("solana:x".to_owned(), client.to_owned());
        row.watch.asked = true;
        row.created = at(NOW - since);
        let slot = Slot::new(&format!("{number:064x}"), &format!("{number:064x}"));
        shard.load(&slot, &row, &scene);
        rows.insert(slot, row);
    }
    let Ok((due, _)) = shard.due(&mut Places::default(), &Fixed(rows, false), &scene);
    assert_eq!(due.len(), Places::ALL);
    let last = format!("{:064x}", 19);
    assert!(due.iter().any(|due| due.slot().payer == last), "the other network has a place");
}
