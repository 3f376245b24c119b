//! The spending of a scope in the current hour, day and month, UTC.
//!
//! A payment counts from its reservation on, in the windows of that moment. If it is void it is
//! given back to those of them that are still current. What a clock that was set wrongly begins is
//! the rule of [`counted_window`].

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::row::{AssetTally, BudgetRow, Scope};
use farebox_base::amount::Amount;
use farebox_base::time::{UnixTime, counted_window};
use farebox_payer::client::asset::CAP_DECIMALS;
use farebox_payer::client::asset::is_dollar;

/// Seconds of a day.
pub(crate) const DAY_SECS: u64 = 86_400;

/// A calendar window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

impl Window {
    /// All windows.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// As in `hourly budget`.
    #[must_use]
    pub const fn adverb(self) -> &'static str {
        match self {
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Month => "monthly",
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// When the window with this moment began.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::time::UnixTime;
    /// use farebox_treasury::budget::Window;
    /// let at = |text: &str| UnixTime::from_rfc3339(text).unwrap();
    /// let start = |window: Window| window.start(at("2026-03-31T23:59:59Z"));
    /// assert_eq!(start(Window::Hour), at("2026-03-31T23:00:00Z"));
    /// assert_eq!(start(Window::Day), at("2026-03-31T00:00:00Z"));
    /// assert_eq!(start(Window::Month), at("2026-03-01T00:00:00Z"));
    /// ```
    #[must_use]
    pub fn start(self, at: UnixTime) -> UnixTime {
        let text = at.rfc3339();
        let (kept, rest) = match self {
            Self::Hour => (13, ":00:00Z"),
            Self::Day => (10, "T00:00:00Z"),
            Self::Month => (7, "-01T00:00:00Z"),
        };
        let begun = text.get(..kept).map(|kept| alloc::format!("{kept}{rest}"));
        // A time beyond what can be written is in a window of its own.
        begun.and_then(|text| UnixTime::from_rfc3339(&text).ok()).unwrap_or(at)
    }

    /// When the window began in which something counts now, after something counted in the one that
    /// began at `known`.
    #[must_use]
    pub fn counted(self, known: u64, now: UnixTime) -> u64 {
        let current = self.start(now);
        // As long as the longest such window, and shorter than two of the shortest.
        let secs = match self {
            Self::Hour => 3_600,
            Self::Day => DAY_SECS,
            Self::Month => DAY_SECS.saturating_mul(31),
        };
        let next = self.start(current.plus(secs));
        counted_window(known, current.secs(), next.secs())
    }
}

impl BudgetRow {
    /// An empty budget at this moment.
    #[must_use]
    pub fn new(scope: Scope, now: UnixTime) -> Self {
        let start = |window: Window| window.start(now).secs();
        let (hour, day, month) = (start(Window::Hour), start(Window::Day), start(Window::Month));
        Self { scope, hour, day, month, assets: Vec::new() }
    }

    /// The same budget now: windows that are over are empty.
    #[must_use]
    pub fn at(mut self, now: UnixTime) -> Self {
        let zero = || "0".to_string();
        for window in Window::ALL {
            let start = window.counted(self.start(window), now);
            if start == self.start(window) {
                continue;
            }
            *self.start_mut(window) = start;
            for asset in &mut self.assets {
                *asset.sum_mut(window) = zero();
            }
        }
        self.assets.retain(|asset| Window::ALL.iter().any(|window| asset.sum(*window) != "0"));
        self
    }

    /// The spending of an asset in a window, at 18 fraction digits; `None` for a sum that cannot be
    /// read or is too large.
    #[must_use]
    pub fn of_asset(&self, window: Window, symbol: &str) -> Option<Amount> {
        match self.assets.iter().find(|asset| asset.symbol == symbol) {
            Some(asset) => Amount::from_atomic(asset.sum(window)).ok(),
            None => Some(Amount::ZERO),
        }
    }

    /// The spending of all dollars in a window.
    #[must_use]
    pub fn of_dollars(&self, window: Window) -> Option<Amount> {
        let dollars = self.assets.iter().filter(|asset| is_dollar(&asset.symbol));
        dollars
            .map(|asset| Amount::from_atomic(asset.sum(window)).ok())
            .try_fold(Amount::ZERO, |sum, amount| sum.checked_add(amount?))
    }

    /// Counts a payment; `None` if a sum would be too large.
    #[must_use]
    pub fn plus(mut self, symbol: &str, worth: Amount) -> Option<Self> {
        let known = self.assets.iter_mut().find(|asset| asset.symbol == symbol);
        let Some(asset) = known else {
            let (symbol, worth) = (symbol.to_string(), worth.to_string());
            let (hour, day, month) = (worth.clone(), worth.clone(), worth);
            self.assets.push(AssetTally { symbol, hour, day, month });
            return Some(self);
        };
        for window in Window::ALL {
            let sum = Amount::from_atomic(asset.sum(window)).ok()?.checked_add(worth)?;
            *asset.sum_mut(window) = sum.to_string();
        }
        Some(self)
    }

    /// Gives back a payment that was counted at `counted`, to the windows in which that was.
    #[must_use]
    pub fn minus(mut self, symbol: &str, worth: Amount, counted: UnixTime) -> Self {
        for window in Window::ALL {
            let is_current = window.start(counted).secs() == self.start(window);
            if !is_current {
                continue;
            }
            if let Some(asset) = self.assets.iter_mut().find(|asset| asset.symbol == symbol)
                && let Ok(sum) = Amount::from_atomic(asset.sum(window))
            {
                *asset.sum_mut(window) = sum.checked_sub(worth).unwrap_or(Amount::ZERO).to_string();
            }
        }
        self
    }

    /// Start of a window.
    #[must_use]
    pub const fn start(&self, window: Window) -> u64 {
        match window {
            Window::Hour => self.hour,
            Window::Day => self.day,
            Window::Month => self.month,
        }
    }

    const fn start_mut(&mut self, window: Window) -> &mut u64 {
        match window {
            Window::Hour => &mut self.hour,
            Window::Day => &mut self.day,
            Window::Month => &mut self.month,
        }
    }
}

impl AssetTally {
    /// The sum of a window, text of atomic units at 18 fraction digits.
    #[must_use]
    pub fn sum(&self, window: Window) -> &str {
        match window {
            Window::Hour => &self.hour,
            Window::Day => &self.day,
            Window::Month => &self.month,
        }
    }

    const fn sum_mut(&mut self, window: Window) -> &mut String {
        match window {
            Window::Hour => &mut self.hour,
            Window::Day => &mut self.day,
            Window::Month => &mut self.month,
        }
    }
}

/// An amount in atomic units at 18 fraction digits; `None` if it does not fit.
#[must_use]
pub fn worth(value: Amount, decimals: u8) -> Option<Amount> {
    let zeros = usize::from(CAP_DECIMALS.checked_sub(decimals)?);
    Amount::from_atomic(&alloc::format!("{value}{:0<zeros$}", "")).ok()
}

/// The atomic units of an asset in an amount at 18 fraction digits; what is less than one is left out.
#[must_use]
pub fn whole(worth: Amount, decimals: u8) -> Amount {
    let digits = CAP_DECIMALS.saturating_sub(decimals);
    let unit = 10_u64.checked_pow(digits.into()).unwrap_or(u64::MAX);
    worth.checked_div_u64(unit).unwrap_or(Amount::ZERO)
}
