//! Values that must not be printed, logged or left in memory.

use alloc::string::String;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::http::query::decoded;

/// A secret: overwritten when dropped, shown as `[redacted]`.
///
/// It has no equality; compare the result of [`Secret::expose`] with [`ct_eq`].
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps the secret.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself, for the line that uses it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// Whether two byte strings are equal, in a time that depends only on their lengths.
///
/// # Examples
/// ```
/// use farebox_base::secret::{Secret, ct_eq};
/// let secret = Secret::new(String::from("open sesame"));
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert!(ct_eq(secret.expose().as_bytes(), b"open sesame"));
/// assert!(!ct_eq(secret.expose().as_bytes(), b"open barley"));
/// ```
#[must_use]
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Prefixes of the tokens of these systems: of agents, packs, sales and subscriptions, of jobs and
/// of sellers.
const MARKS: [&str; 7] = ["fbt_", "fbk_", "fbp_", "fbs_", "fbq_", "qdj_", "qdr_"];
/// Longest path that is shown, characters: clients write it.
const MAX_PATH_CHARS: usize = 256;
const HIDDEN: &str = "[redacted]";

/// Whether text has the form of a token of these systems.
#[must_use]
pub fn is_token(text: &str) -> bool {
    MARKS.iter().any(|mark| text.starts_with(mark))
}

/// Whether a part of this path shows a token, percent-encoded or not.
#[must_use]
pub fn shows_token(path: &str) -> bool {
    path.split('/').any(|part| cut_of(part).is_some())
}

/// The path of a request target as a log may have it: without its query, at most 256 characters, and
/// without the tokens in it.
///
/// # Examples
/// ```
/// use farebox_base::secret::path_shown;
/// assert_eq!(path_shown("/packs/fbp_a1_02?x=1"), "/packs/fbp_[redacted]");
/// ```
#[must_use]
pub fn path_shown(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let mut shown = String::new();
    for (place, part) in path.split('/').enumerate() {
        if place > 0 {
            shown.push('/');
        }
        match cut_of(part) {
            Some(mark) => {
                shown.push_str(mark);
                shown.push_str(HIDDEN);
            }
            None => shown.push_str(part),
        }
    }
    shown.chars().take(MAX_PATH_CHARS).collect()
}

/// The prefix of the token that a part of a path has anywhere in it; empty for the form of a session.
fn cut_of(part: &str) -> Option<&'static str> {
    let plain = decoded(part);
    let plain = plain.as_deref().unwrap_or(part);
    let is_session = plain.starts_with("eyJ") && plain.contains('.');
    let mark = MARKS.into_iter().find(|mark| plain.contains(mark));
    mark.or(is_session.then_some(""))
}
