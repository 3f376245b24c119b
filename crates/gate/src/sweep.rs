//! The scheduled sweep: wakes ledger objects by the clock, so that one that lost its alarm goes on.

use alloc::vec::Vec;

use super::Gate;
use super::call::LedgerCall;
use super::operator::message;
use farebox_base::time::UnixTime;
use farebox_ledger::report::ObjectRequest;

/// Limit on the objects of one run: what the platform allows on a small plan, with room to spare.
const MAX_OBJECTS: usize = 32;
/// Seconds between two runs; the trigger in `wrangler.toml` is the same.
pub const EVERY_SECS: u64 = 900;

impl Gate {
    /// The calls of the run at this time. If there are more objects than one run may wake, runs
    /// take turns.
    #[must_use]
    pub fn sweep(&self, now: UnixTime) -> Vec<LedgerCall> {
        let all: Vec<_> = self.objects().collect();
        let run = usize::try_from(now.secs() / EVERY_SECS).unwrap_or(0);
        let parts = all.len().div_ceil(MAX_OBJECTS).max(1);
        let part = run.checked_rem(parts).unwrap_or(0);
        let mine = all.chunks(MAX_OBJECTS).nth(part).unwrap_or_default();
        mine.iter()
            .map(|object| LedgerCall::new(object.clone(), message(ObjectRequest::Wake)))
            .collect()
    }
}
