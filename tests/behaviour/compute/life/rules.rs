//! The rules of the exchange: what holds at every instant, and in the end.

use std::collections::BTreeSet;

use farebox_core::compute::figures::{HourTally, Tally};
use farebox_core::compute::row::{DaySales, EventKind, JobRow, JobState, OrphanTally, QuoteState};

use super::super::payouts::{Entrusted, Luck};
use super::super::rows::MemoryRows;
use super::super::world::{PRICE, TX, wallet};
use super::steps::Step;
use super::{BUYERS, Life, Settled};

impl Life {
    /// The rules that hold at every instant.
    pub(super) fn check(&self, before: &MemoryRows) -> Result<(), String> {
        for seller in self.rows.sellers.values() {
            let open = self.rows.quotes.iter();
            let open = open.filter(|it| it.seller == seller.id && it.has_seat(self.now)).count();
            let jobs = self.rows.jobs.iter();
            let jobs = jobs.filter(|it| it.seller == seller.id && it.state.has_seat()).count();
            if open + jobs > seller.capacity as usize {
                return Err(format!("{open} quotes and {jobs} jobs have one seat of {seller:?}"));
            }
        }
        let mut paid = BTreeSet::new();
        for job in self.rows.jobs.iter().filter(|it| !it.payment.is_empty()) {
            let settled = self.settled.iter().find(|it| it.sale.1 == job.payment);
            let Some(settled) = settled else { return Err(format!("{job:?} was not paid")) };
            // A facilitator settles several at once; a transfer of one's own is one.
            let is_own = settled.transaction != TX;
            let what = if is_own { &settled.transaction } else { &job.payment };
            if !paid.insert(what) {
                return Err(format!("{what} paid two jobs"));
            }
        }
        for settled in &self.settled {
            let is_same = |it: &&Settled| match settled.transaction == TX {
                true => it.sale.1 == settled.sale.1,
                false => it.transaction == settled.transaction,
            };
            let all = self.settled.iter().filter(is_same);
            let moved: Vec<_> = all.flat_map(|it| self.moved(&it.sale.1)).collect();
            if moved.len() > 1 {
                return Err(format!("{settled:?} left twice: {moved:?}"));
            }
        }
        for job in &self.rows.jobs {
            self.check_job(job, before)?;
        }
        self.check_figures()
    }

    /// What was counted as it happened is what a count of all rows says.
    fn check_figures(&self) -> Result<(), String> {
        let count = |is_it: fn(&JobRow) -> bool| {
            self.rows.jobs.iter().filter(|job| is_it(job)).count() as u64
        };
        let done = count(|job| job.state == JobState::Done);
        let counted = Tally {
            sellers: self.rows.sellers.len() as u64,
            open: count(|job| !job.state.is_over()),
            done,
            failed: count(|job| job.state == JobState::Failed),
            sales: self.sales(),
            orphans: self.orphans()?,
        };
        if counted != self.rows.tally {
            return Err(format!("{:?} is {counted:?}", self.rows.tally));
        }
        let sum = |value: fn(&HourTally) -> u64| self.rows.hours.values().map(value).sum::<u64>();
        let units = |units: &str| units.parse::<u64>().unwrap_or(0);
        let of_hours: u64 = self.rows.hours.values().map(|row| units(&row.units)).sum();
        let of_sellers: u64 = self.rows.records.values().map(|row| units(&row.units)).sum();
        let price: u64 = PRICE.parse().unwrap();
        let right = (count(|job| job.state != JobState::Settling), done + counted.failed);
        let is_right = (sum(|row| row.created), sum(|row| row.settled)) == right
            && (of_hours, of_sellers) == (done * price, done * price);
        if is_right {
            Ok(())
        } else {
            Err(format!("{:?} of {:?}", self.rows.hours, self.rows.jobs))
        }
    }

    /// What went back without a job on one day: some of all that did, and something if anything did.
    fn orphans(&self) -> Result<OrphanTally, String> {
        let counted = self.rows.tally.orphans.clone();
        let holds = self.rows.holds.values();
        let gone = holds.filter(|hold| hold.claim.is_counted()).count() as u64;
        let units = counted.gone.units.parse::<u64>().unwrap_or(0);
        let most = gone * PRICE.parse::<u64>().unwrap();
        match (gone == 0) == (units == 0) && units <= most {
            true => Ok(counted),
            false => Err(format!("{counted:?} for {gone}")),
        }
    }

