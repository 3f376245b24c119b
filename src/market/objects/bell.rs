//! The alarm of an object, as far as an instance knows of it.

use std::cell::Cell;

use crate::platform::calls::clock_ms;

/// Milliseconds overdue after which an alarm counts as lost.
const LOST_MS: u64 = 30_000;
/// Milliseconds after which an alarm looks at work that stays due.
pub(super) const AGAIN_MS: u64 = 1_000;

/// Millisecond of the alarm that was set.
pub(super) struct Bell(Cell<Option<u64>>);

impl Bell {
    pub(super) const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// Notes that it rang, or that it could not be set.
    pub(super) fn forget(&self) {
        self.0.set(None);
    }

    /// Millisecond to set the alarm for, which then counts as set; `None` unless it moves earlier or
    /// the one that was set is overdue, that is, lost.
    pub(super) fn next(&self, due: Option<u64>, pause_ms: u64) -> Option<u64> {
        let now = clock_ms();
        let set = self.0.get().filter(|set| now < set.saturating_add(LOST_MS));
        let due = due?;
        let at = if due <= now { now.saturating_add(pause_ms) } else { due };
        if set.is_some_and(|set| set <= at) {
            return None;
        }
        self.0.set(Some(at));
        Some(at)
    }
}
