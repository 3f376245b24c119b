//! The rows of a ledger object. One statement per function; amounts are text.

mod columns;
mod common;
mod number;
mod owners;
mod schema;
mod write;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use farebox_core::gate::Gate;
use farebox_core::ledger::entry::Entry;
use farebox_core::ledger::restored::{NOTE, Restored};
use farebox_core::ledger::shard::{self, Response, Slot};
use farebox_core::ledger::take::Named;
use farebox_core::payment::{OnChain, TxHash};
use wasm_bindgen::JsValue;
use worker::worker_sys::DurableObjectState;

use self::columns::{COLUMNS, OPEN_COLUMNS, entry, open_entry};
use self::common::CommonRows;
pub(super) use self::common::NETWORK_OF_O;
use self::number::OF_KEY;
pub(super) use self::number::{Numbers, OF_SLOT, number_of, of_slot, slot_after};
pub(super) use self::owners::{CERTAIN, Owned};
use self::owners::{OpenOwners, START};
pub(super) use self::schema::WAITING;
use self::write::Known;
pub(super) use self::write::Version;
use crate::platform::object::together;
use crate::platform::sql::{Result, Sql, SqlValue};

/// The rows of one object.
pub(super) struct LedgerRows {
    sql: Sql,
    /// Knows where a receipt id leads.
    gate: Rc<Gate>,
    /// Entries written last: their payments are most likely to be asked for next.
    recent: RefCell<VecDeque<Known>>,
    /// The word that the rows are those of a copy.
    pub(super) restored: Restored,
    open_owners: OpenOwners,
    common: CommonRows,
    /// Bytes of the database, as of the last measurement, and about those written since then.
    bytes: Cell<u64>,
    grown: Cell<usize>,
    /// Whether a payment may stand for another one, and whether one may be marked as begun
    /// elsewhere. Both are rare, and nothing but this object writes its tables.
    has_aliases: Cell<bool>,
    has_moved: Cell<bool>,
}

/// Error of an object whose rows go on being moved with the next event.
const MOVING: &str = "rows of an earlier version are being moved";

/// Whether an object did not open because a part of its rows was moved in its place.
pub(super) fn is_moving(error: &JsValue) -> bool {
    error.as_string().is_some_and(|text| text == MOVING)
}

impl LedgerRows {
    /// Opens the tables of an object, bringing them to this version: what fails in the middle leaves
    /// them as they were, and what takes too long for one event goes on with the next.
    pub(super) fn open(state: &DurableObjectState, gate: Rc<Gate>) -> Result<Self> {
        let sql = Sql::of(state)?;
        let migrated = together(state.as_ref(), &mut || schema::migrate(&sql).map(JsValue::from))?;
        if !migrated.is_truthy() {
            return Err(JsValue::from_str(MOVING));
        }
        let common = CommonRows::open(&sql)?;
        let mut rows = Self {
            sql,
            common,
            gate,
            restored: Restored::default(),
            open_owners: OpenOwners::default(),
            bytes: Cell::new(0),
            grown: Cell::new(0),
            recent: RefCell::default(),
            has_aliases: Cell::new(true),
            has_moved: Cell::new(true),
        };
        rows.restored = Restored::new(rows.noted(NOTE)?.unwrap_or(0), rows.gate.plan());
        rows.measure();
        rows.has_aliases.set(rows.finds("SELECT 1 FROM aliases LIMIT 1", Vec::new())?);
        rows.has_moved.set(rows.finds("SELECT 1 FROM moved LIMIT 1", Vec::new())?);
        Ok(rows)
    }

    /// Bytes of the database, as of the last measurement.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Measures the database.
    pub(super) fn measure(&self) {
        self.bytes.set(self.sql.bytes());
        self.grown.set(0);
    }

    /// The database, for statements in other files.
    pub(super) const fn sql(&self) -> &Sql {
        &self.sql
    }

