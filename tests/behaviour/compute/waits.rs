//! Histories of exchanges that hold no money: under `completion` the buyer's request waits at the
//! till and is charged when the seller has delivered, under `mock` no one pays. Two sellers with a
//! seat each, two buyers, a gate that forwards a payment as often as it is sent again, and time.
//! Every history of a few steps is visited from several beginnings, and thousands of longer ones
//! are played at random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use farebox_core::compute::errand::Errands;
use farebox_core::compute::message::{
    Answer, Callback, Command, Identity, SellerRequest, TillPayment,
};
use farebox_core::compute::row::{HoldKind, JobRow, JobState, QuoteState};
use farebox_core::compute::settings::Profile;
use farebox_core::compute::{Gateway, Now, RANDOM_BYTES};
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};
use serde_json::{Value, json};

use super::rows::MemoryRows;
use super::world::{NETWORK, NOON, PRICE, Told, USDC, payment, session, settings, wallet};
use crate::dice::Dice;

const HISTORIES: u64 = 3_000;
const STEPS: usize = 20;
const SELLERS: [u8; 2] = [1, 2];
const BUYERS: [u8; 2] = [8, 9];
/// Guards without which a history breaks a rule.
#[cfg(feature = "planted")]
pub const MUTANTS: &[Mutant] =
    &[Mutant::SeatsAreSoldTwice, Mutant::LateWorkIsPaid, Mutant::AnyAmountBuys];

/// The gateway of the profile that serves this hold.
fn gateway(hold: HoldKind) -> &'static Gateway {
    static COMPLETION: LazyLock<Gateway> = LazyLock::new(|| of(HoldKind::Completion));
    static MOCK: LazyLock<Gateway> = LazyLock::new(|| of(HoldKind::Mock));
    fn of(hold: HoldKind) -> Gateway {
        Gateway::new(settings(hold, Profile::LiveTestnet)).unwrap()
    }
    if hold == HoldKind::Mock { &MOCK } else { &COMPLETION }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Beats(u8),
    Leaves(u8),
    Asks(u8),
    Verifies(u8),
    /// The gate answers this to what verify sent.
    Answers(u8, u32),
    /// The gate forwards a payment for the quote that the buyer has, of this many units.
    Forwards(u8, u64),
    /// The gate forwards the payments of a buyer once more.
    Again(u8),
    /// The requests that wait look for their work.
    Follows,
    Calls(u8, usize, Callback),
    Due,
    Waits,
}

/// A payment that the gate has claimed and not settled.
#[derive(Clone, Debug)]
struct Claimed {
    sale: TillPayment,
    /// To whom it is signed.
    payee: String,
    /// The job that its request waits for.
    waits: Option<String>,
    /// What its request was answered: it is settled after 200 and never otherwise.
    answered: Option<u32>,
}

#[derive(Clone, Debug)]
struct Till {
    hold: HoldKind,
    rows: MemoryRows,
    now: u64,
    drawn: u8,
    quotes: BTreeMap<u8, Value>,
    claimed: Vec<(u8, Claimed)>,
}

impl Till {
    fn new(hold: HoldKind) -> Self {
        let (rows, quotes, claimed) = (MemoryRows::default(), BTreeMap::new(), Vec::new());
        let mut till = Self { hold, rows, now: NOON, drawn: 0, quotes, claimed };
        for number in SELLERS {
            let body = json!({
                "seller_id": wallet(number), "network_profile": "live-testnet",
                "capability": "llm", "price_per_task": "0.005",
            });
            let request = SellerRequest { authorization: String::new(), body: body.to_string() };
            till.apply(Command::Register { client: "10.0.0.1".into(), request });
            till.go(Move::Beats(number)).unwrap();
        }
        till
    }

    fn apply(&mut self, command: Command) -> Answer {
        self.drawn = self.drawn.wrapping_add(1);
        let random = [self.drawn; RANDOM_BYTES];
        let tick = Now::new(self.now, &random).unwrap();
        let decision = gateway(self.hold).apply(&self.rows, command, tick).unwrap();
        self.rows.write(decision.changes);
        decision.answer
    }

    /// A request of a seller, with a session of now.
    fn request(&mut self, number: u8, more: &Value) -> SellerRequest {
        let mut body = json!({
            "seller_id": wallet(number), "network_profile": "live-testnet",
            "passport_agent_id": "agent",
        });
        let request = SellerRequest { authorization: String::new(), body: body.to_string() };
        let claims = json!({"agent_id": "agent", "walletAddress": wallet(number)});
        let identity = Identity { subject: "sub".into(), claims: claims.to_string() };
        let told = Told::of(self.apply(session(request, Some(identity))));
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let authorization = format!("Bearer {}", told.text("seller_session_token"));
        SellerRequest { authorization, body: body.to_string() }
    }

