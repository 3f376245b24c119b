//! The common part of payment protocols, independent of each.
//!
//! [`Terms`] are a route's conditions, [`Proof`] a checked payment, [`authorization`] the signed
//! data on EVM, [`PaymentKey`] identifies it, [`Settlement`] says that value moved, [`Receipt`]
//! that it was served, [`Cause`] why it was not.

pub mod authorization;
pub mod cause;
pub mod key;
pub mod onchain;
pub mod receipt;
pub mod settlement;

use alloc::string::String;

use serde_json::{Map, Value};

use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::eip712::Domain;

pub use cause::Cause;
pub use key::PaymentKey;
pub use onchain::OnChain;
pub use receipt::Receipt;
pub use settlement::{Settlement, TxHash};

/// A route's terms on one network: one price in one asset for one recipient. They come from
/// configuration, never from the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The chain.
    pub network: ChainId,
    /// The asset as the wire names it; on EVM the token contract with its checksum.
    pub asset: String,
    /// The recipient as the wire names it.
    pub pay_to: String,
    /// Atomic units; the greatest amount, if there is a price of a unit.
    pub amount: Amount,
    /// The price of a unit that the origin counts, atomic units, if that decides what is charged.
    pub unit: Option<Amount>,
    /// Seconds for which the payer may make the authorization valid.
    pub max_timeout_secs: u64,
    /// Further facts for the payer: on EVM the token's EIP-712 domain.
    pub extra: Map<String, Value>,
    /// The token against which the gate checks a signature; `None` if only the facilitator can.
    pub token: Option<SignedToken>,
}

impl Terms {
    /// The token, if it checks authorizations itself: no other is paid by MPP or in version 1 of
    /// x402.
    #[must_use]
    pub fn authorized(&self) -> Option<SignedToken> {
        self.token.filter(|token| token.method == TransferMethod::Eip3009)
    }
}

/// An EVM token whose authorizations the gate checks itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedToken {
    /// The EVM chain id.
    pub chain_id: u64,
    /// The token contract.
    pub asset: Address,
    /// The recipient.
    pub pay_to: Address,
    /// The kind of message that the payer signs.
    pub method: TransferMethod,
    /// Domain separator of the contract that checks the signature, computed once.
    pub separator: [u8; 32],
}

/// The kind of message that a payer signs to move a token. Spec: x402 scheme `exact` on EVM,
/// `assetTransferMethod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferMethod {
    /// An authorization that the token checks.
    Eip3009,
    /// A permit that the contract Permit2 checks, which the payer has allowed to move the token.
    Permit2,
    /// A permit of which a part may be settled, by this facilitator alone. Spec: x402 scheme
    /// `upto` on EVM.
    Upto(Address),
    /// The members of an authorization, by a session key that a facilitator alone knows. Spec: OKX,
    /// scheme `aggr_deferred`.
    Deferred,
}

impl TransferMethod {
    /// The facilitator that the payer signs for.
    #[must_use]
    pub const fn facilitator(&self) -> Option<&Address> {
        match self {
            Self::Eip3009 | Self::Permit2 | Self::Deferred => None,
            Self::Upto(facilitator) => Some(facilitator),
        }
    }
}

impl SignedToken {
    /// The token's EIP-712 separator for these domain members.
    #[must_use]
    pub fn separator_of(name: &str, version: &str, chain_id: u64, asset: Address) -> [u8; 32] {
        Domain { name, version, chain_id, verifying_contract: asset }.separator()
    }
}

/// The end of payments that never end, the last second of the year 9999: their rows stay for good.
pub const NEVER: UnixTime = UnixTime::from_secs(253_402_300_799);

/// A payment that passed every check that needs no network.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Names the authorization, whichever header carried it.
    pub key: PaymentKey,
    /// The payer; `None` if only the chain knows.
    pub payer: Option<Address>,
    /// The authorization cannot be settled from this time on.
    pub valid_before: UnixTime,
    /// Identifier chosen by the client, if it sent one; a secret between it and the gate.
    pub identifier: Option<String>,
    /// The exact request body for the facilitator's `verify` and `settle`.
    pub request: String,
    /// The payment that its payer could have signed instead for the same challenge: only one of the
    /// two is served.
    pub rival: Option<PaymentKey>,
    /// The proof for the chain, if the chain settles it; then there is no facilitator, and the
    /// request is the row's copy of this.
    pub onchain: Option<OnChain>,
}

impl Proof {
    /// Whether it is a transaction that its payer has sent: its money may have moved before the
    /// gate heard of it.
    #[must_use]
    pub const fn was_sent(&self) -> bool {
        matches!(self.onchain, Some(OnChain::Sent { .. }))
    }

    /// Whether it is such a transaction, for a challenge that was issued by then.
    #[must_use]
    pub fn is_sent_before(&self, then: UnixTime) -> bool {
        matches!(self.onchain, Some(OnChain::Sent { since, .. }) if since <= then)
    }

    /// Whether it is a transaction that the gate would send.
    #[must_use]
    pub const fn is_signed_transaction(&self) -> bool {
        matches!(self.onchain, Some(OnChain::Signed(_)))
    }

    /// The account under which the ledger keeps it: the payer's lower-case address, or the
    /// payment's own key.
    #[must_use]
    pub fn account(&self) -> String {
        self.payer.map_or_else(|| self.key.to_hex(), |payer| payer.to_lower_hex())
    }

    /// The name under which failures and settlements are counted: the payer, if the gate can read
    /// one, else the client's network. A payer whom a payment only names counts for nothing.
    #[must_use]
    pub fn payer_or(&self, network: &str) -> String {
        self.payer.map_or_else(|| network.into(), |payer| payer.to_lower_hex())
    }

    /// The bytes that choose its ledger object.
    #[must_use]
    pub fn place(&self) -> &[u8] {
        self.payer.as_ref().map_or(self.key.as_bytes().as_slice(), |payer| payer.as_bytes())
    }
}
