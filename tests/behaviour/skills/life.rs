//! Histories of a small market: two requests and their repeats, a seller that delivers, fails and
//! lies, a treasury that pays, denies and is lost, Workers that die, and the alarm. Every history
//! of a few steps is visited, and thousands of longer ones are played at random.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use farebox_core::amount::Amount;
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};
use farebox_core::skills::message::{
    Answer, CallOutcome, Chore, Command, Errand, PayOrder, SellerCall, TreasuryAnswer,
};
use farebox_core::skills::row::{Ending, InvocationRow, Moved};
use farebox_core::skills::{Market, Now};

use super::books::MemoryRows;
use super::world::{
    TX, USDC, World, charge, charge_to, decision, echo, invocation, owner, plain, unknown_key, vars,
};
use crate::dice::Dice;

/// Steps of the longest history that is visited.
const DEPTH: usize = 5;
const HISTORIES: u64 = 10_000;
const STEPS: usize = 12;
/// Guards without which a history breaks a rule.
#[cfg(feature = "planted")]
pub const MUTANTS: &[Mutant] = &[
    Mutant::DriftIsPaid,
    Mutant::CallsAreRepeated,
    Mutant::DoubtIsUnpaid,
    Mutant::TotalsDrift,
    Mutant::FailuresAreSuccesses,
    Mutant::ShelvesAreNotRead,
    Mutant::DepartedIsForgotten,
];

/// A market with one skill.
static SHOP: LazyLock<(Market, MemoryRows)> = LazyLock::new(|| {
    let mut vars = vars();
    vars["AGENT_DAILY_CAP"] = "$0.30".into();
    let mut world = World::of(&vars);
    assert_eq!(world.publish(&echo()).status, 201);
    // Each row leaves as soon as it is over.
    world.market.ledger_rows = Some(0);
    (world.market, world.rows)
});

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SellerAct {
    Free,
    Fails,
    Right,
    Cheap,
    Dear,
    Payee,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Allows,
    PaidFailed,
    Doubts,
    Denies,
    Executes,
    /// Nothing came through.
    Lost,
    /// It paid, and its answer was lost.
    PaysAndIsLost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Invoke(u8),
    Answers(usize, SellerAct),
    Says(usize, Word),
    Dies(usize),
    Alarm,
    /// The alarm puts a shelf, and this becomes of it.
    Shelve(Bucket),
}

/// What a bucket does with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bucket {
    Keeps,
    /// It has it, and the alarm ends before it reads it.
    KeepsAndIsLost,
    /// It has a part of it.
    Cuts,
    Refuses,
}

/// A Worker and what it has to do.
#[derive(Clone, Debug)]
enum Holder {
    Calls(SellerCall),
    Asks(PayOrder),
}

#[derive(Clone, Debug)]
struct Life {
    rows: MemoryRows,
    now: u64,
    holders: Vec<Holder>,
    decisions: BTreeMap<String, TreasuryAnswer>,
    bucket: BTreeMap<String, String>,
    told: BTreeMap<u8, String>,
    begun: BTreeSet<u8>,
    /// Whose last answer was given while the money was in doubt.
    doubted: BTreeSet<u8>,
}

impl Life {
    fn new() -> Self {
        Self {
            rows: SHOP.1.clone(),
            now: 1_763_618_400_000,
            holders: Vec::new(),
            decisions: BTreeMap::new(),
            bucket: BTreeMap::new(),
            told: BTreeMap::new(),
            begun: BTreeSet::new(),
            doubted: BTreeSet::new(),
        }
    }

