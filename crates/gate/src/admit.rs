//! Admission: finds the route of a request and decides what happens first; `proof` checks the
//! payment that it brings.

use alloc::borrow::Cow;

use super::admission::{Admission, AwaitingBody, AwaitingPrice, refuse};
use super::forward::{ClientIdentity, drop_unforwarded, has_let_through};
use super::isolate::Isolate;
use super::mpp;
use super::offer::PricedRoute;
use super::parts::PricedRoutes;
use super::path::Target;
use super::preflight::answer_preflight;
use super::presented::{Presented, PresentedRequest, shows_proof};
use super::pricing::Pricing;
use super::publish::{Publications, Published};
use super::purchases::{JudgedTerms, Purchases};
use super::reply::{Audience, Reply};
use super::request::IncomingRequest;
use super::route::RouteMatch;
use super::session::Sessions;
use super::unpaid::{AwaitingQuota, FreeRequests};
use farebox_base::encoding::message;
use farebox_base::http::{BodyPresence, MAX_PAID_TARGET_BYTES, RequestHead};
use farebox_base::time::UnixTime;
use farebox_common::problem::Code;

/// Admissions of requests.
#[derive(Clone, Copy)]
pub struct Admissions<'g> {
    pub(super) routes: &'g PricedRoutes,
    pub(super) publications: Publications<'g>,
    pub(super) purchases: Purchases<'g>,
    pub(super) free: FreeRequests<'g>,
    pub(super) sessions: Sessions<'g>,
}

impl<'g> Admissions<'g> {
    /// Decides as [`Gate::admit`](super::Gate::admit) says.
    pub(super) fn admit(
        &self,
        head: RequestHead,
        fresh: &str,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let Purchases { refusals, unpaid, payments, .. } = self.purchases;
        let request = IncomingRequest::new(head, fresh);
        let IncomingRequest { head, correlation } = &request;
        // `fetch` cannot forward these methods, and no route serves them.
        if matches!(head.method.as_str(), "TRACE" | "TRACK" | "CONNECT") {
            return refuse(Code::MethodNotAllowed, Audience::Other, correlation);
        }
        if head.is_too_large() {
            return refuse(Code::HeaderTooLarge, Audience::Other, correlation);
        }
        if has_let_through(&head.headers, payments.keys) {
            return refuse(Code::LoopDetected, Audience::Other, correlation);
        }
        let Ok(target) = Target::from_url(&head.url) else {
            return refuse(Code::AmbiguousTarget, Audience::Other, correlation);
        };
        let found = self.routes.table.find(&head.method, &target);
        match self.publications.decide(&request, &target, &found) {
            Some(Published::Now(wanted)) => return Admission::Publish(wanted),
            Some(Published::IfMissing(wanted)) => {
                return unpaid.pass_unless_missing(&request, wanted, now).pass();
            }
            None => {}
        }
        let sells = |found: &RouteMatch| match found {
            RouteMatch::Route(index) => self.routes.offer(*index).is_some(),
            _ => false,
        };
        if !sells(&found)
            && mpp::brings(&head.headers)
            && let Some(step) =
                self.purchases.begin_return(&request, &Presented::of(&head.headers), now)
        {
            return step;
        }
        match found {
            RouteMatch::Route(index) => match self.routes.offer(index) {
                Some(offer) => {
                    self.admit_priced(PricedRoute { index, offer }, request, isolate, now)
                }
                None => unpaid.pass_free(&request, now).pass(),
            },
            RouteMatch::Unlisted => unpaid.pass_free(&request, now).pass(),
            RouteMatch::Denied => refuse(Code::NotFound, Audience::Other, correlation),
            RouteMatch::Ambiguous => refuse(Code::AmbiguousTarget, Audience::Paid, correlation),
            RouteMatch::Options { allow } => {
                let (allow, clients) = (allow.join(", "), &refusals.payers.clients);
                let reply = answer_preflight(self.routes, clients, head, &allow, correlation);
                Admission::Respond(reply)
            }
            RouteMatch::MethodNotAllowed { allow } => Admission::Respond(
                Reply::problem(Code::MethodNotAllowed, Audience::Paid, correlation, None)
                    .with("allow", &allow.join(", ")),
            ),
        }
    }

