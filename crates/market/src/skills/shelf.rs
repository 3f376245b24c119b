//! The archive: old rows of the ledger, in objects of a bucket that never change.
//!
//! While the storage has more rows than it keeps, the oldest that are over leave it, a shelf at a
//! time: the alarm puts the shelf's object ([`ShelfDraft`]), reads it back, and reports what it read
//! ([`Archive::take_shelf`]); only if that is the shelf, its rows are deleted in the write that adds its
//! [`ShelfRow`]. Assumptions:
//! - an object's name has the digest of its text, so that a write that comes late harms none;
//! - numbers of two shelves never overlap. A row that is not over when its neighbours leave stays in
//!   the storage, below the newest shelf.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::books::{Change, Part, Rows, ShelfSpan};
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, Chore, ShelfDraft};
use super::refused;
use super::row::{ArchiveRow, InvocationRow, SHELF, ShelfRow};
use farebox_base::hash;

/// Bytes of a shelf above which it takes no further row.
const SHELF_BYTES: usize = 2 * 1024 * 1024;
/// Digits of the digest in a name.
const MARK: usize = 32;
/// Shelves that one page is read from, where every row is in it, and where filters leave rows out.
const READ: (usize, usize) = (2, 4);
/// Milliseconds before a shelf is tried again, doubled with each failure.
const BACKOFF_MS: u64 = 5_000;
/// Most milliseconds before it is tried again.
const MAX_BACKOFF_MS: u64 = 600_000;
/// Milliseconds before rows that are not over are looked at again.
const BUSY_MS: u64 = 60_000;

/// A shelf with the numbers of its rows.
struct FullShelf {
    draft: ShelfDraft,
    row: ShelfRow,
    numbers: Vec<u64>,
}

/// Objects of the archive that were read: names and texts.
pub(super) type Opened<'a> = &'a [(String, String)];

/// Rows of a page, in the order of its part, and where the next page begins if there is one.
pub(super) struct LedgerPage {
    pub rows: Vec<InvocationRow>,
    pub next: Option<u64>,
}

/// The archive of a market.
#[derive(Clone, Copy)]
pub(super) struct Archive {
    /// Rows of the ledger that stay in the storage; `None` where there is no bucket for others.
    pub keep: Option<u64>,
}

impl Archive {
    /// Makes the alarm look at the archive once the storage has more rows than it keeps.
    pub fn note_growth<B: Rows>(
        &self,
        books: &B,
        decision: &mut Decision,
        moment: Now<'_>,
    ) -> Result<(), B::Error> {
        let Some(keep) = self.keep else { return Ok(()) };
        let begun =
            decision.changes.iter().filter(|change| matches!(change, Change::Begin(_))).count();
        let archive = books.archive()?;
        if begun == 0 || archive.due.is_some() {
            return Ok(());
        }
        let begun = u64::try_from(begun).unwrap_or(u64::MAX);
        if live(books)?.saturating_add(begun) > keep {
            decision.changes.push(Change::Archive(ArchiveRow { due: Some(moment.now), ..archive }));
        }
        Ok(())
    }

    /// Adds the work on the archive that is due.
    pub fn add_chores<B: Rows>(
        &self,
        books: &B,
        chores: &mut Vec<Chore>,
        changes: &mut Vec<Change>,
        now: u64,
    ) -> Result<(), B::Error> {
        let archive = books.archive()?;
        if archive.due.is_none_or(|due| due > now) {
            return Ok(());
        }
        if self.keep.is_some() {
            chores.push(Chore::Shelve);
        } else {
            // The bucket is not bound any more.
            changes.push(Change::Archive(ArchiveRow::default()));
        }
        Ok(())
    }

    /// The shelf that is to be put, if there is one.
    pub fn next_shelf<B: Rows>(&self, books: &B, moment: Now<'_>) -> Applied<B> {
        if let Some(FullShelf { draft, .. }) = self.find_oldest(books, moment.now)? {
            return Ok(Decision::told(Answer::Shelf(Box::new(draft))));
        }
        let due = self.is_full(books, 0)?.then(|| moment.now.saturating_add(BUSY_MS));
        let changes = Vec::from([Change::Archive(ArchiveRow { due, failures: 0 })]);
        Ok(Decision { answer: Answer::Nothing, changes })
    }

