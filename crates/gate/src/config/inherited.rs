//! Settings that routes inherit.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::facilitators;
use crate::offer::Protocols;
use farebox_base::chain::ChainId;
use farebox_common::config::Reader;
use farebox_evm::account::Account;

/// Settings that routes inherit.
pub(super) struct Inherited {
    pub networks: Vec<ChainId>,
    pub facilitators: Vec<facilitators::Listed>,
    pub pay_to: Option<Value>,
    pub settle_secs: u64,
    pub max_validity_secs: u64,
    pub keeps_responses: bool,
    /// CAIP-2 ids of the networks whose chain can be read.
    pub readable: Vec<String>,
    /// Protocols of a route that names none.
    pub protocols: Protocols,
    /// Whether the ledger was restored from a backup.
    pub is_restored: bool,
    /// Whether an object is bound that keeps channels.
    pub has_channels: bool,
    /// The signer for channels; none without such an object or `LEDGER_SALT`.
    pub authorizer: Option<Account>,
    /// The account of `PAYEE_KEY`.
    pub payee: Option<Account>,
}

/// The protocols of a list.
pub(super) fn protocols(reader: &mut Reader, variable: &str, names: &[String]) -> Protocols {
    let speaks = |name: &str| names.iter().any(|listed| listed == name);
    if names.is_empty() || !names.iter().all(|name| matches!(name.as_str(), "x402" | "mpp")) {
        reader.fail(variable, "must list \"x402\", \"mpp\" or both");
    }
    Protocols { x402: speaks("x402"), mpp: speaks("mpp") }
}
