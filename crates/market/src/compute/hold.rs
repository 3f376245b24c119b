//! Held money: where it goes is decided once, with its job; a payout of the treasury moves it.
//!
//! Money in an escrow contract is registered first, by the same way: the treasury has one row for
//! each payment there, and decides once where it goes.
//!
//! Release and refund of a payment have one key at the treasury, and so one nonce: the treasury
//! makes at most one of them, and the token would refuse the second. The number of the try is a
//! part of the key, and grows only when the payout before it can never move.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::claim::{LEASE_MS, report_end, write_claim};
use super::event::event;
use super::job::write_end;
use super::kernel::{Applied, Decision, Now};
use super::keys::Keys;
use super::message::{Answer, Errand, JsonAnswer, PayoutCall};
use super::operator::write_hold;
use super::payout::PayoutOrders;
use super::records::{Change, Rows};
use super::refused::{no_hold, not_moved, nothing_to_ask, nothing_to_end};
use super::row::{
    EventKind, HoldRow, HoldState, JobRow, JobState, Leave, OrphanTally, RefundClaim,
};
use super::settings::PaymentProfile;
use super::stuck::pause_ms;
use crate::day::{day_number, day_start};
use crate::text::{object, or_null, quoted};
use farebox_base::amount::Amount;

/// Milliseconds of a day over which the turns of those who wait are spread.
const MOST_TURNS: u64 = 3_600_000;

/// The money that a wallet of the treasury, or a contract, holds for a profile.
#[derive(Clone, Copy)]
pub(super) struct HeldMoney<'g> {
    pub profile: &'g PaymentProfile,
    pub keys: &'g Keys,
    /// Organization and wallet of the treasury that pays out.
    pub payer: &'g (String, String),
}

