//! What a ledger object keeps in memory beside its rows: the entries that are not at rest, which payments stand
//! for others, and which transactions are taken. Read once from the rows, kept in step with every write, thrown
//! away when one fails.

use std::collections::{HashMap, HashSet};

use farebox_core::gate::keys::digest;
use farebox_core::ledger::entry::{Entry, Plan, Taken, Work};
use farebox_core::ledger::{Payment, Standing, State};
use farebox_core::payment::TxHash;
use farebox_core::sorted::{Sorted, by_rank};
use farebox_core::time::UnixTime;

use super::attempts::Failures;
use super::chores::Chores;

/// Entries at work by payer and key, aliases, and the taken transactions.
#[derive(Default)]
pub(super) struct Memory {
    open: HashMap<String, Sorted<String, Entry>>,
    aliases: HashMap<(String, String), String>,
    moved: HashSet<(String, String)>,
    /// The first eight bytes of each hash and of its payment's key: enough to tell them apart, and an accident would
    /// only have the chain asked once more.
    taken: HashMap<u64, u64>,
    /// The earliest that is due of the entries noted since all were last looked at.
    noted: Option<UnixTime>,
    pub chores: Chores,
    /// Who failed how often.
    pub failures: Failures,
}

impl Memory {
    /// The entry, if it is at work.
    pub(super) fn entry(&self, payer: &str, key: &str) -> Option<&Entry> {
        self.open.get(payer)?.get(key)
    }

    /// Keeps step with a written row.
    pub(super) fn note(
        &mut self,
        payer: &str,
        key: &str,
        entry: &Entry,
        plan: &Plan,
        now: UnixTime,
    ) {
        // A hash that was only named in doubt proves nothing, and takes nothing from others.
        let proven = !matches!(entry.state, State::Unknown { .. });
        if let Some(hash) = entry.transaction().filter(|_| proven) {
            self.note_taken(hash, key);
        }
        let due = entry.due(plan, now).map(|(at, _)| at);
        let overdue = self.chores.overdue_at(key, entry);
        self.noted = self.noted.into_iter().chain(due).chain(overdue).min();
        let is_open = due.is_some() || entry.awaits_heir(now);
        if is_open {
            self.open.entry(payer.to_owned()).or_default().insert(key.to_owned(), entry.clone());
        } else if let Some(entries) = self.open.get_mut(payer) {
            entries.remove(key);
            if entries.is_empty() {
                self.open.remove(payer);
            }
        }
    }

    /// Notes whose transaction this is, unless it is somebody's already.
    pub(super) fn note_taken(&mut self, hash: TxHash, key: &str) {
        self.taken.entry(head_of(hash)).or_insert_with(|| head_of_key(key));
    }

    /// Notes that a payment stands for another one.
    pub(super) fn note_alias(&mut self, payer: &str, key: &str, original: &str) {
        self.aliases.insert((payer.to_owned(), key.to_owned()), original.to_owned());
    }

    /// The payment that this one stands for.
    pub(super) fn original(&self, payer: &str, key: &str) -> Option<String> {
        if self.aliases.is_empty() {
            return None;
        }
        self.aliases.get(&(payer.to_owned(), key.to_owned())).cloned()
    }

    /// Whether a payment is begun elsewhere.
    pub(super) fn is_moved(&self, payer: &str, key: &str) -> bool {
        !self.moved.is_empty() && self.moved.contains(&(payer.to_owned(), key.to_owned()))
    }

    /// Notes that a payment is begun elsewhere, or here after all.
    pub(super) fn note_moved(&mut self, payer: &str, key: &str, elsewhere: bool) {
        let place = (payer.to_owned(), key.to_owned());
        if elsewhere {
            self.moved.insert(place);
        } else {
            self.moved.remove(&place);
        }
    }

