//! One payment between a real gate, an exchange, a treasury and the gate's desk, where answers and
//! notices are lost: whatever happens, its money goes to one side once.

use farebox_core::compute::errand::Errands;
use farebox_core::compute::message::{Answer, Command, PayoutAnswer, PayoutCall};
use farebox_core::ledger::report::{Decision, Undecided};
use farebox_core::ledger::shard::Decided;
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};
use serde_json::json;

use super::claims::{OwedJob, arrived, owed_job, said};
use super::payouts::Luck;
use super::world::World;
use crate::dice::Dice;
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{Running, World as Gate, paid, vars};

const HISTORIES: u64 = 2_000;
const STEPS: u64 = 24;
/// Seconds between two steps: shorter than a gate may be away for what it has told no debt of.
const PAUSES: [u64; 4] = [1, 5, 40, 120];
/// Guards without which a history pays twice.
#[cfg(feature = "planted")]
const MUTANTS: [Mutant; 5] = [
    Mutant::DebtsAreUnclaimed,
    Mutant::UnheardDebtsAreUnclaimed,
    Mutant::WordsChange,
    Mutant::SoldIsLate,
    Mutant::DebtsArePaidTwice,
];

/// The gate's key of the payment, and what still runs of its request.
struct Till {
    gate: Gate,
    payment: Payment,
    id: String,
    running: Option<Running>,
}

impl Till {
    /// A payment that the exchange has, and whose response is on its way.
    fn new() -> Self {
        let mut gate = Gate::with(vars(json!([
            {"path": "/twice", "price": "$0.01", "settle": "before", "idempotent": true},
        ])));
        let payment = gate.sign_as("/twice", "canary-identifier");
        let mut running = gate.start(paid(&payment), b"");
        while running.next() != "forward" {
            assert!(gate.advance(&mut running));
        }
        let id = gate.row_of(&payment.nonce).payment.receipt;
        Self { gate, payment, id, running: Some(running) }
    }

    fn state(&self) -> String {
        self.gate.row_of(&self.payment.nonce).state.name()
    }

    fn decide(&mut self, decision: &Decision) -> Result<(), Undecided> {
        match self.gate.ledger.decided(&self.id, decision, self.gate.now()) {
            Decided::Done(..) => Ok(()),
            Decided::Undecided(why) => Err(why),
            Decided::NoRow => panic!("{}", self.id),
        }
    }

    /// The response reaches its client, or is lost.
    fn ends(&mut self, is_lost: bool) {
        let Some(mut running) = self.running.take() else { return };
        if is_lost {
            self.gate.origin.plan.push_back(Say::Lost);
        }
        while self.gate.advance(&mut running) {}
    }

    /// What the gate answers the exchange.
    fn answer(&mut self, ask: &PayoutCall) -> PayoutAnswer {
        let decision = match ask {
            PayoutCall::Refunding { sold, .. } => Decision::Refunding {
                known_since: 0,
                key: Some("exchange".to_owned()),
                sold: *sold,
            },
            PayoutCall::Refunded { transaction, .. } => Decision::Refunded(transaction.clone()),
            PayoutCall::Pay(_) | PayoutCall::Look { .. } => panic!("the treasury is asked"),
        };
        let code = match self.decide(&decision) {
            Ok(()) => {
                let body = json!({"state": self.state()}).to_string();
                return PayoutAnswer { status: 200, body };
            }
            Err(Undecided::WrongState) => "wrong_state",
            Err(Undecided::RefundBegun(_)) => "refund_begun",
            Err(Undecided::RefundEarly(_)) => "refund_early",
            Err(Undecided::RefundRestored) => "refund_restored",
            Err(Undecided::RefundEnded) => "refund_ended",
        };
        said(409, code)
    }
}

/// A history of it.
struct History {
    till: Till,
    job: OwedJob,
    dice: Dice,
    /// Whether the gate is away, and so is its desk.
    is_away: bool,
    /// Whether the desk has begun a refund.
    has_begun: bool,
    /// How often the desk has paid.
    desk_paid: u64,
    is_waived: bool,
    /// Whether the gate has written a notice of its debt.
    was_due: bool,
    told: Vec<String>,
}

impl History {
    fn new(dice: Dice) -> Self {
        let (till, job) = (Till::new(), owed_job());
        Self {
            till,
            job,
            dice,
            is_away: false,
            has_begun: false,
            desk_paid: 0,
            is_waived: false,
            was_due: false,
            told: Vec::new(),
        }
    }

    fn world(&mut self) -> &mut World {
        &mut self.job.world
    }

    /// Carries out what the exchange asks for; each answer may be lost.
    fn carry(&mut self, mut answer: Answer, is_calm: bool) {
        while let Answer::Errand(errand) = answer {
            let is_gates =
                matches!(errand.ask, PayoutCall::Refunding { .. } | PayoutCall::Refunded { .. });
            let said = match is_gates {
                true if self.is_away => None,
                true => Some(self.till.answer(&errand.ask)),
                false => Some(self.world().treasury.answer(&errand.ask)),
            };
            let said = said.filter(|_| is_calm || self.dice.below(6) > 0);
            self.told.push(format!("{:?} -> {said:?} ({})", errand.ask, self.till.state()));
            answer = self.job.world.report(&errand, said);
        }
    }

