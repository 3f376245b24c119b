//! A channel with everything around it: its contract, its row, Workers that serve, a payer who may cheat, and time.

use farebox_core::amount::Amount;
use farebox_core::channel::config::ChannelId;
use farebox_core::channel::errand::{ChannelErrand, Payout};
use farebox_core::channel::refusal::ChannelRefusal;
use farebox_core::channel::state::{
    Begun, Channel, OnChain, Promise, Purchase, RefundFate, RefundWish, Sight, VoucherRule,
};
use farebox_core::channel::voucher::{CheckedVoucher, Voucher};
use farebox_core::evm::signature::Signature;
use farebox_core::time::UnixTime;

pub const DELAY: u64 = 900;
/// Seconds that pass at once: a transaction takes no longer, nor does an alarm.
const TICK: u64 = 100;
const ID: ChannelId = ChannelId::from_bytes([7; 32]);
/// Seconds after which the chain undoes nothing.
const FIRM: u64 = 900;
/// The same of a claim, refund or close: a payer who leaves has no longer time.
const MINED: u64 = 300;
/// Ticks for which the facilitator may fail on end.
const MOST_DOWN: u8 = 2;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    Claim { total: u64, cumulative: u64 },
    Refund(u64, u64),
    Close(u64),
}

/// The contract of x402 `batch-settlement`, or that of MPP, for one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contract {
    pub balance: u64,
    pub claimed: u64,
    nonce: u64,
    /// What of it the payee has.
    paid: u64,
    /// What is to be withdrawn, and when that was asked for.
    leaving: Option<(u64, u64)>,
    /// Whether it is closed for ever, by MPP.
    finalized: bool,
}

impl Contract {
    fn mine(&mut self, transaction: Transaction) {
        match transaction {
            _ if self.finalized => {}
            Transaction::Close(cumulative) => {
                if cumulative >= self.claimed && cumulative <= self.balance {
                    (self.claimed, self.balance, self.finalized) = (cumulative, cumulative, true);
                }
            }
            Transaction::Claim { total, cumulative } => {
                if total > self.claimed && total <= cumulative && total <= self.balance {
                    self.claimed = total;
                }
            }
            Transaction::Refund(nonce, amount) if nonce == self.nonce => {
                self.nonce += 1;
                let paid = amount.min(self.balance - self.claimed);
                self.balance -= paid;
                self.leaving = match self.leaving {
                    Some((left, since)) if left > paid => Some((left - paid, since)),
                    _ => None,
                };
            }
            Transaction::Refund(..) => {}
        }
    }

    const fn pay_out(&mut self, payout: Payout) {
        match payout {
            Payout::Done => self.paid = self.claimed,
            Payout::Failed => {}
        }
    }

    fn sight(&self, now: u64) -> Sight {
        Sight {
            deposit: units(self.balance),
            claimed: units(self.claimed),
            on_chain: match self.leaving {
                _ if self.finalized => OnChain::Finalized,
                Some((_, since)) => OnChain::Leaving(UnixTime::from_secs(since)),
                None => OnChain::Open,
            },
            refund_nonce: units(self.nonce),
            at: UnixTime::from_secs(now),
        }
    }
}

/// Streams that are bought by one voucher each.
#[derive(Clone, Debug)]
struct StreamSale {
    /// The one that flows.
    bought: Option<Purchase>,
}

/// A voucher and a request.
type Sold = (Amount, [u8; 32]);

#[derive(Clone, Debug)]
pub struct World {
    rule: VoucherRule,
    pub contract: Contract,
    pub channel: Channel,
    row: String,
    now: u64,
    down: u8,
    serving: Vec<Purchase>,
    /// Whether one voucher buys a stream.
    streams: Option<StreamSale>,
    transactions: Vec<Transaction>,
    sights: Vec<Sight>,
    /// Refunds that were signed, and what was spent by then.
    promises: Vec<(Promise, u64)>,
    /// The highest voucher that the payer has signed.
    signed: u64,
    /// What has flowed.
    flowed: u64,
    /// What was delivered, by voucher and request.
    delivered: Vec<(Sold, Amount)>,
    /// The last deposit, when it was made, and what was earned and claimed before it.
    added: Option<(u64, u64, u64, u64)>,
    /// The contract before the last claim, refund or close, and when that was mined; none once the chain has undone one.
    before_last: Option<(Contract, u64)>,
    /// Whether the chain has undone one.
    was_undone: bool,
    /// What is safe of the earnings although a deposit was undone.
    safe: Option<u64>,
}

