//! Books in memory: maps, and nothing that decides.

use std::collections::BTreeMap;
use std::convert::Infallible;

use farebox_core::skills::books::{Change, Part, Rows, ShelfSpan};
use farebox_core::skills::offered::Cursor;
use farebox_core::skills::row::{
    ArchiveRow, Ending, InvocationRow, KeyRow, MarketFigures, NonceRow, PackRow, RateRow, ReplyRow,
    Room, ShelfRow, SkillRow, SpendRow, TableRow, VersionRow,
};

use super::quote_rows::MemoryQuotes;

/// The rows of a market.
#[derive(Clone, Debug, Default)]
pub struct MemoryRows {
    pub skills: BTreeMap<String, SkillRow>,
    pub versions: BTreeMap<(String, String), VersionRow>,
    pub nonces: Vec<NonceRow>,
    pub table: TableRow,
    pub invocations: Vec<InvocationRow>,
    pub replies: BTreeMap<String, ReplyRow>,
    pub keys: BTreeMap<(String, String), KeyRow>,
    pub spends: BTreeMap<String, SpendRow>,
    pub packs: BTreeMap<String, PackRow>,
    pub shelves: Vec<ShelfRow>,
    /// Number, id, network and transaction of each row in the archive.
    pub departed: Vec<(u64, String, String, String)>,
    pub archive: ArchiveRow,
    /// Ids and owners by their numbers, in the order in which they were forgotten.
    pub forgotten: BTreeMap<u64, (String, String)>,
    pub rates: BTreeMap<String, RateRow>,
    pub original: MemoryQuotes,
}

impl MemoryRows {
    pub fn write(&mut self, edits: Vec<Change>) {
        for change in edits {
            match change {
                Change::Skill(row) => _ = self.skills.insert(row.id.clone(), *row),
                Change::Version(row) => {
                    _ = self.versions.insert((row.skill.clone(), row.version.clone()), *row);
                }
                Change::Forget(id) => {
                    let gone = self.skills.remove(&id).expect("no such skill");
                    self.versions.retain(|(skill, _), _| *skill != id);
                    self.forgotten.retain(|_, (known, _)| *known != id);
                    self.note_former(id, gone.owner);
                }
                Change::Name(id, owner) => {
                    let mut known = self.forgotten.values();
                    assert!(known.all(|(known, _)| *known != id), "{id} has an owner");
                    self.note_former(id, owner);
                }
                Change::Unname(numbers) => {
                    self.forgotten.retain(|number, _| !numbers.contains(number))
                }
                Change::Rate(row) => _ = self.rates.insert(row.owner.clone(), row),
                Change::Nonce(row) => self.nonces.push(row),
                Change::Sweep(now) => {
                    self.nonces.retain(|row| row.until > now);
                    self.keys.retain(|_, row| row.until >= now);
                }
                Change::Table(row) => self.table = row,
                Change::Begin(row) => {
                    assert!(!self.invocations.iter().any(|it| it.id == row.id), "an id twice");
                    let gone = self.shelves.last().map_or(0, |shelf| shelf.last);
                    let next = self.invocations.last().map_or(0, |last| last.number).max(gone) + 1;
                    let number = if row.number == 0 { next } else { row.number };
                    assert!(number >= next, "a number twice");
                    self.invocations.push(InvocationRow { number, ..*row });
                }
                Change::Invocation(row) => {
                    let known = self.invocations.iter_mut().find(|it| it.id == row.id);
                    let known = known.expect("an invocation changes that never began");
                    *known = InvocationRow { number: known.number, ..*row };
                }
                Change::Shelve(row, numbers) => {
                    for number in numbers {
                        let place = self.invocations.iter().position(|it| it.number == number);
                        let gone = self.invocations.remove(place.expect("no such row"));
                        self.departed.push((number, gone.id, gone.network, gone.tx));
                    }
                    self.shelves.push(*row);
                }
                Change::Archive(row) => self.archive = row,
                Change::Unreply(ids) => {
                    for id in ids {
                        self.replies.remove(&id).expect("no such answer");
                    }
                }
                Change::Retold(row) => _ = self.replies.insert(row.invocation.clone(), *row),
                Change::Reply(row) => {
                    _ = self.replies.entry(row.invocation.clone()).or_insert(*row)
                }
                Change::Key(row) => {
                    _ = self.keys.insert((row.account.clone(), row.key.clone()), row);
                }
                Change::Spend(row) => _ = self.spends.insert(row.account.clone(), *row),
                Change::Pack(row) => _ = self.packs.insert(row.id.clone(), *row),
                Change::Original(change) => self.original.write(change),
            }
        }
    }
}

