//! The ledger of invocations: lists and totals.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::{Change, Part, Rows};
use super::invoke::{account, ledger_id};
use super::kernel::{Applied, Decision, Now};
use super::message::{Response, Viewer};
use super::price::{XLM_DECIMALS, cut, plain};
use super::refused::{self, refusal};
use super::row::{Ending, InvocationRow, Moved, SpendRow};
use super::shelf::{LedgerPage, Opened, find_invocation, read_page};
use super::spend::{SUM_DECIMALS, add_ending, find_spend, sum};
use crate::query::Query;
use crate::text::{Members, list, number};
use farebox_base::amount::Amount;

pub(super) mod export;
pub(super) mod import;

/// Rows of a page.
const PAGE: u32 = 100;
/// Most rows of a page.
const MAX_PAGE: u32 = 1_000;

/// A record without a call: the original's `record`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `agentId`.
    pub agent: String,
    /// `skillId`.
    pub skill: String,
    /// `amountXLM`, decimal text; a negative one counts as zero.
    pub xlm: String,
    /// `txHash`.
    pub tx: String,
    /// `success`, `failed` or `insufficient_balance`; empty is `success`.
    pub status: String,
    /// `error`.
    pub error: String,
}

/// Records an invocation that took place elsewhere.
///
/// # Errors
/// An error of the storage.
pub fn record<B: Rows>(
    books: &B,
    entry: &Entry,
    moment: Now<'_>,
) -> Result<(InvocationRow, Vec<Change>), B::Error> {
    let xlm = plain(entry.xlm.trim()).unwrap_or_else(|| "0".to_string());
    let xlm = Amount::from_decimal(&xlm, SUM_DECIMALS).unwrap_or(Amount::ZERO);
    let xlm = cut(xlm, SUM_DECIMALS, XLM_DECIMALS);
    let (ending, paid) = match entry.status.as_str() {
        "failed" => (Ending::NotPaidFailed, Moved::No),
        "insufficient_balance" => (Ending::InsufficientBalance, Moved::No),
        _ => (Ending::PaidOk, Moved::Yes),
    };
    let agent = entry.agent.trim().to_string();
    let row = InvocationRow {
        skill: entry.skill.trim().to_string(),
        ending,
        paid,
        amount: xlm.clone(),
        asset: "XLM".to_string(),
        xlm,
        tx: entry.tx.trim().to_string(),
        error: entry.error.chars().take(512).collect(),
        ..InvocationRow::over(ledger_id("inv", moment, 0), account("", &agent), moment.now)
    };
    let row = InvocationRow { agent, ..row };
    let mut spend = find_spend(books, &row)?;
    add_ending(&mut spend, &row);
    let changes = Vec::from([Change::Begin(Box::new(row.clone())), Change::Spend(Box::new(spend))]);
    Ok((row, changes))
}

/// A page of invocations, newest first.
pub(super) fn list_invocations<B: Rows>(
    books: &B,
    viewer: &Viewer,
    query: &str,
    opened: Opened<'_>,
) -> Applied<B> {
    let only = or_reply!(scope_of(viewer).ok_or_else(|| refused::no_identity().no_store()));
    let known = ["agentId", "skillId", "status", "limit", "cursor"];
    let query = or_reply!(Query::of(query, &known).map_err(refused::no_parameter));
    let endings = match query.get("status").as_deref().map(read_endings) {
        None => Vec::new(),
        Some(Some(endings)) => endings,
        Some(None) => {
            let error = "status must be success, failed, insufficient_balance or an outcome";
            return Ok(Decision::reply(refusal(400, error).no_store()));
        }
    };
    let cursor = query.get("cursor");
    let before = cursor.as_deref().map(|text| number_of(text).unwrap_or(0));
    let limit = query.number("limit", PAGE, 1, MAX_PAGE);
    let part = Part {
        before,
        after: None,
        limit,
        account: only,
        agent: query.get("agentId"),
        skill: query.get("skillId"),
        endings,
    };
    let LedgerPage { rows, next } = match read_page(books, &part, opened)? {
        Ok(page) => page,
        Err(decision) => return Ok(decision),
    };
    let items = list(rows.iter().map(write_row));
    let body = Members::ok().raw("invocations", &items);
    let next = next.map(|number| number.to_string()).unwrap_or_default();
    let body = body.maybe("cursor", &next);
    Ok(Decision::reply(Response::json(200, body.done()).no_store()))
}

