//! The ways of money back to the payer: refunds and the end of a channel.

use super::bearer::Bearer;
use super::firm::FIRM_SECS;
use super::{Agreement, Channel, OnChain, Promise, RefundFate, RefundWish};
use crate::refusal::ChannelRefusal;
use crate::voucher::CheckedVoucher;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

impl Channel {
    /// Promises a refund: all that is not earned, or a part. The same wish again is the same
    /// promise, and the attempt to send it counts as made: what anyone may repeat is sent once more,
    /// as late as the alarm would, and then by the alarm alone, after its pauses. Whoever shows a voucher that is published has a promise or an answer
    /// repeated, and nothing promised anew: only a channel at rest is paid back so, in full.
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
        let bearer = self.bearer_of_wish(wish);
        if shown != self.spent {
            return Err(refusal_of_other(bearer));
        }
        if let Some(promise) = self.promised {
            return self.promise_again(promise, wish, bearer, now);
        }
        match self.sight.on_chain {
            OnChain::Finalized => return Err(ChannelRefusal::Finalized),
            OnChain::Open | OnChain::Leaving(_) => {}
        }
        // Who buys nothing has the contract pay back: the payee would send two transactions for it.
        if self.spent.is_zero() {
            return Err(ChannelRefusal::RefundAmount);
        }
        let left = |deposit: Amount| deposit.checked_sub(self.spent).unwrap_or(Amount::ZERO);
        let all = left(self.sight.deposit);
        // Who has the signature of a refund keeps it when the chain undoes what was added.
        let rest = left(self.firm.deposit);
        let is_due = self.refundable_at().is_some_and(|at| at <= now);
        let is_asked = bearer.secret().is_some() || self.rests(now);
        if rest < all && is_due && is_asked {
            return Err(ChannelRefusal::Stale);
        }
        if let Some((before, spent)) = self.refunded
            && spent == self.spent
            && amount.map_or(rest.is_zero(), |amount| amount == before.amount)
        {
            return Ok(RefundFate::Repeated(before));
        }
        if !is_asked {
            return Err(ChannelRefusal::Published);
        }
        if !self.holds.is_empty() {
            return Err(ChannelRefusal::Busy);
        }
        if all.is_zero() {
            return Err(ChannelRefusal::NoBalance);
        }
        if rest < all && amount.unwrap_or(rest.max(least)) > rest {
            return Err(ChannelRefusal::RefundLater);
        }
        let amount = amount.unwrap_or(rest);
        if Self::is_refused(amount, rest, least, bearer) {
            return Err(ChannelRefusal::RefundAmount);
        }
        // Last: a look at the chain is for a refund that is made then.
        if !self.is_fresh(now) {
            return Err(ChannelRefusal::Stale);
        }
        let promise = self.promise(amount, now);
        self.rested = match bearer {
            // What is kept back now, the payer has asked for too.
            Bearer::Payer(_) if wish.amount.is_none() => now,
            Bearer::Payer(_) => self.rested,
            Bearer::Anyone(_) => now.plus(DAY_SECS),
        };
        Ok(RefundFate::Promised(promise))
    }

    /// Promises a refund of this amount.
    fn promise(&mut self, amount: Amount, now: UnixTime) -> Promise {
        let promise = Promise { nonce: self.sight.refund_nonce, amount };
        self.promised = Some(promise);
        self.firm.deposit = self.firm.deposit.checked_sub(amount).unwrap_or(Amount::ZERO);
        self.attempted(now);
        promise
    }

    /// Repeats a promise that the chain does not show yet.
    fn promise_again(
        &mut self,
        promise: Promise,
        wish: &RefundWish,
        bearer: Bearer,
        now: UnixTime,
    ) -> Result<RefundFate, ChannelRefusal> {
        let is_same = wish.amount.is_none_or(|amount| amount == promise.amount);
        let is_public = bearer.secret().is_none();
        let is_spent = is_public && self.tries >= TRIES_FOR_ANYONE;
        if !is_same || is_spent || self.has_just_tried(now) {
            return Err(ChannelRefusal::Busy);
        }
        self.attempted(now);
        Ok(RefundFate::Promised(promise))
    }

    /// Whether a wish of this amount is refused, where so much may be paid back.
    fn is_refused(amount: Amount, rest: Amount, least: Amount, bearer: Bearer) -> bool {
        let is_part = amount < least || bearer.secret().is_none();
        let is_dust = amount < rest && is_part;
        amount > rest || amount.is_zero() || is_dust
    }

    /// When what was added last is paid back at the earliest; `None` if nothing waits for that.
    #[must_use]
    pub fn refundable_at(&self) -> Option<UnixTime> {
        self.firm.rising.map(|(_, since)| since.plus(FIRM_SECS))
    }

    /// Whether nothing was bought for so long that its payer seems to have left: what was earned is
    /// claimed, and the last voucher was published long ago.
    fn rests(&self, now: UnixTime) -> bool {
        self.earned_since.is_none() && self.rested <= now
    }

    /// Takes what a transaction of its payer's own brought; whether that was not known. What follows a
    /// deposit that the payee sent does not count.
    pub fn bring(&mut self, before: Amount, after: Amount) -> bool {
        let follows = before == self.own;
        let is_new = follows && after > self.own;
        if is_new {
            self.own = after;
        }
        is_new
    }

    /// Whether its payer's own transactions brought all of its deposit.
    fn is_own(&self) -> bool {
        self.own >= self.sight.deposit
    }

    /// Agrees to close, with the last voucher: it sells no more. Where it is for less
    /// than this, and the payee sent of its deposit, it is closed as late as its payer could
    /// withdraw: what a payee has sent and closed at once for one price would cost its gas without
    /// end.
    ///
    /// # Errors
    /// See [`ChannelRefusal`].
    pub fn close(
        &mut self,
        voucher: &CheckedVoucher,
        least: Amount,
        now: UnixTime,
    ) -> Result<(), ChannelRefusal> {
        self.is_its(voucher)?;
        self.holds.retain(|held| held.until > now);
        match self.sight.on_chain {
            OnChain::Finalized => return Err(ChannelRefusal::Finalized),
            OnChain::Open | OnChain::Leaving(_) => {}
        }
        let secret = match (self.bearer(voucher), self.agreement) {
            (Bearer::Payer(secret), _) => secret,
            // Whoever has lost the answer asks again.
            (Bearer::Anyone(_), Agreement::Closing) => return Ok(()),
            (Bearer::Anyone(_), Agreement::Selling) => return Err(ChannelRefusal::Published),
        };
        if !self.holds.is_empty() {
            return Err(ChannelRefusal::Busy);
        }
        // What a restored row has lost, the payer says by what they sign.
        let said = self.may_be_restored().then(|| secret.cumulative());
        let spent = said.unwrap_or(self.spent).max(self.spent);
        if spent > self.spent && !self.is_fresh(now) {
            return Err(ChannelRefusal::Stale);
        }
        // The contract pays the payer back by itself: the payee would pay for a transaction that
        // brings nothing.
        if spent <= self.sight.claimed {
            return Err(ChannelRefusal::NothingOwed);
        }
        if secret.cumulative() < self.accepted() {
            return Err(ChannelRefusal::Decreasing);
        }
        if secret.cumulative() > self.available() {
            return Err(ChannelRefusal::AboveDeposit);
        }
        self.keep(voucher);
        self.spent = spent;
        let is_worth_it = self.accepted() >= least;
        let is_due = is_worth_it || self.is_own();
        let wait_secs = if is_due { 0 } else { self.withdraw_delay_secs };
        self.pay_out_from = match self.agreement {
            Agreement::Selling => now.plus(wait_secs),
            Agreement::Closing => self.pay_out_from,
        };
        self.agreement = Agreement::Closing;
        Ok(())
    }
}

/// The refusal of a wish that shows another voucher than the last one.
fn refusal_of_other(bearer: Bearer) -> ChannelRefusal {
    match bearer {
        Bearer::Anyone(shown) if !shown.cumulative().is_zero() => ChannelRefusal::Published,
        Bearer::Anyone(_) | Bearer::Payer(_) => ChannelRefusal::CumulativeMismatch,
    }
}

/// Attempts after which a refund that waits is sent by the alarm alone, whoever shows a published
/// voucher: the one that promised it, and one more.
const TRIES_FOR_ANYONE: u64 = 2;
/// Seconds after which a published voucher may have everything paid back once more.
const DAY_SECS: u64 = 86_400;
