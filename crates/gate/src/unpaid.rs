//! Requests forwarded without a payment: to free paths, with a client key, or as one of a day's
//! free requests.
//!
//! A ledger object counts the free requests of a client's day. It is asked only about requests
//! without a proof, and no longer once this isolate knows that the day's requests are used up. If
//! it does not answer, the client is asked for payment.

use alloc::format;
use alloc::string::String;

use super::attempts::{ClientKey, CountedBy, CountedRequest};
use super::call::LedgerCall;
use super::clients::KEY_HEADER;
use super::forward::{Caching, ClientIdentity, OriginCall, folded, origin_call};
use super::isolate::Isolate;
use super::keys::Keys;
use super::offer::Offer;
use super::origin::Origin;
use super::parts::{Shards, Upstream};
use super::publish::DocumentRequest;
use super::reply::{self, Audience, Reply};
use super::request::{IncomingRequest, network_of};
use farebox_base::encoding::json;
use farebox_base::http::{Headers, RequestHead, ResponseHead};
use farebox_base::time::UnixTime;
use farebox_common::problem::Code;
use farebox_ledger::command::VERSION;
use farebox_ledger::quota::{DAY_SECS, Spend};

/// Header that carries the day's remaining free requests, lower case.
const REMAINING_HEADER: &str = "farebox-free-remaining";

/// A request forwarded without a payment: the parts that its answer depends on.
#[derive(Clone, Debug)]
pub struct Unpaid {
    correlation: String,
    audience: Audience,
    /// Remaining free requests of the day.
    remaining: Option<u64>,
    /// The document to answer with if the origin has none there.
    instead: Option<DocumentRequest>,
    /// Pattern of the priced route that was asked for.
    route: Option<String>,
}

/// A request on its way to the origin without a payment.
pub(super) struct UnpaidCall {
    pub(super) call: OriginCall,
    pub(super) unpaid: Unpaid,
}

impl Unpaid {
    /// A request to a path without a price.
    #[must_use]
    pub const fn free(correlation: String) -> Self {
        Self { correlation, audience: Audience::Other, remaining: None, instead: None, route: None }
    }

    /// For the log, the pattern of the priced route that was free for this request.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    /// The document that replaces a 404 of the origin, whose body is then not read.
    #[must_use]
    pub fn instead(&self, head: &ResponseHead) -> Option<&DocumentRequest> {
        self.instead.as_ref().filter(|_| head.status == 404)
    }

    /// Finishes the answer of this origin.
    pub fn finish(&self, head: &mut ResponseHead, origin: &Origin) {
        reply::scrub(head, origin);
        match self.audience {
            Audience::Paid => reply::finish_paid(head, &self.correlation),
            Audience::Other => head.headers.set(reply::CORRELATION, &self.correlation),
        }
        if let Some(remaining) = self.remaining {
            tell_remaining(&mut head.headers, remaining);
        }
    }

    /// The answer when the origin fails.
    #[must_use]
    pub fn fail(&self, timed_out: bool) -> Reply {
        let code = if timed_out { Code::UnpaidOriginTimeout } else { Code::UnpaidOriginFailed };
        let mut reply = Reply::problem(code, self.audience, &self.correlation, None);
        if let Some(remaining) = self.remaining {
            tell_remaining(&mut reply.head.headers, remaining);
        }
        reply
    }
}

/// Waits for the object that counts free requests.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct AwaitingQuota {
    pub(super) route: usize,
    pub(super) request: IncomingRequest,
    pub(super) day: u64,
}

/// Requests that are forwarded without a payment.
#[derive(Clone, Copy)]
pub(super) struct UnpaidRequests<'g> {
    pub(super) origin: &'g Upstream,
    pub(super) keys: &'g Keys,
}

