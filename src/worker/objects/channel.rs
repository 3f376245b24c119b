//! The object of one channel: its desk decides, and the object writes its one row.

use std::cell::{Cell, RefCell};

use farebox_core::channel::desk::{ChannelDesk, Write};
use farebox_core::channel::index::{ChannelSums, IndexAsk, OBJECT};
use farebox_core::channel::payee::call::QueuedCall;
use farebox_core::encoding::json;
use farebox_core::gate::Gate;
use farebox_core::gate::operator::CopiedTables;
use farebox_core::gate::session::errand::{
    ErrandCall, list_channel, next_call, note_listed, take_reply, unlist_channel,
};
use farebox_core::gate::session::mpp::payout::{ask_channel, take_sight};
use farebox_core::time::UnixTime;
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use super::claims::ClaimSender;
use super::payee::PayeeSender;
use crate::platform::now;
use crate::platform::sql::{Result, Sql, SqlValue, wake_at};
use crate::worker::{chain, config, edge, facilitator};

/// Milliseconds after which another object counts as down.
const DEADLINE_MS: u32 = 10_000;
/// The same while claims are sent.
const CLAIMS_MS: u32 = 300_000;
/// Calls of one alarm.
const MAX_CALLS: usize = 8;
/// Seconds after which an alarm that could do nothing tries again.
const RETRY_SECS: u64 = 15;
/// Milliseconds after which an alarm rings again that found no gate, or that failed: a third of the
/// shortest time in which a payer withdraws.
pub(super) const UNABLE_MS: u64 = 300_000;

/// A channel; `entry.mjs` reads its requests and sets its alarm.
#[wasm_bindgen]
pub struct Channel {
    state: DurableObjectState,
    /// The other objects.
    namespace: JsValue,
    /// The row, and the rules about it; `None` until first asked, and after a failed write.
    opened: RefCell<Option<(Sql, ChannelDesk)>>,
    /// Whether there is a table: anyone may ask about a channel, and its object keeps nothing until
    /// there is one.
    has_table: Cell<bool>,
    /// Time of the alarm, as far as this instance knows.
    alarm: Cell<Option<UnixTime>>,
    /// The sender of the payee's calls, if this object sends.
    payee: PayeeSender,
    claims: ClaimSender,
}

