//! The original's second step: the guards before the gate is asked for anything, in the contract's
//! order, and the row of the job that is written before money can move.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::body::spelled;
use super::direct::{DirectTransfer, USED};
use super::event::event;
use super::job::START_MS;
use super::message::{Answer, JsonAnswer};
use super::quote::Order;
use super::records::{Change, Rows};
use super::refused::{bad_fingerprint, detailed, quote_expired, said};
use super::row::{EventKind, HoldKind, JobRow, JobState, QuoteRow, QuoteState, Signer};
use super::seat::SeatClaim;
use super::settings::Gateway;
use super::text::{object, or_null, quoted};
use super::till::quote_in;
use super::{Decision, Now};
use farebox_base::amount::Amount;
use farebox_base::encoding::{base64, json};
use farebox_base::hash;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::secret::ct_eq;
use farebox_base::time::UnixTime;

/// Milliseconds for which a payment that is with the gate keeps the seat.
pub const SETTLING_MS: u64 = 120_000;
const MAX_PAYMENT_BYTES: usize = 16 * 1024;
const EXPIRED: &str = "Quote is expired or no longer valid.";

/// The content of a request for verification.
struct Verification {
    fingerprint: String,
    order: Order,
    tx_hash: Option<String>,
    signature: Option<String>,
}

impl Gateway {
    /// Checks a payment's request, and sends the payment to the till.
    pub(super) fn verify<R: Rows>(
        &self,
        records: &R,
        (payment, body): (&str, &str),
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let asked = match self.verification(body) {
            Ok(asked) => asked,
            Err(answer) => return Ok(Decision::reply(answer)),
        };
        let right = self.fingerprint(&asked.order);
        let shown = asked.fingerprint.to_ascii_lowercase();
        let is_right = ct_eq(right.as_bytes(), shown.as_bytes());
        if !is_right && !planted(Mutant::AnyPromptIsPaid) {
            let why = "Fingerprint does not match the request payload.";
            return Ok(Decision::reply(bad_fingerprint(why)));
        }
        let is_mock = self.set.hold == HoldKind::Mock;
        // A payment that is shown always wins.
        let blocks = self.set.older.direct_transfers.filter(|_| payment.is_empty());
        if let (Some(hash), Some(blocks)) = (&asked.tx_hash, blocks) {
            let Some(quote) = records.quote_of(&shown)? else {
                return Ok(Decision::reply(bad_fingerprint(EXPIRED)));
            };
            if !self.is_current(&quote) && !planted(Mutant::ProfilesMix) {
                return Ok(Decision::reply(other_profile()));
            }
            let shown = DirectTransfer { hash, signature: asked.signature.as_deref() };
            return self.direct(records, quote, (&shown, blocks), tick);
        }
        let has_material = if is_mock { asked.tx_hash.is_some() } else { !payment.is_empty() };
        let hash = asked.tx_hash.as_ref().map(|hash| hash.to_ascii_lowercase());
        let material = hash.as_deref().filter(|_| is_mock).unwrap_or(payment);
        let quote = self.quote_paid(records, &shown, material)?;
        let is_open = quote.as_ref().is_some_and(|quote| quote.is_open(tick.now));
        let Some(quote) = quote else {
            let answer = if has_material { bad_fingerprint(EXPIRED) } else { no_payment() };
            return Ok(Decision::reply(answer));
        };
        if !has_material && !is_open {
            return Ok(Decision::reply(no_payment()));
        }
        if !self.is_current(&quote) && !planted(Mutant::ProfilesMix) {
            return Ok(Decision::reply(other_profile()));
        }
        if !has_material {
            let what = ("X-PAYMENT header is required.", "X_PAYMENT_REQUIRED");
            return Ok(Decision::told(self.asking(&quote, what, tick)));
        }
        if let Err(answer) = self.material(material, &quote) {
            return Ok(Decision::reply(answer));
        }
        let shown = digest_of(material);
        self.pay(records, quote, (material, shown), tick)
    }

    /// The quote of a request: the one that this payment was shown for before, whatever was quoted
    /// since, else the newest.
    fn quote_paid<R: Rows>(
        &self,
        records: &R,
        fingerprint: &str,
        material: &str,
    ) -> Result<Option<QuoteRow>, R::Error> {
        let newest = records.quote_of(fingerprint)?;
        if material.is_empty() || planted(Mutant::NewerQuotesArePaidAgain) {
            return Ok(newest);
        }
        let Some(job) = self.job_paid(records, material)? else { return Ok(newest) };
        let first = records.quote(&job.quote)?.filter(|quote| quote.fingerprint == fingerprint);
        Ok(first.or(newest))
    }

    /// The job that this payment was shown for. One that failed uncharged keeps no payment from another
    /// quote: what is signed again has the same nonce.
    pub(super) fn job_paid<R: Rows>(
        &self,
        records: &R,
        material: &str,
    ) -> Result<Option<JobRow>, R::Error> {
        let job = records.job_shown(&digest_of(material))?;
        let names = |job: &JobRow| named_in(material).is_some_and(|named| named == job.quote);
        Ok(job.filter(|job| !is_let_go(job) || names(job)))
    }

