//! A treasury in memory, whose payouts a chain carries out once for each key.

use std::collections::{BTreeMap, BTreeSet};

use farebox_core::amount::Amount;
use farebox_core::compute::message::{PayoutAnswer, PayoutCall};
use farebox_core::evm::address::Address;
use serde_json::{Value, json};

use super::world::{ESCROW, TX};

/// What the treasury does with the next payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Luck {
    /// It is sent, and arrives.
    Arrives,
    /// Its outcome is unknown, and it arrives.
    Doubted,
    /// Its outcome is unknown, and it never moves.
    Lost,
    /// Nothing is sent.
    Fails,
    /// It is refused before a payout is made.
    Denies,
}

/// A payout, by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    pub to: String,
    pub amount: u64,
    pub luck: Luck,
}

/// A treasury and its chain: each key is one payout for ever.
#[derive(Clone, Debug, Default)]
pub struct Treasury {
    pub payouts: BTreeMap<String, Payout>,
    /// Payments in the escrow contract, by their names there.
    pub entrusted: BTreeMap<String, Entrusted>,
    pub luck: Option<Luck>,
    /// Keys of payouts that have moved, and that it knows no more.
    forgotten: BTreeSet<String>,
}

/// A payment in the escrow contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrusted {
    /// Buyer, seller, amount and what paid it.
    pub facts: [String; 4],
    /// `funded`, `released` or `refunded`.
    pub goal: String,
    /// What the chain has reached of it.
    pub reached: String,
}

impl Entrusted {
    /// To whom it went, if it left.
    pub fn left(&self) -> Option<(String, u64)> {
        let [buyer, seller, amount, _] = &self.facts;
        let to = match self.reached.as_str() {
            "released" => seller,
            "refunded" => buyer,
            _ => return None,
        };
        Some((to.to_lowercase(), amount.parse().unwrap()))
    }
}

impl Treasury {
    pub fn answer(&mut self, ask: &PayoutCall) -> PayoutAnswer {
        let told = |status: u32, body: Value| PayoutAnswer { status, body: body.to_string() };
        match ask {
            PayoutCall::Pay(body) => {
                let body: Value = serde_json::from_str(body).unwrap();
                if body.get("contract").is_some() {
                    return self.entrust(&body);
                }
                let key = body["idempotencyKey"].as_str().unwrap().to_owned();
                let amount = Amount::from_decimal(body["amount"].as_str().unwrap(), 6).unwrap();
                let amount: u64 = amount.to_string().parse().unwrap();
                let to = body["to"].as_str().unwrap();
                assert_eq!(Address::parse(to).unwrap().to_checksum(), to);
                let luck = self.luck.unwrap_or(Luck::Arrives);
                let asked = Payout { to: to.to_lowercase(), amount, luck };
                if !self.payouts.contains_key(&key) && luck == Luck::Denies {
                    return told(403, json!({"code": "payouts_budget_exceeded"}));
                }
                self.forgotten.remove(&key);
                let known = self.payouts.entry(key.clone()).or_insert(asked.clone());
                if (&known.to, known.amount) != (&asked.to, asked.amount) {
                    return told(409, json!({"code": "idempotency_key_conflict"}));
                }
                let outcome = match known.luck {
                    Luck::Arrives => "sent",
                    Luck::Doubted | Luck::Lost => "unknown",
                    Luck::Fails | Luck::Denies => "failed",
                };
                let evidence = json!({"transaction": (outcome == "sent").then_some(TX)});
                told(201, json!({"id": key, "outcome": outcome, "evidence": evidence}))
            }
            PayoutCall::Refunding { .. } => match self.luck {
                Some(Luck::Denies) => told(409, json!({"code": "refund_begun"})),
                _ => told(200, json!({"state": "refund_due"})),
            },
            PayoutCall::Refunded { .. } => match self.luck.unwrap_or(Luck::Arrives) {
                Luck::Arrives | Luck::Doubted => told(200, json!({"state": "refunded"})),
                Luck::Lost | Luck::Fails | Luck::Denies => {
                    told(409, json!({"code": "wrong_state"}))
                }
            },
            PayoutCall::Look { id, .. } => {
                let known = self.payouts.get(id).filter(|_| !self.forgotten.contains(id));
                let Some(known) = known else { return told(404, json!({"code": "not_found"})) };
                let state = match known.luck {
                    Luck::Arrives | Luck::Doubted => "confirmed",
                    Luck::Lost | Luck::Fails | Luck::Denies => "void",
                };
                let outcome = "unknown";
                told(200, json!({"id": id, "outcome": outcome, "state": state, "transaction": TX}))
            }
        }
    }

