//! Asks the bound treasury that pays debts back.

use farebox_core::gate::Gate;
use farebox_core::gate::call::TreasuryCall;
use farebox_core::payout::PayoutAnswer;
use wasm_bindgen::prelude::*;

use super::edge;
use crate::platform::send::{Limits, Received, Sent, send};

/// Most letters of a refusal that are logged.
const SAID_CHARS: usize = 300;
/// Name of the service binding.
const BINDING: &str = "TREASURY";
/// Deadline of an answer, milliseconds. A treasury that waits for its facilitator longer has paid by the
/// next time, under the same key; rows that become due meanwhile wait for no more than this.
const WITHIN: Limits = Limits { head_ms: 8_000, body_ms: 2_000, bytes: 64 * 1024 };

/// The treasury's answer; `None` if no complete one came in time.
pub(super) async fn ask(
    gate: &Gate,
    services: &JsValue,
    call: &TreasuryCall,
) -> Option<PayoutAnswer> {
    let bound = edge::member(services, BINDING);
    let token = gate.refunds_token().filter(|_| !bound.is_undefined())?;
    let lines = format!(
        "authorization: Bearer {token}\ncontent-type: application/json\naccept: application/json\n"
    );
    let method = if call.body.is_some() { "POST" } else { "GET" };
    let url = format!("https://treasury{}", call.path);
    match send(&bound, &url, method, &lines, call.body.as_deref(), WITHIN).await {
        Sent::Answer(Received { status, body, base64: false, cut: false, .. }) => {
            if status >= 400 {
                let said: String = body.chars().take(SAID_CHARS).collect();
                edge::complain(&format!(
                    "farebox: the treasury answers {status} to a refund, which is asked for again: {said}"
                ));
            }
            Some(PayoutAnswer { status, body })
        }
        Sent::Answer(_) | Sent::Lost | Sent::Late | Sent::Never => None,
    }
}
