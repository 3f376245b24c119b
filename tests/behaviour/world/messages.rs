//! Requests and responses of a client.

use farebox_core::amount::Amount;
use farebox_core::encoding::{base64, hex};
use farebox_core::gate::paid::StreamEnd;
use farebox_core::http::{BodyPresence, Headers, RequestHead};
use farebox_core::problem::Code;
use serde_json::Value;

use super::HOST;
use super::payer::Payment;

/// A client's response.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// Body.
    pub body: Vec<u8>,
    /// Code in the log.
    pub code: Option<Code>,
    /// How its stream ended, if it streamed.
    pub stream: Option<StreamEnd>,
}

impl Response {
    /// The wire name of the refusal, from the body.
    pub fn problem(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The decoded `PAYMENT-REQUIRED`.
    pub fn payment_required(&self) -> Value {
        decoded(self.headers.get("payment-required").unwrap())
    }

    /// Whether it offers terms to sign, of any protocol.
    pub fn has_terms(&self) -> bool {
        let challenge = self.headers.get("www-authenticate").unwrap_or_default();
        self.headers.get("payment-required").is_some()
            || challenge.starts_with("Payment ")
            || self.json().get("accepts").is_some()
    }

    /// Whether its body contains this word.
    pub fn names(&self, word: &str) -> bool {
        String::from_utf8_lossy(&self.body).contains(word)
    }

    /// The decoded settlement header.
    pub fn settlement(&self) -> Value {
        let two = self.headers.get("payment-response");
        let one = self.headers.get("x-payment-response");
        two.or(one).map(decoded).unwrap_or_default()
    }

    /// The decoded receipt of MPP.
    pub fn receipt(&self) -> Value {
        self.headers.get("payment-receipt").map(decoded).unwrap_or_default()
    }

    /// Whether it delivers the origin's response to a paid request.
    pub fn is_delivery(&self) -> bool {
        let settled = self.settlement()["success"] == true;
        let received = self.receipt()["status"] == "success";
        assert!(!(settled && received), "one receipt for one payment");
        (200..400).contains(&self.status) && (settled || received)
    }
}

/// The nonce in a facilitator's request.
pub fn nonce_in(request: &str) -> String {
    let request: Value = serde_json::from_str(request).unwrap();
    let payload = &request["paymentPayload"]["payload"];
    match payload["permit2Authorization"]["nonce"].as_str() {
        Some(nonce) => permit_nonce(nonce),
        None => payload["authorization"]["nonce"].as_str().unwrap().to_ascii_lowercase(),
    }
}

/// A nonce of Permit2 in the notation of the chain here.
fn permit_nonce(decimal: &str) -> String {
    hex::encode_prefixed(&Amount::from_atomic(decimal).unwrap().to_be_bytes())
}

/// A decoded header.
pub fn decoded(value: &str) -> Value {
    serde_json::from_slice(&base64::decode(value).unwrap()).unwrap()
}

/// A GET without payment.
pub fn get(target: &str) -> RequestHead {
    request("GET", target)
}

/// A request without payment.
pub fn request(method: &str, target: &str) -> RequestHead {
    RequestHead {
        method: method.to_owned(),
        url: format!("{HOST}{target}"),
        headers: Headers::new(),
        body: BodyPresence::Absent,
        fresh: String::new(),
    }
}

/// A GET with this payment.
pub fn paid(payment: &Payment) -> RequestHead {
    get(&payment.target).header(payment.header, &payment.value)
}

/// Requests with more fields.
pub trait With {
    /// Adds a field.
    fn header(self, name: &str, value: &str) -> Self;
}

impl With for RequestHead {
    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.add(name, value);
        self
    }
}
