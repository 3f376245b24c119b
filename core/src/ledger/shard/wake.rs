//! What the object's alarm finds: rows whose time has come.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Change, Notice, Rows, Scene, Shard, Slot};
use crate::ledger::command::{Answer, Resend};
use crate::ledger::entry::{Entry, Work};
use crate::ledger::state::State;
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

/// Rows that one look takes in hand at most.
const MAX_JOBS: usize = 200;
/// Notices that one look writes at most.
const MAX_NOTICES: usize = 100;

/// A row that needs a call.
#[derive(Clone, Debug)]
pub enum Due {
    /// The same bytes go to the same place once more.
    Resend(Slot, Box<Entry>, Resend),
    /// The chain is looked at.
    Read(Slot, Box<Entry>),
}

impl Shard {
    /// Finishes the rows that need no call, and takes at most `max` calls in hand.
    ///
    /// # Errors
    /// What the rows say.
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
                // It was looked at sooner than it had to be.
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

    /// Writes what the operator should hear of rows that are in doubt for long.
    ///
    /// # Errors
    /// What the rows say.
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

    /// Whether nothing is due before `at`, if nothing was when [`Shard::wake_at`] last looked at all.
    #[must_use]
    pub fn is_quiet_until(&self, at: UnixTime) -> bool {
        self.index.is_quiet_until(at)
    }

    /// When the next row is due; from then on [`Shard::is_quiet_until`] speaks of later writes alone.
    pub fn wake_at(&mut self) -> Option<UnixTime> {
        self.index.looked_at();
        self.next_due()
    }

    /// When the next row is due.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixTime> {
        self.index.next_due().filter(|_| !planted(Mutant::AlarmNeverDue))
    }
}