    fn order(buyer: u8) -> Value {
        json!({
            "buyer_id": wallet(buyer), "capability": "llm", "prompt": "hello",
            "network_profile": "live-testnet",
        })
    }

    fn quoted(&self, buyer: u8, name: &str) -> Option<String> {
        self.quotes.get(&buyer).map(|quote| quote[name].as_str().unwrap().to_owned())
    }

    fn moves(&self) -> Vec<Move> {
        let mut moves = vec![Move::Due, Move::Waits, Move::Follows];
        for number in SELLERS {
            moves.extend([Move::Beats(number), Move::Leaves(number)]);
            for place in 0..self.rows.jobs.len() {
                let all = [Callback::Start, Callback::Complete, Callback::Fail];
                moves.extend(all.map(|callback| Move::Calls(number, place, callback)));
            }
        }
        for buyer in BUYERS {
            moves.push(Move::Asks(buyer));
            if self.quotes.contains_key(&buyer) {
                moves.push(Move::Verifies(buyer));
                if self.hold == HoldKind::Completion {
                    moves.extend([
                        Move::Answers(buyer, 402),
                        Move::Answers(buyer, 429),
                        Move::Answers(buyer, 503),
                    ]);
                    moves.extend([Move::Forwards(buyer, 5_000), Move::Forwards(buyer, 4_999)]);
                }
            }
            if self.claimed.iter().any(|(owner, _)| *owner == buyer) {
                moves.push(Move::Again(buyer));
            }
        }
        moves
    }

    fn go(&mut self, step: Move) -> Result<(), String> {
        self.now += 1;
        let before = self.rows.clone();
        match step {
            Move::Beats(number) => {
                let request = self.request(number, &json!({}));
                self.apply(Command::Heartbeat(request));
            }
            Move::Leaves(number) => {
                let request = self.request(number, &json!({}));
                self.apply(Command::Offline(request));
            }
            Move::Asks(buyer) => {
                let (client, body) = (format!("10.0.0.{buyer}"), Self::order(buyer).to_string());
                let told = Told::of(self.apply(Command::Quote { client, body }));
                if told.status == 402 {
                    self.quotes.insert(buyer, told.body);
                }
            }
            Move::Verifies(buyer) => {
                let Some(fingerprint) = self.quoted(buyer, "fingerprint") else { return Ok(()) };
                let mut body = json!({"fingerprint": fingerprint, "payload": Self::order(buyer)});
                let payment = if self.hold == HoldKind::Mock {
                    body["tx_hash"] =
                        json!(format!("0x{}", self.quoted(buyer, "payment_id").unwrap()));
                    String::new()
                } else {
                    payment(buyer)
                };
                self.apply(Command::Verify { payment, body: body.to_string() });
            }
            Move::Answers(buyer, status) => {
                let Some(quote) = self.quoted(buyer, "payment_id") else { return Ok(()) };
                // A gate that has claimed a payment says no such thing of it.
                let is_claimed = self.claimed.iter().any(|(_, it)| it.sale.quote == quote);
                if status != 402 || !is_claimed {
                    let its = self.rows.jobs.iter().find(|job| job.quote == quote);
                    let job = its.map(|job| job.id.clone()).unwrap_or_default();
                    self.apply(Command::Taken {
                        quote,
                        job,
                        status,
                        code: String::new(),
                        reason: String::new(),
                        transaction: String::new(),
                    });
                }
            }
            Move::Forwards(buyer, units) => self.claim(buyer, units)?,
            Move::Again(buyer) => {
                for place in 0..self.claimed.len() {
                    if self.claimed[place].0 == buyer {
                        self.forward(place)?;
                    }
                }
            }
            Move::Follows => self.follow()?,
            Move::Calls(number, place, callback) => {
                let id = self.rows.jobs[place].id.clone();
                let request = self.request(number, &json!({"result": 1, "error": 1}));
                self.apply(Command::Call { id, callback, request });
            }
            Move::Due => {
                self.now = self.now.max(self.rows.next_due().unwrap_or(0));
                self.apply(Command::Due(Errands::default()));
            }
            Move::Waits => self.now += 30_000,
        }
        self.check(&before)
    }

    /// The gate claims a payment of this many units, for the payee of the quote.
    fn claim(&mut self, buyer: u8, units: u64) -> Result<(), String> {
        let Some(quote) = self.quoted(buyer, "payment_id") else { return Ok(()) };
        if self.claimed.len() >= 3 {
            return Ok(());
        }
        let sale = TillPayment {
            quote,
            payment: format!("rcpt_{}", self.claimed.len()),
            payer: wallet(buyer),
            amount: units.to_string(),
            asset: USDC.into(),
            network: NETWORK.into(),
            transaction: String::new(),
        };
        let payee = self.quoted(buyer, "pay_to").unwrap().to_lowercase();
        self.claimed.push((buyer, Claimed { sale, payee, waits: None, answered: None }));
        self.forward(self.claimed.len() - 1)
    }

