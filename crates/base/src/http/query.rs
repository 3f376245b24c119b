//! Values in the query of a URL. Spec: WHATWG URL, application/x-www-form-urlencoded.

use alloc::string::String;
use alloc::vec::Vec;

/// A value without its percent-encoding; `None` if it is not UTF-8.
///
/// # Examples
/// ```
/// use farebox_base::http::query::decoded;
/// assert_eq!(decoded("a%2Fb+c").as_deref(), Some("a/b c"));
/// assert_eq!(decoded("%zz"), None);
/// ```
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit()?.checked_mul(16)?.checked_add(digit()?)?;
                u8::try_from(value).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}
