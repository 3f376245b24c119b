//! The terms of a route that sells by session of MPP.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::meter::StreamMeter;
use farebox_base::amount::Amount;
use farebox_base::encoding::{base64, json};
use farebox_channel::config::ChannelConfig;
use farebox_channel::escrow::EscrowContract;
use farebox_channel::facts::{ChannelFacts, sold_by};
use farebox_common::payment::{SignedToken, Terms};
use farebox_wire::mpp::Challenge;
use farebox_wire::mpp::session::UnitType;

/// Requests, or steps of a stream, that a payer is asked to deposit for.
const SUGGESTED_SALES: u64 = 100;

/// How a route is paid by session of MPP.
#[derive(Clone, Debug)]
pub struct ChannelOffer {
    /// The contract that holds deposits.
    pub contract: EscrowContract,
    /// Token and payee.
    pub token: SignedToken,
    /// The least seconds that the contract lets a payer wait for a withdrawal.
    pub delay_secs: u64,
    /// The least deposit that the gate sends, if it sends them.
    pub sends_from: Option<Amount>,
    /// The least for which a payer has a channel closed at once: the most that any route of the same
    /// contract and token sends deposits from, because a channel is closed at each of them.
    pub closes_from: Amount,
    /// The request of a challenge, canonical JSON, around the reference.
    written: [String; 2],
}

impl ChannelOffer {
    /// Sells at these terms by channels of a contract; `None` if they take no signature.
    #[must_use]
    pub fn new(
        terms: &Terms,
        contract: EscrowContract,
        delay_secs: u64,
        meter: Option<&StreamMeter>,
        sends_from: Option<Amount>,
    ) -> Option<Self> {
        let token = terms.authorized()?;
        // A voucher for less than a step lets nothing flow.
        let (price, unit, sold, delta) = match meter {
            Some(meter) => (meter.price, meter.unit, meter.step_price, meter.step_price),
            None => (terms.amount, UnitType::Request, terms.amount, Amount::ZERO),
        };
        let deposit = sold.checked_mul_u64(SUGGESTED_SALES).unwrap_or(sold);
        let sends_from = sends_from.map(|least| least.max(sold));
        let deposit = sends_from.map_or(deposit, |least| least.max(deposit));
        // Members in canonical order; no text of the operator's comes before the reference.
        let before = json!({
            "amount": price.to_string(),
            "currency": token.asset.to_checksum(),
            "externalId": "",
        });
        // Without credentialTypes payers by the draft send a hash; a deposit is signed by OKX's rules.
        let after = json!({
            "methodDetails": {
                "chainId": contract.chain_id,
                "escrowContract": contract.address.to_checksum(),
                "feePayer": sends_from.is_some(),
                "minVoucherDelta": delta.to_string(),
            },
            "recipient": token.pay_to.to_checksum(),
            "suggestedDeposit": deposit.to_string(),
            "unitType": unit.name(),
        });
        let before = json::text(&before).strip_suffix("\"}")?.to_owned();
        let after = ["\",", json::text(&after).strip_prefix('{')?].concat();
        let closes_from = sends_from.unwrap_or(Amount::ZERO);
        let written = [before, after];
        Some(Self { contract, token, delay_secs, sends_from, closes_from, written })
    }

    /// The shortest and longest delays, seconds.
    pub const DELAYS: core::ops::RangeInclusive<u64> = ChannelConfig::WITHDRAW_DELAYS;

    /// The `request` of a challenge with this reference, base64url.
    #[must_use]
    pub fn request(&self, reference: &str) -> String {
        let [before, after] = &self.written;
        base64::encode_url([before.as_str(), reference, after].concat().as_bytes())
    }

    /// Whether these terms are paid by a channel that is made of this.
    #[must_use]
    pub fn takes(&self, facts: &ChannelFacts) -> bool {
        facts.sold_by() == self.sold_by()
    }

    /// The contract, token and payee of the route, as one text.
    pub(crate) fn sold_by(&self) -> String {
        sold_by(&self.contract, self.token.asset, self.token.pay_to)
    }

    /// The reference of a challenge that has these terms; `None` for other terms.
    #[must_use]
    pub fn reference(&self, challenge: &Challenge) -> Option<String> {
        let object = challenge.request_object().ok()?;
        let reference = object.get("externalId").and_then(Value::as_str)?;
        (self.request(reference) == challenge.request).then(|| reference.to_owned())
    }
}
