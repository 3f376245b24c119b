//! Quotes, settlements and subscriptions of the original's shapes: their tables, reads and writes.

use farebox_core::skills::original::books::{
    MAX_LISTED, QuoteChange, QuoteRows, ReceiptPart, WINDOW, words,
};
use farebox_core::skills::original::row::{QuoteRow, ReceiptTotals, SettledRow, SubscriptionRow};
use wasm_bindgen::JsValue;

use super::books::SkillRows;
use crate::platform::columns::{json, number, whole};
use crate::platform::sql::{Result, SqlValue};

/// Their tables.
pub(super) const TABLES: &[&str] = &[
    "DROP TABLE IF EXISTS quotes",
    "DROP TABLE IF EXISTS settled",
    "DROP TABLE IF EXISTS subscriptions",
    "CREATE TABLE quotes (id TEXT PRIMARY KEY, reference TEXT NOT NULL UNIQUE, client TEXT NOT NULL, until INTEGER NOT NULL, row TEXT NOT NULL)",
    "CREATE INDEX quotes_client ON quotes (client, until)",
    "CREATE INDEX quotes_until ON quotes (until)",
    // What was transferred says which quote it pays.
    "CREATE TABLE quoted (network TEXT NOT NULL, units TEXT NOT NULL, quote TEXT NOT NULL, PRIMARY KEY (network, units)) WITHOUT ROWID",
    "CREATE INDEX quoted_quote ON quoted (quote)",
    "CREATE TABLE settled (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, quote TEXT NOT NULL UNIQUE, reference TEXT NOT NULL UNIQUE,
        place TEXT NOT NULL, tx TEXT NOT NULL, chain TEXT NOT NULL, payer TEXT NOT NULL, agents TEXT NOT NULL, service TEXT NOT NULL,
        words TEXT NOT NULL, row TEXT NOT NULL, UNIQUE (place, tx))",
    "CREATE INDEX settled_payer ON settled (payer)",
    "CREATE INDEX settled_service ON settled (service)",
    "CREATE TABLE subscriptions (
        id TEXT PRIMARY KEY, agent TEXT NOT NULL, service TEXT NOT NULL, renews INTEGER NOT NULL, row TEXT NOT NULL)",
    "CREATE INDEX subscriptions_of ON subscriptions (agent, service, renews)",
    "CREATE INDEX subscriptions_renews ON subscriptions (renews)",
];

impl QuoteRows for SkillRows<'_> {
    type Error = JsValue;

    fn quote(&self, id_or_reference: &str) -> Result<Option<QuoteRow>> {
        let query = "SELECT row FROM quotes WHERE id = ?1 OR reference = ?1 LIMIT 1";
        self.one(query, vec![id_or_reference.into()])
    }

    fn is_quoted(&self, network: &str, units: &str) -> Result<bool> {
        let query = "SELECT 1 FROM quoted WHERE network = ? AND units = ?";
        Ok(self.first(query, vec![network.into(), units.into()])?.is_some())
    }

    fn quotes_of(&self, client: &str, now: u64) -> Result<(u64, u64)> {
        let own = "SELECT count(*) FROM quotes WHERE client = ? AND until >= ?";
        let own = self.count(own, vec![client.into(), whole(now)])?;
        let all = self.count("SELECT count(*) FROM quotes WHERE until >= ?", vec![whole(now)])?;
        Ok((own, all))
    }

    fn settled(&self, id: &str) -> Result<Option<SettledRow>> {
        self.one("SELECT row FROM settled WHERE id = ?", vec![id.into()])
    }

    fn settled_quote(&self, id_or_reference: &str) -> Result<Option<SettledRow>> {
        let query = "SELECT row FROM settled WHERE quote = ?1 OR reference = ?1 LIMIT 1";
        self.one(query, vec![id_or_reference.into()])
    }

    fn settled_by_tx(&self, place: &str, tx: &str) -> Result<Option<SettledRow>> {
        let query = "SELECT row FROM settled WHERE place = ? AND tx = ?";
        self.one(query, vec![place.into(), tx.into()])
    }

    fn has_settled(&self, payer: &str, service: &str) -> Result<(bool, bool)> {
        let has = |column: &str, value: &str| {
            let query = format!("SELECT 1 FROM settled WHERE {column} = ? LIMIT 1");
            Ok::<_, JsValue>(self.first(&query, vec![value.into()])?.is_some())
        };
        Ok((has("payer", payer)?, has("service", service)?))
    }

    fn settlements(&self, part: &ReceiptPart) -> Result<(Vec<SettledRow>, u64)> {
        let mut conditions = vec!["1 = 1"];
        let mut values: Vec<SqlValue> = vec![whole(WINDOW.into())];
        let mut add = |condition: &'static str, value: &Option<String>| {
            if let Some(value) = value {
                conditions.push(condition);
                values.push(value.as_str().into());
            }
        };
        add("instr(agents, char(10) || ? || char(10)) > 0", &part.agent);
        add("chain = ?", &part.chain);
        add("lower(service) = ?", &part.service);
        add("instr(words, ?) > 0", &part.text);
        let from = format!(
            "FROM (SELECT * FROM settled ORDER BY number DESC LIMIT ?) WHERE {}",
            conditions.join(" AND ")
        );
        let total = self.count(&format!("SELECT count(*) {from}"), values.clone())?;
        values.extend([whole(part.limit.into()), whole(part.offset)]);
        let query = format!("SELECT row {from} ORDER BY number DESC LIMIT ? OFFSET ?");
        Ok((self.all(&query, values)?, total))
    }

    fn receipt_totals(&self) -> Result<ReceiptTotals> {
        let query = "SELECT value FROM meta WHERE name = 'receipts'";
        Ok(self.one(query, vec![])?.unwrap_or_default())
    }

    fn subscription(&self, id: &str) -> Result<Option<SubscriptionRow>> {
        self.one("SELECT row FROM subscriptions WHERE id = ?", vec![id.into()])
    }

    fn subscription_of(
        &self,
        agent: &str,
        service: &str,
        after: u64,
    ) -> Result<Option<SubscriptionRow>> {
        let query = "SELECT row FROM subscriptions WHERE agent = ? AND service = ?
            ORDER BY (renews > ?) * max(json_extract(row, '$.calls') - json_extract(row, '$.used'), 0) DESC,
            renews DESC LIMIT 1";
        self.one(query, vec![agent.into(), service.into(), whole(after)])
    }

    fn subscriptions(&self) -> Result<Vec<SubscriptionRow>> {
        let query = "SELECT row FROM (SELECT * FROM subscriptions ORDER BY renews DESC LIMIT ?) ORDER BY renews, id";
        self.all(query, vec![whole(MAX_LISTED.into())])
    }
}

