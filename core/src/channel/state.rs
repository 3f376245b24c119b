//! One channel: what it accepts, holds, charges and owes. Every step is total: it changes the channel or refuses and leaves it as it was.

use alloc::vec::Vec;

use super::config::ChannelId;
use super::refusal::ChannelRefusal;
use super::voucher::{CheckedVoucher, Voucher};
use crate::amount::Amount;
use crate::evm::signature::Signature;
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

/// Which vouchers a protocol lets a request bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoucherRule {
    /// One for each request: what was charged so far, and the price. One request at a time. Spec:
    /// x402 `batch-settlement` on EVM, "Request Processing".
    Exact,
    /// Any that is not lower; it may pay for many requests. Spec: MPP session, "Voucher
    /// verification".
    Headroom {
        /// The least that a new one adds.
        min_delta: Amount,
    },
}

/// Whether the contract still lets the payee claim, and the payer take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChain {
    /// Neither side wants to end it.
    Open,
    /// The payer has asked to withdraw, at this time.
    Leaving(UnixTime),
    /// Closed for ever.
    Finalized,
}

/// What the chain shows of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// All deposits, less refunds and withdrawals.
    pub deposit: Amount,
    /// What was claimed.
    pub claimed: Amount,
    /// Its standing.
    pub on_chain: OnChain,
    /// How many refunds there were.
    pub refund_nonce: Amount,
    /// When the chain was asked.
    pub at: UnixTime,
}

/// A refund that was signed: whoever has the signature may send it until its nonce is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The count of refunds that it was signed for.
    pub nonce: Amount,
    /// Its amount.
    pub amount: Amount,
}

/// The highest voucher that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HighestVoucher {
    /// Its amount.
    pub cumulative: Amount,
    /// Its signature.
    pub signature: Signature,
}

/// The request that was charged last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSale {
    /// The amount of the voucher that it brought; what was accepted, if it brought none.
    pub cumulative: Amount,
    /// The hash of the request.
    pub request: [u8; 32],
    /// What it was charged.
    pub charged: Amount,
}

/// Whether the chain was seen since money was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptResult {
    Seen,
    Unseen,
}

/// Whether the list has what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListNotice {
    /// It is told at this time.
    Due(UnixTime),
    /// It has it.
    Done,
}

/// Whether payee and payer have agreed to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It sells.
    Selling,
    /// It is to be closed on the chain.
    Closing,
}

/// A request that is to be paid from a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The voucher that it brings, if it brings one.
    pub voucher: Option<CheckedVoucher>,
    /// The most that it may be charged.
    pub price: Amount,
    /// The hash of the request; where a voucher may pay for many, of what names this one.
    pub request: [u8; 32],
    /// When its hold ends by itself.
    pub until: UnixTime,
}

/// What a payer asks back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundWish {
    /// The amount of the voucher that is shown.
    pub shown: Amount,
    /// How much; everything that is not earned, if it is not said.
    pub amount: Option<Amount>,
    /// The least that is worth a transaction, unless it is everything.
    pub least: Amount,
}

/// What becomes of such a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundFate {
    /// It is promised: send it.
    Promised(Promise),
    /// It was paid back before.
    Repeated(Promise),
}

/// What becomes of a request that asks to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Its price is held: serve it, then charge it.
    Held,
    /// It was charged before: give it the same answer, or none, but never another.
    Repeated(LastSale),
}

/// A channel between one payer and one payee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    pub(super) id: ChannelId,
    pub(super) rule: VoucherRule,
    pub(super) withdraw_delay_secs: u64,
    pub(super) sight: Sight,
    pub(super) evidence: Option<HighestVoucher>,
    pub(super) spent: Amount,
    /// When the first charge was made that the chain does not show as claimed.
    pub(super) earned_since: Option<UnixTime>,
    pub(super) promised: Option<Promise>,
    /// The last refund that the chain shows, and what was spent when it was promised.
    pub(super) refunded: Option<(Promise, Amount)>,
    /// All refunds that the chain shows.
    pub(super) paid_back: Amount,
    pub(super) agreement: Agreement,
    pub(super) last: Option<LastSale>,
    /// The highest voucher that was sent for a chain, where everyone reads it.
    pub(super) published: Amount,
    /// Calls that have not helped, by which facilitators take turns.
    pub(super) turn: u64,
    /// Attempts to send for money since the chain last changed.
    pub(super) tries: u64,
    /// Whether the list of channels has what changed.
    pub(super) listing: ListNotice,
    /// What of the claims was paid out to the payee.
    pub(super) paid_out: Amount,
    /// When the next payout may be asked for.
    pub(super) pay_out_from: UnixTime,
    /// When money was last sent for.
    pub(super) tried: Option<UnixTime>,
    /// Whether the chain has been seen since.
    pub(super) result: AttemptResult,
    /// When the chain was last asked, whether or not it answered.
    pub(super) looked: UnixTime,
    /// Prices of requests that are being served; in memory alone.
    pub(super) holds: Vec<HeldPrice>,
    /// What is left when the chain undoes what was added last.
    pub(super) firm: FirmDeposit,
}

