//! Who failed how often: rows beside the payments, all of them in memory, written behind answers that wait for nothing.

use farebox_core::gate::Gate;
use farebox_core::ledger::Answer;
use farebox_core::ledger::attempts::{
    Blame, Book, Counted, Counting, Entry, IDLE_SECS, Kind, Mark, Place, Tally,
};
use farebox_core::ledger::report::Failing;
use farebox_core::payment::Cause;
use farebox_core::sorted::{Sorted, by_rank};
use farebox_core::time::UnixTime;

use super::ledger::Desk;
use super::rows::{Rows, integer, number, text};
use super::sql::Result;

/// Most rows of an object.
const MOST: usize = 4_096;
/// Seconds between two notices about clients that prove nothing.
const NOTICE_GAP_SECS: u64 = 60;

/// One who fails at a route.
pub(super) struct Row {
    tally: Tally,
    /// How many failures the stored row has.
    written: u64,
    /// Whom he said to be.
    claims: Option<String>,
}

/// All who fail.
pub(super) struct Failures {
    rows: Book<Place, Row>,
    /// When the operator was told of one that proves nothing.
    told_at: Option<UnixTime>,
}

impl Default for Failures {
    fn default() -> Self {
        Self { rows: Book::new(MOST), told_at: None }
    }
}

impl Failures {
    /// Reads the rows.
    pub(super) fn open(rows: &Rows) -> Result<Self> {
        let mut all = Self::default();
        let query = "SELECT who, route, attempts, first_at, last_at, cause, reason, streak, claims FROM attempts ORDER BY last_at";
        for row in rows.sql().exec(query, Vec::new())?.raw() {
            let row = row?;
            let column = |index: usize| text(row.get(index));
            let count = |index: usize| row.get(index).and_then(integer).unwrap_or(0);
            let (Some(who), Some(route)) = (column(0), column(1)) else { continue };
            let cause = column(5).and_then(|name| Cause::parse(&name)).unwrap_or(Cause::Unknown);
            let tally = Tally {
                attempts: count(2),
                first_at: count(3),
                last_at: count(4),
                blame: Blame { cause, reason: column(6).unwrap_or_default() },
                streak: count(7),
            };
            let written = tally.attempts;
            all.rows.put((who, route), Row { tally, written, claims: column(8) });
        }
        Ok(all)
    }
}

