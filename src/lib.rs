//! The edges of Farebox: they carry out what [`farebox_core`] decides, and translate types.

// The payer's package brings its own `runtime`, which is smaller.
#![cfg_attr(all(feature = "bindings", not(feature = "worker"), target_arch = "wasm32"), no_std)]

#[cfg(feature = "bindings")]
extern crate alloc;

#[cfg(feature = "bindings")]
mod bindings;
#[cfg(feature = "rules")]
mod rules;
#[cfg(feature = "worker")]
mod worker;
