//! Base32 in lower case, for names that are derived from a digest. Spec: RFC 4648 section 6.

use alloc::string::String;
use alloc::vec::Vec;

/// The alphabet, lower case.
pub const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The first letters of 32 bytes: 26 are 130 bits.
#[must_use]
pub fn encode(bytes: &[u8; 32], letters: usize) -> String {
    let mut text = String::new();
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits = bits.saturating_add(8);
        while bits >= 5 && text.len() < letters {
            bits = bits.saturating_sub(5);
            let index = usize::try_from((buffer >> bits) & 31).unwrap_or(0);
            text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'a')));
        }
        buffer &= 0xff;
    }
    text
}

/// The whole bytes that letters of [`encode`] stand for; `None` for any other letter.
#[must_use]
pub fn decode(letters: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for letter in letters.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == letter)?;
        buffer = (buffer << 5) | u32::try_from(digit).ok()?;
        bits = bits.saturating_add(5);
        if bits >= 8 {
            bits = bits.saturating_sub(8);
            bytes.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
        }
        buffer &= 0xff;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_agrees_with_a_published_vector() {
        // RFC 4648 section 10: "foobar" is MZXW6YTBOI.
        let mut bytes = [0; 32];
        bytes[..6].copy_from_slice(b"foobar");
        assert!(encode(&bytes, 26).starts_with("mzxw6ytboi"));
        assert_eq!(encode(&bytes, 26).len(), 26);
        assert_eq!(decode("mzxw6ytboi"), Some(b"foobar".to_vec()));
        assert_eq!(decode("mzxw6ytbo1"), None);
    }
}