    fn verification(&self, body: &str) -> Result<Verification, JsonAnswer> {
        let fields = super::body::Fields::of(body)?;
        let fingerprint = fields.text("fingerprint")?;
        let tx_hash = fields.maybe("tx_hash").map_err(|_| {
            super::refused::invalid("tx_hash must be a non-empty string when provided.")
        })?;
        let payload = fields.inner("payload")?;
        if payload.profile()?.is_some_and(|it| it != self.profile()) {
            let why = "Fingerprint does not match the request payload.";
            return Err(bad_fingerprint(why));
        }
        let signature = fields.maybe("buyer_signature")?;
        Ok(Verification { fingerprint, order: Order::of(&payload)?, tx_hash, signature })
    }

    /// Whether a quote asks for what the profile asks for now.
    fn is_current(&self, quote: &QuoteRow) -> bool {
        quote.pay_to == self.payee(&quote.seller)
            && quote.asset == self.token.address.to_checksum()
            && quote.network == self.set.network.as_str()
    }

    /// Whether what was shown can be a payment of this buyer.
    pub(super) fn material(&self, material: &str, quote: &QuoteRow) -> Result<(), JsonAnswer> {
        if self.set.hold == HoldKind::Mock {
            let digits = material.strip_prefix("0x").unwrap_or_default();
            let is_hash = digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            let why = "tx_hash must look like a mock hex transaction hash, for example 0xabc123.";
            return if is_hash { Ok(()) } else { Err(said(400, "INVALID_TX_HASH", why)) };
        }
        let Some(payer) = payer_of(material) else {
            let why = "The payment header is not a payment that can be read.";
            return Err(said(400, "INVALID_X_PAYMENT_HEADER", why));
        };
        if payer != quote.buyer && !planted(Mutant::AnyonePays) {
            let why = "buyer_id must be the address that pays; nothing was charged.";
            return Err(said(400, "INVALID_BUYER_ADDRESS", why));
        }
        Ok(())
    }

    /// Moves the seat from the quote to a job, before the payment leaves.
    pub(super) fn pay<R: Rows>(
        &self,
        records: &R,
        quote: QuoteRow,
        (material, shown): (&str, String),
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        if let Some(job) = records.job_of(&quote.id)? {
            if job.shown != shown && !planted(Mutant::QuotesSellTwice) {
                let why = "This quote has been paid, or is being paid, by another payment.";
                return Ok(Decision::reply(said(409, "PAYMENT_ALREADY_VERIFIED", why)));
            }
            // The gate answers the same payment as it did before.
            return Ok(match self.set.hold {
                HoldKind::Mock => Decision::reply(self.told_paid(&job)),
                HoldKind::Completion | HoldKind::Escrow | HoldKind::Contract => {
                    Decision::told(Answer::Till(quote.id))
                }
            });
        }
        if !quote.is_open(tick.now) && !planted(Mutant::QuotesNeverEnd) {
            return Ok(Decision::reply(bad_fingerprint(EXPIRED)));
        }
        let is_mock = self.set.hold == HoldKind::Mock;
        if is_mock && records.job_shown(&shown)?.is_some() && !planted(Mutant::HashesPayTwice) {
            return Ok(Decision::reply(said(409, "TX_ALREADY_USED", USED)));
        }
        let units = Amount::from_atomic(&quote.units).unwrap_or(Amount::MAX);
        let may_sell = self.may_sell(records, (&quote.seller, units), tick)?;
        // What was shown for another quote pays for this one no more than what anyone made up.
        let is_new = self.job_paid(records, material)?.is_none();
        let now = UnixTime::from_secs(tick.now.checked_div(1000).unwrap_or_default());
        let signer = match self.signer(material, &quote, now) {
            Signer::Buyer if is_new => Signer::Buyer,
            Signer::Buyer | Signer::Unknown => Signer::Unknown,
        };
        let claim = if is_mock { SeatClaim::Payment } else { SeatClaim::of(signer) };
        let seat = self.seat_of(records, &quote, claim, tick)?.filter(|_| may_sell);
        let Some(seat) = seat else {
            // What anyone could have made up ends no quote.
            if quote.state == QuoteState::Displaced && claim == SeatClaim::Quote {
                return Ok(Decision::reply(quote_expired()));
            }
            let lapsed = QuoteRow { state: QuoteState::Lapsed, ..quote };
            let changes = Vec::from([Change::Quote(Box::new(lapsed))]);
            return Ok(Decision { answer: Answer::Reply(quote_expired()), changes });
        };
        let job = JobRow { shown, signer, ..self.new_job(&quote, &quote.seller, tick) };
        let after = |ms: u64| Some(tick.now.saturating_add(ms));
        let (answer, state, job, event) = match self.set.hold {
            HoldKind::Mock => {
                let transaction = material.to_string();
                let due = after(START_MS);
                let job = JobRow { state: JobState::Paid, due, transaction, ..job };
                let event = event(EventKind::Paid, tick).job(&job.id).payment(&quote.id);
                let answer = Answer::Reply(self.told_paid(&job));
                (answer, QuoteState::Sold, job, Some(event.seller(&quote.seller).done()))
            }
            HoldKind::Completion | HoldKind::Escrow | HoldKind::Contract => {
                let job = JobRow { due: after(SETTLING_MS), ..job };
                (Answer::Till(quote.id.clone()), QuoteState::Settling, job, None)
            }
        };
        let quote = Change::Quote(Box::new(QuoteRow { state, ..quote }));
        let changes = [Change::Job(Box::new(job)), quote].into_iter().chain(event);
        let changes = changes.chain(seat.freed).collect();
        Ok(Decision { answer, changes })
    }
}