impl<'g> HeldMoney<'g> {
    const fn orders(&self) -> PayoutOrders<'g> {
        PayoutOrders { profile: self.profile, payer: self.payer }
    }

    /// Decides where held money goes, and asks the treasury.
    pub fn leave(&self, hold: HoldRow, leave: Leave, tick: Now<'_>) -> Decision {
        self.look(decide(hold, leave), tick)
    }

    /// Asks the treasury for a caller. A caller's question does not lengthen the pause.
    pub fn ask_again(&self, hold: HoldRow, tick: Now<'_>) -> Decision {
        let looks = hold.looks.saturating_sub(1);
        self.look(HoldRow { looks, ..hold }, tick)
    }

    /// Has the next question asked at once, for an operator who has mended what kept the money.
    pub fn ask_now<R: Rows>(&self, records: &R, payment: &str, tick: Now<'_>) -> Applied<R> {
        let Some(hold) = records.hold(payment)? else { return Ok(Decision::reply(no_hold())) };
        let is_untold = hold.is_untold();
        if hold.due.is_none() && !is_untold {
            return Ok(Decision::reply(nothing_to_ask()));
        }
        // Whoever asks at this moment reports, and the alarm comes after that.
        let is_asked = hold.asked.is_some_and(|until| tick.now < until);
        let due = if is_asked { hold.due } else { Some(tick.now) };
        let looks = if is_untold { 0 } else { hold.looks };
        // Whoever asks once more has asked.
        let called = hold.called || is_untold && hold.lacks_transaction();
        // A person need not wait for the turn of what they ask for.
        let claim = match hold.claim {
            RefundClaim::Waiting => RefundClaim::Called,
            claim => claim,
        };
        let hold = HoldRow { due, looks, claim, called, ..hold };
        let answer = JsonAnswer::new(200, write_hold(self.profile, &hold));
        let changes = Vec::from([Change::Hold(Box::new(hold))]);
        Ok(Decision { answer: Answer::Reply(answer), changes })
    }

    /// Ends a job that was paid back or waived at the gate though its work was delivered, for an operator
    /// who has settled with its seller.
    pub fn end_now<R: Rows>(&self, records: &R, payment: &str, tick: Now<'_>) -> Applied<R> {
        let Some(hold) = records.hold(payment)? else { return Ok(Decision::reply(no_hold())) };
        let Some(leave) = hold.state.leave().filter(|_| hold.is_left()) else {
            return Ok(Decision::reply(nothing_to_end()));
        };
        let Decision { changes, .. } = self.end_unmoved(records, hold, leave, tick)?;
        let ended = changes.iter().find_map(|change| match change {
            Change::Hold(row) => Some(JsonAnswer::new(200, write_hold(self.profile, row))),
            _ => None,
        });
        Ok(Decision { answer: Answer::Reply(ended.unwrap_or_else(no_hold)), changes })
    }

    /// Asks the treasury about money that is on its way.
    pub fn look(&self, hold: HoldRow, tick: Now<'_>) -> Decision {
        let leave = hold.state.leave();
        if let HoldState::Ended(_) = hold.state {
            return report_end(hold, tick);
        }
        let looks = hold.looks.saturating_add(1);
        let due = Some(tick.now.saturating_add(LEASE_MS).saturating_add(pause_ms(hold.looks)));
        let hold = HoldRow { fence: hold.fence.saturating_add(1), ..hold };
        let asks_gate = hold.needs_claim();
        let order = self.orders().find_payout(&hold, leave).filter(|_| !asks_gate);
        let ask = if asks_gate {
            write_claim(&hold)
        } else if hold.payout.is_empty() {
            PayoutCall::Pay(match (&hold.entry, &order) {
                (Some(entry), _) => self.orders().write_escrow(&hold, entry, leave),
                (None, Some(order)) => order.clone(),
                (None, None) => return Decision::told(Answer::Nothing),
            })
        } else {
            let organization = self.orders().organization_of(&hold);
            PayoutCall::Look { id: hold.payout.clone(), organization }
        };
        let errand = Errand::about(&hold, ask);
        let asked = Some(tick.now.saturating_add(LEASE_MS));
        let has_asked = hold.has_asked || leave.is_some() && !asks_gate;
        let refused = if hold.has_asked { hold.refused && hold.asked.is_none() } else { true };
        let order = match errand.ask {
            PayoutCall::Pay(_) => order.unwrap_or_default(),
            _ => hold.order.clone(),
        };
        let hold = HoldRow { looks, due, asked, asks_gate, has_asked, refused, order, ..hold };
        let changes = Vec::from([Change::Hold(Box::new(hold))]);
        Decision { answer: Answer::Errand(Box::new(errand)), changes }
    }

    /// Looks at what is due. What goes back without a job has room of its own in a day, so that no one
    /// uses up what pays for work by buying nothing. The first of a day always goes; what finds no
    /// room, or others who wait, has its turn on a later day.
    pub fn look_due<R: Rows>(
        &self,
        records: &R,
        hold: HoldRow,
        per_day: Option<Amount>,
        tick: Now<'_>,
    ) -> Applied<R> {
        if !hold.needs_room() {
            return Ok(self.look(hold, tick));
        }
        let OrphanTally { gone, waiting, turns } = records.orphans()?;
        let is_new = hold.claim == RefundClaim::Granted;
        let has_others = is_new && waiting > 0;
        let gone = gone.on(tick.now);
        let units = Amount::from_atomic(&hold.units).unwrap_or(Amount::MAX);
        let fits = |most: Amount| {
            !has_others && gone.checked_add(units).is_some_and(|sum| gone.is_zero() || sum <= most)
        };
        if per_day.is_none_or(fits) {
            let claim = if is_new { RefundClaim::Admitted } else { RefundClaim::Called };
            return Ok(self.look(HoldRow { claim, ..hold }, tick));
        }
        // Who waits keeps their place in line.
        let place = match hold.due {
            Some(due) if !is_new => due.saturating_sub(day_start(day_number(due))),
            _ => turns % MOST_TURNS,
        };
        let tomorrow = day_start(day_number(tick.now).saturating_add(1));
        let due = Some(tomorrow.saturating_add(place));
        let row = HoldRow { claim: RefundClaim::Waiting, due, looks: 0, ..hold };
        let changes = Vec::from([Change::Hold(Box::new(row))]);
        Ok(Decision { answer: Answer::Done, changes })
    }

    /// Ends what leaves without a move of the exchange: it was paid back or waived at the gate.
    pub(super) fn end_unmoved<R: Rows>(
        &self,
        records: &R,
        hold: HoldRow,
        leave: Leave,
        tick: Now<'_>,
    ) -> Applied<R> {
        let (kind, state) = match leave {
            Leave::Release => (EventKind::ReleaseSkipped, JobState::Done),
            Leave::Refund => (EventKind::RefundSkipped, JobState::Failed),
        };
        let job = records.job(&hold.job)?.filter(|job| !job.state.is_over());
        let hold = HoldRow {
            claim: RefundClaim::Ended,
            state: HoldState::Ended(leave),
            fence: hold.fence.saturating_add(1),
            due: None,
            ..hold
        };
        let mut changes = Vec::from([Change::Hold(Box::new(hold.clone()))]);
        let Some(job) = job else { return Ok(Decision { answer: Answer::Done, changes }) };
        let news = event(kind, tick).job(&job.id).payment(&hold.payment).seller(&job.seller);
        let job = JobRow { state, ..job };
        let how = [("status", quoted("skipped")), ("reason", quoted("ended_at_gate"))];
        let body = write_end(&job, leave, object(&how), self.keys);
        changes.extend([Change::Job(Box::new(job)), news.done()]);
        Ok(Decision { answer: Answer::Reply(JsonAnswer::new(200, body)), changes })
    }

    pub(super) fn note_move(
        &self,
        hold: HoldRow,
        job: Option<JobRow>,
        leave: Leave,
        news: Option<Now<'_>>,
    ) -> Decision {
        let (kind, state, status) = match leave {
            Leave::Release => (EventKind::Released, JobState::Done, "released"),
            Leave::Refund => (EventKind::Refunded, JobState::Failed, "refunded"),
        };
        let hash = hold.transaction.clone();
        let news = news.map(|tick| {
            let event = event(kind, tick).job(&hold.job).payment(&hold.payment);
            event.seller(&hold.payee).transaction(&hash).done()
        });
        let mut changes: Vec<Change> = news.into_iter().collect();
        changes.push(Change::Hold(Box::new(hold)));
        let Some(job) = job else { return Decision { answer: Answer::Done, changes } };
        let job = JobRow { state, ..job };
        let how = object(&[("status", quoted(status)), ("tx_hash", or_null(&hash))]);
        let answer = JsonAnswer::new(200, write_end(&job, leave, how, self.keys));
        changes.push(Change::Job(Box::new(job)));
        Decision { answer: Answer::Reply(answer), changes }
    }
}

