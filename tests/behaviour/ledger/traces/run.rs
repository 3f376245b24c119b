//! One history of the small world, as far as it has come: what may happen next, and what must hold whatever does.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use farebox_core::http::RequestHead;
use farebox_core::ledger::State;
use farebox_core::ledger::command::Mode;
use farebox_core::ledger::state::Why;
use serde_json::Value;

use super::super::is_allowed;
use super::{GATES, SECRET};
use crate::world::alarm::Job;
use crate::world::chain::NodeFault;
use crate::world::facilitator::{Settle, Verify};
use crate::world::ledger::LedgerFault;
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{Running, With, World, paid};

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Event {
    /// This request comes and claims.
    Claim(usize),
    /// It takes its next step, and all goes well.
    Step(usize),
    /// It takes its next step; the transaction lands, the answer is lost.
    LostReply(usize),
    /// It takes its next step; no answer comes, and the transaction may land later.
    Late(usize),
    /// It takes its next step, and the other side refuses or fails.
    Fails(usize),
    /// Everything in memory is lost.
    Crash,
    /// What was sent lands.
    Land,
    /// What was sent never lands.
    Drop,
    /// The payer takes his authorization back.
    Cancel,
    /// Somebody else submits the authorization.
    Broadcast,
    /// The authorization ends.
    Expire,
    /// The alarm fires at its time, and takes a call in hand if one is needed.
    Alarm,
    /// Its call is made.
    Carry,
    /// Its call is made, and the answer is lost.
    CarryLost,
}

/// Most of what goes wrong in one history.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) crashes: u32,
    pub(super) faults: u32,
    pub(super) foreign: u32,
    pub(super) alarms: u32,
    /// Of everything together.
    pub(super) all: u32,
}

/// Which small world.
#[derive(Clone, Copy)]
pub(super) struct Setting {
    pub(super) mode: Mode,
    pub(super) chain: bool,
    pub(super) secret: bool,
    /// How many requests come: the first, another one, the first repeated.
    pub(super) requests: [bool; 3],
    /// Which of them bring their authorization by MPP.
    pub(super) mpp: [bool; 3],
    pub(super) bounds: Bounds,
}

/// One history so far.
#[derive(Clone)]
pub(super) struct Run {
    setting: Setting,
    world: World,
    payment: Payment,
    /// The challenges of both targets, as they are echoed.
    echoes: [Value; 2],
    requests: [Option<Running>; 3],
    started: [bool; 3],
    /// All that each request went through.
    heard: [Vec<u64>; 3],
    jobs: Vec<Job>,
    served: BTreeSet<String>,
    /// In which words answers that were handed out named their payment.
    pub(super) receipts: BTreeSet<&'static str>,
    firsts: u32,
    crashes: u32,
    faults: u32,
    foreign: u32,
    alarms: u32,
    claimed: bool,
    pub(super) trace: Vec<Event>,
}

impl Run {
    pub(super) fn new(setting: Setting, payment: &Payment, echoes: &[Value; 2]) -> Self {
        let gate = &GATES[usize::from(!setting.chain)];
        let world = World::around(gate);
        Self {
            setting,
            world,
            payment: payment.clone(),
            echoes: echoes.clone(),
            requests: [None, None, None],
            started: [false; 3],
            heard: [Vec::new(), Vec::new(), Vec::new()],
            jobs: Vec::new(),
            served: BTreeSet::new(),
            receipts: BTreeSet::new(),
            firsts: 0,
            crashes: 0,
            faults: 0,
            foreign: 0,
            alarms: 0,
            claimed: false,
            trace: Vec::new(),
        }
    }

    fn target(&self, who: usize) -> String {
        let other = if who == 1 { "/other" } else { "" };
        format!("{}{other}", self.payment.target)
    }

