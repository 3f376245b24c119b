//! All interleavings of one payment, two requests for different resources, one repeat, lost owners, lost replies,
//! late and foreign transactions, and the clock; and proof that the checks would see a broken ledger.

use std::collections::{HashSet, VecDeque};
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};

use farebox_core::ledger::command::{
    Client, Deliver, Delivery, Failure, Mode, Outcome, Resend, Signature, Signing,
};
use farebox_core::ledger::entry::{Taken, Work};
use farebox_core::ledger::row::Row;
use farebox_core::ledger::{Answer, Command, Entry, OtherPayments, State};
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};
use farebox_core::payment::{NEVER, TxHash};

use super::{LEASES, NOW, SIXTEEN, at, hash, is_allowed, payment};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    First,
    Again,
}

#[derive(Clone, Debug)]
enum Place {
    Idle,
    Verify,
    Run,
    Ran,
    Send(Turn, String),
    Report(Turn, Outcome),
    Stream,
    Over,
}

/// All that a payment was signed for.
const ALL: &str = "10000";

/// One request on its way, as the passage would take it.
#[derive(Clone, Debug)]
struct Actor {
    binding: &'static str,
    secret: Option<&'static str>,
    place: Place,
    fence: u64,
    /// Whether the row told it that value moved.
    paid: bool,
    /// What it holds of the origin: nothing, a whole response, a stream.
    holds: Option<bool>,
    /// What it asks for, of what was signed.
    charged: &'static str,
}

#[derive(Clone)]
struct Model {
    mode: Mode,
    /// Whether its facilitator settles later, and names no transaction.
    deferred: bool,
    /// Whether the repeat was signed again, with a later end.
    anew: bool,
    /// Whether a send had no known outcome.
    doubted: bool,
    /// How often a response was handed out that was not stored before.
    firsts: u8,
    entry: Option<Entry>,
    now: u64,
    used: bool,
    pending: u8,
    actors: Vec<Actor>,
    bytes: Option<String>,
    runs: u8,
    copies: Vec<&'static str>,
    streamed: bool,
    crashes: u8,
    ticks: u8,
    faults: u8,
}

type Step = Result<Model, String>;

/// What is written, as a number.
#[derive(Default)]
struct Hashed(DefaultHasher);

impl Write for Hashed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Model {
    fn new(mode: Mode, first: Option<&'static str>, repeat: Option<&'static str>) -> Self {
        let actor = |binding, secret| Actor {
            binding,
            secret,
            place: Place::Idle,
            fence: 0,
            paid: false,
            holds: None,
            charged: ALL,
        };
        Self {
            mode,
            deferred: false,
            anew: false,
            doubted: false,
            firsts: 0,
            entry: None,
            now: NOW,
            used: false,
            pending: 0,
            actors: vec![actor("a", first), actor("b", first), actor("a", repeat)],
            bytes: None,
            runs: 0,
            copies: Vec::new(),
            streamed: false,
            crashes: 0,
            ticks: 0,
            faults: 0,
        }
    }

    /// All that tells this state from others, as a number.
    fn key(&self) -> u64 {
        let Self {
            mode: _,
            deferred: _,
            anew: _,
            doubted,
            firsts,
            entry,
            now,
            used,
            pending,
            actors,
            bytes,
            ..
        } = self;
        let Self { runs, copies, streamed, crashes, ticks, faults, .. } = self;
        let row = entry
            .as_ref()
            .map(|entry| (Row::of(entry), &entry.payment.request, &entry.payment.signing));
        let counts = (now, used, pending, runs, streamed, crashes, ticks, faults);
        let counts = (counts, doubted, firsts);
        let mut key = Hashed::default();
        write!(key, "{row:?}{actors:?}{copies:?}{counts:?}{bytes:?}").unwrap();
        key.0.finish()
    }