/// Decides where held money goes; the treasury is asked for it by an errand of its own.
pub(super) fn leave_later(hold: HoldRow, leave: Leave, tick: Now<'_>) -> Decision {
    let mut hold = decide(hold, leave);
    // Who asks at this moment has asked for something else.
    hold.fence = hold.fence.saturating_add(1);
    (hold.asked, hold.due) = (None, Some(tick.now));
    Decision { answer: Answer::Done, changes: Vec::from([Change::Hold(Box::new(hold))]) }
}

/// Money that is to leave: where it goes is decided once.
fn decide(mut hold: HoldRow, leave: Leave) -> HoldRow {
    let decided = match hold.state {
        HoldState::Held => leave,
        HoldState::Paying(known) | HoldState::Sent(known) | HoldState::Ended(known) => known,
    };
    // To register it was another thing, which may have been looked at often.
    if hold.state == HoldState::Held {
        hold.looks = 0;
    }
    hold.state = HoldState::Paying(decided);
    hold
}

/// Money that did not move yet; `news` is given when there is something to tell.
pub(super) fn put_off(hold: HoldRow, leave: Leave, news: Option<Now<'_>>) -> Decision {
    let kind = match leave {
        Leave::Release => EventKind::ReleaseFailed,
        Leave::Refund => EventKind::RefundFailed,
    };
    let news = news.map(|tick| event(kind, tick).job(&hold.job).payment(&hold.payment).done());
    let mut changes: Vec<Change> = news.into_iter().collect();
    changes.push(Change::Hold(Box::new(hold)));
    Decision { answer: Answer::Reply(not_moved(leave)), changes }
}
