//! The functions for `farebox/channels`: the steps of a request that is paid by channel, or by
//! session.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use farebox_core::channel::config::ChannelId;
use farebox_core::client::Policy;
use farebox_core::client::channel::{
    self, ChannelAim, ChannelLimits, ChannelNext, ChannelPayer, ChannelPurchase, ChannelUse,
    LeftVoucher,
};
use farebox_core::client::session::{self, SessionMeans, SessionPurchase, StreamRaise};
use farebox_core::evm::address::Address;
use farebox_core::http::Headers;
use farebox_core::{amount::Amount, hash};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use super::failure::{no_randomness, refused, seconds, thrown, told};
use super::stream::SessionStream;

/// One request, or one refund; each method returns the next step, as JSON `{do: …}`.
#[wasm_bindgen(js_name = ChannelPurchase)]
pub struct ChannelRequest(PurchaseKind);

/// The kind of a purchase.
enum PurchaseKind {
    Channel(Box<ChannelPurchase>),
    Session(Box<SessionPurchase>),
}

#[wasm_bindgen(js_class = ChannelPurchase)]
impl ChannelRequest {
    /// A request to an absolute URL, by `"channel"` of x402 or by `"session"` of MPP, under a policy
    /// (JSON). `endpoint` is the method and the URL that were asked for, without the query; `terms`
    /// is `{payer, voucherSigner, name, deposit, maxDeposit, maxWithdrawDelaySecs, refund,
    /// broadcasts, authorizationTaken, raise, left}`: `left` is the voucher that has left for the
    /// same purchase, `{channel, amount, before}`; `refund` asks for the rest of the deposit, or for so
    /// many atomic units of it; `raise` for a stream's next voucher alone, `{channel,
    /// required, ahead}`.
    #[wasm_bindgen(constructor)]
    pub fn new(
        kind: &str,
        policy: &str,
        url: &str,
        endpoint: &str,
        terms: &str,
    ) -> Result<Self, JsValue> {
        let ChannelArguments { policy, limits, payer, aim, means, raise, left, random } =
            ChannelArguments::read(policy, terms)?;
        let request = ChannelUse { url, endpoint, random };
        Ok(Self(match kind {
            "session" => {
                let session = SessionPurchase::new(policy, limits, payer, aim, means, request);
                PurchaseKind::Session(Box::new(session.raising(raise).showing(left)))
            }
            _ => {
                let channel = ChannelPurchase::new(policy, limits, payer, aim, request);
                PurchaseKind::Channel(Box::new(channel.showing(left)))
            }
        }))
    }

    /// Takes an answer: status, one `name: value` line per header field, and the body of a refusal.
    pub fn answered(&mut self, status: u16, headers: &str, body: &[u8], now: f64) -> String {
        let headers = Headers::from_lines(headers.lines());
        step(match &mut self.0 {
            PurchaseKind::Channel(it) => it.answered(status, &headers, body, seconds(now)),
            PurchaseKind::Session(it) => it.answered(status, &headers, body, seconds(now)),
        })
    }

    /// Takes the loss of an answer.
    pub fn lost(&mut self, now: f64) -> String {
        step(match &mut self.0 {
            PurchaseKind::Channel(it) => it.lost(seconds(now)),
            PurchaseKind::Session(it) => it.lost(seconds(now)),
        })
    }

    /// The stream that an answer with these header lines is, if what is sold flows; of sessions.
    #[must_use]
    pub fn stream(&self, headers: &str, now: f64) -> Option<SessionStream> {
        match &self.0 {
            PurchaseKind::Channel(_) => None,
            PurchaseKind::Session(it) => {
                let headers = Headers::from_lines(headers.lines());
                it.stream(&headers, now as u64).map(SessionStream::new)
            }
        }
    }

    /// The changed record of the store, if it changes; throws the reason if nothing may be paid.
    pub fn update(&mut self, record: Option<String>, now: f64) -> Result<Option<String>, JsValue> {
        let changed = match &mut self.0 {
            PurchaseKind::Channel(it) => it.update(record.as_deref(), seconds(now)),
            PurchaseKind::Session(it) => it.update(record.as_deref(), seconds(now)),
        };
        changed.map_err(|error| thrown(&error))
    }

    /// The step after [`update`](Self::update).
    pub fn updated(&mut self) -> String {
        step(match &mut self.0 {
            PurchaseKind::Channel(it) => it.updated(),
            PurchaseKind::Session(it) => it.updated(),
        })
    }

    /// The line that tells people the state, once after each step that changes it; of sessions.
    pub fn echo(&mut self) -> Option<String> {
        match &mut self.0 {
            PurchaseKind::Channel(_) => None,
            PurchaseKind::Session(it) => it.echo(),
        }
    }

    /// Takes the signatures that were asked for, hex.
    pub fn signed(&mut self, deposit: Option<String>, voucher: Option<String>) -> String {
        let (deposit, voucher) = (deposit.as_deref(), voucher.as_deref());
        step(match &mut self.0 {
            PurchaseKind::Channel(it) => it.signed(deposit, voucher),
            PurchaseKind::Session(it) => it.signed(deposit, voucher),
        })
    }

    /// Takes the hash of the payer's own transaction; a channel asks for none.
    pub fn broadcasted(&mut self, hash: &str) -> String {
        step(match &mut self.0 {
            PurchaseKind::Channel(it) => it.updated(),
            PurchaseKind::Session(it) => it.broadcasted(hash),
        })
    }

    /// Takes the word of the payer that no transaction was sent; then [`release`](Self::release).
    pub fn unsent(&mut self) {
        match &mut self.0 {
            PurchaseKind::Channel(_) => {}
            PurchaseKind::Session(it) => it.unsent(),
        }
    }

