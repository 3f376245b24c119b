//! Thousands of seeded histories of four requests: of an agent with keys, one without, charges by MPP and payouts, a quarter each. The seed of a failure is printed, and gives the
//! same history again.

use super::life::{Life, Step};
use crate::dice::Dice;

const HISTORIES: u64 = 10_000;
const STEPS: usize = 14;

/// One history of a kind, which are four.
pub fn play(kind: u64, mut dice: Dice) -> Result<(), String> {
    let mut life = match kind {
        0 => Life::charged(),
        1 => Life::of_payouts(),
        2 => Life::unkeyed(),
        _ => Life::new(),
    };
    let mut history = Vec::new();
    for _ in 0..STEPS {
        let mut steps = life.steps(4);
        steps.extend([Step::Wait(40), Step::Mine(3)]);
        let step = dice.pick(&steps);
        history.push(step);
        life.take_step(step).map_err(|why| format!("{why}\nafter {history:?}"))?;
    }
    life.settle().map_err(|why| format!("{why}\nin the end of {history:?}"))
}

#[test]
fn ten_thousand_histories_break_no_rule() {
    for seed in 1..=HISTORIES {
        let dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        play(seed % 4, dice).unwrap_or_else(|why| panic!("{why}\nseed {seed}"));
    }
}
