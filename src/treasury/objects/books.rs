//! The books of one organization in an object's database: one statement for each read.

use farebox_core::a2a::link::PaymentLink;
use farebox_core::treasury::books::{OpenOf, Page, Rows};
use farebox_core::treasury::escrow::row::{EscrowRow, NonceRow};
use farebox_core::treasury::row::{
    AgentRow, AttemptRow, BudgetRow, DecisionRow, Kept, KeptAnswers, LogRow, OpenPayments, Parcel,
    PolicyRow, Removal, ReviewRow, Scope, TokenRow, Turn,
};
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

use crate::platform::columns::{first, number, read, text, whole, word};
use crate::platform::long;
use crate::platform::sql::{Result, Sql, SqlValue};

/// An object's rows.
pub(super) struct TreasuryRows<'a>(pub &'a Sql);

impl TreasuryRows<'_> {
    pub(super) fn run(&self, query: &str, values: Vec<SqlValue>) -> Result<()> {
        self.0.exec(query, values).map(|_| ())
    }

    /// The row of a statement that finds at most one.
    fn one<T: DeserializeOwned>(&self, query: &str, values: Vec<SqlValue>) -> Result<Option<T>> {
        first(self.0, query, values)?.map(|value| read(&value)).transpose()
    }

    fn all<T: DeserializeOwned>(&self, query: &str, values: Vec<SqlValue>) -> Result<Vec<T>> {
        let rows = self.0.exec(query, values)?;
        rows.raw().map(|row| read(row?.first().unwrap_or(&SqlValue::Null))).collect()
    }

    /// A decision of a statement that finds its row and its answer.
    fn whole_decision(&self, query: &str, values: Vec<SqlValue>) -> Result<Option<DecisionRow>> {
        let Some(found) = self.0.exec(query, values)?.raw().next().transpose()? else {
            return Ok(None);
        };
        let mut row: DecisionRow = read(found.first().unwrap_or(&SqlValue::Null))?;
        row.body = long::get(self.0, &row.id, found.get(1))?;
        Ok(Some(row))
    }

    /// When work is due first.
    pub(super) fn due_first(&self) -> Result<Option<u64>> {
        let query =
            "SELECT min(due) FROM (SELECT min(due) AS due FROM attempts WHERE due IS NOT NULL
            UNION ALL SELECT min(due) FROM outbox WHERE due IS NOT NULL
            UNION ALL SELECT min(due) FROM escrows WHERE due IS NOT NULL
            UNION ALL SELECT min(due) FROM links WHERE due IS NOT NULL
            UNION ALL SELECT json_extract(value, '$.due') FROM meta WHERE name IN ('removal', 'answers'))";
        let due = first(self.0, query, vec![])?.as_ref().and_then(number);
        // The platform joins at most five selects.
        Ok(due.into_iter().chain(self.claims_end()?).min())
    }

    /// The organization whose books these are, once it was told.
    pub(super) fn organization(&self) -> Result<Option<String>> {
        let query = "SELECT value FROM meta WHERE name = 'organization'";
        Ok(text(first(self.0, query, vec![])?.as_ref()))
    }

    pub(super) fn keep_organization(&self, name: &str) -> Result<()> {
        self.run("INSERT OR REPLACE INTO meta VALUES ('organization', ?)", vec![name.into()])
    }
}

