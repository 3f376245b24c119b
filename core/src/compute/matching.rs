//! Which seller is given work: the cheapest that is here and has a free seat.

use alloc::string::String;

use super::Tick;
use super::records::Records;
use super::row::SellerRow;
use super::seller::HEARTBEAT_MS;
use super::settings::Gateway;
use crate::amount::Amount;
use crate::mutant::{Mutant, planted};

/// What a seat is wanted for.
pub(super) struct Wanted<'a> {
    /// The capability, compared exactly.
    pub capability: &'a str,
    /// Most that it may cost, if it was paid already.
    pub at_most: Option<Amount>,
    /// Who buys: no one is sold its own work.
    pub buyer: &'a str,
    /// Sellers that are not asked again.
    pub tried: &'a [String],
}

impl<'a> Wanted<'a> {
    /// A seat of any seller at any price.
    pub const fn new(capability: &'a str, buyer: &'a str) -> Self {
        Self { capability, at_most: None, buyer, tried: &[] }
    }
}

impl Gateway {
    /// The seller that has what is wanted: the cheapest, of those the one that was given nothing
    /// for the longest time.
    pub(super) fn matched<R: Records>(
        &self,
        records: &R,
        wanted: &Wanted<'_>,
        tick: Tick<'_>,
    ) -> Result<Option<SellerRow>, R::Error> {
        let since = tick.now.saturating_sub(HEARTBEAT_MS);
        let mut last: Option<SellerRow> = None;
        loop {
            let page = records.cheapest(wanted.capability, since, last.as_ref())?;
            let Some(end) = page.last().cloned() else { return Ok(None) };
            for seller in page {
                let Ok(price) = Amount::from_atomic(&seller.units) else { continue };
                let is_dear = wanted.at_most.is_some_and(|most| price > most);
                if is_dear && !planted(Mutant::AnySellerTakesOver) {
                    return Ok(None);
                }
                if !seller.is_here(tick.now)
                    || wanted.tried.contains(&seller.id)
                    || seller.id == wanted.buyer && !planted(Mutant::BuyersSellToThemselves)
                {
                    continue;
                }
                // What was paid already is counted already.
                let may_sell = wanted.at_most.is_some()
                    || self.may_sell(records, (&seller.id, price), tick)?;
                if may_sell && self.has_seat(records, &seller, tick)? {
                    return Ok(Some(seller));
                }
            }
            if planted(Mutant::FullSellersHideOthers) {
                return Ok(None);
            }
            last = Some(end);
        }
    }

    fn has_seat<R: Records>(
        &self,
        records: &R,
        seller: &SellerRow,
        tick: Tick<'_>,
    ) -> Result<bool, R::Error> {
        let seats = records.seats(&seller.id, tick.now)?;
        Ok(seats.taken() < seller.capacity || planted(Mutant::SeatsAreSoldTwice))
    }
}
