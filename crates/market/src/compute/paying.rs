//! The row of a job that is written before its payment leaves, and what the same quote answers then.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::event::event;
use super::job::{new_job, show_paid};
use super::kernel::{Applied, Decision, Now};
use super::message::Answer;
use super::records::{Change, Rows};
use super::refused::{bad_fingerprint, quote_expired, refusal, used_transaction};
use super::row::{EventKind, HoldKind, JobRow, JobState, QuoteRow, QuoteState, Signer, is_direct};
use super::seat::{Seat, SeatClaim, seat_of};
use super::shown::{digest_of, digest_of_all};
use super::standing::START_MS;
use super::verify::{EXPIRED, Payments, find_job_paid};
use farebox_base::amount::Amount;

/// Milliseconds for which a payment that is with the gate keeps the seat.
const SETTLING_MS: u64 = 120_000;

/// The weight of a payment before it is settled.
struct PaymentWeight {
    signer: Signer,
    /// The payment of this quote that was lost.
    lost: String,
}

impl Payments<'_> {
    /// Moves the seat from the quote to a job, before the payment leaves.
    pub(super) fn pay<R: Rows>(
        &self,
        records: &R,
        quote: QuoteRow,
        material: &str,
        tick: Now<'_>,
    ) -> Applied<R> {
        if let Some(job) = records.job_of(&quote.id)? {
            return Ok(self.answer_again(&job, quote, material));
        }
        if !quote.is_open(tick.now) {
            return Ok(Decision::reply(bad_fingerprint(EXPIRED)));
        }
        let shown = digest_of(material);
        let is_mock = self.quotes.profile.hold == HoldKind::Mock;
        if is_mock && records.job_shown(&shown)?.is_some() {
            return Ok(Decision::reply(used_transaction()));
        }
        let units = Amount::from_atomic(&quote.units).unwrap_or(Amount::MAX);
        let may_sell = self.quotes.limits.may_sell(records, &quote.seller, units, tick)?;
        let PaymentWeight { signer, lost } = self.weigh(records, &quote, material, tick)?;
        let claim = if is_mock { SeatClaim::Payment } else { SeatClaim::of(signer) };
        let seat = seat_of(records, &quote, claim, tick)?.filter(|_| may_sell);
        let Some(seat) = seat else { return Ok(end_unseated(quote, claim)) };
        let job = JobRow {
            shown,
            signer,
            material: digest_of_all(material),
            ..new_job(&quote, &quote.seller, self.quotes.profile.hold, self.quotes.keys, tick)
        };
        Ok(self.send(QuoteRow { lost, ..quote }, job, material, seat, tick))
    }

    /// The answer for a quote that has a job already.
    fn answer_again(&self, job: &JobRow, quote: QuoteRow, material: &str) -> Decision {
        if job.shown != digest_of(material) {
            // Which payment came to the till itself, the gate alone knows. It may hold the price of
            // this quote still, and would take another one.
            let is_at_till = job.shown.is_empty() && !is_direct(&job.payment);
            let why = match is_at_till {
                true => "This quote was paid at its till: send the same payment there again.",
                false => "This quote has been paid, or is being paid, by another payment.",
            };
            return Decision::reply(refusal(409, "PAYMENT_ALREADY_VERIFIED", why));
        }
        // A reader of the chain knows nonce and signature, and may show them in a message that the
        // gate refuses: while the payment settles, that would end the job.
        let is_forged = job.signer == Signer::Buyer
            && job.state == JobState::Settling
            && !job.material.is_empty()
            && job.material != digest_of_all(material);
        if is_forged {
            let why = "This quote is being paid; send the same bytes again.";
            return Decision::reply(refusal(409, "PAYMENT_ALREADY_VERIFIED", why));
        }
        // The gate answers the same payment as it did before.
        match self.quotes.profile.hold {
            HoldKind::Mock => Decision::reply(show_paid(job, self.quotes.keys)),
            HoldKind::Completion | HoldKind::Escrow | HoldKind::Contract => {
                Decision::told(Answer::Till(quote.id))
            }
        }
    }

    /// Finds out whom a payment counts as signed by, and which payment of the quote stays lost.
    fn weigh<R: Rows>(
        &self,
        records: &R,
        quote: &QuoteRow,
        material: &str,
        tick: Now<'_>,
    ) -> Result<PaymentWeight, R::Error> {
        // What was shown for another quote pays for this one no more than what anyone made up, nor
        // does what is shown after a payment that did not come.
        let is_unused = find_job_paid(records, &quote.fingerprint, material)?.is_none();
        let signed = self.signer(material, quote, tick);
        let signer = match signed {
            Signer::Buyer if is_unused && !quote.is_doubted() => Signer::Buyer,
            Signer::Buyer | Signer::Unknown => Signer::Unknown,
        };
        // Which of two that its buyer has signed comes to the till itself, nobody knows.
        let are_two = quote.lost != digest_of(material) && is_unused && signed == Signer::Buyer;
        let lost = match are_two {
            true => String::new(),
            false => quote.lost.clone(),
        };
        Ok(PaymentWeight { signer, lost })
    }

    /// Sends the payment to its till; under `mock` there is none, and it counts at once.
    fn send(
        &self,
        quote: QuoteRow,
        job: JobRow,
        material: &str,
        seat: Seat,
        tick: Now<'_>,
    ) -> Decision {
        let after = |ms: u64| Some(tick.now.saturating_add(ms));
        let (answer, state, job, event) = match self.quotes.profile.hold {
            HoldKind::Mock => {
                let transaction = material.to_string();
                let due = after(START_MS);
                let job = JobRow { state: JobState::Paid, due, transaction, ..job };
                let event = event(EventKind::Paid, tick).job(&job.id).payment(&quote.id);
                let answer = Answer::Reply(show_paid(&job, self.quotes.keys));
                (answer, QuoteState::Sold, job, Some(event.seller(&quote.seller).done()))
            }
            HoldKind::Completion | HoldKind::Escrow | HoldKind::Contract => {
                let job = JobRow { due: after(SETTLING_MS), ..job };
                let answer = Answer::Settle((quote.id.clone(), job.id.clone()));
                (answer, QuoteState::Settling, job, None)
            }
        };
        let quote = Change::Quote(Box::new(QuoteRow { state, ..quote }));
        let changes = [Change::Job(Box::new(job)), quote].into_iter().chain(event);
        let changes = changes.chain(seat.freed).collect();
        Decision { answer, changes }
    }
}

/// Ends a quote that has no seat. What anyone could have made up ends none.
fn end_unseated(quote: QuoteRow, claim: SeatClaim) -> Decision {
    if quote.state == QuoteState::Displaced && claim == SeatClaim::Quote {
        return Decision::reply(quote_expired());
    }
    let lapsed = QuoteRow { state: QuoteState::Lapsed, ..quote };
    let changes = Vec::from([Change::Quote(Box::new(lapsed))]);
    Decision { answer: Answer::Reply(quote_expired()), changes }
}
