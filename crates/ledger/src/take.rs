//! Assigns a transaction to one payment, on networks where only facilitators name transactions: one
//! place for each name, whichever object keeps the payment.
//!
//! The member `take` distinguishes the message. Spec: docs/design.md, "Reading the chain".

use alloc::string::String;

use serde::{Deserialize, Serialize};

use farebox_base::encoding::message::{read_enum, read_struct};

/// The message to the object of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Take {
    /// [`VERSION`](super::command::VERSION).
    pub v: u8,
    /// The transaction and the payment.
    pub take: Named,
}

read_struct!(Take { v, take });

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

read_struct!(Named { network, transaction, key });

/// The payment that owns the transaction from now on: the first one that asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// This payment.
    Own,
    /// Another payment.
    Another,
}

read_enum!(Holder { "own" => Own, "another" => Another });

impl Named {
    /// The owner of the transaction, given the payment that the object has recorded for it, if any.
    #[must_use]
    pub fn holder(&self, known: Option<&str>) -> Holder {
        match known {
            Some(key) if key != self.key => Holder::Another,
            _ => Holder::Own,
        }
    }
}
