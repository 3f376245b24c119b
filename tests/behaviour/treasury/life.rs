//! A treasury among Workers that are lost, merchants that lie and a chain that is reorganized, with
//! what has to hold after every step.

mod rules;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{
    Answer, Caller, Command, MerchantAnswer, Operation, Order, Preparation,
};
use farebox_core::treasury::row::{AttemptRow, Money, Stage};
use farebox_core::treasury::{Job, Now, Places, RANDOM_BYTES, Treasury};
use serde_json::{Value, json};

use super::books::MemoryRows;
use super::facilitated;
use super::world::{BUYER_KEY, START, World, caller, keyed, plain, proven, request, variables};
use crate::mpp_client;

/// What may be spent in a month, atomic units.
const LIMIT: u64 = 50_000;
/// Blocks that confirm.
const CONFIRMATIONS: u64 = 12;

/// What a merchant does with a payment, and what it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Pays,
    PaysAndIsLost,
    PaysAndFails,
    PaysAndProvesAndFails,
    Refuses,
    IsLost,
    LiesThatItPaid,
    DeliversForNothing,
}

pub const DEEDS: [Deed; 8] = [
    Deed::Pays,
    Deed::PaysAndIsLost,
    Deed::PaysAndFails,
    Deed::PaysAndProvesAndFails,
    Deed::Refuses,
    Deed::IsLost,
    Deed::LiesThatItPaid,
    Deed::DeliversForNothing,
];

/// What a Worker may tell of late.
const LATE: [Deed; 3] = [Deed::Pays, Deed::Refuses, Deed::IsLost];

/// Work in the hands of a Worker or of the alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Prepares(Preparation),
    Sends(Order),
    /// It has an answer, and has not told it yet.
    Tells(Box<Command>, Since),
}

/// Under which fence something was sent, and after how many sendings of the alarm.
type Since = (u64, u32);

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The agent asks, under the key of this number.
    Ask(usize),
    /// The work of this number is carried out; an order meets this deed.
    Work(usize, Deed),
    /// The same, and the Worker tells of it later, when the alarm may have taken over.
    Late(usize, Deed),
    /// It is lost.
    Crash(usize),
    /// The alarm comes at the next time that something is due.
    Alarm,
    /// A merchant submits a payment that it was sent.
    Submit(usize),
    /// So many blocks pass.
    Mine(u64),
    /// The newest payment on the chain is taken away, unless it is final.
    Reorganize,
    /// So many seconds pass.
    Wait(u64),
}

/// Who asks for the payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// An agent, and merchants are sent them.
    Agent,
    /// An agent that names no key, and asks for the same again.
    Keyless,
    /// The operator, and the facilitator is sent them.
    Operator,
}

/// The treasury among all of this.
#[derive(Clone)]
pub struct Life {
    pub rows: MemoryRows,
    pub works: Vec<Work>,
    pub now: u64,
    token: String,
    turns: u64,
    height: u64,
    /// The block of each used nonce.
    chain: BTreeMap<String, u64>,
    /// Attempts whose payments merchants were sent.
    pub sent: Vec<String>,
    /// The body of each decision that is final.
    finals: BTreeMap<String, String>,
    /// The header of each attempt that is signed.
    headers: BTreeMap<String, String>,
    /// The decision of each key.
    keys: BTreeMap<usize, String>,
    asker: Asker,
    /// Whether a merchant has delivered for a payment, and whether it has shown a receipt.
    told: BTreeMap<String, (bool, bool)>,
    /// What is asked for, by the number of its key.
    requests: &'static [Value; 4],
}

static TREASURY: LazyLock<Treasury> = LazyLock::new(|| {
    let mut variables = variables();
    variables["RPC_URL"] = json!("https://node.example.com");
    variables["FACILITATOR_URL"] = json!("https://facilitator.example.com");
    variables["ORGANIZATIONS"][0]["policy"]["perMonth"] = json!({"USDC": "0.05"});
    Treasury::from_vars(&variables.to_string()).unwrap()
});

