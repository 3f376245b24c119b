//! The rows of a ledger object. One statement per function; amounts are text.

mod columns;
mod schema;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use farebox_core::ledger::entry::Entry;
use farebox_core::ledger::row::Row;
use farebox_core::ledger::shard::{self, Response, Slot};
use farebox_core::ledger::take::Named;
use farebox_core::payment::{OnChain, TxHash};
use wasm_bindgen::JsValue;

use self::columns::{COLUMNS, OPEN_COLUMNS, entry, mode_name, open_entry};
use crate::platform::sql::{Result, Sql, SqlValue};

/// The rows of one object.
pub(super) struct LedgerRows {
    sql: Sql,
    /// Entries written last: their payments are most likely to be asked for next.
    recent: RefCell<VecDeque<(Slot, Entry)>>,
    /// Whether a payment may stand for another one, and whether one may be marked as begun
    /// elsewhere. Both are rare, and nothing but this object writes its tables.
    has_aliases: Cell<bool>,
    has_moved: Cell<bool>,
}

/// Limit on the entries that are remembered.
const MAX_RECENT: usize = 32;

impl LedgerRows {
    /// Opens the tables, bringing them to this version.
    pub(super) fn open(sql: Sql) -> Result<Self> {
        schema::migrate(&sql)?;
        let rows = Self {
            sql,
            recent: RefCell::default(),
            has_aliases: Cell::new(true),
            has_moved: Cell::new(true),
        };
        rows.has_aliases.set(rows.finds("SELECT 1 FROM aliases LIMIT 1", Vec::new())?);
        rows.has_moved.set(rows.finds("SELECT 1 FROM moved LIMIT 1", Vec::new())?);
        Ok(rows)
    }

    /// The database, for statements in other files.
    pub(super) const fn sql(&self) -> &Sql {
        &self.sql
    }

    /// Passes `each` every row that is not at rest, found by an index of these rows alone, with the
    /// columns that say when it is due and in which state. A row that no facilitator settles comes
    /// with its request: that is short, and names the sender.
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
        if recent.len() > MAX_RECENT {
            recent.pop_front();
        }
    }

    fn forget(&self, slot: &Slot) {
        self.recent.borrow_mut().retain(|(known, _)| known != slot);
    }

    /// A number that the object keeps about itself.
    pub(super) fn noted(&self, name: &str) -> Result<Option<u64>> {
        let query = "SELECT value FROM meta WHERE name = ?";
        let row = self.sql.exec(query, vec![name.into()])?.raw().next().transpose()?;
        Ok(row.and_then(|row| row.first().and_then(integer)))
    }

    /// Keeps a number about itself.
    pub(super) fn note(&self, name: &str, value: u64) -> Result<()> {
        let query = "INSERT OR REPLACE INTO meta VALUES (?, ?)";
        self.sql.exec(query, vec![name.into(), number(value)]).map(|_| ())
    }

    /// Removes such a number.
    pub(super) fn drop_note(&self, name: &str) -> Result<()> {
        self.sql.exec("DELETE FROM meta WHERE name = ?", vec![name.into()]).map(|_| ())
    }

    /// Inserts a new row.
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
             ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
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
            payment.signing.to_text().into(),
        ];
        self.sql.exec(query, values).map(|_| ())
    }

    /// Updates the columns that change.
    pub(super) fn update(
        &self,
        slot: &Slot,
        entry: &Entry,
        is_open: bool,
        history: &str,
        now: u64,
    ) -> Result<()> {
        // An index is not rewritten for an unchanged value.
        let known =
            self.recent.borrow().iter().find(|(known, _)| known == slot).map(|(_, it)| it.owned());
        let owns = if known == Some(entry.owned()) { "" } else { "owned = ?, " };
        self.remember(slot, entry);
        let row = Row::of(entry);
        let query = format!(
            "UPDATE payments SET state = ?, fence = ?, due = ?, since = ?, sent = ?, tx = ?,
            reason = ?, holder = ?, sealed = ?, updated = ?, resends = ?, read = ?, seen_block = ?,
            handed = ?, asked = ?, amount = ?, open = ?, {owns}history = history || ? WHERE payer = ? AND key = ?"
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
            entry.payment.amount.as_str().into(),
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
        self.has_aliases.set(true);
        let query = "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?, ?)";
        let [payer, key] = names(slot);
        self.sql.exec(query, vec![payer, key, original.into(), number(until)]).map(|_| ())
    }

    /// The transitions of a row, one per line.
    pub(super) fn history(&self, slot: &Slot) -> Result<String> {
        let query = "SELECT history FROM payments WHERE payer = ? AND key = ?";
        let row = self.sql.exec(query, names(slot).into())?.raw().next().transpose()?;
        Ok(row.and_then(|row| text(row.first())).unwrap_or_default())
    }

    /// Marks a payment as begun elsewhere.
    pub(super) fn mark_moved(&self, slot: &Slot, until: u64) -> Result<()> {
        self.has_moved.set(true);
        let query = "INSERT OR REPLACE INTO moved VALUES (?, ?, ?)";
        let [payer, key] = names(slot);
        self.sql.exec(query, vec![payer, key, number(until)]).map(|_| ())
    }

    /// Removes that mark.
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

    /// Lets a payment take a transaction, until this second.
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

impl shard::Rows for LedgerRows {
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
        if !self.has_aliases.get() {
            return Ok(None);
        }
        let query = "SELECT original FROM aliases WHERE payer = ? AND key = ?";
        let row = self.sql.exec(query, names(slot).into())?.raw().next().transpose()?;
        Ok(row.and_then(|row| text(row.first())))
    }

    fn is_moved(&self, slot: &Slot) -> Result<bool> {
        let query = "SELECT 1 FROM moved WHERE payer = ? AND key = ?";
        Ok(self.has_moved.get() && self.finds(query, names(slot).into())?)
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

/// The transaction that is certainly this row's: one that was only named while the settlement is
/// unknown takes nothing from others.
fn owned(entry: &Entry) -> SqlValue {
    entry.owned().map(|hash| hash.to_text()).into()
}

/// Payer and key, as values to bind.
fn names(slot: &Slot) -> [SqlValue; 2] {
    [slot.payer.as_str().into(), slot.key.as_str().into()]
}

/// Payer and key, the first two columns.
pub(super) fn slot_of(row: &[SqlValue]) -> Option<Slot> {
    let (payer, key) = text(row.first()).zip(text(row.get(1)))?;
    Some(Slot { payer, key })
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
