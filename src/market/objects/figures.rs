//! Numbers of all rows, for the operator: each statement looks at an index or at totals.

use farebox_core::skills::row::MarketFigures;

use super::books::SkillRows;
use crate::platform::columns::{number, whole};
use crate::platform::sql::{Result, SqlValue};

impl SkillRows<'_> {
    pub(super) fn counted(&self, now: u64) -> Result<MarketFigures> {
        let all = |query: &str, values: Vec<SqlValue>| -> Result<Vec<u64>> {
            let row = self.0.exec(query, values)?.raw().next().transpose()?.unwrap_or_default();
            Ok(row.iter().map(|column| number(column).unwrap_or(0)).collect())
        };
        // Totals of accounts stay where the rows of the ledger may go.
        let sums = ["free", "paid_ok", "paid_failed", "not_paid_failed", "insufficient"]
            .map(|name| format!("sum(json_extract(row, '$.{name}'))"));
        let sums = all(&format!("SELECT {} FROM spend", sums.join(", ")), vec![])?;
        let of = |at: usize| sums.get(at).copied().unwrap_or(0);
        let packs = all("SELECT count(*), sum(json_extract(row, '$.used')) FROM packs", vec![])?;
        let running = "SELECT count(*) FROM invocations WHERE ending = 'running'";
        let serving = "SELECT count(*) FROM subscriptions WHERE renews > ?";
        Ok(MarketFigures {
            free: of(0),
            paid_ok: of(1),
            paid_failed: of(2),
            not_paid_failed: of(3),
            insufficient: of(4),
            running: self.count(running, vec![])?,
            skills: self.count("SELECT count(*) FROM skills WHERE active = 1", vec![])?,
            packs: packs.first().copied().unwrap_or(0),
            pack_calls: packs.get(1).copied().unwrap_or(0),
            quotes: self.count("SELECT count(*) FROM quotes WHERE until >= ?", vec![whole(now)])?,
            settled: self.count("SELECT max(number) FROM settled", vec![])?,
            subscriptions: self.count(serving, vec![whole(now)])?,
        })
    }
}