/// One invocation.
pub(super) fn show_invocation<B: Rows>(
    books: &B,
    viewer: &Viewer,
    id: &str,
    opened: Opened<'_>,
) -> Applied<B> {
    let only = or_reply!(scope_of(viewer).ok_or_else(|| refused::no_identity().no_store()));
    let row = match find_invocation(books, id, opened)? {
        Ok(row) => row,
        Err(decision) => return Ok(decision),
    };
    let row = row.filter(|row| only.is_none_or(|only| only == row.account));
    Ok(Decision::reply(match row {
        Some(row) => {
            let body = Members::ok().raw("invocation", &write_row(&row)).done();
            Response::json(200, body).no_store()
        }
        None => refusal(404, "Invocation not found").no_store(),
    }))
}

/// The spend of an agent.
pub(super) fn show_spend<B: Rows>(books: &B, viewer: &Viewer, agent: &str) -> Applied<B> {
    let rows: Vec<SpendRow> = match viewer {
        Viewer::Anyone => return Ok(Decision::reply(refused::no_identity().no_store())),
        Viewer::Operator => books.spends_of(agent)?,
        Viewer::Agent(proven) if proven.agent == agent => {
            books.spend(&account(&proven.organization, agent))?.into_iter().collect()
        }
        Viewer::Agent(_) => {
            return Ok(Decision::reply(refusal(403, "These are not your invocations").no_store()));
        }
    };
    let total = |of: fn(&SpendRow) -> &String| {
        rows.iter().fold("0".to_string(), |all, row| sum(&all, of(row)))
    };
    let count =
        |of: fn(&SpendRow) -> u64| rows.iter().fold(0_u64, |all, row| all.saturating_add(of(row)));
    let outcomes = Members::new()
        .number("free", count(|row| row.free))
        .number("paid_ok", count(|row| row.paid_ok))
        .number("paid_failed", count(|row| row.paid_failed))
        .number("not_paid_failed", count(|row| row.not_paid_failed))
        .number("insufficient_balance", count(|row| row.insufficient));
    let assets = rows.iter().flat_map(|row| &row.assets).map(|tally| {
        Members::new()
            .text("asset", &tally.asset)
            .text("spent", &tally.spent)
            .text("paidFailed", &tally.failed)
            .done()
    });
    let body = Members::ok()
        .text("agentId", agent)
        .raw("totalXLM", number(&total(|row| &row.xlm)))
        .raw("paidFailedXLM", number(&total(|row| &row.failed_xlm)))
        .raw("outcomes", &outcomes.done())
        .raw("assets", &list(assets));
    Ok(Decision::reply(Response::json(200, body.done()).no_store()))
}

/// The account that a viewer is limited to; the outer `None` sees nothing.
fn scope_of(viewer: &Viewer) -> Option<Option<String>> {
    match viewer {
        Viewer::Operator => Some(None),
        Viewer::Agent(proven) => Some(Some(account(&proven.organization, &proven.agent))),
        Viewer::Anyone => None,
    }
}

/// The endings that a status of the original, or an outcome, stands for.
fn read_endings(status: &str) -> Option<Vec<Ending>> {
    Some(match status {
        "success" => Vec::from([Ending::Free, Ending::PaidOk]),
        "failed" => Vec::from([Ending::PaidFailed, Ending::NotPaidFailed]),
        other => Vec::from([Ending::from_name(other)?]),
    })
}

fn number_of(text: &str) -> Option<u64> {
    let is_digits = (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if is_digits { text.parse().ok() } else { None }
}

const fn name_moved(paid: Moved) -> &'static str {
    match paid {
        Moved::No => "no",
        Moved::Yes => "yes",
        Moved::Unknown => "unknown",
    }
}

/// A row as JSON: the original's members first.
fn write_row(row: &InvocationRow) -> String {
    Members::new()
        .text("id", &row.id)
        .text("agentId", &row.agent)
        .text("skillId", &row.skill)
        .raw("amountXLM", number(&row.xlm))
        .text("txHash", &row.tx)
        .number("invokedAt", row.invoked)
        .text("status", row.ending.status())
        .maybe("error", &row.error)
        .text("outcome", row.ending.name())
        .text("paid", name_moved(row.paid))
        .number("number", row.number)
        .maybe("organization", &row.organization)
        .maybe("version", &row.version)
        .text("amount", &row.amount)
        .maybe("asset", &row.asset)
        .maybe("network", &row.network)
        .maybe("receiptId", &row.receipt)
        .maybe("packId", &row.pack)
        .done()
}
