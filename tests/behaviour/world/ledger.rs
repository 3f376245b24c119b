//! The ledger objects: maps of rows and a plan of faults around the shipped shard.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;

use farebox_core::gate::alarm::RecoveryStep;
use farebox_core::ledger::attempts::{Count, FailureStreak, StreakKey};
use farebox_core::ledger::command::{Asking, VERSION};
use farebox_core::ledger::entry::Plan;
use farebox_core::ledger::quota::Spend;
use farebox_core::ledger::read::{Read, RowReply};
use farebox_core::ledger::report::Decision;
use farebox_core::ledger::room::Room;
use farebox_core::ledger::row::Row;
use farebox_core::ledger::shard::{
    self, Change, Decided, Due, Places, QuestionAnswer, Response, Scene, Shard, Slot, Transition,
    is_open,
};
use farebox_core::ledger::take::{Holder, Take};
use farebox_core::ledger::{Entry, Envelope, LedgerReply, State};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A fault of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerFault {
    /// No fault.
    Fine,
    /// The call does not arrive.
    Down,
    /// The call is carried out, its answer is lost.
    ReplyLost,
    /// The write fails: none of it is kept, and no answer leaves.
    WriteFails,
}

/// The storage of one object.
#[derive(Clone, Default)]
pub struct Rows {
    /// The whole entries, for whoever looks at a row.
    payments: BTreeMap<Slot, Entry>,
    /// Those that are at rest, of which an object keeps less.
    at_rest: BTreeSet<Slot>,
    responses: BTreeMap<Slot, Response>,
    aliases: BTreeMap<Slot, String>,
    moved: BTreeMap<Slot, u64>,
    taken: BTreeMap<(String, String), String>,
}

impl shard::Rows for Rows {
    type Error = Infallible;

    fn find(&self, slot: &Slot) -> Result<Option<Entry>, Infallible> {
        let read = |entry: &Entry| match self.at_rest.contains(slot) {
            true => stored(&Entry { payment: entry.kept_payment(), ..entry.clone() }),
            false => stored(entry),
        };
        Ok(self.payments.get(slot).map(read))
    }

    fn original(&self, slot: &Slot) -> Result<Option<String>, Infallible> {
        Ok(self.aliases.get(slot).cloned())
    }

    fn is_moved(&self, slot: &Slot) -> Result<bool, Infallible> {
        Ok(self.moved.contains_key(slot))
    }

    fn owners(&self, network: &str, transaction: &TxHash) -> Result<Vec<Slot>, Infallible> {
        let owns =
            |entry: &Entry| entry.payment.network == network && entry.owned() == Some(*transaction);
        let rows = self.payments.iter().filter(|(_, entry)| owns(entry));
        Ok(rows.map(|(slot, _)| slot.clone()).take(2).collect())
    }

    fn refunds_another(&self, refund: &TxHash, slot: &Slot) -> Result<bool, Infallible> {
        let paid_back = |entry: &Entry| matches!(&entry.state, State::Refunded { refund: it, .. } if it == refund);
        Ok(self.payments.iter().any(|(other, entry)| other != slot && paid_back(entry)))
    }

    fn by_receipt(&self, receipt: &str) -> Result<Option<Slot>, Infallible> {
        let row = self.payments.iter().find(|(_, entry)| entry.payment.receipt == receipt);
        Ok(row.map(|(slot, _)| slot.clone()))
    }

    fn response(&self, slot: &Slot) -> Result<Option<Response>, Infallible> {
        Ok(self.responses.get(slot).cloned())
    }
}

/// An entry as read back from its columns.
fn stored(entry: &Entry) -> Entry {
    let read = Row::of(entry).into_entry(entry.payment.clone(), entry.leases);
    assert_eq!(read, *entry, "a row must read as it was written");
    read
}

/// One object.
#[derive(Clone, Default)]
struct Object {
    rows: Rows,
    shard: Shard,
}

