//! The till: what the gate asks about a quote, and what it says was paid.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::event::event;
use super::hold::HeldMoney;
use super::job::{new_job, show_paid};
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, JsonAnswer, TillPayment};
use super::offer::Limits;
use super::outcome::released;
use super::records::{Change, Rows};
use super::refused::{detailed_refusal, no_terms, quote_expired, refusal, used_transaction};
use super::row::spell_wallet;
use super::row::{
    DeliveryCharge, EntryRow, EventKind, HoldKind, HoldRow, HoldState, JobRow, JobState, Leave,
    QuoteRow, QuoteState, RefundClaim, Signer, is_direct,
};
use super::seat::{Seat, SeatClaim, Wanted, match_seat, seat_of};
use super::shown::{not_sold, quote_in};
use super::standing::START_MS;
use crate::text::{object, or_null, quoted};
use farebox_base::amount::Amount;
use farebox_base::hash;
use farebox_common::payment::TxHash;

/// Shortest and longest time for which a price may be promised, seconds. Spec: docs/pricing.md.
const VALID_SECS: (u64, u64) = (5, 3_600);

/// A gate's body about a payment that another request shows it, too.
const IN_PROGRESS: &str = r#"{"code":"payment_in_progress","detail":"This quote is being paid; send the same bytes again."}"#;

/// The till of a profile.
pub(super) struct Till<'g> {
    pub limits: &'g Limits,
    pub money: HeldMoney<'g>,
    pub waits_ms: u64,
}

/// The gate's answer to a payment.
pub(super) struct GateAnswer<'a> {
    /// The job that the request began which was answered; empty if another one did.
    pub began: &'a str,
    /// Its status.
    pub status: u32,
    /// `code` of its body.
    pub code: &'a str,
    /// `errorReason` of its settlement.
    pub reason: &'a str,
    /// The transaction of its settlement.
    pub transaction: &'a str,
}

/// The gate's word on the money of a payment that was sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GateWord {
    /// No money moves: the payment is refused.
    Refused,
    /// The request began no payment.
    NotBegun,
    /// Another request shows it the payment.
    Elsewhere,
    /// Nothing certain: that is left to the gate and the clock.
    Doubt,
}

impl GateAnswer<'_> {
    fn word(&self) -> GateWord {
        match (self.status, self.code) {
            (400 | 402, _) => GateWord::Refused,
            (409, "" | "payment_in_progress") => GateWord::Elsewhere,
            (401..=499, _) => GateWord::NotBegun,
            _ => GateWord::Doubt,
        }
    }
}

/// The job that a payment buys, beside its quote.
struct Bought {
    quote: QuoteRow,
    job: JobRow,
    /// The seat that it is given; `None` if it has one.
    seat: Option<Seat>,
}

