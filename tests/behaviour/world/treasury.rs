//! The treasury that pays debts back: payouts by their key, and a plan of faults.

use std::collections::{BTreeMap, VecDeque};

use farebox_core::gate::call::TreasuryCall;
use farebox_core::payout::PayoutAnswer;
use serde_json::{Value, json};

use super::chain::Chain;

/// What becomes of a request for a payout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Luck {
    /// It is paid.
    #[default]
    Pays,
    /// The request does not arrive.
    Down,
    /// It is paid, and the answer does not come back.
    AnswerLost,
    /// Refused before anything is written, with this code.
    Refuses(u32, &'static str),
    /// A payout that is neither sent nor ended.
    Open(&'static str),
    /// It never moves.
    Fails,
    /// It is called sent, and nothing moves.
    Lies,
}

/// A payout, as it was first answered.
#[derive(Clone, Debug)]
struct Payout {
    order: Value,
    outcome: &'static str,
    transaction: Option<String>,
}

/// The treasury.
#[derive(Clone, Debug, Default)]
pub struct Treasury {
    /// What becomes of the next orders.
    pub plan: VecDeque<Luck>,
    /// Orders that arrived.
    pub orders: Vec<Value>,
    /// Requests for what became of one.
    pub looks: u32,
    payouts: BTreeMap<String, Payout>,
}

impl Treasury {
    /// Answers a request, and pays on this chain.
    pub fn answer(&mut self, call: &TreasuryCall, chain: &mut Chain) -> Option<PayoutAnswer> {
        let told =
            |status: u32, body: &Value| Some(PayoutAnswer { status, body: body.to_string() });
        let Some(body) = &call.body else {
            self.looks += 1;
            let path = call.path.strip_suffix("?organization=acme").unwrap();
            let key = path.strip_prefix("/api/payouts/po-").unwrap();
            let Payout { outcome, transaction, .. } = &self.payouts[key];
            let state = match *outcome {
                "failed" => "void",
                _ => "open",
            };
            let said = json!({
                "id": format!("po-{key}"), "state": state, "outcome": outcome,
                "transaction": transaction,
            });
            return told(200, &said);
        };
        assert_eq!(call.path, "/api/payouts");
        let luck = self.plan.pop_front().unwrap_or_default();
        if luck == Luck::Down {
            return None;
        }
        let order: Value = serde_json::from_str(body).unwrap();
        self.orders.push(order.clone());
        if let Luck::Refuses(status, code) = luck {
            return told(status, &json!({ "code": code }));
        }
        let named = order["idempotencyKey"].as_str().unwrap().to_owned();
        let key = named.strip_prefix("refund:").unwrap().to_owned();
        let payout = self.payouts.entry(key.clone()).or_insert_with(|| {
            let text = |name: &str| order[name].as_str().unwrap();
            let mut pays = || Some(chain.give(&named, text("from"), text("to"), text("amount")));
            let (outcome, transaction) = match luck {
                Luck::Pays | Luck::AnswerLost => ("sent", pays()),
                Luck::Open(outcome) => (outcome, None),
                Luck::Fails => ("failed", None),
                Luck::Lies => ("sent", Some(format!("0x{}", "ef".repeat(32)))),
                Luck::Down | Luck::Refuses(..) => unreachable!(),
            };
            Payout { order: order.clone(), outcome, transaction }
        });
        assert_eq!(payout.order, order, "one key, one order");
        let said = json!({
            "id": format!("po-{key}"), "outcome": payout.outcome,
            "evidence": {"transaction": payout.transaction},
        });
        if luck == Luck::AnswerLost { None } else { told(201, &said) }
    }

    /// Payouts that have moved money.
    pub fn paid(&self) -> usize {
        self.payouts.values().filter(|it| it.outcome == "sent").count()
    }
}
