//! The pattern of every object of Farebox: a machine that takes commands one at a time.
//!
//! Each system decides about its own rows, and all do it in the same steps: a command comes in an
//! [`Envelope`], the machine reads rows and returns a [`Decision`], the changes are written in the
//! block that read the rows, and only then the answer leaves. Work that stays due is carried out by
//! an [`Alarm`]. These steps are here once, so that a system has its rules alone, and one host runs
//! them all.
#![no_std]

extern crate alloc;

mod alarm;
mod envelope;

use alloc::vec::Vec;

pub use self::alarm::Alarm;
pub use self::envelope::{Envelope, OtherVersion, VERSION};

/// The types of a system that decides about commands.
///
/// A command is applied with the rows, the time and fresh randomness as its only inputs, and
/// touches nothing: whoever runs the machine writes, and a test replays it. The reading of rows is
/// no part of this trait, because no two systems read the same ones.
pub trait Machine {
    /// The question or command to the object.
    type Command;
    /// Its answer: a response, or the next thing to do.
    type Answer;
    /// One write.
    type Change;
    /// The random bytes of one command.
    type Random: Random;
}

/// Random bytes, as many as one command of a machine may use; drawn anew for each.
pub trait Random: AsMut<[u8]> {
    /// The bytes before they are drawn, and for what draws none.
    const BLANK: Self;
}

impl<const N: usize> Random for [u8; N] {
    const BLANK: Self = [0; N];
}

/// The outcome of a command: write the changes, then give the answer. Afterwards the alarm moves to
/// where something is due first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<Answer, Change> {
    /// The answer.
    pub answer: Answer,
    /// The writes, in order.
    pub changes: Vec<Change>,
}

/// A decision of this machine.
pub type DecisionOf<M> = Decision<<M as Machine>::Answer, <M as Machine>::Change>;

impl<Answer, Change> Decision<Answer, Change> {
    /// An answer without writes.
    #[must_use]
    pub const fn told(answer: Answer) -> Self {
        Self { answer, changes: Vec::new() }
    }

    /// A response without writes, as the answer that it is for this machine.
    #[must_use]
    pub fn reply<Reply>(reply: Reply) -> Self
    where
        Answer: From<Reply>,
    {
        Self::told(Answer::from(reply))
    }
}
