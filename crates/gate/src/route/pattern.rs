//! Path patterns: exact paths, with or without a slash at the end, `[name]` for one segment, `/*` at
//! the end for whole segments.

mod error;

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;

use self::error::MAX_PATTERN_BYTES;
pub use self::error::PatternError;
use crate::path::{decode_once, fold};

/// A canonical path pattern: it matches literally what a client that normalises its URLs sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
    /// Whether it ends in `/*`.
    is_open: bool,
    /// Whether its paths end in a slash.
    is_folder: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Segment {
    Named,
    Literal {
        text: String,
        /// `text` without escapes.
        decoded: Vec<u8>,
        /// `decoded` with look-alikes, non-ASCII letters and space substitutes folded.
        folded: Vec<u8>,
    },
}

/// Way of comparing a path with a pattern.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spelling {
    /// Byte for byte, as clients write it.
    Literal,
    /// Escapes decoded or not.
    Read,
    /// Escapes decoded or not, letter case ignored.
    ReadIgnoringCase,
}

impl Pattern {
    /// Reads a pattern. Spec: docs/configuration.md, "Patterns".
    ///
    /// # Errors
    /// [`PatternError`] when it is not a canonical path or uses another wildcard syntax.
    ///
    /// # Examples
    /// ```
    /// use farebox_gate::route::{Pattern, PatternError};
    /// assert_eq!(Pattern::parse("/users/[id]/*").unwrap().as_str(), "/users/[id]/*");
    /// assert_eq!(Pattern::parse("users"), Err(PatternError::NoLeadingSlash));
    /// assert_eq!(Pattern::parse("/users*"), Err(PatternError::Wildcard));
    /// ```
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong { bytes: text.len() });
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err(PatternError::NoLeadingSlash);
        };
        let (path, is_open) = match path.strip_suffix('*') {
            Some("") => ("", true),
            Some(path) => (path.strip_suffix('/').ok_or(PatternError::Wildcard)?, true),
            None => (path, false),
        };
        let (path, is_folder) = match path.strip_suffix('/') {
            Some(path) if !is_open => (path, true),
            _ => (path, false),
        };
        if is_folder && path.is_empty() {
            return Err(PatternError::EmptySegment);
        }
        let mut segments = Vec::new();
        if !path.is_empty() {
            for segment in path.split('/') {
                segments.push(Segment::parse(segment)?);
            }
        } else if !is_open {
            let nothing =
                Segment::Literal { text: String::new(), decoded: Vec::new(), folded: Vec::new() };
            segments.push(nothing);
        } else if text.len() > "/*".len() {
            return Err(PatternError::EmptySegment);
        }
        Ok(Self { text: String::from(text), segments, is_open, is_folder })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, path: &[u8], spelling: Spelling) -> bool {
        let Some((b'/', path)) = path.split_first() else {
            return false;
        };
        let mut parts = path.split(|byte| *byte == b'/');
        let all = self
            .segments
            .iter()
            .all(|segment| parts.next().is_some_and(|part| segment.accepts(part, spelling)));
        let end = parts.next();
        let ends_so = match (self.is_folder, spelling) {
            (false, _) => end.is_none(),
            (true, Spelling::Literal) => end == Some(b""),
            // An origin may serve a folder without the slash as well.
            (true, _) => end.is_none_or(<[u8]>::is_empty),
        };
        all && (self.is_open || ends_so && parts.next().is_none())
    }

    /// Whether both match the same paths once letter case is ignored.
    pub(super) fn overlays(&self, other: &Self) -> bool {
        self.is_open == other.is_open
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|(a, b)| a.overlays(b))
    }

    /// Sorts most specific first: exact, `[name]`, `/*`; then longer, then literals further to the
    /// left.
    pub(super) fn specificity(&self) -> (bool, bool, Reverse<usize>, Vec<bool>) {
        let named: Vec<bool> =
            self.segments.iter().map(|segment| *segment == Segment::Named).collect();
        let has_named = !self.is_open && named.contains(&true);
        (self.is_open, has_named, Reverse(named.len()), named)
    }

    /// Whether an ordinary path may be another spelling of it: it has capitals, letters that have a
    /// base, or a slash at its end.
    pub(super) fn has_variants(&self) -> bool {
        self.is_folder
            || self.literals().any(|(text, decoded)| {
                let is_variant = |byte: &u8| byte.is_ascii_uppercase() || !byte.is_ascii();
                text.as_bytes().iter().chain(decoded).any(is_variant)
            })
    }

    /// Whether it ends in `/*`.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(crate) fn names_segment(&self, name: &str) -> bool {
        self.literals().any(|(text, _)| text.eq_ignore_ascii_case(name))
    }

    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// The lower-case text before the first wildcard or escape; `/paid` for `/paid/*`, at least
    /// `/`.
    pub(super) fn plain_prefix(&self) -> String {
        let text = self.text.trim_end_matches('*').trim_end_matches('/');
        let mut prefix: String = text.chars().take_while(|c| !matches!(c, '[' | '%')).collect();
        prefix.make_ascii_lowercase();
        if prefix.is_empty() {
            prefix.push('/');
        }
        prefix
    }

    /// Paths it matches, with `name` in place of each `[name]` and up to `deepest + 1` times behind
    /// `/*`, deepest first.
    pub(super) fn examples(&self, name: &str, deepest: usize) -> impl Iterator<Item = String> {
        let mut base = String::new();
        for segment in &self.segments {
            base.push('/');
            base.push_str(match segment {
                Segment::Named => name,
                Segment::Literal { text, .. } => text,
            });
        }
        let more = if self.is_open {
            deepest.saturating_add(1).saturating_sub(self.segments.len())
        } else {
            0
        };
        let mut slashed = base.clone();
        slashed.push('/');
        let slashed = if self.is_open || self.is_folder { Some(slashed) } else { None };
        let deeper = (0..=more).rev().map(move |count| {
            let mut path = base.clone();
            for _ in 0..count {
                path.push('/');
                path.push_str(name);
            }
            path
        });
        let deeper = deeper.filter(|path| !path.is_empty() && !self.is_folder);
        deeper.chain(slashed)
    }

    fn literals(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Named => None,
            Segment::Literal { text, decoded, .. } => Some((text.as_str(), decoded.as_slice())),
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PatternError> {
        let refused = |error: fn(String) -> PatternError| Err(error(String::from(text)));
        if text.is_empty() {
            return Err(PatternError::EmptySegment);
        }
        if let Some(name) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let is_name =
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            return if is_name && !name.is_empty() {
                Ok(Self::Named)
            } else {
                refused(PatternError::BadName)
            };
        }
        if text.contains('*') {
            return Err(PatternError::Wildcard);
        }
        if text.starts_with(':') || text.contains(['[', ']', '{', '}']) {
            return refused(PatternError::BadName);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\;\"<>^`{}".contains(&byte)) {
            return refused(PatternError::ForbiddenCharacter);
        }
        let decoded = decode_once(text.as_bytes());
        if encode(&decoded).as_deref() != Some(text) {
            return refused(PatternError::NotCanonicalEscape);
        }
        if decoded.first() == Some(&b' ') || matches!(decoded.last(), Some(b'.' | b' ')) {
            return refused(PatternError::TrimmedSegment);
        }
        let folded = fold(&decoded);
        Ok(Self::Literal { text: String::from(text), decoded, folded })
    }

    fn accepts(&self, part: &[u8], spelling: Spelling) -> bool {
        let Self::Literal { text, decoded, folded } = self else {
            return !part.is_empty();
        };
        match spelling {
            Spelling::Literal => part == text.as_bytes(),
            Spelling::Read => part == text.as_bytes() || part == decoded || part == folded,
            Spelling::ReadIgnoringCase => {
                part.eq_ignore_ascii_case(text.as_bytes())
                    || part.eq_ignore_ascii_case(decoded)
                    || part.eq_ignore_ascii_case(folded)
                    || is_short_name(part, folded)
            }
        }
    }

    fn overlays(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Named, Self::Named) => true,
            (Self::Literal { folded: a, .. }, Self::Literal { folded: b, .. }) => {
                a.eq_ignore_ascii_case(b)
            }
            (Self::Named, Self::Literal { .. }) | (Self::Literal { .. }, Self::Named) => false,
        }
    }
}

