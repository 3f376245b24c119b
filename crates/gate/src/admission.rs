//! Admission: the decision about a request before its payment, if it brings one, is known.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;

use super::Gate;
use super::call::LedgerCall;
use super::diagnose::Diagnosis;
use super::forward::OriginCall;
use super::offer::Offer;
use super::paid::{Step, digest_bytes, incomplete};
use super::pricer::PriceCall;
use super::reply::Reply;
use super::request::IncomingRequest;
use super::session::step::SessionStep;
use super::template::ChallengeRequest;
use super::unpaid::{AwaitingQuota, Unpaid, UnpaidCall};
use farebox_base::time::UnixTime;
use farebox_common::problem::Code;

/// Decision about a request.
#[cfg_attr(feature = "copies", derive(Clone))]
#[must_use]
pub enum Admission<'g> {
    /// Forward it without a payment.
    Pass(OriginCall, Unpaid),
    /// Ask the ledger object for one of the client's free requests; [`Gate::free_request_used`]
    /// takes the answer.
    UseFree(LedgerCall, AwaitingQuota),
    /// Ask the pricer; [`Gate::priced_at`] takes the answer.
    Price(PriceCall, AwaitingPrice),
    /// Read up to [`MAX_DIGESTED_BYTES`](super::paid::MAX_DIGESTED_BYTES) of the body and hash
    /// them; [`Gate::challenge_for_body`] takes the digest.
    DigestBody(Box<AwaitingBody>),
    /// Answer it.
    Respond(Reply),
    /// Carry out the steps of its payment.
    Pay(Step<'g>),
    /// Carry out the steps of its payment by session.
    Session(SessionStep<'g>),
}

impl Admission<'_> {
    /// Drops the borrow of the gate. `None` if the request has a payment.
    #[must_use]
    pub fn unpaid(self) -> Option<Admission<'static>> {
        Some(match self {
            Self::Pass(call, unpaid) => Admission::Pass(call, unpaid),
            Self::UseFree(call, quota) => Admission::UseFree(call, quota),
            Self::Price(call, price) => Admission::Price(call, price),
            Self::DigestBody(body) => Admission::DigestBody(body),
            Self::Respond(reply) => Admission::Respond(reply),
            Self::Pay(_) | Self::Session(_) => return None,
        })
    }
}

impl UnpaidCall {
    /// Lets the request pass.
    pub(super) fn pass<'g>(self) -> Admission<'g> {
        Admission::Pass(self.call, self.unpaid)
    }
}

/// Waits for the price of a request.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct AwaitingPrice {
    /// The index of its route.
    pub(super) route: usize,
    pub(super) request: IncomingRequest,
}

/// Waits for the digest of the body that the terms are to be bound to.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct AwaitingBody {
    offer: Offer,
    request: IncomingRequest,
    code: Code,
    reason: &'static str,
    diagnosis: Option<Diagnosis>,
    now: UnixTime,
}

impl AwaitingBody {
    pub(super) fn new(
        offer: &Offer,
        asked: &ChallengeRequest<'_>,
        code: Code,
        reason: &'static str,
        diagnosis: Option<Diagnosis>,
    ) -> Box<Self> {
        Box::new(Self {
            offer: offer.clone(),
            request: IncomingRequest {
                head: asked.head.clone(),
                correlation: asked.correlation.to_owned(),
            },
            code,
            reason,
            diagnosis,
            now: asked.now,
        })
    }
}

impl AwaitingBody {
    /// The answer if the body broke off: part of a body gets no terms.
    #[must_use]
    pub fn broken(&self) -> Reply {
        incomplete(&self.request.correlation)
    }
}

impl Gate {
    /// The 402 bound to this digest; `None` (a body longer than
    /// [`MAX_DIGESTED_BYTES`](super::paid::MAX_DIGESTED_BYTES)) gives terms that hold for any body.
    #[must_use]
    pub fn challenge_for_body(&self, body: &AwaitingBody, digest: Option<&str>) -> Reply {
        let AwaitingBody { offer, request, code, reason, diagnosis, now } = body;
        let IncomingRequest { head, correlation } = request;
        let digest = digest.and_then(digest_bytes);
        let (key, digest, now) = (self.keys.challenge(), digest.as_ref(), *now);
        let asked = ChallengeRequest { head, correlation, key, digest, now };
        offer.challenge(&asked, *code, reason, diagnosis.as_ref())
    }
}
