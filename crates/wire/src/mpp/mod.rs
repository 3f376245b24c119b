//! Wire format of MPP, the HTTP authentication scheme `Payment`: parses texts into values, and
//! writes them.
//!
//! A server writes a [`challenge`] whose [`id`] only it can make; a payer answers with a
//! [`credential`] that echoes it, and receives a [`receipt`] or a [`problem`]. Terms and proof
//! depend on the method: [`charge`] is `evm`, and [`tempo`] is supported as far as it needs no
//! chain. Both sides name an account by its [`source`]; a [`digest`] binds a request's body, and
//! [`session`] is the intent of channels, [`stream`] the events of what they pay
//! for, [`okx_code`] why OKX's sellers refuse; [`accept`] states a payer's preferences. [`rpc`] is the same without HTTP. `auth_param` is the
//! grammar of the challenge header, `members` that of JSON objects.
//!
//! - This module does not decide whether a payment is valid: it has no clock, no terms of a route,
//!   no ledger.
//! - Text bound by an id is kept as received, and never encoded again.
//! - Several spellings are accepted only if no signed or bound value becomes ambiguous.
//!
//! Spec: draft-httpauth-payment, as implemented by `mppx` 0.11.

pub mod accept;
mod auth_param;
pub mod challenge;
pub mod charge;
pub mod credential;
pub mod digest;
pub mod id;
mod members;
pub mod okx_code;
pub mod problem;
pub mod receipt;
pub mod rpc;
pub mod session;
pub mod source;
pub mod stream;
pub mod tempo;

use core::fmt;

pub use auth_param::elements;
pub use challenge::Challenge;
pub use credential::Credential;

/// The scheme's name in `WWW-Authenticate` and `Authorization`; case is ignored.
pub const SCHEME: &str = "Payment";
/// The field that carries a credential if `Authorization` is already in use.
pub const PAYMENT_AUTHORIZATION: &str = "Payment-Authorization";

/// Error of unusable text on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// The parameters of a header are not a sequence of `name="value"`.
    Syntax,
    /// A parameter occurs twice.
    Duplicate,
    /// Too long, or too many.
    TooLarge,
    /// A required member is missing or empty.
    Missing(&'static str),
    /// A member has another type or form.
    Wrong(&'static str),
    /// A member does not decode as base64url.
    Base64(&'static str),
    /// A member does not decode as one JSON object without repeated names.
    Json(&'static str),
    /// A member is not in the canonical encoding of its content.
    NotCanonical(&'static str),
    /// A member contains a character that the id cannot bind.
    Unbindable(&'static str),
}

impl Malformed {
    /// The reason, in a few words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Syntax => "expected parameters of the form name=\"value\"",
            Self::Duplicate => "a parameter occurs twice",
            Self::TooLarge => "too large",
            Self::Missing(_) => "missing",
            Self::Wrong(_) => "invalid",
            Self::Base64(_) => "not base64url",
            Self::Json(_) => "not a JSON object without repeated names",
            Self::NotCanonical(_) => "not in its canonical encoding",
            Self::Unbindable(_) => "contains a character that the id cannot bind",
        }
    }

    /// The wrong member, if the error concerns one.
    #[must_use]
    pub const fn member(self) -> Option<&'static str> {
        match self {
            Self::Missing(member)
            | Self::Wrong(member)
            | Self::Base64(member)
            | Self::Json(member)
            | Self::NotCanonical(member)
            | Self::Unbindable(member) => Some(member),
            Self::Syntax | Self::Duplicate | Self::TooLarge => None,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(member) = self.member() {
            write!(formatter, "{member} is ")?;
        }
        formatter.write_str(self.reason())
    }
}

impl core::error::Error for Malformed {}