#[wasm_bindgen]
impl Channel {
    /// The channel that keeps its row in this state, one of this namespace; or the list of them, or
    /// what sends for the account of a payee.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, namespace: JsValue) -> Self {
        let (opened, has_table) = (RefCell::new(None), Cell::new(false));
        let (payee, claims) = (PayeeSender::new(), ClaimSender::default());
        Self { state, namespace, opened, has_table, alarm: Cell::new(None), payee, claims }
    }

    /// Answers a message with the body that comes along: `{answered, alarm}`, in one synchronous
    /// block; a claim, once it was sent.
    ///
    /// # Errors The platform's error if a statement failed.
    pub fn ask(
        &self,
        message: &str,
        body: Option<Vec<u8>>,
    ) -> std::result::Result<JsValue, JsValue> {
        if let Some(asked) = IndexAsk::read(message) {
            return Ok(edge::answered(&self.list(asked)?, None, None));
        }
        if let Some(call) = QueuedCall::of_message(message) {
            return self.payee.take(&self.state, call);
        }
        if let Some(claim) = ChannelDesk::of_claim(message) {
            return Ok(self.claims.take(claim));
        }
        let answered = |desk: &mut ChannelDesk| {
            facilitator::with_signers(|signers| desk.answer(message, signers, now()))
        };
        let (answer, fetches) = self.with_row(body, |desk| match answered(desk) {
            Some((reply, write)) => ((json::text(&reply), reply.kept.is_some()), write),
            None => (("null".to_owned(), false), Write::Nothing),
        })?;
        let stored = if fetches { self.kept_body()? } else { None };
        let stored = stored.map(|body| js_sys::Uint8Array::from(body.as_slice()));
        let alarm = self.next_alarm().map(|at| at.secs().saturating_mul(1000) as f64);
        Ok(edge::answered(&answer, stored, alarm))
    }

    /// Makes the tables of this kind of object, and reads the row of a channel.
    ///
    /// # Errors The platform's error if a statement failed, or why the row cannot be read.
    pub fn tables(&self, kind: &str) -> std::result::Result<(), JsValue> {
        if kind == CopiedTables::Payee.name() {
            return self.payee.make(&self.state);
        }
        let sql = Sql::of(&self.state)?;
        let is_list = kind == CopiedTables::List.name();
        sql.exec(if is_list { CREATE_LIST } else { CREATE }, Vec::new())?;
        self.open().map(|_| ())
    }

    /// Carries out the work that is due.
    ///
    /// # Errors The platform's error if a statement failed.
    pub async fn alarm(&self) -> std::result::Result<(), JsValue> {
        // A channel whose row was read is no other object.
        if self.opened.borrow().is_none() && self.payee.is_used(&self.state)? {
            let told = self.payee.send(&self.state).await?;
            if let Some((health, message)) = told
                && self.tell(OBJECT, &message, DEADLINE_MS).await
            {
                self.payee.lists(health);
            }
            return Ok(());
        }
        self.alarm.set(None);
        let worked = self.carry_out().await;
        // Nothing else wakes a channel whose payer has left: one that could do nothing, or not tell
        // what is due, rings again.
        let again = edge::clock_ms().saturating_add(UNABLE_MS);
        let at = match config::for_objects() {
            Some(_) => {
                let due = self.next_alarm().map(|at| at.secs().saturating_mul(1000));
                // A message may have set an earlier one meanwhile.
                let is_set = self.alarm.get().is_some();
                let again = (worked.is_err() && !is_set).then_some(again);
                due.map(|at| at.max(edge::clock_ms())).or(again)
            }
            None => Some(again),
        };
        if let Some(at) = at {
            wake_at(&self.state, at as f64).await?;
        }
        worked
    }
}

impl Channel {
    /// Carries out what is due, tells the list, and drops the row once its time is over.
    async fn carry_out(&self) -> Result<()> {
        self.work().await?;
        self.tell_list().await?;
        self.forget().await
    }

    /// Runs one synchronous block over the row. After a failed write what is remembered of it is
    /// dropped.
    fn with_row<T>(
        &self,
        body: Option<Vec<u8>>,
        act: impl FnOnce(&mut ChannelDesk) -> (T, Write),
    ) -> Result<T> {
        let (sql, mut desk) = match self.opened.take() {
            Some(opened) => opened,
            None => self.open()?,
        };
        let keeps = config::for_objects().map(|gate| gate.keeps().of_channels());
        let trimmed = |desk: &mut ChannelDesk, write| match keeps {
            Some(keeps) => desk.drop_answer(keeps, write, now()),
            None => write,
        };
        // What is over is not given, and what this makes public is not kept.
        let before = trimmed(&mut desk, Write::Nothing);
        let (value, write) = act(&mut desk);
        let write = trimmed(&mut desk, write.max(before));
        if let Some(channel) = &desk.channel
            && write != Write::Nothing
        {
            if !self.has_table.replace(true) {
                sql.exec(CREATE, Vec::new())?;
            }
            let mut values = vec![channel.to_row().into(), desk.terms.clone().into()];
            if write == Write::Answer {
                let body = body.filter(|_| desk.kept.is_some());
                values.push(desk.kept.clone().into());
                values.push(body.map_or(SqlValue::Null, SqlValue::Blob));
                sql.exec(WRITE_ANSWER, values)?;
            } else {
                sql.exec(WRITE, values)?;
            }
        }
        self.opened.replace(Some((sql, desk)));
        Ok(value)
    }

