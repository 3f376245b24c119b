//! x402 version 1: terms in the body of the 402, proof in `X-PAYMENT`, settlement in
//! `X-PAYMENT-RESPONSE`.

use alloc::string::{String, ToString};

use serde::Serialize;
use serde_json::{Map, Value};

use super::exact::SCHEME;
use super::header::{self, Message};
use farebox_common::payment::Terms;
use farebox_common::problem::Code;

/// One entry of `accepts`. Members that the reference client requires are always present; none is
/// `null`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequirements<'a> {
    scheme: &'static str,
    network: &'static str,
    max_amount_required: String,
    resource: &'a str,
    description: &'a str,
    mime_type: &'a str,
    pay_to: &'a str,
    max_timeout_seconds: u64,
    asset: &'a str,
    extra: &'a Map<String, Value>,
}

impl<'a> PaymentRequirements<'a> {
    /// The wire form of `terms`; `None` on networks whose version 1 name its clients do not read, and
    /// for permits, which they cannot read either.
    #[must_use]
    pub fn new(
        terms: &'a Terms,
        resource: &'a str,
        description: &'a str,
        mime_type: &'a str,
    ) -> Option<Self> {
        if terms.token.is_some() && terms.authorized().is_none() {
            return None;
        }
        Some(Self {
            scheme: SCHEME,
            network: terms.network.v1_offered()?,
            max_amount_required: terms.amount.to_string(),
            resource,
            description,
            mime_type,
            pay_to: &terms.pay_to,
            max_timeout_seconds: terms.max_timeout_secs,
            asset: &terms.asset,
            extra: &terms.extra,
        })
    }
}

/// Reads an `X-PAYMENT` message: its network and its payload.
///
/// # Errors
/// [`Code::MalformedPayment`], [`Code::UnsupportedVersion`], [`Code::TermsMismatch`] for another
/// scheme.
///
/// # Examples
/// ```
/// use farebox_common::problem::Code;
/// use farebox_wire::x402::{header, v1};
/// let read = |scheme, payload| {
///     let json = format!(r#"{{"x402Version":1,"scheme":"{scheme}","network":"base","payload":{payload}}}"#);
///     v1::read(&header::decode(&header::encode(&json)).unwrap()).map(|(network, _)| network.to_owned())
/// };
/// assert_eq!(read("exact", "{}").as_deref(), Ok("base"));
/// assert_eq!(read("upto", "{}"), Err(Code::TermsMismatch));
/// assert_eq!(read("exact", "null"), Err(Code::MalformedPayment));
/// ```
pub fn read(message: &Message) -> Result<(&str, &Map<String, Value>), Code> {
    let object = &message.object;
    if header::version(object)? != 1 {
        return Err(Code::UnsupportedVersion);
    }
    let (scheme, network) = (header::text(object, "scheme")?, header::text(object, "network")?);
    if scheme != SCHEME {
        return Err(Code::TermsMismatch);
    }
    Ok((network, header::object(object, "payload")?))
}
