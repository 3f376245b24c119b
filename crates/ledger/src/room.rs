//! The room of a ledger object: how full its database is, and when that is told.

/// Hundredths of its limit above which the operator is told.
const TOLD_PERCENT: u64 = 80;
/// Hundredths above which no payment begins: the rest is for those that have begun.
const FULL_PERCENT: u64 = 95;
/// Seconds over which growth is measured.
pub const SPAN_SECS: u64 = 86_400;

/// The size of an object's database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that it has.
    pub bytes: u64,
    /// Bytes that it may have.
    pub limit: u64,
}

impl Room {
    /// Hundredths of the limit.
    #[must_use]
    pub fn percent(self) -> u64 {
        self.bytes.saturating_mul(100).checked_div(self.limit).unwrap_or(100)
    }

    /// Whether the operator has to hear of it.
    #[must_use]
    pub fn is_scarce(self) -> bool {
        self.percent() >= TOLD_PERCENT
    }

    /// Whether no payment begins any more.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.percent() >= FULL_PERCENT
    }

    /// Days until no payment begins any more, if it grows as it has in these seconds; `None` if it
    /// does not grow.
    #[must_use]
    pub fn days_left(self, before: u64, secs: u64) -> Option<u64> {
        let grown = self.bytes.checked_sub(before)?;
        let full = self.limit.saturating_mul(FULL_PERCENT).checked_div(100)?;
        let left = full.saturating_sub(self.bytes);
        left.saturating_mul(secs).checked_div(grown)?.checked_div(SPAN_SECS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_four_fifths_and_full_before_the_platform_says_so() {
        let room = |bytes| Room { bytes, limit: 10_000_000_000 };
        for (bytes, scarce, full) in [
            (0, false, false),
            (7_999_999_999, false, false),
            (8_000_000_000, true, false),
            (9_499_999_999, true, false),
            (9_500_000_000, true, true),
            (u64::MAX, true, true),
        ] {
            assert_eq!((room(bytes).is_scarce(), room(bytes).is_full()), (scarce, full), "{bytes}");
        }
    }

    #[test]
    fn days_are_left_as_it_grows() {
        let room = Room { bytes: 8_000_000_000, limit: 10_000_000_000 };
        // A tenth of a gigabyte a day, and one and a half are left.
        assert_eq!(room.days_left(7_900_000_000, SPAN_SECS), Some(15));
        assert_eq!(room.days_left(7_800_000_000, 2 * SPAN_SECS), Some(15));
        assert_eq!(room.days_left(8_000_000_000, SPAN_SECS), None);
        assert_eq!(room.days_left(8_000_000_001, SPAN_SECS), None);
        assert_eq!(room.days_left(7_999_999_999, SPAN_SECS), Some(1_500_000_000));
        assert_eq!(Room { bytes: 9_600_000_000, ..room }.days_left(0, SPAN_SECS), Some(0));
    }
}