    /// A payment of this payer for the same request that was paid and that nobody received.
    pub(super) fn unreceived(&self, payer: &str, binding: &str, now: UnixTime) -> Option<String> {
        let entries = self.open.get(payer)?;
        entries
            .iter()
            .find(|(_, entry)| entry.payment.binding == binding && entry.awaits_heir(now))
            .map(|(key, _)| key.clone())
    }

    /// How the payer's other rows stand, seen from a claim for `payment`.
    pub(super) fn standing(
        &self,
        payer: &str,
        key: &str,
        payment: &Payment,
        now: UnixTime,
    ) -> Standing {
        let mut standing = Standing::default();
        for (other, entry) in self.open.get(payer).into_iter().flat_map(Sorted::iter) {
            if other == key {
                continue;
            }
            let entry = entry.clone().lapse(now);
            standing.active += u32::from(entry.is_active());
            standing.open += 1;
            standing.watched |= entry.is_unknown(now) || entry.is_freshly_refused(now);
            standing.unresolved |=
                entry.is_unknown(now) && entry.payment.binding == payment.binding;
        }
        standing
    }

    /// Whether a transaction is recorded for another payment.
    pub(super) fn taken(&self, hash: Option<TxHash>, key: &str) -> Taken {
        let owner = hash.and_then(|hash| self.taken.get(&head_of(hash)));
        if owner.is_some_and(|owner| *owner != head_of_key(key)) { Taken::Yes } else { Taken::No }
    }

    /// The rows whose time has come, earliest first, at most `most`.
    pub(super) fn due(
        &self,
        plan: &Plan,
        now: UnixTime,
        most: usize,
    ) -> Vec<(String, String, Work)> {
        let due = self
            .all()
            .filter_map(|(payer, key, entry)| {
                let (at, work) = entry.due(plan, now)?;
                (at <= now).then_some((at, payer, key, work))
            })
            .collect();
        by_rank(due, |(at, ..)| (at.secs(), 0))
            .into_iter()
            .take(most)
            .map(|(_, payer, key, work)| (payer.clone(), key.clone(), work))
            .collect()
    }

    /// Whether nothing is due before `at`, if nothing was when [`Memory::wake_at`] last looked at all.
    pub(super) fn is_quiet_until(&self, at: UnixTime) -> bool {
        self.noted.into_iter().chain(self.chores.wake_at()).all(|due| at <= due)
    }

    /// When the next row is due, or a chore.
    pub(super) fn wake_at(&mut self, plan: &Plan, now: UnixTime) -> Option<UnixTime> {
        self.noted = None;
        let rows = self.all().filter_map(|(_, _, entry)| entry.due(plan, now)).map(|(at, _)| at);
        let overdue = self.all().filter_map(|(_, key, entry)| self.chores.overdue_at(key, entry));
        rows.chain(overdue).chain(self.chores.wake_at()).min()
    }

    /// Lets go of a row that is gone.
    pub(super) fn forget(&mut self, payer: &str, key: &str, hash: Option<TxHash>) {
        if let Some(entries) = self.open.get_mut(payer) {
            entries.remove(key);
        }
        if let Some(hash) = hash
            && self.taken.get(&head_of(hash)) == Some(&head_of_key(key))
        {
            self.taken.remove(&head_of(hash));
        }
    }

    /// Lets go of an alias.
    pub(super) fn forget_alias(&mut self, payer: &str, key: &str) {
        self.aliases.remove(&(payer.to_owned(), key.to_owned()));
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &String, &Entry)> {
        self.open.iter().flat_map(|(payer, entries)| {
            entries.iter().map(move |(key, entry)| (payer, key, entry))
        })
    }
}

fn head_of(hash: TxHash) -> u64 {
    match hash.as_str().strip_prefix("0x") {
        Some(digits) => head_of_key(digits),
        None => head_of_key(&digest(&[hash.as_str().as_bytes()])),
    }
}

/// Of a key in hex; they are hashes.
fn head_of_key(key: &str) -> u64 {
    key.get(..16).and_then(|head| u64::from_str_radix(head, 16).ok()).unwrap_or(0)
}
