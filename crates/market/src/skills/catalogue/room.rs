//! How much of the gate's table skills may take, and how often they are published.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::skills::books::{Change, Rows};
use crate::skills::draft::{GateTable, LAYOUT};
use crate::skills::listing_request::count_values;
use crate::skills::message::Response;
use crate::skills::place::resize;
use crate::skills::refused::refusal;
use crate::skills::row::{RateRow, Room, SkillRow, TableRow, VersionRow};
use farebox_base::encoding::json;
use farebox_base::hash;
use farebox_base::sorted::Sorted;

/// Most routes that the gate reads, without those of the operator.
const MAX_ROUTES: u64 = 990;
/// Longest table, bytes.
const MAX_TABLE_BYTES: u64 = 224 * 1024;
/// Bytes that a value takes of it at least: the gate reads 16,384 values.
const VALUE_BYTES: u64 = 15;
/// Most bytes of it for the skills of an owner that have no place, where listing costs nothing.
const MAX_IDLE_BYTES: u64 = 16 * 1024;
/// Most active skills that have no place.
const MAX_UNPROVEN: u64 = 1_000;
/// How often an owner may publish, versions included, and in how many milliseconds.
const OWNER_PACE: Pace = Pace { most: 60, ms: 3_600_000 };

/// How often someone may publish.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub most: u64,
    /// In so many milliseconds.
    pub ms: u64,
}

/// A skill with its room in the gate's table, and the changes that made it.
pub(in crate::skills) struct Housed {
    /// The skill.
    pub skill: SkillRow,
    /// The changes that end the skills that had the room.
    pub changes: Vec<Change>,
}

impl GateTable<'_> {
    /// The skill with its room in the gate's table, or the refusal if there is none left. What has no
    /// place makes room for any other.
    pub(in crate::skills) fn house<B: Rows>(
        &self,
        books: &B,
        skill: SkillRow,
        version: &VersionRow,
        now: u64,
    ) -> Result<Result<Housed, Response>, B::Error> {
        let is_there = books.skill(&skill.id)?.is_some_and(|row| row.active);
        let crowd = if is_there {
            0
        } else {
            books.unproven_count(now)?.saturating_add(1).saturating_sub(MAX_UNPROVEN)
        };
        if skill.owes {
            let skill = SkillRow { room: Room::default(), ..skill };
            return make_room(books, skill, Shortage { over: Room::default(), crowd }, now);
        }
        let room = self.room_of(&skill, version);
        // What it has already is given back.
        let rest = |taken: u64, had: u64, more: u64| taken.saturating_sub(had).saturating_add(more);
        let had = skill.room;
        let all = books.room()?;
        let own = weigh(self.own_routes);
        let is_free = !skill.has_place(now) && self.fee.is_none();
        if is_free && room.bytes > had.bytes {
            let idle = books.idle_room_of(&skill.owner, now)?;
            if rest(idle.bytes, had.bytes, room.bytes) > MAX_IDLE_BYTES {
                let error = alloc::format!(
                    "Skills for which no money moved must have at most {MAX_IDLE_BYTES} bytes together"
                );
                return Ok(Err(refusal(429, &error)));
            }
        }
        let over = Room {
            routes: rest(all.routes, had.routes, room.routes).saturating_sub(MAX_ROUTES),
            bytes: rest(all.bytes, had.bytes, room.bytes)
                .saturating_add(own)
                .saturating_sub(MAX_TABLE_BYTES),
        };
        make_room(books, resize(skill, room, now), Shortage { over, crowd }, now)
    }

    /// The room that a skill takes.
    fn room_of(&self, skill: &SkillRow, version: &VersionRow) -> Room {
        let mut room = Room::default();
        for route in self.routes_of(skill, version) {
            room.routes = room.routes.saturating_add(1);
            room.bytes = room.bytes.saturating_add(weigh(&route));
        }
        room
    }

    /// The changes after which a table of an earlier layout, or of other settings, is written anew. Its
    /// skills are weighed for that; places that were paid for stay as long as they were to.
    pub(in crate::skills) fn renew<B: Rows>(
        &self,
        books: &B,
        now: u64,
    ) -> Result<Vec<Change>, B::Error> {
        let table = books.table()?;
        // A version of before has noted no fee.
        let is_old = table.layout < LAYOUT
            || table.settings != self.settings()
            || table.fee.as_deref() != self.fee;
        let mut changes = Vec::new();
        if table.wanted == 0 || !is_old {
            return Ok(changes);
        }
        for (skill, version) in books.catalogue(None, u32::MAX)? {
            let room = self.room_of(&skill, &version);
            if room != skill.room {
                changes.push(Change::Skill(Box::new(SkillRow { room, ..skill })));
            }
        }
        changes.extend(self.change(books, now)?);
        Ok(changes)
    }

    /// The changes after which the route table is written again.
    pub(in crate::skills) fn change<B: Rows>(
        &self,
        books: &B,
        now: u64,
    ) -> Result<[Change; 2], B::Error> {
        let table = books.table()?;
        let due = table.due.map_or(now, |due| due.min(now));
        let wanted = table.wanted.saturating_add(1);
        let settings = self.settings();
        let fee = self.fee.map(ToString::to_string);
        let former_fee = if table.fee == fee { table.former_fee } else { table.fee };
        let layout = LAYOUT;
        let due = Some(due);
        let table = TableRow { wanted, due, layout, settings, fee, former_fee, ..table };
        Ok([Change::Table(table), Change::Sweep(now)])
    }

    /// A digest of all in a table that is not of its skills.
    fn settings(&self) -> u64 {
        let names: Vec<&[u8]> = self.networks.iter().map(|it| it.as_str().as_bytes()).collect();
        let first = self.first_routes();
        let digest =
            hash::sha256(&[b"farebox table settings", &names.join(&b'\n'), first.as_bytes()]);
        digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}

