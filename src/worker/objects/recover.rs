//! The work of the alarm: the rows that are due, the calls that some of them need, and the notices.
//!
//! Only here does an object call out, for at most four rows and two notices at once; the result of
//! each goes to its row in a block of its own. A place that is free takes the next row at once.

use std::cell::Cell;

use farebox_core::encoding::json;
use farebox_core::gate::Gate;
use farebox_core::gate::alarm::RecoveryStep;
use farebox_core::ledger::report::{Decision, ObjectRequest};
use farebox_core::ledger::shard::{Change, Due, Places, Slot};
use farebox_core::time::UnixTime;
use futures_util::future::{join, join_all, select_all};
use wasm_bindgen::JsValue;

use super::ledger::{Ledger, Txn};
use super::outbox::{DueNotice, notify};
use super::rows::is_moving;
use crate::platform::calls::{clock_ms, pause};
use crate::platform::now;
use crate::platform::sql::Result;
use crate::worker::{chain, config, edge, facilitator, ledger, treasury};

/// Limit on the notices of one alarm: with [`Places::MAX_CALLS`] below what the platform allows an
/// invocation.
const MAX_NOTICES: usize = 8;
/// Notices at once.
const NOTICES_AT_ONCE: usize = 2;
/// Milliseconds between two looks for notices while calls for rows are made.
const LOOK_MS: u32 = 250;
/// Seconds for which a row waits that could not be written, at first; then twice as long each time, up
/// to an hour.
const FIRST_WAIT_SECS: u64 = 15;
/// How often it is doubled.
const MOST_DOUBLED: u32 = 8;
/// Rows that wait so; more of them are no matter of rows.
const MAX_UNWRITTEN: usize = 100;
/// Milliseconds after the last row in which notices are told before the next alarm.
const REST_MS: u64 = 1_000;

impl Ledger {
    /// Carries out the work that is due: rows and notices beside each other, so that neither waits
    /// for what the other one asks.
    pub(super) async fn recover(&self) -> Result<()> {
        // A failure there must not hold up a payment.
        let chores = self.with_rows(|desk| desk.run_retention());
        // One part in an event; the next one comes at once, and has its time to itself.
        if chores.as_ref().is_err_and(is_moving) {
            return self.wake_now().await;
        }
        let Some(gate) = config::for_objects() else { return chores };
        let ended = Cell::new(None);
        let rows = async {
            let done = self.carry_all(&gate).await;
            ended.set(Some(clock_ms()));
            done
        };
        let (rows, notices) = join(rows, self.tell_all(&gate, &ended)).await;
        rows.and(notices).and(chores)
    }

    /// Carries out the rows that are due.
    async fn carry_all(&self, gate: &Gate) -> Result<()> {
        let (mut places, mut running, mut worked) = (Places::default(), Vec::new(), Ok(()));
        loop {
            if worked.is_ok() {
                let jobs = self.next_jobs(gate, &mut places);
                match jobs {
                    Ok(jobs) => running.extend(
                        jobs.into_iter().map(|(slot, step)| Box::pin(self.carry(gate, slot, step))),
                    ),
                    Err(error) => worked = Err(error),
                }
            }
            // What is under way is brought to its end, whatever fails beside it.
            if running.is_empty() {
                return worked;
            }
            let ((slot, calls), _, rest) = select_all(running).await;
            running = rest;
            places.leave(&slot, *calls.as_ref().unwrap_or(&0));
            worked = match calls {
                Err(error) if !is_moving(&error) => worked.and(self.postpone(&slot, &error)),
                calls => worked.and(calls.map(|_| ())),
            };
        }
    }

    /// Finishes the rows that need no call, and takes those that find a place.
    fn next_jobs(&self, gate: &Gate, places: &mut Places) -> Result<Vec<(Slot, RecoveryStep)>> {
        let before = places.clone();
        let written = self.with_rows(|desk| {
            let (due, changes) = desk.due(places)?;
            desk.write(&changes)?;
            Ok((due, changes))
        });
        let due = match written {
            Err(error) if !is_moving(&error) => {
                *places = before;
                self.write_each(places)?
            }
            written => {
                let (due, changes) = written?;
                self.note_written(&changes);
                due
            }
        };
        let mut jobs = Vec::new();
        for due in due {
            let slot = due.slot().clone();
            match gate.recovery().begin(due) {
                Some(step) => jobs.push((slot, step)),
                None => places.leave(&slot, 0),
            }
        }
        Ok(jobs)
    }

    /// Writes the rows that are due one by one: one that cannot be written holds up no other.
    fn write_each(&self, places: &mut Places) -> Result<Vec<Due>> {
        let (mut due, changes) = self.with_rows(|desk| desk.due(places))?;
        for written in changes.chunk_by(|one, next| one.slot() == next.slot()) {
            let result = self.with_rows(|desk| desk.write(written));
            if result.is_ok() {
                self.note_written(written);
            }
            if let (Err(error), Some(slot)) = (result, written.first().and_then(Change::slot)) {
                self.postpone(slot, &error)?;
                places.leave(slot, 0);
                due.retain(|due| due.slot() != slot);
            }
        }
        Ok(due)
    }

