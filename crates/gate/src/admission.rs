//! Admission: the decision about a request before its payment, if it brings one, is known. One
//! without a payment that counts is refused: a client that may sign again gets fresh terms, and its
//! failures in a row are counted.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::ToString;

use super::attempts::handle::{self, NewHandle};
use super::attempts::{ClientKey, CountedBy, CountedRequest};
use super::call::LedgerCall;
use super::diagnose::{Circumstances, Diagnosis, Failures, cause_of};
use super::forward::OriginCall;
use super::isolate::Isolate;
use super::keys::Keys;
use super::offer::Offer;
use super::paid::{Step, digest_bytes, incomplete};
use super::parts::PayerRules;
use super::presented::PresentedRequest;
use super::pricer::PriceCall;
use super::publish::DocumentRequest;
use super::reply::{Audience, Reply};
use super::request::{CLIENT_AGENT, IncomingRequest, network_of};
use super::session::step::SessionStep;
use super::template::ChallengeRequest;
use super::unpaid::{AwaitingQuota, Unpaid, UnpaidCall};
use farebox_base::http::BodyPresence;
use farebox_base::time::UnixTime;
use farebox_common::payment::Cause;
use farebox_common::problem::Code;
use farebox_ledger::attempts::FailureCause;
use farebox_wire::facilitator::breaker::Condition;

/// Decision about a request. The answers to its questions go to the gate's
/// [`Admissions`](super::admit::Admissions).
#[cfg_attr(feature = "copies", derive(Clone))]
#[must_use]
pub enum Admission<'g> {
    /// Forward it without a payment.
    Pass(OriginCall, Unpaid),
    /// Ask the ledger object for one of the client's free requests; `take_quota`
    /// takes the answer.
    UseFree(LedgerCall, AwaitingQuota),
    /// Ask the pricer; `take_price` takes the answer.
    Price(PriceCall, AwaitingPrice),
    /// Read up to [`MAX_DIGESTED_BYTES`](super::paid::MAX_DIGESTED_BYTES) of the body and hash
    /// them; `challenge_body` takes the digest.
    DigestBody(Box<AwaitingBody>),
    /// Answer it.
    Respond(Reply),
    /// Answer with a document.
    Publish(DocumentRequest),
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
            Self::Publish(wanted) => Admission::Publish(wanted),
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

    /// The 402 bound to this digest, by a challenge that this key signs; `None` gives terms that hold
    /// for any body.
    pub(super) fn challenge(&self, key: &[u8; 32], digest: Option<&str>) -> Reply {
        let Self { offer, request, code, reason, diagnosis, now } = self;
        let IncomingRequest { head, correlation } = request;
        let digest = digest.and_then(digest_bytes);
        let asked = ChallengeRequest { head, correlation, key, digest: digest.as_ref(), now: *now };
        offer.challenge(&asked, *code, reason, diagnosis.as_ref())
    }

    /// The answer if the body broke off: part of a body gets no terms.
    #[must_use]
    pub fn broken(&self) -> Reply {
        incomplete(&self.request.correlation)
    }
}

/// Refusals, and the counts of their clients.
#[derive(Clone, Copy)]
pub(super) struct Refusals<'g> {
    pub keys: &'g Keys,
    pub payers: &'g PayerRules,
}

impl<'g> Refusals<'g> {
    /// Refuses an unproven request to a priced route.
    pub fn refuse(
        &self,
        offer: &Offer,
        shown: &PresentedRequest,
        code: Code,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let PresentedRequest { request: IncomingRequest { head, correlation }, presented } = shown;
        let open = match (code.row().reason, self.payers.restore.open_ways(offer, now)) {
            (Some(_), Err(wait)) => return Admission::Respond(Reply::closed(correlation, wait)),
            (_, open) => open.unwrap_or(Cow::Borrowed(offer)),
        };
        let offer = &*open;
        // While a restore is not over, what ends too early does so because of us.
        let closed = self.payers.restore.is_under_way(now);
        let cause = match cause_of(code) {
            Cause::Expired if closed => Cause::Trouble,
            cause => cause,
        };
        let nothing = matches!(cause, Cause::Unpaid | Cause::Trouble);
        let reason = if nothing { "" } else { code.name() };
        let failure = FailureCause { cause, reason: reason.to_string() };
        let claims = if nothing { None } else { presented.claims() };
        let counted = isolate.client.filter(|_| cause != Cause::Trouble);
        let counts = counted.map(|client_key| {
            (client_key, isolate.attempts.failed(&client_key, &failure, claims, now))
        });
        let Some(reason) = code.row().reason else {
            return refuse(code, Audience::Paid, correlation);
        };
        let handle = NewHandle { keys: self.keys, fresh: &head.fresh };
        let failures =
            counts.as_ref().map(|(client_key, counts)| client_key.failures(counts, handle));
        let finding = Circumstances {
            failure: &failure,
            failures: failures.unwrap_or(Failures::Uncounted),
            consecutive_failures: fewest_failures(offer, &isolate.facilitators),
            correlation,
        };
        let diagnosis = offer.settings.diagnostics.map(|limits| limits.diagnose(finding, now));
        let (key, digest) = (self.keys.challenge(), None);
        let asked = ChallengeRequest { head, correlation, key, digest, now };
        if offer.settings.binds_body
            && offer.settings.protocols.mpp
            && head.body == BodyPresence::Present
        {
            return Admission::DigestBody(AwaitingBody::new(
                offer, &asked, code, reason, diagnosis,
            ));
        }
        Admission::Respond(offer.challenge(&asked, code, reason, diagnosis.as_ref()))
    }

    /// The key under which failures of this client are counted, if the route counts them.
    pub fn find_client(
        &self,
        offer: &Offer,
        shown: &PresentedRequest,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Option<ClientKey> {
        let PresentedRequest { request: IncomingRequest { head, .. }, presented } = shown;
        offer.settings.diagnostics?;
        let network = network_of(head);
        let shown = head.headers.get(handle::HEADER).or_else(|| presented.handle());
        let caller = match (self.payers.clients.holder(&head.headers), shown) {
            (Some(name), _) => CountedBy::Holder(name),
            (None, Some(shown)) if handle::is_ours(self.keys, shown) => CountedBy::Handle(shown),
            (None, _) => {
                CountedBy::Stranger(&network, head.headers.get(CLIENT_AGENT).unwrap_or_default())
            }
        };
        Some(isolate.attempts.client_key(self.keys, CountedRequest::of(offer, caller), now))
    }
}

/// The lowest count of failures in a row among the facilitators of this route.
pub(super) fn fewest_failures(offer: &Offer, facilitators: &[Condition]) -> u64 {
    let places = offer.choices.iter().flat_map(|choice| &choice.facilitators);
    let counts = places.filter_map(|place| facilitators.get(*place));
    counts.map(|condition| condition.consecutive_failures).min().unwrap_or(0)
}

/// The answer to a request that is not paid for.
pub(super) fn refuse<'g>(code: Code, audience: Audience, correlation: &str) -> Admission<'g> {
    Admission::Respond(Reply::problem(code, audience, correlation, None))
}

/// The 503 for a request whose price is unknown.
pub(super) fn unpriced<'g>(offer: &Offer, correlation: &str) -> Admission<'g> {
    let mut reply = Reply::problem(Code::PriceUnavailable, Audience::Paid, correlation, None);
    reply.route = Some(offer.settings.route.clone());
    Admission::Respond(reply)
}
