//! Seats of sellers: jobs hold them until they are over, and quotes until someone pays. What is
//! unpaid never keeps a seat from what is paid. Work is given to the cheapest seller that is here and
//! has a seat to give.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::kernel::Now;
use super::offer::Limits;
use super::records::{Change, Holder, Rows};
use super::row::{QuoteRow, QuoteState, SellerRow, Signer};
use super::standing::HEARTBEAT_MS;
use farebox_base::amount::Amount;

/// Milliseconds for which no other quote is given the seat of one.
const FIRM_MS: u64 = 10_000;
/// Most quotes of one client in an hour whose seats are kept so.
const MAX_FIRM: usize = 3;

/// The claim by which a seat is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeatClaim {
    /// A quote, which may never be paid, or a payment that anyone could have made up.
    Quote,
    /// A payment that its buyer has signed, or a job that was paid.
    Payment,
}

impl SeatClaim {
    /// The claim of a payment with this signature, before it is settled.
    pub const fn of(signer: Signer) -> Self {
        match signer {
            Signer::Buyer => Self::Payment,
            Signer::Unknown => Self::Quote,
        }
    }
}

/// The job that a seat is wanted for.
pub(super) struct Wanted<'a> {
    /// The capability, compared exactly.
    pub capability: &'a str,
    /// The sum that was paid already, which is the most that it may cost.
    pub at_most: Option<Amount>,
    /// Whether that is counted as sold today.
    pub is_counted: bool,
    /// The buyer: no one is sold its own work.
    pub buyer: &'a str,
    /// Sellers that are not asked again.
    pub tried: &'a [String],
}

impl<'a> Wanted<'a> {
    /// A seat of any seller at any price.
    pub const fn new(capability: &'a str, buyer: &'a str) -> Self {
        Self { capability, at_most: None, is_counted: false, buyer, tried: &[] }
    }

    const fn claim(&self) -> SeatClaim {
        if self.at_most.is_some() { SeatClaim::Payment } else { SeatClaim::Quote }
    }
}

/// A seat that can be had.
pub(super) struct Seat {
    /// The seller whose seat it is.
    pub seller: SellerRow,
    /// The changes that take it from an unpaid quote; empty if it was free.
    pub freed: Vec<Change>,
}

impl Seat {
    const fn free(seller: SellerRow) -> Self {
        Self { seller, freed: Vec::new() }
    }

    /// The changes that take it: the seller is given work now, and the quote that held it does so
    /// no longer.
    pub fn edits(self, tick: Now<'_>) -> impl Iterator<Item = Change> {
        let seller = SellerRow { served: tick.now, ..self.seller };
        [Change::Seller(Box::new(seller))].into_iter().chain(self.freed)
    }
}

/// The change that ends the hold of a quote on its seat. The quote can still be paid until its end,
/// and has a seat then as long as another quote holds one unpaid.
fn displace(quote: QuoteRow) -> Change {
    Change::Quote(Box::new(QuoteRow { state: QuoteState::Displaced, ..quote }))
}

/// Until when a quote's seat is given to no other quote: a client that leaves quotes unpaid has few
/// such.
pub(super) fn firm_until(unsold: usize, tick: Now<'_>) -> u64 {
    let is_firm = unsold < MAX_FIRM;
    if is_firm { tick.now.saturating_add(FIRM_MS) } else { 0 }
}

/// A seat of the seller that has what is wanted: of the cheapest one, among equals a free seat
/// before that of an unpaid quote, of those the seller that was given nothing for the longest
/// time.
pub(super) fn match_seat<R: Rows>(
    records: &R,
    limits: &Limits,
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
            if is_dear || held.as_ref().is_some_and(|(least, _)| *least < price) {
                return Ok(held.map(|(_, seat)| seat));
            }
            if !seller.is_here(tick.now)
                || wanted.tried.contains(&seller.id)
                || seller.id == wanted.buyer
            {
                continue;
            }
            let units = wanted.at_most.unwrap_or(price);
            let may_sell =
                wanted.is_counted || limits.may_sell(records, &seller.id, units, tick)?;
            if !may_sell {
                continue;
            }
            match seat_at(records, seller, wanted.claim(), tick)? {
                Some(seat) if seat.freed.is_empty() => return Ok(Some(seat)),
                Some(seat) => held = held.or(Some((price, seat))),
                None => {}
            }
        }
        last = Some(end);
    }
}

/// The seat that whoever pays for a quote has at its seller: the quote's own, or another's if it
/// was displaced.
pub(super) fn seat_of<R: Rows>(
    records: &R,
    quote: &QuoteRow,
    claim: SeatClaim,
    tick: Now<'_>,
) -> Result<Option<Seat>, R::Error> {
    let seller = records.seller(&quote.seller)?.filter(|seller| seller.holds(tick.now));
    let Some(seller) = seller else { return Ok(None) };
    if quote.state != QuoteState::Displaced {
        return Ok(Some(Seat::free(seller)));
    }
    seat_at(records, seller, claim, tick)
}

/// A seat of this seller: a free one, else that of a quote that is not paid, else that of a
/// payment on its way that anyone could have made up.
fn seat_at<R: Rows>(
    records: &R,
    seller: SellerRow,
    claim: SeatClaim,
    tick: Now<'_>,
) -> Result<Option<Seat>, R::Error> {
    let seats = records.seats(&seller.id, tick.now)?;
    if seats.taken() < seller.capacity {
        return Ok(Some(Seat::free(seller)));
    }
    let is_payment = claim == SeatClaim::Payment;
    let kept = if is_payment { seats.proven() } else { seats.busy };
    if kept >= seller.capacity {
        return Ok(None);
    }
    let holders = records.holders(&seller.id, tick.now)?;
    if let Some(id) = find_displaceable(&holders, claim, tick) {
        let freed = records.quote(id)?.map(displace);
        return Ok(freed.map(|change| Seat { seller, freed: Vec::from([change]) }));
    }
    let forged = if is_payment { records.forgeable(&seller.id)? } else { None };
    let Some(job) = forged else { return Ok(None) };
    // If the money comes all the same, it has a seat as any payment for a displaced quote.
    let quote = records.quote(&job.quote)?.map(displace);
    let freed = [Change::JobGone(job.id)].into_iter().chain(quote).collect();
    Ok(Some(Seat { seller, freed }))
}

/// The quote whose seat is taken: the oldest of the client that holds most. Only a payment takes
/// one that is still firm, where there is no other.
fn find_displaceable<'a>(
    holders: &'a [Holder],
    claim: SeatClaim,
    tick: Now<'_>,
) -> Option<&'a str> {
    let is_firm = |holder: &Holder| tick.now < holder.firm;
    let of_client =
        |holder: &Holder| holders.iter().filter(|it| it.client == holder.client).count();
    let all: Vec<&Holder> =
        holders.iter().filter(|it| claim == SeatClaim::Payment || !is_firm(it)).collect();
    // The first of equals is the oldest.
    let first = all.into_iter().min_by_key(|it| (is_firm(it), Reverse(of_client(it))));
    first.map(|holder| holder.quote.as_str())
}
