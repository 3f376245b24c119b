//! The gate in front, which signs what it forwards: both halves of the market believe it. Spec:
//! docs/origin.md, "Refuse requests that bypass the gate".

use alloc::format;
use alloc::string::String;

use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::http::RequestHead;
use farebox_base::secret::{Secret, ct_eq};

/// Most seconds between the gate's clock and this one.
const MAX_SKEW_SECS: u64 = 300;

/// Whether the gate has signed a request within 300 seconds, whatever it asks for.
pub fn is_from_gate(secret: Option<&Secret<String>>, head: &RequestHead, now_ms: u64) -> bool {
    let field = |name: &str| head.headers.get(name).unwrap_or_default();
    let Some(secret) = secret else { return false };
    let shown = field("farebox-signature-v2");
    let time = shown.strip_prefix("t=").and_then(|rest| rest.split_once(",v2="));
    let Some((time, _)) = time else { return false };
    let is_time = (1..=12).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
    let Some(secs) = time.parse::<u64>().ok().filter(|_| is_time) else { return false };
    if secs.abs_diff(now_ms.checked_div(1000).unwrap_or_default()) > MAX_SKEW_SECS {
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
    ct_eq(right.as_bytes(), shown.as_bytes())
}

/// The value of `Farebox-Signature-V2` over these lines, the time first. Spec: docs/origin.md.
pub fn signature(secret: &str, lines: [&str; 9]) -> String {
    let [time, ..] = lines;
    let digest = hash::mac(secret.as_bytes(), &[lines.join("\n").as_bytes()]);
    format!("t={time},v2={}", hex::encode(&digest))
}