impl UnpaidRequests<'_> {
    /// Forwards to a path without a price.
    pub(super) fn pass_free(&self, request: &IncomingRequest, now: UnixTime) -> UnpaidCall {
        let unpaid = Unpaid::free(request.correlation.clone());
        let mut call =
            self.origin_call(request, ClientIdentity::Anonymous, self.origin.timeout_secs, now);
        if asks_for_websocket(&request.head) {
            call.headers.set("upgrade", "websocket");
        }
        UnpaidCall { call, unpaid }
    }

    /// Forwards like [`Self::pass_free`]; a 404 of the origin is replaced by a document.
    pub(super) fn pass_unless_missing(
        &self,
        request: &IncomingRequest,
        wanted: DocumentRequest,
        now: UnixTime,
    ) -> UnpaidCall {
        let call =
            self.origin_call(request, ClientIdentity::Anonymous, self.origin.timeout_secs, now);
        let unpaid = Unpaid { instead: Some(wanted), ..Unpaid::free(request.correlation.clone()) };
        UnpaidCall { call, unpaid }
    }

    /// Forwards to a priced route for the holder of a client key. The origin never sees the key.
    pub(super) fn pass_by_key(
        &self,
        offer: &Offer,
        mut request: IncomingRequest,
        name: &str,
        now: UnixTime,
    ) -> UnpaidCall {
        request.head.headers.retain(|name, _| folded(name) != KEY_HEADER);
        self.pass_priced(offer, request, ClientIdentity::Client(name), None, now)
    }

    /// Forwards to a priced route that is free this time.
    pub(super) fn waive(
        &self,
        offer: &Offer,
        request: IncomingRequest,
        now: UnixTime,
    ) -> UnpaidCall {
        self.pass_priced(offer, request, ClientIdentity::Anonymous, None, now)
    }

    /// Forwards to a priced route without a payment.
    pub(super) fn pass_priced(
        &self,
        offer: &Offer,
        request: IncomingRequest,
        caller: ClientIdentity<'_>,
        remaining: Option<u64>,
        now: UnixTime,
    ) -> UnpaidCall {
        let mut call = self.origin_call(&request, caller, offer.settings.origin_timeout_secs, now);
        call.caching = Caching::Never;
        let correlation = request.correlation;
        let route = Some(offer.settings.route.clone());
        let unpaid =
            Unpaid { correlation, audience: Audience::Paid, remaining, instead: None, route };
        UnpaidCall { call, unpaid }
    }

    fn origin_call(
        &self,
        request: &IncomingRequest,
        caller: ClientIdentity<'_>,
        timeout_secs: u64,
        now: UnixTime,
    ) -> OriginCall {
        origin_call(&self.origin.asked, request, caller, timeout_secs, self.keys, now)
    }
}

/// The free requests of a client's day.
#[derive(Clone, Copy)]
pub(super) struct FreeRequests<'g> {
    pub(super) keys: &'g Keys,
    pub(super) shards: &'g Shards,
}

impl FreeRequests<'_> {
    /// Asks for one of them; `None` if there is known to be none left.
    pub(super) fn ask(
        &self,
        route: usize,
        offer: &Offer,
        request: &IncomingRequest,
        isolate: &Isolate<'_>,
        now: UnixTime,
    ) -> Option<(LedgerCall, AwaitingQuota)> {
        let per_day = offer.settings.free_per_day?;
        let day = now.secs() / DAY_SECS;
        let client_key = ClientKey::of_network(self.keys, &request.network(), offer.counted_as.1);
        if isolate.attempts.has_used_up(&client_key, day) {
            return None;
        }
        let spend = client_key.name(&self.keys.network_salt(day), &offer.settings.route);
        let message = json::text(&Spend { v: VERSION, spend, day, per_day });
        let call = LedgerCall::new(client_key.object(self.keys, self.shards.count), message);
        Some((call, AwaitingQuota { route, request: request.clone(), day }))
    }

    /// Notes that the network has none of this day left.
    pub(super) fn note_used_up(
        &self,
        offer: &Offer,
        head: &RequestHead,
        day: u64,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) {
        let network = network_of(head);
        let client_key = ClientKey::of_network(self.keys, &network, offer.counted_as.1);
        let counted = CountedRequest::of(offer, CountedBy::Stranger(&network, ""));
        isolate.attempts.use_up(client_key, counted, day, now);
    }
}

/// Whether the client asks to go on with the WebSocket protocol, the only one that the platform
/// changes to. Spec: RFC 6455 4.1.
fn asks_for_websocket(head: &RequestHead) -> bool {
    let asks = |row: &str| row.trim().eq_ignore_ascii_case("websocket");
    head.method == "GET" && head.headers.rows("upgrade").any(asks)
}

/// Sets the header for the remaining free requests and exposes it to scripts of other origins.
fn tell_remaining(headers: &mut Headers, remaining: u64) {
    headers.set(REMAINING_HEADER, &format!("{remaining}"));
    let exposed = headers.get("access-control-expose-headers").unwrap_or_default();
    let exposed = format!("{exposed}, Farebox-Free-Remaining");
    headers.set("access-control-expose-headers", &exposed);
}
