//! Looks up a row by its receipt id, and defines which facts may leave the object. Reads change
//! nothing.
//!
//! The member `read` distinguishes the message from an [`Envelope`](super::Envelope). The object
//! looks the row up by `payer` and `key` if they are given, otherwise by `receipt`, and answers
//! [`RowReply`]; `receipt` must always match.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use farebox_base::encoding::message::read_struct;

use super::entry::Entry;

/// The message to an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// [`VERSION`](super::command::VERSION).
    pub v: u8,
    /// The row in question.
    pub read: RowQuery,
}

read_struct!(Read { v, read });

/// The row in question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowQuery {
    /// Receipt id.
    pub receipt: String,
    /// Lower-case address, if it is known.
    pub payer: Option<String>,
    /// 64 hex digits, if they are known.
    pub key: Option<String>,
}

read_struct!(RowQuery { receipt, payer, key });

/// The object's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowReply {
    /// The row, if it is here.
    pub row: Option<Box<Facts>>,
}

read_struct!(RowReply { row });

/// The facts of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Lower-case address.
    pub payer: String,
    /// 64 hex digits.
    pub key: String,
    /// Name of the state.
    pub state: String,
    /// Keyed hash of the identifier of the first request.
    pub secret: Option<String>,
    /// Receipt id, as recorded.
    pub receipt: String,
    /// Route pattern.
    pub route: String,
    /// The requested URL; empty in rows of a version that did not keep it.
    pub url: String,
    /// CAIP-2 network.
    pub network: String,
    /// Token address.
    pub asset: String,
    /// Atomic units, decimal text.
    pub amount: String,
    /// Recipient.
    pub pay_to: String,
    /// The settlement's transaction.
    pub transaction: Option<String>,
    /// Correlation id of the request that began it.
    #[serde(default)]
    pub correlation: String,
    /// Whether its response waits for the payer, who has received nothing yet.
    #[serde(default)]
    pub waits: bool,
}

read_struct!(Facts {
    payer, key, state, secret, receipt, route, url, network, asset, amount, pay_to, transaction;
    correlation, waits
});

impl Facts {
    /// The facts of one row.
    #[must_use]
    pub fn of(payer: &str, key: &str, entry: &Entry) -> Self {
        let payment = &entry.payment;
        Self {
            payer: payer.to_string(),
            key: key.to_string(),
            state: entry.state.name(),
            secret: payment.secret.clone(),
            receipt: payment.receipt.clone(),
            route: payment.route.clone(),
            url: payment.url.clone(),
            network: payment.network.clone(),
            asset: payment.asset.clone(),
            amount: payment.amount.clone(),
            pay_to: payment.pay_to.clone(),
            transaction: entry.transaction().map(|hash| hash.to_text()),
            correlation: payment.correlation.clone(),
            waits: entry.waits_for_payer(),
        }
    }
}
