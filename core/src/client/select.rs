//! Which offer is paid: a total order over the pool that the server's own order does not touch.

use alloc::string::ToString;

use super::offer::{Asked, Offer};
use crate::amount::Amount;
use crate::evm::address::Address;
use crate::x402::v2::Flow;

/// The offer of the pool that is paid; none of an empty pool.
///
/// Money that moves at once comes last. Then, if the whole pool is in one symbol, the smaller price; a main network before a
/// test network; x402 before MPP; the smaller price again; and last what no two offers share, so that equal pools give equal
/// choices. That prices count first or not is a property of the pool and never of a pair: a pair that is compared by price
/// beside another that is not would make a circle. Spec: OKX agent payments, "Candidate ranking".
#[must_use]
pub fn best<'o>(pool: &[&'o Offer]) -> Option<&'o Offer> {
    let first = pool.first()?;
    let one_symbol = pool.iter().all(|offer| offer.asset.symbol == first.asset.symbol);
    pool.iter().copied().min_by_key(|offer| rank(offer, one_symbol))
}

/// The place of an offer; the least is paid.
fn rank(offer: &Offer, one_symbol: bool) -> impl Ord + use<> {
    let at_once = match offer.flow {
        Flow::Authorization => 0,
        Flow::Upfront => 1,
    };
    let worth = offer.worth().unwrap_or(Amount::MAX);
    let (protocol, way, text) = match &offer.asked {
        Asked::X402 { accepted, .. } => (0, None, accepted.to_string()),
        Asked::Mpp(charge) => (1, Some(charge.way), charge.challenge.id.clone()),
    };
    let address = |address: &Address| *address.as_bytes();
    (
        at_once,
        if one_symbol { worth } else { Amount::ZERO },
        u8::from(!offer.asset.network.is_main_network()),
        protocol,
        worth,
        (offer.chain_id, address(&offer.asset.address), address(&offer.pay_to)),
        (offer.max_timeout_secs, way, text),
    )
}