    /// One command as the object carries it out, and the rules that every change obeys.
    fn tell(&mut self, actor: usize, command: Command) -> Result<Answer, String> {
        let now = at(self.now);
        let Some(entry) = self.entry.take() else {
            let Command::Claim { payment, leases, in_flight, .. } = command else {
                return Ok(Answer::Stale);
            };
            let (entry, answer) =
                Entry::open(*payment, leases, in_flight, OtherPayments::default(), now)
                    .map_err(|answer| format!("{answer:?}"))?;
            self.entry = Some(entry);
            return Ok(answer);
        };
        let before = entry.lapse(at(self.now));
        let holder = self.actors[actor].fence == before.fence;
        let claim = matches!(command, Command::Claim { .. });
        let settled = matches!(&command, Command::Outcome { result: Outcome::Settled(_), .. });
        let (after, answer) =
            before.clone().apply(command, OtherPayments::default(), Taken::No, at(self.now));
        let (from, to) = (before.state.name(), after.state.name());
        if !claim && !holder && from != to {
            return Err(format!("{from} -> {to} by somebody without the fence"));
        }
        if !is_allowed(&from, &to) {
            return Err(format!("{from} -> {to} is not in the table"));
        }
        let money = ["settled", "delivering", "delivered", "refund_due"];
        if money.contains(&to.as_str()) && !self.used {
            return Err(format!("{to} although nothing moved (settled: {settled})"));
        }
        if to == "delivered" && !after.sealed && !self.streamed {
            return Err("delivered without a stored response or a whole stream".to_owned());
        }
        if to == "refund_due" && !self.copies.is_empty() && from != to && !self.streamed {
            return Err("refund due and delivered".to_owned());
        }
        if after.fence < before.fence {
            return Err("the fence went back".to_owned());
        }
        self.entry = Some(after);
        Ok(answer)
    }

    fn hand_out(&mut self, actor: usize) -> Result<(), String> {
        if !self.used {
            return Err("handed out although nothing moved".to_owned());
        }
        self.copies.push(self.actors[actor].binding);
        if self.copies.iter().any(|binding| *binding != self.copies[0]) {
            return Err("two bindings served by one payment".to_owned());
        }
        self.actors[actor].place = Place::Over;
        Ok(())
    }

    /// What a request does with the object's answer; mirrors `gate::paid`.
    fn heard(&mut self, i: usize, answer: Answer) -> Result<(), String> {
        let reporting = matches!(self.actors[i].place, Place::Report(..));
        let place = match answer {
            Answer::Granted { fence } => {
                self.actors[i].fence = fence;
                match (self.actors[i].holds, reporting) {
                    (Some(whole), true) => {
                        self.actors[i].paid = true;
                        return self.serve(i, whole);
                    }
                    (Some(whole), false) if self.actors[i].paid => return self.serve(i, whole),
                    (Some(_), false) => {
                        let bytes = sent(&request(i), self.actors[i].charged);
                        Place::Send(Turn::First, bytes)
                    }
                    (None, true) => {
                        self.actors[i].paid = true;
                        Place::Run
                    }
                    (None, false) if self.mode == Mode::After => Place::Verify,
                    (None, false) => Place::Send(Turn::First, sent(&request(i), ALL)),
                }
            }
            Answer::Deliver(Deliver { fence, .. }) => {
                self.actors[i].fence = fence;
                self.actors[i].paid = true;
                Place::Run
            }
            Answer::Resend(Resend { fence, request, amount, .. }) => {
                self.actors[i].fence = fence;
                Place::Send(Turn::Again, sent(&request, amount.as_deref().unwrap_or(ALL)))
            }
            Answer::Replay(_) => return self.hand_out(i),
            _ => Place::Over,
        };
        self.actors[i].place = place;
        Ok(())
    }

    fn serve(&mut self, i: usize, whole: bool) -> Result<(), String> {
        self.hand_out(i)?;
        self.firsts += 1;
        if self.firsts > 1 {
            return Err("served twice by one payment".to_owned());
        }
        if !whole {
            self.actors[i].place = Place::Stream;
        }
        Ok(())
    }

