//! Seeded histories through the whole gate: requests in any order and by either protocol, payments signed anew, lost
//! owners, lost replies, lies, late and foreign transactions, failing nodes and storage, alarms at any moment, any clock.
//! The seed of a failure is printed and gives the same history again: `npm run simulate -- 1 <seed>`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use farebox_core::gate::Gate;
use serde_json::Value;

use crate::world::alarm::Job;
use crate::world::chain::NodeFault;
use crate::world::facilitator::{Repeats, Settle, Verify};
use crate::world::ledger::LedgerFault;
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{Running, With, World, mpp, paid};

use super::is_allowed;
use crate::dice::Dice;

/// Histories, unless the environment asks for more.
const HISTORIES: u64 = 10_000;
/// What a client says with its payment, to prove a repeat: in version 2's extension, or in a header.
const SECRET: &str = "canary-identifier-0123456789";
/// Where they are played.
pub const TARGETS: [&str; 4] = ["/after", "/before", "/sure/after", "/sure/before"];

/// A request on its way and what it presented.
struct Sent {
    running: Running,
    nonce: String,
    target: String,
    counted: bool,
}

pub struct History {
    world: World,
    dice: Dice,
    sent: Vec<Sent>,
    /// Targets that received content, by nonce.
    served: BTreeMap<String, BTreeSet<String>>,
    first_deliveries: BTreeMap<String, u32>,
    /// Who was served first by which protocol, by nonce.
    spoke: BTreeMap<String, &'static str>,
    /// Payments whose response streamed.
    streamed: BTreeSet<String>,
    /// Calls of the alarm that are under way.
    jobs: Vec<Job>,
    /// What clients know that others do not, if they say it.
    secret: Option<&'static str>,
    /// Challenges that were issued for a target before the first payment, as they are echoed.
    challenges: BTreeMap<String, Value>,
    /// In which state which fault came.
    pub hits: BTreeSet<(String, &'static str)>,
    confirms: bool,
}

impl History {
    fn check_answers(&mut self) -> Result<(), String> {
        for sent in &mut self.sent {
            let Some(response) = sent.running.response.as_ref().filter(|_| !sent.counted) else {
                continue;
            };
            sent.counted = true;
            let nonce = &sent.nonce;
            let settles = self.world.facilitator.settles_of(nonce);
            let is_void =
                self.world.find_row(nonce).is_some_and(|entry| entry.state.name() == "void");
            if response.has_terms() && settles > 0 && !is_void {
                return Err(format!(
                    "fresh terms after {settles} settle calls: {}",
                    response.problem()
                ));
            }
            if response.status >= 500 && response.code.is_none() {
                return Err(format!("{} without a code", response.status));
            }
            if !response.is_delivery() {
                continue;
            }
            let nonce = &self.world.stands_for(nonce);
            let is_mpp = response.headers.get("payment-receipt").is_some();
            let spoken = if is_mpp { "served by MPP" } else { "served by x402" };
            let state = self.world.row_of(nonce).state.name();
            self.hits.insert((state.clone(), spoken));
            if *self.spoke.entry(nonce.clone()).or_insert(spoken) != spoken {
                self.hits.insert((state, "served again by the other protocol"));
            }
            if !self.world.facilitator.chain.is_paid(nonce) {
                return Err("delivered although nothing moved".to_owned());
            }
            if response.stream.is_some() {
                self.streamed.insert(nonce.clone());
            }
            let served = self.served.entry(nonce.clone()).or_default();
            served.insert(sent.target.clone());
            if served.len() > 1 {
                return Err(format!("one payment served {served:?}"));
            }
            if response.headers.get("payment-replayed").is_none() {
                let count = self.first_deliveries.entry(nonce.clone()).or_default();
                *count += 1;
                if *count > 1 {
                    return Err("delivered twice".to_owned());
                }
            }
        }
        Ok(())
    }

