//! A purchase at the compute exchange: one quote, one payment, one job, one result, however often the
//! process that makes it dies.
//!
//! [`JobPurchase::next`] is a pure step: the caller keeps what it returns, durably, and only then does
//! what the [`PurchaseStep`] says. What is kept can be read by another process, which begins with
//! [`PurchaseEvent::Resumed`]. [`order`] is what is wanted, [`terms`] checks a quote, and `told` reads what
//! answers a payment.
//! Assumptions:
//! - the purchase is kept before its step is carried out;
//! - what is signed for a quote has one nonce, which is kept before the signature is asked for;
//! - the exchange holds a quote's seat for its buyer alone, and answers the same payment alike.

pub mod order;
mod outcome;
mod stage;
mod step;
pub mod terms;
mod told;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use self::order::JobOrder;
use self::outcome::{done, failed, over};
pub use self::stage::MoneyState;
use self::stage::PurchaseStage;
pub use self::step::{PlannedCall, PurchaseEvent, PurchaseStep};
use self::terms::{QuoteTerms, TermsError};
use self::told::{PaymentAnswer, PaymentFate, Till};
use super::json::Json;
use super::text::bounded;
use farebox_base::http::Headers;

/// A purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPurchase {
    order: JobOrder,
    stage: PurchaseStage,
    /// Answers in a row that told nothing new.
    waits: u32,
}

/// An answer of the exchange, or of whatever stands in front of it.
struct ExchangeAnswer<'a> {
    status: u16,
    /// Its code; empty if it has none.
    code: &'a str,
    body: &'a Json,
    retry_after: Option<u64>,
    /// Its reason, for people.
    sentence: String,
}

/// Milliseconds before the next try.
const BACKOFF_MS: [u64; 5] = [250, 1_000, 2_000, 5_000, 10_000];
/// Milliseconds between two looks at a job without a feed. Spec: contract of the compute exchange,
/// "Constants".
const LOOK_MS: u64 = 1_000;
/// Longest wait that a server may ask for, seconds.
const MAX_RETRY_AFTER_SECS: u64 = 60;
/// Seconds by which clocks may differ.
const LATE_SECS: u64 = 60;
/// Seconds that have to be left of a quote for it to be signed.
const LEAST_SECS: u64 = 5;
const MAX_BYTES: usize = 1024 * 1024;
/// Longest answer with a quote, head and body, bytes.
const MAX_QUOTE: usize = 32 * 1024;
/// Seconds after the end of its quote by which a job is over: three sellers have three minutes each.
const OVER_SECS: u64 = 900;

impl JobPurchase {
    /// A new one.
    #[must_use]
    pub fn new(order: JobOrder) -> Self {
        let stage = if order.is_demo() {
            PurchaseStage::Asking { network: String::new(), currency: String::new() }
        } else {
            PurchaseStage::Looking
        };
        Self { order, stage, waits: 0 }
    }

    /// How far it is, as a number that never falls within one payment.
    #[must_use]
    pub const fn rank(&self) -> u32 {
        self.stage.rank()
    }

    /// Where the money is if it goes no further.
    #[must_use]
    pub fn money(&self) -> MoneyState {
        self.stage.money()
    }

    /// The quote, once there is one.
    #[must_use]
    pub const fn terms(&self) -> Option<&QuoteTerms> {
        self.stage.terms()
    }