impl Till<'_> {
    /// Names the price of the quote in a URL, for as long as it counts.
    pub fn price<R: Rows>(&self, records: &R, url: &str, tick: Now<'_>) -> Applied<R> {
        let none =
            || Decision::reply(refusal(404, "QUOTE_EXPIRED", "No such quote can be paid now."));
        if self.money.profile.hold == HoldKind::Mock {
            return Ok(none());
        }
        let Some(id) = quote_in(url) else { return Ok(none()) };
        let Some(quote) = records.quote(id)? else { return Ok(none()) };
        let units = Amount::from_atomic(&quote.units).unwrap_or(Amount::MAX);
        let left = match quote.state {
            QuoteState::Open | QuoteState::Displaced
                if !self.limits.may_sell(records, &quote.seller, units, tick)? =>
            {
                0
            }
            QuoteState::Open | QuoteState::Displaced
                if !self.money.profile.is_current(&quote) || self.is_lost(&quote) =>
            {
                0
            }
            QuoteState::Displaced
                if seat_of(records, &quote, SeatClaim::Payment, tick)?.is_none() =>
            {
                0
            }
            QuoteState::Open | QuoteState::Displaced => quote.until.saturating_sub(tick.now) / 1000,
            // The gate may ask while it settles.
            QuoteState::Settling => 60,
            QuoteState::Sold | QuoteState::Lapsed => 0,
        };
        let (least, most) = VALID_SECS;
        if left < least {
            return Ok(none());
        }
        let description = format!("QuotaDEX {} execution request", quote.capability);
        let description: String = description.chars().take(64).collect();
        let body = object(&[
            ("price", object(&[("amount", quoted(&quote.units))])),
            ("valid_secs", format!("{}", left.min(most))),
            ("description", quoted(&description)),
            ("pay_to", quoted(&quote.pay_to)),
        ]);
        Ok(Decision::reply(JsonAnswer::new(200, body)))
    }

    /// Takes what the gate answered to a payment that was sent to the till.
    pub fn take_answer<R: Rows>(
        &self,
        records: &R,
        quote: &str,
        answer: &GateAnswer<'_>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let (Some(row), Some(job)) = (records.quote(quote)?, records.job_of(quote)?) else {
            return Ok(Decision::told(Answer::Nothing));
        };
        if answer.status == 200 && job.charge == DeliveryCharge::Due {
            return Ok(note_charge(job, answer.transaction, tick));
        }
        if job.state != JobState::Settling {
            return Ok(Decision::told(Answer::Nothing));
        }
        let word = answer.word();
        // What the gate says of a repeat says nothing of the payment that is on its way.
        if answer.began != job.id {
            return Ok(match word {
                GateWord::Refused => Decision::reply(not_sold(409, IN_PROGRESS)),
                GateWord::NotBegun | GateWord::Elsewhere | GateWord::Doubt => {
                    Decision::told(Answer::Nothing)
                }
            });
        }
        let (answer, changes) = match word {
            GateWord::Refused => {
                let why =
                    "The payment was refused; the gate has settled nothing. Request a new quote.";
                let details = object(&[("reason", or_null(answer.reason))]);
                let answer = detailed_refusal(400, "FACILITATOR_RESPONSE_INVALID", why, &details);
                (Answer::Reply(answer), end_unpaid(row, &job, NoPayment::Refused, tick))
            }
            GateWord::NotBegun => {
                (Answer::Nothing, end_unpaid(row, &job, NoPayment::Unheard, tick))
            }
            // Its buyer may have sent it twice at once, or shown it where nothing is heard of it.
            GateWord::Elsewhere => {
                let job = JobRow { signer: Signer::Unknown, ..job };
                (Answer::Nothing, Vec::from([Change::Job(Box::new(job))]))
            }
            GateWord::Doubt => (Answer::Nothing, Vec::new()),
        };
        Ok(Decision { answer, changes })
    }

    /// Takes a payment that the gate forwarded.
    pub fn take_sale<R: Rows>(&self, records: &R, sale: &TillPayment, tick: Now<'_>) -> Applied<R> {
        if is_shown(records, sale)? {
            let changes = self.note_spent(records, sale, tick)?;
            return Ok(Decision { answer: Answer::Reply(used_transaction()), changes });
        }
        if let Some(hold) = records.hold(&sale.payment)? {
            let job = records.job(&hold.job)?;
            let answer = job.map_or_else(quote_expired, |job| show_paid(&job, self.money.keys));
            return Ok(Decision::reply(answer));
        }
        let is_settled = has_come(sale);
        let is_ours = self.money.profile.takes(sale)
            && match self.money.profile.hold {
                HoldKind::Escrow | HoldKind::Contract => is_settled,
                // The gate settles some payments first, whatever its route says.
                HoldKind::Completion => true,
                HoldKind::Mock => false,
            };
        if !is_ours {
            let why = "This is no payment for this till; nothing was delivered.";
            return Ok(Decision::reply(refusal(409, "INVALID_PAYMENT", why)));
        }
        let quote = records.quote(&sale.quote)?;
        let payer = spell_wallet(&sale.payer);
        let is_its = |quote: &QuoteRow| {
            let is_priced = quote.units == sale.amount;
            is_priced && quote.buyer == payer && !self.is_lost(quote)
        };
        let Some(quote) = quote.filter(is_its) else {
            return self.refuse(records, sale, tick);
        };
        let job = records.job_of(&quote.id)?;
        // What comes without a job is not counted yet: a transfer is shown when its sender likes.
        let units = Amount::from_atomic(&sale.amount).unwrap_or(Amount::MAX);
        let may_sell =
            job.is_some() || self.limits.may_sell(records, &quote.seller, units, tick)?;
        match (quote.state, job) {
            (QuoteState::Settling, Some(job)) if job.state == JobState::Settling => {
                self.begin_job(records, Bought { quote, job, seat: None }, sale, tick)
            }
            (QuoteState::Open, None) if may_sell && quote.is_open(tick.now) => {
                let job = self.new_job(&quote, &quote.seller, tick);
                self.begin_job(records, Bought { quote, job, seat: None }, sale, tick)
            }
            (QuoteState::Displaced, None) if may_sell && quote.is_open(tick.now) => {
                match seat_of(records, &quote, SeatClaim::Payment, tick)? {
                    Some(seat) => {
                        let job = self.new_job(&quote, &quote.seller, tick);
                        self.begin_job(records, Bought { quote, job, seat: Some(seat) }, sale, tick)
                    }
                    None => self.give_other_seat(records, quote, sale, tick),
                }
            }
            (_, Some(job)) if job.payment == sale.payment => {
                Ok(Decision::told(Answer::Wait(job.id)))
            }
            (_, None) => self.give_other_seat(records, quote, sale, tick),
            (_, Some(_)) => self.refuse(records, sale, tick),
        }
    }

    fn new_job(&self, quote: &QuoteRow, seller: &str, tick: Now<'_>) -> JobRow {
        new_job(quote, seller, self.money.profile.hold, self.money.keys, tick)
    }

    /// Whether nobody can tell a seller what was ordered.
    fn is_lost(&self, quote: &QuoteRow) -> bool {
        self.money.keys.is_lost(&quote.id, &quote.prompt)
    }

    /// Gives a payment whose seat is gone another one, or back.
    fn give_other_seat<R: Rows>(
        &self,
        records: &R,
        quote: QuoteRow,
        sale: &TillPayment,
        tick: Now<'_>,
    ) -> Applied<R> {
        let at_most = Amount::from_atomic(&sale.amount).ok();
        let wanted = Wanted::new(&quote.capability, &quote.buyer);
        let wanted = Wanted { at_most, is_counted: false, ..wanted };
        // The money of a request that waits is signed for one seller.
        let is_work = self.money.profile.hold.has_money() && !quote.prompt.is_empty();
        let seat = if is_work { match_seat(records, self.limits, &wanted, tick)? } else { None };
        let Some(seat) = seat else { return self.refuse(records, sale, tick) };
        let job = self.new_job(&quote, &seat.seller.id, tick);
        self.begin_job(records, Bought { quote, job, seat: Some(seat) }, sale, tick)
    }

    /// Makes a job of a payment, and notes its money, in one block.
    fn begin_job<R: Rows>(
        &self,
        records: &R,
        bought: Bought,
        sale: &TillPayment,
        tick: Now<'_>,
    ) -> Applied<R> {
        let Bought { quote, job, seat } = bought;
        let begins = tick.now.saturating_add(START_MS);
        let waits = match job.hold {
            HoldKind::Completion => Some(tick.now.saturating_add(self.waits_ms)),
            HoldKind::Escrow | HoldKind::Contract | HoldKind::Mock => None,
        };
        let job = JobRow {
            payment: sale.payment.clone(),
            transaction: sale.transaction.clone(),
            state: JobState::Paid,
            due: Some(waits.map_or(begins, |waits| waits.min(begins))),
            waits,
            ..job
        };
        let event = event(EventKind::Paid, tick).job(&job.id).payment(&quote.id);
        let event = event.seller(&job.seller).transaction(&job.transaction).done();
        let mut changes = Vec::from([event]);
        let answer = match job.hold {
            HoldKind::Escrow => {
                changes.push(Change::Hold(Box::new(self.hold_payment(
                    records,
                    sale,
                    Some(&job),
                )?)));
                Answer::Reply(show_paid(&job, self.money.keys))
            }
            // It is registered while who paid waits, and by the alarm if that takes too long.
            HoldKind::Contract => {
                let hold = self.hold_payment(records, sale, Some(&job))?;
                let Decision { answer, changes: more } = self.money.look(hold, tick);
                changes.extend(more);
                answer
            }
            HoldKind::Completion | HoldKind::Mock => Answer::Wait(job.id.clone()),
        };
        changes.extend(seat.into_iter().flat_map(|seat| seat.edits(tick)));
        changes.push(Change::Quote(Box::new(QuoteRow { state: QuoteState::Sold, ..quote })));
        changes.push(Change::Job(Box::new(job)));
        Ok(Decision { answer, changes })
    }

    /// Refuses a payment; what was settled is noted and goes back.
    fn refuse<R: Rows>(&self, records: &R, sale: &TillPayment, tick: Now<'_>) -> Applied<R> {
        if !self.money.profile.hold.has_money() {
            return Ok(Decision::reply(quote_expired()));
        }
        let hold = HoldRow {
            state: HoldState::Paying(Leave::Refund),
            due: Some(tick.now),
            ..self.hold_payment(records, sale, None)?
        };
        let changes = orphan(hold, tick);
        Ok(Decision { answer: Answer::Reply(quote_expired()), changes })
    }

    /// Takes the gate's word that it owes a payment back: what is known here already is decided
    /// here.
    pub fn take_debt<R: Rows>(&self, records: &R, sale: &TillPayment, tick: Now<'_>) -> Applied<R> {
        if let Some(hold) = records.hold(&sale.payment)? {
            return Ok(hear_debt(hold, tick));
        }
        if is_shown(records, sale)? {
            let changes = self.note_spent(records, sale, tick)?;
            return Ok(Decision { answer: Answer::Done, changes });
        }
        if !self.holds(sale) || !has_come(sale) {
            return Ok(Decision::told(Answer::Nothing));
        }
        let hold = HoldRow {
            state: HoldState::Paying(Leave::Refund),
            due: Some(tick.now),
            owed: true,
            ..self.hold_payment(records, sale, None)?
        };
        Ok(Decision { answer: Answer::Done, changes: orphan(hold, tick) })
    }

    /// Whether money of this kind is held here.
    fn holds(&self, sale: &TillPayment) -> bool {
        self.money.profile.hold.has_money() && self.money.profile.takes(sale)
    }

    /// Notes a payment by a transfer that was shown here before, so that the gate hears that nobody owes
    /// it: it has bought something here, or goes back from here.
    fn note_spent<R: Rows>(
        &self,
        records: &R,
        sale: &TillPayment,
        tick: Now<'_>,
    ) -> Result<Vec<Change>, R::Error> {
        if !self.holds(sale) || records.hold(&sale.payment)?.is_some() {
            return Ok(Vec::new());
        }
        let hold = HoldRow {
            state: HoldState::Ended(Leave::Release),
            entry: None,
            unheard: true,
            due: Some(tick.now),
            ..self.hold_payment(records, sale, None)?
        };
        Ok(Vec::from([Change::Hold(Box::new(hold))]))
    }

    /// Money of a payment, with the job that it bought.
    fn hold_payment<R: Rows>(
        &self,
        records: &R,
        sale: &TillPayment,
        job: Option<&JobRow>,
    ) -> Result<HoldRow, R::Error> {
        let settlement = sale.transaction.to_ascii_lowercase();
        let entry = match (self.money.profile.hold, job) {
            (HoldKind::Escrow | HoldKind::Completion | HoldKind::Mock, _) => None,
            (HoldKind::Contract, Some(job)) => Some(job.quote.clone()),
            // The quote may have bought a job with another payment.
            (HoldKind::Contract, None) => {
                Some(hash::digest(&[b"farebox escrow orphan", sale.payment.as_bytes()]))
            }
        };
        let entry = match entry {
            None => None,
            Some(name) => {
                let is_shared = records.is_paid_by(&settlement)?;
                let word = if is_shared {
                    hash::digest(&[b"farebox escrow settlement", sale.payment.as_bytes()])
                } else {
                    settlement.trim_start_matches("0x").into()
                };
                Some(EntryRow { contract: self.money.profile.escrow.to_checksum(), name, word })
            }
        };
        let is_direct = is_direct(&sale.payment);
        Ok(HoldRow {
            payment: sale.payment.clone(),
            job: job.map(|job| job.id.clone()).unwrap_or_default(),
            payer: spell_wallet(&sale.payer),
            payee: job.map(|job| job.seller.clone()).unwrap_or_default(),
            units: sale.amount.clone(),
            state: HoldState::Held,
            tries: 1,
            payout: String::new(),
            transaction: String::new(),
            settlement,
            entry,
            claim: if is_direct { RefundClaim::Granted } else { RefundClaim::Unasked },
            owed: false,
            begun: false,
            called: false,
            unheard: false,
            fence: 0,
            asked: None,
            asks_gate: false,
            has_asked: false,
            refused: false,
            order: String::new(),
            looks: 0,
            due: None,
        })
    }
}

