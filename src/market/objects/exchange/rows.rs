//! Rows of a profile as the core reads them: one statement per read.

use farebox_core::compute::errand::ErrandKind;
use farebox_core::compute::figures::Figures;
use farebox_core::compute::keep::MAX_LEAVING;
use farebox_core::compute::records::{DueRow, Ends, Holder, LeavingRow, OverJob, Rows, Seats};
use farebox_core::compute::row::{
    BondRow, DaySales, HoldRow, JobRow, JobState, OrphanTally, QuoteRow, SellerRow,
};
use farebox_core::compute::settings::Profile;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

use crate::platform::columns::{first, json, number, read, text, whole, word};
use crate::platform::sql::{Result, Sql, SqlValue};

/// Most sellers that views count.
const MAX_ONLINE: u64 = 1_000;
/// Sellers of a page that are compared for one seat.
const MAX_PAGE: u64 = 64;
/// The order of sellers for one seat: a longer number of atomic units is a greater one.
const ORDER: &str = "length(json_extract(row, '$.units')), json_extract(row, '$.units'), coalesce(json_extract(row, '$.served'), 0), id";
/// Most quotes of a client that are counted.
const MAX_UNSOLD: u64 = 100;
/// Most bonds of a seller that are read at once.
const MAX_BONDS: u64 = 1_000;

/// A profile's rows.
pub(super) struct ExchangeRows<'a>(pub &'a Sql);

impl ExchangeRows<'_> {
    pub(super) fn run(&self, query: &str, values: Vec<SqlValue>) -> Result<()> {
        self.0.exec(query, values).map(|_| ())
    }

    pub(super) fn one<T: DeserializeOwned>(
        &self,
        query: &str,
        values: Vec<SqlValue>,
    ) -> Result<Option<T>> {
        first(self.0, query, values)?.map(|value| read(&value)).transpose()
    }

    pub(super) fn all<T: DeserializeOwned>(
        &self,
        query: &str,
        values: Vec<SqlValue>,
    ) -> Result<Vec<T>> {
        let rows = self.0.exec(query, values)?;
        rows.raw().map(|row| read(row?.first().unwrap_or(&SqlValue::Null))).collect()
    }

    pub(super) fn count(&self, query: &str, values: Vec<SqlValue>) -> Result<u64> {
        Ok(first(self.0, query, values)?.as_ref().and_then(number).unwrap_or(0))
    }

    /// Notes whose rows these are: the alarm is not told.
    pub(super) fn belong_to(&self, profile: Profile) -> Result<()> {
        let query = "INSERT OR REPLACE INTO meta VALUES ('profile', ?)";
        self.run(query, vec![profile.name().into()])
    }

    /// The profile that these rows belong to.
    pub(super) fn profile(&self) -> Result<Option<Profile>> {
        let query = "SELECT value FROM meta WHERE name = 'profile'";
        let name = text(first(self.0, query, vec![])?.as_ref());
        Ok(name.and_then(|name| Profile::from_name(&name)))
    }

    /// When something is due first. The platform takes at most five terms beside each other.
    pub(super) fn due_first(&self) -> Result<Option<u64>> {
        let query = "SELECT min(due) FROM (
            SELECT min(until) AS due FROM quotes WHERE state = 'open'
            UNION ALL SELECT min(until) FROM quotes WHERE state = 'displaced'
            UNION ALL SELECT min(due) FROM jobs WHERE due IS NOT NULL
            UNION ALL SELECT min(due) FROM (
                SELECT min(due) AS due FROM holds WHERE due IS NOT NULL AND kind = 'job'
                UNION ALL SELECT min(due) FROM holds WHERE due IS NOT NULL AND kind = 'payout'
                UNION ALL SELECT min(due) FROM holds WHERE due IS NOT NULL AND kind = 'orphan'))";
        Ok(first(self.0, query, vec![])?.as_ref().and_then(number))
    }
}

