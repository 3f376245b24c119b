//! What may happen to a channel, and what it does.

use farebox_core::channel::state::{Channel, Promise, RefundFate, RefundWish, VoucherRule};

use super::contract::{Contract, Transaction};
use super::{DELAY, FIRM, MINED, World, count, units, voucher};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The payer deposits this.
    Deposits(u64),
    /// The chain undoes the last deposit.
    Undoes,
    /// The chain undoes the last claim, refund or close.
    Reverts,
    /// The payer shows a voucher of this amount, or none, with this request.
    Asks(Option<u64>, u8),
    /// The payer buys a stream with a voucher of this amount, three more than what was charged.
    Begins(u64, u8),
    /// The origin serves a request, which uses this much.
    Serves(usize, u64),
    /// The origin fails a request.
    Fails(usize),
    /// The Worker that serves a request dies.
    Dies(usize),
    /// The object restarts from its row.
    Restarts,
    /// The payer asks for a refund, of this or of everything.
    Refunds(Option<u64>),
    /// Anyone sends a refund that was signed.
    Relays(usize),
    /// The payer closes with a voucher of this amount.
    Closes(u64),
    /// The payer asks the contract to withdraw everything.
    Leaves,
    /// The payer withdraws.
    Withdraws,
    /// The chain is asked, and its answer is on the way.
    Looks,
    /// An answer of the chain arrives.
    Sees(usize),
    /// A transaction is mined.
    Mines(usize),
    /// A stream is charged so much for what flows next.
    Flows(u64),
    /// Time goes on; the facilitator may be down.
    Waits(Facilitator),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facilitator {
    Up,
    Down,
}