    /// The 402 bound to this digest; `None` (a body longer than
    /// [`MAX_DIGESTED_BYTES`](super::paid::MAX_DIGESTED_BYTES)) gives terms that hold for any body.
    #[must_use]
    pub fn challenge_body(&self, body: &AwaitingBody, digest: Option<&str>) -> Reply {
        body.challenge(self.free.keys.challenge(), digest)
    }

    const fn pricing(&self) -> Pricing<'g> {
        Pricing { purchases: self.purchases, free: self.free }
    }

    fn admit_priced(
        &self,
        route: PricedRoute<'g>,
        mut request: IncomingRequest,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let Purchases { refusals, unpaid, .. } = self.purchases;
        let PricedRoute { index, offer } = route;
        drop_unforwarded(&mut request.head.headers);
        let IncomingRequest { head, correlation } = &request;
        if head.headers.filled("upgrade").is_some() {
            return refuse(Code::UpgradeNotSupported, Audience::Paid, correlation);
        }
        if head.target().len() > MAX_PAID_TARGET_BYTES {
            return refuse(Code::TargetTooLong, Audience::Paid, correlation);
        }
        // A body on such a request reaches no origin: `fetch` does not forward it.
        let is_empty =
            head.body == BodyPresence::Absent || head.headers.get("content-length") == Some("0");
        if !is_empty && matches!(head.method.as_str(), "GET" | "HEAD") {
            return refuse(Code::UnexpectedBody, Audience::Paid, correlation);
        }
        if offer.settings.takes_keys
            && let Some(name) = refusals.payers.clients.holder(&head.headers)
        {
            return unpaid.pass_by_key(offer, request.clone(), name, now).pass();
        }
        let shown = PresentedRequest::new(request);
        isolate.client = refusals.find_client(offer, &shown, isolate, now);
        if let Some(pricer) = &offer.pricer {
            return self.pricing().admit(route, pricer, shown, isolate, now);
        }
        if let Some(step) = self.sessions.begin(offer, &shown, isolate, now) {
            return Admission::Session(step);
        }
        if !shows_proof(&shown.request.head.headers)
            && let Some((call, spending)) =
                self.free.ask(index, offer, &shown.request, isolate, now)
        {
            return Admission::UseFree(call, spending);
        }
        let offer = Cow::Borrowed(offer);
        let terms = JudgedTerms { offer: offer.clone(), judged: offer, instead: None };
        self.purchases.begin(terms, shown, isolate, now)
    }

    /// Takes the pricer's answer: the body of a 200, or `None`.
    pub fn take_price(
        &self,
        pricing: AwaitingPrice,
        answer: Option<&str>,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let AwaitingPrice { route, request } = pricing;
        self.pricing().take_price(self.routes.offer(route), request, answer, isolate, now)
    }

    /// Takes the object's answer, or `None` if there is none: forwards a free request, else asks
    /// for payment.
    pub fn take_quota(
        &self,
        spending: AwaitingQuota,
        answer: Option<&str>,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let Purchases { refusals, unpaid, .. } = self.purchases;
        let AwaitingQuota { route, request, day } = spending;
        let Some(offer) = self.routes.offer(route) else {
            return refuse(Code::Internal, Audience::Paid, &request.correlation);
        };
        let left = answer.and_then(message::read::<Option<u64>>);
        if let Some(Some(remaining)) = left {
            let caller = ClientIdentity::Anonymous;
            return unpaid.pass_priced(offer, request, caller, Some(remaining), now).pass();
        }
        if left.is_some() {
            self.free.note_used_up(offer, &request.head, day, isolate, now);
        }
        let shown = PresentedRequest::without_proof(request);
        isolate.client = refusals.find_client(offer, &shown, isolate, now);
        match &offer.pricer {
            Some(pricer) => {
                let request = shown.request;
                Admission::Price(pricer.call(&request.head), AwaitingPrice { route, request })
            }
            None => refusals.refuse(offer, &shown, Code::PaymentRequired, isolate, now),
        }
    }
}
