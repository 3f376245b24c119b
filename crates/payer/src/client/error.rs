//! Errors of the client: why no payment was made, or why a paid response is missing. One table of
//! code, remedy and what became of the money.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;

use serde_json::Value;

use farebox_base::text::single_line;

/// A failure that the payer can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// The kind of failure.
    pub reason: Reason,
    /// The expected and the actual value; a server's words in it are cleaned and short.
    pub message: String,
    /// The server's diagnostic, cleaned, if there was one.
    pub diagnostic: Option<Box<Value>>,
}

impl ClientError {
    /// A failure with a description of this case.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), diagnostic: None }
    }

    /// The same failure with the server's diagnostic.
    #[must_use]
    pub fn with(mut self, diagnostic: Value) -> Self {
        self.diagnostic = Some(Box::new(diagnostic));
        self
    }
}

/// The kind of failure. The code never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The policy itself is invalid.
    InvalidPolicy,
    /// The 402 holds no readable terms.
    MalformedChallenge,
    /// The terms are of an unsupported protocol version.
    UnsupportedVersion,
    /// No offer has a scheme that this client can sign.
    UnsupportedScheme,
    /// Every challenge is of another payment method than `evm`.
    UnsupportedMethod,
    /// The server wants something other than one payment for one request.
    UnsupportedIntent,
    /// The challenge had expired on arrival, and so had the fresh ones.
    ChallengeExpired,
    /// The challenge is another server's: a payment for it would count there.
    RealmMismatch,
    /// The terms announce receipts for another resource than the one that was asked for.
    ResourceMismatch,
    /// The payment would replace the caller's own `Authorization`.
    AuthorizationTaken,
    /// The payer has to send the transaction, and the option `broadcast` is missing.
    BroadcastMissing,
    /// The network is not known.
    UnsupportedNetwork,
    /// The time of the policy is over.
    PolicyExpired,
    /// No offer is the one that was pinned.
    TermsChanged,
    /// The policy does not allow the network.
    PolicyNetwork,
    /// The asset is not known or not allowed, or the server describes it wrongly.
    PolicyAsset,
    /// The price is above the cap of one payment.
    PolicyAmount,
    /// The authorization would be valid for too long.
    PolicyValidity,
    /// The policy does not allow the host.
    PolicyHost,
    /// The policy does not allow the payee.
    PolicyPayee,
    /// The host names a different payee than before.
    PayeeChanged,
    /// A cap over time is used up.
    BudgetExhausted,
    /// The record of past payments cannot be read.
    BudgetUnreadable,
    /// The server asks clients to stop. If it said so about a payment, the endpoint waits until the
    /// payer enables it.
    EndpointBlocked,
    /// The server says that payments prove nothing. If it said so about a payment, the endpoint
    /// waits for the payer's approval.
    ApprovalNeeded,
    /// The wallet signed other data, or with another key.
    WrongSignature,
    /// The broadcast callback returned no transaction hash.
    WrongTransaction,
    /// The server asks for payment again after it received one.
    PaymentRefused,
    /// The server says that the wallet's balance is below the price.
    InsufficientFunds,
    /// The server says that Permit2 may not move the token, or not so much of it.
    AllowanceMissing,
    /// It is unknown whether the payment was accepted, and the time to find out is over.
    PaymentUnresolved,
    /// The server has used the payment for another request, or does not say.
    PaymentConflict,
    /// The payment was accepted without a delivery; the server owes a refund.
    RefundDue,
    /// A refund of a channel has to wait: what was added to it may still be undone by the chain.
    RefundLater,
    /// The receipt contradicts the signed payment.
    ReceiptMismatch,
}

/// The certain part about the money when a failure is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// Nothing was signed.
    NotSigned,
    /// A payment was signed; the budget counts it as spent.
    Signed,
}