    fn forward(&mut self, place: usize) -> Result<(), String> {
        let sale = Box::new(self.claimed[place].1.sale.clone());
        match self.apply(Command::Sold(sale)) {
            Answer::Wait(job) => {
                let known = &mut self.claimed[place].1;
                if known.answered.is_some_and(|status| status == 409) {
                    return Err(format!("{known:?} waits for {job} now"));
                }
                known.waits = Some(job);
                Ok(())
            }
            answer => self.answer(place, Told::of(answer).status),
        }
    }

    fn follow(&mut self) -> Result<(), String> {
        for place in 0..self.claimed.len() {
            let Some(job) = self.claimed[place].1.waits.take() else { continue };
            match self.apply(Command::Follow(job)) {
                Answer::Wait(job) => self.claimed[place].1.waits = Some(job),
                answer => self.answer(place, Told::of(answer).status)?,
            }
        }
        Ok(())
    }

    fn answer(&mut self, place: usize, status: u32) -> Result<(), String> {
        let known = &mut self.claimed[place].1;
        if known.answered.is_some_and(|told| told != status) {
            return Err(format!("{known:?} is answered {status} then"));
        }
        known.answered = Some(status);
        Ok(())
    }

    /// The rules that hold at every instant.
    fn check(&self, before: &MemoryRows) -> Result<(), String> {
        for seller in self.rows.sellers.values() {
            let open = self.rows.quotes.iter();
            let open = open.filter(|it| it.seller == seller.id && it.has_seat(self.now)).count();
            let jobs = self.rows.jobs.iter();
            let jobs = jobs.filter(|it| it.seller == seller.id && it.state.has_seat()).count();
            if open + jobs > seller.capacity as usize {
                return Err(format!("{open} quotes and {jobs} jobs have one seat of {seller:?}"));
            }
        }
        if !self.rows.holds.is_empty() {
            return Err("money is held".to_owned());
        }
        let mut charged = BTreeSet::new();
        for (_, claimed) in self.claimed.iter().filter(|(_, it)| it.answered == Some(200)) {
            let job = self.rows.jobs.iter().find(|it| it.payment == claimed.sale.payment);
            let is_right = job.is_some_and(|job| {
                job.state == JobState::Done
                    && job.seller == claimed.payee
                    && claimed.sale.amount == PRICE
            });
            if !is_right || !charged.insert(&job.unwrap().id) {
                return Err(format!("{claimed:?} is charged for {job:?}"));
            }
        }
        self.rows.jobs.iter().try_for_each(|job| self.check_job(job, before))
    }

    fn check_job(&self, job: &JobRow, before: &MemoryRows) -> Result<(), String> {
        let Some(known) = before.jobs.iter().find(|it| it.id == job.id) else { return Ok(()) };
        if known.state != job.state && before.events.len() == self.rows.events.len() {
            return Err(format!("{job:?} changed without an event"));
        }
        if known.state.is_over() && known.state != job.state {
            return Err(format!("{known:?} became {job:?}"));
        }
        let is_done = known.state != JobState::Done && job.state == JobState::Done;
        if is_done && job.waits.is_some_and(|waits| self.now >= waits) {
            return Err(format!("{job:?} is done for a request that is gone"));
        }
        if self.hold == HoldKind::Completion && known.seller != job.seller {
            return Err(format!("{job:?} has another seller than its payment"));
        }
        if job.attempts > 3 { Err(format!("{job:?} never ends")) } else { Ok(()) }
    }

    /// In the end everything is over, and who was promised work has it or was not charged.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..100 {
            if self.rows.next_due().is_none() {
                break;
            }
            self.go(Move::Due)?;
        }
        for buyer in BUYERS {
            self.go(Move::Again(buyer))?;
        }
        self.go(Move::Follows)?;
        if let Some(due) = self.rows.next_due() {
            return Err(format!("something is due at {due} for ever"));
        }
        for quote in &self.rows.quotes {
            if !matches!(quote.state, QuoteState::Sold | QuoteState::Lapsed) {
                return Err(format!("{quote:?} never ends"));
            }
        }
        for job in &self.rows.jobs {
            let told = self.claimed.iter().find(|(_, it)| it.sale.payment == job.payment);
            let told = told.map(|(_, it)| it.answered);
            let expected = match job.state {
                JobState::Done => Some(200),
                JobState::Failed => Some(502),
                _ => return Err(format!("{job:?} never ends")),
            };
            if self.hold == HoldKind::Completion && told != Some(expected) {
                return Err(format!("{job:?} is answered {told:?}"));
            }
        }
        match self.claimed.iter().find(|(_, it)| it.answered.is_none()) {
            Some(open) => Err(format!("{open:?} waits for ever")),
            None => Ok(()),
        }
    }

    fn state(&self) -> String {
        let left = |at: Option<u64>| at.map(|at| at.saturating_sub(self.now) / 1000);
        let sellers = self.rows.sellers.values();
        let sellers: Vec<_> = sellers
            .map(|it| (it.presence, it.heartbeat.map(|at| (self.now - at) / 1000)))
            .collect();
        let quotes = self.rows.quotes.iter();
        let quotes: Vec<_> =
            quotes.map(|it| (&it.buyer, &it.seller, it.state, left(Some(it.until)))).collect();
        let jobs = self.rows.jobs.iter();
        let jobs: Vec<_> = jobs
            .map(|it| (&it.buyer, &it.seller, &it.payment, it.state, it.attempts, left(it.due)))
            .collect();
        let claimed: Vec<_> = self
            .claimed
            .iter()
            .map(|(buyer, it)| (buyer, &it.sale.amount, it.waits.is_some(), it.answered))
            .collect();
        format!("{sellers:?}{quotes:?}{jobs:?}{claimed:?}")
    }
}

