//! A facilitator with a [`Chain`] behind it, honest unless set otherwise.

use std::collections::VecDeque;

use farebox_core::encoding::base64;
use farebox_core::facilitator::reply::FacilitatorReply;
use serde_json::{Value, json};

pub use super::chain::{Chain, transaction_of};
use super::nonce_in;
use super::solana;

/// Behaviour of one `verify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verify {
    /// It looks at the chain and answers.
    Honest,
    /// No answer.
    Silent,
    /// The breaker is open: it is not asked.
    Spared,
    /// The key cannot sign: it is not asked.
    Unsigned,
    /// This status and body.
    Raw(u16, String),
}

/// Behaviour of one `settle`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settle {
    /// It settles and answers.
    Honest,
    /// No answer, nothing submitted.
    SilentBefore,
    /// The breaker is open: optional calls are not made.
    Spared,
    /// The key cannot sign: it is not asked.
    Unsigned,
    /// No answer, but the transaction lands.
    SilentAfter,
    /// No answer; the transaction lands when [`Chain::land`] says so, or never.
    SilentLate,
    /// `settlement_pending` with a hash; the transaction lands.
    Pending,
    /// `success: false` with this reason, nothing submitted.
    Refuse(&'static str),
    /// This status and body, nothing submitted. `TX` stands for this payment's transaction.
    Raw(u16, String),
    /// As the inner one, after this many milliseconds.
    Slow(u32, Box<Settle>),
}

/// Answer to a second `settle` of a settled payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// The same success.
    Idempotent,
    /// An error saying that the nonce is used, as from the reference facilitator.
    NonceUsed,
}

/// The facilitator.
#[derive(Clone)]
pub struct Facilitator {
    /// The chain it submits to.
    pub chain: Chain,
    /// Behaviour of the next `verify` calls.
    pub verify_plan: VecDeque<Verify>,
    /// Behaviour of the next `settle` calls.
    pub settle_plan: VecDeque<Settle>,
    /// Answer to repeats.
    pub repeats: Repeats,
    /// `verify` calls so far.
    pub verified: u32,
    /// Their nonces.
    verifies: Vec<String>,
    /// Bodies of the `settle` calls so far, by nonce.
    pub settles: Vec<(String, String)>,
    /// URLs that were called.
    pub urls: Vec<String>,
    /// What the last call would charge, of a payment with a bound.
    charged: Option<String>,
}

impl Facilitator {
    /// Honest, with an empty chain.
    pub fn new() -> Self {
        Self {
            chain: Chain::at(super::BEGIN),
            verify_plan: VecDeque::new(),
            settle_plan: VecDeque::new(),
            repeats: Repeats::NonceUsed,
            verified: 0,
            verifies: Vec::new(),
            settles: Vec::new(),
            urls: Vec::new(),
            charged: None,
        }
    }

    /// Answers one call, and returns the milliseconds that it takes.
    pub fn call(&mut self, url: &str, body: &str, now: u64) -> (FacilitatorReply, u32) {
        self.urls.push(url.to_owned());
        let request: Value = serde_json::from_str(body).unwrap();
        let payload = &request["paymentPayload"]["payload"];
        let permit = payload.get("permit2Authorization");
        let signed = permit.unwrap_or(&payload["authorization"]);
        let opaque = payload["transaction"].as_str().map(|text| base64::decode(text).unwrap());
        let nonce = match &opaque {
            Some(bytes) => solana::taken_once(bytes),
            None => nonce_in(body),
        };
        let before = match &opaque {
            Some(_) => u64::MAX,
            None => {
                let end = signed["validBefore"].as_str().or(signed["deadline"].as_str());
                // Beyond 64 bits it never ends.
                end.unwrap().parse().unwrap_or(u64::MAX)
            }
        };
        let value = &request["paymentRequirements"]["amount"];
        let value = signed["value"].as_str().or(value.as_str()).unwrap().parse().ok();
        self.chain.now = now;
        let mut fate = self.chain.fates.entry(nonce.clone()).or_default();
        // What has moved stays as it was signed.
        let mut spare = fate.clone();
        if fate.transfers > 0 {
            fate = &mut spare;
        }
        (fate.value, fate.until, fate.permit) = (value, Some(before), permit.is_some());
        fate.to = signed["to"].as_str().map(ToOwned::to_owned);
        // Nothing but the spender says which contract moves it.
        let is_upto = signed["spender"] == "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002";
        let facilitator = signed["witness"]["facilitator"].as_str().filter(|_| is_upto);
        fate.upto = facilitator.map(|it| (it.to_owned(), signed["permitted"]["amount"].clone()));
        let charged = facilitator.and(request["paymentRequirements"]["amount"].as_str());
        self.charged = charged.map(ToOwned::to_owned);
        let over = before <= now;
        if url.ends_with("/verify") {
            self.verified += 1;
            self.verifies.push(nonce.clone());
            let plan = self.verify_plan.pop_front().unwrap_or(Verify::Honest);
            return (self.verify(plan, &nonce, signed, over), 0);
        }
        assert!(url.ends_with("/settle"), "{url}");
        let mut plan = self.settle_plan.pop_front().unwrap_or(Settle::Honest);
        if !matches!(plan, Settle::Spared | Settle::Unsigned) {
            self.settles.push((nonce.clone(), body.to_owned()));
        }
        let mut took = 0;
        while let Settle::Slow(more, next) = plan {
            took += more;
            plan = *next;
        }
        let network = request["paymentRequirements"]["network"].as_str().unwrap();
        (self.settle(plan, &nonce, signed, network, over), took)
    }

