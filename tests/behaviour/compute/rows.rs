//! Rows in memory: maps, and nothing that decides.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use farebox_core::compute::errand::ErrandKind;
use farebox_core::compute::figures::{
    About, Figure, Figures, HourTally, ListPart, MoneyOf, SellerRecord, Tally,
};
use farebox_core::compute::records::{
    Change, DueRow, Ends, Holder, LeavingRow, OverJob, Rows, Seats,
};
use farebox_core::compute::row::{
    BondRow, DaySales, EventRow, HoldRow, JobRow, JobState, OrphanTally, Presence, QuoteRow,
    QuoteState, SellerRow, Signer,
};

/// The rows of a profile.
#[derive(Clone, Debug, Default)]
pub struct MemoryRows {
    pub sellers: BTreeMap<String, SellerRow>,
    /// In the order in which they were made.
    pub quotes: Vec<QuoteRow>,
    pub jobs: Vec<JobRow>,
    pub holds: BTreeMap<String, HoldRow>,
    pub events: Vec<EventRow>,
    pub bonds: Vec<BondRow>,
    pub tally: Tally,
    pub hours: BTreeMap<u64, HourTally>,
    pub records: BTreeMap<String, SellerRecord>,
    /// How often the seats of a single seller were counted.
    pub counted: Cell<u32>,
}

impl MemoryRows {
    pub fn write(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Seller(row) => _ = self.sellers.insert(row.id.clone(), *row),
                Change::Bond(row) => {
                    self.bonds.retain(|it| it.id != row.id);
                    self.bonds.push(*row);
                }
                Change::Quote(row) => match self.quotes.iter_mut().find(|it| it.id == row.id) {
                    Some(known) => *known = *row,
                    None => self.quotes.push(*row),
                },
                Change::Job(row) => match self.jobs.iter_mut().find(|it| it.id == row.id) {
                    Some(known) => *known = *row,
                    None => {
                        let twice = self.jobs.iter().any(|it| it.quote == row.quote);
                        assert!(!twice, "a quote has two jobs");
                        self.jobs.push(*row);
                    }
                },
                Change::JobGone(id) => self.jobs.retain(|it| it.id != id),
                Change::Leaves(LeavingRow::Seller(id)) => _ = self.sellers.remove(&id),
                Change::Leaves(LeavingRow::Bond(id)) => self.bonds.retain(|it| it.id != id),
                Change::Leaves(LeavingRow::Quote(id)) => self.quotes.retain(|it| it.id != id),
                Change::Leaves(LeavingRow::Job(id)) => self.jobs.retain(|it| it.id != id),
                Change::Leaves(LeavingRow::Hour(hour)) => _ = self.hours.remove(&hour),
                Change::Leaves(LeavingRow::Event(number)) => {
                    self.events.retain(|it| it.number != number);
                }
                Change::Hold(row) => _ = self.holds.insert(row.payment.clone(), *row),
                Change::Event(row) => {
                    let number = self.events.len() as u64 + 1;
                    self.events.push(EventRow { number, ..row });
                }
            }
        }
    }

    pub fn note(&mut self, figures: Vec<Figure>) {
        for figure in figures {
            match figure {
                Figure::Profile(row) => self.tally = row,
                Figure::Hour(row) => _ = self.hours.insert(row.hour, row),
                Figure::Seller(row) => _ = self.records.insert(row.seller.clone(), row),
            }
        }
    }

    fn count_seats(&self, seller: &str, now: u64) -> Seats {
        let open = || self.quotes.iter().filter(|it| it.seller == seller && it.has_seat(now));
        let firm = open().filter(|it| now < it.firm).count();
        let jobs = self.jobs.iter().filter(|it| it.seller == seller && it.state.has_seat());
        let count = |number: usize| u32::try_from(number).unwrap();
        let reserved = count(open().count());
        let forgeable = self.jobs.iter().filter(|it| it.seller == seller && is_forgeable(it));
        let forgeable = count(forgeable.count());
        Seats { reserved, firm: count(firm), busy: count(jobs.count()), forgeable }
    }

    /// When something is due.
    pub fn next_due(&self) -> Option<u64> {
        let quotes = self.quotes.iter().filter(|it| is_unpaid(it));
        let jobs = self.jobs.iter().filter_map(|it| it.due);
        let holds = self.holds.values().filter_map(|it| it.due);
        quotes.map(|it| it.until).chain(jobs).chain(holds).min()
    }
}

