//! The tables of a ledger object and their history; schema changes are numbered.

use wasm_bindgen::JsValue;

use super::number::{SHARED, first_by_sql};
use super::owners::{CERTAIN, START};
use crate::platform::migrate;
use crate::platform::sql::{Result, Sql};

/// The condition of rows that wait for someone. A statement uses their index where it has this text.
pub(in crate::worker::objects) const WAITING: &str = "state IN ('refund_due', 'manual', 'unknown')";

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
        id INTEGER PRIMARY KEY, mode TEXT NOT NULL, route TEXT NOT NULL, chain TEXT NOT NULL,
        asset TEXT NOT NULL, pay_to TEXT NOT NULL, facilitator TEXT NOT NULL,
        executing INTEGER NOT NULL, settling INTEGER NOT NULL, delivering INTEGER NOT NULL,
        terms TEXT)",
    "ALTER TABLE payments ADD COLUMN common INTEGER",
    // A version of before would read a row without what it has in common: so it finds no column.
    "ALTER TABLE payments RENAME COLUMN network TO chain",
    "CREATE VIEW whole AS SELECT p.id, p.payer, p.key, p.binding, p.secret, p.receipt, p.named,
        p.amount, p.valid_before, p.state, p.fence, p.due, p.since, p.sent, p.tx, p.reason, p.holder,
        p.sealed, p.handed, p.asked, p.created, p.updated, p.resends, p.read, p.seen_block,
        p.confirm, p.url, p.correlation, p.client, p.signing, p.history,
        ifnull(replace(p.request, char(1), c.terms), p.request) AS request,
        ifnull(c.mode, p.mode) AS mode, ifnull(c.route, p.route) AS route,
        ifnull(c.chain, p.chain) AS network, ifnull(c.asset, p.asset) AS asset,
        ifnull(c.pay_to, p.pay_to) AS pay_to, ifnull(c.facilitator, p.facilitator) AS facilitator,
        ifnull(c.executing, p.executing) AS executing, ifnull(c.settling, p.settling) AS settling,
        ifnull(c.delivering, p.delivering) AS delivering
     FROM payments p LEFT JOIN common c ON c.id = p.common",
]];

/// The columns that an earlier row has too.
const MOVED: &str =
    "payer, key, binding, secret, mode, receipt, route, network, asset, amount, pay_to,
    valid_before, facilitator, request, executing, settling, delivering, state, fence, due, since,
    sent, tx, reason, holder, sealed, created, updated, resends, read, seen_block, handed, history,
    url, confirm, correlation, asked, client, signing";
/// Earlier rows that one event moves: an event has a limit of processor time, of which they take a
/// third. What is left waits for the next one.
const MOVED_AT_ONCE: u64 = 20_000;

/// Brings the tables to this version, or nearer to it; returns whether they are there.
pub(super) fn migrate(sql: &Sql) -> Result<bool> {
    sql.exec(
        "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
        Vec::new(),
    )?;
    migrate::migrate(sql, MIGRATIONS)?;
    // Few rows, so that it costs little to write, and a list of them reads no others. No number of
    // its own: a version without it reads the same rows.
    let waiting = format!(
        "CREATE INDEX IF NOT EXISTS payments_waiting ON payments (state, created) WHERE {WAITING}"
    );
    sql.exec(&waiting, Vec::new())?;
    let is_left = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'earlier'";
    let is_left = sql.exec(is_left, Vec::new())?.raw().next().transpose()?.is_some();
    Ok(!is_left || number_rows(sql)?)
}

/// Moves rows of a version that found them by payer and key, each to its number; returns whether
/// none is left. The receipt ids of then lead to no row, so they are looked up by an index.
fn number_rows(sql: &Sql) -> Result<bool> {
    // While there are no rows: indexes over all of them would take an event too long.
    for statement in [
        "CREATE INDEX IF NOT EXISTS payments_named ON payments (named) WHERE named IS NOT NULL",
        &format!("CREATE INDEX IF NOT EXISTS payments_owned ON payments ({START}) WHERE {CERTAIN}"),
        "CREATE INDEX IF NOT EXISTS payments_refund ON payments (reason) WHERE state = 'refunded'",
    ] {
        sql.exec(statement, Vec::new())?;
    }
    // One behind the last of this turn: what comes before it is moved.
    let next = format!(
        "SELECT payer, key FROM earlier ORDER BY payer, key LIMIT 1 OFFSET {MOVED_AT_ONCE}"
    );
    let next = sql.exec(&next, Vec::new())?.raw().next().transpose()?;
    let (part, values) = match &next {
        Some(row) => ("(payer, key) < (?, ?)", row.clone()),
        None => ("1", Vec::new()),
    };
    let kept = MOVED.replace("network", "chain");
    // Few keys begin alike: the first turn moves nearly all rows, mostly all.
    for further in 0..SHARED {
        let number = format!("({} + {further})", first_by_sql("e.key"));
        let free =
            format!("NOT EXISTS (SELECT 1 FROM payments p WHERE p.id IN ({number}, -{number}))");
        // One after the other: a number is that of one row, whatever its sign.
        for (id, which) in [(&number, "open <> 1"), (&format!("-{number}"), "open = 1")] {
            let statement = format!(
                "INSERT OR IGNORE INTO payments (id, named, {kept})
                 SELECT {id}, receipt, {MOVED} FROM earlier e WHERE {part} AND {which} AND {free}"
            );
            sql.exec(&statement, values.clone())?;
        }
        let first = first_by_sql("earlier.key");
        let last = SHARED - 1;
        let statement = format!(
            "DELETE FROM earlier WHERE {part} AND EXISTS (SELECT 1 FROM payments p
             WHERE (p.id BETWEEN {first} AND {first} + {last} OR p.id BETWEEN -{first} - {last} AND -{first})
             AND p.payer = earlier.payer AND p.key = earlier.key)"
        );
        sql.exec(&statement, values.clone())?;
        let left = format!("SELECT 1 FROM earlier WHERE {part} LIMIT 1");
        if sql.exec(&left, values.clone())?.raw().next().transpose()?.is_none() {
            if next.is_none() {
                sql.exec("DROP TABLE earlier", Vec::new())?;
            }
            return Ok(next.is_none());
        }
    }
    Err(JsValue::from_str("too many keys begin alike"))
}
