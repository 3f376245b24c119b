//! Amounts as text: decimal for people, minor units for machines.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::{self, Display, Formatter};

/// Maximum digits of an amount.
const MAX_DIGITS: usize = 100;
/// Maximum fraction digits that are written out.
const MAX_PRECISION: usize = 36;

/// Why an amount is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// Not digits with at most one point between them.
    Format,
    /// More fraction digits than the precision has.
    Precision,
}

/// The sentences are part of the contract.
impl Display for MoneyError {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Format => "Invalid monetary amount format.",
            Self::Precision => "Monetary amount exceeds the declared precision.",
        })
    }
}

/// Minor units of a decimal amount.
///
/// # Errors
/// See [`MoneyError`].
///
/// # Examples
/// ```
/// use farebox_payer::agent::money::{MoneyError, to_minor};
/// assert_eq!(to_minor("2.500000", 6).unwrap(), "2500000");
/// assert_eq!(to_minor("0", 6).unwrap(), "0");
/// assert_eq!(to_minor("0.1234567", 6), Err(MoneyError::Precision));
/// assert_eq!(to_minor("1e6", 6), Err(MoneyError::Format));
/// ```
pub fn to_minor(amount: &str, precision: usize) -> Result<String, MoneyError> {
    let (whole, fraction) = parts(amount).ok_or(MoneyError::Format)?;
    let missing = precision.checked_sub(fraction.len()).ok_or(MoneyError::Precision)?;
    if missing > MAX_DIGITS {
        return Err(MoneyError::Precision);
    }
    let digits = format!("{whole}{fraction}{}", "0".repeat(missing));
    let trimmed = digits.trim_start_matches('0');
    Ok(if trimmed.is_empty() { "0".to_string() } else { trimmed.to_string() })
}

/// The decimal amount of minor units, with all fraction digits; `None` if they are no digits.
///
/// # Examples
/// ```
/// use farebox_payer::agent::money::from_minor;
/// assert_eq!(from_minor("1000000", 6).as_deref(), Some("1.000000"));
/// assert_eq!(from_minor("25", 0).as_deref(), Some("25"));
/// ```
#[must_use]
pub fn from_minor(minor: &str, precision: usize) -> Option<String> {
    if precision > MAX_PRECISION || !is_digits(minor) {
        return None;
    }
    let trimmed = minor.trim_start_matches('0');
    let width = precision.saturating_add(1);
    let digits = format!("{trimmed:0>width$}");
    let (whole, fraction) = digits.split_at_checked(digits.len().checked_sub(precision)?)?;
    Some(if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") })
}

/// Fraction digits of a token of which `minor` units are worth `price`; `None` if they do not agree.
///
/// # Examples
/// ```
/// use farebox_payer::agent::money::precision_of;
/// assert_eq!(precision_of("10000", "0.01"), Some(6));
/// assert_eq!(precision_of("10000", "0.02"), None);
/// ```
#[must_use]
pub fn precision_of(minor: &str, price: &str) -> Option<usize> {
    (0..=MAX_PRECISION).find(|places| to_minor(price, *places).as_deref() == Ok(minor))
}

/// Fraction digits of a decimal amount; `None` if it is none.
#[must_use]
pub fn decimals(amount: &str) -> Option<usize> {
    parts(amount).map(|(_, fraction)| fraction.len())
}

/// Whether it is digits, and not too many.
#[must_use]
pub fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn parts(amount: &str) -> Option<(&str, &str)> {
    match amount.split_once('.') {
        None => is_digits(amount).then_some((amount, "")),
        Some((whole, fraction)) => {
            (is_digits(whole) && is_digits(fraction)).then_some((whole, fraction))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_agree_and_nothing_else_is_an_amount() {
        for (decimal, precision, minor) in [
            ("1.000000", 6, "1000000"),
            ("0.000001", 6, "1"),
            ("12", 0, "12"),
            ("0.0", 1, "0"),
            ("123456789012345678901234567890.5", 1, "1234567890123456789012345678905"),
        ] {
            assert_eq!(to_minor(decimal, precision).as_deref(), Ok(minor), "{decimal}");
            assert_eq!(from_minor(minor, precision).as_deref(), Some(decimal), "{minor}");
        }
        for text in ["", ".", "1.", ".5", "-1", "+1", "1,0", " 1", "1 ", "١", &"9".repeat(101)] {
            assert_eq!(to_minor(text, 6), Err(MoneyError::Format), "{text}");
            assert_eq!(from_minor(text, 6), None, "{text}");
        }
        assert_eq!(from_minor("1", 37), None);
        assert_eq!(to_minor("1", 1_000_000), Err(MoneyError::Precision));
    }
}