/// Whether its end is yet to come, or to be noted.
const fn is_unpaid(quote: &QuoteRow) -> bool {
    matches!(quote.state, QuoteState::Open | QuoteState::Displaced)
}

/// Whether its payment is on its way, and could be made up by anyone.
fn is_forgeable(job: &JobRow) -> bool {
    job.state == JobState::Settling && job.signer == Signer::Unknown
}

impl Rows for MemoryRows {
    type Error = Infallible;

    fn seller(&self, id: &str) -> Result<Option<SellerRow>, Infallible> {
        Ok(self.sellers.get(id).cloned())
    }

    fn online(&self, since: u64) -> Result<Vec<SellerRow>, Infallible> {
        let is_online = |it: &&SellerRow| {
            it.presence == Presence::Online
                && (it.heartbeat.is_some_and(|at| at >= since) || super::world::sees_the_dead())
        };
        Ok(self.sellers.values().filter(is_online).cloned().collect())
    }

    fn cheapest(
        &self,
        capability: &str,
        since: u64,
        after: Option<&SellerRow>,
    ) -> Result<Vec<SellerRow>, Infallible> {
        let place = |it: &SellerRow| (it.units.parse::<u128>().unwrap(), it.served, it.id.clone());
        let mut page = self.online(since)?;
        page.retain(|it| it.capability == capability);
        page.retain(|it| after.is_none_or(|after| place(it) > place(after)));
        page.sort_by_key(place);
        page.truncate(2);
        Ok(page)
    }

    fn unproven(&self, client: &str, since: u64) -> Result<u64, Infallible> {
        let is_it =
            |it: &&SellerRow| it.client == client && it.created >= since && it.subject.is_empty();
        Ok(self.sellers.values().filter(is_it).count() as u64)
    }

    fn seats(&self, seller: &str, now: u64) -> Result<Seats, Infallible> {
        self.counted.set(self.counted.get() + 1);
        Ok(self.count_seats(seller, now))
    }

    fn taken_seats(&self, now: u64) -> Result<Vec<(String, Seats)>, Infallible> {
        let all = self.sellers.keys().map(|id| (id.clone(), self.count_seats(id, now)));
        Ok(all.filter(|(_, seats)| seats.taken() > 0).collect())
    }

    fn holders(&self, seller: &str, now: u64) -> Result<Vec<Holder>, Infallible> {
        let open = self.quotes.iter().filter(|it| it.seller == seller && it.has_seat(now));
        let holder = |it: &QuoteRow| Holder {
            quote: it.id.clone(),
            client: it.client.clone(),
            firm: it.firm,
        };
        Ok(open.map(holder).collect())
    }

    fn forgeable(&self, seller: &str) -> Result<Option<JobRow>, Infallible> {
        Ok(self.jobs.iter().find(|it| it.seller == seller && is_forgeable(it)).cloned())
    }

    fn bond(&self, id: &str) -> Result<Option<BondRow>, Infallible> {
        Ok(self.bonds.iter().find(|it| it.id == id).cloned())
    }

    fn bonds_of(&self, seller: &str, since: u64) -> Result<Vec<BondRow>, Infallible> {
        let is_it = |it: &&BondRow| it.seller == seller && it.created >= since;
        Ok(self.bonds.iter().filter(is_it).cloned().collect())
    }

    fn has_bond_by(&self, transaction: &str) -> Result<bool, Infallible> {
        Ok(self.bonds.iter().any(|it| it.transaction == transaction))
    }

    fn bonds_asked(&self, client: &str, since: u64) -> Result<u64, Infallible> {
        let is_it = |it: &&BondRow| it.client == client && it.created >= since;
        Ok(self.bonds.iter().filter(is_it).count() as u64)
    }

