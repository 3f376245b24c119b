//! Payments after the ledger was restored from a backup: one that the restore may have lost begins
//! nothing, and no client is asked to sign one that would be refused. Spec: docs/upkeep.md,
//! "Restore from a backup".

use alloc::borrow::Cow;

use super::offer::Offer;
use farebox_base::time::UnixTime;
use farebox_common::payment::NEVER;

/// The date of a payment that may have been made at any time.
pub(super) const NO_DATE: UnixTime = UnixTime::from_secs(0);
/// Least seconds from the restore on in which payments end that may be lost.
const LOST_SECS: u64 = 3600;

/// The last restore of the ledger, if there was one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restore {
    /// Its time.
    pub at: Option<UnixTime>,
    /// The longest validity of an authorization, seconds.
    pub max_validity_secs: u64,
}

impl Restore {
    fn lost_secs(self) -> u64 {
        self.max_validity_secs.max(LOST_SECS)
    }

    /// The time before which the payments end that it may have lost.
    fn closed(self) -> Option<UnixTime> {
        self.at.map(|at| at.plus(self.lost_secs()))
    }

    /// Whether a payment that cannot be older than `since`, and ends at this time, may have had a
    /// row that it has lost.
    pub fn may_have_lost(self, since: UnixTime, ends: UnixTime) -> bool {
        self.at
            .is_some_and(|at| (ends < at.plus(self.lost_secs()) || ends == NEVER) && (since < at))
    }

    /// The ways to pay that are not refused because of it: those of MPP, whose payers sign a
    /// challenge that has a date.
    ///
    /// # Errors The seconds until there are some.
    pub fn open_ways(self, offer: &Offer, now: UnixTime) -> Result<Cow<'_, Offer>, u64> {
        let Some(closed) = self.closed() else { return Ok(Cow::Borrowed(offer)) };
        let secs = offer.choices.iter().map(|choice| choice.terms.max_timeout_secs).min();
        let ends = now.plus(secs.unwrap_or_default());
        if ends >= closed || !offer.settings.protocols.x402 {
            return Ok(Cow::Borrowed(offer));
        }
        if offer.by_mpp().next().is_none() {
            return Err(closed.secs().saturating_sub(ends.secs()).max(1));
        }
        let mut open = offer.clone();
        open.settings.protocols.x402 = false;
        Ok(Cow::Owned(open.written()))
    }

    /// Whether the answers to requests without a payment are others for now.
    pub fn is_under_way(self, now: UnixTime) -> bool {
        self.closed().is_some_and(|closed| now < closed)
    }
}
