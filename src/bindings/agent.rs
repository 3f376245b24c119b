//! The functions for `farebox/agent`: rules about challenges, requests and prepared ones. Texts in,
//! JSON out.

use alloc::string::{String, ToString};

use farebox_core::agent::candidate;
use farebox_core::agent::challenge::RawChallenge;
use farebox_core::agent::detect::{self, Protocol};
use farebox_core::agent::harness::{self, Event, PreparationState, Record, Rejection};
use farebox_core::agent::json::Json;
use farebox_core::agent::money;
use farebox_core::agent::prepared;
use farebox_core::agent::receipt;
use farebox_core::agent::requirement::{AmountType, Requirement};
use farebox_core::agent::text;
use farebox_core::agent::validation::{NextAction, PlannedRequest};
use farebox_core::agent::{challenge, cost};
use farebox_core::http::Headers;
use wasm_bindgen::prelude::*;

/// Maximum size of a document that is read, bytes.
const MAX_BYTES: usize = 256 * 1024;

/// The protocol in which an answer asks for a payment; none if it does not. Headers are `name:
/// value` lines.
#[wasm_bindgen]
#[must_use]
pub fn detect(status: u16, headers: &str, body: &str) -> Option<String> {
    let headers = Headers::from_lines(headers.lines());
    detect::detect(status, &headers, body).map(|protocol| protocol.name().to_string())
}

/// A request and its challenge, as told to an agent: JSON. An empty protocol means that nothing is
/// asked for; `terms` is the challenge's body and `external` the caller's metadata, JSON or empty.
#[wasm_bindgen]
#[must_use]
pub fn prepare(
    url: &str,
    headers: &str,
    body: Option<String>,
    protocol: &str,
    challenge: &str,
    terms: &str,
    external: &str,
) -> String {
    let headers = Headers::from_lines(headers.lines());
    let request = PlannedRequest { url, headers: &headers, body: body.as_deref() };
    let asked = Protocol::parse(protocol).map(|protocol| {
        let headers = Headers::from_lines(challenge.lines());
        RawChallenge::new(protocol, headers, &read(terms))
    });
    prepared::prepare(request, asked.as_ref(), &read(external)).to_string()
}

/// The sentence about the cost of a prepared request, from what is shown of it: JSON of
/// `paymentRequirement` and of the first of `accepts`, or empty.
#[wasm_bindgen(js_name = costSummary)]
#[must_use]
pub fn cost_summary(requirement: &str, accept: &str) -> Option<String> {
    cost::summary(&requirement_of(requirement), &read(accept))
}

/// The digest of what was shown, if all of it is known: of `paymentRequirement` and of the first of
/// `accepts`.
#[wasm_bindgen(js_name = candidateDigest)]
#[must_use]
pub fn candidate_digest(requirement: &str, accept: &str) -> Option<String> {
    let requirement = requirement_of(requirement);
    candidate::Candidate::of(&requirement, &read(accept)).map(candidate::Candidate::digest)
}

/// The digest of a payment that is about to be made, JSON of its proposal.
#[wasm_bindgen(js_name = proposalDigest)]
#[must_use]
pub fn proposal_digest(proposal: &str) -> Option<String> {
    candidate::Candidate::of_proposal(&read(proposal)).map(candidate::Candidate::digest)
}

/// The transaction in an answer to this proposal, JSON; throws what contradicts it.
#[wasm_bindgen(js_name = settledBy)]
pub fn settled_by(headers: &str, proposal: &str) -> Result<Option<String>, JsValue> {
    let headers = Headers::from_lines(headers.lines());
    receipt::transaction(&headers, &read(proposal)).map_err(JsValue::from_str)
}