    fn quote(&self, id: &str) -> Result<Option<QuoteRow>, Infallible> {
        Ok(self.quotes.iter().find(|it| it.id == id).cloned())
    }

    fn quote_of(&self, fingerprint: &str) -> Result<Option<QuoteRow>, Infallible> {
        Ok(self.quotes.iter().rev().find(|it| it.fingerprint == fingerprint).cloned())
    }

    fn quote_at(&self, fingerprint: &str, units: &str) -> Result<Option<QuoteRow>, Infallible> {
        let is_it = |it: &&QuoteRow| it.fingerprint == fingerprint && it.units == units;
        Ok(self.quotes.iter().rev().find(is_it).cloned())
    }

    fn unsold(&self, client: &str, since: u64) -> Result<Vec<QuoteRow>, Infallible> {
        let is_unsold = |it: &&QuoteRow| {
            it.client == client && it.created >= since && it.state != QuoteState::Sold
        };
        Ok(self.quotes.iter().filter(is_unsold).cloned().collect())
    }

    fn job(&self, id: &str) -> Result<Option<JobRow>, Infallible> {
        Ok(self.jobs.iter().find(|it| it.id == id).cloned())
    }

    fn job_of(&self, quote: &str) -> Result<Option<JobRow>, Infallible> {
        Ok(self.jobs.iter().find(|it| it.quote == quote).cloned())
    }

    fn job_shown(&self, shown: &str) -> Result<Option<JobRow>, Infallible> {
        Ok(self.jobs.iter().rev().find(|it| it.shown == shown).cloned())
    }

    fn job_shown_for(&self, shown: &str, fingerprint: &str) -> Result<Option<JobRow>, Infallible> {
        let is_of = |job: &&JobRow| {
            let mut quotes = self.quotes.iter();
            quotes.any(|it| it.id == job.quote && it.fingerprint == fingerprint)
        };
        let mut shown = self.jobs.iter().rev().filter(|it| it.shown == shown);
        Ok(shown.find(is_of).cloned())
    }

    fn jobs(&self, seller: &str, limit: u32) -> Result<Vec<JobRow>, Infallible> {
        let to_do = |it: &&JobRow| {
            it.seller == seller && matches!(it.state, JobState::Paid | JobState::Running)
        };
        Ok(self.jobs.iter().filter(to_do).take(limit as usize).cloned().collect())
    }

    fn hold(&self, payment: &str) -> Result<Option<HoldRow>, Infallible> {
        Ok(self.holds.get(payment).cloned())
    }

    fn is_paid_by(&self, transaction: &str) -> Result<bool, Infallible> {
        Ok(self.holds.values().any(|hold| hold.settlement == transaction))
    }

    fn leaving(&self, ends: Ends) -> Result<Vec<LeavingRow>, Infallible> {
        let mut rows = Vec::new();
        for quote in &self.quotes {
            let end = match quote.state {
                QuoteState::Lapsed => ends.quotes,
                QuoteState::Sold => ends.over,
                QuoteState::Open | QuoteState::Displaced | QuoteState::Settling => 0,
            };
            if quote.until < end {
                rows.push(LeavingRow::Quote(quote.id.clone()));
            }
        }
        let over = self.jobs.iter().filter(|it| it.state.is_over() && it.created < ends.over);
        rows.extend(over.map(|it| LeavingRow::Job(it.id.clone())));
        let bonds = self.bonds.iter().filter(|it| it.created < ends.over);
        rows.extend(bonds.map(|it| LeavingRow::Bond(it.id.clone())));
        let sellers = self.sellers.values();
        let unproven = sellers.filter(|it| !it.is_bound() && it.created < ends.unsold);
        rows.extend(unproven.map(|it| LeavingRow::Seller(it.id.clone())));
        let events = self.events.iter().filter(|it| it.at < ends.over);
        rows.extend(events.map(|it| LeavingRow::Event(it.number)));
        rows.extend(self.hours.range(..ends.over).map(|(hour, _)| LeavingRow::Hour(*hour)));
        Ok(rows)
    }

