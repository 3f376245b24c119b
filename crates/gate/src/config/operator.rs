//! The operator's token, the destination of notices, and retention.

use alloc::string::String;

use crate::onchain::HASH_SECS;
use crate::operator::{Keeps, NoticeForm, Webhook};
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

/// Reads the destination of notices, and their form.
fn webhook(reader: &mut Reader) -> Option<Webhook> {
    let gate = reader.origin("WEBHOOK_GATE_URL");
    let form = reader.one_of("WEBHOOK_FORM", "json slack");
    if reader.is_absent("WEBHOOK_URL") && form.is_none() {
        if !reader.is_absent("WEBHOOK_SECRET") {
            reader.fail("WEBHOOK_SECRET", "is set without WEBHOOK_URL; set both or neither");
        }
        return None;
    }
    // That of Slack is a secret in whole: it lets its holder write into the channel.
    let url = reader.secret("WEBHOOK_URL", 1)?;
    // A query often holds a key.
    let plain = url.expose().split('?').next().unwrap_or_default();
    reader.checked_url("WEBHOOK_URL", plain)?;
    let form = match form {
        Some("slack") => NoticeForm::Slack { gate },
        _ => NoticeForm::Signed { secret: reader.secret("WEBHOOK_SECRET", 1)? },
    };
    Some(Webhook { url, form })
}

/// Limits on an object's rows, from hours, days and megabytes. A row stays for as long as a hash
/// counts that no row has.
pub(super) const fn keeps(hours: u64, days: u64, megabytes: u64) -> Keeps {
    let secs = days.saturating_mul(86_400);
    Keeps {
        responses_secs: hours.saturating_mul(3600),
        payments_secs: if secs < HASH_SECS { HASH_SECS } else { secs },
        bytes: megabytes.saturating_mul(1_000_000),
    }
}
