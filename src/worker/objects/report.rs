//! Reports of a ledger object to its operator, and the operator's decisions.

use farebox_core::ledger::report::tally::{Line, Sum};
use farebox_core::ledger::report::{
    Decision, Filter, Mark, ObjectRequest, PaymentItem, Report, STARTS,
};
use farebox_core::ledger::shard::{Decided, Rows as _, Shard, Slot};
use farebox_core::sorted::{Sorted, by_rank};

use super::ledger::Txn;
use super::rows::{NETWORK_OF_O, OF_SLOT, Owned, WAITING, integer, number, of_slot, text};
use crate::platform::sql::{Result, SqlValue};

impl Txn<'_> {
    /// Carries out one request of the operator.
    pub(super) fn report(&mut self, errand: ObjectRequest) -> Result<Report> {
        match errand {
            ObjectRequest::List { filter, after, limit } => {
                let mut conditions = Conditions::of(&filter);
                if let Some(Mark { created, payer, key }) = after {
                    let created = || number(created);
                    conditions.add(
                        "(created < ? OR (created = ? AND (payer, key) > (?, ?)))",
                        [created(), created(), payer.into(), key.into()],
                    );
                }
                let Conditions { text, mut values } = conditions;
                let order = "created DESC, payer, key";
                let query =
                    format!("SELECT {ITEM} FROM whole WHERE {text} ORDER BY {order} LIMIT ?");
                let limit = limit.clamp(1, MAX_ITEMS);
                values.push(number(u64::from(limit) + 1));
                self.items(&query, values, limit)
            }
            ObjectRequest::Page { filter, after, limit } => {
                let (place, limit) = (self.place(after.as_ref())?, limit.clamp(1, MAX_ITEMS));
                let (query, values) = Conditions::of(&filter).by_number(ITEM, place, limit + 1);
                self.items(&query, values, limit)
            }
            ObjectRequest::Find { id } => self.found(&id),
            ObjectRequest::Sum { filter, after } => {
                let place = self.place(after.as_ref())?;
                self.sums(Conditions::of(&filter), place)
            }
            ObjectRequest::Count => self.counts(),
            ObjectRequest::Decide { id, decision } => self.decide(&id, decision),
            // Being asked has opened the object; its alarm is looked after behind every answer.
            ObjectRequest::Wake => Ok(Report::Awake),
            ObjectRequest::Failures { limit } => Ok(Report::Failing(self.failures(limit))),
            ObjectRequest::Meter { add } => self.meters(&add),
        }
    }

    /// The number behind which a page begins.
    fn place(&self, after: Option<&Mark>) -> Result<i64> {
        after.map_or(Ok(0), |mark| self.rows.number_of(&Slot::new(&mark.payer, &mark.key)))
    }

    fn items(&self, query: &str, values: Vec<SqlValue>, limit: u32) -> Result<Report> {
        let mut items = Vec::new();
        for row in self.rows.sql().exec(query, values)?.raw() {
            items.extend(item(&row?));
        }
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        Ok(Report::Items { items, more })
    }

    fn found(&self, id: &str) -> Result<Report> {
        let place = self.rows.by_receipt(id)?;
        let item = place.map(|slot| self.item(&slot)).transpose()?;
        Ok(Report::Item(item.flatten().map(Box::new)))
    }

    fn item(&self, slot: &Slot) -> Result<Option<PaymentItem>> {
        let query = format!("SELECT {ITEM}, correlation, history FROM whole WHERE {OF_SLOT}");
        let cursor = self.rows.sql().exec(&query, of_slot(slot))?;
        Ok(cursor.raw().next().transpose()?.and_then(|row| item(&row)))
    }

    fn sums(&self, conditions: Conditions, place: i64) -> Result<Report> {
        let columns = format!(
            "payer, key, created, network, asset, route, state, reason, tx, amount, request, {}",
            counted()
        );
        let (query, values) = conditions.by_number(&columns, place, MAX_SUMMED);
        let mut sums: Sorted<[String; 3], Sum> = Sorted::new();
        let (mut last, mut count) = (None, 0);
        for row in self.rows.sql().exec(&query, values)?.raw() {
            let row = row?;
            let column = |index: usize| text(row.get(index));
            let all = |index| column(index).unwrap_or_default();
            let (key, created) = (all(1), row.get(2).and_then(integer).unwrap_or(0));
            let (reason, transaction) = (column(7), column(8));
            let slot = Slot { payer: all(0), key };
            let owned = |transaction| {
                let network = &all(3);
                self.rows.has_earlier_owner(&Owned { slot: &slot, network, transaction, created })
            };
            let counted = row.get(11).and_then(integer) == Some(1)
                || transaction.as_deref().is_some_and(owned);
            let place = [all(3), all(4), all(5)];
            let [network, asset, route] = place.clone();
            let sum = sums.get_or(place, || Sum { network, asset, route, ..Sum::default() });
            sum.add(&Line {
                state: &all(6),
                reason: reason.as_deref(),
                transaction: transaction.as_deref(),
                counted,
                amount: &all(9),
                request: &all(10),
            });
            count += 1;
            last = Some(Mark { created, payer: slot.payer, key: slot.key });
        }
        let after = last.filter(|_| count == MAX_SUMMED);
        Ok(Report::Sums { sums: sums.into_iter().map(|(_, sum)| sum).collect(), after })
    }

    fn counts(&self) -> Result<Report> {
        let query = "SELECT state, route, COUNT(*) FROM whole GROUP BY state, route";
        let mut rows = Vec::new();
        for row in self.rows.sql().exec(query, Vec::new())?.raw() {
            let row = row?;
            if let (Some(state), Some(route), Some(count)) =
                (text(row.first()), text(row.get(1)), row.get(2).and_then(integer))
            {
                rows.push((state, route, count));
            }
        }
        let query = "SELECT MIN(since) FROM payments WHERE state = 'unknown'";
        let row = self.rows.sql().exec(query, Vec::new())?.raw().next().transpose()?;
        let oldest_unknown = row.and_then(|row| row.first().and_then(integer));
        self.rows.measure();
        let bytes = self.rows.bytes();
        Ok(Report::Counts { rows, oldest_unknown, failing: self.failing_counts(), bytes })
    }

    fn decide(&mut self, id: &str, decision: Decision) -> Result<Report> {
        let decision = self.rows.restored.decision(decision);
        Ok(match Shard::decide(id, &decision, self.rows, &self.scene())? {
            Decided::NoRow => Report::Item(None),
            Decided::Undecided(why) => Report::Undecided(why),
            Decided::Done(slot, changes) => {
                self.write(&changes)?;
                match self.item(&slot)? {
                    Some(item) => Report::Decided(Box::new(item)),
                    None => Report::Item(None),
                }
            }
        })
    }

    fn meters(&self, add: &[(String, u64)]) -> Result<Report> {
        for (series, value) in add {
            self.count_meter(series, *value)?;
        }
        for family in OF_ROUTES {
            self.sum_others(family, add)?;
        }
        // What has no route is a few names.
        self.meters_of("").map(Report::Meters)
    }

    /// Keeps so many counters of a family as it may have: those that count least, and were not
    /// counted now, go on as one for other routes.
    fn sum_others(&self, family: &str, add: &[(String, u64)]) -> Result<()> {
        let others = [family, OTHER].concat();
        let mut all = self.meters_of(family)?;
        all.retain(|(series, _)| !series.starts_with(&others));
        let excess = all.len().saturating_sub(MAX_OF_FAMILY);
        if excess == 0 {
            return Ok(());
        }
        let mut now: Sorted<&str, ()> = Sorted::new();
        add.iter().for_each(|(series, _)| now.insert(series, ()));
        let all = by_rank(all, |(series, value)| (now.contains(series.as_str()).into(), *value));
        for (series, value) in all.into_iter().take(excess) {
            // The code stays, which is one of a few.
            let code = series.rsplit_once(CODE).filter(|_| family == DIAGNOSTICS);
            let other = code.map_or_else(
                || [&others, "}"].concat(),
                |(_, code)| [&others, CODE, code].concat(),
            );
            self.count_meter(&other, value)?;
            let query = "DELETE FROM meters WHERE series = ?";
            self.rows.sql().exec(query, vec![series.into()])?;
        }
        Ok(())
    }

    fn count_meter(&self, series: &str, value: u64) -> Result<()> {
        let query = "INSERT INTO meters VALUES (?, ?)
            ON CONFLICT (series) DO UPDATE SET value = value + excluded.value";
        self.rows.sql().exec(query, vec![series.into(), number(value)]).map(|_| ())
    }

    /// The counters whose names begin so.
    fn meters_of(&self, start: &str) -> Result<Vec<(String, u64)>> {
        let mut meters = Vec::new();
        let query = "SELECT series, value FROM meters WHERE series >= ? AND series < ?
            ORDER BY series";
        let values = vec![start.into(), format!("{start}\u{10ffff}").into()];
        for row in self.rows.sql().exec(query, values)?.raw() {
            let row = row?;
            meters.extend(text(row.first()).zip(row.get(1).and_then(integer)));
        }
        Ok(meters)
    }
}

