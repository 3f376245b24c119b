//! All rows as CSV or as one JSON object a line, object after object, page after page.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::item::readable;
use super::message;
use crate::encoding;
use crate::gate::call::LedgerCall;
use crate::gate::reply::{Audience, Body, Reply, own_headers};
use crate::gate::units;
use crate::http::ResponseHead;
use crate::ledger::report::{Filter, Mark, ObjectRequest, PaymentItem, Report};
use crate::time::UnixTime;

/// Rows of one page.
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

/// An export and its progress.
#[derive(Debug)]
pub struct Export {
    format: Format,
    filter: Filter,
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
    pub(super) const fn new(format: Format, filter: Filter, objects: Vec<String>) -> Self {
        Self { format, filter, objects, object: 0, after: None, calls: 0 }
    }

    /// Head of the answer; the pieces are its body.
    #[must_use]
    pub fn head(&self, correlation: &str) -> Reply {
        let (media_type, name) = match self.format {
            Format::Csv => ("text/csv; charset=utf-8; header=present", "payments.csv"),
            Format::Lines => ("application/x-ndjson", "payments.jsonl"),
        };
        let mut headers = own_headers(Audience::Other, correlation);
        headers.add("content-type", media_type);
        headers.add("content-disposition", &alloc::format!("attachment; filename=\"{name}\""));
        let head = ResponseHead { status: 200, headers };
        Reply::new(head, Body::Held)
    }

    /// Text before the first row.
    #[must_use]
    pub fn preamble(&self) -> &'static str {
        match self.format {
            Format::Csv => HEAD,
            Format::Lines => "",
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
        let errand = ObjectRequest::Page {
            filter: self.filter.clone(),
            after: self.after.clone(),
            limit: PAGE_ROWS,
        };
        Some(LedgerCall::new(object.to_owned(), message(errand)))
    }

    /// Takes the answer to the last call; `None` if the object is down.
    pub fn answered(&mut self, text: Option<&str>) -> Piece {
        self.calls = self.calls.saturating_add(1);
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
                    text.push_str(&readable(item));
                    text.push('\n');
                }
            }
        }
        Piece::Text(text)
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
