//! The table of refusals: what each says, with which status, and what to do about it.

use super::Code;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Stable name on the wire, `snake_case`.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Short, the same for every occurrence.
    pub title: &'static str,
    /// The event and the remedy.
    pub detail: &'static str,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
    /// The x402 reason for `error`, if the refusal is answered with terms.
    pub reason: Option<&'static str>,
    /// The suffix of its problem type in MPP, unless it is `verification-failed`.
    pub problem: Option<&'static str>,
}

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
    /// use farebox_common::problem::Code;
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
                "this resource has a price; sign one of the offers and send the request again",
            )
            .reason("Payment required")
            .problem("payment-required"),
            Self::MalformedPayment => row(
                "malformed_payment",
                400,
                "Malformed payment",
                "the payment header is not one JSON object in standard base64, or not in the protocol's format; encode it again",
            ),
            Self::AmbiguousPayment => row(
                "ambiguous_payment",
                400,
                "Two payments in one request",
                "the request carries two different payments; send exactly one",
            ),
            Self::ProofTooLarge => row(
                "proof_too_large",
                431,
                "Payment header too large",
                "a payment header may have at most 16384 bytes; send a shorter one",
            ),
            Self::AmbiguousTarget => row(
                "ambiguous_target",
                400,
                "Ambiguous target",
                "servers may read this path in two ways; request its normalized form",
            ),
            Self::UpgradeNotSupported => row(
                "upgrade_not_supported",
                400,
                "Upgrade not supported",
                "a priced route does not upgrade the connection; send the request without Upgrade",
            ),
            Self::TargetTooLong => row(
                "target_too_long",
                414,
                "Target too long",
                "the target of a priced route may have at most 2048 bytes, and its terms 8192; shorten the query",
            ),
            Self::HeaderTooLarge => row(
                "header_too_large",
                431,
                "Header too large",
                "this request charged nothing; send fewer or shorter headers: at most 256, of 65536 bytes together, and 1024 bytes in one that can affect the price",
            ),
            Self::UnexpectedBody => row(
                "unexpected_body",
                400,
                "Unexpected body",
                "this request charged nothing; a priced route takes no body on GET or HEAD, send the request without one",
            ),
            Self::IncompleteBody => row(
                "incomplete_body",
                400,
                "Incomplete body",
                "this request charged nothing; the request body ended before its Content-Length or its last chunk, send the same request with the complete body",
            ),
            Self::MethodNotAllowed => row(
                "method_not_allowed",
                405,
                "Method not allowed",
                "this path does not accept this method; see Allow for the methods it accepts",
            ),
            Self::NotFound => row("not_found", 404, "Not found", "nothing is served at this path"),
            Self::MalformedCredential => row(
                "malformed_credential",
                402,
                "Malformed credential",
                "the Payment credential is not one JSON object with challenge and payload in base64url; encode it again",
            )
            .reason("malformed_credential")
            .problem("malformed-credential"),
            Self::InvalidChallenge => row(
                "invalid_challenge",
                402,
                "Invalid challenge",
                "this challenge was not issued by this gate for this request, or was altered; use the challenge in this response",
            )
            .reason("invalid_challenge")
            .problem("invalid-challenge"),
            Self::ChallengeExpired => row(
                "challenge_expired",
                402,
                "Challenge expired",
                "this challenge has expired; use the challenge in this response",
            )
            .reason("challenge_expired")
            .problem("payment-expired"),
            Self::DigestMismatch => row(
                "digest_mismatch",
                402,
                "Body mismatch",
                "this challenge was issued for a different request body; use the challenge in this response",
            )
            .reason("digest_mismatch")
            .problem("invalid-challenge"),
            Self::InvalidPayload => row(
                "invalid_payload",
                402,
                "Invalid payload",
                "this route does not accept this type of payload; sign an authorization for this challenge",
            )
            .reason("invalid_payload")
            .problem("invalid-payload"),
            Self::NonceMismatch => row(
                "nonce_mismatch",
                402,
                "Nonce mismatch",
                "the nonce must be the Keccak-256 of challenge id and realm; sign for the challenge in this response",
            )
            .reason("nonce_mismatch"),
            Self::SourceMismatch => row(
                "source_mismatch",
                402,
                "Source mismatch",
                "source must be the did:pkh of the signer; correct it or leave it out",
            )
            .reason("source_mismatch"),
            Self::UnsupportedVersion => row(
                "unsupported_version",
                402,
                "Unsupported protocol version",
                "x402Version does not match the header it came in; sign for these terms",
            )
            .reason("invalid_x402_version"),
            Self::TermsMismatch => row(
                "terms_mismatch",
                402,
                "Terms mismatch",
                "accepted does not match the terms of this route; sign for these terms",
            )
            .reason("No matching payment requirements")
            .problem("invalid-challenge"),
            Self::ResourceMismatch => row(
                "resource_mismatch",
                402,
                "Resource mismatch",
                "the payload names a different path or query than this request; sign for these terms",
            )
            .reason("resource_mismatch")
            .problem("invalid-challenge"),
            Self::SessionRefused => row(
                "session_refused",
                402,
                "Session refused",
                "the channel does not take this voucher, deposit or refund; error says why, go on from these terms",
            )
            .problem("verification-failed"),
            Self::SignatureInvalid => row(
                "signature_invalid",
                402,
                "Signature invalid",
                "the signature does not recover to the payer for the token's EIP-712 domain; sign again with these terms",
            )
            .reason("invalid_exact_evm_signature"),
            Self::ContractWalletRefused => row(
                "contract_wallet_refused",
                402,
                "Contract wallet refused",
                "the signature is longer than a key's, as those of contract wallets are, and this server takes none of these; pay from an account with a key",
            )
            .reason("invalid_exact_evm_signature"),
            Self::RecipientMismatch => row(
                "recipient_mismatch",
                402,
                "Recipient mismatch",
                "the authorization pays a different address than payTo; sign for these terms",
            )
            .reason("invalid_exact_evm_recipient_mismatch"),
            Self::Expired => row(
                "expired",
                402,
                "Authorization expires too early",
                "validBefore leaves too little time to serve and settle; sign a new authorization with the full maxTimeoutSeconds",
            )
            .reason("invalid_exact_evm_payload_authorization_valid_before"),
            Self::NotYetValid => row(
                "not_yet_valid",
                402,
                "Authorization not valid yet",
                "validAfter is in the future; sign with validAfter in the past",
            )
            .reason("invalid_exact_evm_payload_authorization_valid_after"),
            Self::ValidityTooLong => row(
                "validity_too_long",
                402,
                "Authorization valid for too long",
                "validBefore is further ahead than this gate accepts; sign with maxTimeoutSeconds of these terms",
            )
            .reason("invalid_exact_evm_payload_authorization_valid_before"),
            Self::AmountMismatch => row(
                "amount_mismatch",
                402,
                "Amount mismatch",
                "the authorized value must be exactly the price; sign for these terms",
            )
            .reason("invalid_exact_evm_payload_authorization_value_mismatch"),
            Self::VerifyRefused => row(
                "verify_refused",
                402,
                "Payment refused",
                "the facilitator refused this payment before anything was submitted; see error for its reason",
            ),
            Self::SettlementRefused => row(
                "settlement_refused",
                402,
                "Settlement refused",
                "the facilitator refused to settle this payment; this gate watches it until it can no longer be charged",
            ),
            Self::PaymentInProgress => row(
                "payment_in_progress",
                409,
                "Payment in progress",
                "this payment is being processed; send the same payment again in a moment",
            )
            .retry(2),
            Self::SettlementUnknown => row(
                "settlement_unknown",
                503,
                "Settlement outcome unknown",
                "it is not known yet whether the payment was charged; do not sign a new one, send the same payment again",
            )
            .retry(5),
            Self::PaymentUnresolved => row(
                "payment_unresolved",
                503,
                "An earlier payment is unresolved",
                "your earlier payment for this request has an unknown outcome and this one was not used; send the earlier one again",
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
                "the response was delivered already; to fetch it again, send the first request's payment-identifier or Idempotency-Key, or a Farebox-Redelivery signature of the payer",
            ),
            Self::OriginFailed => row(
                "origin_failed",
                502,
                "Origin failed",
                "the origin returned an error or an incomplete response; nothing was charged; send the same payment again, and sign a new one if that is answered 409; in a session the voucher pays for the next request",
            ),
            Self::OriginRedirected => row(
                "origin_failed",
                502,
                "Origin redirected",
                "the origin redirected this request, and redirects are not sold here; nothing was charged, and another payment for this request will not help; in a session the voucher pays for the next request",
            ),
            Self::OriginTimeout => row(
                "origin_failed",
                504,
                "Origin timed out",
                "the origin did not answer in time; nothing was charged; send the same payment again, and sign a new one if that is answered 409; in a session the voucher pays for the next request",
            ),
            Self::UnpaidOriginFailed => row(
                "origin_failed",
                502,
                "Origin failed",
                "the origin returned an error or an incomplete response; the gate forwarded this request without a payment, and what the origin did before it failed, such as a payment of its own, is not known here",
            ),
            Self::UnpaidOriginTimeout => row(
                "origin_failed",
                504,
                "Origin timed out",
                "the origin did not answer in time; the gate forwarded this request without a payment, and what the origin did meanwhile, such as a payment of its own, is not known here",
            ),
            Self::RefundDue => row(
                "refund_due",
                502,
                "Refund due",
                "the payment was settled and the origin failed; the operator owes you a refund, keep the payment reference",
            ),
            Self::RefundDueTimeout => row(
                "refund_due",
                504,
                "Refund due",
                "the payment was settled and the origin did not answer in time; the operator owes you a refund, keep the payment reference",
            ),
            Self::RefundDueRepeat => row(
                "refund_due",
                409,
                "Refund due",
                "this payment was settled and not delivered; the operator owes you a refund, keep the payment reference",
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
                "Payer not accepted",
                "this gate does not accept payments from this payer; nothing was charged, and retrying will not help",
            ),
            Self::UnderReview => row(
                "under_review",
                409,
                "Under review",
                "the operator has to review this payment; keep the payment reference",
            ),
            Self::TooManyInFlight => row(
                "too_many_in_flight",
                429,
                "Too many payments in flight",
                "this payer has too many payments in flight; wait until earlier ones are answered",
            )
            .retry(2),
            Self::TooManyUnpaid => row(
                "too_many_unpaid",
                429,
                "Too many unpaid payments",
                "too many payments of this payer were begun, bought nothing, and can still be charged, or this one was begun too often; nothing was charged for this one: send it again, or a new one, after Retry-After, when the first of them has ended",
            )
            .retry(60),
            Self::RateLimited => row(
                "rate_limited",
                429,
                "Too many payments",
                "this client network sent more payments than the operator allows; send the same payment again later",
            )
            .retry(10),
            Self::LedgerFull => row(
                "ledger_full",
                429,
                "No place in the ledger",
                "too many payments of this client network, or of all, were begun in this part of the ledger and moved no money; places come free when some have ended: send the same payment again later",
            )
            .retry(60),
            Self::LedgerNoRoom => row(
                "ledger_full",
                503,
                "No room in the ledger",
                "this part of the ledger has no room for another payment until the operator makes some; this one was not begun: send the same payment again later",
            )
            .retry(60),
            Self::PriceUnavailable => row(
                "price_unavailable",
                503,
                "Price unavailable",
                "the price of this request is unavailable right now; this request charged nothing, send the same request again",
            )
            .retry(5),
            Self::FacilitatorUnavailable => row(
                "facilitator_unavailable",
                503,
                "Facilitator unavailable",
                "the facilitator is not responding and nothing was submitted; send the same payment again",
            )
            .retry(10),
            Self::LedgerUnavailable => row(
                "ledger_unavailable",
                503,
                "Ledger unavailable",
                "the ledger is not responding; send the same payment again",
            )
            .retry(2),
            Self::Unauthorized => row(
                "unauthorized",
                401,
                "Unauthorized",
                "this endpoint is for the operator; send the operator token as Authorization: Bearer",
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
                "the payment's state does not allow this, or the transaction belongs to another payment; read the payment again",
            ),
            Self::RefundBegun => row(
                "refund_begun",
                409,
                "Refund begun",
                "a refund of this payment was begun at this time and may have been sent; report its transaction, or say that nothing was sent (not-refunded)",
            ),
            Self::RefundEarly => row(
                "refund_early",
                409,
                "Too early to decide",
                "until this time the payer may still be served for this payment; then a refund may begin, or the payment be waived or resolved",
            ),
            Self::RestoreRefused => row(
                "restore_refused",
                409,
                "Restore refused",
                "nothing came of this into the ledger; `parameter` names the setting that does not fit to the copy, or the object that holds other rows",
            ),
            Self::RefundRestored => row(
                "refund_restored",
                409,
                "Ledger restored since",
                "this debt is older than the restore of the ledger, and may have been paid back since the backup; look for a transfer to this payer and report it, or begin with {\"restored\": true} if there is none",
            ),
            Self::RefundEnded => row(
                "refund_ended",
                409,
                "Nothing is owed any more",
                "this debt was paid back or waived before",
            ),
            Self::RefundUnproven => row(
                "refund_unproven",
                409,
                "Refund not found on chain",
                "nothing was changed: the transaction is unconfirmed, or does not transfer this amount of this asset to this payer",
            ),
            Self::ChainUnavailable => row(
                "chain_unavailable",
                503,
                "Chain unavailable",
                "the chain's RPC node is not responding and nothing was changed; send the same request again",
            )
            .retry(5),
            Self::NotConfigured => row(
                "not_configured",
                503,
                "Not configured",
                "the configuration of this server has an error; its operator can find the variable in the log",
            )
            .retry(60),
            Self::LoopDetected => row(
                "loop_detected",
                508,
                "Loop detected",
                "this request already came through this gate; the operator must set a different origin",
            ),
            Self::Internal => row("internal", 500, "Internal error", "this server failed; a payment sent with this request may still be processed, send the same payment again")
            .retry(2),
        }
    }
}
