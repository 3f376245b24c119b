//! Every refusal: [`row`] is one table of code, status, sentence and remedy. No other file writes a
//! 4xx or 5xx sentence.

pub mod row;

use alloc::string::String;

use serde::Serialize;

use farebox_base::encoding::json;

/// Why a request was refused. The wire name never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// No proof came with a request for a priced route.
    PaymentRequired,
    /// The proof does not decode or has the wrong shape.
    MalformedPayment,
    /// Two different proofs came with one request.
    AmbiguousPayment,
    /// A proof header is longer than [`farebox_base::http::MAX_PROOF_BYTES`].
    ProofTooLarge,
    /// Servers may read the request target in two ways.
    AmbiguousTarget,
    /// A protocol upgrade was asked for on a priced route.
    UpgradeNotSupported,
    /// The target of a priced route is too long to be quoted in a challenge.
    TargetTooLong,
    /// A header on which the price may depend is too long to be passed to the pricer.
    HeaderTooLarge,
    /// A body came with a GET or HEAD for a priced route.
    UnexpectedBody,
    /// The request's body broke off.
    IncompleteBody,
    /// The listed path does not serve this method.
    MethodNotAllowed,
    /// Nothing is served at this path.
    NotFound,
    /// The credential of MPP does not decode or has the wrong shape.
    MalformedCredential,
    /// The answered challenge was not issued by this gate for this request.
    InvalidChallenge,
    /// The answered challenge has expired.
    ChallengeExpired,
    /// The answered challenge was for another body.
    DigestMismatch,
    /// The credential's payload is not acceptable for this challenge.
    InvalidPayload,
    /// The authorization's nonce is not the hash of its challenge.
    NonceMismatch,
    /// The credential names a source other than the payer who signed.
    SourceMismatch,
    /// The payload names a protocol version other than its header's.
    UnsupportedVersion,
    /// The accepted requirements are not those of this route.
    TermsMismatch,
    /// The payload names a resource other than the requested one.
    ResourceMismatch,
    /// The channel does not take this voucher, deposit or refund; the scheme's own word is the reason.
    SessionRefused,
    /// The signature does not prove the payer.
    SignatureInvalid,
    /// The signature may be a contract's, and this gate takes none.
    ContractWalletRefused,
    /// The authorization pays a different address.
    RecipientMismatch,
    /// The authorization expires too early to be settled in time.
    Expired,
    /// The authorization is not valid yet.
    NotYetValid,
    /// The authorization is valid for longer than the gate remembers it.
    ValidityTooLong,
    /// The authorized value is not the price.
    AmountMismatch,
    /// The facilitator refused the payment before anything was submitted.
    VerifyRefused,
    /// The facilitator refused to settle, for certain.
    SettlementRefused,
    /// The same payment is being worked on.
    PaymentInProgress,
    /// It is unknown whether money moved.
    SettlementUnknown,
    /// Another payment of this payer for the same request has an unknown outcome.
    PaymentUnresolved,
    /// The payment is bound to another request.
    PaymentAlreadyUsed,
    /// The payment was delivered, and the repeat proves no right to the response.
    PaymentAlreadyDelivered,
    /// The origin failed, and nothing was charged.
    OriginFailed,
    /// The origin redirected, which the route does not sell, and nothing was charged.
    OriginRedirected,
    /// The origin did not answer in time, and nothing was charged.
    OriginTimeout,
    /// The origin failed at a request that went on without a payment; what it did before is not known.
    UnpaidOriginFailed,
    /// The same, because it did not answer in time.
    UnpaidOriginTimeout,
    /// The payment was charged and not delivered.
    RefundDue,
    /// As [`Code::RefundDue`], because the origin did not answer in time.
    RefundDueTimeout,
    /// As [`Code::RefundDue`], told to a repeat.
    RefundDueRepeat,
    /// The payment was not delivered, and the operator has settled that with the payer.
    Refunded,
    /// The operator does not accept payments from this payer.
    PayerDenied,
    /// The operator has to look at this payment.
    UnderReview,
    /// The payer has too many payments in flight.
    TooManyInFlight,
    /// The payer has too many payments for which nothing was charged, and which may still be.
    TooManyUnpaid,
    /// The client's network sends more payments than the operator allows.
    RateLimited,
    /// The ledger object has no place for another payment that may move no money.
    LedgerFull,
    /// As [`Code::LedgerFull`], because the object's database is nearly full.
    LedgerNoRoom,
    /// The route's price is not available.
    PriceUnavailable,
    /// The facilitator is down and nothing was submitted.
    FacilitatorUnavailable,
    /// The ledger object is down or overloaded.
    LedgerUnavailable,
    /// The operator's token is missing or wrong.
    Unauthorized,
    /// A parameter or member of an operator's request is missing or wrong.
    InvalidRequest,
    /// The payment's state does not allow the operator's decision.
    WrongState,
    /// The operator began to pay this debt back before.
    RefundBegun,
    /// The payer may still be served for this debt.
    RefundEarly,
    /// The debt is older than the restore of the ledger.
    RefundRestored,
    /// The settings or rows of this gate do not take the copy.
    RestoreRefused,
    /// The debt was paid back or waived.
    RefundEnded,
    /// The chain does not show the refund.
    RefundUnproven,
    /// The node of the chain does not answer.
    ChainUnavailable,
    /// The gate's configuration has an error.
    NotConfigured,
    /// The request has come through this gate before.
    LoopDetected,
    /// A broken invariant; nothing was charged by it.
    Internal,
}

/// Prefix of MPP's problem types. Spec: Payment authentication scheme, "Error responses".
pub const PAYMENT_PROBLEMS: &str = "https://paymentauth.org/problems/";

impl Code {
    /// The stable wire name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().code
    }
}

/// The body of a refusal, `application/problem+json`. Spec: RFC 9457.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    /// The detail once more, for clients that look here first.
    reason: &'a str,
    detail: &'a str,
    code: &'a str,
    retryable: bool,
    correlation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<&'a str>,
}

/// Writes the problem document of `code`. `status` overrides the row's, because a repeat may be
/// answered differently; `payment` is the receipt id if a payment is concerned.
///
/// # Examples
/// ```
/// use farebox_common::problem::{Code, document};
/// let text = document(Code::NotFound, 404, "a-correlation-id", None);
/// let document: serde_json::Value = serde_json::from_str(&text).unwrap();
/// assert_eq!(document["type"], "urn:farebox:problem:not_found");
/// assert_eq!(document["reason"], document["detail"]);
/// assert_eq!(document["correlation_id"], "a-correlation-id");
/// ```
#[must_use]
pub fn document(code: Code, status: u16, correlation_id: &str, payment: Option<&str>) -> String {
    let row = code.row();
    let mut name = String::from("urn:farebox:problem:");
    name.push_str(row.code);
    let body = Body {
        r#type: name,
        title: row.title,
        status,
        reason: row.detail,
        detail: row.detail,
        code: row.code,
        retryable: row.retryable,
        correlation_id,
        payment,
    };
    json::text(&body)
}
