//! The ledger object: its shard decides about a message, and the object writes the decision, in one
//! synchronous block.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use farebox_core::encoding::json;
use farebox_core::encoding::message::Message;
use farebox_core::gate::Gate;
use farebox_core::ledger::attempts::Count;
use farebox_core::ledger::command::{Asking, VERSION};
use farebox_core::ledger::entry::Entry;
use farebox_core::ledger::report::{OperatorMessage, history_line};
use farebox_core::ledger::room::Room;
use farebox_core::ledger::shard::{
    Change, Decision, QuestionAnswer, Scene, Shard, Slot, Transition, is_open,
};
use farebox_core::ledger::state::is_ordinary;
use farebox_core::ledger::take::{Holder, Named, Take};
use farebox_core::ledger::{Answer, Envelope, LedgerReply};
use farebox_core::time::UnixTime;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use super::attempts::load_failures;
use super::chores::Chores;
use super::rows::{LedgerRows, Version};
use crate::platform::now;
use crate::platform::sql::{Result, wake_at};
use crate::worker::{config, edge};

/// Seconds overdue after which an alarm counts as lost.
const LOST_SECS: u64 = 30;

/// One shard of the ledger; `entry.mjs` reads its requests and sets its alarm.
#[wasm_bindgen]
pub struct Ledger {
    state: DurableObjectState,
    /// The other objects.
    pub(super) namespace: JsValue,
    /// The environment, where the treasury is found.
    pub(super) services: JsValue,
    /// Rows, and the rules about them; `None` until first asked, and after a failed write.
    opened: RefCell<Option<(LedgerRows, Shard, Chores)>>,
    /// Time of the alarm, as far as this instance knows.
    alarm: Cell<Option<UnixTime>>,
    /// Rows that could not be written, kept apart from what each failed write drops.
    pub(super) unwritten: RefCell<BTreeMap<Slot, UnwrittenRow>>,
}

/// A row that could not be written.
#[derive(Default)]
pub(super) struct UnwrittenRow {
    /// Until when it waits, Unix seconds.
    pub(super) until: u64,
    /// How often it could not be.
    pub(super) tries: u32,
}

