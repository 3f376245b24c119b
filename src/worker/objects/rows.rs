//! The tables of a ledger object. One statement per function; amounts are text; schema changes are numbered.

use farebox_core::ledger::command::{Leases, Mode, Payment};
use farebox_core::ledger::entry::Entry;
use farebox_core::ledger::row::Row;

use super::sql::{Result, Sql, Value};

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
]];

/// The rows of one object.
pub(super) struct Rows(Sql);

/// A response as it is stored.
pub(super) struct Stored {
    pub head: String,
    pub sha256: String,
    pub body: Vec<u8>,
}

impl Rows {
    /// Opens the tables, bringing them to this version.
    pub(super) fn open(sql: Sql) -> Result<Self> {
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
            let number = Value::Integer(number as i64 + 1);
            sql.exec("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", vec![number])?;
        }
        Ok(Self(sql))
    }

    /// For the statements of other files.
    pub(super) const fn sql(&self) -> &Sql {
        &self.0
    }

    /// One entry.
    pub(super) fn find(&self, payer: &str, key: &str) -> Result<Option<Entry>> {
        let query = format!("SELECT {COLUMNS} FROM payments WHERE payer = ? AND key = ?");
        let cursor = self.0.exec(&query, vec![payer.into(), key.into()])?;
        Ok(cursor.raw().next().transpose()?.and_then(|row| entry(&row)))
    }

    /// Every payer, key and entry that may still move. A full scan, like the next one: nothing that the ordinary
    /// writes change has an index.
    pub(super) fn open_entries(&self) -> Result<Vec<(String, String, Entry)>> {
        let query = format!(
            "SELECT {COLUMNS}, payer, key FROM payments WHERE state NOT IN
             ('void', 'closed', 'refund_due', 'refunded', 'waived')
             AND NOT (state = 'delivered' AND handed = 1)"
        );
        let mut all = Vec::new();
        for row in self.0.exec(&query, Vec::new())?.raw() {
            let row = row?;
            if let (Some(entry), Some(payer), Some(key)) =
                (entry(&row), text(row.get(PAYER)), text(row.get(PAYER + 1)))
            {
                all.push((payer, key, entry));
            }
        }
        Ok(all)
    }

    /// Gives `each` every transaction that is somebody's for certain, and his key.
    pub(super) fn transactions(&self, mut each: impl FnMut(&str, &str)) -> Result<()> {
        let query = "SELECT tx, key FROM payments WHERE tx IS NOT NULL AND state <> 'unknown'";
        for row in self.0.exec(query, Vec::new())?.raw() {
            if let [Value::String(transaction), Value::String(key)] = row?.as_slice() {
                each(transaction, key);
            }
        }
        Ok(())
    }

    /// A new row.
    pub(super) fn insert(
        &self,
        payer: &str,
        key: &str,
        entry: &Entry,
        history: &str,
        now: u64,
    ) -> Result<()> {
        let (payment, leases, row) = (&entry.payment, entry.leases, Row::of(entry));
        let query = "INSERT INTO payments VALUES
            (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
             ?, ?, ?, ?, ?, ?, ?, ?)";
        let values = vec![
            payer.into(),
            key.into(),
            payment.binding.as_str().into(),
            payment.secret.clone().into(),
            mode_name(payment.mode).into(),
            payment.receipt.as_str().into(),
            payment.route.as_str().into(),
            payment.network.as_str().into(),
            payment.asset.as_str().into(),
            payment.amount.as_str().into(),
            payment.pay_to.as_str().into(),
            number(payment.valid_before),
            payment.facilitator.as_str().into(),
            payment.request.as_str().into(),
            number(leases.executing),
            number(leases.settling),
            number(leases.delivering),
            row.state.into(),
            number(row.fence),
            optional(row.due),
            optional(row.since),
            optional(row.sent),
            row.transaction.into(),
            row.reason.into(),
            row.holder.into(),
            number(u64::from(row.sealed)),
            number(row.created),
            number(now),
            number(row.resends),
            optional(row.read),
            optional(row.seen_block),
            number(u64::from(row.handed)),
            history.into(),
            payment.url.as_str().into(),
            number(u64::from(payment.confirm)),
            payment.correlation.as_str().into(),
        ];
        self.0.exec(query, values).map(|_| ())
    }

    /// The columns that change.
    pub(super) fn update(
        &self,
        payer: &str,
        key: &str,
        entry: &Entry,
        history: &str,
        now: u64,
    ) -> Result<()> {
        let row = Row::of(entry);
        let query =
            "UPDATE payments SET state = ?, fence = ?, due = ?, since = ?, sent = ?, tx = ?,
            reason = ?, holder = ?, sealed = ?, updated = ?, resends = ?, read = ?, seen_block = ?,
            handed = ?, history = history || ? WHERE payer = ? AND key = ?";
        let values = vec![
            row.state.into(),
            number(row.fence),
            optional(row.due),
            optional(row.since),
            optional(row.sent),
            row.transaction.into(),
            row.reason.into(),
            row.holder.into(),
            number(u64::from(row.sealed)),
            number(now),
            number(row.resends),
            optional(row.read),
            optional(row.seen_block),
            number(u64::from(row.handed)),
            history.into(),
            payer.into(),
            key.into(),
        ];
        self.0.exec(query, values).map(|_| ())
    }

    /// Remembers that a payment stands for another one of the same payer.
    pub(super) fn alias(&self, payer: &str, key: &str, original: &str, until: u64) -> Result<()> {
        let query = "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?, ?)";
        let values = vec![payer.into(), key.into(), original.into(), number(until)];
        self.0.exec(query, values).map(|_| ())
    }

    /// Every payer, key and the key that it stands for.
    pub(super) fn aliases(&self) -> Result<Vec<(String, String, String)>> {
        let mut all = Vec::new();
        for row in self.0.exec("SELECT payer, key, original FROM aliases", Vec::new())?.raw() {
            let row = row?;
            if let (Some(payer), Some(key), Some(original)) =
                (text(row.first()), text(row.get(1)), text(row.get(2)))
            {
                all.push((payer, key, original));
            }
        }
        Ok(all)
    }

    /// Payer and key of the row with this receipt id.
    pub(super) fn by_receipt(&self, receipt: &str) -> Result<Option<(String, String)>> {
        let query = "SELECT payer, key FROM payments WHERE receipt = ? LIMIT 1";
        let cursor = self.0.exec(query, vec![receipt.into()])?;
        let row = cursor.raw().next().transpose()?;
        Ok(row.and_then(|row| text(row.first()).zip(text(row.get(1)))))
    }

    /// The transitions of a row, one a line.
    pub(super) fn history(&self, payer: &str, key: &str) -> Result<String> {
        let query = "SELECT history FROM payments WHERE payer = ? AND key = ?";
        let cursor = self.0.exec(query, vec![payer.into(), key.into()])?;
        let row = cursor.raw().next().transpose()?;
        Ok(row.and_then(|row| text(row.first())).unwrap_or_default())
    }

    /// Remembers that a payment is begun elsewhere.
    pub(super) fn mark_moved(&self, payer: &str, key: &str, until: u64) -> Result<()> {
        let query = "INSERT OR REPLACE INTO moved VALUES (?, ?, ?)";
        self.0.exec(query, vec![payer.into(), key.into(), number(until)]).map(|_| ())
    }

    /// Forgets that.
    pub(super) fn unmark_moved(&self, payer: &str, key: &str) -> Result<()> {
        let query = "DELETE FROM moved WHERE payer = ? AND key = ?";
        self.0.exec(query, vec![payer.into(), key.into()]).map(|_| ())
    }

    /// Every payer and key of a payment that is begun elsewhere.
    pub(super) fn moved(&self) -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        for row in self.0.exec("SELECT payer, key FROM moved", Vec::new())?.raw() {
            let row = row?;
            all.extend(text(row.first()).zip(text(row.get(1))));
        }
        Ok(all)
    }

    /// Makes room for a payment that begins anew.
    pub(super) fn delete(&self, payer: &str, key: &str) -> Result<()> {
        let query = "DELETE FROM payments WHERE payer = ? AND key = ?";
        self.0.exec(query, vec![payer.into(), key.into()]).map(|_| ())
    }

    /// Stores a response.
    pub(super) fn store(&self, payer: &str, key: &str, stored: Stored, now: u64) -> Result<()> {
        let query = "INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?)";
        let values = vec![
            payer.into(),
            key.into(),
            stored.head.into(),
            stored.sha256.into(),
            stored.body.into(),
            number(now),
        ];
        self.0.exec(query, values).map(|_| ())
    }

    /// A stored response.
    pub(super) fn stored(&self, payer: &str, key: &str) -> Result<Option<Stored>> {
        let query = "SELECT head, sha256, body FROM responses WHERE payer = ? AND key = ?";
        let cursor = self.0.exec(query, vec![payer.into(), key.into()])?;
        let Some(row) = cursor.raw().next().transpose()? else {
            return Ok(None);
        };
        let body = match row.get(2) {
            Some(Value::Blob(bytes)) => bytes.clone(),
            _ => return Ok(None),
        };
        Ok(text(row.first()).zip(text(row.get(1))).map(|(head, sha256)| Stored {
            head,
            sha256,
            body,
        }))
    }
}

