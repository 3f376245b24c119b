//! The market's books in its object's database: one statement per read.

use farebox_core::skills::books::{Part, Rows, ShelfSpan};
use farebox_core::skills::offered::Cursor;
use farebox_core::skills::row::{
    ArchiveRow, InvocationRow, KeyRow, MarketFigures, PackRow, RateRow, ReplyRow, Room, ShelfRow,
    SkillRow, SpendRow, TableRow, VersionRow,
};
use serde::de::DeserializeOwned;

use crate::platform::columns::{first, number, read, text, whole, word};
use crate::platform::long;
use crate::platform::sql::{Result, Sql, SqlValue};

/// A millisecond after all others, and the largest number of a column that the platform binds exactly.
const LAST_MS: u64 = (1 << 53) - 1;

/// An object's rows.
pub(super) struct SkillRows<'a>(pub &'a Sql);

impl SkillRows<'_> {
    pub(super) fn first(&self, query: &str, values: Vec<SqlValue>) -> Result<Option<SqlValue>> {
        first(self.0, query, values)
    }

    /// The row of a statement that finds at most one.
    pub(super) fn one<T: DeserializeOwned>(
        &self,
        query: &str,
        values: Vec<SqlValue>,
    ) -> Result<Option<T>> {
        self.first(query, values)?.map(|value| read(&value)).transpose()
    }

    pub(super) fn all<T: DeserializeOwned>(
        &self,
        query: &str,
        values: Vec<SqlValue>,
    ) -> Result<Vec<T>> {
        let rows = self.0.exec(query, values)?;
        rows.raw().map(|row| read(row?.first().unwrap_or(&SqlValue::Null))).collect()
    }

    /// Invocations of a statement that finds their numbers and rows.
    fn numbered(&self, query: &str, values: Vec<SqlValue>) -> Result<Vec<InvocationRow>> {
        let rows = self.0.exec(query, values)?;
        let numbered = |columns: Vec<SqlValue>| {
            let mut row: InvocationRow = read(columns.get(1).unwrap_or(&SqlValue::Null))?;
            row.number = columns.first().and_then(number).unwrap_or(0);
            Ok(row)
        };
        rows.raw().map(|row| numbered(row?)).collect()
    }

    fn invocation_where(
        &self,
        condition: &str,
        values: Vec<SqlValue>,
    ) -> Result<Option<InvocationRow>> {
        let query = format!("SELECT number, row FROM invocations WHERE {condition} LIMIT 1");
        Ok(self.numbered(&query, values)?.into_iter().next())
    }

    /// Answers of a statement that finds their invocations and bytes.
    fn weighed(&self, query: &str, values: Vec<SqlValue>) -> Result<Vec<(String, u64)>> {
        let weighed = |row: Vec<SqlValue>| {
            let bytes = row.get(1).and_then(number).unwrap_or(0);
            (text(row.first()).unwrap_or_default(), bytes)
        };
        self.0.exec(query, values)?.raw().map(|row| Ok(weighed(row?))).collect()
    }

    /// The room that skills take together in the gate's route table.
    fn summed(&self, condition: &str, values: Vec<SqlValue>) -> Result<Room> {
        let query = format!("SELECT sum(routes), sum(bytes) FROM skills WHERE {condition}");
        let row = self.0.exec(&query, values)?.raw().next().transpose()?.unwrap_or_default();
        let column = |at: usize| row.get(at).and_then(number).unwrap_or(0);
        Ok(Room { routes: column(0), bytes: column(1) })
    }

    /// When work is due first.
    pub(super) fn due_first(&self) -> Result<Option<u64>> {
        let query = "SELECT min(due) FROM invocations WHERE due IS NOT NULL";
        let invocation = self.first(query, vec![])?.as_ref().and_then(number);
        let (table, archive) = (self.table()?.due, self.archive()?.due);
        Ok(invocation.into_iter().chain(table).chain(archive).min())
    }
}

