//! Checks the payment that a request brings and begins it, or explains the refusal; a client that
//! may sign again gets fresh terms.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Gate;
use super::admission::{Admission, AwaitingBody};
use super::attempts::handle::{self, NewHandle};
use super::attempts::{ClientKey, CountedBy, CountedRequest};
use super::checked::{CheckedPayment, Eligibility, Protocol, Standard};
use super::diagnose::{Circumstances, Failures, cause_of};
use super::isolate::Isolate;
use super::offer::{Choice, Offer};
use super::old_terms::{is_about_terms, may_be_known};
use super::paid::{PaidRequest, Payer};
use super::presented::{Presented, PresentedRequest};
use super::redelivery::{self, Statement};
use super::reply::{Audience, Reply};
use super::request::{CLIENT_AGENT, IncomingRequest, client_network};
use super::restore::NO_DATE;
use super::template::ChallengeRequest;
use farebox_base::http::{BodyPresence, RequestHead};
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_common::payment::Cause;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::problem::Code;
use farebox_ledger::attempts::FailureCause;
use farebox_wire::facilitator::breaker::Condition;
use farebox_wire::facilitator::payers::Conduct;
use farebox_wire::facilitator::wire::Expected;
use farebox_wire::x402::Version;

/// The terms that a payment is checked against.
pub(super) struct JudgedTerms<'g> {
    /// The terms of a refusal.
    pub(super) offer: Cow<'g, Offer>,
    /// The terms that the payment claims.
    pub(super) judged: Cow<'g, Offer>,
    /// The eligibility that overrides the payment's own, when the price has changed since.
    pub(super) instead: Option<Eligibility>,
}

/// The proof of a request, if it has one, or the code of the check that failed.
type CheckedProof<'g> = Result<Option<CheckedPayment<'g>>, Code>;