pub const fn units(amount: u64) -> Amount {
    Amount::from_u64(amount)
}

fn count(amount: Amount) -> u64 {
    amount.to_string().parse().unwrap()
}

/// A voucher whose signature was checked; here it is any.
fn voucher(cumulative: u64) -> CheckedVoucher {
    let signature = format!("0x{}{}1b", "ab".repeat(32), "12".repeat(32));
    let voucher = Voucher { channel: ID, cumulative: units(cumulative) };
    CheckedVoucher::known(voucher, Signature::parse(&signature).unwrap())
}

impl World {
    pub fn new(rule: VoucherRule, deposit: u64) -> Self {
        let contract = Contract { balance: deposit, ..Contract::default() };
        let now = 1_000_000;
        let channel = Channel::seen_first(ID, rule, DELAY, contract.sight(now));
        let row = channel.to_row();
        Self {
            rule,
            contract,
            channel,
            row,
            now,
            down: 0,
            serving: Vec::new(),
            streams: None,
            transactions: Vec::new(),
            sights: Vec::new(),
            promises: Vec::new(),
            signed: 0,
            flowed: 0,
            delivered: Vec::new(),
            added: None,
            before_last: None,
            was_undone: false,
            safe: None,
        }
    }

    /// The same where one voucher buys a stream, on a chain that undoes nothing.
    pub fn selling_streams(mut self) -> Self {
        self.streams = Some(StreamSale { bought: None });
        self
    }

    fn time(&self) -> UnixTime {
        UnixTime::from_secs(self.now)
    }

    /// Whether a claim takes all that a voucher is for, and a withdrawal ends the channel.
    const fn takes_all(&self) -> bool {
        matches!(self.rule, VoucherRule::Headroom { .. })
    }

