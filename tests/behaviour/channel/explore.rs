//! Every history of a few steps from several beginnings, and thousands of longer ones at random.

use farebox_core::channel::state::VoucherRule;
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};

use super::world::{Facilitator, Step, World, units};
use crate::dice::Dice;

/// Steps of the longest history that is visited after each beginning.
const DEPTH: usize = 3;
const HISTORIES: u64 = 20_000;
const STEPS: usize = 24;
/// Guards without which a history breaks a rule.
#[cfg(feature = "planted")]
pub const MUTANTS: &[Mutant] = &[
    Mutant::VouchersFall,
    Mutant::DepositIsUnbounded,
    Mutant::AnyVoucherPays,
    Mutant::OneVoucherServesTwo,
    Mutant::HoldsOverlap,
    Mutant::AnyRequestRepeats,
    Mutant::LateIsCharged,
    Mutant::StaleIsFresh,
    Mutant::LeaversBuy,
    Mutant::LeaversAreNotHurried,
    Mutant::EarningsAreNotWatched,
    Mutant::UndoneIsClaimed,
    Mutant::PromisesAreSpent,
    Mutant::HeldIsRefunded,
    Mutant::UndoneIsRefunded,
    Mutant::FirstSightIsFinal,
    Mutant::RefundsAreFinal,
    Mutant::StepsOverlap,
];

const RULES: [VoucherRule; 2] = [VoucherRule::Exact, VoucherRule::Headroom { min_delta: units(1) }];

/// Histories that the short ones go on from.
fn beginnings(rule: VoucherRule) -> Vec<World> {
    let up = Step::Waits(Facilitator::Up);
    let bought = [Step::Asks(Some(1), 1), Step::Serves(0, 1)];
    let held = [Step::Asks(Some(1), 1)];
    let leaving = [Step::Asks(Some(1), 1), Step::Serves(0, 1), Step::Leaves, up, up, up, up];
    let refunded = [Step::Asks(Some(1), 1), Step::Serves(0, 1), Step::Refunds(None)];
    let mut added = Vec::from([Step::Deposits(1), Step::Looks, Step::Sees(0)]);
    for (cumulative, request) in [(1, 1), (2, 2), (3, 1)] {
        added.extend([Step::Asks(Some(cumulative), request), Step::Serves(0, 1)]);
    }
    let mut topped = Vec::from(bought);
    topped.extend([Step::Deposits(1), Step::Looks, Step::Sees(0)]);
    // Of three deposits the first alone is firm, and there is a voucher within each.
    let mut twice = Vec::from(bought);
    for cumulative in [2, 3, 4] {
        if cumulative > 2 {
            twice.extend([Step::Deposits(1), Step::Looks, Step::Sees(0)]);
        }
        let request = u8::from(cumulative % 2 == 0) + 1;
        twice.extend([Step::Asks(Some(cumulative), request), Step::Serves(0, 1)]);
    }
    let mut undone = Vec::from(refunded);
    undone.extend([up, Step::Reverts]);
    let mut all: Vec<&[Step]> =
        vec![&[], &bought, &held, &leaving, &refunded, &added, &topped, &twice];
    if rule == VoucherRule::Exact {
        all.push(&undone);
    }
    all.iter()
        .map(|steps| {
            let mut world = World::new(rule, 2);
            for step in *steps {
                world.take_step(*step).unwrap();
            }
            world
        })
        .collect()
}

fn visit(world: &World, depth: usize, trace: &mut Vec<Step>, visited: &mut u64) {
    *visited += 1;
    if depth == 0 {
        world.clone().settle().unwrap_or_else(|why| panic!("{why}: {trace:?}"));
        return;
    }
    for step in world.steps() {
        let mut next = world.clone();
        trace.push(step);
        next.take_step(step).unwrap_or_else(|why| panic!("{why}: {trace:?}"));
        visit(&next, depth - 1, trace, visited);
        trace.pop();
    }
}

/// One world of either rule.
pub fn any(history: u64, dice: &mut Dice) -> World {
    World::new(RULES[usize::try_from(history % 2).unwrap()], 1 + dice.below(3))
}

/// One where a voucher buys a stream.
pub fn selling_streams(_: u64, dice: &mut Dice) -> World {
    World::new(VoucherRule::Exact, 3 + dice.below(3)).selling_streams()
}

