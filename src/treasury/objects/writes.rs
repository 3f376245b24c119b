//! The writes of an organization's books: one statement for each.

use farebox_core::treasury::Treasury;
use farebox_core::treasury::books::Change;
use farebox_core::treasury::row::{AttemptRow, DecisionRow, Kept, Money, Parcel};

use super::books::{TreasuryRows, seller};
use super::outbox;
use crate::platform::columns::{json, maybe, whole, word};
use crate::platform::long;
use crate::platform::sql::{Result, SqlValue};

impl TreasuryRows<'_> {
    /// Carries out writes, in order.
    pub(super) fn write(&self, treasury: &Treasury, changes: &[Change], now: u64) -> Result<()> {
        changes.iter().try_for_each(|change| self.put(treasury, change, now))
    }

    fn put(&self, treasury: &Treasury, change: &Change, now: u64) -> Result<()> {
        match change {
            Change::Agent(row) => {
                let query = "INSERT OR REPLACE INTO agents VALUES (?, ?)";
                self.run(query, vec![row.name.as_str().into(), json(row)])
            }
            Change::Token(row) => {
                let query = "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?)";
                let (id, agent) = (row.id.as_str().into(), row.agent.as_str().into());
                self.run(query, vec![id, agent, whole(row.created), json(row)])
            }
            Change::TokenGone(id) => {
                self.run("DELETE FROM tokens WHERE id = ?", vec![id.as_str().into()])
            }
            Change::Policy(row) => {
                let query = "INSERT OR REPLACE INTO policies VALUES (?, ?)";
                self.run(query, vec![row.scope.key().into(), json(row)])
            }
            Change::Decision(row) => self.put_decision(row),
            Change::KeptAnswers(kept) => {
                let query = "INSERT OR REPLACE INTO meta VALUES ('answers', ?)";
                self.run(query, vec![json(kept)])
            }
            Change::Begin(row, parcel) => self.begin(row, parcel),
            Change::Attempt(row) => {
                let query =
                    "UPDATE attempts SET money = ?, due = ?, row = ?, turn = ? WHERE id = ?";
                self.put_attempt(query, row)
            }
            Change::Ended(row) => {
                self.close(&row.id)?;
                let query = "UPDATE attempts SET money = ?, due = ?, row = ?, turn = ?, parcel = NULL, held = NULL WHERE id = ?";
                self.put_attempt(query, row)?;
                self.run("DELETE FROM parts WHERE owner = ?", vec![row.id.as_str().into()])
            }
            Change::RequestGone(id) => self.drop_request(id),
            Change::Budget(row) => {
                let query = "INSERT OR REPLACE INTO budgets VALUES (?, ?)";
                self.run(query, vec![row.scope.key().into(), json(row)])
            }
            Change::Review(row) => {
                let query = "INSERT OR REPLACE INTO reviews VALUES (?, ?, ?, ?, ?)";
                let (id, agent) = (row.id.as_str().into(), row.agent.as_str().into());
                let values = vec![id, agent, word(&row.verdict), whole(row.created), json(row)];
                self.run(query, values)
            }
            Change::Log(row) => self.run("INSERT INTO log (row) VALUES (?)", vec![json(row)]),
            Change::Outbox(notice) => outbox::put(self.0, treasury, notice, now),
            Change::Seed(hash) => {
                let query = "INSERT OR REPLACE INTO meta VALUES ('seed', ?)";
                self.run(query, vec![hash.as_str().into()])
            }
            Change::Gone(kind, id) => self.gone(*kind, id),
            Change::Trace(trace) => {
                let query = "INSERT OR IGNORE INTO traces VALUES (?, ?)";
                self.run(query, vec![trace.name.as_str().into(), whole(trace.at)])
            }
            Change::Removal(removal) => {
                let query = "INSERT OR REPLACE INTO meta VALUES ('removal', ?)";
                self.run(query, vec![json(removal)])
            }
            Change::Escrow(row) => {
                let query = "INSERT OR REPLACE INTO escrows VALUES (?, ?, ?, ?, ?)";
                let flying = row.is_flying().then(|| row.wallet.clone());
                let id = row.id.as_str().into();
                self.run(
                    query,
                    vec![id, flying.into(), maybe(row.due), whole(row.created), json(row)],
                )
            }
            Change::Link(row) => {
                let query = "INSERT INTO links VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (id) DO UPDATE SET due = ?2, payment = ?3, row = ?4";
                self.run(
                    query,
                    vec![
                        row.id.as_str().into(),
                        maybe(row.due),
                        row.payment_name().into(),
                        json(row),
                    ],
                )
            }
            Change::Claim(name, link, until) => {
                let query = "INSERT INTO claims VALUES (?, ?, ?)";
                let values = vec![name.as_str().into(), link.as_str().into(), whole(*until)];
                self.run(query, values)?;
                // Of before: an authorization is valid for at most a day when it is shown.
                let query = "UPDATE claims SET until = ? WHERE until IS NULL";
                self.run(query, vec![whole(now.saturating_add(86_400))])
            }
            Change::ClaimsGone(until) => {
                self.run("DELETE FROM claims WHERE until <= ?", vec![whole(*until)])
            }
            Change::Nonces(row) => {
                let query = "INSERT OR REPLACE INTO nonces VALUES (?, ?)";
                self.run(query, vec![row.wallet.as_str().into(), json(row)])
            }
        }
    }

    fn gone(&self, kind: Kept, id: &str) -> Result<()> {
        if kind == Kept::Attempts {
            self.close(id)?;
        }
        let query = match kind {
            Kept::Decisions => "DELETE FROM decisions WHERE id = ?",
            Kept::Attempts => "DELETE FROM attempts WHERE id = ?",
            Kept::Reviews => "DELETE FROM reviews WHERE id = ?",
            Kept::Log => "DELETE FROM log WHERE number = CAST(? AS INTEGER)",
        };
        self.run(query, vec![id.into()])?;
        match kind {
            Kept::Decisions | Kept::Attempts => {
                self.run("DELETE FROM parts WHERE owner = ?", vec![id.into()])
            }
            Kept::Reviews | Kept::Log => Ok(()),
        }
    }

    fn put_decision(&self, row: &DecisionRow) -> Result<()> {
        let body = long::put(self.0, &row.id, &row.body)?;
        // What is asked for again under its key is there twice otherwise.
        let bare = DecisionRow { body: String::new(), ..row.clone() };
        // What stays as it was keeps its index rows; agent, key and request never change.
        let query = "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
            terms = excluded.terms, open = excluded.open, outcome = excluded.outcome, code = excluded.code,
            row = excluded.row, body = excluded.body, leaves = excluded.leaves";
        let values = vec![
            row.id.as_str().into(),
            row.agent.as_str().into(),
            row.key.clone().into(),
            row.request.as_str().into(),
            row.terms.as_str().into(),
            SqlValue::Integer(row.open.into()),
            row.outcome.as_str().into(),
            row.code.as_str().into(),
            whole(row.created),
            json(&bare),
            body,
            maybe(row.leaves),
        ];
        self.run(query, values)
    }

    fn put_attempt(&self, query: &str, row: &AttemptRow) -> Result<()> {
        let id = || row.id.as_str().into();
        let values = vec![word(&row.money), maybe(row.due), json(row), word(&row.turn()), id()];
        self.run(query, values)?;
        if row.money != Money::Void || row.header.is_some() {
            return Ok(());
        }
        // What was never signed may be signed by another attempt.
        self.run("UPDATE attempts SET payment = NULL WHERE id = ?", vec![id()])
    }

    fn begin(&self, row: &AttemptRow, parcel: &Parcel) -> Result<()> {
        let written = serde_json::to_string(parcel).unwrap_or_default();
        let held = || whole(u64::try_from(written.len()).unwrap_or_default());
        let parcel = long::put(self.0, &row.id, &written)?;
        let query = "INSERT INTO open_payments VALUES (?, ?, 1, ?)
            ON CONFLICT (agent, merchant) DO UPDATE SET count = count + 1, bytes = bytes + excluded.bytes";
        let seller = seller(&row.merchant, &row.to);
        let (agent, merchant) = (row.agent.as_str(), seller.as_str());
        self.run(query, vec![agent.into(), merchant.into(), held()])?;
        let query = "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let values = vec![
            row.id.as_str().into(),
            row.agent.as_str().into(),
            row.receipt_id.as_str().into(),
            word(&row.money),
            maybe(row.due),
            whole(row.counted),
            json(row),
            parcel,
            row.payment().into(),
            word(&row.turn()),
            held(),
            merchant.into(),
        ];
        self.run(query, values)
    }

    /// Takes an attempt out of the open payments of its agent, if it is one of them.
    fn close(&self, id: &str) -> Result<()> {
        self.give_room(id, 1)?;
        let query = "DELETE FROM open_payments
            WHERE (agent, merchant) = (SELECT agent, merchant FROM attempts WHERE id = ?) AND count <= 0";
        self.run(query, vec![id.into()])
    }

    /// Gives back what an attempt holds of its agent's room, and so many payments of it.
    fn give_room(&self, id: &str, count: u64) -> Result<()> {
        let query = "UPDATE open_payments SET count = count - ?, bytes = bytes - it.held
            FROM (SELECT agent, merchant, held FROM attempts WHERE id = ?) AS it
            WHERE it.held IS NOT NULL AND (open_payments.agent, open_payments.merchant) = (it.agent, it.merchant)";
        self.run(query, vec![whole(count), id.into()])
    }

    /// Deletes the request of an attempt that goes on being open.
    fn drop_request(&self, id: &str) -> Result<()> {
        self.give_room(id, 0)?;
        let query = "UPDATE attempts SET parcel = NULL, held = 0 WHERE id = ? AND held IS NOT NULL";
        self.run(query, vec![id.into()])?;
        self.run("DELETE FROM parts WHERE owner = ?", vec![id.into()])
    }
}