static START_OF_ALL: LazyLock<Life> = LazyLock::new(|| {
    let mut variables = variables();
    variables["TOKEN_SECS"] = json!(86_400);
    variables["ORGANIZATIONS"][0]["policy"]["perMonth"] = json!({"USDC": "0.05"});
    variables["ORGANIZATIONS"][0]["policy"]["payoutsPerDay"] = json!({"USDC": "0.05"});
    let mut world = World::of(&variables);
    let token = world.token(BUYER_KEY);
    Life {
        rows: world.rows,
        works: Vec::new(),
        now: START,
        token,
        turns: 0,
        height: 100,
        chain: BTreeMap::new(),
        sent: Vec::new(),
        finals: BTreeMap::new(),
        headers: BTreeMap::new(),
        keys: BTreeMap::new(),
        asker: Asker::Agent,
        told: BTreeMap::new(),
        requests: &PRICED,
    }
});

/// Requests of x402, which differ in their price.
static PRICED: LazyLock<[Value; 4]> = LazyLock::new(|| {
    let amounts = ["30000", "25000", "20000", "10000"];
    std::array::from_fn(|key| keyed(amounts[key], &name_of(key)))
});

/// Charges of MPP: the first two and the last one have one challenge, and with it one nonce.
static CHARGED: LazyLock<[Value; 4]> = LazyLock::new(|| {
    std::array::from_fn(|key| charge(["one", "one", "other", "one"][key], &name_of(key)))
});

/// One request without a key; of the month two payments for it are affordable.
static UNKEYED: LazyLock<[Value; 4]> = LazyLock::new(|| {
    let mut body = request("20000");
    body["request"]["method"] = json!("GET");
    body["request"].as_object_mut().unwrap().remove("body");
    std::array::from_fn(|_| body.clone())
});

pub fn name_of(key: usize) -> String {
    format!("key {key}")
}

