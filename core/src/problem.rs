//! Every refusal: one table of code, status, sentence and remedy. No other file writes a 4xx or 5xx sentence.

use alloc::string::String;

use serde::Serialize;

/// Why a request was not answered with what it asked for. The wire name never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// No proof came with a request for a priced route.
    PaymentRequired,
    /// The proof does not decode or has the wrong shape.
    MalformedPayment,
    /// Two different proofs came with one request.
    AmbiguousPayment,
    /// A proof header is longer than [`crate::http::MAX_PROOF_BYTES`].
    ProofTooLarge,
    /// Servers may read the request target in two ways.
    AmbiguousTarget,
    /// A protocol upgrade was asked for on a priced route.
    UpgradeNotSupported,
    /// The target of a priced route is too long to be quoted in a challenge.
    TargetTooLong,
    /// A header that a price may depend on is too long to be told to who names the price.
    HeaderTooLarge,
    /// A body came with a GET or HEAD for a priced route.
    UnexpectedBody,
    /// The request's body ended before its end.
    IncompleteBody,
    /// The listed path does not serve this method.
    MethodNotAllowed,
    /// Nothing is served at this path.
    NotFound,
    /// The credential of MPP does not decode or has the wrong shape.
    MalformedCredential,
    /// The challenge that is answered is not one of this gate's for this request.
    InvalidChallenge,
    /// The challenge that is answered has expired.
    ChallengeExpired,
    /// The challenge that is answered was one for another body.
    DigestMismatch,
    /// The credential's payload is none that this challenge takes.
    InvalidPayload,
    /// The authorization's nonce is not the hash of its challenge.
    NonceMismatch,
    /// The credential names another source than the payer who signed.
    SourceMismatch,
    /// The payload names another protocol version than its header.
    UnsupportedVersion,
    /// The accepted requirements are not those of this route.
    TermsMismatch,
    /// The payload names another resource than the one asked for.
    ResourceMismatch,
    /// The signature does not prove the payer.
    SignatureInvalid,
    /// The authorization pays somebody else.
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
    /// Nobody knows yet whether money moved.
    SettlementUnknown,
    /// Another payment of this payer for the same request has an unknown outcome.
    PaymentUnresolved,
    /// The payment is bound to another request.
    PaymentAlreadyUsed,
    /// The payment was delivered and the repeat proves nothing more.
    PaymentAlreadyDelivered,
    /// The origin failed, and nothing was charged.
    OriginFailed,
    /// The origin did not answer in time, and nothing was charged.
    OriginTimeout,
    /// The payment was charged and not delivered.
    RefundDue,
    /// As [`Code::RefundDue`], because the origin did not answer in time.
    RefundDueTimeout,
    /// As [`Code::RefundDue`], told to a repeat.
    RefundDueRepeat,
    /// The payment was not delivered, and the operator has settled that with the payer.
    Refunded,
    /// The operator does not let this payer pay.
    PayerDenied,
    /// The operator has to look at this payment.
    UnderReview,
    /// The payer has too many payments in flight.
    TooManyInFlight,
    /// The client's network sends more payments than the operator allows.
    RateLimited,
    /// Nobody says what the route costs.
    PriceUnavailable,
    /// The facilitator is down and nothing was submitted.
    FacilitatorUnavailable,
    /// The ledger object is down or overloaded.
    LedgerUnavailable,
    /// The operator's token is missing or wrong.
    Unauthorized,
    /// A parameter or member of an operator's request is missing or wrong.
    InvalidRequest,
    /// The payment is in a state from which the operator's decision does not lead.
    WrongState,
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

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Stable name on the wire, `snake_case`.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Short, the same for every occurrence.
    pub title: &'static str,
    /// What happened and what to do.
    pub detail: &'static str,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
    /// The x402 reason for `error`, where the refusal is answered with terms.
    pub reason: Option<&'static str>,
    /// The end of its problem type in MPP, where that is not `verification-failed`.
    pub problem: Option<&'static str>,
}

/// How problem types of MPP begin. Spec: Payment authentication scheme, "Error responses".
pub const PAYMENT_PROBLEMS: &str = "https://paymentauth.org/problems/";

const fn row(code: &'static str, status: u16, title: &'static str, detail: &'static str) -> Row {
    Row {
        code,
        status,
        title,
        detail,
        retryable: false,
        retry_after: None,
        reason: None,
        problem: None,
    }
}

