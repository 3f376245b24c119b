//! Terms that are asked for again and again: what is the same in every 402 for a URL is written
//! once, and the edge keeps it.
//!
//! Only requests whose fields say nothing to the gate count here ([`SILENT`]); their URL has been
//! judged like any other. Each answer still has its own id and challenge, and its client is
//! counted. Once the answer would say anything more, [`Standings::ask_again`] gives way to
//! [`Gate::admit`](super::Gate::admit).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::admission::{Admission, fewest_failures};
use super::admit::Admissions;
use super::attempts::{Attempts, CountedBy, CountedRequest};
use super::isolate::Isolate;
use super::keys::Keys;
use super::limit::client_prefix;
use super::mpp::issue::{Issued, StandingChallenge};
use super::path::Target;
use super::reply::{Body, CORRELATION, Reply};
use super::route::RouteMatch;
use super::template::ChallengeRequest;
use farebox_base::encoding::json;
use farebox_base::http::{BodyPresence, RequestHead};
use farebox_base::time::UnixTime;
use farebox_common::payment::Cause;
use farebox_common::problem::Code;
use farebox_ledger::attempts::FailureCause;
use farebox_wire::facilitator::payers::PayerHistory;

/// Fields that a 402 does not depend on, lower case, apart by spaces; the gate reads
/// `cf-connecting-ip` only to count the client, and `user-agent` for that and to recognize browsers.
pub const SILENT: &str = "accept accept-encoding accept-language cache-control cdn-loop cf-connecting-ip cf-ew-via cf-ipcountry cf-ray cf-visitor host origin pragma priority referer sec-fetch-dest sec-fetch-mode sec-fetch-site traceparent tracestate true-client-ip user-agent x-forwarded-for x-forwarded-proto x-real-ip";
/// Values of `connection` that say nothing, lower case.
const CONNECTION: &str = "close keep-alive";
/// Part of the `user-agent` of browsers, which may get a page.
const BROWSER: &str = "Mozilla";
/// The longest URL that is remembered, bytes.
const MAX_URL_BYTES: usize = 512;
const CHALLENGE: &str = "www-authenticate";

/// A URL whose terms have been asked for.
#[derive(Clone, Debug)]
pub struct Standing {
    route: usize,
    challenge: Option<StandingChallenge>,
}

/// The client of a request for a standing.
#[derive(Clone, Copy, Debug)]
pub struct StandingClient<'a> {
    /// Its address.
    pub address: &'a str,
    /// Its `User-Agent`.
    pub agent: &'a str,
}

/// The marks by which an edge recognizes requests for [`Standings::ask_again`]: a GET without a
/// body, whose fields are all in the first list, or are `connection` with a value of the second, and
/// whose `user-agent` does not contain the third text.
pub(super) const SILENT_REQUESTS: [&str; 3] = [SILENT, CONNECTION, BROWSER];

/// Terms that stand.
#[derive(Clone, Copy)]
pub struct Standings<'g> {
    pub(super) admissions: Admissions<'g>,
}

