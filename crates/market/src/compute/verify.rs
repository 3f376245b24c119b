//! Payments for quotes: by the original's second step, or with the order in one request, as clients of
//! the standards buy. The guards before the gate is asked for anything, in the contract's order, and
//! the row of the job that is written before money can move.

use alloc::string::String;

use super::body::Fields;
use super::direct::{DirectTransfer, DirectTransfers};
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, JsonAnswer};
use super::quote::{Order, Quotes, Unpaid};
use super::records::Rows;
use super::refused::{bad_fingerprint, invalid, refusal};
use super::row::{HoldKind, JobRow, JobState, QuoteRow, QuoteState, Signer, is_direct};
use super::shown::{digest_of, find_signer, named_in, payer_of};
use farebox_base::secret::ct_eq;
use farebox_base::time::UnixTime;

pub(super) const EXPIRED: &str = "Quote is expired or no longer valid.";

/// The content of a request for verification.
struct Verification {
    fingerprint: String,
    order: Order,
    tx_hash: Option<String>,
    signature: Option<String>,
}

/// Payments for the quotes of a profile.
pub(super) struct Payments<'g> {
    pub quotes: Quotes<'g>,
    pub transfers: DirectTransfers<'g>,
}

impl Payments<'_> {
    /// Checks a payment's request, and sends the payment to the till.
    pub fn verify<R: Rows>(
        &self,
        records: &R,
        payment: &str,
        body: &str,
        tick: Now<'_>,
    ) -> Applied<R> {
        let asked = or_reply!(self.read_verification(body));
        let shown = asked.fingerprint.to_ascii_lowercase();
        let is_it = |right: String| ct_eq(right.as_bytes(), shown.as_bytes());
        // A payment that is shown always wins.
        let blocks = self.transfers.confirmations.filter(|_| payment.is_empty());
        let transfer = asked.tx_hash.as_ref().zip(blocks);
        let is_right = is_it(self.quotes.fingerprint(&asked.order))
            || self.quotes.former_fingerprint(&asked.order).is_some_and(is_it)
            || transfer.is_some() && self.is_unread(records, &shown)?;
        if !is_right {
            let why = "Fingerprint does not match the request payload.";
            return Ok(Decision::reply(bad_fingerprint(why)));
        }
        let is_mock = self.quotes.profile.hold == HoldKind::Mock;
        if let Some((hash, blocks)) = transfer {
            let Some(quote) = records.quote_of(&shown)? else {
                return Ok(Decision::reply(bad_fingerprint(EXPIRED)));
            };
            // What a transfer has bought is what it buys, whatever the profile asks for now.
            let is_new = records.hold(&hash.to_ascii_lowercase())?.is_none();
            if is_new && !self.quotes.profile.is_current(&quote) {
                return Ok(Decision::reply(other_profile()));
            }
            let shown = DirectTransfer { hash, signature: asked.signature.as_deref() };
            return self.transfers.take(records, quote, &shown, blocks, tick);
        }
        let has_material = if is_mock { asked.tx_hash.is_some() } else { !payment.is_empty() };
        let hash = asked.tx_hash.as_ref().map(|hash| hash.to_ascii_lowercase());
        let material = hash.as_deref().filter(|_| is_mock).unwrap_or(payment);
        let quote = find_quote_paid(records, &shown, material)?;
        let is_open = quote.as_ref().is_some_and(|quote| quote.is_open(tick.now));
        let Some(quote) = quote else {
            let answer = if has_material { bad_fingerprint(EXPIRED) } else { no_payment() };
            return Ok(Decision::reply(answer));
        };
        if !has_material && !is_open {
            return Ok(Decision::reply(no_payment()));
        }
        let buys = |job: &JobRow| job.shown == digest_of(material);
        // The gate answers a payment that it may have charged, whatever the profile asks for now.
        let is_new = !records.job_of(&quote.id)?.is_some_and(|job| buys(&job));
        if is_new && !self.quotes.profile.is_current(&quote) {
            return Ok(Decision::reply(other_profile()));
        }
        if !has_material {
            let why = Unpaid { error: "X-PAYMENT header is required.", code: "X_PAYMENT_REQUIRED" };
            return Ok(Decision::told(self.quotes.ask_payment(&quote, why, tick)));
        }
        if let Err(answer) = self.check_material(material, &quote) {
            return Ok(Decision::reply(answer));
        }
        self.pay(records, quote, material, tick)
    }

    /// Whether nobody can read what was quoted under this fingerprint. What its buyer has transferred for
    /// it is there already, and goes back.
    fn is_unread<R: Rows>(&self, records: &R, fingerprint: &str) -> Result<bool, R::Error> {
        let quote = records.quote_of(fingerprint)?;
        let is_read =
            |quote: &QuoteRow| self.quotes.keys.unseal(&quote.id, &quote.prompt).is_some();
        Ok(quote.is_some_and(|quote| !is_read(&quote)))
    }

    /// Answers with the terms of a seat, or sends the payment to its till.
    pub fn buy<R: Rows>(
        &self,
        records: &R,
        client: &str,
        payment: &str,
        body: &str,
        tick: Now<'_>,
    ) -> Applied<R> {
        let read = Fields::of_profile(body, self.quotes.profile.kind).and_then(|fields| {
            let order = Order::of(&fields)?;
            Ok((order, self.find_material(payment, &fields)))
        });
        let (order, material) = or_reply!(read);
        if material.is_empty() {
            return self.quotes.quote(records, client, body, tick);
        }
        let mut fingerprint = self.quotes.find_fingerprint(records, &order, &material)?;
        // What was bought by this payment is what it buys, whatever was quoted since.
        let mut own = find_own_job(records, &fingerprint, &material)?;
        // It may name no quote, and its request may have one of the present secret by now.
        if own.is_none()
            && let Some(former) = self.quotes.former_fingerprint(&order)
        {
            own = find_own_job(records, &former, &material)?;
            fingerprint = own.as_ref().map_or(fingerprint, |_| former);
        }
        if own.is_none()
            && let Some(quote) = self.find_unheard(records, &fingerprint, &material, tick)?
        {
            // What came to the till itself is known to be the one that was lost, where that was one:
            // another would be charged beside it.
            // Beside a transfer that bought it without the gate, the lost one would be, too.
            let is_moved = records.job_of(&quote.id)?.is_some_and(|job| is_direct(&job.payment));
            let is_its = matches!(quote.state, QuoteState::Displaced | QuoteState::Lapsed)
                || quote.lost == digest_of(&material) && !is_moved;
            if is_its {
                return Ok(Decision::told(Answer::Till(quote.id)));
            }
            return self.pay(records, quote, &material, tick);
        }
        // What anyone can make up comes after what this payment itself says.
        let known = match own {
            Some(job) => Some(job),
            None => find_other_job(records, &material)?,
        };
        let quote = match &known {
            Some(job) => records.quote(&job.quote)?,
            None => self.quotes.find_open(records, &fingerprint, tick)?,
        };
        let Some(quote) = quote else { return self.quotes.quote(records, client, body, tick) };
        if quote.fingerprint != fingerprint {
            let why = "This payment was made for another request.";
            return Ok(Decision::reply(refusal(409, "PAYMENT_ALREADY_VERIFIED", why)));
        }
        if let Err(answer) = self.check_material(&material, &quote) {
            return Ok(Decision::reply(answer));
        }
        self.pay(records, quote, &material, tick)
    }

    /// The quote that ended after a payment for it was not heard of, if this is such a payment and can
    /// still be settled, or one that was sold at its till since, maybe by this: the gate knows what
    /// becomes of it, and who is told new terms signs another.
    fn find_unheard<R: Rows>(
        &self,
        records: &R,
        fingerprint: &str,
        material: &str,
        tick: Now<'_>,
    ) -> Result<Option<QuoteRow>, R::Error> {
        let Some(id) = named_in(material) else { return Ok(None) };
        let Some(quote) = records.quote(&id)? else { return Ok(None) };
        let is_over = matches!(quote.state, QuoteState::Displaced | QuoteState::Lapsed)
            && tick.now >= quote.until
            && quote.unheard;
        let is_at_till = |job: &JobRow| job.shown.is_empty() && !is_direct(&job.payment);
        let is_sold = quote.state == QuoteState::Sold
            && records.job_of(&quote.id)?.is_some_and(|job| is_at_till(&job));
        // Another payment was shown since: which of them comes, nobody knows.
        let is_taken =
            quote.unheard && matches!(quote.state, QuoteState::Settling | QuoteState::Sold);
        // What was sold was settled in time.
        let was_timely = is_sold || is_taken;
        let tick = if was_timely { Now { now: quote.created, ..tick } } else { tick };
        let is_its = (is_over || was_timely)
            && quote.fingerprint == fingerprint
            && self.check_material(material, &quote).is_ok()
            && self.signer(material, &quote, tick) == Signer::Buyer;
        Ok(is_its.then_some(quote))
    }

    /// The text that is shown as a payment: under `mock` a member of the body.
    fn find_material(&self, payment: &str, fields: &Fields) -> String {
        match self.quotes.profile.hold {
            HoldKind::Mock => {
                let hash = fields.maybe("tx_hash").ok().flatten();
                hash.unwrap_or_default().to_ascii_lowercase()
            }
            HoldKind::Completion | HoldKind::Escrow | HoldKind::Contract => String::from(payment),
        }
    }

    fn read_verification(&self, body: &str) -> Result<Verification, JsonAnswer> {
        let fields = Fields::of(body)?;
        let fingerprint = fields.text("fingerprint")?;
        let tx_hash = fields
            .maybe("tx_hash")
            .map_err(|_| invalid("tx_hash must be a non-empty string when provided."))?;
        let payload = fields.inner("payload")?;
        if payload.profile()?.is_some_and(|it| it != self.quotes.profile.kind) {
            let why = "Fingerprint does not match the request payload.";
            return Err(bad_fingerprint(why));
        }
        let signature = fields.maybe("buyer_signature")?;
        Ok(Verification { fingerprint, order: Order::of(&payload)?, tx_hash, signature })
    }

    /// Whether what was shown can be a payment of this buyer.
    fn check_material(&self, material: &str, quote: &QuoteRow) -> Result<(), JsonAnswer> {
        if self.quotes.profile.hold == HoldKind::Mock {
            let digits = material.strip_prefix("0x").unwrap_or_default();
            let is_hash = digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            let why = "tx_hash must look like a mock hex transaction hash, for example 0xabc123.";
            return if is_hash { Ok(()) } else { Err(refusal(400, "INVALID_TX_HASH", why)) };
        }
        let Some(payer) = payer_of(material) else {
            let why = "The payment header is not a payment that can be read.";
            return Err(refusal(400, "INVALID_X_PAYMENT_HEADER", why));
        };
        if payer != quote.buyer {
            let why = "buyer_id must be the address that pays; nothing was charged.";
            return Err(refusal(400, "INVALID_BUYER_ADDRESS", why));
        }
        Ok(())
    }

    pub(super) fn signer(&self, material: &str, quote: &QuoteRow, tick: Now<'_>) -> Signer {
        let now = UnixTime::from_secs(tick.now.checked_div(1000).unwrap_or_default());
        find_signer(self.quotes.profile, material, quote, now)
    }
}

