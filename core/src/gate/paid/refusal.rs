//! What stands in the way of a payment with a good signature: whose it is, where it is counted, and what is said about it.

use alloc::string::String;

use super::PaidRequest;
use crate::facilitator::reason;
use crate::gate::checked::Protocol;
use crate::gate::diagnose::{Circumstances, Diagnosis, Failures};
use crate::gate::reply::Reply;
use crate::gate::template::ChallengeRequest;
use crate::ledger::attempts::FailureCause;
use crate::payment::Cause;
use crate::problem::Code;
use crate::time::UnixTime;

/// Seconds after its end for which an authorization that nobody settled is its payer's secret, more or less.
pub(super) const RECENT_SECS: u64 = 3_600;

impl PaidRequest<'_> {
    /// Fresh terms, with what is to say about the payment that came.
    pub(super) fn fresh_terms(&self, code: Code, reason: &str, now: UnixTime) -> Reply {
        let terms = |diagnosis: Option<&Diagnosis>| self.terms(code, reason, diagnosis, now);
        match &self.blame {
            Some(blame) if blame.cause != Cause::Trouble && !self.is_the_payers(blame) => {
                self.counted_for_network(blame, now, terms)
            }
            _ => terms(self.diagnosis(now).as_ref()),
        }
    }

    /// The route's terms for this request.
    pub(super) fn terms(
        &self,
        code: Code,
        reason: &str,
        diagnosis: Option<&Diagnosis>,
        now: UnixTime,
    ) -> Reply {
        let (key, digest) = (self.gate.keys.challenge(), self.body_digest());
        let (head, correlation) = (&self.head, self.correlation.as_str());
        let asked = ChallengeRequest { head, correlation, key, digest: digest.as_ref(), now };
        self.offer.challenge(&asked, code, reason, diagnosis)
    }

    /// Whether a failure is counted for the payer: not our trouble, and not an authorization that ended so long ago that
    /// others may have it from the chain.
    pub(super) fn is_the_payers(&self, blame: &FailureCause) -> bool {
        match blame.cause {
            Cause::Trouble => false,
            _ if !self.is_proven() => false,
            Cause::Expired => self.is_recent,
            _ => true,
        }
    }

    /// An answer that counts a failure for the client's network.
    pub(super) fn counted_for_network(
        &self,
        blame: &FailureCause,
        now: UnixTime,
        reply: impl FnOnce(Option<&Diagnosis>) -> Reply,
    ) -> Reply {
        let tally = self.network.clone().map(|mut tally| {
            tally.count(blame, now);
            tally
        });
        let failures = Failures::networks(tally.as_ref());
        let mut reply = reply(self.diagnosis_of(blame, failures, now).as_ref());
        reply.marks.failed = Some((blame.clone(), self.proof.account()));
        reply
    }

    /// Fresh terms, because this authorization ends too early, or the challenge that it answers has ended.
    pub(super) fn too_late(&self, now: UnixTime) -> Reply {
        let ended = match &self.protocol {
            Protocol::Mpp(answered) => answered.expires.is_some_and(|end| end <= now),
            Protocol::X402(_) => false,
        };
        let code = if ended { Code::ChallengeExpired } else { Code::Expired };
        self.fresh_terms(code, code.row().reason.unwrap_or_default(), now)
    }

    /// What is to say about the payment that came.
    pub(super) fn diagnosis(&self, now: UnixTime) -> Option<Diagnosis> {
        self.diagnosis_of(self.blame.as_ref()?, Failures::payers(self.tally.as_ref()), now)
    }

    pub(super) fn diagnosis_of(
        &self,
        blame: &FailureCause,
        failures: Failures<'_>,
        now: UnixTime,
    ) -> Option<Diagnosis> {
        let finding = Circumstances {
            blame,
            failures,
            consecutive_failures: self.consecutive_failures,
            correlation: &self.correlation,
        };
        Some(self.offer.diagnostics?.diagnose(finding, now))
    }

    /// The facilitator, or what it stands on, failed in this request.
    pub(super) fn trouble(&mut self) {
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        self.blame = Some(FailureCause { cause: Cause::Trouble, reason: String::new() });
    }

    /// The facilitator says why not.
    pub(super) fn failed_because(&mut self, reason: &str) {
        let blame = failure_of(reason);
        if blame.cause == Cause::Trouble {
            self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        }
        self.blame = Some(blame);
    }
}

/// What a facilitator's reason blames.
pub(super) fn failure_of(reason: &str) -> FailureCause {
    FailureCause { cause: reason::cause(reason), reason: reason::known(reason).unwrap_or_default() }
}
