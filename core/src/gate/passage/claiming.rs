//! The answer to a claim: begin, continue, wait, or hear what became of the payment.

use alloc::boxed::Box;
use alloc::string::String;

use super::recording::Ending;
use super::{Passage, Step};
use crate::facilitator::funds::Draft;
use crate::ledger::command::{Answer, Failure, Mode, Noted, Told};
use crate::ledger::entry::FIRST_FENCE;
use crate::mutant::{Mutant, planted};
use crate::problem::Code;
use crate::time::UnixTime;

/// Tries after the first one: up to 2 seconds.
const RETRIES: u32 = 4;

/// Waits for the answer to a claim.
pub struct Claiming<'g> {
    pub(super) passage: Box<Passage<'g>>,
    pub(super) tries: u32,
}

impl<'g> Claiming<'g> {
    /// What the payment would take from whom, where it may be known that it is not there.
    #[must_use]
    pub fn draft(&self) -> Option<Draft> {
        let passage = &self.passage;
        (!passage.claimed && passage.proof.onchain.is_none()).then(|| passage.draft())
    }

    /// The wallet was found too empty a moment ago: nothing begins and nothing is written, and what was paid for is still given.
    pub fn recalled(self, reason: &str) -> Step<'g> {
        let mut passage = self.passage;
        passage.blames(reason);
        passage.recalled = Some(reason.into());
        passage.resume()
    }

    /// The reply to `Call::beside`: the newest block when the payment was claimed.
    #[must_use]
    pub fn saw(mut self, reply: Option<&[u8]>) -> Self {
        self.passage.saw(reply);
        self
    }

    /// The client's network has asked too often.
    pub fn limited(self) -> Step<'g> {
        self.passage.refuse(Code::RateLimited)
    }

    /// For the log: the payment key's prefix and the route.
    #[must_use]
    pub fn label(&self) -> (String, String) {
        self.passage.label()
    }

    /// The object's answer, or none if it is down. A [`Told`] that names the row's receipt id keeps it for every
    /// answer to the client and for the origin; without, the id is derived from today's secret.
    pub fn answered(self, told: Option<impl Into<Told>>, now: UnixTime) -> Step<'g> {
        let mut passage = self.passage;
        match passage.hear(told, now) {
            None => passage.refuse(Code::LedgerUnavailable),
            Some(Answer::Granted { fence }) => {
                passage.fence = fence;
                passage.owner = true;
                passage.seen.at = now;
                // Begun again: first sight was earlier, and only the row knows when. A repeat or the alarm asks.
                passage.inquired |= fence != FIRST_FENCE;
                let verifies = passage.mode == Mode::After || passage.choice.verifies_first;
                match passage.has_room(now) || planted(Mutant::StaleRoom) {
                    false => passage.release(Failure::NothingRan, Ending::TooLate),
                    true if verifies && !passage.verified => passage.verify(),
                    true => passage.go_on(now),
                }
            }
            Some(Answer::Deliver(deliver)) => passage.deliver(deliver, now),
            Some(Answer::Resend(resend)) => passage.send_again(resend),
            Some(Answer::Replay(replay)) => passage.play(&replay),
            Some(Answer::Absent) if passage.move_on() => passage.claim(0),
            Some(Answer::TooManyInFlight) if self.tries < RETRIES => {
                passage.claim(self.tries.saturating_add(1))
            }
            // Paid, and there is no place to serve it now: it waits to be fetched.
            Some(answer @ (Answer::TooManyInFlight | Answer::Full))
                if passage.proof.was_sent() && !planted(Mutant::FullForgets) =>
            {
                let full = answer == Answer::Full;
                let code = if full { Code::RateLimited } else { Code::TooManyInFlight };
                passage.note(Noted::Paid, code)
            }
            Some(answer) => passage.ended(&answer, now),
        }
    }
}