/// Whether a payment has come by a transaction: what is settled later is named without one, and a
/// facilitator's word for it is no money.
fn has_come(sale: &TillPayment) -> bool {
    TxHash::parse(&sale.transaction).is_some()
}

/// Whether a payment at the till is a transfer that was shown here before: a gate may take hashes
/// too, and who shows one at both pays once.
fn is_shown<R: Rows>(records: &R, sale: &TillPayment) -> Result<bool, R::Error> {
    let hash = sale.transaction.to_ascii_lowercase();
    let is_other = hash != sale.payment;
    Ok(is_other && records.hold(&hash)?.is_some())
}

/// Ends a quote that the gate cannot price: it could not be paid. One that is being paid, or
/// was, goes on.
pub(super) fn end_unpriced<R: Rows>(records: &R, id: &str) -> Applied<R> {
    let is_unpaid =
        |quote: &QuoteRow| matches!(quote.state, QuoteState::Open | QuoteState::Displaced);
    let quote = records.quote(id)?.filter(is_unpaid);
    let is_free = quote.is_some();
    let lapsed = quote.map(|quote| QuoteRow { state: QuoteState::Lapsed, ..quote });
    let why = match is_free {
        true => "The gate takes no payment of this price; nothing was charged.",
        false => "The gate takes no payment of this price now.",
    };
    let answer = Answer::Reply(no_terms(why));
    let changes = lapsed.map(|quote| Change::Quote(Box::new(quote))).into_iter().collect();
    Ok(Decision { answer, changes })
}

