//! The work of the alarm: the attempts that are due, and the calls that some of them need.
//!
//! Only here does an object call out, at most four calls at once; the result of each goes to its
//! attempt in a block of its own.

use farebox_core::ledger::inquiry::Next;
use farebox_core::treasury::message::{Answer, Command};
use farebox_core::treasury::{Job, Treasury};
use futures_util::future::join_all;

use super::outbox::{self, Due};
use super::treasury::TreasuryObject;
use crate::platform::sql::Result;
use crate::treasury::calls::{self, Transport};
use crate::treasury::drive;

/// Calls at once.
const AT_ONCE: usize = 4;
/// Limit on the jobs and blocks of one alarm; the rest is due in a second again.
const MAX_JOBS: usize = 24;

impl TreasuryObject {
    /// Carries out the work that is due.
    pub(super) async fn recover(&self) -> Result<()> {
        let mut calls = 0;
        while calls < MAX_JOBS {
            let (jobs, notices, treasury, is_idle) = self.block(None, |desk| {
                let now = desk.scene.now.secs();
                let (jobs, mut changes) = desk.treasury.recover(&desk.rows, desk.scene)?;
                changes.extend(desk.treasury.remove(&desk.rows, desk.scene)?);
                desk.rows.write(&desk.treasury, &changes, now)?;
                let room = AT_ONCE.saturating_sub(jobs.len()) as u64;
                let notices = outbox::take(desk.rows.0, room, now)?;
                let is_idle = changes.is_empty() && jobs.is_empty() && notices.is_empty();
                Ok((jobs, notices, desk.treasury.clone(), is_idle))
            })?;
            if is_idle {
                return Ok(());
            }
            calls += 1 + jobs.len() + notices.len();
            let mut jobs = jobs.into_iter();
            loop {
                let some: Vec<Job> = jobs.by_ref().take(AT_ONCE).collect();
                if some.is_empty() {
                    break;
                }
                for done in join_all(some.into_iter().map(|job| self.carry(&treasury, job))).await {
                    done?;
                }
            }
            for done in join_all(notices.into_iter().map(|due| self.tell(&treasury, due))).await {
                done?;
            }
        }
        Ok(())
    }

    /// Makes the calls of one job, and writes what came of them.
    async fn carry(&self, treasury: &Treasury, job: Job) -> Result<()> {
        let way = Transport { treasury, env: &self.env };
        match job {
            Job::Send(order, asked_first) => {
                let answers = match asked_first {
                    Some(url) => calls::publishes_keys(way, &url).await,
                    None => true,
                };
                let report = if answers {
                    drive::deliver(way, &order).await
                } else {
                    let (attempt, fence) = (order.attempt, order.fence);
                    Command::Lost { attempt, fence, sent: true }
                };
                self.block(None, |desk| {
                    let decided = desk.treasury.apply(&desk.rows, report, desk.scene)?;
                    desk.rows.write(&desk.treasury, &decided.changes, desk.scene.now.secs())
                })
            }
            Job::Enquire(mut enquiry) => loop {
                let report = drive::enquire(enquiry).await;
                let decided = self.block(None, |desk| {
                    let decided = desk.treasury.apply(&desk.rows, report, desk.scene)?;
                    desk.rows.write(&desk.treasury, &decided.changes, desk.scene.now.secs())?;
                    Ok(decided)
                })?;
                match decided.answer {
                    Answer::Enquire(next) => enquiry = *next,
                    Answer::Reply(_)
                    | Answer::Done
                    | Answer::Prepare(_)
                    | Answer::Send(_)
                    | Answer::Claim(_)
                    | Answer::Held(_) => return Ok(()),
                }
            },
            Job::Read { attempt, fence, node, question } => {
                let (mut body, mut asking) = (*question).ask();
                let finding = loop {
                    let reply = calls::node(&node, &body).await;
                    match asking.answered(reply.as_deref().map(str::as_bytes)) {
                        Next::Ask(next, waiting) => (body, asking) = (next, waiting),
                        Next::Found(finding) => break finding,
                    }
                };
                self.block(None, |desk| {
                    let rows = &desk.rows;
                    let changes =
                        desk.treasury.read(rows, &attempt, fence, &finding, desk.scene)?;
                    rows.write(&desk.treasury, &changes, desk.scene.now.secs())
                })
            }
        }
    }

    /// Sends a notice.
    async fn tell(&self, treasury: &Treasury, due: Due) -> Result<()> {
        if calls::told(treasury, &due.body).await {
            self.block(None, |desk| outbox::was_told(desk.rows.0, &due.id, desk.scene.now.secs()))?;
        }
        Ok(())
    }
}
