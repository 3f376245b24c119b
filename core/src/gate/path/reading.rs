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
use crate::mutant::{Mutant, planted};

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

fn backslash_as_slash(path: &[u8]) -> Vec<u8> {
    rewritten(path, |byte| Some(if byte == b'\\' { b'/' } else { byte }))
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut before = 0;
    rewritten(path, |byte| {
        let is_second = byte == b'/' && before == b'/';
        before = byte;
        (!is_second).then_some(byte)
    })
}

/// `//host/path` resolved as a reference to another host, as URL libraries do.
fn drop_authority(path: &[u8]) -> Vec<u8> {
    if !path.starts_with(b"//") {
        return path.to_vec();
    }
    let past_slashes = path.iter().skip_while(|byte| **byte == b'/');
    let rest: Vec<u8> = past_slashes.skip_while(|byte| **byte != b'/').copied().collect();
    if rest.is_empty() { Vec::from(*b"/") } else { rest }
}

fn trim_trailing_slash(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last.saturating_add(1));
    path.get(..end).unwrap_or(path).to_vec()
}

/// Dot segments resolved as in RFC 3986 section 5.2.4; those above the root are dropped.
fn resolve_dots(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = segments_of(path).peekable();
    while let Some(segment) = segments.next() {
        if !matches!(segment, b"." | b"..") {
            kept.push(segment);
            continue;
        }
        if segment == b".." {
            kept.pop();
        }
        if segments.peek().is_none() {
            kept.push(b"");
        }
    }
    joined(path.len(), kept)
}

/// Whether dot segments lead above the root: an origin with a path prefix has other pages there.
fn climbs_above_root(path: &[u8]) -> bool {
    let mut depth: usize = 0;
    for segment in segments_of(path) {
        match (segment, depth.checked_sub(1)) {
            (b".", _) => {}
            (b"..", Some(above)) => depth = above,
            (b"..", None) => return true,
            _ => depth = depth.saturating_add(1),
        }
    }
    false
}

fn cut_params_of_each(path: &[u8]) -> Vec<u8> {
    joined(path.len(), segments_of(path).map(|segment| until(segment, |byte| byte == b';')))
}

fn cut_params_of_last(path: &[u8]) -> Vec<u8> {
    change_last(path, |segment| until(segment, |byte| byte == b';'))
}

fn cut_at_semicolon(path: &[u8]) -> Vec<u8> {
    until(path, |byte| byte == b';').to_vec()
}

fn cut_at_question_mark(path: &[u8]) -> Vec<u8> {
    until(path, |byte| byte == b'?').to_vec()
}

fn cut_at_hash(path: &[u8]) -> Vec<u8> {
    until(path, |byte| byte == b'#').to_vec()
}

fn cut_at_nul(path: &[u8]) -> Vec<u8> {
    until(path, |byte| byte == 0).to_vec()
}

fn cut_at_line_end(path: &[u8]) -> Vec<u8> {
    until(path, |byte| matches!(byte, b'\r' | b'\n')).to_vec()
}

fn drop_controls(path: &[u8]) -> Vec<u8> {
    rewritten(path, |byte| (!byte.is_ascii_control()).then_some(byte))
}

fn trim_leading_blanks_of_each(path: &[u8]) -> Vec<u8> {
    joined(
        path.len(),
        segments_of(path).map(|segment| {
            let start = segment.iter().position(|byte| !is_blank(*byte)).unwrap_or(segment.len());
            segment.get(start..).unwrap_or(segment)
        }),
    )
}

/// Removes the name of a Windows file stream that stands for the file itself (`::$DATA`, `:$I30`).
fn cut_streams(path: &[u8]) -> Vec<u8> {
    joined(
        path.len(),
        segments_of(path).map(|segment| {
            if !segment.contains(&b':') {
                return segment;
            }
            let starts = segment.iter().enumerate().filter(|(_, byte)| **byte == b':');
            let mut tails = starts.filter_map(|(at, _)| segment.split_at_checked(at));
            let named = tails.find(|(_, tail)| tail.get(1..).is_some_and(names_stream));
            named.map_or(segment, |(name, _)| name)
        }),
    )
}