impl Gateway {
    /// A payment as the gate reads it: the original's bare object becomes one of version 1.
    #[must_use]
    pub fn presented(&self, payment: &str) -> String {
        let bare = base64::decode(payment.trim()).ok();
        let bare = bare.and_then(|bytes| json::parse_with(&bytes, MAX_PAYMENT_BYTES).ok());
        let bare =
            bare.filter(|it| it.get("authorization").is_some() && it.get("payload").is_none());
        let Some(bare) = bare else { return payment.to_string() };
        let part = |name: &str| bare.get(name).map_or_else(|| "null".to_string(), json::text);
        let payload =
            object(&[("signature", part("signature")), ("authorization", part("authorization"))]);
        let network = self.set.network.v1_name().unwrap_or(self.set.network.as_str());
        let message = object(&[
            ("x402Version", "1".to_string()),
            ("scheme", quoted("exact")),
            ("network", quoted(network)),
            ("payload", payload),
        ]);
        base64::encode(message.as_bytes())
    }

    /// The answer where the gate gave another one than a sale's: what it said, in the contract's
    /// envelope.
    #[must_use]
    pub fn not_sold(status: u32, body: &str) -> JsonAnswer {
        let said = json::parse(body.as_bytes()).unwrap_or(Value::Null);
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
        // What the till itself refused is in the envelope already.
        if !text("error").is_empty() && !text("code").is_empty() {
            return JsonAnswer::new(status, body.to_string());
        }
        let why = match text("detail") {
            "" => "The payment could not be settled; ask again with the same payment.",
            detail => detail,
        };
        let details = object(&[("gate", or_null(text("code"))), ("status", format!("{status}"))]);
        detailed(status, "PAYMENT_VERIFY_FAILED", why, &details)
    }
}

/// Whether a job is over of which nothing was charged, nor will be: its buyer's request has ended.
fn is_let_go(job: &JobRow) -> bool {
    job.hold == HoldKind::Completion
        && job.state == JobState::Failed
        && !planted(Mutant::FailuresKeepPayments)
}

/// The quote that a payment names as what it pays for, as version 2 of x402 does.
fn named_in(material: &str) -> Option<String> {
    let message = message_of(material)?;
    quote_in(message.get("resource")?.get("url")?.as_str()?).map(ToString::to_string)
}

/// The digest by which a payment that was shown is known: that of its authorization, however it is
/// written.
pub(super) fn digest_of(material: &str) -> String {
    let authorization = message_of(material).and_then(|message| {
        let terms = message.get("payload").unwrap_or(&message).get("authorization")?;
        let word = |name| Some(terms.get(name)?.as_str()?.to_ascii_lowercase());
        Some([word("from")?, word("nonce")?])
    });
    match authorization {
        Some([from, nonce]) => {
            hash::digest(&[b"farebox shown authorization", from.as_bytes(), nonce.as_bytes()])
        }
        None => hash::digest(&[b"farebox shown payment", material.as_bytes()]),
    }
}

fn other_profile() -> JsonAnswer {
    let why = "The payment profile has changed since this quote; request a new quote.";
    said(409, "QUOTE_PAYMENT_PROFILE_MISMATCH", why)
}

fn no_payment() -> JsonAnswer {
    said(400, "X_PAYMENT_REQUIRED", "X-PAYMENT header is required.")
}

/// The message of a payment, whichever protocol it is of.
pub(super) fn message_of(payment: &str) -> Option<Value> {
    if payment.len() > MAX_PAYMENT_BYTES {
        return None;
    }
    let text = payment.trim();
    let text = text.strip_prefix("Payment ").unwrap_or(text).trim();
    let bytes = base64::decode(text).or_else(|_| base64::decode_url(text)).ok()?;
    json::parse_with(&bytes, MAX_PAYMENT_BYTES).ok()
}

/// The signer of a payment that was shown, in its one spelling: of both versions of x402, of the
/// original's bare object, or of an MPP credential.
fn payer_of(payment: &str) -> Option<String> {
    let value = message_of(payment)?;
    let from = |value: &Value| {
        let from = value.get("authorization")?.get("from")?;
        from.as_str().map(ToString::to_string)
    };
    let source = || {
        let source = value.get("source")?.as_str()?;
        source.rsplit(':').next().map(ToString::to_string)
    };
    let payer = value.get("payload").and_then(from).or_else(|| from(&value)).or_else(source)?;
    Some(spelled(&payer))
}
