//! The treasury: one wallet for many agents, with budgets, reviews and receipts.
//!
//! [`Treasury`] is built from variables ([`config`]). For each [`message::Command`] it reads rows
//! through [`books::Books`] and returns an answer with the [`books::Change`]s to write; [`row`] has
//! the rows, [`token`] and [`version`] decide who is served. Assumptions:
//! - the changes of a command are written in the block that read the rows, before its answer
//!   leaves, or the answer does not leave;
//! - there is one object for each organization, and only it writes the rows;
//! - `random` is drawn anew for each command.

pub mod books;
pub mod config;
pub mod message;
pub mod row;
pub mod token;
pub mod version;

use alloc::string::String;
use alloc::vec::Vec;

use self::books::{Books, Change};
pub use self::config::Treasury;
use self::message::{Answer, Command, MerchantAnswer, Order, Reply};
use crate::ledger::inquiry::Question;
use crate::ledger::inquiry::finding::Finding;
use crate::time::UnixTime;

/// Random bytes that one command may use.
pub const RANDOM_BYTES: usize = 128;

/// What a command depends on beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The organization whose rows they are.
    pub organization: &'a str,
    /// The time.
    pub now: UnixTime,
    /// Fresh randomness.
    pub random: &'a [u8; RANDOM_BYTES],
}

/// What comes of a command: write the changes, then give the answer. Afterwards the alarm is set
/// to the earliest `due` of the attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The answer.
    pub answer: Answer,
    /// The writes, in order.
    pub changes: Vec<Change>,
}

impl Decided {
    /// An answer without writes.
    #[must_use]
    pub const fn told(answer: Answer) -> Self {
        Self { answer, changes: Vec::new() }
    }
}

/// Work for the alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Send this and report it like the Worker does. With a URL, that one is asked first: unless it
    /// answers 200 with JSON that has `keys`, [`Command::Lost`] is reported instead.
    Send(Order, Option<String>),
    /// Ask the node at this URL, and report with [`Treasury::read`].
    Read {
        /// The attempt.
        attempt: String,
        /// The grant.
        fence: u64,
        /// The node.
        node: String,
        /// What to ask.
        question: alloc::boxed::Box<Question>,
    },
}

/// What the alarm does next with a merchant's answer, or without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send the same again after so many milliseconds.
    Again(u64),
    /// Report this.
    Report(Command),
}

impl Treasury {
    /// Applies one command.
    ///
    /// # Errors
    /// An error of the storage; nothing is decided then.
    pub fn apply<B: Books>(
        &self,
        books: &B,
        command: Command,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        let _ = (books, scene, &self.secret, &self.wallets);
        Ok(match command {
            Command::Exchange(_)
            | Command::Decide(..)
            | Command::LookUp(..)
            | Command::Prepared { .. }
            | Command::Answered { .. }
            | Command::Lost { .. }
            | Command::Operate(_) => {
                let body = r#"{"message":"Not served yet.","code":"not_served"}"#;
                Decided::told(Answer::Reply(Reply::json(503, body.into())))
            }
        })
    }

    /// The writes for what the configuration seeds, once for each version of it. To be carried out
    /// before the first command of an object.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn seed<B: Books>(&self, books: &B, scene: Scene<'_>) -> Result<Vec<Change>, B::Error> {
        let _ = (books, scene);
        Ok(Vec::new())
    }

    /// Work that is due, with the writes that grant it.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn recover<B: Books>(
        &self,
        books: &B,
        scene: Scene<'_>,
    ) -> Result<(Vec<Job>, Vec<Change>), B::Error> {
        let _ = (books, scene);
        Ok((Vec::new(), Vec::new()))
    }

    /// Takes what the chain showed of an attempt.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn read<B: Books>(
        &self,
        books: &B,
        attempt: &str,
        fence: u64,
        finding: &Finding,
        scene: Scene<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let _ = (books, attempt, fence, finding, scene);
        Ok(Vec::new())
    }

    /// Decides whether an order is sent again: by the Worker and by the alarm, after each answer
    /// (`None` if none came). `sent` is how often it was sent.
    #[must_use]
    pub fn turn(
        &self,
        order: &Order,
        answer: Option<MerchantAnswer>,
        sent: u32,
        now: UnixTime,
    ) -> Turn {
        let _ = (sent, now);
        let (attempt, fence) = (order.attempt.clone(), order.fence);
        Turn::Report(match answer {
            Some(answer) => Command::Answered { attempt, fence, answer },
            None => Command::Lost { attempt, fence, sent: true },
        })
    }
}
