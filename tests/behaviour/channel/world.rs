//! A channel with everything around it: its contract, its row, Workers that serve, a payer who may cheat, and time.

use farebox_core::amount::Amount;
use farebox_core::channel::config::ChannelId;
use farebox_core::channel::errand::{ChannelErrand, Payout};
use farebox_core::channel::refusal::ChannelRefusal;
use farebox_core::channel::state::{Begun, Channel, Promise, Purchase, Sight, VoucherRule};
use farebox_core::channel::voucher::{CheckedVoucher, Voucher};
use farebox_core::evm::signature::Signature;
use farebox_core::time::UnixTime;

use self::contract::{Contract, Transaction};
pub use self::steps::{Facilitator, Step};

mod contract;
mod steps;

pub const DELAY: u64 = 900;
/// Seconds that pass at once: a transaction takes no longer, nor does an alarm.
const TICK: u64 = 100;
const ID: ChannelId = ChannelId::from_bytes([7; 32]);
/// Seconds after which the chain undoes nothing.
const FIRM: u64 = 900;
/// The same of a claim, refund or close: a payer who leaves has no longer time.
const MINED: u64 = 300;
/// Ticks for which the facilitator may fail on end, and while a payer leaves in all: a look takes a third
/// of their time, and another third is for what the chain may undo.
const MOST_DOWN: u8 = 2;

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

    fn ask(&mut self, (cumulative, price): (Option<u64>, u64), request: u8) -> Result<(), String> {
        self.signed = self.signed.max(cumulative.unwrap_or_default());
        let now = self.time();
        let purchase = Purchase {
            voucher: cumulative.map(voucher),
            price: units(price),
            request: [request; 32],
            until: now.plus(250),
            mark: None,
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
        self.down = match self.contract.leaving {
            _ if is_down => self.down + 1,
            Some(_) => self.down,
            None => 0,
        };
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
