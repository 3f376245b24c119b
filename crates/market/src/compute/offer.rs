//! The offer of a seller. A caller that has proven to be the seller makes it, in the request for
//! its session or with the session; before that anyone may register it, and then all have to say
//! the same.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::body::Fields;
use super::kernel::Now;
use super::message::JsonAnswer;
use super::records::Rows;
use super::refused::invalid;
use super::row::{Claims, DaySales, SellerRow};
use farebox_base::amount::Amount;

/// Most jobs that a seller takes at once.
const MAX_CAPACITY: u64 = 100;

/// A capability, its price, and how many jobs at once.
#[derive(Clone, Debug)]
pub(super) struct JobOffer {
    capability: String,
    price: String,
    units: Amount,
    capacity: u32,
}

/// The prices that sellers may ask for, and how much is sold in a day: no more than can leave the
/// wallet again, and of that no seller has all.
#[derive(Debug)]
pub(super) struct Limits {
    pub decimals: u8,
    pub max_price: Amount,
    pub min_price: Amount,
    pub per_day: Option<Amount>,
    pub per_seller_day: Option<Amount>,
}

impl Limits {
    /// Reads an offer.
    pub fn read_offer(&self, fields: &Fields) -> Result<JobOffer, JsonAnswer> {
        let capability = fields.text("capability")?;
        let bad_price = || invalid("price_per_task must be a positive number.");
        let price = match fields.value("price_per_task") {
            Some(Value::String(text)) => text.trim().to_string(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(bad_price()),
        };
        let units = Amount::from_decimal(&price, self.decimals).map_err(|_| bad_price())?;
        if units.is_zero() {
            return Err(bad_price());
        }
        self.check_price(units)?;
        let capacity = match fields.value("capacity") {
            None | Some(Value::Null) => 1,
            Some(value) => value.as_u64().unwrap_or(0),
        };
        if !(1..=MAX_CAPACITY).contains(&capacity) {
            return Err(invalid("capacity must be a whole number from 1 to 100."));
        }
        let capacity = u32::try_from(capacity).unwrap_or(1);
        let price = units.to_decimal(self.decimals);
        Ok(JobOffer { capability, price, units, capacity })
    }

    /// Refuses a price that no till takes, or that is below the operator's least.
    pub fn check_price(&self, units: Amount) -> Result<(), JsonAnswer> {
        let shown = |bound: Amount| bound.to_decimal(self.decimals);
        if units > self.max_price {
            let most = shown(self.max_price);
            return Err(invalid(&format!("price_per_task must be at most {most}.")));
        }
        if units < self.min_price {
            let least = shown(self.min_price);
            return Err(invalid(&format!("price_per_task must be at least {least}.")));
        }
        Ok(())
    }

    /// The offer of a request that may have none.
    pub fn read_offer_if_any(&self, fields: &Fields) -> Result<Option<JobOffer>, JsonAnswer> {
        let is_offer = ["capability", "price_per_task", "capacity"].iter().any(|it| fields.has(it));
        if is_offer { self.read_offer(fields).map(Some) } else { Ok(None) }
    }

    /// Whether a seller may sell one more job at this price today.
    pub fn may_sell<R: Rows>(
        &self,
        records: &R,
        seller: &str,
        units: Amount,
        tick: Now<'_>,
    ) -> Result<bool, R::Error> {
        let fits = |sales: &DaySales, most: Amount| {
            let sum = sales.on(tick.now).checked_add(units);
            sum.is_some_and(|sum| sum <= most)
        };
        if let Some(share) = self.per_seller_day
            && !fits(&records.sales(Some(seller))?, share)
        {
            return Ok(false);
        }
        match self.per_day {
            Some(most) => {
                let fits = fits(&records.sales(None)?, most);
                Ok(fits)
            }
            None => Ok(true),
        }
    }
}

impl JobOffer {
    /// The seller that sells this, as its own word.
    pub fn of(&self, seller: SellerRow) -> SellerRow {
        SellerRow {
            capability: self.capability.clone(),
            price: self.price.clone(),
            units: self.units.to_string(),
            capacity: self.capacity,
            claims: Claims::Agreed,
            ..seller
        }
    }

    /// The new row of a seller that has proven nothing, and for which this is registered as well;
    /// `None` if nothing changes.
    pub fn claimed_of(&self, seller: SellerRow) -> Option<SellerRow> {
        let is_same = self.of(seller.clone()).sells_like(&seller);
        let is_news = !is_same && seller.claims == Claims::Agreed;
        is_news.then_some(SellerRow { claims: Claims::Contested, ..seller })
    }
}
