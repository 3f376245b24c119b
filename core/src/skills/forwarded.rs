//! What the gate forwarded: its signature, and what it says was paid. Spec: docs/origin.md, "Refuse
//! requests that bypass the gate".

use alloc::string::ToString;

use super::Market;
use super::message::{Response, Sale};
use super::refused;
use super::seal::signature;
use crate::http::RequestHead;
use crate::mutant::{Mutant, planted};
use crate::secret::ct_eq;

/// Most seconds between the gate's clock and this one.
const MAX_SKEW_SECS: u64 = 300;

impl Market {
    /// Reads a request that came through the gate.
    ///
    /// # Errors
    /// 403 unless the gate has signed it within 300 seconds, and said what was paid.
    pub fn forwarded(&self, head: &RequestHead, now_ms: u64) -> Result<Sale, Response> {
        let denied = || refused::said(403, "Only requests that were paid at the gate are served");
        let field = |name: &str| head.headers.get(name).unwrap_or_default();
        let secret = self.origin_secret.as_ref().ok_or_else(denied)?;
        let shown = field("farebox-signature-v2");
        let (time, _) =
            shown.strip_prefix("t=").and_then(|rest| rest.split_once(",v2=")).ok_or_else(denied)?;
        let secs: u64 = match time.len() {
            1..=12 if time.bytes().all(|b| b.is_ascii_digit()) => {
                time.parse().map_err(|_| denied())?
            }
            _ => return Err(denied()),
        };
        if secs.abs_diff(now_ms.checked_div(1000).unwrap_or_default()) > MAX_SKEW_SECS
            && !planted(Mutant::ForwardsForEver)
        {
            return Err(denied());
        }
        let target = head.target();
        let lines = [
            time,
            &head.method,
            target,
            field("farebox-payer"),
            field("farebox-payment"),
            field("farebox-amount"),
            field("farebox-asset"),
            field("farebox-network"),
            field("farebox-transaction"),
        ];
        let right = signature(secret.expose(), lines);
        let is_right = ct_eq(right.as_bytes(), shown.as_bytes());
        let is_right = is_right || planted(Mutant::AnyoneForwards);
        if !is_right || field("farebox-payment").is_empty() {
            return Err(denied());
        }
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
}
