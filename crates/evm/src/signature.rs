//! A signature of an externally owned account, and its signer.
//!
//! Accepts only the form that token contracts accept: r, s, v in 65 bytes, v 27 or 28, s in the
//! lower half of the group order. Compact (EIP-2098) and wrapped (ERC-6492) signatures have other
//! lengths and are refused here.

use core::fmt;

use k256::ecdsa::{RecoveryId, Signature as RsSignature, VerifyingKey};
use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::point::DecompressPoint;
use k256::elliptic_curve::scalar::IsHigh;
use k256::{AffinePoint, ProjectivePoint};

use crate::address::Address;
use crate::multiples::Multiples;
use farebox_base::encoding::hex::{self, HexError};

/// A canonical secp256k1 signature with its recovery bit.
///
/// One signature has exactly one encoding: high s and other values of v, which would add encodings,
/// are excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    rs: RsSignature,
    odd_y: bool,
}

impl Signature {
    /// Reads r, s and v, 65 bytes.
    ///
    /// # Errors
    /// [`SignatureError::Length`], [`SignatureError::V`], [`SignatureError::Range`],
    /// [`SignatureError::HighS`], in this order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        let bytes: &[u8; 65] = bytes.try_into().map_err(|_| SignatureError::Length)?;
        let [rs @ .., v] = bytes;
        let odd_y = match v {
            27 => false,
            28 => true,
            _ => return Err(SignatureError::V),
        };
        let rs = RsSignature::from_slice(rs).map_err(|_| SignatureError::Range)?;
        // Low s only: otherwise one authorization would have two signatures.
        if rs.s().is_high().into() {
            return Err(SignatureError::HighS);
        }
        Ok(Self { rs, odd_y })
    }

    /// Parses the hexadecimal text of the 65 bytes, `0x` and 130 digits of either case; the caller
    /// limits the text.
    ///
    /// # Errors
    /// [`SignatureError::Hex`], and those of [`Signature::from_bytes`].
    ///
    /// # Examples
    /// ```
    /// use farebox_evm::signature::{Signature, SignatureError};
    /// let rs = "ab".repeat(32) + &"12".repeat(32);
    /// assert!(Signature::parse(&format!("0x{rs}1b")).is_ok());
    /// assert_eq!(Signature::parse(&format!("0x{rs}01")), Err(SignatureError::V));
    /// assert_eq!(Signature::parse(&format!("0x{rs}")), Err(SignatureError::Length));
    /// ```
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        Self::from_bytes(&hex::decode_prefixed(text).map_err(SignatureError::Hex)?)
    }

    /// The 65 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 65] {
        let mut bytes = [0; 65];
        let (r, s) = self.rs.split_bytes();
        let v = if self.odd_y { 28 } else { 27 };
        for (place, byte) in bytes.iter_mut().zip(r.into_iter().chain(s).chain([v])) {
            *place = byte;
        }
        bytes
    }

    /// The account whose key made this signature over `digest`.
    ///
    /// Every digest gives some account, so the caller compares the result with the claimed one.
    /// Runs in variable time on public values only. Spec: SEC 1 section 4.1.6; Ethereum yellow
    /// paper, appendix F.
    ///
    /// # Errors
    /// [`SignatureError::Unrecoverable`] if no point of the curve has r, or the key is the point at
    /// infinity.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::encoding::hex;
    /// use farebox_evm::signature::Signature;
    /// let digest = "0xb83f07766b62a927561a4e893208ef28a36d00b76476aea7f79ebd30cc93e17f";
    /// let signature = Signature::parse("0x071e61c69361dc7f93acb06ff87af74a7bdefb05b571705f5591938b17341bc7078e1d65734ec00a3b80d34cdbb6117a58f318f71d5a3c7ee65bb918056319631b").unwrap();
    /// let signer = signature.recover(&hex::decode_array(digest).unwrap()).unwrap();
    /// assert_eq!(signer.to_string(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    /// ```
    pub fn recover(&self, digest: &[u8; 32]) -> Result<Address, SignatureError> {
        Ok(Address::of_key(&self.key(digest)?))
    }

    /// The public key that made this signature over `digest`.
    pub(super) fn key(&self, digest: &[u8; 32]) -> Result<VerifyingKey, SignatureError> {
        let recovery = RecoveryId::new(self.odd_y, false);
        VerifyingKey::recover_from_prehash(digest, &self.rs, recovery)
            .map_err(|_| SignatureError::Unrecoverable)
    }

    /// Whether the key with these multiples made this signature over `digest`.
    pub(super) fn is_by(&self, digest: &[u8; 32], key: &Multiples) -> bool {
        let (r, s) = self.rs.split_scalars();
        let point = AffinePoint::decompress(&r.to_repr(), u8::from(self.odd_y).into());
        let point = point.into_option().map(ProjectivePoint::from);
        point.is_some_and(|point| key.made(&r, &s, digest, point))
    }
}

/// Error of bytes that are not a valid signature, or not one by any key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not hexadecimal after `0x`.
    Hex(HexError),
    /// Not 65 bytes.
    Length,
    /// v is neither 27 nor 28.
    V,
    /// r or s is zero or not below the group order.
    Range,
    /// s is in the upper half of the group order.
    HighS,
    /// No key could have made it.
    Unrecoverable,
}

impl SignatureError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Hex(_) => "signature_hex",
            Self::Length => "signature_length",
            Self::V => "signature_v",
            Self::Range => "signature_range",
            Self::HighS => "signature_high_s",
            Self::Unrecoverable => "signature_unrecoverable",
        }
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hex(error) => write!(formatter, "signature: {error}"),
            Self::Length => formatter.write_str("expected a signature of 65 bytes"),
            Self::V => formatter.write_str("last byte of the signature must be 27 or 28"),
            Self::Range => formatter.write_str("signature has r or s out of range"),
            Self::HighS => formatter.write_str("signature has a high s; use n - s and the other v"),
            Self::Unrecoverable => formatter.write_str("signature does not recover to an account"),
        }
    }
}

impl core::error::Error for SignatureError {}
