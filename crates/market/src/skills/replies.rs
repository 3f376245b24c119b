//! Answers that are kept for those who ask again, and which of them leave.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::{Change, Rows};
use super::message::Response;
use super::pack::{CYCLE_MS, PACK_GRACE_MS};
use super::price::USD_DECIMALS;
use super::row::{FOR_EVER, InvocationRow, KeyRow, Moved, PackRow, ReplyRow, ReplyWorth};
use super::spend::SUM_DECIMALS;
use farebox_base::amount::Amount;

/// Milliseconds for which a short answer is kept, and a key for which nothing was paid.
const KEEP_MS: u64 = 30 * 86_400_000;
/// Milliseconds for which the answer to an invocation without a key is kept: no one can ask for it
/// but those who waited.
const FOLLOWED_MS: u64 = 120_000;
/// Milliseconds for which a longer answer is kept.
const LONG_MS: u64 = 86_400_000;
/// Bytes of a short answer at most.
const SHORT_BYTES: u64 = 16 * 1024;
/// Bytes of all answers at most, but for the last.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// Millionths of a dollar that a call costs at least, if its answer is to stay longer than those that cost
/// nothing.
const LEAST_MICROS: u64 = 1_000;
/// Least weight of an answer, bytes: its row has a head, an id and an index as well.
const LEAST_BYTES: u64 = 1024;
/// Answers that leave at once, if these are enough.
const STEP: u32 = 64;
/// Most answers that leave at once: with the least weight they make room for the longest one.
const MOST: u32 = 2_048;

/// The answer to an ended invocation as it is kept.
pub(super) fn keep_reply(
    row: &InvocationRow,
    response: &Response,
    worth: ReplyWorth,
    now: u64,
) -> ReplyRow {
    let bytes = size_of(&response.headers, &response.body);
    let is_long = bytes > SHORT_BYTES;
    let keep = if row.key.is_empty() {
        FOLLOWED_MS
    } else if is_long {
        LONG_MS
    } else {
        KEEP_MS
    };
    ReplyRow {
        invocation: row.id.clone(),
        status: response.status,
        headers: response.headers.clone(),
        body: response.body.clone(),
        until: now.saturating_add(keep),
        bytes,
        is_long,
        worth,
    }
}

/// The payment for the answer to an ended invocation.
pub(super) fn find_worth<B: Rows>(books: &B, row: &InvocationRow) -> Result<ReplyWorth, B::Error> {
    if row.paid == Moved::Yes {
        let is_shown = row.is_shown;
        let counted = Amount::from_atomic(&row.counted).unwrap_or(Amount::ZERO);
        let is_enough = counted >= least();
        return Ok(match (is_shown, is_enough) {
            (true, true) => ReplyWorth::Payment,
            (false, false) => ReplyWorth::Nothing,
            (true, false) | (false, true) => ReplyWorth::Slight,
        });
    }
    let pack = if row.pack.is_empty() { None } else { books.pack(&row.pack)? };
    let is_worth = |pack: &PackRow| {
        pack.micros.checked_div(pack.calls).is_some_and(|each| each >= LEAST_MICROS)
    };
    Ok(if pack.as_ref().is_some_and(is_worth) { ReplyWorth::PackCall } else { ReplyWorth::Nothing })
}

/// [`LEAST_MICROS`] as a row counts dollars.
fn least() -> Amount {
    let decimals = SUM_DECIMALS.saturating_sub(USD_DECIMALS);
    Amount::from_decimal(&LEAST_MICROS.to_string(), decimals).unwrap_or(Amount::MAX)
}

/// The change that keeps the key of an ended invocation: where money moved, or may have, for ever,
/// so that it pays once; where a call of a pack was used, for as long as a pack that was just sold,
/// so that it uses one.
pub(super) fn key_of(row: &InvocationRow, now: u64) -> Option<Change> {
    let until = if row.paid != Moved::No {
        FOR_EVER
    } else if !row.pack.is_empty() {
        now.saturating_add(CYCLE_MS).saturating_add(PACK_GRACE_MS)
    } else {
        now.saturating_add(KEEP_MS)
    };
    write_key(row, until)
}

/// The change that keeps the key of an invocation until this time; `None` if it has none.
pub(super) fn write_key(row: &InvocationRow, until: u64) -> Option<Change> {
    let key = KeyRow {
        account: row.account.clone(),
        key: row.key.clone(),
        digest: row.digest.clone(),
        invocation: row.id.clone(),
        until,
    };
    (!row.key.is_empty()).then_some(Change::Key(key))
}

/// Bytes of an answer, as they count in the bound of all.
pub(super) fn size_of(headers: &[(String, String)], body: &str) -> u64 {
    let fields = headers.iter().map(|(name, value)| name.len().saturating_add(value.len()));
    let bytes = fields.fold(body.len(), usize::saturating_add);
    u64::try_from(bytes).unwrap_or(u64::MAX).max(LEAST_BYTES)
}

/// Takes away the answers that have ended, and as many more as so many bytes need.
pub(super) fn make_room<B: Rows>(
    books: &B,
    more: u64,
    now: u64,
) -> Result<Option<Change>, B::Error> {
    let mut gone: Vec<String> = Vec::new();
    let mut all = books.reply_bytes()?.saturating_add(more);
    for (id, bytes) in books.replies_ended(now, STEP)? {
        all = all.saturating_sub(bytes);
        gone.push(id);
    }
    // Most often one or two are enough.
    for limit in [STEP, MOST] {
        if all <= MAX_BYTES {
            break;
        }
        for (id, bytes) in books.replies_first(limit)? {
            if all <= MAX_BYTES {
                break;
            }
            if !gone.contains(&id) {
                all = all.saturating_sub(bytes);
                gone.push(id);
            }
        }
    }
    Ok((!gone.is_empty()).then_some(Change::Unreply(gone)))
}