    /// As it is kept.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::object([
            ("order", Some(self.order.to_json())),
            ("stage", Some(self.stage.to_json())),
            // The next wait of the process that goes on with it at once.
            ("waits", (self.waits > 0).then(|| Json::number(self.waits.into()))),
        ])
    }

    /// Reads what [`to_json`](Self::to_json) wrote; `None` if it did not.
    #[must_use]
    pub fn read(kept: &Json) -> Option<Self> {
        let order = JobOrder::read(kept.get("order")?)?;
        let stage = PurchaseStage::read(kept.get("stage")?)?;
        let waits = match kept.get("waits") {
            Some(Json::Number(digits)) => digits.parse().unwrap_or_default(),
            _ => 0,
        };
        Some(Self { order, stage, waits })
    }

    /// Takes an event at unix seconds `now`: the step to carry out once this is kept.
    pub fn next(&mut self, event: PurchaseEvent<'_>, now: u64) -> PurchaseStep {
        let step = match event {
            PurchaseEvent::Resumed => {
                self.waits = 0;
                None
            }
            PurchaseEvent::Lost => {
                self.waits = self.waits.saturating_add(1);
                None
            }
            PurchaseEvent::Signed { payment, ends } => {
                if let PurchaseStage::Quoted { terms, .. } = &self.stage {
                    let terms = terms.clone();
                    self.stage =
                        PurchaseStage::Sent { terms, payment, ends, sent: 0, till: Till::Verify };
                }
                None
            }
            PurchaseEvent::Answered { status, headers, body } => {
                self.answered(status, headers, body, now)
            }
        };
        step.unwrap_or_else(|| self.ask(None, now))
    }

    /// The step that is due at its stage.
    fn ask(&mut self, after_secs: Option<u64>, now: u64) -> PurchaseStep {
        let turn = usize::try_from(self.waits).unwrap_or(usize::MAX);
        let backoff = match turn.checked_sub(1) {
            None => 0,
            Some(turn) => BACKOFF_MS.get(turn).or(BACKOFF_MS.last()).copied().unwrap_or(LOOK_MS),
        };
        let asked = after_secs.unwrap_or(0).min(MAX_RETRY_AFTER_SECS).saturating_mul(1_000);
        let wait_ms = backoff.max(asked);
        if let PurchaseStage::Quoted { terms, .. } = &self.stage {
            let is_fresh = is_fresh(terms, now);
            let is_within = terms.is_within(&self.order).is_ok();
            if is_fresh && is_within {
                return self.sign();
            }
            // Its seat is gone, or this call allows less than the one that was quoted; nothing was
            // signed that left.
            let (network, currency) = (terms.network.clone(), terms.currency.clone());
            self.stage = PurchaseStage::Asking { network, currency };
        }
        PurchaseStep::Request(match &mut self.stage {
            PurchaseStage::Looking => PlannedCall {
                method: "GET",
                path: format!("/api/v1/buyers/capabilities?network_profile={}", self.order.profile),
                headers: Json::List(Vec::new()),
                body: String::new(),
                wait_ms,
            },
            PurchaseStage::Asking { .. } | PurchaseStage::Quoted { .. } => PlannedCall {
                method: "POST",
                path: "/api/v1/jobs/quote".to_string(),
                headers: Json::List(Vec::new()),
                body: self.order.payload().to_string(),
                wait_ms,
            },
            PurchaseStage::Sent { terms, payment, till, sent, .. } => {
                *sent = sent.saturating_add(1);
                let path = match till {
                    Till::Verify => "/api/v1/jobs/verify".to_string(),
                    Till::Gate => self.order.till_of(&terms.payment_id),
                };
                let tx_hash = terms.is_mock().then(|| format!("0x{}", terms.payment_id).into());
                let body = Json::object([
                    ("fingerprint", Some(terms.fingerprint.as_str().into())),
                    ("tx_hash", tx_hash),
                    ("payload", Some(self.order.payload())),
                ]);
                PlannedCall {
                    method: "POST",
                    path,
                    headers: payment.clone(),
                    body: match till {
                        Till::Verify => body.to_string(),
                        Till::Gate => String::new(),
                    },
                    wait_ms,
                }
            }
            PurchaseStage::Paid { job, token, .. } => PlannedCall {
                method: "GET",
                path: format!("/api/v1/jobs/{job}"),
                headers: pairs([("authorization", format!("Bearer {token}"))]),
                body: String::new(),
                wait_ms,
            },
            PurchaseStage::Over(outcome) => return over(outcome.clone()),
        })
    }

    /// A quote of pretended money needs no signature.
    fn sign(&mut self) -> PurchaseStep {
        let PurchaseStage::Quoted { terms, .. } = &self.stage else { return PurchaseStep::Sign };
        if !terms.is_mock() {
            return PurchaseStep::Sign;
        }
        let (terms, ends) = (terms.clone(), terms.until);
        let payment = Json::List(Vec::new());
        self.stage = PurchaseStage::Sent { terms, payment, ends, sent: 0, till: Till::Verify };
        self.ask(None, 0)
    }

    fn answered(
        &mut self,
        status: u16,
        headers: &Headers,
        body: &str,
        now: u64,
    ) -> Option<PurchaseStep> {
        let said = Json::read(body, MAX_BYTES).unwrap_or(Json::Null);
        let retry_after = headers.joined("retry-after").and_then(|text| text.trim().parse().ok());
        let is_busy = status == 429 || status >= 500;
        let sentence = bounded(said.text_of("error").unwrap_or("no reason"), 200);
        let code = said.text_of("code").unwrap_or_default().to_string();
        match &self.stage {
            PurchaseStage::Looking | PurchaseStage::Asking { .. }
                if is_busy && code != "NO_SELLER_AVAILABLE" =>
            {
                self.waits = self.waits.saturating_add(1);
                Some(self.ask(retry_after, now))
            }
            PurchaseStage::Looking if status == 200 => match terms::listed(&said, &self.order) {
                Ok((network, currency)) => {
                    self.stage = PurchaseStage::Asking { network, currency };
                    self.waits = 0;
                    None
                }
                Err(error) => Some(self.end_before(error.code(), &error.to_string())),
            },
            PurchaseStage::Asking { network, currency } if status == 402 => {
                match QuoteTerms::read(&said, &self.order, network, currency, now) {
                    Ok(terms) => self.quoted(terms, headers, body, now),
                    Err(error) => Some(self.end_before(error.code(), &error.to_string())),
                }
            }
            PurchaseStage::Looking | PurchaseStage::Asking { .. } => {
                let code = if code == "NO_SELLER_AVAILABLE" {
                    TermsError::Unavailable.code()
                } else {
                    "order_refused"
                };
                let why = format!("the exchange answers {status}: {sentence}");
                Some(self.end_before(code, &why))
            }
            PurchaseStage::Quoted { .. } | PurchaseStage::Over(_) => None,
            PurchaseStage::Sent { terms, ends, sent, till, .. } => {
                let is_dead = now > ends.saturating_add(LATE_SECS);
                // The exchange passes on what the gate said.
                let gate = said.object_of("details").and_then(|it| it.text_of("gate"));
                let code = gate.filter(|_| code == "PAYMENT_VERIFY_FAILED").unwrap_or(&code);
                let told = told::of(
                    PaymentAnswer { status, code, headers, said: &said },
                    *till,
                    *sent,
                    is_dead,
                );
                let terms = terms.clone();
                let said = ExchangeAnswer { status, code, body: &said, retry_after, sentence };
                self.paid(terms, told, said, now)
            }
            PurchaseStage::Paid { terms, job, .. } => {
                let (terms, job) = (terms.clone(), job.clone());
                let code = code.as_str();
                let said = ExchangeAnswer { status, code, body: &said, retry_after, sentence };
                self.looked(&terms, &job, said, now)
            }
        }
    }

    /// Takes a quote, which is kept until it is paid.
    fn quoted(
        &mut self,
        terms: QuoteTerms,
        headers: &Headers,
        body: &str,
        now: u64,
    ) -> Option<PurchaseStep> {
        let lines = headers.to_lines();
        if lines.len().saturating_add(body.len()) > MAX_QUOTE {
            let why = "the quote is longer than 32 KiB";
            return Some(self.end_before("quote_rejected", why));
        }
        let asked = Json::object([("headers", Some(lines.into())), ("body", Some(body.into()))]);
        // One that comes without the time to sign it is asked for again like an error.
        self.waits = if is_fresh(&terms, now) { 0 } else { self.waits.saturating_add(1) };
        self.stage = PurchaseStage::Quoted { terms, asked };
        None
    }

    /// Takes what became of a payment.
    fn paid(
        &mut self,
        terms: QuoteTerms,
        told: PaymentFate,
        ExchangeAnswer { retry_after, sentence, .. }: ExchangeAnswer<'_>,
        now: u64,
    ) -> Option<PurchaseStep> {
        match told {
            // Where nothing is held, the answer is the work: a job alone proves nothing.
            PaymentFate::Job { result: None, .. } if !terms.is_held() && !terms.is_mock() => {
                self.waits = self.waits.saturating_add(1);
                Some(self.ask(retry_after, now))
            }
            PaymentFate::Job { job, token, transaction, result } => {
                let terms = QuoteTerms { transaction, ..terms };
                self.waits = 0;
                if let Some(result) = result {
                    return Some(self.end(done(&terms, &job, result)));
                }
                self.stage = PurchaseStage::Paid { terms, job, token };
                None
            }
            PaymentFate::NotCharged => {
                let why = format!("the payment was refused: {sentence}");
                let money = Self::money_refused(&terms);
                Some(self.end(failed("payment_refused", &why, money, Some(&terms), None)))
            }
            PaymentFate::NotDelivered => {
                let why =
                    "the seller did not deliver, and the exchange says that nothing was charged";
                let money = Self::money_refused(&terms);
                Some(self.end(failed("job_failed", why, money, Some(&terms), None)))
            }
            PaymentFate::GoesBack => {
                let why = "the payment was settled and its quote was gone: it is refunded";
                Some(self.end(failed("refund_due", why, MoneyState::Refunded, Some(&terms), None)))
            }
            PaymentFate::AskTheGate => {
                if let PurchaseStage::Sent { till, .. } = &mut self.stage {
                    *till = Till::Gate;
                }
                self.waits = self.waits.saturating_add(1);
                None
            }
            PaymentFate::Open => {
                self.waits = self.waits.saturating_add(1);
                Some(self.ask(retry_after, now))
            }
        }
    }

    /// Takes what is said about the job.
    fn looked(
        &mut self,
        terms: &QuoteTerms,
        job: &str,
        ExchangeAnswer { status, code, body: said, retry_after, sentence }: ExchangeAnswer<'_>,
        now: u64,
    ) -> Option<PurchaseStep> {
        let result = || said.get("result").cloned().unwrap_or(Json::Null);
        match (status, said.text_of("status")) {
            (200, Some("done")) => Some(self.end(done(terms, job, result()))),
            (200, Some("failed")) => {
                let money = match terms.is_held() {
                    true => MoneyState::Refunded,
                    false => Self::money_refused(terms),
                };
                let why = result();
                let why = bounded(why.text_of("error").unwrap_or("the seller gave up"), 300);
                let error = failed("job_failed", &why, money, Some(terms), Some(job));
                Some(self.end(error))
            }
            (200, Some(_)) => {
                self.waits = 1;
                match self.ask(retry_after, now) {
                    PurchaseStep::Request(request) => {
                        Some(PurchaseStep::Request(PlannedCall { wait_ms: LOOK_MS, ..request }))
                    }
                    other => Some(other),
                }
            }
            // Its row has left, and no proxy says so: whoever has the money has it by now.
            (404, _)
                if (code == "JOB_NOT_FOUND") && now > terms.until.saturating_add(OVER_SECS) =>
            {
                let why = "the exchange does not know the job any more: its seller was paid, or the money came back";
                let money = MoneyState::Unknown;
                Some(self.end(failed("job_gone", why, money, Some(terms), Some(job))))
            }
            // A proxy's page, or a result that is no JSON within bounds.
            (200, None) | (403 | 404, _) => {
                let why = format!("the job cannot be read: {sentence}");
                Some(PurchaseStep::Fail(failed(
                    "job_unreadable",
                    &why,
                    self.money(),
                    Some(terms),
                    Some(job),
                )))
            }
            _ => {
                self.waits = self.waits.saturating_add(1);
                Some(self.ask(retry_after, now))
            }
        }
    }

    /// Where the money of a payment is that left and was refused. Only the chain knows: until the
    /// order is delivered, whatever is signed for it has the same nonce.
    fn money_refused(terms: &QuoteTerms) -> MoneyState {
        match terms.is_mock() {
            true => MoneyState::NotMoved,
            false => MoneyState::Unknown,
        }
    }

    fn end(&mut self, outcome: Json) -> PurchaseStep {
        self.stage = PurchaseStage::Over(outcome.clone());
        over(outcome)
    }

    /// Ends before anything was signed.
    fn end_before(&mut self, code: &str, why: &str) -> PurchaseStep {
        self.end(failed(code, why, MoneyState::NotMoved, None, None))
    }
}

/// Whether enough is left of a quote for it to be signed at unix seconds `now`.
const fn is_fresh(terms: &QuoteTerms, now: u64) -> bool {
    now.saturating_add(LEAST_SECS) < terms.until
}

fn pairs<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> Json {
    let pair = |(name, value): (&str, String)| Json::List([name.into(), value.into()].into());
    Json::List(fields.into_iter().map(pair).collect())
}
