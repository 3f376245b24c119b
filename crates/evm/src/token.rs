//! Known assets: the address, decimals and signing domain of each, pinned.
//!
//! A payer's wallet shows the domain, and the decimals turn a price into atomic units, so both come
//! from here and never from a peer. An asset that is missing has to be configured in full. The rows
//! are those of the reference clients.

use crate::address::Address;
use crate::eip712::Domain;
use farebox_base::chain::ChainId;

/// A token contract on one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// CAIP-2 id of the chain.
    pub chain: &'static str,
    /// The operators' name for it, unique on its chain.
    pub symbol: &'static str,
    /// The contract.
    pub address: Address,
    /// The `name` of its EIP-712 domain.
    pub name: &'static str,
    /// The `version` of its EIP-712 domain.
    pub version: &'static str,
    /// Fraction digits: one token is 10^decimals atomic units.
    pub decimals: u8,
    /// Whether it accepts EIP-3009 authorizations; otherwise payers use Permit2.
    pub eip3009: bool,
}

impl Token {
    /// The EIP-712 domain of the token on the chain with number `chain_id`.
    #[must_use]
    pub const fn domain(&self, chain_id: u64) -> Domain<'static> {
        Domain {
            name: self.name,
            version: self.version,
            chain_id,
            verifying_contract: self.address,
        }
    }
}

/// The asset of a price on `chain` that names none. Spec: x402 default assets.
#[must_use]
pub fn default_for(chain: &ChainId) -> Option<&'static Token> {
    on(chain).next()
}

/// The asset with this symbol, compared exactly.
///
/// # Examples
/// ```
/// use farebox_base::chain::ChainId;
/// use farebox_evm::token::by_symbol;
/// let base = ChainId::parse("eip155:8453").unwrap();
/// let usdc = by_symbol(&base, "USDC").unwrap();
/// assert_eq!(usdc.address.to_string(), "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
/// assert_eq!((usdc.name, usdc.version, usdc.decimals), ("USD Coin", "2", 6));
/// assert_eq!(by_symbol(&base, "usdc"), None);
/// ```
#[must_use]
pub fn by_symbol(chain: &ChainId, symbol: &str) -> Option<&'static Token> {
    on(chain).find(|token| token.symbol == symbol)
}

/// The asset with this contract.
#[must_use]
pub fn by_address(chain: &ChainId, address: &Address) -> Option<&'static Token> {
    on(chain).find(|token| token.address == *address)
}

/// The known assets of a chain, its default first.
pub fn on(chain: &ChainId) -> impl Iterator<Item = &'static Token> {
    TOKENS.iter().filter(move |token| token.chain == chain.as_str())
}

/// An address that the code names.
pub(crate) const fn known(text: &str) -> Address {
    match Address::parse(text) {
        Ok(address) => address,
        Err(_) => Address::ZERO,
    }
}

// An error in the table does not compile.
const _: () = {
    let mut rest = TOKENS;
    while let [token, more @ ..] = rest {
        assert!(!token.address.is_zero());
        rest = more;
    }
};

/// An asset with six fraction digits that accepts EIP-3009 authorizations.
const fn eip3009(
    chain: &'static str,
    symbol: &'static str,
    address: &'static str,
    name: &'static str,
    version: &'static str,
) -> Token {
    Token { chain, symbol, address: known(address), name, version, decimals: 6, eip3009: true }
}

/// An asset with eighteen fraction digits that accepts EIP-3009 authorizations.
const fn eip3009_of_18_digits(
    chain: &'static str,
    symbol: &'static str,
    address: &'static str,
    name: &'static str,
    version: &'static str,
) -> Token {
    Token { decimals: 18, ..eip3009(chain, symbol, address, name, version) }
}

/// An asset that is paid through Permit2.
const fn permit2(
    chain: &'static str,
    symbol: &'static str,
    address: &'static str,
    name: &'static str,
    version: &'static str,
    decimals: u8,
) -> Token {
    Token { chain, symbol, address: known(address), name, version, decimals, eip3009: false }
}