/// All ledger objects.
#[derive(Clone)]
pub struct Ledger {
    objects_by_name: BTreeMap<String, Object>,
    pub recovery: Plan,
    /// Alarms that fired.
    pub alarms: u32,
    /// Whether alarms fire by themselves before each command.
    pub is_punctual: bool,
    /// Faults of the next calls.
    pub plan: VecDeque<LedgerFault>,
    /// Calls that arrived.
    pub commands: u32,
    /// Every change of state: key, before, after.
    pub transitions: Vec<(String, String, String)>,
    /// Whether the operator is notified of rows.
    pub notifies: bool,
    /// How full each object is.
    pub room: Room,
    /// The notices that they have received, by name.
    pub notices: Vec<&'static str>,
    /// The clients that they were told have failed too often.
    pub too_often: Vec<String>,
    /// Objects that were asked.
    pub objects: Vec<String>,
    /// Failure streaks.
    pub failures: BTreeMap<StreakKey, FailureStreak>,
    /// Free requests used, by day and client.
    pub quota: BTreeMap<(u64, String), u64>,
    /// The next answer to a request for a free request.
    pub says: Option<String>,
}

/// Result of a call.
pub struct Heard<A> {
    /// The answer, unless it was lost.
    pub answer: Option<LedgerReply<A>>,
    /// The stored body that goes with a replay.
    pub body: Option<Vec<u8>>,
}

impl Ledger {
    /// Payments that are marked as begun elsewhere.
    pub fn marks(&self) -> usize {
        self.objects_by_name.values().map(|object| object.rows.moved.len()).sum()
    }

    /// No rows yet, and these recovery times.
    pub fn new(recovery: Plan) -> Self {
        Self {
            objects_by_name: BTreeMap::new(),
            recovery,
            alarms: 0,
            is_punctual: true,
            plan: VecDeque::new(),
            commands: 0,
            transitions: Vec::new(),
            notifies: false,
            room: Room { bytes: 0, limit: 10_000_000_000 },
            notices: Vec::new(),
            too_often: Vec::new(),
            objects: Vec::new(),
            failures: BTreeMap::new(),
            quota: BTreeMap::new(),
            says: None,
        }
    }

    /// One call to the object called `object`.
    pub fn call<A: DeserializeOwned>(
        &mut self,
        object: &str,
        text: &str,
        body: Option<&[u8]>,
        now: UnixTime,
    ) -> Heard<A> {
        let lost = Heard { answer: None, body: None };
        let fault = self.plan.pop_front().unwrap_or(LedgerFault::Fine);
        if fault == LedgerFault::Down {
            return lost;
        }
        self.commands += 1;
        self.objects.push(object.to_owned());
        if self.is_punctual {
            self.lapse(now);
        }
        let (answer, body, changes) = self.decide(object, text, body, now);
        if fault == LedgerFault::WriteFails {
            // The object's memory is lost with the failed write.
            self.restart(object, now);
            return lost;
        }
        self.write(object, &changes, now);
        if fault == LedgerFault::ReplyLost {
            return lost;
        }
        Heard { answer: Some(serde_json::from_str(&answer).unwrap()), body }
    }

    /// The shard's decision, as it leaves the object.
    fn decide(
        &mut self,
        object: &str,
        text: &str,
        body: Option<&[u8]>,
        now: UnixTime,
    ) -> (String, Option<Vec<u8>>, Vec<Change>) {
        let plan = self.recovery.clone();
        let scene =
            Scene { plan: &plan, notifies: self.notifies, has_room: !self.room.is_full(), now };
        let Object { rows, shard } = self.objects_by_name.entry(object.to_owned()).or_default();
        if let Ok(envelope) = serde_json::from_str::<Envelope>(text) {
            assert_eq!(envelope.v, VERSION);
            let Ok(decision) = shard.order(envelope, body, rows, &scene);
            return (written(&decision.reply), decision.body, decision.changes);
        }
        let asking: Asking = serde_json::from_str(text).unwrap();
        assert_eq!(asking.v, VERSION);
        let Ok(said) = shard.ask(asking, rows, &scene);
        match said {
            QuestionAnswer::Seen(reply) => (written(&reply), None, Vec::new()),
            QuestionAnswer::Resumed(decision) => {
                (written(&decision.reply), decision.body, decision.changes)
            }
        }
    }

