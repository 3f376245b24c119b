//! The alarm's tasks: the route table, invocations that were interrupted, and the archive.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::booking::{Bookings, Finish};
use super::books::{Change, Rows};
use super::decided::{INTERRUPTED, MAX_LOOKS, wait_ms};
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, Chore};
use super::row::{InvocationRow, Moved, Phase};
use super::shelf::Archive;

/// Milliseconds for which the alarm may work on an invocation.
const LOOK_LEASE_MS: u64 = 20_000;
/// Invocations that the alarm takes up at once.
const BATCH: u32 = 16;

/// Tasks of the alarm of a market.
pub(super) struct Tasks<'m> {
    pub bookings: Bookings<'m>,
    pub archive: Archive,
}

impl Tasks<'_> {
    /// The tasks of the alarm now.
    pub fn list<B: Rows>(&self, books: &B, moment: Now<'_>) -> Applied<B> {
        let table = books.table()?;
        let (mut chores, mut changes) = (Vec::new(), Vec::new());
        if table.due.is_some_and(|due| due <= moment.now) {
            chores.push(Chore::Table);
        }
        for row in books.due(moment.now, BATCH)? {
            if let Some(finish) = self.interrupt(&row) {
                // One at a time: each ending reads the totals that the one before has written.
                if changes.is_empty() {
                    changes = self.bookings.finish(books, row, &finish, moment.now)?.changes;
                }
                continue;
            }
            match row.phase {
                Phase::Calling | Phase::Proving | Phase::Done => {}
                Phase::Paying | Phase::Doubtful => {
                    let row = take_up(row, moment.now);
                    if row.due.is_some() && self.bookings.lookup_token.is_some() {
                        chores.push(Chore::LookUp {
                            invocation: row.id.clone(),
                            fence: row.fence,
                            organization: row.organization.clone(),
                            agent: row.agent.clone(),
                        });
                    }
                    changes.push(Change::Invocation(Box::new(row)));
                }
            }
        }
        self.archive.add_chores(books, &mut chores, &mut changes, moment.now)?;
        changes.push(Change::Sweep(moment.now));
        Ok(Decision { answer: Answer::Tasks(chores), changes })
    }

    /// How an invocation ends that no request works on any more; `None` if that is looked up, or over.
    fn interrupt(&self, row: &InvocationRow) -> Option<Finish<'static>> {
        // No one tells any more what became of its payment.
        let is_lost = || {
            let is_asked = self.bookings.lookup_token.is_some() && row.looks < MAX_LOOKS;
            !is_asked
        };
        match row.phase {
            Phase::Calling => Some(Finish::failure(INTERRUPTED)),
            Phase::Proving => Some(Finish::paid_failed(Moved::Yes, INTERRUPTED)),
            Phase::Paying if is_lost() => Some(Finish::paid_failed(Moved::Unknown, INTERRUPTED)),
            Phase::Paying | Phase::Doubtful | Phase::Done => None,
        }
    }
}

/// A row that the alarm has taken up.
fn take_up(row: InvocationRow, now: u64) -> InvocationRow {
    let lease = now.saturating_add(LOOK_LEASE_MS);
    let looks = row.looks.saturating_add(1);
    let due = now.saturating_add(LOOK_LEASE_MS.max(wait_ms(looks)));
    let is_open = row.phase == Phase::Paying || looks <= MAX_LOOKS;
    let fence = row.fence.saturating_add(1);
    InvocationRow { fence, lease, looks, due: is_open.then_some(due), ..row }
}
