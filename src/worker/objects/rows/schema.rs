//! The tables of a ledger object and their history; schema changes are numbered.

use super::integer;
use crate::platform::sql::{Result, Sql, SqlValue};

/// Schema changes in order; the number of those that have run is kept in `meta`.
const MIGRATIONS: &[&[&str]] = &[&[
    "CREATE TABLE payments (
        payer TEXT NOT NULL, key TEXT NOT NULL, binding TEXT NOT NULL, secret TEXT, mode TEXT NOT NULL,
        receipt TEXT NOT NULL, route TEXT NOT NULL, network TEXT NOT NULL, asset TEXT NOT NULL,
        amount TEXT NOT NULL, pay_to TEXT NOT NULL, valid_before INTEGER NOT NULL,
        facilitator TEXT NOT NULL, request TEXT NOT NULL,
        executing INTEGER NOT NULL, settling INTEGER NOT NULL, delivering INTEGER NOT NULL,
        state TEXT NOT NULL, fence INTEGER NOT NULL, due INTEGER, since INTEGER, sent INTEGER,
        tx TEXT, reason TEXT, holder TEXT, sealed INTEGER NOT NULL,
        created INTEGER NOT NULL, updated INTEGER NOT NULL,
        PRIMARY KEY (payer, key)) WITHOUT ROWID",
    "CREATE TABLE responses (
        payer TEXT NOT NULL, key TEXT NOT NULL, head TEXT NOT NULL, sha256 TEXT NOT NULL,
        body BLOB NOT NULL, created INTEGER NOT NULL,
        PRIMARY KEY (payer, key)) WITHOUT ROWID",
], &[
    "ALTER TABLE payments ADD COLUMN resends INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE payments ADD COLUMN read INTEGER",
    "ALTER TABLE payments ADD COLUMN seen_block INTEGER",
    "ALTER TABLE payments ADD COLUMN handed INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE payments ADD COLUMN history TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE payments ADD COLUMN url TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE payments ADD COLUMN confirm INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE aliases (
        payer TEXT NOT NULL, key TEXT NOT NULL, original TEXT NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (payer, key)) WITHOUT ROWID",
    "CREATE TABLE moved (
        payer TEXT NOT NULL, key TEXT NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (payer, key)) WITHOUT ROWID",
], &[
    "CREATE TABLE outbox (
        id TEXT PRIMARY KEY, body TEXT NOT NULL, tries INTEGER NOT NULL, due INTEGER,
        created INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE meters (series TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
], &[
    "ALTER TABLE payments ADD COLUMN correlation TEXT NOT NULL DEFAULT ''",
    "CREATE TABLE attempts (
        who TEXT NOT NULL, route TEXT NOT NULL, attempts INTEGER NOT NULL, first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL, cause TEXT NOT NULL, reason TEXT NOT NULL, streak INTEGER NOT NULL,
        claims TEXT, PRIMARY KEY (who, route)) WITHOUT ROWID",
], &[
    "CREATE TABLE quota (
        day INTEGER NOT NULL, client TEXT NOT NULL, used INTEGER NOT NULL,
        PRIMARY KEY (day, client)) WITHOUT ROWID",
], &[
    "ALTER TABLE payments ADD COLUMN asked INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE payments ADD COLUMN client TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE payments ADD COLUMN open INTEGER NOT NULL DEFAULT 1",
    "UPDATE payments SET open = 0 WHERE state IN ('void', 'closed', 'refund_due', 'refunded', 'waived', 'manual')
     OR (state = 'delivered' AND handed = 1)",
    "CREATE INDEX payments_open ON payments (payer, key) WHERE open = 1",
    "CREATE INDEX payments_receipt ON payments (receipt)",
    "ALTER TABLE payments ADD COLUMN owned TEXT",
    "UPDATE payments SET owned = tx WHERE state <> 'unknown'",
    "CREATE INDEX payments_owned ON payments (owned) WHERE owned IS NOT NULL",
    "CREATE INDEX payments_refund ON payments (reason) WHERE state = 'refunded'",
    "CREATE INDEX IF NOT EXISTS outbox_due ON outbox (due) WHERE due IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS transactions (
        network TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL, until INTEGER NOT NULL,
        PRIMARY KEY (network, name)) WITHOUT ROWID",
], &[
    "ALTER TABLE payments ADD COLUMN signing TEXT NOT NULL DEFAULT ''",
]];

/// Brings the tables to this version.
pub(super) fn migrate(sql: &Sql) -> Result<()> {
    sql.exec(
        "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
        Vec::new(),
    )?;
    let cursor = sql.exec("SELECT value FROM meta WHERE name = 'schema'", Vec::new())?;
    let done = cursor.raw().next().transpose()?;
    let done = done.and_then(|row| row.first().and_then(integer)).unwrap_or(0);
    for (number, statements) in MIGRATIONS.iter().enumerate().skip(done as usize) {
        for statement in *statements {
            sql.exec(statement, Vec::new())?;
        }
        let number = SqlValue::Integer(number as i64 + 1);
        sql.exec("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", vec![number])?;
    }
    Ok(())
}
