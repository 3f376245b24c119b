//! Selects the offer to pay: a choice over the whole list, independent of the server's order.

use alloc::string::ToString;

use super::offer::{Offer, TermsSource, Way};
use farebox_base::amount::Amount;
use farebox_common::payment::TransferMethod;
use farebox_evm::address::Address;
use farebox_wire::x402::v2::Flow;

/// The offer of the pool to pay; `None` if the pool is empty.
///
/// Takes the best offer of each protocol, then the better of the two. Within one protocol, an offer
/// whose money moves at once comes last. A challenge does not say when it moves, so between the
/// protocols that does not count, unless the payer has to send the transaction themselves. Prices
/// count first if the whole pool has one symbol: comparing only some pairs by price would make the
/// order circular, and so would a flow that only some offers state. Spec: OKX agent payments,
/// "Candidate ranking".
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

/// The rank of an offer; the lowest is paid. In this order: the smaller price, if prices count; a
/// main network before a test network; x402 before MPP, and there the host's own realm; the smaller price in any case; what needs no
/// allowance; and last values that no two offers share, so that equal pools give equal choices.
fn rank(offer: &Offer, one_symbol: bool) -> impl Ord + use<> {
    let worth = offer.worth().unwrap_or(Amount::MAX);
    let (protocol, way, text) = match &offer.asked {
        TermsSource::X402 { accepted, .. } => (0, None, accepted.to_string()),
        TermsSource::Mpp(charge) => {
            let protocol = if charge.is_foreign { 2 } else { 1 };
            (protocol, Some(charge.way), charge.challenge.id.clone())
        }
    };
    let address = |address: &Address| *address.as_bytes();
    (
        if one_symbol { worth } else { Amount::ZERO },
        u8::from(!offer.asset.network.is_main_network()),
        protocol,
        worth,
        match offer.method {
            TransferMethod::Eip3009 | TransferMethod::Deferred => 0,
            TransferMethod::Permit2 => 1,
            // A price that is known before comes first.
            TransferMethod::Upto(_) => 2,
        },
        (offer.chain_id, address(&offer.asset.address), address(&offer.pay_to)),
        (offer.max_timeout_secs, way, text),
    )
}
