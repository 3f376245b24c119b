//! The treasury object: the core decides about a command, and the object writes the decision, in one
//! synchronous block.

use std::cell::Cell;
use std::rc::Rc;

use farebox_core::machine::Envelope;
use farebox_core::treasury::message::{Answer, Command};
use farebox_core::treasury::{RANDOM_BYTES, Scene, Treasury, refused};
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use super::books::{Rows, is_second_payment};
use super::schema::MIGRATIONS;
use crate::platform::columns::migrate;
use crate::platform::now;
use crate::platform::object::{answered_with, together};
use crate::platform::sql::{Result, Sql, wake_at};
use crate::treasury::config;

/// Seconds overdue after which an alarm counts as lost.
const LOST_SECS: u64 = 30;

/// One organization's books; `entry.mjs` sets the alarm of an answer. Nothing of the rows is remembered between two
/// commands.
#[wasm_bindgen]
pub struct TreasuryObject {
    state: DurableObjectState,
    /// What the platform binds.
    pub(super) env: JsValue,
    /// Whether the tables are there and the configuration's seed is in them.
    opened: Cell<bool>,
    /// Second of the alarm, as far as this instance knows.
    alarm: Cell<Option<u64>>,
}

#[wasm_bindgen]
impl TreasuryObject {
    /// The books that are kept in this state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: JsValue) -> Self {
        Self { state, env, opened: Cell::new(false), alarm: Cell::new(None) }
    }

    /// Answers a command in one transaction: `{answer, alarm}`.
    ///
    /// # Errors The platform's error if a statement failed; nothing is written then.
    pub fn ask(&self, organization: &str, message: &str) -> std::result::Result<JsValue, JsValue> {
        #[cfg(feature = "panic-drill")]
        assert!(!message.contains("drill-here"), "drill");
        let envelope: Envelope<Command> =
            serde_json::from_str(message).map_err(|error| JsValue::from_str(&error.to_string()))?;
        let said = self.block(Some(organization), |desk| {
            let decided = desk.treasury.apply(&desk.rows, envelope.command, desk.scene)?;
            desk.rows.write(&desk.treasury, &decided.changes, desk.scene.now.secs())?;
            #[cfg(feature = "panic-drill")]
            assert!(!message.contains("drill-late"), "drill");
            written(&decided.answer)
        });
        let answer = match said {
            // Nothing of it was written, and nothing signed leaves.
            Err(error) if is_second_payment(&error) => {
                written(&Answer::Reply(refused::used_challenge()))?
            }
            said => said?,
        };
        let alarm = self.next_alarm()?.map(|at| at.saturating_mul(1000) as f64);
        Ok(answered_with(&answer, alarm))
    }

    /// Carries out the work that is due.
    ///
    /// # Errors The platform's error if a statement failed.
    pub async fn alarm(&self) -> std::result::Result<(), JsValue> {
        self.alarm.set(None);
        // Whatever goes wrong, the alarm is set again: work that is due stays due.
        let worked = self.recover().await;
        self.set_alarm().await?;
        worked
    }
}

impl TreasuryObject {
    /// Runs one synchronous block in a transaction: after an error nothing of it is written.
    ///
    /// The name is that of the organization if it was told; an alarm is told none.
    pub(super) fn block<T>(
        &self,
        name: Option<&str>,
        act: impl FnOnce(&Desk<'_>) -> Result<T>,
    ) -> Result<T> {
        let treasury = config::treasury().ok_or_else(|| JsValue::from_str("not configured"))?;
        let sql = Sql::of(&self.state)?;
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(|_| JsValue::from_str("no randomness"))?;
        let (mut act, mut done) = (Some(act), None);
        together(self.state.as_ref(), &mut || {
            let rows = Rows(&sql);
            let organization = self.open(&treasury, &rows, name, &random)?;
            let scene = Scene { organization: &organization, now: now(), random: &random };
            if let Some(act) = act.take() {
                done = Some(act(&Desk { treasury: treasury.clone(), rows, scene })?);
            }
            Ok(JsValue::UNDEFINED)
        })
        .inspect_err(|_| self.opened.set(false))?;
        done.ok_or_else(|| JsValue::from_str("the block did not run"))
    }

    /// Has the tables and the configuration's seed there; returns the name of the organization.
    fn open(
        &self,
        treasury: &Treasury,
        rows: &Rows<'_>,
        name: Option<&str>,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<String> {
        if self.opened.get() {
            return match name {
                Some(name) => Ok(name.to_owned()),
                None => Ok(rows.organization()?.unwrap_or_default()),
            };
        }
        migrate(rows.0, MIGRATIONS)?;
        let known = rows.organization()?;
        let organization = match (known, name) {
            (Some(known), Some(name)) if known != name => {
                return Err(JsValue::from_str("the books of another organization"));
            }
            (Some(known), _) => known,
            (None, name) => {
                let name = name.unwrap_or_default();
                rows.keep_organization(name)?;
                name.to_owned()
            }
        };
        // The command that follows draws from the same bytes; a seed needs none of its own.
        let scene = Scene { organization: &organization, now: now(), random };
        let changes = treasury.seed(rows, scene)?;
        rows.write(treasury, &changes, scene.now.secs())?;
        self.opened.set(true);
        Ok(organization)
    }

    /// Second to set the alarm for, which then counts as set; `None` unless it moves earlier or the
    /// one that was set is overdue, that is, lost.
    fn next_alarm(&self) -> Result<Option<u64>> {
        let now = now().secs();
        let set = self.alarm.get().filter(|set| now < set.saturating_add(LOST_SECS));
        let sql = Sql::of(&self.state)?;
        let Some(due) = Rows(&sql).due_first()? else { return Ok(None) };
        // Work that stays due is looked at once a second at most.
        let at = due.max(now.saturating_add(1));
        if set.is_some_and(|set| set <= at) {
            return Ok(None);
        }
        self.alarm.set(Some(at));
        Ok(Some(at))
    }

    /// Sets the alarm if it has to move.
    async fn set_alarm(&self) -> Result<()> {
        let Some(at) = self.next_alarm()? else { return Ok(()) };
        let set = wake_at(&self.state, at.saturating_mul(1000) as f64).await;
        if set.is_err() {
            self.alarm.set(None);
        }
        set
    }
}

fn written(answer: &Answer) -> Result<String> {
    serde_json::to_string(answer).map_err(|error| JsValue::from_str(&error.to_string()))
}

/// What a block works with.
pub(super) struct Desk<'a> {
    pub treasury: Rc<Treasury>,
    pub rows: Rows<'a>,
    pub scene: Scene<'a>,
}
