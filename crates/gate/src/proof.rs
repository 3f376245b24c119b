//! Finds the proof of a request and checks everything about it that needs no network.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use core::ops::RangeInclusive;

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use super::checked::{CheckedPayment, JudgedSignature, Protocol, Signed, SoldTerms, Standard};
use super::mpp::credential::Credentials;
use super::offer::{Choice, Offer};
use super::presented::{Presented, PresentedRequest};
use super::request::IncomingRequest;
use super::restore::NO_DATE;
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_base::http::{Headers, RequestHead, UrlPieces};
use farebox_base::time::UnixTime;
use farebox_common::payment::{PaymentKey, Proof, Terms};
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_wire::facilitator::wire;
use farebox_wire::x402::exact::{DEFERRED, SCHEME};
use farebox_wire::x402::extension::{bazaar, gas_sponsoring};
use farebox_wire::x402::{Version, exact, handed, opaque, v1, v2};

/// Lengths of an `Idempotency-Key` that becomes a payment's secret, bytes: 22 characters of
/// base64url carry 128 random bits.
const NEW_SECRET_BYTES: RangeInclusive<usize> = 22..=128;
/// Lengths of a secret shown for a payment, bytes; they include a `payment-identifier`, which may
/// have as few as 16.
pub(super) const SHOWN_SECRET_BYTES: RangeInclusive<usize> = 16..=128;
/// The member of `extra` that payers of scheme `aggr_deferred` add and their facilitator reads.
const CERTIFICATE: &str = "sessionCert";

/// The one proof of a request, after every check of this standard that needs no network.
pub(super) fn check_proof<'g>(
    credentials: Credentials<'_>,
    offer: &'g Offer,
    shown: &PresentedRequest,
    standard: Standard,
    now: UnixTime,
) -> Result<Option<CheckedPayment<'g>>, Code> {
    match shown.presented {
        Presented::Nothing => Ok(None),
        Presented::Mpp(_) | Presented::X402(..) | Presented::Several => {
            check_shown(credentials, offer, shown, standard, now)
        }
    }
}

// Apart, so that a request without a proof does not have an engine compile it.
#[inline(never)]
fn check_shown<'g>(
    credentials: Credentials<'_>,
    offer: &'g Offer,
    shown: &PresentedRequest,
    standard: Standard,
    now: UnixTime,
) -> Result<Option<CheckedPayment<'g>>, Code> {
    let PresentedRequest { request: IncomingRequest { head, .. }, presented } = shown;
    let headers = &head.headers;
    let (version, message) = match presented {
        Presented::Nothing => return Ok(None),
        Presented::Mpp(credential) => {
            let credential = credential.as_ref().map_err(|code| *code)?;
            let mut checked = credentials.check(offer, head, credential, now)?;
            let identifier = read_identifier(headers).map(ToOwned::to_owned);
            checked.proof.identifier = identifier.or(checked.proof.identifier);
            return Ok(Some(checked));
        }
        Presented::X402(version, message) => (*version, message),
        Presented::Several => return Err(Code::AmbiguousPayment),
    };
    let is_own = standard == Standard::Own;
    if !offer.settings.protocols.x402 && !is_own {
        return Err(Code::TermsMismatch);
    }
    let message = message.as_ref().map_err(|code| *code)?;
    let (choice, (signed, own), payment) = match version {
        Version::V1 => {
            let (network, payload) = v1::read(message)?;
            let choice = offer.choice_on(version, network, SCHEME).ok_or(Code::TermsMismatch)?;
            (choice, Signed::parse(payload, choice)?, None)
        }
        Version::V2 => {
            let payment = v2::PaymentPayload::read(message)?;
            let found = offer.choice_on(version, payment.network, payment.scheme);
            let Some(choice) = found else {
                return Err(match payment.scheme {
                    DEFERRED => Code::TermsMismatch,
                    _ => unlisted(payment.network, payment.payload),
                });
            };
            let signed = Signed::parse(payment.payload, choice)?;
            if !is_own && !choice.requirements.accepted_as(payment.accepted) {
                return Err(Code::TermsMismatch);
            }
            // A payment that the ledger knows may be shown at another request than its own.
            let looks = is_own;
            let is_elsewhere = |url: &str| !names_target(url, head.target());
            if !looks && payment.resource_url.is_some_and(is_elsewhere) {
                return Err(Code::ResourceMismatch);
            }
            (choice, signed, Some(payment))
        }
    };
    let sold = SoldTerms::of(offer, choice);
    let JudgedSignature { eligibility, signature, valid_before } =
        sold.judge(&signed, credentials.payers, standard, NO_DATE, now)?;
    let (key, payer) = key_of(&signed, &choice.terms)?;
    let request = facilitator_request(offer, choice, head, payer, own, payment.as_ref())?;
    let identifier = payment.and_then(|payment| payment.identifier);
    let identifier = identifier.or(read_identifier(headers).map(ToOwned::to_owned));
    let proof = Proof { key, payer, valid_before, identifier, request, rival: None, onchain: None };
    let (protocol, choice) = (Protocol::X402(version), Cow::Borrowed(choice));
    Ok(Some(CheckedPayment { protocol, choice, proof, eligibility, signature }))
}

