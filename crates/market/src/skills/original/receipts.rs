//! Receipts: lists, searches, sums.

use alloc::string::String;

use super::books::{ReceiptPart, WINDOW};
use super::rail::Rails;
use super::row::SettledRow;
use crate::query::Query;
use crate::skills::books::Rows;
use crate::skills::kernel::{Applied, Decision};
use crate::skills::message::Response;
use crate::skills::price::USD_DECIMALS;
use crate::skills::refused::refusal;
use crate::text::{Members, iso, list, number};
use farebox_base::amount::Amount;

/// Most receipts of a page, and the usual number.
const MAX_PAGE_SIZE: u32 = 50;
/// Longest text that is searched for, bytes.
const MAX_TEXT: usize = 256;
/// Dollars from which a receipt is `gold`.
const GOLD_USD: u64 = 1_000_000;

/// `GET /api/protocol/x402/receipts`.
pub(super) fn list_receipts<B: Rows>(books: &B, rails: &Rails<'_>, query: &str) -> Applied<B> {
    let query = Query::parse(query);
    let size = read_number(&query, "pageSize", MAX_PAGE_SIZE, MAX_PAGE_SIZE);
    let page = read_number(&query, "page", 1, WINDOW);
    let lower = |name: &str| query.get(name).map(|text| text.to_lowercase());
    let rails = rails.list();
    let chain = query.get("chain").filter(|it| rails.iter().any(|rail| rail.chain() == it));
    let part = ReceiptPart {
        agent: lower("agent"),
        chain,
        service: lower("service"),
        text: lower("q").filter(|text| text.len() <= MAX_TEXT),
        offset: u64::from(size).saturating_mul(u64::from(page.saturating_sub(1))),
        limit: size,
    };
    let (rows, total) = books.settlements(&part)?;
    let totals = books.receipt_totals()?;
    let stats = Members::new()
        .number("totalPayments", totals.payments)
        .raw("totalUsd", number(&totals.usd))
        .number("uniqueAgents", totals.agents)
        .number("services", totals.services);
    let body = Members::ok()
        .raw("receipts", &list(rows.iter().map(write_receipt)))
        .number("page", page.into())
        .number("pageSize", size.into())
        .number("total", total)
        .number("totalPages", total.div_ceil(u64::from(size)).max(1))
        .raw("stats", &stats.done());
    Ok(Decision::reply(Response::json(200, body.done())))
}

/// `GET /api/protocol/x402/receipts/{id}`.
pub(super) fn show_receipt<B: Rows>(books: &B, id: &str) -> Applied<B> {
    Ok(Decision::reply(match books.settled(id)? {
        Some(row) => {
            let body = Members::ok().raw("receipt", &write_receipt(&row)).done();
            Response::json(200, body)
        }
        None => refusal(404, "Receipt not found"),
    }))
}

/// A number of a query as the original reads it, at least 1: one below becomes 1, one above the
/// most, and what is no number the usual one.
fn read_number(query: &Query, name: &str, usual: u32, most: u32) -> u32 {
    let text = query.get(name).unwrap_or_default();
    if text.strip_prefix('-').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit())) {
        return 1;
    }
    query.number(name, usual, 1, most)
}

/// A receipt as JSON.
pub(super) fn write_receipt(row: &SettledRow) -> String {
    let is_gold = Amount::from_decimal(&row.usd, USD_DECIMALS)
        .is_ok_and(|usd| usd >= Amount::from_u64(GOLD_USD));
    let members = Members::new()
        .text("id", &row.id)
        .raw("accepted", "true")
        .text("quoteId", &row.quote)
        .text("paymentRef", &row.reference)
        .text("settledAt", &iso(row.at))
        .text("txHash", &row.hash)
        .text("chain", &row.chain)
        .raw("amountUsd", number(&row.usd))
        .text("amountUnits", &row.units)
        .text("agentId", &row.payer)
        .text("service", &row.service)
        .text("amount", &alloc::format!("{} USD", row.usd))
        .text("serviceId", &row.service)
        .text("agent", &row.agent)
        .raw("passportVerified", if row.vouched { "true" } else { "false" })
        .text("reputationTier", if is_gold { "gold" } else { "standard" })
        .maybe("subscriptionId", &row.subscription);
    if row.mock { members.raw("mock", "true").done() } else { members.done() }
}
