//! The kernel of a market: the inputs of a command, and its outcome.

use super::books::Change;
use super::message::Answer;
use super::original::books::QuoteRows;

/// Random bytes that one command may use.
pub const RANDOM_BYTES: usize = 64;

/// The inputs of a command beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// Unix milliseconds.
    pub now: u64,
    /// Fresh randomness.
    pub random: &'a [u8; RANDOM_BYTES],
}

/// The outcome of a command. Afterwards the alarm is set to the earliest `due` of the invocations
/// and of the route table.
pub type Decision = farebox_machine::Decision<Answer, Change>;

/// A command as it is applied: the decision, or an error of the storage.
pub(super) type Applied<B> = Result<Decision, <B as QuoteRows>::Error>;
