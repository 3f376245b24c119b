//! The calls of a channel's alarm to a facilitator: looks, claims, refunds and payouts.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use crate::Gate;
use crate::call::FacilitatorCall;
use crate::offer::VERIFY_SECS;
use crate::parts::Settler;
use farebox_base::encoding::{hex, json};
use farebox_base::time::UnixTime;
use farebox_channel::authorizer::{ClaimEntry, claim_digest, refund_digest};
use farebox_channel::config::ChannelId;
use farebox_channel::desk::{ChannelDesk, Write};
use farebox_channel::errand::{ChannelErrand, Earnings, Payout};
use farebox_channel::escrow::EscrowContract;
use farebox_channel::facts::ChannelFacts;
use farebox_channel::index::IndexAsk;
use farebox_channel::messages::SightText;
use farebox_channel::retention::KeptSecs;
use farebox_channel::state::{ListNotice, Promise};
use farebox_wire::facilitator::breaker::Operation;
use farebox_wire::facilitator::outcome::{affirms, stands};
use farebox_wire::facilitator::payers::{Caller, Evidence};
use farebox_wire::facilitator::reply::{FacilitatorReply, MAX_REPLY_BYTES};
use farebox_wire::facilitator::wire;
use farebox_wire::x402::Version;

/// The purpose of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A look at the chain.
    Look,
    /// Money.
    Send,
    /// The payout of claimed money to the payee.
    PayOut,
}

/// The receiver of an errand.
#[derive(Debug)]
pub enum ErrandCall {
    /// A facilitator.
    Facilitator(Box<FacilitatorCall>),
    /// The object with this name, by this message: what comes of it, only the chain tells.
    Object(String, String),
}

impl Gate {
    /// The call that is due for a channel, if one is. Its row is written first: after a crash the
    /// attempt counts as made.
    pub fn channel_call(
        &self,
        desk: &mut ChannelDesk,
        now: UnixTime,
    ) -> Option<(Task, ErrandCall)> {
        let asks = |call: Option<FacilitatorCall>| {
            call.map(|call| ErrandCall::Facilitator(Box::new(call)))
        };
        // A node is asked about those of MPP.
        if ChannelFacts::read(&desk.terms).is_some() {
            return None;
        }
        let (task, call) = match desk.channel.as_ref()?.errand(now) {
            ChannelErrand::Rest(_) => return None,
            ChannelErrand::Look => (Task::Look, asks(self.look(desk))),
            ChannelErrand::Claim(_) | ChannelErrand::Close(Some(_)) => {
                let beside = self.claim_beside_others(desk);
                let beside = beside.map(|(object, message)| ErrandCall::Object(object, message));
                let alone = || asks(self.claims_call(core::slice::from_ref(desk)));
                (Task::Send, beside.or_else(alone))
            }
            ChannelErrand::Close(None) => (Task::Send, None),
            ChannelErrand::Refund(promise, earnings) => {
                (Task::Send, asks(self.refund_again(desk, &promise, earnings.as_ref())))
            }
            ChannelErrand::PayOut => (Task::PayOut, asks(self.pay_out(desk))),
        };
        // Before it is known whether anyone can be called: the alarm would ring at once again.
        let channel = desk.channel.as_mut()?;
        match task {
            Task::Look => channel.looked(now),
            Task::Send => channel.attempted(now),
            Task::PayOut => channel.paid_out(Payout::Failed, now),
        }
        // Terms that cannot be read: a person has to look.
        Some((task, call?))
    }

    /// The message that tells the list of channels about a channel, if that is due; it is due again
    /// unless [`Gate::channel_listed`] follows.
    pub fn channel_listing(&self, desk: &mut ChannelDesk, now: UnixTime) -> Option<String> {
        let kept = ChannelTerms::read(&desk.terms)?;
        let channel = desk.channel.as_mut()?;
        match channel.listing() {
            ListNotice::Due(at) if at <= now => {}
            ListNotice::Due(_) | ListNotice::Done => return None,
        }
        channel.list(ListNotice::Due(now.plus(LIST_RETRY_SECS)));
        let mut shown = channel.listed(now);
        for (name, value) in [
            ("network", kept.requirements.get("network")),
            ("asset", kept.requirements.get("asset")),
            ("pay_to", kept.config.get("receiver")),
            ("payer", kept.config.get("payer")),
        ] {
            shown.insert(name.to_string(), value.cloned().unwrap_or_default());
        }
        let id = channel.id().to_string();
        Some(IndexAsk::Note(id, json::text(&shown)).to_text())
    }

    /// The list has what it was told of a channel, unless it changed meanwhile.
    pub fn channel_listed(&self, desk: &mut ChannelDesk, told: UnixTime) -> Write {
        match &mut desk.channel {
            Some(channel) if channel.listing() == ListNotice::Due(told.plus(LIST_RETRY_SECS)) => {
                channel.list(ListNotice::Done);
                Write::Channel
            }
            Some(_) | None => Write::Nothing,
        }
    }

    /// How long an answer is kept, and the row of a channel that has ended.
    #[must_use]
    pub fn channel_keeps(&self) -> KeptSecs {
        let keeps = self.keeps();
        KeptSecs { answer: keeps.responses_secs, row: keeps.payments_secs }
    }

    /// The message that takes a channel out of the list when its row is to go.
    #[must_use]
    pub fn channel_ended(&self, desk: &ChannelDesk, now: UnixTime) -> Option<String> {
        let id = desk.channel.as_ref()?.id().to_string();
        desk.is_to_go(self.channel_keeps(), now).then(|| IndexAsk::Drop(id).to_text())
    }