/// Plays histories of this seed until one breaks a rule.
fn play(seed: u64, histories: u64, begins: fn(u64, &mut Dice) -> World) -> Result<(), String> {
    for history in 0..histories {
        let mut dice = Dice::seeded((seed + 1) * 1_000_003 + history * 7_919 + 1);
        let world = begins(history, &mut dice);
        go_on(world, dice)?;
    }
    Ok(())
}

/// Goes on in this world for a while, and to its end.
pub fn go_on(mut world: World, mut dice: Dice) -> Result<(), String> {
    let mut trace = Vec::new();
    for _ in 0..STEPS {
        // Time goes on often enough for withdrawals, and requests come and are served.
        let step = match dice.below(3) {
            0 => Step::Waits(dice.pick(&[Facilitator::Up, Facilitator::Up, Facilitator::Down])),
            _ => dice.pick(&world.steps()),
        };
        trace.push(step);
        world.take_step(step).map_err(|why| format!("{why}: {trace:?}"))?;
    }
    world.settle().map_err(|why| format!("{why}: {trace:?}"))
}

// I-15
#[test]
fn every_short_history_keeps_every_rule() {
    let mut visited = 0;
    for rule in RULES {
        for world in beginnings(rule) {
            visit(&world, DEPTH, &mut Vec::new(), &mut visited);
        }
    }
    assert!(visited > 20_000, "{visited}");
}

// I-15
#[test]
fn long_histories_keep_every_rule() {
    assert_eq!(play(0, HISTORIES, any), Ok(()));
}

#[test]
fn long_histories_of_streams_that_one_voucher_bought_keep_every_rule() {
    assert_eq!(play(0, HISTORIES, selling_streams), Ok(()));
}

#[cfg(feature = "planted")]
#[test]
fn a_history_of_streams_whose_steps_overlap_is_found() {
    plant(Some(Mutant::StepsOverlap));
    let outcome = play(0, HISTORIES, selling_streams);
    plant(None);
    assert!(outcome.is_err());
}

//
#[test]
pub fn a_close_that_is_undone_is_made_again_before_its_payer_withdraws() {
    use Facilitator::{Down, Up};
    let mut world = World::new(RULES[1], 2);
    let mut steps = vec![Step::Asks(Some(1), 1), Step::Serves(0, 1), Step::Leaves];
    steps.extend([Step::Looks, Step::Sees(0), Step::Closes(2)]);
    steps.extend([Up, Up, Up, Up].map(Step::Waits));
    steps.push(Step::Reverts);
    steps.extend([Up, Up, Up, Down, Down].map(Step::Waits));
    steps.push(Step::Withdraws);
    assert_eq!(steps.into_iter().try_for_each(|step| world.take_step(step)), Ok(()));
    assert_eq!(world.settle(), Ok(()));
}

//
#[test]
pub fn what_is_undone_is_made_again_whenever_looks_for_it_fail() {
    use Facilitator::{Down, Up};
    for rule in RULES {
        for before in 0..12 {
            let mut world = World::new(rule, 2);
            let mut steps = vec![Step::Asks(Some(1), 1), Step::Serves(0, 1)];
            if rule != VoucherRule::Exact {
                steps.push(Step::Closes(2));
            }
            assert_eq!(steps.into_iter().try_for_each(|step| world.take_step(step)), Ok(()));
            while world.contract.claimed == 0 {
                world.take_step(Step::Waits(Up)).unwrap();
            }
            let mut steps = vec![Step::Waits(Up), Step::Reverts];
            steps.extend(vec![Step::Waits(Up); before]);
            steps.extend([Down, Down].map(Step::Waits));
            assert_eq!(steps.into_iter().try_for_each(|step| world.take_step(step)), Ok(()));
            assert_eq!(world.settle(), Ok(()), "{rule:?} after {before} looks");
        }
    }
}

// I-22
#[cfg(feature = "planted")]
#[test]
fn each_guard_that_is_removed_lets_a_history_break_a_rule() {
    for mutant in MUTANTS {
        plant(Some(*mutant));
        // Half of them have refunds.
        let outcome = play(1, 4 * HISTORIES, any);
        plant(None);
        assert!(outcome.is_err(), "{mutant:?} is not found");
    }
}
