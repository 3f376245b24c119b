//! The ledger object, in memory: it loads rows, lets them lapse, applies one command and stores the result.

use std::collections::{BTreeMap, VecDeque};

use farebox_core::ledger::attempts::{Count, Counted, Counting, Kind, Mark, Place, Tally};
use farebox_core::ledger::command::{Learnt, Leases, Outcome, Role, VERSION};
use farebox_core::ledger::entry::{Plan, Taken, Work};
use farebox_core::ledger::quota::Spend;
use farebox_core::ledger::read::{Facts, Found, Read};
use farebox_core::ledger::row::Row;
use farebox_core::ledger::{
    Answer, Command, Entry, Envelope, Payment, Standing, State, Told as Reply,
};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;

use super::defect::Defect;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerFault {
    /// Nothing does.
    Fine,
    /// The call does not arrive.
    Down,
    /// The call is carried out, its answer is lost.
    ReplyLost,
    /// The write fails: nothing is kept of it, and no answer leaves.
    WriteFails,
}

/// One stored payment.
#[derive(Clone, Debug)]
pub struct Stored {
    payer: String,
    payment: Payment,
    leases: Leases,
    row: Row,
    response: Option<(String, Vec<u8>)>,
}

/// The rows of all payers.
pub struct Ledger {
    rows: BTreeMap<String, Stored>,
    /// Payments that stand for others.
    pub aliases: BTreeMap<String, String>,
    recovery: Plan,
    /// What is wrong with it.
    pub defect: Defect,
    /// Alarms that fired.
    pub alarms: u32,
    /// Whether alarms fire by themselves before each command.
    pub is_punctual: bool,
    /// Faults of the next calls.
    pub plan: VecDeque<LedgerFault>,
    /// Commands that arrived.
    pub commands: u32,
    /// Every change of state: key, before, after.
    pub transitions: Vec<(String, String, String)>,
    /// Objects that were asked.
    pub objects: Vec<String>,
    /// Who failed how often.
    pub failures: BTreeMap<Place, Tally>,
    /// Free requests used, by day and client.
    pub quota: BTreeMap<(u64, String), u64>,
    /// What it says to the next one who asks for a free request.
    pub says: Option<String>,
}

/// What comes back from a call.
pub struct Told {
    /// The answer, unless it was lost.
    pub answer: Option<Reply>,
    /// The stored body that goes with a replay.
    pub body: Option<Vec<u8>>,
}

impl Ledger {
    /// No rows yet, and these recovery times.
    pub fn new(recovery: Plan) -> Self {
        Self {
            rows: BTreeMap::new(),
            aliases: BTreeMap::new(),
            recovery,
            defect: Defect::None,
            alarms: 0,
            is_punctual: true,
            plan: VecDeque::new(),
            commands: 0,
            transitions: Vec::new(),
            objects: Vec::new(),
            failures: BTreeMap::new(),
            quota: BTreeMap::new(),
            says: None,
        }
    }

