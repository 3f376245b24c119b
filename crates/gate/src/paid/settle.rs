//! Verify and settle: the calls to the facilitator, and the meaning of its replies.

use crate::call::FacilitatorCall;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use super::claim::Claim;
use super::inquire::{SettleReport, Taking};
use super::origin::Forwarding;
use super::recording::{Abort, Recording, end};
use super::{DOUBT_SECS, PaidRequest, Step};
use crate::offer::VERIFY_SECS;
use crate::recorded::{network_of, outcome};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::payment::{Cause, OnChain};
use farebox_common::problem::Code;
use farebox_ledger::command::{Client, Failure, Mode, Outcome, Resend};
use farebox_wire::facilitator::outcome::{VerifyOutcome, declines, verify_outcome};
use farebox_wire::facilitator::payers::{Caller, Evidence};
use farebox_wire::facilitator::reply::FacilitatorReply;
use farebox_wire::facilitator::wire::Expected;
use farebox_wire::x402::extension::gas_sponsoring;
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

impl<'g> Verifying<'g> {
    /// Asks whether the payment would be settled: before its claim if its signature is not proven.
    pub(super) fn begin(paid: Box<PaidRequest<'g>>, claim: Option<Claim>) -> Step<'g> {
        if let Some(onchain) = paid.checked.proof.onchain.clone() {
            return paid.prove(onchain);
        }
        let (url, body) = (paid.facilitator().verify_url(), paid.checked.proof.request.clone());
        let caller = caller(
            &paid,
            match claim {
                Some(_) if gas_sponsoring::is_beside(&body) => Evidence::BesidePermit,
                Some(_) => Evidence::Signed,
                None => Evidence::Unproven,
            },
        );
        let call = FacilitatorCall {
            guarded: true,
            draft: claim.is_some().then(|| paid.draft()),
            unproven: claim.is_none().then(|| paid.sender()),
            ..FacilitatorCall::new(url, body, VERIFY_SECS, caller)
        };
        Step::Verify(call, Self { paid, claim })
    }

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
            (VerifyOutcome::Valid, Some(claim)) if paid.has_room(now) => go_on(paid, claim, now),
            // It had room when it arrived: the time was lost on this side.
            (VerifyOutcome::Valid, Some(claim)) => {
                Recording::release(paid, claim, Failure::NothingRan, Abort::TooLate)
            }
            (VerifyOutcome::Refused(reason), Some(claim)) => give_up(paid, claim, reason),
            // The payment is unverified and has no row to look at, so a report that it was
            // submitted counts as a refusal.
            (VerifyOutcome::Refused(reason) | VerifyOutcome::Submitted(reason), None) => {
                take_refusal(paid, &reason, now)
            }
            (VerifyOutcome::Submitted(_), Some(claim)) => Recording::suspect(paid, claim),
            (VerifyOutcome::KeyRefused, claim) if shows_key(&paid) => {
                pass_on(paid, claim, Abort::KeyRefused, now)
            }
            (VerifyOutcome::KeyRefused | VerifyOutcome::Unavailable, claim) => {
                pass_on(paid, claim, Abort::Down, now)
            }
        }
    }
}

impl<'g> Settling<'g> {
    /// Makes the first settle call; the request that holds the claim waits until it ends.
    pub(super) fn begin(paid: Box<PaidRequest<'g>>, claim: Claim) -> Step<'g> {
        if let Some(onchain) = paid.checked.proof.onchain.clone() {
            return paid.settle_on_chain(claim, &onchain, Attempt::First);
        }
        let body = handed::charging(&paid.checked.proof.request, Some(&paid.amount().to_string()));
        let guarded = paid.plan.mode == Mode::Before;
        let call = FacilitatorCall {
            guarded,
            draft: guarded.then(|| paid.draft()),
            ..settle_call(&paid, paid.facilitator().settle_url(), body)
        };
        let expected = Expected { amount: paid.amount(), ..paid.checked.expected.clone() };
        Step::Settle(call, Self { paid, claim, attempt: Attempt::First, expected })
    }

    /// Sends the same bytes to the same facilitator once more; the client waits for a limited time.
    pub(super) fn begin_again(
        mut paid: Box<PaidRequest<'g>>,
        claim: Claim,
        Resend { facilitator, request, amount, .. }: &Resend,
        delay_ms: u32,
    ) -> Step<'g> {
        if let Some(onchain) = OnChain::read(facilitator, request) {
            return paid.settle_on_chain(claim, &onchain, Attempt::Again);
        }
        let request = handed::charging(request, amount.as_deref());
        let patience = u32::try_from(DOUBT_SECS).unwrap_or(10).saturating_mul(1000);
        let mut expected = paid.checked.expected.clone();
        expected.network = network_of(paid.asked.choice.terms.network.as_str(), &request);
        let charged = handed::charged(&request).and_then(|text| Amount::from_atomic(text).ok());
        expected.amount = charged.or(paid.row.held).unwrap_or(expected.amount);
        // A repeat has not asked the origin: the row says what is charged.
        paid.work.charged = paid.work.charged.or(charged);
        let call = FacilitatorCall {
            delay_ms,
            client_deadline: Some((patience, paid.problem(Code::SettlementUnknown))),
            ..settle_call(&paid, format!("{facilitator}/settle"), request)
        };
        Step::Settle(call, Self { paid, claim, attempt: Attempt::Again, expected })
    }

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
            return Recording::release(paid, claim, Failure::NothingRan, ending);
        }
        if let FacilitatorReply::CachedRefusal(reason) = reply {
            paid.failed_because(reason);
            return Recording::release(
                paid,
                claim,
                Failure::NothingRan,
                Abort::Refused(reason.clone()),
            );
        }
        let result = outcome(reply, &expected);
        if let Outcome::Settled(text) = &result {
            paid.work.transaction = paid.named(text);
        }
        if client == Waiting::No {
            // What the chain shows now is for nobody here: the alarm finds it, and it waits to be
            // fetched.
            paid.chain.inquired = true;
        }
        let client = match (client, attempt) {
            (Waiting::No, _) => Client::Answered,
            (Waiting::Yes, Attempt::First) => Client::WaitsForMore,
            (Waiting::Yes, Attempt::Again) => Client::Waits,
        };
        let report = SettleReport { claim, attempt, client };
        match (&result, paid.work.transaction) {
            (Outcome::Settled(_), Some(named))
                if paid.asked.offer.settings.confirms && !paid.is_deferred() =>
            {
                paid.confirm(named, report)
            }
            (Outcome::Settled(_), Some(named)) => Taking::begin(paid, named, report),
            (Outcome::Unknown(None), _) if first && declines(reply) && paid.reads_chain() => {
                paid.look_at_funds(report)
            }
            _ => paid.report(result, report),
        }
    }
}