    fn verify(
        &mut self,
        plan: Verify,
        nonce: &str,
        signed: &Value,
        over: bool,
    ) -> FacilitatorReply {
        let refused = |reason: &str| {
            answer(
                200,
                &json!({"isValid": false, "invalidReason": reason, "payer": signed["from"]}),
            )
        };
        match plan {
            Verify::Silent => FacilitatorReply::Nothing,
            Verify::Spared => FacilitatorReply::NotSent,
            Verify::Unsigned => FacilitatorReply::Unsigned,
            Verify::Raw(status, body) => raw(status, &body),
            Verify::Honest if self.chain.is_used(nonce) => {
                refused("invalid_exact_evm_nonce_already_used")
            }
            Verify::Honest if over => {
                refused("invalid_exact_evm_payload_authorization_valid_before")
            }
            Verify::Honest => answer(200, &json!({"isValid": true, "payer": signed["from"]})),
        }
    }

    fn settle(
        &mut self,
        plan: Settle,
        nonce: &str,
        signed: &Value,
        network: &str,
        over: bool,
    ) -> FacilitatorReply {
        let hash = match network.starts_with("solana:") {
            true => solana::transaction_of(nonce),
            false => transaction_of(nonce),
        };
        let charged = self.charged.clone();
        let success = || {
            let from = &signed["from"];
            let mut said =
                json!({"success": true, "payer": from, "transaction": hash, "network": network});
            if let Some(charged) = &charged {
                said["amount"] = json!(charged);
            }
            answer(200, &said)
        };
        let failure = |reason: &str, transaction: &str| {
            let from = &signed["from"];
            let body = json!({
                "success": false, "errorReason": reason, "payer": from, "transaction": transaction, "network": network,
            });
            answer(200, &body)
        };
        match plan {
            Settle::SilentBefore | Settle::Slow(..) => FacilitatorReply::Nothing,
            Settle::Spared => FacilitatorReply::NotSent,
            Settle::Unsigned => FacilitatorReply::Unsigned,
            Settle::SilentAfter => {
                let _ = over || self.submit(nonce, network);
                FacilitatorReply::Nothing
            }
            Settle::SilentLate => {
                self.chain.fates.entry(nonce.to_owned()).or_default().pending += u32::from(!over);
                FacilitatorReply::Nothing
            }
            Settle::Pending => {
                let _ = over || self.submit(nonce, network);
                failure("settlement_pending", &hash)
            }
            Settle::Refuse(reason) => failure(reason, ""),
            Settle::Raw(status, body) => raw(status, &body.replace("TX", &hash)),
            Settle::Honest => match (self.chain.is_used(nonce), self.repeats) {
                (true, Repeats::Idempotent) if self.chain.is_paid(nonce) => success(),
                (true, _) => failure("invalid_exact_evm_nonce_already_used", ""),
                (false, _) if over => {
                    failure("invalid_exact_evm_payload_authorization_valid_before", "")
                }
                (false, _) if self.submit(nonce, network) => success(),
                (false, _) => failure("invalid_exact_evm_payload_authorization_valid_before", ""),
            },
        }
    }

    /// Submits a payment to a chain, if it is unused.
    fn submit(&mut self, nonce: &str, network: &str) -> bool {
        match network.starts_with("solana:") {
            true => self.chain.take(nonce),
            false => self.chain.submit(nonce),
        }
    }

    /// Verify calls for one authorization.
    pub fn verified_of(&self, nonce: &str) -> usize {
        self.verifies.iter().filter(|other| *other == nonce).count()
    }

    /// Settle calls for one authorization.
    pub fn settles_of(&self, nonce: &str) -> usize {
        self.settles.iter().filter(|(other, _)| other == nonce).count()
    }
}

fn answer(status: u16, body: &Value) -> FacilitatorReply {
    raw(status, &body.to_string())
}

fn raw(status: u16, body: &str) -> FacilitatorReply {
    FacilitatorReply::Answer { status, is_json: !body.starts_with('<'), body: body.to_owned() }
}
