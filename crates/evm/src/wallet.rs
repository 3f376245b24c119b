//! Signatures of contract wallets: the gate cannot check them, and decides about which of them a
//! facilitator may be asked.

use alloc::vec::Vec;

use crate::address::Address;

/// Suffix of a signature that contains its wallet's deployment. Spec: ERC-6492, "Signer side".
const MAGIC: [u8; 32] = [
    0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92,
    0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92, 0x64, 0x92,
];

/// Contract wallets that may pay.
#[derive(Clone, Debug, Default)]
pub struct Wallets {
    factories: Vec<Address>,
}

impl Wallets {
    /// Accepts deployed wallets, and those that one of these factories deploys.
    #[must_use]
    pub const fn new(factories: Vec<Address>) -> Self {
        Self { factories }
    }

    /// Whether a facilitator may be asked about this signature of a wallet (ERC-1271, ERC-6492).
    ///
    /// The call inside a signature is never read here; only the called contract has to be listed.
    #[must_use]
    pub fn may_ask(&self, signature: &[u8]) -> bool {
        match signature.strip_suffix(&MAGIC) {
            Some(wrapped) => factory(wrapped).is_some_and(|named| self.factories.contains(&named)),
            None => !signature.is_empty(),
        }
    }
}

/// The first member of `abi.encode(address factory, bytes calldata, bytes signature)`.
fn factory(wrapped: &[u8]) -> Option<Address> {
    match wrapped.first_chunk::<32>()? {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, address @ ..] => Some(Address::from_bytes(*address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn a_wrapped_signature_needs_a_listed_factory() {
        let factory = Address::from_bytes([7; 20]);
        let wallets = Wallets::new(Vec::from([factory]));
        let wrapped =
            |address: [u8; 20], head: u8| [&[head; 12][..], &address, &[0; 96], &MAGIC].concat();
        assert!(wallets.may_ask(&wrapped([7; 20], 0)));
        assert!(!wallets.may_ask(&wrapped([8; 20], 0)));
        assert!(!wallets.may_ask(&wrapped([7; 20], 1)));
        assert!(!wallets.may_ask(&MAGIC));
        assert!(!Wallets::default().may_ask(&wrapped([7; 20], 0)));
        assert!(!wallets.may_ask(&[]));
        assert!(Wallets::default().may_ask(&[1; 65]));
    }
}
