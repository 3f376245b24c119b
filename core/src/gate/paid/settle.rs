//! Verify and settle: the calls to the facilitator, and the meaning of its replies.

use crate::gate::call::FacilitatorCall;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use super::inquire::SettleReport;
use super::{Abort, DOUBT_SECS, PaidRequest, Step};
use crate::facilitator::funds::Debit;
use crate::facilitator::reply::Reply as Wire;
use crate::facilitator::unproven::{UnverifiedCaller, UnverifiedKind};
use crate::facilitator::wire::{Expected, VerifyOutcome, verify_outcome};
use crate::gate::keys::sha256;
use crate::gate::limit::client_prefix;
use crate::gate::offer::VERIFY_SECS;
use crate::gate::recorded::{network_of, outcome};
use crate::ledger::command::{Client, Failure, Mode, Outcome};
use crate::mutant::{Mutant, planted};
use crate::payment::authorization::SignatureCheck;
use crate::payment::{Cause, OnChain};
use crate::problem::Code;
use crate::time::UnixTime;

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
pub struct Verifying<'g>(Box<PaidRequest<'g>>);

/// Waits for the answer to `settle`.
pub struct Settling<'g> {
    paid: Box<PaidRequest<'g>>,
    turn: Attempt,
    expected: Expected,
}

impl<'g> PaidRequest<'g> {
    pub(super) fn verify(self: Box<Self>) -> Step<'g> {
        if let Some(onchain) = self.proof.onchain.clone() {
            return self.prove(onchain);
        }
        let call = FacilitatorCall {
            url: self.facilitator().verify_url(),
            body: self.proof.request.clone(),
            secs: VERIFY_SECS,
            delay_ms: 0,
            guarded: true,
            draft: Some(self.draft()).filter(|_| self.signature == SignatureCheck::Verified),
            client_deadline: None,
            client: self.client(),
            unproven: (self.signature == SignatureCheck::Deferred).then(|| self.sender()),
        };
        Step::Verify(call, Verifying(self))
    }

    /// The network of the client.
    fn client(&self) -> String {
        client_prefix(self.head.headers.get("cf-connecting-ip")).into()
    }

    /// Rate-limit key for calls about an unverified payment: the client's network, never the
    /// account that the payment names.
    pub(super) fn sender(&self) -> UnverifiedCaller {
        let kind = match (&self.proof.onchain, &self.proof.payer) {
            (Some(_), _) => UnverifiedKind::Transaction,
            (None, Some(_)) => UnverifiedKind::Contract,
            (None, None) => UnverifiedKind::OtherChain,
        };
        let network = self.client();
        // Anyone may show the hash of a transaction.
        let sent = matches!(self.proof.onchain, Some(OnChain::Sent { .. }));
        let payment = match planted(Mutant::LockByName) {
            true => Some(sha256(&[self.proof.account().as_bytes()])),
            false => (!sent).then(|| *self.proof.key.as_bytes()),
        };
        UnverifiedCaller { network, kind, payment }
    }

    pub(super) fn draft(&self) -> Debit {
        let (terms, payer) = (&self.choice.terms, self.proof.account());
        let wallet = format!("{payer} {} {}", terms.network, terms.asset);
        Debit { wallet, amount: terms.amount }
    }

    /// Handles a refusal by the facilitator or a node before anything was submitted. An unverified
    /// payment may have been looked up before a copy of it began: it gets fresh terms only if the
    /// ledger still does not know it.
    pub(super) fn refused(mut self: Box<Self>, reason: &str, now: UnixTime) -> Step<'g> {
        self.failed_because(reason);
        if self.signature == SignatureCheck::Deferred {
            // No payment changes whether a signature holds; any other cause may be a copy that has
            // paid meanwhile.
            let is_forged =
                self.blame.as_ref().is_some_and(|blame| blame.cause == Cause::Signature);
            if is_forged || planted(Mutant::RefusedIsNew) {
                return Step::Respond(self.fresh_terms(Code::VerifyRefused, reason, now));
            }
            self.recalled = Some(reason.to_owned());
            self.use_lookups(1);
            return self.look_up();
        }
        self.release(Failure::NothingRan, Abort::Refused(reason.to_owned()))
    }

    /// Makes the first settle call; the request that holds the claim waits until it ends.
    pub(super) fn settle_first(self: Box<Self>) -> Step<'g> {
        if let Some(onchain) = self.proof.onchain.clone() {
            return self.settle_on_chain(&onchain, Attempt::First);
        }
        let call = FacilitatorCall {
            url: self.facilitator().settle_url(),
            body: self.proof.request.clone(),
            secs: self.offer.settle_secs,
            delay_ms: 0,
            guarded: self.mode == Mode::Before,
            draft: (self.mode == Mode::Before).then(|| self.draft()),
            client_deadline: None,
            client: self.client(),
            unproven: None,
        };
        let expected = self.expected.clone();
        Step::Settle(call, Settling { paid: self, turn: Attempt::First, expected })
    }

    /// Sends the same bytes to the same facilitator once more; the client waits for a limited time.
    pub(super) fn settle_again(
        self: Box<Self>,
        facilitator: &str,
        request: String,
        delay_ms: u32,
    ) -> Step<'g> {
        if let Some(onchain) = OnChain::read(facilitator, &request) {
            return self.settle_on_chain(&onchain, Attempt::Again);
        }
        let patience = u32::try_from(DOUBT_SECS).unwrap_or(10).saturating_mul(1000);
        let mut expected = self.expected.clone();
        expected.network = network_of(self.choice.terms.network.as_str(), &request);
        let call = FacilitatorCall {
            url: format!("{facilitator}/settle"),
            body: request,
            secs: self.offer.settle_secs,
            delay_ms,
            guarded: false,
            draft: None,
            client_deadline: Some((patience, self.problem(Code::SettlementUnknown))),
            client: self.client(),
            unproven: None,
        };
        Step::Settle(call, Settling { paid: self, turn: Attempt::Again, expected })
    }

    /// Continues after the facilitator has verified the payment.
    pub(super) fn go_on(self: Box<Self>, now: UnixTime) -> Step<'g> {
        match self.mode {
            Mode::After => self.forward(now),
            Mode::Before => self.settle_first(),
        }
    }

    /// Handles a facilitator that says nothing about this payment, so that nothing was submitted:
    /// asks the next one, if there is one.
    fn down(mut self: Box<Self>, ending: Abort, now: UnixTime) -> Step<'g> {
        self.trouble();
        if self.signature == SignatureCheck::Verified {
            return self.release(Failure::NothingRan, ending);
        }
        if self.facilitators.len() > 1 && matches!(ending, Abort::Down) {
            self.facilitators.remove(0);
            return self.verify();
        }
        self.end(ending, now)
    }

    /// Whether the facilitator that is asked now requires a key.
    fn shows_key(&self) -> bool {
        self.gate.auth(&self.facilitator().verify_url()).takes_key()
    }

    /// Continues once the row says that money moved: serves the response at hand, or asks the
    /// origin now.
    pub(super) fn captured(self: Box<Self>, now: UnixTime) -> Step<'g> {
        if self.response.is_some() { self.respond() } else { self.forward(now) }
    }
}

