//! The market's object: its books, and what its alarm carries out.

use std::cell::Cell;
use std::rc::Rc;

use farebox_core::machine::DecisionOf;
use farebox_core::skills::books::Change;
use farebox_core::skills::message::{Answer, Chore, Command};
use farebox_core::skills::{Market, Now};
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use super::books::SkillRows;
use super::schema::MIGRATIONS;
use crate::market::{calls, config, table};
use crate::platform::calls::{clock_ms, complain, pause};
use crate::platform::host::{Desk, Host, Hosted};
use crate::platform::sql::{Result, Sql};

/// Milliseconds between two tries to write the route table.
const TABLE_GAP_MS: u64 = 1_100;
/// Limit on the chores of one alarm; the rest is due again.
const MAX_CHORES: usize = 24;

/// The market's books.
#[wasm_bindgen]
pub struct SkillsObject {
    host: Host<SkillBooks>,
    env: JsValue,
    /// Millisecond of the last try to write the route table.
    tried: Cell<u64>,
}

#[wasm_bindgen]
impl SkillsObject {
    /// The books that are kept in this state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: JsValue) -> Self {
        Self { host: Host::new(state, SkillBooks), env, tried: Cell::new(0) }
    }

    /// Answers a command in one transaction: `{answer, alarm}`.
    ///
    /// # Errors The platform's error if a statement failed; nothing is written then.
    pub fn ask(&self, name: &str, message: &str) -> std::result::Result<JsValue, JsValue> {
        self.host.ask(name, message)
    }

    /// Carries out the work that is due.
    ///
    /// # Errors The platform's error if a statement failed.
    pub async fn alarm(&self) -> std::result::Result<(), JsValue> {
        self.host.alarm(self.work()).await
    }
}

/// The market's books in an object's database.
struct SkillBooks;

impl Hosted for SkillBooks {
    type Machine = Market;
    type Config = Market;
    /// There is one market.
    type Owner = ();

    const MIGRATIONS: &'static [&'static [&'static str]] = MIGRATIONS;
    // Sellers wait for their routes, and buyers for what was paid.
    const PAUSE_MS: u64 = 0;

    fn config() -> Option<Rc<Market>> {
        config::market()
    }

    fn owner(_sql: &Sql, _name: Option<&str>) -> Result<()> {
        Ok(())
    }

    fn prepare(&self, desk: &Desk<'_, Self>) -> Result<()> {
        let changes = desk.config.renew(&SkillRows(desk.sql), desk.now)?;
        self.write(desk, &changes)?;
        // These rows may be those of a backup, and the stored table is not.
        let woken = self.decide(desk, Command::Wake)?;
        self.write(desk, &woken.changes)
    }

    fn decide(&self, desk: &Desk<'_, Self>, command: Command) -> Result<DecisionOf<Market>> {
        let moment = Now { now: desk.now, random: desk.random };
        desk.config.apply(&SkillRows(desk.sql), command, moment)
    }

    fn write(&self, desk: &Desk<'_, Self>, changes: &[Change]) -> Result<()> {
        SkillRows(desk.sql).write(changes)
    }

    fn due_first(sql: &Sql) -> Result<Option<u64>> {
        SkillRows(sql).due_first()
    }
}

impl SkillsObject {
    /// Carries out chores until there are none.
    async fn work(&self) -> Result<()> {
        let market = config::market().ok_or_else(|| JsValue::from_str("not configured"))?;
        let mut done = 0;
        while done < MAX_CHORES {
            let Answer::Tasks(chores) = self.host.apply(None, Command::Due)? else {
                return Ok(());
            };
            if chores.is_empty() {
                return Ok(());
            }
            done += chores.len();
            for chore in chores {
                self.carry(&market, chore).await?;
            }
        }
        Ok(())
    }

    /// Writes the route table unless it is the one that is stored; the report of that.
    async fn write_table(&self, market: &Market) -> Result<Option<Command>> {
        let Some(stored) = calls::stored_table(&self.env).await else {
            return Ok(Some(Command::TableFailed));
        };
        let Answer::Table(draft) = self.host.apply(None, Command::Table(stored))? else {
            return Ok(None);
        };
        self.tried.set(clock_ms());
        let table::Checked { text, refused } = table::checked(market, &draft);
        let is_put = calls::table_put(&self.env, &text, draft.revision).await;
        Ok(Some(if is_put {
            Command::TableWritten(draft.revision, refused)
        } else {
            Command::TableFailed
        }))
    }

    async fn carry(&self, market: &Market, chore: Chore) -> Result<()> {
        let report = match chore {
            Chore::Table => {
                // The platform takes one value of a key in a second; what changes meanwhile is in this one.
                let gap = self.tried.get().saturating_add(TABLE_GAP_MS).saturating_sub(clock_ms());
                pause(u32::try_from(gap.min(TABLE_GAP_MS)).unwrap_or(0)).await;
                match self.write_table(market).await? {
                    Some(report) => report,
                    None => return Ok(()),
                }
            }
            Chore::Shelve => {
                let Answer::Shelf(shelf) = self.host.apply(None, Command::Shelf)? else {
                    return Ok(());
                };
                let read = calls::shelved(&self.env, &shelf).await;
                if read.as_ref() != Some(&shelf.text) {
                    let name = &shelf.name;
                    complain(&format!(
                        "farebox-market: the archive did not take {name}; its rows stay"
                    ));
                }
                Command::Kept(shelf.name, read)
            }
            Chore::LookUp { invocation, fence, organization, agent } => {
                let answer = match &market.lookup_token {
                    Some(token) => {
                        let token = token.expose();
                        calls::looked_up(&self.env, token, &organization, &agent, &invocation).await
                    }
                    None => None,
                };
                Command::Paid { invocation, fence, answer }
            }
        };
        self.host.apply(None, report).map(|_| ())
    }
}
