//! The parts that all Workers share: the guard against panics, the host of a machine, an object's
//! SQLite, platform calls with deadlines, the log.
//!
//! `instance.mjs` renews an instance that panicked, `compiled.mjs` lets requests and objects into it, `edge.mjs`, `body.mjs`,
//! `reading.mjs` and `deadline.mjs` hold the platform calls. It knows no Worker, and decides nothing.

#[cfg(any(feature = "treasury", feature = "market"))]
pub(crate) mod body;
pub(crate) mod calls;
#[cfg(any(feature = "treasury", feature = "market"))]
pub(crate) mod columns;
pub(crate) mod guard;
#[cfg(any(feature = "treasury", feature = "market"))]
pub(crate) mod host;
#[cfg(any(feature = "treasury", feature = "market"))]
pub(crate) mod long;
pub(crate) mod migrate;
pub(crate) mod object;
#[cfg(any(feature = "treasury", feature = "market"))]
pub(crate) mod request;
#[cfg(any(feature = "treasury", feature = "market", feature = "worker"))]
pub(crate) mod send;
pub(crate) mod sql;
#[cfg(any(feature = "worker", feature = "market"))]
pub(crate) mod turns;
#[cfg(any(feature = "worker", feature = "market"))]
pub(crate) mod turnstile;

use std::cell::RefCell;

use farebox_core::time::UnixTime;

/// Seconds of the platform's clock.
pub(crate) fn now() -> UnixTime {
    UnixTime::from_secs(calls::clock_ms() / 1000)
}

/// A new correlation id: 96 random bits; empty if there is no randomness, because one that repeats
/// would be taken for that of another request.
pub(crate) fn fresh_id() -> String {
    /// Ids that are drawn at once: each crossing of the border costs more than the bytes.
    const POOLED: usize = 64;
    thread_local! {
        /// Random bytes, and how many of them are used up.
        static POOL: RefCell<([[u8; 12]; POOLED], usize)> = const { RefCell::new(([[0; 12]; POOLED], POOLED)) };
    }
    let bytes = POOL.with_borrow_mut(|(pool, used)| {
        if *used >= POOLED {
            getrandom::fill(pool.as_flattened_mut()).ok()?;
            *used = 0;
        }
        *used += 1;
        // Each serves once.
        pool.get_mut(*used - 1).map(std::mem::take)
    });
    bytes.map(|bytes| farebox_core::encoding::hex::encode(&bytes)).unwrap_or_default()
}
