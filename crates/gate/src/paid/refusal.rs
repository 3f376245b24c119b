//! Causes of failure of a payment with a good signature: whose fault it is, where it is counted,
//! and what the client reads about it.

use alloc::string::{String, ToString};

use super::{Eligibility, PaidRequest};
use crate::checked::Protocol;
use crate::diagnose::{Circumstances, Diagnosis, Failures, cause_of};
use crate::offer::Offer;
use crate::reply::Reply;
use crate::request::IncomingRequest;
use crate::template::ChallengeRequest;
use farebox_base::time::UnixTime;
use farebox_common::payment::Cause;
use farebox_common::problem::Code;
use farebox_ledger::attempts::FailureCause;
use farebox_wire::facilitator::reason;

/// Seconds after `validBefore` during which only the payer is assumed to know an unsettled
/// authorization.
pub(super) const RECENT_SECS: u64 = 3_600;

impl PaidRequest<'_> {
    /// The 402 with fresh terms and the diagnosis of the payment that came.
    pub(super) fn fresh_terms(&self, code: Code, reason: &str, now: UnixTime) -> Reply {
        let terms = |diagnosis: Option<&Diagnosis>| self.terms(code, reason, diagnosis, now);
        match &self.failures.latest {
            Some(failure) if failure.cause != Cause::Trouble && !self.is_the_payers(failure) => {
                self.counted_for_client(failure, now, terms)
            }
            _ => terms(self.diagnosis(now).as_ref()),
        }
    }

    /// The 402 for this request.
    pub(super) fn terms(
        &self,
        code: Code,
        reason: &str,
        diagnosis: Option<&Diagnosis>,
        now: UnixTime,
    ) -> Reply {
        let (key, digest) = (self.asked.gate.keys.challenge(), self.asked.body.digest());
        let IncomingRequest { head, correlation } = &self.asked.request;
        let asked = ChallengeRequest { head, correlation, key, digest: digest.as_ref(), now };
        match self.asked.gate.open(&self.asked.offer, now) {
            Ok(offer) => offer.challenge(&asked, code, reason, diagnosis),
            Err(wait) => Reply::closed(correlation, wait),
        }
    }

    /// Whether a failure is counted for the payer: not trouble on the gate's side, and not an
    /// authorization that ended so long ago that others may have it from the chain.
    pub(super) fn is_the_payers(&self, failure: &FailureCause) -> bool {
        match failure.cause {
            Cause::Trouble => false,
            _ if !self.is_proven() => false,
            Cause::Expired => self.failures.is_recent,
            _ => true,
        }
    }

    /// Builds an answer that counts a failure for the client, and not for the payer.
    pub(super) fn counted_for_client(
        &self,
        failure: &FailureCause,
        now: UnixTime,
        reply: impl FnOnce(Option<&Diagnosis>) -> Reply,
    ) -> Reply {
        let mut counts = self.failures.client.clone();
        if let Some((_, streak)) = &mut counts {
            streak.count(failure, now);
        }
        let handle = self.asked.gate.new_handle(&self.asked.request.head);
        let failures =
            counts.as_ref().map(|(client_key, counts)| client_key.failures(counts, handle));
        let failures = failures.unwrap_or(Failures::Uncounted);
        let mut reply = reply(self.diagnosis_of(failure, failures, now).as_ref());
        reply.marks.failed = Some((failure.clone(), self.checked.proof.account()));
        reply
    }

    /// The 402 for an authorization that ends too early, or whose challenge has ended.
    pub(super) fn too_late(&self, now: UnixTime) -> Reply {
        let ended = match &self.checked.protocol {
            Protocol::Mpp(answered) => answered.expires.is_some_and(|end| end <= now),
            Protocol::X402(_) => false,
        };
        let code = if ended { Code::ChallengeExpired } else { Code::Expired };
        self.fresh_terms(code, code.row().reason.unwrap_or_default(), now)
    }

    /// The diagnosis of the payment that came; `None` if there is nothing to say.
    pub(super) fn diagnosis(&self, now: UnixTime) -> Option<Diagnosis> {
        self.diagnosis_of(
            self.failures.latest.as_ref()?,
            Failures::payers(self.failures.streak.as_ref()),
            now,
        )
    }

    pub(super) fn diagnosis_of(
        &self,
        failure: &FailureCause,
        failures: Failures<'_>,
        now: UnixTime,
    ) -> Option<Diagnosis> {
        let finding = Circumstances {
            failure,
            failures,
            consecutive_failures: self.failures.consecutive_failures,
            correlation: &self.asked.request.correlation,
        };
        Some(self.asked.offer.settings.diagnostics?.diagnose(finding, now))
    }

    /// Counts a failure of the facilitator, or of a service it depends on, in this request.
    pub(super) fn trouble(&mut self) {
        self.failures.consecutive_failures = self.failures.consecutive_failures.saturating_add(1);
        self.failures.latest = Some(FailureCause { cause: Cause::Trouble, reason: String::new() });
    }

    /// Keeps the facilitator's reason as the cause of failure.
    pub(super) fn failed_because(&mut self, reason: &str) {
        let failure = failure_of(reason);
        if failure.cause == Cause::Trouble {
            self.failures.consecutive_failures =
                self.failures.consecutive_failures.saturating_add(1);
        }
        self.failures.latest = Some(failure);
    }
}

/// The cause of failure that a payment arrives with; `None` if it may begin.
pub(super) fn cause_of_arrival(eligibility: Eligibility, offer: &Offer) -> Option<FailureCause> {
    let code = match eligibility {
        Eligibility::Expired => Code::Expired,
        // A client that was quoted a price does nothing wrong when the price changes.
        Eligibility::TermsChanged(code) if offer.pricer.is_none() => code,
        Eligibility::TermsChanged(_)
        | Eligibility::Fresh
        | Eligibility::Denied
        | Eligibility::Unsigned
        | Eligibility::Withdrawn
        | Eligibility::Closed
        | Eligibility::PriceUnknown
        | Eligibility::NowFree => return None,
    };
    Some(FailureCause { cause: cause_of(code), reason: code.name().to_string() })
}

/// The cause of failure named by a facilitator's reason.
pub(super) fn failure_of(reason: &str) -> FailureCause {
    FailureCause { cause: reason::cause(reason), reason: reason::known(reason).unwrap_or_default() }
}