    /// Somebody is told to sign anew: right only if nothing was ever submitted by us.
    fn fresh_terms(&self) -> Result<(), String> {
        match &self.bytes {
            Some(_) if self.anew && !self.doubted => Ok(()),
            Some(_) => Err("fresh terms although money may move".to_owned()),
            None => Ok(()),
        }
    }

    fn successors(&self) -> Vec<Step> {
        let mut next = Vec::new();
        for i in 0..self.actors.len() {
            self.advance(i, &mut next);
            if self.crashes < 2 && !matches!(self.actors[i].place, Place::Idle | Place::Over) {
                let mut lost = self.clone();
                lost.crashes += 1;
                lost.actors[i].place = Place::Over;
                next.push(Ok(lost));
            }
        }
        if self.pending > 0 {
            for lands in [true, false] {
                let mut later = self.clone();
                later.pending -= 1;
                later.used |= lands;
                next.push(Ok(later));
            }
        }
        let wake = self.entry.as_ref().and_then(Entry::wake_at);
        if let Some(wake) = wake.filter(|wake| wake.secs() > self.now && self.ticks < 2) {
            let mut later = self.clone();
            later.now = wake.secs();
            later.ticks += 1;
            later.entry = later.entry.map(|entry| entry.lapse(at(later.now)));
            next.push(Ok(later));
        }
        if let Some(entry) = self.entry.as_ref().filter(|_| self.ticks < 2) {
            next.push(self.is_left(entry));
        }
        if self.ticks < 2 && self.entry.is_some() {
            for secs in [2, 62] {
                let mut later = self.clone();
                later.now += secs;
                later.ticks += 1;
                next.push(Ok(later));
            }
        }
        next
    }

    /// Nobody has come for it until no next payment fetches it any more.
    fn is_left(&self, entry: &Entry) -> Step {
        let mut later = self.clone();
        later.now = later.now.max(entry.heir_until().secs());
        later.ticks += 1;
        let left = entry.clone().rest(Work::Refund, at(later.now));
        let is_owed = matches!(left.state, State::RefundDue { .. });
        later.entry = Some(left);
        let was_served = !self.copies.is_empty() && matches!(entry.state, State::Delivered { .. });
        match is_owed && was_served {
            true => Err("owed although it was received".to_owned()),
            false => Ok(later),
        }
    }