    fn check_facts(&self) -> Result<(), String> {
        for (_, from, to) in &self.world.ledger.transitions {
            if !is_allowed(from, to) {
                return Err(format!("{from} -> {to}"));
            }
        }
        let mut runs: BTreeMap<&str, u32> = BTreeMap::new();
        for call in &self.world.origin.calls {
            *runs.entry(call.headers.get("farebox-payment").unwrap()).or_default() += 1;
        }
        if runs.values().any(|count| *count > 1) {
            return Err(format!("the origin ran more than once for a payment: {runs:?}"));
        }
        let mut bytes: BTreeMap<&str, &str> = BTreeMap::new();
        for (nonce, body) in &self.world.facilitator.settles {
            if bytes.entry(nonce).or_insert(body) != body {
                return Err("two settle calls of one payment differ".to_owned());
            }
        }
        for entry in self.world.ledger.entries() {
            let money = ["settled", "delivering", "delivered", "refund_due"];
            let nonce = self.nonce_in(&entry.payment.request);
            if money.contains(&entry.state.name().as_str())
                && !self.world.facilitator.chain.is_paid(&nonce)
            {
                return Err(format!("{} although nothing moved", entry.state.name()));
            }
            let is_served = self.served.contains_key(&nonce) && !self.streamed.contains(&nonce);
            if entry.state.name() == "refund_due" && is_served {
                return Err("refund due and delivered".to_owned());
            }
        }
        Ok(())
    }

    fn nonce_in(&self, request: &str) -> String {
        let request: serde_json::Value = serde_json::from_str(request).unwrap();
        let signed = &request["paymentPayload"]["payload"]["authorization"];
        signed["nonce"].as_str().unwrap().to_owned()
    }

    /// The state of the row that this payment stands for.
    fn state_of(&self, nonce: &str) -> String {
        let row = self.world.find_row(&self.world.stands_for(nonce));
        row.map_or_else(|| "none".to_owned(), |entry| entry.state.name())
    }

    fn hit(&mut self, nonce: &str, fault: &'static str) {
        let state = self.state_of(nonce);
        self.hits.insert((state, fault));
    }

    /// What a settle call meets.
    fn spoil_settle(&mut self, nonce: &str) {
        let ok = r#"{"success":true,"transaction":"TX","network":"eip155:84532"}"#;
        let mut plans = vec![
            ("settle silent", Settle::SilentBefore),
            ("settle lands", Settle::SilentAfter),
            ("settle late", Settle::SilentLate),
            ("settle pending", Settle::Pending),
            ("settle refused", Settle::Refuse("insufficient_funds")),
            ("settle refused", Settle::Refuse("insufficient_funds")),
            ("settle refused", Settle::Refuse("insufficient_funds")),
            ("settle refused", Settle::Refuse("duplicate_settlement")),
            ("settle garbled", Settle::Raw(500, ok.to_owned())),
            ("settle garbled", Settle::Raw(200, "<html>".to_owned())),
            ("settle slow", Settle::Slow(12_000, Box::new(Settle::Honest))),
            ("settle slow", Settle::Slow(40_000, Box::new(Settle::SilentAfter))),
        ];
        if self.confirms {
            let other = self.world.facilitator.chain.transfer(nonce);
            for lie in [other, format!("0x{}", "5a".repeat(32)), "TX".to_owned()] {
                plans.push(("settle lies", Settle::Raw(200, ok.replace("TX", &lie))));
            }
        }
        let (name, plan) = self.dice.pick(&plans);
        self.hit(nonce, name);
        self.world.facilitator.settle_plan.push_back(plan);
    }

    fn spoil_node(&mut self, nonce: &str) {
        use NodeFault::{Garbage, Lags, OtherChain, Refuses, Silent};
        let fault = self.dice.pick(&[Silent, Garbage, Refuses, OtherChain, Lags]);
        self.hit(nonce, "node fails");
        self.world.facilitator.chain.plan.push_back(fault);
    }

