//! Signers that have paid again and again, whose signatures are then checked in half the time.
//!
//! Recovering a key from a signature takes as long for the thousandth as for the first. Once the
//! key is known, it is enough to see that it made the signature, and multiples of it that were
//! computed before make that short. What is accepted is the same: a signature by which the key is
//! recovered, and no other. Spec: SEC 1 section 4.1.4.

use super::address::Address;
use super::multiples::Multiples;
use super::signature::Signature;
use farebox_base::sorted::RecentMap;

/// A signature over a digest, and who is said to have made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedDigest {
    /// The account that is said to have made it.
    pub signer: Address,
    /// The digest that was signed.
    pub digest: [u8; 32],
    /// The signature.
    pub signature: Signature,
}

impl SignedDigest {
    /// Whether this account has made it; faster if it is known.
    #[must_use]
    pub fn holds(&self, known: Option<&KnownSigner>) -> bool {
        let Self { signer, digest, signature } = self;
        if signer.is_zero() {
            return false;
        }
        match known.filter(|known| known.address == *signer).and_then(|it| it.multiples.as_ref()) {
            Some(multiples) => signature.is_by(digest, multiples),
            None => signature.recover(digest) == Ok(*signer),
        }
    }
}

/// An account that has paid by its signatures.
#[derive(Clone, Debug)]
pub struct KnownSigner {
    address: Address,
    paid: u32,
    multiples: Option<Multiples>,
}

impl KnownSigner {
    /// An account that has not paid yet.
    #[must_use]
    pub const fn new(address: Address) -> Self {
        Self { address, paid: 0, multiples: None }
    }

    /// Notes a signature that has paid, if this account has made it.
    pub fn paid(&mut self, signed: &SignedDigest) {
        if signed.signer != self.address {
            return;
        }
        self.paid = self.paid.saturating_add(1);
        // What is computed takes as long as two keys that are recovered.
        if self.paid == WORTH_KNOWING {
            // Whoever calls this may be wrong about the signer, who would be believed from now on.
            let key = signed.signature.key(&signed.digest).ok();
            let key = key.filter(|key| Address::of_key(key) == self.address);
            self.multiples = key.map(|key| Multiples::of((*key.as_affine()).into()));
        }
    }

    /// Whether its signatures are checked in half the time.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.multiples.is_some()
    }
}

/// Accounts that have paid by their signatures, as far as an isolate remembers them.
#[derive(Clone, Debug)]
pub struct KnownSigners(RecentMap<Address, KnownSigner>);

impl KnownSigners {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(RecentMap::new(MAX_SIGNERS))
    }

    /// The record of an account, if it has paid.
    #[must_use]
    pub fn get(&self, signer: &Address) -> Option<&KnownSigner> {
        self.0.get(signer)
    }

    /// Notes a signature that has paid.
    pub fn paid(&mut self, signed: &SignedDigest) {
        self.0.touch(signed.signer, || KnownSigner::new(signed.signer));
        if let Some(signer) = self.0.get_mut(&signed.signer) {
            signer.paid(signed);
        }
    }

    /// The number of accounts.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().count()
    }
}

impl Default for KnownSigners {
    fn default() -> Self {
        Self::new()
    }
}

/// Accounts that are remembered, at most; what is known of one takes 31 kB.
const MAX_SIGNERS: usize = 128;

/// Payments after which more are to be expected.
const WORTH_KNOWING: u32 = 4;
