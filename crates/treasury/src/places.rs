//! The places of the alarm: how much it carries out at once, so that nothing waits for what hangs.
//!
//! Each kind of work has one place of its own, and one more is for whoever comes first. A merchant
//! has one at a time; one that has let the alarm wait gets no other from the same alarm.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::kernel::Job;
use crate::row::{AttemptRow, Turn};

/// A job, and the place that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedJob {
    /// The place, until the job is over.
    pub place: TakenPlace,
    /// The job.
    pub job: Job,
}

/// A place that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenPlace {
    turn: Turn,
    /// The attempt, the link or the payment in escrow.
    id: String,
    /// The agent whose payment it is.
    agent: Option<String>,
    /// The merchant to whom an interrupted payment goes.
    merchant: Option<String>,
}

impl TakenPlace {
    pub(crate) fn of(attempt: &AttemptRow) -> Self {
        let turn = attempt.turn();
        let merchant = (turn == Turn::Interrupted).then(|| attempt.merchant.clone());
        Self { turn, id: attempt.id.clone(), agent: Some(attempt.agent.clone()), merchant }
    }
}

/// The places of one alarm.
#[derive(Clone, Debug, Default)]
pub struct Places {
    taken: Vec<TakenPlace>,
    slow: Vec<String>,
}

impl Places {
    /// How many there are.
    pub const ALL: usize = 4;

    /// Takes a place.
    pub fn take(&mut self, place: TakenPlace) {
        self.taken.push(place);
    }

    /// Takes a place among payouts for a link or a payment in escrow; `None` if there is none, or it
    /// has one.
    pub(crate) fn take_beside_payouts(&mut self, id: &str) -> Option<TakenPlace> {
        if self.has(id) || self.room(Turn::Payouts) == 0 {
            return None;
        }
        let place =
            TakenPlace { turn: Turn::Payouts, id: id.to_string(), agent: None, merchant: None };
        self.take(place.clone());
        Some(place)
    }

    /// Gives a place back, whose job took so many milliseconds.
    pub fn leave(&mut self, place: TakenPlace, milliseconds: u64) {
        self.taken.retain(|taken| *taken != place);
        self.slow.extend(place.merchant.filter(|_| milliseconds >= SLOW_MS));
    }

    /// How many jobs of a kind may begin.
    pub(crate) fn room(&self, turn: Turn) -> usize {
        let free = Self::ALL.saturating_sub(self.taken.len());
        let waits = |kind: &&Turn| **kind != turn && !self.taken.iter().any(|it| it.turn == **kind);
        free.saturating_sub(KINDS.iter().filter(waits).count())
    }

    /// Whether this is being worked on.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.taken.iter().any(|taken| taken.id == id)
    }

    /// How many places are taken.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.taken.len()).unwrap_or(u32::MAX)
    }

    /// How many places of a kind an agent has.
    pub(crate) fn count_of(&self, turn: Turn, agent: &str) -> usize {
        let is_its = |it: &&TakenPlace| it.turn == turn && it.agent.as_deref() == Some(agent);
        self.taken.iter().filter(is_its).count()
    }

    /// The merchants that get no other place now.
    pub(crate) fn busy_merchants(&self) -> Vec<&str> {
        let taken = self.taken.iter().filter_map(|taken| taken.merchant.as_ref());
        taken.chain(&self.slow).map(String::as_str).collect()
    }
}

/// The kinds of work, in the order in which they take places.
pub(crate) const KINDS: [Turn; 3] = [Turn::Payouts, Turn::Interrupted, Turn::Reads];
/// Milliseconds after which a merchant counts as slow.
const SLOW_MS: u64 = 5_000;
