//! The object of a network profile: the core decides about an instruction, and the object writes the decision, in one
//! synchronous block. Its alarm carries out what time decides.

mod figures;
mod rows;
mod schema;
mod write;

use std::cell::Cell;
use std::rc::Rc;

use farebox_core::compute::feed::{self, OpenFeeds, Seen, View};
use farebox_core::compute::figures::{About, Figures};
use farebox_core::compute::message::{Instruction, Reaction};
use farebox_core::compute::records::Edit;
use farebox_core::compute::settings::Profile;
use farebox_core::compute::vars::Profiles;
use farebox_core::compute::{RANDOM_BYTES, Tick};
use farebox_core::machine::Envelope;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use self::rows::ExchangeRows;
use self::schema::MIGRATIONS;
use super::bell::{AGAIN_MS, Bell};
use crate::market::config;
use crate::market::exchange::{payout, proof};
use crate::platform::calls::clock_ms;
use crate::platform::columns::migrate;
use crate::platform::object::{answered_with, together};
use crate::platform::sql::{Result, Sql, wake_at};

#[wasm_bindgen(module = "/src/market/feeds.mjs")]
extern "C" {
    /// Has what was written told to the feeds of this object.
    fn written(state: &JsValue);
}

/// Limit on what one alarm does; the rest is due again.
const MAX_DUE: usize = 200;
/// Limit on the errands of one alarm: each may wait for the treasury.
const MAX_ERRANDS: usize = 8;

/// The books of a profile, which the name of the object says; `entry.mjs` sets the alarm of an answer. Nothing of the rows is
/// remembered between two instructions.
#[wasm_bindgen]
pub struct ExchangeObject {
    state: DurableObjectState,
    env: JsValue,
    /// Whether the tables are there.
    opened: Cell<bool>,
    /// Number of the last event that was told to feeds.
    told: Cell<u64>,
    bell: Bell,
}

