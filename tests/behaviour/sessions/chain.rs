//! The contract of x402 `batch-settlement` and a facilitator in front of it, as far as sessions use them.

use std::collections::{BTreeMap, BTreeSet};

use farebox_core::amount::Amount;
use farebox_core::channel::authorizer::{ClaimEntry, claim_digest, refund_digest};
use farebox_core::channel::config::{ChannelConfig, ChannelId};
use farebox_core::channel::escrow::EscrowContract;
use farebox_core::channel::state::Promise;
use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::signature::Signature;
use farebox_core::facilitator::reply::FacilitatorReply;
use serde_json::{Value, json};

use crate::world::CHAIN;

/// A channel in the contract.
#[derive(Clone, Debug, Default)]
pub struct Funds {
    pub balance: u64,
    pub claimed: u64,
    /// What of it the payee has.
    pub paid: u64,
    /// When the payer asked to withdraw; zero if never.
    pub leaving: u64,
    nonce: u64,
}

/// How the facilitator behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It works.
    Works,
    /// It does what is asked, and its answer is lost.
    Mute,
    /// It does nothing.
    Down,
    /// It verifies, and what it is to settle it does not answer.
    Stuck,
}

/// Contract and facilitator.
#[derive(Clone, Debug)]
pub struct Escrowed {
    pub channels: BTreeMap<String, Funds>,
    deposits: BTreeSet<String>,
    pub manner: Manner,
    pub verified: u64,
    pub settled: u64,
    /// What was asked last.
    pub asked: Value,
    /// Facilitators at URLs that begin so serve no sessions.
    pub unserved: &'static str,
    /// A deposit is not made, and answered with this status as if it were, but for these members.
    pub odd: Option<(u16, Value)>,
    /// What it states after a deposit has that deposit twice.
    pub doubles: bool,
    /// Payouts that it still answers with a failure of its own.
    pub payouts_fail: u64,
    /// Channels of which no claim is taken.
    pub refused: BTreeSet<String>,
    /// The channels of each transaction that claims.
    pub batches: Vec<Vec<String>>,
}

impl Escrowed {
    pub fn new() -> Self {
        let (channels, deposits) = (BTreeMap::new(), BTreeSet::new());
        Self {
            channels,
            deposits,
            manner: Manner::Works,
            verified: 0,
            settled: 0,
            asked: Value::Null,
            unserved: "none",
            odd: None,
            doubles: false,
            payouts_fail: 0,
            refused: BTreeSet::new(),
            batches: Vec::new(),
        }
    }

    /// Answers a call of the gate.
    pub fn answer(&mut self, url: &str, body: &str) -> FacilitatorReply {
        let asked: Value = serde_json::from_str(body).unwrap();
        if url.starts_with(self.unserved) {
            let body = json!({"error": "no scheme of this name is registered"}).to_string();
            return FacilitatorReply::Answer { status: 500, is_json: true, body };
        }
        let payload = &asked["paymentPayload"]["payload"];
        self.asked = payload.clone();
        let is_verify = url.ends_with("/verify");
        *(if is_verify { &mut self.verified } else { &mut self.settled }) += 1;
        if self.manner == Manner::Down || self.manner == Manner::Stuck && !is_verify {
            return FacilitatorReply::Nothing;
        }
        if let Some((status, members)) = self.odd.as_ref().filter(|_| !is_verify) {
            let body = self.lie(payload, members).to_string();
            return FacilitatorReply::Answer { status: *status, is_json: true, body };
        }
        if payload["type"] == "settle" && self.payouts_fail > 0 {
            self.payouts_fail -= 1;
            let body = json!({"error": "internal"}).to_string();
            return FacilitatorReply::Answer { status: 500, is_json: true, body };
        }
        let said = if is_verify { self.verify(payload) } else { self.settle(payload) };
        match self.manner {
            Manner::Works | Manner::Stuck => {
                FacilitatorReply::Answer { status: 200, is_json: true, body: said.to_string() }
            }
            Manner::Mute | Manner::Down => FacilitatorReply::Nothing,
        }
    }

    fn verify(&self, payload: &Value) -> Value {
        let id = text(&payload["voucher"]["channelId"]);
        let shown = count(&payload["voucher"]["maxClaimableAmount"]);
        let funds = self.channels.get(&id).cloned().unwrap_or_default();
        let (kind, added) = (text(&payload["type"]), &payload["deposit"]["amount"]);
        let added = if kind == "deposit" { count(added) } else { 0 };
        let claimed = if kind == "refund" { funds.claimed } else { funds.claimed + 1 };
        let why = match funds.balance + added {
            0 => "channel_not_found",
            balance if shown > balance => "cumulative_exceeds_balance",
            _ if shown < claimed => "cumulative_below_claimed",
            _ => return json!({"isValid": true, "extra": self.state(&id)}),
        };
        json!({"isValid": false, "invalidReason": format!("invalid_batch_settlement_evm_{why}")})
    }

    fn state(&self, id: &str) -> Value {
        let funds = self.channels.get(id).cloned().unwrap_or_default();
        json!({
            "channelId": id, "balance": funds.balance.to_string(),
            "totalClaimed": funds.claimed.to_string(), "withdrawRequestedAt": funds.leaving,
            "refundNonce": funds.nonce.to_string(),
        })
    }

