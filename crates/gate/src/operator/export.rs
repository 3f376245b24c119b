//! All rows as CSV or as one JSON object a line, object after object, page after page; and a page of
//! the list of channels.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::{message, refusal};
use crate::call::LedgerCall;
use crate::reply::{Audience, Body, Reply, own_headers};
use crate::units;
use farebox_base::encoding;
use farebox_base::encoding::json::json;
use farebox_base::http::ResponseHead;
use farebox_base::time::UnixTime;
use farebox_channel::index::{self, IndexAsk};
use farebox_common::problem::Code;
use farebox_ledger::report::{Filter, Mark, ObjectRequest, PaymentItem, Report};

/// ExportedRows of one page.
const PAGE_ROWS: u32 = 500;
/// Limit on the calls of one export; a larger one is broken off, and has to be asked for in parts.
const MAX_CALLS: u32 = 900;

/// First line as CSV.
const HEAD: &str = "id,key,state,payer,route,network,asset,amount,transaction,facilitator,created_at,updated_at,reason,amount_decimal,symbol,created,updated\r\n";

/// Format of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Lines,
}

/// First line as CSV, of channels.
const CHANNELS_HEAD: &str = "id,state,payer,pay_to,network,asset,deposit,accepted,spent,claimed,paid_out,refunded,withdraw_requested_at,withdraw_delay_secs,at\r\n";
/// Its columns that are amounts.
pub(super) const CHANNEL_SUMS: [&str; 6] =
    ["deposit", "accepted", "spent", "claimed", "paid_out", "refunded"];
/// Channels of one page.
const PAGE_CHANNELS: u64 = 200;

/// The rows of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ExportedRows {
    /// Payments.
    Payments(Filter),
    /// Channels, after this id.
    Channels(String),
}

/// An export and its progress.
#[derive(Debug)]
pub struct Export {
    format: Format,
    rows: ExportedRows,
    objects: Vec<String>,
    object: usize,
    after: Option<Mark>,
    calls: u32,
}

/// Result of the answer to a call.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text to write.
    Text(String),
    /// An object is down: the rows so far are incomplete.
    Broken,
}

impl Export {
    pub(super) fn new(
        format: Format,
        rows: ExportedRows,
        payments: impl Iterator<Item = String>,
    ) -> Self {
        let objects = match rows {
            ExportedRows::Payments(_) => payments.collect(),
            ExportedRows::Channels(_) => Vec::from([index::OBJECT.to_owned()]),
        };
        Self { format, rows, objects, object: 0, after: None, calls: 0 }
    }

    /// Whether the objects of channels are asked.
    #[must_use]
    pub const fn is_of_channels(&self) -> bool {
        matches!(self.rows, ExportedRows::Channels(_))
    }

    /// Head of the answer; the pieces are its body.
    #[must_use]
    pub fn head(&self, correlation: &str) -> Reply {
        let (media_type, ending) = match self.format {
            Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
            Format::Lines => ("application/x-ndjson", "jsonl"),
        };
        let rows = if self.is_of_channels() { "channels" } else { "payments" };
        let mut headers = own_headers(Audience::Other, correlation);
        headers.add("content-type", media_type);
        headers.add(
            "content-disposition",
            &alloc::format!("attachment; filename=\"{rows}.{ending}\""),
        );
        let head = ResponseHead { status: 200, headers };
        Reply::new(head, Body::Held)
    }

