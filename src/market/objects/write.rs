//! Changes of the market's books, one statement or two each.

use farebox_core::skills::books::Change;
use farebox_core::skills::row::{Ending, InvocationRow, ReplyRow, ShelfRow};

use super::books::SkillRows;
use crate::platform::columns::{json, maybe, whole, word};
use crate::platform::long;
use crate::platform::sql::{Result, SqlValue};

impl SkillRows<'_> {
    /// Carries out changes, in order.
    pub(super) fn write(&self, changes: &[Change]) -> Result<()> {
        changes.iter().try_for_each(|change| self.put(change))
    }

    fn put(&self, change: &Change) -> Result<()> {
        match change {
            Change::Skill(row) => {
                let query = "INSERT OR REPLACE INTO skills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
                let (id, owner) = (row.id.as_str().into(), row.owner.as_str().into());
                let (active, latest) = (flag(row.active), row.latest.as_str().into());
                let mut values = vec![id, owner, active, whole(row.created), latest, json(row)];
                values.extend([flag(row.used), whole(row.room.routes), whole(row.room.bytes)]);
                values.push(whole(row.place_until));
                self.run(query, values)
            }
            Change::Forget(id) => self.forget(id),
            Change::Name(id, owner) => {
                let query = "INSERT OR IGNORE INTO former_owners (id, owner) VALUES (?, ?)";
                self.run(query, vec![id.as_str().into(), owner.as_str().into()])
            }
            Change::Unname(numbers) => {
                let query = "DELETE FROM former_owners
                    WHERE number IN (SELECT value FROM json_each(?))";
                self.run(query, vec![json(numbers)])
            }
            Change::Rate(row) => {
                let query = "INSERT OR REPLACE INTO rates VALUES (?, ?, ?)";
                self.run(query, vec![row.owner.as_str().into(), whole(row.since), json(row)])
            }
            Change::Version(row) => {
                let query = "INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?)";
                let (skill, version) = (row.skill.as_str().into(), row.version.as_str().into());
                self.run(query, vec![skill, version, whole(row.created), json(row)])
            }
            Change::Nonce(row) => {
                let (owner, nonce) = (row.owner.as_str().into(), row.nonce.as_str().into());
                self.run(
                    "INSERT INTO nonces VALUES (?, ?, ?)",
                    vec![owner, nonce, whole(row.until)],
                )
            }
            Change::Sweep(before) => self.sweep(*before),
            Change::Table(row) => {
                self.run("INSERT OR REPLACE INTO meta VALUES ('table', ?)", vec![json(row)])
            }
            Change::Begin(row) => self.begin(row),
            Change::Invocation(row) => self.put_invocation(row),
            Change::Shelve(row, numbers) => self.shelve(row, numbers),
            Change::Archive(row) => {
                self.run("INSERT OR REPLACE INTO meta VALUES ('archive', ?)", vec![json(row)])
            }
            Change::Reply(row) => self.put_reply(row),
            Change::Retold(row) => {
                self.unreply(std::slice::from_ref(&row.invocation))?;
                self.put_reply(row)
            }
            Change::Unreply(ids) => self.unreply(ids),
            Change::Key(row) => {
                let query = "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)";
                let (account, key) = (row.account.as_str().into(), row.key.as_str().into());
                self.run(query, vec![account, key, whole(row.until), json(row)])
            }
            Change::Spend(row) => {
                let query = "INSERT OR REPLACE INTO spend VALUES (?, ?, ?)";
                let (account, agent) = (row.account.as_str().into(), row.agent.as_str().into());
                self.run(query, vec![account, agent, json(row)])
            }
            Change::Pack(row) => {
                // Another pack of the same payment is an error, not a replacement.
                let query = "INSERT INTO packs VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row";
                let (id, payment) = (row.id.as_str().into(), row.payment.as_str().into());
                self.run(query, vec![id, payment, json(row)])
            }
            Change::Original(change) => self.put_original(change),
        }
    }

    /// Deletes a skill and its versions; whose it was stays known.
    fn forget(&self, id: &str) -> Result<()> {
        let query = "INSERT OR REPLACE INTO former_owners (id, owner)
            SELECT id, owner FROM skills WHERE id = ?";
        self.run(query, vec![id.into()])?;
        let id = || vec![SqlValue::from(id)];
        self.run("DELETE FROM versions WHERE skill = ?", id())?;
        self.run("DELETE FROM skills WHERE id = ?", id())
    }

    fn begin(&self, row: &InvocationRow) -> Result<()> {
        let query = "INSERT INTO invocations (number, id, account, agent, skill, ending, network, tx, running, due, row)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let mut values = vec![
            maybe((row.number > 0).then_some(row.number)),
            row.id.as_str().into(),
            row.account.as_str().into(),
            row.agent.as_str().into(),
            row.skill.as_str().into(),
        ];
        values.extend(changing(row));
        self.run(query, values)
    }

    fn put_invocation(&self, row: &InvocationRow) -> Result<()> {
        let query = "UPDATE invocations SET ending = ?, network = ?, tx = ?, running = ?, due = ?, row = ? WHERE id = ?";
        let mut values = changing(row);
        values.push(row.id.as_str().into());
        self.run(query, values)
    }

    /// Adds a shelf, and takes its rows away.
    fn shelve(&self, row: &ShelfRow, numbers: &[u64]) -> Result<()> {
        let these = "number IN (SELECT value FROM json_each(?))";
        let leave = format!(
            "INSERT INTO departed SELECT id, number, network, tx FROM invocations WHERE {these}"
        );
        self.run(&leave, vec![json(&numbers)])?;
        self.run(&format!("DELETE FROM invocations WHERE {these}"), vec![json(&numbers)])?;
        let values = vec![whole(row.last), whole(row.first), json(row)];
        self.run("INSERT INTO shelves VALUES (?, ?, ?)", values)
    }

    fn put_reply(&self, row: &ReplyRow) -> Result<()> {
        let there = "SELECT 1 FROM replies WHERE invocation = ?";
        let id = || SqlValue::from(row.invocation.as_str());
        if self.first(there, vec![id()])?.is_some() {
            return Ok(());
        }
        let body = long::put(self.0, &row.invocation, &row.body)?;
        let bare = ReplyRow { body: String::new(), ..row.clone() };
        let mut values = vec![id(), whole(row.until), json(&bare), body];
        values.extend([whole(row.bytes), whole(row.turn())]);
        self.run("INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?)", values)?;
        let more = "UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE name = 'reply_bytes'";
        self.run(more, vec![whole(row.bytes)])
    }

    /// Deletes answers, and counts their bytes no more.
    fn unreply(&self, ids: &[String]) -> Result<()> {
        let these = "IN (SELECT value FROM json_each(?))";
        let less = format!(
            "UPDATE meta SET value = CAST(value AS INTEGER)
                - (SELECT coalesce(sum(bytes), 0) FROM replies WHERE invocation {these})
             WHERE name = 'reply_bytes'"
        );
        self.run(&less, vec![json(&ids)])?;
        self.run(&format!("DELETE FROM parts WHERE owner {these}"), vec![json(&ids)])?;
        self.run(&format!("DELETE FROM replies WHERE invocation {these}"), vec![json(&ids)])
    }

    /// Forgets what ended before this time.
    fn sweep(&self, before: u64) -> Result<()> {
        let hour = whole(before.saturating_sub(3_600_000));
        self.run("DELETE FROM rates WHERE since < ?", vec![hour])?;
        for table in ["keys", "nonces"] {
            self.run(&format!("DELETE FROM {table} WHERE until < ?"), vec![whole(before)])?;
        }
        Ok(())
    }

    pub(super) fn run(&self, query: &str, values: Vec<SqlValue>) -> Result<()> {
        self.0.exec(query, values).map(|_| ())
    }
}

/// The columns of an invocation that change: ending, network, tx, running, due, row.
fn changing(row: &InvocationRow) -> Vec<SqlValue> {
    let is_lone = row.ending == Ending::Running && row.key.is_empty();
    vec![
        word(&row.ending),
        row.network.as_str().into(),
        some(&row.tx),
        if is_lone { row.digest.as_str().into() } else { SqlValue::Null },
        maybe(row.due),
        json(row),
    ]
}

fn some(text: &str) -> SqlValue {
    if text.is_empty() { SqlValue::Null } else { text.into() }
}

fn flag(on: bool) -> SqlValue {
    SqlValue::Integer(on.into())
}
