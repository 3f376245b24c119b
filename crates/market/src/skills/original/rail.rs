//! On which chains a quote can be paid, and what it costs there. No float.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::row::OptionRow;
use crate::skills::price::{USD_DECIMALS, XlmRate, cut};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_common::config::nodes;
use farebox_evm::token;
use farebox_payer::client::asset::is_dollar;

/// Where pretended payments on Stellar go: the original's default, the key of zeros.
const STELLAR_ZERO: &str = "GAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAWHF";
/// Where pretended payments elsewhere go, if `PAY_TO` is not set.
const EVM_ZERO: &str = "0x0000000000000000000000000000000000000000";
/// Names of networks in the original, with the rest of its numbers for pretended payments: the
/// coin, its fraction digits, and dollars of one at seven fraction digits.
const COINS: [(&str, &str, u8, u64); 3] = [
    ("stellar", "XLM", 7, 1_000_000),
    ("bnb", "BNB", 18, 5_500_000_000),
    ("base", "ETH", 18, 30_000_000_000),
];
/// Most atomic units that are added to a price, to tell its quote from others.
pub(super) const MAX_MARK: u64 = 999;
/// Fraction digits of an amount that is shown of a coin.
const SHOWN_DECIMALS: u8 = 8;

/// A chain on which quotes are paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rail {
    /// A token that is worth a dollar, on a network whose chain can be read here.
    Token {
        /// As clients name it.
        chain: String,
        /// The network.
        network: ChainId,
        /// The token.
        token: &'static token::Token,
        /// The account that is paid.
        pay_to: String,
    },
    /// A coin of the original, which no one pays.
    Coin {
        /// As clients name it.
        chain: &'static str,
        /// Its symbol.
        symbol: &'static str,
        /// Its fraction digits.
        decimals: u8,
        /// Dollars of one, at seven fraction digits.
        rate: u64,
        /// The account that would be paid.
        pay_to: String,
    },
}

impl Rail {
    /// As clients name it.
    pub(super) fn chain(&self) -> &str {
        match self {
            Self::Token { chain, .. } => chain,
            Self::Coin { chain, .. } => chain,
        }
    }

    /// Whether a client means it with this name.
    fn is_named(&self, name: &str) -> bool {
        match self {
            Self::Token { chain, network, .. } => chain == name || network.as_str() == name,
            Self::Coin { chain, .. } => *chain == name,
        }
    }

    /// The price of this many dollars, with so many atomic units more; `None` beyond all amounts.
    pub(super) fn option(&self, usd: &str, mark: u64) -> Option<OptionRow> {
        match self {
            Self::Token { chain, network, token, pay_to } => {
                let price = Amount::from_decimal(usd, token.decimals).ok()?;
                let units = price.checked_add(Amount::from_u64(mark))?;
                Some(OptionRow {
                    chain: chain.clone(),
                    network: network.to_string(),
                    asset: token.address.to_checksum(),
                    amount: alloc::format!("{} {}", units.to_decimal(token.decimals), token.symbol),
                    units: units.to_string(),
                    address: pay_to.clone(),
                })
            }
            Self::Coin { chain, symbol, decimals, rate, pay_to } => {
                let price = Amount::from_decimal(usd, USD_DECIMALS).ok()?;
                let scale = 10_u64.checked_pow(u32::from(decimals.checked_add(1)?))?;
                // Rounded up: less than the price pays nothing.
                let up = Amount::from_u64(rate.checked_sub(1)?);
                let units =
                    price.checked_mul_u64(scale)?.checked_add(up)?.checked_div_u64(*rate)?;
                let shown = cut(units, *decimals, SHOWN_DECIMALS);
                Some(OptionRow {
                    chain: (*chain).to_string(),
                    network: String::new(),
                    asset: String::new(),
                    amount: alloc::format!("{shown} {symbol}"),
                    units: units.to_string(),
                    address: pay_to.clone(),
                })
            }
        }
    }
}

/// Chains on which the quotes of a market are paid.
#[derive(Clone, Copy)]
pub(in crate::skills) struct Rails<'m> {
    /// CAIP-2 ids on which skills can be paid.
    pub networks: &'m [ChainId],
    /// Nodes by network; `None` is for all others.
    pub nodes: &'m [(Option<ChainId>, String)],
    pub pay_to: Option<&'m str>,
    pub rate: &'m XlmRate,
    /// Whether payments are pretended.
    pub mock: bool,
}

impl<'m> Rails<'m> {
    /// The node of a network.
    pub fn node(&self, network: &ChainId) -> Option<&'m str> {
        nodes::of(self.nodes, network)
    }

    /// The chains on which quotes are paid: the original's if payments are pretended, else those of
    /// the market's networks that a node can be asked about.
    pub(super) fn list(&self) -> Vec<Rail> {
        if self.mock {
            return self.list_coins();
        }
        let Some(pay_to) = self.pay_to else { return Vec::new() };
        let mut rails: Vec<Rail> = Vec::new();
        for network in self.networks {
            let token = token::default_for(network).filter(|token| {
                is_dollar(token.symbol)
                    && token.decimals >= USD_DECIMALS
                    && self.node(network).is_some()
                    && network.evm_id().is_some()
            });
            let Some(token) = token else { continue };
            let name = original_name(network).filter(|name| {
                let is_taken = rails.iter().any(|rail| rail.chain() == *name);
                !is_taken
            });
            let chain = name.unwrap_or(network.as_str()).to_string();
            let (network, pay_to) = (network.clone(), pay_to.to_string());
            rails.push(Rail::Token { chain, network, token, pay_to });
        }
        rails
    }

    fn list_coins(&self) -> Vec<Rail> {
        let evm = self.pay_to.unwrap_or(EVM_ZERO);
        let own = Amount::from_decimal(&self.rate.0, 7).ok();
        let own = own.and_then(|rate| rate.to_string().parse().ok());
        let coin = |(chain, symbol, decimals, rate)| {
            let is_stellar = chain == "stellar";
            Rail::Coin {
                chain,
                symbol,
                decimals,
                rate: own.filter(|_| is_stellar).unwrap_or(rate),
                pay_to: if is_stellar { STELLAR_ZERO } else { evm }.to_string(),
            }
        };
        COINS.into_iter().map(coin).collect()
    }
}

/// The rail that a client means; without a name `bnb`, as the original, or else the first.
pub(super) fn choose_rail<'a>(rails: &'a [Rail], name: Option<&str>) -> Option<&'a Rail> {
    match name {
        Some(name) => rails.iter().find(|rail| rail.is_named(name)),
        None => rails.iter().find(|rail| rail.chain() == "bnb").or_else(|| rails.first()),
    }
}

fn original_name(network: &ChainId) -> Option<&'static str> {
    match network.evm_id()? {
        8_453 | 84_532 => Some("base"),
        56 | 97 => Some("bnb"),
        _ => None,
    }
}
