//! Every known asset is a dollar: the caps of a payer add them up as such.

use farebox_core::chain::ChainId;
use farebox_core::client::asset::is_dollar;
use farebox_core::evm::token::TOKENS;
use farebox_core::x402::mints;

/// Symbols of tokens whose issuer returns one US dollar for each.
const DOLLARS: &[&str] = &[
    "CASH", "MegaUSD", "PYUSD", "SBC", "USAT", "USDC", "USDC.e", "USDG", "USDT", "USDT0", "mUSD",
    "pieUSD",
];

/// Symbols of tokens of other currencies, which would be found if they were added.
const OTHERS: &[&str] = &["EURC", "EURT", "EURS", "GBPT", "XSGD", "JPYC", "BRZ", "MXNT", "WETH"];

#[test]
fn every_known_asset_is_a_dollar_because_caps_add_them_up() {
    let strangers: Vec<_> = TOKENS
        .iter()
        .filter(|token| !DOLLARS.contains(&token.symbol))
        .map(|token| format!("{} on {}", token.symbol, token.chain))
        .collect();
    assert!(
        strangers.is_empty(),
        "{strangers:?}: not known to be worth a dollar. crates/payer/src/client/policy.rs adds up all known assets as dollars: \
         list the symbol here if its issuer returns a dollar for each; an asset of another currency waits until caps know currencies"
    );
}

#[test]
fn no_known_mint_is_of_another_currency() {
    let solana = ["solana", "solana-devnet"].map(|name| ChainId::from_name(name).unwrap());
    for symbol in OTHERS {
        assert!(solana.iter().all(|chain| mints::known(chain, Some(symbol)).is_none()), "{symbol}");
    }
}

#[test]
fn what_counts_as_a_dollar_is_what_the_tables_have() {
    for symbol in DOLLARS {
        assert!(is_dollar(symbol), "{symbol}");
    }
    for symbol in OTHERS {
        assert!(!is_dollar(symbol), "{symbol}");
    }
}
