//! Counts, per client network, of the payments sent on to the object under the new number; in
//! memory alone.
//!
//! The mark of such a payment outlives the payment's validity, and it costs nothing to sign one
//! that no wallet can pay. After a restart the counts begin at zero, which allows at most one more
//! hour's marks.

use alloc::string::{String, ToString};

use farebox_base::sorted::RecentMap;
use farebox_base::time::UnixTime;

/// Maximum marks of one client network in an hour, 150 bytes each. More than a busy agent's
/// payments, little beside 10 GB.
pub const MAX_MOVES_OF_CLIENT: u32 = 5_000;
/// Seconds of such an hour.
const HOUR_SECS: u64 = 3_600;
/// Maximum networks that are counted, 100 bytes each; the oldest are dropped.
const MAX_CLIENTS: usize = 4_096;

/// Recent marks by client network.
#[derive(Clone, Debug)]
pub(super) struct Moves(RecentMap<String, Hour>);

/// The marks of one client network.
#[derive(Clone, Copy, Debug)]
struct Hour {
    count: u32,
    until: UnixTime,
}

impl Default for Moves {
    fn default() -> Self {
        Self(RecentMap::new(MAX_CLIENTS))
    }
}

impl Moves {
    /// Counts a mark.
    pub(super) fn count(&mut self, client: &str, now: UnixTime) {
        match self.0.get_mut(&client.to_string()) {
            Some(hour) if now < hour.until => hour.count = hour.count.saturating_add(1),
            _ => {
                let hour = Hour { count: 1, until: now.plus(HOUR_SECS) };
                self.0.put(client.to_string(), hour);
            }
        }
    }

    /// Whether this client network has to wait before it may have another one.
    pub(super) fn is_full(&self, client: &str, now: UnixTime) -> bool {
        let hour = self.0.get(&client.to_string()).filter(|hour| now < hour.until);
        hour.is_some_and(|hour| hour.count >= MAX_MOVES_OF_CLIENT)
    }
}
