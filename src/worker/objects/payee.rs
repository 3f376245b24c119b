//! The object that sends what the account of a payee sends to one chain: its queue decides, and the
//! object keeps the row.

use std::cell::{Cell, RefCell};

use farebox_core::channel::payee::call::{Haste, QueuedCall};
use farebox_core::channel::payee::{AccountHealth, PayeeQueue};
use farebox_core::gate::Gate;
use farebox_core::gate::session::mpp::payout::{PayeeAccount, complain_of_node};
use wasm_bindgen::JsValue;
use worker::worker_sys::DurableObjectState;

use super::channel::UNABLE_MS;
use crate::platform::now;
use crate::platform::sql::{Result, Sql, SqlValue, wake_at};
use crate::worker::{chain, config, edge};

/// Milliseconds in which calls gather, so that the urgent ones go first.
const GATHER_MS: u64 = 500;
/// Milliseconds between two rounds.
const ROUND_MS: u64 = 3_000;
/// The same if the node does not answer, or the account does not send what is next.
const WAIT_MS: u64 = 15_000;
/// No time of an alarm.
const NEVER: u64 = u64::MAX;
/// Seconds for which the operator is not told again.
const TELL_SECS: u64 = 600;

/// The queue, if this is such an object.
pub(super) struct PayeeSender {
    /// The row as it was written, and what it says; `None` until first asked, and after a failed
    /// write.
    opened: RefCell<Option<(Sql, String, PayeeQueue)>>,
    /// When the alarm rings, as far as this instance knows, milliseconds; [`NEVER`].
    alarm: Cell<u64>,
    /// When the operator was told last, Unix seconds.
    told: Cell<u64>,
    /// The account's health as the list of channels shows it, as far as this instance knows.
    listed: Cell<Option<AccountHealth>>,
}

impl PayeeSender {
    /// Nothing is known of the object yet.
    pub(super) const fn new() -> Self {
        let (alarm, told) = (Cell::new(NEVER), Cell::new(0));
        Self { opened: RefCell::new(None), alarm, told, listed: Cell::new(None) }
    }

    /// Takes a call; the answer, and the time for the alarm.
    pub(super) fn take(&self, state: &DurableObjectState, call: QueuedCall) -> Result<JsValue> {
        // Who withdraws waits for no round.
        let is_next = call.haste == Haste::Leaving || self.alarm.get() == NEVER;
        let is_taken = self.with(state, |queue| queue.take(call, now()))?;
        let at = edge::clock_ms().saturating_add(GATHER_MS);
        let alarm = (is_next && self.rings(at)).then_some(at as f64);
        Ok(edge::answered(if is_taken { "true" } else { "false" }, None, alarm))
    }

    /// Makes the table.
    pub(super) fn make(&self, state: &DurableObjectState) -> Result<()> {
        open(state).map(|_| ())
    }

    /// Whether this is such an object.
    pub(super) fn is_used(&self, state: &DurableObjectState) -> Result<bool> {
        let is_known = self.opened.borrow().is_some();
        Ok(is_known || Sql::of(state)?.exec(FIND, Vec::new())?.raw().next().is_some())
    }

    /// The list shows this of the account.
    pub(super) fn lists(&self, health: AccountHealth) {
        self.listed.set(Some(health));
    }

    /// Asks a node what was mined, and sends what is due; what the list of channels is to be told.
    pub(super) async fn send(
        &self,
        state: &DurableObjectState,
    ) -> Result<Option<(AccountHealth, String)>> {
        self.alarm.set(NEVER);
        let gate = config::for_objects();
        let sent = match gate.as_ref().and_then(|gate| Some((gate, gate.payee()?))) {
            Some((gate, account)) => self.round(state, gate, account).await,
            None => self.ring(state, UNABLE_MS).await.map(|()| None),
        };
        // Nothing else wakes what waits here.
        if sent.is_err() {
            self.ring(state, UNABLE_MS).await?;
        }
        sent
    }

    async fn round(
        &self,
        state: &DurableObjectState,
        gate: &Gate,
        account: PayeeAccount<'_>,
    ) -> Result<Option<(AccountHealth, String)>> {
        let Some(call) = self.with(state, |queue| account.question(queue))? else {
            return Ok(None);
        };
        let said = chain::reply(chain::send(gate, &call.network, &call.body)).await;
        let (body, complaint, listing) = self.with(state, |queue| {
            let body = said.as_deref().and_then(|said| account.take_reply(queue, said, now()));
            let health = queue.health();
            let is_news = self.listed.get() != Some(health);
            let listing = is_news.then(|| (health, account.list(queue, &call.network, now())));
            (body, account.complain(queue, &call.network), listing)
        })?;
        let pause = if complaint.is_some() || said.is_none() { WAIT_MS } else { ROUND_MS };
        self.tell(complaint);
        if let Some(body) = body {
            let said = chain::reply(chain::send(gate, &call.network, &body)).await;
            self.tell(said.and_then(|said| complain_of_node(&said, &call.network)));
        }
        self.ring(state, pause).await?;
        Ok(listing)
    }

    /// Sets the alarm for so many milliseconds from now, unless it rings before.
    async fn ring(&self, state: &DurableObjectState, pause: u64) -> Result<()> {
        let at = edge::clock_ms().saturating_add(pause);
        if self.rings(at) {
            wake_at(state, at as f64).await?;
        }
        Ok(())
    }

    /// Logs what the operator is to know, not often.
    fn tell(&self, words: Option<String>) {
        if let Some(words) = words
            && self.told.get().saturating_add(TELL_SECS) <= now().secs()
        {
            self.told.set(now().secs());
            edge::complain(&words);
        }
    }

    /// Whether the alarm is to be set for this time, which then counts as set.
    fn rings(&self, at: u64) -> bool {
        let is_earlier = at < self.alarm.get();
        if is_earlier {
            self.alarm.set(at);
        }
        is_earlier
    }

    /// Runs one synchronous block over the row.
    fn with<T>(
        &self,
        state: &DurableObjectState,
        act: impl FnOnce(&mut PayeeQueue) -> T,
    ) -> Result<T> {
        let (sql, row, mut queue) = match self.opened.take() {
            Some(opened) => opened,
            None => open(state)?,
        };
        let value = act(&mut queue);
        let next = queue.to_row();
        if next != row {
            sql.exec(WRITE, vec![next.clone().into()])?;
        }
        self.opened.replace(Some((sql, next, queue)));
        Ok(value)
    }
}

fn open(state: &DurableObjectState) -> Result<(Sql, String, PayeeQueue)> {
    let sql = Sql::of(state)?;
    sql.exec(CREATE, Vec::new())?;
    let row = match sql.exec(READ, Vec::new())?.raw().next().transpose()?.as_deref() {
        Some([SqlValue::String(row)]) => row.clone(),
        Some(_) | None => String::new(),
    };
    let queue = PayeeQueue::from_row(&row);
    Ok((sql, row, queue))
}

const CREATE: &str =
    "CREATE TABLE IF NOT EXISTS payee (id INTEGER PRIMARY KEY, calls TEXT NOT NULL)";
const FIND: &str = "SELECT 1 FROM sqlite_master WHERE name = 'payee'";
const READ: &str = "SELECT calls FROM payee";
const WRITE: &str = "INSERT OR REPLACE INTO payee (id, calls) VALUES (1, ?)";
