//! Networks: CAIP-2 ids, their x402 version 1 names, and what people call them.

mod info;

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

pub use info::NetworkInfo;

/// A CAIP-2 chain id such as `eip155:8453`.
///
/// Equal ids are equal text: an `eip155` reference is a decimal number without leading zeros. Spec:
/// CAIP-2; CAIP-3 for `eip155`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(Cow<'static, str>);

impl ChainId {
    /// Reads a CAIP-2 id: namespace `[-a-z0-9]{3,8}`, colon, reference `[-_a-zA-Z0-9]{1,32}`.
    ///
    /// # Errors
    /// [`ChainIdError`] for anything else, and for an `eip155` reference that is not a canonical
    /// decimal from 1 to 2^64 − 1.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::chain::{ChainId, ChainIdError};
    /// assert_eq!(ChainId::parse("eip155:8453").unwrap().evm_id(), Some(8453));
    /// assert_eq!(ChainId::parse("base"), Err(ChainIdError));
    /// assert_eq!(ChainId::parse("eip155:08453"), Err(ChainIdError));
    /// ```
    pub fn parse(text: &str) -> Result<Self, ChainIdError> {
        let (namespace, reference) = text.split_once(':').ok_or(ChainIdError)?;
        let is_namespace = (3..=8).contains(&namespace.len())
            && namespace.bytes().all(|byte| matches!(byte, b'-' | b'a'..=b'z' | b'0'..=b'9'));
        let is_reference = (1..=32).contains(&reference.len())
            && reference
                .bytes()
                .all(|byte| matches!(byte, b'-' | b'_') || byte.is_ascii_alphanumeric());
        if !is_namespace || !is_reference {
            return Err(ChainIdError);
        }
        if namespace == EVM && evm_reference(reference).is_none() {
            return Err(ChainIdError);
        }
        Ok(Self(match known(|network| network.id == text) {
            Some(network) => Cow::Borrowed(network.id),
            None => Cow::Owned(String::from(text)),
        }))
    }

    /// The id of an x402 version 1 network name, such as `base` or `solana-devnet`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        known(|network| network.name == Some(name)).map(|network| Self(Cow::Borrowed(network.id)))
    }

    /// Reads either a version 1 name or a CAIP-2 id.
    ///
    /// # Errors
    /// [`ChainIdError`] when it is neither.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::chain::{ChainId, ChainIdError};
    /// assert_eq!(ChainId::parse_or_name("base").unwrap().as_str(), "eip155:8453");
    /// assert_eq!(ChainId::parse_or_name("eip155:84532").unwrap().v1_name(), Some("base-sepolia"));
    /// assert_eq!(ChainId::parse_or_name("Base"), Err(ChainIdError));
    /// ```
    pub fn parse_or_name(text: &str) -> Result<Self, ChainIdError> {
        Self::from_name(text).map_or_else(|| Self::parse(text), Ok)
    }

    /// The known network that a text probably means which names none: a name in other letters or
    /// with other separators, or the number of a known chain.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::chain::ChainId;
    /// assert_eq!(ChainId::meant_by("Base").unwrap().as_str(), "eip155:8453");
    /// assert_eq!(ChainId::meant_by("84532").unwrap().v1_name(), Some("base-sepolia"));
    /// assert_eq!(ChainId::meant_by("base_sepolia").unwrap().v1_name(), Some("base-sepolia"));
    /// assert_eq!(ChainId::meant_by("nowhere"), None);
    /// ```
    #[must_use]
    pub fn meant_by(text: &str) -> Option<Self> {
        let plain = |text: &str| -> String {
            let kept = text.bytes().filter(u8::is_ascii_alphanumeric);
            kept.map(|byte| char::from(byte.to_ascii_lowercase())).collect()
        };
        let text = plain(text);
        let text = text.strip_suffix("mainnet").unwrap_or(&text);
        let is_it = |network: &Network| {
            let number = network.id.strip_prefix(EVM).map(plain);
            number.as_deref() == Some(text)
                || plain(network.id) == text
                || network.name.is_some_and(|name| plain(name) == text)
        };
        known(is_it).map(|network| Self(Cow::Borrowed(network.id)))
    }

    /// The version 1 names of all networks that have one.
    pub fn v1_names() -> impl Iterator<Item = &'static str> {
        NETWORKS.iter().filter_map(|network| network.name)
    }

    /// The id of the EVM chain with this number; zero is invalid.
    ///
    /// # Errors
    /// [`ChainIdError`] for zero.
    pub fn from_evm(id: u64) -> Result<Self, ChainIdError> {
        Self::parse(&alloc::format!("{EVM}:{id}"))
    }

    /// The CAIP-2 text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The x402 version 1 name, if there is one.
    #[must_use]
    pub fn v1_name(&self) -> Option<&'static str> {
        known(|network| network.id == self.0)?.name
    }

    /// The x402 version 1 name if the published clients of version 1 read it: they refuse a whole list
    /// of offers for one name that they do not know. Spec: `NetworkSchema` of `x402` 1.2.0.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::chain::ChainId;
    /// let base = ChainId::parse("eip155:8453").unwrap();
    /// let celo = ChainId::parse("eip155:42220").unwrap();
    /// assert_eq!((base.v1_offered(), celo.v1_offered()), (Some("base"), None));
    /// assert_eq!(celo.v1_name(), Some("celo"));
    /// ```
    #[must_use]
    pub fn v1_offered(&self) -> Option<&'static str> {
        self.v1_name().filter(|name| !V1_UNREAD.contains(name))
    }

    /// The chain number of an `eip155` id, as used in EIP-712 domains.
    #[must_use]
    pub fn evm_id(&self) -> Option<u64> {
        let (namespace, reference) = self.0.split_once(':')?;
        if namespace == EVM { evm_reference(reference) } else { None }
    }

    /// Whether its money has value; an unknown network counts as a main network.
    #[must_use]
    pub fn is_main_network(&self) -> bool {
        known(|network| network.id == self.0)
            .is_none_or(|network| network.kind == NetworkKind::Main)
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for ChainId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ChainId({self})")
    }
}

