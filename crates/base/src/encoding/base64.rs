//! The base64 of payment headers: RFC 4648 section 4, standard alphabet, and section 5, URL
//! alphabet.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Maximum text that [`decode`] reads, in bytes.
pub const MAX_BYTES: usize = 128 * 1024;

/// Encodes with the standard alphabet and padding. Spec: x402 HTTP transport, "Header Encoding".
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes standard base64 with complete padding or none.
///
/// Unpadded text is accepted because the reference clients accept it. Spaces, the URL alphabet, and
/// non-zero unused bits (a second spelling of the same bytes) are refused. Empty text is empty
/// bytes. At most [`MAX_BYTES`].
///
/// # Errors
/// [`Base64Error::TooLarge`] before reading, [`Base64Error::Syntax`] otherwise.
///
/// # Examples
/// ```
/// use farebox_base::encoding::base64::{Base64Error, decode, encode};
/// assert_eq!(encode(b"fooba"), "Zm9vYmE=");
/// assert_eq!(decode("Zm9vYmE=").as_deref(), Ok(b"fooba".as_slice()));
/// assert_eq!(decode("Zm9vYmE").as_deref(), Ok(b"fooba".as_slice()));
/// assert_eq!(decode("Zm9vYmF="), Err(Base64Error::Syntax));
/// ```
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    if text.len() > MAX_BYTES {
        return Err(Base64Error::TooLarge);
    }
    let engine = if text.ends_with('=') { &STANDARD } else { &STANDARD_NO_PAD };
    engine.decode(text).map_err(|_| Base64Error::Syntax)
}

/// Encodes with the URL alphabet and no padding. Spec: MPP, sections "Challenge" and "Credential".
#[must_use]
pub fn encode_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes either alphabet, with complete padding or none, as other readers of MPP do.
///
/// Several texts decode to the same bytes here: a caller that binds the text compares it with
/// [`encode_url`] of the result.
///
/// # Errors
/// As [`decode`].
///
/// # Examples
/// ```
/// use farebox_base::encoding::base64::{Base64Error, decode_url, encode_url};
/// assert_eq!(encode_url(&[0xfb, 0xff]), "-_8");
/// assert_eq!(decode_url("-_8"), Ok(vec![0xfb, 0xff]));
/// assert_eq!(decode_url("- 8"), Err(Base64Error::Syntax));
/// ```
pub fn decode_url(text: &str) -> Result<Vec<u8>, Base64Error> {
    if text.len() > MAX_BYTES {
        return Err(Base64Error::TooLarge);
    }
    if !text.bytes().any(|digit| matches!(digit, b'-' | b'_')) {
        return decode(text);
    }
    decode(&text.replace('-', "+").replace('_', "/"))
}

/// Error of text that is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Base64Error {
    /// Longer than [`MAX_BYTES`].
    TooLarge,
    /// A character, length, padding or unused bit that standard base64 does not have.
    Syntax,
}

impl fmt::Display for Base64Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooLarge => "base64 text is too long",
            Self::Syntax => {
                "expected standard base64 (A-Z a-z 0-9 + /) with complete padding or none"
            }
        })
    }
}

impl core::error::Error for Base64Error {}