/// Notes that the till has charged for delivered work: its seller has the money.
fn note_charge(job: JobRow, transaction: &str, tick: Now<'_>) -> Decision {
    let transaction = String::from(transaction);
    let job = JobRow { charge: DeliveryCharge::Made, transaction, ..job };
    let event = released(&job, tick);
    let changes = Vec::from([Change::Job(Box::new(job)), event]);
    Decision { answer: Answer::Nothing, changes }
}

/// How a payment that was sent to the till did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPayment {
    /// The gate refused it for certain.
    Refused,
    /// Nothing was heard of it, or the gate did not begin it.
    Unheard,
}

/// The changes that end a job whose payment did not come: the seat is free. A payment of the
/// buyer's that was refused ends the quote; after one that was never heard of, the quote can be
/// paid until its end where a seat is left, because a stranger may have shown an old payment, and
/// its next payment keeps no seat before it is settled. A payment that anyone may have made up takes
/// no seat either, and is no news.
pub(super) fn end_unpaid(
    quote: QuoteRow,
    job: &JobRow,
    how: NoPayment,
    tick: Now<'_>,
) -> Vec<Change> {
    let gone = Change::JobGone(job.id.clone());
    let is_in_time = tick.now < quote.until;
    let is_forgeable = job.signer == Signer::Unknown;
    if is_forgeable && is_in_time {
        let state = if quote.is_doubted() { QuoteState::Displaced } else { QuoteState::Open };
        return Vec::from([gone, Change::Quote(Box::new(QuoteRow { state, ..quote }))]);
    }
    let is_unheard = how == NoPayment::Unheard;
    let state = if is_unheard && is_in_time { QuoteState::Displaced } else { QuoteState::Lapsed };
    let event = event(EventKind::Failed, tick).job(&job.id).payment(&quote.id);
    let event = event.seller(&job.seller).done();
    // One that is over and had a firm seat keeps its prompt: its payment may still come, and is worked for.
    let is_lost = is_unheard && !is_forgeable;
    let unheard = quote.unheard || is_lost;
    let lost = if is_lost { job.shown.clone() } else { quote.lost.clone() };
    Vec::from([gone, event, Change::Quote(Box::new(QuoteRow { state, unheard, lost, ..quote }))])
}

