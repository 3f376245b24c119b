//! The kernel of a gateway: the inputs of a command, and its outcome.

use super::message::Answer;
use super::records::{Change, Rows};

/// Random bytes that one command may use.
pub const RANDOM_BYTES: usize = 48;

/// The inputs of a command beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// Unix milliseconds.
    pub now: u64,
    /// For a quote's id, and for what seals a text.
    pub seed: &'a [u8; 32],
    /// For a job's id.
    pub id: &'a [u8; 16],
    /// The node's reply to an [`Answer::Evidence`]; empty if none came; `None` at first.
    pub evidence: Option<&'a str>,
    /// Whether the rows have no room for another quote.
    pub is_full: bool,
}

impl<'a> Now<'a> {
    /// A point in time with fresh randomness.
    #[must_use]
    pub const fn new(now: u64, random: &'a [u8; RANDOM_BYTES]) -> Option<Self> {
        let Some((seed, rest)) = random.split_first_chunk::<32>() else { return None };
        match rest.first_chunk::<16>() {
            Some(id) => Some(Self { now, seed, id, evidence: None, is_full: false }),
            None => None,
        }
    }

    /// The same with what a node said.
    #[must_use]
    pub const fn with(self, evidence: Option<&'a str>) -> Self {
        Self { evidence, ..self }
    }
}

/// The outcome of a command. Afterwards the alarm is set to the earliest `due` of jobs and holds
/// and the earliest end of an open quote.
pub type Decision = farebox_machine::Decision<Answer, Change>;

/// A command as it is applied: the decision, or an error of the storage.
pub(super) type Applied<R> = Result<Decision, <R as Rows>::Error>;