    /// The list of channels: notes one, or answers a page as a JSON list.
    fn list(&self, asked: IndexAsk) -> Result<String> {
        let sql = Sql::of(&self.state)?;
        sql.exec(CREATE_LIST, Vec::new())?;
        let texts = |query: &str, values: Vec<SqlValue>| -> Result<Vec<String>> {
            let mut shown = Vec::new();
            for row in sql.exec(query, values)?.raw() {
                if let [SqlValue::String(text)] = row?.as_slice() {
                    shown.push(text.clone());
                }
            }
            Ok(shown)
        };
        match asked {
            IndexAsk::Sums => {
                let mut sums = ChannelSums::default();
                for shown in texts(LISTED, Vec::new())? {
                    sums.add(&shown);
                }
                Ok(sums.to_text())
            }
            IndexAsk::Note(id, shown) => {
                sql.exec(NOTE, vec![id.into(), shown.into()])?;
                Ok("true".to_owned())
            }
            IndexAsk::Drop(id) => {
                sql.exec(UNLIST, vec![id.into()])?;
                Ok("true".to_owned())
            }
            IndexAsk::Page(after, limit) => {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let shown = texts(PAGE, vec![after.into(), SqlValue::Integer(limit)])?;
                Ok(format!("[{}]", shown.join(",")))
            }
        }
    }

    /// Tells the list what changed.
    async fn tell_list(&self) -> Result<()> {
        if config::for_objects().is_none() {
            return Ok(());
        }
        let told = now();
        let message = self.with_row(None, |desk| match list_channel(desk, told) {
            Some(message) => (Some(message), Write::Channel),
            None => (None, Write::Nothing),
        })?;
        let Some(message) = message else { return Ok(()) };
        if self.tell(OBJECT, &message, DEADLINE_MS).await {
            self.with_row(None, |desk| ((), note_listed(desk, told)))?;
        }
        Ok(())
    }

    /// Drops the row of a channel that has ended long ago, once the list has it no more.
    async fn forget(&self) -> Result<()> {
        let Some(gate) = config::for_objects() else { return Ok(()) };
        let keeps = gate.keeps().of_channels();
        let ended = |desk: &mut ChannelDesk| (unlist_channel(desk, keeps, now()), Write::Nothing);
        let Some(message) = self.with_row(None, ended)? else { return Ok(()) };
        // A request may have come meanwhile.
        if self.tell(OBJECT, &message, DEADLINE_MS).await
            && self.with_row(None, ended)?.is_some()
            && let Some((sql, _)) = self.opened.take()
        {
            sql.exec(FORGET, Vec::new())?;
        }
        Ok(())
    }

    fn kept_body(&self) -> Result<Option<Vec<u8>>> {
        let opened = self.opened.borrow();
        let Some((sql, _)) = opened.as_ref() else { return Ok(None) };
        let row = sql.exec(READ_BODY, Vec::new())?.raw().next().transpose()?;
        Ok(match row.as_deref() {
            Some([SqlValue::Blob(body)]) => Some(body.clone()),
            Some(_) | None => None,
        })
    }

    fn open(&self) -> Result<(Sql, ChannelDesk)> {
        let sql = Sql::of(&self.state)?;
        self.has_table.set(sql.exec(FIND, Vec::new())?.raw().next().is_some());
        if !self.has_table.get() {
            return Ok((sql, ChannelDesk::default()));
        }
        let row = sql.exec(READ, Vec::new())?.raw().next().transpose()?;
        let desk = match row.as_deref() {
            Some([SqlValue::String(state), SqlValue::String(terms), kept]) => {
                let kept = match kept {
                    SqlValue::String(head) => Some(head.clone()),
                    SqlValue::Null | SqlValue::Integer(_) | SqlValue::Blob(_) => None,
                };
                ChannelDesk::from_row(state, terms, kept)
            }
            Some(_) => None,
            None => Some(ChannelDesk::default()),
        };
        Ok((sql, desk.ok_or_else(|| JsValue::from_str("a row of another version"))?))
    }

