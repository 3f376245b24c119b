//! A receipt that a payer may show to others about a payment that was made and served.

use alloc::string::String;

use crate::payment::TxHash;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

/// A statement of the gate: this payer paid this for that, and it was served. It is never accepted
/// as a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The public id, `rcpt_` and 26 characters; it stays what the ledger recorded with the
    /// payment.
    pub id: String,
    /// Pattern of the route.
    pub route: String,
    /// The requested URL.
    pub resource_url: String,
    /// The payer, as the chain names them; empty if unknown.
    pub payer: String,
    /// CAIP-2 network.
    pub network: String,
    /// The asset as the wire names it.
    pub asset: String,
    /// Atomic units.
    pub amount: Amount,
    /// The payee, as the wire names them.
    pub pay_to: String,
    /// The transaction that moved the money.
    pub transaction: TxHash,
    /// Time of the statement.
    pub issued_at: UnixTime,
}
