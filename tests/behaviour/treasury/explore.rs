//! Every history of four small worlds: two requests under a budget for one of them, one request
//! without a key asked again and again, two charges of one challenge, or two payouts under a budget for one of them; merchants and facilitators that pay, refuse and lie, Workers that are lost or late, and a chain that
//! is reorganized.

use std::collections::BTreeSet;
#[cfg(feature = "planted")]
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};

use super::life::{Life, Step};

/// Steps of the longest history.
const DEPTH: usize = 8;
/// Guards without which a history breaks a rule.
#[cfg(feature = "planted")]
pub const MUTANTS: &[Mutant] = &[
    Mutant::ReservesNothing,
    Mutant::BudgetsOverflow,
    Mutant::KeysAreForgotten,
    Mutant::RefusalsAreVoid,
    Mutant::UnusedIsVoid,
    Mutant::OneBlockConfirms,
    Mutant::OldFencesCount,
    Mutant::LeasesKeepFences,
    Mutant::RequestsLeaveEarly,
];
/// Those of a request without a key.
#[cfg(feature = "planted")]
pub const MUTANTS_WITHOUT_KEY: &[Mutant] = &[
    Mutant::MuteDeliveriesClose,
    Mutant::RefusalsEndPurchases,
    Mutant::OpenIsForgotten,
    Mutant::OldFencesCount,
    Mutant::RequestsLeaveEarly,
];
/// Those of charges.
#[cfg(feature = "planted")]
pub const MUTANTS_OF_CHARGES: &[Mutant] = &[Mutant::NoncesAreSignedTwice, Mutant::OldFencesCount];
/// Those of payouts.
#[cfg(feature = "planted")]
pub const MUTANTS_OF_PAYOUTS: &[Mutant] = &[
    Mutant::ReservesNothing,
    Mutant::BudgetsOverflow,
    Mutant::KeysAreForgotten,
    Mutant::PayoutNoncesAreDrawn,
    Mutant::FacilitatorsAreBelieved,
    Mutant::RefusalsAreVoid,
    Mutant::UnusedIsVoid,
    Mutant::OneBlockConfirms,
    Mutant::OldFencesCount,
    Mutant::LeasesKeepFences,
];

/// Visits every state that can be reached; the number of them, or the history that breaks a rule.
fn explore(start: &Life) -> Result<usize, String> {
    let mut seen = BTreeSet::new();
    let mut ends = BTreeSet::new();
    let mut layer: Vec<(Life, Vec<Step>)> = vec![(start.clone(), Vec::new())];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for (life, history) in layer {
            for step in life.steps(2) {
                let mut after = life.clone();
                let mut history = history.clone();
                history.push(step);
                let broken = |why: String, history: &[Step]| format!("{why}\nafter {history:?}");
                after.take_step(step).map_err(|why| broken(why, &history))?;
                let state = after.state();
                if !seen.insert(state.clone()) {
                    continue;
                }
                if history.len() == DEPTH && ends.insert(state) && ends.len() % 16 == 0 {
                    after.clone().settle().map_err(|why| broken(why, &history))?;
                }
                next.push((after, history));
            }
        }
        layer = next;
    }
    Ok(seen.len())
}

#[test]
fn no_history_breaks_a_rule() {
    let states = explore(&Life::new()).unwrap_or_else(|why| panic!("{why}"));
    eprintln!("{states} states");
    assert!(states > 1_000, "{states}");
}

#[test]
fn no_history_of_a_request_without_a_key_breaks_a_rule() {
    let states = explore(&Life::unkeyed()).unwrap_or_else(|why| panic!("{why}"));
    eprintln!("{states} states");
    assert!(states > 1_000, "{states}");
}

#[test]
fn no_history_of_charges_breaks_a_rule() {
    let states = explore(&Life::charged()).unwrap_or_else(|why| panic!("{why}"));
    eprintln!("{states} states");
    assert!(states > 1_000, "{states}");
}

#[test]
fn no_history_of_payouts_breaks_a_rule() {
    let states = explore(&Life::of_payouts()).unwrap_or_else(|why| panic!("{why}"));
    eprintln!("{states} states");
    assert!(states > 1_000, "{states}");
}

#[cfg(feature = "planted")]
#[test]
fn a_history_is_found_for_each_guard_that_is_removed() {
    let unkeyed = MUTANTS_WITHOUT_KEY.iter().map(|mutant| (mutant, Life::unkeyed()));
    let charges = MUTANTS_OF_CHARGES.iter().map(|mutant| (mutant, Life::charged()));
    let payouts = MUTANTS_OF_PAYOUTS.iter().map(|mutant| (mutant, Life::of_payouts()));
    let decisions = MUTANTS.iter().map(|mutant| (mutant, Life::new()));
    for (mutant, start) in decisions.chain(unkeyed).chain(charges).chain(payouts) {
        plant(Some(*mutant));
        let found = catch_unwind(AssertUnwindSafe(|| explore(&start).is_err()));
        plant(None);
        assert!(found.unwrap_or(true), "{mutant:?} breaks nothing");
    }
}
