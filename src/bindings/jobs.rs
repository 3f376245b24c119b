//! The functions for `farebox/agent` about jobs of a compute exchange: steps of a purchase, and
//! duties of a seller. Texts in, JSON out.

use alloc::string::{String, ToString};

use farebox_core::agent::candidate;
use farebox_core::agent::json::Json;
use farebox_core::agent::purchase::order::JobOrder;
use farebox_core::agent::purchase::{JobPurchase, PurchaseEvent, PurchaseStep};
use farebox_core::agent::shift::{self, BondLimit, Duty};
use farebox_core::http::Headers;
use wasm_bindgen::prelude::*;

/// Maximum size of a purchase and of an event, bytes.
const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The next step of a purchase at the compute exchange: `{purchase, rank, money, step}`. `kept` is the
/// purchase as it was kept, or a new order; `event` is `{type, …}`; unix seconds. None if it cannot
/// be read.
#[wasm_bindgen(js_name = purchaseNext)]
#[must_use]
pub fn purchase_next(kept: &str, event: &str, now: f64) -> Option<String> {
    let kept = Json::read(kept, MAX_KEPT_BYTES)?;
    let mut purchase =
        JobPurchase::read(&kept).or_else(|| Some(JobPurchase::new(JobOrder::read(&kept)?)))?;
    let event = Json::read(event, MAX_KEPT_BYTES)?;
    let number = |name: &str| match event.get(name) {
        Some(Json::Number(digits)) => digits.parse::<u64>().ok(),
        _ => None,
    };
    let headers = Headers::from_lines(event.text_of("headers").unwrap_or_default().lines());
    let event = match event.text_of("type")? {
        "resumed" => PurchaseEvent::Resumed,
        "answered" => PurchaseEvent::Answered {
            status: number("status").and_then(|status| u16::try_from(status).ok())?,
            headers: &headers,
            body: event.text_of("body")?,
        },
        "lost" => PurchaseEvent::Lost,
        "signed" => {
            PurchaseEvent::Signed { payment: event.get("payment")?.clone(), ends: number("ends")? }
        }
        _ => return None,
    };
    let step = match purchase.next(event, now as u64) {
        PurchaseStep::Request(request) => Json::object([
            ("do", Some("request".into())),
            ("method", Some(request.method.into())),
            ("path", Some(request.path.into())),
            ("headers", Some(request.headers)),
            ("body", (!request.body.is_empty()).then(|| request.body.into())),
            ("waitMs", Some(Json::number(request.wait_ms))),
        ]),
        PurchaseStep::Sign => Json::object([("do", Some("sign".into()))]),
        PurchaseStep::Return(outcome) => {
            Json::object([("do", Some("return".into())), ("outcome", Some(outcome))])
        }
        PurchaseStep::Fail(error) => {
            Json::object([("do", Some("fail".into())), ("error", Some(error))])
        }
    };
    Some(
        Json::object([
            ("purchase", Some(purchase.to_json())),
            ("rank", Some(Json::number(purchase.rank().into()))),
            ("money", Some(purchase.money().name().into())),
            ("step", Some(step)),
        ])
        .to_string(),
    )
}

/// Whether the payment of a proposal is that of a purchase's quote.
#[wasm_bindgen(js_name = quoteAgrees)]
#[must_use]
pub fn quote_agrees(kept: &str, proposal: &str) -> bool {
    let purchase = Json::read(kept, MAX_KEPT_BYTES).and_then(|kept| JobPurchase::read(&kept));
    let Some(proposal) = Json::read(proposal, MAX_KEPT_BYTES) else { return false };
    purchase.is_some_and(|it| it.terms().is_some_and(|terms| terms.agrees(&proposal)))
}

/// The next step of a seller after an answer, whose body is a JSON object; status 0 is none.
#[wasm_bindgen(js_name = sellerDuty)]
#[must_use]
pub fn seller_duty(path: &str, status: u16, answer: &str) -> String {
    let answer = Json::read(answer, answer.len()).unwrap_or_else(|| Json::object([]));
    Duty::after(path, status, &answer).name().to_string()
}

/// Why the bond of a challenge is not transferred; none if it may be. `most` is in whole tokens.
#[wasm_bindgen(js_name = bondFault)]
#[must_use]
pub fn bond_fault(challenge: &str, profile: &str, most: &str) -> Option<String> {
    let fault = match Json::read(challenge, MAX_KEPT_BYTES) {
        Some(challenge) => BondLimit { profile, most }.fault(&challenge),
        None => Some("it cannot be read"),
    };
    fault.map(ToString::to_string)
}

/// Why a job failed, as its buyer is told.
#[wasm_bindgen(js_name = failReason)]
#[must_use]
pub fn fail_reason(text: &str) -> String {
    shift::reason(text)
}

/// SHA-256 of what names an order, hex.
#[wasm_bindgen(js_name = orderDigest)]
#[must_use]
pub fn order_digest(text: &str) -> String {
    candidate::sha256(text)
}