    fn advance(&self, i: usize, next: &mut Vec<Step>) {
        let mut go = |act: &dyn Fn(&mut Self) -> Result<(), String>| {
            let mut model = self.clone();
            next.push(act(&mut model).map(|()| model));
        };
        let actor = &self.actors[i];
        let fence = actor.fence;
        match &actor.place {
            Place::Over => {}
            Place::Idle => go(&|m| {
                let Actor { binding, secret, .. } = m.actors[i];
                let mut payment = payment(m.mode, binding, secret, &request(i));
                if m.deferred {
                    payment.valid_before = NEVER.secs();
                }
                if m.anew && i == 2 {
                    payment.valid_before += 500;
                    payment.signing = Signing::first(Signature::Proven);
                }
                let command = Command::Claim {
                    payment: Box::new(payment),
                    leases: LEASES,
                    idempotent: false,
                    wallet: false,
                    rival: None,
                    in_flight: SIXTEEN,
                    last: false,
                };
                let answer = m.tell(i, command)?;
                m.heard(i, answer)
            }),
            Place::Verify => {
                if !self.used {
                    go(&|m| {
                        m.actors[i].place = Place::Run;
                        Ok(())
                    });
                    go(&|m| {
                        let answer = m.tell(
                            i,
                            Command::Release { fence, why: Failure::NothingRan, brief: None },
                        )?;
                        m.actors[i].place = Place::Over;
                        if answer == Answer::Recorded { m.fresh_terms() } else { Ok(()) }
                    });
                }
                go(&|m| {
                    m.used = true;
                    m.tell(i, Command::Release { fence, why: Failure::Submitted, brief: None })?;
                    m.actors[i].place = Place::Over;
                    Ok(())
                });
            }
            Place::Run => {
                for outcome in [Some(true), Some(false), None] {
                    go(&|m| {
                        m.runs += 1;
                        if m.runs > if m.anew { 3 } else { 1 } {
                            return Err("the origin ran twice".to_owned());
                        }
                        m.actors[i].holds = outcome;
                        m.actors[i].place = Place::Ran;
                        Ok(())
                    });
                }
            }
            Place::Ran => {
                // All of what was signed, a part of it, or nothing; money that moved stays moved.
                let parts = [Some(ALL), Some("1"), None];
                let parts = if self.mode == Mode::After { &parts[..] } else { &parts[..1] };
                for part in parts {
                    go(&|m| {
                        let why = match (m.actors[i].holds, part) {
                            (None, _) => Some(Failure::Origin),
                            (Some(_), None) => Some(Failure::NotCharged),
                            (Some(_), Some(_)) => None,
                        };
                        if let Some(why) = why {
                            m.tell(i, Command::Release { fence, why, brief: None })?;
                            m.actors[i].place = Place::Over;
                            return Ok(());
                        }
                        let whole = m.actors[i].holds == Some(true);
                        let response = whole.then(|| "200\n".to_owned());
                        let charged = part.filter(|part| *part != ALL);
                        m.actors[i].charged = charged.unwrap_or(ALL);
                        let charged = charged.map(str::to_owned);
                        let seal = Command::Seal { fence, response, seen_block: None, charged };
                        let answer = m.tell(i, seal)?;
                        m.heard(i, answer)
                    });
                }
            }
            Place::Send(turn, bytes) => {
                let (turn, bytes) = (*turn, bytes.clone());
                let sent = |m: &mut Self, result: Outcome| {
                    m.actors[i].place = Place::Report(turn, result);
                    let doubted = m.doubted;
                    m.doubted |= matches!(m.actors[i].place, Place::Report(_, Outcome::Unknown(_)));
                    match m.bytes.replace(bytes.clone()) {
                        // What may have moved is never sent by other bytes.
                        Some(first) if first != bytes && (!m.anew || doubted) => {
                            Err("other bytes were sent".to_owned())
                        }
                        _ => Ok(()),
                    }
                };
                let named = Outcome::Settled(hash(9).to_text());
                let ok = match self.deferred {
                    true => Outcome::Settled(TxHash::PENDING.to_text()),
                    false => named.clone(),
                };
                if self.used {
                    // An idempotent facilitator says so again, another one that the nonce is used.
                    go(&|m| sent(m, ok.clone()));
                    if self.deferred {
                        go(&|m| sent(m, named.clone()));
                    }
                    go(&|m| sent(m, Outcome::Unknown(None)));
                    return;
                }
                go(&|m| {
                    m.used = true;
                    sent(m, ok.clone())
                });
                go(&|m| sent(m, Outcome::Refused("no".to_owned())));
                if self.faults < 2 {
                    go(&|m| {
                        m.faults += 1;
                        m.used = true;
                        sent(m, Outcome::Unknown(Some(hash(9).to_text())))
                    });
                    go(&|m| {
                        m.faults += 1;
                        m.pending += 1;
                        sent(m, Outcome::Unknown(None))
                    });
                }
            }
            Place::Report(turn, result) => {
                let clients: &[Client] = match turn {
                    Turn::First => &[Client::WaitsForMore],
                    Turn::Again => &[Client::Waits, Client::Answered],
                };
                for client in clients {
                    go(&|m| {
                        let (result, client) = (result.clone(), *client);
                        let command = Command::Outcome { fence, result, client, seen_block: None };
                        let answer = m.tell(i, command)?;
                        if client == Client::Answered
                            && matches!(answer, Answer::Granted { .. } | Answer::Replay(_))
                        {
                            return Err("handed out to somebody who has left".to_owned());
                        }
                        m.heard(i, answer)
                    });
                }
            }
            Place::Stream => {
                go(&|m| {
                    m.tell(i, Command::Fulfil { fence, delivery: Delivery::Flowing }).map(drop)
                });
                for delivery in [Delivery::Complete, Delivery::Broken] {
                    go(&|m| {
                        m.streamed = true;
                        m.actors[i].place = Place::Over;
                        m.tell(i, Command::Fulfil { fence, delivery }).map(drop)
                    });
                }
            }
        }
    }
}