impl Rows for TreasuryRows<'_> {
    type Error = JsValue;

    fn agent(&self, name: &str) -> Result<Option<AgentRow>> {
        self.one("SELECT row FROM agents WHERE name = ?", vec![name.into()])
    }

    fn agents(&self) -> Result<Vec<AgentRow>> {
        self.all("SELECT row FROM agents ORDER BY name", vec![])
    }

    fn token(&self, id: &str) -> Result<Option<TokenRow>> {
        self.one("SELECT row FROM tokens WHERE id = ?", vec![id.into()])
    }

    fn tokens(&self, agent: &str) -> Result<Vec<TokenRow>> {
        self.all("SELECT row FROM tokens WHERE agent = ? ORDER BY created, id", vec![agent.into()])
    }

    fn policy(&self, scope: &Scope) -> Result<Option<PolicyRow>> {
        self.one("SELECT row FROM policies WHERE scope = ?", vec![scope.key().into()])
    }

    fn decision(&self, id: &str) -> Result<Option<DecisionRow>> {
        self.whole_decision("SELECT row, body FROM decisions WHERE id = ?", vec![id.into()])
    }

    fn decision_by_key(&self, agent: &str, key: &str) -> Result<Option<DecisionRow>> {
        let query = "SELECT row, body FROM decisions WHERE agent = ? AND key = ?";
        self.whole_decision(query, vec![agent.into(), key.into()])
    }

    fn open_decisions(&self, agent: &str, request: &str) -> Result<Vec<DecisionRow>> {
        let query = "SELECT row FROM decisions
            WHERE open = 1 AND agent = ? AND request = ? ORDER BY created DESC, id DESC";
        self.all(query, vec![agent.into(), request.into()])
    }

    fn open_of(&self, agent: &str, limit: u32) -> Result<Vec<DecisionRow>> {
        let query = "SELECT row FROM decisions
            WHERE open = 1 AND agent = ? ORDER BY created DESC, id DESC LIMIT ?";
        self.all(query, vec![agent.into(), whole(limit.into())])
    }

    fn attempt(&self, id: &str) -> Result<Option<AttemptRow>> {
        self.one("SELECT row FROM attempts WHERE id = ?", vec![id.into()])
    }

    fn attempt_by_payment(&self, payment: &str) -> Result<Option<AttemptRow>> {
        self.one("SELECT row FROM attempts WHERE payment = ?", vec![payment.into()])
    }

    fn attempt_by_receipt(&self, receipt: &str) -> Result<Option<AttemptRow>> {
        self.one("SELECT row FROM attempts WHERE receipt = ?", vec![receipt.into()])
    }

    fn parcel(&self, attempt: &str) -> Result<Option<Parcel>> {
        let query = "SELECT parcel FROM attempts WHERE id = ?";
        let Some(column) = first(self.0, query, vec![attempt.into()])? else { return Ok(None) };
        let written = long::get(self.0, attempt, Some(&column))?;
        if written.is_empty() {
            return Ok(None);
        }
        read(&written.into()).map(Some)
    }

    /// One look for each of them, however many attempts each has.
    fn waiting(&self, turn: Turn) -> Result<Vec<String>> {
        let query = "WITH RECURSIVE found (agent) AS (
                SELECT min(agent) FROM attempts WHERE turn = ?1 AND due IS NOT NULL
                UNION ALL
                SELECT (SELECT min(agent) FROM attempts WHERE turn = ?1 AND due IS NOT NULL AND agent > found.agent)
                FROM found WHERE found.agent IS NOT NULL)
            SELECT agent FROM found WHERE agent IS NOT NULL";
        let rows = self.0.exec(query, vec![word(&turn)])?;
        rows.raw().map(|row| Ok(text(row?.first()).unwrap_or_default())).collect()
    }

    fn due(
        &self,
        turn: Turn,
        agent: &str,
        without: &[&str],
        now: u64,
        limit: u32,
    ) -> Result<Vec<AttemptRow>> {
        let places = vec!["?"; without.len()].join(", ");
        let query = format!(
            "SELECT row FROM attempts WHERE turn = ? AND agent = ? AND due IS NOT NULL AND due <= ?
                AND coalesce(json_extract(row, '$.merchant'), '') NOT IN ({places}) ORDER BY due LIMIT ?"
        );
        let mut values = vec![word(&turn), agent.into(), whole(now)];
        values.extend(without.iter().map(|merchant| SqlValue::from(*merchant)));
        values.push(whole(limit.into()));
        self.all(&query, values)
    }

    fn open_payments(&self, of: OpenOf<'_>) -> Result<OpenPayments> {
        let (whose, values) = match of {
            OpenOf::Payee { agent, merchant, payee } => {
                let seller = seller(merchant, payee);
                ("WHERE agent = ? AND merchant = ?", vec![agent.into(), seller.into()])
            }
            OpenOf::Merchant { agent, merchant } => {
                // From the origin alone, of rows from before payees were counted, to the last of its payees: `!` follows the space.
                let end = format!("{merchant}!");
                let values = vec![agent.into(), merchant.into(), end.into()];
                ("WHERE agent = ? AND merchant >= ? AND merchant < ?", values)
            }
            OpenOf::Agent(agent) => ("WHERE agent = ?", vec![agent.into()]),
            OpenOf::All => ("", vec![]),
        };
        let query = format!("SELECT sum(count), sum(bytes) FROM open_payments {whose}");
        let Some(found) = self.0.exec(&query, values)?.raw().next().transpose()? else {
            return Ok(OpenPayments::default());
        };
        let whole = |at| found.get(at).and_then(number).unwrap_or(0);
        Ok(OpenPayments { count: whole(0), bytes: whole(1) })
    }

    fn budget(&self, scope: &Scope) -> Result<Option<BudgetRow>> {
        self.one("SELECT row FROM budgets WHERE scope = ?", vec![scope.key().into()])
    }

    fn review(&self, id: &str) -> Result<Option<ReviewRow>> {
        self.one("SELECT row FROM reviews WHERE id = ?", vec![id.into()])
    }

    /// Without their answers, which may be long.
    fn decisions(&self, page: &Page) -> Result<Vec<DecisionRow>> {
        let is_rare = |outcome: &str| !["allow", "deny", "executing"].contains(&outcome);
        // Their index costs a payment that delivers nothing.
        let rare = match page.outcome.as_deref().is_some_and(is_rare) {
            true => " AND outcome NOT IN ('allow', 'deny', 'executing')",
            false => "",
        };
        let filter = filter(page, "outcome");
        let query = format!(
            "SELECT row FROM decisions WHERE (created, id) < (?, ?){filter}{rare} ORDER BY created DESC, id DESC LIMIT ?"
        );
        self.all(&query, listed(page, LATEST))
    }

    fn attempts(&self, page: &Page) -> Result<Vec<AttemptRow>> {
        let filter = filter(page, "money");
        let query = format!(
            "SELECT row FROM attempts WHERE (counted, id) > (?, ?){filter} ORDER BY counted, id LIMIT ?"
        );
        self.all(&query, listed(page, 0))
    }

    fn reviews(&self, page: &Page) -> Result<Vec<ReviewRow>> {
        let filter = filter(page, "verdict");
        let query = format!(
            "SELECT row FROM reviews WHERE (created, id) < (?, ?){filter} ORDER BY created DESC, id DESC LIMIT ?"
        );
        self.all(&query, listed(page, LATEST))
    }

    fn log(&self, page: &Page) -> Result<Vec<(u64, LogRow)>> {
        let query = "SELECT number, row FROM log WHERE number < ? ORDER BY number DESC LIMIT ?";
        let before = page.after.as_ref().map_or(LATEST, |(number, _)| *number);
        let rows = self.0.exec(query, vec![whole(before), whole(page.limit.into())])?;
        let numbered = |row: Vec<SqlValue>| {
            let line = read(row.get(1).unwrap_or(&SqlValue::Null))?;
            Ok((row.first().and_then(number).unwrap_or(0), line))
        };
        rows.raw().map(|row| numbered(row?)).collect()
    }

    fn outcomes(&self) -> Result<Vec<(String, String, u64)>> {
        let query =
            "SELECT outcome, code, sum(coalesce(json_extract(row, '$.times'), 1)) FROM decisions
            GROUP BY outcome, code ORDER BY outcome, code";
        let counted = |row: Vec<SqlValue>| {
            let word = |at| text(row.get(at)).unwrap_or_default();
            (word(0), word(1), row.get(2).and_then(number).unwrap_or(0))
        };
        self.0.exec(query, vec![])?.raw().map(|row| Ok(counted(row?))).collect()
    }

    fn seed(&self) -> Result<Option<String>> {
        let query = "SELECT value FROM meta WHERE name = 'seed'";
        Ok(text(first(self.0, query, vec![])?.as_ref()))
    }

    fn removal(&self) -> Result<Option<Removal>> {
        self.one("SELECT value FROM meta WHERE name = 'removal'", vec![])
    }

    fn kept_answers(&self) -> Result<KeptAnswers> {
        let kept = self.one("SELECT value FROM meta WHERE name = 'answers'", vec![])?;
        Ok(kept.unwrap_or_default())
    }

    fn leaving(&self, limit: u32) -> Result<Vec<(u64, String)>> {
        let query =
            "SELECT leaves, id FROM decisions WHERE leaves IS NOT NULL ORDER BY leaves, id LIMIT ?";
        let rows = self.0.exec(query, vec![whole(limit.into())])?;
        rows.raw().map(|row| Ok(timed(&row?))).collect()
    }

    fn oldest(&self, removal: &Removal, before: u64, limit: u32) -> Result<Vec<(u64, String)>> {
        let (time, id) = &removal.after;
        let (time, id, before) = (whole(*time), id.as_str().into(), whole(before));
        let limit = whole(limit.into());
        let (query, values) = match removal.kind {
            Kept::Decisions => (
                "SELECT created, id FROM decisions WHERE (created, id) > (?, ?) AND created < ? ORDER BY created, id LIMIT ?",
                vec![time, id, before, limit],
            ),
            Kept::Attempts => (
                "SELECT counted, id FROM attempts WHERE (counted, id) > (?, ?) AND counted < ? ORDER BY counted, id LIMIT ?",
                vec![time, id, before, limit],
            ),
            Kept::Reviews => (
                "SELECT created, id FROM reviews WHERE (created, id) > (?, ?) AND created < ? ORDER BY created, id LIMIT ?",
                vec![time, id, before, limit],
            ),
            Kept::Log => (
                "SELECT number, CAST(number AS TEXT) FROM log WHERE number > ? AND json_extract(row, '$.at') < ?
                ORDER BY number LIMIT ?",
                vec![time, before, limit],
            ),
        };
        self.0.exec(query, values)?.raw().map(|row| Ok(timed(&row?))).collect()
    }

    fn escrow(&self, id: &str) -> Result<Option<EscrowRow>> {
        self.one("SELECT row FROM escrows WHERE id = ?", vec![id.into()])
    }

    fn escrows_due(&self, now: u64, limit: u32) -> Result<Vec<EscrowRow>> {
        let query = "SELECT row FROM escrows WHERE due IS NOT NULL AND due <= ?
            ORDER BY flying IS NULL, due LIMIT ?";
        self.all(query, vec![whole(now), whole(limit.into())])
    }

    fn is_flying_beside(&self, wallet: &str, id: &str) -> Result<bool> {
        let query = "SELECT 1 FROM escrows WHERE flying = ? AND id <> ? LIMIT 1";
        Ok(first(self.0, query, vec![wallet.into(), id.into()])?.is_some())
    }

    fn nonces(&self, wallet: &str) -> Result<Option<NonceRow>> {
        self.one("SELECT row FROM nonces WHERE wallet = ?", vec![wallet.into()])
    }

    fn link(&self, id: &str) -> Result<Option<PaymentLink>> {
        self.one("SELECT row FROM links WHERE id = ?", vec![id.into()])
    }

    fn claim(&self, name: &str) -> Result<Option<String>> {
        let query = "SELECT link FROM claims WHERE name = ?";
        Ok(text(first(self.0, query, vec![name.into()])?.as_ref()))
    }

    fn claims_end(&self) -> Result<Option<u64>> {
        let query = "SELECT min(until) FROM claims";
        Ok(first(self.0, query, vec![])?.as_ref().and_then(number))
    }

    fn links_due(&self, now: u64, limit: u32) -> Result<Vec<PaymentLink>> {
        let query = "SELECT row FROM links WHERE due IS NOT NULL AND due <= ? ORDER BY due LIMIT ?";
        self.all(query, vec![whole(now), whole(limit.into())])
    }

    fn is_traced(&self, name: &str) -> Result<bool> {
        let found = first(self.0, "SELECT 1 FROM traces WHERE name = ?", vec![name.into()])?;
        Ok(found.is_some())
    }
}

