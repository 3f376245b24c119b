//! Payments as they are shown: read as far as they tell themselves, and written for the gate. And the
//! gate's answers to them.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::keys::Keys;
use super::message::{Command, JsonAnswer};
use super::refused::detailed_refusal;
use super::row::spell_wallet;
use super::row::{QuoteRow, Signer};
use super::settings::PaymentProfile;
use crate::text::{object, or_null, quoted};
use farebox_base::amount::Amount;
use farebox_base::encoding::{base64, hex, json};
use farebox_base::hash;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::eip712::Domain;
use farebox_evm::eip3009::Authorization;
use farebox_evm::signature::Signature;
use farebox_wire::x402::extension::payment_identifier;

const MAX_PAYMENT_BYTES: usize = 16 * 1024;

/// The message of a payment, whichever protocol it is of.
fn message_of(payment: &str) -> Option<Value> {
    if payment.len() > MAX_PAYMENT_BYTES {
        return None;
    }
    let text = payment.trim();
    let text = text.strip_prefix("Payment ").unwrap_or(text).trim();
    let bytes = base64::decode(text).or_else(|_| base64::decode_url(text)).ok()?;
    json::parse_with(&bytes, MAX_PAYMENT_BYTES).ok()
}

/// The signer of a payment that was shown, in its one spelling: of both versions of x402, of the
/// original's bare object, or of an MPP credential.
pub(super) fn payer_of(payment: &str) -> Option<String> {
    let value = message_of(payment)?;
    let from = |value: &Value| {
        let from = value.get("authorization")?.get("from")?;
        from.as_str().map(ToString::to_string)
    };
    let source = || {
        let source = value.get("source")?.as_str()?;
        source.rsplit(':').next().map(ToString::to_string)
    };
    let payer = value.get("payload").and_then(from).or_else(|| from(&value)).or_else(source)?;
    Some(spell_wallet(&payer))
}

/// The quote that a payment names as what it pays for, as version 2 of x402 does.
pub(super) fn named_in(material: &str) -> Option<String> {
    let message = message_of(material)?;
    quote_in(message.get("resource")?.get("url")?.as_str()?).map(ToString::to_string)
}

/// The digest by which a payment that was shown is known: that of its authorization, however it is
/// written.
pub(super) fn digest_of(material: &str) -> String {
    let authorization = message_of(material).and_then(|message| {
        let terms = message.get("payload").unwrap_or(&message).get("authorization")?;
        let word = |name| Some(terms.get(name)?.as_str()?.to_ascii_lowercase());
        Some([word("from")?, word("nonce")?])
    });
    match authorization {
        Some([from, nonce]) => {
            hash::digest(&[b"farebox shown authorization", from.as_bytes(), nonce.as_bytes()])
        }
        None => hash::digest(&[b"farebox shown payment", material.as_bytes()]),
    }
}

/// The digest of a payment as it was written.
pub(super) fn digest_of_all(material: &str) -> String {
    hash::digest(&[b"farebox shown material", material.as_bytes()])
}

/// The quote that a URL or path of the till names.
#[must_use]
pub fn quote_in(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("/till/")?;
    let id = rest.split(['?', '#']).next()?;
    let is_id = id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then_some(id)
}

/// The signer of a payment that names its buyer as the payer. A payment that was signed for
/// something else, or is over, is public: anyone can show it.
pub(super) fn find_signer(
    profile: &PaymentProfile,
    material: &str,
    quote: &QuoteRow,
    now: UnixTime,
) -> Signer {
    match is_signed(profile, material, quote, now) {
        Some(true) => Signer::Buyer,
        Some(false) | None => Signer::Unknown,
    }
}

fn is_signed(
    profile: &PaymentProfile,
    material: &str,
    quote: &QuoteRow,
    now: UnixTime,
) -> Option<bool> {
    let message = message_of(material)?;
    let payload = message.get("payload").unwrap_or(&message);
    let signature = Signature::parse(payload.get("signature")?.as_str()?).ok()?;
    let terms = payload.get("authorization")?;
    let text = |name: &str| plain(terms.get(name)?);
    let time = |name: &str| text(name)?.parse().ok().map(UnixTime::from_secs);
    let authorization = Authorization {
        from: Address::parse(&text("from")?).ok()?,
        to: Address::parse(&text("to")?).ok()?,
        value: Amount::from_atomic(&text("value")?).ok()?,
        valid_after: time("validAfter")?,
        valid_before: time("validBefore")?,
        nonce: hex::decode_array(&text("nonce")?).ok()?,
    };
    let domain = Domain {
        name: profile.token.name,
        version: profile.token.version,
        chain_id: profile.chain_id,
        verifying_contract: profile.token.address,
    };
    let signer = signature.recover(&authorization.digest(&domain.separator())).ok()?;
    let is_for_this = authorization.to == Address::parse(&quote.pay_to).ok()?
        && authorization.value == Amount::from_atomic(&quote.units).ok()?
        && authorization.valid_before > now;
    Some(signer == authorization.from && is_for_this)
}