/// Whether the text after a colon makes the name before it another name of the same file.
fn names_stream(after: &[u8]) -> bool {
    matches!(after, [] | [b'/' | b':' | b'$', ..]) && !planted(Mutant::StreamsAreFiles)
}

/// Removes ASP.NET sessions from a path: `(S(…))`, several in one pair of brackets, anywhere.
fn drop_sessions(path: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.iter().position(|byte| *byte == b'(') {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        kept.extend_from_slice(before);
        rest = match after_session(from).filter(|_| !planted(Mutant::SessionsArePaths)) {
            Some(behind) => behind,
            None => {
                kept.push(b'(');
                from.get(1..).unwrap_or_default()
            }
        };
    }
    kept.extend_from_slice(rest);
    kept
}

/// The text after the session that it starts with; `None` if it starts with none.
fn after_session(text: &[u8]) -> Option<&[u8]> {
    let [b'(', rest @ ..] = text else { return None };
    let mut rest = rest;
    while let [letter, b'(', value @ ..] = rest {
        let end = value.iter().position(|byte| matches!(byte, b'(' | b')' | b'/'))?;
        let is_value = letter.is_ascii_alphabetic() && value.get(end) == Some(&b')');
        rest = value.get(end.checked_add(1)?..).filter(|_| is_value)?;
    }
    match (text, rest) {
        ([_, b')', ..], _) => None,
        (_, [b')', behind @ ..]) => Some(behind),
        _ => None,
    }
}

fn trim_dot_end(path: &[u8]) -> Vec<u8> {
    change_last(path, trim_dots_and_blanks)
}

fn trim_dots_of_each(path: &[u8]) -> Vec<u8> {
    joined(path.len(), segments_of(path).map(trim_dots_and_blanks))
}

/// Takes one dot off `...`, which then is a dot segment.
fn trim_one_dot_of_each(path: &[u8]) -> Vec<u8> {
    joined(
        path.len(),
        segments_of(path).map(|segment| match segment {
            b"." | b".." => segment,
            [shorter @ .., last] if *last == b'.' || is_blank(*last) => shorter,
            _ => segment,
        }),
    )
}

fn trim_dots_and_blanks(segment: &[u8]) -> &[u8] {
    if matches!(segment, b"." | b"..") {
        return segment;
    }
    trim_end(segment, |byte| byte == b'.' || is_blank(byte))
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_control()
}

fn trim_end(segment: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    let end =
        segment.iter().rposition(|byte| !drop(*byte)).map_or(0, |last| last.saturating_add(1));
    segment.get(..end).unwrap_or(segment)
}

fn until(text: &[u8], stop: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|byte| stop(*byte)).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

fn segments_of(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.get(1..).unwrap_or(&[]).split(|byte| *byte == b'/')
}

/// The path of these segments, which has about so many bytes.
fn joined<'a>(bytes: usize, segments: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut path = Vec::with_capacity(bytes);
    for segment in segments {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// Each byte as another one, or none. Written in place, which costs a third of growing a new path.
fn rewritten(path: &[u8], mut change: impl FnMut(u8) -> Option<u8>) -> Vec<u8> {
    let mut other = path.to_vec();
    let mut places = other.iter_mut();
    for byte in path.iter().filter_map(|byte| change(*byte)) {
        if let Some(place) = places.next() {
            *place = byte;
        }
    }
    let spare = places.len();
    other.truncate(path.len().saturating_sub(spare));
    other
}

fn change_last(path: &[u8], change: impl Fn(&[u8]) -> &[u8]) -> Vec<u8> {
    let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
        return path.to_vec();
    };
    let (before, last) = path.split_at_checked(slash.saturating_add(1)).unwrap_or((path, &[]));
    let mut changed = before.to_vec();
    changed.extend_from_slice(change(last));
    changed
}

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
