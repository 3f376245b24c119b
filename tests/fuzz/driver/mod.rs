//! The driver: it runs a target with inputs that it makes from known ones, until one breaks the property or the time is over.

pub mod mutate;
pub mod notes;
pub mod seeds;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::targets::Target;
use mutate::Material;

/// Inputs that are kept at most while it runs.
const MOST_INPUTS: usize = 4_096;
/// Runs between two looks at the clock.
const BETWEEN: u32 = 8;

thread_local! {
    static TOLD: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What a campaign came to.
pub struct Outcome {
    pub executions: u64,
    pub elapsed: Duration,
    /// Inputs that it worked with in the end.
    pub inputs: usize,
    /// Different things that they met.
    pub met: usize,
    pub failure: Option<Failure>,
}

/// An input that breaks a property.
pub struct Failure {
    pub input: Vec<u8>,
    pub told: String,
}

/// Keeps what a panic says instead of printing it.
pub fn quiet() {
    panic::set_hook(Box::new(|panic| {
        TOLD.with_borrow_mut(|told| *told = panic.to_string());
    }));
}

/// Runs a target once.
///
/// # Errors
/// The input and what the property said of it.
pub fn run(target: &Target, input: &[u8]) -> Result<BTreeSet<String>, Failure> {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let met = notes::taken();
    let failed = |_| Failure { input: input.to_vec(), told: TOLD.take() };
    outcome.map(|()| met).map_err(failed)
}

/// Runs a target with its seeds, what is kept of it, and then what is made of those.
pub fn campaign(target: &Target, seed: u64, limit: Duration) -> Outcome {
    let begin = Instant::now();
    let mut dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut outcome =
        Outcome { executions: 0, elapsed: Duration::ZERO, inputs: 0, met: 0, failure: None };
    let (mut inputs, mut known) = (Vec::new(), BTreeSet::new());
    let words = seeds::words(target.words);
    let mut first = (target.seeds)();
    first.extend(seeds::kept(target.name));
    first.push(Vec::new());
    first.reverse();
    while outcome.failure.is_none() {
        let is_clocked = outcome.executions.is_multiple_of(BETWEEN.into()) || target.is_tape();
        if first.is_empty() && is_clocked && begin.elapsed() >= limit {
            break;
        }
        let is_first = !first.is_empty();
        let input = first.pop().unwrap_or_else(|| {
            Material { inputs: &inputs, words: &words, longest: target.longest }.next(&mut dice)
        });
        outcome.executions += 1;
        match run(target, &input) {
            Ok(met) => {
                let is_new = met.iter().any(|note| !known.contains(note));
                known.extend(met);
                if (is_new || is_first) && inputs.len() < MOST_INPUTS {
                    inputs.push(input);
                }
            }
            Err(failure) => outcome.failure = Some(shorter(target, failure)),
        }
    }
    Outcome { elapsed: begin.elapsed(), inputs: inputs.len(), met: known.len(), ..outcome }
}

/// Those of the inputs that meet what the known ones and those before them do not, the shortest first.
pub fn new_ones(target: &Target, mut inputs: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut first = (target.seeds)();
    first.extend(seeds::kept(target.name));
    let met = |input: &Vec<u8>| run(target, input).unwrap_or_default();
    let mut known: BTreeSet<String> = first.iter().flat_map(met).collect();
    inputs.sort_by_key(Vec::len);
    inputs.retain(|input| {
        let met = met(input);
        let is_new = met.iter().any(|note| !known.contains(note));
        known.extend(met);
        is_new
    });
    inputs
}

/// A shorter input that breaks it too, if leaving out parts finds one.
fn shorter(target: &Target, mut failure: Failure) -> Failure {
    let begin = Instant::now();
    let mut size = failure.input.len() / 2;
    while size > 0 {
        let mut place = 0;
        while place + size <= failure.input.len() && begin.elapsed() < Duration::from_secs(10) {
            let mut input = failure.input.clone();
            drop(input.drain(place..place + size));
            match run(target, &input) {
                Err(less) => failure = less,
                Ok(_) => place += size,
            }
        }
        size /= 2;
    }
    failure
}