impl MemoryRows {
    /// Notes whose an id was, under a number after all others.
    fn note_former(&mut self, id: String, owner: String) {
        let last = self.forgotten.last_key_value().map_or(0, |(number, _)| *number);
        self.forgotten.insert(last + 1, (id, owner));
    }

    /// Invocations and bytes of the answers that have a place, in its order.
    fn weighed<P: Ord>(
        &self,
        place: impl Fn(&ReplyRow) -> Option<P>,
        limit: u32,
    ) -> Vec<(String, u64)> {
        let placed = |row: &ReplyRow| Some((place(row)?, row.invocation.clone(), row.bytes));
        let mut rows: Vec<_> = self.replies.values().filter_map(placed).collect();
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        rows.truncate(limit as usize);
        rows.into_iter().map(|(_, id, bytes)| (id, bytes)).collect()
    }
}

fn summed<'a>(rows: impl Iterator<Item = &'a SkillRow>) -> Room {
    rows.fold(Room::default(), |all, row| Room {
        routes: all.routes + row.room.routes,
        bytes: all.bytes + row.room.bytes,
    })
}

type Found<T> = Result<T, Infallible>;

impl Rows for MemoryRows {
    fn skill(&self, id: &str) -> Found<Option<SkillRow>> {
        Ok(self.skills.get(id).cloned())
    }

    fn version(&self, skill: &str, version: &str) -> Found<Option<VersionRow>> {
        Ok(self.versions.get(&(skill.to_owned(), version.to_owned())).cloned())
    }

