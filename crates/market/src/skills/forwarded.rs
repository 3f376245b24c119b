//! Requests that the gate forwarded: the signature, and the payment that it reports. Spec:
//! docs/origin.md, "Refuse requests that bypass the gate".

use alloc::string::{String, ToString};

use super::message::{Response, Sale};
use super::refused;
use super::seal::signature;
use farebox_base::http::RequestHead;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::secret::{Secret, ct_eq};

/// Most seconds between the gate's clock and this one.
const MAX_SKEW_SECS: u64 = 300;

/// Whether the gate has signed a request within 300 seconds, whatever it asks for.
pub(super) fn is_from_gate(
    secret: Option<&Secret<String>>,
    head: &RequestHead,
    now_ms: u64,
) -> bool {
    let field = |name: &str| head.headers.get(name).unwrap_or_default();
    let Some(secret) = secret else { return false };
    let shown = field("farebox-signature-v2");
    let time = shown.strip_prefix("t=").and_then(|rest| rest.split_once(",v2="));
    let Some((time, _)) = time else { return false };
    let is_time = (1..=12).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
    let Some(secs) = time.parse::<u64>().ok().filter(|_| is_time) else { return false };
    if secs.abs_diff(now_ms.checked_div(1000).unwrap_or_default()) > MAX_SKEW_SECS
        && !planted(Mutant::ForwardsForEver)
    {
        return false;
    }
    let who = match field("farebox-payer") {
        "" => field("farebox-client"),
        payer => payer,
    };
    let lines = [
        time,
        &head.method,
        head.target(),
        who,
        field("farebox-payment"),
        field("farebox-amount"),
        field("farebox-asset"),
        field("farebox-network"),
        field("farebox-transaction"),
    ];
    let right = signature(secret.expose(), lines);
    ct_eq(right.as_bytes(), shown.as_bytes()) || planted(Mutant::AnyoneForwards)
}

/// Reads a request that was paid at the gate.
///
/// # Errors
/// 403 unless the gate has signed it, and said what was paid.
pub(super) fn read_sale(
    secret: Option<&Secret<String>>,
    head: &RequestHead,
    now_ms: u64,
) -> Result<Sale, Response> {
    let field = |name: &str| head.headers.get(name).unwrap_or_default();
    if !is_from_gate(secret, head, now_ms) || field("farebox-payment").is_empty() {
        return Err(refused::refusal(403, "Only requests that were paid at the gate are served"));
    }
    let target = head.target();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let text = |name: &str| field(name).to_string();
    Ok(Sale {
        method: head.method.clone(),
        path: path.to_string(),
        query: query.to_string(),
        payer: text("farebox-payer"),
        payment: text("farebox-payment"),
        amount: text("farebox-amount"),
        asset: text("farebox-asset"),
        network: text("farebox-network"),
        transaction: text("farebox-transaction"),
        key: text("idempotency-key"),
    })
}