    /// Perhaps something goes wrong with the next step of a request.
    fn plan_faults(&mut self, index: usize) {
        let (next, nonce) = (self.sent[index].running.next(), self.sent[index].nonce.clone());
        match next {
            "settle" if self.dice.below(2) == 0 => self.spoil_settle(&nonce),
            "verify" if self.dice.below(4) == 0 => {
                let no = r#"{"isValid":false,"invalidReason":"invalid_payload"}"#;
                let plan = [
                    Verify::Silent,
                    Verify::Raw(200, no.to_owned()),
                    Verify::Raw(503, String::new()),
                ];
                self.hit(&nonce, "verify fails");
                self.world.facilitator.verify_plan.push_back(self.dice.pick(&plan));
            }
            "forward" if self.dice.below(3) == 0 => {
                use farebox_core::gate::paid::StreamEnd::{Broken, ClientLeft, Complete};
                let stream = "200\ncontent-type: text/event-stream";
                let plan = [
                    Say::Lost,
                    Say::TimedOut,
                    Say::Whole("500", "broken"),
                    Say::Whole("302\nlocation: /x", ""),
                    Say::Cut("200"),
                    Say::Slow(stream, Complete),
                    Say::Slow(stream, Broken),
                    Say::Slow(stream, ClientLeft),
                ];
                self.hit(&nonce, "origin fails");
                self.world.origin.plan.push_back(self.dice.pick(&plan));
            }
            "read" if self.dice.below(3) == 0 => self.spoil_node(&nonce),
            "claim" | "record" if self.dice.below(8) == 0 => {
                let plan = [
                    ("object down", LedgerFault::Down),
                    ("object's answer lost", LedgerFault::ReplyLost),
                    ("write fails", LedgerFault::WriteFails),
                ];
                let (name, plan) = self.dice.pick(&plan);
                self.hit(&nonce, name);
                self.world.ledger.plan.push_back(plan);
            }
            _ => {}
        }
    }

    /// The alarm fires, or what it began goes on.
    fn alarm(&mut self) {
        if self.jobs.is_empty() {
            self.jobs = self.world.next_jobs();
            return;
        }
        let index = self.dice.below(self.jobs.len() as u64);
        let job = self.jobs.remove(usize::try_from(index).unwrap());
        let key = job.key();
        let nonce = self.nonce_in(&self.world.ledger.entry(key).unwrap().payment.request);
        let faulty = self.dice.below(2) == 0;
        match (faulty, job.reads()) {
            (true, false) => self.spoil_settle(&nonce),
            (true, true) => self.spoil_node(&nonce),
            (false, _) => {}
        }
        self.world.carry(job);
        self.world.facilitator.settle_plan.clear();
        self.world.facilitator.chain.plan.clear();
    }

    /// Nobody goes wrong any more: everything ends, and ends right.
    fn drain(&mut self) -> Result<(), String> {
        while let Some(job) = self.jobs.pop() {
            self.world.carry(job);
        }
        self.world.facilitator.chain.land();
        for _ in 0..400 {
            let Some(at) = self.world.wake_at() else { break };
            let now_ms = self.world.now_ms.max(at.secs() * 1000);
            self.world.set_ms(now_ms);
            self.world.alarm();
        }
        self.check_facts()?;
        let chain = self.world.gate.rpc_url("eip155:84532").is_some();
        for entry in self.world.ledger.entries() {
            let paid = self.world.facilitator.chain.is_paid(&self.nonce_in(&entry.payment.request));
            let state = entry.state.name();
            let fits = match state.as_str() {
                "delivered" | "refund_due" => paid,
                "manual" => true,
                "void" => !paid && chain,
                "closed" => !chain,
                _ => false,
            };
            if !fits {
                return Err(format!("ends {state}, paid: {paid}"));
            }
        }
        Ok(())
    }

    /// The payment as it was signed, or its authorization by the other protocol: for a challenge that is fresh, or for the
    /// one that was there at the beginning.
    fn by_any_protocol(&mut self, payment: &Payment) -> Payment {
        let echo = match self.dice.below(4) {
            0 | 1 => return payment.clone(),
            2 => mpp::echo_of(&self.world.ask(&payment.target)),
            _ => self.challenges[&payment.target].clone(),
        };
        payment.by_mpp(&echo)
    }

    fn start(&mut self, payment: &Payment) {
        let sent = self.by_any_protocol(payment);
        let mut head = paid(&sent);
        if let Some(secret) = self.secret.filter(|_| sent.header == "authorization") {
            head = head.header("idempotency-key", secret);
        }
        let running = self.world.start(head, b"");
        self.sent.push(Sent {
            running,
            nonce: payment.nonce.clone(),
            target: payment.target.clone(),
            counted: false,
        });
    }

    fn advance(&mut self, index: usize) {
        self.step(index);
        self.world.ledger.plan.clear();
        self.world.facilitator.settle_plan.clear();
        self.world.facilitator.chain.plan.clear();
    }