    /// The request, by the protocol that it speaks.
    fn head(&self, who: usize, payment: &Payment) -> RequestHead {
        if !self.setting.mpp[who] {
            return paid(payment);
        }
        let head = paid(&payment.by_mpp(&self.echoes[usize::from(who == 1)]));
        if self.setting.secret { head.header("idempotency-key", SECRET) } else { head }
    }

    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let bounds = self.setting.bounds;
        let spent = self.crashes + self.faults + self.foreign + self.alarms;
        let more = spent < bounds.all;
        let (faulty, foreign) =
            (more && self.faults < bounds.faults, more && self.foreign < bounds.foreign);
        for who in 0..3 {
            if self.setting.requests[who] && !self.started[who] && (who != 2 || self.started[0]) {
                events.push(Event::Claim(who));
            }
            let Some(request) = &self.requests[who] else { continue };
            events.push(Event::Step(who));
            match request.next() {
                "settle" if faulty => {
                    events.extend([Event::LostReply(who), Event::Late(who), Event::Fails(who)]);
                }
                "verify" | "forward" | "read" if faulty => events.push(Event::Fails(who)),
                "record" if faulty => events.push(Event::LostReply(who)),
                _ => {}
            }
        }
        let busy = self.requests.iter().any(Option::is_some) || !self.jobs.is_empty();
        if busy && more && self.crashes < bounds.crashes {
            events.push(Event::Crash);
        }
        let fate = self.world.facilitator.chain.fates.get(&self.payment.nonce);
        if fate.is_some_and(|fate| fate.pending > 0) {
            events.extend([Event::Land, Event::Drop]);
        }
        if foreign && self.claimed {
            if !self.world.facilitator.chain.is_used(&self.payment.nonce)
                && self.world.now().secs() + 2 < self.payment.valid_before
            {
                events.extend([Event::Cancel, Event::Broadcast]);
            }
            if self.world.now().secs() < self.payment.valid_before {
                events.push(Event::Expire);
            }
        }
        if !self.jobs.is_empty() {
            events.push(Event::Carry);
            if faulty {
                events.push(Event::CarryLost);
            }
        } else if more && self.alarms < bounds.alarms && self.world.wake_at().is_some() {
            events.push(Event::Alarm);
        }
        events
    }

    /// As [`Run::play`]; a violation names its history.
    pub(super) fn goes_on(&mut self, event: Event) -> Result<(), String> {
        self.trace.push(event);
        self.play(event).map_err(|violation| format!("{violation}: {:?}", self.trace))
    }

    /// Plays one event and checks all that must hold at any time.
    fn play(&mut self, event: Event) -> Result<(), String> {
        let nonce = self.payment.nonce.clone();
        match event {
            Event::Claim(who) => {
                let mut payment = self.payment.clone();
                payment.target = self.target(who);
                self.started[who] = true;
                self.claimed = true;
                let head = self.head(who, &payment);
                self.requests[who] = Some(self.world.start(head, b""));
                self.step(who, 0)?;
            }
            Event::Step(who) => self.step(who, 1)?,
            Event::LostReply(who) => {
                self.faults += 1;
                match self.requests[who].as_ref().map_or("", Running::next) {
                    "record" => self.world.ledger.plan.push_back(LedgerFault::ReplyLost),
                    _ => self.world.facilitator.settle_plan.push_back(Settle::SilentAfter),
                }
                self.step(who, 2)?;
            }
            Event::Late(who) => {
                self.faults += 1;
                self.world.facilitator.settle_plan.push_back(Settle::SilentLate);
                self.step(who, 3)?;
            }
            Event::Fails(who) => {
                self.faults += 1;
                match self.requests[who].as_ref().map_or("", Running::next) {
                    "settle" => {
                        let plan = Settle::Refuse("insufficient_funds");
                        self.world.facilitator.settle_plan.push_back(plan);
                    }
                    "verify" => self.world.facilitator.verify_plan.push_back(Verify::Silent),
                    "forward" => self.world.origin.plan.push_back(Say::Lost),
                    _ => self.world.facilitator.chain.plan.push_back(NodeFault::Silent),
                }
                self.step(who, 4)?;
            }
            Event::Crash => {
                self.crashes += 1;
                self.requests = [None, None, None];
                self.jobs.clear();
            }
            Event::Land => self.world.facilitator.chain.land(),
            Event::Drop => {
                self.world.facilitator.chain.fates.entry(nonce).or_default().pending = 0;
            }
            Event::Cancel => {
                self.foreign += 1;
                self.world.facilitator.chain.cancel(&nonce);
            }
            Event::Broadcast => {
                self.foreign += 1;
                self.world.facilitator.chain.submit(&nonce);
            }
            Event::Expire => {
                self.foreign += 1;
                self.world.set_ms((self.payment.valid_before + 1) * 1000);
            }
            Event::Alarm => {
                self.alarms += 1;
                self.ring();
            }
            Event::Carry => self.carry(),
            Event::CarryLost => {
                self.faults += 1;
                match self.jobs.first() {
                    Some(job) if job.reads() => {
                        self.world.facilitator.chain.plan.push_back(NodeFault::Silent);
                    }
                    _ => self.world.facilitator.settle_plan.push_back(Settle::SilentAfter),
                }
                self.carry();
            }
        }
        self.world.facilitator.settle_plan.clear();
        self.world.facilitator.chain.plan.clear();
        self.check()
    }

    fn ring(&mut self) {
        if let Some(at) = self.world.wake_at() {
            self.world.set_ms(self.world.now_ms.max(at.secs() * 1000));
            self.jobs = self.world.next_jobs();
        }
    }

    fn carry(&mut self) {
        for job in std::mem::take(&mut self.jobs) {
            self.world.carry(job);
        }
    }

    /// One step, and those after it that nobody else can see.
    fn step(&mut self, who: usize, how: u64) -> Result<(), String> {
        let Some(mut request) = self.requests[who].take() else { return Ok(()) };
        let mut goes_on = self.world.advance(&mut request);
        while goes_on && matches!(request.next(), "collect" | "digest" | "respond" | "claim") {
            // A claim that follows another one at once is the same request's second look.
            goes_on = self.world.advance(&mut request);
        }
        let mut hasher = DefaultHasher::new();
        let row = self.row().map(|entry| (entry.fence, entry.state.name()));
        let told = request.response.as_ref().map(|response| (response.status, response.problem()));
        (how, request.next(), row, told, self.world.now_ms).hash(&mut hasher);
        self.heard[who].push(hasher.finish());
        if goes_on {
            self.requests[who] = Some(request);
            return Ok(());
        }
        let Some(response) = request.response else { return Ok(()) };
        self.heard[who] = vec![u64::from(response.status)];
        let paid = self.world.facilitator.chain.is_paid(&self.payment.nonce);
        let settles = self.world.facilitator.settles_of(&self.payment.nonce);
        let dead = self.row().is_some_and(|entry| entry.state == State::Void);
        if response.has_terms() && settles > 0 && !dead {
            return Err("fresh terms although money may move".to_owned());
        }
        if response.is_delivery() {
            if !paid {
                return Err("delivered although nothing moved".to_owned());
            }
            self.served.insert(self.target(who));
            let names = ["payment-receipt", "payment-response"];
            self.receipts.extend(names.iter().filter(|name| response.headers.get(name).is_some()));
            self.firsts += u32::from(response.headers.get("payment-replayed").is_none());
        }
        Ok(())
    }

    pub(super) fn row(&self) -> Option<farebox_core::ledger::Entry> {
        self.world.ledger.entries().into_iter().next()
    }

    fn check(&self) -> Result<(), String> {
        let paid = self.world.facilitator.chain.is_paid(&self.payment.nonce);
        if self.served.len() > 1 || self.firsts > 1 {
            return Err(format!("served {:?} {} times", self.served, self.firsts));
        }
        if self.world.origin.calls.len() > 1 {
            return Err("the origin ran twice".to_owned());
        }
        let bytes: BTreeSet<_> =
            self.world.facilitator.settles.iter().map(|(_, bytes)| bytes).collect();
        if bytes.len() > 1 {
            return Err("settle calls differ".to_owned());
        }
        for (_, from, to) in &self.world.ledger.transitions {
            if !is_allowed(from, to) {
                return Err(format!("{from} -> {to}"));
            }
        }
        let over = self.payment.valid_before + 60 < self.world.now().secs();
        let Some(entry) = self.row() else {
            let kept = self.claimed && !over;
            return if kept { Err("the row is gone".to_owned()) } else { Ok(()) };
        };
        let state = entry.state.name();
        let money = ["settled", "delivering", "delivered", "refund_due"];
        if money.contains(&state.as_str()) && !paid {
            return Err(format!("{state} although nothing moved"));
        }
        match state.as_str() {
            "void" if paid => Err("void although money moved".to_owned()),
            "refund_due" if !self.served.is_empty() => Err("owed and delivered".to_owned()),
            "delivered" if self.world.ledger.sealed().is_empty() => {
                Err("delivered and not stored".to_owned())
            }
            "delivered" | "void" | "refund_due" | "manual" | "closed" => Ok(()),
            _ => {
                let latest = self.world.now().secs().max(self.payment.valid_before) + 3_600;
                let due = self.world.wake_at().map(|at| at.secs());
                if due.is_some_and(|due| due <= latest) {
                    Ok(())
                } else {
                    Err(format!("{state}, and no alarm: {due:?}"))
                }
            }
        }
    }

    /// Everybody finishes, the alarm works until nothing is due, the authorization ends.
    pub(super) fn drain(&mut self) -> Result<(), String> {
        for who in 0..3 {
            while self.requests[who].is_some() {
                self.play(Event::Step(who))?;
            }
        }
        self.carry();
        self.play(Event::Drop)?;
        for _ in 0..100 {
            if self.world.wake_at().is_none() {
                break;
            }
            self.ring();
            self.carry();
            self.check()?;
        }
        let Some(entry) = self.row() else { return Ok(()) };
        if self.world.now().secs() < self.payment.valid_before && entry.state == State::Void {
            // Whoever holds the authorization tries it now.
            self.world.facilitator.chain.submit(&self.payment.nonce);
            return self.check();
        }
        let paid = self.world.facilitator.chain.is_paid(&self.payment.nonce);
        let state = entry.state.name();
        let fits = match state.as_str() {
            "delivered" | "refund_due" => paid,
            "void" => !paid,
            "manual" => {
                let lost = matches!(entry.state, State::Manual { why: Why::StreamLost, .. });
                !self.setting.chain || !paid || lost
            }
            "closed" => !self.setting.chain,
            _ => false,
        };
        if fits { Ok(()) } else { Err(format!("ends {state}, paid: {paid}")) }
    }

    /// All that tells this history from others.
    pub(super) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let rows: Vec<_> = self.world.ledger.entries();
        let fate = self.world.facilitator.chain.fates.get(&self.payment.nonce);
        let live: Vec<_> =
            self.requests.iter().map(|request| request.as_ref().map(Running::next)).collect();
        format!("{rows:?}{fate:?}{live:?}{:?}", self.jobs.len()).hash(&mut hasher);
        (&self.heard, &self.started, &self.served, self.firsts).hash(&mut hasher);
        (self.crashes, self.faults, self.foreign, self.alarms).hash(&mut hasher);
        (self.world.now_ms, self.world.origin.calls.len()).hash(&mut hasher);
        hasher.finish()
    }
}
