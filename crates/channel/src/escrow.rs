//! Contracts that hold the deposits of channels, by the typed data that they check.

use farebox_base::amount::Amount;
use farebox_evm::address::Address;
use farebox_evm::eip712::Domain;
use farebox_evm::keccak::keccak256;

/// A kind of contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escrow {
    /// x402 `batch-settlement`.
    BatchSettlement,
    /// MPP method `evm`, also of OKX.
    PaymentChannel,
    /// MPP method `tempo`, sessions of version 1.
    StreamChannel,
    /// MPP method `tempo`, sessions of version 2.
    ChannelReserve,
}

impl Escrow {
    /// The name of its EIP-712 domain; the version is 1.
    #[must_use]
    pub const fn domain_name(self) -> &'static str {
        match self {
            Self::BatchSettlement => "x402 Batch Settlement",
            Self::PaymentChannel => "EVM Payment Channel",
            Self::StreamChannel => "Tempo Stream Channel",
            Self::ChannelReserve => "TIP20 Channel Reserve",
        }
    }

    /// The EIP-712 type of its vouchers.
    #[must_use]
    pub const fn voucher_type(self) -> &'static str {
        match self {
            Self::BatchSettlement => "Voucher(bytes32 channelId,uint128 maxClaimableAmount)",
            Self::PaymentChannel | Self::StreamChannel => {
                "Voucher(bytes32 channelId,uint128 cumulativeAmount)"
            }
            Self::ChannelReserve => "Voucher(bytes32 channelId,uint96 cumulativeAmount)",
        }
    }

    /// The hash of [`Escrow::voucher_type`].
    #[must_use]
    pub fn voucher_type_hash(self) -> [u8; 32] {
        match self {
            Self::BatchSettlement => BATCH_VOUCHER_TYPE_HASH,
            Self::PaymentChannel | Self::StreamChannel | Self::ChannelReserve => {
                keccak256(self.voucher_type().as_bytes())
            }
        }
    }

    /// Whether an amount fits its vouchers.
    #[must_use]
    pub fn fits(self, amount: Amount) -> bool {
        let unused = match self {
            Self::BatchSettlement | Self::PaymentChannel | Self::StreamChannel => 16,
            Self::ChannelReserve => 20,
        };
        amount.to_be_bytes().iter().take(unused).all(|byte| *byte == 0)
    }
}

/// A contract on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EscrowContract {
    /// Its kind.
    pub escrow: Escrow,
    /// The number of the chain.
    pub chain_id: u64,
    /// Its address.
    pub address: Address,
}

impl EscrowContract {
    /// The contract of x402 `batch-settlement`, at the same address on every chain. Spec: x402
    /// `batch-settlement` on EVM, "Canonical Addresses".
    #[must_use]
    pub const fn batch_settlement(chain_id: u64) -> Self {
        Self { escrow: Escrow::BatchSettlement, chain_id, address: BATCH_SETTLEMENT }
    }

    /// The separator of its EIP-712 domain.
    #[must_use]
    pub fn separator(&self) -> [u8; 32] {
        let Self { escrow, chain_id, address } = *self;
        let name = escrow.domain_name();
        Domain { name, version: "1", chain_id, verifying_contract: address }.separator()
    }

    /// The same with the separator, for who needs it again and again.
    #[must_use]
    pub fn domain(self) -> EscrowDomain {
        EscrowDomain { contract: self, separator: self.separator() }
    }
}

/// A contract on a chain, with the separator of its EIP-712 domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EscrowDomain {
    pub(super) contract: EscrowContract,
    pub(super) separator: [u8; 32],
}

/// The contract of x402 `batch-settlement`: `0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003`.
pub const BATCH_SETTLEMENT: Address = Address::from_bytes([
    0x40, 0x20, 0x07, 0x4e, 0x9d, 0xf2, 0xce, 0x1d, 0xee, 0x5a, 0x9c, 0x1b, 0x5c, 0x3f, 0x54, 0x1d,
    0x02, 0xa1, 0x00, 0x03,
]);

/// Keccak-256 of the type of vouchers of x402 `batch-settlement`.
const BATCH_VOUCHER_TYPE_HASH: [u8; 32] = [
    0x1e, 0x1b, 0xd6, 0xff, 0x84, 0xc3, 0xe0, 0xd9, 0x02, 0x9a, 0x29, 0x2b, 0x21, 0x2e, 0x03, 0x9c,
    0x0c, 0xa9, 0x7e, 0xc4, 0x97, 0xc5, 0x51, 0x91, 0xa4, 0xa5, 0x87, 0x42, 0x94, 0x60, 0x9a, 0x69,
];
