//! What a ledger object does now and then beside its payments: it purges what is old, and has notices to send.
//!
//! Each run is bounded; what is left is due again soon. No row goes before its payment can no longer be charged,
//! and none that is not at rest.

use std::collections::HashSet;

use farebox_core::gate::Gate;
use farebox_core::ledger::{Entry, State};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;

use super::attempts::next_idle;
use super::ledger::Desk;
use super::outbox;
use super::quota::next_old;
use super::rows::{Rows, integer, number, text};
use super::sql::{Result, Value};

/// When chores are due.
#[derive(Default)]
pub(super) struct Chores {
    /// The next notice.
    pub notice_at: Option<UnixTime>,
    /// The next purge.
    purge_at: Option<UnixTime>,
    /// Unknown payments whose notice is written; nothing where nobody wants notices.
    told: Option<HashSet<String>>,
}

impl Chores {
    /// What is due by the rows.
    pub(super) fn open(rows: &Rows, gate: &Gate) -> Result<Self> {
        Ok(Self {
            notice_at: outbox::next(rows)?,
            purge_at: next_purge(rows, gate)?,
            told: gate.webhook().map(|_| HashSet::new()),
        })
    }

    /// Something will be old at this time.
    pub(super) fn purge_by(&mut self, at: UnixTime) {
        self.purge_at = Some(self.purge_at.map_or(at, |known| known.min(at)));
    }

    /// When the next notice or purge is due.
    pub(super) fn wake_at(&self) -> Option<UnixTime> {
        self.notice_at.into_iter().chain(self.purge_at).min()
    }

    /// When the operator is told that this outcome is still unknown.
    pub(super) fn overdue_at(&self, key: &str, entry: &Entry) -> Option<UnixTime> {
        match &entry.state {
            State::Unknown { since, .. } if !self.told.as_ref()?.contains(key) => {
                Some(since.plus(OVERDUE_SECS))
            }
            _ => None,
        }
    }
}