    fn apply(&mut self, command: Command) -> Answer {
        let mark = u8::try_from(self.rows.invocations.len() + self.rows.departed.len()).unwrap();
        let moment = Now { now: self.now, random: &[mark; 64] };
        let decision = SHOP.0.apply(&self.rows, command, moment).unwrap();
        self.rows.write(decision.changes);
        decision.answer
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Invoke(0), Step::Invoke(1), Step::Alarm];
        if self.rows.archive.due.is_some() {
            use Bucket::{Cuts, Keeps, KeepsAndIsLost, Refuses};
            steps.extend([Keeps, KeepsAndIsLost, Cuts, Refuses].map(Step::Shelve));
        }
        for (place, holder) in self.holders.iter().enumerate() {
            steps.push(Step::Dies(place));
            match holder {
                Holder::Calls(_) => {
                    use SellerAct::{Cheap, Dear, Fails, Free, Payee, Right};
                    let all = [Free, Fails, Right, Cheap, Dear, Payee];
                    steps.extend(all.map(|answer| Step::Answers(place, answer)));
                }
                Holder::Asks(_) => {
                    use Word::{Allows, Denies, Doubts, Executes, Lost, PaidFailed, PaysAndIsLost};
                    let all = [Allows, PaidFailed, Doubts, Denies, Executes, Lost, PaysAndIsLost];
                    steps.extend(all.map(|word| Step::Says(place, word)));
                }
            }
        }
        steps
    }

    fn take_step(&mut self, step: Step) -> Result<(), String> {
        self.now += 1_000;
        match step {
            Step::Invoke(number) => {
                let asked = invocation(&format!("key-{number}"), &number.to_string());
                self.begun.insert(number);
                let reaction = self.apply(Command::Invoke(Box::new(asked)));
                if let Answer::Reply(response) = &reaction {
                    let text = format!("{} {}", response.status, response.body);
                    let is_open = self.doubted.contains(&number);
                    let known = self.told.insert(number, text.clone()).filter(|_| !is_open);
                    if known.as_ref().is_some_and(|known| *known != text) {
                        return Err(format!("key-{number} is answered twice: {known:?}, {text}"));
                    }
                    self.answers(number, &text)?;
                }
                self.react(reaction);
            }
            Step::Answers(place, answer) => {
                let Holder::Calls(call) = self.holders.remove(place) else { return Ok(()) };
                let answer = match answer {
                    SellerAct::Free => plain(200, "{}"),
                    SellerAct::Fails => plain(500, "{}"),
                    SellerAct::Right => charge("250000"),
                    SellerAct::Cheap => charge("40000"),
                    SellerAct::Dear => charge("250001"),
                    SellerAct::Payee => charge_to("250000", &owner(2), USDC),
                };
                let (invocation, fence) = (call.invocation, call.fence);
                let outcome = CallOutcome::Answer(answer);
                let reaction = self.apply(Command::Called { invocation, fence, outcome });
                self.react(reaction);
            }
            Step::Says(place, word) => {
                let Holder::Asks(order) = self.holders.remove(place) else { return Ok(()) };
                self.treasury(&order)?;
                let answer = self.said(&order.invocation, word);
                let (invocation, fence) = (order.invocation, order.fence);
                let reaction = self.apply(Command::Paid { invocation, fence, answer });
                self.react(reaction);
            }
            Step::Dies(place) => _ = self.holders.remove(place),
            Step::Alarm => self.alarm(),
            Step::Shelve(bucket) => self.shelve(bucket),
        }
        self.check()
    }

    /// An answer says what the ledger knows.
    fn answers(&mut self, number: u8, text: &str) -> Result<(), String> {
        let rows = self.ledger()?;
        let row = rows.into_iter().find(|row| row.key == format!("key-{number}"));
        let Some(row) = row.filter(|row| row.ending != Ending::Running) else { return Ok(()) };
        let says = |part: &str| text.contains(part);
        let is_right = match row.paid {
            Moved::Yes => says("\"receipt\":{") && !says("\"paid\":\"unknown\""),
            Moved::No => !says("\"receipt\":{") && !says("\"paid\":"),
            Moved::Unknown => !says("\"receipt\":{"),
        };
        if !is_right {
            return Err(format!("{text} is not what {row:?} knows"));
        }
        if row.paid == Moved::Unknown {
            self.doubted.insert(number);
        } else {
            self.doubted.remove(&number);
        }
        Ok(())
    }

    fn react(&mut self, answer: Answer) {
        match answer {
            Answer::Errand(Errand::Call(call)) => self.holders.push(Holder::Calls(*call)),
            Answer::Errand(Errand::Pay(order)) => self.holders.push(Holder::Asks(*order)),
            _ => {}
        }
    }

    /// What a treasury would be asked never exceeds the listing.
    fn treasury(&self, order: &PayOrder) -> Result<(), String> {
        let most = Amount::from_decimal("0.25", 6).unwrap();
        let asked = Amount::from_decimal(&order.max_amount, 6).unwrap();
        let facts = |amount: String| {
            let (asset, payee) = (USDC.to_lowercase(), owner(1).to_lowercase());
            farebox_core::client::offer::digest(["eip155:84532", &asset, &payee, &amount, "exact"])
        };
        if asked > most || order.candidate != facts(asked.to_string()) {
            return Err(format!("asked to pay {order:?}"));
        }
        Ok(())
    }

    /// The treasury's answer: the first decision of a key stays.
    fn said(&mut self, key: &str, word: Word) -> Option<TreasuryAnswer> {
        if let Some(known) = self.decisions.get(key) {
            return (word != Word::Lost && word != Word::PaysAndIsLost).then(|| known.clone());
        }
        let mut denied = decision("deny", "");
        denied.figures = Some("required=250000, available=0".into());
        let (kept, told) = match word {
            Word::Allows => (Some(decision("allow", TX)), true),
            Word::PaidFailed => (Some(decision("paid_fulfillment_failed", TX)), true),
            Word::Doubts => (Some(decision("inconclusive", "")), true),
            Word::Denies => (Some(denied), true),
            Word::Executes => return Some(decision("executing", "")),
            Word::Lost => (None, false),
            Word::PaysAndIsLost => (Some(decision("allow", TX)), false),
        };
        if let Some(kept) = &kept {
            self.decisions.insert(key.to_owned(), kept.clone());
        }
        kept.filter(|_| told)
    }

    fn alarm(&mut self) {
        let due = self.rows.invocations.iter().filter_map(|row| row.due).min();
        self.now = self.now.max(due.unwrap_or(0));
        let Answer::Tasks(chores) = self.apply(Command::Due) else { return };
        for chore in chores {
            let Chore::LookUp { invocation, fence, .. } = chore else { continue };
            let known = self.decisions.get(&invocation).cloned();
            let missing = || unknown_key().unwrap_or_default();
            let mut answer = known.unwrap_or_else(missing);
            let is_signed = ["inconclusive", "\"allow\""].iter().any(|it| answer.body.contains(it));
            answer.money = is_signed.then(|| "spent".to_owned());
            self.apply(Command::Paid { invocation, fence, answer: Some(answer) });
        }
    }

    fn shelve(&mut self, bucket: Bucket) {
        let Answer::Shelf(shelf) = self.apply(Command::Shelf) else { return };
        let cut = shelf.text.split_at(shelf.text.len() / 2).0.to_owned();
        match bucket {
            Bucket::Keeps | Bucket::KeepsAndIsLost => {
                _ = self.bucket.insert(shelf.name.clone(), shelf.text);
            }
            Bucket::Cuts => _ = self.bucket.insert(shelf.name.clone(), cut),
            Bucket::Refuses => {}
        }
        if bucket != Bucket::KeepsAndIsLost {
            let read = self.bucket.get(&shelf.name).cloned();
            self.apply(Command::Kept(shelf.name, read));
        }
    }

    /// All rows, wherever they are, by their numbers.
    fn ledger(&self) -> Result<Vec<InvocationRow>, String> {
        let mut rows = self.rows.invocations.clone();
        for shelf in &self.rows.shelves {
            let text = self.bucket.get(&shelf.name).ok_or("a shelf is not in the bucket")?;
            for line in text.lines() {
                let row = serde_json::from_str(line).map_err(|_| "a shelf is cut")?;
                rows.push(row);
            }
        }
        rows.sort_by_key(|row| row.number);
        let numbers = rows.iter().map(|row| row.number);
        if !numbers.eq(1..=rows.len() as u64) {
            return Err(format!("a row is lost or doubled: {rows:?}"));
        }
        Ok(rows)
    }

    /// The rules that hold at every instant.
    fn check(&self) -> Result<(), String> {
        let rows = &self.ledger()?;
        if rows.len() != self.begun.len() {
            return Err(format!("{} rows for {:?}", rows.len(), self.begun));
        }
        let Some(spend) = self.rows.spends.get("acme/buyer") else {
            let is_over = rows.iter().any(|row| row.ending != Ending::Running);
            return if is_over { Err("a row ended without totals".to_owned()) } else { Ok(()) };
        };
        let sum = |of: &dyn Fn(&InvocationRow) -> Option<&String>| {
            rows.iter().filter_map(of).fold(Amount::ZERO, |all, text| {
                all.checked_add(Amount::from_decimal(text, 18).unwrap()).unwrap()
            })
        };
        let of = |ending: Ending| move |row: &InvocationRow| row.ending == ending;
        let paid = sum(&|row| of(Ending::PaidOk)(row).then_some(&row.xlm));
        let failed = sum(&|row| of(Ending::PaidFailed)(row).then_some(&row.xlm));
        let count = |ending: Ending| rows.iter().filter(|row| row.ending == ending).count() as u64;
        let totals = (paid.to_decimal(18), failed.to_decimal(18), count(Ending::PaidOk));
        if totals != (spend.xlm.clone(), spend.failed_xlm.clone(), spend.paid_ok) {
            return Err(format!("{totals:?} is not {spend:?}"));
        }
        let counted = rows.iter().filter(|row| row.counted_day == Some(spend.day));
        let counted = counted.fold(Amount::ZERO, |all, row| {
            all.checked_add(Amount::from_atomic(&row.counted).unwrap()).unwrap()
        });
        if counted.to_string() != spend.counted {
            return Err(format!("{counted} is not what {spend:?} counts"));
        }
        if counted > Amount::from_decimal("0.30", 18).unwrap() {
            return Err("the cap of the day is exceeded".to_owned());
        }
        let mut seen = BTreeSet::new();
        if !rows.iter().filter(|row| !row.tx.is_empty()).all(|row| seen.insert(&row.tx)) {
            return Err("a transaction stands in two rows".to_owned());
        }
        // What the treasury paid is in no row that says otherwise.
        for row in rows.iter().filter(|row| row.ending != Ending::Running) {
            let paid = self.decisions.get(&row.id).is_some_and(|it| {
                it.body.contains("\"allow\"") || it.body.contains("paid_fulfillment")
            });
            let doubted =
                self.decisions.get(&row.id).is_some_and(|it| it.body.contains("inconclusive"));
            let is_right = match row.paid {
                Moved::Yes => paid || doubted,
                Moved::No => !paid && !doubted,
                // A transaction of another row proves nothing.
                Moved::Unknown => doubted || paid,
            };
            if !is_right {
                return Err(format!("{row:?} is not what the treasury did"));
            }
            let has_success = self.decisions.get(&row.id).map(|it| it.body.contains("\"allow\""));
            if row.ending == Ending::PaidOk && has_success != Some(true) {
                return Err(format!("{row:?} is no success"));
            }
        }
        Ok(())
    }

    /// In the end every row is over.
    fn settle(&mut self) -> Result<(), String> {
        self.holders.clear();
        for _ in 0..80 {
            self.now += 1;
            self.alarm();
            self.check()?;
        }
        for _ in 0..4 {
            self.shelve(Bucket::Keeps);
            self.check()?;
        }
        let open = self.rows.invocations.iter().find(|row| row.ending == Ending::Running);
        open.map_or(Ok(()), |row| Err(format!("{row:?} never ends")))
    }

    fn state(&self) -> String {
        let now = self.rows.invocations.iter().map(|row| row.invoked.abs_diff(self.now));
        let rows: Vec<_> = self
            .rows
            .invocations
            .iter()
            .zip(now)
            .map(|(row, age)| {
                let times = (row.due.map(|due| due.abs_diff(self.now)), age);
                (row.key.clone(), row.phase, row.ending, row.paid, row.fence, row.tx.len(), times)
            })
            .collect();
        let holders: Vec<_> = self
            .holders
            .iter()
            .map(|holder| match holder {
                Holder::Calls(call) => (0, call.invocation.clone(), call.fence),
                Holder::Asks(order) => (1, order.invocation.clone(), order.fence),
            })
            .map(|(kind, id, fence)| {
                let place = self.rows.invocations.iter().position(|row| row.id == id);
                (kind, place, fence)
            })
            .collect();
        let decided: Vec<_> = self.decisions.values().map(|it| it.body.clone()).collect();
        let archive =
            (self.rows.shelves.len(), self.rows.archive.due.map(|_| ()), self.bucket.len());
        format!("{rows:?} {holders:?} {decided:?} {archive:?}")
    }
}

