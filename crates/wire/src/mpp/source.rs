//! Accounts as DIDs: `did:pkh:eip155:<chain>:<address>`. Spec: did:pkh method, CAIP-10.

use alloc::format;
use alloc::string::String;

use farebox_evm::address::Address;

/// An account on an EVM chain, as a credential names the payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The chain, at most 2^53 − 1.
    pub chain_id: u64,
    /// The account.
    pub address: Address,
}

impl Source {
    /// Parses the canonical spelling of the chain, and an address of one case or with its checksum;
    /// `None` for other text.
    ///
    /// # Examples
    /// ```
    /// use farebox_wire::mpp::source::Source;
    /// let did = "did:pkh:eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";
    /// let source = Source::parse(did).unwrap();
    /// assert_eq!(source.to_text(), "did:pkh:eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed");
    /// assert_eq!(Source::parse("did:pkh:eip155:01:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (chain, address) = text.strip_prefix(PREFIX)?.split_once(':')?;
        Some(Self {
            chain_id: chain_id(chain)?,
            address: Address::parse_checksummed(address).ok()?,
        })
    }

    /// The DID, the address with its checksum.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}:{}", self.chain_id, self.address)
    }
}

/// Parses a whole number without leading zeros that a double can hold.
fn chain_id(text: &str) -> Option<u64> {
    match text.as_bytes() {
        [] | [b'0', _, ..] => None,
        digits if digits.iter().all(u8::is_ascii_digit) => {
            text.parse().ok().filter(|id| *id <= MAX_CHAIN_ID)
        }
        _ => None,
    }
}

/// 2^53 − 1: elsewhere a chain is a JSON number.
pub(super) const MAX_CHAIN_ID: u64 = 9_007_199_254_740_991;
const PREFIX: &str = "did:pkh:eip155:";
