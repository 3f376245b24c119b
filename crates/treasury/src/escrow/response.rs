//! Responses about payments in escrow contracts.

use alloc::string::ToString;

use serde_json::json;

use super::row::{EscrowDeed, EscrowRow, EscrowStage};
use crate::books::Rows;
use crate::kernel::Decision;
use crate::message::Reply;
use crate::operate::reply::{not_found, time};

/// A payment as it stands; with `only`, one of this wallet.
pub(crate) fn show_escrow<B: Rows>(
    books: &B,
    id: &str,
    only: Option<&str>,
) -> Result<Decision, B::Error> {
    let is_own = |row: &EscrowRow| {
        only.is_none_or(|only| row.wallet == alloc::format!("{only} {}", row.network))
    };
    let row = books.escrow(id)?.filter(is_own);
    let reply = row.map_or_else(|| not_found("payout"), |row| write_response(&row));
    Ok(Decision::reply(reply))
}

/// A payment as it stands; `state` and `outcome` are those of other payouts.
pub(super) fn write_response(row: &EscrowRow) -> Reply {
    let (state, outcome) = match row.stage {
        EscrowStage::Open => ("executing", "executing"),
        EscrowStage::Sent => ("open", "sent"),
        EscrowStage::Confirmed => ("confirmed", "sent"),
        EscrowStage::Excluded => ("open", "unknown"),
    };
    let registration = row.mined(EscrowDeed::Register);
    let transaction = match row.leaving() {
        Some(deed) => row.mined(deed),
        None => registration,
    };
    let body = json!({
        "id": row.id,
        "outcome": outcome,
        "state": state,
        "goal": row.goal,
        "network": row.network,
        "contract": row.contract,
        "buyer": row.buyer,
        "seller": row.seller,
        "amountMinor": row.amount,
        "settlement": row.settlement,
        "registration": registration,
        "transaction": transaction,
        "transactions": row.tries.len(),
        "openBecause": row.why,
        "createdAt": time(row.created),
        "changedAt": time(row.changed),
    });
    Reply::json(200, body.to_string())
}
