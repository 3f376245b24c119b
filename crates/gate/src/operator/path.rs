//! The operator's paths, and the body of a decision.

use alloc::borrow::ToOwned;

use serde_json::Value;

use super::query::Wrong;
use farebox_base::encoding::json;
use farebox_common::payment::TxHash;
use farebox_ledger::entry::RefundPlan;
use farebox_ledger::report::{Decision, LOOKED, Resolution};

/// Longest body of an operator's request, bytes.
pub const MAX_BODY_BYTES: usize = 4 * 1024;
/// Longest reason that an operator gives, bytes.
const MAX_REASON_BYTES: usize = 512;
/// Longest key under which a program begins a refund, bytes.
const MAX_KEY_BYTES: usize = 64;

/// One of the operator's paths.
#[derive(Clone, Copy)]
pub(super) enum OperatorPath<'a> {
    Payments,
    Payment(&'a str),
    Decision(&'a str, What),
    Totals,
    Audit,
    Export,
    Metrics,
    Failures,
    Channels,
    Backup,
    Restore,
}

/// An operator's decision about a payment.
#[derive(Clone, Copy)]
pub(super) enum What {
    Refunding,
    NotRefunded,
    Refunded,
    Waived,
    Resolve,
}

impl<'a> OperatorPath<'a> {
    pub(super) fn of(rest: &'a str) -> Option<Self> {
        let mut parts = rest.split('/');
        let place = match (parts.next()?, parts.next(), parts.next()) {
            ("payments", None, None) => Self::Payments,
            ("payments", Some(id), None) if !id.is_empty() => Self::Payment(id),
            ("payments", Some(id), Some("refunding")) => Self::Decision(id, What::Refunding),
            ("payments", Some(id), Some("not-refunded")) => Self::Decision(id, What::NotRefunded),
            ("payments", Some(id), Some("refunded")) => Self::Decision(id, What::Refunded),
            ("payments", Some(id), Some("waived")) => Self::Decision(id, What::Waived),
            ("payments", Some(id), Some("resolve")) => Self::Decision(id, What::Resolve),
            ("totals", None, None) => Self::Totals,
            ("audit", None, None) => Self::Audit,
            ("export", None, None) => Self::Export,
            ("metrics", None, None) => Self::Metrics,
            ("failures", None, None) => Self::Failures,
            ("channels", None, None) => Self::Channels,
            ("backup", None, None) => Self::Backup,
            ("restore", None, None) => Self::Restore,
            _ => return None,
        };
        parts.next().is_none().then_some(place)
    }

    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Decision(..) | Self::Restore => "POST",
            _ => "GET",
        }
    }

    pub(super) const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Payments => &[
                "state",
                "payer",
                "route",
                "from",
                "to",
                "id",
                "key",
                "transaction",
                "correlation_id",
                "limit",
                "cursor",
            ],
            Self::Totals => &["day"],
            Self::Export => &["format", "of", "from", "to"],
            Self::Failures => &["code", "route", "limit"],
            Self::Channels => &["limit", "cursor"],
            Self::Backup => &["object", "after"],
            Self::Restore => &["do", "copy", "object", "page", "salt", "until", "restores"],
            Self::Payment(_) | Self::Decision(..) | Self::Audit | Self::Metrics => &[],
        }
    }
}

/// Reads the body of a decision. What the rows know is known since the second `restored`.
pub(super) fn decision(what: What, body: &str, restored: u64) -> Result<Decision, Wrong> {
    let body = json::parse_with(body.as_bytes(), MAX_BODY_BYTES).ok();
    let members = body.as_ref().and_then(Value::as_object).ok_or_else(|| Wrong::named("body"))?;
    let known: &[&str] = match what {
        What::Refunding => &["restored", "key", "sold"],
        What::NotRefunded => &["refunding_id", "key"],
        What::Refunded => &["transaction"],
        What::Waived => &["reason"],
        What::Resolve => &["as", "reason", "transaction"],
    };
    if let Some(stranger) = members.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Wrong::named(stranger));
    }
    let text = |name: &str| members.get(name)?.as_str();
    let reason = || {
        let good = |reason: &&str| !reason.trim().is_empty() && reason.len() <= MAX_REASON_BYTES;
        let reason = text("reason").filter(good).map(ToOwned::to_owned);
        reason.ok_or_else(|| Wrong::named("reason"))
    };
    let switch = |name: &str| match members.get(name) {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(Wrong::named(name)),
    };
    let key = || {
        let is_key = |key: &str| {
            (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
        };
        match members.get("key") {
            None => Ok(None),
            Some(Value::String(key)) if is_key(key) => Ok(Some(key.clone())),
            Some(_) => Err(Wrong::named("key")),
        }
    };
    let hash = |read: fn(&str) -> Option<TxHash>| {
        let hash = text("transaction").and_then(read);
        hash.map(|hash| hash.to_text()).ok_or_else(|| Wrong::named("transaction"))
    };
    Ok(match what {
        What::Refunding => {
            let known_since = if switch("restored")? { LOOKED } else { restored };
            let (key, sold) = (key()?, switch("sold")?);
            // Without a key no one could say later that it is paid back after all; under that of the
            // treasury two would go on with one begin.
            if sold && key.is_none() || key.as_deref().is_some_and(RefundPlan::is_key) {
                return Err(Wrong::named("key"));
            }
            Decision::Refunding { known_since, key, sold }
        }
        What::NotRefunded => {
            let begun = members.get("refunding_id").and_then(Value::as_u64);
            let begun = begun.ok_or_else(|| Wrong::named("refunding_id"))?;
            Decision::NotRefunded { begun, key: key()? }
        }
        // What was paid back is in a transaction, even if what was paid is not in one yet.
        What::Refunded => Decision::Refunded(hash(TxHash::parse_any)?),
        What::Waived => Decision::Waived(reason()?),
        What::Resolve => {
            let to = text("as").and_then(Resolution::parse).ok_or_else(|| Wrong::named("as"))?;
            let transaction = match members.get("transaction") {
                Some(_) => Some(hash(TxHash::recorded)?),
                None => None,
            };
            Decision::Resolved { to, reason: reason()?, transaction }
        }
    })
}
