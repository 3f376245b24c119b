//! Reasons for refusing a credential, in the terms of MPP: members of a problem body. Spec:
//! draft-httpauth-payment, "Problem types".

use alloc::string::String;

use farebox_common::problem::PAYMENT_PROBLEMS;

/// A problem type. The server adds the sentences; clients decide by the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No credential came.
    PaymentRequired,
    /// The credential is unreadable.
    MalformedCredential,
    /// The challenge is not this server's, not for this request, or used up.
    InvalidChallenge,
    /// The challenge has expired.
    PaymentExpired,
    /// The proof does not prove the payment.
    VerificationFailed,
    /// The payload lacks the shape that method and intent require.
    InvalidPayload,
    /// The payment is below the price.
    PaymentInsufficient,
    /// The payer's bank requires an action of the payer.
    PaymentActionRequired,
    /// The request is invalid, paid or not.
    BadRequest,
    /// The method is not accepted here.
    MethodUnsupported,
    /// The server is at fault.
    InternalPaymentError,
    /// The channel's unspent balance is too small.
    InsufficientBalance,
    /// The voucher's signature is invalid.
    InvalidSignature,
    /// The voucher is signed by another party.
    SignerMismatch,
    /// The voucher is for more than was deposited.
    AmountExceedsDeposit,
    /// The voucher raises the amount by too little.
    DeltaTooSmall,
    /// No channel has this id.
    ChannelNotFound,
    /// The channel is closed.
    ChannelFinalized,
}

impl Problem {
    /// Every type.
    pub const ALL: [Self; 18] = [
        Self::PaymentRequired,
        Self::MalformedCredential,
        Self::InvalidChallenge,
        Self::PaymentExpired,
        Self::VerificationFailed,
        Self::InvalidPayload,
        Self::PaymentInsufficient,
        Self::PaymentActionRequired,
        Self::BadRequest,
        Self::MethodUnsupported,
        Self::InternalPaymentError,
        Self::InsufficientBalance,
        Self::InvalidSignature,
        Self::SignerMismatch,
        Self::AmountExceedsDeposit,
        Self::DeltaTooSmall,
        Self::ChannelNotFound,
        Self::ChannelFinalized,
    ];

    /// The member `type`.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::problem::Problem;
    /// let problem = Problem::InvalidChallenge;
    /// assert_eq!(problem.type_uri(), "https://paymentauth.org/problems/invalid-challenge");
    /// assert_eq!((problem.status(), Problem::ChannelNotFound.status()), (402, 410));
    /// ```
    #[must_use]
    pub fn type_uri(self) -> String {
        alloc::format!("{PAYMENT_PROBLEMS}{}", self.name())
    }

    /// The end of `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The member `title`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.row().1
    }

    /// The member `status`, and that of the answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::MethodUnsupported => 400,
            Self::ChannelNotFound | Self::ChannelFinalized => 410,
            Self::InternalPaymentError => 500,
            _ => 402,
        }
    }

    const fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::PaymentRequired => ("payment-required", "Payment Required"),
            Self::MalformedCredential => ("malformed-credential", "Malformed Credential"),
            Self::InvalidChallenge => ("invalid-challenge", "Invalid Challenge"),
            Self::PaymentExpired => ("payment-expired", "Payment Expired"),
            Self::VerificationFailed => ("verification-failed", "Verification Failed"),
            Self::InvalidPayload => ("invalid-payload", "Invalid Payload"),
            Self::PaymentInsufficient => ("payment-insufficient", "Payment Insufficient"),
            Self::PaymentActionRequired => ("payment-action-required", "Payment Action Required"),
            Self::BadRequest => ("bad-request", "Bad Request"),
            Self::MethodUnsupported => ("method-unsupported", "Method Unsupported"),
            Self::InternalPaymentError => ("internal-payment-error", "Internal Payment Error"),
            Self::InsufficientBalance => ("session/insufficient-balance", "Insufficient Balance"),
            Self::InvalidSignature => ("session/invalid-signature", "Invalid Signature"),
            Self::SignerMismatch => ("session/signer-mismatch", "Signer Mismatch"),
            Self::AmountExceedsDeposit => {
                ("session/amount-exceeds-deposit", "Amount Exceeds Deposit")
            }
            Self::DeltaTooSmall => ("session/delta-too-small", "Delta Too Small"),
            Self::ChannelNotFound => ("session/channel-not-found", "Channel Not Found"),
            Self::ChannelFinalized => ("session/channel-finalized", "Channel Closed"),
        }
    }
}
