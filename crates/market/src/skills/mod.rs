//! The market of skills: sellers with a price list, agents that call them, and a ledger of it.
//!
//! [`Market`] is built from variables ([`config`]). For each [`message::Command`] it reads rows
//! through [`books::Rows`] and returns an answer with the [`books::Change`]s to write; [`row`] has
//! the rows. It holds no key and signs nothing: what is paid is paid by the gate's clients and by
//! the treasury. Assumptions:
//! - the changes of a command are written in the block that read the rows, before its answer
//!   leaves, or the answer does not leave;
//! - there is one object, and only it writes the rows;
//! - `random` is drawn anew for each command.

mod booking;
pub mod books;
mod called;
pub mod catalogue;
pub mod config;
mod decided;
pub mod document;
mod draft;
pub mod forwarded;
pub mod invoke;
pub mod ledger;
mod listing;
pub mod message;
pub mod metrics;
pub mod offered;
pub mod original;
pub mod pack;
pub mod page;
pub mod pay;
mod place;
pub mod price;
pub mod proof;
pub mod query;
pub mod refused;
mod replies;
pub mod row;
mod seal;
pub mod semver;
mod shelf;
mod sold;
pub mod table;
pub mod text;
mod wares;

use self::books::{Change, Rows};
pub use self::config::Market;
use self::message::{Answer, Command};
use farebox_machine::Machine;

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

impl Machine for Market {
    type Command = Command;
    type Answer = Answer;
    type Change = Change;
    type Random = [u8; RANDOM_BYTES];
}

impl Market {
    /// Applies one command.
    ///
    /// # Errors
    /// An error of the storage; nothing is decided then.
    pub fn apply<B: Rows>(
        &self,
        books: &B,
        command: Command,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let mut decision = self.applied(books, command, moment)?;
        self.fills(books, &mut decision, moment)?;
        Ok(decision)
    }

    fn applied<B: Rows>(
        &self,
        books: &B,
        command: Command,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        match command {
            Command::List(query) => self.list(books, &query),
            Command::Show(id) => self.show(books, &id),
            Command::Offered(only) => self.offered(books, only.as_deref()),
            Command::Publish(labels, body) => self.publish(books, &labels, &body, moment),
            Command::Revise(labels, id, body) => self.revise(books, (&labels, &id, &body), moment),
            Command::Deactivate(labels, id, body) => {
                self.deactivate(books, (&labels, &id, &body), moment)
            }
            Command::Rotate(labels, id, body) => self.rotate(books, (&labels, &id, &body), moment),
            Command::TypedData(query, body) => self.to_sign(books, &query, &body, moment),
            Command::Table => self.draft(books),
            Command::TableWritten(revision, refused) => {
                self.table_written(books, revision, &refused, moment)
            }
            Command::TableFailed(_) => self.table_failed(books, moment),
            Command::Sold(sale) => self.sell(books, &sale, moment),
            Command::Pack(key) => self.pack_state(books, &key, moment),
            Command::Due => self.tasks(books, moment),
            Command::Invoke(asked) => self.invoke(books, &asked, moment),
            Command::Called { invocation, fence, outcome } => {
                self.called(books, (&invocation, fence), &outcome, moment)
            }
            Command::Paid { invocation, fence, answer } => {
                self.decided(books, (&invocation, fence), answer.as_ref(), moment)
            }
            Command::Follow(id) => self.follow(books, &id, moment),
            Command::Invocations(..) | Command::InvocationById(..) | Command::Export(..) => {
                self.look(books, &command, &[])
            }
            Command::Opened(asked, opened) => self.look(books, &asked, &opened),
            Command::Shelf => self.shelf(books, moment),
            Command::Kept(name, read) => self.kept(books, (&name, read.as_deref()), moment),
            Command::Spend(viewer, agent) => self.spend(books, &viewer, &agent),
            Command::Import(viewer, lines) => self.import(books, &viewer, &lines),
            Command::Metrics(viewer) => self.metrics(books, &viewer, moment),
            Command::Original(request) => self.original(books, &request, moment),
        }
    }
}
