//! The meaning of a merchant's answer to a paid request.
//!
//! A settlement counts only if every member of it agrees with what was signed. A settlement that
//! names another payer, amount, network or no transaction is a lie, and no evidence.

use alloc::string::{String, ToString};

use serde_json::{Value, json};

use super::answer::{ALLOWED, CONFLICT, FAILED, LOST, REJECTED, REJECTED_FOR_FUNDS, UNPROVEN};
use super::merchant::spell_url;
use super::message::{Command, MerchantAnswer, Order};
use farebox_base::encoding::json::parse_with;
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;
use farebox_common::payment::Cause;
use farebox_payer::client::prepare::Prepared;
use farebox_payer::client::receipt::{self, leaves_open};
use farebox_payer::client::rejection::{Problem, Rejection};
use farebox_wire::facilitator::outcome::is_refused;
use farebox_wire::facilitator::reason::cause;
use farebox_wire::facilitator::reply::MAX_REPLY_BYTES;
use farebox_wire::facilitator::wire::Facilitator;

/// Milliseconds before the first, second, … repeat if the merchant names no time.
const BACKOFF_MS: [u64; 5] = [250, 500, 1_000, 2_000, 5_000];
/// Maximum time that a merchant may ask to wait, seconds.
const MAX_WAIT_SECS: u64 = 30;

/// The alarm's next step with a merchant's answer, or without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send the same again after so many milliseconds.
    Again(u64),
    /// Report this.
    Report(Command),
}

/// The outcome of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `outcome`.
    pub name: &'static str,
    /// `reasonCode`.
    pub code: &'static str,
    /// The sentence.
    pub reason: &'static str,
    /// `fulfillmentStatus` of its receipt.
    pub fulfillment: &'static str,
    /// Whether there is a receipt.
    pub has_receipt: bool,
    /// The transaction that the merchant proves to know of.
    pub transaction: Option<String>,
    /// The merchant's statement beyond that.
    pub evidence: Option<Value>,
    /// Whether the settlement that it names contradicts what was signed.
    pub is_conflict: bool,
    /// Whether an earlier answer delivered, and this one did not.
    pub is_repeated: bool,
}

impl Outcome {
    pub(super) const fn of(name: &'static str, code: &'static str, reason: &'static str) -> Self {
        let (fulfillment, has_receipt) = ("failed", false);
        let (transaction, evidence) = (None, None);
        let (is_conflict, is_repeated) = (false, false);
        Self {
            name,
            code,
            reason,
            fulfillment,
            has_receipt,
            transaction,
            evidence,
            is_conflict,
            is_repeated,
        }
    }

    /// That of a request without a complete answer.
    #[must_use]
    pub fn lost() -> Self {
        Self {
            fulfillment: "inconclusive",
            ..Self::of("inconclusive", "merchant_transport_lost", LOST)
        }
    }

    /// Reads the last answer to a request; `repeated` is whether it was sent more than once, so
    /// that a refusal may be about the repeat alone.
    #[must_use]
    pub fn read(answer: &MerchantAnswer, paid: &Prepared, url: &str, repeated: bool) -> Self {
        let headers = headers_of(answer);
        let settlement = receipt::read(&headers, paid, &spell_url(url));
        let is_lie = settlement.is_err();
        let settlement = settlement.ok().flatten().map(|(_, receipt)| receipt);
        let transaction = settlement.as_ref().and_then(|it| it.get("transaction"));
        let transaction = transaction.and_then(Value::as_str).map(ToString::to_string);
        let status = u16::try_from(answer.status).unwrap_or(u16::MAX);
        let problem = Problem::read(&headers, answer.body.as_bytes());
        let rejection = || Rejection::of_payment(status, &headers, None, answer.body.as_bytes());
        let said = || {
            let rejection = rejection();
            let mut evidence =
                json!({"merchantStatus": answer.status, "merchantReason": rejection.text});
            if is_lie && let Some(evidence) = evidence.as_object_mut() {
                evidence.insert("settlementRefused".to_string(), true.into());
            }
            Some(evidence)
        };
        let read = match (answer.status, transaction) {
            (200..=299, None) if is_lie => Self {
                fulfillment: "succeeded",
                has_receipt: true,
                ..Self::of("allow", "settlement_proof_conflict", CONFLICT)
            },
            (200..=299, transaction) => {
                let reason = if transaction.is_some() { ALLOWED } else { UNPROVEN };
                Self {
                    fulfillment: "succeeded",
                    has_receipt: true,
                    transaction,
                    ..Self::of("allow", "policy_allow", reason)
                }
            }
            (status, Some(transaction)) => {
                let code = failure(status);
                let reason = if code == "merchant_rejected" { REJECTED } else { FAILED };
                Self {
                    has_receipt: true,
                    transaction: Some(transaction),
                    evidence: said(),
                    ..Self::of("paid_fulfillment_failed", code, reason)
                }
            }
            (_, None) if repeated => Self { evidence: said(), ..Self::lost() },
            (402, None) if leaves_open(&headers, &problem) => {
                Self { evidence: said(), ..Self::lost() }
            }
            (status, None) => {
                let code = failure(status);
                let reason = match code {
                    // Without a node no one looks at the wallet before.
                    "merchant_rejected" if rejection().is_about_funds() => REJECTED_FOR_FUNDS,
                    "merchant_rejected" => REJECTED,
                    _ => FAILED,
                };
                Self { evidence: said(), ..Self::of("execution_failed", code, reason) }
            }
        };
        Self { is_conflict: is_lie, ..read }
    }
}

