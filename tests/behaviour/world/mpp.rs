//! MPP payments: an authorization of the token, sent in answer to a challenge.

use farebox_core::encoding::base64;
use serde_json::{Value, json};

use super::messages::{Response, decoded};
use super::payer::Payment;

/// The parameters of the one challenge of a 402, as OKX's payer echoes them.
pub fn echo_of(asked: &Response) -> Value {
    let value = asked.headers.get("www-authenticate").unwrap();
    let mut echo = json!({});
    for name in ["id", "realm", "method", "intent", "request", "expires"] {
        let mark = format!("{name}=\"");
        let (_, rest) = value.split_once(&mark).unwrap();
        echo[name] = json!(rest.split('"').next().unwrap());
    }
    echo
}

impl Payment {
    /// This authorization as a credential for a challenge, in the shape that does not bind its
    /// nonce to one.
    pub fn by_mpp(&self, echo: &Value) -> Self {
        let mut authorization = self.signed();
        authorization["type"] = json!("eip-3009");
        self.answering(echo, &json!({ "type": "transaction", "authorization": authorization }))
    }

    /// This authorization as a credential for a challenge, in the shape whose nonce is the
    /// challenge's.
    pub fn by_challenge(&self, echo: &Value) -> Self {
        let mut authorization = self.signed();
        authorization["type"] = json!("authorization");
        self.answering(echo, &authorization)
    }

    /// The authorization with its signature beside its members.
    fn signed(&self) -> Value {
        let payload = &decoded(&self.value)["payload"];
        let mut authorization = payload["authorization"].clone();
        authorization["signature"] = payload["signature"].clone();
        authorization
    }

    fn answering(&self, echo: &Value, payload: &Value) -> Self {
        let message = json!({ "challenge": echo, "payload": payload });
        let token = base64::encode(message.to_string().as_bytes());
        let token = token.trim_end_matches('=').replace('+', "-").replace('/', "_");
        Self { header: "authorization", value: format!("Payment {token}"), ..self.clone() }
    }
}
