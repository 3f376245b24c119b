//! Histories of quotes on a chain: two quotes of the same price, transfers for each, blocks that
//! come and are taken back, and settlements of anything by anything. Every history of a few steps
//! is visited.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};
use farebox_core::skills::message::{Answer, Command, OriginalRequest};
use farebox_core::skills::original::row::QuoteRow;
use farebox_core::skills::{Market, Now};
use serde_json::{Value, json};

use super::books::MemoryRows;
use super::node::Node;
use super::quotes::{real_vars, request};
use super::world::{USDC, market_of, wallet};

/// Steps of the longest history that is visited.
const DEPTH: usize = 7;
/// Guards without which a history breaks a rule.
#[cfg(feature = "planted")]
pub const MUTANTS: &[Mutant] = &[Mutant::AmountsAreShared, Mutant::TipsSettle];

static MARKET: LazyLock<Market> = LazyLock::new(|| market_of(&real_vars()));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Someone asks for a quote.
    Ask,
    /// Its payer transfers the amount of a quote.
    Pay(usize),
    /// Blocks come.
    Wait,
    /// Those that are not safe are taken back.
    Reorganize,
    /// A transaction is shown for a quote.
    Settle(usize, usize),
}

#[derive(Clone, Debug)]
struct QuoteLife {
    rows: MemoryRows,
    now: u64,
    node: Node,
    quotes: Vec<QuoteRow>,
    /// The quote that each transaction was sent for.
    meant: BTreeMap<String, String>,
}

impl QuoteLife {
    fn new() -> Self {
        let now = 1_763_618_400_000;
        let (rows, node) = (MemoryRows::default(), Node::at(now));
        Self { rows, now, node, quotes: Vec::new(), meant: BTreeMap::new() }
    }

    fn send(&mut self, request: OriginalRequest) -> Answer {
        // Chance never helps: all quotes are offered the same amount first.
        let moment = Now { now: self.now, random: &[7; 64] };
        let command = Command::Original(Box::new(request));
        let decision = MARKET.apply(&self.rows, command, moment).unwrap();
        self.rows.write(decision.changes);
        decision.answer
    }

    fn settle(&mut self, body: &Value) -> u32 {
        let mut asked = request("POST", "/api/protocol/x402/settle", body);
        loop {
            match self.send(asked.clone()) {
                Answer::Reply(response) => return response.status,
                Answer::Evidence(call) => {
                    let replies = call.requests.iter().map(|request| self.node.reply(request));
                    asked.replies.extend(replies.collect::<Vec<_>>());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Wait];
        let sent = self.node.sent.len();
        if self.quotes.len() < 2 {
            steps.push(Step::Ask);
        }
        if sent > 0 {
            steps.push(Step::Reorganize);
        }
        for quote in 0..self.quotes.len() {
            if sent < 2 {
                steps.push(Step::Pay(quote));
            }
            steps.extend((0..sent).map(|tx| Step::Settle(quote, tx)));
        }
        steps
    }

    fn take_step(&mut self, step: Step) -> Result<(), String> {
        self.now += 1_000;
        match step {
            Step::Ask => {
                let body = json!({"unitPriceUsd": 0.1});
                let answer = self.send(request("POST", "/api/protocol/x402/quote", &body));
                if !matches!(&answer, Answer::Reply(response) if response.status == 200) {
                    return Err(format!("no quote: {answer:?}"));
                }
                let known: BTreeSet<_> = self.quotes.iter().map(|row| row.id.clone()).collect();
                let rows = self.rows.original.quotes.iter();
                self.quotes.extend(rows.filter(|row| !known.contains(&row.id)).cloned());
            }
            Step::Pay(place) => {
                let quote = &self.quotes[place];
                let option = &quote.options[0];
                self.node.mine(self.now);
                let from = wallet(9).address();
                let tx = self.node.send(from, USDC, &option.address, &option.units);
                self.meant.insert(tx, quote.id.clone());
            }
            Step::Wait => {
                self.now += 30_000;
                self.node.mine(self.now);
            }
            Step::Reorganize => self.node.reorganize(),
            Step::Settle(quote, tx) => {
                let id = self.quotes[quote].id.clone();
                let tx = self.node.sent[tx].hash.clone();
                self.settle(&json!({"quoteId": id, "txHash": tx}));
            }
        }
        self.check()
    }

    /// The rules that hold at every instant.
    fn check(&self) -> Result<(), String> {
        let settled = &self.rows.original.settled;
        let mut seen = BTreeSet::new();
        for row in settled {
            if !seen.insert(&row.tx) {
                return Err(format!("{} settles twice", row.tx));
            }
            if !self.node.is_final(&row.tx) {
                return Err(format!("{row:?} is not in the chain"));
            }
            if self.meant.get(&row.tx) != Some(&row.quote) {
                return Err(format!("{row:?} was sent for another quote"));
            }
        }
        let totals = &self.rows.original.totals;
        if totals.payments != settled.len() as u64 {
            return Err(format!("{totals:?} of {} settlements", settled.len()));
        }
        Ok(())
    }

    /// In the end each quote that was paid in time is settled by its payer.
    fn end(&mut self) -> Result<(), String> {
        self.now += 60_000;
        self.node.mine(self.now);
        for sent in self.node.sent.clone() {
            self.now += 2_000;
            let quote = self.meant[&sent.hash].clone();
            let is_settled =
                |life: &Self| life.rows.original.settled.iter().any(|row| row.quote == quote);
            self.settle(&json!({"quoteId": quote, "txHash": sent.hash}));
            if !is_settled(self) {
                return Err(format!("{sent:?} pays {quote} and does not settle it"));
            }
            self.check()?;
        }
        Ok(())
    }

    fn state(&self) -> String {
        let rows = &self.rows.original;
        let quotes: Vec<_> = rows.quotes.iter().map(|row| (&row.id, row.asked)).collect();
        let settled: Vec<_> = rows.settled.iter().map(|row| (&row.quote, &row.tx)).collect();
        format!("{} {quotes:?} {settled:?} {:?}", self.now, self.node.sent)
    }
}

/// Visits every state that can be reached; the number of them, or the history that breaks a rule.
fn explore() -> Result<usize, String> {
    let mut seen = BTreeSet::new();
    let mut layer: Vec<(QuoteLife, Vec<Step>)> = vec![(QuoteLife::new(), Vec::new())];
    for _ in 0..DEPTH {
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
                after
                    .clone()
                    .end()
                    .map_err(|why| format!("{why}\nafter {history:?}, in the end"))?;
                next.push((after, history));
            }
        }
        layer = next;
    }
    Ok(seen.len())
}

#[test]
fn no_history_of_quotes_breaks_a_rule() {
    let states = explore().unwrap_or_else(|why| panic!("{why}"));
    assert!(states > 1_000, "{states}");
}

#[cfg(feature = "planted")]
#[test]
fn a_history_of_quotes_is_found_for_each_guard_that_is_removed() {
    for mutant in MUTANTS {
        LazyLock::force(&MARKET);
        plant(Some(*mutant));
        let found = explore().err();
        plant(None);
        assert!(found.is_some(), "{mutant:?} breaks nothing");
    }
}