/// `Idempotency-Key`; `None` unless it is long enough to be a secret.
pub(super) fn read_identifier(headers: &Headers) -> Option<&str> {
    headers.get("idempotency-key").filter(|key| NEW_SECRET_BYTES.contains(&key.len()))
}

/// The key of a payment, and its payer, if the gate can read them.
fn key_of(signed: &Signed, terms: &Terms) -> Result<(PaymentKey, Option<Address>), Code> {
    match (signed, &terms.token) {
        (Signed::Token(payload), Some(token)) => {
            Ok((payload.key(token), Some(payload.authorization().from)))
        }
        (Signed::Opaque(key), _) => Ok((*key, None)),
        (Signed::Token(_), None) => Err(Code::Internal),
    }
}

/// The request for a facilitator: of version 2 for such a payment, else of version 1.
fn facilitator_request(
    offer: &Offer,
    choice: &Choice,
    head: &RequestHead,
    payer: Option<Address>,
    own: Map<String, Value>,
    payment: Option<&v2::PaymentPayload<'_>>,
) -> Result<String, Code> {
    match payment {
        None => {
            let network = choice.terms.network.v1_name().ok_or(Code::TermsMismatch)?;
            let ours = offer.version_1(choice, handed::short(&head.url));
            let payment = handed::Version1::new(network, own);
            Ok(wire::request(Version::V1, &payment, &ours.ok_or(Code::TermsMismatch)?))
        }
        Some(payment) => {
            let mut accepted = Cow::Borrowed(&choice.requirements);
            let cert = payment.accepted.get("extra").and_then(|extra| extra.get(CERTIFICATE));
            if let Some(cert) = cert.filter(|it| payment.scheme == DEFERRED && it.is_string()) {
                accepted.to_mut().add(CERTIFICATE, cert.clone());
            }
            let handed = handed::Version2::new(&*accepted, own)
                .of(payment.resource_url, &offer.settings.description, &offer.settings.mime_type)
                .extended(passed_on(offer, choice, head, payer, payment));
            Ok(wire::request(Version::V2, &handed, &choice.requirements))
        }
    }
}

/// The extensions of a payment that its facilitator reads: the operator's own declaration where the
/// payer echoes one, and the payer's permit if it can be of use to the payment.
fn passed_on(
    offer: &Offer,
    choice: &Choice,
    head: &RequestHead,
    payer: Option<Address>,
    payment: &v2::PaymentPayload<'_>,
) -> Option<Value> {
    let mut extensions = Map::new();
    if let Some(declared) = offer.declared(head).filter(|_| payment.echoes_bazaar) {
        extensions.insert(bazaar::NAME.to_owned(), declared);
    }
    let sponsored = offer.settings.sponsors_gas && choice.takes_permit();
    let fits = |permit: &&Value| {
        let Terms { token, amount, .. } = &choice.terms;
        let token = payer.zip(token.as_ref());
        token
            .is_some_and(|(payer, token)| gas_sponsoring::fits(permit, payer, token.asset, *amount))
    };
    if let Some(permit) = payment.permit.as_ref().filter(|permit| sponsored && fits(permit)) {
        extensions.insert(gas_sponsoring::NAME.to_owned(), json!({ "info": permit }));
    }
    (!extensions.is_empty()).then_some(Value::Object(extensions))
}

/// The refusal of a payment on a network that the route does not name.
fn unlisted(network: &str, payload: &Map<String, Value>) -> Code {
    let opaque = |network: &ChainId| opaque::read(network, payload).is_ok();
    match exact::read(payload) {
        Err(code) if !ChainId::parse(network).is_ok_and(|network| opaque(&network)) => code,
        _ => Code::TermsMismatch,
    }
}

/// Whether a payment names a resource other than this request.
pub(crate) fn is_of_another(payment: &Map<String, Value>, head: &RequestHead) -> bool {
    let url = payment.get("resource").and_then(|it| it.get("url")).and_then(Value::as_str);
    url.is_some_and(|url| !names_target(url, head.target()))
}

/// Whether `resource.url` names the path and query of this request; its host is not compared.
fn names_target(url: &str, target: &str) -> bool {
    let named = if url.starts_with('/') {
        Some(url)
    } else {
        UrlPieces::of(url).and_then(|url| url.target())
    };
    match named {
        Some(named) if named.is_ascii() => named == target,
        Some(named) => in_ascii(named) == target,
        // An absolute URL without a path names the root.
        None => target == "/" && url.contains("://") && !url.contains('?'),
    }
}

/// The target as the platform writes it: bytes beyond ASCII percent-encoded. Spec: URL standard,
/// path state.
fn in_ascii(target: &str) -> String {
    let mut text = String::new();
    for byte in target.bytes() {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push_str(&hex::encode(&[byte]).to_ascii_uppercase());
        }
    }
    text
}
