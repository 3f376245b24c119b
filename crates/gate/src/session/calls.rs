//! The calls about channels to facilitators: looks, claims, refunds and payouts. Claims that are due
//! at one time go in one transaction.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use crate::call::FacilitatorCall;
use crate::keys::Keys;
use crate::offer::VERIFY_SECS;
use crate::parts::{Settler, Settlers};
use farebox_base::encoding::{hex, json};
use farebox_channel::authorizer::{ClaimEntry, claim_digest, refund_digest};
use farebox_channel::config::ChannelId;
use farebox_channel::desk::ChannelDesk;
use farebox_channel::errand::Earnings;
use farebox_channel::escrow::EscrowContract;
use farebox_channel::state::Promise;
use farebox_wire::facilitator::breaker::Operation;
use farebox_wire::facilitator::wire;
use farebox_wire::x402::Version;

/// The terms that are kept beside a channel.
pub(super) struct ChannelTerms {
    pub config: Map<String, Value>,
    pub requirements: Map<String, Value>,
    pub contract: EscrowContract,
    /// The restore after which it was opened, Unix seconds; zero before the first one.
    pub restore: u64,
}

impl ChannelTerms {
    /// Reads them; `None` if they cannot be read.
    pub fn read(terms: &str) -> Option<Self> {
        let Ok(Value::Object(kept)) = json::parse(terms.as_bytes()) else { return None };
        Some(Self {
            config: kept.get("config")?.as_object()?.clone(),
            requirements: kept.get("requirements")?.as_object()?.clone(),
            contract: EscrowContract::batch_settlement(kept.get("chain")?.as_u64()?),
            restore: kept.get("restore").and_then(Value::as_u64).unwrap_or_default(),
        })
    }

    /// A claim of what was earned: the entry that is signed, and the row that is sent.
    pub fn claim(&self, channel: ChannelId, earnings: &Earnings) -> (ClaimEntry, Value) {
        let Earnings { total, evidence } = *earnings;
        let entry = ClaimEntry { channel, max_claimable: evidence.cumulative, total };
        let row = json!({
            "voucher": {
                "channel": self.config,
                "maxClaimableAmount": evidence.cumulative.to_string(),
            },
            "signature": hex::encode_prefixed(&evidence.signature.to_bytes()),
            "totalClaimed": total.to_string(),
        });
        (entry, row)
    }

    /// A refund with what was earned before it, both signed.
    pub fn refund(
        &self,
        keys: &Keys,
        channel: ChannelId,
        voucher: Value,
        promise: &Promise,
        earnings: Option<&Earnings>,
    ) -> Option<Value> {
        let digest = refund_digest(&self.contract, &channel, promise);
        let mut payload = json!({
            "type": "refund",
            "channelConfig": self.config,
            "voucher": voucher,
            "amount": promise.amount.to_string(),
            "refundNonce": promise.nonce.to_string(),
            "claims": [],
            "refundAuthorizerSignature": self.authorize(keys, digest)?,
        });
        if let (Some(earnings), Value::Object(members)) = (earnings, &mut payload) {
            let (entry, row) = self.claim(channel, earnings);
            let signature = self.authorize(keys, claim_digest(&self.contract, &[entry]))?;
            members.insert("claims".to_string(), Value::from([row].to_vec()));
            members.insert("claimAuthorizerSignature".to_string(), Value::from(signature));
        }
        Some(payload)
    }

    /// Signs for a channel with these terms, by the account that they name.
    pub fn authorize(&self, keys: &Keys, digest: [u8; 32]) -> Option<String> {
        let signature = keys.authorizer_since(self.restore)?.sign(&digest)?;
        Some(hex::encode_prefixed(&signature.to_bytes()))
    }
}

/// The calls about channels to facilitators.
#[derive(Clone, Copy)]
pub struct ChannelCalls<'g> {
    pub(crate) keys: &'g Keys,
    pub(crate) settlement: &'g Settlers,
}

