//! Verify and settle: the calls to the facilitator, and the meaning of its replies.

use crate::call::FacilitatorCall;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use super::claim::Claim;
use super::inquire::SettleReport;
use super::{Abort, DOUBT_SECS, PaidRequest, Step};
use crate::offer::VERIFY_SECS;
use crate::recorded::{network_of, outcome};
use farebox_base::amount::Amount;
use farebox_base::hash::sha256;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::payment::{Cause, OnChain};
use farebox_common::problem::Code;
use farebox_ledger::command::{Client, Failure, Mode, Outcome, Resend};
use farebox_wire::facilitator::funds::Debit;
use farebox_wire::facilitator::outcome::{VerifyOutcome, declines, verify_outcome};
use farebox_wire::facilitator::payers::{Caller, Evidence};
use farebox_wire::facilitator::reply::FacilitatorReply;
use farebox_wire::facilitator::unproven::{UnverifiedCaller, UnverifiedKind};
use farebox_wire::facilitator::wire::Expected;
use farebox_wire::x402::handed;

/// Milliseconds between an unknown outcome and its one re-send: a momentary fault may be over, and
/// the client waits no longer than it has to.
const RESEND_GAP_MS: u32 = 1_000;

/// The settle call of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The first one, after a claim.
    First,
    /// The one re-send that an unknown outcome allows.
    Again,
}

impl Attempt {
    /// Milliseconds that a re-send after this call waits.
    pub(super) const fn waited_ms(self) -> u32 {
        match self {
            Self::First => RESEND_GAP_MS,
            Self::Again => 0,
        }
    }
}

/// Waits for the answer to `verify`.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Verifying<'g> {
    paid: Box<PaidRequest<'g>>,
    /// `None` while the payment is unverified and nothing is written of it.
    claim: Option<Claim>,
}

/// Waits for the answer to `settle`.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Settling<'g> {
    paid: Box<PaidRequest<'g>>,
    claim: Claim,
    attempt: Attempt,
    expected: Expected,
}