    fn versions(&self, skill: &str) -> Found<Vec<VersionRow>> {
        let mut rows: Vec<_> =
            self.versions.values().filter(|row| row.skill == skill).cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.created));
        Ok(rows)
    }

    fn version_names(&self, skill: &str) -> Found<Vec<String>> {
        Ok(self.versions(skill)?.into_iter().map(|row| row.version).collect())
    }

    fn catalogue(&self, after: Option<&Cursor>, limit: u32) -> Found<Vec<(SkillRow, VersionRow)>> {
        let is_later = |row: &&SkillRow| {
            row.active && after.is_none_or(|it| (row.created, &row.id) < (it.created, &it.id))
        };
        let mut rows: Vec<_> = self.skills.values().filter(is_later).cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.created, row.id.clone())));
        let with = |row: SkillRow| {
            let version = self.versions[&(row.id.clone(), row.latest.clone())].clone();
            (row, version)
        };
        Ok(rows.into_iter().take(limit as usize).map(with).collect())
    }

    fn active_of(&self, owner: &str) -> Found<u64> {
        Ok(self.skills.values().filter(|row| row.active && row.owner == owner).count() as u64)
    }

    fn room(&self) -> Found<Room> {
        Ok(summed(self.skills.values().filter(|row| row.active)))
    }

    fn idle_room_of(&self, owner: &str, now: u64) -> Found<Room> {
        let is_idle = |row: &&SkillRow| row.active && row.place_until <= now && row.owner == owner;
        Ok(summed(self.skills.values().filter(is_idle)))
    }

    fn idle_of(&self, owner: &str) -> Found<Vec<SkillRow>> {
        let is_idle = |row: &&SkillRow| !row.active && !row.used && row.owner == owner;
        let mut rows: Vec<_> = self.skills.values().filter(is_idle).cloned().collect();
        rows.sort_by_key(|row| row.changed);
        Ok(rows)
    }

    fn unproven(&self, now: u64) -> Found<Vec<SkillRow>> {
        let is_it = |row: &&SkillRow| row.active && row.place_until <= now;
        let mut rows: Vec<_> = self.skills.values().filter(is_it).cloned().collect();
        rows.sort_by_key(|row| (row.created, row.id.clone()));
        Ok(rows)
    }

    fn unproven_count(&self, now: u64) -> Found<u64> {
        Ok(self.unproven(now)?.len() as u64)
    }

    fn left_over(&self, before: u64, newest: u32, limit: u32) -> Found<Vec<String>> {
        let mut rows: Vec<_> =
            self.skills.values().filter(|row| !row.active && !row.used).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.changed));
        let mut rows: Vec<_> = rows.into_iter().skip(newest as usize).collect();
        rows.retain(|row| row.changed < before);
        Ok(rows.into_iter().rev().take(limit as usize).map(|row| row.id.clone()).collect())
    }

    fn has_place(&self, owner: &str, now: u64) -> Found<bool> {
        Ok(self.skills.values().any(|row| row.place_until > now && row.owner == owner))
    }

    fn forgotten(&self, id: &str) -> Found<Option<String>> {
        let mut known = self.forgotten.values().filter(|(known, _)| known == id);
        Ok(known.next().map(|(_, owner)| owner.clone()))
    }

    fn former(&self, newest: u32, limit: u32) -> Found<Vec<u64>> {
        let last = self.forgotten.last_key_value().map_or(0, |(number, _)| *number);
        let old = self.forgotten.range(..=last.saturating_sub(newest.into()));
        Ok(old.take(limit as usize).map(|(number, _)| *number).collect())
    }

    fn unpaid(&self, before: u64, limit: u32) -> Found<Vec<String>> {
        let is_old = |row: &&SkillRow| row.active && row.owes && row.created < before;
        let mut rows: Vec<_> = self.skills.values().filter(is_old).collect();
        rows.sort_by_key(|row| row.created);
        Ok(rows.into_iter().take(limit as usize).map(|row| row.id.clone()).collect())
    }

    fn rate(&self, owner: &str) -> Found<Option<RateRow>> {
        Ok(self.rates.get(owner).cloned())
    }

    fn has_nonce(&self, owner: &str, nonce: &str) -> Found<bool> {
        Ok(self.nonces.iter().any(|row| row.owner == owner && row.nonce == nonce))
    }

    fn table(&self) -> Found<TableRow> {
        Ok(self.table.clone())
    }

    fn invocation(&self, id: &str) -> Found<Option<InvocationRow>> {
        Ok(self.invocations.iter().find(|row| row.id == id).cloned())
    }

    fn invocation_by_tx(&self, network: &str, tx: &str) -> Found<Option<InvocationRow>> {
        let mut rows = self.invocations.iter();
        Ok(rows.find(|row| row.network == network && row.tx == tx).cloned())
    }

    fn running(&self, account: &str, digest: &str) -> Found<Option<InvocationRow>> {
        let is_it = |row: &&InvocationRow| {
            row.account == account
                && row.digest == digest
                && row.ending == Ending::Running
                && row.key.is_empty()
        };
        Ok(self.invocations.iter().find(is_it).cloned())
    }

    fn invocations(&self, part: &Part) -> Found<Vec<InvocationRow>> {
        let is_in = |row: &&InvocationRow| {
            part.before.is_none_or(|before| row.number < before)
                && part.after.is_none_or(|after| row.number > after)
                && part.account.as_ref().is_none_or(|it| *it == row.account)
                && part.agent.as_ref().is_none_or(|it| *it == row.agent)
                && part.skill.as_ref().is_none_or(|it| *it == row.skill)
                && (part.endings.is_empty() || part.endings.contains(&row.ending))
        };
        let mut rows: Vec<_> = self.invocations.iter().filter(is_in).cloned().collect();
        if part.after.is_none() {
            rows.reverse();
        }
        rows.truncate(part.limit as usize);
        Ok(rows)
    }

    fn extent(&self, above: u64) -> Found<Option<(u64, u64)>> {
        let numbers = self.invocations.iter().map(|row| row.number).filter(|it| *it > above);
        Ok(numbers.clone().min().zip(numbers.max()))
    }

    fn over(&self, above: u64, limit: u32) -> Found<Vec<InvocationRow>> {
        let is_over = |row: &&InvocationRow| {
            row.number > above && row.ending != Ending::Running && row.due.is_none()
        };
        Ok(self.invocations.iter().filter(is_over).take(limit as usize).cloned().collect())
    }

    fn shelves(&self, span: ShelfSpan, limit: u32) -> Found<Vec<ShelfRow>> {
        let mut shelves = self.shelves.clone();
        match span {
            ShelfSpan::Below(bound) => {
                shelves.retain(|shelf| shelf.first < bound);
                shelves.reverse();
            }
            ShelfSpan::Above(bound) => shelves.retain(|shelf| shelf.last > bound),
        }
        shelves.truncate(limit as usize);
        Ok(shelves)
    }

    fn departed(&self, id: &str) -> Found<Option<u64>> {
        Ok(self.departed.iter().find(|it| it.1 == id).map(|it| it.0))
    }

    fn departed_by_tx(&self, network: &str, tx: &str) -> Found<Option<String>> {
        let found = self.departed.iter().find(|it| it.2 == network && it.3 == tx);
        Ok(found.map(|it| it.1.clone()))
    }

    fn archive(&self) -> Found<ArchiveRow> {
        Ok(self.archive)
    }

    fn due(&self, now: u64, limit: u32) -> Found<Vec<InvocationRow>> {
        let is_due = |row: &&InvocationRow| row.due.is_some_and(|due| due <= now);
        let mut rows: Vec<_> = self.invocations.iter().filter(is_due).cloned().collect();
        rows.sort_by_key(|row| row.due);
        rows.truncate(limit as usize);
        Ok(rows)
    }

    fn reply(&self, invocation: &str) -> Found<Option<ReplyRow>> {
        Ok(self.replies.get(invocation).cloned())
    }

    fn reply_bytes(&self) -> Found<u64> {
        Ok(self.replies.values().map(|row| row.bytes).sum())
    }

    fn replies_ended(&self, now: u64, limit: u32) -> Found<Vec<(String, u64)>> {
        Ok(self.weighed(|row| (row.until < now).then_some(row.until), limit))
    }

    fn replies_first(&self, limit: u32) -> Found<Vec<(String, u64)>> {
        Ok(self.weighed(|row| Some((u64::MAX - row.turn(), row.until)), limit))
    }

    fn key(&self, account: &str, key: &str) -> Found<Option<KeyRow>> {
        Ok(self.keys.get(&(account.to_owned(), key.to_owned())).cloned())
    }

    fn spend(&self, account: &str) -> Found<Option<SpendRow>> {
        Ok(self.spends.get(account).cloned())
    }

    fn spends_of(&self, agent: &str) -> Found<Vec<SpendRow>> {
        Ok(self.spends.values().filter(|row| row.agent == agent).cloned().collect())
    }

    fn pack(&self, id: &str) -> Found<Option<PackRow>> {
        Ok(self.packs.get(id).cloned())
    }

    fn pack_by_payment(&self, payment: &str) -> Found<Option<PackRow>> {
        Ok(self.packs.values().find(|row| row.payment == payment).cloned())
    }

    fn figures(&self, now: u64) -> Found<MarketFigures> {
        let sum = |of: fn(&SpendRow) -> u64| self.spends.values().map(of).sum();
        let running = self.invocations.iter().filter(|row| row.ending == Ending::Running);
        let rows = &self.original;
        Ok(MarketFigures {
            free: sum(|row| row.free),
            paid_ok: sum(|row| row.paid_ok),
            paid_failed: sum(|row| row.paid_failed),
            not_paid_failed: sum(|row| row.not_paid_failed),
            insufficient: sum(|row| row.insufficient),
            running: running.count() as u64,
            skills: self.skills.values().filter(|row| row.active).count() as u64,
            packs: self.packs.len() as u64,
            pack_calls: self.packs.values().map(|row| row.used).sum(),
            quotes: rows.quotes.iter().filter(|row| row.until >= now).count() as u64,
            settled: rows.settled.len() as u64,
            subscriptions: rows.subscriptions.iter().filter(|row| row.renews > now).count() as u64,
        })
    }
}