    /// Passes `each` every row that is not at rest, found by its number, with the columns that say
    /// when it is due and in which state. A row that no facilitator settles comes with its request:
    /// that is short, and names the sender.
    ///
    /// A row comes as one text, because each value that crosses over costs as much as a row does.
    pub(super) fn open_entries(&self, mut each: impl FnMut(&Slot, &Entry)) -> Result<()> {
        let text = OPEN_COLUMNS.join("||'\u{1f}'||");
        // In the order of the list that they are put into, so that each is put at its end.
        let query = format!("SELECT {text} FROM whole WHERE id < 0 ORDER BY payer, key");
        let settler = OnChain::settler("");
        let values = vec![settler.as_str().into(), settler.as_str().into()];
        for row in self.sql.exec(&query, values)?.raw() {
            if let Some(SqlValue::String(text)) = row?.first()
                && let Some((slot, entry)) = open_entry(text)
            {
                self.open_owners.note(&slot, &entry, true);
                each(&slot, &entry);
            }
        }
        Ok(())
    }

    /// Whether a row that is not at rest has had this row's transaction for longer.
    pub(super) fn has_earlier_owner(&self, item: &Owned<'_>) -> bool {
        self.open_owners.has_earlier(item)
    }

    /// The number of a row, without the sign; of one that is gone, the first that it may have had.
    pub(super) fn number_of(&self, slot: &Slot) -> Result<i64> {
        let number = self.number(slot)?;
        Ok(number.map_or_else(|| Numbers::of(&slot.key).first(), i64::abs))
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

    /// Remembers that a payment stands for another one of the same payer.
    pub(super) fn alias(&self, slot: &Slot, original: &str, until: u64) -> Result<()> {
        self.has_aliases.set(true);
        let query = "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?, ?)";
        let [payer, key] = names(slot);
        self.sql.exec(query, vec![payer, key, original.into(), number(until)]).map(|_| ())
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
        if let Some(known) = self.recent.borrow().iter().find(|known| known.slot == *slot) {
            return Ok(Some(known.entry.clone()));
        }
        let query = format!("SELECT {COLUMNS} FROM whole WHERE {OF_SLOT}");
        let row = self.sql.exec(&query, of_slot(slot))?.raw().next().transpose()?;
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
        let mut owners = self.open_owners.of(network, transaction);
        let query = format!(
            "SELECT id, payer, key FROM payments o INDEXED BY payments_owned
             WHERE {START} = substr(?, 3, 12) AND tx = ? AND {NETWORK_OF_O} = ? AND {CERTAIN} LIMIT 2"
        );
        let name = transaction.as_str();
        for row in self.sql.exec(&query, vec![name.into(), name.into(), network.into()])?.raw() {
            owners.extend(slot_after(&row?));
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
        if let Some(start) = self.gate.key_start(receipt) {
            let query =
                format!("SELECT id, payer, key FROM payments WHERE {OF_KEY} AND receipt = ?");
            let mut values = Numbers::of(&start).range();
            values.push(receipt.into());
            let row = self.sql.exec(&query, values)?.raw().next().transpose()?;
            if let Some(slot) = row.and_then(|row| slot_after(&row)) {
                return Ok(Some(slot));
            }
        }
        let query = "SELECT id, payer, key FROM payments WHERE named = ? LIMIT 1";
        let row = self.sql.exec(query, vec![receipt.into()])?.raw().next().transpose()?;
        Ok(row.and_then(|row| slot_after(&row)))
    }

    fn response(&self, slot: &Slot) -> Result<Option<Response>> {
        let query =
            format!("SELECT head, sha256, body FROM payments WHERE {OF_SLOT} AND head IS NOT NULL");
        let row = self.sql.exec(&query, of_slot(slot))?.raw().next().transpose()?;
        if let Some(row) = row {
            return Ok(response(&row));
        }
        let query = "SELECT head, sha256, body FROM responses WHERE payer = ? AND key = ?";
        let row = self.sql.exec(query, names(slot).into())?.raw().next().transpose()?;
        Ok(row.and_then(|row| response(&row)))
    }
}

/// Head, digest and body, the first three columns.
fn response(row: &[SqlValue]) -> Option<Response> {
    let Some(SqlValue::Blob(body)) = row.get(2) else { return None };
    let (head, sha256) = text(row.first()).zip(text(row.get(1)))?;
    Some(Response { head, sha256, body: body.clone() })
}

/// Payer and key, as values to bind.
fn names(slot: &Slot) -> [SqlValue; 2] {
    [slot.payer.as_str().into(), slot.key.as_str().into()]
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