    fn settle(&mut self, payload: &Value) -> Value {
        let id = text(&payload["voucher"]["channelId"]);
        match payload["type"].as_str().unwrap() {
            "deposit" => {
                let salt = &payload["deposit"]["authorization"]["erc3009Authorization"]["salt"];
                if !self.deposits.insert(format!("{id} {salt}")) {
                    return failed("deposit_simulation_failed");
                }
                let amount = count(&payload["deposit"]["amount"]);
                self.channels.entry(id.clone()).or_default().balance += amount;
                let mut said = self.done(&id, amount);
                if self.doubles {
                    let stated = self.channels[&id].balance + amount;
                    said["extra"]["channelState"]["balance"] = json!(stated.to_string());
                }
                said
            }
            "claim" => match self.claim(payload) {
                Some(id) => self.done(&id, 0),
                None => failed("claim_simulation_failed"),
            },
            "refund" => {
                if payload["claims"].as_array().is_some_and(|claims| !claims.is_empty()) {
                    self.claim(payload);
                }
                match self.refund(payload) {
                    Some((id, amount)) => self.done(&id, amount),
                    None => failed("refund_simulation_failed"),
                }
            }
            "settle" => {
                let owed = |funds: &Funds| funds.claimed - funds.paid;
                if self.channels.values().map(owed).sum::<u64>() == 0 {
                    return failed("nothing_to_settle");
                }
                for funds in self.channels.values_mut() {
                    funds.paid = funds.claimed;
                }
                json!({"success": true, "transaction": "0xaa", "network": format!("eip155:{CHAIN}")})
            }
            other => panic!("{other}"),
        }
    }

    fn lie(&self, payload: &Value, members: &Value) -> Value {
        let amount = count(&payload["deposit"]["amount"]);
        let mut said = self.done(&text(&payload["voucher"]["channelId"]), amount);
        said["extra"]["channelState"]["balance"] = json!(amount.to_string());
        for (name, value) in members.as_object().unwrap() {
            match name.as_str() {
                "channelId" | "balance" | "totalClaimed" => {
                    said["extra"]["channelState"][name] = value.clone();
                }
                name => said[name] = value.clone(),
            }
        }
        said
    }

    fn done(&self, id: &str, amount: u64) -> Value {
        let state = self.state(id);
        json!({
            "success": true, "transaction": format!("0x{}", "cd".repeat(32)),
            "network": format!("eip155:{CHAIN}"), "amount": amount.to_string(),
            "extra": {"channelState": state},
        })
    }

    /// All claims of a batch, or none, as in the contract: the first one's channel.
    fn claim(&mut self, payload: &Value) -> Option<String> {
        let claims = payload["claims"].as_array().unwrap();
        let entries = claims.iter().map(|claim| ClaimEntry {
            channel: config(&claim["voucher"]["channel"]).id(&contract()),
            max_claimable: units(count(&claim["voucher"]["maxClaimableAmount"])),
            total: units(count(&claim["totalClaimed"])),
        });
        let entries: Vec<ClaimEntry> = entries.collect();
        let digest = claim_digest(&contract(), &entries);
        let by = signer(&payload["claimAuthorizerSignature"], &digest);
        let mut after = self.channels.clone();
        let mut is_news = false;
        for (claim, entry) in claims.iter().zip(&entries) {
            let id = entry.channel.to_string();
            let total = count(&claim["totalClaimed"]);
            let funds = after.get_mut(&id)?;
            let is_right = by == config(&claim["voucher"]["channel"]).receiver_authorizer
                && entry.total <= entry.max_claimable
                && total <= funds.balance
                && !self.refused.contains(&id);
            is_right.then_some(())?;
            is_news |= funds.claimed < total;
            funds.claimed = funds.claimed.max(total);
        }
        is_news.then_some(())?;
        self.channels = after;
        self.batches.push(entries.iter().map(|entry| entry.channel.to_string()).collect());
        Some(entries.first()?.channel.to_string())
    }

    fn refund(&mut self, payload: &Value) -> Option<(String, u64)> {
        let config = config(&payload["channelConfig"]);
        let (nonce, amount) = (count(&payload["refundNonce"]), count(&payload["amount"]));
        let channel: ChannelId = config.id(&contract());
        let promise = Promise { nonce: units(nonce), amount: units(amount) };
        let digest = refund_digest(&contract(), &channel, &promise);
        let by = signer(&payload["refundAuthorizerSignature"], &digest);
        let funds = self.channels.get_mut(&channel.to_string())?;
        if by != config.receiver_authorizer || nonce != funds.nonce {
            return None;
        }
        let paid = amount.min(funds.balance - funds.claimed);
        (funds.nonce, funds.balance) = (funds.nonce + 1, funds.balance - paid);
        Some((channel.to_string(), paid))
    }
}

pub const fn contract() -> EscrowContract {
    EscrowContract::batch_settlement(CHAIN)
}

pub const fn units(amount: u64) -> Amount {
    Amount::from_u64(amount)
}

fn failed(why: &str) -> Value {
    json!({"success": false, "errorReason": format!("invalid_batch_settlement_evm_{why}")})
}

fn signer(signature: &Value, digest: &[u8; 32]) -> Address {
    Signature::parse(&text(signature)).unwrap().recover(digest).unwrap()
}

/// The configuration of a channel as it stands in payments.
pub fn config(members: &Value) -> ChannelConfig {
    let address = |name: &str| Address::parse(members[name].as_str().unwrap()).unwrap();
    ChannelConfig {
        payer: address("payer"),
        payer_authorizer: address("payerAuthorizer"),
        receiver: address("receiver"),
        receiver_authorizer: address("receiverAuthorizer"),
        token: address("token"),
        withdraw_delay_secs: members["withdrawDelay"].as_u64().unwrap(),
        salt: hex::decode_array(members["salt"].as_str().unwrap()).unwrap(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}
