//! Changes of a profile's rows, one statement each.

use farebox_core::compute::errand::ErrandKind;
use farebox_core::compute::records::{Change, LeavingRow};
use farebox_core::compute::row::{BondRow, EventRow, HoldRow, JobRow, QuoteRow, SellerRow};

use super::rows::ExchangeRows;
use crate::platform::columns::{json, maybe, whole, word};
use crate::platform::sql::{Result, SqlValue};

impl ExchangeRows<'_> {
    /// Carries out changes, in order.
    pub(super) fn write(&self, changes: &[Change]) -> Result<()> {
        changes.iter().try_for_each(|change| match change {
            Change::Seller(row) => self.put_seller(row),
            Change::Bond(row) => self.put_bond(row),
            Change::Quote(row) => self.put_quote(row),
            Change::Job(row) => self.put_job(row),
            Change::JobGone(id) => {
                self.run("DELETE FROM jobs WHERE id = ?", vec![id.as_str().into()])
            }
            Change::Hold(row) => self.put_hold(row),
            Change::Event(row) => self.add_event(row),
            Change::Leaves(row) => self.delete(row),
        })
    }

    fn put_seller(&self, row: &SellerRow) -> Result<()> {
        let (id, capability) = (row.id.as_str().into(), row.capability.as_str().into());
        let values = vec![id, capability, word(&row.presence), maybe(row.heartbeat), json(row)];
        self.run("INSERT OR REPLACE INTO sellers VALUES (?, ?, ?, ?, ?)", values)
    }

    fn put_bond(&self, row: &BondRow) -> Result<()> {
        // Another bond of the same transaction is an error, not a replacement.
        let query = "INSERT INTO bonds VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET tx = excluded.tx, row = excluded.row";
        let transaction = if row.transaction.is_empty() {
            SqlValue::Null
        } else {
            row.transaction.as_str().into()
        };
        let text = |text: &String| SqlValue::from(text.as_str());
        let mut values =
            vec![text(&row.id), text(&row.client), text(&row.seller), text(&row.agent)];
        values.extend([whole(row.created), transaction, json(row)]);
        self.run(query, values)
    }

    fn put_quote(&self, row: &QuoteRow) -> Result<()> {
        let query =
            "INSERT INTO quotes (id, fingerprint, client, seller, state, created, until, firm, row)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET state = excluded.state, row = excluded.row";
        let text = |text: &String| SqlValue::from(text.as_str());
        let mut values =
            vec![text(&row.id), text(&row.fingerprint), text(&row.client), text(&row.seller)];
        values.extend([word(&row.state), whole(row.created), whole(row.until), whole(row.firm)]);
        values.push(json(row));
        self.run(query, values)
    }

    fn put_job(&self, row: &JobRow) -> Result<()> {
        let query = "INSERT INTO jobs (id, quote, seller, shown, state, created, due, row)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE
            SET seller = excluded.seller, state = excluded.state, due = excluded.due, row = excluded.row";
        let text = |text: &String| SqlValue::from(text.as_str());
        let shown = if row.shown.is_empty() { SqlValue::Null } else { text(&row.shown) };
        let mut values = vec![text(&row.id), text(&row.quote), text(&row.seller), shown];
        values.extend([word(&row.state), whole(row.created), maybe(row.due), json(row)]);
        self.run(query, values)
    }

    fn put_hold(&self, row: &HoldRow) -> Result<()> {
        let (payment, job) = (row.payment.as_str().into(), row.job.as_str().into());
        let mut values = vec![payment, job, row.progress().into(), maybe(row.due), json(row)];
        values.extend([word(&ErrandKind::of(row)), row.payee.as_str().into()]);
        self.run("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    }

    fn delete(&self, row: &LeavingRow) -> Result<()> {
        let (query, key) = match row {
            LeavingRow::Seller(id) => ("DELETE FROM sellers WHERE id = ?", id.as_str().into()),
            LeavingRow::Bond(id) => ("DELETE FROM bonds WHERE id = ?", id.as_str().into()),
            LeavingRow::Quote(id) => ("DELETE FROM quotes WHERE id = ?", id.as_str().into()),
            LeavingRow::Job(id) => ("DELETE FROM jobs WHERE id = ?", id.as_str().into()),
            LeavingRow::Event(number) => ("DELETE FROM events WHERE number = ?", whole(*number)),
            LeavingRow::Hour(hour) => ("DELETE FROM hours WHERE hour = ?", whole(*hour)),
        };
        self.run(query, vec![key])
    }

    fn add_event(&self, row: &EventRow) -> Result<()> {
        let query = "INSERT INTO events (at, kind, job, seller, row) VALUES (?, ?, ?, ?, ?)";
        let (job, seller) = (row.job.as_str().into(), row.seller.as_str().into());
        self.run(query, vec![whole(row.at), word(&row.kind), job, seller, json(row)])
    }
}
