//! Entries as they are read from columns: one at a time, or the open ones of an object at once.

use farebox_core::ledger::command::{Leases, Mode, Payment, Signing};
use farebox_core::ledger::entry::Entry;
use farebox_core::ledger::row::Row;
use farebox_core::ledger::shard::Slot;

use super::{integer, text};
use crate::platform::sql::SqlValue;

/// The columns of an entry, in order.
pub(super) const COLUMNS: &str =
    "binding, secret, mode, receipt, route, network, asset, amount, pay_to, valid_before,
    facilitator, request, url, confirm, correlation, executing, settling, delivering,
    state, fence, due, since, sent, tx, reason, holder, sealed, created, resends, read, seen_block,
    handed, asked, client, signing";

/// The columns of a row that have not been read yet.
struct Columns<'a>(std::slice::Iter<'a, SqlValue>);

impl Columns<'_> {
    fn text(&mut self) -> Option<String> {
        text(self.0.next())
    }

    fn number(&mut self) -> Option<u64> {
        self.0.next().and_then(integer)
    }
}

/// Reads an entry; the members are in the order of [`COLUMNS`].
pub(super) fn entry(row: &[SqlValue]) -> Option<Entry> {
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
        signing: Signing::default(),
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
    payment.signing = Signing::from_text(&columns.text()?);
    Some(row.into_entry(payment, leases))
}

/// The columns that [`open_entry`] reads, none of them NULL; a column without a value is empty, and
/// the one text that may be empty has a dot in front.
pub(super) const OPEN_COLUMNS: &[&str] = &[
    "payer",
    "key",
    "binding",
    "mode",
    "network",
    "pay_to",
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
    "signing",
    "ifnull('.' || reason, '')",
];

/// A row that is not at rest, as far as decisions about others need it.
pub(super) fn open_entry(text: &str) -> Option<(Slot, Entry)> {
    // The last column is the one that may contain any text.
    let mut columns = text.splitn(OPEN_COLUMNS.len(), '\u{1f}');
    let mut next = || columns.next();
    let number = |text: &str| text.parse().ok();
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let slot = Slot { payer: next()?.to_owned(), key: next()?.to_owned() };
    let mut payment = Payment {
        binding: next()?.to_owned(),
        mode: if next()? == mode_name(Mode::After) { Mode::After } else { Mode::Before },
        network: next()?.to_owned(),
        pay_to: next()?.to_owned(),
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
        client: String::new(),
        signing: Signing::default(),
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
    payment.signing = Signing::from_text(next()?);
    row.reason = next()?.strip_prefix('.').map(str::to_owned);
    Some((slot, row.into_entry(payment, leases)))
}

pub(super) const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::After => "after",
        Mode::Before => "before",
    }
}
