//! x402 version 2: terms in `PAYMENT-REQUIRED`, proof in `PAYMENT-SIGNATURE`, settlement in
//! `PAYMENT-RESPONSE`.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;
use serde_json::{Map, Value};

use super::exact::{DEFERRED, SCHEME, UPTO};
use super::extension::{bazaar, gas_sponsoring, payment_identifier};
use super::header::{self, Message};
use farebox_base::encoding::json;
use farebox_common::payment::{Terms, TransferMethod};
use farebox_common::problem::Code;
use farebox_evm::address::Address;

/// Time at which the money moves, as in `extra.paymentFlow`. Spec: x402 reference 2.27, payment
/// flows.
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
    extra: Map<String, Value>,
}

impl PaymentRequirements {
    /// The wire form of `terms`.
    #[must_use]
    pub fn new(terms: &Terms, flow: Flow) -> Self {
        let mut extra = terms.extra.clone();
        let member = match terms.token.map(|token| token.method) {
            Some(TransferMethod::Eip3009) => Some((PRIMARY_TYPE, AUTHORIZATION_TYPE)),
            Some(TransferMethod::Permit2 | TransferMethod::Upto(_)) => {
                Some(("assetTransferMethod", "permit2"))
            }
            Some(TransferMethod::Deferred) | None => None,
        };
        if let Some((name, text)) = member {
            extra.insert(name.to_owned(), Value::from(text));
        }
        let facilitator = terms.token.and_then(|token| token.method.facilitator().copied());
        if let Some(facilitator) = facilitator {
            let name = "facilitatorAddress".to_owned();
            extra.insert(name, Value::from(facilitator.to_checksum()));
        }
        if flow == Flow::Upfront {
            extra.insert("paymentFlow".to_owned(), Value::from("upfront"));
        }
        Self {
            scheme: match terms.token.map(|token| token.method) {
                Some(TransferMethod::Upto(_)) => UPTO,
                Some(TransferMethod::Deferred) => DEFERRED,
                _ => SCHEME,
            },
            network: terms.network.to_string(),
            amount: terms.amount.to_string(),
            asset: terms.asset.clone(),
            pay_to: terms.pay_to.clone(),
            max_timeout_seconds: terms.max_timeout_secs,
            extra,
        }
    }

    /// The wire form of `terms` under another scheme, with these members of `extra`.
    #[must_use]
    pub fn by(scheme: &'static str, terms: &Terms, extra: Map<String, Value>) -> Self {
        Self { scheme, extra, ..Self::new(terms, Flow::Authorization) }
    }

    /// The scheme's name.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The price, atomic units.
    #[must_use]
    pub fn amount(&self) -> &str {
        &self.amount
    }

    /// The payee.
    #[must_use]
    pub fn pay_to(&self) -> &str {
        &self.pay_to
    }

    /// Adds a member of `extra`.
    pub fn add(&mut self, name: &str, value: Value) {
        self.extra.insert(name.to_owned(), value);
    }

    /// Whether `accepted` is a copy of these requirements: the same members, EVM addresses compared
    /// as bytes, and this `extra` contained in its `extra`, except for the name of the signed type:
    /// payers who know it leave it out, and it is no term.
    #[must_use]
    pub fn accepted_as(&self, accepted: &Map<String, Value>) -> bool {
        let text =
            |name: &str, ours: &str| accepted.get(name).and_then(Value::as_str) == Some(ours);
        let address = |name: &str, ours: &str| {
            let theirs = accepted.get(name).and_then(Value::as_str).unwrap_or_default();
            match (Address::parse(theirs), Address::parse(ours)) {
                (Ok(theirs), Ok(ours)) => theirs == ours,
                _ => theirs == ours,
            }
        };
        let extra = accepted.get("extra").and_then(Value::as_object);
        let contained = extra.is_some_and(|extra| {
            let mut terms = self.extra.iter().filter(|(name, _)| *name != PRIMARY_TYPE);
            terms.all(|(name, ours)| extra.get(name) == Some(ours))
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

/// The member of `extra` that says which type of data a wallet signs. Spec: none; thirdweb's client
/// asks the chain for what the token can do unless it is there.
const PRIMARY_TYPE: &str = "primaryType";
/// Its value for EIP-3009.
const AUTHORIZATION_TYPE: &str = "TransferWithAuthorization";

/// Description of the sold resource in a challenge.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceInfo<'a> {
    /// The requested URL.
    pub url: &'a str,
    /// Text for people.
    pub description: &'a str,
    /// Media type of the response.
    pub mime_type: &'a str,
    /// The seller.
    #[serde(flatten)]
    pub service: &'a ServiceInfo,
}

/// The seller, as registries list it. Spec: x402 v2, "ResourceInfo".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInfo {
    /// Its name: 1 to 32 printable ASCII characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Its subjects: at most 5, each like a name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// A picture of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
}

impl ServiceInfo {
    /// Nothing about a seller.
    pub const NONE: Self = Self { service_name: None, tags: Vec::new(), icon_url: None };

    /// The members of these texts that clients and registries take: they refuse a whole challenge
    /// for a longer one.
    #[must_use]
    pub fn new(name: &str, subjects: &[String], icon: &str) -> Self {
        let is_name = |text: &str| {
            (1..=32).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b))
        };
        Self {
            service_name: is_name(name).then(|| String::from(name)),
            tags: subjects.iter().filter(|it| is_name(it)).take(MAX_TAGS).cloned().collect(),
            icon_url: (!icon.is_empty()).then(|| String::from(icon)),
        }
    }
}

