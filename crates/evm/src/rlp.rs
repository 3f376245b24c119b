//! RLP, written, and read strictly: one value has exactly one encoding, and every other one is refused.
//!
//! Spec: Ethereum yellow paper, appendix B.

use alloc::vec::Vec;
use core::fmt;

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A string of bytes.
    Bytes(&'a [u8]),
    /// The values of a list, one after the other.
    List(Items<'a>),
}

/// Values one after the other, read from the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// The values in these bytes; they are not read yet.
    #[must_use]
    pub const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes that are not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there is no value left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value.
    ///
    /// # Errors
    /// [`RlpError`].
    ///
    /// # Examples
    /// ```
    /// use farebox_evm::rlp::{Item, Items, RlpError};
    /// assert_eq!(Items::of(b"\x83dog").item(), Ok(Item::Bytes(b"dog")));
    /// assert_eq!(Items::of(b"\x83do").item(), Err(RlpError::Truncated));
    /// assert_eq!(Items::of(b"\x81\x0f").item(), Err(RlpError::NotCanonical));
    /// ```
    pub fn item(&mut self) -> Result<Item<'a>, RlpError> {
        let (first, rest) = self.0.split_first().ok_or(RlpError::Truncated)?;
        let (head, kind) = match *first {
            0x00..=0x7f => {
                let (one, rest) = self.0.split_at_checked(1).ok_or(RlpError::Truncated)?;
                self.0 = rest;
                return Ok(Item::Bytes(one));
            }
            head @ 0x80..=0xbf => (head.wrapping_sub(0x80), ItemKind::Bytes),
            head @ 0xc0..=0xff => (head.wrapping_sub(0xc0), ItemKind::List),
        };
        let (length, rest) = match head.checked_sub(SHORT) {
            None | Some(0) => (usize::from(head), rest),
            Some(width) => length(usize::from(width), rest)?,
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(RlpError::Truncated)?;
        // A small byte stands for itself.
        if kind == ItemKind::Bytes && matches!(content, [0x00..=0x7f]) {
            return Err(RlpError::NotCanonical);
        }
        self.0 = rest;
        Ok(match kind {
            ItemKind::Bytes => Item::Bytes(content),
            ItemKind::List => Item::List(Items(content)),
        })
    }

    /// The next value, which must be a string of bytes.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn bytes(&mut self) -> Result<&'a [u8], RlpError> {
        match self.item()? {
            Item::Bytes(bytes) => Ok(bytes),
            Item::List(_) => Err(RlpError::Kind),
        }
    }

    /// The next value, which must be a list.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn list(&mut self) -> Result<Items<'a>, RlpError> {
        match self.item()? {
            Item::List(items) => Ok(items),
            Item::Bytes(_) => Err(RlpError::Kind),
        }
    }

    /// The next value, which must have exactly `N` bytes.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], RlpError> {
        self.bytes()?.try_into().map_err(|_| RlpError::Length)
    }

    /// The next value as a number up to 2^256 − 1: without leading zeros, and zero is an empty
    /// string.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn word(&mut self) -> Result<[u8; 32], RlpError> {
        let bytes = self.bytes()?;
        if bytes.first() == Some(&0) {
            return Err(RlpError::NotCanonical);
        }
        let mut word = [0; 32];
        let start = word.len().checked_sub(bytes.len()).ok_or(RlpError::Length)?;
        word.get_mut(start..).ok_or(RlpError::Length)?.copy_from_slice(bytes);
        Ok(word)
    }

    /// The next value as a number up to 2^64 − 1.
    ///
    /// # Errors
    /// [`RlpError`].
    pub fn number(&mut self) -> Result<u64, RlpError> {
        match self.word()? {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, low @ ..] => {
                Ok(u64::from_be_bytes(low))
            }
            _ => Err(RlpError::Length),
        }
    }
}

/// A list whose values are `content`, which is already RLP.
#[must_use]
pub fn list(content: &[u8]) -> Vec<u8> {
    headed(0xc0, content)
}

/// A string of these bytes.
///
/// # Examples
/// ```
/// use farebox_evm::rlp::{number, string};
/// assert_eq!(string(b"dog"), b"\x83dog");
/// assert_eq!(string(b"\x0f"), b"\x0f");
/// assert_eq!(number(&[0, 4, 0]), b"\x82\x04\x00");
/// assert_eq!(number(&[0]), b"\x80");
/// ```
#[must_use]
pub fn string(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [0x00..=0x7f] => bytes.to_vec(),
        _ => headed(0x80, bytes),
    }
}

/// A number in big-endian bytes: without leading zeros, and zero is an empty string.
#[must_use]
pub fn number(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    string(bytes.get(zeros..).unwrap_or_default())
}

/// Content behind its length; `kind` is the first byte of an empty one.
fn headed(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = Vec::with_capacity(length.saturating_add(9));
    match u8::try_from(length) {
        Ok(short @ 0..=SHORT) => bytes.push(short.wrapping_add(kind)),
        _ => {
            let digits = length.to_be_bytes();
            let zeros = digits.iter().take_while(|digit| **digit == 0).count();
            let digits = digits.get(zeros..).unwrap_or_default();
            let width = u8::try_from(digits.len()).unwrap_or_default();
            bytes.push(width.wrapping_add(kind).wrapping_add(SHORT));
            bytes.extend_from_slice(digits);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ItemKind {
    Bytes,
    List,
}

/// A length in `width` bytes, and the rest.
fn length(width: usize, rest: &[u8]) -> Result<(usize, &[u8]), RlpError> {
    let (digits, rest) = rest.split_at_checked(width).ok_or(RlpError::Truncated)?;
    if digits.first() == Some(&0) {
        return Err(RlpError::NotCanonical);
    }
    let mut length: usize = 0;
    for digit in digits {
        let shifted = length.checked_mul(256).ok_or(RlpError::Truncated)?;
        length = shifted.saturating_add(usize::from(*digit));
    }
    if length <= usize::from(SHORT) { Err(RlpError::NotCanonical) } else { Ok((length, rest)) }
}

/// Error of bytes that are not the expected RLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RlpError {
    /// They end too early.
    Truncated,
    /// There is a shorter encoding of the same value.
    NotCanonical,
    /// A list instead of bytes, or the reverse.
    Kind,
    /// Another number of bytes than expected.
    Length,
}

impl fmt::Display for RlpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Truncated => "RLP ends too early",
            Self::NotCanonical => "RLP is not in its shortest encoding",
            Self::Kind => "RLP has a list instead of bytes, or bytes instead of a list",
            Self::Length => "RLP has the wrong number of bytes",
        })
    }
}

impl core::error::Error for RlpError {}

/// Maximum length of content whose length is in its first byte.
const SHORT: u8 = 55;
