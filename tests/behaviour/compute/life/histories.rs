//! The histories that are visited, and those that are played.

use std::collections::BTreeSet;
#[cfg(feature = "planted")]
use std::sync::LazyLock;

use farebox_core::compute::message::Callback;
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};

use super::super::payouts::Luck;
#[cfg(feature = "planted")]
use super::GATEWAYS;
use super::steps::Step;
use super::{Life, Way};
use crate::dice::Dice;

/// Steps of the longest history that is visited after each beginning.
const DEPTH: usize = 4;
const HISTORIES: u64 = 10_000;
const STEPS: usize = 16;
/// Guards without which a history breaks a rule.
#[cfg(feature = "planted")]
pub const MUTANTS: &[Mutant] = &[
    Mutant::SeatsAreSoldTwice,
    Mutant::PaymentsSellTwice,
    Mutant::OrphansAreLost,
    Mutant::OutcomesChange,
    Mutant::DoubtIsPaidAgain,
];

/// Those of money in the escrow contract.
#[cfg(feature = "planted")]
pub const CONTRACT_MUTANTS: &[Mutant] = &[
    Mutant::PaymentsSellTwice,
    Mutant::OrphansAreLost,
    Mutant::OrphansShareEntries,
    Mutant::SettlementsAreShared,
    Mutant::ContractsChangeSellers,
    Mutant::OutcomesChange,
];

/// Those of transfers that buyers make themselves.
#[cfg(feature = "planted")]
const TRANSFER_MUTANTS: &[Mutant] =
    &[Mutant::TransfersPayTwice, Mutant::ShownTransfersPayTheTill, Mutant::OrphansAreLost];

/// Histories that all others begin with.
fn beginnings(way: Way) -> Vec<Vec<Step>> {
    // The gate leaves the refund to the exchange first.
    let claimed = [Step::Due, Step::Carries(0, Luck::Arrives), Step::Due];
    if way.has_transfers() {
        let sent = [Step::Asks(209), Step::Sends(209)];
        let with = |more: &[Step]| sent.iter().chain(more).copied().collect();
        let start = Step::Calls(1, 0, Callback::Start);
        return vec![
            vec![Step::Asks(209)],
            with(&[Step::Hashes(209)]),
            with(&[Step::Shows(209), Step::Asks(209)]),
            with(&[Step::Shows(209), start, Step::Calls(1, 0, Callback::Fail)]),
            with(&[Step::Verifies(209), Step::Settles(209), Step::Shows(209)]),
            with(&[Step::Due]),
        ];
    }
    let paid = [Step::Asks(209), Step::Verifies(209), Step::Settles(209), Step::Forwards(209)];
    let with = |more: &[Step]| paid.iter().chain(more).copied().collect();
    let start = Step::Calls(1, 0, Callback::Start);
    vec![
        Vec::new(),
        vec![Step::Asks(209), Step::Verifies(209), Step::Settles(209)],
        with(&[]),
        with(&[start]),
        with(&[start, Step::Calls(1, 0, Callback::Complete)]),
        with(&[start, Step::Calls(1, 0, Callback::Fail)]),
        with(&[start, Step::Calls(1, 0, Callback::Complete), Step::Carries(0, Luck::Arrives)]),
        with(&[start, Step::Calls(1, 0, Callback::Fail), Step::Carries(0, Luck::Arrives)]),
        with(&[
            start,
            Step::Calls(1, 0, Callback::Complete),
            Step::Carries(0, Luck::Arrives),
            Step::Carries(0, Luck::Doubted),
            Step::Due,
            Step::Asks(208),
        ]),
        vec![Step::Asks(209), Step::Settles(209), Step::Due, Step::Forwards(209), Step::Due],
        [&[Step::Asks(209), Step::Settles(209), Step::Due, Step::Forwards(209)][..], &claimed]
            .concat(),
    ]
}

/// Visits every state that can be reached in [`DEPTH`] steps; the number of them, or the history
/// that breaks a rule.
fn explore(way: Way, depths: usize) -> Result<usize, String> {
    let mut seen = BTreeSet::new();
    let told = |why: String, history: &[Step]| format!("{why}\nafter {history:?}");
    for beginning in beginnings(way) {
        let mut life = Life::new(way);
        for step in &beginning {
            life.take_step(*step).map_err(|why| told(why, &beginning))?;
        }
        let mut layer = vec![(life, beginning)];
        for depth in 1..=depths {
            let mut next = Vec::new();
            for (life, history) in layer {
                for step in life.steps() {
                    let mut after = life.clone();
                    let mut history = history.clone();
                    history.push(step);
                    after.take_step(step).map_err(|why| told(why, &history))?;
                    if !seen.insert(after.state()) {
                        continue;
                    }
                    if depth == depths && seen.len() % 16 == 0 {
                        after.clone().settle().map_err(|why| told(why, &history))?;
                    }
                    if depth < depths {
                        next.push((after, history));
                    }
                }
            }
            layer = next;
        }
    }
    Ok(seen.len())
}

/// Every way to hold and to move money.
pub const WAYS: [Way; 4] =
    [Way::Escrow, Way::Contract, Way::EscrowByTransfers, Way::ContractByTransfers];

fn play(way: Way, seed: u64) -> Result<(), String> {
    let dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    go_on(way, dice).map_err(|why| format!("{why}\nseed {seed}"))
}

/// Plays one random history.
pub fn go_on(way: Way, mut dice: Dice) -> Result<(), String> {
    let mut life = Life::new(way);
    let mut history = Vec::new();
    let openings = beginnings(way);
    for step in dice.pick(&openings) {
        life.take_step(step)?;
        history.push(step);
    }
    for _ in 0..STEPS {
        let step = dice.pick(&life.steps());
        history.push(step);
        life.take_step(step).map_err(|why| format!("{why}\nafter {history:?}"))?;
    }
    life.settle().map_err(|why| format!("{why}\nin the end of {history:?}"))
}

#[test]
fn no_history_breaks_a_rule() {
    let states = explore(Way::Escrow, DEPTH).unwrap_or_else(|why| panic!("{why}"));
    assert!(states > 10_000, "{states}");
}

#[test]
fn no_history_of_money_in_the_contract_breaks_a_rule() {
    let states = explore(Way::Contract, DEPTH - 1).unwrap_or_else(|why| panic!("{why}"));
    assert!(states > 2_000, "{states}");
}

#[test]
fn no_history_of_transfers_that_buyers_make_themselves_breaks_a_rule() {
    for way in [Way::EscrowByTransfers, Way::ContractByTransfers] {
        let states = explore(way, DEPTH - 1).unwrap_or_else(|why| panic!("{why}"));
        assert!(states > 2_000, "{states}");
    }
}

#[test]
fn ten_thousand_histories_break_no_rule() {
    for (seed, way) in (1..=HISTORIES).zip(WAYS.into_iter().cycle()) {
        play(way, seed).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[cfg(feature = "planted")]
#[test]
fn a_history_is_found_for_each_guard_that_is_removed() {
    let table = [
        (Way::Escrow, MUTANTS),
        (Way::Contract, CONTRACT_MUTANTS),
        (Way::EscrowByTransfers, TRANSFER_MUTANTS),
    ];
    for (way, mutants) in table {
        for mutant in mutants {
            LazyLock::force(&GATEWAYS);
            plant(Some(*mutant));
            let found = explore(way, 2).err();
            let found = found.or_else(|| (1..=2_000).find_map(|seed| play(way, seed).err()));
            plant(None);
            assert!(found.is_some(), "{mutant:?} breaks nothing");
        }
    }
}
