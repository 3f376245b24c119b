//! Possible meanings of a byte of a path: percent escapes, overlong UTF-8, look-alikes and letter
//! case outside ASCII.

use alloc::vec::Vec;

use super::case::lower;
use super::letters::{is_passed_over, push_base};

/// Decodes percent escapes once; malformed escapes stay as they are.
pub(crate) fn decode_once(path: &[u8]) -> Vec<u8> {
    decode(path, EncodedSlash::Separates, Units::Stay)
}

/// Replaces look-alikes by the ASCII of their compatibility folding, overlong UTF-8 by what it
/// spells, tabs and each `+` inside a segment by spaces, other letters by lower case without their
/// marks. ASCII letters keep their case.
pub(crate) fn fold(path: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        let all = rest;
        rest = after;
        let is_end = matches!(folded.last(), None | Some(b'/')) || matches!(after, [] | [b'/', ..]);
        if is_space_to_some(*byte) && !(*byte == b'+' && is_end) {
            folded.push(b' ');
        } else if byte.is_ascii() {
            folded.push(*byte);
        } else if let Some((ascii, after)) = overlong(*byte, after) {
            folded.push(ascii);
            rest = after;
        } else if let Some((letter, after)) = leading_char(all) {
            push_folded(letter, &mut folded);
            rest = after;
        } else {
            folded.push(*byte);
        }
    }
    folded
}

/// Whether two decodings leave an escape for something other than a letter or a digit.
pub(super) fn is_too_deep(path: &[u8]) -> bool {
    // Only an encoded percent sign can be encoded again.
    if !has(path, |after| matches!(after, [b'2', b'5', ..])) {
        return false;
    }
    let twice = decode_once(&decode_once(path));
    let mut rest = twice.as_slice();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let Some((_, mut after)) = rest.get(at..).and_then(<[u8]>::split_first) else { break };
        rest = after;
        while let [b'2', b'5', deeper @ ..] = after
            && hex_byte(deeper).is_some()
        {
            after = deeper;
        }
        if hex_byte(after).is_some_and(|(byte, _)| !byte.is_ascii_alphanumeric()) {
            return true;
        }
    }
    false
}

/// Whether an escape whose text after the percent sign is like this is in the path.
pub(super) fn has(path: &[u8], is_it: impl Fn(&[u8]) -> bool) -> bool {
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        if *byte == b'%' && is_it(after) {
            return true;
        }
        rest = after;
    }
    false
}

/// Effect of decoding on `%2F`.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum EncodedSlash {
    /// `%2F` becomes a separator: servers that decode the whole path.
    Separates,
    /// `%2F` stays inside its segment: routers that split first and decode each segment.
    Stays,
}

/// Effect of decoding on `%uXXXX`.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Units {
    /// It stays.
    Stay,
    /// `%uXXXX` is a UTF-16 unit.
    Decoded,
}

/// Decodes percent escapes once; malformed escapes stay as they are.
pub(super) fn decode(path: &[u8], slash: EncodedSlash, units: Units) -> Vec<u8> {
    // No escape is shorter than what it stands for, so it is written in place.
    let mut decoded = path.to_vec();
    let mut places = decoded.iter_mut();
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        let mut value = *byte;
        rest = after;
        if value == b'%' {
            if let Some((escaped, behind)) = hex_byte(after)
                && !(escaped == b'/' && slash == EncodedSlash::Stays)
            {
                value = escaped;
                rest = behind;
            } else if units == Units::Decoded
                && let Some((unit, behind)) = utf16_unit(after)
            {
                for (byte, place) in unit.encode_utf8(&mut [0; 4]).bytes().zip(&mut places) {
                    *place = byte;
                }
                rest = behind;
                continue;
            }
        }
        if let Some(place) = places.next() {
            *place = value;
        }
    }
    let spare = places.len();
    decoded.truncate(path.len().saturating_sub(spare));
    decoded
}

fn hex_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let [high, low, after @ ..] = text else {
        return None;
    };
    let (high, low) = (*NIBBLES.get(usize::from(*high))?, *NIBBLES.get(usize::from(*low))?);
    (high | low < 16).then_some(((high << 4) | low, after))
}

/// The value of each hex digit; 16 and more for any other byte.
const NIBBLES: [u8; 256] = {
    let mut values = [16; 256];
    let mut byte = 0u8;
    let mut rest: &mut [u8] = &mut values;
    while let Some((value, more)) = rest.split_first_mut() {
        match byte {
            b'0'..=b'9' => *value = byte & 0x0f,
            b'a'..=b'f' | b'A'..=b'F' => *value = (byte & 0x0f).wrapping_add(9),
            _ => {}
        }
        byte = byte.wrapping_add(1);
        rest = more;
    }
    values
};

fn utf16_unit(text: &[u8]) -> Option<(char, &[u8])> {
    let [b'u' | b'U', digits @ ..] = text else {
        return None;
    };
    let (high, digits) = hex_byte(digits)?;
    let (low, after) = hex_byte(digits)?;
    Some((char::from_u32(u32::from(u16::from_be_bytes([high, low])))?, after))
}

/// ASCII written in two to four bytes, for old decoders that do not insist on the shortest form.
fn overlong(lead: u8, after: &[u8]) -> Option<(u8, &[u8])> {
    let (high, low, after) = match (lead, after) {
        (0xc0 | 0xc1, [low, after @ ..]) => (lead, low, after),
        (0xe0, [high @ (0x80 | 0x81), low, after @ ..]) => (*high, low, after),
        (0xf0, [0x80, high @ (0x80 | 0x81), low, after @ ..]) => (*high, low, after),
        _ => return None,
    };
    Some((((high & 1) << 6) | (low & 0x3f), after))
}

fn leading_char(text: &[u8]) -> Option<(char, &[u8])> {
    let bytes = match text.first()? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let (letter, after) = text.split_at_checked(bytes)?;
    Some((core::str::from_utf8(letter).ok()?.chars().next()?, after))
}

/// Whether some origin reads this byte of a path as a space: forms encode a space by it, or it
/// separates words.
pub(super) fn is_space_to_some(byte: u8) -> bool {
    matches!(byte, b'+' | b'\t'..=b'\r')
}

fn push_folded(letter: char, folded: &mut Vec<u8>) {
    let ascii: &[u8] = match letter {
        '\u{ff01}'..='\u{ff5e}' => {
            // Full width forms lie at a fixed distance from ASCII.
            let narrow = u32::from(letter).wrapping_sub(0xfee0);
            return folded.extend(u8::try_from(narrow));
        }
        '\u{2024}' | '\u{fe52}' | '\u{3002}' | '\u{ff61}' => b".",
        '\u{2025}' => b"..",
        '\u{2026}' => b"...",
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => b"/",
        '\u{2216}' | '\u{29f5}' | '\u{29f9}' | '\u{fe68}' => b"\\",
        '\u{037e}' | '\u{fe54}' => b";",
        '\u{fe56}' => b"?",
        '\u{fe5f}' => b"#",
        '\u{fe6a}' => b"%",
        '\u{0130}' | '\u{0131}' => b"i",
        '\u{017f}' => b"s",
        blank if blank.is_whitespace() => b" ",
        other if is_passed_over(other) => b"",
        other => return push_base(lower(other), folded),
    };
    folded.extend_from_slice(ascii);
}