    /// Lets a row wait that could not be written.
    fn postpone(&self, slot: &Slot, error: &JsValue) -> Result<()> {
        let line = farebox_core::json!({
            "event": "row_not_written",
            "key8": slot.key.get(..8).unwrap_or_default(),
            "error": format!("{error:?}").chars().take(200).collect::<String>(),
        });
        edge::log(&json::text(&line));
        let until = self.note_unwritten(slot);
        self.with_rows(|desk| {
            desk.shard.postpone(slot, until);
            Ok(())
        })
    }

    /// Notes a row that could not be written; until when it waits.
    fn note_unwritten(&self, slot: &Slot) -> UnixTime {
        let mut unwritten = self.unwritten.borrow_mut();
        if unwritten.len() >= MAX_UNWRITTEN {
            unwritten.clear();
        }
        let row = unwritten.entry(slot.clone()).or_default();
        let until = now().plus(FIRST_WAIT_SECS << row.tries.min(MOST_DOUBLED));
        (row.until, row.tries) = (until.secs(), row.tries.saturating_add(1));
        until
    }

    /// Tells the notices that are due, also those that come while rows are carried out, which end
    /// at this time. A webhook that hangs holds up the next alarm by one call.
    async fn tell_all(&self, gate: &Gate, ended: &Cell<Option<u64>>) -> Result<()> {
        let mut told = 0;
        while told < MAX_NOTICES && gate.webhook().is_some() {
            let notices = self.with_rows(|desk| desk.due_notices(NOTICES_AT_ONCE))?;
            let end = ended.get();
            if notices.is_empty() {
                if end.is_some() {
                    break;
                }
                pause(LOOK_MS).await;
                continue;
            }
            told += notices.len();
            for done in join_all(notices.into_iter().map(|due| self.tell(gate, due))).await {
                done?;
            }
            if end.is_some_and(|end| clock_ms() >= end + REST_MS) {
                break;
            }
        }
        Ok(())
    }

    async fn tell(&self, gate: &Gate, notice: DueNotice) -> Result<()> {
        if notify(gate, &notice).await {
            self.with_rows(|desk| desk.was_told(&notice))?;
        }
        Ok(())
    }

    async fn carry(&self, gate: &Gate, slot: Slot, step: RecoveryStep) -> (Slot, Result<usize>) {
        (slot, self.run(gate, step).await)
    }

    /// Carries out the steps of a row to the end.
    async fn run(&self, gate: &Gate, mut errand: RecoveryStep) -> Result<usize> {
        let mut calls = 0;
        loop {
            errand = match errand {
                RecoveryStep::Settle(call, sending) => {
                    calls += 1;
                    let reply = facilitator::told(gate, &call).await;
                    sending.answered(gate.recovery(), &reply)
                }
                RecoveryStep::Take(call, taking) => {
                    calls += 1;
                    taking.answered(ledger::read(&self.namespace, &call).await)
                }
                RecoveryStep::Read(call, looking) => {
                    calls += 1;
                    let reply = chain::reply(chain::send(gate, &call.network, &call.body)).await;
                    looking.answered(reply.as_deref().map(str::as_bytes), now())
                }
                RecoveryStep::PayOut(call, paying) => {
                    calls += 1;
                    let answer = treasury::ask(gate, &self.services, &call).await;
                    paying.answered(answer.as_ref())
                }
                RecoveryStep::Prove(call, paying) => {
                    calls += 1;
                    let reply = chain::reply(chain::send(gate, &call.network, &call.body)).await;
                    paying.saw(reply.as_deref().map(str::as_bytes))
                }
                RecoveryStep::Decide(id, decision) => {
                    if matches!(decision, Decision::NotRefunded { .. }) {
                        edge::complain(&format!(
                            "farebox: the treasury does not pay {id} back; pay it back yourself"
                        ));
                    }
                    self.with_rows(|desk| desk.report(ObjectRequest::Decide { id, decision }))?;
                    return Ok(calls.max(1));
                }
                RecoveryStep::Rest => return Ok(calls.max(1)),
                RecoveryStep::Tell(envelope) => {
                    self.with_rows(|desk| desk.count_and_apply(*envelope, None))?;
                    return Ok(calls.max(1));
                }
            };
        }
    }
}

impl Txn<'_> {
    /// The calls that are due and find a place, and the writes for them and for all other rows that are.
    fn due(&mut self, places: &mut Places) -> Result<(Vec<Due>, Vec<Change>)> {
        let scene = self.scene();
        self.shard.due(places, self.rows, &scene)
    }
}
