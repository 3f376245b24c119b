//! What is decided about a request before its payment is known, if it brings one.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;

use super::Gate;
use super::call::Call;
use super::diagnose::Diagnosis;
use super::forward::OriginCall;
use super::offer::Offer;
use super::passage::{Step, digest_bytes, incomplete};
use super::passing::{Passing, Spending};
use super::pricer::PriceCall;
use super::reply::Reply;
use super::template::ChallengeRequest;
use crate::http::RequestHead;
use crate::problem::Code;
use crate::time::UnixTime;

/// What to do with a request.
#[must_use]
pub enum Admission<'g> {
    /// Forward it without a payment.
    Pass(OriginCall, Passing),
    /// Ask the ledger object for one of the client's free requests; [`Gate::spent`] takes the answer.
    Spend(Call, Spending),
    /// Ask who names the price; [`Gate::priced_at`] takes the answer.
    Price(PriceCall, Pricing),
    /// Read up to [`MAX_DIGESTED_BYTES`](super::passage::MAX_DIGESTED_BYTES) of its body and hash them;
    /// [`Gate::bound`] takes the digest.
    Bind(Box<Unbound>),
    /// Answer it.
    Respond(Reply),
    /// Go the way of its payment.
    Pay(Step<'g>),
}

impl Admission<'_> {
    /// The same, unless a payment was shown: it needs nothing of the gate that has decided it.
    #[must_use]
    pub fn unpaid(self) -> Option<Admission<'static>> {
        Some(match self {
            Self::Pass(call, passing) => Admission::Pass(call, passing),
            Self::Spend(call, spending) => Admission::Spend(call, spending),
            Self::Price(call, pricing) => Admission::Price(call, pricing),
            Self::Bind(unbound) => Admission::Bind(unbound),
            Self::Respond(reply) => Admission::Respond(reply),
            Self::Pay(_) => return None,
        })
    }
}

/// Waits for the price of a request.
pub struct Pricing {
    pub(super) route: usize,
    pub(super) head: RequestHead,
    pub(super) correlation: String,
}

impl Pricing {
    /// A request for the route of this index.
    pub(super) const fn new(route: usize, head: RequestHead, correlation: String) -> Self {
        Self { route, head, correlation }
    }
}

/// Terms that are put up once the body is known that they are for.
pub struct Unbound {
    offer: Offer,
    head: RequestHead,
    correlation: String,
    why: (Code, &'static str),
    diagnosis: Option<Diagnosis>,
    now: UnixTime,
}

impl Unbound {
    pub(super) fn new(
        offer: &Offer,
        asked: &ChallengeRequest<'_>,
        why: (Code, &'static str),
        diagnosis: Option<Diagnosis>,
    ) -> Box<Self> {
        Box::new(Self {
            offer: offer.clone(),
            head: asked.head.clone(),
            correlation: asked.correlation.to_owned(),
            why,
            diagnosis,
            now: asked.now,
        })
    }
}

impl Unbound {
    /// The body ended before its end: there are no terms for a part of it.
    #[must_use]
    pub fn broken(&self) -> Reply {
        incomplete(&self.correlation)
    }
}

impl Gate {
    /// The terms for this digest, or for any body where that is longer than [`MAX_DIGESTED_BYTES`](super::passage::MAX_DIGESTED_BYTES).
    #[must_use]
    pub fn bound(&self, unbound: &Unbound, digest: Option<&str>) -> Reply {
        let Unbound { offer, head, correlation, why: (code, reason), diagnosis, now } = unbound;
        let digest = digest.and_then(digest_bytes);
        let (key, digest, now) = (self.keys.challenge(), digest.as_ref(), *now);
        let asked = ChallengeRequest { head, correlation, key, digest, now };
        offer.challenge(&asked, *code, reason, diagnosis.as_ref())
    }
}
