//! Admission: finds the route of a request and decides what happens first; `proof` checks the
//! payment that it brings.

use alloc::borrow::Cow;

use super::Gate;
use super::admission::{Admission, AwaitingPrice};
use super::forward::{ClientIdentity, drop_unforwarded};
use super::isolate::Isolate;
use super::judge::{JudgedTerms, refuse};
use super::mpp;
use super::offer::PricedRoute;
use super::path::Target;
use super::presented::{Presented, PresentedRequest, shows_proof};
use super::publish::Published;
use super::reply::{Audience, Reply};
use super::request::IncomingRequest;
use super::route::RouteMatch;
use super::unpaid::AwaitingQuota;
use farebox_base::encoding::message;
use farebox_base::http::{BodyPresence, MAX_PAID_TARGET_BYTES, RequestHead};
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_common::problem::Code;

impl Gate {
    /// Decides about one request: forward it, answer it, or begin its payment.
    ///
    /// `fresh` is a random name for the request; it is also the correlation id if the client sent
    /// none. While a facilitator's health is
    /// [`Failing`](farebox_wire::facilitator::breaker::SettlementHealth::Failing), its routes settle
    /// before the origin is asked.
    pub fn admit(
        &self,
        head: RequestHead,
        fresh: &str,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'_> {
        let request = IncomingRequest::new(head, fresh);
        let IncomingRequest { head, correlation } = &request;
        // `fetch` cannot forward these methods, and no route serves them.
        if matches!(head.method.as_str(), "TRACE" | "TRACK" | "CONNECT") {
            return refuse(Code::MethodNotAllowed, Audience::Other, correlation);
        }
        if head.is_too_large() && !planted(Mutant::FieldsGrow) {
            return refuse(Code::HeaderTooLarge, Audience::Other, correlation);
        }
        if self.has_let_through(&head.headers) {
            return refuse(Code::LoopDetected, Audience::Other, correlation);
        }
        let Ok(target) = Target::from_url(&head.url) else {
            return refuse(Code::AmbiguousTarget, Audience::Other, correlation);
        };
        let found = self.routes.table.find(&head.method, &target);
        match self.published(&request, &target, &found) {
            Some(Published::Now(reply)) => return Admission::Respond(reply),
            Some(Published::IfMissing(wanted)) => {
                return self.free_unless_missing(&request, wanted, now).pass();
            }
            None => {}
        }
        let sells = |found: &RouteMatch| match found {
            RouteMatch::Route(index) => self.routes.offers.get(*index).is_some_and(Option::is_some),
            _ => false,
        };
        if !sells(&found)
            && mpp::brings(&head.headers)
            && let Some(step) = self.paid_for_nothing(&request, &Presented::of(&head.headers), now)
        {
            return step;
        }
        match found {
            RouteMatch::Route(index) => {
                match self.routes.offers.get(index).and_then(Option::as_ref) {
                    Some(offer) => self.priced(PricedRoute { index, offer }, request, isolate, now),
                    None => self.free(&request, now).pass(),
                }
            }
            RouteMatch::Unlisted => self.free(&request, now).pass(),
            RouteMatch::Denied => refuse(Code::NotFound, Audience::Other, correlation),
            RouteMatch::Ambiguous => refuse(Code::AmbiguousTarget, Audience::Paid, correlation),
            RouteMatch::Options { allow } => {
                Admission::Respond(self.preflight(head, &allow.join(", "), correlation))
            }
            RouteMatch::MethodNotAllowed { allow } => Admission::Respond(
                Reply::problem(Code::MethodNotAllowed, Audience::Paid, correlation, None)
                    .with("allow", &allow.join(", ")),
            ),
        }
    }

    fn priced<'g>(
        &'g self,
        route: PricedRoute<'g>,
        mut request: IncomingRequest,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
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
        if !is_empty
            && matches!(head.method.as_str(), "GET" | "HEAD")
            && !planted(Mutant::BodyOfGet)
        {
            return refuse(Code::UnexpectedBody, Audience::Paid, correlation);
        }
        if offer.settings.takes_keys
            && let Some(name) = self.payers.clients.holder(&head.headers)
        {
            return self.by_key(offer, request.clone(), name, now).pass();
        }
        let shown = PresentedRequest::new(request);
        isolate.client = self.client_key(offer, &shown, isolate, now);
        if let Some(pricer) = &offer.pricer {
            return self.admit_priced(route, pricer, shown, isolate, now);
        }
        let by_session = self.session(offer, &shown, isolate, now);
        let by_session = by_session.or_else(|| self.session_by_mpp(offer, &shown, now));
        if let Some(step) = by_session {
            return Admission::Session(step);
        }
        if !shows_proof(&shown.request.head.headers)
            && let Some((call, spending)) =
                self.use_free_request(index, offer, &shown.request, isolate, now)
        {
            return Admission::UseFree(call, spending);
        }
        let offer = Cow::Borrowed(offer);
        let terms = JudgedTerms { offer: offer.clone(), judged: offer, instead: None };
        self.pay(terms, shown, isolate, now)
    }

    /// Takes the object's answer, or `None` if there is none: forwards a free request, else asks
    /// for payment.
    pub fn free_request_used(
        &self,
        spending: AwaitingQuota,
        answer: Option<&str>,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'_> {
        let AwaitingQuota { route, request, day } = spending;
        let Some(offer) = self.routes.offers.get(route).and_then(Option::as_ref) else {
            return Admission::Respond(Reply::problem(
                Code::Internal,
                Audience::Paid,
                &request.correlation,
                None,
            ));
        };
        let left = answer.and_then(message::read::<Option<u64>>);
        if let Some(Some(remaining)) = left {
            let caller = ClientIdentity::Anonymous;
            return self.unpaid(offer, request, caller, Some(remaining), now).pass();
        }
        if left.is_some() {
            self.use_up(offer, &request.head, day, isolate, now);
        }
        let shown = PresentedRequest::without_proof(request);
        isolate.client = self.client_key(offer, &shown, isolate, now);
        match &offer.pricer {
            Some(pricer) => {
                let request = shown.request;
                Admission::Price(pricer.call(&request.head), AwaitingPrice { route, request })
            }
            None => self.refused(offer, &shown, Code::PaymentRequired, isolate, now),
        }
    }
}