fn charge(id: &str, key: &str) -> Value {
    let mut asked = mpp_client::request();
    asked["amount"] = json!("20000");
    let challenge = mpp_client::challenge(id, &asked, r#"method="evm""#);
    let mut body = keyed("20000", key);
    body["challenge"]["headers"] =
        json!({"www-authenticate": challenge.replace("shop.example", "merchant.example.com")});
    body
}

impl Life {
    pub fn new() -> Self {
        START_OF_ALL.clone()
    }

    /// With merchants that charge by MPP.
    pub fn charged() -> Self {
        Self { requests: &CHARGED, ..Self::new() }
    }

    /// With an agent that names no key.
    pub fn unkeyed() -> Self {
        Self { asker: Asker::Keyless, requests: &UNKEYED, ..Self::new() }
    }

    /// With an operator who pays out, and a facilitator in the place of merchants.
    pub fn of_payouts() -> Self {
        LazyLock::force(&facilitated::NONCES);
        Self { asker: Asker::Operator, requests: &facilitated::ASKED, ..Self::new() }
    }

    fn random(&mut self) -> [u8; RANDOM_BYTES] {
        self.turns += 1;
        let turn = self.turns.to_be_bytes();
        std::array::from_fn(|index| turn[index % 8] ^ u8::try_from(index / 16).unwrap())
    }

    fn apply(&mut self, command: Command) -> Answer {
        let random = self.random();
        let now = UnixTime::from_secs(self.now);
        let scene = Now { organization: "acme", now, random: &random };
        let decision = TREASURY.apply(&self.rows, command, scene).unwrap();
        self.rows.write(decision.changes);
        decision.answer
    }

    /// Takes an answer to a Worker.
    fn take(&mut self, answer: Answer) -> Result<(), String> {
        match answer {
            Answer::Prepare(preparation) => self.works.push(Work::Prepares(*preparation)),
            Answer::Send(order) => self.works.push(Work::Sends(*order)),
            Answer::Reply(reply) if reply.status >= 500 => return Err(reply.body),
            Answer::Reply(_)
            | Answer::Done
            | Answer::Enquire(_)
            | Answer::Claim(_)
            | Answer::Held(_) => {}
        }
        Ok(())
    }

    /// The steps that can be taken.
    pub fn steps(&self, keys: usize) -> Vec<Step> {
        let keys = if self.asker == Asker::Keyless { 1 } else { keys };
        let mut steps: Vec<Step> = (0..keys).map(Step::Ask).collect();
        for (number, work) in self.works.iter().enumerate() {
            match work {
                Work::Prepares(_) => steps.push(Step::Work(number, Deed::Pays)),
                Work::Tells(..) => steps.push(Step::Work(number, Deed::Pays)),
                Work::Sends(_) => {
                    steps.extend(DEEDS.map(|deed| Step::Work(number, deed)));
                    steps.extend(LATE.map(|deed| Step::Late(number, deed)));
                }
            }
            steps.push(Step::Crash(number));
        }
        steps.extend((0..self.sent.len()).map(Step::Submit));
        steps.extend([Step::Alarm, Step::Mine(CONFIRMATIONS), Step::Wait(200)]);
        if !self.chain.is_empty() {
            steps.push(Step::Reorganize);
        }
        steps
    }

    /// Takes a step, and says what does not hold afterwards.
    pub fn take_step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Ask(key) => self.ask(key)?,
            Step::Work(number, deed) => {
                let work = self.works.remove(number);
                self.work(work, deed)?;
            }
            Step::Late(number, deed) => {
                if let Work::Sends(order) = self.works.remove(number)
                    && let Some((told, since)) = self.meet(order, deed)?
                {
                    self.works.push(Work::Tells(Box::new(told), since));
                }
            }
            Step::Crash(number) => _ = self.works.remove(number),
            Step::Alarm => self.alarm()?,
            Step::Submit(number) => {
                let attempt = self.sent[number].clone();
                self.submit(&attempt);
            }
            Step::Mine(blocks) => self.height += blocks,
            Step::Reorganize => {
                let depth = |block: u64| self.height - block + 1;
                let newest = self.chain.iter().max_by_key(|(_, block)| **block);
                let gone = newest.filter(|(_, block)| depth(**block) < CONFIRMATIONS);
                if let Some(nonce) = gone.map(|(nonce, _)| nonce.clone()) {
                    self.chain.remove(&nonce);
                }
            }
            Step::Wait(secs) => self.now += secs,
        }
        self.check()
    }

    fn ask(&mut self, key: usize) -> Result<(), String> {
        let body = self.requests[key].to_string();
        let head: Caller = caller(&self.token);
        let answer = self.apply(match self.asker {
            Asker::Agent | Asker::Keyless => Command::Decide(head, body),
            Asker::Operator => Command::Operate(Operation::PayOut(body)),
        });
        if self.asker == Asker::Keyless {
            self.is_one_purchase(&answer)?;
            return self.take(answer);
        }
        let is_begun = matches!(answer, Answer::Prepare(_) | Answer::Send(_));
        let row = self.rows.decisions.values().rfind(|row| row.key == Some(format!("k:key {key}")));
        let Some(row) = row else {
            let why = match self.asker {
                Asker::Agent | Asker::Keyless => "challenge_already_used",
                Asker::Operator => "payouts_budget_exceeded",
            };
            let is_free = matches!(&answer, Answer::Reply(reply) if reply.body.contains(why));
            return if is_free { Ok(()) } else { Err("no decision".to_owned()) };
        };
        let (id, attempt) = (row.id.clone(), row.attempt.clone());
        if let Some(known) = self.keys.insert(key, id.clone()) {
            // What delivered nothing is sent again, and not signed again.
            let is_again = matches!(&answer, Answer::Send(order) if order.attempt == attempt);
            if is_begun && (!is_again || self.finals.contains_key(&id)) {
                return Err(format!("key {key} begins twice"));
            }
            if known != id {
                return Err(format!("key {key} stands for two decisions"));
            }
        }
        if let (Answer::Reply(reply), Some(body)) = (&answer, self.finals.get(&id))
            && reply.body != *body
        {
            return Err(format!("key {key} is answered differently"));
        }
        self.take(answer)
    }

    fn work(&mut self, work: Work, deed: Deed) -> Result<(), String> {
        let answer = match work {
            Work::Prepares(Preparation { attempt, fence, .. }) => {
                self.apply(Command::Prepared { attempt, fence, signature: None, balance: None })
            }
            Work::Sends(order) => match self.meet(order, deed)? {
                Some((told, _)) => self.apply(told),
                None => return Ok(()),
            },
            Work::Tells(told, since) => return self.tell(*told, since),
        };
        self.take(answer)
    }

    /// Tells of what was sent: if the alarm has taken over since, that changes nothing.
    fn tell(&mut self, told: Command, since: Since) -> Result<(), String> {
        let (Command::Answered { attempt, .. } | Command::Lost { attempt, .. }) = &told else {
            return Err("nothing is told".to_owned());
        };
        let row = &self.rows.attempts[attempt];
        let is_late = (row.fence, row.resends) != since;
        let before = (self.rows.attempts.clone(), self.rows.decisions.clone());
        let answer = self.apply(told);
        if is_late && before != (self.rows.attempts.clone(), self.rows.decisions.clone()) {
            return Err("a Worker that lost its attempt changes it".to_owned());
        }
        self.take(answer)
    }

    /// Sends an order to a merchant that does this: the report. `None` if it is too late to send it.
    fn meet(&mut self, order: Order, deed: Deed) -> Result<Option<(Command, Since)>, String> {
        if self.now >= order.until {
            return Ok(None);
        }
        let header = self.rows.attempts.get(&order.attempt).and_then(|row| row.header.clone());
        let is_written = header.is_some_and(|header| match self.asker {
            Asker::Agent | Asker::Keyless => order.headers.contains(&header),
            Asker::Operator => facilitated::is_settled_by(&header.1, &order),
        });
        if !is_written {
            return Err("a payment is sent that is not written".to_owned());
        }
        if !self.sent.contains(&order.attempt) {
            self.sent.push(order.attempt.clone());
        }
        let pays = matches!(
            deed,
            Deed::Pays | Deed::PaysAndIsLost | Deed::PaysAndFails | Deed::PaysAndProvesAndFails
        );
        if pays {
            self.submit(&order.attempt.clone());
        }
        let told = self.told.entry(order.attempt.clone()).or_default();
        told.0 |= matches!(deed, Deed::Pays | Deed::DeliversForNothing);
        told.1 |= matches!(deed, Deed::Pays | Deed::PaysAndProvesAndFails | Deed::LiesThatItPaid);
        let answer: Option<MerchantAnswer> = match deed {
            _ if self.asker == Asker::Operator => facilitated::answer_of(deed),
            Deed::Pays => Some(proven(200, &"here".repeat(500))),
            Deed::PaysAndFails => Some(plain(500, "no")),
            Deed::PaysAndProvesAndFails | Deed::LiesThatItPaid => Some(proven(502, "no")),
            Deed::Refuses => Some(plain(402, "no")),
            Deed::DeliversForNothing => Some(plain(200, "here")),
            Deed::PaysAndIsLost | Deed::IsLost => None,
        };
        let (attempt, fence) = (order.attempt, order.fence);
        let resends = self.rows.attempts[&attempt].resends;
        let told = match answer {
            Some(answer) => Command::Answered { attempt, fence, answer, sent: 1 },
            None => Command::Lost { attempt, fence, sent: true },
        };
        Ok(Some((told, (fence, resends))))
    }

    /// Submits a payment to the chain, which takes it once and in time.
    fn submit(&mut self, attempt: &str) {
        let row = &self.rows.attempts[attempt];
        let block = self.height + 1;
        if self.now < row.valid_before && !self.chain.contains_key(&row.nonce) {
            self.chain.insert(row.nonce.clone(), block);
            self.height = block;
        }
    }

    fn alarm(&mut self) -> Result<(), String> {
        // A day later a request leaves that delivered nothing; tokens end before.
        let is_over = |row: &AttemptRow| {
            let stage = self.rows.decisions[&row.decision].stage;
            row.money == Money::Spent && stage == Stage::Final
        };
        let rows = self.rows.attempts.values().filter(|row| !is_over(row));
        let next = rows.filter_map(|row| row.due).min();
        let Some(next) = next else { return Ok(()) };
        self.now = self.now.max(next);
        let random = self.random();
        let now = UnixTime::from_secs(self.now);
        let scene = Now { organization: "acme", now, random: &random };
        let mut jobs = Vec::new();
        loop {
            let recovered = TREASURY.recover(&self.rows, &Places::default(), scene);
            let (works, changes) = recovered.unwrap();
            if works.is_empty() && changes.is_empty() {
                break;
            }
            self.rows.write(changes);
            jobs.extend(works.into_iter().map(|work| work.job));
        }
        if self
            .rows
            .attempts
            .values()
            .any(|row| row.money == Money::Signed && row.due.is_some_and(|due| due + 60 < self.now))
            && jobs.is_empty()
        {
            return Err("the alarm leaves what is due".to_owned());
        }
        for job in jobs {
            match job {
                Job::Send(order, _) => self.works.push(Work::Sends(order)),
                Job::Enquire(_) => return Err("no escrow is configured".to_owned()),
                Job::Read { attempt, fence, question, .. } => {
                    let nonce = farebox_core::encoding::hex::encode_prefixed(&question.nonce);
                    let finding = self.finding(&nonce);
                    let changes =
                        TREASURY.read(&self.rows, &attempt, fence, &finding, scene).unwrap();
                    self.rows.write(changes);
                }
            }
        }
        Ok(())
    }

    fn finding(&self, nonce: &str) -> Finding {
        let transaction = TxHash::parse(super::world::TRANSACTION).unwrap();
        match self.chain.get(nonce) {
            None => Finding::Unused { safe_time: Some(UnixTime::from_secs(self.now)) },
            Some(block) if self.height - block + 1 >= CONFIRMATIONS => {
                Finding::Transferred { transaction, block: *block, log_index: 0 }
            }
            Some(_) => Finding::Unconfirmed { transaction },
        }
    }

    /// Everything that the next steps depend on, as text.
    pub fn state(&self) -> String {
        let mut text = String::new();
        for row in self.rows.attempts.values() {
            let place = self.sent.iter().position(|id| *id == row.id);
            let block =
                self.chain.get(&row.nonce).map(|block| (self.height - block).min(CONFIRMATIONS));
            let due = row.due.map(|due| due.saturating_sub(self.now).min(100));
            let left = row.valid_before.saturating_sub(self.now).min(100);
            let seen = row.receipt.as_ref().map(|it| (&it.status, &it.reconciliation));
            let told = self.told.get(&row.id);
            text += &format!(
                "{:?} {} {} {due:?} {left} {place:?} {block:?} {seen:?} {told:?};",
                row.money, row.value, row.fence,
            );
        }
        for row in self.rows.decisions.values() {
            text += &format!("{:?} {:?} {};", row.key, row.stage, row.outcome);
        }
        for work in &self.works {
            text += &match work {
                Work::Prepares(it) => {
                    format!("prepares {} {};", self.rows.attempts[&it.attempt].value, it.fence)
                }
                Work::Sends(it) => format!(
                    "sends {} {} {};",
                    self.rows.attempts[&it.attempt].value,
                    it.fence,
                    it.until > self.now
                ),
                Work::Tells(told, since) => match &**told {
                    Command::Answered { attempt, answer, .. } => {
                        let value = &self.rows.attempts[attempt].value;
                        format!("answered {value} {since:?} {};", answer.status)
                    }
                    _ => format!("tells {since:?};"),
                },
            };
        }
        text
    }
}