    fn over(&self, beyond: u32) -> Result<Vec<OverJob>, Infallible> {
        let over = self.jobs.iter().rev().filter(|it| it.state.is_over());
        let over: Vec<_> = over
            .map(|it| OverJob {
                id: it.id.clone(),
                buyer: it.buyer.clone(),
                seller: it.seller.clone(),
                created: it.created,
            })
            .collect();
        Ok(if over.len() > beyond as usize { over } else { Vec::new() })
    }

    fn orphans(&self) -> Result<OrphanTally, Infallible> {
        Ok(self.tally.orphans.clone())
    }

    fn sales(&self, seller: Option<&str>) -> Result<DaySales, Infallible> {
        Ok(match seller {
            Some(id) => self.records.get(id).map(|row| row.sales.clone()).unwrap_or_default(),
            None => self.tally.sales.clone(),
        })
    }

    fn due(&self, now: u64) -> Result<Option<DueRow>, Infallible> {
        let jobs = self.jobs.iter().filter(|it| it.state != JobState::Releasing);
        let jobs = jobs.filter(|it| it.due.is_some_and(|due| due <= now));
        let quotes = self.quotes.iter().filter(|it| is_unpaid(it) && it.until <= now);
        let job = jobs.min_by_key(|it| it.due).map(|it| DueRow::Job(Box::new(it.clone())));
        let quote = || quotes.min_by_key(|it| it.until);
        Ok(job.or_else(|| Some(DueRow::Quote(Box::new(quote()?.clone())))))
    }

    fn ahead(&self, after: u64) -> Result<Option<DueRow>, Infallible> {
        let jobs = self.jobs.iter().filter(|it| it.due.is_some_and(|due| due > after));
        let holds = self.holds.values().filter(|it| it.due.is_some_and(|due| due > after));
        let quotes = self.quotes.iter().filter(|it| is_unpaid(it) && it.until > after);
        let rows = jobs.map(|it| DueRow::Job(Box::new(it.clone())));
        let rows = rows.chain(holds.map(|it| DueRow::Hold(Box::new(it.clone()))));
        Ok(rows.chain(quotes.map(|it| DueRow::Quote(Box::new(it.clone())))).next())
    }

    fn errand(
        &self,
        kind: ErrandKind,
        now: u64,
        under_way: &[String],
        served: &[String],
    ) -> Result<Option<DueRow>, Infallible> {
        let is_free =
            |id: &String, seller: &String| !under_way.contains(id) && !served.contains(seller);
        let judged = self.jobs.iter().filter(|it| it.state == JobState::Releasing);
        let judged = judged.filter(|it| is_free(&it.id, &it.seller));
        let judged = judged.filter_map(|it| Some((it.due?, DueRow::Job(Box::new(it.clone())))));
        let money = self.holds.values().filter(|it| ErrandKind::of(it) == kind);
        let money = money.filter(|it| is_free(&it.payment, &it.payee));
        let money = money.filter_map(|it| Some((it.due?, DueRow::Hold(Box::new(it.clone())))));
        let mut all: Vec<(u64, DueRow)> = match kind {
            ErrandKind::Proof => judged.collect(),
            ErrandKind::Job | ErrandKind::Payout | ErrandKind::Orphan => money.collect(),
        };
        all.retain(|(due, _)| *due <= now);
        Ok(all.into_iter().min_by_key(|(due, _)| *due).map(|(_, row)| row))
    }
}

/// Rows with their numbers after a place, the highest first.
fn later<'r, T>(rows: impl IntoIterator<Item = &'r T>, part: &ListPart) -> Vec<(u64, &'r T)> {
    let mut all: Vec<(u64, &T)> = (1..).zip(rows).collect();
    all.retain(|(at, _)| part.after.as_ref().is_none_or(|place| *at < place.at));
    all.reverse();
    all
}

impl Figures for MemoryRows {
    fn tally(&self) -> Result<Tally, Infallible> {
        Ok(self.tally.clone())
    }