/// Limit on [`ServiceInfo::tags`].
const MAX_TAGS: usize = 5;

/// The challenge. Spec: x402 v2, "PaymentRequired".
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired<'a> {
    x402_version: u64,
    error: &'a str,
    resource: ResourceInfo<'a>,
    accepts: Vec<&'a PaymentRequirements>,
}

impl<'a> PaymentRequired<'a> {
    /// A challenge for `resource`; `error` says why the request was not served.
    #[must_use]
    pub const fn new(
        error: &'a str,
        resource: ResourceInfo<'a>,
        accepts: Vec<&'a PaymentRequirements>,
    ) -> Self {
        Self { x402_version: 2, error, resource, accepts }
    }
}

/// A parsed `PAYMENT-SIGNATURE`.
#[derive(Clone, Debug)]
pub struct PaymentPayload<'a> {
    /// The signed payload.
    pub payload: &'a Map<String, Value>,
    /// The requirements that the payer claims to pay; compared with the gate's own, never trusted
    /// further.
    pub accepted: &'a Map<String, Value>,
    /// The scheme in them.
    pub scheme: &'a str,
    /// The network in them.
    pub network: &'a str,
    /// `resource.url`, if the payload names one.
    pub resource_url: Option<&'a str>,
    /// `payment-identifier`, if the client sent a well-formed one.
    pub identifier: Option<String>,
    /// Whether it echoes the extension `bazaar`.
    pub echoes_bazaar: bool,
    /// The permit of `eip2612GasSponsoring`, if the client sent one of its form.
    pub permit: Option<Value>,
}

impl<'a> PaymentPayload<'a> {
    /// Reads the members of a payload.
    ///
    /// # Errors
    /// [`Code::MalformedPayment`], [`Code::UnsupportedVersion`], [`Code::TermsMismatch`] for
    /// another scheme.
    ///
    /// # Examples
    /// ```
    /// use farebox_common::problem::Code;
    /// use farebox_wire::x402::{header, v2::PaymentPayload};
    /// let read = |version, id| {
    ///     let info = format!(r#""extensions":{{"payment-identifier":{{"info":{{"id":"{id}"}}}}}}"#);
    ///     let accepted = r#""accepted":{"scheme":"exact","network":"eip155:8453"}"#;
    ///     let json = format!(r#"{{"x402Version":{version},"payload":{{}},{accepted},{info}}}"#);
    ///     let message = header::decode(&header::encode(&json)).unwrap();
    ///     PaymentPayload::read(&message).map(|payment| (payment.network.to_owned(), payment.identifier))
    /// };
    /// let (network, identifier) = read(2, "pay_0123456789abcdef").unwrap();
    /// assert_eq!((network.as_str(), identifier.as_deref()), ("eip155:8453", Some("pay_0123456789abcdef")));
    /// // Too short to be an identifier; the payment is read all the same.
    /// assert_eq!(read(2, "pay_1").unwrap().1, None);
    /// assert_eq!(read(3, "pay_1"), Err(Code::UnsupportedVersion));
    /// ```
    pub fn read(message: &'a Message) -> Result<Self, Code> {
        let object = &message.object;
        if header::version(object)? != 2 {
            return Err(Code::UnsupportedVersion);
        }
        let resource_url = match header::optional_object(object, "resource")? {
            None => None,
            Some(resource) => Some(header::text(resource, "url")?),
        };
        let extensions = header::optional_object(object, "extensions")?;
        let echoes_bazaar = extensions.is_some_and(|echoed| echoed.contains_key(bazaar::NAME));
        let identifier = payment_identifier::read(extensions);
        let permit = gas_sponsoring::read(extensions);
        let accepted = header::object(object, "accepted")?;
        let scheme = header::text(accepted, "scheme")?;
        if ![SCHEME, UPTO, DEFERRED].contains(&scheme) {
            return Err(Code::TermsMismatch);
        }
        let network = accepted.get("network").and_then(Value::as_str).unwrap_or_default();
        let payload = header::object(object, "payload")?;
        Ok(Self {
            payload,
            accepted,
            scheme,
            network,
            resource_url,
            identifier,
            echoes_bazaar,
            permit,
        })
    }
}

/// The settlement as the payer reads it. Spec: x402 v2, "SettleResponse".
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleResponse<'a> {
    /// Whether value moved.
    pub success: bool,
    /// The reason of a failure, in the protocol's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<&'a str>,
    /// The payer; empty if unknown.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub payer: &'a str,
    /// The transaction, or an empty text.
    pub transaction: &'a str,
    /// `pending` if the money moves later, in a transaction that is not named yet. Spec: OKX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// The network, as named by the version.
    pub network: &'a str,
    /// The amount that was charged, atomic units, if that was not agreed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
}

impl SettleResponse<'_> {
    /// The settlement with the gate's extensions, as JSON; only version 2 has them.
    #[must_use]
    pub fn to_json(&self, extensions: Option<&str>) -> String {
        let text = json::text(self);
        let Some(extensions) = extensions else { return text };
        [text.strip_suffix('}').unwrap_or_default(), ",\"extensions\":", extensions, "}"].concat()
    }
}
