//! Claims of many channels at once: one transaction for all, and one that is bad holds up no one.

use farebox_core::amount::Amount;
use farebox_core::channel::claims::ClaimQueue;
use farebox_core::channel::config::ChannelId;
use farebox_core::channel::desk::ChannelDesk;
use farebox_core::channel::refusal::ChannelRefusal;
use farebox_core::channel::state::{Begun, Channel, OnChain, Purchase, Sight, VoucherRule};
use farebox_core::channel::voucher::{CheckedVoucher, Voucher};
use farebox_core::time::UnixTime;
use serde_json::json;

use super::chain::{Manner, config, contract, units};
use super::door::{DELAY, Door, PRICE, account, voucher};

const MANY: u64 = 40;

/// A door at which so many channels have paid for a page: with their ids.
fn busy(many: u64) -> (Door, Vec<String>) {
    let mut door = Door::new();
    let ids = (0..many).map(|number| {
        let mut payment = door.payment("deposit", PRICE);
        let config_of = &mut payment["payload"]["channelConfig"];
        config_of["salt"] = json!(format!("0x{:064x}", number + 1));
        let channel = config(config_of).id(&contract());
        payment["payload"]["voucher"] = voucher(channel, PRICE, &account(2));
        payment["payload"]["deposit"] = door.deposit(&channel, 10 * PRICE, 1);
        assert_eq!(door.buy(&payment, &number.to_string()).status, 200);
        channel.to_string()
    });
    let ids = ids.collect();
    (door, ids)
}

fn claimed(door: &Door) -> u64 {
    door.chain.channels.values().map(|funds| funds.claimed).sum()
}

/// Alarms until this time has passed.
fn passes(door: &mut Door, secs: u64) {
    for _ in 0..secs.div_ceil(15) {
        door.now += 15;
        door.alarm();
    }
}

#[test]
fn what_is_due_at_one_time_is_claimed_by_one_transaction_and_paid_out_by_one() {
    let (mut door, _) = busy(MANY);
    let before = door.chain.settled;
    passes(&mut door, DELAY + 60);
    assert_eq!(claimed(&door), MANY * PRICE);
    let sizes: Vec<usize> = door.chain.batches.iter().map(Vec::len).collect();
    assert_eq!(sizes, [40]);
    assert!(door.chain.channels.values().all(|funds| funds.paid == PRICE));
    // One claim, one payout; then each channel hears that there is no more of it.
    assert_eq!(door.chain.settled - before, 2 + MANY);
    passes(&mut door, 3 * DELAY);
    assert_eq!(door.chain.batches.len(), 1);
}

#[test]
pub fn one_whose_deposit_is_gone_is_left_out_of_the_next_batch() {
    let (mut door, ids) = busy(MANY);
    // It withdraws before anyone has looked: what it owed is lost, and it makes the batch fail.
    door.chain.channels.get_mut(&ids[7]).unwrap().balance = 0;
    door.now += DELAY - 1;
    passes(&mut door, 60);
    assert_eq!(claimed(&door), (MANY - 1) * PRICE);
    let sizes: Vec<usize> = door.chain.batches.iter().map(Vec::len).collect();
    assert_eq!(sizes, [39]);
}

#[test]
pub fn a_claim_that_is_refused_for_ever_does_not_hold_up_the_others() {
    let (mut door, ids) = busy(MANY);
    door.chain.refused.insert(ids[7].clone());
    // All have asked to withdraw: two thirds of the delay are left once that was seen.
    let now = door.now;
    door.chain.channels.values_mut().for_each(|funds| funds.leaving = now);
    passes(&mut door, DELAY);
    assert_eq!(claimed(&door), (MANY - 1) * PRICE);
    assert!(door.chain.batches.len() <= 8, "{:?}", door.chain.batches);
    // It goes on by itself, and beside it what comes later is claimed at once.
    door.chain.refused.clear();
    passes(&mut door, 60);
    assert_eq!(claimed(&door), MANY * PRICE);
}

#[test]
fn what_a_lost_answer_has_claimed_is_not_sent_again() {
    let (mut door, _) = busy(MANY);
    door.now += DELAY;
    door.chain.manner = Manner::Mute;
    door.alarm();
    door.chain.manner = Manner::Works;
    passes(&mut door, 120);
    assert_eq!((claimed(&door), door.chain.batches.len()), (MANY * PRICE, 1));
    assert!(door.chain.channels.values().all(|funds| funds.paid == PRICE));
}

#[test]
fn a_facilitator_that_is_down_for_minutes_has_each_claim_once() {
    let (mut door, _) = busy(MANY);
    door.now += DELAY;
    door.chain.manner = Manner::Stuck;
    passes(&mut door, 300);
    assert_eq!(claimed(&door), 0);
    door.chain.manner = Manner::Works;
    passes(&mut door, 120);
    assert_eq!(claimed(&door), MANY * PRICE);
    let mut all: Vec<String> = door.chain.batches.concat();
    all.sort();
    all.dedup();
    assert_eq!((all.len(), door.chain.batches.concat().len()), (40, 40));
}

#[test]
fn a_machine_that_dies_at_any_step_of_a_batch_claims_all_of_it() {
    for step in 0..40 {
        let (mut door, _) = busy(3);
        door.now += DELAY;
        door.dies_at(Some(step));
        door.alarm();
        door.dies_at(None);
        passes(&mut door, 400);
        assert_eq!(claimed(&door), 3 * PRICE, "{step}");
        assert!(door.chain.channels.values().all(|funds| funds.paid == PRICE), "{step}");
    }
}