    /// What was sold on the last day on which anything was, by the events.
    fn sales(&self) -> DaySales {
        let paid = self.rows.events.iter().filter(|it| it.kind == EventKind::Paid);
        let days: Vec<u64> = paid.map(|it| it.at / 86_400_000).collect();
        let day = days.last().copied().unwrap_or(0);
        let units =
            PRICE.parse::<u64>().unwrap() * days.iter().filter(|it| **it == day).count() as u64;
        let units = if units == 0 { String::new() } else { units.to_string() };
        DaySales { day, units }
    }

    fn check_job(&self, job: &JobRow, before: &MemoryRows) -> Result<(), String> {
        let known = before.jobs.iter().find(|it| it.id == job.id);
        let is_changed = known.is_some_and(|known| known.state != job.state);
        if is_changed && before.events.len() == self.rows.events.len() {
            return Err(format!("{job:?} changed without an event"));
        }
        let Some(known) = known else { return Ok(()) };
        let ended = |state: JobState| match state {
            JobState::Releasing | JobState::Done => Some(true),
            JobState::Refunding | JobState::Failed => Some(false),
            JobState::Settling | JobState::Paid | JobState::Running => None,
        };
        let (was, is) = (ended(known.state), ended(job.state));
        if was.is_some() && was != is {
            return Err(format!("{known:?} became {job:?}"));
        }
        if job.attempts > 3 {
            return Err(format!("{job:?} never ends"));
        }
        Ok(())
    }

    /// Payouts of a payment that moved, or will.
    fn moved(&self, payment: &str) -> Vec<(String, u64)> {
        if self.way.has_contract() {
            let hold = self.rows.holds.get(payment).and_then(|hold| hold.entry.as_ref());
            let hold = hold.map(|entry| format!("0x{}", entry.name));
            let entrusted = hold.and_then(|entry| self.treasury.entrusted.get(&entry));
            return entrusted.and_then(Entrusted::left).into_iter().collect();
        }
        let prefix = format!("hold-{payment}-");
        let all = self.treasury.payouts.iter().filter(|(key, payout)| {
            key.starts_with(&prefix) && matches!(payout.luck, Luck::Arrives | Luck::Doubted)
        });
        all.map(|(_, payout)| (payout.to.clone(), payout.amount)).collect()
    }

    /// In the end everything is over, and all money is where it belongs.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        self.holders.clear();
        for buyer in BUYERS {
            self.take_step(Step::Forwards(buyer))?;
            self.take_step(Step::Shows(buyer))?;
        }
        for _ in 0..200 {
            if self.rows.next_due().is_none() {
                break;
            }
            self.take_step(Step::Due)?;
            while !self.holders.is_empty() {
                self.take_step(Step::Carries(0, Luck::Arrives))?;
            }
        }
        if let Some(due) = self.rows.next_due() {
            return Err(format!("something is due at {due} for ever"));
        }
        for quote in &self.rows.quotes {
            if !matches!(quote.state, QuoteState::Sold | QuoteState::Lapsed) {
                return Err(format!("{quote:?} never ends"));
            }
        }
        for settled in &self.settled {
            if settled.is_own() && !settled.is_served && !settled.is_refused && !settled.is_void {
                continue;
            }
            if settled.is_void {
                let is_its = |it: &&Settled| it.transaction == settled.transaction && !it.is_void;
                if self.settled.iter().filter(is_its).count() != 1 {
                    return Err(format!("{settled:?} is known as no other payment"));
                }
                if !self.moved(&settled.sale.1).is_empty() {
                    return Err(format!("{settled:?} went away"));
                }
                continue;
            }
            let job = self.rows.jobs.iter().find(|it| it.payment == settled.sale.1);
            let to = match job.map(|job| job.state) {
                Some(JobState::Done) => job.unwrap().seller.clone(),
                Some(JobState::Failed) | None => wallet(settled.buyer),
                Some(_) => return Err(format!("{job:?} never ends")),
            };
            let moved = self.moved(&settled.sale.1);
            if moved != [(to.clone(), PRICE.parse().unwrap())] {
                return Err(format!("{settled:?} with {job:?} went to {moved:?}, not to {to}"));
            }
        }
        Ok(())
    }
}
