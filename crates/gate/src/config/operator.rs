//! The operator's token, the destination of notices, and retention.

use alloc::string::String;

use crate::operator::{Keeps, Webhook};
use crate::parts::Operated;
use farebox_base::hash::digest;
use farebox_base::secret::Secret;
use farebox_common::config::Reader;

/// Reads the settings of the operator; a network is readable if it has a node.
pub(super) fn read(reader: &mut Reader, readable: &[String], keeps: Keeps) -> Operated {
    let token = token(reader);
    let refunder = refunder(reader, token.as_ref(), readable);
    let webhook = webhook(reader);
    Operated { token, refunder, webhook, keeps }
}

/// Reads the operator's token and returns its digest; without one there is no operator API.
fn token(reader: &mut Reader) -> Option<Secret<String>> {
    if reader.is_absent("OPERATOR_TOKEN") {
        return None;
    }
    let token = reader.visible_secret("OPERATOR_TOKEN")?;
    Some(Secret::new(digest(&[token.expose().as_bytes()])))
}

/// Reads the token of who reports refunds and returns its digest; without one there is no such
/// right. The chain proves what it reports, so that a node has to be there.
fn refunder(
    reader: &mut Reader,
    operator: Option<&Secret<String>>,
    readable: &[String],
) -> Option<Secret<String>> {
    const NAME: &str = "REFUND_TOKEN";
    if reader.is_absent(NAME) {
        return None;
    }
    let token = reader.secret(NAME, 32)?;
    let token = digest(&[token.expose().as_bytes()]);
    if operator.is_some_and(|operator| *operator.expose() == token) {
        reader.fail(NAME, "is the OPERATOR_TOKEN; set another secret");
    }
    if readable.is_empty() {
        reader.fail(NAME, "needs RPC_URL, by which the chain proves refunds; set both or neither");
    }
    Some(Secret::new(token))
}

/// Reads the destination of notices.
fn webhook(reader: &mut Reader) -> Option<Webhook> {
    if reader.is_absent("WEBHOOK_URL") {
        if !reader.is_absent("WEBHOOK_SECRET") {
            reader.fail("WEBHOOK_SECRET", "is set without WEBHOOK_URL; set both or neither");
        }
        return None;
    }
    let url = reader.text("WEBHOOK_URL")?;
    // A query often holds a key.
    let plain = url.split('?').next().unwrap_or_default();
    reader.checked_url("WEBHOOK_URL", plain)?;
    let secret = reader.secret("WEBHOOK_SECRET", 1)?;
    Some(Webhook { url: Secret::new(url), secret })
}

/// Limits on an object's rows, from hours, days and megabytes.
pub(super) const fn keeps(hours: u64, days: u64, megabytes: u64) -> Keeps {
    Keeps {
        responses_secs: hours.saturating_mul(3600),
        payments_secs: days.saturating_mul(86_400),
        bytes: megabytes.saturating_mul(1_000_000),
    }
}
