//! Statements to the client: about the money in an answer, and about a failure of a payment with a
//! good signature, with whose fault it is and where it is counted.

use alloc::string::{String, ToString};

use super::PaidRequest;
use crate::attempts::handle::NewHandle;
use crate::checked::Protocol;
use crate::diagnose::{Circumstances, Diagnosis, Failures};
use crate::reply::Reply;
use crate::request::IncomingRequest;
use crate::template::ChallengeRequest;
use farebox_base::time::UnixTime;
use farebox_common::payment::{Cause, Receipt, TxHash};
use farebox_common::problem::Code;
use farebox_ledger::attempts::FailureCause;
use farebox_wire::facilitator::reason;
use farebox_wire::mpp;
use farebox_wire::mpp::charge::METHOD;
use farebox_wire::x402::extension::offer_receipt;
use farebox_wire::x402::{Version, header, v2};

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
        let (key, digest) = (self.asked.parts.keys.challenge(), self.asked.body.digest());
        let IncomingRequest { head, correlation } = &self.asked.request;
        let asked = ChallengeRequest { head, correlation, key, digest: digest.as_ref(), now };
        match self.asked.parts.payers.restore.open_ways(&self.asked.offer, now) {
            Ok(offer) => offer.challenge(&asked, code, reason, diagnosis),
            Err(wait) => Reply::closed(correlation, wait),
        }
    }

    /// Whether a failure is counted for the payer: not trouble on the gate's side, and not of an
    /// authorization that others may have from the chain.
    pub(super) fn is_the_payers(&self, failure: &FailureCause) -> bool {
        failure.cause != Cause::Trouble && self.is_proven() && self.failures.is_private
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
        let (keys, fresh) = (self.asked.parts.keys, &self.asked.request.head.fresh);
        let handle = NewHandle { keys, fresh };
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

    /// Adds the protocol's statement about a payment that was not served. MPP has none: its
    /// receipts are for successes alone.
    pub(super) fn settlement(&self, reply: Reply) -> Reply {
        match self.checked.protocol {
            Protocol::X402(version) => self.settled(reply, version, None),
            Protocol::Mpp(_) => reply,
        }
    }

    /// Adds the protocol's statement to an answer that serves the payment, from version 2 of x402
    /// on with a signed receipt.
    pub(super) fn settlement_served(&self, reply: Reply) -> Reply {
        match &self.checked.protocol {
            Protocol::X402(Version::V1) => self.settled(reply, Version::V1, None),
            Protocol::X402(Version::V2) => {
                let signed =
                    self.receipt().and_then(|receipt| self.asked.parts.keys.sign_receipt(&receipt));
                self.settled(reply, Version::V2, signed.as_ref().map(offer_receipt::extensions))
            }
            Protocol::Mpp(answered) => {
                let Some(transaction) = self.work.transaction else { return reply };
                let receipt = mpp::receipt::Receipt {
                    method: METHOD,
                    reference: &transaction.to_text(),
                    timestamp: self.work.served,
                    challenge_id: Some(&answered.id),
                    chain_id: Some(answered.chain_id),
                    external_id: Some(answered.external_id.as_str()).filter(|id| !id.is_empty()),
                };
                reply.with(mpp::receipt::HEADER, &receipt.to_header())
            }
        }
    }

    /// Adds the protocol's statement about a settlement that was certainly refused. MPP has none.
    pub(super) fn settlement_refused(&self, reply: Reply, reason: &str) -> Reply {
        match self.checked.protocol {
            Protocol::X402(version) => self.state(reply, version, Some(reason), None),
            Protocol::Mpp(_) => reply,
        }
    }

    /// Adds the protocol's statement to an answer that costs nothing.
    pub(super) fn settlement_nothing(&self, mut reply: Reply) -> Reply {
        reply.marks.served = true;
        match self.checked.protocol {
            Protocol::X402(version) => self.state(reply, version, None, None),
            Protocol::Mpp(_) => reply,
        }
    }

    fn settled(&self, reply: Reply, version: Version, extensions: Option<String>) -> Reply {
        match self.work.transaction {
            Some(_) => self.state(reply, version, None, extensions),
            None => reply,
        }
    }

    /// The receipt that a payer may show to others once served; `None` without a transaction.
    fn receipt(&self) -> Option<Receipt> {
        let terms = &self.asked.choice.terms;
        Some(Receipt {
            id: self.row.receipt.clone(),
            route: self.asked.offer.settings.route.clone(),
            resource_url: self.asked.request.head.url.clone(),
            payer: self.payer_text(),
            network: terms.network.to_string(),
            asset: terms.asset.clone(),
            amount: self.moved(),
            pay_to: terms.pay_to.clone(),
            transaction: self.work.transaction?,
            issued_at: self.work.served,
        })
    }

    /// Adds the settlement, refused for a reason or done, with the transaction if there is one.
    fn state(
        &self,
        reply: Reply,
        version: Version,
        reason: Option<&str>,
        extensions: Option<String>,
    ) -> Reply {
        let transaction = self.work.transaction.filter(|_| reason.is_none());
        let response = v2::SettleResponse {
            success: reason.is_none(),
            error_reason: reason,
            payer: &self.payer_text(),
            transaction: transaction.as_ref().map_or("", TxHash::on_wire),
            status: (transaction == Some(TxHash::PENDING)).then_some("pending"),
            network: &self.checked.expected.network,
            amount: self.work.charged.map(|charged| charged.to_string()),
        };
        let value = header::encode(&response.to_json(extensions.as_deref()));
        reply.with(version.settlement_header(), &value)
    }
}

/// The cause of failure named by a facilitator's reason.
pub(super) fn failure_of(reason: &str) -> FailureCause {
    FailureCause { cause: reason::cause(reason), reason: reason::known(reason).unwrap_or_default() }
}