impl ChannelCalls<'_> {
    /// The call for a look at the chain: a facilitator reads it to judge the last voucher.
    pub(super) fn look(&self, desk: &ChannelDesk) -> Option<FacilitatorCall> {
        let kept = ChannelTerms::read(&desk.terms)?;
        let payload = json!({
            "type": "refund",
            "channelConfig": kept.config,
            "voucher": desk.channel.as_ref()?.highest()?.to_json(),
        });
        let turn = desk.channel.as_ref()?.turn();
        self.write(&kept, turn, &payload, VERIFY_SECS, Operation::Verify)
    }

    /// A refund that was promised.
    pub(super) fn refund(
        &self,
        desk: &ChannelDesk,
        promise: &Promise,
        earnings: Option<&Earnings>,
    ) -> Option<FacilitatorCall> {
        let kept = ChannelTerms::read(&desk.terms)?;
        let channel = desk.channel.as_ref()?;
        let voucher = channel.highest()?.to_json();
        let payload = kept.refund(self.keys, channel.id(), voucher, promise, earnings)?;
        self.send(&kept, channel.turn(), &payload)
    }

    /// Everything that was claimed for the payee, to the payee.
    pub(super) fn pay_out(&self, desk: &ChannelDesk) -> Option<FacilitatorCall> {
        let kept = ChannelTerms::read(&desk.terms)?;
        let payload = json!({
            "type": "settle",
            "receiver": kept.config.get("receiver")?,
            "token": kept.config.get("token")?,
        });
        self.send(&kept, desk.channel.as_ref()?.turn(), &payload)
    }

    /// The facilitator whose turn it is.
    pub(super) fn settler_of(&self, kept: &ChannelTerms, turn: u64) -> Option<&Settler> {
        let network = kept.requirements.get("network")?.as_str()?;
        let serves = |networks: &[String]| networks.iter().any(|known| known == network);
        let settlers = &self.settlement.settlers;
        let able = || settlers.iter().filter(|settler| serves(&settler.networks));
        let turn = usize::try_from(turn).unwrap_or_default();
        able().nth(turn.checked_rem(able().count()).unwrap_or_default())
    }

    fn write(
        &self,
        kept: &ChannelTerms,
        turn: u64,
        payload: &Value,
        secs: u64,
        operation: Operation,
    ) -> Option<FacilitatorCall> {
        let settler = self.settler_of(kept, turn)?;
        let url = match operation {
            Operation::Verify => settler.facilitator.verify_url(),
            Operation::Settle => settler.facilitator.settle_url(),
        };
        let payment = json!({"x402Version": 2, "accepted": kept.requirements, "payload": payload});
        let body = wire::request(Version::V2, &payment, &kept.requirements);
        Some(FacilitatorCall::of_alarm(url, body, secs, ""))
    }

    fn send(&self, kept: &ChannelTerms, turn: u64, payload: &Value) -> Option<FacilitatorCall> {
        self.write(kept, turn, payload, self.settlement.settle_secs, Operation::Settle)
    }

    /// The call that sends these claims; `None` if none of them can be sent.
    #[must_use]
    pub fn claim(&self, batch: &[ChannelDesk]) -> Option<FacilitatorCall> {
        let mut first = None;
        let (mut entries, mut rows) = (Vec::new(), Vec::new());
        for desk in batch {
            let Some(kept) = ChannelTerms::read(&desk.terms) else { continue };
            let channel = desk.channel.as_ref()?;
            let Some(earnings) = channel.earnings() else { continue };
            let (entry, row) = kept.claim(channel.id(), &earnings);
            entries.push(entry);
            rows.push(row);
            first.get_or_insert((kept, channel.turn()));
        }
        let (kept, turn) = first?;
        let payload = json!({
            "type": "claim",
            "claims": rows,
            "claimAuthorizerSignature": kept.authorize(self.keys, claim_digest(&kept.contract, &entries))?,
        });
        self.send(&kept, turn, &payload)
    }
}
