//! The notices for the operator's webhook: each is sent once, by its id.

use alloc::format;
use alloc::string::ToString;

use serde_json::{Value, json};

use super::budget::Window;
use super::kernel::Now;
use super::money::pad;
use super::policy::judge::Shortage;
use super::row::{AttemptRow, DecisionRow, Notice, Scope};
use farebox_base::amount::Amount;
use farebox_payer::client::asset::CAP_DECIMALS;
use farebox_payer::client::offer::Offer;

/// A notice about a subject, whose member has the name before the dot of its kind. It names the
/// organization, because one webhook is told of all and two may have agents of one name.
pub(super) fn notice(kind: &str, id: &str, subject: &Value, scene: Now<'_>) -> Notice {
    let (member, _) = kind.split_once('.').unwrap_or((kind, ""));
    let at = scene.now.rfc3339();
    let organization = Some(scene.organization);
    let body = json!({"type": kind, "at": at, "organization": organization, member: subject});
    Notice {
        id: format!("{kind}:{id}"),
        kind: kind.to_string(),
        at: scene.now.secs(),
        body: body.to_string(),
    }
}

/// A budget has no room for a payment: once for each asset and window.
pub(super) fn budget_exhausted(shortage: &Shortage, offer: &Offer, scene: Now<'_>) -> Notice {
    let Shortage { scope, window, spent, limit } = shortage;
    let since = window.start(scene.now);
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
        "counted": text(spent),
        "requested": offer.amount.to_decimal(offer.asset.decimals),
    });
    let id = format!("{key}:{symbol}:{}:{}", window.name(), since.secs());
    notice("budget.exhausted", &id, &subject, scene)
}

/// A wallet does not hold what a payment needs: once a day for each asset.
pub(super) fn wallet_short(attempt: &AttemptRow, available: Amount, scene: Now<'_>) -> Notice {
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
    let day = Window::Day.start(scene.now).secs();
    notice("wallet.short", &format!("{wallet}:{network}:{symbol}:{day}"), &subject, scene)
}

/// A wallet gave no signature of a payment, whatever the reason: once a day for each network.
pub(super) fn wallet_unsigned(attempt: &AttemptRow, scene: Now<'_>) -> Notice {
    let AttemptRow { wallet, network, from, .. } = attempt;
    let subject = json!({"name": wallet, "address": from, "network": network});
    let day = Window::Day.start(scene.now).secs();
    notice("wallet.unsigned", &format!("{wallet}:{network}:{day}"), &subject, scene)
}

/// A decision or payout has no known outcome for too long.
pub(super) fn decision_inconclusive(
    row: &DecisionRow,
    attempt: &AttemptRow,
    scene: Now<'_>,
) -> Notice {
    notice("decision.inconclusive", &row.id, &payment(row, attempt), scene)
}

/// The chain shows that a payment with a receipt never moved.
pub(super) fn receipt_expired(row: &DecisionRow, attempt: &AttemptRow, scene: Now<'_>) -> Notice {
    notice("receipt.expired_unconfirmed", &row.id, &payment(row, attempt), scene)
}

/// The notice that a merchant's statement of its settlement contradicts the payment or the chain.
pub(super) fn settlement_conflict(
    row: &DecisionRow,
    attempt: &AttemptRow,
    scene: Now<'_>,
) -> Notice {
    notice("settlement.conflict", &row.id, &payment(row, attempt), scene)
}

/// An agent was disabled.
pub(super) fn agent_disabled(name: &str, scene: Now<'_>) -> Notice {
    let id = format!("{name}:{}", scene.now.secs());
    notice("agent.disabled", &id, &json!({"name": name}), scene)
}

/// A bootstrap key was taken back.
pub(super) fn key_revoked(id: &str, agent: &str, scene: Now<'_>) -> Notice {
    notice("key.revoked", id, &json!({"id": id, "agent": agent}), scene)
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
