//! Payments after the ledger was restored from a backup: one that the restore may have lost begins
//! nothing, and no client is asked to sign one that would be refused. Spec: docs/operations.md,
//! "Restore from a backup".

use alloc::borrow::Cow;

use super::Gate;
use super::offer::Offer;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_common::payment::NEVER;

/// The date of a payment that may have been made at any time.
pub(super) const NO_DATE: UnixTime = UnixTime::from_secs(0);

impl Gate {
    /// Whether a payment that cannot be older than `since`, and ends at this time, may have had a
    /// row that a restore has lost.
    pub(super) fn may_be_forgotten(&self, since: UnixTime, ends: UnixTime) -> bool {
        self.payers.restored.is_some_and(|(restored, closed)| {
            (ends < closed || ends == NEVER)
                && (since < restored || planted(Mutant::DatesAreUnread))
        })
    }

    /// The ways to pay that are not refused because of a restore: those of MPP, whose payers sign
    /// a challenge that has a date.
    ///
    /// # Errors The seconds until there are some.
    pub(super) fn open<'o>(&self, offer: &'o Offer, now: UnixTime) -> Result<Cow<'o, Offer>, u64> {
        let Some((_, closed)) = self.payers.restored else { return Ok(Cow::Borrowed(offer)) };
        let secs = offer.choices.iter().map(|choice| choice.terms.max_timeout_secs).min();
        let ends = now.plus(secs.unwrap_or_default());
        if ends >= closed || !offer.settings.protocols.x402 || planted(Mutant::ClosedAsks) {
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
    pub(super) fn is_restored_at(&self, now: UnixTime) -> bool {
        self.payers.restored.is_some_and(|(_, closed)| now < closed)
    }
}