    /// Takes the rows of a shelf out of the storage, if the bucket has it.
    pub fn take_shelf<B: Rows>(
        &self,
        books: &B,
        name: &str,
        read: Option<&str>,
        moment: Now<'_>,
    ) -> Applied<B> {
        let now = moment.now;
        let archive = books.archive()?;
        let try_again = |due: u64, failures: u64| {
            let changes = Vec::from([Change::Archive(ArchiveRow { due: Some(due), failures })]);
            Ok(Decision { answer: Answer::Nothing, changes })
        };
        let Some(FullShelf { draft, row, numbers }) = self.find_oldest(books, now)? else {
            return self.next_shelf(books, moment);
        };
        if draft.name != name {
            // A row has ended meanwhile: this is another shelf.
            return try_again(now, archive.failures);
        }
        if read != Some(draft.text.as_str()) {
            let doublings = u32::try_from(archive.failures.min(10)).unwrap_or(10);
            let wait = BACKOFF_MS.saturating_mul(2_u64.saturating_pow(doublings));
            let due = now.saturating_add(wait.min(MAX_BACKOFF_MS));
            return try_again(due, archive.failures.saturating_add(1));
        }
        let is_full = self.is_full(books, row.count)?;
        let archive = ArchiveRow { due: is_full.then_some(now), failures: 0 };
        let changes = Vec::from([Change::Shelve(Box::new(row), numbers), Change::Archive(archive)]);
        Ok(Decision { answer: Answer::Nothing, changes })
    }

    /// The shelf of the oldest rows that are over, while there are too many rows.
    fn find_oldest<B: Rows>(&self, books: &B, now: u64) -> Result<Option<FullShelf>, B::Error> {
        if !self.is_full(books, 0)? {
            return Ok(None);
        }
        let horizon = horizon(books)?;
        let newest = books.extent(horizon)?.map_or(0, |(_, newest)| newest);
        // Whatever is not over, the newest rows stay.
        let keep = self.keep.unwrap_or(u64::MAX);
        let most = newest.saturating_sub(keep.saturating_sub(u64::from(SHELF)));
        let (mut text, mut numbers) = (String::new(), Vec::new());
        for row in books.over(horizon, SHELF)?.iter().filter(|row| row.number <= most) {
            if text.len() > SHELF_BYTES {
                break;
            }
            // Rows have text and numbers alone, which are always JSON.
            text.push_str(&serde_json::to_string(row).unwrap_or_default());
            text.push('\n');
            numbers.push(row.number);
        }
        let (Some(first), Some(last)) = (numbers.first().copied(), numbers.last().copied()) else {
            return Ok(None);
        };
        let name = format!("invocations/{first:012}-{last:012}-{}.jsonl", mark(&text));
        let count = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
        let row = ShelfRow { first, last, count, name: name.clone(), at: now };
        Ok(Some(FullShelf { draft: ShelfDraft { name, text }, row, numbers }))
    }

    /// Whether the storage has more rows than it keeps, without so many.
    fn is_full<B: Rows>(&self, books: &B, without: u64) -> Result<bool, B::Error> {
        let Some(keep) = self.keep else { return Ok(false) };
        Ok(live(books)?.saturating_sub(without) > keep)
    }
}