    /// Restores it from before all payouts. What has moved stays so.
    pub fn forget(&mut self) {
        self.payouts.retain(|_, it| matches!(it.luck, Luck::Arrives | Luck::Doubted));
        self.forgotten = self.payouts.keys().cloned().collect();
    }

    /// Has a payment of the contract registered, released or refunded: its facts never change, and
    /// where it goes is decided once.
    fn entrust(&mut self, body: &Value) -> PayoutAnswer {
        let told = |status: u32, body: Value| PayoutAnswer { status, body: body.to_string() };
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        assert_eq!((text("contract"), text("wallet")), (ESCROW.to_owned(), "escrow".to_owned()));
        assert_eq!(text("payment").len(), 66);
        let facts = ["buyer", "seller", "amountMinor", "settlement"].map(text);
        for wallet in &facts[..2] {
            assert_eq!(&Address::parse(wallet).unwrap().to_checksum(), wallet);
        }
        let luck = self.luck.unwrap_or(Luck::Arrives);
        if luck == Luck::Denies {
            return told(403, json!({"code": "payouts_not_allowed"}));
        }
        let (funded, none) = ("funded".to_owned(), String::new());
        let fresh = Entrusted { facts: facts.clone(), goal: funded.clone(), reached: none };
        let is_used = |(name, it): (&String, &Entrusted)| {
            *name != text("payment") && it.facts[3] == facts[3] && !it.reached.is_empty()
        };
        if self.entrusted.iter().any(is_used) {
            // The contract takes each settlement once.
            let body = json!({"id": "", "outcome": "executing", "state": "executing"});
            self.entrusted.entry(text("payment")).or_insert(fresh);
            return told(200, body);
        }
        let known = self.entrusted.entry(text("payment")).or_insert(fresh);
        let was_there = known.goal == text("goal") && known.reached == known.goal;
        if known.facts != facts {
            return told(409, json!({"code": "idempotency_key_conflict"}));
        }
        let goal = text("goal");
        if goal != funded && known.goal != goal {
            if known.goal != funded {
                return told(409, json!({"code": "escrow_decided"}));
            }
            known.goal = goal;
        }
        if matches!(luck, Luck::Arrives | Luck::Doubted) {
            known.reached.clone_from(&known.goal);
        }
        let is_there = known.reached == known.goal && luck != Luck::Doubted;
        let (outcome, state) = match (is_there, was_there) {
            (true, true) => ("sent", "confirmed"),
            (true, false) => ("sent", "open"),
            (false, _) => ("executing", "executing"),
        };
        let hash = is_there.then_some(TX);
        let id = format!("esc_{}", text("payment"));
        told(200, json!({"id": id, "outcome": outcome, "state": state, "transaction": hash}))
    }

    /// What arrived at a wallet.
    pub fn arrived(&self, to: &str) -> u64 {
        let moved = self
            .payouts
            .values()
            .filter(|it| it.to == to && matches!(it.luck, Luck::Arrives | Luck::Doubted));
        let left = self.entrusted.values().filter_map(Entrusted::left);
        let left = left.filter(|(whose, _)| whose == to).map(|(_, amount)| amount);
        moved.map(|it| it.amount).chain(left).sum()
    }
}
