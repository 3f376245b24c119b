//! What happens at the gate without a client: alarms, claims, the payee's account, and time.

use std::collections::BTreeMap;

use farebox_core::amount::Amount;
use farebox_core::channel::claims::ClaimQueue;
use farebox_core::channel::desk::{ChannelDesk, Write};
use farebox_core::channel::errand::ChannelErrand;
use farebox_core::channel::payee::PayeeQueue;
use farebox_core::channel::payee::call::QueuedCall;
use farebox_core::channel::state::Channel;
use farebox_core::gate::Gate;
use farebox_core::gate::session::errand::{
    ErrandCall, next_call, take_claims_reply, take_reply, unlist_channel,
};
use farebox_core::gate::session::mpp::payout::{NodeTask, ask_channel, take_sight};
use farebox_core::time::UnixTime;
use serde_json::Value;

use super::super::chain::Funds;
use super::{Door, Row};

/// Rows of another time.
pub struct Backup(BTreeMap<String, Row>);

impl Door {
    /// The alarm of every channel; false if the machine died.
    pub fn alarm(&mut self) -> bool {
        let gate = self.gate;
        let names: Vec<String> = self.rows.keys().cloned().collect();
        for name in names {
            for _ in 0..8 {
                let asked = self.time();
                if !self.lives() {
                    return false;
                }
                let mut desk = self.desk(&name);
                if let Some((task, call)) = ask_channel(&mut desk, asked) {
                    self.write(&name, desk, Write::Channel, None);
                    if !self.lives() {
                        return false;
                    }
                    let reply = self.node.answer(&call.body);
                    if !self.lives() {
                        return false;
                    }
                    let mut desk = self.desk(&name);
                    let account = gate.payee();
                    let (write, due) =
                        take_sight(&mut desk, task, reply.as_deref(), asked, account);
                    self.write(&name, desk, write, None);
                    if !self.lives() {
                        return false;
                    }
                    if let Some(due) = due {
                        assert!(self.queues(&due));
                    }
                    continue;
                }
                let call = next_call(gate.channel_calls(), &mut desk, asked);
                let write = if call.is_some() { Write::Channel } else { Write::Nothing };
                self.write(&name, desk, write, None);
                let Some((task, call)) = call else {
                    let desk = self.desk(&name);
                    let ended = unlist_channel(&desk, gate.keeps().of_channels(), asked);
                    self.write(&name, desk, Write::Nothing, None);
                    if ended.is_some() {
                        self.rows.remove(&name);
                        self.desks.remove(&name);
                    }
                    break;
                };
                if !self.lives() {
                    return false;
                }
                let call = match call {
                    ErrandCall::Facilitator(call) => call,
                    // It waits until its claim was sent.
                    ErrandCall::Object(object, message) => {
                        let claim = ChannelDesk::of_claim(&message).unwrap();
                        self.claims.entry(object).or_default().take(claim);
                        break;
                    }
                };
                let reply = self.chain.answer(&call.url, &call.body);
                if !self.lives() {
                    return false;
                }
                let mut desk = self.desk(&name);
                let write = take_reply(&mut desk, task, &reply, asked, self.time());
                self.write(&name, desk, write, None);
            }
        }
        let claims = std::mem::take(&mut self.claims);
        if !claims.is_empty() {
            return claims.into_values().all(|queue| self.sends_claims(queue)) && self.alarm();
        }
        self.sends()
    }

    /// A round of the object that sends claims; false if the machine died.
    fn sends_claims(&mut self, mut queue: ClaimQueue) -> bool {
        let (calls, mut payout) = (self.gate.channel_calls(), None);
        loop {
            let batch = queue.batch();
            if batch.is_empty() {
                break;
            }
            let call = calls.claim(&batch).unwrap();
            let reply = self.chain.answer(&call.url, &call.body);
            if !self.lives() {
                return false;
            }
            payout = take_claims_reply(calls, &mut queue, &batch, &reply).or(payout);
        }
        if let Some(call) = payout {
            self.chain.answer(&call.url, &call.body);
        }
        self.lives()
    }

    /// A call is handed over to be sent; whether there was room.
    pub(super) fn queues(&mut self, due: &QueuedCall) -> bool {
        assert!(due.object().starts_with("payee/84532/0x"));
        let mut queue = PayeeQueue::from_row(&self.queue);
        let is_taken = queue.take(QueuedCall::of_message(&due.to_message()).unwrap(), self.time());
        self.queue = queue.to_row();
        is_taken
    }

    /// The row of what the payee's account sends.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The payee's queue is as an earlier version wrote it, which says no authorizations.
    pub fn forgets_authorizations(&mut self) {
        let is_data = |word: &&str| word.starts_with("0x");
        let mut old = |word: &str| match word.split_once('/').filter(|(data, _)| is_data(data)) {
            Some((data, _)) => data.to_owned(),
            None => word.to_owned(),
        };
        let rows = self.queue.split('\n');
        let rows = rows.map(|row| row.split(' ').map(&mut old).collect::<Vec<_>>().join(" "));
        self.queue = rows.collect::<Vec<_>>().join("\n");
    }

