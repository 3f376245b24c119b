//! The meaning of an answer to a payment. Spec: contract of the compute exchange, "Buyer";
//! docs/answers.md, "By code".

use alloc::string::{String, ToString};

use crate::agent::json::Json;
use farebox_base::encoding::base64;
use farebox_base::http::Headers;

/// Where a payment is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Till {
    /// `POST jobs/verify`.
    Verify,
    /// The gate's own route, which knows payments of quotes that are gone.
    Gate,
}

/// The fate of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PaymentFate {
    /// There is a job for it, with its result if it waited for that.
    Job { job: String, token: String, transaction: Option<String>, result: Option<Json> },
    /// The exchange says that it was refused, and is not charged.
    NotCharged,
    /// The exchange says that the work failed before it was charged.
    NotDelivered,
    /// It was charged, and goes back.
    GoesBack,
    /// The quote is gone: only the gate knows whether the payment arrived.
    AskTheGate,
    /// It is not known yet.
    Open,
}

/// Codes after which the exchange does not charge a payment, whenever they come. The last two are the
/// gate's: the work that it waited for has failed, and what has the same nonce was shown for another
/// quote.
const REFUSED: [&str; 8] = [
    "FACILITATOR_RESPONSE_INVALID",
    "INVALID_X_PAYMENT_HEADER",
    "INVALID_BUYER_ADDRESS",
    "INVALID_TX_HASH",
    "INVALID_REQUEST",
    "INVALID_JSON",
    "origin_failed",
    "payment_already_used",
];
/// Codes of a quote that is gone. To a payment that was not sent before they say that nothing is
/// charged.
const GONE: [&str; 4] = [
    "FINGERPRINT_INVALID",
    "QUOTE_EXPIRED",
    "PAYMENT_ALREADY_VERIFIED",
    "QUOTE_PAYMENT_PROFILE_MISMATCH",
];
const MAX_BYTES: usize = 64 * 1024;
/// Longest id of a job, and longest hash of a transaction, bytes.
const MAX_ID: usize = 128;
/// Longest token of a job, bytes.
const MAX_TOKEN: usize = 1024;

/// An answer to a payment that was shown.
#[derive(Clone, Copy)]
pub(super) struct PaymentAnswer<'a> {
    pub status: u16,
    pub code: &'a str,
    pub headers: &'a Headers,
    pub said: &'a Json,
}

/// Reads the answer of this till to a payment that may have been sent so often. `is_dead` says that
/// it can never be charged any more.
pub(super) fn of(answer: PaymentAnswer<'_>, till: Till, sent: u64, is_dead: bool) -> PaymentFate {
    let PaymentAnswer { status, code, headers, said } = answer;
    let text = |name: &str| said.text_of(name).map(ToString::to_string);
    if status == 200 {
        let job = text("job_id").filter(|id| is_word(id, MAX_ID, "-_"));
        let token = text("job_token").filter(|token| is_word(token, MAX_TOKEN, "-_.~+/="));
        let Some((job, token)) = job.zip(token) else {
            return PaymentFate::Open;
        };
        let transaction = text("settlement_tx_hash").or_else(|| settled(headers));
        let transaction = transaction.filter(|hash| is_word(hash, MAX_ID, ""));
        let is_done = said.text_of("status") == Some("done");
        let result = said.get("result").cloned().filter(|_| is_done);
        return PaymentFate::Job { job, token, transaction, result };
    }
    if matches!(code, "refund_due" | "refunded")
        || settled(headers).is_some() && GONE.contains(&code)
    {
        return PaymentFate::GoesBack;
    }
    if code == "JOB_FAILED" {
        return PaymentFate::NotDelivered;
    }
    if REFUSED.contains(&code) {
        return PaymentFate::NotCharged;
    }
    match till {
        Till::Verify if GONE.contains(&code) => {
            if sent <= 1 {
                PaymentFate::NotCharged
            } else {
                PaymentFate::AskTheGate
            }
        }
        Till::Verify => PaymentFate::Open,
        // The gate asks for a payment: it has none of these bytes.
        Till::Gate if status == 402 => PaymentFate::NotCharged,
        Till::Gate if is_dead && matches!(status, 404 | 409 | 503) => PaymentFate::NotCharged,
        Till::Gate => PaymentFate::Open,
    }
}

/// Whether a text of an exchange that is kept, or asked for again, is a word of this length.
fn is_word(text: &str, most: usize, marks: &str) -> bool {
    let is_its = |letter: char| letter.is_ascii_alphanumeric() || marks.contains(letter);
    (1..=most).contains(&text.len()) && text.chars().all(is_its)
}

/// The transaction of a settlement that an answer shows.
fn settled(headers: &Headers) -> Option<String> {
    let value =
        headers.joined("payment-response").or_else(|| headers.joined("x-payment-response"))?;
    let bytes = base64::decode(&value).or_else(|_| base64::decode_url(&value)).ok()?;
    let said = Json::read(&String::from_utf8(bytes).ok()?, MAX_BYTES)?;
    let is_settled = said.get("success") == Some(&Json::Bool(true));
    said.text_of("transaction").filter(|_| is_settled).map(ToString::to_string)
}