/// Bytes that JSON takes of the table: its length, or more if it has many values.
fn weigh(text: &str) -> u64 {
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX).saturating_add(1);
    let read = json::parse_within(text.as_bytes(), usize::MAX, usize::MAX).ok();
    let values = read.and_then(|read| count_values(&read, json::MAX_DEPTH)).unwrap_or(0);
    let values = u64::try_from(values).unwrap_or(u64::MAX);
    bytes.max(values.saturating_mul(VALUE_BYTES))
}

/// The room that is missing for another skill.
#[derive(Clone, Copy)]
struct Shortage {
    /// Routes and bytes that have to leave.
    over: Room,
    /// Skills without a place that are too many.
    crowd: u64,
}

/// The skill with what leaves for it.
fn make_room<B: Rows>(
    books: &B,
    skill: SkillRow,
    shortage: Shortage,
    now: u64,
) -> Result<Result<Housed, Response>, B::Error> {
    let Some(leaving) = choose_leaving(books, &skill, shortage, now)? else {
        return Ok(Err(refusal(503, "catalogue_full")));
    };
    let mut changes = Vec::new();
    for gone in leaving {
        let gone = SkillRow { active: false, made_room: true, changed: now, ..gone };
        changes.extend(end_skill(books, gone, now)?);
    }
    Ok(Ok(Housed { skill, changes }))
}

/// The changes of a skill that is active no longer: no version of it is sold from now on.
pub(super) fn end_skill<B: Rows>(
    books: &B,
    skill: SkillRow,
    now: u64,
) -> Result<Vec<Change>, B::Error> {
    let mut changes = Vec::new();
    for old in books.versions(&skill.id)?.into_iter().filter(|old| old.until.is_none()) {
        changes.push(Change::Version(Box::new(VersionRow { until: Some(now), ..old })));
    }
    changes.push(Change::Skill(Box::new(skill)));
    Ok(changes)
}

/// The skills that leave so that there is so much more room for another, and so many are fewer, if
/// that can be had.
fn choose_leaving<B: Rows>(
    books: &B,
    newcomer: &SkillRow,
    shortage: Shortage,
    now: u64,
) -> Result<Option<Vec<SkillRow>>, B::Error> {
    let Shortage { over, crowd } = shortage;
    let mut gone = Vec::new();
    if over == Room::default() && crowd == 0 {
        return Ok(Some(gone));
    }
    let mut left = books.unproven(now)?;
    left.retain(|row| row.id != newcomer.id);
    let free = Some(newcomer).filter(|it| !it.has_place(now));
    let (mut routes, mut bytes) = (0_u64, 0_u64);
    while routes < over.routes || bytes < over.bytes {
        let Some(row) = take_crowded(&mut left, free, |row| row.room.bytes) else {
            return Ok(None);
        };
        routes = routes.saturating_add(row.room.routes);
        bytes = bytes.saturating_add(row.room.bytes);
        gone.push(row);
    }
    while u64::try_from(gone.len()).unwrap_or(u64::MAX) < crowd {
        let Some(row) = take_crowded(&mut left, free, |_| 1) else { return Ok(None) };
        gone.push(row);
    }
    Ok(Some(gone))
}

/// Takes out the oldest skill of the network that has the most of what has no place, the newcomer's
/// included if it has none: so many of one network make no one of another leave who has less.
fn take_crowded(
    left: &mut Vec<SkillRow>,
    newcomer: Option<&SkillRow>,
    weight: fn(&SkillRow) -> u64,
) -> Option<SkillRow> {
    let mut taken: Sorted<String, u64> = Sorted::new();
    for row in left.iter().chain(newcomer) {
        let theirs = taken.get_or(row.client.clone(), || 0);
        *theirs = theirs.saturating_add(weight(row));
    }
    let of = |row: &&SkillRow| taken.get(&row.client).copied().unwrap_or(0);
    let most = left.iter().filter(|row| weight(row) > 0).map(|row| of(&row)).max()?;
    let at = left.iter().position(|row| weight(row) > 0 && of(&row) == most)?;
    Some(left.remove(at))
}

/// How often an owner has published with this time, and those who share a pace, or the refusal if
/// that is too often.
pub(super) fn count_publishing<B: Rows>(
    books: &B,
    owner: &str,
    shared: Option<(&str, Pace)>,
    now: u64,
) -> Result<Result<Vec<RateRow>, Response>, B::Error> {
    let mut rates = Vec::new();
    for (owner, Pace { most, ms }) in [(owner, OWNER_PACE)].into_iter().chain(shared) {
        let known = books.rate(owner)?;
        let known = known.filter(|rate| now < rate.since.saturating_add(ms));
        let rate =
            known.unwrap_or_else(|| RateRow { owner: owner.to_string(), since: now, count: 0 });
        if rate.count >= most {
            let wait = rate.since.saturating_add(ms).saturating_sub(now);
            let secs = wait.div_ceil(1000).to_string();
            let error = "Too many skills are being published; try again later";
            return Ok(Err(refusal(429, error).with("retry-after", &secs)));
        }
        rates.push(RateRow { count: rate.count.saturating_add(1), ..rate });
    }
    Ok(Ok(rates))
}