/// Histories that all others begin with.
fn beginnings(hold: HoldKind) -> Vec<Vec<Move>> {
    let paid = match hold {
        HoldKind::Mock => vec![Move::Asks(9), Move::Verifies(9)],
        _ => vec![Move::Asks(9), Move::Verifies(9), Move::Forwards(9, 5_000)],
    };
    let with = |more: &[Move]| paid.iter().chain(more).copied().collect();
    let start = Move::Calls(1, 0, Callback::Start);
    vec![
        Vec::new(),
        vec![Move::Asks(9), Move::Verifies(9)],
        with(&[]),
        with(&[start]),
        with(&[start, Move::Waits, Move::Waits, Move::Waits]),
        with(&[start, Move::Calls(1, 0, Callback::Complete)]),
        with(&[start, Move::Calls(1, 0, Callback::Fail)]),
    ]
}

/// Visits every state that can be reached in so many moves; the number of them, or the history that
/// breaks a rule.
fn explore(hold: HoldKind, depths: usize) -> Result<usize, String> {
    let mut seen = BTreeSet::new();
    for beginning in beginnings(hold) {
        let mut till = Till::new(hold);
        for step in &beginning {
            till.go(*step).map_err(|why| format!("{why}\nafter {beginning:?}"))?;
        }
        let mut layer = vec![(till, beginning)];
        for depth in 1..=depths {
            let mut next = Vec::new();
            for (till, history) in layer {
                for step in till.moves() {
                    let (mut after, mut history) = (till.clone(), history.clone());
                    history.push(step);
                    let told = |why: String| format!("{why}\nafter {history:?}");
                    after.go(step).map_err(told)?;
                    if !seen.insert(after.state()) {
                        continue;
                    }
                    if depth == depths && seen.len() % 8 == 0 {
                        after.clone().settle().map_err(told)?;
                    }
                    if depth < depths {
                        next.push((after, history));
                    }
                }
            }
            layer = next;
        }
    }
    Ok(seen.len())
}

fn play(hold: HoldKind, seed: u64) -> Result<(), String> {
    let dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    go_on(hold, dice).map_err(|why| format!("{why}\nseed {seed}"))
}

/// Plays one random history.
pub fn go_on(hold: HoldKind, mut dice: Dice) -> Result<(), String> {
    let mut till = Till::new(hold);
    let mut history = Vec::new();
    for place in 0..STEPS {
        let steps = match place {
            0 => dice.pick(&beginnings(hold)),
            _ => vec![dice.pick(&till.moves())],
        };
        for step in steps {
            history.push(step);
            till.go(step).map_err(|why| format!("{why}\nafter {history:?}"))?;
        }
    }
    till.settle().map_err(|why| format!("{why}\nin the end of {history:?}"))
}

#[test]
fn no_history_without_held_money_breaks_a_rule() {
    for (hold, depths, least) in [(HoldKind::Completion, 4, 900), (HoldKind::Mock, 4, 100)] {
        let states = explore(hold, depths).unwrap_or_else(|why| panic!("{why}"));
        assert!(states > least, "{hold:?}: {states}");
    }
}

#[test]
fn three_thousand_histories_of_each_kind_break_no_rule() {
    for hold in [HoldKind::Completion, HoldKind::Mock] {
        (1..=HISTORIES).try_for_each(|seed| play(hold, seed)).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[cfg(feature = "planted")]
#[test]
fn a_history_that_waits_is_found_for_each_guard_that_is_removed() {
    for mutant in MUTANTS {
        gateway(HoldKind::Completion);
        plant(Some(*mutant));
        let found = (1..=3_000).find_map(|seed| play(HoldKind::Completion, seed).err());
        plant(None);
        assert!(found.is_some(), "{mutant:?} breaks nothing");
    }
}
