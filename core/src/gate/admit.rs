//! Who may speak here: which route is asked for, and what begins with what its request brings; `proof` judges that.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Gate;
use super::attempts::{Attempts, Seen, Spot};
use super::challenge::Asked;
use super::diagnose::{Failures, Finding, Limits, cause_of};
use super::limit::client_prefix;
use super::mpp;
use super::offer::Offer;
use super::passage::{Arrival, Passage, Payer, Step, Unbound};
use super::path::Target;
use super::presented::Presented;
use super::proof::Brought;
use super::quoting::unpriced;
use super::redelivery::{self, Statement};
use super::reply::{Audience, Reply};
use super::route::Found;
use crate::facilitator::breaker::Condition;
use crate::facilitator::wire::Expected;
use crate::http::{BodyPresence, Headers, MAX_PAID_TARGET_BYTES, RequestHead};
use crate::ledger::attempts::Blame;
use crate::mutant::{Mutant, planted};
use crate::payment::Cause;
use crate::payment::authorization::Vouched;
use crate::problem::Code;
use crate::time::UnixTime;
use crate::x402::Version;

/// What the isolate knows beside a request, and learns from it.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// How the facilitators do, in the order of the configuration.
    pub facilitators: Vec<Condition>,
    /// Who failed how often.
    pub attempts: &'a mut Attempts,
    /// Where the client is counted, if it is: what becomes of its payment is counted there too.
    pub client: Option<Spot>,
}

/// Whether a request shows something that may be a payment, so that its work must outlive the client.
#[must_use]
pub fn shows_proof(headers: &Headers) -> bool {
    [Version::V1, Version::V2].iter().any(|v| headers.joined(v.proof_header()).is_some())
        || mpp::brings(headers)
}

