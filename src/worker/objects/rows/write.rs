//! Writes of a payment's row: each is one statement, and one row.

use farebox_core::ledger::entry::Entry;
use farebox_core::ledger::row::Row;
use farebox_core::ledger::shard::{Response, Slot};
use wasm_bindgen::JsValue;

use super::number::{Numbers, OF_KEY, OF_SLOT, number_of, of_slot, signed};
use super::{LedgerRows, names, number, optional};
use crate::platform::sql::{Result, SqlValue};

/// An entry that was written lately, and the number of its row without the sign.
pub(super) struct Known {
    pub(super) slot: Slot,
    pub(super) entry: Entry,
    number: i64,
}

/// A row as it is from now on.
pub(in super::super) struct Version<'a> {
    pub slot: &'a Slot,
    pub entry: &'a Entry,
    /// Whether it is not at rest.
    pub is_open: bool,
    /// Lines that its history goes on with.
    pub history: &'a str,
    /// The response that it has from now on.
    pub response: Option<&'a Response>,
    /// Time of the write, unix seconds.
    pub now: u64,
}

/// A column and its value.
struct Set {
    column: &'static str,
    value: SqlValue,
}

impl Set {
    fn new(column: &'static str, value: impl Into<SqlValue>) -> Self {
        Self { column, value: value.into() }
    }
}

impl LedgerRows {
    /// Inserts a new row.
    pub(in super::super) fn insert(&self, version: &Version<'_>) -> Result<()> {
        let Version { slot, entry, .. } = version;
        self.grow(entry.payment.request.len());
        let place = self.vacant(&slot.key)?;
        self.remember(version, place);
        let mut sets = vec![
            Set::new("id", SqlValue::Integer(signed(place, version.is_open))),
            Set::new("payer", slot.payer.as_str()),
            Set::new("key", slot.key.as_str()),
            Set::new("created", number(entry.created.secs())),
            Set::new("history", version.history),
        ];
        sets.extend(self.fixed(version)?);
        sets.extend(changing(version));
        sets.extend(self.placed(version)?);
        let columns: Vec<_> = sets.iter().map(|it| it.column).collect();
        let marks = vec!["?"; sets.len()].join(", ");
        let query = format!("INSERT INTO payments ({}) VALUES ({marks})", columns.join(", "));
        self.sql.exec(&query, sets.into_iter().map(|it| it.value).collect()).map(|_| ())
    }

    /// Updates the columns that change.
    pub(in super::super) fn update(&self, version: &Version<'_>) -> Result<()> {
        let mut sets = changing(version);
        if !version.is_open {
            sets.extend(resting(version.entry));
        }
        self.put(version, sets)
    }

    /// Updates all columns of a row whose payment begins again; its history stays.
    pub(in super::super) fn rewrite(&self, version: &Version<'_>) -> Result<()> {
        let mut sets = changing(version);
        sets.extend(self.fixed(version)?);
        self.put(version, sets)
    }

    fn put(&self, version: &Version<'_>, mut sets: Vec<Set>) -> Result<()> {
        let Some(held) = self.number(version.slot)? else {
            return Err(JsValue::from_str("a row that is updated is not there"));
        };
        let id = signed(held, version.is_open);
        self.remember(version, held.abs());
        sets.extend(self.placed(version)?);
        // A row that moves is written anew in its indexes; one that stays is not.
        if id != held {
            sets.push(Set::new("id", SqlValue::Integer(id)));
        }
        let columns: Vec<_> = sets.iter().map(|it| format!("{} = ?", it.column)).collect();
        let query = format!("UPDATE payments SET {}, {GOES_ON} WHERE id = ?", columns.join(", "));
        let mut values: Vec<_> = sets.into_iter().map(|it| it.value).collect();
        values.extend([version.history.into(), SqlValue::Integer(held)]);
        self.sql.exec(&query, values).map(|_| ())
    }

    /// Removes a row, and leaves a response that is stored beside it.
    pub(in super::super) fn delete(&self, slot: &Slot) -> Result<()> {
        self.forget(slot);
        let query = format!("DELETE FROM payments WHERE {OF_SLOT}");
        self.sql.exec(&query, of_slot(slot)).map(|_| ())
    }

    /// Removes a stored response.
    pub(in super::super) fn delete_response(&self, slot: &Slot) -> Result<()> {
        let query = format!(
            "UPDATE payments SET head = NULL, sha256 = NULL, body = NULL
             WHERE {OF_SLOT} AND head IS NOT NULL"
        );
        self.sql.exec(&query, of_slot(slot))?;
        let query = "DELETE FROM responses WHERE payer = ? AND key = ?";
        self.sql.exec(query, names(slot).into()).map(|_| ())
    }

    /// Stores a response whose payment's row stays as it is.
    pub(in super::super) fn store(&self, slot: &Slot, response: &Response, now: u64) -> Result<()> {
        let sets = self.responding(slot, response, now)?;
        let columns: Vec<_> = sets.iter().map(|it| format!("{} = ?", it.column)).collect();
        let query = format!("UPDATE payments SET {} WHERE {OF_SLOT}", columns.join(", "));
        let values = sets.into_iter().map(|it| it.value);
        self.sql.exec(&query, values.chain(of_slot(slot)).collect()).map(|_| ())
    }

    /// The columns of the response that comes with a version, if one does.
    fn placed(&self, version: &Version<'_>) -> Result<Vec<Set>> {
        let response = version.response;
        response.map_or(Ok(Vec::new()), |it| self.responding(version.slot, it, version.now))
    }

