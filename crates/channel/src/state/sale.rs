//! Sales by voucher: a price is held before it is charged, and charged before anything is
//! delivered.

use super::bearer::{Bearer, SecretVoucher};
use super::{Agreement, Begun, Channel, HeldPrice, LastSale, OnChain, Purchase, VoucherRule};
use crate::refusal::ChannelRefusal;
use crate::voucher::{CheckedVoucher, HighestVoucher};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

impl Channel {
    /// Accepts a voucher without charging anything.
    ///
    /// # Errors
    /// See [`ChannelRefusal`].
    pub fn accept(
        &mut self,
        voucher: &CheckedVoucher,
        now: UnixTime,
    ) -> Result<(), ChannelRefusal> {
        self.holds.retain(|held| held.until > now);
        self.takes(voucher, now)?;
        self.keep(voucher);
        Ok(())
    }

    /// Holds the price of a request, so that it can be served.
    ///
    /// # Errors
    /// See [`ChannelRefusal`].
    pub fn begin(&mut self, purchase: &Purchase, now: UnixTime) -> Result<Begun, ChannelRefusal> {
        if let Some(last) = self.repeated(purchase) {
            return Ok(Begun::Repeated(last));
        }
        self.holds.retain(|held| held.until > now);
        if self.holds.iter().any(|held| held.request == purchase.request) {
            return Err(ChannelRefusal::Busy);
        }
        self.affords(purchase, now)?;
        self.holds.push(HeldPrice {
            request: purchase.request,
            cumulative: self.shown(purchase),
            price: purchase.price,
            until: purchase.until,
        });
        Ok(Begun::Held)
    }

    /// The answer of [`Channel::begin`] once this much more is deposited: a deposit for a voucher
    /// that is refused then would only have to be paid back.
    ///
    /// # Errors
    /// See [`ChannelRefusal`].
    pub fn foresee(
        &self,
        purchase: &Purchase,
        deposit: Amount,
        now: UnixTime,
    ) -> Result<Begun, ChannelRefusal> {
        let mut later = self.clone();
        let sum = later.sight.deposit.checked_add(deposit);
        later.sight.deposit = sum.ok_or(ChannelRefusal::AboveDeposit)?;
        if !self.is_fresh(now) && later.sight.on_chain != OnChain::Finalized {
            later.sight.on_chain = OnChain::Open;
        }
        later.sight.at = now;
        later.begin(purchase, now)
    }

    /// Charges a request that was served, before its answer leaves; what it was charged.
    ///
    /// A request whose hold is gone, after a crash or its end, is checked as if it began now.
    ///
    /// # Errors
    /// See [`ChannelRefusal`]; then the answer must not leave.
    pub fn charge(
        &mut self,
        purchase: &Purchase,
        used: Amount,
        now: UnixTime,
    ) -> Result<LastSale, ChannelRefusal> {
        if let Some(last) = self.repeated(purchase) {
            return Ok(last);
        }
        if used > purchase.price {
            return Err(ChannelRefusal::AboveCharge);
        }
        let cumulative = self.shown(purchase);
        // Where a voucher pays for many requests, a higher one may have come since it was held.
        let is_same = |held: &HeldPrice| match self.rule {
            VoucherRule::Exact => held.cumulative == cumulative,
            VoucherRule::Headroom { .. } => held.cumulative <= cumulative,
        };
        let place = self.holds.iter().position(|held| {
            held.request == purchase.request
                && held.price == purchase.price
                && held.until > now
                && is_same(held)
        });
        match place {
            Some(place) => {
                self.holds.remove(place);
            }
            None => {
                self.holds.retain(|held| held.until > now);
                self.affords(purchase, now)?;
            }
        }
        let spent = self.spent.checked_add(used).ok_or(ChannelRefusal::AboveCharge)?;
        // A voucher goes to the chain to claim by, where everyone reads it. One that brings nothing
        // there would be the next one that its payer signs.
        let proves = self.rule != VoucherRule::Exact || spent > self.accepted();
        if let Some(voucher) = &purchase.voucher
            && proves
        {
            self.keep(voucher);
        }
        self.spent = spent;
        self.sold = now;
        if !used.is_zero() {
            self.earned_since = self.earned_since.or(Some(now));
        }
        let Purchase { request, mark, .. } = *purchase;
        let last = LastSale { cumulative, request, charged: used, mark };
        self.last = Some(last);
        Ok(last)
    }

    /// Charges a stream for what flows next; what the highest voucher has to be for first, if it is
    /// used up. Under [`VoucherRule::Exact`] it is the stream that this purchase bought: its voucher
    /// is the most, and the next request ends it.
    ///
    /// # Errors
    /// See [`ChannelRefusal`]; then nothing more may flow.
    pub fn step(
        &mut self,
        price: Amount,
        bought: Option<&Purchase>,
        now: UnixTime,
    ) -> Result<Option<Amount>, ChannelRefusal> {
        self.sells(now)?;
        self.holds.retain(|held| held.until > now);
        let missing = match bought {
            Some(bought) => self.missing_of(bought, price)?,
            None => self.missing(price)?,
        };
        if missing.is_some() {
            return Ok(missing);
        }
        let accepted = self.accepted();
        self.spent = self.spent.checked_add(price).ok_or(ChannelRefusal::AboveCharge)?;
        if let Some(Purchase { voucher: Some(voucher), .. }) = bought
            && self.spent > accepted
        {
            self.keep(voucher);
        }
        self.earned_since = self.earned_since.or(Some(now));
        Ok(None)
    }