impl SkillRows<'_> {
    pub(super) fn count(&self, query: &str, values: Vec<SqlValue>) -> Result<u64> {
        Ok(self.first(query, values)?.as_ref().and_then(number).unwrap_or(0))
    }

    pub(super) fn put_original(&self, change: &QuoteChange) -> Result<()> {
        match change {
            QuoteChange::Quote(row) => self.put_quote(row),
            QuoteChange::Gone(id) => {
                self.run("DELETE FROM quoted WHERE quote = ?", vec![id.as_str().into()])?;
                self.run("DELETE FROM quotes WHERE id = ?", vec![id.as_str().into()])
            }
            QuoteChange::Sweep(before) => {
                let old = "SELECT id FROM quotes WHERE until < ?";
                let query = format!("DELETE FROM quoted WHERE quote IN ({old})");
                self.run(&query, vec![whole(*before)])?;
                self.run("DELETE FROM quotes WHERE until < ?", vec![whole(*before)])
            }
            QuoteChange::Settled(row) => self.put_settled(row),
            QuoteChange::Totals(totals) => {
                self.run("INSERT OR REPLACE INTO meta VALUES ('receipts', ?)", vec![json(totals)])
            }
            QuoteChange::Subscription(row) => {
                let query = "INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?)";
                let (agent, service) = (row.agent.as_str().into(), row.service.as_str().into());
                let id = row.id.as_str().into();
                self.run(query, vec![id, agent, service, whole(row.renews), json(row)])
            }
            QuoteChange::Trim(kept) => {
                let query =
                    "DELETE FROM settled WHERE number <= (SELECT max(number) FROM settled) - ?";
                self.run(query, vec![whole((*kept).into())])?;
                let query = "DELETE FROM subscriptions WHERE rowid <= (SELECT max(rowid) FROM subscriptions) - ?";
                self.run(query, vec![whole((*kept).into())])
            }
        }
    }

    fn put_quote(&self, row: &QuoteRow) -> Result<()> {
        // One that waits for its block is kept longer.
        let query = "INSERT INTO quotes VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET until = excluded.until, row = excluded.row";
        let (id, reference) = (row.id.as_str().into(), row.reference.as_str().into());
        let (client, until) = (row.client.as_str().into(), whole(row.until));
        self.run(query, vec![id, reference, client, until, json(row)])?;
        for option in row.options.iter().filter(|option| !option.network.is_empty()) {
            // The amount of another quote is an error, not a replacement.
            let query = "INSERT INTO quoted VALUES (?1, ?2, ?3) ON CONFLICT (network, units) DO UPDATE SET quote = CASE WHEN quote = ?3 THEN quote ELSE NULL END";
            let (network, units) = (option.network.as_str().into(), option.units.as_str().into());
            self.run(query, vec![network, units, row.id.as_str().into()])?;
        }
        Ok(())
    }

    fn put_settled(&self, row: &SettledRow) -> Result<()> {
        let query = "INSERT INTO settled (id, quote, reference, place, tx, chain, payer, agents, service, words, row)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let agents = format!("\n{}\n{}\n", row.payer, row.agent).to_lowercase();
        let values = vec![
            row.id.as_str().into(),
            row.quote.as_str().into(),
            row.reference.as_str().into(),
            row.place.as_str().into(),
            row.tx.as_str().into(),
            row.chain.as_str().into(),
            row.payer.as_str().into(),
            agents.as_str().into(),
            row.service.as_str().into(),
            words(row).as_str().into(),
            json(row),
        ];
        self.run(query, values)
    }
}