/// Visits every state that can be reached; the number of them, or the history that breaks a rule.
fn explore() -> Result<usize, String> {
    let mut seen = BTreeSet::new();
    let mut layer: Vec<(Life, Vec<Step>)> = vec![(Life::new(), Vec::new())];
    for depth in 1..=DEPTH {
        let mut next = Vec::new();
        for (life, history) in layer {
            for step in life.steps() {
                let mut after = life.clone();
                let mut history = history.clone();
                history.push(step);
                after.take_step(step).map_err(|why| format!("{why}\nafter {history:?}"))?;
                if !seen.insert(after.state()) {
                    continue;
                }
                if depth == DEPTH && seen.len() % 8 == 0 {
                    after.clone().settle().map_err(|why| format!("{why}\nafter {history:?}"))?;
                }
                next.push((after, history));
            }
        }
        layer = next;
    }
    Ok(seen.len())
}

fn play(seed: u64) -> Result<(), String> {
    let dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    go_on(dice).map_err(|why| format!("{why}\nseed {seed}"))
}

/// Plays one random history.
pub fn go_on(mut dice: Dice) -> Result<(), String> {
    let mut life = Life::new();
    let mut history = Vec::new();
    for _ in 0..STEPS {
        let step = dice.pick(&life.steps());
        history.push(step);
        life.take_step(step).map_err(|why| format!("{why}\nafter {history:?}"))?;
    }
    life.settle().map_err(|why| format!("{why}\nin the end of {history:?}"))
}

#[test]
fn no_history_breaks_a_rule() {
    let states = explore().unwrap_or_else(|why| panic!("{why}"));
    assert!(states > 1_000, "{states}");
}

#[test]
fn ten_thousand_histories_break_no_rule() {
    for seed in 1..=HISTORIES {
        play(seed).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[cfg(feature = "planted")]
#[test]
fn a_history_is_found_for_each_guard_that_is_removed() {
    for mutant in MUTANTS {
        LazyLock::force(&SHOP);
        plant(Some(*mutant));
        let found = explore().err().or_else(|| (1..=2_000).find_map(|seed| play(seed).err()));
        plant(None);
        assert!(found.is_some(), "{mutant:?} breaks nothing");
    }
}