    /// Carries out what the operator decides about the payment with this id.
    pub fn decided(&mut self, id: &str, decision: &Decision, now: UnixTime) -> Decided {
        let plan = self.recovery.clone();
        let scene = Scene { plan: &plan, notifies: self.notifies, has_room: true, now };
        let objects: Vec<String> = self.objects_by_name.keys().cloned().collect();
        for object in objects {
            let Ok(decided) =
                Shard::decide(id, decision, &self.objects_by_name[&object].rows, &scene);
            if let Decided::Done(_, changes) = &decided {
                self.write(&object, changes, now);
            }
            if decided != Decided::NoRow {
                return decided;
            }
        }
        Decided::NoRow
    }

    /// Carries out the writes of a decision.
    fn write(&mut self, object: &str, changes: &[Change], now: UnixTime) {
        let plan = self.recovery.clone();
        let scene =
            Scene { plan: &plan, notifies: self.notifies, has_room: !self.room.is_full(), now };
        for change in changes {
            let object = self.objects_by_name.get_mut(object).unwrap();
            let rows = &mut object.rows;
            match change.clone() {
                Change::Insert(slot, entry, step)
                | Change::Update(slot, entry, step)
                | Change::Rewrite(slot, entry, step) => {
                    match is_open(&entry, &scene) {
                        true => _ = rows.at_rest.remove(&slot),
                        false => _ = rows.at_rest.insert(slot.clone()),
                    }
                    // What was folded stays whole here.
                    let known =
                        rows.payments.get(&slot).map(|it| (it.payment.clone(), it.kept_payment()));
                    let whole = known.filter(|(_, kept)| *kept == entry.payment);
                    let payment = whole.map_or_else(|| entry.payment.clone(), |(whole, _)| whole);
                    rows.payments.insert(slot.clone(), stored(&Entry { payment, ..*entry }));
                    note(&mut self.transitions, &slot, &step);
                }
                Change::Remove(slot) => {
                    rows.payments.remove(&slot);
                    rows.responses.remove(&slot);
                }
                Change::Store(slot, response) => drop(rows.responses.insert(slot, response)),
                Change::Alias(slot, original, _) => drop(rows.aliases.insert(slot, original)),
                Change::Move(slot, until, _) => drop(rows.moved.insert(slot, until)),
                Change::Unmove(slot) => drop(rows.moved.remove(&slot)),
                Change::Count(place, tally, _) => drop(self.failures.insert(place, tally)),
                Change::Forget(place) => drop(self.failures.remove(&place)),
                Change::Announce(_, _, notice, _) => self.notices.push(notice.name()),
                Change::Threshold((who, _), ..) => self.too_often.push(who),
            }
        }
        self.objects_by_name.get_mut(object).unwrap().shard.keep(changes, &scene);
    }

    /// Restarts the object from its rows.
    pub fn restart(&mut self, object: &str, now: UnixTime) {
        let scene = Scene {
            plan: &self.recovery,
            notifies: self.notifies,
            has_room: !self.room.is_full(),
            now,
        };
        let object = self.objects_by_name.get_mut(object).unwrap();
        let mut shard = Shard::default();
        for (slot, entry) in &object.rows.payments {
            if is_open(entry, &scene) {
                shard.load(slot, entry, &scene);
            }
        }
        for (place, tally) in &self.failures {
            shard.load_failures(place.clone(), tally.clone(), None);
        }
        object.shard = shard;
    }

    /// Binds every row to the question of its pricer as versions before did, and restarts.
    pub fn bind_as_before(&mut self, now: UnixTime) {
        for name in self.names() {
            for entry in self.objects_by_name.get_mut(&name).unwrap().rows.payments.values_mut() {
                let binding = &mut entry.payment.binding;
                assert_eq!(binding.len(), 128, "two forms");
                *binding = binding.split_off(64);
            }
            self.restart(&name, now);
        }
    }

