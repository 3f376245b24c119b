//! The targets, each with the property that a failing input breaks.

mod amounts;
mod chain;
mod configuration;
mod facilitator;
mod machines;
mod mpp;
mod payer;
mod paying;
mod requests;
mod support;
mod table;
mod x402;

pub use self::table::TARGETS;

/// A property of all inputs.
pub struct Target {
    pub name: &'static str,
    /// What holds, in a sentence.
    pub holds: &'static str,
    /// Panics if it does not.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Which list of `words/` means something to it; none for a tape of choices.
    pub words: &'static str,
    /// The longest input that is made, bytes.
    pub longest: usize,
}

impl Target {
    /// Whether its input is a tape of choices, each run of which takes a while.
    pub const fn is_tape(&self) -> bool {
        self.words.is_empty()
    }

    /// The target with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }
}
