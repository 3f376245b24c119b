//! The times that a clock has written which ran ahead, once it is right again.

use super::desk::ChannelDesk;
use super::state::ListNotice;
use farebox_base::time::UnixTime;

/// Seconds by which clocks differ: what is later than that was written by one that ran ahead.
const CLOCKS_DIFFER_SECS: u64 = 60;

impl ChannelDesk {
    /// Believes no time of its past that lies ahead of the clock. Until then its vouchers would be
    /// taken without a look, what the chain shows would be called late, and nothing would be claimed.
    pub fn disbelieve_times_after(&mut self, now: UnixTime) {
        let Some(channel) = &mut self.channel else { return };
        let is_ahead = |time: UnixTime| time > now.plus(CLOCKS_DIFFER_SECS);
        // The chain was not seen as far as is known.
        for seen in [&mut channel.sight.at, &mut channel.looked] {
            if is_ahead(*seen) {
                *seen = UnixTime::from_secs(0);
            }
        }
        let listing = match &mut channel.listing {
            ListNotice::Due(at) => Some(at),
            ListNotice::Done => None,
        };
        let rising = channel.firm.rising.as_mut().map(|(_, since)| since);
        let sold = Some(&mut channel.sold);
        let others = [sold, channel.tried.as_mut(), channel.earned_since.as_mut(), rising, listing];
        for time in others.into_iter().flatten() {
            if is_ahead(*time) {
                *time = now;
            }
        }
    }
}