    /// Writes the row: everything but holds outlives a restart.
    fn write(&mut self) {
        self.row = self.channel.to_row();
    }

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
                if self.channel.close(Some(&voucher(amount)), units(2), now).is_ok() {
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

    fn ask(&mut self, (cumulative, price): (Option<u64>, u64), request: u8) -> Result<(), String> {
        self.signed = self.signed.max(cumulative.unwrap_or_default());
        let now = self.time();
        let purchase = Purchase {
            voucher: cumulative.map(voucher),
            price: units(price),
            request: [request; 32],
            until: now.plus(250),
        };
        let mut begun = self.channel.begin(&purchase, now);
        if begun == Err(ChannelRefusal::Stale) {
            self.channel.see(self.contract.sight(self.now));
            self.write();
            begun = self.channel.begin(&purchase, now);
        }
        match begun {
            Ok(Begun::Held) => {
                let promised = self.channel.promised().map_or(0, |promise| count(promise.amount));
                let outstanding = self.channel.promised().map_or(0, |it| count(it.nonce));
                let left = if outstanding == self.contract.nonce { promised } else { 0 };
                let held = cumulative.unwrap_or_default();
                let fresh = self.channel.sight().at.secs() + 300 > self.now;
                // A deposit that is withdrawn takes longer than a sight counts.
                let fresh = fresh && self.safe.is_none();
                if fresh && held > self.contract.balance.saturating_sub(left) {
                    return Err(format!("a voucher of {held} is held above the deposit"));
                }
                self.serving.push(purchase);
            }
            Ok(Begun::Repeated(last)) => {
                self.repeats(&(last.cumulative, purchase.request), last.charged)?;
            }
            Err(_) => {}
        }
        Ok(())
    }

    /// A repeat is answered as what was delivered before.
    fn repeats(&self, key: &Sold, charged: Amount) -> Result<(), String> {
        let is_known = self.delivered.iter().any(|(sold, as_before)| {
            let same = matches!(self.rule, VoucherRule::Headroom { .. }) || sold.0 == key.0;
            sold.1 == key.1 && same && *as_before == charged
        });
        if is_known { Ok(()) } else { Err("another request is answered as a repeat".into()) }
    }

    /// The alarm does what is due; then transactions are mined and time goes on.
    fn wait(&mut self, facilitator: Facilitator) {
        let is_down = facilitator == Facilitator::Down && self.down < MOST_DOWN;
        self.down = if is_down { self.down + 1 } else { 0 };
        for _ in 0..4 {
            let now = self.time();
            match self.channel.errand(now) {
                ChannelErrand::Rest(_) => break,
                ChannelErrand::Look => {
                    self.channel.looked(now);
                    if !is_down {
                        self.channel.see(self.contract.sight(self.now));
                    }
                }
                ChannelErrand::Claim(earnings) => {
                    self.channel.attempted(now);
                    if !is_down {
                        let cumulative = count(earnings.evidence.cumulative);
                        let total = count(earnings.total);
                        let total = if self.takes_all() { cumulative } else { total };
                        self.transactions.push(Transaction::Claim { total, cumulative });
                    }
                }
                ChannelErrand::Refund(promise, earnings) => {
                    self.channel.attempted(now);
                    if !is_down {
                        if let Some(earnings) = earnings {
                            self.transactions.push(Transaction::Claim {
                                total: count(earnings.total),
                                cumulative: count(earnings.evidence.cumulative),
                            });
                        }
                        let (nonce, amount) = (count(promise.nonce), count(promise.amount));
                        self.transactions.push(Transaction::Refund(nonce, amount));
                    }
                }
                ChannelErrand::PayOut => {
                    let payout = if is_down { Payout::Failed } else { Payout::Done };
                    self.contract.pay_out(payout);
                    self.channel.paid_out(payout, now);
                }
                ChannelErrand::Close(earnings) => {
                    self.channel.attempted(now);
                    if !is_down {
                        let earned = earnings.map(|it| count(it.evidence.cumulative));
                        let claimed = count(self.channel.sight().claimed);
                        self.transactions.push(Transaction::Close(earned.unwrap_or(claimed)));
                    }
                }
            }
            self.write();
        }
        for transaction in core::mem::take(&mut self.transactions) {
            self.mine(transaction);
        }
        self.now += TICK;
    }

    /// Where a voucher pays for one request, that is charged no more than it is for.
    fn within(&self, purchase: &Purchase) -> Result<(), String> {
        let most = purchase.voucher.map(|it| it.voucher().cumulative);
        match self.rule {
            VoucherRule::Exact if most.is_some_and(|most| self.channel.spent() > most) => {
                Err("a request is charged more than its voucher is for".into())
            }
            VoucherRule::Exact | VoucherRule::Headroom { .. } => Ok(()),
        }
    }

    fn mine(&mut self, transaction: Transaction) {
        let before = self.contract;
        self.contract.mine(transaction);
        if self.contract != before && !self.was_undone {
            self.before_last = Some((before, self.now));
        }
        // What was added before something went back is not undone.
        if self.contract.balance != before.balance {
            self.added = None;
        }
    }

    fn check(&self) -> Result<(), String> {
        let (spent, accepted) = (self.channel.spent(), self.channel.accepted());
        if spent > accepted {
            return Err("more is spent than accepted".into());
        }
        if count(accepted) > self.signed {
            return Err("more is accepted than was signed".into());
        }
        let most = if self.takes_all() { accepted } else { spent };
        if self.contract.claimed > count(most) {
            return Err("more is claimed than spent".into());
        }
        let evidence = self.channel.evidence().map_or(0, |evidence| count(evidence.cumulative));
        if count(spent) > evidence {
            return Err("what is spent cannot be proven".into());
        }
        let delivered: u64 = self.delivered.iter().map(|(_, charged)| count(*charged)).sum();
        if delivered + self.flowed > count(spent) {
            return Err("more is delivered than spent".into());
        }
        if self.safe.unwrap_or(count(spent)) > self.contract.balance {
            return Err("what is earned was withdrawn".into());
        }
        Ok(())
    }

    /// Lets everything come to rest: all that was earned is claimed then.
    pub fn settle(mut self) -> Result<(), String> {
        // Who stays may still spend what a claim would take.
        if self.takes_all() {
            self.take_step(Step::Leaves)?;
        }
        for _ in 0..25 {
            self.wait(Facilitator::Up);
            self.check()?;
        }
        let (claimed, spent) = (self.contract.claimed, count(self.channel.spent()));
        let is_claimed = match self.safe {
            Some(safe) => claimed >= safe,
            None => claimed == spent || self.takes_all() && claimed > spent,
        };
        if !is_claimed {
            return Err(format!("{claimed} of {spent} is claimed at the end"));
        }
        // By MPP what is claimed is paid at once.
        match self.rule {
            VoucherRule::Exact if self.contract.paid != claimed => {
                Err(format!("{} of {spent} is paid out at the end", self.contract.paid))
            }
            VoucherRule::Exact | VoucherRule::Headroom { .. } => Ok(()),
        }
    }
}
