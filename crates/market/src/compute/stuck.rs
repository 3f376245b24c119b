//! Held money that does not go its way: from when on a person has to look into it.

use super::row::{HoldRow, HoldState, Leave, RefundClaim, is_direct};

/// Looks at money that does not move after which a person has to: those of three minutes.
pub(super) const MANY_LOOKS: u32 = 10;
/// Looks at a payout that follow each other within [`NEAR_PAUSE_MS`]: about an hour of them.
const NEAR_LOOKS: u32 = 120;
/// Most milliseconds between two such looks: the treasury tells from its own table how it stands.
const NEAR_PAUSE_MS: u64 = 30_000;
/// Most milliseconds between two later ones.
const MAX_PAUSE_MS: u64 = 3_600_000;
/// How often the gate is told of a refund before its operator has to look.
pub(super) const MAX_REPORTS: u32 = 16;

/// A trouble with money that a person has to look into: to ask again has not helped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StuckMoney {
    /// The treasury does not register it in the escrow contract.
    Registration,
    /// The gate does not leave its refund to the exchange.
    Claim,
    /// It was paid back or waived at the gate, though its seller has delivered.
    PaidBack,
    /// More went back without a job than there is room for in a day, so that it waits for its turn.
    Turn,
    /// The treasury does not move it, or the chain does not confirm that.
    Payout,
    /// It was paid back or out, and the gate was not told, so that it still says that it owes it.
    Report,
}

impl HoldRow {
    /// Why a person has to look into it; `None` while it goes its way.
    #[must_use]
    pub fn stuck(&self) -> Option<StuckMoney> {
        let is_asked_for = self.due.is_some() && self.looks >= MANY_LOOKS;
        match self.state {
            HoldState::Held => is_asked_for.then_some(StuckMoney::Registration),
            HoldState::Paying(_) if self.claim == RefundClaim::Waiting => Some(StuckMoney::Turn),
            HoldState::Paying(_) if self.is_left() => Some(StuckMoney::PaidBack),
            HoldState::Paying(_) if self.waits_for_gate() && !self.has_payout() => {
                is_asked_for.then_some(StuckMoney::Claim)
            }
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

    /// Whether the gate is asked next, which may owe it and has to leave it to the exchange. What the
    /// treasury was asked for goes on as it began: then one question in two is the gate's. A gate that
    /// was silent for long is not asked before that.
    pub(super) fn needs_claim(&self) -> bool {
        let is_even = self.fence.is_multiple_of(2);
        let is_turn = if self.has_payout() { is_even } else { !self.unheard };
        let is_turn = is_turn || self.is_left();
        self.waits_for_gate() && is_turn
    }

    /// Whether the gate, which may owe it, has not left it to the exchange. Its notice of a debt may
    /// be lost, or come later than the money leaves.
    fn waits_for_gate(&self) -> bool {
        let is_going = matches!(self.state, HoldState::Paying(_) | HoldState::Sent(_));
        let is_open = matches!(self.claim, RefundClaim::Unasked | RefundClaim::Called);
        is_going && (is_open || self.is_left()) && !self.is_direct()
    }

    /// Whether someone at the gate has paid it back or waived it, before anything was known to be on its
    /// way: the money stays where it is, whatever becomes of the gate's row, until the gate grants it.
    pub(super) fn is_left(&self) -> bool {
        self.claim == RefundClaim::Ended && matches!(self.state, HoldState::Paying(_))
    }

    /// Whether the treasury was asked for it, as far as is known.
    pub(super) fn has_payout(&self) -> bool {
        self.has_asked || !self.payout.is_empty() || matches!(self.state, HoldState::Sent(_))
    }

    /// Whether it has ended and never moved: it was paid back or waived at the gate.
    pub(super) fn is_skipped(&self) -> bool {
        matches!(self.state, HoldState::Ended(_)) && !self.has_payout()
    }

    /// Whether it waits for room in what goes back without a job in a day.
    pub(super) fn needs_room(&self) -> bool {
        let is_going_back = self.state == HoldState::Paying(Leave::Refund) && self.job.is_empty();
        is_going_back
            && matches!(self.claim, RefundClaim::Granted | RefundClaim::Waiting)
            && !self.has_payout()
    }

    /// Whether the exchange answers for it wherever its money goes: it bought a job, or is a transfer that
    /// was shown here before.
    pub(super) fn is_sold(&self) -> bool {
        !self.job.is_empty() || self.state == HoldState::Ended(Leave::Release)
    }

    /// Whether the gate owes it until it hears what became of it.
    pub(super) fn is_owed(&self) -> bool {
        (self.job.is_empty() || self.owed) && !self.is_direct()
    }

    fn is_direct(&self) -> bool {
        is_direct(&self.payment)
    }

    /// Whether the gate has to hear that it has gone: of a refund, and of what was sold if the gate was
    /// not told before. One that was silent may owe it.
    pub(super) fn is_reported(&self) -> bool {
        let is_unheard = self.unheard && self.claim == RefundClaim::Unasked;
        match self.state {
            HoldState::Ended(Leave::Refund) => {
                is_unheard || self.is_owed() && self.claim != RefundClaim::Ended
            }
            HoldState::Ended(Leave::Release) => {
                is_unheard || self.owed && self.claim == RefundClaim::Unasked
            }
            HoldState::Held | HoldState::Paying(_) | HoldState::Sent(_) => false,
        }
    }

    /// Whether it went back by a transaction that is not known, so that a person alone can report it.
    pub(super) fn lacks_transaction(&self) -> bool {
        let is_sold = matches!(self.state, HoldState::Ended(Leave::Release));
        self.transaction.is_empty() && !is_sold
    }

    /// Whether it has gone, and the gate that owes it will not hear of it by itself.
    pub(super) fn is_untold(&self) -> bool {
        let is_given_up = self.looks >= MAX_REPORTS || self.lacks_transaction();
        self.is_reported() && self.due.is_none() && is_given_up
    }
}

/// Milliseconds to the next look: doubled each time, up to half a minute in the first hour.
pub(super) fn pause_ms(looks: u32) -> u64 {
    let (first, turn, most) = match looks.checked_sub(NEAR_LOOKS) {
        None => (1_000_u64, looks, NEAR_PAUSE_MS),
        Some(later) => (NEAR_PAUSE_MS, later, MAX_PAUSE_MS),
    };
    first.checked_shl(turn.min(16)).unwrap_or(most).min(most)
}