impl Rows for ExchangeRows<'_> {
    type Error = JsValue;

    fn seller(&self, id: &str) -> Result<Option<SellerRow>> {
        self.one("SELECT row FROM sellers WHERE id = ?", vec![id.into()])
    }

    fn online(&self, since: u64) -> Result<Vec<SellerRow>> {
        let query = format!(
            "SELECT row FROM (SELECT row, row_number() OVER (PARTITION BY capability ORDER BY {ORDER}) AS place
                FROM sellers WHERE presence = 'online' AND heartbeat >= ?)
            ORDER BY place LIMIT ?"
        );
        self.all(&query, vec![whole(since), whole(MAX_ONLINE)])
    }

    fn cheapest(
        &self,
        capability: &str,
        since: u64,
        after: Option<&SellerRow>,
    ) -> Result<Vec<SellerRow>> {
        let mut values: Vec<SqlValue> = vec![capability.into(), whole(since)];
        let mut later = String::new();
        if let Some(seller) = after {
            later = format!("AND ({ORDER}) > (?, ?, ?, ?)");
            values.extend([whole(seller.units.len() as u64), seller.units.as_str().into()]);
            values.extend([whole(seller.served), seller.id.as_str().into()]);
        }
        values.push(whole(MAX_PAGE));
        let query = format!(
            "SELECT row FROM sellers WHERE presence = 'online' AND capability = ? AND +heartbeat >= ? {later}
            ORDER BY {ORDER} LIMIT ?"
        );
        self.all(&query, values)
    }

    fn unproven(&self, client: &str, since: u64) -> Result<u64> {
        let query = "SELECT count(*) FROM sellers WHERE json_extract(row, '$.client') = ?
            AND json_extract(row, '$.created') >= ? AND json_extract(row, '$.subject') = ''";
        self.count(query, vec![client.into(), whole(since)])
    }

    fn seats(&self, seller: &str, now: u64) -> Result<Seats> {
        let open = "SELECT count(*) FROM quotes WHERE state = 'open' AND seller = ? AND until > ?";
        let firm = "SELECT count(*) FROM quotes
            WHERE state = 'open' AND seller = ? AND until > ? AND firm > ?";
        let busy = "SELECT count(*) FROM jobs
            WHERE seller = ? AND state IN ('settling', 'paid', 'running')";
        let forgeable = "SELECT count(*) FROM jobs WHERE seller = ? AND state = 'settling'
            AND coalesce(json_extract(row, '$.signer'), 'unknown') = 'unknown'";
        let reserved = self.count(open, vec![seller.into(), whole(now)])?;
        let firm = self.count(firm, vec![seller.into(), whole(now), whole(now)])?;
        let busy = self.count(busy, vec![seller.into()])?;
        let forgeable = self.count(forgeable, vec![seller.into()])?;
        let few = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let [reserved, firm, busy, forgeable] = [reserved, firm, busy, forgeable].map(few);
        Ok(Seats { reserved, firm, busy, forgeable })
    }

    fn taken_seats(&self, now: u64) -> Result<Vec<(String, Seats)>> {
        let query = "SELECT seller, sum(reserved), sum(firm), sum(busy) FROM (
            SELECT seller, 1 AS reserved, firm > ? AS firm, 0 AS busy FROM quotes
                WHERE state = 'open' AND until > ?
            UNION ALL SELECT seller, 0, 0, 1 FROM jobs WHERE state IN ('settling', 'paid', 'running'))
            GROUP BY seller";
        let few = |value: Option<&SqlValue>| {
            let count = value.and_then(number).unwrap_or(0);
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let taken = |row: Vec<SqlValue>| {
            let [reserved, firm, busy] = [1, 2, 3].map(|place| few(row.get(place)));
            let seats = Seats { reserved, firm, busy, forgeable: 0 };
            (text(row.first()).unwrap_or_default(), seats)
        };
        let rows = self.0.exec(query, vec![whole(now), whole(now)])?;
        rows.raw().map(|row| Ok(taken(row?))).collect()
    }

    fn holders(&self, seller: &str, now: u64) -> Result<Vec<Holder>> {
        let query = "SELECT id, client, firm FROM quotes
            WHERE state = 'open' AND seller = ? AND until > ? ORDER BY number";
        let holder = |row: Vec<SqlValue>| Holder {
            quote: text(row.first()).unwrap_or_default(),
            client: text(row.get(1)).unwrap_or_default(),
            firm: row.get(2).and_then(number).unwrap_or(0),
        };
        let rows = self.0.exec(query, vec![seller.into(), whole(now)])?;
        rows.raw().map(|row| Ok(holder(row?))).collect()
    }

    fn forgeable(&self, seller: &str) -> Result<Option<JobRow>> {
        let query = "SELECT row FROM jobs WHERE seller = ? AND state = 'settling'
            AND coalesce(json_extract(row, '$.signer'), 'unknown') = 'unknown'
            ORDER BY number LIMIT 1";
        self.one(query, vec![seller.into()])
    }

    fn bond(&self, id: &str) -> Result<Option<BondRow>> {
        self.one("SELECT row FROM bonds WHERE id = ?", vec![id.into()])
    }

    fn bonds_of(&self, seller: &str, since: u64) -> Result<Vec<BondRow>> {
        let query = "SELECT row FROM bonds WHERE seller = ? AND created >= ?
            ORDER BY created, rowid LIMIT ?";
        self.all(query, vec![seller.into(), whole(since), whole(MAX_BONDS)])
    }

    fn has_bond_by(&self, transaction: &str) -> Result<bool> {
        let query = "SELECT 1 FROM bonds WHERE tx = ?";
        Ok(first(self.0, query, vec![transaction.into()])?.is_some())
    }

    fn bonds_asked(&self, client: &str, since: u64) -> Result<u64> {
        let query = "SELECT count(*) FROM bonds WHERE client = ? AND created >= ?";
        self.count(query, vec![client.into(), whole(since)])
    }

    fn quote(&self, id: &str) -> Result<Option<QuoteRow>> {
        self.one("SELECT row FROM quotes WHERE id = ?", vec![id.into()])
    }

    fn quote_of(&self, fingerprint: &str) -> Result<Option<QuoteRow>> {
        let query = "SELECT row FROM quotes WHERE fingerprint = ? ORDER BY number DESC LIMIT 1";
        self.one(query, vec![fingerprint.into()])
    }

    fn quote_at(&self, fingerprint: &str, units: &str) -> Result<Option<QuoteRow>> {
        let query = "SELECT row FROM quotes
            WHERE fingerprint = ? AND json_extract(row, '$.units') = ? ORDER BY number DESC LIMIT 1";
        self.one(query, vec![fingerprint.into(), units.into()])
    }

    fn unsold(&self, client: &str, since: u64) -> Result<Vec<QuoteRow>> {
        let query = "SELECT row FROM quotes
            WHERE client = ? AND created >= ? AND state <> 'sold' LIMIT ?";
        self.all(query, vec![client.into(), whole(since), whole(MAX_UNSOLD)])
    }

    fn job(&self, id: &str) -> Result<Option<JobRow>> {
        self.one("SELECT row FROM jobs WHERE id = ?", vec![id.into()])
    }

    fn job_of(&self, quote: &str) -> Result<Option<JobRow>> {
        self.one("SELECT row FROM jobs WHERE quote = ?", vec![quote.into()])
    }

    fn job_shown(&self, shown: &str) -> Result<Option<JobRow>> {
        self.one(
            "SELECT row FROM jobs WHERE shown = ? ORDER BY number DESC LIMIT 1",
            vec![shown.into()],
        )
    }

    fn job_shown_for(&self, shown: &str, fingerprint: &str) -> Result<Option<JobRow>> {
        let query = "SELECT jobs.row FROM jobs JOIN quotes ON quotes.id = jobs.quote
            WHERE jobs.shown = ? AND quotes.fingerprint = ? ORDER BY jobs.number DESC LIMIT 1";
        self.one(query, vec![shown.into(), fingerprint.into()])
    }

    fn jobs(&self, seller: &str, limit: u32) -> Result<Vec<JobRow>> {
        let query = "SELECT row FROM jobs WHERE seller = ? AND state IN ('paid', 'running')
            ORDER BY number LIMIT ?";
        self.all(query, vec![seller.into(), whole(limit.into())])
    }

    fn hold(&self, payment: &str) -> Result<Option<HoldRow>> {
        self.one("SELECT row FROM holds WHERE payment = ?", vec![payment.into()])
    }

    fn is_paid_by(&self, transaction: &str) -> Result<bool> {
        let query = "SELECT 1 FROM holds WHERE json_extract(row, '$.settlement') = ?";
        Ok(first(self.0, query, vec![transaction.into()])?.is_some())
    }

    fn leaving(&self, ends: Ends) -> Result<Vec<LeavingRow>> {
        let limit = || whole(MAX_LEAVING.into());
        let mut rows = Vec::new();
        let keys = |query: &str, values: Vec<SqlValue>| -> Result<Vec<SqlValue>> {
            let found = self.0.exec(query, values)?.raw();
            found.map(|row| Ok(row?.into_iter().next().unwrap_or(SqlValue::Null))).collect()
        };
        let mut named = |query: &str, before: u64, make: fn(String) -> LeavingRow| -> Result<()> {
            let found = keys(query, vec![whole(before), limit()])?;
            rows.extend(found.iter().filter_map(|key| text(Some(key))).map(make));
            Ok(())
        };
        let unsold = "SELECT id FROM quotes WHERE state = 'lapsed' AND until < ? LIMIT ?";
        named(unsold, ends.quotes, LeavingRow::Quote)?;
        let sold = "SELECT id FROM quotes WHERE state = 'sold' AND until < ? LIMIT ?";
        named(sold, ends.over, LeavingRow::Quote)?;
        let over = "SELECT id FROM jobs
            WHERE state IN ('done', 'failed') AND created < ? ORDER BY number LIMIT ?";
        named(over, ends.over, LeavingRow::Job)?;
        let bonds = "SELECT id FROM bonds WHERE created < ? LIMIT ?";
        named(bonds, ends.over, LeavingRow::Bond)?;
        let unproven = "SELECT id FROM bonds WHERE tx IS NULL AND created < ? LIMIT ?";
        named(unproven, ends.unsold, LeavingRow::Bond)?;
        let unproven = "SELECT id FROM sellers WHERE json_extract(row, '$.subject') = ''
            AND json_extract(row, '$.created') < ? LIMIT ?";
        named(unproven, ends.unsold, LeavingRow::Seller)?;
        let events = "SELECT number FROM events WHERE at < ? ORDER BY number LIMIT ?";
        let found = keys(events, vec![whole(ends.over), limit()])?;
        rows.extend(found.iter().filter_map(number).map(LeavingRow::Event));
        let hours = "SELECT hour FROM hours WHERE hour < ? ORDER BY hour LIMIT ?";
        let found = keys(hours, vec![whole(ends.over), limit()])?;
        rows.extend(found.iter().filter_map(number).map(LeavingRow::Hour));
        Ok(rows)
    }

    fn over(&self, beyond: u32) -> Result<Vec<OverJob>> {
        let count = "SELECT count(*) FROM jobs WHERE state IN ('done', 'failed')";
        if self.count(count, vec![])? <= u64::from(beyond) {
            return Ok(Vec::new());
        }
        // All columns are in the index: the texts of the rows are not read.
        let query = "SELECT id, json_extract(row, '$.buyer'), seller, created FROM jobs
            WHERE state IN ('done', 'failed') ORDER BY number DESC";
        let job = |row: Vec<SqlValue>| OverJob {
            id: text(row.first()).unwrap_or_default(),
            buyer: text(row.get(1)).unwrap_or_default(),
            seller: text(row.get(2)).unwrap_or_default(),
            created: row.get(3).and_then(number).unwrap_or(0),
        };
        self.0.exec(query, vec![])?.raw().map(|row| Ok(job(row?))).collect()
    }

    fn orphans(&self) -> Result<OrphanTally> {
        Ok(self.tally()?.orphans)
    }

    fn sales(&self, seller: Option<&str>) -> Result<DaySales> {
        Ok(match seller {
            Some(id) => self.record(id)?.map(|record| record.sales).unwrap_or_default(),
            None => self.tally()?.sales,
        })
    }

    fn due(&self, now: u64) -> Result<Option<DueRow>> {
        let query = "SELECT row FROM jobs
            WHERE due IS NOT NULL AND due <= ? AND state <> 'releasing' ORDER BY due LIMIT 1";
        if let Some(job) = self.one(query, vec![whole(now)])? {
            return Ok(Some(DueRow::Job(Box::new(job))));
        }
        let query = "SELECT row FROM quotes
            WHERE state = ? AND until <= ? ORDER BY until LIMIT 1";
        for state in ["open", "displaced"] {
            if let Some(quote) = self.one(query, vec![state.into(), whole(now)])? {
                return Ok(Some(DueRow::Quote(Box::new(quote))));
            }
        }
        Ok(None)
    }

    fn ahead(&self, after: u64) -> Result<Option<DueRow>> {
        let query = "SELECT row FROM jobs WHERE due IS NOT NULL AND due > ? LIMIT 1";
        if let Some(job) = self.one(query, vec![whole(after)])? {
            return Ok(Some(DueRow::Job(Box::new(job))));
        }
        for kind in [ErrandKind::Job, ErrandKind::Payout, ErrandKind::Orphan] {
            let query =
                "SELECT row FROM holds WHERE kind = ? AND due IS NOT NULL AND due > ? LIMIT 1";
            if let Some(hold) = self.one(query, vec![word(&kind), whole(after)])? {
                return Ok(Some(DueRow::Hold(Box::new(hold))));
            }
        }
        let query = "SELECT row FROM quotes WHERE state = ? AND until > ? LIMIT 1";
        for state in ["open", "displaced"] {
            if let Some(quote) = self.one(query, vec![state.into(), whole(after)])? {
                return Ok(Some(DueRow::Quote(Box::new(quote))));
            }
        }
        Ok(None)
    }

    fn errand(
        &self,
        kind: ErrandKind,
        now: u64,
        under_way: &[String],
        served: &[String],
    ) -> Result<Option<DueRow>> {
        let (from, of, id, seller) = match kind {
            ErrandKind::Proof => ("jobs WHERE state", word(&JobState::Releasing), "id", "seller"),
            ErrandKind::Job | ErrandKind::Payout | ErrandKind::Orphan => {
                ("holds WHERE kind", word(&kind), "payment", "payee")
            }
        };
        let query = format!(
            "SELECT row FROM {from} = ? AND due IS NOT NULL AND due <= ?
                AND {id} NOT IN (SELECT value FROM json_each(?))
                AND {seller} NOT IN (SELECT value FROM json_each(?)) ORDER BY due LIMIT 1"
        );
        let values = vec![of, whole(now), json(&under_way), json(&served)];
        Ok(match kind {
            ErrandKind::Proof => self.one(&query, values)?.map(|row| DueRow::Job(Box::new(row))),
            ErrandKind::Job | ErrandKind::Payout | ErrandKind::Orphan => {
                self.one(&query, values)?.map(|row| DueRow::Hold(Box::new(row)))
            }
        })
    }
}