/// A claim as a channel hands it over: what is owed, after so many attempts.
fn due(number: u8, on_chain: OnChain, owed: u64, tries: u64) -> ChannelDesk {
    let id = ChannelId::from_bytes([number; 32]);
    let at = UnixTime::from_secs(1_000_000);
    let sight =
        Sight { deposit: units(owed), claimed: units(0), on_chain, refund_nonce: units(0), at };
    let mut channel = Channel::seen_first(id, VoucherRule::Exact, DELAY, sight);
    let voucher = Voucher { channel: id, cumulative: units(owed) };
    let signature = account(1).sign(&voucher.digest(&contract())).unwrap();
    let voucher = CheckedVoucher::known(voucher, signature);
    let (price, until) = (units(owed), at.plus(9));
    let request = [number; 32];
    let bought = Purchase { voucher: Some(voucher), price, request, until, mark: None };
    channel.see(Sight { on_chain: OnChain::Open, ..sight });
    channel.charge(&bought, price, at).unwrap();
    for _ in 0..tries {
        channel.attempted(at);
    }
    channel.see(sight);
    let terms = "{\"config\": {\"a\": \"b\tc\"}}".to_owned();
    ChannelDesk { channel: Some(channel), terms, kept: None, signer: None }
}

#[test]
fn who_withdraws_goes_first_then_who_owes_most_and_what_was_refused_by_itself() {
    let mut queue = ClaimQueue::default();
    let leaving = OnChain::Leaving(UnixTime::from_secs(999_999));
    let claims = [
        due(1, OnChain::Open, 900, 0),
        due(2, leaving, 5, 1),
        due(3, leaving, 800, 0),
        due(4, OnChain::Open, 1_000, 4),
    ];
    for claim in &claims {
        let read = ChannelDesk::of_claim(&claim.to_claim().unwrap()).unwrap();
        assert_eq!((&read.channel, &read.terms), (&claim.channel, &claim.terms));
        queue.take(read);
        // The same channel again is no second claim.
        queue.take(claim.clone());
    }
    let mut numbers = || -> Vec<u8> {
        let id = |desk: &ChannelDesk| desk.channel.as_ref().unwrap().id().as_bytes()[0];
        queue.batch().iter().map(id).collect()
    };
    assert_eq!((numbers(), numbers(), numbers()), (vec![3, 2, 1], vec![4], vec![]));
    for number in 0..250 {
        queue.take(due(number, OnChain::Open, 1, 0));
    }
    let mut sizes = || queue.batch().len();
    assert_eq!((sizes(), sizes(), sizes(), sizes()), (100, 100, 50, 0));
}

#[test]
fn magnitudes_order_amounts() {
    let amounts =
        ["0", "1", "255", "256", "65535", "65536", "4611686018427387904", "18446744073709551616"]
            .map(|text| Amount::from_atomic(text).unwrap().magnitude());
    assert!(amounts.is_sorted_by(|one, next| one < next), "{amounts:?}");
    let most = Amount::MAX.magnitude();
    assert!(most < 1 << 62 && most > amounts[7], "{most}");
}

// A-186, I-27
#[test]
pub fn a_payout_without_a_certain_answer_is_asked_for_again_in_seconds() {
    let (mut door, _) = busy(1);
    let paid = |door: &Door| door.chain.channels.values().map(|funds| funds.paid).sum::<u64>();
    door.chain.payouts_fail = u64::MAX;
    passes(&mut door, DELAY + 15);
    assert_eq!((claimed(&door), paid(&door)), (PRICE, 0));
    // One answer of the facilitator is enough, which comes after half a minute.
    passes(&mut door, 30);
    let failed = u64::MAX - door.chain.payouts_fail;
    assert!(failed >= 3, "{failed}");
    door.chain.payouts_fail = 0;
    passes(&mut door, 15);
    assert_eq!(paid(&door), PRICE);
    // Where it goes on failing, it is asked ever more seldom.
    let (mut door, _) = busy(1);
    door.chain.payouts_fail = u64::MAX;
    passes(&mut door, DELAY + 4 * 3_600);
    let failed = u64::MAX - door.chain.payouts_fail;
    assert!((20..60).contains(&failed), "{failed}");
    door.restarts();
    door.chain.payouts_fail = 0;
    passes(&mut door, 3_600);
    assert_eq!(paid(&door), PRICE);
}

#[test]
fn a_deposit_for_a_channel_that_was_leaving_is_foreseen_by_what_the_chain_may_show_by_now() {
    let leaving = OnChain::Leaving(UnixTime::from_secs(999_999));
    let seen = UnixTime::from_secs(1_000_000);
    for (on_chain, waits, expected) in [
        (OnChain::Open, 0, Ok(Begun::Held)),
        (leaving, 0, Err(ChannelRefusal::Closing)),
        (OnChain::Finalized, 0, Err(ChannelRefusal::Finalized)),
        // Its payer may have come back since; a closed one never does.
        (leaving, DELAY, Ok(Begun::Held)),
        (OnChain::Finalized, DELAY, Err(ChannelRefusal::Finalized)),
    ] {
        let channel = due(1, on_chain, 900, 0).channel.unwrap();
        let id = ChannelId::from_bytes([1; 32]);
        let voucher = Voucher { channel: id, cumulative: units(1_000) };
        let signature = account(1).sign(&voucher.digest(&contract())).unwrap();
        let voucher = Some(CheckedVoucher::known(voucher, signature));
        let now = seen.plus(waits);
        let (price, until) = (units(100), now.plus(9));
        let bought = Purchase { voucher, price, request: [9; 32], until, mark: None };
        assert_eq!(channel.foresee(&bought, units(100), now), expected, "{on_chain:?} {waits}");
        assert_ne!(channel.foresee(&bought, units(99), now), Ok(Begun::Held), "too little");
    }
}
