//! The work of the alarm: the rows that are due, and the calls that some of them need.
//!
//! Only here does an object call out, at most four calls at once; the result of each goes to its
//! row in a block of its own.

use farebox_core::gate::Gate;
use farebox_core::gate::alarm::RecoveryStep;
use farebox_core::ledger::inquiry::MAX_ROUND_TRIPS;
use futures_util::future::join_all;

use super::ledger::Ledger;
use super::outbox::{DueNotice, notify};
use super::rows::is_moving;
use crate::platform::now;
use crate::platform::sql::Result;
use crate::worker::{chain, config, facilitator, ledger};

/// Calls at once.
const AT_ONCE: usize = 4;
/// Limit on the calls of one alarm, below what the platform allows an invocation; the rest is due
/// at once again.
const MAX_FETCHES: usize = 32;

/// A call of the alarm.
enum Job {
    /// About a row.
    Row(Box<RecoveryStep>),
    /// A notice to the operator.
    Notify(DueNotice),
}

impl Ledger {
    /// Carries out the work that is due.
    pub(super) async fn recover(&self) -> Result<()> {
        // A failure there must not hold up a payment.
        let chores = self.with_rows(|desk| desk.run_retention());
        // One part in an event; the next one comes at once, and has its time to itself.
        if chores.as_ref().is_err_and(is_moving) {
            return self.wake_now().await;
        }
        let mut fetches = 0;
        while fetches + AT_ONCE * MAX_ROUND_TRIPS <= MAX_FETCHES {
            let jobs = self.next_jobs()?;
            if jobs.is_empty() {
                return chores;
            }
            for done in join_all(jobs.into_iter().map(|job| self.carry(job))).await {
                fetches += done?;
            }
        }
        chores
    }

    /// Finishes the rows that need no call, and takes up to four calls.
    fn next_jobs(&self) -> Result<Vec<Job>> {
        self.with_rows(|desk| {
            let scene = desk.scene();
            let (due, changes) = desk.shard.due(AT_ONCE, desk.rows, &scene)?;
            desk.write(&changes)?;
            let rows = due.into_iter().filter_map(|due| desk.gate.recovery().begin(due));
            let mut jobs: Vec<Job> = rows.map(Box::new).map(Job::Row).collect();
            let notices = desk.due_notices(AT_ONCE.saturating_sub(jobs.len()))?;
            jobs.extend(notices.into_iter().map(Job::Notify));
            Ok(jobs)
        })
    }

    /// Makes the calls of one job, and returns their number.
    async fn carry(&self, job: Job) -> Result<usize> {
        let Some(gate) = config::for_objects() else { return Ok(1) };
        match job {
            Job::Notify(notice) => {
                if notify(&gate, &notice).await {
                    self.with_rows(|desk| desk.was_told(&notice))?;
                }
                Ok(1)
            }
            Job::Row(errand) => self.run(&gate, *errand).await,
        }
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
                RecoveryStep::Tell(envelope) => {
                    self.with_rows(|desk| desk.count_and_apply(*envelope, None))?;
                    return Ok(calls.max(1));
                }
            };
        }
    }
}
