//! Failures in a row: rows beside the payments, all of them in memory, written behind answers that
//! do not wait.

use farebox_core::gate::Gate;
use farebox_core::ledger::attempts::{
    ClientCount, Counted, FailureCause, FailureStreak, StreakKey, is_payer,
};
use farebox_core::ledger::report::FailingClient;
use farebox_core::ledger::shard::Shard;
use farebox_core::payment::Cause;
use farebox_core::sorted::{Sorted, by_rank};

use super::ledger::Txn;
use super::rows::{LedgerRows, integer, number, text};
use crate::platform::sql::Result;

/// Reads the rows, oldest first.
pub(super) fn load_failures(rows: &LedgerRows, shard: &mut Shard) -> Result<()> {
    let query = "SELECT who, route, attempts, first_at, last_at, cause, reason, streak, claims FROM attempts ORDER BY last_at";
    for row in rows.sql().exec(query, Vec::new())?.raw() {
        let row = row?;
        let column = |index: usize| text(row.get(index));
        let count = |index: usize| row.get(index).and_then(integer).unwrap_or(0);
        let (Some(who), Some(route)) = (column(0), column(1)) else { continue };
        let cause = column(5).and_then(|name| Cause::parse(&name)).unwrap_or(Cause::Unknown);
        let tally = FailureStreak {
            attempts: count(2),
            first_at: count(3),
            last_at: count(4),
            latest: FailureCause { cause, reason: column(6).unwrap_or_default() },
            streak: count(7),
        };
        shard.load_failures((who, route), tally, column(8));
    }
    Ok(())
}

impl Txn<'_> {
    /// Merges the counts of an isolate.
    pub(super) fn count(&mut self, entries: Vec<ClientCount>) -> Result<Counted> {
        let (counted, changes) = self.shard.count(entries, self.now);
        self.write(&changes)?;
        Ok(counted)
    }

    /// Writes a row of failures.
    pub(super) fn put_failures(
        &self,
        place: &StreakKey,
        tally: &FailureStreak,
        claims: Option<&str>,
    ) -> Result<()> {
        let query = "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let values = vec![
            place.0.as_str().into(),
            place.1.as_str().into(),
            number(tally.attempts),
            number(tally.first_at),
            number(tally.last_at),
            tally.latest.cause.name().into(),
            tally.latest.reason.as_str().into(),
            number(tally.streak),
            claims.map(ToOwned::to_owned).into(),
        ];
        self.rows.sql().exec(query, values).map(|_| ())
    }

    /// Removes a row of failures.
    pub(super) fn delete_failures(&self, place: &StreakKey) -> Result<()> {
        let query = "DELETE FROM attempts WHERE who = ? AND route = ?";
        let values = vec![place.0.as_str().into(), place.1.as_str().into()];
        self.rows.sql().exec(query, values).map(|_| ())
    }

    /// Removes rows that were idle for long.
    pub(super) fn purge_failures(&mut self) -> Result<()> {
        let until = self.shard.forget_idle(self.now);
        let query = "DELETE FROM attempts WHERE last_at <= ?";
        self.rows.sql().exec(query, vec![number(until.secs())]).map(|_| ())
    }

    /// Writes a notice about a client that has failed too often.
    pub(super) fn announce_threshold(
        &mut self,
        (who, route): &StreakKey,
        tally: &FailureStreak,
        claims: Option<&str>,
    ) -> Result<()> {
        let failing = failing(self.gate, who, route, tally, claims);
        let data = farebox_core::json!({
            "payer": is_payer(who).then_some(who),
            "client": failing.client,
            "claims": failing.claims,
            "route": failing.route,
            "code": failing.code,
            "cause": failing.cause.name(),
            "reason": failing.reason,
            "attempts": failing.attempts,
            "first_at": failing.first_at,
            "last_at": failing.last_at,
        });
        let first = tally.first_at.to_be_bytes();
        self.post("payer.threshold", &[who.as_bytes(), route.as_bytes(), &first], &data)
    }

    /// The clients that failed, most often first.
    pub(super) fn failures(&self, limit: u32) -> Vec<FailingClient> {
        let all = self.shard.failing(self.now).collect();
        by_rank(all, |(_, row)| (!row.tally.attempts, !row.tally.streak))
            .into_iter()
            .take(limit as usize)
            .map(|((who, route), row)| {
                failing(self.gate, who, route, &row.tally, row.claims.as_deref())
            })
            .collect()
    }

    /// The number of failing clients, by route, code and kind.
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

fn failing(
    gate: &Gate,
    who: &str,
    route: &str,
    tally: &FailureStreak,
    claims: Option<&str>,
) -> FailingClient {
    FailingClient {
        client: who.to_owned(),
        claims: claims.map(ToOwned::to_owned),
        route: route.to_owned(),
        code: gate.failing_code(route, tally).to_owned(),
        cause: tally.latest.cause,
        reason: tally.latest.reason.clone(),
        attempts: tally.attempts,
        times: tally.streak,
        first_at: tally.first_at,
        last_at: tally.last_at,
    }
}
