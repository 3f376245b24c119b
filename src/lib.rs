//! The edges of Farebox: they carry out what [`farebox_core`] decides, and translate types.

// The payer's package brings its own `runtime`, which is smaller.
#![cfg_attr(
    all(
        any(
            feature = "bindings",
            feature = "agent",
            feature = "cards",
            feature = "channels",
            feature = "jobs"
        ),
        not(any(feature = "worker", feature = "treasury", feature = "market")),
        target_arch = "wasm32"
    ),
    no_std
)]

#[cfg(any(
    feature = "bindings",
    feature = "agent",
    feature = "cards",
    feature = "channels",
    feature = "jobs"
))]
extern crate alloc;

#[cfg(any(
    feature = "bindings",
    feature = "agent",
    feature = "cards",
    feature = "channels",
    feature = "jobs"
))]
mod bindings;
#[cfg(feature = "market")]
mod market;
#[cfg(any(feature = "worker", feature = "treasury", feature = "market"))]
mod platform;
#[cfg(feature = "rules")]
mod rules;
#[cfg(feature = "treasury")]
mod treasury;
#[cfg(feature = "worker")]
mod worker;
