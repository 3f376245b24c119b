//! A job by one request, as clients of the standards buy: asked without a payment it is answered
//! with terms, and the same request with a payment is the job.

use alloc::format;
use alloc::string::String;

use serde_json::Value;

use super::body::Fields;
use super::message::Command;
use super::quote::Order;
use super::records::Rows;
use super::refused::said;
use super::row::HoldKind;
use super::settings::Gateway;
use super::verify::{digest_of, message_of};
use super::{Decision, Now};
use farebox_base::encoding::{base64, json};
use farebox_base::mutant::{Mutant, planted};

impl Gateway {
    /// Answers with the terms of a seat, or sends the payment to its till.
    pub(super) fn buy<R: Rows>(
        &self,
        records: &R,
        client: &str,
        (payment, body): (&str, &str),
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let read = self.fields(body).and_then(|fields| {
            let order = Order::of(&fields)?;
            Ok((order, self.material_in(payment, &fields)))
        });
        let (order, material) = match read {
            Ok(read) => read,
            Err(answer) => return Ok(Decision::reply(answer)),
        };
        if material.is_empty() {
            return self.quote(records, (client, body), tick);
        }
        let fingerprint = self.fingerprint(&order);
        let shown = digest_of(&material);
        // What was bought by this payment is what it buys, whatever was quoted since.
        let known = self.job_paid(records, &material)?;
        let quote = match &known {
            Some(job) => records.quote(&job.quote)?,
            None => records.quote_of(&fingerprint)?.filter(|quote| quote.is_open(tick.now)),
        };
        let Some(quote) = quote else { return self.quote(records, (client, body), tick) };
        if quote.fingerprint != fingerprint && !planted(Mutant::PaymentsBuyAnything) {
            let why = "This payment was made for another request.";
            return Ok(Decision::reply(said(409, "PAYMENT_ALREADY_VERIFIED", why)));
        }
        if let Err(answer) = self.material(&material, &quote) {
            return Ok(Decision::reply(answer));
        }
        self.pay(records, quote, (&material, shown), tick)
    }

    /// The text that is shown as a payment: under `mock` a member of the body.
    fn material_in(&self, payment: &str, fields: &Fields) -> String {
        match self.set.hold {
            HoldKind::Mock => {
                let hash = fields.maybe("tx_hash").ok().flatten();
                hash.unwrap_or_default().to_ascii_lowercase()
            }
            HoldKind::Completion | HoldKind::Escrow | HoldKind::Contract => String::from(payment),
        }
    }

    /// `Idempotency-Key` of a payment for a quote, by which the gate answers a repeat as it did
    /// before; none where whoever reads the chain could make up the same request.
    #[must_use]
    pub fn till_key(&self, asked: &Command, client: &str, quote: &str) -> Option<String> {
        let (payment, client) = match asked {
            Command::Verify { payment, .. } | Command::Buy { payment, .. } if is_bound(payment) => {
                (payment, "")
            }
            // Its fingerprint is known to whoever asked for the same quote, and the rest of it
            // stands on the chain: a repeat has to come from the same network.
            Command::Verify { payment, .. } => (payment, client),
            _ => return None,
        };
        let parts = [quote.as_bytes(), payment.as_bytes(), client.as_bytes()];
        let key = self.keyed("till key", &parts);
        Some(format!("till-{}", base64::encode_url(&key)))
    }
}

/// The gate's report of a settlement, without its receipt: the receipt names the till, and clients
/// compare it with the address that they asked.
#[must_use]
pub fn settlement_told(header: &str) -> String {
    let said = base64::decode(header).ok().and_then(|bytes| json::parse(&bytes).ok());
    let Some(Value::Object(mut members)) = said else { return String::from(header) };
    members.remove("extensions");
    base64::encode(json::text(&members).as_bytes())
}

/// The transaction of a settlement, by the gate's word of it; empty if it does not say.
#[must_use]
pub fn transaction_told(header: &str) -> String {
    told(header, "transaction")
}

/// Why a settlement failed, by the gate's word of it; empty if it does not say.
#[must_use]
pub fn refusal_told(header: &str) -> String {
    told(header, "errorReason")
}

/// A text of a settlement's header; empty if it is not there.
fn told(header: &str, name: &str) -> String {
    let said = base64::decode(header).ok().and_then(|bytes| json::parse(&bytes).ok());
    let text = said.as_ref().and_then(|said| said.get(name)).and_then(Value::as_str);
    String::from(text.unwrap_or_default())
}

/// Whether a gate's answer says that it has no price for what it was asked for.
#[must_use]
pub fn is_unpriced(status: u32, body: &str) -> bool {
    let said = json::parse(body.as_bytes()).unwrap_or(Value::Null);
    status == 503 && said.get("code").and_then(Value::as_str) == Some("price_unavailable")
}

/// Whether a payment repeats what only who asked for the terms was told: the quote of version 2, the
/// challenge of MPP.
fn is_bound(payment: &str) -> bool {
    let Some(message) = message_of(payment) else { return false };
    let is_second = message.get("x402Version").and_then(Value::as_u64) == Some(2);
    is_second || message.get("challenge").is_some() || planted(Mutant::ChainReadersAreAnswered)
}
