//! When an object's alarm moves.

/// Milliseconds overdue after which an alarm counts as lost.
const LOST_MS: u64 = 30_000;

/// The alarm of an object, as far as this instance of it knows. Times are unix milliseconds.
///
/// The platform keeps one time for each object, and to set it is a write: it is set only when it has
/// to be earlier. An alarm that should have rung long ago was lost, and is set again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    set: Option<u64>,
}

impl Alarm {
    /// An alarm of which nothing is known: this instance has set none, it rang, or it could not be
    /// set.
    pub const UNKNOWN: Self = Self { set: None };

    /// Time to set the alarm for, which then counts as set; `None` unless it has to move.
    ///
    /// `due` is when something is due first. What is due already waits for `pause_ms`, which holds
    /// work that stays due apart.
    pub fn advance(&mut self, due: Option<u64>, now: u64, pause_ms: u64) -> Option<u64> {
        let set = self.set.filter(|set| now < set.saturating_add(LOST_MS));
        let due = due?;
        let at = if due <= now { now.saturating_add(pause_ms) } else { due };
        if set.is_some_and(|set| set <= at) {
            return None;
        }
        self.set = Some(at);
        Some(at)
    }
}
