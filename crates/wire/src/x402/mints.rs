//! Known assets of Solana: mint and decimals of each, pinned. The rows are those of the reference
//! clients; all have six fraction digits.

use farebox_base::chain::ChainId;
use farebox_evm::token::TOKENS;

/// Fraction digits of every asset here.
pub const DECIMALS: u8 = 6;

/// The mint of this symbol on `chain`; without a symbol, the default asset of a price there.
///
/// # Examples
/// ```
/// use farebox_base::chain::ChainId;
/// use farebox_wire::x402::mints;
/// let solana = ChainId::from_name("solana").unwrap();
/// let usdc = ("USDC", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v");
/// assert_eq!(mints::known(&solana, None), Some(usdc));
/// assert_eq!(mints::known(&solana, Some("BONK")), None);
/// ```
#[must_use]
pub fn known(chain: &ChainId, symbol: Option<&str>) -> Option<(&'static str, &'static str)> {
    let (_, mints) = MINTS.iter().find(|(chains, _)| chains.contains(&chain.as_str()))?;
    let mut mints = mints.iter();
    let found = match symbol {
        None => mints.next(),
        Some(symbol) => mints.find(|(known, _)| *known == symbol),
    };
    found.copied()
}

/// Whether an asset with this symbol counts as dollars: every known one does, of this table or of
/// that of EVM, because caps add them up as such.
///
/// # Examples
/// ```
/// use farebox_wire::x402::mints::is_dollar;
/// assert!(is_dollar("USDC") && is_dollar("PYUSD") && !is_dollar("EURC"));
/// ```
#[must_use]
pub fn is_dollar(symbol: &str) -> bool {
    let is_mint = MINTS.iter().any(|(_, mints)| mints.iter().any(|(known, _)| *known == symbol));
    is_mint || TOKENS.iter().any(|token| token.symbol == symbol)
}

/// The symbol of this mint on `chain`.
#[must_use]
pub fn symbol_of(chain: &ChainId, mint: &str) -> Option<&'static str> {
    let (_, mints) = MINTS.iter().find(|(chains, _)| chains.contains(&chain.as_str()))?;
    mints.iter().find(|(_, known)| *known == mint).map(|(symbol, _)| *symbol)
}

/// Symbol and mint, the default first.
type Mints = &'static [(&'static str, &'static str)];

/// Mints by the chains that share them. Spec: x402 default assets.
const MINTS: &[(&[&str], Mints)] = &[
    (
        &["solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"],
        &[
            ("USDC", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"),
            ("USDT", "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"),
            ("USDG", "2u1tszSeqZ3qBWF3uNGPFc8TzMk2tdiwknnRMWGWjGWH"),
            ("PYUSD", "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"),
            ("CASH", "CASHx9KJUStyftLFWGvEVf59SGeG9sh5FfcnZMVPCASH"),
        ],
    ),
    (
        &["solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z"],
        &[
            ("USDC", "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU"),
            ("USDG", "4F6PM96JJxngmHnZLBh9n58RH4aTVNWvDs2nuwrT5BP7"),
            ("PYUSD", "CXk2AMBfi3TwaEL2468s6zP8xq9NxTXjp9gjMgzeUynM"),
        ],
    ),
];
