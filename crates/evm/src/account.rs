//! An account whose key the gate holds: signs digests and has an address. This module draws no
//! random numbers.

use alloc::boxed::Box;
use core::fmt;

use k256::SecretKey;
use k256::ecdsa::SigningKey;
use k256::elliptic_curve::point::AffineCoordinates;
use once_cell::race::OnceBox;

use super::address::Address;
use super::signature::Signature;
use farebox_base::secret::Secret;

/// A secp256k1 key and its address. The key is overwritten when dropped and never printed.
#[derive(Clone)]
pub struct Account {
    secret: SecretKey,
    /// The signing key and the address, once needed: a gate that starts has its keys long before it
    /// signs.
    point: OnceBox<(SigningKey, Address)>,
}

impl Account {
    /// The account of the first candidate that is a valid key: neither zero nor at or above the
    /// group order.
    ///
    /// One in 2^128 random candidates is invalid; `None` if all are. Spec: SEC 1 section 3.2.1.
    pub fn from_candidates(candidates: impl Iterator<Item = Secret<[u8; 32]>>) -> Option<Self> {
        let secret = candidates
            .filter_map(|bytes| SecretKey::from_slice(bytes.expose().as_slice()).ok())
            .next()?;
        Some(Self { secret, point: OnceBox::new() })
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.point().1
    }

    /// The point of its public key: x and y. Spec: SEC 1 section 2.3.3, without the first byte.
    #[must_use]
    pub fn public_key(&self) -> [u8; 64] {
        let point = self.point().0.verifying_key().as_affine();
        let mut bytes = [0; 64];
        for (place, byte) in bytes.iter_mut().zip(point.x().into_iter().chain(point.y())) {
            *place = byte;
        }
        bytes
    }

    /// The account's only signature over `digest`: deterministic, s in the lower half.
    ///
    /// `None` if r is above the group order, which no digest is known to cause. Spec: RFC 6979 with
    /// SHA-256.
    #[must_use]
    pub fn sign(&self, digest: &[u8; 32]) -> Option<Signature> {
        let (rs, recovery) = self.point().0.sign_prehash_recoverable(digest);
        if recovery.is_x_reduced() {
            return None;
        }
        let (r, s) = rs.split_bytes();
        let mut bytes = [0; 65];
        let v = if recovery.is_y_odd() { 28 } else { 27 };
        for (place, byte) in bytes.iter_mut().zip(r.into_iter().chain(s).chain([v])) {
            *place = byte;
        }
        Signature::from_bytes(&bytes).ok()
    }

    fn point(&self) -> &(SigningKey, Address) {
        self.point.get_or_init(|| {
            let key = SigningKey::from(&self.secret);
            let address = Address::of_key(key.verifying_key());
            Box::new((key, address))
        })
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Account({})", self.address())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use farebox_base::encoding::hex;

    /// Order of the group of secp256k1. Spec: SEC 2 section 2.4.1.
    const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

    #[test]
    fn candidates_that_are_no_key_are_passed_over() {
        let order: [u8; 32] = hex::decode_array(ORDER).unwrap();
        let mut one = [0; 32];
        one[31] = 1;
        let secrets = |list: &[[u8; 32]]| list.iter().copied().map(Secret::new).collect::<Vec<_>>();
        let none = secrets(&[[0; 32], order, [0xff; 32]]);
        assert!(Account::from_candidates(none.into_iter()).is_none());
        let some = secrets(&[[0; 32], order, one, [2; 32]]);
        let account = Account::from_candidates(some.into_iter()).unwrap();
        // The address of private key 1, as every wallet shows it.
        assert_eq!(account.address().to_checksum(), "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
    }

    #[test]
    fn a_signature_recovers_to_its_account_and_is_always_the_same() {
        let account = Account::from_candidates([Secret::new([7; 32])].into_iter()).unwrap();
        for byte in 0..64 {
            let digest = [byte; 32];
            let signature = account.sign(&digest).unwrap();
            assert_eq!(signature.recover(&digest), Ok(account.address()));
            assert_eq!(account.sign(&digest), Some(signature));
        }
    }
}
