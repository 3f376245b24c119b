//! When the money of a channel is claimed, and what its alarm does next.

use super::state::firm::FIRM_SECS;
use super::state::{Agreement, AttemptResult, Channel, ListNotice, OnChain, Promise, VoucherRule};
use super::voucher::HighestVoucher;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

/// The money that was earned and is not claimed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earnings {
    /// The amount to claim, over the whole life of the channel.
    pub total: Amount,
    /// The voucher that proves it.
    pub evidence: HighestVoucher,
}

/// The errand of a channel now: the next thing to do for it.
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
    /// Have the contract pay the payee what was claimed.
    PayOut,
}

/// The outcome of asking for a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payout {
    /// The payee has everything that was claimed.
    Done,
    /// Not, or it is not known.
    Failed,
}

impl Channel {
    /// The earnings that the chain does not show as claimed.
    #[must_use]
    pub fn earnings(&self) -> Option<Earnings> {
        let deposit = self.sight.deposit;
        let evidence = match self.rule {
            // The contract pays all that a voucher is for, or nothing.
            VoucherRule::Headroom { .. } => self.firm.within(deposit, self.evidence)?,
            VoucherRule::Exact => self.evidence?,
        };
        let total = self.spent.min(deposit).min(evidence.cumulative);
        (total > self.sight.claimed).then_some(Earnings { total, evidence })
    }

    /// Whether the chain is watched: something is earned, or would be if a deposit that the chain
    /// has undone came back.
    fn is_watched(&self) -> bool {
        match self.rule {
            VoucherRule::Exact => self.earnings().is_some(),
            VoucherRule::Headroom { .. } => self.spent > self.sight.claimed,
        }
    }

    /// The errand that is due now. After each errand, [`Channel::attempted`] or [`Channel::looked`]
    /// says that it was done, whatever came of it.
    #[must_use]
    pub fn errand(&self, now: UnixTime) -> ChannelErrand {
        let money = self.money_due();
        let look = self.look_due();
        // What the last attempt came to is seen before the next one.
        if self.result == AttemptResult::Unseen && look.is_some_and(|due| due <= now) {
            return ChannelErrand::Look;
        }
        if let Some((due, errand)) = money
            && due <= now
        {
            return errand;
        }
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
    pub fn attempted(&mut self, now: UnixTime) {
        self.tried = Some(now);
        if self.tries > 0 {
            self.turn = self.turn.saturating_add(1);
        }
        self.tries = self.tries.saturating_add(1);
        self.result = AttemptResult::Unseen;
        self.publish(self.accepted(), now);
        // By MPP it may be a lower voucher, and no one is told of it.
        if let (VoucherRule::Exact, Some(voucher)) = (self.rule, self.evidence) {
            self.sent = Some((voucher, self.spent.min(voucher.cumulative)));
        }
    }

    /// Whether money was sent for so lately that it is not sent for again.
    pub(super) fn has_just_tried(&self, now: UnixTime) -> bool {
        self.tried.is_some_and(|tried| now < tried.plus(RETRY_SECS))
    }

    /// Attempts to send for money since the chain last changed.
    #[must_use]
    pub const fn tries(&self) -> u64 {
        self.tries
    }

    /// Whether the chain was seen since money was sent for: a facilitator does not show a channel
    /// that has less than was spent.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.result == AttemptResult::Seen
    }

    /// The amount that a claim adds to those before it.
    #[must_use]
    pub fn unclaimed(&self) -> Amount {
        let total = self.earnings().map_or(Amount::ZERO, |earnings| earnings.total);
        total.checked_sub(self.sight.claimed).unwrap_or(Amount::ZERO)
    }

    /// The earnings that are to be claimed at this time.
    #[must_use]
    pub fn claimable(&self, now: UnixTime) -> Option<Earnings> {
        self.earnings().filter(|earnings| self.left_until(earnings) <= now)
    }

    /// Until when earnings are left alone. A claim by MPP takes all that a voucher is for: the part
    /// of it that is not spent is left to a payer who stays. One who buys nothing is not watched for
    /// ever, for as little as they may owe.
    fn left_until(&self, earnings: &Earnings) -> UnixTime {
        let is_left = match (self.rule, self.sight.on_chain, self.agreement) {
            (VoucherRule::Headroom { .. }, OnChain::Open, Agreement::Selling) => {
                earnings.evidence.cumulative > earnings.total
            }
            (VoucherRule::Exact | VoucherRule::Headroom { .. }, _, _) => false,
        };
        match is_left {
            true => self.sold.plus(UNSPENT_SECS),
            false => UnixTime::from_secs(0),
        }
    }

