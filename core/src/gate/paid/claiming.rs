//! The answer to a claim: begin, continue, wait, or hear what became of the payment.

use alloc::boxed::Box;
use alloc::string::String;

use super::recording::Abort;
use super::{PaidRequest, Step};
use crate::facilitator::funds::Debit;
use crate::ledger::command::{Answer, Failure, LedgerReply, Mode, Noted};
use crate::ledger::entry::FIRST_FENCE;
use crate::mutant::{Mutant, planted};
use crate::problem::Code;
use crate::time::UnixTime;

/// Tries after the first one: up to 2 seconds.
const RETRIES: u32 = 4;

/// Waits for the answer to a claim.
pub struct Claiming<'g> {
    pub(super) paid: Box<PaidRequest<'g>>,
    pub(super) tries: u32,
}

impl<'g> Claiming<'g> {
    /// What the payment would take from whom, where it may be known that it is not there.
    #[must_use]
    pub fn draft(&self) -> Option<Debit> {
        let paid = &self.paid;
        (!paid.claimed && paid.proof.onchain.is_none()).then(|| paid.draft())
    }

    /// The wallet was found too empty a moment ago: nothing begins and nothing is written, and what was paid for is still given.
    pub fn recalled(self, reason: &str) -> Step<'g> {
        let mut paid = self.paid;
        paid.failed_because(reason);
        paid.recalled = Some(reason.into());
        paid.resume()
    }

    /// The reply to `Call::block_query`: the newest block when the payment was claimed.
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.paid.saw(reply);
        self
    }

    /// The client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.paid.refuse(Code::RateLimited)
    }

    /// For the log: the payment key's prefix and the route.
    #[must_use]
    pub fn label(&self) -> (String, String) {
        self.paid.label()
    }

    /// The object's answer, or none if it is down. A [`LedgerReply`] that names the row's receipt id keeps it for every
    /// answer to the client and for the origin; without, the id is derived from today's secret.
    pub fn answered(self, told: Option<impl Into<LedgerReply>>, now: UnixTime) -> Step<'g> {
        let mut paid = self.paid;
        match paid.hear(told, now) {
            None => paid.refuse(Code::LedgerUnavailable),
            Some(Answer::Granted { fence }) => {
                paid.fence = fence;
                paid.owner = true;
                paid.seen.at = now;
                // Begun again: first sight was earlier, and only the row knows when. A repeat or the alarm asks.
                paid.inquired |= fence != FIRST_FENCE;
                let verifies = paid.mode == Mode::After || paid.choice.verifies_first;
                match paid.has_room(now) || planted(Mutant::StaleRoom) {
                    false => paid.release(Failure::NothingRan, Abort::TooLate),
                    true if verifies && !paid.verified => paid.verify(),
                    true => paid.go_on(now),
                }
            }
            Some(Answer::Deliver(deliver)) => paid.deliver(deliver, now),
            Some(Answer::Resend(resend)) => paid.send_again(resend),
            Some(Answer::Replay(replay)) => paid.play(&replay),
            Some(Answer::Absent) if paid.move_on() => paid.claim(0),
            Some(Answer::TooManyInFlight) if self.tries < RETRIES => {
                paid.claim(self.tries.saturating_add(1))
            }
            // Paid, and there is no place to serve it now: it waits to be fetched.
            Some(answer @ (Answer::TooManyInFlight | Answer::Full))
                if paid.proof.was_sent() && !planted(Mutant::FullForgets) =>
            {
                let full = answer == Answer::Full;
                let code = if full { Code::RateLimited } else { Code::TooManyInFlight };
                paid.note(Noted::Paid, code)
            }
            Some(answer) => paid.ended(&answer, now),
        }
    }
}
