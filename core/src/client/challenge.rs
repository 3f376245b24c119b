//! What a 402 asks for, read as data: challenges of the scheme `Payment` and the terms of x402, in one pool.
//!
//! What cannot be paid is kept as the reason why; one bad entry spoils no good one.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::error::{ClientError, Reason};
use super::offer::Offer;
use super::policy::Policy;
use crate::http::Headers;
use crate::time::UnixTime;

pub use mpp::expired;
pub use x402::REQUIRED_HEADER;

mod mpp;
mod x402;

/// Longest header of terms that is read, bytes.
pub(super) const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Most entries of each protocol that are looked at.
const MAX_OFFERS: usize = 64;

/// The terms of one 402.
#[derive(Clone, Debug, Default)]
pub struct Challenge {
    /// What could be paid.
    pub offers: Vec<Offer>,
    /// Why each other entry cannot.
    pub refused: Vec<ClientError>,
    /// Whether the server would rather open a session.
    pub offers_session: bool,
    /// The server's words, cleaned.
    pub error: String,
    /// `resource` of x402 as it came; it is echoed.
    pub resource: Option<Value>,
    /// `extensions` of x402 as they came; they are echoed.
    pub extensions: Option<Map<String, Value>>,
}

/// What the one who pays has at hand.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    /// What may be paid.
    pub policy: &'a Policy,
    /// The host that was asked, with its port.
    pub host: &'a str,
    /// The clock.
    pub now: UnixTime,
    /// Whether somebody can make a transaction.
    pub broadcasts: bool,
    /// Whether `Authorization` is free to carry a payment.
    pub authorization_is_free: bool,
}

impl Challenge {
    /// Reads the terms of a 402: `WWW-Authenticate`, and `PAYMENT-REQUIRED` or else the body.
    ///
    /// # Errors
    /// [`Reason::MalformedChallenge`] if there are none.
    pub fn read(headers: &Headers, body: &[u8], means: Means<'_>) -> Result<Self, ClientError> {
        let mut challenge = Self::default();
        let mut entries = mpp::read(headers, means, &mut challenge.offers_session);
        match x402::read(headers, body, means.policy) {
            Some(Ok(terms)) => {
                entries.extend(terms.offers);
                challenge.error = terms.error;
                challenge.resource = terms.resource;
                challenge.extensions = terms.extensions;
            }
            Some(Err(error)) => entries.push(Err(error)),
            None if entries.is_empty() => {
                return Err(malformed("the 402 has no terms, neither in a header nor in its body"));
            }
            None => {}
        }
        for entry in entries {
            match entry {
                Ok(offer) => challenge.offers.push(offer),
                Err(error) => challenge.refused.push(error),
            }
        }
        Ok(challenge)
    }

    /// Whether nothing of it can be paid because it has ended.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        let ended = |error: &ClientError| error.reason == Reason::ChallengeExpired;
        self.offers.is_empty() && self.refused.iter().any(ended)
    }

    /// Why nothing of it can be paid: the reason that says most.
    #[must_use]
    pub fn why_nothing(&self) -> ClientError {
        // An entry of a known kind that breaks a rule says more than one that nobody understands.
        let told = |error: &&ClientError| match error.reason {
            Reason::MalformedChallenge => 3,
            Reason::UnsupportedMethod => 2,
            Reason::UnsupportedScheme | Reason::UnsupportedNetwork | Reason::UnsupportedIntent => 1,
            _ => 0,
        };
        let max = self.refused.iter().min_by_key(told);
        max.cloned().unwrap_or_else(|| malformed("the list of accepted payments is empty"))
    }
}

fn malformed(message: &str) -> ClientError {
    ClientError::new(Reason::MalformedChallenge, message.to_owned())
}