fn caller(paid: &PaidRequest<'_>, evidence: Evidence) -> Caller {
    let network = String::from(paid.asked.request.network());
    Caller { payer: paid.checked.proof.payer_or(&network), network, evidence }
}

fn settle_call(paid: &PaidRequest<'_>, url: String, body: String) -> FacilitatorCall {
    // In `after` it was verified before the origin was asked.
    let evidence = match paid.plan.mode == Mode::After || paid.plan.verified {
        true => Evidence::Verified,
        false => Evidence::Signed,
    };
    let secs = paid.asked.offer.settings.settle_secs;
    FacilitatorCall::new(url, body, secs, caller(paid, evidence))
}

/// Continues after the facilitator has verified the payment.
pub(super) fn go_on<'g>(paid: Box<PaidRequest<'g>>, claim: Claim, now: UnixTime) -> Step<'g> {
    match paid.plan.mode {
        Mode::After => Forwarding::begin(paid, claim, now),
        Mode::Before => Settling::begin(paid, claim),
    }
}

/// Handles a facilitator that says nothing about this payment, so that nothing was submitted:
/// asks the next one, if there is one.
fn pass_on<'g>(
    mut paid: Box<PaidRequest<'g>>,
    claim: Option<Claim>,
    ending: Abort,
    now: UnixTime,
) -> Step<'g> {
    paid.trouble();
    if let Some(claim) = claim {
        return Recording::release(paid, claim, Failure::NothingRan, ending);
    }
    if paid.plan.facilitators.len() > 1 && matches!(ending, Abort::Down) {
        paid.plan.facilitators.remove(0);
        return Verifying::begin(paid, None);
    }
    end(&paid, ending, now)
}

/// Handles a refusal by the facilitator or a node before anything was written. The payment may
/// have been looked up before a copy of it began: it gets fresh terms only if the ledger still
/// does not know it.
pub(super) fn take_refusal<'g>(
    mut paid: Box<PaidRequest<'g>>,
    reason: &str,
    now: UnixTime,
) -> Step<'g> {
    paid.failed_because(reason);
    // No payment changes whether a signature holds; any other cause may be a copy that has
    // paid meanwhile.
    let is_forged =
        paid.failures.latest.as_ref().is_some_and(|failure| failure.cause == Cause::Signature);
    if is_forged {
        return Step::Respond(paid.fresh_terms(Code::VerifyRefused, reason, now));
    }
    paid.failures.recalled = Some(reason.to_owned());
    paid.use_lookups(1);
    paid.look_up()
}

/// Gives up the claim of a payment that the facilitator refuses.
fn give_up<'g>(mut paid: Box<PaidRequest<'g>>, claim: Claim, reason: String) -> Step<'g> {
    paid.failed_because(&reason);
    Recording::release(paid, claim, Failure::NothingRan, Abort::Refused(reason))
}

/// Whether the facilitator that is asked now requires a key.
fn shows_key(paid: &PaidRequest<'_>) -> bool {
    let settler = paid.asked.parts.settlement.at(&paid.facilitator().verify_url());
    settler.is_some_and(|settler| settler.auth.takes_key())
}

/// Whether the client still waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It does.
    Yes,
    /// It was answered already.
    No,
}