impl Desk<'_> {
    /// What follows from a transition, in the same block.
    pub(super) fn follow(
        &mut self,
        payer: &str,
        key: &str,
        before: &Entry,
        entry: &Entry,
    ) -> Result<()> {
        let secs = self.gate.keeps().responses_secs.max(PURGE_GAP_SECS);
        self.memory.chores.purge_by(self.now.plus(secs));
        self.announce(payer, key, before, entry)
    }

    /// Does what is due.
    pub(super) fn do_chores(&mut self) -> Result<()> {
        let chores = &self.memory.chores;
        let overdue: Vec<(String, String)> = self
            .memory
            .all()
            .filter(|(_, key, entry)| {
                chores.overdue_at(key, entry).is_some_and(|at| at <= self.now)
            })
            .take(MOST)
            .map(|(payer, key, _)| (payer.clone(), key.clone()))
            .collect();
        for (payer, key) in overdue {
            self.announce_overdue(&payer, &key)?;
            if let Some(told) = &mut self.memory.chores.told {
                told.insert(key);
            }
        }
        if self.memory.chores.purge_at.is_some_and(|at| at <= self.now) {
            let left = self.purge()?;
            let next = next_purge(self.rows, self.gate)?;
            let gap = if left { RETRY_SECS } else { PURGE_GAP_SECS };
            self.memory.chores.purge_at = next.map(|at| at.max(self.now.plus(gap)));
        }
        Ok(())
    }

    /// Removes what is old; whether something may be left.
    fn purge(&mut self) -> Result<bool> {
        let (keeps, now) = (self.gate.keeps(), self.now.secs());
        let before = |secs: u64| number(now.saturating_sub(secs));
        let responses = format!(
            "SELECT r.payer, r.key FROM responses r JOIN payments p ON p.payer = r.payer AND p.key = r.key
             WHERE p.updated <= ? AND p.state IN ({KNOWN})
             AND NOT (p.state = 'delivered' AND p.handed = 0 AND p.valid_before + 600 > ?) LIMIT ?"
        );
        let responses = self.select(
            &responses,
            vec![before(keeps.responses_secs), number(now), number(MOST as u64)],
        )?;
        for (payer, key, _) in &responses {
            self.remove("responses", payer, key)?;
        }
        let payments = format!(
            "SELECT payer, key, tx FROM payments
             WHERE updated <= ? AND valid_before + 3600 <= ? AND state IN ({AT_REST}) LIMIT ?"
        );
        let payments = self.select(
            &payments,
            vec![before(keeps.payments_secs), number(now), number(MOST as u64)],
        )?;
        for (payer, key, hash) in &payments {
            self.remove("responses", payer, key)?;
            self.remove("payments", payer, key)?;
            self.memory.forget(payer, key, hash.as_deref().and_then(TxHash::parse_any));
        }
        let aliases = "SELECT payer, key FROM aliases WHERE until <= ? LIMIT ?";
        let aliases = self.select(aliases, vec![number(now), number(MOST as u64)])?;
        for (payer, key, _) in &aliases {
            self.remove("aliases", payer, key)?;
            self.memory.forget_alias(payer, key);
        }
        let moved = "SELECT payer, key FROM moved WHERE until <= ? LIMIT ?";
        let moved = self.select(moved, vec![number(now), number(MOST as u64)])?;
        for (payer, key, _) in &moved {
            self.remove("moved", payer, key)?;
            self.memory.note_moved(payer, key, false);
        }
        let counts = self.purge_quota(MOST as u64)?;
        self.purge_failures()?;
        outbox::forget(self.rows, self.now)?;
        let lengths = [responses.len(), payments.len(), aliases.len(), moved.len(), counts];
        Ok(lengths.contains(&MOST))
    }

    fn select(
        &self,
        query: &str,
        values: Vec<Value>,
    ) -> Result<Vec<(String, String, Option<String>)>> {
        let mut found = Vec::new();
        for row in self.rows.sql().exec(query, values)?.raw() {
            let row = row?;
            if let (Some(payer), Some(key)) = (text(row.first()), text(row.get(1))) {
                found.push((payer, key, text(row.get(2))));
            }
        }
        Ok(found)
    }

    fn remove(&self, table: &str, payer: &str, key: &str) -> Result<()> {
        let query = format!("DELETE FROM {table} WHERE payer = ? AND key = ?");
        self.rows.sql().exec(&query, vec![payer.into(), key.into()]).map(|_| ())
    }
}

/// When the first thing will be old.
fn next_purge(rows: &Rows, gate: &Gate) -> Result<Option<UnixTime>> {
    let keeps = gate.keeps();
    let responses = format!(
        "SELECT MIN(p.updated) + ? FROM responses r JOIN payments p ON p.payer = r.payer AND p.key = r.key
         WHERE p.state IN ({KNOWN})"
    );
    let payments = format!(
        "SELECT MIN(MAX(updated + ?, valid_before + 3600)) FROM payments WHERE state IN ({AT_REST})"
    );
    let first = |query: &str, values: Vec<Value>| -> Result<Option<u64>> {
        let row = rows.sql().exec(query, values)?.raw().next().transpose()?;
        Ok(row.and_then(|row| row.first().and_then(integer)))
    };
    let times = [
        first(&responses, vec![number(keeps.responses_secs)])?,
        first(&payments, vec![number(keeps.payments_secs)])?,
        first("SELECT MIN(until) FROM aliases", Vec::new())?,
        first("SELECT MIN(until) FROM moved", Vec::new())?,
        next_idle(rows)?,
        next_old(rows)?,
    ];
    Ok(times.into_iter().flatten().min().map(UnixTime::from_secs))
}

/// States whose outcome is known, so that a stored response is kept only to be fetched.
const KNOWN: &str =
    "'delivered', 'refund_due', 'refunded', 'waived', 'void', 'closed', 'released', 'abandoned'";
/// States that nothing leads out of.
const AT_REST: &str = "'delivered', 'refunded', 'waived', 'void', 'closed'";
/// Rows of one kind that one run removes.
const MOST: usize = 100;
/// Seconds between two runs.
const PURGE_GAP_SECS: u64 = 3600;
/// Seconds until the next run, if this one left something.
const RETRY_SECS: u64 = 5;
/// Seconds of doubt after which the operator is told.
const OVERDUE_SECS: u64 = 600;
