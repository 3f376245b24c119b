//! Amounts of assets, as rules name them and people read them.

use alloc::format;
use alloc::string::String;

use farebox_base::amount::Amount;
use farebox_payer::client::asset::{CAP_DECIMALS, is_dollar};

/// An amount of an asset at 18 fraction digits: `$4.95`, or `5.00 EURC`. At least two decimals, and
/// all that are not zero.
///
/// # Examples
/// ```
/// use farebox_base::amount::Amount;
/// use farebox_treasury::money::in_words;
/// let of = |text: &str| Amount::from_decimal(text, 18).unwrap();
/// assert_eq!(in_words(of("0.1"), "USDC"), "$0.10");
/// assert_eq!(in_words(of("0.075001"), "USDC"), "$0.075001");
/// assert_eq!(in_words(of("5"), "EURC"), "5.00 EURC");
/// ```
#[must_use]
pub fn in_words(amount: Amount, symbol: &str) -> String {
    let text = amount.to_decimal(CAP_DECIMALS);
    let text = match text.split_once('.') {
        None => format!("{text}.00"),
        Some((whole, fraction)) => format!("{whole}.{fraction:0<2}"),
    };
    if is_dollar(symbol) { format!("${text}") } else { format!("{text} {symbol}") }
}

/// An amount in atomic units with all its fraction digits.
///
/// # Examples
/// ```
/// use farebox_base::amount::Amount;
/// use farebox_treasury::money::pad;
/// assert_eq!(pad(Amount::from_u64(1_000_000), 6), "1.000000");
/// assert_eq!(pad(Amount::from_u64(5), 0), "5");
/// ```
#[must_use]
pub fn pad(amount: Amount, decimals: u8) -> String {
    let text = amount.to_decimal(decimals);
    let width = usize::from(decimals);
    match text.split_once('.') {
        _ if width == 0 => text,
        None => format!("{text}.{:0<width$}", ""),
        Some((whole, fraction)) => format!("{whole}.{fraction:0<width$}"),
    }
}
