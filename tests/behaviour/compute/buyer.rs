//! A buyer whose process dies anywhere, and whose requests and answers are lost, at the exchange that
//! ships: one payment, one job, one result.

use std::collections::{BTreeMap, BTreeSet};

use farebox_core::agent::json::Json;
use farebox_core::agent::purchase::order::JobOrder;
use farebox_core::agent::purchase::{
    JobPurchase, MoneyState, PlannedCall, PurchaseEvent, PurchaseStep,
};
use farebox_core::compute::message::{Answer, Command};
use farebox_core::compute::row::{HoldKind, JobState};
use farebox_core::encoding::base64;
use farebox_core::http::Headers;
use serde_json::{Value, json};

use super::world::{PRICE, Told, URL, World, wallet};
use crate::dice::Dice;

const BUYER: u8 = 9;
const PROMPT: &str = "hello";

/// What befalls a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fine,
    /// It never arrives.
    Lost,
    /// Its answer never arrives.
    Unheard,
    /// The process dies before it is sent.
    DiesBefore,
    /// The process dies before its answer is read.
    DiesAfter,
}

const FATES: [Fate; 5] = [Fate::Fine, Fate::Lost, Fate::Unheard, Fate::DiesBefore, Fate::DiesAfter];

/// The gate's till: each payment is settled once, and its answer is kept.
#[derive(Default)]
struct Gate {
    settled: BTreeMap<String, Told>,
}

struct Town {
    world: World,
    gate: Gate,
    /// Authorizations that a wallet was asked for.
    signed: BTreeSet<String>,
    /// What the buyer's store has.
    kept: String,
    results: Vec<Value>,
}

impl Town {
    fn new(hold: HoldKind) -> Self {
        let mut world = World::of(hold);
        world.seller(1, "0.005");
        let order = JobOrder {
            url: URL.into(),
            profile: world.gateway.profile().name().into(),
            buyer: wallet(BUYER),
            capability: "llm".into(),
            prompt: PROMPT.into(),
            most: "0.01".into(),
            currency: Some("USDC".into()),
            till: None,
        };
        let kept = JobPurchase::new(order).to_json().to_string();
        let (gate, signed, results) = (Gate::default(), BTreeSet::new(), Vec::new());
        Self { world, gate, signed, kept, results }
    }

    fn secs(&self) -> u64 {
        self.world.now / 1000
    }

    /// Reads the store, as a process that begins does.
    fn loaded(&self) -> JobPurchase {
        JobPurchase::read(&Json::read(&self.kept, 1 << 20).unwrap()).unwrap()
    }

    fn keep(&mut self, purchase: &JobPurchase) {
        self.kept = purchase.to_json().to_string();
        assert_eq!(self.loaded().to_json().to_string(), self.kept);
    }

    /// Answers a request: status, header lines, body.
    fn answer(&mut self, request: &PlannedCall) -> (u16, String, String) {
        let field = |name: &str| {
            let fields = request.headers.elements().iter().map(Json::elements);
            let mut its = fields.filter(|it| it[0].text() == Some(name));
            its.next().and_then(|it| it[1].text()).unwrap_or_default().to_owned()
        };
        let plain = |told: Told| (u16::try_from(told.status).unwrap(), String::new(), told.raw);
        match request.path.split(['?']).next().unwrap() {
            "/api/v1/buyers/capabilities" => plain(self.world.told(Command::Capabilities)),
            "/api/v1/jobs/quote" => {
                let (client, body) = ("10.0.0.1".to_owned(), request.body.clone());
                plain(self.world.told(Command::Quote { client, body }))
            }
            "/api/v1/jobs/verify" => {
                let (payment, body) = (field("payment-signature"), request.body.clone());
                let verify = Command::Verify { payment: payment.clone(), body };
                match self.world.send(verify) {
                    Answer::Till(quote) => self.till(&quote, &payment),
                    answer => plain(Told::of(answer)),
                }
            }
            path if path.starts_with(URL) => {
                let quote = path.trim_start_matches(URL).trim_start_matches("/till/");
                self.till(quote, &field("payment-signature"))
            }
            path => {
                let id = path.trim_start_matches("/api/v1/jobs/").to_owned();
                let authorization = field("authorization");
                plain(self.world.told(Command::Job { authorization, id }))
            }
        }
    }

