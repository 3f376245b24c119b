//! The ledger object: loads a row, applies one command, stores it, in one synchronous block.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use farebox_core::encoding::hex;
use farebox_core::encoding::message::Message;
use farebox_core::gate::Gate;
use farebox_core::ledger::attempts::{Count, Kind};
use farebox_core::ledger::command::{Learnt, Outcome, Role, VERSION};
use farebox_core::ledger::entry::{Entry, Taken};
use farebox_core::ledger::read::{Facts, Found, Read};
use farebox_core::ledger::report::Order;
use farebox_core::ledger::{Answer, Command, Envelope, Standing, State, Told};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use serde::Serialize;
use sha2::{Digest, Sha256};
use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectState;

use super::attempts::Failures;
use super::chores::Chores;
use super::memory::Memory;
use super::rows::{Rows, Stored};
use super::sql::{Result, Sql, wake_at};
use crate::worker::{config, edge, now};

/// Seconds after which an alarm that has not come is lost.
const LOST_SECS: u64 = 30;

/// One shard of the ledger; `entry.mjs` reads its requests and sets its alarm.
#[wasm_bindgen]
pub struct Ledger {
    state: DurableObjectState,
    /// Rows and what is remembered of them; nothing until first asked, and again after a failed write.
    opened: RefCell<Option<(Rows, Memory)>>,
    /// When the alarm is set for, as far as this instance knows.
    alarm: Cell<Option<UnixTime>>,
}

#[wasm_bindgen]
impl Ledger {
    /// The shard that keeps its rows in this state.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(state: DurableObjectState) -> Self {
        Self { state, opened: RefCell::new(None), alarm: Cell::new(None) }
    }

    /// Answers JSON, behind which a raw body begins at `split`: `{response, alarm}`, in one synchronous block.
    ///
    /// # Errors
    /// What the platform says about a failed statement.
    pub fn ask(&self, message: &[u8], split: usize) -> std::result::Result<JsValue, JsValue> {
        #[cfg(feature = "panic-drill")]
        assert!(!message.windows(10).any(|part| part == b"drill-here"), "drill");
        let (json, body) = message.split_at_checked(split).unwrap_or((message, &[]));
        let body = (split < message.len()).then_some(body);
        let (answer, stored) = self.answer(json, body)?;
        let stored = stored.map(|body| js_sys::Uint8Array::from(body.as_slice()));
        let alarm = self.next_alarm().map(|at| at.secs().saturating_mul(1000) as f64);
        Ok(edge::answered(&answer, stored, alarm))
    }

    /// Does what is due.
    ///
    /// # Errors
    /// What the platform says about a failed statement.
    pub async fn alarm(&self) -> std::result::Result<(), JsValue> {
        self.alarm.set(None);
        // Whatever goes wrong, the alarm is armed again: what is due stays due.
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
            let (told, stored) = self.with_rows(|desk| desk.take_order(envelope, body))?;
            return Ok((written(&told), stored));
        }
        if message.has("read") {
            let Some(read) = message.read() else { return unsupported() };
            let found = self.with_rows(|desk| desk.look_up(&read))?;
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
        let Some(Order { operator, .. }) = message.read() else { return unsupported() };
        let report = self.with_rows(|desk| desk.report(operator))?;
        Ok((written(&report), None))
    }

    /// One synchronous block over rows and memory. A failed write throws the memory away.
    pub(super) fn with_rows<T>(&self, act: impl FnOnce(&mut Desk<'_>) -> Result<T>) -> Result<T> {
        let (gate, rows, mut memory) = self.take()?;
        let mut desk = Desk { gate: &gate, rows: &rows, memory: &mut memory, now: now() };
        let result = act(&mut desk)?;
        self.opened.replace(Some((rows, memory)));
        Ok(result)
    }

    /// Takes rows and memory, for one block; who does not bring them back has them read again.
    #[inline(never)]
    fn take(&self) -> Result<(Rc<Gate>, Rows, Memory)> {
        let gate = config::for_objects().ok_or_else(|| JsValue::from_str("not configured"))?;
        let (rows, memory) = match self.opened.take() {
            Some(both) => both,
            None => self.open(&gate)?,
        };
        Ok((gate, rows, memory))
    }

    fn open(&self, gate: &Rc<Gate>) -> Result<(Rows, Memory)> {
        let rows = Rows::open(Sql::of(&self.state)?)?;
        let (mut memory, now) = (Memory::default(), now());
        for (payer, key, entry) in rows.open_entries()? {
            memory.note(&payer, &key, &entry, gate.plan(), now);
        }
        rows.transactions(|hash, key| {
            if let Some(hash) = TxHash::parse_any(hash) {
                memory.note_taken(hash, key);
            }
        })?;
        for (payer, key) in rows.moved()? {
            memory.note_moved(&payer, &key, true);
        }
        for (payer, key, original) in rows.aliases()? {
            memory.note_alias(&payer, &key, &original);
        }
        memory.failures = Failures::open(&rows)?;
        memory.chores = Chores::open(&rows, gate)?;
        Ok((rows, memory))
    }

    /// When the alarm has to be set for, because it moves earlier or the one that was set is overdue: it was lost.
    /// It counts as set then.
    fn next_alarm(&self) -> Option<UnixTime> {
        let gate = config::for_objects()?;
        let mut opened = self.opened.borrow_mut();
        let (memory, now) = (&mut opened.as_mut()?.1, now());
        let set = self.alarm.get().filter(|set| now < set.plus(LOST_SECS));
        // Rows at work may be many, and hardly ever is one of them due before the alarm.
        if set.is_some_and(|set| memory.is_quiet_until(set)) {
            return None;
        }
        let at = memory.wake_at(gate.plan(), now)?;
        if set.is_some_and(|set| set <= at) {
            return None;
        }
        self.alarm.set(Some(at));
        Some(at)
    }

    /// Sets the alarm where it has to be.
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
    Ok((written(&Told::from(Answer::Unsupported)), None))
}