    async fn work(&self) -> Result<()> {
        let Some(gate) = config::for_objects() else { return Ok(()) };
        for _ in 0..MAX_CALLS {
            let asked = now();
            if self.ask_node(&gate, asked).await? {
                continue;
            }
            let call =
                self.with_row(None, |desk| match next_call(gate.channel_calls(), desk, asked) {
                    Some(call) => (Some(call), Write::Channel),
                    None => (None, Write::Nothing),
                })?;
            let Some((task, call)) = call else { return Ok(()) };
            let call = match call {
                ErrandCall::Facilitator(call) => call,
                ErrandCall::Object(name, message) => {
                    self.tell(&name, &message, CLAIMS_MS).await;
                    continue;
                }
            };
            let reply = facilitator::told(&gate, &call).await;
            self.with_row(None, |desk| ((), take_reply(desk, task, &reply, asked, now())))?;
        }
        Ok(())
    }

    /// Asks a node what is due about a channel of MPP, and has money sent for; whether it did.
    async fn ask_node(&self, gate: &Gate, asked: UnixTime) -> Result<bool> {
        let call = self.with_row(None, |desk| match ask_channel(desk, asked) {
            Some(call) => (Some(call), Write::Channel),
            None => (None, Write::Nothing),
        })?;
        let Some((task, call)) = call else { return Ok(false) };
        let said = chain::reply(chain::send(gate, &call.network, &call.body)).await;
        let due = self.with_row(None, |desk| {
            let (write, due) = take_sight(desk, task, said.as_deref(), asked, gate.payee());
            (due, write)
        })?;
        if let Some(due) = due {
            self.tell(&due.object(), &due.to_message(), DEADLINE_MS).await;
        }
        Ok(true)
    }

    /// Tells another object; whether it has answered within this time.
    async fn tell(&self, name: &str, message: &str, milliseconds: u32) -> bool {
        let asked = edge::ask_object(&self.namespace, name, message, &JsValue::NULL, milliseconds);
        edge::settled(asked).await.is_some()
    }

    /// Time to set the alarm for, which then counts as set; `None` unless it moves earlier.
    fn next_alarm(&self) -> Option<UnixTime> {
        let opened = self.opened.borrow();
        let (_, desk) = opened.as_ref()?;
        let now = now();
        let at = match config::for_objects() {
            Some(gate) => desk.next_due(gate.keeps().of_channels(), now)?,
            None => desk.channel.as_ref()?.next_errand(now)?,
        };
        let at = if at <= now { now.plus(1) } else { at };
        let set = self.alarm.get().filter(|set| now < set.plus(RETRY_SECS));
        if set.is_some_and(|set| set <= at) {
            return None;
        }
        self.alarm.set(Some(at));
        Some(at)
    }
}

const CREATE_LIST: &str =
    "CREATE TABLE IF NOT EXISTS listed (id TEXT PRIMARY KEY, shown TEXT NOT NULL)";
const NOTE: &str = "INSERT OR REPLACE INTO listed (id, shown) VALUES (?, ?)";
const UNLIST: &str = "DELETE FROM listed WHERE id = ?";
const PAGE: &str = "SELECT shown FROM listed WHERE id > ? ORDER BY id LIMIT ?";
const LISTED: &str = "SELECT shown FROM listed";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS channel (id INTEGER PRIMARY KEY, state TEXT NOT NULL, terms TEXT NOT NULL, head TEXT, body BLOB)";
const FIND: &str = "SELECT 1 FROM sqlite_master WHERE name = 'channel'";
const FORGET: &str = "DROP TABLE channel";
const READ: &str = "SELECT state, terms, head FROM channel";
const READ_BODY: &str = "SELECT body FROM channel";
const WRITE: &str = "INSERT INTO channel (id, state, terms) VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state";
const WRITE_ANSWER: &str = "INSERT INTO channel (id, state, terms, head, body) VALUES (1, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state, head = excluded.head, body = excluded.body";