    /// The amount of the voucher that [`Channel::step`] would wait for.
    ///
    /// # Errors
    /// See [`ChannelRefusal`]: then no voucher helps.
    pub fn awaits(
        &mut self,
        price: Amount,
        now: UnixTime,
    ) -> Result<Option<Amount>, ChannelRefusal> {
        match self.sells(now) {
            // The step looks at the chain.
            Ok(()) | Err(ChannelRefusal::Stale) => {}
            Err(refusal) => return Err(refusal),
        }
        self.holds.retain(|held| held.until > now);
        self.missing(price)
    }

    /// The amount that the highest voucher has to be for, so that so much more can be charged;
    /// `None` if it is.
    pub(super) fn missing(&self, price: Amount) -> Result<Option<Amount>, ChannelRefusal> {
        match self.rule {
            VoucherRule::Headroom { .. } => {}
            VoucherRule::Exact => return Err(ChannelRefusal::CumulativeMismatch),
        }
        let needed = self.needed(price).ok_or(ChannelRefusal::AboveCharge)?;
        Ok(Some(needed).filter(|needed| *needed > self.accepted().min(self.available())))
    }

    /// The same for a stream that one voucher bought.
    pub(super) fn missing_of(
        &self,
        bought: &Purchase,
        price: Amount,
    ) -> Result<Option<Amount>, ChannelRefusal> {
        let (VoucherRule::Exact, Some(voucher)) = (self.rule, &bought.voucher) else {
            return Err(ChannelRefusal::CumulativeMismatch);
        };
        let shown = voucher.voucher.cumulative;
        let is_its = |last: LastSale| last.request == bought.request && last.cumulative == shown;
        // A request that was begun since is held for all that its voucher adds.
        let is_last = self.last.is_some_and(is_its) && self.holds.is_empty();
        if !is_last {
            return Err(ChannelRefusal::CumulativeMismatch);
        }
        let needed = self.needed(price).ok_or(ChannelRefusal::AboveCharge)?;
        Ok(Some(needed).filter(|needed| *needed > shown.min(self.available())))
    }

    /// The amounts that are charged and held, and so much more.
    pub(super) fn needed(&self, price: Amount) -> Option<Amount> {
        let taken =
            self.holds.iter().try_fold(self.spent, |sum, held| sum.checked_add(held.price))?;
        taken.checked_add(price)
    }

    /// The amount that the next voucher has to be for, so that so much more can be charged and it
    /// is taken.
    pub(crate) fn required(&self, price: Amount) -> Option<Amount> {
        let needed = self.needed(price)?;
        match self.rule {
            VoucherRule::Headroom { min_delta } if needed <= self.accepted() => {
                self.accepted().checked_add(min_delta)
            }
            VoucherRule::Headroom { .. } | VoucherRule::Exact => Some(needed),
        }
    }

    /// Lets go of a request that was not served.
    pub fn release(&mut self, request: &[u8; 32]) {
        self.holds.retain(|held| held.request != *request);
    }

    pub(super) fn sells(&self, now: UnixTime) -> Result<(), ChannelRefusal> {
        if self.may_be_restored() && self.sight.on_chain != OnChain::Finalized {
            return Err(ChannelRefusal::Closing);
        }
        match (self.sight.on_chain, self.agreement) {
            (OnChain::Finalized, Agreement::Selling | Agreement::Closing) => {
                Err(ChannelRefusal::Finalized)
            }
            // The payer may have withdrawn, and come back.
            (OnChain::Leaving(_), Agreement::Selling) if !self.is_fresh(now) => {
                Err(ChannelRefusal::Stale)
            }
            (OnChain::Leaving(_), Agreement::Selling | Agreement::Closing)
            | (OnChain::Open, Agreement::Closing) => Err(ChannelRefusal::Closing),
            (OnChain::Open, Agreement::Selling) if self.is_fresh(now) => Ok(()),
            (OnChain::Open, Agreement::Selling) => Err(ChannelRefusal::Stale),
        }
    }

    pub(super) fn is_its(&self, voucher: &CheckedVoucher) -> Result<(), ChannelRefusal> {
        let is_its = voucher.voucher.channel == self.id;
        if is_its { Ok(()) } else { Err(ChannelRefusal::NotFound) }
    }

