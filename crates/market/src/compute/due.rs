//! The ends that come by time: those of quotes, payments and jobs that are not finished, one at a
//! time. They need no call, so that they wait for none: the money of a job that ends is due then. After
//! them come the errands.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::errand::Errands;
use super::event::event;
use super::kernel::{Applied, Decision, Now};
use super::message::Answer;
use super::offer::Limits;
use super::outcome::Outcomes;
use super::records::{Change, DueRow, Rows};
use super::row::{
    EventKind, HoldKind, HoldRow, JobRow, JobState, Leave, Presence, QuoteRow, QuoteState,
    SellerRow,
};
use super::seat::{Wanted, match_seat};
use super::standing::{RUN_MS, START_MS};
use super::till::{NoPayment, end_unpaid};
use farebox_base::amount::Amount;

/// Sellers that a job is given to before its money goes back.
pub const MAX_ATTEMPTS: u32 = 3;
/// Milliseconds in which the last of them has to begin: what is left of nine minutes is for the money.
const LAST_START_MS: u64 = 30_000;

/// Milliseconds from now within which all is due: the last is what has its turn on the next day.
const MAX_AHEAD_MS: u64 = 2 * 86_400_000;

/// The time of the look at what is due then: now, where only a clock that ran ahead has written so late a one.
#[must_use]
pub const fn look_at(due: u64, now: u64) -> u64 {
    if due > now.saturating_add(MAX_AHEAD_MS) { now } else { due }
}

/// Deadlines of the rows of a profile.
pub(super) struct Deadlines<'g> {
    pub limits: &'g Limits,
    pub outcomes: Outcomes<'g>,
}

impl Deadlines<'_> {
    /// Does what has been due for the longest time: ends first, then an errand that has a place.
    pub fn meet<R: Rows>(&self, records: &R, errands: &Errands, tick: Now<'_>) -> Applied<R> {
        let row = match records.due(tick.now)? {
            Some(end) => Some(end),
            end => next_errand(records, errands, tick)?.or(end),
        };
        match row {
            None => Ok(records
                .ahead(tick.now.saturating_add(MAX_AHEAD_MS))?
                .map_or_else(|| Decision::told(Answer::Nothing), |row| bring_back(row, tick))),
            Some(DueRow::Quote(quote)) => Ok(lapse(*quote)),
            Some(DueRow::Hold(hold)) => {
                self.outcomes.money.look_due(records, *hold, self.limits.per_day, tick)
            }
            Some(DueRow::Job(job)) => match job.state {
                JobState::Settling => end_unsettled(records, *job, tick),
                JobState::Paid | JobState::Running
                    if self.outcomes.money.keys.is_lost(&job.quote, &job.prompt) =>
                {
                    let why = r#"{"error":"The exchange cannot read the prompt any more."}"#;
                    self.outcomes.decide(records, *job, Leave::Refund, why, tick)
                }
                JobState::Paid | JobState::Running => self.pass_on(records, *job, tick),
                JobState::Releasing if job.proving.is_some() => {
                    self.outcomes.prove(records, *job, tick)
                }
                // Their money is due, not they.
                JobState::Releasing | JobState::Refunding | JobState::Done | JobState::Failed => {
                    let row = JobRow { due: None, ..*job };
                    Ok(finish(Vec::from([Change::Job(Box::new(row))])))
                }
            },
        }
    }

    /// Takes a job from a seller that let it lie, and gives it to another one, or the money back.
    fn pass_on<R: Rows>(&self, records: &R, job: JobRow, tick: Now<'_>) -> Applied<R> {
        let mut changes = Vec::new();
        if let Some(seller) = records.seller(&job.seller)? {
            let row =
                SellerRow { presence: Presence::Offline, ..seller.after_lapse(&job, tick.now) };
            changes.push(event(EventKind::SellerOffline, tick).seller(&row.id).job(&job.id).done());
            changes.push(Change::Seller(Box::new(row)));
        }
        let mut tried = job.tried.clone();
        tried.push(job.seller.clone());
        let hold = match job.hold {
            HoldKind::Escrow | HoldKind::Contract => records.hold(&job.payment)?,
            HoldKind::Completion | HoldKind::Mock => None,
        };
        let at_most = Amount::from_atomic(&job.units).ok();
        let wanted = Wanted::new(&job.capability, &job.buyer);
        let wanted = Wanted { at_most, is_counted: true, tried: &tried, ..wanted };
        // The money of a request that waits is signed for one seller; in the contract it has one.
        let has_one_seller = match job.hold {
            HoldKind::Completion | HoldKind::Contract => true,
            HoldKind::Escrow | HoldKind::Mock => false,
        };
        let is_gone = job.waits.is_some_and(|waits| tick.now >= waits);
        let may_go_on = !has_one_seller && job.attempts < MAX_ATTEMPTS && !is_gone;
        let next = if may_go_on { match_seat(records, self.limits, &wanted, tick)? } else { None };
        let Some(seat) = next else {
            let why = match job.state {
                JobState::Running => r#"{"error":"The seller did not deliver in time."}"#,
                _ => r#"{"error":"The seller did not begin in time."}"#,
            };
            let mut decision = self.outcomes.decide(records, job, Leave::Refund, why, tick)?;
            changes.append(&mut decision.changes);
            return Ok(Decision { changes, answer: decision.answer });
        };
        if let Some(hold) = hold {
            let row = HoldRow { payee: seat.seller.id.clone(), ..hold };
            changes.push(Change::Hold(Box::new(row)));
        }
        let attempts = job.attempts.saturating_add(1);
        let is_last = attempts >= MAX_ATTEMPTS;
        let begins = tick.now.saturating_add(if is_last { LAST_START_MS } else { START_MS });
        let row = JobRow {
            seller: seat.seller.id.clone(),
            tried,
            state: JobState::Paid,
            attempts,
            due: Some(job.waits.map_or(begins, |waits| waits.min(begins))),
            ..job
        };
        let event = event(EventKind::Matching, tick).job(&row.id).seller(&seat.seller.id);
        changes.push(event.payment(&row.quote.to_string()).done());
        changes.extend(seat.edits(tick));
        changes.push(Change::Job(Box::new(row)));
        Ok(finish(changes))
    }
}

