//! What has to hold of a treasury at every instant, in the end, and once answers have left.

use std::collections::BTreeMap;

use farebox_core::time::UnixTime;
use farebox_core::treasury::Now;
use farebox_core::treasury::message::{Answer, Command, Operation};
use farebox_core::treasury::row::{AttemptRow, Money, Stage};
use serde_json::Value;

use super::super::facilitated;
use super::super::world::{BUYER_KEY, caller};
use super::{Asker, CONFIRMATIONS, LIMIT, Life, Step, TREASURY};

impl Life {
    /// Whether another payment may be signed for the request of one that was signed: only a delivery
    /// with its receipt, the transfer of a delivery or the end of the authorization closes it.
    fn is_closed(&self, row: &AttemptRow) -> bool {
        let block = self.chain.get(&row.nonce);
        let is_dead = block.is_none() && self.now >= row.valid_before;
        let is_confirmed = block.is_some_and(|block| self.height - block + 1 >= CONFIRMATIONS);
        let (is_delivered, is_shown) = self.told.get(&row.id).copied().unwrap_or_default();
        is_dead || is_delivered && (is_shown || is_confirmed)
    }

    /// Says if an answer to the request begins a payment while an earlier one for it is not closed.
    pub(super) fn is_one_purchase(&self, answer: &Answer) -> Result<(), String> {
        let begun = match answer {
            Answer::Prepare(preparation) => &preparation.attempt,
            Answer::Send(order) => &order.attempt,
            _ => return Ok(()),
        };
        let open = |row: &&AttemptRow| row.header.is_some() && !self.is_closed(row);
        match self.rows.attempts.values().filter(open).find(|row| row.id != *begun) {
            Some(_) => Err("a request is paid again before its purchase is over".to_owned()),
            None => Ok(()),
        }
    }

    /// What has to hold at every instant.
    pub(super) fn check(&mut self) -> Result<(), String> {
        let mut counted = 0;
        let mut nonces: BTreeMap<&str, &String> = BTreeMap::new();
        for row in self.rows.attempts.values() {
            let key = self.rows.decisions[&row.decision].key.as_deref();
            let key = key.unwrap_or(&row.decision);
            let first = row.header.as_ref().and_then(|_| nonces.insert(key, &row.nonce));
            if first.is_some_and(|first| *first != row.nonce) {
                return Err(format!("two transfers are signed under {key}"));
            }
            if self.asker == Asker::Operator && facilitated::NONCES[key] != row.nonce {
                return Err("the nonce of a payout does not follow from its key".to_owned());
            }
            let decision = &self.rows.decisions[&row.decision];
            // What is open is sent again for whoever asks, for a time.
            let is_open = decision.open && !row.is_payout() && row.due.is_some();
            let is_executing = decision.stage == Stage::Executing;
            let counts = match row.money {
                Money::Reserved => true,
                Money::Signed | Money::Spent => is_executing || is_open,
                Money::Void => false,
            };
            if self.rows.open.contains(&row.id) != counts {
                return Err(format!("open: {counts}, and it does not count so"));
            }
            // A merchant that may have acted is asked twice for what changes nothing.
            let is_lost = decision.outcome == "inconclusive" && !decision.heard;
            let may_have_acted = decision.outcome == "allow" || is_lost;
            let may_repeat = decision.method == "GET" || !may_have_acted;
            let may_be_sent =
                counts && (row.money == Money::Reserved || is_executing || may_repeat);
            if self.rows.parcels.contains_key(&row.id) != may_be_sent {
                return Err(format!("sent: {may_be_sent}, and its request is not kept so"));
            }
            let value: u64 = row.value.parse().unwrap();
            let is_used = self.chain.contains_key(&row.nonce);
            match row.money {
                // What was never signed may be signed for another decision.
                Money::Void if is_used && row.header.is_some() => {
                    return Err("what is void has moved".to_owned());
                }
                Money::Spent if !is_used => return Err("what is spent has not moved".to_owned()),
                Money::Reserved if is_used => return Err("moved without a signature".to_owned()),
                Money::Void => {}
                Money::Reserved | Money::Signed | Money::Spent => counted += value,
            }
            if let Some((_, header)) = &row.header {
                let first =
                    self.headers.entry(row.decision.clone()).or_insert_with(|| header.clone());
                if first != header {
                    return Err("a decision has two signatures".to_owned());
                }
            }
        }
        if counted > LIMIT {
            return Err(format!("{counted} is counted, and {LIMIT} is the budget"));
        }
        for budget in self.rows.budgets.values() {
            let sum = budget.assets.first().map_or("0", |asset| asset.month.as_str());
            if sum != format!("{counted}000000000000") && !(counted == 0 && sum == "0") {
                return Err(format!("the budget has {sum}, and {counted} is counted"));
            }
        }
        let budgets = match self.asker {
            Asker::Agent | Asker::Keyless => 2,
            Asker::Operator => 1,
        };
        if counted > 0 && self.rows.budgets.len() < budgets {
            return Err("what is signed is not counted".to_owned());
        }
        let is_agent = self.asker != Asker::Operator;
        for row in self.rows.decisions.values().filter(|row| row.stage == Stage::Final) {
            if row.open && is_agent {
                // It delivered nothing so far, or without a receipt.
                match self.finals.contains_key(&row.id) {
                    true => return Err("what is over is open again".to_owned()),
                    false => continue,
                }
            }
            let body = self.finals.entry(row.id.clone()).or_insert_with(|| row.body.clone());
            if *body != row.body {
                return Err("a final decision changes".to_owned());
            }
        }
        Ok(())
    }

