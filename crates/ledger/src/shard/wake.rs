//! Work of the object's alarm: rows whose time has come.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Change, Notice, Rows, Scene, Shard, Slot};
use crate::command::{Answer, Resend};
use crate::entry::{Entry, Work};
use crate::state::State;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;

/// Maximum rows that one look processes.
const MAX_JOBS: usize = 200;
/// Maximum notices that one look writes.
const MAX_NOTICES: usize = 100;

/// A row that needs a call.
#[derive(Clone, Debug)]
pub enum Due {
    /// Sends the same bytes to the same place once more.
    Resend(Slot, Box<Entry>, Resend),
    /// Looks at the chain.
    Read(Slot, Box<Entry>),
}

impl Shard {
    /// Finishes the rows that need no call, and returns at most `max` calls.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn due<R: Rows>(
        &mut self,
        max: usize,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<(Vec<Due>, Vec<Change>), R::Error> {
        let (mut calls, mut changes) = (Vec::new(), Vec::new());
        for slot in self.index.due(scene.now, MAX_JOBS) {
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
                Some(Work::Resend) if calls.len() < max => {
                    let (entry, answer) = before.clone().resend_by_alarm(scene.now);
                    if let Answer::Resend(resend) = answer {
                        calls.push(Due::Resend(slot.clone(), Box::new(entry.clone()), resend));
                    }
                    Self::step(&slot, &before, entry, "alarm", scene, &mut changes);
                }
                Some(Work::Read) if calls.len() < max => {
                    calls.push(Due::Read(slot, Box::new(before)));
                }
                Some(Work::Resend | Work::Read) => {}
            }
        }
        Ok((calls, changes))
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
        self.index.next_due().filter(|_| !planted(Mutant::AlarmNeverDue))
    }
}
