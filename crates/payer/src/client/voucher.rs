//! Which voucher a payer shows next: the one it has, a higher one, or none before a top-up. Spec: OKX
//! Agent Payments Protocol, "Session behaviour on the client".

use farebox_base::amount::Amount;

/// A payer's record of an open channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// The amount that is deposited.
    pub deposit: Amount,
    /// The highest voucher that was signed; zero before the first.
    pub cumulative: Amount,
    /// The part of it that the payee has used, as far as the payer knows.
    pub spent: Amount,
}

/// The voucher for the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextVoucher {
    /// Show the highest one again: it pays for this request too.
    Reuse(Amount),
    /// Sign one for this amount.
    Sign(Amount),
    /// Deposit at least this much first, then sign one for the second amount.
    TopUp(Amount, Amount),
}

impl ChannelState {
    /// The voucher for a request at the price of the newest challenge; `None` if the amounts leave
    /// what a voucher can say.
    ///
    /// A voucher raises the amount by at least `min_delta`, and never by less than what is missing.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::amount::Amount;
    /// use farebox_payer::client::voucher::{ChannelState, NextVoucher};
    /// let units = Amount::from_u64;
    /// let state = |cumulative, spent| ChannelState {
    ///     deposit: units(100), cumulative: units(cumulative), spent: units(spent),
    /// };
    /// let next = |state: ChannelState| state.next_voucher(units(10), Amount::ZERO).unwrap();
    /// assert_eq!(next(state(10, 10)), NextVoucher::Sign(units(20)));
    /// assert_eq!(next(state(50, 20)), NextVoucher::Reuse(units(50)));
    /// assert_eq!(next(state(100, 100)), NextVoucher::TopUp(units(10), units(110)));
    /// ```
    #[must_use]
    pub fn next_voucher(&self, unit: Amount, min_delta: Amount) -> Option<NextVoucher> {
        let left = self.cumulative.checked_sub(self.spent).unwrap_or(Amount::ZERO);
        if left >= unit && !self.cumulative.is_zero() {
            return Some(NextVoucher::Reuse(self.cumulative));
        }
        let next = self.cumulative.checked_add(unit.max(min_delta))?;
        Some(match next.checked_sub(self.deposit) {
            Some(missing) if !missing.is_zero() => NextVoucher::TopUp(missing, next),
            Some(_) | None => NextVoucher::Sign(next),
        })
    }

    /// The state once a voucher was shown and a request served.
    #[must_use]
    pub fn served(self, voucher: NextVoucher, charged: Amount) -> Self {
        let (NextVoucher::Reuse(shown) | NextVoucher::Sign(shown) | NextVoucher::TopUp(_, shown)) =
            voucher;
        let cumulative = self.cumulative.max(shown);
        let spent = self.spent.checked_add(charged).unwrap_or(Amount::MAX);
        Self { cumulative, spent: spent.min(cumulative), ..self }
    }

    /// The state once the payee said that the voucher is used up: the next one is signed, not
    /// shown again.
    #[must_use]
    pub const fn exhausted(self) -> Self {
        Self { spent: self.cumulative, ..self }
    }

    /// The state after a deposit.
    #[must_use]
    pub fn topped_up(self, additional: Amount) -> Self {
        Self { deposit: self.deposit.checked_add(additional).unwrap_or(Amount::MAX), ..self }
    }

    /// The amount that a close at the highest voucher pays back.
    #[must_use]
    pub fn refund_at_close(&self) -> Amount {
        self.deposit.checked_sub(self.cumulative).unwrap_or(Amount::ZERO)
    }
}

/// The deposit for a channel: what the payee suggests, or a hundred units.
#[must_use]
pub fn suggested_deposit(suggested: Option<Amount>, unit: Amount) -> Option<Amount> {
    suggested.or_else(|| unit.checked_mul_u64(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(amount: u64) -> Amount {
        Amount::from_u64(amount)
    }

    fn state(cumulative: u64, spent: u64) -> ChannelState {
        ChannelState { deposit: units(100), cumulative: units(cumulative), spent: units(spent) }
    }

    #[test]
    fn a_price_that_rises_is_paid_from_then_on() {
        let sign = state(10, 10).next_voucher(units(15), Amount::ZERO).unwrap();
        assert_eq!(sign, NextVoucher::Sign(units(25)));
        // What is left of the highest voucher no longer suffices.
        let sign = state(20, 10).next_voucher(units(15), Amount::ZERO).unwrap();
        assert_eq!(sign, NextVoucher::Sign(units(35)));
    }

    #[test]
    fn a_voucher_that_the_payee_calls_used_up_is_signed_anew_once_and_not_reused() {
        let before = state(50, 20);
        let told = before.exhausted();
        let signed = told.next_voucher(units(10), Amount::ZERO).unwrap();
        assert_eq!(signed, NextVoucher::Sign(units(60)));
        let served = told.served(signed, units(10));
        assert_eq!(served, state(60, 60));
        assert_eq!(
            served.next_voucher(units(10), Amount::ZERO),
            Some(NextVoucher::Sign(units(70)))
        );
    }

    #[test]
    fn each_voucher_rises_by_what_the_payee_asks_for_at_least() {
        let signed = state(10, 10).next_voucher(units(10), units(50)).unwrap();
        assert_eq!(signed, NextVoucher::Sign(units(60)));
        let next = state(10, 10).served(signed, units(10));
        assert_eq!(next.next_voucher(units(10), units(50)), Some(NextVoucher::Reuse(units(60))));
    }

    #[test]
    fn a_deposit_that_is_used_up_is_topped_up_before_a_voucher_is_signed() {
        let spent = state(100, 100);
        let next = spent.next_voucher(units(10), Amount::ZERO).unwrap();
        assert_eq!(next, NextVoucher::TopUp(units(10), units(110)));
        let more = spent.topped_up(units(200));
        assert_eq!(more.next_voucher(units(10), Amount::ZERO), Some(NextVoucher::Sign(units(110))));
    }

    #[test]
    fn a_close_pays_back_what_no_voucher_was_signed_for() {
        assert_eq!(state(30, 20).refund_at_close(), units(70));
        assert_eq!(suggested_deposit(None, units(10)), Some(units(1000)));
        assert_eq!(suggested_deposit(Some(units(7)), units(10)), Some(units(7)));
        assert_eq!(suggested_deposit(None, Amount::MAX), None);
    }

    #[test]
    fn a_first_voucher_is_signed_even_if_the_price_is_zero() {
        let first = state(0, 0).next_voucher(Amount::ZERO, Amount::ZERO).unwrap();
        assert_eq!(first, NextVoucher::Sign(Amount::ZERO));
    }
}
