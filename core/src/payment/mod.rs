//! What payment protocols have in common; nothing here knows one by name.
//!
//! [`Terms`] is what a route asks, [`Proof`] what a payer brought, [`PaymentKey`] names it, [`Settlement`] says
//! that value moved, [`Receipt`] that it was served for, [`Cause`] what stood in the way.

pub mod cause;
pub mod key;
pub mod receipt;
pub mod settlement;

use alloc::string::String;

use crate::amount::Amount;
use crate::chain::ChainId;
use crate::evm::address::Address;
use crate::evm::eip712::Domain;
use crate::time::UnixTime;

pub use cause::Cause;
pub use key::PaymentKey;
pub use receipt::Receipt;
pub use settlement::{Settlement, TxHash};

/// What a route asks: one price in one asset for one recipient. Ours, never taken from the wire.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The chain.
    pub network: ChainId,
    /// Its EVM chain id.
    pub chain_id: u64,
    /// The token contract.
    pub asset: Address,
    /// EIP-712 domain name of the token.
    pub asset_name: String,
    /// EIP-712 domain version of the token.
    pub asset_version: String,
    /// Atomic units.
    pub amount: Amount,
    /// The recipient.
    pub pay_to: Address,
    /// Seconds the payer may make the authorization valid for.
    pub max_timeout_secs: u64,
    /// Domain separator of the token, computed once.
    pub separator: [u8; 32],
}

impl Terms {
    /// The token's EIP-712 separator for these domain members.
    #[must_use]
    pub fn separator_of(name: &str, version: &str, chain_id: u64, asset: Address) -> [u8; 32] {
        Domain { name, version, chain_id, verifying_contract: asset }.separator()
    }
}

/// A payment that passed every check that needs no network.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Names the authorization, whichever header carried it.
    pub key: PaymentKey,
    /// Who pays.
    pub payer: Address,
    /// The authorization cannot be settled from this time on.
    pub valid_before: UnixTime,
    /// Identifier chosen by the client, if it sent one; a secret between it and the gate.
    pub identifier: Option<String>,
    /// The exact request body for the facilitator's `verify` and `settle`.
    pub request: String,
}
