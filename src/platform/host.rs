//! The host of a machine: a Durable Object that takes commands one at a time, and writes what the core decides in
//! the transaction that read the rows.
//!
//! Every object does the same around its decisions, and here it is once. `#[wasm_bindgen]` classes cannot be
//! generic: each keeps a [`Host`], hands its calls on, and has what its alarm carries out.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;

use farebox_core::machine::{Alarm, DecisionOf, Envelope, Machine, Random};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use worker::worker_sys::DurableObjectState;

use super::calls::clock_ms;
use super::columns::make_meta;
use super::migrate::migrate;
use super::object::{answered_with, together};
use super::sql::{Result, Sql, wake_at};

/// Milliseconds after which an alarm looks at work that stays due.
pub(crate) const AGAIN_MS: u64 = 1_000;

/// A command, an answer, a write and the random bytes of what a host runs.
type CommandOf<H> = <<H as Hosted>::Machine as Machine>::Command;
type AnswerOf<H> = <<H as Hosted>::Machine as Machine>::Answer;
type ChangeOf<H> = <<H as Hosted>::Machine as Machine>::Change;
type RandomOf<H> = <<H as Hosted>::Machine as Machine>::Random;

/// A machine with its rows in an object's database: what is a system's own of its object.
pub(crate) trait Hosted: Sized {
    /// The machine that decides.
    type Machine: Machine<Command: DeserializeOwned, Answer: Serialize>;
    /// The operator's configuration.
    type Config;
    /// The owner of these rows.
    type Owner;

