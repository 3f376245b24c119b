//! A route as an operator writes it, and the settings that it inherits.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde_json::Value;

use super::assets::{AssetConfig, PriceConfig};
use super::facilitators;
use crate::offer::Protocols;
use farebox_base::chain::ChainId;
use farebox_base::encoding::message::read_struct;
use farebox_common::config::{Reader, TextOr};
use farebox_evm::account::Account;
use farebox_ledger::command::Mode;
use farebox_wire::x402::v2::ServiceInfo;

#[derive(Clone, Debug)]
pub(super) struct RouteConfig {
    pub path: String,
    pub methods: Option<TextOr<Vec<String>>>,
    pub price: PriceConfig,
    pub settle: Option<Mode>,
    pub protocols: Option<Vec<String>>,
    pub network: Option<String>,
    pub pay_to: Option<Value>,
    pub asset: Option<AssetConfig>,
    pub asset_transfer_method: Option<String>,
    pub gas_sponsoring: Option<bool>,
    pub unit_price: Option<String>,
    pub description: String,
    pub mime_type: Option<String>,
    pub max_timeout_secs: Option<u64>,
    pub origin_timeout_secs: Option<u64>,
    pub store: Option<bool>,
    pub redirects: Option<bool>,
    pub idempotent: Option<bool>,
    pub confirm: Option<String>,
    pub diagnostics: Option<Value>,
    pub api_keys: Option<bool>,
    pub free: Option<Value>,
    pub digest: Option<bool>,
    pub bazaar: Option<Value>,
    pub signed_transactions: Option<bool>,
    pub hash_mode: Option<bool>,
    pub aggr_deferred: Option<bool>,
    pub session_delay_secs: Option<u64>,
    pub session_escrow: Option<String>,
    pub session_fee_payer: Option<String>,
    pub session_unit: Option<String>,
    pub session_unit_price: Option<String>,
    pub session_step: Option<u64>,
    pub session_pause_secs: Option<u64>,
    pub cors: Option<Value>,
}

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
    /// Whether the files of the pages are bound.
    pub has_pages: bool,
    /// The signer for channels; none without such an object or `LEDGER_SALT`.
    pub authorizer: Option<Account>,
    /// The account of `PAYEE_KEY`.
    pub payee: Option<Account>,
    /// The seller, as challenges name it.
    pub service: Arc<ServiceInfo>,
}

/// The protocols of a list.
pub(super) fn protocols(reader: &mut Reader, variable: &str, names: &[String]) -> Protocols {
    let speaks = |name: &str| names.iter().any(|listed| listed == name);
    if names.is_empty() || !names.iter().all(|name| matches!(name.as_str(), "x402" | "mpp")) {
        reader.fail(variable, "must list \"x402\", \"mpp\" or both");
    }
    Protocols { x402: speaks("x402"), mpp: speaks("mpp") }
}

/// A route that is read.
pub(super) struct RouteReader<'a> {
    /// Errors go there.
    pub reader: &'a mut Reader,
    pub inherited: &'a Inherited,
    /// Its place in the table.
    pub place: &'a str,
    pub config: &'a RouteConfig,
    /// Its protocols: its own or those that it inherits.
    pub protocols: Protocols,
    /// Whether a pricer names its prices.
    pub is_priced: bool,
}

impl RouteReader<'_> {
    /// Notes an error in a field.
    pub fn fail(&mut self, field: &str, remedy: impl AsRef<str>) {
        self.reader.fail_at(self.place, field, remedy);
    }

    /// Whether the chain of this network can be read.
    pub fn is_readable(&self, network: &ChainId) -> bool {
        self.inherited.readable.iter().any(|known| *known == network.as_str())
    }
}

read_struct!(RouteConfig {
    path, methods, price, settle, protocols, network, pay_to, asset, asset_transfer_method,
    gas_sponsoring, unit_price, mime_type, max_timeout_secs, origin_timeout_secs, store, redirects, idempotent, confirm,
    diagnostics, api_keys, free, digest, bazaar, signed_transactions, hash_mode,
    aggr_deferred, session_delay_secs, session_escrow, session_fee_payer, session_unit, session_unit_price, session_step,
    session_pause_secs, cors;
    description
});
