//! The UTC day in which sales and spending count.

use farebox_base::time::counted_window;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// The number of the day in which something counts now, after something counted in `known`, by the
/// rule of [`counted_window`].
pub(crate) fn counted_day(known: u64, now: u64) -> u64 {
    let today = day_number(now);
    counted_window(known, today, today.saturating_add(1))
}

/// The number of the day of this moment.
pub(crate) const fn day_number(now: u64) -> u64 {
    now / DAY_MS
}

/// The moment at which the day with this number began.
pub(crate) const fn day_start(number: u64) -> u64 {
    number.saturating_mul(DAY_MS)
}
