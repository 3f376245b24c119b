//! Values that must not be printed, logged or left in memory.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

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
