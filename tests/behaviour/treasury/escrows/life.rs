//! Histories of payments in an escrow contract: Workers that are lost, nodes that are silent, lose
//! what they are sent and forget blocks, gas that becomes dear. Every short history is visited, and
//! many longer ones are played at random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};
use farebox_core::treasury::Treasury;
use farebox_core::treasury::escrow::row::{EscrowFate, EscrowGoal};

use super::chain::GWEI;
use super::world::{MAX_GWEI, World, settings};
use crate::dice::Dice;

const DEPTH: usize = 3;
const HISTORIES: u64 = 400;
const STEPS: usize = 24;
const PAYMENTS: [u8; 2] = [1, 2];
/// Guards without which a history breaks a rule.
#[cfg(feature = "planted")]
const MUTANTS: &[Mutant] = &[
    Mutant::WalletsSendAtOnce,
    Mutant::FirstSightConfirms,
    Mutant::GasHasNoBound,
    Mutant::GoalsChange,
    Mutant::SentBeforeWritten,
];

static TREASURY: LazyLock<Treasury> =
    LazyLock::new(|| Treasury::from_vars(&settings().to_string()).unwrap());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Asks(u8, &'static str),
    Answers(usize),
    /// The node answers, and what it was sent is lost.
    Forgets(usize),
    Silent(usize),
    Dies(usize),
    Mines,
    /// A block is forgotten, with its transactions or without.
    Reverts(bool),
    Dear,
    Cheap,
    Alarm,
    Waits,
}

#[derive(Clone, Debug)]
struct Life {
    world: World,
    goals: BTreeMap<u8, EscrowGoal>,
}

impl Life {
    fn new() -> Self {
        Self { world: World::new(), goals: BTreeMap::new() }
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![
            Step::Mines,
            Step::Reverts(true),
            Step::Reverts(false),
            Step::Dear,
            Step::Cheap,
            Step::Alarm,
            Step::Waits,
        ];
        for number in PAYMENTS {
            let all = ["funded", "released", "refunded"];
            steps.extend(all.map(|goal| Step::Asks(number, goal)));
        }
        for place in 0..self.world.held.len().min(3) {
            steps.extend([Step::Answers(place), Step::Forgets(place)]);
            steps.extend([Step::Silent(place), Step::Dies(place)]);
        }
        steps
    }

    fn take(&mut self, step: Step) -> Result<(), String> {
        let world = &mut self.world;
        match step {
            Step::Asks(number, goal) => _ = world.ask(&TREASURY, number, goal),
            Step::Answers(place) => _ = world.report(&TREASURY, place),
            Step::Forgets(place) => {
                let pool = world.chain.pool.clone();
                world.report(&TREASURY, place);
                world.chain.pool = pool;
            }
            Step::Silent(place) => {
                let enquiry = world.held.remove(place);
                world.tell(&TREASURY, &enquiry, None);
            }
            Step::Dies(place) => _ = world.held.remove(place),
            Step::Mines => world.chain.mine(),
            // Not deeper than what confirms.
            Step::Reverts(is_kept) => {
                let depth = world.chain.blocks.iter().rev().take_while(|it| it.is_empty()).count();
                if depth < 1 {
                    world.chain.forget(is_kept);
                }
            }
            Step::Dear => world.chain.base_fee = MAX_GWEI - 2,
            Step::Cheap => world.chain.base_fee = 1,
            Step::Alarm => {
                world.now += 16;
                world.alarm(&TREASURY);
            }
            Step::Waits => world.now += 31,
        }
        self.check()
    }

    fn check(&mut self) -> Result<(), String> {
        let world = &self.world;
        let tries: Vec<_> = world.rows.escrows.values().flat_map(|row| &row.tries).collect();
        for it in world.chain.pool.iter().chain(world.chain.blocks.iter().flatten()) {
            if !tries.iter().any(|known| known.bytes == it.bytes) {
                return Err(format!("{it:?} was sent and not written"));
            }
        }
        for held in world.held.iter().filter(|it| it.body.contains("eth_sendRawTransaction")) {
            if !tries.iter().any(|it| held.body.contains(&it.bytes)) {
                return Err(format!("{held:?} is sent and not written"));
            }
        }
        let bound = MAX_GWEI * GWEI;
        if let Some(dear) = tries.iter().find(|it| it.max_fee.parse::<u64>().unwrap() > bound) {
            return Err(format!("{dear:?} is above the bound"));
        }
        let flying: BTreeSet<u64> = world
            .rows
            .escrows
            .values()
            .flat_map(|row| &row.tries)
            .filter(|it| it.fate == EscrowFate::Flying)
            .map(|it| it.nonce)
            .collect();
        let rows = world.rows.escrows.values().filter(|row| row.is_flying()).count();
        // What was mined and forgotten flies again, beside what was signed for its nonce since.
        let is_forgotten = !flying.is_disjoint(&world.chain.forgotten);
        if rows > 1 && !is_forgotten && flying.len() < rows {
            return Err(format!("{rows} payments are in the air under {flying:?}"));
        }
        for row in world.rows.escrows.values() {
            let number = u8::from_str_radix(&row.id[4..6], 16).unwrap();
            let goal = self.goals.entry(number).or_insert(row.goal);
            if *goal != EscrowGoal::Funded && *goal != row.goal {
                return Err(format!("{goal:?} became {row:?}"));
            }
            *goal = row.goal;
        }
        Ok(())
    }

