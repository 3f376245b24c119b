//! The treasury object: the books of one organization, and what its alarm is.

use std::rc::Rc;

use farebox_core::machine::DecisionOf;
use farebox_core::time::UnixTime;
use farebox_core::treasury::books::Change;
use farebox_core::treasury::message::{Answer, Command};
use farebox_core::treasury::{Now, Treasury, refused};
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use super::books::{TreasuryRows, is_second_payment};
use super::schema::MIGRATIONS;
use crate::platform::host::{AGAIN_MS, Desk, Host, Hosted};
use crate::platform::sql::{Result, Sql};
use crate::treasury::config;

/// One organization's books; the object has its name.
#[wasm_bindgen]
pub struct TreasuryObject {
    pub(super) host: Host<TreasuryBooks>,
    /// The bindings of the platform.
    pub(super) env: JsValue,
}

#[wasm_bindgen]
impl TreasuryObject {
    /// The books that are kept in this state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: JsValue) -> Self {
        Self { host: Host::new(state, TreasuryBooks), env }
    }

    /// Answers a command in one transaction: `{answer, alarm}`.
    ///
    /// # Errors The platform's error if a statement failed; nothing is written then.
    pub fn ask(&self, organization: &str, message: &str) -> std::result::Result<JsValue, JsValue> {
        self.host.ask(organization, message)
    }

    /// Carries out the work that is due.
    ///
    /// # Errors The platform's error if a statement failed.
    pub async fn alarm(&self) -> std::result::Result<(), JsValue> {
        self.host.alarm(self.recover()).await
    }
}

/// The books of an organization in an object's database.
pub(super) struct TreasuryBooks;

impl Hosted for TreasuryBooks {
    type Machine = Treasury;
    type Config = Treasury;
    /// Name of the organization.
    type Owner = String;

    const MIGRATIONS: &'static [&'static [&'static str]] = MIGRATIONS;
    // What a command makes due at once are notices, which no client waits for: those of a second leave together.
    const PAUSE_MS: u64 = AGAIN_MS;

    fn config() -> Option<Rc<Treasury>> {
        config::treasury()
    }

    fn owner(sql: &Sql, name: Option<&str>) -> Result<String> {
        match name {
            Some(name) => Ok(name.to_owned()),
            None => Ok(TreasuryRows(sql).organization()?.unwrap_or_default()),
        }
    }

    /// Has the configuration's seed there.
    fn prepare(&self, desk: &Desk<'_, Self>) -> Result<()> {
        match desk.rows().organization()? {
            Some(known) if known != *desk.owner => {
                return Err(JsValue::from_str("the books of another organization"));
            }
            Some(_) => {}
            None => desk.rows().keep_organization(desk.owner)?,
        }
        // The command that follows draws from the same bytes; a seed needs none of its own.
        let changes = desk.config.seed(&desk.rows(), desk.scene())?;
        self.write(desk, &changes)
    }

    fn decide(&self, desk: &Desk<'_, Self>, command: Command) -> Result<DecisionOf<Treasury>> {
        desk.config.apply(&desk.rows(), command, desk.scene())
    }

    fn write(&self, desk: &Desk<'_, Self>, changes: &[Change]) -> Result<()> {
        desk.rows().write(desk.config, changes, desk.scene().now.secs())
    }

    fn refusal(error: &JsValue) -> Option<Answer> {
        is_second_payment(error).then(|| Answer::Reply(refused::used_challenge()))
    }

    fn due_first(sql: &Sql) -> Result<Option<u64>> {
        Ok(TreasuryRows(sql).due_first()?.map(|secs| secs.saturating_mul(1000)))
    }
}

impl Desk<'_, TreasuryBooks> {
    pub(super) fn rows(&self) -> TreasuryRows<'_> {
        TreasuryRows(self.sql)
    }

    pub(super) fn scene(&self) -> Now<'_> {
        let now = UnixTime::from_secs(self.now / 1000);
        Now { organization: self.owner, now, random: self.random }
    }
}
