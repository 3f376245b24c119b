//! The changes that some server, proxy, framework or file system makes to a whole path: one
//! function for each.

use alloc::vec::Vec;

pub(super) fn backslash_as_slash(path: &[u8]) -> Vec<u8> {
    rewritten(path, |byte| Some(if byte == b'\\' { b'/' } else { byte }))
}

pub(super) fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut before = 0;
    rewritten(path, |byte| {
        let is_second = byte == b'/' && before == b'/';
        before = byte;
        (!is_second).then_some(byte)
    })
}

/// `//host/path` resolved as a reference to another host, as URL libraries do.
pub(super) fn drop_authority(path: &[u8]) -> Vec<u8> {
    if !path.starts_with(b"//") {
        return path.to_vec();
    }
    let past_slashes = path.iter().skip_while(|byte| **byte == b'/');
    let rest: Vec<u8> = past_slashes.skip_while(|byte| **byte != b'/').copied().collect();
    if rest.is_empty() { Vec::from(*b"/") } else { rest }
}

pub(super) fn trim_trailing_slash(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last.saturating_add(1));
    path.get(..end).unwrap_or(path).to_vec()
}

/// Dot segments resolved as in RFC 3986 section 5.2.4; those above the root are dropped.
pub(super) fn resolve_dots(path: &[u8]) -> Vec<u8> {
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
pub(super) fn climbs_above_root(path: &[u8]) -> bool {
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

pub(super) fn cut_params_of_each(path: &[u8]) -> Vec<u8> {
    joined(path.len(), segments_of(path).map(|segment| until(segment, |byte| byte == b';')))
}

pub(super) fn cut_params_of_last(path: &[u8]) -> Vec<u8> {
    change_last(path, |segment| until(segment, |byte| byte == b';'))
}

pub(super) fn cut_at_semicolon(path: &[u8]) -> Vec<u8> {
    until(path, |byte| byte == b';').to_vec()
}

pub(super) fn cut_at_question_mark(path: &[u8]) -> Vec<u8> {
    until(path, |byte| byte == b'?').to_vec()
}

pub(super) fn cut_at_hash(path: &[u8]) -> Vec<u8> {
    until(path, |byte| byte == b'#').to_vec()
}

pub(super) fn cut_at_nul(path: &[u8]) -> Vec<u8> {
    until(path, |byte| byte == 0).to_vec()
}

pub(super) fn cut_at_line_end(path: &[u8]) -> Vec<u8> {
    until(path, |byte| matches!(byte, b'\r' | b'\n')).to_vec()
}

pub(super) fn drop_controls(path: &[u8]) -> Vec<u8> {
    rewritten(path, |byte| (!byte.is_ascii_control()).then_some(byte))
}

pub(super) fn trim_leading_blanks_of_each(path: &[u8]) -> Vec<u8> {
    joined(
        path.len(),
        segments_of(path).map(|segment| {
            let start = segment.iter().position(|byte| !is_blank(*byte)).unwrap_or(segment.len());
            segment.get(start..).unwrap_or(segment)
        }),
    )
}

/// Removes the name of a Windows file stream that stands for the file itself (`::$DATA`, `:$I30`).
pub(super) fn cut_streams(path: &[u8]) -> Vec<u8> {
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
pub(super) fn names_stream(after: &[u8]) -> bool {
    matches!(after, [] | [b'/' | b':' | b'$', ..])
}

/// Removes ASP.NET sessions from a path: `(S(…))`, several in one pair of brackets, anywhere.
pub(super) fn drop_sessions(path: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.iter().position(|byte| *byte == b'(') {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        kept.extend_from_slice(before);
        rest = match after_session(from) {
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

pub(super) fn trim_dot_end(path: &[u8]) -> Vec<u8> {
    change_last(path, trim_dots_and_blanks)
}

pub(super) fn trim_dots_of_each(path: &[u8]) -> Vec<u8> {
    joined(path.len(), segments_of(path).map(trim_dots_and_blanks))
}

/// Takes one dot off `...`, which then is a dot segment.
pub(super) fn trim_one_dot_of_each(path: &[u8]) -> Vec<u8> {
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

/// Replaces each byte by another one, or drops it. Works in place, which costs a third of growing a
/// new path.
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