impl Row {
    const fn retry(mut self, secs: u32) -> Self {
        self.retryable = true;
        self.retry_after = Some(secs);
        self
    }

    const fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    const fn problem(mut self, problem: &'static str) -> Self {
        self.problem = Some(problem);
        self
    }
}

impl Code {
    /// The row of this refusal.
    ///
    /// # Examples
    /// ```
    /// use farebox_core::problem::Code;
    /// let row = Code::PaymentRequired.row();
    /// assert_eq!((row.code, row.status, row.retryable), ("payment_required", 402, false));
    /// assert_eq!(Code::ProofTooLarge.row().status, 431);
    /// ```
    #[must_use]
    pub const fn row(self) -> Row {
        match self {
            Self::PaymentRequired => row(
                "payment_required",
                402,
                "Payment required",
                "this resource has a price; sign one of the accepted terms and ask again",
            )
            .reason("Payment required")
            .problem("payment-required"),
            Self::MalformedPayment => row(
                "malformed_payment",
                400,
                "Malformed payment",
                "the payment header is not standard base64 of one JSON object of the protocol's shape; encode it again",
            ),
            Self::AmbiguousPayment => row(
                "ambiguous_payment",
                400,
                "Two payments in one request",
                "the request carries two different proofs of payment; send exactly one",
            ),
            Self::ProofTooLarge => row(
                "proof_too_large",
                431,
                "Payment header too large",
                "a payment header may have 16384 bytes; send a shorter one",
            ),
            Self::AmbiguousTarget => row(
                "ambiguous_target",
                400,
                "Ambiguous target",
                "servers may read this path in two ways; ask for its plain form",
            ),
            Self::UpgradeNotSupported => row(
                "upgrade_not_supported",
                400,
                "Upgrade not supported",
                "a priced route does not upgrade the connection; ask without Upgrade",
            ),
            Self::TargetTooLong => row(
                "target_too_long",
                414,
                "Target too long",
                "the target of a priced route may have 2048 bytes and its terms 8192; shorten the query",
            ),
            Self::HeaderTooLarge => row(
                "header_too_large",
                431,
                "Header too large",
                "a header that the price of this route may depend on may have 1024 bytes; send a shorter one, nothing was charged",
            ),
            Self::UnexpectedBody => row(
                "unexpected_body",
                400,
                "Unexpected body",
                "GET and HEAD of a priced route take no body; ask again without one, nothing was charged",
            ),
            Self::IncompleteBody => row(
                "incomplete_body",
                400,
                "Incomplete body",
                "the request's body ended before its length or last chunk, and nothing was begun; send the same request again with the whole body",
            ),
            Self::MethodNotAllowed => row(
                "method_not_allowed",
                405,
                "Method not allowed",
                "this path does not serve the method; Allow lists those it does",
            ),
            Self::NotFound => row("not_found", 404, "Not found", "nothing is served at this path"),
            Self::MalformedCredential => row(
                "malformed_credential",
                402,
                "Malformed credential",
                "the Payment credential is not base64url of one JSON object with challenge and payload; answer the challenge again",
            )
            .reason("malformed_credential")
            .problem("malformed-credential"),
            Self::InvalidChallenge => row(
                "invalid_challenge",
                402,
                "Invalid challenge",
                "the answered challenge was not issued by this gate for this request, or lacks what was in it; answer the one of this answer",
            )
            .reason("invalid_challenge")
            .problem("invalid-challenge"),
            Self::ChallengeExpired => row(
                "challenge_expired",
                402,
                "Challenge expired",
                "the answered challenge has expired; answer the one of this answer",
            )
            .reason("challenge_expired")
            .problem("payment-expired"),
            Self::DigestMismatch => row(
                "digest_mismatch",
                402,
                "Other body",
                "the answered challenge was issued for another request body; answer the one of this answer",
            )
            .reason("digest_mismatch")
            .problem("invalid-challenge"),
            Self::InvalidPayload => row(
                "invalid_payload",
                402,
                "Invalid payload",
                "the credential's payload is none of the kinds that this route takes; sign an authorization for this challenge",
            )
            .reason("invalid_payload")
            .problem("invalid-payload"),
            Self::NonceMismatch => row(
                "nonce_mismatch",
                402,
                "Other nonce",
                "the authorization's nonce is not the Keccak-256 of challenge id and realm; sign for the challenge of this answer",
            )
            .reason("nonce_mismatch"),
            Self::SourceMismatch => row(
                "source_mismatch",
                402,
                "Other source",
                "source is not the did:pkh of the payer who signed; leave it out or name him",
            )
            .reason("source_mismatch"),
            Self::UnsupportedVersion => row(
                "unsupported_version",
                402,
                "Unsupported protocol version",
                "x402Version must be the version of the header it came in; sign for these terms",
            )
            .reason("invalid_x402_version"),
            Self::TermsMismatch => row(
                "terms_mismatch",
                402,
                "Other terms accepted",
                "the accepted requirements are not those of this route; sign for these terms",
            )
            .reason("No matching payment requirements")
            .problem("invalid-challenge"),
            Self::ResourceMismatch => row(
                "resource_mismatch",
                402,
                "Other resource named",
                "the payload names another path or query than this request; sign for these terms",
            )
            .reason("resource_mismatch")
            .problem("invalid-challenge"),
            Self::SignatureInvalid => row(
                "signature_invalid",
                402,
                "Signature invalid",
                "the signature does not recover to the payer under the token's domain; sign again with these terms",
            )
            .reason("invalid_exact_evm_signature"),
            Self::RecipientMismatch => row(
                "recipient_mismatch",
                402,
                "Other recipient",
                "the authorization pays another address than payTo; sign for these terms",
            )
            .reason("invalid_exact_evm_recipient_mismatch"),
            Self::Expired => row(
                "expired",
                402,
                "Authorization expires too early",
                "validBefore leaves no time to serve and settle; sign a new one with the full maxTimeoutSeconds",
            )
            .reason("invalid_exact_evm_payload_authorization_valid_before"),
            Self::NotYetValid => row(
                "not_yet_valid",
                402,
                "Authorization not valid yet",
                "validAfter lies in the future; sign with validAfter in the past",
            )
            .reason("invalid_exact_evm_payload_authorization_valid_after"),
            Self::ValidityTooLong => row(
                "validity_too_long",
                402,
                "Authorization valid for too long",
                "validBefore lies further ahead than this gate accepts; sign with maxTimeoutSeconds of these terms",
            )
            .reason("invalid_exact_evm_payload_authorization_valid_before"),
            Self::AmountMismatch => row(
                "amount_mismatch",
                402,
                "Other amount",
                "the authorized value must be exactly the price; sign for these terms",
            )
            .reason("invalid_exact_evm_payload_authorization_value_mismatch"),
            Self::VerifyRefused => row(
                "verify_refused",
                402,
                "Payment refused",
                "the facilitator refused this payment before anything was submitted; error says why",
            ),
            Self::SettlementRefused => row(
                "settlement_refused",
                402,
                "Settlement refused",
                "the facilitator refused to settle this payment; it is watched until it can no longer be charged",
            ),
            Self::PaymentInProgress => row(
                "payment_in_progress",
                409,
                "Payment in progress",
                "this payment is being worked on; send the same payment again in a moment",
            )
            .retry(2),
            Self::SettlementUnknown => row(
                "settlement_unknown",
                503,
                "Settlement outcome unknown",
                "it is not known yet whether money moved; do not sign again, send the same payment again",
            )
            .retry(5),
            Self::PaymentUnresolved => row(
                "payment_unresolved",
                503,
                "An earlier payment is unresolved",
                "an earlier payment of yours for this request has an unknown outcome; send that one again, this one was not used",
            )
            .retry(5),
            Self::PaymentAlreadyUsed => row(
                "payment_already_used",
                409,
                "Payment already used",
                "this payment is bound to another request; sign a new one for this request",
            ),
            Self::PaymentAlreadyDelivered => row(
                "payment_already_delivered",
                409,
                "Payment already delivered",
                "the response was delivered; to fetch it again send the payment-identifier or Idempotency-Key of the first request, or a Farebox-Redelivery signature of the payer",
            ),
            Self::OriginFailed => row(
                "origin_failed",
                502,
                "Origin failed",
                "the origin did not answer usefully; nothing was charged and this payment will not be settled, sign a new one to try again",
            ),
            Self::OriginTimeout => row(
                "origin_failed",
                504,
                "Origin timed out",
                "the origin did not answer in time; nothing was charged and this payment will not be settled, sign a new one to try again",
            ),
            Self::RefundDue => row(
                "refund_due",
                502,
                "Refund due",
                "the payment was settled and the origin failed; the operator owes a refund, keep the payment reference",
            ),
            Self::RefundDueTimeout => row(
                "refund_due",
                504,
                "Refund due",
                "the payment was settled and the origin did not answer in time; the operator owes a refund, keep the payment reference",
            ),
            Self::RefundDueRepeat => row(
                "refund_due",
                409,
                "Refund due",
                "this payment was settled and not delivered; the operator owes a refund, keep the payment reference",
            ),
            Self::Refunded => row(
                "refunded",
                409,
                "Refunded",
                "this payment was settled, not delivered, and refunded or waived by the operator",
            ),
            Self::PayerDenied => row(
                "payer_denied",
                403,
                "Payer denied",
                "this gate takes no payments of this payer; nothing was charged, and another payment of his changes nothing",
            ),
            Self::UnderReview => row(
                "under_review",
                409,
                "Under review",
                "the operator has to look at this payment; keep the payment reference",
            ),
            Self::TooManyInFlight => row(
                "too_many_in_flight",
                429,
                "Too many payments in flight",
                "this payer has too many payments in flight; wait for their answers",
            )
            .retry(2),
            Self::RateLimited => row(
                "rate_limited",
                429,
                "Too many payments",
                "more payments come from this network than are allowed; send the same payment again later",
            )
            .retry(10),
            Self::PriceUnavailable => row(
                "price_unavailable",
                503,
                "Price unavailable",
                "the price of this request cannot be told right now and nothing was charged; send the same request again",
            )
            .retry(5),
            Self::FacilitatorUnavailable => row(
                "facilitator_unavailable",
                503,
                "Facilitator unavailable",
                "the facilitator does not answer and nothing was submitted; send the same payment again",
            )
            .retry(10),
            Self::LedgerUnavailable => row(
                "ledger_unavailable",
                503,
                "Ledger unavailable",
                "the ledger does not answer; send the same payment again",
            )
            .retry(2),
            Self::Unauthorized => row(
                "unauthorized",
                401,
                "Unauthorized",
                "this is for the operator; send the token as Authorization: Bearer",
            ),
            Self::InvalidRequest => row(
                "invalid_request",
                400,
                "Invalid request",
                "a parameter or member is unknown, missing or has the wrong form; docs/operations.md lists them",
            ),
            Self::WrongState => row(
                "wrong_state",
                409,
                "Wrong state",
                "the payment's state does not allow this, or the transaction is another payment's; read the payment again",
            ),
            Self::RefundUnproven => row(
                "refund_unproven",
                409,
                "Refund not on the chain",
                "the transaction is not confirmed or does not transfer this amount of this asset to this payer; nothing was changed",
            ),
            Self::ChainUnavailable => row(
                "chain_unavailable",
                503,
                "Chain unavailable",
                "the node of the chain does not answer and nothing was changed; send the same request again",
            )
            .retry(5),
            Self::NotConfigured => row(
                "not_configured",
                503,
                "Not configured",
                "this gate has a configuration error; its operator finds the variable in the log",
            )
            .retry(60),
            Self::LoopDetected => row(
                "loop_detected",
                508,
                "Loop detected",
                "this request has come through this gate before; its operator has to name another origin",
            ),
            Self::Internal => row("internal", 500, "Internal error", "the gate failed; a payment that came with the request may be on its way, send the same payment again")
            .retry(2),
        }
    }

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
    detail: &'a str,
    code: &'a str,
    retryable: bool,
    correlation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<&'a str>,
}

/// Writes the problem document of `code`; `status` overrides the row where a repeat is answered differently,
/// `payment` is the receipt id if a payment is concerned.
///
/// # Examples
/// ```
/// use farebox_core::problem::{Code, document};
/// let text = document(Code::NotFound, 404, "a-correlation-id", None);
/// let document: serde_json::Value = serde_json::from_str(&text).unwrap();
/// assert_eq!(document["type"], "urn:farebox:problem:not_found");
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
        detail: row.detail,
        code: row.code,
        retryable: row.retryable,
        correlation_id,
        payment,
    };
    // Serialising strings and numbers cannot fail; an empty body would still be a refusal.
    serde_json::to_string(&body).unwrap_or_default()
}
