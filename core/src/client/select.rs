//! Which offer is paid: a choice over the whole pool that the server's own order does not touch.

use alloc::string::ToString;

use super::offer::{Offer, TermsSource, Way};
use crate::amount::Amount;
use crate::evm::address::Address;
use crate::x402::v2::Flow;

/// The offer of the pool that is paid; none of an empty pool.
///
/// Of each protocol the best one, then the better of both. Within one, money that moves at once comes last; a challenge does
/// not say when it moves, so between the two that does not count, except where the payer has to send it himself. Prices count
/// first if the whole pool is in one symbol: a pair that is compared by price beside another that is not would make a circle,
/// and so would a flow that only some offers state. Spec: OKX agent payments, "Candidate ranking".
#[must_use]
pub fn best<'o>(pool: &[&'o Offer]) -> Option<&'o Offer> {
    let first = pool.first()?;
    let one_symbol = pool.iter().all(|offer| offer.asset.symbol == first.asset.symbol);
    let of = |is_charge: bool| {
        let offers = pool.iter().copied().filter(|offer| offer.charge().is_some() == is_charge);
        offers.min_by_key(|offer| (offer.flow == Flow::Upfront, rank(offer, one_symbol)))
    };
    let sends = |offer: &Offer| offer.charge().is_some_and(|charge| charge.way == Way::Hash);
    let both = of(false).into_iter().chain(of(true));
    both.min_by_key(|offer| (sends(offer), rank(offer, one_symbol)))
}

/// The place of an offer; the least is paid: if prices count, the smaller; a main network before a test network; x402 before
/// MPP; the smaller price in any case; and last what no two offers share, so that equal pools give equal choices.
fn rank(offer: &Offer, one_symbol: bool) -> impl Ord + use<> {
    let worth = offer.worth().unwrap_or(Amount::MAX);
    let (protocol, way, text) = match &offer.asked {
        TermsSource::X402 { accepted, .. } => (0, None, accepted.to_string()),
        TermsSource::Mpp(charge) => (1, Some(charge.way), charge.challenge.id.clone()),
    };
    let address = |address: &Address| *address.as_bytes();
    (
        if one_symbol { worth } else { Amount::ZERO },
        u8::from(!offer.asset.network.is_main_network()),
        protocol,
        worth,
        (offer.chain_id, address(&offer.asset.address), address(&offer.pay_to)),
        (offer.max_timeout_secs, way, text),
    )
}