/// The quote of a request: the one that this payment was shown for before, whatever was quoted
/// since, else the newest.
fn find_quote_paid<R: Rows>(
    records: &R,
    fingerprint: &str,
    material: &str,
) -> Result<Option<QuoteRow>, R::Error> {
    let newest = records.quote_of(fingerprint)?;
    if material.is_empty() {
        return Ok(newest);
    }
    let Some(job) = find_job_paid(records, fingerprint, material)? else { return Ok(newest) };
    let first = records.quote(&job.quote)?.filter(|quote| quote.fingerprint == fingerprint);
    Ok(first.or(newest))
}

/// The job that this payment was shown for, first of all for this request: anyone can make up a copy
/// for another one.
pub(super) fn find_job_paid<R: Rows>(
    records: &R,
    fingerprint: &str,
    material: &str,
) -> Result<Option<JobRow>, R::Error> {
    Ok(match find_own_job(records, fingerprint, material)? {
        Some(job) => Some(job),
        None => find_other_job(records, material)?,
    })
}

/// The job of this request that this payment was shown for.
fn find_own_job<R: Rows>(
    records: &R,
    fingerprint: &str,
    material: &str,
) -> Result<Option<JobRow>, R::Error> {
    let own = records.job_shown_for(&digest_of(material), fingerprint)?;
    Ok(own.filter(|job| counts_for(material, job)))
}

/// The job of any request that this payment was shown for last.
fn find_other_job<R: Rows>(records: &R, material: &str) -> Result<Option<JobRow>, R::Error> {
    Ok(records.job_shown(&digest_of(material))?.filter(|job| counts_for(material, job)))
}

/// Whether a job keeps a payment that was shown for it from another quote. One that failed uncharged
/// does not: what is signed again has the same nonce.
fn counts_for(material: &str, job: &JobRow) -> bool {
    !is_let_go(job) || named_in(material).is_some_and(|named| named == job.quote)
}

/// Whether a job is over of which nothing was charged, nor will be: its buyer's request has ended.
fn is_let_go(job: &JobRow) -> bool {
    job.hold == HoldKind::Completion && job.state == JobState::Failed && job.transaction.is_empty()
}

fn other_profile() -> JsonAnswer {
    let why = "The payment profile has changed since this quote; request a new quote.";
    refusal(409, "QUOTE_PAYMENT_PROFILE_MISMATCH", why)
}

fn no_payment() -> JsonAnswer {
    refusal(400, "X_PAYMENT_REQUIRED", "X-PAYMENT header is required.")
}
