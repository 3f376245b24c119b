//! Addresses of accounts and contracts.

use alloc::string::String;
use core::fmt;

use k256::ecdsa::VerifyingKey;
use k256::elliptic_curve::point::AffineCoordinates;

use crate::keccak::{keccak256, keccak256_parts};
use farebox_base::encoding::hex::{self, HexError};

/// An Ethereum address: 20 bytes, whatever the case of its text.
///
/// `Display` writes EIP-55.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 20]);

impl Address {
    /// `0x0000000000000000000000000000000000000000`, for which no key can sign.
    pub const ZERO: Self = Self([0; 20]);

    /// Parses `0x` and 40 digits of either case; a checksum is not required.
    ///
    /// Peers write one address in several ways, so two spellings are one address.
    ///
    /// # Errors
    /// [`AddressError::Hex`].
    ///
    /// # Examples
    /// ```
    /// use farebox_evm::address::Address;
    /// let address = Address::parse("0x5AAEB6053f3e94c9b9a09f33669435e7ef1beaed").unwrap();
    /// assert_eq!(address.to_string(), "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
    /// assert!(Address::parse("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA").is_err());
    /// ```
    pub const fn parse(text: &str) -> Result<Self, AddressError> {
        match hex::decode_array(text) {
            Ok(bytes) => Ok(Self(bytes)),
            Err(error) => Err(AddressError::Hex(error)),
        }
    }

    /// The account of a key. Spec: Ethereum yellow paper, appendix F.
    #[must_use]
    pub(super) fn of_key(key: &VerifyingKey) -> Self {
        let point = key.as_affine();
        let hash = keccak256_parts(&[&point.x(), &point.y()]);
        let [_, _, _, _, _, _, _, _, _, _, _, _, address @ ..] = hash;
        Self(address)
    }

    /// Parses a configured address: mixed case must be the EIP-55 checksum; text in one case has
    /// none.
    ///
    /// # Errors
    /// [`AddressError::Hex`], and [`AddressError::Checksum`] when a letter has the wrong case.
    ///
    /// # Examples
    /// ```
    /// use farebox_evm::address::{Address, AddressError};
    /// assert!(Address::parse_checksummed("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359").is_ok());
    /// let typo = Address::parse_checksummed("0xFB6916095ca1df60bB79Ce92cE3Ea74c37c5d359");
    /// assert_eq!(typo, Err(AddressError::Checksum));
    /// ```
    pub fn parse_checksummed(text: &str) -> Result<Self, AddressError> {
        let address = Self::parse(text)?;
        let lower = text.bytes().skip(2).any(|byte| byte.is_ascii_lowercase());
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        if lower && upper && address.to_checksum() != text {
            return Err(AddressError::Checksum);
        }
        Ok(address)
    }

    /// The address with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The address right-aligned in a 32-byte word, as the ABI and EIP-712 encode it.
    #[must_use]
    pub fn to_word(self) -> [u8; 32] {
        let mut word = [0; 32];
        for (place, byte) in word.iter_mut().skip(12).zip(self.0) {
            *place = byte;
        }
        word
    }

    /// `0x` and 40 digits whose case is the checksum. Spec: EIP-55.
    #[must_use]
    pub fn to_checksum(&self) -> String {
        let digits = hex::encode(&self.0);
        let hash = keccak256(digits.as_bytes());
        let high_bits = hash.iter().flat_map(|byte| [byte & 0x80 != 0, byte & 0x08 != 0]);
        let mut text = String::from("0x");
        text.extend(
            digits
                .chars()
                .zip(high_bits)
                .map(|(digit, high)| if high { digit.to_ascii_uppercase() } else { digit }),
        );
        text
    }

    /// `0x` and 40 lower-case digits, for keys.
    #[must_use]
    pub fn to_lower_hex(&self) -> String {
        hex::encode_prefixed(&self.0)
    }

    /// Whether it is the zero address.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    /// Whether it is below `0x10000`: zero, precompiles and system contracts, none of which signs.
    #[must_use]
    pub const fn is_low(&self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, _, _])
    }

    /// Whether it is `0x000000000000000000000000000000000000dEaD`, where tokens are burnt.
    #[must_use]
    pub const fn is_burn(&self) -> bool {
        self.is_low() && matches!(self.0, [.., 0xde, 0xad])
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.to_checksum())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

/// Error of text that is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// Not `0x` and 40 hexadecimal digits.
    Hex(HexError),
    /// Mixed case that is not the EIP-55 checksum.
    Checksum,
}

impl fmt::Display for AddressError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hex(error) => write!(formatter, "expected an address of 0x and 40 digits: {error}"),
            Self::Checksum => formatter.write_str(
                "address has a wrong EIP-55 checksum; copy it again, or write it in lower case if it is right",
            ),
        }
    }
}

impl core::error::Error for AddressError {}