/// Conditions on rows; all values are bound.
struct Conditions {
    text: String,
    values: Vec<SqlValue>,
}

impl Conditions {
    fn of(filter: &Filter) -> Self {
        let mut all = Self { text: "1".to_owned(), values: Vec::new() };
        for (column, value) in
            [("state", &filter.state), ("payer", &filter.payer), ("route", &filter.route)]
        {
            if let Some(value) = value {
                all.add(&format!("{column} = ?"), [value.as_str().into()]);
            }
        }
        // A bound value does not tell SQLite that the index of what waits has these rows.
        if let Some(state) = &filter.state
            && WAITING.contains(&format!("'{state}'"))
        {
            all.add(WAITING, []);
        }
        if let Some(from) = filter.from {
            all.add("created >= ?", [number(from)]);
        }
        if let Some(to) = filter.to {
            all.add("created < ?", [number(to)]);
        }
        for (name, start) in &filter.starts {
            // Nothing sorts after the last character that a text may have.
            let end = format!("{start}\u{10ffff}");
            let column = STARTS.iter().position(|known| known == name);
            let column = column.and_then(|place| STARTING.get(place)).unwrap_or(&"NULL");
            all.add(
                &format!("{column} >= ? AND {column} < ?"),
                [start.as_str().into(), end.into()],
            );
        }
        all
    }

