//! The board of a profile: what people see of it. It has no prompt, result, token or network
//! address, and does not name buyers.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::figures::{Figures, HOUR_MS, HourTally, SellerRecord, Tally, hour_of};
use super::kernel::Now;
use super::records::{Rows, Seats};
use super::row::{EventKind, EventRow, HoldKind, SellerRow};
use super::settings::{PaymentProfile, Profile};
use super::standing::HEARTBEAT_MS;
use farebox_base::amount::Amount;
use farebox_base::sorted::Sorted;

/// Hours that are shown.
pub const HOURS: u64 = 24;
/// Sellers that are shown.
const MAX_ROWS: u32 = 12;
/// Sellers and settlements that are shown at the top.
const MAX_TOP: u32 = 5;
/// Events that are shown.
pub(super) const MAX_EVENTS: u32 = 20;

/// How many sellers are how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crew {
    /// Not here.
    pub offline: u64,
    /// A seat is free.
    pub idle: u64,
    /// All seats are held by quotes.
    pub reserved: u64,
    /// A job has the last seat.
    pub busy: u64,
}

/// The present supply of a capability.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supplied {
    /// Its name.
    pub capability: String,
    /// Sellers that are here.
    pub sellers: u64,
    /// Their seats that a quote is given now.
    pub seats: u64,
    /// The lowest price of a free seat, else of any; atomic units.
    pub units: String,
}

/// A seller as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardSeller {
    /// Its wallet.
    pub id: String,
    /// The capability that it sells.
    pub capability: String,
    /// For how much, atomic units.
    pub units: String,
    /// `seller_status`.
    pub status: String,
    /// Its seats.
    pub capacity: u32,
    /// Those that are free now.
    pub free: u32,
    /// When it was heard of last.
    pub updated: u64,
    /// Its record.
    pub record: SellerRecord,
}

/// Money of a job that moved, or that there was none of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedMoney {
    /// The job; empty for a payment that got none.
    pub job: String,
    /// The capability that was bought; empty if that is not known.
    pub capability: String,
    /// Atomic units; empty if that is not known.
    pub units: String,
    /// The kind of event.
    pub kind: EventKind,
    /// When.
    pub at: u64,
    /// The transaction that paid.
    pub paid: String,
    /// The transaction that moved it on.
    pub moved: String,
}

/// The public view of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// Name of the profile.
    pub profile: String,
    /// CAIP-2 id.
    pub network: String,
    /// Symbol of the token.
    pub currency: String,
    /// Fraction digits of the token.
    pub decimals: u8,
    /// The explorer of the network, if money is real and one is known.
    pub explorer: String,
    /// When it was looked at.
    pub now: u64,
    /// Its counts so far.
    pub tally: Tally,
    /// Its sellers.
    pub crew: Crew,
    /// The last hours, oldest first, without gaps.
    pub hours: Vec<HourTally>,
    /// The capabilities that can be bought, by name.
    pub offers: Vec<Supplied>,
    /// Sellers, those heard of last first.
    pub rows: Vec<BoardSeller>,
    /// Sellers with most jobs done.
    pub best: Vec<BoardSeller>,
    /// Settlements, newest first.
    pub settlements: Vec<MovedMoney>,
    /// Events, newest first.
    pub events: Vec<EventRow>,
}

/// The board of this profile now.
pub(super) fn make_board<F: Figures>(
    figures: &F,
    profile: &PaymentProfile,
    tick: Now<'_>,
) -> Result<Board, F::Error> {
    let taken = all_seats(figures, tick.now)?;
    let seats = |id: &str| taken.get(id).copied().unwrap_or_default();
    let online = figures.online(tick.now.saturating_sub(HEARTBEAT_MS))?;
    let tally = figures.tally()?;
    let mut best = Vec::new();
    for record in figures.best(MAX_TOP)?.into_iter().filter(|record| record.done > 0) {
        let seller = figures.seller(&record.seller)?;
        best.extend(seller.map(|row| show_seller(row, record, &seats, tick.now)));
    }
    let mut rows = Vec::new();
    for row in figures.latest(MAX_ROWS)? {
        let record = figures.record(&row.id)?.unwrap_or_default();
        rows.push(show_seller(row, record, &seats, tick.now));
    }
    Ok(Board {
        profile: profile.name().to_string(),
        network: profile.network.as_str().to_string(),
        currency: profile.token.symbol.to_string(),
        decimals: profile.token.decimals,
        explorer: find_explorer(profile).to_string(),
        now: tick.now,
        crew: crew(&online, tally.sellers, &seats, tick.now),
        tally,
        hours: hours(figures, tick.now)?,
        offers: list_offers(&online, &seats, tick.now),
        rows,
        best,
        settlements: settlements(figures)?,
        events: figures.newest(MAX_EVENTS)?,
    })
}

