//! The treasury: one wallet for many agents, with budgets, reviews and receipts.
//!
//! [`Treasury`] is built from variables ([`config`]). For each [`message::Command`] it reads rows
//! through [`books::Rows`] and returns an answer with the [`books::Change`]s to write; [`row`] has
//! the rows, [`token`] and [`version`] decide who is served. Assumptions:
//! - the changes of a command are written in the block that read the rows, before its answer
//!   leaves, or the answer does not leave;
//! - there is one object for each organization, and only it writes the rows;
//! - `random` is drawn anew for each command.
#![no_std]

extern crate alloc;

mod access;
mod answer;
mod attempt;
pub mod books;
pub mod budget;
pub mod config;
mod decide;
pub mod escrow;
pub mod id;
mod inquire;
mod keep;
pub mod links;
pub mod merchant;
pub mod message;
pub mod money;
mod notice;
pub mod operate;
pub mod outcome;
pub mod payout;
pub mod policy;
mod receipt;
mod recover;
pub mod refused;
pub mod request;
mod reviewed;
pub mod row;
mod seed;
pub mod signing;
pub mod terms;
pub mod token;
mod undelivered;
pub mod version;

use alloc::string::String;

use self::books::{Change, Rows};
pub use self::config::Treasury;
use self::message::{Answer, Command, Enquiry, Order};
use farebox_base::time::UnixTime;
use farebox_ledger::inquiry::Question;
use farebox_machine::Machine;

/// Random bytes that one command may use.
pub const RANDOM_BYTES: usize = 128;

/// Seconds that the last sending may need, beyond the time in which one may begin: 10 to the head,
/// 10 for the body, and the reports about it.
const SLACK_SECS: u64 = 25;

/// The inputs of a command beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// The organization whose rows they are.
    pub organization: &'a str,
    /// The time.
    pub now: UnixTime,
    /// Fresh randomness.
    pub random: &'a [u8; RANDOM_BYTES],
}

/// The outcome of a command. Afterwards the alarm is set to the earliest `due` of the attempts.
pub type Decision = farebox_machine::Decision<Answer, Change>;

impl Machine for Treasury {
    type Command = Command;
    type Answer = Answer;
    type Change = Change;
    type Random = [u8; RANDOM_BYTES];
}

/// Work for the alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Send this and report it like the Worker does. With a URL, that one is asked first: unless it
    /// answers 200 with JSON that has `keys`, [`Command::Lost`] is reported instead.
    Send(Order, Option<String>),
    /// Ask the node, report with [`Command::Enquired`], and go on as long as that asks for more.
    Enquire(Enquiry),
    /// Ask the node at this URL, and report with [`Treasury::read`].
    Read {
        /// The attempt.
        attempt: String,
        /// The grant.
        fence: u64,
        /// The node.
        node: String,
        /// The question to the node.
        question: alloc::boxed::Box<Question>,
    },
}

/// The alarm's next step with a merchant's answer, or without one.
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
    pub fn apply<B: Rows>(
        &self,
        books: &B,
        command: Command,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        match command {
            Command::Exchange(caller) => self.exchange(books, &caller, scene),
            Command::Decide(caller, body) => self.decide(books, &caller, &body, scene),
            Command::LookUp(caller, receipt) => self.look_up(books, &caller, &receipt, scene),
            Command::Identify(caller) => self.identify(books, &caller, scene),
            Command::Open(caller) => self.open(books, &caller, scene),
            Command::Known { agent, key } => self.known(books, &agent, &key),
            Command::KnownReceipt(receipt) => self.known_receipt(books, &receipt, None, scene),
            Command::Prepared { attempt, fence, signature, balance } => {
                let (signature, balance) = (signature.as_deref(), balance.as_deref());
                self.prepared(books, (&attempt, fence), signature, balance, scene)
            }
            Command::Link(asked) => self.link(books, asked, scene),
            Command::Claim { name, link, until } => self.claim(books, name, link, until),
            Command::Answered { attempt, fence, answer, sent } if links::is_link(&attempt) => {
                self.link_answered(books, (&attempt, fence), Some((&answer, sent)), scene)
            }
            Command::Lost { attempt, fence, .. } if links::is_link(&attempt) => {
                self.link_answered(books, (&attempt, fence), None, scene)
            }
            Command::Answered { attempt, fence, answer, sent } => {
                self.answered(books, (&attempt, fence), &answer, sent, scene)
            }
            Command::Lost { attempt, fence, sent } => {
                self.lost(books, (&attempt, fence), sent, scene)
            }
            Command::Enquired { escrow, fence, reply } => {
                self.enquired(books, (&escrow, fence), reply.as_deref(), scene)
            }
            Command::Operate(operation) => self.operate(books, operation, scene),
        }
    }
}
