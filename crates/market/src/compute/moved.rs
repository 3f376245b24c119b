//! Answers of the treasury and the gate about held money, and what they lead to.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::claim::{GateLeave, read_leave, take_report};
use super::hold::{HeldMoney, put_off};
use super::job::show_paid;
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, PayoutAnswer};
use super::payout::{is_forgotten, is_refused};
use super::records::{Change, Rows};
use super::row::{HoldRow, HoldState, JobRow, Leave, RefundClaim};
use super::stuck::{MANY_LOOKS, pause_ms};
use crate::grant::Grant;
use farebox_common::payout::{PayoutState, read_answer};

impl HeldMoney<'_> {
    /// Takes the treasury's answer about a payment that is to be registered.
    fn take_registration<R: Rows>(
        &self,
        records: &R,
        hold: HoldRow,
        answer: Option<&PayoutAnswer>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let (told, _) = answer.map_or((PayoutState::Unknown, String::new()), read_answer);
        let (hash, due) = match told {
            PayoutState::Sent(hash) | PayoutState::Confirmed(hash) => (hash, None),
            PayoutState::Dead | PayoutState::Open | PayoutState::Unknown => {
                (String::new(), Some(tick.now.saturating_add(pause_ms(hold.looks))))
            }
        };
        let job = records.job(&hold.job)?;
        let mut changes = Vec::from([Change::Hold(Box::new(HoldRow { due, ..hold }))]);
        let Some(job) = job else { return Ok(Decision { answer: Answer::Done, changes }) };
        let job = JobRow { registration: hash, ..job };
        let reaction = Answer::Reply(show_paid(&job, self.keys));
        if due.is_none() {
            changes.push(Change::Job(Box::new(job)));
        }
        Ok(Decision { answer: reaction, changes })
    }

    /// Takes the treasury's answer, and ends the job when its money has moved.
    pub fn take_answer<R: Rows>(
        &self,
        records: &R,
        grant: Grant<'_>,
        answer: Option<&PayoutAnswer>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let hold = records.hold(grant.id)?.filter(|hold| hold.fence == grant.fence);
        let Some(hold) = hold else { return Ok(Decision::told(Answer::Nothing)) };
        let hold = HoldRow { asked: None, ..hold };
        let Some(leave) = hold.state.leave() else {
            return match hold.entry {
                None => Ok(Decision::told(Answer::Nothing)),
                Some(_) => self.take_registration(records, hold, answer, tick),
            };
        };
        if let HoldState::Ended(leave) = hold.state {
            return Ok(take_report(hold, leave, answer, tick));
        }
        if hold.asks_gate {
            return self.take_claim(records, hold, leave, answer, tick);
        }
        self.take_payout(records, hold, leave, answer, tick)
    }

    /// Takes the treasury's answer about a payout that it was asked for.
    fn take_payout<R: Rows>(
        &self,
        records: &R,
        hold: HoldRow,
        leave: Leave,
        answer: Option<&PayoutAnswer>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let hold = match answer.is_some_and(|answer| is_refused(answer, hold.refused)) {
            true => HoldRow { has_asked: false, refused: false, order: String::new(), ..hold },
            false => HoldRow { refused: false, ..hold },
        };
        let (told, payout) = answer.map_or((PayoutState::Unknown, String::new()), read_answer);
        let payout = keep_payout(&hold, answer, payout);
        let due = Some(tick.now.saturating_add(pause_ms(hold.looks)));
        match told {
            PayoutState::Confirmed(hash) => {
                let hold = HoldRow { payout, due, ..hold };
                self.take_move(records, hold, HoldState::Ended(leave), hash, tick)
            }
            PayoutState::Sent(hash) => {
                let hold = HoldRow { payout, due, ..hold };
                self.take_move(records, hold, HoldState::Sent(leave), hash, tick)
            }
            PayoutState::Dead => {
                Ok(put_off(HoldRow { due, ..start_again(hold, leave) }, leave, Some(tick)))
            }
            PayoutState::Open | PayoutState::Unknown => {
                // Every look would be an event otherwise.
                let is_news = hold.looks <= 1 && hold.state == HoldState::Paying(leave);
                let row = HoldRow { payout, due, ..hold };
                Ok(put_off(row, leave, is_news.then_some(tick)))
            }
        }
    }

    /// Takes it that money is on its way by a transaction, or has arrived.
    fn take_move<R: Rows>(
        &self,
        records: &R,
        hold: HoldRow,
        state: HoldState,
        hash: String,
        tick: Now<'_>,
    ) -> Applied<R> {
        let Some(leave) = state.leave() else { return Ok(Decision::told(Answer::Nothing)) };
        let is_ended = state == HoldState::Ended(leave);
        // Of what it had no answer for the gate says that it is owed, until it is told.
        let is_told = HoldRow { state, ..hold.clone() }.is_reported();
        let due = if is_ended { is_told.then_some(tick.now) } else { hold.due };
        let is_news = matches!(hold.state, HoldState::Paying(_));
        // To be asked for and to be confirmed take looks of their own.
        let looks = if is_ended || is_news { 0 } else { hold.looks };
        let transaction = if hash.is_empty() { hold.transaction.clone() } else { hash };
        // What has arrived is asked for no more.
        let order = if is_ended { String::new() } else { hold.order.clone() };
        let row = HoldRow { state, order, transaction, due, looks, ..hold };
        let job = records.job(&row.job)?.filter(|job| !job.state.is_over());
        Ok(self.note_move(row, job, leave, is_news.then_some(tick)))
    }

    /// Takes the gate's answer about money that it owes. Only its word leads to a payout: its operator
    /// may be at it, or the payment still buys something.
    fn take_claim<R: Rows>(
        &self,
        records: &R,
        hold: HoldRow,
        leave: Leave,
        answer: Option<&PayoutAnswer>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let is_orphan = hold.job.is_empty();
        let is_new = !hold.has_payout();
        let granted = match hold.claim {
            RefundClaim::Called => RefundClaim::Admitted,
            _ => RefundClaim::Granted,
        };
        let done = |row| {
            let changes = Vec::from([Change::Hold(Box::new(row))]);
            Decision { answer: Answer::Done, changes }
        };
        let later = |row: HoldRow| {
            let due = Some(tick.now.saturating_add(pause_ms(row.looks)));
            put_off(HoldRow { due, ..row }, leave, None)
        };
        // A gate that cannot be asked does not keep what nobody has told it to be owed.
        let is_unheard = !hold.is_owed() && (hold.unheard || hold.looks >= MANY_LOOKS);
        Ok(match hear_gate(&hold, answer) {
            GateLeave::Silent if is_unheard => {
                let hold = HoldRow { unheard: true, ..hold };
                match hold.has_payout() {
                    true => later(hold),
                    false => self.look(HoldRow { looks: 0, ..hold }, tick),
                }
            }
            GateLeave::Granted { .. } if is_orphan => {
                done(HoldRow { claim: granted, looks: 0, due: Some(tick.now), ..hold })
            }
            GateLeave::Granted { owed } => {
                // It hears where its debt went.
                let owed = hold.owed || owed && leave == Leave::Refund;
                self.look(HoldRow { claim: granted, owed, looks: 0, ..hold }, tick)
            }
            // What was served there is no debt: the job decides alone.
            GateLeave::Other if !is_orphan => {
                self.look(HoldRow { claim: granted, owed: false, looks: 0, ..hold }, tick)
            }
            // A seller who delivered may have been paid by a person: who says so ends the job.
            GateLeave::Ended if is_new && leave == Leave::Refund => {
                return self.end_unmoved(records, hold, leave, tick);
            }
            GateLeave::Ended if is_new => later(HoldRow { claim: RefundClaim::Ended, ..hold }),
            // From now on only its word lets the money go.
            GateLeave::Begun => {
                later(HoldRow { owed: hold.owed || !is_orphan, begun: true, ..hold })
            }
            GateLeave::Other
            | GateLeave::Ended
            | GateLeave::Later
            | GateLeave::Silent
            | GateLeave::Unknown => later(hold),
        })
    }
}

