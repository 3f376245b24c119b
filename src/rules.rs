//! The rules of gate, treasury and market as functions, for the check of the npm package's command line.

#[path = "../xtask/src/check.rs"]
mod check;

use wasm_bindgen::prelude::wasm_bindgen;

/// The gate's judgement of one JSON object of variables, as JSON.
#[wasm_bindgen]
#[must_use]
pub fn judge(vars: &str) -> String {
    check::judge(vars).to_string()
}

/// The treasury's judgement of one JSON object of variables, as JSON.
#[wasm_bindgen(js_name = judgeTreasury)]
#[must_use]
pub fn judge_treasury(vars: &str) -> String {
    check::judge_treasury(vars).to_string()
}

/// The market's judgement of one JSON object of variables, as JSON.
#[wasm_bindgen(js_name = judgeMarket)]
#[must_use]
pub fn judge_market(vars: &str) -> String {
    check::judge_market(vars).to_string()
}

/// Where the gate follows a facilitator's redirect to, if it does.
#[wasm_bindgen(js_name = redirectTarget)]
#[must_use]
pub fn redirect_target(url: &str, location: &str) -> Option<String> {
    farebox_core::facilitator::redirect::target(url, location)
}

/// The network by which the gate counts a client of this address.
#[wasm_bindgen(js_name = clientNetwork)]
#[must_use]
pub fn client_network(address: &str) -> String {
    farebox_core::gate::limit::client_prefix(Some(address)).into_owned()
}
