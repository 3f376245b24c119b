//! The market of skills: sellers with a price list, agents that call them, and a ledger of it.
//!
//! [`Market`] is built from variables ([`config`]). For each [`message::Instruction`] it reads rows
//! through [`books::Books`] and returns a reaction with the [`books::Edit`]s to write; [`row`] has
//! the rows. It holds no key and signs nothing: what is paid is paid by the gate's clients and by
//! the treasury. Assumptions:
//! - the edits of an instruction are written in the block that read the rows, before its reaction
//!   leaves, or the reaction does not leave;
//! - there is one object, and only it writes the rows;
//! - `random` is drawn anew for each instruction.

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

use self::books::{Books, Edit};
pub use self::config::Market;
use self::message::{Instruction, Reaction};
use farebox_machine::{Decision, Machine};

/// Random bytes that one instruction may use.
pub const RANDOM_BYTES: usize = 64;

/// What an instruction depends on beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Unix milliseconds.
    pub now: u64,
    /// Fresh randomness.
    pub random: &'a [u8; RANDOM_BYTES],
}

/// What comes of an instruction. Afterwards the alarm is set to the earliest `due` of the invocations
/// and of the route table.
pub type Effect = Decision<Reaction, Edit>;

impl Machine for Market {
    type Command = Instruction;
    type Answer = Reaction;
    type Change = Edit;
    type Random = [u8; RANDOM_BYTES];
}

impl Market {
    /// Applies one instruction.
    ///
    /// # Errors
    /// An error of the storage; nothing is decided then.
    pub fn apply<B: Books>(
        &self,
        books: &B,
        instruction: Instruction,
        moment: Moment<'_>,
    ) -> Result<Effect, B::Error> {
        let mut effect = self.applied(books, instruction, moment)?;
        self.fills(books, &mut effect, moment)?;
        Ok(effect)
    }

    fn applied<B: Books>(
        &self,
        books: &B,
        instruction: Instruction,
        moment: Moment<'_>,
    ) -> Result<Effect, B::Error> {
        match instruction {
            Instruction::List(query) => self.list(books, &query),
            Instruction::Show(id) => self.show(books, &id),
            Instruction::Offered(only) => self.offered(books, only.as_deref()),
            Instruction::Publish(labels, body) => self.publish(books, &labels, &body, moment),
            Instruction::Revise(labels, id, body) => {
                self.revise(books, (&labels, &id, &body), moment)
            }
            Instruction::Deactivate(labels, id, body) => {
                self.deactivate(books, (&labels, &id, &body), moment)
            }
            Instruction::Rotate(labels, id, body) => {
                self.rotate(books, (&labels, &id, &body), moment)
            }
            Instruction::TypedData(query, body) => self.to_sign(books, &query, &body, moment),
            Instruction::Table => self.draft(books),
            Instruction::TableWritten(revision, refused) => {
                self.table_written(books, revision, &refused, moment)
            }
            Instruction::TableFailed(_) => self.table_failed(books, moment),
            Instruction::Sold(sale) => self.sell(books, &sale, moment),
            Instruction::Pack(key) => self.pack_state(books, &key, moment),
            Instruction::Due => self.tasks(books, moment),
            Instruction::Invoke(asked) => self.invoke(books, &asked, moment),
            Instruction::Called { invocation, fence, outcome } => {
                self.called(books, (&invocation, fence), &outcome, moment)
            }
            Instruction::Paid { invocation, fence, answer } => {
                self.decided(books, (&invocation, fence), answer.as_ref(), moment)
            }
            Instruction::Follow(id) => self.follow(books, &id, moment),
            Instruction::Invocations(..)
            | Instruction::InvocationById(..)
            | Instruction::Export(..) => self.look(books, &instruction, &[]),
            Instruction::Opened(asked, opened) => self.look(books, &asked, &opened),
            Instruction::Shelf => self.shelf(books, moment),
            Instruction::Kept(name, read) => self.kept(books, (&name, read.as_deref()), moment),
            Instruction::Spend(viewer, agent) => self.spend(books, &viewer, &agent),
            Instruction::Import(viewer, lines) => self.import(books, &viewer, &lines),
            Instruction::Metrics(viewer) => self.metrics(books, &viewer, moment),
            Instruction::Original(request) => self.original(books, &request, moment),
        }
    }
}