    fn hour(&self, hour: u64) -> Result<Option<HourTally>, Infallible> {
        Ok(self.hours.get(&hour).cloned())
    }

    fn hours(&self, since: u64) -> Result<Vec<HourTally>, Infallible> {
        Ok(self.hours.range(since..).map(|(_, row)| row.clone()).collect())
    }

    fn record(&self, seller: &str) -> Result<Option<SellerRecord>, Infallible> {
        Ok(self.records.get(seller).cloned())
    }

    fn best(&self, limit: u32) -> Result<Vec<SellerRecord>, Infallible> {
        let mut all: Vec<SellerRecord> = self.records.values().cloned().collect();
        all.sort_by_key(|row| std::cmp::Reverse(row.done));
        all.truncate(limit as usize);
        Ok(all)
    }

    fn latest(&self, limit: u32) -> Result<Vec<SellerRow>, Infallible> {
        let bound = self.sellers.values().filter(|row| !row.subject.is_empty());
        let mut all: Vec<SellerRow> = bound.cloned().collect();
        all.sort_by_key(|row| std::cmp::Reverse(row.heartbeat.unwrap_or(row.created)));
        all.truncate(limit as usize);
        Ok(all)
    }

    fn events(&self, about: &About, after: u64, limit: u32) -> Result<Vec<EventRow>, Infallible> {
        let is_about = |event: &&EventRow| match about {
            About::Profile => true,
            About::Seller(id) => event.seller == *id,
            About::Job(id) => event.job == *id,
        };
        let later = self.events.iter().filter(|event| event.number > after).filter(is_about);
        Ok(later.take(limit as usize).cloned().collect())
    }

    fn newest(&self, limit: u32) -> Result<Vec<EventRow>, Infallible> {
        Ok(self.events.iter().rev().take(limit as usize).cloned().collect())
    }

    fn seller_part(&self, part: &ListPart) -> Result<Vec<SellerRow>, Infallible> {
        let place = |row: &SellerRow| (row.heartbeat.unwrap_or(row.created), row.id.clone());
        let mut all: Vec<SellerRow> =
            self.sellers.values().filter(|row| !row.subject.is_empty()).cloned().collect();
        all.retain(|row| part.after.as_ref().is_none_or(|it| place(row) < (it.at, it.id.clone())));
        all.sort_by_key(|row| std::cmp::Reverse(place(row)));
        all.truncate(part.limit as usize);
        Ok(all)
    }

    fn job_part(&self, part: &ListPart) -> Result<Vec<(u64, JobRow)>, Infallible> {
        let numbered = later(&self.jobs, part);
        let is_wanted = |job: &JobRow| {
            (part.states.is_empty() || part.states.iter().any(|it| it == job.state.name()))
                && (part.seller.is_empty() || part.seller == job.seller)
        };
        let wanted = numbered.into_iter().filter(|(_, job)| is_wanted(job));
        Ok(wanted.take(part.limit as usize).map(|(at, job)| (at, job.clone())).collect())
    }

    fn hold_part(&self, part: &ListPart) -> Result<Vec<(u64, HoldRow)>, Infallible> {
        let numbered = later(self.holds.values(), part);
        let is_wanted = |hold: &HoldRow| {
            let is_its = match part.money {
                MoneyOf::Anything => true,
                MoneyOf::Jobs => !hold.job.is_empty(),
                MoneyOf::Orphans => hold.job.is_empty(),
            };
            let goes = part.leave.is_none() || part.leave == hold.state.leave();
            is_its
                && goes
                && (part.states.is_empty() || part.states.iter().any(|it| it == hold.progress()))
        };
        let wanted = numbered.into_iter().filter(|(_, hold)| is_wanted(hold));
        Ok(wanted.take(part.limit as usize).map(|(at, hold)| (at, hold.clone())).collect())
    }

    fn settlements(&self, limit: u32) -> Result<Vec<EventRow>, Infallible> {
        let all = self.events.iter().rev().filter(|event| event.kind.is_settlement());
        Ok(all.take(limit as usize).cloned().collect())
    }
}
