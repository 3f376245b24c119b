//! Payments that may stand in the way of another one.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::signing::Signing;
use farebox_base::encoding::message::read_struct;

/// The other payments that may stand in the way of one that would ask for money.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rivals {
    /// The binding whose other payments count; `None` if the payer has sent the money already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// Key of the payment that its payer could have signed instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<String>,
    /// Whether money was asked for before, and refused: then it also waits for what is worked on.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub again: bool,
    /// Until when the payment stays in the object that asks: the other one begins it no more. Unix
    /// seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays_until: Option<u64>,
}

read_struct!(Rivals {; binding, rival, again, stays_until });

/// The row of a payment that another object of a change begins from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierRow {
    /// The authorizations that it has seen.
    pub signing: Signing,
    /// First sight, unix seconds.
    pub created: u64,
    /// Number of the newest block at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_block: Option<u64>,
}

read_struct!(EarlierRow { signing, created; seen_block });
