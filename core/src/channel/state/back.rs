//! What goes back to the payer: refunds and the end of a channel.

use super::{Agreement, Channel, FIRM_SECS, OnChain, Promise, RefundFate, RefundWish};
use crate::amount::Amount;
use crate::channel::refusal::ChannelRefusal;
use crate::channel::voucher::CheckedVoucher;
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

impl Channel {
    /// Promises a refund: all that is not earned, or a part. The same wish again is the same
    /// promise, and the attempt to send it counts as made: what anyone may repeat is sent as seldom
    /// as the alarm sends it.
    ///
    /// # Errors
    /// See [`ChannelRefusal`].
    pub fn refund(
        &mut self,
        wish: &RefundWish,
        now: UnixTime,
    ) -> Result<RefundFate, ChannelRefusal> {
        let RefundWish { shown, amount, least } = *wish;
        self.holds.retain(|held| held.until > now);
        if let Some(promise) = self.promised {
            let is_same = amount.is_none_or(|amount| amount == promise.amount);
            if !is_same || self.has_just_tried(now) {
                return Err(ChannelRefusal::Busy);
            }
            self.attempted(now);
            return Ok(RefundFate::Promised(promise));
        }
        match self.sight.on_chain {
            OnChain::Finalized => return Err(ChannelRefusal::Finalized),
            OnChain::Open | OnChain::Leaving(_) => {}
        }
        if !self.holds.is_empty() && !planted(Mutant::HeldIsRefunded) {
            return Err(ChannelRefusal::Busy);
        }
        if shown != self.spent {
            return Err(ChannelRefusal::CumulativeMismatch);
        }
        // Who buys nothing has the contract pay back: the payee would send two transactions for it.
        if self.spent.is_zero() && !planted(Mutant::NothingIsRefunded) {
            return Err(ChannelRefusal::RefundAmount);
        }
        let left = |deposit: Amount| deposit.checked_sub(self.spent).unwrap_or(Amount::ZERO);
        let all = left(self.sight.deposit);
        // Who has the signature of a refund keeps it when the chain undoes what was added.
        let rest = if planted(Mutant::UndoneIsRefunded) { all } else { left(self.firm.deposit) };
        let is_due = self.firm.rising.is_some_and(|(_, since)| since.plus(FIRM_SECS) <= now);
        if rest < all && is_due {
            return Err(ChannelRefusal::Stale);
        }
        if let Some((before, spent)) = self.refunded
            && spent == self.spent
            && amount.map_or(rest.is_zero(), |amount| amount == before.amount)
        {
            return Ok(RefundFate::Repeated(before));
        }
        if all.is_zero() {
            return Err(ChannelRefusal::NoBalance);
        }
        if rest < all && amount.unwrap_or(rest.max(least)) > rest {
            return Err(ChannelRefusal::Busy);
        }
        let amount = amount.unwrap_or(rest);
        // Anyone shows a voucher that went to a chain: all that it does is pay back everything, once.
        let is_part = amount < least || shown <= self.published;
        let is_dust = amount < rest && is_part && !planted(Mutant::RefundsAreDust);
        if amount > rest && !planted(Mutant::EarnedIsRefunded) || amount.is_zero() || is_dust {
            return Err(ChannelRefusal::RefundAmount);
        }
        // Last: a look at the chain is for a refund that is made then.
        if !self.is_fresh(now) {
            return Err(ChannelRefusal::Stale);
        }
        let promise = Promise { nonce: self.sight.refund_nonce, amount };
        self.promised = Some(promise);
        self.firm.deposit = self.firm.deposit.checked_sub(amount).unwrap_or(Amount::ZERO);
        self.attempted(now);
        Ok(RefundFate::Promised(promise))
    }

    /// Agrees to close, with a last voucher if there is one: it sells no more. Where it is for less
    /// than this, it is closed as late as its payer could withdraw: what a payee has sent and closed
    /// at once for one price would cost its gas without end.
    ///
    /// # Errors
    /// See [`ChannelRefusal`].
    pub fn close(
        &mut self,
        voucher: Option<&CheckedVoucher>,
        least: Amount,
        now: UnixTime,
    ) -> Result<(), ChannelRefusal> {
        self.holds.retain(|held| held.until > now);
        match self.sight.on_chain {
            OnChain::Finalized => return Err(ChannelRefusal::Finalized),
            OnChain::Open | OnChain::Leaving(_) => {}
        }
        if !self.holds.is_empty() {
            return Err(ChannelRefusal::Busy);
        }
        // The contract pays the payer back by itself: the payee would pay for a transaction that
        // brings nothing, also where a stranger shows what was settled.
        if self.spent <= self.sight.claimed && !planted(Mutant::NothingIsClosed) {
            return Err(ChannelRefusal::NothingOwed);
        }
        if let Some(voucher) = voucher {
            self.is_its(voucher)?;
            if voucher.voucher.cumulative < self.accepted() {
                return Err(ChannelRefusal::Decreasing);
            }
            if voucher.voucher.cumulative > self.available() {
                return Err(ChannelRefusal::AboveDeposit);
            }
            self.keep(voucher);
        }
        let is_worth_it = self.accepted() >= least || planted(Mutant::CrumbsAreClosed);
        let wait_secs = if is_worth_it { 0 } else { self.withdraw_delay_secs };
        self.pay_out_from = match self.agreement {
            Agreement::Selling => now.plus(wait_secs),
            Agreement::Closing => self.pay_out_from,
        };
        self.agreement = Agreement::Closing;
        Ok(())
    }
}