/// Text, or a number as its digits.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `Idempotency-Key` of a payment for a quote, by which the gate answers a repeat as it did
/// before; none where whoever reads the chain could make up the same request.
pub(super) fn make_till_key(
    keys: &Keys,
    asked: &Command,
    client: &str,
    quote: &str,
) -> Option<String> {
    let (payment, client) = match asked {
        Command::Verify { payment, .. } | Command::Buy { payment, .. } if is_bound(payment) => {
            (payment, "")
        }
        // Its terms and fingerprint are told whoever asks for the same quote, and the rest of it
        // stands on the chain: a repeat has to come from the same network.
        Command::Verify { payment, .. } => (payment, client),
        Command::Buy { payment, .. } if message_of(payment).is_some_and(|it| is_second(&it)) => {
            (payment, client)
        }
        _ => return None,
    };
    let parts = [quote.as_bytes(), payment.as_bytes(), client.as_bytes()];
    let key = keys.make_mac("till key", &parts);
    Some(format!("till-{}", base64::encode_url(&key)))
}

/// Whether a payment holds what no one else was told: the payer's own identifier of version 2, the
/// challenge of MPP, which each request has another of.
fn is_bound(payment: &str) -> bool {
    let Some(message) = message_of(payment) else { return false };
    let extensions = message.get("extensions").and_then(Value::as_object);
    let is_named = payment_identifier::read(extensions).is_some();
    is_second(&message) && is_named || message.get("challenge").is_some()
}

/// Whether a message is of version 2 of x402.
fn is_second(message: &Value) -> bool {
    message.get("x402Version").and_then(Value::as_u64) == Some(2)
}

/// Whether the value of a header field is a credential of MPP.
#[must_use]
pub fn is_credential(value: &str) -> bool {
    let scheme = value.split_ascii_whitespace().next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("payment")
}

/// A payment as the gate is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePayment {
    /// The header field of its protocol.
    pub field: &'static str,
    /// The value of that.
    pub value: String,
}

/// A payment as the gate reads it. Its field is that of its protocol, whichever it came in: the same
/// bytes are the same payment to the gate then, which would refuse them in another field while they
/// settle. The original's bare object becomes a message of version 1.
pub(super) fn present(profile: &PaymentProfile, payment: &str) -> GatePayment {
    let is_of_second = || message_of(payment).is_some_and(|message| is_second(&message));
    let field = if is_credential(payment) {
        "authorization"
    } else if is_of_second() {
        "payment-signature"
    } else {
        "x-payment"
    };
    GatePayment { field, value: complete(profile, payment) }
}

/// The text of a payment, as a message of version 1 if it is the original's bare object.
fn complete(profile: &PaymentProfile, payment: &str) -> String {
    let bare = base64::decode(payment.trim()).ok();
    let bare = bare.and_then(|bytes| json::parse_with(&bytes, MAX_PAYMENT_BYTES).ok());
    let bare = bare.filter(|it| it.get("authorization").is_some() && it.get("payload").is_none());
    let Some(bare) = bare else { return payment.to_string() };
    let part = |name: &str| bare.get(name).map_or_else(|| "null".to_string(), json::text);
    let payload =
        object(&[("signature", part("signature")), ("authorization", part("authorization"))]);
    let network = profile.network.v1_name().unwrap_or(profile.network.as_str());
    let message = object(&[
        ("x402Version", "1".to_string()),
        ("scheme", quoted("exact")),
        ("network", quoted(network)),
        ("payload", payload),
    ]);
    base64::encode(message.as_bytes())
}

/// The answer where the gate gave another one than a sale's: what it said, in the contract's
/// envelope.
pub fn not_sold(status: u32, body: &str) -> JsonAnswer {
    let said = json::parse(body.as_bytes()).unwrap_or(Value::Null);
    let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    // What the till itself refused is in the envelope already.
    if !text("error").is_empty() && !text("code").is_empty() {
        return JsonAnswer::new(status, body.to_string());
    }
    let why = match text("detail") {
        "" => "The payment could not be settled; ask again with the same payment.",
        detail => detail,
    };
    let details = object(&[("gate", or_null(text("code"))), ("status", format!("{status}"))]);
    detailed_refusal(status, "PAYMENT_VERIFY_FAILED", why, &details)
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
    text_in(header, "transaction")
}

/// Why a settlement failed, by the gate's word of it; empty if it does not say.
#[must_use]
pub fn refusal_told(header: &str) -> String {
    text_in(header, "errorReason")
}

/// `code` of a gate's answer; empty if it has none.
#[must_use]
pub fn code_told(body: &str) -> String {
    let said = json::parse(body.as_bytes()).unwrap_or(Value::Null);
    String::from(said.get("code").and_then(Value::as_str).unwrap_or_default())
}

/// A text of a settlement's header; empty if it is not there.
fn text_in(header: &str, name: &str) -> String {
    let said = base64::decode(header).ok().and_then(|bytes| json::parse(&bytes).ok());
    let text = said.as_ref().and_then(|said| said.get(name)).and_then(Value::as_str);
    String::from(text.unwrap_or_default())
}