    fn pass(&mut self, secs: u64, is_calm: bool) {
        self.till.gate.wait(secs);
        let until = self.world().now + secs * 1000;
        while let Some(due) = self.world().rows.next_due().filter(|due| *due <= until) {
            let world = self.world();
            world.now = world.now.max(due);
            let answer = world.send(Command::Due(Errands::default()));
            self.carry(answer, is_calm);
        }
        self.world().now = until;
    }

    fn step(&mut self) {
        let job = self.job.job.clone();
        self.was_due |= self.till.state() == "refund_due";
        let choice = self.dice.below(12);
        self.told.push(format!("{choice} in {}", self.till.state()));
        match choice {
            0 => {
                let answer = self.world().complete(1, &job);
                self.carry(answer, false);
            }
            1 => {
                let answer = self.world().fail(1, &job);
                self.carry(answer, false);
            }
            2 | 3 => {
                let is_lost = self.dice.below(4) > 0;
                self.till.ends(is_lost);
            }
            // It may have been written long before it comes.
            4 if self.was_due => {
                let debt = self.job.debt.clone();
                self.world().send(Command::Owed(Box::new(debt)));
            }
            5 if !self.has_begun && !self.is_away => {
                let begins = Decision::Refunding { known_since: 0, key: None, sold: false };
                self.has_begun = self.till.decide(&begins).is_ok();
            }
            6 if self.has_begun && self.desk_paid == 0 => self.desk_paid = 1,
            7 if self.desk_paid == 1 => {
                let report = Decision::Refunded(format!("0x{}", "ab".repeat(32)));
                self.till.decide(&report).expect("a refund that has begun is reported");
            }
            8 if self.dice.below(4) == 0 => {
                let waives = Decision::Waived("agreed".to_owned());
                self.is_waived |= self.till.decide(&waives).is_ok();
            }
            9 if self.till.running.is_none() && self.dice.below(2) == 0 => {
                self.till.gate.present(&self.till.payment);
            }
            10 => {
                let all = [Luck::Arrives, Luck::Doubted, Luck::Lost, Luck::Fails, Luck::Denies];
                self.job.world.treasury.luck = Some(self.dice.pick(&all));
            }
            11 => self.is_away = self.dice.below(4) == 0,
            _ => {}
        }
        let pause = self.dice.pick(&PAUSES);
        if self.is_away {
            self.pass(pause.min(20), false);
            self.is_away = self.dice.below(2) == 0;
        } else {
            self.pass(pause, false);
        }
    }

    /// In the end all that goes well, and the seller has worked.
    fn settle(&mut self) {
        self.is_away = false;
        self.world().treasury.luck = None;
        self.till.ends(false);
        if self.has_begun && self.desk_paid == 0 {
            self.desk_paid = 1;
        }
        if self.desk_paid == 1 && self.till.state() == "refund_due" {
            let report = Decision::Refunded(format!("0x{}", "ab".repeat(32)));
            self.till.decide(&report).expect("a refund that has begun is reported");
        }
        let job = self.job.job.clone();
        let answer = self.world().complete(1, &job);
        self.carry(answer, true);
        self.pass(3 * 86_400, true);
    }
}

/// Plays a history; a text that tells what was paid wrongly.
pub fn go_on(dice: Dice) -> Result<(), String> {
    let mut history = History::new(dice);
    for _ in 0..STEPS {
        history.step();
    }
    history.settle();
    let [seller, buyer] = arrived(&history.job.world).map(|units| units / 5_000);
    let went = seller + buyer + history.desk_paid + u64::from(history.is_waived);
    match went {
        1 => Ok(()),
        _ => Err(format!(
            "seller {seller}, buyer {buyer}, desk {}, waived {}\n{}",
            history.desk_paid,
            history.is_waived,
            history.told.join("\n")
        )),
    }
}

fn play(seed: u64) -> Result<(), String> {
    let dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    go_on(dice).map_err(|why| format!("{why}\nseed {seed}"))
}

//
#[test]
pub fn a_job_is_paid_once_whatever_its_gate_its_desk_and_its_treasury_do() {
    for seed in 1..=HISTORIES {
        play(seed).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[cfg(feature = "planted")]
#[test]
fn a_history_pays_twice_for_each_guard_that_is_removed() {
    for mutant in MUTANTS {
        plant(Some(mutant));
        let found = (1..=HISTORIES).any(|seed| {
            let played = std::panic::catch_unwind(|| play(seed));
            played.is_err() || played.is_ok_and(|it| it.is_err())
        });
        plant(None);
        assert!(found, "{mutant:?}");
    }
}