fn written(answer: &impl Serialize) -> String {
    // Text and numbers always serialise.
    serde_json::to_string(answer).unwrap_or_default()
}

/// Rows, memory and time of one synchronous block.
pub(super) struct Desk<'a> {
    pub gate: &'a Gate,
    pub rows: &'a Rows,
    pub memory: &'a mut Memory,
    pub now: UnixTime,
}

impl Desk<'_> {
    /// The entry of a payment.
    pub(super) fn entry(&self, payer: &str, key: &str) -> Result<Option<Entry>> {
        match self.memory.entry(payer, key) {
            Some(entry) => Ok(Some(entry.clone())),
            None => self.rows.find(payer, key),
        }
    }

    /// One command against one row, and what it says about the payer.
    fn take_order(
        &mut self,
        mut envelope: Envelope,
        body: Option<&[u8]>,
    ) -> Result<(Told, Option<Vec<u8>>)> {
        let Some(counting) = envelope.counting.take() else {
            return self.carry_out(envelope, body);
        };
        let (payer, kind) = (envelope.payer.clone(), Kind::of(&envelope.command));
        let (mut told, stored) = self.carry_out(envelope, body)?;
        told.tally = self.mark(&payer, kind, &told.answer, counting)?;
        Ok((told, stored))
    }

    /// One command against one row.
    pub(super) fn carry_out(
        &mut self,
        envelope: Envelope,
        body: Option<&[u8]>,
    ) -> Result<(Told, Option<Vec<u8>>)> {
        let Envelope { payer, key, mut command, role, .. } = envelope;
        let original = self.memory.original(&payer, &key);
        if let (Some(_), Command::Claim { wallet, .. }) = (&original, &mut command) {
            // It was never settled, so nobody but the payer can show it.
            *wallet = true;
        }
        let key = original.unwrap_or(key);
        let Some(before) = self.entry(&payer, &key)? else {
            return self.begin(&payer, &key, command, role);
        };
        let standing = match &command {
            Command::Claim { payment, .. } => self.memory.standing(&payer, &key, payment, self.now),
            _ => Standing::default(),
        };
        let taken = match &command {
            Command::Outcome {
                result: Outcome::Settled(text) | Outcome::Unknown(Some(text)),
                ..
            }
            | Command::Learn { learnt: Learnt::Captured(text), .. } => {
                self.memory.taken(TxHash::parse_any(text), &key)
            }
            _ => Taken::No,
        };
        let response = match &command {
            Command::Seal { response, .. } => response.clone(),
            _ => None,
        };
        let (entry, answer) =
            before.clone().lapse(self.now).apply(command, standing, taken, self.now);
        if let (Some(head), Answer::Granted { .. }) = (response, &answer) {
            let body = body.unwrap_or_default().to_vec();
            let sha256 = hex::encode(&Sha256::digest(&body));
            self.rows.store(&payer, &key, Stored { head, sha256, body }, self.now.secs())?;
        }
        self.write(&payer, &key, &before, &entry, "command")?;
        self.told(&payer, &key, &entry, answer)
    }

    /// The row that a receipt id names.
    fn look_up(&self, read: &Read) -> Result<Found> {
        let wanted = &read.read;
        let place = match (&wanted.payer, &wanted.key) {
            (Some(payer), Some(key)) => {
                let key = self.memory.original(payer, key).unwrap_or_else(|| key.clone());
                Some((payer.clone(), key))
            }
            _ => self.rows.by_receipt(&wanted.receipt)?,
        };
        let Some((payer, key)) = place else { return Ok(Found { row: None }) };
        let entry = self.entry(&payer, &key)?;
        let entry = entry.filter(|entry| entry.payment.receipt == wanted.receipt);
        Ok(Found { row: entry.map(|entry| Box::new(Facts::of(&payer, &key, &entry))) })
    }

    /// Stores what has changed of an entry, with the transition in its history.
    pub(super) fn write(
        &mut self,
        payer: &str,
        key: &str,
        before: &Entry,
        entry: &Entry,
        why: &str,
    ) -> Result<()> {
        if entry == before {
            return Ok(());
        }
        let now = self.now.secs();
        let history = transition(key, &before.state.name(), &entry.state, why);
        if entry.payment == before.payment && entry.leases == before.leases {
            self.rows.update(payer, key, entry, &history, now)?;
        } else {
            let earlier = self.rows.history(payer, key)?;
            self.rows.delete(payer, key)?;
            self.rows.insert(payer, key, entry, &(earlier + &history), now)?;
        }
        self.memory.note(payer, key, entry, self.gate.plan(), self.now);
        self.follow(payer, key, before, entry)
    }

    /// The first command of a payment has to be its claim.
    fn begin(
        &mut self,
        payer: &str,
        key: &str,
        command: Command,
        role: Role,
    ) -> Result<(Told, Option<Vec<u8>>)> {
        let Command::Claim { payment, leases, in_flight, idempotent, last, .. } = command else {
            return Ok((Answer::Stale.into(), None));
        };
        let now = self.now;
        if in_flight > 0
            && !payment.was_sent_by_payer()
            && let Some(original) = self.memory.unreceived(payer, &payment.binding, now)
            && let Some(before) = self.entry(payer, &original)?
        {
            // Paid, and nobody received anything: the new authorization is the payer's signature for it.
            let until = payment.valid_before.max(before.payment.valid_before) + 3600;
            self.rows.alias(payer, key, &original, until)?;
            self.memory.note_alias(payer, key, &original);
            let again =
                Command::Claim { payment, leases, idempotent, in_flight, wallet: true, last };
            let (entry, answer) =
                before.clone().lapse(now).apply(again, Standing::default(), Taken::No, now);
            self.write(payer, &original, &before, &entry, "signed_anew")?;
            return self.told(payer, &original, &entry, answer);
        }
        let standing = self.memory.standing(payer, key, &payment, now);
        match role {
            Role::Old if standing.unresolved => return Ok((Answer::Unresolved.into(), None)),
            Role::Old => {
                // A Worker that does not know of the change yet must not begin it here meanwhile.
                let until = payment.valid_before + 3600;
                self.rows.mark_moved(payer, key, until)?;
                self.memory.note_moved(payer, key, true);
                self.memory.chores.purge_by(UnixTime::from_secs(until));
                return Ok((Answer::Absent.into(), None));
            }
            Role::Sole if self.memory.is_moved(payer, key) => {
                return Ok((Answer::InProgress.into(), None));
            }
            Role::New if self.memory.is_moved(payer, key) => {
                self.rows.unmark_moved(payer, key)?;
                self.memory.note_moved(payer, key, false);
            }
            Role::Sole | Role::New => {}
        }
        match Entry::open(*payment, leases, in_flight, standing, now) {
            Ok((entry, answer)) => {
                let history = transition(key, "none", &entry.state, "claim");
                self.rows.insert(payer, key, &entry, &history, now.secs())?;
                self.memory.note(payer, key, &entry, self.gate.plan(), now);
                let receipt = Some(entry.payment.receipt);
                Ok((Told { answer, receipt, tally: None }, None))
            }
            Err(answer) => Ok((answer.into(), None)),
        }
    }

    /// The answer with the row's receipt id, and the stored response behind one that replays it; a response that
    /// was changed or lost is not replayed.
    fn told(
        &self,
        payer: &str,
        key: &str,
        entry: &Entry,
        answer: Answer,
    ) -> Result<(Told, Option<Vec<u8>>)> {
        let receipt = Some(entry.payment.receipt.clone());
        let Answer::Replay { transaction, .. } = answer else {
            return Ok((Told { answer, receipt, tally: None }, None));
        };
        match self.rows.stored(payer, key)? {
            Some(stored) if hex::encode(&Sha256::digest(&stored.body)) == stored.sha256 => {
                let answer = Answer::Replay { response: stored.head, transaction };
                Ok((Told { answer, receipt, tally: None }, Some(stored.body)))
            }
            _ => {
                let answer = Answer::AlreadyDelivered;
                Ok((Told { answer, receipt, tally: None }, None))
            }
        }
    }
}

/// Logs a transition and gives its line of the row's history; nothing where the state stays.
fn transition(key: &str, from: &str, to: &State, why: &str) -> String {
    let to = to.name();
    if from == to {
        return String::new();
    }
    let at = now();
    let line = serde_json::json!({
        "at": at.rfc3339(),
        "key8": key.get(..8).unwrap_or_default(),
        "from": from,
        "to": to,
        "why": why,
    });
    edge::log(&line.to_string());
    format!("{},{from},{to},{why}\n", at.secs())
}
