//! Requests that go on without a payment: to free paths, by a key, and the free ones of a day.
//!
//! A day's free requests of a client are counted by a ledger object. It is asked only for what brings no proof, and no
//! longer once this isolate knows that the day's are used up; whose object does not answer is asked for payment.

use alloc::format;
use alloc::string::{String, ToString};

use super::Gate;
use super::attempts::ClientKey;
use super::call::LedgerCall;
use super::clients::KEY_HEADER;
use super::forward::{Caching, Caller, OriginCall, folded, origin_call};
use super::isolate::Isolate;
use super::limit::client_prefix;
use super::offer::Offer;
use super::publish::DocumentRequest;
use super::reply::{self, Audience, Reply};
use crate::encoding::json;
use crate::http::{Headers, RequestHead, ResponseHead};
use crate::ledger::command::VERSION;
use crate::ledger::quota::{DAY_SECS, Spend};
use crate::problem::Code;
use crate::time::UnixTime;

/// The field that says how many more of the day are free, lower case.
const REMAINING_HEADER: &str = "farebox-free-remaining";

/// A request that goes on without a payment, as far as its answer shows that.
#[derive(Clone, Debug)]
pub struct Unpaid {
    correlation: String,
    audience: Audience,
    /// How many more are free today.
    remaining: Option<u64>,
    /// What is answered if the origin has nothing there.
    instead: Option<DocumentRequest>,
}

impl Unpaid {
    /// To a path without a price.
    #[must_use]
    pub const fn free(correlation: String) -> Self {
        Self { correlation, audience: Audience::Other, remaining: None, instead: None }
    }
}

/// Waits for the object that counts free requests.
pub struct AwaitingQuota {
    pub(super) route: usize,
    pub(super) head: RequestHead,
    pub(super) correlation: String,
    pub(super) day: u64,
}

impl Gate {
    /// Forwards to a path without a price.
    pub(super) fn free(
        &self,
        head: &RequestHead,
        correlation: &str,
        now: UnixTime,
    ) -> (OriginCall, Unpaid) {
        let timeout = self.origin_timeout_secs;
        let unpaid = Unpaid::free(correlation.to_string());
        (self.origin_call(head, Caller::Anybody, correlation, timeout, now), unpaid)
    }

    /// As [`Gate::free`], with a document in the place of what the origin does not have.
    pub(super) fn free_unless_missing(
        &self,
        head: &RequestHead,
        correlation: &str,
        wanted: DocumentRequest,
        now: UnixTime,
    ) -> (OriginCall, Unpaid) {
        let call =
            self.origin_call(head, Caller::Anybody, correlation, self.origin_timeout_secs, now);
        let unpaid = Unpaid { instead: Some(wanted), ..Unpaid::free(correlation.to_string()) };
        (call, unpaid)
    }

    /// Forwards to a priced route for the holder of a key, which is for nobody else.
    pub(super) fn by_key(
        &self,
        offer: &Offer,
        head: &RequestHead,
        name: &str,
        correlation: String,
        now: UnixTime,
    ) -> (OriginCall, Unpaid) {
        let mut head = head.clone();
        head.headers.retain(|name, _| folded(name) != KEY_HEADER);
        self.unpaid(offer, &head, Caller::Client(name), (correlation, None), now)
    }

    /// Forwards to a priced route that asks nothing this time.
    pub(super) fn waived(
        &self,
        offer: &Offer,
        head: &RequestHead,
        correlation: String,
        now: UnixTime,
    ) -> (OriginCall, Unpaid) {
        self.unpaid(offer, head, Caller::Anybody, (correlation, None), now)
    }

    /// Forwards to a priced route without a payment.
    pub(super) fn unpaid(
        &self,
        offer: &Offer,
        head: &RequestHead,
        caller: Caller<'_>,
        (correlation, remaining): (String, Option<u64>),
        now: UnixTime,
    ) -> (OriginCall, Unpaid) {
        let mut call = self.origin_call(head, caller, &correlation, offer.origin_timeout_secs, now);
        call.caching = Caching::Never;
        let unpaid = Unpaid { correlation, audience: Audience::Paid, remaining, instead: None };
        (call, unpaid)
    }

    fn origin_call(
        &self,
        head: &RequestHead,
        caller: Caller<'_>,
        correlation: &str,
        timeout_secs: u64,
        now: UnixTime,
    ) -> OriginCall {
        origin_call(&self.origin, head, caller, correlation, timeout_secs, &self.keys, now)
    }

    /// Asks for one of the client's free requests of today, unless it is known that there is none.
    pub(super) fn use_free_request(
        &self,
        route: usize,
        offer: &Offer,
        head: &RequestHead,
        correlation: &str,
        isolate: &Isolate<'_>,
        now: UnixTime,
    ) -> Option<(LedgerCall, AwaitingQuota)> {
        let per_day = offer.free_per_day?;
        let day = now.secs() / DAY_SECS;
        let network = client_prefix(head.headers.get("cf-connecting-ip"));
        let client_key = ClientKey::of(&self.keys, &network, offer.counted_as.1);
        if isolate.attempts.has_used_up(&client_key, day) {
            return None;
        }
        let spend = client_key.name(&self.keys.network_salt(day), &offer.route);
        let message = json::text(&Spend { v: VERSION, spend, day, per_day });
        let call = LedgerCall::new(client_key.object(&self.keys, self.shards), message);
        let (head, correlation) = (head.clone(), correlation.to_string());
        Some((call, AwaitingQuota { route, head, correlation, day }))
    }

    /// The answer in the place of the origin's, which is then not read, where the origin has nothing.
    #[must_use]
    pub fn instead(&self, head: &ResponseHead, unpaid: &Unpaid) -> Option<Reply> {
        let wanted = unpaid.instead.as_ref().filter(|_| head.status == 404)?;
        Some(self.document(wanted, &unpaid.correlation))
    }

    /// Finishes the answer to a request that went on without a payment.
    pub fn finish_free(&self, head: &mut ResponseHead, unpaid: &Unpaid) {
        reply::scrub(head, &self.origin);
        match unpaid.audience {
            Audience::Paid => reply::finish_paid(head, &unpaid.correlation),
            Audience::Other => head.headers.set(reply::CORRELATION, &unpaid.correlation),
        }
        if let Some(remaining) = unpaid.remaining {
            tell(&mut head.headers, remaining);
        }
    }

    /// The answer when the origin of such a request fails.
    #[must_use]
    pub fn free_failed(&self, timed_out: bool, unpaid: &Unpaid) -> Reply {
        let code = if timed_out { Code::OriginTimeout } else { Code::OriginFailed };
        let mut reply = Reply::problem(code, unpaid.audience, &unpaid.correlation, None);
        if let Some(remaining) = unpaid.remaining {
            tell(&mut reply.head.headers, remaining);
        }
        reply
    }
}

/// Says how many more are free, also to pages of other sites.
fn tell(headers: &mut Headers, remaining: u64) {
    headers.set(REMAINING_HEADER, &format!("{remaining}"));
    let exposed = headers.get("access-control-expose-headers").unwrap_or_default();
    let exposed = format!("{exposed}, Farebox-Free-Remaining");
    headers.set("access-control-expose-headers", &exposed);
}
