//! Extension `diagnostic`: why payment is not accepted, in words that a payer's program can act on.
//!
//! Spec: x402 extension "Diagnostic" (proposed). It is advice: whoever ignores it pays as before, and nothing in it changes
//! amount, payee or policy. A client echoes it with the other extensions, and no echo of it is compared.

/// The extension's name in `extensions`.
pub const NAME: &str = "diagnostic";
/// JSON Schema of the extension as a whole; what is sent along is its `properties.info`.
pub const SCHEMA: &str = include_str!("diagnostic.json");

/// What the payer is told. Unknown codes are left to whoever reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiagnosticCode {
    /// Nothing is wrong: the terms are new to this client.
    PaymentRequired,
    /// The payment came after its end: once more with fresh terms.
    InvoiceExpired,
    /// The payment proves nothing here: a person has to look.
    PaymentUnverified,
    /// Many requests and no success.
    AttemptsExceeded,
    /// The wallet holds too little.
    InsufficientFunds,
    /// Something is wrong that the payer did not cause, or that nobody knows.
    OperatorAlert,
}

impl DiagnosticCode {
    /// Every code.
    pub const ALL: [Self; 6] = [
        Self::PaymentRequired,
        Self::InvoiceExpired,
        Self::PaymentUnverified,
        Self::AttemptsExceeded,
        Self::InsufficientFunds,
        Self::OperatorAlert,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PaymentRequired => "PAYMENT_REQUIRED",
            Self::InvoiceExpired => "INVOICE_EXPIRED",
            Self::PaymentUnverified => "PAYMENT_UNVERIFIED",
            Self::AttemptsExceeded => "PAYMENT_ATTEMPTS_EXCEEDED",
            Self::InsufficientFunds => "WALLET_INSUFFICIENT_FUNDS",
            Self::OperatorAlert => "OPERATOR_ALERT",
        }
    }

    /// The code of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}
