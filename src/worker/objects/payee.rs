//! The object that sends what the account of a payee sends to one chain: its queue decides, and the
//! object keeps the row.

use std::cell::{Cell, RefCell};

use farebox_core::channel::payee::{PayeeQueue, QueuedCall};
use wasm_bindgen::JsValue;
use worker::worker_sys::DurableObjectState;

use crate::platform::now;
use crate::platform::sql::{Result, Sql, SqlValue, wake_at};
use crate::worker::{chain, config, edge};

/// Milliseconds in which calls gather, so that the urgent ones go first.
const GATHER_MS: u64 = 500;
/// Milliseconds between two rounds.
const ROUND_MS: u64 = 3_000;
/// Seconds for which the operator is not told again.
const TELL_SECS: u64 = 600;

/// The queue, if this is such an object.
#[derive(Default)]
pub(super) struct PayeeSender {
    /// The row as it was written, and what it says; `None` until first asked, and after a failed
    /// write.
    opened: RefCell<Option<(Sql, String, PayeeQueue)>>,
    /// Whether the alarm is set.
    is_set: Cell<bool>,
    /// When the operator was told last, Unix seconds.
    told: Cell<u64>,
}

impl PayeeSender {
    /// Takes a call; the answer, and the time for the alarm.
    pub(super) fn take(&self, state: &DurableObjectState, call: QueuedCall) -> Result<JsValue> {
        let is_taken = self.with(state, |queue| queue.take(call))?;
        let at = edge::clock_ms().saturating_add(GATHER_MS) as f64;
        let alarm = (!self.is_set.replace(true)).then_some(at);
        Ok(edge::answered(if is_taken { "true" } else { "false" }, None, alarm))
    }

    /// Whether this is such an object.
    pub(super) fn is_used(&self, state: &DurableObjectState) -> Result<bool> {
        let is_known = self.opened.borrow().is_some();
        Ok(is_known || Sql::of(state)?.exec(FIND, Vec::new())?.raw().next().is_some())
    }

    /// Asks a node what was mined, and sends what is due.
    pub(super) async fn send(&self, state: &DurableObjectState) -> Result<()> {
        self.is_set.set(false);
        let Some(gate) = config::for_objects() else { return Ok(()) };
        let Some(call) = self.with(state, |queue| gate.payee_question(queue))? else {
            return Ok(());
        };
        let said = chain::reply(chain::send(&gate, &call.network, &call.body)).await;
        let (body, lacks) = self.with(state, |queue| {
            let body = said.and_then(|said| gate.payee_told(queue, &said, now()));
            (body, gate.payee_complaint(queue, &call.network))
        })?;
        if let Some(lacks) = lacks
            && self.told.get().saturating_add(TELL_SECS) <= now().secs()
        {
            self.told.set(now().secs());
            edge::complain(&lacks);
        }
        if let Some(body) = body {
            chain::reply(chain::send(&gate, &call.network, &body)).await;
        }
        if !self.is_set.replace(true) {
            wake_at(state, edge::clock_ms().saturating_add(ROUND_MS) as f64).await?;
        }
        Ok(())
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
