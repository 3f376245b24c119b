//! The tables of a ledger object. One statement per function; amounts are text; schema changes are numbered.

use std::cell::RefCell;
use std::collections::VecDeque;

use farebox_core::ledger::command::{Leases, Mode, Payment};
use farebox_core::ledger::entry::Entry;
use farebox_core::ledger::row::Row;
use farebox_core::ledger::shard::{self, Response, Slot};
use farebox_core::ledger::take::Named;
use farebox_core::payment::{OnChain, TxHash};
use wasm_bindgen::JsValue;

use super::sql::{Result, Sql, SqlValue};

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
]];

/// The rows of one object.
pub(super) struct Rows {
    sql: Sql,
    /// Entries that were written last: their payments are most likely asked for next.
    recent: RefCell<VecDeque<(Slot, Entry)>>,
}

/// Most entries that are remembered.
const MOST_RECENT: usize = 32;

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
            let number = SqlValue::Integer(number as i64 + 1);
            sql.exec("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", vec![number])?;
        }
        Ok(Self { sql, recent: RefCell::default() })
    }

    /// For the statements of other files.
    pub(super) const fn sql(&self) -> &Sql {
        &self.sql
    }

    /// Gives `each` every row that is not at rest, by an index of these rows alone, with what tells when it is due and how it
    /// stands. What it was asked with comes along where no facilitator settles it: that is short, and says who has sent it.
    ///
    /// A row comes as one text, because each value that crosses over costs as much as a row does.
    pub(super) fn open_entries(&self, mut each: impl FnMut(&Slot, &Entry)) -> Result<()> {
        let text = OPEN_COLUMNS.join("||'\u{1f}'||");
        let query = format!("SELECT {text} FROM payments INDEXED BY payments_open WHERE open = 1");
        let settler = OnChain::settler("");
        let values = vec![settler.as_str().into(), settler.as_str().into()];
        for row in self.sql.exec(&query, values)?.raw() {
            if let Some(SqlValue::String(text)) = row?.first()
                && let Some((slot, entry)) = open_entry(text)
            {
                each(&slot, &entry);
            }
        }
        Ok(())
    }

    /// Remembers an entry as it is written.
    fn remember(&self, slot: &Slot, entry: &Entry) {
        self.forget(slot);
        let mut recent = self.recent.borrow_mut();
        recent.push_back((slot.clone(), entry.clone()));
        if recent.len() > MOST_RECENT {
            recent.pop_front();
        }
    }

    fn forget(&self, slot: &Slot) {
        self.recent.borrow_mut().retain(|(known, _)| known != slot);
    }

    /// A number that the object keeps of itself.
    pub(super) fn noted(&self, name: &str) -> Result<Option<u64>> {
        let query = "SELECT value FROM meta WHERE name = ?";
        let row = self.sql.exec(query, vec![name.into()])?.raw().next().transpose()?;
        Ok(row.and_then(|row| row.first().and_then(integer)))
    }

    /// Keeps a number of itself.
    pub(super) fn note(&self, name: &str, value: u64) -> Result<()> {
        let query = "INSERT OR REPLACE INTO meta VALUES (?, ?)";
        self.sql.exec(query, vec![name.into(), number(value)]).map(|_| ())
    }

    /// Forgets such a number.
    pub(super) fn drop_note(&self, name: &str) -> Result<()> {
        self.sql.exec("DELETE FROM meta WHERE name = ?", vec![name.into()]).map(|_| ())
    }

    /// A new row.
    pub(super) fn insert(
        &self,
        slot: &Slot,
        entry: &Entry,
        is_open: bool,
        history: &str,
        now: u64,
    ) -> Result<()> {
        self.remember(slot, entry);
        let (payment, leases, row) = (&entry.payment, entry.leases, Row::of(entry));
        let query = "INSERT INTO payments VALUES
            (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
             ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let values = vec![
            slot.payer.as_str().into(),
            slot.key.as_str().into(),
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
            number(u64::from(row.asked)),
            payment.client.as_str().into(),
            number(u64::from(is_open)),
            owned(entry),
        ];
        self.sql.exec(query, values).map(|_| ())
    }

    /// The columns that change.
    pub(super) fn update(
        &self,
        slot: &Slot,
        entry: &Entry,
        is_open: bool,
        history: &str,
        now: u64,
    ) -> Result<()> {
        // An index is not written anew for what it has.
        let known =
            self.recent.borrow().iter().find(|(known, _)| known == slot).map(|(_, it)| it.owned());
        let owns = if known == Some(entry.owned()) { "" } else { "owned = ?, " };
        self.remember(slot, entry);
        let row = Row::of(entry);
        let query = format!(
            "UPDATE payments SET state = ?, fence = ?, due = ?, since = ?, sent = ?, tx = ?,
            reason = ?, holder = ?, sealed = ?, updated = ?, resends = ?, read = ?, seen_block = ?,
            handed = ?, asked = ?, open = ?, {owns}history = history || ? WHERE payer = ? AND key = ?"
        );
        let mut values = vec![
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
            number(u64::from(row.asked)),
            number(u64::from(is_open)),
        ];
        if !owns.is_empty() {
            values.push(owned(entry));
        }
        values.push(history.into());
        values.extend(names(slot));
        self.sql.exec(&query, values).map(|_| ())
    }

    /// Remembers that a payment stands for another one of the same payer.
    pub(super) fn alias(&self, slot: &Slot, original: &str, until: u64) -> Result<()> {
        let query = "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?, ?)";
        let [payer, key] = names(slot);
        self.sql.exec(query, vec![payer, key, original.into(), number(until)]).map(|_| ())
    }

    /// The transitions of a row, one a line.
    pub(super) fn history(&self, slot: &Slot) -> Result<String> {
        let query = "SELECT history FROM payments WHERE payer = ? AND key = ?";
        let row = self.sql.exec(query, names(slot).into())?.raw().next().transpose()?;
        Ok(row.and_then(|row| text(row.first())).unwrap_or_default())
    }

    /// Remembers that a payment is begun elsewhere.
    pub(super) fn mark_moved(&self, slot: &Slot, until: u64) -> Result<()> {
        let query = "INSERT OR REPLACE INTO moved VALUES (?, ?, ?)";
        let [payer, key] = names(slot);
        self.sql.exec(query, vec![payer, key, number(until)]).map(|_| ())
    }

    /// Forgets that.
    pub(super) fn unmark_moved(&self, slot: &Slot) -> Result<()> {
        let query = "DELETE FROM moved WHERE payer = ? AND key = ?";
        self.sql.exec(query, names(slot).into()).map(|_| ())
    }

    /// Removes a row, and leaves its response.
    pub(super) fn delete(&self, slot: &Slot) -> Result<()> {
        self.forget(slot);
        let query = "DELETE FROM payments WHERE payer = ? AND key = ?";
        self.sql.exec(query, names(slot).into()).map(|_| ())
    }

    /// Removes a stored response.
    pub(super) fn delete_response(&self, slot: &Slot) -> Result<()> {
        let query = "DELETE FROM responses WHERE payer = ? AND key = ?";
        self.sql.exec(query, names(slot).into()).map(|_| ())
    }

    /// Stores a response.
    pub(super) fn store(&self, slot: &Slot, response: &Response, now: u64) -> Result<()> {
        let query = "INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?)";
        let [payer, key] = names(slot);
        let values = vec![
            payer,
            key,
            response.head.as_str().into(),
            response.sha256.as_str().into(),
            response.body.clone().into(),
            number(now),
        ];
        self.sql.exec(query, values).map(|_| ())
    }

    /// The payment that has taken a transaction.
    pub(super) fn taker(&self, named: &Named) -> Result<Option<String>> {
        let query = "SELECT key FROM transactions WHERE network = ? AND name = ?";
        let values = vec![named.network.as_str().into(), named.transaction.as_str().into()];
        let row = self.sql.exec(query, values)?.raw().next().transpose()?;
        Ok(row.and_then(|row| text(row.first())))
    }

    /// Has a payment take a transaction, until this second.
    pub(super) fn take(&self, named: &Named, until: u64) -> Result<()> {
        let query = "INSERT OR REPLACE INTO transactions VALUES (?, ?, ?, ?)";
        let values = vec![
            named.network.as_str().into(),
            named.transaction.as_str().into(),
            named.key.as_str().into(),
            number(until),
        ];
        self.sql.exec(query, values).map(|_| ())
    }

    /// Whether a statement about one slot finds a row.
    fn finds(&self, query: &str, values: Vec<SqlValue>) -> Result<bool> {
        Ok(self.sql.exec(query, values)?.raw().next().transpose()?.is_some())
    }
}

