//! Which offer is paid: a total order that the server's own order does not touch.

use super::challenge::Offer;
use crate::amount::Amount;
use crate::evm::address::Address;
use crate::x402::v2::Flow;

/// The place of an offer among those that are allowed; the least is paid.
///
/// Money that moves after the work before money that moves at once; then the smaller price; then a main network
/// before a test network; then chain, contract and payee, so that equal sets of offers give equal choices.
#[must_use]
pub fn rank(offer: &Offer) -> (u8, Amount, u8, u64, [u8; 20], [u8; 20]) {
    let flow = match offer.flow {
        Flow::Authorization => 0,
        Flow::Upfront => 1,
    };
    let address = |address: &Address| *address.as_bytes();
    (
        flow,
        offer.worth().unwrap_or(Amount::MAX),
        u8::from(!offer.asset.network.is_main_network()),
        offer.chain_id,
        address(&offer.asset.address),
        address(&offer.pay_to),
    )
}
