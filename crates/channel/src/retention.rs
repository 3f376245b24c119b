//! How long a channel's answer and row are kept.

use super::desk::{ChannelDesk, Write};
use super::errand::ChannelErrand;
use super::state::{Agreement, Channel, OnChain, VoucherRule};
use farebox_base::time::UnixTime;

/// The operator's limits, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSecs {
    /// An answer, from its sale on.
    pub answer: u64,
    /// The row of a channel that has ended, from its last change on.
    pub row: u64,
}

impl Channel {
    /// When the answer to the last request goes; at once if no one may have it any more.
    fn answer_until(&self, kept: KeptSecs) -> UnixTime {
        let is_public = self.last.is_none_or(|last| last.cumulative <= self.published());
        let sells =
            self.agreement == Agreement::Selling && self.sight.on_chain != OnChain::Finalized;
        let is_due = is_public || !sells;
        if is_due { UnixTime::from_secs(0) } else { self.sold.plus(kept.answer) }
    }

    /// When its row goes; `None` while it tells more than the chain does. A row that begins anew
    /// from what the chain shows sells nothing that was sold: a voucher below what was claimed buys
    /// nothing, and nothing is deposited above that. Where a voucher for more was published, the
    /// row stays: once its payer deposits again, anyone could buy by that voucher.
    fn row_until(&self, kept: KeptSecs, now: UnixTime) -> Option<UnixTime> {
        let is_safe = self.spent <= self.sight.claimed && self.promised.is_none();
        let is_told = match self.rule {
            VoucherRule::Exact => self.published() <= self.sight.claimed,
            // The contract never opens such a channel again.
            VoucherRule::Headroom { .. } => true,
        };
        let is_over = match self.rule {
            VoucherRule::Exact => self.sight.deposit <= self.sight.claimed,
            VoucherRule::Headroom { .. } => self.sight.on_chain == OnChain::Finalized,
        };
        let rests = self.errand(now) == ChannelErrand::Rest(None);
        let is_ended = is_safe && is_told && is_over && rests && self.holds.is_empty();
        is_ended.then(|| self.sold.max(self.looked).plus(kept.row))
    }
}

impl ChannelDesk {
    /// Drops the kept answer once its time is over; what is to be written beside `write`.
    pub fn drop_answer(&mut self, kept: KeptSecs, write: Write, now: UnixTime) -> Write {
        let until = self.channel.as_ref().map(|channel| channel.answer_until(kept));
        if self.kept.is_none() || until.is_none_or(|until| now < until) {
            return write;
        }
        self.kept = None;
        Write::Answer
    }

    /// Whether the row is to go.
    #[must_use]
    pub fn is_to_go(&self, kept: KeptSecs, now: UnixTime) -> bool {
        let until = self.channel.as_ref().and_then(|channel| channel.row_until(kept, now));
        until.is_some_and(|until| until <= now)
    }

    /// When something is due; `None` until the next request.
    #[must_use]
    pub fn next_due(&self, kept: KeptSecs, now: UnixTime) -> Option<UnixTime> {
        let channel = self.channel.as_ref()?;
        let answer = self.kept.as_ref().map(|_| channel.answer_until(kept));
        let dues = [channel.next_errand(now), answer, channel.row_until(kept, now)];
        dues.into_iter().flatten().min()
    }
}