/// The seats that are taken at this time, by seller.
pub(super) fn all_seats<R: Rows>(records: &R, now: u64) -> Result<Sorted<String, Seats>, R::Error> {
    let mut taken = Sorted::new();
    for (seller, seats) in records.taken_seats(now)? {
        taken.insert(seller, seats);
    }
    Ok(taken)
}

/// The explorer that shows what happened here; empty where money is pretended.
pub(super) fn find_explorer(profile: &PaymentProfile) -> &'static str {
    let is_live = profile.kind != Profile::DemoTestnet && profile.hold != HoldKind::Mock;
    profile.network.info().filter(|_| is_live).map_or("", |info| info.explorer)
}

pub(super) fn show_seller(
    row: SellerRow,
    record: SellerRecord,
    seats: &impl Fn(&str) -> Seats,
    now: u64,
) -> BoardSeller {
    let taken = seats(&row.id);
    let status = row.status(taken, now);
    let free = if row.is_here(now) { taken.free(row.capacity) } else { 0 };
    BoardSeller {
        status: status.to_string(),
        free,
        updated: row.heartbeat.unwrap_or(row.created),
        capacity: row.capacity,
        record,
        id: row.id,
        capability: row.capability,
        units: row.units,
    }
}

fn crew(online: &[SellerRow], sellers: u64, seats: &impl Fn(&str) -> Seats, now: u64) -> Crew {
    let mut crew = Crew::default();
    for row in online {
        let place = match row.status(seats(&row.id), now) {
            "idle" => &mut crew.idle,
            "reserved" => &mut crew.reserved,
            "busy" => &mut crew.busy,
            _ => continue,
        };
        *place = place.saturating_add(1);
    }
    let here = crew.idle.saturating_add(crew.reserved).saturating_add(crew.busy);
    Crew { offline: sellers.saturating_sub(here), ..crew }
}

/// The supply of each capability that sellers who are here have, by name.
pub(super) fn list_offers(
    online: &[SellerRow],
    seats: &impl Fn(&str) -> Seats,
    now: u64,
) -> Vec<Supplied> {
    /// Sellers, free seats, lowest price of a free seat, lowest price.
    type Supply = (u64, u64, Option<Amount>, Amount);
    let mut supplies: Sorted<String, Supply> = Sorted::new();
    for row in online.iter().filter(|row| row.is_here(now)) {
        let Ok(price) = Amount::from_atomic(&row.units) else { continue };
        let free = seats(&row.id).free(row.capacity);
        let supply = supplies.get_or(row.capability.clone(), || (0, 0, None, price));
        let (sellers, all, least, any) = supply;
        *sellers = sellers.saturating_add(1);
        *all = all.saturating_add(free.into());
        *any = price.min(*any);
        if free > 0 {
            *least = Some(least.map_or(price, |least| least.min(price)));
        }
    }
    let offer = |(capability, (sellers, seats, least, any)): &(String, Supply)| Supplied {
        capability: capability.clone(),
        sellers: *sellers,
        seats: *seats,
        units: least.unwrap_or(*any).to_string(),
    };
    supplies.iter().map(offer).collect()
}

/// The last 24 hours, with those in which nothing happened.
fn hours<F: Figures>(figures: &F, now: u64) -> Result<Vec<HourTally>, F::Error> {
    let last = hour_of(now);
    let first = last.saturating_sub(HOURS.saturating_sub(1).saturating_mul(HOUR_MS));
    let known = figures.hours(first)?;
    let row = |number: u64| {
        let hour = first.saturating_add(number.saturating_mul(HOUR_MS));
        let row = known.iter().find(|row| row.hour == hour).cloned();
        row.unwrap_or(HourTally { hour, ..HourTally::default() })
    };
    Ok((0..HOURS).map(row).collect())
}

fn settlements<F: Figures>(figures: &F) -> Result<Vec<MovedMoney>, F::Error> {
    let mut all = Vec::new();
    for event in figures.settlements(MAX_TOP)? {
        let job = figures.job(&event.job)?;
        let hold = figures.hold(&event.payment)?;
        let (capability, units, paid) = match (job, hold) {
            (Some(job), _) => (job.capability, job.units, job.transaction),
            (None, Some(hold)) => (String::new(), hold.units, String::new()),
            (None, None) => Default::default(),
        };
        let moved = event.transaction;
        // What has left no trace that could be looked at is not shown.
        if paid.is_empty() && moved.is_empty() {
            continue;
        }
        let (kind, at) = (event.kind, event.at);
        all.push(MovedMoney { job: event.job, capability, units, kind, at, paid, moved });
    }
    Ok(all)
}
