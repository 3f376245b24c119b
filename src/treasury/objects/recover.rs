//! The work of the alarm: the attempts that are due, and the calls that some of them need.
//!
//! Only here does an object call out, at most four jobs and two notices at once; the result of each
//! goes to its attempt in a block of its own.

use std::cell::Cell;

use farebox_core::ledger::inquiry::Next;
use farebox_core::treasury::message::{Answer, Command};
use farebox_core::treasury::{Job, Treasury};
use futures_util::future::{join, join_all};
use wasm_bindgen::JsValue;

use super::outbox::{self, Due};
use super::treasury::{TreasuryBooks, TreasuryObject};
use crate::platform::calls::{clock_ms, pause};
use crate::platform::host::{Desk, Hosted};
use crate::platform::sql::Result;
use crate::treasury::calls::{self, Transport};
use crate::treasury::{config, drive};

/// Jobs at once.
const AT_ONCE: usize = 4;
/// Limit on the jobs and blocks of one alarm; the rest is due in a second again.
const MAX_JOBS: usize = 24;
/// Milliseconds after the last job in which notices are told before the next alarm.
const REST_MS: u64 = 1_000;
/// Milliseconds between two looks for notices while jobs are carried out.
const LOOK_MS: u32 = 250;

impl TreasuryObject {
    /// Carries out the work that is due: jobs and notices beside each other, so that neither waits
    /// for what the other one asks.
    pub(super) async fn recover(&self) -> Result<()> {
        let treasury = config::treasury().ok_or_else(|| JsValue::from_str("not configured"))?;
        let ended = Cell::new(None);
        let jobs = async {
            let done = self.carry_all(&treasury).await;
            ended.set(Some(clock_ms()));
            done
        };
        let (jobs, notices) = join(jobs, self.tell_all(&treasury, &ended)).await;
        jobs.and(notices)
    }

    async fn carry_all(&self, treasury: &Treasury) -> Result<()> {
        let mut calls = 0;
        while calls < MAX_JOBS {
            let (jobs, is_idle) = self.host.block(None, |desk| {
                let (rows, scene) = (desk.rows(), desk.scene());
                let (jobs, mut changes) = desk.config.recover(&rows, scene)?;
                changes.extend(desk.config.remove(&rows, scene)?);
                self.host.hosted.write(desk, &changes)?;
                let is_idle = changes.is_empty() && jobs.is_empty();
                Ok((jobs, is_idle))
            })?;
            if is_idle {
                return Ok(());
            }
            calls += 1 + jobs.len();
            let mut jobs = jobs.into_iter();
            loop {
                let some: Vec<Job> = jobs.by_ref().take(AT_ONCE).collect();
                if some.is_empty() {
                    break;
                }
                for done in join_all(some.into_iter().map(|job| self.carry(treasury, job))).await {
                    done?;
                }
            }
        }
        Ok(())
    }

    /// Tells the notices that are due, also those that come while jobs are carried out, which end
    /// at this time. A webhook that hangs holds up the next alarm by one call.
    async fn tell_all(&self, treasury: &Treasury, ended: &Cell<Option<u64>>) -> Result<()> {
        loop {
            let notices =
                self.host.block(None, |desk| outbox::take(desk.sql, desk.scene().now.secs()))?;
            let end = ended.get();
            if notices.is_empty() {
                match end {
                    Some(_) => return Ok(()),
                    None => pause(LOOK_MS).await,
                }
                continue;
            }
            for done in join_all(notices.into_iter().map(|due| self.tell(treasury, due))).await {
                done?;
            }
            if end.is_some_and(|end| clock_ms() >= end + REST_MS) {
                return Ok(());
            }
        }
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
                self.host.apply(None, report).map(|_| ())
            }
            Job::Enquire(mut enquiry) => loop {
                let report = drive::enquire(enquiry).await;
                match self.host.apply(None, report)? {
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
                self.host.block(None, |desk| {
                    let (rows, scene) = (desk.rows(), desk.scene());
                    let changes = desk.config.read(&rows, &attempt, fence, &finding, scene)?;
                    self.host.hosted.write(desk, &changes)
                })
            }
        }
    }

    /// Sends a notice.
    async fn tell(&self, treasury: &Treasury, due: Due) -> Result<()> {
        if calls::told(treasury, &due.body).await {
            let told = |desk: &Desk<'_, TreasuryBooks>| {
                outbox::was_told(desk.sql, &due.id, desk.scene().now.secs())
            };
            self.host.block(None, told)?;
        }
        Ok(())
    }
}