/// What an entry is read from, one column after the other.
const COLUMNS: &str =
    "binding, secret, mode, receipt, route, network, asset, amount, pay_to, valid_before,
    facilitator, request, url, confirm, correlation, executing, settling, delivering,
    state, fence, due, since, sent, tx, reason, holder, sealed, created, resends, read, seen_block,
    handed";
/// How many columns those are.
const PAYER: usize = 32;

/// The columns of a row that have not been read.
struct Columns<'a>(std::slice::Iter<'a, Value>);

impl Columns<'_> {
    fn text(&mut self) -> Option<String> {
        text(self.0.next())
    }

    fn number(&mut self) -> Option<u64> {
        self.0.next().and_then(integer)
    }
}

/// An entry; the members are read in the order of [`COLUMNS`].
fn entry(row: &[Value]) -> Option<Entry> {
    let mut columns = Columns(row.iter());
    let payment = Payment {
        binding: columns.text()?,
        secret: columns.text(),
        mode: if columns.text()? == mode_name(Mode::After) { Mode::After } else { Mode::Before },
        receipt: columns.text()?,
        route: columns.text()?,
        network: columns.text()?,
        asset: columns.text()?,
        amount: columns.text()?,
        pay_to: columns.text()?,
        valid_before: columns.number()?,
        facilitator: columns.text()?,
        request: columns.text()?,
        url: columns.text()?,
        confirm: columns.number()? == 1,
        correlation: columns.text()?,
    };
    let leases = Leases {
        executing: columns.number()?,
        settling: columns.number()?,
        delivering: columns.number()?,
    };
    let row = Row {
        state: columns.text()?,
        fence: columns.number()?,
        due: columns.number(),
        since: columns.number(),
        sent: columns.number(),
        transaction: columns.text(),
        reason: columns.text(),
        holder: columns.text(),
        sealed: columns.number()? == 1,
        created: columns.number()?,
        resends: columns.number()?,
        read: columns.number(),
        seen_block: columns.number(),
        handed: columns.number()? == 1,
    };
    Some(row.into_entry(payment, leases))
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::After => "after",
        Mode::Before => "before",
    }
}

pub(super) fn text(value: Option<&Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A time or a count; both stay far below the 2^53 to which SQL integers are exact here.
pub(super) fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

pub(super) fn number(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn optional(value: Option<u64>) -> Value {
    value.map_or(Value::Null, number)
}
