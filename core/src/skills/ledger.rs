//! The ledger of invocations: lists, totals, export and import.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::booking::{SUM_DECIMALS, add, sum};
use super::books::{Books, Edit, Part};
use super::invoke::{account, ledger_id};
use super::message::{Instruction, MAX_BODY_BYTES, Proven, Reaction, Response, Viewer};
use super::price::{XLM_DECIMALS, plain};
use super::query::Query;
use super::refused::{self, said};
use super::row::{Ending, InvocationRow, Moved, Phase, SpendRow};
use super::shelf::{LedgerPage, Opened};
use super::text::{Members, list, number};
use super::{Effect, Market, Moment};
use crate::amount::Amount;
use crate::encoding::json;
use crate::mutant::{Mutant, planted};

/// Rows of a page.
const PAGE: u32 = 100;
/// Most rows of a page.
const MAX_PAGE: u32 = 1_000;
/// Above what a ledger counts to.
const MAX_NUMBER: u64 = 1_000_000_000_000;
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

/// What is recorded without a call: the original's `record`.
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

impl Market {
    /// Records an invocation that took place elsewhere.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn record<B: Books>(
        &self,
        books: &B,
        entry: &Entry,
        moment: Moment<'_>,
    ) -> Result<(InvocationRow, Vec<Edit>), B::Error> {
        let xlm = plain(entry.xlm.trim()).unwrap_or_else(|| "0".to_string());
        let xlm = Amount::from_decimal(&xlm, SUM_DECIMALS).unwrap_or(Amount::ZERO);
        let xlm = super::price::cut(xlm, SUM_DECIMALS, XLM_DECIMALS);
        let (ending, paid) = match entry.status.as_str() {
            "failed" => (Ending::NotPaidFailed, Moved::No),
            "insufficient_balance" => (Ending::InsufficientBalance, Moved::No),
            _ => (Ending::PaidOk, Moved::Yes),
        };
        let empty = String::new;
        let agent = entry.agent.trim().to_string();
        let row = InvocationRow {
            number: 0,
            id: ledger_id("inv", moment, 0),
            account: account("", &agent),
            organization: empty(),
            agent,
            skill: entry.skill.trim().to_string(),
            version: empty(),
            phase: Phase::Done,
            ending,
            paid,
            amount: xlm.clone(),
            asset: "XLM".to_string(),
            network: empty(),
            xlm,
            counted: "0".to_string(),
            tx: entry.tx.trim().to_string(),
            receipt: empty(),
            invoked: moment.now,
            ended: Some(moment.now),
            error: entry.error.chars().take(512).collect(),
            key: empty(),
            digest: empty(),
            pack: empty(),
            fence: 0,
            lease: 0,
            due: None,
            asks: 0,
            looks: 0,
        };
        let mut spend = self.spend_of(books, &row)?;
        add(&mut spend, &row);
        let edits = Vec::from([Edit::Begin(Box::new(row.clone())), Edit::Spend(Box::new(spend))]);
        Ok((row, edits))
    }

    /// Answers a question about the rows of the ledger.
    pub(super) fn look<B: Books>(
        &self,
        books: &B,
        asked: &Instruction,
        opened: Opened<'_>,
    ) -> Result<Effect, B::Error> {
        match asked {
            Instruction::Invocations(viewer, query) => {
                self.invocations(books, viewer, query, opened)
            }
            Instruction::InvocationById(viewer, id) => {
                self.invocation_by_id(books, viewer, id, opened)
            }
            Instruction::Export(viewer, query) => self.export(books, viewer, query, opened),
            _ => Ok(Effect::reply(refused::internal().no_store())),
        }
    }

    /// A page of invocations, newest first.
    fn invocations<B: Books>(
        &self,
        books: &B,
        viewer: &Viewer,
        query: &str,
        opened: Opened<'_>,
    ) -> Result<Effect, B::Error> {
        let Some(only) = seen(viewer) else {
            return Ok(Effect::reply(refused::no_identity().no_store()));
        };
        let query = Query::parse(query);
        let endings = match query.get("status").as_deref().map(endings) {
            None => Vec::new(),
            Some(Some(endings)) => endings,
            Some(None) => {
                let error = "status must be success, failed, insufficient_balance or an outcome";
                return Ok(Effect::reply(said(400, error).no_store()));
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
        let LedgerPage { rows, next } = match self.leaf(books, &part, opened)? {
            Ok(page) => page,
            Err(effect) => return Ok(effect),
        };
        let items = list(rows.iter().map(shown));
        let body = Members::ok().raw("invocations", &items);
        let next = next.map(|number| number.to_string()).unwrap_or_default();
        let body = body.maybe("cursor", &next);
        Ok(Effect::reply(Response::json(200, body.done()).no_store()))
    }

    /// One invocation.
    fn invocation_by_id<B: Books>(
        &self,
        books: &B,
        viewer: &Viewer,
        id: &str,
        opened: Opened<'_>,
    ) -> Result<Effect, B::Error> {
        let Some(only) = seen(viewer) else {
            return Ok(Effect::reply(refused::no_identity().no_store()));
        };
        let row = match self.found(books, id, opened)? {
            Ok(row) => row,
            Err(effect) => return Ok(effect),
        };
        let row = row.filter(|row| only.is_none_or(|only| only == row.account));
        Ok(Effect::reply(match row {
            Some(row) => {
                let body = Members::ok().raw("invocation", &shown(&row)).done();
                Response::json(200, body).no_store()
            }
            None => said(404, "Invocation not found").no_store(),
        }))
    }

    /// What an agent spent.
    pub(super) fn spend<B: Books>(
        &self,
        books: &B,
        viewer: &Viewer,
        agent: &str,
    ) -> Result<Effect, B::Error> {
        let rows: Vec<SpendRow> = match viewer {
            Viewer::Anyone => return Ok(Effect::reply(refused::no_identity().no_store())),
            Viewer::Operator => books.spends_of(agent)?,
            Viewer::Agent(proven) if proven.agent == agent => {
                books.spend(&account(&proven.organization, agent))?.into_iter().collect()
            }
            Viewer::Agent(_) => {
                return Ok(Effect::reply(said(403, "These are not your invocations").no_store()));
            }
        };
        let total = |of: fn(&SpendRow) -> &String| {
            rows.iter().fold("0".to_string(), |all, row| sum(&all, of(row)))
        };
        let count = |of: fn(&SpendRow) -> u64| {
            rows.iter().fold(0_u64, |all, row| all.saturating_add(of(row)))
        };
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
        Ok(Effect::reply(Response::json(200, body.done()).no_store()))
    }

    /// A part of the ledger, oldest first.
    fn export<B: Books>(
        &self,
        books: &B,
        viewer: &Viewer,
        query: &str,
        opened: Opened<'_>,
    ) -> Result<Effect, B::Error> {
        if *viewer != Viewer::Operator {
            return Ok(Effect::reply(refused::no_identity().no_store()));
        }
        let query = Query::parse(query);
        let format = query.get("format").unwrap_or_else(|| "jsonl".to_string());
        let after = query.get("cursor").and_then(|text| number_of(&text)).unwrap_or(0);
        let limit = query.number("limit", MAX_PAGE, 1, MAX_PAGE);
        let part = Part { after: Some(after), limit, ..Part::default() };
        let LedgerPage { rows, .. } = match self.leaf(books, &part, opened)? {
            Ok(page) => page,
            Err(effect) => return Ok(effect),
        };
        let (kind, body) = match format.as_str() {
            "jsonl" => {
                let lines = rows.iter().map(shown);
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
                let lines: String = rows.iter().map(csv).collect();
                ("text/csv; charset=utf-8", alloc::format!("{head}{lines}"))
            }
            _ => return Ok(Effect::reply(said(400, "format must be csv or jsonl").no_store())),
        };
        let headers = Vec::from([("content-type".to_string(), kind.to_string())]);
        let response = Response { status: 200, headers, body }.no_store();
        let last = rows.last().map(|row| row.number.to_string()).unwrap_or_default();
        let response =
            if last.is_empty() { response } else { response.with("farebox-cursor", &last) };
        Ok(Effect::reply(response))
    }

    /// Puts the lines of an export into an empty ledger, or after those of the page before. Numbers stay.
    pub(super) fn import<B: Books>(
        &self,
        books: &B,
        viewer: &Viewer,
        lines: &str,
    ) -> Result<Effect, B::Error> {
        if *viewer != Viewer::Operator {
            return Ok(Effect::reply(refused::no_identity().no_store()));
        }
        if lines.len() > MAX_BODY_BYTES {
            return Ok(Effect::reply(refused::too_large().no_store()));
        }
        let newest = books.invocations(&Part { limit: 1, ..Part::default() })?.into_iter().next();
        // What was not imported has a digest: numbers of another ledger would not fit after it.
        if newest.as_ref().is_some_and(|row| !row.digest.is_empty()) {
            return Ok(Effect::reply(said(409, "The ledger is not empty").no_store()));
        }
        let last = newest.map(|row| row.number);
        let mut rows: Vec<InvocationRow> = Vec::new();
        let mut known: BTreeSet<(String, String)> = BTreeSet::new();
        for (place, line) in lines.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let line = json::parse(line.as_bytes()).ok();
            let row = line.and_then(|line| imported(line.as_object()?));
            let next = rows.last().map(|row| row.number).or(last).map(|it| it.saturating_add(1));
            if let (Some(row), Some(next), true) = (&row, next, rows.is_empty())
                && row.number != next
            {
                let error = alloc::format!("The ledger goes on at number {next}");
                return Ok(Effect::reply(said(409, &error).no_store()));
            }
            let row = row.and_then(|row| {
                let number = if row.number == 0 { next.unwrap_or(1) } else { row.number };
                next.is_none_or(|next| next == number).then_some(InvocationRow { number, ..row })
            });
            let row = match row {
                Some(row) => self.unknown(books, &mut known, row)?,
                None => None,
            };
            let Some(row) = row else {
                let error =
                    alloc::format!("line {} is no row of an export", place.saturating_add(1));
                return Ok(Effect::reply(said(400, &error).no_store()));
            };
            rows.push(row);
        }
        let mut spends: Vec<SpendRow> = Vec::new();
        for row in &rows {
            if !spends.iter().any(|known| known.account == row.account) {
                spends.push(self.spend_of(books, row)?);
            }
            if let Some(spend) = spends.iter_mut().find(|it| it.account == row.account) {
                add(spend, row);
            }
        }
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let mut edits: Vec<Edit> = rows.into_iter().map(|row| Edit::Begin(Box::new(row))).collect();
        edits.extend(spends.into_iter().map(|spend| Edit::Spend(Box::new(spend))));
        let response =
            Response::json(200, Members::ok().number("imported", count).done()).no_store();
        Ok(Effect { reaction: Reaction::Reply(response), edits })
    }
}

