//! The part of a deposit that its chain does not undo any more, and the vouchers to claim by if it
//! undoes more than that: by MPP the contract pays all that a voucher is for, or nothing.

use alloc::vec::Vec;

use crate::voucher::HighestVoucher;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

/// The deposit that the chain has shown for so long that it is not undone, less what is promised
/// back, and the highest voucher within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirmDeposit {
    pub(crate) deposit: Amount,
    pub(crate) voucher: Option<HighestVoucher>,
    /// A higher deposit, and since when the chain shows at least that.
    pub(crate) rising: Option<(Amount, UnixTime)>,
    /// Deposits between this one and the last, the lowest first.
    pub(crate) lower: Vec<LowerDeposit>,
}

/// A deposit that the chain has shown before a higher one, to which it may go back, and the highest
/// voucher within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LowerDeposit {
    pub(crate) deposit: Amount,
    pub(crate) voucher: Option<HighestVoucher>,
}

impl FirmDeposit {
    pub const fn new(deposit: Amount, voucher: Option<HighestVoucher>) -> Self {
        Self { deposit, voucher, rising: None, lower: Vec::new() }
    }

    /// Takes a deposit that the chain shows.
    pub fn see(&mut self, shown: Amount, at: UnixTime) {
        self.deposit = self.deposit.min(shown);
        self.rising = match self.rising {
            _ if shown == self.deposit => None,
            None => Some((shown, at)),
            Some((least, since)) if at < since.plus(FIRM_SECS) => Some((least.min(shown), since)),
            Some((least, _)) => {
                self.deposit = least.min(shown);
                (shown > self.deposit).then_some((shown, at))
            }
        };
    }

    /// Notes the deposit that a higher one follows, where `highest` is the highest voucher.
    pub fn rise_from(&mut self, deposit: Amount, highest: Option<HighestVoucher>) {
        let is_known = self.lower.iter().any(|it| it.deposit == deposit);
        if deposit <= self.deposit || is_known {
            return;
        }
        let voucher = self.within(deposit, highest);
        // What was added last is undone first.
        self.lower.truncate(MAX_LOWER);
        let place = self.lower.iter().position(|it| it.deposit > deposit);
        self.lower.insert(place.unwrap_or(self.lower.len()), LowerDeposit { deposit, voucher });
    }

    /// Notes the highest voucher wherever it is within a deposit.
    pub fn keep(&mut self, highest: HighestVoucher) {
        for lower in &mut self.lower {
            if highest.cumulative <= lower.deposit {
                lower.voucher = Some(highest);
            }
        }
        let firm = self.within(self.deposit, Some(highest));
        let is_more =
            |it: &HighestVoucher| self.voucher.is_none_or(|known| known.cumulative < it.cumulative);
        if let Some(voucher) = firm.filter(is_more) {
            self.voucher = Some(voucher);
        }
        self.lower.retain(|it| it.deposit > self.deposit);
    }

    /// The highest voucher within this deposit, of `highest` and those that are kept.
    pub fn within(
        &self,
        deposit: Amount,
        highest: Option<HighestVoucher>,
    ) -> Option<HighestVoucher> {
        let lower = self.lower.iter().filter_map(|it| it.voucher);
        let known = highest.into_iter().chain(lower).chain(self.voucher);
        known.filter(|it| it.cumulative <= deposit).max_by_key(|it| it.cumulative)
    }
}

/// Seconds after which what was added to a deposit is not undone: longer than chains take to be final.
pub(crate) const FIRM_SECS: u64 = 900;
/// Lower deposits that are kept beside the last one: each addition costs its payer a transaction.
const MAX_LOWER: usize = 7;