    /// The columns of a response: a small one is in the row, and a large one is stored beside it.
    fn responding(&self, slot: &Slot, response: &Response, now: u64) -> Result<Vec<Set>> {
        if response.head.len() + response.body.len() <= MAX_IN_ROW {
            return Ok(vec![
                Set::new("head", response.head.as_str()),
                Set::new("sha256", response.sha256.as_str()),
                Set::new("body", response.body.clone()),
            ]);
        }
        self.grow(response.body.len());
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
        self.sql.exec(query, values)?;
        let columns = ["head", "sha256", "body"];
        Ok(columns.map(|column| Set::new(column, SqlValue::Null)).into())
    }

    /// Counts a write of so many bytes. Measuring is a statement of its own, and little changes little.
    fn grow(&self, bytes: usize) {
        self.grown.set(self.grown.get().saturating_add(bytes).saturating_add(ROW_BYTES));
        if self.grown.get() >= MEASURED_AFTER {
            self.measure();
        }
    }

    /// The columns of a payment and its leases.
    fn fixed(&self, version: &Version<'_>) -> Result<Vec<Set>> {
        let Version { slot, entry, is_open, .. } = version;
        let payment = if *is_open { entry.payment.clone() } else { entry.kept_payment() };
        // A receipt id that does not lead to the row is looked up by an index.
        let leads =
            self.gate.key_start(&payment.receipt).is_some_and(|it| slot.key.starts_with(&it));
        let named = (!leads).then(|| payment.receipt.clone());
        let common = self.common.columns(&self.sql, &payment, entry.leases)?;
        let mut sets: Vec<_> =
            common.into_iter().map(|(column, value)| Set { column, value }).collect();
        sets.extend([
            Set::new("binding", payment.binding),
            Set::new("secret", payment.secret),
            Set::new("receipt", payment.receipt),
            Set::new("named", named),
            Set::new("valid_before", number(payment.valid_before)),
            Set::new("url", payment.url),
            Set::new("confirm", number(u64::from(payment.confirm))),
            Set::new("correlation", payment.correlation),
            Set::new("client", payment.client),
            Set::new("signing", payment.signing.to_text()),
        ]);
        Ok(sets)
    }

    /// The number of a row, negative if it is not at rest.
    pub(super) fn number(&self, slot: &Slot) -> Result<Option<i64>> {
        let query = format!("SELECT id FROM payments WHERE {OF_SLOT}");
        let known = self.recent.borrow().iter().find(|it| it.slot == *slot).map(|it| it.number);
        if let Some(number) = known {
            return Ok(Some(number));
        }
        let row = self.sql.exec(&query, of_slot(slot))?.raw().next().transpose()?;
        Ok(row.and_then(|row| number_of(&row)))
    }

    /// A number that no row has.
    fn vacant(&self, key: &str) -> Result<i64> {
        let numbers = Numbers::of(key);
        let query = format!("SELECT id FROM payments WHERE {OF_KEY}");
        let mut taken = Vec::new();
        for row in self.sql.exec(&query, numbers.range())?.raw() {
            taken.extend(number_of(&row?));
        }
        numbers.vacant(&taken).ok_or_else(|| JsValue::from_str("too many keys begin alike"))
    }

    /// Remembers an entry as it is written, under this number.
    fn remember(&self, version: &Version<'_>, place: i64) {
        let Version { slot, entry, is_open, .. } = version;
        self.forget(slot);
        self.open_owners.note(slot, entry, *is_open);
        let mut recent = self.recent.borrow_mut();
        let number = signed(place, *is_open);
        recent.push_back(Known { slot: (*slot).clone(), entry: (*entry).clone(), number });
        if recent.len() > MAX_RECENT {
            recent.pop_front();
        }
    }

    fn forget(&self, slot: &Slot) {
        self.open_owners.forget(slot);
        self.recent.borrow_mut().retain(|known| known.slot != *slot);
    }
}

/// The columns that every step of a payment may change.
fn changing(version: &Version<'_>) -> Vec<Set> {
    let row = Row::of(version.entry);
    vec![
        Set::new("state", row.state),
        Set::new("fence", number(row.fence)),
        Set::new("due", optional(row.due)),
        Set::new("since", optional(row.since)),
        Set::new("sent", optional(row.sent)),
        Set::new("tx", row.transaction),
        Set::new("reason", row.reason),
        Set::new("holder", row.holder),
        Set::new("sealed", number(u64::from(row.sealed))),
        Set::new("updated", number(version.now)),
        Set::new("resends", number(row.resends)),
        Set::new("read", optional(row.read)),
        Set::new("seen_block", optional(row.seen_block)),
        Set::new("handed", number(u64::from(row.handed))),
        Set::new("asked", number(u64::from(row.asked))),
        Set::new("amount", version.entry.payment.amount.as_str()),
    ]
}

/// The columns that are shorter once a row is at rest.
fn resting(entry: &Entry) -> Vec<Set> {
    let kept = entry.kept_payment();
    if kept == entry.payment {
        return Vec::new();
    }
    vec![Set::new("request", kept.request), Set::new("client", kept.client)]
}

/// Bytes that are written between two measurements of the database, about, and those of a row beside
/// what clients and origins choose.
const MEASURED_AFTER: usize = 1_048_576;
const ROW_BYTES: usize = 2_048;
/// Limit on the entries that are remembered.
const MAX_RECENT: usize = 32;
/// Bytes of a response that is kept in its payment's row: with the rest of it they fit on a page.
const MAX_IN_ROW: usize = 2_048;

/// Goes on with a history: a row must stay small enough to be written. Of a long one the beginning
/// and the end stay.
const GOES_ON: &str = "history = iif(length(history) < 8000, history,
    substr(history, 1, 4000) || char(26, 10) || substr(history, -2000)) || ?";
