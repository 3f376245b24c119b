//! The reason why one purchase is one charge: the nonce of everything that is signed for it.
//!
//! A token accepts a nonce once. The nonce follows from the purchase alone, so signing again (with
//! later terms, in another process, after a crash, without a store) cannot be charged again.

use alloc::string::String;

use super::offer::{Offer, Way};
use super::prepare::Prepared;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_common::payment::TransferMethod;
use farebox_evm::address::Address;
use farebox_evm::keccak::keccak256_parts;

/// The beginning of the hashed bytes: no other hash of Farebox has it.
const DOMAIN: &[u8] = b"farebox:purchase:1";
/// The beginning for the id of a purchase that its caller names by a key.
const KEYED: &[u8] = b"farebox:purchase:key:1";

/// The nonce of the purchase `id` of `payer`, paid in `asset` on the EVM chain `chain`.
///
/// Every part before `id` has a fixed length, so two purchases never have the same bytes.
#[must_use]
pub fn nonce(payer: &Address, chain: u64, asset: &Address, id: &str) -> [u8; 32] {
    let mut network = [0; 32];
    let (_, low) = network.split_at_mut(24);
    low.copy_from_slice(&chain.to_be_bytes());
    keccak256_parts(&[DOMAIN, payer.as_bytes(), &network, asset.as_bytes(), id.as_bytes()])
}

/// The id of the purchase that the caller of a request names by an `Idempotency-Key`: the same in
/// every process.
#[must_use]
pub fn keyed(key: &str, method: &str, url: &str) -> [u8; 32] {
    // Length first, so that no part runs into the next.
    let length = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes();
    let (by_key, by_method) = (length(key), length(method));
    let (key, method, url) = (key.as_bytes(), method.as_bytes(), url.as_bytes());
    keccak256_parts(&[KEYED, &by_key, key, &by_method, method, url])
}

/// Where a nonce is accepted once: the token's own nonces, or the payer's in Permit2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    chain: u64,
    asset: Address,
    by_permit: bool,
}

impl Slot {
    /// The slot of an offer whose nonce the payer chooses; `None` if another side does.
    #[must_use]
    pub fn of(offer: &Offer) -> Option<Self> {
        let by_permit = match offer.method {
            TransferMethod::Eip3009 => false,
            TransferMethod::Permit2 | TransferMethod::Upto(_) => true,
            TransferMethod::Deferred => return None,
        };
        let is_ours = offer.charge().is_none_or(|charge| charge.way == Way::Transaction);
        is_ours.then_some(Self { chain: offer.chain_id, asset: offer.asset.address, by_permit })
    }

    /// Its name, which no other has: a hash of chain, token and kind.
    #[must_use]
    pub fn name(&self) -> String {
        let kind = if self.by_permit { "permit2" } else { "" };
        hex::encode(&nonce(&Address::ZERO, self.chain, &self.asset, kind))
    }
}

/// Amount and payee of an authorization that was signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Atomic units.
    pub amount: Amount,
    /// The payee.
    pub pay_to: Address,
}

impl Earlier {
    /// The same payment with this amount and payee.
    #[must_use]
    pub fn in_place_of(&self, prepared: &Prepared) -> Prepared {
        let mut other = prepared.clone();
        (other.offer.amount, other.offer.pay_to) = (self.amount, self.pay_to);
        other
    }
}

/// The source of the nonces of an exchange.
#[derive(Clone, Copy, Debug)]
pub enum Nonces {
    /// The id of its purchase.
    Of([u8; 32]),
    /// The nonce itself, drawn at random: rows that were kept before, and orders of jobs.
    Drawn([u8; 32]),
}

impl Nonces {
    /// The bytes that they are made of.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        match self {
            Self::Of(bytes) | Self::Drawn(bytes) => bytes,
        }
    }

    /// The nonce with which this payer signs this offer, unless the offer demands another.
    #[must_use]
    pub fn own(&self, payer: &Address, offer: &Offer) -> [u8; 32] {
        match self {
            Self::Of(id) => nonce(payer, offer.chain_id, &offer.asset.address, &hex::encode(id)),
            Self::Drawn(nonce) => *nonce,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    const PAYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    const USDC: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";

    #[test]
    fn slots_of_another_chain_token_or_kind_have_other_names() {
        let asset = Address::parse(USDC).unwrap();
        let slots = [(8453, asset, false), (8453, asset, true), (84532, asset, false)];
        let other = (8453, Address::parse(PAYER).unwrap(), false);
        let names = slots.into_iter().chain([other]);
        let names = names.map(|(chain, asset, by_permit)| Slot { chain, asset, by_permit }.name());
        assert_eq!(names.collect::<BTreeSet<_>>().len(), 4);
    }

    // The expected values were computed with viem: keccak256(encodePacked(['string', 'address',
    // 'uint256', 'address', 'string'], ['farebox:purchase:1', payer, chain, asset, id])).
    #[test]
    fn follows_from_the_purchase_and_from_each_of_its_parts() {
        let cases = [
            (
                8453,
                USDC,
                "order-7",
                "7b2112f0fdc738568d45eee62ef54b369e7d2ffceef51c945cbe9d9a5dcb3214",
            ),
            (
                84532,
                USDC,
                "order-7",
                "9ce266a47ebb1816b192791d2bc5f9794bab0d12ee240831ec28034a186d52fe",
            ),
            (
                8453,
                PAYER,
                "order-7",
                "82903276cadfe9c175e9e734990864e2f9dfb36eba70fc6621cef1c8a7f4f55e",
            ),
            (
                8453,
                USDC,
                "order-8",
                "179b528777960185df0d898095549eed83755d4188d988700563ef0b6e5eda59",
            ),
            (8453, USDC, "", "99fb7cce784de9ca3422240b133ff2e569cd2f733c456f422b2a4a44f9fc20c7"),
        ];
        let payer = Address::parse(PAYER).unwrap();
        for (chain, asset, id, expected) in cases {
            let asset = Address::parse(asset).unwrap();
            assert_eq!(hex::encode(&nonce(&payer, chain, &asset, id)), expected);
        }
    }

    #[test]
    fn a_key_is_the_same_purchase_for_the_same_request_alone() {
        let ids = [
            keyed("a", "GET", "https://shop.example/"),
            keyed("b", "GET", "https://shop.example/"),
            keyed("a", "POST", "https://shop.example/"),
            keyed("a", "GET", "https://shop.example/b"),
            keyed("aG", "ET", "https://shop.example/"),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{at}");
        }
        assert_eq!(ids[0], keyed("a", "GET", "https://shop.example/"));
    }
}