    /// The contract was asked to pay out what was claimed, and has done it or not.
    pub fn paid_out(&mut self, payout: Payout, now: UnixTime) {
        match payout {
            Payout::Done => {
                self.turn = self.turn.saturating_sub(1);
                self.paid_out = self.sight.claimed;
                self.pay_out_tries = 0;
                self.listing = ListNotice::Due(now);
            }
            Payout::Failed => {
                self.turn = self.turn.saturating_add(1);
                self.pay_out_tries = self.pay_out_tries.saturating_add(1);
                self.pay_out_from = now.plus(retry_secs(self.pay_out_tries, PAYOUTS));
            }
        }
    }

    /// Which of several facilitators is asked: another one after each that has not helped.
    #[must_use]
    pub const fn turn(&self) -> u64 {
        self.turn
    }

    /// When the next errand is due; `None` until the next request.
    #[must_use]
    pub fn next_errand(&self, now: UnixTime) -> Option<UnixTime> {
        let list = match self.listing {
            ListNotice::Due(at) => Some(at),
            ListNotice::Done => None,
        };
        match self.errand(now) {
            ChannelErrand::Rest(Some(next)) => Some(list.map_or(next, |at| at.min(next))),
            ChannelErrand::Rest(None) => list,
            ChannelErrand::Look
            | ChannelErrand::Claim(_)
            | ChannelErrand::Refund(..)
            | ChannelErrand::Close(_)
            | ChannelErrand::PayOut => Some(now),
        }
    }

    /// The chain was asked, whether or not it answered.
    pub fn looked(&mut self, now: UnixTime) {
        if self.looked > self.sight.at {
            self.turn = self.turn.saturating_add(1);
        }
        self.looked = self.looked.max(now);
    }

    /// The chain was read at this time, and its view is not told: a facilitator shows no channel that
    /// has less than its last voucher. Whether that ends the looks for what was sent last.
    pub fn note_hidden(&mut self, at: UnixTime) -> bool {
        let is_firm = self.tried.is_some_and(|tried| tried.plus(FIRM_SECS) <= at);
        let ends = is_firm && !self.is_watched() && self.promised.is_none();
        if ends {
            self.tried = None;
        }
        ends
    }

    fn money_due(&self) -> Option<(UnixTime, ChannelErrand)> {
        let earnings = self.earnings();
        // Often as long as a payer may be withdrawing, then ever more seldom.
        let hurried = if earnings.is_some() { HURRIED } else { CLOSES };
        let pause = retry_secs(self.tries, hurried);
        let again = |first: UnixTime| match self.tried {
            Some(tried) => first.max(tried.plus(pause)),
            None => first,
        };
        let at_once = UnixTime::from_secs(0);
        if self.sight.on_chain == OnChain::Finalized {
            return None;
        }
        if self.agreement == Agreement::Closing {
            let paid = earnings.map_or(self.sight.claimed, |it| it.evidence.cumulative);
            let is_less = self.spent > paid;
            let above = self.evidence.is_some_and(|it| it.cumulative > self.sight.deposit);
            let is_undone = above && is_less && self.rule != VoucherRule::Exact;
            let errand = match earnings {
                // A token that does not pay the payer back may still pay the payee. And what a
                // deposit that the chain has undone is still to pay, a close would give up.
                Some(earnings) if is_undone || self.tries >= CLOSES => {
                    ChannelErrand::Claim(earnings)
                }
                None if is_undone => return None,
                earnings => ChannelErrand::Close(earnings),
            };
            let due = match self.sight.on_chain {
                OnChain::Leaving(_) => at_once,
                OnChain::Open | OnChain::Finalized => self.pay_out_from,
            };
            return Some((again(due), errand));
        }
        let claim = earnings.map(|earnings| {
            let due = match self.sight.on_chain {
                OnChain::Leaving(_) => at_once,
                OnChain::Open | OnChain::Finalized => {
                    self.earned_since.unwrap_or(at_once).plus(self.withdraw_delay_secs)
                }
            };
            let due = due.max(self.left_until(&earnings));
            (again(due), ChannelErrand::Claim(earnings), due)
        });
        let money = match self.promised {
            Some(promise) => {
                let errand = match claim {
                    Some((_, claim, first)) if self.is_claimed_beside_refund(first) => claim,
                    Some(_) | None => ChannelErrand::Refund(promise, earnings),
                };
                Some((again(at_once), errand))
            }
            None => claim.map(|(due, claim, _)| (due, claim)),
        };
        // Claims of x402 are counted in the contract, and paid out for all channels at once. What
        // is claimed is safe: it waits for what is not.
        let is_owed = self.rule == VoucherRule::Exact && self.sight.claimed > self.paid_out;
        let pay_out = is_owed.then_some((self.pay_out_from, ChannelErrand::PayOut));
        match (money, pay_out) {
            (Some(money), Some(pay_out)) if money.0 > pay_out.0 => Some(pay_out),
            (money, pay_out) => money.or(pay_out),
        }
    }