    /// One call to the object called `object`.
    pub fn call(&mut self, object: &str, text: &str, body: Option<&[u8]>, now: UnixTime) -> Told {
        let lost = |answer, body| Told { answer, body };
        let fault = self.plan.pop_front().unwrap_or(LedgerFault::Fine);
        if fault == LedgerFault::Down {
            return lost(None, None);
        }
        self.commands += 1;
        self.objects.push(object.to_owned());
        let envelope: Envelope = serde_json::from_str(text).unwrap();
        assert_eq!(envelope.v, VERSION);
        let saved = (fault == LedgerFault::WriteFails)
            .then(|| (self.rows.clone(), self.aliases.clone(), self.transitions.clone()));
        let kind = Kind::of(&envelope.command);
        let (mut answer, stored) = self.apply(envelope.clone(), body, now);
        if answer == Answer::Unknown && self.defect == Defect::TermsInDoubt {
            answer = Answer::Void;
        }
        if let Some(saved) = saved {
            (self.rows, self.aliases, self.transitions) = saved;
            return lost(None, None);
        }
        let key = self.original(&envelope.key);
        let receipt = self.rows.get(&key).map(|row| row.payment.receipt.clone());
        let tally = envelope
            .counting
            .clone()
            .and_then(|counting| self.mark(&envelope.payer, kind, &answer, &counting, now));
        let answer = Reply { answer, receipt, tally };
        // What crosses is text: an answer that does not survive that would not arrive.
        let wire = serde_json::to_string(&answer).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&wire).unwrap(), answer);
        if fault == LedgerFault::ReplyLost {
            return lost(None, None);
        }
        lost(Some(answer), stored)
    }

    /// One free request, taken as an object does.
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

    /// How a command of a proven payer came out.
    fn mark(
        &mut self,
        payer: &str,
        kind: Kind,
        answer: &Answer,
        counting: &Counting,
        now: UnixTime,
    ) -> Option<Tally> {
        let place = (payer.to_owned(), counting.route.clone());
        match Mark::of(kind, answer, counting.blame.as_ref()) {
            Mark::Nothing => None,
            Mark::Success => {
                self.failures.remove(&place);
                None
            }
            Mark::Failure(blame) => {
                let tally = self.failures.entry(place).or_insert_with(|| Tally::new(now));
                tally.count(&blame, now);
                Some(tally.clone())
            }
        }
    }

    /// Merges what an isolate counted, as an object does.
    pub fn count(&mut self, text: &str, now: UnixTime) -> String {
        let message: Count = serde_json::from_str(text).unwrap();
        let mut counted = Vec::new();
        for entry in message.count {
            let place = (entry.client.clone(), entry.route.clone());
            let was = self.failures.remove(&(entry.was.clone(), entry.route.clone()));
            let row = self.failures.remove(&place).or(was);
            let merged = entry.applied_to(row, now);
            if let Some(tally) = &merged {
                self.failures.insert(place, tally.clone());
            }
            counted.push(merged);
        }
        serde_json::to_string(&Counted { counted }).unwrap()
    }

    fn apply(
        &mut self,
        envelope: Envelope,
        body: Option<&[u8]>,
        now: UnixTime,
    ) -> (Answer, Option<Vec<u8>>) {
        if self.is_punctual {
            self.lapse(now);
        }
        let Envelope { payer, key, mut command, .. } = envelope;
        let original = self.aliases.get(&key).cloned();
        if let (Some(_), Command::Claim { wallet, .. }) = (&original, &mut command) {
            *wallet = true;
        }
        let key = original.unwrap_or(key);
        self.spoil(&key, &mut command);
        let Some(entry) = self.entry(&key) else {
            return self.begin(&payer, &key, command, now);
        };
        let standing = self.standing(&payer, &key, &command, now);
        let taken = self.taken(&key, &command);
        let sealing = match &command {
            Command::Seal { response, .. } => response.clone(),
            _ => None,
        };
        let claims = matches!(command, Command::Claim { .. });
        let (mut entry, mut answer) = entry.lapse(now).apply(command, standing, taken, now);
        if claims && answer == Answer::InProgress && self.defect == Defect::NoCompareAndSet {
            answer = Answer::Granted { fence: entry.fence };
        }
        if matches!(entry.state, State::Unknown { .. }) && self.defect == Defect::TimeoutIsVoid {
            entry.state = State::Void;
        }
        let sealed = match (&answer, sealing) {
            (Answer::Granted { .. }, Some(head)) if self.defect != Defect::NotSealed => {
                Some((head, body.unwrap().to_vec()))
            }
            _ => None,
        };
        self.store(&payer, &key, entry, sealed);
        self.replayed(&key, answer)
    }

    /// Breaks a command as the defect does.
    fn spoil(&self, key: &str, command: &mut Command) {
        let Some(entry) = self.entry(key) else { return };
        match (command, self.defect) {
            (Command::Claim { payment, .. }, Defect::NoBinding) => {
                payment.binding = entry.payment.binding;
            }
            (
                Command::Outcome { result: result @ Outcome::Unknown(_), .. },
                Defect::TimeoutIsPaid,
            ) => *result = Outcome::Settled(format!("0x{}", "77".repeat(32))),
            _ => {}
        }
    }

    /// The first command of a payment has to be its claim; one that is signed anew stands for the first.
    fn begin(
        &mut self,
        payer: &str,
        key: &str,
        command: Command,
        now: UnixTime,
    ) -> (Answer, Option<Vec<u8>>) {
        let standing = self.standing(payer, key, &command, now);
        let Command::Claim { payment, leases, in_flight, idempotent, last, .. } = command else {
            return (Answer::Stale, None);
        };
        let unreceived = self.rows.iter().find(|(key, row)| {
            let entry = self.entry(key).unwrap();
            row.payer == payer && entry.payment.binding == payment.binding && entry.awaits_heir(now)
        });
        let signs = in_flight > 0 && !payment.was_sent_by_payer();
        if let Some((original, _)) = unreceived.filter(|_| signs) {
            let original = original.clone();
            self.aliases.insert(key.to_owned(), original.clone());
            let again =
                Command::Claim { payment, leases, idempotent, in_flight, wallet: true, last };
            let before = self.entry(&original).unwrap().lapse(now);
            let (entry, answer) = before.apply(again, Standing::default(), Taken::No, now);
            self.store(payer, &original, entry, None);
            return self.replayed(&original, answer);
        }
        match Entry::open(*payment, leases, in_flight, standing, now) {
            Ok((entry, answer)) => {
                self.store(payer, key, entry, None);
                (answer, None)
            }
            Err(answer) => (answer, None),
        }
    }

    fn replayed(&self, key: &str, mut answer: Answer) -> (Answer, Option<Vec<u8>>) {
        let mut body = None;
        if let Answer::Replay { response, .. } = &mut answer {
            match self.rows[key].response.clone() {
                Some((head, stored)) => (*response, body) = (head, Some(stored)),
                None => return (Answer::AlreadyDelivered, None),
            }
        }
        (answer, body)
    }

    /// One read of the object called `object`, by text; all rows are in every object here.
    pub fn read(&self, text: &str) -> Found {
        let Read { v, read } = serde_json::from_str(text).unwrap();
        assert_eq!(v, VERSION);
        let row = self.rows.iter().find(|(key, row)| {
            row.payment.receipt == read.receipt
                && read.payer.as_ref().is_none_or(|payer| *payer == row.payer)
                && read.key.as_ref().is_none_or(|wanted| wanted == *key)
        });
        let facts = row.map(|(key, row)| Facts::of(&row.payer, key, &self.entry(key).unwrap()));
        Found { row: facts.map(Box::new) }
    }

    /// Does what the alarm does: every row past its lease moves on.
    pub fn lapse(&mut self, now: UnixTime) {
        let keys: Vec<_> = self.rows.keys().cloned().collect();
        for key in keys {
            let entry = self.entry(&key).unwrap();
            let payer = self.rows[&key].payer.clone();
            self.store(&payer, &key, entry.lapse(now), None);
        }
    }

    /// The payment that this key stands for.
    pub fn original(&self, key: &str) -> String {
        self.aliases.get(key).cloned().unwrap_or_else(|| key.to_owned())
    }

    /// The rows whose time has come, earliest first.
    pub fn due(&self, now: UnixTime) -> Vec<(String, Work)> {
        let mut due: Vec<_> = self
            .rows
            .keys()
            .filter_map(|key| {
                let (at, work) = self.due_of(key, now)?;
                (at <= now).then(|| (at, key.clone(), work))
            })
            .collect();
        due.sort_by_key(|(at, ..)| *at);
        due.into_iter().map(|(_, key, work)| (key, work)).collect()
    }

    /// When the next row is due.
    pub fn due_at(&self, now: UnixTime) -> Option<UnixTime> {
        self.rows.keys().filter_map(|key| Some(self.due_of(key, now)?.0)).min()
    }

    fn due_of(&self, key: &str, now: UnixTime) -> Option<(UnixTime, Work)> {
        let entry = self.entry(key)?;
        let is_let_go = matches!(entry.state, State::Released | State::Abandoned);
        let kept = !is_let_go || self.defect != Defect::ReleaseIsFinal;
        entry.due(&self.recovery, now).filter(|_| kept)
    }

    /// Who pays.
    pub fn payer(&self, key: &str) -> String {
        self.rows[key].payer.clone()
    }

    /// Stores what the alarm made of a row.
    pub fn write(&mut self, key: &str, entry: Entry) {
        let payer = self.payer(key);
        self.store(&payer, key, entry, None);
    }

    /// A command of the object's own alarm.
    pub fn carry_out(&mut self, key: &str, command: Command, now: UnixTime) -> Answer {
        let (payer, key) = (self.payer(key), key.to_owned());
        let envelope =
            Envelope { v: VERSION, payer, key, command, role: Role::Sole, counting: None };
        self.apply(envelope, None, now).0
    }

    /// The entry of this key.
    pub fn entry(&self, key: &str) -> Option<Entry> {
        let stored = self.rows.get(key)?;
        Some(stored.row.clone().into_entry(stored.payment.clone(), stored.leases))
    }

    /// Every entry.
    pub fn entries(&self) -> Vec<Entry> {
        self.rows.keys().map(|key| self.entry(key).unwrap()).collect()
    }

    /// The state of the only row.
    pub fn state(&self) -> State {
        let [entry]: [Entry; 1] = self.entries().try_into().unwrap();
        entry.state
    }

    /// The stored responses.
    pub fn sealed(&self) -> Vec<(String, Vec<u8>)> {
        self.rows.values().filter_map(|row| row.response.clone()).collect()
    }

    fn store(&mut self, payer: &str, key: &str, entry: Entry, sealed: Option<(String, Vec<u8>)>) {
        let row = Row::of(&entry);
        let read = row.clone().into_entry(entry.payment.clone(), entry.leases);
        assert_eq!(read, entry, "a row must read as it was written");
        let old = self.rows.get(key);
        let before = old.map_or_else(|| "none".to_owned(), |old| old.row.state.clone());
        if before != row.state {
            self.transitions.push((key.to_owned(), before, row.state.clone()));
        }
        if self.defect == Defect::PurgedEarly && matches!(entry.state, State::Delivered { .. }) {
            self.rows.remove(key);
            return;
        }
        let response = sealed.or_else(|| old.and_then(|old| old.response.clone()));
        let stored = Stored {
            payer: payer.to_owned(),
            payment: entry.payment,
            leases: entry.leases,
            row,
            response,
        };
        self.rows.insert(key.to_owned(), stored);
    }

    fn standing(&self, payer: &str, key: &str, command: &Command, now: UnixTime) -> Standing {
        let Command::Claim { payment, .. } = command else {
            return Standing::default();
        };
        let mut standing = Standing::default();
        let others = self.rows.iter().filter(|(other, row)| *other != key && row.payer == payer);
        for (other, _) in others {
            let entry = self.entry(other).unwrap();
            let entry = entry.lapse(now);
            if entry.due(&self.recovery, now).is_none() && !entry.awaits_heir(now) {
                continue;
            }
            standing.active += u32::from(entry.is_active());
            standing.open += 1;
            standing.watched |= entry.is_unknown(now) || entry.is_freshly_refused(now);
            standing.unresolved |=
                entry.is_unknown(now) && entry.payment.binding == payment.binding;
        }
        standing
    }

    fn taken(&self, key: &str, command: &Command) -> Taken {
        let named = match command {
            Command::Outcome {
                result: Outcome::Settled(text) | Outcome::Unknown(Some(text)),
                ..
            }
            | Command::Learn { learnt: Learnt::Captured(text), .. } => TxHash::parse_any(text),
            _ => None,
        };
        let elsewhere = |hash: TxHash| {
            self.rows.keys().any(|other| {
                other != key
                    && self.entry(other).is_some_and(|entry| {
                        !matches!(entry.state, State::Unknown { .. })
                            && entry.transaction() == Some(hash)
                    })
            })
        };
        if named.is_some_and(elsewhere) { Taken::Yes } else { Taken::No }
    }
}
