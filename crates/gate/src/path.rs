//! Request targets: the exact bytes that are priced and forwarded, and how lenient origins may read
//! their path.
//!
//! It is the only canonicaliser of the crate. It never rewrites what is forwarded: a target either
//! stays as it came or is refused. Order of calls: [`Target::from_url`] (or [`Target::parse`]),
//! then [`RouteTable::find`](crate::route::RouteTable::find), which asks
//! [`Target::any_reading`].
//!
//! Assumptions:
//! - The text forwarded to the origin is [`Target::as_str`], appended to the origin, never resolved
//!   against it.
//! - The query never decides what a route is.

mod case;
mod escape;
mod letters;
mod reading;
mod rewrite;

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

pub(super) use self::escape::{decode_once, fold};

/// The longest target that is looked at, in bytes. A longer one is refused.
pub const MAX_TARGET_BYTES: usize = 16_384;

/// A request target in origin form (`/path?query`), byte for byte as it will be forwarded.
///
/// Every value starts with `/`, is visible ASCII without `#`, and its path has no `\`, no malformed
/// percent escape, and none of more than two levels for a byte that origins may read as a
/// separator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    text: String,
    ordinary: bool,
}

impl Target {
    /// Takes an origin-form request target. Spec: RFC 9112 section 3.2.1.
    ///
    /// # Errors
    /// [`TargetError`] for whatever must never be forwarded; nothing is repaired.
    ///
    /// # Examples
    /// ```
    /// use farebox_gate::path::{Target, TargetError};
    /// assert_eq!(Target::parse("/a%2Fb").unwrap().as_str(), "/a%2Fb");
    /// assert_eq!(Target::parse("/a%2"), Err(TargetError::BadEscape { at: 2 }));
    /// assert_eq!(Target::parse("/a b"), Err(TargetError::ForbiddenByte { byte: b' ', at: 2 }));
    /// ```
    pub fn parse(raw: &str) -> Result<Self, TargetError> {
        if raw.len() > MAX_TARGET_BYTES {
            return Err(TargetError::TooLong { bytes: raw.len() });
        }
        if !raw.starts_with('/') {
            return Err(TargetError::NotOriginForm);
        }
        let path = path_of(raw).as_bytes();
        for (at, &byte) in raw.as_bytes().iter().enumerate() {
            if !byte.is_ascii_graphic() || byte == b'#' || (byte == b'\\' && at < path.len()) {
                return Err(TargetError::ForbiddenByte { byte, at });
            }
        }
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'%') {
            if !matches!(path.get(at..), Some([_, high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
            {
                return Err(TargetError::BadEscape { at });
            }
        }
        if escape::is_too_deep(path) {
            return Err(TargetError::TooDeep);
        }
        if is_mangled(path) {
            return Err(TargetError::Mangled);
        }
        Ok(Self { text: raw.to_owned(), ordinary: is_ordinary(path) })
    }

    /// Takes the target out of an absolute URL (`https://host/path?query`) as the platform gives
    /// it.
    ///
    /// Scheme and authority are dropped unread: they choose the route table, never the route.
    ///
    /// # Errors
    /// [`TargetError::NotOriginForm`] without `://`, else as [`Target::parse`].
    ///
    /// # Examples
    /// ```
    /// use farebox_gate::path::{Target, TargetError};
    /// let target = Target::from_url("https://shop.example/report?year=2026").unwrap();
    /// assert_eq!((target.path(), target.query()), ("/report", Some("year=2026")));
    /// assert_eq!(Target::from_url("shop.example/report"), Err(TargetError::NotOriginForm));
    /// ```
    pub fn from_url(url: &str) -> Result<Self, TargetError> {
        let (_, rest) = url.split_once("://").ok_or(TargetError::NotOriginForm)?;
        let target = rest.find(['/', '?', '#', '\\']).and_then(|at| rest.get(at..)).unwrap_or("/");
        if target.starts_with('?') {
            let mut rooted = String::from("/");
            rooted.push_str(target);
            return Self::parse(&rooted);
        }
        Self::parse(target)
    }

    /// The whole target, path and query, exactly as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path with its escapes, without the query.
    pub fn path(&self) -> &str {
        path_of(&self.text)
    }

    /// The query: the text after the first `?`; `None` if there is no `?`.
    pub fn query(&self) -> Option<&str> {
        self.text.split_once('?').map(|(_, query)| query)
    }

    /// Whether every origin reads this path alike: lower case unreserved characters except `~`,
    /// single slashes, no trailing slash, no segment that ends with a dot.
    pub fn is_ordinary(&self) -> bool {
        self.ordinary
    }

    /// Whether `test` holds for the path as it came or as some lenient origin may read it.
    ///
    /// Letter case is not folded here: `test` has to ignore it. Also true when a reading leads
    /// above the root or there are too many to look at them all, so an answer of `false` is
    /// certain. Spec: docs/requests.md, "Ambiguous targets".
    pub fn any_reading(&self, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        let path = self.path().as_bytes();
        if self.ordinary { test(path) } else { reading::any(path, test) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reason why a request target was refused before any route was looked up. The client has to send
/// another target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TargetError {
    /// It does not start with `/` (or, for a URL, has no authority).
    NotOriginForm,
    /// It is longer than [`MAX_TARGET_BYTES`].
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A control, space or non-ASCII byte, a `#`, or a `\` in the path.
    ForbiddenByte {
        /// The byte.
        byte: u8,
        /// Its place, from 0.
        at: usize,
    },
    /// A `%` in the path without two hex digits behind it.
    BadEscape {
        /// Its place, from 0.
        at: usize,
    },
    /// A byte of the path that is not a letter or digit is percent-encoded more than twice.
    TooDeep,
    /// The path has a U+FFFD, which the platform puts in place of bytes that are not UTF-8.
    Mangled,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOriginForm => write!(f, "the request target must start with `/`"),
            Self::TooLong { bytes } => {
                write!(f, "the request target has {bytes} bytes; send at most {MAX_TARGET_BYTES}")
            }
            Self::ForbiddenByte { byte, at } => {
                write!(f, "byte 0x{byte:02x} at {at} of the request target; percent-encode it")
            }
            Self::BadEscape { at } => {
                write!(
                    f,
                    "`%` at {at} of the path without two hex digits; write `%25` for a percent sign"
                )
            }
            Self::TooDeep => {
                write!(f, "the path is percent-encoded more than twice; encode it once")
            }
            Self::Mangled => {
                write!(f, "the path is not UTF-8; percent-encode its bytes")
            }
        }
    }
}

impl core::error::Error for TargetError {}

/// Whether the path has a U+FFFD, which may stand for a byte that the client sent raw.
fn is_mangled(path: &[u8]) -> bool {
    let is_it = |after: &[u8]| {
        matches!(after, [b'e' | b'E', ..])
            && after.get(..8).is_some_and(|eight| eight.eq_ignore_ascii_case(b"EF%BF%BD"))
    };
    escape::has(path, is_it)
}

fn path_of(target: &str) -> &str {
    match target.split_once('?') {
        Some((path, _)) => path,
        None => target,
    }
}

fn is_ordinary(path: &[u8]) -> bool {
    let Some((_, rest)) = path.split_first() else {
        return false;
    };
    let mut before = b'/';
    for &byte in rest {
        let plain = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => true,
            b'/' => before != b'/' && before != b'.',
            _ => false,
        };
        if !plain {
            return false;
        }
        before = byte;
    }
    rest.is_empty() || (before != b'/' && before != b'.')
}
