//! The rules of one ledger object: the answer to each message, its writes, and when the object
//! wakes.
//!
//! A [`Shard`] decides and stores nothing. Its owner gives it the rows through [`Rows`], carries
//! out every [`Change`] of a [`Decision`] in the same synchronous block, and then confirms them
//! with [`Shard::keep`]. An owner that could not write drops the shard and loads another.
//! Assumptions:
//! - only the owner writes the rows;
//! - no other decision comes between a decision and its last change.

mod begin;
mod contest;
mod failures;
mod index;
mod moves;
mod operate;
mod order;
mod proving;
mod wake;
mod wanted;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub use self::failures::Failing;
use self::failures::Failures;
use self::index::Index;
pub use self::index::{FEW_OF_CLIENT, MAX_OF_CLIENT, MAX_ROWS, RESERVED_ROWS, is_open};
pub use self::moves::MAX_MOVES_OF_CLIENT;
use self::moves::Moves;
pub use self::operate::Decided;
pub use self::order::QuestionAnswer;
use self::proving::Provings;
use self::wake::Served;
pub use self::wake::{Due, Places};
use self::wanted::Wants;
use super::attempts::{FailureStreak, StreakKey};
use super::command::LedgerReply;
use super::entry::{Entry, Plan};
use super::state::State;
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;

/// The place of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// Lower-case address of the payer, or the payment's own key.
    pub payer: String,
    /// 64 hex digits.
    pub key: String,
}

impl Slot {
    /// The slot of this payer's payment.
    #[must_use]
    pub fn new(payer: &str, key: &str) -> Self {
        Self { payer: payer.to_string(), key: key.to_string() }
    }
}

/// A response as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its head.
    pub head: String,
    /// SHA-256 of the body, 64 hex digits.
    pub sha256: String,
    /// The body.
    pub body: Vec<u8>,
}

/// Read access of a shard to the rows. Each read is one index lookup.
pub trait Rows {
    /// The storage's error.
    type Error;

    /// The entry in this slot.
    ///
    /// # Errors
    /// An error of the storage.
    fn find(&self, slot: &Slot) -> Result<Option<Entry>, Self::Error>;

    /// The key of the payment that this one stands for.
    ///
    /// # Errors
    /// An error of the storage.
    fn original(&self, slot: &Slot) -> Result<Option<String>, Self::Error>;

    /// Whether this payment is begun elsewhere.
    ///
    /// # Errors
    /// An error of the storage.
    fn is_moved(&self, slot: &Slot) -> Result<bool, Self::Error>;

    /// The rows to which this transaction of this network certainly belongs; two are enough.
    ///
    /// # Errors
    /// An error of the storage.
    fn owners(&self, network: &str, transaction: &TxHash) -> Result<Vec<Slot>, Self::Error>;

    /// Whether this transaction paid back a row other than this one.
    ///
    /// # Errors
    /// An error of the storage.
    fn refunds_another(&self, refund: &TxHash, slot: &Slot) -> Result<bool, Self::Error>;

    /// The slot of the row with this receipt id.
    ///
    /// # Errors
    /// An error of the storage.
    fn by_receipt(&self, receipt: &str) -> Result<Option<Slot>, Self::Error>;

    /// The stored response of this slot.
    ///
    /// # Errors
    /// An error of the storage.
    fn response(&self, slot: &Slot) -> Result<Option<Response>, Self::Error>;
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds a row.
    Insert(Slot, Box<Entry>, Transition),
    /// Updates a row.
    Update(Slot, Box<Entry>, Transition),
    /// Rewrites a row whose payment begins again; its history stays.
    Rewrite(Slot, Box<Entry>, Transition),
    /// Removes a row with its response.
    Remove(Slot),
    /// Stores a response.
    Store(Slot, Response),
    /// Lets the payment in the slot stand for another one of its payer, until this second.
    Alias(Slot, String, u64),
    /// Marks the payment in the slot as begun elsewhere until this second, with the client's
    /// network.
    Move(Slot, u64, String),
    /// Removes that mark: the payment is begun here.
    Unmove(Slot),
    /// Notifies the operator of a row; the time distinguishes the notice from the next one of its
    /// kind.
    Announce(Slot, Box<Entry>, Notice, UnixTime),
    /// Stores the failures of a client at a route.
    Count(StreakKey, FailureStreak, Option<String>),
    /// Removes them.
    Forget(StreakKey),
    /// Notifies the operator of a client that has failed too often.
    Threshold(StreakKey, FailureStreak, Option<String>),
}

impl Change {
    /// The row that is written; `None` for what is no payment's.
    #[must_use]
    pub const fn slot(&self) -> Option<&Slot> {
        match self {
            Self::Insert(slot, ..)
            | Self::Update(slot, ..)
            | Self::Rewrite(slot, ..)
            | Self::Remove(slot)
            | Self::Store(slot, _)
            | Self::Alias(slot, ..)
            | Self::Move(slot, ..)
            | Self::Unmove(slot)
            | Self::Announce(slot, ..) => Some(slot),
            Self::Count(..) | Self::Forget(_) | Self::Threshold(..) => None,
        }
    }
}

/// An event of which the operator is notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A payment is owed back.
    RefundDue,
    /// A payment needs their decision.
    Manual,
    /// An outcome has been unknown for too long.
    UnknownOverdue,
}

