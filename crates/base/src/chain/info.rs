//! Facts about networks for people and their wallets.
//!
//! Source: the documents of each chain; EIP-3085 for what a wallet needs to add one.

use super::ChainId;

/// A network as people and their wallets know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkInfo {
    /// CAIP-2 id.
    pub id: &'static str,
    /// Name.
    pub title: &'static str,
    /// Where people look at transactions: at `/tx/` and a hash. Empty if none is known.
    pub explorer: &'static str,
    /// A public node that wallets may use. Empty for networks that wallets know by themselves.
    pub node: &'static str,
    /// Symbol of the coin that pays for transactions, of 18 decimals.
    pub coin: &'static str,
}

impl ChainId {
    /// The facts about this network, if it is a known one.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::chain::ChainId;
    /// let info = |id: &str| ChainId::parse(id).unwrap().info();
    /// assert_eq!(info("eip155:84532").unwrap().title, "Base Sepolia");
    /// assert_eq!(info("eip155:8453").unwrap().explorer, "https://basescan.org");
    /// assert_eq!(info("eip155:5"), None);
    /// ```
    #[must_use]
    pub fn info(&self) -> Option<&'static NetworkInfo> {
        INFO.iter().find(|info| info.id == self.as_str())
    }

    /// Its name for people: its id, if it is none of the known ones.
    #[must_use]
    pub fn title(&self) -> &str {
        self.info().map_or(self.as_str(), |info| info.title)
    }
}

const fn chain(
    id: &'static str,
    title: &'static str,
    explorer: &'static str,
    node: &'static str,
    coin: &'static str,
) -> NetworkInfo {
    NetworkInfo { id, title, explorer, node, coin }
}

/// A network of which only the name is known.
const fn named(id: &'static str, title: &'static str) -> NetworkInfo {
    chain(id, title, "", "", "")
}

#[rustfmt::skip]
const INFO: &[NetworkInfo] = &[
    chain("eip155:8453", "Base", "https://basescan.org", "https://mainnet.base.org", "ETH"),
    chain("eip155:84532", "Base Sepolia", "https://sepolia.basescan.org", "https://sepolia.base.org", "ETH"),
    chain("eip155:1", "Ethereum", "https://etherscan.io", "", "ETH"),
    chain("eip155:11155111", "Sepolia", "https://sepolia.etherscan.io", "", "ETH"),
    chain("eip155:137", "Polygon", "https://polygonscan.com", "https://polygon-rpc.com", "POL"),
    chain("eip155:80002", "Polygon Amoy", "https://amoy.polygonscan.com", "https://rpc-amoy.polygon.technology", "POL"),
    chain("eip155:43114", "Avalanche", "https://snowtrace.io", "https://api.avax.network/ext/bc/C/rpc", "AVAX"),
    chain("eip155:43113", "Avalanche Fuji", "https://testnet.snowtrace.io", "https://api.avax-test.network/ext/bc/C/rpc", "AVAX"),
    chain("eip155:42161", "Arbitrum One", "https://arbiscan.io", "https://arb1.arbitrum.io/rpc", "ETH"),
    chain("eip155:421614", "Arbitrum Sepolia", "https://sepolia.arbiscan.io", "https://sepolia-rollup.arbitrum.io/rpc", "ETH"),
    chain("eip155:42220", "Celo", "https://celoscan.io", "https://forno.celo.org", "CELO"),
    chain("eip155:1329", "Sei", "https://seitrace.com", "https://evm-rpc.sei-apis.com", "SEI"),
    chain("eip155:2366", "Kite", "https://kitescan.ai", "https://rpc.gokite.ai", "KITE"),
    chain("eip155:2368", "Kite Testnet", "https://testnet.kitescan.ai", "https://rpc-testnet.gokite.ai", "KITE"),
    named("eip155:196", "X Layer"),
    named("eip155:1952", "X Layer Testnet"),
    named("eip155:1328", "Sei Testnet"),
    named("eip155:11142220", "Celo Sepolia"),
    named("eip155:143", "Monad"),
    named("eip155:14", "Flare"),
    named("eip155:988", "Stable"),
    named("eip155:2201", "Stable Testnet"),
    named("eip155:4326", "MegaETH"),
    named("eip155:4689", "IoTeX"),
    named("eip155:3338", "peaq"),
    named("eip155:2741", "Abstract"),
    named("eip155:11124", "Abstract Testnet"),
    named("eip155:1514", "Story"),
    named("eip155:41923", "EDU Chain"),
    named("eip155:324705682", "SKALE Base Sepolia"),
    named("eip155:50", "XDC"),
    named("eip155:51", "XDC Apothem"),
    named("eip155:31611", "Mezo Testnet"),
    named("eip155:72344", "Radius Testnet"),
    named("eip155:190415", "HPP"),
    named("eip155:181228", "HPP Sepolia"),
    named("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "Solana"),
    named("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "Solana Devnet"),
    named("solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z", "Solana Testnet"),
];