#[wasm_bindgen]
impl ExchangeObject {
    /// The books that are kept in this state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: JsValue) -> Self {
        Self { state, env, opened: Cell::new(false), told: Cell::new(0), bell: Bell::new() }
    }

    /// Answers an instruction in one transaction: `{answer, alarm}`.
    ///
    /// # Errors The platform's error if a statement failed; nothing is written then.
    pub fn ask(&self, name: &str, message: &str) -> std::result::Result<JsValue, JsValue> {
        #[cfg(feature = "panic-drill")]
        assert!(!message.contains("drill-here"), "drill");
        let letter: Envelope<Instruction> =
            serde_json::from_str(message).map_err(|error| JsValue::from_str(&error.to_string()))?;
        let profile = Profile::named(name).ok_or_else(|| JsValue::from_str("no such profile"))?;
        let reaction = self.block(profile, letter.command)?;
        let answer = serde_json::to_string(&reaction)
            .map_err(|error| JsValue::from_str(&error.to_string()))?;
        let alarm = self.next_alarm(0)?.map(|at| at as f64);
        Ok(answered_with(&answer, alarm))
    }

    /// What is seen, as JSON. The name is empty for whose rows these are.
    ///
    /// # Errors The platform's error if a statement failed.
    pub fn look(&self, name: &str, message: &str) -> std::result::Result<String, JsValue> {
        self.seen(name, message).map(|seen| text_of(&seen))
    }

    /// Opens a feed of a client beside those that are open, as JSON: what is seen, as JSON.
    ///
    /// # Errors The platform's error if a statement failed.
    pub fn open(
        &self,
        name: &str,
        message: &str,
        client: &str,
        open: &str,
    ) -> std::result::Result<String, JsValue> {
        let open: Vec<OpenFeeds> =
            serde_json::from_str(open).map_err(|error| JsValue::from_str(&error.to_string()))?;
        let seen = match self.seen(name, message)? {
            Seen::Feed(page) => {
                feed::admitted(page, client, &open).map_or_else(Seen::Reply, Seen::Feed)
            }
            other => other,
        };
        Ok(text_of(&seen))
    }

    /// The lines of a feed that come after a number, as JSON.
    ///
    /// # Errors The platform's error if a statement failed.
    pub fn next(&self, about: &str, after: f64) -> std::result::Result<String, JsValue> {
        let about =
            serde_json::from_str(about).map_err(|error| JsValue::from_str(&error.to_string()))?;
        let Some(profile) = ExchangeRows(&Sql::of(&self.state)?).profile()? else {
            return Ok("[]".to_owned());
        };
        match self.view(profile, View::Next(about, after as u64))? {
            Seen::Feed(page) => Ok(text_of(&page.lines)),
            Seen::Board(_) | Seen::Events(_) | Seen::Reply(_) | Seen::Wait => Ok("[]".to_owned()),
        }
    }

    /// The lines of all feeds that were not told yet, as JSON.
    ///
    /// # Errors The platform's error if a statement failed.
    pub fn news(&self) -> std::result::Result<String, JsValue> {
        let sql = Sql::of(&self.state)?;
        let rows = ExchangeRows(&sql);
        let Some(profile) = rows.profile()? else { return Ok("[]".to_owned()) };
        let profiles = profiles()?;
        let gateway = profiles.gateway(profile).ok_or_else(not_served)?;
        let (mut lines, mut told) = (Vec::new(), self.told.get());
        loop {
            let events = rows.events(&About::Profile, told, feed::WINDOW)?;
            let Some(last) = events.last() else { break };
            told = last.number;
            lines.extend(events.iter().map(|event| gateway.line(event)));
        }
        self.told.set(told);
        Ok(text_of(&lines))
    }

    /// Carries out what is due.
    ///
    /// # Errors The platform's error if a statement failed.
    pub async fn alarm(&self) -> std::result::Result<(), JsValue> {
        self.bell.forget();
        // Whatever goes wrong, the alarm is set again: what is due stays due.
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

impl ExchangeObject {
    fn seen(&self, name: &str, message: &str) -> Result<Seen> {
        let letter: Envelope<View> =
            serde_json::from_str(message).map_err(|error| JsValue::from_str(&error.to_string()))?;
        let profile = Profile::named(name).ok_or_else(|| JsValue::from_str("no such profile"))?;
        self.view(profile, letter.command)
    }

    /// Looks, which writes nothing.
    fn view(&self, profile: Profile, view: View) -> Result<Seen> {
        let profiles = profiles()?;
        let gateway = profiles.gateway(profile).ok_or_else(not_served)?;
        let sql = Sql::of(&self.state)?;
        if !self.opened.get() {
            together(self.state.as_ref(), &mut || self.prepare(&sql, profile))
                .inspect_err(|_| self.opened.set(false))?;
        }
        let tick = Tick::new(clock_ms(), &[0; RANDOM_BYTES]).ok_or_else(not_served)?;
        gateway.view(&ExchangeRows(&sql), view, tick)
    }

    /// Makes the tables, and begins to tell what happens from now on.
    fn prepare(&self, sql: &Sql, profile: Profile) -> Result<JsValue> {
        let rows = ExchangeRows(sql);
        migrate(sql, MIGRATIONS)?;
        rows.belong_to(profile)?;
        self.told.set(rows.last_event()?);
        self.opened.set(true);
        Ok(JsValue::UNDEFINED)
    }

    /// Applies one instruction in a transaction: after an error nothing of it is written.
    fn block(&self, profile: Profile, instruction: Instruction) -> Result<Reaction> {
        let profiles = profiles()?;
        let gateway = profiles.gateway(profile).ok_or_else(not_served)?;
        let sql = Sql::of(&self.state)?;
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|_| JsValue::from_str("no randomness"))?;
        let (mut instruction, mut done, mut is_news) = (Some(instruction), None, false);
        #[cfg(feature = "panic-drill")]
        let is_late =
            serde_json::to_string(&instruction).unwrap_or_default().contains("drill-late");
        together(self.state.as_ref(), &mut || {
            let rows = ExchangeRows(&sql);
            if !self.opened.get() {
                self.prepare(&sql, profile)?;
            }
            if let Some(instruction) = instruction.take() {
                let tick = Tick::new(clock_ms(), &random).ok_or_else(not_served)?;
                let effect = gateway.apply(&rows, instruction, tick)?;
                let figures = gateway.counted(&rows, &effect.changes, tick)?;
                rows.write(&effect.changes)?;
                rows.note(&figures)?;
                is_news = effect.changes.iter().any(|edit| matches!(edit, Edit::Event(_)));
                #[cfg(feature = "panic-drill")]
                assert!(!is_late, "drill");
                done = Some(effect.answer);
            }
            Ok(JsValue::UNDEFINED)
        })
        .inspect_err(|_| self.opened.set(false))?;
        if is_news {
            written(self.state.as_ref());
        }
        done.ok_or_else(|| JsValue::from_str("the block did not run"))
    }

    /// Does what is due until nothing is.
    async fn work(&self) -> Result<()> {
        let Some(profile) = ExchangeRows(&Sql::of(&self.state)?).profile()? else { return Ok(()) };
        let profiles = profiles()?;
        let mut errands = 0;
        for _ in 0..MAX_DUE {
            match self.block(profile, Instruction::Due)? {
                Reaction::Nothing => return Ok(()),
                Reaction::Errand(errand) => {
                    let report = payout(&self.env, &profiles, &errand).await;
                    self.block(profile, report)?;
                    errands += 1;
                    if errands >= MAX_ERRANDS {
                        return Ok(());
                    }
                }
                Reaction::Prove(question) => {
                    let report = proof(&self.env, &question).await;
                    let next = self.block(profile, report)?;
                    if let Reaction::Errand(errand) = next {
                        let report = payout(&self.env, &profiles, &errand).await;
                        self.block(profile, report)?;
                    }
                    errands += 1;
                    if errands >= MAX_ERRANDS {
                        return Ok(());
                    }
                }
                Reaction::Reply(_)
                | Reaction::Terms(..)
                | Reaction::Till(_)
                | Reaction::Evidence(_)
                | Reaction::Wait(_)
                | Reaction::Done => {}
            }
        }
        Ok(())
    }

    fn next_alarm(&self, pause_ms: u64) -> Result<Option<u64>> {
        let sql = Sql::of(&self.state)?;
        Ok(self.bell.next(ExchangeRows(&sql).due_first()?, pause_ms))
    }
}

fn profiles() -> Result<Rc<Profiles>> {
    config::profiles().ok_or_else(not_served)
}

fn text_of(seen: &impl Serialize) -> String {
    serde_json::to_string(seen).unwrap_or_default()
}

fn not_served() -> JsValue {
    JsValue::from_str("this profile is not configured")
}
