//! What a payer may show to others about a payment that was made and served.

use alloc::string::String;

use crate::amount::Amount;
use crate::evm::address::Address;
use crate::payment::TxHash;
use crate::time::UnixTime;

/// A statement of the gate: this payer paid this for that, and it was served. It is never accepted as a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The public id, `rcpt_` and 26 characters; it stays what the ledger recorded with the payment.
    pub id: String,
    /// Pattern of the route.
    pub route: String,
    /// The URL as it was asked for.
    pub resource_url: String,
    /// Who paid.
    pub payer: Address,
    /// CAIP-2 network.
    pub network: String,
    /// The token contract.
    pub asset: Address,
    /// Atomic units.
    pub amount: Amount,
    /// Who was paid.
    pub pay_to: Address,
    /// The transaction that moved the money.
    pub transaction: TxHash,
    /// When the gate says so.
    pub issued_at: UnixTime,
}
