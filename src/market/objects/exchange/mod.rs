//! The object of a network profile: its books, what is seen of them, and what time decides, which its alarm carries
//! out.

mod figures;
mod rows;
mod schema;
mod write;

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;

use farebox_core::compute::due::look_at;
use farebox_core::compute::errand::Errands;
use farebox_core::compute::feed::{self, OpenFeeds, Seen, View};
use farebox_core::compute::figures::{About, Figures, count_changes};
use farebox_core::compute::keep::MAX_BYTES;
use farebox_core::compute::message::{Answer, Command};
use farebox_core::compute::records::Change;
use farebox_core::compute::settings::Profile;
use farebox_core::compute::vars::Profiles;
use farebox_core::compute::{Gateway, Now};
use farebox_core::machine::DecisionOf;
use futures_util::future::select_all;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use self::rows::ExchangeRows;
use self::schema::MIGRATIONS;
use crate::market::config;
use crate::market::exchange::{payout, proof};
use crate::platform::calls::{clock_ms, pause};
use crate::platform::host::{Desk, Host, Hosted, command_of};
use crate::platform::sql::{Result, Sql};

#[wasm_bindgen(module = "/src/market/feeds.mjs")]
extern "C" {
    /// Has what was written told to the feeds of this object.
    fn written(state: &JsValue);
}

/// Limit on what one look does; the rest is due again.
const MAX_DUE: usize = 200;
/// Milliseconds between two looks for what is due while errands go on.
const NEXT_MS: u32 = 1_000;

/// The books of a profile, which the name of the object says.
#[wasm_bindgen]
pub struct ExchangeObject {
    host: Host<ExchangeBooks>,
    env: JsValue,
}

#[wasm_bindgen]
impl ExchangeObject {
    /// The books that are kept in this state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, env: JsValue) -> Self {
        let books = ExchangeBooks { told: Cell::new(0), is_news: Cell::new(false) };
        Self { host: Host::new(state, books), env }
    }

    /// Answers a command in one transaction: `{answer, alarm}`.
    ///
    /// # Errors The platform's error if a statement failed; nothing is written then.
    pub fn ask(&self, name: &str, message: &str) -> std::result::Result<JsValue, JsValue> {
        let answer = self.host.ask(name, message)?;
        self.tell();
        Ok(answer)
    }

    /// The result of a view, as JSON. An empty name is that of the rows' own profile.
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
                feed::admit_feed(page, client, &open).map_or_else(Seen::Reply, Seen::Feed)
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
        let Some(profile) = ExchangeRows(&self.host.sql()?).profile()? else {
            return Ok("[]".to_owned());
        };
        match self.view(profile.name(), View::Next(about, after as u64))? {
            Seen::Feed(page) => Ok(text_of(&page.lines)),
            Seen::Board(_) | Seen::Events(_) | Seen::Reply(_) | Seen::Wait => Ok("[]".to_owned()),
        }
    }

    /// The lines of all feeds that were not told yet, as JSON.
    ///
    /// # Errors The platform's error if a statement failed.
    pub fn news(&self) -> std::result::Result<String, JsValue> {
        let sql = self.host.sql()?;
        let rows = ExchangeRows(&sql);
        let Some(profile) = rows.profile()? else { return Ok("[]".to_owned()) };
        let profiles = profiles()?;
        let gateway = profiles.gateway(profile).ok_or_else(not_served)?;
        let (mut lines, mut told) = (Vec::new(), self.host.hosted.told.get());
        loop {
            let events = rows.events(&About::Profile, told, feed::WINDOW)?;
            let Some(last) = events.last() else { break };
            told = last.number;
            lines.extend(events.iter().map(|event| gateway.line(event)));
        }
        self.host.hosted.told.set(told);
        Ok(text_of(&lines))
    }

    /// Carries out what is due.
    ///
    /// # Errors The platform's error if a statement failed.
    pub async fn alarm(&self) -> std::result::Result<(), JsValue> {
        self.host.alarm(self.work()).await
    }
}

/// The books of a profile in an object's database.
struct ExchangeBooks {
    /// Number of the last event that was told to feeds.
    told: Cell<u64>,
    /// Whether what was written last is told to feeds.
    is_news: Cell<bool>,
}

impl Hosted for ExchangeBooks {
    type Machine = Gateway;
    type Config = Profiles;
    type Owner = Profile;

