//! The tables of a ledger object and their history; schema changes are numbered.

use wasm_bindgen::JsValue;

use super::integer;
use super::number::{SHARED, first_by_sql};
use super::owners::{CERTAIN, START};
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
], &[
    "DROP INDEX payments_open",
    "DROP INDEX payments_receipt",
    "DROP INDEX payments_owned",
    "DROP INDEX payments_refund",
    "ALTER TABLE payments RENAME TO earlier",
    "CREATE TABLE payments (
        id INTEGER PRIMARY KEY,
        payer TEXT NOT NULL, key TEXT NOT NULL, binding TEXT NOT NULL, secret TEXT, mode TEXT NOT NULL,
        receipt TEXT NOT NULL, named TEXT, route TEXT NOT NULL, network TEXT NOT NULL, asset TEXT NOT NULL,
        amount TEXT NOT NULL, pay_to TEXT NOT NULL, valid_before INTEGER NOT NULL, facilitator TEXT NOT NULL,
        executing INTEGER NOT NULL, settling INTEGER NOT NULL, delivering INTEGER NOT NULL,
        state TEXT NOT NULL, fence INTEGER NOT NULL, due INTEGER, since INTEGER, sent INTEGER,
        tx TEXT, reason TEXT, holder TEXT, sealed INTEGER NOT NULL, handed INTEGER NOT NULL,
        asked INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
        resends INTEGER NOT NULL, read INTEGER, seen_block INTEGER, confirm INTEGER NOT NULL,
        url TEXT NOT NULL, correlation TEXT NOT NULL, client TEXT NOT NULL, signing TEXT NOT NULL,
        history TEXT NOT NULL, request TEXT NOT NULL, head TEXT, sha256 TEXT, body BLOB)",
], &[
    "CREATE TABLE common (
        id INTEGER PRIMARY KEY, mode TEXT NOT NULL, route TEXT NOT NULL, network TEXT NOT NULL,
        asset TEXT NOT NULL, pay_to TEXT NOT NULL, facilitator TEXT NOT NULL,
        executing INTEGER NOT NULL, settling INTEGER NOT NULL, delivering INTEGER NOT NULL,
        terms TEXT)",
    "ALTER TABLE payments ADD COLUMN common INTEGER",
    "CREATE VIEW whole AS SELECT p.id, p.payer, p.key, p.binding, p.secret, p.receipt, p.named,
        p.amount, p.valid_before, p.state, p.fence, p.due, p.since, p.sent, p.tx, p.reason, p.holder,
        p.sealed, p.handed, p.asked, p.created, p.updated, p.resends, p.read, p.seen_block,
        p.confirm, p.url, p.correlation, p.client, p.signing, p.history,
        ifnull(replace(p.request, char(1), c.terms), p.request) AS request,
        ifnull(c.mode, p.mode) AS mode, ifnull(c.route, p.route) AS route,
        ifnull(c.network, p.network) AS network, ifnull(c.asset, p.asset) AS asset,
        ifnull(c.pay_to, p.pay_to) AS pay_to, ifnull(c.facilitator, p.facilitator) AS facilitator,
        ifnull(c.executing, p.executing) AS executing, ifnull(c.settling, p.settling) AS settling,
        ifnull(c.delivering, p.delivering) AS delivering
     FROM payments p LEFT JOIN common c ON c.id = p.common",
]];

/// Schema in which rows got numbers: those of `earlier` are moved.
const NUMBERED: usize = 8;
/// The columns that an earlier row has too.
const MOVED: &str =
    "payer, key, binding, secret, mode, receipt, route, network, asset, amount, pay_to,
    valid_before, facilitator, request, executing, settling, delivering, state, fence, due, since,
    sent, tx, reason, holder, sealed, created, updated, resends, read, seen_block, handed, history,
    url, confirm, correlation, asked, client, signing";

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
        if number + 1 == NUMBERED {
            number_rows(sql)?;
        }
        let number = SqlValue::Integer(number as i64 + 1);
        sql.exec("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", vec![number])?;
    }
    Ok(())
}

/// Moves the rows of a version that found them by payer and key, each to its number. The receipt ids
/// of then lead to no row, so they are looked up by an index.
fn number_rows(sql: &Sql) -> Result<()> {
    // Few keys begin alike: the first turn moves nearly all rows, mostly all.
    for further in 0..SHARED {
        let number = format!("({} + {further})", first_by_sql("e.key"));
        let free = format!(
            "NOT EXISTS (SELECT 1 FROM payments p WHERE p.id IN ({number}, -{number}))
             AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.payer = e.payer AND p.key = e.key
                 AND (p.id BETWEEN {number} - {further} AND {number}
                     OR p.id BETWEEN -{number} AND {further} - {number}))"
        );
        // Rows at rest are many: the first turn moves them without a look at those that are moved.
        let free_at_rest = if further == 0 { "1" } else { &free };
        let at_rest =
            format!("{number}, receipt, {MOVED} FROM earlier e WHERE open <> 1 AND {free_at_rest}");
        let open = format!("-{number}, receipt, {MOVED} FROM earlier e WHERE open = 1 AND {free}");
        for rows in [at_rest, open] {
            let statement =
                format!("INSERT OR IGNORE INTO payments (id, named, {MOVED}) SELECT {rows}");
            sql.exec(&statement, Vec::new())?;
        }
        if is_moved(sql)? {
            let finish = [
                "DROP TABLE earlier".to_owned(),
                "CREATE INDEX payments_named ON payments (named) WHERE named IS NOT NULL"
                    .to_owned(),
                format!("CREATE INDEX payments_owned ON payments ({START}) WHERE {CERTAIN}"),
                "CREATE INDEX payments_refund ON payments (reason) WHERE state = 'refunded'"
                    .to_owned(),
            ];
            for statement in finish {
                sql.exec(&statement, Vec::new())?;
            }
            return Ok(());
        }
    }
    Err(JsValue::from_str("too many keys begin alike"))
}

/// Whether every earlier row has its number.
fn is_moved(sql: &Sql) -> Result<bool> {
    let query = "SELECT (SELECT COUNT(*) FROM earlier) = (SELECT COUNT(*) FROM payments)";
    let row = sql.exec(query, Vec::new())?.raw().next().transpose()?;
    Ok(row.and_then(|row| row.first().and_then(integer)) == Some(1))
}