/// Has what a clock that ran ahead has written be due again: a job as late as if it began now.
fn bring_back(row: DueRow, tick: Now<'_>) -> Decision {
    match row {
        DueRow::Quote(quote) => lapse(*quote),
        DueRow::Job(job) => {
            let due = Some(tick.now.saturating_add(RUN_MS));
            finish(Vec::from([Change::Job(Box::new(JobRow { due, ..*job }))]))
        }
        DueRow::Hold(hold) => {
            let due = Some(tick.now);
            finish(Vec::from([Change::Hold(Box::new(HoldRow { due, ..*hold }))]))
        }
    }
}

/// The row that has been due for the longest time, of the first kind of errand that has one and a place:
/// first those of sellers that had no turn yet, and then another round begins.
fn next_errand<R: Rows>(
    records: &R,
    errands: &Errands,
    tick: Now<'_>,
) -> Result<Option<DueRow>, R::Error> {
    for kind in errands.kinds() {
        let lane = errands.lane(kind);
        let served: &[String] = &lane.served;
        // Those that are under way may be due again.
        let mut row = records.errand(kind, tick.now, &lane.under_way, served)?;
        if row.is_none() && !served.is_empty() {
            row = records.errand(kind, tick.now, &lane.under_way, &[])?;
        }
        if row.is_some() {
            return Ok(row);
        }
    }
    Ok(None)
}

/// Ends a job whose payment did not come.
fn end_unsettled<R: Rows>(records: &R, job: JobRow, tick: Now<'_>) -> Applied<R> {
    let Some(quote) = records.quote(&job.quote)? else {
        return Ok(finish(Vec::from([Change::JobGone(job.id)])));
    };
    Ok(finish(end_unpaid(quote, &job, NoPayment::Unheard, tick)))
}

fn lapse(quote: QuoteRow) -> Decision {
    // Strangers ask for any number of quotes that lose their seats: those leave no prompts behind, but
    // what its buyer has signed for may still be paid.
    let is_signed = quote.unheard;
    let is_left = quote.state == QuoteState::Displaced && !is_signed;
    let prompt = if is_left { String::new() } else { quote.prompt.clone() };
    let row = QuoteRow { state: QuoteState::Lapsed, prompt, ..quote };
    finish(Vec::from([Change::Quote(Box::new(row))]))
}

const fn finish(changes: Vec<Change>) -> Decision {
    Decision { answer: Answer::Done, changes }
}
