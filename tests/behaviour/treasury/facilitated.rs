//! Payouts of the explorer: what is asked for, and what a facilitator does and says.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use farebox_core::encoding::base64;
use farebox_core::treasury::message::{MerchantAnswer, Order};
use serde_json::{Value, json};

use super::life::{Deed, name_of};
use super::payouts::{answer, ask, payout, success, world};
use super::world::NETWORK;
use crate::dice::Dice;

/// What is asked for, by the number of its key.
pub static ASKED: LazyLock<[Value; 4]> = LazyLock::new(|| {
    let amounts = ["0.03", "0.025", "0.02", "0.01"];
    std::array::from_fn(|key| payout(amounts[key], &name_of(key)))
});

/// The nonce of each key, as another treasury of the same organization draws it.
pub static NONCES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let mut world = world();
    world.dice = Dice::seeded(99);
    ASKED.iter().for_each(|body| drop(ask(&mut world, body)));
    let key = |decision: &str| world.rows.decisions[decision].key.clone().unwrap();
    world.rows.attempts.values().map(|row| (key(&row.decision), row.nonce.clone())).collect()
});

/// Whether the facilitator is asked to settle exactly the payment in this header.
pub fn is_settled_by(header: &str, order: &Order) -> bool {
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let body = read(order.body.as_deref().unwrap_or("null").as_bytes());
    body["paymentPayload"] == read(&base64::decode(header).unwrap())
}

/// What a facilitator says that does this; `None` if its answer is lost.
pub fn answer_of(deed: Deed) -> Option<MerchantAnswer> {
    let refusal = json!({"success": false, "errorReason": "insufficient_funds", "transaction": "", "network": NETWORK});
    Some(match deed {
        Deed::Pays | Deed::LiesThatItPaid => success(),
        Deed::PaysAndFails => answer(500, &json!({})),
        // A refusal is a lie here, too: it settled.
        Deed::PaysAndProvesAndFails | Deed::Refuses => answer(200, &refusal),
        Deed::DeliversForNothing => answer(200, &json!([])),
        Deed::PaysAndIsLost | Deed::IsLost => return None,
    })
}