/// The bytes of a settle call: the request, and what is asked for.
fn sent(request: &str, amount: &str) -> String {
    format!("{request} {amount}")
}

fn request(actor: usize) -> String {
    format!("bytes of request {actor}")
}

/// Visits everything that can be reached; the first violation ends it.
fn explore(start: Model, most: usize) -> Result<usize, String> {
    let mut seen = HashSet::from([start.key()]);
    let mut queue = VecDeque::from([start]);
    while let Some(model) = queue.pop_front() {
        for next in model.successors() {
            let next = next?;
            if seen.insert(next.key()) {
                queue.push_back(next);
            }
        }
        if seen.len() > most {
            return Err(format!("more than {most} states"));
        }
    }
    Ok(seen.len())
}

/// As [`explore`], but stops without a violation after so many states.
#[cfg(feature = "planted")]
fn finds(start: Model, most: usize) -> Option<String> {
    explore(start, most).err().filter(|found| !found.starts_with("more than"))
}

fn starts(mode: Mode) -> [Model; 3] {
    let s = Some("s");
    [Model::new(mode, s, s), Model::new(mode, s, None), Model::new(mode, None, None)]
}

// A-45, I-02
#[test]
fn no_interleaving_of_a_prepaid_request_breaks_a_rule() {
    for start in starts(Mode::Before) {
        let states = explore(start, 2_000_000).unwrap();
        assert!(states > 50_000, "{states}");
    }
}

#[test]
fn no_interleaving_of_a_request_whose_payment_is_settled_later_breaks_a_rule() {
    for start in starts(Mode::Before) {
        let states = explore(Model { deferred: true, ..start }, 3_000_000).unwrap();
        assert!(states > 50_000, "{states}");
    }
}

// I-03, I-04
#[test]
fn no_interleaving_of_a_request_paid_after_serving_breaks_a_rule() {
    for start in starts(Mode::After) {
        let states = explore(start, 2_000_000).unwrap();
        assert!(states > 50_000, "{states}");
    }
}

#[test]
fn no_interleaving_of_a_payment_that_is_signed_again_breaks_a_rule() {
    for mode in [Mode::After, Mode::Before] {
        for start in starts(mode) {
            let states = explore(Model { anew: true, ..start }, 3_000_000).unwrap();
            assert!(states > 50_000, "{states}");
        }
    }
}

#[cfg(feature = "planted")]
#[test]
fn what_begins_anew_in_doubt_is_found() {
    plant(Some(Mutant::DoubtBeginsAnew));
    let found = [Mode::After, Mode::Before].into_iter().find_map(|mode| {
        let [both, ..] = starts(mode);
        finds(Model { anew: true, ..both }, 200_000)
    });
    plant(None);
    assert!(found.is_some());
}

/// The mutants that this exploration finds.
#[cfg(feature = "planted")]
pub const MUTANTS: &[Mutant] = &[
    Mutant::IgnoreFence,
    Mutant::NoBinding,
    Mutant::TimeoutIsVoid,
    Mutant::RefusalEndsDoubt,
    Mutant::TimeoutIsPaid,
    Mutant::LapseReleases,
    Mutant::AbandonedBegins,
];

#[cfg(feature = "planted")]
#[test]
fn every_mutant_of_an_entry_is_found() {
    for mutant in MUTANTS {
        plant(Some(*mutant));
        let found = [Mode::After, Mode::Before].into_iter().find_map(|mode| {
            let [both, ..] = starts(mode);
            finds(both, 200_000)
        });
        plant(None);
        assert!(found.is_some(), "{mutant:?} is not found");
    }
}
