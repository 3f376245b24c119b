//! A ledger of one object in memory, around the rules that ship.

use std::collections::BTreeMap;
use std::convert::Infallible;

use farebox_core::gate::call::LedgerCall;
use farebox_core::ledger::entry::Plan;
use farebox_core::ledger::shard::{self, Change, Response, Scene, Shard, Slot};
use farebox_core::ledger::{Entry, LedgerReply};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;

/// One object with its rows. A host has as many as the gate names and wakes each when [`Shard::next_due`] says so; what a
/// change names has to survive the host before the answer leaves.
pub struct Ledger {
    plan: Plan,
    shard: Shard,
    rows: Rows,
}

impl Ledger {
    /// No rows yet, and these recovery times.
    pub fn new(plan: Plan) -> Self {
        Self { plan, shard: Shard::default(), rows: Rows::default() }
    }

    /// One command: decided, written and kept in one go. No other one may come in between.
    pub fn order(&mut self, call: &LedgerCall, body: &str, now: UnixTime) -> LedgerReply {
        let scene = Scene { plan: &self.plan, notifies: false, has_room: true, now };
        let envelope = serde_json::from_str(&call.command).unwrap();
        let body = call.with_body.then_some(body.as_bytes());
        let Ok(decision) = self.shard.order(envelope, body, &self.rows, &scene);
        for change in decision.changes.clone() {
            match change {
                Change::Insert(slot, entry, _) | Change::Update(slot, entry, _) => {
                    drop(self.rows.payments.insert(slot, *entry));
                }
                Change::Store(slot, response) => drop(self.rows.responses.insert(slot, response)),
                other => panic!("no payment of this example comes to {other:?}"),
            }
        }
        self.shard.keep(&decision.changes, &scene);
        decision.reply
    }
}

/// What the object has stored, in tables with these keys.
#[derive(Default)]
struct Rows {
    payments: BTreeMap<Slot, Entry>,
    responses: BTreeMap<Slot, Response>,
}

impl shard::Rows for Rows {
    type Error = Infallible;
    fn find(&self, slot: &Slot) -> Result<Option<Entry>, Infallible> {
        Ok(self.payments.get(slot).cloned())
    }
    fn owners(&self, _: &str, transaction: &TxHash) -> Result<Vec<Slot>, Infallible> {
        let owns = |entry: &Entry| entry.owned() == Some(*transaction);
        let rows = self.payments.iter().filter(|(_, entry)| owns(entry));
        Ok(rows.map(|(slot, _)| slot.clone()).collect())
    }
    fn by_receipt(&self, receipt: &str) -> Result<Option<Slot>, Infallible> {
        let row = self.payments.iter().find(|(_, entry)| entry.payment.receipt == receipt);
        Ok(row.map(|(slot, _)| slot.clone()))
    }
    fn response(&self, slot: &Slot) -> Result<Option<Response>, Infallible> {
        Ok(self.responses.get(slot).cloned())
    }
    // One object alone: nothing moves, stands for another payment or is paid back.
    fn original(&self, _: &Slot) -> Result<Option<String>, Infallible> {
        Ok(None)
    }
    fn is_moved(&self, _: &Slot) -> Result<bool, Infallible> {
        Ok(false)
    }
    fn refunds_another(&self, _: &TxHash, _: &Slot) -> Result<bool, Infallible> {
        Ok(false)
    }
}
