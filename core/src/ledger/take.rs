//! Whose transaction it is, where only facilitators name transactions: one place for each name, whatever object keeps the payment.
//!
//! The message is told from others by its member `take`. Spec: docs/design.md, "Reading the chain".

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::mutant::{Mutant, planted};

/// The message to the object of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    /// [`VERSION`](super::command::VERSION).
    pub v: u8,
    /// Which transaction, and for which payment.
    pub take: Named,
}

/// A transaction that a facilitator has named for a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// CAIP-2 network.
    pub network: String,
    /// The transaction's name there.
    pub transaction: String,
    /// The payment's key, 64 hex digits.
    pub key: String,
}

/// Whose it is from then on: the first payment that asked has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// This payment's.
    Own,
    /// Another one's.
    Another,
}

impl Named {
    /// Whose the transaction is, where the object knows this payment of it, or none.
    #[must_use]
    pub fn holder(&self, known: Option<&str>) -> Holder {
        match known {
            Some(key) if key != self.key && !planted(Mutant::TakenTwice) => Holder::Another,
            _ => Holder::Own,
        }
    }
}