impl Notice {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RefundDue => "payment.refund_due",
            Self::Manual => "payment.manual",
            Self::UnknownOverdue => "payment.unknown_overdue",
        }
    }

    /// The notice for a new row. A debt that may still be served is announced only when it may not.
    fn first(entry: &Entry) -> Option<Self> {
        match &entry.state {
            State::RefundDue { .. } if is_held_back(entry) => None,
            State::RefundDue { .. } => Some(Self::RefundDue),
            State::Manual { .. } => Some(Self::Manual),
            _ => None,
        }
    }

    /// The notice for a step of a row.
    fn of(before: &Entry, after: &Entry) -> Option<Self> {
        match (&before.state, &after.state) {
            (_, State::RefundDue { .. }) if is_held_back(after) => None,
            (State::RefundDue { .. }, State::RefundDue { .. })
                if before.yields_until().is_some() =>
            {
                Some(Self::RefundDue)
            }
            (State::RefundDue { .. }, State::RefundDue { .. })
            | (State::Manual { .. }, State::Manual { .. }) => None,
            // It was owed, and served in vain once more.
            (State::Delivering { .. }, State::RefundDue { .. }) if !after.tells_again() => None,
            (_, State::RefundDue { .. }) => Some(Self::RefundDue),
            (_, State::Manual { .. }) => Some(Self::Manual),
            _ => None,
        }
    }
}

/// Whether the notice of a debt waits until the payment may not be served any more.
fn is_held_back(entry: &Entry) -> bool {
    entry.yields_until().is_some()
}

/// The steps of a row, for its history and the log; empty if the state stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transition(Vec<(String, String, String)>);

impl Transition {
    fn add(&mut self, from: String, to: &State, why: &str) {
        let to = to.name();
        if from != to {
            self.0.push((from, to, why.to_string()));
        }
    }

    /// The state before, the state after and the cause of each step.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.iter().map(|(from, to, why)| (from.as_str(), to.as_str(), why.as_str()))
    }
}

/// An answer, its body, and the writes to make before it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<A> {
    /// The answer.
    pub reply: LedgerReply<A>,
    /// The body of a stored response.
    pub body: Option<Vec<u8>>,
    /// The writes, in order.
    pub changes: Vec<Change>,
}

impl<A> Decision<A> {
    fn of(answer: A) -> Self {
        Self { reply: answer.into(), body: None, changes: Vec::new() }
    }
}

/// Everything beside the rows on which a decision depends.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Recovery times.
    pub plan: &'a Plan,
    /// Whether the operator hears of rows.
    pub notifies: bool,
    /// Whether the object has room for another payment.
    pub has_room: bool,
    /// The time.
    pub now: UnixTime,
}

/// The rules of one ledger object, with its memory of the rows.
#[derive(Clone, Debug, Default)]
pub struct Shard {
    index: Index,
    failures: Failures,
    provings: Provings,
    wants: Wants,
    moves: Moves,
    served: Served,
}

impl Shard {
    /// Adds a row that is not at rest, when the object starts.
    pub fn load(&mut self, slot: &Slot, entry: &Entry, scene: &Scene<'_>) {
        self.index.note(slot, entry, scene);
    }

    /// Adds a row of failures, oldest first, when the object starts.
    pub fn load_failures(
        &mut self,
        place: StreakKey,
        tally: FailureStreak,
        claims: Option<String>,
    ) {
        self.failures.load(place, tally, claims);
    }

    /// Updates the memory with writes that were carried out.
    pub fn keep(&mut self, changes: &[Change], scene: &Scene<'_>) {
        for change in changes {
            match change {
                Change::Insert(slot, entry, _)
                | Change::Update(slot, entry, _)
                | Change::Rewrite(slot, entry, _) => self.index.note(slot, entry, scene),
                Change::Remove(slot) => self.index.forget(slot),
                Change::Announce(slot, _, Notice::UnknownOverdue, _) => self.index.announced(slot),
                Change::Move(_, _, client) => self.moves.count(client, scene.now),
                Change::Store(..)
                | Change::Alias(..)
                | Change::Unmove(_)
                | Change::Announce(..)
                | Change::Count(..)
                | Change::Forget(_)
                | Change::Threshold(..) => {}
            }
        }
    }

    /// Lets a row that is due wait until then: it could not be written.
    pub fn postpone(&mut self, slot: &Slot, until: UnixTime) {
        self.index.postpone(slot, until);
    }

    /// Number of rows that are not at rest.
    #[must_use]
    pub fn open_rows(&self) -> usize {
        self.index.len()
    }

    /// The write for an entry that became another one; `None` if it stayed the same.
    fn step(
        slot: &Slot,
        before: &Entry,
        after: Entry,
        why: &str,
        scene: &Scene<'_>,
        changes: &mut Vec<Change>,
    ) {
        if after == *before {
            return;
        }
        let lapsed = before.clone().lapse(scene.now).state;
        let mut transition = Transition::default();
        transition.add(before.state.name(), &lapsed, "lapse");
        transition.add(lapsed.name(), &after.state, why);
        let notice = Notice::of(before, &after).filter(|_| scene.notifies);
        let after = Box::new(after);
        let notices =
            notice.map(|notice| Change::Announce(slot.clone(), after.clone(), notice, scene.now));
        let rewrites = after.payment != before.payment || after.leases != before.leases;
        changes.push(match rewrites {
            true => Change::Rewrite(slot.clone(), after, transition),
            false => Change::Update(slot.clone(), after, transition),
        });
        changes.extend(notices);
    }
}