    /// Takes one free request, as an object does.
    pub fn spend(&mut self, object: &str, text: &str) -> Option<String> {
        if self.plan.pop_front().unwrap_or(LedgerFault::Fine) != LedgerFault::Fine {
            return None;
        }
        self.objects.push(object.to_owned());
        if let Some(answer) = self.says.take() {
            return Some(answer);
        }
        let message: Spend = serde_json::from_str(text).unwrap();
        assert_eq!(message.v, VERSION);
        let used = self.quota.entry((message.day, message.spend)).or_default();
        let left = (*used < message.per_day).then(|| {
            *used += 1;
            message.per_day - *used
        });
        Some(serde_json::to_string(&left).unwrap())
    }

    /// Merges an isolate's counts, as an object does.
    pub fn count(&mut self, text: &str, now: UnixTime) -> String {
        let message: Count = serde_json::from_str(text).unwrap();
        let name = "ledger/count";
        let object = self.objects_by_name.entry(name.to_owned()).or_default();
        let (counted, changes) = object.shard.count(message.count, now);
        self.write(name, &changes, now);
        serde_json::to_string(&counted).unwrap()
    }

    /// Makes one read of the object called `object`, by text.
    pub fn read(&self, object: &str, text: &str) -> RowReply {
        let read: Read = serde_json::from_str(text).unwrap();
        assert_eq!(read.v, VERSION);
        let Some(object) = self.objects_by_name.get(object) else { return RowReply { row: None } };
        let Ok(found) = Shard::look_up(&read, &object.rows);
        found
    }

    /// Takes one transaction at the object called `object`, by text.
    pub fn take(&mut self, object: &str, text: &str) -> Option<Holder> {
        if self.plan.pop_front().unwrap_or(LedgerFault::Fine) != LedgerFault::Fine {
            return None;
        }
        let Take { v, take } = serde_json::from_str(text).unwrap();
        assert_eq!(v, VERSION);
        let object = self.objects_by_name.entry(object.to_owned()).or_default();
        let place = (take.network.clone(), take.transaction.clone());
        let holder = take.holder(object.rows.taken.get(&place).map(String::as_str));
        if holder == Holder::Own {
            object.rows.taken.insert(place, take.key);
        }
        Some(holder)
    }

    /// Does the alarm's own work: every row past its lease moves on.
    pub fn lapse(&mut self, now: UnixTime) {
        for object in self.names() {
            let mut lapsed = Vec::new();
            for (slot, entry) in &self.objects_by_name[&object].rows.payments {
                let after = entry.clone().lapse(now);
                if after != *entry {
                    let (from, to) = (entry.state.name(), after.state.name());
                    self.transitions.push((slot.key.clone(), from, to));
                    let (after, step) = (Box::new(after), Transition::default());
                    lapsed.push(Change::Update(slot.clone(), after, step));
                }
            }
            self.write(&object, &lapsed, now);
        }
    }

    fn names(&self) -> Vec<String> {
        self.objects_by_name.keys().cloned().collect()
    }

    /// Finishes the rows that need no call, and returns the calls of each object that find a place.
    pub fn due(&mut self, now: UnixTime) -> Vec<(String, Due)> {
        let plan = self.recovery.clone();
        let scene =
            Scene { plan: &plan, notifies: self.notifies, has_room: !self.room.is_full(), now };
        let mut all = Vec::new();
        for name in self.names() {
            let Object { rows, shard } = self.objects_by_name.get_mut(&name).unwrap();
            let Ok((due, changes)) = shard.due(&mut Places::default(), rows, &scene);
            self.write(&name, &changes, now);
            all.extend(due.into_iter().map(|due| (name.clone(), due)));
        }
        all
    }

    /// Looks at all rows as a purge does at those that are old enough, or found late.
    pub fn owe_unfetched(&mut self, late: bool, now: UnixTime) {
        let plan = self.recovery.clone();
        let scene = Scene { plan: &plan, notifies: self.notifies, has_room: true, now };
        for name in self.names() {
            let rows = &self.objects_by_name[&name].rows;
            let slots: Vec<_> = rows.payments.keys().cloned().collect();
            for slot in slots {
                let rows = &self.objects_by_name[&name].rows;
                let Ok(changes) = Shard::owe_unfetched(&slot, late, rows, &scene);
                self.write(&name, &changes, now);
            }
        }
    }