    const MIGRATIONS: &'static [&'static [&'static str]] = MIGRATIONS;
    // Sellers wait for their money from the moment at which they have delivered.
    const PAUSE_MS: u64 = 0;

    fn config() -> Option<Rc<Profiles>> {
        config::profiles()
    }

    fn owner(sql: &Sql, name: Option<&str>) -> Result<Profile> {
        let profile = match name {
            Some(name) => Profile::from_name(name),
            None => ExchangeRows(sql).profile()?,
        };
        profile.ok_or_else(|| JsValue::from_str("no such profile"))
    }

    /// Begins to tell what happens from now on.
    fn prepare(&self, desk: &Desk<'_, Self>) -> Result<()> {
        let rows = ExchangeRows(desk.sql);
        rows.belong_to(*desk.owner)?;
        self.told.set(rows.last_event()?);
        Ok(())
    }

    fn decide(&self, desk: &Desk<'_, Self>, command: Command) -> Result<DecisionOf<Gateway>> {
        let tick = Now { is_full: desk.sql.bytes() >= MAX_BYTES, ..desk.tick()? };
        desk.gateway()?.apply(&ExchangeRows(desk.sql), command, tick)
    }

    fn write(&self, desk: &Desk<'_, Self>, changes: &[Change]) -> Result<()> {
        let rows = ExchangeRows(desk.sql);
        let figures = count_changes(&rows, changes, desk.tick()?)?;
        rows.write(changes)?;
        rows.note(&figures)?;
        self.is_news.set(changes.iter().any(|change| matches!(change, Change::Event(_))));
        Ok(())
    }

    fn due_first(sql: &Sql) -> Result<Option<u64>> {
        Ok(ExchangeRows(sql).due_first()?.map(|due| look_at(due, clock_ms())))
    }
}

impl Desk<'_, ExchangeBooks> {
    fn gateway(&self) -> Result<&Gateway> {
        self.config.gateway(*self.owner).ok_or_else(not_served)
    }

    fn tick(&self) -> Result<Now<'_>> {
        Now::new(self.now, self.random).ok_or_else(not_served)
    }
}

impl ExchangeObject {
    fn seen(&self, name: &str, message: &str) -> Result<Seen> {
        self.view(name, command_of(message)?)
    }

    /// Looks, which writes nothing.
    fn view(&self, name: &str, view: View) -> Result<Seen> {
        self.host
            .look(name, |desk| desk.gateway()?.view(&ExchangeRows(desk.sql), view, desk.tick()?))
    }

    /// Applies one command in a transaction, and has told what happened.
    fn apply(&self, profile: Profile, command: Command) -> Result<Answer> {
        let answer = self.host.apply(Some(profile.name()), command)?;
        self.tell();
        Ok(answer)
    }

    /// Has the feeds of this object told what the last command wrote for them.
    fn tell(&self) {
        if self.host.hosted.is_news.take() {
            written(self.host.state());
        }
    }

    /// Does what is due until nothing is. What an errand waits for holds up no more than its place: as
    /// long as some go on, the rest is looked for.
    async fn work(&self) -> Result<()> {
        let Some(profile) = ExchangeRows(&self.host.sql()?).profile()? else { return Ok(()) };
        let profiles = profiles()?;
        let (mut errands, mut worked) = (Errands::default(), Ok(()));
        let mut running = vec![second()];
        loop {
            for _ in 0..MAX_DUE {
                if worked.is_err() {
                    break;
                }
                match self.apply(profile, Command::Due(errands.clone())) {
                    Ok(Answer::Nothing) => break,
                    Ok(answer) => {
                        if let Some(id) = errands.take(answer.errand()) {
                            running.push(Box::pin(self.carry(profile, &profiles, id, answer)));
                        }
                    }
                    Err(error) => worked = Err(error),
                }
            }
            if running.len() == 1 {
                return worked;
            }
            let (told, _, rest) = select_all(running).await;
            running = rest;
            match told {
                Some((id, Ok(answer))) if answer.errand().is_some() => {
                    let id = answer.errand().map_or(id.clone(), |next| errands.pass(&id, next));
                    running.push(Box::pin(self.carry(profile, &profiles, id, answer)));
                }
                Some((id, told)) => {
                    errands.leave(&id);
                    worked = worked.and(told.map(|_| ()));
                }
                None => {
                    errands.go_on();
                    running.push(second());
                }
            }
        }
    }

    /// Makes the call of an errand, and tells what came of it: its place, and the answer.
    async fn carry(
        &self,
        profile: Profile,
        profiles: &Profiles,
        id: String,
        answer: Answer,
    ) -> Option<(String, Result<Answer>)> {
        let report = match &answer {
            Answer::Errand(errand) => payout(&self.env, profiles, errand).await,
            Answer::Prove(question) => proof(&self.env, question).await,
            Answer::Reply(_)
            | Answer::Terms(..)
            | Answer::Till(_)
            | Answer::Settle(..)
            | Answer::Evidence(_)
            | Answer::Wait(_)
            | Answer::Nothing
            | Answer::Done => return Some((id, Ok(answer))),
        };
        Some((id, self.apply(profile, report)))
    }
}

/// A thing that an alarm waits for: the place of an errand and what came of it, or `None` once a second is over.
type Awaited<'o> = Pin<Box<dyn Future<Output = Option<(String, Result<Answer>)>> + 'o>>;

fn second<'o>() -> Awaited<'o> {
    Box::pin(async {
        pause(NEXT_MS).await;
        None
    })
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
