//! What makes one purchase one charge: the nonce of everything that is signed for it.
//!
//! A token accepts a nonce once. The nonce follows from the purchase alone, so signing again (with
//! later terms, in another process, after a crash, without a store) cannot be charged again.

use farebox_evm::address::Address;
use farebox_evm::keccak::keccak256_parts;

/// What the hash begins with: no other hash of Farebox has this beginning.
const DOMAIN: &[u8] = b"farebox:purchase:1";

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

#[cfg(test)]
mod tests {
    use super::*;
    use farebox_base::encoding::hex;

    const PAYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    const USDC: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";

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
}