    /// A statement for these columns of the rows behind a number, each once, in the order of numbers
    /// without the sign: a row that comes to rest meanwhile keeps its place.
    fn by_number(self, columns: &str, place: i64, limit: u32) -> (String, Vec<SqlValue>) {
        let Self { text, values } = self;
        let half = |range: &str| {
            format!(
                "SELECT * FROM (SELECT {columns}, id FROM whole p WHERE {text} AND {range} LIMIT {limit})"
            )
        };
        let query = format!(
            "SELECT * FROM ({} UNION ALL {}) ORDER BY abs(id) LIMIT {limit}",
            half("id > ? ORDER BY id"),
            half("id < ? ORDER BY id DESC")
        );
        let mut all = values.clone();
        all.push(SqlValue::Integer(place));
        all.extend(values);
        all.push(SqlValue::Integer(-place));
        (query, all)
    }

    fn add<const N: usize>(&mut self, condition: &str, values: [SqlValue; N]) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.values.extend(values);
    }
}

/// Columns of [`STARTS`].
const STARTING: [&str; STARTS.len()] = ["receipt", "key", "tx", "correlation"];
/// Columns of an item, in this order; its correlation id and its history follow.
const ITEM: &str = "receipt, key, state, payer, route, network, asset, amount, tx, facilitator,
    created, updated, reason, pay_to, CASE state WHEN 'refund_due' THEN sent END,
    CASE WHEN state = 'refund_due' AND sent IS NOT NULL THEN fence END,
    CASE state WHEN 'refund_due' THEN holder END";
/// Whether an earlier row at rest certainly has this row's transaction.
fn counted() -> String {
    format!(
        "p.tx IS NOT NULL AND EXISTS (SELECT 1 FROM payments o INDEXED BY payments_owned
         WHERE substr(o.tx, 3, 12) = substr(p.tx, 3, 12) AND o.tx = p.tx
         AND {NETWORK_OF_O} = p.network
         AND o.id > 0 AND o.tx IS NOT NULL AND o.state <> 'unknown' AND o.tx <> 'pending'
         AND (o.created, o.payer, o.key) < (p.created, p.payer, p.key))"
    )
}

/// Beginnings of the counters that each route has, of which a market's sellers make ever new ones.
const OF_ROUTES: [&str; 2] = ["farebox_challenges_total{route=\"", DIAGNOSTICS];
const DIAGNOSTICS: &str = "farebox_diagnostics_total{route=\"";
/// The text before the code of a diagnostic.
const CODE: &str = ",code=";
/// Label of all other routes; that of a route begins with a slash.
const OTHER: &str = "other\"";
/// Limit on the counters of each of these families: half as many again as a table has routes.
const MAX_OF_FAMILY: usize = 1_500;
/// Limit on the rows of one answer.
const MAX_ITEMS: u32 = 500;
/// Limit on the rows of one answer with sums.
const MAX_SUMMED: u32 = 2_000;

fn item(row: &[SqlValue]) -> Option<PaymentItem> {
    let column = |index: usize| text(row.get(index));
    Some(PaymentItem {
        id: column(0)?,
        key: column(1)?,
        state: column(2)?,
        payer: column(3)?,
        payee: column(13).unwrap_or_default(),
        route: column(4)?,
        network: column(5)?,
        asset: column(6)?,
        amount: column(7)?,
        transaction: column(8),
        facilitator: column(9)?,
        created_at: row.get(10).and_then(integer)?,
        updated_at: row.get(11).and_then(integer)?,
        reason: column(12),
        refunding_at: row.get(14).and_then(integer),
        refunding_id: row.get(15).and_then(integer),
        refunding_key: column(16),
        correlation_id: column(17).unwrap_or_default(),
        history: column(18).unwrap_or_default(),
    })
}
