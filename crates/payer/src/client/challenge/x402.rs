//! The terms of x402: version 2 in its header, or version 1 in the body.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{MAX_HEADER_BYTES, MAX_OFFERS, Means, malformed};
use crate::client::asset::Asset;
use crate::client::error::{ClientError, Reason, clean};
use crate::client::offer::{Offer, TermsSource};
use crate::client::policy::Policy;
use crate::client::receipt::is_for;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::http::Headers;
use farebox_common::payment::TransferMethod;
use farebox_evm::address::Address;
use farebox_wire::x402::extension::offer_receipt;
use farebox_wire::x402::v2::Flow;
use farebox_wire::x402::{Version, exact, header};

/// Beginnings of the names of tools.
const TOOLS: [&str; 3] = ["/", "mcp://", "x402://"];

/// The header with the terms of version 2, lower case.
pub const REQUIRED_HEADER: &str = "payment-required";

/// Terms of x402.
#[derive(Debug)]
pub(super) struct RequiredPayment {
    /// Each entry of `accepts`: an offer, or the reason why it cannot be paid.
    pub offers: Vec<Result<Offer, ClientError>>,
    /// The server's message, cleaned.
    pub error: String,
    /// `resource` as received.
    pub resource: Option<Value>,
    /// `extensions` as received.
    pub extensions: Option<Map<String, Value>>,
}

/// Reads the header of version 2 if present, otherwise the body of version 1; `None` if neither is
/// there.
pub(super) fn read(
    headers: &Headers,
    body: &[u8],
    means: Means<'_>,
) -> Option<Result<RequiredPayment, ClientError>> {
    let (version, object) = match headers.joined(REQUIRED_HEADER) {
        Some(value) => match header::decode_up_to(&value, MAX_HEADER_BYTES) {
            Ok(message) => (Version::V2, message.object),
            Err(_) => {
                return Some(Err(malformed("the PAYMENT-REQUIRED header is not base64 of JSON")));
            }
        },
        None => (Version::V1, in_body(body)?),
    };
    Some(terms(version, &object, means))
}

/// Whether the terms are in the body.
pub(super) fn is_in_body(headers: &Headers, body: &[u8]) -> bool {
    headers.joined(REQUIRED_HEADER).is_none() && in_body(body).is_some()
}

/// The body of version 1: other servers' 402 answers have their own bodies.
fn in_body(body: &[u8]) -> Option<Map<String, Value>> {
    match json::parse(body) {
        Ok(Value::Object(object)) if object.contains_key("x402Version") => Some(object),
        _ => None,
    }
}

fn terms(
    version: Version,
    object: &Map<String, Value>,
    means: Means<'_>,
) -> Result<RequiredPayment, ClientError> {
    match object.get("x402Version").and_then(Value::as_u64) {
        Some(number) if number == version.number() => {}
        Some(2) if version == Version::V1 => {
            return Err(malformed("terms of version 2 belong in the PAYMENT-REQUIRED header"));
        }
        Some(number) => {
            let message = format!("the terms are of x402 version {number}");
            return Err(ClientError::new(Reason::UnsupportedVersion, message));
        }
        None => return Err(malformed("x402Version is missing from the terms")),
    }
    let Some(Value::Array(accepts)) = object.get("accepts") else {
        return Err(malformed("the list accepts is missing from the terms"));
    };
    let resource = object.get("resource").filter(|resource| resource.is_object());
    let extensions = object.get("extensions").and_then(Value::as_object);
    let policy = means.policy;
    let elsewhere = match version {
        Version::V1 => None,
        Version::V2 => elsewhere(resource, extensions, means),
    };
    let read = |entry| match &elsewhere {
        Some(error) => Err(error.clone()),
        None => offer(version, entry, resource, policy),
    };
    Ok(RequiredPayment {
        offers: accepts.iter().take(MAX_OFFERS).map(read).collect(),
        error: clean(object.get("error").and_then(Value::as_str).unwrap_or_default()),
        resource: resource.cloned(),
        extensions: extensions.cloned(),
    })
}

/// The reason why a receipt would be refused once these terms are paid: they announce receipts for their resource, and that is
/// not what was asked for.
fn elsewhere(
    resource: Option<&Value>,
    extensions: Option<&Map<String, Value>>,
    means: Means<'_>,
) -> Option<ClientError> {
    let sold = resource?.get("url")?.as_str()?;
    let is_refused = offer_receipt::is_announced(extensions) && !is_for(sold, means.url?);
    let message =
        || format!("{} sells \"{}\", and its receipt would be for that", means.host, clean(sold));
    is_refused.then(|| ClientError::new(Reason::ResourceMismatch, message()))
}

/// Reads one entry of `accepts` of version 2.
pub(in crate::client) fn offer_of(
    entry: &Value,
    resource: Option<&Value>,
    policy: &Policy,
) -> Result<Offer, ClientError> {
    offer(Version::V2, entry, resource.filter(|resource| resource.is_object()), policy)
}

