//! The id of a channel: the hash of everything about it that never changes. And the nonces by which
//! the deposits of a channel are bound to it.

use alloc::vec::Vec;
use core::fmt;

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::escrow::{EscrowContract, EscrowDomain};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_evm::address::Address;
use farebox_evm::eip712;
use farebox_evm::keccak::{keccak256, keccak256_parts};

/// The id of a channel, as its contract computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelId([u8; 32]);

impl ChannelId {
    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses `0x` and 64 digits of either case; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::decode_array(text).ok().map(Self)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode_prefixed(&self.0))
    }
}

/// The members that name a channel of x402 `batch-settlement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelConfig {
    /// The account that deposits.
    pub payer: Address,
    /// The signer of vouchers; zero if the payer is a contract that checks them itself.
    pub payer_authorizer: Address,
    /// The account that is paid.
    pub receiver: Address,
    /// The signer of claims and refunds.
    pub receiver_authorizer: Address,
    /// The token.
    pub token: Address,
    /// Seconds from a request to withdraw to the withdrawal; 40 bits.
    pub withdraw_delay_secs: u64,
    /// Tells apart channels that are otherwise the same.
    pub salt: [u8; 32],
}

impl ChannelConfig {
    /// Seconds that a withdrawal may be delayed by. Spec: x402 `batch-settlement` on EVM, "Channel
    /// creation and deposits".
    pub const WITHDRAW_DELAYS: core::ops::RangeInclusive<u64> = 900..=2_592_000;

    /// Its members as payloads have them, each in one spelling.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "payer": self.payer.to_checksum(),
            "payerAuthorizer": self.payer_authorizer.to_checksum(),
            "receiver": self.receiver.to_checksum(),
            "receiverAuthorizer": self.receiver_authorizer.to_checksum(),
            "token": self.token.to_checksum(),
            "withdrawDelay": self.withdraw_delay_secs,
            "salt": hex::encode_prefixed(&self.salt),
        })
    }

    /// The id of the channel: the EIP-712 digest of its configuration.
    #[must_use]
    pub fn id(&self, contract: &EscrowContract) -> ChannelId {
        self.id_in(&contract.domain())
    }

    /// The same for a contract whose separator is known.
    #[must_use]
    pub fn id_in(&self, domain: &EscrowDomain) -> ChannelId {
        let hash = keccak256_parts(&[
            &CONFIG_TYPE_HASH,
            &self.payer.to_word(),
            &self.payer_authorizer.to_word(),
            &self.receiver.to_word(),
            &self.receiver_authorizer.to_word(),
            &self.token.to_word(),
            &Amount::from_u64(self.withdraw_delay_secs).to_be_bytes(),
            &self.salt,
        ]);
        ChannelId(eip712::digest(&domain.separator, &hash))
    }
}

/// The members that name a channel of MPP's method `evm`, and of `tempo` in version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelParties {
    /// The account that deposits.
    pub payer: Address,
    /// The account that is paid.
    pub payee: Address,
    /// The token.
    pub token: Address,
    /// Tells apart channels that are otherwise the same.
    pub salt: [u8; 32],
    /// The signer of vouchers; zero is the payer, and is hashed as zero.
    pub authorized_signer: Address,
}

impl ChannelParties {
    /// The id of the channel. Spec: MPP `evm` session, "Channel identifier".
    #[must_use]
    pub fn id(&self, contract: &EscrowContract) -> ChannelId {
        ChannelId(keccak256_parts(&[
            &self.payer.to_word(),
            &self.payee.to_word(),
            &self.token.to_word(),
            &self.salt,
            &self.authorized_signer.to_word(),
            &contract.address.to_word(),
            &Amount::from_u64(contract.chain_id).to_be_bytes(),
        ]))
    }

    /// The signer of its vouchers.
    #[must_use]
    pub fn signer(&self) -> Address {
        if self.authorized_signer.is_zero() { self.payer } else { self.authorized_signer }
    }

    /// The nonce of the authorization that opens it, by the draft of MPP.
    #[must_use]
    pub fn open_nonce(&self) -> [u8; 32] {
        keccak256(&self.opening())
    }

    /// The nonce of the authorization that opens it, by OKX's contract, which also hashes who
    /// shares the payments: recipients and basis points, of equal number.
    #[must_use]
    pub fn open_nonce_of_okx(&self, splits: &[(Address, u16)]) -> [u8; 32] {
        let word = |number: u64| Amount::from_u64(number).to_be_bytes();
        let count = u64::try_from(splits.len()).unwrap_or(u64::MAX);
        // Seven words of head; the first list takes one word and one for each member.
        let first = 7_u64.saturating_mul(32);
        let second = first.saturating_add(count.saturating_add(1).saturating_mul(32));
        let mut bytes = self.opening();
        bytes.extend(word(first));
        bytes.extend(word(second));
        bytes.extend(word(count));
        bytes.extend(splits.iter().flat_map(|(recipient, _)| recipient.to_word()));
        bytes.extend(word(count));
        bytes.extend(splits.iter().flat_map(|(_, points)| word(u64::from(*points))));
        keccak256(&bytes)
    }

    /// The same where no one shares them.
    #[must_use]
    pub fn unsplit_nonce_of_okx(&self) -> [u8; 32] {
        let word = |number: u64| Amount::from_u64(number).to_be_bytes();
        keccak256_parts(&[&self.opening(), &word(224), &word(256), &[0; 64]])
    }

    fn opening(&self) -> Vec<u8> {
        let Self { payer, payee, token, salt, authorized_signer } = self;
        let words =
            [payer.to_word(), payee.to_word(), token.to_word(), *salt, authorized_signer.to_word()];
        words.concat()
    }
}

/// The nonce of an authorization that adds to the deposit of a channel of MPP's method `evm`.
#[must_use]
pub fn top_up_nonce(
    channel: &ChannelId,
    additional: Amount,
    from: Address,
    salt: &[u8; 32],
) -> [u8; 32] {
    keccak256_parts(&[channel.as_bytes(), &additional.to_be_bytes(), &from.to_word(), salt])
}

/// The nonce of an authorization that deposits into a channel of x402 `batch-settlement`.
#[must_use]
pub fn deposit_nonce(channel: &ChannelId, salt: Amount) -> [u8; 32] {
    keccak256_parts(&[channel.as_bytes(), &salt.to_be_bytes()])
}

/// Keccak-256 of `ChannelConfig(address payer,address payerAuthorizer,address receiver,address
/// receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)`.
const CONFIG_TYPE_HASH: [u8; 32] = [
    0x1c, 0x9a, 0x06, 0xce, 0xab, 0x9b, 0x0e, 0xbb, 0xd3, 0x30, 0x1d, 0xc5, 0x6c, 0x91, 0x11, 0xbb,
    0x6d, 0x9a, 0xf4, 0x21, 0x35, 0x6d, 0xc9, 0xcc, 0xb3, 0xb7, 0x08, 0x4c, 0x75, 0x5d, 0xb3, 0x08,
];
