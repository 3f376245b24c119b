//! Payments that may stand in the way of another one.

use alloc::string::String;

use serde::{Deserialize, Serialize};

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
}

read_struct!(Rivals {; binding, rival, again });