impl shard::Rows for Rows {
    type Error = JsValue;

    fn find(&self, slot: &Slot) -> Result<Option<Entry>> {
        if let Some((_, entry)) = self.recent.borrow().iter().find(|(known, _)| known == slot) {
            return Ok(Some(entry.clone()));
        }
        let query = format!("SELECT {COLUMNS} FROM payments WHERE payer = ? AND key = ?");
        let row = self.sql.exec(&query, names(slot).into())?.raw().next().transpose()?;
        Ok(row.and_then(|row| entry(&row)))
    }

    fn original(&self, slot: &Slot) -> Result<Option<String>> {
        let query = "SELECT original FROM aliases WHERE payer = ? AND key = ?";
        let row = self.sql.exec(query, names(slot).into())?.raw().next().transpose()?;
        Ok(row.and_then(|row| text(row.first())))
    }

    fn is_moved(&self, slot: &Slot) -> Result<bool> {
        self.finds("SELECT 1 FROM moved WHERE payer = ? AND key = ?", names(slot).into())
    }

    fn owners(&self, network: &str, transaction: &TxHash) -> Result<Vec<Slot>> {
        let query = "SELECT payer, key FROM payments WHERE owned = ? AND network = ? LIMIT 2";
        let mut owners = Vec::new();
        for row in self.sql.exec(query, vec![transaction.as_str().into(), network.into()])?.raw() {
            let row = row?;
            owners.extend(slot_of(&row));
        }
        Ok(owners)
    }