    /// Text before the first row.
    #[must_use]
    pub fn preamble(&self) -> &'static str {
        match (self.format, &self.rows) {
            (Format::Csv, ExportedRows::Payments(_)) => HEAD,
            (Format::Csv, ExportedRows::Channels(_)) => CHANNELS_HEAD,
            (Format::Lines, _) => "",
        }
    }

    /// The last line of an export that is not complete.
    #[must_use]
    pub fn complaint(&self) -> &'static str {
        match self.format {
            Format::Csv => "incomplete,ledger_unavailable\r\n",
            Format::Lines => "{\"incomplete\":\"ledger_unavailable\"}\n",
        }
    }

    /// The next object to ask; `None` at the end.
    #[must_use]
    pub fn call(&self) -> Option<LedgerCall> {
        let object = self.objects.get(self.object)?;
        let asked = match &self.rows {
            ExportedRows::Channels(after) => IndexAsk::Page(after.clone(), PAGE_CHANNELS).to_text(),
            ExportedRows::Payments(filter) => message(ObjectRequest::Page {
                filter: filter.clone(),
                after: self.after.clone(),
                limit: PAGE_ROWS,
            }),
        };
        Some(LedgerCall::new(object.to_owned(), asked))
    }

    /// Takes the answer to the last call; `None` if the object is down.
    pub fn answered(&mut self, text: Option<&str>) -> Piece {
        self.calls = self.calls.saturating_add(1);
        if let ExportedRows::Channels(after) = &mut self.rows {
            let Some(page) = text.and_then(index::page).filter(|_| self.calls < MAX_CALLS) else {
                return Piece::Broken;
            };
            let is_full = u64::try_from(page.len()).is_ok_and(|count| count == PAGE_CHANNELS);
            match page.last().and_then(|last| last.get("id")).and_then(Value::as_str) {
                Some(last) if is_full => *after = last.to_owned(),
                Some(_) | None => self.object = self.object.saturating_add(1),
            }
            return Piece::Text(
                page.iter().map(|channel| channel_line(self.format, channel)).collect(),
            );
        }
        let report = text.and_then(encoding::message::read);
        let Some(Report::Items { items, more }) = report else {
            return Piece::Broken;
        };
        if self.calls >= MAX_CALLS {
            return Piece::Broken;
        }
        self.after = items.last().filter(|_| more).map(|item| item.mark());
        if self.after.is_none() {
            self.object = self.object.saturating_add(1);
        }
        let mut text = String::new();
        for item in &items {
            match self.format {
                Format::Csv => text.push_str(&line(item)),
                Format::Lines => {
                    text.push_str(&units::write_item(item));
                    text.push('\n');
                }
            }
        }
        Piece::Text(text)
    }
}

/// A channel: as CSV in the order of [`CHANNELS_HEAD`].
fn channel_line(format: Format, channel: &Value) -> String {
    let cell = |name: &str| match channel.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => encoding::json::text(other),
    };
    match format {
        Format::Lines => [&encoding::json::text(channel), "\n"].concat(),
        Format::Csv => {
            let cells: Vec<String> = CHANNELS_HEAD.trim_end().split(',').map(cell).collect();
            [&cells.join(","), "\r\n"].concat()
        }
    }
}

/// A payment as CSV, in the order of [`HEAD`].
fn line(item: &PaymentItem) -> String {
    let decimal = units::decimal(&item.network, &item.asset, &item.amount);
    let symbol = units::of(&item.network, &item.asset).map_or("", |(symbol, _)| symbol);
    let date = |secs| UnixTime::from_secs(secs).rfc3339();
    let (created, updated) = (date(item.created_at), date(item.updated_at));
    [&item.csv(), ",", &decimal, ",", symbol, ",", &created, ",", &updated, "\r\n"].concat()
}

/// A question for a page.
#[derive(Debug)]
pub struct ChannelPage {
    after: String,
    limit: u64,
    correlation: String,
}

impl ChannelPage {
    pub(super) const fn new(after: String, limit: u64, correlation: String) -> Self {
        Self { after, limit, correlation }
    }

    /// The name of the object to ask, and the message.
    #[must_use]
    pub fn call(&self) -> (&'static str, String) {
        (index::OBJECT, IndexAsk::Page(self.after.clone(), self.limit).to_text())
    }

    /// Takes its answer; `None` if it is down.
    #[must_use]
    pub fn answered(&self, said: Option<&str>) -> Reply {
        let Some(mut items) = said.and_then(index::page) else {
            return refusal(Code::LedgerUnavailable, &self.correlation, None);
        };
        let is_full = u64::try_from(items.len()).is_ok_and(|count| count == self.limit);
        let last = items.last().and_then(|channel| channel.get("id")).cloned();
        let next = last.filter(|_| is_full).unwrap_or(Value::Null);
        for channel in &mut items {
            if channel.get("asset").is_some() {
                units::add_decimals(channel, &CHANNEL_SUMS);
            }
            units::add_date(channel, "at", "time");
        }
        let document = encoding::json::text(&json!({"items": items, "next": next}));
        Reply::text("application/json", document, &self.correlation)
    }
}
