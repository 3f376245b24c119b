//! An asset that a payer may pay with, and the decimals of sums over assets.

use alloc::string::String;

use farebox_base::chain::ChainId;
use farebox_evm::address::Address;
pub use farebox_wire::x402::mints::is_dollar;

/// Fraction digits at which caps are compared.
pub const CAP_DECIMALS: u8 = 18;

/// An asset that may be paid with, from the pinned table or declared by the payer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Common name.
    pub symbol: String,
    /// The chain.
    pub network: ChainId,
    /// The contract.
    pub address: Address,
    /// EIP-712 domain name.
    pub name: String,
    /// EIP-712 domain version.
    pub version: String,
    /// Fraction digits.
    pub decimals: u8,
}
