//! How much is sold in a day: no more than can leave the wallet again, and of that no seller has all.

use super::Now;
use super::records::Rows;
use super::row::DaySales;
use super::settings::Gateway;
use farebox_base::amount::Amount;
use farebox_base::mutant::{Mutant, planted};

impl Gateway {
    /// Whether a seller may sell one more job at this price today.
    pub(super) fn may_sell<R: Rows>(
        &self,
        records: &R,
        (seller, units): (&str, Amount),
        tick: Now<'_>,
    ) -> Result<bool, R::Error> {
        let fits = |sales: &DaySales, most: Amount| {
            let sum = sales.on(tick.now).checked_add(units);
            sum.is_some_and(|sum| sum <= most)
        };
        if let Some(share) = self.per_seller_day
            && !fits(&records.sales(Some(seller))?, share)
            && !planted(Mutant::OneSellerHasTheDay)
        {
            return Ok(false);
        }
        match self.per_day {
            Some(most) => {
                let fits = fits(&records.sales(None)?, most);
                Ok(fits || planted(Mutant::DaysHaveNoEnd))
            }
            None => Ok(true),
        }
    }
}
