//! The free requests of a day: one row for each client at each route, under a new name every day.

use farebox_core::ledger::quota::{DAY_SECS, KEPT_DAYS, Spend};

use super::ledger::Txn;
use super::rows::{integer, number};
use crate::platform::sql::Result;

impl Txn<'_> {
    /// Takes one of a client's free requests; returns how many are left, or `None` if there was
    /// none.
    pub(super) fn spend(&mut self, spend: &Spend) -> Result<Option<u64>> {
        let query = "INSERT INTO quota VALUES (?, ?, 1)
             ON CONFLICT (day, client) DO UPDATE SET used = used + 1 WHERE used < ? RETURNING used";
        let values = vec![number(spend.day), spend.spend.as_str().into(), number(spend.per_day)];
        let row = self.rows.sql().exec(query, values)?.raw().next().transpose()?;
        let Some(used) = row.and_then(|row| row.first().and_then(integer)) else {
            return Ok(None);
        };
        self.plan_purge()?;
        Ok(Some(spend.per_day.saturating_sub(used)))
    }

    /// Removes counts of days that are long over; returns how many.
    pub(super) fn purge_quota(&self, max: u64) -> Result<usize> {
        let query = "DELETE FROM quota WHERE (day, client) IN
             (SELECT day, client FROM quota WHERE day <= ? LIMIT ?) RETURNING day";
        let day = (self.now.secs() / DAY_SECS).saturating_sub(KEPT_DAYS);
        let mut gone = self.rows.sql().exec(query, vec![number(day), number(max)])?.raw();
        gone.try_fold(0, |count, row| row.map(|_| count + 1))
    }
}