impl Market {
    /// A row whose id and transaction are neither in the ledger nor among these.
    fn unknown<B: Books>(
        &self,
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
}

/// The account that a viewer is limited to; the outer `None` sees nothing.
fn seen(viewer: &Viewer) -> Option<Option<String>> {
    match viewer {
        Viewer::Operator => Some(None),
        Viewer::Agent(Proven { .. }) | Viewer::Anyone if planted(Mutant::LedgersAreOpen) => {
            Some(None)
        }
        Viewer::Agent(proven) => Some(Some(account(&proven.organization, &proven.agent))),
        Viewer::Anyone => None,
    }
}

/// The endings that a status of the original, or an outcome, stands for.
fn endings(status: &str) -> Option<Vec<Ending>> {
    Some(match status {
        "success" => Vec::from([Ending::Free, Ending::PaidOk]),
        "failed" => Vec::from([Ending::PaidFailed, Ending::NotPaidFailed]),
        other => Vec::from([Ending::named(other)?]),
    })
}

fn number_of(text: &str) -> Option<u64> {
    let is_digits = (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if is_digits { text.parse().ok() } else { None }
}

const fn moved(paid: Moved) -> &'static str {
    match paid {
        Moved::No => "no",
        Moved::Yes => "yes",
        Moved::Unknown => "unknown",
    }
}

/// A row as JSON: the original's members first.
fn shown(row: &InvocationRow) -> String {
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
        .text("paid", moved(row.paid))
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

fn csv(row: &InvocationRow) -> String {
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
        moved(row.paid),
        &row.amount,
        &row.asset,
        &row.network,
        &row.xlm,
        &row.tx,
        &row.receipt,
        &invoked,
        &row.error,
    ];
    alloc::format!("{}\r\n", cells.map(cell).join(","))
}

/// A cell that no table program reads as a formula. Spec: RFC 4180.
fn cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        return text.to_string();
    }
    alloc::format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// A row of an export; `None` unless it has ended and is well formed.
fn imported(line: &Map<String, Value>) -> Option<InvocationRow> {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let decimal = |value: &Value| match value {
        Value::Number(number) => plain(&number.to_string()),
        Value::String(text) => plain(text),
        _ => None,
    };
    let ending = Ending::named(line.get("outcome")?.as_str()?)?;
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
        id,
        account,
        organization,
        agent,
        skill: text("skillId"),
        version: text("version"),
        phase: Phase::Done,
        ending,
        paid,
        amount: decimal(line.get("amount")?)?,
        asset: text("asset"),
        network: text("network"),
        xlm: decimal(line.get("amountXLM")?)?,
        counted: "0".to_string(),
        tx: text("txHash"),
        receipt: text("receiptId"),
        invoked,
        ended: Some(invoked),
        error: text("error"),
        key: String::new(),
        digest: String::new(),
        pack,
        fence: 0,
        lease: 0,
        due: None,
        asks: 0,
        looks: 0,
    })
}