/// Every known asset; the first row of a chain is its default.
#[rustfmt::skip] // A table: one row, one line.
pub const TOKENS: &[Token] = &[
    eip3009("eip155:8453", "USDC", "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USD Coin", "2"),
    eip3009("eip155:84532", "USDC", "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC", "2"),
    eip3009("eip155:1", "USDC", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USD Coin", "2"),
    eip3009("eip155:137", "USDC", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "USD Coin", "2"),
    eip3009("eip155:80002", "USDC", "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582", "USDC", "2"),
    eip3009("eip155:43114", "USDC", "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USD Coin", "2"),
    eip3009("eip155:43113", "USDC", "0x5425890298aed601595a70AB815c96711a31Bc65", "USD Coin", "2"),
    eip3009("eip155:42161", "USDC", "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USD Coin", "2"),
    eip3009("eip155:421614", "USDC", "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", "USD Coin", "2"),
    eip3009("eip155:14", "USDT0", "0xe7cd86e13AC4309349F30B3435a9d337750fC82D", "USD\u{20ae}0", "1"),
    eip3009("eip155:50", "USDC", "0xfA2958CB79b0491CC627c1557F441eF849Ca8eb1", "USDC", "2"),
    eip3009("eip155:51", "USDC", "0xb5AB69F7bBada22B28e79C8FFAECe55eF1c771D4", "USDC", "2"),
    eip3009("eip155:143", "USDC", "0x754704Bc059F8C67012fEd69BC8A327a5aafb603", "USDC", "2"),
    eip3009("eip155:988", "USDT0", "0x779Ded0c9e1022225f8E0630b35a9b54bE713736", "USDT0", "1"),
    eip3009("eip155:1328", "USDC", "0x4fCF1784B31630811181f670Aea7A7bEF803eaED", "USDC", "2"),
    eip3009("eip155:1329", "USDC", "0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392", "USDC", "2"),
    eip3009("eip155:2201", "USDT0", "0x78Cf24370174180738C5B8E352B6D14c83a6c9A9", "USDT0", "1"),
    permit2("eip155:4326", "MegaUSD", "0xFAfDdbb3FC7688494971a79cc65DCa3EF82079E7", "MegaUSD", "1", 18),
    permit2("eip155:31611", "mUSD", "0x118917a40FAF1CD7a13dB0Ef56C86De7973Ac503", "Mezo USD", "1", 18),
    permit2("eip155:31612", "mUSD", "0xdD468A1DDc392dcdbEf6db6e34E89AA338F9F186", "Mezo USD", "1", 18),
    eip3009("eip155:36900", "USDC.e", "0x9cb8142aEBBcdc60AF7c97Af897A67A8f3CA71C2", "USDC.e", "2"),
    permit2("eip155:38833", "USDC", "0xA5b8BF902b2844dA17d4506cc827F7F1681735E7", "USDC", "1", 6),
    eip3009("eip155:42220", "USDC", "0xcebA9300f2b948710d2653dD7B07f33A8B32118C", "USDC", "2"),
    eip3009("eip155:42220", "USDT", "0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e", "Tether USD", "1"),
    eip3009("eip155:42220", "USAT", "0xD2ab3C9A02DBBAB236BfEC45D1d755DF4267F771", "Tether America USD", "1"),
    permit2("eip155:72344", "SBC", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "Stable Coin", "1", 6),
    eip3009("eip155:181228", "USDC.e", "0x401eCb1D350407f13ba348573E5630B83638E30D", "Bridged USDC", "2"),
    eip3009("eip155:190415", "USDC.e", "0x401eCb1D350407f13ba348573E5630B83638E30D", "Bridged USDC", "2"),
    permit2("eip155:723487", "SBC", "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "Stable Coin", "1", 6),
    eip3009("eip155:11142220", "USDC", "0x01C5C0122039549AD1493B8220cABEdD739BC44E", "USDC", "2"),
    eip3009("eip155:4689", "USDC", "0xcdf79194c6c285077a58da47641d4dbe51f63542", "Bridged USDC", "2"),
    eip3009("eip155:3338", "USDC", "0xbbA60da06c2c5424f03f7434542280FCAd453d10", "USDC", "2"),
    eip3009("eip155:2741", "USDC", "0x84a71ccd554cc1b02749b35d22f684cc8ec987e1", "Bridged USDC", "2"),
    eip3009("eip155:11124", "USDC", "0xe4C7fBB0a626ed208021ccabA6Be1566905E2dFc", "Bridged USDC", "2"),
    eip3009("eip155:1514", "USDC", "0xF1815bd50389c46847f0Bda824eC8da914045D14", "Bridged USDC", "2"),
    eip3009("eip155:41923", "USDC", "0x12a272A581feE5577A5dFa371afEB4b2F3a8C2F8", "Bridged USDC (Stargate)", "2"),
    eip3009("eip155:324705682", "USDC", "0x2e08028E3C4c2356572E096d8EF835cD5C6030bD", "Bridged USDC (SKALE Bridge)", "2"),
    // X Layer. Spec: OKX agent payments, "Supported networks"; the newer deployments of Circle.
    eip3009("eip155:196", "USDT0", "0x779Ded0c9e1022225f8E0630b35a9b54bE713736", "USD\u{20ae}0", "1"),
    eip3009("eip155:196", "USDG", "0x4ae46a509F6b1D9056937BA4500cb143933D2dc8", "Global Dollar", "1"),
    eip3009("eip155:196", "USDC", "0xB6CEceAB302E2E4948951eE7843FC24E92933061", "USDC", "2"),
    // Kite, and its test network. Spec: Kite, "Gasless transfers", supported tokens.
    eip3009("eip155:2366", "USDC.e", "0x7aB6f3ed87C42eF0aDb67Ed95090f8bF5240149e", "Bridged USDC (Kite AI)", "2"),
    eip3009_of_18_digits("eip155:2368", "pieUSD", "0x38129cf4CE5E183eFF248F42A7D345Bb1B47621A", "pieUSD", "1"),
];