    /// In the end every goal is reached, and nothing is left to do.
    fn settle(&mut self) -> Result<(), String> {
        self.world.held.clear();
        self.world.chain.base_fee = 1;
        for _ in 0..400 {
            let next = self.world.rows.escrows.values().filter_map(|row| row.due).min();
            let Some(next) = next else { break };
            self.world.now = self.world.now.max(next);
            self.world.live(&TREASURY, 1);
            self.check()?;
        }
        for row in self.world.rows.escrows.values() {
            let number = u8::from_str_radix(&row.id[4..6], 16).unwrap();
            let wanted = match row.goal {
                EscrowGoal::Funded => 1,
                EscrowGoal::Released => 2,
                EscrowGoal::Refunded => 3,
            };
            if self.world.entry(number) != wanted || row.due.is_some() {
                return Err(format!("{row:?} is {}", self.world.entry(number)));
            }
        }
        Ok(())
    }

    fn state(&self) -> String {
        let world = &self.world;
        let rows = world.rows.escrows.values().map(|row| {
            let tries: Vec<_> = row.tries.iter().map(|it| (it.deed, it.nonce, it.fate)).collect();
            let due = row.due.map(|due| due.saturating_sub(world.now));
            format!("{:?}{:?}{tries:?}{due:?}{}{}", row.goal, row.stage, row.failures, row.gone)
        });
        let rows: Vec<_> = rows.collect();
        let held: Vec<_> = world.held.iter().map(|it| (&it.escrow, it.fence)).collect();
        let pool: Vec<_> = world.chain.pool.iter().map(|it| &it.hash).collect();
        let blocks: Vec<_> = world.chain.blocks.iter().skip(95).map(Vec::len).collect();
        let forgotten = &world.chain.forgotten;
        format!("{rows:?}{held:?}{pool:?}{blocks:?}{forgotten:?}{}", world.chain.base_fee)
    }
}

fn beginnings() -> Vec<Vec<Step>> {
    let asked = [Step::Asks(1, "released"), Step::Answers(0)];
    let with = |more: &[Step]| asked.iter().chain(more).copied().collect();
    let mined = [Step::Answers(0), Step::Mines, Step::Answers(0), Step::Answers(0)];
    vec![
        Vec::new(),
        with(&[]),
        with(&[Step::Answers(0), Step::Asks(2, "refunded")]),
        with(&mined),
        with(&[&mined[..], &[Step::Mines, Step::Answers(0)]].concat()),
        with(&[Step::Answers(0), Step::Dear, Step::Waits]),
    ]
}

/// Visits every state within some steps; the number of them, or the history that breaks a rule.
fn explore(depths: usize) -> Result<usize, String> {
    let mut seen = BTreeSet::new();
    let told = |why: String, history: &[Step]| format!("{why}\nafter {history:?}");
    for beginning in beginnings() {
        let mut life = Life::new();
        for step in &beginning {
            life.take(*step).map_err(|why| told(why, &beginning))?;
        }
        let mut layer = vec![(life, beginning)];
        for depth in 1..=depths {
            let mut next = Vec::new();
            for (life, history) in layer {
                for step in life.steps() {
                    let (mut after, mut history) = (life.clone(), history.clone());
                    history.push(step);
                    after.take(step).map_err(|why| told(why, &history))?;
                    if !seen.insert(after.state()) {
                        continue;
                    }
                    // What was forgotten has to come back.
                    let is_forgotten = matches!(step, Step::Reverts(_));
                    if is_forgotten || seen.len().is_multiple_of(16) {
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

fn play(seed: u64) -> Result<(), String> {
    let dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    go_on(dice).map_err(|why| format!("{why}\nseed {seed}"))
}

/// Plays one random history.
pub fn go_on(mut dice: Dice) -> Result<(), String> {
    let mut life = Life::new();
    let mut history = Vec::new();
    for _ in 0..STEPS {
        let step = dice.pick(&life.steps());
        history.push(step);
        life.take(step).map_err(|why| format!("{why}\nafter {history:?}"))?;
    }
    life.settle().map_err(|why| format!("{why}\nin the end of {history:?}"))
}

#[test]
fn no_history_of_an_escrow_breaks_a_rule() {
    let states = explore(DEPTH).unwrap_or_else(|why| panic!("{why}"));
    assert!(states > 1_000, "{states}");
}

#[test]
fn hundreds_of_histories_of_an_escrow_break_no_rule() {
    for seed in 1..=HISTORIES {
        play(seed).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[cfg(feature = "planted")]
#[test]
fn a_history_is_found_for_each_guard_of_an_escrow_that_is_removed() {
    for mutant in MUTANTS {
        LazyLock::force(&TREASURY);
        plant(Some(*mutant));
        let found = explore(2).err().or_else(|| (1..=300).find_map(|seed| play(seed).err()));
        plant(None);
        assert!(found.is_some(), "{mutant:?} breaks no rule");
    }
}
