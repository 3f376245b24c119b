//! Prices as owners write them: an amount of an asset, or of XLM as the original has it. No float.

use alloc::string::{String, ToString};

use serde_json::Value;

use super::message::Sale;
use super::row::VersionRow;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::jcs;
use farebox_evm::address::Address;
use farebox_evm::token;

/// Milliseconds for which a price that was replaced still buys what is not settled yet: the gate
/// reads its table once a minute.
pub const GRACE_MS: u64 = 300_000;
/// Fraction digits of XLM.
pub const XLM_DECIMALS: u8 = 7;
/// Fraction digits of a price in dollars.
pub const USD_DECIMALS: u8 = 6;
/// The error for a price in XLM outside of the original's bounds.
pub const XLM_BOUNDS: &str = "priceXLM must be > 0 and <= 100";

/// The decimal text of a JSON number as it was written, exponents laid out; `None` if it is
/// negative, or longer than any price.
///
/// # Examples
/// ```
/// use farebox_market::skills::price::plain;
/// assert_eq!(plain("0.25").as_deref(), Some("0.25"));
/// assert_eq!(plain("25e-2").as_deref(), Some("0.25"));
/// assert_eq!(plain("1E2").as_deref(), Some("100"));
/// assert_eq!(plain("-1"), None);
/// ```
#[must_use]
pub fn plain(number: &str) -> Option<String> {
    if number.len() > 40 {
        return None;
    }
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || exponent.abs() > 30 {
        return None;
    }
    let digits = alloc::format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    let zeros = |count: usize| "0".repeat(count);
    let (whole, fraction) = match usize::try_from(point) {
        Ok(point) => match digits.split_at_checked(point) {
            Some((whole, fraction)) => (whole.to_string(), fraction.to_string()),
            None => (
                alloc::format!("{digits}{}", zeros(point.saturating_sub(digits.len()))),
                String::new(),
            ),
        },
        Err(_) => {
            let missing = usize::try_from(point.unsigned_abs()).ok()?;
            (String::new(), alloc::format!("{}{digits}", zeros(missing)))
        }
    };
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() { whole.to_string() } else { alloc::format!("{whole}.{fraction}") })
}

/// The decimal text of an amount with at most so many fraction digits, what is beyond cut off.
#[must_use]
pub fn cut(amount: Amount, decimals: u8, shown: u8) -> String {
    let text = amount.to_decimal(decimals);
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > usize::from(shown) => {
            let kept = fraction.get(..usize::from(shown)).unwrap_or_default();
            let kept = kept.trim_end_matches('0');
            if kept.is_empty() { whole.to_string() } else { alloc::format!("{whole}.{kept}") }
        }
        _ => text,
    }
}

/// Dollars of an XLM, decimal text.
#[derive(Clone, Debug)]
pub struct XlmRate(pub String);

impl XlmRate {
    /// Dollars of an amount of XLM, rounded up to [`USD_DECIMALS`]; a sum of zero stays zero.
    #[must_use]
    pub fn dollars_of(&self, xlm: &str) -> Option<String> {
        let xlm = Amount::from_decimal(xlm, XLM_DECIMALS).ok()?;
        let rate = Amount::from_decimal(&self.0, 7).ok()?;
        // 14 fraction digits.
        let exact = xlm.checked_mul(rate)?;
        let up = exact.checked_add(Amount::from_u64(99_999_999))?.checked_div_u64(100_000_000)?;
        Some(up.to_decimal(USD_DECIMALS))
    }

    /// XLM of an amount of dollars, rounded down to seven fraction digits.
    #[must_use]
    pub fn xlm_of(&self, dollars: &str) -> Option<String> {
        let dollars = Amount::from_decimal(dollars, 14).ok()?;
        let rate = Amount::from_decimal(&self.0, 7).ok()?;
        let rate: u64 = rate.to_string().parse().ok()?;
        Some(dollars.checked_div_u64(rate)?.to_decimal(XLM_DECIMALS))
    }
}

/// The text of a price as its owner signs it: text as it is, an object in its canonical form, and
/// a number of XLM with the unit.
#[must_use]
pub fn signed_text(price: Option<&Value>, xlm: Option<&Value>) -> String {
    match (price, xlm) {
        (Some(Value::String(text)), _) => text.clone(),
        (Some(other), _) if !other.is_null() => jcs::text(other),
        (_, Some(number)) if !number.is_null() => alloc::format!("{} XLM", jcs::text(number)),
        _ => String::new(),
    }
}

/// Whether the gate may sell by the prices of a version. What it has settled is served by any that it
/// ever sold: it may have rested for long with an old table, and a refusal would keep the money.
pub(super) fn may_sell(version: &VersionRow, sale: &Sale, now: u64) -> bool {
    let is_settled = !sale.transaction.is_empty();
    match version.until {
        None => true,
        // A newer one was there when it was published.
        Some(0) => false,
        Some(until) => {
            let is_fresh = now <= until.saturating_add(GRACE_MS);
            is_fresh || is_settled
        }
    }
}

/// Whether a sale was paid with this price on one of these networks.
pub(super) fn is_price(sale: &Sale, price: &str, asset: &str, networks: &[String]) -> bool {
    let Some(network) = networks.iter().find(|network| **network == sale.network) else {
        return false;
    };
    let token = ChainId::parse(network).ok().and_then(|chain| token::by_symbol(&chain, asset));
    let (Some(token), Ok(paid)) = (token, Address::parse(&sale.asset)) else { return false };
    let price = Amount::from_decimal(price, token.decimals);
    token.address == paid && price.is_ok() && price.ok() == Amount::from_atomic(&sale.amount).ok()
}

/// Whether a sale was paid with this price in the usual token of its network: that for which the gate
/// asks there on a route that names none.
pub(super) fn is_usual_price(sale: &Sale, price: &str, networks: &[String]) -> bool {
    let network = ChainId::parse(&sale.network).ok();
    let usual = network.as_ref().and_then(token::default_for);
    usual.is_some_and(|token| is_price(sale, price, token.symbol, networks))
}
