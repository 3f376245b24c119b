//! Rows that an export of another ledger has.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::skills::books::{Change, Part, Rows};
use crate::skills::invoke::account;
use crate::skills::kernel::{Applied, Decision};
use crate::skills::message::{Answer, MAX_BODY_BYTES, Response, Viewer};
use crate::skills::price::plain;
use crate::skills::refused::{self, refusal};
use crate::skills::row::{Ending, InvocationRow, Moved, SpendRow};
use crate::skills::spend::{add_ending, find_spend};
use crate::text::Members;
use farebox_base::encoding::json;

/// Above what a ledger counts to.
const MAX_NUMBER: u64 = 1_000_000_000_000;

/// Puts the lines of an export into an empty ledger, or after those of the page before. Numbers stay.
pub(in crate::skills) fn import<B: Rows>(books: &B, viewer: &Viewer, lines: &str) -> Applied<B> {
    if *viewer != Viewer::Operator {
        return Ok(Decision::reply(refused::no_identity().no_store()));
    }
    if lines.len() > MAX_BODY_BYTES {
        return Ok(Decision::reply(refused::too_large().no_store()));
    }
    let newest = books.invocations(&Part { limit: 1, ..Part::default() })?.into_iter().next();
    // What was not imported has a digest: numbers of another ledger would not fit after it.
    if newest.as_ref().is_some_and(|row| !row.digest.is_empty()) {
        return Ok(Decision::reply(refusal(409, "The ledger is not empty").no_store()));
    }
    let last = newest.map(|row| row.number);
    let mut rows: Vec<InvocationRow> = Vec::new();
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    for (place, line) in lines.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let line = json::parse(line.as_bytes()).ok();
        let row = line.and_then(|line| read_row(line.as_object()?));
        let next = rows.last().map(|row| row.number).or(last).map(|it| it.saturating_add(1));
        if let (Some(row), Some(next), true) = (&row, next, rows.is_empty())
            && row.number != next
        {
            let error = alloc::format!("The ledger goes on at number {next}");
            return Ok(Decision::reply(refusal(409, &error).no_store()));
        }
        let row = row.and_then(|row| {
            let number = if row.number == 0 { next.unwrap_or(1) } else { row.number };
            next.is_none_or(|next| next == number).then_some(InvocationRow { number, ..row })
        });
        let row = match row {
            Some(row) => find_new(books, &mut known, row)?,
            None => None,
        };
        let Some(row) = row else {
            let error = alloc::format!("line {} is no row of an export", place.saturating_add(1));
            return Ok(Decision::reply(refusal(400, &error).no_store()));
        };
        rows.push(row);
    }
    let mut spends: Vec<SpendRow> = Vec::new();
    for row in &rows {
        if !spends.iter().any(|known| known.account == row.account) {
            spends.push(find_spend(books, row)?);
        }
        if let Some(spend) = spends.iter_mut().find(|it| it.account == row.account) {
            add_ending(spend, row);
        }
    }
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let mut changes: Vec<Change> =
        rows.into_iter().map(|row| Change::Begin(Box::new(row))).collect();
    changes.extend(spends.into_iter().map(|spend| Change::Spend(Box::new(spend))));
    let response = Response::json(200, Members::ok().number("imported", count).done()).no_store();
    Ok(Decision { answer: Answer::Reply(response), changes })
}

/// A row whose id and transaction are neither in the ledger nor among these.
fn find_new<B: Rows>(
    books: &B,
    known: &mut BTreeSet<(String, String)>,
    row: InvocationRow,
) -> Result<Option<InvocationRow>, B::Error> {
    let is_new = known.insert((String::new(), row.id.clone()))
        && books.invocation(&row.id)?.is_none()
        && books.departed(&row.id)?.is_none()
        && (row.tx.is_empty()
            || known.insert((alloc::format!("tx {}", row.network), row.tx.clone()))
                && books.invocation_by_tx(&row.network, &row.tx)?.is_none()
                && books.departed_by_tx(&row.network, &row.tx)?.is_none());
    Ok(is_new.then_some(row))
}

/// A row of an export; `None` unless it has ended and is well formed.
fn read_row(line: &Map<String, Value>) -> Option<InvocationRow> {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let decimal = |value: &Value| match value {
        Value::Number(number) => plain(&number.to_string()),
        Value::String(text) => plain(text),
        _ => None,
    };
    let ending = Ending::from_name(line.get("outcome")?.as_str()?)?;
    let paid = match line.get("paid")?.as_str()? {
        "no" => Moved::No,
        "yes" => Moved::Yes,
        "unknown" => Moved::Unknown,
        _ => return None,
    };
    let (id, agent, organization) = (text("id"), text("agentId"), text("organization"));
    if ending == Ending::Running || !id.starts_with("inv_") || id.len() > 64 || agent.is_empty() {
        return None;
    }
    let invoked = line.get("invokedAt")?.as_u64()?;
    let number = line.get("number").and_then(Value::as_u64).filter(|number| *number < MAX_NUMBER);
    let pack = text("packId");
    let account = if pack.is_empty() {
        account(&organization, &agent)
    } else {
        alloc::format!("pack/{pack}")
    };
    Some(InvocationRow {
        number: number.unwrap_or(0),
        organization,
        agent,
        skill: text("skillId"),
        version: text("version"),
        ending,
        paid,
        amount: decimal(line.get("amount")?)?,
        asset: text("asset"),
        network: text("network"),
        xlm: decimal(line.get("amountXLM")?)?,
        tx: text("txHash"),
        receipt: text("receiptId"),
        error: text("error"),
        pack,
        ..InvocationRow::over(id, account, invoked)
    })
}
