//! A request of a payer, step by step.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use farebox_core::amount::Amount;
use farebox_core::client::budget::Budget;
use farebox_core::client::diagnostic::EndpointState;
use farebox_core::client::endpoints;
use farebox_core::client::exchange::{AnsweredTerms, ONE_SHOT, SESSION};
use farebox_core::client::purchase::Earlier;
use farebox_core::client::{self, Next, Policy};
use farebox_core::encoding::json;
use farebox_core::evm::address::Address;
use farebox_core::http::Headers;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use super::failure::{no_randomness, refused, seconds, thrown, told};

/// One request; each method returns the next step, as JSON `{do: …}`.
#[wasm_bindgen]
pub struct Exchange(client::Exchange, [u8; SEED]);

/// Random bytes of a request: its nonce and its identifier.
const SEED: usize = 48;

#[wasm_bindgen]
impl Exchange {
    /// A request of `payer` to an absolute URL, under a policy (JSON). `endpoint` is the method and
    /// the URL that were asked for, without the query. With the `seed` of an earlier one it is the
    /// same request: what was signed for that can be taken again.
    #[wasm_bindgen(constructor)]
    pub fn new(
        policy: &str,
        method: &str,
        url: &str,
        endpoint: &str,
        payer: &str,
        seed: Option<Vec<u8>>,
    ) -> Result<Self, JsValue> {
        let policy = Policy::from_json(policy).map_err(|error| thrown(&error))?;
        let payer = Address::parse(payer)
            .map_err(|_| refused("invalid_signer", "the signer's address is not an address"))?;
        let mut random = [0; SEED];
        match seed.map(<[u8; SEED]>::try_from) {
            Some(Ok(seed)) => random = seed,
            Some(Err(_)) => return Err(refused("invalid_argument", "a seed has 48 bytes")),
            None => getrandom::fill(&mut random).map_err(|_| no_randomness())?,
        }
        let exchange = client::Exchange::new(policy, method, url, endpoint, payer, random);
        Ok(Self(exchange, random))
    }

    /// The bytes of which another exchange makes this request: those of its purchase first.
    #[must_use]
    pub fn seed(&self) -> Vec<u8> {
        let (_, identifier) = self.1.split_at(self.0.purchase().len());
        [self.0.purchase(), identifier].concat()
    }

    /// Has the nonces follow from a purchase: the one that the caller names by a key for this URL,
    /// or the one of the seed.
    #[wasm_bindgen(js_name = forPurchase)]
    #[must_use]
    pub fn for_purchase(self, key: Option<String>, url: &str) -> Self {
        let key = key.as_deref().map(|key| (key, url));
        Self(self.0.for_purchase(key), self.1)
    }

    /// The earlier authorizations of its purchase with the same nonce, JSON: amount and payee of
    /// each.
    #[must_use]
    pub fn earlier(&self) -> String {
        let pair = |it: &Earlier| json!([it.amount.to_string(), it.pay_to.to_checksum()]);
        Value::Array(self.0.earlier().iter().map(pair).collect()).to_string()
    }

    /// Remembers what another process has signed for its purchase, JSON of [`earlier`](Self::earlier).
    #[wasm_bindgen(js_name = withEarlier)]
    #[must_use]
    pub fn with_earlier(self, earlier: &str) -> Self {
        let pair = |it: &Value| {
            let [amount, pay_to] = [0, 1].map(|at| it.get(at).and_then(Value::as_str));
            let amount = Amount::from_atomic(amount?).ok()?;
            Some(Earlier { amount, pay_to: Address::parse(pay_to?).ok()? })
        };
        let read = json::parse(earlier.as_bytes()).unwrap_or_default();
        let pairs = read.as_array().into_iter().flatten().filter_map(pair).collect();
        Self(self.0.with_earlier(pairs), self.1)
    }

    /// The answer whose terms are paid, JSON: one `name: value` line per header field, and the body.
    #[must_use]
    pub fn terms(&self) -> Option<String> {
        let (headers, body) = self.0.terms()?;
        let lines: Vec<String> =
            headers.iter().map(|(name, value)| [name, ": ", value].concat()).collect();
        let body = String::from_utf8_lossy(body);
        Some(json!({"lines": lines.join("\n"), "body": body}).to_string())
    }

    /// Takes what another process has signed at these terms, which were answered at `at`: its
    /// [`proof`](Self::proof), or the hash of the payer's own transaction. Whether it fits one of their offers.
    pub fn restore(
        &mut self,
        lines: &str,
        body: &str,
        at: f64,
        proof: &str,
        is_hash: bool,
        now: f64,
    ) -> bool {
        let headers = Headers::from_lines(lines.lines());
        let terms = AnsweredTerms { headers: &headers, body: body.as_bytes(), at: seconds(at) };
        self.0.restore(terms, proof, is_hash, seconds(now))
    }

    /// The name under which the budget counts it.
    #[must_use]
    pub fn counted(&self) -> String {
        self.0.counted().to_string()
    }

