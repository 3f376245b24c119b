//! Held money that does not go its way: from when on a person has to look into it.

use super::row::{HoldRow, HoldState, Leave};

/// Looks at money that does not move after which a person has to: those of three minutes.
const MANY_LOOKS: u32 = 10;
/// How often the gate is told of a refund before its operator has to look.
pub(super) const MAX_REPORTS: u32 = 16;

/// A trouble with money that a person has to look into: to ask again has not helped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StuckMoney {
    /// The treasury does not register it in the escrow contract.
    Registration,
    /// The treasury does not move it, or the chain does not confirm that.
    Payout,
    /// It was paid back, and the gate was not told, so that it still says that it owes it.
    Report,
}

impl HoldRow {
    /// Why a person has to look into it; `None` while it goes its way.
    #[must_use]
    pub fn stuck(&self) -> Option<StuckMoney> {
        let is_asked_for = self.due.is_some() && self.looks >= MANY_LOOKS;
        match self.state {
            HoldState::Held => is_asked_for.then_some(StuckMoney::Registration),
            HoldState::Paying(_) | HoldState::Sent(_) => is_asked_for.then_some(StuckMoney::Payout),
            HoldState::Ended(_) => self.is_untold().then_some(StuckMoney::Report),
        }
    }

    /// How far it is, by the name that lists and storage have.
    #[must_use]
    pub fn progress(&self) -> &'static str {
        match self.state {
            HoldState::Held => "held",
            HoldState::Paying(_) => "paying",
            HoldState::Sent(_) => "sent",
            HoldState::Ended(_) if self.is_untold() => "untold",
            HoldState::Ended(_) => "ended",
        }
    }

    /// Whether it was paid back without a job, and the gate will not hear of it by itself.
    pub(super) fn is_untold(&self) -> bool {
        let is_given_up = self.looks >= MAX_REPORTS || self.transaction.is_empty();
        let is_owed = self.state == HoldState::Ended(Leave::Refund) && self.job.is_empty();
        is_owed && self.due.is_none() && is_given_up
    }
}
