//! The offer of a seller. A caller that has proven to be the seller makes it, in the request for
//! its session or with the session; before that anyone may register it, and then all have to say
//! the same.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::body::Fields;
use super::message::JsonAnswer;
use super::refused::invalid;
use super::row::{Claims, SellerRow};
use super::settings::Gateway;
use farebox_base::amount::Amount;
use farebox_base::mutant::{Mutant, planted};

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

impl Gateway {
    /// Reads an offer.
    pub(super) fn offer(&self, fields: &Fields) -> Result<JobOffer, JsonAnswer> {
        let capability = fields.text("capability")?;
        let bad_price = || invalid("price_per_task must be a positive number.");
        let price = match fields.value("price_per_task") {
            Some(Value::String(text)) => text.trim().to_string(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(bad_price()),
        };
        let units = Amount::from_decimal(&price, self.token.decimals).map_err(|_| bad_price())?;
        if units.is_zero() {
            return Err(bad_price());
        }
        self.priced(units)?;
        let capacity = match fields.value("capacity") {
            None | Some(Value::Null) => 1,
            Some(value) => value.as_u64().unwrap_or(0),
        };
        if !(1..=MAX_CAPACITY).contains(&capacity) {
            return Err(invalid("capacity must be a whole number from 1 to 100."));
        }
        let capacity = u32::try_from(capacity).unwrap_or(1);
        let price = units.to_decimal(self.token.decimals);
        Ok(JobOffer { capability, price, units, capacity })
    }

    /// Refuses a price that no till takes, or that does not pay for what a job costs the operator.
    pub(super) fn priced(&self, units: Amount) -> Result<(), JsonAnswer> {
        let shown = |bound: Amount| bound.to_decimal(self.token.decimals);
        if units > self.max_price && !planted(Mutant::AnyPriceIsOffered) {
            let most = shown(self.max_price);
            return Err(invalid(&format!("price_per_task must be at most {most}.")));
        }
        if units < self.min_price && !planted(Mutant::DustIsOffered) {
            let least = shown(self.min_price);
            return Err(invalid(&format!("price_per_task must be at least {least}.")));
        }
        Ok(())
    }

    /// The offer of a request that may have none.
    pub(super) fn maybe_offer(&self, fields: &Fields) -> Result<Option<JobOffer>, JsonAnswer> {
        let has = |name: &str| fields.value(name).is_some_and(|value| !value.is_null());
        let is_offer = has("capability") || has("price_per_task") || has("capacity");
        if is_offer { self.offer(fields).map(Some) } else { Ok(None) }
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
        if planted(Mutant::StrangersSetTerms) {
            return Some(self.of(seller));
        }
        let is_same = self.of(seller.clone()).sells_like(&seller);
        let is_news = !is_same && seller.claims == Claims::Agreed;
        is_news.then_some(SellerRow { claims: Claims::Contested, ..seller })
    }
}

impl SellerRow {
    /// Whether both sell the same.
    pub(super) fn sells_like(&self, other: &Self) -> bool {
        (&self.capability, &self.units, self.capacity)
            == (&other.capability, &other.units, other.capacity)
    }
}
