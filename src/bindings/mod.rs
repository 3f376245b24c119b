//! The functions that the npm package calls: few, with plain arguments, JSON text in and out. Rust
//! never calls JavaScript.
//!
//! [`client`] is one request of a payer, [`codec`] the wire formats for programs that work without
//! it, [`key`] a key that stays inside, `runtime` a substitute for std. A failure is an exception
//! whose value is the JSON text `{code, message, remedy, signed, diagnostic}`. `agent` is the
//! compiled part of `farebox/agent`, `cards` that of its cards, and `jobs` that of its buyer and
//! seller at a compute exchange, each built by itself. `channels` is that of `farebox/channels`.

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "cards")]
mod cards;
#[cfg(feature = "channels")]
mod channels;
#[cfg(feature = "bindings")]
mod client;
#[cfg(feature = "bindings")]
mod codec;
#[cfg(any(feature = "bindings", feature = "cards", feature = "channels"))]
mod failure;
#[cfg(feature = "cards")]
mod formats;
#[cfg(feature = "jobs")]
mod jobs;
#[cfg(feature = "bindings")]
mod key;
#[cfg(all(not(feature = "worker"), target_arch = "wasm32"))]
mod runtime;
#[cfg(feature = "channels")]
mod stream;
