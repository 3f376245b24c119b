//! When the money of a channel is claimed, and what its alarm does next.

use super::state::{Agreement, Channel, HighestVoucher, OnChain, Promise};
use crate::amount::Amount;
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

/// What was earned and is not claimed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earnings {
    /// What to claim, over the whole life of the channel.
    pub total: Amount,
    /// The voucher that proves it.
    pub evidence: HighestVoucher,
}

/// What to do for a channel now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelErrand {
    /// Nothing before this time; `None` until the next request.
    Rest(Option<UnixTime>),
    /// Ask what the chain shows.
    Look,
    /// Claim what was earned.
    Claim(Earnings),
    /// Send a refund that was promised, with what was earned before it.
    Refund(Promise, Option<Earnings>),
    /// Close it with what was earned.
    Close(Option<Earnings>),
}

impl Channel {
    /// What was earned and the chain does not show as claimed.
    #[must_use]
    pub fn earnings(&self) -> Option<Earnings> {
        let total = self.spent.min(self.sight.deposit);
        let evidence = self.evidence?;
        let is_due = total > self.sight.claimed && evidence.cumulative >= total;
        is_due.then_some(Earnings { total, evidence })
    }

    /// What to do now. After each errand, [`Channel::attempted`] or [`Channel::looked`] says that
    /// it was done, whatever came of it.
    #[must_use]
    pub fn errand(&self, now: UnixTime) -> ChannelErrand {
        let money = self.money_due();
        if let Some((due, errand)) = money
            && due <= now
        {
            return errand;
        }
        let look = self.look_due();
        if look.is_some_and(|due| due <= now) {
            return ChannelErrand::Look;
        }
        let money = money.map(|(due, _)| due);
        ChannelErrand::Rest(match (money, look) {
            (Some(money), Some(look)) => Some(money.min(look)),
            (money, look) => money.or(look),
        })
    }

    /// Money was sent for: with what result, only the chain tells.
    pub const fn attempted(&mut self, now: UnixTime) {
        self.tried = Some(now);
    }

    /// The chain was asked, whether or not it answered.
    pub fn looked(&mut self, now: UnixTime) {
        self.looked = self.looked.max(now);
    }

    fn money_due(&self) -> Option<(UnixTime, ChannelErrand)> {
        let earnings = self.earnings();
        let again = |first: UnixTime| match self.tried {
            Some(tried) => first.max(tried.plus(RETRY_SECS)),
            None => first,
        };
        let at_once = UnixTime::from_secs(0);
        if self.sight.on_chain == OnChain::Finalized {
            return None;
        }
        if self.agreement == Agreement::Closing {
            return Some((again(at_once), ChannelErrand::Close(earnings)));
        }
        if let Some(promise) = self.promised {
            return Some((again(at_once), ChannelErrand::Refund(promise, earnings)));
        }
        let earnings = earnings?;
        let due = match self.sight.on_chain {
            OnChain::Leaving(_) if !planted(Mutant::LeaversAreNotHurried) => at_once,
            OnChain::Open | OnChain::Leaving(_) | OnChain::Finalized => {
                self.earned_since.unwrap_or(at_once).plus(self.withdraw_delay_secs)
            }
        };
        Some((again(due), ChannelErrand::Claim(earnings)))
    }

    /// When the chain is asked next: soon after money was sent for, and as long as something is
    /// earned often enough to see that the payer withdraws.
    fn look_due(&self) -> Option<UnixTime> {
        if self.sight.on_chain == OnChain::Finalized {
            return None;
        }
        let retry = self.looked.plus(RETRY_SECS);
        let is_open = self.promised.is_some() || self.agreement == Agreement::Closing;
        match self.tried {
            Some(tried) if self.looked < tried => return Some(tried),
            Some(tried) if self.sight.at < tried || is_open => return Some(retry),
            Some(_) | None => {}
        }
        self.earnings()?;
        if planted(Mutant::EarningsAreNotWatched) {
            return None;
        }
        // A third of the time that a withdrawal takes: two thirds are left to claim.
        let watch_secs = self.withdraw_delay_secs.checked_div(3).unwrap_or_default();
        Some(self.sight.at.plus(watch_secs).max(retry))
    }
}

/// Seconds before something is tried again.
const RETRY_SECS: u64 = 15;
