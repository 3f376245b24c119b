//! Lists: decisions, budgets, the export, the audit, the log and numbers for monitoring.

pub(crate) mod audit;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::reply::{invalid_query, not_found, ok, problem, time};
use crate::books::{Page, Rows};
use crate::keep;
use crate::kernel::{Decision, Now};
use crate::message::{Listing, Reply};
use crate::receipt::Receipts;
use crate::row::{AttemptRow, DecisionRow};
use farebox_base::encoding::json as read_json;
use farebox_base::http::query::decoded;
use farebox_base::text::csv_line;

/// Rows of a page that names no limit.
const USUAL: u32 = 100;

impl Listing {
    /// Reads a query. `named` are the parameters that the request has beside `cursor` and `limit`.
    ///
    /// # Errors
    /// The answer that names a parameter which it does not have, or whose value cannot be decoded:
    /// it would limit nothing.
    pub fn read(query: &str, named: &[&str]) -> Result<Self, Reply> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs: Vec<_> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        let known: Vec<&str> = ["cursor", "limit"].iter().chain(named).copied().collect();
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !known.contains(name)) {
            let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
            let detail = format!("{name} is no parameter of this; known are {}", known.join(", "));
            return Err(problem(400, "invalid_query", &detail));
        }
        if pairs.iter().any(|(_, value)| decoded(value).is_none()) {
            return Err(invalid_query());
        }
        for (at, (name, _)) in pairs.iter().enumerate() {
            let is_again = |(other, _): &(&str, &str)| column(other) == column(name);
            if pairs.iter().take(at).any(is_again) {
                let detail = format!("{name} is given twice, and one of them would limit nothing");
                return Err(problem(400, "invalid_query", &detail));
            }
        }
        let of = |name: &str| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.and_then(|(_, value)| decoded(value))
        };
        let outcome = of("outcome").or_else(|| of("state"));
        Ok(Self { cursor: of("cursor"), limit: of("limit"), agent: of("agent"), outcome })
    }
}

/// The column that a parameter is about: two have one of them.
fn column(name: &str) -> &str {
    if name == "outcome" { "state" } else { name }
}

/// The part of a list that is asked for. `outcomes` are those that its rows have.
///
/// # Errors
/// The answer if that is no part. An outcome that no row can have would be an empty list, and read
/// as if there were nothing.
pub(crate) fn read_page(listing: &Listing, outcomes: &[&str]) -> Result<Page, Reply> {
    let is_known = |name: &String| outcomes.contains(&name.as_str());
    if listing.outcome.as_ref().is_some_and(|name| !is_known(name)) {
        let detail = format!("state or outcome must be one of {}", outcomes.join(", "));
        return Err(problem(400, "invalid_query", &detail));
    }
    part(listing).ok_or_else(invalid_query)
}

fn part(listing: &Listing) -> Option<Page> {
    let limit = match &listing.limit {
        None => USUAL,
        Some(text) => text.parse().ok().filter(|limit| (1..=1000).contains(limit))?,
    };
    let after = match &listing.cursor {
        None => None,
        Some(text) => {
            let (at, id) = text.split_once('.')?;
            Some((at.parse().ok()?, id.to_string()))
        }
    };
    let (agent, outcome) = (listing.agent.clone(), listing.outcome.clone());
    Some(Page { after, limit, agent, outcome })
}

/// A part of a list, with the cursor of the next one if there may be one.
pub(crate) fn write_page(items: Vec<Value>, last: Option<(u64, String)>, page: &Page) -> Decision {
    let is_full = u32::try_from(items.len()).unwrap_or(u32::MAX) >= page.limit;
    let cursor = last.filter(|_| is_full).map(|(at, id)| format!("{at}.{id}"));
    ok(&json!({"items": items, "cursor": cursor}))
}

/// A page of decisions.
pub(crate) fn list_decisions<B: Rows>(books: &B, listing: &Listing) -> Result<Decision, B::Error> {
    let page = match read_page(listing, DecisionRow::OUTCOMES) {
        Ok(page) => page,
        Err(reply) => return Ok(Decision::reply(reply)),
    };
    let rows = books.decisions(&page)?;
    let last = rows.last().map(|row| (row.created, row.id.clone()));
    Ok(write_page(rows.iter().map(decision).collect(), last, &page))
}

/// One decision, with its answer, payment and receipt.
pub(crate) fn show_decision<B: Rows>(
    books: &B,
    receipts: &Receipts,
    id: &str,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    let Some(row) = books.decision(id)? else { return Ok(Decision::reply(not_found("decision"))) };
    let attempt = books.attempt(&row.attempt)?;
    let receipt = attempt.as_ref().and_then(|it| receipts.document(scene.organization, &row, it));
    let mut body = decision(&row);
    if let Some(members) = body.as_object_mut() {
        let answer = read_json::parse_with(row.body.as_bytes(), usize::MAX).unwrap_or_default();
        members.insert("decision".to_string(), answer);
        members.insert("attempt".to_string(), json!(attempt.as_ref().map(payment)));
        members.insert("receipt".to_string(), json!(receipt));
    }
    Ok(ok(&body))
}