    fn refunds_another(&self, refund: &TxHash, slot: &Slot) -> Result<bool> {
        let query = "SELECT 1 FROM payments WHERE state = 'refunded' AND reason = ?
            AND NOT (payer = ? AND key = ?) LIMIT 1";
        let [payer, key] = names(slot);
        self.finds(query, vec![refund.as_str().into(), payer, key])
    }

    fn by_receipt(&self, receipt: &str) -> Result<Option<Slot>> {
        let query = "SELECT payer, key FROM payments WHERE receipt = ? LIMIT 1";
        let row = self.sql.exec(query, vec![receipt.into()])?.raw().next().transpose()?;
        Ok(row.and_then(|row| slot_of(&row)))
    }

    fn response(&self, slot: &Slot) -> Result<Option<Response>> {
        let query = "SELECT head, sha256, body FROM responses WHERE payer = ? AND key = ?";
        let Some(row) = self.sql.exec(query, names(slot).into())?.raw().next().transpose()? else {
            return Ok(None);
        };
        let body = match row.get(2) {
            Some(SqlValue::Blob(bytes)) => bytes.clone(),
            _ => return Ok(None),
        };
        let texts = text(row.first()).zip(text(row.get(1)));
        Ok(texts.map(|(head, sha256)| Response { head, sha256, body }))
    }
}

/// The transaction that is this row's for certain: one that was only named in doubt takes nothing from others.
fn owned(entry: &Entry) -> SqlValue {
    entry.owned().map(|hash| hash.to_text()).into()
}

/// Payer and key, to be bound.
fn names(slot: &Slot) -> [SqlValue; 2] {
    [slot.payer.as_str().into(), slot.key.as_str().into()]
}

/// Payer and key, the first two columns.
pub(super) fn slot_of(row: &[SqlValue]) -> Option<Slot> {
    let (payer, key) = text(row.first()).zip(text(row.get(1)))?;
    Some(Slot { payer, key })
}