    /// Counts what it goes on with under the name that another process gave it.
    #[wasm_bindgen(js_name = countAs)]
    pub fn count_as(&mut self, name: &str) {
        self.0.count_as(name);
    }

    /// Goes on with what was signed before and delivered nothing, under this policy (JSON) and pin.
    /// `asks`: a person is asked before anything is signed. None if there is nothing to go on with.
    #[wasm_bindgen(js_name = goOn)]
    pub fn go_on(
        &mut self,
        policy: &str,
        pin: Option<String>,
        is_dead: bool,
        asks: bool,
        now: f64,
    ) -> Result<Option<String>, JsValue> {
        let policy = Policy::from_json(policy).map_err(|error| thrown(&error))?;
        let next = self.0.go_on(policy, pin.as_deref(), is_dead, asks, seconds(now));
        Ok(next.map(|next| self.step(next)))
    }

    /// The offer that is paid, as a pin.
    #[must_use]
    pub fn pin(&self) -> Option<String> {
        self.0.chosen()
    }

    /// Goes on after a payment of the same purchase that has ended, whose `slot` its proposal named.
    /// `asks`: a person is asked before anything is signed.
    #[must_use]
    pub fn after(self, slot: &str, asks: bool) -> Self {
        Self(self.0.after(slot, asks), self.1)
    }

    /// Sends no `payment-identifier`.
    #[wasm_bindgen(js_name = withoutIdentifier)]
    #[must_use]
    pub fn without_identifier(self) -> Self {
        Self(self.0.without_identifier(), self.1)
    }

    /// Pays this offer and no other.
    #[wasm_bindgen(js_name = withPin)]
    #[must_use]
    pub fn with_pin(self, pin: &str) -> Self {
        Self(self.0.with_pin(pin), self.1)
    }

    /// Names the payer, whose wallet was not asked before.
    #[wasm_bindgen(js_name = paysFrom)]
    pub fn pays_from(&mut self, payer: &str) -> Result<(), JsValue> {
        let payer = Address::parse(payer).ok().filter(|payer| !payer.is_zero());
        let wrong = || refused("invalid_signer", "the signer's address is not an address");
        self.0.pays_from(payer.ok_or_else(wrong)?).map_err(|error| thrown(&error))
    }

    /// Also accepts terms for which the payer has to send the transaction.
    #[wasm_bindgen(js_name = withBroadcast)]
    #[must_use]
    pub fn with_broadcast(self) -> Self {
        Self(self.0.with_broadcast(), self.1)
    }

    /// Leaves `Authorization` to the caller.
    #[wasm_bindgen(js_name = withoutAuthorization)]
    #[must_use]
    pub fn without_authorization(self) -> Self {
        Self(self.0.without_authorization(), self.1)
    }

    /// Takes an answer: status, one `name: value` line per header field, and the body of a refusal.
    pub fn answered(&mut self, status: u16, headers: &str, body: &[u8], now: f64) -> String {
        let headers = Headers::from_lines(headers.lines());
        let next = self.0.answered(status, &headers, body, seconds(now));
        self.step(next)
    }

    /// Takes the loss of an answer.
    pub fn lost(&mut self, now: f64) -> String {
        let next = self.0.lost(seconds(now));
        self.step(next)
    }

    /// Takes the choice between opening a session and paying once.
    pub fn chose(&mut self, option: &str) -> String {
        let next = self.0.chose(option);
        self.step(next)
    }

    /// Counts this payment in the record of the store; throws the reason if it may not be made.
    pub fn reserve(&mut self, record: Option<String>, now: f64) -> Result<String, JsValue> {
        self.0.reserve(record.as_deref(), seconds(now)).map_err(|error| thrown(&error))
    }

    /// Counts this payment as of now, in the place of when it was reserved; throws the reason if it
    /// may not be made any more.
    pub fn recount(&mut self, record: Option<String>, now: f64) -> Result<String, JsValue> {
        self.0.recount(record.as_deref(), seconds(now)).map_err(|error| thrown(&error))
    }

    /// Takes this unsigned payment out of the record of the store.
    pub fn release(&self, record: Option<String>) -> Result<String, JsValue> {
        self.0.release(record.as_deref()).map_err(|error| thrown(&error))
    }

    /// Counts what was charged in the place of what was signed in the record of the store.
    pub fn settle(&self, record: Option<String>) -> Result<String, JsValue> {
        self.0.settle(record.as_deref()).map_err(|error| thrown(&error))
    }

    /// Notes the server's advice about the endpoint in the record of the store; none if the record
    /// has it already.
    pub fn mark(&mut self, record: Option<String>, now: f64) -> Result<Option<String>, JsValue> {
        self.0.mark(record.as_deref(), seconds(now)).map_err(|error| thrown(&error))
    }

    /// The step after [`mark`](Self::mark).
    pub fn marked(&mut self) -> String {
        let next = self.0.marked();
        self.step(next)
    }

    /// The payment to be made, JSON.
    #[must_use]
    pub fn proposal(&self) -> Option<String> {
        self.0.proposal().map(|proposal| proposal.to_string())
    }