/// The deposit that the chain has shown for so long that it is not undone, and the highest voucher
/// within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirmDeposit {
    pub(super) deposit: Amount,
    pub(super) voucher: Option<HighestVoucher>,
    /// A higher deposit, and since when the chain shows at least that.
    pub(super) rising: Option<(Amount, UnixTime)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldPrice {
    request: [u8; 32],
    /// The amount of the voucher that it brought.
    cumulative: Amount,
    price: Amount,
    until: UnixTime,
}

impl Channel {
    /// A channel that the chain shows. What was claimed there was spent; what was accepted before
    /// its row was lost is not known.
    #[must_use]
    pub const fn seen_first(
        id: ChannelId,
        rule: VoucherRule,
        withdraw_delay_secs: u64,
        sight: Sight,
    ) -> Self {
        Self {
            id,
            rule,
            withdraw_delay_secs,
            sight,
            evidence: None,
            spent: sight.claimed,
            earned_since: None,
            promised: None,
            refunded: None,
            paid_back: Amount::ZERO,
            agreement: Agreement::Selling,
            last: None,
            published: sight.claimed,
            turn: 0,
            tries: 0,
            listing: ListNotice::Due(sight.at),
            paid_out: sight.claimed,
            pay_out_from: sight.at,
            tried: None,
            result: AttemptResult::Seen,
            looked: sight.at,
            holds: Vec::new(),
            firm: FirmDeposit { deposit: sight.deposit, voucher: None, rising: None },
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> ChannelId {
        self.id
    }

    /// What the chain showed last.
    #[must_use]
    pub const fn sight(&self) -> &Sight {
        &self.sight
    }

    /// The highest voucher, if there is one.
    #[must_use]
    pub const fn evidence(&self) -> Option<&HighestVoucher> {
        self.evidence.as_ref()
    }

    /// The same, as it was shown.
    #[must_use]
    pub fn highest(&self) -> Option<CheckedVoucher> {
        let HighestVoucher { cumulative, signature } = self.evidence?;
        Some(CheckedVoucher::known(Voucher { channel: self.id, cumulative }, signature))
    }

    /// What was accepted: at least what was spent.
    #[must_use]
    pub fn accepted(&self) -> Amount {
        self.evidence.map_or(self.spent, |evidence| evidence.cumulative.max(self.spent))
    }

    /// What was charged.
    #[must_use]
    pub const fn spent(&self) -> Amount {
        self.spent
    }

    /// The refund that is signed and not yet seen.
    #[must_use]
    pub const fn promised(&self) -> Option<&Promise> {
        self.promised.as_ref()
    }

    /// The request that was charged last.
    #[must_use]
    pub const fn last(&self) -> Option<&LastSale> {
        self.last.as_ref()
    }

    /// What vouchers may be accepted up to: the deposit, less what is promised back.
    #[must_use]
    pub fn available(&self) -> Amount {
        match self.promised {
            Some(promise) if !planted(Mutant::PromisesAreSpent) => {
                self.sight.deposit.checked_sub(promise.amount).unwrap_or(Amount::ZERO)
            }
            Some(_) | None => self.sight.deposit,
        }
    }

    /// Takes what the chain shows. An answer to an earlier question than the last one, or of a node
    /// that has not seen the last refund, changes nothing.
    pub fn see(&mut self, sight: Sight) {
        let is_late = sight.at < self.sight.at || sight.refund_nonce < self.sight.refund_nonce;
        if (is_late || self.is_behind(&sight)) && !planted(Mutant::OldSightsCount) {
            return;
        }
        // Only the time is another one: the list has it.
        if (Sight { at: self.sight.at, ..sight }) != self.sight {
            self.listing = ListNotice::Due(sight.at);
        }
        if sight.claimed > self.sight.claimed || sight.refund_nonce > self.sight.refund_nonce {
            self.tries = 0;
        }
        self.firm.see(&sight);
        self.sight = sight;
        self.confirm();
        if self.tried.is_none_or(|tried| tried <= sight.at) {
            self.result = AttemptResult::Seen;
        }
        self.looked = self.looked.max(sight.at);
        // Another gate may have claimed with vouchers that this row has lost. Where a claim takes
        // all that a voucher is for, what is above the charges stays to be spent.
        let is_prepaid = match self.rule {
            VoucherRule::Exact => false,
            VoucherRule::Headroom { .. } => sight.claimed <= self.accepted(),
        };
        if !is_prepaid {
            self.spent = self.spent.max(sight.claimed);
        }
        if self.spent <= sight.claimed {
            self.earned_since = None;
        } else if self.earned_since.is_none() {
            // A claim was reorganised away.
            self.earned_since = Some(sight.at);
        }
        if let Some(promise) = self.promised
            && promise.nonce < sight.refund_nonce
        {
            self.refunded = Some((promise, self.spent));
            self.paid_back = self.paid_back.checked_add(promise.amount).unwrap_or(self.paid_back);
            self.promised = None;
        }
    }

    /// Whether this may be what a node shows that has not seen the newest blocks. Claims of x402
    /// come with a count of refunds; the contract of MPP has none.
    fn is_behind(&self, sight: &Sight) -> bool {
        let known = &self.sight;
        let is_back = match (known.on_chain, sight.on_chain) {
            (OnChain::Finalized, OnChain::Open | OnChain::Leaving(_)) => true,
            // What is added to a deposit withdraws the wish to leave.
            (OnChain::Leaving(_), OnChain::Open) => sight.deposit <= known.deposit,
            (OnChain::Open | OnChain::Leaving(_) | OnChain::Finalized, _) => {
                sight.deposit < known.deposit || sight.claimed < known.claimed
            }
        };
        let is_counted = sight.refund_nonce > known.refund_nonce;
        let is_told = self.rule == VoucherRule::Exact || is_counted;
        !is_told && is_back && sight.at < known.at.plus(BEHIND_SECS)
    }

    /// Accepts a voucher without charging anything.
    ///
    /// # Errors
    /// See [`ChannelRefusal`].
    pub fn accept(
        &mut self,
        voucher: &CheckedVoucher,
        now: UnixTime,
    ) -> Result<(), ChannelRefusal> {
        self.sells(now)?;
        self.holds.retain(|held| held.until > now);
        self.takes(voucher)?;
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

    /// What [`Channel::begin`] would say once this much more is deposited: a deposit for a voucher
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
        if used > purchase.price && !planted(Mutant::UnitsAreUnbounded) {
            return Err(ChannelRefusal::AboveCharge);
        }
        let cumulative = self.shown(purchase);
        // Where a voucher pays for many requests, a higher one may have come since it was held.
        let is_same = |held: &HeldPrice| match self.rule {
            VoucherRule::Exact => held.cumulative == cumulative,
            VoucherRule::Headroom { .. } => {
                held.cumulative == cumulative
                    || held.cumulative < cumulative && !planted(Mutant::HigherVouchersUncharge)
            }
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
            None if planted(Mutant::LateIsCharged) => {}
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
            && (proves || planted(Mutant::RoomIsPublished))
        {
            self.keep(voucher);
        }
        self.spent = spent;
        if !used.is_zero() {
            self.earned_since = self.earned_since.or(Some(now));
        }
        let last = LastSale { cumulative, request: purchase.request, charged: used };
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
        if missing.is_some() && !planted(Mutant::StepsOverlap) {
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

    /// What [`Channel::step`] would wait for.
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

    /// What the highest voucher has to be for, so that so much more can be charged; `None` if it is.
    fn missing(&self, price: Amount) -> Result<Option<Amount>, ChannelRefusal> {
        match self.rule {
            VoucherRule::Headroom { .. } => {}
            VoucherRule::Exact => return Err(ChannelRefusal::CumulativeMismatch),
        }
        let needed = self.needed(price).ok_or(ChannelRefusal::AboveCharge)?;
        Ok(Some(needed).filter(|needed| *needed > self.accepted().min(self.available())))
    }

    /// The same for a stream that one voucher bought.
    fn missing_of(
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
        if !is_last && !planted(Mutant::StreamsOverlap) {
            return Err(ChannelRefusal::CumulativeMismatch);
        }
        let needed = self.needed(price).ok_or(ChannelRefusal::AboveCharge)?;
        Ok(Some(needed).filter(|needed| *needed > shown.min(self.available())))
    }

    /// What is charged and held, and so much more.
    fn needed(&self, price: Amount) -> Option<Amount> {
        let taken =
            self.holds.iter().try_fold(self.spent, |sum, held| sum.checked_add(held.price))?;
        taken.checked_add(price)
    }

    /// What the next voucher has to be for, so that so much more can be charged and it is taken.
    pub(super) fn required(&self, price: Amount) -> Option<Amount> {
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
        let rest = self.sight.deposit.checked_sub(self.spent).unwrap_or(Amount::ZERO);
        if let Some((before, spent)) = self.refunded
            && spent == self.spent
            && amount.map_or(rest.is_zero(), |amount| amount == before.amount)
        {
            return Ok(RefundFate::Repeated(before));
        }
        if rest.is_zero() {
            return Err(ChannelRefusal::NoBalance);
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
        self.attempted(now);
        Ok(RefundFate::Promised(promise))
    }

    /// Agrees to close, with a last voucher if there is one: it sells no more.
    ///
    /// # Errors
    /// See [`ChannelRefusal`].
    pub fn close(
        &mut self,
        voucher: Option<&CheckedVoucher>,
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
        self.agreement = Agreement::Closing;
        Ok(())
    }

    /// Whether what is known of the chain is new enough to accept vouchers by it.
    #[must_use]
    pub fn is_fresh(&self, now: UnixTime) -> bool {
        now < self.sight.at.plus(self.fresh_secs()) || planted(Mutant::StaleIsFresh)
    }

    /// Seconds for which what the chain shows is gone by.
    pub(super) fn fresh_secs(&self) -> u64 {
        self.withdraw_delay_secs.checked_div(3).unwrap_or_default().min(MAX_FRESH_SECS)
    }

    fn sells(&self, now: UnixTime) -> Result<(), ChannelRefusal> {
        match (self.sight.on_chain, self.agreement) {
            (OnChain::Finalized, Agreement::Selling | Agreement::Closing) => {
                Err(ChannelRefusal::Finalized)
            }
            (OnChain::Leaving(_), Agreement::Selling) if planted(Mutant::LeaversBuy) => Ok(()),
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

    fn is_its(&self, voucher: &CheckedVoucher) -> Result<(), ChannelRefusal> {
        let is_its = voucher.voucher.channel == self.id || planted(Mutant::AnyChannelPays);
        if is_its { Ok(()) } else { Err(ChannelRefusal::NotFound) }
    }

    /// Whether this voucher may be accepted, by the rule of those that may pay for many requests.
    fn takes(&self, voucher: &CheckedVoucher) -> Result<(), ChannelRefusal> {
        self.is_its(voucher)?;
        let (amount, accepted) = (voucher.voucher.cumulative, self.accepted());
        if amount > self.available() && !planted(Mutant::DepositIsUnbounded) {
            return Err(ChannelRefusal::AboveDeposit);
        }
        if amount < accepted && !planted(Mutant::VouchersFall) {
            return Err(ChannelRefusal::Decreasing);
        }
        // Anyone can show a voucher that went to a chain.
        let is_public = !amount.is_zero() && amount <= self.published;
        if is_public && !planted(Mutant::PublicVouchersPay) {
            return Err(ChannelRefusal::InsufficientHeadroom);
        }
        let delta = amount.checked_sub(accepted).unwrap_or(Amount::ZERO);
        match self.rule {
            // What is left of a deposit may be less, and so may what lacks for the next step.
            VoucherRule::Headroom { min_delta }
                if !delta.is_zero()
                    && delta < min_delta
                    && amount < self.available()
                    && self.required(min_delta).is_none_or(|least| amount < least)
                    && !planted(Mutant::DustIsTaken) =>
            {
                Err(ChannelRefusal::DeltaTooSmall)
            }
            VoucherRule::Headroom { .. } | VoucherRule::Exact => Ok(()),
        }
    }

    /// Whether a request may be served now.
    fn affords(&self, purchase: &Purchase, now: UnixTime) -> Result<(), ChannelRefusal> {
        match (self.rule, &purchase.voucher) {
            (VoucherRule::Exact, Some(voucher)) => {
                self.is_its(voucher)?;
                if !self.holds.is_empty() && !planted(Mutant::OneVoucherServesTwo) {
                    return Err(ChannelRefusal::Busy);
                }
                let exact = self.spent.checked_add(purchase.price);
                if exact != Some(voucher.voucher.cumulative) && !planted(Mutant::AnyVoucherPays) {
                    return Err(ChannelRefusal::CumulativeMismatch);
                }
                // What was not charged of a voucher, everyone could spend.
                let is_public = voucher.voucher.cumulative <= self.published();
                if is_public && !planted(Mutant::PublicRoomPays) {
                    return Err(ChannelRefusal::CumulativeMismatch);
                }
                // After what the row tells by itself: a look is for a voucher that may be taken.
                self.sells(now)?;
                if voucher.voucher.cumulative > self.available()
                    && !planted(Mutant::DepositIsUnbounded)
                {
                    return Err(ChannelRefusal::AboveDeposit);
                }
                Ok(())
            }
            (VoucherRule::Exact, None) => Err(ChannelRefusal::CumulativeMismatch),
            (VoucherRule::Headroom { .. }, voucher) => {
                self.sells(now)?;
                if let Some(voucher) = voucher {
                    self.takes(voucher)?;
                }
                // What is above the deposit now, after a reorganisation, pays for nothing.
                let covered = self.shown(purchase).min(self.available());
                match self.needed(purchase.price) {
                    Some(needed) if needed <= covered || purchase.price.is_zero() => Ok(()),
                    Some(_) if planted(Mutant::HoldsOverlap) => Ok(()),
                    Some(_) | None => Err(ChannelRefusal::InsufficientHeadroom),
                }
            }
        }
    }

    /// The amount of the highest voucher, with the one that this request brings.
    fn shown(&self, purchase: &Purchase) -> Amount {
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
    fn repeated(&self, purchase: &Purchase) -> Option<LastSale> {
        if planted(Mutant::RepeatsAreCharged) {
            return None;
        }
        let last = self.last?;
        let is_same = last.request == purchase.request || planted(Mutant::AnyRequestRepeats);
        match self.rule {
            VoucherRule::Exact => {
                let shown = purchase.voucher?.voucher.cumulative;
                // A voucher that was charged nothing pays for the next request.
                (is_same && last.cumulative == shown && !last.charged.is_zero()).then_some(last)
            }
            VoucherRule::Headroom { .. } => is_same.then_some(last),
        }
    }

    fn keep(&mut self, voucher: &CheckedVoucher) {
        let CheckedVoucher { voucher, signature } = *voucher;
        if self.evidence.is_none_or(|evidence| evidence.cumulative < voucher.cumulative)
            || planted(Mutant::VouchersFall)
        {
            self.evidence = Some(HighestVoucher { cumulative: voucher.cumulative, signature });
        }
        self.confirm();
    }

    /// Notes the highest voucher, if it is within what is not undone.
    fn confirm(&mut self) {
        if let Some(highest) = self.evidence.filter(|it| it.cumulative <= self.firm.deposit) {
            self.firm.voucher = Some(highest);
        }
    }
}

impl FirmDeposit {
    fn see(&mut self, sight: &Sight) {
        let shown = sight.deposit;
        self.deposit = self.deposit.min(shown);
        self.rising = match self.rising {
            _ if shown == self.deposit => None,
            None => Some((shown, sight.at)),
            Some((least, since)) if sight.at < since.plus(FIRM_SECS) => {
                Some((least.min(shown), since))
            }
            Some((least, _)) => {
                self.deposit = least.min(shown);
                (shown > self.deposit).then_some((shown, sight.at))
            }
        };
    }
}

/// Seconds after which what was added to a deposit is not undone: longer than chains take to be final.
pub(super) const FIRM_SECS: u64 = 900;
/// Seconds for which a node may be behind another one.
const BEHIND_SECS: u64 = 60;
/// The longest that what the chain shows is gone by, seconds.
const MAX_FRESH_SECS: u64 = 300;