/// What an entry is read from, one column after the other.
const COLUMNS: &str =
    "binding, secret, mode, receipt, route, network, asset, amount, pay_to, valid_before,
    facilitator, request, url, confirm, correlation, executing, settling, delivering,
    state, fence, due, since, sent, tx, reason, holder, sealed, created, resends, read, seen_block,
    handed, asked, client";

/// The columns of a row that have not been read.
struct Columns<'a>(std::slice::Iter<'a, SqlValue>);

impl Columns<'_> {
    fn text(&mut self) -> Option<String> {
        text(self.0.next())
    }

    fn number(&mut self) -> Option<u64> {
        self.0.next().and_then(integer)
    }
}

/// An entry; the members are read in the order of [`COLUMNS`].
fn entry(row: &[SqlValue]) -> Option<Entry> {
    let mut columns = Columns(row.iter());
    let mut payment = Payment {
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
        client: String::new(),
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
        asked: columns.number()? == 1,
    };
    payment.client = columns.text()?;
    Some(row.into_entry(payment, leases))
}

/// What [`open_entry`] reads, none of it NULL; a column without a value is empty, and the one text that may be empty comes
/// behind a dot.
const OPEN_COLUMNS: &[&str] = &[
    "payer",
    "key",
    "binding",
    "mode",
    "network",
    "valid_before",
    "facilitator",
    "CASE substr(facilitator, 1, length(?)) WHEN ? THEN request ELSE '' END",
    "confirm",
    "executing",
    "settling",
    "delivering",
    "state",
    "fence",
    "ifnull(due, '')",
    "ifnull(since, '')",
    "ifnull(sent, '')",
    "ifnull(tx, '')",
    "ifnull(holder, '')",
    "sealed",
    "created",
    "resends",
    "ifnull(read, '')",
    "ifnull(seen_block, '')",
    "handed",
    "asked",
    "client",
    "ifnull('.' || reason, '')",
];

/// A row that is not at rest, as far as decisions about others need it.
fn open_entry(text: &str) -> Option<(Slot, Entry)> {
    // The last column is the one that anything may stand in.
    let mut columns = text.splitn(OPEN_COLUMNS.len(), '\u{1f}');
    let mut next = || columns.next();
    let number = |text: &str| text.parse().ok();
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let slot = Slot { payer: next()?.to_owned(), key: next()?.to_owned() };
    let mut payment = Payment {
        binding: next()?.to_owned(),
        mode: if next()? == mode_name(Mode::After) { Mode::After } else { Mode::Before },
        network: next()?.to_owned(),
        valid_before: number(next()?)?,
        facilitator: next()?.to_owned(),
        request: next()?.to_owned(),
        confirm: next()? == "1",
        secret: None,
        receipt: String::new(),
        route: String::new(),
        url: String::new(),
        correlation: String::new(),
        asset: String::new(),
        amount: String::new(),
        pay_to: String::new(),
        client: String::new(),
    };
    let leases = Leases {
        executing: number(next()?)?,
        settling: number(next()?)?,
        delivering: number(next()?)?,
    };
    let mut row = Row {
        state: next()?.to_owned(),
        fence: number(next()?)?,
        due: number(next()?),
        since: number(next()?),
        sent: number(next()?),
        transaction: some(next()?),
        holder: some(next()?),
        sealed: next()? == "1",
        created: number(next()?)?,
        resends: number(next()?)?,
        read: number(next()?),
        seen_block: number(next()?),
        handed: next()? == "1",
        asked: next()? == "1",
        reason: None,
    };
    payment.client = next()?.to_owned();
    row.reason = next()?.strip_prefix('.').map(str::to_owned);
    Some((slot, row.into_entry(payment, leases)))
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::After => "after",
        Mode::Before => "before",
    }
}

pub(super) fn text(value: Option<&SqlValue>) -> Option<String> {
    match value {
        Some(SqlValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A time or a count; both stay far below the 2^53 to which SQL integers are exact here.
pub(super) fn integer(value: &SqlValue) -> Option<u64> {
    match value {
        SqlValue::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

pub(super) fn number(value: u64) -> SqlValue {
    SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn optional(value: Option<u64>) -> SqlValue {
    value.map_or(SqlValue::Null, number)
}
