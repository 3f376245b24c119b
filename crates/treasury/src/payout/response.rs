//! How payouts stand now.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::answer;
use crate::books::Rows;
use crate::kernel::{Decision, Now};
use crate::message::Listing;
use crate::notice::notice;
use crate::operate::lists::{read_page, write_page};
use crate::operate::reply::{not_found, ok, time};
use crate::row::{AttemptRow, DecisionRow, Money, Notice, PAYOUTS};
use farebox_base::amount::Amount;

/// A page of payouts.
pub(crate) fn list_payouts<B: Rows>(books: &B, listing: &Listing) -> Result<Decision, B::Error> {
    let mut page = match read_page(listing, &answer::OUTCOMES) {
        Ok(page) => page,
        Err(reply) => return Ok(Decision::reply(reply)),
    };
    page.agent = Some(PAYOUTS.to_string());
    let rows = books.decisions(&page)?;
    let last = rows.last().map(|row| (row.created, row.id.clone()));
    let mut items: Vec<Value> = Vec::new();
    for row in &rows {
        items.push(summary(row, books.attempt(&row.attempt)?.as_ref()));
    }
    Ok(write_page(items, last, &page))
}

/// A payout as it stands; with `only`, one of this wallet.
pub(crate) fn show_payout<B: Rows>(
    books: &B,
    id: &str,
    only: Option<&str>,
) -> Result<Decision, B::Error> {
    let Some(row) = books.decision(id)?.filter(DecisionRow::is_payout) else {
        return Ok(Decision::reply(not_found("payout")));
    };
    let attempt = books.attempt(&row.attempt)?;
    let wallet = attempt.as_ref().map(|attempt| attempt.wallet.as_str());
    if only.is_some() && only != wallet {
        return Ok(Decision::reply(not_found("payout")));
    }
    Ok(ok(&summary(&row, attempt.as_ref())))
}

/// A payout as it stands: `state` is `executing`, `open`, `confirmed` or `void`.
fn summary(row: &DecisionRow, attempt: Option<&AttemptRow>) -> Value {
    let facts = attempt.and_then(|it| it.receipt.as_ref());
    let amount =
        attempt.and_then(|it| Some(Amount::from_atomic(&it.value).ok()?.to_decimal(it.decimals)));
    json!({
        "id": row.id,
        "idempotencyKey": row.client_key(),
        "outcome": row.outcome,
        "state": attempt.map(|it| state(row, it)),
        "wallet": attempt.map(|it| it.wallet.clone()),
        "network": attempt.map(|it| it.network.clone()),
        "asset": row.asset,
        "contract": attempt.map(|it| it.contract.clone()),
        "from": attempt.map(|it| it.from.clone()),
        "to": attempt.map(|it| it.to.clone()),
        "amount": amount,
        "amountMinor": attempt.map(|it| it.value.clone()),
        "nonce": attempt.map(|it| it.nonce.clone()),
        "validBefore": attempt.map(|it| time(it.valid_before)),
        "transaction": facts.and_then(|it| it.transaction()),
        "onChain": facts.is_some_and(|it| it.on_chain),
        "openBecause": attempt.and_then(|it| it.why.clone()),
        "createdAt": time(row.created),
        "changedAt": time(row.changed),
        "confirmedAt": facts.and_then(|it| it.confirmed).map(time),
    })
}

fn state(row: &DecisionRow, attempt: &AttemptRow) -> String {
    match attempt.money {
        Money::Spent => "confirmed",
        Money::Void => "void",
        Money::Reserved | Money::Signed if row.outcome == "executing" => "executing",
        Money::Reserved | Money::Signed => "open",
    }
    .to_string()
}

/// The notice, for the webhook, of a payout that never moves.
pub(crate) fn failure_notice(row: &DecisionRow, attempt: &AttemptRow, scene: Now<'_>) -> Notice {
    notice("payout.failed", &row.id, &summary(row, Some(attempt)), scene)
}