/// A page of the ledger, from the storage and from the archive; or what has to be read first, or
/// the refusal.
pub(super) fn read_page<B: Rows>(
    books: &B,
    part: &Part,
    opened: Opened<'_>,
) -> Result<Result<LedgerPage, Decision>, B::Error> {
    let limit = usize::try_from(part.limit).unwrap_or(usize::MAX);
    let mut rows = books.invocations(part)?;
    // Beyond the last row of a full page more may follow in the storage.
    let end = rows.last().filter(|_| rows.len() >= limit).map(|row| row.number);
    let is_up = part.after.is_some();
    let span = match part.after {
        Some(after) => ShelfSpan::Above(after),
        None => ShelfSpan::Below(part.before.unwrap_or(u64::MAX)),
    };
    let most = if part.is_narrow() { READ.1 } else { READ.0 };
    let known = u32::try_from(most.saturating_add(1)).unwrap_or(u32::MAX);
    let is_needed = |shelf: &ShelfRow| match end {
        Some(end) if is_up => shelf.first < end,
        Some(end) => shelf.last > end,
        None => true,
    };
    let mut shelves = books.shelves(span, known)?;
    shelves.retain(is_needed);
    let has_more = shelves.len() > most;
    shelves.truncate(most);
    let edge = shelves.last().filter(|_| has_more);
    let edge = edge.map(|shelf| if is_up { shelf.last } else { shelf.first });
    match read_shelves(&shelves, opened) {
        Ok(read) => rows.extend(read.into_iter().filter(|row| part.takes(row))),
        Err(decision) => return Ok(Err(decision)),
    }
    let end =
        if is_up { end.into_iter().chain(edge).min() } else { end.into_iter().chain(edge).max() };
    if is_up {
        rows.retain(|row| end.is_none_or(|end| row.number <= end));
        rows.sort_unstable_by_key(|row| row.number);
    } else {
        rows.retain(|row| end.is_none_or(|end| row.number >= end));
        rows.sort_unstable_by_key(|row| core::cmp::Reverse(row.number));
    }
    rows.truncate(limit);
    let is_full = rows.len() >= limit;
    let next = rows.last().filter(|_| is_full).map(|row| row.number).or(end);
    Ok(Ok(LedgerPage { rows, next }))
}

/// The invocation with this id, wherever it is; or what has to be read first, or the refusal.
pub(super) fn find_invocation<B: Rows>(
    books: &B,
    id: &str,
    opened: Opened<'_>,
) -> Result<Result<Option<InvocationRow>, Decision>, B::Error> {
    if let Some(row) = books.invocation(id)? {
        return Ok(Ok(Some(row)));
    }
    let Some(number) = books.departed(id)? else { return Ok(Ok(None)) };
    let shelves = books.shelves(ShelfSpan::Above(number.saturating_sub(1)), 1)?;
    Ok(read_shelves(&shelves, opened).map(|rows| rows.into_iter().find(|row| row.id == id)))
}

/// The number of the newest row of the archive.
fn horizon<B: Rows>(books: &B) -> Result<u64, B::Error> {
    let newest = books.shelves(ShelfSpan::Below(u64::MAX), 1)?;
    Ok(newest.first().map_or(0, |shelf| shelf.last))
}

/// How many rows the storage has above the archive; no row of those was ever deleted.
fn live<B: Rows>(books: &B) -> Result<u64, B::Error> {
    let extent = books.extent(horizon(books)?)?;
    Ok(extent.map_or(0, |(first, last)| last.saturating_sub(first).saturating_add(1)))
}

/// The rows of shelves; or the command to read them, or the refusal where they are not what
/// their names say.
fn read_shelves(shelves: &[ShelfRow], opened: Opened<'_>) -> Result<Vec<InvocationRow>, Decision> {
    let mut rows = Vec::new();
    for shelf in shelves {
        let Some((_, text)) = opened.iter().find(|(name, _)| *name == shelf.name) else {
            let names = shelves.iter().map(|shelf| shelf.name.clone()).collect();
            return Err(Decision::told(Answer::Fetch(names)));
        };
        let lines = text.lines().map(|line| serde_json::from_str::<InvocationRow>(line).ok());
        let read: Option<Vec<InvocationRow>> = lines.collect();
        let read = read.filter(|_| shelf.name.contains(&mark(text)));
        let Some(read) = read else { return Err(Decision::reply(refused::no_archive())) };
        rows.extend(read);
    }
    Ok(rows)
}

/// The digest of a shelf, as its name has it.
fn mark(text: &str) -> String {
    hash::digest(&[text.as_bytes()]).chars().take(MARK).collect()
}
