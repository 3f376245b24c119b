//! What `farebox/channels` asks: the steps of a request that is paid by channel.

use alloc::string::{String, ToString};

use farebox_core::client::Policy;
use farebox_core::client::channel::{
    self, ChannelAim, ChannelLimits, ChannelNext, ChannelPayer, ChannelPurchase,
};
use farebox_core::evm::address::Address;
use farebox_core::http::Headers;
use farebox_core::{amount::Amount, hash};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use super::failure::{no_randomness, refused, seconds, thrown, told};

/// One request, or one refund; each method returns the next step, as JSON `{do: …}`.
#[wasm_bindgen(js_name = ChannelPurchase)]
pub struct ChannelRequest(ChannelPurchase);

#[wasm_bindgen(js_class = ChannelPurchase)]
impl ChannelRequest {
    /// A request to an absolute URL, under a policy (JSON). `endpoint` is the method and the URL
    /// that were asked for, without the query; `terms` is `{payer, voucherSigner, name, deposit,
    /// maxDeposit, refund}`: `refund` asks for the rest of the deposit, or for so many atomic units
    /// of it.
    #[wasm_bindgen(constructor)]
    pub fn new(policy: &str, url: &str, endpoint: &str, terms: &str) -> Result<Self, JsValue> {
        let policy = Policy::from_json(policy).map_err(|error| thrown(&error))?;
        let terms: Value = serde_json::from_str(terms).unwrap_or_default();
        let text = |name: &str| terms.get(name).and_then(Value::as_str);
        let address = |name: &str| {
            let parsed = text(name).and_then(|text| Address::parse(text).ok());
            let wrong = || refused("invalid_signer", "the signer's address is not an address");
            parsed.filter(|address| !address.is_zero()).ok_or_else(wrong)
        };
        let mut random = [0; 48];
        getrandom::fill(&mut random).map_err(|_| no_randomness())?;
        let aim = match terms.get("refund") {
            None => ChannelAim::Pay,
            Some(Value::String(units)) => {
                let units = Amount::from_atomic(units).ok().filter(|units| !units.is_zero());
                let wrong = || refused("invalid_amount", "a refund is a number of atomic units");
                ChannelAim::Refund(Some(units.ok_or_else(wrong)?))
            }
            Some(_) => ChannelAim::Refund(None),
        };
        let salt = match text("name").unwrap_or_default() {
            "" => [0; 32],
            name => hash::sha256(&[b"farebox channel", name.as_bytes()]),
        };
        let payer = ChannelPayer {
            payer: address("payer")?,
            voucher_signer: address("voucherSigner")?,
            salt,
        };
        let limits = ChannelLimits {
            deposit: text("deposit").map(ToString::to_string),
            max_deposit: text("maxDeposit").map(ToString::to_string),
        };
        Ok(Self(ChannelPurchase::new(policy, limits, payer, aim, (url, endpoint), random)))
    }

    /// Takes an answer: status, one `name: value` line per header field, and the body of a refusal.
    pub fn answered(&mut self, status: u16, headers: &str, body: &[u8], now: f64) -> String {
        let headers = Headers::from_lines(headers.lines());
        step(self.0.answered(status, &headers, body, seconds(now)))
    }

    /// Takes the loss of an answer.
    pub fn lost(&mut self, now: f64) -> String {
        step(self.0.lost(seconds(now)))
    }

    /// The changed record of the store, if it changes; throws the reason if nothing may be paid.
    pub fn update(&mut self, record: Option<String>, now: f64) -> Result<Option<String>, JsValue> {
        self.0.update(record.as_deref(), seconds(now)).map_err(|error| thrown(&error))
    }

    /// The step after [`update`](Self::update).
    pub fn updated(&mut self) -> String {
        step(self.0.updated())
    }

    /// Takes the signatures, hex: of the deposit if there is a new one, and of the voucher.
    pub fn signed(&mut self, deposit: Option<String>, voucher: &str) -> String {
        step(self.0.signed(deposit.as_deref(), voucher))
    }

    /// The record without what was not signed, if it changes.
    pub fn release(&self, record: Option<String>, now: f64) -> Result<Option<String>, JsValue> {
        self.0.release(record.as_deref(), seconds(now)).map_err(|error| thrown(&error))
    }

    /// Ends it for a caller who gave up; then [`update`](Self::update).
    pub fn abandoned(&mut self) {
        self.0.abandoned();
    }

    /// What is about to be paid, JSON.
    #[must_use]
    pub fn proposal(&self) -> Option<String> {
        self.0.proposal().map(|proposal| proposal.to_string())
    }
}

fn step(next: ChannelNext) -> String {
    let step = match next {
        ChannelNext::Once(why) => json!({"do": "once", "why": why.map(|error| told(&error))}),
        ChannelNext::Update => json!({"do": "update"}),
        ChannelNext::Wait(wait_ms) => json!({"do": "wait", "waitMs": wait_ms}),
        ChannelNext::Sign { deposit, voucher } => {
            json!({"do": "sign", "deposit": deposit, "voucher": voucher})
        }
        ChannelNext::Send { wait_ms, payment } => {
            json!({"do": "send", "waitMs": wait_ms, "payment": payment})
        }
        ChannelNext::Return(receipt) => json!({"do": "return", "receipt": receipt}),
        ChannelNext::Fail(error) => json!({"do": "fail", "error": told(&error)}),
    };
    step.to_string()
}

/// The channels of a record, JSON; throws if the record cannot be read.
#[wasm_bindgen(js_name = listChannels)]
pub fn list_channels(record: Option<String>) -> Result<String, JsValue> {
    let listed = channel::channels(record.as_deref()).map_err(|error| thrown(&error))?;
    Ok(listed.to_string())
}

/// The record without a channel, if it has it.
#[wasm_bindgen(js_name = forgetChannel)]
pub fn forget_channel(record: Option<String>, id: &str) -> Result<Option<String>, JsValue> {
    channel::forgotten(record.as_deref(), id).map_err(|error| thrown(&error))
}