    fn till(&mut self, quote: &str, payment: &str) -> (u16, String, String) {
        let told = match self.gate.settled.get(payment) {
            Some(told) => told.clone(),
            None => {
                let priced = self.world.send(Command::Price(format!("{URL}/till/{quote}")));
                if Told::of(priced).status != 200 {
                    return (503, String::new(), r#"{"code":"price_unavailable"}"#.into());
                }
                let mut sale = self.world.sale(quote, payment, BUYER);
                if self.world.gateway_holds_nothing() {
                    sale.transaction = String::new();
                }
                let told = match self.world.sold(&sale) {
                    Answer::Wait(job) => self.waited(&job),
                    answer => Told::of(answer),
                };
                self.gate.settled.insert(payment.to_owned(), told.clone());
                told
            }
        };
        let settlement = json!({"success": true, "transaction": sale_hash()}).to_string();
        let line = format!("payment-response: {}", base64::encode(settlement.as_bytes()));
        (u16::try_from(told.status).unwrap(), line, told.raw)
    }

    /// The seller works while the buyer's request waits.
    fn waited(&mut self, job: &str) -> Told {
        self.world.start(1, job);
        self.world.complete(1, job);
        match self.world.send(Command::Follow(job.to_owned())) {
            Answer::Wait(_) => panic!("the work is done"),
            answer => Told::of(answer),
        }
    }

    /// The seller does what there is to do.
    fn works(&mut self) {
        self.world.beat(1);
        let jobs = self.world.rows.jobs.clone();
        for (id, state) in jobs.into_iter().map(|job| (job.id, job.state)) {
            match state {
                JobState::Paid => _ = self.world.start(1, &id),
                JobState::Running => {
                    let answer = self.world.complete(1, &id);
                    if matches!(answer, Answer::Errand(_)) {
                        self.world.carry(answer);
                    }
                }
                _ => self.world.alarm(),
            }
        }
    }

    /// Lives through one history; later requests are fine.
    fn lives(&mut self, mut fates: impl Iterator<Item = Fate>) {
        let mut purchase = self.loaded();
        let mut step = purchase.next(PurchaseEvent::Resumed, self.secs());
        for _ in 0..60 {
            self.keep(&purchase);
            step = match step {
                PurchaseStep::Return(outcome) => {
                    let outcome = serde_json::from_str(&outcome.to_string()).unwrap();
                    self.results.push(outcome);
                    return;
                }
                PurchaseStep::Fail(error) => panic!("{error}"),
                PurchaseStep::Sign => {
                    let terms = purchase.terms().unwrap().clone();
                    // The nonce was kept before the signature was asked for.
                    let payload = json!({
                        "authorization": {"from": wallet(BUYER)}, "nonce": terms.payment_id,
                    });
                    let payment = json!({"x402Version": 2, "payload": payload}).to_string();
                    let payment = base64::encode(payment.as_bytes());
                    self.signed.insert(payment.clone());
                    let fields = Json::List(vec!["payment-signature".into(), payment.into()]);
                    let payment = Json::List(vec![fields]);
                    let ends = self.secs() + 300;
                    purchase.next(PurchaseEvent::Signed { payment, ends }, self.secs())
                }
                PurchaseStep::Request(request) => {
                    self.world.now += request.wait_ms;
                    let fate = fates.next().unwrap_or(Fate::Fine);
                    let arrives = !matches!(fate, Fate::Lost | Fate::DiesBefore);
                    let answer = arrives.then(|| self.answer(&request));
                    self.works();
                    match (fate, answer) {
                        (Fate::Fine, Some((status, lines, body))) => {
                            let headers = Headers::from_lines(lines.lines());
                            let event =
                                PurchaseEvent::Answered { status, headers: &headers, body: &body };
                            purchase.next(event, self.secs())
                        }
                        (Fate::DiesBefore | Fate::DiesAfter, _) => {
                            purchase = self.loaded();
                            purchase.next(PurchaseEvent::Resumed, self.secs())
                        }
                        _ => purchase.next(PurchaseEvent::Lost, self.secs()),
                    }
                }
            };
        }
        panic!("it does not end: {step:?}");
    }

    fn check(&self, story: &[Fate]) {
        assert_eq!(self.signed.len(), 1, "{story:?}");
        assert_eq!(self.gate.settled.len(), 1, "{story:?}");
        assert_eq!(self.world.rows.jobs.len(), 1, "{story:?}");
        let job = &self.world.rows.jobs[0];
        assert_eq!(job.state, JobState::Done, "{story:?}");
        assert_eq!(self.results.len(), 1);
        assert_eq!(self.results[0]["result"], json!({"text": "done"}), "{story:?}");
        assert_eq!(self.results[0]["jobId"], job.id.as_str(), "{story:?}");
        assert_eq!(self.loaded().money(), MoneyState::Paid);
        if !self.world.gateway_holds_nothing() {
            assert_eq!(self.world.treasury.arrived(&wallet(1)).to_string(), PRICE, "{story:?}");
        }
    }
}

fn sale_hash() -> &'static str {
    super::world::TX
}

#[test]
pub fn a_buyer_that_dies_anywhere_pays_once_for_one_job_and_gets_its_result() {
    for hold in [HoldKind::Escrow, HoldKind::Completion] {
        // Every history of four requests.
        for number in 0..FATES.len().pow(4) {
            let story: Vec<Fate> =
                (0..4).map(|place| FATES[number / FATES.len().pow(place) % FATES.len()]).collect();
            let mut town = Town::new(hold);
            town.lives(story.iter().copied());
            town.check(&story);
        }
    }
    let mut dice = Dice::seeded(20);
    for _ in 0..300 {
        let story: Vec<Fate> =
            (0..12).map(|_| FATES[usize::try_from(dice.below(5)).unwrap()]).collect();
        let mut town = Town::new(HoldKind::Escrow);
        town.lives(story.iter().copied());
        town.check(&story);
    }
}

#[test]
pub fn an_order_that_was_fulfilled_is_told_again_without_a_request() {
    let mut town = Town::new(HoldKind::Escrow);
    town.lives(std::iter::empty());
    let first = town.results[0].clone();
    town.lives(std::iter::repeat(Fate::Lost));
    assert_eq!(town.results, [first.clone(), first]);
    town.results.pop();
    town.check(&[]);
}
