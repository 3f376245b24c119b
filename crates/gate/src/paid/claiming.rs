//! The answer to a claim: begin, continue, wait, or hear what became of the payment.

use super::claim::Claim;
use super::parts::HeldMessage;
use super::recording::Abort;
use super::{Label, PaidRequest, Step};
use alloc::boxed::Box;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_common::problem::Code;
use farebox_ledger::command::{Answer, Failure, LedgerReply, Mode, Noted};
use farebox_wire::facilitator::funds::Debit;

/// Claims after the first one while too much is in flight: 4 × 500 ms let the client wait up to 2
/// seconds.
const RETRIES: u32 = 4;

/// Waits for the answer to a claim.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Claiming<'g> {
    pub(super) paid: Box<PaidRequest<'g>>,
    pub(super) tries: u32,
}

impl<'g> Claiming<'g> {
    /// Wallet and amount of the payment, so that the edge can check whether the wallet is known to
    /// be short; `None` once the object was asked, or if the chain settles.
    #[must_use]
    pub fn draft(&self) -> Option<Debit> {
        let paid = &self.paid;
        (!paid.row.claimed && paid.checked.proof.onchain.is_none()).then(|| paid.draft())
    }

    /// Ends the claim because the wallet was found short a moment ago: no payment begins and no row
    /// is written, but a payment made earlier is still served.
    pub fn recalled(self, reason: &str) -> Step<'g> {
        let mut paid = self.paid;
        paid.failed_because(reason);
        paid.failures.recalled = Some(reason.into());
        paid.resume()
    }

    /// Takes the reply to [`LedgerCall::block_query`](crate::call::LedgerCall::block_query):
    /// the newest block when the payment was claimed.
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.paid.saw(reply);
        self
    }

    /// Answers that the client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.paid.refuse(Code::RateLimited)
    }

    /// The payment in the log.
    #[must_use]
    pub fn label(&self) -> Label {
        self.paid.label()
    }

    /// Takes the object's reply, or `None` if it is down. A [`LedgerReply`] that names the row's
    /// receipt id sets it for every answer to the client and for the origin; without one, the id is
    /// derived from today's secret.
    pub fn answered(self, reply: Option<impl Into<LedgerReply>>, now: UnixTime) -> Step<'g> {
        let mut paid = self.paid;
        match paid.hear(reply, now).map(Claim::of) {
            None => paid.refuse(Code::LedgerUnavailable),
            Some(Ok(claim)) => {
                paid.row.owner = true;
                paid.row.first_sight.at = now;
                // Begun again: first sight was earlier, and only the row knows when. A repeat or
                // the alarm looks it up.
                paid.chain.inquired |= !claim.is_first();
                let verifies = paid.plan.mode == Mode::After || paid.asked.choice.verifies_first;
                match paid.has_room(now) || planted(Mutant::StaleRoom) {
                    false => paid.release(claim, Failure::NothingRan, Abort::TooLate),
                    true if verifies && !paid.plan.verified => paid.verify(Some(claim)),
                    true => paid.go_on(claim, now),
                }
            }
            Some(Err(Answer::Deliver(deliver))) => paid.deliver(deliver, now),
            Some(Err(Answer::Resend(resend))) => paid.send_again(resend),
            Some(Err(Answer::Replay(replay))) => paid.play(&replay),
            Some(Err(Answer::Absent)) if paid.move_on() => paid.claim(0),
            Some(Err(Answer::AskOther(rivals))) => paid.ask_other(rivals, HeldMessage::Claim),
            Some(Err(Answer::TooManyInFlight)) if self.tries < RETRIES => {
                paid.claim(self.tries.saturating_add(1))
            }
            // Paid, but the limits leave no room to serve it now: it is recorded and waits to be
            // fetched.
            Some(Err(answer @ (Answer::TooManyInFlight | Answer::Full)))
                if paid.checked.proof.was_sent() && !planted(Mutant::FullForgets) =>
            {
                let full = answer == Answer::Full;
                let code = if full { Code::RateLimited } else { Code::TooManyInFlight };
                paid.note(Noted::Paid, code)
            }
            Some(Err(answer)) => paid.ended(&answer, now),
        }
    }
}
