//! Columns that many payments have in common: written once, and named by a number in their rows.
//!
//! A row of an earlier version has these columns itself, and so has one for which there is no room
//! here. The terms in the facilitator's request, which stand there twice, are a mark in a row: no
//! JSON has that character. The view `whole` reads all of them alike.

use std::cell::RefCell;

use farebox_core::ledger::command::{Leases, Payment};

use super::columns::mode_name;
use super::number::number_of;
use super::{number, text};
use crate::platform::sql::{Result, Sql, SqlValue};

/// The columns that rows have in common.
pub(super) const COLUMNS: [&str; 9] = [
    "mode",
    "route",
    "chain",
    "asset",
    "pay_to",
    "facilitator",
    "executing",
    "settling",
    "delivering",
];
/// The network of the row `o` of `payments`, which no view can name in a statement that says by
/// which index it looks.
pub(in super::super) const NETWORK_OF_O: &str =
    "ifnull((SELECT c.chain FROM common c WHERE c.id = o.common), o.chain)";

/// The rows of `common`: what they are compared by, and their numbers.
pub(super) struct CommonRows(RefCell<Vec<(String, i64)>>);

impl CommonRows {
    /// Reads them.
    pub(super) fn open(sql: &Sql) -> Result<Self> {
        let columns = COLUMNS.into_iter().chain(["ifnull(terms, '')"]);
        let columns = columns.collect::<Vec<_>>().join("||'\u{1f}'||");
        let query = format!("SELECT id, {columns} FROM common");
        let mut all = Vec::new();
        for row in sql.exec(&query, Vec::new())?.raw() {
            let row = row?;
            all.extend(text(row.get(1)).zip(number_of(&row)));
        }
        Ok(Self(RefCell::new(all)))
    }

    /// The columns of a payment's row that it may have in common with others, and its request.
    pub(super) fn columns(
        &self,
        sql: &Sql,
        payment: &Payment,
        leases: Leases,
    ) -> Result<Vec<(&'static str, SqlValue)>> {
        let texts = [
            mode_name(payment.mode),
            &payment.route,
            &payment.network,
            &payment.asset,
            &payment.pay_to,
            &payment.facilitator,
        ];
        let times = [leases.executing, leases.settling, leases.delivering];
        let values = texts.map(SqlValue::from).into_iter().chain(times.map(number));
        let values: Vec<SqlValue> = values.collect();
        let names = texts.map(str::to_owned).into_iter().chain(times.map(|it| it.to_string()));
        let name = names.collect::<Vec<_>>().join("\u{1f}");
        let request = payment.request.as_str();
        let mut terms = terms_of(request);
        let mut place = self.place(sql, &name, &values, terms)?;
        if place.is_none() && terms.is_some() {
            terms = None;
            place = self.place(sql, &name, &values, terms)?;
        }
        let request = terms.map_or_else(|| request.to_owned(), |it| request.replace(it, MARK));
        let beside = [
            ("request", request.into()),
            ("common", place.map_or(SqlValue::Null, SqlValue::Integer)),
        ];
        let own = COLUMNS.into_iter().zip(values);
        let own =
            own.map(|(name, value)| (name, if place.is_some() { least(&value) } else { value }));
        Ok(own.chain(beside).collect())
    }

    /// The number of these columns, which get one if there is room.
    fn place(
        &self,
        sql: &Sql,
        name: &str,
        values: &[SqlValue],
        terms: Option<&str>,
    ) -> Result<Option<i64>> {
        let mut all = self.0.borrow_mut();
        let name = format!("{name}\u{1f}{}", terms.unwrap_or_default());
        if let Some((_, place)) = all.iter().find(|(known, _)| *known == name) {
            return Ok(Some(*place));
        }
        let most = if terms.is_some() { MAX_COMMON / 2 } else { MAX_COMMON };
        if all.len() >= most {
            return Ok(None);
        }
        let marks = vec!["?"; COLUMNS.len()].join(", ");
        let columns = COLUMNS.join(", ");
        let query =
            format!("INSERT INTO common ({columns}, terms) VALUES ({marks}, ?) RETURNING id");
        let terms = terms.map_or(SqlValue::Null, SqlValue::from);
        let values = values.iter().cloned().chain([terms]).collect();
        let row = sql.exec(&query, values)?.raw().next().transpose()?;
        let place = row.and_then(|row| number_of(&row));
        all.extend(place.map(|place| (name, place)));
        Ok(place)
    }
}

/// The shortest value of this kind, for a column that nobody reads there.
fn least(value: &SqlValue) -> SqlValue {
    if matches!(value, SqlValue::Integer(_)) { number(0) } else { "".into() }
}

/// The terms in a facilitator's request: its last member, up to the brace that ends the request.
/// Those of version 1 name the URL, which is the client's to choose, and stay where they are.
fn terms_of(request: &str) -> Option<&str> {
    let (_, rest) = request.rsplit_once("\"paymentRequirements\":")?;
    let is_in_common = |it: &str| !it.is_empty() && !it.contains("\"resource\":");
    rest.strip_suffix('}').filter(|it| is_in_common(it) && !request.contains(MARK))
}

/// Stands for the terms. The schema names it, too.
const MARK: &str = "\u{1}";
/// Limit on the rows: there is one for each route, payee and facilitator that ever was, unless a
/// pricer names a price or payee for each request. Those with terms leave half of it to others.
const MAX_COMMON: usize = 1_024;