impl Rows for SkillRows<'_> {
    fn skill(&self, id: &str) -> Result<Option<SkillRow>> {
        self.one("SELECT row FROM skills WHERE id = ?", vec![id.into()])
    }

    fn version(&self, skill: &str, version: &str) -> Result<Option<VersionRow>> {
        let query = "SELECT row FROM versions WHERE skill = ? AND version = ?";
        self.one(query, vec![skill.into(), version.into()])
    }

    fn versions(&self, skill: &str) -> Result<Vec<VersionRow>> {
        let query = "SELECT row FROM versions WHERE skill = ? ORDER BY created DESC, rowid DESC";
        self.all(query, vec![skill.into()])
    }

    fn version_names(&self, skill: &str) -> Result<Vec<String>> {
        let query =
            "SELECT version FROM versions WHERE skill = ? ORDER BY created DESC, rowid DESC";
        let rows = self.0.exec(query, vec![skill.into()])?;
        rows.raw().map(|row| Ok(text(row?.first()).unwrap_or_default())).collect()
    }

    fn catalogue(&self, after: Option<&Cursor>, limit: u32) -> Result<Vec<(SkillRow, VersionRow)>> {
        let query = "SELECT s.row, v.row FROM skills s
            JOIN versions v ON v.skill = s.id AND v.version = s.latest
            WHERE s.active = 1 AND (s.created, s.id) < (?, ?)
            ORDER BY s.created DESC, s.id DESC LIMIT ?";
        let (created, id) = after.map_or((LAST_MS, ""), |it| (it.created, &*it.id));
        let values = vec![whole(created), id.into(), whole(limit.into())];
        let pair = |row: Vec<SqlValue>| {
            let column = |at: usize| row.get(at).unwrap_or(&SqlValue::Null);
            Ok((read(column(0))?, read(column(1))?))
        };
        self.0.exec(query, values)?.raw().map(|row| pair(row?)).collect()
    }

    fn active_of(&self, owner: &str) -> Result<u64> {
        let query = "SELECT count(*) FROM skills WHERE active = 1 AND owner = ?";
        Ok(self.first(query, vec![owner.into()])?.as_ref().and_then(number).unwrap_or(0))
    }

    fn room(&self) -> Result<Room> {
        self.summed("active = 1", vec![])
    }

    fn idle_room_of(&self, owner: &str, now: u64) -> Result<Room> {
        let condition = "active = 1 AND owner = ? AND place_until <= ?";
        self.summed(condition, vec![owner.into(), whole(now)])
    }

    fn idle_of(&self, owner: &str) -> Result<Vec<SkillRow>> {
        let query = "SELECT row FROM skills WHERE active = 0 AND used = 0 AND owner = ?";
        let mut idle: Vec<SkillRow> = self.all(query, vec![owner.into()])?;
        idle.sort_by_key(|row| row.changed);
        Ok(idle)
    }

    fn unproven(&self, now: u64) -> Result<Vec<SkillRow>> {
        let query = "SELECT row FROM skills WHERE active = 1 AND place_until <= ?
            ORDER BY created, id";
        self.all(query, vec![whole(now)])
    }

    fn unproven_count(&self, now: u64) -> Result<u64> {
        let query = "SELECT count(*) FROM skills WHERE active = 1 AND place_until <= ?";
        Ok(self.first(query, vec![whole(now)])?.as_ref().and_then(number).unwrap_or(0))
    }

    fn left_over(&self, before: u64, newest: u32, limit: u32) -> Result<Vec<String>> {
        let query =
            "SELECT id FROM (SELECT id, json_extract(row, '$.changed') AS changed FROM skills
                WHERE active = 0 AND used = 0 ORDER BY changed DESC LIMIT -1 OFFSET ?)
            WHERE changed < ? ORDER BY changed LIMIT ?";
        let values = vec![whole(newest.into()), whole(before), whole(limit.into())];
        let rows = self.0.exec(query, values)?;
        rows.raw().map(|row| Ok(text(row?.first()).unwrap_or_default())).collect()
    }

    fn has_place(&self, owner: &str, now: u64) -> Result<bool> {
        let query = "SELECT 1 FROM skills WHERE owner = ? AND place_until > 0 AND place_until > ?
            LIMIT 1";
        Ok(self.first(query, vec![owner.into(), whole(now)])?.is_some())
    }

    fn forgotten(&self, id: &str) -> Result<Option<String>> {
        let query = "SELECT owner FROM former_owners WHERE id = ?";
        Ok(text(self.first(query, vec![id.into()])?.as_ref()))
    }

    fn former(&self, newest: u32, limit: u32) -> Result<Vec<u64>> {
        let query = "SELECT number FROM former_owners
            WHERE number <= (SELECT max(number) FROM former_owners) - ? ORDER BY number LIMIT ?";
        let rows = self.0.exec(query, vec![whole(newest.into()), whole(limit.into())])?;
        rows.raw().map(|row| Ok(row?.first().and_then(number).unwrap_or_default())).collect()
    }

    fn unpaid(&self, before: u64, limit: u32) -> Result<Vec<String>> {
        let query = "SELECT id FROM skills WHERE active = 1 AND created < ?
            AND json_extract(row, '$.owes') = 1 ORDER BY created LIMIT ?";
        let rows = self.0.exec(query, vec![whole(before), whole(limit.into())])?;
        rows.raw().map(|row| Ok(text(row?.first()).unwrap_or_default())).collect()
    }

    fn rate(&self, owner: &str) -> Result<Option<RateRow>> {
        self.one("SELECT row FROM rates WHERE owner = ?", vec![owner.into()])
    }

    fn has_nonce(&self, owner: &str, nonce: &str) -> Result<bool> {
        let query = "SELECT 1 FROM nonces WHERE owner = ? AND nonce = ?";
        Ok(self.first(query, vec![owner.into(), nonce.into()])?.is_some())
    }

    fn table(&self) -> Result<TableRow> {
        let query = "SELECT value FROM meta WHERE name = 'table'";
        Ok(self.one(query, vec![])?.unwrap_or_default())
    }

    fn invocation(&self, id: &str) -> Result<Option<InvocationRow>> {
        self.invocation_where("id = ?", vec![id.into()])
    }

    fn invocation_by_tx(&self, network: &str, tx: &str) -> Result<Option<InvocationRow>> {
        self.invocation_where("network = ? AND tx = ?", vec![network.into(), tx.into()])
    }

    fn running(&self, account: &str, digest: &str) -> Result<Option<InvocationRow>> {
        self.invocation_where("account = ? AND running = ?", vec![account.into(), digest.into()])
    }

    fn invocations(&self, part: &Part) -> Result<Vec<InvocationRow>> {
        let mut conditions = vec!["1 = 1".to_owned()];
        let mut values: Vec<SqlValue> = Vec::new();
        let mut add = |condition: &str, value: SqlValue| {
            conditions.push(condition.to_owned());
            values.push(value);
        };
        if let Some(before) = part.before {
            add("number < ?", whole(before));
        }
        if let Some(after) = part.after {
            add("number > ?", whole(after));
        }
        for (name, value) in
            [("account", &part.account), ("agent", &part.agent), ("skill", &part.skill)]
        {
            if let Some(value) = value {
                add(&format!("{name} = ?"), value.as_str().into());
            }
        }
        if !part.endings.is_empty() {
            let marks = vec!["?"; part.endings.len()].join(", ");
            conditions.push(format!("ending IN ({marks})"));
            values.extend(part.endings.iter().map(word));
        }
        values.push(whole(part.limit.into()));
        let order = if part.after.is_some() { "ASC" } else { "DESC" };
        let query = format!(
            "SELECT number, row FROM invocations WHERE {} ORDER BY number {order} LIMIT ?",
            conditions.join(" AND ")
        );
        self.numbered(&query, values)
    }

    fn extent(&self, above: u64) -> Result<Option<(u64, u64)>> {
        let end = |order: &str| {
            let query = format!(
                "SELECT number FROM invocations WHERE number > ? ORDER BY number {order} LIMIT 1"
            );
            Ok(self.first(&query, vec![whole(above)])?.as_ref().and_then(number))
        };
        let first: Result<Option<u64>> = end("ASC");
        Ok(first?.zip(end("DESC")?))
    }

    fn over(&self, above: u64, limit: u32) -> Result<Vec<InvocationRow>> {
        let query = "SELECT number, row FROM invocations
            WHERE number > ? AND due IS NULL AND +ending <> 'running' ORDER BY number LIMIT ?";
        self.numbered(query, vec![whole(above), whole(limit.into())])
    }

    fn shelves(&self, span: ShelfSpan, limit: u32) -> Result<Vec<ShelfRow>> {
        let (query, bound) = match span {
            ShelfSpan::Below(bound) => {
                ("SELECT row FROM shelves WHERE first < ? ORDER BY first DESC LIMIT ?", bound)
            }
            ShelfSpan::Above(bound) => {
                ("SELECT row FROM shelves WHERE last > ? ORDER BY last LIMIT ?", bound)
            }
        };
        self.all(query, vec![whole(bound.min(MAX_NUMBER)), whole(limit.into())])
    }

    fn departed(&self, id: &str) -> Result<Option<u64>> {
        let query = "SELECT number FROM departed WHERE id = ?";
        Ok(self.first(query, vec![id.into()])?.as_ref().and_then(number))
    }

    fn departed_by_tx(&self, network: &str, tx: &str) -> Result<Option<String>> {
        let query = "SELECT id FROM departed WHERE network = ? AND tx = ?";
        Ok(text(self.first(query, vec![network.into(), tx.into()])?.as_ref()))
    }

    fn archive(&self) -> Result<ArchiveRow> {
        let query = "SELECT value FROM meta WHERE name = 'archive'";
        Ok(self.one(query, vec![])?.unwrap_or_default())
    }

    fn due(&self, now: u64, limit: u32) -> Result<Vec<InvocationRow>> {
        let query = "SELECT number, row FROM invocations WHERE due <= ? ORDER BY due LIMIT ?";
        self.numbered(query, vec![whole(now), whole(limit.into())])
    }

    fn reply(&self, invocation: &str) -> Result<Option<ReplyRow>> {
        let query = "SELECT row, body FROM replies WHERE invocation = ?";
        let found = self.0.exec(query, vec![invocation.into()])?.raw().next().transpose()?;
        let Some(found) = found else { return Ok(None) };
        let mut row: ReplyRow = read(found.first().unwrap_or(&SqlValue::Null))?;
        row.body = long::get(self.0, invocation, found.get(1))?;
        Ok(Some(row))
    }

    fn reply_bytes(&self) -> Result<u64> {
        let query = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'reply_bytes'";
        Ok(self.first(query, vec![])?.as_ref().and_then(number).unwrap_or(0))
    }

    fn replies_ended(&self, now: u64, limit: u32) -> Result<Vec<(String, u64)>> {
        let query = "SELECT invocation, bytes FROM replies WHERE until < ? ORDER BY until LIMIT ?";
        self.weighed(query, vec![whole(now), whole(limit.into())])
    }

    fn replies_first(&self, limit: u32) -> Result<Vec<(String, u64)>> {
        let query = "SELECT invocation, bytes FROM replies ORDER BY is_long DESC, until LIMIT ?";
        self.weighed(query, vec![whole(limit.into())])
    }

    fn key(&self, account: &str, key: &str) -> Result<Option<KeyRow>> {
        let query = "SELECT row FROM keys WHERE account = ? AND key = ?";
        self.one(query, vec![account.into(), key.into()])
    }

    fn spend(&self, account: &str) -> Result<Option<SpendRow>> {
        self.one("SELECT row FROM spend WHERE account = ?", vec![account.into()])
    }

    fn spends_of(&self, agent: &str) -> Result<Vec<SpendRow>> {
        let query = "SELECT row FROM spend WHERE agent = ? ORDER BY account LIMIT 100";
        self.all(query, vec![agent.into()])
    }

    fn pack(&self, id: &str) -> Result<Option<PackRow>> {
        self.one("SELECT row FROM packs WHERE id = ?", vec![id.into()])
    }

    fn pack_by_payment(&self, payment: &str) -> Result<Option<PackRow>> {
        self.one("SELECT row FROM packs WHERE payment = ?", vec![payment.into()])
    }

    fn figures(&self, now: u64) -> Result<MarketFigures> {
        self.counted(now)
    }
}

/// The greatest number that a column holds exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;
