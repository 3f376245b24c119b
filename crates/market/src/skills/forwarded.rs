//! Requests that the gate forwarded, and the payment that it reports.

use alloc::string::{String, ToString};

use super::message::{Response, Sale};
use super::refused;
use crate::gate::is_from_gate;
use farebox_base::http::RequestHead;
use farebox_base::secret::Secret;

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
        // The gate lets a path through that it does not sell yet.
        let error = "Only requests that were paid at the gate are served: it sells a new skill within a minute";
        return Err(refused::refusal(403, error).with("retry-after", "60"));
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
