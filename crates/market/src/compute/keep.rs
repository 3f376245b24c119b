//! The rows that leave a profile: those that are over for thirty days, unsold quotes and sellers
//! that have proven nothing after one, and the oldest work beyond a number.
//!
//! An object stores 10 GB. Prompts and results are at most 256 KiB each and sealed; those of open
//! quotes are two of each client, and those that keep a prompt when they end are bounded by the seats
//! of sellers; those of jobs are bounded by [`MAX_OVER`]. Held money stays: its
//! row is what tells a payment that is forwarded again from a new one.

use alloc::vec::Vec;

use super::message::Answer;
use super::records::{Change, Ends, LeavingRow, Rows};
use super::settings::Gateway;
use super::{Decision, Now};
use farebox_base::mutant::{Mutant, planted};

/// Milliseconds for which what is over is kept.
pub const KEEP_MS: u64 = 30 * DAY_MS;
/// Milliseconds after which no payment comes for an unsold quote.
pub const UNSOLD_MS: u64 = DAY_MS;
/// Jobs that are over and kept, newest first.
pub const MAX_OVER: u32 = 5_000;
/// Rows that leave at once.
pub const MAX_LEAVING: u32 = 200;
const DAY_MS: u64 = 86_400_000;

impl Gateway {
    /// Deletes some rows that leave.
    pub(super) fn sweep<R: Rows>(&self, records: &R, tick: Now<'_>) -> Result<Decision, R::Error> {
        let ends = Ends {
            over: tick.now.saturating_sub(KEEP_MS),
            unsold: tick.now.saturating_sub(UNSOLD_MS),
        };
        let leaving = if planted(Mutant::RowsStay) { Vec::new() } else { records.leaving(ends)? };
        let changes: Vec<Change> = leaving.into_iter().map(leave).collect();
        let answer = if changes.is_empty() { Answer::Nothing } else { Answer::Done };
        Ok(Decision { answer, changes })
    }
}

fn leave(row: LeavingRow) -> Change {
    Change::Leaves(row)
}