/// Whether a Windows file system may also call `name` this: its first letters, or two of them and
/// four digits, then `~` and a digit.
fn is_short_name(part: &[u8], name: &[u8]) -> bool {
    let Some(tilde) = part.iter().position(|byte| *byte == b'~') else {
        return false;
    };
    let (Some(head), Some([b'0'..=b'9', ..])) =
        (part.get(..tilde), part.get(tilde.saturating_add(1)..))
    else {
        return false;
    };
    let begins = |head: &[u8]| {
        let mut letters = name.iter().filter(|byte| !b" .".contains(byte));
        !head.is_empty()
            && head.iter().all(|a| letters.next().is_some_and(|b| a.eq_ignore_ascii_case(b)))
    };
    let hashed =
        head.split_last_chunk::<4>().filter(|(_, hash)| hash.iter().all(u8::is_ascii_hexdigit));
    begins(head) || hashed.is_some_and(|(head, _)| begins(head))
}

/// The one canonical spelling of a decoded segment; `None` when it has bytes no pattern may hide in
/// an escape.
fn encode(decoded: &[u8]) -> Option<String> {
    let mut text = String::new();
    for c in core::str::from_utf8(decoded).ok()?.chars() {
        let needs_escape = !c.is_ascii() || b" \"<>^`{}".iter().any(|byte| char::from(*byte) == c);
        if !needs_escape {
            let may_be_bare =
                c.is_ascii_graphic() && !matches!(c, '%' | '/' | '\\' | ';' | '?' | '#');
            may_be_bare.then(|| text.push(c))?;
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            text.push('%');
            for digit in [byte >> 4, byte & 0x0f] {
                text.push(char::from_digit(u32::from(digit), 16)?.to_ascii_uppercase());
            }
        }
    }
    Some(text)
}