impl World {
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = vec![
            Step::Restarts,
            Step::Looks,
            Step::Waits(Facilitator::Up),
            Step::Waits(Facilitator::Down),
        ];
        if self.contract.balance < 4 && !self.contract.finalized {
            steps.push(Step::Deposits(1));
        }
        if self.streams.is_none()
            && self.safe.is_none()
            && self.added.is_some_and(|(_, at, ..)| self.now < at + FIRM)
        {
            steps.push(Step::Undoes);
        }
        if self.before_last.is_some_and(|(_, at)| self.now < at + MINED) {
            steps.push(Step::Reverts);
        }
        let next = count(self.channel.spent()) + 1;
        for request in [1, 2] {
            for cumulative in [next - 1, next, next + 1] {
                steps.push(Step::Asks(Some(cumulative), request));
            }
            if matches!(self.rule, VoucherRule::Headroom { .. }) {
                steps.push(Step::Asks(None, request));
            }
        }
        for place in 0..self.serving.len() {
            steps.extend([Step::Serves(place, 1), Step::Serves(place, 0)]);
            steps.extend([Step::Fails(place), Step::Dies(place)]);
        }
        steps.extend((0..self.promises.len()).map(Step::Relays));
        steps.extend((0..self.sights.len()).map(Step::Sees));
        steps.extend((0..self.transactions.len()).map(Step::Mines));
        steps.push(match self.contract.leaving {
            Some(_) => Step::Withdraws,
            None => Step::Leaves,
        });
        match self.rule {
            VoucherRule::Exact => {
                steps.extend([Step::Refunds(None), Step::Refunds(Some(1))]);
                if let Some(sale) = &self.streams {
                    steps.push(Step::Begins(next + 2, 1));
                    steps.extend(sale.bought.map(|_| Step::Flows(1)));
                }
            }
            VoucherRule::Headroom { .. } => {
                steps.extend([next - 1, next].map(Step::Closes));
                steps.push(Step::Flows(1));
            }
        }
        steps
    }

    /// Takes a step; why a rule is broken, if one is.
    pub fn take_step(&mut self, step: Step) -> Result<(), String> {
        let now = self.time();
        match step {
            Step::Deposits(amount) => {
                let earned = count(self.channel.spent()).min(self.contract.balance);
                self.added = Some((amount, self.now, earned, self.contract.claimed));
                self.before_last = None;
                self.contract.balance += amount;
            }
            Step::Undoes => {
                let Some((amount, _, earned, claimed)) = self.added.take() else { return Ok(()) };
                self.contract.balance -= amount;
                self.before_last = None;
                let earned = match self.rule {
                    // Any part of a voucher can be claimed, and what is promised was not spent.
                    VoucherRule::Exact => {
                        let is_open =
                            |it: &&(Promise, u64)| count(it.0.nonce) == self.contract.nonce;
                        let spent = self.promises.iter().find(is_open).map(|(_, spent)| *spent);
                        let spent = spent.unwrap_or(count(self.channel.spent()));
                        spent.min(self.contract.balance)
                    }
                    VoucherRule::Headroom { .. } => earned,
                };
                // What needs the deposit fails now.
                if self.contract.claimed > self.contract.balance {
                    (self.contract.claimed, self.contract.finalized) = (claimed, false);
                }
                self.safe = Some(earned);
            }
            Step::Reverts => {
                let Some((before, _)) = self.before_last.take() else { return Ok(()) };
                // What is paid out is what is claimed.
                let paid = self.contract.paid.min(before.claimed);
                (self.contract, self.was_undone) = (Contract { paid, ..before }, true);
            }
            Step::Asks(cumulative, request) => self.ask((cumulative, 1), request)?,
            Step::Begins(cumulative, request) => self.ask((Some(cumulative), 3), request)?,
            Step::Serves(place, used) => {
                let purchase = self.serving.remove(place);
                let known = (self.channel.last().copied(), self.channel.spent());
                if let Ok(last) = self.channel.charge(&purchase, units(used), now) {
                    self.write();
                    let key = (last.cumulative, purchase.request);
                    if known == (Some(last), self.channel.spent()) {
                        self.repeats(&key, last.charged)?;
                    } else {
                        self.delivered.push((key, last.charged));
                        self.within(&purchase)?;
                        if let Some(sale) = &mut self.streams {
                            sale.bought = (purchase.price > units(1)).then_some(purchase);
                        }
                    }
                }
            }
            Step::Flows(price) => {
                let (spent, price) = (self.channel.spent(), units(price));
                let bought = self.streams.as_ref().and_then(|sale| sale.bought);
                if let Ok(None) = self.channel.step(price, bought.as_ref(), now) {
                    self.write();
                    self.flowed += 1;
                    bought.as_ref().map_or(Ok(()), |bought| self.within(bought))?;
                    if self.channel.spent().checked_sub(spent) != Some(price) {
                        return Err("a step is charged another amount".into());
                    }
                }
            }
            Step::Fails(place) => {
                let purchase = self.serving.remove(place);
                self.channel.release(&purchase.request);
            }
            Step::Dies(place) => {
                self.serving.remove(place);
            }
            Step::Restarts => self.channel = Channel::from_row(&self.row).unwrap(),
            Step::Refunds(amount) => {
                let shown = self.channel.spent();
                let wish = RefundWish { shown, amount: amount.map(units), least: units(1) };
                if let Ok(RefundFate::Promised(promise)) = self.channel.refund(&wish, now) {
                    self.write();
                    if self.promises.iter().all(|(known, _)| *known != promise) {
                        self.promises.push((promise, count(shown)));
                    }
                }
            }
            Step::Closes(amount) => {
                self.signed = self.signed.max(amount);
                if self.channel.close(&voucher(amount), units(2), now).is_ok() {
                    self.write();
                }
            }
            Step::Relays(place) => {
                let (promise, _) = self.promises[place];
                self.mine(Transaction::Refund(count(promise.nonce), count(promise.amount)));
            }
            Step::Leaves => {
                let rest = self.contract.balance - self.contract.claimed;
                if rest > 0 {
                    self.contract.leaving = Some((rest, self.now));
                }
            }
            Step::Withdraws => {
                if let Some((amount, since)) = self.contract.leaving
                    && self.now >= since + DELAY
                {
                    (self.added, self.before_last) = (None, None);
                    let rest = self.contract.balance - self.contract.claimed;
                    self.contract.balance -= amount.min(rest);
                    self.contract.leaving = None;
                    self.contract.finalized = self.takes_all();
                }
            }
            Step::Looks => self.sights.push(self.contract.sight(self.now)),
            Step::Sees(place) => {
                let sight = self.sights.remove(place);
                self.channel.see(sight);
                self.write();
            }
            Step::Mines(place) => {
                let transaction = self.transactions.remove(place);
                self.mine(transaction);
            }
            Step::Waits(facilitator) => self.wait(facilitator),
        }
        self.check()
    }
}