    /// The typed data for the wallet to sign.
    pub fn prepare(&mut self, now: f64) -> String {
        let next = self.0.prepare(seconds(now));
        self.step(next)
    }

    /// The time as of which it was prepared, unix seconds.
    #[wasm_bindgen(js_name = preparedAt)]
    #[must_use]
    pub fn prepared_at(&self) -> f64 {
        // A time is far below 2^53.
        #[allow(clippy::cast_precision_loss)]
        let secs = self.0.prepared_at().secs() as f64;
        secs
    }

    /// Has what Permit2 may move read on these networks, one after a space.
    #[wasm_bindgen(js_name = readOn)]
    pub fn read_on(&mut self, networks: &str) {
        self.0.read_on(networks.split_whitespace().map(Into::into).collect());
    }

    /// Takes what both calls returned, hex; none for one that failed.
    pub fn read(&mut self, allowance: Option<String>, nonce: Option<String>) -> String {
        let next = self.0.read([allowance.as_deref(), nonce.as_deref()]);
        self.step(next)
    }

    /// All that was signed for the payment, as [`restore`](Self::restore) takes it.
    #[must_use]
    pub fn proof(&self) -> Option<String> {
        self.0.proof()
    }

    /// Takes the wallet's signature, hex.
    pub fn signed(&mut self, signature: &str, now: f64) -> String {
        let next = self.0.signed(signature, seconds(now));
        self.step(next)
    }

    /// Takes the hash of the payer's own transaction.
    pub fn broadcast(&mut self, hash: &str, now: f64) -> String {
        let next = self.0.broadcast(hash, seconds(now));
        self.step(next)
    }

    /// The payment as sent, JSON.
    #[must_use]
    pub fn payment(&self) -> Option<String> {
        self.0.payment().map(|payment| payment.to_string())
    }

    fn step(&self, next: Next) -> String {
        let step: Value = match next {
            Next::Return(receipt) => {
                let (retrying, settles) = (self.0.is_retrying(), self.0.settles());
                json!({"do": "return", "receipt": receipt, "retrying": retrying, "settles": settles})
            }
            Next::Choose => json!({"do": "choose", "options": [SESSION, ONE_SHOT]}),
            Next::Afresh => json!({"do": "afresh"}),
            Next::Broadcast => json!({"do": "broadcast"}),
            Next::Reserve => json!({"do": "reserve"}),
            Next::Renew => json!({"do": "renew"}),
            Next::Recount => json!({"do": "recount"}),
            Next::Mark => json!({"do": "mark"}),
            Next::Read(reading) => {
                let call = |data: &String| json!({"to": reading.token, "data": data});
                let calls: Vec<Value> = reading.data.iter().map(call).collect();
                json!({"do": "read", "network": reading.network, "calls": calls})
            }
            Next::Prepare => json!({"do": "prepare"}),
            Next::Sign(typed_data) => json!({"do": "sign", "typedData": typed_data}),
            Next::Send { wait_ms, headers } => {
                json!({"do": "send", "waitMs": wait_ms, "headers": headers})
            }
            Next::Fail(error) => json!({"do": "fail", "error": told(&error)}),
        };
        step.to_string()
    }
}

/// Throws if the record says that a person has to look at an endpoint first.
#[wasm_bindgen(js_name = admitEndpoint)]
pub fn admit_endpoint(record: Option<String>, endpoint: &str) -> Result<(), JsValue> {
    budget(record)?.endpoints.admit(endpoint).map_err(|error| thrown(&error))
}

/// The name of an endpoint in a record: its URL has no query.
#[wasm_bindgen(js_name = endpointName)]
#[must_use]
pub fn endpoint_name(method: &str, url: &str) -> String {
    endpoints::name(method, url)
}

/// The endpoints that a record holds back, JSON; throws if the record cannot be read.
#[wasm_bindgen(js_name = listEndpoints)]
pub fn list_endpoints(record: Option<String>) -> Result<String, JsValue> {
    budget(record).map(|budget| budget.endpoints.shown().to_string())
}

/// The record with an endpoint released; none if it is not in this state.
#[wasm_bindgen(js_name = reopenEndpoint)]
pub fn reopen_endpoint(
    record: Option<String>,
    name: &str,
    state: &str,
) -> Result<Option<String>, JsValue> {
    let mut budget = budget(record)?;
    let is_reopened =
        EndpointState::parse(state).is_some_and(|state| budget.endpoints.reopen(name, state));
    Ok(is_reopened.then(|| budget.to_text()))
}

fn budget(record: Option<String>) -> Result<Budget, JsValue> {
    Budget::from_text(record.as_deref()).map_err(|error| thrown(&error))
}

/// Throws unless a policy, JSON, lets a model have this request sent, to see what it costs.
#[wasm_bindgen(js_name = mayLook)]
pub fn may_look(policy: &str, method: &str, url: &str) -> Result<(), JsValue> {
    let policy = Policy::from_json(policy).map_err(|error| thrown(&error))?;
    policy.may_look(method, url).map_err(|error| thrown(&error))
}