/// Notes money that got no job and goes back.
fn orphan(hold: HoldRow, tick: Now<'_>) -> Vec<Change> {
    let event = event(EventKind::Failed, tick).payment(&hold.payment);
    let event = event.transaction(&hold.settlement).done();
    Vec::from([Change::Hold(Box::new(hold)), event])
}

/// The gate says that it owes money which is known here: it is told at once what becomes of that,
/// whatever it has said before, because a restore may have made it forget.
fn hear_debt(hold: HoldRow, tick: Now<'_>) -> Decision {
    let owed = hold.owed || hold.is_sold();
    let claim = match (hold.state, hold.claim) {
        (HoldState::Ended(Leave::Refund), claim) => claim,
        (HoldState::Ended(Leave::Release), _) | (_, RefundClaim::Granted) => RefundClaim::Unasked,
        (_, RefundClaim::Admitted) => RefundClaim::Called,
        (_, claim) => claim,
    };
    let is_over = matches!(hold.state, HoldState::Ended(_));
    if !is_over && (owed, claim) == (hold.owed, hold.claim) {
        return Decision::told(Answer::Nothing);
    }
    // Whoever asks at this moment reports, and the alarm comes after that.
    let is_asked = hold.asked.is_some_and(|until| tick.now < until);
    let (due, looks) = match hold.state {
        HoldState::Ended(_) => (Some(tick.now), 0),
        HoldState::Held => (hold.due, hold.looks),
        HoldState::Paying(_) | HoldState::Sent(_) if is_asked || claim == RefundClaim::Waiting => {
            (hold.due, hold.looks)
        }
        HoldState::Paying(_) | HoldState::Sent(_) => (Some(tick.now), hold.looks),
    };
    let fence = match hold.state {
        // What the gate was told of before is no answer to this.
        HoldState::Ended(_) => hold.fence.saturating_add(1),
        // The next question is the gate's, which may be an hour before the one after it.
        HoldState::Paying(_) | HoldState::Sent(_) if !is_asked => hold.fence | 1,
        HoldState::Held | HoldState::Paying(_) | HoldState::Sent(_) => hold.fence,
    };
    let row = HoldRow { owed, claim, unheard: false, called: false, fence, due, looks, ..hold };
    Decision { answer: Answer::Done, changes: Vec::from([Change::Hold(Box::new(row))]) }
}
