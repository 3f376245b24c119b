//! Turns at what costs much: one after another, and for no more than a fifth of the time.

use std::cell::Cell;

/// The turns at one thing.
#[derive(Default)]
pub(crate) struct Turnstile {
    /// Millisecond from which a request may begin.
    free_from: Cell<u64>,
}

impl Turnstile {
    /// Whether it is a request's turn now. Others wait until it is done, or is taken for lost.
    pub(crate) fn begin(&self, now: u64) -> bool {
        let is_free = self.free_from.get() <= now;
        if is_free {
            self.go_on(now);
        }
        is_free
    }

    /// Notes that the request whose turn it is reads on.
    pub(crate) fn go_on(&self, now: u64) {
        self.free_from.set(now.saturating_add(READ_MS));
    }

    /// Notes the end of what began at a millisecond, after which nobody reads for so many at least.
    pub(crate) fn end(&self, began: u64, now: u64, least: u64) {
        let rest = now.saturating_sub(began).saturating_mul(REST).min(MAX_REST_MS);
        self.free_from.set(now.saturating_add(rest.max(least)));
    }
}

/// Milliseconds without another part after which a request that reads is taken for lost.
const READ_MS: u64 = 1_000;
/// How many times as long as a read took there is none.
const REST: u64 = 4;
/// Most milliseconds of that.
const MAX_REST_MS: u64 = 2_000;