/// The payout to ask about next time.
fn keep_payout(hold: &HoldRow, answer: Option<&PayoutAnswer>, told: String) -> String {
    // A payment in a contract is asked for again by itself: that drives it on.
    let is_kept = told.is_empty() || hold.entry.is_some();
    // A restored treasury has forgotten it. The order under its key has the same nonce, also if it
    // has moved; without that order, of an earlier version, it might be paid out of another wallet.
    let is_lost = !hold.order.is_empty() && answer.is_some_and(is_forgotten);
    match is_kept {
        true if is_lost => String::new(),
        true => hold.payout.clone(),
        false => told,
    }
}

/// Money whose payout can never move, before the next try. Nothing is under way, so that who paid it
/// back meanwhile is heard before that.
fn start_again(hold: HoldRow, leave: Leave) -> HoldRow {
    // What it was told to have moved by never will be: the row is read by people.
    let transaction = String::new();
    HoldRow {
        state: HoldState::Paying(leave),
        tries: hold.tries.saturating_add(1),
        payout: String::new(),
        transaction,
        order: String::new(),
        has_asked: false,
        refused: false,
        unheard: false,
        ..hold
    }
}

/// Reads the gate's word by what is known of this money.
fn hear_gate(hold: &HoldRow, answer: Option<&PayoutAnswer>) -> GateLeave {
    match read_leave(answer) {
        // What was paid back there stays so, though the gate keeps its row no longer.
        GateLeave::Unknown | GateLeave::Other | GateLeave::Silent if hold.is_left() => {
            GateLeave::Later
        }
        GateLeave::Unknown => GateLeave::Granted { owed: false },
        told => told,
    }
}