    /// Lets everything come to its end, and says what has none.
    pub fn settle(&mut self) -> Result<(), String> {
        self.works.clear();
        for _ in 0..60 {
            self.take_step(Step::Alarm)?;
            self.height += 3;
            self.now += 30;
            // What the alarm sends is lost.
            self.works.clear();
        }
        for row in self.rows.attempts.values() {
            let is_open = row.money == Money::Signed && row.why.is_none();
            if row.money == Money::Reserved || is_open {
                return Err(format!("{:?} has no end: {row:?}", row.money));
            }
            let is_used = self.chain.contains_key(&row.nonce);
            let is_signed = row.header.is_some();
            if (is_used && is_signed) != (row.money == Money::Spent) {
                return Err(format!("{:?} in the end, used: {is_used}", row.money));
            }
        }
        let payouts: Vec<String> = match self.asker {
            Asker::Agent | Asker::Keyless => Vec::new(),
            Asker::Operator => self.rows.decisions.keys().cloned().collect(),
        };
        for id in payouts {
            let Answer::Reply(reply) = self.apply(Command::Operate(Operation::Payout(id))) else {
                return Err("a payout is not told".to_owned());
            };
            let told: Value = serde_json::from_str(&reply.body).unwrap_or_default();
            let has_ended = told["state"] == "confirmed" || told["state"] == "void";
            if !has_ended && (told["state"] != "open" || told["openBecause"].is_null()) {
                return Err(format!("a payout has no end and no reason: {told}"));
            }
        }
        let mut executing =
            self.rows.decisions.values().filter(|row| row.stage == Stage::Executing);
        match executing.next() {
            Some(row) => Err(format!("a decision has no end: {row:?}")),
            None => self.outlive(),
        }
    }

    /// Lets the time of what merchants answered pass: each key stands for its decision, without it.
    fn outlive(&mut self) -> Result<(), String> {
        self.now += 3 * 86_400;
        loop {
            let random = self.random();
            let now = UnixTime::from_secs(self.now);
            let scene = Now { organization: "acme", now, random: &random };
            let changes = TREASURY.remove(&self.rows, scene).unwrap();
            if changes.is_empty() {
                break;
            }
            self.rows.write(changes);
        }
        for row in self.rows.decisions.values() {
            let Some(body) = self.finals.get_mut(&row.id) else { continue };
            let [mut before, mut after] =
                [&*body, &row.body].map(|body| serde_json::from_str::<Value>(body).unwrap());
            let told = |of: &mut Value| of.as_object_mut().unwrap().remove("merchantResponse");
            let (earlier, later) = (told(&mut before), told(&mut after));
            let is_long = |of: &Value| of["body"].as_str().is_some_and(|body| body.len() > 1_024);
            if before != after || earlier.is_some() != later.is_some() {
                return Err(format!("a decision changes with its answer: {row:?}"));
            }
            if later.as_ref().is_some_and(is_long) {
                return Err(format!("an answer outlives its time: {row:?}"));
            }
            row.body.clone_into(body);
        }
        let exchanged = self.apply(Command::Exchange(caller(BUYER_KEY)));
        let Answer::Reply(reply) = exchanged else { return Err("no token".to_owned()) };
        let told: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        told["token"].as_str().unwrap_or_default().clone_into(&mut self.token);
        let signed = self.headers.clone();
        for key in self.keys.keys().copied().collect::<Vec<_>>() {
            self.ask(key)?;
        }
        self.check()?;
        match self.headers == signed {
            true => Ok(()),
            false => Err("a key pays again once its answer has left".to_owned()),
        }
    }
}
