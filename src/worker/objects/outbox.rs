//! Notices to the operator: written in the same block as the transition they report, sent by the
//! alarm.
//!
//! A notice is tried at once and then after each of [`GAPS_SECS`], until it is accepted; its id
//! stays. A try is counted before it is sent, so that an end of the object between the two is a try
//! too.

use farebox_core::encoding::json;
use farebox_core::gate::Gate;
use farebox_core::hash::digest;
use farebox_core::ledger::Entry;
use farebox_core::ledger::shard::{self, Slot};
use farebox_core::time::UnixTime;

use super::ledger::Txn;
use super::rows::{LedgerRows, integer, number, text};
use crate::platform::now;
use crate::platform::sql::{Result, SqlValue};
use crate::worker::edge;

/// A notice that is due.
pub(super) struct DueNotice {
    id: String,
    body: String,
}

impl Txn<'_> {
    /// Writes a notice about a row; `since` distinguishes it from the next one of its kind.
    pub(super) fn announce(
        &mut self,
        slot: &Slot,
        entry: &Entry,
        notice: shard::Notice,
        since: UnixTime,
    ) -> Result<()> {
        let (payer, key) = (&slot.payer, &slot.key);
        let payment = &entry.payment;
        let (since, fence) = (since.secs().to_be_bytes(), entry.fence.to_be_bytes());
        // However often it is sent again, it is one unknown settlement.
        let fence: &[u8] = if notice == shard::Notice::UnknownOverdue { &[] } else { &fence };
        let row = farebox_core::ledger::row::Row::of(entry);
        let data = farebox_core::json!({
            "id": payment.receipt,
            "key": key,
            "state": row.state,
            "payer": payer,
            "payee": payment.pay_to,
            "route": payment.route,
            "network": payment.network,
            "asset": payment.asset,
            "amount": payment.amount,
            "transaction": row.transaction,
            "reason": row.reason,
        });
        self.post(notice.name(), &[payer.as_bytes(), key.as_bytes(), &since, fence], &data)
    }

    /// Writes a notice; `names` distinguishes it from others of its kind.
    pub(super) fn post(
        &mut self,
        kind: &str,
        names: &[&[u8]],
        data: &serde_json::Value,
    ) -> Result<()> {
        if self.gate.webhook().is_none() {
            return Ok(());
        }
        let now = self.now.secs();
        let names: Vec<&[u8]> =
            [kind.as_bytes()].into_iter().chain(names.iter().copied()).collect();
        let id = digest(&names);
        let id = format!("evt_{}", id.get(..32).unwrap_or(&id));
        let body = farebox_core::json!({"id": id, "type": kind, "at": now, "data": data});
        let query = "INSERT OR IGNORE INTO outbox VALUES (?, ?, 0, ?, ?)";
        let values = vec![id.into(), json::text(&body).into(), number(now), number(now)];
        self.rows.sql().exec(query, values)?;
        self.chores.notice_at = next(self.rows)?;
        Ok(())
    }

    /// Takes at most this many notices that are due; each counts as tried.
    pub(super) fn due_notices(&mut self, max: usize) -> Result<Vec<DueNotice>> {
        let is_due = self.chores.notice_at.is_some_and(|at| at <= self.now);
        if max == 0 || !is_due {
            return Ok(Vec::new());
        }
        let query = "SELECT id, body, tries FROM outbox WHERE due IS NOT NULL AND due <= ? ORDER BY due LIMIT ?";
        let values = vec![number(self.now.secs()), number(max as u64)];
        let mut due = Vec::new();
        for row in self.rows.sql().exec(query, values)?.raw() {
            let row = row?;
            if let (Some(id), Some(body)) = (text(row.first()), text(row.get(1))) {
                let tries = row.get(2).and_then(integer).unwrap_or(0);
                due.push((DueNotice { id, body }, tries));
            }
        }
        for (notice, tries) in &due {
            let gap = usize::try_from(*tries).ok().and_then(|tries| GAPS_SECS.get(tries));
            let next = gap.map(|gap| self.now.secs() + gap);
            let query = "UPDATE outbox SET tries = ?, due = ? WHERE id = ?";
            let next = next.map_or(SqlValue::Null, number);
            let values = vec![number(tries + 1), next, notice.id.as_str().into()];
            self.rows.sql().exec(query, values)?;
        }
        self.chores.notice_at = next(self.rows)?;
        Ok(due.into_iter().map(|(notice, _)| notice).collect())
    }

    /// Marks a notice as accepted.
    pub(super) fn was_told(&mut self, notice: &DueNotice) -> Result<()> {
        let query = "UPDATE outbox SET due = NULL WHERE id = ?";
        self.rows.sql().exec(query, vec![notice.id.as_str().into()])?;
        self.chores.notice_at = next(self.rows)?;
        Ok(())
    }
}

/// Sends a notice; returns whether it was accepted.
pub(super) async fn notify(gate: &Gate, notice: &DueNotice) -> bool {
    let Some(webhook) = gate.webhook() else { return false };
    let posted = webhook.posted(&notice.body, now());
    let signature = posted.signature.as_deref();
    let sent = edge::post_notice(webhook.url.expose(), signature, &posted.body, DEADLINE_MS);
    edge::settled(sent).await.is_some_and(|taken| taken.is_truthy())
}

/// Time at which the next notice is due.
pub(super) fn next(rows: &LedgerRows) -> Result<Option<UnixTime>> {
    let query = "SELECT due FROM outbox WHERE due IS NOT NULL ORDER BY due LIMIT 1";
    let row = rows.sql().exec(query, Vec::new())?.raw().next().transpose()?;
    Ok(row.and_then(|row| row.first().and_then(integer)).map(UnixTime::from_secs))
}

/// Removes notices that are done and cannot be written again.
pub(super) fn forget(rows: &LedgerRows, now: UnixTime) -> Result<()> {
    let query = "DELETE FROM outbox WHERE due IS NULL AND created <= ?";
    rows.sql().exec(query, vec![number(now.secs().saturating_sub(KEEP_SECS))]).map(|_| ())
}

/// Seconds from each try to the next: six tries within 24 hours.
const GAPS_SECS: [u64; 5] = [5, 60, 600, 7_200, 75_600];
/// Seconds for which a finished notice is remembered: longer than any settlement stays unknown.
const KEEP_SECS: u64 = 35 * 86_400;
/// Deadline of one try, milliseconds.
const DEADLINE_MS: u32 = 5_000;
