//! A route as an operator writes it.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::assets::{AssetConfig, PriceConfig};
use farebox_base::encoding::message::read_struct;
use farebox_common::config::TextOr;
use farebox_ledger::command::Mode;

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
    pub unit_price: Option<String>,
    pub description: String,
    pub mime_type: Option<String>,
    pub max_timeout_secs: Option<u64>,
    pub origin_timeout_secs: Option<u64>,
    pub store: Option<bool>,
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

read_struct!(RouteConfig {
    path, methods, price, settle, protocols, network, pay_to, asset, asset_transfer_method,
    unit_price, mime_type, max_timeout_secs, origin_timeout_secs, store, idempotent, confirm,
    diagnostics, api_keys, free, digest, bazaar, signed_transactions, hash_mode,
    aggr_deferred, session_delay_secs, session_escrow, session_fee_payer, session_unit, session_unit_price, session_step,
    session_pause_secs, cors;
    description
});
