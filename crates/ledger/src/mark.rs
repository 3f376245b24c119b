//! The effect of a command and its answer on the payer's streak: a failure, a success, or neither.

use super::attempts::FailureCause;
use super::command::{Answer, Command, Failure, Fate, Resumed};

/// The effect of a command and its answer on the payer's streak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// One more failure.
    Failure(FailureCause),
    /// The payer paid, or receives a response already paid for.
    Success,
    /// Neither.
    Nothing,
}

/// The part of a command that decides about the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// A claim.
    Claim,
    /// A report of a settlement, or evidence of one.
    Settlement,
    /// Work that ended before anything was submitted.
    Refusal,
    /// Anything else.
    Other,
}

impl MarkKind {
    /// The kind of a command.
    #[must_use]
    pub const fn of(command: &Command) -> Self {
        match command {
            Command::Claim { .. } => Self::Claim,
            Command::Outcome { .. } | Command::Learn { .. } => Self::Settlement,
            Command::Release { why: Failure::NothingRan, .. } => Self::Refusal,
            Command::Note { .. }
            | Command::Seal { .. }
            | Command::Fulfil { .. }
            | Command::Release { .. } => Self::Other,
        }
    }
}

impl Mark {
    /// Reads a command and its answer. An open outcome and a fault on the gate's side make no mark.
    /// A payment that was used before makes none either, because anyone can read it on the chain
    /// and send it.
    #[must_use]
    pub fn of(kind: MarkKind, answer: &Answer, failure: Option<&FailureCause>) -> Self {
        let failed = || failure.map_or(Self::Nothing, |failure| Self::Failure(failure.clone()));
        match (kind, answer) {
            (_, Answer::Replay(_) | Answer::Deliver(_))
            | (MarkKind::Settlement, Answer::Granted { .. }) => Self::Success,
            (MarkKind::Settlement, Answer::Fate(Fate::Refused { .. }))
            | (MarkKind::Refusal, Answer::Recorded) => failed(),
            _ => Self::Nothing,
        }
    }

    /// Reads the answer to a resume: a payment that could not have begun, and is not known, is a
    /// failure.
    #[must_use]
    pub fn of_resumed(resumed: &Resumed, failure: Option<&FailureCause>) -> Self {
        match resumed {
            Resumed::Replay(_) | Resumed::Deliver(_) => Self::Success,
            Resumed::Nothing => {
                failure.map_or(Self::Nothing, |failure| Self::Failure(failure.clone()))
            }
            Resumed::Resend(_) | Resumed::AskOther(_) | Resumed::Fate(_) => Self::Nothing,
        }
    }
}
