//! Extension `diagnostic`: the reason why payment is not accepted, in codes that a payer's program
//! can act on.
//!
//! Spec: x402 extension "Diagnostic" (proposed). It is advice: a client that ignores it pays as
//! before, and it cannot change amount, payee or policy. A client echoes it with the other
//! extensions, and no echo of it is compared;
//! the handle in it tells the client apart.

use serde_json::Value;

/// The extension's name in `extensions`.
pub const NAME: &str = "diagnostic";
/// JSON Schema of the whole extension; its `properties.info` is sent along.
pub const SCHEMA: &str = include_str!("diagnostic.json");

/// The handle in an echo of the extension.
#[must_use]
pub fn handle(extensions: &Value) -> Option<&str> {
    extensions.get(NAME)?.get("info")?.get("handle")?.as_str()
}

/// Code for the payer. Unknown codes are left to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiagnosticCode {
    /// No fault: the terms are new to this client.
    PaymentRequired,
    /// The payment had expired: pay again with fresh terms.
    InvoiceExpired,
    /// The payment proves nothing here: a person has to look.
    PaymentUnverified,
    /// Many requests and no success.
    AttemptsExceeded,
    /// The wallet's balance is too low.
    InsufficientFunds,
    /// A fault that the payer did not cause, or an unknown one.
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

    /// Parses a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.name() == name)
    }
}
