//! Chores of a ledger object beside its payments: it purges old rows, and has notices to send.
//!
//! A purge goes through all rows, some at a time, and pauses an hour after the last. A row is kept
//! until its payment can no longer be charged and is at rest.

use farebox_core::ledger::room::SPAN_SECS;
use farebox_core::ledger::shard::{Shard, Slot};
use farebox_core::ledger::state::{Retention, StateName};
use farebox_core::time::UnixTime;

use super::ledger::Txn;
use super::outbox;
use super::rows::{LedgerRows, integer, number, number_of, slot_after};
use crate::platform::sql::{Result, SqlValue};

/// Times of the chores.
#[derive(Default)]
pub(super) struct Chores {
    /// Time of the next notice.
    pub notice_at: Option<UnixTime>,
    /// Time of the next part of a purge.
    purge_at: Option<UnixTime>,
    /// Number of the last row of an unfinished purge.
    place: Option<i64>,
}

impl Chores {
    /// Reads the times from the rows.
    pub(super) fn open(rows: &LedgerRows) -> Result<Self> {
        let purge_at = rows.noted(PURGE_AT)?.map(UnixTime::from_secs);
        Ok(Self { notice_at: outbox::next(rows)?, purge_at, place: None })
    }

    /// Time at which the next notice or purge is due.
    pub(super) fn wake_at(&self) -> Option<UnixTime> {
        self.notice_at.into_iter().chain(self.purge_at).min()
    }
}

impl Txn<'_> {
    /// Plans a purge for when the newest rows may be old.
    pub(super) fn plan_purge(&mut self) -> Result<()> {
        if self.chores.purge_at.is_some() {
            return Ok(());
        }
        let secs = self.gate.keeps().responses_secs.max(PURGE_GAP_SECS);
        self.purge_by(self.now.plus(secs))
    }

    fn purge_by(&mut self, at: UnixTime) -> Result<()> {
        self.chores.purge_at = Some(at);
        self.rows.note(PURGE_AT, at.secs())
    }

    /// Does what is due.
    pub(super) fn run_retention(&mut self) -> Result<()> {
        let overdue = self.shard.overdue(self.rows, &self.scene())?;
        self.write(&overdue)?;
        if self.chores.purge_at.is_some_and(|at| at <= self.now) {
            if self.purge()? {
                // The place is lost with the object, which then starts over.
                self.chores.purge_at = Some(self.now.plus(RETRY_SECS));
            } else if self.has_rows()? {
                self.purge_by(self.now.plus(PURGE_GAP_SECS))?;
                self.tell_size()?;
            } else {
                self.chores.purge_at = None;
                self.rows.drop_note(PURGE_AT)?;
            }
        }
        Ok(())
    }

    /// Notes the size once a day, and tells the operator when room is scarce: what it was a day ago says
    /// for how long it lasts.
    fn tell_size(&mut self) -> Result<()> {
        self.rows.measure();
        let (room, now) = (self.room(), self.now.secs());
        let noted = self.rows.noted(SIZE_AT)?.zip(self.rows.noted(SIZE)?);
        let age = noted.map(|(at, _)| now.saturating_sub(at));
        if age.is_some_and(|age| age < SPAN_SECS) {
            return Ok(());
        }
        self.rows.note(SIZE_AT, now)?;
        self.rows.note(SIZE, room.bytes)?;
        if !room.is_scarce() {
            return Ok(());
        }
        let days = noted.zip(age).and_then(|((_, before), age)| room.days_left(before, age));
        let data = farebox_core::json!({
            "bytes": room.bytes,
            "limit": room.limit,
            "percent": room.percent(),
            "days_left": days,
        });
        self.post("ledger.room", &[&now.to_be_bytes()], &data)
    }

    /// Removes old rows and responses among the next ones; returns whether rows are left to look at.
    /// A response that was paid for and that nobody has fetched becomes a debt instead, and then goes.
    fn purge(&mut self) -> Result<bool> {
        let (keeps, now) = (self.gate.keeps(), self.now.secs());
        let before = |secs: u64| number(now.saturating_sub(secs));
        let place = self.chores.place.take().unwrap_or(BEFORE_ALL);
        let values = vec![
            before(keeps.responses_secs),
            before(keeps.payments_secs),
            number(now),
            before(keeps.responses_secs),
            before(keeps.responses_secs.saturating_add(LATE_SECS)),
            SqlValue::Integer(place),
            number(MAX_PURGED),
        ];
        let (mut count, mut last) = (0, None);
        let (mut old, mut unfetched) = (Vec::new(), Vec::new());
        for row in self.rows.sql().exec(&rows_of_a_part(), values)?.raw() {
            let row = row?;
            let Some(slot) = slot_after(&row) else { continue };
            let is = |column: usize| row.get(column).and_then(integer) == Some(1);
            if is(5) {
                unfetched.push((slot, is(6)));
            } else if is(3) || is(4) {
                old.push((slot, is(4)));
            }
            last = number_of(&row);
            count += 1;
            if unfetched.len() == MAX_OWED {
                count = MAX_PURGED;
                break;
            }
        }
        for (slot, late) in unfetched {
            self.owe_unfetched(&slot, late)?;
        }
        for (slot, goes) in old {
            if goes {
                self.rows.delete(&slot)?;
            }
            self.rows.delete_response(&slot)?;
        }
        if count == MAX_PURGED {
            self.chores.place = last;
            return Ok(true);
        }
        let old = "DELETE FROM transactions WHERE (network, name) IN
             (SELECT network, name FROM transactions WHERE until <= ? LIMIT ?)";
        self.rows.sql().exec(old, vec![number(now), number(MAX_PURGED)])?;
        self.remove_until("aliases")?;
        self.remove_until("moved")?;
        self.purge_quota(MAX_PURGED)?;
        self.purge_failures()?;
        outbox::forget(self.rows, self.now)?;
        Ok(false)
    }

    fn owe_unfetched(&mut self, slot: &Slot, late: bool) -> Result<()> {
        let owed = Shard::owe_unfetched(slot, late, self.rows, &self.scene())?;
        if owed.is_empty() {
            return Ok(());
        }
        self.write(&owed)?;
        self.rows.delete_response(slot)
    }

    /// Whether the object has rows that may grow old.
    fn has_rows(&self) -> Result<bool> {
        let query = "SELECT EXISTS (SELECT 1 FROM payments) OR EXISTS (SELECT 1 FROM aliases)
             OR EXISTS (SELECT 1 FROM moved) OR EXISTS (SELECT 1 FROM attempts)
             OR EXISTS (SELECT 1 FROM quota) OR EXISTS (SELECT 1 FROM outbox)
             OR EXISTS (SELECT 1 FROM transactions)";
        let row = self.rows.sql().exec(query, Vec::new())?.raw().next().transpose()?;
        Ok(row.and_then(|row| row.first().and_then(integer)) == Some(1))
    }

    /// Removes the rows of a table whose time is up.
    fn remove_until(&self, table: &str) -> Result<()> {
        let query = format!(
            "DELETE FROM {table} WHERE (payer, key) IN
             (SELECT payer, key FROM {table} WHERE until <= ? LIMIT ?)"
        );
        let values: Vec<SqlValue> = vec![number(self.now.secs()), number(MAX_PURGED)];
        self.rows.sql().exec(&query, values).map(|_| ())
    }
}

