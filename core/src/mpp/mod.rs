//! The wire of MPP, the HTTP authentication scheme `Payment`: texts in, values out, and back.
//!
//! A server writes a [`challenge`] whose [`id`] only it can make, a payer answers with a [`credential`] that echoes it, and
//! gets a [`receipt`], or a [`problem`]. What is asked and how it is proven depends on the method: [`charge`] is `evm`, and
//! [`tempo`] is known as far as it needs no chain. Both sides name an account by its [`source`]; a [`digest`] binds a request's
//! body, and [`accept`] is what a payer would rather be asked. [`rpc`] is all of it without HTTP. `auth_param` is the grammar of
//! the challenge header, `members` that of JSON objects.
//!
//! - Nothing here decides whether something is paid: no clock, no terms of a route, no ledger.
//! - What an id binds is kept as the text that came, and never encoded anew.
//! - Several spellings are read only where nothing that is signed or bound becomes ambiguous by it.
//!
//! Spec: draft-httpauth-payment, as `mppx` 0.11 speaks it.

pub mod accept;
mod auth_param;
pub mod challenge;
pub mod charge;
pub mod credential;
pub mod digest;
pub mod id;
mod members;
pub mod problem;
pub mod receipt;
pub mod rpc;
pub mod source;
pub mod tempo;

use core::fmt;

pub use challenge::Challenge;
pub use credential::Credential;

/// The scheme's name in `WWW-Authenticate` and `Authorization`; case means nothing.
pub const SCHEME: &str = "Payment";
/// The field that carries a credential where `Authorization` is taken.
pub const PAYMENT_AUTHORIZATION: &str = "Payment-Authorization";

/// Why a text of the wire cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// The parameters of a header are not `name="value"` in a row.
    Syntax,
    /// A parameter occurs twice.
    Duplicate,
    /// Longer, or more, than is looked at.
    TooLarge,
    /// A member that must be there is not there, or empty.
    Missing(&'static str),
    /// A member has another type or form.
    Wrong(&'static str),
    /// A member does not decode as base64url.
    Base64(&'static str),
    /// A member does not decode as one JSON object without repeated names.
    Json(&'static str),
    /// A member is not what the canonical encoding of its content would be.
    NotCanonical(&'static str),
    /// A member has a character that the id cannot bind.
    Unbindable(&'static str),
}

impl Malformed {
    /// What is wrong, in a few words.
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

    /// The member that is wrong, where it is one.
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