impl<'g> PaidRequest<'g> {
    /// Asks whether the payment would be settled: before its claim if its signature is not proven.
    pub(super) fn verify(self: Box<Self>, claim: Option<Claim>) -> Step<'g> {
        if let Some(onchain) = self.checked.proof.onchain.clone() {
            return self.prove(onchain);
        }
        let call = FacilitatorCall {
            url: self.facilitator().verify_url(),
            body: self.checked.proof.request.clone(),
            secs: VERIFY_SECS,
            delay_ms: 0,
            guarded: true,
            draft: claim.is_some().then(|| self.draft()),
            client_deadline: None,
            caller: self.caller(match claim {
                Some(_) => Evidence::Signed,
                None => Evidence::Unproven,
            }),
            unproven: claim.is_none().then(|| self.sender()),
        };
        Step::Verify(call, Verifying { paid: self, claim })
    }

    /// The network of the client.
    fn client(&self) -> String {
        self.asked.request.network().into()
    }

    fn caller(&self, evidence: Evidence) -> Caller {
        let network = self.client();
        Caller { payer: self.checked.proof.payer_or(&network), network, evidence }
    }

    /// Proof of a payment that is being settled: in `after` it was verified before the origin was
    /// asked.
    fn evidence(&self) -> Evidence {
        match self.plan.mode == Mode::After || self.plan.verified {
            true => Evidence::Verified,
            false => Evidence::Signed,
        }
    }

    /// Rate-limit key for calls about an unverified payment: the client's network, never the
    /// account that the payment names.
    pub(super) fn sender(&self) -> UnverifiedCaller {
        let kind = match (&self.checked.proof.onchain, &self.checked.proof.payer) {
            (Some(_), _) => UnverifiedKind::Transaction,
            (None, Some(_)) => UnverifiedKind::Contract,
            (None, None) => UnverifiedKind::OtherChain,
        };
        let network = self.client();
        // Anyone may show the hash of a transaction.
        let sent = matches!(self.checked.proof.onchain, Some(OnChain::Sent { .. }));
        let payment = match planted(Mutant::LockByName) {
            true => Some(sha256(&[self.checked.proof.account().as_bytes()])),
            false if planted(Mutant::CopiesAreOne) => {
                (!sent).then(|| *self.checked.proof.key.as_bytes())
            }
            // With its signature: another one is another payment until one of them is proven.
            false => (!sent).then(|| sha256(&[self.checked.proof.request.as_bytes()])),
        };
        UnverifiedCaller { network, kind, payment }
    }

    pub(super) fn draft(&self) -> Debit {
        let (terms, payer) = (&self.asked.choice.terms, self.checked.proof.account());
        let wallet = format!("{payer} {} {}", terms.network, terms.asset);
        Debit { wallet, amount: terms.amount }
    }

    /// Handles a refusal by the facilitator or a node before anything was written. The payment may
    /// have been looked up before a copy of it began: it gets fresh terms only if the ledger still
    /// does not know it.
    pub(super) fn refused(mut self: Box<Self>, reason: &str, now: UnixTime) -> Step<'g> {
        self.failed_because(reason);
        // No payment changes whether a signature holds; any other cause may be a copy that has
        // paid meanwhile.
        let is_forged =
            self.failures.latest.as_ref().is_some_and(|failure| failure.cause == Cause::Signature);
        if is_forged || planted(Mutant::RefusedIsNew) {
            return Step::Respond(self.fresh_terms(Code::VerifyRefused, reason, now));
        }
        self.failures.recalled = Some(reason.to_owned());
        self.use_lookups(1);
        self.look_up()
    }

    /// Gives up the claim of a payment that the facilitator refuses.
    fn refused_claimed(mut self: Box<Self>, claim: Claim, reason: String) -> Step<'g> {
        self.failed_because(&reason);
        self.release(claim, Failure::NothingRan, Abort::Refused(reason))
    }

    /// Makes the first settle call; the request that holds the claim waits until it ends.
    pub(super) fn settle_first(self: Box<Self>, claim: Claim) -> Step<'g> {
        if let Some(onchain) = self.checked.proof.onchain.clone() {
            return self.settle_on_chain(claim, &onchain, Attempt::First);
        }
        let call = FacilitatorCall {
            url: self.facilitator().settle_url(),
            body: handed::charging(&self.checked.proof.request, Some(&self.amount().to_string())),
            secs: self.asked.offer.settings.settle_secs,
            delay_ms: 0,
            guarded: self.plan.mode == Mode::Before,
            draft: (self.plan.mode == Mode::Before).then(|| self.draft()),
            client_deadline: None,
            caller: self.caller(self.evidence()),
            unproven: None,
        };
        let expected = Expected { amount: self.amount(), ..self.checked.expected.clone() };
        Step::Settle(call, Settling { paid: self, claim, attempt: Attempt::First, expected })
    }

    /// Sends the same bytes to the same facilitator once more; the client waits for a limited time.
    pub(super) fn settle_again(
        mut self: Box<Self>,
        claim: Claim,
        Resend { facilitator, request, amount, .. }: &Resend,
        delay_ms: u32,
    ) -> Step<'g> {
        if let Some(onchain) = OnChain::read(facilitator, request) {
            return self.settle_on_chain(claim, &onchain, Attempt::Again);
        }
        let request = handed::charging(request, amount.as_deref());
        let patience = u32::try_from(DOUBT_SECS).unwrap_or(10).saturating_mul(1000);
        let mut expected = self.checked.expected.clone();
        expected.network = network_of(self.asked.choice.terms.network.as_str(), &request);
        let charged = handed::charged(&request).and_then(|text| Amount::from_atomic(text).ok());
        let held = self.row.held.filter(|_| !planted(Mutant::RowAsksForToday));
        expected.amount = charged.or(held).unwrap_or(expected.amount);
        // A repeat has not asked the origin: the row says what is charged.
        self.work.charged = self.work.charged.or(charged);
        let call = FacilitatorCall {
            url: format!("{facilitator}/settle"),
            body: request,
            secs: self.asked.offer.settings.settle_secs,
            delay_ms,
            guarded: false,
            draft: None,
            client_deadline: Some((patience, self.problem(Code::SettlementUnknown))),
            caller: self.caller(self.evidence()),
            unproven: None,
        };
        Step::Settle(call, Settling { paid: self, claim, attempt: Attempt::Again, expected })
    }

    /// Continues after the facilitator has verified the payment.
    pub(super) fn go_on(self: Box<Self>, claim: Claim, now: UnixTime) -> Step<'g> {
        match self.plan.mode {
            Mode::After => self.forward(claim, now),
            Mode::Before => self.settle_first(claim),
        }
    }

    /// Handles a facilitator that says nothing about this payment, so that nothing was submitted:
    /// asks the next one, if there is one.
    fn down(mut self: Box<Self>, claim: Option<Claim>, ending: Abort, now: UnixTime) -> Step<'g> {
        self.trouble();
        if let Some(claim) = claim {
            return self.release(claim, Failure::NothingRan, ending);
        }
        if self.plan.facilitators.len() > 1 && matches!(ending, Abort::Down) {
            self.plan.facilitators.remove(0);
            return self.verify(None);
        }
        self.end(ending, now)
    }

    /// Whether the facilitator that is asked now requires a key.
    fn shows_key(&self) -> bool {
        self.asked.gate.auth(&self.facilitator().verify_url()).takes_key()
    }

    /// Continues once the row says that money moved: serves the response at hand, or asks the
    /// origin now.
    pub(super) fn captured(self: Box<Self>, claim: Claim, now: UnixTime) -> Step<'g> {
        if self.work.response.is_some() { self.respond(claim) } else { self.forward(claim, now) }
    }
}

