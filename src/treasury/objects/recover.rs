//! The work of the alarm: the attempts that are due, and the calls that some of them need.
//!
//! Only here does an object call out, at most four jobs and two notices at once; the result of each
//! goes to its attempt in a block of its own. A place that is free takes the next job, so that none
//! waits for what hangs.

use std::cell::Cell;

use farebox_core::ledger::inquiry::Next;
use farebox_core::treasury::message::{Answer, Command};
use farebox_core::treasury::{Job, PlacedJob, Places, TakenPlace, Treasury};
use futures_util::StreamExt;
use futures_util::future::{Either, join, join_all, select};
use futures_util::stream::FuturesUnordered;
use wasm_bindgen::JsValue;

use super::outbox::{self, Due};
use super::treasury::{TreasuryBooks, TreasuryObject};
use crate::platform::calls::{clock_ms, pause};
use crate::platform::host::{Desk, Hosted};
use crate::platform::sql::Result;
use crate::treasury::calls::{self, Transport};
use crate::treasury::{config, drive};

/// Limit on the jobs and blocks of one alarm; the rest is due in a second again.
const MAX_JOBS: usize = 24;
/// Those beyond that for each second in which some of them go on.
const MORE_JOBS: usize = 4;
/// Milliseconds after which an alarm begins nothing more.
const MAX_MS: u64 = 60_000;
/// Milliseconds between two looks for what is due while jobs go on.
const NEXT_MS: u32 = 1_000;
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

    /// Carries out what is due, as places become free. What hangs takes up no more than its place: as
    /// long as it goes on, more is begun.
    async fn carry_all(&self, treasury: &Treasury) -> Result<()> {
        let (mut places, mut running) = (Places::default(), FuturesUnordered::new());
        let (mut left, end) = (MAX_JOBS, clock_ms() + MAX_MS);
        let (mut carried, mut second) = (Ok(()), Box::pin(pause(NEXT_MS)));
        loop {
            while carried.is_ok() && left > 0 && clock_ms() < end {
                match self.begin(&places) {
                    Ok(None) => break,
                    Ok(Some(works)) => {
                        left = left.saturating_sub(1 + works.len());
                        for work in works {
                            places.take(work.place.clone());
                            running.push(self.carry_timed(treasury, work));
                        }
                    }
                    Err(error) => carried = Err(error),
                }
            }
            match select(running.next(), &mut second).await {
                Either::Left((None, _)) => return carried,
                Either::Left((Some((place, milliseconds, done)), _)) => {
                    places.leave(place, milliseconds);
                    carried = carried.and(done);
                }
                Either::Right(_) => {
                    left = left.max(MORE_JOBS);
                    second = Box::pin(pause(NEXT_MS));
                }
            }
        }
    }

    /// Begins what is due and has a place: the jobs, once that is written; `None` if nothing is due.
    fn begin(&self, places: &Places) -> Result<Option<Vec<PlacedJob>>> {
        self.host.block(None, |desk| {
            let (rows, scene) = (desk.rows(), desk.scene());
            let (works, mut changes) = desk.config.recover(&rows, places, scene)?;
            changes.extend(desk.config.remove(&rows, scene)?);
            self.host.hosted.write(desk, &changes)?;
            Ok((!changes.is_empty() || !works.is_empty()).then_some(works))
        })
    }

    /// Carries out one job: its place, the milliseconds that it took, and what came of it.
    async fn carry_timed(
        &self,
        treasury: &Treasury,
        work: PlacedJob,
    ) -> (TakenPlace, u64, Result<()>) {
        let began = clock_ms();
        let done = self.carry(treasury, work.job).await;
        (work.place, clock_ms().saturating_sub(began), done)
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
