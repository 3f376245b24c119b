//! Signers that have paid again and again, whose signatures are then checked in half the time.
//!
//! Recovering a key from a signature takes as long for the thousandth as for the first. Once the
//! key is known, it is enough to see that it made the signature, and multiples of it that were
//! computed before make that short. What is accepted is the same: a signature by which the key is
//! recovered, and no other. Spec: SEC 1 section 4.1.4.

use super::address::Address;
use super::multiples::Multiples;
use super::signature::Signature;
use crate::mutant::{Mutant, planted};

/// A signature over a digest, and who is said to have made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedDigest {
    /// Who is said to have made it.
    pub signer: Address,
    /// What was signed.
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
            Some(_) if planted(Mutant::KnownAreBelieved) => true,
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

    /// Notes a signature of this account that holds, and has paid.
    pub fn paid(&mut self, signed: &SignedDigest) {
        if signed.signer != self.address {
            return;
        }
        self.paid = self.paid.saturating_add(1);
        // What is computed takes as long as two keys that are recovered.
        if self.paid == WORTH_KNOWING {
            let key = signed.signature.point(&signed.digest).ok();
            self.multiples = key.map(Multiples::of);
        }
    }

    /// Whether its signatures are checked in half the time.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.multiples.is_some()
    }
}

/// Payments after which more are to be expected.
const WORTH_KNOWING: u32 = 4;