    /// A round of what the payee's account sends; false if the machine died.
    pub fn sends(&mut self) -> bool {
        let mut queue = PayeeQueue::from_row(&self.queue);
        let Some(account) = self.gate.payee() else { return true };
        let Some(call) = account.question(&mut queue) else { return true };
        self.queue = queue.to_row();
        self.node.now = self.now;
        let Some(said) = self.node.answer(&call.body) else { return true };
        if !self.lives() {
            return false;
        }
        let body = account.take_reply(&mut queue, &said, self.time());
        self.queue = queue.to_row();
        if !self.lives() {
            return false;
        }
        if let Some(body) = body {
            self.node.answer(&body);
        }
        true
    }

    /// What the alarm of the only channel asks the node, and what it says.
    pub fn asks(&mut self) -> Option<(NodeTask, Option<String>, UnixTime)> {
        let asked = self.time();
        self.node.now = self.now;
        let name = self.rows.keys().next()?.clone();
        let mut desk = self.desk(&name);
        let found = ask_channel(&mut desk, asked);
        self.write(&name, desk, Write::Channel, None);
        let (task, call) = found?;
        Some((task, self.node.answer(&call.body), asked))
    }

    /// Goes on with what the node said.
    pub fn hears(&mut self, (task, said, asked): (NodeTask, Option<String>, UnixTime)) {
        let name = self.rows.keys().next().unwrap().clone();
        let mut desk = self.desk(&name);
        let account = self.gate.payee();
        let (write, due) = take_sight(&mut desk, task, said.as_deref(), asked, account);
        self.write(&name, desk, write, None);
        if let Some(due) = due {
            assert!(self.queues(&due));
        }
        self.sends();
    }

    /// The answers that are kept: head and body of each.
    pub fn kept(&self) -> Vec<(String, Option<String>)> {
        let kept = |row: &Row| Some((row.kept.clone()?, row.body.clone()));
        self.rows.values().filter_map(kept).collect()
    }

    /// How many rows there are, and the seconds until something is due for the first.
    pub fn dues(&self) -> (usize, Option<u64>) {
        let now = self.time();
        let due = self.rows.values().next().and_then(|row| {
            let desk = ChannelDesk::from_row(&row.state, &row.terms, row.kept.clone())?;
            desk.next_due(self.gate.keeps().of_channels(), now)
        });
        (self.rows.len(), due.map(|due| due.secs().saturating_sub(self.now)))
    }

    /// The highest voucher that everyone may have read, by the row.
    pub fn published(&self) -> u64 {
        let row = self.rows.values().next().unwrap();
        Channel::from_row(&row.state).unwrap().published().to_string().parse().unwrap()
    }

    /// Seconds until the alarm of the only channel.
    pub fn rests(&self) -> Option<u64> {
        let row = self.rows.values().next()?;
        match Channel::from_row(&row.state)?.errand(self.time()) {
            ChannelErrand::Rest(next) => Some(next?.secs() - self.now),
            _ => Some(0),
        }
    }

    /// The rows of all channels are lost.
    pub fn forgets(&mut self) {
        self.restores(Backup(BTreeMap::new()));
    }

    /// The rows of all channels as they are now.
    pub fn backup(&self) -> Backup {
        Backup(self.rows.clone())
    }

    /// All objects begin anew with these rows.
    pub fn restores(&mut self, backup: Backup) {
        self.rows = backup.0;
        self.desks.clear();
    }

    /// The same, and the gate with these variables is told so, beside the restores that they name.
    pub fn restores_under(&mut self, backup: Backup, mut vars: Value) {
        self.now += 60;
        self.restores(backup);
        vars["LEDGER_CLOSED_BEFORE"] = match vars["LEDGER_CLOSED_BEFORE"].as_u64() {
            Some(earlier) => format!("{},{earlier}", self.now).into(),
            None => self.now.into(),
        };
        self.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
    }

    /// Lets time go on with alarms until all that was earned is with the payee.
    pub fn rest(&mut self) {
        for _ in 0..120 {
            self.now += 30;
            self.alarm();
            self.check();
        }
    }

    /// The only channel in the contract.
    pub fn funds(&self) -> Funds {
        self.chain.channels.values().next().cloned().unwrap_or_default()
    }

    /// Spent and accepted, by the row.
    pub fn book(&self) -> (u64, u64) {
        let Some(row) = self.rows.values().next() else { return (0, 0) };
        let channel = Channel::from_row(&row.state).unwrap();
        let count = |amount: Amount| amount.to_string().parse().unwrap();
        (count(channel.spent()), count(channel.accepted()))
    }

    /// What holds at every instant.
    pub fn check(&self) {
        let (funds, (spent, accepted)) = (self.funds(), self.book());
        assert!(funds.claimed <= spent, "{} claimed of {spent}", funds.claimed);
        assert!(spent <= accepted, "{spent} spent of {accepted}");
        assert!(accepted <= self.signed, "{accepted} accepted of {}", self.signed);
        assert!(spent <= funds.balance, "{spent} earned of {}", funds.balance);
        let mut answers = self.delivered.clone();
        answers.sort();
        answers.dedup();
        let worth = answers.iter().map(|(_, answer)| self.costs[answer]).sum::<u64>();
        assert!(worth <= spent, "{worth} delivered for {spent}");
    }
}
