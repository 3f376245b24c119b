//! Failure streaks as the object keeps them: in memory, a bounded number of rows, written when that
//! is worthwhile.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Change, Shard};
use crate::attempts::{
    ALIKE, ClientCount, Counted, Counting, FailureStreak, IDLE_SECS, StreakKey, is_payer,
};
use crate::mark::Mark;
use farebox_base::sorted::RecentMap;
use farebox_base::time::UnixTime;

/// Maximum rows of an object about payers, and as many about others: whoever proves nothing pushes
/// out no payer's.
const MAX_STREAKS: usize = 4_096;
/// Share of the failures from which the operator is notified that a stranger has before they are a
/// row: most of those who ask once leave, or pay.
const WORTH_A_ROW: u64 = 20;
/// Seconds between two notices about clients that prove no payment, and for which those about payers
/// are counted.
const NOTICE_GAP_SECS: u64 = 60;
/// Notices about payers in that time: an account costs nothing, and whoever pays themselves for one
/// request begins their count anew.
const MOST_NOTICES: u64 = 20;

/// A payer or client that fails at a route.
#[derive(Clone, Debug)]
pub struct Failing {
    /// Their failures in a row.
    pub tally: FailureStreak,
    /// Number of failures in the stored row.
    written: u64,
    /// The unproven identity that they claim.
    pub claims: Option<String>,
}

/// All recent failures.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    payers: RecentMap<StreakKey, Failing>,
    others: RecentMap<StreakKey, Failing>,
    /// Time of the last notice to the operator about a client that proves nothing.
    told_at: Option<UnixTime>,
    /// When the first of the last notices about payers was sent, and how many there were since.
    told_payers: (UnixTime, u64),
}

impl Default for Failures {
    fn default() -> Self {
        let list = || RecentMap::new(MAX_STREAKS);
        Self {
            payers: list(),
            others: list(),
            told_at: None,
            told_payers: (UnixTime::from_secs(0), 0),
        }
    }
}

impl Failures {
    const fn lists(&self) -> [&RecentMap<StreakKey, Failing>; 2] {
        [&self.payers, &self.others]
    }

    fn of(&self, place: &StreakKey) -> Option<&Failing> {
        let list = if is_payer(&place.0) { &self.payers } else { &self.others };
        list.get(place)
    }

    fn list(&mut self, place: &StreakKey) -> &mut RecentMap<StreakKey, Failing> {
        if is_payer(&place.0) { &mut self.payers } else { &mut self.others }
    }

    pub(super) fn load(&mut self, place: StreakKey, tally: FailureStreak, claims: Option<String>) {
        let written = tally.attempts;
        self.list(&place).put(place, Failing { tally, written, claims });
    }

    /// Counts the result of a proven payer's command: extends their failure streak, or ends it.
    pub(super) fn mark(
        &mut self,
        payer: &str,
        mark: Mark,
        counting: &Counting,
        now: UnixTime,
        changes: &mut Vec<Change>,
    ) -> Option<FailureStreak> {
        let place = (payer.to_string(), counting.route.clone());
        match mark {
            Mark::Nothing => None,
            Mark::Success => {
                self.drop(&place, changes);
                None
            }
            Mark::Failure(failure) => {
                let row = self.of(&place);
                let mut tally =
                    row.map_or_else(|| FailureStreak::new(now), |row| row.tally.clone());
                tally.count(&failure, now);
                self.keep(place, tally.clone(), None, counting.exceeded_after, now, changes);
                Some(tally)
            }
        }
    }