impl<'g> Verifying<'g> {
    /// Answers that the client's network has too many unverified payments under way.
    pub fn limited(self) -> Step<'g> {
        self.0.refuse(Code::RateLimited)
    }

    /// Takes the facilitator's reply.
    pub fn answered(self, reply: &Wire, now: UnixTime) -> Step<'g> {
        let mut paid = self.0;
        let outcome = verify_outcome(reply, &paid.expected);
        match outcome {
            VerifyOutcome::Valid if paid.signature == SignatureCheck::Deferred => {
                (paid.signature, paid.verified) = (SignatureCheck::Verified, true);
                paid.use_lookups(1);
                paid.ask_ledger()
            }
            VerifyOutcome::Valid if paid.has_room(now) => paid.go_on(now),
            // It had room when it arrived: the time was lost on this side.
            VerifyOutcome::Valid => paid.release(Failure::NothingRan, Abort::TooLate),
            VerifyOutcome::Refused(reason) => paid.refused(&reason, now),
            // The payment is unverified and has no row to look at, so a claim that it was submitted
            // counts as a refusal.
            VerifyOutcome::Submitted(reason) if paid.signature == SignatureCheck::Deferred => {
                paid.refused(&reason, now)
            }
            VerifyOutcome::Submitted(_) => paid.suspect(),
            VerifyOutcome::KeyRefused | VerifyOutcome::Unavailable => {
                let key = outcome == VerifyOutcome::KeyRefused && paid.shows_key();
                paid.down(if key { Abort::KeyRefused } else { Abort::Down }, now)
            }
        }
    }
}

impl<'g> Settling<'g> {
    /// Takes the facilitator's reply; `client` says whether the client still waits.
    pub fn answered(self, reply: &Wire, client: Waiting) -> Step<'g> {
        let mut paid = self.paid;
        // Before the first call of `before` nothing was submitted. That is not certain of a sealed
        // request or a re-send.
        let first = self.turn == Attempt::First && paid.mode == Mode::Before;
        let unsent = match reply {
            Wire::NotSent => Some(Abort::Down),
            Wire::Unsigned if first => Some(Abort::KeyRefused),
            _ => None,
        };
        if let Some(ending) = unsent {
            paid.trouble();
            return paid.release(Failure::NothingRan, ending);
        }
        if let Wire::CachedRefusal(reason) = reply {
            paid.failed_because(reason);
            return paid.release(Failure::NothingRan, Abort::Refused(reason.clone()));
        }
        let result = outcome(reply, &self.expected);
        if let Outcome::Settled(text) = &result {
            paid.transaction = paid.named(text);
        }
        let client = match (client, self.turn) {
            (Waiting::No, _) => Client::Answered,
            (Waiting::Yes, Attempt::First) => Client::WaitsForMore,
            (Waiting::Yes, Attempt::Again) => Client::Waits,
        };
        let told = SettleReport { turn: self.turn, client };
        match (&result, paid.transaction) {
            (Outcome::Settled(_), Some(named))
                if paid.offer.confirms && !planted(Mutant::WordIsChain) =>
            {
                paid.confirm(named, told)
            }
            (Outcome::Settled(_), Some(named)) => paid.take(named, told),
            _ => paid.report(result, told),
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
