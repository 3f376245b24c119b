//! Which seller is given work: the cheapest that is here and has a seat to give.

use alloc::string::String;

use super::Now;
use super::records::Rows;
use super::row::SellerRow;
use super::seat::{Seat, SeatClaim};
use super::seller::HEARTBEAT_MS;
use super::settings::Gateway;
use farebox_base::amount::Amount;
use farebox_base::mutant::{Mutant, planted};

/// The job that a seat is wanted for.
pub(super) struct Wanted<'a> {
    /// The capability, compared exactly.
    pub capability: &'a str,
    /// Most that it may cost, if it was paid already.
    pub at_most: Option<Amount>,
    /// The buyer: no one is sold its own work.
    pub buyer: &'a str,
    /// Sellers that are not asked again.
    pub tried: &'a [String],
}

impl<'a> Wanted<'a> {
    /// A seat of any seller at any price.
    pub const fn new(capability: &'a str, buyer: &'a str) -> Self {
        Self { capability, at_most: None, buyer, tried: &[] }
    }

    const fn claim(&self) -> SeatClaim {
        if self.at_most.is_some() { SeatClaim::Payment } else { SeatClaim::Quote }
    }
}

impl Gateway {
    /// A seat of the seller that has what is wanted: of the cheapest one, among equals a free seat
    /// before that of an unpaid quote, of those the seller that was given nothing for the longest
    /// time.
    pub(super) fn matched<R: Rows>(
        &self,
        records: &R,
        wanted: &Wanted<'_>,
        tick: Now<'_>,
    ) -> Result<Option<Seat>, R::Error> {
        let since = tick.now.saturating_sub(HEARTBEAT_MS);
        let mut last: Option<SellerRow> = None;
        let mut held: Option<(Amount, Seat)> = None;
        loop {
            let page = records.cheapest(wanted.capability, since, last.as_ref())?;
            let Some(end) = page.last().cloned() else {
                return Ok(held.map(|(_, seat)| seat));
            };
            for seller in page {
                let Ok(price) = Amount::from_atomic(&seller.units) else { continue };
                let is_dear = wanted.at_most.is_some_and(|most| price > most);
                let is_dear = is_dear && !planted(Mutant::AnySellerTakesOver);
                if is_dear || held.as_ref().is_some_and(|(least, _)| *least < price) {
                    return Ok(held.map(|(_, seat)| seat));
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
                if !may_sell {
                    continue;
                }
                match self.seat_at(records, seller, wanted.claim(), tick)? {
                    Some(seat) if seat.freed.is_empty() => return Ok(Some(seat)),
                    Some(seat) => held = held.or(Some((price, seat))),
                    None => {}
                }
            }
            if planted(Mutant::FullSellersHideOthers) {
                return Ok(None);
            }
            last = Some(end);
        }
    }
}
