//! Why a pattern was refused.

use alloc::string::String;
use core::fmt;

/// Maximum length of a pattern, bytes: that of a target that can be paid for.
pub(super) const MAX_PATTERN_BYTES: usize = 2048;

/// Reason why a pattern was refused. The operator has to write it differently.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PatternError {
    /// It does not start with `/`.
    NoLeadingSlash,
    /// It is longer than a paid target may be.
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// `//`.
    EmptySegment,
    /// A `*` elsewhere than as the whole last segment.
    Wildcard,
    /// A parameter that is not a whole segment `[name]`.
    BadName(String),
    /// A character that URLs do not carry as it is, or that servers cut at (`;`, `?`, `#`, `\`).
    ForbiddenCharacter(String),
    /// An escape in lower case, of a character that needs none, or of bytes that are not UTF-8.
    NotCanonicalEscape(String),
    /// A dot segment, or a dot or space that servers trim.
    TrimmedSegment(String),
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeadingSlash => {
                write!(f, "a pattern must start with `/`; write `/*` for every path")
            }
            Self::TooLong { bytes } => {
                write!(f, "the pattern has {bytes} bytes; at most {MAX_PATTERN_BYTES}")
            }
            Self::EmptySegment => {
                write!(f, "has an empty segment; write single slashes")
            }
            Self::Wildcard => {
                write!(f, "`*` is allowed only as the whole last segment, as in `/paid/*`")
            }
            Self::BadName(segment) => {
                let name = segment.trim_matches(|char: char| ":{}[]".contains(char));
                let is_name =
                    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
                let name = if is_name && !name.is_empty() { name } else { "name" };
                write!(f, "segment `{segment}`: write a parameter as a whole segment `[{name}]`")
            }
            Self::ForbiddenCharacter(segment) => {
                write!(
                    f,
                    "segment `{segment}` has a character that paths do not carry; percent-encode it or leave it out"
                )
            }
            Self::NotCanonicalEscape(segment) => write!(
                f,
                "segment `{segment}`: escape only spaces and non-ASCII letters, as UTF-8 with upper-case digits"
            ),
            Self::TrimmedSegment(segment) => {
                write!(
                    f,
                    "segment `{segment}` ends with a dot or space, which servers trim; leave it out"
                )
            }
        }
    }
}

impl core::error::Error for PatternError {}