    /// Takes what a facilitator said to such a call; whether the row is to be written.
    pub fn channel_told(
        &self,
        desk: &mut ChannelDesk,
        task: Task,
        reply: &FacilitatorReply,
        asked: UnixTime,
        now: UnixTime,
    ) -> Write {
        let said = reply.object(MAX_REPLY_BYTES);
        let stood = said.as_ref().is_some_and(|(status, object)| stands(*status, object));
        let object = said.map(|(_, object)| object).unwrap_or_default();
        let Some(channel) = &mut desk.channel else { return Write::Nothing };
        match task {
            Task::Look => {
                let shown = object.get("extra").filter(|_| stood).and_then(|state| {
                    SightText::of_facilitator(state, channel.id(), asked)?.read()
                });
                let Some(shown) = shown else { return Write::Nothing };
                channel.see(shown);
                Write::Channel
            }
            // With what result, only the chain tells.
            Task::Send => Write::Nothing,
            Task::PayOut => {
                let why = object.get("errorReason").and_then(Value::as_str).unwrap_or_default();
                let is_done = affirms(reply) || why.ends_with("nothing_to_settle");
                // That it may fail was written before.
                if !is_done {
                    return Write::Nothing;
                }
                channel.paid_out(Payout::Done, now);
                Write::Channel
            }
        }
    }
}

impl Gate {
    /// The call for a look at the chain: a facilitator reads it to judge the last voucher.
    fn look(&self, desk: &ChannelDesk) -> Option<FacilitatorCall> {
        let kept = ChannelTerms::read(&desk.terms)?;
        let payload = json!({
            "type": "refund",
            "channelConfig": kept.config,
            "voucher": desk.channel.as_ref()?.highest()?.to_json(),
        });
        let turn = desk.channel.as_ref()?.turn();
        self.call(&kept, turn, &payload, VERIFY_SECS, Operation::Verify)
    }

    fn refund_again(
        &self,
        desk: &ChannelDesk,
        promise: &Promise,
        earnings: Option<&Earnings>,
    ) -> Option<FacilitatorCall> {
        let kept = ChannelTerms::read(&desk.terms)?;
        let channel = desk.channel.as_ref()?;
        let voucher = channel.highest()?.to_json();
        let payload = self.refund_payload(&kept, channel.id(), voucher, promise, earnings)?;
        self.send(&kept, channel.turn(), &payload)
    }

    /// A refund with what was earned before it, both signed.
    pub(super) fn refund_payload(
        &self,
        kept: &ChannelTerms,
        channel: ChannelId,
        voucher: Value,
        promise: &Promise,
        earnings: Option<&Earnings>,
    ) -> Option<Value> {
        let digest = refund_digest(&kept.contract, &channel, promise);
        let mut payload = json!({
            "type": "refund",
            "channelConfig": kept.config,
            "voucher": voucher,
            "amount": promise.amount.to_string(),
            "refundNonce": promise.nonce.to_string(),
            "claims": [],
            "refundAuthorizerSignature": self.authorize(kept, digest)?,
        });
        if let (Some(earnings), Value::Object(members)) = (earnings, &mut payload) {
            let (entry, row) = kept.claim(channel, earnings);
            let signature = self.authorize(kept, claim_digest(&kept.contract, &[entry]))?;
            members.insert("claims".to_string(), Value::from([row].to_vec()));
            members.insert("claimAuthorizerSignature".to_string(), Value::from(signature));
        }
        Some(payload)
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

    fn call(
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
        Some(FacilitatorCall {
            url,
            body: wire::request(Version::V2, &payment, &kept.requirements),
            secs,
            delay_ms: 0,
            guarded: false,
            draft: None,
            client_deadline: None,
            caller: Caller {
                network: String::new(),
                payer: String::new(),
                evidence: Evidence::Signed,
            },
            unproven: None,
        })
    }

    pub(super) fn send(
        &self,
        kept: &ChannelTerms,
        turn: u64,
        payload: &Value,
    ) -> Option<FacilitatorCall> {
        self.call(kept, turn, payload, self.settlement.settle_secs, Operation::Settle)
    }

    /// Signs for a channel with these terms, by the account that it names.
    pub(super) fn authorize(&self, kept: &ChannelTerms, digest: [u8; 32]) -> Option<String> {
        let signature = self.keys.authorizer_since(kept.restore)?.sign(&digest)?;
        Some(hex::encode_prefixed(&signature.to_bytes()))
    }
}

/// Seconds after which the list of channels is told again.
const LIST_RETRY_SECS: u64 = 15;

/// The terms that are kept beside a channel.
pub(super) struct ChannelTerms {
    pub config: Map<String, Value>,
    pub requirements: Map<String, Value>,
    pub contract: EscrowContract,
    /// The restore after which it was opened, Unix seconds; zero before the first one.
    pub restore: u64,
}

impl ChannelTerms {
    pub fn read(terms: &str) -> Option<Self> {
        let Ok(Value::Object(kept)) = json::parse(terms.as_bytes()) else { return None };
        Some(Self {
            config: kept.get("config")?.as_object()?.clone(),
            requirements: kept.get("requirements")?.as_object()?.clone(),
            contract: EscrowContract::batch_settlement(kept.get("chain")?.as_u64()?),
            restore: kept.get("restore").and_then(Value::as_u64).unwrap_or_default(),
        })
    }

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
}
