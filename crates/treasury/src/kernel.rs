//! The kernel of a treasury: the inputs of a command, its outcome, and the work of the alarm.

use alloc::boxed::Box;
use alloc::string::String;

use super::books::Change;
use super::message::{Answer, Enquiry, Order};
use farebox_base::time::UnixTime;
use farebox_ledger::inquiry::Question;

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

/// Permission to move a row on, until its fence grows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant<'a> {
    /// The row.
    pub id: &'a str,
    /// Its fence when the permission was given.
    pub fence: u64,
}

/// The time in which a payment may be sent, again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendWindow {
    /// Its length, seconds.
    pub secs: u64,
}

impl SendWindow {
    /// The end of a sending that begins now.
    pub fn end(self, now: UnixTime, valid_before: u64) -> u64 {
        now.plus(self.secs).secs().min(valid_before)
    }

    /// The time by which whoever sends must have reported.
    pub fn lease(self, now: UnixTime) -> u64 {
        now.plus(self.lease_secs()).secs()
    }

    /// Seconds of a [`Self::lease`].
    pub const fn lease_secs(self) -> u64 {
        self.secs.saturating_add(SLACK_SECS)
    }
}

/// Work for the alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Send this and report it like the Worker does. With a URL, that one is asked first: unless it
    /// answers 200 with JSON that has `keys`, [`Command::Lost`] is reported instead.
    ///
    /// [`Command::Lost`]: super::message::Command::Lost
    Send(Order, Option<String>),
    /// Ask the node, report with [`Command::Enquired`], and go on as long as that asks for more.
    ///
    /// [`Command::Enquired`]: super::message::Command::Enquired
    Enquire(Enquiry),
    /// Ask the node at this URL, and report with `Treasury::read`.
    Read {
        /// The attempt.
        attempt: String,
        /// The grant.
        fence: u64,
        /// The node.
        node: String,
        /// The question to the node.
        question: Box<Question>,
    },
}