    /// One step of a request. An answer that is decided is heard at once: what happens later to other requests is nothing
    /// that it could have said. False once there is no step left.
    fn step(&mut self, index: usize) -> bool {
        let running = &mut self.sent[index].running;
        let mut goes_on = self.world.advance(running);
        while goes_on && running.next() == "respond" {
            goes_on = self.world.advance(running);
        }
        goes_on
    }
}

/// One history, at a gate with this route and with a chain to look at or without.
pub fn play(dice: Dice, target: &str, chain: bool) -> Result<History, String> {
    let mut history = History {
        world: World::around(GATES[usize::from(!chain)]),
        dice,
        sent: Vec::new(),
        served: BTreeMap::new(),
        first_deliveries: BTreeMap::new(),
        spoke: BTreeMap::new(),
        streamed: BTreeSet::new(),
        jobs: Vec::new(),
        secret: None,
        challenges: BTreeMap::new(),
        hits: BTreeSet::new(),
        confirms: target.starts_with("/sure"),
    };
    history.world.facilitator.repeats =
        history.dice.pick(&[Repeats::Idempotent, Repeats::NonceUsed]);
    for target in [target.to_owned(), format!("{target}/other")] {
        let asked = history.world.ask(&target);
        history.challenges.insert(target, mpp::echo_of(&asked));
    }
    let required = history.world.ask(target).payment_required();
    history.secret = (history.dice.below(2) == 0).then_some(SECRET);
    let secret = history.secret.is_some();
    let now = history.world.now().secs();
    let mut payments: Vec<Payment> = Vec::new();
    for _ in 0..2 {
        let first = history.world.payer.sign_with(&required, now, |message| {
            message.as_object_mut().unwrap().remove("resource");
            if secret {
                message["extensions"] =
                    serde_json::json!({"payment-identifier": {"info": {"id": SECRET}}});
            }
        });
        let mut elsewhere = first.clone();
        elsewhere.target = format!("{target}/other");
        payments.extend([first.clone(), first, elsewhere]);
    }
    payments.truncate(if history.dice.below(3) == 0 { 6 } else { 3 });
    for _ in 0..44 {
        let count = history.sent.len() as u64;
        let nonce = history.dice.pick(&payments).nonce;
        match history.dice.below(16) {
            0..=2 if count < 9 => {
                let payment = history.dice.pick(&payments);
                history.start(&payment);
            }
            3 => {
                let secs = history.dice.pick(&[1, 2, 36, 62, 71, 130, 250]);
                history.hit(&nonce, "clock jumps");
                history.world.wait(secs);
            }
            4 => history.world.facilitator.chain.land(),
            5 if count > 0 && history.dice.below(2) == 0 => {
                let lost = history.dice.below(count);
                let lost = history.sent.remove(usize::try_from(lost).unwrap());
                history.hit(&lost.nonce, "owner lost");
            }
            6 if history.dice.below(8) == 0 => {
                history.hit(&nonce, "foreign submission");
                let until = payments.iter().find(|payment| payment.nonce == nonce);
                let fate = history.world.facilitator.chain.fates.entry(nonce.clone()).or_default();
                fate.until = until.map(|payment| payment.valid_before);
                history.world.facilitator.chain.submit(&nonce);
            }
            7 if history.dice.below(8) == 0 => {
                history.hit(&nonce, "cancelled");
                history.world.facilitator.chain.cancel(&nonce);
            }
            8 if history.dice.below(10) == 0 => {
                history.hit(&nonce, "nonce burnt");
                history.world.facilitator.chain.burn(&nonce);
            }
            9 | 10 => history.alarm(),
            11 => {
                if let Some(at) = history.world.wake_at() {
                    let now_ms = history.world.now_ms.max(at.secs() * 1000);
                    history.world.set_ms(now_ms);
                    history.alarm();
                }
            }
            12 if history.dice.below(4) == 0 && payments.len() < 9 => {
                let now = history.world.now().secs();
                payments.push(history.world.payer.sign_with(&required, now, |message| {
                    message.as_object_mut().unwrap().remove("resource");
                }));
            }
            _ if count > 0 => {
                let index = usize::try_from(history.dice.below(count)).unwrap();
                history.plan_faults(index);
                history.advance(index);
            }
            _ => {}
        }
        history.check_answers()?;
    }
    for index in 0..history.sent.len() {
        while history.step(index) {}
        history.check_answers()?;
    }
    history.check_facts()?;
    history.world.facilitator.chain.land();
    history.world.wait(100);
    history.start(&payments[0]);
    let last = history.sent.len() - 1;
    while history.step(last) {}
    history.check_answers()?;
    history.check_facts()?;
    history.drain()?;
    Ok(history)
}

/// The gates with a chain and without.
static GATES: LazyLock<[&'static Gate; 2]> =
    LazyLock::new(|| [World::with_chain().gate, World::new().gate]);

/// The history of a seed; where it is played is part of it.
fn history(seed: u64) -> Result<History, String> {
    let target = TARGETS[usize::try_from(seed % 4).unwrap()];
    let chain = target.starts_with("/sure") || !(seed / 4).is_multiple_of(3);
    let dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    play(dice, target, chain).map_err(|violation| format!("{target}, seed {seed}: {violation}"))
}

/// Where a fault can come at all, and so must have come.
const COVERED: &[(&str, &[&str])] = &[
    ("served by x402", &["delivered"]),
    ("served by MPP", &["delivered"]),
    ("served again by the other protocol", &["delivered"]),
    ("verify fails", &["executing"]),
    ("origin fails", &["executing", "delivering"]),
    ("settle silent", &["settling", "unknown", "refused"]),
    ("settle lands", &["settling", "unknown", "refused"]),
    ("settle late", &["settling", "unknown", "refused"]),
    ("settle pending", &["settling", "unknown", "refused"]),
    ("settle refused", &["settling", "unknown", "refused"]),
    ("settle garbled", &["settling", "unknown", "refused"]),
    ("settle slow", &["settling", "unknown", "refused"]),
    ("settle lies", &["settling", "unknown", "refused"]),
    ("node fails", &["settling", "unknown", "refused"]),
    ("object down", ANY),
    ("object's answer lost", ANY),
    ("write fails", ANY),
    ("clock jumps", ANY),
    ("owner lost", ANY),
    ("foreign submission", OPEN),
    ("cancelled", OPEN),
    ("nonce burnt", OPEN),
];
const OPEN: &[&str] =
    &["none", "executing", "settling", "unknown", "refused", "released", "abandoned"];
const ANY: &[&str] = &[
    "none",
    "executing",
    "settling",
    "unknown",
    "settled",
    "delivering",
    "delivered",
    "refused",
    "released",
    "abandoned",
    "refund_due",
];

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

// I-01, I-05
#[test]
fn no_seeded_history_breaks_a_rule() {
    let (count, first) = (number("FAREBOX_HISTORIES", HISTORIES), number("FAREBOX_SEED", 0));
    let workers = 2;
    let play = |worker: u64| {
        let (mut ends, mut hits) = (BTreeMap::<String, u32>::new(), BTreeMap::new());
        for seed in (first..first + count).filter(|seed| seed % 8 / 4 == worker) {
            let history = history(seed).unwrap_or_else(|violation| panic!("{violation}"));
            for (_, _, to) in &history.world.ledger.transitions {
                *ends.entry(to.clone()).or_default() += 1;
            }
            for hit in history.hits {
                *hits.entry(hit).or_insert(0_u32) += 1;
            }
        }
        (ends, hits)
    };
    let mut ends = BTreeMap::<String, u32>::new();
    let mut hits = BTreeMap::<(String, &'static str), u32>::new();
    std::thread::scope(|scope| {
        let running: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || play(worker))).collect();
        for worker in running {
            let (more_ends, more_hits) = worker.join().unwrap();
            for (state, count) in more_ends {
                *ends.entry(state).or_default() += count;
            }
            for (hit, count) in more_hits {
                *hits.entry(hit).or_default() += count;
            }
        }
    });
    for (fault, states) in COVERED {
        let cells = states.iter().map(|state| {
            let count = hits.get(&((*state).to_owned(), *fault)).copied().unwrap_or_default();
            (*state, count)
        });
        let cells: Vec<_> = cells.collect();
        eprintln!("{fault}: {cells:?}");
        let empty = cells.iter().any(|(_, count)| *count == 0);
        assert!(!empty || count < HISTORIES, "{fault} was not tried everywhere: {cells:?}");
    }
    eprintln!("{count} histories from seed {first}: {ends:?}");
    for state in [
        "executing",
        "settling",
        "unknown",
        "settled",
        "delivering",
        "delivered",
        "refused",
        "released",
        "abandoned",
        "refund_due",
        "void",
        "closed",
        "manual",
    ] {
        let often = ends.get(state).is_some_and(|count| *count > 20);
        assert!(often || count < HISTORIES, "{state}: {ends:?}");
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    let told = |seed| format!("{:?}", history(seed).unwrap().world.ledger.transitions);
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}