/// Name of the number that holds the time of the next purge.
const PURGE_AT: &str = "purge_at";
/// Names of the numbers that hold a size of the database, bytes, and its time.
const SIZE: &str = "size";
const SIZE_AT: &str = "size_at";

/// The rows of one part of a purge, with what is to be done with each: its response goes, all of it
/// goes, it is owed, and is found late.
fn rows_of_a_part() -> String {
    let (known, at_rest) = (at_most(Retention::Row), at_most(Retention::Nothing));
    format!(
        "SELECT id, payer, key,
         updated <= ? AND state IN ({known}) AND NOT {UNFETCHED}
         AND (head IS NOT NULL OR EXISTS (SELECT 1 FROM responses r
             WHERE r.payer = payments.payer AND r.key = payments.key)),
         updated <= ? AND valid_before + 3600 <= ? AND state IN ({at_rest}) AND NOT {UNFETCHED},
         updated <= ? AND {UNFETCHED}, updated <= ?
         FROM payments WHERE id > ? ORDER BY id LIMIT ?"
    )
}

/// The states of which at most this is kept when they are old, as a list for SQL.
fn at_most(retention: Retention) -> String {
    let states = StateName::ALL.iter().filter(|state| state.retention() >= retention);
    states.map(|state| format!("'{}'", state.name())).collect::<Vec<_>>().join(", ")
}

/// Condition of a row whose stored response is paid for and was handed to nobody.
const UNFETCHED: &str = "(state = 'delivered' AND sealed = 1 AND handed = 0)";
/// Seconds after which such a row is found late: a version before this one owed nothing for it.
const LATE_SECS: u64 = 7 * 86_400;
/// Limit on the debts that one part of a purge records.
const MAX_OWED: usize = 200;
/// Below the number of every row.
const BEFORE_ALL: i64 = -(1 << 53);
/// Limit on the rows that one part of a purge looks at.
const MAX_PURGED: u64 = 1_000;
/// Seconds between two purges.
const PURGE_GAP_SECS: u64 = 3600;
/// Seconds until the next part of a purge.
const RETRY_SECS: u64 = 5;
