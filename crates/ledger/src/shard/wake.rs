//! Work of the object's alarm: rows whose time has come.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::index::turn_of;
use super::{Change, Notice, Rows, Scene, Shard, Slot};
use crate::command::{Answer, Resend};
use crate::entry::{Entry, Work};
use crate::inquiry::MAX_ROUND_TRIPS;
use crate::state::State;
use farebox_base::time::UnixTime;

/// Maximum rows that one look processes.
const MAX_JOBS: usize = 200;
/// Maximum notices that one look writes.
const MAX_NOTICES: usize = 100;
/// Most calls for a settlement: to the facilitator, and to the holder of the transaction.
const MAX_OF_SETTLING: usize = 2;

/// Most calls for a refund: to the node for the settlement, twice to the treasury, and to the node
/// for the refund.
const MAX_OF_REFUND: usize = 4;

/// The places of an alarm's calls. One is kept for settlements that are sent again: however many
/// rows wait for a node that hangs, these wait for none of them. A treasury that hangs has one.
#[derive(Clone, Debug, Default)]
pub struct Places {
    taken: Vec<TakenPlace>,
    /// Calls that were made at places that are free again.
    made: usize,
}

#[derive(Clone, Debug)]
struct TakenPlace {
    slot: Slot,
    purpose: PlacePurpose,
    /// Most calls that are made there.
    most: usize,
}

/// The purpose of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlacePurpose {
    /// A settlement that is sent again.
    Send,
    /// A look at the chain.
    Read,
    /// A refund by the treasury.
    PayBack,
}

/// The payers whose rows had a call, the one that had the last call last.
#[derive(Clone, Debug, Default)]
pub(super) struct Served(Vec<String>);

/// A row that needs a call.
#[derive(Clone, Debug)]
pub enum Due {
    /// Sends the same bytes to the same place once more.
    Resend(Slot, Box<Entry>, Resend),
    /// Looks at the chain.
    Read(Slot, Box<Entry>),
    /// Asks the treasury to pay the debt back, whose begin is written.
    PayBack(Slot, Box<Entry>),
}

impl Due {
    /// The row.
    #[must_use]
    pub const fn slot(&self) -> &Slot {
        let (Self::Resend(slot, ..) | Self::Read(slot, _) | Self::PayBack(slot, _)) = self;
        slot
    }
}

impl Places {
    /// How many there are.
    pub const ALL: usize = 4;
    /// Limit on the calls of one alarm; the rest is due at once again.
    pub const MAX_CALLS: usize = 32;
    /// How many of them may read the chain.
    const READING: usize = 3;

    /// Gives the place of a row back, where so many calls were made.
    pub fn leave(&mut self, slot: &Slot, calls: usize) {
        self.taken.retain(|taken| taken.slot != *slot);
        self.made = self.made.saturating_add(calls);
    }

    /// Takes a place, if one is free for such a row.
    fn take(&mut self, slot: &Slot, purpose: PlacePurpose, most: usize) -> bool {
        let waits = |taken: &&TakenPlace| taken.purpose != PlacePurpose::Send;
        let reading = self.taken.iter().filter(waits).count();
        let keeps = purpose != PlacePurpose::Send;
        let is_second = purpose == PlacePurpose::PayBack
            && self.taken.iter().any(|taken| taken.purpose == PlacePurpose::PayBack);
        // A settlement that comes later has its calls, too.
        let spare = if keeps && reading == self.taken.len() { MAX_OF_SETTLING } else { 0 };
        let reserved = self.taken.iter().map(|taken| taken.most).chain([self.made, most, spare]);
        let calls = reserved.fold(0, usize::saturating_add);
        let is_free = self.taken.len() < Self::ALL
            && !is_second
            && (!keeps || reading < Self::READING)
            && calls <= Self::MAX_CALLS;
        if is_free {
            self.taken.push(TakenPlace { slot: slot.clone(), purpose, most });
        }
        is_free
    }

    fn has(&self, slot: &Slot) -> bool {
        self.taken.iter().any(|taken| taken.slot == *slot)
    }
}

impl Served {
    /// The turn of a payer: the lowest has waited longest.
    pub(super) fn turn(&self, payer: &str) -> u64 {
        (1..).zip(&self.0).find(|(_, served)| *served == payer).map_or(0, |(turn, _)| turn)
    }

    fn count(&mut self, payer: &str) {
        self.0.retain(|served| served != payer);
        self.0.push(payer.into());
        if self.0.len() > MAX_JOBS {
            self.0.remove(0);
        }
    }
}

