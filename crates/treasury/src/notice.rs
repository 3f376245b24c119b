//! The notices for the operator's webhook: each is sent once, by its id.

use alloc::format;
use alloc::string::ToString;

use serde_json::{Value, json};

use super::budget::Window;
use super::money::pad;
use super::policy::judge::Shortage;
use super::row::{AttemptRow, DecisionRow, Notice, Scope};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_payer::client::asset::CAP_DECIMALS;
use farebox_payer::client::offer::Offer;

/// A notice about a subject, whose member has the name before the dot of its kind.
pub(super) fn notice(kind: &str, id: &str, subject: &Value, now: UnixTime) -> Notice {
    let (member, _) = kind.split_once('.').unwrap_or((kind, ""));
    let body = json!({"type": kind, "at": now.rfc3339(), member: subject});
    Notice {
        id: format!("{kind}:{id}"),
        kind: kind.to_string(),
        at: now.secs(),
        body: body.to_string(),
    }
}

/// A budget has no room for a payment: once for each asset and window.
pub(super) fn budget_exhausted(shortage: &Shortage, offer: &Offer, now: UnixTime) -> Notice {
    let Shortage { scope, window, spent, limit } = shortage;
    let since = window.start(now);
    let (symbol, key) = (&offer.asset.symbol, scope.key());
    let text = |amount: &Amount| amount.to_decimal(CAP_DECIMALS);
    let subject = json!({
        "scope": key.split(':').next(),
        "agent": match scope {
            Scope::Agent(name) => Some(name),
            Scope::Organization | Scope::Payouts => None,
        },
        "asset": symbol,
        "window": window.name(),
        "since": since.rfc3339(),
        "limit": text(limit),
        "spent": text(spent),
        "requested": offer.amount.to_decimal(offer.asset.decimals),
    });
    let id = format!("{key}:{symbol}:{}:{}", window.name(), since.secs());
    notice("budget.exhausted", &id, &subject, now)
}

/// A wallet does not hold what a payment needs: once a day for each asset.
pub(super) fn wallet_short(attempt: &AttemptRow, available: Amount, now: UnixTime) -> Notice {
    let AttemptRow { wallet, network, symbol, decimals, .. } = attempt;
    let required = Amount::from_atomic(&attempt.value).unwrap_or(Amount::ZERO);
    let subject = json!({
        "name": wallet,
        "address": attempt.from,
        "network": network,
        "asset": symbol,
        "required": required.to_decimal(*decimals),
        "available": available.to_decimal(*decimals),
    });
    let day = Window::Day.start(now).secs();
    notice("wallet.short", &format!("{wallet}:{network}:{symbol}:{day}"), &subject, now)
}

/// A decision or payout has no known outcome for too long.
pub(super) fn decision_inconclusive(
    row: &DecisionRow,
    attempt: &AttemptRow,
    now: UnixTime,
) -> Notice {
    notice("decision.inconclusive", &row.id, &payment(row, attempt), now)
}

/// The chain shows that a payment with a receipt never moved.
pub(super) fn receipt_expired(row: &DecisionRow, attempt: &AttemptRow, now: UnixTime) -> Notice {
    notice("receipt.expired_unconfirmed", &row.id, &payment(row, attempt), now)
}

/// The notice that a merchant's statement of its settlement contradicts the payment or the chain.
pub(super) fn settlement_conflict(
    row: &DecisionRow,
    attempt: &AttemptRow,
    now: UnixTime,
) -> Notice {
    notice("settlement.conflict", &row.id, &payment(row, attempt), now)
}

/// An agent was disabled.
pub(super) fn agent_disabled(name: &str, now: UnixTime) -> Notice {
    let id = format!("{name}:{}", now.secs());
    notice("agent.disabled", &id, &json!({"name": name}), now)
}

/// A bootstrap key was taken back.
pub(super) fn key_revoked(id: &str, agent: &str, now: UnixTime) -> Notice {
    notice("key.revoked", id, &json!({"id": id, "agent": agent}), now)
}

fn payment(row: &DecisionRow, attempt: &AttemptRow) -> Value {
    let value = Amount::from_atomic(&attempt.value).unwrap_or(Amount::ZERO);
    let transaction = attempt.receipt.as_ref().and_then(|receipt| receipt.transaction.clone());
    json!({
        "paidRequestId": row.id,
        "agent": row.agent,
        "outcome": row.outcome,
        "reasonCode": row.code,
        "requestMethod": row.method,
        "requestUrl": row.url,
        "amount": pad(value, attempt.decimals),
        "asset": attempt.symbol,
        "network": attempt.network,
        "payee": attempt.to,
        "receiptId": attempt.receipt.as_ref().map(|_| attempt.receipt_id.clone()),
        "transaction": transaction,
        "openBecause": attempt.why,
    })
}
