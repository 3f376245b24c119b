//! Every reading of a path by a lenient origin: the closure of its rewrites, in any order, over at
//! most three decodings.
//!
//! Each rewrite is what some server, proxy, framework or file system is known to do to a whole
//! path. Orders matter (`/a%2fb/../c` is `/c` or `/a/c`), so the readings are not folded into one
//! normal form; equal results meet in one set. Letter case is left to the comparison, for it
//! commutes with every rewrite.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::escape::{EncodedSlash, Units, decode, fold, is_space_to_some};
use super::rewrite::{
    backslash_as_slash, climbs_above_root, cut_at_hash, cut_at_line_end, cut_at_nul,
    cut_at_question_mark, cut_at_semicolon, cut_params_of_each, cut_params_of_last, cut_streams,
    drop_authority, drop_controls, drop_sessions, merge_slashes, names_stream, resolve_dots,
    trim_dot_end, trim_dots_of_each, trim_leading_blanks_of_each, trim_one_dot_of_each,
    trim_trailing_slash,
};

/// Whether `test` holds for some reading of `path`, one leads above the root, or there are more
/// than the budget.
pub(super) fn any(path: &[u8], mut test: impl FnMut(&[u8]) -> bool) -> bool {
    let mut seen = BTreeSet::new();
    let mut written: usize = 0;
    let mut level = Vec::from([path.to_vec()]);
    for _ in 0..=MAX_DECODINGS {
        let mut decoded = Vec::new();
        while let Some(reading) = level.pop() {
            if seen.contains(&reading) {
                continue;
            }
            if seen.len() >= MAX_READINGS || test(&reading) {
                return true;
            }
            let signs = signs_of(&reading);
            if signs & DOT != 0 && climbs_above_root(&reading) {
                return true;
            }
            let rewrites = REWRITES.iter().filter(|(sign, _)| signs & sign != 0);
            let decodings = DECODINGS.iter().filter(|(sign, ..)| signs & sign != 0);
            // The cost of the next readings is known before any is written.
            let copies = rewrites.clone().count().saturating_add(decodings.clone().count());
            written = written.saturating_add(reading.len().saturating_mul(copies));
            if written > MAX_WRITTEN_BYTES {
                return true;
            }
            let others = rewrites.map(|(_, rewrite)| rewrite(&reading));
            level.extend(others.filter(|other| *other != reading));
            decoded.extend(decodings.map(|(_, slash, units)| decode(&reading, *slash, *units)));
            seen.insert(reading);
        }
        level = decoded;
    }
    false
}

type Sign = u16;

/// The rewrites that can change a path at all, so that the others are not tried.
fn signs_of(path: &[u8]) -> Sign {
    let mut signs = 0;
    let mut before = b'/';
    let mut rest = path.get(1..).unwrap_or(&[]);
    while let [byte, after @ ..] = rest {
        let byte = *byte;
        rest = after;
        // Letters and digits are most of any path, and say nothing.
        if PLAIN.get(usize::from(byte)).is_some_and(|plain| *plain) {
            before = byte;
            continue;
        }
        signs |= match byte {
            b'%' => match after {
                [b'2', b'f' | b'F', ..] => ESCAPE | ENCODED_SLASH,
                [b'u' | b'U', ..] => ESCAPE | UNIT,
                _ => ESCAPE,
            },
            b'\\' => BACKSLASH,
            b'/' if before == b'/' => DOUBLE_SLASH,
            b'.' if before == b'/' => DOT,
            b';' => SEMICOLON,
            b'?' | b'#' => DELIMITER,
            b'(' if matches!(after, [letter, b'(', ..] if letter.is_ascii_alphabetic()) => SESSION,
            b':' if names_stream(after) => STREAM,
            0..=b' ' | 0x7f => BLANK,
            0x80.. => FOLDED,
            _ => 0,
        };
        if is_space_to_some(byte) {
            signs |= FOLDED;
        }
        if before == b'.' && byte == b'/' {
            signs |= BLANK;
        }
        before = byte;
    }
    signs
        | match before {
            b'.' => BLANK,
            b'/' => TRAILING_SLASH,
            _ => 0,
        }
}

/// Letters and digits.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0u8;
    let mut rest: &mut [bool] = &mut plain;
    while let Some((first, more)) = rest.split_first_mut() {
        *first = byte.is_ascii_alphanumeric();
        byte = byte.wrapping_add(1);
        rest = more;
    }
    plain
};

/// Limit on the decodings by an origin.
const MAX_DECODINGS: usize = 3;
/// Limit on the readings that are looked at; beyond it the path counts as ambiguous.
const MAX_READINGS: usize = 96;
/// Limit on the bytes that all rewrites together may write; beyond it the path counts as ambiguous.
const MAX_WRITTEN_BYTES: usize = 40_960;

const ESCAPE: Sign = 1;
const BACKSLASH: Sign = 1 << 1;
const DOUBLE_SLASH: Sign = 1 << 2;
const DOT: Sign = 1 << 3;
const SEMICOLON: Sign = 1 << 4;
const DELIMITER: Sign = 1 << 5;
/// A control byte, a space, or a segment that ends with a dot.
const BLANK: Sign = 1 << 6;
/// A character that [`fold`] changes.
const FOLDED: Sign = 1 << 7;
const TRAILING_SLASH: Sign = 1 << 8;
/// An escape that decoders treat differently.
const ENCODED_SLASH: Sign = 1 << 9;
const UNIT: Sign = 1 << 10;
const STREAM: Sign = 1 << 11;
const SESSION: Sign = 1 << 12;

/// Decodings, and the sign that tells each from the one before.
const DECODINGS: [(Sign, EncodedSlash, Units); 4] = [
    (ESCAPE, EncodedSlash::Separates, Units::Stay),
    (ENCODED_SLASH, EncodedSlash::Stays, Units::Stay),
    (UNIT, EncodedSlash::Separates, Units::Decoded),
    (UNIT, EncodedSlash::Stays, Units::Decoded),
];

type Rewrite = fn(&[u8]) -> Vec<u8>;

const REWRITES: [(Sign, Rewrite); 20] = [
    (BACKSLASH, backslash_as_slash),
    (DOUBLE_SLASH, merge_slashes),
    (DOUBLE_SLASH, drop_authority),
    (TRAILING_SLASH, trim_trailing_slash),
    (DOT, resolve_dots),
    (SEMICOLON, cut_params_of_each),
    (SEMICOLON, cut_params_of_last),
    (SEMICOLON, cut_at_semicolon),
    (DELIMITER, cut_at_question_mark),
    (DELIMITER, cut_at_hash),
    (BLANK, cut_at_nul),
    (BLANK, cut_at_line_end),
    (BLANK, drop_controls),
    (BLANK, trim_leading_blanks_of_each),
    (BLANK, trim_dot_end),
    (BLANK, trim_dots_of_each),
    (BLANK, trim_one_dot_of_each),
    (STREAM, cut_streams),
    (SESSION, drop_sessions),
    (FOLDED, fold),
];
