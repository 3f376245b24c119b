//! Formats amounts for people: `0.0004 USDC (400)`, whole tokens first, then atomic units.

use alloc::format;
use alloc::string::String;

use super::error::clean;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_evm::address::Address;
use farebox_evm::token;

/// Unit of an amount, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unit<'a> {
    /// Common name; the pinned one, if the contract is known.
    pub symbol: &'a str,
    /// The contract and its chain. For a known contract the symbol is ignored, and an unknown one
    /// is not treated as a known token because of its symbol.
    pub contract: Option<(&'a ChainId, &'a Address)>,
    /// Fraction digits, if the caller knows them.
    pub decimals: Option<u8>,
}

/// Formats an amount for people. Without known decimals: the atomic units and a warning.
///
/// # Examples
/// ```
/// use farebox_base::amount::Amount;
/// use farebox_payer::client::price::{Unit, in_words};
/// let words = |symbol| in_words(Amount::from_u64(400), Unit { symbol, ..Unit::default() });
/// assert_eq!(words("USDC"), "0.0004 USDC (400)");
/// assert_eq!(words("FOO"), "400 FOO (warning: unknown decimals)");
/// ```
#[must_use]
pub fn in_words(amount: Amount, unit: Unit<'_>) -> String {
    let known = unit.contract.and_then(|(network, contract)| token::by_address(network, contract));
    let (symbol, decimals) = match known {
        Some(token) => (clean(token.symbol), Some(token.decimals)),
        None if unit.contract.is_some() => (clean(unit.symbol), unit.decimals),
        None => (clean(unit.symbol), unit.decimals.or_else(|| by_symbol(unit.symbol))),
    };
    let symbol = if symbol.is_empty() { "units" } else { symbol.as_str() };
    match decimals {
        Some(decimals) => format!("{} {symbol} ({amount})", amount.to_decimal(decimals)),
        None => format!("{amount} {symbol} (warning: unknown decimals)"),
    }
}

/// Fraction digits implied by a symbol alone. Spec: OKX agent payments, "Amounts".
fn by_symbol(symbol: &str) -> Option<u8> {
    match symbol {
        "USDC" | "USDT" | "USDG" => Some(6),
        "ETH" => Some(18),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(atomic: &str, unit: Unit<'_>) -> String {
        in_words(Amount::from_atomic(atomic).unwrap(), unit)
    }

    #[test]
    fn whole_tokens_come_first_and_atomic_units_behind_them() {
        let cases = [
            ("400", "USDC", "0.0004 USDC (400)"),
            ("1000000", "USDT", "1 USDT (1000000)"),
            ("1", "USDG", "0.000001 USDG (1)"),
            ("1500000000000000000", "ETH", "1.5 ETH (1500000000000000000)"),
            ("400", "FOO", "400 FOO (warning: unknown decimals)"),
            ("400", "usdc", "400 usdc (warning: unknown decimals)"),
            ("400", "", "400 units (warning: unknown decimals)"),
            ("400", "F\u{202e}O\n", "400 FO (warning: unknown decimals)"),
        ];
        for (atomic, symbol, words) in cases {
            assert_eq!(units(atomic, Unit { symbol, ..Unit::default() }), words);
        }
    }

    #[test]
    fn the_contract_decides_and_not_the_symbol() {
        let network = ChainId::parse("eip155:84532").unwrap();
        let usdc = Address::parse("0x036CbD53842c5426634e7929541eC2318f3dCF7e").unwrap();
        let other = Address::parse("0x9bD306cEF7C9C5C35324a3acA5Cc136C80A8FF4f").unwrap();
        let of = |contract, decimals| Unit {
            symbol: "USDT",
            contract: Some((&network, contract)),
            decimals,
        };
        assert_eq!(units("400", of(&usdc, Some(18))), "0.0004 USDC (400)");
        assert_eq!(units("400", of(&other, None)), "400 USDT (warning: unknown decimals)");
        assert_eq!(units("400", of(&other, Some(2))), "4 USDT (400)");
    }
}
