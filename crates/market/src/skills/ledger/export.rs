//! The ledger as lines of JSON or CSV, oldest first.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{MAX_PAGE, name_moved, number_of, write_row};
use crate::query::Query;
use crate::skills::books::{Part, Rows};
use crate::skills::kernel::{Applied, Decision};
use crate::skills::message::{Response, Viewer};
use crate::skills::refused::{self, refusal};
use crate::skills::row::InvocationRow;
use crate::skills::shelf::{LedgerPage, Opened, read_page};
use farebox_base::text::csv_line;

/// Columns of an export.
const COLUMNS: [&str; 17] = [
    "number",
    "id",
    "organization",
    "agentId",
    "skillId",
    "version",
    "status",
    "outcome",
    "paid",
    "amount",
    "asset",
    "network",
    "amountXLM",
    "txHash",
    "receiptId",
    "invokedAt",
    "error",
];

/// A part of the ledger, oldest first.
pub(in crate::skills) fn export<B: Rows>(
    books: &B,
    viewer: &Viewer,
    query: &str,
    opened: Opened<'_>,
) -> Applied<B> {
    if *viewer != Viewer::Operator {
        return Ok(Decision::reply(refused::no_identity().no_store()));
    }
    let query =
        or_reply!(Query::of(query, &["format", "cursor", "limit"]).map_err(refused::no_parameter));
    let format = query.get("format").unwrap_or_else(|| "jsonl".to_string());
    let after = query.get("cursor").and_then(|text| number_of(&text)).unwrap_or(0);
    let limit = query.number("limit", MAX_PAGE, 1, MAX_PAGE);
    let part = Part { after: Some(after), limit, ..Part::default() };
    let LedgerPage { rows, .. } = match read_page(books, &part, opened)? {
        Ok(page) => page,
        Err(decision) => return Ok(decision),
    };
    let (kind, body) = match format.as_str() {
        "jsonl" => {
            let lines = rows.iter().map(write_row);
            (
                "application/x-ndjson",
                lines.map(|line| alloc::format!("{line}\n")).collect::<String>(),
            )
        }
        "csv" => {
            let head = if after == 0 {
                alloc::format!("{}\r\n", COLUMNS.join(","))
            } else {
                String::new()
            };
            let lines: String = rows.iter().map(write_csv).collect();
            ("text/csv; charset=utf-8", alloc::format!("{head}{lines}"))
        }
        _ => return Ok(Decision::reply(refusal(400, "format must be csv or jsonl").no_store())),
    };
    let headers = Vec::from([("content-type".to_string(), kind.to_string())]);
    let response = Response { status: 200, headers, body }.no_store();
    let last = rows.last().map(|row| row.number.to_string()).unwrap_or_default();
    let response = if last.is_empty() { response } else { response.with("farebox-cursor", &last) };
    Ok(Decision::reply(response))
}

fn write_csv(row: &InvocationRow) -> String {
    let number = row.number.to_string();
    let invoked = row.invoked.to_string();
    let cells = [
        number.as_str(),
        &row.id,
        &row.organization,
        &row.agent,
        &row.skill,
        &row.version,
        row.ending.status(),
        row.ending.name(),
        name_moved(row.paid),
        &row.amount,
        &row.asset,
        &row.network,
        &row.xlm,
        &row.tx,
        &row.receipt,
        &invoked,
        &row.error,
    ];
    alloc::format!("{}\r\n", csv_line(cells))
}