    /// Schema changes in order.
    const MIGRATIONS: &'static [&'static [&'static str]];
    /// Milliseconds from a command to the alarm for what it made due at once.
    const PAUSE_MS: u64;

    /// The configuration; `None` if it is wrong.
    fn config() -> Option<Rc<Self::Config>>;

    /// The owner of these rows: the one that the name of the object says, or that the rows say if
    /// no name is told. An alarm is told none.
    ///
    /// # Errors
    /// The platform's error, or why the name cannot be that of rows.
    fn owner(sql: &Sql, name: Option<&str>) -> Result<Self::Owner>;

    /// Prepares the rows, once in each instance: the tables are there, and nothing of this block was
    /// decided yet.
    ///
    /// # Errors
    /// The platform's error, or why these rows cannot be used.
    fn prepare(&self, desk: &Desk<'_, Self>) -> Result<()>;

    /// Decides about a command.
    ///
    /// # Errors
    /// The platform's error, or why the machine cannot decide.
    fn decide(
        &self,
        desk: &Desk<'_, Self>,
        command: CommandOf<Self>,
    ) -> Result<DecisionOf<Self::Machine>>;

    /// Writes what was decided, in order.
    ///
    /// # Errors
    /// The platform's error.
    fn write(&self, desk: &Desk<'_, Self>, changes: &[ChangeOf<Self>]) -> Result<()>;

    /// The answer to a command whose decision could not be written for this reason, where the reason
    /// is one that the client may know.
    fn refusal(_error: &JsValue) -> Option<AnswerOf<Self>> {
        None
    }

    /// Millisecond at which something is due first.
    ///
    /// # Errors
    /// The platform's error.
    fn due_first(sql: &Sql) -> Result<Option<u64>>;
}

/// The things that a block works with.
pub(crate) struct Desk<'a, H: Hosted> {
    /// The operator's configuration.
    pub config: &'a H::Config,
    /// The object's database.
    pub sql: &'a Sql,
    /// The owner of these rows.
    pub owner: &'a H::Owner,
    /// Unix milliseconds.
    pub now: u64,
    /// Fresh randomness; blank where nothing is decided.
    pub random: &'a RandomOf<H>,
}

/// An object's state and its machine; `entry.mjs` sets the alarm of an answer. Nothing of the rows is remembered
/// between two commands.
pub(crate) struct Host<H: Hosted> {
    state: DurableObjectState,
    /// The system's own part.
    pub hosted: H,
    /// Whether the tables are there and the rows are prepared.
    opened: Cell<bool>,
    alarm: Cell<Alarm>,
}

impl<H: Hosted> Host<H> {
    /// The rows that are kept in this state.
    pub(crate) const fn new(state: DurableObjectState, hosted: H) -> Self {
        Self { state, hosted, opened: Cell::new(false), alarm: Cell::new(Alarm::UNKNOWN) }
    }

    /// The object's database.
    pub(crate) fn sql(&self) -> Result<Sql> {
        Sql::of(&self.state)
    }

    /// The state, as JavaScript has it.
    #[cfg(feature = "market")]
    pub(crate) fn state(&self) -> &JsValue {
        self.state.as_ref()
    }

    /// Answers the command of a message in one transaction: `{answer, alarm}`.
    ///
    /// # Errors
    /// The platform's error if a statement failed; nothing is written then.
    pub(crate) fn ask(&self, name: &str, message: &str) -> Result<JsValue> {
        let command = command_of(message)?;
        let said = self.block(Some(name), |desk| {
            let answer = self.carry(desk, command)?;
            Ok(answer)
        });
        // Nothing of a decision that fails was written, and nothing of it leaves.
        let answer = said.or_else(|error| H::refusal(&error).ok_or(error))?;
        let answer = serde_json::to_string(&answer).map_err(|error| unreadable(&error))?;
        let alarm = self.next_alarm(H::PAUSE_MS)?.map(|at| at as f64);
        Ok(answered_with(&answer, alarm))
    }

    /// Applies a command in a transaction of its own.
    ///
    /// # Errors
    /// The platform's error if a statement failed; nothing is written then.
    pub(crate) fn apply(&self, name: Option<&str>, command: CommandOf<H>) -> Result<AnswerOf<H>> {
        self.block(name, |desk| self.carry(desk, command))
    }

    fn carry(&self, desk: &Desk<'_, H>, command: CommandOf<H>) -> Result<AnswerOf<H>> {
        let decision = self.hosted.decide(desk, command)?;
        self.hosted.write(desk, &decision.changes)?;
        Ok(decision.answer)
    }

    /// Runs one synchronous block in a transaction: after an error nothing of it is written.
    ///
    /// # Errors
    /// The platform's error if a statement failed.
    pub(crate) fn block<T>(
        &self,
        name: Option<&str>,
        act: impl FnOnce(&Desk<'_, H>) -> Result<T>,
    ) -> Result<T> {
        let (mut act, mut done) = (Some(act), None);
        self.transact(name, &mut |desk| {
            if let Some(act) = act.take() {
                done = Some(act(desk)?);
            }
            Ok(())
        })?;
        done.ok_or_else(|| JsValue::from_str("the block did not run"))
    }

    /// The part that is the same for all blocks, and compiled once.
    fn transact(
        &self,
        name: Option<&str>,
        act: &mut dyn FnMut(&Desk<'_, H>) -> Result<()>,
    ) -> Result<()> {
        let config = configured::<H>()?;
        let sql = self.sql()?;
        let mut random = RandomOf::<H>::BLANK;
        getrandom::fill(random.as_mut()).map_err(|_| JsValue::from_str("no randomness"))?;
        together(self.state.as_ref(), &mut || {
            let is_new = !self.opened.get();
            if is_new {
                make_meta(&sql)?;
                migrate(&sql, H::MIGRATIONS)?;
            }
            let owner = H::owner(&sql, name)?;
            let (config, now) = (&*config, clock_ms());
            let desk = Desk { config, sql: &sql, owner: &owner, now, random: &random };
            if is_new {
                self.hosted.prepare(&desk)?;
                self.opened.set(true);
            }
            act(&desk)?;
            Ok(JsValue::UNDEFINED)
        })
        .inspect_err(|_| self.opened.set(false))
        .map(|_| ())
    }

    /// Reads, which needs no transaction and no randomness.
    ///
    /// # Errors
    /// The platform's error if a statement failed.
    #[cfg(feature = "market")]
    pub(crate) fn look<T>(
        &self,
        name: &str,
        act: impl FnOnce(&Desk<'_, H>) -> Result<T>,
    ) -> Result<T> {
        if !self.opened.get() {
            self.transact(Some(name), &mut |_| Ok(()))?;
        }
        let (config, sql) = (configured::<H>()?, self.sql()?);
        let owner = H::owner(&sql, Some(name))?;
        let (config, random) = (&*config, &RandomOf::<H>::BLANK);
        act(&Desk { config, sql: &sql, owner: &owner, now: clock_ms(), random })
    }

    /// Carries out the work of an alarm.
    ///
    /// # Errors
    /// The platform's error if a statement failed.
    pub(crate) async fn alarm(&self, work: impl Future<Output = Result<()>>) -> Result<()> {
        self.alarm.set(Alarm::UNKNOWN);
        // Whatever goes wrong, the alarm is set again: work that is due stays due.
        let worked = work.await;
        if let Some(at) = self.next_alarm(AGAIN_MS)? {
            let set = wake_at(&self.state, at as f64).await;
            if set.is_err() {
                self.alarm.set(Alarm::UNKNOWN);
            }
            set?;
        }
        worked
    }

    /// Millisecond to set the alarm for, which then counts as set; `None` unless it has to move.
    fn next_alarm(&self, pause_ms: u64) -> Result<Option<u64>> {
        let mut alarm = self.alarm.get();
        let at = alarm.advance(H::due_first(&self.sql()?)?, clock_ms(), pause_ms);
        self.alarm.set(alarm);
        Ok(at)
    }
}

/// The command of a message.
///
/// # Errors
/// Why it cannot be read: it may be of another version.
pub(crate) fn command_of<Command: DeserializeOwned>(message: &str) -> Result<Command> {
    let envelope: Envelope<Command> =
        serde_json::from_str(message).map_err(|error| unreadable(&error))?;
    Ok(envelope.command)
}

fn configured<H: Hosted>() -> Result<Rc<H::Config>> {
    H::config().ok_or_else(|| JsValue::from_str("not configured"))
}

fn unreadable(error: &serde_json::Error) -> JsValue {
    JsValue::from_str(&error.to_string())
}
