//! Points in time as the gate and the chains count them: whole seconds since 1970.
//!
//! This module never reads a clock; the present is an argument.

use alloc::string::String;
use core::fmt;

/// The window in which something counts now, after something counted in the one that is `known`: an
/// hour, a day or a month by its start or its number, of which `next` comes after the `current` one.
///
/// A clock that was set back begins no window, unless it had run ahead by more than one: else
/// nothing would begin one for as long.
#[must_use]
pub fn counted_window(known: u64, current: u64, next: u64) -> u64 {
    let is_set_back = known == next;
    if is_set_back { known } else { current }
}

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The point `secs` seconds after 1970.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs)
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0
    }

    /// The point `secs` seconds later, at most the last representable one.
    #[must_use]
    pub const fn plus(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs))
    }

    /// The point `secs` seconds earlier, at least 1970.
    #[must_use]
    pub const fn minus(self, secs: u64) -> Self {
        Self(self.0.saturating_sub(secs))
    }

    /// Seconds from `earlier` to here, zero when `earlier` is later.
    #[must_use]
    pub const fn secs_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads canonical decimal seconds: ASCII digits without a leading zero, at most 2^64 − 1.
    ///
    /// Spec: x402 `exact` on EVM, `validAfter` and `validBefore`.
    ///
    /// # Errors
    /// [`TimeError::Format`] for another spelling, [`TimeError::Overflow`] above 2^64 − 1.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::time::{TimeError, UnixTime};
    /// assert_eq!(UnixTime::from_text("1740672149"), Ok(UnixTime::from_secs(1_740_672_149)));
    /// assert_eq!(UnixTime::from_text("01740672149"), Err(TimeError::Format));
    /// assert_eq!(UnixTime::from_text("18446744073709551616"), Err(TimeError::Overflow));
    /// ```
    pub fn from_text(text: &str) -> Result<Self, TimeError> {
        match text.as_bytes() {
            [] | [b'0', _, ..] => Err(TimeError::Format),
            digits if !digits.iter().all(u8::is_ascii_digit) => Err(TimeError::Format),
            _ => text.parse().map(Self).map_err(|_| TimeError::Overflow),
        }
    }

    /// Reads RFC 3339 text, `2025-11-20T06:00:00.5+01:00`, with capital letters and without leap
    /// seconds; fractions of a second are rounded down, and times before 1970 become 1970.
    ///
    /// # Errors
    /// [`TimeError::Format`] for other text and for days and times that do not exist.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::time::{TimeError, UnixTime};
    /// let time = UnixTime::from_secs(1_740_672_089);
    /// assert_eq!(UnixTime::from_rfc3339("2025-02-27T16:01:29Z"), Ok(time));
    /// assert_eq!(UnixTime::from_rfc3339("2025-02-27T17:01:29.75+01:00"), Ok(time));
    /// assert_eq!(UnixTime::from_rfc3339("2025-02-29T16:01:29Z"), Err(TimeError::Format));
    /// ```
    pub fn from_rfc3339(text: &str) -> Result<Self, TimeError> {
        let (date_time, rest) = text.split_at_checked(19).ok_or(TimeError::Format)?;
        let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1] =
            date_time.as_bytes()
        else {
            return Err(TimeError::Format);
        };
        let century = two(*y0, *y1, 99)?;
        let year = century.saturating_mul(100).saturating_add(two(*y2, *y3, 99)?);
        let month = two(*m0, *m1, 12)?;
        let day = two(*d0, *d1, days_of(year, month))?;
        if month == 0 || day == 0 {
            return Err(TimeError::Format);
        }
        let second = two(*h0, *h1, 23)?
            .saturating_mul(60)
            .saturating_add(two(*n0, *n1, 59)?)
            .saturating_mul(60)
            .saturating_add(two(*s0, *s1, 59)?);
        let zone = match rest.strip_prefix('.') {
            Some(fraction) => {
                let zone = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
                if zone.len() == fraction.len() {
                    return Err(TimeError::Format);
                }
                zone
            }
            None => rest,
        };
        let local = days_to(year, month, day).saturating_mul(DAY_SECS).saturating_add(second);
        let offset = |h0, h1, m0, m1| -> Result<u64, TimeError> {
            let minutes = two(h0, h1, 23)?.saturating_mul(60).saturating_add(two(m0, m1, 59)?);
            Ok(minutes.saturating_mul(60))
        };
        let utc = match zone.as_bytes() {
            [b'Z'] => local,
            [b'+', h0, h1, b':', m0, m1] => local.saturating_sub(offset(*h0, *h1, *m0, *m1)?),
            [b'-', h0, h1, b':', m0, m1] => local.saturating_add(offset(*h0, *h1, *m0, *m1)?),
            _ => return Err(TimeError::Format),
        };
        Ok(Self(utc.saturating_sub(DAYS_TO_1970.saturating_mul(DAY_SECS))))
    }

    /// RFC 3339 text in UTC, `2025-11-20T06:00:00Z`; times after the year 9999 are written as its
    /// last second.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::time::UnixTime;
    /// assert_eq!(UnixTime::from_secs(0).rfc3339(), "1970-01-01T00:00:00Z");
    /// assert_eq!(UnixTime::from_secs(1_740_672_089).rfc3339(), "2025-02-27T16:01:29Z");
    /// assert_eq!(UnixTime::from_secs(u64::MAX).rfc3339(), "9999-12-31T23:59:59Z");
    /// ```
    #[must_use]
    pub fn rfc3339(self) -> String {
        let secs = self.0.min(LAST_OF_9999);
        let (days, second) = (secs / DAY_SECS, secs % DAY_SECS);
        // Counts days from 0000-03-01, so that a leap day ends its year; eras of 400 years repeat
        // exactly.
        let days = days.saturating_add(DAYS_TO_1970);
        let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
        let leap_days = (day_of_era / 1_460)
            .saturating_sub(day_of_era / 36_524)
            .saturating_add(day_of_era / (ERA_DAYS - 1));
        let year_of_era = day_of_era.saturating_sub(leap_days) / 365;
        let year_days = year_of_era
            .saturating_mul(365)
            .saturating_add(year_of_era / 4)
            .saturating_sub(year_of_era / 100);
        let day_of_year = day_of_era.saturating_sub(year_days);
        // From March on, months have 31, 30, 31, 30, 31 days in turn: 153 days in five.
        let month_from_march = day_of_year.saturating_mul(5).saturating_add(2) / 153;
        let month_days = month_from_march.saturating_mul(153).saturating_add(2) / 5;
        let day = day_of_year.saturating_sub(month_days).saturating_add(1);
        let month = (month_from_march.saturating_add(2) % 12).saturating_add(1);
        let year = era
            .saturating_mul(400)
            .saturating_add(year_of_era)
            .saturating_add(u64::from(month <= 2));
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        alloc::format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// The time an authorization may be used: strictly after `after`, strictly before `before`, never
/// empty.
///
/// Spec: EIP-3009, `validAfter` and `validBefore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    after: UnixTime,
    before: UnixTime,
}