    /// When the next row is due.
    pub fn due_at(&self) -> Option<UnixTime> {
        self.objects_by_name.values().filter_map(|object| object.shard.next_due()).min()
    }

    /// Reports the result of an alarm's call to a row.
    pub fn tell(&mut self, object: &str, errand: RecoveryStep, now: UnixTime) {
        let RecoveryStep::Tell(envelope) = errand else { panic!("{errand:?}") };
        let (_, _, changes) = self.decide(object, &written(&envelope), None, now);
        self.write(object, &changes, now);
    }

    fn rows(&self) -> impl Iterator<Item = (&Slot, &Entry)> {
        self.objects_by_name.values().flat_map(|object| &object.rows.payments)
    }

    /// The payments that stand for others.
    pub fn aliases(&self) -> BTreeMap<String, String> {
        let all = self.objects_by_name.values().flat_map(|object| &object.rows.aliases);
        all.map(|(slot, original)| (slot.key.clone(), original.clone())).collect()
    }

    /// Rows that are not at rest.
    pub fn open_rows(&self) -> usize {
        self.objects_by_name.values().map(|object| object.shard.open_rows()).sum()
    }

    /// Whether this payer has a row.
    pub fn has_rows(&self, payer: &str) -> bool {
        self.rows().any(|(slot, _)| slot.payer == payer)
    }

    /// Puts the rows of a payer in the place of its own, as another ledger has them.
    pub fn copy_rows(&mut self, other: &Self, payer: &str) {
        let is_theirs = |slot: &Slot| slot.payer == payer;
        for (name, theirs) in &other.objects_by_name {
            let (rows, theirs) =
                (&mut self.objects_by_name.entry(name.clone()).or_default().rows, &theirs.rows);
            let Rows { payments, at_rest, responses, aliases, moved, .. } = rows;
            payments.retain(|slot, _| !is_theirs(slot));
            at_rest.retain(|slot| !is_theirs(slot));
            payments.extend(theirs.payments.clone().into_iter().filter(|it| is_theirs(&it.0)));
            at_rest.extend(theirs.at_rest.iter().filter(|slot| is_theirs(slot)).cloned());
            responses.extend(theirs.responses.clone());
            aliases.extend(theirs.aliases.clone());
            moved.extend(theirs.moved.clone());
        }
    }

    /// Restarts every object from its rows.
    pub fn start_again(&mut self, now: UnixTime) {
        for object in self.names() {
            self.restart(&object, now);
        }
    }

    /// The entry of this key.
    pub fn entry(&self, key: &str) -> Option<Entry> {
        self.rows().find(|(slot, _)| slot.key == key).map(|(_, entry)| entry.clone())
    }

    /// Every entry.
    pub fn entries(&self) -> Vec<Entry> {
        self.rows().map(|(_, entry)| entry.clone()).collect()
    }

    /// The state of the only row.
    pub fn state(&self) -> State {
        self.only().state
    }

    /// The last grant of the only row.
    pub fn fence(&self) -> u64 {
        self.only().fence
    }

    fn only(&self) -> Entry {
        let [entry]: [Entry; 1] = self.entries().try_into().unwrap();
        entry
    }

    /// The stored responses.
    pub fn sealed(&self) -> Vec<(String, Vec<u8>)> {
        let all = self.objects_by_name.values().flat_map(|object| object.rows.responses.values());
        all.map(|response| (response.head.clone(), response.body.clone())).collect()
    }
}

/// Serializes a message: only text crosses the boundary.
fn written(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap()
}

fn note(transitions: &mut Vec<(String, String, String)>, slot: &Slot, step: &Transition) {
    for (from, to, _) in step.steps() {
        transitions.push((slot.key.clone(), from.to_owned(), to.to_owned()));
    }
}
