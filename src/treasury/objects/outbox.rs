//! Notices to the operator: written in the same block as what they report, sent by the alarm.
//!
//! A notice is tried at once and then after each of [`GAPS_SECS`], until it is accepted; its id
//! stays. A try is counted before it is sent, so that an end of the object between the two is a try
//! too.

use farebox_core::treasury::Treasury;
use farebox_core::treasury::row::Notice;

use crate::platform::columns::{number, text, whole};
use crate::platform::sql::{Result, Sql, SqlValue};

/// A notice that is due.
pub(super) struct Due {
    pub id: String,
    pub body: String,
}

/// Writes a notice, if there is a webhook.
pub(super) fn put(sql: &Sql, treasury: &Treasury, notice: &Notice, now: u64) -> Result<()> {
    if treasury.webhook.is_none() {
        return Ok(());
    }
    let query = "INSERT OR IGNORE INTO outbox VALUES (?, ?, 0, ?, ?)";
    let (id, body) = (notice.id.as_str().into(), notice.body.as_str().into());
    sql.exec(query, vec![id, body, whole(now), whole(now)]).map(|_| ())
}

/// Takes at most two notices that are due, the one that is due the longest and the newest: so that
/// what many payments cause holds up no other. Each counts as tried.
pub(super) fn take(sql: &Sql, now: u64) -> Result<Vec<Due>> {
    let query = "SELECT id, body, tries FROM outbox WHERE id IN (
            SELECT * FROM (SELECT id FROM outbox WHERE due IS NOT NULL AND due <= ?1 ORDER BY due LIMIT 1)
            UNION
            SELECT * FROM (SELECT id FROM outbox WHERE due IS NOT NULL AND due <= ?1 ORDER BY due DESC LIMIT 1))";
    let mut found = Vec::new();
    for row in sql.exec(query, vec![whole(now)])?.raw() {
        let row = row?;
        if let (Some(id), Some(body)) = (text(row.first()), text(row.get(1))) {
            found.push((Due { id, body }, row.get(2).and_then(number).unwrap_or(0)));
        }
    }
    for (due, tries) in &found {
        let gap = usize::try_from(*tries).ok().and_then(|tries| GAPS_SECS.get(tries));
        let next = gap.map_or(SqlValue::Null, |gap| whole(now + gap));
        let query = "UPDATE outbox SET tries = ?, due = ? WHERE id = ?";
        sql.exec(query, vec![whole(tries + 1), next, due.id.as_str().into()])?;
    }
    Ok(found.into_iter().map(|(due, _)| due).collect())
}

/// Marks a notice as accepted, and forgets those that are done and cannot be written again.
pub(super) fn was_told(sql: &Sql, id: &str, now: u64) -> Result<()> {
    sql.exec("UPDATE outbox SET due = NULL WHERE id = ?", vec![id.into()])?;
    let query = "DELETE FROM outbox WHERE due IS NULL AND created <= ?";
    sql.exec(query, vec![whole(now.saturating_sub(KEEP_SECS))]).map(|_| ())
}

/// Seconds from each try to the next: six tries within 24 hours.
const GAPS_SECS: [u64; 5] = [5, 60, 600, 7_200, 75_600];
/// Seconds for which a finished notice is remembered.
const KEEP_SECS: u64 = 35 * 86_400;
