//! How much of the gate's table skills may take, and how often they are published.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::mutant::{Mutant, planted};
use crate::skills::Market;
use crate::skills::books::{Books, Edit};
use crate::skills::message::Response;
use crate::skills::refused::said;
use crate::skills::row::{RateRow, Room, SkillRow, TableRow, VersionRow};

/// Most routes that the gate reads, without those of the operator.
const MAX_ROUTES: u64 = 990;
/// Longest table, bytes.
const MAX_TABLE_BYTES: u64 = 224 * 1024;
/// Most bytes of it for the skills of an owner that were never used, where listing costs nothing.
const MAX_IDLE_BYTES: u64 = 16 * 1024;
/// How often an owner may publish, versions included, and in how many milliseconds.
const OWNER_PACE: (u64, u64) = (60, 3_600_000);

impl Market {
    /// The skill with its room in the gate's table, or the refusal if there is none left.
    pub(in crate::skills) fn housed<B: Books>(
        &self,
        books: &B,
        skill: SkillRow,
        version: &VersionRow,
    ) -> Result<Result<SkillRow, Response>, B::Error> {
        if skill.owes {
            return Ok(Ok(SkillRow { room: Room::default(), ..skill }));
        }
        let mut room = Room::default();
        for route in self.routes_of(&skill, version) {
            let bytes = u64::try_from(route.len()).unwrap_or(u64::MAX).saturating_add(1);
            room.routes = room.routes.saturating_add(1);
            room.bytes = room.bytes.saturating_add(bytes);
        }
        // What it has already is given back.
        let rest = |taken: u64, had: u64, more: u64| taken.saturating_sub(had).saturating_add(more);
        let had = skill.room;
        let all = books.room()?;
        let own = u64::try_from(self.own_routes.len()).unwrap_or(u64::MAX);
        let bytes = rest(all.bytes, had.bytes, room.bytes).saturating_add(own);
        if rest(all.routes, had.routes, room.routes) > MAX_ROUTES || bytes > MAX_TABLE_BYTES {
            return Ok(Err(said(503, "catalogue_full")));
        }
        if !skill.used && self.listing_fee.is_none() && !planted(Mutant::OwnersFillTheTable) {
            let idle = books.idle_room_of(&skill.owner)?;
            if rest(idle.bytes, had.bytes, room.bytes) > MAX_IDLE_BYTES {
                let error = alloc::format!(
                    "Skills that no one has used must have at most {MAX_IDLE_BYTES} bytes together"
                );
                return Ok(Err(said(429, &error)));
            }
        }
        Ok(Ok(SkillRow { room, ..skill }))
    }

    /// The route table has to be written again.
    pub(in crate::skills) fn changed<B: Books>(
        &self,
        books: &B,
        now: u64,
    ) -> Result<[Edit; 2], B::Error> {
        let table = books.table()?;
        let due = table.due.map_or(now, |due| due.min(now));
        let wanted = table.wanted.saturating_add(1);
        let table = TableRow { wanted, due: Some(due), ..table };
        Ok([Edit::Table(table), Edit::Sweep(now)])
    }
}

/// How often an owner has published with this time, and those who share a pace, or the refusal if
/// that is too often.
pub(super) fn paced<B: Books>(
    books: &B,
    owner: &str,
    shared: Option<(&str, (u64, u64))>,
    now: u64,
) -> Result<Result<Vec<RateRow>, Response>, B::Error> {
    let mut rates = Vec::new();
    for (owner, (most, ms)) in [(owner, OWNER_PACE)].into_iter().chain(shared) {
        let known = books.rate(owner)?;
        let known = known.filter(|rate| now < rate.since.saturating_add(ms));
        let rate =
            known.unwrap_or_else(|| RateRow { owner: owner.to_string(), since: now, count: 0 });
        if rate.count >= most && !planted(Mutant::PublishingHasNoPace) {
            let wait = rate.since.saturating_add(ms).saturating_sub(now);
            let secs = wait.div_ceil(1000).to_string();
            let error = "Too many skills are being published; try again later";
            return Ok(Err(said(429, error).with("retry-after", &secs)));
        }
        rates.push(RateRow { count: rate.count.saturating_add(1), ..rate });
    }
    Ok(Ok(rates))
}
