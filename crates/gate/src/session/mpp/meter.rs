//! How a stream is charged: by what, and in which steps.

use farebox_base::amount::Amount;
use farebox_wire::mpp::session::UnitType;

/// The price of what flows. A step is charged before anything of it leaves, so that what was charged
/// and not delivered, when either side breaks off, is at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamMeter {
    /// The unit that is counted.
    pub unit: UnitType,
    /// The price of one; never zero.
    pub price: Amount,
    /// How many are charged at once.
    pub step: u64,
    /// Their price.
    pub step_price: Amount,
    /// Seconds for which a stream waits for a voucher.
    pub pause_secs: u64,
}

impl StreamMeter {
    /// The meter of these prices; `None` if there is none: a unit that is a request, a price of
    /// nothing, or a step that costs more than can be said.
    #[must_use]
    pub fn new(
        unit: UnitType,
        price: Amount,
        step: Option<u64>,
        pause_secs: Option<u64>,
    ) -> Option<Self> {
        let usual = match unit {
            UnitType::Request => return None,
            UnitType::Second => 5,
            UnitType::Byte => 16_384,
            UnitType::Event => 10,
        };
        let (step, pause_secs) = (step.unwrap_or(usual), pause_secs.unwrap_or(PAUSE_SECS));
        let is_right = !price.is_zero() && STEPS.contains(&step) && PAUSES.contains(&pause_secs);
        let step_price = price.checked_mul_u64(step).filter(|_| is_right)?;
        Some(Self { unit, price, step, step_price, pause_secs })
    }
}

/// The fewest and most units of a step.
const STEPS: core::ops::RangeInclusive<u64> = 1..=10_000_000;
/// The shortest and longest pause, seconds.
const PAUSES: core::ops::RangeInclusive<u64> = 1..=600;
/// Spec: draft-tempo-session, "Streaming".
const PAUSE_SECS: u64 = 60;
