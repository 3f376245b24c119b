//! Rows and clients as an operator sees them.

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use farebox_base::encoding::message::read_struct;
use farebox_base::text::csv_line;
use farebox_common::payment::Cause;

/// A client that failed at a route, as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingClient {
    /// Lower-case address of a proven payer, or the opaque name of a network.
    pub client: String,
    /// The unproven identity that the client claims.
    pub claims: Option<String>,
    /// Route pattern.
    pub route: String,
    /// The code that the client receives, in the vocabulary of x402.
    pub code: String,
    /// The last cause.
    pub cause: Cause,
    /// The reason from a known vocabulary.
    pub reason: String,
    /// Failures in a row that count.
    pub attempts: u64,
    /// Times in a row that it was this cause.
    pub times: u64,
    /// Unix seconds.
    pub first_at: u64,
    /// Unix seconds.
    pub last_at: u64,
}

read_struct!(FailingClient {
    client,
    claims,
    route,
    code,
    cause,
    reason,
    attempts,
    times,
    first_at,
    last_at
});

/// The place of a row in an order of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Time of the claim, unix seconds.
    pub created: u64,
    /// Lower-case address.
    pub payer: String,
    /// 64 hex digits.
    pub key: String,
}

read_struct!(Mark { created, payer, key });

/// A row as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentItem {
    /// Receipt id.
    pub id: String,
    /// 64 hex digits.
    pub key: String,
    /// Name of the state.
    pub state: String,
    /// Lower-case address.
    pub payer: String,
    /// The account that was paid, as the terms named it: in front of a market a seller.
    #[serde(default)]
    pub payee: String,
    /// Route pattern.
    pub route: String,
    /// CAIP-2 network.
    pub network: String,
    /// Token address.
    pub asset: String,
    /// Atomic units, decimal text.
    pub amount: String,
    /// The settlement's transaction.
    pub transaction: Option<String>,
    /// Base URL of the facilitator.
    pub facilitator: String,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub updated_at: u64,
    /// The reason for this state, if the state alone does not say.
    pub reason: Option<String>,
    /// Time at which the operator began to pay it back, unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunding_at: Option<u64>,
    /// The grant of that begin: whoever takes it back names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunding_id: Option<u64>,
    /// The key of the program that began it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunding_key: Option<String>,
    /// Correlation id of the request that began it; empty if it was not requested.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub correlation_id: String,
    /// Lines that [`transitions`](super::transitions) reads; empty if they were not requested.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub history: String,
}

read_struct!(PaymentItem {
    id, key, state, payer, route, network, asset, amount, transaction, facilitator, created_at,
    updated_at, reason;
    payee, refunding_at, refunding_id, refunding_key, correlation_id, history
});

impl PaymentItem {
    /// The place of the row.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { created: self.created_at, payer: self.payer.clone(), key: self.key.clone() }
    }

    /// The row as CSV without a line end, in the order of its members, without the payee.
    #[must_use]
    pub fn csv(&self) -> String {
        let (created, updated) = (self.created_at.to_string(), self.updated_at.to_string());
        let transaction = self.transaction.as_deref().unwrap_or_default();
        let reason = self.reason.as_deref().unwrap_or_default();
        let cells = [
            &self.id,
            &self.key,
            &self.state,
            &self.payer,
            &self.route,
            &self.network,
            &self.asset,
            &self.amount,
            transaction,
            &self.facilitator,
            &created,
            &updated,
            reason,
        ];
        csv_line(cells)
    }
}