#[wasm_bindgen]
impl Ledger {
    /// The shard that keeps its rows in this state, one of this namespace, in this environment.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState, namespace: JsValue, services: JsValue) -> Self {
        let (opened, alarm) = (RefCell::new(None), Cell::new(None));
        let unwritten = RefCell::new(BTreeMap::new());
        Self { state, namespace, services, opened, alarm, unwritten }
    }

    /// Answers JSON with the raw body that comes along: `{answered, alarm}`, in one synchronous
    /// block.
    ///
    /// # Errors The platform's error if a statement failed.
    pub fn ask(
        &self,
        message: &str,
        body: Option<Vec<u8>>,
    ) -> std::result::Result<JsValue, JsValue> {
        let (answer, stored) = self.answer(message.as_bytes(), body.as_deref())?;
        let stored = stored.map(|body| js_sys::Uint8Array::from(body.as_slice()));
        let alarm = self.next_alarm().map(|at| at.secs().saturating_mul(1000) as f64);
        Ok(edge::answered(&answer, stored, alarm))
    }

    /// Brings the tables to this version, and reads the rows that are not at rest.
    ///
    /// # Errors The platform's error if a statement failed.
    pub fn tables(&self, _kind: &str) -> std::result::Result<(), JsValue> {
        self.with_rows(|_| Ok(()))
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

impl Ledger {
    fn answer(&self, json: &[u8], body: Option<&[u8]>) -> Result<(String, Option<Vec<u8>>)> {
        let Some(message) = Message::parse(json).filter(|message| message.is_of(VERSION)) else {
            return unsupported();
        };
        if message.has("command") {
            let Some(envelope) = message.read() else { return unsupported() };
            let decision = self.with_rows(|desk| desk.count_and_apply(envelope, body))?;
            self.note_written(&decision.changes);
            return Ok((written(&decision.reply), decision.body));
        }
        if message.has("ask") {
            let Some(asking) = message.read() else { return unsupported() };
            return self.with_rows(|desk| desk.answer_question(asking));
        }
        if message.has("take") {
            let Some(Take { take, .. }) = message.read() else { return unsupported() };
            let holder = self.with_rows(|desk| desk.take(&take))?;
            return Ok((written(&holder), None));
        }
        if message.has("read") {
            let Some(read) = message.read() else { return unsupported() };
            let found = self.with_rows(|desk| Shard::look_up(&read, desk.rows))?;
            return Ok((written(&found), None));
        }
        if message.has("count") {
            let Some(Count { count, .. }) = message.read() else { return unsupported() };
            let counted = self.with_rows(|desk| desk.count(count))?;
            return Ok((written(&counted), None));
        }
        if message.has("spend") {
            let Some(spend) = message.read() else { return unsupported() };
            let left = self.with_rows(|desk| desk.spend(&spend))?;
            return Ok((written(&left), None));
        }
        let Some(OperatorMessage { operator, .. }) = message.read() else { return unsupported() };
        let report = self.with_rows(|desk| desk.report(operator))?;
        Ok((written(&report), None))
    }

    /// Runs one synchronous block over the rows. After a failed write everything remembered of them
    /// is dropped.
    pub(super) fn with_rows<T>(&self, act: impl FnOnce(&mut Txn<'_>) -> Result<T>) -> Result<T> {
        let (gate, rows, mut shard, mut chores) = self.take()?;
        let (shard_now, retention_now) = (&mut shard, &mut chores);
        let mut desk =
            Txn { gate: &gate, rows: &rows, shard: shard_now, chores: retention_now, now: now() };
        let result = act(&mut desk)?;
        self.opened.replace(Some((rows, shard, chores)));
        Ok(result)
    }

    /// Takes rows and rules for one block; if they are not put back, they are read again.
    #[inline(never)]
    fn take(&self) -> Result<(Rc<Gate>, LedgerRows, Shard, Chores)> {
        let gate = config::for_objects().ok_or_else(|| JsValue::from_str("not configured"))?;
        let (rows, shard, chores) = match self.opened.take() {
            Some(all) => all,
            None => self.open(&gate)?,
        };
        Ok((gate, rows, shard, chores))
    }

    /// Lets rows wait no longer that were written after all.
    pub(super) fn note_written(&self, changes: &[Change]) {
        let mut unwritten = self.unwritten.borrow_mut();
        if !unwritten.is_empty() {
            for slot in changes.iter().filter_map(Change::slot) {
                unwritten.remove(slot);
            }
        }
    }

    /// Reads the rows that are not at rest, and no other.
    fn open(&self, gate: &Rc<Gate>) -> Result<(LedgerRows, Shard, Chores)> {
        let rows = LedgerRows::open(&self.state, gate.clone())?;
        let (mut shard, now) = (Shard::default(), now());
        let scene = scene(gate, &rows, now);
        rows.open_entries(|slot, entry| shard.load(slot, entry, &scene))?;
        let unwritten = self.unwritten.borrow();
        for (slot, row) in unwritten.iter().filter(|(_, row)| row.until > now.secs()) {
            shard.postpone(slot, UnixTime::from_secs(row.until));
        }
        load_failures(&rows, &mut shard)?;
        let chores = Chores::open(&rows)?;
        Ok((rows, shard, chores))
    }

    /// Time to set the alarm for, which then counts as set; `None` unless it moves earlier or the
    /// one that was set is overdue, that is, lost.
    fn next_alarm(&self) -> Option<UnixTime> {
        let mut opened = self.opened.borrow_mut();
        let ((_, shard, chores), now) = (opened.as_mut()?, now());
        let set = self.alarm.get().filter(|set| now < set.plus(LOST_SECS));
        let chore = chores.wake_at();
        // Many rows may be at work, but hardly any is due before the alarm.
        if set.is_some_and(|set| shard.is_quiet_until(set) && chore.is_none_or(|at| set <= at)) {
            return None;
        }
        let at = shard.wake_at().into_iter().chain(chore).min()?;
        if set.is_some_and(|set| set <= at) {
            return None;
        }
        self.alarm.set(Some(at));
        Some(at)
    }

    /// Sets the alarm for now.
    pub(super) async fn wake_now(&self) -> Result<()> {
        wake_at(&self.state, edge::clock_ms() as f64).await
    }

    /// Sets the alarm if it has to move.
    async fn set_alarm(&self) -> Result<()> {
        let Some(at) = self.next_alarm() else { return Ok(()) };
        let milliseconds = at.secs().saturating_mul(1000).max(edge::clock_ms());
        let set = wake_at(&self.state, milliseconds as f64).await;
        if set.is_err() {
            self.alarm.set(None);
        }
        set
    }
}

fn unsupported() -> Result<(String, Option<Vec<u8>>)> {
    Ok((written(&LedgerReply::from(Answer::Unsupported)), None))
}

fn written(answer: &impl Serialize) -> String {
    json::text(answer)
}

/// Rows, rules and time of one synchronous block.
pub(super) struct Txn<'a> {
    pub gate: &'a Gate,
    pub rows: &'a LedgerRows,
    pub shard: &'a mut Shard,
    pub chores: &'a mut Chores,
    pub now: UnixTime,
}

impl<'a> Txn<'a> {
    /// Facts that a decision depends on beside the rows.
    pub(super) fn scene(&self) -> Scene<'a> {
        scene(self.gate, self.rows, self.now)
    }

    /// How full the object's database is.
    pub(super) fn room(&self) -> Room {
        room(self.gate, self.rows)
    }

    /// Applies one command about a payment.
    pub(super) fn count_and_apply(
        &mut self,
        envelope: Envelope,
        body: Option<&[u8]>,
    ) -> Result<Decision<Answer>> {
        let decision = self.shard.order(envelope, body, self.rows, &self.scene())?;
        self.write(&decision.changes)?;
        Ok(decision)
    }

    /// Answers one question about a payment, as text with the body that goes along.
    fn answer_question(&mut self, asking: Asking) -> Result<(String, Option<Vec<u8>>)> {
        Ok(match self.shard.ask(asking, self.rows, &self.scene())? {
            QuestionAnswer::Seen(reply) => (written(&reply), None),
            QuestionAnswer::Resumed(decision) => {
                self.write(&decision.changes)?;
                (written(&decision.reply), decision.body)
            }
        })
    }

    /// Takes a transaction for a payment, unless another one has it.
    fn take(&mut self, named: &Named) -> Result<Holder> {
        let holder = named.holder(self.rows.taker(named)?.as_deref());
        if holder == Holder::Own {
            let until = self.now.plus(self.gate.keeps().payments_secs);
            self.rows.take(named, until.secs())?;
            self.plan_purge()?;
        }
        Ok(holder)
    }

    /// Carries out a decision and keeps the rules in step.
    pub(super) fn write(&mut self, changes: &[Change]) -> Result<()> {
        let (scene, now) = (self.scene(), self.now.secs());
        let mut changes_left = changes.iter().peekable();
        while let Some(change) = changes_left.next() {
            // A response is part of its payment's row, and of the same write.
            let (change, response) = match (change, changes_left.peek()) {
                (Change::Store(slot, response), Some(next)) if is_write_of(next, slot) => {
                    (changes_left.next().unwrap_or(change), Some(response))
                }
                _ => (change, None),
            };
            match change {
                Change::Insert(slot, entry, step)
                | Change::Update(slot, entry, step)
                | Change::Rewrite(slot, entry, step) => {
                    let history = self.log(slot, entry, step);
                    let is_open = is_open(entry, &scene);
                    let row = Version { slot, entry, is_open, history: &history, response, now };
                    match change {
                        Change::Insert(..) => self.rows.insert(&row)?,
                        Change::Rewrite(..) => self.rows.rewrite(&row)?,
                        _ => self.rows.update(&row)?,
                    }
                }
                Change::Remove(slot) => {
                    self.rows.delete(slot)?;
                    self.rows.delete_response(slot)?;
                }
                Change::Store(slot, response) => self.rows.store(slot, response, now)?,
                Change::Alias(slot, original, until) => self.rows.alias(slot, original, *until)?,
                Change::Move(slot, until, _) => self.rows.mark_moved(slot, *until)?,
                Change::Unmove(slot) => self.rows.unmark_moved(slot)?,
                Change::Announce(slot, entry, notice, since) => {
                    self.announce(slot, entry, *notice, *since)?;
                }
                Change::Count(place, tally, claims) => {
                    self.put_failures(place, tally, claims.as_deref())?;
                }
                Change::Forget(place) => self.delete_failures(place)?,
                Change::Threshold(place, tally, claims) => {
                    self.announce_threshold(place, tally, claims.as_deref())?;
                }
            }
        }
        self.shard.keep(changes, &scene);
        if changes.is_empty() { Ok(()) } else { self.plan_purge() }
    }

    /// Logs the steps that no line of a request says, and returns the lines of the row's history.
    fn log(&self, slot: &Slot, entry: &Entry, transition: &Transition) -> String {
        let mut lines = String::new();
        for (from, to, why) in transition.steps() {
            if !is_ordinary(from, to) {
                let line = farebox_core::json!({
                    "at": self.now.rfc3339(),
                    "payment": entry.payment.receipt,
                    "key8": slot.key.get(..8).unwrap_or_default(),
                    "from": from,
                    "to": to,
                    "why": why,
                });
                edge::log(&json::text(&line));
            }
            lines += &history_line(entry.created, self.now, to, why);
        }
        lines
    }
}

/// Whether a change writes the row in this slot.
fn is_write_of(change: &Change, slot: &Slot) -> bool {
    match change {
        Change::Insert(it, ..) | Change::Update(it, ..) | Change::Rewrite(it, ..) => it == slot,
        _ => false,
    }
}

/// Facts that a decision of this gate's objects depends on beside the rows.
fn scene<'g>(gate: &'g Gate, rows: &'g LedgerRows, now: UnixTime) -> Scene<'g> {
    let (notifies, has_room) = (gate.webhook().is_some(), !room(gate, rows).is_full());
    Scene { plan: rows.restored.plan(gate.plan()), notifies, has_room, now }
}

fn room(gate: &Gate, rows: &LedgerRows) -> Room {
    Room { bytes: rows.bytes(), limit: gate.keeps().bytes }
}