    /// The record without what was not signed, if it changes.
    pub fn release(&self, record: Option<String>, now: f64) -> Result<Option<String>, JsValue> {
        let released = match &self.0 {
            PurchaseKind::Channel(it) => it.release(record.as_deref(), seconds(now)),
            PurchaseKind::Session(it) => it.release(record.as_deref(), seconds(now)),
        };
        released.map_err(|error| thrown(&error))
    }

    /// Ends it for a caller who gave up; then [`update`](Self::update).
    pub fn abandoned(&mut self) {
        match &mut self.0 {
            PurchaseKind::Channel(it) => it.abandoned(),
            PurchaseKind::Session(it) => it.abandoned(),
        }
    }

    /// The voucher that is about to leave, JSON `{channel, amount, before, alone}`; `alone` says that
    /// nothing is left of it behind this request.
    #[must_use]
    pub fn leaving(&self) -> Option<String> {
        let (left, alone) = match &self.0 {
            PurchaseKind::Channel(it) => it.leaving(),
            PurchaseKind::Session(it) => it.leaving(),
        }?;
        let LeftVoucher { channel, amount, before } = left;
        let amounts = [amount, before].map(|it| it.to_string());
        let [amount, before] = amounts;
        let left = json!({"channel": channel.to_string(), "amount": amount, "before": before, "alone": alone});
        Some(left.to_string())
    }

    /// The proposal of the payment that is about to be made, JSON.
    #[must_use]
    pub fn proposal(&self) -> Option<String> {
        let proposal = match &self.0 {
            PurchaseKind::Channel(it) => it.proposal(),
            PurchaseKind::Session(it) => it.proposal(),
        };
        proposal.map(|proposal| proposal.to_string())
    }
}

fn step(next: ChannelNext) -> String {
    let step = match next {
        ChannelNext::Once(why) => json!({"do": "once", "why": why.map(|error| told(&error))}),
        ChannelNext::Update => json!({"do": "update"}),
        ChannelNext::Wait(wait_ms) => json!({"do": "wait", "waitMs": wait_ms}),
        ChannelNext::Ask => json!({"do": "ask"}),
        ChannelNext::Sign { deposit, voucher } => {
            json!({"do": "sign", "deposit": deposit, "voucher": voucher})
        }
        ChannelNext::Broadcast => json!({"do": "broadcast"}),
        ChannelNext::Send { wait_ms, field, payment } => {
            json!({"do": "send", "waitMs": wait_ms, "field": field, "payment": payment})
        }
        ChannelNext::Return(receipt) => json!({"do": "return", "receipt": receipt}),
        ChannelNext::Fail(error) => json!({"do": "fail", "error": told(&error)}),
    };
    step.to_string()
}

/// The arguments of a request: its payer, its aim, and its rules.
struct ChannelArguments {
    policy: Policy,
    limits: ChannelLimits,
    payer: ChannelPayer,
    aim: ChannelAim,
    means: SessionMeans,
    raise: Option<StreamRaise>,
    left: Option<LeftVoucher>,
    random: [u8; 48],
}

impl ChannelArguments {
    fn read(policy: &str, terms: &str) -> Result<Self, JsValue> {
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
            max_withdraw_delay_secs: terms.get("maxWithdrawDelaySecs").and_then(Value::as_u64),
        };
        let is = |name: &str| terms.get(name).and_then(Value::as_bool).unwrap_or_default();
        let means = SessionMeans {
            broadcasts: is("broadcasts"),
            authorization_is_free: !is("authorizationTaken"),
        };
        let asked = terms.get("raise").filter(|it| it.is_object());
        let raise = asked.and_then(|asked| {
            let amount = |name: &str| Amount::from_atomic(asked.get(name)?.as_str()?).ok();
            Some(StreamRaise {
                channel: ChannelId::parse(asked.get("channel")?.as_str()?)?,
                required: amount("required"),
                ahead: amount("ahead").unwrap_or(Amount::ZERO),
            })
        });
        let left = terms.get("left").filter(|it| it.is_object()).map(|left| {
            let text = |name: &str| left.get(name).and_then(Value::as_str);
            let amount = |name: &str| Amount::from_atomic(text(name)?).ok();
            let channel = text("channel").and_then(ChannelId::parse);
            // One that cannot be read is of no channel that pays.
            let nothing = ChannelId::from_bytes([0; 32]);
            let zero = Amount::ZERO;
            LeftVoucher {
                channel: channel.unwrap_or(nothing),
                amount: amount("amount").unwrap_or(zero),
                before: amount("before").unwrap_or(zero),
            }
        });
        Ok(Self { policy, limits, payer, aim, means, raise, left, random })
    }
}

/// The channels and sessions of a record, JSON; throws if the record cannot be read.
#[wasm_bindgen(js_name = listChannels)]
pub fn list_channels(record: Option<String>) -> Result<String, JsValue> {
    let by_channel = channel::channels(record.as_deref()).map_err(|error| thrown(&error))?;
    let by_session = session::sessions(record.as_deref()).map_err(|error| thrown(&error))?;
    let rows = [by_channel, by_session].into_iter().filter_map(|listed| match listed {
        Value::Array(rows) => Some(rows),
        _ => None,
    });
    Ok(rows.flatten().collect::<Value>().to_string())
}

/// The record without a channel or session, if it has it.
#[wasm_bindgen(js_name = forgetChannel)]
pub fn forget_channel(record: Option<String>, id: &str) -> Result<Option<String>, JsValue> {
    let record = record.as_deref();
    let rest = channel::forgotten(record, id).map_err(|error| thrown(&error))?;
    match rest {
        None => session::forgotten(record, id).map_err(|error| thrown(&error)),
        rest => Ok(rest),
    }
}
