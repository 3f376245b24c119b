//! Hexadecimal text of hashes, addresses, nonces and signatures.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Lower-case digits without a prefix.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    push(&mut text, bytes);
    text
}

/// Lower-case digits after `0x`.
///
/// # Examples
/// ```
/// use farebox_base::encoding::hex;
/// assert_eq!(hex::encode_prefixed(&[0x00, 0xab]), "0x00ab");
/// assert_eq!(hex::encode(b"foobar"), "666f6f626172");
/// ```
#[must_use]
pub fn encode_prefixed(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2).saturating_add(2));
    text.push_str("0x");
    push(&mut text, bytes);
    text
}

/// Reads `0x` (lower case) and an even number of digits of either case.
///
/// The result is half as long as the text, so a limit on the text limits the result.
///
/// # Errors
/// [`HexError::Prefix`], [`HexError::Length`] for an odd number of digits, [`HexError::Digit`].
///
/// # Examples
/// ```
/// use farebox_base::encoding::hex::{HexError, decode_prefixed};
/// assert_eq!(decode_prefixed("0x00Ab"), Ok(vec![0x00, 0xab]));
/// assert_eq!(decode_prefixed("00ab"), Err(HexError::Prefix));
/// assert_eq!(decode_prefixed("0x0ab"), Err(HexError::Length));
/// ```
pub fn decode_prefixed(text: &str) -> Result<Vec<u8>, HexError> {
    let (pairs, rest) = text.strip_prefix("0x").ok_or(HexError::Prefix)?.as_bytes().as_chunks();
    if !rest.is_empty() {
        return Err(HexError::Length);
    }
    pairs.iter().map(|pair| byte(*pair).ok_or(HexError::Digit)).collect()
}

/// Reads `0x` (lower case) and exactly `2 * N` digits of either case.
///
/// # Errors
/// [`HexError::Prefix`], [`HexError::Length`], [`HexError::Digit`].
///
/// # Examples
/// ```
/// use farebox_base::encoding::hex::{HexError, decode_array};
/// assert_eq!(decode_array::<2>("0x00ab"), Ok([0x00, 0xab]));
/// assert_eq!(decode_array::<4>("0x00ab"), Err(HexError::Length));
/// assert_eq!(decode_array::<2>("0x00ag"), Err(HexError::Digit));
/// ```
pub const fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let [b'0', b'x', digits @ ..] = text.as_bytes() else {
        return Err(HexError::Prefix);
    };
    let (mut pairs, rest) = digits.as_chunks();
    if pairs.len() != N || !rest.is_empty() {
        return Err(HexError::Length);
    }
    let mut bytes = [0; N];
    let mut places: &mut [u8] = &mut bytes;
    while let ([pair, more @ ..], [place, left @ ..]) = (pairs, places) {
        match byte(*pair) {
            Some(byte) => *place = byte,
            None => return Err(HexError::Digit),
        }
        (pairs, places) = (more, left);
    }
    Ok(bytes)
}

/// Bytes that are written at once: a hash.
const CHUNK: usize = 32;

fn push(text: &mut String, bytes: &[u8]) {
    // A push of one character after the other costs five times as much.
    for chunk in bytes.chunks(CHUNK) {
        let mut digits = [[b'0'; 2]; CHUNK];
        for (pair, byte) in digits.iter_mut().zip(chunk) {
            *pair = [digit(byte >> 4), digit(byte & 0x0f)];
        }
        let digits = digits.as_flattened().get(..chunk.len().saturating_mul(2)).unwrap_or_default();
        text.push_str(str::from_utf8(digits).unwrap_or_default());
    }
}

const fn digit(nibble: u8) -> u8 {
    let base = if nibble < 10 { b'0' } else { b'a' - 10 };
    base.saturating_add(nibble)
}

const fn byte([high, low]: [u8; 2]) -> Option<u8> {
    match (nibble(high), nibble(low)) {
        (Some(high), Some(low)) => Some(high << 4 | low),
        _ => None,
    }
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a' - 10)),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A' - 10)),
        _ => None,
    }
}

/// Error of text that is not the expected hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HexError {
    /// It does not begin with `0x`.
    Prefix,
    /// It has another number of digits.
    Length,
    /// It has a character that is not a digit.
    Digit,
}

impl fmt::Display for HexError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Prefix => "expected hexadecimal that begins with 0x",
            Self::Length => "hexadecimal has the wrong number of digits",
            Self::Digit => "expected hexadecimal digits after 0x",
        })
    }
}

impl core::error::Error for HexError {}
/// Writes a UUID of these bytes, of which six bits give way to its version and variant.
///
/// Spec: RFC 9562 4; version 4 is of random bytes, 8 of bytes with a meaning.
///
/// # Examples
/// ```
/// use farebox_base::encoding::hex::uuid;
/// assert_eq!(uuid([0xff; 16], 4), "ffffffff-ffff-4fff-bfff-ffffffffffff");
/// ```
#[must_use]
pub fn uuid(mut bytes: [u8; 16], version: u8) -> String {
    let [_, _, _, _, _, _, sixth, _, eighth, ..] = &mut bytes;
    *sixth = *sixth & 0x0f | version << 4;
    *eighth = *eighth & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (place, digit) in encode(&bytes).chars().enumerate() {
        if matches!(place, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}