impl Shard {
    /// Finishes the rows that need no call, and returns calls for those that find a place.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn due<R: Rows>(
        &mut self,
        places: &mut Places,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<(Vec<Due>, Vec<Change>), R::Error> {
        let (mut calls, mut changes) = (Vec::new(), Vec::new());
        for slot in self.index.due(scene.now, MAX_JOBS, &self.served) {
            // Its result is awaited.
            if places.has(&slot) {
                continue;
            }
            let Some(before) = rows.find(&slot)? else {
                self.index.forget(&slot);
                continue;
            };
            let work = before.due(scene.plan, scene.now).filter(|(at, _)| *at <= scene.now);
            match work.map(|(_, work)| work) {
                // The look came earlier than necessary.
                None => self.index.note(&slot, &before, scene),
                Some(Work::Forget) => changes.push(Change::Remove(slot)),
                Some(
                    work @ (Work::Lapse | Work::Close | Work::Refund | Work::GiveUp | Work::Owe),
                ) => {
                    let entry = before.clone().rest(work, scene.now);
                    Self::step(&slot, &before, entry, "alarm", scene, &mut changes);
                }
                Some(Work::Resend) => {
                    let most = match before.payment.was_sent_by_payer() {
                        true => MAX_ROUND_TRIPS,
                        false => MAX_OF_SETTLING,
                    };
                    if !places.take(&slot, PlacePurpose::Send, most) {
                        continue;
                    }
                    let (entry, answer) = before.clone().resend_by_alarm(scene.now);
                    match answer {
                        Answer::Resend(resend) => {
                            self.served.count(&turn_of(&slot, &before));
                            let entry = Box::new(entry.clone());
                            calls.push(Due::Resend(slot.clone(), entry, resend));
                        }
                        _ => places.leave(&slot, 0),
                    }
                    Self::step(&slot, &before, entry, "alarm", scene, &mut changes);
                }
                Some(Work::Read) => {
                    if places.take(&slot, PlacePurpose::Read, MAX_ROUND_TRIPS) {
                        self.served.count(&turn_of(&slot, &before));
                        calls.push(Due::Read(slot, Box::new(before)));
                    }
                }
                Some(Work::PayBack) => {
                    if places.take(&slot, PlacePurpose::PayBack, MAX_OF_REFUND) {
                        self.served.count(&turn_of(&slot, &before));
                        let entry = before.clone().pays_back(scene.plan, scene.now);
                        calls.push(Due::PayBack(slot.clone(), Box::new(entry.clone())));
                        Self::step(&slot, &before, entry, "alarm", scene, &mut changes);
                    }
                }
            }
        }
        Ok((calls, changes))
    }

    /// Records that a stored response which nobody has fetched is owed, once the payer's next payment
    /// fetches it no more. One that is found `late` may have been settled between people: it is left
    /// to them. The response goes with its row's next state.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn owe_unfetched<R: Rows>(
        slot: &Slot,
        late: bool,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<Vec<Change>, R::Error> {
        let mut changes = Vec::new();
        if let Some(before) = rows.find(slot)?
            && before.is_left(scene.now)
        {
            let mut entry = before.clone().rest(Work::Refund, scene.now);
            entry.watch.by_hand |= late;
            Self::step(slot, &before, entry, "alarm", scene, &mut changes);
        }
        Ok(changes)
    }

    /// Writes the notices about rows that have been in doubt for long.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn overdue<R: Rows>(&self, rows: &R, scene: &Scene<'_>) -> Result<Vec<Change>, R::Error> {
        let mut changes = Vec::new();
        for slot in self.index.overdue(scene.now, MAX_NOTICES) {
            let Some(entry) = rows.find(&slot)? else { continue };
            if let State::Unknown { since, .. } = entry.state {
                changes.push(Change::Announce(
                    slot,
                    Box::new(entry),
                    Notice::UnknownOverdue,
                    since,
                ));
            }
        }
        Ok(changes)
    }

    /// Whether nothing is due before `at`, if nothing was when [`Shard::wake_at`] last looked at
    /// all.
    #[must_use]
    pub fn is_quiet_until(&self, at: UnixTime) -> bool {
        self.index.is_quiet_until(at)
    }

    /// Time at which the next row is due; from then on [`Shard::is_quiet_until`] covers only later
    /// writes.
    pub fn wake_at(&mut self) -> Option<UnixTime> {
        self.index.looked_at();
        self.next_due()
    }

    /// Time at which the next row is due.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixTime> {
        self.index.next_due()
    }
}