impl Desk<'_> {
    /// Takes note of how a command of a proven payer came out: his failures in a row, if it failed.
    pub(super) fn mark(
        &mut self,
        payer: &str,
        kind: Kind,
        answer: &Answer,
        counting: Counting,
    ) -> Result<Option<Tally>> {
        let place = (payer.to_owned(), counting.route);
        match Mark::of(kind, answer, counting.blame.as_ref()) {
            Mark::Nothing => Ok(None),
            Mark::Success => {
                self.drop_failures(&place)?;
                Ok(None)
            }
            Mark::Failure(blame) => {
                let row = self.memory.failures.rows.get(&place);
                let mut tally = row.map_or_else(|| Tally::new(self.now), |row| row.tally.clone());
                tally.count(&blame, self.now);
                self.keep(place, tally.clone(), None, counting.exceeded_after)?;
                Ok(Some(tally))
            }
        }
    }

    /// Merges what an isolate counted.
    pub(super) fn count(&mut self, entries: Vec<Entry>) -> Result<Counted> {
        let mut counted = Vec::with_capacity(entries.len());
        for entry in entries {
            let place = (entry.client.clone(), entry.route.clone());
            let was = (entry.was.clone(), entry.route.clone());
            let moves = was != place;
            let earlier = if moves { self.memory.failures.rows.remove(&was) } else { None };
            if earlier.is_some() {
                self.delete_failures(&was)?;
            }
            let row = self.memory.failures.rows.get(&place).map(|row| row.tally.clone());
            let row = match (row, earlier) {
                (Some(mut row), Some(earlier)) => {
                    row.merge(&earlier.tally);
                    Some(row)
                }
                (row, earlier) => row.or(earlier.map(|earlier| earlier.tally)),
            };
            let merged = entry.applied_to(row, self.now);
            match &merged {
                Some(tally) => {
                    self.keep(place, tally.clone(), entry.claims, entry.exceeded_after)?;
                }
                None => self.drop_failures(&place)?,
            }
            counted.push(merged);
        }
        Ok(Counted { counted })
    }

    /// Puts a row in its place, tells the operator where it crosses the threshold, and writes it where that is worth it.
    fn keep(
        &mut self,
        place: Place,
        tally: Tally,
        claims: Option<String>,
        exceeded_after: u64,
    ) -> Result<()> {
        let known = self.memory.failures.rows.get(&place);
        let before = known.map_or(0, |row| row.tally.attempts);
        let written = known.map_or(0, |row| row.written);
        let claims = claims.or_else(|| known.and_then(|row| row.claims.clone()));
        let writes = known.is_none() || tally.is_worth_writing(written, exceeded_after);
        if before < exceeded_after && exceeded_after <= tally.attempts {
            self.announce_threshold(&place, &tally, claims.as_deref())?;
        }
        if writes {
            let query = "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
            let values = vec![
                place.0.as_str().into(),
                place.1.as_str().into(),
                number(tally.attempts),
                number(tally.first_at),
                number(tally.last_at),
                tally.blame.cause.name().into(),
                tally.blame.reason.as_str().into(),
                number(tally.streak),
                claims.clone().into(),
            ];
            self.rows.sql().exec(query, values)?;
        }
        let written = if writes { tally.attempts } else { written };
        self.memory.chores.purge_by(self.now.plus(IDLE_SECS));
        for gone in self.memory.failures.rows.put(place, Row { tally, written, claims }) {
            self.delete_failures(&gone)?;
        }
        Ok(())
    }

    fn drop_failures(&mut self, place: &Place) -> Result<()> {
        match self.memory.failures.rows.remove(place) {
            Some(_) => self.delete_failures(place),
            None => Ok(()),
        }
    }

    fn delete_failures(&self, place: &Place) -> Result<()> {
        let query = "DELETE FROM attempts WHERE who = ? AND route = ?";
        let values = vec![place.0.as_str().into(), place.1.as_str().into()];
        self.rows.sql().exec(query, values).map(|_| ())
    }

    /// Removes who was idle for long.
    pub(super) fn purge_failures(&mut self) -> Result<()> {
        let until = self.now.secs().saturating_sub(IDLE_SECS);
        let query = "DELETE FROM attempts WHERE last_at <= ?";
        self.rows.sql().exec(query, vec![number(until)])?;
        let rows = self.memory.failures.rows.iter();
        let idle = rows.filter(|(_, row)| row.tally.is_idle(self.now));
        let idle: Vec<Place> = idle.map(|(place, _)| place.clone()).collect();
        for place in idle {
            self.memory.failures.rows.remove(&place);
        }
        Ok(())
    }

    /// Tells the operator of one who has failed too often; of clients that prove nothing not all at once.
    fn announce_threshold(
        &mut self,
        (who, route): &Place,
        tally: &Tally,
        claims: Option<&str>,
    ) -> Result<()> {
        if !is_payer(who) {
            let told_at = self.memory.failures.told_at;
            if told_at.is_some_and(|at| self.now < at.plus(NOTICE_GAP_SECS)) {
                return Ok(());
            }
            self.memory.failures.told_at = Some(self.now);
        }
        let failing = failing(self.gate, who, route, tally, claims);
        let data = serde_json::json!({
            "payer": is_payer(who).then_some(who),
            "client": failing.client,
            "claims": failing.claims,
            "route": failing.route,
            "code": failing.code,
            "cause": failing.cause,
            "reason": failing.reason,
            "attempts": failing.attempts,
            "first_at": failing.first_at,
            "last_at": failing.last_at,
        });
        let first = tally.first_at.to_be_bytes();
        self.post("payer.threshold", &[who.as_bytes(), route.as_bytes(), &first], &data)
    }

    /// Who failed, most often first.
    pub(super) fn failures(&self, limit: u32) -> Vec<Failing> {
        let rows = self.memory.failures.rows.iter();
        let all = rows.filter(|(_, row)| !row.tally.is_idle(self.now)).collect();
        by_rank(all, |(_, row)| (!row.tally.attempts, !row.tally.streak))
            .into_iter()
            .take(limit as usize)
            .map(|((who, route), row)| {
                failing(self.gate, who, route, &row.tally, row.claims.as_deref())
            })
            .collect()
    }

    /// How many fail, by route, code and kind.
    pub(super) fn failing_counts(&self) -> Vec<(String, String, String, u64)> {
        let mut counts: Sorted<(String, String, &str), u64> = Sorted::new();
        for failing in self.failures(u32::MAX) {
            let kind = if is_payer(&failing.client) { "payer" } else { "network" };
            *counts.get_or((failing.route, failing.code, kind), || 0) += 1;
        }
        let line = |((route, code, kind), count): ((String, String, &str), u64)| {
            (route, code, kind.to_owned(), count)
        };
        counts.into_iter().map(line).collect()
    }
}

fn is_payer(who: &str) -> bool {
    who.starts_with("0x")
}

fn failing(gate: &Gate, who: &str, route: &str, tally: &Tally, claims: Option<&str>) -> Failing {
    Failing {
        client: who.to_owned(),
        claims: claims.map(ToOwned::to_owned),
        route: route.to_owned(),
        code: gate.failing_code(route, tally).to_owned(),
        cause: tally.blame.cause,
        reason: tally.blame.reason.clone(),
        attempts: tally.attempts,
        times: tally.streak,
        first_at: tally.first_at,
        last_at: tally.last_at,
    }
}

/// When the first row will have been idle for long.
pub(super) fn next_idle(rows: &Rows) -> Result<Option<u64>> {
    let query = "SELECT MIN(last_at) FROM attempts";
    let row = rows.sql().exec(query, Vec::new())?.raw().next().transpose()?;
    Ok(row.and_then(|row| row.first().and_then(integer)).map(|at| at + IDLE_SECS))
}