/// A page of decisions with their payments, as CSV or lines of JSON.
pub(crate) fn export_decisions<B: Rows>(
    books: &B,
    listing: &Listing,
    format: &str,
) -> Result<Decision, B::Error> {
    let is_csv = match format {
        "csv" => true,
        "jsonl" => false,
        _ => {
            return Ok(Decision::reply(problem(
                400,
                "invalid_query",
                "format must be csv or jsonl",
            )));
        }
    };
    let page = match read_page(listing, DecisionRow::OUTCOMES) {
        Ok(page) => page,
        Err(reply) => return Ok(Decision::reply(reply)),
    };
    let rows = books.decisions(&page)?;
    let mut text = if is_csv { format!("{}\r\n", COLUMNS.join(",")) } else { String::new() };
    for row in &rows {
        let attempt = books.attempt(&row.attempt)?;
        let mut line = decision(row);
        let paid = attempt.as_ref().map(payment).unwrap_or_default();
        if let Some(members) = line.as_object_mut() {
            for (name, value) in paid.as_object().into_iter().flatten() {
                members.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        if is_csv {
            let cells: Vec<String> = COLUMNS.iter().map(|name| cell(line.get(*name))).collect();
            text.push_str(&csv_line(cells.iter().map(String::as_str)));
            text.push_str("\r\n");
        } else {
            text.push_str(&line.to_string());
            text.push('\n');
        }
    }
    let kind = if is_csv { "text/csv; charset=utf-8" } else { "application/x-ndjson" };
    let mut reply = Reply::new(200, kind, text);
    let is_full = u32::try_from(rows.len()).unwrap_or(u32::MAX) >= page.limit;
    if let Some(last) = rows.last().filter(|_| is_full) {
        let cursor = format!("{}.{}", last.created, last.id);
        reply = reply.with("farebox-cursor", &cursor);
    }
    if let Some(since) = keep::complete_since(books)? {
        reply = reply.with("farebox-complete-since", &since);
    }
    Ok(Decision::reply(reply))
}

/// A page of the log.
pub(crate) fn list_log<B: Rows>(books: &B, listing: &Listing) -> Result<Decision, B::Error> {
    let page = match read_page(listing, &[]) {
        Ok(page) => page,
        Err(reply) => return Ok(Decision::reply(reply)),
    };
    let rows = books.log(&page)?;
    let last = rows.last().map(|(number, _)| (*number, String::new()));
    let items = rows.iter().map(|(number, row)| {
        json!({
            "number": number,
            "at": time(row.at),
            "what": row.what,
            "subject": row.subject,
            "version": row.version,
            "note": row.note,
        })
    });
    Ok(write_page(items.collect(), last, &page))
}

/// Counts for monitoring, in the text format of Prometheus.
pub(crate) fn write_metrics<B: Rows>(books: &B) -> Result<Decision, B::Error> {
    let mut text = String::from(
        "# HELP farebox_treasury_decisions Decisions by outcome and reason code.\n# TYPE farebox_treasury_decisions counter\n",
    );
    for (outcome, code, count) in books.outcomes()? {
        let line = format!(
            "farebox_treasury_decisions{{outcome=\"{outcome}\",reason_code=\"{code}\"}} {count}\n"
        );
        text.push_str(&line);
    }
    Ok(Decision::reply(Reply::new(200, "text/plain; version=0.0.4", text)))
}

/// Columns of the export, all of them text.
const COLUMNS: [&str; 19] = [
    "paidRequestId",
    "createdAt",
    "agent",
    "outcome",
    "reasonCode",
    "requestMethod",
    "requestUrl",
    "amount",
    "asset",
    "money",
    "network",
    "contract",
    "payer",
    "payee",
    "amountMinor",
    "transaction",
    "receiptId",
    "receiptStatus",
    "times",
];

/// The text of a value in a cell.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// A decision as lists show it.
pub(crate) fn decision(row: &DecisionRow) -> Value {
    json!({
        "paidRequestId": row.id,
        "paymentAttemptId": row.attempt,
        "agent": row.agent,
        "idempotencyKey": row.client_key(),
        "requestMethod": row.method,
        "requestUrl": row.url,
        "outcome": row.outcome,
        "reasonCode": row.code,
        "amount": row.amount,
        "asset": row.asset,
        "open": row.open,
        "policyReviewEventId": row.review,
        "createdAt": time(row.created),
        "changedAt": time(row.changed),
        "times": row.times,
    })
}

/// The payment of a decision, as lists show it.
fn payment(row: &AttemptRow) -> Value {
    json!({
        "money": row.money,
        "wallet": row.wallet,
        "network": row.network,
        "contract": row.contract,
        "payer": row.from,
        "payee": row.to,
        "amountMinor": row.value,
        "nonce": row.nonce,
        "validBefore": time(row.valid_before),
        "openBecause": row.why,
        "receiptId": row.receipt.as_ref().map(|_| row.receipt_id.clone()),
        "receiptStatus": row.receipt.as_ref().map(|it| it.status.clone()),
        "transaction": row.receipt.as_ref().and_then(|it| it.transaction()),
    })
}
