//! The UTC day in which sales and spending count.

use farebox_base::mutant::{Mutant, planted};

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// The number of the day in which something counts now, after something counted in `known`. A clock
/// that was set back begins no day, unless it had run ahead by more than one: else nothing would
/// begin one for as long.
pub(crate) fn counted_day(known: u64, now: u64) -> u64 {
    let today = day_number(now);
    let is_set_back = known == today.saturating_add(1);
    if is_set_back && !planted(Mutant::DaysBeginAgain) { known } else { today }
}

/// The number of the day of this moment.
pub(crate) const fn day_number(now: u64) -> u64 {
    now / DAY_MS
}

/// The moment at which the day with this number began.
pub(crate) const fn day_start(number: u64) -> u64 {
    number.saturating_mul(DAY_MS)
}