    /// A voucher that may be accepted; `None` for one for nothing, with which a channel begins. First
    /// of all: what follows tells of the channel.
    fn unpublished(
        &self,
        voucher: &CheckedVoucher,
    ) -> Result<Option<SecretVoucher>, ChannelRefusal> {
        match (self.bearer(voucher), self.rule) {
            (Bearer::Payer(secret), _) => Ok(Some(secret)),
            (Bearer::Anyone(shown), VoucherRule::Headroom { .. })
                if shown.cumulative().is_zero() =>
            {
                Ok(None)
            }
            (Bearer::Anyone(shown), VoucherRule::Headroom { .. }) => {
                Err(match shown.cumulative() < self.published() {
                    true => ChannelRefusal::Decreasing,
                    false => ChannelRefusal::InsufficientHeadroom,
                })
            }
            (Bearer::Anyone(_), VoucherRule::Exact) => Err(ChannelRefusal::CumulativeMismatch),
        }
    }

    /// Whether this voucher may be accepted, by the rule of those that may pay for many requests.
    fn takes(&self, voucher: &CheckedVoucher, now: UnixTime) -> Result<(), ChannelRefusal> {
        self.is_its(voucher)?;
        let sells = self.sells(now);
        // The chain tells everyone that it has ended; what else there is to say does not.
        if matches!(sells, Err(ChannelRefusal::Closing | ChannelRefusal::Finalized)) {
            return sells;
        }
        let secret = self.unpublished(voucher)?;
        sells?;
        let amount = secret.map_or(Amount::ZERO, SecretVoucher::cumulative);
        let accepted = self.accepted();
        if amount > self.available() {
            return Err(ChannelRefusal::AboveDeposit);
        }
        if amount < accepted {
            return Err(ChannelRefusal::Decreasing);
        }
        let delta = amount.checked_sub(accepted).unwrap_or(Amount::ZERO);
        match self.rule {
            // What is left of a deposit may be less, and so may what lacks for the next step.
            VoucherRule::Headroom { min_delta }
                if !delta.is_zero()
                    && delta < min_delta
                    && amount < self.available()
                    && self.required(min_delta).is_none_or(|least| amount < least) =>
            {
                Err(ChannelRefusal::DeltaTooSmall)
            }
            VoucherRule::Headroom { .. } | VoucherRule::Exact => Ok(()),
        }
    }

    /// Whether a request may be served now.
    pub(super) fn affords(&self, purchase: &Purchase, now: UnixTime) -> Result<(), ChannelRefusal> {
        match (self.rule, &purchase.voucher) {
            (VoucherRule::Exact, Some(voucher)) => {
                self.is_its(voucher)?;
                // What was not charged of a published one, everyone could spend.
                self.unpublished(voucher)?;
                if !self.holds.is_empty() {
                    return Err(ChannelRefusal::Busy);
                }
                let exact = self.spent.checked_add(purchase.price);
                if exact != Some(voucher.voucher.cumulative) {
                    return Err(ChannelRefusal::CumulativeMismatch);
                }
                // After what the row tells by itself: a look is for a voucher that may be taken.
                self.sells(now)?;
                if voucher.voucher.cumulative > self.available() {
                    return Err(ChannelRefusal::AboveDeposit);
                }
                Ok(())
            }
            (VoucherRule::Exact, None) => Err(ChannelRefusal::CumulativeMismatch),
            (VoucherRule::Headroom { .. }, voucher) => {
                match voucher {
                    Some(voucher) => self.takes(voucher, now)?,
                    None => self.sells(now)?,
                }
                // What is above the deposit now, after a reorganisation, pays for nothing.
                let covered = self.shown(purchase).min(self.available());
                match self.needed(purchase.price) {
                    Some(needed) if needed <= covered || purchase.price.is_zero() => Ok(()),
                    Some(_) | None => Err(ChannelRefusal::InsufficientHeadroom),
                }
            }
        }
    }

    /// The amount of the highest voucher, with the one that this request brings.
    pub(super) fn shown(&self, purchase: &Purchase) -> Amount {
        match (self.rule, &purchase.voucher) {
            (VoucherRule::Exact, Some(voucher)) => voucher.voucher.cumulative,
            (VoucherRule::Headroom { .. }, Some(voucher)) => {
                voucher.voucher.cumulative.max(self.accepted())
            }
            (VoucherRule::Exact | VoucherRule::Headroom { .. }, None) => self.accepted(),
        }
    }

    /// The last sale, if this is the same request, under [`VoucherRule::Exact`] with the same
    /// voucher.
    pub(super) fn repeated(&self, purchase: &Purchase) -> Option<LastSale> {
        let last = self.last?;
        let is_same = last.request == purchase.request;
        match self.rule {
            VoucherRule::Exact => {
                let shown = purchase.voucher?.voucher.cumulative;
                // A voucher that was charged nothing pays for the next request.
                (is_same && last.cumulative == shown && !last.charged.is_zero()).then_some(last)
            }
            VoucherRule::Headroom { .. } => is_same.then_some(last),
        }
    }

    pub(super) fn keep(&mut self, voucher: &CheckedVoucher) {
        let CheckedVoucher { voucher, signature } = *voucher;
        if self.evidence.is_none_or(|evidence| evidence.cumulative < voucher.cumulative) {
            self.evidence = Some(HighestVoucher { cumulative: voucher.cumulative, signature });
        }
        self.confirm();
    }
}
