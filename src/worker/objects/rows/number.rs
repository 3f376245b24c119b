//! The number of a row: where it is in the one tree that keeps the payments.
//!
//! A number begins with the payment's key, so no index leads to a row. It is negative as long as the
//! row is not at rest: an object that starts reads these rows alone, and a row that comes to rest
//! moves with the same write. Rows whose keys begin alike share [`SHARED`] numbers.

use farebox_core::ledger::shard::Slot;

use super::text;
use crate::platform::sql::SqlValue;

/// Numbers that keys with the same beginning share: more of them than anyone can find.
pub(super) const SHARED: i64 = 16;
/// Hex digits of a key that its number begins with: 48 bits, so that JavaScript has it exactly.
pub(super) const KEY_DIGITS: usize = 12;

/// Condition that finds the row of a slot, with [`Numbers::of`] and [`Numbers::row`].
pub(in super::super) const OF_SLOT: &str =
    "(id BETWEEN ? AND ? OR id BETWEEN ? AND ?) AND payer = ? AND key = ?";
/// Condition that finds the rows that share a key's numbers.
pub(super) const OF_KEY: &str = "(id BETWEEN ? AND ? OR id BETWEEN ? AND ?)";

/// The numbers that the row of a key may have, without the sign.
#[derive(Clone, Copy)]
pub(in super::super) struct Numbers(i64);

impl Numbers {
    /// Those of a key, or of its beginning.
    pub(in super::super) fn of(key: &str) -> Self {
        let start = key.get(..KEY_DIGITS).and_then(|digits| i64::from_str_radix(digits, 16).ok());
        // No key of a payment is anything but hex digits; another one is still found again.
        let start = start
            .unwrap_or_else(|| key.bytes().fold(0, |sum, it| sum * 31 % PRIME + i64::from(it)));
        Self((start + 1) * SHARED)
    }

    /// The first of them.
    pub(in super::super) const fn first(self) -> i64 {
        self.0
    }

    /// Values for [`OF_KEY`].
    pub(super) fn range(self) -> Vec<SqlValue> {
        let (first, last) = (self.0, self.0 + SHARED - 1);
        [first, last, -last, -first].map(SqlValue::Integer).into()
    }

    /// The least of them that no row has, by the numbers that rows have; `None` if there is none.
    pub(super) fn vacant(self, taken: &[i64]) -> Option<i64> {
        (self.0..self.0 + SHARED).find(|number| !taken.iter().any(|it| it.abs() == *number))
    }
}

/// Values for [`OF_SLOT`].
pub(in super::super) fn of_slot(slot: &Slot) -> Vec<SqlValue> {
    let mut values = Numbers::of(&slot.key).range();
    values.extend([slot.payer.as_str().into(), slot.key.as_str().into()]);
    values
}

/// The number under which a row is kept.
pub(super) const fn signed(number: i64, is_open: bool) -> i64 {
    if is_open { -number.abs() } else { number.abs() }
}

/// The first column as a number.
pub(in super::super) fn number_of(row: &[SqlValue]) -> Option<i64> {
    match row.first() {
        Some(SqlValue::Integer(number)) => Some(*number),
        _ => None,
    }
}

/// Payer and key, the two columns after the number.
pub(in super::super) fn slot_after(row: &[SqlValue]) -> Option<Slot> {
    let (payer, key) = text(row.get(1)).zip(text(row.get(2)))?;
    Some(Slot { payer, key })
}

/// An expression for the first number of the key in this column, for rows that are moved.
pub(super) fn first_by_sql(column: &str) -> String {
    let digits = (1..=KEY_DIGITS).map(|place| {
        let shift = 4 * (KEY_DIGITS - place);
        format!("((instr('0123456789abcdef', substr({column}, {place}, 1)) - 1) << {shift})")
    });
    format!("(({} + 1) * {SHARED})", digits.collect::<Vec<_>>().join(" + "))
}

/// Below 2^48, so that other texts get numbers of the same range.
const PRIME: i64 = 281_474_976_710_597;
