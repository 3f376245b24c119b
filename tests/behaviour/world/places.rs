//! Places for calls about unproven payments, as the edge requests them.

use farebox_core::facilitator::unproven::queue::Admittance;
use farebox_core::facilitator::unproven::{ASK_AGAIN_MS, MAX_TURNS, UnverifiedCaller};
use farebox_core::gate::paid::Step;

use super::{Running, World};

/// Whether a call may be made.
pub enum Turn {
    /// It is made now.
    Comes,
    /// It has its place, and hangs.
    Waits,
    /// There is no place for it.
    Refused,
}

impl World {
    /// Requests a place, for as long as an edge would.
    pub(super) fn place(
        &mut self,
        running: &mut Running,
        sender: Option<&UnverifiedCaller>,
    ) -> Turn {
        let Some((unproven, sender)) = self.unproven.as_mut().zip(sender) else {
            return Turn::Comes;
        };
        if running.is_placed {
            running.is_placed = false;
            return Turn::Comes;
        }
        let now = |ms: u64| farebox_core::time::UnixTime::from_secs(ms / 1000);
        let mut place = unproven.begin(sender, now(self.now_ms));
        for _ in 0..MAX_TURNS {
            let Admittance::Queued(ticket) = place else { break };
            self.now_ms += u64::from(ASK_AGAIN_MS);
            place = unproven.turn(sender, ticket, now(self.now_ms));
        }
        if let Admittance::Queued(ticket) = place {
            unproven.left(sender, ticket, now(self.now_ms));
        }
        if place != Admittance::Begun {
            return Turn::Refused;
        }
        running.is_placed = self.is_slow;
        if self.is_slow { Turn::Waits } else { Turn::Comes }
    }

    /// Ends the call.
    pub(super) fn ended(&mut self, sender: Option<&UnverifiedCaller>, then: &Step<'_>) {
        let now = self.now();
        if let Some((unproven, sender)) = self.unproven.as_mut().zip(sender) {
            unproven.ended(sender, then.verdict(), now);
        }
    }
}
