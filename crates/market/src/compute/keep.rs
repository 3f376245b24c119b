//! The rows that leave a profile: those that are over for thirty days, sellers that have proven
//! nothing after one, unsold quotes too where a transfer may be shown that late, and work beyond a
//! number, of those who have most of it.
//!
//! An object stores 10 GB. A prompt and a result are at most 64 KiB each and 88 KB sealed; those of
//! open quotes are two of each client, three of a client and hour keep their prompt when they end,
//! and those of jobs are bounded by [`MAX_STORED`]: 2.7 GB. From [`MAX_BYTES`] on there is no new
//! quote. Held money stays: its row is what tells a payment that is forwarded again from a new one.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::kernel::{Applied, Decision, Now};
use super::message::Answer;
use super::records::{Change, Ends, LeavingRow, OverJob, Rows};
use super::row::{QuoteRow, QuoteState};

/// Milliseconds for which what is over is kept.
pub const KEEP_MS: u64 = 30 * DAY_MS;
/// Milliseconds for which a transfer may be shown for an unsold quote, and after which a seller has
/// proven nothing.
pub const UNSOLD_MS: u64 = DAY_MS;
/// Milliseconds after which no payment at the till comes for an unsold quote.
pub const LATE_MS: u64 = 3_600_000;
/// Bytes of an object from which on it makes no quotes: the rest is for jobs and their money.
pub const MAX_BYTES: u64 = 6_000_000_000;
/// Jobs that are over and share the room: beyond them, those who have most lose their oldest.
pub const MAX_OVER: u32 = 5_000;
/// Milliseconds after its payment in which no job leaves for that.
pub const FRESH_MS: u64 = DAY_MS;
/// Most jobs that are over and kept, however young they are.
pub const MAX_STORED: u32 = 15_000;
/// Rows that leave at once.
pub const MAX_LEAVING: u32 = 200;
const DAY_MS: u64 = 86_400_000;

/// Deletes some rows that leave; `has_transfers` says whether one may be shown for a quote of before.
pub(super) fn sweep<R: Rows>(records: &R, has_transfers: bool, tick: Now<'_>) -> Applied<R> {
    let before = |ms: u64| tick.now.saturating_sub(ms);
    let quotes = before(if has_transfers { UNSOLD_MS } else { LATE_MS });
    let ends = Ends { over: before(KEEP_MS), unsold: before(UNSOLD_MS), quotes };
    let mut leaving = records.leaving(ends)?;
    let over = records.over(MAX_OVER)?;
    leaving.extend(surplus(&over, tick.now).into_iter().map(LeavingRow::Job));
    let changes: Vec<Change> = leaving.into_iter().map(Change::Leaves).collect();
    let answer = if changes.is_empty() { Answer::Nothing } else { Answer::Done };
    Ok(Decision { answer, changes })
}

/// Chooses among the jobs that are over, newest first, those that leave because there are too many.
/// The first to go belongs to the buyer or seller that has most, so that no one pushes out the jobs
/// of others; a fresh one stays, unless all room is taken.
fn surplus(over: &[OverJob], now: u64) -> Vec<String> {
    let many = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let beyond = |most: u32| over.len().saturating_sub(many(most));
    let (mut buyers, mut sellers) = (BTreeMap::new(), BTreeMap::new());
    let next = |of: &mut BTreeMap<_, u32>, who| {
        let place = of.entry(who).or_default();
        *place = place.saturating_add(1);
        *place
    };
    let mut placed: Vec<(Reverse<u32>, &OverJob)> = Vec::with_capacity(over.len());
    for job in over {
        let place = next(&mut buyers, job.buyer.as_str()).max(next(&mut sellers, &job.seller));
        placed.push((Reverse(place), job));
    }
    // Of one place the oldest go first: the sort keeps the order.
    placed.reverse();
    placed.sort_by_key(|(place, _)| *place);
    let is_fresh = |job: &OverJob| now < job.created.saturating_add(FRESH_MS);
    let forced = beyond(MAX_STORED);
    let goes = placed.into_iter().take(beyond(MAX_OVER)).enumerate();
    let goes = goes.filter(|(at, (_, job))| *at < forced || !is_fresh(job));
    goes.take(many(MAX_LEAVING)).map(|(_, (_, job))| job.id.clone()).collect()
}

/// A change as it is written: the prompt of a quote that was sold is its job's, and leaves with that.
/// Of those that lapse the ones with a firm seat keep theirs, which are few: strangers leave any number.
pub(super) fn lighten(change: Change) -> Change {
    match change {
        Change::Quote(quote) if !keeps_prompt(&quote) => {
            Change::Quote(Box::new(QuoteRow { prompt: String::new(), ..*quote }))
        }
        change => change,
    }
}

fn keeps_prompt(quote: &QuoteRow) -> bool {
    match quote.state {
        QuoteState::Open | QuoteState::Displaced | QuoteState::Settling => true,
        QuoteState::Sold => false,
        QuoteState::Lapsed => quote.firm > 0,
    }
}
