//! x402 version 2: terms in `PAYMENT-REQUIRED`, proof in `PAYMENT-SIGNATURE`, settlement in `PAYMENT-RESPONSE`.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};

use serde::Serialize;
use serde_json::{Map, Value};

use super::exact::{Payload, SCHEME};
use super::extension::offer_receipt::Extensions;
use super::header::{self, Message};
use crate::evm::address::Address;
use crate::payment::Terms;
use crate::problem::Code;

/// When the money moves, as `extra.paymentFlow` says it. Spec: x402 reference 2.27, payment flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Verify, serve, settle; not written.
    Authorization,
    /// Settle, then serve.
    Upfront,
}

/// One entry of `accepts`. Spec: x402 v2, "PaymentRequirements".
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequirements {
    scheme: &'static str,
    network: String,
    amount: String,
    asset: String,
    pay_to: String,
    max_timeout_seconds: u64,
    extra: Extra,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Extra {
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_flow: Option<&'static str>,
}

impl PaymentRequirements {
    /// The wire form of `terms`.
    #[must_use]
    pub fn new(terms: &Terms, flow: Flow) -> Self {
        Self {
            scheme: SCHEME,
            network: terms.network.to_string(),
            amount: terms.amount.to_string(),
            asset: terms.asset.to_checksum(),
            pay_to: terms.pay_to.to_checksum(),
            max_timeout_seconds: terms.max_timeout_secs,
            extra: Extra {
                name: terms.asset_name.clone(),
                version: terms.asset_version.clone(),
                payment_flow: match flow {
                    Flow::Authorization => None,
                    Flow::Upfront => Some("upfront"),
                },
            },
        }
    }

    /// Whether `accepted` is a copy of these requirements: the same members, addresses compared as bytes, and
    /// our `extra` contained in its `extra`.
    #[must_use]
    pub fn accepted_as(&self, accepted: &Map<String, Value>) -> bool {
        let text =
            |name: &str, ours: &str| accepted.get(name).and_then(Value::as_str) == Some(ours);
        let address = |name: &str, ours: &str| {
            let theirs = accepted.get(name).and_then(Value::as_str).map(Address::parse);
            matches!((theirs, Address::parse(ours)), (Some(Ok(theirs)), Ok(ours)) if theirs == ours)
        };
        let extra = accepted.get("extra").and_then(Value::as_object);
        let contained = extra.is_some_and(|extra| {
            let has =
                |name: &str, ours: &str| extra.get(name).and_then(Value::as_str) == Some(ours);
            let flow = extra.get("paymentFlow").and_then(Value::as_str);
            has("name", &self.extra.name)
                && has("version", &self.extra.version)
                && self.extra.payment_flow.is_none_or(|ours| flow == Some(ours))
        });
        accepted.len() == 7
            && text("scheme", self.scheme)
            && text("network", &self.network)
            && text("amount", &self.amount)
            && address("asset", &self.asset)
            && address("payTo", &self.pay_to)
            && accepted.get("maxTimeoutSeconds").and_then(Value::as_u64)
                == Some(self.max_timeout_seconds)
            && contained
    }
}

/// What a challenge says about the thing that is sold.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceInfo<'a> {
    /// The URL as it was asked for.
    pub url: &'a str,
    /// For people.
    pub description: &'a str,
    /// Of the answer.
    pub mime_type: &'a str,
}

/// The challenge. Spec: x402 v2, "PaymentRequired".
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired<'a> {
    x402_version: u64,
    error: &'a str,
    resource: ResourceInfo<'a>,
    accepts: &'a [PaymentRequirements],
}

impl<'a> PaymentRequired<'a> {
    /// A challenge for `resource`; `error` says why the request was not served.
    #[must_use]
    pub const fn new(
        error: &'a str,
        resource: ResourceInfo<'a>,
        accepts: &'a [PaymentRequirements],
    ) -> Self {
        Self { x402_version: 2, error, resource, accepts }
    }
}

/// A parsed `PAYMENT-SIGNATURE`.
#[derive(Clone, Debug)]
pub struct PaymentPayload {
    /// What the payer signed.
    pub payload: Payload,
    /// `resource.url`, if the payload names one.
    pub resource_url: Option<String>,
    /// `payment-identifier`, if the client sent a well-formed one.
    pub identifier: Option<String>,
}

impl PaymentPayload {
    /// Reads a payload and compares `accepted` with our own requirements; the echo is never trusted further.
    ///
    /// # Errors
    /// [`Code::MalformedPayment`], [`Code::UnsupportedVersion`], [`Code::TermsMismatch`].
    pub fn parse(message: &Message, ours: &PaymentRequirements) -> Result<Self, Code> {
        let object = &message.object;
        if header::version(object)? != 2 {
            return Err(Code::UnsupportedVersion);
        }
        let resource_url = match header::optional_object(object, "resource")? {
            None => None,
            Some(resource) => Some(header::text(resource, "url")?.to_owned()),
        };
        let identifier = identifier(header::optional_object(object, "extensions")?);
        let accepted = header::object(object, "accepted")?;
        if header::text(accepted, "scheme")? != SCHEME {
            return Err(Code::TermsMismatch);
        }
        let payload = Payload::parse(header::object(object, "payload")?)?;
        if !ours.accepted_as(accepted) {
            return Err(Code::TermsMismatch);
        }
        Ok(Self { payload, resource_url, identifier })
    }
}

/// `payment-identifier`: 16 to 128 characters of `[A-Za-z0-9_-]`. Spec: x402 extension payment-identifier.
fn identifier(extensions: Option<&Map<String, Value>>) -> Option<String> {
    let id = extensions?.get("payment-identifier")?.get("info")?.get("id")?.as_str()?;
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    ((16..=128).contains(&id.len()) && plain).then(|| id.to_owned())
}

/// The settlement as the payer reads it. Spec: x402 v2, "SettleResponse".
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleResponse<'a> {
    /// Whether value moved.
    pub success: bool,
    /// Why not, in the protocol's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<&'a str>,
    /// Who paid.
    pub payer: &'a str,
    /// The transaction, or an empty text.
    pub transaction: &'a str,
    /// The network, in the names of the version.
    pub network: &'a str,
    /// What the gate says beside it; version 2 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extensions: Option<Extensions>,
}