impl Window {
    /// The window between two points.
    ///
    /// # Errors
    /// [`EmptyWindow`] unless `after` lies before `before`.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::time::{EmptyWindow, UnixTime, Window};
    /// let (after, before) = (UnixTime::from_secs(10), UnixTime::from_secs(12));
    /// let window = Window::new(after, before).unwrap();
    /// assert!(window.contains(UnixTime::from_secs(11)) && !window.contains(before));
    /// assert_eq!(Window::new(after, after), Err(EmptyWindow { after, before: after }));
    /// ```
    pub fn new(after: UnixTime, before: UnixTime) -> Result<Self, EmptyWindow> {
        if after < before { Ok(Self { after, before }) } else { Err(EmptyWindow { after, before }) }
    }

    /// The last second before the window.
    #[must_use]
    pub const fn after(&self) -> UnixTime {
        self.after
    }

    /// The first second past the window.
    #[must_use]
    pub const fn before(&self) -> UnixTime {
        self.before
    }

    /// Whether `now` lies inside; both ends are outside.
    #[must_use]
    pub fn contains(&self, now: UnixTime) -> bool {
        self.after < now && now < self.before
    }
}

/// Error of a window that ends before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyWindow {
    /// The last second before the window.
    pub after: UnixTime,
    /// The first second past the window.
    pub before: UnixTime,
}

impl fmt::Display for EmptyWindow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "window after {} and before {} is empty", self.after.0, self.before.0)
    }
}

impl core::error::Error for EmptyWindow {}

/// Error of text that is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeError {
    /// Not canonical decimal digits.
    Format,
    /// More than 2^64 − 1 seconds.
    Overflow,
}

impl fmt::Display for TimeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Format => "expected unix seconds as decimal digits without a leading zero",
            Self::Overflow => "time exceeds 2^64 - 1 seconds",
        })
    }
}

impl core::error::Error for TimeError {}

/// A number of two digits, at most `max`.
fn two(tens: u8, ones: u8, max: u64) -> Result<u64, TimeError> {
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
        return Err(TimeError::Format);
    }
    let number = u64::from(tens & 0x0f).saturating_mul(10).saturating_add(u64::from(ones & 0x0f));
    if number > max { Err(TimeError::Format) } else { Ok(number) }
}

/// Days of a month of a year; months are counted from 1.
const fn days_of(year: u64, month: u64) -> u64 {
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 0000-03-01 to a day; a day of the two months before counts as the first.
fn days_to(year: u64, month: u64, day: u64) -> u64 {
    // A year begins in March here, so that a leap day ends it, and five months have 153 days.
    let (year, month_from_march) = match month {
        3.. => (year, month.saturating_sub(3)),
        _ => match year.checked_sub(1) {
            Some(year) => (year, month.saturating_add(9)),
            None => return 0,
        },
    };
    let leap_days = (year / 4).saturating_sub(year / 100).saturating_add(year / 400);
    year.saturating_mul(365)
        .saturating_add(leap_days)
        .saturating_add(month_from_march.saturating_mul(153).saturating_add(2) / 5)
        .saturating_add(day.saturating_sub(1))
}

const DAY_SECS: u64 = 86_400;
/// Days of 400 Gregorian years.
const ERA_DAYS: u64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: u64 = 719_468;
/// 9999-12-31T23:59:59Z.
const LAST_OF_9999: u64 = 253_402_300_799;