impl Gate {
    /// Begins the return of a transaction that answers one of this gate's challenges, for a target
    /// that sells nothing any more: if it pays, a refund is due.
    pub(super) fn paid_for_nothing<'g>(
        &'g self,
        request: &IncomingRequest,
        presented: &Presented,
        now: UnixTime,
    ) -> Option<Admission<'g>> {
        let Presented::Mpp(Ok(credential)) = presented else { return None };
        let shown = self.onchain_for_nothing(&request.head, credential, now)?;
        let (offer, checked) = match shown {
            Ok(shown) => shown,
            // The chain cannot be read: that does not justify asking for a second payment.
            Err(code) if code.row().reason.is_none() => {
                return Some(refuse(code, Audience::Paid, &request.correlation));
            }
            Err(_) => return None,
        };
        let CheckedPayment { protocol, choice, proof, signature, .. } = checked;
        let (network, amount) = (choice.terms.network.to_string(), choice.terms.amount);
        let payer = Payer {
            protocol,
            expected: Expected { payer: proof.payer, network, amount },
            proof,
            eligibility: Eligibility::Withdrawn,
            signature,
            wallet: false,
            facilitators: Vec::new(),
            conduct: Conduct::UNKNOWN,
            streak: None,
        };
        let offer = Cow::Owned(offer);
        let way = PaidRequest::begin(self, offer, choice, request.clone(), payer, now);
        Some(Admission::Pay(way))
    }

    /// Checks the payment that a request presents, and begins it.
    pub(super) fn pay<'g>(
        &'g self,
        terms: JudgedTerms<'g>,
        shown: PresentedRequest,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let JudgedTerms { offer, judged, instead } = terms;
        let today = Standard::Today;
        let checked = match judged {
            Cow::Borrowed(judged) => self.proof(judged, &shown, today, now),
            Cow::Owned(judged) => {
                let found = self.proof(&judged, &shown, today, now);
                found.map(|found| found.map(CheckedPayment::into_owned))
            }
        };
        let is_forged = matches!(checked, Err(Code::SignatureInvalid));
        let (checked, instead) = self.look_up(&offer, &shown, checked, instead, now);
        if let Err(code) = &checked
            && is_about_terms(*code)
            && let Some(step) = self.paid_for_nothing(&shown.request, &shown.presented, now)
        {
            return step;
        }
        let found = match (checked, instead) {
            (Ok(Some(found)), _) => found,
            (Ok(None), _) => {
                return self.refused(&offer, &shown, Code::PaymentRequired, isolate, now);
            }
            // The price is unknown, so there are no terms to offer.
            (Err(code), Some(Eligibility::PriceUnknown)) if code.row().reason.is_some() => {
                return unpriced(&offer, &shown.request.correlation);
            }
            (Err(code), Some(Eligibility::NowFree)) if code.row().reason.is_some() => {
                return self.waived(&offer, shown.request, now).pass();
            }
            (Err(code), _) => return self.refused(&offer, &shown, code, isolate, now),
        };
        // Who only names a denied payer does not learn that they are.
        let is_named = is_forged && found.signature == SignatureCheck::Deferred;
        let is_denied = !is_named && self.payers.clients.denies(&found.proof.account());
        let eligibility = match instead {
            // Nothing is owed for terms of the client's own.
            Some(Eligibility::Unsigned) => Eligibility::Unsigned,
            _ if is_denied => Eligibility::Denied,
            other => other.unwrap_or(found.eligibility),
        };
        let found = CheckedPayment { eligibility, ..found };
        let (choice, payer) = payer_of(found, &shown.request, isolate, now);
        Admission::Pay(PaidRequest::begin(self, offer, choice, shown.request, payer, now))
    }

    /// Asks, before a refusal asks for another payment, whether the ledger may know this one: with
    /// the payment under the terms that it was made for, and the eligibility that overrides its own.
    fn look_up<'g>(
        &self,
        offer: &Offer,
        shown: &PresentedRequest,
        checked: CheckedProof<'g>,
        instead: Option<Eligibility>,
        now: UnixTime,
    ) -> (CheckedProof<'g>, Option<Eligibility>) {
        match (checked, instead) {
            (Err(code), instead) if may_be_known(code) => {
                match (self.former(offer, shown, Some(code), now), instead) {
                    // No terms are given anyway.
                    (Some(found), Some(Eligibility::PriceUnknown | Eligibility::NowFree))
                        if found.eligibility == Eligibility::Unsigned =>
                    {
                        (Err(code), instead)
                    }
                    (Some(found), instead) => {
                        let refused = self.barred_by(&found, code, instead);
                        (Ok(Some(found)), Some(refused))
                    }
                    (None, instead) => (Err(code), instead),
                }
            }
            // Version 1 names no asset: it may be the payer's own signature for another one.
            (Ok(Some(found)), instead) if found.may_be_for_another_asset() => {
                let own =
                    |former: &CheckedPayment<'_>| former.signature == SignatureCheck::Verified;
                match self.former(offer, shown, None, now).filter(own) {
                    Some(former) => {
                        let refused = Eligibility::TermsChanged(Code::TermsMismatch);
                        (Ok(Some(former)), Some(instead.unwrap_or(refused)))
                    }
                    None => (Ok(Some(found)), instead),
                }
            }
            other => other,
        }
    }

    /// Why a payment that today's terms or settings refuse with `code` may not begin.
    fn barred_by(
        &self,
        found: &CheckedPayment<'_>,
        code: Code,
        instead: Option<Eligibility>,
    ) -> Eligibility {
        let counts = code == Code::Expired || !planted(Mutant::RestoreIsExpiry);
        match instead {
            _ if found.eligibility == Eligibility::Unsigned => Eligibility::Unsigned,
            Some(instead) => instead,
            None if counts && self.is_closed_to(found) => Eligibility::Closed,
            None => Eligibility::TermsChanged(code),
        }
    }

    /// Whether a payment may have been settled before a restore, so that the ledger may have
    /// forgotten it.
    fn is_closed_to(&self, found: &CheckedPayment<'_>) -> bool {
        let ends = match (&found.proof.onchain, &found.protocol) {
            (None, _) => Some(found.proof.valid_before),
            (Some(_), Protocol::Mpp(answered)) => answered.expires,
            (Some(_), Protocol::X402(_)) => None,
        };
        ends.is_some_and(|ends| self.may_be_forgotten(NO_DATE, ends))
    }

    /// The lowest count of failures in a row among the facilitators of this route.
    pub(super) fn consecutive_failures(offer: &Offer, facilitators: &[Condition]) -> u64 {
        let places = offer.choices.iter().flat_map(|choice| &choice.facilitators);
        let consecutive_failures = places.filter_map(|place| facilitators.get(*place));
        consecutive_failures.map(|condition| condition.consecutive_failures).min().unwrap_or(0)
    }

    /// Refuses an unproven request to a priced route; a client that may sign again gets fresh
    /// terms.
    pub(super) fn refused<'g>(
        &self,
        offer: &Offer,
        shown: &PresentedRequest,
        code: Code,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'g> {
        let PresentedRequest { request: IncomingRequest { head, correlation }, presented } = shown;
        let open = match (code.row().reason, self.open(offer, now)) {
            (Some(_), Err(wait)) => return Admission::Respond(Reply::closed(correlation, wait)),
            (_, open) => open.unwrap_or(Cow::Borrowed(offer)),
        };
        let offer = &*open;
        // While a restore is not over, what ends too early does so because of us.
        let closed = self.is_restored_at(now);
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
        let handle = self.new_handle(head);
        let failures =
            counts.as_ref().map(|(client_key, counts)| client_key.failures(counts, handle));
        let finding = Circumstances {
            failure: &failure,
            failures: failures.unwrap_or(Failures::Uncounted),
            consecutive_failures: Self::consecutive_failures(offer, &isolate.facilitators),
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

    /// A handle that belongs to this request, for its client.
    pub(super) fn new_handle<'a>(&'a self, head: &'a RequestHead) -> NewHandle<'a> {
        NewHandle { keys: &self.keys, fresh: &head.fresh }
    }

    /// The key under which failures of this client are counted, if the route counts them.
    pub(super) fn client_key(
        &self,
        offer: &Offer,
        shown: &PresentedRequest,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Option<ClientKey> {
        let PresentedRequest { request: IncomingRequest { head, .. }, presented } = shown;
        offer.settings.diagnostics?;
        let network = client_network(head);
        let shown = head.headers.get(handle::HEADER).or_else(|| presented.handle());
        let caller = match (self.payers.clients.holder(&head.headers), shown) {
            (Some(name), _) => CountedBy::Holder(name),
            (None, Some(shown)) if handle::is_ours(&self.keys, shown) => CountedBy::Handle(shown),
            (None, _) => {
                CountedBy::Stranger(&network, head.headers.get(CLIENT_AGENT).unwrap_or_default())
            }
        };
        Some(isolate.attempts.client_key(&self.keys, CountedRequest::of(offer, caller), now))
    }
}

/// The payer of a checked payment, and the way in which they pay.
fn payer_of<'g>(
    checked: CheckedPayment<'g>,
    request: &IncomingRequest,
    isolate: &mut Isolate<'_>,
    now: UnixTime,
) -> (Cow<'g, Choice>, Payer) {
    let CheckedPayment { protocol, choice, proof, eligibility, signature } = checked;
    let head = &request.head;
    let streak = isolate.client.and_then(|client_key| {
        let counts = match signature {
            SignatureCheck::Verified => isolate.attempts.proved(&client_key),
            SignatureCheck::Deferred => isolate.attempts.known(&client_key),
        };
        Some((client_key, counts?))
    });
    let network = match protocol.version() {
        Version::V1 => choice.terms.network.v1_name().unwrap_or_default().to_owned(),
        Version::V2 => choice.terms.network.to_string(),
    };
    let expected = Expected { payer: proof.payer, network, amount: choice.terms.amount };
    // A statement that proves nothing counts as none: the ledger says what is left without it.
    let statement = head.headers.joined(redelivery::HEADER);
    let wallet = statement.and_then(|value| Statement::parse(&value).ok()).is_some_and(|it| {
        let (chain_id, method) = (choice.chain_id(), &head.method);
        let proves = |payer| it.proves(&proof.key, payer, chain_id, method, &head.url, now);
        proof.payer.as_ref().is_some_and(|payer| proves(payer).is_ok())
    });
    let facilitators = core::mem::take(&mut isolate.facilitators);
    let conduct = isolate.payers.of(&proof.payer_or(&request.network()));
    let payer = Payer {
        protocol,
        proof,
        expected,
        eligibility,
        signature,
        wallet,
        facilitators,
        conduct,
        streak,
    };
    (choice, payer)
}

pub(super) fn refuse<'g>(code: Code, audience: Audience, correlation: &str) -> Admission<'g> {
    Admission::Respond(Reply::problem(code, audience, correlation, None))
}

/// The 503 for a request whose price is unknown.
pub(super) fn unpriced<'g>(offer: &Offer, correlation: &str) -> Admission<'g> {
    let mut reply = Reply::problem(Code::PriceUnavailable, Audience::Paid, correlation, None);
    reply.route = Some(offer.settings.route.clone());
    Admission::Respond(reply)
}