/// Reads one entry of `accepts`.
fn offer(
    version: Version,
    entry: &Value,
    resource: Option<&Value>,
    policy: &Policy,
) -> Result<Offer, ClientError> {
    let extra = entry.get("extra").unwrap_or(&Value::Null);
    let method = method(version, text(entry, "scheme")?, extra, policy)?;
    let unknown = |name: &str| {
        let message = format!("the network \"{}\" is not known", clean(name));
        ClientError::new(Reason::UnsupportedNetwork, message)
    };
    let name = text(entry, "network")?;
    let network = match version {
        // Some servers use the ids of version 2 here.
        Version::V1 => ChainId::parse_or_name(name).map_err(|_| unknown(name))?,
        Version::V2 => ChainId::parse(name).map_err(|_| unknown(name))?,
    };
    let chain_id = network.evm_id().ok_or_else(|| unknown(name))?;
    let contract =
        Address::parse(text(entry, "asset")?).map_err(|_| malformed("asset is not an address"))?;
    let asset = policy.asset(&network, &contract, method)?;
    describes(extra, &asset)?;
    let field = match version {
        Version::V1 => "maxAmountRequired",
        Version::V2 => "amount",
    };
    let amount = Amount::from_atomic(text(entry, field)?)
        .ok()
        .filter(|amount| !amount.is_zero())
        .ok_or_else(|| malformed(&format!("{field} is not an amount in atomic units")))?;
    let pay_to = Address::parse(text(entry, "payTo")?)
        .ok()
        .filter(|to| !(to.is_zero() || to.is_burn() && network.is_main_network()))
        .ok_or_else(|| malformed("payTo is not an address that can be paid"))?;
    let max_timeout_secs = entry
        .get("maxTimeoutSeconds")
        .and_then(Value::as_u64)
        .filter(|secs| *secs > 0)
        .ok_or_else(|| malformed("maxTimeoutSeconds is not a number of seconds"))?;
    let (described, url) = match version {
        Version::V1 => (entry.get("description"), entry.get("resource")),
        Version::V2 => {
            let of = |name| resource.and_then(|resource| resource.get(name));
            (of("description"), of("url"))
        }
    };
    Ok(Offer {
        asked: TermsSource::X402 { version, accepted: entry.clone() },
        asset,
        method,
        chain_id,
        amount,
        pay_to,
        max_timeout_secs,
        flow: flow(extra)?,
        description: clean(described.and_then(Value::as_str).unwrap_or_default()),
        resource: shown_resource(url)?,
    })
}

/// A member of an entry that has to be text.
fn text<'a>(entry: &'a Value, name: &str) -> Result<&'a str, ClientError> {
    entry.get(name).and_then(Value::as_str).ok_or_else(|| {
        malformed(&format!("\"{name}\" is missing from an entry of accepts, or is not text"))
    })
}

/// The way in which an entry's scheme moves the money, if this policy signs for it.
fn method(
    version: Version,
    scheme: &str,
    extra: &Value,
    policy: &Policy,
) -> Result<TransferMethod, ClientError> {
    let told = |name: &str| extra.get(name).and_then(Value::as_str);
    // The scheme `upto` has no other method.
    let usual = if scheme == exact::UPTO { "permit2" } else { "eip3009" };
    let transfer = told("assetTransferMethod").unwrap_or(usual);
    match (scheme, transfer, version) {
        ("exact", "eip3009", _) => Ok(TransferMethod::Eip3009),
        ("exact", "permit2", Version::V2) if policy.signs_permits => Ok(TransferMethod::Permit2),
        (exact::UPTO, "permit2", Version::V2) if policy.signs_bounds() => {
            let settler = told("facilitatorAddress").and_then(|text| Address::parse(text).ok());
            let settler = settler.filter(|address| !address.is_zero());
            let missing = "extra.facilitatorAddress, who settles, is missing from the terms";
            Ok(TransferMethod::Upto(settler.ok_or_else(|| malformed(missing))?))
        }
        _ => {
            let (what, transfer) = (clean(scheme), clean(transfer));
            let message =
                format!("scheme \"{what}\" with transfer method \"{transfer}\" is not supported");
            Err(ClientError::new(Reason::UnsupportedScheme, message))
        }
    }
}

fn flow(extra: &Value) -> Result<Flow, ClientError> {
    match extra.get("paymentFlow").and_then(Value::as_str) {
        None | Some("authorization") => Ok(Flow::Authorization),
        Some("upfront") => Ok(Flow::Upfront),
        Some(other) => {
            let message = format!("the payment flow \"{}\" is not known", clean(other));
            Err(ClientError::new(Reason::UnsupportedScheme, message))
        }
    }
}

fn shown_resource(url: Option<&Value>) -> Result<Option<String>, ClientError> {
    match url.and_then(Value::as_str) {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
            Ok(Some(clean(url)))
        }
        // A tool's own name, the last as Cloudflare's agents write it. Spec: x402 v2, MCP transport.
        Some(url) if TOOLS.iter().any(|start| url.starts_with(start)) => Ok(Some(clean(url))),
        Some("") | None => Ok(None),
        Some(_) => Err(malformed("the resource is not a web URL")),
    }
}

/// Whether the server's description of the asset agrees with the pinned facts; only those are
/// signed.
fn describes(extra: &Value, asset: &Asset) -> Result<(), ClientError> {
    let fail = |reason, what: &str| {
        let message = format!("the server describes {} wrongly: {what}", asset.symbol);
        Err(ClientError::new(reason, message))
    };
    let agrees = |name: &str, ours: &str| match extra.get(name) {
        None | Some(Value::Null) => true,
        Some(theirs) => theirs.as_str() == Some(ours),
    };
    if !agrees("name", &asset.name) || !agrees("version", &asset.version) {
        return fail(Reason::PolicyAsset, "another name or version to sign under");
    }
    let contract = extra.get("verifyingContract").and_then(Value::as_str);
    if contract.is_some_and(|text| Address::parse(text) != Ok(asset.address)) {
        return fail(Reason::PolicyAsset, "another contract to sign for");
    }
    match extra.get("decimals") {
        None | Some(Value::Null) => Ok(()),
        Some(decimals) if decimals.as_u64() == Some(u64::from(asset.decimals)) => Ok(()),
        Some(decimals) if decimals.as_str() == Some(&asset.decimals.to_string()) => Ok(()),
        Some(_) => fail(Reason::PolicyAmount, "another number of decimals"),
    }
}