impl Reason {
    /// Stable code, `snake_case`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().0
    }

    /// The remedy.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.row().1
    }

    /// The certain part about the money.
    #[must_use]
    pub const fn money(self) -> Money {
        match self {
            // The wallet returned a signature; it may have used the data for another one.
            Self::WrongSignature
            | Self::WrongTransaction
            | Self::PaymentRefused
            | Self::InsufficientFunds
            | Self::AllowanceMissing
            | Self::PaymentUnresolved
            | Self::PaymentConflict
            | Self::RefundDue
            | Self::RefundLater
            | Self::ReceiptMismatch => Money::Signed,
            Self::InvalidPolicy
            | Self::MalformedChallenge
            | Self::UnsupportedVersion
            | Self::UnsupportedScheme
            | Self::UnsupportedMethod
            | Self::UnsupportedIntent
            | Self::ChallengeExpired
            | Self::RealmMismatch
            | Self::ResourceMismatch
            | Self::AuthorizationTaken
            | Self::BroadcastMissing
            | Self::UnsupportedNetwork
            | Self::PolicyExpired
            | Self::TermsChanged
            | Self::PolicyNetwork
            | Self::PolicyAsset
            | Self::PolicyAmount
            | Self::PolicyValidity
            | Self::PolicyHost
            | Self::PolicyPayee
            | Self::PayeeChanged
            | Self::BudgetExhausted
            | Self::BudgetUnreadable
            | Self::EndpointBlocked
            | Self::ApprovalNeeded => Money::NotSigned,
        }
    }

    const fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidPolicy => ("invalid_policy", "correct that field of the policy"),
            Self::MalformedChallenge => {
                ("malformed_challenge", "report this to the server's operator; nothing was signed")
            }
            Self::UnsupportedVersion => {
                ("unsupported_version", "check for a newer version of this package")
            }
            Self::UnsupportedScheme => (
                "unsupported_scheme",
                "ask the server's operator to offer EIP-3009: scheme exact (x402) or credential type authorization (MPP)",
            ),
            Self::UnsupportedMethod => (
                "unsupported_method",
                "ask the server's operator to offer method evm with intent charge",
            ),
            Self::UnsupportedIntent => (
                "unsupported_intent",
                "choose a one-time charge if the server offers it, or ask its operator for intent charge",
            ),
            Self::ChallengeExpired => (
                "challenge_expired",
                "check this machine's clock: even newly issued challenges look expired",
            ),
            Self::RealmMismatch => (
                "realm_mismatch",
                "do not pay there; if the host really uses that realm, declare it under policy.mpp",
            ),
            Self::ResourceMismatch => (
                "resource_mismatch",
                "ask the server's operator to have the proxy pass Host and X-Forwarded-Proto on; nothing was signed",
            ),
            Self::AuthorizationTaken => (
                "authorization_taken",
                "drop Authorization, which the payment needs, or ask the server's operator to accept Payment-Authorization",
            ),
            Self::BroadcastMissing => (
                "broadcast_missing",
                "pass `broadcast`: a callback that sends the transaction and returns its hash",
            ),
            Self::UnsupportedNetwork => {
                ("unsupported_network", "declare the asset in full under policy.assets")
            }
            Self::PolicyExpired => {
                ("policy_expired", "set policy.expires to a later time if you still want to pay")
            }
            Self::TermsChanged => {
                ("terms_changed", "look at the server's terms again, and pin what you accept")
            }
            Self::PolicyNetwork => {
                ("policy_network", "add the network to policy.networks if you want to pay there")
            }
            Self::PolicyAsset => (
                "policy_asset",
                "if you trust the contract, declare the asset in full under policy.assets",
            ),
            Self::PolicyAmount => (
                "policy_amount",
                "raise policy.perPayment if you accept the price. Of channels also: raise deposit and maxDeposit",
            ),
            Self::PolicyValidity => (
                "policy_validity",
                "raise policy.maxValiditySecs if the server needs that long to settle",
            ),
            Self::PolicyHost => ("policy_host", "add the host to policy.hosts if you trust it"),
            Self::PolicyPayee => (
                "policy_payee",
                "add the payee to policy.payees, or the contract of a session to policy.escrows, if you know the address",
            ),
            Self::PayeeChanged => (
                "payee_changed",
                "ask the server's operator; if the new payee is correct, add it to policy.payees, or set policy.pinPayees to false for a market of many sellers",
            ),
            Self::BudgetExhausted => (
                "budget_exhausted",
                "wait until earlier payments leave the time window, or raise the cap",
            ),
            Self::BudgetUnreadable => (
                "budget_unreadable",
                "check the store: without a record of what was spent, nothing is signed",
            ),
            Self::EndpointBlocked => (
                "endpoint_blocked",
                "read error.diagnostic and fix what it names; if fetch.endpoints.blocked() lists the endpoint, call fetch.endpoints.reenable(url)",
            ),
            Self::ApprovalNeeded => (
                "approval_needed",
                "read error.diagnostic; if fetch.endpoints.pending() lists the endpoint, call fetch.endpoints.approve(url) to pay there again",
            ),
            Self::WrongSignature => {
                ("wrong_signature", "use a wallet that holds the private key of that address")
            }
            Self::WrongTransaction => (
                "wrong_transaction",
                "before you pay again, check whether your transaction was sent; broadcast must return 0x and 64 hex digits",
            ),
            Self::PaymentRefused => (
                "payment_refused",
                "ask the server's operator before you pay again; the signed payment counts against the budget",
            ),
            Self::InsufficientFunds => (
                "insufficient_funds",
                "fund the wallet as error.message says, then call again; the signed payment can be charged until it expires",
            ),
            Self::AllowanceMissing => (
                "allowance_missing",
                "let Permit2 move the token as error.message says, then call again; the signed payment can be charged until it expires",
            ),
            Self::PaymentUnresolved => (
                "payment_unresolved",
                "send error.payment again later, or, if there is none, make the same call again with its Idempotency-Key; sign no new payment for it",
            ),
            Self::PaymentConflict => {
                ("payment_conflict", "read error.message; do not pay again until this is resolved")
            }
            Self::RefundDue => {
                ("refund_due", "keep the payment reference and contact the server's operator")
            }
            Self::RefundLater => (
                "refund_later",
                "ask for the refund again after the time that error.message names; nothing was spent",
            ),
            Self::ReceiptMismatch => (
                "receipt_mismatch",
                "look up the transaction yourself; error.response holds the response",
            ),
        }
    }
}

/// Cleans a server's text for people: no control characters, no characters that reorder or hide
/// text, at most 256 characters.
#[must_use]
pub fn clean(text: &str) -> String {
    single_line(text).take(MAX_TEXT).collect::<String>().trim().to_owned()
}

/// Maximum characters of a server's text.
const MAX_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_short_and_shows_all_that_it_holds() {
        assert_eq!(clean("pay\r\nSet-Cookie: a=b"), "pay  Set-Cookie: a=b");
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{e0041}"), "abc");
        assert_eq!(clean("a\u{61c}b\u{e0101}c\u{ad}\u{2028}d"), "abc d");
        assert_eq!(clean(&"x".repeat(1000)).len(), 256);
    }
}