/// The price of minor units with all fraction digits, if both agree: `{amount, precision}`.
#[wasm_bindgen(js_name = paddedPrice)]
#[must_use]
pub fn padded_price(minor: &str, price: &str) -> Option<String> {
    let precision = money::precision_of(minor, price)?;
    let amount = money::from_minor(minor, precision).map(Json::Text);
    let precision = u64::try_from(precision).ok().map(Json::number);
    Some(Json::object([("amount", amount), ("precision", precision)]).to_string())
}

fn requirement_of(text: &str) -> Requirement {
    let shown = read(text);
    let said = |name: &str| shown.text_of(name).map(ToString::to_string);
    let amount_type = match shown.text_of("amountType") {
        Some("exact") => Some(AmountType::Exact),
        Some("max") => Some(AmountType::Max),
        _ => None,
    };
    Requirement {
        amount: said("amount").filter(|amount| money::decimals(amount).is_some()),
        minor: said("amountMinor").filter(|minor| money::is_digits(minor)),
        precision: challenge::whole(shown.get("precision")),
        amount_type,
        asset: said("asset"),
        network: said("network"),
        payee: said("payee"),
        description: None,
    }
}

/// Minor units of a decimal amount; throws the sentence that says what is wrong with it.
#[wasm_bindgen(js_name = toMinorUnits)]
pub fn to_minor_units(amount: &str, precision: u32) -> Result<String, JsValue> {
    let precision = usize::try_from(precision).unwrap_or(usize::MAX);
    money::to_minor(amount, precision).map_err(|error| JsValue::from_str(&error.to_string()))
}

/// SHA-256 of a text, hex.
#[wasm_bindgen]
#[must_use]
pub fn sha256(text: &str) -> String {
    candidate::sha256(text)
}

/// A text of a merchant, bounded and visible.
#[wasm_bindgen(js_name = boundedText)]
#[must_use]
pub fn bounded_text(text: &str, max: u32) -> String {
    text::bounded(text, usize::try_from(max).unwrap_or(usize::MAX))
}

/// State of a prepared request, and why it may not be executed if it may not: `{shown, state,
/// rejection?}`. An empty state means that the id is not known. Times in unix milliseconds.
#[wasm_bindgen]
#[must_use]
pub fn judge(id: &str, state: &str, expires: f64, by: &str, next: &str, now: f64) -> String {
    if id.trim().is_empty() {
        return rejected(Rejection::Missing, id);
    }
    let Some(state) = PreparationState::parse(state) else {
        return rejected(Rejection::Unknown, id);
    };
    let next = match next {
        "execute" => NextAction::Execute,
        "treat_as_passthrough" => NextAction::Passthrough,
        _ => NextAction::Revise,
    };
    let record = Record { state, expires_ms: expires as u64, superseded_by: by, next };
    let now = now as u64;
    let state = record.state_at(now);
    Json::object([
        ("shown", Some(state.shown().into())),
        ("state", Some(state.name().into())),
        ("rejection", record.admit(now).err().map(|rejection| rejection.to_json(id))),
    ])
    .to_string()
}

fn rejected(rejection: Rejection<'_>, id: &str) -> String {
    Json::object([("rejection", Some(rejection.to_json(id)))]).to_string()
}

/// The state after an event.
#[wasm_bindgen]
#[must_use]
pub fn after(state: &str, event: &str) -> String {
    let next = PreparationState::parse(state).zip(Event::parse(event));
    next.map_or(state, |(state, event)| state.after(event).name()).to_string()
}

/// Expiry of a preparation made now, unix milliseconds; `challenge` is header lines.
#[wasm_bindgen(js_name = expiresAt)]
#[must_use]
pub fn expires_at(now: f64, ttl: f64, challenge: &str) -> f64 {
    let ends = prepared::ends_at(&Headers::from_lines(challenge.lines()));
    let ends = ends.map(|ends| ends.secs().saturating_mul(1_000));
    harness::expires_ms(now as u64, ttl as u64, ends) as f64
}

fn read(text: &str) -> Json {
    Json::read(text, MAX_BYTES).unwrap_or(Json::Null)
}
