//! Every history of a small world: two requests under a budget for one of them, merchants that pay,
//! refuse and lie, Workers that are lost or late, and a chain that is reorganized.

use std::collections::BTreeSet;

use farebox_core::mutant::{Mutant, plant};

use super::life::{Life, Step};

/// Steps of the longest history.
const DEPTH: usize = 8;
/// Guards without which a history breaks a rule.
pub const MUTANTS: &[Mutant] = &[
    Mutant::ReservesNothing,
    Mutant::BudgetsOverflow,
    Mutant::KeysAreForgotten,
    Mutant::RefusalsAreVoid,
    Mutant::UnusedIsVoid,
    Mutant::OneBlockConfirms,
];

/// Visits every state that can be reached; the number of them, or the history that breaks a rule.
fn explore() -> Result<usize, String> {
    let mut seen = BTreeSet::new();
    let mut ends = BTreeSet::new();
    let mut layer: Vec<(Life, Vec<Step>)> = vec![(Life::new(), Vec::new())];
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
    let states = explore().unwrap_or_else(|why| panic!("{why}"));
    eprintln!("{states} states");
    assert!(states > 1_000, "{states}");
}

#[test]
fn a_history_is_found_for_each_guard_that_is_removed() {
    for mutant in MUTANTS {
        plant(Some(*mutant));
        let found = explore();
        plant(None);
        assert!(found.is_err(), "{mutant:?} breaks nothing");
    }
}