/// Whether a write failed because another attempt has the same nonce.
pub(super) fn is_second_payment(error: &JsValue) -> bool {
    let text = js_sys::Error::from(error.clone()).message();
    String::from(text).contains("attempts.payment")
}

/// A payee of a merchant. No origin has a space.
pub(super) fn seller(merchant: &str, payee: &str) -> String {
    format!("{merchant} {payee}")
}

/// A time and an id.
fn timed(row: &[SqlValue]) -> (u64, String) {
    (row.first().and_then(number).unwrap_or(0), text(row.get(1)).unwrap_or_default())
}

/// A time after all rows, and still exact.
const LATEST: u64 = (1 << 53) - 1;

/// The conditions of a statement that lists, beside where to begin. What is not asked for is none:
/// with one that may be absent, no index would find the rows.
fn filter(page: &Page, column: &str) -> String {
    let agent = page.agent.as_ref().map_or("", |_| " AND agent = ?");
    let outcome = page.outcome.as_ref().map(|_| format!(" AND {column} = ?"));
    format!("{agent}{}", outcome.unwrap_or_default())
}

/// The values of a statement that lists: where to begin, those of its [`filter`], how many.
fn listed(page: &Page, start: u64) -> Vec<SqlValue> {
    let (time, id) = page.after.clone().unwrap_or((start, String::new()));
    let mut values = vec![whole(time), id.into()];
    values.extend([&page.agent, &page.outcome].into_iter().flatten().map(|it| it.as_str().into()));
    values.push(whole(page.limit.into()));
    values
}