    /// Whether earnings whose claim was first due then are claimed without the refund that is
    /// promised. A contract that does not make the refund does not count a claim that comes with
    /// it either: from then on each second attempt is the claim alone.
    fn is_claimed_beside_refund(&self, first: UnixTime) -> bool {
        let is_due = self.tried.is_some_and(|tried| first <= tried);
        let is_late = self.tries >= CLOSES || matches!(self.sight.on_chain, OnChain::Leaving(_));
        is_due && is_late && self.tries & 1 == 1
    }

    /// When the chain is asked next: soon after money was sent for, and as long as something is
    /// earned often enough to see that the payer withdraws.
    fn look_due(&self) -> Option<UnixTime> {
        let firm = self.firm_due();
        if self.sight.on_chain == OnChain::Finalized {
            // A deposit that the chain undoes takes along the close that it paid for.
            let is_final = self.rule == VoucherRule::Exact || self.spent.is_zero();
            let rising = self.firm.rising.filter(|_| !is_final);
            let rising = rising.map(|(_, since)| since.plus(FIRM_SECS).max(self.look_again()));
            return rising.into_iter().chain(firm).min();
        }
        let retry = self.look_again();
        // Later each attempt has a look of its own.
        let is_early = self.tries <= CLOSES;
        let is_closing = self.agreement == Agreement::Closing && is_early;
        let is_open = self.promised.is_some() && is_early || is_closing;
        match self.tried {
            Some(tried) if self.looked < tried => return Some(tried),
            Some(_) if self.result == AttemptResult::Unseen || is_open => return Some(retry),
            Some(_) | None => {}
        }
        if !self.is_watched() {
            return firm;
        }
        let watch = self.sight.at.plus(self.watch_secs()).max(retry);
        Some(firm.map_or(watch, |firm| firm.min(watch)))
    }

    /// When a chain undoes no more what was sent last: until then it may have, unseen.
    fn firm_due(&self) -> Option<UnixTime> {
        let firm = self.tried?.plus(FIRM_SECS);
        // A look without an answer has shown nothing.
        let shown = self.sight.at;
        let is_open = shown < firm;
        // What is left of the time until they withdraw is for another claim.
        let soon = self.looked.plus(self.fresh_secs().min(LEAVING_SECS));
        let due = if self.may_leave { firm.min(soon) } else { firm };
        is_open.then(|| due.max(self.look_again()))
    }

    /// When the chain may be asked again: a facilitator that never answers is asked ever more seldom,
    /// but as long as something is earned often enough to see that the payer withdraws. A chain
    /// without new blocks seems silent, and has one as soon as they do.
    fn look_again(&self) -> UnixTime {
        let silent = self.looked.secs().saturating_sub(self.sight.at.secs());
        let is_watched = self.sight.on_chain != OnChain::Finalized && self.is_watched();
        let most = match is_watched {
            true => self.watch_secs().clamp(RETRY_SECS, MAX_RETRY_SECS),
            false => MAX_RETRY_SECS,
        };
        let pause = silent.checked_div(16).unwrap_or_default().clamp(RETRY_SECS, most);
        self.looked.plus(pause)
    }

    /// A third of the time that a withdrawal takes: two thirds are left to claim.
    fn watch_secs(&self) -> u64 {
        self.withdraw_delay_secs.checked_div(3).unwrap_or_default()
    }
}

/// Seconds from the last of so many tries to the next one: so many follow each other at once, then
/// ever more slowly.
const fn retry_secs(tries: u64, hurried: u64) -> u64 {
    match tries.checked_sub(hurried) {
        None | Some(0) => RETRY_SECS,
        Some(more) => {
            let pause = more.saturating_mul(RETRY_SECS);
            if pause < MAX_RETRY_SECS { pause } else { MAX_RETRY_SECS }
        }
    }
}

/// Seconds for which the rest of a voucher is left to a payer who buys nothing: a week.
const UNSPENT_SECS: u64 = 604_800;
/// Seconds before something is tried again.
const RETRY_SECS: u64 = 15;
/// The longest pause between two looks at a claim that may be undone while its payer leaves, seconds.
const LEAVING_SECS: u64 = 60;
/// Payouts that follow each other at once: each is for all channels of the payee.
const PAYOUTS: u64 = 4;
/// Attempts to close before what is owed is settled by itself.
const CLOSES: u64 = 20;
/// Attempts that follow each other at once.
const HURRIED: u64 = 60;
/// The longest pause between two attempts, seconds.
const MAX_RETRY_SECS: u64 = 3600;