const fn failure(status: u32) -> &'static str {
    if status >= 500 { "merchant_execution_failed" } else { "merchant_rejected" }
}

fn headers_of(answer: &MerchantAnswer) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in &answer.headers {
        headers.add(name, value);
    }
    headers
}

/// Decides whether an order is sent again, after each answer to it; `None` if no complete one
/// came. `sent` is how often it was sent.
pub(super) fn take_turn(
    facilitator: Option<&Facilitator>,
    order: &Order,
    answer: Option<MerchantAnswer>,
    sent: u32,
    now: UnixTime,
) -> Turn {
    let (attempt, fence) = (order.attempt.clone(), order.fence);
    // The token moves under a nonce once, however often it is asked for.
    let is_settlement = facilitator.is_some_and(|it| it.settle_url() == order.url);
    let wait = match &answer {
        None => Some(None),
        Some(answer) if is_settlement && proves_nothing(answer) => Some(None),
        Some(answer) => again(answer),
    };
    let backoff = usize::try_from(sent.saturating_sub(1)).ok();
    let backoff = backoff.and_then(|turn| BACKOFF_MS.get(turn)).or(BACKOFF_MS.last());
    let backoff = backoff.copied().unwrap_or(1_000);
    if let Some(wait) = wait {
        let asked = wait.unwrap_or(0).min(MAX_WAIT_SECS).saturating_mul(1_000);
        let ms = asked.max(backoff);
        if now.plus(ms.div_ceil(1_000)) < UnixTime::from_secs(order.until) {
            return Turn::Again(ms);
        }
    }
    Turn::Report(match answer {
        Some(answer) => Command::Answered { attempt, fence, answer, sent },
        None => Command::Lost { attempt, fence, sent: true },
    })
}

/// Whether a facilitator's answer says nothing of the settlement that it was asked for.
fn proves_nothing(answer: &MerchantAnswer) -> bool {
    let body = parse_with(answer.body.as_bytes(), MAX_REPLY_BYTES).unwrap_or(Value::Null);
    let is_told = body.as_object().is_some_and(|settlement| {
        let text = |name: &str| settlement.get(name).and_then(Value::as_str).unwrap_or_default();
        settlement.get("success") == Some(&true.into())
            || settlement.contains_key("data")
            || !text("transaction").is_empty()
            || is_refused(settlement)
            || cause(text("errorReason")) == Cause::Replayed
    });
    answer.cut || answer.status == 429 || answer.status >= 500 || !is_told
}

/// Whether an answer asks for the same payment again, and after how many seconds.
fn again(answer: &MerchantAnswer) -> Option<Option<u64>> {
    let headers = headers_of(answer);
    let problem = Problem::read(&headers, answer.body.as_bytes());
    let is_over = matches!(
        problem.code.as_str(),
        "refund_due"
            | "refunded"
            | "payment_already_delivered"
            | "payment_already_used"
            | "under_review"
            | "origin_failed"
    );
    match (answer.status, problem.retryable, problem.retry_after) {
        (402, _, wait) if leaves_open(&headers, &problem) => Some(wait),
        (200..=399 | 402, ..) => None,
        _ if is_over => None,
        (_, Some(true), wait) => Some(wait),
        (409 | 503, None, Some(wait)) => Some(Some(wait)),
        _ => None,
    }
}