impl Standings<'_> {
    fn keys(&self) -> &Keys {
        self.admissions.free.keys
    }

    /// Admits a request as if no client had sent it: nothing is counted.
    fn admit_uncounted(&self, head: RequestHead, fresh: &str, now: UnixTime) -> Option<Reply> {
        let mut isolate = Isolate {
            facilitators: Vec::new(),
            payers: const { &PayerHistory::new() },
            attempts: &mut Attempts::new(),
            client: None,
        };
        match self.admissions.admit(head, fresh, &mut isolate, now) {
            Admission::Respond(reply) => Some(reply),
            _ => None,
        }
    }

    /// Answers a request for the terms of the first route, as the first client's; `None` if nothing
    /// is sold.
    ///
    /// An engine compiles each function when it is first called, which takes longer than to answer:
    /// before there is a client there is time for it.
    #[must_use]
    pub fn rehearse(&self, now: UnixTime) -> Option<Reply> {
        let listed = self.admissions.publications.publication.listing.items.first()?;
        let (methods, _) = listed.sales.first()?;
        // The names of parameters are segments like any other.
        let path = listed.path.replace(['{', '}'], "");
        let method = methods.first()?;
        let head = format!("{method}\nhttps://gate.invalid{path}\n\ncf-connecting-ip: 192.0.2.1");
        self.admit_uncounted(RequestHead::from_text(&head)?, "rehearsal", now)
    }

    /// Remembers the 402 for this URL; `None` if a field of the request, or anything but the URL,
    /// may decide about the answer.
    ///
    /// The text is what the edge answers with, a JSON list: header lines, the texts of the body
    /// before, between and after the id of the challenge and the correlation id, and the route as
    /// JSON, for the log.
    /// `fresh` is a random name.
    #[must_use]
    pub fn remember(
        &self,
        head: &RequestHead,
        fresh: &str,
        now: UnixTime,
    ) -> Option<(Standing, String)> {
        let Admissions { routes, purchases, .. } = self.admissions;
        let restore = purchases.payments.payers.restore;
        if !is_silent(head) || head.url.len() > MAX_URL_BYTES || restore.is_under_way(now) {
            return None;
        }
        let target = Target::from_url(&head.url).ok()?;
        let found = routes.table.find(&head.method, &target);
        let RouteMatch::Route(route) = found else { return None };
        let offer = routes.offer(route)?;
        let settings = &offer.settings;
        // What a page may read depends on the page.
        let tells_pages_apart = !settings.cors.origins.is_empty();
        if offer.pricer.is_some() || settings.free_per_day.is_some() || tells_pages_apart {
            return None;
        }
        // Every step before the terms is taken once: anything else that it leads to does not stand.
        let reply = self.admit_uncounted(head.clone(), fresh, now)?;
        if reply.code != Some(Code::PaymentRequired) || reply.head.status != 402 {
            return None;
        }
        let key = self.keys().challenge();
        let asked = ChallengeRequest { head, correlation: fresh, key, digest: None, now };
        let challenge = StandingChallenge::of(offer, &asked);
        let issued = challenge.as_ref().map(|challenge| challenge.issue(fresh, now));
        // What is remembered answers like the whole gate, or it is not remembered.
        if issued.as_ref().map(|issued| issued.header.as_str()) != reply.head.headers.get(CHALLENGE)
        {
            return None;
        }
        let id = issued.as_ref().map_or("", |issued| issued.id.as_str());
        let text = kept(&reply, id, fresh)?;
        Some((Standing { route, challenge }, text))
    }

    /// Counts one more request of a client for a standing, and
    /// issues its challenge, if the route has them; `None`, and nothing is counted, if the whole gate has to answer.
    pub fn ask_again(
        &self,
        standing: &Standing,
        fresh: &str,
        client: StandingClient<'_>,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Option<Option<Issued>> {
        let offer = self.admissions.routes.offer(standing.route)?;
        if let Some(limits) = offer.settings.diagnostics {
            if fewest_failures(offer, &isolate.facilitators) >= limits.alert_after {
                return None;
            }
            let network = client_prefix(Some(client.address));
            let request = CountedRequest::of(offer, CountedBy::Stranger(&network, client.agent));
            let client_key = isolate.attempts.client_key(self.keys(), request, now);
            let attempts = isolate.attempts.count_of(&client_key);
            if attempts.saturating_add(1) >= limits.exceeded_after {
                return None;
            }
            let failure = FailureCause { cause: Cause::Unpaid, reason: String::new() };
            isolate.attempts.failed(&client_key, &failure, None, now);
        }
        Some(standing.challenge.as_ref().map(|challenge| challenge.issue(fresh, now)))
    }

    /// The pattern of a standing's route, and whether its answers carry terms of x402.
    #[must_use]
    pub fn route_of(&self, standing: &Standing) -> Option<(&str, bool)> {
        let offer = self.admissions.routes.offer(standing.route)?;
        Some((&offer.settings.route, offer.settings.protocols.x402))
    }
}

/// Whether nothing but the URL decides about the answer.
fn is_silent(head: &RequestHead) -> bool {
    head.method == "GET"
        && head.body == BodyPresence::Absent
        && head.headers.iter().all(|(name, value)| match name {
            "connection" => CONNECTION.split(' ').any(|word| value.eq_ignore_ascii_case(word)),
            "user-agent" => !value.contains(BROWSER),
            _ => SILENT.split(' ').any(|known| known == name),
        })
}

/// The answer without what is its own; `None` if that cannot be separated.
fn kept(reply: &Reply, id: &str, correlation: &str) -> Option<String> {
    let Body::Text(body) = &reply.body else { return None };
    let (body, after) = once(body, correlation)?;
    let (before, between) = if id.is_empty() { (body, "") } else { once(body, id)? };
    let mut headers = reply.head.headers.clone();
    headers.remove(CORRELATION);
    headers.remove(CHALLENGE);
    let (lines, route) = (headers.to_lines(), json::text(reply.route.as_deref()?));
    Some(json::text(&[lines.as_str(), before, between, after, &route]))
}

/// The texts around the only place of `part`.
fn once<'a>(text: &'a str, part: &str) -> Option<(&'a str, &'a str)> {
    let (before, after) = text.split_once(part)?;
    (!part.is_empty() && !after.contains(part)).then_some((before, after))
}
