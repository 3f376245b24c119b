//! Payouts of the treasury, as they are asked for and answered.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::message::PayoutAnswer;
use super::row::{EntryRow, HoldRow, Leave, show_wallet};
use super::settings::PaymentProfile;
use crate::text::{object, quoted};
use farebox_base::amount::Amount;
use farebox_base::encoding::json;

/// The bodies of a profile's requests to the treasury.
pub(super) struct PayoutOrders<'g> {
    pub profile: &'g PaymentProfile,
    /// Organization and wallet of the treasury that pays out.
    pub payer: &'g (String, String),
}

impl PayoutOrders<'_> {
    /// The body of a try's payout: as it was asked for before, if it was. `None` for what has to be
    /// registered first, or is in the contract.
    pub fn find_payout(&self, hold: &HoldRow, leave: Option<Leave>) -> Option<String> {
        let leave = leave.filter(|_| hold.entry.is_none())?;
        Some(if hold.order.is_empty() {
            self.write_payout(hold, leave)
        } else {
            hold.order.clone()
        })
    }

    /// The organization in whose books a payout is.
    pub fn organization_of(&self, hold: &HoldRow) -> String {
        let order = json::parse(hold.order.as_bytes()).unwrap_or(Value::Null);
        let asked = order.get("organization").and_then(Value::as_str);
        let (organization, _) = self.payer;
        asked.unwrap_or(organization).to_string()
    }

    /// The body of a payout. Spec: docs/treasury.md, "Payouts".
    fn write_payout(&self, hold: &HoldRow, leave: Leave) -> String {
        let to = match leave {
            Leave::Release => &hold.payee,
            Leave::Refund => &hold.payer,
        };
        let amount = Amount::from_atomic(&hold.units).unwrap_or(Amount::ZERO);
        let (organization, wallet) = self.payer;
        let key = format!("hold-{}-{}", hold.payment, hold.tries);
        object(&[
            ("organization", quoted(organization)),
            ("wallet", quoted(wallet)),
            ("network", quoted(self.profile.network.as_str())),
            ("asset", quoted(self.profile.token.symbol)),
            ("to", quoted(&show_wallet(to))),
            ("amount", quoted(&amount.to_decimal(self.profile.token.decimals))),
            ("idempotencyKey", quoted(&key)),
        ])
    }

    /// The body about a payment in the escrow contract. Spec: docs/treasury.md, "Escrow contracts".
    pub fn write_escrow(&self, hold: &HoldRow, entry: &EntryRow, leave: Option<Leave>) -> String {
        let goal = match leave {
            None => "funded",
            Some(Leave::Release) => "released",
            Some(Leave::Refund) => "refunded",
        };
        // What bought no job has no seller: its buyer is both.
        let seller = if hold.payee.is_empty() { &hold.payer } else { &hold.payee };
        let (organization, wallet) = self.payer;
        object(&[
            ("organization", quoted(organization)),
            ("wallet", quoted(wallet)),
            ("network", quoted(self.profile.network.as_str())),
            ("contract", quoted(&entry.contract)),
            ("payment", quoted(&format!("0x{}", entry.name))),
            ("buyer", quoted(&show_wallet(&hold.payer))),
            ("seller", quoted(&show_wallet(seller))),
            ("amountMinor", quoted(&hold.units)),
            ("settlement", quoted(&format!("0x{}", entry.word))),
            ("goal", quoted(goal)),
        ])
    }
}

/// The status of an answer, and the treasury's own code in it: a page in front of it has none.
fn code_of(answer: &PayoutAnswer) -> (u32, Option<String>) {
    let body = json::parse(answer.body.as_bytes()).unwrap_or(Value::Null);
    (answer.status, body.get("code").and_then(Value::as_str).map(ToString::to_string))
}

/// Whether the treasury knows nothing of a payout which it has named before.
pub(super) fn is_forgotten(answer: &PayoutAnswer) -> bool {
    let (status, code) = code_of(answer);

    (status, code.as_deref()) == (404, Some("not_found"))
}

/// Whether nothing of a payout is under way, as the treasury has refused it before it wrote anything. That
/// its day has no room it says after it has looked under this key; the rest it may say without a look, so
/// that it counts only where it has refused (`each_was`) all questions of before. Spec: docs/treasury.md,
/// "Payouts".
pub(super) fn is_refused(answer: &PayoutAnswer, each_was: bool) -> bool {
    let (status, code) = code_of(answer);
    match (status, code.as_deref()) {
        (403, Some("payouts_budget_exceeded")) => true,
        (400, Some("invalid_payout"))
        | (403, Some("payouts_not_allowed"))
        | (409, Some("payouts_not_configured")) => each_was,
        _ => false,
    }
}
