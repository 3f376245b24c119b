//! The terms of a 402, read as data: challenges of the scheme `Payment` and the terms of x402, in
//! one list.
//!
//! An entry that cannot be paid is kept as the reason why; a bad entry does not spoil a good one.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::error::{ClientError, Reason};
use super::offer::{Offer, Way};
use super::policy::Policy;
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;
use farebox_wire::x402::extension::mppx;

pub use mpp::expired;
pub(super) use mpp::{answerable, unreadable};
pub use x402::REQUIRED_HEADER;
pub(super) use x402::offer_of;

mod mpp;
mod x402;

/// Maximum size of a header of terms, bytes.
pub(super) const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Maximum entries of each protocol that are read.
const MAX_OFFERS: usize = 64;

/// The terms of one 402.
#[derive(Clone, Debug, Default)]
pub struct Challenge {
    /// Offers that could be paid.
    pub offers: Vec<Offer>,
    /// The x402 offers of sales that a charge offers too, whether they are left out or not.
    pub twins: Vec<Offer>,
    /// The reason why each other entry cannot be paid.
    pub refused: Vec<ClientError>,
    /// Whether the server would prefer to open a session.
    pub offers_session: bool,
    /// The server's message, cleaned.
    pub error: String,
    /// `resource` of x402 as received; it is echoed.
    pub resource: Option<Value>,
    /// `extensions` of x402 as received; they are echoed.
    pub extensions: Option<Map<String, Value>>,
}

/// The payer's means and circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    /// Limits of the payer.
    pub policy: &'a Policy,
    /// The host that was asked, with its port.
    pub host: &'a str,
    /// The URL that receipts have to name, if they are compared with it.
    pub url: Option<&'a str>,
    /// The clock.
    pub now: UnixTime,
    /// Whether the payer can send a transaction.
    pub broadcasts: bool,
    /// Whether `Authorization` is free to carry a payment.
    pub authorization_is_free: bool,
    /// Whether the realm of a host that is not its own is pinned when it is paid; if not, its
    /// challenges are refused.
    pub pins_realms: bool,
}

impl Challenge {
    /// Reads the terms of a 402: `WWW-Authenticate`, and `PAYMENT-REQUIRED` or else the body.
    ///
    /// # Errors
    /// [`Reason::MalformedChallenge`] if there are none.
    pub fn read(headers: &Headers, body: &[u8], means: Means<'_>) -> Result<Self, ClientError> {
        let mut challenge = Self::default();
        let mut entries = mpp::read(headers, means, &mut challenge.offers_session);
        match x402::read(headers, body, means) {
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
        challenge.prefer_charges(means);
        Ok(challenge)
    }

    /// The parts of a 402 that its terms are read from: the rest of it is the server's to fill.
    pub(super) fn parts(headers: &Headers, body: &[u8]) -> (Headers, Vec<u8>) {
        let mut fields = headers.clone();
        fields.retain(|name, _| {
            [mpp::FIELD, REQUIRED_HEADER].iter().any(|it| name.eq_ignore_ascii_case(it))
        });
        let body = if x402::is_in_body(headers, body) { body.to_vec() } else { Vec::new() };
        (fields, body)
    }

    /// Finds the x402 offers of a sale that a charge offers too, and drops them if the server binds its x402 payments
    /// to requests by the extension `mppx` and refuses what a stock client signs, or if the policy
    /// says how it speaks MPP.
    fn prefer_charges(&mut self, means: Means<'_>) {
        let signed = |offer: &&Offer| offer.charge().is_some_and(|charge| charge.way != Way::Hash);
        let charged: Vec<_> = self.offers.iter().filter(signed).map(Offer::sale).collect();
        let is_twin = |it: &Offer| it.charge().is_none() && charged.contains(&it.sale());
        self.twins = self.offers.iter().filter(|offer| is_twin(offer)).cloned().collect();
        let bound = self.extensions.as_ref().and_then(|all| all.get(mppx::NAME));
        if bound.is_some_and(|bound| {
            !mppx::takes_unbound(bound) || means.policy.knows_speaker(means.host)
        }) {
            self.offers.retain(|offer| !is_twin(offer));
        }
    }

    /// Whether no offer can be paid because all have expired.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        let ended = |error: &ClientError| error.reason == Reason::ChallengeExpired;
        self.offers.is_empty() && self.refused.iter().any(ended)
    }

    /// The reason why no offer can be paid: the most informative one.
    #[must_use]
    pub fn why_nothing(&self) -> ClientError {
        // A broken entry of a known kind says more than one of an unknown kind.
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
