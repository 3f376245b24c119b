//! The figures of a profile, in its rows: one statement per read.

use farebox_core::compute::figures::{
    About, Figure, Figures, HourTally, ListPart, MoneyOf, SellerRecord, Tally,
};
use farebox_core::compute::row::{EventRow, HoldRow, JobRow, SellerRow};
use serde::de::DeserializeOwned;

use super::rows::ExchangeRows;
use crate::platform::columns::{json, number, read, whole};
use crate::platform::sql::{Result, SqlValue};

/// Where money goes, as [`schema`](super::schema) indexes it; null while that is not decided.
const LEAVE: &str =
    "coalesce(json_extract(row, '$.state.paying'), json_extract(row, '$.state.sent'),
    json_extract(row, '$.state.ended'))";

impl ExchangeRows<'_> {
    /// Writes what was counted.
    pub(super) fn note(&self, figures: &[Figure]) -> Result<()> {
        figures.iter().try_for_each(|figure| match figure {
            Figure::Profile(row) => {
                self.run("INSERT OR REPLACE INTO meta VALUES ('tally', ?)", vec![json(row)])
            }
            Figure::Hour(row) => {
                let query = "INSERT OR REPLACE INTO hours VALUES (?, ?)";
                self.run(query, vec![whole(row.hour), json(row)])
            }
            Figure::Seller(row) => {
                let query = "INSERT OR REPLACE INTO records VALUES (?, ?, ?)";
                self.run(query, vec![row.seller.as_str().into(), whole(row.done), json(row)])
            }
        })
    }

    /// A part of a list of numbered rows, the highest number first.
    fn listed<T: DeserializeOwned>(
        &self,
        from: &str,
        number_column: &str,
        part: &ListPart,
    ) -> Result<Vec<(u64, T)>> {
        let mut values: Vec<SqlValue> = part.states.iter().map(|it| it.as_str().into()).collect();
        let mut conditions = Vec::new();
        if !part.states.is_empty() {
            conditions.push(format!("state IN ({})", vec!["?"; part.states.len()].join(", ")));
        }
        if !part.seller.is_empty() {
            conditions.push("seller = ?".to_owned());
            values.push(part.seller.as_str().into());
        }
        conditions.extend(match part.money {
            MoneyOf::Anything => None,
            MoneyOf::Jobs => Some("job <> ''".to_owned()),
            MoneyOf::Orphans => Some("job = ''".to_owned()),
        });
        if let Some(leave) = part.leave {
            // Written out: only so is the index of refunds found.
            conditions.push(format!("{LEAVE} = '{}'", leave.name()));
        }
        if let Some(place) = &part.after {
            conditions.push(format!("{number_column} < ?"));
            values.push(whole(place.at));
        }
        let only = if conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", conditions.join(" AND "))
        };
        values.push(whole(part.limit.into()));
        let query = format!("SELECT {from} {only} ORDER BY {number_column} DESC LIMIT ?");
        let rows = self.0.exec(&query, values)?;
        let numbered = |columns: Vec<SqlValue>| {
            let row = read(columns.get(1).unwrap_or(&SqlValue::Null))?;
            Ok((columns.first().and_then(number).unwrap_or(0), row))
        };
        rows.raw().map(|row| numbered(row?)).collect()
    }

    /// Number of the newest event; 0 if there is none.
    pub(super) fn last_event(&self) -> Result<u64> {
        self.count("SELECT max(number) FROM events", vec![])
    }

    /// Events of a statement that finds their numbers and rows.
    fn numbered(&self, query: &str, values: Vec<SqlValue>) -> Result<Vec<EventRow>> {
        let rows = self.0.exec(query, values)?;
        let numbered = |columns: Vec<SqlValue>| {
            let mut row: EventRow = read(columns.get(1).unwrap_or(&SqlValue::Null))?;
            row.number = columns.first().and_then(number).unwrap_or(0);
            Ok(row)
        };
        rows.raw().map(|row| numbered(row?)).collect()
    }
}

impl Figures for ExchangeRows<'_> {
    fn tally(&self) -> Result<Tally> {
        let query = "SELECT value FROM meta WHERE name = 'tally'";
        Ok(self.one(query, vec![])?.unwrap_or_default())
    }

    fn hour(&self, hour: u64) -> Result<Option<HourTally>> {
        self.one("SELECT row FROM hours WHERE hour = ?", vec![whole(hour)])
    }

    fn hours(&self, since: u64) -> Result<Vec<HourTally>> {
        self.all("SELECT row FROM hours WHERE hour >= ? ORDER BY hour LIMIT 25", vec![whole(since)])
    }

    fn record(&self, seller: &str) -> Result<Option<SellerRecord>> {
        self.one("SELECT row FROM records WHERE seller = ?", vec![seller.into()])
    }

    fn best(&self, limit: u32) -> Result<Vec<SellerRecord>> {
        let query = "SELECT row FROM records ORDER BY done DESC LIMIT ?";
        self.all(query, vec![whole(limit.into())])
    }

    fn latest(&self, limit: u32) -> Result<Vec<SellerRow>> {
        let query = "SELECT row FROM sellers WHERE json_extract(row, '$.subject') <> ''
            ORDER BY coalesce(heartbeat, json_extract(row, '$.created')) DESC LIMIT ?";
        self.all(query, vec![whole(limit.into())])
    }

    fn events(&self, about: &About, after: u64, limit: u32) -> Result<Vec<EventRow>> {
        let (condition, id) = match about {
            About::Profile => ("", None),
            About::Seller(id) => ("seller = ? AND seller <> '' AND", Some(id)),
            About::Job(id) => ("job = ? AND job <> '' AND", Some(id)),
        };
        let query = format!(
            "SELECT number, row FROM events WHERE {condition} number > ? ORDER BY number LIMIT ?"
        );
        let mut values: Vec<SqlValue> = id.map(|id| id.as_str().into()).into_iter().collect();
        values.extend([whole(after), whole(limit.into())]);
        self.numbered(&query, values)
    }

    fn newest(&self, limit: u32) -> Result<Vec<EventRow>> {
        let query = "SELECT number, row FROM events ORDER BY number DESC LIMIT ?";
        self.numbered(query, vec![whole(limit.into())])
    }

    fn seller_part(&self, part: &ListPart) -> Result<Vec<SellerRow>> {
        const HEARD: &str = "coalesce(heartbeat, json_extract(row, '$.created'))";
        let mut values = Vec::new();
        let mut later = String::new();
        if let Some(place) = &part.after {
            later = format!("AND ({HEARD}, id) < (?, ?)");
            values.extend([whole(place.at), place.id.as_str().into()]);
        }
        values.push(whole(part.limit.into()));
        let query = format!(
            "SELECT row FROM sellers WHERE json_extract(row, '$.subject') <> '' {later}
            ORDER BY {HEARD} DESC, id DESC LIMIT ?"
        );
        self.all(&query, values)
    }

    fn job_part(&self, part: &ListPart) -> Result<Vec<(u64, JobRow)>> {
        self.listed("number, row FROM jobs", "number", part)
    }

    fn hold_part(&self, part: &ListPart) -> Result<Vec<(u64, HoldRow)>> {
        self.listed("rowid, row FROM holds", "rowid", part)
    }

    fn settlements(&self, limit: u32) -> Result<Vec<EventRow>> {
        let query = "SELECT number, row FROM events
            WHERE kind IN ('RELEASED', 'REFUNDED', 'RELEASE_SKIPPED', 'REFUND_SKIPPED')
            ORDER BY number DESC LIMIT ?";
        self.numbered(query, vec![whole(limit.into())])
    }
}