/// The client's correlation id if it is well formed, else `fresh`.
#[must_use]
pub fn correlation_id<'a>(headers: &'a Headers, fresh: &'a str) -> &'a str {
    let good = |id: &&str| {
        (8..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    headers.get("x-correlation-id").filter(good).unwrap_or(fresh)
}

impl Gate {
    /// Decides about one request: forward it, answer it, or begin the passage of its payment.
    ///
    /// `fresh` is a random name for the request, and its correlation id if the client sent none; under [`Strained`](crate::facilitator::breaker::Strain::Strained) every route settles before its origin is asked.
    pub fn admit(
        &self,
        mut head: RequestHead,
        fresh: &str,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Step<'_> {
        head.fresh = fresh.to_owned();
        let correlation = correlation_id(&head.headers, fresh).to_owned();
        // `fetch` cannot forward them, and nothing serves them.
        if matches!(head.method.as_str(), "TRACE" | "TRACK" | "CONNECT") {
            return refuse(Code::MethodNotAllowed, Audience::Other, &correlation);
        }
        if self.has_let_through(&head.headers) {
            return refuse(Code::LoopDetected, Audience::Other, &correlation);
        }
        let Ok(target) = Target::from_url(&head.url) else {
            return refuse(Code::AmbiguousTarget, Audience::Other, &correlation);
        };
        let found = self.table.find(&head.method, &target);
        if let Some(step) = self.published(&head, &target, &found, &correlation, now) {
            return step;
        }
        let sells = |found: &Found| match found {
            Found::Route(index) => self.offers.get(*index).is_some_and(Option::is_some),
            _ => false,
        };
        if !sells(&found)
            && mpp::brings(&head.headers)
            && let Some(step) =
                self.paid_in_vain((&head, &Presented::of(&head.headers)), &correlation, now)
        {
            return step;
        }
        match found {
            Found::Route(index) => match self.offers.get(index).and_then(Option::as_ref) {
                Some(offer) => self.priced((index, offer), head, correlation, around, now),
                None => self.free(&head, &correlation, now),
            },
            Found::Unlisted => self.free(&head, &correlation, now),
            Found::Denied => refuse(Code::NotFound, Audience::Other, &correlation),
            Found::Ambiguous => refuse(Code::AmbiguousTarget, Audience::Paid, &correlation),
            Found::Options { allow } => {
                let reply = Reply::options(&allow.join(", "), &correlation);
                Step::Respond(self.clients.let_ask(reply))
            }
            Found::MethodNotAllowed { allow } => Step::Respond(
                Reply::problem(Code::MethodNotAllowed, Audience::Paid, &correlation, None)
                    .with("allow", &allow.join(", ")),
            ),
        }
    }

    /// A transaction that was sent in answer to a challenge of ours, for a target that sells nothing any more: if it pays, it is
    /// owed back.
    fn paid_in_vain<'g>(
        &'g self,
        (head, presented): (&RequestHead, &Presented),
        correlation: &str,
        now: UnixTime,
    ) -> Option<Step<'g>> {
        let Presented::Mpp(Ok(credential)) = presented else { return None };
        let (offer, brought) = match self.shown_in_vain(head, credential, now)? {
            Ok(shown) => shown,
            // It cannot be looked at: that is no reason to pay again.
            Err(code) if code.row().reason.is_none() => {
                return Some(refuse(code, Audience::Paid, correlation));
            }
            Err(_) => return None,
        };
        let Brought { spoken, choice, proof, vouched, .. } = brought;
        let (network, amount) = (choice.terms.network.to_string(), choice.terms.amount);
        let payer = Payer {
            spoken,
            expected: Expected { payer: proof.payer, network, amount },
            proof,
            arrival: Arrival::Gone,
            vouched,
            wallet: false,
            facilitators: Vec::new(),
            seen: None,
        };
        let sold = (Cow::Owned(offer), choice);
        Some(Passage::begin(self, sold, head.clone(), payer, correlation.to_owned(), now))
    }

    fn priced<'g>(
        &'g self,
        (route, offer): (usize, &'g Offer),
        head: RequestHead,
        correlation: String,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Step<'g> {
        if head.headers.filled("upgrade").is_some() {
            return refuse(Code::UpgradeNotSupported, Audience::Paid, &correlation);
        }
        if head.target().len() > MAX_PAID_TARGET_BYTES {
            return refuse(Code::TargetTooLong, Audience::Paid, &correlation);
        }
        // No origin reads it, and `fetch` forwards none.
        let is_empty =
            head.body == BodyPresence::Absent || head.headers.get("content-length") == Some("0");
        if !is_empty
            && matches!(head.method.as_str(), "GET" | "HEAD")
            && !planted(Mutant::BodyOfGet)
        {
            return refuse(Code::UnexpectedBody, Audience::Paid, &correlation);
        }
        if offer.takes_keys
            && let Some(name) = self.clients.holder(&head.headers)
        {
            return self.by_key(offer, &head, name, correlation, now);
        }
        around.client = offer.diagnostics.map(|_| self.spot(offer, &head, around, now));
        if let Some(pricer) = &offer.pricer {
            return self.quoted((route, offer, pricer), head, correlation, around, now);
        }
        if !shows_proof(&head.headers)
            && let Some((call, spending)) =
                self.spend(route, offer, &head, &correlation, around, now)
        {
            return Step::Spend(call, spending);
        }
        let offer = Cow::Borrowed(offer);
        self.pay((offer.clone(), offer), None, head, correlation, around, now)
    }

    /// Judges what a request brings by the second offer, and shows the first one to who may sign again; `instead` is what
    /// the price makes of its arrival.
    pub(super) fn pay<'g>(
        &'g self,
        (offer, judged): (Cow<'g, Offer>, Cow<'g, Offer>),
        instead: Option<Arrival>,
        head: RequestHead,
        correlation: String,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Step<'g> {
        let presented = Presented::of(&head.headers);
        let shown = (&head, &presented);
        let brought = match judged {
            Cow::Borrowed(judged) => self.proof(judged, shown, now),
            Cow::Owned(judged) => {
                self.proof(&judged, shown, now).map(|found| found.map(Brought::into_owned))
            }
        };
        let (brought, instead) = match (brought, instead) {
            // Not for today's terms, and perhaps too late besides: it may be one that the ledger knows.
            (Err(code), None) if is_about_terms(code) || code == Code::Expired => {
                match self.former(&offer, shown, now) {
                    Some(found) => (Ok(Some(found)), Some(Arrival::Repriced(code))),
                    None => (Err(code), None),
                }
            }
            // Neither for those that were named meanwhile: money may have moved for it.
            (Err(code), Some(instead)) if is_about_terms(code) => {
                let former = self.former(&offer, shown, now);
                match former.filter(|found| found.proof.was_sent()) {
                    Some(found) => (Ok(Some(found)), Some(instead)),
                    None => (Err(code), Some(instead)),
                }
            }
            other => other,
        };
        if let Err(code) = &brought
            && is_about_terms(*code)
            && let Some(step) = self.paid_in_vain(shown, &correlation, now)
        {
            return step;
        }
        let brought = match (brought, instead) {
            (Ok(Some(found)), _) => found,
            (Ok(None), _) => {
                let code = (Code::PaymentRequired, &presented);
                return self.refused(&offer, &head, code, &correlation, around, now);
            }
            // There are no terms to put up.
            (Err(code), Some(Arrival::Unpriced)) if code.row().reason.is_some() => {
                return unpriced(&offer, &correlation);
            }
            (Err(code), Some(Arrival::Waived)) if code.row().reason.is_some() => {
                return self.waived(&offer, &head, correlation, now);
            }
            (Err(code), _) => {
                let code = (code, &presented);
                return self.refused(&offer, &head, code, &correlation, around, now);
            }
        };
        let Brought { spoken, choice, proof, arrival, vouched } = brought;
        let seen = around.client.as_ref().and_then(|spot| match vouched {
            Vouched::Yes => around.attempts.proved(spot),
            Vouched::NotYet => around.attempts.known(spot),
        });
        let network = match spoken.version() {
            Version::V1 => choice.terms.network.v1_name().unwrap_or_default().to_owned(),
            Version::V2 => choice.terms.network.to_string(),
        };
        let expected = Expected { payer: proof.payer, network, amount: choice.terms.amount };
        // A statement that proves nothing is as good as none: the ledger says what that leaves.
        let statement = head.headers.joined(redelivery::HEADER);
        let wallet = statement.and_then(|value| Statement::parse(&value).ok()).is_some_and(|it| {
            let (chain_id, method) = (choice.chain_id(), &head.method);
            let proves = |payer| it.proves(&proof.key, payer, chain_id, method, &head.url, now);
            proof.payer.as_ref().is_some_and(|payer| proves(payer).is_ok())
        });
        let denied = self.clients.denies(&proof.account());
        let arrival = if denied { Arrival::Denied } else { instead.unwrap_or(arrival) };
        let facilitators = core::mem::take(&mut around.facilitators);
        let payer = Payer { spoken, proof, expected, arrival, vouched, wallet, facilitators, seen };
        Passage::begin(self, (offer, choice), head, payer, correlation, now)
    }

    /// The fewest failures in a row of those who could settle for this route.
    fn troubles(offer: &Offer, facilitators: &[Condition]) -> u64 {
        let places = offer.choices.iter().flat_map(|choice| &choice.facilitators);
        let troubles = places.filter_map(|place| facilitators.get(*place));
        troubles.map(|condition| condition.troubles).min().unwrap_or(0)
    }

    /// A refusal of a priced route to somebody who proves nothing: with fresh terms where he may sign again.
    pub(super) fn refused<'g>(
        &self,
        offer: &Offer,
        head: &RequestHead,
        (code, presented): (Code, &Presented),
        correlation: &str,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Step<'g> {
        // While a restore is not over, what ends too early does so because of us.
        let closed = self.closed_before.is_some_and(|closed| now < closed);
        let cause = match cause_of(code) {
            Cause::Expired if closed => Cause::Trouble,
            cause => cause,
        };
        let nothing = matches!(cause, Cause::Unpaid | Cause::Trouble);
        let reason = if nothing { "" } else { code.name() };
        let blame = Blame { cause, reason: reason.to_string() };
        let claims = if nothing { None } else { presented.claims() };
        let tally = around
            .client
            .as_ref()
            .filter(|_| cause != Cause::Trouble)
            .map(|spot| around.attempts.failed(spot, &blame, claims, now));
        let Some(reason) = code.row().reason else {
            return refuse(code, Audience::Paid, correlation);
        };
        let finding = Finding {
            blame: &blame,
            failures: Failures::networks(tally.as_ref()),
            troubles: Self::troubles(offer, &around.facilitators),
            correlation,
        };
        let diagnosis = offer.diagnostics.map(|limits| limits.diagnose(finding, now));
        let (key, digest) = (self.keys.challenge(), None);
        let asked = Asked { head, correlation, key, digest, now };
        if offer.binds_body && offer.protocols.mpp && head.body == BodyPresence::Present {
            return Step::Bind(Unbound::new(offer, &asked, (code, reason), diagnosis));
        }
        Step::Respond(offer.challenge(&asked, code, reason, diagnosis.as_ref()))
    }

    /// Where this client is counted.
    pub(super) fn spot(
        &self,
        offer: &Offer,
        head: &RequestHead,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Spot {
        let exceeded_after = offer.diagnostics.unwrap_or(Limits::DEFAULT).exceeded_after;
        let network = client_prefix(head.headers.get("cf-connecting-ip"));
        let (route, route_hash) = (&offer.counted_as.0, offer.counted_as.1);
        let seen = Seen { network: &network, route, route_hash, exceeded_after };
        around.attempts.spot(&self.keys, seen, now)
    }
}

/// Whether a payment that is refused for it may be one for terms or a challenge of earlier.
const fn is_about_terms(code: Code) -> bool {
    matches!(
        code,
        Code::TermsMismatch
            | Code::AmountMismatch
            | Code::RecipientMismatch
            | Code::InvalidChallenge
            | Code::ChallengeExpired
            | Code::NonceMismatch
            | Code::SourceMismatch
    )
}

fn refuse<'g>(code: Code, audience: Audience, correlation: &str) -> Step<'g> {
    Step::Respond(Reply::problem(code, audience, correlation, None))
}