impl<'g> Verifying<'g> {
    /// Answers that the client's network has too many unverified payments under way.
    pub fn limited(self) -> Step<'g> {
        self.paid.refuse(Code::RateLimited)
    }

    /// Takes the facilitator's reply.
    pub fn answered(self, reply: &FacilitatorReply, now: UnixTime) -> Step<'g> {
        let Self { mut paid, claim } = self;
        let outcome = verify_outcome(reply, &paid.checked.expected);
        match (outcome, claim) {
            (VerifyOutcome::Valid, None) => {
                (paid.checked.signature, paid.plan.verified) = (SignatureCheck::Verified, true);
                paid.use_lookups(1);
                paid.ask_ledger()
            }
            (VerifyOutcome::Valid, Some(claim)) if paid.has_room(now) => paid.go_on(claim, now),
            // It had room when it arrived: the time was lost on this side.
            (VerifyOutcome::Valid, Some(claim)) => {
                paid.release(claim, Failure::NothingRan, Abort::TooLate)
            }
            (VerifyOutcome::Refused(reason), Some(claim)) => paid.refused_claimed(claim, reason),
            // The payment is unverified and has no row to look at, so a report that it was
            // submitted counts as a refusal.
            (VerifyOutcome::Refused(reason) | VerifyOutcome::Submitted(reason), None) => {
                paid.refused(&reason, now)
            }
            (VerifyOutcome::Submitted(_), Some(claim)) => paid.suspect(claim),
            (VerifyOutcome::KeyRefused, claim) if paid.shows_key() => {
                paid.down(claim, Abort::KeyRefused, now)
            }
            (VerifyOutcome::KeyRefused | VerifyOutcome::Unavailable, claim) => {
                paid.down(claim, Abort::Down, now)
            }
        }
    }
}

impl<'g> Settling<'g> {
    /// Takes the facilitator's reply; `client` says whether the client still waits.
    pub fn answered(self, reply: &FacilitatorReply, client: Waiting) -> Step<'g> {
        let Self { mut paid, claim, attempt, expected } = self;
        // Before the first call of `before` nothing was submitted. That is not certain of a sealed
        // request or a re-send.
        let first = attempt == Attempt::First && paid.plan.mode == Mode::Before;
        let unsent = match reply {
            FacilitatorReply::NotSent => Some(Abort::Down),
            FacilitatorReply::Unsigned if first => Some(Abort::KeyRefused),
            _ => None,
        };
        if let Some(ending) = unsent {
            paid.trouble();
            return paid.release(claim, Failure::NothingRan, ending);
        }
        if let FacilitatorReply::CachedRefusal(reason) = reply {
            paid.failed_because(reason);
            return paid.release(claim, Failure::NothingRan, Abort::Refused(reason.clone()));
        }
        let result = outcome(reply, &expected);
        if let Outcome::Settled(text) = &result {
            paid.work.transaction = paid.named(text);
        }
        let client = match (client, attempt) {
            (Waiting::No, _) => Client::Answered,
            (Waiting::Yes, Attempt::First) => Client::WaitsForMore,
            (Waiting::Yes, Attempt::Again) => Client::Waits,
        };
        let report = SettleReport { claim, attempt, client };
        match (&result, paid.work.transaction) {
            (Outcome::Settled(_), Some(named))
                if paid.asked.offer.settings.confirms
                    && !paid.is_deferred()
                    && !planted(Mutant::WordIsChain) =>
            {
                paid.confirm(named, report)
            }
            (Outcome::Settled(_), Some(named)) => paid.take(named, report),
            (Outcome::Unknown(None), _) if first && declines(reply) && paid.reads_chain() => {
                paid.look_at_funds(report)
            }
            _ => paid.report(result, report),
        }
    }
}

/// Whether the client still waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It does.
    Yes,
    /// It was answered already.
    No,
}
