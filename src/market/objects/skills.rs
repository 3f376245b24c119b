//! The market's object: the core decides about an instruction, and the object writes the decision, in one synchronous
//! block.

use std::cell::Cell;

use farebox_core::machine::Envelope;
use farebox_core::skills::RANDOM_BYTES;
use farebox_core::skills::message::{Chore, Instruction, Reaction};
use farebox_core::skills::{Market, Moment};
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use super::bell::{AGAIN_MS, Bell};
use super::books::SkillRows;
use super::schema::MIGRATIONS;
use crate::market::{calls, config, table};
use crate::platform::calls::{clock_ms, complain, pause};
use crate::platform::columns::migrate;
use crate::platform::object::{answered_with, together};
use crate::platform::sql::{Result, Sql, wake_at};

/// Milliseconds between two tries to write the route table.
const TABLE_GAP_MS: u64 = 1_100;
/// Limit on the chores of one alarm; the rest is due again.
const MAX_CHORES: usize = 24;

/// The market's books; `entry.mjs` sets the alarm of an answer. Nothing of the rows is remembered between two
/// instructions.
#[wasm_bindgen]
pub struct SkillsObject {
    state: DurableObjectState,
    env: JsValue,
    /// Whether the tables are there.
    opened: Cell<bool>,
    bell: Bell,
    /// Millisecond of the last try to write the route table.
    tried: Cell<u64>,
}

#[wasm_bindgen]
impl SkillsObject {
    /// The books that are kept in this state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: JsValue) -> Self {
        Self { state, env, opened: Cell::new(false), bell: Bell::new(), tried: Cell::new(0) }
    }

    /// Answers an instruction in one transaction: `{answer, alarm}`.
    ///
    /// # Errors The platform's error if a statement failed; nothing is written then.
    pub fn ask(&self, name: &str, message: &str) -> std::result::Result<JsValue, JsValue> {
        #[cfg(feature = "panic-drill")]
        assert!(!message.contains("drill-here"), "drill");
        let _ = name;
        let letter: Envelope<Instruction> =
            serde_json::from_str(message).map_err(|error| JsValue::from_str(&error.to_string()))?;
        let reaction = self.block(letter.command)?;
        let answer = serde_json::to_string(&reaction)
            .map_err(|error| JsValue::from_str(&error.to_string()))?;
        let alarm = self.next_alarm(0)?.map(|at| at as f64);
        Ok(answered_with(&answer, alarm))
    }

    /// Carries out the work that is due.
    ///
    /// # Errors The platform's error if a statement failed.
    pub async fn alarm(&self) -> std::result::Result<(), JsValue> {
        self.bell.forget();
        // Whatever goes wrong, the alarm is set again: work that is due stays due.
        let worked = self.work().await;
        if let Some(at) = self.next_alarm(AGAIN_MS)? {
            let set = wake_at(&self.state, at as f64).await;
            if set.is_err() {
                self.bell.forget();
            }
            set?;
        }
        worked
    }
}

impl SkillsObject {
    /// Applies one instruction in a transaction: after an error nothing of it is written.
    fn block(&self, instruction: Instruction) -> Result<Reaction> {
        let market = config::market().ok_or_else(|| JsValue::from_str("not configured"))?;
        let sql = Sql::of(&self.state)?;
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|_| JsValue::from_str("no randomness"))?;
        let (mut instruction, mut done) = (Some(instruction), None);
        #[cfg(feature = "panic-drill")]
        let is_late =
            serde_json::to_string(&instruction).unwrap_or_default().contains("drill-late");
        together(self.state.as_ref(), &mut || {
            if !self.opened.get() {
                migrate(&sql, MIGRATIONS)?;
                self.opened.set(true);
            }
            let rows = SkillRows(&sql);
            if let Some(instruction) = instruction.take() {
                let moment = Moment { now: clock_ms(), random: &random };
                let effect = market.apply(&rows, instruction, moment)?;
                rows.write(&effect.changes)?;
                #[cfg(feature = "panic-drill")]
                assert!(!is_late, "drill");
                done = Some(effect.answer);
            }
            Ok(JsValue::UNDEFINED)
        })
        .inspect_err(|_| self.opened.set(false))?;
        done.ok_or_else(|| JsValue::from_str("the block did not run"))
    }

    /// Carries out chores until there are none.
    async fn work(&self) -> Result<()> {
        let market = config::market().ok_or_else(|| JsValue::from_str("not configured"))?;
        let mut done = 0;
        while done < MAX_CHORES {
            let Reaction::Tasks(chores) = self.block(Instruction::Due)? else { return Ok(()) };
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

    async fn carry(&self, market: &Market, chore: Chore) -> Result<()> {
        let report = match chore {
            Chore::Table => {
                // The platform takes one value of a key in a second; what changes meanwhile is in this one.
                let gap = self.tried.get().saturating_add(TABLE_GAP_MS).saturating_sub(clock_ms());
                pause(u32::try_from(gap.min(TABLE_GAP_MS)).unwrap_or(0)).await;
                self.tried.set(clock_ms());
                let Reaction::Table(draft) = self.block(Instruction::Table)? else { return Ok(()) };
                let table::Checked { text, refused } = table::checked(market, &draft);
                if calls::table_put(&self.env, &text).await {
                    Instruction::TableWritten(draft.revision, refused)
                } else {
                    Instruction::TableFailed(draft.revision)
                }
            }
            Chore::Shelve => {
                let Reaction::Shelf(shelf) = self.block(Instruction::Shelf)? else {
                    return Ok(());
                };
                let read = calls::shelved(&self.env, &shelf).await;
                if read.as_ref() != Some(&shelf.text) {
                    let name = &shelf.name;
                    complain(&format!(
                        "farebox-market: the archive did not take {name}; its rows stay"
                    ));
                }
                Instruction::Kept(shelf.name, read)
            }
            Chore::LookUp { invocation, fence, organization, agent } => {
                let answer = match &market.lookup_token {
                    Some(token) => {
                        let about = (organization.as_str(), agent.as_str(), invocation.as_str());
                        calls::looked_up(&self.env, token.expose(), about).await
                    }
                    None => None,
                };
                Instruction::Paid { invocation, fence, answer }
            }
        };
        self.block(report).map(|_| ())
    }

    fn next_alarm(&self, pause_ms: u64) -> Result<Option<u64>> {
        let sql = Sql::of(&self.state)?;
        Ok(self.bell.next(SkillRows(&sql).due_first()?, pause_ms))
    }
}