/// Error of text that does not name a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainIdError;

impl fmt::Display for ChainIdError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("expected a CAIP-2 network such as eip155:8453")
    }
}

impl core::error::Error for ChainIdError {}

fn evm_reference(reference: &str) -> Option<u64> {
    match reference.as_bytes() {
        [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => reference.parse().ok(),
        _ => None,
    }
}

fn known(is_it: impl Fn(&Network) -> bool) -> Option<&'static Network> {
    NETWORKS.iter().find(|network| is_it(network))
}

struct Network {
    id: &'static str,
    name: Option<&'static str>,
    kind: NetworkKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NetworkKind {
    Main,
    Test,
}

const fn main(id: &'static str, name: &'static str) -> Network {
    Network { id, name: Some(name), kind: NetworkKind::Main }
}

const fn test(id: &'static str, name: &'static str) -> Network {
    Network { id, name: Some(name), kind: NetworkKind::Test }
}

/// A test network without a version 1 name.
const fn unnamed_test(id: &'static str) -> Network {
    Network { id, name: None, kind: NetworkKind::Test }
}

const EVM: &str = "eip155";

/// Version 1 names of others that the published clients do not read.
const V1_UNREAD: &[&str] = &[
    "ethereum",
    "sepolia",
    "solana-testnet",
    "celo",
    "monad",
    "flare",
    "stable",
    "stable-testnet",
    "megaeth",
];

/// The networks with a version 1 name, and the test networks among the others. Most used first.
const NETWORKS: &[Network] = &[
    main("eip155:8453", "base"),
    test("eip155:84532", "base-sepolia"),
    main("eip155:1", "ethereum"),
    test("eip155:11155111", "sepolia"),
    main("eip155:137", "polygon"),
    test("eip155:80002", "polygon-amoy"),
    main("eip155:43114", "avalanche"),
    test("eip155:43113", "avalanche-fuji"),
    main("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana"),
    test("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "solana-devnet"),
    test("solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z", "solana-testnet"),
    main("eip155:1329", "sei"),
    test("eip155:1328", "sei-testnet"),
    main("eip155:42220", "celo"),
    main("eip155:143", "monad"),
    main("eip155:14", "flare"),
    main("eip155:988", "stable"),
    test("eip155:2201", "stable-testnet"),
    main("eip155:4326", "megaeth"),
    main("eip155:4689", "iotex"),
    main("eip155:3338", "peaq"),
    main("eip155:2741", "abstract"),
    test("eip155:11124", "abstract-testnet"),
    main("eip155:1514", "story"),
    main("eip155:41923", "educhain"),
    test("eip155:324705682", "skale-base-sepolia"),
    // Arbitrum Sepolia, Celo Sepolia, Mezo, Radius, HPP Sepolia, XDC Apothem.
    unnamed_test("eip155:421614"),
    unnamed_test("eip155:11142220"),
    unnamed_test("eip155:31611"),
    unnamed_test("eip155:72344"),
    unnamed_test("eip155:181228"),
    unnamed_test("eip155:51"),
    // Those of X Layer and Kite.
    unnamed_test("eip155:1952"),
    unnamed_test("eip155:2368"),
    // Tempo Moderato, OP Sepolia, and the numbers local development chains take.
    unnamed_test("eip155:42431"),
    unnamed_test("eip155:11155420"),
    unnamed_test("eip155:31337"),
    unnamed_test("eip155:1337"),
    // Chains of other kinds. Spec: CAIP-2 namespaces; Keeta's number spells TEST.
    unnamed_test("stellar:testnet"),
    unnamed_test("aptos:2"),
    unnamed_test("sui:testnet"),
    unnamed_test("hedera:testnet"),
    unnamed_test("algorand:SGO1GKSzyE7IEPItTxCByw9x8FmnrCDe"),
    unnamed_test("keeta:1413829460"),
];