    /// Merges an isolate's counts for one client.
    fn merge(
        &mut self,
        entry: ClientCount,
        now: UnixTime,
        changes: &mut Vec<Change>,
    ) -> Option<FailureStreak> {
        let place = (entry.client.clone(), entry.route.clone());
        let was = (entry.was.clone(), entry.route.clone());
        let earlier = if was == place { None } else { self.list(&was).remove(&was) };
        if earlier.is_some() {
            changes.push(Change::Forget(was));
        }
        let row = self.of(&place).map(|row| row.tally.clone());
        let row = match (row, earlier) {
            (Some(mut row), Some(earlier)) => {
                row.merge(&earlier.tally);
                Some(row)
            }
            (row, earlier) => row.or(earlier.map(|earlier| earlier.tally)),
        };
        let merged = entry.applied_to(row, now);
        match &merged {
            Some(tally) => {
                let (claims, max) = (entry.claims, entry.exceeded_after);
                self.keep(place, tally.clone(), claims, max, now, changes);
            }
            None => self.drop(&place, changes),
        }
        merged
    }

    /// Stores a row, notifies the operator if it crosses the threshold, and writes it if that is
    /// worthwhile.
    fn keep(
        &mut self,
        place: StreakKey,
        tally: FailureStreak,
        claims: Option<String>,
        exceeded_after: u64,
        now: UnixTime,
        changes: &mut Vec<Change>,
    ) {
        let known = self.of(&place);
        let before = known.map_or(0, |row| row.tally.attempts);
        let written = known.map_or(0, |row| row.written);
        let claims = claims.or_else(|| known.and_then(|row| row.claims.clone()));
        let is_first = place.0.starts_with(ALIKE) && tally.attempts < exceeded_after / WORTH_A_ROW;
        let is_new = known.is_none();
        let writes = !is_first && (is_new || tally.is_worth_writing(written, exceeded_after));
        let crosses = before < exceeded_after && exceeded_after <= tally.attempts;
        if crosses && self.may_tell(&place, now) {
            changes.push(Change::Threshold(place.clone(), tally.clone(), claims.clone()));
        }
        if writes {
            changes.push(Change::Count(place.clone(), tally.clone(), claims.clone()));
        }
        let written = if writes { tally.attempts } else { written };
        for gone in self.list(&place).put(place, Failing { tally, written, claims }) {
            changes.push(Change::Forget(gone));
        }
    }

    /// Limits the notices: those about payers are not kept back by whoever proves nothing.
    fn may_tell(&mut self, place: &StreakKey, now: UnixTime) -> bool {
        if is_payer(&place.0) {
            let (since, told) = match self.told_payers {
                (since, told) if now < since.plus(NOTICE_GAP_SECS) => (since, told),
                _ => (now, 0),
            };
            self.told_payers = (since, told.saturating_add(1));
            return told < MOST_NOTICES;
        }
        let waits = self.told_at.is_some_and(|at| now < at.plus(NOTICE_GAP_SECS));
        if !waits {
            self.told_at = Some(now);
        }
        !waits
    }

    fn drop(&mut self, place: &StreakKey, changes: &mut Vec<Change>) {
        if self.list(place).remove(place).is_some() {
            changes.push(Change::Forget(place.clone()));
        }
    }
}

impl Shard {
    /// Merges the counts of an isolate.
    pub fn count(&mut self, entries: Vec<ClientCount>, now: UnixTime) -> (Counted, Vec<Change>) {
        let mut changes = Vec::new();
        let counted = entries
            .into_iter()
            .map(|entry| self.failures.merge(entry, now, &mut changes))
            .collect();
        (Counted { counted }, changes)
    }

    /// All failures that are not idle.
    pub fn failing(&self, now: UnixTime) -> impl Iterator<Item = (&StreakKey, &Failing)> {
        let rows = self.failures.lists().into_iter().flat_map(RecentMap::iter);
        rows.filter(move |(_, row)| !row.tally.is_idle(now))
    }

    /// Forgets idle failures; rows last written up to the returned second are to be removed.
    pub fn forget_idle(&mut self, now: UnixTime) -> UnixTime {
        let idle: Vec<StreakKey> = self
            .failures
            .lists()
            .into_iter()
            .flat_map(RecentMap::iter)
            .filter(|(_, row)| row.tally.is_idle(now))
            .map(|(place, _)| place.clone())
            .collect();
        for place in idle {
            self.failures.list(&place).remove(&place);
        }
        now.minus(IDLE_SECS)
    }
}
